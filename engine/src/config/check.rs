//! One key and its value, checked before anything takes them: Sluice's by the registry, DataFusion's by a scratch copy
//! of its own configuration.

use datafusion::config::ConfigOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

use super::SluiceConfig;
use super::registry::{SETTINGS, Scope, Setting};
use crate::error::{Error, ErrorCode, Result, nearest};

/// Settings of DataFusion that Sluice has its own for, with those.
const REPLACED: [(&str, &str); 2] = [
    ("datafusion.runtime.memory_limit", "sluice.memory.limit"),
    ("datafusion.runtime.temp_directory", "sluice.memory.spill_path"),
];

/// Refuses a key that no setting has, with the nearest one that exists, and a value that the setting does not take.
pub fn check_key(key: &str, value: &str) -> Result<()> {
    if let Some(sluice) = key.strip_prefix("sluice.") {
        return SluiceConfig::default().set_value(sluice, value);
    }
    if let Some((_, ours)) = REPLACED.iter().find(|(replaced, _)| *replaced == key) {
        return Err(Error::new(ErrorCode::SettingNotFound, format!("setting \"{key}\" has no effect in Sluice"))
            .hint(format!("set \"{ours}\" instead")));
    }
    if !key.starts_with("datafusion.") {
        return Err(not_found(key));
    }
    // Only a running session can check their values: they change its caches.
    if runtime_keys().any(|runtime| runtime == key) {
        return Ok(());
    }
    let mut scratch = ConfigOptions::default();
    let Err(refusal) = scratch.set(key, value) else { return Ok(()) };
    if !scratch.entries().iter().any(|entry| entry.key == key) {
        return Err(not_found(key));
    }
    let refusal = refusal.strip_backtrace();
    let cause = refusal.rsplit("caused by\n").next().unwrap_or_default();
    let reason = cause.rsplit("error: ").next().unwrap_or_default().trim();
    let message = format!("setting \"{key}\" does not take the value \"{value}\"");
    let error = Error::new(ErrorCode::SettingInvalid, message);
    Err(if reason.is_empty() { error } else { error.hint(format!("DataFusion says: {reason}")) })
}

/// Every key that can be set: Sluice's first, then DataFusion's.
pub fn known_keys() -> Vec<String> {
    let ours = SETTINGS.iter().map(|setting| format!("sluice.{}", setting.key));
    ours.chain(ConfigOptions::default().entries().into_iter().map(|entry| entry.key)).chain(runtime_keys()).collect()
}

/// Whether a key belongs to a session, so that a client's value goes with it to the driver.
pub(crate) fn is_session_key(key: &str) -> bool {
    match key.strip_prefix("sluice.") {
        Some(key) => Setting::find(key).is_some_and(|(_, setting)| setting.scope == Scope::Session),
        None => true,
    }
}

/// The text of the default of a key of Sluice's, where it has one.
pub(crate) fn default_text(key: &str) -> Option<String> {
    let (_, setting) = Setting::find(key.strip_prefix("sluice.")?)?;
    setting.default_value().map(|value| value.to_string())
}

/// The keys of DataFusion's caches and temporary files, but for those that Sluice has its own for.
fn runtime_keys() -> impl Iterator<Item = String> {
    let entries = RuntimeEnvBuilder::default().entries().into_iter().map(|entry| entry.key);
    entries.filter(|key| !REPLACED.iter().any(|(replaced, _)| replaced == key))
}

/// No setting has this key; says which one is near.
pub(super) fn not_found(key: &str) -> Error {
    let error = Error::new(ErrorCode::SettingNotFound, format!("setting \"{key}\" not found"));
    let known = known_keys();
    match nearest(key, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None => error.hint("SHOW ALL lists the settings"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str, value: &str) -> (ErrorCode, String, String) {
        let error = check_key(key, value).unwrap_err();
        (error.code(), error.message().to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn known_keys_with_good_values_pass() {
        check_key("sluice.memory.limit", "8GB").unwrap();
        check_key("datafusion.execution.batch_size", "4096").unwrap();
        check_key("datafusion.runtime.metadata_cache_limit", "1G").unwrap();
        check_key("datafusion.execution.parquet.compression", "zstd(3)").unwrap();
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        for (key, near) in [
            ("sluice.memory.limt", "sluice.memory.limit"),
            ("memory.limit", "sluice.memory.limit"),
            ("sluice.cluster.heartbeats", "sluice.cluster.heartbeat"),
            ("datafusion.execution.batchsize", "datafusion.execution.batch_size"),
        ] {
            let (code, message, hint) = refused(key, "1");
            assert_eq!(code, ErrorCode::SettingNotFound, "{key}");
            assert_eq!(message, format!("setting \"{key}\" not found"));
            assert_eq!(hint, format!("did you mean \"{near}\"?"));
        }
        assert_eq!(refused("colour", "red").2, "SHOW ALL lists the settings");
    }

    #[test]
    fn bad_values_are_refused_with_the_reason() {
        let (code, message, hint) = refused("datafusion.execution.batch_size", "many");
        assert_eq!(code, ErrorCode::SettingInvalid);
        assert_eq!(message, "setting \"datafusion.execution.batch_size\" does not take the value \"many\"");
        assert_eq!(hint, "DataFusion says: invalid digit found in string");
        assert_eq!(refused("sluice.cluster.heartbeat", "2").0, ErrorCode::SettingInvalid);
    }

    #[test]
    fn settings_that_sluice_replaces_lead_to_its_own() {
        let (code, _, hint) = refused("datafusion.runtime.memory_limit", "1G");
        assert_eq!((code, hint.as_str()), (ErrorCode::SettingNotFound, "set \"sluice.memory.limit\" instead"));
    }

    #[test]
    fn secrets_and_places_stay_with_their_process() {
        for (key, travels) in [
            ("sluice.execution.partitions", true),
            ("datafusion.execution.batch_size", true),
            ("sluice.s3.secret_access_key", false),
            ("sluice.catalog.path", false),
            ("sluice.memory.limit", false),
        ] {
            assert_eq!(is_session_key(key), travels, "{key}");
        }
    }

    #[test]
    fn known_keys_hold_both_kinds_once() {
        let keys = known_keys();
        for key in ["sluice.master", "sluice.azure.access_key", "datafusion.execution.batch_size"] {
            assert_eq!(keys.iter().filter(|known| *known == key).count(), 1, "{key}");
        }
    }
}
