//! Shares of the ranks, against the law itself.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use sluice_examples::zipf::Zipf;

const DRAWS: usize = 400_000;

/// Every rank's count lies within five standard deviations of `rank^-exponent / sum`.
fn check(elements: u64, exponent: f64) {
    let zipf = Zipf::new(elements, exponent);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut counts = vec![0_u32; elements as usize];
    for _ in 0..DRAWS {
        counts[zipf.sample(&mut random) as usize - 1] += 1;
    }
    let norm: f64 = (1..=elements).map(|rank| (rank as f64).powf(-exponent)).sum();
    for (index, &count) in counts.iter().enumerate() {
        let share = ((index + 1) as f64).powf(-exponent) / norm;
        let expected = share * DRAWS as f64;
        let deviation = (expected * (1.0 - share)).sqrt();
        let distance = (f64::from(count) - expected).abs();
        assert!(distance <= 5.0 * deviation + 1.0, "rank {}: {count} draws, not {expected:.0}", index + 1);
    }
}

#[test]
fn shares_follow_the_law_below_at_and_above_one() {
    check(200, 0.75);
    check(200, 1.0);
    check(200, 1.3);
}

#[test]
fn small_sets_have_no_other_ranks() {
    check(1, 1.0);
    check(2, 0.9);
}
