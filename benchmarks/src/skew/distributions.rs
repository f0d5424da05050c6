//! How often each key occurs.

use std::fmt;

use rand::{Rng, RngExt};
use sluice::{Error, ErrorCode, Result};

use crate::zipf::Zipf;

/// The law that the keys of a table follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Every key alike.
    Uniform,
    /// Zipf's law with the exponent 1.0.
    Zipf10,
    /// Zipf's law with the exponent 1.2.
    Zipf12,
    /// Zipf's law with the exponent 1.5.
    Zipf15,
    /// One key has 10 % of the rows; the others are alike.
    One10,
    /// One key has half of the rows.
    One50,
    /// One key has 98 % of the rows.
    One98,
    /// 30 % of the rows have no key; the others are alike.
    Null30,
    /// Zipf's law with the exponent 1.2 over pairs of two columns.
    Composite,
}

impl Distribution {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Uniform,
        Self::Zipf10,
        Self::Zipf12,
        Self::Zipf15,
        Self::One10,
        Self::One50,
        Self::One98,
        Self::Null30,
        Self::Composite,
    ];

    /// The name in reports, in folders and in `--distributions`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "zipf0",
            Self::Zipf10 => "zipf1.0",
            Self::Zipf12 => "zipf1.2",
            Self::Zipf15 => "zipf1.5",
            Self::One10 => "one10",
            Self::One50 => "one50",
            Self::One98 => "one98",
            Self::Null30 => "null30",
            Self::Composite => "composite",
        }
    }

    /// The distribution of that name.
    ///
    /// # Errors
    /// A name that none has.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|distribution| distribution.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|distribution| distribution.name()).collect();
            Error::new(ErrorCode::InvalidArgument, format!("no distribution is called {name}"))
                .hint(format!("the distributions are {}", known.join(", ")))
        })
    }

    /// The columns that make the key.
    pub(super) fn key_columns(self) -> &'static [&'static str] {
        if self == Self::Composite { &["k", "k2"] } else { &["k"] }
    }

    /// The share of the rows that the key of a rank has, or that have no key for the rank 0.
    pub fn share(self, keys: u64, rank: u64) -> f64 {
        let others = |share: f64, count: u64| (1.0 - share) / count.max(1) as f64;
        match (self.law(), rank) {
            (Law::Null(share), 0) => share,
            (_, 0) => 0.0,
            (Law::Alike, _) => others(0.0, keys),
            (Law::Zipf(exponent), rank) => Zipf::share(keys, exponent, rank),
            (Law::One(share), 1) => share,
            (Law::One(share), _) => others(share, keys - 1),
            (Law::Null(share), _) => others(share, keys),
        }
    }

    fn law(self) -> Law {
        match self {
            Self::Uniform => Law::Alike,
            Self::Zipf10 => Law::Zipf(1.0),
            Self::Zipf12 | Self::Composite => Law::Zipf(1.2),
            Self::Zipf15 => Law::Zipf(1.5),
            Self::One10 => Law::One(0.10),
            Self::One50 => Law::One(0.50),
            Self::One98 => Law::One(0.98),
            Self::Null30 => Law::Null(0.30),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[derive(Debug, Clone, Copy)]
enum Law {
    Alike,
    Zipf(f64),
    One(f64),
    Null(f64),
}

/// Draws the ranks of keys; 1 is the most frequent.
#[derive(Debug)]
pub(super) struct Ranks {
    law: Law,
    keys: u64,
    zipf: Zipf,
}

impl Ranks {
    pub(super) fn new(distribution: Distribution, keys: u64) -> Self {
        let law = distribution.law();
        let exponent = if let Law::Zipf(exponent) = law { exponent } else { 1.0 };
        Self { law, keys: keys.max(2), zipf: Zipf::new(keys, exponent) }
    }

    /// One rank, or nothing for a row without a key.
    pub(super) fn sample(&self, random: &mut impl Rng) -> Option<u64> {
        match self.law {
            Law::Alike => Some(random.random_range(1..=self.keys)),
            Law::Zipf(_) => Some(self.zipf.sample(random)),
            Law::One(share) if random.random::<f64>() < share => Some(1),
            Law::One(_) => Some(random.random_range(2..=self.keys)),
            Law::Null(share) if random.random::<f64>() < share => None,
            Law::Null(_) => Some(random.random_range(1..=self.keys)),
        }
    }
}
