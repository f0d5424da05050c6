//! A session over a catalog in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice::catalog::SessionCatalog;
use sluice::storage::{StorageOptions, StoreRegistry};
use sluice::{Error, Result};

/// A session: DDL goes to the catalog, everything else to DataFusion.
pub(super) struct Fixture {
    pub(super) context: SessionContext,
    pub(super) catalog: SessionCatalog,
}

impl Fixture {
    /// Opens the catalog below `folder`, as a new process would.
    pub(super) async fn open(folder: &Path) -> Self {
        let folder = folder.to_str().unwrap();
        let stores = Arc::new(StoreRegistry::new(StorageOptions::default()));
        let catalog = format!("{folder}/catalog");
        let opened = SessionCatalog::open_at(Arc::clone(&stores), &catalog, &format!("{folder}/warehouse")).await;
        Self::over(opened.unwrap(), stores)
    }

    /// A session over a catalog that is open.
    pub(super) fn over(catalog: SessionCatalog, stores: Arc<StoreRegistry>) -> Self {
        let runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores).build_arc().unwrap();
        let config = SessionConfig::new().with_information_schema(true).with_create_default_catalog_and_schema(false);
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_catalog_list(catalog.catalogs())
            .build();
        let context = SessionContext::new_with_state(state);
        catalog.bind(context.state_weak_ref());
        Self { context, catalog }
    }

    /// Runs a statement and gives its rows as a table of text.
    pub(super) async fn run(&self, sql: &str) -> Result<String> {
        self.catalog.refresh().await?;
        let plan = self.context.state().create_logical_plan(sql).await?;
        if let LogicalPlan::Ddl(statement) = &plan {
            self.catalog.run_ddl(statement).await?;
            return Ok(String::new());
        }
        let rows = self.context.execute_logical_plan(plan).await?.collect().await?;
        Ok(pretty_format_batches(&rows).unwrap().to_string())
    }

    /// As [`Self::run`], for statements that have to work.
    pub(super) async fn ok(&self, sql: &str) -> String {
        self.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// As [`Self::run`], for statements that have to fail.
    pub(super) async fn error(&self, sql: &str) -> Error {
        match self.run(sql).await {
            Ok(rows) => panic!("{sql} worked:\n{rows}"),
            Err(error) => error,
        }
    }
}

/// The values of the one column of a result, each in its line.
pub(super) fn values(table: &str) -> Vec<String> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    rows.map(|line| line.trim_matches('|').trim().to_string()).collect()
}

/// Names of the files below a folder, sorted.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    found.sort();
    found
}
