//! The registry of stores: builds one store per scheme and authority, once, and keeps it.
//!
//! One instance matters: a store holds its connection pool and its cached credentials.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use parking_lot::Mutex;
use url::{Position, Url};

use super::{StorageOptions, build::build_store};
use crate::error::{Error, ErrorCode, Result};

/// The stores of a process, by scheme and authority. Stores for known schemes are built at their first use.
pub struct StoreRegistry {
    inner: Mutex<Inner>,
}

struct Inner {
    options: StorageOptions,
    stores: HashMap<String, Entry>,
}

struct Entry {
    store: Arc<dyn ObjectStore>,
    /// Registered by a caller, so new options do not replace it.
    registered: bool,
}

impl StoreRegistry {
    /// A registry that builds stores from `options`.
    pub fn new(options: StorageOptions) -> Self {
        Self { inner: Mutex::new(Inner { options, stores: HashMap::new() }) }
    }

    /// Takes new options: stores built from other ones are built anew at their next use, registered ones stay.
    pub fn set_options(&self, options: StorageOptions) {
        let mut inner = self.inner.lock();
        if inner.options != options {
            inner.options = options;
            inner.stores.retain(|_, entry| entry.registered);
        }
    }

    /// The store of `url`, the same instance at every call.
    ///
    /// # Errors
    /// `InvalidArgument` for a scheme without a store, `SettingInvalid` where the store's settings do not do.
    pub fn store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let key = store_key(url);
        let mut inner = self.inner.lock();
        if let Some(entry) = inner.stores.get(&key) {
            return Ok(Arc::clone(&entry.store));
        }
        let store = build_store(url, &inner.options)?;
        inner.stores.insert(key, Entry { store: Arc::clone(&store), registered: false });
        Ok(store)
    }
}

impl fmt::Debug for StoreRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        let mut places: Vec<_> = inner.stores.keys().collect();
        places.sort();
        f.debug_struct("StoreRegistry").field("options", &inner.options).field("places", &places).finish()
    }
}

impl ObjectStoreRegistry for StoreRegistry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        let entry = Entry { store, registered: true };
        self.inner.lock().stores.insert(store_key(url), entry).map(|old| old.store)
    }

    fn deregister_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        let key = store_key(url);
        self.inner.lock().stores.remove(&key).map(|entry| entry.store).ok_or_else(|| {
            let error = Error::new(ErrorCode::InvalidArgument, format!("no store is registered for {key}"));
            DataFusionError::External(Box::new(error))
        })
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        self.store(url).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

/// Scheme and authority. In `abfss://container@account…` the user name is the container, so it belongs to the place;
/// a password never does.
fn store_key(url: &Url) -> String {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    match url.username() {
        "" => format!("{}://{host}", url.scheme()),
        user => format!("{}://{user}@{host}", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn s3_options() -> StorageOptions {
        StorageOptions {
            s3_endpoint: Some("http://127.0.0.1:1".into()),
            s3_region: Some("eu-central-1".into()),
            s3_access_key_id: Some("key".into()),
            s3_secret_access_key: Some("secret".into()),
            s3_allow_http: true,
            ..StorageOptions::default()
        }
    }

    #[test]
    fn one_instance_per_place() {
        let registry = StoreRegistry::new(s3_options());
        let first = registry.get_store(&url("s3://one/a")).unwrap();
        assert!(Arc::ptr_eq(&first, &registry.get_store(&url("s3://one/b/c")).unwrap()));
        assert!(!Arc::ptr_eq(&first, &registry.get_store(&url("s3://two/a")).unwrap()));
    }

    #[test]
    fn every_scheme_builds() {
        let options = StorageOptions {
            azure_account: Some("account".into()),
            azure_access_key: Some("c2VjcmV0".into()),
            ..s3_options()
        };
        let registry = StoreRegistry::new(options);
        for place in [
            "file:///tmp/x",
            "s3a://bucket/x",
            "gs://bucket/x",
            "az://container/x",
            "abfss://container@account.dfs.core.windows.net/x",
            "hdfs://127.0.0.1:9000/x",
            "http://127.0.0.1:1/x",
            "https://127.0.0.1:1/x",
        ] {
            registry.get_store(&url(place)).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }

    #[test]
    fn containers_of_one_account_are_two_places() {
        let one = url("abfss://one@account.dfs.core.windows.net/x");
        let two = url("abfss://two@account.dfs.core.windows.net/x");
        assert_ne!(store_key(&one), store_key(&two));
        assert!(!store_key(&url("s3://user:sesame@bucket/x")).contains("sesame"));
    }

    #[test]
    fn a_registered_store_wins_and_outlives_new_options() {
        let registry = StoreRegistry::new(StorageOptions::default());
        let own: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        assert!(registry.register_store(&url("memory://own"), Arc::clone(&own)).is_none());
        registry.set_options(s3_options());
        assert!(Arc::ptr_eq(&own, &registry.get_store(&url("memory://own/x")).unwrap()));
        registry.deregister_store(&url("memory://own")).unwrap();
        assert!(registry.get_store(&url("memory://own/x")).is_err());
    }

    #[test]
    fn new_options_rebuild_the_stores() {
        let registry = StoreRegistry::new(s3_options());
        let before = registry.store(&url("s3://one/a")).unwrap();
        registry.set_options(s3_options());
        assert!(Arc::ptr_eq(&before, &registry.store(&url("s3://one/a")).unwrap()));
        registry.set_options(StorageOptions { s3_region: Some("us-west-2".into()), ..s3_options() });
        assert!(!Arc::ptr_eq(&before, &registry.store(&url("s3://one/a")).unwrap()));
    }

    #[test]
    fn an_unknown_scheme_names_the_url_and_the_known_ones() {
        let error = StoreRegistry::new(StorageOptions::default()).store(&url("ftp://host/file")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.message().contains("ftp://host/file"), "{error}");
        assert!(error.hint_text().unwrap().contains("s3"), "{error}");
    }

    #[test]
    fn a_bad_setting_is_named() {
        let options =
            StorageOptions { gcs_service_account_path: Some("/no/such/key.json".into()), ..StorageOptions::default() };
        let error = StoreRegistry::new(options).store(&url("gs://bucket/x")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SettingInvalid);
        assert!(error.message().contains("gs://bucket/x"), "{error}");
        assert_eq!(error.hint_text(), Some("set sluice.gcs.service_account_path"));
    }
}
