//! ClickBench: its 43 queries, over a generated table in the shape of the real `hits`.
//!
//! The real table has 100 million rows of a web analytics service. The generated one has its columns and types, and
//! distributions like those known of it where a query depends on them; times of the two do not compare.

mod hits;

use arrow::record_batch::RecordBatchIterator;
use sluice::Result;

use crate::sql::{DataFile, Query, Rows, query_texts};

/// Rows at scale 1.
const ROWS: f64 = 1_000_000.0;
/// Rows of a file.
const FILE_ROWS: u64 = 1_000_000;

const TEXTS: [&str; 43] = query_texts!("clickbench":
    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22
    23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43);

/// Number of queries.
pub(crate) const COUNT: u8 = TEXTS.len() as u8;

/// The constants that depend on how many rows there are: the least count of a group in Q28 and Q29, and the offset of Q42.
/// The published ones are for a hundred million rows.
const LEAST_COUNT: &str = "count(*) > 100000";
const LEAST_COUNT_AT_SCALE_1: f64 = 1_000.0;
const OFFSET: &str = "offset 10000";
const OFFSET_AT_SCALE_1: f64 = 100.0;

/// The query of that number for data of that scale, or nothing where there is none.
pub(crate) fn query(number: u8, scale: f64) -> Option<Result<Query>> {
    let text = TEXTS.get(usize::from(number).checked_sub(1)?)?;
    let text = text
        .replace(LEAST_COUNT, &format!("count(*) > {:.0}", LEAST_COUNT_AT_SCALE_1 * scale))
        .replace(OFFSET, &format!("offset {:.0}", OFFSET_AT_SCALE_1 * scale));
    Some(Query::parse(number, &text))
}

/// The files of the table.
pub(crate) fn files(scale: f64) -> Vec<DataFile> {
    let rows = (ROWS * scale).round().max(1.0) as u64;
    let files = rows.div_ceil(FILE_ROWS).max(2) as usize;
    (0..files).map(|file| DataFile::new("hits", file + 1, move || reader(rows, file, files))).collect()
}

fn reader(rows: u64, file: usize, files: usize) -> Rows {
    Box::new(RecordBatchIterator::new(hits::rows(rows, file, files), hits::schema()))
}

#[cfg(test)]
mod tests {
    use super::{COUNT, query};

    #[test]
    fn every_query_is_one_statement() {
        for number in 1..=COUNT {
            let query = query(number, 1.0).unwrap().unwrap();
            assert!(query.setup.is_empty() && query.cleanup.is_empty(), "Q{number}");
        }
        assert!(query(0, 1.0).is_none() && query(44, 1.0).is_none());
    }

    #[test]
    fn constants_that_depend_on_the_rows_follow_the_scale() {
        let select = |number, scale| query(number, scale).unwrap().unwrap().select;
        assert!(select(28, 100.0).contains("count(*) > 100000\n") && select(29, 0.5).contains("count(*) > 500\n"));
        assert!(select(42, 100.0).ends_with("offset 10000") && select(42, 2.0).ends_with("offset 200"));
    }
}
