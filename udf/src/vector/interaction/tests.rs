use super::*;
use crate::sparse::DIMENSION;
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{Pairs, constant_list, dense, sparse, sparse_rows};
use arrow::array::Float64Array;
use arrow::datatypes::{Field, Schema};
use datafusion_expr::col;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use std::collections::HashMap;

fn dims(a: impl Into<ScalarValue>, b: impl Into<ScalarValue>) -> [Given; 2] {
    [constant(a), constant(b)]
}

fn interact(a: &Given, b: &Given, dims: [Given; 2]) -> Vec<Pairs> {
    let [a_dims, b_dims] = dims;
    sparse_rows(&call(&Interaction, &[a.clone(), b.clone(), a_dims, b_dims]).unwrap())
}

#[test]
fn products_stand_where_spark_has_them() {
    // Spark 4.0.1: Interaction of columns that VectorAssembler made; zeros are left out.
    let x = column(Float64Array::from(vec![2.0, 0.5, -1.0]));
    let a = column(dense(&[Some(vec![1.0, 0.0, 3.0]), Some(vec![0.0; 3]), Some(vec![0.0, 2.0, 0.0])]));
    let b = column(sparse(&[Some(vec![(1, 5.0)]), Some(vec![(0, 1.0), (1, 1.0)]), Some(vec![(0, 4.0), (1, -3.0)])]));
    let found = interact(&x, &a, dims(1i64, 3i64));
    assert_eq!(found, [Some(vec![(0, 2.0), (2, 6.0)]), Some(vec![]), Some(vec![(1, -2.0)])]);
    let a_b = [Some(vec![(1, 5.0), (5, 15.0)]), Some(vec![]), Some(vec![(2, 8.0), (3, -6.0)])];
    assert_eq!(interact(&a, &b, dims(3i64, 2i64)), a_b);
    let b_a = [Some(vec![(3, 5.0), (5, 15.0)]), Some(vec![]), Some(vec![(1, 8.0), (4, -6.0)])];
    assert_eq!(interact(&b, &a, dims(2i64, 3i64)), b_a);
    // Three columns.
    let x_a = call(&Interaction, &[vec![x, a], dims(1i64, 3i64).to_vec()].concat()).unwrap();
    let x_a_b = [Some(vec![(1, 10.0), (5, 30.0)]), Some(vec![]), Some(vec![(2, -8.0), (3, 6.0)])];
    assert_eq!(interact(&Given::Column(x_a), &b, dims(ScalarValue::Null, 2i64)), x_a_b);
}

#[test]
fn nulls_give_null_and_constants_need_no_dimension() {
    let a = column(sparse(&[Some(vec![(1, 2.0)]), None]));
    let found = interact(&a, &constant(constant_list(&[0.0, 3.0])), dims(ScalarValue::Null, ScalarValue::Null));
    assert_eq!(found, [Some(vec![(3, 6.0)]), None]);
}

#[test]
fn dimensions_of_fields_become_constants_of_the_call() {
    let metadata = HashMap::from([(DIMENSION.to_string(), "5".to_string())]);
    let field = Field::new("v", sparse_type(), true).with_metadata(metadata);
    let schema = DFSchema::try_from(Schema::new(vec![field, Field::new("x", DataType::Float64, true)])).unwrap();
    let context = SimplifyContext::builder().with_schema(Arc::new(schema)).build();
    let function = scalar_function(Interaction);
    let ExprSimplifyResult::Simplified(call) = function.simplify(vec![col("x"), col("v")], &context).unwrap() else {
        panic!("the dimensions are known");
    };
    assert_eq!(call, function.call(vec![col("x"), col("v"), lit(1i64), lit(5i64)]));
    // There is nothing to add a second time.
    let Expr::ScalarFunction(call) = call else { panic!("a call of a function") };
    assert!(matches!(function.simplify(call.args, &context).unwrap(), ExprSimplifyResult::Original(_)));
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let error = |a: Given, b: Given, dims: [Given; 2]| {
        call(&Interaction, &[vec![a, b], dims.to_vec()].concat()).unwrap_err().to_string()
    };
    let vector = || column(sparse(&[Some(vec![(3, 1.0)])]));
    assert!(error(vector(), vector(), dims(4i64, ScalarValue::Null)).contains("b_dims of interaction must be given"));
    assert!(error(vector(), vector(), dims(4i64, 3i64)).contains("b of interaction must have the dimension 3"));
    assert!(error(vector(), vector(), dims(4i64, -1i64)).contains("b_dims of interaction must be at least 0"));
    assert!(error(vector(), vector(), dims(i64::MAX, 4i64)).contains("a_dims of interaction must be at most"));
    assert!(error(vector(), vector(), dims(1i64 << 20, 1i64 << 20)).contains("more than 2147483647 places"));
    let far = column(sparse(&[Some(vec![(1 << 20, 1.0)])]));
    assert!(error(far, vector(), dims(ScalarValue::Null, 1i64 << 20)).contains("more than 2147483647 places"));
    assert!(error(constant("a"), vector(), dims(1i64, 4i64)).contains("a of interaction must be a sparse vector"));
}
