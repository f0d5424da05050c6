//! A tree of inner joins as a graph: inputs, and the conditions between them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;

use crate::optimize::estimate::{Estimate, estimate};

/// A set of relations, one bit each.
pub(super) type Set = u64;

/// With fewer there is nothing to order.
const MIN_RELATIONS: usize = 3;
/// As many as a set has bits.
const MAX_RELATIONS: usize = Set::BITS as usize;

/// The inputs of a tree of joins and what connects them.
///
/// Columns have numbers of their own: those of the first relation, then those of the second, and so on. Expressions of
/// conditions refer to these.
pub(super) struct JoinGraph {
    pub(super) relations: Vec<Relation>,
    pub(super) equalities: Vec<Equality>,
    pub(super) filters: Vec<Filter>,
    /// The columns that the tree gives.
    pub(super) output: Vec<usize>,
    /// The tree as the statement has it.
    pub(super) written: Tree,
    /// How the joins share their work, as planned.
    pub(super) mode: PartitionMode,
}

/// An input of the tree.
pub(super) struct Relation {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) estimate: Estimate,
    /// The number of its first column.
    pub(super) first_column: usize,
}

/// `left = right` between two relations, the first of which comes first.
pub(super) struct Equality {
    pub(super) left: Side,
    pub(super) right: Side,
    /// Equalities with the same number say the same of further relations: all pairs of a class are there, and of `a = b`,
    /// `b = c` and `a = c` the third removes no rows.
    pub(super) class: usize,
}

impl Equality {
    /// Whether it is between the two parts.
    pub(super) fn connects(&self, left: Set, right: Set) -> bool {
        let (one, other): (Set, Set) = (1 << self.left.relation, 1 << self.right.relation);
        (left & one != 0 && right & other != 0) || (left & other != 0 && right & one != 0)
    }
}

/// One side of an equality.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) relation: usize,
    pub(super) key: Arc<dyn PhysicalExpr>,
}

/// Any other condition, on the relations of the set.
pub(super) struct Filter {
    pub(super) condition: Arc<dyn PhysicalExpr>,
    pub(super) relations: Set,
}

/// An order of joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    Relation(usize),
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    pub(super) fn join(left: Self, right: Self) -> Self {
        Self::Join(Box::new(left), Box::new(right))
    }
}

impl JoinGraph {
    /// The graph of the tree below `plan`, if it is one with enough inputs.
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Self>> {
        let Some(root) = first_join(plan) else { return Ok(None) };
        let mut graph = Self {
            relations: Vec::new(),
            equalities: Vec::new(),
            filters: Vec::new(),
            output: Vec::new(),
            written: Tree::Relation(0),
            mode: *root.partition_mode(),
        };
        let (tree, output) = graph.collect(plan)?;
        if !(MIN_RELATIONS..=MAX_RELATIONS).contains(&graph.relations.len()) {
            return Ok(None);
        }
        (graph.written, graph.output) = (tree, output);
        graph.complete();
        Ok(Some(graph))
    }

    /// Takes a plan apart, and gives its tree and the numbers of its columns.
    fn collect(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<(Tree, Vec<usize>)> {
        let before = (self.relations.len(), self.equalities.len(), self.filters.len());
        if let Some(taken) = self.take_apart(plan)? {
            return Ok(taken);
        }
        // It cannot be taken apart: it is an input as a whole.
        self.relations.truncate(before.0);
        self.equalities.truncate(before.1);
        self.filters.truncate(before.2);
        self.add(plan)
    }

    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<(Tree, Vec<usize>)> {
        let first_column = self.relations.last().map_or(0, Relation::end);
        let relation = Relation { plan: Arc::clone(plan), estimate: estimate(plan)?, first_column };
        let columns = (relation.first_column..relation.end()).collect();
        self.relations.push(relation);
        Ok((Tree::Relation(self.relations.len() - 1), columns))
    }

    fn take_apart(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Option<(Tree, Vec<usize>)>> {
        if let Some(join) = inner_join(plan) {
            let (left_tree, left) = self.collect(join.left())?;
            let (right_tree, right) = self.collect(join.right())?;
            for (left_key, right_key) in join.on() {
                let sides = (self.side(left_key, &left)?, self.side(right_key, &right)?);
                let (Some(left), Some(right)) = sides else { return Ok(None) };
                self.equalities.push(Equality { left, right, class: 0 });
            }
            if let Some(filter) = join.filter() {
                let numbers: Vec<usize> = filter
                    .column_indices()
                    .iter()
                    .map(|column| match column.side {
                        JoinSide::Left => left[column.index],
                        JoinSide::Right | JoinSide::None => right[column.index],
                    })
                    .collect();
                if !self.add_filters(filter.expression(), &numbers)? {
                    return Ok(None);
                }
            }
            let all = [left, right].concat();
            let output = match join.projection.as_ref() {
                Some(kept) => kept.iter().map(|column| all[*column]).collect(),
                None => all,
            };
            return Ok(Some((Tree::join(left_tree, right_tree), output)));
        }
        if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
            let (left_tree, left) = self.collect(join.left())?;
            let (right_tree, right) = self.collect(join.right())?;
            return Ok(Some((Tree::join(left_tree, right_tree), [left, right].concat())));
        }
        if let Some(filter) = plan.downcast_ref::<FilterExec>()
            && filter.fetch().is_none()
            && first_join(filter.input()).is_some()
        {
            let (tree, columns) = self.collect(filter.input())?;
            if !self.add_filters(filter.predicate(), &columns)? {
                return Ok(None);
            }
            let output = match filter.projection().as_ref() {
                Some(kept) => kept.iter().map(|column| columns[*column]).collect(),
                None => columns,
            };
            return Ok(Some((tree, output)));
        }
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>()
            && first_join(projection.input()).is_some()
        {
            let kept: Option<Vec<usize>> =
                projection.expr().iter().map(|shown| shown.expr.downcast_ref::<Column>().map(Column::index)).collect();
            let Some(kept) = kept else { return Ok(None) };
            let (tree, columns) = self.collect(projection.input())?;
            return Ok(Some((tree, kept.into_iter().map(|column| columns[column]).collect())));
        }
        Ok(None)
    }

    /// One side of an equality, if it is about one relation.
    fn side(&self, key: &Arc<dyn PhysicalExpr>, numbers: &[usize]) -> Result<Option<Side>> {
        let key = renumbered(key, |column| numbers[column])?;
        let relations = self.relations_of(&key);
        Ok((relations.count_ones() == 1).then(|| Side { relation: relations.trailing_zeros() as usize, key }))
    }

    /// Takes conditions; false if one is about no relation at all.
    fn add_filters(&mut self, condition: &Arc<dyn PhysicalExpr>, numbers: &[usize]) -> Result<bool> {
        for part in split_conjunction(condition) {
            let condition = renumbered(part, |column| numbers[column])?;
            let relations = self.relations_of(&condition);
            if relations == 0 {
                return Ok(false);
            }
            self.filters.push(Filter { condition, relations });
        }
        Ok(true)
    }

    fn relations_of(&self, expression: &Arc<dyn PhysicalExpr>) -> Set {
        collect_columns(expression).iter().fold(0, |set, column| set | 1 << self.relation_of(column.index()))
    }

    /// The relation that a column is of.
    pub(super) fn relation_of(&self, column: usize) -> usize {
        self.relations.partition_point(|relation| relation.first_column <= column) - 1
    }

    /// The key in the columns of its own relation.
    pub(super) fn own_key(&self, side: &Side) -> Result<Arc<dyn PhysicalExpr>> {
        let first = self.relations[side.relation].first_column;
        renumbered(&side.key, |column| column - first)
    }

    /// Adds the equalities that follow from others, and numbers all by what they say: of `a = b` and `b = c` follows `a = c`,
    /// so that any two of the three relations can be joined first.
    fn complete(&mut self) {
        let mut classes: Vec<Vec<Side>> = Vec::new();
        for Equality { left, right, .. } in self.equalities.drain(..) {
            let shares = |class: &Vec<Side>| class.iter().any(|side| side.key.eq(&left.key) || side.key.eq(&right.key));
            let (touched, mut apart): (Vec<_>, Vec<_>) = classes.into_iter().partition(shares);
            let mut joined: Vec<Side> = touched.into_iter().flatten().collect();
            for side in [left, right] {
                if !joined.iter().any(|known| known.key.eq(&side.key)) {
                    joined.push(side);
                }
            }
            apart.push(joined);
            classes = apart;
        }
        for (class, sides) in classes.iter_mut().enumerate() {
            sides.sort_by_key(|side| side.relation);
            for (at, left) in sides.iter().enumerate() {
                for right in &sides[at + 1..] {
                    if left.relation == right.relation {
                        let (one, other) = (Arc::clone(&left.key), Arc::clone(&right.key));
                        let condition = Arc::new(BinaryExpr::new(one, Operator::Eq, other));
                        self.filters.push(Filter { condition, relations: 1 << left.relation });
                    } else {
                        self.equalities.push(Equality { left: left.clone(), right: right.clone(), class });
                    }
                }
            }
        }
    }
}

impl Relation {
    fn end(&self) -> usize {
        self.first_column + self.plan.schema().fields().len()
    }
}

fn inner_join(plan: &Arc<dyn ExecutionPlan>) -> Option<&HashJoinExec> {
    plan.downcast_ref::<HashJoinExec>().filter(|join| {
        *join.join_type() == JoinType::Inner
            && join.null_equality() == NullEquality::NullEqualsNothing
            && !join.null_aware
            && join.fetch().is_none()
    })
}

/// The join at the top of a plan, below what only chooses columns and rows.
fn first_join(plan: &Arc<dyn ExecutionPlan>) -> Option<&HashJoinExec> {
    if let Some(join) = inner_join(plan) {
        return Some(join);
    }
    let through = plan.is::<FilterExec>() || plan.is::<ProjectionExec>() || plan.is::<CrossJoinExec>();
    if through { plan.children().into_iter().find_map(first_join) } else { None }
}

/// The expression with other numbers for its columns, and without their names: projections may give a column several.
pub(super) fn renumbered(
    expression: &Arc<dyn PhysicalExpr>,
    mut number: impl FnMut(usize) -> usize,
) -> Result<Arc<dyn PhysicalExpr>> {
    Arc::clone(expression)
        .transform_up(|node| match node.downcast_ref::<Column>() {
            Some(column) => {
                let renumbered = Column::new("", number(column.index()));
                Ok(Transformed::yes(Arc::new(renumbered) as Arc<dyn PhysicalExpr>))
            }
            None => Ok(Transformed::no(node)),
        })
        .data()
}
