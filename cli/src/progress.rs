//! How far the running statement is, on one line of standard error that goes away when it ends.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice::{Error, ErrorCode, Progress, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A statement that ends sooner shows nothing.
const DELAY: Duration = Duration::from_millis(400);
/// How often the line changes at most.
const TICK: Duration = Duration::from_millis(100);
/// The share of the tasks that has to be done before a remaining time is worth more than a guess.
const MIN_SHARE_FOR_ETA: f64 = 0.05;

/// The line. It goes away when this is dropped.
pub(crate) struct ProgressLine {
    painter: JoinHandle<()>,
    bar: ProgressBar,
}

impl ProgressLine {
    /// Shows a statement's progress, or nothing where standard error is not a terminal or `quiet` is set.
    pub(crate) fn start(progress: watch::Receiver<Progress>, quiet: bool) -> Result<Option<Self>> {
        if quiet || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        let style = ProgressStyle::with_template("{spinner} [{bar:24}] {msg}")
            .map_err(|error| Error::new(ErrorCode::Internal, "the progress line's template is wrong").caused_by(error))?
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::hidden()).with_style(style);
        let painter = tokio::spawn(paint(bar.clone(), progress));
        Ok(Some(Self { painter, bar }))
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.painter.abort();
        self.bar.finish_and_clear();
        // A painter in the middle of its step must not bring the line back.
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

async fn paint(bar: ProgressBar, progress: watch::Receiver<Progress>) {
    let started = Instant::now();
    tokio::time::sleep(DELAY).await;
    if bar.is_finished() {
        return;
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let mut ticks = tokio::time::interval(TICK);
    while !bar.is_finished() {
        ticks.tick().await;
        let now = progress.borrow().clone();
        bar.set_length(u64::from(now.tasks_total.max(1)));
        bar.set_position(u64::from(now.tasks_done));
        bar.set_message(describe(&now, started.elapsed()));
        bar.tick();
    }
}

/// `stage 2/3, 14/40 tasks, 1,203 rows, 5.10 MiB, 1.00 GiB spilled, 12s, 20s left`, without what is not known.
fn describe(progress: &Progress, elapsed: Duration) -> String {
    let mut parts = Vec::new();
    if progress.stages_total > 0 {
        let running = (progress.stages_done + 1).min(progress.stages_total);
        parts.push(format!("stage {running}/{}", progress.stages_total));
    }
    if progress.tasks_total > 0 {
        parts.push(format!("{}/{} tasks", progress.tasks_done, progress.tasks_total));
    }
    if progress.rows > 0 {
        parts.push(format!("{} rows", HumanCount(progress.rows)));
    }
    if progress.bytes > 0 {
        parts.push(HumanBytes(progress.bytes).to_string());
    }
    if progress.spilled_bytes > 0 {
        parts.push(format!("{} spilled", HumanBytes(progress.spilled_bytes)));
    }
    parts.push(seconds(elapsed));
    if let Some(left) = time_left(progress, elapsed) {
        parts.push(format!("{} left", seconds(left)));
    }
    parts.join(", ")
}

/// The remaining time, if the tasks to come take as long as those that are done.
fn time_left(progress: &Progress, elapsed: Duration) -> Option<Duration> {
    let (done, total) = (f64::from(progress.tasks_done), f64::from(progress.tasks_total));
    (done < total && done / total >= MIN_SHARE_FOR_ETA).then(|| elapsed.mul_f64((total - done) / done))
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_job_shows_everything() {
        let progress = Progress {
            stages_done: 1,
            stages_total: 3,
            tasks_done: 10,
            tasks_total: 40,
            rows: 1_203,
            bytes: 5 * 1024 * 1024,
            spilled_bytes: 1024 * 1024 * 1024,
        };
        let expected = "stage 2/3, 10/40 tasks, 1,203 rows, 5.00 MiB, 1.00 GiB spilled, 12s, 36s left";
        assert_eq!(describe(&progress, Duration::from_secs(12)), expected);
    }

    #[test]
    fn a_local_run_shows_what_is_known() {
        let progress = Progress { rows: 7, ..Progress::default() };
        assert_eq!(describe(&progress, Duration::from_secs(61)), "7 rows, 1m01s");
        assert_eq!(describe(&Progress::default(), Duration::from_secs(3_720)), "1h02m");
    }

    #[test]
    fn the_last_stage_is_not_passed() {
        let progress = Progress { stages_done: 3, stages_total: 3, ..Progress::default() };
        assert_eq!(describe(&progress, Duration::ZERO), "stage 3/3, 0s");
    }

    #[test]
    fn a_guess_is_not_shown_as_a_remaining_time() {
        let at = |tasks_done| Progress { tasks_done, tasks_total: 100, ..Progress::default() };
        assert_eq!(time_left(&at(0), Duration::from_secs(1)), None);
        assert_eq!(time_left(&at(4), Duration::from_secs(1)), None);
        assert_eq!(time_left(&at(50), Duration::from_secs(1)), Some(Duration::from_secs(1)));
        assert_eq!(time_left(&at(100), Duration::from_secs(1)), None);
    }
}
