//! Reads Hadoop's `core-site.xml` and `hdfs-site.xml` from a folder that a setting names.
//!
//! The HDFS client finds such a folder by itself only through environment variables, which are one per process.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};

const SITE_FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// All properties of the site files in `folder`; later files win.
pub(super) fn read_site_files(folder: &str) -> Result<HashMap<String, String>> {
    let mut properties = HashMap::new();
    let mut found = false;
    for name in SITE_FILES {
        let path = Path::new(folder).join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                found = true;
                properties.extend(parse_site(&text));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("could not read {}: {error}", path.display());
                return Err(Error::new(ErrorCode::SettingInvalid, message).caused_by(error));
            }
        }
    }
    if found {
        Ok(properties)
    } else {
        let message = format!("neither core-site.xml nor hdfs-site.xml is in `{folder}`");
        Err(Error::new(ErrorCode::SettingInvalid, message)
            .hint("set sluice.hdfs.config_dir to Hadoop's configuration folder"))
    }
}

/// The `<property><name>…</name><value>…</value></property>` entries of a site file. Hadoop writes nothing else there.
fn parse_site(text: &str) -> HashMap<String, String> {
    let text = without_comments(text);
    text.split("<property>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</property>"))
        .filter_map(|(property, _)| Some((element(property, "name")?, element(property, "value")?)))
        .collect()
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

fn element(text: &str, tag: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (value, _) = rest.split_once(&format!("</{tag}>"))?;
    let value = value.trim();
    // `&amp;` last, or `&amp;lt;` would turn into `<`.
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(value.to_string(), |text, (entity, character)| text.replace(entity, character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_and_comments_are_not() {
        let text = r#"<?xml version="1.0"?>
            <configuration>
              <!-- <property><name>off</name><value>1</value></property> -->
              <property>
                <name>dfs.nameservices</name>
                <value> cluster </value>
                <final>true</final>
              </property>
              <property><name>a</name><value>x &amp;lt; &quot;y&quot;</value></property>
              <property><name>no.value</name></property>
            </configuration>"#;
        let expected = HashMap::from([
            ("dfs.nameservices".to_string(), "cluster".to_string()),
            ("a".to_string(), "x &lt; \"y\"".to_string()),
        ]);
        assert_eq!(parse_site(text), expected);
    }

    #[test]
    fn a_folder_without_site_files_is_a_setting_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_site_files(folder.path().to_str().unwrap()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
    }
}
