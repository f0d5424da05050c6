//! Tells the driver which tasks this executor works on, and which keys they have gathered. The outcome of a task is sent once; where that one message is lost,
//! the driver would wait for the task without an end.

use std::time::Duration;

use sluice::optimize::GatheredKeys;
use sluice_proto::job_service_client::JobServiceClient;
use sluice_proto::{FilterKeys, ReportKeysRequest, ReportTasksRequest, TaskName};
use tonic::transport::{Channel, Endpoint};

use super::tasks::{RunningTasks, TaskId};

/// Reports at every heartbeat, for as long as it is polled.
pub(super) async fn report_for_ever(endpoint: Endpoint, executor_id: String, running: RunningTasks, pause: Duration) {
    let mut client = JobServiceClient::new(endpoint.connect_lazy());
    loop {
        tokio::time::sleep(pause).await;
        let tasks = running.list().into_iter().map(name).collect();
        let request = ReportTasksRequest { executor_id: executor_id.clone(), tasks };
        if let Err(status) = client.report_tasks(request).await {
            // The next report says it all again.
            tracing::debug!(%status, "the driver did not take a report");
        }
    }
}

/// Sends the keys that tasks have gathered.
#[derive(Debug, Clone)]
pub(super) struct KeyReporter {
    client: JobServiceClient<Channel>,
}

impl KeyReporter {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self { client: JobServiceClient::new(endpoint.connect_lazy()) }
    }

    /// Tells of a task's keys. Filters that miss them are done without.
    pub(super) async fn report(&self, task: TaskId, keys: Vec<GatheredKeys>) {
        let keys = keys.into_iter().map(|keys| FilterKeys {
            filter: keys.filter,
            incomplete: keys.hashes.is_none(),
            hashes: keys.hashes.unwrap_or_default(),
        });
        let request = ReportKeysRequest { task: Some(name(task)), keys: keys.collect() };
        if let Err(status) = self.client.clone().report_keys(request).await {
            tracing::debug!(%status, "the driver did not take a task's keys");
        }
    }
}

fn name(id: TaskId) -> TaskName {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    TaskName { job_id: id.job, stage_id: number(id.stage), task_id: number(id.task) }
}
