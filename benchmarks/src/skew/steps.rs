//! The steps: statements that read every row, and whose few rows of whole numbers tell whether they did so rightly.
//!
//! The text is SQL that Spark reads, too.

use sluice::{Error, ErrorCode, Result};

use super::distributions::Distribution;

/// The large table.
pub(super) const FACT: &str = "bench_fact";
/// The small table.
pub(super) const DIMENSION: &str = "bench_dim";
/// What a writing step wrote.
pub(super) const WRITTEN: &str = "bench_written";
/// Stands for the folder that a writing step writes to.
pub(super) const TARGET: &str = "{target}";
/// How many pieces hand-salted statements cut a key into.
const SALTS: u32 = 16;

/// One step on the tables of one distribution.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its name in the report and in `--steps`.
    pub(super) name: &'static str,
    /// What Sluice runs.
    pub(super) statement: String,
    /// What gives the rows to compare, if the statement itself does not: it reads [`WRITTEN`].
    pub(super) check: Option<String>,
    /// What Spark runs, if it is another text. Where there is a check, its rows are written.
    pub(super) spark: Option<String>,
    /// What somebody who knows of the skew makes Spark run, if that is anything else.
    pub(super) salted: Option<String>,
}

/// The steps of these names, in their own order; all for no names. A composite key has no `join_text`.
///
/// # Errors
/// A name that no step of any distribution has.
pub(super) fn chosen(distribution: Distribution, names: &[String]) -> Result<Vec<Step>> {
    let steps = all(distribution);
    let known: Vec<&str> = all(Distribution::Uniform).iter().map(|step| step.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("no step is called {unknown}"))
            .hint(format!("the steps are {}", known.join(", "))));
    }
    let wanted = |step: &Step| names.is_empty() || names.iter().any(|name| name == step.name);
    Ok(steps.into_iter().filter(wanted).collect())
}

fn all(distribution: Distribution) -> Vec<Step> {
    let keys = distribution.key_columns();
    let mut steps = joins(keys);
    steps.extend(aggregates(&keys.join(", ")));
    steps
}

fn step(name: &'static str, statement: String) -> Step {
    Step { name, statement, check: None, spark: None, salted: None }
}

/// Joins of the large with the small table. What is summed needs the columns of both sides after the join.
fn joins(keys: &[&str]) -> Vec<Step> {
    let on = |columns: &[&str]| {
        columns.iter().map(|column| format!("f.{column} = d.{column}")).collect::<Vec<_>>().join(" AND ")
    };
    let sums = |fact: &str, dimension: &str| {
        format!(
            "count(*) AS n, sum(length({fact} || {dimension})) AS l, sum(coalesce(f.a, 0) + coalesce(d.weight, 1)) AS w"
        )
    };
    let (fact, dimension) = ("f.payload", "d.name");
    let (fact_or_none, dimension_or_none) = ("coalesce(f.payload, '')", "coalesce(d.name, '-')");
    let join = |name, kind: &str, group: &str, sums: &str, on: &str| {
        step(
            name,
            format!("SELECT {group} AS g, {sums} FROM {FACT} f {kind} JOIN {DIMENSION} d ON {on} GROUP BY {group}"),
        )
    };
    let salted = |kind: &str, sums: &str| {
        let (on, group) = (on(keys), "f.ts % 16");
        Some(format!(
            "SELECT {group} AS g, {sums} FROM (SELECT *, CAST(ts % {SALTS} AS INT) AS salt FROM {FACT}) f {kind} JOIN \
             (SELECT *, explode(sequence(0, {SALTS} - 1)) AS salt FROM {DIMENSION}) d ON {on} AND f.salt = d.salt \
             GROUP BY {group}"
        ))
    };
    let by_row = "f.ts % 16";
    let (both, left) = (sums(fact, dimension), sums(fact, dimension_or_none));
    let text = on(&["s"]);
    let mut steps = vec![
        Step { salted: salted("INNER", &both), ..join("join_inner", "INNER", by_row, &both, &on(keys)) },
        Step { salted: salted("LEFT", &left), ..join("join_left", "LEFT", by_row, &left, &on(keys)) },
        join("join_full", "FULL", "coalesce(f.ts, d.weight) % 16", &sums(fact_or_none, dimension_or_none), &on(keys)),
        join("join_semi", "LEFT SEMI", by_row, "count(*) AS n, sum(length(f.payload)) AS l, sum(f.a) AS w", &on(keys)),
    ];
    // The text has the first column only, which alone is not the key of a pair.
    if keys.len() == 1 {
        steps.push(join("join_text", "INNER", by_row, &both, &text));
    }
    steps
}

/// Aggregates and a window over each key, and a write by a column that follows the keys.
fn aggregates(keys: &str) -> Vec<Step> {
    let by_key = |inner: &str, outer: &str| {
        format!(
            "SELECT k % 16 AS g, count(*) AS n, {outer} FROM (SELECT {keys}, {inner} FROM {FACT} GROUP BY {keys}) t \
             GROUP BY k % 16"
        )
    };
    let distinct = |argument: &str, da: &str, db: &str| {
        format!("SELECT {keys}, {da} AS da, {db} AS db FROM {FACT} GROUP BY {keys}, pmod(hash({argument}), {SALTS})")
    };
    let salted = format!(
        "SELECT k % 16 AS g, count(*) AS n, sum(da) AS a, sum(db) AS b FROM (SELECT {keys}, sum(da) AS da, sum(db) AS db \
         FROM ({} UNION ALL {}) u GROUP BY {keys}) t GROUP BY k % 16",
        distinct("a", "count(DISTINCT a)", "CAST(0 AS BIGINT)"),
        distinct("b", "CAST(0 AS BIGINT)", "count(DISTINCT b)"),
    );
    let big_state = "sum(CAST(states AS BIGINT)) AS s";
    // In a folder for each of 50 groups of keys, the most frequent key's among them.
    let written = format!("SELECT a, b, x, ts, payload, coalesce(k % 50, -1) AS p FROM {FACT}");
    let read = format!(
        "SELECT ts % 16 AS g, count(*) AS n, sum(length(payload)) AS l, sum(a) AS a FROM {WRITTEN} GROUP BY ts % 16"
    );
    vec![
        Step {
            salted: Some(salted),
            ..step("distinct", by_key("count(DISTINCT a) AS da, count(DISTINCT b) AS db", "sum(da) AS a, sum(db) AS b"))
        },
        step(
            "distinct_mixed",
            by_key(
                "count(DISTINCT a) AS da, avg(b) AS m, count(*) AS c",
                "sum(da) AS a, sum(CAST(round(m * 1000) AS BIGINT)) AS m, sum(c) AS c",
            ),
        ),
        // Twice the median of quarters is a number of quarters.
        step("median", by_key("median(x) AS m", "CAST(sum(m * 8) AS BIGINT) AS m")),
        Step {
            spark: Some(by_key("size(collect_set(b)) AS states", big_state)),
            ..step("big_state", by_key("array_length(fit_counts(b)['values']) AS states", big_state))
        },
        step(
            "window",
            format!(
                "SELECT ts % 16 AS g, count(*) AS n, sum(CAST(r % 1000 AS BIGINT) * length(payload)) AS l FROM (SELECT \
                 ts, payload, row_number() OVER (PARTITION BY {keys} ORDER BY ts) AS r FROM {FACT}) t GROUP BY ts % 16"
            ),
        ),
        Step {
            check: Some(read),
            spark: Some(written.clone()),
            ..step("write", format!("COPY ({written}) TO '{TARGET}' STORED AS PARQUET PARTITIONED BY (p)"))
        },
    ]
}
