//! Makes a plan of a tree.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{JoinSide, JoinType, NullEquality, Result, internal_datafusion_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

use super::graph::{Filter, JoinGraph, Set, Side, Tree, renumbered};

/// Makes plans of trees of one graph.
pub(super) struct Builder<'a> {
    graph: &'a JoinGraph,
}

/// A plan and the numbers of its columns in the graph.
struct Built {
    plan: Arc<dyn ExecutionPlan>,
    columns: Vec<usize>,
    relations: Set,
}

impl Built {
    fn position(&self, column: usize) -> Result<usize> {
        let found = self.columns.iter().position(|other| *other == column);
        found.ok_or_else(|| internal_datafusion_err!("column {column} is not in this part of the join"))
    }

    /// An expression of the graph over the columns of the plan.
    fn key(&self, side: &Side) -> Result<PhysicalExprRef> {
        let schema = self.plan.schema();
        let mut missing = Ok(());
        let key = renumbered(&side.key, |column| {
            self.position(column).unwrap_or_else(|error| {
                missing = Err(error);
                0
            })
        })?;
        missing?;
        rename(&key, &schema)
    }
}

/// Columns with the names that they have in the schema.
fn rename(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    Arc::clone(expression)
        .transform_up(|node| match node.downcast_ref::<Column>() {
            Some(column) => {
                let named = Column::new(schema.field(column.index()).name(), column.index());
                Ok(Transformed::yes(Arc::new(named) as Arc<dyn PhysicalExpr>))
            }
            None => Ok(Transformed::no(node)),
        })
        .data()
}

impl<'a> Builder<'a> {
    pub(super) fn new(graph: &'a JoinGraph) -> Self {
        Self { graph }
    }

    /// The tree as a plan with the columns of `original`.
    pub(super) fn plan(&self, tree: &Tree, original: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let built = self.build(tree)?;
        let (schema, own) = (original.schema(), built.plan.schema());
        let mut shown = Vec::with_capacity(self.graph.output.len());
        for (column, field) in self.graph.output.iter().zip(schema.fields()) {
            let at = built.position(*column)?;
            let expr: Arc<dyn PhysicalExpr> = Arc::new(Column::new(own.field(at).name(), at));
            shown.push(ProjectionExpr { expr, alias: field.name().clone() });
        }
        let same = built.columns == self.graph.output
            && own.fields().iter().zip(schema.fields()).all(|(one, other)| one.name() == other.name());
        if same { Ok(built.plan) } else { Ok(Arc::new(ProjectionExec::try_new(shown, built.plan)?)) }
    }

    fn build(&self, tree: &Tree) -> Result<Built> {
        match tree {
            Tree::Relation(at) => {
                let relation = &self.graph.relations[*at];
                let count = relation.plan.schema().fields().len();
                let columns = (relation.first_column..relation.first_column + count).collect();
                self.filtered(Built { plan: Arc::clone(&relation.plan), columns, relations: 1 << at })
            }
            Tree::Join(left, right) => self.join(self.build(left)?, self.build(right)?),
        }
    }

    /// Conditions that are about one relation and were not below it.
    fn filtered(&self, built: Built) -> Result<Built> {
        let own = self.graph.filters.iter().filter(|filter| filter.relations == built.relations);
        let mut plan = built.plan;
        for filter in own {
            let first = built.columns.first().copied().unwrap_or(0);
            let condition = rename(&renumbered(&filter.condition, |column| column - first)?, &plan.schema())?;
            plan = Arc::new(datafusion::physical_plan::filter::FilterExec::try_new(condition, plan)?);
        }
        Ok(Built { plan, ..built })
    }

    fn join(&self, left: Built, right: Built) -> Result<Built> {
        let on = self.keys(&left, &right)?;
        let filter = self.filter(&left, &right)?;
        let relations = left.relations | right.relations;
        let all = [left.columns.clone(), right.columns.clone()].concat();
        let kept: Vec<usize> = (0..all.len()).filter(|at| self.is_needed_above(all[*at], relations)).collect();
        let columns: Vec<usize> = kept.iter().map(|at| all[*at]).collect();
        let projection = (kept.len() < all.len()).then_some(kept);
        let plan: Arc<dyn ExecutionPlan> = match (on.is_empty(), filter) {
            (true, None) => {
                let product: Arc<dyn ExecutionPlan> = Arc::new(CrossJoinExec::new(left.plan, right.plan));
                return Ok(Built { plan: product, columns: all, relations });
            }
            (true, filter) => {
                Arc::new(NestedLoopJoinExec::try_new(left.plan, right.plan, filter, &JoinType::Inner, projection)?)
            }
            (false, filter) => Arc::new(HashJoinExec::try_new(
                left.plan,
                right.plan,
                on,
                filter,
                &JoinType::Inner,
                projection,
                self.graph.mode,
                NullEquality::NullEqualsNothing,
                false,
            )?),
        };
        Ok(Built { plan, columns, relations })
    }

    /// The equalities between the two parts, as keys of their columns. Within a part, all sides of a class are equal already:
    /// the one of the first relation stands for them.
    fn keys(&self, left: &Built, right: &Built) -> Result<Vec<(PhysicalExprRef, PhysicalExprRef)>> {
        let mut keys = Vec::new();
        let mut classes = Vec::new();
        for equality in &self.graph.equalities {
            if classes.contains(&equality.class) || !equality.connects(left.relations, right.relations) {
                continue;
            }
            classes.push(equality.class);
            let of = |part: &Built| self.side_in(equality.class, part.relations).unwrap_or(&equality.left);
            keys.push((left.key(of(left))?, right.key(of(right))?));
        }
        Ok(keys)
    }

    /// The side of a class that stands for all of a part.
    fn side_in(&self, class: usize, part: Set) -> Option<&Side> {
        let sides = self.graph.equalities.iter().filter(|equality| equality.class == class);
        let sides = sides.flat_map(|equality| [&equality.left, &equality.right]);
        sides.filter(|side| part & 1 << side.relation != 0).min_by_key(|side| side.relation)
    }

    /// The other conditions that become whole with this join.
    fn filter(&self, left: &Built, right: &Built) -> Result<Option<JoinFilter>> {
        let within = |filter: &Filter, set: Set| filter.relations & !set == 0;
        let conditions = self.graph.filters.iter().filter(|filter| {
            within(filter, left.relations | right.relations)
                && !within(filter, left.relations)
                && !within(filter, right.relations)
        });
        let Some(condition) = conditions
            .map(|filter| Arc::clone(&filter.condition))
            .reduce(|left, right| Arc::new(BinaryExpr::new(left, Operator::And, right)))
        else {
            return Ok(None);
        };
        let mut numbers: Vec<usize> = collect_columns(&condition).iter().map(Column::index).collect();
        numbers.sort_unstable();
        let (mut indices, mut fields) = (Vec::new(), Vec::new());
        for number in &numbers {
            let (part, side) = match left.position(*number) {
                Ok(_) => (left, JoinSide::Left),
                Err(_) => (right, JoinSide::Right),
            };
            let index = part.position(*number)?;
            indices.push(ColumnIndex { index, side });
            fields.push(Arc::clone(&part.plan.schema().fields()[index]));
        }
        let schema = Schema::new(fields);
        let condition =
            renumbered(&condition, |column| numbers.iter().position(|number| *number == column).unwrap_or(0))?;
        let condition = rename(&condition, &schema)?;
        Ok(Some(JoinFilter::new(condition, indices, Arc::new(schema))))
    }

    /// Whether a column of a part is an output of the whole, or of a condition that is not yet whole.
    fn is_needed_above(&self, column: usize, part: Set) -> bool {
        let uses =
            |expression: &Arc<dyn PhysicalExpr>| collect_columns(expression).iter().any(|used| used.index() == column);
        self.graph.output.contains(&column)
            || self.graph.equalities.iter().any(|equality| {
                equality.connects(part, !part) && self.side_in(equality.class, part).is_some_and(|side| uses(&side.key))
            })
            || self.graph.filters.iter().any(|filter| filter.relations & !part != 0 && uses(&filter.condition))
    }
}
