//! `SET` and its kin: keys and values are checked before the session takes them.

use datafusion::logical_expr::{LogicalPlan, Statement};

use super::engine::EngineSession;
use crate::config;
use crate::error::{Error, ErrorCode, Result};

/// The key that chooses partitions for a cluster's jobs; an embedded session knows it by DataFusion's name.
const PARTITIONS: &str = "sluice.execution.partitions";
const TARGET_PARTITIONS: &str = "datafusion.execution.target_partitions";

/// Refuses unknown keys and bad values.
pub(crate) fn check(statement: &Statement) -> Result<()> {
    match statement {
        Statement::SetVariable(set) if !is_time_zone(&set.variable) => {
            config::check_key(&set.variable, &set.value)?;
            check_scope(&set.variable)
        }
        Statement::ResetVariable(reset) if reset.variable.starts_with("sluice.") => check_scope(&reset.variable),
        _ => Ok(()),
    }
}

/// A setting of the process is read when the process starts: a session cannot change it.
fn check_scope(key: &str) -> Result<()> {
    if config::is_session_key(key) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::SettingInvalid, format!("{key} cannot be changed while the process runs"))
        .hint("set it in sluice.toml, in the environment, or with --conf"))
}

/// Runs a statement that changes the session alone.
pub(crate) async fn run(session: &EngineSession, statement: Statement) -> Result<()> {
    if let Statement::SetVariable(variable) = &statement
        && variable.variable == PARTITIONS
    {
        return set(session, PARTITIONS, &variable.value);
    }
    if let Statement::ResetVariable(variable) = &statement
        && let Some(value) = config::default_text(&variable.variable)
    {
        return set(session, &variable.variable, &value);
    }
    session.context().execute_logical_plan(LogicalPlan::Statement(statement)).await.map_err(Error::from)?;
    Ok(())
}

/// Sets one key of the session.
pub(crate) fn set(session: &EngineSession, key: &str, value: &str) -> Result<()> {
    config::check_key(key, value)?;
    let state = session.context().state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    options.set(key, value)?;
    if key == PARTITIONS && value.trim() != "0" {
        options.set(TARGET_PARTITIONS, value.trim())?;
    }
    Ok(())
}

fn is_time_zone(key: &str) -> bool {
    key.eq_ignore_ascii_case("timezone") || key.eq_ignore_ascii_case("time.zone")
}
