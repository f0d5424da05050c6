//! Arrow schemas as readable JSON.
//!
//! A type is written as arrow displays it and read back by arrow's own parser. Types that do not survive that, such
//! as a struct whose inner fields carry metadata, are written as the arrow IPC message of a one-column schema.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};

const IPC_PREFIX: &str = "ipc:";

/// A schema.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SchemaText {
    /// Columns in order.
    pub columns: Vec<ColumnText>,
    /// Metadata of the schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnText {
    /// Name.
    pub name: String,
    /// Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether nulls are allowed.
    pub nullable: bool,
    /// Metadata of the column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl SchemaText {
    /// Writes a schema.
    ///
    /// # Errors
    /// `Unsupported` for a type that neither form can hold.
    pub fn from_arrow(schema: &Schema) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| column(field)).collect::<Result<_>>()?;
        let metadata = schema.metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Self { columns, metadata })
    }

    /// Reads the schema.
    ///
    /// # Errors
    /// `CorruptFile` for a type that is none.
    pub fn to_arrow(&self) -> Result<SchemaRef> {
        let fields = self.columns.iter().map(field).collect::<Result<Vec<_>>>()?;
        let metadata = self.metadata.clone().into_iter().collect();
        Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
    }
}

fn column(field: &Field) -> Result<ColumnText> {
    let readable = field.data_type().to_string();
    let data_type = match readable.parse::<DataType>() {
        Ok(parsed) if &parsed == field.data_type() => readable,
        _ => ipc_text(field.data_type()).map_err(|error| {
            let message = format!("the catalog cannot keep the type {readable} of column `{}`", field.name());
            Error::new(ErrorCode::Unsupported, message).caused_by(error)
        })?,
    };
    let metadata = field.metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(ColumnText { name: field.name().clone(), data_type, nullable: field.is_nullable(), metadata })
}

fn field(column: &ColumnText) -> Result<Field> {
    let data_type = match column.data_type.strip_prefix(IPC_PREFIX) {
        Some(hex) => ipc_type(hex),
        None => column.data_type.parse::<DataType>(),
    }
    .map_err(|error| {
        let message = format!("the catalog has no readable type for column `{}`", column.name);
        Error::new(ErrorCode::CorruptFile, message).caused_by(error)
    })?;
    let metadata = column.metadata.clone().into_iter().collect();
    Ok(Field::new(&column.name, data_type, column.nullable).with_metadata(metadata))
}

fn ipc_text(data_type: &DataType) -> Result<String, ArrowError> {
    let schema = Schema::new(vec![Field::new("t", data_type.clone(), true)]);
    let bytes = StreamWriter::try_new(Vec::new(), &schema)?.into_inner()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{IPC_PREFIX}{hex}"))
}

fn ipc_type(hex: &str) -> Result<DataType, ArrowError> {
    let broken = || ArrowError::IpcError("not the hexadecimal text of a schema message".to_string());
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(broken)?;
    let schema = StreamReader::try_new(Cursor::new(bytes), None)?.schema();
    schema.fields().first().map(|field| field.data_type().clone()).ok_or_else(broken)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::datatypes::{Fields, TimeUnit};

    use super::*;

    fn round_trip(schema: &Schema) -> SchemaText {
        let text = SchemaText::from_arrow(schema).unwrap();
        let json = serde_json::to_string(&text).unwrap();
        let read: SchemaText = serde_json::from_str(&json).unwrap();
        assert_eq!(read.to_arrow().unwrap().as_ref(), schema);
        text
    }

    #[test]
    fn common_types_are_readable() {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("price", DataType::Decimal128(12, 2), true),
            Field::new("day", DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8)), false),
            Field::new_list("tags", Field::new_list_field(DataType::Utf8View, true), true),
            Field::new_struct("place", vec![Field::new("a \"b\"", DataType::Float64, false)], true),
        ]);
        let text = round_trip(&schema);
        assert_eq!(text.columns[0].data_type, "Int64");
        assert_eq!(text.columns[2].data_type, "Decimal128(12, 2)");
    }

    #[test]
    fn metadata_survives_at_every_level() {
        let marked = |name: &str| {
            Field::new(name, DataType::Int32, true).with_metadata(HashMap::from([("k".to_string(), name.to_string())]))
        };
        let nested = Field::new("s", DataType::Struct(Fields::from(vec![marked("inner")])), true);
        let schema = Schema::new_with_metadata(
            vec![marked("outer"), nested],
            HashMap::from([("a".to_string(), "b".to_string())]),
        );
        let text = round_trip(&schema);
        assert!(text.columns[1].data_type.starts_with(IPC_PREFIX), "{}", text.columns[1].data_type);
    }

    #[test]
    fn a_type_that_is_none_names_its_column() {
        for data_type in ["Int65", "ipc:0g", "ipc:00"] {
            let column =
                ColumnText { name: "c".into(), data_type: data_type.into(), nullable: true, metadata: BTreeMap::new() };
            let error = SchemaText { columns: vec![column], metadata: BTreeMap::new() }.to_arrow().unwrap_err();
            assert_eq!(error.code(), ErrorCode::CorruptFile);
            assert!(error.message().contains("`c`"), "{error}");
        }
    }
}
