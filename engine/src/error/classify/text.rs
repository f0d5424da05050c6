//! Errors that only their words tell apart: DataFusion's planner messages, and whole errors that crossed a process as
//! text, some of them as Rust's debug form (`DataFusionError(ArrowError(DivideByZero, Some("")))`).

use super::debug::{literal, own_error, word_start};
use super::messages;
use crate::error::{Error, ErrorCode, Place};

/// Words of a planner's or function's message that say that types do not fit.
const TYPE_WORDS: [&str; 16] = [
    "annot coerce",
    "ailed to coerce",
    "not coercible",
    "coercion from",
    "coercion failed",
    "annot infer common",
    "ncompatible types",
    "has incompatible type",
    "data type mismatch",
    "nsupported data type",
    "requires a boolean expression",
    "only supports numeric",
    "expected a numeric",
    "does not support type",
    "non-boolean predicate",
    "annot automatically convert",
];

/// How Ballista says that an executor or its shuffle files are gone.
const LOST_WORDS: [&str; 8] = [
    "FetchFailed",
    "Shuffle fetch partition error",
    "ExecutorLost",
    "xecutor lost",
    "Failed to launch",
    "could not be fetched",
    "o executors",
    "onnection refused",
];

/// How many forms of a function a hint lists.
const LISTED_CANDIDATES: usize = 4;

/// What a task's or job's failure begins with in Ballista's words.
const FAILURE_WRAPPERS: [&str; 3] =
    ["Task failed due to runtime execution error: ", "Task failed due to IO error: ", "most recent failure reason: "];

/// An error of a plan.
pub(super) fn plan(text: &str) -> Error {
    let text = text.trim();
    known(text).unwrap_or_else(|| {
        let code = if TYPE_WORDS.iter().any(|word| text.contains(word)) {
            ErrorCode::TypeMismatch
        } else {
            ErrorCode::InvalidPlan
        };
        Error::new(code, messages::sentence(text))
    })
}

/// An error of a running function or operator.
pub(super) fn execution(text: &str) -> Error {
    // A reader of text files gives its store's error as words.
    if text.contains("Generic ") && text.contains(" error: Error performing ") {
        return store(text);
    }
    known(text).unwrap_or_else(|| {
        if TYPE_WORDS.iter().any(|word| text.contains(word)) {
            Error::new(ErrorCode::TypeMismatch, messages::sentence(text))
        } else {
            messages::evaluation(text)
        }
    })
}

/// A defect, unless it is one of the user's errors that DataFusion reports as such.
pub(super) fn internal(text: &str) -> Error {
    // A nested-loop join that gets no memory at all.
    if text.contains("eft side produced no data to spill") {
        return messages::memory_exhausted("Failed to allocate a first batch of a side for NestedLoopJoin");
    }
    let store = between(text, "No suitable object store found for ", ". ");
    match store {
        Some(url) => Error::new(ErrorCode::Unsupported, format!("no store is known for \"{url}\"")),
        None => known(text).unwrap_or_else(|| messages::internal(text)),
    }
}

/// A value that a setting does not take; `context` is "Error setting config datafusion.x".
pub(super) fn bad_value(context: &str, cause: &str) -> Option<Error> {
    let key = context.strip_prefix("Error setting config ")?;
    if cause.contains("not found on") {
        return Some(Error::new(ErrorCode::SettingNotFound, format!("setting \"{key}\" not found")));
    }
    let reason = messages::sentence(cause.rsplit("caused by\n").next().unwrap_or(cause));
    let message = format!("setting \"{key}\" does not take that value: {reason}");
    Some(Error::new(ErrorCode::SettingInvalid, message))
}

/// A bad setting.
pub(super) fn configuration(text: &str) -> Error {
    let text = text.split("caused by\n").next().unwrap_or(text);
    let unknown = ["not found on", "ould not find config", "nknown config"].iter().any(|word| text.contains(word));
    let code = if unknown { ErrorCode::SettingNotFound } else { ErrorCode::SettingInvalid };
    Error::new(code, messages::sentence(text))
}

/// A value that does not parse: in a file, where the reader tells the row, or in an expression.
pub(super) fn parse_error(text: &str) -> Error {
    if text.contains("Error while parsing value") || text.contains("at line") {
        messages::corrupt_file(text)
    } else {
        messages::evaluation(text)
    }
}

/// An error of a store that has no type of its own.
pub(super) fn store(text: &str) -> Error {
    const DENIED: [&str; 9] = [
        "401 Unauthorized",
        "403 Forbidden",
        "status: 401",
        "status: 403",
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "Permission denied",
        "ExpiredToken",
    ];
    const THROTTLED: [&str; 5] =
        ["429 Too Many Requests", "503 Service Unavailable", "503 Slow Down", "SlowDown", "RequestLimitExceeded"];
    if DENIED.iter().any(|word| text.contains(word)) {
        return messages::access_denied(None);
    }
    if THROTTLED.iter().any(|word| text.contains(word)) {
        return messages::throttled(text);
    }
    let connects = ["error sending request", "onnection refused", "dns error", "timed out"];
    let error = Error::new(ErrorCode::Storage, messages::sentence(text));
    if connects.iter().any(|word| text.contains(word)) {
        error.hint("is the store's endpoint right, and does it answer from this machine?")
    } else {
        error
    }
}

/// A whole error as text, in its display or debug form.
pub(super) fn classify(text: &str) -> Error {
    let text = text.split("\n\nbacktrace: ").next().unwrap_or(text);
    if let Some(own) = own_error(text) {
        return own;
    }
    if says_disk_full(text) {
        return messages::disk_full();
    }
    if LOST_WORDS.iter().any(|word| text.contains(word)) {
        return Error::new(ErrorCode::ExecutorLost, "an executor was lost while it ran a part of the job")
            .hint("look for the cause in the executor's log");
    }
    if text.contains("could not be prepared or was rejected") {
        return Error::new(ErrorCode::Internal, "an executor could not take a task of the job")
            .hint("look for the cause in the executors' logs; are driver and executors of one version?");
    }
    let mut cause = text;
    for wrapper in FAILURE_WRAPPERS {
        if let Some((_, rest)) = cause.rsplit_once(wrapper) {
            cause = rest;
        }
    }
    let cause = cause.trim();
    typed(cause).unwrap_or_else(|| {
        let message = literal(cause).unwrap_or_else(|| cause.to_string());
        known(&message).unwrap_or_else(|| {
            if message.contains("panicked") { messages::internal(&message) } else { execution(&message) }
        })
    })
}

type Classifier = fn(&str) -> Error;

/// The variants of other libraries' errors by the words of their debug and display forms. The innermost in the text
/// decides, because it is the cause.
const VARIANTS: [(&str, &str, Classifier); 20] = [
    ("ResourcesExhausted(", "Resources exhausted: ", messages::memory_exhausted),
    ("CastError(", "Cast error: ", messages::evaluation),
    ("ComputeError(", "Compute error: ", messages::evaluation),
    ("ArithmeticOverflow(", "Arithmetic overflow: ", messages::evaluation),
    ("DivideByZero", "Divide by zero error", |_| messages::divide_by_zero()),
    ("ParseError(", "Arrow error: Parser error: ", parse_error),
    ("CsvError(", "Csv error: ", messages::corrupt_file),
    ("JsonError(", "Json error: ", messages::corrupt_file),
    ("IpcError(", "Ipc error: ", messages::corrupt_file),
    ("ParquetError(", "Parquet error: ", messages::corrupt_file),
    ("EOF(", "Parquet error: EOF: ", messages::corrupt_file),
    ("NotImplemented(", "This feature is not implemented: ", messages::unsupported),
    ("NotYetImplemented(", "Not yet implemented: ", messages::unsupported),
    ("Configuration(", "Invalid or Unsupported Configuration: ", configuration),
    ("Plan(", "Error during planning: ", plan),
    ("Execution(", "Execution error: ", execution),
    ("InvalidArgumentError(", "Invalid argument error: ", execution),
    ("SchemaError(FieldNotFound", "Schema error: ", plan),
    ("Internal(", "Internal error: ", internal),
    ("Cancelled", "Task cancelled", |_| Error::new(ErrorCode::Cancelled, "the task was cancelled")),
];

fn typed(text: &str) -> Option<Error> {
    if let Some(path) = missing_object(text) {
        return Some(messages::file_not_found(path));
    }
    if ["PermissionDenied", "Unauthenticated", "necessary privileges"].iter().any(|word| text.contains(word)) {
        return Some(messages::access_denied(between(text, "path: \"", "\"")));
    }
    let matches = VARIANTS.iter().filter_map(|(debug, display, classify)| {
        let by_debug = word_start(text, debug).map(|at| (at, debug.len()));
        let by_display = text.rfind(display).map(|at| (at, display.len()));
        let (at, length) = by_debug.into_iter().chain(by_display).max_by_key(|(at, length)| (*at, *length))?;
        Some((at + length, &text[at + length..], classify))
    });
    let (_, rest, classify) = matches.max_by_key(|(end, ..)| *end)?;
    Some(classify(&literal(rest).unwrap_or_else(|| rest.to_string())))
}

fn missing_object(text: &str) -> Option<&str> {
    between(text, "NotFound { path: \"", "\"").or_else(|| between(text, "Object at location ", " not found"))
}

/// Messages that name what they are about, whichever type carries them.
fn known(text: &str) -> Option<Error> {
    if let Some(call) = between(text, "No function matches the given name and argument types '", "'") {
        let overload = no_overload(call, text);
        // A function that looks at its arguments itself says best what is wrong with them.
        return Some(match between(text, "user-defined coercion failed with: ", " No function matches") {
            Some(reason) => {
                let reason = ["Error during planning: ", "Execution error: "]
                    .iter()
                    .find_map(|prefix| reason.strip_prefix(prefix))
                    .unwrap_or(reason);
                let error = Error::new(ErrorCode::TypeMismatch, reason);
                match overload.hint_text() {
                    Some(hint) => error.hint(hint.to_string()),
                    None => error,
                }
            }
            None => overload,
        });
    }
    if let Some(name) = between(text, "satisfy a call to '", "' function") {
        let message = format!("function \"{name}\" does not take these arguments");
        let hint = between(text, "coercion from ", " to the signature").map(|types| format!("it got {types}"));
        let error = Error::new(ErrorCode::TypeMismatch, message);
        return Some(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    if let Some(name) = between(text, "Invalid function '", "'") {
        return Some(messages::function_not_found(name, between(text, "Did you mean '", "'")));
    }
    let function = between(text, "able function '", "' not found").or_else(|| between(text, "Function ", " not found"));
    if let Some(name) = function.filter(|name| !name.contains(' ')) {
        return Some(messages::function_not_found(name.trim_matches('\''), None));
    }
    if let Some((_, rest)) = text.split_once("No field named ") {
        let field = rest.split(". ").next().unwrap_or(rest).trim_end_matches('.').lines().next().unwrap_or_default();
        return Some(messages::column_not_found(&field.trim_end_matches('.').replace('"', ""), &valid_fields(text)));
    }
    if let Some(name) = between(text, "failed to resolve schema: ", "\n") {
        return Some(messages::schema_not_found(name));
    }
    if let Some(place) = between(text, "No files found at ", ". ") {
        return Some(messages::file_not_found(place));
    }
    already_exists(text).or_else(|| table_missing(text)).or_else(|| senseless(text))
}

/// Statements that parse but do not make sense.
fn senseless(text: &str) -> Option<Error> {
    if let Some((before, _)) = text.split_once("\" must appear in the GROUP BY clause") {
        let column = before.rsplit("column \"").next()?;
        let message = format!("column \"{column}\" must be in GROUP BY or inside an aggregate function");
        return Some(Error::new(ErrorCode::InvalidPlan, message));
    }
    if let Some(expression) = between(text, "unique expression names but the expression \"", "\" at position") {
        return Some(messages::duplicate_column(expression.rsplit(" AS ").next().unwrap_or(expression)));
    }
    if let Some(name) = between(text, "Prepared statement '", "' does not exist") {
        return Some(Error::new(ErrorCode::InvalidPlan, format!("prepared statement \"{name}\" not found")));
    }
    let format = between(text, "Unable to find factory for ", "\n")
        .or_else(|| between(text, "no registered file format with ext ", "\n"))?;
    let message = format!("files of the format \"{format}\" are not known");
    Some(Error::new(ErrorCode::Unsupported, message).hint("formats: PARQUET, CSV, JSON, ARROW"))
}

fn table_missing(text: &str) -> Option<Error> {
    let name = between(text, "table '", "' not found")
        .or_else(|| between(text, "Table '", "' doesn't exist"))
        .or_else(|| between(text, "Table not found: ", "\n"));
    name.map(messages::table_not_found)
        .or_else(|| between(text, "View '", "' doesn't exist").map(messages::view_not_found))
        .or_else(|| between(text, "Schema '", "' doesn't exist").map(messages::schema_not_found))
}

fn already_exists(text: &str) -> Option<Error> {
    let start = text.split(" already exists").next().filter(|start| start.len() < text.len())?;
    let line = start.lines().last().unwrap_or_default();
    let line = ["External table ", "Table ", "Schema ", "Catalog ", "Prepared statement ", "The table "]
        .iter()
        .find_map(|kind| {
            let at = line.rfind(kind)?;
            let name = line[at + kind.len()..].trim_matches(['\'', '"']);
            let kind = messages::sentence(kind.trim()).replace("external ", "").replace("the ", "");
            Some(format!("{kind} \"{name}\" exists already"))
        });
    line.map(|message| Error::new(ErrorCode::AlreadyExists, message))
}

fn no_overload(call: &str, text: &str) -> Error {
    let (name, types) = call.split_once('(').unwrap_or((call, ")"));
    let error = Error::new(ErrorCode::TypeMismatch, format!("function \"{name}\" does not take ({types}"));
    let candidates = text.split("Candidate functions:").nth(1).unwrap_or_default();
    let mut candidates: Vec<&str> =
        candidates.lines().map(str::trim).filter(|line| line.contains('(') && line.ends_with(')')).collect();
    if candidates.is_empty() {
        return error;
    }
    if candidates.len() > LISTED_CANDIDATES {
        candidates.truncate(LISTED_CANDIDATES);
        candidates.push("…");
    }
    error.hint(format!("it takes {}", candidates.join(", ")))
}

fn valid_fields(text: &str) -> Vec<(Option<String>, String)> {
    let list = text.split("Valid fields are ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let fields = list.trim_end_matches('.').split(", ").map(|field| field.replace('"', ""));
    fields
        .filter(|field| !field.is_empty())
        .map(|field| match field.rsplit_once('.') {
            Some((table, column)) => (table.rsplit('.').next().map(str::to_string), column.to_string()),
            None => (None, field),
        })
        .collect()
}

/// A parser's message and the place that it ends in.
pub(super) fn parser_place(text: &str) -> (&str, Option<Place>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    let place = place.split_once(", Column: ").and_then(|(line, column)| {
        let (line, column) = (number(line)?, number(column)?);
        (line > 0).then_some(Place { line, column: column.max(1), length: 1 })
    });
    (message, place)
}

/// Whether a text is the operating system's word for a full disk.
pub(super) fn says_disk_full(text: &str) -> bool {
    ["No space left on device", "StorageFull", "Disk quota exceeded"].iter().any(|word| text.contains(word))
}

/// The path in the message of a local store: "Unable to open file /x/y: Permission denied (os error 13)".
pub(super) fn quoted_path(text: &str) -> Option<String> {
    let start = text.find(" /").map(|space| space + 1)?;
    let path = text[start..].split(": ").next()?;
    Some(path.to_string())
}

/// What stands between two words; to the text's end where the second is a line break that is missing.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    match rest.split_once(after) {
        Some((found, _)) => Some(found),
        None => (after == "\n").then_some(rest),
    }
}
