//! What holds of every kind of partitioner, whatever the keys.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use proptest::prelude::*;
use sluice_partition::kinds::{
    BucketPartitioner, ConsistentHashPartitioner, HashPartitioner, ListPartitioner, RangePartitioner,
    RoundRobinPartitioner,
};
use sluice_partition::placement::{exchange_partitions, witnesses};
use sluice_partition::{Clustering, KeySketch, Partitioner, PartitionerRegistry, route};

type Key = (Option<i64>, Option<String>, Option<f64>);

/// Keys of which many are equal, null, empty or not a number.
fn rows() -> impl Strategy<Value = Vec<Key>> {
    let number = prop_oneof![Just(None), (-3_i64..3).prop_map(Some), any::<i64>().prop_map(Some)];
    let text = prop_oneof![Just(None), Just(Some(String::new())), "[a-c é漢]{0,3}".prop_map(Some)];
    let float =
        prop_oneof![Just(None), Just(Some(f64::NAN)), Just(Some(-0.0)), Just(Some(0.0)), (-9.0..9.0).prop_map(Some)];
    prop::collection::vec((number, text, float), 0..200)
}

/// How many columns are keys, and of how many partitions.
fn shape() -> impl Strategy<Value = (usize, usize)> {
    (1_usize..=3, prop_oneof![2_usize..20, 20_usize..=1024])
}

fn columns(rows: &[Key]) -> Vec<ArrayRef> {
    vec![
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_deref()))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.2))),
    ]
}

fn every_kind(keys: &[ArrayRef], partitions: usize) -> Vec<Arc<dyn Partitioner>> {
    let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
    let mut sketch = KeySketch::default();
    sketch.update(keys).unwrap();
    let listed: Vec<ArrayRef> = keys.iter().map(|key| key.slice(0, key.len().min(1))).collect();
    let targets = vec![1; listed[0].len()];
    let mut kinds: Vec<Arc<dyn Partitioner>> = vec![
        Arc::new(HashPartitioner::new(partitions)),
        Arc::new(BucketPartitioner::try_new(partitions * 2 + 1, partitions).unwrap()),
        Arc::new(ConsistentHashPartitioner::new(partitions)),
        Arc::new(RoundRobinPartitioner::new(partitions)),
        Arc::new(ListPartitioner::try_new(listed, targets, 0, partitions).unwrap()),
    ];
    kinds.push(Arc::new(RangePartitioner::from_sketch(&sketch, &types, partitions).unwrap()));
    kinds
}

fn sliced(columns: &[ArrayRef], from: usize, len: usize) -> Vec<ArrayRef> {
    columns.iter().map(|column| column.slice(from, len)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ids_are_pure_in_range_and_the_same_however_batches_are_cut(
        rows in rows(), (width, partitions) in shape(), cut in 0_usize..200
    ) {
        let all = columns(&rows);
        let keys = &all[..width];
        let registry = PartitionerRegistry::standard();
        let cut = cut.min(rows.len());
        for kind in every_kind(keys, partitions) {
            let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
            kind.check(&types).unwrap();
            let ids = route(kind.as_ref(), keys, &all, rows.len()).unwrap();
            prop_assert!(ids.iter().all(|id| (*id as usize) < partitions));
            // On another machine.
            let again = registry.decode(kind.name(), &kind.encode().unwrap()).unwrap();
            prop_assert_eq!(again.partitions(), partitions);
            prop_assert!(kind.clustering() != Clustering::KeyClustered || kind.compatible_with(again.as_ref()));
            let mut pieces = Vec::new();
            for (from, len) in [(0, cut), (cut, rows.len() - cut)] {
                pieces.extend(route(again.as_ref(), &sliced(keys, from, len), &sliced(&all, from, len), len).unwrap());
            }
            prop_assert_eq!(&ids, &pieces, "{}", kind.name());
        }
    }

    #[test]
    fn each_kind_keeps_what_it_promises(rows in rows(), (width, partitions) in shape()) {
        let all = columns(&rows);
        let keys = &all[..width];
        let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
        let ordered = RowConverter::new(fields).unwrap().convert_columns(keys).unwrap();
        for kind in every_kind(keys, partitions) {
            let ids = route(kind.as_ref(), keys, &all, rows.len()).unwrap();
            match kind.clustering() {
                Clustering::KeyClustered => {
                    let mut of_key = HashMap::new();
                    for (key, id) in ordered.iter().zip(&ids) {
                        prop_assert_eq!(*of_key.entry(key).or_insert(*id), *id, "{}", kind.name());
                    }
                }
                Clustering::RangeOrdered => {
                    let mut pairs: Vec<_> = ids.iter().zip(ordered.iter()).collect();
                    pairs.sort();
                    prop_assert!(pairs.is_sorted_by_key(|(_, key)| *key));
                }
                Clustering::Spread => {}
            }
        }
    }

    #[test]
    fn an_exchange_over_witnesses_puts_every_row_where_the_partitioner_says(
        rows in rows(), (width, partitions) in shape(), more in 0_usize..40
    ) {
        let all = columns(&rows);
        let of_exchange = witnesses(partitions + more).unwrap();
        for kind in every_kind(&all[..width], partitions) {
            let ids = route(kind.as_ref(), &all[..width], &all, rows.len()).unwrap();
            let key: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| of_exchange[*id as usize])));
            prop_assert_eq!(exchange_partitions(&[key], partitions + more).unwrap(), ids);
        }
    }
}

#[test]
fn spreading_is_even() {
    let rows = 100_000;
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let same: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|_| 1)));
    let spread = RoundRobinPartitioner::new(64);
    let ids = route(&spread, std::slice::from_ref(&same), &[same.clone(), column], rows as usize).unwrap();
    let mut counts = vec![0; 64];
    ids.iter().for_each(|id| counts[*id as usize] += 1);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least > 1_350 && *most < 1_780, "{least} to {most}");
}
