//! Times of statements over tables that are held in memory.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type};
use futures::StreamExt;
use sluice::{Error, ErrorCode, Result, Session};

use super::generate::{self, FeatureData};
use super::report::StepReport;
use super::steps::{CLICKS, CRITEO, DOCS, STATE, Step, TOKENS};

/// A step that takes longer to warm up is not run again: its one time counts.
const LONG_SECONDS: f64 = 30.0;
/// Larger than the caches of any processor.
const COPY_BYTES: usize = 256 << 20;
const COPIES: usize = 5;

/// Bytes that one core copies from memory to memory in a second: the best of several times.
pub(super) fn copy_bytes_per_second() -> f64 {
    let source = vec![1_u8; COPY_BYTES];
    let mut target = vec![0_u8; COPY_BYTES];
    let seconds = (0..COPIES).map(|_| {
        let start = Instant::now();
        black_box(&mut target).copy_from_slice(black_box(&source));
        start.elapsed().as_secs_f64()
    });
    COPY_BYTES as f64 / seconds.fold(f64::INFINITY, f64::min)
}

/// What a column holds.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    values: u64,
    bytes: u64,
}

/// A table in memory.
#[derive(Debug, Clone)]
struct Table {
    rows: u64,
    columns: BTreeMap<String, Size>,
}

/// The session with the tables that the steps so far have needed, and the states of the last fit.
pub(super) struct Bench<'a> {
    session: &'a Session,
    data: &'a FeatureData,
    iterations: u32,
    copy_bytes_per_second: f64,
    tables: BTreeMap<&'static str, Table>,
    last_fit: Option<(String, Vec<RecordBatch>)>,
}

/// One execution of a statement.
struct Timed {
    seconds: f64,
    planning_seconds: f64,
    rows: u64,
    batches: Vec<RecordBatch>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        session: &'a Session,
        data: &'a FeatureData,
        iterations: u32,
        copy_bytes_per_second: f64,
    ) -> Self {
        Self { session, data, iterations, copy_bytes_per_second, tables: BTreeMap::new(), last_fit: None }
    }

    /// Runs a step once to warm up and then as often as asked. A failure is in the report.
    pub(super) async fn measure(&mut self, step: &Step) -> StepReport {
        let mut report = StepReport {
            name: step.name,
            functions: step.functions.clone(),
            input: step.input.clone(),
            rows: 0,
            values: 0,
            input_bytes: 0,
            seconds: Vec::new(),
            median_seconds: None,
            planning_seconds: None,
            million_values_per_second: None,
            megabytes_per_second: None,
            memory_share: None,
            error: None,
            peers: Vec::new(),
        };
        let mut planning = Vec::new();
        if let Err(error) = self.run(step, &mut report, &mut planning).await {
            report.error = Some(error.to_string());
        }
        report.finish(&planning, self.copy_bytes_per_second);
        report
    }

    /// Forgets the tables.
    pub(super) async fn close(self) -> Result<()> {
        for table in self.tables.keys().copied().chain([STATE]) {
            self.session.deregister_table(table).await?;
        }
        Ok(())
    }

    async fn run(&mut self, step: &Step, report: &mut StepReport, planning: &mut Vec<f64>) -> Result<()> {
        let table = self.table(step.table).await?;
        report.rows = table.rows;
        for size in step.columns.iter().filter_map(|column| table.columns.get(column)) {
            report.values += size.values;
            report.input_bytes += size.bytes;
        }
        if let Some(fit) = &step.fit {
            self.use_state(fit).await?;
        }
        let expected_rows = if step.is_fit { 1 } else { table.rows };
        for iteration in 0..=self.iterations {
            let timed = self.time(&step.statement, step.is_fit).await?;
            if timed.rows != expected_rows {
                let message = format!("the statement gave {} rows, not {expected_rows}", timed.rows);
                return Err(Error::new(ErrorCode::Internal, message));
            }
            let is_long = iteration == 0 && timed.seconds > LONG_SECONDS;
            if iteration > 0 || is_long {
                report.seconds.push(timed.seconds);
                planning.push(timed.planning_seconds);
            }
            if step.is_fit {
                self.last_fit = Some((step.statement.clone(), timed.batches));
            }
            if is_long {
                break;
            }
        }
        Ok(())
    }

    async fn time(&self, statement: &str, keep: bool) -> Result<Timed> {
        let start = Instant::now();
        let mut rows = self.session.sql(statement).await?.execute_stream().await?;
        let planning_seconds = start.elapsed().as_secs_f64();
        let mut timed = Timed { seconds: 0.0, planning_seconds, rows: 0, batches: Vec::new() };
        while let Some(batch) = rows.next().await {
            let batch = black_box(batch?);
            timed.rows += batch.num_rows() as u64;
            if keep {
                timed.batches.push(batch);
            }
        }
        timed.seconds = start.elapsed().as_secs_f64();
        Ok(timed)
    }

    /// Makes the states of a fit the table [`STATE`].
    async fn use_state(&mut self, fit: &str) -> Result<()> {
        let batches = match self.last_fit.take().filter(|(statement, _)| statement == fit) {
            Some((_, batches)) => batches,
            None => self.time(fit, true).await?.batches,
        };
        self.session.deregister_table(STATE).await?;
        self.session.register_batches(STATE, batches.clone()).await?;
        self.last_fit = Some((fit.to_owned(), batches));
        Ok(())
    }

    /// The facts of a table, which is read into memory when it is first asked for.
    async fn table(&mut self, name: &'static str) -> Result<Table> {
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        let batches = match name {
            // The functions have to cope with dictionaries, which few readers of files give.
            CRITEO => {
                let columns = "*, arrow_cast(c7, 'Dictionary(Int32, Utf8)') AS d7";
                self.read(generate::CRITEO, columns).await?
            }
            DOCS => self.read(generate::DOCS, "*").await?,
            TOKENS => {
                Box::pin(self.table(DOCS)).await?;
                self.collect(&format!("SELECT tokenize(body) AS tokens FROM {DOCS}")).await?
            }
            CLICKS => {
                Box::pin(self.table(CRITEO)).await?;
                self.collect(&format!("SELECT id, c4 AS item, make_array(c4) AS items FROM {CRITEO}")).await?
            }
            other => return Err(Error::new(ErrorCode::Internal, format!("the benchmark has no table {other}"))),
        };
        let table = facts(&batches);
        self.session.deregister_table(name).await?;
        self.session.register_batches(name, batches).await?;
        self.tables.insert(name, table.clone());
        Ok(table)
    }

    async fn read(&self, table: &str, columns: &str) -> Result<Vec<RecordBatch>> {
        let files = format!("bench_{table}_files");
        self.session.register_parquet(&files, &self.data.table_dir(table).to_string_lossy()).await?;
        let batches = self.collect(&format!("SELECT {columns} FROM {files}")).await;
        self.session.deregister_table(&files).await?;
        batches
    }

    async fn collect(&self, statement: &str) -> Result<Vec<RecordBatch>> {
        Ok(self.session.sql(statement).await?.collect().await?)
    }
}

fn facts(batches: &[RecordBatch]) -> Table {
    let mut table = Table { rows: 0, columns: BTreeMap::new() };
    for batch in batches {
        table.rows += batch.num_rows() as u64;
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let size = table.columns.entry(field.name().clone()).or_default();
            size.values += values(column);
            size.bytes += value_bytes(column);
        }
    }
    table
}

/// Rows, or the elements of the lists in them.
fn values(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::List(_) => {
            let offsets = array.as_list::<i32>().value_offsets();
            offsets.last().zip(offsets.first()).map_or(0, |(last, first)| (last - first) as u64)
        }
        _ => array.len() as u64,
    }
}

/// Bytes of the values themselves: the width of a number, the length of a text, the code of a dictionary.
fn value_bytes(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().iter().flatten().map(|text| text.len() as u64).sum(),
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            offsets.last().zip(offsets.first()).map_or(0, |(last, first)| (last - first) as u64)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
            value_bytes(&list.values().slice(first as usize, (last - first) as usize))
        }
        DataType::Dictionary(_, _) => array.as_dictionary_opt::<Int32Type>().map_or(0, |codes| 4 * codes.len() as u64),
        other => other.primitive_width().unwrap_or(0) as u64 * array.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::{value_bytes, values};

    #[test]
    fn values_and_their_bytes() {
        let arrays: [(ArrayRef, u64, u64); 4] = [
            (Arc::new(Float64Array::from(vec![Some(1.0), None])), 2, 16),
            (Arc::new(StringArray::from(vec![Some("abc"), None, Some("d")])), 3, 4),
            (Arc::new(StringViewArray::from(vec![Some("abc"), None])), 2, 3),
            (
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
                    Some(vec![Some(1), Some(2)]),
                    None,
                    Some(vec![Some(3)]),
                ])),
                3,
                24,
            ),
        ];
        for (array, count, bytes) in arrays {
            assert_eq!((values(&array), value_bytes(&array)), (count, bytes), "{array:?}");
        }
    }
}
