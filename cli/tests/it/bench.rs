//! TPC-H, TPC-DS and ClickBench at a small scale, verified, in the three ways of running.

use crate::support::{MASTERS, Scratch, stderr, stdout};

fn verify(benchmark: &str, queries: usize, master: &str, further: &[&str]) {
    let scratch = Scratch::new();
    let data = scratch.path("data");
    let mut arguments = vec!["bench", benchmark, "--scale", "0.01", "--iterations", "1", "--verify", "--data", &data];
    arguments.extend(["--master", master, "--conf", "sluice.execution.partitions=4"]);
    arguments.extend(further);
    let output = scratch.run(&arguments);
    let printed = stdout(&output);
    let expected = format!("verified {queries}/{queries} against datafusion");
    assert!(printed.contains(&expected), "{printed}\n{}", stderr(&output));
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn tpch_embedded() {
    verify("tpch", 22, MASTERS[0], &["--against", "datafusion"]);
}

#[test]
fn tpch_on_one_executor() {
    verify("tpch", 22, MASTERS[1], &[]);
}

#[test]
fn tpch_on_three_executors() {
    verify("tpch", 22, MASTERS[2], &[]);
}

#[test]
fn tpcds_embedded() {
    verify("tpcds", 99, MASTERS[0], &[]);
}

#[test]
fn tpcds_on_three_executors() {
    verify("tpcds", 99, MASTERS[2], &[]);
}

#[test]
fn clickbench_embedded() {
    verify("clickbench", 43, MASTERS[0], &[]);
}

#[test]
fn clickbench_on_three_executors() {
    verify("clickbench", 43, MASTERS[2], &[]);
}
