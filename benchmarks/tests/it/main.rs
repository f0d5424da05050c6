//! Facts about the benchmarks that do not depend on how fast anything is.

mod generate;
mod tpch;
