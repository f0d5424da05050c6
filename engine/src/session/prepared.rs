//! A statement that is resolved and planned, and has not run.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::dml::CopyTo;
use datafusion::logical_expr::{CreateMemoryTable, DdlStatement, DmlStatement, LogicalPlan, Statement};

use super::types::StatementKind;

/// A file or folder to read, whichever way the session runs.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// `parquet`, `csv`, `json` or `arrow`.
    pub format: String,
    /// A path or URL.
    pub path: String,
    /// Options as `CREATE EXTERNAL TABLE … OPTIONS` takes them.
    pub options: Vec<(String, String)>,
    /// The columns, as an IPC stream without rows, where they are not to be inferred.
    pub schema: Option<Vec<u8>>,
    /// Registers the files under this name instead of reading them once.
    pub register_as: Option<String>,
}

/// What a planned statement will do.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// Gives rows when its stream is read.
    Query(LogicalPlan),
    /// `COPY … TO`.
    Copy(CopyTo),
    /// `INSERT INTO` and `INSERT OVERWRITE`.
    Insert(DmlStatement),
    /// `CREATE TABLE … AS`.
    CreateTableAs(Box<CreateMemoryTable>),
    /// Any other change of the catalog.
    Ddl(Box<DdlStatement>),
    /// `SET`, `RESET`, `PREPARE`, `DEALLOCATE`.
    Session(Box<Statement>),
    /// A file to register under a name.
    Register(ReadRequest),
}

impl Prepared {
    /// Sorts a plan by what it does.
    pub(crate) fn of(plan: LogicalPlan) -> Self {
        match plan {
            LogicalPlan::Copy(copy) => Self::Copy(copy),
            LogicalPlan::Dml(dml) => Self::Insert(dml),
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => Self::CreateTableAs(Box::new(create)),
            LogicalPlan::Ddl(ddl) => Self::Ddl(Box::new(ddl)),
            LogicalPlan::Statement(statement) => Self::Session(Box::new(statement)),
            query => Self::Query(query),
        }
    }

    /// What the statement does, in the words that users see.
    pub fn kind(&self) -> StatementKind {
        match self {
            Self::Query(LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) => StatementKind::Explain,
            Self::Query(_) => StatementKind::Query,
            Self::Copy(_) | Self::Insert(_) | Self::CreateTableAs(_) => StatementKind::Write,
            Self::Ddl(_) | Self::Register(_) => StatementKind::Ddl,
            Self::Session(_) => StatementKind::Set,
        }
    }

    /// Whether the statement moves no rows at all.
    pub fn changes_catalog_only(&self) -> bool {
        matches!(self, Self::Ddl(_) | Self::Register(_))
    }

    /// Whether the statement runs at once, and not when its rows are read.
    pub fn runs_at_once(&self) -> bool {
        !matches!(self, Self::Query(_))
    }

    /// The columns of the rows that it gives.
    pub fn schema(&self) -> DFSchemaRef {
        match self {
            Self::Query(plan) => Arc::clone(plan.schema()),
            Self::Copy(_) | Self::Insert(_) | Self::CreateTableAs(_) => {
                // One field without a qualifier cannot clash with another.
                Arc::new(DFSchema::try_from(count_schema()).unwrap_or_else(|_| DFSchema::empty()))
            }
            Self::Ddl(_) | Self::Session(_) | Self::Register(_) => Arc::new(DFSchema::empty()),
        }
    }
}

/// The one column of a write's one row.
pub(crate) fn count_schema() -> Schema {
    Schema::new(vec![Field::new("count", DataType::UInt64, false)])
}
