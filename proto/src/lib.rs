//! Messages and services between Sluice's processes. Generated code only: the source is `proto/sluice.proto`,
//! and `proto/codegen` writes it anew.

#![allow(missing_docs, unreachable_pub, clippy::all)]

mod generated {
    include!("generated/sluice.v1.rs");
}

pub use generated::*;
