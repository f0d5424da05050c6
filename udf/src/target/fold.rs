//! `fold_of(key, k[, seed])`: the fold of a row, a pure function of its key.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::categories::rows_of;
use crate::category::category_argument;
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::stable_hash::{hash_keys, scaled};

/// The most folds that a fit keeps apart: its state grows with them.
pub(super) const MOST_FOLDS: i64 = 1000;

/// The folds of keys: `floor(MurmurHash64A(key, seed) * k / 2^64)`; null for a null.
pub(super) fn folds(keys: &ArrayRef, k: i64, seed: i64) -> Result<Int64Array> {
    let (hashes, nulls) = hash_keys(keys, seed as u64)?;
    let folds: Vec<i64> = hashes.into_iter().map(|hash| scaled(hash, k)).collect();
    Ok(Int64Array::new(folds.into(), nulls))
}

static SPEC: Spec = Spec {
    name: "fold_of",
    section: "Target encoding",
    summary: "The fold of a row, from 0 to k - 1, by the hash of its key (MurmurHash64A): the same in every run, \
              partition and process. The folds of fit_target_encoding are these. Give a group's key (as a user's) to \
              keep a group in one fold. Null for a null.",
    parameters: &[
        required("key", "The key of the row: a text, a number, or what can be cast to a text."),
        required("k", "How many folds: a constant from 1 to 1000."),
        optional("seed", "42", "Another seed gives other folds: a constant whole number."),
    ],
    example: "select fold_of('user 1', 5);",
};

/// The default seed of folds.
pub(super) const SEED: i64 = 42;

#[derive(Debug)]
pub(crate) struct FoldOf;

fn options(constants: &Constants) -> Result<(i64, i64)> {
    let k = constants.given("k", constants.integer_within("k", 1, MOST_FOLDS)?)?;
    Ok((k, constants.integer("seed")?.unwrap_or(SEED)))
}

impl Kernel for FoldOf {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        options(constants)?;
        Ok(Arc::new(Field::new(SPEC.name, DataType::Int64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (k, seed) = options(constants)?;
        Ok(Arc::new(folds(&rows_of(&arguments[0], rows)?, k, seed)?))
    }
}
