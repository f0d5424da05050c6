//! `sluice scheduler`, `executor` and `cluster`: the processes of a cluster. They run until they are told to stop.

use std::future::Future;

use sluice_scheduler::{ClusterOptions, ExecutorOptions, ReadySignal, SchedulerOptions};

use crate::args::{ClusterArgs, ExecutorArgs, RoleArgs, SchedulerArgs};
use crate::failure::Failure;
use crate::session::settings;

pub(super) async fn scheduler(arguments: SchedulerArgs, quiet: bool) -> Result<(), Failure> {
    let options = SchedulerOptions {
        bind: arguments.role.bind.clone(),
        port: arguments.port,
        external_host: arguments.external_host,
        conf: settings(&arguments.role.settings)?,
        ready: ready(quiet),
        ..Default::default()
    };
    with_parent(&arguments.role, sluice_scheduler::run_scheduler(options)).await
}

pub(super) async fn executor(arguments: ExecutorArgs, quiet: bool) -> Result<(), Failure> {
    let options = ExecutorOptions {
        scheduler: arguments.scheduler,
        bind: arguments.role.bind.clone(),
        port: arguments.port,
        grpc_port: arguments.grpc_port,
        external_host: arguments.external_host,
        cores: arguments.cores,
        work_dir: arguments.work_dir,
        id: arguments.id,
        conf: settings(&arguments.role.settings)?,
        ready: ready(quiet),
        ..Default::default()
    };
    with_parent(&arguments.role, sluice_scheduler::run_executor(options)).await
}

pub(super) async fn cluster(arguments: ClusterArgs, quiet: bool) -> Result<(), Failure> {
    let options = ClusterOptions {
        executors: arguments.executors,
        cores: arguments.cores,
        bind: arguments.role.bind.clone(),
        port: arguments.port,
        conf: settings(&arguments.role.settings)?,
        ready: ready(quiet),
    };
    with_parent(&arguments.role, sluice_scheduler::run_cluster(options)).await
}

fn ready(quiet: bool) -> ReadySignal {
    if quiet { ReadySignal::Silent } else { ReadySignal::Print }
}

/// Runs a role, and ends it with the process that started it if that is asked for.
async fn with_parent(role: &RoleArgs, work: impl Future<Output = sluice::Result<()>>) -> Result<(), Failure> {
    if !role.exit_with_parent {
        return Ok(work.await?);
    }
    tokio::select! {
        outcome = work => Ok(outcome?),
        () = sluice_scheduler::exit_when_stdin_closes() => Ok(()),
    }
}
