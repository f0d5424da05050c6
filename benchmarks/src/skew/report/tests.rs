use super::{Change, Mode, PeerOutcome, PeerReport, Run, SkewReport, StepReport};
use crate::machine::Machine;
use crate::skew::Distribution;
use crate::skew::stages::{JobSpread, Stage};

fn run(seconds: &[f64], partition_bytes: &[u64], task_ms: &[u64]) -> Run {
    let stage = Stage {
        partition_rows: partition_bytes.to_vec(),
        partition_bytes: partition_bytes.to_vec(),
        written_bytes: partition_bytes.iter().sum(),
        task_ms: task_ms.to_vec(),
        partitions_of_a_task: 1,
    };
    Run { seconds: seconds.to_vec(), spread: Some(JobSpread::of(&[stage])), ..Run::default() }
}

fn step() -> StepReport {
    let mut report = StepReport::new(Distribution::Zipf12, "distinct");
    let mut on = Run { planning_seconds: Some(0.5), ..run(&[3.0], &[110, 100, 110, 100], &[1000, 1000]) };
    on.compare(&vec![vec![Some(1)]], Some(&vec![vec![Some(1)]]));
    let off = run(&[2.0, 4.0, 1.0], &[370, 10, 10, 10], &[8000, 200]);
    report.add(Mode::Off, Run { planning_seconds: Some(0.09), ..off });
    report.add(Mode::On, on);
    report
}

fn report(steps: Vec<StepReport>) -> SkewReport {
    SkewReport {
        benchmark: "skew",
        rows: 1_000,
        partitions: 4,
        iterations: 3,
        master: "local-cluster[1]".to_owned(),
        command: "sluice bench skew".to_owned(),
        version: "0.1.0",
        data_dir: "data".to_owned(),
        generated_seconds: 0.0,
        machine: Machine { processor: None, cores: 2, memory_bytes: None, system: "linux x86_64".to_owned() },
        no_modes: None,
        peers: vec![PeerReport { peer: "spark", version: Some("4.0.1".to_owned()), unavailable: None }],
        steps,
    }
}

fn outcome(text: &str) -> PeerOutcome {
    serde_json::from_str(text).unwrap()
}

#[test]
fn on_is_compared_with_off() {
    let change = step().change.unwrap();
    let expected = Change {
        makespan_16_gain: Some(8.0),
        makespan_64_gain: Some(8.0),
        replicated_bytes: Some(420.0 / 400.0 - 1.0),
        task_seconds: Some(2.0 / 8.2 - 1.0),
        detection: Some((0.5 - 0.09) / 8.2),
        seconds: Some(0.5),
    };
    assert_eq!(change, expected);
}

#[test]
fn a_failure_or_other_rows_count_as_failed() {
    assert_eq!(report(vec![step()]).failed(), 0);
    let mut differs = step();
    let mut on = Run::default();
    on.compare(&vec![vec![Some(1)]], Some(&vec![vec![Some(1)]]));
    on.compare(&vec![vec![Some(2)]], Some(&vec![vec![Some(1)]]));
    on.compare(&vec![vec![Some(1)]], Some(&vec![vec![Some(1)]]));
    assert_eq!(on.equal, Some(false));
    differs.add(Mode::On, on);
    let mut broken = step();
    broken.add(Mode::Off, Run { error: Some("no\nmemory".to_owned()), ..run(&[1.0], &[], &[]) });
    assert_eq!(broken.off.as_ref().unwrap().median_seconds, None);
    let report = report(vec![step(), differs, broken]);
    assert_eq!(report.failed(), 2);
    let page = report.to_markdown();
    assert!(page.contains("| `distinct` | sluice, on | – |") || page.contains("DIFFER"), "{page}");
    assert!(page.contains("- `distinct` on zipf1.2 failed (sluice, off): no memory\n"), "{page}");
}

#[test]
fn peers_stand_below_with_their_own_figures() {
    let mut step = step();
    let expected = vec![vec![None, Some(2)], vec![Some(1), Some(5)]];
    let answered = r#"{"seconds": [9.0], "rows": [[1, 5], [null, 2]], "stages":
        [{"partition_rows": [3, 1], "partition_bytes": [30, 10], "written_bytes": 40, "task_ms": [500, 100]}]}"#;
    step.add_peer("spark", outcome(answered), Some(&expected));
    step.add_peer("spark-salted", outcome(r#"{"stopped_after_seconds": 600.0}"#), Some(&expected));
    let page = report(vec![step]).to_markdown();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `distinct`")).collect();
    assert_eq!(
        rows,
        [
            "| `distinct` | sluice, off | 2.00 | 3.70 | 3.70 | 4 | 0.0 | 8.20 | 8.00 | 8.00 / 8.00 | – |",
            "| `distinct` | sluice, on | 3.00 | 1.05 | 1.05 | 4 | 0.0 | 2.00 | 1.00 | 1.00 / 1.00 | equal |",
            "| `distinct` | spark | 9.00 | 1.50 | 1.50 | 2 | 0.0 | 0.60 | 0.50 | 0.50 / 0.50 | equal |",
            "| `distinct` | spark-salted | over 600 | – | – | – | – | – | – | – / – | – |",
            "| `distinct` | 8.0× | 8.0× | +5.0 % | -75.6 % | 5.0 % | +50.0 % |",
        ]
    );
    assert!(page.contains("### zipf1.2\n"));
}
