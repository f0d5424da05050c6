//! The shell: a prompt with history, completion and colours, over the same runner as scripts.

mod completer;
mod editor;
mod highlighter;
mod meta;
mod names;
mod prompt;
mod validator;

use std::sync::{Arc, RwLock};

use reedline::Signal;
use sluice::{Error, ErrorCode, StatementKind};

use crate::failure::Failure;
use crate::output::note;
use crate::runner::Runner;
use crate::script::Script;
use meta::MetaCommand;
use names::Names;

/// Reads and runs statements until the user leaves. An error is shown, and the shell goes on.
pub(crate) async fn run(runner: &mut Runner, variables: &[(String, String)], quiet: bool) -> Result<(), Failure> {
    let names = Arc::new(RwLock::new(Names::default()));
    names::refresh(runner.session(), &names);
    let mut editor = editor::build(&names);
    if !quiet {
        note(&format!("sluice {}: end a statement with ; — \\? for help, \\q to leave", env!("CARGO_PKG_VERSION")));
    }
    loop {
        // The session's own work goes on in other threads while this one waits for the user.
        let line = match editor.read_line(&prompt::SqlPrompt) {
            Ok(Signal::Success(line)) => line,
            Ok(Signal::CtrlD) => return Ok(()),
            Ok(_) => continue,
            Err(error) => {
                return Err(Error::new(ErrorCode::Internal, "cannot read from the terminal").caused_by(error).into());
            }
        };
        match meta::parse(&line) {
            Some(Ok(MetaCommand::Quit)) => return Ok(()),
            Some(Ok(command)) => keep_going(meta::run(command, runner).await)?,
            Some(Err(error)) => Failure::in_text(error, None, line.trim_end()).show(),
            None => match run_statements(runner, line, variables).await {
                Ok(kinds) => {
                    if kinds.iter().any(|kind| matches!(kind, StatementKind::Ddl | StatementKind::Write)) {
                        names::refresh(runner.session(), &names);
                    }
                }
                Err(failure) => keep_going(Err(failure))?,
            },
        }
    }
}

/// Shows an error. Only a terminal that is gone ends the shell.
fn keep_going(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(Failure::ClosedPipe) => Err(Failure::ClosedPipe),
        Err(failure) => {
            failure.show();
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn run_statements(
    runner: &mut Runner,
    line: String,
    variables: &[(String, String)],
) -> Result<Vec<StatementKind>, Failure> {
    let script = Script::given(line).with_variables(variables)?;
    runner.run_script(&script).await
}
