//! `SELECT /*+ SKEW(table, column) */ …`: keys of which the user knows that some are frequent.
//!
//! The hint says where to look, whatever the size of the input; what is frequent, and how much, a sample says.

use std::fmt;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result as PlanResult};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, TableScan, UserDefinedLogicalNodeCore};

use crate::error::{Error, ErrorCode, Result, nearest};
use crate::sql::hints::Hint;

/// The name of the hint.
const NAME: &str = "SKEW";

/// A column some of whose values are frequent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct SkewHint {
    table: String,
    column: String,
}

impl SkewHint {
    /// Whether a query reads the column.
    pub(super) fn concerns(&self, source: &LogicalPlan) -> bool {
        let mut found = false;
        // The closure does not fail.
        let _ = source.apply(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                found |= scan.table_name.table() == self.table
                    && scan.projected_schema.fields().iter().any(|field| *field.name() == self.column);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        found
    }
}

/// The plan with the hints of its text, which must name tables and columns that it reads.
pub(crate) fn attach(plan: LogicalPlan, hints: &[Hint]) -> Result<LogicalPlan> {
    let mut known = Vec::new();
    for hint in hints.iter().filter(|hint| hint.name == NAME) {
        let [table, columns @ ..] = hint.arguments.as_slice() else {
            return Err(malformed(hint));
        };
        if columns.is_empty() {
            return Err(malformed(hint));
        }
        let (alias, table) = (bare(&table.text), table);
        let scans = scans_of(&plan, &alias)?;
        let Some(scan) = scans.first() else {
            return Err(Error::new(
                ErrorCode::TableNotFound,
                format!("the hint SKEW names the table \"{alias}\", which the statement does not read"),
            )
            .at(table.place.clone())
            .hint("name a table of FROM, or its alias"));
        };
        for column in columns {
            let name = bare(&column.text);
            let schema = scan.source.schema();
            if schema.field_with_name(&name).is_err() {
                let error = Error::new(
                    ErrorCode::ColumnNotFound,
                    format!("the table \"{alias}\" of the hint SKEW has no column \"{name}\""),
                )
                .at(column.place.clone());
                let near = nearest(&name, schema.fields().iter().map(|field| field.name().as_str()));
                return Err(match near {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                    None => error.hint("name a column of the table"),
                });
            }
            known.extend(
                scans.iter().map(|scan| SkewHint { table: scan.table_name.table().to_string(), column: name.clone() }),
            );
        }
    }
    if known.is_empty() {
        return Ok(plan);
    }
    Ok(match plan {
        LogicalPlan::Explain(mut explain) => {
            explain.plan = wrapped(explain.plan.as_ref().clone(), known).into();
            LogicalPlan::Explain(explain)
        }
        LogicalPlan::Analyze(mut analyze) => {
            analyze.input = wrapped(analyze.input.as_ref().clone(), known).into();
            LogicalPlan::Analyze(analyze)
        }
        LogicalPlan::Copy(mut copy) => {
            copy.input = wrapped(copy.input.as_ref().clone(), known).into();
            LogicalPlan::Copy(copy)
        }
        LogicalPlan::Dml(mut dml) => {
            dml.input = wrapped(dml.input.as_ref().clone(), known).into();
            LogicalPlan::Dml(dml)
        }
        // Of a table that is made, the rows are a query.
        LogicalPlan::Ddl(datafusion::logical_expr::DdlStatement::CreateMemoryTable(mut create)) => {
            create.input = wrapped(create.input.as_ref().clone(), known).into();
            LogicalPlan::Ddl(datafusion::logical_expr::DdlStatement::CreateMemoryTable(create))
        }
        plan @ (LogicalPlan::Ddl(_) | LogicalPlan::Statement(_)) => plan,
        query => wrapped(query, known),
    })
}

fn malformed(hint: &Hint) -> Error {
    Error::new(ErrorCode::InvalidPlan, "the hint SKEW needs a table and a column")
        .at(hint.place.clone())
        .hint("write /*+ SKEW(table, column) */")
}

fn bare(text: &str) -> String {
    text.trim_matches(['\'', '"', '`']).to_string()
}

/// The scans of a table that is called so, or has that alias.
fn scans_of(plan: &LogicalPlan, name: &str) -> Result<Vec<TableScan>> {
    let mut scans = Vec::new();
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) if scan.table_name.table().eq_ignore_ascii_case(name) => {
                scans.push(scan.clone())
            }
            LogicalPlan::SubqueryAlias(alias) if alias.alias.table().eq_ignore_ascii_case(name) => {
                if let LogicalPlan::TableScan(scan) = alias.input.as_ref() {
                    scans.push(scan.clone());
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans)
}

fn wrapped(input: LogicalPlan, hints: Vec<SkewHint>) -> LogicalPlan {
    LogicalPlan::Extension(Extension { node: std::sync::Arc::new(Hinted { input, hints }) })
}

/// The plan without its hints, and these.
pub(super) fn take(plan: LogicalPlan) -> Result<(LogicalPlan, Vec<SkewHint>)> {
    let mut hints = Vec::new();
    let bare = plan.transform_down(|node| {
        let hinted = match &node {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<Hinted>(),
            _ => None,
        };
        Ok(match hinted {
            Some(hinted) => {
                hints.extend_from_slice(&hinted.hints);
                Transformed::yes(hinted.input.clone())
            }
            None => Transformed::no(node),
        })
    })?;
    Ok((bare.data, hints))
}

/// A query with its hints, which passes its rows through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
struct Hinted {
    input: LogicalPlan,
    hints: Vec<SkewHint>,
}

impl UserDefinedLogicalNodeCore for Hinted {
    fn name(&self) -> &str {
        "Hinted"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let hints: Vec<String> = self.hints.iter().map(|hint| format!("{}.{}", hint.table, hint.column)).collect();
        write!(f, "Hinted: skew of {}", hints.join(", "))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> PlanResult<Self> {
        let input = if inputs.len() == 1 { inputs.swap_remove(0) } else { self.input.clone() };
        Ok(Self { input, hints: self.hints.clone() })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}
