//! Columns as they are stored give the rows that they give otherwise.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int64Array, LargeStringArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

const ROWS: i64 = 5_000;

/// How a file is written.
#[derive(Clone, Copy)]
struct Written {
    first_id: i64,
    has_dictionary: bool,
    /// Whether texts have the larger type, and the last column is missing.
    is_other: bool,
}

fn batch(written: Written) -> RecordBatch {
    let ids: Vec<i64> = (written.first_id..written.first_id + ROWS).collect();
    let mode =
        |id: &i64| (id % 13 != 0).then(|| ["AIR", "SHIP", "TRUCK", "", "a mode of many letters"][(id % 5) as usize]);
    let note = |id: &i64| (id % 11 != 0).then(|| format!("note {id} of {}", id % 17));
    let price = |id: &i64| (id % 7 != 0).then(|| i128::from(id % 1_000) * 31 - 4_000);
    let share = |id: &i64| Some(i128::from(id % 11));
    let total = |id: &i64| (id % 3 != 0).then(|| i128::from(*id) << 70);
    let decimals = |values: Vec<Option<i128>>, precision, scale| {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let texts = |values: Vec<Option<String>>| match written.is_other {
        true => Arc::new(LargeStringArray::from(values)) as ArrayRef,
        false => Arc::new(StringArray::from(values)) as ArrayRef,
    };
    let mut columns = vec![
        ("id", Arc::new(Int64Array::from(ids.clone())) as ArrayRef, true),
        ("mode", texts(ids.iter().map(|id| mode(id).map(str::to_owned)).collect()), true),
        ("note", texts(ids.iter().map(note).collect()), true),
        ("price", decimals(ids.iter().map(price).collect(), 15, 2), true),
        ("share", decimals(ids.iter().map(share).collect(), 9, 2), true),
    ];
    if !written.is_other {
        columns.push(("total", decimals(ids.iter().map(total).collect(), 38, 3), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write(folder: &Path, name: &str, written: Written) {
    let batch = batch(written);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(written.has_dictionary)
        .set_max_row_group_row_count(Some(1_700))
        .build();
    let file = File::create(folder.join(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A table of files that are written differently, with our rules or DataFusion's.
async fn session(ours: bool, folder: &Path) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(3)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let mut state = SessionStateBuilder::new().with_default_features().with_config(config);
    if ours {
        state = state.with_physical_optimizer_rules(crate::optimize::rules());
    }
    let context = SessionContext::new_with_state(state.build());
    let schema = batch(Written { first_id: 0, has_dictionary: true, is_other: false }).schema();
    let options = ParquetReadOptions::default().schema(&schema);
    context.register_parquet("t", folder.to_str().unwrap(), options).await.unwrap();
    let one = folder.join("a.parquet");
    context.register_parquet("one", one.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    context
}

fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.parquet", Written { first_id: 0, has_dictionary: true, is_other: false });
    write(folder.path(), "b.parquet", Written { first_id: ROWS, has_dictionary: false, is_other: false });
    write(folder.path(), "c.parquet", Written { first_id: 2 * ROWS, has_dictionary: true, is_other: true });
    folder
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

const STATEMENTS: [&str; 14] = [
    "SELECT count(*), sum(price), min(note) FROM {t} WHERE mode = 'AIR'",
    "SELECT id, mode, note, price FROM {t} WHERE mode IN ('SHIP', 'TRUCK') AND note LIKE '%of 3' AND price > 10.00",
    "SELECT count(*) FROM {t} WHERE mode NOT IN ('SHIP', 'x') OR mode IS NULL",
    "SELECT count(*) FROM {t} WHERE mode NOT LIKE '%letters' AND note IS NOT NULL",
    "SELECT mode, share, count(*), sum(price * (1 - share)), avg(price), max(note) FROM {t} WHERE id % 2 = 0 GROUP BY mode, share",
    "SELECT note, count(*) FROM {t} WHERE id < 400 GROUP BY note",
    "SELECT mode || '!', price + 1, total FROM {t} WHERE mode < 'B' AND price <> -38.76",
    "SELECT upper(mode) AS u, sum(price * share * price) FROM {t} GROUP BY upper(mode)",
    "SELECT mode, note, id FROM {t} WHERE id BETWEEN 3000 AND 3100 ORDER BY id DESC LIMIT 7",
    "SELECT a.mode, count(*), sum(b.price) FROM {t} a JOIN {t} b ON a.id = b.id AND a.mode = b.mode WHERE a.mode > 'S' AND b.price < 20 GROUP BY a.mode",
    "SELECT count(DISTINCT mode), count(DISTINCT price) FROM {t} WHERE note > 'note 2'",
    "SELECT CASE WHEN mode = 'AIR' THEN price ELSE share END AS v, count(*) FROM {t} WHERE share = 0.03 GROUP BY 1",
    "SELECT mode, price FROM {t} WHERE price IN (-38.76, 100.00, 7) UNION ALL SELECT note, share FROM {t} WHERE note = 'note 5 of 5'",
    "SELECT sum(total - price), sum(total * 2) FROM {t} WHERE price > 0 AND id < 3000",
];

#[tokio::test]
async fn the_same_rows_from_files_of_any_form() {
    let folder = files();
    let (ours, theirs) = (session(true, folder.path()).await, session(false, folder.path()).await);
    for statement in STATEMENTS {
        for table in ["t", "one"] {
            let sql = statement.replace("{t}", table);
            assert_eq!(rows(&ours, &sql).await, rows(&theirs, &sql).await, "{sql}");
        }
    }
}

#[tokio::test]
async fn files_are_read_as_they_are_stored_where_it_saves_work() {
    let folder = files();
    let context = session(true, folder.path()).await;
    for (sql, wanted) in [
        ("SELECT id FROM one WHERE mode = 'AIR'", "codes(mode@"),
        ("SELECT id FROM one WHERE note LIKE '%3'", "views(note@"),
        ("SELECT price FROM one WHERE id < 100", "narrow(price@"),
        ("SELECT mode, count(*) FROM one GROUP BY mode", "codes(mode@"),
    ] {
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        assert!(plan.contains(wanted), "{sql}\n{plan}");
    }
    let whole = context.sql("SELECT * FROM one").await.unwrap().create_physical_plan().await.unwrap();
    let whole = displayable(whole.as_ref()).indent(false).to_string();
    assert!(!whole.contains("narrow(") && !whole.contains("codes("), "{whole}");
}

#[tokio::test]
async fn results_have_the_types_of_their_table() {
    let folder = files();
    let context = session(true, folder.path()).await;
    let sql = "SELECT mode, note, price FROM one WHERE mode = 'AIR' AND price > 0";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let kinds: Vec<DataType> = batches[0].schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(kinds, [DataType::Utf8, DataType::Utf8, DataType::Decimal128(15, 2)]);
    assert!(batches.iter().all(|batch| batch.columns()[0].data_type() == &DataType::Utf8));
}
