//! Carries the keys of a join's one side to the stages that read its other side.
//!
//! Tasks report the keys that they have gathered before they report their end ([`Keys::note`]). A stage that awaits keys is
//! not started while they may still come ([`Filters::prepare`]), and then gets them in its plan. Where a report was lost,
//! or where nothing of the job runs that could bring them, it starts without.

use std::collections::HashMap;
use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use dashmap::DashMap;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use sluice::optimize::{JoinFilterExec, JoinKeysExec, OtherSide};

/// Of more keys, those of all tasks counted, no filter is made.
const MOST_KEYS: usize = 4 << 20;

/// Stage and task.
type TaskName = (usize, usize);

/// The keys of running jobs.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    filters: DashMap<(String, u64), Reported>,
}

#[derive(Debug)]
enum Reported {
    /// What each task has said so far; `None` where it knows only a part.
    Tasks(HashMap<TaskName, Option<Vec<u64>>>),
    /// What they have said together.
    Whole(Option<Arc<OtherSide>>),
}

impl Keys {
    /// Keys that a task has gathered for a filter.
    pub(crate) fn note(&self, job: String, task: TaskName, filter: u64, hashes: Option<Vec<u64>>) {
        let mut reported = self.filters.entry((job, filter)).or_insert_with(|| Reported::Tasks(HashMap::new()));
        if let Reported::Tasks(tasks) = reported.value_mut() {
            tasks.insert(task, hashes);
            if tasks.values().flatten().map(Vec::len).sum::<usize>() > MOST_KEYS {
                *reported.value_mut() = Reported::Whole(None);
            }
        }
    }

    /// The keys of all of a stage's tasks, where each has reported its own.
    fn of_stage(&self, job: &JobId, filter: u64, stage: usize, tasks: &[usize]) -> Option<Arc<OtherSide>> {
        let mut reported = self.filters.get_mut(&(job.to_string(), filter))?;
        if let Reported::Tasks(by_task) = reported.value_mut() {
            let own = tasks.iter().map(|task| by_task.get(&(stage, *task))?.as_deref());
            let whole = own.collect::<Option<Vec<_>>>().map(|own| Arc::new(OtherSide::of(&own.concat())));
            tracing::debug!(%job, filter, stage, known = whole.is_some(), reported = by_task.len(), tasks = tasks.len(), "keys of a join");
            *reported.value_mut() = Reported::Whole(whole);
        }
        match reported.value() {
            Reported::Whole(whole) => whole.clone(),
            Reported::Tasks(_) => None,
        }
    }

    /// Forgets jobs that do not run any more.
    pub(crate) fn keep(&self, runs: impl Fn(&str) -> bool) {
        self.filters.retain(|(job, _), _| runs(job));
    }
}

/// How far the stages of a job are that gather keys.
#[derive(Debug)]
pub(crate) struct Filters {
    /// For each filter the stage, and its tasks once it has ended.
    gathering: HashMap<u64, (usize, Option<Vec<usize>>)>,
    any_awaited: bool,
}

/// Whether a stage may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    WhenKeysAreThere,
}

impl Filters {
    /// As the job's stages are now.
    pub(crate) fn read(graph: &ExecutionGraphBox) -> Self {
        let mut filters = Self { gathering: HashMap::new(), any_awaited: false };
        for (id, stage) in graph.stages() {
            let (plan, tasks) = match stage {
                ExecutionStage::Running(stage) => (&stage.plan, None),
                ExecutionStage::Resolved(stage) => (&stage.plan, None),
                ExecutionStage::UnResolved(stage) => (&stage.plan, None),
                ExecutionStage::Successful(stage) => {
                    let ended =
                        stage.task_infos.iter().filter(|task| matches!(task.task_status, Status::Successful(_)));
                    (&stage.plan, Some(ended.map(|task| task.task_id).collect::<Vec<_>>()))
                }
                ExecutionStage::Failed(_) => continue,
            };
            filters.any_awaited |= !awaited(plan).is_empty();
            for filter in gathered(plan) {
                filters.gathering.insert(filter, (*id, tasks.clone()));
            }
        }
        filters
    }

    /// Whether the stage may start; then its plan has the keys that it awaited.
    pub(crate) fn prepare(&self, stage: &mut RunningStage, job: &JobId, keys: &Keys) -> Result<Start> {
        if !self.any_awaited {
            return Ok(Start::Now);
        }
        let own = gathered(&stage.plan);
        let mut known = HashMap::new();
        for filter in awaited(&stage.plan) {
            let there = match self.gathering.get(&filter) {
                // Keys that its own tasks gather come too late for them.
                _ if own.contains(&filter) => None,
                // Where the join itself runs in the stage, it drops what matches nothing.
                Some((gathered, _)) if reads(&stage.plan, *gathered) => None,
                Some((stage, Some(tasks))) => keys.of_stage(job, filter, *stage, tasks),
                _ => return Ok(Start::WhenKeysAreThere),
            };
            known.insert(filter, there);
        }
        if !known.is_empty() {
            stage.plan = with_keys(&stage.plan, &known)?;
        }
        Ok(Start::Now)
    }
}

/// Lets a stage start without the keys that it awaits.
pub(crate) fn start_without_keys(stage: &mut RunningStage) -> Result<()> {
    stage.plan = with_keys(&stage.plan, &HashMap::new())?;
    Ok(())
}

fn with_keys(
    plan: &Arc<dyn ExecutionPlan>,
    known: &HashMap<u64, Option<Arc<OtherSide>>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|node| match node.downcast_ref::<JoinFilterExec>().filter(|filter| filter.awaits_keys()) {
            Some(filter) => {
                let keys = known.get(&filter.filter()).and_then(Option::as_ref);
                Ok(Transformed::yes(Arc::new(filter.with_keys(keys)) as Arc<dyn ExecutionPlan>))
            }
            None => Ok(Transformed::no(node)),
        })
        .data()
}

/// Whether the plan reads what another stage has written.
fn reads(plan: &Arc<dyn ExecutionPlan>, stage: usize) -> bool {
    let read = numbers(plan, |node| u64::try_from(node.downcast_ref::<ShuffleReaderExec>()?.stage_id).ok());
    u64::try_from(stage).is_ok_and(|stage| read.contains(&stage))
}

fn awaited(plan: &Arc<dyn ExecutionPlan>) -> Vec<u64> {
    numbers(plan, |node| {
        node.downcast_ref::<JoinFilterExec>().filter(|it| it.awaits_keys()).map(JoinFilterExec::filter)
    })
}

fn gathered(plan: &Arc<dyn ExecutionPlan>) -> Vec<u64> {
    numbers(plan, |node| node.downcast_ref::<JoinKeysExec>().map(JoinKeysExec::filter))
}

fn numbers(plan: &Arc<dyn ExecutionPlan>, number: impl Fn(&dyn ExecutionPlan) -> Option<u64>) -> Vec<u64> {
    let mut numbers = Vec::new();
    // The closure never fails.
    let _ = plan.apply(|node| {
        numbers.extend(number(node.as_ref()));
        Ok(TreeNodeRecursion::Continue)
    });
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_there_when_every_task_has_told_all_of_its_own() {
        let (keys, job) = (Keys::default(), JobId::from("j"));
        keys.note("j".into(), (1, 0), 5, Some(vec![1, 2]));
        keys.note("j".into(), (1, 1), 5, Some(vec![]));
        keys.note("j".into(), (1, 2), 6, Some(vec![3]));
        keys.note("j".into(), (1, 3), 6, None);
        assert!(keys.of_stage(&job, 5, 1, &[0, 1]).is_some());
        assert!(keys.of_stage(&job, 5, 1, &[0, 1]).is_some(), "a second stage awaits the same");
        assert!(keys.of_stage(&job, 6, 1, &[2, 3]).is_none(), "one task knows a part only");
        keys.note("j".into(), (2, 0), 7, Some(vec![4]));
        assert!(keys.of_stage(&job, 7, 2, &[0, 1]).is_none(), "one task's report is missing");
        assert!(keys.of_stage(&job, 8, 2, &[0]).is_none());
        keys.keep(|job| job != "j");
        assert!(keys.of_stage(&job, 5, 1, &[0, 1]).is_none());
    }
}
