//! `sluice check`: a whole script is planned against a copy of the catalog, statement by statement, so that later ones
//! see what earlier ones would have made.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};

use super::engine::EngineSession;
use super::prepared::Prepared;
use super::{ddl, settings};
use crate::error::{Error, Place, Result};
use crate::sql::{StatementText, split_statements};

/// Plans every statement; the first problem ends it, with its place in the whole script.
pub(crate) async fn script(session: &EngineSession, text: &str) -> Result<()> {
    let scratch = session.scratch();
    // What earlier statements would have written, by location: a table over it need not exist yet.
    let mut written: HashMap<String, LogicalPlan> = HashMap::new();
    for statement in split_statements(text)? {
        check_one(&scratch, &statement, &mut written).await.map_err(|error| moved(error, &statement))?;
    }
    Ok(())
}

async fn check_one(
    scratch: &EngineSession,
    statement: &StatementText,
    written: &mut HashMap<String, LogicalPlan>,
) -> Result<()> {
    let state = scratch.context().state();
    let analyze = |plan: &LogicalPlan| {
        let checked = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {});
        checked.map(drop).map_err(|error| scratch.explain_error(Error::from(error), &statement.text))
    };
    match scratch.prepare(&statement.text).await? {
        Prepared::Query(plan) => analyze(&plan),
        Prepared::Copy(copy) => {
            analyze(&copy.input)?;
            written.insert(key(&copy.output_url), copy.input.as_ref().clone());
            Ok(())
        }
        Prepared::Insert(dml) => analyze(&dml.input),
        Prepared::CreateTableAs(create) => {
            analyze(&create.input)?;
            let table = EmptyTable::new(Arc::clone(create.input.schema().inner()));
            scratch.catalog().put_temporary(&create.name, Arc::new(table))
        }
        Prepared::Ddl(statement) => {
            if let DdlStatement::CreateExternalTable(create) = statement.as_ref()
                && let Some(plan) = create.locations.iter().find_map(|location| written.get(&key(location)))
            {
                let table = EmptyTable::new(Arc::clone(plan.schema().inner()));
                return scratch.catalog().put_temporary(&create.name, Arc::new(table));
            }
            ddl::run(scratch, *statement).await
        }
        Prepared::Session(statement) => settings::run(scratch, *statement).await,
        Prepared::Register(_) => Ok(()),
    }
}

/// Locations that differ in a last slash are one folder.
fn key(location: &str) -> String {
    location.trim_end_matches('/').to_string()
}

/// The error with its place counted from the script's beginning.
fn moved(error: Error, statement: &StatementText) -> Error {
    let place = error.place().cloned().unwrap_or_else(|| super::engine::first_word(&statement.text));
    let column = if place.line == 1 { place.column + statement.column - 1 } else { place.column };
    error.at(Place { line: place.line + statement.line - 1, column, ..place })
}
