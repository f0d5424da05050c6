//! Plans as plain text: their lines are long, and a frame around them would break in every terminal.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;

use super::{Encoder, Sink, Summary};

/// Whether a result has the two columns of `EXPLAIN`.
pub(super) fn fits(schema: &Schema) -> bool {
    schema.fields().len() == 2 && schema.fields().iter().all(|field| field.data_type() == &DataType::Utf8)
}

pub(super) struct PlanEncoder<'a> {
    sink: &'a mut Sink,
    summary: Summary,
}

impl<'a> PlanEncoder<'a> {
    pub(super) fn new(sink: &'a mut Sink) -> Self {
        Self { sink, summary: Summary::default() }
    }
}

impl Encoder for PlanEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (titles, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for (title, plan) in titles.iter().zip(plans) {
            let gap = if self.summary.rows == 0 { "" } else { "\n" };
            let (title, plan) = (title.unwrap_or_default(), plan.unwrap_or_default());
            writeln!(self.sink, "{gap}{title}\n{}", plan.trim_end_matches('\n'))?;
            self.summary.rows += 1;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Summary, ArrowError> {
        Ok(self.summary)
    }
}
