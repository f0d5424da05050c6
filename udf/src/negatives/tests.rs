use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::fit::FitNegatives;
use super::sample::NegativeSamples;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, merge_states, state};

const NONE: ScalarValue = ScalarValue::Null;

/// Item `i` has `counts[i]` rows.
fn fitted(counts: &[i64], alpha: Option<f64>) -> StructArray {
    let items = counts.iter().enumerate().flat_map(|(item, count)| vec![item as i64; *count as usize]);
    let items = column(Int64Array::from_iter_values(items));
    fit(&FitNegatives, &[items, constant(ScalarValue::Float64(alpha))]).unwrap().as_struct().clone()
}

fn lists(rows: &[Option<Vec<i64>>]) -> ListArray {
    ListArray::from_iter_primitive::<Int64Type, _, _>(
        rows.iter().map(|row| row.as_ref().map(|items| items.iter().map(|item| Some(*item)).collect::<Vec<_>>())),
    )
}

#[derive(Clone, Copy)]
struct Options {
    k: i64,
    seed: i64,
    unique: bool,
    exclude: bool,
}

const PLAIN: Options = Options { k: 5, seed: 42, unique: true, exclude: true };

fn samples(states: &StructArray, users: &[i64], positives: &ListArray, options: Options) -> Vec<Vec<i64>> {
    let drawn = call(
        &NegativeSamples::default(),
        &[
            state(states),
            column(Int64Array::from(users.to_vec())),
            column(positives.clone()),
            constant(options.k),
            constant(options.seed),
            constant(options.unique),
            constant(options.exclude),
        ],
    );
    rows(&drawn.unwrap())
}

fn rows(drawn: &ArrayRef) -> Vec<Vec<i64>> {
    let rows = drawn.as_list::<i32>().iter();
    rows.map(|row| row.map_or(vec![], |row| row.as_primitive::<Int64Type>().values().to_vec())).collect()
}

fn statistic(found: &[f64], expected: &[f64]) -> f64 {
    let total: f64 = found.iter().sum();
    let whole: f64 = expected.iter().sum();
    let terms = found.iter().zip(expected).map(|(found, weight)| {
        let expected = weight / whole * total;
        (found - expected).powi(2) / expected
    });
    terms.sum()
}

/// The 99.9th percentile of chi-square with 19 degrees of freedom.
const LIMIT_19: f64 = 43.82;

fn power(counts: &[i64], alpha: f64) -> Vec<f64> {
    counts.iter().map(|count| (*count as f64).powf(alpha)).collect()
}

fn tally(drawn: &[Vec<i64>], items: usize) -> Vec<f64> {
    let mut found = vec![0.0; items];
    drawn.iter().flatten().for_each(|item| found[*item as usize] += 1.0);
    found
}

#[test]
fn items_come_in_proportion_to_a_power_of_their_counts() {
    let counts: Vec<i64> = (1..=20).map(|item| item * item).collect();
    let users: Vec<i64> = (0..20_000).collect();
    let none = lists(&vec![None; users.len()]);
    let options = Options { unique: false, ..PLAIN };
    for (alpha, exponent) in [(None, 0.75), (Some(0.0), 0.0), (Some(1.0), 1.0)] {
        let found = tally(&samples(&fitted(&counts, alpha), &users, &none, options), 20);
        let statistic = statistic(&found, &power(&counts, exponent));
        assert!(statistic < LIMIT_19, "{alpha:?}: {statistic}");
    }
    // One draw a row: unique makes no difference.
    let found = tally(&samples(&fitted(&counts, None), &users, &none, Options { k: 1, ..PLAIN }), 20);
    assert!(statistic(&found, &power(&counts, 0.75)) < LIMIT_19);
}

#[test]
fn the_scan_draws_from_the_same_distribution() {
    // The positive has nearly all of the weight, so that most rows run out of tries.
    let mut counts: Vec<i64> = (1..=20).collect();
    counts.push(2_000_000);
    let users: Vec<i64> = (0..20_000).collect();
    let positives = lists(&vec![Some(vec![20]); users.len()]);
    let states = heavy(&counts);
    for unique in [false, true] {
        let drawn = samples(&states, &users, &positives, Options { k: 1, unique, ..PLAIN });
        let statistic = statistic(&tally(&drawn, 20), &power(&counts[..20], 1.0));
        assert!(statistic < LIMIT_19, "unique {unique}: {statistic}");
    }
}

/// The state of counts too many to list one by one; alpha is 1.
fn heavy(counts: &[i64]) -> StructArray {
    let template = fitted(&vec![1; counts.len()], Some(1.0));
    let numbers: ArrayRef = crate::state::one_list(std::sync::Arc::new(Int64Array::from(counts.to_vec())));
    let mut columns = template.columns().to_vec();
    columns[3] = numbers;
    StructArray::new(template.fields().clone(), columns, None)
}

#[test]
fn a_draw_depends_on_the_user_alone() {
    let states = fitted(&[5, 1, 9, 2, 7, 3, 3, 8, 1, 4], None);
    let users: Vec<i64> = (0..50).collect();
    let positives: Vec<Option<Vec<i64>>> = users.iter().map(|user| Some(vec![user % 10, (user + 3) % 10])).collect();
    let whole = samples(&states, &users, &lists(&positives), PLAIN);
    for (row, user) in users.iter().enumerate() {
        let alone = samples(&states, &[*user], &lists(&positives[row..=row]), PLAIN);
        assert_eq!(alone[0], whole[row]);
    }
    let sliced = lists(&positives).slice(10, 20);
    assert_eq!(samples(&states, &users[10..30], &sliced, PLAIN), whole[10..30]);
    assert_ne!(samples(&states, &users, &lists(&positives), Options { seed: 7, ..PLAIN }), whole);
}

#[test]
fn positives_and_repetitions_are_left_out() {
    let states = fitted(&[5, 1, 9, 2, 7, 3], None);
    let users: Vec<i64> = (0..200).collect();
    let positives = lists(&vec![Some(vec![0, 2, 99]); users.len()]);
    for drawn in samples(&states, &users, &positives, Options { k: 3, ..PLAIN }) {
        let mut sorted = drawn.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 3, "{drawn:?}");
        assert!(!drawn.contains(&0) && !drawn.contains(&2));
    }
    // All that is left, if that is less than k; nothing, if all are positives.
    for mut drawn in samples(&states, &users, &positives, Options { k: 10, ..PLAIN }) {
        drawn.sort_unstable();
        assert_eq!(drawn, [1, 3, 4, 5]);
    }
    let all = lists(&[Some((0..6).collect())]);
    assert_eq!(samples(&states, &[1], &all, PLAIN), [Vec::<i64>::new()]);
    assert_eq!(samples(&states, &[1], &all, Options { exclude: false, ..PLAIN })[0].len(), 5);
    assert_eq!(samples(&states, &[1], &all, Options { unique: false, ..PLAIN }), [Vec::<i64>::new()]);
}

#[test]
fn the_logarithm_of_an_items_share_comes_along() {
    let counts = [5, 1, 9];
    let states = fitted(&counts, None);
    let drawn = call(
        &NegativeSamples::default(),
        &[
            state(&states),
            column(StringArray::from(vec![Some("u"), None])),
            constant(NONE),
            constant(3),
            constant(NONE),
            constant(NONE),
            constant(NONE),
            constant(true),
        ],
    );
    let drawn = drawn.unwrap();
    let drawn = drawn.as_list::<i32>();
    assert!(drawn.is_null(1));
    let structs = drawn.value(0);
    let (items, logs) = (structs.as_struct().column(0), structs.as_struct().column(1));
    let (items, logs) = (items.as_primitive::<Int64Type>(), logs.as_primitive::<Float64Type>());
    assert_eq!(items.len(), 3);
    let weights = power(&counts, 0.75);
    let whole: f64 = weights.iter().sum();
    for (item, log) in items.values().iter().zip(logs.values()) {
        assert!((log - (weights[*item as usize] / whole).ln()).abs() < 1e-15);
    }
}

#[test]
fn empty_states_and_mistakes() {
    let empty = fitted(&[], None);
    assert_eq!(samples(&empty, &[1], &lists(&[None]), PLAIN), [Vec::<i64>::new()]);
    let states = fitted(&[1, 2], None);
    let users = || column(Int64Array::from(vec![1]));
    let wrong = |arguments: &[Given]| call(&NegativeSamples::default(), arguments).unwrap_err().to_string();
    let none = || column(lists(&[None]));
    assert!(
        wrong(&[state(&states), users(), none(), constant(0)]).contains("k of negative_samples must be at least 1")
    );
    assert!(wrong(&[state(&states), users(), none(), constant(NONE)]).contains("k of negative_samples must be given"));
    assert!(
        wrong(&[state(&states), users(), users(), constant(1)])
            .contains("positives of negative_samples must be a list")
    );
    let texts = column(ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.5)])]));
    assert!(wrong(&[state(&states), users(), texts, constant(1)]).contains("is of type Float64"));
    let items = column(Int64Array::from(vec![1]));
    let error = fit(&FitNegatives, &[items, constant(11.0)]).unwrap_err().to_string();
    assert!(error.contains("alpha of fit_negatives must be between -10 and 10"), "{error}");
    assert_eq!(states.column(2).data_type(), &crate::state::list_of(DataType::Int64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn a_state_depends_on_the_rows_alone(
        items in proptest::collection::vec(proptest::option::of(0..20i64), 0..80),
        seed in 1..u64::MAX,
    ) {
        let arguments = [column(items.iter().copied().collect::<Int64Array>())];
        let whole = fit(&FitNegatives, &arguments).unwrap();
        for parts in [1, 2, 7, 64] {
            prop_assert_eq!(&fit_in_parts(&FitNegatives, &arguments, parts, seed).unwrap(), &whole);
        }
        let state = whole.as_struct();
        let doubled = [column([items.clone(), items.clone()].concat().into_iter().collect::<Int64Array>())];
        let merged = merge_states(&FitNegatives, &[state.clone(), state.clone()]).unwrap();
        prop_assert_eq!(&merged, &fit(&FitNegatives, &doubled).unwrap());
    }
}
