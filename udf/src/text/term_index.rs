//! Terms by number: texts as they are, or the buckets that they hash to.

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::Result;
use std::sync::Arc;

use crate::category::CategoryIndex;
use crate::hash::murmur3_x86_32;

/// The seed of Spark's `HashingTF`.
const SEED: u32 = 42;

/// The bucket of a token, as Spark's `HashingTF` since 3.0: murmur3 with seed 42 of its UTF-8 bytes, modulo `dims` and
/// never negative.
pub(crate) fn bucket(token: &str, dims: i32) -> i64 {
    i64::from(murmur3_x86_32(token.as_bytes(), SEED)).rem_euclid(i64::from(dims.max(1)))
}

fn text_buckets(texts: &StringArray, dims: i32) -> Int64Array {
    texts.iter().map(|text| text.map(|text| bucket(text, dims))).collect()
}

/// The buckets of tokens, which are `Utf8` or a dictionary of it.
fn buckets(tokens: &ArrayRef, dims: i32) -> Result<ArrayRef> {
    match tokens.as_dictionary_opt::<Int32Type>() {
        Some(keyed) => {
            let of_values = text_buckets(keyed.values().as_string::<i32>(), dims);
            Ok(take(&of_values, keyed.keys(), None)?)
        }
        None => Ok(Arc::new(text_buckets(tokens.as_string::<i32>(), dims))),
    }
}

/// The keys by which tokens are counted: themselves, or their buckets.
pub(crate) fn keys_of(tokens: &ArrayRef, dims: Option<i32>) -> Result<ArrayRef> {
    match dims {
        None => Ok(Arc::clone(tokens)),
        Some(dims) => buckets(tokens, dims),
    }
}

/// An index of no keys yet.
pub(crate) fn key_index(dims: Option<i32>) -> CategoryIndex {
    CategoryIndex::new(if dims.is_some() { &DataType::Int64 } else { &DataType::Utf8 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_spark() {
        // murmur3 with seed 42 of "a" is -1293573533 and of "hello" -488910111 (shared/golden); Spark's nonNegativeMod.
        assert_eq!(bucket("a", 1 << 18), (-1293573533i64).rem_euclid(1 << 18));
        assert_eq!(bucket("hello", 1000), 889);
        assert_eq!(bucket("hello", 1), 0);
    }
}
