//! Streams of rows made by an async block that runs only while the stream is polled: dropping the stream drops the
//! block, and with it everything that the block holds, such as a job to cancel.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{Error, Result};

/// Where the block puts its rows.
pub struct RowSink {
    sender: mpsc::Sender<datafusion::error::Result<RecordBatch>>,
    sent_rows: u64,
}

impl RowSink {
    /// Hands a batch on, once the reader has room for it.
    pub async fn send(&mut self, batch: RecordBatch) {
        self.sent_rows += batch.num_rows() as u64;
        // A send fails only when the stream was dropped, and then the block is about to be as well.
        let _ = self.sender.send(Ok(batch)).await;
    }

    /// How many rows the reader may have seen.
    pub fn sent_rows(&self) -> u64 {
        self.sent_rows
    }
}

/// A stream of what `produce` sends; an error of the block is the stream's last item.
pub fn produce<F, Fut>(schema: SchemaRef, produce: F) -> SendableRecordBatchStream
where
    F: FnOnce(RowSink) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let errors = sender.clone();
    let block = produce(RowSink { sender, sent_rows: 0 });
    let mut producer = Box::pin(async move {
        if let Err(error) = block.await {
            let _ = errors.send(Err(DataFusionError::from(error))).await;
        }
    });
    let mut receiver = ReceiverStream::new(receiver);
    let mut running = true;
    let rows = futures::stream::poll_fn(move |context| {
        if running && producer.as_mut().poll(context).is_ready() {
            running = false;
        }
        receiver.poll_next_unpin(context)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// The same rows, with every error as Sluice's own.
pub fn with_own_errors(
    stream: SendableRecordBatchStream,
    convert: impl Fn(DataFusionError) -> Error + Send + 'static,
) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let rows = stream.map(move |item| item.map_err(|error| DataFusionError::from(convert(error))));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
