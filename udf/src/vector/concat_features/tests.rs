use super::*;
use crate::sparse::{DIMENSION, dimension_of};
use crate::testing::{Given, call, column, constant};
use crate::vector::testing::{constant_list, dense, integers, integers_of, sparse, sparse_rows};
use arrow::array::{Float64Array, Int64Array};
use arrow::datatypes::{Field, Schema};
use datafusion_expr::col;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use std::collections::HashMap;

#[test]
fn every_mix_of_forms_is_set_side_by_side() {
    let arguments = [
        constant(integers(&[Some(4), Some(1), Some(2), Some(3)])),
        column(sparse(&[Some(vec![(0, 1.0), (3, 2.0)]), Some(vec![]), None, Some(vec![(1, 1.0)])])),
        column(Int64Array::from(vec![Some(7), Some(0), Some(1), None])),
        column(dense(&[Some(vec![0.0, 5.0]), Some(vec![1.0, f64::NAN]), Some(vec![1.0, 1.0]), Some(vec![0.0, 0.0])])),
        constant(constant_list(&[0.0, 0.0, 9.0])),
    ];
    let found = sparse_rows(&call(&ConcatFeaturesSized, &arguments).unwrap());
    assert_eq!(found[0], Some(vec![(0, 1.0), (3, 2.0), (4, 7.0), (6, 5.0), (9, 9.0)]));
    let second = found[1].as_ref().unwrap();
    assert_eq!(second.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [5, 6, 9]);
    assert!(second[1].1.is_nan());
    assert_eq!(found[2..], [None, None]);
}

#[test]
fn only_the_last_dimension_may_be_unknown() {
    let vectors = || column(sparse(&[Some(vec![(2, 1.0)])]));
    let found = call(&ConcatFeatures, &[constant(3.5), vectors()]).unwrap();
    assert_eq!(sparse_rows(&found), [Some(vec![(0, 3.5), (3, 1.0)])]);
    let error = call(&ConcatFeatures, &[vectors(), constant(3.5)]).unwrap_err().to_string();
    assert!(error.contains("the dimension of vector 1 of concat_features is not known"), "{error}");
    let last_unknown = [constant(integers(&[Some(3), None])), vectors(), vectors()];
    assert_eq!(sparse_rows(&call(&ConcatFeaturesSized, &last_unknown).unwrap()), [Some(vec![(2, 1.0), (5, 1.0)])]);
}

fn schema() -> DFSchema {
    let of = |name: &str, data_type: DataType, dimension: &str| {
        let field = Field::new(name, data_type, true);
        field.with_metadata(HashMap::from([(DIMENSION.to_string(), dimension.to_string())]))
    };
    let list = crate::state::list_of(DataType::Float64);
    let fields =
        vec![of("s", sparse_type(), "10"), of("d", list.clone(), "3"), Field::new("x", DataType::Float64, true)];
    let fields = [fields, vec![Field::new("unknown", list, true)]].concat();
    DFSchema::try_from(Schema::new(fields)).unwrap()
}

fn simplified(arguments: Vec<Expr>) -> Option<Expr> {
    let context = SimplifyContext::builder().with_schema(Arc::new(schema())).build();
    match scalar_function(ConcatFeatures).simplify(arguments, &context).unwrap() {
        ExprSimplifyResult::Simplified(call) => Some(call),
        ExprSimplifyResult::Original(_) => None,
    }
}

#[test]
fn dimensions_of_fields_become_constants_of_the_call() {
    let numbers = lit(constant_list(&[1.0, 2.0]));
    let call = simplified(vec![col("s"), col("x"), numbers, col("d"), col("unknown")]).unwrap();
    let Expr::ScalarFunction(function) = call else { panic!("a call of a function") };
    assert_eq!(function.name(), "concat_features_sized");
    let Expr::Literal(dimensions, _) = &function.args[0] else { panic!("the dimensions are a constant") };
    assert_eq!(integers_of(dimensions), [Some(10), Some(1), Some(2), Some(3), None]);
    // As long as a dimension is not known, the call stays as it is.
    assert_eq!(simplified(vec![col("unknown"), col("x")]), None);
}

#[test]
fn the_dimension_is_the_sum_of_dimensions() {
    let fields: Vec<FieldRef> = schema().as_arrow().fields().iter().cloned().collect();
    let planned = Constants::planned(&SPEC, &[None, None, None]);
    assert_eq!(dimension_of(&ConcatFeatures.result(&fields[..3], &planned).unwrap()), Some(14));
    assert_eq!(dimension_of(&ConcatFeatures.result(&fields, &planned).unwrap()), None);
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let error = |dims: &[Option<i64>], vector: Given| {
        call(&ConcatFeaturesSized, &[constant(integers(dims)), vector]).unwrap_err().to_string()
    };
    let numbers = || column(Float64Array::from(vec![1.0]));
    assert!(error(&[], numbers()).contains("dims of concat_features_sized must have 1 dimensions: it has 0"));
    assert!(error(&[Some(-1)], numbers()).contains("must have whole numbers from 0 to 2147483647: it has -1"));
    assert!(error(&[Some(i64::MAX)], numbers()).contains("must have whole numbers from 0"));
    let short = column(sparse(&[Some(vec![(5, 1.0)])]));
    assert!(error(&[Some(5)], short).contains("vector 1 of concat_features_sized must have the dimension 5"));
    assert!(error(&[Some(5)], column(dense(&[Some(vec![1.0])]))).contains("must have the dimension 5: it has 1"));
    assert!(error(&[Some(5)], constant("a")).contains("must be a sparse vector, a list of numbers or a number"));
    let large = [constant(integers(&[Some(MOST), Some(1)])), numbers(), numbers()];
    assert!(call(&ConcatFeaturesSized, &large).unwrap_err().to_string().contains("more than 2147483647 places"));
    let last = column(sparse(&[Some(vec![(i32::MAX, 1.0)])]));
    let error = call(&ConcatFeatures, &[constant(1.0), last]).unwrap_err().to_string();
    assert!(error.contains("more than 2147483647 places"), "{error}");
    assert!(call(&ConcatFeatures, &[]).unwrap_err().to_string().contains("takes at least 1 arguments"));
}
