use arrow::array::AsArray;
use arrow::array::builder::{ListBuilder, StringBuilder};
use arrow::datatypes::Float64Type;
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::super::fit_idf::FitIdf;
use super::*;
use crate::testing::{Given, call, constant, fit, state};

fn lists(texts: &[Option<&str>]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    texts.iter().for_each(|text| lists.append_option(text.map(|text| text.split_whitespace().map(Some))));
    Arc::new(lists.finish())
}

fn query(text: &str) -> Given {
    constant(ScalarValue::try_from_array(&lists(&[Some(text)]), 0).unwrap())
}

const DOCUMENTS: [Option<&str>; 4] = [Some("a b b c"), Some("a c d"), Some("a e e e"), Some("f")];

fn fitted() -> Given {
    state(fit(&FitIdf, &[Given::Column(lists(&DOCUMENTS))]).unwrap().as_struct())
}

fn scores(query: Given, options: &[Given]) -> Vec<f64> {
    let mut arguments = vec![fitted(), query, Given::Column(lists(&DOCUMENTS))];
    arguments.extend_from_slice(options);
    let scores = call(&Bm25::default(), &arguments).unwrap();
    scores.as_primitive::<Float64Type>().values().to_vec()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

#[test]
fn scores_are_those_of_bm25s() {
    // bm25s 0.3.16: BM25(method=variant, k1=1.2, b=0.75, dtype="float64").get_scores(query).
    let cases: [(&str, &str, [f64; 4]); 8] = [
        ("lucene", "b c", [0.9652433318387987, 0.31506690025452055, 0.0, 0.0]),
        ("lucene", "a", [0.14266997757549296, 0.16212497451760563, 0.14266997757549296, 0.0]),
        ("lucene", "e f zz", [0.0, 0.0, 0.8026485362172907, 0.75248300270371]),
        ("robertson", "b c", [0.48417020593554494, 0.0, 0.0, 0.0]),
        ("robertson", "a", [0.0; 4]),
        ("robertson", "e f zz", [0.0, 0.0, 0.5648652402581358, 0.5295611627420023]),
        ("atire", "b c", [2.3527395728720433, std::f64::consts::LN_2, 0.0, 0.0]),
        ("atire", "e f zz", [0.0, 0.0, 2.033231729642506, 1.9061547465398496]),
    ];
    for (variant, text, expected) in cases {
        let defaults = || constant(ScalarValue::Null);
        assert_near(&scores(query(text), &[defaults(), defaults(), constant(variant)]), &expected);
    }
    assert_near(&scores(query("b b"), &[]), &[1.3759689192296412, 0.0, 0.0, 0.0]);
}

#[test]
fn scores_are_those_of_rank_bm25() {
    // rank_bm25 0.2.2: BM25Okapi(documents, k1=2.0, b=0.3).get_scores(query), which has a factor of k1 + 1 more.
    let options = [constant(2.0), constant(0.3), constant("robertson")];
    let with_factor = |text: &str| scores(query(text), &options).iter().map(|score| score * 3.0).collect::<Vec<_>>();
    assert_near(&with_factor("b d"), &[1.2104255148388625, 0.8472978603872037, 0.0, 0.0]);
    assert_near(&with_factor("e f zz"), &[0.0, 0.0, 1.466477066054776, 0.9776513773698505]);
    assert_near(&with_factor("b b"), &[2.420851029677725, 0.0, 0.0, 0.0]);
}

#[test]
fn nulls_empty_lists_and_queries_by_row() {
    let queries = lists(&[Some("a"), None, Some(""), Some("a f")]);
    let documents = lists(&[None, Some("a"), Some("a"), Some("")]);
    let result = call(&Bm25::default(), &[fitted(), Given::Column(queries), Given::Column(documents)]).unwrap();
    let result = result.as_primitive::<Float64Type>();
    assert_eq!(result.iter().collect::<Vec<_>>(), [None, None, Some(0.0), Some(0.0)]);
    let none = fit(&FitIdf, &[Given::Column(lists(&[]))]).unwrap();
    let result = call(&Bm25::default(), &[state(none.as_struct()), query("a"), Given::Column(lists(&DOCUMENTS))]);
    assert_eq!(result.unwrap().as_primitive::<Float64Type>().values(), &[0.0; 4]);
    let null = call(&Bm25::default(), &[constant(ScalarValue::Null), query("a"), query("a")]).unwrap();
    assert!(null.is_null(0));
}

#[test]
fn wrong_options_are_refused() {
    let message = |options: &[Given]| {
        let mut arguments = vec![fitted(), query("a"), query("a")];
        arguments.extend_from_slice(options);
        call(&Bm25::default(), &arguments).unwrap_err().to_string()
    };
    let negative = message(&[constant(-1.0)]);
    assert!(negative.contains("k1 of bm25 must be between 0 and"), "{negative}");
    let large = message(&[constant(1.0), constant(1.5)]);
    assert!(large.contains("b of bm25 must be between 0 and 1: it is 1.5"), "{large}");
    let variant = message(&[constant(1.0), constant(0.5), constant("bm26")]);
    assert!(variant.contains("variant of bm25 must be one of lucene, robertson, atire: it is 'bm26'"), "{variant}");
}

proptest! {
    #[test]
    fn long_queries_score_as_the_sum_of_their_tokens(
        tokens in proptest::collection::vec("[a-g]", 0..80),
        k1 in 0.0..3.0f64,
        b in 0.0..1.0f64,
    ) {
        let options = [constant(k1), constant(b)];
        let whole = scores(query(&tokens.join(" ")), &options);
        let mut sum = vec![0.0; 4];
        for token in &tokens {
            sum.iter_mut().zip(scores(query(token), &options)).for_each(|(sum, score)| *sum += score);
        }
        prop_assert!(whole.iter().zip(&sum).all(|(whole, sum)| (whole - sum).abs() < 1e-9));
    }
}
