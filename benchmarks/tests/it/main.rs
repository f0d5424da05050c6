//! Facts about the benchmarks that do not depend on how fast anything is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod features;
mod generate;
mod skew;
mod sql;
