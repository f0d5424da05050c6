//! Sluice: ETL and feature engineering on Apache DataFusion, embedded in one process or on a cluster.
//!
//! Begin with [`Session`].

#![warn(missing_docs, unreachable_pub)]

pub mod catalog;
pub mod codec;
pub mod config;
pub mod error;
pub mod ipc;
pub mod optimize;
pub mod partition;
pub mod plan;
pub mod profile;
pub mod session;
pub mod skew;
pub mod sql;
pub mod storage;
pub mod stream;
pub mod write;

pub use error::{Blame, Error, ErrorCode, Place, Result, RetryHint, nearest};
pub use session::{
    CsvOptions, ExchangeInfo, ExecuteOptions, Execution, JobInfo, JsonOptions, ParquetOptions, Progress, Session,
    SessionBuilder, Spread, StageInfo, StatementKind, TaskTime, makespan, program,
};
