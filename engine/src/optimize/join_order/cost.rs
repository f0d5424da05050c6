//! What a hash join costs, in nanoseconds of one core.
//!
//! Fitted to what `EXPLAIN ANALYZE` says of the joins of queries 2, 8, 9 and 17 of TPC-H at scale 10, on a Xeon at 2.5 GHz. Only
//! how the numbers compare matters. A place in a table that fits the core's cache is found at once; in a larger one each is another wait
//! for memory. Rows that come out are copied column by column, texts among them, and soon cost more than all lookups.

use crate::profile::MIN_KEY_DENSITY;

/// A table of so many bytes is near.
const NEAR: f64 = (1 << 20) as f64;
/// How the costs of a place in it grow with a larger table's bytes.
const GROWTH_IN_ARRAY: f64 = 0.4;
const GROWTH_BY_HASH: f64 = 0.45;
/// Numbers are mostly put into an array in their order, and not far from each other.
const GROWTH_OF_ARRAY: f64 = 0.2;
/// A row put into an array that is near, and one looked up in it.
const HELD_IN_ARRAY: f64 = 20.0;
const LOOKED_UP_IN_ARRAY: f64 = 3.5;
/// The same of a hash table.
const HELD_BY_HASH: f64 = 25.0;
const LOOKED_UP_BY_HASH: f64 = 4.0;
/// Each key but the first is hashed and compared as well.
const FURTHER_KEY: f64 = 4.0;
/// Bytes of a row's place in an array, and in a hash table with its chain.
const PLACE_IN_ARRAY: f64 = 4.0;
const PLACE_IN_HASH_TABLE: f64 = 24.0;
/// A held row's bytes are gathered into one batch.
const BYTE_HELD: f64 = 0.3;
const COMES_OUT: f64 = 4.0;
const BYTE_COMES_OUT: f64 = 0.4;

/// Rows of one side of a join.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) rows: f64,
    /// Bytes of a row.
    pub(super) width: f64,
}

/// How the sides of a join find each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) count: usize,
    /// How far apart the least and the greatest key of the held side are, where that is known.
    pub(super) span: Option<f64>,
}

/// The cost of a join that holds one side, looks up the rows of another in it, and gives rows.
pub(super) fn of_join(held: Rows, looked_up: Rows, gives: Rows, keys: Keys) -> f64 {
    let array = keys.span.filter(|span| keys.count == 1 && held.rows / span >= MIN_KEY_DENSITY);
    let farness = |bytes: f64, growth: f64| (bytes / NEAR).max(1.0).powf(growth);
    let (of_held, of_looked_up) = match array {
        Some(span) => {
            let bytes = span * PLACE_IN_ARRAY;
            let held = HELD_IN_ARRAY * farness(bytes, GROWTH_OF_ARRAY);
            (held, LOOKED_UP_IN_ARRAY * farness(bytes, GROWTH_IN_ARRAY))
        }
        None => {
            let further = FURTHER_KEY * (keys.count.max(1) - 1) as f64;
            let far = farness(held.rows * PLACE_IN_HASH_TABLE, GROWTH_BY_HASH);
            (HELD_BY_HASH * far + further, LOOKED_UP_BY_HASH * far + further)
        }
    };
    held.rows * (of_held + held.width * BYTE_HELD)
        + looked_up.rows * of_looked_up
        + gives.rows * (COMES_OUT + gives.width * BYTE_COMES_OUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: f64, width: f64) -> Rows {
        Rows { rows, width }
    }

    const ONE: Keys = Keys { count: 1, span: None };

    #[test]
    fn a_small_table_is_looked_up_for_less_than_a_large_one() {
        let cost = |held: f64, span: f64| {
            of_join(rows(held, 8.0), rows(6e7, 8.0), rows(1.0, 16.0), Keys { count: 1, span: Some(span) })
        };
        // A few thousand keys of two million, by hash; four million of sixty million, by place.
        assert!(cost(8e3, 2e6) < cost(4e6, 6e7));
        // As many keys are found faster by place.
        assert!(cost(1e5, 1e5) < cost(1e5, 1e9));
    }

    #[test]
    fn wide_rows_and_further_keys_cost_more() {
        let cost = |width: f64, keys: Keys| of_join(rows(1e4, 8.0), rows(1e6, 8.0), rows(1e6, width), keys);
        assert!(cost(160.0, ONE) > 2.0 * cost(16.0, ONE));
        assert!(cost(16.0, Keys { count: 2, ..ONE }) > cost(16.0, ONE));
    }
}
