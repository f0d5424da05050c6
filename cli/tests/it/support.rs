//! Scratch folders, the binary, and running clusters.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use sluice::{Session, SessionBuilder};
use tempfile::TempDir;

/// The three ways of running.
pub(crate) const MASTERS: [&str; 3] = ["local[4]", "local-cluster[1]", "local-cluster[3]"];

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sluice"))
}

/// Another program of the workspace, which lies beside the binary.
pub(crate) fn sibling(name: &str) -> PathBuf {
    binary().with_file_name(name)
}

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A scratch folder with a catalog and a warehouse of its own.
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        [("catalog.path", self.path("catalog")), ("warehouse.path", self.path("warehouse"))]
    }

    /// A session builder over the scratch catalog.
    pub(crate) fn session(&self, master: &str) -> SessionBuilder {
        // The library starts clusters with this binary.
        let builder = Session::builder().master(master);
        self.settings().into_iter().fold(builder, |builder, (key, value)| builder.conf(format!("sluice.{key}"), value))
    }

    /// The binary over the scratch catalog.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary());
        for (key, value) in self.settings() {
            command.env(format!("SLUICE_{}", key.replace('.', "__").to_uppercase()), value);
        }
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Starts `sluice cluster`.
    pub(crate) fn cluster(&self, executors: usize, settings: &[&str]) -> RunningCluster {
        let mut command = self.command();
        command.args(["cluster", "--executors", &executors.to_string(), "--port", "0", "--exit-with-parent"]);
        for setting in settings {
            command.args(["--conf", setting]);
        }
        RunningCluster::start(command)
    }
}

/// What a process printed, as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a process said on the side.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A driver, or a whole cluster, that ends with the test.
pub(crate) struct RunningCluster {
    child: Child,
    _stdin: Option<ChildStdin>,
    pub(crate) url: String,
}

impl RunningCluster {
    /// Starts a role that says when it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .find_map(|line| line.ok().and_then(|line| line.strip_prefix("ready ").map(str::to_string)))
            .expect("the cluster says when it is ready");
        // Its output stays open; nothing more comes.
        std::mem::forget(lines);
        Self { child, _stdin: stdin, url }
    }

    /// Process ids of the executors, found through their parent.
    pub(crate) fn executors(&self) -> Vec<u32> {
        let parent = self.child.id();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let status = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let fields: Vec<&str> = status.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            if fields.get(1).and_then(|id| id.parse::<u32>().ok()) == Some(parent) && fields.first() != Some(&"Z") {
                found.push(id);
            }
        }
        found
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RunningCluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends a process at once, as the kernel does when memory is short.
pub(crate) fn kill(id: u32) {
    signal(id, "KILL");
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &id.to_string()]).status().unwrap();
    assert!(status.success());
}

/// A file system of a few MiB, where the machine lets us mount one.
pub(crate) struct SmallDisk(pub(crate) String);

impl SmallDisk {
    pub(crate) fn mount(folder: &str, size: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", folder])
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then(|| Self(folder.to_string()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Waits until `done`, for a bounded time.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..600 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{what} did not happen within 30 s");
}
