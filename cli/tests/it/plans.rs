//! The plans of all queries of TPC-H and TPC-DS, embedded and on a cluster, beside those in `benchmarks/plans`, so that a
//! change of a plan shows in review. `SLUICE_REGENERATE=1` writes the files anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use datafusion::arrow::array::AsArray;
use sluice::Session;

use crate::support::{Scratch, repository, stderr};

/// Small enough to make for a test, large enough that joins are not all alike.
const SCALE: &str = "0.1";
/// Lines around the first difference that a failure shows.
const CONTEXT: usize = 3;

async fn check(benchmark: &str, queries: usize, mode: &str, master: &str) {
    let scratch = Scratch::new();
    let data = scratch.path("data");
    let made = scratch.run(&["bench", benchmark, "--scale", SCALE, "--queries", "1", "-i", "1", "--data", &data]);
    assert!(made.status.success(), "{}", stderr(&made));
    let session = scratch.session(master).conf("sluice.execution.partitions", "4").build().await.unwrap();
    let tables = format!("{data}/{benchmark}-sf{SCALE}");
    for table in fs::read_dir(&tables).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = table.file_name().into_string().unwrap();
        session.register_parquet(&name, &table.path().to_string_lossy()).await.unwrap();
    }
    let mut all = String::new();
    for number in 1..=queries {
        let plan = plan_of(&session, benchmark, number).await;
        write!(all, "-- Q{number}\n{}\n\n", plain(&plan, &tables)).unwrap();
    }
    session.close().await.unwrap();
    compare(&format!("{benchmark}.{mode}.txt"), &all);
}

/// The physical plan of a query; what stands before its last `SELECT` is run, and what stands after it as well.
async fn plan_of(session: &Session, benchmark: &str, number: usize) -> String {
    let path = repository().join(format!("benchmarks/queries/{benchmark}/q{number}.sql"));
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let joined = lines.join("\n");
    let mut plan = String::new();
    for statement in joined.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        if !statement.starts_with("select") && !statement.starts_with("with") {
            session.sql(statement).await.unwrap().collect().await.unwrap();
            continue;
        }
        let rows = session.sql(&format!("EXPLAIN {statement}")).await.unwrap().collect().await.unwrap();
        for batch in &rows {
            let (kinds, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            let physical = (0..batch.num_rows()).find(|row| kinds.value(*row) == "physical_plan");
            plan.extend(physical.map(|row| plans.value(row)));
        }
    }
    assert!(!plan.is_empty(), "{benchmark} Q{number} has no plan");
    plan
}

/// The plan without what differs between machines, and without lists of files and what follows from the rest.
fn plain(plan: &str, tables: &str) -> String {
    let mut plain = String::new();
    for line in plan.lines() {
        let mut line = line.replace(tables.trim_start_matches('/'), "DATA");
        if let Some(start) = line.find("file_groups={")
            && let Some(length) = line[start..].find("}, ")
        {
            let table = line[start..].split("DATA/").nth(1).and_then(|path| path.split('/').next()).unwrap_or("?");
            line.replace_range(start..start + length + 1, &format!("table={table}"));
        }
        // It follows from the predicate, at length.
        let shown = line.split(", pruning_predicate=").next().unwrap_or(&line);
        plain.push_str(shown.trim_end());
        plain.push('\n');
    }
    plain.trim_end().to_owned()
}

fn compare(name: &str, plans: &str) {
    let path: PathBuf = repository().join("benchmarks/plans").join(name);
    if std::env::var_os("SLUICE_REGENERATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, plans).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == plans {
        return;
    }
    let (got, expected): (Vec<&str>, Vec<&str>) = (plans.lines().collect(), expected.lines().collect());
    let at =
        got.iter().zip(&expected).position(|(got, expected)| got != expected).unwrap_or(got.len().min(expected.len()));
    let query = got[..at.min(got.len())].iter().rev().find(|line| line.starts_with("-- Q")).unwrap_or(&"-- the first");
    let shown = |lines: &[&str]| {
        let (first, last) = (at.saturating_sub(CONTEXT).min(lines.len()), (at + CONTEXT).min(lines.len()));
        lines[first..last].join("\n")
    };
    panic!(
        "{name}: the plan of {query} has changed\n--- expected\n{}\n--- got\n{}\n\
         (SLUICE_REGENERATE=1 cargo test --release --workspace plans:: writes the new ones)",
        shown(&expected),
        shown(&got)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tpch_embedded() {
    check("tpch", 22, "embedded", "local[4]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tpch_on_a_cluster() {
    check("tpch", 22, "cluster", "local-cluster[2]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tpcds_embedded() {
    check("tpcds", 99, "embedded", "local[4]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tpcds_on_a_cluster() {
    check("tpcds", 99, "cluster", "local-cluster[2]").await;
}
