//! What a stage that has ended tells of its exchange and its tasks, read from the reports of its tasks.

use ballista_core::execution_plans::SortShuffleWriterExec;
use ballista_core::serde::protobuf::SuccessfulTask;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_stage::{SuccessfulStage, TaskInfo};
use datafusion::physical_plan::Partitioning;
use sluice::session::{ExchangeInfo, Spread, StageInfo, TaskTime};

/// Partitions and tasks of one job that are listed one by one; what is beyond is in the totals only. It bounds the message
/// of a job (about 100 KiB) and what the driver keeps of ended jobs.
const LISTED_OF_A_JOB: usize = 8_192;

/// Adds what only an ended stage can tell.
pub(crate) fn complete(info: &mut StageInfo, stage: &SuccessfulStage) {
    let succeeded = || {
        stage.task_infos.iter().filter_map(|task| match &task.task_status {
            Status::Successful(done) => Some((task, done)),
            _ => None,
        })
    };
    info.task_times = succeeded().map(|(task, _)| task_time(task)).collect();
    info.task_ms = Spread::of(&info.task_times.iter().map(|task| task.elapsed_ms).collect::<Vec<_>>());
    info.exchange = stage.plan.downcast_ref::<SortShuffleWriterExec>().and_then(|writer| {
        let Partitioning::Hash(keys, partitions) = writer.shuffle_output_partitioning() else { return None };
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let (rows, bytes) = received(*partitions, succeeded().map(|(_, done)| done));
        Some(ExchangeInfo::new(keys.join(", "), rows, bytes))
    });
}

/// Drops the lists of stages for which a job has no room, from its first stage on.
pub(crate) fn bound_lists(stages: &mut [StageInfo]) {
    let mut room = LISTED_OF_A_JOB;
    for stage in stages {
        let partitions = stage.exchange.as_ref().map_or(0, |exchange| exchange.partition_rows.len());
        match room.checked_sub(partitions + stage.task_times.len()) {
            Some(left) => room = left,
            None => *stage = std::mem::take(stage).without_lists(),
        }
    }
}

/// Rows and bytes of each partition, summed over the tasks that wrote for it.
fn received<'a>(partitions: usize, tasks: impl Iterator<Item = &'a SuccessfulTask>) -> (Vec<u64>, Vec<u64>) {
    let (mut rows, mut bytes) = (vec![0; partitions], vec![0; partitions]);
    for written in tasks.flat_map(|task| &task.partitions) {
        let Ok(partition) = usize::try_from(written.partition_id) else { continue };
        if let (Some(rows), Some(bytes)) = (rows.get_mut(partition), bytes.get_mut(partition)) {
            *rows += written.num_rows;
            *bytes += written.num_bytes;
        }
    }
    (rows, bytes)
}

fn task_time(task: &TaskInfo) -> TaskTime {
    TaskTime {
        elapsed_ms: u64::try_from(task.end_exec_time.saturating_sub(task.start_exec_time)).unwrap_or(u64::MAX),
        partitions: u32::try_from(task.global_input_partition_ids.len()).unwrap_or(u32::MAX),
        cores: task.vcores_consumed,
    }
}

#[cfg(test)]
mod tests {
    use ballista_core::serde::protobuf::{ShuffleWritePartition, SuccessfulTask};
    use sluice::session::{ExchangeInfo, StageInfo, TaskTime};

    use super::{LISTED_OF_A_JOB, bound_lists, received};

    fn written(partition_id: u64, num_rows: u64, num_bytes: u64) -> ShuffleWritePartition {
        ShuffleWritePartition { partition_id, num_rows, num_bytes, ..Default::default() }
    }

    #[test]
    fn tasks_are_summed_by_partition() {
        let tasks = [
            SuccessfulTask { partitions: vec![written(0, 1, 10), written(2, 5, 50)], ..Default::default() },
            SuccessfulTask { partitions: vec![written(2, 7, 70), written(9, 1, 1)], ..Default::default() },
        ];
        assert_eq!(received(3, tasks.iter()), (vec![1, 0, 12], vec![10, 0, 120]));
        assert_eq!(received(2, [].iter()), (vec![0, 0], vec![0, 0]));
    }

    #[test]
    fn lists_of_a_job_are_bounded_and_totals_are_not() {
        let stage = |partitions: usize, tasks: usize| StageInfo {
            exchange: Some(ExchangeInfo::new(String::new(), vec![1; partitions], vec![2; partitions])),
            task_times: vec![TaskTime::default(); tasks],
            ..StageInfo::default()
        };
        let mut stages = [stage(LISTED_OF_A_JOB - 100, 50), stage(40, 11), stage(40, 10)];
        bound_lists(&mut stages);
        let listed: Vec<usize> =
            stages.iter().map(|stage| stage.exchange.as_ref().unwrap().partition_rows.len()).collect();
        assert_eq!(listed, [LISTED_OF_A_JOB - 100, 0, 40]);
        assert_eq!(stages.each_ref().map(|stage| stage.task_times.len()), [50, 0, 10]);
        assert_eq!(stages[1].exchange.as_ref().unwrap().rows.total, 40);
    }
}
