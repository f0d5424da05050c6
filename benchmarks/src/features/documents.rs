//! The text set: documents of Zipf-drawn words with log-normal lengths, a few of them empty.

use std::sync::Arc;

use arrow::array::{Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::columns::log_normal;
use crate::zipf::Zipf;

/// Words that there are, as in the 20 newsgroups.
const VOCABULARY: u64 = 130_000;
/// Nearly the exponent 1 of natural language.
const EXPONENT: f64 = 1.001;
/// Logarithm of the median of words, and its deviation.
const LENGTH: (f64, f64) = (3.7, 0.8);
const MOST_WORDS: usize = 5_000;
pub(super) const EMPTY_SHARE: f64 = 0.01;
const CONSONANTS: [char; 16] = ['t', 'n', 's', 'r', 'h', 'd', 'l', 'c', 'm', 'f', 'p', 'g', 'w', 'b', 'v', 'k'];
/// One syllable in eight has a letter beyond ASCII.
const VOWELS: [char; 8] = ['e', 'a', 'o', 'i', 'u', 'y', 'j', 'é'];

/// `id` and `body`.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("body", DataType::Utf8, true)]))
}

/// Draws the documents.
pub(super) struct Documents {
    words: Zipf,
}

impl Documents {
    pub(super) fn new() -> Self {
        Self { words: Zipf::new(VOCABULARY, EXPONENT) }
    }

    /// The next documents, from an id on.
    pub(super) fn batch(
        &self,
        random: &mut Xoshiro256PlusPlus,
        first_id: u64,
        rows: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let mut ids = Int64Builder::with_capacity(rows);
        let mut bodies = StringBuilder::with_capacity(rows, rows * 300);
        let mut body = String::new();
        for row in 0..rows as u64 {
            body.clear();
            if random.random::<f64>() >= EMPTY_SHARE {
                let words = (log_normal(random, LENGTH.0, LENGTH.1) as usize).clamp(1, MOST_WORDS);
                for at in 0..words {
                    append_word(&mut body, self.words.sample(random), at);
                }
            }
            bodies.append_value(&body);
            ids.append_value((first_id + row) as i64);
        }
        RecordBatch::try_new(schema(), vec![Arc::new(ids.finish()), Arc::new(bodies.finish())])
    }
}

/// The word of a rank: frequent words are short. The first of a sentence has a capital.
fn append_word(body: &mut String, rank: u64, at: usize) {
    if at > 0 {
        body.push_str(if at.is_multiple_of(12) { ". " } else { " " });
    }
    let mut rest = rank;
    let mut capital = at.is_multiple_of(12);
    loop {
        let consonant = CONSONANTS[(rest % 16) as usize];
        body.push(if capital { consonant.to_ascii_uppercase() } else { consonant });
        capital = false;
        body.push(VOWELS[(rest / 16 % 8) as usize]);
        rest /= 128;
        if rest == 0 {
            return;
        }
        // The numbers with one more syllable begin at 0 again.
        rest -= 1;
    }
}
