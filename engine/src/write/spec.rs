//! What a write puts out, and where.

use serde::{Deserialize, Serialize};

use super::writer::WriterOptions;

/// One write, as every partition of it must know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WriteSpec {
    /// The format, and every option of its writer.
    pub writer: WriterOptions,
    /// Columns whose values become folder names (`dt=2024-01-01`), the outermost first.
    pub partition_by: Vec<String>,
    /// Whether those columns stay in the files as well.
    pub keep_partition_columns: bool,
    /// Columns in which a null is an error.
    pub required_columns: Vec<String>,
    /// What file names end in, without the leading dot.
    pub extension: String,
    /// URL of the write's own staging folder; ends with `/`.
    pub staging: String,
    /// Everything goes into one file.
    pub single_file: bool,
}

impl WriteSpec {
    /// A write of many files below `staging`, a URL that ends with `/`.
    pub fn new(writer: WriterOptions, staging: &str) -> Self {
        Self {
            extension: writer.extension(),
            writer,
            partition_by: Vec::new(),
            keep_partition_columns: false,
            required_columns: Vec::new(),
            staging: staging.to_string(),
            single_file: false,
        }
    }
}
