//! Where data lies: one cached store per place, and paths as users write them turned into URLs.
//!
//! [`StoreRegistry`] is the only object-store registry of a process: client, driver and executors build the same
//! stores from the same [`StorageOptions`], so that a URL means the same bytes everywhere.

mod build;
mod hadoop;
mod location;
mod options;
mod pattern;
mod registry;

use std::error::Error as StdError;
use std::io;

pub use location::{absolute_location, absolute_url};
pub use options::StorageOptions;
pub(crate) use pattern::matching_files;
pub use registry::StoreRegistry;

use crate::error::{Error, ErrorCode};

/// Turns an error of a store into the engine's own. `action` completes "could not …", such as `list s3://b/t/`.
pub fn store_error(error: object_store::Error, action: &str) -> Error {
    let code = match &error {
        object_store::Error::NotFound { .. } => ErrorCode::FileNotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorCode::AccessDenied
        }
        other => match io_error_kind(other) {
            Some(io::ErrorKind::PermissionDenied) => ErrorCode::AccessDenied,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => ErrorCode::DiskFull,
            _ => ErrorCode::Storage,
        },
    };
    Error::new(code, format!("could not {action}: {error}")).caused_by(error)
}

/// The kind of the operating system's error below `error`, if there is one.
fn io_error_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut current = Some(error);
    while let Some(link) = current {
        if let Some(io_error) = link.downcast_ref::<io::Error>() {
            return Some(io_error.kind());
        }
        current = link.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(kind: io::ErrorKind) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(io::Error::from(kind)) }
    }

    #[test]
    fn the_operating_system_error_decides_the_code() {
        let cases = [
            (io::ErrorKind::StorageFull, ErrorCode::DiskFull),
            (io::ErrorKind::PermissionDenied, ErrorCode::AccessDenied),
            (io::ErrorKind::ConnectionReset, ErrorCode::Storage),
        ];
        for (kind, code) in cases {
            assert_eq!(store_error(generic(kind), "write x").code(), code, "{kind:?}");
        }
    }

    #[test]
    fn a_missing_object_is_a_missing_file() {
        let missing = object_store::Error::NotFound { path: "a/b".into(), source: "gone".into() };
        let error = store_error(missing, "read s3://bucket/a/b");
        assert_eq!(error.code(), ErrorCode::FileNotFound);
        assert!(error.message().starts_with("could not read s3://bucket/a/b: "), "{}", error.message());
    }
}
