//! Sets of numbers, and joins with and without them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Date32Array, Int8Array, Int64Array, RecordBatch, UInt64Array};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use proptest::prelude::*;

use super::set::{HasKey, Keys, NumberSet};

fn found(set: &NumberSet, values: &dyn Array) -> Vec<bool> {
    set.has(values).unwrap().iter().collect()
}

#[test]
fn numbers_of_every_sign_and_width() {
    let numbers: ArrayRef = Arc::new(Int8Array::from(vec![Some(-128), Some(127), None, Some(0)]));
    let set = NumberSet::of(&[numbers]).unwrap().unwrap();
    let asked = Int8Array::from(vec![Some(-128), Some(-127), Some(0), Some(1), Some(127), None]);
    assert_eq!(found(&set, &asked), [true, false, true, false, true, false]);

    let near_the_end: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, u64::MAX - 100]));
    let set = NumberSet::of(&[near_the_end]).unwrap().unwrap();
    let asked = UInt64Array::from(vec![u64::MAX, 0, u64::MAX - 1, u64::MAX - 100, u64::MAX - 101]);
    assert_eq!(found(&set, &asked), [true, false, false, true, false]);

    let days: ArrayRef = Arc::new(Date32Array::from(vec![-3, 20_000]));
    let set = NumberSet::of(&[days]).unwrap().unwrap();
    assert_eq!(found(&set, &Date32Array::from(vec![-3, -2, 20_000])), [true, false, true]);
}

#[test]
fn numbers_that_are_far_apart_have_no_set_and_none_have_an_empty_one() {
    let far: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
    assert!(NumberSet::of(&[far]).unwrap().is_none());
    let none: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>]));
    let set = NumberSet::of(&[none]).unwrap().unwrap();
    assert_eq!(found(&set, &Int64Array::from(vec![0, -1])), [false, false]);
}

proptest! {
    #[test]
    fn a_set_has_what_was_put_in(held in proptest::collection::vec(proptest::collection::vec(any::<i16>(), 0..50), 0..4), asked in proptest::collection::vec(any::<i16>(), 0..200)) {
        let array = |numbers: &[i16]| Arc::new(Int64Array::from_iter_values(numbers.iter().map(|number| i64::from(*number) - 40))) as ArrayRef;
        let arrays: Vec<_> = held.iter().map(|numbers| array(numbers)).collect();
        let set = NumberSet::of(&arrays).unwrap().unwrap();
        let expected: Vec<_> = asked.iter().map(|number| held.iter().flatten().any(|held| held == number)).collect();
        prop_assert_eq!(found(&set, &array(&asked)), expected);
    }
}

#[test]
fn a_condition_is_true_until_keys_are_known_and_once_it_keeps_most() {
    let keys = Arc::new(Keys::default());
    let has_key = HasKey::new(Arc::new(Column::new("k", 0)), Arc::clone(&keys));
    let column = Arc::new(Int64Array::from_iter_values((0..10_000).map(|row| row % 10))) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("k", column)]).unwrap();
    let is_true = || matches!(has_key.evaluate(&batch).unwrap(), ColumnarValue::Scalar(_));
    assert!(is_true());
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let held = |range: std::ops::Range<i64>| {
        let held: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
        keys.put(NumberSet::of(&[held]).unwrap().unwrap(), MemoryConsumer::new("keys").register(&pool));
    };
    held(0..3);
    assert!((0..30).all(|_| !is_true()), "three of ten are kept");
    keys.forget();
    held(0..8);
    assert!((0..20).all(|_| !is_true()), "it is tried on some rows");
    assert!(is_true(), "eight of ten are kept");
}

/// A session with our rules or DataFusion's over `facts` of 300,000 rows and `things` of 10,000, as Parquet.
async fn session(ours: bool, folder: &std::path::Path) -> SessionContext {
    let mut state =
        SessionStateBuilder::new().with_default_features().with_config(SessionConfig::new().with_target_partitions(3));
    if ours {
        state = state.with_physical_optimizer_rules(crate::optimize::rules());
    }
    let context = SessionContext::new_with_state(state.build());
    let numbers =
        |rows: i64, number: fn(i64) -> Option<i64>| Arc::new(Int64Array::from_iter((0..rows).map(number))) as ArrayRef;
    let facts = [
        ("thing", numbers(300_000, |row| (row % 17 != 0).then_some(row * 7919 % 10_000 - 500))),
        ("other", numbers(300_000, |row| Some(row * 31 % 40))),
        ("amount", numbers(300_000, |row| Some(row % 1000))),
    ];
    let things = [
        ("id", numbers(10_000, |row| Some(row - 500))),
        ("kind", numbers(10_000, |row| Some(row % 100))),
        ("part", numbers(10_000, |row| Some(row % 40))),
    ];
    for (name, columns) in [("facts", facts), ("things", things)] {
        let path = folder.join(format!("{name}.parquet"));
        let path = path.to_string_lossy();
        if ours {
            let batch =
                RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap();
            let rows = context.read_batch(batch).unwrap();
            rows.write_parquet(&path, DataFrameWriteOptions::new(), None).await.unwrap();
        }
        context.register_parquet(name, &*path, ParquetReadOptions::default()).await.unwrap();
    }
    context
}

#[tokio::test]
async fn joins_have_the_same_rows_with_sets() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, plain) = (session(true, folder.path()).await, session(false, folder.path()).await);
    for (sets, sql) in [
        (true, "SELECT count(*), sum(amount), sum(kind) FROM facts JOIN things ON thing = id WHERE kind = 7"),
        (true, "SELECT count(*), sum(amount) FROM facts JOIN things ON thing = id AND other = part WHERE kind < 5"),
        (
            true,
            "SELECT kind, count(amount) FROM facts RIGHT JOIN things ON thing = id AND kind = 3 WHERE kind < 10 GROUP BY kind ORDER BY kind",
        ),
        (true, "SELECT count(*), sum(amount) FROM facts WHERE thing IN (SELECT id FROM things WHERE kind = 2)"),
        (
            true,
            "SELECT count(*), sum(f.amount), sum(g.amount) FROM facts f JOIN things t ON f.thing = t.id JOIN facts g ON g.thing = t.id AND g.other = f.other WHERE t.kind = 9",
        ),
        // A row of the other side that matches nothing is wanted.
        (
            false,
            "SELECT count(*), count(id), sum(amount) FROM facts LEFT JOIN (SELECT * FROM things WHERE kind = 4) t ON thing = id",
        ),
        (false, "SELECT count(*), sum(amount) FROM facts WHERE thing NOT IN (SELECT id FROM things WHERE kind = 2)"),
        // Most keys are held.
        (false, "SELECT count(*), sum(amount) FROM facts JOIN things ON thing = id"),
    ] {
        let plan = ours.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(shown.contains("has_key"), sets, "{sql}\n{shown}");
        assert_eq!(shown.contains("HeldKeysExec"), sets, "{sql}\n{shown}");
        let rows = async |context: &SessionContext| {
            pretty_format_batches(&context.sql(sql).await.unwrap().collect().await.unwrap()).unwrap().to_string()
        };
        assert_eq!(rows(&ours).await, rows(&plain).await, "{sql}");
        // A statement that is run again is as good as new.
        assert_eq!(rows(&ours).await, rows(&plain).await, "{sql}");
    }
}
