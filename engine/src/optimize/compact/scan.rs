//! Scans that give columns as they are stored.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::Compact;
use super::expressions::Use;
use super::reader::{Columns, StoredReaders};
use super::stored::{AsStored, Stored};
use crate::optimize::estimate::{Estimate, estimate};

/// A column with more words is not read as their numbers.
const MOST_WORDS: f64 = 1024.0;

/// A scan that gives the columns which gain from it as they are stored.
pub(super) fn scan(plan: Arc<dyn ExecutionPlan>, uses: &[Use]) -> Result<Compact> {
    let Some(files) =
        plan.downcast_ref::<DataSourceExec>().and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
    else {
        return Ok(Compact::nothing(plan));
    };
    let Some(source) = files.file_source().downcast_ref::<ParquetSource>() else { return Ok(Compact::nothing(plan)) };
    let (Some(readers), Some(given)) = (source.parquet_file_reader_factory(), source.projection()) else {
        return Ok(Compact::nothing(plan));
    };
    if plan.output_ordering().is_some() || !uses.iter().any(|used| used.gains()) {
        return Ok(Compact::nothing(plan));
    }
    let expected = estimate(&plan)?;
    let in_file = source.table_schema().file_schema();
    let schema = plan.schema();
    let mut columns = Columns::new();
    let (mut shown, mut own) = (Vec::new(), Vec::new());
    for (at, field) in schema.fields().iter().enumerate() {
        let column = Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>;
        let read = given.as_ref().get(at).and_then(|given| given.expr.downcast_ref::<Column>());
        let read = read.filter(|read| in_file.fields().get(read.index()).is_some_and(|own| own.name() == read.name()));
        let read = read.filter(|_| field.extension_type_name().is_none());
        let stored = read.and_then(|_| stored_as(uses[at], field.data_type(), &expected, at));
        let compact = stored.and_then(|stored| AsStored::of(Arc::clone(&column), stored, field));
        own.push(compact.as_ref().map(|_| Arc::clone(field)));
        if let (Some(read), Some(stored), true) = (read, stored, compact.is_some()) {
            columns.insert(read.name().to_owned(), stored);
        }
        let expr = compact.map_or(column, |compact| Arc::new(compact));
        shown.push(ProjectionExpr { expr, alias: field.name().clone() });
    }
    if columns.is_empty() {
        return Ok(Compact::nothing(plan));
    }
    let source =
        source.clone().with_parquet_file_reader_factory(Arc::new(StoredReaders::new(Arc::clone(readers), columns)));
    let Some(source) = source.try_pushdown_projection(&ProjectionExprs::from(shown))? else {
        return Ok(Compact::nothing(plan));
    };
    let files = FileScanConfigBuilder::from(files.clone()).with_source(source).build();
    Ok(Compact { plan: DataSourceExec::from_data_source(files), own })
}

/// How a column is best read, if not in its own type.
fn stored_as(used: Use, kind: &DataType, expected: &Estimate, at: usize) -> Option<Stored> {
    if used.must_be_own || !used.gains() {
        return None;
    }
    match kind {
        DataType::Utf8 => {
            let words = expected.columns.get(at).and_then(|column| column.distinct);
            let coded = words.is_some_and(|words| words <= MOST_WORDS);
            // Groups of many texts hold the texts themselves.
            let viewed = used.compared || used.dropped;
            if coded { Some(Stored::Codes) } else { viewed.then_some(Stored::Views) }
        }
        DataType::Decimal128(..) => Some(Stored::Narrow),
        _ => None,
    }
}
