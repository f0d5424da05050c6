//! The session's temporary tables: they lie in front of the persistent ones and end with the session.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::logical_expr::TableType;
use parking_lot::RwLock;

use super::provider::TableName;

/// Temporary tables and views of one session.
#[derive(Debug, Default)]
pub(super) struct TemporaryTables {
    tables: RwLock<BTreeMap<TableName, Arc<dyn TableProvider>>>,
}

impl TemporaryTables {
    pub(super) fn get(&self, name: &TableName) -> Option<Arc<dyn TableProvider>> {
        self.tables.read().get(name).cloned()
    }

    pub(super) fn contains(&self, name: &TableName) -> bool {
        self.tables.read().contains_key(name)
    }

    /// Whether the name is a temporary view (`true`), a temporary table (`false`) or neither.
    pub(super) fn is_view(&self, name: &TableName) -> Option<bool> {
        self.get(name).map(|table| table.table_type() == TableType::View)
    }

    /// Puts the table there and gives back the one it replaces.
    pub(super) fn put(&self, name: TableName, table: Arc<dyn TableProvider>) -> Option<Arc<dyn TableProvider>> {
        self.tables.write().insert(name, table)
    }

    pub(super) fn remove(&self, name: &TableName) -> Option<Arc<dyn TableProvider>> {
        self.tables.write().remove(name)
    }

    /// Names of the tables in a schema.
    pub(super) fn names(&self, schema: &str) -> Vec<String> {
        self.tables.read().keys().filter(|name| name.schema == schema).map(|name| name.table.clone()).collect()
    }

    /// Forgets all tables of a schema.
    pub(super) fn remove_schema(&self, schema: &str) {
        self.tables.write().retain(|name, _| name.schema != schema);
    }

    /// Another set that begins with the same tables.
    pub(super) fn copy(&self) -> Self {
        Self { tables: RwLock::new(self.tables.read().clone()) }
    }
}
