//! Versions of the catalog on an object store.
//!
//! Version `n` is the file `v<n>.json`, written with put-if-absent: of all writers that read version `n - 1`, one
//! makes version `n`, the others read it and apply their change again.
//!
//! ```text
//! writer A: read v7 ── change ── put v8 (new) ─────────────────────────────── done
//! writer B: read v7 ── change ── put v8 (taken) ── read v8 ── change ── put v9 ── done
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use super::model::{FORMAT, Snapshot};
use crate::error::{Error, ErrorCode, Result};
use crate::storage::{StoreRegistry, store_error};

/// How often a change is applied again before the caller hears of the conflict.
const UPDATE_ATTEMPTS: u32 = 16;
/// How often a version that vanished between listing and reading is looked for again.
const READ_ATTEMPTS: u32 = 16;
/// Versions that stay: a reader that listed before them still finds what it listed.
const VERSIONS_KEPT: u64 = 20;
/// How many writes back a version knows: many more than others can make while one is written.
const COMMITS_REMEMBERED: usize = 100;

/// The catalog's versions in one folder. Shared by all sessions of a process.
#[derive(Debug)]
pub struct CatalogStore {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    current: RwLock<Arc<Snapshot>>,
    /// Writers of this process queue here instead of racing each other on the store.
    turn: Mutex<()>,
}

enum Put {
    Written,
    Taken,
}

impl CatalogStore {
    /// Opens the catalog in the folder at `url`. A folder that does not exist is an empty catalog.
    ///
    /// # Errors
    /// `CorruptFile` when the newest version, or the folder, is not a catalog's; the errors of the store.
    pub async fn open(stores: &StoreRegistry, url: &Url) -> Result<Arc<Self>> {
        let folder = Path::from_url_path(url.path()).map_err(|error| {
            Error::new(ErrorCode::InvalidArgument, format!("{url} is not a catalog folder: {error}")).caused_by(error)
        })?;
        Self::open_on(stores.store(url)?, folder).await
    }

    /// As [`Self::open`], on a store that the caller has.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_on(store: Arc<dyn ObjectStore>, folder: Path) -> Result<Arc<Self>> {
        let current = RwLock::new(Arc::new(Snapshot::default()));
        let catalog = Self { store, folder, current, turn: Mutex::new(()) };
        catalog.check_folder().await?;
        catalog.refresh().await?;
        Ok(Arc::new(catalog))
    }

    /// A copy in memory that is never written back.
    pub(super) fn scratch(&self) -> Arc<Self> {
        let store = Arc::new(InMemory::new());
        let current = RwLock::new(self.current());
        Arc::new(Self { store, folder: self.folder.clone(), current, turn: Mutex::new(()) })
    }

    /// The version read last.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read())
    }

    /// Reads the newest version if there is one newer than [`Self::current`]. Costs one listing when there is none.
    ///
    /// # Errors
    /// `CorruptFile` when that version is damaged; the errors of the store.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>> {
        for _ in 0..READ_ATTEMPTS {
            let current = self.current();
            match self.versions_after(Some(current.version)).await?.into_iter().max() {
                None => return Ok(current),
                Some(version) => match self.read_version(version).await? {
                    Some(snapshot) => return Ok(self.install(snapshot)),
                    // Written and pruned since the listing, so there are many newer ones.
                    None => continue,
                },
            }
        }
        Err(self.conflict("read"))
    }

    /// Applies `change` to the newest version and writes the result as the next one. `change` runs again on a newer
    /// version when another writer was first; a change that changes nothing writes nothing.
    ///
    /// # Errors
    /// The errors of `change`; `Conflict` when other writers were first every time; the errors of the store.
    pub async fn update<T: Send>(&self, mut change: impl FnMut(&mut Snapshot) -> Result<T> + Send) -> Result<T> {
        let _turn = self.turn.lock().await;
        for attempt in 0..UPDATE_ATTEMPTS {
            let base = self.refresh().await?;
            let mut next = base.as_ref().clone();
            let outcome = change(&mut next)?;
            if next == *base {
                return Ok(outcome);
            }
            next.version = base.version + 1;
            next.commit_id = Uuid::new_v4().to_string();
            next.recent_commits.push(base.commit_id.clone());
            let forgotten = next.recent_commits.len().saturating_sub(COMMITS_REMEMBERED);
            next.recent_commits.drain(..forgotten);
            if matches!(self.put_version(&next).await?, Put::Written) && self.is_in_line(&next).await? {
                let version = next.version;
                self.install(next);
                self.prune(version).await;
                return Ok(outcome);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(self.conflict("change"))
    }

    /// Whether a version that was just written is one of those that led to the newest. It is not where its number was free
    /// because others had taken it, gone on, and deleted it; then it is deleted again.
    async fn is_in_line(&self, written: &Snapshot) -> Result<bool> {
        for _ in 0..READ_ATTEMPTS {
            let newest = self.versions_after(Some(written.version)).await?.into_iter().max();
            let Some(newest) = newest.filter(|newest| *newest >= written.version + VERSIONS_KEPT) else {
                return Ok(true);
            };
            let Some(newest) = self.read_version(newest).await? else { continue };
            if newest.recent_commits.contains(&written.commit_id) {
                return Ok(true);
            }
            if let Err(error) = self.store.delete(&self.version_path(written.version)).await {
                log::debug!("catalog version {} stays: {error}", written.version);
            }
            return Ok(false);
        }
        Err(self.conflict("change"))
    }

    fn conflict(&self, action: &str) -> Error {
        let message =
            format!("other writers kept changing the catalog at {}, so this could not {action} it", self.folder);
        Error::new(ErrorCode::Conflict, message).hint("run the statement again")
    }

    /// Keeps the newer of the two: refreshes may end in any order.
    fn install(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let mut current = self.current.write();
        if snapshot.version > current.version {
            *current = Arc::new(snapshot);
        }
        Arc::clone(&current)
    }

    fn version_path(&self, version: u64) -> Path {
        self.folder.clone().join(format!("v{version:020}.json"))
    }

    async fn versions_after(&self, version: Option<u64>) -> Result<Vec<u64>> {
        let listing = match version {
            Some(version) => self.store.list_with_offset(Some(&self.folder), &self.version_path(version)),
            None => self.store.list(Some(&self.folder)),
        };
        let found = listing.try_filter_map(|file| async move { Ok(version_of(&file.location)) });
        match found.try_collect::<Vec<_>>().await {
            Ok(versions) => Ok(versions.into_iter().filter(|found| Some(*found) > version).collect()),
            // HDFS says so of a folder that does not exist; others list nothing.
            Err(object_store::Error::NotFound { .. }) => Ok(vec![]),
            Err(error) => Err(store_error(error, &format!("list the catalog at {}", self.folder))),
        }
    }

    /// Refuses a folder that holds files and no catalog: it was named by mistake.
    async fn check_folder(&self) -> Result<()> {
        let files = match self.store.list_with_delimiter(Some(&self.folder)).await {
            Ok(listing) => listing.objects,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(store_error(error, &format!("list the catalog at {}", self.folder))),
        };
        let mut visible =
            files.iter().filter(|file| file.location.filename().is_some_and(|name| !name.starts_with('.')));
        match visible.next() {
            Some(first) if !files.iter().any(|file| version_of(&file.location).is_some()) => {
                let message = format!("{} is not a catalog: it holds {}", self.folder, first.location);
                Err(Error::new(ErrorCode::CorruptFile, message).hint("give sluice.catalog.path a folder of its own"))
            }
            _ => Ok(()),
        }
    }

    /// The version, or nothing if it was pruned.
    async fn read_version(&self, version: u64) -> Result<Option<Snapshot>> {
        let path = self.version_path(version);
        let bytes = match self.store.get(&path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => parse(&path, version, &bytes).map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(error, &format!("read the catalog version {path}"))),
        }
    }

    async fn put_version(&self, snapshot: &Snapshot) -> Result<Put> {
        let path = self.version_path(snapshot.version);
        let bytes = serde_json::to_vec_pretty(snapshot).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("could not write the catalog as JSON: {error}")).caused_by(error)
        })?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, PutPayload::from(bytes), options).await {
            Ok(_) => Ok(Put::Written),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                // A store's client that retries after a lost answer meets the file it wrote itself.
                match self.read_version(snapshot.version).await? {
                    Some(found) if found.commit_id == snapshot.commit_id => Ok(Put::Written),
                    _ => Ok(Put::Taken),
                }
            }
            Err(error) => Err(store_error(error, &format!("write the catalog version {path}"))),
        }
    }

    /// Deletes versions that no reader needs. What fails here is tried again after the next change.
    async fn prune(&self, newest: u64) {
        let Some(oldest_kept) = newest.checked_sub(VERSIONS_KEPT - 1) else { return };
        let versions = match self.versions_after(None).await {
            Ok(versions) => versions,
            Err(error) => return log::debug!("old catalog versions stay: {error}"),
        };
        for version in versions.into_iter().filter(|version| *version < oldest_kept) {
            if let Err(error) = self.store.delete(&self.version_path(version)).await {
                log::debug!("catalog version {version} stays: {error}");
            }
        }
    }
}

/// The version whose file this is, if it is one.
fn version_of(path: &Path) -> Option<u64> {
    let digits = path.filename()?.strip_prefix('v')?.strip_suffix(".json")?;
    let is_version = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_version.then(|| digits.parse().ok()).flatten()
}

fn parse(path: &Path, version: u64, bytes: &[u8]) -> Result<Snapshot> {
    let corrupt = |reason: String| {
        let error = Error::new(ErrorCode::CorruptFile, format!("the catalog version {path} {reason}"));
        match version {
            0 | 1 => error,
            _ => error.hint(format!("move that file away to go back to version {}", version - 1)),
        }
    };
    let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|error| {
        let reason = if error.is_eof() { "is cut off".to_string() } else { format!("is not a catalog: {error}") };
        corrupt(reason).caused_by(error)
    })?;
    if snapshot.format > FORMAT {
        let message = format!("the catalog version {path} has format {}, this Sluice reads {FORMAT}", snapshot.format);
        return Err(Error::new(ErrorCode::CorruptFile, message).hint("use the newer Sluice that wrote it"));
    }
    if snapshot.version != version {
        return Err(corrupt(format!("says it is version {}", snapshot.version)));
    }
    Ok(snapshot)
}

/// Between half and all of a time that doubles up to 320 ms, so that writers that met once do not meet again.
fn pause(attempt: u32) -> Duration {
    let ceiling_us = 5_000_u64 << attempt.min(6);
    let jitter = Uuid::new_v4().as_u128() as u64 % (ceiling_us / 2);
    Duration::from_micros(ceiling_us / 2 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_files_are_versions() {
        let cases = [
            ("c/v00000000000000000007.json", Some(7)),
            ("c/v7.json", None),
            ("c/v0000000000000000000x.json", None),
            ("c/v00000000000000000007.json.tmp", None),
            ("c/notes.txt", None),
        ];
        for (path, expected) in cases {
            assert_eq!(version_of(&Path::from(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_newer_format_is_refused() {
        let mut snapshot = Snapshot { version: 3, ..Snapshot::default() };
        let path = Path::from("c/v3");
        assert_eq!(parse(&path, 3, &serde_json::to_vec(&snapshot).unwrap()).unwrap(), snapshot);
        snapshot.format = FORMAT + 1;
        let error = parse(&path, 3, &serde_json::to_vec(&snapshot).unwrap()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::CorruptFile);
        assert!(error.message().contains("format 2"), "{error}");
    }

    #[test]
    fn the_pause_grows_and_is_bounded() {
        for attempt in 0..40 {
            let ceiling = Duration::from_millis(5 << attempt.min(6));
            let pause = pause(attempt);
            assert!(pause >= ceiling / 2 && pause < ceiling, "{attempt}: {pause:?}");
        }
    }
}
