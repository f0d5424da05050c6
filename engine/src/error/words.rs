//! Errors that are only text: their type is read from the words, and the wrappers of several processes are taken off.

use super::classify::{corrupt, disk_full, evaluation, memory};
use super::{Error, ErrorCode};

/// Wrappers that say nothing to a user.
const WRAPPERS: &[&str] = &[
    "sql parser error: ",
    "Error during planning: ",
    "Execution error: ",
    "Optimizer rule ",
    "External error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Object Store error: ",
    "Schema error: ",
    "SQL error: ",
    "Internal error: ",
    "Resources exhausted: ",
    "This feature is not implemented: ",
    "Invalid or Unsupported Configuration: ",
    "General error: ",
    "DataFusion error: ",
    "Not Implemented: ",
    "Invalid argument error: ",
    "Cast error: ",
    "Parser error: ",
    "Compute error: ",
    "type_coercion\ncaused by\n",
];

/// One sentence without wrappers, backtraces and what DataFusion says to its developers.
pub(super) fn clean(message: &str) -> String {
    let mut text = message.split("\n\nbacktrace:").next().unwrap_or(message).trim();
    text = text.split("\nThis issue was likely caused by a bug").next().unwrap_or(text);
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| text.strip_prefix(wrapper)) {
        text = rest.trim_start();
    }
    let text = text.trim_end_matches(['.', '\n', ' ']);
    let mut characters = text.chars();
    // Lower case, but not the first letter of a name or an abbreviation.
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_string(),
    }
}

/// What is left of a task's error once the processes that handed it on are taken off.
fn inner(text: &str) -> &str {
    let marks = ["Task failed due to runtime execution error: ", "DataFusion error: ", "failed: "];
    marks.iter().fold(text, |text, mark| text.rsplit_once(mark).map_or(text, |(_, rest)| rest))
}

/// The error that a text stands for.
pub(super) fn from_words(text: &str) -> Error {
    let has = |words: &str| text.contains(words);
    let any = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if any(&["No space left on device", "StorageFull", "os error 28"]) {
        return disk_full();
    }
    if any(&["DivideByZero", "Divide by zero", "division by zero"]) {
        return evaluation("division by zero");
    }
    if any(&["FetchFailed", "ExecutorLost", "executor lost", "Failed to launch", "could not be fetched", "no executors", "No executors", "Connection refused"]) {
        return Error::new(ErrorCode::ExecutorLost, "an executor died while it ran a part of the job")
            .hint("look at the executor's log for the cause");
    }
    if has("could not be prepared or was rejected") {
        return Error::new(ErrorCode::Internal, "an executor could not take a task of the job")
            .hint("the executors' log says why; are driver and executors of one version?");
    }
    if any(&["ResourcesExhausted", "Resources exhausted", "Failed to allocate additional"]) {
        return memory(&clean(inner(text)));
    }
    if any(&["Corrupt footer", "Invalid Parquet file", "ParquetError", "Parquet error", "not a Parquet file"]) {
        return corrupt(&clean(inner(text)));
    }
    if any(&["ArithmeticOverflow", "Overflow happened", "CastError", "Cast error", "Cannot cast string", "Parser error"]) {
        return evaluation(&clean(inner(text)));
    }
    if (has("table") || has("Table")) && any(&["not found", "doesn't exist", "does not exist"]) {
        return Error::new(ErrorCode::TableNotFound, clean(text));
    }
    if any(&["Invalid function", "table function"]) {
        return Error::new(ErrorCode::FunctionNotFound, clean(text.split('\n').next().unwrap_or(text)));
    }
    if has("already exists") {
        return Error::new(ErrorCode::AlreadyExists, clean(text)).hint("use IF NOT EXISTS or OR REPLACE");
    }
    if any(&["NotFound", "No such file", "not found: "]) {
        return Error::new(ErrorCode::FileNotFound, clean(inner(text)));
    }
    if any(&["oerce", "No function matches", "Cannot infer common", "data types", "is not comparable", "incompatible"]) {
        let first = text.split(" You might need to").next().unwrap_or(text);
        return Error::new(ErrorCode::TypeMismatch, clean(first)).hint("an explicit CAST says what is meant");
    }
    if has("Error during planning") || has("Schema error") {
        return Error::new(ErrorCode::InvalidPlan, clean(inner(text)));
    }
    if has("not implemented") || has("Unsupported") || has("not supported") {
        return Error::new(ErrorCode::Unsupported, clean(inner(text)));
    }
    if has("Execution error") {
        return Error::new(ErrorCode::Evaluation, clean(inner(text)));
    }
    Error::new(ErrorCode::Internal, clean(inner(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_s_text_is_told_apart() {
        let cases = [
            ("Job failed due to stage 1 failed: Task failed due to runtime execution error: DataFusionError(ArrowError(DivideByZero, None))", ErrorCode::Evaluation),
            ("Task failed: IoError(Os { code: 28, kind: StorageFull, message: \"No space left on device\" })", ErrorCode::DiskFull),
            ("DataFusionError(ResourcesExhausted(\"Failed to allocate additional 1.0 MB\"))", ErrorCode::MemoryExhausted),
            ("FetchFailed(\"executor-1\", 2, 0, \"x\")", ErrorCode::ExecutorLost),
            ("Parquet error: Invalid Parquet file. Corrupt footer", ErrorCode::CorruptFile),
        ];
        for (text, code) in cases {
            assert_eq!(from_words(text).code(), code, "{text}");
        }
    }

    #[test]
    fn wrappers_are_taken_off() {
        assert_eq!(clean("Error during planning: Execution error: Something is off."), "something is off");
        assert_eq!(clean("SQL error: ParserError"), "parserError");
        assert_eq!(clean("UNION needs columns"), "UNION needs columns");
    }
}
