//! Many numbers added to an exact sum at once, in fixed-point words (Neal, "Fast Exact Summation Using Small and Large
//! Superaccumulators", 2015): a few instructions a number, whatever their magnitudes.

use crate::exact_sum::ExactSum;

/// How many numbers fit before a word could overflow: each adds less than 2^53 to a word of 63 bits.
const ROOM: u32 = 1 << 10;
/// Numbers from here on are added one by one, so that no word overflows the numbers.
const LARGE: f64 = 8.452712498170644e270; // 2^900
/// Words of 32 bits over all exponents, and one more.
const WORDS: usize = 65;

/// Numbers on their way to an exact sum; [`Self::finish`] delivers them.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    sum: &'a mut ExactSum,
    /// The word `i` counts units of `2^(32 i - 1074)`.
    words: [i64; WORDS],
    room: u32,
}

/// `2^exponent`, from -1074 to 1023.
fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        -1022.. => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => f64::from_bits(1 << (exponent + 1074)),
    }
}

impl<'a> Blocks<'a> {
    /// Adds to `sum`.
    pub(crate) fn new(sum: &'a mut ExactSum) -> Self {
        Self { sum, words: [0; WORDS], room: ROOM }
    }

    /// Adds one number.
    #[inline]
    pub(crate) fn add(&mut self, number: f64) {
        // NaN is not below, either.
        if number.abs() < LARGE {
            if self.room == 0 {
                self.deliver();
            }
            self.room -= 1;
            let bits = number.to_bits();
            let exponent = (bits >> 52) as usize & 0x7ff;
            let normal = u64::from(exponent != 0);
            let digits = (bits & ((1 << 52) - 1)) | normal << 52;
            let place = exponent - normal as usize;
            let (word, shift) = (place / 32 % 64, (place % 32) as u32);
            // Negation without a branch.
            let sign = bits as i64 >> 63;
            let signed = |digits: u64| (digits as i64 ^ sign) - sign;
            self.words[word] += signed((digits << shift) & 0xffff_ffff);
            self.words[word + 1] += signed(digits >> (32 - shift));
        } else {
            self.sum.add(number);
        }
    }

    fn deliver(&mut self) {
        for (index, word) in self.words.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
            let exponent = 32 * index as i32 - 1074;
            let (high, low) = (*word >> 32, *word & 0xffff_ffff);
            self.sum.add(low as f64 * power_of_two(exponent));
            self.sum.add(high as f64 * power_of_two(exponent + 32));
            *word = 0;
        }
        self.room = ROOM;
    }

    /// Adds what is left.
    pub(crate) fn finish(mut self) {
        self.deliver();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(numbers: &[f64]) -> (ExactSum, ExactSum) {
        let (mut single, mut many) = (ExactSum::default(), ExactSum::default());
        numbers.iter().for_each(|number| single.add(*number));
        let mut blocks = Blocks::new(&mut many);
        numbers.iter().for_each(|number| blocks.add(*number));
        blocks.finish();
        (single, many)
    }

    #[test]
    fn the_ends_of_the_range() {
        let numbers = [5e-324, -1e-310, f64::MIN_POSITIVE, 1e271, -1e271, 8e270, f64::MAX, -1.0, 0.0, -0.0];
        let (single, many) = both(&numbers);
        assert_eq!(single.canonical(), many.canonical());
        let (single, many) = both(&[f64::INFINITY, 1.0]);
        assert_eq!(single.value(), many.value());
        assert!(both(&[f64::NAN, 1.0]).1.value().is_nan());
    }

    #[test]
    fn more_numbers_than_fit_into_the_words() {
        let (single, many) = both(&vec![-0.1; 10_000]);
        assert_eq!(single.canonical(), many.canonical());
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_one_by_one(numbers in proptest::collection::vec(-1e300f64..1e300, 0..200),
                                         scale in 0u32..2000) {
            let scale = 2f64.powi(scale as i32 / 2 - 1000);
            let numbers: Vec<f64> = numbers.iter().map(|number| number * scale).collect();
            let (single, many) = both(&numbers);
            prop_assert_eq!(single.canonical(), many.canonical());
        }
    }
}
