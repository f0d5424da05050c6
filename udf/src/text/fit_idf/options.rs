//! The options of `fit_idf`: from the constants of a call, and in the state.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::constants::Constants;
use crate::state::StateReader;

/// A formula for the inverse document frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idf {
    Spark,
    Sklearn,
    SklearnRaw,
    BigQuery,
    Log10,
}

impl Idf {
    const NAMES: [(&'static str, Self); 5] = [
        ("spark", Self::Spark),
        ("sklearn", Self::Sklearn),
        ("sklearn_raw", Self::SklearnRaw),
        ("bigquery", Self::BigQuery),
        ("log10", Self::Log10),
    ];

    /// The weight of a term in `term` of `all` documents. Sources: Spark's IDF; scikit-learn's TfidfTransformer with and
    /// without smoothing; BigQuery's ML.TF_IDF; Hivemall's tfidf. A term in no document is taken for one in one where
    /// the formula has no value, and so is a corpus of no documents.
    pub(crate) fn weight(self, all: i64, term: i64) -> f64 {
        let (all, term) = (all as f64, term as f64);
        match self {
            Self::Spark => ((all + 1.0) / (term + 1.0)).ln(),
            Self::Sklearn => ((1.0 + all) / (1.0 + term)).ln() + 1.0,
            Self::SklearnRaw => (all.max(1.0) / term.max(1.0)).ln() + 1.0,
            Self::BigQuery => (1.0 + all / (1.0 + term)).ln(),
            Self::Log10 => (all.max(1.0) / term.max(1.0)).log10() + 1.0,
        }
    }
}

/// The order of a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The most frequent first, equal ones in ascending order.
    Count,
    /// Ascending.
    Term,
}

impl Order {
    const NAMES: [(&'static str, Self); 2] = [("count", Self::Count), ("term", Self::Term)];
}

/// A number of documents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    Count(i64),
    /// Of all documents.
    Fraction(f64),
}

impl Limit {
    fn of(self, documents: i64) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Fraction(fraction) => fraction * documents as f64,
        }
    }
}

/// The options of a fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) idf: Idf,
    pub(crate) min_df: Limit,
    pub(crate) max_df: Limit,
    pub(crate) max_features: Option<i64>,
    pub(crate) dims: Option<i32>,
    pub(crate) order: Order,
}

/// A whole number is a number of documents, any other a fraction of them, as in scikit-learn.
fn limit(constants: &Constants, parameter: &str, default: Limit) -> Result<Limit> {
    match constants.value(parameter)? {
        None => Ok(default),
        Some(value) if value.data_type().is_integer() => {
            let count = constants.integer_within(parameter, 0, i64::MAX)?;
            Ok(count.map_or(default, Limit::Count))
        }
        Some(_) => Ok(constants.float_within(parameter, 0.0, 1.0)?.map_or(default, Limit::Fraction)),
    }
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], choice: T) -> &'static str {
    names.iter().find(|(_, known)| *known == choice).map_or("", |(name, _)| *name)
}

impl Options {
    /// The fields in a state.
    pub(crate) const FIELDS: [(&'static str, DataType); 8] = [
        ("idf", DataType::Utf8),
        ("min_count", DataType::Int64),
        ("min_fraction", DataType::Float64),
        ("max_count", DataType::Int64),
        ("max_fraction", DataType::Float64),
        ("max_features", DataType::Int64),
        ("dims", DataType::Int64),
        ("ordering", DataType::Utf8),
    ];

    /// From the constants of a call.
    pub(crate) fn from_constants(constants: &Constants) -> Result<Self> {
        let options = Self {
            idf: constants.choice("idf", &Idf::NAMES)?.unwrap_or(Idf::Spark),
            min_df: limit(constants, "min_df", Limit::Count(0))?,
            max_df: limit(constants, "max_df", Limit::Fraction(1.0))?,
            max_features: constants.integer_within("max_features", 1, i64::from(i32::MAX))?,
            dims: constants.integer_within("dims", 1, i64::from(i32::MAX))?.map(|dims| dims as i32),
            order: constants.choice("ordering", &Order::NAMES)?.unwrap_or(Order::Count),
        };
        if let (Limit::Count(least), Limit::Count(most)) = (options.min_df, options.max_df)
            && most < least
        {
            return Err(constants.error("max_df", format!("must be at least min_df, {least}: it is {most}")));
        }
        if let (Limit::Fraction(least), Limit::Fraction(most)) = (options.min_df, options.max_df)
            && most < least
        {
            return Err(constants.error("max_df", format!("must be at least min_df, {least}: it is {most}")));
        }
        for parameter in ["max_features", "ordering"] {
            if options.dims.is_some() && constants.is_given(parameter) {
                return Err(constants.error(parameter, "is not for hash buckets: leave out it or dims"));
            }
        }
        Ok(options)
    }

    /// From a state.
    pub(crate) fn from_state(state: &StateReader<'_>) -> Result<Self> {
        let limit = |count: &str, fraction: &str| -> Result<Limit> {
            match (state.integer(count)?, state.float(fraction)?) {
                (Some(count), None) => Ok(Limit::Count(count)),
                (None, Some(fraction)) if !fraction.is_nan() => Ok(Limit::Fraction(fraction)),
                _ => exec_err!("the state must have one of {count} and {fraction}"),
            }
        };
        let positive = |field: &str| -> Result<Option<i64>> {
            match state.integer(field)? {
                Some(number) if !(1..=i64::from(i32::MAX)).contains(&number) => {
                    exec_err!("the field {field} of the state must be at least 1: it is {number}")
                }
                number => Ok(number),
            }
        };
        Ok(Self {
            idf: choice(state, "idf", &Idf::NAMES)?,
            min_df: limit("min_count", "min_fraction")?,
            max_df: limit("max_count", "max_fraction")?,
            max_features: positive("max_features")?,
            dims: positive("dims")?.map(|dims| dims as i32),
            order: choice(state, "ordering", &Order::NAMES)?,
        })
    }

    /// The columns of a state, in the order of [`Self::FIELDS`].
    pub(crate) fn columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let integer = |number: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let float = |number: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![number])) };
        let parts = |limit: Limit| match limit {
            Limit::Count(count) => (Some(count), None),
            Limit::Fraction(fraction) => (None, Some(fraction)),
        };
        let ((min_count, min_fraction), (max_count, max_fraction)) = (parts(self.min_df), parts(self.max_df));
        vec![
            ("idf", text(name_of(&Idf::NAMES, self.idf))),
            ("min_count", integer(min_count)),
            ("min_fraction", float(min_fraction)),
            ("max_count", integer(max_count)),
            ("max_fraction", float(max_fraction)),
            ("max_features", integer(self.max_features)),
            ("dims", integer(self.dims.map(i64::from))),
            ("ordering", text(name_of(&Order::NAMES, self.order))),
        ]
    }

    /// Whether the vocabulary of `all` documents has a term that is in `term` of them.
    pub(crate) fn keeps(&self, all: i64, term: i64) -> bool {
        (self.min_df.of(all)..=self.max_df.of(all)).contains(&(term as f64))
    }
}

fn choice<T: Copy>(state: &StateReader<'_>, field: &str, names: &[(&'static str, T)]) -> Result<T> {
    let text = state.given(field, state.text(field)?)?;
    match names.iter().find(|(name, _)| *name == text) {
        Some((_, choice)) => Ok(*choice),
        None => exec_err!("the field {field} of the state must not be '{text}'"),
    }
}
