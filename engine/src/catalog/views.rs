//! Views: a `CREATE VIEW` statement that is planned anew whenever the view is opened.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::datasource::ViewTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::optimizer::Analyzer;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;

use super::model::ViewEntry;
use super::provider::TableName;
use crate::error::{Error, ErrorCode, Result};

/// Views within views: the planner recurses once for each.
const MAX_DEPTH: usize = 32;

tokio::task_local! {
    /// The views that are being opened around the current one, outermost first. Planning opens the tables of a view
    /// in the same task, so this finds a view that leads back to itself.
    static EXPANDING: Vec<TableName>;
}

/// Whether a persistent view is being opened.
pub(super) fn expanding() -> bool {
    EXPANDING.try_with(|views| !views.is_empty()).unwrap_or(false)
}

/// Plans a view. Its unqualified names mean the schema that was the default when it was made.
pub(super) async fn expand(mut state: SessionState, name: &TableName, view: &ViewEntry) -> Result<ViewTable> {
    let mut around = EXPANDING.try_with(Clone::clone).unwrap_or_default();
    if around.contains(name) {
        let chain: Vec<_> = around.iter().chain([name]).map(ToString::to_string).collect();
        return Err(Error::new(ErrorCode::InvalidPlan, format!("views refer to each other: {}", chain.join(" -> "))));
    }
    if around.len() >= MAX_DEPTH {
        return Err(Error::new(ErrorCode::InvalidPlan, format!("views are nested more than {MAX_DEPTH} deep")));
    }
    around.push(name.clone());
    state.config_mut().options_mut().catalog.default_schema.clone_from(&view.default_schema);
    let planned = EXPANDING.scope(around, state.create_logical_plan(&view.definition)).await;
    match planned.map_err(|error| in_view(name, Error::from(error)))? {
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) => {
            table(Arc::unwrap_or_clone(create.input), Some(view.definition.clone()))
        }
        _ => Err(Error::new(ErrorCode::CorruptFile, format!("the catalog's text of view `{name}` is no CREATE VIEW"))),
    }
}

/// The view of a plan. Types are coerced first, so that its columns are those of its rows.
pub(super) fn table(plan: LogicalPlan, definition: Option<String>) -> Result<ViewTable> {
    let coercion = Analyzer::with_rules(vec![Arc::new(TypeCoercion::new())]);
    let plan = coercion.execute_and_check(plan, &ConfigOptions::default(), |_, _| {})?;
    let mut names = HashSet::new();
    if let Some(twice) = plan.schema().fields().iter().find(|field| !names.insert(field.name().as_str())) {
        let message = format!("the view has two columns `{}`", twice.name());
        return Err(Error::new(ErrorCode::InvalidPlan, message).hint("give one of them another name with AS"));
    }
    Ok(ViewTable::new(plan, definition))
}

/// Names the innermost view that does not plan. A place in its text would point into the user's own statement.
fn in_view(name: &TableName, error: Error) -> Error {
    if error.message().starts_with("view") {
        return error;
    }
    let message = format!("view `{name}` does not plan any more: {}", error.message());
    let hint = error.hint_text().map(str::to_string);
    let error = Error::new(error.code(), message).caused_by(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
