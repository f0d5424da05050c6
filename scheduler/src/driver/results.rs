//! Rows from the executors' disks to the driver, a partition at a time and never all at once.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::client::BallistaClient;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::serde::protobuf::PartitionLocation;
use dashmap::DashMap;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use sluice::{Error, ErrorCode, Result};

use crate::net::patient;

/// Tries of one fetch on a broken connection, and the pause between them.
const FETCH_RETRIES: u8 = 2;
const FETCH_RETRY_PAUSE_MS: u64 = 200;

/// Connections to the executors, one each, kept for the next job.
pub(crate) struct ResultReader {
    clients: DashMap<(String, u16), BallistaClient>,
    timeout: Duration,
}

impl ResultReader {
    /// Gives an executor up that is silent for `timeout` while its rows are waited for.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { clients: DashMap::new(), timeout }
    }

    /// The rows of one partition of a job's last stage.
    pub(crate) async fn open(
        &self,
        location: PartitionLocation,
        message_limit_bytes: usize,
    ) -> Result<SendableRecordBatchStream> {
        let layout = location.layout();
        let (Some(executor), Some(partition)) = (location.executor_meta, location.partition_id) else {
            return Err(Error::new(ErrorCode::Internal, "a result partition has no place"));
        };
        let address = (executor.host.clone(), u16::try_from(executor.port).unwrap_or_default());
        let mut client = self.client(&address, message_limit_bytes).await?;
        let fetched = client
            .fetch_partition_proxied(
                &executor.id,
                &partition.into(),
                location.file_id,
                layout,
                &address.0,
                address.1,
                true,
            )
            .await;
        fetched.map_err(|error| {
            self.clients.remove(&address);
            lost(&address, error)
        })
    }

    async fn client(&self, address: &(String, u16), message_limit_bytes: usize) -> Result<BallistaClient> {
        if let Some(client) = self.clients.get(address) {
            return Ok(client.clone());
        }
        let timeout = self.timeout;
        let endpoint = BallistaConfigGrpcEndpoint::new(Arc::new(move |endpoint| Ok(patient(endpoint, timeout))));
        let client = BallistaClient::try_new(
            &address.0,
            address.1,
            message_limit_bytes,
            false,
            Some(Arc::new(endpoint)),
            FETCH_RETRIES,
            FETCH_RETRY_PAUSE_MS,
            0,
            0,
        )
        .await
        .map_err(|error| lost(address, error))?;
        self.clients.insert(address.clone(), client.clone());
        Ok(client)
    }
}

fn lost(address: &(String, u16), error: ballista_core::error::BallistaError) -> Error {
    let code = if error.to_string().contains("is damaged") { ErrorCode::ShuffleLost } else { ErrorCode::ExecutorLost };
    Error::new(code, format!("the rows on executor {}:{} cannot be read", address.0, address.1))
        .hint("run the statement again")
        .caused_by(error)
}

/// An error of the rows that come from an executor.
pub(crate) fn lost_while_read(error: DataFusionError) -> Error {
    Error::new(ErrorCode::ExecutorLost, "an executor died while its rows were read")
        .hint("run the statement again")
        .caused_by(error)
}

/// The batch with the schema that the plan promised: executors may know less of nullability, or more of dictionaries.
pub(crate) fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                cast(column, field.data_type())
            }
        })
        .collect::<std::result::Result<Vec<_>, _>>();
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    columns
        .and_then(|columns| RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options))
        .map_err(|error| Error::from(DataFusionError::from(error)))
}
