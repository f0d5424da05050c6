//! Statements with known answers, over one table of numbers.

use super::client::{Client, Outcome};
use super::cluster::Cluster;
use super::dice::Dice;
use crate::support::{Scratch, stderr};

/// The folder, catalog and table that several cases share. The table's numbers are 1 to `count`.
pub(super) struct Numbers {
    pub(super) scratch: Scratch,
    count: u64,
}

impl Numbers {
    pub(super) fn of(count: u64) -> Self {
        let scratch = Scratch::new();
        let sql = format!("CREATE TABLE numbers AS SELECT value AS v FROM generate_series(1, {count})");
        let output = scratch.run(&["sql", "-e", &sql]);
        assert!(output.status.success(), "{}", stderr(&output));
        Self { scratch, count }
    }
}

/// One statement, and how its outcome is checked.
pub(super) struct Statement {
    pub(super) sql: String,
    /// What it prints, or, of a write, what can be read afterwards.
    answer: String,
    /// Of a write: the query that reads it, and the code of its error where nothing was written.
    reads: Option<(String, &'static str)>,
}

const fn sum_to(last: u64) -> u64 {
    last * (last + 1) / 2
}

impl Statement {
    /// A join of which both sides are exchanged.
    fn join(numbers: &Numbers) -> Self {
        let keys = numbers.count / 10;
        let sql = format!(
            "SELECT count(*) AS n, sum(a.v) AS s FROM numbers a \
             JOIN (SELECT v * 2 AS w FROM numbers WHERE v <= {keys}) b ON a.v = b.w"
        );
        Self::query(sql, format!("n,s\n{keys},{}\n", 2 * sum_to(keys)))
    }

    /// Many groups.
    pub(super) fn aggregate(numbers: &Numbers) -> Self {
        let count = numbers.count;
        let sql = "SELECT count(*) AS n, sum(c) AS c, sum(s) AS s FROM \
             (SELECT v % 2000003 AS k, count(*) AS c, sum(v) AS s FROM numbers GROUP BY v % 2000003)";
        Self::query(sql.to_string(), format!("n,c,s\n2000003,{count},{}\n", sum_to(count)))
    }

    fn sort() -> Self {
        let sql = "SELECT v FROM (SELECT v, (v * 7919) % 1000003 AS o FROM numbers) ORDER BY o, v LIMIT 3";
        Self::query(sql.to_string(), "v\n1000003\n2000006\n3000009\n".to_string())
    }

    fn window(numbers: &Numbers) -> Self {
        let rows = numbers.count / 6;
        let sql = format!(
            "SELECT count(*) AS n, sum(d) AS d FROM \
             (SELECT v - lag(v) OVER (PARTITION BY v % 1009 ORDER BY v) AS d FROM numbers WHERE v <= {rows})"
        );
        Self::query(sql, format!("n,d\n{rows},{}\n", (rows - 1009) * 1009))
    }

    /// A table, under a name that no other case uses.
    pub(super) fn create_table(numbers: &Numbers, dice: &mut Dice) -> Self {
        let count = numbers.count;
        let name = format!("t{}", dice.below(usize::MAX));
        Self {
            sql: format!("CREATE TABLE {name} AS SELECT v, v % 7 AS k FROM numbers"),
            answer: format!("n,s\n{count},{}\n", sum_to(count)),
            reads: Some((format!("SELECT count(*) AS n, sum(v) AS s FROM {name}"), "S0101")),
        }
    }

    fn copy(numbers: &Numbers, dice: &mut Dice) -> Self {
        let count = numbers.count;
        let folder = numbers.scratch.path(&format!("copy{}", dice.below(usize::MAX)));
        Self {
            sql: format!("COPY (SELECT v, v % 7 AS k FROM numbers) TO '{folder}' STORED AS PARQUET"),
            answer: format!("n,s\n{count},{}\n", sum_to(count)),
            reads: Some((format!("SELECT count(*) AS n, sum(v) AS s FROM '{folder}/'"), "S0201")),
        }
    }

    /// One of those that exchange rows between executors.
    pub(super) fn exchanging(numbers: &Numbers, dice: &mut Dice) -> Self {
        match dice.below(3) {
            0 => Self::join(numbers),
            1 => Self::aggregate(numbers),
            _ => Self::window(numbers),
        }
    }

    /// One of all.
    pub(super) fn any(numbers: &Numbers, dice: &mut Dice) -> Self {
        match dice.below(6) {
            0 => Self::join(numbers),
            1 => Self::aggregate(numbers),
            2 => Self::sort(),
            3 => Self::window(numbers),
            4 => Self::create_table(numbers, dice),
            _ => Self::copy(numbers, dice),
        }
    }

    /// One that needs next to nothing.
    pub(super) fn small(dice: &mut Dice) -> Self {
        let last = 1000 + dice.below(1000) as u64;
        let sql = format!("SELECT count(*) AS n, sum(v) AS s FROM numbers WHERE v <= {last}");
        Self::query(sql, format!("n,s\n{last},{}\n", sum_to(last)))
    }

    /// The same query; another write, because its name is taken.
    pub(super) fn again(self, numbers: &Numbers, dice: &mut Dice) -> Self {
        match &self.reads {
            None => self,
            Some((_, "S0101")) => Self::create_table(numbers, dice),
            Some(_) => Self::copy(numbers, dice),
        }
    }

    fn query(sql: String, answer: String) -> Self {
        Self { sql, answer, reads: None }
    }

    /// Checks what became of it: its rows, or one of the given errors and, of a write, all rows or none.
    pub(super) fn check(&self, outcome: &Outcome, errors: &[&str], cluster: &Cluster) {
        let sql = &self.sql;
        if outcome.exit != Some(0) {
            outcome.assert_error(errors, sql);
        } else if self.reads.is_none() {
            assert_eq!(outcome.stdout, self.answer, "{sql}");
        }
        self.check_written(outcome, cluster);
    }

    /// Of a write, checks that all rows can be read or none; all, where it was said to have succeeded.
    pub(super) fn check_written(&self, outcome: &Outcome, cluster: &Cluster) {
        let Some((query, nothing)) = &self.reads else { return };
        let read = Client::start(cluster, query).wait();
        if outcome.exit == Some(0) || read.exit == Some(0) {
            assert_eq!(read.stdout, self.answer, "{}\n{}", self.sql, read.stderr);
        } else {
            read.assert_error(&[nothing], query);
        }
    }

    /// Checks that it gives its rows, whatever happened before.
    pub(super) fn succeeds(&self, cluster: &Cluster) {
        let outcome = Client::start(cluster, &self.sql).wait();
        assert_eq!(outcome.exit, Some(0), "{}\n{}", self.sql, outcome.stderr);
        self.check(&outcome, &[], cluster);
    }
}
