//! A commit on the local file system: renames, and one of a whole folder where that is possible.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use url::Url;

use super::{Mode, Target, shown};
use crate::error::{Error, ErrorCode, Result};
use crate::write::files::WrittenFile;

/// Where a folder is put together below the staging folder, before it is renamed.
const ASSEMBLED: &str = "assembled";

/// Puts the files in the target's place, all or none.
pub(super) fn place(target: &Target, files: &[WrittenFile]) -> Result<()> {
    let (place, staging) = (path(&target.url)?, path(&target.staging)?);
    put(target, &place, &staging, files).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty if target.mode == Mode::New => target.exists(),
        kind => {
            let code = match kind {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::AccessDenied,
                _ => ErrorCode::Storage,
            };
            Error::new(code, format!("could not put the files of {} in place: {error}", shown(&target.url)))
                .caused_by(error)
        }
    })
}

fn path(url: &Url) -> Result<PathBuf> {
    url.to_file_path().map_err(|()| Error::new(ErrorCode::InvalidArgument, format!("{url} is not a local path")))
}

fn put(target: &Target, place: &Path, staging: &Path, files: &[WrittenFile]) -> io::Result<()> {
    let staged = |file: &WrittenFile| staging.join(&file.attempt).join(&file.path);
    if let (true, [file]) = (target.single_file, files) {
        return move_file(&staged(file), place);
    }
    let moves: Vec<Move> =
        files.iter().map(|file| Move { from: staged(file), to: PathBuf::from(&file.path) }).collect();
    // A link is not replaced: what it leads to is written.
    let is_link = fs::symlink_metadata(place).is_ok_and(|found| found.is_symlink());
    let is_empty = !is_link && entries(place)?.is_empty();
    if is_empty {
        assemble(&moves, staging)?;
        return fs::rename(staging.join(ASSEMBLED), place);
    }
    if target.mode != Mode::Overwrite {
        return move_all(&moves, place);
    }
    if !is_link {
        assemble(&moves, staging)?;
        if exchange(&staging.join(ASSEMBLED), place).is_ok() {
            // The old files are below the staging folder now, and go with it.
            return Ok(());
        }
        disassemble(&moves, staging)?;
    }
    replace_one_by_one(&moves, place)
}

/// A file to move, and its place below the folder that it goes to.
struct Move {
    from: PathBuf,
    to: PathBuf,
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => found.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn assemble(moves: &[Move], staging: &Path) -> io::Result<()> {
    let folder = staging.join(ASSEMBLED);
    fs::create_dir_all(&folder)?;
    move_all(moves, &folder)
}

fn disassemble(moves: &[Move], staging: &Path) -> io::Result<()> {
    moves.iter().try_for_each(|one| fs::rename(staging.join(ASSEMBLED).join(&one.to), &one.from))
}

/// Two folders change places at once.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// The new files first, then the old ones go: a reader sees more for a moment, never less.
fn replace_one_by_one(moves: &[Move], place: &Path) -> io::Result<()> {
    let old = entries(place)?;
    let mut old_files = Vec::new();
    for entry in &old {
        list_files(entry, &mut old_files)?;
    }
    move_all(moves, place)?;
    for file in &old_files {
        fs::remove_file(file)?;
    }
    for folder in old {
        remove_empty_folders(&folder);
    }
    Ok(())
}

fn list_files(entry: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::symlink_metadata(entry)?.is_dir() {
        files.push(entry.to_path_buf());
        return Ok(());
    }
    entries(entry)?.iter().try_for_each(|child| list_files(child, files))
}

fn remove_empty_folders(folder: &Path) {
    for child in entries(folder).unwrap_or_default() {
        remove_empty_folders(&child);
    }
    // Fails where files are in it, as it should.
    let _ = fs::remove_dir(folder);
}

/// Moves every file below `folder`, or none.
fn move_all(moves: &[Move], folder: &Path) -> io::Result<()> {
    for (index, one) in moves.iter().enumerate() {
        if let Err(error) = move_file(&one.from, &folder.join(&one.to)) {
            for done in &moves[..index] {
                let _ = fs::remove_file(folder.join(&done.to));
            }
            return Err(error);
        }
    }
    Ok(())
}

fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => move_across(from, to),
        other => other,
    }
}

/// A target that is a mount point or a link is on another file system than its staging folder.
fn move_across(from: &Path, to: &Path) -> io::Result<()> {
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hidden = to.with_file_name(format!(".{name}.sluice"));
    let moved = fs::copy(from, &hidden).and_then(|_| fs::rename(&hidden, to));
    if moved.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    moved
}
