//! `tf_idf_apply(state, tokens[, tf, norm, unknown])` and `count_vectorize_apply(state, tokens[, binary, unknown])`:
//! sparse vectors over a vocabulary.

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::arguments::options_are_known;
use super::counts::TermFrequency;
use super::token_lists::{TokenLists, tokens_argument};
use super::vocabulary::{STATE_FIELDS, Vocabulary, planned_state};
use crate::category::{MISSING, UNSEEN};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{StateCache, check_state_type};

const STATE: Parameter = required("state", "The result of fit_idf.");
const TOKENS: Parameter = required("tokens", "A list of texts, one document a row.");
const UNKNOWN: Parameter = optional(
    "unknown",
    "'ignore'",
    "What a token outside of the vocabulary does. 'ignore': nothing. 'index': it counts at one more index at the end, \
     whose document frequency is 0. 'error': it is an error. A bucket outside of the limits of a fit with dims is \
     always ignored.",
);

static TF_IDF: Spec = Spec {
    name: "tf_idf_apply",
    section: "Text",
    summary: "The TF-IDF vector of a document: a sparse vector over the vocabulary of the state, whose dimension stands \
              in the metadata `sluice.dimension` if the state is a constant. Null for a null list; null tokens are \
              passed over.",
    parameters: &[
        STATE,
        TOKENS,
        optional(
            "tf",
            "'raw'",
            "The term frequency. 'raw': the count. 'freq': the count divided by the tokens of the document, as \
             BigQuery. 'sublinear': 1 + ln of the count, as scikit-learn. 'binary': 1.",
        ),
        optional("norm", "'none'", "'none', 'l1' (absolute values sum to 1) or 'l2' (squares sum to 1)."),
        UNKNOWN,
    ],
    example: "select tf_idf_apply((select fit_idf(tokenize(body), idf => 'sklearn') from documents), tokenize(body), \
              norm => 'l2') from documents;",
};

static COUNT: Spec = Spec {
    name: "count_vectorize_apply",
    section: "Text",
    summary: "How often each term of the vocabulary of a state is in a document: a sparse vector, whose dimension \
              stands in the metadata `sluice.dimension` if the state is a constant. Null for a null list; null tokens \
              are passed over.",
    parameters: &[STATE, TOKENS, optional("binary", "false", "Whether every count of 1 or more is 1."), UNKNOWN],
    example: "select count_vectorize_apply((select fit_idf(tokenize(body)) from documents), tokenize(body)) from \
              documents;",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unknown {
    Ignore,
    Index,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Norm {
    None,
    L1,
    L2,
}

impl Norm {
    fn of(self, values: &[f64]) -> f64 {
        match self {
            Self::None => 1.0,
            Self::L1 => values.iter().map(|value| value.abs()).sum(),
            Self::L2 => values.iter().map(|value| value * value).sum::<f64>().sqrt(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Options {
    tf: TermFrequency,
    /// Whether the inverse document frequency is multiplied.
    idf: bool,
    norm: Norm,
    unknown: Unknown,
}

const UNKNOWNS: [(&str, Unknown); 3] =
    [("ignore", Unknown::Ignore), ("index", Unknown::Index), ("error", Unknown::Error)];

fn tf_idf_options(constants: &Constants) -> Result<Options> {
    let norms = [("none", Norm::None), ("l1", Norm::L1), ("l2", Norm::L2)];
    Ok(Options {
        tf: constants.choice("tf", &TermFrequency::NAMES)?.unwrap_or(TermFrequency::Raw),
        idf: true,
        norm: constants.choice("norm", &norms)?.unwrap_or(Norm::None),
        unknown: constants.choice("unknown", &UNKNOWNS)?.unwrap_or(Unknown::Ignore),
    })
}

fn count_options(constants: &Constants) -> Result<Options> {
    let binary = constants.boolean("binary")?.unwrap_or(false);
    Ok(Options {
        tf: if binary { TermFrequency::Binary } else { TermFrequency::Raw },
        idf: false,
        norm: Norm::None,
        unknown: constants.choice("unknown", &UNKNOWNS)?.unwrap_or(Unknown::Ignore),
    })
}

impl Options {
    fn dimension(&self, vocabulary: &Vocabulary) -> i64 {
        vocabulary.dimension() + i64::from(self.unknown == Unknown::Index && !vocabulary.is_hashed())
    }

    /// The vectors of documents.
    fn vectors(&self, vocabulary: &Vocabulary, lists: &TokenLists) -> Result<ArrayRef> {
        let mut indices = vocabulary.lookup(&lists.tokens)?;
        if !vocabulary.is_hashed() {
            self.place_unknown(vocabulary, lists, &mut indices)?;
        }
        let mut vectors = SparseBuilder::default();
        let (mut known, mut at, mut values): (Vec<u32>, Vec<u32>, Vec<f64>) = Default::default();
        for row in 0..lists.len() {
            let Some(range) = lists.row(row) else {
                vectors.null_row();
                continue;
            };
            let mut length = 0i64;
            known.clear();
            known.extend(indices[range].iter().copied().filter(|index| {
                length += i64::from(*index != MISSING);
                *index < UNSEEN
            }));
            known.sort_unstable();
            at.clear();
            values.clear();
            for run in known.chunk_by(|left, right| left == right) {
                let frequency = self.tf.of(run.len() as i64, length);
                at.push(run[0]);
                values.push(if self.idf { frequency * vocabulary.weight(run[0]) } else { frequency });
            }
            let norm = self.norm.of(&values);
            // A vector of zeros has no direction and stays one.
            let norm = if norm == 0.0 { 1.0 } else { norm };
            at.iter().zip(&values).for_each(|(index, value)| vectors.add(*index as i32, value / norm));
            vectors.end_row();
        }
        Ok(Arc::new(vectors.finish()?))
    }

    /// Puts unknown tokens where the policy wants them.
    fn place_unknown(&self, vocabulary: &Vocabulary, lists: &TokenLists, indices: &mut [u32]) -> Result<()> {
        match self.unknown {
            Unknown::Ignore => {}
            Unknown::Index => {
                let last = vocabulary.dimension() as u32;
                indices.iter_mut().filter(|index| **index == UNSEEN).for_each(|index| *index = last);
            }
            Unknown::Error => {
                for range in (0..lists.len()).filter_map(|row| lists.row(row)) {
                    let mut places = range.filter(|place| indices[*place] == UNSEEN);
                    if let Some(place) = places.next() {
                        let token = lists.texts()?.value(place).to_string();
                        return exec_err!("the vocabulary has no '{token}': see the parameter unknown");
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the two functions share.
#[derive(Debug, Default)]
struct Apply {
    states: StateCache<Vocabulary>,
}

impl Apply {
    fn coerce(spec: &Spec, types: &[DataType]) -> Result<Vec<DataType>> {
        check_state_type(spec.name, &types[0], &STATE_FIELDS)?;
        let mut types = types.to_vec();
        types[1] = tokens_argument(spec, "tokens", &types[1])?;
        Ok(types)
    }

    fn result(
        &self,
        spec: &Spec,
        constants: &Constants,
        options: impl FnOnce(&Constants) -> Result<Options>,
    ) -> Result<FieldRef> {
        let mut dimension = None;
        if options_are_known(spec, constants) {
            let options = options(constants)?;
            let vocabulary = planned_state(&self.states, constants)?;
            dimension = vocabulary.map(|vocabulary| options.dimension(&vocabulary));
        }
        Ok(vector_field(spec.name, sparse_type(), dimension))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, options: Options) -> Result<ArrayRef> {
        let tokens = arguments[1].to_array(rows)?;
        self.states.apply(&arguments[0], rows, &sparse_type(), Vocabulary::decode, |vocabulary, range| {
            options.vectors(vocabulary, &TokenLists::new(&tokens.slice(range.start, range.len()))?)
        })
    }
}

/// `tf_idf_apply`.
#[derive(Debug, Default)]
pub(crate) struct TfIdfApply(Apply);

impl Kernel for TfIdfApply {
    fn spec(&self) -> &'static Spec {
        &TF_IDF
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Apply::coerce(&TF_IDF, types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        self.0.result(&TF_IDF, constants, tf_idf_options)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        self.0.evaluate(arguments, rows, tf_idf_options(constants)?)
    }
}

/// `count_vectorize_apply`.
#[derive(Debug, Default)]
pub(crate) struct CountVectorizeApply(Apply);

impl Kernel for CountVectorizeApply {
    fn spec(&self) -> &'static Spec {
        &COUNT
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Apply::coerce(&COUNT, types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        self.0.result(&COUNT, constants, count_options)
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        self.0.evaluate(arguments, rows, count_options(constants)?)
    }
}
