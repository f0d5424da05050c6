use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use arrow::array::{ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};

use super::texts::{QUERIED_REFERER_HASH, QUERIED_URL_HASH};
use super::{BATCH_ROWS, part, rows, schema, sites, visitors};

const ROWS: u64 = 100_000;

/// Rows of a file in one piece.
fn file(total_rows: u64, file: usize, files: usize) -> RecordBatch {
    let batches: Vec<_> = rows(total_rows, file, files).collect::<Result<_, _>>().unwrap();
    assert!(batches.iter().all(|batch| (1..=BATCH_ROWS).contains(&batch.num_rows())));
    concat_batches(&schema(), &batches).unwrap()
}

/// The first rows of a table of a million, all of the queried site among them.
fn queried_site() -> RecordBatch {
    let rows = file(1_000_000, 0, 50);
    let counters = numbers::<Int32Type>(&rows, "CounterID");
    let places: Vec<usize> = (0..counters.len()).filter(|row| counters[*row] == sites::QUERIED).collect();
    assert!(places.len() == 7400 && places[7399] + 1 < counters.len());
    rows.slice(places[0], places.len())
}

fn numbers<T: ArrowPrimitiveType>(rows: &RecordBatch, column: &str) -> Vec<T::Native> {
    rows.column_by_name(column).unwrap().as_primitive::<T>().values().to_vec()
}

fn texts<'a>(rows: &'a RecordBatch, column: &str) -> Vec<&'a str> {
    rows.column_by_name(column).unwrap().as_string::<i32>().iter().map(Option::unwrap).collect()
}

fn distinct<T: Hash + Eq>(values: Vec<T>) -> f64 {
    let all = values.len() as f64;
    values.into_iter().collect::<HashSet<_>>().len() as f64 / all
}

fn share<T>(values: &[T], matches: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| matches(value)).count() as f64 / values.len() as f64
}

#[track_caller]
fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not about {expected}");
}

#[test]
fn the_table_has_the_columns_of_the_real_one() {
    let schema = schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.len(), 105);
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 105);
    assert_eq!((names[0], names[13], names[39], names[104]), ("WatchID", "URL", "SearchPhrase", "CLID"));
    assert!(schema.fields().iter().all(|field| !field.is_nullable()));
}

#[test]
fn a_row_is_the_same_in_whatever_file_it_stands() {
    let whole = file(20_011, 0, 1);
    assert_eq!(whole.num_rows(), 20_011);
    let files: Vec<_> = (0..7).map(|number| file(20_011, number, 7)).collect();
    assert_eq!(concat_batches(&schema(), &files).unwrap(), whole);
    assert!(rows(20_011, 7, 7).next().is_none() && rows(0, 0, 1).next().is_none());
    assert_eq!((part(10, 0, 3), part(10, 2, 3)), (0..3, 6..10));
}

#[test]
fn tiny_tables_are_whole() {
    for total_rows in [1, 2, 11, 50, 3000] {
        assert_eq!(file(total_rows, 0, 1).num_rows() as u64, total_rows);
    }
}

#[test]
fn rows_stand_in_the_order_of_site_and_day() {
    let rows = file(ROWS, 0, 1);
    let (counters, days) = (numbers::<Int32Type>(&rows, "CounterID"), numbers::<Date32Type>(&rows, "EventDate"));
    let keys: Vec<_> = counters.into_iter().zip(days.iter().copied()).collect();
    assert!(keys.is_sorted());
    let july = sites::FIRST_DAY..sites::FIRST_DAY + sites::DAYS as i32;
    assert_eq!((days.iter().min(), days.iter().max()), (Some(&july.start), Some(&(july.end - 1))));
    let times = numbers::<TimestampMicrosecondType>(&rows, "EventTime");
    assert!(times.iter().zip(&days).all(|(time, day)| time.div_euclid(86_400_000_000) == i64::from(*day)));
}

#[test]
fn values_have_their_frequencies() {
    let rows = file(ROWS, 0, 1);
    close(distinct(texts(&rows, "URL")), 0.31, 0.03);
    close(distinct(texts(&rows, "Title")), 0.22, 0.03);
    close(distinct(texts(&rows, "Referer")), 0.42, 0.04);
    close(distinct(numbers::<Int64Type>(&rows, "UserID")), 0.2, 0.02);
    close(distinct(numbers::<Int64Type>(&rows, "WatchID")), 1.0, 0.0005);
    let phrases = texts(&rows, "SearchPhrase");
    close(share(&phrases, |phrase| phrase.is_empty()), 0.868, 0.005);
    close(distinct(phrases), 0.06, 0.01);
    close(share(&texts(&rows, "MobilePhoneModel"), |model| model.is_empty()), 0.95, 0.01);
    close(share(&numbers::<Int16Type>(&rows, "AdvEngineID"), |engine| *engine != 0), 0.0063, 0.001);
    close(share(&numbers::<Int16Type>(&rows, "IsRefresh"), |refreshed| *refreshed == 1), 0.1, 0.01);
    close(share(&numbers::<Int32Type>(&rows, "CounterID"), |counter| *counter == sites::QUERIED), 0.0074, 0.0001);
    close(share(&numbers::<Int32Type>(&rows, "CounterID"), |counter| *counter == 3922), 0.115, 0.001);
    close(share(&numbers::<Int32Type>(&rows, "RegionID"), |region| *region == 229), 0.18, 0.01);
    close(share(&texts(&rows, "URL"), |address| address.contains("google")), 0.00015, 0.0001);
    close(share(&texts(&rows, "Title"), |title| title.contains("Google")), 0.0005, 0.0003);
    let widths = numbers::<Int16Type>(&rows, "ResolutionWidth");
    close(widths.iter().map(|width| f64::from(*width)).sum::<f64>() / widths.len() as f64, 1500.0, 50.0);
    let referers = texts(&rows, "Referer");
    close(share(&referers, |referer| referer.starts_with("http://yandex.ru/")), 0.125, 0.02);
}

#[test]
fn equal_addresses_have_equal_hashes_and_others_have_others() {
    let rows = file(ROWS, 0, 1);
    let mut hashes = HashMap::new();
    for (text, hash) in [("URL", "URLHash"), ("Referer", "RefererHash")] {
        for (text, hash) in texts(&rows, text).into_iter().zip(numbers::<Int64Type>(&rows, hash)) {
            assert_eq!(*hashes.entry(text).or_insert(hash), hash, "{text}");
        }
    }
    let addresses = hashes.len();
    assert_eq!(hashes.into_values().collect::<HashSet<_>>().len(), addresses);
}

#[test]
fn the_user_that_a_query_asks_for_was_there() {
    for total_rows in [1000, ROWS] {
        let users = numbers::<Int64Type>(&file(total_rows, 0, 1), "UserID");
        assert!((2..=32).contains(&users.iter().filter(|user| **user == visitors::QUERIED).count()));
    }
}

#[test]
fn a_million_rows_are_enough_for_the_offsets_of_the_queries_of_one_site() {
    let rows = queried_site();
    let days = numbers::<Date32Type>(&rows, "EventDate");
    let minutes = numbers::<TimestampMicrosecondType>(&rows, "EventTime");
    let short = |column| numbers::<Int16Type>(&rows, column);
    let (addresses, referers) = (texts(&rows, "URL"), texts(&rows, "Referer"));
    let (url_hashes, referer_hashes) =
        (numbers::<Int64Type>(&rows, "URLHash"), numbers::<Int64Type>(&rows, "RefererHash"));
    let (refreshed, uncounted) = (short("IsRefresh"), short("DontCountHits"));
    let (links, downloads, sources) = (short("IsLink"), short("IsDownload"), short("TraficSourceID"));
    let counted = |row: usize| refreshed[row] == 0 && uncounted[row] == 0;
    let of = |kept: &dyn Fn(usize) -> bool| (0..rows.num_rows()).filter(|row| kept(*row)).collect::<Vec<_>>();

    let q39 = of(&|row| refreshed[row] == 0 && links[row] != 0 && downloads[row] == 0);
    assert!(q39.iter().map(|row| addresses[*row]).collect::<HashSet<_>>().len() >= 1010);
    let q40 = of(&|row| refreshed[row] == 0);
    assert!(q40.iter().map(|row| (referers[*row], addresses[*row])).collect::<HashSet<_>>().len() >= 1010);
    let from_queried = |row: usize| referer_hashes[row] == QUERIED_REFERER_HASH && [-1, 6].contains(&sources[row]);
    let q41 = of(&|row| refreshed[row] == 0 && from_queried(row));
    assert!(q41.iter().map(|row| (url_hashes[*row], days[*row])).collect::<HashSet<_>>().len() >= 110);
    let q42 = of(&|row| counted(row) && url_hashes[row] == QUERIED_URL_HASH);
    assert!(q42.len() >= 200);
    let q43 = of(&|row| counted(row) && [13, 14].contains(&(days[row] - sites::FIRST_DAY)));
    assert!(q43.iter().map(|row| minutes[*row] / 60_000_000).collect::<HashSet<_>>().len() >= 1010);
}
