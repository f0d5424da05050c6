//! Sketches of compactors: KLL (Karnin, Lang, Liberty, "Optimal Quantile Approximation in Streams", 2016) and REQ
//! (Cormode, Karnin, Liberty, Thaler, Vesely, "Relative Error Streaming Quantiles", 2021), with the constants of Apache
//! DataSketches.
//!
//! A value at level `h` stands for `2^h` rows. A level that is full is sorted, and every other value of (a part of) it
//! goes one level up. Which of the two halves goes is not drawn at random but from a hash of the values, so that a task
//! that is run again gives the same sketch.

use crate::quantile::counts::{Bucket, number};

/// Which sketch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// The error of a rank is a share of all rows.
    Kll,
    /// The error of a rank is a share of the rows above it.
    Req,
}

/// KLL: the least capacity of a level, and how much smaller a level is than the one above it.
const LEAST_CAPACITY: usize = 8;
const DECAY: f64 = 2.0 / 3.0;
/// REQ: the sections of a new level, and the least size of a section.
const SECTIONS: usize = 3;
const LEAST_SECTION: usize = 4;

impl Family {
    /// The size parameter for a rank error that holds with a probability of 99 %.
    ///
    /// KLL: `epsilon = 2.296 / k^0.9021`, as measured by DataSketches (`KllSketch.getNormalizedRankError`). REQ: 2.6
    /// times the relative standard error `sqrt(0.0512 / 3) / k` (`ReqSketch.getRSE`).
    pub(crate) fn size(self, epsilon: f64) -> usize {
        let size = match self {
            Self::Kll => (2.296 / epsilon).powf(1.0 / 0.9021),
            Self::Req => 2.6 * (0.0512f64 / 3.0).sqrt() / epsilon,
        };
        // Sections have an even size.
        (size.ceil().clamp(LEAST_CAPACITY as f64, 1e6) as usize).next_multiple_of(2)
    }
}

/// The values that stand for `2^level` rows each.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level {
    pub(crate) items: Vec<u64>,
    /// How often the level was compacted.
    pub(crate) compactions: u64,
    /// Which half went up the last time.
    pub(crate) upper: bool,
}

/// A sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compactors {
    family: Family,
    size: usize,
    pub(crate) rows: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
    pub(crate) levels: Vec<Level>,
}

/// The finaliser of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl Compactors {
    /// A sketch of no rows.
    pub(crate) fn new(family: Family, size: usize) -> Self {
        Self { family, size, rows: 0, least: u64::MAX, most: 0, levels: vec![Level::default()] }
    }

    /// Takes values with their counts.
    pub(crate) fn insert(&mut self, buckets: &[Bucket]) {
        for bucket in buckets {
            self.rows = self.rows.saturating_add(bucket.count);
            self.least = self.least.min(bucket.low);
            self.most = self.most.max(bucket.high);
            // No higher than the level that so many rows reach in any case.
            let top = (self.rows / self.size as u64).max(1).ilog2() as usize;
            self.grow(top + 1);
            for level in 0..top {
                if bucket.count >> level & 1 == 1 {
                    self.levels[level].items.push(bucket.low);
                }
            }
            let copies = (bucket.count >> top) as usize;
            self.levels[top].items.extend(std::iter::repeat_n(bucket.low, copies));
        }
        self.compress();
    }

    /// Takes all that another sketch has.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.grow(other.levels.len());
        for (level, theirs) in self.levels.iter_mut().zip(&other.levels) {
            level.items.extend(&theirs.items);
            level.compactions |= theirs.compactions;
            level.upper ^= theirs.upper;
        }
        self.compress();
    }

    fn grow(&mut self, levels: usize) {
        if self.levels.len() < levels {
            self.levels.resize(levels, Level::default());
        }
    }

    /// The number and the size of the sections of a level of REQ: as it is compacted more often, sections grow in number
    /// and shrink.
    fn sections(&self, level: usize) -> (usize, usize) {
        let compactions = self.levels[level].compactions;
        let (mut sections, mut size) = (SECTIONS, self.size as f64);
        let even = |size: f64| (size / 2.0).round() as usize * 2;
        loop {
            let smaller = size / std::f64::consts::SQRT_2;
            if sections > 64 || compactions < 1 << (sections - 1) || even(smaller) < LEAST_SECTION {
                return (sections, even(size));
            }
            (sections, size) = (sections * 2, smaller);
        }
    }

    fn capacity(&self, level: usize) -> usize {
        match self.family {
            Family::Kll => {
                let depth = (self.levels.len() - 1 - level) as i32;
                ((self.size as f64 * DECAY.powi(depth)).ceil() as usize).max(LEAST_CAPACITY)
            }
            Family::Req => {
                let (sections, size) = self.sections(level);
                2 * sections * size
            }
        }
    }

    fn compress(&mut self) {
        match self.family {
            Family::Kll => loop {
                let held: usize = self.levels.iter().map(|level| level.items.len()).sum();
                let room: usize = (0..self.levels.len()).map(|level| self.capacity(level)).sum();
                let full = (0..self.levels.len()).find(|level| self.levels[*level].items.len() > self.capacity(*level));
                match full {
                    Some(level) if held > room => self.compact(level),
                    _ => break,
                }
            },
            Family::Req => {
                let mut level = 0;
                while level < self.levels.len() {
                    while self.levels[level].items.len() >= self.capacity(level) {
                        self.compact(level);
                    }
                    level += 1;
                }
            }
        }
        self.levels.iter_mut().for_each(|level| level.items.sort());
    }

    /// How many of the least values of a level are compacted: an even number.
    fn compacted(&self, level: usize) -> usize {
        let held = self.levels[level].items.len();
        let kept = match self.family {
            Family::Kll => 0,
            Family::Req => {
                let (sections, size) = self.sections(level);
                let chosen = (self.levels[level].compactions.trailing_ones() as usize + 1).min(sections);
                sections * size + (sections - chosen) * size
            }
        };
        held.saturating_sub(kept) & !1
    }

    fn compact(&mut self, level: usize) {
        self.grow(level + 2);
        let count = self.compacted(level);
        let this = &mut self.levels[level];
        // The stable sort merges the runs that values come in.
        this.items.sort();
        // Two neighbouring compactions choose opposite halves, so that their errors cancel.
        this.upper = if this.compactions & 1 == 1 {
            !this.upper
        } else {
            let content = this.items[..count].iter().fold(this.compactions, |sum, item| sum.wrapping_add(mix(*item)));
            mix(content.wrapping_add(level as u64)) & 1 == 1
        };
        this.compactions += 1;
        let first = usize::from(this.upper);
        let chosen: Vec<u64> = this.items[..count].iter().skip(first).step_by(2).copied().collect();
        this.items.drain(..count);
        self.levels[level + 1].items.extend(chosen);
    }

    /// The values that are held, in ascending order, as ranges with the rows that they stand for.
    pub(crate) fn ranges(&self) -> Vec<(f64, f64, u64)> {
        let mut items: Vec<(u64, u64)> = Vec::new();
        for (level, values) in self.levels.iter().enumerate() {
            items.extend(values.items.iter().map(|item| (*item, 1 << level)));
        }
        items.sort_unstable();
        let mut ranges: Vec<(f64, f64, u64)> =
            items.iter().map(|(item, rows)| (number(*item), number(*item), *rows)).collect();
        // The least and the greatest value are known, even if they are no longer held.
        if let Some(first) = ranges.first_mut() {
            first.0 = number(self.least);
        }
        if let Some(last) = ranges.last_mut() {
            last.1 = number(self.most);
        }
        ranges
    }

    /// What sketches are sorted by before they are merged.
    pub(crate) fn content(&self) -> (u64, u64, u64, &[Level]) {
        (self.rows, self.least, self.most, &self.levels)
    }

    /// Whether the parts of a sketch that a state holds fit together.
    pub(crate) fn is_sound(&self) -> bool {
        let weight = |(level, values): (usize, &Level)| {
            u64::try_from(values.items.len()).ok()?.checked_mul(1u64.checked_shl(level as u32)?)
        };
        let total = self.levels.iter().enumerate().map(weight).try_fold(0u64, |sum, weight| sum.checked_add(weight?));
        total == Some(self.rows) && !self.levels.is_empty() && self.levels.len() <= 48
    }

    /// Bytes held on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.levels.iter().map(|level| size_of::<Level>() + level.items.capacity() * size_of::<u64>()).sum()
    }
}
