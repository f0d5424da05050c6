//! How a role tells its starter that it serves, and how it notices that its starter is gone.

use tokio::io::AsyncReadExt;

/// Whether a role prints one line on standard output when it serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadySignal {
    /// Prints `ready sluice://host:port`.
    Print,
    /// Says nothing.
    #[default]
    Silent,
}

impl ReadySignal {
    pub(crate) fn driver(self, url: &str) {
        if self == Self::Print {
            print_line(&format!("ready {url}"));
        }
    }

    pub(crate) fn executor(self, id: &str) {
        if self == Self::Print {
            print_line(&format!("executor {id}"));
        }
    }
}

fn print_line(line: &str) {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    // A starter that has gone away does not read; the role serves all the same.
    let _ = writeln!(output, "{line}");
    let _ = output.flush();
}

/// Returns when standard input closes: the process that held its other end has ended, however it did.
pub async fn exit_when_stdin_closes() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0_u8; 64];
    while matches!(input.read(&mut buffer).await, Ok(count) if count > 0) {}
}
