//! A session that plans: the embedded session is one, and a driver holds one for each of its clients. The text is
//! parsed, resolved and planned here and nowhere else; a [`Runner`] then runs the plan in this process or on a cluster.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{DynamicFileCatalog, UrlTableFactory};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, Statement};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use datafusion_proto::logical_plan::AsLogicalPlan;
use datafusion_proto::protobuf::LogicalPlanNode;
use sluice_proto::remote_leaf;

use super::files::FileTables;
use super::prepared::{Prepared, ReadRequest};
use super::remote::replace_leaves;
use super::runner::Runner;
use super::{ddl, reads, settings, writes};
use crate::catalog::SessionCatalog;
use crate::codec::PlanCodec;
use crate::error::{Error, ErrorCode, Names, Place, Result};
use crate::profile::EngineProfile;
use crate::skew::hint;
use crate::sql::{hints, parse};
use crate::{ipc, stream};

/// A planning session over the catalog of its profile.
pub struct EngineSession {
    profile: Arc<EngineProfile>,
    catalog: Arc<SessionCatalog>,
    context: SessionContext,
}

impl EngineSession {
    /// Opens the catalog that the settings name.
    pub async fn open(profile: Arc<EngineProfile>) -> Result<Self> {
        let catalog = Arc::new(open_catalog(&profile).await?);
        Ok(Self::over(profile, catalog))
    }

    /// Another session over the same catalog, with its own settings, temporary tables and prepared statements.
    pub fn fork(&self, settings: &[(String, String)]) -> Result<Self> {
        let session = Self::over(Arc::clone(&self.profile), Arc::new(self.catalog.fork()));
        for (key, value) in settings {
            settings::set(&session, key, value)?;
        }
        Ok(session)
    }

    fn over(profile: Arc<EngineProfile>, catalog: Arc<SessionCatalog>) -> Self {
        // A name that is no table may be a file: FROM 'rows.parquet'.
        let files = Arc::new(FileTables::default());
        let catalogs = DynamicFileCatalog::new(catalog.catalogs(), Arc::clone(&files) as Arc<dyn UrlTableFactory>);
        let state = profile.session_state(Arc::new(catalogs), profile.session_config());
        let context = SessionContext::new_with_state(state);
        files.bind(context.state_weak_ref());
        catalog.bind(context.state_weak_ref());
        Self { profile, catalog, context }
    }

    /// DataFusion's context of the session.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// What the session was built from.
    pub fn profile(&self) -> &Arc<EngineProfile> {
        &self.profile
    }

    /// The tables and views that the session sees.
    pub fn catalog(&self) -> &Arc<SessionCatalog> {
        &self.catalog
    }

    /// Parses, resolves and plans one statement. Nothing runs and nothing changes.
    pub async fn prepare(&self, sql: &str) -> Result<Prepared> {
        self.catalog.refresh().await?;
        let planned = self.plan(sql).await;
        planned.map_err(|error| self.explain_error(error, sql))
    }

    async fn plan(&self, sql: &str) -> Result<Prepared> {
        let state = self.context.state();
        let plan = state.statement_to_plan(parse(&state, sql)?).await?;
        // A prepared statement stands for the plan that it was made of.
        let plan = match plan {
            LogicalPlan::Statement(execute @ Statement::Execute(_)) => {
                let frame = self.context.execute_logical_plan(LogicalPlan::Statement(execute)).await?;
                frame.into_unoptimized_plan()
            }
            other => other,
        };
        let prepared = Prepared::of(hint::attach(plan, &hints::find(sql)?)?);
        if let Prepared::Session(statement) = &prepared {
            settings::check(statement)?;
        }
        if let Prepared::Query(LogicalPlan::Analyze(analyze)) = &prepared
            && matches!(*analyze.input, LogicalPlan::Copy(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_))
        {
            return Err(Error::new(ErrorCode::Unsupported, "EXPLAIN ANALYZE does not write")
                .hint("analyze the query alone, or EXPLAIN the statement"));
        }
        Ok(prepared)
    }

    /// Plans the reading of files, as `Session::read_parquet` and its kin do.
    pub async fn prepare_read(&self, read: ReadRequest) -> Result<Prepared> {
        if read.register_as.is_some() {
            return Ok(Prepared::Register(read));
        }
        let table = reads::provider(&self.context, &read).await?;
        Ok(Prepared::Query(self.context.read_table(table)?.into_unoptimized_plan()))
    }

    /// Takes a client's plan and puts the real thing in the place of each of its leaves.
    pub async fn prepare_plan(&self, bytes: &[u8]) -> Result<Prepared> {
        self.catalog.refresh().await?;
        let node = LogicalPlanNode::try_decode(bytes)?;
        let plan = node.try_into_logical_plan(&self.context.task_ctx(), &PlanCodec)?;
        let plan = replace_leaves(plan, |source| async move {
            let prepared = match source {
                remote_leaf::Source::Sql(sql) => self.prepare(&sql).await?,
                remote_leaf::Source::Read(read) => self.prepare_read(ReadRequest::from(read)).await?,
                remote_leaf::Source::Rows(rows) => {
                    let (schema, batches) = ipc::decode_stream(&rows)?;
                    let table = MemTable::try_new(schema, vec![batches])?;
                    Prepared::Query(self.context.read_table(Arc::new(table))?.into_unoptimized_plan())
                }
            };
            match prepared {
                Prepared::Query(plan) => Ok(plan),
                _ => Err(Error::new(ErrorCode::InvalidPlan, "a DataFrame can only be built on a query")),
            }
        })
        .await?;
        Ok(Prepared::of(plan))
    }

    /// Runs what was prepared. A query runs as its rows are read; everything else has happened on return, except that
    /// the rows of a write are counted through the runner's stream.
    pub async fn start(self: Arc<Self>, prepared: Prepared, runner: &dyn Runner) -> Result<SendableRecordBatchStream> {
        match prepared {
            Prepared::Query(plan) => {
                let rows = runner.run(&self.context, plan).await?;
                Ok(stream::with_own_errors(rows, Error::from))
            }
            Prepared::Copy(copy) => writes::copy(&self, copy, runner).await,
            Prepared::Insert(dml) => writes::insert(&self, dml, runner).await,
            Prepared::CreateTableAs(create) => writes::create_table(&self, *create, runner).await,
            Prepared::Ddl(ddl) => {
                ddl::run(&self, *ddl).await?;
                Ok(no_rows())
            }
            Prepared::Session(statement) => {
                settings::run(&self, *statement).await?;
                Ok(no_rows())
            }
            Prepared::Register(read) => {
                let table = reads::provider(&self.context, &read).await?;
                self.register(read.register_as.as_deref().unwrap_or_default(), table)?;
                Ok(no_rows())
            }
        }
    }

    /// Keeps rows under a name, for as long as the session lives.
    pub async fn register_batches(&self, name: &str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<()> {
        self.register(name, Arc::new(MemTable::try_new(schema, vec![batches])?))
    }

    fn register(&self, name: &str, table: Arc<dyn datafusion::catalog::TableProvider>) -> Result<()> {
        self.context.register_table(TableReference::parse_str(name), table)?;
        Ok(())
    }

    /// Forgets a temporary table; says whether there was one.
    pub async fn deregister_table(&self, name: &str) -> Result<bool> {
        Ok(self.context.deregister_table(TableReference::parse_str(name))?.is_some())
    }

    /// Parses, resolves and plans a script against a copy of the catalog. Reads no data and changes nothing.
    pub async fn check_script(&self, text: &str) -> Result<()> {
        super::check::script(self, text).await
    }

    /// A session whose catalog is a copy that nobody else sees and that is never written back.
    pub(crate) fn scratch(&self) -> Self {
        let session = Self::over(Arc::clone(&self.profile), Arc::new(self.catalog.scratch()));
        *session.context.state_ref().write().config_mut() = self.context.copied_config();
        session
    }

    /// An error with its place in the text and the names that were meant.
    pub(crate) fn explain_error(&self, error: Error, sql: &str) -> Error {
        error.in_statement(sql, &self.names())
    }

    /// The names that a statement can refer to.
    pub(crate) fn names(&self) -> Names {
        Names {
            tables: self.catalog.table_names(),
            functions: self.profile.functions().names().into_iter().collect(),
            settings: crate::config::known_keys(),
        }
    }
}

async fn open_catalog(profile: &EngineProfile) -> Result<SessionCatalog> {
    let config = profile.sluice_config();
    SessionCatalog::open_at(profile.stores(), &config.catalog_path(), &config.warehouse_path()).await
}

/// An empty result without columns.
pub(crate) fn no_rows() -> SendableRecordBatchStream {
    let schema: SchemaRef = Arc::new(Schema::empty());
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::empty()))
}

/// The result of a write: how many rows it wrote.
pub(crate) fn count_batch(count: u64) -> Result<RecordBatch> {
    let column = Arc::new(datafusion::arrow::array::UInt64Array::from(vec![count]));
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(super::prepared::count_schema()), vec![column], &options);
    Ok(batch.map_err(datafusion::error::DataFusionError::from)?)
}

/// A plan over rows that are already there.
pub(crate) fn rows_plan(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<LogicalPlan> {
    if schema.fields().is_empty() {
        return Ok(LogicalPlanBuilder::empty(false).build()?);
    }
    let table = MemTable::try_new(schema, vec![batches])?;
    let source = datafusion::datasource::provider_as_source(Arc::new(table));
    Ok(LogicalPlanBuilder::scan("result", source, None)?.build()?)
}

/// A place that covers a whole statement's first word, where nothing better is known.
pub(crate) fn first_word(sql: &str) -> Place {
    let length = sql.split_whitespace().next().map_or(1, |word| word.chars().count().max(1));
    Place { line: 1, column: 1, length }
}
