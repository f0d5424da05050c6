//! Completion of keywords, tables, columns, functions and the shell's own commands.

use std::sync::{Arc, PoisonError, RwLock};

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::meta;
use super::names::{Names, starts_with};
use crate::lexer::{Kind, pieces};

/// Longer menus do not help to choose.
const MAX_SUGGESTIONS: usize = 100;

/// Words that statements are made of, in alphabetical order.
const KEYWORDS: &[&str] = &[
    "ALL",
    "ANALYZE",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "CURRENT",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DISTRIBUTE",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXPORT",
    "EXTERNAL",
    "FALSE",
    "FILTER",
    "FIT",
    "FOLLOWING",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NATURAL",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OPTIONS",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OVERWRITE",
    "PARTITION",
    "PARTITIONED",
    "PARTITIONS",
    "PRECEDING",
    "QUALIFY",
    "RANGE",
    "RECURSIVE",
    "REPLACE",
    "RESET",
    "RIGHT",
    "ROWS",
    "SCHEMA",
    "SELECT",
    "SEMI",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "TARGET",
    "TENSORS",
    "THEN",
    "TO",
    "TRANSFORM",
    "TRANSFORMS",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "UNNEST",
    "UPDATE",
    "USING",
    "VALUES",
    "VERBOSE",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Whether a word, in any case of letters, is a keyword.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_ascii_uppercase().as_str()).is_ok()
}

pub(super) struct SqlCompleter {
    names: Arc<RwLock<Names>>,
}

impl SqlCompleter {
    pub(super) fn new(names: Arc<RwLock<Names>>) -> Self {
        Self { names }
    }

    fn suggest(&self, line: &str, position: usize) -> Vec<Suggestion> {
        let Some(before) = line.get(..position) else { return Vec::new() };
        if meta::is_meta(before) {
            let commands = meta::completions(before).into_iter();
            return commands.map(|(start, value, help)| suggestion(value, help, start, position)).collect();
        }
        let in_code = pieces(before).last().is_none_or(|piece| piece.kind == Kind::Code);
        let start = before
            .rfind(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .map_or(0, |found| found + before[found..].chars().next().map_or(1, char::len_utf8));
        let prefix = &before[start..];
        let table = before[..start].strip_suffix('.').map(last_word);
        if !in_code || (prefix.is_empty() && table.is_none()) {
            return Vec::new();
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let matching = names.matching(table, prefix);
        let mut suggestions = matching
            .into_iter()
            .map(|(name, kind)| suggestion(quoted_if_needed(name), kind.label(), start, position))
            .collect::<Vec<_>>();
        if table.is_none() {
            let keywords = KEYWORDS.iter().filter(|keyword| starts_with(keyword, prefix));
            suggestions
                .extend(keywords.map(|keyword| suggestion(in_case_of(keyword, prefix), "keyword", start, position)));
        }
        suggestions.truncate(MAX_SUGGESTIONS);
        suggestions
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        CompletionResult::fresh(self.suggest(line, position))
    }
}

fn suggestion(value: String, help: &str, start: usize, end: usize) -> Suggestion {
    Suggestion {
        value,
        description: Some(help.to_string()),
        span: Span::new(start, end),
        append_whitespace: false,
        ..Suggestion::default()
    }
}

/// The keyword in small letters for who types in small letters.
fn in_case_of(keyword: &str, prefix: &str) -> String {
    if prefix.chars().any(char::is_lowercase) { keyword.to_lowercase() } else { keyword.to_string() }
}

/// A name that SQL would fold to small letters, or cut, has to be quoted.
fn quoted_if_needed(name: &str) -> String {
    let mut letters = name.chars();
    let starts_well = letters.next().is_some_and(|letter| letter.is_ascii_lowercase() || letter == '_');
    let is_plain = letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if starts_well && is_plain && !is_keyword(name) {
        return name.to_string();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn last_word(text: &str) -> &str {
    let start = text.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_').map_or(0, |found| found + 1);
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<String> {
        let completer = SqlCompleter::new(Arc::new(RwLock::new(Names::sample())));
        completer.suggest(line, line.len()).into_iter().map(|suggestion| suggestion.value).collect()
    }

    #[test]
    fn keywords_are_sorted_so_that_they_can_be_found() {
        assert!(KEYWORDS.is_sorted());
        assert!(is_keyword("select") && is_keyword("WITH") && !is_keyword("orders"));
    }

    #[test]
    fn a_word_completes_to_names_and_keywords_in_its_own_case() {
        assert_eq!(
            values("select o"),
            ["orders", "offset", "on", "options", "or", "order", "outer", "over", "overwrite"]
        );
        assert_eq!(values("SEL"), ["SELECT"]);
    }

    #[test]
    fn a_dot_completes_to_the_columns_of_the_table() {
        assert_eq!(values("select orders."), ["customer_id", "id"]);
        assert_eq!(values("select (orders.c"), ["customer_id"]);
    }

    #[test]
    fn text_and_comments_are_not_completed() {
        assert_eq!(values("select 'o"), [""; 0]);
        assert_eq!(values("-- o"), [""; 0]);
        assert_eq!(values("select "), [""; 0]);
    }

    #[test]
    fn names_that_sql_would_change_are_quoted() {
        assert_eq!(quoted_if_needed("plain_1"), "plain_1");
        assert_eq!(quoted_if_needed("Mixed"), "\"Mixed\"");
        assert_eq!(quoted_if_needed("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted_if_needed("order"), "\"order\"");
    }

    #[test]
    fn the_span_covers_the_word_and_no_more() {
        let completer = SqlCompleter::new(Arc::new(RwLock::new(Names::sample())));
        let suggestions = completer.suggest("select 'ä', cus from", 16);
        assert_eq!(suggestions.first().map(|suggestion| suggestion.span), Some(Span::new(13, 16)));
    }

    #[test]
    fn meta_commands_and_their_formats_are_completed() {
        assert_eq!(values("\\t"), ["\\timing"]);
        assert_eq!(values(".mode n"), ["ndjson"]);
    }
}
