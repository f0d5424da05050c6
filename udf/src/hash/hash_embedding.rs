//! `hash_embedding(x, k, buckets[, weights, mode, seed])`: the rows of a small embedding table for a large vocabulary.

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::hash::column::{Wanted, hash_column};
use crate::hash::library::{Divisor, HashLibrary, Hashing};
use crate::hash::text::has_text;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::stable_hash::draw;
use crate::state::{list_of, struct_of};

/// How many hash functions there may be.
const MOST_FUNCTIONS: i64 = 1024;

static SPEC: Spec = Spec {
    name: "hash_embedding",
    section: "Hashing",
    summary: "Where to find the embedding of a value. The mode 'hash' (Svenstrup, Hansen and Winther 2017, Hash \
              Embeddings) gives a struct of indices, k rows of a shared table, and weight, a row of the table of \
              importance weights: h = XXH64(text of x, seed) seeds SplitMix64, whose first output modulo weights is the \
              weight, and whose next k outputs modulo buckets are the indices. The mode 'quotient_remainder' (Shi et al. \
              2020) gives a struct of x / buckets and x % buckets for a whole number. Null gives null.",
    parameters: &[
        required("x", "A text, a number, a boolean, a date or a time; a whole number from 0 for 'quotient_remainder'."),
        required("k", "How many rows, 1 to 1024; 2 for 'quotient_remainder', whose parts are two."),
        required("buckets", "How many rows the table has, 1 to 2147483647; or the divisor."),
        optional("weights", "NULL", "How many rows the table of weights has, at least 1. NULL: the weight is null."),
        optional("mode", "'hash'", "'hash' or 'quotient_remainder'."),
        optional("seed", "0", "The seed of the hash, for 'hash'."),
    ],
    example: "select hash_embedding('user=1', 2, 1000, 100000);",
};

#[derive(Debug)]
pub(crate) struct HashEmbedding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Hash,
    QuotientRemainder,
}

impl Mode {
    fn of(constants: &Constants) -> Result<Self> {
        let choices = [("hash", Self::Hash), ("quotient_remainder", Self::QuotientRemainder)];
        Ok(constants.choice("mode", &choices)?.unwrap_or(Self::Hash))
    }

    fn result_type(self) -> DataType {
        match self {
            Self::Hash => struct_of(&[("indices", list_of(DataType::Int32)), ("weight", DataType::Int64)]),
            Self::QuotientRemainder => struct_of(&[("quotient", DataType::Int64), ("remainder", DataType::Int64)]),
        }
    }
}

struct Options {
    functions: usize,
    buckets: Divisor,
    weights: Option<Divisor>,
    seed: i64,
}

fn options(mode: Mode, constants: &Constants) -> Result<Options> {
    let (least, most) = if mode == Mode::Hash { (1, MOST_FUNCTIONS) } else { (2, 2) };
    let functions = constants.given("k", constants.integer_within("k", least, most)?)?;
    let buckets = constants.given("buckets", constants.integer_within("buckets", 1, i64::from(i32::MAX))?)?;
    let weights = constants.integer_within("weights", 1, i64::MAX)?;
    Ok(Options {
        functions: functions as usize,
        buckets: Divisor::new(buckets as u64),
        weights: weights.map(|weights| Divisor::new(weights as u64)),
        seed: constants.integer("seed")?.unwrap_or(0),
    })
}

impl Kernel for HashEmbedding {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        match &types[0] {
            DataType::Null => types[0] = DataType::Int64,
            known if has_text(known) => {}
            other => {
                return plan_err!("x of hash_embedding must be a text or a number: it is of type {other}");
            }
        }
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let mode = Mode::of(constants)?;
        let data_type = match fields[0].data_type() {
            DataType::Dictionary(_, value) => value,
            other => other,
        };
        if mode == Mode::QuotientRemainder && !data_type.is_integer() {
            return Err(constants
                .error("x", format!("must be a whole number for 'quotient_remainder': it is of type {data_type}")));
        }
        if !["k", "buckets", "weights"].iter().any(|parameter| constants.is_varying(parameter)) {
            options(mode, constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, mode.result_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let mode = Mode::of(constants)?;
        let options = options(mode, constants)?;
        let column = arguments[0].to_array(rows)?;
        let (columns, nulls) = match mode {
            Mode::Hash => hash(&column, &options)?,
            Mode::QuotientRemainder => quotient_remainder(&column, &options)?,
        };
        let DataType::Struct(fields) = mode.result_type() else {
            return exec_err!("the result of hash_embedding is a struct");
        };
        Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
    }
}

type Parts = (Vec<ArrayRef>, Option<NullBuffer>);

fn hash(column: &ArrayRef, options: &Options) -> Result<Parts> {
    let count = column.len().checked_mul(options.functions).filter(|count| i32::try_from(*count).is_ok());
    let Some(count) = count else {
        return exec_err!("a batch of hash_embedding has more than {} indices: use smaller batches", i32::MAX);
    };
    let hashing = Hashing::seeded(HashLibrary::Xxh64, options.seed as u64);
    let hashes = hash_column(column, &hashing, None, Wanted::Hash)?;
    let mut indices: Vec<i32> = Vec::with_capacity(count);
    let mut weights: Vec<i64> = Vec::with_capacity(column.len());
    for hash in hashes.values() {
        // The first number drawn is the weight's, the next are the indices'.
        let number = |place: usize| draw(*hash as u64, place as u64);
        weights.push(options.weights.map_or(0, |weights| weights.remainder(number(0)) as i64));
        indices.extend((1..=options.functions).map(|place| options.buckets.remainder(number(place)) as i32));
    }
    let field = Arc::new(Field::new_list_field(DataType::Int32, true));
    let offsets = OffsetBuffer::from_repeated_length(options.functions, column.len());
    let indices = ListArray::try_new(field, offsets, Arc::new(Int32Array::from(indices)), None)?;
    let weights: ArrayRef = match options.weights {
        Some(_) => Arc::new(Int64Array::from(weights)),
        None => Arc::new(Int64Array::new_null(column.len())),
    };
    Ok((vec![Arc::new(indices), weights], hashes.nulls().cloned()))
}

fn quotient_remainder(column: &ArrayRef, options: &Options) -> Result<Parts> {
    let strict = CastOptions { safe: false, ..Default::default() };
    let numbers = cast_with_options(column, &DataType::Int64, &strict)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    if let Some(negative) = numbers.iter().flatten().find(|number| *number < 0) {
        return exec_err!("x of hash_embedding must not be negative for 'quotient_remainder': it is {negative}");
    }
    let divisor = options.buckets.number() as i64;
    let quotients: Int64Array = numbers.unary(|number| number / divisor);
    let remainders: Int64Array = numbers.unary(|number| number % divisor);
    Ok((vec![Arc::new(quotients), Arc::new(remainders)], numbers.nulls().cloned()))
}

#[cfg(test)]
mod tests;
