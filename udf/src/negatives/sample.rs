//! `negative_samples(state, user, positives, k[, …])`: items for a user that are not among the positives.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StructArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::sync::Arc;

use super::alias::AliasTable;
use super::fit::{FitNegatives, KIND};
use crate::categories::{Categories, Fallback, categories_of, coerce_to, rows_of};
use crate::category::category_argument;
use crate::constants::Constants;
use crate::counting::{element_of, option_names, read_counting};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::stable_hash::{draw, hash_keys, unit};
use crate::state::{StateCache, StateReader, check_state_type, list_of, struct_array, struct_of};

/// The most items for a row.
const MOST: i64 = 100_000;

static SPEC: Spec = Spec {
    name: "negative_samples",
    section: "Negative sampling",
    summary: "A list of k items, each drawn in proportion to count^alpha among the items of the fit that are not in the \
              row's list of positives. The draw is a function of the state, the seed, the user's key and the place in \
              the list (SplitMix64), so that it is the same in every run and partition; rows with the same key and \
              positives draw the same. Draws that hit a positive, or with unique an item drawn before, are drawn again \
              up to 4 k + 32 times; then the items that are left are scanned, which draws from the same distribution. \
              The list is shorter than k if no more items are left, and null for a null user.",
    parameters: &[
        required("state", "The result of fit_negatives."),
        required("user", "The key of the row: that of a user, or of a user and a time if a user has several rows."),
        required("positives", "The user's own items: a list; null is an empty one."),
        required("k", "How many items: a constant from 1 to 100000."),
        optional("seed", "42", "Another seed draws other items: a constant whole number."),
        optional("unique", "true", "Whether an item is drawn at most once for a row."),
        optional("exclude_positives", "true", "Whether positives are not drawn."),
        optional(
            "log_q",
            "false",
            "Whether to give structs of item and log_q, the natural logarithm of the item's share of count^alpha, for \
             the logQ correction of a sampled softmax.",
        ),
    ],
    example: "select negative_samples((select fit_negatives(item) from clicks), user_id, items, 4) from history;",
};

#[derive(Debug, Clone, Copy)]
struct Options {
    k: usize,
    seed: u64,
    unique: bool,
    exclude: bool,
    log_q: bool,
}

fn options(constants: &Constants) -> Result<Options> {
    Ok(Options {
        k: constants.given("k", constants.integer_within("k", 1, MOST)?)? as usize,
        seed: constants.integer("seed")?.unwrap_or(42) as u64,
        unique: constants.boolean("unique")?.unwrap_or(true),
        exclude: constants.boolean("exclude_positives")?.unwrap_or(true),
        log_q: constants.boolean("log_q")?.unwrap_or(false),
    })
}

/// Items and their distribution.
#[derive(Debug)]
struct Items {
    categories: Categories,
    values: ArrayRef,
    weights: Vec<f64>,
    log_q: Vec<f64>,
    table: AliasTable,
}

impl Items {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (categories, counts) = read_counting(&reader)?;
        let alpha = reader.given("alpha", reader.float("alpha")?)?;
        let weights: Vec<f64> =
            counts.values()[..categories.known()].iter().map(|count| (*count as f64).powf(alpha)).collect();
        if weights.iter().any(|weight| !weight.is_finite() || *weight <= 0.0) {
            return exec_err!("the state has an item without rows, or alpha is out of its range: it is {alpha}");
        }
        let total: f64 = weights.iter().sum();
        let log_q = weights.iter().map(|weight| (weight / total).ln()).collect();
        let (values, table) = (categories.values()?, AliasTable::new(&weights));
        Ok(Some(Self { categories, values, weights, log_q, table }))
    }
}

/// The draws of one row after another, with room that is used again.
struct Sampler<'a> {
    items: &'a Items,
    options: Options,
    /// What is not to be drawn in this row.
    closed: HashSet<u32, FixedState>,
    drawn: Vec<u32>,
}

impl<'a> Sampler<'a> {
    fn new(items: &'a Items, options: Options) -> Self {
        let closed = HashSet::with_hasher(FixedState::with_seed(0));
        Self { items, options, closed, drawn: Vec::new() }
    }

    /// Draws for a user; `positives` are places, of which those of unknown items are past the last one.
    fn row(&mut self, user: u64, positives: &[u32]) {
        self.closed.clear();
        let known = self.items.weights.len();
        if self.options.exclude {
            self.closed.extend(positives.iter().copied().filter(|place| (*place as usize) < known));
        }
        if self.closed.len() == known {
            return;
        }
        let (mut counter, mut left) = (0u64, self.options.k);
        let most = 2 * (5 * self.options.k as u64 + 32);
        while left > 0 && counter < most {
            let place = self.items.table.draw(draw(user, counter), draw(user, counter + 1));
            counter += 2;
            if self.closed.contains(&place) {
                continue;
            }
            self.drawn.push(place);
            left -= 1;
            if self.options.unique {
                self.closed.insert(place);
                if self.closed.len() == known {
                    return;
                }
            }
        }
        if left > 0 {
            self.scan(user, counter, left);
        }
    }

    /// Draws what is left by looking at all items that may be drawn: without replacement the smallest of exponential
    /// variables with the weights as rates (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006),
    /// with replacement by cumulative weights.
    fn scan(&mut self, user: u64, counter: u64, left: usize) {
        let weights = &self.items.weights;
        let open = (0..weights.len() as u32).filter(|place| !self.closed.contains(place));
        if self.options.unique {
            let arrival = |place: u32| {
                let random = unit(draw(user, counter + u64::from(place)));
                (-(1.0 - random).ln() / weights[place as usize], place)
            };
            let mut arrivals: Vec<(f64, u32)> = open.map(arrival).collect();
            arrivals.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            self.drawn.extend(arrivals.into_iter().take(left).map(|(_, place)| place));
            return;
        }
        let mut total = 0.0;
        let sums: Vec<(f64, u32)> = open
            .map(|place| {
                total += weights[place as usize];
                (total, place)
            })
            .collect();
        for number in 0..left as u64 {
            let point = unit(draw(user, counter + number)) * total;
            let found = sums.partition_point(|(sum, _)| *sum <= point);
            self.drawn.extend(sums.get(found).or(sums.last()).map(|(_, place)| *place));
        }
    }
}

fn item_type(state: &DataType, log_q: bool) -> DataType {
    let item = categories_of(state).cloned().unwrap_or(DataType::Utf8);
    match log_q {
        true => list_of(struct_of(&[("item", item), ("log_q", DataType::Float64)])),
        false => list_of(item),
    }
}

/// `negative_samples(state, user, positives, k[, seed, unique, exclude_positives, log_q])`.
#[derive(Debug, Default)]
pub(super) struct NegativeSamples {
    cache: StateCache<Items>,
}

impl NegativeSamples {
    fn draw(items: &Items, users: &ArrayRef, positives: &ListArray, options: Options) -> Result<ArrayRef> {
        let (hashes, nulls) = hash_keys(users, options.seed)?;
        let known = items.weights.len();
        let unknown = Fallback::Place(known as u32);
        let places = items.categories.places(SPEC.name, positives.values(), Fallback::Null, unknown)?;
        let offsets = positives.value_offsets();
        let mut sampler = Sampler::new(items, options);
        let mut lengths: Vec<usize> = Vec::with_capacity(users.len());
        for (row, hash) in hashes.into_iter().enumerate() {
            let before = sampler.drawn.len();
            if known > 0 && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let own = match positives.is_valid(row) {
                    true => &places[offsets[row] as usize..offsets[row + 1] as usize],
                    false => &[],
                };
                sampler.row(hash, own);
            }
            lengths.push(sampler.drawn.len() - before);
        }
        if sampler.drawn.len() > i32::MAX as usize {
            return exec_err!("{} gives over 2^31 items for one batch: ask for fewer", SPEC.name);
        }
        Self::lists(items, sampler.drawn, lengths, nulls, options.log_q)
    }

    fn lists(
        items: &Items,
        drawn: Vec<u32>,
        lengths: Vec<usize>,
        nulls: Option<NullBuffer>,
        log_q: bool,
    ) -> Result<ArrayRef> {
        let log = log_q.then(|| Float64Array::from_iter_values(drawn.iter().map(|place| items.log_q[*place as usize])));
        let values = take(&items.values, &UInt32Array::from(drawn), None)?;
        let values: ArrayRef = match log {
            None => values,
            Some(log) => Arc::new(struct_array(vec![("item", values), ("log_q", Arc::new(log))])?),
        };
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, nulls)?))
    }
}

impl Kernel for NegativeSamples {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        let (element, positives) = (element_of(&types[2]), &types[2]);
        let known = categories_of(&types[0]).cloned().unwrap_or(DataType::Utf8);
        if element == positives && positives != &DataType::Null {
            return plan_err!("positives of {} must be a list: it is of type {positives}", SPEC.name);
        }
        coerce_to(&SPEC, "positives", &known, element)?;
        coerced[1] = category_argument(&types[1]);
        coerced[2] = list_of(known);
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let options = options(constants)?;
        check_state_type(SPEC.name, fields[0].data_type(), &option_names::<FitNegatives>())?;
        Ok(Arc::new(Field::new(SPEC.name, item_type(fields[0].data_type(), options.log_q), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let options = options(constants)?;
        let (users, positives) = (rows_of(&arguments[1], rows)?, rows_of(&arguments[2], rows)?);
        let Some(positives) = positives.as_list_opt::<i32>() else {
            return exec_err!("positives of {} must be a list", SPEC.name);
        };
        let result = item_type(&arguments[0].data_type(), options.log_q);
        self.cache.apply(&arguments[0], rows, &result, Items::decode, |items, range| {
            let users = users.slice(range.start, range.len());
            Self::draw(items, &users, &positives.slice(range.start, range.len()), options)
        })
    }
}
