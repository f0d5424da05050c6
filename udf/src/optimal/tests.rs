use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
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
