//! DataFusion's errors as Sluice's: the type is read from the type where there is one, and from the words where an
//! error has crossed Ballista as text.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::parser::ParserError;
use object_store::Error as StoreError;

use super::words::{clean, from_words};
use super::{Error, ErrorCode};

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        classify(&error).caused_by_plan(error)
    }
}

impl Error {
    /// The error of a task, from the text in which Ballista hands it on.
    pub fn from_task_text(text: &str) -> Self {
        from_words(text)
    }

    /// Keeps DataFusion's error for [`Error::in_statement`], unless it wraps one of Sluice's.
    fn caused_by_plan(self, error: DataFusionError) -> Self {
        if std::error::Error::source(&self).is_some() { self } else { self.caused_by(error) }
    }
}

/// The error's type and one clean sentence.
fn classify(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(own) => own.clone(),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(nested) => classify(nested),
                None => from_words(&inner.to_string()),
            },
        },
        DataFusionError::Context(_, inner) => classify(inner),
        DataFusionError::Diagnostic(_, inner) => classify(inner),
        DataFusionError::Shared(inner) => classify(inner),
        DataFusionError::Collection(errors) => {
            errors.first().map_or_else(|| Error::new(ErrorCode::Internal, "an empty list of errors"), classify)
        }
        DataFusionError::ArrowError(inner, _) => arrow(inner),
        DataFusionError::ParquetError(inner) => match inner.as_ref() {
            ParquetError::External(cause) => from_words(&cause.to_string()),
            other => corrupt(&other.to_string()),
        },
        DataFusionError::ObjectStore(inner) => store(inner),
        DataFusionError::IoError(inner) => io(inner),
        DataFusionError::SQL(inner, _) => syntax(inner),
        DataFusionError::NotImplemented(message) => Error::new(ErrorCode::Unsupported, clean(message)),
        DataFusionError::SchemaError(inner, _) => schema(inner),
        DataFusionError::ResourcesExhausted(message) => memory(message),
        DataFusionError::Configuration(message) => Error::new(ErrorCode::SettingInvalid, clean(message)),
        other => from_words(&other.strip_backtrace()),
    }
}

fn arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => evaluation("division by zero"),
        ArrowError::ArithmeticOverflow(message)
        | ArrowError::CastError(message)
        | ArrowError::ParseError(message)
        | ArrowError::ComputeError(message) => evaluation(message),
        ArrowError::CsvError(message) | ArrowError::JsonError(message) => corrupt(message),
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<Error>() {
            Some(own) => own.clone(),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(nested) => classify(nested),
                None => from_words(&inner.to_string()),
            },
        },
        ArrowError::IoError(_, inner) => io(inner),
        other => from_words(&other.to_string()),
    }
}

fn schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, .. } => {
            Error::new(ErrorCode::ColumnNotFound, format!("column \"{}\" not found", field.name()))
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(ErrorCode::InvalidPlan, format!("column \"{}\" is ambiguous", field.name()))
                .hint("write the table's name before it")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(ErrorCode::InvalidPlan, format!("there is more than one column \"{name}\""))
                .hint("give them different names with AS")
        }
    }
}

fn syntax(error: &ParserError) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.clone(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_string(),
    };
    Error::new(ErrorCode::Syntax, clean(&message))
}

pub(super) fn store(error: &StoreError) -> Error {
    match error {
        StoreError::NotFound { path, .. } => Error::new(ErrorCode::FileNotFound, format!("no file at '{path}'")),
        StoreError::PermissionDenied { path, .. } | StoreError::Unauthenticated { path, .. } => {
            Error::new(ErrorCode::AccessDenied, format!("access to '{path}' is refused"))
                .hint("check the credentials, or the rights of the file")
        }
        StoreError::AlreadyExists { path, .. } | StoreError::Precondition { path, .. } => {
            Error::new(ErrorCode::Conflict, format!("another writer made '{path}' first"))
        }
        other => {
            let mut source: Option<&dyn std::error::Error> = std::error::Error::source(other);
            while let Some(cause) = source {
                if let Some(cause) = cause.downcast_ref::<std::io::Error>() {
                    return io(cause);
                }
                source = cause.source();
            }
            from_words(&other.to_string())
        }
    }
}

pub(super) fn io(error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => disk_full(),
        ErrorKind::NotFound => Error::new(ErrorCode::FileNotFound, "a file is missing").hint(error.to_string()),
        ErrorKind::PermissionDenied => Error::new(ErrorCode::AccessDenied, "the file system refuses access"),
        _ => {
            let nested = error.get_ref().and_then(|inner| inner.downcast_ref::<DataFusionError>());
            nested.map_or_else(|| from_words(&error.to_string()), classify)
        }
    }
}

pub(super) fn evaluation(message: &str) -> Error {
    Error::new(ErrorCode::Evaluation, clean(message)).hint("TRY_CAST and NULLIF give NULL instead of an error")
}

pub(super) fn corrupt(message: &str) -> Error {
    Error::new(ErrorCode::CorruptFile, clean(message)).hint("is the file whole, and of the format that was named?")
}

pub(super) fn disk_full() -> Error {
    Error::new(ErrorCode::DiskFull, "no space is left on the disk")
        .hint("free some, or name another folder in sluice.memory.spill_path or sluice.cluster.work_dir")
}

pub(super) fn memory(message: &str) -> Error {
    if message.contains("o space left") || message.contains("disk") {
        return disk_full();
    }
    Error::new(ErrorCode::MemoryExhausted, clean(message)).hint("raise sluice.memory.limit, or sluice.execution.partitions")
}
