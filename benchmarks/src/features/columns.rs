//! The rows of the table: what each column looks like, and what the label depends on.
//!
//! Cardinalities, shares of missing numbers and the share of clicks are those published of the Criteo data of the
//! Kaggle challenge. The table has no missing categories.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

use crate::zipf::Zipf;

/// Share of rows whose label is 1.
pub(super) const CLICK_SHARE: f64 = 0.256;
/// How steeply the frequencies of categories fall.
pub(super) const EXPONENT: f64 = 1.1;
/// Categories of each categorical column in 45.8 million rows.
pub(super) const CARDINALITIES: [u64; 26] = [
    1460, 583, 10_131_227, 2_202_608, 305, 24, 12_517, 633, 3, 93_145, 5683, 8_351_593, 3194, 27, 14_992, 5_461_306,
    10, 5652, 2173, 4, 7_046_547, 18, 15, 286_181, 105, 142_572,
];
/// Of each number: the share that is missing, and mean and deviation of its logarithm.
pub(super) const NUMBERS: [(f64, f64, f64); 13] = [
    (0.45, 0.6, 1.2),
    (0.0, 2.5, 2.0),
    (0.21, 2.0, 1.5),
    (0.22, 1.6, 1.0),
    (0.026, 8.0, 2.3),
    (0.22, 3.7, 1.6),
    (0.043, 1.7, 1.6),
    (0.0005, 2.0, 1.2),
    (0.043, 3.9, 1.4),
    (0.45, -0.2, 0.8),
    (0.043, 0.6, 1.0),
    (0.76, -0.4, 1.2),
    (0.22, 1.5, 1.2),
];
/// The number that has codes: -1 in a tenth of the rows, -2 in a hundredth.
const CODED: usize = 1;
/// Column, rank of its category, and the share of clicks there; the first that fits counts.
pub(super) const PLANTED: [(usize, u64, f64); 2] = [(8, 3, 0.6), (19, 4, 0.05)];

const SEED: u64 = 0x5EED_C817;

/// `label`, `id`, `i1` to `i13`, `c1` to `c26`.
pub(super) fn schema() -> SchemaRef {
    let mut fields = vec![Field::new("label", DataType::Int32, false), Field::new("id", DataType::Int64, false)];
    fields.extend((1..=NUMBERS.len()).map(|at| Field::new(format!("i{at}"), DataType::Float64, true)));
    fields.extend((1..=CARDINALITIES.len()).map(|at| Field::new(format!("c{at}"), DataType::Utf8, true)));
    Arc::new(Schema::new(fields))
}

/// A generator of its own for each file: files are drawn on several cores and are the same whoever draws them.
pub(super) fn random(table: u64, file: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(SEED ^ (table << 56) ^ file)
}

/// Draws the rows.
pub(super) struct Rows {
    zipfs: Vec<Zipf>,
    base_share: f64,
}

impl Rows {
    /// For a table of so many rows, which no column has more categories than.
    pub(super) fn new(rows: u64) -> Self {
        let cardinality = |column: usize| CARDINALITIES[column].min(rows);
        let zipfs = (0..CARDINALITIES.len()).map(|column| Zipf::new(cardinality(column), EXPONENT)).collect();
        // The share of clicks of the other rows, such that all rows together have theirs.
        let (mut left, mut clicks) = (1.0, 0.0);
        for (column, rank, share) in PLANTED {
            let planted = left * Zipf::share(cardinality(column), EXPONENT, rank);
            clicks += planted * share;
            left -= planted;
        }
        Self { zipfs, base_share: (CLICK_SHARE - clicks) / left }
    }

    /// The next rows, from an id on.
    pub(super) fn batch(
        &self,
        random: &mut Xoshiro256PlusPlus,
        first_id: u64,
        rows: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let mut labels = Int32Builder::with_capacity(rows);
        let mut ids = Int64Builder::with_capacity(rows);
        let mut numbers: Vec<_> = NUMBERS.iter().map(|_| Float64Builder::with_capacity(rows)).collect();
        let mut categories: Vec<_> =
            CARDINALITIES.iter().map(|_| StringBuilder::with_capacity(rows, rows * 8)).collect();
        let mut ranks = [0; CARDINALITIES.len()];
        for row in 0..rows as u64 {
            for (column, ((zipf, rank), texts)) in self.zipfs.iter().zip(&mut ranks).zip(&mut categories).enumerate() {
                *rank = zipf.sample(random);
                let name = category(column, *rank);
                texts.append_value(std::str::from_utf8(&name).unwrap_or_default());
            }
            for (column, builder) in numbers.iter_mut().enumerate() {
                builder.append_option(number(column, random));
            }
            let planted = PLANTED.iter().find(|(column, rank, _)| ranks[*column] == *rank);
            let share = planted.map_or(self.base_share, |(_, _, share)| *share);
            labels.append_value(i32::from(random.random::<f64>() < share));
            ids.append_value((first_id + row) as i64);
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(labels.finish()), Arc::new(ids.finish())];
        columns.extend(numbers.into_iter().map(|mut builder| Arc::new(builder.finish()) as ArrayRef));
        columns.extend(categories.into_iter().map(|mut builder| Arc::new(builder.finish()) as ArrayRef));
        RecordBatch::try_new(schema(), columns)
    }
}

fn number(column: usize, random: &mut impl Rng) -> Option<f64> {
    let (missing, mean, deviation) = NUMBERS[column];
    let chance = random.random::<f64>();
    if chance < missing {
        return None;
    }
    match column == CODED {
        true if chance < 0.01 => Some(-2.0),
        true if chance < 0.11 => Some(-1.0),
        _ => Some(log_normal(random, mean, deviation).floor()),
    }
}

/// A draw whose logarithm is normal, by the method of Box and Muller.
pub(super) fn log_normal(random: &mut impl Rng, mean: f64, deviation: f64) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (mean + deviation * radius * (std::f64::consts::TAU * random.random::<f64>()).cos()).exp()
}

/// The eight hexadecimal digits of a category. Ranks of a column never share them: each step is a bijection.
pub(super) fn category(column: usize, rank: u64) -> [u8; 8] {
    // The finalizer of MurmurHash3.
    let mut code = (rank as u32).wrapping_add((column as u32).wrapping_mul(0x9E37_79B9));
    code = (code ^ (code >> 16)).wrapping_mul(0x85EB_CA6B);
    code = (code ^ (code >> 13)).wrapping_mul(0xC2B2_AE35);
    code ^= code >> 16;
    std::array::from_fn(|digit| b"0123456789abcdef"[(code >> (28 - 4 * digit)) as usize & 15])
}
