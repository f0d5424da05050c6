//! What the stages of a job tell of its skew, whichever engine ran it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use sluice::session::StageInfo;

/// An exchange that moves less than this part of the largest one does not count: its few rows, of one group each, are
/// never spread evenly.
const SMALL_PART: u64 = 10;

/// One stage of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stage {
    /// Rows and bytes of each partition of an exchange; empty where the stage has none, or where nobody knows.
    pub(super) partition_rows: Vec<u64>,
    pub(super) partition_bytes: Vec<u64>,
    /// Bytes that the stage put out for other stages.
    pub(super) written_bytes: u64,
    /// Milliseconds of each task.
    pub(super) task_ms: Vec<u64>,
}

impl From<&StageInfo> for Stage {
    fn from(stage: &StageInfo) -> Self {
        Self { written_bytes: stage.bytes, ..Self::default() }
    }
}

/// What a run's stages come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Partitions of the most uneven exchange, if anything is known of one.
    pub partitions: Option<usize>,
    /// Its rows: the largest partition over the mean.
    pub rows_max_to_mean: Option<f64>,
    /// Its bytes: the largest partition over the mean.
    pub bytes_max_to_mean: Option<f64>,
    /// Its bytes: the largest partition over the one in the middle; nothing if that is empty.
    pub bytes_max_to_median: Option<f64>,
    /// Bytes that stages put out for others, all together.
    pub moved_bytes: u64,
    /// Tasks of all stages.
    pub tasks: usize,
    /// Seconds of all tasks together.
    pub task_seconds: Option<f64>,
    /// Seconds of the longest task.
    pub longest_task_seconds: Option<f64>,
    /// Seconds on 16 slots: each stage's tasks, the longest first, one stage after the other.
    pub makespan_16_seconds: Option<f64>,
    /// The same on 64 slots.
    pub makespan_64_seconds: Option<f64>,
}

impl Spread {
    /// From the stages of one job.
    pub(super) fn of(stages: &[Stage]) -> Self {
        let largest = stages.iter().map(|stage| stage.partition_bytes.iter().sum::<u64>()).max().unwrap_or(0);
        let counts = |stage: &&Stage| {
            let bytes: u64 = stage.partition_bytes.iter().sum();
            bytes > 0 && bytes * SMALL_PART >= largest
        };
        let uneven = |stage: &&Stage| max_to_mean(&stage.partition_bytes).unwrap_or(0.0);
        let worst = stages.iter().filter(counts).max_by(|left, right| uneven(left).total_cmp(&uneven(right)));
        let tasks: usize = stages.iter().map(|stage| stage.task_ms.len()).sum();
        let seconds = |milliseconds: u64| (tasks > 0).then_some(milliseconds as f64 / 1e3);
        let makespan = |slots| seconds(stages.iter().map(|stage| makespan(&stage.task_ms, slots)).sum());
        let times = || stages.iter().flat_map(|stage| stage.task_ms.iter().copied());
        Self {
            partitions: worst.map(|stage| stage.partition_bytes.len()),
            rows_max_to_mean: worst.and_then(|stage| max_to_mean(&stage.partition_rows)),
            bytes_max_to_mean: worst.and_then(|stage| max_to_mean(&stage.partition_bytes)),
            bytes_max_to_median: worst.and_then(|stage| max_to_median(&stage.partition_bytes)),
            moved_bytes: stages.iter().map(|stage| stage.written_bytes).sum(),
            tasks,
            task_seconds: seconds(times().sum()),
            longest_task_seconds: seconds(times().max().unwrap_or(0)),
            makespan_16_seconds: makespan(16),
            makespan_64_seconds: makespan(64),
        }
    }
}

fn max_to_mean(values: &[u64]) -> Option<f64> {
    let total: u64 = values.iter().sum();
    let max = values.iter().max().filter(|max| **max > 0)?;
    Some(*max as f64 * values.len() as f64 / total as f64)
}

fn max_to_median(values: &[u64]) -> Option<f64> {
    let median = crate::statistics::median(&values.iter().map(|value| *value as f64).collect::<Vec<_>>())?;
    let max = values.iter().max()?;
    (median > 0.0).then(|| *max as f64 / median)
}

/// When the last of some tasks ends if each slot takes the longest one left as soon as it is free (Graham's longest
/// processing time first).
fn makespan(task_ms: &[u64], slots: usize) -> u64 {
    let mut longest_first = task_ms.to_vec();
    longest_first.sort_unstable_by_key(|time| Reverse(*time));
    let mut busy_until: BinaryHeap<Reverse<u64>> = (0..slots.max(1)).map(|_| Reverse(0)).collect();
    let mut last = 0;
    for time in longest_first {
        let Reverse(free_at) = busy_until.pop().unwrap_or(Reverse(0));
        last = last.max(free_at + time);
        busy_until.push(Reverse(free_at + time));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::{Spread, Stage, makespan};

    #[test]
    fn longest_tasks_first() {
        assert_eq!(makespan(&[], 4), 0);
        assert_eq!(makespan(&[3, 9, 2], 1), 14);
        assert_eq!(makespan(&[3, 9, 2], 2), 9);
        // Graham's example: 11 where 9 is possible.
        assert_eq!(makespan(&[5, 5, 4, 4, 3, 3, 3], 3), 11);
    }

    #[test]
    fn the_most_uneven_exchange_counts_unless_it_is_small() {
        let stage = |bytes: [u64; 4], task_ms: &[u64]| Stage {
            partition_rows: bytes.map(|bytes| bytes / 10).to_vec(),
            partition_bytes: bytes.to_vec(),
            written_bytes: bytes.iter().sum(),
            task_ms: task_ms.to_vec(),
        };
        let stages = [
            stage([100, 100, 100, 100], &[1000; 32]),
            stage([20, 100, 10, 30], &[5000, 1000, 1000, 1000]),
            // Less than a tenth of the first.
            stage([39, 0, 0, 0], &[500]),
        ];
        let spread = Spread::of(&stages);
        assert_eq!((spread.partitions, spread.rows_max_to_mean), (Some(4), Some(2.5)));
        assert_eq!((spread.bytes_max_to_mean, spread.bytes_max_to_median), (Some(2.5), Some(4.0)));
        assert_eq!((spread.moved_bytes, spread.tasks, spread.task_seconds), (599, 37, Some(40.5)));
        assert_eq!(spread.longest_task_seconds, Some(5.0));
        // Two rounds of the first stage, then the longest task of each other.
        assert_eq!((spread.makespan_16_seconds, spread.makespan_64_seconds), (Some(7.5), Some(6.5)));
    }

    #[test]
    fn nothing_known_is_not_evenness() {
        let spread = Spread::of(&[Stage { written_bytes: 7, ..Stage::default() }]);
        assert_eq!((spread.moved_bytes, spread.tasks), (7, 0));
        assert_eq!((spread.bytes_max_to_mean, spread.task_seconds, spread.makespan_16_seconds), (None, None, None));
    }
}
