//! Statements that write: the rows go to files on whichever machines run the plan, and one commit makes them visible.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::common::file_options::file_type::FileType;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::dml::{CopyTo, InsertOp};
use datafusion::logical_expr::{CreateMemoryTable, DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, WriteOp};
use futures::TryStreamExt;
use uuid::Uuid;

use super::engine::{EngineSession, count_batch, no_rows};
use super::prepared::count_schema;
use super::runner::Runner;
use crate::catalog::model::{FileEntry, TableEntry};
use crate::catalog::{CommitMode, IfExists, ManagedTarget};
use crate::error::{Error, ErrorCode, Result};
use crate::stream;
use crate::write::{self, Mode, Target, WriteNode, WriteSpec, WrittenFile, split_copy_options};

/// Extensions that make a `COPY` target one file.
const FILE_EXTENSIONS: &[&str] = &["parquet", "csv", "json", "ndjson", "arrow", "gz", "zst", "bz2", "xz", "tsv"];

/// Runs `COPY … TO`.
pub(crate) async fn copy(
    session: &Arc<EngineSession>,
    copy: CopyTo,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let options = split_copy_options(&copy.options)?;
    let keep = session.context().copied_config().options().execution.keep_partition_by_columns;
    let is_file = !copy.output_url.ends_with('/')
        && copy.partition_by.is_empty()
        && copy.output_url.rsplit(['/', '.']).next().is_some_and(|end| FILE_EXTENSIONS.contains(&end.to_lowercase().as_str()))
        && copy.output_url.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let single_file = options.single_file.unwrap_or(is_file);
    let target = Target::new(&copy.output_url, single_file, options.mode)?;
    let stores = session.profile().stores();
    target.check(&stores).await?;
    let spec = WriteSpec {
        format: format_name(copy.file_type.as_ref()),
        options: options.format,
        partition_by: copy.partition_by.clone(),
        keep_partition_columns: options.keep_partition_columns.unwrap_or(keep),
        staging: target.staging().to_string(),
        single_file,
    };
    check_partitions(&spec.partition_by, copy.input.schema().inner())?;
    to_target(session, WriteNode::plan(copy.input.as_ref().clone(), spec)?, target, runner).await
}

/// Runs `INSERT INTO` and `INSERT OVERWRITE`.
pub(crate) async fn insert(
    session: &Arc<EngineSession>,
    dml: DmlStatement,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let overwrite = match &dml.op {
        WriteOp::Insert(InsertOp::Append) => false,
        WriteOp::Insert(InsertOp::Overwrite) => true,
        other => {
            return Err(Error::new(ErrorCode::Unsupported, format!("{} is not supported", other.name()))
                .hint("INSERT OVERWRITE replaces a table's rows by those of a query"));
        }
    };
    if let Some(target) = session.catalog().managed_target(&dml.table_name)? {
        let mode = if overwrite { CommitMode::Overwrite } else { CommitMode::Append };
        let schema = dml.target.schema();
        return to_managed(session, dml.input.as_ref().clone(), target, schema, mode, runner).await;
    }
    let Some(TableEntry::External(table)) = session.catalog().entry(&dml.table_name)? else {
        return Err(Error::new(ErrorCode::Unsupported, format!("rows cannot be inserted into `{}`", dml.table_name))
            .hint("a view or a temporary table has no place to keep them; create a table first"));
    };
    let [location] = table.locations.as_slice() else {
        return Err(Error::new(ErrorCode::Unsupported, format!("`{}` has more than one location", dml.table_name))
            .hint("create a table over the one folder that new files go to"));
    };
    if !location.url.ends_with('/') {
        return Err(Error::new(ErrorCode::Unsupported, format!("`{}` is one file", dml.table_name))
            .hint("rows can be inserted into a table over a folder: end its LOCATION with a slash"));
    }
    let target = Target::new(&location.url, false, if overwrite { Mode::Overwrite } else { Mode::Append })?;
    let spec = WriteSpec {
        format: table.format.to_lowercase(),
        options: format_options(&table.options),
        partition_by: table.partition_columns.clone(),
        keep_partition_columns: false,
        staging: target.staging().to_string(),
        single_file: false,
    };
    to_target(session, WriteNode::plan(dml.input.as_ref().clone(), spec)?, target, runner).await
}

/// Runs `CREATE TABLE … AS` and `CREATE TABLE … (columns)`.
pub(crate) async fn create_table(
    session: &Arc<EngineSession>,
    create: CreateMemoryTable,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let if_exists = IfExists::from_flags(create.or_replace, create.if_not_exists);
    let Some(target) = session.catalog().begin_managed_table(&create.name, if_exists).await? else {
        return Ok(no_rows());
    };
    let schema: SchemaRef = Arc::clone(create.input.schema().inner());
    let input = create.input.as_ref().clone();
    to_managed(session, input, target, schema, CommitMode::Create(if_exists), runner).await
}

/// Writes and commits to files that anybody may read.
async fn to_target(
    session: &Arc<EngineSession>,
    plan: LogicalPlan,
    target: Target,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let stores = session.profile().stores();
    let report = match runner.run(session.context(), plan).await {
        Ok(report) => report,
        Err(error) => {
            write::abort(&stores, &target).await;
            return Err(error);
        }
    };
    let session = Arc::clone(session);
    Ok(stream::produce(Arc::new(count_schema()), move |mut sink| async move {
        let guard = StagingGuard { session: Arc::clone(&session), target: Some(target.clone()) };
        let files = collect_report(report).await?;
        let rows = write::total_rows(&files);
        write::commit(&stores, &target, files).await?;
        guard.keep();
        forget_listings(&session);
        sink.send(count_batch(rows)?).await;
        Ok(())
    }))
}

/// Writes and commits to a table whose files the catalog lists.
async fn to_managed(
    session: &Arc<EngineSession>,
    input: LogicalPlan,
    target: ManagedTarget,
    schema: SchemaRef,
    mode: CommitMode,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let folder = format!("write-{}", Uuid::now_v7().simple());
    let staging = format!("{}{folder}/", target.location);
    let spec = WriteSpec {
        format: "parquet".to_string(),
        options: BTreeMap::new(),
        partition_by: vec![],
        keep_partition_columns: true,
        staging: staging.clone(),
        single_file: false,
    };
    let plan = WriteNode::plan(unqualified(input)?, spec)?;
    // The write's own folder, so that a failure takes nothing of the table with it.
    let cleaning = Target::managed(&staging)?;
    let stores = session.profile().stores();
    let report = match runner.run(session.context(), plan).await {
        Ok(report) => report,
        Err(error) => {
            write::abort(&stores, &cleaning).await;
            return Err(error);
        }
    };
    let session = Arc::clone(session);
    Ok(stream::produce(Arc::new(count_schema()), move |mut sink| async move {
        let guard = StagingGuard { session: Arc::clone(&session), target: Some(cleaning) };
        let files = collect_report(report).await?;
        let rows = write::total_rows(&files);
        let entries = files
            .into_iter()
            .map(|file| FileEntry { path: format!("{folder}/{}/{}", file.attempt, file.path), bytes: file.bytes, rows: file.rows })
            .collect();
        session.catalog().commit_managed_table(&target, &schema, entries, mode).await?;
        guard.keep();
        forget_listings(&session);
        sink.send(count_batch(rows)?).await;
        Ok(())
    }))
}

async fn collect_report(report: SendableRecordBatchStream) -> Result<Vec<WrittenFile>> {
    let batches: Vec<_> = report.try_collect().await?;
    let mut files = Vec::new();
    for batch in &batches {
        files.extend(write::read_report(batch)?);
    }
    Ok(files)
}

/// Columns by their bare names: a table's file knows no other table.
fn unqualified(input: LogicalPlan) -> Result<LogicalPlan> {
    let schema = Arc::clone(input.schema());
    if schema.iter().all(|(qualifier, _)| qualifier.is_none()) {
        return Ok(input);
    }
    let columns = schema.iter().map(|(qualifier, field)| {
        Expr::Column(Column::new(qualifier.cloned(), field.name().clone())).alias(field.name().clone())
    });
    Ok(LogicalPlanBuilder::from(input).project(columns)?.build()?)
}

fn check_partitions(partition_by: &[String], schema: &SchemaRef) -> Result<()> {
    for name in partition_by {
        if schema.field_with_name(name).is_err() {
            let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::new(ErrorCode::ColumnNotFound, format!("column \"{name}\" not found"))
                .hint(format!("the query's columns: {}", columns.join(", "))));
        }
    }
    if !partition_by.is_empty() && partition_by.len() == schema.fields().len() {
        return Err(Error::new(ErrorCode::InvalidPlan, "every column is a partition column")
            .hint("leave at least one column for the files"));
    }
    Ok(())
}

/// The name of `COPY`'s format.
fn format_name(file_type: &dyn FileType) -> String {
    file_type.get_ext().trim_start_matches('.').to_lowercase()
}

/// A table's options as a writer takes them.
fn format_options(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    options
        .iter()
        .map(|(key, value)| {
            let key = if key.contains('.') { key.clone() } else { format!("format.{key}") };
            (key, value.clone())
        })
        .collect()
}

/// New files must show at once, so what was listed before is forgotten.
fn forget_listings(session: &EngineSession) {
    if let Some(cache) = session.profile().runtime_env().cache_manager.get_list_files_cache() {
        cache.clear();
    }
}

/// Deletes the staging folder of a write that is dropped or fails.
struct StagingGuard {
    session: Arc<EngineSession>,
    target: Option<Target>,
}

impl StagingGuard {
    fn keep(mut self) {
        self.target = None;
    }
}

impl Drop for StagingGuard {
    fn drop(&mut self) {
        let (Some(target), Ok(runtime)) = (self.target.take(), tokio::runtime::Handle::try_current()) else { return };
        let stores = self.session.profile().stores();
        runtime.spawn(async move { write::abort(&stores, &target).await });
    }
}
