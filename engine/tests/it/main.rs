//! Integration tests of the engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catalog;
mod profile;
mod session;
mod skew;
