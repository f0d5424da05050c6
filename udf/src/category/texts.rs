//! Distinct texts, numbered in the order in which they are first seen.

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use datafusion_common::{Result, exec_err};
use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::hint::select_unpredictable;
use std::sync::Arc;

use super::slots::Slots;
use super::{BLOCK, HASHER, UNSEEN, fold, mark_missing, places_unseen};

/// Texts of up to this many bytes lie in their views.
const INLINE: usize = 15;

/// The bits of the first bytes, by how many they are.
const MASKS: [u128; INLINE + 1] = {
    let mut masks = [0; INLINE + 1];
    let mut bytes = 1;
    while bytes <= INLINE {
        masks[bytes] = (1 << (8 * bytes)) - 1;
        bytes += 1;
    }
    masks
};

/// The highest byte of the view of a text that does not fit.
const LONG: u128 = 0xff << 120;
/// What the head of such a text has of its view: all but the place.
const LONG_HEAD: u128 = LONG | u64::MAX as u128;
const PLACE: u32 = 64;

/// A text to look for. `head` is the text itself, padded with zeros, and its length in the highest byte; of a text that
/// does not fit it is the first 4 bytes, the length in the next 4, and [`LONG`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    head: u128,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// A part of a buffer. What lies behind the part is read and masked away, which is faster than a copy of its length.
    #[inline(always)]
    pub(super) fn new(buffer: &'a [u8], start: usize, end: usize) -> Self {
        let bytes = &buffer[start..end];
        let head = match MASKS.get(bytes.len()) {
            Some(mask) => {
                let text = match buffer[start..].first_chunk() {
                    Some(chunk) => u128::from_le_bytes(*chunk) & mask,
                    None => Self::copied(bytes),
                };
                text | (bytes.len() as u128) << 120
            }
            None => LONG | (bytes.len() as u128) << 32 | Self::copied(&bytes[..4]),
        };
        Self { head, bytes }
    }

    #[cold]
    fn copied(bytes: &[u8]) -> u128 {
        let mut chunk = [0; 16];
        chunk[..bytes.len()].copy_from_slice(bytes);
        u128::from_le_bytes(chunk)
    }

    #[inline(always)]
    pub(super) fn hash(&self) -> u32 {
        if self.bytes.len() <= INLINE {
            fold(self.head as u64, (self.head >> 64) as u64)
        } else {
            (HASHER.hash_one(self.bytes) >> 32) as u32
        }
    }
}

/// Texts of a column that are looked up side by side.
struct Block<'a> {
    buffer: &'a [u8],
    /// Where the texts start, and where the last one ends.
    ends: &'a [i32],
    heads: [u128; BLOCK],
    hashes: [u32; BLOCK],
}

impl<'a> Block<'a> {
    fn text(&self, place: usize) -> Text<'a> {
        let bytes = &self.buffer[self.ends[place] as usize..self.ends[place + 1] as usize];
        Text { head: self.heads[place], bytes }
    }
}

/// The numbers of a column of texts, by a function that gives those of a block and leaves [`UNSEEN`] what it does not
/// find, and one that gives the number of such a text by its hash.
#[inline(always)]
fn numbers_of<S>(
    this: &mut S,
    column: &StringArray,
    guess: impl Fn(&S, &Block<'_>, &mut [u32]),
    mut resolve: impl FnMut(&mut S, &Text<'_>, u32) -> u32,
) -> Vec<u32> {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let (buffer, ends) = (column.value_data(), column.value_offsets());
    let mut block = Block { buffer, ends, heads: [0; BLOCK], hashes: [0; BLOCK] };
    let mut numbers = vec![UNSEEN; column.len()];
    for (index, numbers) in numbers.chunks_mut(BLOCK).enumerate() {
        let start = index * BLOCK;
        block.ends = &ends[start..=start + numbers.len()];
        for (place, ends) in block.ends.windows(2).enumerate() {
            let text = Text::new(buffer, ends[0] as usize, ends[1] as usize);
            (block.heads[place], block.hashes[place]) = (text.head, text.hash());
        }
        guess(this, &block, numbers);
        mark_missing(numbers, nulls, start);
        let (unseen, count) = places_unseen(numbers);
        for place in unseen[..count].iter().map(|place| *place as usize) {
            numbers[place] = resolve(this, &block.text(place), block.hashes[place]);
        }
    }
    numbers
}

/// The texts. A view is the head of a text, and between the length and the highest byte of a long one's the place where it
/// starts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    slots: Slots,
    views: Vec<[u8; 16]>,
    long: Vec<u8>,
    /// Bytes of all texts.
    bytes: usize,
}

impl Texts {
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.slots.size() + self.views.capacity() * size_of::<[u8; 16]>() + self.long.capacity()
    }

    #[inline]
    fn text(&self, number: u32) -> &[u8] {
        let view = &self.views[number as usize];
        match view[15] as usize {
            length @ ..=INLINE => &view[..length],
            _ => {
                let view = u128::from_le_bytes(*view);
                let (start, length) = (((view & !LONG) >> PLACE) as usize, (view as u64 >> 32) as usize);
                &self.long[start..start + length]
            }
        }
    }

    #[inline(always)]
    fn is_equal(&self, number: u32, text: &Text<'_>) -> bool {
        let view = u128::from_le_bytes(self.views[number as usize]);
        if text.bytes.len() <= INLINE {
            view == text.head
        } else {
            view & LONG_HEAD == text.head && self.text(number) == text.bytes
        }
    }

    /// The numbers of those texts of a block that are in the first places of their hashes.
    #[inline(always)]
    fn guess(&self, block: &Block<'_>, numbers: &mut [u32]) {
        let Some(first) = self.views.first() else { return };
        let found = self.slots.first_numbers(&block.hashes);
        for (place, number) in numbers.iter_mut().enumerate() {
            // No branch for short texts: the processor could not guess which of them are found.
            let (found, head) = (found[place], block.heads[place]);
            let view = u128::from_le_bytes(*self.views.get(found.wrapping_sub(1) as usize).unwrap_or(first));
            let is_equal = if head < LONG {
                view == head
            } else {
                view & LONG_HEAD == head && self.text(found.saturating_sub(1)) == block.text(place).bytes
            };
            *number = select_unpredictable((found != 0) & is_equal, found.wrapping_sub(1), UNSEEN);
        }
    }

    /// The numbers of the texts of a column: [`UNSEEN`] for those that are not known, [`MISSING`] for nulls.
    pub(super) fn find_all(&self, column: &StringArray) -> Vec<u32> {
        let find = |this: &mut &Self, text: &Text<'_>, hash| this.find(text, hash).unwrap_or(UNSEEN);
        numbers_of(&mut &*self, column, |this, block, numbers| this.guess(block, numbers), find)
    }

    /// The numbers of the texts of a column, new ones being added; [`MISSING`] for nulls.
    pub(super) fn find_or_add_all(&mut self, column: &StringArray) -> Vec<u32> {
        numbers_of(self, column, Self::guess, Self::find_or_add)
    }

    #[inline]
    pub(super) fn find(&self, text: &Text<'_>, hash: u32) -> Option<u32> {
        self.slots.find(hash, |number| self.is_equal(number, text))
    }

    #[inline]
    pub(super) fn find_or_add(&mut self, text: &Text<'_>, hash: u32) -> u32 {
        match self.find(text, hash) {
            Some(number) => number,
            None => self.add(text, hash),
        }
    }

    fn add(&mut self, text: &Text<'_>, hash: u32) -> u32 {
        let mut view = text.head;
        if text.bytes.len() > INLINE {
            view |= (self.long.len() as u128) << PLACE;
            self.long.extend_from_slice(text.bytes);
        }
        self.views.push(view.to_le_bytes());
        self.bytes += text.bytes.len();
        self.slots.add(hash)
    }

    /// The texts of the numbers, in their order.
    pub(super) fn array(&self, numbers: impl ExactSizeIterator<Item = u32> + Clone) -> Result<ArrayRef> {
        let mut offsets: Vec<i32> = Vec::with_capacity(numbers.len() + 1);
        let mut bytes: Vec<u8> = Vec::with_capacity(self.bytes.min(numbers.len().saturating_mul(64)));
        offsets.push(0);
        for number in numbers {
            bytes.extend_from_slice(self.text(number));
            match i32::try_from(bytes.len()) {
                Ok(end) => offsets.push(end),
                Err(_) => return exec_err!("the distinct categories are over 2 GiB of text: hash them first"),
            }
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(StringArray::try_new(offsets, Buffer::from(bytes), None)?))
    }

    /// The numbers in ascending order of their texts, by bytes.
    pub(super) fn sorted(&self) -> Vec<u32> {
        // Most are told apart by their first bytes, which lie side by side in the array that is sorted.
        let mut order: Vec<(u128, u32)> = (0..self.len() as u32).map(|number| (self.prefix(number), number)).collect();
        order.sort_unstable_by(|left, right| match left.0.cmp(&right.0) {
            Ordering::Equal => self.text(left.1).cmp(self.text(right.1)),
            different => different,
        });
        order.into_iter().map(|(_, number)| number).collect()
    }

    /// The first bytes of a text, the first one highest.
    fn prefix(&self, number: u32) -> u128 {
        let mut prefix = [0; 16];
        let text = self.text(number);
        let length = text.len().min(prefix.len());
        prefix[..length].copy_from_slice(&text[..length]);
        u128::from_be_bytes(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::MISSING;
    use arrow::array::AsArray;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Texts of up to 40 bytes, many of which have the same beginning, and zeros among them.
    fn texts() -> impl Strategy<Value = Vec<String>> {
        let text = (0..40_usize, prop::collection::vec(prop::sample::select(vec!["a", "b", "\0", "é"]), 0..4));
        let text = text.prop_map(|(length, end)| "x".repeat(length) + &end.concat());
        prop::collection::vec(text, 0..700)
    }

    /// The texts as a column in which every fifth row is null.
    fn column(texts: &[String]) -> StringArray {
        texts.iter().enumerate().map(|(row, text)| (row % 5 != 4).then_some(text)).collect()
    }

    proptest! {
        #[test]
        fn numbers_and_order_are_those_of_a_map(texts in texts(), more in texts()) {
            let (mut numbered, mut expected) = (Texts::default(), BTreeMap::new());
            for texts in [&texts, &more] {
                let column = column(texts);
                let known: Vec<u32> = column.iter().map(|text| match text {
                    None => MISSING,
                    Some(text) => expected.get(text).copied().unwrap_or(UNSEEN),
                }).collect();
                prop_assert_eq!(numbered.find_all(&column), known);
                let numbers: Vec<u32> = column.iter().map(|text| {
                    let next = expected.len() as u32;
                    text.map_or(MISSING, |text| *expected.entry(text.to_string()).or_insert(next))
                }).collect();
                prop_assert_eq!(numbered.find_or_add_all(&column), &numbers[..]);
                let start = texts.len() / 3;
                prop_assert_eq!(numbered.find_all(&column.slice(start, texts.len() - start)), &numbers[start..]);
            }
            for (text, number) in &expected {
                // A text at the end of its buffer is the same as one in the middle.
                let text = Text::new(text.as_bytes(), 0, text.len());
                prop_assert_eq!(numbered.find(&text, text.hash()), Some(*number));
            }
            prop_assert_eq!(numbered.len(), expected.len());
            let order = numbered.sorted();
            prop_assert_eq!(&order, &expected.values().copied().collect::<Vec<_>>());
            let array = numbered.array(order.iter().copied()).unwrap();
            let array: Vec<&str> = array.as_string::<i32>().iter().flatten().collect();
            prop_assert_eq!(array, expected.keys().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
