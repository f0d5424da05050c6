use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, StructArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use crate::aggregate::Fit;
use crate::bins::apply::BinsApply;
use crate::bins::kmeans_fit::KmeansBins;
use crate::bins::quantile_fit::QuantileBins;
use crate::bins::width_fit::WidthBins;
use crate::summary::SummaryFit;
use crate::testing::{
    Given, call, column, constant, fit, fit_alike, fit_in_parts, golden, merge_states, sample, state,
};

fn null() -> Given {
    constant(ScalarValue::Null)
}

fn edges_of(state: &StructArray) -> Vec<f64> {
    let edges = state.column_by_name("edges").unwrap().as_list::<i32>();
    edges.value(0).as_primitive::<Float64Type>().values().to_vec()
}

fn numbers(values: &[f64]) -> Given {
    column(Float64Array::from(values.to_vec()))
}

fn bins(found: &StructArray, values: Given) -> Vec<Option<i64>> {
    let bins = call(&BinsApply::default(), &[state(found), values]).unwrap();
    bins.as_primitive::<Int64Type>().iter().collect()
}

fn sizes(found: &StructArray, values: &[f64]) -> Vec<usize> {
    let bins = bins(found, numbers(values));
    let most = bins.iter().flatten().max().copied().unwrap_or(0);
    (0..=most).map(|bin| bins.iter().filter(|found| **found == Some(bin)).count()).collect()
}

fn assert_near(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() <= 1e-12 * wanted.abs().max(1.0), "{found} is not {wanted}");
    }
}

#[test]
fn quantile_bins_are_those_of_the_reference_vectors() {
    let x = [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 100.0];
    for name in ["averaged_inverted_cdf", "linear", "inverted_cdf"] {
        let arguments = [numbers(&x), constant(4), null(), null(), constant(name)];
        let found = fit_alike(&SummaryFit::<QuantileBins>::new(), &arguments);
        let golden = golden()[format!("kbins4_{name}")].clone();
        let list = |field: &str| -> Vec<f64> {
            golden[field].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        assert_eq!(edges_of(&found), list("edges"));
        let codes: Vec<Option<i64>> = list("codes").into_iter().map(|code| Some(code as i64)).collect();
        assert_eq!(bins(&found, numbers(&x)), codes);
    }
}

#[test]
fn quantile_bins_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: KBinsDiscretizer(7, strategy="quantile", quantile_method=..., subsample=None).fit(x)
    let inverted = [-29.97, -14.33, -1.5199999999999996, 3.0, 11.049999999999997, 31.159999999999997, 46.91, 69.65];
    let linear = [
        -29.97,
        -14.30142857142857,
        -1.515714285714286,
        3.0,
        11.047142857142855,
        31.07428571428571,
        46.85285714285715,
        69.65,
    ];
    for (name, edges, counts) in [
        ("averaged_inverted_cdf", inverted, [142, 143, 131, 155, 143, 143, 143]),
        ("inverted_cdf", inverted, [142, 143, 131, 155, 143, 143, 143]),
        ("linear", linear, [143, 143, 130, 155, 143, 143, 143]),
    ] {
        let arguments = [numbers(&sample()), constant(7), constant("exact"), null(), constant(name)];
        let found = fit_alike(&SummaryFit::<QuantileBins>::new(), &arguments);
        assert_eq!(edges_of(&found), edges, "{name}");
        assert_eq!(sizes(&found, &sample()), counts, "{name}");
    }
}

#[test]
fn width_bins_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: KBinsDiscretizer(n, strategy="uniform").fit(x)
    let found = fit_alike(&SummaryFit::<WidthBins>::new(), &[numbers(&sample()), constant(5)]);
    assert_eq!(edges_of(&found), [-29.97, -10.046, 9.878, 29.802, 49.726, 69.65]);
    assert_eq!(sizes(&found, &sample()), [192, 370, 140, 185, 113]);
    let found = fit_alike(&SummaryFit::<WidthBins>::new(), &[numbers(&sample()), constant(13)]);
    assert_eq!(sizes(&found, &sample()), [65, 75, 66, 137, 203, 43, 56, 71, 66, 73, 50, 36, 59]);
}

#[test]
fn kmeans_bins_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: KBinsDiscretizer(n, strategy="kmeans", subsample=None).fit(x)
    let wanted = [-29.97, -8.86345900263726, 13.2936861975234, 33.69541777499609, 52.527365826944134, 69.65];
    let found = fit_alike(&SummaryFit::<KmeansBins>::new(), &[numbers(&sample()), constant(5)]);
    assert_near(&edges_of(&found), &wanted);
    assert_eq!(sizes(&found, &sample()), [194, 387, 156, 164, 99]);
    let found = fit_alike(&SummaryFit::<KmeansBins>::new(), &[numbers(&sample()), constant(13)]);
    assert_eq!(sizes(&found, &sample()), [56, 79, 76, 132, 184, 58, 60, 71, 64, 67, 54, 39, 60]);
    // Some first centres have no values.
    let gap = [0.0, 1.0, 2.0, 3.0, 100.0, 101.0, 102.0];
    for (n, wanted) in [
        (3, vec![0.0, 51.0, 101.25, 102.0]),
        (4, vec![0.0, 1.5, 51.5, 101.25, 102.0]),
        (5, vec![0.0, 1.5, 51.25, 100.5, 101.5, 102.0]),
    ] {
        let found = fit_alike(&SummaryFit::<KmeansBins>::new(), &[numbers(&gap), constant(n)]);
        assert_near(&edges_of(&found), &wanted);
    }
}

#[test]
fn bins_of_a_bounded_state_are_near_the_exact_ones() {
    for method in ["grid", "kll", "req"] {
        let arguments = [numbers(&sample()), constant(4), constant(method), constant(0.02)];
        let found = fit_in_parts(&SummaryFit::<QuantileBins>::new(), &arguments, 3, 4).unwrap();
        let sizes = sizes(found.as_struct(), &sample());
        assert!(sizes.iter().all(|size| (210..=290).contains(size)), "{method}: {sizes:?}");
    }
    let arguments = [numbers(&sample()), constant(4), constant("grid"), constant(0.1)];
    fit_alike(&SummaryFit::<QuantileBins>::new(), &arguments);
    fit_alike(&SummaryFit::<KmeansBins>::new(), &arguments);
}

#[test]
fn values_on_edges_beyond_them_and_missing_ones() {
    let found = fit(&SummaryFit::<WidthBins>::new(), &[numbers(&[0.0, 4.0]), constant(4)]).unwrap();
    let found = state(found.as_struct());
    let probes = || {
        let probes =
            [Some(-1.0), Some(-0.0), Some(1.0), Some(3.9), Some(4.0), Some(f64::INFINITY), Some(f64::NAN), None];
        column(Float64Array::from(probes.to_vec()))
    };
    let apply = |missing: &str, outside: &str| {
        let arguments = [found.clone(), probes(), constant(missing), constant(outside)];
        let bins = call(&BinsApply::default(), &arguments)?;
        Ok::<Vec<Option<i64>>, datafusion_common::DataFusionError>(bins.as_primitive::<Int64Type>().iter().collect())
    };
    let clipped = [Some(0), Some(0), Some(1), Some(3), Some(3), Some(3)];
    assert_eq!(apply("null", "clip").unwrap(), [&clipped[..], &[None, None]].concat());
    assert_eq!(apply("bin", "clip").unwrap(), [&clipped[..], &[Some(4), Some(4)]].concat());
    let within = [None, Some(0), Some(1), Some(3), Some(3), None, None, None];
    assert_eq!(apply("null", "null").unwrap(), within);
    assert_eq!(apply("bin", "null").unwrap()[6..], [Some(4), Some(4)]);
    assert!(apply("error", "clip").unwrap_err().to_string().contains("x of bins_apply is null or NaN"));
    assert!(apply("null", "error").unwrap_err().to_string().contains("outside the edges 0 to 4"));
    assert!(apply("skip", "clip").unwrap_err().to_string().contains("missing of bins_apply must be one of"));
    let right = [numbers(&[0.0, 4.0]), constant(4), constant("right")];
    let right = fit(&SummaryFit::<WidthBins>::new(), &right).unwrap();
    let probes = numbers(&[-1.0, 0.0, 1.0, 1.5, 2.0, 4.0, 5.0]);
    assert_eq!(bins(right.as_struct(), probes), [0, 0, 0, 1, 1, 3, 3].map(Some));
}

#[test]
fn a_value_that_fills_several_bins_drops_or_keeps_them_or_fails() {
    let x = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0];
    let fitted = |policy: &str| {
        let arguments = [numbers(&x), constant(4), null(), null(), null(), null(), constant(policy)];
        fit(&SummaryFit::<QuantileBins>::new(), &arguments)
    };
    let drop = fitted("drop").unwrap();
    assert_eq!(edges_of(drop.as_struct()), [1.0, 1.5, 3.0]);
    let keep = fitted("keep").unwrap();
    assert_eq!(edges_of(keep.as_struct()), [1.0, 1.0, 1.0, 1.5, 3.0]);
    assert_eq!(bins(keep.as_struct(), numbers(&[0.0, 1.0, 2.0])), [Some(0), Some(2), Some(3)]);
    assert!(fitted("error").unwrap_err().to_string().contains("the edge 1 repeats"));
}

#[test]
fn columns_without_spread() {
    for values in [vec![7.0], vec![7.0; 5]] {
        for found in [
            fit_alike(&SummaryFit::<QuantileBins>::new(), &[numbers(&values), constant(3)]),
            fit_alike(&SummaryFit::<WidthBins>::new(), &[numbers(&values), constant(3)]),
            fit_alike(&SummaryFit::<KmeansBins>::new(), &[numbers(&values), constant(3)]),
        ] {
            // scikit-learn 1.9.1 gives the edges -inf and inf.
            assert_eq!(edges_of(&found), [f64::NEG_INFINITY, f64::INFINITY]);
            assert_eq!(bins(&found, numbers(&[6.0, 7.0, 8.0])), [Some(0); 3]);
        }
    }
    let missing = column(Float64Array::from(vec![None, Some(f64::NAN)]));
    for found in [
        fit_alike(&SummaryFit::<QuantileBins>::new(), &[missing.clone(), constant(3)]),
        fit_alike(&SummaryFit::<WidthBins>::new(), &[missing.clone(), constant(3)]),
        fit_alike(&SummaryFit::<KmeansBins>::new(), &[missing, constant(3)]),
    ] {
        assert!(found.column_by_name("edges").unwrap().is_null(0));
        assert_eq!(bins(&found, numbers(&[6.0])), [None]);
    }
    let no_state = call(&BinsApply::default(), &[null(), constant(1.0)]).unwrap();
    assert!(no_state.is_null(0));
}

#[test]
fn a_result_without_its_distribution_applies_and_does_not_merge() {
    let kmeans = SummaryFit::<KmeansBins>::new();
    let arguments = [numbers(&sample()), constant(5), null(), null(), null(), constant(false)];
    let small = fit_in_parts(&kmeans, &arguments, 3, 2).unwrap();
    let whole = fit(&kmeans, &[numbers(&sample()), constant(5)]).unwrap();
    assert_eq!(edges_of(small.as_struct()), edges_of(whole.as_struct()));
    assert!(small.as_struct().column_by_name("lows").unwrap().is_null(0));
    let merged = merge_states(&kmeans, &[small.as_struct().clone()]).unwrap_err();
    assert!(merged.to_string().contains("mergeable => false"));
}

#[test]
fn bad_calls_name_the_argument() {
    let quantile = SummaryFit::<QuantileBins>::new();
    let x = || numbers(&[1.0, 2.0]);
    let message = |arguments: &[Given]| fit(&quantile, arguments).unwrap_err().to_string();
    assert!(message(&[x(), constant(0)]).contains("n of fit_quantile_bins must be at least 1: it is 0"));
    assert!(message(&[x(), null()]).contains("n of fit_quantile_bins must be given"));
    assert!(
        message(&[x(), column(Int32Array::from(vec![1, 2]))]).contains("n of fit_quantile_bins must be a constant")
    );
    let three = fit(&quantile, &[x(), constant(3)]).unwrap().as_struct().clone();
    let two = fit(&quantile, &[x(), constant(2)]).unwrap().as_struct().clone();
    assert!(merge_states(&quantile, &[three.clone(), two]).unwrap_err().to_string().contains("different options"));
    let other =
        quantile.resume(&fit(&SummaryFit::<WidthBins>::new(), &[x(), constant(2)]).unwrap().as_struct().clone());
    assert!(other.unwrap_err().to_string().contains("'width_bins/1'"));
    let plain = call(&BinsApply::default(), &[x(), x()]).unwrap_err();
    assert!(plain.to_string().contains("the state of bins_apply must be the result of its fit"));
    let text: ArrayRef = std::sync::Arc::new(arrow::array::StringArray::from(vec!["a"]));
    let text = call(&BinsApply::default(), &[state(&three), Given::Column(text)]).unwrap_err();
    assert!(text.to_string().contains("x of bins_apply must be a number"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_get_bins(
        values in proptest::collection::vec(proptest::option::of(any::<f64>()), 0..60),
        n in 1i64..12,
        seed in 1u64..99,
    ) {
        let x = column(Float64Array::from(values));
        let fits: [&dyn Fit; 3] = [
            &SummaryFit::<QuantileBins>::new(),
            &SummaryFit::<WidthBins>::new(),
            &SummaryFit::<KmeansBins>::new(),
        ];
        for fitting in fits {
            let arguments = [x.clone(), constant(n)];
            let whole = fit(fitting, &arguments).unwrap();
            prop_assert_eq!(&fit_in_parts(fitting, &arguments, 5, seed).unwrap(), &whole);
            let found = bins(whole.as_struct(), x.clone());
            prop_assert!(found.iter().flatten().all(|bin| (0..n).contains(bin)));
        }
    }
}
