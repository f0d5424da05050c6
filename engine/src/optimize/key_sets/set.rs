//! A set of whole numbers, and the condition that a column's value is in it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use parking_lot::RwLock;

/// A set of numbers that are further apart is not made: 16 MiB of bits.
const MOST_BITS: u64 = 1 << 27;
/// After so many rows, ...
const TRIED_ROWS: u64 = 200_000;
/// ... a condition that left more than this share of them is taken for true.
const MOST_KEPT: f64 = 0.6;

/// A bit for each number from the least on, and a word of zeros.
#[derive(Debug)]
pub(super) struct NumberSet {
    least: u64,
    words: Vec<u64>,
}

/// Calls the function with the values of a primitive array of whole numbers.
macro_rules! with_numbers {
    ($array:expr, $numbers:ident => $body:expr) => {
        match $array.data_type() {
            DataType::Int8 => {
                let $numbers = $array.as_primitive::<Int8Type>();
                $body
            }
            DataType::Int16 => {
                let $numbers = $array.as_primitive::<Int16Type>();
                $body
            }
            DataType::Int32 => {
                let $numbers = $array.as_primitive::<Int32Type>();
                $body
            }
            DataType::Int64 => {
                let $numbers = $array.as_primitive::<Int64Type>();
                $body
            }
            DataType::UInt8 => {
                let $numbers = $array.as_primitive::<UInt8Type>();
                $body
            }
            DataType::UInt16 => {
                let $numbers = $array.as_primitive::<UInt16Type>();
                $body
            }
            DataType::UInt32 => {
                let $numbers = $array.as_primitive::<UInt32Type>();
                $body
            }
            DataType::UInt64 => {
                let $numbers = $array.as_primitive::<UInt64Type>();
                $body
            }
            DataType::Date32 => {
                let $numbers = $array.as_primitive::<Date32Type>();
                $body
            }
            other => internal_err!("a set of keys is of whole numbers, not of {other}"),
        }
    };
}

/// A number on the line of 64 bits: signed numbers wrap around, which keeps their distances.
trait OnLine: Copy + Ord {
    fn on_line(self) -> u64;
}

macro_rules! on_line {
    ($($kind:ty),*) => { $(impl OnLine for $kind {
        #[allow(clippy::cast_sign_loss, clippy::cast_lossless)]
        fn on_line(self) -> u64 { self as u64 }
    })* };
}
on_line!(i8, i16, i32, i64, u8, u16, u32, u64);

impl NumberSet {
    /// The set of all that the arrays have, nulls left out; none where the numbers are too far apart. The arrays are of one
    /// type.
    pub(super) fn of(arrays: &[ArrayRef]) -> Result<Option<Self>> {
        let mut ends: Option<(u64, u64)> = None;
        // The least and the greatest as their type has them, on the line.
        for array in arrays {
            let own = with_numbers!(array, numbers => Ok(ends_of(numbers)))?;
            ends = match (ends, own) {
                (Some(known), Some(own)) => Some(wider(known, own, array.data_type())),
                (known, own) => known.or(own),
            };
        }
        let Some((least, greatest)) = ends else { return Ok(Some(Self { least: 0, words: vec![0] })) };
        let span = greatest.wrapping_sub(least);
        if span >= MOST_BITS {
            return Ok(None);
        }
        let mut set = Self { least, words: vec![0; (span / 64 + 2) as usize] };
        for array in arrays {
            with_numbers!(array, numbers => { set.add(numbers); Ok(()) })?;
        }
        Ok(Some(set))
    }

    fn add<T: ArrowPrimitiveType<Native: OnLine>>(&mut self, numbers: &PrimitiveArray<T>) {
        for number in numbers.iter().flatten() {
            let place = number.on_line().wrapping_sub(self.least);
            if let Some(word) = self.words.get_mut((place / 64) as usize) {
                *word |= 1 << (place % 64);
            }
        }
    }

    /// Which values are in the set; a null is not.
    pub(super) fn has(&self, values: &dyn Array) -> Result<BooleanBuffer> {
        let has = with_numbers!(values, numbers => Ok(self.has_each(numbers)))?;
        Ok(match values.nulls() {
            Some(nulls) if nulls.null_count() > 0 => &has & nulls.inner(),
            _ => has,
        })
    }

    fn has_each<T: ArrowPrimitiveType<Native: OnLine>>(&self, numbers: &PrimitiveArray<T>) -> BooleanBuffer {
        let (values, words, least) = (numbers.values().as_ref(), self.words.as_slice(), self.least);
        // The last word has no numbers: what lies beyond the ends looks there, without a branch.
        let none = words.len() - 1;
        BooleanBuffer::collect_bool(values.len(), |at| {
            let place = values[at].on_line().wrapping_sub(least);
            words[(place / 64).min(none as u64) as usize] >> (place % 64) & 1 != 0
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }
}

fn ends_of<T: ArrowPrimitiveType<Native: OnLine>>(numbers: &PrimitiveArray<T>) -> Option<(u64, u64)> {
    let first = numbers.iter().flatten().next()?;
    let ends = numbers
        .iter()
        .flatten()
        .fold((first, first), |(least, greatest), number| (least.min(number), greatest.max(number)));
    Some((ends.0.on_line(), ends.1.on_line()))
}

/// The ends of both, in the order that numbers of the type have.
fn wider(one: (u64, u64), other: (u64, u64), kind: &DataType) -> (u64, u64) {
    if kind.is_unsigned_integer() {
        return (one.0.min(other.0), one.1.max(other.1));
    }
    let signed = |ends: (u64, u64)| (ends.0.cast_signed(), ends.1.cast_signed());
    let (one, other) = (signed(one), signed(other));
    (one.0.min(other.0).cast_unsigned(), one.1.max(other.1).cast_unsigned())
}

/// The keys that a join holds, once it does.
#[derive(Debug, Default)]
pub(super) struct Keys {
    set: RwLock<Option<Arc<Counted>>>,
    seen: AtomicU64,
    kept: AtomicU64,
}

/// A set and the memory that is counted for it.
#[derive(Debug)]
struct Counted {
    set: NumberSet,
    _memory: MemoryReservation,
}

impl Keys {
    /// From now on nothing is known.
    pub(super) fn forget(&self) {
        *self.set.write() = None;
        self.seen.store(0, Ordering::Relaxed);
        self.kept.store(0, Ordering::Relaxed);
    }

    /// From now on these are the keys.
    pub(super) fn put(&self, set: NumberSet, memory: MemoryReservation) {
        *self.set.write() = Some(Arc::new(Counted { set, _memory: memory }));
    }

    /// The set, where it drops enough.
    fn useful(&self) -> Option<Arc<Counted>> {
        let (seen, kept) = (self.seen.load(Ordering::Relaxed), self.kept.load(Ordering::Relaxed));
        let useless = seen >= TRIED_ROWS && kept as f64 > seen as f64 * MOST_KEPT;
        if useless { None } else { self.set.read().clone() }
    }
}

/// Whether a column's value is one of the keys that a join holds; true until they are known.
#[derive(Debug, Clone)]
pub(super) struct HasKey {
    column: Arc<dyn PhysicalExpr>,
    keys: Arc<Keys>,
}

impl HasKey {
    pub(super) fn new(column: Arc<dyn PhysicalExpr>, keys: Arc<Keys>) -> Self {
        Self { column, keys }
    }
}

impl fmt::Display for HasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "has_key({})", self.column)
    }
}

impl PartialEq for HasKey {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && Arc::ptr_eq(&self.keys, &other.keys)
    }
}

impl Eq for HasKey {}

impl Hash for HasKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        Arc::as_ptr(&self.keys).hash(state);
    }
}

impl PhysicalExpr for HasKey {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("has_key", DataType::Boolean, false)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let Some(set) = self.keys.useful() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))));
        };
        let values = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        let has = set.set.has(&values)?;
        self.keys.seen.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.keys.kept.fetch_add(has.count_set_bits() as u64, Ordering::Relaxed);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(has, None))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match children.into_iter().next() {
            Some(column) => Ok(Arc::new(Self { column, keys: Arc::clone(&self.keys) })),
            None => internal_err!("has_key is about a column"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
