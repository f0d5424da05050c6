//! No function of this group panics, whatever vectors and dimensions it is given.

use proptest::prelude::*;

use super::concat_features::{ConcatFeatures, ConcatFeaturesSized};
use super::convert::{Dense, Sparse};
use super::dot::Dot;
use super::interaction::Interaction;
use super::normalize::Normalize;
use super::one_hot::OneHot;
use super::polynomial::Polynomial;
use super::testing::{Pairs, dense, integers, sparse};
use crate::testing::{Given, call, column, constant};
use arrow::array::Int64Array;

fn hostile() -> impl Strategy<Value = i64> {
    let edges = [0, 1, -1, i64::MIN, i64::MAX, i64::from(i32::MAX), i64::from(i32::MAX) + 1, 1 << 16];
    prop_oneof![prop::sample::select(edges.to_vec()), 0..40i64, any::<i64>()]
}

fn index() -> impl Strategy<Value = i32> {
    prop_oneof![0..20i32, prop::sample::select(vec![i32::MAX, i32::MIN, -1])]
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let ascending = prop::collection::btree_map(0..20i32, any::<f64>(), 0..6).prop_map(|map| map.into_iter().collect());
    prop::option::of(prop_oneof![ascending, prop::collection::vec((index(), any::<f64>()), 0..4)])
}

fn vector() -> impl Strategy<Value = Given> {
    let lists = prop::collection::vec(prop::option::of(prop::collection::vec(any::<f64>(), 0..6)), 3);
    prop_oneof![
        prop::collection::vec(pairs(), 3).prop_map(|rows| column(sparse(&rows))),
        lists.prop_map(|rows| column(dense(&rows))),
        prop::collection::vec(any::<i64>(), 3).prop_map(|rows| column(Int64Array::from(rows))),
        any::<f64>().prop_map(constant),
        Just(constant(datafusion_common::ScalarValue::Null)),
    ]
}

proptest! {
    #[test]
    fn no_input_makes_a_function_panic(a in vector(), b in vector(), m in hostile(), n in hostile(), flag: bool) {
        let (rows, columns) = (constant(m), constant(n));
        // Errors are fine, and so is any value: what is tested is that there is no panic.
        let _ = call(&ConcatFeatures, &[a.clone(), b.clone()]);
        let sizes = constant(integers(&[Some(m), Some(n)]));
        let _ = call(&ConcatFeaturesSized, &[sizes, a.clone(), b.clone()]);
        let _ = call(&Sparse, &[a.clone(), rows.clone()]);
        let _ = call(&Sparse, &[a.clone(), b.clone(), rows.clone()]);
        let _ = call(&Dense, &[a.clone(), constant(m.min(1 << 20))]);
        let _ = call(&Dense, std::slice::from_ref(&a));
        let _ = call(&Dot, &[a.clone(), b.clone()]);
        let _ = call(&Normalize::L1, std::slice::from_ref(&a));
        let _ = call(&Normalize::L2, std::slice::from_ref(&a));
        let _ = call(&Interaction, &[a.clone(), b.clone(), rows.clone(), columns.clone()]);
        let _ = call(&OneHot, &[a.clone(), rows.clone(), constant(flag)]);
        let _ = call(&Polynomial, &[a, rows, constant(flag), constant(flag)]);
    }
}

#[test]
fn a_batch_without_rows_gives_none() {
    let vectors = || column(sparse(&[]));
    let calls: [(&dyn crate::scalar::Kernel, Vec<Given>); 8] = [
        (&ConcatFeatures, vec![constant(1.0), vectors()]),
        (&Sparse, vec![vectors()]),
        (&Dense, vec![vectors(), constant(3i64)]),
        (&Dot, vec![vectors(), vectors()]),
        (&Normalize::L2, vec![vectors()]),
        (&Interaction, vec![constant(1.0), vectors(), constant(1i64), constant(3i64)]),
        (&OneHot, vec![column(Int64Array::from(Vec::<i64>::new())), constant(3i64)]),
        (&Polynomial, vec![column(dense(&[])), constant(3i64)]),
    ];
    for (kernel, arguments) in calls {
        assert_eq!(call(kernel, &arguments).unwrap().len(), 0, "{}", kernel.spec().name);
    }
}
