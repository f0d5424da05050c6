//! Locations with wildcards: `data/*/part-?.parquet`, `s3://bucket/**/*.csv`.

use datafusion::catalog::Session;
use datafusion::datasource::listing::ListingTableUrl;
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};

use super::location::{absolute_url, has_scheme};
use crate::error::{Error, ErrorCode, Result};

const WILDCARDS: [char; 3] = ['*', '?', '['];

/// Wildcards match within one folder; `**` matches folders of any depth.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The files that a location with wildcards names, by name; `None` for a location without, and for a local pattern
/// within one folder, which DataFusion resolves itself and takes the columns of `column=value` folders from.
pub(crate) async fn matching_files(session: &dyn Session, location: &str) -> Result<Option<Vec<ListingTableUrl>>> {
    let Some(first) = location.find(WILDCARDS) else { return Ok(None) };
    let (folder, pattern) = location.split_at(location[..first].rfind('/').map_or(0, |slash| slash + 1));
    if !pattern.contains('/') && !has_scheme(location) {
        return Ok(None);
    }
    let folder = ListingTableUrl::parse(absolute_url(if folder.is_empty() { "./" } else { folder })?.as_str())?;
    let pattern = Pattern::new(pattern).map_err(|error| {
        Error::new(ErrorCode::InvalidArgument, format!("`{location}` is not a pattern")).caused_by(error)
    })?;
    let store = session.runtime_env().object_store(&folder)?;
    let mut files = Vec::new();
    let mut listed = store.list(Some(folder.prefix()));
    loop {
        let file = match listed.try_next().await {
            Ok(Some(file)) => file,
            // A folder that is not there has no files.
            Ok(None) | Err(object_store::Error::NotFound { .. }) => break,
            Err(error) => return Err(super::store_error(error, &format!("list {}", folder.as_str()))),
        };
        let Some(rest) = folder.strip_prefix(&file.location) else { continue };
        let name = rest.collect::<Vec<_>>().join("/");
        if pattern.matches_with(&name, OPTIONS) {
            let mut url = url::Url::parse(folder.as_str()).map_err(|error| {
                Error::new(ErrorCode::InvalidArgument, format!("`{location}` is not a location")).caused_by(error)
            })?;
            url.set_path(&format!("/{}", file.location));
            files.push(ListingTableUrl::try_new(url, None)?);
        }
    }
    files.sort_by(|left, right| left.as_str().cmp(right.as_str()));
    Ok(Some(files))
}
