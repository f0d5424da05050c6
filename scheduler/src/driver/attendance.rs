//! What executors say they work on, beside what the scheduler believes: a job is not waited for whose task nobody knows.
//!
//! An executor sends a task's outcome once, and Ballista takes a task for running until it comes. If that message is lost, as
//! when a connection breaks for a moment, the job would be waited for without an end. The same holds for a job whose stages
//! are all there and none of which is started.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use ballista_core::JobId;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use dashmap::DashMap;
use sluice::{Error, ErrorCode, Result};

/// A job that no task of works, while executors are there and nobody else's tasks hold them, is stuck after so long.
const STALL: Duration = Duration::from_secs(30);

/// Before that, the scheduler is asked so often to look for tasks to start.
const NUDGE: Duration = Duration::from_secs(1);

/// Stage and task.
type TaskName = (usize, usize);

/// The newest report of each executor.
#[derive(Debug, Default)]
pub(crate) struct Attendance {
    reports: DashMap<String, Report>,
}

#[derive(Debug)]
struct Report {
    received: Instant,
    tasks: HashSet<(String, usize, usize)>,
}

impl Attendance {
    /// Takes the place of the executor's report before.
    pub(crate) fn note(&self, executor: String, tasks: HashSet<(String, usize, usize)>) {
        self.reports.insert(executor, Report { received: Instant::now(), tasks });
    }

    /// Forgets an executor that is gone.
    pub(crate) fn forget(&self, executor: &str) {
        self.reports.remove(executor);
    }

    /// Whether the executor works on a task; `None` where it has not said so since `since`.
    fn knows(&self, executor: &str, job: &JobId, (stage, task): TaskName, since: Instant) -> Option<bool> {
        let report = self.reports.get(executor).filter(|report| report.received > since)?;
        Some(report.tasks.contains(&(job.to_string(), stage, task)))
    }
}

/// A job's tasks that are believed to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Believed {
    /// Each with its executor.
    running: Vec<(TaskName, String)>,
    /// Changes whenever the job gets on.
    ended: usize,
}

impl Believed {
    /// Whether a task of the job runs.
    pub(crate) fn any_runs(&self) -> bool {
        !self.running.is_empty()
    }

    /// As the scheduler has it.
    pub(crate) fn read(graph: &ExecutionGraphBox) -> Self {
        let mut believed = Self::default();
        for (stage, tasks) in graph.stages().iter().filter_map(|(id, stage)| Some((*id, stage.task_infos()?))) {
            for task in tasks {
                match &task.task_status {
                    Status::Running(running) => {
                        believed.running.push(((stage, task.task_id), running.executor_id.clone()));
                    }
                    Status::Successful(_) | Status::Failed(_) => believed.ended += 1,
                }
            }
        }
        believed.ended +=
            graph.stages().values().filter(|stage| matches!(stage, ExecutionStage::Successful(_))).count();
        believed
    }
}

/// Watches one run of a job.
pub(crate) struct Watch {
    grace: Duration,
    missed: HashMap<TaskName, Instant>,
    ended: usize,
    idle_since: Option<Instant>,
    nudged: Instant,
}

impl Watch {
    /// A task may go unmentioned for `grace`: it may have ended, and its outcome be on the way.
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, missed: HashMap::new(), ended: 0, idle_since: None, nudged: Instant::now() }
    }

    /// An error where a task of the job is lost, or where the job stands still although nothing holds it. `others_run`
    /// tells whether tasks of other jobs run. Gives whether the scheduler should look for tasks to start.
    pub(crate) fn check(
        &mut self,
        job: &JobId,
        believed: &Believed,
        attendance: &Attendance,
        others_run: bool,
        now: Instant,
    ) -> Result<bool> {
        let mut missed = HashMap::new();
        for (task, executor) in &believed.running {
            let first = self.missed.get(task).copied();
            // Only a report that came after the task was first believed to run says anything of it.
            match attendance.knows(executor, job, *task, first.unwrap_or(now - self.grace)) {
                Some(true) => {}
                Some(false) => {
                    let first = first.unwrap_or(now);
                    if now.duration_since(first) > self.grace {
                        return Err(Error::new(
                            ErrorCode::ExecutorLost,
                            "the outcome of a part of the job was lost on its way from an executor",
                        )
                        .hint("look at the network between the executors and the driver"));
                    }
                    missed.insert(*task, first);
                }
                None => missed.extend(first.map(|first| (*task, first))),
            }
        }
        self.missed = missed;
        let moves = !believed.running.is_empty() || others_run || believed.ended != self.ended;
        self.ended = believed.ended;
        let since = if moves { None } else { Some(self.idle_since.unwrap_or(now)) };
        self.idle_since = since;
        let nudge = since.is_some_and(|since| now.duration_since(since.max(self.nudged)) > NUDGE);
        if nudge {
            self.nudged = now;
        }
        match since {
            Some(since) if now.duration_since(since) > STALL => {
                Err(Error::new(ErrorCode::ExecutorLost, "no part of the job was started any more")
                    .hint("run the statement again; if it happens again, please report it with the statement"))
            }
            _ => Ok(nudge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn running(task: TaskName) -> Believed {
        Believed { running: vec![(task, "e".into())], ended: 0 }
    }

    fn report(attendance: &Attendance, tasks: &[TaskName]) {
        attendance.note("e".into(), tasks.iter().map(|(stage, task)| ("j".to_string(), *stage, *task)).collect());
    }

    #[test]
    fn a_task_that_its_executor_does_not_know_is_lost_after_a_while() {
        let (attendance, job, mut watch) = (Attendance::default(), JobId::from("j"), Watch::new(GRACE));
        let start = Instant::now();
        let mut check = |seconds: u64, attendance: &Attendance| {
            watch.check(&job, &running((1, 2)), attendance, false, start + Duration::from_secs(seconds))
        };
        // Nothing is concluded from silence.
        assert!(check(0, &attendance).is_ok());
        report(&attendance, &[(1, 2)]);
        assert!(check(1, &attendance).is_ok());
        report(&attendance, &[]);
        assert!(check(2, &attendance).is_ok());
        assert!(check(11, &attendance).is_ok());
        // In reality a report came meanwhile; here its time is the test's.
        attendance.reports.get_mut("e").unwrap().received = start + Duration::from_secs(12);
        assert_eq!(check(13, &attendance).unwrap_err().code(), ErrorCode::ExecutorLost);
    }

    #[test]
    fn a_task_that_is_mentioned_again_is_not_lost() {
        let (attendance, job, mut watch) = (Attendance::default(), JobId::from("j"), Watch::new(GRACE));
        let start = Instant::now();
        report(&attendance, &[]);
        for second in 0..40 {
            attendance.reports.get_mut("e").unwrap().received = start + Duration::from_secs(second);
            let known = second % 9 == 8;
            attendance.reports.get_mut("e").unwrap().tasks =
                known.then(|| ("j".to_string(), 1, 2)).into_iter().collect();
            let now = start + Duration::from_millis(second * 1000 + 500);
            assert!(watch.check(&job, &running((1, 2)), &attendance, false, now).is_ok(), "{second}");
        }
    }

    #[test]
    fn a_job_that_stands_still_is_given_up_unless_others_are_served() {
        let (attendance, job) = (Attendance::default(), JobId::from("j"));
        let start = Instant::now();
        for (others, stuck) in [(false, true), (true, false)] {
            let mut watch = Watch::new(GRACE);
            let idle = Believed::default();
            assert!(watch.check(&job, &idle, &attendance, others, start).is_ok());
            let soon = start + NUDGE + Duration::from_secs(1);
            assert_eq!(watch.check(&job, &idle, &attendance, others, soon).ok(), Some(stuck));
            let outcome = watch.check(&job, &idle, &attendance, others, start + STALL + Duration::from_secs(1));
            assert_eq!(outcome.is_err(), stuck);
        }
    }
}
