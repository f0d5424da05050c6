//! Parquet files that are read closer to how they have their columns.
//!
//! Parquet's reader takes the Arrow types of columns from the schema that the file's writer has left in the metadata. The
//! reader here changes this schema in the metadata that it hands on: per file, and only where the file has the column so.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use datafusion::parquet::basic::{Encoding, PageType, Type};
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;

use super::stored::Stored;

/// A dictionary that takes more bytes in its file is not kept: a condition is evaluated on each of its words for each
/// batch.
const MOST_DICTIONARY_BYTES: i64 = 16 << 10;

/// Which columns, by name, are read how.
pub(super) type Columns = HashMap<String, Stored>;

/// Opens files whose columns are read as they are stored.
pub(super) struct StoredReaders {
    files: Arc<dyn ParquetFileReaderFactory>,
    columns: Arc<Columns>,
    known: Arc<Known>,
}

/// The metadata of files that were opened, each beside the changed one. A file is opened once for each of its parts.
type Known = Mutex<HashMap<Path, (Arc<ParquetMetaData>, Arc<ParquetMetaData>)>>;

impl StoredReaders {
    pub(super) fn new(files: Arc<dyn ParquetFileReaderFactory>, columns: Columns) -> Self {
        Self { files, columns: Arc::new(columns), known: Arc::default() }
    }
}

impl fmt::Debug for StoredReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredReaders").field("files", &self.files).field("columns", &self.columns).finish()
    }
}

impl ParquetFileReaderFactory for StoredReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = partitioned_file.object_meta.location.clone();
        let file = self.files.create_reader(partition_index, partitioned_file, metadata_size_hint, metrics)?;
        let (columns, known) = (Arc::clone(&self.columns), Arc::clone(&self.known));
        Ok(Box::new(StoredReader { file, path, columns, known }))
    }
}

struct StoredReader {
    file: Box<dyn AsyncFileReader + Send>,
    path: Path,
    columns: Arc<Columns>,
    known: Arc<Known>,
}

impl AsyncFileReader for StoredReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.file.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.file.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let metadata = self.file.get_metadata(options).await?;
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&self.path).cloned();
            if let Some((_, changed)) = known.filter(|(before, _)| Arc::ptr_eq(before, &metadata)) {
                return Ok(changed);
            }
            let changed = match with_stored(&metadata, &self.columns)? {
                Some(changed) => Arc::new(changed),
                None => Arc::clone(&metadata),
            };
            let both = (metadata, Arc::clone(&changed));
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(self.path.clone(), both);
            Ok(changed)
        }
        .boxed()
    }
}

/// The metadata whose schema has the columns as they are stored, if any of them is so.
fn with_stored(metadata: &ParquetMetaData, columns: &Columns) -> ParquetResult<Option<ParquetMetaData>> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let fields: Vec<FieldRef> = schema.fields().iter().map(|field| stored_field(metadata, field, columns)).collect();
    if fields.iter().zip(schema.fields()).all(|(changed, field)| Arc::ptr_eq(changed, field)) {
        return Ok(None);
    }
    let encoded = encode_arrow_schema(&Schema::new_with_metadata(fields, schema.metadata().clone()));
    let mut entries = file.key_value_metadata().cloned().unwrap_or_default();
    entries.retain(|entry| entry.key != ARROW_SCHEMA_META_KEY);
    entries.push(KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encoded));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(entries),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let changed = ParquetMetaDataBuilder::new(file)
        .set_row_groups(metadata.row_groups().to_vec())
        .set_column_index(metadata.column_index().cloned())
        .set_offset_index(metadata.offset_index().cloned());
    Ok(Some(changed.build()))
}

fn stored_field(metadata: &ParquetMetaData, field: &FieldRef, columns: &Columns) -> FieldRef {
    let Some(stored) = columns.get(field.name()) else { return Arc::clone(field) };
    // Whoever gave a type of their own to the column reads it in that.
    if field.extension_type_name().is_some() {
        return Arc::clone(field);
    }
    // A file's own texts may have another type than the table's.
    let own = match field.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => &DataType::Utf8,
        own => own,
    };
    let has_it = match stored {
        Stored::Codes => is_coded(metadata, field.name()),
        Stored::Narrow => is_narrow(metadata, field.name()),
        Stored::Views => true,
    };
    match stored.of(own).filter(|_| has_it) {
        Some(kind) => Arc::new(Field::clone(field).with_data_type(kind)),
        None => Arc::clone(field),
    }
}

/// The place of a column that is not nested.
fn leaf_of(metadata: &ParquetMetaData, name: &str) -> Option<usize> {
    metadata.file_metadata().schema_descr().columns().iter().position(|leaf| leaf.path().parts() == [name])
}

/// Whether a column's decimals are stored in a fixed number of bytes. Decimals of any length are not read in 64 bits.
fn is_narrow(metadata: &ParquetMetaData, name: &str) -> bool {
    let kind = leaf_of(metadata, name).map(|leaf| metadata.file_metadata().schema_descr().column(leaf).physical_type());
    matches!(kind, Some(Type::INT32 | Type::INT64 | Type::FIXED_LEN_BYTE_ARRAY))
}

/// Whether all values of a column are numbers of words of small dictionaries.
fn is_coded(metadata: &ParquetMetaData, name: &str) -> bool {
    let Some(leaf) = leaf_of(metadata, name) else { return false };
    metadata.row_groups().iter().all(|group| group.num_rows() == 0 || is_coded_chunk(group.column(leaf)))
}

fn is_coded_chunk(chunk: &ColumnChunkMetaData) -> bool {
    let is_code = |encoding| matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
    let all_codes = match (chunk.page_encoding_stats_mask(), chunk.page_encoding_stats()) {
        (Some(pages), _) => pages.encodings().all(is_code),
        (None, Some(pages)) => {
            pages.iter().all(|pages| pages.page_type == PageType::DICTIONARY_PAGE || is_code(pages.encoding))
        }
        (None, None) => false,
    };
    let bytes = chunk.dictionary_page_offset().map(|offset| chunk.data_page_offset() - offset);
    all_codes && bytes.is_some_and(|bytes| (0..=MOST_DICTIONARY_BYTES).contains(&bytes))
}
