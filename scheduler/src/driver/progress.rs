//! How far a job is, read from Ballista's graph of its stages.

use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::physical_plan::metrics::MetricsSet;
use sluice::session::{Progress, StageInfo};

use super::exchanges;

/// The stages in the order of their ids, and their sum. What an earlier reading of the same graph has found out of stages
/// that had ended is not computed again.
pub(crate) fn read(graph: &ExecutionGraphBox, earlier: &[StageInfo]) -> (Progress, Vec<StageInfo>) {
    let mut stages: Vec<StageInfo> = graph
        .stages()
        .iter()
        .map(|(id, stage)| {
            let id = u32::try_from(*id).unwrap_or(u32::MAX);
            stage_info(id, stage, earlier.iter().find(|known| known.id == id))
        })
        .collect();
    stages.sort_by_key(|stage| stage.id);
    exchanges::bound_lists(&mut stages);
    let mut total = Progress { stages_total: count(stages.len()), ..Progress::default() };
    for stage in &stages {
        total.stages_done += u32::from(stage.state == "succeeded");
        total.tasks_done += stage.tasks_done;
        total.tasks_total += stage.tasks_total;
        total.rows += stage.rows;
        total.bytes += stage.bytes;
        total.spilled_bytes += stage.spilled_bytes;
    }
    (total, stages)
}

/// Whether a task of the job ran, or runs, on the executor.
pub(crate) fn touches(graph: &ExecutionGraphBox, executor_id: &str) -> bool {
    graph.stages().values().filter_map(ExecutionStage::task_infos).flatten().any(|task| match &task.task_status {
        Status::Running(task) => task.executor_id == executor_id,
        Status::Successful(task) => task.executor_id == executor_id,
        // The scheduler may have heard of the loss before, and have taken the task's outcome back.
        Status::Failed(task) => matches!(task.failed_reason, Some(FailedReason::ResultLost(_))),
    })
}

fn stage_info(id: u32, stage: &ExecutionStage, earlier: Option<&StageInfo>) -> StageInfo {
    let mut info = StageInfo {
        id,
        state: match stage {
            ExecutionStage::UnResolved(_) | ExecutionStage::Resolved(_) => "waiting",
            ExecutionStage::Running(_) => "running",
            ExecutionStage::Successful(_) => "succeeded",
            ExecutionStage::Failed(_) => "failed",
        }
        .to_string(),
        ..StageInfo::default()
    };
    for task in stage.task_infos().unwrap_or_default() {
        if let Status::Successful(task) = &task.task_status {
            info.tasks_done += 1;
            info.rows += task.partitions.iter().map(|partition| partition.num_rows).sum::<u64>();
            info.bytes += task.partitions.iter().map(|partition| partition.num_bytes).sum::<u64>();
        }
    }
    let (started, spilled) = match stage {
        ExecutionStage::Running(stage) => {
            // What is pending becomes at least one more task.
            let pending = usize::from(!stage.pending.is_empty());
            (stage.task_infos.len() + pending, spilled_bytes(stage.stage_metrics.as_deref().unwrap_or_default()))
        }
        ExecutionStage::Successful(stage) => (stage.task_infos.len(), spilled_bytes(&stage.stage_metrics)),
        other => (other.task_infos().map_or(1, <[_]>::len), 0),
    };
    info.tasks_total = count(started);
    info.spilled_bytes = spilled;
    if let ExecutionStage::Successful(stage) = stage {
        match earlier.filter(|known| known.state == info.state && known.tasks_done == info.tasks_done) {
            Some(known) => info = known.clone(),
            None => exchanges::complete(&mut info, stage),
        }
    }
    info
}

fn spilled_bytes(metrics: &[MetricsSet]) -> u64 {
    metrics.iter().filter_map(MetricsSet::spilled_bytes).map(|bytes| bytes as u64).sum()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
