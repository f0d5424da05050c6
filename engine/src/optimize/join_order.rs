//! The order of inner joins, from statistics.
//!
//! DataFusion joins tables in the order in which a statement names them. Here a tree of inner joins is taken apart into
//! its inputs and conditions, and put together in the order that costs least: the best of all bushy trees without cross
//! products for few inputs (dynamic programming over subsets: Moerkotte and Neumann, *Analysis of Two Existing and One New
//! Dynamic Programming Algorithm for the Generation of Optimal Bushy Join Trees*, VLDB 2006), the pair with the smallest
//! result first for many (greedy operator ordering: Fegaras, 1998). What joins cost is in `cost.rs`.
//!
//! The tree of the statement stays where the estimated gain is small: an estimate is not worth a plan that changes.

mod build;
mod cost;
mod graph;
mod search;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;

use self::build::Builder;
use self::graph::JoinGraph;

/// A tree of joins is put together anew where that is expected to cost at most this share of the statement's.
const WORTH_IT: f64 = 0.8;

/// Puts trees of inner joins into the order that costs least.
#[derive(Debug, Default)]
pub(crate) struct JoinOrder;

impl PhysicalOptimizerRule for JoinOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if !config.optimizer.join_reordering {
            return Ok(plan);
        }
        reorder(plan)
    }

    fn name(&self) -> &str {
        "join_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn reorder(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(mut graph) = JoinGraph::of(&plan)? else { return reorder_below(plan) };
    for relation in &mut graph.relations {
        relation.plan = reorder(Arc::clone(&relation.plan))?;
    }
    let (found, written) = (search::best(&graph), search::cost(&graph, &graph.written));
    let tree = if found.cost <= written * WORTH_IT { found.tree } else { graph.written.clone() };
    Builder::new(&graph).plan(&tree, &plan)
}

fn reorder_below(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().cloned().collect();
    if children.is_empty() {
        return Ok(plan);
    }
    let reordered = children.iter().cloned().map(reorder).collect::<Result<Vec<_>>>()?;
    let same = children.iter().zip(&reordered).all(|(before, after)| Arc::ptr_eq(before, after));
    if same { Ok(plan) } else { replace_children_if_necessary(plan, reordered) }
}

#[cfg(test)]
mod tests;
