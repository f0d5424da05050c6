//! The report as a page that can be pasted into `RESULTS.md`.

use super::{PeerTimes, QueryReport, SqlReport, Verdict};

const GIGABYTE: f64 = 1e9;
const MEBIBYTE: f64 = (1u64 << 20) as f64;

pub(super) fn render(report: &SqlReport) -> String {
    let mut page = String::new();
    let iterations = match report.iterations {
        1 => "1 iteration".to_owned(),
        several => format!("median of {several} iterations"),
    };
    page.push_str(&format!("## {} scale {}, `{}`, {iterations}\n\n", report.title, report.scale, report.master));
    page.push_str(&format!("- machine: {}\n", report.machine.describe()));
    page.push_str(&format!("- versions: sluice {}, DataFusion {}", report.version, report.datafusion_version));
    for peer in &report.peers {
        match (&peer.version, &peer.unavailable) {
            (Some(version), _) if peer.name != "datafusion" => page.push_str(&format!(", {} {version}", peer.name)),
            (None, Some(reason)) => page.push_str(&format!("; {} not available: {reason}", peer.name)),
            _ => {}
        }
    }
    if let Some(memory) = &report.memory {
        page.push_str(&format!("\n- memory pool: {memory}"));
    }
    page.push_str(&format!("\n- command: `{}`\n\n", report.command));
    times(report, &mut page);
    usage(report, &mut page);
    for query in &report.queries {
        remarks(query, &mut page);
    }
    page.push_str(&format!("\n{}\n", report.verdict()));
    page
}

/// The engines that were timed, by name.
fn timed(report: &SqlReport) -> Vec<&'static str> {
    report.peers.iter().filter(|peer| peer.timed && peer.unavailable.is_none()).map(|peer| peer.name).collect()
}

fn times(report: &SqlReport, page: &mut String) {
    let peers = timed(report);
    let mut header = vec!["Q".to_owned(), "Sluice, s".to_owned()];
    for peer in &peers {
        header.extend([format!("{peer}, s"), "ratio".to_owned()]);
    }
    header.push("rows".to_owned());
    if report.verify {
        header.extend(["datafusion".to_owned(), "duckdb".to_owned()]);
    }
    page.push_str(&row(&header));
    page.push_str(&row(&vec!["--:"; header.len()]));
    let none = PeerTimes::default();
    for query in &report.queries {
        let mut cells = vec![query.number.to_string(), seconds(query.median_seconds, query.error.is_some())];
        for peer in &peers {
            let times = query.peers.get(peer).unwrap_or(&none);
            cells.push(seconds(times.median_seconds, times.error.is_some()));
            cells.push(times.time_ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
        }
        cells.push(query.rows.map_or_else(|| "–".to_owned(), |rows| rows.to_string()));
        if report.verify {
            cells.extend([mark(&query.datafusion).to_owned(), mark(&query.duckdb).to_owned()]);
        }
        page.push_str(&row(&cells));
    }
    page.push_str(&row(&totals(report, &peers, header.len())));
    if !peers.is_empty() {
        page.push_str("\nRatio: Sluice's time divided by the other's; below 1 Sluice is faster. ");
        page.push_str("That of the totals is over queries that ran on both.\n");
    }
}

fn totals(report: &SqlReport, peers: &[&str], columns: usize) -> Vec<String> {
    let ran = report.queries.iter().filter(|query| query.median_seconds.is_some()).count();
    let label = match report.queries.len() {
        all if all == ran => "**Σ**".to_owned(),
        all => format!("**Σ** of {ran}/{all}"),
    };
    let mut cells = vec![label, format!("**{:.3}**", report.total_seconds())];
    for peer in peers {
        match report.paired_total_seconds(peer) {
            Some((own, other)) => cells.extend([format!("**{other:.3}**"), format!("**{:.2}**", own / other)]),
            None => cells.extend(["–".to_owned(), "–".to_owned()]),
        }
    }
    cells.resize(columns, String::new());
    cells
}

/// What the queries used of the machine, and the least that reading the data could take.
fn usage(report: &SqlReport, page: &mut String) {
    let used: Vec<_> = report.queries.iter().filter_map(|query| Some((query, query.last_use()?))).collect();
    if used.is_empty() {
        return;
    }
    page.push_str("\nThe last iteration of each query; memory is the sum of the processes' peaks.\n\n");
    let shares = report.queries.iter().any(|query| query.pool_bytes.is_some());
    let mut header = vec!["Q", "cores busy", "read, MB", "MB/s", "memory, MiB", "spilled, MB", "shuffled, MB"];
    if shares {
        header.extend(["working set, MiB", "pool, MiB"]);
    }
    page.push_str(&row(&header));
    page.push_str(&row(&vec!["--:"; header.len()]));
    let megabytes = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
    let mebibytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |it| format!("{:.0}", it as f64 / MEBIBYTE));
    for (query, (seconds, usage)) in &used {
        let mut cells = vec![
            query.number.to_string(),
            format!("{:.2}", usage.cpu_seconds / seconds),
            megabytes(usage.read_bytes),
            format!("{:.0}", usage.read_bytes as f64 / 1e6 / seconds),
            mebibytes(Some(usage.peak_memory_bytes)),
            megabytes(query.spilled_bytes),
            query.shuffled_bytes.map_or_else(|| "–".to_owned(), megabytes),
        ];
        if shares {
            cells.extend([mebibytes(query.working_set_bytes), mebibytes(query.pool_bytes)]);
        }
        page.push_str(&row(&cells));
    }
    let seconds: f64 = used.iter().map(|(_, (seconds, _))| seconds).sum();
    let cpu_seconds: f64 = used.iter().map(|(_, (_, usage))| usage.cpu_seconds).sum();
    let read_bytes: u64 = used.iter().map(|(_, (_, usage))| usage.read_bytes).sum();
    let memory = report.bandwidth.memory_bytes_per_second;
    page.push_str(&format!(
        "\nRoofline: {:.2} GB read in {seconds:.2} s, {:.2} of {} cores busy. Copying as much in memory takes {:.2} s ({:.1} GB/s)",
        read_bytes as f64 / GIGABYTE,
        cpu_seconds / seconds,
        report.machine.cores,
        read_bytes as f64 / memory,
        memory / GIGABYTE,
    ));
    if let Some(disk) = report.bandwidth.disk_bytes_per_second {
        let time = read_bytes as f64 / disk;
        page.push_str(&format!(", reading it from disk {time:.2} s ({:.2} GB/s)", disk / GIGABYTE));
    }
    page.push_str(".\n");
}

fn remarks(query: &QueryReport, page: &mut String) {
    let mut remark = |text: String| page.push_str(&format!("\n- Q{} {}", query.number, text.replace('\n', " ")));
    if let Some(error) = &query.error {
        remark(format!("failed: {error}"));
    }
    for (peer, times) in &query.peers {
        if let Some(error) = &times.error {
            remark(format!("failed on {peer}: {error}"));
        }
    }
    for (name, verdict) in [("datafusion", &query.datafusion), ("duckdb", &query.duckdb)] {
        match verdict {
            Verdict::Differs { difference } => remark(format!("differs from {name}: {difference}")),
            Verdict::Unavailable { reason } => remark(format!("has no rows of {name} to compare with: {reason}")),
            Verdict::NotAsked | Verdict::Matches => continue,
        }
    }
    if page.ends_with('\n') {
        return;
    }
    page.push('\n');
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn seconds(value: Option<f64>, failed: bool) -> String {
    match value {
        Some(value) => format!("{value:.3}"),
        None if failed => "FAIL".to_owned(),
        None => "–".to_owned(),
    }
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::NotAsked | Verdict::Unavailable { .. } => "–",
        Verdict::Matches => "ok",
        Verdict::Differs { .. } => "DIFFERS",
    }
}
