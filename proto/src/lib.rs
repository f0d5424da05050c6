//! Messages and services between Sluice's processes. Generated code only: the source is `proto/sluice.proto`,
//! and the test `generated_code_is_current` writes it anew when asked (see the crate's README).

#![allow(missing_docs, unreachable_pub, clippy::all)]

mod generated {
    include!("generated/sluice.v1.rs");
}

pub use generated::*;
