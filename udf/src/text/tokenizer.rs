//! The tokenisers: texts in, lists of tokens out.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use regex::Regex;
use std::sync::Arc;

use super::characters::{ascii_words, is_java_space, is_python_space, lowercase_into, word_test};
use super::segment::segment;
use super::token_lists::TokenBuilder;

/// How a text is cut.
#[derive(Debug, Clone)]
pub(crate) enum Cut {
    /// At everything that is no word character.
    Word,
    /// At every white-space character.
    Whitespace,
    /// At the matches of a pattern, or into them.
    Regex {
        /// The pattern.
        pattern: Arc<Regex>,
        /// Whether it matches what is between the tokens, not the tokens.
        gaps: bool,
    },
    /// Into the n-grams of its characters, of sizes `lo` to `hi`.
    Char { lo: usize, hi: usize },
    /// Into the n-grams of the characters of each word, with a space on either side of it.
    CharInWord { lo: usize, hi: usize },
    /// Into the words that a dictionary finds.
    Segment,
}

/// A way to make tokens of a text.
#[derive(Debug, Clone)]
pub(crate) struct Tokenizer {
    /// How the text is cut.
    pub(crate) cut: Cut,
    /// Whether the text is put in lower case first.
    pub(crate) lowercase: bool,
    /// The least characters of a token.
    pub(crate) min_length: usize,
    /// The bytes of tokens that are left out.
    pub(crate) stop_words: HashSet<Vec<u8>, FixedState>,
}

static AS_IS: [u8; 256] = ascii_words(false);
static LOWERCASE: [u8; 256] = ascii_words(true);

/// Memory that is used again for every text.
#[derive(Debug, Default)]
struct Scratch {
    lower: String,
    spaced: String,
    bounds: Vec<usize>,
}

impl Tokenizer {
    /// The tokens of each text; null for null. `bytes` is about the length of all texts.
    pub(crate) fn tokenize<'a>(
        &self,
        texts: impl ExactSizeIterator<Item = Option<&'a str>>,
        bytes: usize,
    ) -> Result<ArrayRef> {
        let mut tokens = TokenBuilder::with_capacity(texts.len(), bytes);
        let mut scratch = Scratch::default();
        let is_word = word_test();
        for text in texts {
            match text {
                None => tokens.null_row(),
                Some(text) => {
                    self.tokenize_one(text, &is_word, &mut scratch, &mut tokens);
                    tokens.end_row()?;
                }
            }
        }
        tokens.finish()
    }

    fn tokenize_one(
        &self,
        text: &str,
        is_word: &impl Fn(char) -> bool,
        scratch: &mut Scratch,
        tokens: &mut TokenBuilder,
    ) {
        if matches!(self.cut, Cut::Word) && text.is_ascii() {
            let table = if self.lowercase { &LOWERCASE } else { &AS_IS };
            return tokens
                .push_runs(text.as_bytes(), table, |token| token.len() >= self.min_length && !self.stops(token));
        }
        let Scratch { lower, spaced, bounds } = scratch;
        let text = match self.lowercase {
            true => {
                lowercase_into(text, lower);
                lower.as_str()
            }
            false => text,
        };
        let emit = |token: &str| {
            if self.keeps(token) {
                tokens.push(token);
            }
        };
        match &self.cut {
            Cut::Word => words(text, is_word, emit),
            Cut::Whitespace => split(text, java_spaces(text), emit),
            Cut::Regex { pattern, gaps: true } => {
                split(text, pattern.find_iter(text).map(|found| (found.start(), found.end())), emit);
            }
            Cut::Regex { pattern, gaps: false } => pattern.find_iter(text).map(|found| found.as_str()).for_each(emit),
            Cut::Char { lo, hi } => {
                join_spaces(text, spaced);
                char_ngrams(spaced, *lo, *hi, bounds, emit);
            }
            // Runs of white space cut words, however long they are.
            Cut::CharInWord { lo, hi } => padded_ngrams(text, *lo, *hi, spaced, bounds, emit),
            Cut::Segment => segment(text, is_word, emit),
        }
    }

    fn keeps(&self, token: &str) -> bool {
        // A token has at most as many characters as bytes, and at least a quarter of them.
        let long = match self.min_length {
            0 => true,
            least if token.len() < least => false,
            least => token.len() >= least.saturating_mul(4) || token.chars().count() >= least,
        };
        long && !self.stops(token.as_bytes())
    }

    fn stops(&self, token: &[u8]) -> bool {
        !self.stop_words.is_empty() && self.stop_words.contains(token)
    }
}

/// The runs of word characters.
fn words(text: &str, is_word: impl Fn(char) -> bool, mut emit: impl FnMut(&str)) {
    let mut start = None;
    for (place, char) in text.char_indices() {
        match (is_word(char), start) {
            (true, None) => start = Some(place),
            (false, Some(from)) => {
                emit(&text[from..place]);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        emit(&text[from..]);
    }
}

/// The places of Java's white-space characters.
fn java_spaces(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let spaces = text.bytes().enumerate().filter(|(_, byte)| is_java_space(*byte));
    spaces.map(|(place, _)| (place, place + 1))
}

/// What is between the gaps, as Java's `Pattern.split`: an empty gap at the start cuts nothing, and empty texts at the
/// end are dropped, unless there is no gap at all.
fn split(text: &str, gaps: impl Iterator<Item = (usize, usize)>, mut emit: impl FnMut(&str)) {
    let (mut from, mut empty) = (0, 0);
    let mut emit_after_empty = |token: &str| match token.is_empty() {
        true => empty += 1,
        false => {
            (0..std::mem::take(&mut empty)).for_each(|_| emit(""));
            emit(token);
        }
    };
    for (start, end) in gaps.filter(|(_, end)| *end > 0) {
        emit_after_empty(&text[from..start]);
        from = end;
    }
    emit_after_empty(&text[from..]);
    if text.is_empty() {
        emit("");
    }
}

/// Puts one space for every run of two or more white-space characters, as scikit-learn does before it cuts n-grams.
fn join_spaces(text: &str, joined: &mut String) {
    joined.clear();
    let mut pending: Option<(char, bool)> = None;
    let flush = |pending: Option<(char, bool)>, joined: &mut String| match pending {
        Some((_, true)) => joined.push(' '),
        Some((space, false)) => joined.push(space),
        None => {}
    };
    for char in text.chars() {
        if is_python_space(char) {
            pending = Some((char, pending.is_some()));
        } else {
            flush(pending.take(), joined);
            joined.push(char);
        }
    }
    flush(pending, joined);
}

fn char_bounds(text: &str, bounds: &mut Vec<usize>) {
    bounds.clear();
    bounds.extend(text.char_indices().map(|(place, _)| place));
    bounds.push(text.len());
}

/// The n-grams of a text's characters: by size, then by place.
fn char_ngrams(text: &str, lo: usize, hi: usize, bounds: &mut Vec<usize>, mut emit: impl FnMut(&str)) {
    char_bounds(text, bounds);
    let length = bounds.len() - 1;
    for size in lo..=hi.min(length) {
        (0..=length - size).for_each(|start| emit(&text[bounds[start]..bounds[start + size]]));
    }
}

/// The n-grams of the characters of each word between spaces: by word, then by size, then by place. A word that is
/// shorter than a size gives itself, once.
fn padded_ngrams(
    text: &str,
    lo: usize,
    hi: usize,
    padded: &mut String,
    bounds: &mut Vec<usize>,
    mut emit: impl FnMut(&str),
) {
    for word in text.split(is_python_space).filter(|word| !word.is_empty()) {
        padded.clear();
        padded.push(' ');
        padded.push_str(word);
        padded.push(' ');
        char_bounds(padded, bounds);
        let length = bounds.len() - 1;
        for size in lo..=hi {
            if size >= length {
                emit(padded);
                break;
            }
            (0..=length - size).for_each(|start| emit(&padded[bounds[start]..bounds[start + size]]));
        }
    }
}
