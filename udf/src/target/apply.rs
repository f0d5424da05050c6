//! `target_encoding_apply` and `target_encoding_out_of_fold`: the encodings of a state, looked up.

use arrow::array::{Array, ArrayRef, Float64Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::fit::{CLASSES, KIND, Read, key_type};
use super::fold::folds;
use super::tally::Tally;
use crate::categories::{Categories, Fallback, NO_PLACE, coerce_category, rows_of};
use crate::category::category_argument;
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type, list_of};

const STATE: Parameter = required("state", "The result of fit_target_encoding.");
pub(super) const X: Parameter = required("x", "The category.");
pub(super) const UNSEEN: Parameter = optional(
    "unseen",
    "'prior'",
    "A category that the fit did not see becomes the mean of all rows ('prior'), null ('null') or an error ('error').",
);
pub(super) const MISSING: Parameter = optional(
    "missing",
    "'category'",
    "A null is a category of its own, the mean of all rows if the fit saw none ('category'), or always the mean of all \
     rows ('prior') or null ('null').",
);

static APPLY: Spec = Spec {
    name: "target_encoding_apply",
    section: "Target encoding",
    summary: "The target encoding of a category by the statistics of all rows: for rows that were not fitted. A state \
              of classes gives a list with one number for each class, in their order. Null if the fit had no rows.",
    parameters: &[STATE, X, UNSEEN, MISSING],
    example: "select target_encoding_apply((select fit_target_encoding(city, bought) from t), city) from new_rows;",
};

static OUT_OF_FOLD: Spec = Spec {
    name: "target_encoding_out_of_fold",
    section: "Target encoding",
    summary: "The target encoding of a row by the rows of the other folds alone, the mean of all rows included: a \
              row's target does not touch its own encoding. For the rows that were fitted with folds and the same \
              key. A category without rows in the other folds becomes their mean; null if they have no rows, or if \
              the key is null.",
    parameters: &[STATE, X, required("key", "The key of the row, as in the fit."), UNSEEN, MISSING],
    example: "select target_encoding_out_of_fold((select fit_target_encoding(city, bought, folds => 5, key => id) \
              from t), city, id) from t;",
};

/// What a call asks for where a category has no statistics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    unseen: Unseen,
    missing: Missing,
}

#[derive(Debug, Clone, Copy)]
enum Unseen {
    Prior,
    Null,
    Error,
}

#[derive(Debug, Clone, Copy)]
enum Missing {
    Category,
    Prior,
    Null,
}

impl Policy {
    pub(super) fn from_constants(constants: &Constants) -> Result<Self> {
        let unseen = [("prior", Unseen::Prior), ("null", Unseen::Null), ("error", Unseen::Error)];
        let missing = [("category", Missing::Category), ("prior", Missing::Prior), ("null", Missing::Null)];
        Ok(Self {
            unseen: constants.choice("unseen", &unseen)?.unwrap_or(Unseen::Prior),
            missing: constants.choice("missing", &missing)?.unwrap_or(Missing::Category),
        })
    }

    /// The places of categories; the place after the last one stands for all rows.
    pub(super) fn places(self, function: &str, categories: &Categories, x: &ArrayRef) -> Result<Vec<u32>> {
        let prior = Fallback::Place(categories.len() as u32);
        let unseen = match self.unseen {
            Unseen::Prior => prior,
            Unseen::Null => Fallback::Null,
            Unseen::Error => Fallback::Error,
        };
        let missing = match (self.missing, categories.missing()) {
            (Missing::Category, Some(place)) => Fallback::Place(place),
            (Missing::Category | Missing::Prior, _) => prior,
            (Missing::Null, _) => Fallback::Null,
        };
        categories.places(function, x, missing, unseen)
    }
}

/// Encodings by place and, out of fold, by fold.
#[derive(Debug)]
pub(super) struct Encodings {
    categories: Categories,
    /// Whether the result is a list.
    classes: bool,
    /// Numbers in one encoding.
    width: usize,
    /// Encodings of a place: the number of folds, or 1 with full statistics.
    folds: usize,
    /// Whether the rows outside a fold (or all rows) are any.
    defined: Vec<bool>,
    /// `table[(place * folds + fold) * width + output]`; the last place holds the mean of all rows.
    table: Vec<f64>,
    seed: i64,
    key_type: Option<String>,
}

impl Encodings {
    /// Reads a state; out of fold if `by_fold`.
    fn decode(states: &StructArray, row: usize, by_fold: bool) -> Result<Option<Self>> {
        let Some(read) = Read::open(states, row)? else { return Ok(None) };
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        if by_fold && read.folds == 0 {
            return exec_err!("{} needs a state that was fitted with folds", OUT_OF_FOLD.name);
        }
        let (tally, total) = (&read.tally, read.tally.total());
        let (folds, width) = (if by_fold { tally.folds() } else { 1 }, tally.width());
        let without = |fold: usize| by_fold.then_some(fold);
        let mut table = vec![0.0; (tally.slots() + 1) * folds * width];
        for fold in 0..folds {
            let seen = categories_seen(tally, without(fold));
            for output in 0..width {
                let all = total.summary(0, output, without(fold));
                for slot in 0..tally.slots() {
                    let category = tally.summary(slot, output, without(fold));
                    let place = (slot * folds + fold) * width + output;
                    table[place] = read.smoothing.encode(category, all, seen);
                }
                table[(tally.slots() * folds + fold) * width + output] = all.mean();
            }
        }
        Ok(Some(Self {
            categories: Categories::read(&reader)?,
            classes: read.classes.is_some(),
            width,
            folds,
            defined: (0..folds).map(|fold| total.count(0, without(fold)) > 0).collect(),
            table,
            seed: read.seed,
            key_type: read.key_type,
        }))
    }

    /// The rows' encodings; `fold` gives the fold of a row, [`NO_PLACE`] for none.
    fn look_up(&self, places: &[u32], fold: impl Fn(usize) -> u32) -> Result<ArrayRef> {
        if self.folds == 1 && !self.classes && self.defined[0] {
            let values: Vec<f64> =
                places.iter().map(|place| self.table.get(*place as usize).copied().unwrap_or(0.0)).collect();
            let nulls = places.contains(&NO_PLACE);
            let nulls = nulls.then(|| NullBuffer::from_iter(places.iter().map(|place| *place != NO_PLACE)));
            return Ok(Arc::new(Float64Array::new(values.into(), nulls)));
        }
        let entry = |(row, place): (usize, &u32)| {
            let fold = fold(row);
            let known = *place != NO_PLACE && fold != NO_PLACE && self.defined[fold as usize];
            if known { *place as usize * self.folds + fold as usize } else { usize::MAX }
        };
        let entries: Vec<usize> = places.iter().enumerate().map(entry).collect();
        let all = !entries.contains(&usize::MAX);
        let nulls = (!all).then(|| NullBuffer::from_iter(entries.iter().map(|entry| *entry != usize::MAX)));
        gather(&self.table, self.width, self.classes, &entries, nulls)
    }
}

/// How many categories have rows outside a fold.
fn categories_seen(tally: &Tally, without: Option<usize>) -> i64 {
    (0..tally.slots()).filter(|slot| tally.count(*slot, without) > 0).count() as i64
}

/// The entries of a table, as numbers or as lists of `width` numbers; those of nulls may be out of its bounds.
pub(super) fn gather(
    table: &[f64],
    width: usize,
    lists: bool,
    entries: &[usize],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    if !lists {
        let value = |entry: &usize| table.get(*entry).copied().unwrap_or(0.0);
        let values: Vec<f64> = entries.iter().map(value).collect();
        return Ok(Arc::new(Float64Array::new(values.into(), nulls)));
    }
    let mut values: Vec<f64> = Vec::with_capacity(entries.len() * width);
    let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let mut lengths: Vec<usize> = Vec::with_capacity(entries.len());
    for (row, entry) in entries.iter().enumerate() {
        if valid(row) {
            values.extend_from_slice(&table[entry * width..(entry + 1) * width]);
        }
        lengths.push(if valid(row) { width } else { 0 });
    }
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let values = Arc::new(Float64Array::from(values));
    Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, nulls)?))
}

/// The type of an encoding: a number, or a list for a state of classes.
pub(super) fn encoding_type(state: &DataType) -> DataType {
    match state {
        DataType::Struct(fields) if fields.iter().any(|field| field.name() == CLASSES) => list_of(DataType::Float64),
        _ => DataType::Float64,
    }
}

/// Checks the state of a call that is planned, and gives the field of its result.
pub(super) fn planned(spec: &Spec, fields: &[FieldRef]) -> Result<FieldRef> {
    check_state_type(spec.name, fields[0].data_type(), &["target", "values", "counts", "events"])?;
    Ok(Arc::new(Field::new(spec.name, encoding_type(fields[0].data_type()), true)))
}

/// `target_encoding_apply(state, x[, unseen, missing])`.
#[derive(Debug, Default)]
pub(crate) struct Apply {
    cache: StateCache<Encodings>,
}

impl Kernel for Apply {
    fn spec(&self) -> &'static Spec {
        &APPLY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&APPLY, "x", &types[0], &types[1])?;
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Policy::from_constants(constants)?;
        planned(&APPLY, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let policy = Policy::from_constants(constants)?;
        let x = rows_of(&arguments[1], rows)?;
        self.cache.apply(
            &arguments[0],
            rows,
            &encoding_type(&arguments[0].data_type()),
            |states, row| Encodings::decode(states, row, false),
            |encodings, range| {
                let x = x.slice(range.start, range.len());
                let places = policy.places(APPLY.name, &encodings.categories, &x)?;
                encodings.look_up(&places, |_| 0)
            },
        )
    }
}

/// `target_encoding_out_of_fold(state, x, key[, unseen, missing])`.
#[derive(Debug, Default)]
pub(crate) struct OutOfFold {
    cache: StateCache<Encodings>,
}

impl Kernel for OutOfFold {
    fn spec(&self) -> &'static Spec {
        &OUT_OF_FOLD
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&OUT_OF_FOLD, "x", &types[0], &types[1])?;
        coerced[2] = category_argument(&types[2]);
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Policy::from_constants(constants)?;
        planned(&OUT_OF_FOLD, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let policy = Policy::from_constants(constants)?;
        let (x, keys) = (rows_of(&arguments[1], rows)?, rows_of(&arguments[2], rows)?);
        self.cache.apply(
            &arguments[0],
            rows,
            &encoding_type(&arguments[0].data_type()),
            |states, row| Encodings::decode(states, row, true),
            |encodings, range| {
                let own = key_type(keys.data_type());
                if let Some(fitted) = encodings.key_type.as_ref().filter(|fitted| *fitted != own) {
                    return exec_err!("key of {} is a {own}, and the fit had a {fitted}: cast it", OUT_OF_FOLD.name);
                }
                let keys = keys.slice(range.start, range.len());
                let folds = folds(&keys, encodings.folds as i64, encodings.seed)?;
                let x = x.slice(range.start, range.len());
                let places = policy.places(OUT_OF_FOLD.name, &encodings.categories, &x)?;
                encodings.look_up(&places, |row| match folds.is_valid(row) {
                    true => folds.value(row) as u32,
                    false => NO_PLACE,
                })
            },
        )
    }
}
