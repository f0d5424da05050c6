//! Text: tokens, n-grams, term counts, TF-IDF and BM25.

mod arguments;
mod bm25;
mod characters;
mod counts;
mod fit_idf;
mod ngrams;
mod segment;
mod term_index;
mod tf_idf;
mod token_lists;
mod tokenize;
mod tokenizer;
mod vocabulary;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(bm25::Bm25::default()),
        scalar_function(tf_idf::CountVectorizeApply::default()),
        scalar_function(ngrams::Ngrams),
        scalar_function(counts::Tf),
        scalar_function(tf_idf::TfIdfApply::default()),
        scalar_function(counts::TokenCounts),
        scalar_function(tokenize::Tokenize::default()),
        scalar_function(vocabulary::VocabularyOf::default()),
    ]
}

/// The fits of this group whose states `merge_state` takes.
pub(crate) fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(fit_idf::FitIdf)]
}

/// The aggregate functions of this group.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(fit_idf::FitIdf)]
}
