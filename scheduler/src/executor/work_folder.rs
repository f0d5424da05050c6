//! Where an executor keeps what it writes: a folder of its own that goes with it. What an executor that was killed has left
//! goes when the next one starts in the same place.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice::{Error, ErrorCode, Result};
use tempfile::TempDir;

const PREFIX: &str = "sluice-executor-";
/// Locked for as long as the executor lives, and by the system's doing no longer.
const LOCK: &str = "lock";
/// A folder younger than this may be of an executor that has not locked it yet.
const STARTING: Duration = Duration::from_secs(60);

/// The folder of one executor.
pub(super) struct WorkFolder {
    folder: TempDir,
    _lock: File,
}

impl WorkFolder {
    /// A fresh folder in the given one, else in the system's temporary folder.
    pub(super) fn create(place: Option<PathBuf>) -> Result<Self> {
        let given = place.is_some();
        let place = place.unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&place).map_err(failed)?;
        if given {
            remove_left(&place);
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place).map_err(failed)?;
        let lock = File::create(folder.path().join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where rows between stages lie.
    pub(super) fn shuffle_path(&self) -> Result<String> {
        self.part("shuffle")
    }

    /// Where operators put what does not fit into memory.
    pub(super) fn spill_path(&self) -> Result<String> {
        self.part("spill")
    }

    fn part(&self, name: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).map_err(failed)?;
        Ok(path.to_string_lossy().into_owned())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorCode::Storage, "cannot make the executor's work folder")
        .hint("name a folder that can be written in sluice.cluster.work_dir")
        .caused_by(error)
}

/// Removes the folders of executors that are dead.
fn remove_left(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age =
            entry.metadata().and_then(|entry| entry.modified()).map(|changed| changed.elapsed().unwrap_or_default());
        let old = age.is_ok_and(|age| age > STARTING);
        let Some(lock) = (ours && old).then(|| File::open(entry.path().join(LOCK)).ok()).flatten() else { continue };
        match lock.try_lock() {
            Ok(()) => {
                if let Err(error) = std::fs::remove_dir_all(entry.path()) {
                    tracing::warn!(%error, path = %entry.path().display(), "a dead executor's folder stays");
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => tracing::warn!(%error, "a work folder's lock cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_go_and_those_of_the_living_stay() {
        let place = tempfile::tempdir().unwrap();
        let dead = place.path().join("sluice-executor-dead");
        std::fs::create_dir_all(dead.join("shuffle")).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let before = std::time::SystemTime::now() - 2 * STARTING;
        File::open(&dead).unwrap().set_modified(before).unwrap();
        let other = place.path().join("somebody-else");
        std::fs::create_dir(&other).unwrap();
        let living = WorkFolder::create(Some(place.path().to_path_buf())).unwrap();
        let path = PathBuf::from(living.shuffle_path().unwrap());
        let second = WorkFolder::create(Some(place.path().to_path_buf())).unwrap();
        assert!(!dead.exists());
        assert!(other.exists() && path.exists());
        drop(living);
        assert!(!path.exists());
        drop(second);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
