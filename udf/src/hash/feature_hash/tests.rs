use super::*;
use crate::sparse::dimension_of;
use crate::testing::{call, column, constant, golden};
use arrow::array::{BooleanArray, Int32Array, ListArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field, Int32Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

type Vector = Option<Vec<(i32, f64)>>;

fn vectors(result: Result<ArrayRef>) -> Vec<Vector> {
    let result = result.unwrap();
    let result = result.as_struct();
    let (indices, values) = (result.column(0).as_list::<i32>(), result.column(1).as_list::<i32>());
    let row = |row: usize| {
        let indices = indices.value(row).as_primitive::<Int32Type>().values().to_vec();
        let values = values.value(row).as_primitive::<Float64Type>().values().to_vec();
        result.is_valid(row).then(|| indices.into_iter().zip(values).collect())
    };
    (0..result.len()).map(row).collect()
}

fn lists(rows: &[Option<&[Option<&str>]>]) -> ListArray {
    let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    for row in rows {
        row.iter().flat_map(|row| row.iter()).for_each(|text| builder.values().append_option(*text));
        builder.append(row.is_some());
    }
    builder.finish()
}

fn structs(columns: Vec<(&str, ArrayRef)>, nulls: Option<NullBuffer>) -> StructArray {
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    StructArray::new(fields, columns.into_iter().map(|(_, column)| column).collect(), nulls)
}

#[test]
fn a_struct_is_hashed_as_in_spark() {
    // Spark 4.0.1, pyspark.ml.feature.FeatureHasher on the frame of its documentation, with 2^18 and with 4 features.
    let features = structs(
        vec![
            ("real", Arc::new(Float64Array::from(vec![2.2, 3.3, 4.4]))),
            ("bool", Arc::new(BooleanArray::from(vec![true, false, false]))),
            ("stringNum", Arc::new(StringArray::from(vec!["1", "2", "3"]))),
            ("string", Arc::new(StringArray::from(vec!["foo", "bar", "baz"]))),
        ],
        None,
    );
    let found = vectors(call(&FeatureHash, &[column(features.clone()), constant(1i64 << 18)]));
    let expected: Vec<Vector> = vec![
        Some(vec![(174_475, 2.2), (247_670, 1.0), (257_907, 1.0), (262_126, 1.0)]),
        Some(vec![(70_644, 1.0), (89_673, 1.0), (173_866, 1.0), (174_475, 3.3)]),
        Some(vec![(22_406, 1.0), (70_644, 1.0), (174_475, 4.4), (187_923, 1.0)]),
    ];
    assert_eq!(found, expected);
    let small = vectors(call(&FeatureHash, &[column(features.clone()), constant(4i64)]));
    assert_eq!(small[0], Some(vec![(2, 2.0), (3, 3.2)]));
    assert_eq!(small[2], Some(vec![(0, 1.0), (2, 1.0), (3, 5.4)]));

    let golden = golden();
    let old = [column(features), constant(1i64 << 18), constant(false), constant("spark_v2")];
    for (row, name) in vectors(call(&FeatureHash, &old)).into_iter().zip(["legacy_row1", "legacy_row2"]) {
        let indices: Vec<i64> = row.unwrap().into_iter().map(|(index, _)| i64::from(index)).collect();
        let expected = golden["spark_featurehasher_doc"][name].as_array().unwrap();
        assert_eq!(indices, expected.iter().map(|index| index.as_i64().unwrap()).collect::<Vec<_>>());
    }
}

#[test]
fn nulls_are_left_out_and_zeros_are_kept_as_in_spark() {
    // Spark 4.0.1: FeatureHasher(inputCols=["a", "b", "c"], numFeatures=16).
    let features = structs(
        vec![
            ("a", Arc::new(Float64Array::from(vec![Some(0.0), None, Some(-1.5), None]))),
            ("b", Arc::new(BooleanArray::from(vec![None, Some(true), Some(true), None]))),
            ("c", Arc::new(StringArray::from(vec![Some("x"), None, Some(""), None]))),
        ],
        Some(NullBuffer::from(vec![true, true, true, false])),
    );
    let found = vectors(call(&FeatureHash, &[column(features), constant(16i64)]));
    let expected: Vec<Vector> =
        vec![Some(vec![(0, 1.0), (3, 0.0)]), Some(vec![(5, 1.0)]), Some(vec![(3, -1.5), (5, 1.0), (12, 1.0)]), None];
    assert_eq!(found, expected);
}

#[test]
fn a_struct_is_hashed_as_in_scikit_learn() {
    // scikit-learn 1.9.1: FeatureHasher(16, input_type="dict") of {"real": 2.5, "zero": 0, "string": "foo", "neg": -1}.
    let features = structs(
        vec![
            ("real", Arc::new(Float64Array::from(vec![2.5]))),
            ("zero", Arc::new(Int32Array::from(vec![0]))),
            ("string", Arc::new(StringArray::from(vec!["foo"]))),
            ("neg", Arc::new(Float64Array::from(vec![-1.0]))),
        ],
        None,
    );
    let hash = |signed: bool| {
        let arguments = [column(features.clone()), constant(16i64), constant(signed), constant("sklearn")];
        vectors(call(&FeatureHash, &arguments))
    };
    assert_eq!(hash(true), [Some(vec![(0, 1.0), (2, -2.5), (3, -1.0)])]);
    assert_eq!(hash(false), [Some(vec![(0, 1.0), (2, 2.5), (3, -1.0)])]);
}

#[test]
fn a_list_is_hashed_as_in_scikit_learn_and_spark() {
    let texts = ["a", "ab", "abc", "abcd", "aaa", "hello", "é", "你好", "user=1"].map(Some);
    let signed = [column(lists(&[Some(&texts)])), constant(16i64), constant(true), constant("sklearn")];
    let found = vectors(call(&FeatureHash, &signed)).remove(0).unwrap();
    let golden = golden();
    let mut dense = [0.0; 16];
    found.iter().for_each(|(index, value)| dense[*index as usize] = *value);
    let expected: Vec<f64> =
        golden["sklearn_featurehasher16"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(dense.to_vec(), expected);

    // Spark 4.0.1: HashingTF(numFeatures=1000).
    let terms = ["a", "b", "a", "你好", "é", ""].map(Some);
    let rows = lists(&[Some(&terms), Some(&[]), None, Some(&[None, Some("b")])]);
    let found = vectors(call(&FeatureHash, &[column(rows.clone()), constant(1000i64)]));
    let first = vec![(165, 1.0), (372, 1.0), (467, 2.0), (686, 1.0), (903, 1.0)];
    assert_eq!(found, [Some(first), Some(vec![]), None, Some(vec![(165, 1.0)])]);
    // A part of a longer column.
    let part = vectors(call(&FeatureHash, &[column(rows.slice(3, 1)), constant(1000i64)]));
    assert_eq!(part, [Some(vec![(165, 1.0)])]);
}

#[test]
fn the_dimension_is_in_the_metadata_of_the_field() {
    let constants = |hash: &str| {
        let arguments = [ScalarValue::Null, 1000i64.into(), ScalarValue::Null, hash.into()];
        let arguments: Vec<Option<&ScalarValue>> = arguments.iter().map(Some).collect();
        Constants::planned(&SPEC, &arguments)
    };
    assert_eq!(dimension_of(&FeatureHash.result(&[], &constants("spark_v3")).unwrap()), Some(1000));
    // The place 0 is for a bias.
    assert_eq!(dimension_of(&FeatureHash.result(&[], &constants("hivemall")).unwrap()), Some(1001));
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let fails = |dims: i64, hash: &str| {
        let row = column(lists(&[Some(&[Some("a")])]));
        let result = call(&FeatureHash, &[row, constant(dims), constant(false), constant(hash)]);
        result.unwrap_err().to_string()
    };
    assert!(fails(0, "spark_v3").contains("dims of feature_hash must be at least 1: it is 0"));
    assert!(fails(-1, "xxh64").contains("dims of feature_hash must be at least 1"));
    assert!(fails(i64::MAX, "xxh64").contains("dims of feature_hash must be at most 2147483647"));
    assert!(fails(i64::from(i32::MAX), "hivemall").contains("at most 2147483646 under 'hivemall'"));
    let number = call(&FeatureHash, &[constant(1i64), constant(4i64)]);
    assert!(number.unwrap_err().to_string().contains("must be a list of texts or a struct"));
    assert_eq!(vectors(call(&FeatureHash, &[constant(ScalarValue::Null), constant(4i64)])), [None]);
}

proptest! {
    #[test]
    fn indices_ascend_below_the_dimension(
        rows in prop::collection::vec(prop::collection::vec(".{0,12}", 0..30), 0..10), dims: i64, small in 1..40i64,
        library in 0..6usize, signed: bool,
    ) {
        let texts: Vec<Vec<Option<&str>>> =
            rows.iter().map(|row| row.iter().map(|text| Some(text.as_str())).collect()).collect();
        let rows: Vec<Option<&[Option<&str>]>> = texts.iter().map(|row| Some(row.as_slice())).collect();
        let library = HashLibrary::NAMES[library].0;
        for dims in [dims, small] {
            let arguments = [column(lists(&rows)), constant(dims), constant(signed), constant(library)];
            let Ok(result) = call(&FeatureHash, &arguments) else { continue };
            for vector in vectors(Ok(result)).into_iter().flatten() {
                prop_assert!(vector.windows(2).all(|pair| pair[0].0 < pair[1].0));
                let last = dims + i64::from(library == "hivemall");
                prop_assert!(vector.iter().all(|(index, _)| (0..last).contains(&i64::from(*index))));
            }
        }
    }
}
