//! `COPY … TO` and the writers of a `DataFrame`: where the rows go, and the node that writes and commits in one.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::dml::CopyTo;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, execute_stream,
};
use futures::TryStreamExt;

use super::{
    StagingGuard, Target, WriteNode, WriteSpec, WriterOptions, WrittenFile, abort, commit, read_report,
    split_copy_options, total_rows,
};
use crate::error::{Error, ErrorCode, Result};
use crate::storage::StoreRegistry;
use crate::stream;

/// Extensions that make a target one file.
const FILE_EXTENSIONS: &[&str] = &["parquet", "csv", "json", "ndjson", "arrow", "gz", "zst", "bz2", "xz", "tsv"];

/// The write of a `COPY`, and where its files go once it is committed. Nothing is touched yet.
pub(crate) fn plan_copy(copy: &CopyTo, state: &SessionState) -> Result<(LogicalPlan, Target)> {
    let options = split_copy_options(&copy.options)?;
    let keep = state.config_options().execution.keep_partition_by_columns;
    let single_file = options.single_file.unwrap_or(copy.partition_by.is_empty() && names_a_file(&copy.output_url));
    let target = Target::new(&copy.output_url, single_file, options.mode)?;
    let writer = WriterOptions::of_copy(&copy.file_type, &options.format, state)?;
    let spec = WriteSpec {
        partition_by: copy.partition_by.clone(),
        keep_partition_columns: options.keep_partition_columns.unwrap_or(keep),
        single_file,
        ..WriteSpec::new(writer, target.staging())
    };
    check_partitions(&spec.partition_by, copy.input.schema().inner())?;
    Ok((WriteNode::plan(copy.input.as_ref().clone(), spec)?, target))
}

fn names_a_file(url: &str) -> bool {
    let extension = url.rsplit(['/', '.']).next().unwrap_or_default().to_lowercase();
    let name = url.rsplit('/').next().unwrap_or_default();
    name.contains('.') && FILE_EXTENSIONS.contains(&extension.as_str())
}

fn check_partitions(partition_by: &[String], schema: &SchemaRef) -> Result<()> {
    for name in partition_by {
        if schema.field_with_name(name).is_err() {
            let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::new(ErrorCode::ColumnNotFound, format!("column \"{name}\" not found"))
                .hint(format!("the query's columns: {}", columns.join(", "))));
        }
    }
    if !partition_by.is_empty() && partition_by.len() == schema.fields().len() {
        return Err(Error::new(ErrorCode::InvalidPlan, "every column is a partition column")
            .hint("leave at least one column for the files"));
    }
    Ok(())
}

/// The files that a running write reports. On an error, or when it is dropped, what was staged goes.
pub(crate) async fn collect_report(
    stores: &Arc<StoreRegistry>,
    target: &Target,
    report: SendableRecordBatchStream,
) -> Result<Vec<WrittenFile>> {
    let guard = StagingGuard::new(stores, target);
    let collected: DataFusionResult<Vec<_>> = report.try_collect().await;
    guard.keep();
    let files = collected.and_then(|batches| {
        let files = batches.iter().map(read_report).collect::<DataFusionResult<Vec<_>>>()?;
        Ok(files.concat())
    });
    match files {
        Ok(files) => Ok(files),
        Err(error) => {
            abort(stores, target).await;
            Err(error.into())
        }
    }
}

/// Runs the write below it and commits its files: one row, the count.
#[derive(Debug)]
pub(crate) struct CopyExec {
    write: Arc<dyn ExecutionPlan>,
    target: Target,
    stores: Arc<StoreRegistry>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl CopyExec {
    pub(crate) fn new(
        write: Arc<dyn ExecutionPlan>,
        target: Target,
        stores: Arc<StoreRegistry>,
        schema: SchemaRef,
    ) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Self { write, target, stores, schema, properties }
    }
}

impl DisplayAs for CopyExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("CopyExec")
    }
}

impl ExecutionPlan for CopyExec {
    fn name(&self) -> &str {
        "CopyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.write]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(write), true) => {
                let (target, stores) = (self.target.clone(), Arc::clone(&self.stores));
                Ok(Arc::new(Self::new(write, target, stores, Arc::clone(&self.schema))))
            }
            _ => internal_err!("CopyExec has one input"),
        }
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let (write, target, stores) = (Arc::clone(&self.write), self.target.clone(), Arc::clone(&self.stores));
        let schema = Arc::clone(&self.schema);
        Ok(stream::produce(Arc::clone(&schema), move |mut sink| async move {
            target.check(&stores).await?;
            let report = execute_stream(write, Arc::clone(&context))?;
            let files = collect_report(&stores, &target, report).await?;
            let rows = total_rows(&files);
            commit(&stores, &target, files).await?;
            // New files must show at once, so what was listed before is forgotten.
            if let Some(cache) = context.runtime_env().cache_manager.get_list_files_cache() {
                cache.clear();
            }
            let count = RecordBatch::try_new(schema, vec![Arc::new(UInt64Array::from(vec![rows]))]);
            sink.send(count.map_err(datafusion::error::DataFusionError::from)?).await;
            Ok(())
        }))
    }
}
