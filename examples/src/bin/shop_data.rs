//! `shop-data`: writes the shop's behaviour log and its tables as Parquet.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use clap::Parser;
use sluice_examples::shop::{Outcome, ShopOptions, generate};

/// Writes a generated shop as Parquet: events, users, items, orders and customer.
///
/// The same parameters give the same rows, whatever the threads. A folder that already holds them is left as it is.
#[derive(Debug, Parser)]
#[command(name = "shop-data", version)]
struct Arguments {
    /// Folder to write; one subfolder for each table.
    #[arg(long)]
    out: PathBuf,
    /// Rows of the log, about 1 % duplicates included.
    #[arg(long, default_value_t = ShopOptions::default().events)]
    events: u64,
    /// Users, from 1 up.
    #[arg(long, default_value_t = ShopOptions::default().users)]
    users: u64,
    /// Items, from 1 up.
    #[arg(long, default_value_t = ShopOptions::default().items)]
    items: u64,
    /// TPC-H scale factor of orders and customer.
    #[arg(long, default_value_t = ShopOptions::default().scale)]
    scale: f64,
    /// Days that the log spans from 2017-11-25, 1 to 365.
    #[arg(long, default_value_t = ShopOptions::default().days)]
    days: u32,
    /// Seed of everything but TPC-H.
    #[arg(long, default_value_t = ShopOptions::default().seed)]
    seed: u64,
    /// Threads that write; the number of cores where absent.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let Arguments { out, events, users, items, scale, days, seed, threads } = Arguments::parse();
    let options = ShopOptions { events, users, items, scale, days, seed };
    let threads = threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let start = Instant::now();
    match generate(&options, &out, threads) {
        Ok(Outcome::Written) => {
            eprintln!("{}: written in {:.1} s ({options})", out.display(), start.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Ok(Outcome::Present) => {
            eprintln!("{}: already there ({options})", out.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
