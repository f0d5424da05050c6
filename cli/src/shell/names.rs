//! The names that completion knows: tables, columns and functions, as the catalog has them.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use sluice::{Result, Session};

/// What a word can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Table,
    Column,
    Function,
}

impl NameKind {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::Function => "function",
        }
    }
}

/// The names of a catalog.
#[derive(Debug, Default)]
pub(super) struct Names {
    tables: BTreeSet<String>,
    /// Table and column.
    columns: BTreeSet<(String, String)>,
    functions: BTreeSet<String>,
}

impl Names {
    /// Names that start with `prefix`, in any case of letters. With a table, only its columns.
    pub(super) fn matching(&self, table: Option<&str>, prefix: &str) -> Vec<(&str, NameKind)> {
        let fits = |name: &str| starts_with(name, prefix);
        let columns = self
            .columns
            .iter()
            .filter(|(owner, column)| table.is_none_or(|table| owner.eq_ignore_ascii_case(table)) && fits(column));
        let columns = columns.map(|(_, column)| column.as_str()).collect::<BTreeSet<_>>();
        let columns = columns.into_iter().map(|column| (column, NameKind::Column));
        if table.is_some() {
            return columns.collect();
        }
        let tables = self.tables.iter().filter(|name| fits(name)).map(|name| (name.as_str(), NameKind::Table));
        let functions = self.functions.iter().filter(|name| fits(name)).map(|name| (name.as_str(), NameKind::Function));
        tables.chain(columns).chain(functions).collect()
    }
}

pub(super) fn starts_with(word: &str, prefix: &str) -> bool {
    word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Reads the names again, in the background. Completion does with the old ones until then, and for good where the
/// catalog does not answer.
pub(super) fn refresh(session: &Session, names: &Arc<RwLock<Names>>) {
    let (session, names) = (session.clone(), Arc::clone(names));
    tokio::spawn(async move {
        match load(&session).await {
            Ok(loaded) => *names.write().unwrap_or_else(PoisonError::into_inner) = loaded,
            Err(error) => tracing::debug!("completion has no names: {error}"),
        }
    });
}

async fn load(session: &Session) -> Result<Names> {
    let mut names = Names::default();
    let user_tables = "table_schema <> 'information_schema'";
    let columns = format!("SELECT table_name, column_name FROM information_schema.columns WHERE {user_tables}");
    for (table, column) in pairs(session, &columns).await? {
        names.tables.insert(table.clone());
        names.columns.insert((table, column));
    }
    let functions = "SELECT DISTINCT routine_name, routine_name FROM information_schema.routines";
    names.functions.extend(pairs(session, functions).await?.into_iter().map(|(name, _)| name));
    Ok(names)
}

async fn pairs(session: &Session, sql: &str) -> Result<Vec<(String, String)>> {
    let batches = session.sql(sql).await?.collect().await?;
    let text = |batch: &RecordBatch, column: usize, row: usize| array_value_to_string(batch.column(column), row);
    let mut pairs = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            if let (Ok(first), Ok(second)) = (text(batch, 0, row), text(batch, 1, row)) {
                pairs.push((first, second));
            }
        }
    }
    Ok(pairs)
}

#[cfg(test)]
impl Names {
    /// A catalog of two tables and one function.
    pub(super) fn sample() -> Self {
        let columns = [("orders", "id"), ("orders", "customer_id"), ("customers", "id")];
        Self {
            tables: columns.iter().map(|(table, _)| table.to_string()).collect(),
            columns: columns.iter().map(|(table, column)| (table.to_string(), column.to_string())).collect(),
            functions: ["date_trunc".to_string()].into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_finds_names_of_every_kind_once() {
        let names = Names::sample();
        assert_eq!(names.matching(None, "id"), [("id", NameKind::Column)]);
        let both = [("customers", NameKind::Table), ("customer_id", NameKind::Column)];
        assert_eq!(names.matching(None, "CUST"), both);
        assert_eq!(names.matching(None, "date"), [("date_trunc", NameKind::Function)]);
    }

    #[test]
    fn a_table_has_its_own_columns_only() {
        let names = Names::sample();
        assert_eq!(names.matching(Some("Orders"), ""), [("customer_id", NameKind::Column), ("id", NameKind::Column)]);
        assert_eq!(names.matching(Some("nothing"), ""), []);
    }

    #[test]
    fn a_prefix_may_end_within_a_letter_of_the_name() {
        assert!(!starts_with("ä", "a"));
        assert!(!starts_with("a", "ab"));
    }
}
