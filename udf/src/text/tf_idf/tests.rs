use arrow::array::AsArray;
use arrow::array::builder::{ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{Field, Float64Type, Int32Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::super::fit_idf::FitIdf;
use super::super::term_index::bucket;
use super::*;
use crate::sparse::dimension_of;
use crate::state::list_of;
use crate::testing::{Given, call, constant, fit, golden, state};

fn lists(texts: &[Option<&str>]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    texts.iter().for_each(|text| lists.append_option(text.map(|text| text.split_whitespace().map(Some))));
    Arc::new(lists.finish())
}

fn null() -> Given {
    constant(ScalarValue::Null)
}

fn fitted(texts: &[Option<&str>], options: [Given; 6]) -> Given {
    let mut arguments = vec![Given::Column(lists(texts))];
    arguments.extend(options);
    state(fit(&FitIdf, &arguments).unwrap().as_struct())
}

fn by_term(texts: &[Option<&str>], idf: &str) -> Given {
    fitted(texts, [constant(idf), null(), null(), null(), null(), constant("term")])
}

fn vectors(array: &ArrayRef) -> Vec<Option<Vec<(i32, f64)>>> {
    let vectors = array.as_struct();
    let row = |row: usize| {
        let part = |column: usize| vectors.column(column).as_list::<i32>().value(row);
        let (indices, values) = (part(0), part(1));
        let indices = indices.as_primitive::<Int32Type>().values().iter().copied();
        indices.zip(values.as_primitive::<Float64Type>().values().iter().copied()).collect()
    };
    (0..vectors.len()).map(|place| vectors.is_valid(place).then(|| row(place))).collect()
}

fn apply(state: &Given, texts: &[Option<&str>], options: &[Given]) -> Vec<Option<Vec<(i32, f64)>>> {
    let mut arguments = vec![state.clone(), Given::Column(lists(texts))];
    arguments.extend_from_slice(options);
    vectors(&call(&TfIdfApply::default(), &arguments).unwrap())
}

fn assert_near(found: &Option<Vec<(i32, f64)>>, expected: &[f64]) {
    let mut dense = vec![0.0; expected.len()];
    found.as_ref().unwrap().iter().for_each(|(index, value)| dense[*index as usize] = *value);
    for (found, expected) in dense.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

const GOLDEN: [Option<&str>; 4] = [Some("a b b c"), Some("a c d"), Some("a e e e"), Some("f")];

#[test]
fn vectors_are_those_of_scikit_learn() {
    let golden = golden();
    let cases = [
        ("sk_tfidf_default", "sklearn", "raw", "l2"),
        ("sk_tfidf_nosmooth", "sklearn_raw", "raw", "l2"),
        ("sk_tfidf_sublinear", "sklearn", "sublinear", "l2"),
        ("sk_tfidf_nonorm", "sklearn", "raw", "none"),
    ];
    for (key, idf, tf, norm) in cases {
        let expected: Vec<f64> =
            golden[key]["row0"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        let found = apply(&by_term(&GOLDEN, idf), &GOLDEN, &[constant(tf), constant(norm)]);
        assert_near(&found[0], &expected);
    }
}

const CATS: [Option<&str>; 6] = [
    Some("the cat sat on the mat"),
    Some("the dog sat"),
    Some("cats and dogs"),
    Some("the the the end"),
    Some(""),
    Some("cat mat cat"),
];

#[test]
fn vectors_of_a_limited_vocabulary_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: TfidfVectorizer(min_df=2).fit_transform(CATS), rows 0, 3 and 5.
    let limited = fitted(&CATS, [constant("sklearn"), constant(2i64), null(), null(), null(), constant("term")]);
    let found = apply(&limited, &CATS, &[null(), constant("l2")]);
    assert_near(&found[0], &[0.41340817783056355, 0.41340817783056355, 0.41340817783056355, 0.6980551808477892]);
    assert_near(&found[3], &[0.0, 0.0, 0.0, 1.0]);
    assert_near(&found[5], &[0.8944271909999159, 0.4472135954999579, 0.0, 0.0]);
    assert_eq!(found[4], Some(vec![]));
    // TfidfVectorizer(norm="l1", sublinear_tf=True), row 0.
    let found = apply(&by_term(&CATS, "sklearn"), &CATS, &[constant("sublinear"), constant("l1")]);
    let cat = 0.17702366914343443;
    assert_near(&found[0], &[0.0, cat, 0.0, 0.0, 0.0, 0.0, cat, 0.2158787572621971, cat, 0.25305023530749954]);
    // CountVectorizer(binary=True, min_df=2), row 0, and the counts themselves.
    let counts = |binary: Given| {
        let arguments = [limited.clone(), Given::Column(lists(&CATS)), binary];
        vectors(&call(&CountVectorizeApply::default(), &arguments).unwrap())
    };
    assert_near(&counts(constant(true))[0], &[1.0, 1.0, 1.0, 1.0]);
    assert_near(&counts(null())[0], &[1.0, 1.0, 1.0, 2.0]);
    assert_near(&counts(null())[5], &[2.0, 1.0, 0.0, 0.0]);
}

#[test]
fn frequencies_are_of_all_tokens_as_in_bigquery() {
    // tf = count / document size, idf = ln(1 + N / (1 + d)): of "a b b zz" a is 1 of 4 and in 3 of 4 documents.
    let found = apply(&by_term(&GOLDEN, "bigquery"), &[Some("a b b zz")], &[constant("freq")]);
    assert_near(&found[0], &[0.25 * 2f64.ln(), 0.5 * 3f64.ln(), 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn unknown_tokens_do_what_the_policy_says() {
    let known = by_term(&GOLDEN, "spark");
    let texts = [Some("f zz zz"), Some("zz"), None, Some("")];
    let f = (5.0f64 / 2.0).ln();
    let ignored = apply(&known, &texts, &[]);
    assert_eq!(ignored, [Some(vec![(5, f)]), Some(vec![]), None, Some(vec![])]);
    let indexed = apply(&known, &texts, &[null(), null(), constant("index")]);
    assert_eq!(indexed[0], Some(vec![(5, f), (6, 2.0 * 5f64.ln())]));
    let error = {
        let arguments = [known.clone(), Given::Column(lists(&texts)), null(), null(), constant("error")];
        call(&TfIdfApply::default(), &arguments).unwrap_err().to_string()
    };
    assert!(error.contains("the vocabulary has no 'zz'"), "{error}");
    let wrong = call(&TfIdfApply::default(), &[known, Given::Column(lists(&texts)), null(), constant("l3")]);
    assert!(wrong.unwrap_err().to_string().contains("norm of tf_idf_apply must be one of none, l1, l2: it is 'l3'"));
}

#[test]
fn buckets_are_those_of_spark() {
    // Spark's IDF over HashingTF: ln((N + 1) / (d + 1)), for a bucket that was never seen with d = 0.
    // Spark 4.3.0: HashingTF(numFeatures=2^18) puts a, b and zz in buckets 107107, 148981 and 188494.
    let dims = 1 << 18;
    assert_eq!(["a", "b", "zz"].map(|token| bucket(token, dims)), [107_107, 148_981, 188_494]);
    let hashed = |least: Given| fitted(&GOLDEN, [null(), least, null(), null(), constant(i64::from(dims)), null()]);
    let a = (107_107, (5.0f64 / 4.0).ln());
    let rest = [(148_981, 2.0 * (5.0f64 / 2.0).ln()), (188_494, 5f64.ln())];
    assert_eq!(apply(&hashed(null()), &[Some("zz b a b")], &[])[0], Some(vec![a, rest[0], rest[1]]));
    // With minDocFreq 2 the others weigh 0, and are left out here.
    let least = apply(&hashed(constant(2i64)), &[Some("zz b a b")], &[]);
    assert_eq!(least[0], Some(vec![a]));
    let two = fitted(&[Some("a b")], [null(), null(), null(), null(), constant(1i64), null()]);
    assert_eq!(apply(&two, &[Some("a b c")], &[])[0], Some(vec![(0, 0.0)]));
}

#[test]
fn the_dimension_stands_in_the_field() {
    let dimension = |state: &Given, kernel: &dyn Kernel, options: &[ScalarValue]| {
        let Given::Constant(state) = state else { return None };
        let null = ScalarValue::Null;
        let mut literals = vec![Some(state), None];
        literals.extend(options.iter().map(Some));
        literals.resize(kernel.spec().parameters.len(), Some(&null));
        let constants = Constants::planned(kernel.spec(), &literals);
        let fields: Vec<FieldRef> = vec![
            Arc::new(Field::new("state", state.data_type(), true)),
            Arc::new(Field::new("tokens", list_of(DataType::Utf8), true)),
        ];
        dimension_of(&kernel.result(&fields, &constants).unwrap())
    };
    let known = by_term(&GOLDEN, "spark");
    assert_eq!(dimension(&known, &TfIdfApply::default(), &[]), Some(6));
    let index = [ScalarValue::Null, ScalarValue::Null, ScalarValue::from("index")];
    assert_eq!(dimension(&known, &TfIdfApply::default(), &index), Some(7));
    assert_eq!(dimension(&known, &CountVectorizeApply::default(), &[]), Some(6));
    let hashed = fitted(&GOLDEN, [null(), null(), null(), null(), constant(1000i64), null()]);
    assert_eq!(dimension(&hashed, &TfIdfApply::default(), &index), Some(1000));
    assert_eq!(dimension(&constant(ScalarValue::Null), &TfIdfApply::default(), &[]), None);
}

#[test]
fn states_by_row_and_null_states() {
    let (one, two) = (by_term(&[Some("a"), Some("b")], "spark"), by_term(&[Some("b"), Some("a b")], "spark"));
    let (Given::Constant(one), Given::Constant(two)) = (one, two) else { return };
    let missing = ScalarValue::try_from(&one.data_type()).unwrap();
    let states = ScalarValue::iter_to_array([one.clone(), one.clone(), missing, two]).unwrap();
    let tokens = lists(&[Some("a"), None, Some("a"), Some("b a")]);
    let result = call(&TfIdfApply::default(), &[Given::Column(states), Given::Column(tokens)]).unwrap();
    let (rare, common) = ((3.0f64 / 2.0).ln(), 0.0);
    assert_eq!(vectors(&result), [Some(vec![(0, rare)]), None, None, Some(vec![(0, rare), (1, common)])]);
    let null = call(&TfIdfApply::default(), &[null(), constant(ScalarValue::Null)]).unwrap();
    assert_eq!(vectors(&null), [None]);
}

#[test]
fn dictionaries_and_slices_give_the_same_vectors() {
    let known = by_term(&CATS, "sklearn");
    let expected = apply(&known, &CATS, &[]);
    let keyed = list_of(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)));
    let keyed = cast(&lists(&CATS), &keyed).unwrap();
    let whole = call(&TfIdfApply::default(), &[known.clone(), Given::Column(Arc::clone(&keyed))]).unwrap();
    assert_eq!(vectors(&whole), expected);
    let part = call(&TfIdfApply::default(), &[known, Given::Column(keyed.slice(2, 3))]).unwrap();
    assert_eq!(vectors(&part), expected[2..5]);
}

proptest! {
    #[test]
    fn vectors_equal_the_naive_ones(
        known in proptest::collection::vec(proptest::option::of("([a-e] ){0,6}"), 0..8),
        texts in proptest::collection::vec(proptest::option::of("([a-h] ){0,6}"), 0..8),
    ) {
        let borrow = |texts: &[Option<String>]| -> Vec<Option<String>> { texts.to_vec() };
        let (known, texts) = (borrow(&known), borrow(&texts));
        let known: Vec<Option<&str>> = known.iter().map(Option::as_deref).collect();
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let documents: Vec<Vec<&str>> = known.iter().flatten().map(|text| text.split_whitespace().collect()).collect();
        let terms: std::collections::BTreeSet<&str> = documents.iter().flatten().copied().collect();
        let found = apply(&by_term(&known, "sklearn"), &texts, &[]);
        for (text, found) in texts.iter().zip(found) {
            let expected = text.map(|text| {
                let weight = |(index, term): (usize, &&str)| {
                    let count = text.split_whitespace().filter(|token| token == term).count() as f64;
                    let within = documents.iter().filter(|tokens| tokens.contains(term)).count() as f64;
                    let idf = ((1.0 + documents.len() as f64) / (1.0 + within)).ln() + 1.0;
                    (count > 0.0).then_some((index as i32, count * idf))
                };
                terms.iter().enumerate().filter_map(weight).collect::<Vec<_>>()
            });
            prop_assert_eq!(found, expected);
        }
    }
}
