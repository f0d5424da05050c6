//! The log has the shape that it claims.

use std::collections::{HashMap, HashSet};

use sluice_examples::shop::{Event, EventLog, ShopOptions, WINDOW_START_SECONDS};

fn options() -> ShopOptions {
    ShopOptions { events: 400_000, users: 2_000, items: 3_000, scale: 0.01, days: 9, seed: 42 }
}

fn rows() -> Vec<Event> {
    let log = EventLog::new(&options());
    (0..log.files()).flat_map(|file| log.file(file)).collect()
}

fn share(rows: &[Event], test: impl Fn(&Event) -> bool) -> f64 {
    rows.iter().filter(|event| test(event)).count() as f64 / rows.len() as f64
}

#[track_caller]
fn within(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected} ± {tolerance}");
}

#[test]
fn behaviours_have_their_shares_once_they_are_spelt_alike() {
    let spelt: Vec<String> = rows()
        .iter()
        .filter_map(|event| Some(event.behavior?.trim().to_lowercase()))
        .filter(|b| !b.is_empty())
        .collect();
    let share = |name: &str| spelt.iter().filter(|behavior| *behavior == name).count() as f64 / spelt.len() as f64;
    within(share("pv"), 0.895, 0.01);
    within(share("cart"), 0.055, 0.005);
    within(share("fav"), 0.03, 0.003);
    within(share("buy"), 0.02, 0.002);
    within(share("pv") + share("cart") + share("fav") + share("buy"), 1.0, 1e-9);
}

#[test]
fn the_dirt_is_there() {
    let rows = rows();
    let clean = ["pv", "cart", "fav", "buy"];
    within(share(&rows, |event| event.behavior.is_none()), 0.003, 0.0005);
    within(share(&rows, |event| event.behavior.is_some_and(|text| !clean.contains(&text))), 0.012, 0.001);
    assert!(rows.iter().any(|event| event.behavior == Some("PV")));
    assert!(rows.iter().any(|event| event.behavior.is_some_and(|text| text != text.trim())));
    within(share(&rows, |event| event.category_id.is_none()), 0.007, 0.001);
    within(share(&rows, |event| event.seconds.is_none()), 0.002, 0.0005);

    let window = WINDOW_START_SECONDS..WINDOW_START_SECONDS + 9 * 86_400;
    within(share(&rows, |event| event.seconds.is_some_and(|second| !window.contains(&second))), 0.003, 0.0005);
    // A wrong clock is wrong by more than the year that a reader accepts.
    let year = WINDOW_START_SECONDS..WINDOW_START_SECONDS + 365 * 86_400;
    let times = || rows.iter().filter_map(|event| event.seconds);
    assert_eq!(times().filter(|second| year.contains(second)).count(), times().filter(|s| window.contains(s)).count());
}

#[test]
fn about_one_row_in_a_hundred_is_a_copy() {
    let rows = rows();
    let distinct: HashSet<&Event> = rows.iter().collect();
    within(1.0 - distinct.len() as f64 / rows.len() as f64, 0.01, 0.002);
}

#[test]
fn some_copies_lie_in_another_file() {
    let log = EventLog::new(&options());
    let first: HashSet<Event> = log.file(0).into_iter().collect();
    assert!(log.file(1).iter().filter(|event| first.contains(event)).count() > 100);
}

#[test]
fn users_do_several_things_in_one_second() {
    let rows = rows();
    let mut at: HashMap<(i64, i64), HashSet<&Event>> = HashMap::new();
    for event in &rows {
        if let Some(second) = event.seconds {
            at.entry((event.user_id, second)).or_default().insert(event);
        }
    }
    let tied: usize = at.values().map(HashSet::len).filter(|&events| events > 1).sum();
    assert!(tied as f64 > 0.1 * rows.len() as f64, "{tied} rows share a second");
}

#[test]
fn the_top_item_has_its_share_of_the_zipf_law() {
    let rows = rows();
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for event in &rows {
        *counts.entry(event.item_id).or_default() += 1;
    }
    let top = *counts.values().max().unwrap() as f64 / rows.len() as f64;
    // With exponent 1 the first of n items has 1/H(n); H(3000) = 8.58375 (harmonic number).
    within(top, 1.0 / 8.58375, 0.006);
    assert!(counts.keys().all(|item| (1..=3_000).contains(item)));
}

#[test]
fn the_top_user_is_hot_but_not_the_log() {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    let rows = rows();
    for event in &rows {
        *counts.entry(event.user_id).or_default() += 1;
    }
    let top = *counts.values().max().unwrap() as f64 / rows.len() as f64;
    let norm: f64 = (1..=2_000).map(|rank: i32| f64::from(rank).powf(-0.75)).sum();
    within(top, 1.0 / norm, 0.2 / norm);
    assert!(counts.keys().all(|user| (1..=2_000).contains(user)));
}
