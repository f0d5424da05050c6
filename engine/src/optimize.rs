//! Physical optimiser rules of Sluice's own: the order of joins, which side of a join is held in memory, and how filters
//! are evaluated.

mod compact;
mod confined;
mod conjunction;
mod constants;
mod decimals;
mod estimate;
mod estimated;
mod group_parts;
mod join_filter;
mod join_order;
mod join_sides;
mod key_sets;
mod partial_groups;
mod scan_filters;
mod selectivity;
mod task;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use self::compact::CompactColumns;
pub(crate) use self::confined::ConfinedExec;
use self::conjunction::Conjunctions;
use self::constants::ForgetConstants;
pub(crate) use self::constants::ForgetConstantsExec;
use self::decimals::NarrowDecimals;
pub(crate) use self::estimated::EstimatedExec;
use self::estimated::Estimates;
use self::group_parts::GroupParts;
use self::join_filter::JoinFilters;
pub(crate) use self::join_filter::{Bloom, OtherKeys, OwnStageExec};
pub use self::join_filter::{GatheredKeys, Gatherer, JoinFilterExec, JoinKeysExec, OtherSide};
use self::join_order::JoinOrder;
use self::join_sides::JoinSides;
use self::key_sets::KeySets;
pub use self::key_sets::is_of_key_set;
use self::partial_groups::PartialGroups;
use self::scan_filters::ScanFilters;
pub use self::task::{optimize_task, task_config};
use crate::plan::QuietSubqueries;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's rules with Sluice's among them.
pub(crate) fn rules() -> Vec<Rule> {
    let replaced = PhysicalOptimizer::new().rules.into_iter().map(|rule| match rule.name() {
        "join_selection" => Arc::new(JoinSides) as Rule,
        _ => rule,
    });
    // First, before expressions move from projections into scans.
    let first: [Rule; 3] =
        [Arc::new(QuietSubqueries), Arc::new(JoinOrder), Arc::new(ForgetConstants { travels: false })];
    // Last, when filters are where they stay.
    let last: [Rule; 7] = [
        Arc::new(ScanFilters),
        Arc::new(CompactColumns),
        Arc::new(NarrowDecimals),
        Arc::new(KeySets),
        Arc::new(Conjunctions),
        Arc::new(PartialGroups::default()),
        Arc::new(GroupParts),
    ];
    first.into_iter().chain(replaced).chain(last).collect()
}

/// The rule of Ballista's that takes joins out of the plan until their inputs are known.
const DELAYS_JOINS: &str = "DelayJoinSelectionRule";

/// The rules of a planner that chose them without us, with those of ours that it needs as well. Which side of a join is held
/// is decided there by what has been measured, and by our estimates until then.
pub(crate) fn with_own(rules: &[Rule]) -> Vec<Rule> {
    let own: [Rule; 2] = [Arc::new(JoinOrder), Arc::new(ForgetConstants { travels: true })];
    let missing = own.into_iter().filter(|own| rules.iter().all(|rule| rule.name() != own.name()));
    let mut all: Vec<Rule> = missing.collect();
    for rule in rules {
        if rule.name() == DELAYS_JOINS && rules.iter().all(|rule| rule.name() != Estimates.name()) {
            all.push(Arc::new(JoinFilters));
            all.push(Arc::new(Estimates));
        }
        all.push(Arc::clone(rule));
    }
    all
}
