//! Errors across processes: as the details of a gRPC status, nothing of an error is lost but its source.

use bytes::Bytes;
use datafusion::error::DataFusionError;
use prost::Message;
use sluice_proto::ErrorDetail;
use tonic::{Code, Status};

use super::{Blame, Error, ErrorCode, Place};

/// The longest text of a status in bytes: statuses travel in headers, which have room for some 16 KiB altogether.
const STATUS_TEXT_LIMIT_BYTES: usize = 1500;

impl Error {
    /// The error as a message, without its source.
    pub fn to_wire(&self) -> ErrorDetail {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let (line, column, length) =
            self.place().map_or((0, 0, 0), |place| (number(place.line), number(place.column), number(place.length)));
        ErrorDetail {
            code: self.code().as_str().to_string(),
            message: self.message().to_string(),
            label: self.label_text().unwrap_or_default().to_string(),
            hint: self.hint_text().unwrap_or_default().to_string(),
            line,
            column,
            length,
        }
    }

    /// The error that [`Error::to_wire`] made the message of. A code of a newer version is [`ErrorCode::Internal`].
    pub fn from_wire(detail: ErrorDetail) -> Self {
        let code = ErrorCode::parse(&detail.code);
        let message = match code {
            Some(_) => detail.message,
            None => format!("{} (code {} of another version)", detail.message, detail.code),
        };
        let mut error = Error::new(code.unwrap_or(ErrorCode::Internal), message);
        if detail.line > 0 {
            let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX).max(1);
            error = error.at(Place {
                line: number(detail.line),
                column: number(detail.column),
                length: number(detail.length),
            });
        }
        if !detail.label.is_empty() {
            error = error.label(detail.label);
        }
        if !detail.hint.is_empty() {
            error = error.hint(detail.hint);
        }
        error
    }

    /// The error that a gRPC status stands for: the one that the other side put into it, else what the status itself
    /// tells about the connection.
    pub fn from_status(status: Status) -> Self {
        if let Ok(detail) = ErrorDetail::decode(status.details())
            && ErrorCode::looks_like(&detail.code)
        {
            return Self::from_wire(detail);
        }
        let text = status.message().to_string();
        let error = |code: ErrorCode, what: &str| {
            let message = if text.is_empty() { what.to_string() } else { format!("{what}: {text}") };
            Error::new(code, message)
        };
        let error = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded => {
                error(ErrorCode::Unreachable, "the scheduler does not answer").hint("is the scheduler running?")
            }
            Code::Cancelled => Error::new(ErrorCode::Cancelled, "the call was cancelled"),
            Code::OutOfRange | Code::ResourceExhausted if text.contains("message length too large") => {
                error(ErrorCode::Internal, "a message between processes is too large")
                    .hint("raise sluice.cluster.message_limit on every process of the cluster")
            }
            Code::Unauthenticated | Code::PermissionDenied => error(ErrorCode::AccessDenied, "the scheduler refuses"),
            Code::Unimplemented => error(ErrorCode::VersionMismatch, "the scheduler does not know this call")
                .hint("client and scheduler have to be of the same version"),
            // How the transport says that the other side went away in the middle of an answer.
            Code::Unknown | Code::Internal
                if text.contains("transport error") || text.contains("h2 protocol error") =>
            {
                error(ErrorCode::Unreachable, "the connection to the scheduler broke")
                    .hint("is the scheduler running? a statement that was under way has ended, whole or not at all")
            }
            _ => Error::from_task_text(&text),
        };
        error.caused_by(status)
    }
}

impl ErrorCode {
    /// The code that users see as `text`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// Whether the text is a code of this or another version.
    fn looks_like(text: &str) -> bool {
        text.len() == 5 && text.starts_with('S') && text.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match (error.code(), error.blame()) {
            (ErrorCode::TableNotFound | ErrorCode::FileNotFound | ErrorCode::JobNotFound, _) => Code::NotFound,
            (ErrorCode::AlreadyExists | ErrorCode::TargetExists, _) => Code::AlreadyExists,
            (ErrorCode::AccessDenied, _) => Code::PermissionDenied,
            (ErrorCode::Unsupported, _) => Code::FailedPrecondition,
            (ErrorCode::Cancelled, _) => Code::Cancelled,
            (ErrorCode::Conflict, _) => Code::Aborted,
            (ErrorCode::MemoryExhausted | ErrorCode::DiskFull, _) => Code::ResourceExhausted,
            (_, Blame::User) => Code::InvalidArgument,
            (_, Blame::System) => Code::Internal,
            (_, Blame::Cluster) => Code::Unavailable,
        };
        let mut detail = error.to_wire();
        for text in [&mut detail.message, &mut detail.label, &mut detail.hint] {
            shorten(text);
        }
        let message = format!("error[{}]: {}", detail.code, detail.message);
        Status::with_details(code, message, Bytes::from(detail.encode_to_vec()))
    }
}

fn shorten(text: &mut String) {
    if text.len() > STATUS_TEXT_LIMIT_BYTES {
        text.truncate(text.floor_char_boundary(STATUS_TEXT_LIMIT_BYTES));
        text.push('…');
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Error {
        Error::new(ErrorCode::ColumnNotFound, "column \"custmer_id\" not found")
            .at(Place { line: 3, column: 8, length: 10 })
            .label("did you mean \"customer_id\"?")
            .hint("columns of `orders`: order_id")
    }

    fn parts(error: &Error) -> (ErrorCode, &str, Option<&Place>, Option<&str>, Option<&str>) {
        (error.code(), error.message(), error.place(), error.label_text(), error.hint_text())
    }

    #[test]
    fn every_part_survives_the_message() {
        let error = full();
        assert_eq!(parts(&Error::from_wire(error.to_wire())), parts(&error));
        let bare = Error::new(ErrorCode::Cancelled, "the job was killed");
        assert_eq!(bare.to_wire().line, 0);
        assert_eq!(parts(&Error::from_wire(bare.to_wire())), parts(&bare));
    }

    #[test]
    fn every_code_survives_the_status() {
        for code in ErrorCode::ALL {
            let status = Status::from(Error::new(*code, "why"));
            assert_ne!(status.code(), Code::Ok);
            assert_eq!(Error::from_status(status).code(), *code);
        }
        let error = full();
        assert_eq!(parts(&Error::from_status(Status::from(error.clone()))), parts(&error));
    }

    #[test]
    fn code_of_a_newer_version_is_kept_in_words() {
        let detail = ErrorDetail { code: "S0555".into(), message: "new".into(), ..Default::default() };
        let error = Error::from_wire(detail);
        assert_eq!(error.code(), ErrorCode::Internal);
        assert_eq!(error.message(), "new (code S0555 of another version)");
    }

    #[test]
    fn status_code_follows_the_blame() {
        let code = |code| Status::from(Error::new(code, "")).code();
        assert_eq!(code(ErrorCode::Syntax), Code::InvalidArgument);
        assert_eq!(code(ErrorCode::Internal), Code::Internal);
        assert_eq!(code(ErrorCode::ExecutorLost), Code::Unavailable);
        assert_eq!(code(ErrorCode::Cancelled), Code::Cancelled);
    }

    #[test]
    fn bare_statuses_are_told_apart() {
        let code = |status| Error::from_status(status).code();
        assert_eq!(code(Status::unavailable("connection refused")), ErrorCode::Unreachable);
        assert_eq!(code(Status::cancelled("")), ErrorCode::Cancelled);
        assert_eq!(code(Status::unimplemented("")), ErrorCode::VersionMismatch);
        assert_eq!(code(Status::unknown("transport error")), ErrorCode::Unreachable);
        assert!(Error::from_status(Status::unknown("transport error")).hint_text().is_some());
        assert_eq!(code(Status::internal("Divide by zero error")), ErrorCode::Evaluation);
        let text = "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes";
        let error = Error::from_status(Status::out_of_range(text));
        assert_eq!(error.code(), ErrorCode::Internal);
        assert!(error.hint_text().unwrap().contains("sluice.cluster.message_limit"));
    }

    #[test]
    fn long_text_fits_a_header() {
        let status = Status::from(Error::new(ErrorCode::Internal, "ä".repeat(20_000)).hint("h".repeat(20_000)));
        assert!(status.details().len() + status.message().len() < 8_000);
        assert_eq!(Error::from_status(status).code(), ErrorCode::Internal);
    }

    #[test]
    fn datafusion_carries_it_unchanged() {
        let error = Error::from(DataFusionError::from(full()).context("planning"));
        assert_eq!(parts(&error), parts(&full()));
    }
}
