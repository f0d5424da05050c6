//! Results on standard output, in the form that the user asked for.
//!
//! An [`Encoder`] writes one result, batch by batch; [`Output`] owns standard output and starts an encoder for each
//! result.

mod arrow;
mod columns;
mod csv;
mod json;
mod parquet;
mod plan;
mod table;

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::arrow::array::RecordBatch;
use ::arrow::datatypes::SchemaRef;
use ::arrow::error::ArrowError;
use clap::ValueEnum;
use sluice::{Error, ErrorCode};

use crate::failure::Failure;

/// Bytes that are gathered before they are handed to the system.
const BUFFER_BYTES: usize = 64 * 1024;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, at most 10,000 rows
    Table,
    /// A header and RFC 4180 rows
    Csv,
    /// One array of objects
    Json,
    /// One object a line
    Ndjson,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}

impl Format {
    /// The format's name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Parquet)
    }
}

/// How many rows an encoder got and how many of them it did not write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) rows: u64,
    pub(crate) rows_left_out: u64,
}

/// Writes one result.
pub(crate) trait Encoder {
    /// Writes, or keeps, the rows of a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;
    /// Ends the result.
    fn finish(self: Box<Self>) -> Result<Summary, ArrowError>;
}

/// What results are written to.
type Sink = dyn Write + Send;

/// Standard output and how to write to it.
pub(crate) struct Output {
    sink: Box<Sink>,
    format: Format,
    is_terminal: bool,
    closed: Arc<AtomicBool>,
    has_result: bool,
}

impl Output {
    /// Takes standard output, for results in `format`.
    pub(crate) fn standard(format: Format) -> Result<Self, Failure> {
        let standard = std::io::stdout();
        let is_terminal = standard.is_terminal();
        // The library's own standard output goes to the system at every line end.
        let file = File::from(standard.as_fd().try_clone_to_owned()?);
        let mut output = Self::over(BufWriter::with_capacity(BUFFER_BYTES, file), format, is_terminal);
        output.set_format(format)?;
        Ok(output)
    }

    fn over(sink: impl Write + Send + 'static, format: Format, is_terminal: bool) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let sink = Box::new(Watched { sink, closed: Arc::clone(&closed) });
        Self { sink, format, is_terminal, closed, has_result: false }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Writes results from now on in `format`. A terminal is no place for binary ones.
    pub(crate) fn set_format(&mut self, format: Format) -> Result<(), Failure> {
        if format.is_binary() && self.is_terminal {
            let name = format.name();
            return Err(Error::new(ErrorCode::InvalidArgument, format!("{name} is not written to a terminal"))
                .hint(format!("send it to a file: sluice … --format {name} > result.{name}"))
                .into());
        }
        self.format = format;
        Ok(())
    }

    /// Starts a result. `is_plan` says that its rows are plans, which a table shows as plain text.
    pub(crate) fn start(&mut self, schema: &SchemaRef, is_plan: bool) -> Result<Box<dyn Encoder + '_>, Failure> {
        if self.has_result && self.format == Format::Parquet {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "a Parquet file holds one result, and there are several",
            )
            .hint("run one statement, or use another --format")
            .into());
        }
        self.has_result = true;
        let closed = Arc::clone(&self.closed);
        let sink: &mut Sink = &mut *self.sink;
        let encoder: Result<Box<dyn Encoder + '_>, ArrowError> = match self.format {
            Format::Table if is_plan && plan::fits(schema) => Ok(Box::new(plan::PlanEncoder::new(sink))),
            Format::Table => Ok(Box::new(table::TableEncoder::new(sink, schema))),
            Format::Csv => csv::CsvEncoder::start(sink, schema).map(|encoder| Box::new(encoder) as _),
            Format::Json => Ok(Box::new(json::JsonEncoder::new(sink, schema))),
            Format::Ndjson => Ok(Box::new(json::NdjsonEncoder::new(sink, schema))),
            Format::Arrow => arrow::ArrowEncoder::start(sink, schema).map(|encoder| Box::new(encoder) as _),
            Format::Parquet => parquet::ParquetEncoder::start(sink, schema).map(|encoder| Box::new(encoder) as _),
        };
        encoder.map_err(|error| write_failure(error, &closed))
    }

    /// The failure for an encoder's error: none at all where the reader has left.
    pub(crate) fn failures(&self) -> impl Fn(ArrowError) -> Failure + use<> {
        let closed = Arc::clone(&self.closed);
        move |error| write_failure(error, &closed)
    }

    /// Writes text as it is, such as an answer that is not rows.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.sink.write_all(text.as_bytes())?;
        self.flush()
    }

    /// Hands everything written so far to the system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.sink.flush()?)
    }
}

/// Writes a line beside the results, on standard error. Where that is closed, there is nobody to tell.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn write_failure(error: ArrowError, closed: &AtomicBool) -> Failure {
    if closed.load(Ordering::Relaxed) {
        return Failure::ClosedPipe;
    }
    match error {
        ArrowError::IoError(_, error) => error.into(),
        ArrowError::NotYetImplemented(what) => {
            Error::new(ErrorCode::Unsupported, format!("this form of output cannot hold the result: {what}"))
                .hint("use another --format, or cast the column")
                .into()
        }
        other => Error::new(ErrorCode::Storage, format!("cannot write the result: {other}")).into(),
    }
}

/// Remembers that the reader has left: encoders do not keep the kind of an error.
struct Watched<W> {
    sink: W,
    closed: Arc<AtomicBool>,
}

impl<W> Watched<W> {
    fn note<T>(&self, result: std::io::Result<T>) -> std::io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            self.closed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.sink.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.sink.flush();
        self.note(result)
    }
}

#[cfg(test)]
mod tests;
