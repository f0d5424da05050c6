//! The report as a page that can be pasted into `RESULTS.md`.

use super::{QueryReport, TpchReport, Verdict};

pub(super) fn render(report: &TpchReport) -> String {
    let mut page = String::new();
    let iterations = match report.iterations {
        1 => "1 iteration".to_owned(),
        several => format!("median of {several} iterations"),
    };
    page.push_str(&format!("## TPC-H scale {}, `{}`, {iterations}\n\n", report.scale, report.master));
    page.push_str(&format!("- machine: {}\n", report.machine.describe()));
    page.push_str(&format!("- versions: sluice {}, DataFusion {}", report.version, report.datafusion_version));
    if let Some(version) = &report.duckdb_version {
        page.push_str(&format!(", DuckDB {version}"));
    }
    page.push_str(&format!("\n- command: `{}`\n\n", report.command));
    table(report, &mut page);
    for query in &report.queries {
        remarks(query, &mut page);
    }
    page.push_str(&format!("\n{}\n", report.verdict()));
    page
}

fn table(report: &TpchReport, page: &mut String) {
    let paired = report.paired_total_seconds();
    let mut header = vec!["Q", "Sluice, s"];
    if paired.is_some() {
        header.extend(["DataFusion, s", "ratio"]);
    }
    header.push("rows");
    if report.verify {
        header.extend(["datafusion", "duckdb"]);
    }
    page.push_str(&row(&header));
    page.push_str(&row(&vec!["--:"; header.len()]));
    for query in &report.queries {
        let mut cells = vec![query.number.to_string(), seconds(query.median_seconds, query.error.is_some())];
        if paired.is_some() {
            cells.push(seconds(query.datafusion_median_seconds, false));
            cells.push(query.time_ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
        }
        cells.push(query.rows.map_or_else(|| "–".to_owned(), |rows| rows.to_string()));
        if report.verify {
            cells.extend([mark(&query.datafusion).to_owned(), mark(&query.duckdb).to_owned()]);
        }
        page.push_str(&row(&cells));
    }
    page.push_str(&row(&totals(report, paired, header.len())));
    if paired.is_some() {
        page.push_str("\nRatio: Sluice's time divided by DataFusion's; below 1 Sluice is faster. ");
        page.push_str("Totals of queries that ran on both.\n");
    }
}

fn totals(report: &TpchReport, paired: Option<(f64, f64)>, columns: usize) -> Vec<String> {
    let ran = report.queries.iter().filter(|query| query.median_seconds.is_some()).count();
    let label = match report.queries.len() {
        all if all == ran => "**Σ**".to_owned(),
        all => format!("**Σ** of {ran}/{all}"),
    };
    let mut cells = vec![label];
    match paired {
        Some((own, other)) => {
            cells.extend([format!("**{own:.3}**"), format!("**{other:.3}**"), format!("**{:.2}**", own / other)]);
        }
        None => cells.push(format!("**{:.3}**", report.total_seconds())),
    }
    cells.resize(columns, String::new());
    cells
}

fn remarks(query: &QueryReport, page: &mut String) {
    let mut remark = |text: String| page.push_str(&format!("\n- Q{} {}", query.number, text.replace('\n', " ")));
    if let Some(error) = &query.error {
        remark(format!("failed: {error}"));
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
