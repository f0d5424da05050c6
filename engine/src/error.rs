//! The one error of the engine: a code that users can look up, the place in their SQL, and one hint.
//!
//! What a user sees ([`Error::code`], the message, the place) is kept apart from what a scheduler does
//! ([`Error::retry_hint`]) and from who has to act ([`Error::blame`]). All of it crosses the wire unchanged:
//! see [`Error::to_wire`] and [`Error::from_wire`].

mod classify;
mod render;
mod suggest;
mod wire;

use std::fmt;
use std::sync::Arc;

pub use classify::Names;
pub use suggest::nearest;

/// Result of the engine's own functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act before the statement can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The statement, its data or its settings: exit code 1.
    User,
    /// Sluice or the machine it runs on: exit code 2.
    System,
    /// The cluster went away or lost a part that the job needed: exit code 3.
    Cluster,
}

impl Blame {
    /// The exit code of a process that ends with this error.
    pub fn exit_code(self) -> u8 {
        match self {
            Blame::User => 1,
            Blame::System => 2,
            Blame::Cluster => 3,
        }
    }
}

/// What a caller may do about the error without asking a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryHint {
    /// The same call gives the same error.
    Never,
    /// The cause passes by itself: the same call may succeed.
    Retry,
}

macro_rules! error_codes {
    ($($name:ident = $code:literal, $blame:ident, $retry:ident, $doc:literal;)*) => {
        /// What went wrong, as a stable code. `docs/errors.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $doc] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the reference page.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The code as users see it, `S0102` for instance.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => $code,)* }
            }

            /// One sentence for the reference page.
            pub fn describe(self) -> &'static str {
                match self { $(ErrorCode::$name => $doc.trim_ascii(),)* }
            }

            /// Who has to act.
            pub fn blame(self) -> Blame {
                match self { $(ErrorCode::$name => Blame::$blame,)* }
            }

            /// Whether the same call may succeed later.
            pub fn retry_hint(self) -> RetryHint {
                match self { $(ErrorCode::$name => RetryHint::$retry,)* }
            }
        }
    };
}

error_codes! {
    Syntax = "S0001", User, Never, "The text is not SQL that Sluice knows.";
    Unsupported = "S0002", User, Never, "The statement is valid SQL that Sluice does not run.";
    TableNotFound = "S0101", User, Never, "No table or view of that name.";
    ColumnNotFound = "S0102", User, Never, "No column of that name in scope.";
    FunctionNotFound = "S0103", User, Never, "No function of that name.";
    SettingNotFound = "S0104", User, Never, "No setting of that name.";
    SettingInvalid = "S0105", User, Never, "A setting's value has the wrong type, unit or range.";
    TypeMismatch = "S0106", User, Never, "An expression or function got a type it does not take.";
    AlreadyExists = "S0107", User, Never, "A table, view or schema of that name exists.";
    InvalidPlan = "S0108", User, Never, "The statement parses but does not make sense.";
    InvalidArgument = "S0109", User, Never, "An argument of a command or of the library is wrong.";
    FileNotFound = "S0201", User, Never, "No file or folder at that location.";
    CorruptFile = "S0202", User, Never, "A file is not of the format it should be, or is damaged.";
    AccessDenied = "S0203", User, Never, "The store or the file system refused access.";
    Storage = "S0204", System, Retry, "A store did not answer as it should.";
    DiskFull = "S0205", System, Never, "No space is left on a disk.";
    TargetExists = "S0206", User, Never, "The location to write to already holds data.";
    Conflict = "S0207", System, Retry, "Another writer changed the same thing first.";
    Throttled = "S0208", System, Retry, "A store asks to be called less often, and did so until its client gave up.";
    Evaluation = "S0301", User, Never, "A value could not be computed: division by zero, failed cast, overflow.";
    MemoryExhausted = "S0302", System, Never, "An operator needs more memory than the pool has.";
    Cancelled = "S0303", User, Never, "The job was killed.";
    Unreachable = "S0401", Cluster, Retry, "No scheduler answers at that address.";
    ExecutorLost = "S0402", Cluster, Retry, "An executor died and the job could not be run again.";
    PortInUse = "S0403", User, Never, "Another process listens on that port.";
    VersionMismatch = "S0404", Cluster, Never, "Client and scheduler are of versions that do not work together.";
    NoExecutors = "S0405", Cluster, Retry, "The cluster has no executor to run the job.";
    JobNotFound = "S0406", User, Never, "No job of that id.";
    PlanRunaway = "S0408", System, Never, "Adaptive planning of a job did not come to an end.";
    SessionLost = "S0407", Cluster, Retry, "The scheduler does not know the session any more.";
    ShuffleLost = "S0409", Cluster, Retry, "Rows between two stages of a job were lost or damaged, and the job could not be run again.";
    Internal = "S0900", System, Never, "A defect of Sluice.";
}

/// Where in the SQL text the error is. Lines and columns count from 1, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line of the statement's text.
    pub line: usize,
    /// Column in that line.
    pub column: usize,
    /// How many characters to underline, at least 1.
    pub length: usize,
}

/// An error of the engine. Cheap to clone; see the module's text for its parts.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    place: Option<Place>,
    label: Option<String>,
    hint: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a code and one sentence, lower case, without a full stop.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), place: None, label: None, hint: None, source: None }))
    }

    /// Adds where in the SQL text the error is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// Adds the words beside the caret, such as `did you mean "customer_id"?`.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    /// Adds the one thing to try next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What went wrong, as a stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Who has to act.
    pub fn blame(&self) -> Blame {
        self.0.code.blame()
    }

    /// Whether the same call may succeed later.
    pub fn retry_hint(&self) -> RetryHint {
        self.0.code.retry_hint()
    }

    /// What went wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the SQL text, if known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The words beside the caret, if any.
    pub fn label_text(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// The one thing to try next, if any.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.0.code.as_str(), self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}
