//! The least and the greatest value of a column.

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use crate::constants::Constants;
use crate::numbers::for_each_block;
use crate::state::StateReader;
use crate::summary::{Columns, Statistic, count, one};

/// Values that are compared side by side.
const LANES: usize = 8;

/// The least and the greatest of the values so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extent {
    rows: u64,
    missing: u64,
    bounds: Option<(f64, f64)>,
}

impl Extent {
    fn widen(&mut self, rows: u64, least: f64, most: f64) {
        // Negative zero is zero.
        let (least, most) = (least + 0.0, most + 0.0);
        let (low, high) = self.bounds.unwrap_or((least, most));
        self.bounds = Some((low.min(least), high.max(most)));
        self.rows = self.rows.saturating_add(rows);
    }
}

impl Statistic for Extent {
    type Outcome = Option<(f64, f64)>;

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![
            ("rows", DataType::Int64),
            ("missing", DataType::Int64),
            ("least", DataType::Float64),
            ("greatest", DataType::Float64),
        ]
    }

    fn new(_constants: &Constants) -> Result<Self> {
        Ok(Self::default())
    }

    fn read(state: &StateReader<'_>) -> Result<Self> {
        let number = |field: &str| -> Result<u64> { Ok(state.integer(field)?.unwrap_or(0).max(0) as u64) };
        let bounds = match (state.float("least")?, state.float("greatest")?) {
            (None, None) => None,
            (Some(least), Some(greatest)) if least <= greatest => Some((least, greatest)),
            _ => return exec_err!("the fields least and greatest of the state must ascend"),
        };
        Ok(Self { rows: number("rows")?, missing: number("missing")?, bounds })
    }

    fn update(&mut self, values: &Float64Array, finite: bool) {
        let (mut rows, mut least, mut most) = (0_u64, [f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let known = |value: f64| if finite && value.is_infinite() { f64::NAN } else { value };
        for_each_block(values, |block| {
            rows += block.iter().map(|value| u64::from(!known(*value).is_nan())).sum::<u64>();
            let (lanes, rest) = block.as_chunks::<LANES>();
            let mut last = [f64::NAN; LANES];
            last[..rest.len()].copy_from_slice(rest);
            for values in lanes.iter().chain([&last]) {
                for ((least, most), value) in least.iter_mut().zip(&mut most).zip(values) {
                    let value = known(*value);
                    *least = if value < *least { value } else { *least };
                    *most = if value > *most { value } else { *most };
                }
            }
        });
        let least = least.into_iter().fold(f64::INFINITY, f64::min);
        let most = most.into_iter().fold(f64::NEG_INFINITY, f64::max);
        self.missing += values.len() as u64 - rows;
        if rows > 0 {
            self.widen(rows, least, most);
        }
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.missing = self.missing.saturating_add(other.missing);
        if let Some((least, most)) = other.bounds {
            self.widen(other.rows, least, most);
        }
        Ok(())
    }

    fn finish(&mut self) -> Self::Outcome {
        self.bounds
    }

    fn columns(&self, _outcome: Option<&Self::Outcome>) -> Result<Columns> {
        Ok(vec![
            ("rows", count(self.rows)),
            ("missing", count(self.missing)),
            ("least", one(self.bounds.map(|(least, _)| least))),
            ("greatest", one(self.bounds.map(|(_, most)| most))),
        ])
    }
}
