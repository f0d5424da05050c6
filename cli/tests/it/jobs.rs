//! The example jobs give the same rows embedded and on a driver with three executors.

use std::process::Command;

use futures::TryStreamExt;
use sluice::{ExecuteOptions, Session};

use crate::support::{Scratch, repository, sibling, stderr};

/// All rows of a query, as sorted lines.
fn rows(scratch: &Scratch, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session: Session = scratch.session("local[2]").build().await.unwrap();
        let execution = session.execute(sql, ExecuteOptions::default()).await.unwrap();
        let batches: Vec<_> = execution.stream.try_collect().await.unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines
    })
}

fn run_job(job: &str, data: &str, outputs: &[&str]) {
    let mut results = Vec::new();
    for master in ["local[*]", "local-cluster[3]"] {
        let scratch = Scratch::new();
        let out = scratch.path("out");
        let job = repository().join(job);
        let output = scratch.run(&[
            "run",
            &job.to_string_lossy(),
            "--master",
            master,
            "--var",
            &format!("data={data}"),
            "--var",
            &format!("out={out}"),
        ]);
        assert!(output.status.success(), "{master}: {}", stderr(&output));
        let tables: Vec<Vec<String>> =
            outputs.iter().map(|name| rows(&scratch, &format!("SELECT * FROM '{out}/{name}/'"))).collect();
        results.push(tables);
    }
    for ((name, embedded), cluster) in outputs.iter().zip(&results[0]).zip(&results[1]) {
        assert!(embedded.len() > 4, "{name} has rows");
        assert!(embedded == cluster, "{name} differs");
    }
}

#[test]
fn the_shop_job_agrees_with_itself() {
    let data = Scratch::new();
    let folder = data.path("shop");
    let made = Command::new(sibling("shop-data"))
        .args(["--out", &folder, "--events", "40000", "--users", "2000", "--items", "1000", "--scale", "0.01"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    run_job("examples/shop/job.sql", &folder, &["sessions", "user_features", "category_daily", "item_popularity"]);
}

#[test]
fn the_credit_job_agrees_with_itself() {
    let data = repository().join("examples/credit/germancredit.csv");
    run_job("examples/credit/job.sql", &data.to_string_lossy(), &["bins"]);
}

#[test]
fn the_library_runs_from_a_program() {
    for master in ["local[*]", "local-cluster[1]"] {
        let scratch = Scratch::new();
        let data = scratch.path("shop");
        let made = Command::new(sibling("shop-data"))
            .args(["--out", &data, "--events", "5000", "--users", "200", "--items", "100", "--scale", "0.01"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        let output = Command::new(sibling("embed"))
            .args(["--master", master, "--data", &data, "--out", &scratch.path("out")])
            .env("SLUICE_CATALOG__PATH", scratch.path("catalog"))
            .env("SLUICE_WAREHOUSE__PATH", scratch.path("warehouse"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{master}: {}", stderr(&output));
    }
}
