//! An error's place in its statement, and the name that was probably meant there.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::messages::{did_you_mean, file_not_found, table_not_found};
use crate::error::{Error, ErrorCode, Place, nearest};

/// How a parser's message ends where words are missing.
const END: &str = "found the end of the statement";

/// How many tables a hint lists.
const LISTED_TABLES: usize = 20;

/// What a statement can refer to.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Tables and views, with or without their schema.
    pub tables: Vec<String>,
    /// Functions of every kind.
    pub functions: Vec<String>,
    /// Keys of settings.
    pub settings: Vec<String>,
}

impl Error {
    /// Adds the place in the statement's text and the name that was probably meant, as far as they are not known yet.
    #[must_use]
    pub fn in_statement(self, sql: &str, names: &Names) -> Self {
        let tokens = tokens(sql);
        let mut error = self.named_as_written(&tokens);
        match error.place() {
            None if error.code() == ErrorCode::Syntax && error.message().ends_with(END) => {
                error = error.at(end_of(sql));
            }
            None => {
                if let Some(place) = error.subject().and_then(|name| find(&tokens, &name, error.code())) {
                    error = error.at(place);
                }
            }
            // A parser tells where a word begins, but not its length.
            Some(place) if error.code() == ErrorCode::Syntax && place.length == 1 => {
                let length = length_at(&tokens, place);
                error = error.clone().at(Place { length, ..place.clone() });
            }
            Some(_) => {}
        }
        let mut error = error.with_names(names);
        // Beside a caret is where a suggestion is read first.
        if error.place().is_some()
            && error.label_text().is_none()
            && error.hint_text().is_some_and(|hint| hint.starts_with("did you mean"))
        {
            error.0.label = error.0.hint.take();
        }
        error
    }

    /// Adds the name that was probably meant.
    pub(super) fn with_names(mut self, names: &Names) -> Self {
        let known = match self.code() {
            ErrorCode::TableNotFound if !self.message().starts_with("schema ") => &names.tables,
            ErrorCode::FunctionNotFound => &names.functions,
            ErrorCode::SettingNotFound => &names.settings,
            _ => return self,
        };
        if known.is_empty() || self.hint_text().is_some() {
            return self;
        }
        let Some(name) = self.subject() else { return self };
        let near = nearest(&name, known.iter().map(String::as_str));
        match near {
            Some(same) if self.code() == ErrorCode::FunctionNotFound && same.eq_ignore_ascii_case(&name) => {
                self.0.label = None;
                self.hint("it exists for another use: window functions need OVER (…), table functions stand in FROM")
            }
            Some(near) => self.label(did_you_mean(near)),
            None if self.code() == ErrorCode::TableNotFound && known.len() <= LISTED_TABLES => {
                self.hint(format!("tables: {}", known.join(", ")))
            }
            None if self.code() == ErrorCode::TableNotFound => self.hint("SHOW TABLES lists the tables and views"),
            None if self.code() == ErrorCode::FunctionNotFound => {
                self.0.label = None;
                self.hint("SHOW FUNCTIONS lists the functions")
            }
            None => self,
        }
    }

    /// The name that the message is about: what stands in its first quotes.
    fn subject(&self) -> Option<String> {
        let names_one = matches!(
            self.code(),
            ErrorCode::TableNotFound
                | ErrorCode::ColumnNotFound
                | ErrorCode::FunctionNotFound
                | ErrorCode::SettingNotFound
                | ErrorCode::SettingInvalid
                | ErrorCode::AlreadyExists
                | ErrorCode::FileNotFound
                | ErrorCode::InvalidPlan
                | ErrorCode::TypeMismatch
        );
        let mut quoted = self.message().split('"').skip(1);
        quoted.next().filter(|name| names_one && !name.is_empty()).map(str::to_string)
    }

    /// A planner names tables in full; this takes away what the statement does not say.
    fn named_as_written(mut self, tokens: &[TokenWithSpan]) -> Self {
        if self.code() != ErrorCode::TableNotFound || !self.message().starts_with("table ") {
            return self;
        }
        let Some(name) = self.subject() else { return self };
        // `FROM 'x.parquet'` reads a file, so what is missing is a file.
        if let Some(file) = file_within(tokens, &name) {
            return file_not_found(&file)
                .hint("a relative path begins in the working folder of the process that plans");
        }
        let shorter = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        let written = std::iter::once(name.as_str()).chain(shorter);
        if let Some(written) = { written }.find(|name| find(tokens, name, ErrorCode::TableNotFound).is_some()) {
            self.0.message = table_not_found(written).0.message;
        }
        self
    }
}

/// Whether the text in a statement means the file of a store's message, which has a full path or a URL.
fn names_file(text: &str, path: &str) -> bool {
    let (text, path) = (text.trim_end_matches('/'), path.trim_end_matches('/'));
    let end = text.rsplit("://").next().unwrap_or(text);
    !end.is_empty() && (path == text || path.ends_with(&format!("/{}", end.trim_start_matches('/'))))
}

fn tokens(sql: &str) -> Vec<TokenWithSpan> {
    // Text that is no SQL has no words to find.
    Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default()
}

/// The file that the statement names in quotes, where the planner's table is one.
fn file_within(tokens: &[TokenWithSpan], table: &str) -> Option<String> {
    let quoted = tokens.iter().filter_map(|token| match &token.token {
        Token::SingleQuotedString(text) => Some(text),
        Token::Word(word) if word.quote_style.is_some() && word.value.contains('/') => Some(&word.value),
        _ => None,
    });
    let mut files = quoted.filter(|text| text.contains(['/', '.']) && table.ends_with(text.as_str()));
    files.next().cloned()
}

/// Where the statement has the name, outside strings and comments. File names are looked for in strings.
fn find(tokens: &[TokenWithSpan], name: &str, code: ErrorCode) -> Option<Place> {
    let words: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    if code == ErrorCode::FileNotFound {
        let file = words.iter().find(|token| match &token.token {
            Token::SingleQuotedString(text) => names_file(text, name),
            Token::Word(word) => word.quote_style.is_some() && names_file(&word.value, name),
            _ => false,
        });
        return file.and_then(|token| place(token, token));
    }
    let parts: Vec<&str> = name.split('.').collect();
    let length = parts.len() * 2 - 1;
    let mut found = (0..words.len()).filter(|start| {
        let Some(window) = words.get(*start..start + length) else { return false };
        let same = window.iter().enumerate().all(|(index, token)| match &token.token {
            Token::Period => index % 2 == 1,
            Token::Word(word) => index % 2 == 0 && word.value.eq_ignore_ascii_case(parts[index / 2]),
            _ => false,
        });
        let next = words.get(start + length).map(|token| &token.token);
        let before = start.checked_sub(1).and_then(|before| words.get(before)).map(|token| &token.token);
        // A function is called; a column or table is not; and nothing is the last part of a longer name.
        let called = matches!(next, Some(Token::LParen));
        let fits = match code {
            ErrorCode::FunctionNotFound | ErrorCode::TypeMismatch => called,
            ErrorCode::ColumnNotFound => !called && !matches!(next, Some(Token::Period)),
            _ => true,
        };
        same && fits && !matches!(before, Some(Token::Period))
    });
    let start = found.next()?;
    place(words[start], words[start + length - 1])
}

fn place(first: &TokenWithSpan, last: &TokenWithSpan) -> Option<Place> {
    let line = usize::try_from(first.span.start.line).ok().filter(|line| *line > 0)?;
    let column = usize::try_from(first.span.start.column).ok()?;
    let length = if last.span.end.line == first.span.start.line {
        usize::try_from(last.span.end.column).ok()?.saturating_sub(column)
    } else {
        1
    };
    Some(Place { line, column, length: length.max(1) })
}

/// The place after the last word.
fn end_of(sql: &str) -> Place {
    let text = sql.trim_end();
    let column = text.lines().last().unwrap_or_default().chars().count() + 1;
    Place { line: text.lines().count().max(1), column, length: 1 }
}

fn length_at(tokens: &[TokenWithSpan], wanted: &Place) -> usize {
    let begins = |token: &&TokenWithSpan| {
        place(token, token).is_some_and(|place| (place.line, place.column) == (wanted.line, wanted.column))
    };
    let token = tokens.iter().filter(|token| !matches!(token.token, Token::EOF)).find(begins);
    token.and_then(|token| place(token, token)).map_or(1, |place| place.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sql: &str, name: &str, code: ErrorCode) -> Option<(usize, usize, usize)> {
        find(&tokens(sql), name, code).map(|place| (place.line, place.column, place.length))
    }

    #[test]
    fn names_are_found_outside_strings_and_comments() {
        let sql = "SELECT 'foo' -- foo\n  , /* foo */ Foo FROM t";
        assert_eq!(at(sql, "foo", ErrorCode::ColumnNotFound), Some((2, 15, 3)));
        assert_eq!(at("SELECT 'foo'", "foo", ErrorCode::ColumnNotFound), None);
    }

    #[test]
    fn kinds_of_names_are_told_apart() {
        let sql = "SELECT foo.x, foo(1), foo FROM s.foo";
        assert_eq!(at(sql, "foo", ErrorCode::FunctionNotFound), Some((1, 15, 3)));
        assert_eq!(at(sql, "foo", ErrorCode::ColumnNotFound), Some((1, 23, 3)));
        assert_eq!(at(sql, "s.foo", ErrorCode::TableNotFound), Some((1, 32, 5)));
        assert_eq!(at(sql, "foo.x", ErrorCode::ColumnNotFound), Some((1, 8, 5)));
    }

    #[test]
    fn files_are_found_in_strings() {
        let sql = "COPY t TO '/tmp/x'";
        assert_eq!(at(sql, "/tmp/x", ErrorCode::FileNotFound), Some((1, 11, 8)));
        assert_eq!(at("SELECT * FROM 'x.csv'", "/home/me/x.csv", ErrorCode::FileNotFound), Some((1, 15, 7)));
        assert_eq!(at("SELECT '/y'", "/tmp/x", ErrorCode::FileNotFound), None);
    }

    #[test]
    fn tables_are_named_as_written() {
        let names = Names { tables: vec!["orders".into(), "users".into()], ..Names::default() };
        let error = table_not_found("sluice.default.ordres").in_statement("SELECT * FROM default.ordres", &names);
        assert_eq!(error.message(), "table \"default.ordres\" not found");
        assert_eq!(error.place(), Some(&Place { line: 1, column: 15, length: 14 }));
        let error = table_not_found("sluice.default.ordres").in_statement("SELECT * FROM ordres", &names);
        assert_eq!(error.message(), "table \"ordres\" not found");
        assert_eq!(error.label_text(), Some("did you mean \"orders\"?"));
        let error = table_not_found("x").in_statement("SELECT * FROM x", &names);
        assert_eq!(error.hint_text(), Some("tables: orders, users"));
    }

    #[test]
    fn suggestion_moves_beside_the_caret() {
        let error = crate::config::check_key("sluice.memory.limt", "1GB").unwrap_err();
        let error = error.in_statement("SET sluice.memory.limt = '1GB'", &Names::default());
        assert_eq!(error.place(), Some(&Place { line: 1, column: 5, length: 18 }));
        assert_eq!(error.label_text(), Some("did you mean \"sluice.memory.limit\"?"));
        assert_eq!(error.hint_text(), None);
    }
}
