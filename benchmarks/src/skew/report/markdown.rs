//! The report as a page that can be pasted into `RESULTS.md`.

use super::{Change, Run, SkewReport, StepReport};

const NOTHING: &str = "–";
const HEADER: [&str; 11] = [
    "step",
    "run",
    "s",
    "rows, max/mean",
    "bytes, max/mean",
    "partitions",
    "MB moved",
    "task s",
    "longest",
    "on 16 / 64 slots, s",
    "rows",
];

pub(super) fn render(report: &SkewReport) -> String {
    let mut page = format!(
        "## Skew, {} rows, {} partitions, `{}`, median of {}\n\n- machine: {}\n",
        report.rows,
        report.partitions,
        report.master,
        report.iterations,
        report.machine.describe()
    );
    let mut versions = vec![format!("sluice {}", report.version)];
    versions.extend(report.peers.iter().filter_map(|peer| Some(format!("{} {}", peer.peer, peer.version.as_ref()?))));
    page.push_str(&format!("- versions: {}\n- command: `{}`\n", versions.join(", "), report.command));
    if let Some(reason) = &report.no_modes {
        page.push_str(&format!("- on: n/a, {reason}\n"));
    }
    let mut steps = report.steps.as_slice();
    while let Some(first) = steps.first() {
        let same = steps.iter().take_while(|step| step.distribution == first.distribution).count();
        let (these, rest) = steps.split_at(same);
        distribution(these, &mut page);
        steps = rest;
    }
    page.push_str(
        "\nMax/mean is that of the most uneven exchange of at least a tenth of the largest one's bytes. Slots: the tasks' \
         times of each stage dealt out, the longest first, one stage after the other. Rows: whether they are those of \
         the step's first run.\n",
    );
    let several = |run: &Run| run.spread.as_ref().is_some_and(|spread| spread.partitions_of_a_task > 1);
    if report.steps.iter().flat_map(StepReport::runs).any(|(_, run)| several(run)) {
        page.push_str(
            "\nSome tasks worked on several partitions side by side, so the tasks' times are not those of partitions: run on \
             executors of one core each.\n",
        );
    }
    let remarks: Vec<String> = remarks(report).collect();
    if !remarks.is_empty() {
        page.push_str(&format!("\n{}\n", remarks.join("\n")));
    }
    page
}

fn distribution(steps: &[StepReport], page: &mut String) {
    let Some(first) = steps.first() else { return };
    page.push_str(&format!("\n### {}\n\n", first.distribution));
    page.push_str(&line(&HEADER.map(str::to_owned)));
    let rules: Vec<String> =
        (0..HEADER.len()).map(|column| if column < 2 { "---" } else { "--:" }.to_owned()).collect();
    page.push_str(&line(&rules));
    for step in steps {
        for (name, run) in step.runs() {
            page.push_str(&line(&cells(step.step, &name, run)));
        }
    }
    let changes: Vec<(&StepReport, &Change)> =
        steps.iter().filter_map(|step| Some((step, step.change.as_ref()?))).collect();
    if changes.is_empty() {
        return;
    }
    page.push_str("\n| on against off | 16 slots | 64 slots | bytes moved | task s | detection | s |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for (step, change) in changes {
        let gain = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |gain| format!("{gain:.1}×"));
        let more =
            |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |more| format!("{:+.1} %", more * 100.0));
        page.push_str(&line(&[
            format!("`{}`", step.step),
            gain(change.makespan_16_gain),
            gain(change.makespan_64_gain),
            more(change.replicated_bytes),
            more(change.task_seconds),
            change.detection.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.1} %", share * 100.0)),
            more(change.seconds),
        ]));
    }
}

fn cells(step: &str, name: &str, run: &Run) -> Vec<String> {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.digits$}"))
    };
    let spread = run.spread.as_ref();
    let seconds = match (run.median_seconds, run.stopped_after_seconds) {
        (Some(seconds), _) => format!("{seconds:.2}"),
        (None, Some(limit)) => format!("over {limit:.0}"),
        (None, None) => "FAIL".to_owned(),
    };
    let equal = match run.equal {
        Some(true) => "equal",
        Some(false) => "DIFFER",
        None => NOTHING,
    };
    vec![
        format!("`{step}`"),
        name.to_owned(),
        seconds,
        number(spread.and_then(|spread| spread.rows_max_to_mean), 2),
        number(spread.and_then(|spread| spread.bytes_max_to_mean), 2),
        spread.and_then(|spread| spread.partitions).map_or_else(|| NOTHING.to_owned(), |count| count.to_string()),
        number(spread.map(|spread| spread.moved_bytes as f64 / 1e6), 1),
        number(spread.and_then(|spread| spread.task_seconds), 2),
        number(spread.and_then(|spread| spread.longest_task_seconds), 2),
        format!(
            "{} / {}",
            number(spread.and_then(|spread| spread.makespan_16_seconds), 2),
            number(spread.and_then(|spread| spread.makespan_64_seconds), 2)
        ),
        equal.to_owned(),
    ]
}

fn remarks(report: &SkewReport) -> impl Iterator<Item = String> {
    let remark = |what: String, error: &str| format!("- {what}: {}", error.replace('\n', " "));
    let absent = report
        .peers
        .iter()
        .filter_map(move |peer| Some(remark(format!("{} is not available", peer.peer), peer.unavailable.as_deref()?)));
    let failed = report.steps.iter().flat_map(move |step| {
        step.runs().filter_map(move |(name, run)| {
            Some(remark(format!("`{}` on {} failed ({name})", step.step, step.distribution), run.error.as_deref()?))
        })
    });
    absent.chain(failed)
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
