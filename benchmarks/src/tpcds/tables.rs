//! The 24 TPC-DS tables: their names, into how many files each goes, and where their rows come from.

use sluice::{Error, ErrorCode, Result};
use tpcdsgen::config::{Session, SessionBuilder, Table};
use tpcdsgen_arrow::{
    CallCenterArrow, CatalogPageArrow, CatalogReturnsArrow, CatalogSalesArrow, CustomerAddressArrow, CustomerArrow,
    CustomerDemographicsArrow, DateDimArrow, DbgenVersionArrow, HouseholdDemographicsArrow, IncomeBandArrow,
    InventoryArrow, ItemArrow, PromotionArrow, ReasonArrow, ShipModeArrow, StoreArrow, StoreReturnsArrow,
    StoreSalesArrow, TimeDimArrow, WarehouseArrow, WebPageArrow, WebReturnsArrow, WebSalesArrow, WebSiteArrow,
};

use crate::sql::{DataFile, Rows};

/// Rows of one batch on the way from the generator to the file.
const BATCH_ROWS: usize = 8192;
/// Rows of a table for which it gets another file.
const FILE_ROWS: u64 = 1_500_000;

/// The tables that the queries read, the largest first, so that the long pieces of work start early.
const TABLES: [Table; 24] = [
    Table::StoreSales,
    Table::CatalogSales,
    Table::WebSales,
    Table::Inventory,
    Table::StoreReturns,
    Table::CatalogReturns,
    Table::WebReturns,
    Table::CallCenter,
    Table::CatalogPage,
    Table::Customer,
    Table::CustomerAddress,
    Table::CustomerDemographics,
    Table::DateDim,
    Table::HouseholdDemographics,
    Table::IncomeBand,
    Table::Item,
    Table::Promotion,
    Table::Reason,
    Table::ShipMode,
    Table::Store,
    Table::TimeDim,
    Table::Warehouse,
    Table::WebPage,
    Table::WebSite,
];

/// The files of all tables.
pub(crate) fn files(scale: f64) -> Result<Vec<DataFile>> {
    let session = SessionBuilder::new()
        .with_scale_factor(scale)
        .build()
        .map_err(|error| Error::new(ErrorCode::InvalidArgument, format!("no TPC-DS data of that scale: {error}")))?;
    let of = |table: Table| {
        let source_rows = session.get_scaling().get_row_count(table);
        let files = source_rows.div_ceil(FILE_ROWS).max(1);
        let session = session.clone();
        (1..=files).map(move |file| {
            let session = session.clone();
            let (first, last) = (source_rows * (file - 1) / files + 1, source_rows * file / files);
            DataFile::new(table.get_name(), file as usize, move || rows(table, session.clone(), first, last))
        })
    };
    Ok(TABLES.into_iter().flat_map(of).collect())
}

/// The given source rows of a table, counted from 1. (A source row of the sales tables is an order of several rows.)
fn rows(table: Table, session: Session, first: u64, last: u64) -> Rows {
    macro_rules! reader {
        ($($table:ident => $reader:ident,)*) => {
            match table {
                $(Table::$table => {
                    Box::new($reader::new(session).with_source_row_range(first, last).with_batch_size(BATCH_ROWS))
                })*
                // Not one of the tables above; the generator's own note on its version is the only other one.
                _ => Box::new(DbgenVersionArrow::new(session)),
            }
        };
    }
    reader! {
        StoreSales => StoreSalesArrow,
        CatalogSales => CatalogSalesArrow,
        WebSales => WebSalesArrow,
        Inventory => InventoryArrow,
        StoreReturns => StoreReturnsArrow,
        CatalogReturns => CatalogReturnsArrow,
        WebReturns => WebReturnsArrow,
        CallCenter => CallCenterArrow,
        CatalogPage => CatalogPageArrow,
        Customer => CustomerArrow,
        CustomerAddress => CustomerAddressArrow,
        CustomerDemographics => CustomerDemographicsArrow,
        DateDim => DateDimArrow,
        HouseholdDemographics => HouseholdDemographicsArrow,
        IncomeBand => IncomeBandArrow,
        Item => ItemArrow,
        Promotion => PromotionArrow,
        Reason => ReasonArrow,
        ShipMode => ShipModeArrow,
        Store => StoreArrow,
        TimeDim => TimeDimArrow,
        Warehouse => WarehouseArrow,
        WebPage => WebPageArrow,
        WebSite => WebSiteArrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_two_parts_are_those_of_the_whole() {
        let session = || SessionBuilder::new().with_scale_factor(0.01).build().unwrap();
        for table in TABLES {
            let count = session().get_scaling().get_row_count(table);
            let text = |first, last| -> Vec<String> {
                let batches: Vec<_> = rows(table, session(), first, last).map(Result::unwrap).collect();
                let printed = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
                printed
                    .lines()
                    .skip(3)
                    .filter(|line| !line.starts_with('+'))
                    .map(|line| line.replace(' ', ""))
                    .collect()
            };
            let count = count.min(2_000);
            let parts = [text(1, count / 2), text(count / 2 + 1, count)].concat();
            assert!(parts == text(1, count), "{}", table.get_name());
        }
    }

    #[test]
    fn large_tables_have_several_files() {
        let of = |scale: f64, table: Table| {
            let files = files(scale).unwrap();
            files.iter().filter(|file| file.table() == table.get_name()).count()
        };
        assert_eq!((of(1.0, Table::Store), of(1.0, Table::Inventory)), (1, 8));
        assert!(of(10.0, Table::StoreSales) > of(1.0, Table::StoreSales));
    }
}
