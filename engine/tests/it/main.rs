//! Integration tests of the engine.

mod catalog;
mod profile;
mod session;
