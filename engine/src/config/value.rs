//! A setting's value, with its type and unit.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

/// What type a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Count,
    Size,
    Time,
    Text,
}

impl Kind {
    /// The type in the reference page.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Flag => "true or false",
            Kind::Count => "count",
            Kind::Size => "size",
            Kind::Time => "time",
            Kind::Text => "text",
        }
    }

    /// What a value of the type looks like.
    pub(super) fn example(self) -> &'static str {
        match self {
            Kind::Flag => "write true or false",
            Kind::Count => "write a whole number from 0",
            Kind::Size => "write a size such as 64MiB, 8GB or 1048576",
            Kind::Time => "write a time such as 500ms, 30s, 5m or 1h",
            Kind::Text => "write a text",
        }
    }

    /// The value that a text stands for.
    pub(super) fn parse(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Kind::Count => text.parse().ok().map(Value::Count),
            Kind::Size => text.parse::<ByteSize>().ok().map(|size| Value::Size(size.as_u64())),
            Kind::Time => humantime::parse_duration(text).ok().map(Value::Time),
            Kind::Text => Some(Value::Text(text.to_string())),
        }
    }
}

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Flag(bool),
    Count(u64),
    /// In bytes.
    Size(u64),
    Time(Duration),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Count(count) => write!(f, "{count}"),
            Value::Size(bytes) => f.write_str(&size(*bytes)),
            Value::Time(duration) => write!(f, "{}", humantime::format_duration(*duration)),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// The largest binary unit that the bytes are a whole number of, so that the text means exactly them.
fn size(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit && bytes % unit == 0) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}
