//! Lists of tokens: read from any list of texts, built row by row.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, exec_err, plan_err};
use std::ops::Range;
use std::sync::Arc;

use crate::spec::Spec;
use crate::state::list_of;

/// The type of a list of tokens.
pub(crate) fn tokens_type() -> DataType {
    list_of(DataType::Utf8)
}

/// The type that an argument of tokens is cast to: a list of texts, or of a dictionary of texts, which stays one so
/// that a token is looked up once a batch.
pub(crate) fn tokens_argument(spec: &Spec, parameter: &str, data_type: &DataType) -> Result<DataType> {
    let wrong = || plan_err!("{parameter} of {} must be a list of texts: it is of type {data_type}", spec.name);
    let element = match data_type {
        DataType::Null => return Ok(tokens_type()),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => field.data_type(),
        _ => return wrong(),
    };
    match element {
        DataType::Null => Ok(tokens_type()),
        text if text.is_string() => Ok(tokens_type()),
        DataType::Dictionary(_, value) if value.is_string() => {
            Ok(list_of(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))))
        }
        _ => wrong(),
    }
}

/// A column of token lists.
#[derive(Debug)]
pub(crate) struct TokenLists {
    lists: ListArray,
    first: usize,
    /// The tokens of all rows, as `Utf8` or a dictionary of it; a null row may have some of its own.
    pub(crate) tokens: ArrayRef,
}

impl TokenLists {
    /// Reads a column of the type of [`tokens_argument`].
    pub(crate) fn new(column: &ArrayRef) -> Result<Self> {
        let Some(lists) = column.as_list_opt::<i32>() else {
            return exec_err!("tokens must be lists: they are of type {}", column.data_type());
        };
        let offsets = lists.value_offsets();
        let (first, last) = match (offsets.first(), offsets.last()) {
            (Some(first), Some(last)) => (*first as usize, *last as usize),
            _ => (0, 0),
        };
        Ok(Self { first, tokens: lists.values().slice(first, last - first), lists: lists.clone() })
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// The place of a row's tokens among all; `None` if the row is null.
    pub(crate) fn row(&self, row: usize) -> Option<Range<usize>> {
        if self.lists.is_null(row) {
            return None;
        }
        let offsets = self.lists.value_offsets();
        Some(offsets[row] as usize - self.first..offsets[row + 1] as usize - self.first)
    }

    /// The tokens as plain texts.
    pub(crate) fn texts(&self) -> Result<StringArray> {
        Ok(cast(&self.tokens, &DataType::Utf8)?.as_string::<i32>().clone())
    }

    /// Which rows are null.
    pub(crate) fn nulls(&self) -> Option<NullBuffer> {
        self.lists.nulls().cloned()
    }
}

/// The most bytes of text that are reserved at once; what is longer grows.
const MOST_RESERVED: usize = 1 << 24;

/// Builds lists of tokens, row by row.
#[derive(Debug)]
pub(crate) struct TokenBuilder {
    text: Vec<u8>,
    ends: Vec<i32>,
    rows: Vec<i32>,
    valid: Vec<bool>,
}

impl TokenBuilder {
    /// A builder for about `rows` rows with about `bytes` bytes of text.
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let bytes = bytes.min(MOST_RESERVED);
        let (mut ends, mut starts) = (Vec::with_capacity(bytes / 4 + 1), Vec::with_capacity(rows + 1));
        ends.push(0);
        starts.push(0);
        Self { text: Vec::with_capacity(bytes), ends, rows: starts, valid: Vec::with_capacity(rows) }
    }

    /// Adds a token to the row under way.
    pub(crate) fn push(&mut self, token: &str) {
        self.push_part(token);
        self.end_token();
    }

    /// Adds a part of a token, which [`Self::end_token`] ends.
    pub(crate) fn push_part(&mut self, part: &str) {
        self.text.extend_from_slice(part.as_bytes());
    }

    /// Ends a token of parts. A number that wraps around here is an error at the end of the row.
    pub(crate) fn end_token(&mut self) {
        self.ends.push(self.text.len() as i32);
    }

    /// Adds the runs of bytes of `text` that `map` does not make 0, mapped, if `keep` takes them. `map` must make ASCII
    /// of every byte of the text. One pass that copies as it goes: to copy token by token takes twice as long.
    pub(crate) fn push_runs(&mut self, text: &[u8], map: &[u8; 256], keep: impl Fn(&[u8]) -> bool) {
        let mut start = self.text.len();
        let mut length = start;
        self.text.resize(start + text.len(), 0);
        for byte in text {
            let mapped = map[*byte as usize];
            self.text[length] = mapped;
            if mapped != 0 {
                length += 1;
                continue;
            }
            if length > start && keep(&self.text[start..length]) {
                self.ends.push(length as i32);
                start = length;
            }
            length = start;
        }
        self.text.truncate(length);
        if length > start {
            match keep(&self.text[start..]) {
                true => self.end_token(),
                false => self.text.truncate(start),
            }
        }
    }

    /// Ends the row under way; an error if the batch has become too large for a list of texts.
    pub(crate) fn end_row(&mut self) -> Result<()> {
        let tokens = i32::try_from(self.ends.len() - 1);
        match tokens {
            Ok(tokens) if i32::try_from(self.text.len()).is_ok() => {
                self.rows.push(tokens);
                self.valid.push(true);
                Ok(())
            }
            _ => exec_err!(
                "the tokens of one batch take more than 2 GiB: cut the texts or set datafusion.execution.batch_size lower"
            ),
        }
    }

    /// Adds a null row.
    pub(crate) fn null_row(&mut self) {
        self.rows.push(self.rows.last().copied().unwrap_or(0));
        self.valid.push(false);
    }

    /// The lists.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let tokens = StringArray::try_new(offsets, Buffer::from_vec(self.text), None)?;
        let rows = OffsetBuffer::new(ScalarBuffer::from(self.rows));
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
        Ok(Arc::new(ListArray::try_new(field, rows, Arc::new(tokens), nulls)?))
    }
}
