//! The write as a physical node: one set of files a partition, by DataFusion's own writers.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr, PhysicalSortRequirement,
};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    Partitioning, PlanProperties, ReplaceChildrenOptions,
};

use super::files::{REPORT_SCHEMA, report};
use super::spec::WriteSpec;
use super::task::PartitionTask;

/// Writes each partition of its input and reports the files. One output partition for each of the input's.
#[derive(Debug, Clone)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    spec: Arc<WriteSpec>,
    /// The order that rows must come in.
    order: Option<LexRequirement>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WriteExec {
    /// A write of the input's rows. Rows of a write into folders must come sorted by folder: then one file is open at a
    /// time, however many folders there are, and the sort can spill where open files could not.
    pub fn try_new(input: Arc<dyn ExecutionPlan>, spec: Arc<WriteSpec>) -> Result<Self> {
        let order = LexRequirement::new(partition_keys(&input.schema(), &spec.partition_by)?);
        Ok(Self::with_order(input, spec, order))
    }

    fn with_order(input: Arc<dyn ExecutionPlan>, spec: Arc<WriteSpec>, order: Option<LexRequirement>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&REPORT_SCHEMA)),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            input.boundedness(),
        );
        Self { input, spec, order, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }

    /// Asks for the order that the input has by itself as well, so that no later rule takes an ORDER BY away. Within a
    /// folder the rows then keep it.
    #[must_use]
    pub(super) fn with_order_of_input(mut self) -> Self {
        if let Some(ordering) = self.input.output_ordering() {
            let keys = self.order.take().into_iter().flatten();
            self.order = LexRequirement::new(keys.chain(LexRequirement::from(ordering.clone())));
        }
        self
    }

    /// What to write, and where.
    pub fn spec(&self) -> &WriteSpec {
        &self.spec
    }
}

fn partition_keys(schema: &Schema, columns: &[String]) -> Result<Vec<PhysicalSortRequirement>> {
    let key = |name: &String| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, schema.index_of(name)?));
        Ok(PhysicalSortRequirement::new(column, None))
    };
    columns.iter().map(key).collect()
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let format = self.spec.writer.format().name();
        write!(f, "WriteExec: format={format}, partition_by=[{}]", self.spec.partition_by.join(", "))
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

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.order.clone().map(OrderingRequirements::from)]
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
        Ok(Arc::new(Self::with_order(input, Arc::clone(&self.spec), self.order.clone())))
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = if children.len() == 1 { children.swap_remove(0) } else { Arc::clone(&self.input) };
        Ok(Arc::new(Self::with_order(input, Arc::clone(&self.spec), self.order.clone())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let task = PartitionTask {
            spec: Arc::clone(&self.spec),
            partition,
            alone: self.input.output_partitioning().partition_count() == 1,
            context,
            metrics: self.metrics.clone(),
        };
        let written = task.start(input);
        let rows = futures::stream::once(async move { report(&written.await?) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&REPORT_SCHEMA), rows)))
    }
}
