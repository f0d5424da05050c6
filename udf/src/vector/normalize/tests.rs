use super::*;
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{dense, dense_rows, sparse, sparse_rows};
use datafusion_common::ScalarValue;

fn lists(kernel: Normalize, rows: &[Option<Vec<f64>>]) -> Vec<Option<Vec<f64>>> {
    dense_rows(&call(&kernel, &[column(dense(rows))]).unwrap())
}

#[test]
fn vectors_have_the_length_of_scikit_learn() {
    // scikit-learn 1.9.1: normalize([[1, -2, 3, 0], [0, 0, 0, 0]], norm="l1") and norm="l2".
    let rows = [Some(vec![1.0, -2.0, 3.0, 0.0]), Some(vec![0.0; 4]), None, Some(vec![])];
    let one = vec![0.166_666_666_666_666_66, -0.333_333_333_333_333_3, 0.5, 0.0];
    assert_eq!(lists(Normalize::L1, &rows), [Some(one.clone()), Some(vec![0.0; 4]), None, Some(vec![])]);
    let two = vec![0.267_261_241_912_424_4, -0.534_522_483_824_848_8, 0.801_783_725_737_273_2, 0.0];
    assert_eq!(lists(Normalize::L2, &rows), [Some(two.clone()), Some(vec![0.0; 4]), None, Some(vec![])]);

    let vectors = || column(sparse(&[Some(vec![(0, 1.0), (5, -2.0), (7, 3.0)]), Some(vec![(3, 0.0)]), None]));
    for (kernel, expected) in [(Normalize::L1, one), (Normalize::L2, two)] {
        let found = sparse_rows(&call(&kernel, &[vectors()]).unwrap());
        let first = vec![(0, expected[0]), (5, expected[1]), (7, expected[2])];
        assert_eq!(found, [Some(first), Some(vec![(3, 0.0)]), None]);
    }
}

#[test]
fn very_large_and_very_small_vectors_keep_their_direction() {
    for scale in [1e200, 1e-200, 1e-320, f64::MAX / 4.0] {
        for (kernel, expected) in [(Normalize::L1, [3.0 / 7.0, 4.0 / 7.0]), (Normalize::L2, [0.6, 0.8])] {
            let found = lists(kernel, &[Some(vec![3.0 * scale, 4.0 * scale])]).remove(0).unwrap();
            let close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3);
            assert!(close, "{kernel:?} {scale} {found:?}");
        }
    }
    // As arithmetic has it.
    let found = lists(Normalize::L2, &[Some(vec![f64::INFINITY, 1.0]), Some(vec![f64::NAN, 1.0])]);
    let bits = |row: usize, place: usize| found[row].as_ref().unwrap()[place];
    assert!(bits(0, 0).is_nan() && bits(0, 1) == 0.0 && bits(1, 0).is_nan() && bits(1, 1).is_nan());
}

#[test]
fn other_arguments_are_refused() {
    let error = |argument: Given| call(&Normalize::L2, &[argument]).unwrap_err().to_string();
    assert!(error(constant(1.0)).contains("vector of l2_normalize must be a sparse vector or a list of numbers"));
    assert!(error(constant("a")).contains("vector of l2_normalize must be"));
    assert_eq!(dense_rows(&call(&Normalize::L1, &[constant(ScalarValue::Null)]).unwrap()), [None]);
}
