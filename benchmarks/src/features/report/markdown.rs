//! The report as a page that can be pasted into `RESULTS.md`.

use super::{FeatureReport, PeerTime, StepReport};

const NOTHING: &str = "–";

pub(super) fn render(report: &FeatureReport) -> String {
    let mut page = format!(
        "## Feature functions, {} rows and {} documents, `{}`, median of {}\n\n",
        report.rows, report.documents, report.master, report.iterations
    );
    let copy = report.copy_bytes_per_second / 1e9;
    page.push_str(&format!("- machine: {}; one core copies {copy:.1} GB/s\n", report.machine.describe()));
    let mut versions = vec![format!("sluice {}", report.version)];
    versions.extend(report.peers.iter().filter_map(|peer| Some(format!("{} {}", peer.peer, peer.version.as_ref()?))));
    page.push_str(&format!("- versions: {}\n- command: `{}`\n\n", versions.join(", "), report.command));
    table(report, &mut page);
    if !report.peers.is_empty() {
        page.push_str(
            "\nPeers: seconds, and their time for a value divided by Sluice's: above 1 Sluice is faster. With * a peer \
             read fewer columns.\n",
        );
    }
    let remarks: Vec<String> = remarks(report).collect();
    if !remarks.is_empty() {
        page.push_str(&format!("\n{}\n", remarks.join("\n")));
    }
    page
}

fn table(report: &FeatureReport, page: &mut String) {
    let mut header = vec!["step", "input", "seconds", "M values/s", "MB/s", "of memory"];
    header.extend(report.peers.iter().map(|peer| peer.peer));
    page.push_str(&row(&header));
    let rules: Vec<&str> = (0..header.len()).map(|column| if column < 2 { "---" } else { "--:" }).collect();
    page.push_str(&row(&rules));
    for step in &report.steps {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.digits$}"))
        };
        let share = step.memory_share.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.1} %", share * 100.0));
        let seconds = if step.error.is_some() { "FAIL".to_owned() } else { number(step.median_seconds, 4) };
        let mut cells = vec![
            format!("`{}`", step.name),
            step.input.clone(),
            seconds,
            number(step.million_values_per_second, 1),
            number(step.megabytes_per_second, 0),
            share,
        ];
        cells.extend(report.peers.iter().map(|peer| {
            let time = step.peers.iter().find(|time| time.peer == peer.peer);
            time.map_or_else(|| NOTHING.to_owned(), |time| peer_cell(step, time))
        }));
        page.push_str(&row(&cells));
    }
}

fn peer_cell(step: &StepReport, time: &PeerTime) -> String {
    let fewer = if time.values < step.values { "*" } else { "" };
    let ratio = time.ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.1}×)"));
    match (time.median_seconds, time.stopped_after_seconds) {
        (Some(seconds), _) => format!("{seconds:.3}{fewer}{ratio}"),
        (None, Some(limit)) => format!("> {limit:.0}{fewer}{ratio}"),
        (None, None) => "FAIL".to_owned(),
    }
}

fn remarks(report: &FeatureReport) -> impl Iterator<Item = String> {
    let line = |what: &str, error: &str| format!("- {what}: {}", error.replace('\n', " "));
    let absent = report
        .peers
        .iter()
        .filter_map(move |peer| Some(line(&format!("{} is not available", peer.peer), peer.unavailable.as_deref()?)));
    let failed = report
        .steps
        .iter()
        .filter_map(move |step| Some(line(&format!("`{}` failed", step.name), step.error.as_deref()?)));
    let peers = report.steps.iter().flat_map(move |step| {
        step.peers.iter().filter_map(move |time| {
            Some(line(&format!("`{}` failed in {}", step.name, time.peer), time.error.as_deref()?))
        })
    });
    absent.chain(failed).chain(peers)
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}
