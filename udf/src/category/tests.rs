use super::*;
use arrow::array::StringArray;

#[test]
fn values_are_numbered_as_they_are_first_seen() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
    let mut index = CategoryIndex::new(&DataType::Utf8);
    assert_eq!(index.insert(&values).unwrap(), [0, MISSING, 1, 0]);
    let other: ArrayRef = Arc::new(StringArray::from(vec!["a", "c"]));
    assert_eq!(index.lookup(&other).unwrap(), [1, UNSEEN]);
    assert_eq!(index.sorted(), [1, 0]);
    assert_eq!(index.values().unwrap().as_string::<i32>(), &StringArray::from(vec!["b", "a"]));
    let keyed =
        cast(&values, &category_argument(&DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))));
    assert_eq!(index.lookup(&keyed.unwrap()).unwrap(), [0, MISSING, 1, 0]);
}

#[test]
fn a_slice_is_numbered_by_its_own_rows() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a text of many bytes"), None, Some("b"), Some("c")]));
    let mut index = CategoryIndex::new(&DataType::Utf8);
    assert_eq!(index.insert(&values.slice(1, 3)).unwrap(), [MISSING, 0, 1]);
    assert_eq!(index.lookup(&values.slice(0, 3)).unwrap(), [UNSEEN, MISSING, 0]);
}

#[test]
fn whole_numbers_are_sorted_by_value() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(-1), None, Some(i64::MIN), Some(3)]));
    let mut index = CategoryIndex::new(&DataType::Int8);
    assert_eq!(index.insert(&values).unwrap(), [0, 1, MISSING, 2, 0]);
    assert_eq!(index.sorted(), [2, 1, 0]);
    assert_eq!(index.values().unwrap().as_primitive::<Int64Type>().values(), &[3, -1, i64::MIN]);
}

#[test]
fn zeros_are_one_category_and_so_are_all_nan() {
    let odd = f64::from_bits(f64::NAN.to_bits() | 1);
    let values: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, odd, 1.5]));
    let mut index = CategoryIndex::new(&DataType::Float32);
    assert_eq!(index.insert(&values).unwrap(), [0, 0, 1, 1, 2]);
    assert_eq!(index.sorted(), [0, 2, 1]);
}
