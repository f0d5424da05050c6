//! The rows are a function of the parameters, and a finished folder is not written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sluice_examples::shop::{Event, EventLog, MARKER, Outcome, ShopOptions, TABLES, generate};

use crate::shop_job::scratch;

fn small() -> ShopOptions {
    ShopOptions { events: 20_000, users: 500, items: 800, scale: 0.001, days: 3, seed: 1 }
}

fn rows(options: &ShopOptions) -> Vec<Event> {
    let log = EventLog::new(options);
    (0..log.files()).flat_map(|file| log.file(file)).collect()
}

/// Every file below the folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files =
        TABLES.iter().flat_map(|table| fs::read_dir(folder.join(table)).unwrap().map(|entry| entry.unwrap().path()));
    files.map(|path| (path.strip_prefix(folder).unwrap().display().to_string(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_seed_fixes_the_rows() {
    let first = rows(&small());
    assert_eq!(first.len(), 20_000);
    assert_eq!(first, rows(&small()));
    let other = rows(&ShopOptions { seed: 2, ..small() });
    assert_eq!(other.len(), 20_000);
    assert_ne!(first, other);
}

#[test]
fn threads_do_not_matter() {
    let (one, four) = (scratch("one-thread"), scratch("four-threads"));
    assert_eq!(generate(&small(), &one, 1).unwrap(), Outcome::Written);
    assert_eq!(generate(&small(), &four, 4).unwrap(), Outcome::Written);
    let files = contents(&one);
    assert!(files.len() >= 4 + 4 + 3, "{:?}", files.keys());
    assert!(files == contents(&four));
}

#[test]
fn a_finished_folder_is_kept_and_another_is_replaced() {
    let folder = scratch("again");
    assert_eq!(generate(&small(), &folder, 2).unwrap(), Outcome::Written);
    let bystander = folder.join("notes.txt");
    fs::write(&bystander, "mine").unwrap();
    let before = contents(&folder);
    assert_eq!(generate(&small(), &folder, 2).unwrap(), Outcome::Present);

    let other = ShopOptions { seed: 9, ..small() };
    assert_eq!(generate(&other, &folder, 2).unwrap(), Outcome::Written);
    assert_ne!(contents(&folder).get("events/part-00000.parquet"), before.get("events/part-00000.parquet"));
    assert_eq!(fs::read_to_string(&bystander).unwrap(), "mine");

    // Without its marker a folder counts as half written.
    fs::remove_file(folder.join(MARKER)).unwrap();
    fs::write(folder.join("events/part-00000.parquet"), "torn").unwrap();
    assert_eq!(generate(&small(), &folder, 2).unwrap(), Outcome::Written);
    assert!(contents(&folder) == before);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let folder = scratch("refused");
    for bad in [
        ShopOptions { events: 0, ..small() },
        ShopOptions { days: 366, ..small() },
        ShopOptions { scale: f64::NAN, ..small() },
        ShopOptions { users: u64::MAX, ..small() },
    ] {
        assert!(generate(&bad, &folder, 1).is_err(), "{bad}");
    }
    assert!(!folder.join("events").exists());
}
