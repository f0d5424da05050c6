//! Many numbers added to an exact sum at once, by error-free extraction of their upper digits (Rump, Ogita and Oishi,
//! "Accurate Floating-Point Summation, Part I", 2008, algorithm ExtractVector): a few operations a number, which the
//! compiler turns into vector instructions.

use crate::exact_sum::ExactSum;

/// How many numbers are extracted at once.
pub(crate) const BLOCK: usize = crate::numbers::BLOCK;

/// `BLOCK + 2` rounded up to a power of two: so much larger than a number the sum of a block may be.
const ROOM: f64 = 512.0;
/// Larger numbers are added one by one, so that nothing overflows, and smaller ones, so that nothing underflows.
const LARGE: f64 = 8.452712498170644e270; // 2^900
const SMALL: f64 = 1.1830521861667747e-271; // 2^-900
/// Numbers side by side in a loop: sums of extracted digits are exact, so their order is free.
const LANES: usize = 8;

/// Adds a block, which is overwritten.
pub(crate) fn add_block(sum: &mut ExactSum, block: &mut [f64; BLOCK]) {
    loop {
        let most = most(block);
        if (SMALL..LARGE).contains(&most) {
            sum.add(extract(block, power_above(most) * ROOM));
            continue;
        }
        if most == 0.0 {
            return;
        }
        let is_odd = |number: &f64| most < SMALL || number.is_nan() || number.abs() >= LARGE;
        for number in block.iter_mut().filter(|number| is_odd(number)) {
            sum.add(*number);
            *number = 0.0;
        }
    }
}

/// The largest absolute value; NaN if there is one.
fn most(block: &[f64; BLOCK]) -> f64 {
    let mut most = [0.0_f64; LANES];
    for numbers in block.as_chunks::<LANES>().0 {
        for (most, number) in most.iter_mut().zip(numbers) {
            // Not less: so NaN comes in, and stays.
            *most = if number.abs() <= *most { *most } else { number.abs() };
        }
    }
    most.into_iter().fold(0.0, |most, number| if number <= most { most } else { number })
}

/// The least power of two that is greater than a positive number, which is not below the normal ones.
fn power_above(number: f64) -> f64 {
    f64::from_bits(((number.to_bits() >> 52) + 1) << 52)
}

/// Takes from each number its digits down to `2^-53` of `unit`, and gives their sum, which is exact.
fn extract(block: &mut [f64; BLOCK], unit: f64) -> f64 {
    let mut sums = [0.0; LANES];
    for numbers in block.as_chunks_mut::<LANES>().0 {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            let upper = (unit + *number) - unit;
            *number -= upper;
            *sum += upper;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(numbers: &[f64]) -> (ExactSum, ExactSum) {
        let (mut single, mut many) = (ExactSum::default(), ExactSum::default());
        numbers.iter().for_each(|number| single.add(*number));
        for numbers in numbers.chunks(BLOCK) {
            let mut block = [0.0; BLOCK];
            block[..numbers.len()].copy_from_slice(numbers);
            add_block(&mut many, &mut block);
        }
        (single, many)
    }

    #[test]
    fn the_ends_of_the_range() {
        let numbers = [5e-324, -1e-310, f64::MIN_POSITIVE, 1e271, -1e271, 8e270, f64::MAX, -1.0, 0.0, -0.0];
        let (single, many) = both(&numbers);
        assert_eq!(single.canonical(), many.canonical());
        for special in [f64::INFINITY, f64::NEG_INFINITY] {
            let (single, many) = both(&[1.0, special, 1.0]);
            assert_eq!(single.value(), many.value());
        }
        assert!(both(&[1.0, f64::NAN, 1.0]).1.value().is_nan());
        assert!(both(&[f64::INFINITY, f64::NEG_INFINITY]).1.value().is_nan());
    }

    #[test]
    fn many_equal_numbers() {
        for number in [-0.1, f64::MAX / 1e290, 5e-324, 1.0 - f64::EPSILON / 2.0, 1.0, 2.0 - f64::EPSILON] {
            let (single, many) = both(&vec![number; 10_000]);
            assert_eq!(single.canonical(), many.canonical(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_one_by_one(numbers in proptest::collection::vec(-1e300f64..1e300, 0..600),
                                         scale in 0u32..2000) {
            let scale = 2f64.powi(scale as i32 / 2 - 1000);
            let numbers: Vec<f64> = numbers.iter().map(|number| number * scale).collect();
            let (single, many) = both(&numbers);
            prop_assert_eq!(single.canonical(), many.canonical());
        }

        #[test]
        fn numbers_of_all_magnitudes(numbers in proptest::collection::vec(any::<f64>(), 0..600)) {
            let numbers: Vec<f64> = numbers.into_iter().filter(|number| number.abs() < 1e300).collect();
            let (single, many) = both(&numbers);
            prop_assert_eq!(single.canonical(), many.canonical());
        }
    }
}
