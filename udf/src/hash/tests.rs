//! What holds for every function of this group.

use super::cross_hash::CrossHash;
use super::feature_cross::FeatureCross;
use super::feature_hash::FeatureHash;
use super::hash_bucket::HashBucket;
use super::hash_embedding::HashEmbedding;
use crate::scalar::Kernel;
use crate::testing::{Given, call, column, constant};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Date64Array, Decimal128Array, Float16Array, Float32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeStringArray, ListArray, StringArray, StringViewArray, StructArray,
    Time64NanosecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

fn of_every_type() -> Vec<ArrayRef> {
    vec![
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
        Arc::new(Float16Array::from(vec![None, None])),
        Arc::new(Float32Array::from(vec![Some(f32::NAN), None])),
        Arc::new(Decimal128Array::from(vec![Some(i128::MIN), None])),
        Arc::new(Date64Array::from(vec![Some(86_400_000), None])),
        Arc::new(TimestampNanosecondArray::from(vec![Some(-1), None])),
        Arc::new(Time64NanosecondArray::from(vec![Some(1), None])),
        Arc::new(IntervalMonthDayNanoArray::new_null(2)),
        Arc::new(StringArray::from(vec![Some(""), None])),
        Arc::new(LargeStringArray::from(vec![Some("a"), None])),
        Arc::new(StringViewArray::from(vec![Some("a text of more than twelve bytes"), None])),
    ]
}

/// Each row as a list of one element, and as a struct of one field.
fn nested(values: &ArrayRef) -> [ArrayRef; 2] {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let lists = ListArray::new(field, OffsetBuffer::from_repeated_length(1, values.len()), Arc::clone(values), None);
    [Arc::new(lists), Arc::new(StructArray::try_from(vec![("x", Arc::clone(values))]).unwrap())]
}

#[test]
fn values_of_every_type_are_taken_and_a_batch_may_be_empty() {
    for values in of_every_type() {
        for values in [Arc::clone(&values), new_empty_array(values.data_type())] {
            for library in ["spark_v3", "spark_v2", "sklearn", "hivemall", "farmhash_u64", "xxh64"] {
                let rest = [constant(7i64), constant(library)];
                let of = |kernel: &dyn Kernel, features: &ArrayRef, rest: &[Given]| {
                    call(kernel, &[vec![Given::Column(Arc::clone(features))], rest.to_vec()].concat()).unwrap()
                };
                let buckets = of(&HashBucket, &values, &rest);
                assert_eq!(buckets.null_count(), values.logical_null_count(), "{library} of {}", values.data_type());
                for features in nested(&values) {
                    of(&CrossHash, &features, &rest);
                    of(&FeatureCross, &features, &[]);
                    of(&FeatureHash, &features, &[constant(7i64), constant(true), constant(library)]);
                }
            }
            call(&HashEmbedding, &[Given::Column(values), constant(2i64), constant(9i64)]).unwrap();
        }
    }
}

#[test]
fn nested_values_and_bytes_are_refused_where_they_have_no_text() {
    let lists = nested(&(Arc::new(Int64Array::from(vec![1])) as ArrayRef)).map(|features| nested(&features));
    for features in lists.into_iter().flatten() {
        for kernel in [&CrossHash as &dyn Kernel, &FeatureHash] {
            assert!(call(kernel, &[Given::Column(Arc::clone(&features)), constant(9i64)]).is_err());
        }
    }
    let bytes = column(arrow::array::BinaryArray::from(vec![b"a".as_slice()]));
    assert!(call(&HashEmbedding, &[bytes.clone(), constant(2i64), constant(9i64)]).is_err());
    assert_eq!(call(&HashBucket, &[bytes, constant(9i64)]).unwrap().data_type(), &DataType::Int64);
}

#[test]
fn dates_and_times_without_a_text_are_no_nulls() {
    let columns: [ArrayRef; 3] = [
        Arc::new(Date64Array::from(vec![i64::MAX])),
        Arc::new(TimestampSecondArray::from(vec![i64::MIN])),
        Arc::new(TimestampNanosecondArray::from(vec![i64::MIN])),
    ];
    for values in columns {
        let bucket =
            |library: &str| call(&HashBucket, &[Given::Column(Arc::clone(&values)), constant(7i64), constant(library)]);
        assert_eq!(bucket("spark_v3").unwrap().null_count(), 0);
        assert!(bucket("sklearn").is_err() || bucket("sklearn").unwrap().null_count() == 0);
    }
}
