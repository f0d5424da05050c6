//! SQL text on its way to DataFusion's planner: scripts cut into statements, and what is Sluice's own in a statement.

mod arguments;
pub mod hints;

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, TokenizerError};

use crate::error::{Error, ErrorCode, Place, Result};

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText {
    /// The text, without the semicolon.
    pub text: String,
    /// The line of the script that the text begins in, from 1.
    pub line: usize,
    /// The column that the text begins in, from 1.
    pub column: usize,
}

/// Parses one statement in the session's dialect.
pub(crate) fn parse(state: &SessionState, sql: &str) -> Result<Statement> {
    let dialect = state.config_options().sql_parser.dialect;
    // The text as it was written comes first, so that a syntax error has its place in it.
    let statement = state.sql_to_statement(sql, &dialect)?;
    match arguments::complete_named_arguments(sql) {
        Some(completed) => Ok(state.sql_to_statement(&completed, &dialect)?),
        None => Ok(statement),
    }
}

/// Cuts a script at its semicolons, but not at those in strings, names and comments. Empty statements are left out.
pub fn split_statements(script: &str) -> Result<Vec<StatementText>> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, script).tokenize_with_location().map_err(tokenizer_error)?;
    let offsets = LineOffsets::of(script);
    let mut statements = Vec::new();
    let mut begin: Option<Location> = None;
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                if let Some(from) = begin.take() {
                    statements.push(cut(script, &offsets, from, Some(token.span.start)));
                }
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => {
                begin.get_or_insert(token.span.start);
            }
        }
    }
    if let Some(from) = begin {
        statements.push(cut(script, &offsets, from, None));
    }
    Ok(statements)
}

fn cut(script: &str, offsets: &LineOffsets, from: Location, to: Option<Location>) -> StatementText {
    let start = offsets.byte(script, from);
    let end = to.map_or(script.len(), |to| offsets.byte(script, to));
    StatementText {
        text: script[start..end].trim_end().to_string(),
        line: usize::try_from(from.line).unwrap_or(1),
        column: usize::try_from(from.column).unwrap_or(1),
    }
}

fn tokenizer_error(error: TokenizerError) -> Error {
    let place = Place {
        line: usize::try_from(error.location.line).unwrap_or(1).max(1),
        column: usize::try_from(error.location.column).unwrap_or(1).max(1),
        length: 1,
    };
    Error::new(ErrorCode::Syntax, error.message.to_lowercase())
        .at(place)
        .hint("a quote or a comment that begins here may not end")
}

/// Where each line begins, in bytes.
struct LineOffsets(Vec<usize>);

impl LineOffsets {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The byte of a place whose columns count characters from 1.
    fn byte(&self, text: &str, place: Location) -> usize {
        let line = usize::try_from(place.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let start = self.0.get(line).copied().unwrap_or(text.len());
        let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
        text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<(String, usize, usize)> {
        let statements = split_statements(script).unwrap();
        statements.into_iter().map(|statement| (statement.text, statement.line, statement.column)).collect()
    }

    #[test]
    fn semicolons_in_strings_names_and_comments_do_not_cut() {
        let script = "select ';' as \"a;b\" -- no; cut\n, 1 /* nor; here */;\n\n  select 2";
        assert_eq!(
            texts(script),
            vec![
                ("select ';' as \"a;b\" -- no; cut\n, 1 /* nor; here */".to_string(), 1, 1),
                ("select 2".to_string(), 4, 3),
            ]
        );
    }

    #[test]
    fn empty_statements_and_comments_alone_are_left_out() {
        assert_eq!(texts(";;\n-- only a comment\n;"), vec![]);
    }

    #[test]
    fn characters_of_several_bytes_do_not_shift_the_cut() {
        assert_eq!(
            texts("select 'жé漢';select 1"),
            vec![("select 'жé漢'".to_string(), 1, 1), ("select 1".to_string(), 1, 14)]
        );
    }

    #[test]
    fn an_open_string_names_its_place() {
        let error = split_statements("select 1;\nselect 'oops").unwrap_err();
        assert_eq!(error.code(), ErrorCode::Syntax);
        assert_eq!(error.place().map(|place| (place.line, place.column)), Some((2, 8)));
    }
}
