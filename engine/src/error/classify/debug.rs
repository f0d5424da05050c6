//! Rust's debug form of an error, read back: some errors cross processes as `DataFusionError(ArrowError(CastError("…")))`.

use crate::error::{Error, ErrorCode};

/// An error of ours that was printed into another: `error[S0301]: division by zero (hint: …)`.
pub(super) fn own_error(text: &str) -> Option<Error> {
    let (before, rest) = text.split_once("error[")?;
    let (code, rest) = rest.split_once("]: ")?;
    let code = ErrorCode::parse(code)?;
    let body = if before.ends_with('"') { literal(&format!("\"{rest}"))? } else { balanced(rest).to_string() };
    let body = body.trim();
    let parts = body.strip_suffix(')').and_then(|body| body.split_once(" (hint: "));
    Some(match parts {
        Some((message, hint)) => Error::new(code, message).hint(hint),
        None => Error::new(code, body),
    })
}

/// The text up to its line's end, or to a bracket that closes what was opened before it.
fn balanced(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let mut open = 0_usize;
    for (at, character) in line.char_indices() {
        match character {
            '(' => open += 1,
            ')' if open == 0 => return &line[..at],
            ')' => open -= 1,
            _ => {}
        }
    }
    line
}

/// The first string literal of a debug form, without its escapes. `None` where the text begins with none.
pub(super) fn literal(text: &str) -> Option<String> {
    let start = text.find('"')?;
    // Words before the quote are a sentence, not a debug form.
    if text[..start].contains(' ') && !text[..start].contains("{ ") {
        return None;
    }
    let mut found = String::new();
    let mut characters = text[start + 1..].chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(found).filter(|found| !found.is_empty()),
            '\\' => match characters.next()? {
                'n' => found.push('\n'),
                't' => found.push('\t'),
                other => found.push(other),
            },
            other => found.push(other),
        }
    }
    None
}

/// The last place of a variant's name that is not the end of a longer name.
pub(super) fn word_start(text: &str, name: &str) -> Option<usize> {
    let mut places = text.rmatch_indices(name).map(|(at, _)| at);
    places.find(|at| !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}
