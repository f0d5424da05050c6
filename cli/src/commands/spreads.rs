//! How evenly a job's rows, bytes and time were spread, as `sluice job` shows it.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use serde_json::{Value, json};
use sluice::{ExchangeInfo, Spread, StageInfo};

use super::jobs::{batch, numbers, strings, write_rows};
use crate::failure::Failure;
use crate::output::Output;

/// One line of the table: a stage, what is counted, and how it is spread.
type Line<'a> = (u32, &'static str, &'a Spread);

/// The table, and below it what each exchange hashes and what is known of it. Nothing where no stage has ended.
pub(super) fn write(output: &mut Output, stages: &[StageInfo]) -> Result<(), Failure> {
    let lines = lines(stages);
    if !lines.is_empty() {
        write_rows(output, &rows(&lines)?)?;
        output.text(&texts(stages))?;
    }
    Ok(())
}

fn lines(stages: &[StageInfo]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for stage in stages {
        if let Some(exchange) = &stage.exchange {
            lines.push((stage.id, "rows of partitions", &exchange.rows));
            lines.push((stage.id, "bytes of partitions", &exchange.bytes));
        }
        if stage.task_ms.count > 0 {
            lines.push((stage.id, "ms of tasks", &stage.task_ms));
        }
    }
    lines
}

fn rows(lines: &[Line<'_>]) -> Result<RecordBatch, Failure> {
    batch(vec![
        ("stage", Arc::new(UInt32Array::from_iter_values(lines.iter().map(|(stage, ..)| *stage)))),
        ("spread", strings(lines, |(_, what, _)| (*what).to_string())),
        ("count", numbers(lines, |(.., spread)| spread.count)),
        ("total", numbers(lines, |(.., spread)| spread.total)),
        ("max", numbers(lines, |(.., spread)| spread.max)),
        ("max/mean", strings(lines, |(.., spread)| format!("{:.2}", spread.max_to_mean()))),
        ("max/median", strings(lines, |(.., spread)| format!("{:.2}", spread.max_to_median()))),
        ("largest first", strings(lines, |(.., spread)| spread.histogram.clone())),
    ])
}

fn texts(stages: &[StageInfo]) -> String {
    let mut text = String::new();
    for stage in stages {
        let Some(exchange) = &stage.exchange else { continue };
        // Writing to a string does not fail.
        let _ = writeln!(text, "stage {}: hash({}) into {} partitions", stage.id, exchange.keys, exchange.rows.count);
        for note in &exchange.notes {
            let _ = writeln!(text, "stage {}: {note}", stage.id);
        }
    }
    text
}

/// An exchange with its partitions, in the order of their numbers.
pub(super) fn exchange_json(exchange: &ExchangeInfo) -> Value {
    json!({
        "keys": exchange.keys,
        "rows": spread_json(&exchange.rows),
        "bytes": spread_json(&exchange.bytes),
        "partition_rows": exchange.partition_rows,
        "partition_bytes": exchange.partition_bytes,
        "notes": exchange.notes,
    })
}

/// The tasks of a stage that has ended; nothing before.
pub(super) fn tasks_json(stage: &StageInfo) -> Value {
    if stage.task_ms.count == 0 {
        return Value::Null;
    }
    let times = stage
        .task_times
        .iter()
        .map(|task| json!({"elapsed_ms": task.elapsed_ms, "partitions": task.partitions, "cores": task.cores}));
    json!({"elapsed_ms": spread_json(&stage.task_ms), "times": times.collect::<Vec<_>>()})
}

/// JSON has no infinity: the ratio to a median of 0 is `null`.
fn spread_json(spread: &Spread) -> Value {
    json!({
        "count": spread.count,
        "total": spread.total,
        "max": spread.max,
        "mean": spread.mean(),
        "median": spread.median,
        "max_to_mean": spread.max_to_mean(),
        "max_to_median": spread.max_to_median(),
        "histogram": spread.histogram,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages() -> Vec<StageInfo> {
        let mut exchange = ExchangeInfo::new("k@0".into(), vec![9, 0, 0], vec![90, 0, 0]);
        exchange.notes.push("k = 7 is hot".into());
        let scan = StageInfo { id: 1, exchange: Some(exchange), task_ms: Spread::of(&[5]), ..StageInfo::default() };
        vec![scan, StageInfo { id: 2, state: "running".into(), ..StageInfo::default() }]
    }

    #[test]
    fn an_exchange_has_a_line_for_rows_bytes_and_time() {
        let stages = stages();
        let lines = lines(&stages);
        let what: Vec<_> = lines.iter().map(|(stage, what, _)| (*stage, *what)).collect();
        assert_eq!(what, [(1, "rows of partitions"), (1, "bytes of partitions"), (1, "ms of tasks")]);
        assert_eq!(rows(&lines).unwrap().num_rows(), 3);
        assert_eq!(texts(&stages), "stage 1: hash(k@0) into 3 partitions\nstage 1: k = 7 is hot\n");
    }

    #[test]
    fn json_has_every_partition_and_no_infinity() {
        let stages = stages();
        let json = exchange_json(stages[0].exchange.as_ref().unwrap());
        assert_eq!(json["partition_rows"], json!([9, 0, 0]));
        assert_eq!(json["rows"]["max_to_mean"], json!(3.0));
        assert_eq!(json["rows"]["max_to_median"], Value::Null);
        assert_eq!(tasks_json(&stages[1]), Value::Null);
    }
}
