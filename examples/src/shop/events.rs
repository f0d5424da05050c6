//! The behaviour log: sessions of Zipf-drawn users over Zipf-drawn items, then the dirt of a real log.
//!
//! A file holds one slice of the time window in order of arrival. A quarter of the duplicates come right after their
//! original, the others a file later, as a retransmission does.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::Result;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};

use super::ShopOptions;
use super::files::{Job, TableFile};
use super::random::{Purpose, Scatter, exponential, pick, stream};
use crate::zipf::Zipf;

/// First second of the log: 2017-11-25 00:00:00, UTC.
pub const WINDOW_START_SECONDS: i64 = 1_511_568_000;

const DAY_SECONDS: i64 = 86_400;
const ROWS_PER_FILE: u64 = 250_000;
const LEAST_FILES: u64 = 4;
const BATCH_ROWS: usize = 32_768;
const SESSION_EVENTS_MEAN: f64 = 11.0;
const SESSION_EVENTS_MOST: usize = 100;

/// Behaviours, their share of the log, the chance that they meet an item seen before, and their misspellings.
const BEHAVIORS: [(&str, f64, f64, [&str; 4]); 4] = [
    ("pv", 0.895, 0.25, ["PV", " pv", "pv ", "Pv"]),
    ("cart", 0.055, 0.8, ["CART", " cart", "cart  ", "Cart"]),
    ("fav", 0.03, 0.8, ["FAV", " fav", "fav ", " Fav "]),
    ("buy", 0.02, 0.9, ["BUY", " buy", "buy ", "Buy"]),
];

/// Chance of an event in each hour of the day, relative to the busiest.
const HOUR_WEIGHTS: [f64; 24] = [
    0.35, 0.18, 0.12, 0.09, 0.09, 0.12, 0.22, 0.38, 0.52, 0.62, 0.70, 0.68, 0.68, 0.76, 0.76, 0.77, 0.73, 0.66, 0.72,
    0.88, 0.98, 1.00, 0.95, 0.66,
];

/// One row of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// Who acted.
    pub user_id: i64,
    /// On which item.
    pub item_id: i64,
    /// Category of the item, where the log has it.
    pub category_id: Option<i32>,
    /// `pv`, `cart`, `fav` or `buy`, perhaps misspelt or missing.
    pub behavior: Option<&'static str>,
    /// Seconds since 1970, perhaps out of range or missing.
    pub seconds: Option<i64>,
}

/// Draws the log of one set of parameters, file by file.
#[derive(Debug)]
pub struct EventLog {
    pub(super) options: ShopOptions,
    users: Zipf,
    user_ids: Scatter,
    items: Zipf,
    item_ids: Scatter,
    categories: Zipf,
    category_ids: Scatter,
}

impl EventLog {
    /// Items fall off as `1/rank`, users as `rank^-0.75`: a few are hot keys, none is half of the log.
    pub fn new(options: &ShopOptions) -> Self {
        let categories = (options.items / 100).max(8);
        Self {
            options: options.clone(),
            users: Zipf::new(options.users, 0.75),
            user_ids: Scatter::new(options.users),
            items: Zipf::new(options.items, 1.0),
            item_ids: Scatter::new(options.items),
            categories: Zipf::new(categories, 0.9),
            category_ids: Scatter::new(categories),
        }
    }

    /// Number of files that the log is cut into.
    pub fn files(&self) -> u64 {
        self.options.events.div_ceil(ROWS_PER_FILE).max(LEAST_FILES)
    }

    /// The true category of an item.
    pub fn category_of(&self, item_id: i64) -> i32 {
        let rank = self.categories.sample(&mut stream(self.options.seed, Purpose::Category, item_id as u64));
        self.category_ids.id(rank) as i32
    }

    /// The rows of one file, in order of arrival.
    pub fn file(&self, file: u64) -> Vec<Event> {
        let rows = self.rows_of(file);
        let late = rows / 133;
        let mut arrivals = self.draw(file, rows - late);
        let previous = (file + self.files() - 1) % self.files();
        let delay = self.slice(file).start - self.slice(previous).start;
        // The same stream again: the first rows of the file before, sent a second time.
        let retransmitted = self.draw(previous, late.min(self.rows_of(previous)));
        arrivals.extend(retransmitted.into_iter().map(|(second, event)| (second + delay, event)));
        arrivals.sort_by_key(|(second, _)| *second);
        arrivals.into_iter().map(|(_, event)| event).collect()
    }

    fn rows_of(&self, file: u64) -> u64 {
        let (events, files) = (u128::from(self.options.events), u128::from(self.files()));
        let before = |file: u64| u128::from(file) * events / files;
        (before(file + 1) - before(file)) as u64
    }

    fn slice(&self, file: u64) -> Range<i64> {
        let window = i64::from(self.options.days) * DAY_SECONDS;
        let cut = |file: u64| {
            WINDOW_START_SECONDS + (i128::from(file) * i128::from(window) / i128::from(self.files())) as i64
        };
        cut(file)..cut(file + 1)
    }

    /// The first `rows` rows of a file's own stream, each with its true second.
    fn draw(&self, file: u64, rows: u64) -> Vec<(i64, Event)> {
        let rows = rows as usize;
        let mut random = stream(self.options.seed, Purpose::Events, file);
        let slice = self.slice(file);
        let mut drawn = Vec::with_capacity(rows + SESSION_EVENTS_MOST);
        while drawn.len() < rows {
            self.draw_session(&mut random, &slice, &mut drawn);
        }
        drawn.truncate(rows);
        drawn
    }

    fn draw_session(&self, random: &mut Xoshiro256PlusPlus, slice: &Range<i64>, drawn: &mut Vec<(i64, Event)>) {
        let window_end = WINDOW_START_SECONDS + i64::from(self.options.days) * DAY_SECONDS;
        let user_id = self.user_ids.id(self.users.sample(random));
        let mut second = busy_second(random, slice);
        // Stray single events are common: a link from a mail, a robot, a lost session.
        let length = if random.random_bool(0.1) { 1.0 } else { 1.0 + exponential(random, SESSION_EVENTS_MEAN - 1.0) };
        let mut seen: Vec<i64> = Vec::new();
        let mut same_second: Vec<(i64, &'static str)> = Vec::new();
        for _ in 0..(length as usize).min(SESSION_EVENTS_MOST) {
            let (behavior, revisit, misspelt) = draw_behavior(random);
            let item_id = if !seen.is_empty() && random.random_bool(revisit) {
                *pick(random, &seen)
            } else {
                let item_id = self.item_ids.id(self.items.sample(random));
                seen.push(item_id);
                item_id
            };
            // Copies are made on purpose only: the same act again takes at least a second.
            if same_second.contains(&(item_id, behavior)) {
                second += 1;
                same_second.clear();
            }
            if second >= window_end {
                break;
            }
            same_second.push((item_id, behavior));
            let event = Event {
                user_id,
                item_id,
                category_id: (!random.random_bool(0.007)).then(|| self.category_of(item_id)),
                behavior: soil_behavior(random, behavior, misspelt),
                seconds: soil_second(random, second),
            };
            drawn.push((second, event));
            if random.random_bool(0.0025) {
                drawn.push((second, event));
            }
            let pause = pause_seconds(random);
            if pause > 0 {
                second += pause;
                same_second.clear();
            }
        }
    }
}

/// A second of the slice, by the hour's weight.
fn busy_second<R: Rng>(random: &mut R, slice: &Range<i64>) -> i64 {
    loop {
        let second = random.random_range(slice.clone());
        let hour = second.rem_euclid(DAY_SECONDS) / 3600;
        if random.random::<f64>() < HOUR_WEIGHTS[hour as usize] {
            return second;
        }
    }
}

fn draw_behavior<R: Rng>(random: &mut R) -> (&'static str, f64, &'static [&'static str]) {
    let mut rest: f64 = random.random();
    for (behavior, share, revisit, misspelt) in &BEHAVIORS {
        rest -= share;
        if rest < 0.0 {
            return (behavior, *revisit, misspelt);
        }
    }
    let (behavior, _, revisit, misspelt) = &BEHAVIORS[0];
    (behavior, *revisit, misspelt)
}

fn soil_behavior<R: Rng>(random: &mut R, behavior: &'static str, misspelt: &[&'static str]) -> Option<&'static str> {
    match random.random::<f64>() {
        draw if draw < 0.003 => None,
        draw if draw < 0.004 => Some(""),
        draw if draw < 0.005 => Some("  "),
        draw if draw < 0.015 => Some(*pick(random, misspelt)),
        _ => Some(behavior),
    }
}

/// Mostly the true second; else none, the epoch, or a clock that is at least 400 days wrong.
fn soil_second<R: Rng>(random: &mut R, second: i64) -> Option<i64> {
    match random.random::<f64>() {
        draw if draw < 0.002 => None,
        draw if draw < 0.003 => Some(0),
        draw if draw < 0.004 => Some(second - random.random_range(400..6000) * DAY_SECONDS),
        draw if draw < 0.005 => Some(second + random.random_range(400..6000) * DAY_SECONDS),
        _ => Some(second),
    }
}

/// Several events within a second are common; a pause beyond half an hour ends the session for a reader.
fn pause_seconds<R: Rng>(random: &mut R) -> i64 {
    match random.random::<f64>() {
        draw if draw < 0.12 => 0,
        draw if draw < 0.13 => random.random_range(1_700..2_700),
        _ => 1 + exponential(random, 40.0) as i64,
    }
}

/// Columns of the log; only the two ids are never null.
pub fn event_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Int64, false),
        Field::new("item_id", DataType::Int64, false),
        Field::new("category_id", DataType::Int32, true),
        Field::new("behavior", DataType::Utf8, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
    ]))
}

/// The rows as one batch of [`event_schema`].
pub fn event_batch(events: &[Event]) -> Result<RecordBatch> {
    let microseconds = events.iter().map(|event| event.seconds.map(|seconds| seconds * 1_000_000));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.user_id))),
        Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.item_id))),
        Arc::new(events.iter().map(|event| event.category_id).collect::<Int32Array>()),
        Arc::new(events.iter().map(|event| event.behavior).collect::<StringArray>()),
        Arc::new(microseconds.collect::<TimestampMicrosecondArray>()),
    ];
    Ok(RecordBatch::try_new(event_schema(), columns)?)
}

pub(super) fn jobs<'a>(log: &'a EventLog, folder: &Path) -> Vec<Job<'a>> {
    let write = |file: u64| -> Job<'a> {
        let path = folder.join(format!("events/part-{file:05}.parquet"));
        Box::new(move || {
            let mut table = TableFile::create(&path, event_schema())?;
            for events in log.file(file).chunks(BATCH_ROWS) {
                table.write(&event_batch(events)?)?;
            }
            table.close()
        })
    };
    (0..log.files()).map(write).collect()
}
