//! A classification tree on one feature, grown best first: scikit-learn's `DecisionTreeClassifier(max_leaf_nodes,
//! min_samples_leaf)` with Gini impurity, over counted values instead of rows.
//!
//! Every expression is written as in scikit-learn 1.9's `_criterion.pyx`, so that rounding breaks ties alike, and the
//! frontier is the binary heap of the C++ standard library that `_tree.pyx` uses, since it orders equal improvements.

use crate::class_counts::ClassCounts;

/// A node on the frontier: values `start..end` and how they are best split.
#[derive(Debug, Clone, Copy)]
struct Node {
    start: usize,
    end: usize,
    /// The first value of the right child; `end` for a leaf.
    split: usize,
    improvement: f64,
    impurity_left: f64,
    impurity_right: f64,
}

struct Tree<'a> {
    /// The counts of all values before each.
    before: Vec<ClassCounts>,
    separable: &'a [bool],
    min_leaf: u64,
}

/// Where a tree of at most `max_leaves` leaves splits the values, ascending: the first value of each leaf but the
/// first. `separable[i]` says whether a split may come before value `i`; a leaf has at least `min_leaf` rows.
pub(crate) fn tree_splits(counts: &[ClassCounts], separable: &[bool], max_leaves: usize, min_leaf: u64) -> Vec<usize> {
    let mut before = vec![ClassCounts::default()];
    for counts in counts {
        let mut sum = before[before.len() - 1];
        sum.merge(counts);
        before.push(sum);
    }
    let tree = Tree { before, separable, min_leaf };
    let mut splits = Vec::new();
    let mut frontier = Vec::new();
    push(&mut frontier, tree.node(0, counts.len(), None));
    while let Some(node) = pop(&mut frontier) {
        if node.split == node.end || splits.len() + 1 >= max_leaves {
            continue;
        }
        splits.push(node.split);
        push(&mut frontier, tree.node(node.start, node.split, Some(node.impurity_left)));
        push(&mut frontier, tree.node(node.split, node.end, Some(node.impurity_right)));
    }
    splits.sort_unstable();
    splits
}

fn impurity(counts: &ClassCounts) -> f64 {
    let (non_events, events) = (counts.non_events as f64, counts.events as f64);
    let squares = non_events * non_events + events * events;
    let total = counts.total() as f64;
    1.0 - squares / (total * total)
}

impl Tree<'_> {
    fn counts(&self, start: usize, end: usize) -> ClassCounts {
        ClassCounts {
            events: self.before[end].events - self.before[start].events,
            non_events: self.before[end].non_events - self.before[start].non_events,
        }
    }

    fn node(&self, start: usize, end: usize, known_impurity: Option<f64>) -> Node {
        let counts = self.counts(start, end);
        let impurity_here = known_impurity.unwrap_or_else(|| impurity(&counts));
        let leaf = Node {
            start,
            end,
            split: end,
            improvement: 0.0,
            impurity_left: impurity_here,
            impurity_right: impurity_here,
        };
        let total = counts.total();
        if total < 2 || total / 2 < self.min_leaf || impurity_here <= f64::EPSILON {
            return leaf;
        }
        let Some(split) = self.best_split(start, end) else { return leaf };
        let (left, right) = (self.counts(start, split), self.counts(split, end));
        let (impurity_left, impurity_right) = (impurity(&left), impurity(&right));
        let (here, all) = (total as f64, self.before[self.before.len() - 1].total() as f64);
        let improvement = (here / all)
            * (impurity_here
                - (right.total() as f64 / here * impurity_right)
                - (left.total() as f64 / here * impurity_left));
        // scikit-learn compares with a minimal decrease of 0, with this tolerance.
        if improvement + f64::EPSILON < 0.0 {
            return leaf;
        }
        Node { start, end, split, improvement, impurity_left, impurity_right }
    }

    fn best_split(&self, start: usize, end: usize) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for split in start + 1..end {
            if !self.separable[split] {
                continue;
            }
            let (left, right) = (self.counts(start, split), self.counts(split, end));
            if left.total() < self.min_leaf || right.total() < self.min_leaf {
                continue;
            }
            let proxy = -(right.total() as f64) * impurity(&right) - left.total() as f64 * impurity(&left);
            if best.is_none_or(|(best, _)| proxy > best) {
                best = Some((proxy, split));
            }
        }
        best.map(|(_, split)| split)
    }
}

/// `std::push_heap` by improvement.
fn push(heap: &mut Vec<Node>, node: Node) {
    heap.push(node);
    let hole = heap.len() - 1;
    sift_up(heap, hole, node);
}

fn sift_up(heap: &mut [Node], mut hole: usize, node: Node) {
    while hole > 0 {
        let parent = (hole - 1) / 2;
        if heap[parent].improvement >= node.improvement {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = node;
}

/// `std::pop_heap` by improvement: the hole at the top sinks to the bottom, and the last node rises from there.
fn pop(heap: &mut Vec<Node>) -> Option<Node> {
    let last = heap.pop()?;
    let Some(top) = heap.first().copied() else { return Some(last) };
    let size = heap.len();
    let mut hole = 0;
    while 2 * hole + 2 < size {
        let mut child = 2 * hole + 2;
        if heap[child].improvement < heap[child - 1].improvement {
            child -= 1;
        }
        heap[hole] = heap[child];
        hole = child;
    }
    if 2 * hole + 2 == size {
        heap[hole] = heap[size - 1];
        hole = size - 1;
    }
    sift_up(heap, hole, last);
    Some(top)
}
