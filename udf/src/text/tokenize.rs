//! `tokenize(s[, kind, pattern, gaps, lowercase, min_length, stop_words, lo, hi])`: the tokens of a text.

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use hashbrown::HashSet;
use regex::Regex;
use std::sync::{Arc, Mutex, PoisonError};

use super::arguments::{options_are_known, sizes};
use super::segment::SEGMENTS;
use super::token_lists::tokens_type;
use super::tokenizer::{Cut, Tokenizer};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

static SPEC: Spec = Spec {
    name: "tokenize",
    section: "Text",
    summary: "The tokens of a text, as a list; null for null. The kind 'word' gives the runs of word characters, as \
              scikit-learn; 'whitespace' and 'regex' follow Spark's Tokenizer and RegexTokenizer; 'char' and 'char_wb' \
              give n-grams of characters, as scikit-learn; 'segment' finds words where there are no spaces.",
    parameters: &[
        required("s", "A text."),
        optional(
            "kind",
            "'word'",
            "'word': runs of letters, numbers and underscores, that is scikit-learn's `(?u)\\b\\w\\w+\\b`. 'whitespace': cut \
             at each ASCII white-space character, empty tokens in between included, those at the end dropped. 'regex': \
             cut by a pattern. 'char': n-grams of characters, runs of white space taken as one space. 'char_wb': \
             n-grams of the characters of each word with a space on either side. 'segment': the words of Chinese text as \
             jieba finds them, those of Japanese, Thai, Khmer, Lao, Burmese and everything else as ICU does, in a build \
             with the cargo feature 'segment'.",
        ),
        optional("pattern", "'\\s+'", "The pattern of the kind 'regex', in the syntax of Rust's regex crate."),
        optional("gaps", "true", "Whether the pattern matches what is between tokens, not the tokens."),
        optional("lowercase", "true", "Whether the text (and every stop word) is put in lower case first."),
        optional(
            "min_length",
            "NULL",
            "The least characters of a token; NULL is 2 for 'word', 0 for 'whitespace', and 1 for 'regex' and 'segment'.",
        ),
        optional("stop_words", "[]", "A list of tokens to leave out; not for the n-grams of characters."),
        optional("lo", "1", "The least characters of an n-gram, 1 to 100."),
        optional("hi", "NULL", "The most characters of an n-gram, up to 100; NULL is the value of lo."),
    ],
    example: "select tokenize('The cat sat.', stop_words => ['the']); -- [cat, sat]",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Whitespace,
    Regex,
    Char,
    CharInWord,
    Segment,
}

const KINDS: [(&str, Kind); 6] = [
    ("word", Kind::Word),
    ("whitespace", Kind::Whitespace),
    ("regex", Kind::Regex),
    ("char", Kind::Char),
    ("char_wb", Kind::CharInWord),
    ("segment", Kind::Segment),
];

/// How many compiled patterns are kept.
const CACHED: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Tokenize {
    patterns: Mutex<Vec<Arc<Regex>>>,
}

impl Tokenize {
    fn pattern(&self, constants: &Constants) -> Result<Arc<Regex>> {
        let pattern = constants.text("pattern")?.unwrap_or_else(|| r"\s+".to_string());
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = patterns.iter().find(|known| known.as_str() == pattern) {
            return Ok(Arc::clone(known));
        }
        let compiled = Regex::new(&pattern)
            .map_err(|error| constants.error("pattern", format!("must be a regular expression: {error}")))?;
        let compiled = Arc::new(compiled);
        if patterns.len() == CACHED {
            patterns.remove(0);
        }
        patterns.push(Arc::clone(&compiled));
        Ok(compiled)
    }

    fn tokenizer(&self, constants: &Constants) -> Result<Tokenizer> {
        let kind = constants.choice("kind", &KINDS)?.unwrap_or(Kind::Word);
        check_options(kind, constants)?;
        let (lo, hi) = sizes(constants)?.unwrap_or((1, 1));
        let (cut, least) = match kind {
            Kind::Word => (Cut::Word, 2),
            Kind::Whitespace => (Cut::Whitespace, 0),
            Kind::Regex => {
                let gaps = constants.boolean("gaps")?.unwrap_or(true);
                (Cut::Regex { pattern: self.pattern(constants)?, gaps }, 1)
            }
            Kind::Char => (Cut::Char { lo, hi }, 0),
            Kind::CharInWord => (Cut::CharInWord { lo, hi }, 0),
            Kind::Segment => (Cut::Segment, 1),
        };
        let lowercase = constants.boolean("lowercase")?.unwrap_or(true);
        let min_length = constants.integer_within("min_length", 0, i64::from(i32::MAX))?;
        let stop_words = constants.texts("stop_words")?.unwrap_or_default();
        let mut stops = HashSet::default();
        let bytes = |word: String| if lowercase { word.to_lowercase().into_bytes() } else { word.into_bytes() };
        stops.extend(stop_words.into_iter().map(bytes));
        let min_length = min_length.map_or(least, |length| length as usize);
        Ok(Tokenizer { cut, lowercase, min_length, stop_words: stops })
    }
}

/// Refuses options that another kind reads, and a kind that this build has not.
fn check_options(kind: Kind, constants: &Constants) -> Result<()> {
    let only = |parameters: &[&str], kinds: &[Kind], names: &str| -> Result<()> {
        let given = parameters.iter().find(|parameter| constants.is_given(parameter));
        match given {
            Some(parameter) if !kinds.contains(&kind) => {
                Err(constants.error(parameter, format!("is for kind {names}")))
            }
            _ => Ok(()),
        }
    };
    let words = [Kind::Word, Kind::Whitespace, Kind::Regex, Kind::Segment];
    only(&["pattern", "gaps"], &[Kind::Regex], "'regex'")?;
    only(&["lo", "hi"], &[Kind::Char, Kind::CharInWord], "'char' or 'char_wb'")?;
    only(&["min_length", "stop_words"], &words, "'word', 'whitespace', 'regex' or 'segment'")?;
    if kind == Kind::Segment && !SEGMENTS {
        return Err(constants.error("kind", "can be 'segment' only in a build with `--features sluice-cli/segment`, or of the library with its feature 'segment'"));
    }
    Ok(())
}

fn text_argument(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::Dictionary(_, value) if value.is_string() => {
            Ok(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
        }
        other => plan_err!("s of tokenize must be a text: it is of type {other}"),
    }
}

/// The tokens of each text of an array of the type of [`text_argument`].
fn tokenize(tokenizer: &Tokenizer, texts: &ArrayRef) -> Result<ArrayRef> {
    match texts.data_type() {
        DataType::Utf8 => {
            let texts = texts.as_string::<i32>();
            let offsets = texts.value_offsets();
            let bytes = offsets[texts.len()] - offsets[0];
            tokenizer.tokenize(texts.iter(), bytes as usize)
        }
        DataType::LargeUtf8 => {
            let texts = texts.as_string::<i64>();
            let offsets = texts.value_offsets();
            let bytes = offsets[texts.len()] - offsets[0];
            tokenizer.tokenize(texts.iter(), bytes.clamp(0, i64::from(i32::MAX)) as usize)
        }
        DataType::Utf8View => {
            let texts = texts.as_string_view();
            let bytes: u64 = texts.views().iter().map(|view| u64::from(*view as u32)).sum();
            tokenizer.tokenize(texts.iter(), bytes.min(i32::MAX as u64) as usize)
        }
        DataType::Dictionary(_, _) => {
            let keyed = texts.as_dictionary::<Int32Type>();
            // A small part of a large dictionary is better read row by row.
            if keyed.values().len() > keyed.len() {
                return tokenize(tokenizer, &cast(texts, &DataType::Utf8)?);
            }
            Ok(take(&tokenize(tokenizer, keyed.values())?, keyed.keys(), None)?)
        }
        other => exec_err!("s of tokenize must be a text: it is of type {other}"),
    }
}

impl Kernel for Tokenize {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = text_argument(&types[0])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if options_are_known(&SPEC, constants) {
            self.tokenizer(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, tokens_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        tokenize(&self.tokenizer(constants)?, &arguments[0].to_array(rows)?)
    }
}
