//! What a run found, for people (Markdown) and for programs (JSON).

use std::collections::BTreeMap;

use serde::Serialize;
use sluice::{Error, ErrorCode, Result};

use super::{Bandwidth, Usage};

use crate::machine::Machine;
use crate::statistics::median;

mod markdown;

/// What an independent engine says of a query's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody asked it.
    NotAsked,
    /// It gives the same rows.
    Matches,
    /// It gives other rows.
    Differs {
        /// The first difference.
        difference: String,
    },
    /// It gave no rows to compare with.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// What another engine took for a query.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PeerTimes {
    /// Time of each iteration, in seconds.
    pub seconds: Vec<f64>,
    /// Median of these; nothing if one failed.
    pub median_seconds: Option<f64>,
    /// The session's median divided by this one: below 1 the session is faster.
    pub time_ratio: Option<f64>,
    /// Why the query failed.
    pub error: Option<String>,
    /// What the last iteration used.
    pub usage: Option<Usage>,
}

impl PeerTimes {
    /// Takes one more iteration.
    pub(super) fn add(&mut self, times: Self) {
        self.seconds.extend(times.seconds);
        self.error = self.error.take().or(times.error);
        self.usage = times.usage.or(self.usage);
    }
}

/// One query of a run.
#[derive(Debug, Clone, Serialize)]
pub struct QueryReport {
    /// Number of the query, from 1.
    pub number: u8,
    /// Rows of the result.
    pub rows: Option<u64>,
    /// Time of each iteration on the session, in seconds.
    pub seconds: Vec<f64>,
    /// Median of these; nothing if an iteration failed.
    pub median_seconds: Option<f64>,
    /// Why the query failed on the session.
    pub error: Option<String>,
    /// What each iteration used on this machine.
    pub usage: Vec<Usage>,
    /// Bytes that operators wrote to disk for want of memory, in the iteration with the most.
    pub spilled_bytes: u64,
    /// Bytes that stages wrote for other stages; nothing in one process.
    pub shuffled_bytes: Option<u64>,
    /// The most that the query's operators held at a time in one process without a limit, where that was measured.
    pub working_set_bytes: Option<u64>,
    /// The limit that follows from it.
    pub pool_bytes: Option<u64>,
    /// Other engines by name, those that were timed.
    pub peers: BTreeMap<&'static str, PeerTimes>,
    /// What DataFusion with default settings says of the rows.
    pub datafusion: Verdict,
    /// What DuckDB says of the rows.
    pub duckdb: Verdict,
}

impl QueryReport {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            rows: None,
            seconds: Vec::new(),
            median_seconds: None,
            error: None,
            usage: Vec::new(),
            spilled_bytes: 0,
            shuffled_bytes: None,
            working_set_bytes: None,
            pool_bytes: None,
            peers: BTreeMap::new(),
            datafusion: Verdict::NotAsked,
            duckdb: Verdict::NotAsked,
        }
    }

    /// Works out the medians and their ratios from the times.
    pub(super) fn finish(&mut self) {
        self.median_seconds = if self.error.is_none() { median(&self.seconds) } else { None };
        for times in self.peers.values_mut() {
            times.median_seconds = if times.error.is_none() { median(&times.seconds) } else { None };
            times.time_ratio = match (self.median_seconds, times.median_seconds) {
                (Some(own), Some(other)) if other > 0.0 => Some(own / other),
                _ => None,
            };
        }
    }

    /// The last iteration's use of the machine, with its seconds.
    pub(super) fn last_use(&self) -> Option<(f64, Usage)> {
        Some((*self.seconds.last()?, *self.usage.last()?))
    }

    /// Whether the query ran and no engine gives other rows.
    pub fn is_right(&self) -> bool {
        let differs = |verdict: &Verdict| matches!(verdict, Verdict::Differs { .. });
        self.error.is_none() && !differs(&self.datafusion) && !differs(&self.duckdb)
    }

    /// Whether at least one engine gives the same rows and none gives others.
    pub fn is_verified(&self) -> bool {
        self.is_right() && (self.datafusion == Verdict::Matches || self.duckdb == Verdict::Matches)
    }
}

/// Another engine of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerReport {
    /// Its name.
    pub name: &'static str,
    /// Its version, if it answered.
    pub version: Option<String>,
    /// Why it did not.
    pub unavailable: Option<String>,
    /// Whether its times were asked for, or only its rows.
    pub timed: bool,
}

/// A run of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct SqlReport {
    /// `tpch`, `tpcds` or `clickbench`.
    pub benchmark: &'static str,
    /// The same for people.
    #[serde(skip)]
    pub title: &'static str,
    /// Scale factor of the data.
    pub scale: f64,
    /// How often each query ran.
    pub iterations: u32,
    /// Where the queries ran, as given to `--master`.
    pub master: String,
    /// The limit of memory, if one was asked for.
    pub memory: Option<String>,
    /// The command line of this process.
    pub command: String,
    /// Version of this package.
    pub version: &'static str,
    /// Version of DataFusion, the session's and the peer's.
    pub datafusion_version: &'static str,
    /// The other engines that were asked.
    pub peers: Vec<PeerReport>,
    /// Folder of the data set.
    pub data_dir: String,
    /// Bytes of its files.
    pub data_bytes: u64,
    /// How long the data took to make, or nothing if it was there already.
    pub generated_seconds: Option<f64>,
    /// The machine of this process.
    pub machine: Machine,
    /// What the machine can do at best.
    pub bandwidth: Bandwidth,
    /// Whether rows were to be compared with other engines.
    pub verify: bool,
    /// The queries, in the order in which they ran.
    pub queries: Vec<QueryReport>,
}

impl SqlReport {
    /// Queries whose rows at least one independent engine confirms and none contradicts.
    pub fn verified(&self) -> usize {
        self.queries.iter().filter(|query| query.is_verified()).count()
    }

    /// Queries that failed, or whose rows an independent engine contradicts.
    pub fn failed(&self) -> usize {
        self.queries.iter().filter(|query| !query.is_right()).count()
    }

    /// Whether the run found what it should: nothing failed and, if asked to verify, all is verified.
    pub fn is_success(&self) -> bool {
        self.failed() == 0 && (!self.verify || self.verified() == self.queries.len())
    }

    /// Sum of the medians of the queries that ran.
    pub fn total_seconds(&self) -> f64 {
        self.queries.iter().filter_map(|query| query.median_seconds).sum()
    }

    /// Sums of medians over the queries that ran on both: the session's, then that engine's.
    pub fn paired_total_seconds(&self, peer: &str) -> Option<(f64, f64)> {
        let pairs: Vec<(f64, f64)> = self
            .queries
            .iter()
            .filter_map(|query| Some((query.median_seconds?, query.peers.get(peer)?.median_seconds?)))
            .collect();
        let sum = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        (!pairs.is_empty()).then_some(sum)
    }

    /// Why that engine could not be asked at all.
    fn unavailable(&self, peer: &str) -> Option<&str> {
        self.peers.iter().find(|other| other.name == peer)?.unavailable.as_deref()
    }

    /// One line that says how much of the run is confirmed, `verified 22/22 against datafusion, 22/22 against duckdb`
    /// for instance.
    pub fn verdict(&self) -> String {
        let total = self.queries.len();
        let matches = |verdict: fn(&QueryReport) -> &Verdict| {
            self.queries.iter().filter(|query| query.error.is_none() && *verdict(query) == Verdict::Matches).count()
        };
        let failures = match self.failed() {
            0 => String::new(),
            failed => format!("; {failed} failed"),
        };
        if !self.verify {
            return format!("ran {}/{total}, not verified{failures}", total - self.failed());
        }
        let of = |peer: &str, verdict: fn(&QueryReport) -> &Verdict| match self.unavailable(peer) {
            Some(reason) => format!("{peer} not available: {}", reason.lines().next().unwrap_or_default()),
            None => format!("{}/{total} against {peer}", matches(verdict)),
        };
        let (datafusion, duckdb) = (of("datafusion", |query| &query.datafusion), of("duckdb", |query| &query.duckdb));
        format!("verified {datafusion}, {duckdb}{failures}")
    }

    /// The report as JSON, with line breaks.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(ErrorCode::Internal, "the report cannot be written").caused_by(error))
    }

    /// The report as Markdown: facts, tables of the queries, what went wrong, and the verdict.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

#[cfg(test)]
mod tests;
