//! Rows as an Arrow IPC stream cut into bounded pieces, and back.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::{StreamDecoder, StreamReader};
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::Result;

/// Writes batches as one IPC stream, a piece at a time.
pub struct PieceEncoder {
    writer: StreamWriter<Vec<u8>>,
    piece_bytes: usize,
}

impl PieceEncoder {
    /// A stream of the given schema whose pieces hold about `piece_bytes` of rows, and at least one row.
    pub fn try_new(schema: &Schema, piece_bytes: usize) -> Result<Self> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema)?, piece_bytes: piece_bytes.max(1) })
    }

    /// What has been written and not yet taken; the schema, before the first batch.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(self.writer.get_mut()).into()
    }

    /// Cuts a batch into slices that are about a piece each.
    pub fn slices(&self, batch: &RecordBatch) -> Vec<RecordBatch> {
        let rows = batch.num_rows();
        let bytes = batch.get_array_memory_size().max(1);
        let rows_per_piece = (rows * self.piece_bytes / bytes).clamp(1, rows.max(1));
        (0..rows).step_by(rows_per_piece).map(|offset| batch.slice(offset, rows_per_piece.min(rows - offset))).collect()
    }

    /// Writes one slice and takes its bytes.
    pub fn encode(&mut self, slice: &RecordBatch) -> Result<Bytes> {
        self.writer.write(slice)?;
        Ok(self.take())
    }

    /// Writes the end of the stream and takes its bytes.
    pub fn finish(mut self) -> Result<Bytes> {
        self.writer.finish()?;
        Ok(self.take())
    }
}

/// Reads what [`PieceEncoder`] wrote, in whatever pieces it arrives.
#[derive(Default)]
pub struct PieceDecoder {
    decoder: StreamDecoder,
}

impl PieceDecoder {
    /// The whole batches that end in this piece.
    pub fn decode(&mut self, piece: Bytes) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut buffer = Buffer::from(piece);
        let mut batches = Vec::new();
        while !buffer.is_empty() {
            if let Some(batch) = self.decoder.decode(&mut buffer)? {
                batches.push(batch);
            }
        }
        Ok(batches)
    }
}

/// All batches as one stream.
pub fn encode_stream(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// The schema and all batches of a stream.
pub fn decode_stream(bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, ArrowError>>()?;
    Ok((schema, batches))
}

/// A schema alone, as a stream without batches.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    encode_stream(&Arc::new(schema.clone()), &[])
}

/// The schema of a stream.
pub fn decode_schema(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}
