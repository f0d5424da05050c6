use super::*;
use crate::testing::{Given, call, column, constant};
use arrow::array::{DictionaryArray, Int8Array, StringArray, UInt64Array};
use arrow::datatypes::Int32Type;
use datafusion_common::ScalarValue;
use proptest::prelude::*;

type Row = Option<(Vec<i32>, Option<i64>)>;

fn embed(x: Given, k: i64, buckets: i64, weights: impl Into<ScalarValue>, seed: i64) -> Result<Vec<Row>> {
    let rest = [constant(k), constant(buckets), constant(weights), constant("hash"), constant(seed)];
    let result = call(&HashEmbedding, &[vec![x], rest.to_vec()].concat())?;
    let result = result.as_struct();
    let indices = result.column(0).as_list::<i32>();
    let weights = result.column(1).as_primitive::<Int64Type>();
    let row = |row: usize| {
        let indices = indices.value(row).as_primitive::<Int32Type>().values().to_vec();
        result.is_valid(row).then(|| (indices, weights.is_valid(row).then(|| weights.value(row))))
    };
    Ok((0..result.len()).map(row).collect())
}

fn parts(x: Given, k: i64, buckets: i64) -> Result<Vec<Option<(i64, i64)>>> {
    let mode = constant("quotient_remainder");
    let result = call(&HashEmbedding, &[x, constant(k), constant(buckets), constant(ScalarValue::Null), mode])?;
    let result = result.as_struct();
    let part = |part: usize, row: usize| result.column(part).as_primitive::<Int64Type>().value(row);
    Ok((0..result.len()).map(|row| result.is_valid(row).then(|| (part(0, row), part(1, row)))).collect())
}

#[test]
fn indices_are_the_outputs_of_the_documented_generator() {
    // In Python: SplitMix64, by its paper, seeded with xxhash 4.1.0's xxh64(b"user=1", seed).
    let texts = || column(StringArray::from(vec![Some("user=1"), None]));
    assert_eq!(embed(texts(), 2, 1000, 100_000i64, 0).unwrap(), [Some((vec![872, 29], Some(32_045))), None]);
    assert_eq!(embed(texts(), 3, 1000, 100_000i64, 7).unwrap()[0], Some((vec![464, 428, 780], Some(54_255))));
    assert_eq!(embed(texts(), 2, 1000, ScalarValue::Null, 0).unwrap()[0], Some((vec![872, 29], None)));
    // A number is hashed as its text.
    let expected = vec![Some((vec![5, 4], Some(0)))];
    assert_eq!(embed(column(Int8Array::from(vec![42])), 2, 10, 50i64, 0).unwrap(), expected);
    assert_eq!(embed(constant("42"), 2, 10, 50i64, 0).unwrap(), expected);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("42")].into_iter().collect();
    assert_eq!(embed(column(dictionary), 2, 10, 50i64, 0).unwrap(), expected);
}

#[test]
fn a_number_is_its_quotient_and_its_remainder() {
    // divmod(12345, 1000) and divmod(2**63 - 1, 1000) in Python.
    let numbers = column(Int64Array::from(vec![Some(12_345), Some(0), None, Some(i64::MAX)]));
    let expected = [Some((12, 345)), Some((0, 0)), None, Some((9_223_372_036_854_775, 807))];
    assert_eq!(parts(numbers, 2, 1000).unwrap(), expected);
    let error = |x: Given, k: i64| parts(x, k, 1000).unwrap_err().to_string();
    assert!(error(column(Int64Array::from(vec![-5])), 2).contains("must not be negative"));
    assert!(error(column(UInt64Array::from(vec![u64::MAX])), 2).contains("18446744073709551615"));
    assert!(error(constant("a"), 2).contains("x of hash_embedding must be a whole number"));
    assert!(error(constant(1i64), 3).contains("k of hash_embedding must be at most 2"));
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let error =
        |k: i64, buckets: i64, weights: i64| embed(constant("a"), k, buckets, weights, 0).unwrap_err().to_string();
    assert!(error(0, 10, 10).contains("k of hash_embedding must be at least 1"));
    assert!(error(i64::MAX, 10, 10).contains("k of hash_embedding must be at most 1024"));
    assert!(error(2, 0, 10).contains("buckets of hash_embedding must be at least 1"));
    assert!(error(2, i64::MAX, 10).contains("buckets of hash_embedding must be at most 2147483647"));
    assert!(error(2, 10, -1).contains("weights of hash_embedding must be at least 1"));
    let mode = [constant("a"), constant(2i64), constant(10i64), constant(ScalarValue::Null), constant("md5")];
    let error = call(&HashEmbedding, &mode).unwrap_err().to_string();
    assert!(error.contains("mode of hash_embedding must be one of hash, quotient_remainder"));
}

proptest! {
    #[test]
    fn indices_are_in_range(texts in prop::collection::vec(".{0,8}", 0..20), k: i8, buckets: i64, weights: i64) {
        let column = column(StringArray::from(texts));
        for (buckets, weights) in [(buckets, weights), (buckets & 0xfff, weights & 0xfff)] {
            let Ok(rows) = embed(column.clone(), k.into(), buckets, weights, 0) else { continue };
            for (indices, weight) in rows.into_iter().flatten() {
                prop_assert!(indices.iter().all(|index| (0..buckets).contains(&i64::from(*index))));
                prop_assert!((0..weights).contains(&weight.unwrap()));
            }
        }
    }
}
