//! `sluice jobs`, `job` and `kill`: what runs on a cluster.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array, UInt64Array};
use arrow::util::display::array_value_to_string;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};
use sluice::{Error, ErrorCode, JobInfo, Progress, StageInfo};

use super::spreads;
use crate::args::{DetailFormat, JobArgs, JobsArgs, KillArgs};
use crate::failure::Failure;
use crate::output::{Format, Output, note};
use crate::session;

/// Letters of a statement that fit beside the other columns of the list.
const STATEMENT_LETTERS: usize = 60;

pub(super) async fn list(arguments: JobsArgs) -> Result<(), Failure> {
    let mut output = Output::standard(arguments.format)?;
    let jobs =
        session::with_cluster(&arguments.session, "`sluice jobs`", async |session| Ok(session.jobs().await?)).await?;
    write_rows(&mut output, &job_rows(&jobs, arguments.format)?)
}

pub(super) async fn show(arguments: JobArgs) -> Result<(), Failure> {
    let mut output = Output::standard(Format::Table)?;
    let job = session::with_cluster(&arguments.session, "`sluice job`", async |session| {
        Ok(session.job(&arguments.id).await?)
    })
    .await?;
    match arguments.format {
        DetailFormat::Json => output.text(&format!("{:#}\n", job_json(&job))),
        DetailFormat::Table => {
            output.text(&job_text(&job)?)?;
            if job.stages.is_empty() {
                return Ok(());
            }
            write_rows(&mut output, &stage_rows(&job.stages)?)?;
            spreads::write(&mut output, &job.stages)
        }
    }
}

pub(super) async fn kill(arguments: KillArgs, quiet: bool) -> Result<(), Failure> {
    let was_running = session::with_cluster(&arguments.session, "`sluice kill`", async |session| {
        Ok(session.kill(&arguments.id).await?)
    })
    .await?;
    if !quiet {
        let what = if was_running { "is cancelled" } else { "had ended already" };
        note(&format!("job {} {what}", arguments.id));
    }
    Ok(())
}

pub(super) fn write_rows(output: &mut Output, rows: &RecordBatch) -> Result<(), Failure> {
    let failures = output.failures();
    let mut encoder = output.start(&rows.schema(), false)?;
    encoder.write(rows).map_err(&failures)?;
    encoder.finish().map_err(&failures)?;
    output.flush()
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Failure> {
    RecordBatch::try_from_iter(columns)
        .map_err(|error| Error::new(ErrorCode::Internal, "the job list is not well formed").caused_by(error).into())
}

pub(super) fn strings<T>(items: &[T], value: impl Fn(&T) -> String) -> ArrayRef {
    Arc::new(items.iter().map(|item| Some(value(item))).collect::<StringArray>())
}

pub(super) fn numbers<T>(items: &[T], value: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(items.iter().map(value)))
}

fn submitted(jobs: &[JobInfo]) -> TimestampMillisecondArray {
    let times = jobs.iter().map(|job| i64::try_from(job.submitted_at_ms).unwrap_or(i64::MAX));
    TimestampMillisecondArray::from_iter_values(times).with_timezone("+00:00")
}

/// The list. A table has short statements; the other formats have everything.
fn job_rows(jobs: &[JobInfo], format: Format) -> Result<RecordBatch, Failure> {
    let statement = |job: &JobInfo| match format {
        Format::Table => shortened(&job.statement),
        _ => job.statement.clone(),
    };
    batch(vec![
        ("id", strings(jobs, |job| job.id.clone())),
        ("name", strings(jobs, |job| job.name.clone())),
        ("state", strings(jobs, |job| job.state.clone())),
        ("queue", strings(jobs, |job| job.queue.clone())),
        ("submitted_at", Arc::new(submitted(jobs))),
        ("elapsed_ms", numbers(jobs, |job| job.elapsed_ms)),
        ("tasks", strings(jobs, |job| tasks(&job.progress))),
        ("rows", numbers(jobs, |job| job.progress.rows)),
        ("statement", strings(jobs, statement)),
    ])
}

fn stage_rows(stages: &[StageInfo]) -> Result<RecordBatch, Failure> {
    batch(vec![
        ("stage", Arc::new(UInt32Array::from_iter_values(stages.iter().map(|stage| stage.id)))),
        ("state", strings(stages, |stage| stage.state.clone())),
        ("tasks", strings(stages, |stage| format!("{}/{}", stage.tasks_done, stage.tasks_total))),
        ("rows", numbers(stages, |stage| stage.rows)),
        ("bytes", numbers(stages, |stage| stage.bytes)),
        ("spilled_bytes", numbers(stages, |stage| stage.spilled_bytes)),
    ])
}

fn tasks(progress: &Progress) -> String {
    format!("{}/{}", progress.tasks_done, progress.tasks_total)
}

/// The statement on one line, cut where the list has no more room.
fn shortened(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= STATEMENT_LETTERS {
        return line;
    }
    line.chars().take(STATEMENT_LETTERS - 1).chain(['…']).collect()
}

fn job_text(job: &JobInfo) -> Result<String, Failure> {
    let time = array_value_to_string(&submitted(std::slice::from_ref(job)), 0)
        .map_err(|error| Error::new(ErrorCode::Internal, "the job's time cannot be shown").caused_by(error))?;
    let progress = &job.progress;
    let mut lines = vec![
        ("id", job.id.clone()),
        ("name", job.name.clone()),
        ("state", job.state.clone()),
        ("queue", job.queue.clone()),
        ("submitted", time),
        ("elapsed", format!("{:.3} s", job.elapsed_ms as f64 / 1000.0)),
        ("attempts", job.attempts.to_string()),
        ("stages", format!("{}/{}", progress.stages_done, progress.stages_total)),
        ("tasks", tasks(progress)),
        ("rows", HumanCount(progress.rows).to_string()),
        ("bytes", HumanBytes(progress.bytes).to_string()),
        ("spilled", HumanBytes(progress.spilled_bytes).to_string()),
        ("statement", job.statement.trim().replace('\n', "\n           ")),
    ];
    if let Some(error) = &job.error {
        lines.push(("error", error.trim().replace('\n', "\n           ")));
    }
    let mut text = String::new();
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    }
    Ok(text)
}

fn job_json(job: &JobInfo) -> Value {
    let stages = job.stages.iter().map(|stage| {
        json!({
            "id": stage.id,
            "state": stage.state,
            "tasks_done": stage.tasks_done,
            "tasks_total": stage.tasks_total,
            "rows": stage.rows,
            "bytes": stage.bytes,
            "spilled_bytes": stage.spilled_bytes,
            "exchange": stage.exchange.as_ref().map(spreads::exchange_json),
            "tasks": spreads::tasks_json(stage),
        })
    });
    json!({
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "queue": job.queue,
        "submitted_at_ms": job.submitted_at_ms,
        "elapsed_ms": job.elapsed_ms,
        "attempts": job.attempts,
        "stages_done": job.progress.stages_done,
        "stages_total": job.progress.stages_total,
        "tasks_done": job.progress.tasks_done,
        "tasks_total": job.progress.tasks_total,
        "rows": job.progress.rows,
        "bytes": job.progress.bytes,
        "spilled_bytes": job.progress.spilled_bytes,
        "statement": job.statement,
        "error": job.error,
        "stages": stages.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobInfo {
        JobInfo {
            id: "j1".into(),
            name: "daily".into(),
            state: "failed".into(),
            statement: "select\n  1".into(),
            submitted_at_ms: 1_700_000_000_000,
            elapsed_ms: 1_500,
            error: Some("error[S0405]: no executor".into()),
            attempts: 2,
            ..JobInfo::default()
        }
    }

    #[test]
    fn a_job_is_shown_with_its_time_and_error() {
        let text = job_text(&job()).unwrap();
        assert!(text.contains("submitted  2023-11-14T22:13:20Z\n"), "{text}");
        assert!(text.contains("elapsed    1.500 s\n"), "{text}");
        assert!(text.contains("statement  select\n             1\n"), "{text}");
        assert!(text.ends_with("error      error[S0405]: no executor\n"), "{text}");
        assert!(!text.contains("queue"), "{text}");
    }

    #[test]
    fn a_list_has_one_row_for_each_job() {
        assert_eq!(job_rows(&[job(), job()], Format::Table).unwrap().num_rows(), 2);
        assert_eq!(job_rows(&[], Format::Table).unwrap().num_rows(), 0);
    }

    #[test]
    fn a_long_statement_is_cut() {
        assert_eq!(shortened("select\n   1"), "select 1");
        let cut = shortened(&"ä".repeat(100));
        assert_eq!(cut.chars().count(), STATEMENT_LETTERS);
        assert!(cut.ends_with('…'));
    }
}
