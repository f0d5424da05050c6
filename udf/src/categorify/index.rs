//! `fit_categorify`, `categorify_apply` and `string_index_apply`: categories as dense numbers for embedding tables.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::by_frequency;
use crate::categories::{Categories, Fallback, NO_PLACE, categories_of, coerce_category, coerce_to, rows_of};
use crate::constants::Constants;
use crate::counting::{CountingFit, element_of, option_names, read_counting};
use crate::scalar::Kernel;
use crate::spec::{Parameter, Spec, optional, required};
use crate::stable_hash::BucketHash;
use crate::state::{StateCache, StateReader, check_state_type, list_of};

const KIND: &str = "categorify/1";

/// The numbers that stand for padding and for null; the buckets follow them.
const NULL_INDEX: i64 = 1;
const FIRST_BUCKET: i64 = 2;

static FIT: Spec = Spec {
    name: "fit_categorify",
    section: "Categories",
    summary: "The categories of a column and their counts, from which categorify_apply and string_index_apply number \
              them. A list counts its elements, so that fit_categorify([a, b]) gives one vocabulary for several \
              columns.",
    parameters: &[
        required("x", "The category, or a list of categories."),
        optional("min_frequency", "1", "A category of fewer rows is out of the vocabulary: at least 1."),
        optional(
            "max_size",
            "none",
            "The most numbers that there may be, padding, null and buckets included, which is the size of the embedding \
             table; the rarest categories are left out.",
        ),
        optional("oov_buckets", "1", "The numbers for what is out of the vocabulary: from 1 to 2^31 - 1."),
        optional(
            "hash",
            "'murmur64'",
            "Which hash picks the bucket of a value: 'murmur64' (MurmurHash64A) or 'spark_v3' (MurmurHash3 with seed 42).",
        ),
        optional(
            "order",
            "'frequency'",
            "The order of the vocabulary: 'frequency' (most frequent first, equal ones by value) or 'value'.",
        ),
    ],
    example: "select categorify_apply((select fit_categorify(city) from t), city) from t;",
};

const STATE: Parameter = required("state", "The result of fit_categorify.");
const X: Parameter = required("x", "The category, or a list of categories.");

static APPLY: Spec = Spec {
    name: "categorify_apply",
    section: "Categories",
    summary: "The number of a category, as NVTabular's Categorify: 0 is left for padding, 1 is null, then come the \
              buckets for what is out of the vocabulary, then the vocabulary. A list gives the list of its numbers; a \
              null list stays null.",
    parameters: &[STATE, X],
    example: "select categorify_apply((select fit_categorify(city, oov_buckets => 4) from t), city) from t;",
};

static STRING_INDEX: Spec = Spec {
    name: "string_index_apply",
    section: "Categories",
    summary: "The number of a category in the vocabulary, from 0, as Spark's StringIndexer.",
    parameters: &[
        STATE,
        X,
        optional(
            "handle_invalid",
            "'error'",
            "What a null and a value out of the vocabulary become: an error ('error'), the size of the vocabulary \
             ('keep') or null ('null').",
        ),
    ],
    example: "select string_index_apply((select fit_categorify(city) from t), city, handle_invalid => 'keep') from t;",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Frequency,
    Value,
}

const ORDERS: [(&str, Order); 2] = [("frequency", Order::Frequency), ("value", Order::Value)];

fn name_of<T: PartialEq>(choices: &[(&'static str, T)], choice: T) -> &'static str {
    choices.iter().find(|(_, known)| *known == choice).map_or("", |(name, _)| name)
}

/// The fit of vocabularies.
#[derive(Debug)]
pub(super) struct FitCategorify;

impl CountingFit for FitCategorify {
    const KIND: &'static str = KIND;
    const OPTIONS: &'static [(&'static str, DataType)] = &[
        ("min_frequency", DataType::Int64),
        ("max_size", DataType::Int64),
        ("oov_buckets", DataType::Int64),
        ("hash", DataType::Utf8),
        ("order", DataType::Utf8),
    ];
    const LISTS: bool = true;

    fn face(&self) -> &'static Spec {
        &FIT
    }

    fn options(&self, constants: &Constants) -> Result<Vec<ScalarValue>> {
        let least = constants.integer_within("min_frequency", 1, i64::MAX)?.unwrap_or(1);
        let buckets = constants.integer_within("oov_buckets", 1, i64::from(i32::MAX))?.unwrap_or(1);
        let most = constants.integer_within("max_size", FIRST_BUCKET + buckets, i64::MAX)?;
        let hash = constants.choice("hash", &BucketHash::NAMES)?.unwrap_or(BucketHash::Murmur64);
        let order = constants.choice("order", &ORDERS)?.unwrap_or(Order::Frequency);
        Ok(vec![
            ScalarValue::from(least),
            ScalarValue::Int64(most),
            ScalarValue::from(buckets),
            ScalarValue::from(name_of(&BucketHash::NAMES, hash)),
            ScalarValue::from(name_of(&ORDERS, order)),
        ])
    }
}

/// The numbers of a vocabulary.
#[derive(Debug)]
struct Vocabulary {
    categories: Categories,
    /// The place of each known category in the vocabulary, from 0; below 0 if it is not in it.
    ranks: Vec<i64>,
    size: i64,
    buckets: i64,
    hash: BucketHash,
}

impl Vocabulary {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (categories, counts) = read_counting(&reader)?;
        let least = reader.given("min_frequency", reader.integer("min_frequency")?)?;
        let buckets = reader.given("oov_buckets", reader.integer("oov_buckets")?)?;
        let hash = reader.given("hash", reader.text("hash")?)?;
        let Some((_, hash)) = BucketHash::NAMES.into_iter().find(|(name, _)| *name == hash) else {
            return exec_err!("the state has the unknown hash '{hash}'");
        };
        if !(1..=i64::from(i32::MAX)).contains(&buckets) {
            return exec_err!("the state has {buckets} buckets");
        }
        let most = match reader.integer("max_size")? {
            None => usize::MAX,
            Some(most) => usize::try_from(most.saturating_sub(FIRST_BUCKET + buckets)).unwrap_or(0),
        };
        let mut places = by_frequency(&counts, categories.known());
        places.retain(|place| counts.value(*place) >= least);
        places.truncate(most);
        if reader.text("order")?.as_deref() == Some(name_of(&ORDERS, Order::Value)) {
            places.sort_unstable();
        }
        let mut ranks = vec![-1; categories.known()];
        for (rank, place) in places.iter().enumerate() {
            ranks[*place] = rank as i64;
        }
        Ok(Some(Self { categories, ranks, size: places.len() as i64, buckets, hash }))
    }

    /// Numbers with padding, null and buckets in front.
    fn embedding(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let (missing, unseen) = (self.ranks.len() as u32, self.ranks.len() as u32 + 1);
        let places = self.categories.places(APPLY.name, values, Fallback::Place(missing), Fallback::Place(unseen))?;
        let first = FIRST_BUCKET + self.buckets;
        let known = |place: u32| match self.ranks.get(place as usize) {
            Some(rank) if *rank >= 0 => first + rank,
            _ if place == missing => NULL_INDEX,
            _ => FIRST_BUCKET,
        };
        let mut numbers: Vec<i64> = places.iter().map(|place| known(*place)).collect();
        if self.buckets > 1 && numbers.contains(&FIRST_BUCKET) {
            let buckets = self.hash.buckets(values, self.buckets)?;
            for (number, bucket) in numbers.iter_mut().zip(buckets) {
                if *number == FIRST_BUCKET {
                    *number += bucket;
                }
            }
        }
        Ok(Arc::new(Int64Array::from(numbers)))
    }

    /// Numbers from 0; what is not in the vocabulary becomes `invalid`, a null or an error.
    fn string_index(&self, values: &ArrayRef, invalid: Invalid) -> Result<ArrayRef> {
        let fallback = match invalid {
            Invalid::Error => Fallback::Error,
            Invalid::Keep | Invalid::Null => Fallback::Null,
        };
        let places = self.categories.places(STRING_INDEX.name, values, fallback, fallback)?;
        let rank = |place: u32| self.ranks.get(place as usize).copied().filter(|rank| place != NO_PLACE && *rank >= 0);
        let numbers: Int64Array = match invalid {
            Invalid::Keep => Int64Array::from_iter_values(places.iter().map(|p| rank(*p).unwrap_or(self.size))),
            Invalid::Null => places.iter().map(|place| rank(*place)).collect(),
            Invalid::Error => match places.iter().position(|place| rank(*place).is_none()) {
                None => Int64Array::from_iter_values(places.iter().filter_map(|place| rank(*place))),
                Some(row) => {
                    let text = crate::categories::text_of(values, row)?;
                    return exec_err!("{} found '{text}', which is not in the vocabulary", STRING_INDEX.name);
                }
            },
        };
        Ok(Arc::new(numbers))
    }
}

/// Applies a function of values to a column, or to the elements of a column of lists.
fn each_element(values: &ArrayRef, apply: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<ArrayRef> {
    let Some(lists) = values.as_list_opt::<i32>() else { return apply(values) };
    let numbers = apply(lists.values())?;
    let field = Arc::new(Field::new_list_field(numbers.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(field, lists.offsets().clone(), numbers, lists.nulls().cloned())?))
}

fn coerce(spec: &Spec, types: &[DataType]) -> Result<Vec<DataType>> {
    let mut coerced = types.to_vec();
    let (element, x) = (element_of(&types[1]), &types[1]);
    coerced[1] = match categories_of(&types[0]) {
        Some(known) if element != x => {
            coerce_to(spec, "x", known, element)?;
            list_of(known.clone())
        }
        _ => coerce_category(spec, "x", &types[0], x)?,
    };
    Ok(coerced)
}

fn index_type(x: &DataType) -> DataType {
    if element_of(x) == x { DataType::Int64 } else { list_of(DataType::Int64) }
}

fn planned(spec: &Spec, fields: &[FieldRef]) -> Result<FieldRef> {
    check_state_type(spec.name, fields[0].data_type(), &option_names::<FitCategorify>())?;
    Ok(Arc::new(Field::new(spec.name, index_type(fields[1].data_type()), true)))
}

/// `categorify_apply(state, x)`.
#[derive(Debug, Default)]
pub(super) struct CategorifyApply {
    cache: StateCache<Vocabulary>,
}

impl Kernel for CategorifyApply {
    fn spec(&self) -> &'static Spec {
        &APPLY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(&APPLY, types)
    }

    fn result(&self, fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        planned(&APPLY, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let x = rows_of(&arguments[1], rows)?;
        let result = index_type(x.data_type());
        self.cache.apply(&arguments[0], rows, &result, Vocabulary::decode, |vocabulary, range| {
            each_element(&x.slice(range.start, range.len()), |values| vocabulary.embedding(values))
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Invalid {
    Error,
    Keep,
    Null,
}

fn invalid(constants: &Constants) -> Result<Invalid> {
    let choices = [("error", Invalid::Error), ("keep", Invalid::Keep), ("null", Invalid::Null)];
    Ok(constants.choice("handle_invalid", &choices)?.unwrap_or(Invalid::Error))
}

/// `string_index_apply(state, x[, handle_invalid])`.
#[derive(Debug, Default)]
pub(super) struct StringIndexApply {
    cache: StateCache<Vocabulary>,
}

impl Kernel for StringIndexApply {
    fn spec(&self) -> &'static Spec {
        &STRING_INDEX
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(&STRING_INDEX, types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        invalid(constants)?;
        planned(&STRING_INDEX, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (x, invalid) = (rows_of(&arguments[1], rows)?, invalid(constants)?);
        let result = index_type(x.data_type());
        self.cache.apply(&arguments[0], rows, &result, Vocabulary::decode, |vocabulary, range| {
            each_element(&x.slice(range.start, range.len()), |values| vocabulary.string_index(values, invalid))
        })
    }
}
