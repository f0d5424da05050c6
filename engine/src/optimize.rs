//! Physical optimiser rules of Sluice's own: the order of joins, which side of a join is held in memory, and how filters
//! are evaluated.

mod conjunction;
mod estimate;
mod join_order;
mod join_sides;
mod partial_groups;
mod scan_filters;
mod selectivity;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use self::conjunction::Conjunctions;
use self::join_order::JoinOrder;
use self::join_sides::JoinSides;
use self::partial_groups::PartialGroups;
use self::scan_filters::ScanFilters;
use crate::plan::QuietSubqueries;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's rules with Sluice's among them.
pub(crate) fn rules() -> Vec<Rule> {
    let replaced = PhysicalOptimizer::new().rules.into_iter().map(|rule| match rule.name() {
        "join_selection" => Arc::new(JoinSides) as Rule,
        _ => rule,
    });
    // First, before expressions move from projections into scans.
    let first: [Rule; 2] = [Arc::new(QuietSubqueries), Arc::new(JoinOrder)];
    // Last, when filters are where they stay.
    let last: [Rule; 3] = [Arc::new(ScanFilters), Arc::new(Conjunctions), Arc::new(PartialGroups)];
    first.into_iter().chain(replaced).chain(last).collect()
}

/// The rules of a planner that chose them without us, with the order of joins before them: which side is held is decided
/// there by what has been measured.
pub(crate) fn with_join_order(rules: &[Rule]) -> Vec<Rule> {
    let own = JoinOrder;
    if rules.iter().any(|rule| rule.name() == own.name()) {
        return rules.to_vec();
    }
    let first: [Rule; 1] = [Arc::new(own)];
    first.into_iter().chain(rules.iter().cloned()).collect()
}
