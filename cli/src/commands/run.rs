//! `sluice run`: a job from a file, under a name, in a queue, perhaps without waiting for its end.

use sluice::{Error, ErrorCode, ExecuteOptions};

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::runner::Runner;
use crate::script::Script;
use crate::session;

pub(super) async fn run(arguments: RunArgs, quiet: bool) -> Result<(), Failure> {
    let script = Script::read(&arguments.job)?.with_variables(&arguments.variables.variables)?;
    let statements = script.statements()?;
    if arguments.detach {
        session::require_cluster(&arguments.session, "--detach")?;
        if statements.is_empty() {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("{} has no statement", script.title())).into());
        }
    }
    let options = ExecuteOptions {
        job_name: arguments.name.clone().or_else(|| script.name()),
        queue: arguments.queue.clone(),
        detach: false,
    };
    session::with(&arguments.session, async |session| {
        let mut runner = Runner::new(session, &arguments.output, quiet)?;
        let last = statements.len().saturating_sub(1);
        for (number, statement) in statements.iter().enumerate() {
            let ran = if arguments.detach && number == last {
                runner.submit(&statement.text, options.clone()).await
            } else {
                runner.run(&statement.text, options.clone()).await.map(|_| ())
            };
            ran.map_err(|failure| script.locate(failure, statement, 0))?;
        }
        Ok(())
    })
    .await
}
