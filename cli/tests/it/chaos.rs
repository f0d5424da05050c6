//! Real clusters whose processes, disks and connections fail, one way for each seed.
//!
//! A seed decides what fails, when, and under which statement, so a case can be run again: `SLUICE_CHAOS_SEEDS=17..18` runs
//! that of seed 17, `SLUICE_CHAOS_SEEDS=1000` the first thousand. Whatever fails, a statement gives its right rows or an error
//! with a code within a bounded time, the cluster works afterwards, and once it is stopped no process and no file is left.

mod cases;
mod client;
mod cluster;
mod dice;
mod proxy;
mod statement;
mod typed;

use std::ops::Range;
use std::time::Instant;

use cases::CASES;
use dice::Dice;
use statement::Numbers;

/// How many seeds are tried unless a variable says otherwise: each way to fail once.
const SEEDS: u64 = 10;

#[test]
fn whatever_fails_rows_are_right_or_the_error_is_typed() {
    assert_eq!(SEEDS, CASES.len() as u64, "every case has a seed");
    let numbers = Numbers::of(30_000_000);
    for seed in seeds() {
        let number = usize::try_from(seed % SEEDS).unwrap();
        let (name, case) = CASES[number];
        let started = Instant::now();
        eprintln!("seed {seed}: {name}");
        case(&numbers, &mut Dice::new(seed));
        eprintln!("seed {seed}: {name}: done in {:.1} s", started.elapsed().as_secs_f64());
    }
}

/// `SLUICE_CHAOS_SEEDS`: how many from 0, or from which to which.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SLUICE_CHAOS_SEEDS") else { return 0..SEEDS };
    let number =
        |text: &str| text.trim().parse::<u64>().expect("SLUICE_CHAOS_SEEDS is a number, or two with .. between");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}
