//! The catalog over real stores, with a real planning session in front of it.

mod external;
mod managed;
mod support;
mod versions;
mod views;
