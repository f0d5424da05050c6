//! The shop generator keeps its promises, and the SQL jobs compute what independent code computes.

mod credit_job;
mod distribution;
mod generator;
mod script;
mod shop_job;
mod zipf;
