//! `bm25(state, query_tokens, document_tokens[, k1, b, variant])`: how well a document answers a query.

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::arguments::options_are_known;
use super::token_lists::{TokenLists, tokens_argument};
use super::vocabulary::{STATE_FIELDS, Vocabulary, planned_state};
use crate::category::{MISSING, UNSEEN};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, check_state_type};

static SPEC: Spec = Spec {
    name: "bm25",
    section: "Text",
    summary: "The BM25 score of a document for a query: the sum over the query's tokens of idf * f / (f + k1 * (1 - b + \
              b * length / mean length)), f being the token's count in the document. Tokens outside of the state's \
              vocabulary score 0; one that is twice in the query counts twice. Null if a list is null.",
    parameters: &[
        required("state", "The result of fit_idf on all documents; its idf formula does not matter."),
        required("query_tokens", "A list of texts."),
        required("document_tokens", "A list of texts."),
        optional("k1", "1.2", "How late the count of a token saturates, at least 0."),
        optional("b", "0.75", "How much the length of the document matters, 0 to 1."),
        optional(
            "variant",
            "'lucene'",
            "'lucene': idf = ln(1 + (N - d + 0.5) / (d + 0.5)) for a token in d of N documents. 'robertson': idf = ln((N - \
             d + 0.5) / (d + 0.5)), or 0 if that is negative. 'atire': idf = ln(N / d), times k1 + 1. After Kamphuis, de \
             Vries, Boytsov and Lin, \"Which BM25 Do You Mean?\", 2020, table 1, with exact document lengths.",
        ),
    ],
    example: "select bm25((select fit_idf(tokenize(body)) from documents), tokenize('quick fox'), tokenize(body)) from \
              documents;",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Variant {
    Lucene,
    Robertson,
    Atire,
}

#[derive(Debug, Clone, Copy)]
struct Options {
    k1: f64,
    b: f64,
    variant: Variant,
}

fn options(constants: &Constants) -> Result<Options> {
    let variants = [("lucene", Variant::Lucene), ("robertson", Variant::Robertson), ("atire", Variant::Atire)];
    Ok(Options {
        k1: constants.float_within("k1", 0.0, 1e9)?.unwrap_or(1.2),
        b: constants.float_within("b", 0.0, 1.0)?.unwrap_or(0.75),
        variant: constants.choice("variant", &variants)?.unwrap_or(Variant::Lucene),
    })
}

impl Options {
    /// The weight of a term in `term` (at least one) of `all` documents.
    fn weight(&self, all: i64, term: i64) -> f64 {
        let (all, term) = (all as f64, term as f64);
        let odds = (all - term + 0.5) / (term + 0.5);
        match self.variant {
            Variant::Lucene => (1.0 + odds).ln(),
            Variant::Robertson => odds.max(1.0).ln(),
            Variant::Atire => (all / term).ln() * (self.k1 + 1.0),
        }
    }

    /// The scores of documents for queries: as many, or one for all documents.
    fn scores(&self, vocabulary: &Vocabulary, queries: &TokenLists, documents: &TokenLists) -> Result<ArrayRef> {
        let (asked, found) = (vocabulary.lookup(&queries.tokens)?, vocabulary.lookup(&documents.tokens)?);
        let weights: Vec<f64> = asked.iter().map(|index| self.query_weight(vocabulary, *index)).collect();
        let mean = vocabulary.tokens as f64 / vocabulary.documents as f64;
        let mut sorted: Vec<u32> = Vec::new();
        let score = |row: usize| -> Option<f64> {
            let query = queries.row(if queries.len() == 1 { 0 } else { row })?;
            let document = &found[documents.row(row)?];
            let length = document.iter().filter(|index| **index != MISSING).count() as f64;
            let floor = self.k1 * (1.0 - self.b + self.b * length / mean);
            let is_long = query.len() > LONG;
            if is_long {
                sorted.clear();
                sorted.extend_from_slice(document);
                sorted.sort_unstable();
            }
            let mut score = 0.0;
            for (index, weight) in asked[query.clone()].iter().zip(&weights[query]) {
                // A token that no document has would be 0 times an infinite weight.
                if *weight == 0.0 {
                    continue;
                }
                let count = if is_long { count_sorted(&sorted, *index) } else { count(document, *index) };
                if count > 0 {
                    score += weight * (count as f64 / (count as f64 + floor));
                }
            }
            Some(score)
        };
        Ok(Arc::new((0..documents.len()).map(score).collect::<Float64Array>()))
    }

    fn query_weight(&self, vocabulary: &Vocabulary, index: u32) -> f64 {
        match vocabulary.frequency(index) {
            _ if index >= UNSEEN => 0.0,
            0 => 0.0,
            frequency => self.weight(vocabulary.documents, frequency),
        }
    }
}

/// The tokens of a query from which on a document is sorted once, not scanned for each.
const LONG: usize = 32;

fn count(document: &[u32], index: u32) -> usize {
    document.iter().filter(|known| **known == index).count()
}

fn count_sorted(document: &[u32], index: u32) -> usize {
    document.partition_point(|known| *known <= index) - document.partition_point(|known| *known < index)
}

/// `bm25`.
#[derive(Debug, Default)]
pub(crate) struct Bm25 {
    states: StateCache<Vocabulary>,
}

impl Kernel for Bm25 {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_state_type(SPEC.name, &types[0], &STATE_FIELDS)?;
        let mut types = types.to_vec();
        types[1] = tokens_argument(&SPEC, "query_tokens", &types[1])?;
        types[2] = tokens_argument(&SPEC, "document_tokens", &types[2])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if options_are_known(&SPEC, constants) {
            options(constants)?;
        }
        planned_state(&self.states, constants)?;
        Ok(Arc::new(Field::new(SPEC.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let options = options(constants)?;
        // A constant query is looked up once a batch.
        let query_rows = if matches!(arguments[1], ColumnarValue::Scalar(_)) { 1 } else { rows };
        let queries = arguments[1].to_array(query_rows)?;
        let documents = arguments[2].to_array(rows)?;
        self.states.apply(&arguments[0], rows, &DataType::Float64, Vocabulary::decode, |vocabulary, range| {
            let queries = match query_rows {
                1 => Arc::clone(&queries),
                _ => queries.slice(range.start, range.len()),
            };
            let documents = documents.slice(range.start, range.len());
            options.scores(vocabulary, &TokenLists::new(&queries)?, &TokenLists::new(&documents)?)
        })
    }
}
