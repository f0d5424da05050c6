//! The ways of placing rows that Sluice comes with, one a file.

mod bucket;
mod consistent_hash;
mod hash;
mod hot_keys;
mod list;
mod range;
mod round_robin;

pub use bucket::BucketPartitioner;
pub use consistent_hash::ConsistentHashPartitioner;
pub use hash::HashPartitioner;
pub use hot_keys::HotKeyPartitioner;
pub use list::ListPartitioner;
pub use range::{RangeCuts, RangePartitioner};
pub use round_robin::RoundRobinPartitioner;
