//! Which executor runs which partitions of a stage: the largest first, and a hot one in a task of its own.
//!
//! Ballista's own policies fill an executor's free cores with the next partitions, whatever their size. A task holds its
//! cores until its slowest partition ends, so one hot partition keeps a whole executor from other work. Here the sizes that
//! the stages before have reported decide ([`slices`]). Stages of small or unknown partitions are cut as Ballista cuts them,
//! and so is a stage that has to be one task.

mod empty;
mod held;
mod sizes;
mod slices;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::config::BallistaConfig;
use ballista_core::execution_plans::{RangeShuffleReaderExec, ShuffleReaderExec};
use ballista_core::serde::protobuf::AvailableVcores;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::task_status::Status as TaskState;
use ballista_core::serde::scheduler::TaskKey;
use ballista_scheduler::cluster::{BoundTask, DistributionPolicy};
use ballista_scheduler::state::execution_graph::{TaskDescription, create_task_info};
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;

use super::attendance::Believed;
use super::join_filters::{self, Filters, Keys, Start};

/// A task that puts so many rows into hash tables before it reads its first partition takes several of them, one after the
/// other where it has no more cores.
const HELD_ROWS: usize = 20_000;

/// So does one of a stage that has so few bytes for each core.
const FEW_BYTES: u64 = 16 << 20;

/// A stage of a job, and how often it was started.
type StageKey = (JobId, usize, usize);

/// What the tasks of a stage will read.
#[derive(Debug)]
struct Input {
    /// Bytes of each partition; empty where nothing is known.
    sizes: Vec<u64>,
    /// Bytes of all of them together.
    bytes: u64,
    /// Rows that each task puts into hash tables, whatever its partitions.
    held_rows: usize,
}

impl Input {
    /// Of the stage with the given plan, whose root writes: what it writes are the stage's partitions.
    fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let sizes = plan.children().first().map(|input| sizes::of_partitions(input)).unwrap_or_default();
        Self { sizes, bytes: sizes::of_input(plan), held_rows: held::rows(plan) }
    }
}

/// Hands out the largest partitions first. Jobs come in the order of their start: what the first leaves, the next gets.
#[derive(Debug, Default)]
pub(crate) struct LargestFirst {
    keys: Arc<Keys>,
    /// What is known of running stages: a stage is asked for often, and reads many locations.
    stages: Mutex<HashMap<StageKey, Arc<Input>>>,
}

#[async_trait]
impl DistributionPolicy for LargestFirst {
    async fn bind_tasks(
        &self,
        mut budgets: Vec<&mut AvailableVcores>,
        running_jobs: Arc<HashMap<JobId, JobInfoCache>>,
    ) -> datafusion::error::Result<Vec<BoundTask>> {
        self.stages.lock().retain(|(job, ..), _| running_jobs.contains_key(job));
        self.keys.keep(|job| running_jobs.contains_key(&JobId::from(job)));
        let mut bound = Vec::new();
        let cores = free(&budgets) + busy(&running_jobs).await;
        for (id, job) in by_start(&running_jobs).await {
            let mut graph = job.execution_graph.write().await;
            let session_id = graph.session_id().to_string();
            // Stages that have just become possible are to be seen as well.
            graph.revive();
            let filters = Filters::read(&graph);
            let runs = Believed::read(&graph).any_runs();
            let (mut seen, mut waiting, bound_before) = (Vec::new(), Vec::new(), bound.len());
            while free(&budgets) > 0
                && let Some(stage) = graph.fetch_running_stage(&seen)
            {
                seen.push(stage.stage_id);
                if stage.task_infos.is_empty() {
                    stage.plan = empty::as_sources(&stage.plan)?;
                }
                if filters.prepare(stage, id, &self.keys)? == Start::WhenKeysAreThere {
                    waiting.push(stage.stage_id);
                    continue;
                }
                let input = self.input_of(id, stage);
                bind_stage(stage, &input, id, &session_id, cores, &mut budgets, &mut bound);
            }
            if runs || bound.len() > bound_before || waiting.is_empty() {
                continue;
            }
            // Nothing of the job is left that could bring the keys.
            let mut seen: Vec<usize> = seen.into_iter().filter(|stage| !waiting.contains(stage)).collect();
            while free(&budgets) > 0
                && let Some(stage) = graph.fetch_running_stage(&seen)
            {
                seen.push(stage.stage_id);
                tracing::debug!(job = %id, stage = stage.stage_id, "the stage starts without the keys that it awaits");
                join_filters::start_without_keys(stage)?;
                let input = self.input_of(id, stage);
                bind_stage(stage, &input, id, &session_id, cores, &mut budgets, &mut bound);
            }
        }
        Ok(bound)
    }

    fn name(&self) -> &str {
        "largest-first"
    }
}

impl LargestFirst {
    /// Stages that await keys find them there.
    pub(crate) fn new(keys: Arc<Keys>) -> Self {
        Self { keys, stages: Mutex::default() }
    }

    fn input_of(&self, job: &JobId, stage: &RunningStage) -> Arc<Input> {
        let key = (job.clone(), stage.stage_id, stage.stage_attempt_num);
        let mut known = self.stages.lock();
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Input::of(&stage.plan))))
    }
}

/// Cores that work on tasks now.
async fn busy(jobs: &HashMap<JobId, JobInfoCache>) -> usize {
    let mut cores = 0;
    for job in jobs.values() {
        let graph = job.execution_graph.read().await;
        let tasks = graph.stages().values().filter_map(ExecutionStage::task_infos).flatten();
        let running = tasks.filter(|task| matches!(task.task_status, TaskState::Running(_)));
        cores += running.map(|task| task.vcores_consumed as usize).sum::<usize>();
    }
    cores
}

/// The jobs that run, the one that began first at the front.
async fn by_start(jobs: &HashMap<JobId, JobInfoCache>) -> Vec<(&JobId, &JobInfoCache)> {
    let mut started = Vec::with_capacity(jobs.len());
    for (id, job) in jobs {
        if matches!(job.status, Some(Status::Running(_))) {
            let start = job.execution_graph.read().await.start_time();
            started.push((start, id, job));
        }
    }
    started.sort_by(|(left, left_id, _), (right, right_id, _)| (left, left_id).cmp(&(right, right_id)));
    started.into_iter().map(|(_, id, job)| (id, job)).collect()
}

/// Binds partitions of the stage until it has none left or no executor has a free core.
fn bind_stage(
    stage: &mut RunningStage,
    input: &Input,
    job: &JobId,
    session_id: &str,
    all_cores: usize,
    budgets: &mut [&mut AvailableVcores],
    bound: &mut Vec<BoundTask>,
) {
    let sizes = &input.sizes;
    let one_task = collapses(&stage.plan);
    // As few tasks as keep all cores busy, where each builds the same tables, and where starting one takes as long as its
    // work.
    let packed = input.held_rows >= HELD_ROWS || input.bytes <= FEW_BYTES * all_cores as u64;
    let by_size = !one_task && sizes.len() == stage.partitions && slices::matter(sizes);
    let configured = stage.session_config.options().extensions.get::<BallistaConfig>();
    let most = configured.map(BallistaConfig::max_partitions_per_task).filter(|most| *most > 0).unwrap_or(usize::MAX);
    let mut pending = stage.pending.next_slice(usize::MAX);
    if by_size {
        slices::order(&mut pending, sizes, &stage.task_failure_numbers);
    }
    while !pending.is_empty() {
        let everywhere = free(budgets);
        // Of executors with as many free cores the first, so that a small stage stays together.
        let Some(budget) = budgets.iter_mut().min_by_key(|budget| Reverse(budget.vcores)).filter(|it| it.vcores > 0)
        else {
            break;
        };
        let cores = budget.vcores as usize;
        let partitions = match (one_task, by_size) {
            (true, _) => pending.len(),
            (false, true) => {
                let share = match packed {
                    true => slices::packed(stage.partitions, cores, all_cores).min(pending.len()),
                    false => slices::fair_share(pending.len(), cores, everywhere),
                };
                slices::next_task(&pending, sizes, share.min(most))
            }
            (false, false) if packed => slices::packed(stage.partitions, cores, all_cores).min(pending.len()).min(most),
            (false, false) => cores.min(most).min(pending.len()),
        };
        let mut slice: Vec<usize> = pending.drain(..partitions).collect();
        // Below a union, Ballista takes the order of its inputs for that of the slice.
        slice.sort_unstable();
        let cores = if one_task { 1 } else { u32::try_from(slice.len().min(cores)).unwrap_or(u32::MAX) };
        budget.vcores -= cores;
        bound.push((budget.executor_id.clone(), start_task(stage, slice, cores, &budget.executor_id, job, session_id)));
    }
    stage.pending.reschedule(pending);
}

/// Notes a task in the stage and describes it for the executor.
fn start_task(
    stage: &mut RunningStage,
    partitions: Vec<usize>,
    cores: u32,
    executor: &str,
    job: &JobId,
    session_id: &str,
) -> TaskDescription {
    // A task's id is its place in the list of all.
    let task_id = stage.task_infos.len();
    let failures = partitions.iter().filter_map(|partition| stage.task_failure_numbers.get(*partition));
    let task_attempt = failures.copied().max().unwrap_or(0);
    let mut info = create_task_info(executor.to_string(), task_id);
    info.global_input_partition_ids.clone_from(&partitions);
    info.vcores_consumed = cores;
    stage.task_infos.push(info);
    TaskDescription {
        session_id: session_id.to_string(),
        key: TaskKey { job_id: job.clone(), stage_id: stage.stage_id, task_id },
        stage_attempt_num: stage.stage_attempt_num,
        task_attempt,
        global_input_partition_ids: partitions,
        vcores_consumed: cores,
        plan: Arc::clone(&stage.plan),
        session_config: Arc::clone(&stage.session_config),
    }
}

fn free(budgets: &[&mut AvailableVcores]) -> usize {
    budgets.iter().map(|budget| budget.vcores as usize).sum()
}

/// Whether the stage has to be one task, on one core: on the way from its root to its first fork, or to what it reads, a
/// node brings everything into one partition, and a part of the partitions would give a part of the result. This is
/// Ballista's own rule, which is private.
fn collapses(root: &Arc<dyn ExecutionPlan>) -> bool {
    let mut node = root;
    loop {
        let children = node.children();
        let [child] = children.as_slice() else { return false };
        if child.is::<ShuffleReaderExec>() || child.is::<RangeShuffleReaderExec>() {
            return false;
        }
        if child.properties().output_partitioning().partition_count() == 1 {
            return true;
        }
        node = *child;
    }
}

#[cfg(test)]
mod tests;
