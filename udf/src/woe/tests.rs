use arrow::array::{ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Float64Type, Int32Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::apply::WoeApply;
use super::fit::FitWoe;
use crate::aggregate::Fit;
use crate::scalar::Kernel;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, golden, merge_states, state};

const C: [Option<&str>; 12] = [
    Some("a"),
    Some("a"),
    Some("a"),
    Some("a"),
    Some("b"),
    Some("b"),
    Some("b"),
    Some("c"),
    Some("c"),
    Some("d"),
    None,
    None,
];
const Y: [i64; 12] = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0];

fn given(x: Given, y: Given, options: &[(&str, ScalarValue)]) -> Vec<Given> {
    let mut arguments = vec![constant(ScalarValue::Null); FitWoe.spec().parameters.len()];
    (arguments[0], arguments[1]) = (x, y);
    for (name, value) in options {
        arguments[FitWoe.spec().position(name).unwrap()] = constant(value.clone());
    }
    arguments
}

fn frame(options: &[(&str, ScalarValue)]) -> Vec<Given> {
    given(column(StringArray::from(C.to_vec())), column(Int64Array::from(Y.to_vec())), options)
}

fn text(text: &str) -> ScalarValue {
    ScalarValue::from(text)
}

fn apply(fitted: &ArrayRef, x: Given, options: &[(&str, ScalarValue)]) -> datafusion_common::Result<Vec<Option<f64>>> {
    let kernel = WoeApply::default();
    let mut arguments = vec![constant(ScalarValue::Null); kernel.spec().parameters.len()];
    (arguments[0], arguments[1]) = (state(fitted.as_struct()), x);
    for (name, value) in options {
        arguments[kernel.spec().position(name).unwrap()] = constant(value.clone());
    }
    Ok(call(&kernel, &arguments)?.as_primitive::<Float64Type>().iter().collect())
}

/// The weights of a, b, c, d, null and a category that was not seen.
fn weights(options: &[(&str, ScalarValue)]) -> Vec<f64> {
    let fitted = fit(&FitWoe, &frame(options)).unwrap();
    let x = column(StringArray::from(vec![Some("a"), Some("b"), Some("c"), Some("d"), None, Some("x")]));
    apply(&fitted, x, &[]).unwrap().into_iter().map(Option::unwrap).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
    }
}

#[test]
fn laplace_is_that_of_category_encoders() {
    let expected = golden()["ce_woe_reg1"].clone();
    let expected: Vec<f64> =
        ["a", "b", "c", "d", "null", "unseen"].iter().map(|name| expected[name].as_f64().unwrap()).collect();
    assert_close(&weights(&[("alpha", 1.0.into()), ("singletons", text("zero"))]), &expected);
}

#[test]
fn policies_are_those_of_the_libraries() {
    // optbinning 1.0.0, BinningTable.build().
    let optbinning = [-0.762140052046897, 1.0296194171811581, 0.0, 0.0, 0.3364722366212129, 0.0];
    assert_close(&weights(&[("zero_policy", text("zero")), ("sign", text("nonevent_over_event"))]), &optbinning);
    // scorecardpy 0.1.9.7, woe_01(good, bad).
    let scorecardpy =
        [0.8067018801068077, -0.9850575891212475, 0.5065972876564696, -0.3972709242191283, -0.29191040856130224, 0.0];
    assert_close(&weights(&[("zero_policy", text("replace"))]), &scorecardpy);
    // toad 0.1.7, WOETransformer.
    let toad =
        [0.7621400520468967, -1.0296194171811583, 0.3566749439387322, -0.33647223662121306, -0.33647223662121306, 0.0];
    assert_close(&weights(&[("zero_policy", text("replace_cell"))]), &toad);
    // feature-engine 1.9.4, WoEEncoder(fill_value=1e-4).
    let feature_engine =
        [0.7621400520468967, -1.0296194171811583, 7.957577403480815, -7.600902459542082, -0.33647223662121306, 0.0];
    assert_close(&weights(&[("zero_policy", text("replace_share"))]), &feature_engine);
}

#[test]
fn categories_without_one_class_are_merged_with_the_next_by_rate() {
    // By event rate: d 0, b 1/3, null 1/2, a 3/4, c 1. The groups are d with b (1 of 7 events, 3 of 5 non-events) and a
    // with c (5 of 7 and 1 of 5).
    let (low, high) = ((5.0f64 / 21.0).ln(), (25.0f64 / 7.0).ln());
    let null = (5.0f64 / 7.0).ln();
    assert_close(&weights(&[("zero_policy", text("merge"))]), &[high, low, high, low, null, 0.0]);
}

#[test]
fn the_policy_error_names_the_categories() {
    let error = fit(&FitWoe, &frame(&[("zero_policy", text("error"))])).unwrap_err().to_string();
    assert!(error.contains("zero_policy of fit_woe is 'error'") && error.contains("c, d"), "{error}");
}

#[test]
fn unseen_and_missing_do_as_told() {
    let fitted = fit(&FitWoe, &frame(&[("zero_policy", text("replace_cell"))])).unwrap();
    let x = || column(StringArray::from(vec![Some("x"), None]));
    let with = |name: &str, value: ScalarValue| apply(&fitted, x(), &[(name, value)]);
    let null = -0.33647223662121306;
    let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-12;
    assert_eq!(with("unseen", text("null")).unwrap()[0], None);
    assert!(close(with("unseen", text("min")).unwrap()[0], -1.0296194171811583));
    assert!(close(with("unseen", text("max")).unwrap()[0], 0.7621400520468967));
    assert!(close(with("unseen", 7.into()).unwrap()[0], 7.0));
    assert!(close(with("unseen", 7.into()).unwrap()[1], null));
    assert!(with("unseen", text("error")).unwrap_err().to_string().contains("the category 'x'"));
    assert_eq!(with("missing", text("null")).unwrap()[1], None);
    assert!(close(with("missing", (-0.5).into()).unwrap()[1], -0.5));
    assert!(with("missing", text("error")).unwrap_err().to_string().contains("missing of woe_apply"));
    assert!(with("unseen", text("other")).unwrap_err().to_string().contains("unseen of woe_apply must be one of"));

    let excluded = fit(&FitWoe, &frame(&[("missing", text("exclude"))])).unwrap();
    assert_eq!(apply(&excluded, x(), &[("unseen", 3.into())]).unwrap(), [Some(3.0), Some(3.0)]);
    let error = fit(&FitWoe, &frame(&[("missing", text("error"))])).unwrap_err().to_string();
    assert!(error.contains("missing of fit_woe is 'error'"), "{error}");
}

#[test]
fn bad_input_is_refused_by_name() {
    let error = |options: &[(&str, ScalarValue)]| fit(&FitWoe, &frame(options)).unwrap_err().to_string();
    assert!(error(&[("alpha", 0.0.into())]).contains("alpha of fit_woe must be finite and above 0"));
    assert!(error(&[("replacement", (-1.0).into())]).contains("replacement of fit_woe"));
    assert!(error(&[("zero_policy", text("guess"))]).contains("zero_policy of fit_woe must be one of laplace, zero"));
    assert!(error(&[("sign", text("up"))]).contains("sign of fit_woe must be one of"));
    let x = || column(StringArray::from(vec!["a", "b"]));
    let one = fit(&FitWoe, &given(x(), column(Int64Array::from(vec![1, 1])), &[])).unwrap_err().to_string();
    assert!(one.contains("y of fit_woe must have both events (1) and non-events (0): it is 1 in every row"), "{one}");
    let three = fit(&FitWoe, &given(x(), column(Int64Array::from(vec![1, 2])), &[])).unwrap_err().to_string();
    assert!(three.contains("y of fit_woe must be 0 or 1: it is 2"), "{three}");
    let fitted = fit(&FitWoe, &frame(&[])).unwrap();
    let wrong = apply(&fitted, column(Int64Array::from(vec![1])), &[]).unwrap_err().to_string();
    assert!(wrong.contains("x of woe_apply must be of the type that the state was fitted on"), "{wrong}");
}

#[test]
fn all_kinds_of_categories_are_taken() {
    let y = || column(Int64Array::from(Y.to_vec()));
    let keyed: DictionaryArray<Int32Type> = C.into_iter().collect();
    let keyed = fit(&FitWoe, &given(column(keyed), y(), &[])).unwrap();
    assert_eq!(&keyed, &fit(&FitWoe, &frame(&[])).unwrap());
    let number = |text: Option<&str>| text.map_or(f64::NAN, |text| f64::from(text.as_bytes()[0]));
    let numbers = Float64Array::from_iter_values(C.into_iter().map(number));
    let fitted = fit(&FitWoe, &given(column(numbers), y(), &[])).unwrap();
    let x = column(Float64Array::from(vec![Some(97.0), Some(98.0), Some(99.0), Some(100.0), None, Some(f64::NAN)]));
    let found: Vec<f64> = apply(&fitted, x, &[]).unwrap().into_iter().map(Option::unwrap).collect();
    assert_close(&found, &[&weights(&[])[..5], &weights(&[])[4..5]].concat());
}

#[test]
fn no_rows_give_a_state_that_knows_nothing() {
    let none =
        given(column(StringArray::from(Vec::<&str>::new())), column(BooleanArray::from(Vec::<bool>::new())), &[]);
    let fitted = fit(&FitWoe, &none).unwrap();
    assert_eq!(apply(&fitted, column(StringArray::from(vec![Some("a"), None])), &[]).unwrap(), [Some(0.0), Some(0.0)]);
}

proptest! {
    #[test]
    fn states_do_not_depend_on_order_split_or_merge_tree(
        rows in prop::collection::vec((prop::option::of("[a-d]{1,2}"), prop::option::of(prop::bool::ANY)), 1..60),
        policy in prop::sample::select(vec!["laplace", "zero", "merge", "replace", "replace_cell", "replace_share"]),
        seed in 1u64..1000,
    ) {
        let mut rows = rows;
        rows.extend([(None, Some(true)), (Some("a".to_string()), Some(false))]);
        let x = StringArray::from(rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>());
        let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let arguments = given(column(x), column(y), &[("zero_policy", text(policy))]);
        let whole = fit(&FitWoe, &arguments).unwrap();
        for parts in [1, 2, 7, 64] {
            prop_assert_eq!(&fit_in_parts(&FitWoe, &arguments, parts, seed).unwrap(), &whole);
        }
        let merged = merge_states(&FitWoe, &[whole.as_struct().clone(), whole.as_struct().clone()]).unwrap();
        let weights = merged.as_struct().column_by_name("weights").unwrap().as_list::<i32>().value(0);
        prop_assert!(weights.as_primitive::<Float64Type>().values().iter().all(|weight| weight.is_finite()));
    }
}
