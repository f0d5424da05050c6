//! What users see of skew: rows and bytes by partition, and time by task.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use serde_json::Value;
use sluice::Session;

use crate::support::{Scratch, stderr, stdout};

const ROWS: u64 = 100_000;
const HOT: u64 = 90_000;

/// Nine rows of ten have one key. A window needs every row on the partition of its key.
const TABLE: &str = "CREATE TABLE skewed AS SELECT CASE WHEN value <= 90000 THEN 0 ELSE value END AS k, value AS v \
     FROM generate_series(1, 100000)";
const QUERY: &str = "SELECT max(n) AS m FROM (SELECT row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM skewed)";

async fn text(session: &Session, sql: &str) -> String {
    let batches: Vec<RecordBatch> = session.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

fn sum(list: &Value) -> u64 {
    list.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).sum()
}

#[test]
fn a_job_shows_how_a_skewed_exchange_spread_its_rows() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(2, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let id = runtime.block_on(async {
        let session = Session::connect(&cluster.url).await.unwrap();
        session.sql(TABLE).await.unwrap();
        session.sql("SET sluice.execution.partitions = 6").await.unwrap();
        assert!(text(&session, QUERY).await.contains("| 90000 |"));
        let id = session.jobs().await.unwrap()[0].id.clone();
        let job = session.job(&id).await.unwrap();
        let exchanges: Vec<_> = job.stages.iter().filter_map(|stage| stage.exchange.as_ref()).collect();
        let [exchange] = exchanges[..] else { panic!("one exchange: {job:?}") };
        assert!(exchange.keys.starts_with("k@"), "{exchange:?}");
        assert_eq!(exchange.partition_rows.len(), 6);
        assert_eq!(exchange.partition_rows.iter().sum::<u64>(), ROWS);
        assert_eq!((exchange.rows.count, exchange.rows.total), (6, ROWS));
        assert_eq!(exchange.partition_bytes.iter().sum::<u64>(), exchange.bytes.total);
        // The hot key's partition has its rows and about a sixth of the others.
        assert!((HOT..HOT + 4_000).contains(&exchange.rows.max), "{exchange:?}");
        assert!((5.4..5.7).contains(&exchange.rows.max_to_mean()), "{exchange:?}");
        assert!((40.0..70.0).contains(&exchange.rows.max_to_median()), "{exchange:?}");
        for stage in &job.stages {
            assert_eq!(stage.task_times.len(), stage.tasks_done as usize, "{job:?}");
            assert_eq!(stage.task_ms.total, stage.task_times.iter().map(|task| task.elapsed_ms).sum::<u64>());
        }
        // The list of jobs has the totals only.
        let listed = session.jobs().await.unwrap();
        assert!(listed.iter().flat_map(|job| &job.stages).all(|stage| stage.task_times.is_empty()));

        let analyzed = text(&session, &format!("EXPLAIN ANALYZE {QUERY}")).await;
        assert!(analyzed.contains("Exchanges") && analyzed.contains("into 6 partitions"), "{analyzed}");
        assert!(analyzed.contains(&format!("rows:  total {ROWS}, max 9")), "{analyzed}");
        assert!(analyzed.contains("  ms:    total "), "{analyzed}");
        id
    });
    let shown = scratch.run(&["job", &id, "--master", &cluster.url]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    let table = stdout(&shown);
    assert!(table.contains("rows of partitions") && table.contains("█▁▁▁▁▁"), "{table}");
    assert!(table.contains("into 6 partitions"), "{table}");
    let shown = scratch.run(&["job", &id, "--master", &cluster.url, "--format", "json"]);
    let job: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let exchange = &job["stages"][0]["exchange"];
    assert_eq!(sum(&exchange["partition_rows"]), ROWS, "{job}");
    assert_eq!(exchange["rows"]["total"], ROWS, "{job}");
}

#[test]
fn a_process_alone_shows_it_too() {
    let scratch = Scratch::new();
    let script = format!("{TABLE}; SET datafusion.execution.target_partitions = 4; EXPLAIN ANALYZE {QUERY};");
    let output = scratch.run(&["sql", "-e", &script, "--master", "local[4]"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("Exchanges\nexchange 0: hash(k@0) into 4 partitions"), "{text}");
    assert!(text.contains(&format!("  rows:  total {ROWS}, max 9")), "{text}");
}
