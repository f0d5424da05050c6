//! Ranges of the rows of frequent keys: a window over such a key is computed range by range, each on the partition that it
//! was given, and what went before a range is added afterwards.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::placement::hashes;
use crate::salts::solve_salts;

/// The ranges of frequent keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeTable {
    /// Columns of the key.
    pub(crate) keys: u32,
    /// How the columns that rows are ordered by are sorted.
    pub(crate) order: Vec<SortOptions>,
    /// By the hash of the key.
    pub(crate) entries: HashMap<u64, Ranges>,
}

/// The ranges of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Where each range but the first begins, as rows in Arrow's row format.
    pub(crate) cuts: Vec<Vec<u8>>,
    /// The salt of each range, which no other range of the key has.
    pub(crate) salts: Vec<i32>,
}

/// The ranges of a key, before their salts are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuts {
    /// Rows of the key in order: each begins a range, but the first begins with the smallest row.
    pub cuts: Vec<ArrayRef>,
    /// The partition of each range, of which there is one more than cuts.
    pub partitions: Vec<u32>,
}

impl RangeTable {
    /// Finds the salts of the ranges of the keys in `keys`, whose rows go with `cuts`, in an exchange of `partitions`.
    pub fn solve(keys: &[ArrayRef], cuts: &[Cuts], order: &[SortOptions], partitions: usize) -> Result<Self> {
        let mut entries = HashMap::with_capacity(cuts.len());
        for ((row, cuts), hash) in cuts.iter().enumerate().zip(hashes(keys)?) {
            let converted = rows_of(&cuts.cuts, order)?;
            let mut chosen = cuts.partitions.clone();
            chosen.truncate(converted.len() + 1);
            if chosen.len() != converted.len() + 1 {
                return exec_err!("{} ranges for {} partitions", converted.len() + 1, chosen.len());
            }
            let salts = solve_salts(keys, row, &chosen, partitions)?;
            entries.insert(hash, Ranges { cuts: converted, salts });
        }
        Ok(Self { keys: keys.len() as u32, order: order.to_vec(), entries })
    }

    /// Frequent keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is frequent.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ranges of all keys together.
    pub fn ranges(&self) -> usize {
        self.entries.values().map(|ranges| ranges.salts.len()).sum()
    }
}

fn rows_of(columns: &[ArrayRef], order: &[SortOptions]) -> Result<Vec<Vec<u8>>> {
    let fields = columns.iter().zip(order);
    let fields = fields.map(|(column, options)| SortField::new_with_options(column.data_type().clone(), *options));
    let converter = RowConverter::new(fields.collect())?;
    Ok(converter.convert_columns(columns)?.iter().map(|row| row.as_ref().to_vec()).collect())
}

/// What a [`RangeOf`] says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangePart {
    /// The range's salt; 0 for keys that are not frequent.
    Salt,
    /// The range's number among those of its key, in order; -1 for keys that are not frequent.
    Number,
}

/// The range of a row, as `Int32`. Its arguments are the columns of the key, then those that rows are ordered by.
#[derive(Debug, Clone)]
pub struct RangeOf {
    table: Arc<RangeTable>,
    part: RangePart,
    signature: Signature,
}

impl RangeOf {
    /// The function for a table.
    pub fn new(table: Arc<RangeTable>, part: RangePart) -> Self {
        Self { table, part, signature: Signature::variadic_any(Volatility::Immutable) }
    }

    /// As a function that expressions can call.
    pub fn into_udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }

    pub(crate) fn table(&self) -> &RangeTable {
        &self.table
    }

    pub(crate) fn part(&self) -> RangePart {
        self.part
    }
}

impl ScalarUDFImpl for RangeOf {
    fn name(&self) -> &str {
        match self.part {
            RangePart::Salt => "skew_range",
            RangePart::Number => "skew_range_number",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), DataType::Int32, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Vec<ArrayRef> =
            args.args.iter().map(|argument| argument.to_array(args.number_rows)).collect::<Result<_>>()?;
        let keys = self.table.keys as usize;
        if columns.len() != keys + self.table.order.len() {
            return exec_err!("{} of {} columns", self.name(), columns.len());
        }
        let (keys, order) = columns.split_at(keys);
        let entries: Vec<Option<&Ranges>> = hashes(keys)?.iter().map(|hash| self.table.entries.get(hash)).collect();
        let fields = order.iter().zip(&self.table.order);
        let fields = fields.map(|(column, options)| SortField::new_with_options(column.data_type().clone(), *options));
        let converter = RowConverter::new(fields.collect())?;
        let rows = converter.convert_columns(order)?;
        let found = entries.iter().enumerate().map(|(row, ranges)| match ranges {
            None if self.part == RangePart::Salt => 0,
            None => -1,
            Some(ranges) => {
                let row = rows.row(row);
                let number = ranges.cuts.partition_point(|cut| cut.as_slice() <= row.as_ref());
                if self.part == RangePart::Salt { ranges.salts[number] } else { number as i32 }
            }
        });
        Ok(ColumnarValue::Array(Arc::new(Int32Array::from_iter_values(found))))
    }
}

impl PartialEq for RangeOf {
    fn eq(&self, other: &Self) -> bool {
        self.part == other.part && self.table == other.table
    }
}

impl Eq for RangeOf {}

impl Hash for RangeOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.part.hash(state);
        self.table.entries.len().hash(state);
        self.table.ranges().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int32Type;
    use datafusion_common::config::ConfigOptions;

    use super::*;
    use crate::placement::exchange_partitions;

    fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(values))
    }

    fn call(table: &Arc<RangeTable>, part: RangePart, columns: &[ArrayRef]) -> Vec<i32> {
        let function = RangeOf::new(Arc::clone(table), part);
        let args = ScalarFunctionArgs {
            args: columns.iter().cloned().map(ColumnarValue::Array).collect(),
            arg_fields: Vec::new(),
            number_rows: columns[0].len(),
            return_field: Arc::new(Field::new("range", DataType::Int32, false)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let found = function.invoke_with_args(args).unwrap().into_array(columns[0].len()).unwrap();
        found.as_primitive::<Int32Type>().values().to_vec()
    }

    #[test]
    fn ranges_follow_the_order_and_reach_their_partitions() {
        let cuts = Cuts { cuts: vec![numbers([10, 20, 30])], partitions: vec![5, 2, 5, 7] };
        for descending in [false, true] {
            let mut cuts = cuts.clone();
            if descending {
                cuts.cuts = vec![numbers([30, 20, 10])];
            }
            let order = [SortOptions { descending, nulls_first: false }];
            let table = Arc::new(RangeTable::solve(&[numbers([1])], &[cuts], &order, 8).unwrap());
            let (keys, order) = (numbers([1; 40]), numbers(0..40));
            let numbers_found = call(&table, RangePart::Number, &[Arc::clone(&keys), Arc::clone(&order)]);
            let sorted = numbers_found.is_sorted_by(|a, b| if descending { a >= b } else { a <= b });
            assert!(sorted && numbers_found.contains(&0) && numbers_found.contains(&3), "{numbers_found:?}");
            let salts = call(&table, RangePart::Salt, &[Arc::clone(&keys), order]);
            let salts: ArrayRef = Arc::new(Int32Array::from(salts));
            let reached = exchange_partitions(&[keys, salts], 8).unwrap();
            let wanted = [5, 2, 5, 7];
            assert!(reached.iter().zip(&numbers_found).all(|(at, number)| *at == wanted[*number as usize]));
        }
    }

    #[test]
    fn keys_that_are_not_frequent_have_no_range() {
        let cuts = Cuts { cuts: vec![numbers([10])], partitions: vec![0, 1] };
        let table = RangeTable::solve(&[numbers([1])], &[cuts], &[SortOptions::default()], 2).unwrap();
        let table = Arc::new(table);
        let columns = [numbers([2, 3]), numbers([1, 100])];
        assert_eq!(call(&table, RangePart::Number, &columns), [-1, -1]);
        assert_eq!(call(&table, RangePart::Salt, &columns), [0, 0]);
    }
}
