//! Runs statements one after another and writes what they give.

use std::time::{Duration, Instant};

use futures::StreamExt;
use sluice::sql::StatementText;
use sluice::{Error, ErrorCode, ExecuteOptions, Execution, Session, StatementKind};

use crate::args::OutputArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Format, Output, Summary, note};
use crate::progress::ProgressLine;
use crate::script::Script;

/// Lines that say how many rows there were and how long they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Whether there is such a line.
    pub(crate) shown: bool,
    /// Whether it has the time.
    pub(crate) timed: bool,
}

/// A session and where its results go.
pub(crate) struct Runner {
    session: Session,
    output: Output,
    interrupts: Interrupts,
    footer: Footer,
    quiet: bool,
}

impl Runner {
    /// Takes Ctrl-C and standard output over for statements that are to run.
    pub(crate) fn new(session: Session, arguments: &OutputArgs, quiet: bool) -> Result<Self, Failure> {
        let output = Output::standard(arguments.format)?;
        let footer = Footer { shown: arguments.timing || (output.is_terminal() && !quiet), timed: true };
        Ok(Self { session, output, interrupts: Interrupts::listen(), footer, quiet })
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(crate) fn footer(&mut self) -> &mut Footer {
        &mut self.footer
    }

    /// Runs the statements of a script until one fails. Gives the kinds of those that ran.
    pub(crate) async fn run_script(&mut self, script: &Script) -> Result<Vec<StatementKind>, Failure> {
        let mut kinds = Vec::new();
        for statement in script.statements()? {
            let ran = self.run(&statement.text, ExecuteOptions::default()).await;
            kinds.push(ran.map_err(|failure| script.locate(failure, &statement, 0))?);
        }
        Ok(kinds)
    }

    /// Runs a statement of a script with `prefix` on a line of its own before it.
    pub(crate) async fn run_prefixed(
        &mut self,
        prefix: &str,
        script: &Script,
        statement: &StatementText,
    ) -> Result<(), Failure> {
        let (text, lines_added) = match prefix {
            "" => (statement.text.clone(), 0),
            prefix => (format!("{prefix}\n{}", statement.text), 1),
        };
        let ran = self.run(&text, ExecuteOptions::default()).await;
        ran.map(|_| ()).map_err(|failure| script.locate(failure, statement, lines_added))
    }

    /// Runs one statement and writes its rows.
    pub(crate) async fn run(&mut self, sql: &str, options: ExecuteOptions) -> Result<StatementKind, Failure> {
        let started = Instant::now();
        let Self { session, output, interrupts, quiet, .. } = self;
        let work = async {
            let execution = session.execute(sql, options).await?;
            let kind = execution.kind;
            Ok((kind, write_rows(execution, output, *quiet).await?))
        };
        let outcome = interrupts.guard(work).await;
        // Rows that came before an error are shown before it.
        let flushed = self.output.flush();
        let (kind, summary) = outcome?;
        flushed?;
        self.say_left_out(&summary);
        self.say_footer(kind, &summary, started.elapsed());
        Ok(kind)
    }

    /// Hands a statement to the cluster and gives its job's id without waiting for the job.
    pub(crate) async fn submit(&mut self, sql: &str, options: ExecuteOptions) -> Result<(), Failure> {
        let Self { session, interrupts, .. } = self;
        let options = ExecuteOptions { detach: true, ..options };
        let execution = interrupts.guard(async { Ok(session.execute(sql, options).await?) }).await?;
        match execution.job_id {
            Some(id) => self.output.text(&format!("{id}\n")),
            None => Err(Error::new(ErrorCode::InvalidArgument, "this statement has no job to detach from")
                .hint("SET and DDL run at once; end the script with a query, a COPY or an INSERT")
                .into()),
        }
    }

    fn say_left_out(&self, summary: &Summary) {
        if summary.rows_left_out > 0 {
            note(&format!(
                "({} more rows were left out; --format csv, json, ndjson, arrow or parquet shows all)",
                summary.rows_left_out
            ));
        }
    }

    fn say_footer(&self, kind: StatementKind, summary: &Summary, elapsed: Duration) {
        if self.footer.shown {
            note(&footer_text(kind, summary.rows, self.footer.timed.then_some(elapsed)));
        }
    }
}

/// Writes the rows of a statement as they come. A statement without columns gives none.
async fn write_rows(execution: Execution, output: &mut Output, quiet: bool) -> Result<Summary, Failure> {
    let Execution { kind, schema, mut stream, progress, .. } = execution;
    let mut line = ProgressLine::start(progress, quiet)?;
    let to_terminal = output.is_terminal();
    let failures = output.failures();
    if schema.fields().is_empty() {
        while let Some(batch) = stream.next().await {
            batch.map_err(Error::from)?;
        }
        return Ok(Summary::default());
    }
    let waits_for_the_end = output.format() == Format::Table;
    let mut encoder = output.start(&schema, kind == StatementKind::Explain)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(Error::from)?;
        if batch.num_rows() == 0 {
            continue;
        }
        if to_terminal && !waits_for_the_end {
            // Rows and the line cannot share a terminal.
            line = None;
        }
        encoder.write(&batch).map_err(&failures)?;
    }
    drop(line);
    encoder.finish().map_err(&failures)
}

/// `(3 rows, 0.012 s)`
fn footer_text(kind: StatementKind, rows: u64, elapsed: Option<Duration>) -> String {
    let what = match (kind, rows) {
        (StatementKind::Ddl | StatementKind::Set, 0) => "done".to_string(),
        (StatementKind::Write | StatementKind::Explain, _) => "done".to_string(),
        (_, 1) => "1 row".to_string(),
        (_, rows) => format!("{rows} rows"),
    };
    match elapsed {
        Some(elapsed) => format!("({what}, {:.3} s)", elapsed.as_secs_f64()),
        None => format!("({what})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_footer_counts_and_times() {
        let elapsed = Some(Duration::from_micros(12_345));
        assert_eq!(footer_text(StatementKind::Query, 0, elapsed), "(0 rows, 0.012 s)");
        assert_eq!(footer_text(StatementKind::Query, 1, elapsed), "(1 row, 0.012 s)");
        assert_eq!(footer_text(StatementKind::Query, 2, None), "(2 rows)");
        assert_eq!(footer_text(StatementKind::Write, 1, None), "(done)");
        assert_eq!(footer_text(StatementKind::Set, 0, None), "(done)");
    }
}
