//! What a run of TPC-H found, for people (Markdown) and for programs (JSON).

use serde::Serialize;
use sluice::{Error, ErrorCode, Result};

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

/// One query of a run.
#[derive(Debug, Clone, Serialize)]
pub struct QueryReport {
    /// Number of the query, 1 to 22.
    pub number: u8,
    /// Rows of the result.
    pub rows: Option<u64>,
    /// Time of each iteration on the session, in seconds.
    pub seconds: Vec<f64>,
    /// Median of these; nothing if an iteration failed.
    pub median_seconds: Option<f64>,
    /// Why the query failed on the session.
    pub error: Option<String>,
    /// Time of each iteration on plain DataFusion, in seconds; empty unless asked for.
    pub datafusion_seconds: Vec<f64>,
    /// Median of these.
    pub datafusion_median_seconds: Option<f64>,
    /// The session's median divided by plain DataFusion's: below 1 the session is faster.
    pub time_ratio: Option<f64>,
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
            datafusion_seconds: Vec::new(),
            datafusion_median_seconds: None,
            time_ratio: None,
            datafusion: Verdict::NotAsked,
            duckdb: Verdict::NotAsked,
        }
    }

    /// Works out the medians and their ratio from the times.
    pub(super) fn finish_times(&mut self) {
        self.median_seconds = if self.error.is_none() { median(&self.seconds) } else { None };
        self.datafusion_median_seconds = median(&self.datafusion_seconds);
        self.time_ratio = match (self.median_seconds, self.datafusion_median_seconds) {
            (Some(own), Some(other)) if other > 0.0 => Some(own / other),
            _ => None,
        };
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

/// A run of TPC-H.
#[derive(Debug, Clone, Serialize)]
pub struct TpchReport {
    /// Always `tpch`.
    pub benchmark: &'static str,
    /// Scale factor of the data.
    pub scale: f64,
    /// How often each query ran.
    pub iterations: u32,
    /// Where the queries ran, as given to `--master`.
    pub master: String,
    /// The command line of this process.
    pub command: String,
    /// Version of this package.
    pub version: &'static str,
    /// Version of DataFusion, the session's and the plain one's.
    pub datafusion_version: &'static str,
    /// Version of DuckDB, if it was asked and answered.
    pub duckdb_version: Option<String>,
    /// Folder of the data set.
    pub data_dir: String,
    /// How long the data took to make, or nothing if it was there already.
    pub generated_seconds: Option<f64>,
    /// The machine of this process.
    pub machine: Machine,
    /// Whether rows were to be compared with other engines.
    pub verify: bool,
    /// Why DuckDB could not be asked at all.
    pub duckdb_unavailable: Option<String>,
    /// The queries, in the order in which they ran.
    pub queries: Vec<QueryReport>,
}

impl TpchReport {
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

    /// Sums of both engines' medians over the queries that have both: the session's, then plain DataFusion's.
    pub fn paired_total_seconds(&self) -> Option<(f64, f64)> {
        let pairs: Vec<(f64, f64)> = self
            .queries
            .iter()
            .filter_map(|query| Some((query.median_seconds?, query.datafusion_median_seconds?)))
            .collect();
        let sum = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        (!pairs.is_empty()).then_some(sum)
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
        let duckdb = match &self.duckdb_unavailable {
            Some(reason) => format!("duckdb not available: {}", reason.lines().next().unwrap_or_default()),
            None => format!("{}/{total} against duckdb", matches(|query| &query.duckdb)),
        };
        format!("verified {}/{total} against datafusion, {duckdb}{failures}", matches(|query| &query.datafusion))
    }

    /// The report as JSON, with line breaks.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(ErrorCode::Internal, "the report cannot be written").caused_by(error))
    }

    /// The report as Markdown: facts, a table of the queries, what went wrong, and the verdict.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

#[cfg(test)]
mod tests;
