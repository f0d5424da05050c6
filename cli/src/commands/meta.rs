//! `sluice completions`, `sluice config` and `sluice functions`: the program about itself.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs, ConfigArgs, ConfigCommand};
use crate::failure::Failure;
use crate::output::{Format, Output};

pub(super) fn completions(arguments: CompletionsArgs) -> Result<(), Failure> {
    Output::standard(Format::Table)?.text(&completion_script(arguments.shell))
}

pub(super) fn config(arguments: ConfigArgs) -> Result<(), Failure> {
    match arguments.command {
        ConfigCommand::Reference => Output::standard(Format::Table)?.text(&sluice::config::reference_markdown()),
    }
}

pub(super) fn functions() -> Result<(), Failure> {
    Output::standard(Format::Table)?.text(&sluice_udf::reference_markdown())
}

fn completion_script(shell: clap_complete::Shell) -> String {
    // The generator panics where its sink fails, and memory does not.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sluice", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in clap_complete::Shell::value_variants() {
            let script = completion_script(*shell);
            for word in ["sluice", "explain", "completions", "iterations"] {
                assert!(script.contains(word), "{shell} has no {word}");
            }
        }
    }
}
