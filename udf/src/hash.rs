//! Hashing that agrees with other libraries bit by bit.

#[allow(dead_code, unreachable_pub)]
mod murmur3;

pub(crate) use murmur3::murmur3_x86_32;
