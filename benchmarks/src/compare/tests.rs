//! The comparison must find what differs and forgive only what rounding explains.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};

use super::{RELATIVE_TOLERANCE, close, difference};
use crate::rows::RowSet;

fn rows(columns: Vec<ArrayRef>) -> RowSet {
    let named = columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    RowSet::new(&batch.schema(), &[batch]).unwrap()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn decimals(values: &[i128], scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(38, scale).unwrap())
}

#[test]
fn order_of_rows_does_not_matter_but_their_number_does() {
    let expected = rows(vec![texts(&["a", "b", "b"])]);
    assert_eq!(difference(&rows(vec![texts(&["b", "a", "b"])]), &expected), None);
    assert_eq!(
        difference(&rows(vec![texts(&["b", "a", "a"])]), &expected).as_deref(),
        Some("row ('a') is not expected")
    );
    assert_eq!(
        difference(&rows(vec![texts(&["a", "b"])]), &expected).as_deref(),
        Some("2 rows, expected 3; row ('b') is missing")
    );
    assert_eq!(
        difference(&rows(vec![texts(&["a", "b", "b", "c"])]), &expected).as_deref(),
        Some("4 rows, expected 3; row ('c') is not expected")
    );
}

#[test]
fn an_empty_result_is_not_a_full_one() {
    let empty = rows(vec![integers(&[])]);
    assert_eq!(difference(&empty, &empty), None);
    assert!(difference(&empty, &rows(vec![integers(&[1])])).is_some());
    assert!(difference(&rows(vec![integers(&[1])]), &empty).is_some());
}

#[test]
fn columns_must_be_as_many() {
    let one = rows(vec![integers(&[1])]);
    let two = rows(vec![integers(&[1]), integers(&[1])]);
    assert_eq!(difference(&one, &two).as_deref(), Some("1 columns, expected 2"));
}

#[test]
fn integers_decimals_dates_and_texts_are_exact() {
    assert_eq!(difference(&rows(vec![integers(&[7])]), &rows(vec![decimals(&[700], 2)])), None);
    assert!(difference(&rows(vec![integers(&[7])]), &rows(vec![decimals(&[701], 2)])).is_some());
    // Apart by one in 10^19: invisible in floating point, a difference here.
    let (large, larger) = (decimals(&[10i128.pow(19)], 2), decimals(&[10i128.pow(19) + 1], 2));
    assert!(difference(&rows(vec![large]), &rows(vec![larger])).is_some());
    let date: ArrayRef = Arc::new(Date32Array::from(vec![9_131]));
    let next_day: ArrayRef = Arc::new(Date32Array::from(vec![9_132]));
    assert!(difference(&rows(vec![date.clone()]), &rows(vec![next_day])).is_some());
    assert!(difference(&rows(vec![date]), &rows(vec![texts(&["1995-01-01"])])).is_some());
    assert!(difference(&rows(vec![texts(&["a"])]), &rows(vec![texts(&["a "])])).is_some());
}

#[test]
fn null_equals_null_and_nothing_else() {
    let null: ArrayRef = Arc::new(Int64Array::from(vec![None]));
    let null_float: ArrayRef = Arc::new(Float64Array::from(vec![None]));
    assert_eq!(difference(&rows(vec![null.clone()]), &rows(vec![null.clone()])), None);
    assert_eq!(difference(&rows(vec![null.clone()]), &rows(vec![null_float.clone()])), None);
    assert!(difference(&rows(vec![null]), &rows(vec![integers(&[0])])).is_some());
    assert!(difference(&rows(vec![null_float]), &rows(vec![floats(&[0.0])])).is_some());
}

#[test]
fn floats_may_differ_by_rounding_only() {
    assert!(close(1e12, 1e12 * (1.0 + 0.9e-9), RELATIVE_TOLERANCE, 0.0));
    assert!(!close(1e12, 1e12 * (1.0 + 1.1e-9), RELATIVE_TOLERANCE, 0.0));
    assert!(close(f64::NAN, f64::NAN, RELATIVE_TOLERANCE, 0.0) && !close(f64::NAN, 0.0, RELATIVE_TOLERANCE, 1.0));
    assert!(
        close(f64::INFINITY, f64::INFINITY, RELATIVE_TOLERANCE, 0.0)
            && !close(f64::INFINITY, 1.0, RELATIVE_TOLERANCE, 1.0)
    );
    assert!(!close(f64::INFINITY, f64::NEG_INFINITY, RELATIVE_TOLERANCE, 1.0));
    assert_eq!(difference(&rows(vec![floats(&[0.1 + 0.2])]), &rows(vec![floats(&[0.3])])), None);
    assert_eq!(
        difference(&rows(vec![texts(&["x"]), floats(&[2.5])]), &rows(vec![texts(&["x"]), floats(&[2.75])])).as_deref(),
        Some("got ('x', 2.5e0), expected ('x', 2.75e0)")
    );
}

#[test]
fn a_decimal_answers_for_its_own_digits_against_a_float() {
    // An average kept to six digits against the same average in floating point.
    assert_eq!(difference(&rows(vec![decimals(&[49_985], 6)]), &rows(vec![floats(&[0.049_985_295_838])])), None);
    assert!(difference(&rows(vec![decimals(&[49_983], 6)]), &rows(vec![floats(&[0.049_985_295_838])])).is_some());
    // A percentage of a quotient that was cut after six digits.
    assert_eq!(difference(&rows(vec![decimals(&[100_349_600], 6)]), &rows(vec![floats(&[100.349_611_57])])), None);
    assert!(difference(&rows(vec![decimals(&[100_340_000], 6)]), &rows(vec![floats(&[100.349_611_57])])).is_some());
    // A count summed in floating point has no such excuse.
    assert_eq!(difference(&rows(vec![integers(&[6_202])]), &rows(vec![floats(&[6_202.0])])), None);
    assert!(difference(&rows(vec![integers(&[6_202])]), &rows(vec![floats(&[6_203.0])])).is_some());
    assert!(difference(&rows(vec![decimals(&[6_202], 0)]), &rows(vec![floats(&[6_203.0])])).is_some());
}

#[test]
fn noise_in_one_float_column_does_not_pair_the_wrong_rows() {
    // Sorted by the first float column the rows come in opposite orders, though each has its equal on the other side.
    let got = rows(vec![texts(&["k", "k"]), floats(&[1.0, 1.0 + 1e-12]), floats(&[5.0, 3.0])]);
    let expected = rows(vec![texts(&["k", "k"]), floats(&[1.0 + 1e-12, 1.0]), floats(&[5.0, 3.0])]);
    assert_eq!(difference(&got, &expected), None);
    let wrong = rows(vec![texts(&["k", "k"]), floats(&[1.0 + 1e-12, 1.0]), floats(&[5.0, 4.0])]);
    assert!(difference(&got, &wrong).is_some());
}

#[test]
fn one_row_cannot_answer_for_two() {
    let got = rows(vec![floats(&[1.0, 1.0, 2.0])]);
    let expected = rows(vec![floats(&[1.0, 2.0, 2.0])]);
    assert_eq!(difference(&got, &expected).as_deref(), Some("got (1e0), expected (2e0)"));
}

#[test]
fn a_long_row_is_cut_in_the_message() {
    let long = "é".repeat(1_000);
    let message = difference(&rows(vec![texts(&[&long])]), &rows(vec![texts(&[])])).unwrap();
    assert!(message.contains('…') && message.chars().count() < 500, "{message}");
}
