//! The shell's own commands: `\d [table]`, `\timing`, `.mode FORMAT`, `\?` and `\q`.

use clap::ValueEnum;
use sluice::error::nearest;
use sluice::{Error, ErrorCode, ExecuteOptions, Result};

use crate::failure::Failure;
use crate::output::{Format, note};
use crate::runner::Runner;

/// A command of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MetaCommand {
    ListTables,
    DescribeTable(String),
    ToggleTiming,
    SetMode(Format),
    ShowMode,
    Help,
    Quit,
}

/// Each command, its argument, and what it does.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\d", "", "list tables and views"),
    ("\\d", " TABLE", "list the columns of a table"),
    ("\\timing", "", "turn the time after each result on or off"),
    (".mode", " FORMAT", "write results as table, csv, json or ndjson"),
    ("\\?", "", "show this list"),
    ("\\q", "", "leave; also quit, exit and Ctrl-D"),
];

/// Whether a line is for the shell and not for the engine.
pub(super) fn is_meta(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('\\')
        || line.strip_prefix('.').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic()))
        || is_goodbye(line)
}

fn is_goodbye(line: &str) -> bool {
    let word = line.trim_end_matches(';').trim_end();
    word.eq_ignore_ascii_case("quit") || word.eq_ignore_ascii_case("exit")
}

/// The command of a line, an error for one that there is not, and nothing for SQL.
pub(super) fn parse(line: &str) -> Option<Result<MetaCommand>> {
    is_meta(line).then(|| command(line.trim().trim_end_matches(';').trim_end()))
}

fn command(line: &str) -> Result<MetaCommand> {
    if is_goodbye(line) {
        return Ok(MetaCommand::Quit);
    }
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    match (name, argument) {
        ("\\d" | "\\dt" | ".tables", "") => Ok(MetaCommand::ListTables),
        ("\\d", table) => Ok(MetaCommand::DescribeTable(table.to_string())),
        ("\\timing", "") => Ok(MetaCommand::ToggleTiming),
        (".mode", "") => Ok(MetaCommand::ShowMode),
        (".mode", format) => mode(format).map(MetaCommand::SetMode),
        ("\\?" | "\\h" | ".help", _) => Ok(MetaCommand::Help),
        ("\\q" | ".quit" | ".exit", "") => Ok(MetaCommand::Quit),
        _ => {
            let error = Error::new(ErrorCode::InvalidArgument, format!("the shell has no command \"{line}\""));
            Err(match nearest(name, COMMANDS.iter().map(|(name, ..)| *name)) {
                Some(known) if known != name => error.hint(format!("did you mean {known}? \\? lists all")),
                _ => error.hint("\\? lists the commands"),
            })
        }
    }
}

fn mode(name: &str) -> Result<Format> {
    Format::from_str(name, true).map_err(|_| {
        let error = Error::new(ErrorCode::InvalidArgument, format!("there is no format \"{name}\""));
        match nearest(name, Format::value_variants().iter().map(|format| format.name())) {
            Some(known) => error.hint(format!("did you mean {known}?")),
            None => error.hint("use table, csv, json or ndjson"),
        }
    })
}

/// What the start of a command can become: where the replaced part begins, the replacement, and its meaning.
pub(super) fn completions(before: &str) -> Vec<(usize, String, &'static str)> {
    let start = before.len() - before.trim_start().len();
    let line = &before[start..];
    if let Some(format) = line.strip_prefix(".mode ") {
        let names = Format::value_variants().iter().map(|format| format.name());
        let names = names.filter(|name| name.starts_with(format.trim_start()));
        let position = before.len() - format.trim_start().len();
        return names.map(|name| (position, name.to_string(), "format")).collect();
    }
    let mut commands = COMMANDS.iter().filter(|(name, ..)| name.starts_with(line)).collect::<Vec<_>>();
    commands.dedup_by_key(|(name, ..)| *name);
    commands.into_iter().map(|(name, _, help)| (start, name.to_string(), *help)).collect()
}

/// Runs a command of the shell.
pub(super) async fn run(command: MetaCommand, runner: &mut Runner) -> Result<(), Failure> {
    match command {
        MetaCommand::ListTables => {
            let sql = "SELECT table_schema AS schema, table_name AS name, table_type AS type \
                       FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2";
            runner.run(sql, ExecuteOptions::default()).await.map(|_| ())
        }
        MetaCommand::DescribeTable(table) => {
            runner.run(&format!("DESCRIBE {table}"), ExecuteOptions::default()).await.map(|_| ())
        }
        MetaCommand::ToggleTiming => {
            let footer = runner.footer();
            footer.timed = !footer.timed;
            footer.shown |= footer.timed;
            note(if footer.timed { "timing is on" } else { "timing is off" });
            Ok(())
        }
        MetaCommand::SetMode(format) => runner.output().set_format(format),
        MetaCommand::ShowMode => {
            let format = runner.output().format();
            note(&format!("results are written as {}", format.name()));
            Ok(())
        }
        MetaCommand::Help => {
            let lines =
                COMMANDS.iter().map(|(name, argument, help)| format!("{:<14} {help}\n", format!("{name}{argument}")));
            let text = lines.collect::<String>();
            runner.output().text(&format!("{text}Anything else is SQL; a statement ends with ;\n"))
        }
        MetaCommand::Quit => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_sql() {
        assert_eq!(parse("\\d").map(Result::ok), Some(Some(MetaCommand::ListTables)));
        assert_eq!(
            parse(" \\d main.orders; ").map(Result::ok),
            Some(Some(MetaCommand::DescribeTable("main.orders".into())))
        );
        assert_eq!(parse(".mode CSV").map(Result::ok), Some(Some(MetaCommand::SetMode(Format::Csv))));
        assert_eq!(parse("exit;").map(Result::ok), Some(Some(MetaCommand::Quit)));
        assert!(parse("select 1;").is_none());
        assert!(parse(".5 + 1;").is_none());
        assert!(parse("exit_code;").is_none());
    }

    #[test]
    fn an_unknown_command_or_format_is_an_error_with_a_hint() {
        let Some(Err(error)) = parse("\\timin") else { panic!("an error was expected") };
        assert_eq!(error.hint_text(), Some("did you mean \\timing? \\? lists all"));
        let Some(Err(error)) = parse(".mode jsn") else { panic!("an error was expected") };
        assert_eq!(error.hint_text(), Some("did you mean json?"));
    }
}
