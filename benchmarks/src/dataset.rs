//! Folders of generated files that are whole or not there.
//!
//! A data set is written under another name and renamed when it is whole. Its manifest has what it was made with and the
//! size of each file, so one that is outdated, or that somebody took files out of, is made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sluice::{Error, ErrorCode, Result};

const MANIFEST: &str = "manifest.json";

/// A complete data set on disk.
#[derive(Debug, Clone)]
pub(crate) struct DataSet {
    pub(crate) dir: PathBuf,
    /// How long it took to make, or nothing if it was there already.
    pub(crate) generated_seconds: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Manifest {
    made_with: String,
    /// Path below the folder, and bytes, of each file.
    files: Vec<(String, u64)>,
}

/// Takes the complete data set of that name below `parent`, or has it written on a thread of its own.
///
/// `made_with` is everything that the files depend on. `write` gets an empty folder, and the flag that asks it to stop.
///
/// # Errors
/// Those of `write`, whatever the file system answers, and a folder of that name that is no data set.
pub(crate) async fn make<W>(parent: &Path, name: String, made_with: String, write: W) -> Result<DataSet>
where
    W: FnOnce(&Path, &AtomicBool) -> Result<()> + Send + 'static,
{
    let parent = std::path::absolute(parent).map_err(|error| file_error(parent, error))?;
    let stop = StopOnDrop(Arc::default());
    let stopped = Arc::clone(&stop.0);
    let task = tokio::task::spawn_blocking(move || build(&parent, &name, made_with, write, &stopped));
    task.await.map_err(|error| Error::new(ErrorCode::Internal, "the data generator died").caused_by(error))?
}

/// Ends the threads of a generator that nobody waits for any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn build<W>(parent: &Path, name: &str, made_with: String, write: W, stop: &AtomicBool) -> Result<DataSet>
where
    W: FnOnce(&Path, &AtomicBool) -> Result<()>,
{
    let start = Instant::now();
    let dir = parent.join(name);
    if is_complete(&dir, &made_with) {
        return Ok(DataSet { dir, generated_seconds: None });
    }
    if dir.exists() && !dir.join(MANIFEST).exists() {
        let message = format!("{} exists and is not a data set of this benchmark", dir.display());
        return Err(
            Error::new(ErrorCode::TargetExists, message).hint("move it away, or choose another folder with --data")
        );
    }
    fs::create_dir_all(parent).map_err(|error| file_error(parent, error))?;
    let scratch = tempfile::Builder::new()
        .prefix(".unfinished-")
        .tempdir_in(parent)
        .map_err(|error| file_error(parent, error))?;
    let failed = |error| file_error(&dir, error);
    let unfinished = scratch.path().join("data");
    fs::create_dir(&unfinished).map_err(failed)?;
    write(&unfinished, stop)?;
    let manifest = Manifest { made_with, files: files_below(&unfinished).map_err(failed)? };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::new(ErrorCode::Internal, "the manifest cannot be written").caused_by(error))?;
    fs::write(unfinished.join(MANIFEST), text).map_err(failed)?;
    if dir.exists() {
        fs::rename(&dir, scratch.path().join("outdated")).map_err(failed)?;
    }
    match fs::rename(&unfinished, &dir) {
        // Another process may have made the same data set in the meantime.
        Err(error) if !is_complete(&dir, &manifest.made_with) => Err(failed(error)),
        _ => Ok(DataSet { dir, generated_seconds: Some(start.elapsed().as_secs_f64()) }),
    }
}

fn is_complete(dir: &Path, made_with: &str) -> bool {
    let manifest = fs::read_to_string(dir.join(MANIFEST)).ok().and_then(|text| serde_json::from_str(&text).ok());
    manifest.is_some_and(|manifest: Manifest| {
        manifest.made_with == made_with
            && manifest.files.iter().all(|(path, size_bytes)| {
                fs::metadata(dir.join(path)).is_ok_and(|metadata| metadata.len() == *size_bytes)
            })
    })
}

/// The files of a folder and of the folders in it, by path.
fn files_below(dir: &Path) -> std::io::Result<Vec<(String, u64)>> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let (path, metadata) = (folder.join(entry.file_name()), entry.metadata()?);
            if metadata.is_dir() {
                folders.push(path);
            } else {
                files.push((path.to_string_lossy().into_owned(), metadata.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Does `count` pieces of work with all cores; each thread takes the next piece that nobody has begun. The first failure
/// sets `stop`.
///
/// # Errors
/// That of the piece that failed; the others only report that they were stopped.
pub(crate) fn in_parallel(count: usize, stop: &AtomicBool, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return Ok(());
            }
            work(piece).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let mut errors: Vec<Error> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let died = |_| Err(Error::new(ErrorCode::Internal, "a thread of the data generator died"));
        workers.into_iter().filter_map(|worker| worker.join().unwrap_or_else(died).err()).collect()
    });
    errors.sort_by_key(|error| error.code() == ErrorCode::Cancelled);
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// An error that says why a path could not be written.
pub(crate) fn file_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::AccessDenied,
        _ => ErrorCode::Storage,
    };
    Error::new(code, format!("cannot write {}", path.display())).caused_by(error)
}
