//! Opens the catalog's tables as DataFusion's own `ListingTable`s, without a read of their files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Constraint, Constraints, DFSchema};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::SessionState;
use datafusion::logical_expr::SortExpr;
use url::Url;

use super::model::{ConstraintText, ExternalTable, ManagedTable, SortText};
use super::provider::TableName;
use crate::error::{Error, ErrorCode, Result};

/// Opens an external table. DataFusion's factory would list, infer and validate again what creation did once.
pub(super) fn external(
    state: &SessionState,
    name: &TableName,
    table: &ExternalTable,
) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema.to_arrow()?;
    let (partition_columns, file_schema) = split_partition_columns(&schema, &table.partition_columns, name)?;
    let df_schema = DFSchema::try_from(Arc::clone(&schema))?;
    let order = table.order.iter().map(|keys| sort_keys(state, keys, &df_schema)).collect::<Result<Vec<_>>>()?;
    let options = ListingOptions::new(format(state, &table.format, &table.options.clone().into_iter().collect())?)
        .with_file_extension(&table.file_extension)
        .with_table_partition_cols(partition_columns)
        .with_file_sort_order(order);
    let paths = table.locations.iter().map(|location| {
        let path = ListingTableUrl::parse(&location.url)?.with_table_ref(name.reference());
        match &location.glob {
            Some(glob) => Ok(path.with_glob(glob)?),
            None => Ok(path),
        }
    });
    let config = ListingTableConfig::new_with_multi_paths(paths.collect::<Result<_>>()?)
        .with_listing_options(options)
        .with_schema(Arc::new(file_schema));
    let defaults = table.column_defaults.iter().map(|(column, text)| {
        let default = state.create_logical_expr(text, &DFSchema::empty())?;
        Ok((column.clone(), default))
    });
    let listing = ListingTable::try_new(config)?
        .with_cache(state.runtime_env().cache_manager.get_file_statistic_cache())
        .with_definition(table.definition.clone())
        .with_constraints(Constraints::new_unverified(table.constraints.iter().map(constraint).collect()))
        .with_column_defaults(defaults.collect::<Result<_>>()?);
    Ok(Arc::new(listing))
}

/// Opens a managed table: the files that the catalog lists, and no others that lie beside them.
pub(super) fn managed(state: &SessionState, name: &TableName, table: &ManagedTable) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema.to_arrow()?;
    if table.files.is_empty() {
        return Ok(Arc::new(EmptyTable::new(schema)));
    }
    let paths = file_urls(table)?
        .iter()
        .map(|url| Ok(ListingTableUrl::parse(url.as_str())?.with_table_ref(name.reference())))
        .collect::<Result<_>>()?;
    let options = ListingOptions::new(format(state, "parquet", &HashMap::new())?).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(paths).with_listing_options(options).with_schema(schema);
    let listing = ListingTable::try_new(config)?;
    Ok(Arc::new(listing.with_cache(state.runtime_env().cache_manager.get_file_statistic_cache())))
}

/// The URLs of a managed table's files.
pub(super) fn file_urls(table: &ManagedTable) -> Result<Vec<Url>> {
    let base = parse_location(&table.location)?;
    let urls = table.files.iter().map(|file| {
        let mut url = base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(file.path.split('/')),
            Err(()) => return Err(Error::new(ErrorCode::CorruptFile, format!("{base} is not the URL of a folder"))),
        };
        Ok(url)
    });
    urls.collect()
}

/// The URL of a managed table's folder.
pub(super) fn parse_location(location: &str) -> Result<Url> {
    Url::parse(location).map_err(|error| {
        Error::new(ErrorCode::CorruptFile, format!("the catalog has a table at `{location}`, which is not a URL"))
            .caused_by(error)
    })
}

fn format(state: &SessionState, name: &str, options: &HashMap<String, String>) -> Result<Arc<dyn FileFormat>> {
    let factory = state.get_file_format_factory(name).ok_or_else(|| unknown_format(name))?;
    Ok(factory.create(state, options)?)
}

/// The error for `STORED AS` something else.
pub(super) fn unknown_format(name: &str) -> Error {
    Error::new(ErrorCode::Unsupported, format!("no file format `{name}`"))
        .hint("the formats are PARQUET, CSV, JSON and ARROW")
}

type PartitionColumns = Vec<(String, DataType)>;

fn split_partition_columns(schema: &Schema, names: &[String], table: &TableName) -> Result<(PartitionColumns, Schema)> {
    let (partition, file): (Vec<_>, Vec<_>) =
        schema.fields().iter().cloned().partition(|field| names.contains(field.name()));
    let in_order = names.iter().map(|name| {
        let field = partition.iter().find(|field| field.name() == name).ok_or_else(|| {
            let message = format!("the catalog's entry of `{table}` lacks its partition column `{name}`");
            Error::new(ErrorCode::CorruptFile, message)
        })?;
        Ok((name.clone(), field.data_type().clone()))
    });
    Ok((in_order.collect::<Result<_>>()?, Schema::new_with_metadata(file, schema.metadata().clone())))
}

fn sort_keys(state: &SessionState, keys: &[SortText], schema: &DFSchema) -> Result<Vec<SortExpr>> {
    let keys = keys.iter().map(|key| {
        let expression = state.create_logical_expr(&key.expression, schema)?;
        Ok(SortExpr::new(expression, key.ascending, key.nulls_first))
    });
    keys.collect()
}

fn constraint(text: &ConstraintText) -> Constraint {
    match text {
        ConstraintText::PrimaryKey(columns) => Constraint::PrimaryKey(columns.clone()),
        ConstraintText::Unique(columns) => Constraint::Unique(columns.clone()),
    }
}
