//! What a write puts out, and where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One write, as every partition of it must know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WriteSpec {
    /// `parquet`, `csv`, `json` or `arrow`.
    pub format: String,
    /// Options of the format, as `COPY … OPTIONS` takes them (`format.compression`).
    pub options: BTreeMap<String, String>,
    /// Columns whose values become folder names (`dt=2024-01-01`).
    pub partition_by: Vec<String>,
    /// Whether those columns stay in the files as well.
    pub keep_partition_columns: bool,
    /// URL of the write's own staging folder; ends with `/`.
    pub staging: String,
    /// Everything goes into one file.
    pub single_file: bool,
}
