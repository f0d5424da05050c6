//! The sentences that users read, one function for each kind of error.

use super::super::{Error, ErrorCode, nearest};

/// How many names a hint lists.
const LISTED_NAMES: usize = 20;

/// Prefixes that other libraries put before their messages, and that tell users nothing.
const PREFIXES: [&str; 23] = [
    "DataFusion error: ",
    "Arrow error: ",
    "External error: ",
    "External: ",
    "Error during planning: ",
    "Execution error: ",
    "Execution Error: ",
    "General error: ",
    "Internal error: ",
    "Internal Ballista error: ",
    "Invalid argument error: ",
    "Invalid or Unsupported Configuration: ",
    "IO error: ",
    "Io error: ",
    "Object Store error: ",
    "Parquet error: ",
    "Parquet argument error: ",
    "Parser error: ",
    "Resources exhausted: ",
    "Schema error: ",
    "SQL error: ",
    "sql parser error: ",
    "This feature is not implemented: ",
];

/// The message as one sentence of ours: without prefixes, further lines and the full stop, and begun in lower case.
pub(super) fn sentence(text: &str) -> String {
    let mut text = text.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    let line = text.lines().next().unwrap_or_default();
    // Some messages of DataFusion end in an expression's debug form.
    let line = line.split(", got Literal(").next().unwrap_or_default().trim().trim_end_matches('.');
    let mut characters = line.chars();
    match (characters.next(), characters.next()) {
        // A word in capitals, such as CASE, stays as it is.
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            format!("{}{second}{}", first.to_lowercase(), characters.as_str())
        }
        (None, _) => "no reason was given".to_string(),
        _ => line.to_string(),
    }
}

pub(super) fn table_not_found(name: &str) -> Error {
    Error::new(ErrorCode::TableNotFound, format!("table \"{name}\" not found"))
}

pub(super) fn view_not_found(name: &str) -> Error {
    Error::new(ErrorCode::TableNotFound, format!("view \"{name}\" not found"))
}

pub(super) fn schema_not_found(name: &str) -> Error {
    Error::new(ErrorCode::TableNotFound, format!("schema \"{name}\" not found"))
}

/// `suggested` is DataFusion's idea, which may be far from what was written.
pub(super) fn function_not_found(name: &str, suggested: Option<&str>) -> Error {
    let error = Error::new(ErrorCode::FunctionNotFound, format!("function \"{name}\" not found"));
    match nearest(name, suggested) {
        Some(near) => error.label(did_you_mean(near)),
        None => error,
    }
}

/// A column that no table in scope has; `valid` are those that they have, each with its table.
pub(super) fn column_not_found(name: &str, valid: &[(Option<String>, String)]) -> Error {
    let error = Error::new(ErrorCode::ColumnNotFound, format!("column \"{name}\" not found"));
    let (table, column) = match name.rsplit_once('.') {
        Some((table, column)) => (table.rsplit('.').next(), column),
        None => (None, name),
    };
    let same_table = |candidate: &&(Option<String>, String)| table.is_none() || candidate.0.as_deref() == table;
    let near = nearest(column, valid.iter().filter(same_table).map(|(_, column)| column.as_str()))
        .or_else(|| nearest(column, valid.iter().map(|(_, column)| column.as_str())));
    let error = match near {
        Some(near) => error.label(did_you_mean(near)),
        None => error,
    };
    match column_list(valid) {
        list if list.is_empty() => error,
        list => error.hint(list),
    }
}

/// Columns by table: "columns of `orders`: order_id, price; of `users`: id".
fn column_list(valid: &[(Option<String>, String)]) -> String {
    let mut tables: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for (table, column) in valid {
        match tables.iter_mut().find(|(known, _)| *known == table.as_deref()) {
            Some((_, columns)) if columns.contains(&column.as_str()) => {}
            Some((_, columns)) => columns.push(column),
            None => tables.push((table.as_deref(), vec![column])),
        }
    }
    let mut parts = Vec::new();
    for (index, (table, columns)) in tables.iter().enumerate() {
        let of = table.map_or_else(|| " without a table".to_string(), |table| format!(" of `{table}`"));
        let of = if table.is_none() && tables.len() == 1 { String::new() } else { of };
        let more = if columns.len() > LISTED_NAMES { ", …" } else { "" };
        let names: Vec<&str> = columns.iter().take(LISTED_NAMES).copied().collect();
        let head = if index == 0 { "columns" } else { "" };
        parts.push(format!("{head}{of}: {}{more}", names.join(", ")).trim_start().to_string());
    }
    parts.join("; ")
}

pub(super) fn ambiguous_column(name: &str) -> Error {
    Error::new(ErrorCode::InvalidPlan, format!("column \"{name}\" is in more than one table"))
}

pub(super) fn duplicate_column(name: &str) -> Error {
    Error::new(ErrorCode::InvalidPlan, format!("there are two columns \"{name}\""))
        .hint("give one of them another name")
}

/// A parser's message, with the place that it ends in: "Expected: ), found: EOF at Line: 1, Column: 9".
pub(super) fn syntax(text: &str) -> Error {
    let (text, place) = super::text::parser_place(text);
    let message = match super::text::between(text, "Expected: ", ", found: ") {
        Some(expected) => {
            let found = text.rsplit(", found: ").next().unwrap_or_default().trim();
            let found = if found == "EOF" { "the end of the statement" } else { found };
            format!("expected {expected}, found {found}")
        }
        None => sentence(text),
    };
    let error = Error::new(ErrorCode::Syntax, message);
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

pub(super) fn unsupported(text: &str) -> Error {
    Error::new(ErrorCode::Unsupported, sentence(text))
}

pub(super) fn memory_exhausted(text: &str) -> Error {
    if text.contains("disk space during the spilling") {
        return Error::new(ErrorCode::DiskFull, "the spilled rows take more disk than they may")
            .hint("raise sluice.memory.limit, so that less is spilled");
    }
    // The pool puts a list of its largest consumers before what failed.
    let what = text.rfind("Failed to allocate").map_or(text, |start| &text[start..]);
    let what = what.split(" for the total memory pool").next().unwrap_or(what);
    let message = match largest_consumer(text) {
        Some((name, bytes)) => format!("{}; {name} holds most, {bytes}", sentence(what)),
        None => sentence(what),
    };
    Error::new(ErrorCode::MemoryExhausted, message)
        .hint("raise sluice.memory.limit, or give the statement more partitions with sluice.execution.partitions")
}

/// The first of the pool's list, which is the largest: `HashJoinInput[0]#4(can spill: false) consumed 56.7 MB, peak 56.7 MB,`.
fn largest_consumer(text: &str) -> Option<(&str, &str)> {
    let (_, list) = text.split_once("as:\n")?;
    let (name, rest) = list.trim_start().split_once('#')?;
    let (_, rest) = rest.split_once(") consumed ")?;
    let bytes = rest.split(',').next()?;
    (!name.is_empty() && !name.contains('\n')).then_some((name, bytes))
}

pub(super) fn disk_full() -> Error {
    Error::new(ErrorCode::DiskFull, "no space is left on the disk")
        .hint("free some, or put spilled rows on another disk with sluice.memory.spill_path")
}

pub(super) fn divide_by_zero() -> Error {
    Error::new(ErrorCode::Evaluation, "division by zero").hint("NULLIF(divisor, 0) gives NULL instead")
}

pub(super) fn evaluation(text: &str) -> Error {
    if let Some((_, picture)) = text.split_once("regex parse error:") {
        let reason = picture.rsplit("error: ").next().unwrap_or_default();
        let message = format!("the regular expression is wrong: {}", sentence(reason));
        return Error::new(ErrorCode::Evaluation, message);
    }
    let error = Error::new(ErrorCode::Evaluation, sentence(text));
    if text.contains("Cannot cast") || text.contains("can't cast") || text.contains("Can't cast") {
        error.hint("TRY_CAST gives NULL for what cannot be cast")
    } else {
        error
    }
}

pub(super) fn corrupt_file(text: &str) -> Error {
    Error::new(ErrorCode::CorruptFile, format!("a file is damaged or not of its format: {}", sentence(text)))
}

pub(super) fn file_not_found(path: &str) -> Error {
    Error::new(ErrorCode::FileNotFound, format!("no file or folder at \"{path}\""))
}

pub(super) fn access_denied(path: Option<&str>) -> Error {
    let message = match path {
        Some(path) => format!("access to \"{path}\" was refused"),
        None => "access was refused".to_string(),
    };
    Error::new(ErrorCode::AccessDenied, message).hint("look at the permissions and at the credentials of the store")
}

/// A store that asks for patience; its client has had some already.
pub(super) fn throttled(text: &str) -> Error {
    let times = super::text::between(text, "after ", " retries").and_then(|times| times.parse::<u32>().ok());
    let message = match times {
        Some(times) => format!("the store asks to be called less often, also after {times} retries"),
        None => "the store asks to be called less often".to_string(),
    };
    Error::new(ErrorCode::Throttled, message)
        .hint("run the statement later, with fewer cores, or with a higher sluice.store.retries")
}

pub(super) fn internal(text: &str) -> Error {
    Error::new(ErrorCode::Internal, sentence(text)).hint("this is a defect: please report it with the statement")
}

/// The words beside a caret.
pub(super) fn did_you_mean(name: &str) -> String {
    format!("did you mean \"{name}\"?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_lose_what_others_put_around_them() {
        for (text, expected) in [
            ("Error during planning: Too many columns.\nMore", "too many columns"),
            ("Arrow error: Parser error: Bad thing", "bad thing"),
            ("CASE needs WHEN", "CASE needs WHEN"),
            ("", "no reason was given"),
            ("Ärger.", "ärger"),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn columns_are_listed_by_table() {
        let valid = [("a", "x"), ("b", "y"), ("a", "z")].map(|(table, name)| (Some(table.into()), name.into()));
        let error = column_not_found("b.yy", &valid);
        assert_eq!(error.hint_text(), Some("columns of `a`: x, z; of `b`: y"));
        assert_eq!(error.label_text(), Some("did you mean \"y\"?"));
    }
}
