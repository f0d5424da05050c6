//! The eight TPC-H tables: their names, into how many files each goes, and where their rows come from.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use crate::sql::{DataFile, Rows};

/// Rows of one batch on the way from the generator to the file.
const BATCH_ROWS: usize = 8192;

/// The files of all tables, the largest tables first, so that the long pieces of work start early.
pub(crate) fn files(scale: f64) -> Vec<DataFile> {
    let of = |table: Table| {
        let files = table.files(scale);
        (1..=files).map(move |file| DataFile::new(table.name(), file as usize, move || table.rows(scale, file, files)))
    };
    Table::ALL.into_iter().flat_map(of).collect()
}

/// A TPC-H table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    LineItem,
    Orders,
    PartSupp,
    Part,
    Customer,
    Supplier,
    Nation,
    Region,
}

impl Table {
    /// All tables, the largest first, so that the long pieces of work start early.
    const ALL: [Self; 8] = [
        Self::LineItem,
        Self::Orders,
        Self::PartSupp,
        Self::Part,
        Self::Customer,
        Self::Supplier,
        Self::Nation,
        Self::Region,
    ];

    /// The table's name in the queries, and of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::LineItem => "lineitem",
            Self::Orders => "orders",
            Self::PartSupp => "partsupp",
            Self::Part => "part",
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Nation => "nation",
            Self::Region => "region",
        }
    }

    /// Into how many files the table goes: files of some hundred megabytes at most, at least two for the two tables
    /// that every heavy query reads. Does not depend on the machine, so that data sets are alike everywhere.
    fn files(self, scale: f64) -> i32 {
        let files = match self {
            Self::LineItem | Self::Orders => (2.0 * scale).max(2.0),
            Self::PartSupp => scale,
            Self::Part | Self::Customer => scale / 4.0,
            Self::Supplier => scale / 50.0,
            Self::Nation | Self::Region => 1.0,
        };
        files.ceil().max(1.0) as i32
    }

    /// The rows of the given file of the table, counted from 1.
    fn rows(self, scale: f64, file: i32, files: i32) -> Rows {
        macro_rules! reader {
            ($arrow:ident, $generator:ident) => {
                Box::new($arrow::new($generator::new(scale, file, files)).with_batch_size(BATCH_ROWS))
            };
        }
        match self {
            Self::LineItem => reader!(LineItemArrow, LineItemGenerator),
            Self::Orders => reader!(OrderArrow, OrderGenerator),
            Self::PartSupp => reader!(PartSuppArrow, PartSuppGenerator),
            Self::Part => reader!(PartArrow, PartGenerator),
            Self::Customer => reader!(CustomerArrow, CustomerGenerator),
            Self::Supplier => reader!(SupplierArrow, SupplierGenerator),
            Self::Nation => reader!(NationArrow, NationGenerator),
            Self::Region => reader!(RegionArrow, RegionGenerator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn large_tables_have_several_files_at_any_scale() {
        assert_eq!((Table::LineItem.files(0.01), Table::Orders.files(0.01)), (2, 2));
        assert_eq!((Table::LineItem.files(10.0), Table::PartSupp.files(10.0), Table::Part.files(10.0)), (20, 10, 3));
        assert_eq!((Table::Supplier.files(1_000.0), Table::Nation.files(1_000.0)), (20, 1));
    }
}
