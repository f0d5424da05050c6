//! Executors that are killed, jobs that are killed, and clients that vanish.

use std::process::Stdio;

use crate::support::{Scratch, kill, stderr, stdout, wait_until};

/// Long enough to be interrupted, and with a known answer: the sum of 1 to 60,000,000 by remainder, then in all.
const LONG: &str = "SELECT sum(s) AS total FROM (SELECT v % 100003 AS k, sum(v) AS s FROM numbers GROUP BY v % 100003)";
const TOTAL: &str = "total\n1800000030000000\n";

fn prepare(scratch: &Scratch) {
    let sql = "CREATE TABLE numbers AS SELECT value AS v FROM generate_series(1, 60000000)";
    let output = scratch.run(&["sql", "-e", sql]);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn running_jobs(scratch: &Scratch, url: &str) -> Vec<String> {
    let output = scratch.run(&["jobs", "--master", url, "--format", "csv"]);
    stdout(&output).lines().filter(|line| line.contains("running")).map(str::to_string).collect()
}

fn answer(scratch: &Scratch, url: &str) -> String {
    let output = scratch.run(&["sql", "--master", url, "--format", "csv", "-e", LONG]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_killed_executor_costs_time_and_no_rows() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let cluster = scratch.cluster(3, &[]);
    let mut client = scratch.command();
    client
        .args(["sql", "--master", &cluster.url, "--format", "csv", "-e", LONG])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    wait_until("the job", || !running_jobs(&scratch, &cluster.url).is_empty());
    let victim = cluster.executors()[0];
    kill(victim);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), TOTAL);
    // The cluster is whole again, and usable.
    wait_until("a new executor", || cluster.executors().len() == 3 && !cluster.executors().contains(&victim));
    assert_eq!(answer(&scratch, &cluster.url), TOTAL);
}

/// Half of the rows have one key, which is split over all partitions; each of its rows has one match, as others have.
#[test]
fn a_skewed_join_that_loses_an_executor_has_its_rows() {
    const JOIN: &str = "SELECT count(*) AS n, sum(v) AS s, sum(d) AS d FROM \
        (SELECT v, CASE WHEN v % 2 = 0 THEN 7 ELSE v % 100003 END AS k FROM numbers) f \
        JOIN (SELECT v AS k, 1 AS d FROM numbers WHERE v <= 100003) dim ON f.k = dim.k";
    let scratch = Scratch::new();
    prepare(&scratch);
    let settings = ["sluice.skew.mode=on", "sluice.cluster.broadcast_limit=0", "sluice.execution.partitions=16"];
    let cluster = scratch.cluster(3, &settings);
    let explained = scratch.run(&["sql", "--master", &cluster.url, "-e", &format!("EXPLAIN {JOIN}")]);
    assert!(stdout(&explained).contains("skew_salt"), "{}", stdout(&explained));
    let mut client = scratch.command();
    client
        .args(["sql", "--master", &cluster.url, "--format", "csv", "-e", JOIN])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    wait_until("the job", || !running_jobs(&scratch, &cluster.url).is_empty());
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(cluster.executors()[0]);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    // Of the odd numbers, those that 100003 divides have the key 0, which the dimension lacks.
    let lost: u64 = (1..=60_000_000_u64).filter(|v| v % 2 == 1 && v % 100_003 == 0).count() as u64;
    let lost_sum: u64 = (1..=60_000_000_u64).filter(|v| v % 2 == 1 && v % 100_003 == 0).sum();
    let rows = 60_000_000 - lost;
    assert_eq!(stdout(&output), format!("n,s,d\n{rows},{},{rows}\n", 1_800_000_030_000_000 - lost_sum));
}

#[test]
fn a_write_that_loses_an_executor_is_whole() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let cluster = scratch.cluster(2, &[]);
    let target = scratch.path("written");
    let mut client = scratch.command();
    client
        .args([
            "sql",
            "--master",
            &cluster.url,
            "-e",
            &format!("COPY (SELECT v, v % 7 AS k FROM numbers) TO '{target}' STORED AS PARQUET"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    wait_until("the job", || !running_jobs(&scratch, &cluster.url).is_empty());
    kill(cluster.executors()[0]);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let sql = format!("SELECT count(*) AS n, sum(v) AS s FROM '{target}/'");
    let read = scratch.run(&["sql", "--format", "csv", "-e", &sql]);
    assert_eq!(stdout(&read), "n,s\n60000000,1800000030000000\n", "{}", stderr(&read));
}

#[test]
fn a_killed_job_ends_and_its_client_hears_of_it() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let cluster = scratch.cluster(1, &[]);
    let mut client = scratch.command();
    client.args(["sql", "--master", &cluster.url, "-e", LONG]).stdout(Stdio::null()).stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    let mut id = String::new();
    wait_until("the job", || {
        let jobs = running_jobs(&scratch, &cluster.url);
        id = jobs.first().and_then(|line| line.split(',').next()).unwrap_or_default().to_string();
        !id.is_empty()
    });
    let killed = scratch.run(&["kill", &id, "--master", &cluster.url]);
    assert!(killed.status.success(), "{}", stderr(&killed));
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("error[S0303]"), "{}", stderr(&output));
    let job = scratch.run(&["job", &id, "--master", &cluster.url]);
    assert!(stdout(&job).contains("cancelled"), "{}", stdout(&job));
    assert_eq!(answer(&scratch, &cluster.url), TOTAL);
}

#[test]
fn a_client_that_vanishes_takes_its_job_along_unless_it_detached() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let cluster = scratch.cluster(1, &[]);
    let mut client = scratch.command();
    client.args(["sql", "--master", &cluster.url, "-e", LONG]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    wait_until("the job", || !running_jobs(&scratch, &cluster.url).is_empty());
    kill(client.id());
    client.wait().unwrap();
    wait_until("the end of the job", || running_jobs(&scratch, &cluster.url).is_empty());
    let jobs = stdout(&scratch.run(&["jobs", "--master", &cluster.url, "--format", "csv"]));
    assert!(jobs.contains("cancelled"), "{jobs}");

    let script = scratch.path("job.sql");
    std::fs::write(&script, "CREATE TABLE later AS SELECT sum(v) AS total FROM numbers;\n").unwrap();
    let detached = scratch.run(&["run", &script, "--master", &cluster.url, "--detach"]);
    assert!(detached.status.success(), "{}", stderr(&detached));
    wait_until("the detached job", || {
        let output = scratch.run(&["sql", "--master", &cluster.url, "--format", "csv", "-e", "SELECT * FROM later"]);
        stdout(&output) == TOTAL
    });
}

#[test]
fn processes_end_with_the_one_that_started_them() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(2, &[]);
    let executors = cluster.executors();
    assert_eq!(executors.len(), 2);
    kill(cluster.id());
    let alive = |id: &u32| std::path::Path::new(&format!("/proc/{id}/stat")).exists();
    wait_until("the end of the executors", || !executors.iter().any(alive));
}
