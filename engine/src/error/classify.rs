//! Other libraries' errors as Sluice's own: what DataFusion, Arrow, Parquet, the object stores and the operating system
//! report becomes a code, one clean sentence and, where it is known, a place in the SQL text.

mod debug;
mod messages;
mod statement;
#[cfg(test)]
mod tests;
mod text;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use object_store::Error as StoreError;
use parquet::errors::ParquetError;

use super::{Error, ErrorCode, Place};

pub use statement::Names;

/// How many errors within errors are looked at.
const DEPTH_LIMIT: usize = 32;

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        match find_own(&error) {
            Some(own) => own,
            None => classify(&error).caused_by(error),
        }
    }
}

impl Error {
    /// The error as Sluice's own, with its place in `sql` and the names that were probably meant.
    pub fn from_datafusion(error: DataFusionError, sql: Option<&str>, names: &Names) -> Self {
        let error = Self::from(error);
        match sql {
            Some(sql) => error.in_statement(sql, names),
            None => error.with_names(names),
        }
    }

    /// An error that is left as text only, such as that of a task which ran on another machine.
    pub fn from_task_text(text: &str) -> Self {
        text::classify(text)
    }
}

/// What caused an error: like [`StdError::source`], but sees into [`io::Error`] as well, which hides what it wraps.
fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The error and everything that caused it, the outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| next(*error)).take(DEPTH_LIMIT)
}

/// An error of ours that crossed other libraries.
fn find_own(error: &(dyn StdError + 'static)) -> Option<Error> {
    chain(error).find_map(|error| {
        error.downcast_ref::<Error>().or_else(|| error.downcast_ref::<Arc<Error>>().map(Arc::as_ref)).cloned()
    })
}

fn classify(error: &DataFusionError) -> Error {
    // A full disk shows at any depth, and is the cause of whatever else is reported.
    if let Some(full) = chain(error).find_map(disk_full) {
        return full;
    }
    match error {
        DataFusionError::Context(context, inner) => {
            text::bad_value(context, &inner.to_string()).unwrap_or_else(|| classify(inner))
        }
        DataFusionError::Shared(inner) => classify(inner),
        DataFusionError::Collection(errors) => errors.first().map_or_else(|| unknown(error), classify),
        DataFusionError::Diagnostic(diagnostic, inner) => with_diagnostic(classify(inner), diagnostic),
        DataFusionError::SQL(error, _) => syntax(error),
        DataFusionError::SchemaError(error, _) => schema(error),
        DataFusionError::Plan(text) => text::plan(text),
        DataFusionError::Configuration(text) => text::configuration(text),
        DataFusionError::Execution(text) => text::execution(text),
        DataFusionError::NotImplemented(text) => messages::unsupported(text),
        DataFusionError::ResourcesExhausted(text) => messages::memory_exhausted(text),
        DataFusionError::Internal(text) => text::internal(text),
        DataFusionError::ArrowError(error, _) => arrow(error),
        DataFusionError::ParquetError(error) => parquet_file(error),
        DataFusionError::ObjectStore(error) => store(error),
        DataFusionError::IoError(error) => file(error),
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => {
            Error::new(ErrorCode::Cancelled, "the job was cancelled")
        }
        DataFusionError::ExecutionJoin(error) => messages::internal(&error.to_string()),
        DataFusionError::External(error) => other(error.as_ref()),
        DataFusionError::Substrait(_) | DataFusionError::Ffi(_) => unknown(error),
    }
}

fn unknown(error: &DataFusionError) -> Error {
    text::classify(&error.strip_backtrace())
}

/// An error of any type.
fn other(error: &(dyn StdError + 'static)) -> Error {
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        classify(error)
    } else if let Some(error) = error.downcast_ref::<ArrowError>() {
        arrow(error)
    } else if let Some(error) = error.downcast_ref::<ParquetError>() {
        parquet_file(error)
    } else if let Some(error) = error.downcast_ref::<StoreError>() {
        store(error)
    } else if let Some(error) = error.downcast_ref::<io::Error>() {
        file(error)
    } else if let Some(inner) = next(error) {
        other(inner)
    } else {
        text::classify(&error.to_string())
    }
}

fn syntax(error: &ParserError) -> Error {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => messages::syntax(text),
        ParserError::RecursionLimitExceeded => Error::new(ErrorCode::Syntax, "the statement is nested too deeply"),
    }
}

fn schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let valid: Vec<(Option<String>, String)> = valid_fields
                .iter()
                .map(|column| (column.relation.as_ref().map(|table| table.table().to_string()), column.name.clone()))
                .collect();
            messages::column_not_found(&field.flat_name(), &valid)
        }
        SchemaError::AmbiguousReference { field } => messages::ambiguous_column(&field.flat_name()),
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            messages::duplicate_column(name)
        }
    }
}

fn arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => other(inner.as_ref()),
        ArrowError::IoError(_, inner) => file(inner),
        ArrowError::NotYetImplemented(text) => messages::unsupported(text),
        ArrowError::DivideByZero => messages::divide_by_zero(),
        ArrowError::CastError(text) | ArrowError::ComputeError(text) | ArrowError::ArithmeticOverflow(text) => {
            messages::evaluation(text)
        }
        ArrowError::ParseError(text) => text::parse_error(text),
        ArrowError::CsvError(text) | ArrowError::JsonError(text) => messages::corrupt_file(text),
        ArrowError::AvroError(text) | ArrowError::IpcError(text) | ArrowError::ParquetError(text) => {
            messages::corrupt_file(text)
        }
        ArrowError::MemoryError(text) => messages::memory_exhausted(text),
        ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError
        | ArrowError::OffsetOverflowError(_) => messages::evaluation(&error.to_string()),
        ArrowError::InvalidArgumentError(text) => text::execution(text),
        ArrowError::SchemaError(_) | ArrowError::CDataInterface(_) => messages::internal(&error.to_string()),
    }
}

fn parquet_file(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
            // Bytes that end too early are the file's fault, not the store's.
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => messages::corrupt_file(&error.to_string()),
            _ => other(inner.as_ref()),
        },
        ParquetError::NYI(text) => messages::unsupported(text),
        ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::ArrowError(text) => {
            messages::corrupt_file(text)
        }
        other => messages::corrupt_file(&other.to_string()),
    }
}

fn store(error: &StoreError) -> Error {
    match error {
        StoreError::NotFound { path, .. } => messages::file_not_found(path),
        StoreError::AlreadyExists { path, .. } => {
            Error::new(ErrorCode::TargetExists, format!("\"{path}\" exists already"))
        }
        StoreError::Precondition { path, .. } | StoreError::NotModified { path, .. } => {
            Error::new(ErrorCode::Conflict, format!("\"{path}\" was changed by another writer"))
        }
        StoreError::PermissionDenied { path, .. } | StoreError::Unauthenticated { path, .. } => {
            messages::access_denied(Some(path))
        }
        StoreError::NotSupported { source } => messages::unsupported(&source.to_string()),
        StoreError::NotImplemented { operation, implementer } => {
            messages::unsupported(&format!("{implementer} does not do \"{operation}\""))
        }
        StoreError::InvalidPath { source } => {
            Error::new(ErrorCode::InvalidArgument, messages::sentence(&source.to_string()))
        }
        StoreError::UnknownConfigurationKey { store, key } => {
            Error::new(ErrorCode::SettingInvalid, format!("the store {store} has no setting \"{key}\""))
        }
        StoreError::Generic { source, .. } => {
            match chain(source.as_ref()).find_map(|error| error.downcast_ref::<io::Error>()) {
                Some(cause) => file_with(cause, &error.to_string()),
                None => text::store(&error.to_string()),
            }
        }
        other => messages::internal(&other.to_string()),
    }
}

fn file(error: &io::Error) -> Error {
    match error.get_ref() {
        Some(inner) => other(inner),
        None => file_with(error, &error.to_string()),
    }
}

/// An error of the operating system; `text` tells more than the error itself, the path for instance.
fn file_with(error: &io::Error, text: &str) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => match text::quoted_path(text) {
            Some(path) => messages::file_not_found(&path),
            None => Error::new(ErrorCode::FileNotFound, messages::sentence(text)),
        },
        io::ErrorKind::PermissionDenied => messages::access_denied(text::quoted_path(text).as_deref()),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => messages::corrupt_file(text),
        io::ErrorKind::AddrInUse => Error::new(ErrorCode::PortInUse, messages::sentence(text)),
        _ => text::store(text),
    }
}

fn disk_full(error: &(dyn StdError + 'static)) -> Option<Error> {
    let by_kind = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
    (by_kind || (error.source().is_none() && text::says_disk_full(&error.to_string()))).then(messages::disk_full)
}

/// Adds what DataFusion's planner knows about the place.
fn with_diagnostic(mut error: Error, diagnostic: &Diagnostic) -> Error {
    // The planner's own error names a table in full; here it stands as the user wrote it.
    if error.code() == ErrorCode::TableNotFound
        && let Some(name) = text::between(&diagnostic.message, "table '", "' not found")
    {
        error.0.message = messages::table_not_found(name).0.message;
    }
    if error.hint_text().is_none()
        && let Some(help) = diagnostic.helps.first()
    {
        error = error.hint(messages::sentence(&help.message));
    }
    if error.hint_text().is_none() {
        let columns = diagnostic.notes.iter().filter_map(|note| note.message.strip_prefix("possible column "));
        let columns: Vec<&str> = columns.collect();
        if error.code() == ErrorCode::InvalidPlan && columns.len() > 1 {
            error = error.hint(format!("it could be {}", columns.join(" or ")));
        }
    }
    let Some(span) = diagnostic.span.filter(|span| span.start.line > 0) else { return error };
    if error.place().is_some() {
        return error;
    }
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    // A span over several lines is underlined to its first line's end, which the picture cuts by itself.
    let length = if span.end.line == span.start.line {
        number(span.end.column.saturating_sub(span.start.column))
    } else {
        usize::from(u16::MAX)
    };
    error.at(Place { line: number(span.start.line), column: number(span.start.column), length: length.max(1) })
}
