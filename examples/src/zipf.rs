//! Zipf ranks in constant time and memory, whatever the number of elements.
//!
//! Rejection-inversion sampling after W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from
//! monotone discrete distributions", ACM TOMACS 6(3), 1996: invert the integral of the density, round to the nearest
//! rank, and reject the small excess. At most about 1.1 draws are needed per rank.

use rand::{Rng, RngExt};

/// Ranks `1..=elements` with probability proportional to `rank^-exponent`.
#[derive(Debug, Clone)]
pub struct Zipf {
    elements: f64,
    exponent: f64,
    integral_at_first: f64,
    integral_at_last: f64,
    shortcut: f64,
}

impl Zipf {
    /// A sampler over `elements` ranks; fewer than one element counts as one. `exponent` must be positive.
    pub fn new(elements: u64, exponent: f64) -> Self {
        let elements = elements.max(1) as f64;
        Self {
            elements,
            exponent,
            integral_at_first: density_integral(1.5, exponent) - 1.0,
            integral_at_last: density_integral(elements + 0.5, exponent),
            shortcut: 2.0 - inverse_integral(density_integral(2.5, exponent) - density(2.0, exponent), exponent),
        }
    }

    /// One rank, from 1 (the most frequent) to the number of elements.
    pub fn sample<R: Rng>(&self, random: &mut R) -> u64 {
        loop {
            let height =
                self.integral_at_last + random.random::<f64>() * (self.integral_at_first - self.integral_at_last);
            let position = inverse_integral(height, self.exponent);
            let rank = (position + 0.5).floor().clamp(1.0, self.elements);
            // The first test accepts most draws without the two powers of the second.
            if rank - position <= self.shortcut
                || height >= density_integral(rank + 0.5, self.exponent) - density(rank, self.exponent)
            {
                return rank as u64;
            }
        }
    }
}

fn density(position: f64, exponent: f64) -> f64 {
    (-exponent * position.ln()).exp()
}

/// Integral of the density, up to a constant; smooth in the exponent at 1, where it is the logarithm.
fn density_integral(position: f64, exponent: f64) -> f64 {
    let logarithm = position.ln();
    exponential_ratio((1.0 - exponent) * logarithm) * logarithm
}

fn inverse_integral(height: f64, exponent: f64) -> f64 {
    // Rounding may carry the argument below -1, where the logarithm does not exist.
    let argument = (height * (1.0 - exponent)).max(-1.0);
    (logarithm_ratio(argument) * height).exp()
}

/// `ln(1 + x) / x`, by its series near 0.
fn logarithm_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x * (0.5 - x * (1.0 / 3.0 - 0.25 * x)) }
}

/// `(exp(x) - 1) / x`, by its series near 0.
fn exponential_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0 * (1.0 + 0.25 * x)) }
}
