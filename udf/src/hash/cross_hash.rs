//! `cross_hash(features, n[, hash, seed, on_null])`: the bucket of a combination of values.

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::hash::cross::{Crosses, FEATURES_DOC, ON_NULL_DOC, OnNull, cross_argument};
use crate::hash::library::{ByteHash, HashTask, Hashing};
use crate::hash::{HASH_DOC, SEED_DOC};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

static SPEC: Spec = Spec {
    name: "cross_hash",
    section: "Hashing",
    summary: "The bucket of the combination of several values, from 0 to n - 1 ('hivemall': from 1 to n): the hash_bucket \
              of the text that feature_cross gives for all of them, in which every name and value has its length before \
              it. The order counts: a x b is not b x a. A null list or struct, an empty one, and one with a null in it \
              (unless on_null is 'value') give null.",
    parameters: &[
        required("features", FEATURES_DOC),
        required("n", "How many buckets: at least 1; at most 2147483647 unless the hash has 64 bits."),
        optional("hash", "'spark_v3'", HASH_DOC),
        optional("seed", "NULL", SEED_DOC),
        optional("on_null", "'skip'", ON_NULL_DOC),
    ],
    example: "select cross_hash(['Oslo', 'web'], 1000); -- 665",
};

#[derive(Debug)]
pub(crate) struct CrossHash;

fn options(constants: &Constants) -> Result<(Hashing, OnNull)> {
    Ok((Hashing::of(constants, "n", i64::MAX)?, OnNull::of(constants)?))
}

impl Kernel for CrossHash {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = cross_argument(SPEC.name, &types[0])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("n") {
            options(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, DataType::Int64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (hashing, on_null) = options(constants)?;
        let features = arguments[0].to_array(rows)?;
        let crosses = Crosses::of(&features)?;
        let buckets = hashing.run(HashCrosses { crosses: &crosses, rows: features.len(), hashing: &hashing, on_null });
        Ok(Arc::new(buckets))
    }
}

struct HashCrosses<'a> {
    crosses: &'a Crosses,
    rows: usize,
    hashing: &'a Hashing,
    on_null: OnNull,
}

impl HashTask for HashCrosses<'_> {
    type Output = Int64Array;

    fn run<H: ByteHash>(self, hash: H) -> Int64Array {
        let mut text = String::new();
        let bucket = |row: usize| {
            let width = if self.crosses.is_null(row) { 0 } else { self.crosses.width(row) };
            let made = width > 0 && self.crosses.write(row, 0..width, self.on_null, &mut text);
            made.then(|| hash.bucket(hash.bytes(text.as_bytes()), &self.hashing.buckets))
        };
        (0..self.rows).map(bucket).collect()
    }
}
