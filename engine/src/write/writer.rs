//! The options of a file format's writer, resolved where the statement is planned and carried as bytes, so that an
//! executor writes the same files whatever its own settings are. Options that a DataFrame was given as types come along.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::GetExt;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::file_options::csv_writer::CsvWriterOptions;
use datafusion::common::file_options::file_type::FileType;
use datafusion::common::file_options::json_writer::JsonWriterOptions;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::{ArrowFormat, ArrowFormatFactory};
use datafusion::datasource::file_format::csv::{CsvFormat, CsvFormatFactory};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::{JsonFormat, JsonFormatFactory};
use datafusion::datasource::file_format::parquet::{ParquetFormat, ParquetFormatFactory};
use datafusion::datasource::file_format::{FileFormatFactory, file_type_to_format};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::logical_plan::file_formats::{
    CsvLogicalExtensionCodec, JsonLogicalExtensionCodec, ParquetLogicalExtensionCodec,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode};

/// A file format that Sluice writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteFormat {
    /// Apache Parquet.
    Parquet,
    /// Delimited text.
    Csv,
    /// One JSON object a line.
    Json,
    /// Arrow IPC files.
    Arrow,
}

impl WriteFormat {
    /// The format's name in SQL, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            WriteFormat::Parquet => "parquet",
            WriteFormat::Csv => "csv",
            WriteFormat::Json => "json",
            WriteFormat::Arrow => "arrow",
        }
    }

    /// The format of that name, in any case; `ndjson` is JSON too.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim_start_matches('.').to_lowercase().as_str() {
            "parquet" => Some(WriteFormat::Parquet),
            "csv" => Some(WriteFormat::Csv),
            "json" | "ndjson" => Some(WriteFormat::Json),
            "arrow" => Some(WriteFormat::Arrow),
            _ => None,
        }
    }

    fn factory(self) -> Arc<dyn FileFormatFactory> {
        match self {
            WriteFormat::Parquet => Arc::new(ParquetFormatFactory::new()),
            WriteFormat::Csv => Arc::new(CsvFormatFactory::new()),
            WriteFormat::Json => Arc::new(JsonFormatFactory::new()),
            WriteFormat::Arrow => Arc::new(ArrowFormatFactory::new()),
        }
    }
}

/// A format with every option of its writer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriterOptions {
    format: WriteFormat,
    /// The options as DataFusion's codec writes them; empty for Arrow, which has none.
    message: Vec<u8>,
}

/// The options in the form that DataFusion's sinks take.
pub(super) enum TypedOptions {
    Parquet(Box<TableParquetOptions>),
    Csv(Box<CsvWriterOptions>),
    Json(JsonWriterOptions),
    Arrow,
}

impl WriterOptions {
    /// The options of a `COPY`: those that its file type carries, with those of the statement over them.
    pub fn of_copy(
        file_type: &Arc<dyn FileType>,
        options: &BTreeMap<String, String>,
        state: &dyn Session,
    ) -> Result<Self> {
        let factory = file_type_to_format(file_type)?;
        // A factory with options of its own takes keys without the prefix, any other takes them with it.
        let has_own = factory.downcast_ref::<ParquetFormatFactory>().is_some_and(|it| it.options.is_some())
            || factory.downcast_ref::<JsonFormatFactory>().is_some_and(|it| it.options.is_some())
            || factory.downcast_ref::<CsvFormatFactory>().is_some_and(|it| it.options.is_some());
        let options = options.iter().map(|(key, value)| match (key.strip_prefix("format."), has_own) {
            (Some(bare), true) => (bare.to_string(), value.clone()),
            (None, false) if !key.contains('.') => (format!("format.{key}"), value.clone()),
            _ => (key.clone(), value.clone()),
        });
        let created = factory.create(state, &options.collect())?;
        Self::of_format(created.as_ref(), state)
    }

    /// The session's defaults with a statement's options over them. Keys are those of `COPY … OPTIONS`, with or
    /// without the prefix `format.`: `compression`, `format.delimiter`.
    pub fn resolve(format: WriteFormat, options: &BTreeMap<String, String>, state: &dyn Session) -> Result<Self> {
        let prefixed = options.iter().map(|(key, value)| match key.contains('.') {
            true => (key.clone(), value.clone()),
            false => (format!("format.{key}"), value.clone()),
        });
        let created = format.factory().create(state, &prefixed.collect())?;
        Self::of_format(created.as_ref(), state)
    }

    /// The options of a format that DataFusion made. What they leave open is taken from the session.
    pub fn of_format(format: &dyn FileFormat, state: &dyn Session) -> Result<Self> {
        if let Some(parquet) = format.downcast_ref::<ParquetFormat>() {
            let options = parquet.options();
            if options.crypto.file_encryption.is_some() || options.crypto.factory_id.is_some() {
                return Err(unsupported("writing encrypted Parquet files"));
            }
            return Self::carry(
                WriteFormat::Parquet,
                Arc::new(ParquetFormatFactory::new_with_options(options.clone())),
            );
        }
        if let Some(csv) = format.downcast_ref::<CsvFormat>() {
            let catalog = &state.config_options().catalog;
            let options = csv.options().clone();
            let has_header = options.has_header.unwrap_or(catalog.has_header);
            let newlines_in_values = options.newlines_in_values.unwrap_or(catalog.newlines_in_values);
            let options = options.with_has_header(has_header).with_newlines_in_values(newlines_in_values);
            return Self::carry(WriteFormat::Csv, Arc::new(CsvFormatFactory::new_with_options(options)));
        }
        if let Some(json) = format.downcast_ref::<JsonFormat>() {
            if !json.options().newline_delimited {
                return Err(unsupported("writing one JSON array instead of a JSON object a line"));
            }
            return Self::carry(
                WriteFormat::Json,
                Arc::new(JsonFormatFactory::new_with_options(json.options().clone())),
            );
        }
        if format.is::<ArrowFormat>() {
            return Ok(Self { format: WriteFormat::Arrow, message: Vec::new() });
        }
        Err(unsupported(&format!("writing {} files", format.get_ext())))
    }

    fn carry(format: WriteFormat, factory: Arc<dyn FileFormatFactory>) -> Result<Self> {
        let mut message = Vec::new();
        match format {
            WriteFormat::Parquet => ParquetLogicalExtensionCodec.try_encode_file_format(&mut message, factory)?,
            WriteFormat::Csv => CsvLogicalExtensionCodec.try_encode_file_format(&mut message, factory)?,
            WriteFormat::Json => JsonLogicalExtensionCodec.try_encode_file_format(&mut message, factory)?,
            WriteFormat::Arrow => {}
        }
        Ok(Self { format, message })
    }

    /// The format.
    pub fn format(&self) -> WriteFormat {
        self.format
    }

    /// What file names end in, without the leading dot: `parquet`, `csv.gz`.
    pub fn extension(&self) -> String {
        let plain = self.format.factory().get_ext();
        let compression = match self.typed() {
            Ok(TypedOptions::Csv(options)) => options.compression,
            Ok(TypedOptions::Json(options)) => options.compression,
            _ => CompressionTypeVariant::UNCOMPRESSED,
        };
        format!("{plain}{}", FileCompressionType::from(compression).get_ext())
    }

    pub(super) fn typed(&self) -> Result<TypedOptions> {
        let lost = || DataFusionError::Internal(format!("the options of a {} writer were lost", self.format.name()));
        // The codecs of options look nothing up.
        let (bytes, context) = (self.message.as_slice(), TaskContext::default());
        Ok(match self.format {
            WriteFormat::Parquet => {
                let factory = ParquetLogicalExtensionCodec.try_decode_file_format(bytes, &context)?;
                let options =
                    factory.downcast_ref::<ParquetFormatFactory>().and_then(|factory| factory.options.clone());
                TypedOptions::Parquet(Box::new(options.ok_or_else(lost)?))
            }
            WriteFormat::Csv => {
                let factory = CsvLogicalExtensionCodec.try_decode_file_format(bytes, &context)?;
                let options = factory.downcast_ref::<CsvFormatFactory>().and_then(|factory| factory.options.clone());
                TypedOptions::Csv(Box::new(CsvWriterOptions::try_from(&options.ok_or_else(lost)?)?))
            }
            WriteFormat::Json => {
                let factory = JsonLogicalExtensionCodec.try_decode_file_format(bytes, &context)?;
                let options = factory.downcast_ref::<JsonFormatFactory>().and_then(|factory| factory.options.clone());
                TypedOptions::Json(JsonWriterOptions::try_from(&options.ok_or_else(lost)?)?)
            }
            WriteFormat::Arrow => TypedOptions::Arrow,
        })
    }
}

fn unsupported(what: &str) -> DataFusionError {
    external(Error::new(ErrorCode::Unsupported, format!("{what} is not supported")))
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::session_state::SessionStateBuilder;

    fn resolve(format: WriteFormat, options: &[(&str, &str)]) -> Result<WriterOptions> {
        let state = SessionStateBuilder::new().with_default_features().build();
        let options = options.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        WriterOptions::resolve(format, &options, &state)
    }

    #[test]
    fn parquet_options_survive_the_trip() {
        let sent = [("compression", "zstd(7)"), ("format.max_row_group_size", "1234"), ("encoding::id", "plain")];
        let options = resolve(WriteFormat::Parquet, &sent).unwrap();
        let json = serde_json::to_vec(&options).unwrap();
        let options: WriterOptions = serde_json::from_slice(&json).unwrap();
        let TypedOptions::Parquet(typed) = options.typed().unwrap() else { panic!("not parquet") };
        assert_eq!(typed.global.compression.as_deref(), Some("zstd(7)"));
        assert_eq!(typed.global.max_row_group_size, 1234);
        assert_eq!(typed.column_specific_options["id"].encoding.as_deref(), Some("plain"));
        assert_eq!(options.extension(), "parquet");
    }

    #[test]
    fn text_options_survive_the_trip_and_compression_shows_in_the_extension() {
        let options = resolve(WriteFormat::Csv, &[("delimiter", "|"), ("has_header", "false")]).unwrap();
        let TypedOptions::Csv(typed) = options.typed().unwrap() else { panic!("not csv") };
        assert_eq!(typed.writer_options.delimiter(), b'|');
        assert!(!typed.writer_options.header());
        assert_eq!(options.extension(), "csv");
        assert_eq!(resolve(WriteFormat::Json, &[("compression", "gzip")]).unwrap().extension(), "json.gz");
        assert_eq!(resolve(WriteFormat::Csv, &[("compression", "zstd")]).unwrap().extension(), "csv.zst");
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(resolve(WriteFormat::Parquet, &[("no_such_option", "1")]).is_err());
    }
}
