//! What the examples share: the generator of the shop's behaviour log.
//!
//! The programs and SQL jobs themselves lie in `shop/`, `credit/` and `embed/`; `README.md` tells how to run each.

#![warn(missing_docs, unreachable_pub)]

pub mod shop;
pub mod zipf;
