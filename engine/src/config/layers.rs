//! Settings from outside the session, the weakest first: `sluice.toml`, then the environment.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::check_key;
use crate::error::{Error, ErrorCode, Place, Result};

/// The file that is read where no other is named.
const FILE: &str = "sluice.toml";
const FILE_VARIABLE: &str = "SLUICE_CONFIG";
/// Variables of Sluice that are not settings.
const NOT_SETTINGS: &[&str] = &[FILE_VARIABLE, "SLUICE_BIN", "SLUICE_LOG", "SLUICE_EXAMPLE_DIR", "SLUICE_REGENERATE"];

/// Keys and values of `sluice.toml` (the given file, or that of `SLUICE_CONFIG`, or the one in the working folder) and
/// then of the environment (`SLUICE_MEMORY__LIMIT` for `sluice.memory.limit`). A later value for the same key wins.
pub fn load_layers(file: Option<&Path>) -> Result<Vec<(String, String)>> {
    let named = file.map(Path::to_path_buf).or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from));
    let mut settings = match named {
        Some(file) => read_file(&file)?,
        None if Path::new(FILE).is_file() => read_file(Path::new(FILE))?,
        None => Vec::new(),
    };
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("SLUICE_") && !NOT_SETTINGS.contains(&name.as_str()))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let key = key_of_variable(&name);
        check_key(&key, &value).map_err(|error| from(&error, &format!("environment variable {name}")))?;
        settings.push((key, value));
    }
    Ok(settings)
}

/// The variable that sets a key: `SLUICE_MEMORY__LIMIT` for `sluice.memory.limit`.
pub fn environment_name(key: &str) -> String {
    let rest = key.strip_prefix("sluice.").unwrap_or(key);
    format!("SLUICE_{}", rest.replace('.', "__").to_ascii_uppercase())
}

fn key_of_variable(name: &str) -> String {
    let rest = name.strip_prefix("SLUICE_").unwrap_or(name);
    format!("sluice.{}", rest.to_ascii_lowercase().replace("__", "."))
}

fn read_file(file: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorCode::FileNotFound, format!("cannot read {}", file.display()))
            .hint("name the file of settings with --config or SLUICE_CONFIG")
            .caused_by(error)
    })?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::new(ErrorCode::SettingInvalid, format!("{}:{line}: {}", file.display(), error.message()))
            .at(Place { line, column: 1, length: 1 })
    })?;
    let mut settings = Vec::new();
    flatten("", &table, &mut settings);
    settings
        .into_iter()
        .map(|(key, value)| {
            let key = if key.starts_with("datafusion.") { key } else { format!("sluice.{key}") };
            check_key(&key, &value).map_err(|error| {
                let last = key.rsplit('.').next().unwrap_or_default();
                let line = text.lines().position(|line| line.trim_start().starts_with(last)).map_or(1, |at| at + 1);
                from(&error, &format!("{}:{line}", file.display()))
            })?;
            Ok((key, value))
        })
        .collect()
}

fn flatten(prefix: &str, table: &Table, settings: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, settings),
            Value::String(text) => settings.push((key, text.clone())),
            other => settings.push((key, other.to_string())),
        }
    }
}

/// The same error, told where the setting stands.
fn from(error: &Error, origin: &str) -> Error {
    let placed = Error::new(error.code(), format!("{origin}: {}", error.message()));
    match error.hint_text() {
        Some(hint) => placed.hint(hint),
        None => placed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn sections_become_keys() {
        let file = file("master = \"local[2]\"\n[memory]\nlimit = \"8GB\"\n[datafusion.execution]\nbatch_size = 4096\n");
        let settings = read_file(file.path()).unwrap();
        let expected = [
            ("datafusion.execution.batch_size", "4096"),
            ("sluice.master", "local[2]"),
            ("sluice.memory.limit", "8GB"),
        ];
        let mut found: Vec<(&str, &str)> =
            settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest() {
        let file = file("[memory]\n\nlimt = \"8GB\"\n");
        let error = read_file(file.path()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingNotFound);
        assert!(error.message().contains(":3: no setting `sluice.memory.limt`"), "{error}");
        assert_eq!(error.hint_text(), Some("did you mean sluice.memory.limit?"));
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = read_file(file("a = 1\nb = = 2\n").path()).unwrap_err();
        assert!(error.message().contains(":2:"), "{error}");
    }

    #[test]
    fn variables_and_keys_name_each_other() {
        assert_eq!(environment_name("sluice.cluster.message_limit"), "SLUICE_CLUSTER__MESSAGE_LIMIT");
        assert_eq!(key_of_variable("SLUICE_CLUSTER__MESSAGE_LIMIT"), "sluice.cluster.message_limit");
        assert_eq!(key_of_variable("SLUICE_MASTER"), "sluice.master");
    }
}
