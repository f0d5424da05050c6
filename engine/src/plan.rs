//! From logical to physical plans: DataFusion's planner, with the nodes that Sluice adds.

mod noted;
mod quiet_subqueries;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Analyze, DdlStatement, Explain, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use crate::skew::{self, SkewScope};
use crate::storage::StoreRegistry;
use crate::write::{CopyExec, WriteExtensionPlanner, plan_copy};

use self::noted::NotedExec;
pub use self::noted::note_row;
pub(crate) use self::quiet_subqueries::QuietSubqueries;

/// DataFusion's planner with Sluice's nodes.
#[derive(Debug)]
pub struct SluiceQueryPlanner {
    stores: Arc<StoreRegistry>,
}

impl SluiceQueryPlanner {
    /// A planner of writes to these stores.
    pub fn new(stores: Arc<StoreRegistry>) -> Self {
        Self { stores }
    }
}

#[async_trait]
impl QueryPlanner for SluiceQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(WriteExtensionPlanner)]);
        // The writers of a `DataFrame` come here; the statement is run by the session.
        if let (LogicalPlan::Copy(copy), Some(state)) = (plan, session.as_any().downcast_ref::<SessionState>()) {
            let (write, target) = plan_copy(copy, state)?;
            let (write, _) = skew::handle(state, write).await?;
            let write = planner.create_physical_plan(&write, session).await?;
            let schema = Arc::clone(plan.schema().inner());
            return Ok(Arc::new(CopyExec::new(write, target, Arc::clone(&self.stores), schema)));
        }
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return planner.create_physical_plan(plan, session).await;
        };
        match plan {
            LogicalPlan::Explain(explain) => {
                let (inner, notes) = skew::handle(state, what_runs(&explain.plan, state)?).await?;
                let explained = LogicalPlan::Explain(Explain { plan: Arc::new(inner), ..explain.clone() });
                Ok(NotedExec::over(planner.create_physical_plan(&explained, session).await?, &notes))
            }
            LogicalPlan::Analyze(analyze) => {
                let (input, notes) = skew::handle(state, analyze.input.as_ref().clone()).await?;
                let analyzed = LogicalPlan::Analyze(Analyze { input: Arc::new(input), ..analyze.clone() });
                Ok(NotedExec::over(planner.create_physical_plan(&analyzed, session).await?, &notes))
            }
            _ => {
                let (plan, notes) = skew::handle(state, plan.clone()).await?;
                SkewScope::tell(state.config(), &notes);
                planner.create_physical_plan(&plan, session).await
            }
        }
    }
}

/// What `EXPLAIN` shows of a statement that writes: the write where it is planned as a whole, else the query.
fn what_runs(plan: &LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Copy(copy) => plan_copy(copy, state)?.0,
        LogicalPlan::Dml(dml) => dml.input.as_ref().clone(),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => create.input.as_ref().clone(),
        other => other.clone(),
    })
}
