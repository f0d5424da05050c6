//! The shop's job, against sessions and sums computed from the same rows by plain code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use sluice_examples::shop::{EventLog, ShopOptions, WINDOW_START_SECONDS, generate};

use crate::script::{integers, query, run, statements};

const OUTPUTS: [&str; 5] =
    ["shop_clean_events", "shop_sessions", "shop_user_features", "shop_category_daily", "shop_item_popularity"];

/// An empty folder of its own for one test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sluice-examples").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn options() -> ShopOptions {
    ShopOptions { events: 30_000, users: 400, items: 600, scale: 0.002, days: 4, seed: 3 }
}

/// What the job must find, by user: second, item and behaviour of every valid event once.
fn valid_events() -> BTreeMap<i64, BTreeSet<(i64, i64, String)>> {
    let log = EventLog::new(&options());
    let year = WINDOW_START_SECONDS..WINDOW_START_SECONDS + 365 * 86_400;
    let mut users: BTreeMap<i64, BTreeSet<(i64, i64, String)>> = BTreeMap::new();
    for event in (0..log.files()).flat_map(|file| log.file(file)) {
        let (Some(second), Some(behavior)) = (event.seconds, event.behavior) else { continue };
        let behavior = behavior.trim().to_lowercase();
        if year.contains(&second) && ["pv", "cart", "fav", "buy"].contains(&behavior.as_str()) {
            users.entry(event.user_id).or_default().insert((second, event.item_id, behavior));
        }
    }
    users
}

async fn run_job(name: &str, partitions: usize) -> SessionContext {
    let folder = scratch(name);
    generate(&options(), &folder.join("data"), 2).unwrap();
    let (data, out) = (folder.join("data"), folder.join("out"));
    let variables = [("data", data.to_str().unwrap()), ("out", out.to_str().unwrap())];
    run(statements("shop/job.sql", &variables), partitions).await
}

/// All rows of a table as sorted text.
async fn sorted_rows(context: &SessionContext, table: &str) -> Vec<String> {
    let batches = query(context, &format!("SELECT * FROM {table}")).await;
    let mut rows: Vec<String> =
        pretty_format_batches(&batches).unwrap().to_string().lines().map(normal_spaces).collect();
    rows.sort();
    rows
}

/// Column widths follow the longest value of the whole, so a row reads alike wherever it stands.
fn normal_spaces(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn sessions_and_sums_are_right() {
    let context = run_job("shop-right", 3).await;
    let users = valid_events();

    let events: usize = users.values().map(BTreeSet::len).sum();
    let counts = "SELECT COUNT(*), COUNT(DISTINCT user_id) FROM shop_clean_events";
    assert_eq!(integers(&context, counts).await, [events as i64, users.len() as i64]);

    let (mut sessions, mut seconds, mut longest) = (0, 0, 0);
    for events in users.values() {
        let mut times = events.iter().map(|(second, _, _)| *second);
        let mut start = times.next().unwrap();
        let mut last = start;
        let mut length = 1;
        for second in times {
            if second > last + 1_800 {
                (sessions, seconds, longest) = (sessions + 1, seconds + last - start, longest.max(length));
                (start, length) = (second, 0);
            }
            (last, length) = (second, length + 1);
        }
        (sessions, seconds, longest) = (sessions + 1, seconds + last - start, longest.max(length));
    }
    let found = "SELECT COUNT(*), SUM(duration_seconds), MAX(events), SUM(events) FROM shop_sessions";
    assert_eq!(integers(&context, found).await, [sessions, seconds, longest, events as i64]);

    let bought = users.values().flatten().filter(|(_, _, behavior)| behavior == "buy").count() as i64;
    for table in ["shop_sessions", "shop_user_features", "shop_category_daily", "shop_item_popularity"] {
        assert_eq!(integers(&context, &format!("SELECT SUM(purchases) FROM {table}")).await, [bought], "{table}");
    }
    let features = "SELECT COUNT(*), COUNT(DISTINCT user_id), SUM(sessions) FROM shop_user_features";
    assert_eq!(integers(&context, features).await, [users.len() as i64, users.len() as i64, sessions]);
    assert_same_revenue(&context).await;
}

/// Three outputs add up prices along different ways.
async fn assert_same_revenue(context: &SessionContext) {
    let direct = "SELECT CAST(SUM(i.price) * 100 AS BIGINT) FROM shop_clean_events AS e \
                  JOIN shop_items AS i ON i.item_id = e.item_id WHERE e.behavior = 'buy'";
    let expected = integers(context, direct).await;
    assert!(expected[0] > 0);
    for table in ["shop_sessions", "shop_user_features", "shop_category_daily"] {
        let sql = format!("SELECT CAST(SUM(revenue) * 100 AS BIGINT) FROM {table}");
        assert_eq!(integers(context, &sql).await, expected, "{table}");
    }
}

#[tokio::test]
async fn rows_do_not_depend_on_the_partitions() {
    let one = run_job("shop-one", 1).await;
    let seven = run_job("shop-seven", 7).await;
    for table in OUTPUTS {
        let rows = sorted_rows(&one, table).await;
        assert!(rows.len() > 20, "{table}");
        assert!(rows == sorted_rows(&seven, table).await, "{table}");
    }
}
