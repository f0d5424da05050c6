//! How a command ends when it does not succeed, and what the user then sees.

use std::process::ExitCode;

use sluice::{Error, ErrorCode};

use crate::output::note;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error to show, with the text that it is in.
    Error(Box<Report>),
    /// Whoever read our output has left, `| head` for instance: nothing went wrong.
    ClosedPipe,
    /// Something is wrong and has already been said; the process ends with this code.
    Said(u8),
}

/// An error and the text that its place counts in.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) error: Error,
    file: Option<String>,
    text: String,
}

impl Failure {
    /// An error whose place counts from the start of `text`.
    pub(crate) fn in_text(error: Error, file: Option<&str>, text: &str) -> Self {
        Self::Error(Box::new(Report { error, file: file.map(str::to_string), text: text.to_string() }))
    }

    /// Shows the error on standard error.
    pub(crate) fn show(&self) {
        if let Failure::Error(report) = self {
            let picture = report.error.render(report.file.as_deref(), &report.text, 1);
            note(picture.trim_end());
        }
    }

    /// Shows the error and gives the code to end with.
    pub(crate) fn report(&self) -> ExitCode {
        self.show();
        ExitCode::from(self.exit_code())
    }

    fn exit_code(&self) -> u8 {
        match self {
            Failure::Error(report) => report.error.blame().exit_code(),
            Failure::ClosedPipe => 0,
            Failure::Said(code) => *code,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::in_text(error, None, "")
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::ClosedPipe;
        }
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            std::io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
            _ => ErrorCode::Storage,
        };
        Error::new(code, "cannot write the output").caused_by(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_success() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit_code(), 0);
    }

    #[test]
    fn the_exit_code_says_who_has_to_act() {
        let code = |code| Failure::from(Error::new(code, "x")).exit_code();
        assert_eq!(code(ErrorCode::Syntax), 1);
        assert_eq!(code(ErrorCode::Internal), 2);
        assert_eq!(code(ErrorCode::ExecutorLost), 3);
    }

    #[test]
    fn a_full_disk_is_not_called_a_storage_error() {
        let Failure::Error(report) = Failure::from(std::io::Error::from(std::io::ErrorKind::StorageFull)) else {
            panic!("an error was expected");
        };
        assert_eq!(report.error.code(), ErrorCode::DiskFull);
    }
}
