//! Errors between processes and through DataFusion, whole both ways.

use datafusion::error::DataFusionError;
use prost::Message;
use sluice_proto::ErrorDetail;
use tonic::{Code, Status};

use super::{Blame, Error, ErrorCode, Place};

impl Error {
    /// The error as a message.
    pub fn to_wire(&self) -> ErrorDetail {
        let place = self.place();
        let number = |pick: fn(&Place) -> usize| place.map_or(0, |place| u32::try_from(pick(place)).unwrap_or(u32::MAX));
        ErrorDetail {
            code: self.code().as_str().to_string(),
            message: self.message().to_string(),
            label: self.label_text().unwrap_or_default().to_string(),
            hint: self.hint_text().unwrap_or_default().to_string(),
            line: number(|place| place.line),
            column: number(|place| place.column),
            length: number(|place| place.length),
        }
    }

    /// The error of a message. A code that this version does not know is a defect to it.
    pub fn from_wire(detail: ErrorDetail) -> Self {
        let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == detail.code);
        let mut error = Error::new(code.unwrap_or(ErrorCode::Internal), detail.message);
        if detail.line > 0 {
            error = error.at(Place {
                line: detail.line as usize,
                column: detail.column as usize,
                length: detail.length as usize,
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

    /// The error that a call to another process ended with.
    pub fn from_status(status: Status) -> Self {
        if let Ok(detail) = ErrorDetail::decode(status.details())
            && !detail.code.is_empty()
        {
            return Self::from_wire(detail);
        }
        let (code, message, hint) = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded => (
                ErrorCode::Unreachable,
                "the connection to the scheduler was lost".to_string(),
                "is the scheduler still running?",
            ),
            Code::Cancelled => (ErrorCode::Cancelled, "the call was cancelled".to_string(), "run it again"),
            Code::OutOfRange | Code::ResourceExhausted => (
                ErrorCode::Internal,
                format!("a message between client and scheduler is too large: {}", status.message()),
                "raise sluice.cluster.message_limit on every process",
            ),
            Code::Unimplemented => (
                ErrorCode::VersionMismatch,
                "the server at that address is not a Sluice scheduler of this version".to_string(),
                "check the port, and that client and scheduler are of one version",
            ),
            // A broken connection can also end as an unknown or internal one.
            _ if status.message().contains("transport") || status.message().contains("connection") => (
                ErrorCode::Unreachable,
                "the connection to the scheduler was lost".to_string(),
                "is the scheduler still running?",
            ),
            _ => (ErrorCode::Internal, status.message().to_string(), "the scheduler's log may say more"),
        };
        Error::new(code, message).hint(hint)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match (error.blame(), error.code()) {
            (_, ErrorCode::Cancelled) => Code::Cancelled,
            (Blame::User, _) => Code::InvalidArgument,
            (Blame::System, _) => Code::Internal,
            (Blame::Cluster, _) => Code::Unavailable,
        };
        Status::with_details(code, error.message().to_string(), error.to_wire().encode_to_vec().into())
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

    #[test]
    fn every_code_crosses_the_wire_whole() {
        for code in ErrorCode::ALL {
            let error = Error::new(*code, "what")
                .at(Place { line: 2, column: 3, length: 4 })
                .label("label")
                .hint("hint");
            let back = Error::from_status(Status::from(error.clone()));
            assert_eq!(back.to_wire(), error.to_wire());
            assert_eq!(back.code(), *code);
        }
    }

    #[test]
    fn a_status_without_details_is_told_apart() {
        assert_eq!(Error::from_status(Status::unavailable("x")).code(), ErrorCode::Unreachable);
        assert_eq!(Error::from_status(Status::cancelled("x")).code(), ErrorCode::Cancelled);
    }
}
