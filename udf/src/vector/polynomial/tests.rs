use super::*;
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{dense, dense_rows};
use datafusion_common::ScalarValue;

fn terms(values: &[f64], degree: i64, interaction_only: bool, include_bias: bool) -> Vec<f64> {
    let values = column(dense(&[Some(values.to_vec())]));
    let arguments = [values, constant(degree), constant(interaction_only), constant(include_bias)];
    dense_rows(&call(&Polynomial, &arguments).unwrap()).remove(0).unwrap()
}

#[test]
fn terms_stand_in_the_order_of_scikit_learn() {
    // scikit-learn 1.9.1: PolynomialFeatures(degree, interaction_only=…, include_bias=…).fit_transform([[2, 3, 5]]).
    let values = [2.0, 3.0, 5.0];
    let two = [1.0, 2.0, 3.0, 5.0, 4.0, 6.0, 10.0, 9.0, 15.0, 25.0];
    assert_eq!(terms(&values, 2, false, true), two);
    let three = [8.0, 12.0, 20.0, 18.0, 30.0, 50.0, 27.0, 45.0, 75.0, 125.0];
    assert_eq!(terms(&values, 3, false, true), [two, three].concat());
    assert_eq!(terms(&values, 3, true, true), [1.0, 2.0, 3.0, 5.0, 6.0, 10.0, 15.0, 30.0]);
    assert_eq!(terms(&values, 3, true, false), [2.0, 3.0, 5.0, 6.0, 10.0, 15.0, 30.0]);
    assert_eq!(terms(&values, 5, true, true), terms(&values, 3, true, true));
    assert_eq!(terms(&values, 0, false, true), [1.0]);
    assert_eq!(terms(&values, 1, false, false), values);
    assert_eq!(terms(&[], 3, false, true), [1.0]);
}

#[test]
fn products_are_rounded_as_in_scikit_learn() {
    // scikit-learn 1.9.1: the last terms of PolynomialFeatures(4).fit_transform([[0.1, 0.7, -1.3]]).
    let expected = [
        0.00010000000000000003,
        0.0007,
        -0.0013000000000000002,
        0.0049,
        -0.0091,
        0.016900000000000005,
        0.03429999999999999,
        -0.06369999999999999,
        0.11830000000000002,
        -0.21970000000000006,
        0.24009999999999992,
        -0.4458999999999999,
        0.8281,
        -1.5379000000000003,
        2.856100000000001,
    ];
    let found = terms(&[0.1, 0.7, -1.3], 4, false, true);
    assert_eq!((found.len(), &found[20..]), (35, expected.as_slice()));
}

#[test]
fn lists_of_several_lengths_and_nulls() {
    let rows = dense(&[Some(vec![2.0]), None, Some(vec![2.0, 3.0]), Some(vec![f64::NAN])]);
    let found = dense_rows(&call(&Polynomial, &[column(rows), constant(2i64)]).unwrap());
    assert_eq!(found[..3], [Some(vec![1.0, 2.0, 4.0]), None, Some(vec![1.0, 2.0, 3.0, 4.0, 6.0, 9.0])]);
    assert!(found[3].as_ref().unwrap()[2].is_nan());
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let wide = || column(dense(&[Some(vec![1.0; 300])]));
    let error = |values: Given, degree: i64| call(&Polynomial, &[values, constant(degree)]).unwrap_err().to_string();
    assert!(error(wide(), -1).contains("degree of polynomial must be at least 0"));
    assert!(error(wide(), i64::MAX).contains("degree of polynomial must be at most 64"));
    assert!(error(wide(), 3).contains("more than 1048576 terms"));
    assert!(error(constant(1.0), 2).contains("values of polynomial must be a list of numbers"));
    let none = [wide(), constant(0i64), constant(false), constant(false)];
    assert!(call(&Polynomial, &none).unwrap_err().to_string().contains("there would be no term"));
    assert_eq!(dense_rows(&call(&Polynomial, &[constant(ScalarValue::Null), constant(2i64)]).unwrap()), [None]);
}
