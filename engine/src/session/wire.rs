//! The session's types to and from their messages.

use sluice_proto as proto;

use super::exchange::{ExchangeInfo, TaskTime};
use super::spread::Spread;
use super::types::{JobInfo, Progress, StageInfo, StatementKind};

impl From<&Progress> for proto::Progress {
    fn from(progress: &Progress) -> Self {
        Self {
            stages_done: progress.stages_done,
            stages_total: progress.stages_total,
            tasks_done: progress.tasks_done,
            tasks_total: progress.tasks_total,
            rows: progress.rows,
            bytes: progress.bytes,
            spilled_bytes: progress.spilled_bytes,
        }
    }
}

impl From<proto::Progress> for Progress {
    fn from(progress: proto::Progress) -> Self {
        Self {
            stages_done: progress.stages_done,
            stages_total: progress.stages_total,
            tasks_done: progress.tasks_done,
            tasks_total: progress.tasks_total,
            rows: progress.rows,
            bytes: progress.bytes,
            spilled_bytes: progress.spilled_bytes,
        }
    }
}

impl From<StatementKind> for proto::StatementKind {
    fn from(kind: StatementKind) -> Self {
        match kind {
            StatementKind::Query => Self::Query,
            StatementKind::Explain => Self::Explain,
            StatementKind::Write => Self::Write,
            StatementKind::Ddl => Self::Ddl,
            StatementKind::Set => Self::Set,
        }
    }
}

impl From<proto::StatementKind> for StatementKind {
    fn from(kind: proto::StatementKind) -> Self {
        match kind {
            proto::StatementKind::Query => Self::Query,
            proto::StatementKind::Explain => Self::Explain,
            proto::StatementKind::Write => Self::Write,
            proto::StatementKind::Ddl => Self::Ddl,
            proto::StatementKind::Set => Self::Set,
        }
    }
}

impl From<JobInfo> for proto::JobInfo {
    fn from(job: JobInfo) -> Self {
        Self {
            id: job.id,
            name: job.name,
            state: job.state,
            statement: job.statement,
            submitted_at_ms: job.submitted_at_ms,
            elapsed_ms: job.elapsed_ms,
            progress: Some((&job.progress).into()),
            error: job.error.unwrap_or_default(),
            stages: job.stages.into_iter().map(proto::StageInfo::from).collect(),
            queue: job.queue,
            attempts: job.attempts,
        }
    }
}

impl From<proto::JobInfo> for JobInfo {
    fn from(job: proto::JobInfo) -> Self {
        Self {
            id: job.id,
            name: job.name,
            state: job.state,
            statement: job.statement,
            submitted_at_ms: job.submitted_at_ms,
            elapsed_ms: job.elapsed_ms,
            progress: job.progress.map(Progress::from).unwrap_or_default(),
            error: Some(job.error).filter(|error| !error.is_empty()),
            stages: job.stages.into_iter().map(StageInfo::from).collect(),
            queue: job.queue,
            attempts: job.attempts,
        }
    }
}

impl From<StageInfo> for proto::StageInfo {
    fn from(stage: StageInfo) -> Self {
        Self {
            id: stage.id,
            state: stage.state,
            tasks_done: stage.tasks_done,
            tasks_total: stage.tasks_total,
            rows: stage.rows,
            bytes: stage.bytes,
            spilled_bytes: stage.spilled_bytes,
            exchange: stage.exchange.map(proto::ExchangeInfo::from),
            task_ms: Some(stage.task_ms.into()),
            task_times: stage.task_times.into_iter().map(proto::TaskTime::from).collect(),
        }
    }
}

impl From<proto::StageInfo> for StageInfo {
    fn from(stage: proto::StageInfo) -> Self {
        Self {
            id: stage.id,
            state: stage.state,
            tasks_done: stage.tasks_done,
            tasks_total: stage.tasks_total,
            rows: stage.rows,
            bytes: stage.bytes,
            spilled_bytes: stage.spilled_bytes,
            exchange: stage.exchange.map(ExchangeInfo::from),
            task_ms: stage.task_ms.map(Spread::from).unwrap_or_default(),
            task_times: stage.task_times.into_iter().map(TaskTime::from).collect(),
        }
    }
}

impl From<ExchangeInfo> for proto::ExchangeInfo {
    fn from(exchange: ExchangeInfo) -> Self {
        Self {
            keys: exchange.keys,
            rows: Some(exchange.rows.into()),
            bytes: Some(exchange.bytes.into()),
            partition_rows: exchange.partition_rows,
            partition_bytes: exchange.partition_bytes,
            notes: exchange.notes,
        }
    }
}

impl From<proto::ExchangeInfo> for ExchangeInfo {
    fn from(exchange: proto::ExchangeInfo) -> Self {
        Self {
            keys: exchange.keys,
            rows: exchange.rows.map(Spread::from).unwrap_or_default(),
            bytes: exchange.bytes.map(Spread::from).unwrap_or_default(),
            partition_rows: exchange.partition_rows,
            partition_bytes: exchange.partition_bytes,
            notes: exchange.notes,
        }
    }
}

impl From<Spread> for proto::Spread {
    fn from(spread: Spread) -> Self {
        let Spread { count, total, max, median, histogram } = spread;
        Self { count, total, max, median, histogram }
    }
}

impl From<proto::Spread> for Spread {
    fn from(spread: proto::Spread) -> Self {
        let proto::Spread { count, total, max, median, histogram } = spread;
        Self { count, total, max, median, histogram }
    }
}

impl From<TaskTime> for proto::TaskTime {
    fn from(task: TaskTime) -> Self {
        let TaskTime { elapsed_ms, partitions, cores } = task;
        Self { elapsed_ms, partitions, cores }
    }
}

impl From<proto::TaskTime> for TaskTime {
    fn from(task: proto::TaskTime) -> Self {
        let proto::TaskTime { elapsed_ms, partitions, cores } = task;
        Self { elapsed_ms, partitions, cores }
    }
}
