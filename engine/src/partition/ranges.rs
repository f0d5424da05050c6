//! The pass before a statement whose rows go into ranges: one aggregate over their keys, by which the cuts are made. The cuts
//! are then a constant of the plan, so that every task, and every further try of it, cuts alike.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, LogicalPlan, LogicalPlanBuilder, Signature, Volatility,
};
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use sluice_partition::KeySketch;

use super::logical::PartitionByNode;
use super::scheme::Scheme;
use crate::session::Runner;

const NAME: &str = "__key_sketch";

/// The plan with a sketch in each node that places rows by range; `runner` runs what makes them.
pub async fn sketch_ranges(
    runner: &dyn Runner,
    context: &SessionContext,
    plan: LogicalPlan,
) -> crate::Result<LogicalPlan> {
    let mut plan = plan;
    while let Some(node) = unsketched(&plan)? {
        let rows = runner.run(context, sample(&node)?).await?;
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        plan = put(plan, &node, bytes(&batches)?)?;
    }
    Ok(plan)
}

/// The same in this process, of an optimised plan.
pub(crate) async fn sketch_ranges_here(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut plan = plan;
    while let Some(node) = unsketched(&plan)? {
        let exec = state.create_physical_plan(&sample(&node)?).await?;
        let batches = collect(exec, state.task_ctx()).await?;
        plan = put(plan, &node, bytes(&batches)?)?;
    }
    Ok(plan)
}

/// The innermost node that needs a sketch: one above it samples rows that it has placed.
fn unsketched(plan: &LogicalPlan) -> Result<Option<PartitionByNode>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let Some(node) = PartitionByNode::of(node).filter(|node| *node.scheme() == Scheme::Range) {
            found = Some(node.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn sample(node: &PartitionByNode) -> Result<LogicalPlan> {
    let sketch = AggregateUDF::from(SketchKeys::default()).call(node.keys().to_vec());
    LogicalPlanBuilder::from(node.input().clone())
        .aggregate(Vec::<datafusion::prelude::Expr>::new(), vec![sketch])?
        .build()
}

fn put(plan: LogicalPlan, node: &PartitionByNode, sketch: Vec<u8>) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|candidate| match PartitionByNode::of(&candidate) {
        Some(candidate) if candidate == node => {
            Ok(Transformed::yes(node.with_scheme(Scheme::Sketched(sketch.clone()))))
        }
        _ => Ok(Transformed::no(candidate)),
    })?;
    Ok(replaced.data)
}

fn bytes(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let column = batches.iter().find(|batch| batch.num_rows() == 1).map(|batch| batch.column(0));
    match column.and_then(|column| column.as_binary_opt::<i32>()) {
        Some(sketch) if sketch.is_valid(0) => Ok(sketch.value(0).to_vec()),
        _ => exec_err!("the keys of a range could not be sampled"),
    }
}

/// The aggregate that sketches keys, for every process's set of functions.
pub(crate) fn key_sketch() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(SketchKeys::default()))
}

#[derive(Debug)]
struct SketchKeys {
    signature: Signature,
}

impl Default for SketchKeys {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl PartialEq for SketchKeys {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SketchKeys {}

impl Hash for SketchKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NAME.hash(state);
    }
}

impl AggregateUDFImpl for SketchKeys {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sketching(KeySketch::default())))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[sketch]", args.name), DataType::Binary, true))])
    }
}

#[derive(Debug)]
struct Sketching(KeySketch);

impl Accumulator for Sketching {
    fn update_batch(&mut self, keys: &[ArrayRef]) -> Result<()> {
        self.0.update(keys)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(sketches) = states.first().and_then(|column| column.as_binary_opt::<i32>()) else {
            return Err(DataFusionError::Internal("a sketch of keys is not of bytes".to_string()));
        };
        for sketch in sketches.iter().flatten() {
            self.0.merge(KeySketch::decode(sketch)?);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(self.0.encode())))
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
