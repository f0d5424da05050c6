//! `hash_bucket(x, n[, hash, seed, salt])`: the bucket of a value.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::hash::column::{Wanted, hash_column, is_hashable};
use crate::hash::library::Hashing;
use crate::hash::text::has_text;
use crate::hash::{HASH_DOC, SEED_DOC};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

static SPEC: Spec = Spec {
    name: "hash_bucket",
    section: "Hashing",
    summary: "The bucket that the hash of a value falls in, from 0 to n - 1 ('hivemall': from 1 to n); null for null. \
              Texts are hashed as UTF-8 and bytes as they are. Under 'spark_v3' and 'spark_v2', booleans and whole \
              numbers of up to 32 signed bits are hashed as Spark's hashInt, wider ones and timestamps (in microseconds) \
              as hashLong, FLOAT and DOUBLE by their bits, dates by their days, decimals of up to 18 digits by their \
              unscaled value and wider ones by its bytes; under the other hashes all of these are hashed as the text \
              that a cast to VARCHAR gives. -0.0 is 0.0, and all NaN are one value.",
    parameters: &[
        required("x", "A value of any type but a list, a struct or a map."),
        required("n", "How many buckets: at least 1; at most 2147483647 unless the hash has 64 bits."),
        optional("hash", "'spark_v3'", HASH_DOC),
        optional("seed", "NULL", SEED_DOC),
        optional(
            "salt",
            "NULL",
            "The name of the column, for columns that share buckets: what is hashed is then the text salt=value, as the \
             feature hashers of Spark and scikit-learn do.",
        ),
    ],
    example: "select hash_bucket('user=1', 1000); -- 0",
};

#[derive(Debug)]
pub(crate) struct HashBucket;

fn options(constants: &Constants) -> Result<(Hashing, Option<String>)> {
    let hashing = Hashing::of(constants, "n", i64::MAX)?;
    Ok((hashing, constants.text("salt")?.map(|salt| format!("{salt}="))))
}

impl Kernel for HashBucket {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        if !is_hashable(&types[0]) {
            return plan_err!(
                "x of hash_bucket must not be of type {}: hash lists and structs with cross_hash or feature_hash",
                types[0]
            );
        }
        if types[0] == DataType::Null {
            types[0] = DataType::Utf8;
        }
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("n") {
            options(constants)?;
        }
        if constants.is_given("salt") && !has_text(fields[0].data_type()) {
            return plan_err!(
                "salt of hash_bucket needs a value that has a text: x is of type {}",
                fields[0].data_type()
            );
        }
        Ok(Arc::new(Field::new(SPEC.name, DataType::Int64, fields[0].is_nullable())))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (hashing, salt) = options(constants)?;
        let column = arguments[0].to_array(rows)?;
        Ok(Arc::new(hash_column(&column, &hashing, salt.as_deref(), Wanted::Bucket)?))
    }
}

#[cfg(test)]
mod tests;
