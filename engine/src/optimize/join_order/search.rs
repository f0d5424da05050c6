//! Finds the tree that costs least.
//!
//! What a join costs is in `cost.rs`. How many rows come out follows from how many values the keys have, and how wide they
//! are from the columns that are still needed.

use std::collections::HashMap;

use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use super::cost::{self, Rows};
use super::graph::{JoinGraph, Set, Side, Tree};
use crate::optimize::estimate::values_of_key;
use crate::optimize::join_sides::cost_of_holding_rows;

/// The share of rows that a condition on several relations leaves.
const FILTER: f64 = 0.3;
/// With more relations than this, there are too many trees to look at all.
const MAX_EXHAUSTIVE: usize = 11;

/// A tree and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) tree: Tree,
    pub(super) cost: f64,
    relations: Set,
    size: Rows,
}

/// The cost of a tree.
pub(super) fn cost(graph: &JoinGraph, tree: &Tree) -> f64 {
    Search::new(graph).candidate(tree).cost
}

/// The tree that costs least: with few relations of all trees without cross products, with many of those that join the
/// pair with the smallest result first.
pub(super) fn best(graph: &JoinGraph) -> Candidate {
    let search = Search::new(graph);
    let mut parts: Vec<Candidate> =
        search.components().into_iter().map(|component| search.connected(component)).collect();
    // What no equality connects is multiplied at last, the smallest first.
    parts.sort_by(|left, right| left.size.rows.total_cmp(&right.size.rows));
    parts.into_iter().reduce(|left, right| search.join(left, right)).unwrap_or_else(|| search.candidate(&graph.written))
}

struct Search<'a> {
    graph: &'a JoinGraph,
    /// For each equality, how many values its sides have.
    distinct: Vec<(f64, f64)>,
    /// For each, how far apart the ends of its sides are.
    spans: Vec<(Option<f64>, Option<f64>)>,
    columns: Vec<Needed>,
}

/// How long a column is needed.
struct Needed {
    relation: Set,
    width: f64,
    /// Until all relations of these sets are joined; without an end where one of them is `Set::MAX`.
    until: Vec<Set>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a JoinGraph) -> Self {
        let (mut distinct, mut spans) = (Vec::new(), Vec::new());
        for equality in &graph.equalities {
            let of = |side: &Side| &graph.relations[side.relation].estimate;
            let (left, right) = (of(&equality.left), of(&equality.right));
            match (graph.own_key(&equality.left), graph.own_key(&equality.right)) {
                (Ok(one), Ok(other)) => {
                    spans.push((left.span(&one), right.span(&other)));
                    distinct.push(values_of_key(left, right, &(one, other)));
                }
                _ => {
                    spans.push((None, None));
                    distinct.push((left.rows.max(1.0), right.rows.max(1.0)));
                }
            }
        }
        Self { graph, distinct, spans, columns: needed(graph) }
    }

    /// Bytes of a row of the joined relations, of the columns that are needed further on.
    fn width(&self, joined: Set) -> f64 {
        let needed = self.columns.iter().filter(|column| column.relation & joined != 0);
        needed.filter(|column| column.until.iter().any(|all| all & !joined != 0)).map(|column| column.width).sum()
    }

    fn leaf(&self, relation: usize) -> Candidate {
        let rows = self.graph.relations[relation].estimate.rows.max(1.0);
        let relations = 1 << relation;
        let size = Rows { rows, width: self.width(relations) };
        Candidate { tree: Tree::Relation(relation), cost: 0.0, relations, size }
    }

    fn candidate(&self, tree: &Tree) -> Candidate {
        match tree {
            Tree::Relation(relation) => self.leaf(*relation),
            Tree::Join(left, right) => self.join(self.candidate(left), self.candidate(right)),
        }
    }

    fn join(&self, left: Candidate, right: Candidate) -> Candidate {
        let relations = left.relations | right.relations;
        let (size, cost) = self.joined(&left, &right, self.width(relations));
        Candidate { tree: Tree::join(left.tree, right.tree), cost, relations, size }
    }

    /// What a join gives, of rows as wide as that, and what it costs.
    fn joined(&self, left: &Candidate, right: &Candidate, width: f64) -> (Rows, f64) {
        let holds_left = cost_of_holding_rows(left.size.rows, left.size.width)
            <= cost_of_holding_rows(right.size.rows, right.size.width);
        let (mut keys_left, mut keys_right) = (Keys::new(self.graph), Keys::new(self.graph));
        let (mut classes, mut keys, mut span) = (0_u64, 0, None);
        for ((equality, distinct), spans) in self.graph.equalities.iter().zip(&self.distinct).zip(&self.spans) {
            let (one, other) = (1 << equality.left.relation, 1 << equality.right.relation);
            let straight = left.relations & one != 0 && right.relations & other != 0;
            let crossed = left.relations & other != 0 && right.relations & one != 0;
            let class = 1_u64.checked_shl(equality.class as u32).unwrap_or(0);
            if !(straight || crossed) || classes & class != 0 {
                continue;
            }
            classes |= class;
            let (on_left, on_right) = if straight {
                ((equality.left.relation, distinct.0), (equality.right.relation, distinct.1))
            } else {
                ((equality.right.relation, distinct.1), (equality.left.relation, distinct.0))
            };
            keys_left.add(on_left);
            keys_right.add(on_right);
            keys += 1;
            span = if straight == holds_left { spans.0 } else { spans.1 };
        }
        let both = left.relations | right.relations;
        let filters = self.graph.filters.iter().filter(|filter| {
            let within = |set: Set| filter.relations & !set == 0;
            within(both) && !within(left.relations) && !within(right.relations)
        });
        let further = FILTER.powi(filters.count() as i32);
        let (left_rows, right_rows) = (left.size.rows, right.size.rows);
        let combinations = keys_left.combinations(left_rows).max(keys_right.combinations(right_rows));
        let gives = Rows { rows: (left_rows * right_rows / combinations * further).max(1.0), width };
        let (held, looked_up) = if holds_left { (left.size, right.size) } else { (right.size, left.size) };
        let own = cost::of_join(held, looked_up, gives, cost::Keys { count: keys, span });
        (gives, left.cost + right.cost + own)
    }

    fn are_connected(&self, left: Set, right: Set) -> bool {
        self.graph.equalities.iter().any(|equality| equality.connects(left, right))
    }

    /// Sets of relations that equalities connect.
    fn components(&self) -> Vec<Set> {
        let mut components: Vec<Set> = (0..self.graph.relations.len()).map(|relation| 1 << relation).collect();
        for equality in &self.graph.equalities {
            let ends: Set = 1 << equality.left.relation | 1 << equality.right.relation;
            let (touched, mut apart): (Vec<Set>, Vec<Set>) = components.into_iter().partition(|set| set & ends != 0);
            apart.push(touched.into_iter().fold(0, |all, set| all | set));
            components = apart;
        }
        components
    }

    fn connected(&self, component: Set) -> Candidate {
        let relations: Vec<usize> = members(component).collect();
        if relations.len() <= MAX_EXHAUSTIVE { self.exhaustive(&relations) } else { self.greedy(&relations) }
    }

    fn exhaustive(&self, relations: &[usize]) -> Candidate {
        let mut best: HashMap<Set, Candidate> = HashMap::new();
        for relation in relations {
            best.insert(1 << relation, self.leaf(*relation));
        }
        // Subsets as numbers of the positions in `relations`: in ascending order, a set comes after its parts.
        let all: Set = (1 << relations.len()) - 1;
        let spread = |positions: Set| members(positions).fold(0, |set: Set, position| set | 1 << relations[position]);
        for positions in 1..=all {
            if positions.count_ones() < 2 {
                continue;
            }
            let whole = spread(positions);
            let width = self.width(whole);
            let mut least: Option<(Set, Set, f64)> = None;
            // Each split once: the part with the lowest position is the left one.
            let lowest = positions & positions.wrapping_neg();
            let mut part = (positions - 1) & positions;
            while part != 0 {
                if part & lowest != 0 {
                    let (left, right) = (spread(part), spread(positions & !part));
                    if let (Some(one), Some(other)) = (best.get(&left), best.get(&right))
                        && self.are_connected(left, right)
                    {
                        let (_, cost) = self.joined(one, other, width);
                        if least.is_none_or(|(_, _, least)| cost < least) {
                            least = Some((left, right, cost));
                        }
                    }
                }
                part = (part - 1) & positions;
            }
            if let Some((left, right, _)) = least
                && let (Some(one), Some(other)) = (best.get(&left), best.get(&right))
            {
                let joined = self.join(one.clone(), other.clone());
                best.insert(whole, joined);
            }
        }
        best.remove(&spread(all)).unwrap_or_else(|| self.greedy(relations))
    }

    fn greedy(&self, relations: &[usize]) -> Candidate {
        let mut parts: Vec<Candidate> = relations.iter().map(|relation| self.leaf(*relation)).collect();
        while parts.len() > 1 {
            let mut least: Option<(usize, usize, f64)> = None;
            for left in 0..parts.len() {
                for right in left + 1..parts.len() {
                    if self.are_connected(parts[left].relations, parts[right].relations) {
                        let (gives, _) = self.joined(&parts[left], &parts[right], 0.0);
                        if least.is_none_or(|(_, _, least)| gives.rows < least) {
                            least = Some((left, right, gives.rows));
                        }
                    }
                }
            }
            // A component is connected, so there is such a pair.
            let (left, right, _) = least.unwrap_or((0, 1, 0.0));
            let right = parts.swap_remove(right);
            let left = parts.swap_remove(left);
            parts.push(self.join(left, right));
        }
        parts.pop().unwrap_or_else(|| self.candidate(&self.graph.written))
    }
}

/// The columns of all relations.
fn needed(graph: &JoinGraph) -> Vec<Needed> {
    let mut columns = Vec::new();
    for (at, relation) in graph.relations.iter().enumerate() {
        let width = |column: usize| relation.estimate.columns.get(column).map_or(0.0, |column| column.width);
        let own = (0..relation.plan.schema().fields().len()).map(width);
        columns.extend(own.map(|width| Needed { relation: 1 << at, width, until: Vec::new() }));
    }
    let mut until = |column: usize, all: Set| {
        if let Some(needed) = columns.get_mut(column) {
            needed.until.push(all);
        }
    };
    graph.output.iter().for_each(|column| until(*column, Set::MAX));
    for filter in &graph.filters {
        collect_columns(&filter.condition).iter().map(Column::index).for_each(|column| until(column, filter.relations));
    }
    for equality in &graph.equalities {
        for (side, other) in [(&equality.left, &equality.right), (&equality.right, &equality.left)] {
            let all = 1 << side.relation | 1 << other.relation;
            collect_columns(&side.key).iter().map(Column::index).for_each(|column| until(column, all));
        }
    }
    columns
}

/// The relations of a set.
fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..Set::BITS as usize).filter(move |bit| set & 1 << bit != 0)
}

/// How many combinations of values the keys of one side of a join have.
struct Keys<'a> {
    graph: &'a JoinGraph,
    by_relation: Vec<(usize, f64)>,
}

impl<'a> Keys<'a> {
    fn new(graph: &'a JoinGraph) -> Self {
        Self { graph, by_relation: Vec::new() }
    }

    fn add(&mut self, (relation, distinct): (usize, f64)) {
        match self.by_relation.iter_mut().find(|(other, _)| *other == relation) {
            Some((_, product)) => *product *= distinct,
            None => self.by_relation.push((relation, distinct)),
        }
    }

    /// Not more than there are rows, in the relation and on the side of the join.
    fn combinations(&self, rows: f64) -> f64 {
        let of = |(relation, product): &(usize, f64)| product.min(self.graph.relations[*relation].estimate.rows);
        self.by_relation.iter().map(of).product::<f64>().min(rows).max(1.0)
    }
}
