//! Every setting of Sluice: one registry declares key, type, default, unit and one sentence, and the reference page,
//! the checks, `SHOW ALL` and the typed getters all come from it.

mod layers;
mod memory;
mod reference;
mod registry;
mod value;

use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::common::Result as DataFusionResult;
use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::prelude::SessionConfig;

use crate::error::{Error, ErrorCode, Result, nearest};

pub use layers::{environment_name, load_layers};
pub use reference::reference_markdown;
use registry::{KEYS, Key};
use value::Value;

/// What a secret shows as.
const BLOTTED: &str = "***";

/// Sluice's section of a session's configuration.
#[derive(Debug, Clone, Default)]
pub struct SluiceConfig {
    /// Values by key without `sluice.`, where they are not the default.
    values: BTreeMap<&'static str, Value>,
}

impl SluiceConfig {
    /// The section of a session, or the defaults where it has none.
    pub fn of(config: &SessionConfig) -> Self {
        config.options().extensions.get::<Self>().cloned().unwrap_or_default()
    }

    fn value(&self, key: &'static str) -> Option<Value> {
        self.values.get(key).cloned().or_else(|| KEYS.iter().find(|entry| entry.name == key).and_then(Key::default_value))
    }

    fn text(&self, key: &'static str) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn number(&self, key: &'static str) -> u64 {
        match self.value(key) {
            Some(Value::Count(number) | Value::Size(number)) => number,
            _ => 0,
        }
    }

    fn duration(&self, key: &'static str) -> Duration {
        match self.value(key) {
            Some(Value::Time(duration)) => duration,
            _ => Duration::ZERO,
        }
    }

    fn flag(&self, key: &'static str) -> bool {
        matches!(self.value(key), Some(Value::Flag(true)))
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $kind:ident -> $type:ty = $key:literal;)*) => {
        impl SluiceConfig {
            $($(#[$doc])* pub fn $name(&self) -> $type { self.$kind($key) })*
        }
    };
}

impl SluiceConfig {
    /// Where a session runs unless it is told otherwise.
    pub fn master(&self) -> String {
        self.text("master").unwrap_or_default()
    }

    /// Where the catalog's versions lie.
    pub fn catalog_path(&self) -> String {
        self.text("catalog.path").unwrap_or_default()
    }

    /// Where the files of managed tables lie.
    pub fn warehouse_path(&self) -> String {
        self.text("warehouse.path").unwrap_or_default()
    }
}

getters! {
    /// The memory pool in bytes; 0 has no bound.
    memory_limit_bytes: number -> u64 = "memory.limit";
    /// Where operators spill.
    memory_spill_path: text -> Option<String> = "memory.spill_path";
    /// Partitions of a plan; 0 chooses.
    execution_partitions: number -> u64 = "execution.partitions";
    /// Input bytes that one partition should have.
    execution_bytes_per_partition: number -> u64 = "execution.bytes_per_partition";
    /// Bytes of rows in one message to a client.
    results_piece_size_bytes: number -> u64 = "results.piece_size";
    /// How long rows that nobody reads are kept.
    results_retention: duration -> Duration = "results.retention";
    /// The largest message between two processes.
    cluster_message_limit_bytes: number -> u64 = "cluster.message_limit";
    /// How often an executor says that it lives.
    cluster_heartbeat: duration -> Duration = "cluster.heartbeat";
    /// How long an executor may be silent.
    cluster_executor_timeout: duration -> Duration = "cluster.executor_timeout";
    /// How often a job is started before it fails for a lost executor.
    cluster_job_attempts: number -> u64 = "cluster.job_attempts";
    /// Whether jobs are planned anew after each stage.
    cluster_adaptive: flag -> bool = "cluster.adaptive";
    /// How long to wait for processes to start.
    cluster_start_timeout: duration -> Duration = "cluster.start_timeout";
    /// The largest build side that every executor gets whole.
    cluster_broadcast_limit_bytes: number -> u64 = "cluster.broadcast_limit";
    /// The largest partition of a hash join's build side.
    cluster_hash_join_limit_bytes: number -> u64 = "cluster.hash_join_limit";
    /// Where executors keep shuffle data.
    cluster_work_dir: text -> Option<String> = "cluster.work_dir";
    /// How long a session lives without a call.
    cluster_session_idle: duration -> Duration = "cluster.session_idle";
    /// The S3 endpoint.
    s3_endpoint: text -> Option<String> = "s3.endpoint";
    /// The S3 region.
    s3_region: text -> Option<String> = "s3.region";
    /// The S3 access key.
    s3_access_key_id: text -> Option<String> = "s3.access_key_id";
    /// The S3 secret key.
    s3_secret_access_key: text -> Option<String> = "s3.secret_access_key";
    /// The S3 session token.
    s3_session_token: text -> Option<String> = "s3.session_token";
    /// Whether plain HTTP will do for S3.
    s3_allow_http: flag -> bool = "s3.allow_http";
    /// Whether the bucket is part of the host name.
    s3_virtual_hosted: flag -> bool = "s3.virtual_hosted";
    /// The folder with Hadoop's configuration.
    hdfs_config_dir: text -> Option<String> = "hdfs.config_dir";
    /// The key file of a Google service account.
    gcs_service_account_path: text -> Option<String> = "gcs.service_account_path";
    /// The Azure storage account.
    azure_account: text -> Option<String> = "azure.account";
    /// The key of the Azure storage account.
    azure_access_key: text -> Option<String> = "azure.access_key";
}

impl ConfigExtension for SluiceConfig {
    const PREFIX: &'static str = "sluice";
}

impl ExtensionOptions for SluiceConfig {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> DataFusionResult<()> {
        let entry = KEYS.iter().find(|entry| entry.name == key).ok_or_else(|| unknown(&format!("sluice.{key}")))?;
        // A blotted secret comes from a listing of the settings; the process that it reaches has its own.
        if entry.secret && value == BLOTTED {
            return Ok(());
        }
        self.values.insert(entry.name, entry.parse(value)?);
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        KEYS.iter()
            .map(|entry| {
                let value = self.value(entry.name).map(|value| value.to_string());
                ConfigEntry {
                    key: format!("sluice.{}", entry.name),
                    value: if entry.secret { value.map(|_| BLOTTED.to_string()) } else { value },
                    description: entry.description,
                }
            })
            .collect()
    }
}

/// Refuses an unknown key, or a value that the key does not take.
pub fn check_key(key: &str, value: &str) -> Result<()> {
    match key.strip_prefix("sluice.") {
        Some(name) => match KEYS.iter().find(|entry| entry.name == name) {
            Some(entry) => entry.parse(value).map(drop),
            None => Err(unknown(key)),
        },
        None if key.starts_with("datafusion.runtime.") => Ok(()),
        None => {
            if !known_keys().iter().any(|known| known == key) {
                return Err(unknown(key));
            }
            ConfigOptions::new().set(key, value).map_err(|error| {
                Error::new(ErrorCode::SettingInvalid, format!("`{value}` is not a value of {key}"))
                    .hint(format!("{}", error.strip_backtrace().lines().next().unwrap_or_default()))
            })
        }
    }
}

/// Every key that `SET` takes.
pub fn known_keys() -> Vec<String> {
    let ours = KEYS.iter().map(|entry| format!("sluice.{}", entry.name));
    ConfigOptions::new().entries().into_iter().map(|entry| entry.key).chain(ours).collect()
}

/// Whether a client's setting belongs to its session, and not to the process that runs it.
pub(crate) fn is_session_key(key: &str) -> bool {
    match key.strip_prefix("sluice.") {
        Some(name) => KEYS.iter().any(|entry| entry.name == name && entry.session),
        None => true,
    }
}

fn unknown(key: &str) -> Error {
    let keys = known_keys();
    let error = Error::new(ErrorCode::SettingNotFound, format!("no setting `{key}`"));
    match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => error.label(format!("did you mean {near}?")).hint(format!("did you mean {near}?")),
        None => error.hint("SHOW ALL lists the settings"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(config: &SluiceConfig, key: &str) -> Option<String> {
        config.entries().into_iter().find(|entry| entry.key == key).and_then(|entry| entry.value)
    }

    #[test]
    fn sizes_and_times_are_read_as_people_write_them() {
        let mut config = SluiceConfig::default();
        config.set("results.piece_size", "1 MiB").unwrap();
        config.set("results.retention", "5m").unwrap();
        config.set("memory.limit", "8GB").unwrap();
        assert_eq!(config.results_piece_size_bytes(), 1 << 20);
        assert_eq!(config.results_retention(), Duration::from_secs(300));
        assert_eq!(config.memory_limit_bytes(), 8_000_000_000);
    }

    #[test]
    fn entries_give_back_what_set_takes() {
        let mut config = SluiceConfig::default();
        config.set("execution.bytes_per_partition", "12345").unwrap();
        config.set("cluster.heartbeat", "1500ms").unwrap();
        let mut copy = SluiceConfig::default();
        for entry in config.entries() {
            if let Some(value) = entry.value {
                copy.set(entry.key.trim_start_matches("sluice."), &value).unwrap();
            }
        }
        assert_eq!(copy.execution_bytes_per_partition(), 12345);
        assert_eq!(copy.cluster_heartbeat(), Duration::from_millis(1500));
    }

    #[test]
    fn secrets_are_blotted_and_a_blot_does_not_overwrite_them() {
        let mut config = SluiceConfig::default();
        config.set("s3.secret_access_key", "hush").unwrap();
        assert_eq!(entry(&config, "sluice.s3.secret_access_key").as_deref(), Some("***"));
        config.set("s3.secret_access_key", "***").unwrap();
        assert_eq!(config.s3_secret_access_key().as_deref(), Some("hush"));
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let error = check_key("sluice.memory.limt", "1GB").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingNotFound);
        assert_eq!(error.hint_text(), Some("did you mean sluice.memory.limit?"));
        let error = check_key("datafusion.execution.batchsize", "1").unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean datafusion.execution.batch_size?"));
    }

    #[test]
    fn bad_values_are_refused_with_what_would_do() {
        for (key, value) in [
            ("sluice.memory.limit", "lots"),
            ("sluice.results.retention", "5 parsecs"),
            ("sluice.cluster.adaptive", "maybe"),
            ("sluice.execution.partitions", "-1"),
            ("datafusion.execution.batch_size", "many"),
        ] {
            let error = check_key(key, value).unwrap_err();
            assert_eq!(error.code(), ErrorCode::SettingInvalid, "{key}");
            assert!(error.hint_text().is_some(), "{key}");
        }
    }
}
