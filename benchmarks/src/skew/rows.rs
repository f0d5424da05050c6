//! The rows of the two tables: what each column holds.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, Int64Array, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::distributions::{Distribution, Ranks};

/// The parts of a composite key: the number of values of its second column.
const SECOND_PART: u64 = 100;
/// A prime above every number of keys, so that multiplying by it permutes them.
const PERMUTATION: u64 = (1 << 31) - 1;
/// Distinct values of `a` and `b`.
const VALUES: (i64, i64) = (100_000, 1_000_000);
const SEED: u64 = 0x5CE3_0001;

/// The key of a rank. Frequent keys lie all over the numbers from 0 to `keys`.
pub(super) fn key(rank: u64, keys: u64) -> u64 {
    rank.wrapping_mul(PERMUTATION) % keys
}

/// The two columns of a key.
pub(super) fn parts(distribution: Distribution, key: u64) -> (i64, i32) {
    let first = if distribution == Distribution::Composite { key / SECOND_PART } else { key };
    (first as i64, (key % SECOND_PART) as i32)
}

/// The draws of one file.
pub(super) fn random(table: u64, file: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(SEED ^ (table << 48) ^ file)
}

pub(super) fn fact_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("k2", DataType::Int32, true),
        Field::new("a", DataType::Int64, false),
        Field::new("b", DataType::Int64, false),
        Field::new("x", DataType::Float64, false),
        Field::new("ts", DataType::Int64, false),
        Field::new("payload", DataType::Utf8, false),
    ]))
}

pub(super) fn dimension_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, false),
        Field::new("s", DataType::Utf8, false),
        Field::new("k2", DataType::Int32, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("weight", DataType::Int64, false),
    ]))
}

/// The next rows of the large table, the first of which has the number `first`. `seen` is told each row's key.
pub(super) fn fact(
    distribution: Distribution,
    ranks: &Ranks,
    keys: u64,
    random: &mut Xoshiro256PlusPlus,
    first: u64,
    rows: usize,
    mut seen: impl FnMut(Option<u64>),
) -> Result<RecordBatch, ArrowError> {
    let mut k = Int64Builder::with_capacity(rows);
    let mut s = StringBuilder::with_capacity(rows, rows * 12);
    let mut k2 = Int32Builder::with_capacity(rows);
    let (mut a, mut b) = (Int64Builder::with_capacity(rows), Int64Builder::with_capacity(rows));
    let mut x = Float64Builder::with_capacity(rows);
    let mut payload = StringBuilder::with_capacity(rows, rows * 32);
    let mut text = String::new();
    for _ in 0..rows {
        let key = ranks.sample(random).map(|rank| key(rank, keys));
        seen(key);
        let columns = key.map(|key| parts(distribution, key));
        k.append_option(columns.map(|(first, _)| first));
        s.append_option(columns.map(|(first, _)| key_text(&mut text, first)));
        k2.append_option(columns.map(|(_, second)| second));
        a.append_value(random.random_range(0..VALUES.0));
        b.append_value(random.random_range(0..VALUES.1));
        // Quarters, so that sums and medians are exact in any order.
        x.append_value(f64::from(random.random::<u32>() >> 12) / 4.0);
        text.clear();
        let _ = write!(text, "{:016x}{:016x}", random.random::<u64>(), random.random::<u64>());
        payload.append_value(&text);
    }
    let ts = Int64Array::from_iter_values((first..).take(rows).map(|number| number as i64));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(k.finish()),
        Arc::new(s.finish()),
        Arc::new(k2.finish()),
        Arc::new(a.finish()),
        Arc::new(b.finish()),
        Arc::new(x.finish()),
        Arc::new(ts),
        Arc::new(payload.finish()),
    ];
    RecordBatch::try_new(fact_schema(), columns)
}

/// The rows of the small table for the keys of some ranks: none, one or two for each.
pub(super) fn dimension(
    distribution: Distribution,
    keys: u64,
    random: &mut Xoshiro256PlusPlus,
    ranks: std::ops::RangeInclusive<u64>,
) -> Result<RecordBatch, ArrowError> {
    let (mut k, mut s, mut k2) = (Int64Builder::new(), StringBuilder::new(), Int32Builder::new());
    let (mut name, mut weight) = (StringBuilder::new(), Int64Builder::new());
    let mut text = String::new();
    for rank in ranks {
        let (first, second) = parts(distribution, key(rank, keys));
        for _ in 0..copies(rank) {
            k.append_value(first);
            s.append_value(key_text(&mut text, first));
            k2.append_value(second);
            text.clear();
            let _ = write!(text, "name-{:011x}", random.random::<u64>() >> 20);
            name.append_value(&text);
            weight.append_value(random.random_range(0..1_000));
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(k.finish()),
        Arc::new(s.finish()),
        Arc::new(k2.finish()),
        Arc::new(name.finish()),
        Arc::new(weight.finish()),
    ];
    RecordBatch::try_new(dimension_schema(), columns)
}

/// How many rows the small table has for a key: one, two and none for the three most frequent ones, and for the others
/// none for a fifth, two for a fifth and one for the rest.
pub(super) fn copies(rank: u64) -> usize {
    match rank {
        1 => 1,
        2 => 2,
        3 => 0,
        rank => match (rank.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 10 {
            0 | 1 => 0,
            2 | 3 => 2,
            _ => 1,
        },
    }
}

fn key_text(text: &mut String, key: i64) -> &str {
    text.clear();
    // Writing to a string does not fail.
    let _ = write!(text, "key-{key:08}");
    text
}
