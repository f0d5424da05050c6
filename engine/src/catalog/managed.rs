//! Managed tables: a write puts its files into the table's own folder, then one catalog version makes them visible.
//!
//! ```text
//! begin (a new folder) ── files written there, seen by nobody ── commit (a version lists them)
//!                                                             └─ abort  (the folder is deleted)
//! ```

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use url::Url;
use uuid::Uuid;

use super::SessionCatalog;
use super::model::{FileEntry, ManagedTable, SchemaText, Snapshot, TableEntry};
use super::provider::TableName;
use super::statements::{IfExists, no_schema};
use super::tables::{file_urls, parse_location};
use crate::error::{Error, ErrorCode, Result};

/// Where a write to a managed table puts its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedTarget {
    /// Schema of the table.
    pub schema: String,
    /// Name of the table.
    pub table: String,
    /// The table's folder, ends with `/`. No two tables ever share one, not even over time.
    pub location: Url,
}

/// What a commit does with the files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMode {
    /// The target is a new table's.
    Create(IfExists),
    /// `INSERT INTO`.
    Append,
    /// `INSERT OVERWRITE`.
    Overwrite,
}

impl SessionCatalog {
    /// A folder for a new table. Nothing when the table exists and `if_exists` says to leave it.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidPlan` without the schema.
    pub async fn begin_managed_table(
        &self,
        name: &TableReference,
        if_exists: IfExists,
    ) -> Result<Option<ManagedTarget>> {
        self.refresh().await?;
        let name = self.resolve(name)?;
        if !self.may_create(&name, if_exists, false, false)? {
            return Ok(None);
        }
        let mut location = self.inner.warehouse.clone();
        let folder = format!("{}-{}", plain(&name.table), Uuid::now_v7().simple());
        match location.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend([plain(&name.schema).as_str(), folder.as_str(), ""]),
            Err(()) => {
                let message = format!("{} is not a folder for tables", self.inner.warehouse);
                return Err(Error::new(ErrorCode::SettingInvalid, message).hint("set sluice.warehouse.path"));
            }
        };
        Ok(Some(ManagedTarget { schema: name.schema, table: name.table, location }))
    }

    /// The folder of a managed table that exists; nothing when the name is something else, or nothing.
    ///
    /// # Errors
    /// `CorruptFile` when the catalog has no URL for it.
    pub fn managed_target(&self, name: &TableReference) -> Result<Option<ManagedTarget>> {
        let Some(TableEntry::Managed(table)) = self.entry(name)? else { return Ok(None) };
        let TableName { schema, table: name } = self.resolve(name)?;
        Ok(Some(ManagedTarget { schema, table: name, location: parse_location(&table.location)? }))
    }

    /// Makes the written files the table's, or adds them to it. A file's path may be below the target's location, or
    /// the whole path on the store, or a URL. Columns of a new table all allow nulls, whatever its first rows were.
    ///
    /// Says `false` when another session made the table first and `if_exists` leaves it: the files are deleted then.
    ///
    /// # Errors
    /// `Conflict` when the table was dropped or replaced since the write began; `AlreadyExists`.
    pub async fn commit_managed_table(
        &self,
        target: &ManagedTarget,
        schema: &SchemaRef,
        files: Vec<FileEntry>,
        mode: CommitMode,
    ) -> Result<bool> {
        let files = files.into_iter().map(|file| below(target, file)).collect::<Result<Vec<_>>>()?;
        let schema = SchemaText::from_arrow(&nullable(schema))?;
        let new = ManagedTable { location: target.location.to_string(), schema, files, retired: vec![] };
        let name = TableName { schema: target.schema.clone(), table: target.table.clone() };
        let change = |snapshot: &mut Snapshot| place(snapshot, &name, &new, mode);
        let Some(garbage) = self.inner.store.update(change).await? else {
            self.abort_managed_table(target).await;
            return Ok(false);
        };
        self.forget_listing(&name)?;
        if matches!(mode, CommitMode::Create(_)) {
            self.inner.temporary.remove(&name);
        }
        self.remove_files(&garbage).await;
        Ok(true)
    }

    /// Deletes what a write to a new table left. Best effort: what stays is part of no table.
    pub async fn abort_managed_table(&self, target: &ManagedTarget) {
        self.remove_folder(target.location.as_str()).await;
    }

    /// Deletes the files of a table that the catalog no longer has.
    pub(super) async fn remove_managed_files(&self, entry: &TableEntry) {
        if let TableEntry::Managed(table) = entry {
            self.remove_files(&table.retired).await;
            self.remove_folder(&table.location).await;
        }
    }

    async fn remove_folder(&self, location: &str) {
        if self.inner.scratch {
            return;
        }
        if let Err(error) = self.try_remove_folder(location).await {
            log::warn!("files of a dropped table stay at {location}: {error}");
        }
    }

    async fn try_remove_folder(&self, location: &str) -> Result<()> {
        let url = parse_location(location)?;
        // A damaged catalog must not delete folders that no table ever had to itself.
        if !is_table_folder(&url) {
            return Err(Error::new(ErrorCode::CorruptFile, format!("{location} is not a managed table's folder")));
        }
        if let (true, Ok(folder)) = (url.scheme() == "file", url.to_file_path()) {
            // A store deletes files only and would leave the empty folders.
            return match tokio::fs::remove_dir_all(&folder).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::new(ErrorCode::Storage, format!("could not delete {}", folder.display()))
                        .caused_by(error))
                }
                _ => Ok(()),
            };
        }
        let store = self.inner.stores.store(&url)?;
        let prefix = store_path(&url)?;
        let files = store.list(Some(&prefix)).map_ok(|file| file.location).boxed();
        let deleted = store.delete_stream(files).try_for_each(|_| async { Ok(()) }).await;
        deleted.map_err(|error| crate::storage::store_error(error, &format!("delete {location}")))
    }

    async fn remove_files(&self, urls: &[String]) {
        if self.inner.scratch {
            return;
        }
        for url in urls {
            if let Err(error) = self.try_remove_file(url).await
                && error.code() != ErrorCode::FileNotFound
            {
                log::warn!("a replaced file stays: {error}");
            }
        }
    }

    async fn try_remove_file(&self, url: &str) -> Result<()> {
        let parsed = parse_location(url)?;
        let deleted = self.inner.stores.store(&parsed)?.delete(&store_path(&parsed)?).await;
        deleted.map_err(|error| crate::storage::store_error(error, &format!("delete {url}")))?;
        if let (true, Ok(folder)) = (parsed.scheme() == "file", parsed.join("."))
            && is_table_folder(&folder)
            && let Ok(folder) = folder.to_file_path()
        {
            // Fails as long as other files are in it.
            let _ = tokio::fs::remove_dir(folder).await;
        }
        Ok(())
    }
}

/// Puts the files into the snapshot; gives the URLs that nobody needs after it, or nothing if the table is left alone.
fn place(
    snapshot: &mut Snapshot,
    name: &TableName,
    new: &ManagedTable,
    mode: CommitMode,
) -> Result<Option<Vec<String>>> {
    let schema = snapshot.schemas.get_mut(&name.schema).ok_or_else(|| no_schema(&name.schema))?;
    let existing = schema.tables.get_mut(&name.table);
    let mut next = new.clone();
    let garbage = match (mode, existing) {
        (CommitMode::Create(_), None) => vec![],
        (CommitMode::Create(IfExists::Skip), Some(_)) => return Ok(None),
        (CommitMode::Create(IfExists::Fail), Some(other)) => {
            let message = format!("{} `{name}` exists: another session made it first", other.noun());
            return Err(Error::new(ErrorCode::AlreadyExists, message));
        }
        (CommitMode::Create(IfExists::Replace), Some(TableEntry::Managed(old))) => retire(&mut next, old)?,
        (CommitMode::Create(IfExists::Replace), Some(TableEntry::External(_))) => vec![],
        (CommitMode::Create(IfExists::Replace), Some(TableEntry::View(_))) => {
            return Err(Error::new(ErrorCode::AlreadyExists, format!("`{name}` is a view"))
                .hint(format!("use DROP VIEW {name}")));
        }
        (CommitMode::Append, Some(TableEntry::Managed(old))) if old.location == new.location => {
            check_columns(name, old, new)?;
            old.files.extend(new.files.iter().cloned());
            return Ok(Some(std::mem::take(&mut old.retired)));
        }
        (CommitMode::Overwrite, Some(TableEntry::Managed(old))) if old.location == new.location => {
            check_columns(name, old, new)?;
            next.schema = old.schema.clone();
            retire(&mut next, old)?
        }
        (CommitMode::Append | CommitMode::Overwrite, _) => {
            let message = format!("table `{name}` was dropped or replaced while rows were written to it");
            return Err(Error::new(ErrorCode::Conflict, message).hint("run the statement again"));
        }
    };
    schema.tables.insert(name.table.clone(), TableEntry::Managed(next));
    Ok(Some(garbage))
}

/// Keeps the old files for the queries that read them now; those that were kept before are garbage.
fn retire(next: &mut ManagedTable, old: &ManagedTable) -> Result<Vec<String>> {
    next.retired = file_urls(old)?.into_iter().map(String::from).collect();
    Ok(old.retired.clone())
}

fn check_columns(name: &TableName, old: &ManagedTable, new: &ManagedTable) -> Result<()> {
    let names =
        |table: &ManagedTable| table.schema.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let (expected, found) = (names(old), names(new));
    if expected == found {
        return Ok(());
    }
    let message = format!("table `{name}` has the columns {}, the rows have {}", expected.join(", "), found.join(", "));
    Err(Error::new(ErrorCode::TypeMismatch, message))
}

/// The file with its path below the target's location.
fn below(target: &ManagedTarget, file: FileEntry) -> Result<FileEntry> {
    let outside = || {
        let message = format!("the file {} is not in the table's folder {}", file.path, target.location);
        Error::new(ErrorCode::Internal, message)
    };
    let folder = format!("{}/", store_path(&target.location)?);
    let path = if file.path.contains("://") {
        let url = Url::parse(&file.path).map_err(|_| outside())?;
        store_path(&url)?.as_ref().strip_prefix(&folder).ok_or_else(outside)?.to_string()
    } else {
        let path = file.path.trim_start_matches('/');
        path.strip_prefix(&folder).unwrap_or(path).to_string()
    };
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(outside());
    }
    Ok(FileEntry { path, ..file })
}

fn store_path(url: &Url) -> Result<Path> {
    Path::from_url_path(url.path()).map_err(|error| {
        Error::new(ErrorCode::InvalidArgument, format!("{url} is not a place on a store")).caused_by(error)
    })
}

/// Folders that [`SessionCatalog::begin_managed_table`] named end with an identifier.
fn is_table_folder(url: &Url) -> bool {
    let folder = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    folder.rsplit_once('-').is_some_and(|(_, id)| id.len() == 32 && Uuid::try_parse(id).is_ok())
}

/// The name with everything but letters, digits and `_` replaced: names may hold slashes and dots.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn nullable(schema: &Schema) -> Schema {
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> ManagedTarget {
        let location = Url::parse("s3://bucket/w/public/t-0198d1f0c4a27d20b5b5d2e2d0a1b2c3/").unwrap();
        ManagedTarget { schema: "public".into(), table: "t".into(), location }
    }

    #[test]
    fn a_file_may_be_named_in_three_ways() {
        let folder = "w/public/t-0198d1f0c4a27d20b5b5d2e2d0a1b2c3";
        for path in
            ["a/b.parquet".to_string(), format!("{folder}/a/b.parquet"), format!("s3://bucket/{folder}/a/b.parquet")]
        {
            let file = below(&target(), FileEntry { path, bytes: 1, rows: 2 }).unwrap();
            assert_eq!(file, FileEntry { path: "a/b.parquet".into(), bytes: 1, rows: 2 });
        }
    }

    #[test]
    fn a_file_elsewhere_is_refused() {
        for path in ["../x.parquet", "a//b.parquet", "", "s3://bucket/w/public/other/x.parquet"] {
            assert!(below(&target(), FileEntry { path: path.into(), bytes: 1, rows: 2 }).is_err(), "{path}");
        }
    }

    #[test]
    fn only_folders_of_tables_are_deleted() {
        assert!(is_table_folder(&target().location));
        for other in ["file:///", "file:///home/user/", "file:///w/public/t-1/", "s3://bucket/"] {
            assert!(!is_table_folder(&Url::parse(other).unwrap()), "{other}");
        }
    }
}
