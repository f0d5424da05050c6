//! Every `.slt` file in the three ways of running, against one expected output.

use std::path::Path;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use sluice::{ExecuteOptions, Session};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::support::{MASTERS, Scratch};

/// No file takes as long; a statement that never ends would.
const FILE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(180);

struct Database {
    session: Session,
}

#[derive(Debug, Clone)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<sluice::Error> for Failure {
    fn from(error: sluice::Error) -> Self {
        Failure(error.to_string())
    }
}

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let execution = self.session.execute(sql, ExecuteOptions::default()).await?;
        let schema = execution.schema.clone();
        let batches: Vec<RecordBatch> = execution.stream.try_collect().await.map_err(sluice::Error::from)?;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = schema.fields().iter().map(|field| column_type(field.data_type())).collect();
        let rows = batches.iter().flat_map(rows).collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "sluice"
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() || data_type.is_decimal() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| {
            let cell = |(index, column): (usize, &ArrayFormatter<'_>)| {
                if batch.column(index).is_null(row) {
                    return "NULL".to_string();
                }
                let text = column.value(row).to_string();
                if text.is_empty() { "(empty)".to_string() } else { text }
            };
            columns.iter().enumerate().map(cell).collect()
        })
        .collect()
}

fn run_all(master: &str) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut failures = Vec::new();
    for file in &files {
        let scratch = Scratch::new();
        let directory = scratch.path("data");
        std::fs::create_dir(&directory).unwrap();
        let script = std::fs::read_to_string(file).unwrap().replace("$DIR", &directory);
        let outcome = runtime.block_on(async {
            let session = scratch.session(master).build().await.unwrap();
            let mut runner = Runner::new(|| {
                let session = session.clone();
                async move { Ok(Database { session }) }
            });
            let run = tokio::time::timeout(FILE_TIMEOUT, runner.run_script_async(&script));
            run.await.map(|outcome| outcome.map_err(|error| error.to_string()))
        });
        if let Err(error) = outcome.unwrap_or_else(|_| Err("did not come to an end".to_string())) {
            failures.push(format!("{} on {master}: {error}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{} of {} files failed:\n{}", failures.len(), files.len(), failures.join("\n\n"));
}

#[test]
fn embedded() {
    run_all(MASTERS[0]);
}

#[test]
fn on_one_executor() {
    run_all(MASTERS[1]);
}

#[test]
fn on_three_executors() {
    run_all(MASTERS[2]);
}
