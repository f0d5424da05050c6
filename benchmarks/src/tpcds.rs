//! TPC-DS: its tables, and its 99 queries with the qualification parameters of the specification.

mod tables;

use sluice::Result;

use crate::sql::{Query, query_texts};

pub(crate) use self::tables::files;

const TEXTS: [&str; 99] = query_texts!("tpcds":
    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33
    34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66
    67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99);

/// Number of queries.
pub(crate) const COUNT: u8 = TEXTS.len() as u8;

/// The query of that number, or nothing where there is none.
pub(crate) fn query(number: u8) -> Option<Result<Query>> {
    TEXTS.get(usize::from(number).checked_sub(1)?).map(|text| Query::parse(number, text))
}

#[cfg(test)]
mod tests {
    use super::{COUNT, query};

    #[test]
    fn every_query_is_one_statement() {
        for number in 1..=COUNT {
            let query = query(number).unwrap().unwrap();
            assert!(query.setup.is_empty() && query.cleanup.is_empty(), "Q{number}");
        }
        assert!(query(0).is_none() && query(100).is_none());
    }
}
