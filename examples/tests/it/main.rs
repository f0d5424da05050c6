//! The shop generator keeps its promises, and the SQL jobs compute what independent code computes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod credit_job;
mod distribution;
mod generator;
mod script;
mod shop_job;
mod zipf;
