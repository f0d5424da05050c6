//! `leave_one_out_apply` and `catboost_apply`: encodings by a category's count and sum, as category_encoders'
//! LeaveOneOutEncoder and CatBoostEncoder compute them.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;

use super::apply::{MISSING as MISSING_PARAMETER, Policy, UNSEEN, X, encoding_type, gather, planned};
use super::fit::{CLASSES, KIND, Read, event, finite, number_target};
use super::tally::Target;
use crate::categories::{Categories, NO_PLACE, coerce_category, coerce_to, rows_of, text_of};
use crate::category::{CategoryIndex, MISSING};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{StateCache, StateReader};

const STATE: Parameter = required("state", "The result of fit_target_encoding, with or without folds.");

static LEAVE_ONE_OUT: Spec = Spec {
    name: "leave_one_out_apply",
    section: "Target encoding",
    summary: "The mean of the target over the other rows of the category, (s - y) / (n - 1), for rows that were \
              fitted; the mean of the category for a row whose target is null; the mean of all rows for a category of \
              one row. As category_encoders' LeaveOneOutEncoder. Beware: what a row's own target adds to the mean \
              shows, with the sign changed; out of fold is safer.",
    parameters: &[
        STATE,
        X,
        required("y", "The target of the row, as it was fitted; null for a row that was not."),
        UNSEEN,
        MISSING_PARAMETER,
    ],
    example: "select leave_one_out_apply((select fit_target_encoding(city, bought) from t), city, bought) from t;",
};

static CATBOOST: Spec = Spec {
    name: "catboost_apply",
    section: "Target encoding",
    summary: "CatBoost's encoding of a row that was not fitted: (s + a G) / (n + a), and G, the mean of all rows, for \
              a category of one row. As category_encoders' CatBoostEncoder. For fitted rows see catboost_encoding.",
    parameters: &[
        STATE,
        X,
        optional("a", "1", "The weight of the mean of all rows: a constant above 0."),
        UNSEEN,
        MISSING_PARAMETER,
    ],
    example: "select catboost_apply((select fit_target_encoding(city, bought) from t), city) from new_rows;",
};

/// Counts and sums by place; the last place holds all rows.
#[derive(Debug)]
pub(super) struct Totals {
    categories: Categories,
    target: Target,
    classes: Option<CategoryIndex>,
    width: usize,
    counts: Vec<i64>,
    sums: Vec<f64>,
}

impl Totals {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(read) = Read::open(states, row)? else { return Ok(None) };
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let total = read.tally.total();
        let (mut counts, mut sums) = (Vec::new(), Vec::new());
        let slots = (0..read.tally.slots()).map(|slot| (&read.tally, slot));
        for (tally, slot) in slots.chain([(&total, 0)]) {
            counts.push(tally.count(slot, None));
            sums.extend((0..tally.width()).map(|output| tally.summary(slot, output, None).sum));
        }
        Ok(Some(Self {
            categories: Categories::read(&reader)?,
            target: read.target,
            classes: read.classes.as_ref().map(CategoryIndex::of).transpose()?,
            width: read.tally.width(),
            counts,
            sums,
        }))
    }

    fn prior(&self, output: usize) -> f64 {
        let last = self.counts.len() - 1;
        self.sums[last * self.width + output] / self.counts[last] as f64
    }

    /// Encodes rows: `encode(row, place, output)` for categories of more than one row, the mean of all rows for others.
    fn rows(&self, places: &[u32], encode: impl Fn(usize, usize, usize) -> f64) -> Result<ArrayRef> {
        let last = self.counts.len() - 1;
        let empty = self.counts[last] == 0;
        let valid = |place: &u32| !empty && *place != NO_PLACE;
        let mut table = vec![0.0; places.len() * self.width];
        for (row, place) in places.iter().enumerate().filter(|(_, place)| valid(place)) {
            let place = *place as usize;
            for output in 0..self.width {
                let alone = place == last || self.counts[place] < 2;
                table[row * self.width + output] = if alone { self.prior(output) } else { encode(row, place, output) };
            }
        }
        let nulls = Some(NullBuffer::from_iter(places.iter().map(valid))).filter(|nulls| nulls.null_count() > 0);
        let entries: Vec<usize> = (0..places.len()).collect();
        gather(&table, self.width, self.classes.is_some(), &entries, nulls)
    }

    /// Leaves each row's own target out.
    fn leave_one_out(&self, places: &[u32], y: &ArrayRef) -> Result<ArrayRef> {
        if let Some(index) = &self.classes {
            let classes = index.lookup(y)?;
            let strange = |class: &u32| *class != MISSING && *class as usize >= self.width;
            if let Some(row) = classes.iter().position(strange) {
                return exec_err!("{} found the class '{}', which the fit did not see", NAME, text_of(y, row)?);
            }
            return self.rows(places, |row, place, output| {
                let own = (classes[row] != MISSING).then(|| f64::from(classes[row] as usize == output));
                self.others(place, output, own)
            });
        }
        let numbers: &Float64Array = y.as_primitive::<Float64Type>();
        for number in numbers.iter().flatten() {
            match self.target {
                Target::Binary => drop(event(NAME, number)?),
                _ => drop(finite(NAME, number)?),
            }
        }
        self.rows(places, |row, place, output| {
            self.others(place, output, numbers.is_valid(row).then(|| numbers.value(row)))
        })
    }

    fn others(&self, place: usize, output: usize, own: Option<f64>) -> f64 {
        let (count, sum) = (self.counts[place], self.sums[place * self.width + output]);
        match own {
            Some(own) => (sum - own) / (count - 1) as f64,
            None => sum / count as f64,
        }
    }
}

const NAME: &str = LEAVE_ONE_OUT.name;

/// `leave_one_out_apply(state, x, y[, unseen, missing])`.
#[derive(Debug, Default)]
pub(crate) struct LeaveOneOutApply {
    cache: StateCache<Totals>,
}

/// The type of the classes of a state.
fn class_type(state: &DataType) -> Option<&DataType> {
    let DataType::Struct(fields) = state else { return None };
    match fields.iter().find(|field| field.name() == CLASSES)?.data_type() {
        DataType::List(element) => Some(element.data_type()),
        _ => None,
    }
}

impl Kernel for LeaveOneOutApply {
    fn spec(&self) -> &'static Spec {
        &LEAVE_ONE_OUT
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&LEAVE_ONE_OUT, "x", &types[0], &types[1])?;
        coerced[2] = match class_type(&types[0]) {
            Some(class) => coerce_to(&LEAVE_ONE_OUT, "y", class, &types[2])?,
            None => number_target(&LEAVE_ONE_OUT, &types[2])?,
        };
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Policy::from_constants(constants)?;
        planned(&LEAVE_ONE_OUT, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let policy = Policy::from_constants(constants)?;
        let (x, y) = (rows_of(&arguments[1], rows)?, rows_of(&arguments[2], rows)?);
        let result = encoding_type(&arguments[0].data_type());
        self.cache.apply(&arguments[0], rows, &result, Totals::decode, |totals, range| {
            let x = x.slice(range.start, range.len());
            let places = policy.places(NAME, &totals.categories, &x)?;
            totals.leave_one_out(&places, &y.slice(range.start, range.len()))
        })
    }
}

/// `catboost_apply(state, x[, a, unseen, missing])`.
#[derive(Debug, Default)]
pub(crate) struct CatboostApply {
    cache: StateCache<Totals>,
}

/// The weight of the mean of all rows.
pub(super) fn prior_weight(constants: &Constants) -> Result<f64> {
    let weight = constants.float_within("a", f64::MIN_POSITIVE, f64::MAX);
    Ok(weight.map_err(|_| constants.error("a", "must be a constant number above 0"))?.unwrap_or(1.0))
}

impl Kernel for CatboostApply {
    fn spec(&self) -> &'static Spec {
        &CATBOOST
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&CATBOOST, "x", &types[0], &types[1])?;
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Policy::from_constants(constants)?;
        prior_weight(constants)?;
        planned(&CATBOOST, fields)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (policy, weight) = (Policy::from_constants(constants)?, prior_weight(constants)?);
        let x = rows_of(&arguments[1], rows)?;
        let result = encoding_type(&arguments[0].data_type());
        self.cache.apply(&arguments[0], rows, &result, Totals::decode, |totals, range| {
            let x = x.slice(range.start, range.len());
            let places = policy.places(CATBOOST.name, &totals.categories, &x)?;
            totals.rows(&places, |_, place, output| {
                let sum = totals.sums[place * totals.width + output];
                (sum + totals.prior(output) * weight) / (totals.counts[place] as f64 + weight)
            })
        })
    }
}
