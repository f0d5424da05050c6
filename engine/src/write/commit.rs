//! Putting written files in place.
//!
//! A staging folder lies beside its target, so that a rename stays on one file system, and has a name that no reader
//! lists. What a reader can see of a commit depends on the store:
//!
//! | target | local file system | other stores |
//! |---|---|---|
//! | one file | one rename | one copy; stores replace an object at once |
//! | a new folder | one rename of the folder | file by file |
//! | a folder that is replaced | old and new change places at once, on Linux | new files first, then the old ones go |
//! | a folder that is added to | file by file | file by file |
//!
//! File by file means that a reader may see some of the new files before the others. If one file cannot be put in place,
//! those before it are taken away again, so that the write is there in full or not at all.

mod local;
mod objects;

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

use super::files::{WrittenFile, without_empty};
use super::in_flight::{InFlight, wait_until_unused};
use crate::error::{Error, ErrorCode, Result};
use crate::storage::{StoreRegistry, absolute_url, store_error};

/// What to do with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A folder that holds files is an error; one file is replaced.
    New,
    /// The new files join the old ones.
    Append,
    /// The new files take the place of the old ones.
    Overwrite,
}

/// Where a write ends up.
#[derive(Debug, Clone)]
pub struct Target {
    url: Url,
    single_file: bool,
    mode: Mode,
    staging: Url,
}

impl Target {
    /// A target at a path or URL, with a staging folder of its own beside it.
    pub fn new(location: &str, single_file: bool, mode: Mode) -> Result<Self> {
        let unusable = |why: &str| Error::new(ErrorCode::InvalidArgument, format!("`{location}` {why}"));
        if single_file && mode == Mode::Append {
            return Err(unusable("is one file, and rows cannot be appended to a file")
                .hint("write to a folder, whose path ends with a slash"));
        }
        let trimmed = location.trim_end_matches('/');
        let url = absolute_url(&if single_file { trimmed.to_string() } else { format!("{trimmed}/") })?;
        let bare = url.path().trim_end_matches('/');
        let Some((parent, name)) = bare.rsplit_once('/').filter(|(_, name)| !name.is_empty()) else {
            return Err(unusable("is the root of its store").hint("write to a folder below it"));
        };
        let mut staging = url.clone();
        // Both parts are spelled as in the URL already; setting a path encodes nothing twice.
        staging.set_path(&format!("{parent}/.{name}.sluice-{}/", Uuid::now_v7().simple()));
        Ok(Self { url, single_file, mode, staging })
    }

    /// A target whose files are written where they stay, below `folder`: only [`abort`] and [`sweep`] have a meaning
    /// for it.
    pub fn managed(folder: &str) -> Result<Self> {
        let url = absolute_url(folder)?;
        Ok(Self { url: url.clone(), single_file: false, mode: Mode::Append, staging: url })
    }

    /// The staging folder's URL.
    pub fn staging(&self) -> &str {
        self.staging.as_str()
    }

    /// An error where a new folder is asked for and one with files is there, or where a folder would have to take the
    /// place of a file.
    pub async fn check(&self, stores: &StoreRegistry) -> Result<()> {
        self.check_in(&stores.store(&self.url)?).await
    }

    async fn check_in(&self, store: &Arc<dyn ObjectStore>) -> Result<()> {
        if self.single_file {
            return Ok(());
        }
        let place = object_path(&self.url)?;
        if store.head(&place).await.is_ok() {
            return Err(Error::new(ErrorCode::TargetExists, format!("{} is a file", shown(&self.url)))
                .hint("write to a folder, or delete the file first"));
        }
        if self.mode != Mode::New || !holds_files(store, &place).await.map_err(|error| self.listing_error(error))? {
            return Ok(());
        }
        Err(self.exists())
    }

    fn exists(&self) -> Error {
        Error::new(ErrorCode::TargetExists, format!("{} holds files already", shown(&self.url)))
            .hint("add OPTIONS ('mode' 'overwrite') or OPTIONS ('mode' 'append')")
    }

    fn listing_error(&self, error: object_store::Error) -> Error {
        store_error(error, &format!("list {}", shown(&self.url)))
    }
}

async fn holds_files(store: &Arc<dyn ObjectStore>, place: &Path) -> object_store::Result<bool> {
    match store.list(Some(place)).try_next().await {
        Ok(found) => Ok(found.is_some()),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts the files of a write in its target's place, and deletes its staging folder either way. Once begun it runs to
/// its end, even if the future is dropped: a commit that stops half way would leave half of a write.
pub async fn commit(stores: &StoreRegistry, target: &Target, files: Vec<WrittenFile>) -> Result<()> {
    commit_in(stores.store(&target.url)?, target, files).await
}

async fn commit_in(store: Arc<dyn ObjectStore>, target: &Target, files: Vec<WrittenFile>) -> Result<()> {
    let target = target.clone();
    // An abort that comes meanwhile waits for the end.
    let in_flight = InFlight::enter(target.staging());
    let work = async move {
        let outcome = place(&store, &target, files).await;
        remove_folder(&store, &target.staging).await;
        drop(in_flight);
        outcome
    };
    let interrupted = |error| Error::new(ErrorCode::Internal, "the commit of a write was interrupted").caused_by(error);
    tokio::spawn(work).await.map_err(interrupted)?
}

async fn place(store: &Arc<dyn ObjectStore>, target: &Target, files: Vec<WrittenFile>) -> Result<()> {
    target.check_in(store).await?;
    let place = object_path(&target.url)?;
    let keep_one = target.mode != Mode::Append
        || !holds_files(store, &place).await.map_err(|error| target.listing_error(error))?;
    let files = without_empty(files, keep_one);
    if target.single_file && files.len() != 1 {
        let message = format!("{} files were written for the one of {}", files.len(), shown(&target.url));
        return Err(Error::new(ErrorCode::Internal, message));
    }
    if target.url.scheme() != "file" {
        return objects::place(store, target, &files).await;
    }
    let target = target.clone();
    let work = tokio::task::spawn_blocking(move || local::place(&target, &files));
    let interrupted = |error| Error::new(ErrorCode::Internal, "the commit of a write was interrupted").caused_by(error);
    work.await.map_err(interrupted)?
}

/// Deletes what a write staged, once its writers in this process have ended. Best effort: what stays is seen by no
/// reader. A target that is committed has nothing staged.
pub async fn abort(stores: &StoreRegistry, target: &Target) {
    wait_until_unused(target.staging()).await;
    if let Ok(store) = stores.store(&target.staging) {
        remove_folder(&store, &target.staging).await;
    }
}

/// Deletes what lies in a managed write's folder and is not among `files`: what tasks left that died. Best effort.
pub async fn sweep(stores: &StoreRegistry, target: &Target, files: &[WrittenFile]) {
    let (Ok(store), Ok(folder)) = (stores.store(&target.staging), object_path(&target.staging)) else { return };
    let kept: Vec<String> = files.iter().map(|file| format!("{folder}/{}/{}", file.attempt, file.path)).collect();
    let Ok(objects) = store.list(Some(&folder)).try_collect::<Vec<_>>().await else { return };
    for object in objects.into_iter().filter(|object| !kept.iter().any(|path| path == object.location.as_ref())) {
        if let Err(error) = store.delete(&object.location).await {
            log::warn!("{} could not be deleted: {error}", object.location);
        }
    }
}

/// Deletes a folder and all that is in it. Best effort.
pub(super) async fn remove_folder(store: &Arc<dyn ObjectStore>, folder: &Url) {
    if let Ok(path) = folder.to_file_path()
        && folder.scheme() == "file"
    {
        match tokio::fs::remove_dir_all(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                log::warn!("{} could not be deleted: {error}", path.display());
            }
            _ => {}
        }
        return;
    }
    let Ok(prefix) = object_path(folder) else { return };
    if let Err(error) = objects::remove_all(store, &prefix).await {
        log::warn!("{} could not be deleted: {error}", shown(folder));
    }
}

fn object_path(url: &Url) -> Result<Path> {
    Path::from_url_path(url.path()).map_err(|error| {
        Error::new(ErrorCode::InvalidArgument, format!("{} is not a place to write to", shown(url))).caused_by(error)
    })
}

/// A local place as a path, any other as its URL.
fn shown(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => path.display().to_string(),
        _ => url.to_string(),
    }
}
