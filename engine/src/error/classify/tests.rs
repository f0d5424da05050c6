//! Errors that DataFusion, Arrow, Parquet and the file system really make, as users see them.

use std::io;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionConfig, SessionContext};

use super::Names;
use crate::error::{Error, ErrorCode, Place};

const ORDERS: &str = "CREATE TABLE orders AS SELECT * FROM (VALUES (1, 10, 2.5, 'a'), (2, 20, 3.5, 'b')) \
                      AS v (order_id, customer_id, price, note)";

async fn session() -> SessionContext {
    let config = SessionConfig::new().set_bool("datafusion.sql_parser.collect_spans", true);
    let context = SessionContext::new_with_config(config);
    context.sql(ORDERS).await.unwrap();
    context
}

fn names() -> Names {
    Names {
        tables: vec!["orders".into(), "customers".into()],
        functions: ["sum", "substr", "abs", "sluice_bucket"].map(String::from).to_vec(),
        settings: vec!["sluice.memory.limit".into(), "datafusion.execution.batch_size".into()],
    }
}

/// The error of a statement that fails in planning or running.
async fn failure(context: &SessionContext, sql: &str) -> Error {
    let result = match context.sql(sql).await {
        Ok(frame) => frame.collect().await.map(drop),
        Err(error) => Err(error),
    };
    Error::from_datafusion(result.unwrap_err(), Some(sql), &names())
}

fn place(line: usize, column: usize, length: usize) -> Option<Place> {
    Some(Place { line, column, length })
}

/// No message shows Rust, several lines or another library's prefixes.
fn assert_clean(error: &Error) {
    let message = error.message();
    for wrong in
        ["\n", "DataFusionError", "ArrowError", "Some(", "Error during planning", "External error", "backtrace"]
    {
        assert!(!message.contains(wrong), "{message}");
    }
    assert!(!message.ends_with('.'), "{message}");
}

#[tokio::test]
async fn unknown_column_is_shown_where_it_stands() {
    let sql = "SELECT\n  custmer_id, sum(price)\nFROM orders GROUP BY 1";
    let error = failure(&session().await, sql).await;
    let expected = "\
error[S0102]: column \"custmer_id\" not found
  --> job.sql:2:3
   |    custmer_id, sum(price)
   |    ^^^^^^^^^^ did you mean \"customer_id\"?
   = hint: columns of `orders`: order_id, customer_id, price, note";
    assert_eq!(error.render(Some("job.sql"), sql, 1), expected);
}

#[tokio::test]
async fn qualified_column_of_a_join_is_found_in_its_table() {
    let sql = "SELECT a.order_id FROM orders a JOIN orders b ON a.order_id = b.ordr_id";
    let error = failure(&session().await, sql).await;
    assert_eq!(error.code(), ErrorCode::ColumnNotFound);
    assert_eq!(error.message(), "column \"b.ordr_id\" not found");
    assert_eq!(error.place(), place(1, 63, 9).as_ref());
    assert_eq!(error.label_text(), Some("did you mean \"order_id\"?"));
}

#[tokio::test]
async fn unknown_table_is_named_as_written() {
    let error = failure(&session().await, "SELECT * FROM ordres").await;
    assert_eq!(error.code(), ErrorCode::TableNotFound);
    assert_eq!(error.message(), "table \"ordres\" not found");
    assert_eq!(error.place(), place(1, 15, 6).as_ref());
    assert_eq!(error.label_text(), Some("did you mean \"orders\"?"));
    let error = failure(&session().await, "SELECT * FROM 'data/x.parquet'").await;
    assert_eq!((error.code(), error.message()), (ErrorCode::FileNotFound, "no file or folder at \"data/x.parquet\""));
    assert_eq!(error.place(), place(1, 15, 16).as_ref());
    let error = failure(&session().await, "DROP TABLE nothing").await;
    assert_eq!(error.code(), ErrorCode::TableNotFound);
    assert_eq!(error.place(), place(1, 12, 7).as_ref());
}

#[tokio::test]
async fn unknown_function_leads_to_the_engines_own_as_well() {
    let error = failure(&session().await, "SELECT 'x', sluice_buckt(note) FROM orders").await;
    assert_eq!(error.code(), ErrorCode::FunctionNotFound);
    assert_eq!(error.message(), "function \"sluice_buckt\" not found");
    assert_eq!(error.place(), place(1, 13, 12).as_ref());
    assert_eq!(error.label_text(), Some("did you mean \"sluice_bucket\"?"));
    assert_clean(&error);
    let error = failure(&session().await, "SELECT nope(1)").await;
    assert_eq!((error.code(), error.label_text()), (ErrorCode::FunctionNotFound, None));
}

#[tokio::test]
async fn syntax_errors_point_at_the_word() {
    let context = session().await;
    let error = failure(&context, "SELECT *\nFORM orders").await;
    assert_eq!(error.code(), ErrorCode::Syntax);
    assert_eq!(error.place().map(|place| place.line), Some(2));
    assert_clean(&error);
    let error = failure(&context, "SELECT order_id FROM orders WHERE").await;
    assert_eq!(error.code(), ErrorCode::Syntax);
    assert_eq!(error.message(), "expected an expression, found the end of the statement");
    assert_eq!(error.place(), place(1, 34, 1).as_ref());
    let error = failure(&context, "SELECT 'open").await;
    assert_eq!((error.code(), error.message()), (ErrorCode::Syntax, "unterminated string literal"));
    assert_eq!(error.place(), place(1, 8, 1).as_ref());
}

#[tokio::test]
async fn types_that_do_not_fit_are_said_so() {
    let context = session().await;
    for sql in [
        "SELECT abs(true) FROM orders",
        "SELECT sum(note) FROM orders",
        "SELECT order_id + INTERVAL '1 day' FROM orders",
        "SELECT NOT order_id FROM orders",
        "SELECT * FROM orders WHERE price",
        "SELECT order_id + note FROM orders",
    ] {
        let error = failure(&context, sql).await;
        assert_eq!(error.code(), ErrorCode::TypeMismatch, "{sql}: {error}");
        assert_clean(&error);
    }
}

#[tokio::test]
async fn plans_without_sense_are_invalid() {
    let context = session().await;
    let error = failure(&context, "SELECT note, sum(price) FROM orders").await;
    assert_eq!(error.code(), ErrorCode::InvalidPlan);
    assert_eq!(error.place(), place(1, 8, 4).as_ref());
    assert_eq!(error.message(), "column \"orders.note\" must be in GROUP BY or inside an aggregate function");
    let error = failure(&context, "SELECT * FROM (SELECT 1 AS a, 2 AS a)").await;
    assert_eq!((error.code(), error.message()), (ErrorCode::InvalidPlan, "there are two columns \"a\""));
    let error = failure(&context, "SELECT order_id FROM orders a, orders b").await;
    assert_eq!((error.code(), error.place()), (ErrorCode::InvalidPlan, place(1, 8, 8).as_ref()));
    assert_eq!(error.message(), "column \"order_id\" is in more than one table");
    assert_eq!(error.hint_text(), Some("it could be a.order_id or b.order_id"));
    let error = failure(&context, "CREATE TABLE orders AS SELECT 1").await;
    assert_eq!((error.code(), error.place()), (ErrorCode::AlreadyExists, place(1, 14, 6).as_ref()));
    assert_eq!(error.message(), "table \"orders\" exists already");
}

#[tokio::test]
async fn values_that_cannot_be_computed_are_evaluation_errors() {
    let context = session().await;
    for (sql, message) in [
        ("SELECT order_id / 0 FROM orders", "division by zero"),
        ("SELECT CAST(note AS INT) FROM orders", "cannot cast string 'a' to value of Int32 type"),
    ] {
        let error = failure(&context, sql).await;
        assert_eq!((error.code(), error.message()), (ErrorCode::Evaluation, message));
    }
    for sql in ["SELECT -(-9223372036854775807 - 1)", "SELECT to_timestamp(note) FROM orders"] {
        let error = failure(&context, sql).await;
        assert_eq!(error.code(), ErrorCode::Evaluation, "{error}");
        assert_clean(&error);
    }
    let error = failure(&context, "SELECT regexp_like(note, '(') FROM orders").await;
    assert_eq!(
        (error.code(), error.message()),
        (ErrorCode::Evaluation, "the regular expression is wrong: unclosed group")
    );
}

#[tokio::test]
async fn settings_are_told_from_values() {
    let context = session().await;
    let error = failure(&context, "SET datafusion.execution.batch_siz = 1").await;
    assert_eq!(error.code(), ErrorCode::SettingNotFound, "{error}");
    let error = failure(&context, "SET datafusion.execution.batch_size = 'x'").await;
    assert_eq!(error.code(), ErrorCode::SettingInvalid, "{error}");
    assert_eq!(error.place(), place(1, 5, 31).as_ref());
}

#[tokio::test]
async fn missing_and_damaged_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let context = session().await;
    let missing = folder.path().join("missing.parquet");
    let sql = format!("CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '{}'", missing.display());
    let error = failure(&context, &sql).await;
    assert_eq!(error.code(), ErrorCode::FileNotFound, "{error}");
    assert!(error.message().contains("missing.parquet"), "{error}");

    let damaged = folder.path().join("damaged.parquet");
    std::fs::write(&damaged, b"this is no parquet file at all").unwrap();
    let result = context.read_parquet(damaged.display().to_string(), ParquetReadOptions::default()).await;
    let error = Error::from(result.unwrap_err());
    assert_eq!(error.code(), ErrorCode::CorruptFile, "{error}");
    assert_clean(&error);

    let table = folder.path().join("numbers.csv");
    std::fs::write(&table, "a\n1\n2\nx\n").unwrap();
    let options = CsvReadOptions::new().schema_infer_max_records(2);
    let frame = context.read_csv(table.display().to_string(), options).await.unwrap();
    let error = Error::from(frame.collect().await.unwrap_err());
    assert_eq!(error.code(), ErrorCode::CorruptFile, "{error}");
    assert_clean(&error);
}

#[tokio::test]
async fn memory_that_runs_out_names_the_setting() {
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(1000, 1.0).build_arc().unwrap();
    let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime);
    let error = failure(&context, "SELECT value, count(*) FROM generate_series(1, 100000) GROUP BY value").await;
    assert_eq!(error.code(), ErrorCode::MemoryExhausted, "{error}");
    assert!(error.hint_text().unwrap().contains("sluice.memory.limit"));
    assert!(error.message().starts_with("failed to allocate additional "), "{error}");
    assert_clean(&error);
}

#[tokio::test]
async fn what_nobody_implements_is_unsupported() {
    let error = failure(&session().await, "SELECT * FROM orders MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)").await;
    assert!(matches!(error.code(), ErrorCode::Unsupported | ErrorCode::Syntax), "{error}");
    let error = Error::from(DataFusionError::NotImplemented("Grouping by lists.".into()));
    assert_eq!((error.code(), error.message()), (ErrorCode::Unsupported, "grouping by lists"));
}

#[test]
fn own_errors_cross_every_wrapper_unchanged() {
    let own = || Error::new(ErrorCode::Conflict, "the table changed").hint("run it again");
    let by_arrow = ArrowError::ExternalError(Box::new(own()));
    let by_io = DataFusionError::IoError(io::Error::other(own()));
    for error in [
        DataFusionError::from(own()),
        DataFusionError::from(own()).context("writing"),
        DataFusionError::Shared(Arc::new(DataFusionError::from(own()))),
        DataFusionError::from(by_arrow),
        by_io,
        DataFusionError::Collection(vec![DataFusionError::from(own())]),
    ] {
        let error = Error::from(error);
        assert_eq!(error.code(), ErrorCode::Conflict);
        assert_eq!((error.message(), error.hint_text()), ("the table changed", Some("run it again")));
    }
}

#[test]
fn system_errors_are_found_at_any_depth() {
    let generic = |error: io::Error| object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) };
    let full = generic(io::Error::from_raw_os_error(28));
    assert_eq!(Error::from(DataFusionError::from(full).context("spill")).code(), ErrorCode::DiskFull);
    let denied = generic(io::Error::from(io::ErrorKind::PermissionDenied));
    assert_eq!(Error::from(DataFusionError::from(denied)).code(), ErrorCode::AccessDenied);
    let text = "Server returned non-2xx status code: 403 Forbidden: <Code>AccessDenied</Code>";
    let remote = object_store::Error::Generic { store: "S3", source: text.into() };
    assert_eq!(Error::from(DataFusionError::from(remote)).code(), ErrorCode::AccessDenied);
    let gone = object_store::Error::Generic { store: "S3", source: "error sending request for url".into() };
    assert_eq!(Error::from(DataFusionError::from(gone)).code(), ErrorCode::Storage);
}

#[test]
fn failures_of_tasks_are_read_from_their_text() {
    let task = |debug: &str| {
        Error::from_task_text(&format!(
            "Job failed due to stage 1 failed: Task failed due to runtime execution error: DataFusionError({debug})\n"
        ))
    };
    for (debug, code, message) in [
        ("ArrowError(DivideByZero, Some(\"\"))", ErrorCode::Evaluation, "division by zero"),
        (
            "ArrowError(CastError(\"Cannot cast string 'a' to value of Int32 type\"), Some(\"\"))",
            ErrorCode::Evaluation,
            "cannot cast string 'a' to value of Int32 type",
        ),
        (
            "Context(\"spill\", ArrowError(ExternalError(IoError(Os { code: 28, kind: StorageFull, message: \"No space \
             left on device\" })), None))",
            ErrorCode::DiskFull,
            "no space is left on the disk",
        ),
        (
            "ObjectStore(NotFound { path: \"/data/x.parquet\", source: Os { code: 2, kind: NotFound, message: \"No such \
             file\" } })",
            ErrorCode::FileNotFound,
            "no file or folder at \"/data/x.parquet\"",
        ),
        (
            "ParquetError(General(\"Invalid Parquet file. Corrupt footer\"))",
            ErrorCode::CorruptFile,
            "a file is damaged or not of its format: invalid Parquet file. Corrupt footer",
        ),
        (
            "Shared(ResourcesExhausted(\"Failed to allocate additional 10.0 MB for HashJoinInput[3]\"))",
            ErrorCode::MemoryExhausted,
            "failed to allocate additional 10.0 MB for HashJoinInput[3]",
        ),
        (
            "FetchFailed(\"executor-1\", 2, 0, \"connection reset\")",
            ErrorCode::ExecutorLost,
            "an executor was lost while it ran a part of the job",
        ),
        ("Execution(\"a \\\"quoted\\\" thing failed.\")", ErrorCode::Evaluation, "a \"quoted\" thing failed"),
        ("Internal(\"partition 3 is not there\")", ErrorCode::Internal, "partition 3 is not there"),
    ] {
        let error = task(debug);
        assert_eq!((error.code(), error.message()), (code, message), "{debug}");
        assert_clean(&error);
    }
}

#[test]
fn own_errors_of_tasks_are_read_back() {
    let own = Error::new(ErrorCode::TargetExists, "\"/out\" (a folder) holds data").hint("use INSERT OVERWRITE (once)");
    let debug = format!("{:?}", DataFusionError::from(own.clone()).context("commit"));
    let error = Error::from_task_text(&format!("Task failed due to runtime execution error: DataFusionError({debug})"));
    assert_eq!(error.code(), own.code());
    assert_eq!((error.message(), error.hint_text()), (own.message(), own.hint_text()));
    let inside = format!("{:?}", DataFusionError::Execution(own.to_string()));
    let error = Error::from_task_text(&format!("DataFusionError({inside})"));
    assert_eq!((error.message(), error.hint_text()), (own.message(), own.hint_text()));
}

#[test]
fn displayed_text_is_read_as_well() {
    for (text, code) in [
        ("Arrow error: Divide by zero error", ErrorCode::Evaluation),
        (
            "External error: Arrow error: Cast error: Cannot cast string 'a' to value of Int64 type",
            ErrorCode::Evaluation,
        ),
        ("Resources exhausted: Failed to allocate additional 1 B for sort", ErrorCode::MemoryExhausted),
        ("Internal error: Left side produced no data to spill", ErrorCode::MemoryExhausted),
        (
            "Execution error: Generic HTTP error: Error performing GET http://h/f in 4ms, after 3 retries, max_retries: 3, \
             retry_timeout: 180s  - Server returned non-2xx status code: 503 Service Unavailable: ",
            ErrorCode::Throttled,
        ),
        ("Error during planning: table 'a.b.c' not found", ErrorCode::TableNotFound),
        ("Schema error: No field named x. Valid fields are t.a, t.b.", ErrorCode::ColumnNotFound),
        ("This feature is not implemented: x", ErrorCode::Unsupported),
        ("Object at location /x not found: y", ErrorCode::FileNotFound),
        ("Task cancelled", ErrorCode::Cancelled),
        ("something else", ErrorCode::Evaluation),
        ("task 12 panicked with message \"x\"", ErrorCode::Internal),
    ] {
        assert_eq!(Error::from_task_text(text).code(), code, "{text}");
    }
}
