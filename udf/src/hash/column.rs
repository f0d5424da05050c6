//! The hashes of a column's values, and their buckets, in loops over the column's own buffers.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericByteArray, GenericByteViewArray, Int64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{
    ArrowNativeType, BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType, Date32Type, Date64Type,
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, LargeBinaryType,
    LargeUtf8Type, StringViewType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, Utf8Type,
};
use datafusion_common::Result;
use std::sync::Arc;

use crate::hash::library::{ByteHash, HashTask, Hashing};
use crate::hash::text::{TextColumn, canonical_float, canonical_float_32};

const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

/// What is computed of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The hash.
    Hash,
    /// The bucket of the hash.
    Bucket,
}

/// The hashes or buckets of a column. With a `prefix`, which numbers are then no exception to, it is the text of the
/// value behind the prefix that is hashed. Null stays null.
pub(crate) fn hash_column(
    column: &ArrayRef,
    hashing: &Hashing,
    prefix: Option<&str>,
    wanted: Wanted,
) -> Result<Int64Array> {
    if let DataType::Dictionary(_, value) = column.data_type() {
        let dictionary = column.as_any_dictionary();
        if dictionary.values().len() > column.len() {
            return hash_column(&cast(column, value)?, hashing, prefix, wanted);
        }
        let hashes: ArrayRef = Arc::new(hash_column(dictionary.values(), hashing, prefix, wanted)?);
        return Ok(take(&hashes, dictionary.keys(), None)?.as_primitive::<Int64Type>().clone());
    }
    hashing.run(HashColumn { column, hashing, prefix, wanted })
}

struct HashColumn<'a> {
    column: &'a ArrayRef,
    hashing: &'a Hashing,
    prefix: Option<&'a str>,
    wanted: Wanted,
}

impl HashTask for HashColumn<'_> {
    type Output = Result<Int64Array>;

    fn run<H: ByteHash>(self, hash: H) -> Self::Output {
        let buckets = self.hashing.buckets;
        match self.wanted {
            Wanted::Hash => self.values(hash, |hash| hash),
            Wanted::Bucket => self.values(hash, move |value| hash.bucket(value, &buckets)),
        }
    }
}

impl HashColumn<'_> {
    fn values<H: ByteHash>(&self, hash: H, last: impl Fn(i64) -> i64) -> Result<Int64Array> {
        if let Some(prefix) = self.prefix {
            return self.prefixed(prefix, |bytes| last(hash.bytes(bytes)));
        }
        let bytes = |bytes: &[u8]| last(hash.bytes(bytes));
        match self.column.data_type() {
            DataType::Utf8 => Ok(of_bytes::<Utf8Type>(self.column.as_bytes(), bytes)),
            DataType::LargeUtf8 => Ok(of_bytes::<LargeUtf8Type>(self.column.as_bytes(), bytes)),
            DataType::Utf8View => Ok(of_views::<StringViewType>(self.column.as_byte_view(), bytes)),
            DataType::Binary => Ok(of_bytes::<BinaryType>(self.column.as_bytes(), bytes)),
            DataType::LargeBinary => Ok(of_bytes::<LargeBinaryType>(self.column.as_bytes(), bytes)),
            DataType::BinaryView => Ok(of_views::<BinaryViewType>(self.column.as_byte_view(), bytes)),
            DataType::FixedSizeBinary(_) => {
                let binary = cast(self.column, &DataType::Binary)?;
                Ok(of_bytes::<BinaryType>(binary.as_bytes(), bytes))
            }
            _ if H::BINARY => self.binary(hash, last),
            _ => self.texts(bytes),
        }
    }

    /// The hashes of the values' texts.
    fn texts(&self, bytes: impl Fn(&[u8]) -> i64) -> Result<Int64Array> {
        Ok(match TextColumn::of(self.column)? {
            TextColumn::Small(texts) => of_bytes(&texts, bytes),
            TextColumn::Large(texts) => of_bytes(&texts, bytes),
            TextColumn::View(texts) => of_views(&texts, bytes),
        })
    }

    fn prefixed(&self, prefix: &str, bytes: impl Fn(&[u8]) -> i64) -> Result<Int64Array> {
        let texts = TextColumn::of(self.column)?;
        let mut buffer = prefix.as_bytes().to_vec();
        let values = (0..self.column.len()).map(|row| {
            buffer.truncate(prefix.len());
            buffer.extend_from_slice(texts.value(row).as_bytes());
            bytes(&buffer)
        });
        Ok(Int64Array::new(values.collect::<Vec<_>>().into(), self.column.logical_nulls()))
    }

    /// The hashes of the values' binary forms, as Spark's Murmur3Hash takes them.
    fn binary<H: ByteHash>(&self, hash: H, last: impl Fn(i64) -> i64) -> Result<Int64Array> {
        let integer = |value: i32| last(hash.integer(value));
        let long = |value: i64| last(hash.long(value));
        let column = self.column;
        Ok(match column.data_type() {
            DataType::Boolean => {
                let values = column.as_boolean();
                let hashes = [integer(0), integer(1)];
                let hashes: Vec<i64> = values.values().iter().map(|value| hashes[usize::from(value)]).collect();
                Int64Array::new(hashes.into(), values.nulls().cloned())
            }
            DataType::Int8 => of_numbers::<Int8Type>(column, |value| integer(value.into())),
            DataType::Int16 => of_numbers::<Int16Type>(column, |value| integer(value.into())),
            DataType::Int32 => of_numbers::<Int32Type>(column, integer),
            DataType::Int64 => of_numbers::<Int64Type>(column, long),
            DataType::UInt8 => of_numbers::<UInt8Type>(column, |value| integer(value.into())),
            DataType::UInt16 => of_numbers::<UInt16Type>(column, |value| integer(value.into())),
            DataType::UInt32 => of_numbers::<UInt32Type>(column, |value| long(value.into())),
            DataType::UInt64 => of_numbers::<UInt64Type>(column, |value| long(value as i64)),
            DataType::Float16 => {
                let values = cast(column, &DataType::Float32)?;
                of_numbers::<Float32Type>(&values, |value| integer(canonical_float_32(value).to_bits() as i32))
            }
            DataType::Float32 => {
                of_numbers::<Float32Type>(column, |value| integer(canonical_float_32(value).to_bits() as i32))
            }
            DataType::Float64 => {
                of_numbers::<Float64Type>(column, |value| long(canonical_float(value).to_bits() as i64))
            }
            DataType::Date32 => of_numbers::<Date32Type>(column, integer),
            // Days, and microseconds, as Spark counts them.
            DataType::Date64 => {
                of_numbers::<Date64Type>(column, |value| integer(value.div_euclid(MILLISECONDS_A_DAY) as i32))
            }
            DataType::Timestamp(TimeUnit::Second, _) => {
                of_numbers::<TimestampSecondType>(column, |value| long(value.wrapping_mul(1_000_000)))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                of_numbers::<TimestampMillisecondType>(column, |value| long(value.wrapping_mul(1000)))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => of_numbers::<TimestampMicrosecondType>(column, long),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                of_numbers::<TimestampNanosecondType>(column, |value| long(value.div_euclid(1000)))
            }
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                let wide = cast(column, &DataType::Decimal128(*precision, *scale))?;
                of_numbers::<Decimal128Type>(&wide, |value| long(value as i64))
            }
            // Spark holds up to 18 digits in a long.
            DataType::Decimal128(..=18, _) => of_numbers::<Decimal128Type>(column, |value| long(value as i64)),
            DataType::Decimal128(_, _) => of_numbers::<Decimal128Type>(column, |value| {
                let bytes = value.to_be_bytes();
                last(hash.bytes(shortest(&bytes)))
            }),
            _ => return self.texts(|bytes| last(hash.bytes(bytes))),
        })
    }
}

/// The shortest two's complement form with the sign, as Java's `BigInteger.toByteArray`.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let superfluous =
        bytes.windows(2).take_while(|pair| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80));
    &bytes[superfluous.count()..]
}

fn of_numbers<T: ArrowPrimitiveType>(column: &ArrayRef, hash: impl Fn(T::Native) -> i64) -> Int64Array {
    let values = column.as_primitive::<T>();
    let hashes: Vec<i64> = values.values().iter().map(|value| hash(*value)).collect();
    Int64Array::new(hashes.into(), values.nulls().cloned())
}

fn of_bytes<T: ByteArrayType>(texts: &GenericByteArray<T>, hash: impl Fn(&[u8]) -> i64) -> Int64Array {
    let data = texts.value_data();
    let bounds = texts.value_offsets().windows(2);
    let hashes: Vec<i64> = bounds.map(|ends| hash(&data[ends[0].as_usize()..ends[1].as_usize()])).collect();
    Int64Array::new(hashes.into(), texts.nulls().cloned())
}

fn of_views<T: ByteViewType>(texts: &GenericByteViewArray<T>, hash: impl Fn(&[u8]) -> i64) -> Int64Array {
    let bytes = (0..texts.len()).map(|row| {
        let value: &[u8] = texts.value(row).as_ref();
        hash(value)
    });
    Int64Array::new(bytes.collect::<Vec<_>>().into(), texts.nulls().cloned())
}

/// Whether a value of this type can be hashed: everything but nested values.
pub(crate) fn is_hashable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_hashable(value),
        other => !other.is_nested(),
    }
}
