//! The salts of rows, as a function of their columns.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, Int32Builder, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::table::{Entry, SaltTable};
use crate::placement::hashes;

/// Salts of rows with a null in their key, over which they are spread.
const NULL_SALTS: u64 = 1 << 20;

/// A side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Its rows are the rows of the grid: this is the side that is split.
    Split,
    /// Its rows are the columns of the grid: this is the side that is repeated, unless a key is frequent on both.
    Repeated,
}

/// The salts of a row: `Int32` where a row can only have one, else `List<Int32>`.
///
/// Its arguments are the columns of the key, then those that tell rows of one key apart.
#[derive(Debug)]
pub struct Salt {
    table: Arc<SaltTable>,
    side: Side,
    signature: Signature,
}

impl Salt {
    /// The function for one side of a join.
    pub fn new(table: Arc<SaltTable>, side: Side) -> Self {
        Self { table, side, signature: Signature::variadic_any(Volatility::Immutable) }
    }

    /// As a function that expressions can call.
    pub fn into_udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }

    /// The salts of frequent keys.
    pub fn table(&self) -> &Arc<SaltTable> {
        &self.table
    }

    /// The side of the join.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Whether rows can have several salts, so that the result is a list.
    pub fn gives_lists(&self) -> bool {
        self.side == Side::Repeated || self.table.is_grid()
    }

    fn result_type(&self) -> DataType {
        match self.gives_lists() {
            true => DataType::List(item()),
            false => DataType::Int32,
        }
    }

    fn one(&self, rows: &Rows) -> Int32Array {
        let salts = (0..rows.keys.len()).map(|row| {
            if rows.is_null(row) {
                return null_salt(rows.others[row]);
            }
            match self.table.find(rows.keys[row]) {
                Some(entry) => entry.salts[share(entry, rows.others[row])],
                None => 0,
            }
        });
        Int32Array::from_iter_values(salts)
    }

    fn lists(&self, rows: &Rows) -> ListArray {
        let count = rows.keys.len();
        let mut salts = Int32Builder::with_capacity(count);
        let mut lengths = Vec::with_capacity(count);
        for row in 0..count {
            let before = salts.values_slice().len();
            match (rows.is_null(row), self.table.find(rows.keys[row])) {
                (true, _) => salts.append_value(null_salt(rows.others[row])),
                (false, None) => salts.append_value(0),
                (false, Some(entry)) => self.append(entry, rows.others[row], &mut salts),
            }
            lengths.push(salts.values_slice().len() - before);
        }
        ListArray::new(item(), OffsetBuffer::from_lengths(lengths), Arc::new(salts.finish()), None)
    }

    fn append(&self, entry: &Entry, other: u64, salts: &mut Int32Builder) {
        let columns = entry.columns as usize;
        match self.side {
            Side::Split => {
                let first = share(entry, other) * columns;
                salts.append_slice(&entry.salts[first..first + columns]);
            }
            Side::Repeated => {
                let column = (other % columns as u64) as usize;
                entry.salts.iter().skip(column).step_by(columns).for_each(|&salt| salts.append_value(salt));
            }
        }
    }
}

/// The row of the grid for a row with these other columns.
fn share(entry: &Entry, other: u64) -> usize {
    entry.routes[(other % entry.routes.len().max(1) as u64) as usize] as usize
}

/// Below every salt of a key, so that no such row shares a key and a salt with another.
fn null_salt(other: u64) -> i32 {
    -1 - (other % NULL_SALTS) as i32
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Int32, false))
}

/// What is known of some rows.
struct Rows {
    keys: Vec<u64>,
    others: Vec<u64>,
    /// Where no row has a null key that is to be scattered, absent.
    nulls: Option<NullBuffer>,
}

impl Rows {
    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

impl ScalarUDFImpl for Salt {
    fn name(&self) -> &str {
        match self.side {
            Side::Split => "skew_salt",
            Side::Repeated => "skew_salts",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result_type())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.result_type(), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Vec<ArrayRef> =
            args.args.iter().map(|argument| argument.to_array(args.number_rows)).collect::<Result<_>>()?;
        let keys = self.table.key_columns();
        if keys == 0 || columns.len() < keys {
            return exec_err!("{} of {} columns needs at least {keys}", self.name(), columns.len());
        }
        let (keys, others) = columns.split_at(keys);
        let nulls = match self.table.scatters_nulls() {
            true => {
                keys.iter().fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()))
            }
            false => None,
        };
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let others = match others {
            [] => vec![0; args.number_rows],
            others => hashes(others)?,
        };
        let rows = Rows { keys: hashes(keys)?, others, nulls };
        Ok(ColumnarValue::Array(match self.gives_lists() {
            true => Arc::new(self.lists(&rows)),
            false => Arc::new(self.one(&rows)),
        }))
    }
}

impl PartialEq for Salt {
    fn eq(&self, other: &Self) -> bool {
        self.side == other.side && self.table == other.table
    }
}

impl Eq for Salt {}

impl Hash for Salt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.side.hash(state);
        self.table.hash(state);
    }
}

#[cfg(test)]
mod tests;
