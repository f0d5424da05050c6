//! One way to run a query on either of the engines in this process: a Sluice session, or DataFusion as it comes.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use sluice::{Error, ErrorCode, Result, Session};

use super::generate::TpchData;
use super::queries::Query;
use crate::rows::RowSet;

/// A statement that has not ended by then never will.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Where a query runs.
pub(crate) enum Engine<'a> {
    Sluice(&'a Session),
    DataFusion(SessionContext),
}

/// The rows of a query and how long it took, all its statements together.
pub(crate) struct Answer {
    pub(crate) seconds: f64,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Answer {
    pub(crate) fn row_count(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }

    /// The rows in the form in which engines are compared.
    pub(crate) fn rows(&self) -> Result<RowSet> {
        RowSet::new(&self.schema, &self.batches).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("the rows cannot be compared: {error}")).caused_by(error)
        })
    }
}

impl Engine<'_> {
    /// DataFusion with its default settings over the same files.
    pub(crate) async fn plain_datafusion(data: &TpchData) -> Result<Self> {
        let context = SessionContext::new();
        for table in &data.tables {
            let path = data.table_dir(&table.name);
            let options = ParquetReadOptions::default();
            context.register_parquet(&table.name, path.to_string_lossy(), options).await?;
        }
        Ok(Self::DataFusion(context))
    }

    /// Runs a query to its end. What it set up is taken away even if it fails.
    pub(crate) async fn run(&self, query: &Query) -> Result<Answer> {
        let start = Instant::now();
        for statement in &query.setup {
            self.collect(statement).await?;
        }
        let answer = self.collect(&query.select).await;
        for statement in &query.cleanup {
            let cleaned = self.collect(statement).await;
            if answer.is_ok() {
                cleaned?;
            }
        }
        let (schema, batches) = answer?;
        Ok(Answer { seconds: start.elapsed().as_secs_f64(), schema, batches })
    }

    async fn collect(&self, statement: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let rows = async {
            let frame = match self {
                Self::Sluice(session) => session.sql(statement).await?,
                Self::DataFusion(context) => context.sql(statement).await?,
            };
            let schema = frame.schema().inner().clone();
            Ok((schema, frame.collect().await?))
        };
        tokio::time::timeout(STATEMENT_TIMEOUT, rows).await.unwrap_or_else(|_| {
            let message = format!("the statement did not end within {} s", STATEMENT_TIMEOUT.as_secs());
            Err(Error::new(ErrorCode::Cancelled, message))
        })
    }
}
