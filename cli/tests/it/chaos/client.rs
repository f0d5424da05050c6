//! A client with a statement, and what became of it.

use std::io::Read;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cluster::Cluster;

/// Longer no statement may take, whatever fails.
const BOUND: Duration = Duration::from_secs(90);

/// A client at work. It ends with the test.
pub(super) struct Client {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// How a client ended.
pub(super) struct Outcome {
    pub(super) exit: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        // What a killed client leaves may end anywhere.
        let _ = pipe.read_to_string(&mut text);
        text
    })
}

impl Client {
    pub(super) fn start(cluster: &Cluster, sql: &str) -> Self {
        let mut client = Self::start_unread(cluster, sql);
        client.read();
        client
    }

    /// Nobody reads the rows yet.
    pub(super) fn start_unread(cluster: &Cluster, sql: &str) -> Self {
        let mut command = cluster.command();
        command.args(["sql", "--master", &cluster.url(), "--format", "csv", "-e", sql]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().map(read);
        Self { child, stdout: None, stderr }
    }

    pub(super) fn read(&mut self) {
        self.stdout = self.child.stdout.take().map(read);
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its end, which has to come.
    pub(super) fn wait(mut self) -> Outcome {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < BOUND, "the statement did not end within {BOUND:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = |reader: Option<JoinHandle<String>>| reader.map(|reader| reader.join().unwrap()).unwrap_or_default();
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Outcome { exit: status.code(), stdout, stderr }
    }
}

/// A client that is let go of ends at once, as with a machine that is switched off.
impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// One of the errors with these codes, with a hint and the exit code that its blame asks for.
    pub(super) fn assert_error(&self, codes: &[&str], what: &str) {
        let text = &self.stderr;
        let code = codes.iter().find(|code| text.contains(&format!("error[{code}]")));
        let code = code.unwrap_or_else(|| panic!("{what}\nshould fail with one of {codes:?}: {:?}\n{text}", self.exit));
        let exit = match *code {
            code if code.starts_with("S04") => 3,
            "S0204" | "S0205" | "S0207" | "S0208" | "S0302" => 2,
            _ => 1,
        };
        assert_eq!(self.exit, Some(exit), "{what}\n{text}");
        let missing = ["S0101", "S0201", "S0303"].contains(code);
        assert!(missing || text.contains("hint"), "{what}\n{text}");
        assert!(!text.contains("panicked") && !text.contains("DataFusionError"), "{what}\n{text}");
    }
}
