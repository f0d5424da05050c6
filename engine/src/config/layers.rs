//! The two weakest layers of settings: `sluice.toml`, then the environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{check_key, known_keys};
use crate::error::{Error, ErrorCode, Result, nearest};

/// The file that is read from the working folder unless another one is named.
const FILE_NAME: &str = "sluice.toml";

/// The variable that names another file.
const FILE_VARIABLE: &str = "SLUICE_CONFIG";

const VARIABLE_PREFIX: &str = "SLUICE_";

/// Variables with the prefix that are no settings.
const OTHER_VARIABLES: [&str; 7] = [
    FILE_VARIABLE,
    "SLUICE_BIN",
    "SLUICE_CHAOS_SEEDS",
    "SLUICE_COMMIT",
    "SLUICE_EXAMPLE_DIR",
    "SLUICE_LOG",
    "SLUICE_REGENERATE",
];

/// The settings of the file and then of the environment, as keys and values, the weakest first.
///
/// The file is the given one, else the one that `SLUICE_CONFIG` names, else `sluice.toml` in the working folder, which
/// alone need not exist. Its tables are sections: `limit = "8GB"` under `[memory]` is `sluice.memory.limit`, and
/// what stands under `[datafusion.execution]` keeps its name. In the environment, `SLUICE_MEMORY__LIMIT` is
/// `sluice.memory.limit`. Unknown keys and bad values are refused with the file and line, or the variable, that has
/// them.
pub fn load_layers(file: Option<&Path>) -> Result<Vec<(String, String)>> {
    let named = file.map(Path::to_path_buf).or_else(|| {
        let path = env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty())?;
        Some(PathBuf::from(path))
    });
    let mut settings = match named {
        Some(path) => from_text(&path, &fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?)?,
        None => match fs::read_to_string(FILE_NAME) {
            Ok(text) => from_text(Path::new(FILE_NAME), &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(Path::new(FILE_NAME), error)),
        },
    };
    settings.extend(from_variables(env::vars_os())?);
    Ok(settings)
}

/// The variable that sets a key of Sluice: `SLUICE_MEMORY__LIMIT` for `sluice.memory.limit`.
pub fn environment_name(key: &str) -> String {
    let key = key.strip_prefix("sluice.").unwrap_or(key);
    format!("{VARIABLE_PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => ErrorCode::FileNotFound,
        io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
        _ => ErrorCode::Storage,
    };
    Error::new(code, format!("cannot read the settings in \"{}\": {error}", path.display())).caused_by(error)
}

fn from_text(path: &Path, text: &str) -> Result<Vec<(String, String)>> {
    let place = |offset: usize| {
        let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", path.display())
    };
    let table = DeTable::parse(text).map_err(|error| {
        let at = place(error.span().map_or(0, |span| span.start));
        Error::new(ErrorCode::SettingInvalid, format!("{at}: not TOML: {}", error.message().trim()))
    })?;
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut found);
    let mut settings = Vec::with_capacity(found.len());
    for (key, value, offset) in found {
        let text = scalar_text(value.get_ref()).ok_or_else(|| {
            let message = format!("{}: setting \"{key}\" does not take a TOML {}", place(offset), kind_of(value));
            Error::new(ErrorCode::SettingInvalid, message).hint("write one text, number or bool")
        })?;
        check_key(&key, &text).map_err(|error| located(error, &place(offset)))?;
        settings.push((key, text, offset));
    }
    // A file says everything once, so its own order means nothing to people; by line is what they expect.
    settings.sort_by_key(|(_, _, offset)| *offset);
    Ok(settings.into_iter().map(|(key, text, _)| (key, text)).collect())
}

fn flatten<'a, 'i>(section: &str, table: &'a DeTable<'i>, found: &mut Vec<(String, &'a Spanned<DeValue<'i>>, usize)>) {
    for (name, value) in table {
        let key = match (section, name.get_ref().as_ref()) {
            ("", root @ ("datafusion" | "sluice")) => root.to_string(),
            ("", name) => format!("sluice.{name}"),
            (section, name) => format!("{section}.{name}"),
        };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&key, inner, found),
            _ => found.push((key, value, name.span().start)),
        }
    }
}

fn scalar_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn kind_of(value: &Spanned<DeValue<'_>>) -> &'static str {
    value.get_ref().type_str()
}

fn from_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        if OTHER_VARIABLES.contains(&name) {
            continue;
        }
        let key = format!("sluice.{}", key.to_lowercase().replace("__", "."));
        let known = known_keys();
        if !known.contains(&key) {
            return Err(unknown_variable(name, &known));
        }
        let value = value.into_string().map_err(|_| {
            Error::new(ErrorCode::SettingInvalid, format!("the variable {name} does not hold Unicode text"))
        })?;
        check_key(&key, &value).map_err(|error| located(error, name))?;
        settings.push((key, value));
    }
    // The environment has no order of its own.
    settings.sort();
    Ok(settings)
}

fn unknown_variable(name: &str, known: &[String]) -> Error {
    let names: Vec<String> =
        known.iter().filter(|key| key.starts_with("sluice.")).map(|key| environment_name(key)).collect();
    let error = Error::new(ErrorCode::SettingNotFound, format!("the variable {name} stands for no setting"));
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("a section and its key are parted by two underscores: SLUICE_MEMORY__LIMIT"),
    }
}

fn located(error: Error, place: &str) -> Error {
    let moved = Error::new(error.code(), format!("{place}: {}", error.message()));
    match error.hint_text() {
        Some(hint) => moved.hint(hint),
        None => moved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<(String, String)>> {
        from_text(Path::new("sluice.toml"), text)
    }

    fn variables(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        from_variables(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn tables_are_sections() {
        let text = "master = \"local[4]\"\n[memory]\nlimit = \"8GB\"\n[cluster]\njob_attempts = 0x5\n\
                    [datafusion.execution]\nbatch_size = 4_096\n[sluice.s3]\nregion = \"eu\"\nallow_http = true\n";
        let expected = [
            ("sluice.master", "local[4]"),
            ("sluice.memory.limit", "8GB"),
            ("sluice.cluster.job_attempts", "5"),
            ("datafusion.execution.batch_size", "4096"),
            ("sluice.s3.region", "eu"),
            ("sluice.s3.allow_http", "true"),
        ];
        assert_eq!(parse(text).unwrap(), owned(&expected));
    }

    #[test]
    fn problems_in_the_file_have_their_line() {
        let error = parse("[memory]\nlimit = \"8GB\"\nlimt = \"8GB\"\n").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingNotFound);
        assert_eq!(error.message(), "sluice.toml:3: setting \"sluice.memory.limt\" not found");
        assert_eq!(error.hint_text(), Some("did you mean \"sluice.memory.limit\"?"));

        let error = parse("\n[memory]\nlimit = \"lots\"\n").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
        assert!(error.message().starts_with("sluice.toml:3: "), "{error}");

        let error = parse("[memory]\nlimit = [1]\n").unwrap_err();
        assert_eq!(error.message(), "sluice.toml:2: setting \"sluice.memory.limit\" does not take a TOML array");

        let error = parse("[memory]\nlimit = \n").unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
        assert!(error.message().starts_with("sluice.toml:2: not TOML: "), "{error}");
    }

    #[test]
    fn variables_become_keys() {
        let found = variables(&[
            ("SLUICE_MEMORY__LIMIT", "2GiB"),
            ("SLUICE_MASTER", "local[2]"),
            ("SLUICE_CLUSTER__EXECUTOR_TIMEOUT", "20s"),
            ("SLUICE_CONFIG", "other.toml"),
            ("SLUICE_LOG", "debug"),
            ("DATAFUSION_EXECUTION_BATCH_SIZE", "1"),
            ("PATH", "/bin"),
        ]);
        let expected = [
            ("sluice.cluster.executor_timeout", "20s"),
            ("sluice.master", "local[2]"),
            ("sluice.memory.limit", "2GiB"),
        ];
        assert_eq!(found.unwrap(), owned(&expected));
    }

    #[test]
    fn unknown_variables_name_the_nearest() {
        let error = variables(&[("SLUICE_MEMORY_LIMIT", "2GiB")]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingNotFound);
        assert_eq!(error.message(), "the variable SLUICE_MEMORY_LIMIT stands for no setting");
        assert_eq!(error.hint_text(), Some("did you mean SLUICE_MEMORY__LIMIT?"));
        let error = variables(&[("SLUICE_MEMORY__LIMIT", "lots")]).unwrap_err();
        assert!(error.message().starts_with("SLUICE_MEMORY__LIMIT: "), "{error}");
    }

    #[test]
    fn every_key_has_a_variable_that_leads_back_to_it() {
        assert_eq!(environment_name("sluice.memory.spill_path"), "SLUICE_MEMORY__SPILL_PATH");
        assert_eq!(environment_name("sluice.master"), "SLUICE_MASTER");
        for key in known_keys().into_iter().filter(|key| key.starts_with("sluice.")) {
            let name = environment_name(&key);
            let back = name.strip_prefix("SLUICE_").unwrap().to_lowercase().replace("__", ".");
            assert_eq!(format!("sluice.{back}"), key);
        }
    }

    #[test]
    fn named_file_has_to_exist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.toml");
        assert_eq!(load_layers(Some(&path)).unwrap_err().code(), ErrorCode::FileNotFound);
        fs::write(&path, "[execution]\npartitions = 10\n").unwrap();
        let first = load_layers(Some(&path)).unwrap().swap_remove(0);
        assert_eq!(first, ("sluice.execution.partitions".to_string(), "10".to_string()));
    }
}
