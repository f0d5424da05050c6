//! The order of the page views: site by site, day by day, and in a day visit by visit.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::random::{below, draw, pick, skewed_below};
use super::sites::{DAYS, FIRST_DAY, Sites};
use super::visitors::Visitor;
use crate::zipf::Zipf;

/// A visit starts at each row whose number is a multiple of it, so that a row can be drawn without all those before it.
const LONGEST_VISIT: u64 = 16;
/// Of how many rows one has a visitor who comes from elsewhere.
const ROWS_PER_ENTRY: u64 = 3;
/// Users for each row of the table. Nearly a fifth of the rows then have a user of their own.
const USERS_PER_ROW: f64 = 0.24;
/// At these parts of the table, in twelfths, there is a visit of the user that Q20 asks for.
const QUERIED_USER_AT: [u64; 2] = [5, 8];
/// The thousandths of the views from inside a site that show the same page again.
const REFRESHED: u64 = 150;
/// Of how many further rows of a visit one has the `WatchID` of the row before it.
const ROWS_PER_REPEATED_NUMBER: u64 = 50_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// What led visitors from elsewhere here: about 13 % of all rows come from a search with a phrase.
const SOURCES: [(Source, u32); 7] = [
    (Source::Search, 407),
    (Source::Link, 260),
    (Source::Direct, 225),
    (Source::Social, 45),
    (Source::Saved, 30),
    (Source::Advertisement, 19),
    (Source::Mail, 14),
];
/// The thousandths of the searches whose phrase is known.
const KNOWN_PHRASES: u64 = 970;
const SEARCH_ENGINES: [(i16, u32); 8] = [(2, 660), (3, 220), (4, 60), (13, 20), (1, 15), (30, 10), (49, 8), (54, 7)];
const ADVERTISING_ENGINES: [(i16, u32); 12] =
    [(2, 641), (27, 180), (13, 72), (45, 62), (44, 15), (3, 11), (62, 8), (52, 6), (50, 2), (28, 1), (53, 1), (25, 1)];

const SEED: u64 = 0x0511_7E55_0000_0009;

/// Where a visitor came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Internal,
    Direct,
    Link,
    Search,
    Advertisement,
    Saved,
    Mail,
    Social,
}

impl Source {
    /// `TraficSourceID`.
    pub(super) fn number(self) -> i16 {
        match self {
            Self::Internal => -1,
            Self::Direct => 0,
            Self::Link => 1,
            Self::Search => 2,
            Self::Advertisement => 3,
            Self::Saved => 6,
            Self::Mail => 7,
            Self::Social => 8,
        }
    }
}

/// A page view: what several columns need. The rest is drawn from the seeds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) seed: u64,
    pub(super) visit_seed: u64,
    pub(super) watch_id: i64,
    /// The place of the site.
    pub(super) site: usize,
    /// `CounterID`.
    pub(super) counter: i32,
    /// Days since 1970-01-01.
    pub(super) day: i32,
    /// Seconds since midnight.
    pub(super) second: u64,
    pub(super) visitor: Visitor,
    pub(super) page: u64,
    pub(super) previous_page: u64,
    pub(super) source: Source,
    pub(super) engine: i16,
    pub(super) advertising_engine: i16,
    /// What decides on the search phrase, if there is one.
    pub(super) phrase: Option<u64>,
    pub(super) refreshed: bool,
}

impl Hit {
    /// Bits of this view alone, others for each number.
    pub(super) fn bits(&self, at: u64) -> u64 {
        draw(self.seed, at)
    }

    /// Bits that are the same in the whole visit.
    pub(super) fn visit_bits(&self, at: u64) -> u64 {
        draw(self.visit_seed, at)
    }

    /// Bits that are the same in all views of the user.
    pub(super) fn visitor_bits(&self, at: u64) -> u64 {
        draw(self.visitor.seed, at)
    }

    /// Seconds since 1970.
    pub(super) fn time(&self) -> i64 {
        i64::from(self.day) * SECONDS_PER_DAY as i64 + self.second as i64
    }
}

/// Draws one page view after another.
pub(super) struct Visits {
    next: u64,
    users: u64,
    queried_user_at: [u64; 2],
    /// The site and its day that the next row belongs to, unless it lies behind them.
    site: usize,
    counter: i32,
    site_end: u64,
    pages: Zipf,
    days: [u64; DAYS],
    day: usize,
    visit_seed: u64,
    visitor: Visitor,
    second: u64,
    page: u64,
}

impl Visits {
    /// The rows of a table of so many rows, from one of them on.
    pub(super) fn new(sites: &Sites, total_rows: u64, first: u64) -> Self {
        let users = ((total_rows as f64 * USERS_PER_ROW) as u64).max(1);
        let start = first - first % LONGEST_VISIT;
        let mut visits = Self {
            next: start,
            users,
            queried_user_at: QUERIED_USER_AT.map(|twelfths| total_rows / 12 * twelfths),
            site: sites.place_of(start),
            counter: 0,
            site_end: 0,
            pages: Zipf::new(1, 1.0),
            days: [0; DAYS],
            day: 0,
            visit_seed: 0,
            visitor: Visitor::new(0, users),
            second: 0,
            page: 1,
        };
        visits.enter_site(sites);
        for _ in start..first {
            visits.next(sites);
        }
        visits
    }

    /// The next row.
    pub(super) fn next(&mut self, sites: &Sites) -> Hit {
        let row = self.next;
        self.next += 1;
        let mut starts = row.is_multiple_of(LONGEST_VISIT);
        while row >= self.site_end && self.site + 1 < sites.all().len() {
            self.site += 1;
            self.enter_site(sites);
            starts = true;
        }
        while self.day + 1 < DAYS && row >= self.days[self.day] {
            self.day += 1;
            starts = true;
        }
        let seed = draw(SEED, row);
        let enters = draw(seed, 50).is_multiple_of(ROWS_PER_ENTRY);
        let queried = self.queried_user_at.contains(&row);
        starts |= enters || queried;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut watch_id = draw(seed, 51);
        if starts {
            self.visit_seed = draw(seed, 52);
            let rank = skewed_below(draw(seed, 53), self.users);
            self.visitor = if queried { Visitor::queried(self.users) } else { Visitor::new(rank, self.users) };
            // Most people are awake in the middle of the day.
            self.second = (below(draw(seed, 54), SECONDS_PER_DAY) + below(draw(seed, 55), SECONDS_PER_DAY)) / 2;
            self.page = self.pages.sample(&mut random);
        } else {
            self.second = (self.second + 1 + below(draw(seed, 54), 180)).min(SECONDS_PER_DAY - 1);
            if draw(seed, 55).is_multiple_of(ROWS_PER_REPEATED_NUMBER) {
                watch_id = draw(draw(SEED, row - 1), 51);
            }
        }
        let previous_page = self.page;
        let refreshed = !enters && below(draw(seed, 56), 1000) < REFRESHED;
        if !refreshed {
            self.page = self.pages.sample(&mut random);
        }
        let source = if enters { pick(draw(seed, 57), &SOURCES).unwrap_or(Source::Direct) } else { Source::Internal };
        let searched = source == Source::Search;
        let advertised = source == Source::Advertisement;
        Hit {
            seed,
            visit_seed: self.visit_seed,
            watch_id: (watch_id >> 1) as i64,
            site: self.site,
            counter: self.counter,
            day: FIRST_DAY + self.day as i32,
            second: self.second,
            visitor: self.visitor,
            page: self.page,
            previous_page,
            source,
            engine: if searched { pick(draw(seed, 58), &SEARCH_ENGINES).unwrap_or_default() } else { 0 },
            advertising_engine: if advertised {
                pick(draw(seed, 58), &ADVERTISING_ENGINES).unwrap_or_default()
            } else {
                0
            },
            phrase: (searched && below(draw(seed, 59), 1000) < KNOWN_PHRASES).then(|| draw(seed, 60)),
            refreshed,
        }
    }

    fn enter_site(&mut self, sites: &Sites) {
        if let Some(site) = sites.get(self.site) {
            self.counter = site.id;
            self.site_end = site.rows.end;
            self.pages = site.pages();
            self.days = site.days().map(|rows| rows.end);
            self.day = 0;
        }
    }
}
