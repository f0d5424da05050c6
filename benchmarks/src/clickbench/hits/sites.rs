//! The sites that are counted, each with its rows, days and pages.

use std::ops::Range;

use super::random::{below, draw};
use crate::zipf::Zipf;

/// The site that the queries of one site ask for.
pub(super) const QUERIED: i32 = 62;
/// Days from 1970-01-01 to 2013-07-01.
pub(super) const FIRST_DAY: i32 = 15_887;
/// Days of July.
pub(super) const DAYS: usize = 31;

/// Sites with their share of the rows in hundred thousandths, about that of the real table. Only the first two have
/// more than there, so that they pass Q28's 100,000 rows in a table of a million rows.
const LARGE: [(i32, u32); 25] = [
    (3922, 11_500),
    (199_550, 10_400),
    (122_612, 3570),
    (233_773, 2940),
    (245_438, 2510),
    (256_004, 860),
    (186_300, 800),
    (QUERIED, 740),
    (146_891, 610),
    (38, 510),
    (220_992, 490),
    (96_948, 400),
    (95_427, 370),
    (1634, 320),
    (188_878, 310),
    (77_639, 250),
    (234_004, 240),
    (114_157, 220),
    (230_962, 170),
    (196_239, 160),
    (515, 150),
    (97_467, 130),
    (191_697, 120),
    (786, 120),
    (249_603, 120),
];
const SHARES: f64 = 100_000.0;
/// How many other sites there are; the frequencies of their ranks fall as `1 / (rank + SMALL_FLATNESS)`.
const SMALL: u64 = 6_475;
const SMALL_FLATNESS: f64 = 20.0;
/// How many numbers each small site has to choose its own from.
const SMALL_SPACING: u64 = 40;
/// A number without common divisors with the number of small sites, so that frequent ones lie between rare ones.
const SMALL_STEP: u64 = 2053;

/// Pages of a site for each of its rows. Zipf's law then leaves about a quarter of the rows distinct pages.
const PAGES_PER_ROW: f64 = 0.5;
/// The queried site has more, so that Q39 still finds something after a thousand pages.
const QUERIED_PAGES_PER_ROW: f64 = 3.0;

/// Views on a day, Saturdays and Sundays have fewer.
const WORKDAY: f64 = 1.0;
const WEEKEND: f64 = 0.8;
/// In the real table the queried site has nearly all its views on two days, those that Q43 asks for.
const QUERIED_DAYS: [(usize, f64); 2] = [(13, 60.0), (14, 210.0)];

const SEED: u64 = 0x0511_7E55_0000_0001;

/// A site.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// `CounterID`.
    pub(super) id: i32,
    /// Its rows in the table.
    pub(super) rows: Range<u64>,
    /// What its texts depend on.
    pub(super) seed: u64,
}

impl Site {
    /// Draws the number of a page; 1 is the most frequent one.
    pub(super) fn pages(&self) -> Zipf {
        let per_row = if self.id == QUERIED { QUERIED_PAGES_PER_ROW } else { PAGES_PER_ROW };
        Zipf::new(((self.rows.end - self.rows.start) as f64 * per_row).ceil() as u64, 1.0)
    }

    /// The rows of each day.
    pub(super) fn days(&self) -> [Range<u64>; DAYS] {
        let weight = |day: usize| {
            let queried = QUERIED_DAYS.iter().find(|(at, _)| self.id == QUERIED && *at == day);
            // The first of July 2013 was a Monday.
            queried.map_or(if day % 7 >= 5 { WEEKEND } else { WORKDAY }, |(_, weight)| *weight)
        };
        let all: f64 = (0..DAYS).map(weight).sum();
        let rows = (self.rows.end - self.rows.start) as f64;
        let (mut passed, mut start) = (0.0, self.rows.start);
        std::array::from_fn(|day| {
            passed += weight(day);
            let last = day + 1 == DAYS;
            let end = if last { self.rows.end } else { self.rows.start + (rows * passed / all) as u64 };
            let day = start..end.max(start);
            start = day.end;
            day
        })
    }
}

/// All sites in the order of their numbers, which is that of the table.
#[derive(Debug, Clone)]
pub(super) struct Sites(Vec<Site>);

impl Sites {
    /// The sites of a table of so many rows.
    pub(super) fn new(total_rows: u64) -> Self {
        let mut shares: Vec<(i32, f64)> = LARGE.iter().map(|(id, share)| (*id, f64::from(*share) / SHARES)).collect();
        let left = 1.0 - shares.iter().map(|(_, share)| share).sum::<f64>();
        let weight = |rank: u64| 1.0 / (rank as f64 + SMALL_FLATNESS);
        let all: f64 = (1..=SMALL).map(weight).sum();
        shares.extend((1..=SMALL).map(|rank| (small_id(rank), left * weight(rank) / all)));
        shares.sort_by_key(|(id, _)| *id);
        let (mut passed, mut start, last) = (0.0, 0, shares.len() - 1);
        let site = |(at, (id, share)): (usize, (i32, f64))| {
            passed += share;
            let end = if at == last { total_rows } else { (total_rows as f64 * passed) as u64 };
            let rows = start..end.clamp(start, total_rows);
            start = rows.end;
            Site { id, rows, seed: draw(SEED, id as u64) }
        };
        Self(shares.into_iter().enumerate().map(site).collect())
    }

    /// The site at a place of the order.
    pub(super) fn get(&self, at: usize) -> Option<&Site> {
        self.0.get(at)
    }

    /// The place of the site that a row belongs to.
    pub(super) fn place_of(&self, row: u64) -> usize {
        self.0.partition_point(|site| site.rows.end <= row)
    }

    /// All sites.
    pub(super) fn all(&self) -> &[Site] {
        &self.0
    }
}

/// The number of a small site. None of the large ones has it.
fn small_id(rank: u64) -> i32 {
    let place = rank * SMALL_STEP % SMALL;
    // The last number of each span stays free, for the neighbour of a large site's number.
    let id = (100 + place * SMALL_SPACING + below(draw(SEED, rank), SMALL_SPACING - 1)) as i32;
    if LARGE.iter().any(|(large, _)| *large == id) { id + 1 } else { id }
}
