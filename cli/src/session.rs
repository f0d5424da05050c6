//! From the command line's `--master`, `--config` and `--conf` to a session.

use sluice::{Error, ErrorCode, Result, Session};

use crate::args::{SessionArgs, SettingArgs};
use crate::failure::Failure;

/// Where statements run if nothing says so.
const DEFAULT_MASTER: &str = "local[*]";
const MASTER_KEY: &str = "sluice.master";

/// The settings of the file, the environment and the command line, the weakest first.
pub(crate) fn settings(arguments: &SettingArgs) -> Result<Vec<(String, String)>> {
    let mut settings = sluice::config::load_layers(arguments.config.as_deref())?;
    settings.extend(arguments.conf.iter().cloned());
    Ok(settings)
}

/// Works in the session that the arguments ask for, and ends it.
pub(crate) async fn with<T>(
    arguments: &SessionArgs,
    work: impl AsyncFnOnce(Session) -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    let session = open(arguments).await?;
    let outcome = work(session.clone()).await;
    // A driver that is gone has no session to end, and what went wrong before is the better message.
    let _ = session.close().await;
    outcome
}

/// Works in a session on a cluster that outlives this process; `what` needs one.
pub(crate) async fn with_cluster<T>(
    arguments: &SessionArgs,
    what: &str,
    work: impl AsyncFnOnce(Session) -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    require_cluster(arguments, what)?;
    with(arguments, work).await
}

async fn open(arguments: &SessionArgs) -> Result<Session> {
    let mut builder = Session::builder().master(master(arguments)?);
    for (key, value) in session_settings(arguments)? {
        builder = builder.conf(key, value);
    }
    builder.build().await
}

/// The settings of a session, without where it runs.
pub(crate) fn session_settings(arguments: &SessionArgs) -> Result<Vec<(String, String)>> {
    let mut settings = settings(&arguments.settings)?;
    settings.retain(|(key, _)| key != MASTER_KEY);
    Ok(settings)
}

/// An error unless the statements run on a cluster that outlives this process.
pub(crate) fn require_cluster(arguments: &SessionArgs, what: &str) -> Result<()> {
    let master = master(arguments)?;
    if master.starts_with("sluice://") {
        return Ok(());
    }
    Err(Error::new(ErrorCode::InvalidArgument, format!("{what} needs a running cluster, and the master is {master}"))
        .hint("name its driver with --master sluice://host:50050, or in the setting sluice.master"))
}

/// Where the arguments say that statements run.
pub(crate) fn master(arguments: &SessionArgs) -> Result<String> {
    Ok(choose_master(arguments.master.as_deref(), &settings(&arguments.settings)?))
}

fn choose_master(argument: Option<&str>, settings: &[(String, String)]) -> String {
    let set = settings.iter().rev().find(|(key, _)| key == MASTER_KEY).map(|(_, value)| value.as_str());
    argument.or(set).unwrap_or(DEFAULT_MASTER).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_is_stronger_than_the_last_setting() {
        let settings = [("sluice.master", "local[1]"), ("a", "b"), ("sluice.master", "local[2]")];
        let settings = settings.map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(choose_master(Some("local[3]"), &settings), "local[3]");
        assert_eq!(choose_master(None, &settings), "local[2]");
        assert_eq!(choose_master(None, &[]), "local[*]");
    }
}
