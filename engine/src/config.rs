//! Sluice's settings: one registry of every `sluice.*` key, and the layers that values come from.
//!
//! [`SluiceConfig`] is the `sluice` section of DataFusion's own configuration, so `SET`, `SHOW ALL` and
//! `information_schema.df_settings` know the keys like any other. From weakest to strongest, values come from
//! `sluice.toml`, the environment (both through [`load_layers`]), `--conf` and `SET`.

mod check;
mod layers;
mod memory;
mod reference;
mod registry;
mod value;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use datafusion::common::DataFusionError;
use datafusion::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::prelude::SessionConfig;

use crate::error::{Error, ErrorCode, Result};
use registry::{SETTINGS, Setting};
use value::{Kind, Value};

pub use check::{check_key, known_keys};
pub(crate) use check::{default_text, is_session_key};
pub use layers::{environment_name, load_layers};
pub use reference::reference_markdown;
pub use value::Switch;

/// What stands for a secret that is set.
const HIDDEN: &str = "***";

/// The `sluice.*` settings of a session. Cheap to clone; secrets show as `***` wherever it is printed.
#[derive(Clone, Default)]
pub struct SluiceConfig {
    /// Values that somebody set, by their place in the registry.
    set: BTreeMap<usize, Value>,
}

impl SluiceConfig {
    /// The settings in a session's configuration, or the defaults where it has none.
    pub fn of(config: &SessionConfig) -> Self {
        config.options().extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Sets a key, which is given without `sluice.`.
    pub fn set_value(&mut self, key: &str, text: &str) -> Result<()> {
        let Some((index, setting)) = Setting::find(key) else {
            return Err(check::not_found(&format!("sluice.{key}")));
        };
        // A session's entries travel to other processes with their secrets hidden: taking that for a value would
        // replace the secret that the other process was started with.
        if setting.kind == Kind::Secret && text == HIDDEN {
            return Ok(());
        }
        let invalid = |reason: &str| {
            Error::new(
                ErrorCode::SettingInvalid,
                format!("setting \"sluice.{key}\" does not take the value \"{text}\"{reason}"),
            )
            .hint(setting.kind.expected())
        };
        let value = setting.kind.parse(text).ok_or_else(|| invalid(""))?;
        if setting.positive && value.is_zero() {
            return Err(invalid(": it has to be more than 0"));
        }
        // An empty text takes the value away, which is the only way to say so in a file or in the environment.
        if matches!(&value, Value::Text(text) if text.is_empty()) {
            self.set.remove(&index);
        } else {
            self.set.insert(index, value);
        }
        Ok(())
    }

    /// Every setting with its value, secrets included: for the environment of a process that this one starts, and for
    /// nothing that is shown, logged or kept.
    pub fn entries_with_secrets(&self) -> Vec<ConfigEntry> {
        self.list(|_, value| value.to_string())
    }

    fn list(&self, show: impl Fn(&Setting, &Value) -> String) -> Vec<ConfigEntry> {
        let entry = |(index, setting): (usize, &'static Setting)| ConfigEntry {
            key: format!("{}.{}", Self::PREFIX, setting.key),
            value: self.value(index).map(|value| show(setting, value)),
            description: setting.description,
        };
        SETTINGS.iter().enumerate().map(entry).collect()
    }

    fn value(&self, index: usize) -> Option<&Value> {
        static DEFAULTS: LazyLock<Vec<Option<Value>>> =
            LazyLock::new(|| SETTINGS.iter().map(Setting::default_value).collect());
        self.set.get(&index).or_else(|| DEFAULTS.get(index)?.as_ref())
    }

    fn text(&self, index: usize) -> Option<String> {
        match self.value(index) {
            Some(Value::Text(text)) => Some(text.to_string()),
            _ => None,
        }
    }
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

    fn set(&mut self, key: &str, value: &str) -> datafusion::common::Result<()> {
        self.set_value(key, value).map_err(DataFusionError::from)
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        self.list(|setting, value| if setting.kind == Kind::Secret { HIDDEN.into() } else { value.to_string() })
    }
}

impl fmt::Debug for SluiceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries();
        f.debug_map().entries(entries.iter().map(|entry| (&entry.key, &entry.value))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn shown(config: &SluiceConfig, key: &str) -> Option<String> {
        config.entries().into_iter().find(|entry| entry.key == key).unwrap().value
    }

    #[test]
    fn defaults_are_as_documented() {
        let config = SluiceConfig::default();
        assert_eq!(config.master(), "local[*]");
        assert_eq!(config.execution_partitions(), 0);
        assert_eq!(config.execution_bytes_per_partition(), 268_435_456);
        assert_eq!(config.results_piece_size_bytes(), 4_194_304);
        assert_eq!(config.cluster_message_limit_bytes(), 268_435_456);
        assert_eq!(config.cluster_heartbeat(), Duration::from_secs(2));
        assert_eq!(config.cluster_session_idle(), Duration::from_secs(3600));
        assert_eq!(config.cluster_job_attempts(), 3);
        assert!(!config.s3_allow_http());
        assert_eq!(config.memory_spill_path(), None);
        assert!(config.catalog_path().ends_with("sluice/catalog"));
        assert!(config.warehouse_path().ends_with("sluice/warehouse"));
        assert!(config.memory_limit_bytes() >= 1 << 20);
    }

    #[test]
    fn values_reach_their_getters_through_datafusion() {
        let mut config = SessionConfig::new().with_option_extension(SluiceConfig::default());
        let options = config.options_mut();
        options.set("sluice.memory.limit", "8GB").unwrap();
        options.set("sluice.s3.allow_http", "true").unwrap();
        options.set("sluice.cluster.heartbeat", "500ms").unwrap();
        options.set("sluice.s3.endpoint", "http://localhost:9000").unwrap();
        let sluice = SluiceConfig::of(&config);
        assert_eq!(sluice.memory_limit_bytes(), 8_000_000_000);
        assert!(sluice.s3_allow_http());
        assert_eq!(sluice.cluster_heartbeat(), Duration::from_millis(500));
        assert_eq!(sluice.s3_endpoint().as_deref(), Some("http://localhost:9000"));
        let entries = config.options().entries();
        let limit = entries.iter().find(|entry| entry.key == "sluice.memory.limit").unwrap();
        assert_eq!(limit.value.as_deref(), Some("8GB"));
    }

    #[test]
    fn entries_read_back_the_same() {
        let mut config = SluiceConfig::default();
        for (key, value) in [
            ("memory.limit", "1610612737"),
            ("results.retention", "90m"),
            ("execution.partitions", "1000"),
            ("s3.allow_http", "on"),
            ("s3.region", "eu-central-1"),
            ("s3.secret_access_key", "abc"),
        ] {
            config.set_value(key, value).unwrap();
        }
        let mut copy = SluiceConfig::default();
        for entry in config.entries_with_secrets() {
            if let Some(value) = &entry.value {
                copy.set_value(entry.key.strip_prefix("sluice.").unwrap(), value).unwrap();
            }
        }
        assert_eq!(copy.memory_limit_bytes(), 1_610_612_737);
        assert_eq!(copy.results_retention(), Duration::from_secs(5400));
        assert_eq!(copy.execution_partitions(), 1000);
        assert!(copy.s3_allow_http());
        assert_eq!(copy.s3_region().as_deref(), Some("eu-central-1"));
        assert_eq!(copy.s3_secret_access_key().as_deref(), Some("abc"));
        assert_eq!(format!("{:?}", copy.entries()), format!("{:?}", config.entries()));
    }

    #[test]
    fn secrets_are_hidden_and_hidden_text_is_no_secret() {
        let mut config = SluiceConfig::default();
        assert_eq!(shown(&config, "sluice.azure.access_key"), None);
        config.set_value("azure.access_key", "top-secret").unwrap();
        assert_eq!(shown(&config, "sluice.azure.access_key").as_deref(), Some("***"));
        assert!(!format!("{config:?}").contains("top-secret"));
        config.set_value("azure.access_key", "***").unwrap();
        assert_eq!(config.azure_access_key().as_deref(), Some("top-secret"));
    }

    #[test]
    fn bad_values_say_what_to_write() {
        let mut config = SluiceConfig::default();
        let error = config.set_value("memory.limit", "lots").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
        assert_eq!(error.message(), "setting \"sluice.memory.limit\" does not take the value \"lots\"");
        assert_eq!(error.hint_text(), Some("write a number of bytes, such as 64MiB, 8GB or 1048576"));
        let error = config.set_value("cluster.job_attempts", "0").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
        assert_eq!(config.cluster_job_attempts(), 3);
        config.set_value("memory.limit", "0").unwrap();
        assert_eq!(config.memory_limit_bytes(), 0);
    }

    #[test]
    fn empty_text_takes_a_value_away() {
        let mut config = SluiceConfig::default();
        config.set_value("memory.spill_path", "/fast").unwrap();
        assert_eq!(config.memory_spill_path().as_deref(), Some("/fast"));
        config.set_value("memory.spill_path", "").unwrap();
        assert_eq!(config.memory_spill_path(), None);
    }
}
