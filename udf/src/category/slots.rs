//! An open-addressed hash table from hashes to numbers. The keys of the numbers are kept by the caller.

/// The smallest table that holds anything.
const LEAST: usize = 16;
/// At least so many slots a number: with few numbers that meet in a slot, the processor rarely guesses a branch wrong,
/// which costs more than the table's memory.
const SPREAD: usize = 4;

/// Numbers 0, 1, 2 and so on, each found by the hash of its key and a comparison.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// A number plus one, 0 in a free slot. The upper bits of its hash are its first place, and the next free one is
    /// taken.
    slots: Vec<u32>,
    /// By number, so that a table grows without its keys.
    hashes: Vec<u32>,
}

impl Slots {
    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        (self.slots.capacity() + self.hashes.capacity()) * size_of::<u32>()
    }

    /// The first place of a hash in a table of `slots`, a power of two.
    #[inline(always)]
    fn first(hash: u32, slots: usize) -> usize {
        ((u64::from(hash) * slots as u64) >> 32) as usize
    }

    /// The number whose key is equal, by the hash of the key.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, is_equal: impl Fn(u32) -> bool) -> Option<u32> {
        let slots = self.slots.as_slice();
        let mask = slots.len().checked_sub(1)?;
        let mut place = Self::first(hash, slots.len());
        loop {
            let number = slots.get(place & mask)?.checked_sub(1)?;
            if is_equal(number) {
                return Some(number);
            }
            place += 1;
        }
    }

    /// What is in the first place of each hash: a number plus one, or 0. Nothing here waits for anything else, so that
    /// the processor has many places on their way from memory at once.
    #[inline(always)]
    pub(super) fn first_numbers<const N: usize>(&self, hashes: &[u32; N]) -> [u32; N] {
        let slots = self.slots.as_slice();
        hashes.map(|hash| slots.get(Self::first(hash, slots.len())).copied().unwrap_or(0))
    }

    /// Adds the next number, for a key with this hash that has none yet.
    pub(super) fn add(&mut self, hash: u32) -> u32 {
        if self.hashes.len() * SPREAD >= self.slots.len() {
            self.grow();
        }
        let number = self.hashes.len() as u32;
        Self::put(&mut self.slots, hash, number);
        self.hashes.push(hash);
        number
    }

    fn put(slots: &mut [u32], hash: u32, number: u32) {
        let mask = slots.len() - 1;
        let mut place = Self::first(hash, slots.len());
        while slots[place & mask] != 0 {
            place += 1;
        }
        slots[place & mask] = number + 1;
    }

    fn grow(&mut self) {
        let mut grown = vec![0; (self.slots.len() * 2).max(LEAST)];
        self.hashes.iter().zip(0..).for_each(|(hash, number)| Self::put(&mut grown, *hash, number));
        self.slots = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        for hash in [0, 1, u32::MAX] {
            let (mut slots, keys) = (Slots::default(), Vec::from_iter(0..1000_u32));
            for key in &keys {
                assert_eq!(slots.find(hash, |number| keys[number as usize] == *key), None);
                assert_eq!(slots.add(hash), *key);
            }
            assert!(keys.iter().all(|key| slots.find(hash, |number| number == *key) == Some(*key)));
            assert_eq!(slots.find(hash, |_| false), None);
        }
    }
}
