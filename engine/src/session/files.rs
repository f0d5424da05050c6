//! Files as tables without a statement: `FROM 'rows.parquet'`, and whole folders and patterns alike.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{TableProvider, UrlTableFactory};
use datafusion::datasource::listing::{ListingTable, ListingTableConfig, ListingTableConfigExt, ListingTableUrl};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use futures::FutureExt;
use parking_lot::RwLock;

use crate::error::{Error, ErrorCode};
use crate::storage::{absolute_location, matching_files};

/// The values of `column=value` folders as text. DataFusion makes them dictionaries, which lose their keys at the border of
/// two stages.
pub(crate) fn with_plain_partitions(mut config: ListingTableConfig) -> ListingTableConfig {
    let columns = config.options.iter_mut().flat_map(|options| options.table_partition_cols.iter_mut());
    for (_, data_type) in columns {
        if let DataType::Dictionary(_, value) = data_type {
            *data_type = value.as_ref().clone();
        }
    }
    config
}

/// Makes a table of a name that is a file's. Other names are none of its business.
#[derive(Default)]
pub(crate) struct FileTables {
    state: OnceLock<Weak<RwLock<SessionState>>>,
}

impl fmt::Debug for FileTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileTables")
    }
}

impl FileTables {
    /// Reads files with the settings of this session.
    pub(crate) fn bind(&self, state: Weak<RwLock<SessionState>>) {
        // A session is bound once, when it is made.
        let _ = self.state.set(state);
    }
}

#[async_trait]
impl UrlTableFactory for FileTables {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !name.contains(['/', '.']) {
            return Ok(None);
        }
        let Some(state) = self.state.get().and_then(Weak::upgrade) else { return Ok(None) };
        let state = state.read().clone();
        let urls = match matching_files(&state, name).await.map_err(DataFusionError::from)? {
            Some(files) => files,
            None => {
                let location = absolute_location(name).map_err(DataFusionError::from)?;
                let Ok(url) = ListingTableUrl::parse(&location) else { return Ok(None) };
                vec![url]
            }
        };
        if urls.is_empty() {
            return Ok(None);
        }
        let config = ListingTableConfig::new_with_multi_paths(urls);
        // Fails where there is no such file: then it is a table that is missing, or a file, as the name looks.
        let Ok(config) = config.infer_options(&state).await else { return Ok(None) };
        let config = with_plain_partitions(config.infer_partitions_from_path(&state).await?);
        // A reader of damaged files may panic instead of giving an error.
        let inferred = AssertUnwindSafe(config.infer_schema(&state)).catch_unwind().await.unwrap_or_else(|_| {
            let damaged = Error::new(ErrorCode::CorruptFile, format!("`{name}` is damaged"));
            Err(damaged.hint("is the file whole, and of the format that its name says?").into())
        });
        Ok(Some(Arc::new(ListingTable::try_new(inferred?)?)))
    }
}
