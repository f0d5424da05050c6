//! Distinct numbers of 64 bits, numbered in the order in which they are first seen.

use arrow::buffer::NullBuffer;
use std::hint::select_unpredictable;

use super::slots::Slots;
use super::{BLOCK, UNSEEN, fold, mark_missing, places_unseen};

/// The numbers, by their bits.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    slots: Slots,
    keys: Vec<u64>,
}

impl Numbers {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.slots.size() + self.keys.capacity() * size_of::<u64>()
    }

    /// In the order in which they were added.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The numbers of those keys of a block that are in the first places of their hashes, [`UNSEEN`] for the others.
    #[inline(always)]
    fn guess(&self, keys: &[u64; BLOCK], hashes: &[u32; BLOCK], numbers: &mut [u32]) {
        let Some(first) = self.keys.first() else { return };
        let found = self.slots.first_numbers(hashes);
        for (place, number) in numbers.iter_mut().enumerate() {
            let known = self.keys.get(found[place].wrapping_sub(1) as usize).unwrap_or(first);
            let is_equal = (found[place] != 0) & (*known == keys[place]);
            *number = select_unpredictable(is_equal, found[place].wrapping_sub(1), UNSEEN);
        }
    }

    /// The numbers of keys: [`UNSEEN`] for those that are not known, [`MISSING`] for nulls.
    pub(super) fn find_all(&self, keys: &[u64], nulls: Option<&NullBuffer>) -> Vec<u32> {
        let find = |this: &mut &Self, key, hash| this.find(key, hash).unwrap_or(UNSEEN);
        numbers_of(&mut &*self, keys, nulls, |this, keys, hashes, numbers| this.guess(keys, hashes, numbers), find)
    }

    /// The numbers of keys, new ones being added; [`MISSING`] for nulls.
    pub(super) fn find_or_add_all(&mut self, keys: &[u64], nulls: Option<&NullBuffer>) -> Vec<u32> {
        numbers_of(self, keys, nulls, Self::guess, Self::find_or_add)
    }

    fn find(&self, key: u64, hash: u32) -> Option<u32> {
        self.slots.find(hash, |number| self.keys[number as usize] == key)
    }

    fn find_or_add(&mut self, key: u64, hash: u32) -> u32 {
        match self.find(key, hash) {
            Some(number) => number,
            None => {
                self.keys.push(key);
                self.slots.add(hash)
            }
        }
    }
}

/// The numbers of keys, by a function that gives those of a block and leaves [`UNSEEN`] what it does not find, and one
/// that gives the number of such a key by its hash.
#[inline(always)]
fn numbers_of<S>(
    this: &mut S,
    keys: &[u64],
    nulls: Option<&NullBuffer>,
    guess: impl Fn(&S, &[u64; BLOCK], &[u32; BLOCK], &mut [u32]),
    mut resolve: impl FnMut(&mut S, u64, u32) -> u32,
) -> Vec<u32> {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let (mut block, mut numbers) = ([0; BLOCK], vec![UNSEEN; keys.len()]);
    for (index, (numbers, keys)) in numbers.chunks_mut(BLOCK).zip(keys.chunks(BLOCK)).enumerate() {
        block[..keys.len()].copy_from_slice(keys);
        let hashes = block.map(|key| fold(key, 0));
        guess(this, &block, &hashes, numbers);
        mark_missing(numbers, nulls, index * BLOCK);
        let (unseen, count) = places_unseen(numbers);
        for place in unseen[..count].iter().map(|place| *place as usize) {
            numbers[place] = resolve(this, block[place], hashes[place]);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::MISSING;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn numbers_are_those_of_a_map(
            keys in prop::collection::vec((prop_oneof![0..40_u64, any::<u64>()], prop::bool::weighted(0.9)), 0..700),
        ) {
            let (keys, valid): (Vec<u64>, Vec<bool>) = keys.into_iter().unzip();
            let nulls = NullBuffer::from(valid.clone());
            let mut expected: HashMap<u64, u32> = HashMap::new();
            let numbers: Vec<u32> = keys.iter().zip(&valid).map(|(key, valid)| {
                let next = expected.len() as u32;
                if *valid { *expected.entry(*key).or_insert(next) } else { MISSING }
            }).collect();
            let mut numbered = Numbers::default();
            prop_assert_eq!(numbered.find_or_add_all(&keys, Some(&nulls)), numbers);
            let known: Vec<u32> = keys.iter().map(|key| expected.get(key).copied().unwrap_or(UNSEEN)).collect();
            prop_assert_eq!(numbered.find_all(&keys, None), known);
            prop_assert_eq!(numbered.len(), expected.len());
        }
    }
}
