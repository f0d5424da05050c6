//! A query as statements to run one after another.

use sluice::{Error, ErrorCode, Result};

/// A query: what has to stand before it, the one statement that gives rows, and what takes the former away again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) number: u8,
    pub(crate) setup: Vec<String>,
    pub(crate) select: String,
    pub(crate) cleanup: Vec<String>,
}

impl Query {
    /// The query in the text of a file. No literal of these files holds a semicolon or two dashes.
    ///
    /// # Errors
    /// A text without a statement that gives rows.
    pub(crate) fn parse(number: u8, text: &str) -> Result<Self> {
        let mut statements = statements(text);
        let gives_rows = |statement: &String| ["select", "with"].iter().any(|word| starts_with_word(statement, word));
        let none = || Error::new(ErrorCode::Internal, format!("query {number} has no statement that gives rows"));
        let select = statements.iter().position(gives_rows).ok_or_else(none)?;
        let cleanup = statements.split_off(select + 1);
        let select = statements.pop().ok_or_else(none)?;
        Ok(Self { number, setup: statements, select, cleanup })
    }
}

fn starts_with_word(statement: &str, word: &str) -> bool {
    statement.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The statements of a file, without its comments.
fn statements(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    lines.join("\n").split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The texts of a folder's files `q1.sql`, `q2.sql` and so on, by their numbers.
macro_rules! query_texts {
    ($folder:literal: $($number:literal)*) => {
        [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/queries/", $folder, "/q", $number, ".sql"))),*]
    };
}
pub(crate) use query_texts;
