//! Builds the store behind a URL's scheme and authority.

use std::sync::Arc;

use hdfs_native_object_store::HdfsObjectStoreBuilder;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::ClientOptions;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, RetryConfig};
use url::{Position, Url};

use super::{StorageOptions, hadoop};
use crate::error::{Error, ErrorCode, Result};

const SCHEMES: &str = "file, s3, s3a, gs, gcs, az, abfs, abfss, hdfs, viewfs, http, https";

/// A new store for the place that `url` names; its path does not matter.
pub(super) fn build_store(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    match url.scheme() {
        "file" => Ok(Arc::new(LocalFileSystem::new())),
        "s3" | "s3a" => s3(url, options),
        "gs" | "gcs" => gcs(url, options),
        "az" | "abfs" | "abfss" => azure(url, options),
        "hdfs" | "viewfs" => hdfs(url, options),
        "http" | "https" => http(url, options),
        other => {
            Err(Error::new(ErrorCode::InvalidArgument, format!("no store for the scheme `{other}` of {}", shown(url)))
                .hint(format!("the schemes are {SCHEMES}; a path without a scheme is a local file")))
        }
    }
}

/// The URL without a password, for messages.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // A URL that has a password can lose it.
        let _ = url.set_password(None);
    }
    url.to_string()
}

fn refused(url: &Url, hint: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorCode::SettingInvalid, format!("could not set up the store of {}: {error}", shown(url)))
        .hint(hint)
        .caused_by(error)
}

fn host(url: &Url, kind: &str) -> Result<String> {
    match url.host_str() {
        Some(host) if !host.is_empty() => Ok(host.to_string()),
        _ => Err(Error::new(ErrorCode::InvalidArgument, format!("{} names no {kind}", shown(url)))
            .hint(format!("write {}://<{kind}>/<path>", url.scheme()))),
    }
}

/// How often, and with which pauses, a request is sent again.
fn retry(options: &StorageOptions) -> RetryConfig {
    let mut retry = RetryConfig::default();
    if let Some(retries) = options.retries {
        retry.max_retries = usize::try_from(retries).unwrap_or(usize::MAX);
    }
    retry
}

fn s3(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(host(url, "bucket")?).with_retry(retry(options));
    if let Some(endpoint) = &options.s3_endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &options.s3_region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &options.s3_access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &options.s3_secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    if let Some(token) = &options.s3_session_token {
        builder = builder.with_token(token);
    }
    // Unset means "as the environment says", so only `true` overrides it.
    if options.s3_allow_http {
        builder = builder.with_allow_http(true);
    }
    if options.s3_virtual_hosted {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    let hint = "set sluice.s3.endpoint, sluice.s3.region, sluice.s3.access_key_id and sluice.s3.secret_access_key";
    Ok(Arc::new(builder.build().map_err(|error| refused(url, hint, error))?))
}

fn gcs(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    let mut builder =
        GoogleCloudStorageBuilder::from_env().with_bucket_name(host(url, "bucket")?).with_retry(retry(options));
    if let Some(path) = &options.gcs_service_account_path {
        builder = builder.with_service_account_path(path);
    }
    Ok(Arc::new(builder.build().map_err(|error| refused(url, "set sluice.gcs.service_account_path", error))?))
}

fn azure(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    host(url, "container")?;
    let mut builder = MicrosoftAzureBuilder::from_env().with_retry(retry(options));
    if let Some(account) = &options.azure_account {
        builder = builder.with_account(account);
    }
    if let Some(key) = &options.azure_access_key {
        builder = builder.with_access_key(key);
    }
    let hint = "set sluice.azure.account and sluice.azure.access_key";
    let built = builder.with_url(url.as_str()).build();
    Ok(Arc::new(built.map_err(|error| refused(url, hint, error))?))
}

fn hdfs(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    host(url, "name node or name service")?;
    let mut builder = HdfsObjectStoreBuilder::new().with_url(&url[..Position::BeforePath]);
    if let Some(folder) = &options.hdfs_config_dir {
        builder = builder.with_config(hadoop::read_site_files(folder)?);
    }
    Ok(Arc::new(builder.build().map_err(|error| refused(url, "set sluice.hdfs.config_dir", error))?))
}

fn http(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>> {
    host(url, "server")?;
    let client = ClientOptions::new().with_allow_http(true);
    let built = HttpBuilder::new()
        .with_url(&url[..Position::BeforePath])
        .with_client_options(client)
        .with_retry(retry(options))
        .build();
    Ok(Arc::new(built.map_err(|error| refused(url, "check the server's name", error))?))
}
