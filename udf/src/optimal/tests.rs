use arrow::array::{Array, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use proptest::prelude::*;
use serde_json::Value;

use super::apply::{OptimalBinApply, WoeBinApply};
use super::categorical::OptimalCategories;
use super::fixture;
use super::numeric::OptimalBins;
use super::table::{BinningSummary, BinningTable};
use crate::aggregate::Fit;
use crate::testing::{Given, call, column, constant, fit, fit_in_parts, merge_states, state};

/// The columns of germancredit.csv, and whether `creditability` is bad.
struct German {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl German {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/germancredit.csv");
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(fields);
        let names = lines.next().unwrap();
        Self { names, rows: lines.collect() }
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let place = self.names.iter().position(|known| known == name).unwrap();
        self.rows.iter().map(|row| row[place].as_str()).collect()
    }

    fn y(&self) -> Given {
        column(BooleanArray::from(self.texts("creditability").iter().map(|text| *text == "bad").collect::<Vec<_>>()))
    }

    fn x(&self, name: &str, kind: &str) -> Given {
        match kind {
            "numerical" => {
                column(Float64Array::from_iter_values(self.texts(name).iter().map(|text| text.parse::<f64>().unwrap())))
            }
            _ => column(StringArray::from(self.texts(name))),
        }
    }
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.last_mut().unwrap().push(letter),
        }
    }
    fields
}

/// A call by names, the parameters that are not named at their defaults.
fn arguments(fit: &dyn Fit, x: Given, y: Given, options: &[(&str, ScalarValue)]) -> Vec<Given> {
    let spec = fit.spec();
    let mut arguments = vec![constant(ScalarValue::Null); spec.parameters.len()];
    arguments[0] = x;
    arguments[1] = y;
    for (name, value) in options {
        arguments[spec.position(name).unwrap()] = constant(value.clone());
    }
    arguments
}

fn options_of(case: &Value) -> Vec<(&str, ScalarValue)> {
    let mut options = vec![("trend", ScalarValue::from(case["trend"].as_str().unwrap()))];
    for (name, value) in case["options"].as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => ScalarValue::from(text.as_str()),
            Value::Number(number) if number.is_i64() => ScalarValue::from(number.as_i64().unwrap()),
            number => ScalarValue::from(number.as_f64().unwrap()),
        };
        options.push((name, value));
    }
    options
}

fn fit_of(kind: &str) -> Box<dyn Fit> {
    if kind == "numerical" { Box::new(OptimalBins) } else { Box::new(OptimalCategories) }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn float_column(rows: &StructArray, name: &str) -> Vec<Option<f64>> {
    rows.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn integer_column(rows: &StructArray, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn close(left: f64, right: f64, tolerance: f64) -> bool {
    (left - right).abs() <= tolerance
}

fn table_of(fitted: &StructArray) -> StructArray {
    let table = call(&BinningTable, &[state(fitted)]).unwrap();
    table.as_list::<i32>().value(0).as_struct().clone()
}

/// Compares the table with optbinning's, row by row; ours has no row of special codes if there are none.
fn compare_table(fitted: &StructArray, case: &Value, name: &str) {
    let rows = table_of(fitted);
    let expected = |field: &str| floats(&case["table"][field]);
    let (events, non_events) = (expected("events"), expected("non_events"));
    let special = events.len() - 2;
    let mut places: Vec<usize> = (0..events.len()).filter(|row| *row != special).collect();
    let count = rows.len() - 1;
    if count == events.len() {
        places = (0..events.len()).collect();
    }
    assert_eq!(places.len(), count, "{name}");
    let all: Vec<i64> = integer_column(&rows, "event");
    for (row, place) in places.into_iter().enumerate() {
        assert_eq!(all[row] as f64, events[place], "{name} events of row {row}");
        assert_eq!(integer_column(&rows, "non_event")[row] as f64, non_events[place], "{name} row {row}");
        for (ours, theirs) in [("woe", "woe"), ("iv", "iv"), ("js", "js")] {
            let ours = float_column(&rows, ours)[row].unwrap();
            assert!(close(ours, expected(theirs)[place], 1e-12), "{name} {theirs} of row {row}: {ours}");
        }
    }
}

fn information_value(fitted: &StructArray) -> f64 {
    float_column(call(&BinningSummary, &[state(fitted)]).unwrap().as_struct(), "iv")[0].unwrap()
}

fn splits_of(fitted: &StructArray) -> Vec<f64> {
    fitted.column_by_name("splits").unwrap().as_list::<i32>().value(0).as_primitive::<Float64Type>().values().to_vec()
}

/// The categories of each bin.
fn groups_of(fitted: &StructArray) -> Vec<Vec<String>> {
    let groups = fitted.column_by_name("groups").unwrap().as_list::<i32>().value(0);
    let categories = fitted.column_by_name("categories").unwrap().as_list::<i32>().value(0);
    let values = categories.as_struct().column_by_name("value").unwrap().as_string::<i32>().clone();
    let mut bins: Vec<Vec<String>> = Vec::new();
    for (value, group) in values.iter().zip(groups.as_primitive::<Int64Type>().values()) {
        bins.resize_with(bins.len().max(*group as usize + 1), Vec::new);
        bins[*group as usize].push(value.unwrap().to_string());
    }
    bins
}

fn compare(german: &German, case: &Value) {
    let (name, kind) = (case["column"].as_str().unwrap(), case["kind"].as_str().unwrap());
    let text = format!("{name} {} {}", case["trend"], case["options"]);
    let fit_kind = fit_of(kind);
    let given = arguments(fit_kind.as_ref(), german.x(name, kind), german.y(), &options_of(case));
    let fitted = fit(fit_kind.as_ref(), &given).unwrap().as_struct().clone();
    let iv = information_value(&fitted);
    let expected = case["iv"].as_f64().unwrap();
    assert!(close(iv, expected, 1e-6), "{text}: {iv} instead of {expected}");
    let status = fitted.column_by_name("status").unwrap().as_string::<i32>().value(0).to_uppercase();
    assert_eq!(status, case["status"].as_str().unwrap(), "{text}");
    if kind == "numerical" {
        let (splits, expected) = (splits_of(&fitted), floats(&case["splits"]));
        assert_eq!(splits.len(), expected.len(), "{text}");
        assert!(splits.iter().zip(&expected).all(|(split, expected)| close(*split, *expected, 1e-9)), "{text}");
    } else {
        let bins = case["bins"].as_array().unwrap().iter().map(|bin| {
            let mut bin: Vec<String> =
                bin.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_string()).collect();
            bin.sort();
            bin
        });
        assert_eq!(groups_of(&fitted), bins.collect::<Vec<_>>(), "{text}");
    }
    compare_table(&fitted, case, &text);
    let summary = call(&BinningSummary, &[state(&fitted)]).unwrap();
    for (ours, theirs) in [
        ("gini", "gini"),
        ("js", "js"),
        ("hellinger", "hellinger"),
        ("triangular", "triangular"),
        ("ks", "ks"),
        ("hhi", "hhi"),
        ("hhi_normalized", "hhi_norm"),
    ] {
        let found = float_column(summary.as_struct(), ours)[0].unwrap();
        assert!(close(found, case["summary"][theirs].as_f64().unwrap(), 1e-12), "{text} {ours}: {found}");
    }
}

/// optbinning 1.0.0, every column of germancredit.csv under every trend.
#[test]
fn german_credit_has_the_bins_of_optbinning() {
    let (german, fixture) = (German::read(), fixture());
    let cases = fixture["german"].as_array().unwrap();
    assert_eq!(cases.len(), 7 * 5 + 13 * 2);
    cases.iter().for_each(|case| compare(&german, case));
}

/// optbinning 1.0.0, one constraint at a time.
#[test]
fn constraints_give_the_bins_of_optbinning() {
    let (german, fixture) = (German::read(), fixture());
    fixture["options"].as_array().unwrap().iter().for_each(|case| compare(&german, case));
}

/// optbinning 1.0.0 with two named special codes and missing values.
#[test]
fn special_codes_and_missing_values_have_their_own_bins() {
    let (german, fixture) = (German::read(), fixture());
    let amounts = german.texts("credit_amount").into_iter().enumerate();
    let x = Float64Array::from_iter_values(amounts.map(|(row, text)| match row {
        row if row % 7 == 0 => f64::NAN,
        row if row % 11 == 0 => -1.0,
        row if row % 13 == 0 => -2.0,
        _ => text.parse().unwrap(),
    }));
    let codes = list(&[-1.0, -2.0]);
    let given = arguments(&OptimalBins, column(x), german.y(), &[("trend", "peak".into()), ("special", codes)]);
    let fitted = fit(&OptimalBins, &given).unwrap().as_struct().clone();
    let splits = splits_of(&fitted);
    let expected = floats(&fixture["special"]["splits"]);
    assert!(splits.iter().zip(&expected).all(|(split, expected)| close(*split, *expected, 1e-9)));
    compare_table(&fitted, &fixture["special"], "special");
    let rows = table_of(&fitted);
    let labels: Vec<&str> = rows.column_by_name("bin").unwrap().as_string::<i32>().iter().flatten().collect();
    assert_eq!(labels[splits.len() + 1..], ["Special -1", "Special -2", "Missing", "Totals"]);
    assert_eq!(labels[0], format!("(-inf, {:.2})", splits[0]));

    let x = || column(Float64Array::from(vec![Some(0.0), Some(1e9), Some(-1.0), Some(-2.0), Some(f64::NAN), None]));
    let bins = call(&OptimalBinApply::default(), &[state(&fitted), x()]).unwrap();
    let last = splits.len() as i64;
    let expected = [0, last, last + 1, last + 2, last + 3, last + 3];
    assert_eq!(bins.as_primitive::<Int64Type>().values(), &expected);
    let weights = call(&WoeBinApply::default(), &[state(&fitted), x()]).unwrap();
    let of_table = float_column(&rows, "woe");
    let of_bins: Vec<Option<f64>> = expected.iter().map(|bin| of_table[*bin as usize]).collect();
    assert_eq!(weights.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), of_bins);
    let options = [constant("event_over_nonevent"), constant(0.5), constant(-7), constant(ScalarValue::Null)];
    let told = call(&WoeBinApply::default(), &[vec![state(&fitted), x()], options.to_vec()].concat()).unwrap();
    let told = told.as_primitive::<Float64Type>().values().to_vec();
    assert_eq!(told[2..], [0.5, 0.5, -7.0, -7.0]);
    assert!(close(told[0], -of_bins[0].unwrap(), 1e-15));
}

fn list(numbers: &[f64]) -> ScalarValue {
    let items: Vec<ScalarValue> = numbers.iter().map(|number| ScalarValue::from(*number)).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Float64))
}

#[test]
fn special_unseen_and_missing_categories_are_told_apart() {
    let mut x: Vec<Option<&str>> = Vec::new();
    let mut y = Vec::new();
    for (category, events, non_events) in [
        (Some("a"), 10, 40),
        (Some("b"), 20, 30),
        (Some("c"), 40, 10),
        (Some("?"), 3, 7),
        (None, 4, 6),
        (Some("r"), 1, 1),
    ] {
        x.extend(vec![category; events + non_events]);
        y.extend((0..events + non_events).map(|row| row < events));
    }
    let codes = ScalarValue::List(ScalarValue::new_list_nullable(&[ScalarValue::from("?")], &DataType::Utf8));
    let options = [("special", codes), ("cat_cutoff", 0.05.into())];
    let given = arguments(&OptimalCategories, column(StringArray::from(x)), column(BooleanArray::from(y)), &options);
    let fitted = fit(&OptimalCategories, &given).unwrap().as_struct().clone();
    let x = column(StringArray::from(vec![Some("a"), Some("b"), Some("c"), Some("r"), Some("?"), None, Some("new")]));
    let bins = call(&OptimalBinApply::default(), &[state(&fitted), x.clone()]).unwrap();
    let expected = [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None];
    assert_eq!(bins.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), expected);
    let told = call(&OptimalBinApply::default(), &[state(&fitted), x.clone(), constant(-1)]).unwrap();
    assert_eq!(told.as_primitive::<Int64Type>().value(6), -1);
    let weights = call(&WoeBinApply::default(), &[state(&fitted), x]).unwrap();
    let weights = weights.as_primitive::<Float64Type>();
    // 78 events and 94 non-events.
    assert!(close(weights.value(0), ((40.0 / 94.0) / (10.0 / 78.0f64)).ln(), 1e-12));
    assert_eq!(weights.value(6), 0.0);
    let rows = table_of(&fitted);
    let labels: Vec<&str> = rows.column_by_name("bin").unwrap().as_string::<i32>().iter().flatten().collect();
    assert_eq!(labels, ["[a]", "[b]", "[c]", "[r]", "Special ?", "Missing", "Totals"]);
}

#[test]
fn bad_input_is_refused_by_name() {
    let x = || column(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]));
    let y = || column(Int64Array::from(vec![0, 1, 0, 1]));
    let error = |options: &[(&str, ScalarValue)]| {
        fit(&OptimalBins, &arguments(&OptimalBins, x(), y(), options)).unwrap_err().to_string()
    };
    assert!(error(&[("trend", "up".into())]).contains("trend of fit_optimal_bins must be one of auto, none"));
    assert!(error(&[("max_bins", 0.into())]).contains("max_bins of fit_optimal_bins must be at least 1"));
    let swapped = error(&[("max_bins", 2.into()), ("min_bins", 3.into())]);
    assert!(swapped.contains("min_bins of fit_optimal_bins must be at most max_bins, 2: it is 3"), "{swapped}");
    assert!(error(&[("max_prebins", 101.into())]).contains("max_prebins of fit_optimal_bins must be at most 100"));
    assert!(error(&[("max_p_value", 1.0.into())]).contains("max_p_value of fit_optimal_bins"));
    assert!(error(&[("special", list(&[1.0, 1.0]))]).contains("special of fit_optimal_bins must be distinct"));
    let one = fit(&OptimalBins, &arguments(&OptimalBins, x(), column(Int64Array::from(vec![1; 4])), &[]));
    assert!(one.unwrap_err().to_string().contains("y of fit_optimal_bins must have both"));
    let three = fit(&OptimalBins, &arguments(&OptimalBins, x(), column(Int64Array::from(vec![0, 1, 2, 1])), &[]));
    assert!(three.unwrap_err().to_string().contains("y of fit_optimal_bins must be 0 or 1: it is 2"));
    let rare = [("cat_cutoff", 1.0.into())];
    let rare = fit(&OptimalCategories, &arguments(&OptimalCategories, x(), y(), &rare)).unwrap_err().to_string();
    assert!(rare.contains("cat_cutoff of fit_optimal_categories must leave a category"), "{rare}");
    let other = call(&OptimalBinApply::default(), &[constant(1.0), x()]).unwrap_err().to_string();
    assert!(other.contains("the state of optimal_bin_apply must be the result of fit_optimal_bins"), "{other}");
}

#[test]
fn few_rows_give_one_bin() {
    for (x, y) in [(vec![], vec![]), (vec![1.0, 1.0], vec![0, 1])] {
        let given = arguments(&OptimalBins, column(Float64Array::from(x)), column(Int64Array::from(y)), &[]);
        let fitted = fit(&OptimalBins, &given).unwrap().as_struct().clone();
        assert_eq!(splits_of(&fitted), [0.0; 0]);
        assert_eq!(table_of(&fitted).len(), 3);
        let bins = call(&OptimalBinApply::default(), &[state(&fitted), column(Float64Array::from(vec![7.0]))]).unwrap();
        assert_eq!(bins.as_primitive::<Int64Type>().value(0), 0);
    }
    let impossible = arguments(
        &OptimalBins,
        column(Float64Array::from_iter_values((0..100).map(f64::from))),
        column(Int64Array::from_iter_values((0..100).map(|row| i64::from(row % 3 == 0)))),
        &[("min_bins", 90.into())],
    );
    let fitted = fit(&OptimalBins, &impossible).unwrap().as_struct().clone();
    assert_eq!(fitted.column_by_name("status").unwrap().as_string::<i32>().value(0), "infeasible");
    assert_eq!(splits_of(&fitted), [0.0; 0]);
}

#[test]
fn auto_is_the_best_of_the_four_shapes() {
    let german = German::read();
    for name in ["credit_amount", "age_in_years", "duration_in_month"] {
        let value = |trend: &str| {
            let options = [("trend", ScalarValue::from(trend))];
            let given = arguments(&OptimalBins, german.x(name, "numerical"), german.y(), &options);
            information_value(fit(&OptimalBins, &given).unwrap().as_struct())
        };
        let best = ["ascending", "descending", "peak", "valley"].map(value).into_iter().fold(0.0, f64::max);
        assert!(close(value("auto"), best, 1e-6), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn states_do_not_depend_on_order_split_or_merge_tree(
        rows in prop::collection::vec((prop::option::of(-30i64..30), prop::option::of(prop::bool::ANY)), 0..150),
        limit in 4i64..80, seed in 1u64..1000,
    ) {
        let mut rows = rows;
        rows.extend([(Some(1), Some(true)), (Some(2), Some(false))]);
        let x = || column(Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>()));
        let y = || column(BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>()));
        let numeric = [("special", list(&[7.0])), ("max_distinct", limit.into()), ("min_prebin_size", 0.02.into())];
        let fits: [(&dyn Fit, Vec<Given>); 2] = [
            (&OptimalBins, arguments(&OptimalBins, x(), y(), &numeric)),
            (&OptimalCategories, arguments(&OptimalCategories, x(), y(), &[("cat_cutoff", 0.01.into())])),
        ];
        for (kind, arguments) in fits {
            let whole = fit(kind, &arguments).unwrap();
            for parts in [1, 2, 7, 64] {
                prop_assert_eq!(&fit_in_parts(kind, &arguments, parts, seed).unwrap(), &whole);
            }
            // The bins count exactly the rows that are put into them.
            let fitted = whole.as_struct();
            let bins = call(&OptimalBinApply::default(), &[state(fitted), x()]).unwrap();
            let mut counts = vec![0; table_of(fitted).len() - 1];
            for (bin, row) in bins.as_primitive::<Int64Type>().values().iter().zip(&rows) {
                counts[*bin as usize] += i64::from(row.1.is_some());
            }
            prop_assert_eq!(&integer_column(&table_of(fitted), "count")[..counts.len()], &counts[..]);
            let twice = merge_states(kind, &[fitted.clone(), fitted.clone()]).unwrap();
            let total = *integer_column(&table_of(twice.as_struct()), "count").last().unwrap();
            prop_assert_eq!(total, 2 * counts.iter().sum::<i64>());
        }
    }

    #[test]
    fn no_numbers_make_it_panic(
        rows in prop::collection::vec((prop::num::f64::ANY, prop::bool::ANY), 0..60),
        quantile: bool, limit in 2i64..70,
    ) {
        let x = Float64Array::from_iter_values(rows.iter().map(|row| row.0));
        let y = BooleanArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let prebinning = if quantile { "quantile" } else { "cart" };
        let options = [("prebinning", prebinning.into()), ("max_distinct", limit.into())];
        let given = arguments(&OptimalBins, column(x.clone()), column(y), &options);
        if let Ok(fitted) = fit(&OptimalBins, &given) {
            let splits = splits_of(fitted.as_struct());
            prop_assert!(splits.windows(2).all(|pair| pair[0] < pair[1]));
            call(&WoeBinApply::default(), &[state(fitted.as_struct()), column(x)]).unwrap();
        }
    }
}
