use super::binned::BinnedCounts;
use super::categories::CategoryCountsFit;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use crate::testing::{Given, column, constant, fit, fit_in_parts, merge_states};

fn numbers(numbers: &[f64]) -> Given {
    let items: Vec<ScalarValue> = numbers.iter().map(|number| ScalarValue::from(*number)).collect();
    constant(ScalarValue::List(ScalarValue::new_list_nullable(&items, &arrow::datatypes::DataType::Float64)))
}

fn counts(state: &ArrayRef, list: &str) -> (StructArray, Vec<(i64, i64)>) {
    let rows = state.as_struct().column_by_name(list).unwrap().as_list::<i32>().value(0);
    let rows = rows.as_struct().clone();
    let of = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
    let pairs = of("events").into_iter().zip(of("non_events")).collect();
    (rows, pairs)
}

fn sample() -> [Given; 2] {
    let x = vec![Some(5.0), Some(-1.0), Some(10.0), None, Some(f64::NAN), Some(-999.0), Some(3.0), Some(7.0)];
    let y = vec![Some(1.0), Some(0.0), Some(1.0), Some(1.0), Some(0.0), Some(1.0), None, Some(0.0)];
    [column(Float64Array::from(x)), column(Float64Array::from(y))]
}

#[test]
fn bins_special_codes_and_missing_values_are_counted_apart() {
    let [x, y] = sample();
    let state = fit(&BinnedCounts, &[x, numbers(&[0.0, 10.0]), y, constant(ScalarValue::Null), numbers(&[-999.0])]);
    let (rows, pairs) = counts(&state.unwrap(), "bins");
    assert_eq!(pairs, [(0, 1), (1, 1), (1, 0), (1, 0), (1, 1)]);
    let labels: Vec<&str> = rows.column_by_name("label").unwrap().as_string::<i32>().iter().flatten().collect();
    assert_eq!(labels, ["(-inf, 0)", "[0, 10)", "[10, inf)", "special -999", "missing"]);
}

#[test]
fn weights_are_summed_without_loss() {
    let x = column(Float64Array::from(vec![1.0; 4]));
    let y = column(BooleanArray::from(vec![true, true, true, false]));
    let weight = column(Float64Array::from(vec![1e16, 1.0, 1.0, 0.5]));
    let state = fit(&BinnedCounts, &[x, numbers(&[]), y, weight]).unwrap();
    let (rows, pairs) = counts(&state, "bins");
    assert_eq!(pairs[0], (3, 1));
    let of = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(0);
    assert_eq!((of("event_weight"), of("non_event_weight")), (10_000_000_000_000_002.0, 0.5));
}

#[test]
fn categories_are_counted_in_their_order() {
    let x = column(StringArray::from(vec![Some("b"), Some("a"), None, Some("b"), Some("c")]));
    let y = column(Int64Array::from(vec![Some(1), Some(0), Some(1), Some(0), None]));
    let (rows, pairs) = counts(&fit(&CategoryCountsFit, &[x, y]).unwrap(), "categories");
    let values: Vec<Option<&str>> = rows.column_by_name("value").unwrap().as_string::<i32>().iter().collect();
    assert_eq!(values, [Some("a"), Some("b"), None]);
    assert_eq!(pairs, [(0, 1), (1, 1), (1, 0)]);
}

#[test]
fn bad_input_is_refused_by_name() {
    let [x, y] = sample();
    let error = |arguments: &[Given]| fit(&BinnedCounts, arguments).unwrap_err().to_string();
    assert!(error(&[x.clone(), numbers(&[1.0, 1.0]), y.clone()]).contains("edges of binned_counts must ascend"));
    assert!(error(&[x.clone(), numbers(&[1.0, f64::NAN]), y.clone()]).contains("edges of binned_counts"));
    assert!(
        error(&[x.clone(), constant(ScalarValue::Null), y.clone()]).contains("edges of binned_counts must be given")
    );
    let twice = [x.clone(), numbers(&[1.0]), y.clone(), constant(ScalarValue::Null), numbers(&[0.0, -0.0])];
    assert!(error(&twice).contains("special of binned_counts must be distinct"));
    let closed = [
        x.clone(),
        numbers(&[1.0]),
        y.clone(),
        constant(ScalarValue::Null),
        constant(ScalarValue::Null),
        constant("middle"),
    ];
    assert!(error(&closed).contains("closed of binned_counts must be one of left, right"));
    let classes = column(Int64Array::from(vec![0, 1, 2, 0, 1, 0, 1, 0]));
    assert!(error(&[x, numbers(&[1.0]), classes]).contains("y of binned_counts must be 0 or 1: it is 2"));
}

proptest! {
    #[test]
    fn states_do_not_depend_on_order_split_or_merge_tree(
        rows in prop::collection::vec((prop::option::of(-3i64..4), prop::option::of(prop::bool::ANY), 0.0..1e9f64), 1..60),
        seed in 1u64..1000,
    ) {
        let x = Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>());
        let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let weight = Float64Array::from(rows.iter().map(|row| row.2).collect::<Vec<_>>());
        let binned = [
            column(x.clone()), numbers(&[-1.0, 2.0]), column(y.clone()), column(weight.clone()), numbers(&[3.0]),
        ];
        let categories = [column(x), column(y), column(weight)];
        let whole = (fit(&BinnedCounts, &binned).unwrap(), fit(&CategoryCountsFit, &categories).unwrap());
        for parts in [1, 2, 7, 64] {
            prop_assert_eq!(&fit_in_parts(&BinnedCounts, &binned, parts, seed).unwrap(), &whole.0);
            prop_assert_eq!(&fit_in_parts(&CategoryCountsFit, &categories, parts, seed).unwrap(), &whole.1);
        }
    }

    #[test]
    fn merged_states_are_those_of_all_rows(
        rows in prop::collection::vec((prop::option::of("[a-c]{0,2}"), prop::bool::ANY), 2..40), cut in 1usize..39,
    ) {
        let cut = cut.min(rows.len() - 1);
        let state = |rows: &[(Option<String>, bool)]| {
            let x = StringArray::from(rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>());
            let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
            fit(&CategoryCountsFit, &[column(x), column(y)]).unwrap()
        };
        let parts = [state(&rows[..cut]).as_struct().clone(), state(&rows[cut..]).as_struct().clone()];
        let merged = merge_states(&CategoryCountsFit, &parts).unwrap();
        prop_assert_eq!(&merged, &state(&rows));
        prop_assert_eq!(merged.len(), 1);
    }
}
