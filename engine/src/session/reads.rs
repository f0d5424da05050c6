//! Files that a session reads without a table in the catalog.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session as PlanningSession, TableProvider};
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::SessionContext;
use sluice_proto::{ReadSource, Setting};

use super::files::with_plain_partitions;
use super::prepared::ReadRequest;
use crate::error::{Error, ErrorCode, Result, nearest};
use crate::ipc;
use crate::storage;

/// What the readers' options have in common.
pub trait ReadOptions: Sized {
    /// The format's name.
    const FORMAT: &'static str;

    /// The columns and options that were set.
    fn parts(self) -> (Option<Schema>, Vec<(String, String)>);

    /// The request to read `path` so.
    fn request(self, path: &str) -> ReadRequest {
        let (schema, options) = self.parts();
        ReadRequest {
            format: Self::FORMAT.to_string(),
            path: path.to_string(),
            options,
            // A schema always encodes; where it would not, the file's own is inferred.
            schema: schema.and_then(|schema| ipc::encode_schema(&schema).ok()),
            register_as: None,
        }
    }
}

macro_rules! read_options {
    ($($name:ident = $format:literal, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            schema: Option<Schema>,
            options: Vec<(String, String)>,
        }

        impl $name {
            /// The columns, where they are not to be inferred.
            #[must_use]
            pub fn schema(mut self, schema: Schema) -> Self {
                self.schema = Some(schema);
                self
            }

            /// One option, as `CREATE EXTERNAL TABLE … OPTIONS` takes it.
            #[must_use]
            pub fn option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
                self.options.push((key.into(), value.into()));
                self
            }
        }

        impl ReadOptions for $name {
            const FORMAT: &'static str = $format;

            fn parts(self) -> (Option<Schema>, Vec<(String, String)>) {
                (self.schema, self.options)
            }
        }
    )*};
}

read_options! {
    ParquetOptions = "parquet", "How to read Parquet.";
    CsvOptions = "csv", "How to read CSV. The first line holds the names unless the option `has_header` is `false`.";
    JsonOptions = "json", "How to read a JSON object a line.";
}

/// The files as a table.
pub(crate) async fn provider(context: &SessionContext, read: &ReadRequest) -> Result<Arc<dyn TableProvider>> {
    let state = context.state();
    let Some(factory) = state.get_file_format_factory(&read.format) else {
        let error =
            Error::new(ErrorCode::InvalidArgument, format!("`{}` is not a format that can be read", read.format));
        let near = nearest(&read.format, ["parquet", "csv", "json", "arrow"]).unwrap_or("parquet");
        return Err(error.hint(format!("did you mean {near}?")));
    };
    let options = read
        .options
        .iter()
        .map(|(key, value)| {
            let key = if key.contains('.') { key.clone() } else { format!("format.{key}") };
            (key, value.clone())
        })
        .collect();
    let format = factory.create(&state, &options)?;
    let urls = match storage::matching_files(&state, &read.path).await? {
        Some(files) => files,
        None => vec![ListingTableUrl::parse(storage::absolute_url(&read.path)?.as_str())?],
    };
    let listing = ListingOptions::new(format).with_file_extension("");
    let url = existing(&state, &urls, &read.path).await?.clone();
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(listing.clone());
    let config = with_plain_partitions(config.infer_partitions_from_path(&state).await?);
    let schema: SchemaRef = match &read.schema {
        Some(bytes) => ipc::decode_schema(bytes)?,
        None => {
            let options = config.options.as_ref().unwrap_or(&listing);
            options.infer_schema(&state, &url).await?
        }
    };
    Ok(Arc::new(ListingTable::try_new(config.with_schema(schema))?))
}

/// The first of the locations. A missing file is an error of its own, and not a table without columns.
async fn existing<'a>(
    state: &dyn PlanningSession,
    urls: &'a [ListingTableUrl],
    path: &str,
) -> Result<&'a ListingTableUrl> {
    use futures::TryStreamExt;
    if let Some(url) = urls.first() {
        let store = state.runtime_env().object_store(url)?;
        let mut files = url.list_all_files(state, store.as_ref(), "").await?;
        if files.try_next().await?.is_some() {
            return Ok(url);
        }
    }
    Err(Error::new(ErrorCode::FileNotFound, format!("no file at '{path}'"))
        .hint("a relative path starts at the working folder of the process that plans"))
}

impl From<ReadRequest> for ReadSource {
    fn from(read: ReadRequest) -> Self {
        Self {
            format: read.format,
            path: read.path,
            options: read.options.into_iter().map(|(key, value)| Setting { key, value }).collect(),
            schema: read.schema.unwrap_or_default(),
            register_as: read.register_as.unwrap_or_default(),
        }
    }
}

impl From<ReadSource> for ReadRequest {
    fn from(read: ReadSource) -> Self {
        Self {
            format: read.format,
            path: read.path,
            options: read.options.into_iter().map(|option| (option.key, option.value)).collect(),
            schema: Some(read.schema).filter(|schema| !schema.is_empty()),
            register_as: Some(read.register_as).filter(|name| !name.is_empty()),
        }
    }
}
