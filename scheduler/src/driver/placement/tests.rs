//! Stages as Ballista has them, over readers of partitions of given sizes.

use std::collections::HashMap;
use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::config::BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK;
use ballista_core::execution_plans::{ShuffleReaderExec, ShuffleWriterExec};
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::AvailableVcores;
use ballista_core::serde::scheduler::{
    ExecutorMetadata, ExecutorOperatingSystemSpecification, ExecutorSpecification, PartitionId, PartitionLocation,
    PartitionStats,
};
use ballista_scheduler::cluster::BoundTask;
use ballista_scheduler::state::execution_stage::RunningStage;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::datasource::memory::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::{HashJoinExecBuilder, PartitionMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion::prelude::SessionConfig;

use super::{Input, bind_stage, empty, sizes};

const MIB: u64 = 1 << 20;

fn location(partition: usize, bytes: u64) -> PartitionLocation {
    PartitionLocation {
        map_partition_id: 0,
        partition_id: PartitionId::new(&JobId::from("job"), 1, partition),
        executor_meta: ExecutorMetadata {
            id: "executor".to_string(),
            host: "host".to_string(),
            port: 1,
            grpc_port: 2,
            specification: ExecutorSpecification::default().with_vcores(1),
            os_info: ExecutorOperatingSystemSpecification::default(),
        },
        partition_stats: PartitionStats::new(Some(1), Some(1), Some(bytes)),
        file_id: None,
        is_sort_shuffle: true,
    }
}

/// Each partition is read from two tasks of the stage before.
fn reader(sizes: &[u64]) -> Arc<dyn ExecutionPlan> {
    let halves =
        |(partition, bytes): (usize, &u64)| vec![location(partition, bytes / 2), location(partition, bytes / 2)];
    let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
    let partitions = sizes.iter().enumerate().map(halves).collect();
    let partitioning = Partitioning::UnknownPartitioning(sizes.len());
    Arc::new(ShuffleReaderExec::try_new(1, partitions, schema, partitioning).unwrap())
}

fn stage(input: Arc<dyn ExecutionPlan>, partitions: usize, config: SessionConfig) -> RunningStage {
    let writer = ShuffleWriterExec::try_new(JobId::from("job"), 2, input, String::new()).unwrap();
    RunningStage::new(2, 0, Arc::new(writer), partitions, Vec::new(), HashMap::new(), Arc::new(config))
}

/// Binds what fits on executors with so many free cores; gives executor and partitions of each task.
fn bind(stage: &mut RunningStage, cores: &[u32]) -> (Vec<(String, Vec<usize>)>, Vec<u32>) {
    let mut budgets: Vec<AvailableVcores> = cores
        .iter()
        .enumerate()
        .map(|(number, vcores)| AvailableVcores { executor_id: format!("e{number}"), vcores: *vcores })
        .collect();
    let input = Input::of(&stage.plan);
    let all = cores.iter().sum::<u32>() as usize;
    let mut bound: Vec<BoundTask> = Vec::new();
    let mut lent: Vec<&mut AvailableVcores> = budgets.iter_mut().collect();
    bind_stage(stage, &input, &JobId::from("job"), "session", all, &mut lent, &mut bound);
    let tasks = bound.into_iter().map(|(executor, task)| (executor, task.global_input_partition_ids)).collect();
    (tasks, budgets.into_iter().map(|budget| budget.vcores).collect())
}

fn task(executor: &str, partitions: &[usize]) -> (String, Vec<usize>) {
    (executor.to_string(), partitions.to_vec())
}

#[test]
fn the_hot_partition_holds_one_core_and_the_others_go_elsewhere() {
    let sizes = [10, 10, 10, 800, 10, 10].map(|size| size * MIB);
    let mut stage = stage(reader(&sizes), 6, SessionConfig::new_with_ballista());
    let (tasks, left) = bind(&mut stage, &[4, 4]);
    assert_eq!(tasks, [task("e0", &[3]), task("e1", &[0, 1, 2]), task("e0", &[4, 5])]);
    assert_eq!(left, [1, 1]);
    let noted: Vec<_> = stage.task_infos.iter().map(|info| (info.task_id, info.vcores_consumed)).collect();
    assert_eq!(noted, [(0, 1), (1, 3), (2, 2)]);
    assert!(stage.pending.is_empty());
}

#[test]
fn what_finds_no_core_waits_and_failed_partitions_come_first() {
    let sizes = [10, 20, 30, 900].map(|size| size * MIB);
    let mut stage = stage(reader(&sizes), 4, SessionConfig::new_with_ballista());
    assert_eq!(bind(&mut stage, &[2]).0, [task("e0", &[3]), task("e0", &[2])]);
    assert_eq!(stage.pending.remaining(), 2);
    assert_eq!(bind(&mut stage, &[0]).0, []);
    stage.pending.reschedule([3]);
    stage.task_failure_numbers[3] = 1;
    assert_eq!(bind(&mut stage, &[8]).0, [task("e0", &[3]), task("e0", &[0, 1])]);
}

#[test]
fn small_stages_are_cut_by_the_cores() {
    let mut stage = stage(reader(&[5 * MIB, 1, 0, MIB, 7]), 5, SessionConfig::new_with_ballista());
    let (tasks, left) = bind(&mut stage, &[1, 3, 2]);
    assert_eq!(tasks, [task("e1", &[0, 1, 2]), task("e2", &[3, 4])]);
    assert_eq!(left, [1, 0, 0]);
}

#[test]
fn a_table_that_each_task_builds_is_built_by_few() {
    let probe = |partitions: usize| {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let rows = vec![PartitionLocation {
            partition_stats: PartitionStats::new(Some(50_000), Some(7), Some(MIB)),
            ..location(0, MIB)
        }];
        let held = ShuffleReaderExec::try_new_broadcast(1, rows, schema, 1).unwrap();
        let key = || Arc::new(Column::new("k", 0)) as Arc<dyn PhysicalExpr>;
        let join = HashJoinExecBuilder::new(
            Arc::new(held),
            reader(&vec![100 * MIB; partitions]),
            vec![(key(), key())],
            JoinType::Inner,
        );
        Arc::new(join.with_partition_mode(PartitionMode::CollectLeft).build().unwrap()) as Arc<dyn ExecutionPlan>
    };
    let mut stage = stage(probe(6), 6, SessionConfig::new_with_ballista());
    let (tasks, left) = bind(&mut stage, &[1, 1]);
    assert_eq!(tasks, [task("e0", &[0, 1, 2]), task("e1", &[3, 4, 5])]);
    assert_eq!(left, [0, 0]);
}

#[test]
fn a_stage_that_collapses_is_one_task_on_one_core() {
    let collapsed = Arc::new(CoalescePartitionsExec::new(reader(&[900 * MIB, MIB, MIB])));
    let mut stage = stage(collapsed, 3, SessionConfig::new_with_ballista());
    let (tasks, left) = bind(&mut stage, &[2]);
    assert_eq!(tasks, [task("e0", &[0, 1, 2])]);
    assert_eq!(left, [1]);
}

#[test]
fn the_setting_for_partitions_of_a_task_holds() {
    for sizes in [[40 * MIB; 4], [1; 4]] {
        let config = SessionConfig::new_with_ballista().set_usize(BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK, 1);
        let mut stage = stage(reader(&sizes), 4, config);
        let (tasks, _) = bind(&mut stage, &[8]);
        assert!(tasks.len() == 4 && tasks.iter().all(|(_, partitions)| partitions.len() == 1), "{tasks:?}");
    }
}

#[test]
fn sizes_follow_the_plan_down_to_what_it_reads() {
    let union: Arc<dyn ExecutionPlan> = UnionExec::try_new(vec![reader(&[2, 4]), reader(&[6, 8, 10])]).unwrap();
    assert_eq!(sizes::of_partitions(&union), [2, 4, 6, 8, 10]);
    let collapsed: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(reader(&[2, 4])));
    assert_eq!(sizes::of_partitions(&collapsed), [0]);
}

#[test]
fn empty_inputs_are_sources_with_as_many_partitions() {
    let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
    let empty = || Arc::new(EmptyExec::new(Arc::clone(&schema)));
    let exchange = RepartitionExec::try_new(empty(), Partitioning::RoundRobinBatch(3)).unwrap();
    let union: Arc<dyn ExecutionPlan> = UnionExec::try_new(vec![empty(), Arc::new(exchange), reader(&[2, 4])]).unwrap();
    let sources = empty::as_sources(&union).unwrap();
    let inputs = sources.children();
    assert!(
        inputs[0].is::<DataSourceExec>() && inputs[1].is::<DataSourceExec>() && inputs[2].is::<ShuffleReaderExec>()
    );
    let partitions = inputs.iter().map(|input| input.properties().output_partitioning().partition_count());
    assert_eq!(partitions.collect::<Vec<_>>(), [1, 3, 2]);
    assert_eq!(sources.schema(), union.schema());
}
