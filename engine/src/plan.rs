//! From logical to physical plans: DataFusion's planner, with the nodes that Sluice adds.

mod memory_fallback;
mod noted;
mod quiet_subqueries;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Analyze, DdlStatement, Explain, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use crate::optimize;
use crate::partition::{self, PartitionExtensionPlanner, PartitionerRegistry};
use crate::skew::{self, SkewScope};
use crate::storage::StoreRegistry;
use crate::write::{CopyExec, WriteExtensionPlanner, plan_copy};

use self::memory_fallback::MemoryFallbackExec;
pub use self::memory_fallback::{is_out_of_memory, spill_early, without_hash_joins};
use self::noted::NotedExec;
pub use self::noted::note_row;
pub(crate) use self::quiet_subqueries::QuietSubqueries;

/// DataFusion's planner with Sluice's nodes.
#[derive(Debug)]
pub struct SluiceQueryPlanner {
    stores: Arc<StoreRegistry>,
    partitioners: Arc<PartitionerRegistry>,
    /// Whether the process that plans also runs the plan, as a whole.
    runs_here: bool,
}

impl SluiceQueryPlanner {
    /// A planner of writes to these stores and of rows to these partitioners' partitions.
    pub fn new(stores: Arc<StoreRegistry>, partitioners: Arc<PartitionerRegistry>) -> Self {
        Self { stores, partitioners, runs_here: false }
    }

    /// The same for plans that run as a whole in this process, and may be planned anew when memory runs out.
    #[must_use]
    pub fn for_this_process(self) -> Self {
        Self { runs_here: true, ..self }
    }

    fn nodes(&self) -> DefaultPhysicalPlanner {
        DefaultPhysicalPlanner::with_extension_planners(vec![
            Arc::new(WriteExtensionPlanner),
            Arc::new(PartitionExtensionPlanner::new(Arc::clone(&self.partitioners))),
        ])
    }
}

#[async_trait]
impl QueryPlanner for SluiceQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = self.nodes();
        // The writers of a `DataFrame` come here; the statement is run by the session.
        if let (LogicalPlan::Copy(copy), Some(state)) = (plan, session.as_any().downcast_ref::<SessionState>()) {
            let (write, target) = plan_copy(copy, state)?;
            let (write, state) = placed(write, state).await?;
            let (write, _) = skew::handle(&state, write).await?;
            let write = planner.create_physical_plan(&write, &state).await?;
            let schema = Arc::clone(plan.schema().inner());
            return Ok(Arc::new(CopyExec::new(write, target, Arc::clone(&self.stores), schema)));
        }
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return planner.create_physical_plan(plan, session).await;
        };
        let state = &with_own_rules(state);
        if let LogicalPlan::Explain(explain) = plan {
            let explained = partition::adopt(what_runs(&explain.plan, state)?)?;
            let state = with_partitions(&explained, state)?;
            let (explained, notes) = skew::handle(&state, explained).await?;
            let explained = LogicalPlan::Explain(Explain { plan: Arc::new(explained), ..explain.clone() });
            return Ok(NotedExec::over(planner.create_physical_plan(&explained, &state).await?, &notes));
        }
        let (plan, state) = placed(plan.clone(), state).await?;
        if let LogicalPlan::Analyze(analyze) = plan {
            let (input, notes) = skew::handle(&state, analyze.input.as_ref().clone()).await?;
            let analyzed = LogicalPlan::Analyze(Analyze { input: Arc::new(input), ..analyze });
            return Ok(NotedExec::over(planner.create_physical_plan(&analyzed, &state).await?, &notes));
        }
        let (plan, notes) = skew::handle(&state, plan).await?;
        SkewScope::tell(state.config(), &notes);
        let planned = planner.create_physical_plan(&plan, &state).await?;
        if self.runs_here { MemoryFallbackExec::over(planned, &plan, &state, planner) } else { Ok(planned) }
    }
}

/// The plan with the sketches that its ranges need, and the state with the partitions that it asks for. On a cluster the
/// driver has done both before the job was submitted.
async fn placed(plan: LogicalPlan, state: &SessionState) -> Result<(LogicalPlan, SessionState)> {
    let plan = partition::sketch_ranges_here(state, partition::adopt(plan)?).await?;
    let state = with_partitions(&plan, state)?;
    Ok((plan, state))
}

fn with_partitions(plan: &LogicalPlan, state: &SessionState) -> Result<SessionState> {
    let mut state = state.clone();
    if let Some(asked) = partition::partitions_asked(plan)?
        && asked > state.config().target_partitions()
    {
        state.config_mut().options_mut().execution.target_partitions = asked;
    }
    Ok(state)
}

/// The state with the rules of ours that Ballista's list of rules lacks.
fn with_own_rules(state: &SessionState) -> SessionState {
    let rules = optimize::with_own(state.physical_optimizers());
    if rules.len() == state.physical_optimizers().len() {
        return state.clone();
    }
    SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(rules).build()
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
