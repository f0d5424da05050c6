use arrow::array::StringArray;
use arrow::array::builder::{LargeListBuilder, ListBuilder, StringBuilder, StringViewBuilder};
use arrow::compute::cast;
use datafusion_common::ScalarValue;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

use super::super::vocabulary::VocabularyOf;
use super::*;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, merge_states, state};

type Documents = Vec<Option<Vec<Option<String>>>>;

fn column_of(documents: &Documents) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    documents.iter().for_each(|tokens| lists.append_option(tokens.as_ref().map(|tokens| tokens.iter().cloned())));
    Arc::new(lists.finish())
}

fn split(texts: &[&str]) -> Documents {
    texts.iter().map(|text| Some(text.split_whitespace().map(|token| Some(token.to_string())).collect())).collect()
}

fn arguments(tokens: ArrayRef, options: &[(&str, Given)]) -> Vec<Given> {
    let mut arguments = vec![constant(ScalarValue::Null); SPEC.parameters.len()];
    arguments[0] = Given::Column(tokens);
    options.iter().for_each(|(name, value)| arguments[SPEC.position(name).unwrap()] = value.clone());
    arguments
}

fn fitted(documents: &Documents, options: &[(&str, Given)]) -> StructArray {
    fit(&FitIdf, &arguments(column_of(documents), options)).unwrap().as_struct().clone()
}

fn refused(options: &[(&str, Given)]) -> String {
    fit(&FitIdf, &arguments(column_of(&split(&["a"])), options)).unwrap_err().to_string()
}

/// Term, index, document frequency and weight of each row of `vocabulary`.
fn vocabulary(fitted: &StructArray) -> Vec<(Option<String>, i64, i64, f64)> {
    let table = call(&VocabularyOf::default(), &[state(fitted)]).unwrap();
    let rows = table.as_list::<i32>().value(0);
    let rows = rows.as_struct();
    let numbers = |column: usize| cast(rows.column(column), &DataType::Int64).unwrap();
    let (indices, frequencies) = (numbers(1), numbers(2));
    let weights = rows.column(3).as_primitive::<arrow::datatypes::Float64Type>();
    let terms = rows.column(0).as_string::<i32>();
    (0..rows.len())
        .map(|row| {
            let number = |column: &ArrayRef| column.as_primitive::<Int64Type>().value(row);
            let term = terms.is_valid(row).then(|| terms.value(row).to_string());
            (term, number(&indices), number(&frequencies), weights.value(row))
        })
        .collect()
}

fn terms(fitted: &StructArray) -> Vec<String> {
    vocabulary(fitted).into_iter().map(|(term, ..)| term.unwrap()).collect()
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-12 * right.abs().max(1.0)
}

const GOLDEN: [&str; 4] = ["a b b c", "a c d", "a e e e", "f"];

#[test]
fn weights_are_those_of_the_reference() {
    let golden = crate::testing::golden();
    let variants = golden["idf_variants(N=4,df=[3,1,2,1,1,1])"].as_object().unwrap();
    let names = [
        ("spark", "spark ln((N+1)/(df+1))"),
        ("sklearn", "sklearn_smooth ln((1+N)/(1+df))+1"),
        ("sklearn_raw", "sklearn_nosmooth ln(N/df)+1"),
        ("log10", "hivemall log10(N/max(1,df))+1"),
        ("bigquery", "bigquery ln(1+N/(1+df)) [tf=count/doclen]"),
    ];
    for (name, key) in names {
        let fitted = fitted(&split(&GOLDEN), &[("idf", constant(name)), ("ordering", constant("term"))]);
        let rows = vocabulary(&fitted);
        assert_eq!(rows.iter().map(|row| row.2).collect::<Vec<_>>(), [3, 1, 2, 1, 1, 1]);
        let expected = variants[key].as_array().unwrap();
        assert_eq!(rows.len(), expected.len());
        for (row, expected) in rows.iter().zip(expected) {
            assert!(near(row.3, expected.as_f64().unwrap()), "{name} {row:?} {expected}");
        }
    }
}

const CATS: [&str; 6] =
    ["the cat sat on the mat", "the dog sat", "cats and dogs", "the the the end", "", "cat mat cat"];

#[test]
fn limits_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: TfidfVectorizer(**options).fit(CATS).get_feature_names_out() and idf_.
    let by_term = |options: &[(&'static str, Given)]| {
        let mut all = vec![("ordering", constant("term")), ("idf", constant("sklearn"))];
        all.extend_from_slice(options);
        fitted(&split(&CATS), &all)
    };
    let least = by_term(&[("min_df", constant(2i64))]);
    assert_eq!(terms(&least), ["cat", "mat", "sat", "the"]);
    let weights = [1.8472978603872037, 1.8472978603872037, 1.8472978603872037, 1.5596157879354227];
    assert!(vocabulary(&least).iter().zip(weights).all(|(row, weight)| near(row.3, weight)));
    let most = by_term(&[("max_df", constant(0.4))]);
    assert_eq!(terms(&most), ["and", "cat", "cats", "dog", "dogs", "end", "mat", "on", "sat"]);
    // Of mat and sat, twice each, scikit-learn keeps sat; here it is the first in order.
    assert_eq!(terms(&by_term(&[("max_features", constant(3i64))])), ["cat", "mat", "the"]);
    let both = by_term(&[("min_df", constant(0.3)), ("max_df", constant(2i64))]);
    assert_eq!(terms(&both), ["cat", "mat", "sat"]);
}

#[test]
fn the_most_frequent_terms_come_first() {
    // Spark 4.3.0: CountVectorizer().fit(GOLDEN).vocabulary.
    assert_eq!(terms(&fitted(&split(&GOLDEN), &[])), ["a", "e", "b", "c", "d", "f"]);
    // Counts: the 6, cat 3, mat 2, sat 2, then one each in ascending order.
    let all = fitted(&split(&CATS), &[]);
    assert_eq!(terms(&all), ["the", "cat", "mat", "sat", "and", "cats", "dog", "dogs", "end", "on"]);
    assert_eq!(vocabulary(&all).iter().map(|row| row.1).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(terms(&fitted(&split(&CATS), &[("max_features", constant(4i64))])), ["the", "cat", "mat", "sat"]);
}

#[test]
fn buckets_are_counted_as_terms() {
    let hashed = fitted(&split(&GOLDEN), &[("dims", constant(1i64 << 18))]);
    let rows = vocabulary(&hashed);
    // murmur3_x86_32 with seed 42 of a, ..., f, modulo 2^18 (shared/golden gives that of "a", -1293573533).
    let a = (-1293573533i64).rem_euclid(1 << 18);
    assert!(rows.iter().any(|row| row.1 == a && row.2 == 3 && row.0.is_none()));
    assert!(rows.windows(2).all(|pair| pair[0].1 < pair[1].1));
    assert_eq!(rows.len(), 6);
    let one = fitted(&split(&GOLDEN), &[("dims", constant(1i64))]);
    assert_eq!(vocabulary(&one).iter().map(|row| (row.1, row.2)).collect::<Vec<_>>(), [(0, 4)]);
}

#[test]
fn every_list_type_gives_the_same_state() {
    let documents: Documents = vec![
        Some(vec![Some("b".into()), None, Some("a".into()), Some("b".into())]),
        None,
        Some(vec![]),
        Some(vec![Some("a".into()), Some("é".into())]),
    ];
    let expected = fitted(&documents, &[]);
    assert_eq!(expected.column_by_name("documents").unwrap().as_primitive::<Int64Type>().value(0), 3);
    assert_eq!(expected.column_by_name("tokens").unwrap().as_primitive::<Int64Type>().value(0), 5);
    let mut large = LargeListBuilder::new(StringViewBuilder::new());
    documents.iter().for_each(|row| large.append_option(row.as_ref().map(|tokens| tokens.iter().cloned())));
    let keyed = list_of(DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)));
    let columns: [ArrayRef; 2] = [Arc::new(large.finish()), cast(&column_of(&documents), &keyed).unwrap()];
    for tokens in columns {
        assert_eq!(fit(&FitIdf, &arguments(tokens, &[])).unwrap().as_struct(), &expected);
    }
    let wrong = fit(&FitIdf, &[column(StringArray::from(vec!["a"]))]).unwrap_err().to_string();
    assert!(wrong.contains("tokens of fit_idf must be a list of texts: it is of type Utf8"), "{wrong}");
}

#[test]
fn no_documents_and_null_documents() {
    for documents in [vec![], vec![None, None], vec![Some(vec![])], vec![Some(vec![None])]] {
        let fitted = fitted(&documents, &[("idf", constant("sklearn_raw"))]);
        assert!(terms(&fitted).is_empty());
        let known = documents.iter().flatten().count() as i64;
        assert_eq!(fitted.column_by_name("documents").unwrap().as_primitive::<Int64Type>().value(0), known);
    }
    let null = call(&VocabularyOf::default(), &[constant(ScalarValue::Null)]).unwrap();
    assert!(null.is_null(0));
}

#[test]
fn wrong_options_are_refused() {
    let formula = refused(&[("idf", constant("ln"))]);
    assert!(
        formula.contains("idf of fit_idf must be one of spark, sklearn, sklearn_raw, bigquery, log10"),
        "{formula}"
    );
    let fraction = refused(&[("min_df", constant(1.5))]);
    assert!(fraction.contains("min_df of fit_idf must be between 0 and 1: it is 1.5"), "{fraction}");
    let negative = refused(&[("max_df", constant(-1i64))]);
    assert!(negative.contains("max_df of fit_idf must be at least 0: it is -1"), "{negative}");
    let order = refused(&[("min_df", constant(3i64)), ("max_df", constant(2i64))]);
    assert!(order.contains("max_df of fit_idf must be at least min_df, 3: it is 2"), "{order}");
    let features = refused(&[("max_features", constant(0i64))]);
    assert!(features.contains("max_features of fit_idf must be at least 1"), "{features}");
    let dims = refused(&[("dims", constant(1i64 << 31))]);
    assert!(dims.contains("dims of fit_idf must be at most 2147483647"), "{dims}");
    let both = refused(&[("dims", constant(8i64)), ("max_features", constant(8i64))]);
    assert!(both.contains("max_features of fit_idf is not for hash buckets"), "{both}");
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let one = fitted(&split(&["a"]), &[]);
    let other = fitted(&split(&["a"]), &[("min_df", constant(2i64))]);
    let mixed = merge_states(&FitIdf, &[one.clone(), other]).unwrap_err().to_string();
    assert!(mixed.contains("must have the same options"), "{mixed}");
    let column = |name: &str, values: ArrayRef| {
        let (fields, mut columns, nulls) = one.clone().into_parts();
        let place = fields.iter().position(|field| field.name() == name).unwrap();
        columns[place] = values;
        StructArray::new(fields, columns, nulls)
    };
    let negative = column("documents", Arc::new(Int64Array::from(vec![-1])));
    let version = column("kind", Arc::new(StringArray::from(vec!["idf/2"])));
    let formula = column("idf", Arc::new(StringArray::from(vec!["?"])));
    let missing = column("tokens", Arc::new(Int64Array::from(vec![None])));
    for (broken, expected) in [
        (negative, "documents of the state must be at least 0: it is -1"),
        (version, "the state is of the kind 'idf/2', and 'idf/1' is needed"),
        (formula, "idf of the state must not be '?'"),
        (missing, "tokens of the state is null"),
    ] {
        let merged = merge_states(&FitIdf, &[one.clone(), broken.clone()]).unwrap_err().to_string();
        assert!(merged.contains(expected), "{merged}");
        let shown = call(&VocabularyOf::default(), &[state(&broken)]).unwrap_err().to_string();
        assert!(shown.contains(expected), "{shown}");
    }
    let number = call(&VocabularyOf::default(), &[constant(1i64)]).unwrap_err().to_string();
    assert!(number.contains("the state of vocabulary must be the result of its fit"), "{number}");
}

fn documents() -> impl Strategy<Value = Documents> {
    let token = proptest::option::weighted(0.9, prop_oneof!["[a-d]{1,2}", any::<String>()]);
    proptest::collection::vec(proptest::option::weighted(0.9, proptest::collection::vec(token, 0..8)), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_state_is_that_of_the_rows_alone(documents in documents(), seed in 1u64.., dims in proptest::option::of(1i64..9)) {
        let options = [("dims", dims.map_or(constant(ScalarValue::Null), constant)), ("min_df", constant(0.1))];
        let arguments = arguments(column_of(&documents), &options);
        let whole = fit(&FitIdf, &arguments).unwrap();
        for parts in [1, 2, 7, 64] {
            prop_assert_eq!(&fit_in_parts(&FitIdf, &arguments, parts, seed).unwrap(), &whole);
        }
        let middle = documents.len() / 2;
        let halves = [&documents[..middle], &documents[middle..]].map(|half| fitted(&half.to_vec(), &options));
        prop_assert_eq!(&merge_states(&FitIdf, &halves).unwrap(), &whole);
    }

    #[test]
    fn document_frequencies_equal_those_of_sets(documents in documents()) {
        let mut expected: BTreeMap<&str, i64> = BTreeMap::new();
        for tokens in documents.iter().flatten() {
            let distinct: BTreeSet<&str> = tokens.iter().flatten().map(String::as_str).collect();
            distinct.into_iter().for_each(|term| *expected.entry(term).or_default() += 1);
        }
        let found = vocabulary(&fitted(&documents, &[("ordering", constant("term"))]));
        let found: Vec<(&str, i64)> = found.iter().map(|row| (row.0.as_deref().unwrap(), row.2)).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}
