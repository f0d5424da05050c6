use super::*;

fn step() -> StepReport {
    StepReport {
        name: "hash_bucket",
        functions: vec!["hash_bucket"],
        input: "2 texts".to_owned(),
        rows: 1_000_000,
        values: 2_000_000,
        input_bytes: 16_000_000,
        seconds: vec![0.021, 0.041, 0.021],
        median_seconds: None,
        planning_seconds: None,
        million_values_per_second: None,
        megabytes_per_second: None,
        memory_share: None,
        error: None,
        peers: Vec::new(),
    }
}

fn report(step: StepReport) -> FeatureReport {
    let peer = |peer, unavailable: Option<&str>| PeerReport {
        peer,
        version: unavailable.is_none().then(|| "1.2".to_owned()),
        unavailable: unavailable.map(str::to_owned),
    };
    FeatureReport {
        benchmark: "features",
        rows: 1_000_000,
        documents: 100_000,
        iterations: 3,
        master: "local[1]".to_owned(),
        command: "sluice bench features".to_owned(),
        version: "0.1.0",
        data_dir: "data".to_owned(),
        generated_seconds: None,
        machine: Machine { processor: None, cores: 2, memory_bytes: None, system: "linux x86_64".to_owned() },
        copy_bytes_per_second: 8e9,
        peers: vec![peer("polars", None), peer("spark", Some("No module named 'pyspark'"))],
        steps: vec![step],
    }
}

#[test]
fn rates_leave_the_planning_out() {
    let mut step = step();
    step.finish(&[0.001, 0.001, 0.001], 8e9);
    assert_eq!(step.median_seconds, Some(0.021));
    let rounded = |value: Option<f64>| value.map(|value| (value * 1e6).round() / 1e6);
    assert_eq!(rounded(step.million_values_per_second), Some(100.0));
    assert_eq!(rounded(step.megabytes_per_second), Some(800.0));
    assert_eq!(rounded(step.memory_share), Some(0.1));
}

#[test]
fn peers_are_compared_by_the_value() {
    let mut step = step();
    step.finish(&[0.001, 0.001, 0.001], 8e9);
    step.add_peer("polars", PeerOutcome { seconds: vec![0.021], values: 1_000_000, ..PeerOutcome::default() });
    let stopped = PeerOutcome { values: 2_000_000, stopped_after_seconds: Some(2.1), ..PeerOutcome::default() };
    step.add_peer("spark", stopped);
    let ratios: Vec<_> = step.peers.iter().map(|peer| peer.ratio.map(f64::round)).collect();
    assert_eq!(ratios, [Some(2.0), Some(100.0)]);
    let page = report(step).to_markdown();
    let line = "| `hash_bucket` | 2 texts | 0.0210 | 100.0 | 800 | 10.0 % | 0.021* (2.0×) | > 2 (100.0×) |";
    assert!(page.contains(line), "{page}");
    assert!(page.contains("- spark is not available: No module named 'pyspark'"), "{page}");
}

#[test]
fn a_step_that_failed_has_no_figures() {
    let mut step = StepReport { error: Some("no\nsuch function".to_owned()), ..step() };
    step.finish(&[0.001], 8e9);
    let report = report(step);
    assert_eq!((report.failed(), report.steps[0].median_seconds), (1, None));
    let page = report.to_markdown();
    assert!(page.contains("| FAIL | – | – | – |") && page.contains("`hash_bucket` failed: no such function"), "{page}");
    assert!(report.to_json().unwrap().contains("\"benchmark\": \"features\""));
}
