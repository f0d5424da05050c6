use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

use super::apply::{Apply, OutOfFold};
use super::fit::FitTargetEncoding;
use super::fold::FoldOf;
use super::leave_one_out::{CatboostApply, LeaveOneOutApply};
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, golden, merge_states, state};

const NONE: ScalarValue = ScalarValue::Null;

/// The frame of the golden file.
fn categories() -> StringArray {
    let golden = golden();
    golden["frame"]["c"].as_array().unwrap().iter().map(Value::as_str).collect()
}

fn labels() -> Int64Array {
    golden()["frame"]["y"].as_array().unwrap().iter().map(Value::as_i64).collect()
}

/// What category_encoders is asked for in the golden file.
fn asked() -> Given {
    column(StringArray::from(vec![Some("a"), Some("b"), Some("c"), Some("d"), None, Some("zz")]))
}

/// The options of a fit by position, after x and y.
#[derive(Clone, Default)]
struct Options {
    folds: Option<i64>,
    key: Option<ArrayRef>,
    smooth: Option<f64>,
    method: Option<&'static str>,
    leaf: Option<f64>,
    smoothing: Option<f64>,
    target: Option<&'static str>,
    classes: Option<Vec<&'static str>>,
}

fn arguments(x: Given, y: Given, options: Options) -> Vec<Given> {
    let text = |value: Option<&str>| constant(ScalarValue::Utf8(value.map(str::to_string)));
    let mut arguments = vec![
        x,
        y,
        constant(options.folds),
        options.key.map_or(constant(NONE), Given::Column),
        constant(NONE),
        constant(ScalarValue::Float64(options.smooth)),
        text(options.method),
        constant(ScalarValue::Float64(options.leaf)),
        constant(ScalarValue::Float64(options.smoothing)),
        text(options.target),
    ];
    if let Some(classes) = options.classes {
        let classes: Vec<ScalarValue> = classes.into_iter().map(ScalarValue::from).collect();
        let classes = ScalarValue::new_list(&classes, &DataType::Utf8, true);
        arguments.push(constant(ScalarValue::List(classes)));
    }
    arguments
}

fn fitted(x: Given, y: Given, options: Options) -> StructArray {
    fit(&FitTargetEncoding, &arguments(x, y, options)).unwrap().as_struct().clone()
}

fn frame(options: Options) -> StructArray {
    fitted(column(categories()), column(labels()), options)
}

fn applied(states: &StructArray, x: Given) -> Vec<Option<f64>> {
    numbers(&call(&Apply::default(), &[state(states), x]).unwrap())
}

fn numbers(values: &ArrayRef) -> Vec<Option<f64>> {
    values.as_primitive::<Float64Type>().iter().collect()
}

fn near(found: &[Option<f64>], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} must be {expected}");
    }
}

fn near_golden(found: &[Option<f64>], name: &str, keys: &[&str]) {
    let golden = golden();
    let expected: Vec<f64> = keys.iter().map(|key| golden[name][key].as_f64().unwrap()).collect();
    near(found, &expected);
}

#[test]
fn full_statistics_are_those_of_scikit_learn() {
    let keys = ["a", "b", "c", "d", "None"];
    let auto = applied(&frame(Options::default()), asked());
    near_golden(&auto[..5], "sklearn_te_auto", &keys);
    near(&auto[5..], &[golden()["mean"].as_f64().unwrap()]);
    let smooth = applied(&frame(Options { smooth: Some(2.0), ..Options::default() }), asked());
    near_golden(&smooth[..5], "sklearn_te_m2", &keys);
}

#[test]
fn full_statistics_are_those_of_category_encoders() {
    let keys = ["a", "b", "c", "d", "null", "unseen"];
    let sigmoid = Options { method: Some("sigmoid"), ..Options::default() };
    near_golden(&applied(&frame(sigmoid.clone()), asked()), "ce_target_msl20_s10", &keys);
    let steep = Options { leaf: Some(2.0), smoothing: Some(1.0), ..sigmoid };
    near_golden(&applied(&frame(steep), asked()), "ce_target_msl2_s1", &keys);
    let estimate = Options { method: Some("m_estimate"), ..Options::default() };
    near_golden(&applied(&frame(estimate), asked()), "ce_mestimate_m1", &keys);
    let stein = Options { method: Some("james_stein"), ..Options::default() };
    near_golden(&applied(&frame(stein), asked()), "ce_james_stein_indep", &keys);
    let catboost = call(&CatboostApply::default(), &[state(&frame(Options::default())), asked()]).unwrap();
    near_golden(&numbers(&catboost), "ce_catboost_a1_transform", &keys);
}

const CONTINUOUS: [f64; 12] = [1.5, 0.25, 3.0, -1.0, 2.0, 2.5, 7.0, 1.0, 1.25, 4.0, 0.5, -2.0];

#[test]
fn continuous_targets_are_those_of_the_libraries() {
    let y = column(Float64Array::from(CONTINUOUS.to_vec()));
    let continuous = Options { target: Some("continuous"), ..Options::default() };
    let auto = fitted(column(categories()), y.clone(), continuous.clone());
    // sklearn 1.9.1 TargetEncoder(target_type="continuous").
    let expected = [1.0086241746395364, 3.2941662393892788, 1.125830635542682, 4.0, -0.4282544378698224, 5.0 / 3.0];
    near(&applied(&auto, asked()), &expected);
    // category_encoders 2.11.2 JamesSteinEncoder and CatBoostEncoder(a=2).transform.
    let stein = Options { method: Some("james_stein"), ..continuous };
    let stein = fitted(column(categories()), y, stein);
    let expected = [1.0635461443272112, 3.2077684837996348, 1.1265166298998812, 4.0, -0.3146834061135372, 5.0 / 3.0];
    near(&applied(&stein, asked()), &expected);
    let catboost = call(&CatboostApply::default(), &[state(&auto), asked(), constant(2.0)]).unwrap();
    let expected =
        [1.1805555555555556, 2.966666666666667, 1.3958333333333335, 5.0 / 3.0, 0.45833333333333337, 5.0 / 3.0];
    near(&numbers(&catboost), &expected);
}

fn class_rows(values: &ArrayRef) -> Vec<Vec<f64>> {
    let rows = values.as_list::<i32>().iter();
    rows.map(|row| row.unwrap().as_primitive::<Float64Type>().values().to_vec()).collect()
}

#[test]
fn classes_are_those_of_scikit_learn() {
    let y: StringArray = "xyzxyyzxzzxy".chars().map(|class| Some(class.to_string())).collect();
    let by = |options: Options| {
        let states = fitted(column(categories()), column(y.clone()), options);
        class_rows(&call(&Apply::default(), &[state(&states), asked()]).unwrap())
    };
    // sklearn 1.9.1 TargetEncoder(target_type="multiclass"), smooth "auto" and 3.
    let third = 1.0 / 3.0;
    let auto = [
        [0.4634146341463415, 0.2645161290322581, 0.2645161290322581],
        [0.0, 0.5833333333333334, third],
        [0.44, 0.0, 0.44],
        [0.0, 0.0, 1.0],
        [0.44, 0.44, 0.0],
        [third, third, third],
    ];
    let close = |found: Vec<Vec<f64>>, expected: &[[f64; 3]]| {
        let pairs = found.concat().into_iter().zip(expected.concat());
        pairs.into_iter().for_each(|(found, expected)| assert!((found - expected).abs() < 1e-12, "{found} {expected}"));
    };
    close(by(Options::default()), &auto);
    let smooth = by(Options { smooth: Some(3.0), ..Options::default() });
    close(smooth[..2].to_vec(), &[[3.0 / 7.0, 2.0 / 7.0, 2.0 / 7.0], [1.0 / 6.0, 0.5, third]]);
    // In another order, and with a class that no row has.
    let given = by(Options { classes: Some(vec!["z", "x", "w", "y"]), ..Options::default() });
    assert!((given[0][1] - auto[0][0]).abs() < 1e-12 && given[0][2] == 0.0 && (given[0][3] - auto[0][1]).abs() < 1e-12);
    let unknown = Options { classes: Some(vec!["x", "y"]), ..Options::default() };
    let error = fit(&FitTargetEncoding, &arguments(column(categories()), column(y), unknown)).unwrap_err();
    assert!(error.to_string().contains("y of fit_target_encoding must be one of classes: it is 'z'"), "{error}");
}

#[test]
fn out_of_fold_is_a_fit_of_the_other_folds() {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..12));
    let options = Options { folds: Some(3), key: Some(Arc::clone(&ids)), ..Options::default() };
    let by = |options: Options| {
        let call = call(
            &OutOfFold::default(),
            &[state(&frame(options)), column(categories()), Given::Column(Arc::clone(&ids))],
        );
        numbers(&call.unwrap())
    };
    // sklearn 1.9.1: a TargetEncoder fitted on the rows outside each fold, folds by MurmurHash64A in Python.
    let auto =
        [1.0, 1.0, 0.5813953488372093, 0.5813953488372093, 1.0, 1.0, 0.0, 0.375, 0.375, 0.6666666666666666, 0.0, 1.0];
    near(&by(options.clone()), &auto);
    let smooth = [
        0.8333333333333333,
        0.8333333333333333,
        0.6071428571428572,
        0.6071428571428572,
        0.8095238095238096,
        0.8095238095238096,
        0.1875,
        0.375,
        0.375,
        0.6666666666666666,
        0.25,
        0.8095238095238096,
    ];
    near(&by(Options { smooth: Some(2.0), ..options.clone() }), &smooth);
    let folds = call(&FoldOf, &[Given::Column(Arc::clone(&ids)), constant(3i64)]).unwrap();
    assert_eq!(folds.as_primitive::<Int64Type>().values(), &[1, 1, 0, 0, 0, 0, 2, 2, 2, 1, 2, 0]);
    // With full statistics the folds make no difference.
    assert_eq!(applied(&frame(options), asked()), applied(&frame(Options::default()), asked()));
    // A key of another type would have another fold.
    let texts = Given::Column(cast(&ids, &DataType::Utf8).unwrap());
    let options = Options { folds: Some(3), key: Some(ids), ..Options::default() };
    let error = call(&OutOfFold::default(), &[state(&frame(options)), column(categories()), texts]).unwrap_err();
    assert!(error.to_string().contains("is a text, and the fit had a integer"), "{error}");
}

#[test]
fn leave_one_out_is_that_of_category_encoders() {
    let states = frame(Options::default());
    let of = |x: Given, y: Given| numbers(&call(&LeaveOneOutApply::default(), &[state(&states), x, y]).unwrap());
    let expected: Vec<f64> =
        golden()["ce_loo_fit_transform"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    near(&of(column(categories()), column(labels())), &expected);
    // category_encoders 2.11.2 LeaveOneOutEncoder.transform without y.
    let mean = golden()["mean"].as_f64().unwrap();
    near(&of(asked(), column(Int64Array::new_null(6))), &[0.75, 1.0 / 3.0, 1.0, mean, 0.5, mean]);
}

#[test]
fn policies_say_what_unknown_categories_become() {
    let states = frame(Options::default());
    let of = |unseen: &str, missing: &str| {
        call(&Apply::default(), &[state(&states), asked(), constant(unseen), constant(missing)]).map(|v| numbers(&v))
    };
    let mean = golden()["mean"].as_f64();
    assert_eq!(of("null", "prior").unwrap()[4..], [mean, None]);
    assert_eq!(of("prior", "null").unwrap()[4..], [None, mean]);
    assert!(of("error", "null").unwrap_err().to_string().contains("found 'zz', which the fit did not see"));
    assert!(of("nothing", "null").unwrap_err().to_string().contains("unseen of target_encoding_apply"));
}

#[test]
fn every_kind_of_column_gives_the_same_encoding() {
    let plain: ArrayRef = Arc::new(categories());
    let flags: BooleanArray = labels().iter().map(|label| label.map(|label| label == 1)).collect();
    let expected = frame(Options::default());
    for data_type in [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8)),
    ] {
        let x = Given::Column(cast(&plain, &data_type).unwrap());
        assert_eq!(fitted(x.clone(), column(flags.clone()), Options::default()), expected, "{data_type}");
        assert_eq!(applied(&expected, x), applied(&expected, column(categories())), "{data_type}");
    }
    let x = Given::Column(Arc::new(Int64Array::from(vec![1])));
    let error = call(&Apply::default(), &[state(&expected), x]).unwrap_err();
    assert!(error.to_string().contains("x of target_encoding_apply is of type Int64"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let wrong = |y: Given, options: Options| {
        fit(&FitTargetEncoding, &arguments(column(categories()), y, options)).unwrap_err().to_string()
    };
    let y = || column(labels());
    let numbers = column(Float64Array::from(CONTINUOUS.to_vec()));
    assert!(wrong(numbers, Options::default()).contains("must be 0 or 1 for a binary target: it is 1.5"));
    let infinite = column(Float64Array::from(vec![f64::INFINITY; 12]));
    let continuous = Options { target: Some("continuous"), ..Options::default() };
    assert!(wrong(infinite, continuous).contains("y of fit_target_encoding must be finite"));
    let text = column(categories());
    let binary = Options { target: Some("binary"), ..Options::default() };
    assert!(wrong(text, binary).contains("target of fit_target_encoding is 'binary'"));
    let classes = Options { target: Some("multiclass"), ..Options::default() };
    assert!(wrong(y(), classes).contains("so y must be a text, or classes be given"));
    let folds = |folds| Options { folds: Some(folds), ..Options::default() };
    assert!(wrong(y(), folds(5)).contains("key of fit_target_encoding must be given"));
    assert!(wrong(y(), folds(1)).contains("must be 0 or at least 2"));
    assert!(wrong(y(), folds(-1)).contains("folds of fit_target_encoding must be at least 0"));
    let null_key = Options { key: Some(Arc::new(Int64Array::new_null(12))), ..folds(5) };
    assert!(wrong(y(), null_key).contains("must not be null"));
    assert!(wrong(y(), Options { smooth: Some(-1.0), ..Options::default() }).contains("smooth of fit_target"));
    let other = Options { method: Some("sigmoid"), smooth: Some(1.0), ..Options::default() };
    assert!(wrong(y(), other).contains("smooth of fit_target_encoding is a number for method => 'm_estimate'"));
    assert!(wrong(y(), Options { leaf: Some(1.0), ..Options::default() }).contains("min_samples_leaf"));
    assert!(wrong(y(), Options { method: Some("x"), ..Options::default() }).contains("must be one of m_estimate"));
    let error = call(&OutOfFold::default(), &[state(&frame(Options::default())), asked(), asked()]).unwrap_err();
    assert!(error.to_string().contains("needs a state that was fitted with folds"));
}

#[test]
fn no_rows_one_row_and_constant_targets() {
    let x = column(StringArray::from(Vec::<&str>::new()));
    let empty = fitted(x, column(Int64Array::from(Vec::<i64>::new())), Options::default());
    assert_eq!(applied(&empty, asked()), [None; 6]);
    let of = |y: Vec<Option<i64>>, target| {
        let x = StringArray::from_iter_values(["a", "a", "b"].into_iter().take(y.len()));
        let options = Options { target, ..Options::default() };
        fit(&FitTargetEncoding, &arguments(column(x), column(Int64Array::from(y)), options))
    };
    let one = of(vec![Some(1)], Some("continuous")).unwrap();
    assert_eq!(applied(one.as_struct(), asked()), [Some(1.0); 6]);
    // A category that only rows without a target have is not seen.
    let states = of(vec![Some(0), Some(1), None], None).unwrap();
    assert_eq!(&states, &of(vec![Some(0), Some(1)], None).unwrap());
    for (y, class) in [(vec![Some(1)], 1), (vec![Some(0), None, Some(0)], 0)] {
        let error = of(y, None).unwrap_err().to_string();
        assert!(error.contains(&format!("it is {class} in every row")), "{error}");
    }
}

/// Rows of a generated table: category, key, number and label.
fn rows() -> impl Strategy<Value = Vec<(Option<u8>, i64, f64, bool)>> {
    let number = prop_oneof![Just(1e300), Just(-1e-300), Just(0.1), -1e3..1e3f64];
    proptest::collection::vec((proptest::option::of(0..6u8), 0..50i64, number, any::<bool>()), 0..60)
}

fn generated(rows: &[(Option<u8>, i64, f64, bool)], target: &'static str) -> Vec<Given> {
    let x = column(rows.iter().map(|row| row.0.map(|x| format!("c{x}"))).collect::<StringArray>());
    let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    let y: ArrayRef = match target {
        "continuous" => Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
        "binary" => Arc::new(rows.iter().map(|row| Some(row.3)).collect::<BooleanArray>()),
        _ => Arc::new(rows.iter().map(|row| Some(format!("y{}", row.1 % 3))).collect::<StringArray>()),
    };
    let options = Options { folds: Some(4), key: Some(key), target: Some(target), ..Options::default() };
    arguments(x, Given::Column(y), options)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_state_depends_on_the_rows_alone(rows in rows(), seed in 1..u64::MAX) {
        let one_class = !rows.is_empty() && rows.iter().all(|row| row.3 == rows[0].3);
        for target in ["binary", "continuous", "multiclass"] {
            if one_class && target == "binary" {
                continue;
            }
            let arguments = generated(&rows, target);
            let whole = fit(&FitTargetEncoding, &arguments).unwrap();
            for parts in [1, 2, 7, 64] {
                prop_assert_eq!(&fit_in_parts(&FitTargetEncoding, &arguments, parts, seed).unwrap(), &whole);
            }
            let state = whole.as_struct();
            let doubled = generated(&[rows.clone(), rows.clone()].concat(), target);
            let merged = merge_states(&FitTargetEncoding, &[state.clone(), state.clone()]).unwrap();
            prop_assert_eq!(&merged, &fit(&FitTargetEncoding, &doubled).unwrap());
        }
    }

    #[test]
    fn a_rows_own_label_does_not_touch_its_encoding(rows in rows(), flipped in any::<prop::sample::Index>()) {
        let events = rows.iter().filter(|row| row.3).count();
        prop_assume!(events > 1 && events + 1 < rows.len());
        let row = flipped.index(rows.len());
        let out_of_fold = |rows: &[(Option<u8>, i64, f64, bool)]| {
            let arguments = generated(rows, "binary");
            let states = fit(&FitTargetEncoding, &arguments).unwrap();
            let call = call(&OutOfFold::default(), &[
                state(states.as_struct()),
                arguments[0].clone(),
                arguments[3].clone(),
            ]);
            numbers(&call.unwrap())
        };
        let mut other = rows.clone();
        other[row].3 = !other[row].3;
        let (before, after) = (out_of_fold(&rows), out_of_fold(&other));
        // Rows of the same fold do not see it either: those with the same key at least.
        for same in (0..rows.len()).filter(|same| rows[*same].1 == rows[row].1) {
            prop_assert_eq!(before[same], after[same]);
        }
    }
}
