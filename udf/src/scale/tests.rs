#![allow(clippy::approx_constant)]

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray, StringViewArray,
    StructArray,
};
use arrow::datatypes::{DataType, Float64Type, Int8Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use crate::aggregate::Fit;
use crate::scale::apply::ScaleApply;
use crate::scale::fits::{MaxAbs, MinMax, Robust, Standard};
use crate::scale::impute::FitImputer;
use crate::scale::impute_apply::{ImputeApply, MissingIndicator};
use crate::scale::power::{LogOnePlus, PowerTransform};
use crate::scale::text_impute::TextImputer;
use crate::scale::winsorise::{Winsorise, WinsoriseApply};
use crate::summary::SummaryFit;
use crate::testing::{Given, call, column, constant, fit, fit_alike, fit_in_parts, merge_states, sample, state};

fn null() -> Given {
    constant(ScalarValue::Null)
}

fn numbers(values: &[f64]) -> Given {
    column(Float64Array::from(values.to_vec()))
}

fn number(state: &StructArray, field: &str) -> Option<f64> {
    state.column_by_name(field).unwrap().as_primitive::<Float64Type>().iter().next().flatten()
}

fn floats(values: &ArrayRef) -> Vec<f64> {
    assert_eq!(values.null_count(), 0);
    values.as_primitive::<Float64Type>().values().to_vec()
}

fn scaled(found: &StructArray, values: &[f64], options: &[Given]) -> Vec<f64> {
    let arguments = [&[state(found), numbers(values)], options].concat();
    floats(&call(&ScaleApply::default(), &arguments).unwrap())
}

fn assert_near(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        let near = (found - wanted).abs() <= 4.0 * f64::EPSILON * wanted.abs();
        assert!(near || found == wanted || (found.is_nan() && wanted.is_nan()), "{found} is not {wanted}");
    }
}

#[test]
fn standard_scaler() {
    let standard = SummaryFit::<Standard>::new();
    let found = fit_alike(&standard, &[numbers(&sample())]);
    // Python 3 with fractions.Fraction: the exact mean and variance, rounded once.
    assert_eq!(number(&found, "center"), Some(13.98216));
    assert_eq!(number(&found, "variance"), Some(687.9460959344));
    let sampled = fit_alike(&standard, &[numbers(&sample()), constant(1)]);
    assert_eq!(number(&sampled, "variance"), Some(688.634730665065));
    // scikit-learn 1.9.1: StandardScaler().fit(x).transform([[1.5], [-20]])
    assert_near(&scaled(&found, &[1.5, -20.0], &[]), &[-0.4758965320235312, -1.2956084599675666]);
    assert_near(&scaled(&found, &[1.5], &[constant(false), constant(false)]), &[1.5]);
}

#[test]
fn a_large_mean_costs_no_digit_of_the_variance() {
    let values = [4.0, 7.0, 13.0, 16.0, 0.1].map(|value| 1e9 + value);
    for (ddof, variance) in [(0, 33.681599924469), (1, 42.10199990558624)] {
        let found = fit_alike(&SummaryFit::<Standard>::new(), &[numbers(&values), constant(ddof)]);
        // Python 3 with fractions.Fraction; numpy.var gives 33.681599924469005.
        assert_eq!(number(&found, "variance"), Some(variance));
        assert_eq!(number(&found, "center"), Some(1000000008.02));
    }
}

#[test]
fn robust_scaler() {
    let robust = SummaryFit::<Robust>::new();
    let found = fit_alike(&robust, &[numbers(&sample())]);
    // scikit-learn 1.9.1: RobustScaler().fit(x), RobustScaler(quantile_range=(10, 80)).fit(x)
    assert_near(&[number(&found, "center").unwrap()], &[5.294999999999998]);
    assert_near(&[number(&found, "scale").unwrap()], &[38.1625]);
    let found = fit_alike(&robust, &[numbers(&sample()), constant(0.1), constant(0.8)]);
    assert_near(&[number(&found, "scale").unwrap()], &[59.96700000000001]);
    assert_near(&scaled(&found, &[1.5], &[]), &[-0.06328480664365396]);
}

#[test]
fn minmax_and_maxabs_scalers() {
    // scikit-learn 1.9.1: MinMaxScaler().fit(x), MinMaxScaler((-1, 2)).fit(x), MaxAbsScaler().fit(x)
    let probes = [1.5, -20.0, 500.0];
    let found = fit_alike(&SummaryFit::<MinMax>::new(), &[numbers(&sample())]);
    let wanted = [0.31590042160208787, 0.10008030515960648, 5.3199156795824125];
    assert_eq!(scaled(&found, &probes, &[]), wanted);
    let range = [null(), null(), constant(-1), constant(2)];
    let wanted = [-0.052298735193736325, -0.6997590845211805, 14.959747038747238];
    assert_eq!(scaled(&found, &probes, &range), wanted);
    let clipped = scaled(&found, &probes, &[&range[..], &[constant(true)]].concat());
    assert_eq!(clipped, [wanted[0], wanted[1], 2.0]);
    let found = fit_alike(&SummaryFit::<MaxAbs>::new(), &[numbers(&sample())]);
    assert_eq!(scaled(&found, &probes, &[]), [0.021536252692031584, -0.2871500358937545, 7.178750897343861]);
}

#[test]
fn constant_columns_have_the_scale_one_and_empty_ones_none() {
    let fits: [&dyn Fit; 4] = [
        &SummaryFit::<Standard>::new(),
        &SummaryFit::<Robust>::new(),
        &SummaryFit::<MinMax>::new(),
        &SummaryFit::<MaxAbs>::new(),
    ];
    for fitting in fits {
        for values in [vec![0.1; 7], vec![0.1]] {
            let found = fit_alike(fitting, &[numbers(&values)]);
            let wanted = if fitting.spec().name == "fit_maxabs" { 0.1 } else { 1.0 };
            assert_eq!(number(&found, "scale"), Some(wanted), "{}", fitting.spec().name);
        }
        let missing = column(Float64Array::from(vec![None, Some(f64::NAN), Some(f64::INFINITY)]));
        let found = fit_alike(fitting, &[missing]);
        assert_eq!(number(&found, "scale"), None, "{}", fitting.spec().name);
        assert!(call(&ScaleApply::default(), &[state(&found), constant(1.0)]).unwrap().is_null(0));
    }
    let one = fit_alike(&SummaryFit::<Standard>::new(), &[numbers(&[3.0]), constant(1)]);
    assert_eq!((number(&one, "variance"), number(&one, "scale")), (None, Some(1.0)));
    let zeros = fit_alike(&SummaryFit::<MaxAbs>::new(), &[numbers(&[0.0, -0.0])]);
    assert_eq!(number(&zeros, "scale"), Some(1.0));
}

#[test]
fn scaled_values_keep_what_is_missing() {
    let found = fit(&SummaryFit::<Standard>::new(), &[numbers(&[1.0, 3.0])]).unwrap();
    let probes = column(Float64Array::from(vec![None, Some(f64::NAN), Some(f64::INFINITY), Some(5.0)]));
    let values = call(&ScaleApply::default(), &[state(found.as_struct()), probes]).unwrap();
    let values = values.as_primitive::<Float64Type>();
    assert!(values.is_null(0) && values.value(1).is_nan());
    assert_eq!(values.values()[2..], [f64::INFINITY, 3.0]);
}

#[test]
fn options_of_another_scaler_are_refused() {
    let found = fit(&SummaryFit::<Standard>::new(), &[numbers(&[1.0, 3.0])]).unwrap();
    let message = |options: &[Given]| {
        let arguments = [&[state(found.as_struct()), constant(1.0)], options].concat();
        call(&ScaleApply::default(), &arguments).unwrap_err().to_string()
    };
    assert!(message(&[null(), null(), null(), constant(5)]).contains("upper of scale_apply is for fit_minmax only"));
    assert!(message(&[null(), null(), constant(2), constant(1)]).contains("lower of scale_apply must be below upper"));
    assert!(message(&[constant(1)]).contains("with_centering of scale_apply must be true or false"));
    let ddof = fit(&SummaryFit::<Standard>::new(), &[numbers(&[1.0]), constant(2)]).unwrap_err();
    assert!(ddof.to_string().contains("ddof of fit_standard must be at most 1"));
    let range = fit(&SummaryFit::<Robust>::new(), &[numbers(&[1.0]), constant(0.5), constant(0.5)]).unwrap_err();
    assert!(range.to_string().contains("lower of fit_robust must be below upper"));
}

#[test]
fn numbers_are_imputed() {
    let x = Float64Array::from(vec![Some(1.0), None, Some(5.0), Some(5.0), Some(1.0), Some(f64::NAN), Some(9.5)]);
    // scikit-learn 1.9.1: SimpleImputer(strategy=...).fit([[1], [5], [5], [1], [9.5]]).statistics_ is 4.3, 5, 1
    for (strategy, wanted) in [("mean", 4.3), ("median", 5.0), ("mode", 1.0)] {
        let found = fit_alike(&FitImputerAlike, &[column(x.clone()), constant(strategy)]);
        let filled = call(&ImputeApply::default(), &[state(&found), column(x.clone())]).unwrap();
        assert_eq!(floats(&filled), [1.0, wanted, 5.0, 5.0, 1.0, wanted, 9.5], "{strategy}");
    }
    let found = fit_alike(&FitImputerAlike, &[column(x), constant("constant"), constant(-1)]);
    assert_eq!(floats(&call(&ImputeApply::default(), &[state(&found), null()]).unwrap()), [-1.0]);
    let even = fit_alike(&FitImputerAlike, &[numbers(&[1.0, 2.0, 3.0, 10.0]), constant("median")]);
    assert_eq!(number(&even, "fill"), Some(2.5));
    let flags = column(BooleanArray::from(vec![Some(true), Some(true), None, Some(false)]));
    assert_eq!(number(&fit_alike(&FitImputerAlike, &[flags, constant("mode")]), "fill"), Some(1.0));
    let empty = fit(&FitImputer, &[column(Int64Array::from(vec![None, None])), constant("mean")]).unwrap();
    let left =
        call(&ImputeApply::default(), &[state(empty.as_struct()), column(Int64Array::from(vec![None, Some(2)]))]);
    assert_eq!(left.unwrap().as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [None, Some(2.0)]);
}

/// `fit_imputer`, resumed by the fit that `merge_state` finds for its kind of state.
#[derive(Debug)]
struct FitImputerAlike;

impl Fit for FitImputerAlike {
    fn spec(&self) -> &'static crate::spec::Spec {
        FitImputer.spec()
    }

    fn coerce(&self, types: &[DataType]) -> datafusion_common::Result<Vec<DataType>> {
        FitImputer.coerce(types)
    }

    fn state_type(&self, types: &[DataType]) -> datafusion_common::Result<DataType> {
        FitImputer.state_type(types)
    }

    fn check(&self, constants: &crate::constants::Constants) -> datafusion_common::Result<()> {
        FitImputer.check(constants)
    }

    fn accumulate(
        &self,
        types: &[DataType],
        constants: &crate::constants::Constants,
    ) -> datafusion_common::Result<Box<dyn crate::aggregate::Accumulate>> {
        FitImputer.accumulate(types, constants)
    }

    fn resume(&self, state: &StructArray) -> datafusion_common::Result<Box<dyn crate::aggregate::Accumulate>> {
        let kind = state.column_by_name("kind").unwrap().as_string::<i32>().value(0);
        crate::mergeable_fits().iter().find(|fit| fit.kind() == Some(kind)).unwrap().resume(state)
    }
}

fn texts(values: &ArrayRef) -> Vec<Option<&str>> {
    values.as_string::<i32>().iter().collect()
}

#[test]
fn texts_are_imputed() {
    let x = vec![Some("b"), None, Some("a"), Some(""), Some("b"), Some("a")];
    let found = fit_alike(&FitImputerAlike, &[column(StringArray::from(x.clone())), constant("mode")]);
    let keyed: DictionaryArray<Int8Type> = x.iter().copied().collect();
    for values in [column(StringArray::from(x.clone())), column(StringViewArray::from(x.clone())), column(keyed)] {
        let again = fit_alike(&FitImputerAlike, &[values.clone(), constant("mode")]);
        assert_eq!(again, found);
        let filled = call(&ImputeApply::default(), &[state(&found), values]).unwrap();
        assert_eq!(texts(&filled), ["b", "a", "a", "", "b", "a"].map(Some));
    }
    let fixed = [column(StringArray::from(x)), constant("constant"), constant("?")];
    let fixed = fit_alike(&FitImputerAlike, &fixed);
    assert_eq!(texts(&call(&ImputeApply::default(), &[state(&fixed), null()]).unwrap()), [Some("?")]);
    let empty = fit(&FitImputer, &[column(StringArray::new_null(2)), constant("mode")]).unwrap();
    let left = call(&ImputeApply::default(), &[state(empty.as_struct()), null()]).unwrap();
    assert_eq!(texts(&left), [None]);
}

#[test]
fn bad_imputers_name_the_argument() {
    let message = |arguments: &[Given]| fit(&FitImputer, arguments).unwrap_err().to_string();
    let text = || column(StringArray::from(vec!["a"]));
    assert!(message(&[text(), constant("mean")]).contains("strategy of fit_imputer must be 'mode' or 'constant'"));
    assert!(message(&[numbers(&[1.0]), constant("first")]).contains("must be one of mean, median, mode, constant"));
    assert!(message(&[numbers(&[1.0]), constant("constant")]).contains("fill of fit_imputer must be given"));
    assert!(
        message(&[numbers(&[1.0]), constant("mean"), constant(1)]).contains("fill of fit_imputer must be left out")
    );
    let grid = [numbers(&[1.0]), constant("mode"), null(), constant("grid")];
    assert!(message(&grid).contains("method of fit_imputer must be 'exact'"));
    let dates = column(arrow::array::Date32Array::from(vec![1]));
    assert!(message(&[dates, constant("mode")]).contains("x of fit_imputer must be a number or a text"));
    let found = fit(&FitImputer, &[text(), constant("mode")]).unwrap();
    let mixed = call(&ImputeApply::default(), &[state(found.as_struct()), constant(1.0)]).unwrap_err();
    assert!(mixed.to_string().contains("x of impute_apply must be a text"));
    let other = merge_states(&TextImputer, &[found.as_struct().clone(), found.as_struct().clone()]);
    assert!(other.is_ok());
}

#[test]
fn missing_values_are_told() {
    let flags = |values: Given| {
        let flags = call(&MissingIndicator, &[values]).unwrap();
        assert_eq!(flags.null_count(), 0);
        flags.as_boolean().values().iter().collect::<Vec<bool>>()
    };
    let x = column(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)]));
    assert_eq!(flags(x), [false, true, true, false]);
    assert_eq!(flags(column(StringArray::from(vec![Some(""), None]))), [false, true]);
    assert_eq!(flags(column(Int64Array::from(vec![1, 2]))), [false, false]);
    assert_eq!(flags(null()), [true]);
}

#[test]
fn winsorised_values_lie_between_the_quantiles() {
    let fit = SummaryFit::<Winsorise<false>>::new();
    let found = fit_alike(&fit, &[numbers(&sample())]);
    // numpy 2.4.6: np.quantile(x, [.05, .95])
    let probes = column(Float64Array::from(vec![Some(-100.0), Some(2.0), Some(f64::INFINITY), None]));
    for kernel in
        [&WinsoriseApply::<false>::default() as &dyn crate::scalar::Kernel, &WinsoriseApply::<true>::default()]
    {
        let values = call(kernel, &[state(&found), probes.clone()]).unwrap();
        let values: Vec<Option<f64>> = values.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(values, [Some(-24.055999999999997), Some(2.0), Some(62.973499999999994), None]);
    }
    let found = fit_alike(&SummaryFit::<Winsorise<true>>::new(), &[numbers(&sample()), constant(0), constant(1)]);
    assert_eq!((number(&found, "low"), number(&found, "high")), (Some(-29.97), Some(69.65)));
}

#[test]
fn power_transforms_are_those_of_scipy() {
    let transform = |values: &[f64], lambda: f64, kind: Given| {
        floats(&call(&PowerTransform, &[numbers(values), constant(lambda), kind]).unwrap())
    };
    // scipy 1.17.1: scipy.stats.yeojohnson(x, lambda)
    let x = [-3.5, -1.0, -0.25, 0.0, 0.25, 1.0, 7.0];
    for (lambda, wanted) in [
        (0.0, [-9.625000000000002, -1.5, -0.28125, 0.0, 0.22314355131420976, 0.6931471805599453, 2.0794415416798357]),
        (
            0.5,
            [
                -5.697294364012261,
                -1.21895141649746,
                -0.26502832395824577,
                0.0,
                0.2360679774997897,
                0.8284271247461901,
                3.6568542494923797,
            ],
        ),
        (2.0, [-1.5040773967762742, -0.6931471805599453, -0.22314355131420976, 0.0, 0.28125, 1.5, 31.49999999999999]),
    ] {
        assert_near(&transform(&x, lambda, null()), &wanted);
    }
    // scipy 1.17.1: scipy.special.boxcox(x, lambda)
    let x = [0.0, 0.25, 1.0, 7.0, -1.0];
    for (lambda, wanted) in [
        (-1.5, [f64::NEG_INFINITY, -4.666666666666665, 0.0, 0.6306700501895974, f64::NAN]),
        (0.0, [f64::NEG_INFINITY, -1.3862943611198906, 0.0, 1.9459101490553132, f64::NAN]),
        (0.5, [-2.0, -1.0, 0.0, 3.291502622129181, f64::NAN]),
    ] {
        assert_near(&transform(&x, lambda, constant("box_cox")), &wanted);
    }
    let none = call(&PowerTransform, &[numbers(&[1.0]), null()]).unwrap();
    assert!(none.is_null(0));
    let unknown = call(&PowerTransform, &[numbers(&[1.0]), constant(1.0), constant("log")]).unwrap_err();
    assert!(unknown.to_string().contains("kind of power_transform must be one of yeo_johnson, box_cox"));
    // numpy 2.4.6: np.log1p([1e-10, -0.5])
    let logarithms = call(&LogOnePlus, &[numbers(&[1e-10, -0.5])]).unwrap();
    assert_near(&floats(&logarithms), &[9.9999999995e-11, -0.6931471805599453]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_give_the_same_scalers_in_any_split(
        values in proptest::collection::vec(proptest::option::of(any::<f64>()), 0..60),
        seed in 1u64..99,
    ) {
        let x = column(Float64Array::from(values));
        let fits: [&dyn Fit; 5] = [
            &SummaryFit::<Standard>::new(),
            &SummaryFit::<Robust>::new(),
            &SummaryFit::<MinMax>::new(),
            &SummaryFit::<MaxAbs>::new(),
            &SummaryFit::<Winsorise<false>>::new(),
        ];
        for fitting in fits {
            let whole = fit(fitting, std::slice::from_ref(&x)).unwrap();
            let split = fit_in_parts(fitting, std::slice::from_ref(&x), 5, seed).unwrap();
            prop_assert_eq!(format!("{whole:?}"), format!("{split:?}"), "{}", fitting.spec().name);
            match fitting.spec().name {
                "fit_winsorise" => call(&WinsoriseApply::<false>::default(), &[state(whole.as_struct()), x.clone()]),
                _ => call(&ScaleApply::default(), &[state(whole.as_struct()), x.clone()]),
            }
            .unwrap();
        }
    }

    #[test]
    fn the_variance_of_moderate_numbers_is_right_to_the_last_digits(
        values in proptest::collection::vec(-1_000_000i64..1_000_000, 2..50),
        offset in -1_000_000_000i64..1_000_000_000,
    ) {
        let values: Vec<i64> = values.into_iter().map(|value| value + offset).collect();
        let x = column(Int64Array::from(values.clone()));
        let found = fit(&SummaryFit::<Standard>::new(), &[x]).unwrap();
        let rows = values.len() as i128;
        let (sum, squares) = values.iter().fold((0i128, 0i128), |(sum, squares), value| {
            let value = i128::from(*value);
            (sum + value, squares + value * value)
        });
        let wanted = (rows * squares - sum * sum) as f64 / (rows * rows) as f64;
        let variance = number(found.as_struct(), "variance").unwrap();
        prop_assert!((variance - wanted).abs() <= 2.0 * f64::EPSILON * wanted, "{} is not {}", variance, wanted);
    }
}
