//! `fit_idf(tokens[, idf, min_df, max_df, max_features, dims, ordering])`: how many documents each term is in.

mod options;
#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use super::arguments::options_are_known;
use super::term_index::{key_index, keys_of};
use super::token_lists::{TokenLists, tokens_argument};
use crate::aggregate::{Accumulate, Fit};
use crate::category::{CategoryIndex, MISSING};
use crate::constants::Constants;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type, struct_array, struct_of};

pub(crate) use options::{Options, Order};

/// The kind of the states.
pub(crate) const KIND: &str = "idf/1";

static SPEC: Spec = Spec {
    name: "fit_idf",
    section: "Text",
    summary: "How many documents each term is in, how often it occurs, and how many documents and tokens there are: the \
              state of tf_idf_apply, count_vectorize_apply, bm25 and vocabulary. It has all terms, so that states can \
              be merged; the limits on the vocabulary hold when it is applied. Null lists are no documents; null \
              tokens are passed over.",
    parameters: &[
        required("tokens", "A list of texts, one document a row."),
        optional(
            "idf",
            "'spark'",
            "The inverse document frequency of a term in d of N documents. 'spark': ln((N + 1) / (d + 1)). 'sklearn': \
             ln((1 + N) / (1 + d)) + 1. 'sklearn_raw': ln(N / d) + 1, as scikit-learn with smooth_idf=False. 'bigquery': \
             ln(1 + N / (1 + d)). 'log10': log10(N / max(1, d)) + 1, as Hivemall. Where d is 0, 'sklearn_raw' takes it \
             for 1.",
        ),
        optional(
            "min_df",
            "0",
            "The least documents of a term of the vocabulary: a whole number, or a fraction of all between 0.0 and 1.0. A \
             bucket that was never seen is in 0.",
        ),
        optional("max_df", "1.0", "The most documents of a term of the vocabulary, as min_df."),
        optional(
            "max_features",
            "NULL",
            "The most terms of the vocabulary: those that occur most often, of equal ones those first in order; NULL \
             for no limit.",
        ),
        optional(
            "dims",
            "NULL",
            "Counts hash buckets, not terms, as Spark's HashingTF (murmur3 with seed 42, modulo dims): a whole number \
             of at least 1, which is the dimension of the vectors. Not with max_features or ordering.",
        ),
        optional(
            "ordering",
            "'count'",
            "The order of the vocabulary. 'count': those that occur most often first, equal ones in ascending order, \
             as Spark's CountVectorizer. 'term': in ascending order of the terms' bytes, as scikit-learn.",
        ),
    ],
    example: "select fit_idf(tokenize(body), idf => 'sklearn', min_df => 2) from documents;",
};

/// The most bytes that the terms of one state take: more than this do not fit in one Arrow list.
const MOST_BYTES: usize = i32::MAX as usize;

fn element_type() -> DataType {
    struct_of(&[
        ("term", DataType::Utf8),
        ("bucket", DataType::Int64),
        ("documents", DataType::Int64),
        ("count", DataType::Int64),
    ])
}

/// The fit.
#[derive(Debug)]
pub(crate) struct FitIdf;

impl Fit for FitIdf {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = tokens_argument(&SPEC, "tokens", &types[0])?;
        Ok(types)
    }

    fn state_type(&self, _types: &[DataType]) -> Result<DataType> {
        let mut fields = Options::FIELDS.to_vec();
        fields.extend([
            ("documents", DataType::Int64),
            ("tokens", DataType::Int64),
            ("terms", list_of(element_type())),
        ]);
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        if options_are_known(&SPEC, constants) {
            Options::from_constants(constants)?;
        }
        Ok(())
    }

    fn accumulate(&self, _types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(DocumentFrequencies::new(Options::from_constants(constants)?)))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else {
            return exec_err!("a fit cannot go on from a null state");
        };
        let mut fit = DocumentFrequencies::new(Options::from_state(&reader)?);
        fit.take(&reader)?;
        Ok(Box::new(fit))
    }
}

/// The counts so far.
#[derive(Debug)]
struct DocumentFrequencies {
    options: Options,
    documents: i64,
    tokens: i64,
    keys: CategoryIndex,
    /// By the number of a key.
    terms: Vec<Term>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Term {
    documents: i64,
    count: i64,
    /// The document (counted from 1) that it was last seen in, so that it is counted once there.
    last: i64,
}

impl DocumentFrequencies {
    fn new(options: Options) -> Self {
        let keys = key_index(options.dims);
        Self { options, documents: 0, tokens: 0, keys, terms: Vec::new() }
    }

    /// The numbers of keys; new ones are added.
    fn numbers(&mut self, keys: &ArrayRef) -> Result<Vec<u32>> {
        let numbers = self.keys.insert(keys)?;
        if self.keys.size() > MOST_BYTES {
            return exec_err!("the terms of fit_idf take more than 2 GiB: give it dims, or fewer terms");
        }
        self.terms.resize(self.keys.len(), Term::default());
        Ok(numbers)
    }

    fn take(&mut self, state: &StateReader<'_>) -> Result<()> {
        if Options::from_state(state)? != self.options {
            return exec_err!("the states of fit_idf must have the same options");
        }
        let (documents, tokens) = totals(state)?;
        let terms = StateTerms::read(state, self.options.dims)?;
        let numbers = self.numbers(&terms.keys)?;
        for (place, number) in numbers.iter().enumerate().filter(|(_, number)| **number != MISSING) {
            let term = &mut self.terms[*number as usize];
            term.documents = term.documents.saturating_add(terms.documents.value(place));
            term.count = term.count.saturating_add(terms.counts.value(place));
        }
        self.documents = self.documents.saturating_add(documents);
        self.tokens = self.tokens.saturating_add(tokens);
        Ok(())
    }
}

/// How many documents and tokens a state was fitted on.
pub(crate) fn totals(state: &StateReader<'_>) -> Result<(i64, i64)> {
    let total = |field: &str| -> Result<i64> {
        match state.given(field, state.integer(field)?)? {
            number if number < 0 => exec_err!("the field {field} of the state must be at least 0: it is {number}"),
            number => Ok(number),
        }
    };
    Ok((total("documents")?, total("tokens")?))
}

/// The terms of a state, in ascending order.
#[derive(Debug)]
pub(crate) struct StateTerms {
    /// Terms, or buckets.
    pub(crate) keys: ArrayRef,
    /// In how many documents each is.
    pub(crate) documents: Int64Array,
    /// How often each occurs.
    pub(crate) counts: Int64Array,
}

impl StateTerms {
    /// Reads them; an error if there is a null, or a number that no fit gives.
    pub(crate) fn read(state: &StateReader<'_>, dims: Option<i32>) -> Result<Self> {
        let terms = state.given("terms", state.structs("terms")?)?;
        let column = |name: &str, data_type: &DataType| -> Result<ArrayRef> {
            match terms.column_by_name(name) {
                Some(column) if column.null_count() == 0 && terms.null_count() == 0 => {
                    Ok(arrow::compute::cast(column, data_type)?)
                }
                Some(_) => exec_err!("the field terms of the state has a null {name} in it"),
                None => exec_err!("the field terms of the state has no {name}"),
            }
        };
        let keys = match dims {
            None => column("term", &DataType::Utf8)?,
            Some(_) => column("bucket", &DataType::Int64)?,
        };
        let numbers = |name: &str| -> Result<Int64Array> {
            let numbers = column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone();
            match numbers.values().iter().find(|number| **number < 1) {
                Some(number) => exec_err!("the field terms of the state has a {name} of {number}"),
                None => Ok(numbers),
            }
        };
        let terms = Self { documents: numbers("documents")?, counts: numbers("count")?, keys };
        if let Some(dims) = dims
            && terms
                .keys
                .as_primitive::<Int64Type>()
                .values()
                .iter()
                .any(|bucket| !(0..i64::from(dims)).contains(bucket))
        {
            return exec_err!("the field terms of the state has a bucket that is not below dims, {dims}");
        }
        Ok(terms)
    }
}

impl Accumulate for DocumentFrequencies {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let lists = TokenLists::new(&columns[0])?;
        let numbers = self.numbers(&keys_of(&lists.tokens, self.options.dims)?)?;
        for range in (0..lists.len()).filter_map(|row| lists.row(row)) {
            self.documents = self.documents.saturating_add(1);
            for number in numbers[range].iter().filter(|number| **number != MISSING) {
                let term = &mut self.terms[*number as usize];
                term.count = term.count.saturating_add(1);
                self.tokens = self.tokens.saturating_add(1);
                if term.last != self.documents {
                    term.last = self.documents;
                    term.documents = term.documents.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            if let Some(state) = StateReader::open(states, row, KIND)? {
                self.take(&state)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        // A null row's tokens were numbered but not counted.
        let order: Vec<u32> =
            self.keys.sorted().into_iter().filter(|number| self.terms[*number as usize].count > 0).collect();
        let of = |read: fn(&Term) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(order.iter().map(|number| read(&self.terms[*number as usize]))))
        };
        let (documents, counts) = (of(|term| term.documents), of(|term| term.count));
        let keys = self.keys.values_of(order.iter().copied())?;
        let missing = |data_type: &DataType| arrow::array::new_null_array(data_type, keys.len());
        let (terms, buckets) = match self.options.dims {
            None => (Arc::clone(&keys), missing(&DataType::Int64)),
            Some(_) => (missing(&DataType::Utf8), Arc::clone(&keys)),
        };
        let terms =
            struct_array(vec![("term", terms), ("bucket", buckets), ("documents", documents), ("count", counts)])?;
        let number = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let mut columns = self.options.columns();
        columns.extend([
            ("documents", number(self.documents)),
            ("tokens", number(self.tokens)),
            ("terms", one_list(Arc::new(terms))),
        ]);
        state_row(KIND, columns)
    }

    fn size(&self) -> usize {
        self.keys.size() + self.terms.capacity() * size_of::<Term>()
    }
}
