//! A table of keys and their partitions.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::datatypes::{DataType, UInt32Type};
use arrow::row::RowConverter;
use datafusion_common::{Result, exec_err, plan_err};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::values;

/// Puts the keys that it lists on the partitions that it says, and all others on a default.
#[derive(Debug)]
pub struct ListPartitioner {
    partitions: usize,
    default: u32,
    keys: Vec<ArrayRef>,
    targets: UInt32Array,
    converter: RowConverter,
    by_row: HashMap<Box<[u8]>, u32>,
}

impl ListPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "list";

    /// Row `i` of the columns `keys` goes to partition `targets[i]`, and every key that is not there to `default`. A key
    /// that is listed for two partitions is refused.
    pub fn try_new(keys: Vec<ArrayRef>, targets: Vec<u32>, default: u32, partitions: usize) -> Result<Self> {
        if keys.is_empty() || keys.iter().any(|key| key.len() != targets.len()) {
            return plan_err!("a list partitioner needs a partition for each of its keys");
        }
        if let Some(target) = targets.iter().chain([&default]).find(|target| **target as usize >= partitions) {
            return plan_err!("the list names partition {target}, but there are {partitions}");
        }
        let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let converter = values::converter(&types)?;
        let mut by_row: HashMap<Box<[u8]>, u32> = HashMap::with_capacity(targets.len());
        for (row, target) in converter.convert_columns(&keys)?.iter().zip(&targets) {
            if by_row.insert(row.as_ref().into(), *target).is_some_and(|before| before != *target) {
                return plan_err!("the list names one value for two partitions");
            }
        }
        Ok(Self { partitions, default, keys, targets: UInt32Array::from(targets), converter, by_row })
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        let Some((head, rest)) = bytes.split_first_chunk::<8>() else {
            return exec_err!("the bytes of a list partitioner are too few");
        };
        let [a, b, c, d, e, f, g, h] = *head;
        let (partitions, default) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let mut columns = values::decode(rest)?;
        let targets = columns.pop();
        let Some(targets) = targets.as_ref().and_then(|column| column.as_primitive_opt::<UInt32Type>()) else {
            return exec_err!("the bytes of a list partitioner have no partitions");
        };
        Ok(Arc::new(Self::try_new(columns, targets.values().to_vec(), default, partitions as usize)?))
    }

    fn types(&self) -> Vec<DataType> {
        self.keys.iter().map(|key| key.data_type().clone()).collect()
    }
}

impl Partitioner for ListPartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        Clustering::KeyClustered
    }

    fn check(&self, types: &[DataType]) -> Result<()> {
        values::check_types(Self::NAME, &self.types(), types)
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        for (id, row) in ids.iter_mut().zip(self.converter.convert_columns(rows.keys)?.iter()) {
            *id = self.by_row.get(row.as_ref()).copied().unwrap_or(self.default);
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let targets: ArrayRef = Arc::new(self.targets.clone());
        let columns: Vec<ArrayRef> = self.keys.iter().cloned().chain([targets]).collect();
        let mut bytes = (self.partitions as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.default.to_le_bytes());
        bytes.extend_from_slice(&values::encode(&columns, self.targets.len())?);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;
    use crate::route;

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn listed_keys_go_where_the_list_says_and_others_to_the_default() {
        let list = ListPartitioner::try_new(vec![texts(&[Some("de"), None])], vec![1, 2], 0, 3).unwrap();
        let list = ListPartitioner::decode(&list.encode().unwrap()).unwrap();
        let keys = [texts(&[Some("fr"), Some("de"), None, Some("de ")])];
        assert_eq!(route(list.as_ref(), &keys, &keys, 4).unwrap(), [0, 1, 2, 0]);
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let twice = ListPartitioner::try_new(vec![texts(&[Some("a"), Some("a")])], vec![0, 1], 0, 2);
        assert!(twice.unwrap_err().strip_backtrace().contains("one value for two partitions"));
        let beyond = ListPartitioner::try_new(vec![texts(&[Some("a")])], vec![2], 0, 2);
        assert!(beyond.unwrap_err().strip_backtrace().contains("the list names partition 2, but there are 2"));
    }
}
