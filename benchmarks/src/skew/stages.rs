//! What the stages of a job tell of its skew, whichever engine ran it.

use serde::{Deserialize, Serialize};
use sluice::session::{Spread, StageInfo, makespan};

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
    /// The most partitions that one task worked on, if more than one.
    pub(super) partitions_of_a_task: u32,
}

impl From<&StageInfo> for Stage {
    fn from(stage: &StageInfo) -> Self {
        let (partition_rows, partition_bytes) = match &stage.exchange {
            Some(exchange) => (exchange.partition_rows.clone(), exchange.partition_bytes.clone()),
            None => (Vec::new(), Vec::new()),
        };
        Self {
            partition_rows,
            partition_bytes,
            written_bytes: stage.bytes,
            task_ms: stage.task_times.iter().map(|task| task.elapsed_ms).collect(),
            partitions_of_a_task: stage.task_times.iter().map(|task| task.partitions).max().unwrap_or(0),
        }
    }
}

/// What a run's stages come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobSpread {
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
    /// The most partitions that one task worked on. Above 1, on executors of several cores, the times of tasks are not those
    /// of partitions.
    pub partitions_of_a_task: u32,
}

impl JobSpread {
    /// From the stages of one job.
    pub(super) fn of(stages: &[Stage]) -> Self {
        let exchanges: Vec<(Spread, &Stage)> = stages
            .iter()
            .map(|stage| (Spread::of(&stage.partition_bytes), stage))
            .filter(|(bytes, _)| bytes.total > 0)
            .collect();
        let largest = exchanges.iter().map(|(bytes, _)| bytes.total).max().unwrap_or(0);
        let worst = exchanges
            .iter()
            .filter(|(bytes, _)| bytes.total * SMALL_PART >= largest)
            .max_by(|(left, _), (right, _)| left.max_to_mean().total_cmp(&right.max_to_mean()));
        let tasks: usize = stages.iter().map(|stage| stage.task_ms.len()).sum();
        let seconds = |milliseconds: u64| (tasks > 0).then_some(milliseconds as f64 / 1e3);
        let makespan = |slots| seconds(stages.iter().map(|stage| makespan(&stage.task_ms, slots)).sum());
        let times = || stages.iter().flat_map(|stage| stage.task_ms.iter().copied());
        Self {
            partitions: worst.map(|(_, stage)| stage.partition_bytes.len()),
            rows_max_to_mean: worst.map(|(_, stage)| Spread::of(&stage.partition_rows).max_to_mean()),
            bytes_max_to_mean: worst.map(|(bytes, _)| bytes.max_to_mean()),
            bytes_max_to_median: worst.map(|(bytes, _)| bytes.max_to_median()).filter(|ratio| ratio.is_finite()),
            moved_bytes: stages.iter().map(|stage| stage.written_bytes).sum(),
            tasks,
            task_seconds: seconds(times().sum()),
            longest_task_seconds: seconds(times().max().unwrap_or(0)),
            makespan_16_seconds: makespan(16),
            makespan_64_seconds: makespan(64),
            partitions_of_a_task: stages.iter().map(|stage| stage.partitions_of_a_task).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{JobSpread, Stage};

    #[test]
    fn the_most_uneven_exchange_counts_unless_it_is_small() {
        let stage = |bytes: [u64; 4], task_ms: &[u64]| Stage {
            partition_rows: bytes.map(|bytes| bytes / 10).to_vec(),
            partition_bytes: bytes.to_vec(),
            written_bytes: bytes.iter().sum(),
            task_ms: task_ms.to_vec(),
            partitions_of_a_task: 1,
        };
        let stages = [
            stage([100, 100, 100, 100], &[1000; 32]),
            stage([20, 100, 10, 30], &[5000, 1000, 1000, 1000]),
            // Less than a tenth of the first.
            stage([39, 0, 0, 0], &[500]),
        ];
        let spread = JobSpread::of(&stages);
        assert_eq!((spread.partitions, spread.rows_max_to_mean), (Some(4), Some(2.5)));
        assert_eq!((spread.bytes_max_to_mean, spread.bytes_max_to_median), (Some(2.5), Some(4.0)));
        assert_eq!((spread.moved_bytes, spread.tasks, spread.task_seconds), (599, 37, Some(40.5)));
        assert_eq!(spread.longest_task_seconds, Some(5.0));
        // Two rounds of the first stage, then the longest task of each other.
        assert_eq!((spread.makespan_16_seconds, spread.makespan_64_seconds), (Some(7.5), Some(6.5)));
    }

    #[test]
    fn nothing_known_is_not_evenness() {
        let spread = JobSpread::of(&[Stage { written_bytes: 7, ..Stage::default() }]);
        assert_eq!((spread.moved_bytes, spread.tasks), (7, 0));
        assert_eq!((spread.bytes_max_to_mean, spread.task_seconds, spread.makespan_16_seconds), (None, None, None));
    }
}
