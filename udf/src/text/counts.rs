//! `token_counts(tokens)` and `tf(counts[, kind])`: how often each token occurs in a document.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::arguments::options_are_known;
use super::token_lists::{TokenLists, tokens_argument};
use crate::category::{CategoryIndex, MISSING};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{list_of, struct_array, struct_of};

static COUNTS: Spec = Spec {
    name: "token_counts",
    section: "Text",
    summary: "How often each token occurs: a list of structs of `token` and `count` (BIGINT), in ascending order of \
              tokens by their bytes. Null for a null list; null tokens are passed over.",
    parameters: &[required("tokens", "A list of texts.")],
    example: "select token_counts(['b', 'a', 'b']); -- [{token: a, count: 1}, {token: b, count: 2}]",
};

static TF: Spec = Spec {
    name: "tf",
    section: "Text",
    summary: "Term frequencies: a list of structs of `token` and `tf` (DOUBLE), in the order of the counts. Null for a \
              null list.",
    parameters: &[
        required("counts", "The result of token_counts."),
        optional(
            "kind",
            "'raw'",
            "'raw': the count. 'freq': the count divided by the sum of the counts, as BigQuery. 'sublinear': 1 + ln of \
             the count, as scikit-learn. 'binary': 1. A count of 0 gives 0.",
        ),
    ],
    example: "select tf(token_counts(['b', 'a', 'b']), kind => 'sublinear');",
};

/// How a term's count in a document becomes its frequency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TermFrequency {
    /// The count.
    Raw,
    /// The count divided by the document's length.
    Freq,
    /// One plus the logarithm of the count.
    Sublinear,
    /// One.
    Binary,
}

impl TermFrequency {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 4] =
        [("raw", Self::Raw), ("freq", Self::Freq), ("sublinear", Self::Sublinear), ("binary", Self::Binary)];

    /// The frequency of a term that occurs `count` times in a document of `length` tokens.
    pub(crate) fn of(self, count: i64, length: i64) -> f64 {
        match self {
            _ if count == 0 => 0.0,
            Self::Raw => count as f64,
            Self::Freq => count as f64 / length as f64,
            Self::Sublinear => 1.0 + (count as f64).ln(),
            Self::Binary => 1.0,
        }
    }
}

fn counts_type() -> DataType {
    list_of(struct_of(&[("token", DataType::Utf8), ("count", DataType::Int64)]))
}

fn tf_type() -> DataType {
    list_of(struct_of(&[("token", DataType::Utf8), ("tf", DataType::Float64)]))
}

/// How often each token occurs in each row.
fn token_counts(lists: &TokenLists) -> Result<ArrayRef> {
    let mut index = CategoryIndex::new(lists.tokens.data_type());
    let numbers = index.insert(&lists.tokens)?;
    // Numbers in the order of the tokens, so that sorting a row's numbers sorts its tokens.
    let order = index.sorted();
    let mut ranks = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(rank, number)| ranks[*number as usize] = rank as u32);
    let (mut places, mut counts): (Vec<u32>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut lengths = Vec::with_capacity(lists.len());
    let mut row_ranks: Vec<u32> = Vec::new();
    for row in 0..lists.len() {
        row_ranks.clear();
        let range = lists.row(row).unwrap_or(0..0);
        row_ranks
            .extend(numbers[range].iter().filter(|number| **number != MISSING).map(|number| ranks[*number as usize]));
        row_ranks.sort_unstable();
        let start = places.len();
        for run in row_ranks.chunk_by(|left, right| left == right) {
            places.push(order[run[0] as usize]);
            counts.push(run.len() as i64);
        }
        lengths.push(places.len() - start);
    }
    let tokens = index.values_of(places.iter().copied())?;
    let counts: ArrayRef = Arc::new(Int64Array::from(counts));
    lists_of(vec![("token", tokens), ("count", counts)], OffsetBuffer::from_lengths(lengths), lists.nulls())
}

fn lists_of(columns: Vec<(&str, ArrayRef)>, offsets: OffsetBuffer<i32>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let elements = struct_array(columns)?;
    let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(elements), nulls)?))
}

/// The frequencies of the terms of each row.
fn tf(counts: &ListArray, kind: TermFrequency) -> Result<ArrayRef> {
    let elements = counts.values().as_struct();
    let (tokens, numbers) = (elements.column(0), elements.column(1).as_primitive::<Int64Type>());
    let known = NullBuffer::union(elements.nulls(), numbers.nulls());
    let is_known = |place: usize| known.as_ref().is_none_or(|known| known.is_valid(place));
    let mut values = vec![0.0; numbers.len()];
    for row in (0..counts.len()).filter(|row| counts.is_valid(*row)) {
        let range = counts.value_offsets()[row] as usize..counts.value_offsets()[row + 1] as usize;
        let mut length = 0i64;
        for place in range.clone().filter(|place| is_known(*place)) {
            let count = numbers.value(place);
            if count < 0 {
                return exec_err!("the counts of tf must be at least 0: there is {count}");
            }
            length = length.saturating_add(count);
        }
        range.filter(|place| is_known(*place)).for_each(|place| values[place] = kind.of(numbers.value(place), length));
    }
    let values: ArrayRef = Arc::new(Float64Array::new(values.into(), known));
    lists_of(vec![("token", Arc::clone(tokens)), ("tf", values)], counts.offsets().clone(), counts.nulls().cloned())
}

#[derive(Debug)]
pub(crate) struct TokenCounts;

impl Kernel for TokenCounts {
    fn spec(&self) -> &'static Spec {
        &COUNTS
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![tokens_argument(&COUNTS, "tokens", &types[0])?])
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(COUNTS.name, counts_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        token_counts(&TokenLists::new(&arguments[0].to_array(rows)?)?)
    }
}

#[derive(Debug)]
pub(crate) struct Tf;

fn kind(constants: &Constants) -> Result<TermFrequency> {
    Ok(constants.choice("kind", &TermFrequency::NAMES)?.unwrap_or(TermFrequency::Raw))
}

impl Kernel for Tf {
    fn spec(&self) -> &'static Spec {
        &TF
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let element = match &types[0] {
            DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => field.data_type(),
            other => other,
        };
        let fits = match element {
            DataType::Null => true,
            DataType::Struct(fields) => match fields.as_ref() {
                [token, count] => token.name() == "token" && count.name() == "count" && count.data_type().is_integer(),
                _ => false,
            },
            _ => false,
        };
        if !fits {
            return plan_err!("counts of tf must be the result of token_counts: it is of type {}", types[0]);
        }
        let mut types = types.to_vec();
        types[0] = counts_type();
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if options_are_known(&TF, constants) {
            kind(constants)?;
        }
        Ok(Arc::new(Field::new(TF.name, tf_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let counts = arguments[0].to_array(rows)?;
        match counts.as_list_opt::<i32>() {
            Some(counts) => tf(counts, kind(constants)?),
            None => exec_err!("counts of tf must be a list: it is of type {}", counts.data_type()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Given, call, column, constant};
    use arrow::array::StringArray;
    use arrow::array::builder::{ListBuilder, StringBuilder};
    use arrow::compute::cast;
    use std::collections::BTreeMap;

    fn lists(rows: &[Option<Vec<Option<&str>>>]) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        rows.iter().for_each(|row| match row {
            Some(tokens) => lists.append_value(tokens.iter().copied()),
            None => lists.append_null(),
        });
        Arc::new(lists.finish())
    }

    fn counts_of(array: &ArrayRef, row: usize) -> Vec<(String, i64)> {
        let elements = array.as_list::<i32>().value(row);
        let elements = elements.as_struct();
        let tokens = elements.column(0).as_string::<i32>();
        let counts = elements.column(1).as_primitive::<Int64Type>();
        tokens.iter().map(|token| token.unwrap().to_string()).zip(counts.values().iter().copied()).collect()
    }

    #[test]
    fn counts_stand_in_the_order_of_the_tokens() {
        let rows = lists(&[
            Some(vec![Some("b"), None, Some("é"), Some("a"), Some("b")]),
            None,
            Some(vec![]),
            Some(vec![Some("Z"), Some("a")]),
        ]);
        let keyed = list_of(DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8View)));
        let large = DataType::LargeList(Arc::new(Field::new_list_field(DataType::LargeUtf8, true)));
        for data_type in [list_of(DataType::Utf8), list_of(DataType::Utf8View), keyed, large] {
            let rows = cast(&rows, &data_type).unwrap();
            let counts = call(&TokenCounts, &[Given::Column(rows.slice(0, 4))]).unwrap();
            assert_eq!(counts_of(&counts, 0), [("a".into(), 1), ("b".into(), 2), ("é".into(), 1)]);
            assert!(counts.is_null(1));
            assert!(counts_of(&counts, 2).is_empty());
            assert_eq!(counts_of(&counts, 3), [("Z".into(), 1), ("a".into(), 1)]);
            let part = call(&TokenCounts, &[Given::Column(rows.slice(3, 1))]).unwrap();
            assert_eq!(counts_of(&part, 0), [("Z".into(), 1), ("a".into(), 1)]);
        }
        let numbers = column(Int64Array::from(vec![1]));
        assert!(call(&TokenCounts, &[numbers]).unwrap_err().to_string().contains("must be a list of texts"));
    }

    #[test]
    fn frequencies_of_every_kind() {
        let counts = call(&TokenCounts, &[Given::Column(lists(&[Some(vec![Some("b"), Some("a"), Some("b")]), None]))]);
        let counts = counts.unwrap();
        let values = |kind: &str| {
            let result = call(&Tf, &[Given::Column(Arc::clone(&counts)), constant(kind)]).unwrap();
            assert!(result.is_null(1));
            let elements = result.as_list::<i32>().value(0);
            let tokens = elements.as_struct().column(0).as_string::<i32>();
            assert_eq!(tokens, &StringArray::from(vec!["a", "b"]));
            elements.as_struct().column(1).as_primitive::<arrow::datatypes::Float64Type>().values().to_vec()
        };
        assert_eq!(values("raw"), [1.0, 2.0]);
        assert_eq!(values("freq"), [1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(values("sublinear"), [1.0, 1.0 + 2f64.ln()]);
        assert_eq!(values("binary"), [1.0, 1.0]);
        let wrong = call(&Tf, &[Given::Column(counts), constant("log")]).unwrap_err().to_string();
        assert!(wrong.contains("kind of tf must be one of raw, freq, sublinear, binary"), "{wrong}");
    }

    #[test]
    fn negative_and_null_counts() {
        let make = |count: Option<i64>| -> Given {
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("token", Arc::new(StringArray::from(vec!["a"]))),
                ("count", Arc::new(Int64Array::from(vec![count]))),
            ];
            Given::Column(lists_of(columns, OffsetBuffer::from_lengths([1]), None).unwrap())
        };
        let negative = call(&Tf, &[make(Some(-1))]).unwrap_err().to_string();
        assert!(negative.contains("must be at least 0: there is -1"), "{negative}");
        let null = call(&Tf, &[make(None)]).unwrap();
        assert!(null.as_list::<i32>().value(0).as_struct().column(1).is_null(0));
    }

    proptest::proptest! {
        #[test]
        fn counts_equal_those_of_a_map(rows in proptest::collection::vec(proptest::collection::vec("[a-cé]{0,2}", 0..9), 0..9)) {
            let given: Vec<_> = rows.iter().map(|row| Some(row.iter().map(|token| Some(token.as_str())).collect())).collect();
            let counts = call(&TokenCounts, &[Given::Column(lists(&given))]).unwrap();
            for (place, row) in rows.iter().enumerate() {
                let mut expected: BTreeMap<String, i64> = BTreeMap::new();
                row.iter().for_each(|token| *expected.entry(token.clone()).or_default() += 1);
                proptest::prop_assert_eq!(counts_of(&counts, place), expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
