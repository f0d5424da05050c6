//! The write as a physical node: one set of files a partition, by DataFusion's own writers.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigNonZeroUsize;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileOutputMode, FileSinkConfig};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateDefaults, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::files::{REPORT_SCHEMA, WrittenFile, report};
use super::spec::WriteSpec;
use crate::stream;

/// Writes each partition of its input and reports the files. One output partition for each of the input's.
#[derive(Debug)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    spec: Arc<WriteSpec>,
    properties: Arc<PlanProperties>,
}

impl WriteExec {
    /// A write of the input's rows.
    pub fn new(input: Arc<dyn ExecutionPlan>, spec: Arc<WriteSpec>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&REPORT_SCHEMA)),
            datafusion::physical_plan::Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, spec, properties: Arc::new(properties) }
    }

    /// What to write, and where.
    pub fn spec(&self) -> &WriteSpec {
        &self.spec
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "WriteExec: format={}, partition_by=[{}]", self.spec.format, self.spec.partition_by.join(", "))
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &str {
        "WriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let needed =
            if self.spec.single_file { Distribution::SinglePartition } else { Distribution::UnspecifiedDistribution };
        InputDistributionRequirements::new(vec![needed])
    }

    /// A write is as parallel as its input: more files of fewer rows are no gain.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    /// The order of the rows is the order of the file.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = if children.len() == 1 { children.swap_remove(0) } else { Arc::clone(&self.input) };
        Ok(Arc::new(Self::new(input, Arc::clone(&self.spec))))
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = if children.len() == 1 { children.swap_remove(0) } else { Arc::clone(&self.input) };
        Ok(Arc::new(Self::new(input, Arc::clone(&self.spec))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = Arc::clone(&self.input);
        let spec = Arc::clone(&self.spec);
        Ok(stream::produce(Arc::clone(&REPORT_SCHEMA), move |mut sink| async move {
            let files = write_partition(input, partition, &spec, context).await?;
            sink.send(report(&files)?).await;
            Ok(())
        }))
    }
}

/// Writes one partition into a fresh folder; on an error or a drop the folder goes.
async fn write_partition(
    input: Arc<dyn ExecutionPlan>,
    partition: usize,
    spec: &WriteSpec,
    context: Arc<TaskContext>,
) -> Result<Vec<WrittenFile>> {
    let attempt = format!("attempt-{}", Uuid::now_v7().simple());
    let folder = format!("{}{attempt}/", spec.staging);
    let url = ListingTableUrl::parse(&folder)?;
    let store = context.runtime_env().object_store(&url)?;
    let guard = FolderGuard { store: Arc::clone(&store), prefix: Some(url.prefix().clone()) };
    let context = writing_context(&context)?;
    let state = SessionStateBuilder::new()
        .with_config(context.session_config().clone())
        .with_runtime_env(context.runtime_env())
        .with_file_formats(SessionStateDefaults::default_file_formats())
        .build();
    let schema = input.schema();
    let one = Arc::new(OnePartition::new(input, partition));
    let sink = sink(&state, spec, &folder, schema, one).await?;
    let counts: Vec<_> = sink.execute(0, context)?.try_collect().await?;
    let rows = counts.first().and_then(|batch| {
        use datafusion::arrow::array::AsArray;
        batch.column(0).as_primitive_opt::<datafusion::arrow::datatypes::UInt64Type>().map(|counts| counts.value(0))
    });
    let mut files = list(store.as_ref(), url.prefix(), &attempt).await?;
    if let (Some(first), Some(rows)) = (files.first_mut(), rows) {
        first.rows = rows;
    }
    guard.keep();
    Ok(files)
}

/// DataFusion's writer of the format, over one partition.
async fn sink(
    state: &SessionState,
    spec: &WriteSpec,
    folder: &str,
    schema: SchemaRef,
    input: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let factory = state
        .get_file_format_factory(&spec.format)
        .ok_or_else(|| DataFusionError::Plan(format!("`{}` is not a format that can be written", spec.format)))?;
    let options = spec.options.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let format = factory.create(state, &options)?;
    let extension = match format.compression_type() {
        Some(compression) => format.get_ext_with_compression(&compression).unwrap_or_else(|_| format.get_ext()),
        None => format.get_ext(),
    };
    let extension = extension.trim_start_matches('.').to_string();
    let (path, mode) = if spec.single_file {
        (format!("{folder}data.{extension}"), FileOutputMode::SingleFile)
    } else {
        (folder.to_string(), FileOutputMode::Directory)
    };
    let url = ListingTableUrl::parse(&path)?;
    let config = FileSinkConfig {
        original_url: path,
        object_store_url: url.object_store(),
        file_group: FileGroup::default(),
        table_paths: vec![url],
        output_schema: schema,
        // The type is read from the rows.
        table_partition_cols: spec.partition_by.iter().map(|name| (name.clone(), DataType::Null)).collect(),
        insert_op: InsertOp::Append,
        keep_partition_by_columns: spec.keep_partition_columns,
        file_extension: extension,
        file_output_mode: mode,
    };
    format.create_writer_physical_plan(input, state, config, None).await
}

/// The task's context with one file at a time: several would deal the rows out in turn and lose their order.
fn writing_context(context: &TaskContext) -> Result<Arc<TaskContext>> {
    let mut config = context.session_config().clone();
    config.options_mut().execution.minimum_parallel_output_files = ConfigNonZeroUsize::try_new(1)?;
    Ok(Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    )))
}

async fn list(store: &dyn ObjectStore, prefix: &object_store::path::Path, attempt: &str) -> Result<Vec<WrittenFile>> {
    let objects: Vec<_> = store.list(Some(prefix)).try_collect().await?;
    let mut files: Vec<WrittenFile> = objects
        .into_iter()
        .map(|object| WrittenFile {
            attempt: attempt.to_string(),
            path: object.location.as_ref().trim_start_matches(prefix.as_ref()).trim_start_matches('/').to_string(),
            bytes: object.size,
            rows: 0,
        })
        .collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// Deletes what a failed or dropped try left. Best effort: nobody lists the folder, and the whole staging folder goes
/// when the write as a whole fails.
struct FolderGuard {
    store: Arc<dyn ObjectStore>,
    prefix: Option<object_store::path::Path>,
}

impl FolderGuard {
    fn keep(mut self) {
        self.prefix = None;
    }
}

impl Drop for FolderGuard {
    fn drop(&mut self) {
        let (Some(prefix), Ok(runtime)) = (self.prefix.take(), tokio::runtime::Handle::try_current()) else { return };
        let store = Arc::clone(&self.store);
        runtime.spawn(async move {
            let Ok(objects) = store.list(Some(&prefix)).try_collect::<Vec<_>>().await else { return };
            for object in objects {
                let _ = store.delete(&object.location).await;
            }
        });
    }
}

/// One partition of a plan, as a plan of one partition.
#[derive(Debug)]
struct OnePartition {
    input: Arc<dyn ExecutionPlan>,
    partition: usize,
    properties: Arc<PlanProperties>,
}

impl OnePartition {
    fn new(input: Arc<dyn ExecutionPlan>, partition: usize) -> Self {
        let properties = PlanProperties::new(
            input.equivalence_properties().clone(),
            datafusion::physical_plan::Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, partition, properties: Arc::new(properties) }
    }
}

impl DisplayAs for OnePartition {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "OnePartition: {}", self.partition)
    }
}

impl ExecutionPlan for OnePartition {
    fn name(&self) -> &str {
        "OnePartition"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(self.partition, context)
    }
}

