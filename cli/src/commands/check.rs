//! `sluice check`: everything about a job that can be known without reading data.

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::script::Script;
use crate::session;

pub(super) async fn run(arguments: CheckArgs, quiet: bool) -> Result<(), Failure> {
    let script = Script::read(&arguments.job)?.with_variables(&arguments.variables.variables)?;
    // Before a session is opened, because a syntax error needs none.
    let count = script.statements()?.len();
    session::with(&arguments.session, async |session| {
        session.check_script(script.text()).await.map_err(|error| script.failure(error))
    })
    .await?;
    if quiet {
        return Ok(());
    }
    let statements = if count == 1 { "statement" } else { "statements" };
    Output::standard(Format::Table)?.text(&format!("{}: ok ({count} {statements})\n", script.title()))
}
