//! `sluice explain`: the plans of statements. Settings on the way take effect, so that they can be tried out.

use sluice::{Error, ErrorCode};

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::lexer::{Kind, pieces};
use crate::runner::Runner;
use crate::script::Script;
use crate::session;

pub(super) async fn run(arguments: ExplainArgs, quiet: bool) -> Result<(), Failure> {
    let scripts = Script::from_arguments(&arguments.source)?;
    if scripts.is_empty() {
        return Err(Error::new(ErrorCode::InvalidArgument, "there is nothing to explain")
            .hint("give a statement with -e or a file with -f")
            .into());
    }
    let variables = &arguments.variables.variables;
    let scripts = scripts.into_iter().map(|script| script.with_variables(variables)).collect::<Result<Vec<_>, _>>()?;
    session::with(&arguments.session, async |session| {
        let mut runner = Runner::new(session, &arguments.output, quiet)?;
        for script in &scripts {
            for statement in script.statements()? {
                let prefix = prefix(&statement.text, arguments.analyze);
                runner.run_prefixed(prefix, script, &statement).await?;
            }
        }
        Ok(())
    })
    .await
}

/// What to put before a statement to see its plan. Statements about the session have none and run as they are.
fn prefix(statement: &str, analyze: bool) -> &'static str {
    let word = first_word(statement);
    let runs_as_it_is = ["EXPLAIN", "SET", "RESET", "SHOW"].iter().any(|known| word.eq_ignore_ascii_case(known));
    match (runs_as_it_is, analyze) {
        (true, _) => "",
        (false, true) => "EXPLAIN ANALYZE",
        (false, false) => "EXPLAIN",
    }
}

fn first_word(statement: &str) -> &str {
    let code = pieces(statement).into_iter().filter(|piece| piece.kind != Kind::Comment);
    let text = code.map(|piece| piece.text.trim_start()).find(|text| !text.is_empty()).unwrap_or_default();
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_writes_are_explained_and_settings_are_made() {
        assert_eq!(prefix("select 1", false), "EXPLAIN");
        assert_eq!(prefix("-- set\n (select 1)", true), "EXPLAIN ANALYZE");
        assert_eq!(prefix("create table t as select 1", false), "EXPLAIN");
        assert_eq!(prefix("settle()", false), "EXPLAIN");
        assert_eq!(prefix("/* a */ set a = 1", false), "");
        assert_eq!(prefix("explain verbose select 1", true), "");
    }
}
