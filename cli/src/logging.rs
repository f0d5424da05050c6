//! Log lines go to standard error, from `tracing` and from the `log` crate alike.

use std::io::IsTerminal;

use sluice::{Error, ErrorCode, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{GlobalArgs, LogFormat};

/// Starts logging as `--log-level` and `--log-format` say.
pub(crate) fn start(arguments: &GlobalArgs) -> Result<()> {
    let json = arguments.log_format == LogFormat::Json;
    let builder =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(!json && std::io::stderr().is_terminal());
    let started = match (levels(&arguments.log_level)?, json) {
        (Levels::One(level), false) => builder.with_max_level(level).try_init(),
        (Levels::One(level), true) => builder.with_max_level(level).json().try_init(),
        (Levels::Many(filter), false) => builder.with_env_filter(*filter).try_init(),
        (Levels::Many(filter), true) => builder.with_env_filter(*filter).json().try_init(),
    };
    started.map_err(|error| Error::new(ErrorCode::Internal, format!("cannot start logging: {error}")))
}

/// One level needs no filter to be built, which is what almost every start of the process is.
#[derive(Debug)]
enum Levels {
    One(LevelFilter),
    Many(Box<EnvFilter>),
}

fn levels(text: &str) -> Result<Levels> {
    let text = text.trim();
    if let Ok(level) = text.parse::<LevelFilter>() {
        return Ok(Levels::One(level));
    }
    let invalid = || {
        Error::new(ErrorCode::InvalidArgument, format!("\"{text}\" is not a log level"))
            .hint("use off, error, warn, info, debug or trace, or a list such as warn,datafusion=debug")
    };
    // A single word that is no level would be taken for the name of a crate, so that a typing error silences the log.
    if !text.contains('=') {
        return Err(invalid());
    }
    EnvFilter::try_new(text).map(|filter| Levels::Many(Box::new(filter))).map_err(|error| invalid().caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_list_is_taken_and_a_typing_error_is_not() {
        assert!(matches!(levels("debug"), Ok(Levels::One(LevelFilter::DEBUG))));
        assert!(matches!(levels("off"), Ok(Levels::One(LevelFilter::OFF))));
        assert!(matches!(levels("warn,datafusion=debug"), Ok(Levels::Many(_))));
        assert_eq!(levels("wran").map_err(|error| error.code()).err(), Some(ErrorCode::InvalidArgument));
        assert!(levels("datafusion=loud").is_err());
    }
}
