//! Columns as the formats that name or spell them out need them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The schema with names made unique: `id, id` becomes `id, id_1`. A join may give one name twice, which an object or
/// a Parquet file cannot hold.
pub(super) fn with_unique_names(schema: &SchemaRef) -> SchemaRef {
    let all = schema.fields().iter().map(|field| field.name().as_str()).collect::<HashSet<_>>();
    if all.len() == schema.fields().len() {
        return Arc::clone(schema);
    }
    let mut used = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let mut name = field.name().clone();
        let mut number = 0;
        while (number > 0 && all.contains(name.as_str())) || !used.insert(name.clone()) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        Arc::new(field.as_ref().clone().with_name(name))
    });
    let fields = fields.collect::<Vec<_>>();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The batch under another schema of the same types.
pub(super) fn relabel(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
}

/// The schema with lists, structs and maps as text.
pub(super) fn flat_schema(schema: &SchemaRef) -> SchemaRef {
    if !schema.fields().iter().any(|field| field.data_type().is_nested()) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().map(|field| match field.data_type().is_nested() {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        false => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The batch with lists, structs and maps spelled out as text.
pub(super) fn flatten(batch: &RecordBatch, flat: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.data_type().is_nested() {
        true => spelled_out(column),
        false => Ok(Arc::clone(column)),
    });
    RecordBatch::try_new(Arc::clone(flat), columns.collect::<Result<Vec<_>, _>>()?)
}

fn spelled_out(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let values = (0..column.len())
        .map(|row| if column.is_null(row) { Ok(None) } else { formatter.value(row).try_to_string().map(Some) });
    Ok(Arc::new(values.collect::<Result<StringArray, ArrowError>>()?))
}
