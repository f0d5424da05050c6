//! What an exchange of rows between stages did: how much went to each partition.

use std::fmt::Write;

use super::spread::Spread;

/// An exchange that sends each row to the partition that the hash of its keys names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExchangeInfo {
    /// The expressions that are hashed, as plans print them.
    pub keys: String,
    /// Rows by partition of the receiving side, summed over the sending tasks.
    pub rows: Spread,
    /// Bytes by partition: of the files that tasks exchange on a cluster, and of the rows in memory in one process.
    pub bytes: Spread,
    /// Rows of each partition in the order of their numbers. Empty where a job has so many that they are not listed.
    pub partition_rows: Vec<u64>,
    /// Bytes of each partition; as many as [`Self::partition_rows`].
    pub partition_bytes: Vec<u64>,
    /// What else is known, such as hot keys: one sentence each.
    pub notes: Vec<String>,
}

impl ExchangeInfo {
    /// From rows and bytes of each partition.
    pub fn new(keys: String, partition_rows: Vec<u64>, partition_bytes: Vec<u64>) -> Self {
        let (rows, bytes) = (Spread::of(&partition_rows), Spread::of(&partition_bytes));
        Self { keys, rows, bytes, partition_rows, partition_bytes, notes: Vec::new() }
    }

    /// Keeps the numbers that stand for all partitions and drops those of each.
    pub fn without_lists(mut self) -> Self {
        self.partition_rows.clear();
        self.partition_bytes.clear();
        self
    }

    /// Lines for people, as `EXPLAIN ANALYZE` shows them under `title`.
    pub fn describe(&self, title: &str) -> String {
        let Self { keys, rows, bytes, notes, .. } = self;
        let mut text = format!("{title}: hash({keys}) into {} partitions\n", rows.count);
        // Writing to a string does not fail.
        let _ = writeln!(text, "  rows:  {rows}\n  bytes: {bytes}");
        for note in notes {
            let _ = writeln!(text, "  note:  {note}");
        }
        text
    }
}

/// How long one task ran, on its executor's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskTime {
    /// From the task's start to its end.
    pub elapsed_ms: u64,
    /// Input partitions that it worked on, side by side.
    pub partitions: u32,
    /// Cores that it held all that time.
    pub cores: u32,
}

#[cfg(test)]
mod tests {
    use super::ExchangeInfo;

    #[test]
    fn an_exchange_is_described_with_its_notes() {
        let mut exchange = ExchangeInfo::new("k@0".to_string(), vec![1, 0, 5], vec![10, 0, 50]);
        exchange.notes.push("hot: 'a'".to_string());
        let expected = "stage 1: hash(k@0) into 3 partitions\n  \
                        rows:  total 6, max 5, max/mean 2.50, max/median 5.00 █▂▁\n  \
                        bytes: total 60, max 50, max/mean 2.50, max/median 5.00 █▂▁\n  \
                        note:  hot: 'a'\n";
        assert_eq!(exchange.describe("stage 1"), expected);
    }

    #[test]
    fn without_lists_the_totals_stay() {
        let exchange = ExchangeInfo::new("k@0".to_string(), vec![1, 2], vec![3, 4]).without_lists();
        assert!(exchange.partition_rows.is_empty() && exchange.partition_bytes.is_empty());
        assert_eq!((exchange.rows.count, exchange.rows.total, exchange.bytes.total), (2, 3, 7));
    }
}
