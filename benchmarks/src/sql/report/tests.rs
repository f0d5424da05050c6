//! Counts, verdict lines and the page of a report made by hand.

use super::{PeerReport, PeerTimes, QueryReport, SqlReport, Verdict};
use crate::machine::Machine;
use crate::sql::Bandwidth;

fn query(number: u8, seconds: &[f64], datafusion: Verdict, duckdb: Verdict) -> QueryReport {
    let mut query = QueryReport::new(number);
    query.rows = Some(4);
    query.seconds = seconds.to_vec();
    query.datafusion = datafusion;
    query.duckdb = duckdb;
    query.finish();
    query
}

fn failing(number: u8) -> QueryReport {
    let mut query = QueryReport::new(number);
    query.seconds = vec![1.0];
    query.error = Some("error[S0302]: out\nof memory".to_owned());
    query.finish();
    query
}

fn report(verify: bool, queries: Vec<QueryReport>) -> SqlReport {
    SqlReport {
        benchmark: "tpch",
        title: "TPC-H",
        scale: 1.0,
        iterations: 3,
        master: "local[*]".to_owned(),
        memory: None,
        command: "sluice bench tpch".to_owned(),
        version: "0.1.0",
        datafusion_version: "55.2.0",
        peers: Vec::new(),
        data_dir: "data/tpch-sf1".to_owned(),
        data_bytes: 1_000_000_000,
        generated_seconds: None,
        machine: Machine { processor: None, cores: 2, memory_bytes: Some(1 << 30), system: "linux x86_64".to_owned() },
        bandwidth: Bandwidth { memory_bytes_per_second: 10e9, disk_bytes_per_second: Some(1e9) },
        verify,
        queries,
    }
}

fn differs() -> Verdict {
    Verdict::Differs { difference: "got (1), expected (2)".to_owned() }
}

#[test]
fn a_contradiction_or_an_error_is_a_failure() {
    let good = || query(1, &[1.0], Verdict::Matches, Verdict::Matches);
    let all_good = report(true, vec![good(), good()]);
    assert_eq!((all_good.verified(), all_good.failed(), all_good.is_success()), (2, 0, true));
    assert_eq!(all_good.verdict(), "verified 2/2 against datafusion, 2/2 against duckdb");

    let bad = report(true, vec![good(), query(2, &[1.0], Verdict::Matches, differs()), failing(3)]);
    assert_eq!((bad.verified(), bad.failed(), bad.is_success()), (1, 2, false));
    assert_eq!(bad.verdict(), "verified 2/3 against datafusion, 1/3 against duckdb; 2 failed");
}

#[test]
fn what_nobody_confirms_is_not_verified() {
    let unavailable = || Verdict::Unavailable { reason: "it is away".to_owned() };
    let lone = report(true, vec![query(1, &[1.0], unavailable(), unavailable())]);
    assert_eq!((lone.verified(), lone.failed(), lone.is_success()), (0, 0, false));
    let unverified = report(false, vec![query(1, &[1.0], Verdict::NotAsked, Verdict::NotAsked)]);
    assert!(unverified.is_success());
    assert_eq!(unverified.verdict(), "ran 1/1, not verified");
    let mut half = report(true, vec![query(1, &[1.0], Verdict::Matches, unavailable())]);
    half.peers.push(PeerReport {
        name: "duckdb",
        version: None,
        unavailable: Some("No module named 'duckdb'".to_owned()),
        timed: false,
    });
    assert!(half.is_success());
    assert_eq!(half.verdict(), "verified 1/1 against datafusion, duckdb not available: No module named 'duckdb'");
}

fn timed(seconds: &[f64], peer: &'static str, peer_seconds: &[f64]) -> QueryReport {
    let mut query = query(1, seconds, Verdict::Matches, Verdict::Matches);
    query.peers.entry(peer).or_default().add(PeerTimes { seconds: peer_seconds.to_vec(), ..PeerTimes::default() });
    query.finish();
    query
}

#[test]
fn totals_pair_only_what_ran_on_both() {
    let paired = timed(&[1.0, 9.0, 2.0], "polars", &[4.0, 4.0, 5.0]);
    assert_eq!((paired.median_seconds, paired.peers["polars"].time_ratio), (Some(2.0), Some(0.5)));
    let alone = query(2, &[10.0], Verdict::Matches, Verdict::Matches);
    let report = report(true, vec![paired, alone, failing(3)]);
    assert_eq!(report.total_seconds(), 12.0);
    assert_eq!(report.paired_total_seconds("polars"), Some((2.0, 4.0)));
    assert_eq!(report.paired_total_seconds("spark"), None);
}

#[test]
fn a_peer_that_failed_once_has_no_median() {
    let mut query = timed(&[1.0], "polars", &[2.0]);
    let failed = PeerTimes { error: Some("no view".to_owned()), ..PeerTimes::default() };
    query.peers.entry("polars").or_default().add(failed);
    query.finish();
    assert_eq!((query.peers["polars"].median_seconds, query.peers["polars"].time_ratio), (None, None));
    let mut report = report(false, vec![query]);
    report.peers.push(PeerReport { name: "polars", version: Some("2".to_owned()), unavailable: None, timed: true });
    let page = report.to_markdown();
    assert!(page.contains("| Q | Sluice, s | polars, s | ratio | rows |\n"), "{page}");
    assert!(
        page.contains("| 1 | 1.000 | FAIL | – | 4 |\n") && page.contains("- Q1 failed on polars: no view\n"),
        "{page}"
    );
}

#[test]
fn the_page_shows_times_verdicts_and_reasons() {
    let page = report(true, vec![query(1, &[0.5], Verdict::Matches, differs()), failing(3)]).to_markdown();
    assert!(page.contains("| 1 | 0.500 | 4 | ok | DIFFERS |\n"), "{page}");
    assert!(page.contains("| 3 | FAIL | – | – | – |\n"), "{page}");
    assert!(page.contains("| **Σ** of 1/2 | **0.500** |"), "{page}");
    assert!(page.contains("- Q1 differs from duckdb: got (1), expected (2)\n"), "{page}");
    assert!(page.contains("- Q3 failed: error[S0302]: out of memory\n"), "{page}");
    assert!(page.ends_with("verified 1/2 against datafusion, 0/2 against duckdb; 2 failed\n"), "{page}");
}

#[test]
fn json_keeps_the_names_that_programs_read() {
    let json = report(true, vec![query(6, &[0.5], Verdict::Matches, differs())]).to_json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["queries"][0]["number"], 6);
    assert_eq!(value["queries"][0]["median_seconds"], 0.5);
    assert_eq!(value["queries"][0]["datafusion"]["state"], "matches");
    assert_eq!(value["queries"][0]["duckdb"]["difference"], "got (1), expected (2)");
    assert_eq!(value["machine"]["cores"], 2);
}
