//! Asks the independent engines for each query's rows and writes their verdicts into the reports.

use super::engine::{Answer, Engine};
use super::generate::TpchData;
use super::queries::Query;
use super::report::{TpchReport, Verdict};
use super::{Measured, duckdb};
use crate::compare::difference;
use crate::rows::RowSet;

/// Compares every iteration of every query with DataFusion and with DuckDB.
pub(super) async fn verify(
    measured: &mut [Measured],
    report: &mut TpchReport,
    datafusion: &Engine<'_>,
    data: &TpchData,
    queries: &[Query],
) {
    let mut duckdb_answers = match duckdb::answers(data, queries).await {
        Ok(answers) => {
            report.duckdb_version = Some(answers.version);
            answers.rows
        }
        Err(reason) => {
            report.duckdb_unavailable = Some(reason);
            Default::default()
        }
    };
    for (query, measured) in queries.iter().zip(measured) {
        // A query that failed has no rows to judge.
        if measured.report.error.is_some() {
            continue;
        }
        let expected = match measured.datafusion.take() {
            Some(answer) => answer.rows().map_err(|error| error.to_string()),
            None => datafusion.run(query).await.and_then(|answer| answer.rows()).map_err(|error| error.to_string()),
        };
        measured.report.datafusion = verdict(&measured.answers, &expected);
        if let Some(expected) = duckdb_answers.remove(&query.number) {
            measured.report.duckdb = verdict(&measured.answers, &expected);
        }
    }
}

fn verdict(answers: &[Answer], expected: &Result<RowSet, String>) -> Verdict {
    let expected = match expected {
        Ok(expected) => expected,
        Err(reason) => return Verdict::Unavailable { reason: reason.clone() },
    };
    for answer in answers {
        let difference = match answer.rows() {
            Ok(rows) => difference(&rows, expected),
            Err(error) => Some(error.to_string()),
        };
        if let Some(difference) = difference {
            return Verdict::Differs { difference };
        }
    }
    Verdict::Matches
}
