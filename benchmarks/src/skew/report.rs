//! What a run found, for people (Markdown) and for programs (JSON).

use serde::{Deserialize, Serialize};
use sluice::{Error, ErrorCode, Result};

use super::distributions::Distribution;
use super::measure::Answer;
use super::stages::{JobSpread, Stage};
use crate::machine::Machine;
use crate::statistics::median;

mod markdown;

/// Whether Sluice handles skew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Off,
    On,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// One way of running a step.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Run {
    /// Time of each iteration, in seconds.
    pub seconds: Vec<f64>,
    /// Median of these; nothing if the step failed.
    pub median_seconds: Option<f64>,
    /// Seconds of planning alone, in which the driver looks for frequent keys.
    pub planning_seconds: Option<f64>,
    /// What the stages of the last iteration tell; nothing in one process.
    pub spread: Option<JobSpread>,
    /// Whether the rows are those of the step's first run.
    pub equal: Option<bool>,
    /// When it was stopped, if it was.
    pub stopped_after_seconds: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Run {
    /// Notes whether the rows are those expected; one difference counts.
    pub(super) fn compare(&mut self, rows: &Answer, expected: Option<&Answer>) {
        if let Some(expected) = expected {
            self.equal = Some(self.equal.unwrap_or(true) && rows == expected);
        }
    }

    fn finish(mut self) -> Self {
        self.median_seconds = median(&self.seconds).filter(|_| self.error.is_none());
        self
    }

    fn is_wrong(&self) -> bool {
        self.error.is_some() || self.equal == Some(false)
    }
}

/// What the handling of skew changes in a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Makespan on 16 slots without it over that with it: above 1 it helps.
    pub makespan_16_gain: Option<f64>,
    /// The same on 64 slots.
    pub makespan_64_gain: Option<f64>,
    /// Bytes moved with it over those without it, less 1: what replication costs.
    pub replicated_bytes: Option<f64>,
    /// Seconds of all tasks with it over those without it, less 1.
    pub task_seconds: Option<f64>,
    /// What planning takes longer with it, of the seconds of all tasks without it: what the search for frequent keys costs.
    pub detection: Option<f64>,
    /// Seconds on this machine with it over those without it, less 1.
    pub seconds: Option<f64>,
}

impl Change {
    fn between(off: &Run, on: &Run) -> Self {
        let ratio = |left: Option<f64>, right: Option<f64>| {
            left.zip(right).filter(|(_, right)| *right > 0.0).map(|(left, right)| left / right)
        };
        let field = |run: &Run, field: fn(&JobSpread) -> Option<f64>| run.spread.as_ref().and_then(field);
        let more = |of: fn(&JobSpread) -> Option<f64>| ratio(field(on, of), field(off, of)).map(|ratio| ratio - 1.0);
        let gain = |of: fn(&JobSpread) -> Option<f64>| ratio(field(off, of), field(on, of));
        Self {
            makespan_16_gain: gain(|spread| spread.makespan_16_seconds),
            makespan_64_gain: gain(|spread| spread.makespan_64_seconds),
            replicated_bytes: more(|spread| Some(spread.moved_bytes as f64)),
            task_seconds: more(|spread| spread.task_seconds),
            detection: ratio(
                on.planning_seconds.zip(off.planning_seconds).map(|(on, off)| (on - off).max(0.0)),
                field(off, |spread| spread.task_seconds),
            ),
            seconds: ratio(on.median_seconds, off.median_seconds).map(|ratio| ratio - 1.0),
        }
    }
}

/// One step on one distribution.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// The distribution's name.
    pub distribution: &'static str,
    /// The step's name.
    pub step: &'static str,
    /// Without the handling of skew.
    pub off: Option<Run>,
    /// With it; nothing where this version has none.
    pub on: Option<Run>,
    /// The second against the first.
    pub change: Option<Change>,
    /// The peers that have the step.
    pub peers: Vec<PeerRun>,
}

impl StepReport {
    pub(super) fn new(distribution: Distribution, step: &'static str) -> Self {
        Self { distribution: distribution.name(), step, off: None, on: None, change: None, peers: Vec::new() }
    }

    pub(super) fn add(&mut self, mode: Mode, run: Run) {
        let run = Some(run.finish());
        match mode {
            Mode::Off => self.off = run,
            Mode::On => self.on = run,
        }
        self.change = self.off.as_ref().zip(self.on.as_ref()).map(|(off, on)| Change::between(off, on));
    }

    pub(super) fn add_peer(&mut self, peer: &'static str, outcome: PeerOutcome, expected: Option<&Answer>) {
        let mut run = Run {
            seconds: outcome.seconds,
            spread: (!outcome.stages.is_empty()).then(|| JobSpread::of(&outcome.stages)),
            stopped_after_seconds: outcome.stopped_after_seconds,
            error: outcome.error,
            ..Run::default()
        };
        if let Some(mut rows) = outcome.rows {
            rows.sort();
            run.compare(&rows, expected);
        }
        self.peers.push(PeerRun { peer, run: run.finish() });
    }

    /// Sluice's runs by the names of their modes, then the peers'.
    fn runs(&self) -> impl Iterator<Item = (String, &Run)> {
        let own = [("sluice, off", &self.off), ("sluice, on", &self.on)];
        let own = own.into_iter().filter_map(|(name, run)| Some((name.to_owned(), run.as_ref()?)));
        own.chain(self.peers.iter().map(|peer| (peer.peer.to_owned(), &peer.run)))
    }
}

/// A peer's answer about a step.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PeerOutcome {
    seconds: Vec<f64>,
    stages: Vec<Stage>,
    rows: Option<Answer>,
    stopped_after_seconds: Option<f64>,
    error: Option<String>,
}

/// A step as a peer does it.
#[derive(Debug, Clone, Serialize)]
pub struct PeerRun {
    /// The peer.
    pub peer: &'static str,
    /// Its times, and whether its rows are Sluice's.
    #[serde(flatten)]
    pub run: Run,
}

/// A peer that was asked.
#[derive(Debug, Clone, Serialize)]
pub struct PeerReport {
    /// The peer.
    pub peer: &'static str,
    /// Its version.
    pub version: Option<String>,
    /// Why it could not be asked.
    pub unavailable: Option<String>,
}

/// A run of the skew benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct SkewReport {
    /// Always `skew`.
    pub benchmark: &'static str,
    /// Rows of each large table.
    pub rows: u64,
    /// Partitions of each exchange.
    pub partitions: u64,
    /// How often each step ran in each mode.
    pub iterations: u32,
    /// Where the steps ran, as given to `--master`.
    pub master: String,
    /// The command line of this process.
    pub command: String,
    /// Version of this package.
    pub version: &'static str,
    /// Folder of the data sets.
    pub data_dir: String,
    /// How long the data took to make, together.
    pub generated_seconds: f64,
    /// The machine of this process.
    pub machine: Machine,
    /// Why nothing ran with the handling of skew, if so.
    pub no_modes: Option<String>,
    /// The peers that were asked.
    pub peers: Vec<PeerReport>,
    /// The steps, distribution by distribution.
    pub steps: Vec<StepReport>,
}

impl SkewReport {
    /// Steps of Sluice that failed or gave other rows in one run than in another.
    pub fn failed(&self) -> usize {
        let wrong = |run: &Option<Run>| run.as_ref().is_some_and(Run::is_wrong);
        self.steps.iter().filter(|step| wrong(&step.off) || wrong(&step.on)).count()
    }

    /// The report as JSON, with line breaks.
    ///
    /// # Errors
    /// None that a report of this benchmark gives cause to.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(ErrorCode::Internal, "the report cannot be written").caused_by(error))
    }

    /// The report as Markdown: facts, a table for each distribution, and what went wrong.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

#[cfg(test)]
mod tests;
