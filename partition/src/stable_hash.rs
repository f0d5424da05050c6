//! A hash of keys that never changes, for what outlives a job: buckets of files, and the ring of consistent hashing.
//!
//! FNV-1a, 64 bits (Fowler, Noll, Vo), mixed. Integers, dates and times are hashed as 64-bit numbers, so that a column
//! may be widened; texts as UTF-8; decimals by their unscaled value; floats by their bits, -0 as 0. A null leaves the
//! hash as it is.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion_common::{Result, plan_err};

use crate::row_hash::mix;

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of each of `len` rows over its keys.
pub(crate) fn stable_hashes(keys: &[ArrayRef], len: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![BASIS; len];
    for key in keys {
        let canonical = match canonical_type(key.data_type()) {
            Some(data_type) if data_type == *key.data_type() => key.clone(),
            Some(data_type) => cast(key, &data_type)?,
            None => return unsupported(key.data_type()),
        };
        add(&canonical, &mut hashes);
    }
    hashes.iter_mut().for_each(|hash| *hash = mix(*hash));
    Ok(hashes)
}

/// Fails for types that have no stable hash.
pub(crate) fn check(types: &[DataType]) -> Result<()> {
    match types.iter().find(|data_type| canonical_type(data_type).is_none()) {
        Some(data_type) => unsupported(data_type),
        None => Ok(()),
    }
}

fn unsupported<T>(data_type: &DataType) -> Result<T> {
    plan_err!("a hash that never changes does not support type {data_type}: use \"hash\", or cast the key")
}

fn canonical_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Boolean | DataType::Null | DataType::UInt64 => DataType::Utf8,
        data_type if data_type.is_integer() => DataType::Int64,
        data_type if data_type.is_floating() => DataType::Float64,
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => DataType::Int64,
        DataType::Timestamp(_, _) | DataType::Duration(_) => DataType::Int64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal128(_, _) => data_type.clone(),
        DataType::Dictionary(_, value) => return canonical_type(value),
        _ => return None,
    })
}

fn add(key: &ArrayRef, hashes: &mut [u64]) {
    let nulls = key.logical_nulls();
    let rows = hashes.iter_mut().enumerate();
    let rows = rows.filter(|(row, _)| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)));
    match key.data_type() {
        DataType::Utf8 => {
            let values = key.as_string::<i32>();
            rows.for_each(|(row, hash)| *hash = fnv(values.value(row).as_bytes(), *hash));
        }
        DataType::Binary => {
            let values = key.as_binary::<i32>();
            rows.for_each(|(row, hash)| *hash = fnv(values.value(row), *hash));
        }
        DataType::Float64 => {
            let values = key.as_primitive::<Float64Type>();
            rows.for_each(|(row, hash)| *hash = fnv(&(values.value(row) + 0.0).to_bits().to_le_bytes(), *hash));
        }
        DataType::Decimal128(_, _) => {
            let values = key.as_primitive::<Decimal128Type>();
            rows.for_each(|(row, hash)| *hash = fnv(&values.value(row).to_le_bytes(), *hash));
        }
        _ => {
            let values = key.as_primitive::<Int64Type>();
            rows.for_each(|(row, hash)| *hash = fnv(&values.value(row).to_le_bytes(), *hash));
        }
    }
}

fn fnv(bytes: &[u8], hash: u64) -> u64 {
    // The length keeps ('a', 'bc') and ('ab', 'c') apart.
    let hash = bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    (hash ^ bytes.len() as u64).wrapping_mul(PRIME)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, Int64Array, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn fnv_is_the_published_one() {
        // FNV-1a of "foobar" (the reference's test vectors) before the length is added.
        let plain = b"foobar".iter().fold(BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
        assert_eq!(plain, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_wider_type_has_the_same_hash() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-1)]));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(-1)]));
        assert_eq!(stable_hashes(&[narrow], 3).unwrap(), stable_hashes(&[wide], 3).unwrap());
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "é"]));
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "é"]));
        assert_eq!(stable_hashes(&[text], 2).unwrap(), stable_hashes(&[view], 2).unwrap());
    }

    #[test]
    fn the_hash_of_a_number_stays_what_it_was() {
        let key: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let bytes = 1_i64.to_le_bytes();
        assert_eq!(stable_hashes(&[key], 1).unwrap(), [mix(fnv(&bytes, BASIS))]);
    }
}
