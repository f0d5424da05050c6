use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;
use std::sync::Arc;

use super::count_encoding::{CountEncodingApply, FitCounts};
use super::index::{CategorifyApply, FitCategorify, StringIndexApply};
use super::one_hot::{FitOneHot, OneHotApply};
use super::rare_labels::{FitRareLabels, RareLabelApply};
use crate::aggregate::Fit;
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::sparse::dimension_of;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, golden, merge_states, state};

const NONE: ScalarValue = ScalarValue::Null;

fn texts(values: &[Option<&str>]) -> Given {
    column(StringArray::from(values.to_vec()))
}

/// b three times, a and null twice, c and d once.
fn sample() -> Given {
    let some = ["b", "b", "b", "a", "a", "c", "d"].map(Some);
    texts(&[some.as_slice(), &[None, None]].concat())
}

fn asked() -> Given {
    texts(&[Some("a"), Some("b"), Some("c"), Some("d"), None, Some("zz")])
}

fn fitted(of: &dyn Fit, arguments: &[Given]) -> StructArray {
    fit(of, arguments).unwrap().as_struct().clone()
}

fn integers(values: &ArrayRef) -> Vec<Option<i64>> {
    values.as_primitive::<Int64Type>().iter().collect()
}

fn numbers(states: &StructArray, x: Given) -> Vec<i64> {
    let numbers = call(&CategorifyApply::default(), &[state(states), x]).unwrap();
    integers(&numbers).into_iter().flatten().collect()
}

#[test]
fn numbers_come_by_frequency_behind_padding_null_and_buckets() {
    // NVTabular: 0 is padding, 1 null, then the buckets, then the vocabulary by frequency, equal ones by value.
    let states = fitted(&FitCategorify, &[sample()]);
    assert_eq!(numbers(&states, asked()), [4, 3, 5, 6, 1, 2]);
    let order = [sample(), constant(NONE), constant(NONE), constant(NONE), constant(NONE), constant("value")];
    assert_eq!(numbers(&fitted(&FitCategorify, &order), asked()), [3, 4, 5, 6, 1, 2]);
    let frequent = fitted(&FitCategorify, &[sample(), constant(2)]);
    assert_eq!(numbers(&frequent, asked()), [4, 3, 2, 2, 1, 2]);
    // Four numbers: padding, null, one bucket and the most frequent value.
    let small = fitted(&FitCategorify, &[sample(), constant(NONE), constant(4)]);
    assert_eq!(numbers(&small, asked()), [2, 3, 2, 2, 1, 2]);
    // Four buckets, by floor(MurmurHash64A(x, 0) * 4 / 2^64) in Python: zz 2, yy 2, xx 0, c 3, d 0.
    let buckets = fitted(&FitCategorify, &[sample(), constant(2), constant(NONE), constant(4)]);
    let x = texts(&[Some("zz"), Some("yy"), Some("xx"), Some("c"), Some("d"), Some("b"), None]);
    assert_eq!(numbers(&buckets, x), [4, 4, 2, 5, 2, 6, 1]);
    // The same with MurmurHash3, seed 42, of the golden file: "a" is -1293573533, modulo 4 that is 3.
    let spark = fitted(
        &FitCategorify,
        &[texts(&[Some("b")]), constant(NONE), constant(NONE), constant(4), constant("spark_v3")],
    );
    assert_eq!(numbers(&spark, texts(&[Some("a")])), [2 + 3]);
}

fn list_of_texts(rows: Vec<Option<Vec<Option<&str>>>>) -> ListArray {
    let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    for row in rows {
        match row {
            None => builder.append_null(),
            Some(items) => builder.append_value(items),
        }
    }
    builder.finish()
}

#[test]
fn a_list_has_one_vocabulary_for_all_its_elements() {
    let rows = vec![Some(vec![Some("a"), Some("b")]), None, Some(vec![]), Some(vec![Some("b"), None])];
    let states = fitted(&FitCategorify, &[column(list_of_texts(rows.clone()))]);
    assert_eq!(states, fitted(&FitCategorify, &[texts(&[Some("b"), Some("a"), None, Some("b")])]));
    assert_eq!(numbers(&states, asked()), [4, 3, 2, 2, 1, 2]);
    let lists = list_of_texts(rows);
    let sliced = lists.slice(1, 3);
    for (lists, expected) in [
        (lists, vec![Some(vec![4, 3]), None, Some(vec![]), Some(vec![3, 1])]),
        (sliced, vec![None, Some(vec![]), Some(vec![3, 1])]),
    ] {
        let found = call(&CategorifyApply::default(), &[state(&states), column(lists)]).unwrap();
        let found = found.as_list::<i32>().iter();
        let found: Vec<_> = found.map(|row| row.map(|row| row.as_primitive::<Int64Type>().values().to_vec())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn string_indices_are_those_of_spark() {
    // Spark's StringIndexer, frequencyDesc: b 0, a 1, c 2, d 3; "keep" gives 4.
    let states = fitted(&FitCategorify, &[sample()]);
    let of = |x: Given, invalid: &str| call(&StringIndexApply::default(), &[state(&states), x, constant(invalid)]);
    let known = [Some(1), Some(0), Some(2), Some(3)];
    assert_eq!(integers(&of(asked(), "keep").unwrap()), [&known[..], &[Some(4), Some(4)]].concat());
    assert_eq!(integers(&of(asked(), "null").unwrap()), [&known[..], &[None, None]].concat());
    let error = of(texts(&[Some("a"), Some("zz")]), "error").unwrap_err().to_string();
    assert!(error.contains("string_index_apply found 'zz'"), "{error}");
    assert!(of(texts(&[None]), "error").unwrap_err().to_string().contains("string_index_apply found a null"));
    assert!(of(asked(), "skip").unwrap_err().to_string().contains("handle_invalid of string_index_apply"));
    let rare = fitted(&FitCategorify, &[sample(), constant(2)]);
    let error = call(&StringIndexApply::default(), &[state(&rare), texts(&[Some("c")])]).unwrap_err();
    assert!(error.to_string().contains("found 'c', which is not in the vocabulary"));
}

/// The column of the one in each vector, and the dimension.
fn hot(options: &[Given], x: Given) -> (Vec<Option<i32>>, Option<i64>) {
    let states = fitted(&FitOneHot, &[&[sample()], options].concat());
    let vectors = call(&OneHotApply::default(), &[state(&states), x]).unwrap();
    let vectors = vectors.as_struct();
    let (indices, values) = (vectors.column(0).as_list::<i32>(), vectors.column(1).as_list::<i32>());
    let ones = values.values().as_primitive::<Float64Type>();
    assert!(ones.values().iter().all(|value| *value == 1.0));
    let columns = indices.iter().map(|row| {
        let row = row.unwrap();
        assert!(row.len() < 2);
        row.as_primitive::<Int32Type>().iter().next().flatten()
    });
    let literal = ScalarValue::Struct(Arc::new(states.clone()));
    let constants = Constants::planned(OneHotApply::default().spec(), &[Some(&literal), None]);
    let fields = [states.data_type().clone(), DataType::Utf8].map(|t| Arc::new(Field::new("f", t, true)));
    let field = OneHotApply::default().result(&fields, &constants).unwrap();
    (columns.collect(), dimension_of(&field))
}

#[test]
fn vectors_are_those_of_scikit_learn() {
    let default = || constant(NONE);
    // sklearn 1.9.1 OneHotEncoder(handle_unknown="ignore"), get_feature_names_out and transform.
    let plain = [Some(0), Some(1), Some(2), Some(3), Some(4), None];
    assert_eq!(hot(&[], asked()), (plain.to_vec(), Some(5)));
    let rare = [Some(0), Some(1), Some(3), Some(3), Some(2), None];
    assert_eq!(hot(&[constant(2)], asked()), (rare.to_vec(), Some(4)));
    assert_eq!(hot(&[constant(0.2)], asked()), (rare.to_vec(), Some(4)));
    let two = [Some(1), Some(0), Some(1), Some(1), Some(1), None];
    assert_eq!(hot(&[default(), constant(2)], asked()), (two.to_vec(), Some(2)));
    let first = [None, Some(0), Some(1), Some(2), Some(3), None];
    assert_eq!(hot(&[default(), default(), constant("first")], asked()), (first.to_vec(), Some(4)));
    let rare_first = [None, Some(0), Some(2), Some(2), Some(1), None];
    assert_eq!(hot(&[constant(2), default(), constant("first")], asked()), (rare_first.to_vec(), Some(3)));
    // Of equally frequent categories the greater is kept: null, which is behind all others, before a.
    let three = [Some(2), Some(0), Some(2), Some(2), Some(1), None];
    assert_eq!(hot(&[default(), constant(3)], asked()), (three.to_vec(), Some(3)));
    let last = [Some(0), Some(1), Some(2), Some(3), None, None];
    assert_eq!(hot(&[default(), default(), constant("last")], asked()), (last.to_vec(), Some(4)));
    let infrequent = hot(&[constant(2), default(), default(), constant("infrequent")], asked());
    assert_eq!(infrequent.0, [Some(0), Some(1), Some(3), Some(3), Some(2), Some(3)]);
    let states = fitted(&FitOneHot, &[sample(), default(), default(), default(), constant("error")]);
    let error = call(&OneHotApply::default(), &[state(&states), asked()]).unwrap_err().to_string();
    assert!(error.contains("one_hot_apply found 'zz', which the fit did not see"), "{error}");
}

#[test]
fn rare_labels_are_those_of_feature_engine() {
    let counts = [("a", 10), ("b", 6), ("c", 3), ("d", 1)];
    let rows: Vec<Option<&str>> = counts.into_iter().flat_map(|(text, count)| vec![Some(text); count]).collect();
    let x = texts(&[Some("a"), Some("b"), Some("c"), Some("d"), Some("zz"), None]);
    // feature-engine 1.9.4 RareLabelEncoder(tol, n_categories).
    for (tolerance, few, expected) in [
        (0.15, 2, ["a", "b", "c", "Rare", "Rare"]),
        (0.16, 2, ["a", "b", "Rare", "Rare", "Rare"]),
        (0.05, 10, ["a", "b", "c", "d", "Rare"]),
        (0.31, 3, ["a", "Rare", "Rare", "Rare", "Rare"]),
    ] {
        let states = fitted(&FitRareLabels, &[texts(&rows), constant(tolerance), constant(few)]);
        let labels = call(&RareLabelApply::default(), &[state(&states), x.clone()]).unwrap();
        let labels: Vec<Option<&str>> = labels.as_string::<i32>().iter().collect();
        assert_eq!(labels, [expected.map(Some).as_slice(), &[None]].concat());
    }
    let states = fitted(&FitRareLabels, &[column(Int64Array::from(vec![7, 7, 8])), constant(0.5), constant(1)]);
    let arguments = [state(&states), column(Int64Array::from(vec![7, 8])), constant("other")];
    let labels = call(&RareLabelApply::default(), &arguments).unwrap();
    assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["7", "other"]));
}

#[test]
fn counts_are_those_of_category_encoders() {
    let golden = golden();
    let frame: StringArray = golden["frame"]["c"].as_array().unwrap().iter().map(|value| value.as_str()).collect();
    let states = fitted(&FitCounts, &[column(frame)]);
    let counts = call(&CountEncodingApply::default(), &[state(&states), asked()]).unwrap();
    let expected = golden["ce_count"].as_array().unwrap().iter().map(|value| Some(value.as_f64().unwrap() as i64));
    assert_eq!(integers(&counts), expected.collect::<Vec<_>>());
    // category_encoders 2.11.2 CountEncoder(normalize=True).
    let states = fitted(&FitCounts, &[sample()]);
    let shares = call(&CountEncodingApply::default(), &[state(&states), asked(), constant(true)]).unwrap();
    let expected = [2.0 / 9.0, 3.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0, 2.0 / 9.0, 0.0];
    assert_eq!(shares.as_primitive::<Float64Type>().values(), &expected);
}

#[test]
fn every_kind_of_column_counts_the_same() {
    let expected = fitted(&FitCategorify, &[sample()]);
    let Given::Column(plain) = sample() else { return };
    for data_type in [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ] {
        let x = Given::Column(cast(&plain, &data_type).unwrap());
        assert_eq!(fitted(&FitCategorify, std::slice::from_ref(&x)), expected, "{data_type}");
        assert_eq!(numbers(&expected, x), numbers(&expected, sample()), "{data_type}");
    }
    // Numbers: -0.0 is 0.0, all NaN are one, and whole numbers are found among others.
    let floats = column(Float64Array::from(vec![0.0, -0.0, f64::NAN, f64::NAN, f64::INFINITY]));
    let states = fitted(&FitCategorify, &[floats]);
    assert_eq!(numbers(&states, column(Int64Array::from(vec![0, 5]))), [3, 2]);
    assert_eq!(numbers(&states, column(Float64Array::from(vec![f64::NAN, -0.0, f64::INFINITY]))), [4, 3, 5]);
    let error = call(&CategorifyApply::default(), &[state(&states), asked()]).unwrap_err().to_string();
    assert!(error.contains("x of categorify_apply is of type Utf8"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let wrong = |of: &dyn Fit, options: &[Given]| fit(of, &[&[sample()], options].concat()).unwrap_err().to_string();
    assert!(wrong(&FitCategorify, &[constant(0)]).contains("min_frequency of fit_categorify must be at least 1"));
    assert!(
        wrong(&FitCategorify, &[constant(1), constant(2)]).contains("max_size of fit_categorify must be at least 3")
    );
    assert!(wrong(&FitCategorify, &[constant(1), constant(NONE), constant(0)]).contains("oov_buckets"));
    assert!(wrong(&FitOneHot, &[constant(1.5)]).contains("min_frequency of fit_one_hot must be a whole number"));
    assert!(wrong(&FitOneHot, &[constant(-1)]).contains("min_frequency of fit_one_hot must be a whole number"));
    assert!(wrong(&FitOneHot, &[constant(1), constant(1), constant("both")]).contains("drop of fit_one_hot"));
    assert!(wrong(&FitRareLabels, &[constant(1.5)]).contains("tolerance of fit_rare_labels must be between 0 and 1"));
    let counts = fitted(&FitCounts, &[sample()]);
    let error = call(&OneHotApply::default(), &[state(&counts), asked()]).unwrap_err().to_string();
    assert!(error.contains("the state of one_hot_apply must be the result of its fit"), "{error}");
    let (one, other) = (fitted(&FitCategorify, &[sample()]), fitted(&FitCategorify, &[sample(), constant(2)]));
    let error = merge_states(&FitCategorify, &[one, other]).unwrap_err().to_string();
    assert!(error.contains("min_frequency is 1 in one and 2 in another"), "{error}");
}

#[test]
fn no_rows_know_no_category() {
    let states = fitted(&FitCategorify, &[texts(&[])]);
    assert_eq!(numbers(&states, asked()), [2, 2, 2, 2, 1, 2]);
    let states = fitted(&FitOneHot, &[texts(&[])]);
    let vectors = call(&OneHotApply::default(), &[state(&states), asked()]).unwrap();
    assert_eq!(vectors.as_struct().column(0).as_list::<i32>().values().len(), 0);
    let states = fitted(&FitRareLabels, &[texts(&[])]);
    let labels = call(&RareLabelApply::default(), &[state(&states), asked()]).unwrap();
    assert_eq!(labels.as_string::<i32>().value(0), "Rare");
    let states = fitted(&FitCounts, &[texts(&[])]);
    let shares = call(&CountEncodingApply::default(), &[state(&states), asked(), constant(true)]).unwrap();
    assert_eq!(shares.as_primitive::<Float64Type>().values(), &[0.0; 6]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_state_depends_on_the_rows_alone(
        rows in proptest::collection::vec(proptest::option::of(".{0,3}"), 0..80),
        seed in 1..u64::MAX,
    ) {
        let of = |rows: &[Option<String>]| [column(rows.iter().cloned().collect::<StringArray>())];
        let fits: [&dyn Fit; 4] = [&FitCategorify, &FitOneHot, &FitRareLabels, &FitCounts];
        for made in fits {
            let whole = fit(made, &of(&rows)).unwrap();
            for parts in [1, 2, 7, 64] {
                prop_assert_eq!(&fit_in_parts(made, &of(&rows), parts, seed).unwrap(), &whole);
            }
            let state = whole.as_struct();
            let merged = merge_states(made, &[state.clone(), state.clone()]).unwrap();
            prop_assert_eq!(&merged, &fit(made, &of(&[rows.clone(), rows.clone()].concat())).unwrap());
        }
    }
}
