use super::*;
use crate::hash::library::HashLibrary;
use crate::testing::{Given, call, column, constant, golden};
use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

const LIBRARIES: [&str; 6] = ["spark_v3", "spark_v2", "sklearn", "hivemall", "farmhash_u64", "xxh64"];

fn buckets(x: Given, n: i64, rest: &[ScalarValue]) -> Result<Vec<Option<i64>>> {
    let mut arguments = vec![x, constant(n)];
    arguments.extend(rest.iter().map(|value| Given::Constant(value.clone())));
    Ok(call(&HashBucket, &arguments)?.as_primitive::<Int64Type>().iter().collect())
}

fn texts(values: &[&str]) -> Given {
    column(StringArray::from(values.to_vec()))
}

fn message(result: Result<Vec<Option<i64>>>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn texts_fall_in_the_buckets_of_each_library() {
    // mmh3 5.3.1 (its hash modulo 1000, by each library's rule), pyfarmhash 0.5.1 and xxhash 4.1.0.
    let expected: [(&str, [i64; 5]); 5] = [
        ("spark_v3", [0, 467, 165, 889, 686]),
        ("sklearn", [831, 850, 861, 351, 348]),
        ("hivemall", [328, 807, 121, 409, 143]),
        ("farmhash_u64", [598, 939, 822, 296, 313]),
        ("xxh64", [32, 955, 555, 659, 979]),
    ];
    for (library, expected) in expected {
        let found = buckets(texts(&["user=1", "a", "b", "hello", "你好"]), 1000, &[library.into()]).unwrap();
        assert_eq!(found, expected.map(Some), "{library}");
    }
    let with_seed = buckets(texts(&["user=1", "a", "", "hello"]), 1000, &["xxh64".into(), 7i64.into()]).unwrap();
    assert_eq!(with_seed, [874, 765, 561, 94].map(Some));
    let with_seed = buckets(texts(&["user=1", "a", "", "hello"]), 1000, &["spark_v3".into(), 7i64.into()]).unwrap();
    assert_eq!(with_seed, [705, 647, 660, 291].map(Some));
}

#[test]
fn buckets_are_those_of_the_golden_file() {
    let golden = golden();
    let spark = &golden["spark_featurehasher_doc"];
    let names = texts(&["real", "bool=true", "stringNum=1", "string=foo"]);
    for (library, row) in [("spark_v3", "row1"), ("spark_v2", "legacy_row1")] {
        let mut found = buckets(names.clone(), 1 << 18, &[library.into()]).unwrap();
        found.sort();
        let expected: Vec<Option<i64>> = spark[row].as_array().unwrap().iter().map(|bucket| bucket.as_i64()).collect();
        assert_eq!(found, expected, "{library}");
    }
    let hivemall = buckets(texts(&["aaa"]), 1 << 24, &["hivemall".into()]).unwrap();
    assert_eq!(hivemall, [golden["hivemall_aaa_expected"].as_i64()]);
    let bigquery = buckets(texts(&["a", "b", "c", "d"]), 3, &["farmhash_u64".into()]).unwrap();
    let expected = golden["bq_hash_bucketize"]["expected_abcd_mod3"].as_array().unwrap();
    assert_eq!(bigquery, expected.iter().map(|bucket| bucket.as_i64()).collect::<Vec<_>>());
}

/// The hash itself, under Spark's older murmur3, which Spark's SQL function `hash` gives.
fn spark_hash(values: impl Array + 'static) -> Vec<i64> {
    let hashing = Hashing::seeded(HashLibrary::SparkV2, 42);
    let values: ArrayRef = Arc::new(values);
    hash_column(&values, &hashing, None, Wanted::Hash).unwrap().values().to_vec()
}

#[test]
fn values_of_every_type_hash_as_in_spark() {
    // Spark 4.0.1: SELECT hash(true), hash(7Y), hash(-7S), … with the session's time zone UTC.
    assert_eq!(spark_hash(BooleanArray::from(vec![true])), [-559_580_957]);
    assert_eq!(spark_hash(Int8Array::from(vec![7])), [1_079_293_707]);
    assert_eq!(spark_hash(Int16Array::from(vec![-7])), [-1_618_159_745]);
    assert_eq!(spark_hash(Int32Array::from(vec![123_456])), [1_905_992_991]);
    assert_eq!(spark_hash(Int64Array::from(vec![-5_000_000_000])), [1_755_508_969]);
    assert_eq!(spark_hash(Float32Array::from(vec![1.5])), [-221_251_528]);
    let doubles = Float64Array::from(vec![-2.25, 0.0, -0.0, f64::NAN, -f64::NAN]);
    let nan = -1_281_358_385;
    assert_eq!(spark_hash(doubles), [170_083_257, -1_670_924_195, -1_670_924_195, nan, nan]);
    assert_eq!(spark_hash(Date32Array::from(vec![19_849])), [-374_060_008]);
    let micros = TimestampMicrosecondArray::from(vec![-500_000, 1_714_979_289_123_456]);
    assert_eq!(spark_hash(micros), [-482_919_458, -1_047_017_592]);
    let narrow = Decimal128Array::from(vec![1234]).with_precision_and_scale(18, 2).unwrap();
    assert_eq!(spark_hash(narrow), [-1_028_144_669]);
    let wide = vec![-1234, -12_345_678_901_234_567_890_123, 128, 0];
    let wide = Decimal128Array::from(wide).with_precision_and_scale(38, 2).unwrap();
    assert_eq!(spark_hash(wide), [-378_694_793, -769_998_348, -544_401_882, -783_713_497]);
    assert_eq!(spark_hash(StringArray::from(vec!["abc", "你好"])), [1_322_437_556, -1_433_715_577]);
    assert_eq!(spark_hash(BinaryArray::from(vec!["abc".as_bytes()])), [1_322_437_556]);
}

#[test]
fn a_timestamp_hashes_alike_in_every_unit() {
    let seconds = buckets(column(TimestampSecondArray::from(vec![1_714_979_289])), 1 << 20, &[]).unwrap();
    let micros = column(TimestampMicrosecondArray::from(vec![1_714_979_289_000_000]));
    assert_eq!(seconds, buckets(micros, 1 << 20, &[]).unwrap());
}

#[test]
fn numbers_are_texts_to_libraries_of_texts() {
    // mmh3 5.3.1: abs(hash(b'1.5', 0)) % 1000, and so on.
    let library = [ScalarValue::from("sklearn")];
    assert_eq!(buckets(column(Float64Array::from(vec![1.5])), 1000, &library).unwrap(), [Some(607)]);
    assert_eq!(buckets(column(Int32Array::from(vec![42])), 1000, &library).unwrap(), [Some(482)]);
    assert_eq!(buckets(column(BooleanArray::from(vec![true])), 1000, &library).unwrap(), [Some(370)]);
    let zeros = buckets(column(Float64Array::from(vec![0.0, -0.0])), 1000, &library).unwrap();
    assert_eq!(zeros[0], zeros[1]);
}

#[test]
fn a_salt_gives_the_buckets_of_feature_hashers() {
    // mmh3 5.3.1: hash(b'city=Oslo', 42) % 1000.
    let salt = ["spark_v3".into(), ScalarValue::Null, "city".into()];
    assert_eq!(buckets(texts(&["Oslo"]), 1000, &salt).unwrap(), [Some(31)]);
}

#[test]
fn every_form_of_a_text_has_one_bucket_and_null_has_none() {
    let values = vec![Some("a"), None, Some("hello"), Some(""), Some("a text that is longer than twelve bytes")];
    let keys = vec![Some(1), None, Some(2), Some(0), Some(3)];
    let distinct = StringArray::from(vec!["", "a", "hello", "a text that is longer than twelve bytes"]);
    let dictionary = DictionaryArray::<Int32Type>::new(keys.into(), Arc::new(distinct));
    let large: Vec<String> = (0..100).map(|number| format!("{number}")).collect();
    for library in LIBRARIES {
        let library = [ScalarValue::from(library)];
        let expected = buckets(column(StringArray::from(values.clone())), 997, &library).unwrap();
        assert_eq!(expected[1], None);
        assert_eq!(expected.iter().flatten().count(), 4);
        assert_eq!(buckets(column(LargeStringArray::from(values.clone())), 997, &library).unwrap(), expected);
        assert_eq!(buckets(column(StringViewArray::from(values.clone())), 997, &library).unwrap(), expected);
        assert_eq!(buckets(column(dictionary.clone()), 997, &library).unwrap(), expected);
        // A dictionary with more values than there are rows.
        let texts = StringArray::from(large.iter().map(String::as_str).collect::<Vec<_>>());
        let sparse = DictionaryArray::<Int32Type>::new(vec![Some(42), None].into(), Arc::new(texts));
        let few = buckets(column(sparse), 997, &library).unwrap();
        assert_eq!(few, buckets(column(StringArray::from(vec![Some("42"), None])), 997, &library).unwrap());
    }
    assert_eq!(buckets(constant(ScalarValue::Null), 10, &[]).unwrap(), [None]);
    assert_eq!(buckets(column(StringArray::from(Vec::<&str>::new())), 10, &[]).unwrap(), []);
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let x = || texts(&["a"]);
    assert!(message(buckets(x(), 0, &[])).contains("n of hash_bucket must be at least 1: it is 0"));
    assert!(message(buckets(x(), i64::MIN, &[])).contains("n of hash_bucket must be at least 1"));
    assert!(message(buckets(x(), i64::MAX, &[])).contains("n of hash_bucket must be at most 2147483647"));
    assert!(buckets(x(), i64::MAX, &["xxh64".into()]).unwrap()[0].unwrap() >= 0);
    assert!(message(buckets(x(), 5, &["md5".into()])).contains("must be one of spark_v3, spark_v2, sklearn"));
    assert!(message(buckets(x(), 5, &["sklearn".into(), (1i64 << 40).into()])).contains("seed of hash_bucket"));
    assert!(message(buckets(x(), 5, &[1i64.into()])).contains("hash of hash_bucket must be a text"));
    let null = call(&HashBucket, &[x(), constant(ScalarValue::Int64(None))]);
    assert!(null.unwrap_err().to_string().contains("n of hash_bucket must be given"));
    let list = ScalarValue::List(ScalarValue::new_list_nullable(&[1i64.into()], &DataType::Int64));
    assert!(message(buckets(constant(list), 5, &[])).contains("cross_hash or feature_hash"));
}

proptest! {
    #[test]
    fn buckets_are_in_range_whatever_the_input(
        bytes in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        numbers in prop::collection::vec(any::<f64>(), 0..20),
        n: i64, seed: i64, library in 0..LIBRARIES.len(),
    ) {
        let rest = [LIBRARIES[library].into(), seed.into()];
        let columns = [
            column(BinaryArray::from_iter(bytes.iter().map(|bytes| bytes.as_ref()))),
            column(Float64Array::from(numbers.clone())),
            column(Int64Array::from_iter_values(numbers.iter().map(|number| number.to_bits() as i64))),
        ];
        for column in columns {
            for n in [n, n & 0xffff] {
                let Ok(found) = buckets(column.clone(), n, &rest) else { continue };
                let first = i64::from(LIBRARIES[library] == "hivemall");
                prop_assert!(found.iter().flatten().all(|bucket| (first..n + first).contains(bucket)));
            }
        }
    }
}
