//! A session on a cluster: DataFrames, clients' rows, settings of a session, and what the driver tells of its jobs.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::prelude::{col, lit};
use sluice::{ParquetOptions, Session};

use crate::support::{MASTERS, Scratch};

fn rows(count: i64) -> RecordBatch {
    let names: Vec<String> = (0..count).map(|number| format!("n{}", number % 5)).collect();
    RecordBatch::try_from_iter([
        ("v", Arc::new(Int64Array::from_iter_values(0..count)) as _),
        ("name", Arc::new(StringArray::from(names)) as _),
    ])
    .unwrap()
}

async fn text(frame: datafusion::dataframe::DataFrame) -> String {
    let batches = frame.collect().await.unwrap();
    datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
}

#[test]
fn a_data_frame_is_the_same_thing_everywhere() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut results = Vec::new();
    for master in MASTERS {
        let scratch = Scratch::new();
        let file = scratch.path("rows.parquet");
        results.push(runtime.block_on(async {
            let session: Session = scratch.session(master).build().await.unwrap();
            session.register_batches("mine", vec![rows(1000)]).await.unwrap();
            // Written through the DataFrame, and read back through one.
            session.table("mine").await.unwrap().write_parquet(&file, Default::default(), None).await.unwrap();
            let read = session.read_parquet(&file, ParquetOptions::default()).await.unwrap();
            let joined = read
                .filter(col("v").gt(lit(99)))
                .unwrap()
                .aggregate(vec![col("name")], vec![count(lit(1)).alias("n"), sum(col("v")).alias("s")])
                .unwrap()
                .sort(vec![col("name").sort(true, false)])
                .unwrap();
            let first = text(joined).await;
            let sql = session.sql("SELECT name, max(v) AS m FROM mine GROUP BY name").await.unwrap();
            let second = text(sql.sort(vec![col("m").sort(false, false)]).unwrap().limit(0, Some(2)).unwrap()).await;
            assert!(session.deregister_table("mine").await.unwrap());
            assert!(session.sql("SELECT * FROM mine").await.is_err());
            (first, second)
        }));
    }
    assert!(results[0].0.contains("| n0   | 180 | 98550"), "{}", results[0].0);
    assert!(results[0].1.contains("| n4   | 999 |"), "{}", results[0].1);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn sessions_share_the_catalog_and_nothing_else() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(1, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let one = Session::connect(&cluster.url).await.unwrap();
        let two = Session::connect(&cluster.url).await.unwrap();
        one.sql("CREATE TABLE shared AS SELECT 1 AS a").await.unwrap();
        assert_eq!(two.sql("SELECT a FROM shared").await.unwrap().count().await.unwrap(), 1);
        one.register_batches("own", vec![rows(3)]).await.unwrap();
        assert!(two.sql("SELECT * FROM own").await.is_err());
        one.sql("SET sluice.execution.partitions = 7").await.unwrap();
        let setting = "SELECT value FROM information_schema.df_settings WHERE name = 'sluice.execution.partitions'";
        assert!(text(one.sql(setting).await.unwrap()).await.contains("| 7 "));
        assert!(text(two.sql(setting).await.unwrap()).await.contains("| 0 "));
    });
}

#[test]
fn a_job_tells_of_its_stages() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(2, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session = Session::connect(&cluster.url).await.unwrap();
        session.sql("CREATE TABLE t AS SELECT value AS v FROM generate_series(1, 100000)").await.unwrap();
        session.sql("SET sluice.execution.partitions = 4").await.unwrap();
        let frame = session.sql("SELECT v % 10 AS k, count(*) AS n FROM t GROUP BY v % 10").await.unwrap();
        assert_eq!(frame.collect().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
        let jobs = session.jobs().await.unwrap();
        let job = session.job(&jobs[0].id).await.unwrap();
        assert_eq!(job.state, "succeeded");
        assert_eq!(job.attempts, 1);
        assert!(job.stages.len() >= 2, "{job:?}");
        assert!(job.stages.iter().all(|stage| stage.state == "succeeded" && stage.tasks_done > 0), "{job:?}");
        assert_eq!(job.stages.last().unwrap().rows, 10, "{job:?}");
        let analyzed = text(session.sql("EXPLAIN ANALYZE SELECT sum(v) FROM t").await.unwrap()).await;
        assert!(analyzed.contains("output_rows=") && analyzed.contains("stage "), "{analyzed}");
    });
}
