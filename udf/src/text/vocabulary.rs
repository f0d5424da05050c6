//! The vocabulary of a state of `fit_idf`, decoded once, and `vocabulary(state)`, which shows it.

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, StringArray, StructArray, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ColumnarValue;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::Arc;

use super::fit_idf::{KIND, Options, Order, StateTerms, totals};
use super::term_index::keys_of;
use crate::category::{CategoryIndex, MISSING, UNSEEN};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, required};
use crate::state::{StateCache, StateReader, check_state_type, list_of, one_list, struct_array, struct_of};

/// A vocabulary with the weights of its terms.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    options: Options,
    /// How many documents it was fitted on.
    pub(crate) documents: i64,
    /// How many tokens they have.
    pub(crate) tokens: i64,
    terms: Terms,
    /// In how many documents each term is, in the order of the vocabulary, or of the buckets that were seen.
    frequencies: Vec<i64>,
    /// Its weight.
    weights: Vec<f64>,
}

#[derive(Debug)]
enum Terms {
    /// The number of a text is its place in the vocabulary.
    Texts(CategoryIndex),
    /// The place in `frequencies` of each bucket that was seen and is within the limits.
    Buckets {
        dims: i32,
        places: HashMap<u32, u32, FixedState>,
        /// Buckets that were seen and are outside of the limits.
        left_out: HashMap<u32, (), FixedState>,
        numbers: Vec<i64>,
    },
}

impl Vocabulary {
    /// Decodes a row of states; `None` if it is null.
    pub(crate) fn decode(state: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(state, row, KIND)? else { return Ok(None) };
        let options = Options::from_state(&reader)?;
        let (documents, tokens) = totals(&reader)?;
        let all = StateTerms::read(&reader, options.dims)?;
        let order = ordered(&options, documents, &all);
        let frequencies: Vec<i64> = order.iter().map(|place| all.documents.value(*place as usize)).collect();
        let weights = frequencies.iter().map(|frequency| options.idf.weight(documents, *frequency)).collect();
        let kept = take(&all.keys, &UInt32Array::from(order), None)?;
        let terms = match options.dims {
            None => Terms::Texts(CategoryIndex::of(&kept)?),
            Some(dims) => buckets(dims, &all, &kept),
        };
        Ok(Some(Self { options, documents, tokens, terms, frequencies, weights }))
    }

    /// How many indices there are: one for each term or bucket.
    pub(crate) fn dimension(&self) -> i64 {
        match &self.terms {
            Terms::Texts(texts) => texts.len() as i64,
            Terms::Buckets { dims, .. } => i64::from(*dims),
        }
    }

    /// Whether indices are hash buckets, so that every token has one.
    pub(crate) fn is_hashed(&self) -> bool {
        self.options.dims.is_some()
    }

    /// The index of each token, which is `Utf8` or a dictionary of it: [`MISSING`] for null, [`UNSEEN`] for one that
    /// the vocabulary has not.
    pub(crate) fn lookup(&self, tokens: &ArrayRef) -> Result<Vec<u32>> {
        match &self.terms {
            Terms::Texts(texts) => texts.lookup(tokens),
            Terms::Buckets { dims, left_out, .. } => {
                let keys = keys_of(tokens, Some(*dims))?;
                let keys = keys.as_primitive::<Int64Type>();
                let drops = !left_out.is_empty() || !self.options.keeps(self.documents, 0);
                let index = |bucket: i64| match bucket as u32 {
                    bucket if drops && !self.keeps_bucket(bucket) => UNSEEN,
                    bucket => bucket,
                };
                Ok(keys.iter().map(|bucket| bucket.map_or(MISSING, index)).collect())
            }
        }
    }

    fn place(&self, index: u32) -> Option<usize> {
        match &self.terms {
            Terms::Texts(_) => Some(index as usize).filter(|place| *place < self.weights.len()),
            Terms::Buckets { places, .. } => places.get(&index).map(|place| *place as usize),
        }
    }

    fn keeps_bucket(&self, bucket: u32) -> bool {
        match &self.terms {
            Terms::Texts(_) => true,
            Terms::Buckets { places, left_out, .. } => {
                places.contains_key(&bucket) || !left_out.contains_key(&bucket) && self.options.keeps(self.documents, 0)
            }
        }
    }

    /// The inverse document frequency of an index; that of no document for one that was never seen.
    pub(crate) fn weight(&self, index: u32) -> f64 {
        match self.place(index) {
            Some(place) => self.weights[place],
            None => self.options.idf.weight(self.documents, 0),
        }
    }

    /// In how many documents the term of an index is.
    pub(crate) fn frequency(&self, index: u32) -> i64 {
        self.place(index).map_or(0, |place| self.frequencies[place])
    }

    fn table(&self) -> Result<ArrayRef> {
        let count = self.weights.len();
        let (terms, indices): (ArrayRef, Int32Array) = match &self.terms {
            Terms::Texts(texts) => (texts.values()?, (0..count as i32).collect::<Vec<_>>().into()),
            Terms::Buckets { numbers, .. } => (
                Arc::new(StringArray::new_null(count)),
                numbers.iter().map(|bucket| *bucket as i32).collect::<Vec<_>>().into(),
            ),
        };
        Ok(Arc::new(struct_array(vec![
            ("term", terms),
            ("index", Arc::new(indices)),
            ("document_frequency", Arc::new(Int64Array::from(self.frequencies.clone()))),
            ("idf", Arc::new(Float64Array::from(self.weights.clone()))),
        ])?))
    }
}

/// The places of the terms that the vocabulary has, in its order.
fn ordered(options: &Options, documents: i64, all: &StateTerms) -> Vec<u32> {
    let frequencies = all.documents.values().iter().enumerate();
    let within = frequencies.filter(|(_, frequency)| options.keeps(documents, **frequency));
    let mut order: Vec<u32> = within.map(|(place, _)| place as u32).collect();
    // The terms of a state ascend, so a stable sort leaves equal counts in ascending order.
    let by_count = |order: &mut Vec<u32>| {
        order.sort_by_key(|place| std::cmp::Reverse(all.counts.value(*place as usize)));
    };
    let most = options.max_features.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    match options.order {
        _ if options.dims.is_some() => {}
        Order::Count => {
            by_count(&mut order);
            order.truncate(most);
        }
        Order::Term if order.len() <= most => {}
        Order::Term => {
            by_count(&mut order);
            order.truncate(most);
            order.sort_unstable();
        }
    }
    order
}

fn buckets(dims: i32, all: &StateTerms, kept: &ArrayRef) -> Terms {
    let numbers: Vec<i64> = kept.as_primitive::<Int64Type>().values().to_vec();
    let mut places = HashMap::with_capacity_and_hasher(numbers.len(), FixedState::default());
    places.extend(numbers.iter().enumerate().map(|(place, bucket)| (*bucket as u32, place as u32)));
    let mut left_out = HashMap::with_hasher(FixedState::default());
    let seen = all.keys.as_primitive::<Int64Type>().values().iter().map(|bucket| *bucket as u32);
    left_out.extend(seen.filter(|bucket| !places.contains_key(bucket)).map(|bucket| (bucket, ())));
    Terms::Buckets { dims, places, left_out, numbers }
}

/// The fields that tell a state of `fit_idf` from others.
pub(crate) const STATE_FIELDS: [&str; 5] = ["idf", "dims", "documents", "tokens", "terms"];

/// The state of a call that is being planned, if it is a constant.
pub(crate) fn planned_state(cache: &StateCache<Vocabulary>, constants: &Constants) -> Result<Option<Arc<Vocabulary>>> {
    if constants.is_varying("state") {
        return Ok(None);
    }
    let Some(ScalarValue::Struct(literal)) = constants.value("state")? else { return Ok(None) };
    if StateReader::open(&literal, 0, KIND)?.is_none() {
        return Ok(None);
    }
    let decode = || match Vocabulary::decode(&literal, 0)? {
        Some(vocabulary) => Ok(vocabulary),
        None => datafusion_common::exec_err!("the state is null"),
    };
    cache.get(&literal, decode).map(Some)
}

static SPEC: Spec = Spec {
    name: "vocabulary",
    section: "Text",
    summary: "The vocabulary of a state of fit_idf, as a list of structs of `term`, `index`, `document_frequency` and \
              `idf`, in the order of the indices. For hash buckets, those that were seen, `term` being null.",
    parameters: &[required("state", "The result of fit_idf.")],
    example: "select unnest(vocabulary((select fit_idf(tokenize(body)) from documents)));",
};

fn table_type() -> DataType {
    list_of(struct_of(&[
        ("term", DataType::Utf8),
        ("index", DataType::Int32),
        ("document_frequency", DataType::Int64),
        ("idf", DataType::Float64),
    ]))
}

/// `vocabulary`.
#[derive(Debug, Default)]
pub(crate) struct VocabularyOf {
    states: StateCache<Vocabulary>,
}

impl Kernel for VocabularyOf {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_state_type(SPEC.name, &types[0], &STATE_FIELDS)?;
        Ok(types.to_vec())
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        planned_state(&self.states, constants)?;
        Ok(Arc::new(Field::new(SPEC.name, table_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        self.states.apply(&arguments[0], rows, &table_type(), Vocabulary::decode, |vocabulary, range| {
            if range.is_empty() {
                return Ok(new_null_array(&table_type(), 0));
            }
            let one = one_list(vocabulary.table()?);
            Ok(take(&one, &UInt32Array::from(vec![0; range.len()]), None)?)
        })
    }
}
