//! `feature_hash(features, dims[, signed, hash, seed])`: the hashing trick, from texts or a struct to a sparse vector.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::hash::column::{Wanted, hash_column};
use crate::hash::library::{ByteHash, Divisor, HashLibrary, HashTask, Hashing};
use crate::hash::text::{has_text, used_elements};
use crate::hash::{HASH_DOC, SEED_DOC};
use crate::scalar::Kernel;
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, optional, required};
use crate::state::list_of;

static SPEC: Spec = Spec {
    name: "feature_hash",
    section: "Hashing",
    summary: "A sparse vector of hashed features (the hashing trick). A list gives 1 at the bucket of each of its texts, \
              as scikit-learn's FeatureHasher of strings and Spark's HashingTF. A struct gives, as Spark's FeatureHasher, \
              the value of a number at the bucket of the field's name, and 1 at the bucket of the text name=value for \
              other fields. Values in one bucket add up; nulls are left out, and so are numbers that are 0 under \
              'sklearn'. A null list or struct gives null.",
    parameters: &[
        required("features", "A list of texts (other elements are hashed as their text), or a struct."),
        required("dims", "The dimension of the vector, 1 to 2147483647; 'hivemall' adds a place 0 for a bias."),
        optional(
            "signed",
            "false",
            "Whether features whose hash is negative are subtracted, as scikit-learn's alternate_sign does by default.",
        ),
        optional("hash", "'spark_v3'", HASH_DOC),
        optional("seed", "NULL", SEED_DOC),
    ],
    example: "select feature_hash(named_struct('real', 2.2, 'string', 'foo'), 262144); \
              -- {indices: [174475, 257907], values: [2.2, 1.0]}",
};

#[derive(Debug)]
pub(crate) struct FeatureHash;

fn options(constants: &Constants) -> Result<(Hashing, bool)> {
    let hashing = Hashing::of(constants, "dims", i64::from(i32::MAX))?;
    if hashing.dimension() > i64::from(i32::MAX) {
        return Err(constants.error("dims", format!("must be at most {} under 'hivemall'", i32::MAX - 1)));
    }
    Ok((hashing, constants.boolean("signed")?.unwrap_or(false)))
}

/// The type of a field that has a value of its own at the bucket of its name.
fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_number(value),
        other => other.is_numeric(),
    }
}

impl Kernel for FeatureHash {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        let wrong = |data_type: &DataType| {
            plan_err!(
                "features of feature_hash must be a list of texts or a struct of numbers and texts: it is of type \
                       {data_type}"
            )
        };
        match &types[0] {
            DataType::Null => types[0] = list_of(DataType::Utf8),
            DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
                match field.data_type() {
                    DataType::Null => types[0] = list_of(DataType::Utf8),
                    element if has_text(element) => types[0] = list_of(element.clone()),
                    _ => return wrong(&types[0]),
                }
            }
            DataType::Struct(fields) => {
                if !fields.iter().all(|field| has_text(field.data_type())) {
                    return wrong(&types[0]);
                }
            }
            other => return wrong(other),
        }
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let dimension = match constants.is_varying("dims") {
            true => None,
            false => Some(options(constants)?.0.dimension()),
        };
        Ok(vector_field(SPEC.name, sparse_type(), dimension))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (hashing, signed) = options(constants)?;
        let features = arguments[0].to_array(rows)?;
        let vectors = match features.as_struct_opt() {
            Some(features) => hash_structs(features, &hashing, signed)?,
            None => {
                let lists = features.as_list::<i32>();
                let elements = used_elements(lists);
                // An empty prefix: whatever is not a text is hashed as its text.
                let hashes = hash_column(&elements, &hashing, Some("").filter(|_| !is_text(&elements)), Wanted::Hash)?;
                hashing.run(HashLists { lists, hashes: &hashes, buckets: hashing.buckets, signed })
            }
        };
        Ok(Arc::new(vectors.finish()?))
    }
}

fn is_text(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Dictionary(_, value) => value.is_string(),
        other => other.is_string(),
    }
}

/// The place of a hash, and the sign of what goes there.
fn place<H: ByteHash>(hash: H, value: i64, buckets: &Divisor, signed: bool) -> (i32, f64) {
    let sign = if signed && value < 0 { -1.0 } else { 1.0 };
    (hash.bucket(value, buckets) as i32, sign)
}

struct HashLists<'a> {
    lists: &'a ListArray,
    /// The hashes of the elements that the lists use, from the first on.
    hashes: &'a Int64Array,
    buckets: Divisor,
    signed: bool,
}

impl HashTask for HashLists<'_> {
    type Output = SparseBuilder;

    fn run<H: ByteHash>(self, hash: H) -> SparseBuilder {
        let mut vectors = SparseBuilder::default();
        let first = self.lists.value_offsets().first().copied().unwrap_or(0);
        for (row, bounds) in self.lists.value_offsets().windows(2).enumerate() {
            if self.lists.is_null(row) {
                vectors.null_row();
                continue;
            }
            for element in (bounds[0] - first) as usize..(bounds[1] - first) as usize {
                if self.hashes.is_valid(element) {
                    let (index, sign) = place(hash, self.hashes.value(element), &self.buckets, self.signed);
                    vectors.add(index, sign);
                }
            }
            vectors.end_row();
        }
        vectors
    }
}

/// One field of a struct.
enum FieldHashes {
    /// One place for all rows, and each row's value there.
    Number { hash: i64, values: Float64Array },
    /// A place for each row.
    Category { hashes: Int64Array },
}

fn hash_structs(features: &StructArray, hashing: &Hashing, signed: bool) -> Result<SparseBuilder> {
    let mut columns = Vec::with_capacity(features.num_columns());
    for (field, column) in features.fields().iter().zip(features.columns()) {
        columns.push(if is_number(field.data_type()) {
            let name: ArrayRef = Arc::new(StringArray::from(vec![field.name().as_str()]));
            let hash = hash_column(&name, hashing, None, Wanted::Hash)?.value(0);
            let values = cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
            FieldHashes::Number { hash, values }
        } else {
            let hashes = hash_column(column, hashing, Some(&format!("{}=", field.name())), Wanted::Hash)?;
            FieldHashes::Category { hashes }
        });
    }
    let skip_zeros = hashing.library == HashLibrary::Sklearn;
    Ok(hashing.run(HashStructs { features, columns: &columns, buckets: hashing.buckets, signed, skip_zeros }))
}

struct HashStructs<'a> {
    features: &'a StructArray,
    columns: &'a [FieldHashes],
    buckets: Divisor,
    signed: bool,
    skip_zeros: bool,
}

impl HashTask for HashStructs<'_> {
    type Output = SparseBuilder;

    fn run<H: ByteHash>(self, hash: H) -> SparseBuilder {
        let mut vectors = SparseBuilder::default();
        for row in 0..self.features.len() {
            if self.features.is_null(row) {
                vectors.null_row();
                continue;
            }
            for column in self.columns {
                let (value, number) = match column {
                    FieldHashes::Number { hash, values } if values.is_valid(row) => (*hash, values.value(row)),
                    FieldHashes::Category { hashes } if hashes.is_valid(row) => (hashes.value(row), 1.0),
                    _ => continue,
                };
                if number != 0.0 || !self.skip_zeros {
                    let (index, sign) = place(hash, value, &self.buckets, self.signed);
                    vectors.add(index, sign * number);
                }
            }
            vectors.end_row();
        }
        vectors
    }
}

#[cfg(test)]
mod tests;
