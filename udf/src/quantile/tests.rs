use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int32Array, StructArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;
use std::sync::Arc;

use crate::aggregate::Fit;
use crate::constants::Constants;
use crate::quantile::apply::{Quantile, QuantileRank};
use crate::quantile::fit::{FitQuantiles, QuantileSketch};
use crate::summary::SummaryFit;
use crate::testing::{Given, call, column, constant, fit, fit_alike, fit_in_parts, sample, state};

fn sketch_fit() -> SummaryFit<QuantileSketch> {
    SummaryFit::new()
}

fn options(values: Vec<f64>, method: &str, epsilon: Option<f64>) -> Vec<Given> {
    vec![column(Float64Array::from(values)), constant(method), constant(ScalarValue::Float64(epsilon))]
}

fn floats(values: &ArrayRef) -> Vec<Option<f64>> {
    values.as_primitive::<Float64Type>().iter().collect()
}

fn number(state: &StructArray, field: &str) -> f64 {
    state.column_by_name(field).unwrap().as_primitive::<Float64Type>().value(0)
}

fn integer(state: &StructArray, field: &str) -> i64 {
    state.column_by_name(field).unwrap().as_primitive::<Int64Type>().value(0)
}

fn shares(shares: &[f64]) -> Given {
    constant(ScalarValue::List(ScalarValue::new_list_nullable(
        &shares.iter().map(|share| ScalarValue::from(*share)).collect::<Vec<_>>(),
        &DataType::Float64,
    )))
}

fn quantiles(arguments: &[Given]) -> Vec<f64> {
    let result = fit(&FitQuantiles, arguments).unwrap();
    result.as_list::<i32>().value(0).as_primitive::<Float64Type>().values().to_vec()
}

/// Numbers that spread over many magnitudes, with a narrow heap of half of them.
fn spread(rows: usize) -> Vec<f64> {
    let mut bits = 0x1234_5678_9abc_def0u64;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        (bits >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..rows)
        .map(|row| if row % 2 == 0 { 1000.0 + next() } else { (next() - 0.5) * 1e3f64.powf(next() * 4.0) })
        .collect()
}

#[test]
fn quantiles_are_those_of_numpy() {
    // numpy 2.4.6: np.quantile(x, [.05, .95])
    let arguments = [column(Float64Array::from(sample())), shares(&[0.05, 0.95])];
    assert_eq!(quantiles(&arguments), [-24.055999999999997, 62.973499999999994]);
    let empty = fit(&FitQuantiles, &[column(Float64Array::new_null(3)), shares(&[0.5])]).unwrap();
    assert!(empty.is_null(0));
}

#[test]
fn exact_and_grid_states_depend_on_the_rows_alone() {
    let mut values = spread(5000);
    values.extend([f64::NAN, f64::INFINITY, -0.0, 0.0, f64::NEG_INFINITY]);
    let exact = fit_alike(&sketch_fit(), &options(values.clone(), "exact", None));
    assert_eq!((integer(&exact, "rows"), integer(&exact, "missing")), (5004, 1));
    assert_eq!(number(&exact, "rank_error"), 0.0);
    let grid = fit_alike(&sketch_fit(), &options(values.clone(), "grid", Some(0.05)));
    assert!(integer(&grid, "shift") > 0);
    assert!(grid.column_by_name("lows").unwrap().as_list::<i32>().value(0).len() <= 320);
    // A grid with room for every value is exact.
    let fine = fit_alike(&sketch_fit(), &options(values, "grid", Some(0.001)));
    assert_eq!(fine.column_by_name("counts"), exact.column_by_name("counts"));
}

#[test]
fn small_sketches_are_exact_and_depend_on_the_rows_alone() {
    for method in ["kll", "req"] {
        let sketch = fit_alike(&sketch_fit(), &options(sample(), method, Some(0.0005)));
        assert_eq!(number(&sketch, "rank_error"), 0.0);
    }
}

/// The greatest difference between the rank of a value in a state and its true rank, seen from the side of the ranks:
/// equal values have a range of ranks.
fn worst(state_row: &StructArray, sorted: &[f64]) -> Vec<(f64, f64)> {
    let probes: Vec<f64> = (0..=400).map(|probe| sorted[probe * (sorted.len() - 1) / 400]).collect();
    let ranks =
        call(&QuantileRank::default(), &[state(state_row), column(Float64Array::from(probes.clone()))]).unwrap();
    let true_rank = |value: f64| sorted.partition_point(|known| *known <= value) as f64 / sorted.len() as f64;
    let found = ranks.as_primitive::<Float64Type>().values();
    probes.iter().zip(found).map(|(probe, rank)| (true_rank(*probe), (rank - true_rank(*probe)).abs())).collect()
}

#[test]
fn ranks_are_within_the_stated_error() {
    let values = spread(100_000);
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    for (method, epsilon) in [("grid", 0.01), ("grid", 0.002), ("kll", 0.01), ("kll", 0.002)] {
        for parts in [1, 7] {
            let found = fit_in_parts(&sketch_fit(), &options(values.clone(), method, Some(epsilon)), parts, 5).unwrap();
            let found = found.as_struct();
            let stated = number(found, "rank_error");
            assert!(stated > 0.0, "{method} is not exact here");
            let worst = worst(found, &sorted).into_iter().map(|(_, error)| error).fold(0.0, f64::max);
            assert!(worst <= stated, "{method} {epsilon} in {parts}: {worst} > {stated}");
        }
    }
    for parts in [1, 7] {
        let found = fit_in_parts(&sketch_fit(), &options(values.clone(), "req", Some(0.02)), parts, 5).unwrap();
        for (rank, error) in worst(found.as_struct(), &sorted) {
            assert!(error <= 0.02 * (1.0 - rank) + 1e-5, "req in {parts}: {error} at {rank}");
        }
    }
}

#[test]
fn sketches_stay_small_and_know_heavy_values_and_the_ends() {
    let mut values = spread(100_000);
    values.extend(std::iter::repeat_n(5.0, 100_000));
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    for method in ["kll", "req", "grid"] {
        let found = fit_in_parts(&sketch_fit(), &options(values.clone(), method, Some(0.01)), 3, 9).unwrap();
        assert!(found.get_array_memory_size() < 100_000, "{method}: {}", found.get_array_memory_size());
        let found = found.as_struct();
        assert_eq!(integer(found, "rows"), 200_000);
        let ends = column(Float64Array::from(vec![0.0, 1.0]));
        let ends = call(&Quantile::default(), &[state(found), ends]).unwrap();
        assert_eq!(floats(&ends), [Some(sorted[0]), Some(sorted[sorted.len() - 1])], "{method}");
        let at = |probe: f64| {
            let rank = call(&QuantileRank::default(), &[state(found), constant(probe)]).unwrap();
            floats(&rank)[0].unwrap()
        };
        let heavy = at(5.0) - at(5.0 - 1e-9);
        assert!((heavy - 0.5).abs() <= 2.0 * number(found, "rank_error") + 1e-9, "{method}: {heavy}");
    }
}

#[test]
fn sketches_of_partitions_merge_alike_in_any_order() {
    let values = spread(60_000);
    for method in ["kll", "req"] {
        let fit = sketch_fit();
        let arguments = options(values.clone(), method, Some(0.02));
        let types = [DataType::Float64, DataType::Utf8, DataType::Float64];
        let Given::Constant(method_value) = &arguments[1] else { unreachable!() };
        let Given::Constant(epsilon) = &arguments[2] else { unreachable!() };
        let constants = Constants::planned(fit.spec(), &[None, Some(method_value), Some(epsilon)]);
        let parts: Vec<StructArray> = values
            .chunks(9000)
            .map(|chunk| {
                let mut partial = fit.accumulate(&types, &constants).unwrap();
                let chunk: ArrayRef = Arc::new(Float64Array::from(chunk.to_vec()));
                partial.update(&[chunk]).unwrap();
                partial.state().unwrap()
            })
            .collect();
        let merged = |parts: &[&StructArray]| {
            let mut merged = fit.accumulate(&types, &constants).unwrap();
            let parts: Vec<&dyn Array> = parts.iter().map(|part| *part as &dyn Array).collect();
            merged.merge(concat(&parts).unwrap().as_struct()).unwrap();
            merged
        };
        let forward = merged(&parts.iter().collect::<Vec<_>>()).finish().unwrap();
        let (left, right) = (
            merged(&[&parts[3], &parts[1]]).state().unwrap(),
            merged(&[&parts[6], &parts[0], &parts[5]]).state().unwrap(),
        );
        let tree = merged(&[&right, &parts[4], &left, &parts[2]]).finish().unwrap();
        assert_eq!(&forward, &tree, "{method}");
    }
}

#[test]
fn inputs_of_all_kinds_are_numbers() {
    let median = |values: Given| quantiles(&[values, shares(&[0.5])])[0];
    assert_eq!(median(column(Int32Array::from(vec![1, 2, 4]))), 2.0);
    assert_eq!(median(column(BooleanArray::from(vec![true, true, false]))), 1.0);
    assert_eq!(median(column(Date32Array::from(vec![10, 20, 30]))), 20.0);
    let decimals = arrow::array::Decimal128Array::from(vec![150, 250, 400]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(median(column(decimals)), 2.5);
    let keyed = arrow::compute::cast(
        &Float64Array::from(vec![1.0, 2.0, 2.0]),
        &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Float64)),
    );
    assert_eq!(median(Given::Column(keyed.unwrap())), 2.0);
    let times = arrow::array::TimestampMicrosecondArray::from(vec![5, 6, 7]);
    assert_eq!(median(column(times)), 6.0);
}

#[test]
fn applies_pass_over_what_is_missing() {
    let found = fit(&sketch_fit(), &options(vec![1.0, 2.0, 4.0, 8.0], "exact", None)).unwrap();
    let found = state(found.as_struct());
    let probes = Float64Array::from(vec![Some(2.5), None, Some(f64::NAN), Some(-1.0), Some(f64::INFINITY)]);
    let ranks = call(&QuantileRank::default(), &[found.clone(), column(probes)]).unwrap();
    assert_eq!(floats(&ranks), [Some(0.5), None, None, Some(0.0), Some(1.0)]);
    let inverted = [found, constant(0.5), constant("inverted_cdf")];
    assert_eq!(floats(&call(&Quantile::default(), &inverted).unwrap()), [Some(2.0)]);
    let empty = fit(&sketch_fit(), &options(vec![], "exact", None)).unwrap();
    let none = call(&Quantile::default(), &[state(empty.as_struct()), constant(0.5)]).unwrap();
    assert_eq!(floats(&none), [None]);
    let null = call(&Quantile::default(), &[constant(ScalarValue::Null), constant(0.5)]).unwrap();
    assert_eq!(floats(&null), [None]);
}

#[test]
fn bad_calls_name_the_argument() {
    let message = |arguments: &[Given]| fit(&FitQuantiles, arguments).unwrap_err().to_string();
    let x = || column(Float64Array::from(vec![1.0]));
    assert!(message(&[x(), shares(&[1.5])]).contains("probabilities of fit_quantiles must be between 0 and 1"));
    assert!(message(&[x(), constant(ScalarValue::Null)]).contains("probabilities of fit_quantiles must be given"));
    assert!(message(&[x(), shares(&[0.5]), constant("gk")]).contains("must be one of exact, grid, kll, req"));
    assert!(message(&[x(), shares(&[0.5]), constant("kll"), constant(0.0)]).contains("epsilon of fit_quantiles"));
    assert!(message(&[x(), shares(&[0.5]), constant("exact"), constant(0.1)]).contains("must be left out"));
    assert!(
        message(&[column(arrow::array::StringArray::from(vec!["a"])), shares(&[0.5])]).contains("must be a number")
    );
    let found = fit(&sketch_fit(), &options(vec![1.0], "exact", None)).unwrap();
    let beyond = call(&Quantile::default(), &[state(found.as_struct()), constant(1.5)]).unwrap_err();
    assert!(beyond.to_string().contains("p of quantile must be between 0 and 1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_give_the_same_state_in_any_split(
        values in proptest::collection::vec(proptest::option::of(any::<f64>()), 0..300),
        seed in 1u64..1000,
        parts in 1usize..9,
        method in proptest::sample::select(vec!["exact", "grid"]),
    ) {
        let epsilon = (method == "grid").then_some(0.5);
        let mut arguments = options(vec![], method, epsilon);
        arguments[0] = column(Float64Array::from(values));
        let whole = fit_in_parts(&sketch_fit(), &arguments, 1, 0).unwrap();
        let split = fit_in_parts(&sketch_fit(), &arguments, parts, seed).unwrap();
        prop_assert_eq!(&whole, &split);
        let probes = column(Float64Array::from(vec![0.0, 0.1, 0.5, 0.9, 1.0]));
        for name in ["linear", "inverted_cdf", "averaged_inverted_cdf"] {
            let found = call(&Quantile::default(), &[state(whole.as_struct()), probes.clone(), constant(name)]).unwrap();
            let found: Vec<f64> = floats(&found).into_iter().flatten().collect();
            prop_assert!(found.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", found);
        }
    }
}
