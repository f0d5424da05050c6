//! How a session is asked for: where it runs, and its settings.

use std::sync::Arc;

use datafusion::prelude::{SessionConfig, SessionContext};

use super::client::DriverClient;
use super::engine::EngineSession;
use super::launch::LaunchedCluster;
use super::remote_plan;
use super::{Inner, Remote, Session};
use crate::config::{self, SluiceConfig};
use crate::error::{Error, ErrorCode, Result};
use crate::partition::PartitionerRegistry;
use crate::profile::{EngineProfile, Role};

const MASTER: &str = "sluice.master";
const TARGET_PARTITIONS: &str = "datafusion.execution.target_partitions";

/// Builds a [`Session`].
#[derive(Debug, Clone, Default)]
pub struct SessionBuilder {
    settings: Vec<(String, String)>,
    partitioners: Arc<PartitionerRegistry>,
}

impl SessionBuilder {
    /// Where to run: `local[*]`, `local[4]`, `local-cluster[3]` or `sluice://host:port`.
    #[must_use]
    pub fn master(self, master: impl Into<String>) -> Self {
        self.conf(MASTER, master)
    }

    /// One setting; a later one for the same key wins.
    #[must_use]
    pub fn conf(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// The partitioners that an embedded session knows. A cluster's are those of its driver and its executors.
    #[must_use]
    pub fn partitioners(mut self, partitioners: Arc<PartitionerRegistry>) -> Self {
        self.partitioners = partitioners;
        self
    }

    /// Opens the session: reads the catalog, starts the cluster, or connects to it.
    pub async fn build(self) -> Result<Session> {
        for (key, value) in &self.settings {
            config::check_key(key, value)?;
        }
        let configured = self.settings.iter().rev().find(|(key, _)| key == MASTER).map(|(_, value)| value.clone());
        let master = configured.unwrap_or_else(|| SluiceConfig::default().master());
        match Master::parse(&master)? {
            Master::Local { threads } => self.local(threads).await,
            Master::LocalCluster { executors } => {
                let timeout = self.sluice_config()?.cluster_start_timeout();
                let cluster = LaunchedCluster::start(executors, &self.settings, timeout).await?;
                let url = cluster.url().to_string();
                self.remote(&url, Some(cluster)).await
            }
            Master::Cluster { url } => self.remote(&url, None).await,
        }
    }

    fn sluice_config(&self) -> Result<SluiceConfig> {
        let mut session = SessionConfig::new().with_option_extension(SluiceConfig::default());
        for (key, value) in self.settings.iter().filter(|(key, _)| key.starts_with("sluice.")) {
            session.options_mut().set(key, value)?;
        }
        Ok(SluiceConfig::of(&session))
    }

    async fn local(self, threads: Option<usize>) -> Result<Session> {
        let mut settings = self.settings;
        if let Some(threads) = threads {
            settings.insert(0, (TARGET_PARTITIONS.to_string(), threads.to_string()));
        }
        let profile = EngineProfile::new(Role::Embedded, &settings)?.with_partitioners(self.partitioners);
        let profile = Arc::new(profile);
        let session = EngineSession::open(profile).await?;
        if session.profile().sluice_config().execution_partitions() > 0 {
            let partitions = session.profile().sluice_config().execution_partitions().to_string();
            super::settings::set(&session, "sluice.execution.partitions", &partitions)?;
        }
        Ok(Session(Arc::new(Inner::Local(Arc::new(session)))))
    }

    async fn remote(self, url: &str, cluster: Option<LaunchedCluster>) -> Result<Session> {
        let sluice = self.sluice_config()?;
        let limit = usize::try_from(sluice.cluster_message_limit_bytes()).unwrap_or(usize::MAX);
        // What belongs to a process, such as its catalog's place or a secret, stays with the driver's own settings.
        let travelling: Vec<(String, String)> =
            self.settings.iter().filter(|(key, _)| config::is_session_key(key)).cloned().collect();
        let client = DriverClient::connect(url, &travelling, limit).await?;
        let context: SessionContext = remote_plan::context(&self.settings, client.clone())?;
        let piece_bytes = usize::try_from(sluice.results_piece_size_bytes()).unwrap_or(usize::MAX);
        Ok(Session(Arc::new(Inner::Remote(Box::new(Remote { client, context, piece_bytes, _cluster: cluster })))))
    }
}

/// Where a session runs.
#[derive(Debug, PartialEq, Eq)]
enum Master {
    Local { threads: Option<usize> },
    LocalCluster { executors: usize },
    Cluster { url: String },
}

impl Master {
    fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(ErrorCode::InvalidArgument, format!("`{text}` is not a master"))
                .hint("write local[*], local[4], local-cluster[3] or sluice://host:port")
        };
        let number = |inner: &str| inner.parse::<usize>().ok().filter(|number| *number > 0);
        if text == "local" || text == "local[*]" {
            return Ok(Self::Local { threads: None });
        }
        if text.starts_with("sluice://") {
            return Ok(Self::Cluster { url: text.to_string() });
        }
        let inside = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = inside("local[") {
            return number(inner).map(|threads| Self::Local { threads: Some(threads) }).ok_or_else(bad);
        }
        if let Some(inner) = inside("local-cluster[") {
            return number(inner).map(|executors| Self::LocalCluster { executors }).ok_or_else(bad);
        }
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_read_as_spark_users_write_them() {
        let parsed = |text| Master::parse(text).ok();
        assert_eq!(parsed("local"), Some(Master::Local { threads: None }));
        assert_eq!(parsed("local[*]"), Some(Master::Local { threads: None }));
        assert_eq!(parsed("local[4]"), Some(Master::Local { threads: Some(4) }));
        assert_eq!(parsed("local-cluster[3]"), Some(Master::LocalCluster { executors: 3 }));
        assert_eq!(parsed("sluice://h:1"), Some(Master::Cluster { url: "sluice://h:1".into() }));
        for bad in ["", "local[0]", "local[x]", "local-cluster[0]", "yarn", "spark://h:1"] {
            assert_eq!(Master::parse(bad).map_err(|error| error.code()), Err(ErrorCode::InvalidArgument), "{bad}");
        }
    }
}
