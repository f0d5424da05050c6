//! `sluice sql`: statements from the command line, a file or a pipe; without any of them, the shell.

use std::io::IsTerminal;

use crate::args::SqlArgs;
use crate::failure::Failure;
use crate::runner::Runner;
use crate::script::Script;
use crate::{session, shell};

pub(super) async fn run(arguments: SqlArgs, quiet: bool) -> Result<(), Failure> {
    let mut scripts = Script::from_arguments(&arguments.source)?;
    if scripts.is_empty() && !std::io::stdin().is_terminal() {
        scripts.push(Script::read_standard_input()?);
    }
    let is_interactive = scripts.is_empty();
    let variables = &arguments.variables.variables;
    let scripts = scripts.into_iter().map(|script| script.with_variables(variables)).collect::<Result<Vec<_>, _>>()?;
    session::with(&arguments.session, async |session| {
        let mut runner = Runner::new(session, &arguments.output, quiet)?;
        if is_interactive {
            return shell::run(&mut runner, variables, quiet).await;
        }
        for script in &scripts {
            runner.run_script(script).await?;
        }
        Ok(())
    })
    .await
}
