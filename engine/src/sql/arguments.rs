//! Named arguments of Sluice's functions: `hash_bucket(x, 100, seed => 7)`.
//!
//! DataFusion puts named arguments in order but lets no parameter between two given ones be left out. Here those get
//! NULL, which Sluice's functions take for the parameter's default.

use std::ops::ControlFlow;

use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart, Value, VisitMut,
    visit_expressions_mut,
};

/// Puts the named arguments of Sluice's functions in the order of the parameters.
///
/// # Errors
/// A plan error for a name that the function does not have or that is given twice, and for an argument without a name
/// after one with a name.
pub(super) fn order_named_arguments(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => order_within(statement.as_mut()),
        Statement::Explain(explain) => order_named_arguments(explain.statement.as_mut()),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => order_within(query.as_mut()),
            CopyToSource::Relation(_) => Ok(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
    }
}

fn order_within(node: &mut impl VisitMut) -> Result<()> {
    let visited = visit_expressions_mut(node, |expr| match order_call(expr) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match visited {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn order_call(expr: &mut Expr) -> Result<()> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    if !list.args.iter().any(|argument| name_of(argument).is_some()) {
        return Ok(());
    }
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return Ok(()) };
    let name = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
    let Some(parameters) = sluice_udf::parameter_names(&name) else { return Ok(()) };
    list.args = ordered(&name, parameters, std::mem::take(&mut list.args))?;
    Ok(())
}

fn ordered(function: &str, parameters: &[String], arguments: Vec<FunctionArg>) -> Result<Vec<FunctionArg>> {
    let mut places: Vec<Option<FunctionArg>> = vec![None; parameters.len().max(arguments.len())];
    let mut named_before: Option<String> = None;
    for (position, argument) in arguments.into_iter().enumerate() {
        let place = match (name_of(&argument), &named_before) {
            (None, None) => position,
            (None, Some(named)) => {
                return plan_err!("an argument of {function} without a name follows {named}, which has one");
            }
            (Some(name), _) => {
                let place = place_of(function, parameters, name)?;
                if places[place].is_some() {
                    return plan_err!("{} of {function} is given twice", parameters[place]);
                }
                named_before = Some(parameters[place].clone());
                place
            }
        };
        places[place] = Some(argument);
    }
    let given = places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    Ok(places.into_iter().take(given).map(|argument| argument.map_or_else(null, without_name)).collect())
}

fn place_of(function: &str, parameters: &[String], name: &Ident) -> Result<usize> {
    let matches = |parameter: &String| match name.quote_style {
        Some(_) => *parameter == name.value,
        None => parameter.eq_ignore_ascii_case(&name.value),
    };
    parameters.iter().position(matches).ok_or_else(|| {
        let known = parameters.join(", ");
        DataFusionError::Plan(format!("{function} has no parameter {}: it has {known}", name.value))
    })
}

fn name_of(argument: &FunctionArg) -> Option<&Ident> {
    match argument {
        FunctionArg::Named { name, .. } | FunctionArg::ExprNamed { name: Expr::Identifier(name), .. } => Some(name),
        FunctionArg::ExprNamed { .. } | FunctionArg::Unnamed(_) => None,
    }
}

fn without_name(argument: FunctionArg) -> FunctionArg {
    match argument {
        FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg) => {
            FunctionArg::Unnamed(arg)
        }
    }
}

fn null() -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(Value::Null.into())))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn ordered_text(sql: &str) -> Result<String> {
        let mut statement = DFParser::parse_sql(sql)?.pop_front().unwrap();
        order_named_arguments(&mut statement)?;
        Ok(statement.to_string())
    }

    #[test]
    fn arguments_find_their_places() {
        let sql = "SELECT bucketize(closed => 'right', Edges => [1, 2], x => a) FROM t";
        assert_eq!(ordered_text(sql).unwrap(), "SELECT bucketize(a, [1, 2], 'right') FROM t");
        let sql = "SELECT bucketize(a, closed => 'right') FROM t";
        assert_eq!(ordered_text(sql).unwrap(), "SELECT bucketize(a, NULL, 'right') FROM t");
        let sql = "EXPLAIN SELECT bucketize(a, edges => [bucketize(x => 1, edges => [2])]) FROM t";
        assert_eq!(ordered_text(sql).unwrap(), "EXPLAIN SELECT bucketize(a, [bucketize(1, [2])]) FROM t");
    }

    #[test]
    fn functions_of_others_are_left_alone() {
        let sql = "SELECT substr(str => 'a', start_pos => 1)";
        assert_eq!(ordered_text(sql).unwrap(), sql);
    }

    #[test]
    fn wrong_names_say_which_there_are() {
        let wrong = |sql: &str| ordered_text(sql).unwrap_err().to_string();
        let message = wrong("SELECT bucketize(a, edgs => [1])");
        assert!(message.contains("bucketize has no parameter edgs: it has x, edges, closed"), "{message}");
        let message = wrong("SELECT bucketize(a, edges => [1], edges => [2])");
        assert!(message.contains("edges of bucketize is given twice"), "{message}");
        let message = wrong("SELECT bucketize(x => a, [1])");
        assert!(message.contains("without a name follows x"), "{message}");
    }
}
