//! The catalog as DataFusion sees it: the persistent tables of a [`CatalogStore`] behind a session's temporary ones.

use std::fmt;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableType;
use parking_lot::RwLock;
use url::Url;

use super::model::TableEntry;
use super::temporary::TemporaryTables;
use super::{CATALOG_NAME, CatalogStore, DEFAULT_SCHEMA, tables, views};
use crate::error::{Error, ErrorCode, Result, nearest};
use crate::storage::{StoreRegistry, absolute_url};

/// The tables and views that one session sees. Clones share everything.
#[derive(Debug, Clone)]
pub struct SessionCatalog {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<CatalogStore>,
    pub(super) stores: Arc<StoreRegistry>,
    /// Folder of the managed tables' folders, ends with `/`.
    pub(super) warehouse: Url,
    pub(super) temporary: TemporaryTables,
    /// A copy for checking scripts: no file of a table may be deleted through it.
    pub(super) scratch: bool,
    /// Opening a table needs the session, which owns this catalog: hence weak, and set after both exist.
    state: RwLock<Weak<RwLock<SessionState>>>,
}

/// A table's name, resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableName {
    pub(super) schema: String,
    pub(super) table: String,
}

impl TableName {
    /// The name under which DataFusion's caches know the table, the same in every session.
    pub(super) fn reference(&self) -> TableReference {
        TableReference::full(CATALOG_NAME, self.schema.as_str(), self.table.as_str())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schema.as_str() {
            DEFAULT_SCHEMA => f.write_str(&self.table),
            schema => write!(f, "{schema}.{}", self.table),
        }
    }
}

impl SessionCatalog {
    /// A session's view of `store`. Managed tables get their folders below `warehouse`.
    pub fn new(store: Arc<CatalogStore>, stores: Arc<StoreRegistry>, warehouse: Url) -> Self {
        Self::build(store, stores, warehouse, TemporaryTables::default(), false)
    }

    /// Opens the catalog in the folder `catalog`, with managed tables below the folder `warehouse`: paths or URLs.
    ///
    /// # Errors
    /// The errors of [`absolute_url`] and of [`CatalogStore::open`].
    pub async fn open_at(stores: Arc<StoreRegistry>, catalog: &str, warehouse: &str) -> Result<Self> {
        let store = CatalogStore::open(&stores, &absolute_url(catalog)?).await?;
        let warehouse = absolute_url(&format!("{}/", warehouse.trim_end_matches('/')))?;
        Ok(Self::new(store, stores, warehouse))
    }

    fn build(
        store: Arc<CatalogStore>,
        stores: Arc<StoreRegistry>,
        warehouse: Url,
        temporary: TemporaryTables,
        scratch: bool,
    ) -> Self {
        let state = RwLock::new(Weak::new());
        Self { inner: Arc::new(Inner { store, stores, warehouse, temporary, scratch, state }) }
    }

    /// Another session's view of the same persistent tables, without temporary ones.
    pub fn fork(&self) -> Self {
        Self::new(Arc::clone(&self.inner.store), Arc::clone(&self.inner.stores), self.inner.warehouse.clone())
    }

    /// A copy that nobody else sees and that is never written back. No statement on it deletes a file.
    pub fn scratch(&self) -> Self {
        let store = self.inner.store.scratch();
        let temporary = self.inner.temporary.copy();
        Self::build(store, Arc::clone(&self.inner.stores), self.inner.warehouse.clone(), temporary, true)
    }

    /// The list that a `SessionState` takes: this catalog alone.
    pub fn catalogs(&self) -> Arc<dyn CatalogProviderList> {
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG_NAME.to_string(), Arc::new(self.clone()));
        Arc::new(catalogs)
    }

    /// Binds the session that opens tables. Call it once, right after the session is built.
    pub fn bind(&self, state: Weak<RwLock<SessionState>>) {
        *self.inner.state.write() = state;
    }

    /// Reads the newest version. Call it before a statement is planned.
    ///
    /// # Errors
    /// The errors of [`CatalogStore::refresh`].
    pub async fn refresh(&self) -> Result<()> {
        self.inner.store.refresh().await.map(drop)
    }

    /// The store of the persistent tables.
    pub fn store(&self) -> &Arc<CatalogStore> {
        &self.inner.store
    }

    /// All names that a statement can use, those outside the default schema with their schema.
    pub fn table_names(&self) -> Vec<String> {
        let named = |schema: &String| {
            let names = self.inner.table_names(schema);
            names.into_iter().map(|table| TableName { schema: schema.clone(), table }.to_string()).collect::<Vec<_>>()
        };
        self.schema_names().iter().flat_map(named).collect()
    }

    /// The persistent table or view of that name, unless a temporary one hides it.
    ///
    /// # Errors
    /// As [`Self::put_temporary`].
    pub fn entry(&self, name: &TableReference) -> Result<Option<TableEntry>> {
        let name = self.resolve(name)?;
        if self.inner.temporary.contains(&name) {
            return Ok(None);
        }
        Ok(self.inner.store.current().table(&name.schema, &name.table).cloned())
    }

    /// Puts a temporary table in front of whatever has its name, in place of a temporary one of that name.
    ///
    /// # Errors
    /// `InvalidPlan` when the name is of another catalog.
    pub fn put_temporary(&self, name: &TableReference, table: Arc<dyn TableProvider>) -> Result<()> {
        self.inner.temporary.put(self.resolve(name)?, table);
        Ok(())
    }

    /// The bound session's state, as it is now.
    pub(super) fn state(&self) -> Result<SessionState> {
        self.inner.state()
    }

    pub(super) fn resolve(&self, name: &TableReference) -> Result<TableName> {
        let default_schema = self.state()?.config_options().catalog.default_schema.clone();
        let resolved = name.clone().resolve(CATALOG_NAME, &default_schema);
        check_catalog(&resolved.catalog)?;
        Ok(TableName { schema: resolved.schema.to_string(), table: resolved.table.to_string() })
    }

    /// The error for a name that is not there.
    pub(super) fn not_found(&self, name: &TableName, noun: &str) -> Error {
        let error = Error::new(ErrorCode::TableNotFound, format!("no {noun} `{name}`"));
        let names = self.table_names();
        match nearest(&name.to_string(), names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

/// There is one catalog.
pub(super) fn check_catalog(catalog: &str) -> Result<()> {
    if catalog == CATALOG_NAME {
        return Ok(());
    }
    let message = format!("no catalog `{catalog}`: the one catalog is `{CATALOG_NAME}`");
    Err(Error::new(ErrorCode::InvalidPlan, message).hint("write schema.table, or the table's name alone"))
}

impl Inner {
    fn state(&self) -> Result<SessionState> {
        let unbound = || Error::new(ErrorCode::Internal, "the catalog is not bound to a session, or the session ended");
        let state = self.state.read().upgrade().ok_or_else(unbound)?;
        let state = state.read();
        Ok(state.clone())
    }

    /// The temporary table of that name. A persistent view never means one: it is the same for every session.
    fn temporary(&self, name: &TableName) -> Option<Arc<dyn TableProvider>> {
        if views::expanding() { None } else { self.temporary.get(name) }
    }

    pub(super) fn table_names(&self, schema: &str) -> Vec<String> {
        let current = self.store.current();
        let persistent = current.schemas.get(schema).into_iter().flat_map(|entry| entry.tables.keys().cloned());
        let mut names: Vec<_> = persistent.chain(self.temporary.names(schema)).collect();
        names.sort();
        names.dedup();
        names
    }

    async fn open(&self, name: &TableName) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.temporary(name) {
            return Ok(Some(table));
        }
        let current = self.store.current();
        let Some(entry) = current.table(&name.schema, &name.table) else { return Ok(None) };
        let state = self.state()?;
        let table: Arc<dyn TableProvider> = match entry {
            TableEntry::External(table) => tables::external(&state, name, table)?,
            TableEntry::Managed(table) => tables::managed(&state, name, table)?,
            TableEntry::View(view) => Arc::new(views::expand(state, name, view).await?),
        };
        Ok(Some(table))
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.inner.store.current().schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let exists = self.inner.store.current().schemas.contains_key(name);
        exists.then(|| {
            let schema: Arc<dyn SchemaProvider> =
                Arc::new(SessionSchema { name: name.to_string(), inner: Arc::clone(&self.inner) });
            schema
        })
    }
}

/// One schema of a session's catalog.
#[derive(Debug)]
struct SessionSchema {
    name: String,
    inner: Arc<Inner>,
}

impl SessionSchema {
    fn table_name(&self, table: &str) -> TableName {
        TableName { schema: self.name.clone(), table: table.to_string() }
    }
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    fn table_names(&self) -> Vec<String> {
        self.inner.table_names(&self.name)
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let opened = self.inner.open(&self.table_name(name)).await;
        opened.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Opens nothing, so that `SHOW TABLES` lists a view whose tables are gone.
    async fn table_type(&self, name: &str) -> DataFusionResult<Option<TableType>> {
        if let Some(table) = self.inner.temporary(&self.table_name(name)) {
            return Ok(Some(table.table_type()));
        }
        let current = self.inner.store.current();
        let entry = current.table(&self.name, name);
        Ok(entry.map(|entry| if entry.is_view() { TableType::View } else { TableType::Base }))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        Ok(self.inner.temporary.put(self.table_name(&name), table))
    }

    fn deregister_table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        Ok(self.inner.temporary.remove(&self.table_name(name)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.temporary.contains(&self.table_name(name))
            || self.inner.store.current().table(&self.name, name).is_some()
    }
}
