//! The options of `COPY`: those of the format, and Sluice's own.

use std::collections::{BTreeMap, HashMap};

use super::commit::Mode;
use crate::error::{Error, ErrorCode, Result, nearest};

/// What `COPY … OPTIONS (…)` says.
#[derive(Debug)]
pub(crate) struct CopyOptions {
    /// What to do with a folder that holds files already.
    pub(crate) mode: Mode,
    /// Whether to write one file, where the statement says.
    pub(crate) single_file: Option<bool>,
    /// Whether partition columns stay in the files, where the statement says.
    pub(crate) keep_partition_columns: Option<bool>,
    /// Options of the format.
    pub(crate) format: BTreeMap<String, String>,
}

/// Sorts a statement's options.
pub(crate) fn split_copy_options(options: &HashMap<String, String>) -> Result<CopyOptions> {
    let mut split =
        CopyOptions { mode: Mode::New, single_file: None, keep_partition_columns: None, format: BTreeMap::new() };
    for (key, value) in options {
        match key.strip_prefix("format.").unwrap_or(key) {
            "mode" => split.mode = mode(value)?,
            "single_file_output" => split.single_file = Some(flag(key, value)?),
            "keep_partition_by_columns" | "execution.keep_partition_by_columns" => {
                split.keep_partition_columns = Some(flag(key, value)?);
            }
            _ => {
                split.format.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(split)
}

fn mode(value: &str) -> Result<Mode> {
    match value.trim().to_lowercase().as_str() {
        "error" | "new" => Ok(Mode::New),
        "append" => Ok(Mode::Append),
        "overwrite" => Ok(Mode::Overwrite),
        other => {
            let near = nearest(other, ["error", "append", "overwrite"]).unwrap_or("overwrite");
            Err(Error::new(ErrorCode::InvalidArgument, format!("`{value}` is not a mode of COPY"))
                .hint(format!("did you mean {near}? A mode is error, append or overwrite")))
        }
    }
}

fn flag(key: &str, value: &str) -> Result<bool> {
    value.trim().to_lowercase().parse().map_err(|_| {
        Error::new(ErrorCode::InvalidArgument, format!("`{value}` is not a value of the option {key}"))
            .hint("write true or false")
    })
}
