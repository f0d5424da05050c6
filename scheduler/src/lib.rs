//! The cluster roles of Sluice on Apache Ballista: the driver, which owns catalog, sessions and planning and serves
//! clients; the executors, which run the stages of its plans; and a whole cluster on one machine.

#![warn(missing_docs, unreachable_pub)]

mod boundary;
mod codec;
mod driver;
mod executor;
mod local;
mod net;
mod ready;

pub use driver::{SchedulerOptions, run_scheduler};
pub use executor::{ExecutorOptions, run_executor};
pub use local::{ClusterOptions, run_cluster};
pub use ready::{ReadySignal, exit_when_stdin_closes};
