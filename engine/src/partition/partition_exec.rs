//! Requires the exchange over the column that [`super::RouteExec`] adds, and drops it.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Int64Type, Schema, SchemaRef};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, LexRequirement, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use sluice_proto::{PartitionBy, SortColumn};

/// One column to sort by.
pub(crate) type SortKey = (usize, SortOptions);

/// Passes the first columns of its input on, whose last column is the exchange's key where rows are exchanged.
#[derive(Debug, Clone)]
pub(crate) struct PartitionByExec {
    input: Arc<dyn ExecutionPlan>,
    kept: usize,
    order: Vec<SortKey>,
    exchanged: bool,
    properties: Arc<PlanProperties>,
}

impl PartitionByExec {
    /// Rows of each partition come sorted by `order`; the first `kept` columns are passed on.
    pub(crate) fn try_new(
        input: Arc<dyn ExecutionPlan>,
        kept: usize,
        order: Vec<SortKey>,
        exchanged: bool,
    ) -> Result<Self> {
        let columns = input.schema().fields().len();
        if kept > columns || order.iter().any(|(column, _)| *column >= columns) || (exchanged && columns == 0) {
            return internal_err!("partitions over columns that their input has not");
        }
        let fields = input.schema().fields()[..kept].to_vec();
        let schema = Arc::new(Schema::new_with_metadata(fields, input.schema().metadata().clone()));
        // What is left of the order when a column that it needs is dropped.
        let visible = order.iter().take_while(|(column, _)| *column < kept);
        let orderings: Vec<Vec<PhysicalSortExpr>> = vec![visible.map(|key| sort_expr(&schema, key)).collect()];
        let orderings = orderings.into_iter().filter_map(LexOrdering::new);
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, orderings),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            input.boundedness(),
        );
        Ok(Self { input, kept, order, exchanged, properties: Arc::new(properties) })
    }

    /// The message of the node, without its input.
    pub(crate) fn encode(&self) -> PartitionBy {
        let column = |(column, options): &SortKey| SortColumn {
            column: *column as u32,
            descending: options.descending,
            nulls_first: options.nulls_first,
        };
        PartitionBy {
            kept: self.kept as u32,
            order: self.order.iter().map(column).collect(),
            exchanged: self.exchanged,
        }
    }

    /// The node that [`PartitionByExec::encode`] made the message of.
    pub(crate) fn decode(message: &PartitionBy, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let key = |key: &SortColumn| (key.column as usize, SortOptions::new(key.descending, key.nulls_first));
        Self::try_new(input, message.kept as usize, message.order.iter().map(key).collect(), message.exchanged)
    }

    fn route_column(&self) -> usize {
        self.input.schema().fields().len() - 1
    }
}

fn sort_expr(schema: &Schema, (column, options): &SortKey) -> PhysicalSortExpr {
    PhysicalSortExpr::new(Arc::new(Column::new(schema.field(*column).name(), *column)), *options)
}

impl DisplayAs for PartitionByExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.input.schema();
        let order: Vec<String> = self.order.iter().map(|key| sort_expr(&schema, key).to_string()).collect();
        write!(f, "PartitionByExec: sort=[{}]", order.join(", "))
    }
}

impl ExecutionPlan for PartitionByExec {
    fn name(&self) -> &str {
        "PartitionByExec"
    }

    /// An empty set: the driver tells the sets of a task's nodes by their order, and counts this node's.
    fn metrics(&self) -> Option<MetricsSet> {
        Some(MetricsSet::new())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let needed = match self.exchanged {
            true => {
                let column = self.route_column();
                let name = self.input.schema().field(column).name().clone();
                Distribution::KeyPartitioned(vec![Arc::new(Column::new(&name, column))])
            }
            false => Distribution::UnspecifiedDistribution,
        };
        InputDistributionRequirements::new(vec![needed])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let schema = self.input.schema();
        let order = LexRequirement::new(self.order.iter().map(|key| sort_expr(&schema, key).into()));
        vec![order.map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![!self.order.is_empty()]
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
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::try_new(input, self.kept, self.order.clone(), self.exchanged)?)),
            _ => internal_err!("PartitionByExec has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let (kept, output) = (self.kept, Arc::clone(&schema));
        let mut check = self.exchanged.then(|| OnePartition { column: self.route_column(), key: None });
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            if let Some(check) = &mut check {
                check.batch(&batch)?;
            }
            narrowed(&batch, kept, &output)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

fn narrowed(batch: &RecordBatch, kept: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns()[..kept].to_vec();
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// All rows of a partition have one exchange key, since no two partitions have the same. A plan that lost its exchange, or
/// merged partitions, is found out here: it must not give rows of other partitions.
struct OnePartition {
    column: usize,
    key: Option<i64>,
}

impl OnePartition {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(keys) = batch.column(self.column).as_primitive_opt::<Int64Type>() else {
            return internal_err!("the exchange's key is not a number");
        };
        let Some(first) = self.key.or_else(|| keys.values().first().copied()) else { return Ok(()) };
        self.key = Some(first);
        match keys.values().iter().all(|key| *key == first) {
            true => Ok(()),
            false => internal_err!("rows of several partitions came as one: the plan has lost its exchange"),
        }
    }
}
