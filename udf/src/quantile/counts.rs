//! How often values occur, exactly or by ranges of neighbouring values: a state that is a function of the multiset of
//! values alone.
//!
//! A value is a key of 64 bits in the order of the numbers. A grid of level `shift` puts together the values whose keys
//! agree in all but the last `shift` bits. Its level is the finest at which at most `limit` buckets are occupied; as
//! more values can only occupy more buckets, the level of a union is never finer than that of a part, and so parts can
//! be made as coarse as the union without loss. This is the uniform collapse of UDDSketch (Epicoco, Melle, Cafaro,
//! Pulimeno, Morleo, 2020) on a grid of floating-point bits. Each bucket keeps its least and greatest value, and a
//! bucket of one value is exact.

use datafusion_common::{Result, exec_err};

/// Values are sorted in lots of this size before they are counted.
const BUFFERED: usize = 1 << 16;

/// The key of a number that is not NaN: keys are in the order of the numbers, and both zeros have one key.
pub(crate) fn key(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

/// The number of a key.
pub(crate) fn number(key: u64) -> f64 {
    f64::from_bits(key ^ (((!key as i64 >> 63) as u64) | 1 << 63))
}

/// The values between two keys, both of which occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) low: u64,
    pub(crate) high: u64,
    pub(crate) count: u64,
}

/// Counts of values.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    limit: usize,
    shift: u32,
    buckets: Vec<Bucket>,
    buffer: Vec<u64>,
}

/// A sequence of buckets in ascending order, neighbours in one cell of the grid being put together.
struct Joined {
    shift: u32,
    buckets: Vec<Bucket>,
}

impl Joined {
    fn push(&mut self, bucket: Bucket) {
        match self.buckets.last_mut() {
            Some(last) if last.low >> self.shift == bucket.low >> self.shift => {
                last.low = last.low.min(bucket.low);
                last.high = last.high.max(bucket.high);
                last.count = last.count.saturating_add(bucket.count);
            }
            _ => self.buckets.push(bucket),
        }
    }
}

impl Counts {
    /// No values; at most `limit` buckets (at least two), or one for each distinct value if there is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit: limit.unwrap_or(usize::MAX).max(2), shift: 0, buckets: Vec::new(), buffer: Vec::new() }
    }

    /// Counts one more of a number that is not NaN.
    pub(crate) fn add(&mut self, number: f64) {
        if self.buffer.len() >= BUFFERED.max(self.buckets.len()) {
            self.flush();
        }
        self.buffer.push(key(number));
    }

    /// The buckets in ascending order.
    pub(crate) fn buckets(&mut self) -> &[Bucket] {
        self.flush();
        &self.buckets
    }

    /// The buckets, when nothing has been added since they were last asked for.
    pub(crate) fn settled(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Whether values wait to be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFERED
    }

    /// How many of the last bits of a key are not told apart; 0 if all counts are exact.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// Takes all that others have counted.
    pub(crate) fn merge(&mut self, other: &Counts) {
        self.flush();
        self.join(other.shift, other.buckets.iter().copied());
        other.buffer.iter().for_each(|key| self.buffer.push(*key));
    }

    /// All buckets, nothing being left.
    pub(crate) fn take(&mut self) -> Vec<Bucket> {
        self.flush();
        self.shift = 0;
        std::mem::take(&mut self.buckets)
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut keys = std::mem::take(&mut self.buffer);
        keys.sort_unstable();
        let runs = keys.chunk_by(|left, right| left == right);
        self.join(0, runs.map(|run| Bucket { low: run[0], high: run[0], count: run.len() as u64 }));
        keys.clear();
        self.buffer = keys;
    }

    /// Takes buckets in ascending order, of a grid of another level.
    fn join(&mut self, shift: u32, buckets: impl Iterator<Item = Bucket>) {
        let old = std::mem::take(&mut self.buckets);
        let shift = self.shift.max(shift);
        let capacity = old.len() + buckets.size_hint().0;
        let mut joined = Joined { shift, buckets: Vec::with_capacity(capacity) };
        let mut old = old.into_iter().peekable();
        for bucket in buckets {
            while let Some(before) = old.next_if(|before| before.low <= bucket.low) {
                joined.push(before);
            }
            joined.push(bucket);
        }
        old.for_each(|bucket| joined.push(bucket));
        (self.shift, self.buckets) = (shift, joined.buckets);
        self.coarsen();
    }

    /// Goes to the finest level that the limit allows.
    fn coarsen(&mut self) {
        if self.buckets.len() <= self.limit {
            return;
        }
        // Neighbours fall into one cell as soon as the highest bit in which they differ is not told apart.
        let mut parted_by = [0usize; 64];
        for pair in self.buckets.windows(2) {
            parted_by[(63 - (pair[0].low ^ pair[1].low).leading_zeros()) as usize] += 1;
        }
        let mut occupied = 1 + parted_by[self.shift as usize..].iter().sum::<usize>();
        while occupied > self.limit {
            occupied -= parted_by[self.shift as usize];
            self.shift += 1;
        }
        let mut joined = Joined { shift: self.shift, buckets: Vec::with_capacity(occupied) };
        self.buckets.iter().for_each(|bucket| joined.push(*bucket));
        self.buckets = joined.buckets;
    }

    /// Counts that a state holds.
    pub(crate) fn restore(limit: Option<usize>, shift: i64, buckets: Vec<Bucket>) -> Result<Self> {
        let mut counts = Self::new(limit);
        if !(0..64).contains(&shift) {
            return exec_err!("the field shift of the state must be between 0 and 63: it is {shift}");
        }
        counts.shift = shift as u32;
        let cell = |key: u64| key >> counts.shift;
        let sound = |bucket: &Bucket| bucket.low <= bucket.high && cell(bucket.low) == cell(bucket.high);
        let ascending = buckets.windows(2).all(|pair| cell(pair[0].low) < cell(pair[1].low));
        if !ascending || !buckets.iter().all(sound) {
            return exec_err!("the values of the state must ascend");
        }
        counts.buckets = buckets;
        counts.coarsen();
        Ok(counts)
    }

    /// Bytes held on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>() + self.buffer.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let numbers =
            [f64::NEG_INFINITY, f64::MIN, -1.0, -f64::MIN_POSITIVE, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(numbers.iter().all(|value| number(key(*value)) == *value));
        assert_eq!(key(0.0), key(-0.0));
    }

    #[test]
    fn buckets_within_the_limit_are_exact_and_grow_coarse_beyond_it() {
        let mut counts = Counts::new(Some(4));
        [1.0, 1.25, 1.5, 1.75, 1.5].iter().for_each(|value| counts.add(*value));
        let values: Vec<(f64, u64)> =
            counts.buckets().iter().map(|bucket| (number(bucket.low), bucket.count)).collect();
        assert_eq!(values, [(1.0, 1), (1.25, 1), (1.5, 2), (1.75, 1)]);
        assert_eq!(counts.shift(), 0);
        counts.add(1.875);
        // The finest grid with at most four cells parts 1.0 to 2.0 into quarters.
        let ranges: Vec<(f64, f64, u64)> =
            counts.buckets().iter().map(|bucket| (number(bucket.low), number(bucket.high), bucket.count)).collect();
        assert_eq!(ranges, [(1.0, 1.0, 1), (1.25, 1.25, 1), (1.5, 1.5, 2), (1.75, 1.875, 2)]);
        assert_eq!(counts.shift(), 50);
    }
}
