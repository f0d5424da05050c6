//! What a version of the catalog holds. The JSON of these types is the catalog's file format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DEFAULT_SCHEMA;
pub use super::schema_text::{ColumnText, SchemaText};

/// The file format that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// One version of the whole catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// File format, see [`FORMAT`].
    pub format: u32,
    /// Number of this version; 0 is the empty catalog that has no file.
    pub version: u64,
    /// Unique name of the write that made this version: tells our own write from another's after a lost answer.
    pub commit_id: String,
    /// The writes that made the versions before this one, the newest last: tells whether a version that has been deleted
    /// since was one of them.
    #[serde(default)]
    pub recent_commits: Vec<String>,
    /// Schemas by name.
    pub schemas: BTreeMap<String, SchemaEntry>,
}

impl Default for Snapshot {
    fn default() -> Self {
        let schemas = BTreeMap::from([(DEFAULT_SCHEMA.to_string(), SchemaEntry::default())]);
        Self { format: FORMAT, version: 0, commit_id: String::new(), recent_commits: Vec::new(), schemas }
    }
}

impl Snapshot {
    /// The table or view of that name.
    pub fn table(&self, schema: &str, table: &str) -> Option<&TableEntry> {
        self.schemas.get(schema)?.tables.get(table)
    }
}

/// The tables and views of a schema, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SchemaEntry {
    /// Tables and views share one name space.
    pub tables: BTreeMap<String, TableEntry>,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TableEntry {
    /// Files that somebody else owns.
    External(ExternalTable),
    /// Files that the catalog owns.
    Managed(ManagedTable),
    /// A query with a name.
    View(ViewEntry),
}

impl TableEntry {
    /// Whether this is a view, which `DROP VIEW` drops.
    pub fn is_view(&self) -> bool {
        matches!(self, TableEntry::View(_))
    }

    /// `table` or `view`, for messages.
    pub fn noun(&self) -> &'static str {
        if self.is_view() { "view" } else { "table" }
    }
}

/// What `CREATE EXTERNAL TABLE` declared, plus what was read from the files then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalTable {
    /// Files and folders, all on one store.
    pub locations: Vec<Location>,
    /// Format name as in `STORED AS`.
    pub format: String,
    /// Only files whose names end so are read; empty for all.
    pub file_extension: String,
    /// All columns, partition columns included. Read from the files at creation unless `declared`, and fixed since:
    /// opening a table costs no read of its files.
    pub schema: SchemaText,
    /// Whether the statement declared the columns.
    pub declared: bool,
    /// Columns whose values are in folder names (`day=2024-01-01`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_columns: Vec<String>,
    /// `WITH ORDER`: orderings that hold for every file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Vec<SortText>>,
    /// Options of the format.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Declared keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<ConstraintText>,
    /// SQL text of the default of a column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub column_defaults: BTreeMap<String, String>,
    /// The statement, for `SHOW CREATE TABLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// A file or folder, with the pattern that its files match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// URL; a folder ends with `/`.
    pub url: String,
    /// Pattern of file names below the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
}

impl Location {
    /// Whether a new file with this extension (`parquet`) would be read: `INSERT` must not write where nobody looks.
    /// Tables over a folder without declared columns have a pattern of their format's extension.
    pub fn reads_new_files(&self, extension: &str) -> bool {
        match &self.glob {
            None => self.url.ends_with('/'),
            Some(glob) => {
                let rest = glob.strip_prefix("[!_.]*").or_else(|| glob.strip_prefix('*'));
                rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.') == Some(extension))
            }
        }
    }
}

/// One sort key of `WITH ORDER`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SortText {
    /// SQL text.
    pub expression: String,
    /// Smallest first.
    pub ascending: bool,
    /// Nulls before values.
    pub nulls_first: bool,
}

/// A declared key, as positions of its columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintText {
    /// Unique and not null.
    PrimaryKey(Vec<usize>),
    /// Unique.
    Unique(Vec<usize>),
}

/// A Parquet table of the catalog's own: exactly the files it lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedTable {
    /// URL of the table's own folder, ends with `/`. Files in it that are not listed are no part of the table.
    pub location: String,
    /// All columns.
    pub schema: SchemaText,
    /// The table's files.
    pub files: Vec<FileEntry>,
    /// URLs of the files that the last overwrite replaced. They stay until the next commit of the table, so that
    /// queries planned before the overwrite still find them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<String>,
}

/// A file of a managed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path below the table's location.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewEntry {
    /// The whole `CREATE VIEW` statement.
    pub definition: String,
    /// The schema that unqualified names in it refer to.
    pub default_schema: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_of_the_extension_read_new_files() {
        let cases = [
            ("s3://b/t/", None, true),
            ("s3://b/t/one.parquet", None, false),
            ("file:///t/", Some("[!_.]*.parquet"), true),
            ("file:///t/", Some("*.parquet"), true),
            ("file:///t/", Some("*.csv"), false),
            ("file:///t/", Some("2024-*.parquet"), false),
        ];
        for (url, glob, expected) in cases {
            let location = Location { url: url.to_string(), glob: glob.map(str::to_string) };
            assert_eq!(location.reads_new_files("parquet"), expected, "{url} {glob:?}");
        }
    }
}
