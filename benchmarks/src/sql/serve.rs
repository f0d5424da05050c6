//! The peer that is DataFusion with its default settings, for a process of its own.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;

use super::peer::{Outcome, Ready, Request, Setup};

/// Answers requests, one line of JSON each, until the input ends.
///
/// # Errors
/// Input that is no request, and an output that nobody reads.
pub async fn serve_datafusion(input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut context = None;
    for line in input.lines() {
        let line = line?;
        let answer = match &context {
            None => {
                let ready = match start(&serde_json::from_str(&line)?).await {
                    Ok(started) => {
                        context = Some(started);
                        Ready { version: Some(datafusion::DATAFUSION_VERSION.to_owned()), unavailable: None }
                    }
                    Err(error) => Ready { version: None, unavailable: Some(one_line(&error)) },
                };
                serde_json::to_string(&ready)?
            }
            Some(context) => serde_json::to_string(&run(context, &serde_json::from_str(&line)?).await)?,
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

async fn start(setup: &Setup) -> Result<SessionContext> {
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = setup.memory_bytes {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes as usize)));
    }
    let config = SessionConfig::new().with_target_partitions(setup.threads);
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc()?);
    for (table, folder) in &setup.tables {
        context.register_parquet(table, folder.to_string_lossy(), ParquetReadOptions::default()).await?;
    }
    Ok(context)
}

async fn run(context: &SessionContext, request: &Request) -> Outcome {
    match try_run(context, request).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome { error: Some(one_line(&error)), ..Outcome::default() },
    }
}

async fn try_run(context: &SessionContext, request: &Request) -> Result<Outcome> {
    let start = Instant::now();
    for statement in &request.setup {
        context.sql(statement).await?.collect().await?;
    }
    let answer = collect(context, &request.select).await;
    for statement in &request.cleanup {
        let cleaned = async { context.sql(statement).await?.collect().await }.await;
        if answer.is_ok() {
            cleaned?;
        }
    }
    let (schema, batches) = answer?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(path) = &request.result {
        write(path, schema, &batches)?;
    }
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok(Outcome { seconds: Some(seconds), rows: Some(rows), error: None })
}

async fn collect(context: &SessionContext, statement: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let frame = context.sql(statement).await?;
    let planned = frame.schema().inner().clone();
    let batches = frame.collect().await?;
    // Batches may know better which columns have nulls.
    let schema = batches.first().map_or(planned, RecordBatch::schema);
    Ok((schema, batches))
}

fn write(path: &Path, schema: SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = ArrowWriter::try_new(File::create(path)?, schema, None)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(())
}

fn one_line(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().chars().take(300).collect()
}
