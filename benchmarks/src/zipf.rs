//! Zipf ranks in constant time and memory, whatever the number of elements.
//!
//! Rejection-inversion sampling after W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from
//! monotone discrete distributions", ACM TOMACS 6(3), 1996.

use rand::{Rng, RngExt};

/// Ranks `1..=elements` with probability proportional to `rank^-exponent`, for an exponent from 1.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    elements: f64,
    exponent: f64,
    integral_at_first: f64,
    integral_at_last: f64,
    shortcut: f64,
}

impl Zipf {
    /// A sampler over at least one rank.
    pub(crate) fn new(elements: u64, exponent: f64) -> Self {
        let elements = elements.max(1) as f64;
        let integral = |position: f64| integral(position, exponent);
        Self {
            elements,
            exponent,
            integral_at_first: integral(1.5) - 1.0,
            integral_at_last: integral(elements + 0.5),
            shortcut: 2.0 - inverse(integral(2.5) - 2f64.powf(-exponent), exponent),
        }
    }

    /// One rank; 1 is the most frequent.
    pub(crate) fn sample(&self, random: &mut impl Rng) -> u64 {
        loop {
            let height =
                self.integral_at_last + random.random::<f64>() * (self.integral_at_first - self.integral_at_last);
            let position = inverse(height, self.exponent);
            let rank = (position + 0.5).floor().clamp(1.0, self.elements);
            // The first test accepts most draws without the two powers of the second.
            if rank - position <= self.shortcut || height >= self.integral(rank + 0.5) - rank.powf(-self.exponent) {
                return rank as u64;
            }
        }
    }

    /// The share of one rank, by the sum over all: for few elements only.
    pub(crate) fn share(elements: u64, exponent: f64, rank: u64) -> f64 {
        let weight = |rank: u64| (rank as f64).powf(-exponent);
        weight(rank) / (1..=elements).map(weight).sum::<f64>()
    }

    fn integral(&self, position: f64) -> f64 {
        integral(position, self.exponent)
    }
}

/// An integral of `position^-exponent`.
fn integral(position: f64, exponent: f64) -> f64 {
    if exponent == 1.0 { position.ln() } else { position.powf(1.0 - exponent) / (1.0 - exponent) }
}

fn inverse(height: f64, exponent: f64) -> f64 {
    if exponent == 1.0 { height.exp() } else { (height * (1.0 - exponent)).powf(1.0 / (1.0 - exponent)) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::Zipf;

    #[test]
    fn ranks_have_their_shares() {
        for (elements, exponent) in [(1, 1.1), (3, 1.1), (1000, 1.1), (50, 2.5), (1, 1.0), (1000, 1.0)] {
            let zipf = Zipf::new(elements, exponent);
            let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
            let draws = 200_000;
            let mut counts = vec![0_u32; elements as usize + 1];
            for _ in 0..draws {
                counts[zipf.sample(&mut random) as usize] += 1;
            }
            for rank in 1..=elements.min(20) {
                let share = Zipf::share(elements, exponent, rank);
                let deviation = (share * (1.0 - share) / f64::from(draws)).sqrt();
                let drawn = f64::from(counts[rank as usize]) / f64::from(draws);
                assert!((drawn - share).abs() <= 5.0 * deviation, "{elements} {exponent} {rank}: {drawn}, not {share}");
            }
        }
    }
}
