//! The 22 queries of TPC-H at a small scale, verified, in the three ways of running.

use crate::support::{MASTERS, Scratch, stderr, stdout};

fn verify(master: &str) {
    let scratch = Scratch::new();
    let data = scratch.path("tpch");
    let output = scratch.run(&[
        "bench",
        "tpch",
        "--scale",
        "0.01",
        "--iterations",
        "1",
        "--verify",
        "--data",
        &data,
        "--master",
        master,
        "--conf",
        "sluice.execution.partitions=4",
    ]);
    let printed = stdout(&output);
    assert!(printed.contains("verified 22/22 against datafusion"), "{printed}\n{}", stderr(&output));
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn embedded() {
    verify(MASTERS[0]);
}

#[test]
fn on_one_executor() {
    verify(MASTERS[1]);
}

#[test]
fn on_three_executors() {
    verify(MASTERS[2]);
}
