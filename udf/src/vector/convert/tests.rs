use super::*;
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{constant_list, dense as lists, dense_rows, integers, sparse as vectors, sparse_rows};
use arrow::array::{FixedSizeListArray, Int64Array};
use arrow::datatypes::Field;
use proptest::prelude::*;

fn lists_of_integers(rows: &[&[Option<i64>]]) -> Given {
    column(ListArray::from_iter_primitive::<Int64Type, _, _>(rows.iter().map(|row| Some(row.to_vec()))))
}

#[test]
fn zeros_of_a_list_are_left_out() {
    let rows = lists(&[Some(vec![0.0, 2.5, -0.0, f64::NAN]), Some(vec![]), None, Some(vec![1.0])]);
    let found = sparse_rows(&call(&Sparse, &[column(rows.clone())]).unwrap());
    let first = found[0].as_ref().unwrap();
    assert_eq!((first[0], first[1].0, first[1].1.is_nan(), first.len()), ((1, 2.5), 3, true, 2));
    assert_eq!(found[1..], [Some(vec![]), None, Some(vec![(0, 1.0)])]);
    // A dimension may be given in either place.
    for rest in [vec![constant(4i64)], vec![constant(ScalarValue::Null), constant(4i64)]] {
        let found = sparse_rows(&call(&Sparse, &[vec![column(rows.clone())], rest].concat()).unwrap());
        assert_eq!(found[3], Some(vec![(0, 1.0)]));
    }
    let null = lists_of_integers(&[&[Some(1), None], &[Some(0), Some(3)]]);
    assert_eq!(sparse_rows(&call(&Sparse, &[null]).unwrap()), [None, Some(vec![(1, 3.0)])]);
}

#[test]
fn indices_are_put_in_order_and_repeated_ones_add_up() {
    // scipy.sparse.coo_array(([1, 2, 4], ([4, 1, 4],)), shape=(6,)): 4 -> 5, 1 -> 2.
    let indices = lists_of_integers(&[&[Some(4), Some(1), Some(4)], &[], &[None], &[Some(0)]]);
    let values = column(lists(&[Some(vec![1.0, 2.0, 4.0]), Some(vec![]), Some(vec![1.0]), None]));
    let found = sparse_rows(&call(&Sparse, &[indices, values, constant(6i64)]).unwrap());
    assert_eq!(found, [Some(vec![(1, 2.0), (4, 5.0)]), Some(vec![]), None, None]);
    let constants = [constant(integers(&[Some(2)])), constant(constant_list(&[3.0])), constant(3i64)];
    assert_eq!(sparse_rows(&call(&Sparse, &constants).unwrap()), [Some(vec![(2, 3.0)])]);
}

#[test]
fn a_dense_vector_has_every_place() {
    let rows = vectors(&[Some(vec![(1, 2.5)]), Some(vec![]), None]);
    let found = dense_rows(&call(&Dense, &[column(rows), constant(3i64)]).unwrap());
    assert_eq!(found, [Some(vec![0.0, 2.5, 0.0]), Some(vec![0.0; 3]), None]);
    let found = dense_rows(&call(&Dense, &[column(lists(&[Some(vec![1.0, 2.0])]))]).unwrap());
    assert_eq!(found, [Some(vec![1.0, 2.0])]);
    let field = Arc::new(Field::new_list_field(DataType::Int64, true));
    let fixed = FixedSizeListArray::new(field, 2, Arc::new(Int64Array::from(vec![1, 2])), None);
    assert_eq!(dense_rows(&call(&Dense, &[column(fixed)]).unwrap()), [Some(vec![1.0, 2.0])]);
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let error = |kernel: &dyn Kernel, arguments: &[Given]| call(kernel, arguments).unwrap_err().to_string();
    let vector = || column(vectors(&[Some(vec![(3, 1.0)])]));
    assert!(error(&Dense, &[vector()]).contains("dims of dense must be given"));
    assert!(error(&Dense, &[vector(), constant(3i64)]).contains("must have the dimension 3: it has the index 3"));
    assert!(error(&Dense, &[vector(), constant(-1i64)]).contains("dims of dense must be at least 0"));
    assert!(error(&Dense, &[vector(), constant(i64::MAX)]).contains("dims of dense must be at most 2147483647"));
    assert!(error(&Dense, &[vector(), constant(1i64 << 30)]).contains("more than 268435456 numbers"));
    assert!(error(&Sparse, &[vector(), constant(3i64)]).contains("at most dims = 3 places: it has 4"));
    assert!(error(&Sparse, &[constant("a")]).contains("must be a sparse vector, a list of numbers or a number"));
    let parts = |index: i64, dims: ScalarValue| {
        error(&Sparse, &[constant(integers(&[Some(index)])), constant(constant_list(&[1.0])), constant(dims)])
    };
    assert!(parts(-1, 5i64.into()).contains("the indices of sparse must be from 0 to 4: there is -1"));
    assert!(parts(5, 5i64.into()).contains("the indices of sparse must be from 0 to 4: there is 5"));
    assert!(parts(0, ScalarValue::Null).contains("dims of sparse must be given"));
    let uneven = [constant(integers(&[Some(1), Some(2)])), constant(constant_list(&[1.0])), constant(5i64)];
    assert!(error(&Sparse, &uneven).contains("as many values as indices: there are 2 indices and 1 values"));
    // A malformed vector that a user has put together.
    let malformed = column(vectors(&[Some(vec![(3, 1.0), (3, 1.0)])]));
    assert!(error(&Dense, &[malformed, constant(9i64)]).contains("indices that ascend from 0"));
}

proptest! {
    #[test]
    fn a_list_survives_the_way_there_and_back(
        rows in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0.0), -9.0..9.0f64], 5), 1..8)
    ) {
        let rows: Vec<Option<Vec<f64>>> = rows.into_iter().map(Some).collect();
        let there = call(&Sparse, &[column(lists(&rows)), constant(5i64)]).unwrap();
        let back = call(&Dense, &[Given::Column(there), constant(5i64)]).unwrap();
        prop_assert_eq!(dense_rows(&back), rows);
    }
}
