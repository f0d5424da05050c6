//! What a setting can hold: how each kind of value is read from text and printed so that it reads back the same.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

/// The kind of value that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Count,
    /// A number of bytes, such as `64MiB`.
    Size,
    /// A length of time, such as `30s`.
    Duration,
    /// Any text.
    Text,
    /// Text that is never shown.
    Secret,
    /// `off`, `on` or `auto`.
    Switch,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Never.
    Off,
    /// Wherever it can be.
    On,
    /// Where it looks worthwhile.
    Auto,
}

impl Switch {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "false" => Some(Self::Off),
            "on" | "true" => Some(Self::On),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Auto => "auto",
        }
    }
}

impl Kind {
    /// The kind's name on the reference page.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Count => "count",
            Kind::Size => "size",
            Kind::Duration => "duration",
            Kind::Text => "text",
            Kind::Secret => "secret text",
            Kind::Switch => "off, on or auto",
        }
    }

    /// What a value has to look like, for an error's hint.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Kind::Bool => "write true or false",
            Kind::Count => "write a whole number, such as 4",
            Kind::Size => "write a number of bytes, such as 64MiB, 8GB or 1048576",
            Kind::Duration => "write a time with its unit, such as 500ms, 30s, 5m or 1h",
            Kind::Text | Kind::Secret => "write any text",
            Kind::Switch => "write off, on or auto",
        }
    }

    /// Reads a value; `None` where the text is not of this kind.
    pub(super) fn parse(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Kind::Bool => parse_bool(text).map(Value::Bool),
            Kind::Count => text.parse().ok().map(Value::Count),
            Kind::Size => text.parse::<ByteSize>().ok().map(|size| Value::Size(size.as_u64())),
            Kind::Duration => parse_duration(text).map(Value::Duration),
            Kind::Text | Kind::Secret => Some(Value::Text(Cow::Owned(text.to_string()))),
            Kind::Switch => Switch::parse(text).map(|switch| Value::Text(Cow::Borrowed(switch.text()))),
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" => Some(true),
        "false" | "off" => Some(false),
        _ => None,
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    // Zero needs no unit; any other bare number is refused, because nobody can tell seconds from milliseconds.
    if text == "0" { Some(Duration::ZERO) } else { humantime::parse_duration(text).ok() }
}

/// The value of a setting.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Count(u64),
    Size(u64),
    Duration(Duration),
    Text(Cow<'static, str>),
}

impl Value {
    /// Whether the value is nought, which some settings refuse.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Value::Count(number) | Value::Size(number) => *number == 0,
            Value::Duration(duration) => duration.is_zero(),
            Value::Bool(_) | Value::Text(_) => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Count(number) => write!(f, "{number}"),
            Value::Size(bytes) => f.write_str(&size_text(*bytes)),
            Value::Duration(duration) => write!(f, "{}", humantime::format_duration(*duration)),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// A size without loss: the unit in which the number is whole and shortest.
fn size_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 8] = [
        (bytesize::TIB, "TiB"),
        (bytesize::GIB, "GiB"),
        (bytesize::MIB, "MiB"),
        (bytesize::KIB, "KiB"),
        (bytesize::TB, "TB"),
        (bytesize::GB, "GB"),
        (bytesize::MB, "MB"),
        (bytesize::KB, "kB"),
    ];
    let whole = UNITS.iter().filter(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    match whole.min_by_key(|(unit, _)| bytes / unit) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Option<u64> {
        match Kind::Size.parse(text)? {
            Value::Size(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn duration(text: &str) -> Option<Duration> {
        match Kind::Duration.parse(text)? {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        assert_eq!(size("64MiB"), Some(67_108_864));
        assert_eq!(size("8GB"), Some(8_000_000_000));
        assert_eq!(size(" 1048576 "), Some(1_048_576));
        assert_eq!(size("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(size("0"), Some(0));
        for wrong in ["", "big", "-1", "5 parsecs"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(duration("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        for wrong in ["", "30", "soon", "-1s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bools_and_counts_refuse_other_text() {
        assert!(Kind::Bool.parse("TRUE") == Some(Value::Bool(true)));
        assert!(Kind::Bool.parse("off") == Some(Value::Bool(false)));
        assert!(Kind::Bool.parse("2").is_none());
        assert!(Kind::Count.parse("12") == Some(Value::Count(12)));
        assert!(Kind::Count.parse("-1").is_none());
        assert!(Kind::Count.parse("1.5").is_none());
    }

    #[test]
    fn sizes_print_in_their_shortest_whole_unit() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1"),
            (1000, "1kB"),
            (1024, "1KiB"),
            (1_048_577, "1048577"),
            (67_108_864, "64MiB"),
            (8_000_000_000, "8GB"),
            (1_610_612_736, "1536MiB"),
        ] {
            assert_eq!(Value::Size(bytes).to_string(), text);
            assert_eq!(size(text), Some(bytes), "{text} reads back");
        }
    }

    #[test]
    fn durations_print_readably_and_read_back() {
        for (millis, text) in [(0, "0s"), (30_000, "30s"), (5_400_000, "1h 30m"), (1_500, "1s 500ms")] {
            let value = Duration::from_millis(millis);
            assert_eq!(Value::Duration(value).to_string(), text);
            assert_eq!(duration(text), Some(value));
        }
    }
}
