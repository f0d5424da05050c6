//! Sorted rows of which only the first are wanted, in the midst of a plan.
//!
//! Ballista plans the rest of a job anew whenever a stage has ended. DataFusion's rules then put a second merge below the
//! exchange of a sort with a limit that is merged above it, also where the stage of that exchange runs at that very moment:
//! the stage's rows do not fit any more, and are lost without an error. At the top of a plan nothing else runs beside such a
//! stage. Below a join or a union another stage may end first, and there such a sort must not be split over partitions.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use sluice::Result;

/// Whether the plan has a limit below a node with several inputs, or in a subquery, which becomes one.
pub(crate) fn has_inner_limit(plan: &LogicalPlan) -> Result<bool> {
    Ok(below(plan, false)?)
}

fn below(plan: &LogicalPlan, forked: bool) -> datafusion::error::Result<bool> {
    let limited = match plan {
        LogicalPlan::Limit(_) => true,
        LogicalPlan::Sort(sort) => sort.fetch.is_some(),
        _ => false,
    };
    if forked && limited {
        return Ok(true);
    }
    let mut subqueries = 0;
    let mut found = false;
    plan.apply_subqueries(|subquery| {
        subqueries += 1;
        found = found || below(subquery, true)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let inputs = plan.inputs();
    let forked = forked || inputs.len() > 1 || subqueries > 0;
    for input in inputs {
        found = found || below(input, forked)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::has_inner_limit;

    #[tokio::test]
    async fn limits_are_told_by_what_is_above_them() {
        let context = SessionContext::new();
        context.sql("CREATE TABLE t AS SELECT 1 AS k, 2 AS v").await.unwrap();
        for (inner, sql) in [
            (false, "SELECT * FROM t ORDER BY v LIMIT 3"),
            (false, "SELECT k, sum(v) FROM (SELECT * FROM t ORDER BY v LIMIT 3) GROUP BY k"),
            (false, "SELECT a.k FROM t a JOIN t b ON a.k = b.k ORDER BY b.v LIMIT 3"),
            (true, "SELECT a.k FROM (SELECT * FROM t ORDER BY v LIMIT 3) a JOIN t b ON a.k = b.k"),
            (true, "SELECT k FROM t UNION ALL (SELECT k FROM t ORDER BY v LIMIT 1)"),
            (true, "SELECT k FROM t WHERE k IN (SELECT k FROM t ORDER BY v LIMIT 3)"),
            (
                true,
                "SELECT k FROM (SELECT * FROM t ORDER BY v LIMIT 3) a WHERE EXISTS (SELECT 1 FROM t WHERE t.k = a.k)",
            ),
        ] {
            let plan = context.state().create_logical_plan(sql).await.unwrap();
            assert_eq!(has_inner_limit(&plan).unwrap(), inner, "{sql}");
        }
    }
}
