//! A script: SQL text from a file, the command line or standard input, with its variables put in and cut into
//! statements.

mod variables;

use std::io::Read;
use std::path::Path;

use sluice::error::Place;
use sluice::sql::{StatementText, split_statements};
use sluice::{Error, ErrorCode, Result};

use crate::args::SourceArgs;
use crate::failure::Failure;

/// Text that may hold several statements, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    file: Option<String>,
    text: String,
}

impl Script {
    /// Reads a file; `-` is the standard input.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Self::read_standard_input();
        }
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&name, error))?;
        Ok(Self { file: Some(name), text: without_mark(text) })
    }

    /// Reads the standard input to its end.
    pub(crate) fn read_standard_input() -> Result<Self> {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable("the standard input", error))?;
        Ok(Self { file: None, text: without_mark(text) })
    }

    /// Statements given on the command line or typed at the prompt.
    pub(crate) fn given(text: impl Into<String>) -> Self {
        Self { file: None, text: text.into() }
    }

    /// The scripts of `-e` and `-f`, in their order; none where neither was given.
    pub(crate) fn from_arguments(source: &SourceArgs) -> Result<Vec<Self>> {
        match &source.file {
            Some(file) => Ok(vec![Self::read(file)?]),
            None => Ok(source.execute.iter().map(Self::given).collect()),
        }
    }

    /// Puts the values in for `${name}`.
    pub(crate) fn with_variables(self, variables: &[(String, String)]) -> Result<Self, Failure> {
        match variables::substitute(&self.text, variables) {
            Ok(text) => Ok(Self { text, ..self }),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// The statements, in their order.
    pub(crate) fn statements(&self) -> Result<Vec<StatementText>, Failure> {
        split_statements(&self.text).map_err(|error| self.failure(error))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The file's name without folder and extension, as a name for the job.
    pub(crate) fn name(&self) -> Option<String> {
        let file = Path::new(self.file.as_ref()?);
        file.file_stem().map(|stem| stem.to_string_lossy().into_owned())
    }

    /// What messages call the script.
    pub(crate) fn title(&self) -> &str {
        self.file.as_deref().unwrap_or("input")
    }

    /// The failure for an error whose place counts from the start of the script.
    pub(crate) fn failure(&self, error: Error) -> Failure {
        Failure::in_text(error, self.file.as_deref(), &self.text)
    }

    /// Moves the place of a statement's error from that statement to the whole script. `lines_added` were put before
    /// the statement's own text.
    pub(crate) fn locate(&self, failure: Failure, statement: &StatementText, lines_added: usize) -> Failure {
        match failure {
            Failure::Error(report) => self.failure(in_script(report.error, statement, lines_added)),
            other => other,
        }
    }
}

fn in_script(error: Error, statement: &StatementText, lines_added: usize) -> Error {
    let Some(place) = error.place().cloned() else { return error };
    // A place in text that the user did not write says nothing to them.
    let line = place.line.checked_sub(lines_added).filter(|line| *line > 0).unwrap_or(1);
    let column = if line == 1 { place.column + statement.column - 1 } else { place.column };
    error.at(Place { line: line + statement.line - 1, column, length: place.length })
}

fn unreadable(name: &str, error: std::io::Error) -> Error {
    let (code, problem) = match error.kind() {
        std::io::ErrorKind::NotFound => (ErrorCode::FileNotFound, "does not exist"),
        std::io::ErrorKind::PermissionDenied => (ErrorCode::AccessDenied, "may not be read"),
        std::io::ErrorKind::InvalidData => (ErrorCode::CorruptFile, "is not UTF-8 text"),
        std::io::ErrorKind::IsADirectory => (ErrorCode::InvalidArgument, "is a folder"),
        _ => (ErrorCode::Storage, "cannot be read"),
    };
    Error::new(code, format!("{name} {problem}")).caused_by(error)
}

/// Editors on Windows put a byte order mark first.
fn without_mark(text: String) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { line, column, length: 1 }
    }

    #[test]
    fn a_place_in_a_statement_becomes_a_place_in_the_script() {
        let statement = StatementText { text: "select\n  x".into(), line: 4, column: 11 };
        let moved = |from, added| {
            let error = in_script(Error::new(ErrorCode::ColumnNotFound, "x").at(from), &statement, added);
            error.place().cloned()
        };
        assert_eq!(moved(place(1, 3), 0), Some(place(4, 13)));
        assert_eq!(moved(place(2, 3), 0), Some(place(5, 3)));
        assert_eq!(moved(place(2, 3), 1), Some(place(4, 13)));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Script::read(Path::new("no/such/job.sql")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::FileNotFound);
        assert_eq!(error.message(), "no/such/job.sql does not exist");
    }

    #[test]
    fn the_mark_of_an_editor_is_no_text() {
        assert_eq!(without_mark("\u{feff}select 1".into()), "select 1");
    }
}
