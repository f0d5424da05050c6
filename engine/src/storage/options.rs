//! What the stores need to know: endpoints and credentials.

use std::fmt;

/// Settings of the object stores. An unset value falls back to the store's own environment variables (`AWS_…`,
/// `GOOGLE_…`, `AZURE_…`, `HADOOP_CONF_DIR`).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StorageOptions {
    /// How often a request is sent again; the store clients' own default unless set. HDFS has its own.
    pub retries: Option<u64>,
    /// URL of an S3-compatible server, `http://127.0.0.1:9000` for instance.
    pub s3_endpoint: Option<String>,
    /// Region of the buckets.
    pub s3_region: Option<String>,
    /// Access key.
    pub s3_access_key_id: Option<String>,
    /// Secret of the access key.
    pub s3_secret_access_key: Option<String>,
    /// Token of temporary credentials.
    pub s3_session_token: Option<String>,
    /// Whether an endpoint may be plain `http://`.
    pub s3_allow_http: bool,
    /// Whether the bucket is part of the host name instead of the path.
    pub s3_virtual_hosted: bool,
    /// Folder of `core-site.xml` and `hdfs-site.xml`.
    pub hdfs_config_dir: Option<String>,
    /// JSON key file of a Google service account.
    pub gcs_service_account_path: Option<String>,
    /// Azure storage account.
    pub azure_account: Option<String>,
    /// Key of the Azure storage account.
    pub azure_access_key: Option<String>,
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "***");
        f.debug_struct("StorageOptions")
            .field("retries", &self.retries)
            .field("s3_endpoint", &self.s3_endpoint)
            .field("s3_region", &self.s3_region)
            .field("s3_access_key_id", &self.s3_access_key_id)
            .field("s3_secret_access_key", &hidden(&self.s3_secret_access_key))
            .field("s3_session_token", &hidden(&self.s3_session_token))
            .field("s3_allow_http", &self.s3_allow_http)
            .field("s3_virtual_hosted", &self.s3_virtual_hosted)
            .field("hdfs_config_dir", &self.hdfs_config_dir)
            .field("gcs_service_account_path", &self.gcs_service_account_path)
            .field("azure_account", &self.azure_account)
            .field("azure_access_key", &hidden(&self.azure_access_key))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_every_secret() {
        let options = StorageOptions {
            s3_access_key_id: Some("visible".into()),
            s3_secret_access_key: Some("sesame-1".into()),
            s3_session_token: Some("sesame-2".into()),
            azure_access_key: Some("sesame-3".into()),
            ..StorageOptions::default()
        };
        let text = format!("{options:?}");
        assert!(text.contains("visible"));
        assert!(!text.contains("sesame"), "{text}");
        assert_eq!(text.matches("***").count(), 3);
    }
}
