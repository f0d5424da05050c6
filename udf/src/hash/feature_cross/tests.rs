use super::*;
use crate::hash::cross_hash::CrossHash;
use crate::testing::{Given, call, column, constant};
use arrow::array::{AsArray, Int64Array, ListBuilder, StringBuilder, StructArray};
use arrow::datatypes::Int64Type;
use datafusion_common::ScalarValue;
use proptest::prelude::*;

fn lists(rows: &[Option<Vec<Option<&str>>>]) -> ListArray {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        row.iter().flatten().for_each(|text| builder.values().append_option(*text));
        builder.append(row.is_some());
    }
    builder.finish()
}

fn row(texts: &[&str]) -> Given {
    column(lists(&[Some(texts.iter().map(|text| Some(*text)).collect())]))
}

fn crosses(arguments: &[Given]) -> Vec<Option<Vec<String>>> {
    let result = call(&FeatureCross, arguments).unwrap();
    let result = result.as_list::<i32>();
    let texts = |list: ArrayRef| list.as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect();
    result.iter().map(|list| list.map(texts)).collect()
}

fn bucket(arguments: &[Given]) -> Vec<Option<i64>> {
    call(&CrossHash, arguments).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn places() -> StructArray {
    let cities: ArrayRef = Arc::new(StringArray::from(vec![Some("Oslo"), None]));
    let channels: ArrayRef = Arc::new(StringArray::from(vec!["web", "app"]));
    let ages: ArrayRef = Arc::new(Int64Array::from(vec![30, 40]));
    StructArray::try_from(vec![("city", cities), ("channel", channels), ("age", ages)]).unwrap()
}

#[test]
fn all_pairs_come_before_all_triples() {
    let found = crosses(&[column(places()), constant(3i64)]);
    let expected = [
        "4:city=4:Oslo,7:channel=3:web",
        "4:city=4:Oslo,3:age=2:30",
        "7:channel=3:web,3:age=2:30",
        "4:city=4:Oslo,7:channel=3:web,3:age=2:30",
    ];
    assert_eq!(found[0].as_deref(), Some(expected.map(str::to_string).as_slice()));
    // Crosses with a null are left out, or null is a value of its own.
    assert_eq!(found[1].as_deref(), Some(["7:channel=3:app,3:age=2:40".to_string()].as_slice()));
    let kept = crosses(&[column(places()), constant(2i64), constant("value")]);
    let expected = ["4:city=~,7:channel=3:app", "4:city=~,3:age=2:40", "7:channel=3:app,3:age=2:40"];
    assert_eq!(kept[1].as_deref(), Some(expected.map(str::to_string).as_slice()));
    // The numbers of combinations, by Python's math.comb.
    assert_eq!((combinations(8, 4).unwrap().len(), combinations(5, 8).unwrap().len()), (154, 26));
}

#[test]
fn a_cross_is_hashed_by_its_text() {
    // mmh3 5.3.1: hash(b'1:0=4:Oslo,1:1=3:web', 42) % 1000, and so on.
    assert_eq!(bucket(&[row(&["Oslo", "web"]), constant(1000i64)]), [Some(665)]);
    assert_eq!(bucket(&[row(&["web", "Oslo"]), constant(1000i64)]), [Some(920)]);
    let named = places();
    let named = StructArray::try_from(vec![("city", named.column(0).clone()), ("channel", named.column(1).clone())]);
    assert_eq!(bucket(&[column(named.unwrap()), constant(1000i64)]), [Some(139), None]);
    let rows = lists(&[Some(vec![Some("Oslo"), None]), None, Some(vec![])]);
    assert_eq!(bucket(&[column(rows.clone()), constant(1000i64)]), [None, None, None]);
    let null = [ScalarValue::from("spark_v3"), ScalarValue::Null, "value".into()].map(Given::Constant);
    let arguments = [vec![column(rows), constant(1000i64)], null.to_vec()].concat();
    assert_eq!(bucket(&arguments), [Some(921), None, None]);
}

#[test]
fn different_values_have_different_crosses() {
    let one = |texts: &[&str]| crosses(&[row(texts)]).remove(0).unwrap().remove(0);
    assert_ne!(one(&["a", "bc"]), one(&["ab", "c"]));
    assert_ne!(one(&["a", "b"]), one(&["b", "a"]));
    assert_ne!(one(&["x", "x"]), one(&["y", "y"]));
    assert_ne!(one(&["a,1:1=1:b", "c"]), one(&["a", "b,1:1=1:c"]));
}

#[test]
fn bad_arguments_are_refused_with_what_is_allowed() {
    let error = |arguments: &[Given]| call(&FeatureCross, arguments).unwrap_err().to_string();
    assert!(error(&[row(&["a"]), constant(1i64)]).contains("degree of feature_cross must be at least 2: it is 1"));
    assert!(error(&[row(&["a"]), constant(9i64)]).contains("degree of feature_cross must be at most 8"));
    assert!(error(&[row(&["a"; 200]), constant(3i64)]).contains("more than 10000 crosses"));
    assert!(error(&[constant("a")]).contains("features of feature_cross must be a list or a struct"));
    let error = |n: i64| call(&CrossHash, &[row(&["a"]), constant(n)]).unwrap_err().to_string();
    assert!(error(0).contains("n of cross_hash must be at least 1"));
    assert!(error(i64::MAX).contains("n of cross_hash must be at most 2147483647"));
    assert_eq!(crosses(&[constant(ScalarValue::Null)]), [None]);
    assert_eq!(crosses(&[row(&[])]), [Some(vec![])]);
}

proptest! {
    #[test]
    fn the_hash_of_a_cross_is_that_of_its_text(texts in prop::collection::vec(".{0,6}", 2..5), n in 1..1000i64) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let all = crosses(&[row(&texts), constant(8i64)]).remove(0).unwrap();
        let whole = all.last().unwrap();
        let expected = i64::from(crate::murmur3_x86_32(whole.as_bytes(), 42)).rem_euclid(n);
        prop_assert_eq!(bucket(&[row(&texts), constant(n)]), vec![Some(expected)]);
    }
}
