//! `local-cluster[N]`: a driver and N executors as real processes of the `sluice` binary, on this machine, for as long
//! as the session lives.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::error::{Error, ErrorCode, Result};

/// The processes of a local cluster. They end when this is dropped, and also when this process dies: each watches its
/// standard input, which closes with its parent.
#[derive(Debug)]
pub(crate) struct LaunchedCluster {
    url: String,
    _stdin: Option<ChildStdin>,
    _child: Child,
}

impl LaunchedCluster {
    /// Starts the processes and waits until they can run a job.
    pub(crate) async fn start(executors: usize, settings: &[(String, String)], timeout: Duration) -> Result<Self> {
        let binary = program()?;
        let mut command = Command::new(&binary);
        command
            .args(["cluster", "--executors", &executors.to_string(), "--port", "0", "--exit-with-parent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // A group of its own, so that Ctrl-C at the terminal stops the statement and not the cluster.
            .process_group(0);
        if std::env::var_os("SLUICE_LOG").is_none() {
            // What goes wrong reaches the session as an error; a log is for who runs a cluster by hand.
            command.env("SLUICE_LOG", "off");
        }
        for (key, value) in settings.iter().filter(|(key, _)| key != "sluice.master") {
            // Through the environment, because other users of the machine can read a command line.
            if key.starts_with("sluice.") {
                command.env(crate::config::environment_name(key), value);
            } else {
                command.args(["--conf", &format!("{key}={value}")]);
            }
        }
        let failed = |what: String| Error::new(ErrorCode::Unreachable, what);
        let mut child =
            command.spawn().map_err(|error| failed(format!("cannot start {}", binary.display())).caused_by(error))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| failed("the local cluster has no output".into()))?;
        let mut lines = BufReader::new(stdout).lines();
        let url = tokio::time::timeout(timeout, async {
            while let Some(line) = lines.next_line().await.ok().flatten() {
                if let Some(url) = line.strip_prefix("ready ") {
                    return Some(url.to_string());
                }
            }
            None
        })
        .await;
        match url {
            Ok(Some(url)) => {
                // Keeps the pipe open and empty for as long as the cluster runs.
                tokio::spawn(async move {
                    let mut rest = Vec::new();
                    let _ = lines.into_inner().read_to_end(&mut rest).await;
                });
                Ok(Self { url, _stdin: stdin, _child: child })
            }
            Ok(None) => {
                let status = child.wait().await.map(|status| status.to_string()).unwrap_or_default();
                Err(failed(format!("the local cluster ended before it was ready ({status})"))
                    .hint("its own message is above; `sluice cluster` starts one by hand"))
            }
            Err(_) => Err(failed(format!("the local cluster was not ready after {} s", timeout.as_secs()))
                .hint("raise sluice.cluster.start_timeout")),
        }
    }

    /// `sluice://host:port` of the driver.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The `sluice` binary: `SLUICE_BIN`, this very program, one beside it, or one on the PATH.
///
/// # Errors
/// None was found.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SLUICE_BIN") {
        return Ok(path.into());
    }
    let name = format!("sluice{}", std::env::consts::EXE_SUFFIX);
    if let Ok(current) = std::env::current_exe() {
        if current.file_name().is_some_and(|file| file == name.as_str()) {
            return Ok(current);
        }
        // Examples and tests lie one folder below the binaries.
        let beside = current.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.is_file());
        if let Some(path) = beside {
            return Ok(path);
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::new(ErrorCode::InvalidArgument, "the `sluice` binary was not found")
            .hint("put `sluice` on the PATH, or name it in SLUICE_BIN")
    })
}
