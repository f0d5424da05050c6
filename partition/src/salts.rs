//! Salts: a second join key that sends the rows of frequent keys where [`crate::chunks`] wants them.
//!
//! One side of a join is split: each of its rows gets one of the salts of its key. On the other side each row is repeated
//! for every salt of its key. Rows of equal keys then meet exactly once, on the partition to which the exchange's hash of
//! (key, salt) leads; the salts are chosen so that this is the planned one. Where a key is frequent on both sides, its
//! salts form a grid: a row of one side stands for a row of the grid, one of the other side for a column.
//!
//! What a row gets is a function of the row alone: of the hash of its key, and of the hash of its other columns. A key that
//! has the hash of a frequent one by chance is treated like it on both sides, which is right too. Wrong numbers of
//! partitions cost balance, and never rows.

mod function;
mod table;

pub use function::{Salt, Side};
pub(crate) use table::{Entry, solve_salts};
pub use table::{SaltTable, Split};
