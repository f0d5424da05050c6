//! A generated shop: a behaviour log of real shape, its users and items, and the TPC-H orders of the same users.
//!
//! The log is like the public Taobao user-behaviour log: page views, carts, favourites and purchases in sessions,
//! with Zipf popularity of users and items, many ties in time, and the usual dirt (duplicates, nulls, misspelt
//! behaviours, times out of range). Every file is a function of the parameters and its own number alone, so that the
//! rows do not depend on the threads that write them.

mod catalogue;
mod events;
mod files;
mod orders;
mod random;

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use datafusion::error::{DataFusionError, Result};

pub use events::{Event, EventLog, WINDOW_START_SECONDS, event_batch, event_schema};

/// Names the parameters of the data in a finished folder.
pub const MARKER: &str = "_COMPLETE";

/// The subfolders that [`generate`] writes, one Parquet table each.
pub const TABLES: [&str; 5] = ["events", "users", "items", "orders", "customer"];

/// Size and seed of a generated shop.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopOptions {
    /// Rows of the log, duplicates included.
    pub events: u64,
    /// Users; their ids are TPC-H customer keys too, as far as the scale has customers.
    pub users: u64,
    /// Items of the shop.
    pub items: u64,
    /// TPC-H scale factor of `orders` and `customer`: 0.1 has 15,000 customers.
    pub scale: f64,
    /// Days that the log spans from 2017-11-25, at most 365.
    pub days: u32,
    /// Seed of everything that is drawn, TPC-H excepted.
    pub seed: u64,
}

impl Default for ShopOptions {
    fn default() -> Self {
        Self { events: 1_000_000, users: 20_000, items: 50_000, scale: 0.1, days: 9, seed: 42 }
    }
}

impl fmt::Display for ShopOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, users, items, scale, days, seed } = self;
        write!(formatter, "format=1 events={events} users={users} items={items} scale={scale} days={days} seed={seed}")
    }
}

impl ShopOptions {
    /// An error that names the first parameter out of its range.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(DataFusionError::Configuration(message));
        if self.events < 1 || self.users < 1 || self.items < 1 {
            return refuse("events, users and items must be at least 1".into());
        }
        if self.users > u64::from(u32::MAX) || self.items > u64::from(u32::MAX) {
            return refuse(format!("users and items must be at most {}", u32::MAX));
        }
        if !(1..=365).contains(&self.days) {
            return refuse(format!("days must be from 1 to 365, not {}", self.days));
        }
        if !(self.scale > 0.0 && self.scale <= 1000.0) {
            return refuse(format!("scale must be above 0 and at most 1000, not {}", self.scale));
        }
        Ok(())
    }
}

/// What [`generate`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The folder was written.
    Written,
    /// The folder already held the data of these very parameters.
    Present,
}

/// Writes the shop into `folder` with up to `threads` threads, unless its marker names the same parameters.
///
/// The marker is removed first and written last, so that a folder with a marker is complete. Part files of
/// other parameters are replaced; other files in the folder are left alone.
pub fn generate(options: &ShopOptions, folder: &Path, threads: usize) -> Result<Outcome> {
    options.check()?;
    let marker = folder.join(MARKER);
    let parameters = format!("{options}\n");
    match fs::read_to_string(&marker) {
        Ok(found) if found == parameters => return Ok(Outcome::Present),
        Ok(_) => fs::remove_file(&marker)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    for table in TABLES {
        clear_table(&folder.join(table))?;
    }
    let log = EventLog::new(options);
    let mut jobs: Vec<files::Job<'_>> = orders::jobs(options, folder);
    jobs.extend(events::jobs(&log, folder));
    jobs.extend(catalogue::jobs(&log, folder));
    files::run(jobs, threads)?;
    fs::write(&marker, parameters)?;
    Ok(Outcome::Written)
}

/// Makes the folder, without the part files of an earlier run; what else lies there is not ours.
fn clear_table(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("part-") && name.ends_with(".parquet") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
