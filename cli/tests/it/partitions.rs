//! Which rows are in which partition, seen through the files of a write: a partition makes one.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use sluice::partition::{Clustering, Decoder, PartitionBy, Partitioner, PartitionerRegistry, Rows, Scheme};
use sluice::{ErrorCode, ExecuteOptions, Session};

use crate::support::{MASTERS, Scratch};

async fn rows(session: &Session, sql: &str) -> Vec<Vec<String>> {
    let execution = session.execute(sql, ExecuteOptions::default()).await.unwrap();
    let batches: Vec<_> = execution.stream.try_collect().await.unwrap();
    let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
    text.lines().skip(3).filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The values of one column in each file that a query's COPY makes, in the order of the rows.
async fn files(session: &Session, scratch: &Scratch, name: &str, query: &str, column: &str) -> Vec<Vec<String>> {
    let folder = scratch.path(name);
    rows(session, &format!("COPY ({query}) TO '{folder}/' STORED AS PARQUET")).await;
    let mut files = Vec::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "parquet") {
            let values = rows(session, &format!("SELECT {column} FROM '{}'", file.display())).await;
            files.push(values.into_iter().map(|mut row| row.remove(0)).collect());
        }
    }
    files
}

/// 6,000 rows: `id` is theirs alone, `k` has 7 values, `name` has one that 80 of 100 rows have.
const ROWS: &str = "CREATE TABLE rows AS SELECT value AS id, value % 7 AS k, \
     CASE WHEN value % 10 < 8 THEN 'hot' ELSE 'c' || (value % 100) END AS name FROM range(0, 6000)";

/// In how many files each value is.
fn files_of_values(files: &[Vec<String>]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for file in files {
        let mut values: Vec<&str> = file.iter().map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        values.into_iter().for_each(|value| *counts.entry(value).or_insert(0) += 1);
    }
    counts
}

fn numbers(file: &[String]) -> Vec<i64> {
    file.iter().map(|value| value.parse().unwrap()).collect()
}

async fn places_rows(master: &str) {
    let scratch = Scratch::new();
    let session = scratch.session(master).build().await.unwrap();
    rows(&session, ROWS).await;

    for (index, clause) in [
        "DISTRIBUTE BY k INTO 5 PARTITIONS",
        "DISTRIBUTE BY hash(k) INTO 16 PARTITIONS",
        "DISTRIBUTE BY bucket(32, k) INTO 6 PARTITIONS",
        "DISTRIBUTE BY consistent_hash(k) INTO 6 PARTITIONS",
    ]
    .into_iter()
    .enumerate()
    {
        let query = format!("SELECT id, k FROM rows {clause}");
        let files = files(&session, &scratch, &format!("clustered{index}"), &query, "k").await;
        assert!(files.len() > 1, "{master}, {clause}: {} files", files.len());
        assert_eq!(files.iter().map(Vec::len).sum::<usize>(), 6000, "{master}, {clause}");
        let of_values = files_of_values(&files);
        assert!(
            of_values.len() == 7 && of_values.values().all(|count| *count == 1),
            "{master}, {clause}: {of_values:?}"
        );
    }

    // Lists: exactly what they say.
    let query = "SELECT k FROM rows DISTRIBUTE BY list(k, [0, 1], [2], default => 3)";
    let listed = files(&session, &scratch, "listed", query, "k").await;
    let mut values: Vec<Vec<&str>> = listed
        .iter()
        .map(|file| {
            let mut values: Vec<&str> = file.iter().map(String::as_str).collect();
            values.sort_unstable();
            values.dedup();
            values
        })
        .collect();
    values.sort();
    assert_eq!(values, [vec!["0", "1"], vec!["2"], vec!["3", "4", "5", "6"]], "{master}");

    // Ranges: even, in order, and sorted inside.
    let query = "SELECT id FROM rows DISTRIBUTE BY range(id) INTO 5 PARTITIONS SORT BY id DESC";
    let mut ranges: Vec<Vec<i64>> =
        files(&session, &scratch, "ranges", query, "id").await.iter().map(|file| numbers(file)).collect();
    assert!(ranges.iter().all(|range| range.is_sorted_by(|a, b| a > b)), "{master}");
    ranges.iter_mut().for_each(|range| range.reverse());
    ranges.sort();
    assert_eq!(ranges.len(), 5, "{master}");
    assert!(ranges.iter().all(|range| (1100..1300).contains(&range.len())), "{master}");
    assert_eq!(ranges.concat(), (0..6000).collect::<Vec<_>>(), "{master}");

    // A key that four of five rows have spans ranges; no other does.
    let query = "SELECT id, name FROM rows DISTRIBUTE BY range(name) INTO 5 PARTITIONS";
    let hot = files(&session, &scratch, "hot", query, "name").await;
    let sizes: Vec<usize> = hot.iter().map(Vec::len).collect();
    assert!(sizes.len() == 5 && sizes.iter().all(|size| (1000..1400).contains(size)), "{master}: {sizes:?}");
    assert!(files_of_values(&hot).iter().all(|(name, count)| (*name == "hot") == (*count > 1)), "{master}");

    // Spread, by a hint; and a key that the SELECT does not give.
    let spread = files(&session, &scratch, "spread", "SELECT /*+ REPARTITION(6) */ id FROM rows", "id").await;
    let sizes: Vec<usize> = spread.iter().map(Vec::len).collect();
    assert!(sizes.len() == 6 && sizes.iter().all(|size| (850..1150).contains(size)), "{master}: {sizes:?}");
    let query = "SELECT id % 7 AS other FROM rows DISTRIBUTE BY list(k, [6], default => 1)";
    let hidden = files(&session, &scratch, "hidden", query, "other").await;
    assert_eq!(files_of_values(&hidden).len(), 7, "{master}");
    assert!(hidden.iter().any(|file| file.iter().all(|value| value == "6")), "{master}");
}

fn on(master: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(places_rows(master));
}

#[test]
fn rows_are_where_the_statement_says_embedded() {
    on(MASTERS[0]);
}

#[test]
fn rows_are_where_the_statement_says_on_one_executor() {
    on(MASTERS[1]);
}

#[test]
fn rows_are_where_the_statement_says_on_three_executors() {
    on(MASTERS[2]);
}

#[test]
fn frames_place_rows_embedded_and_on_a_cluster() {
    use datafusion::prelude::col;
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for master in [MASTERS[0], MASTERS[1]] {
            let scratch = Scratch::new();
            let session = scratch.session(master).build().await.unwrap();
            rows(&session, ROWS).await;
            let frame = session.table("rows").await.unwrap();
            let placed = frame.partition_by(Scheme::Range, Some(4), vec![col("id")]).unwrap();
            let sorted = placed.sort_within_partitions(vec![col("id").sort(true, false)]).unwrap();
            assert_eq!(sorted.count().await.unwrap(), 6000, "{master}");
            // The driver does not know the name.
            let unknown = Scheme::Made("nobody's".to_string(), vec![]);
            let frame = session.table("rows").await.unwrap();
            let failed = frame.partition_by(unknown, Some(4), vec![col("id")]).unwrap().collect().await;
            let error = sluice::Error::from(failed.unwrap_err());
            assert_eq!(error.code(), ErrorCode::InvalidPlan, "{master}: {error}");
            assert!(error.message().contains("\"nobody's\" is not registered"), "{master}: {error}");
        }
    });
}

/// A partitioner of a user: by the sign of a number, or, broken, beyond all partitions.
#[derive(Debug)]
struct BySign {
    broken: bool,
}

impl Partitioner for BySign {
    fn name(&self) -> &str {
        "by_sign"
    }

    fn partitions(&self) -> usize {
        2
    }

    fn clustering(&self) -> Clustering {
        Clustering::KeyClustered
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> datafusion::error::Result<()> {
        let keys = rows.keys[0].as_primitive::<Int64Type>();
        for (id, key) in ids.iter_mut().zip(keys.values()) {
            *id = if self.broken { 7 } else { u32::from(*key < 0) };
        }
        Ok(())
    }

    fn encode(&self) -> datafusion::error::Result<Vec<u8>> {
        Ok(vec![u8::from(self.broken)])
    }
}

#[test]
fn a_users_partitioner_places_rows_and_its_wrong_ids_fail_the_job_with_its_name() {
    let partitioners = PartitionerRegistry::standard();
    let decoder: Decoder =
        Arc::new(|bytes: &[u8]| Ok(Arc::new(BySign { broken: bytes == [1] }) as Arc<dyn Partitioner>));
    partitioners.register("by_sign", decoder).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let scratch = Scratch::new();
        let builder = scratch.session(MASTERS[0]).partitioners(Arc::new(partitioners));
        let session = builder.build().await.unwrap();
        rows(&session, "CREATE TABLE signs AS SELECT value - 500 AS id FROM range(0, 1000)").await;
        let place = |broken| {
            let session = session.clone();
            async move {
                let frame = session.table("signs").await.unwrap();
                let scheme = Scheme::made(&BySign { broken }).unwrap();
                let placed = frame.partition_by(scheme, None, vec![datafusion::prelude::col("id")]).unwrap();
                placed.collect_partitioned().await
            }
        };
        let partitions = place(false).await.unwrap();
        let counts = partitions.iter().map(|batches| batches.iter().map(|batch| batch.num_rows()).sum::<usize>());
        assert_eq!(counts.collect::<Vec<_>>(), [500, 500, 0, 0]);
        let error = sluice::Error::from(place(true).await.unwrap_err());
        assert_eq!(error.code(), ErrorCode::Evaluation, "{error}");
        assert!(error.message().contains("\"by_sign\" put a row on partition 7, but there are 2"), "{error}");
    });
}
