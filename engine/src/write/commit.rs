//! Putting written files in place.
//!
//! A staging folder lies beside its target, so that a rename stays on one file system, and has a name that no reader
//! lists. On a local file system a new or replaced folder appears by one rename. Elsewhere files move one by one, in an
//! order that keeps readers from ever seeing less than before; if one cannot be moved, those before it are taken back.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

use super::files::WrittenFile;
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
        let trimmed = location.trim_end_matches('/');
        let url = absolute_url(&if single_file { trimmed.to_string() } else { format!("{trimmed}/") })?;
        let bare = url.as_str().trim_end_matches('/').to_string();
        let (parent, name) = bare.rsplit_once('/').unwrap_or((bare.as_str(), "data"));
        let staging = format!("{parent}/.{name}.sluice-{}/", Uuid::now_v7().simple());
        let staging = Url::parse(&staging).map_err(|error| {
            Error::new(ErrorCode::InvalidArgument, format!("`{location}` is not a place to write to")).caused_by(error)
        })?;
        Ok(Self { url, single_file, mode, staging })
    }

    /// A target whose files are written where they stay, below `folder`: only [`abort`] has a meaning for it.
    pub fn managed(folder: &str) -> Result<Self> {
        let url = absolute_url(folder)?;
        Ok(Self { url: url.clone(), single_file: false, mode: Mode::Append, staging: url })
    }

    /// The staging folder's URL.
    pub fn staging(&self) -> &str {
        self.staging.as_str()
    }

    /// An error where a new folder is asked for and one with files is there.
    pub async fn check(&self, stores: &StoreRegistry) -> Result<()> {
        if self.single_file || self.mode != Mode::New {
            return Ok(());
        }
        let store = store_of(stores, &self.url)?;
        let mut files = store.list(Some(&object_path(&self.url)?));
        match files.try_next().await {
            Ok(None) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Ok(Some(_)) => Err(Error::new(ErrorCode::TargetExists, format!("{} holds files already", shown(&self.url)))
                .hint("add OPTIONS ('mode' 'overwrite') or OPTIONS ('mode' 'append')")),
            Err(error) => Err(store_error(error, &format!("list {}", shown(&self.url)))),
        }
    }
}

/// Puts the files of a write in its target's place.
pub async fn commit(stores: &StoreRegistry, target: &Target, files: Vec<WrittenFile>) -> Result<()> {
    target.check(stores).await?;
    let files = without_empty(files);
    let outcome = if target.url.scheme() == "file" {
        let target = target.clone();
        // Renames block, if only for a moment.
        let task = tokio::task::spawn_blocking(move || commit_local(&target, &files));
        task.await.unwrap_or_else(|_| Err(Error::new(ErrorCode::Internal, "the commit of a write was interrupted")))
    } else {
        commit_objects(store_of(stores, &target.url)?, target, files).await
    };
    abort(stores, target).await;
    outcome
}

/// Deletes what a write staged. Best effort: what stays is seen by no reader.
pub async fn abort(stores: &StoreRegistry, target: &Target) {
    if target.staging.scheme() == "file" {
        if let Ok(folder) = target.staging.to_file_path() {
            let _ = tokio::fs::remove_dir_all(folder).await;
        }
        return;
    }
    let (Ok(store), Ok(prefix)) = (store_of(stores, &target.staging), object_path(&target.staging)) else { return };
    let Ok(objects) = store.list(Some(&prefix)).try_collect::<Vec<_>>().await else { return };
    for object in objects {
        let _ = store.delete(&object.location).await;
    }
}

/// Files without rows only say what the columns are: one will do, and only where there is nothing else.
fn without_empty(files: Vec<WrittenFile>) -> Vec<WrittenFile> {
    let full: Vec<&str> = files.iter().filter(|file| file.rows > 0).map(|file| file.attempt.as_str()).collect();
    if full.is_empty() {
        return files.into_iter().take(1).collect();
    }
    let full: Vec<String> = full.into_iter().map(str::to_string).collect();
    files.into_iter().filter(|file| full.contains(&file.attempt)).collect()
}

fn commit_local(target: &Target, files: &[WrittenFile]) -> Result<()> {
    let path = |url: &Url| {
        url.to_file_path().map_err(|()| Error::new(ErrorCode::InvalidArgument, format!("{url} is not a local path")))
    };
    let (place, staging) = (path(&target.url)?, path(&target.staging)?);
    let failed = |error: std::io::Error, what: &FilePath| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
            std::io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
            _ => ErrorCode::Storage,
        };
        Error::new(code, format!("cannot put {} in place", what.display())).caused_by(error)
    };
    if target.single_file {
        let Some(file) = files.first() else { return Ok(()) };
        let staged = staging.join(&file.attempt).join(&file.path);
        return std::fs::rename(staged, &place).map_err(|error| failed(error, &place));
    }
    let moves: Vec<(PathBuf, PathBuf)> = files
        .iter()
        .map(|file| (staging.join(&file.attempt).join(&file.path), PathBuf::from(&file.path)))
        .collect();
    let is_there = place.is_dir() && std::fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_some());
    if target.mode == Mode::Append && is_there {
        return move_all(&moves, &place).map_err(|error| failed(error, &place));
    }
    let fresh = staging.join("whole");
    std::fs::create_dir_all(&fresh).map_err(|error| failed(error, &place))?;
    move_all(&moves, &fresh).map_err(|error| failed(error, &place))?;
    let old = staging.join("old");
    let replaces = place.exists();
    if replaces {
        std::fs::rename(&place, &old).map_err(|error| failed(error, &place))?;
    }
    std::fs::rename(&fresh, &place).map_err(|error| {
        if replaces {
            // What was there comes back; if even that fails, it is still whole in the staging folder.
            let _ = std::fs::rename(&old, &place);
        }
        failed(error, &place)
    })
}

/// Moves every file below `folder`, or none.
fn move_all(moves: &[(PathBuf, PathBuf)], folder: &FilePath) -> std::io::Result<()> {
    for (index, (from, below)) in moves.iter().enumerate() {
        let to = folder.join(below);
        let moved = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::rename(from, &to));
        if let Err(error) = moved {
            for (from, below) in &moves[..index] {
                let _ = std::fs::rename(folder.join(below), from);
            }
            return Err(error);
        }
    }
    Ok(())
}

async fn commit_objects(store: Arc<dyn ObjectStore>, target: &Target, files: Vec<WrittenFile>) -> Result<()> {
    let (place, staging) = (object_path(&target.url)?, object_path(&target.staging)?);
    let failed = |error| store_error(error, &format!("put the files of {} in place", shown(&target.url)));
    let staged = |file: &WrittenFile| parse(&format!("{staging}/{}/{}", file.attempt, file.path));
    if target.single_file {
        let Some(file) = files.first() else { return Ok(()) };
        return store.rename(&staged(file)?, &place).await.map_err(failed);
    }
    let old: Vec<Path> = if target.mode == Mode::Overwrite {
        store.list(Some(&place)).map_ok(|object| object.location).try_collect().await.map_err(failed)?
    } else {
        Vec::new()
    };
    let mut done = Vec::with_capacity(files.len());
    for file in &files {
        let to = parse(&format!("{place}/{}", file.path))?;
        if let Err(error) = store.rename(&staged(file)?, &to).await {
            for path in &done {
                let _ = store.delete(path).await;
            }
            return Err(failed(error));
        }
        done.push(to);
    }
    for path in old {
        store.delete(&path).await.map_err(failed)?;
    }
    Ok(())
}

fn store_of(stores: &StoreRegistry, url: &Url) -> Result<Arc<dyn ObjectStore>> {
    use datafusion::execution::object_store::ObjectStoreRegistry;
    Ok(stores.get_store(url)?)
}

fn object_path(url: &Url) -> Result<Path> {
    Path::from_url_path(url.path()).map_err(|error| {
        Error::new(ErrorCode::InvalidArgument, format!("{} is not a place to write to", shown(url))).caused_by(error)
    })
}

fn parse(text: &str) -> Result<Path> {
    Path::parse(text).map_err(|error| {
        Error::new(ErrorCode::Internal, format!("a written file has the unusable name {text}")).caused_by(error)
    })
}

/// A local place as a path, any other as its URL.
fn shown(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => path.display().to_string(),
        _ => url.to_string(),
    }
}
