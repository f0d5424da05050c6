//! `feature_cross(features[, degree, on_null])`: the texts of all combinations of values.

use arrow::array::{Array, ArrayRef, ListArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::hash::cross::{Crosses, FEATURES_DOC, ON_NULL_DOC, OnNull, cross_argument};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::list_of;

/// How many crosses a row may have.
const MOST_CROSSES: usize = 10_000;
/// How many values a cross may have.
const MOST_VALUES: i64 = 8;

static SPEC: Spec = Spec {
    name: "feature_cross",
    section: "Hashing",
    summary: "The list of the crosses of 2 to degree of the values, as BigQuery's ML.FEATURE_CROSS: all pairs in the order \
              of the values, then all triples, and so on, at most 10000. A cross is the text \
              4:city=4:Oslo,7:channel=3:web, each name and value with its length in bytes before it, so that no two \
              different crosses are equal, and their order counts. feature_hash takes the list. A null list or struct \
              gives null.",
    parameters: &[
        required("features", FEATURES_DOC),
        optional("degree", "2", "How many values a cross has at most, 2 to 8."),
        optional("on_null", "'skip'", ON_NULL_DOC),
    ],
    example: "select feature_cross(named_struct('city', 'Oslo', 'channel', 'web')); \
              -- [4:city=4:Oslo,7:channel=3:web]",
};

#[derive(Debug)]
pub(crate) struct FeatureCross;

fn options(constants: &Constants) -> Result<(usize, OnNull)> {
    let degree = constants.integer_within("degree", 2, MOST_VALUES)?.unwrap_or(2);
    Ok((degree as usize, OnNull::of(constants)?))
}

/// The combinations of 2 to `degree` of `width` places, each ascending: by size, then by place.
fn combinations(width: usize, degree: usize) -> Result<Vec<Vec<usize>>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    for size in 2..=degree.min(width) {
        let mut places: Vec<usize> = (0..size).collect();
        loop {
            if all.len() == MOST_CROSSES {
                return exec_err!(
                    "{width} features of feature_cross have more than {MOST_CROSSES} crosses of up to {degree}: give a \
                     smaller degree or fewer features"
                );
            }
            all.push(places.clone());
            // The last place that can move on does, and those after it follow.
            let Some(moved) = (0..size).rev().find(|place| places[*place] < width - size + *place) else { break };
            places[moved] += 1;
            (moved + 1..size).for_each(|place| places[place] = places[place - 1] + 1);
        }
    }
    Ok(all)
}

impl Kernel for FeatureCross {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = cross_argument(SPEC.name, &types[0])?;
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("degree") {
            let (degree, _) = options(constants)?;
            if let DataType::Struct(columns) = fields[0].data_type() {
                combinations(columns.len(), degree)?;
            }
        }
        Ok(Arc::new(Field::new(SPEC.name, list_of(DataType::Utf8), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (degree, on_null) = options(constants)?;
        let features = arguments[0].to_array(rows)?;
        let crosses = Crosses::of(&features)?;
        let mut known: (usize, Vec<Vec<usize>>) = (0, Vec::new());
        let mut lists = TextLists::default();
        let mut text = String::new();
        for row in 0..features.len() {
            if !crosses.is_null(row) {
                let width = crosses.width(row);
                if known.0 != width {
                    known = (width, combinations(width, degree)?);
                }
                for places in &known.1 {
                    if crosses.write(row, places.iter().copied(), on_null, &mut text) {
                        lists.add(&text)?;
                    }
                }
            }
            lists.end_row();
        }
        Ok(Arc::new(lists.finish(features.logical_nulls())?))
    }
}

/// Builds lists of texts.
#[derive(Debug, Default)]
struct TextLists {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
    rows: Vec<usize>,
    row: usize,
}

impl TextLists {
    fn add(&mut self, text: &str) -> Result<()> {
        if i32::try_from(self.bytes.len() + text.len()).is_err() {
            return exec_err!("the crosses of a batch take more than {} bytes: use smaller batches", i32::MAX);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.lengths.push(text.len());
        self.row += 1;
        Ok(())
    }

    fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Result<ListArray> {
        let texts = StringArray::try_new(OffsetBuffer::from_lengths(self.lengths), Buffer::from_vec(self.bytes), None)?;
        let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
        Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(self.rows), Arc::new(texts), nulls)?)
    }
}

#[cfg(test)]
mod tests;
