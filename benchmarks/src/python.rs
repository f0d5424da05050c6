//! Scripts that run a peer in a Python process of its own.
//!
//! `PEERS_PYTHON` names the interpreter. Otherwise it is that of the environment that `peers/setup.sh` makes, or `python3`.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::process::Command;

/// Where `peers/setup.sh` puts the packages, below the user's cache folder.
const ENVIRONMENT: &str = "sluice/peers/bin/python";
/// Characters of Python's complaint that a report shows.
const REASON_LENGTH: usize = 300;

/// The Python that has the peers' packages.
pub(crate) fn interpreter() -> OsString {
    if let Some(named) = std::env::var_os("PEERS_PYTHON") {
        return named;
    }
    let made = dirs::cache_dir().map(|cache| cache.join(ENVIRONMENT)).filter(|path| path.is_file());
    made.map_or_else(|| "python3".into(), PathBuf::into_os_string)
}

/// A script that reads its job from a file and writes its outcome to another.
pub(crate) struct Script<'a> {
    /// The file's name, and its text.
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// Variables of the environment besides those of this process.
    pub(crate) environment: &'a [(&'static str, &'static str)],
    /// Limit for the whole run.
    pub(crate) timeout: Duration,
}

impl Script<'_> {
    /// Runs the script. Its job gets the key `output`, the file for the outcome. The error is the reason in one line.
    pub(crate) async fn run<T: DeserializeOwned>(&self, mut job: Value) -> Result<T, String> {
        let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let path = |name: &str| scratch.path().join(name);
        job["output"] = json!(path("outcome.json"));
        fs::write(path(self.name), self.text)
            .and_then(|()| fs::write(path("job.json"), job.to_string()))
            .map_err(|error| format!("the script cannot be written: {error}"))?;
        let python = interpreter();
        let process = Command::new(&python)
            .arg(path(self.name))
            .arg(path("job.json"))
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(self.timeout, process)
            .await
            .map_err(|_| format!("the steps did not end within {} s", self.timeout.as_secs()))?
            .map_err(|error| format!("{} cannot be run: {error}", python.to_string_lossy()))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let last_line: String = complaint.lines().last().unwrap_or_default().chars().take(REASON_LENGTH).collect();
            return Err(format!("the script ended with {}: {last_line}", output.status));
        }
        let text =
            fs::read_to_string(path("outcome.json")).map_err(|error| format!("the script left no outcome: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("the script's outcome cannot be read: {error}"))
    }
}
