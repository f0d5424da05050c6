//! Statements that change the catalog and move no rows.

use datafusion::logical_expr::{DdlStatement, LogicalPlan};

use super::engine::EngineSession;
use crate::error::Result;

/// Runs the statement: the catalog's own, or DataFusion's for what no catalog keeps.
pub(crate) async fn run(session: &EngineSession, statement: DdlStatement) -> Result<()> {
    match statement {
        DdlStatement::CreateFunction(_) | DdlStatement::DropFunction(_) => {
            session.context().execute_logical_plan(LogicalPlan::Ddl(statement)).await?;
            Ok(())
        }
        other => session.catalog().run_ddl(&other).await,
    }
}
