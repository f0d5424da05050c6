//! A table of the shape of ClickBench's `hits`, drawn instead of downloaded.
//!
//! The real table holds 100 million page views that a web analytics service counted in July 2013. This one has its 105
//! columns, and in those that the 43 queries look at about its shares and frequencies: few large sites (`CounterID`)
//! and many small ones, pages and search phrases by Zipf's law, a long tail of users, mostly empty search phrases and
//! phone models. The rows stand in the order of site and day, as in the real table, so that the statistics of Parquet
//! files can rule out most of the table for the queries of one site. Texts are made of invented words, partly Cyrillic.
//!
//! Every row depends on its number and the number of all rows only. The longer the table, the more users, addresses and
//! search phrases it has: a fifth to a quarter of the rows have an address of their own from a million rows on, and
//! more in shorter tables, where most of the small sites have a handful of rows.

mod columns;
mod random;
mod sites;
mod texts;
mod visitors;
mod visits;

#[cfg(test)]
mod tests;

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use self::texts::Texts;
use self::visits::{Hit, Visits};

/// Rows of one batch on the way from the generator to the file.
const BATCH_ROWS: usize = 8192;

/// The table's columns. None of them is ever null.
pub(super) fn schema() -> SchemaRef {
    columns::schema()
}

/// The rows of one of the files that a table of so many rows goes into, counted from 0. The files hold equal parts of
/// the table's order, one after another.
pub(super) fn rows(
    total_rows: u64,
    file: usize,
    files: usize,
) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send {
    let rows = part(total_rows, file, files);
    let texts = Texts::new(total_rows);
    let visits = Visits::new(texts.sites(), total_rows, rows.start);
    Batches { schema: schema(), texts, visits, left: rows.end - rows.start, hits: Vec::with_capacity(BATCH_ROWS) }
}

/// Which rows of the table a file has.
fn part(total_rows: u64, file: usize, files: usize) -> Range<u64> {
    let border = |file: usize| {
        let share = u128::from(total_rows) * file as u128 / files.max(1) as u128;
        share.min(u128::from(total_rows)) as u64
    };
    border(file)..border(file + 1)
}

/// Draws a file batch by batch.
struct Batches {
    schema: SchemaRef,
    texts: Texts,
    visits: Visits,
    left: u64,
    hits: Vec<Hit>,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.left.min(BATCH_ROWS as u64);
        if rows == 0 {
            return None;
        }
        self.left -= rows;
        self.hits.clear();
        self.hits.extend((0..rows).map(|_| self.visits.next(self.texts.sites())));
        Some(columns::batch(&self.schema, &self.texts, &self.hits))
    }
}
