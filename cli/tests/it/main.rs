//! What users see, tried with the real binary and real processes: every test of statements runs embedded, on one
//! executor and on three.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod chaos;
mod clusters;
mod commands;
mod errors;
mod faults;
mod jobs;
mod join_filters;
mod limits;
mod partitions;
mod plans;
mod skew;
mod slt;
mod spreads;
mod support;
