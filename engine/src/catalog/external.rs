//! `CREATE EXTERNAL TABLE`: looks at the files once and keeps what it learnt.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::{TableProvider, TableProviderFactory};
use datafusion::common::Constraint;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableUrl};
use datafusion::datasource::listing_table_factory::ListingTableFactory;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{CreateExternalTable, SortExpr};
use datafusion::sql::unparser::expr_to_sql;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::SessionCatalog;
use super::model::{ConstraintText, ExternalTable, Location, SchemaText, SortText, TableEntry};
use super::statements::IfExists;
use super::tables::unknown_format;
use crate::error::{Error, ErrorCode, Result};
use crate::storage::{absolute_location, store_error};

impl SessionCatalog {
    /// Runs `CREATE EXTERNAL TABLE`. Unless it declares its columns, the location must exist and have readable files.
    ///
    /// # Errors
    /// `FileNotFound`, `AlreadyExists`, `Unsupported` for an unknown format, and what reading the files gives.
    pub async fn create_external_table(&self, statement: &CreateExternalTable) -> Result<()> {
        let state = self.state()?;
        if statement.unbounded {
            return Err(Error::new(ErrorCode::Unsupported, "unbounded tables are not supported"));
        }
        if state.get_file_format_factory(&statement.file_type).is_none() {
            return Err(unknown_format(&statement.file_type));
        }
        self.refresh().await?;
        let name = self.resolve(&statement.name)?;
        let if_exists = IfExists::from_flags(statement.or_replace, statement.if_not_exists);
        if !self.may_create(&name, if_exists, false, statement.temporary)? {
            return Ok(());
        }
        let mut statement = statement.clone();
        // The caches of listings are then the same for every way to write the name.
        statement.name = name.reference();
        locate(&state, &mut statement).await?;
        self.forget_listing(&name)?;
        let opened = ListingTableFactory::new().create(&state, &statement).await?;
        if statement.temporary {
            self.inner.temporary.put(name, opened);
            return Ok(());
        }
        let entry = TableEntry::External(describe(&statement, &opened)?);
        self.put_entry(&name, &entry, if_exists).await
    }
}

/// Makes the locations absolute and checks that they exist.
async fn locate(state: &SessionState, statement: &mut CreateExternalTable) -> Result<()> {
    let declared = !statement.schema.fields().is_empty();
    let pattern = visible_files(statement, declared);
    for location in &mut statement.locations {
        let written = std::mem::take(location);
        *location = absolute_location(&written)?;
        match find(state, location).await? {
            Found::AsWritten => {}
            // DataFusion takes a name without a slash for a file, and its dots for an extension.
            Found::Folder => location.push('/'),
            Found::Nothing if declared => {}
            Found::Nothing => {
                return Err(Error::new(ErrorCode::FileNotFound, format!("no file at `{written}`"))
                    .hint("declare the columns to create a table over a folder that is still empty"));
            }
        }
        if let Some(pattern) = pattern.as_ref().filter(|_| is_plain_local_folder(location)) {
            location.push_str(pattern);
        }
    }
    Ok(())
}

/// DataFusion's own pattern for a folder, less the `_SUCCESS` and `.crc` files that other engines leave: beside `day=…`
/// folders they would make it refuse the table. It applies its pattern only after it has looked at those folders.
/// Compressed files keep DataFusion's pattern, which knows their double extension; declared columns have none.
fn visible_files(statement: &CreateExternalTable, declared: bool) -> Option<String> {
    if declared || statement.options.contains_key("format.compression") {
        None
    } else {
        Some(format!("[!_.]*.{}", statement.file_type.to_lowercase()))
    }
}

/// DataFusion reads a pattern in local paths only, and there may be one already.
fn is_plain_local_folder(location: &str) -> bool {
    location.starts_with('/') && location.ends_with('/') && !location.contains(['*', '?', '['])
}

enum Found {
    AsWritten,
    Folder,
    Nothing,
}

async fn find(state: &SessionState, location: &str) -> Result<Found> {
    let url = ListingTableUrl::parse(location)?;
    let store = state.runtime_env().object_store(&url)?;
    if !url.is_collection() {
        match store.head(url.prefix()).await {
            Ok(_) => return Ok(Found::AsWritten),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error(error, &format!("read {}", url.as_str()))),
        }
    }
    let ignore_subdirectory = state.config_options().execution.listing_table_ignore_subdirectory;
    let mut files = store.list(Some(url.prefix()));
    loop {
        match files.try_next().await {
            Ok(Some(file)) if url.contains(&file.location, ignore_subdirectory) => break,
            Ok(Some(_)) => {}
            Ok(None) | Err(object_store::Error::NotFound { .. }) => return Ok(Found::Nothing),
            Err(error) => return Err(store_error(error, &format!("list {}", url.as_str()))),
        }
    }
    Ok(if url.is_collection() { Found::AsWritten } else { Found::Folder })
}

/// What the catalog keeps of a table that DataFusion opened.
fn describe(statement: &CreateExternalTable, opened: &Arc<dyn TableProvider>) -> Result<ExternalTable> {
    let listing = opened.downcast_ref::<ListingTable>().ok_or_else(|| {
        Error::new(ErrorCode::Internal, "DataFusion opened files as something else than a ListingTable")
    })?;
    let options = listing.options();
    let schema = listing.schema();
    let mut names = HashSet::new();
    if let Some(twice) = schema.fields().iter().find(|field| !names.insert(field.name().as_str())) {
        let message = format!("column `{}` is in the files and among the partition columns", twice.name());
        return Err(Error::new(ErrorCode::InvalidPlan, message));
    }
    let locations = listing.table_paths().iter().map(|path| Location {
        url: path.as_str().to_string(),
        glob: path.get_glob().as_ref().map(|glob| glob.as_str().to_string()),
    });
    let constraints = statement.constraints.iter().map(|constraint| match constraint {
        Constraint::PrimaryKey(columns) => ConstraintText::PrimaryKey(columns.clone()),
        Constraint::Unique(columns) => ConstraintText::Unique(columns.clone()),
    });
    let order = statement.order_exprs.iter().map(|keys| keys.iter().map(sort_text).collect::<Result<_>>());
    let defaults = statement
        .column_defaults
        .iter()
        .map(|(column, default)| Ok((column.clone(), expr_to_sql(default)?.to_string())));
    Ok(ExternalTable {
        locations: locations.collect(),
        format: statement.file_type.clone(),
        file_extension: options.file_extension.clone(),
        schema: SchemaText::from_arrow(&plain_partitions(&schema, options))?,
        declared: !statement.schema.fields().is_empty(),
        partition_columns: options.table_partition_cols.iter().map(|(name, _)| name.clone()).collect(),
        order: order.collect::<Result<_>>()?,
        options: statement.options.clone().into_iter().collect(),
        constraints: constraints.collect(),
        column_defaults: defaults.collect::<Result<_>>()?,
        definition: statement.definition.clone(),
    })
}

/// The columns with the values of `column=value` folders as text, and not as the dictionaries that DataFusion infers.
fn plain_partitions(schema: &Schema, options: &ListingOptions) -> SchemaRef {
    let is_partition = |name: &str| options.table_partition_cols.iter().any(|(column, _)| column == name);
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, value) if is_partition(field.name()) => {
            Arc::new(field.as_ref().clone().with_data_type(value.as_ref().clone()))
        }
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn sort_text(key: &SortExpr) -> Result<SortText> {
    let expression = expr_to_sql(&key.expr)?.to_string();
    Ok(SortText { expression, ascending: key.asc, nulls_first: key.nulls_first })
}
