//! Paths as users write them: relative ones and `~` become absolute, URLs stay as they are.

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::error::{Error, ErrorCode, Result};

/// The URL of a path or URL. Relative paths resolve against the working folder, `~` against the user's home.
/// A path that ends with `/`, or names a folder that exists, gives a URL that ends with `/`.
///
/// # Errors
/// `InvalidArgument` when the text is no URL, or when a path has to be resolved and there is no working folder.
pub fn absolute_url(path: &str) -> Result<Url> {
    let location = absolute_location(path)?;
    if has_scheme(&location) {
        return Url::parse(&location).map_err(|error| {
            Error::new(ErrorCode::InvalidArgument, format!("`{path}` is not a URL: {error}")).caused_by(error)
        });
    }
    let url =
        if location.ends_with('/') { Url::from_directory_path(&location) } else { Url::from_file_path(&location) };
    url.map_err(|()| Error::new(ErrorCode::InvalidArgument, format!("`{path}` cannot be written as a file URL")))
}

/// As [`absolute_url`], but keeps a local path a path: DataFusion reads `*`, `?` and `[` as a pattern only there.
///
/// # Errors
/// As [`absolute_url`].
pub fn absolute_location(path: &str) -> Result<String> {
    if path.trim().is_empty() {
        return Err(Error::new(ErrorCode::InvalidArgument, "the location is empty"));
    }
    if has_scheme(path) {
        return Ok(path.to_string());
    }
    let mut absolute = normalize(&working_path(path)?);
    let is_folder = path.ends_with('/') || absolute.is_dir();
    if is_folder {
        absolute.push("");
    }
    absolute.into_os_string().into_string().map_err(|text| {
        let shown = text.to_string_lossy().into_owned();
        Error::new(ErrorCode::InvalidArgument, format!("the path `{shown}` is not valid UTF-8"))
    })
}

/// Whether the text names its scheme. `Url::parse` alone would take the `a` of `a:b` for one.
pub(super) fn has_scheme(path: &str) -> bool {
    match path.split_once(':') {
        Some((scheme, rest)) => {
            let is_scheme = scheme.chars().next().is_some_and(|first| first.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
            is_scheme && (rest.starts_with("//") || scheme == "file")
        }
        None => false,
    }
}

fn working_path(path: &str) -> Result<PathBuf> {
    let home_relative = if path == "~" { Some("") } else { path.strip_prefix("~/") };
    if let Some(rest) = home_relative {
        let home = dirs::home_dir().ok_or_else(|| {
            Error::new(ErrorCode::InvalidArgument, format!("`{path}` needs a home folder and there is none"))
                .hint("set $HOME, or write the whole path")
        })?;
        return Ok(home.join(rest));
    }
    if Path::new(path).is_absolute() {
        return Ok(PathBuf::from(path));
    }
    let folder = std::env::current_dir().map_err(|error| {
        Error::new(ErrorCode::InvalidArgument, format!("`{path}` is relative and there is no working folder"))
            .caused_by(error)
    })?;
    Ok(folder.join(path))
}

/// Removes `.` and `..` by the text alone: symbolic links stay in the names that users know.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_stay_as_they_are() {
        for url in ["s3://bucket/a/b.parquet", "hdfs://name/a/", "file:///tmp/x.csv"] {
            assert_eq!(absolute_url(url).unwrap().as_str(), url);
            assert_eq!(absolute_location(url).unwrap(), url);
        }
    }

    #[test]
    fn relative_paths_resolve_against_the_working_folder() {
        let folder = std::env::current_dir().unwrap();
        let expected = format!("file://{}/no-such/out.csv", folder.display());
        assert_eq!(absolute_url("./x/../no-such/out.csv").unwrap().as_str(), expected);
    }

    #[test]
    fn tilde_is_the_home_folder() {
        let home = dirs::home_dir().unwrap();
        assert_eq!(absolute_location("~/no-such").unwrap(), home.join("no-such").to_str().unwrap());
    }

    #[test]
    fn folders_end_with_a_slash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(absolute_url(path).unwrap().as_str(), format!("file://{path}/"));
        assert_eq!(absolute_url("/no/such/").unwrap().as_str(), "file:///no/such/");
        assert_eq!(absolute_url("/no/such").unwrap().as_str(), "file:///no/such");
    }

    #[test]
    fn patterns_and_odd_names_survive() {
        assert_eq!(absolute_location("/data/*.parquet").unwrap(), "/data/*.parquet");
        assert_eq!(absolute_url("/data/a b?.csv").unwrap().as_str(), "file:///data/a%20b%3F.csv");
        assert_eq!(absolute_location("/data/a:b").unwrap(), "/data/a:b");
    }

    #[test]
    fn an_empty_location_is_refused() {
        assert_eq!(absolute_url(" ").unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}
