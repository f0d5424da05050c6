use arrow::array::{AsArray, Int64Array, StringArray};
use arrow::datatypes::Int32Type;
use datafusion_common::config::ConfigOptions;
use proptest::prelude::*;

use super::*;
use crate::placement::exchange_partitions;
use crate::salts::Split;

fn salts(table: &Arc<SaltTable>, side: Side, columns: &[ArrayRef]) -> ArrayRef {
    let salt = Salt::new(Arc::clone(table), side);
    let rows = columns[0].len();
    let args = ScalarFunctionArgs {
        args: columns.iter().cloned().map(ColumnarValue::Array).collect(),
        arg_fields: Vec::new(),
        number_rows: rows,
        return_field: Arc::new(Field::new("salt", salt.result_type(), false)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    salt.invoke_with_args(args).unwrap().into_array(rows).unwrap()
}

fn table(keys: &[ArrayRef], splits: &[Split], partitions: usize) -> Arc<SaltTable> {
    Arc::new(SaltTable::solve(keys, splits, partitions, true).unwrap())
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

#[test]
fn chunks_reach_their_partitions() {
    for partitions in [2_usize, 3, 16, 64, 1024] {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["hot"; 4000]));
        let number = numbers(std::iter::repeat_n(7, 4000));
        let wanted: Vec<u32> = (0..partitions as u32).step_by(partitions.div_ceil(40)).collect();
        let split = Split { partitions: wanted.clone(), columns: 1 };
        let keys = [text.slice(0, 1), number.slice(0, 1)];
        let table = table(&keys, &[split], partitions);
        let salt = salts(&table, Side::Split, &[Arc::clone(&text), Arc::clone(&number), numbers(0..4000)]);
        let mut reached = exchange_partitions(&[text, number, salt], partitions).unwrap();
        reached.sort_unstable();
        reached.dedup();
        assert_eq!(reached, wanted, "{partitions} partitions");
    }
}

#[test]
fn a_partition_that_stands_twice_gets_twice_the_rows() {
    let key = numbers([1; 9000]);
    let table = table(&[key.slice(0, 1)], &[Split { partitions: vec![3, 5, 3], columns: 1 }], 8);
    let salt = salts(&table, Side::Split, &[Arc::clone(&key), numbers(0..9000)]);
    let reached = exchange_partitions(&[key, salt], 8).unwrap();
    let on = |partition| reached.iter().filter(|reached| **reached == partition).count();
    assert!((5700..6300).contains(&on(3)), "{} rows", on(3));
    assert_eq!(on(3) + on(5), 9000);
}

#[test]
fn rows_without_a_key_are_spread_and_meet_nobody() {
    let key: ArrayRef = Arc::new(Int64Array::from(vec![None; 6400]));
    let table = table(&[numbers([1])], &[Split { partitions: vec![0], columns: 1 }], 64);
    let salt = salts(&table, Side::Split, &[Arc::clone(&key), numbers(0..6400)]);
    assert!(salt.as_primitive::<Int32Type>().values().iter().all(|salt| *salt < 0));
    let mut loads = [0; 64];
    exchange_partitions(&[key, salt], 64).unwrap().into_iter().for_each(|partition| loads[partition as usize] += 1);
    assert!(loads.iter().all(|load| (50..150).contains(load)), "{loads:?}");
}

fn salts_of(array: &ArrayRef, row: usize) -> Vec<i32> {
    match array.as_list_opt::<i32>() {
        Some(lists) => lists.value(row).as_primitive::<Int32Type>().values().to_vec(),
        None => vec![array.as_primitive::<Int32Type>().value(row)],
    }
}

proptest! {
    /// Rows of equal keys meet exactly once, whatever the table says.
    #[test]
    fn equal_keys_meet_once(
        splits in prop::collection::vec((prop::collection::vec(0_u32..6, 1..12), 1_u32..4), 1..5),
        left in prop::collection::vec((0_i64..8, any::<i64>()), 1..30),
        right in prop::collection::vec((0_i64..8, any::<i64>()), 1..30),
    ) {
        let splits: Vec<Split> =
            splits.into_iter().map(|(partitions, columns)| {
                let columns = columns.min(partitions.len() as u32);
                Split { partitions, columns }
            }).collect();
        let keys = numbers(0..splits.len() as i64);
        let table = table(&[keys], &splits, 6);
        let side = |rows: &[(i64, i64)], side| {
            salts(&table, side, &[numbers(rows.iter().map(|row| row.0)), numbers(rows.iter().map(|row| row.1))])
        };
        let (split, repeated) = (side(&left, Side::Split), side(&right, Side::Repeated));
        for (row, (key, _)) in left.iter().enumerate() {
            for (other, (other_key, _)) in right.iter().enumerate() {
                let theirs = salts_of(&repeated, other);
                let met = salts_of(&split, row).iter().filter(|salt| theirs.contains(salt)).count();
                if key == other_key {
                    prop_assert_eq!(met, 1);
                }
            }
        }
    }

    /// A row's salt does not depend on its neighbours.
    #[test]
    fn a_salt_is_a_function_of_its_row(rows in prop::collection::vec((0_i64..4, any::<i64>()), 2..40), cut in 1_usize..39) {
        let table = table(&[numbers([1, 2])], &[
            Split { partitions: vec![0, 1, 2], columns: 1 },
            Split { partitions: vec![3, 3, 1, 2], columns: 1 },
        ], 4);
        let columns = [numbers(rows.iter().map(|row| row.0)), numbers(rows.iter().map(|row| row.1))];
        let cut = cut.min(rows.len() - 1);
        let whole = salts(&table, Side::Split, &columns);
        let tail = salts(&table, Side::Split, &columns.map(|column| column.slice(cut, rows.len() - cut)));
        let whole_tail = whole.slice(cut, rows.len() - cut);
        prop_assert_eq!(&whole_tail, &tail);
    }
}
