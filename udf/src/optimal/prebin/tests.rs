use super::*;
use crate::grid::Grid;
use crate::optimal::fixture;

fn values_of(x: &[f64], y: &[bool], limit: usize) -> Values {
    let mut grid = Grid::new(limit);
    x.iter().zip(y).for_each(|(x, y)| grid.count(*x, *y, None));
    let mut values = Values { exact: grid.level() == 0, ..Values::default() };
    for cell in grid.sorted() {
        values.lows.push(cell.low);
        values.highs.push(cell.high);
        values.counts.push(cell.tally.counts);
    }
    values
}

/// scikit-learn 1.9.1: `DecisionTreeClassifier(max_leaf_nodes, min_samples_leaf).fit(x, y).tree_.threshold`.
#[test]
fn thresholds_are_those_of_scikit_learn() {
    let cases = fixture()["trees"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 24);
    for (number, case) in cases.iter().enumerate() {
        let floats = |name: &str| -> Vec<f64> {
            case[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let y: Vec<bool> = floats("y").into_iter().map(|y| y == 1.0).collect();
        let values = values_of(&floats("x"), &y, 1000);
        let splits = cart_splits(&values, case["leaves"].as_u64().unwrap() as usize, case["least"].as_u64().unwrap());
        let expected = floats("splits");
        assert_eq!(splits.len(), expected.len(), "case {number}");
        for (split, expected) in splits.iter().zip(&expected) {
            // The numbers of the fixture are parsed to the last digit but one.
            assert!((split - expected).abs() <= 1e-15 * expected.abs(), "case {number}: {split} for {expected}");
        }
    }
}

#[test]
fn splits_do_not_fall_into_cells_of_several_numbers() {
    let x: Vec<f64> = (0..2000).map(|row| f64::from(row) * 1e-3 + 1.0).collect();
    let y: Vec<bool> = (0..2000).map(|row| (row * 7919) % 2003 < row).collect();
    let values = values_of(&x, &y, 64);
    assert!(!values.exact);
    for splits in [cart_splits(&values, 20, 10), quantile_splits(&values, 10)] {
        assert!(splits.len() > 5);
        for split in splits {
            let cell = values.lows.partition_point(|low| *low < split);
            assert!(cell == 0 || values.highs[cell - 1] < split, "{split}");
        }
    }
}

#[test]
fn numbers_beyond_single_precision_are_cut() {
    let x = [f64::NEG_INFINITY, -1e300, 1.0, 2.0, 1e300, f64::INFINITY];
    let y = [true, true, false, false, true, true];
    let splits = cart_splits(&values_of(&x, &y, 100), 20, 1);
    assert_eq!(splits, [-5e299, 5e299]);
    let ends = cart_splits(&values_of(&[f64::NEG_INFINITY, f64::INFINITY], &[true, false], 100), 20, 1);
    assert_eq!(ends, [f64::INFINITY]);
}
