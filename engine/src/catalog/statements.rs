//! The statements that change the catalog and move no rows. Each is one [`CatalogStore::update`], so it happens in
//! full or not at all; files are deleted only after the version without them is written.
//!
//! [`CatalogStore::update`]: super::CatalogStore::update

use std::sync::Arc;

use datafusion::common::{SchemaReference, TableReference};
use datafusion::logical_expr::{CreateCatalogSchema, CreateView, DdlStatement, DropCatalogSchema, DropTable, DropView};

use super::model::{SchemaEntry, Snapshot, TableEntry, ViewEntry};
use super::provider::{TableName, check_catalog};
use super::{CATALOG_NAME, DEFAULT_SCHEMA, SessionCatalog, views};
use crate::error::{Error, ErrorCode, Result};

/// What to do when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Nothing was said: an error.
    Fail,
    /// `IF NOT EXISTS`: leave what is there.
    Skip,
    /// `OR REPLACE`: put the new one in its place.
    Replace,
}

impl IfExists {
    /// From the flags of a statement.
    pub fn from_flags(or_replace: bool, if_not_exists: bool) -> Self {
        match (or_replace, if_not_exists) {
            (true, _) => Self::Replace,
            (false, true) => Self::Skip,
            (false, false) => Self::Fail,
        }
    }
}

impl SessionCatalog {
    /// Runs a statement that changes the catalog alone.
    ///
    /// # Errors
    /// The statement's own; `Unsupported` for statements that are no matter of the catalog.
    pub async fn run_ddl(&self, statement: &DdlStatement) -> Result<()> {
        match statement {
            DdlStatement::CreateExternalTable(create) => self.create_external_table(create).await,
            DdlStatement::CreateView(create) => self.create_view(create).await,
            DdlStatement::DropTable(drop) => self.drop_table(drop).await,
            DdlStatement::DropView(drop) => self.drop_view(drop).await,
            DdlStatement::CreateCatalogSchema(create) => self.create_schema(create).await,
            DdlStatement::DropCatalogSchema(drop) => self.drop_schema(drop).await,
            other => Err(Error::new(ErrorCode::Unsupported, format!("{} is not supported", other.name()))),
        }
    }

    /// Runs `CREATE VIEW`. As in PostgreSQL, a view over a temporary table is temporary itself.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidPlan` when the view would refer to itself or has two columns of one name.
    pub async fn create_view(&self, statement: &CreateView) -> Result<()> {
        let state = self.state()?;
        self.refresh().await?;
        let name = self.resolve(&statement.name)?;
        let definition = statement.definition.clone().ok_or_else(|| {
            Error::new(ErrorCode::InvalidPlan, format!("view `{name}` has no SQL text")).hint("create it in SQL")
        })?;
        let dialect = state.config_options().sql_parser.dialect;
        let parsed = state.sql_to_statement(&definition, &dialect)?;
        let references = state.resolve_table_references(&parsed)?;
        let is_temporary =
            |reference: &TableReference| self.resolve(reference).is_ok_and(|name| self.inner.temporary.contains(&name));
        let temporary = statement.temporary || references.iter().any(is_temporary);
        let if_exists = IfExists::from_flags(statement.or_replace, false);
        self.may_create(&name, if_exists, true, temporary)?;
        if temporary {
            let view = views::table(statement.input.as_ref().clone(), Some(definition))?;
            self.inner.temporary.put(name, Arc::new(view));
            return Ok(());
        }
        let default_schema = state.config_options().catalog.default_schema.clone();
        let view = ViewEntry { definition, default_schema };
        views::expand(state, &name, &view).await?;
        self.put_entry(&name, &TableEntry::View(view), if_exists).await
    }

    /// Runs `DROP TABLE`: a temporary table first, else the persistent one, whose files go if they are managed.
    ///
    /// # Errors
    /// `TableNotFound`, with the nearest name.
    pub async fn drop_table(&self, statement: &DropTable) -> Result<()> {
        self.drop_entry(&statement.name, statement.if_exists, false).await
    }

    /// Runs `DROP VIEW`.
    ///
    /// # Errors
    /// As [`Self::drop_table`].
    pub async fn drop_view(&self, statement: &DropView) -> Result<()> {
        self.drop_entry(&statement.name, statement.if_exists, true).await
    }

    async fn drop_entry(&self, name: &TableReference, if_exists: bool, view: bool) -> Result<()> {
        let name = self.resolve(name)?;
        if let Some(is_view) = self.inner.temporary.is_view(&name) {
            check_kind(&name, is_view, view)?;
            self.inner.temporary.remove(&name);
            return Ok(());
        }
        let dropped = self.inner.store.update(|snapshot| {
            match snapshot.table(&name.schema, &name.table) {
                None if if_exists => return Ok(None),
                None => return Err(self.not_found(&name, noun(view))),
                Some(entry) => check_kind(&name, entry.is_view(), view)?,
            }
            Ok(snapshot.schemas.get_mut(&name.schema).and_then(|schema| schema.tables.remove(&name.table)))
        });
        if let Some(entry) = dropped.await? {
            self.forget_listing(&name)?;
            self.remove_managed_files(&entry).await;
        }
        Ok(())
    }

    /// Runs `CREATE SCHEMA`.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub async fn create_schema(&self, statement: &CreateCatalogSchema) -> Result<()> {
        let (catalog, schema) =
            statement.schema_name.split_once('.').unwrap_or((CATALOG_NAME, statement.schema_name.as_str()));
        check_catalog(catalog)?;
        let change = |snapshot: &mut Snapshot| {
            if !snapshot.schemas.contains_key(schema) {
                snapshot.schemas.insert(schema.to_string(), SchemaEntry::default());
            } else if !statement.if_not_exists {
                return Err(Error::new(ErrorCode::AlreadyExists, format!("schema `{schema}` exists"))
                    .hint("use CREATE SCHEMA IF NOT EXISTS"));
            }
            Ok(())
        };
        self.inner.store.update(change).await
    }

    /// Runs `DROP SCHEMA`. With `CASCADE` its tables and views go too.
    ///
    /// # Errors
    /// `InvalidPlan` when the schema is not there, is not empty, or is the default one.
    pub async fn drop_schema(&self, statement: &DropCatalogSchema) -> Result<()> {
        if let SchemaReference::Full { catalog, .. } = &statement.name {
            check_catalog(catalog)?;
        }
        let schema = statement.name.schema_name();
        if schema == DEFAULT_SCHEMA {
            return Err(Error::new(ErrorCode::InvalidPlan, format!("the schema `{schema}` cannot be dropped")));
        }
        let has_temporary = !self.inner.temporary.names(schema).is_empty();
        let dropped = self.inner.store.update(|snapshot| {
            let Some(entry) = snapshot.schemas.get(schema) else {
                return if statement.if_exists { Ok(None) } else { Err(no_schema(schema)) };
            };
            if !statement.cascade && (has_temporary || !entry.tables.is_empty()) {
                return Err(Error::new(ErrorCode::InvalidPlan, format!("schema `{schema}` is not empty"))
                    .hint("use DROP SCHEMA .. CASCADE to drop its tables and views too"));
            }
            Ok(snapshot.schemas.remove(schema))
        });
        let Some(entry) = dropped.await? else { return Ok(()) };
        self.inner.temporary.remove_schema(schema);
        for (table, entry) in entry.tables {
            self.forget_listing(&TableName { schema: schema.to_string(), table })?;
            self.remove_managed_files(&entry).await;
        }
        Ok(())
    }

    /// Whether a table (or view) of that name may be made now; `false` means `IF NOT EXISTS` has nothing to do.
    /// A temporary one may hide a persistent one, but not the other way round: it would not be seen.
    pub(super) fn may_create(
        &self,
        name: &TableName,
        if_exists: IfExists,
        view: bool,
        temporary: bool,
    ) -> Result<bool> {
        let current = self.inner.store.current();
        if !current.schemas.contains_key(&name.schema) {
            return Err(no_schema(&name.schema));
        }
        let persistent = current.table(&name.schema, &name.table).map(TableEntry::is_view);
        let taken = self.inner.temporary.is_view(name).or(if temporary { None } else { persistent });
        match (taken, if_exists) {
            (None, _) => Ok(true),
            (Some(_), IfExists::Skip) => Ok(false),
            (Some(is_view), IfExists::Fail) => Err(already_exists(name, is_view)),
            (Some(is_view), IfExists::Replace) => check_kind(name, is_view, view).map(|()| true),
        }
    }

    /// Writes an entry, and removes what it replaces: a temporary table of that name, and the files of a managed one.
    pub(super) async fn put_entry(&self, name: &TableName, entry: &TableEntry, if_exists: IfExists) -> Result<()> {
        let replaced = self.inner.store.update(|snapshot| {
            let schema = snapshot.schemas.get_mut(&name.schema).ok_or_else(|| no_schema(&name.schema))?;
            match (schema.tables.get(&name.table), if_exists) {
                (None, _) => {}
                (Some(_), IfExists::Skip) => return Ok(None),
                (Some(existing), IfExists::Fail) => return Err(already_exists(name, existing.is_view())),
                (Some(existing), IfExists::Replace) => check_kind(name, existing.is_view(), entry.is_view())?,
            }
            Ok(Some(schema.tables.insert(name.table.clone(), entry.clone())))
        });
        let Some(replaced) = replaced.await? else { return Ok(()) };
        self.inner.temporary.remove(name);
        self.forget_listing(name)?;
        if let Some(replaced) = replaced {
            self.remove_managed_files(&replaced).await;
        }
        Ok(())
    }

    /// Forgets what DataFusion's caches know of a table's files.
    pub(super) fn forget_listing(&self, name: &TableName) -> Result<()> {
        let state = self.state()?;
        let caches = &state.runtime_env().cache_manager;
        if let Some(listings) = caches.get_list_files_cache() {
            listings.drop_table_entries(&name.reference())?;
        }
        if let Some(statistics) = caches.get_file_statistic_cache() {
            statistics.drop_table_entries(&name.reference())?;
        }
        Ok(())
    }
}

fn noun(view: bool) -> &'static str {
    if view { "view" } else { "table" }
}

/// The error for a schema that is not there.
pub(super) fn no_schema(schema: &str) -> Error {
    Error::new(ErrorCode::InvalidPlan, format!("no schema `{schema}`"))
        .hint(format!("create it with CREATE SCHEMA {schema}"))
}

fn already_exists(name: &TableName, is_view: bool) -> Error {
    let noun = noun(is_view);
    Error::new(ErrorCode::AlreadyExists, format!("{noun} `{name}` exists"))
        .hint(format!("use CREATE OR REPLACE, or DROP {} {name} first", noun.to_uppercase()))
}

/// `DROP TABLE` and `CREATE OR REPLACE TABLE` do not touch views, and the other way round.
fn check_kind(name: &TableName, is_view: bool, view: bool) -> Result<()> {
    if is_view == view {
        return Ok(());
    }
    let noun = noun(is_view);
    Err(Error::new(ErrorCode::InvalidPlan, format!("`{name}` is a {noun}"))
        .hint(format!("use DROP {} {name}", noun.to_uppercase())))
}
