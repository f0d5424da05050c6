//! `ngrams(tokens, lo[, hi, separator, ordering])`: runs of neighbouring tokens.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use super::arguments::{options_are_known, sizes};
use super::token_lists::{TokenBuilder, TokenLists, tokens_argument, tokens_type};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

static SPEC: Spec = Spec {
    name: "ngrams",
    section: "Text",
    summary: "The n-grams of a list of tokens, joined by a separator: all runs of lo to hi neighbouring tokens. Null \
              for a null list; null tokens are passed over.",
    parameters: &[
        required("tokens", "A list of texts."),
        required("lo", "The least tokens of an n-gram, 1 to 100, a constant."),
        optional("hi", "NULL", "The most tokens of an n-gram, up to 100; NULL is the value of lo."),
        optional("separator", "' '", "The text between two tokens of an n-gram."),
        optional(
            "ordering",
            "'size'",
            "'size': all n-grams of the least size first, as scikit-learn. 'position': all n-grams of the first token \
             first, as BigQuery's ML.NGRAMS.",
        ),
    ],
    example: "select ngrams(['a', 'b', 'c'], 1, 2); -- [a, b, c, a b, b c]",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Size,
    Position,
}

#[derive(Debug)]
pub(crate) struct Ngrams;

#[derive(Debug)]
struct Options {
    lo: usize,
    hi: usize,
    separator: String,
    order: Order,
}

fn options(constants: &Constants) -> Result<Options> {
    constants.given("lo", constants.integer("lo")?)?;
    let (lo, hi) = sizes(constants)?.unwrap_or((1, 1));
    let separator = constants.text("separator")?.unwrap_or_else(|| " ".to_string());
    let orders = [("size", Order::Size), ("position", Order::Position)];
    let order = constants.choice("ordering", &orders)?.unwrap_or(Order::Size);
    Ok(Options { lo, hi, separator, order })
}

fn ngrams(lists: &TokenLists, options: &Options) -> Result<ArrayRef> {
    let texts = lists.texts()?;
    let offsets = texts.value_offsets();
    let bytes = (offsets[texts.len()] - offsets[0]) as usize;
    let mut builder = TokenBuilder::with_capacity(lists.len(), bytes.saturating_mul(options.hi));
    let mut tokens: Vec<&str> = Vec::new();
    for row in 0..lists.len() {
        let Some(range) = lists.row(row) else {
            builder.null_row();
            continue;
        };
        tokens.clear();
        tokens.extend(range.filter(|place| texts.is_valid(*place)).map(|place| texts.value(place)));
        let mut push = |start: usize, size: usize| {
            for (place, token) in tokens[start..start + size].iter().enumerate() {
                if place > 0 {
                    builder.push_part(&options.separator);
                }
                builder.push_part(token);
            }
            builder.end_token();
        };
        let count = tokens.len();
        match options.order {
            Order::Size => (options.lo..=options.hi.min(count))
                .for_each(|size| (0..=count - size).for_each(|start| push(start, size))),
            Order::Position => (0..count)
                .for_each(|start| (options.lo..=options.hi.min(count - start)).for_each(|size| push(start, size))),
        }
        builder.end_row()?;
    }
    builder.finish()
}

impl Kernel for Ngrams {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = tokens_argument(&SPEC, "tokens", &types[0])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if options_are_known(&SPEC, constants) && !constants.is_varying("lo") {
            options(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, tokens_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        ngrams(&TokenLists::new(&arguments[0].to_array(rows)?)?, &options(constants)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Given, call, column, constant};
    use arrow::array::AsArray;
    use arrow::array::builder::{ListBuilder, StringBuilder};
    use datafusion_common::ScalarValue;

    fn lists(rows: &[Option<&[Option<&str>]>]) -> Given {
        let mut lists = ListBuilder::new(StringBuilder::new());
        rows.iter().for_each(|row| match row {
            Some(tokens) => lists.append_value(tokens.iter().copied()),
            None => lists.append_null(),
        });
        column(lists.finish())
    }

    fn row(array: &ArrayRef, row: usize) -> Vec<String> {
        let texts = array.as_list::<i32>().value(row);
        texts.as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect()
    }

    #[test]
    fn n_grams_are_those_of_bigquery_and_scikit_learn() {
        let tokens = lists(&[Some(&[Some("a"), Some("b"), Some("c")]), None, Some(&[]), Some(&[Some("a"), None])]);
        // The example of ML.NGRAMS in BigQuery's documentation: ML.NGRAMS(['a', 'b', 'c'], [2,3], '#').
        let arguments = [tokens.clone(), constant(2i64), constant(3i64), constant("#"), constant("position")];
        let result = call(&Ngrams, &arguments).unwrap();
        assert_eq!(row(&result, 0), ["a#b", "a#b#c", "b#c"]);
        assert!(result.is_null(1));
        assert!(row(&result, 2).is_empty());
        // scikit-learn 1.9.1: CountVectorizer(ngram_range=(1, 3), token_pattern=r"\w").build_analyzer()("a b c").
        let result = call(&Ngrams, &[tokens.clone(), constant(1i64), constant(3i64)]).unwrap();
        assert_eq!(row(&result, 0), ["a", "b", "c", "a b", "b c", "a b c"]);
        assert_eq!(row(&result, 3), ["a"]);
        // Spark's NGram(n = 2).
        assert_eq!(row(&call(&Ngrams, &[tokens, constant(2i64)]).unwrap(), 0), ["a b", "b c"]);
    }

    #[test]
    fn sizes_out_of_order_are_refused() {
        let tokens = lists(&[Some(&[Some("a")])]);
        let message = |arguments: &[Given]| call(&Ngrams, arguments).unwrap_err().to_string();
        let zero = message(&[tokens.clone(), constant(0i64)]);
        assert!(zero.contains("lo of ngrams must be at least 1: it is 0"), "{zero}");
        let order = message(&[tokens.clone(), constant(3i64), constant(2i64)]);
        assert!(order.contains("hi of ngrams must be at least lo, 3: it is 2"), "{order}");
        let null = message(&[tokens, constant(ScalarValue::Null)]);
        assert!(null.contains("lo of ngrams must be given"), "{null}");
    }
}
