//! The one place that builds session state, function registry, codecs, configuration, object-store registry and
//! memory pool, for embedded use, client, driver and executor alike. Engines on Ballista return wrong rows when these
//! drift apart between processes; here they cannot.

mod functions;
mod memory;

use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;

use crate::config::SluiceConfig;
use crate::error::Result;
use crate::optimize;
use crate::partition::PartitionerRegistry;
use crate::plan::SluiceQueryPlanner;
use crate::storage::{StorageOptions, StoreRegistry};

pub use functions::FunctionSet;

/// What a process does with its plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Plans and runs in this process.
    Embedded,
    /// Builds plans for a driver, and never optimises them.
    Client,
    /// Plans for its executors.
    Driver,
    /// Runs the stages that a driver sends.
    Executor,
}

/// Builds every part of a session for one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EngineProfile {
    role: Role,
    settings: Vec<(String, String)>,
    config: SessionConfig,
    functions: Arc<FunctionSet>,
    stores: Arc<StoreRegistry>,
    partitioners: Arc<PartitionerRegistry>,
    runtime: Arc<RuntimeEnv>,
}

impl EngineProfile {
    /// A profile from settings, the weakest first. Unknown keys and bad values are refused.
    pub fn new(role: Role, settings: &[(String, String)]) -> Result<Self> {
        let config = session_config(settings)?;
        let sluice = SluiceConfig::of(&config);
        let stores = Arc::new(StoreRegistry::new(StorageOptions::from(&sluice)));
        let runtime = runtime_env(role, &sluice, Arc::clone(&stores))?;
        Ok(Self {
            role,
            settings: settings.to_vec(),
            config,
            functions: Arc::new(FunctionSet::standard()),
            stores,
            partitioners: Arc::new(PartitionerRegistry::standard()),
            runtime,
        })
    }

    /// The same with the partitioners of a user.
    #[must_use]
    pub fn with_partitioners(mut self, partitioners: Arc<PartitionerRegistry>) -> Self {
        self.partitioners = partitioners;
        self
    }

    /// What this process does with its plans.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The settings that the profile was made from, the weakest first.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// A session's starting configuration.
    pub fn session_config(&self) -> SessionConfig {
        self.config.clone()
    }

    /// Sluice's own settings.
    pub fn sluice_config(&self) -> SluiceConfig {
        SluiceConfig::of(&self.config)
    }

    /// The functions that every role resolves alike.
    pub fn functions(&self) -> &FunctionSet {
        &self.functions
    }

    /// The object stores of this process, one client a bucket.
    pub fn stores(&self) -> Arc<StoreRegistry> {
        Arc::clone(&self.stores)
    }

    /// The partitioners of this process. Those of users have to be registered in each process of a cluster.
    pub fn partitioners(&self) -> Arc<PartitionerRegistry> {
        Arc::clone(&self.partitioners)
    }

    /// Memory pool, spill files and object stores of this process.
    pub fn runtime_env(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.runtime)
    }

    /// The memory pool's size in bytes, or `None` where it has no bound.
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        memory::limit_bytes(&self.sluice_config())
    }

    /// The most bytes that operators of this process have held at a time. Nothing on an executor, whose tasks have pools
    /// of their own.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        memory::peak_bytes(self.runtime.memory_pool.as_ref())
    }

    /// A session over `catalogs`, with this profile's functions, planner and runtime.
    pub fn session_state(&self, catalogs: Arc<dyn CatalogProviderList>, config: SessionConfig) -> SessionState {
        self.state_builder(config).with_catalog_list(catalogs).build()
    }

    /// A session without a catalog, which is all that an executor or a job's planning needs.
    pub fn bare_state(&self, config: SessionConfig) -> SessionState {
        self.state_builder(config).build()
    }

    fn state_builder(&self, config: SessionConfig) -> SessionStateBuilder {
        let functions = &self.functions;
        let planner = SluiceQueryPlanner::new(self.stores(), self.partitioners());
        let planner = if self.role == Role::Embedded { planner.for_this_process() } else { planner };
        SessionStateBuilder::new()
            .with_default_features()
            .with_physical_optimizer_rules(optimize::rules())
            .with_config(config)
            .with_runtime_env(self.runtime_env())
            .with_query_planner(Arc::new(planner))
            .with_scalar_functions(functions.scalar.clone())
            .with_higher_order_functions(functions.higher_order.clone())
            .with_aggregate_functions(functions.aggregate.clone())
            .with_window_functions(functions.window.clone())
            .with_table_function_list(functions.table.clone())
    }
}

/// Keys of a join that fill their range to this share are looked up by their place in an array instead of by hash. An
/// array place is four bytes, a hash table takes some thirty for a row.
pub(crate) const MIN_KEY_DENSITY: f64 = 0.03;

/// DataFusion's configuration with Sluice's section and defaults, then the settings over it.
fn session_config(settings: &[(String, String)]) -> Result<SessionConfig> {
    // String views save nothing on this engine's benchmarks and cannot be shipped between stages without copying, so
    // they are off everywhere: a column has the same type embedded and on a cluster.
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        .set_bool("datafusion.sql_parser.collect_spans", true)
        .set("datafusion.execution.perfect_hash_join_min_key_density", &ScalarValue::Float64(Some(MIN_KEY_DENSITY)))
        .with_option_extension(SluiceConfig::default());
    for (key, value) in settings {
        crate::config::check_key(key, value)?;
        config.options_mut().set(key, value)?;
    }
    Ok(config)
}

fn runtime_env(role: Role, sluice: &SluiceConfig, stores: Arc<StoreRegistry>) -> Result<Arc<RuntimeEnv>> {
    // A listing that is kept never expires: files that another process writes would not show.
    let mut builder = RuntimeEnvBuilder::new().with_object_store_registry(stores).with_object_list_cache_limit(0);
    // An executor's pool is made a task at a time, from its share of the cores; a client runs nothing.
    if matches!(role, Role::Embedded | Role::Driver) {
        builder = builder.with_memory_pool(memory::pool(sluice));
    }
    if let Some(folder) = sluice.memory_spill_path() {
        builder = builder.with_temp_file_path(folder);
    }
    Ok(builder.build_arc()?)
}

impl From<&SluiceConfig> for StorageOptions {
    fn from(config: &SluiceConfig) -> Self {
        Self {
            retries: Some(config.store_retries()),
            s3_endpoint: config.s3_endpoint(),
            s3_region: config.s3_region(),
            s3_access_key_id: config.s3_access_key_id(),
            s3_secret_access_key: config.s3_secret_access_key(),
            s3_session_token: config.s3_session_token(),
            s3_allow_http: config.s3_allow_http(),
            s3_virtual_hosted: config.s3_virtual_hosted(),
            hdfs_config_dir: config.hdfs_config_dir(),
            gcs_service_account_path: config.gcs_service_account_path(),
            azure_account: config.azure_account(),
            azure_access_key: config.azure_access_key(),
        }
    }
}
