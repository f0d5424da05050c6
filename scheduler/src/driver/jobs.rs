//! The jobs of a driver, as `sluice jobs`, `job` and `kill` see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dashmap::DashMap;
use parking_lot::Mutex;
use sluice::session::{JobInfo, Progress, StageInfo};
use sluice::skew::SkewNote;
use sluice::{Error, ErrorCode, Result, nearest};
use tokio::sync::watch;

/// How many ended jobs a driver remembers.
const JOBS_KEPT: usize = 1_000;
/// Words in the names of settings and options whose values nobody may see.
const SECRET_WORDS: [&str; 5] = ["secret", "password", "token", "access_key", "credential"];
/// How much of a statement a job shows.
const STATEMENT_CHARACTERS: usize = 2_000;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    Succeeded,
    Failed(String),
    Cancelled,
}

/// One job, from its submission to after its end.
#[derive(Debug)]
pub(crate) struct Job {
    id: String,
    name: String,
    queue: String,
    statement: String,
    submitted_at_ms: u64,
    started: Instant,
    ended: Mutex<Option<(JobState, u64)>>,
    attempts: AtomicU32,
    progress: watch::Sender<Progress>,
    stages: Mutex<Vec<StageInfo>>,
    skew: Mutex<Vec<SkewNote>>,
    cancelled: watch::Sender<bool>,
}

impl Job {
    /// The job's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The name it was submitted with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How far the job is, as it goes on.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Notes how far the stages are.
    pub(crate) fn update(&self, progress: Progress, mut stages: Vec<StageInfo>) {
        let skew = self.skew();
        for exchange in stages.iter_mut().filter_map(|stage| stage.exchange.as_mut()) {
            let notes = skew.iter().filter(|note| note.concerns(&exchange.keys));
            exchange.notes.extend(notes.map(SkewNote::sentence));
        }
        *self.stages.lock() = stages;
        self.progress.send_if_modified(|current| {
            let changed = *current != progress;
            *current = progress;
            changed
        });
    }

    /// Notes what was found out about the keys of the job's plans.
    pub(crate) fn note_skew(&self, notes: Vec<SkewNote>) {
        self.skew.lock().extend(notes);
    }

    /// What was found out about keys.
    pub(crate) fn skew(&self) -> Vec<SkewNote> {
        self.skew.lock().clone()
    }

    /// Notes that a plan of the job was started for the `attempt`th time.
    pub(crate) fn note_attempt(&self, attempt: u32) {
        self.attempts.fetch_max(attempt, Ordering::Relaxed);
    }

    /// Asks the job to stop; says whether it was running.
    pub(crate) fn kill(&self) -> bool {
        let running = self.ended.lock().is_none();
        self.cancelled.send_replace(true);
        running
    }

    /// Done when somebody killed the job.
    pub(crate) async fn killed(&self) {
        let mut cancelled = self.cancelled.subscribe();
        // The sender lives as long as the job, so waiting cannot fail.
        let _ = cancelled.wait_for(|cancelled| *cancelled).await;
    }

    /// Whether somebody killed the job.
    pub(crate) fn is_killed(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Notes the end; the first one counts.
    pub(crate) fn end(&self, state: JobState) {
        let elapsed_ms = self.elapsed_ms();
        self.ended.lock().get_or_insert((state, elapsed_ms));
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What users see of the job.
    pub(crate) fn info(&self) -> JobInfo {
        let ended = self.ended.lock().clone();
        let (state, elapsed_ms) = ended.unwrap_or((JobState::Running, self.elapsed_ms()));
        let (state, error) = match state {
            JobState::Running => ("running", None),
            JobState::Succeeded => ("succeeded", None),
            JobState::Failed(error) => ("failed", Some(error)),
            JobState::Cancelled => ("cancelled", None),
        };
        JobInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            state: state.to_string(),
            statement: self.statement.clone(),
            submitted_at_ms: self.submitted_at_ms,
            elapsed_ms,
            progress: self.progress.borrow().clone(),
            error,
            stages: self.stages.lock().clone(),
            queue: self.queue.clone(),
            attempts: self.attempts.load(Ordering::Relaxed),
        }
    }
}

/// All jobs that the driver knows.
#[derive(Debug, Default)]
pub(crate) struct JobRegistry {
    jobs: DashMap<String, Arc<Job>>,
}

impl JobRegistry {
    /// A new running job.
    pub(crate) fn start(&self, name: &str, queue: &str, statement: &str) -> Arc<Job> {
        self.forget_oldest();
        let statement = &redact(statement);
        let job = Arc::new(Job {
            id: uuid::Uuid::now_v7().simple().to_string(),
            name: if name.is_empty() { first_words(statement) } else { name.to_string() },
            queue: queue.to_string(),
            statement: statement.chars().take(STATEMENT_CHARACTERS).collect(),
            submitted_at_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            started: Instant::now(),
            ended: Mutex::new(None),
            attempts: AtomicU32::new(0),
            progress: watch::Sender::default(),
            stages: Mutex::default(),
            skew: Mutex::default(),
            cancelled: watch::Sender::new(false),
        });
        self.jobs.insert(job.id.clone(), Arc::clone(&job));
        job
    }

    /// The jobs, the newest first, without what their stages list of each partition and task. Ids begin with the time, so
    /// their order is the jobs'.
    pub(crate) fn list(&self) -> Vec<JobInfo> {
        let mut jobs: Vec<JobInfo> = self.jobs.iter().map(|job| job.info()).collect();
        for job in &mut jobs {
            job.stages = std::mem::take(&mut job.stages).into_iter().map(StageInfo::without_lists).collect();
        }
        jobs.sort_by(|left, right| right.id.cmp(&left.id));
        jobs
    }

    /// The job of that id.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Job>> {
        if let Some(job) = self.jobs.get(id) {
            return Ok(Arc::clone(&job));
        }
        let ids: Vec<String> = self.jobs.iter().map(|job| job.id.clone()).collect();
        let error = Error::new(ErrorCode::JobNotFound, format!("no job `{id}`"));
        Err(match nearest(id, ids.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near}? `sluice jobs` lists them")),
            None => error.hint("`sluice jobs` lists them"),
        })
    }

    fn forget_oldest(&self) {
        if self.jobs.len() < JOBS_KEPT {
            return;
        }
        let oldest = self.jobs.iter().filter(|job| job.ended.lock().is_some()).map(|job| job.id.clone()).min();
        if let Some(id) = oldest {
            self.jobs.remove(&id);
        }
    }
}

/// The statement with every text blotted out that follows a word for a secret.
fn redact(statement: &str) -> String {
    let mut shown = String::with_capacity(statement.len());
    let mut secret_ahead = false;
    for (index, part) in statement.split('\'').enumerate() {
        if index > 0 {
            shown.push('\'');
        }
        let is_text = index % 2 == 1;
        let lower = part.to_lowercase();
        let names_secret = SECRET_WORDS.iter().any(|word| lower.contains(word));
        if is_text && secret_ahead && !names_secret {
            shown.push_str("***");
            secret_ahead = false;
        } else {
            shown.push_str(part);
            // A word before the text tells, whether it is a name (`SET x.secret = '…'`) or a text itself.
            secret_ahead = if is_text { names_secret } else { secret_ahead || names_secret };
        }
    }
    shown
}

fn first_words(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().take(6).collect();
    words.join(" ").chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_are_blotted_out_of_statements() {
        assert_eq!(
            redact("SET x.secret_access_key = 'hush'; SELECT 'a'"),
            "SET x.secret_access_key = '***'; SELECT 'a'"
        );
        assert_eq!(
            redact("COPY t TO 's3://b' OPTIONS ('aws.secret_access_key' 'hush', 'format' 'x')"),
            "COPY t TO 's3://b' OPTIONS ('aws.secret_access_key' '***', 'format' 'x')"
        );
        assert_eq!(redact("SELECT 'nothing to hide'"), "SELECT 'nothing to hide'");
    }
}
