//! Runs a job's script on plain DataFusion, which knows no `${variables}`.

use std::path::Path;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement};

/// The statements of a job below the examples' folder, its variables replaced.
pub(crate) fn statements(job: &str, variables: &[(&str, &str)]) -> Vec<Statement> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(job);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (name, value) in variables {
        let reference = format!("${{{name}}}");
        assert!(text.contains(&reference), "{job} does not use {reference}");
        text = text.replace(&reference, value);
    }
    assert!(!text.contains("${"), "{job} uses a variable that is not documented");
    DFParser::parse_sql(&text).unwrap().into()
}

/// Runs the statements in order, the windows and aggregates split into `partitions`.
pub(crate) async fn run(statements: Vec<Statement>, partitions: usize) -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(partitions));
    for statement in statements {
        let text = statement.to_string();
        let state = context.state();
        let outcome = async {
            let plan = state.statement_to_plan(statement).await?;
            context.execute_logical_plan(plan).await?.collect().await
        };
        outcome.await.unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
    context
}

/// The rows of a query.
pub(crate) async fn query(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// The first row of a query as integers.
pub(crate) async fn integers(context: &SessionContext, sql: &str) -> Vec<i64> {
    let batches = query(context, sql).await;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    let value = |column: &ArrayRef| {
        let column = arrow::compute::cast(column, &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().value(0)
    };
    batch.columns().iter().map(value).collect()
}
