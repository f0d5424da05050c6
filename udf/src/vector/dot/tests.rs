use super::*;
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{constant_list, dense, sparse};
use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use datafusion_common::ScalarValue;
use proptest::prelude::*;

fn products(a: Given, b: Given) -> Result<Vec<Option<f64>>> {
    Ok(call(&Dot, &[a, b])?.as_primitive::<Float64Type>().iter().collect())
}

#[test]
fn every_mix_of_forms_has_one_product() {
    // numpy.dot([2, 0, 3], [1, 5, 10]) = 32.
    let forms = [
        (
            column(sparse(&[Some(vec![(0, 2.0), (2, 3.0)])])),
            column(sparse(&[Some(vec![(0, 1.0), (1, 5.0), (2, 10.0)])])),
        ),
        (column(dense(&[Some(vec![2.0, 0.0, 3.0])])), column(dense(&[Some(vec![1.0, 5.0, 10.0])]))),
    ];
    for a in [&forms[0].0, &forms[1].0] {
        for b in [&forms[0].1, &forms[1].1, &constant(constant_list(&[1.0, 5.0, 10.0]))] {
            assert_eq!(products(a.clone(), b.clone()).unwrap(), [Some(32.0)]);
            assert_eq!(products(b.clone(), a.clone()).unwrap(), [Some(32.0)]);
        }
    }
    assert_eq!(products(constant(3.0), constant(4i64)).unwrap(), [Some(12.0)]);
    let nulls = column(sparse(&[None, Some(vec![])]));
    assert_eq!(products(nulls, constant(constant_list(&[1.0]))).unwrap(), [None, Some(0.0)]);
    assert_eq!(products(constant(ScalarValue::Null), constant(constant_list(&[1.0]))).unwrap(), [None]);
}

#[test]
fn vectors_of_different_dimensions_are_refused() {
    let error = |a: Given, b: Given| products(a, b).unwrap_err().to_string();
    let list = |values: &[f64]| constant(constant_list(values));
    assert!(error(list(&[1.0]), list(&[1.0, 2.0])).contains("must have one dimension: a has 1 and b has 2"));
    let vector = column(sparse(&[Some(vec![(2, 1.0)])]));
    assert!(error(vector, list(&[1.0, 2.0])).contains("one has the index 2, and the other 2 places"));
    assert!(error(constant("a"), list(&[1.0])).contains("a of dot must be a sparse vector"));
}

proptest! {
    #[test]
    fn the_product_does_not_depend_on_the_form(
        pairs in prop::collection::vec((prop_oneof![Just(0.0), -9.0..9.0f64], prop_oneof![Just(0.0), -9.0..9.0f64]), 0..40)
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let expected = a.iter().zip(&b).fold(0.0, |sum, (a, b)| sum + a * b);
        let pairs = |values: &[f64]| {
            let places = values.iter().enumerate().filter(|(_, value)| **value != 0.0);
            column(sparse(&[Some(places.map(|(place, value)| (place as i32, *value)).collect())]))
        };
        for a in [pairs(&a), column(dense(&[Some(a.clone())]))] {
            for b in [pairs(&b), column(dense(&[Some(b.clone())]))] {
                prop_assert_eq!(products(a.clone(), b).unwrap(), vec![Some(expected)]);
            }
        }
    }
}
