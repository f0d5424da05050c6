//! Where in the statement an error is, and what was probably meant.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::{Error, ErrorCode, Place, nearest};

/// How many columns a hint lists.
const COLUMNS_LISTED: usize = 12;

/// The names that a statement can refer to.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Tables and views.
    pub tables: Vec<String>,
    /// Functions of every kind.
    pub functions: Vec<String>,
    /// Settings.
    pub settings: Vec<String>,
}

impl Error {
    /// The error with its place in the statement's text and the name that was meant, as far as they can be found.
    pub fn in_statement(self, sql: &str, names: &Names) -> Self {
        let cause = std::error::Error::source(&self).and_then(|source| source.downcast_ref::<DataFusionError>());
        let span = cause.and_then(DataFusionError::diagnostic).and_then(|diagnostic| diagnostic.span);
        let missing = cause.and_then(missing_column);
        let name = quoted(self.message());
        let mut error = match self.code() {
            ErrorCode::ColumnNotFound => with_columns(self.clone(), missing),
            ErrorCode::TableNotFound => with_tables(self.clone(), name.as_deref(), names),
            ErrorCode::FunctionNotFound => with_functions(self.clone(), name.as_deref(), names),
            _ => self.clone(),
        };
        if error.place().is_some() {
            return error;
        }
        let word = match error.code() {
            ErrorCode::ColumnNotFound => missing.map(|(field, _)| field.name().to_string()),
            ErrorCode::TableNotFound | ErrorCode::FileNotFound => {
                name.as_deref().map(|name| name.rsplit('.').next().unwrap_or(name).to_string())
            }
            _ => name.clone(),
        };
        let found = match (error.code(), span) {
            (ErrorCode::Syntax, _) => parser_place(&mut error, sql),
            (_, Some(span)) => {
                let length = if span.start.line == span.end.line {
                    span.end.column.saturating_sub(span.start.column).max(1)
                } else {
                    1
                };
                Some(Place { line: span.start.line as usize, column: span.start.column as usize, length: length as usize })
            }
            _ => None,
        };
        match found.or_else(|| locate(sql, &word?)) {
            Some(place) => error.at(place),
            None => error,
        }
    }
}

fn missing_column(error: &DataFusionError) -> Option<(&Column, &Vec<Column>)> {
    match error {
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => Some((field, valid_fields)),
            _ => None,
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => missing_column(inner),
        DataFusionError::Shared(inner) => missing_column(inner),
        DataFusionError::Collection(errors) => errors.first().and_then(missing_column),
        _ => None,
    }
}

fn with_columns(error: Error, missing: Option<(&Column, &Vec<Column>)>) -> Error {
    let Some((field, valid)) = missing else { return error };
    let error = match nearest(field.name(), valid.iter().map(|column| column.name())) {
        Some(near) if near != field.name() => error.label(format!("did you mean \"{near}\"?")),
        _ => error,
    };
    if valid.is_empty() {
        return error;
    }
    let table = valid.iter().find_map(|column| column.relation.as_ref()).map(|table| table.table());
    let mut listed: Vec<&str> = valid.iter().take(COLUMNS_LISTED).map(|column| column.name()).collect();
    if valid.len() > COLUMNS_LISTED {
        listed.push("…");
    }
    let of = table.map_or_else(String::new, |table| format!(" of `{table}`"));
    error.hint(format!("columns{of}: {}", listed.join(", ")))
}

fn with_tables(error: Error, name: Option<&str>, names: &Names) -> Error {
    let Some(full) = name else { return error };
    let bare = full.rsplit('.').next().unwrap_or(full);
    if looks_like_a_file(full) {
        let path = full.strip_prefix("datafusion.public.").unwrap_or(full);
        return Error::new(ErrorCode::FileNotFound, format!("no file at '{path}'"))
            .hint("a relative path starts at the working folder of the process that plans");
    }
    let error = Error::new(ErrorCode::TableNotFound, format!("table \"{bare}\" not found"));
    match nearest(bare, names.tables.iter().map(String::as_str)) {
        Some(near) => error.label(format!("did you mean \"{near}\"?")).hint("SHOW TABLES lists the tables and views"),
        None => error.hint("SHOW TABLES lists the tables and views; a file is read as FROM 'path.parquet'"),
    }
}

fn with_functions(error: Error, name: Option<&str>, names: &Names) -> Error {
    let Some(name) = name else { return error };
    let error = Error::new(ErrorCode::FunctionNotFound, format!("function \"{name}\" not found"));
    match nearest(name, names.functions.iter().map(String::as_str)) {
        Some(near) => error.label(format!("did you mean \"{near}\"?")).hint("SHOW FUNCTIONS lists the functions"),
        None => error.hint("SHOW FUNCTIONS lists the functions"),
    }
}

fn looks_like_a_file(name: &str) -> bool {
    let endings = [".parquet", ".csv", ".json", ".ndjson", ".arrow", ".gz", ".zst", ".tsv"];
    name.contains('/') || endings.iter().any(|ending| name.to_lowercase().ends_with(ending))
}

/// The first name in quotes of a message.
fn quoted(message: &str) -> Option<String> {
    let start = message.find(['\'', '"'])?;
    let quote = message[start..].chars().next()?;
    let rest = &message[start + 1..];
    rest.find(quote).map(|end| rest[..end].to_string())
}

/// The parser tells its place at the end of its message; it is taken off there.
fn parser_place(error: &mut Error, sql: &str) -> Option<Place> {
    let message = error.message().to_string();
    let at = message.rfind(" at Line: ")?;
    let numbers: Vec<usize> = message[at..]
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let (line, column) = (*numbers.first()?, *numbers.get(1)?);
    let mut placed = Error::new(ErrorCode::Syntax, message[..at].trim_end_matches(',').to_string());
    if let Some(hint) = error.hint_text() {
        placed = placed.hint(hint);
    }
    *error = placed;
    let rest: String = sql.lines().nth(line.saturating_sub(1)).unwrap_or_default().chars().skip(column.saturating_sub(1)).collect();
    let length = rest.chars().take_while(|character| character.is_alphanumeric() || *character == '_').count().max(1);
    Some(Place { line: line.max(1), column: column.max(1), length })
}

/// The first token of the statement that is the word; strings and comments are no words, except for files.
fn locate(sql: &str, word: &str) -> Option<Place> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let token = tokens.iter().find(|token| match &token.token {
        Token::Word(found) => found.value.eq_ignore_ascii_case(word),
        Token::SingleQuotedString(found) => found.contains('/') && found.ends_with(word) || found == word,
        _ => false,
    })?;
    let (start, end) = (token.span.start, token.span.end);
    let length = end.column.saturating_sub(start.column).max(1);
    Some(Place {
        line: usize::try_from(start.line).ok()?,
        column: usize::try_from(start.column).ok()?,
        length: usize::try_from(length).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn error_of(sql: &str) -> Error {
        let config = SessionConfig::new().set_bool("datafusion.sql_parser.collect_spans", true);
        let context = SessionContext::new_with_config(config);
        context.sql("create table orders(order_id int, customer_id int, price double)").await.unwrap();
        let failed = match context.sql(sql).await {
            Ok(frame) => frame.collect().await.unwrap_err(),
            Err(error) => error,
        };
        let names = Names {
            tables: vec!["orders".into()],
            functions: vec!["sum".into(), "date_trunc".into()],
            settings: vec![],
        };
        Error::from(failed).in_statement(sql, &names)
    }

    fn place(error: &Error) -> Option<(usize, usize, usize)> {
        error.place().map(|place| (place.line, place.column, place.length))
    }

    #[tokio::test]
    async fn a_missing_column_is_placed_and_named() {
        let error = error_of("select price,\n  custmer_id from orders").await;
        assert_eq!(error.code(), ErrorCode::ColumnNotFound);
        assert_eq!(place(&error), Some((2, 3, 10)));
        assert_eq!(error.label_text(), Some("did you mean \"customer_id\"?"));
        assert_eq!(error.hint_text(), Some("columns of `orders`: order_id, customer_id, price"));
    }

    #[tokio::test]
    async fn a_missing_table_is_placed_and_named() {
        let error = error_of("select 1 from ordrs").await;
        assert_eq!(error.code(), ErrorCode::TableNotFound);
        assert_eq!(place(&error), Some((1, 15, 5)));
        assert_eq!(error.label_text(), Some("did you mean \"orders\"?"));
    }

    #[tokio::test]
    async fn a_missing_function_is_placed_and_named() {
        let error = error_of("select date_trnc('day', 1) from orders").await;
        assert_eq!(error.code(), ErrorCode::FunctionNotFound, "{error}");
        assert_eq!(place(&error), Some((1, 8, 9)));
        assert_eq!(error.label_text(), Some("did you mean \"date_trunc\"?"));
    }

    #[tokio::test]
    async fn a_syntax_error_is_placed() {
        let error = error_of("select 1 +\nfrom orders where").await;
        assert_eq!(error.code(), ErrorCode::Syntax);
        assert!(error.place().is_some(), "{error}");
        assert!(!error.message().contains("Line:"), "{error}");
    }

    #[tokio::test]
    async fn what_a_value_does_wrong_is_told_from_what_the_statement_does() {
        assert_eq!(error_of("select 1 / (order_id - order_id) from (values (1)) t(order_id)").await.code(), ErrorCode::Evaluation);
        assert_eq!(error_of("select cast(x as int) from (values ('a')) t(x)").await.code(), ErrorCode::Evaluation);
        assert_eq!(error_of("select sum('a', 2) from orders").await.code(), ErrorCode::TypeMismatch);
    }
}
