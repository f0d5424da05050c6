use super::*;
use crate::spec::required;
use crate::state::struct_array;

static SPEC: Spec = Spec {
    name: "counts",
    section: "Counts",
    summary: "Counts.",
    parameters: &[required("y", "The target.")],
    example: "",
};

#[test]
fn a_target_is_boolean_or_zero_and_one() {
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(-0.0)]));
    assert_eq!(read_target(&SPEC, "y", &numbers).unwrap(), BooleanArray::from(vec![Some(true), None, Some(false)]));
    for wrong in [2.0, 0.5, -1.0, f64::NAN] {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, wrong]));
        let error = read_target(&SPEC, "y", &numbers).unwrap_err().to_string();
        assert!(error.contains(&format!("y of counts must be 0 or 1: it is {wrong}")), "{error}");
    }
    assert!(target_argument(&SPEC, "y", &DataType::Utf8).unwrap_err().to_string().contains("y of counts"));
}

#[test]
fn weights_must_be_finite_and_not_negative() {
    let target: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    let weights: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.0), Some(2.5)]));
    let labels = Labels::read(&SPEC, &target, Some(&weights)).unwrap();
    assert_eq!([0, 1, 2].map(|row| labels.row(row)), [None, None, Some((false, Some(2.5)))]);
    for wrong in [-1.0, f64::INFINITY, f64::NAN] {
        let weights: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.0, wrong]));
        assert!(Labels::read(&SPEC, &target, Some(&weights)).unwrap_err().to_string().contains("weight of counts"));
    }
}

#[test]
fn weights_survive_a_state_without_loss() {
    let mut tally = Tally::default();
    [1e16, 1.0, 1e-9].iter().for_each(|weight| tally.add(true, Some(*weight)));
    tally.add(false, Some(0.1));
    let rows = struct_array(tally_columns(&[&tally], true)).unwrap();
    let mut read = read_tallies(&rows).unwrap();
    assert_eq!(read[0].counts, ClassCounts { events: 3, non_events: 1 });
    read[0].add(true, Some(-1e16));
    assert_eq!(read[0].weights(), [1.000000001, 0.1]);
}
