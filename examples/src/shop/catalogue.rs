//! The `items` and `users` tables: what the log's ids stand for, as far as the shop knows.
//!
//! Both lag behind the log: a few ids are missing, and some columns are null.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use rand::RngExt;

use super::events::{EventLog, WINDOW_START_SECONDS};
use super::files::{Job, TableFile};
use super::random::{Purpose, normal, pick, stream};

const BLOCK_ROWS: u64 = 65_536;
const MISSING: f64 = 0.005;

const ADJECTIVES: [&str; 8] = ["Blue", "Café", "Folding", "Kühler", "Light", "Old", "Quiet", "Winter"];
const NOUNS: [&str; 8] = ["Bag", "Chair", "Kettle", "Lamp", "Mug", "Radio", "Shoes", "茶杯"];
const AGE_BANDS: [&str; 5] = ["18-24", "25-34", "35-44", "45-54", "55+"];

fn item_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("item_id", DataType::Int64, false),
        Field::new("category_id", DataType::Int32, false),
        Field::new("price", DataType::Decimal128(12, 2), false),
        Field::new("title", DataType::Utf8, true),
    ]))
}

fn user_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Int64, false),
        Field::new("age_band", DataType::Utf8, true),
        Field::new("city_tier", DataType::Int32, true),
        Field::new("registered_on", DataType::Date32, false),
    ]))
}

fn item_batch(log: &EventLog, ids: impl Iterator<Item = u64>) -> Result<RecordBatch> {
    let (mut keys, mut categories, mut cents, mut titles) = (vec![], vec![], vec![], vec![]);
    for id in ids {
        let mut random = stream(log.options.seed, Purpose::Item, id);
        if random.random_bool(MISSING) {
            continue;
        }
        keys.push(id as i64);
        categories.push(log.category_of(id as i64));
        // Log-normal around 33.00, never free.
        cents.push(((3.5 + normal(&mut random)).exp() * 100.0).max(1.0) as i128);
        let title = format!("{} {} {id}", pick(&mut random, &ADJECTIVES), pick(&mut random, &NOUNS));
        titles.push((!random.random_bool(0.02)).then_some(title));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(keys)),
        Arc::new(Int32Array::from(categories)),
        Arc::new(Decimal128Array::from(cents).with_precision_and_scale(12, 2)?),
        Arc::new(StringArray::from(titles)),
    ];
    Ok(RecordBatch::try_new(item_schema(), columns)?)
}

fn user_batch(log: &EventLog, ids: impl Iterator<Item = u64>) -> Result<RecordBatch> {
    let start_day = (WINDOW_START_SECONDS / 86_400) as i32;
    let (mut keys, mut bands, mut tiers, mut days) = (vec![], vec![], vec![], vec![]);
    for id in ids {
        let mut random = stream(log.options.seed, Purpose::User, id);
        if random.random_bool(MISSING) {
            continue;
        }
        keys.push(id as i64);
        bands.push((!random.random_bool(0.15)).then_some(*pick(&mut random, &AGE_BANDS)));
        tiers.push((!random.random_bool(0.05)).then_some(random.random_range(1..=4)));
        days.push(start_day - random.random_range(0..2_000));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(keys)),
        Arc::new(StringArray::from(bands)),
        Arc::new(Int32Array::from(tiers)),
        Arc::new(Date32Array::from(days)),
    ];
    Ok(RecordBatch::try_new(user_schema(), columns)?)
}

pub(super) fn jobs<'a>(log: &'a EventLog, folder: &Path) -> Vec<Job<'a>> {
    let items = folder.join("items/part-00000.parquet");
    let users = folder.join("users/part-00000.parquet");
    vec![
        Box::new(move || {
            let mut table = TableFile::create(&items, item_schema())?;
            for first in (1..=log.options.items).step_by(BLOCK_ROWS as usize) {
                table.write(&item_batch(log, first..(first + BLOCK_ROWS).min(log.options.items + 1))?)?;
            }
            table.close()
        }),
        Box::new(move || {
            let mut table = TableFile::create(&users, user_schema())?;
            for first in (1..=log.options.users).step_by(BLOCK_ROWS as usize) {
                table.write(&user_batch(log, first..(first + BLOCK_ROWS).min(log.options.users + 1))?)?;
            }
            table.close()
        }),
    ]
}
