//! The benchmarks that are queries over tables.

use sluice::{Error, ErrorCode, Result};

use super::{DataFile, Query};
use crate::{clickbench, tpcds, tpch};

/// Queries over generated tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Benchmark {
    /// TPC-H: 22 queries over eight tables; scale 1 is about a gigabyte of text.
    TpcH,
    /// TPC-DS: 99 queries over 24 tables; scale 1 is about a gigabyte of text.
    TpcDs,
    /// ClickBench: 43 queries over one wide table, generated; scale 1 is a million rows, a hundredth of the real table.
    ClickBench,
}

impl Benchmark {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TpcH => "tpch",
            Self::TpcDs => "tpcds",
            Self::ClickBench => "clickbench",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::TpcH => "TPC-H",
            Self::TpcDs => "TPC-DS",
            Self::ClickBench => "ClickBench",
        }
    }

    /// Number of its queries; they are numbered from 1.
    pub fn queries(self) -> u8 {
        match self {
            Self::TpcH => tpch::COUNT,
            Self::TpcDs => tpcds::COUNT,
            Self::ClickBench => clickbench::COUNT,
        }
    }

    /// The query of that number for data of that scale.
    pub(super) fn query(self, number: u8, scale: f64) -> Result<Query> {
        let query = match self {
            Self::TpcH => tpch::query(number, scale),
            Self::TpcDs => tpcds::query(number),
            Self::ClickBench => clickbench::query(number, scale),
        };
        query.unwrap_or_else(|| {
            Err(Error::new(ErrorCode::InvalidArgument, format!("{} has no query {number}", self.title()))
                .hint(format!("its queries are numbered 1 to {}", self.queries())))
        })
    }

    /// The files of its tables, the largest first.
    pub(super) fn files(self, scale: f64) -> Result<Vec<DataFile>> {
        match self {
            Self::TpcH => Ok(tpch::files(scale)),
            Self::TpcDs => tpcds::files(scale),
            Self::ClickBench => Ok(clickbench::files(scale)),
        }
    }
}
