//! Which partitions the rows of frequent keys go to.
//!
//! Frequent keys are cut into chunks, and the chunks are put on the emptiest partitions, the largest first (LPT: Graham,
//! "Bounds on multiprocessing timing anomalies", 1969), over what the plain hash puts there of all other keys.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A key is placed by hand if its share of the rows is more than this part of a partition's fair share.
pub const HOT_PART: f64 = 1.0 / 16.0;
/// The finest chunk, as a part of a partition's fair share.
const FINEST_CHUNK: f64 = 1.0 / 8.0;
/// The coarsest chunk; a key below it is not cut.
const COARSEST_CHUNK: f64 = 1.0;

/// A frequent key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HotKey {
    /// Rows of the split side that have it.
    pub rows: f64,
    /// Rows of the other side that have it, each of which goes to every chunk.
    pub replicated: f64,
}

/// Where the chunks of some keys go.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunks {
    /// For each key, in the order given, the partition of each of its chunks, which are equally large. A partition may
    /// stand there more than once.
    pub partitions: Vec<Vec<u32>>,
    /// Rows of the fullest partition over those of the mean one, as planned.
    pub max_to_mean: f64,
    /// Copies of rows of the other side that the chunks need, above one for each row.
    pub copies: f64,
}

/// Places `hot` over `cold`, which has the rows that the exchange puts on each partition of all other keys.
///
/// Chunks are as fine as `copies_at_most` allows; a key that cannot be cut within it is still placed as a whole.
pub fn place(hot: &[HotKey], cold: &[f64], copies_at_most: f64) -> Chunks {
    let partitions = cold.len().max(1);
    let total = cold.iter().sum::<f64>() + hot.iter().map(|key| key.rows).sum::<f64>();
    let fair = (total / partitions as f64).max(f64::MIN_POSITIVE);
    let mut part = FINEST_CHUNK;
    let mut placed = place_in_chunks(hot, cold, fair * part);
    while placed.copies > copies_at_most && part < COARSEST_CHUNK {
        part *= 2.0;
        placed = place_in_chunks(hot, cold, fair * part);
    }
    if placed.copies > copies_at_most {
        placed = place_in_chunks(hot, cold, f64::INFINITY);
    }
    placed
}

/// The fullest over the mean of some loads; 1 where there is none.
pub fn max_to_mean(loads: &[f64]) -> f64 {
    let mean = loads.iter().sum::<f64>() / loads.len().max(1) as f64;
    let max = loads.iter().copied().fold(0.0, f64::max);
    if mean > 0.0 { max / mean } else { 1.0 }
}

/// The time that `slots` take for tasks of these loads, the longest first, over that of as much work dealt out evenly.
pub fn makespan_to_mean(loads: &[f64], slots: usize) -> f64 {
    let tasks: Vec<HotKey> = loads.iter().map(|&rows| HotKey { rows, replicated: 0.0 }).collect();
    place_in_chunks(&tasks, &vec![0.0; slots.max(1)], f64::INFINITY).max_to_mean
}

fn place_in_chunks(hot: &[HotKey], cold: &[f64], chunk: f64) -> Chunks {
    let mut chunks: Vec<(f64, usize)> = Vec::new();
    for (index, key) in hot.iter().enumerate() {
        let count = (key.rows / chunk).ceil().clamp(1.0, cold.len().max(1) as f64) as usize;
        chunks.extend(std::iter::repeat_n((key.rows / count as f64, index), count));
    }
    chunks.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut loads: BinaryHeap<Load> = cold.iter().zip(0..).map(|(&rows, partition)| Load { rows, partition }).collect();
    let mut partitions = vec![Vec::new(); hot.len()];
    for (rows, key) in chunks {
        let Some(mut emptiest) = loads.pop() else { break };
        partitions[key].push(emptiest.partition);
        emptiest.rows += rows;
        loads.push(emptiest);
    }
    let loads: Vec<f64> = loads.into_iter().map(|load| load.rows).collect();
    let copies = hot.iter().zip(&partitions).map(|(key, chunks)| key.replicated * (distinct(chunks) - 1.0)).sum();
    Chunks { partitions, max_to_mean: max_to_mean(&loads), copies }
}

fn distinct(partitions: &[u32]) -> f64 {
    let mut partitions = partitions.to_vec();
    partitions.sort_unstable();
    partitions.dedup();
    partitions.len().max(1) as f64
}

/// A partition, of which the emptiest is the greatest.
struct Load {
    rows: f64,
    partition: u32,
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rows.total_cmp(&self.rows).then(other.partition.cmp(&self.partition))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipf(keys: usize, exponent: f64) -> Vec<f64> {
        (1..=keys).map(|rank| (rank as f64).powf(-exponent)).collect()
    }

    /// Loads of a plain hash, the keys above the threshold apart.
    fn split(weights: &[f64], partitions: usize) -> (Vec<HotKey>, Vec<f64>, f64) {
        let fair = weights.iter().sum::<f64>() / partitions as f64;
        let (mut hot, mut cold, mut all) = (Vec::new(), vec![0.0; partitions], vec![0.0; partitions]);
        for (index, &rows) in weights.iter().enumerate() {
            let partition = (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % partitions;
            all[partition] += rows;
            match rows > fair * HOT_PART {
                true => hot.push(HotKey { rows, replicated: 1.0 }),
                false => cold[partition] += rows,
            }
        }
        (hot, cold, max_to_mean(&all))
    }

    #[test]
    fn frequent_keys_end_up_level() {
        for (exponent, hashed_at_least) in [(1.2, 10.0), (1.5, 20.0)] {
            let (hot, cold, hashed) = split(&zipf(300_000, exponent), 64);
            let placed = place(&hot, &cold, f64::INFINITY);
            assert!(hashed > hashed_at_least, "Zipf {exponent}: hashed {hashed}");
            assert!(placed.max_to_mean < 1.05, "Zipf {exponent}: placed {}", placed.max_to_mean);
        }
    }

    #[test]
    fn copies_keep_to_their_budget() {
        let hot = [HotKey { rows: 500.0, replicated: 100.0 }];
        let cold = [100.0; 8];
        assert!(place(&hot, &cold, f64::INFINITY).copies > 500.0);
        assert!(place(&hot, &cold, 450.0).copies <= 450.0);
        let placed = place(&hot, &cold, 1.0);
        assert_eq!((placed.copies, placed.partitions[0].len()), (0.0, 1));
    }

    #[test]
    fn few_slots_hide_what_many_show() {
        let mut loads = [1.0; 64];
        loads[5] = 12.0;
        assert!(makespan_to_mean(&loads, 2) < 1.02);
        assert!(makespan_to_mean(&loads, 64) > 10.0);
        assert_eq!(makespan_to_mean(&[], 4), 1.0);
    }

    #[test]
    fn without_rows_there_is_nothing_to_place() {
        assert_eq!(place(&[], &[0.0; 4], 0.0).max_to_mean, 1.0);
        assert_eq!(place(&[], &[], 0.0).partitions.len(), 0);
    }
}
