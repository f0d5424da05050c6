//! A commit on a store that knows no folders: file by file, several at a time.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Mode, Target, object_path, shown};
use crate::error::{Error, ErrorCode, Result};
use crate::storage::store_error;
use crate::write::files::WrittenFile;

/// Files that are moved at once: a store copies each of them on its own side.
const MOVES_AT_ONCE: usize = 16;

/// Puts the files in the target's place, all or none.
pub(super) async fn place(store: &Arc<dyn ObjectStore>, target: &Target, files: &[WrittenFile]) -> Result<()> {
    let (place, staging) = (object_path(&target.url)?, object_path(&target.staging)?);
    let failed = |error| store_error(error, &format!("put the files of {} in place", shown(&target.url)));
    let staged = |file: &WrittenFile| parse(&format!("{staging}/{}/{}", file.attempt, file.path));
    if let (true, [file]) = (target.single_file, files) {
        return store.rename(&staged(file)?, &place).await.map_err(failed);
    }
    let old: Vec<Path> = match target.mode {
        Mode::Overwrite => {
            store.list(Some(&place)).map_ok(|object| object.location).try_collect().await.map_err(failed)?
        }
        _ => Vec::new(),
    };
    let moves = files.iter().map(|file| Ok((staged(file)?, parse(&format!("{place}/{}", file.path))?)));
    move_all(store, moves.collect::<Result<_>>()?).await.map_err(failed)?;
    let removed = remove(store, old).await;
    removed.map_err(|error| {
        let action = format!("remove the old files of {} after the new ones were put in place", shown(&target.url));
        store_error(error, &action).hint("run the statement again: until then both old and new rows are there")
    })
}

/// Moves every file, or none.
async fn move_all(store: &Arc<dyn ObjectStore>, moves: Vec<(Path, Path)>) -> object_store::Result<()> {
    let places: Vec<Path> = moves.iter().map(|(_, to)| to.clone()).collect();
    // Every move is awaited even after one failed: one that is still under way could not be taken back.
    let moved: Vec<object_store::Result<()>> = futures::stream::iter(moves)
        .map(|(from, to)| async move { store.rename(&from, &to).await })
        .buffer_unordered(MOVES_AT_ONCE)
        .collect()
        .await;
    let Err(error) = moved.into_iter().collect::<object_store::Result<()>>() else { return Ok(()) };
    for path in places {
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(left) => log::error!("{path} could not be taken back after a failed commit: {left}"),
        }
    }
    Err(error)
}

async fn remove(store: &Arc<dyn ObjectStore>, paths: Vec<Path>) -> object_store::Result<()> {
    let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
    store.delete_stream(paths).try_for_each(|_| async { Ok(()) }).await
}

/// Deletes all that is below `folder`, and the folders where the store has such a thing.
pub(super) async fn remove_all(store: &Arc<dyn ObjectStore>, folder: &Path) -> object_store::Result<()> {
    let found: Vec<Path> = match store.list(Some(folder)).map_ok(|object| object.location).try_collect().await {
        Err(object_store::Error::NotFound { .. }) => return Ok(()),
        other => other?,
    };
    let depth = folder.parts_count();
    let parents = found.iter().flat_map(|path| {
        let parts: Vec<_> = path.parts().collect();
        (depth..parts.len()).map(|end| Path::from_iter(parts[..end].to_vec())).collect::<Vec<_>>()
    });
    let mut parents: Vec<Path> = parents.collect();
    parents.sort_by_key(|parent| std::cmp::Reverse(parent.parts_count()));
    parents.dedup();
    remove(store, found).await?;
    for parent in parents {
        // HDFS keeps empty folders; a store without folders answers that there is nothing.
        let _ = store.delete(&parent).await;
    }
    Ok(())
}

fn parse(text: &str) -> Result<Path> {
    Path::parse(text).map_err(|error| {
        Error::new(ErrorCode::Internal, format!("a written file has the unusable name {text}")).caused_by(error)
    })
}
