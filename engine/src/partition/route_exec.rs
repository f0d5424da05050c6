//! Adds to each row the value that leads it to its partition.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{internal_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use sluice_partition::placement::witnesses;
use sluice_partition::{Partitioner, PartitionerRegistry, route};
use sluice_proto::Route;

/// The column that is added.
const COLUMN: &str = "__partition";

/// Passes the first columns of its input on, and adds the exchange's key.
///
/// It tells no statistics on purpose: for a few rows in one partition DataFusion would leave the exchange out.
#[derive(Debug, Clone)]
pub(crate) struct RouteExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<usize>,
    kept: usize,
    routing: Routing,
    properties: Arc<PlanProperties>,
}

/// What a node routes by.
#[derive(Debug, Clone)]
pub(crate) enum Routing {
    /// A partitioner.
    Ready(Arc<Router>),
    /// Ranges that are not known yet, in a plan that is shown and not run.
    Shown,
    /// A partitioner that this process cannot make, and why. A task that cannot be decoded would fail without a reason that
    /// a user sees, so this one fails when it runs.
    Failing(String),
}

impl Routing {
    fn router(&self) -> Result<&Arc<Router>> {
        match self {
            Self::Ready(router) => Ok(router),
            Self::Shown => internal_err!("a plan whose ranges are not known was to run"),
            Self::Failing(reason) => Err(DataFusionError::Plan(reason.clone())),
        }
    }
}

/// A partitioner, and the values that an exchange of a number of partitions sends where it says.
#[derive(Debug)]
pub(crate) struct Router {
    partitioner: Arc<dyn Partitioner>,
    witnesses: Vec<i64>,
}

impl Router {
    /// Fails where the exchange has too few partitions.
    pub(crate) fn try_new(partitioner: Arc<dyn Partitioner>, exchange_partitions: usize) -> Result<Self> {
        let (name, partitions) = (partitioner.name(), partitioner.partitions());
        if partitions > exchange_partitions {
            return plan_err!(
                "the partitioner \"{name}\" has {partitions} partitions, but the job has {exchange_partitions}"
            );
        }
        let witnesses = witnesses(exchange_partitions)?;
        Ok(Self { partitioner, witnesses })
    }
}

impl RouteExec {
    /// Routes by the columns `keys`; the first `kept` are passed on.
    pub(crate) fn try_new(
        input: Arc<dyn ExecutionPlan>,
        keys: Vec<usize>,
        kept: usize,
        routing: Routing,
    ) -> Result<Self> {
        let columns = input.schema().fields().len();
        if kept > columns || keys.iter().any(|key| *key >= columns) {
            return internal_err!("a route over columns that its input has not");
        }
        let mut fields = input.schema().fields()[..kept].to_vec();
        fields.push(Arc::new(Field::new(COLUMN, DataType::Int64, false)));
        let schema = Arc::new(Schema::new_with_metadata(fields, input.schema().metadata().clone()));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            input.boundedness(),
        );
        Ok(Self { input, keys, kept, routing, properties: Arc::new(properties) })
    }

    /// The message of the node, without its input.
    pub(crate) fn encode(&self) -> Result<Route> {
        let router = self.routing.router()?;
        Ok(Route {
            keys: self.keys.iter().map(|key| *key as u32).collect(),
            kept: self.kept as u32,
            name: router.partitioner.name().to_string(),
            partitioner: router.partitioner.encode()?,
            exchange_partitions: router.witnesses.len() as u32,
        })
    }

    /// The node that [`RouteExec::encode`] made the message of.
    pub(crate) fn decode(
        message: &Route,
        input: Arc<dyn ExecutionPlan>,
        registry: &PartitionerRegistry,
    ) -> Result<Self> {
        let router = registry
            .decode(&message.name, &message.partitioner)
            .and_then(|partitioner| Router::try_new(partitioner, message.exchange_partitions as usize));
        let routing = match router {
            Ok(router) => Routing::Ready(Arc::new(router)),
            Err(error) => Routing::Failing(error.strip_backtrace()),
        };
        let keys = message.keys.iter().map(|key| *key as usize).collect();
        Self::try_new(input, keys, message.kept as usize, routing)
    }
}

impl DisplayAs for RouteExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.input.schema();
        let keys: Vec<&str> = self.keys.iter().map(|key| schema.field(*key).name().as_str()).collect();
        match &self.routing {
            Routing::Ready(router) => {
                let (name, partitions) = (router.partitioner.name(), router.partitioner.partitions());
                write!(f, "RouteExec: {name}({}), partitions={partitions}", keys.join(", "))
            }
            _ => write!(f, "RouteExec: range({})", keys.join(", ")),
        }
    }
}

impl ExecutionPlan for RouteExec {
    fn name(&self) -> &str {
        "RouteExec"
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
            (Some(input), true) => {
                Ok(Arc::new(Self::try_new(input, self.keys.clone(), self.kept, self.routing.clone())?))
            }
            _ => internal_err!("RouteExec has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let router = Arc::clone(self.routing.router()?);
        let schema = self.schema();
        let (keys, kept, output) = (self.keys.clone(), self.kept, Arc::clone(&schema));
        let rows = self.input.execute(partition, context)?;
        let routed = rows.map(move |batch| routed(&router, &keys, kept, &output, &batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, routed)))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

fn routed(
    router: &Router,
    keys: &[usize],
    kept: usize,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let keys: Vec<ArrayRef> = keys.iter().map(|key| Arc::clone(batch.column(*key))).collect();
    let mut columns: Vec<ArrayRef> = batch.columns()[..kept].to_vec();
    let ids = route(router.partitioner.as_ref(), &keys, &columns, batch.num_rows())?;
    columns.push(Arc::new(Int64Array::from_iter_values(ids.into_iter().map(|id| router.witnesses[id as usize]))));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;

    #[test]
    fn a_partitioner_that_is_not_registered_here_fails_with_its_name_when_it_runs() {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let message =
            Route { keys: vec![0], kept: 1, name: "mine".to_string(), partitioner: vec![], exchange_partitions: 4 };
        let input = Arc::new(EmptyExec::new(schema));
        let route = RouteExec::decode(&message, input, &PartitionerRegistry::standard()).unwrap();
        let error = route.execute(0, Arc::new(TaskContext::default())).err().unwrap();
        let error = crate::Error::from_task_text(&error.to_string());
        assert_eq!(error.code(), crate::ErrorCode::InvalidPlan);
        assert!(error.message().contains("\"mine\" is not registered"), "{error}");
    }
}
