//! `embed`: Sluice as a library, in a program of one's own.
//!
//! Reads the shop's Parquet files, filters, aggregates and ranks with DataFusion's own DataFrame API, writes the result
//! as Parquet and shows it. The same code runs in this process and on a cluster: only `--master` differs.

use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;
use std::{fs, io, thread};

use clap::Parser;
use datafusion::dataframe::{DataFrame, DataFrameWriteOptions};
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::{btrim, lower};
use datafusion::functions_aggregate::count::count_all;
use datafusion::functions_aggregate::expr_fn::{count_distinct, sum};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, JoinType, col, lit, when};
use sluice::{ParquetOptions, Result, Session};
use sluice_examples::shop::{ShopOptions, generate};

/// Ranks the items of each category by their buyers.
#[derive(Debug, Parser)]
#[command(name = "embed", version)]
struct Arguments {
    /// Where to run: `local[*]`, `local-cluster[3]` or `sluice://host:50050`.
    #[arg(long, default_value = "local[*]")]
    master: String,
    /// Folder with the shop's data; a small shop is generated where it has none.
    #[arg(long, default_value = "target/examples/embed/data")]
    data: PathBuf,
    /// Folder for the result, which replaces the subfolder `ranking`.
    #[arg(long, default_value = "target/examples/embed/out")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.blame().exit_code())
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { master, data, out } = arguments;
    // The processes of a cluster have working folders of their own.
    let (data, out) = (absolute(&data).map_err(from_io)?, absolute(out.join("ranking")).map_err(from_io)?);
    prepare_folders(&data, &out)?;
    let session = Session::builder().master(master).build().await?;

    let ranking = rank_items(&session, &data).await?;
    let folder = format!("{}/", out.display());
    ranking.write_parquet(&folder, DataFrameWriteOptions::new(), None).await?;

    let written = session.read_parquet(&folder, ParquetOptions::default()).await?;
    println!("{} rows in {folder}", written.clone().count().await?);
    let leaders = written
        .filter(col("position").eq(lit(1_u64)))?
        .sort(vec![col("buyers").sort(false, false), col("item_id").sort(true, false)])?
        .limit(0, Some(10))?;
    leaders.show().await?;
    Ok(())
}

fn from_io(error: io::Error) -> sluice::Error {
    DataFusionError::from(error).into()
}

/// Generates a small shop where there is none, and makes room for the result.
fn prepare_folders(data: &Path, out: &Path) -> Result<()> {
    if !data.join("events").is_dir() {
        let options = ShopOptions { events: 100_000, users: 5_000, items: 5_000, scale: 0.01, ..Default::default() };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        generate(&options, data, threads)?;
    }
    if out.exists() {
        fs::remove_dir_all(out).map_err(from_io)?;
    }
    if let Some(parent) = out.parent() {
        fs::create_dir_all(parent).map_err(from_io)?;
    }
    Ok(())
}

/// The three items of each category that most users bought, with their views; ties go to the smaller id.
async fn rank_items(session: &Session, data: &Path) -> Result<DataFrame> {
    let table = |name: &str| format!("{}/{name}/", data.display());
    let events = session.read_parquet(&table("events"), ParquetOptions::default()).await?;
    let items = session.read_parquet(&table("items"), ParquetOptions::default()).await?;

    let behavior = lower(btrim(vec![col("behavior")]));
    let buyer = when(behavior.clone().eq(lit("buy")), col("user_id")).end()?;
    let view = when(behavior.eq(lit("pv")), lit(1_i64)).otherwise(lit(0_i64))?;
    let counts = events.filter(col("behavior").is_not_null())?.aggregate(
        vec![col("item_id")],
        vec![count_all().alias("events"), sum(view).alias("views"), count_distinct(buyer).alias("buyers")],
    )?;

    let position = row_number()
        .partition_by(vec![col("category_id")])
        .order_by(vec![col("buyers").sort(false, false), col("item_id").sort(true, false)])
        .build()?;
    let items =
        items.select(vec![col("item_id").alias("known_item_id"), col("category_id"), col("title"), col("price")])?;
    let ranking = counts
        .filter(col("buyers").gt(lit(0_i64)))?
        .join(items, JoinType::Inner, &["item_id"], &["known_item_id"], None)?
        .with_column("position", position)?
        .filter(col("position").lt_eq(lit(3_u64)))?
        .select_columns(&["category_id", "position", "item_id", "title", "price", "buyers", "views", "events"])?;
    Ok(ranking)
}
