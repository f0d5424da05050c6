//! One-dimensional k-means by Lloyd's algorithm, step by step as scikit-learn's `KMeans(n_init = 1)`: at most 300 rounds,
//! until no value changes its centre or the centres move by at most 1e-4 of the variance, and a centre without values
//! is put on the value that is furthest from its own.

const ROUNDS: usize = 300;
const TOLERANCE: f64 = 1e-4;

/// The centres in ascending order. `values` ascend strictly, `weights` are their counts, `start` are the first centres
/// in ascending order.
pub(crate) fn centres(values: &[f64], weights: &[f64], start: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    if values.is_empty() || start.is_empty() {
        return start;
    }
    // Centred values keep more digits.
    let mean = values.iter().zip(weights).map(|(value, weight)| value * (weight / total)).sum::<f64>();
    let values: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let variance = values.iter().zip(weights).map(|(value, weight)| value * value * (weight / total)).sum::<f64>();
    let mut centres: Vec<f64> = start.iter().map(|centre| centre - mean).collect();
    let mut ends: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let (new_ends, new) = round(&values, weights, &centres);
        let moved: f64 = new.iter().zip(&centres).map(|(new, old)| (new - old) * (new - old)).sum();
        centres = new;
        let settled = new_ends == ends || moved <= TOLERANCE * variance;
        centres.sort_by(f64::total_cmp);
        ends = new_ends;
        if settled {
            break;
        }
    }
    centres.iter().map(|centre| centre + mean).collect()
}

/// Where the values of each centre end, the centres being in ascending order. A value half-way between two goes to the
/// lower; of equal centres, the first has the values.
fn assign(values: &[f64], centres: &[f64]) -> Vec<usize> {
    let mut ends = vec![values.len(); centres.len()];
    for index in 0..centres.len() {
        let next = centres[index + 1..].iter().find(|next| **next > centres[index]);
        if let Some(next) = next {
            let half = centres[index] * 0.5 + next * 0.5;
            ends[index] = values.partition_point(|value| *value <= half);
        }
    }
    ends
}

/// One round: the ends by the old centres, and the new centres.
fn round(values: &[f64], weights: &[f64], old: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let ends = assign(values, old);
    let mut sums = vec![0.0; old.len()];
    let mut held = vec![0.0; old.len()];
    let mut from = 0;
    for (centre, end) in ends.iter().enumerate() {
        for index in from..(*end).max(from) {
            sums[centre] += values[index] * weights[index];
            held[centre] += weights[index];
        }
        from = from.max(*end);
    }
    relocate(values, weights, old, &ends, &mut sums, &mut held);
    let largest = (0..old.len()).fold(0, |best, index| if held[index] > held[best] { index } else { best });
    let mean = |index: usize| sums[index] / held[index];
    let new = (0..old.len()).map(|index| if held[index] > 0.0 { mean(index) } else { mean(largest) });
    (ends, new.collect())
}

/// Gives each centre without values the furthest value of all, one each; of values equally far, the greatest.
fn relocate(values: &[f64], weights: &[f64], old: &[f64], ends: &[usize], sums: &mut [f64], held: &mut [f64]) {
    let empty: Vec<usize> = (0..old.len()).filter(|centre| held[*centre] == 0.0).collect();
    if empty.is_empty() {
        return;
    }
    let mut far: Vec<(f64, usize, usize)> = Vec::with_capacity(values.len());
    let mut from = 0;
    for (centre, end) in ends.iter().enumerate() {
        for (index, value) in values.iter().enumerate().take(*end).skip(from) {
            let distance = value - old[centre];
            far.push((distance * distance, index, centre));
        }
        from = from.max(*end);
    }
    let furthest =
        |left: &(f64, usize, usize), right: &(f64, usize, usize)| right.0.total_cmp(&left.0).then(right.1.cmp(&left.1));
    let wanted = empty.len().min(far.len());
    if wanted < far.len() {
        far.select_nth_unstable_by(wanted, furthest);
        far.truncate(wanted);
    }
    far.sort_unstable_by(furthest);
    // All values lie on centres: there are more centres than values.
    if far.first().is_none_or(|(distance, _, _)| *distance == 0.0) {
        return;
    }
    for (centre, (_, index, from)) in empty.into_iter().zip(far) {
        let part = values[index] * weights[index];
        sums[from] -= part;
        held[from] -= weights[index];
        sums[centre] = part;
        held[centre] = weights[index];
    }
}
