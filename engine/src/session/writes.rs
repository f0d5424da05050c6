//! Statements that write: the rows go to files on whichever machines run the plan, and one commit makes them visible.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::dml::{CopyTo, InsertOp};
use datafusion::logical_expr::{
    CreateMemoryTable, DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, TableSource, WriteOp,
};
use uuid::Uuid;

use super::engine::{EngineSession, count_batch, no_rows};
use super::prepared::count_schema;
use super::runner::Runner;
use crate::catalog::model::{FileEntry, TableEntry};
use crate::catalog::{CommitMode, IfExists, ManagedTarget};
use crate::error::{Error, ErrorCode, Result};
use crate::stream;
use crate::write::{self, Mode, StagingGuard, Target, WriteFormat, WriteNode, WriteSpec, WriterOptions, WrittenFile};

/// Runs `COPY … TO`.
pub(crate) async fn copy(
    session: &Arc<EngineSession>,
    copy: CopyTo,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    let (plan, target) = write::plan_copy(&copy, &session.context().state())?;
    target.check(&session.profile().stores()).await?;
    to_target(session, plan, target, runner).await
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
    target.check(&session.profile().stores()).await?;
    let state = session.context().state();
    let format = WriteFormat::from_name(&table.format).ok_or_else(|| {
        Error::new(
            ErrorCode::Unsupported,
            format!("`{}` is stored as {}, which Sluice does not write", dml.table_name, table.format),
        )
    })?;
    let mut spec = WriteSpec {
        partition_by: table.partition_columns.clone(),
        required_columns: required_columns(&dml.target.schema()),
        ..WriteSpec::new(WriterOptions::resolve(format, &table.options, &state)?, target.staging())
    };
    // The table reads only files whose names end so.
    if !format!(".{}", spec.extension).ends_with(&table.file_extension) {
        spec.extension = table.file_extension.trim_start_matches('.').to_string();
    }
    if !location.reads_new_files(&spec.extension) {
        return Err(Error::new(ErrorCode::Unsupported, format!("`{}` reads files by a pattern", dml.table_name))
            .hint("new files might not match it; create a table over the whole folder"));
    }
    let input = in_declared_order(dml.input.as_ref().clone(), &dml.target)?;
    to_target(session, WriteNode::plan(input, spec)?, target, runner).await
}

/// The rows in the order that the table's `WITH ORDER` promises of every file: readers rely on it.
fn in_declared_order(input: LogicalPlan, table: &Arc<dyn TableSource>) -> Result<LogicalPlan> {
    let provider = source_as_provider(table)?;
    let Some(keys) = provider.downcast_ref::<ListingTable>().and_then(|it| it.options().file_sort_order.first()) else {
        return Ok(input);
    };
    Ok(LogicalPlanBuilder::from(input).sort(keys.clone())?.build()?)
}

fn required_columns(schema: &SchemaRef) -> Vec<String> {
    schema.fields().iter().filter(|field| !field.is_nullable()).map(|field| field.name().clone()).collect()
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
    let report = run_write(session, plan, &target, runner).await?;
    let session = Arc::clone(session);
    Ok(stream::produce(Arc::new(count_schema()), move |mut sink| async move {
        let stores = session.profile().stores();
        let files = write::collect_report(&stores, &target, report).await?;
        let rows = write::total_rows(&files);
        write::commit(&stores, &target, files).await?;
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
    let writer = WriterOptions::resolve(WriteFormat::Parquet, &BTreeMap::new(), &session.context().state())?;
    let plan = WriteNode::plan(unqualified(input)?, WriteSpec::new(writer, &staging))?;
    // The write's own folder, so that a failure takes nothing of the table with it.
    let own_folder = Target::managed(&staging)?;
    let report = run_write(session, plan, &own_folder, runner).await?;
    let session = Arc::clone(session);
    Ok(stream::produce(Arc::new(count_schema()), move |mut sink| async move {
        // The catalog knows the columns of a table without files.
        let files =
            write::without_empty(write::collect_report(&session.profile().stores(), &own_folder, report).await?, false);
        let guard = StagingGuard::new(&session.profile().stores(), &own_folder);
        let rows = write::total_rows(&files);
        let entry = |file: &WrittenFile| FileEntry {
            path: format!("{folder}/{}/{}", file.attempt, file.path),
            bytes: file.bytes,
            rows: file.rows,
        };
        let entries = files.iter().map(entry).collect();
        let committed = session.catalog().commit_managed_table(&target, &schema, entries, mode).await;
        guard.keep();
        let stores = session.profile().stores();
        if let Err(error) = committed {
            write::abort(&stores, &own_folder).await;
            return Err(error);
        }
        write::sweep(&stores, &own_folder, &files).await;
        forget_listings(&session);
        sink.send(count_batch(rows)?).await;
        Ok(())
    }))
}

async fn run_write(
    session: &Arc<EngineSession>,
    plan: LogicalPlan,
    target: &Target,
    runner: &dyn Runner,
) -> Result<SendableRecordBatchStream> {
    match runner.run(session.context(), plan).await {
        Ok(report) => Ok(report),
        Err(error) => {
            write::abort(&session.profile().stores(), target).await;
            Err(error)
        }
    }
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

/// New files must show at once, so what was listed before is forgotten.
fn forget_listings(session: &EngineSession) {
    if let Some(cache) = session.profile().runtime_env().cache_manager.get_list_files_cache() {
        cache.clear();
    }
}
