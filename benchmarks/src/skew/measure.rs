//! Runs a step on a session, with and without the handling of skew.

use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::TryStreamExt;
use sluice::{Error, ErrorCode, ExecuteOptions, Result, Session};

use super::generate::SkewData;
use super::report::{Mode, Run, StepReport};
use super::stages::{JobSpread, Stage};
use super::steps::{DIMENSION, FACT, Step, TARGET, WRITTEN};

/// The setting that turns the handling of skew on and off.
pub(super) const SKEW_MODE: &str = "sluice.skew.mode";
/// A statement that has not ended by then is given up.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1800);

/// The rows of a step: whole numbers, in a fixed order.
pub(super) type Answer = Vec<Vec<Option<i64>>>;

/// A session with the tables of one distribution.
pub(super) struct Bench<'a> {
    session: &'a Session,
    /// Whether the session knows the setting.
    has_modes: bool,
    iterations: u32,
    /// Folder for what a step writes.
    scratch: &'a Path,
}

/// A step's report and the rows that peers are compared with.
pub(super) struct Measured {
    pub(super) report: StepReport,
    pub(super) answer: Option<Answer>,
}

/// One execution of a statement.
struct Timed {
    seconds: f64,
    job_id: Option<String>,
    batches: Vec<RecordBatch>,
}

/// Prepares a session: the number of partitions, and no small side of a join that is sent whole to every task. Says why it
/// cannot turn the handling of skew on and off, if it cannot.
pub(super) async fn prepare(session: &Session, partitions: u64) -> Result<Option<String>> {
    execute(session, &format!("SET sluice.execution.partitions = {partitions}"), "").await?;
    execute(session, "SET sluice.cluster.broadcast_limit = 0", "").await?;
    match set_mode(session, Mode::Off).await {
        Ok(()) => Ok(None),
        Err(error) if error.code() == ErrorCode::SettingNotFound => Ok(Some(format!("no setting {SKEW_MODE}"))),
        Err(error) => Err(error),
    }
}

/// Undoes [`prepare`].
pub(super) async fn restore(session: &Session, has_modes: bool) -> Result<()> {
    let keys = ["sluice.execution.partitions", "sluice.cluster.broadcast_limit"];
    for key in keys.into_iter().chain(has_modes.then_some(SKEW_MODE)) {
        execute(session, &format!("RESET {key}"), "").await?;
    }
    Ok(())
}

impl<'a> Bench<'a> {
    /// Registers the tables and reads the files once, so that no step is the first to.
    pub(super) async fn open(
        session: &'a Session,
        data: &SkewData,
        has_modes: bool,
        iterations: u32,
        scratch: &'a Path,
    ) -> Result<Self> {
        session.register_parquet(FACT, &data.fact_dir.to_string_lossy()).await?;
        session.register_parquet(DIMENSION, &data.dimension_dir.to_string_lossy()).await?;
        let warm_up = format!("SELECT max(k), max(s), max(k2), max(a), max(b), max(x), max(payload) FROM {FACT}");
        execute(session, &warm_up, "warm up").await?;
        Ok(Self { session, has_modes, iterations, scratch })
    }

    /// Forgets the tables.
    pub(super) async fn close(self) -> Result<()> {
        self.session.deregister_table(FACT).await?;
        self.session.deregister_table(DIMENSION).await?;
        Ok(())
    }

    /// Runs a step as often as asked in each mode; which comes first changes. A failure is in the report.
    pub(super) async fn measure(&self, data: &SkewData, step: &Step) -> Measured {
        let mut report = StepReport::new(data.distribution, step.name);
        let mut answer: Option<Answer> = None;
        let modes: &[Mode] = if self.has_modes { &[Mode::Off, Mode::On] } else { &[Mode::Off] };
        let mut runs: Vec<(Mode, Run)> = modes.iter().map(|mode| (*mode, Run::default())).collect();
        for iteration in 0..self.iterations {
            if iteration > 0 {
                runs.reverse();
            }
            for (mode, run) in &mut runs {
                if run.error.is_some() {
                    continue;
                }
                match self.run(step, *mode).await {
                    Ok((seconds, spread, rows)) => {
                        run.seconds.push(seconds);
                        run.spread = spread;
                        run.planning_seconds = self.plan(step).await;
                        run.compare(&rows, answer.as_ref());
                        answer.get_or_insert(rows);
                    }
                    Err(error) => run.error = Some(error.to_string()),
                }
            }
        }
        for (mode, run) in runs {
            report.add(mode, run);
        }
        Measured { report, answer }
    }

    async fn run(&self, step: &Step, mode: Mode) -> Result<(f64, Option<JobSpread>, Answer)> {
        if self.has_modes {
            set_mode(self.session, mode).await?;
        }
        let folder = tempfile::tempdir_in(self.scratch)
            .map_err(|error| Error::new(ErrorCode::Storage, "no folder to write to").caused_by(error))?;
        let target = folder.path().join("out");
        let statement = step.statement.replace(TARGET, &target.to_string_lossy());
        let timed = execute(self.session, &statement, &format!("{} {}", step.name, mode.name())).await?;
        let spread = match &timed.job_id {
            Some(id) => self.spread(id).await?,
            None => None,
        };
        let batches = match &step.check {
            None => timed.batches,
            Some(check) => {
                self.session.register_parquet(WRITTEN, &target.to_string_lossy()).await?;
                let checked = execute(self.session, check, "check").await;
                self.session.deregister_table(WRITTEN).await?;
                checked?.batches
            }
        };
        Ok((timed.seconds, spread, answer(&batches)?))
    }

    /// How long the statement takes to plan in the mode of the last run, the search for frequent keys included.
    async fn plan(&self, step: &Step) -> Option<f64> {
        // A write's target is gone by now.
        if step.check.is_some() {
            return None;
        }
        let explain = format!("EXPLAIN {}", step.statement);
        execute(self.session, &explain, "explain").await.ok().map(|timed| timed.seconds)
    }

    /// What the job's stages tell, if the driver ran any.
    async fn spread(&self, job_id: &str) -> Result<Option<JobSpread>> {
        let job = self.session.job(job_id).await?;
        let stages: Vec<Stage> = job.stages.iter().map(Stage::from).collect();
        Ok((!stages.is_empty()).then(|| JobSpread::of(&stages)))
    }
}

async fn set_mode(session: &Session, mode: Mode) -> Result<()> {
    execute(session, &format!("SET {SKEW_MODE} = '{}'", mode.name()), "").await.map(drop)
}

async fn execute(session: &Session, statement: &str, job_name: &str) -> Result<Timed> {
    let start = Instant::now();
    let options =
        ExecuteOptions { job_name: (!job_name.is_empty()).then(|| job_name.to_owned()), ..ExecuteOptions::default() };
    let rows = async {
        let execution = session.execute(statement, options).await?;
        let batches: Vec<RecordBatch> = execution.stream.try_collect().await?;
        Ok(Timed { seconds: start.elapsed().as_secs_f64(), job_id: execution.job_id, batches })
    };
    tokio::time::timeout(STATEMENT_TIMEOUT, rows).await.unwrap_or_else(|_| {
        let message = format!("the statement did not end within {} s", STATEMENT_TIMEOUT.as_secs());
        Err(Error::new(ErrorCode::Cancelled, message))
    })
}

/// The rows as whole numbers, in ascending order.
fn answer(batches: &[RecordBatch]) -> Result<Answer> {
    let mut rows = Answer::new();
    for batch in batches {
        let columns: std::result::Result<Vec<_>, _> =
            batch.columns().iter().map(|column| cast(column, &DataType::Int64)).collect();
        let columns =
            columns.map_err(|error| Error::new(ErrorCode::Internal, "the rows cannot be compared").caused_by(error))?;
        let numbers: Vec<_> = columns.iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| numbers.iter().map(|column| column.iter().nth(row).flatten()).collect::<Vec<Option<i64>>>()),
        );
    }
    rows.sort();
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch, UInt64Array};

    use super::answer;

    #[test]
    fn rows_are_numbers_in_order() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("g", Arc::new(Int32Array::from(vec![Some(2), None, Some(1)]))),
            ("n", Arc::new(UInt64Array::from(vec![7, 8, 9]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(answer(&[batch]).unwrap(), [vec![None, Some(8)], vec![Some(1), Some(9)], vec![Some(2), Some(7)]]);
    }
}
