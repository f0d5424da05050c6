//! The one list of Sluice's settings. Each line declares a key, its kind, its default and its one sentence, and makes
//! the getter of [`SluiceConfig`] from them, so that none of these can drift from the others.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use super::SluiceConfig;
use super::memory;
use super::value::{Kind, Switch, Value};

/// A setting's declaration.
pub(super) struct Setting {
    /// The key without `sluice.`.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    /// Whether 0 is refused.
    pub(super) positive: bool,
    pub(super) scope: Scope,
    pub(super) description: &'static str,
}

/// What a setting belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A session: a client's value travels to the driver, and `SET` has an effect.
    Session,
    /// A process, which reads it when it starts.
    Process,
}

/// What a setting is when nobody sets it.
pub(super) enum Default {
    /// Nothing.
    None,
    /// The same on every machine.
    Fixed(Value),
    /// Found out on the machine; the words stand for it on the reference page.
    Machine(&'static str, fn() -> Value),
}

impl Setting {
    /// The declaration of a key, which is given without `sluice.`.
    pub(super) fn find(key: &str) -> Option<(usize, &'static Setting)> {
        SETTINGS.iter().enumerate().find(|(_, setting)| setting.key == key)
    }

    pub(super) fn default_value(&self) -> Option<Value> {
        match &self.default {
            Default::None => None,
            Default::Fixed(value) => Some(value.clone()),
            Default::Machine(_, find) => Some(find()),
        }
    }
}

const fn text(text: &'static str) -> Default {
    Default::Fixed(Value::Text(Cow::Borrowed(text)))
}

const fn size(bytes: u64) -> Default {
    Default::Fixed(Value::Size(bytes))
}

const fn count(number: u64) -> Default {
    Default::Fixed(Value::Count(number))
}

const fn seconds(number: u64) -> Default {
    Default::Fixed(Value::Duration(Duration::from_secs(number)))
}

const fn bool(value: bool) -> Default {
    Default::Fixed(Value::Bool(value))
}

const MIB: u64 = 1 << 20;

fn data_path(folder: &str) -> Value {
    static DATA: LazyLock<std::path::PathBuf> =
        LazyLock::new(|| dirs::data_dir().map_or_else(|| ".sluice".into(), |data| data.join("sluice")));
    Value::Text(Cow::Owned(DATA.join(folder).to_string_lossy().into_owned()))
}

/// The getter of one kind of setting: its type, and how it is made of the value.
macro_rules! getter {
    (Bool, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> bool {
            matches!(self.value($index), Some(Value::Bool(true)))
        }
    };
    (Count, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> u64 {
            if let Some(Value::Count(number)) = self.value($index) { *number } else { 0 }
        }
    };
    (Size, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        #[doc = ""]
        #[doc = "In bytes."]
        pub fn $getter(&self) -> u64 {
            if let Some(Value::Size(bytes)) = self.value($index) { *bytes } else { 0 }
        }
    };
    (Duration, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> Duration {
            if let Some(Value::Duration(duration)) = self.value($index) { *duration } else { Duration::ZERO }
        }
    };
    // Text that has a default is always there.
    (FullText, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> String {
            self.text($index).unwrap_or_default()
        }
    };
    (Text, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> Option<String> {
            self.text($index)
        }
    };
    (Secret, $getter:ident, $index:expr, $doc:literal) => {
        getter!(Text, $getter, $index, $doc);
    };
    (Switch, $getter:ident, $index:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $getter(&self) -> Switch {
            self.text($index).and_then(|text| Switch::parse(&text)).unwrap_or(Switch::Auto)
        }
    };
}

macro_rules! kind {
    (FullText) => {
        Kind::Text
    };
    ($kind:ident) => {
        Kind::$kind
    };
}

/// Which values of its kind a setting takes.
enum Range {
    Any,
    Positive,
}

macro_rules! settings {
    ($($key:literal: $kind:ident $getter:ident = $default:expr, $range:ident, $scope:ident, $doc:literal;)*) => {
        /// Every setting, in the order of the reference page: those of a section stand together.
        pub(super) static SETTINGS: &[Setting] = &[
            $(Setting {
                key: $key,
                kind: kind!($kind),
                default: $default,
                positive: matches!(Range::$range, Range::Positive),
                scope: Scope::$scope,
                description: $doc,
            },)*
        ];

        /// The settings' places in [`SETTINGS`].
        #[allow(non_camel_case_types, clippy::enum_variant_names)]
        #[derive(Clone, Copy)]
        enum Index {
            $($getter,)*
        }

        impl SluiceConfig {
            $(getter!($kind, $getter, Index::$getter as usize, $doc);)*
        }
    };
}

settings! {
    "master": FullText master = text("local[*]"), Any, Process,
        "Where statements run: `local[*]` or `local[N]` in this process, `local-cluster[N]` on N executor processes of this machine, `sluice://host:port` on a cluster.";

    "catalog.path": FullText catalog_path =
        Default::Machine("`sluice/catalog` in the user's data folder", || data_path("catalog")), Any, Process,
        "Folder that holds the names of persistent tables and views: a path, or a URL of any object store.";
    "warehouse.path": FullText warehouse_path =
        Default::Machine("`sluice/warehouse` in the user's data folder", || data_path("warehouse")), Any, Process,
        "Folder that holds the files of tables made by `CREATE TABLE … AS`: a path, or a URL of any object store.";

    "memory.limit": Size memory_limit_bytes =
        Default::Machine("70 % of the memory that the process may use", || Value::Size(memory::default_limit_bytes())),
        Any, Process,
        "Memory that the operators of a process share before they spill to disk; 0 is no bound.";
    "memory.spill_path": Text memory_spill_path = Default::None, Any, Process,
        "Folder for spilled rows; the system's folder for temporary files unless set, and an executor's work folder on a cluster.";

    "execution.partitions": Count execution_partitions = count(0), Any, Session,
        "Partitions of a job's exchanges; 0 chooses from the input's bytes and the cores.";
    "execution.bytes_per_partition": Size execution_bytes_per_partition = size(256 * MIB), Positive, Session,
        "Input bytes that are worth one partition, where partitions are chosen.";

    "skew.mode": Switch skew_mode = text("auto"), Any, Session,
        "Whether the rows of frequent keys are placed one by one: `off`, `on`, or `auto`, which looks at large inputs only.";
    "skew.min_input": Size skew_min_input_bytes = size(1024 * MIB), Any, Session,
        "Input bytes of a join or an aggregate from which on its keys are looked at, where `skew.mode` is `auto`.";
    "skew.copies": Count skew_copies_percent = count(10), Any, Session,
        "Rows of one side of a join that may be repeated for the frequent keys of the other, in percent of the other's rows.";

    "results.piece_size": Size results_piece_size_bytes = size(4 * MIB), Positive, Process,
        "Bytes of rows that a cluster sends to its client in one message.";
    "results.retention": Duration results_retention = seconds(3600), Positive, Process,
        "How long a cluster keeps a finished job's shuffle files and state.";

    "cluster.message_limit": Size cluster_message_limit_bytes = size(256 * MIB), Positive, Process,
        "Largest message between the processes of a cluster.";
    "cluster.heartbeat": Duration cluster_heartbeat = seconds(2), Positive, Process,
        "How often an executor says that it lives.";
    "cluster.executor_timeout": Duration cluster_executor_timeout = seconds(10), Positive, Process,
        "Silence after which an executor counts as lost and its tasks run elsewhere.";
    "cluster.job_attempts": Count cluster_job_attempts = count(3), Positive, Session,
        "How often a job is run before the loss of its executors fails it.";
    "cluster.start_timeout": Duration cluster_start_timeout = seconds(30), Positive, Process,
        "How long to wait for the processes of a local cluster, and for an executor's scheduler.";
    "cluster.broadcast_limit": Size cluster_broadcast_limit_bytes = size(128 * MIB), Any, Session,
        "Largest side of a join that is sent whole to every task instead of being exchanged; 0 never sends one.";
    "cluster.hash_join_limit": Size cluster_hash_join_limit_bytes = size(512 * MIB), Any, Session,
        "Largest build side of one hash join task; beyond it, joins sort and merge, which can spill.";
    "cluster.join_filter_rows": Count cluster_join_filter_rows = count(500_000), Any, Session,
        "Rows from which on a side of a join waits for the keys of the other, and drops what none of them matches before it is exchanged; 0 never waits.";
    "cluster.shuffle_compression": FullText cluster_shuffle_compression = text("lz4"), Any, Session,
        "How rows are compressed between stages: `none` where executors share a machine, `lz4`, or `zstd` where the network is slow.";
    "cluster.shuffle_checksums": Bool cluster_shuffle_checksums = bool(true), Any, Process,
        "Keeps a checksum of every block of rows between stages and compares it before the block is read: a damaged one is made anew instead of giving wrong rows.";
    "cluster.work_dir": Text cluster_work_dir = Default::None, Any, Process,
        "Folder for an executor's shuffle files; a fresh temporary folder unless set.";
    "cluster.session_idle": Duration cluster_session_idle = seconds(3600), Positive, Process,
        "How long a driver keeps a session that nobody uses.";

    "store.retries": Count store_retries = count(10), Any, Process,
        "How often a request is sent again to a store that fails or asks to slow down, with pauses that grow up to 15 s.";

    "s3.endpoint": Text s3_endpoint = Default::None, Any, Process,
        "URL of an S3-compatible store; that of AWS unless set.";
    "s3.region": Text s3_region = Default::None, Any, Process,
        "Region of the buckets; `AWS_REGION` unless set.";
    "s3.access_key_id": Secret s3_access_key_id = Default::None, Any, Process,
        "Access key; the usual AWS sources (environment, profile, instance role) unless set.";
    "s3.secret_access_key": Secret s3_secret_access_key = Default::None, Any, Process,
        "Secret of the access key.";
    "s3.session_token": Secret s3_session_token = Default::None, Any, Process,
        "Token of temporary credentials.";
    "s3.allow_http": Bool s3_allow_http = bool(false), Any, Process,
        "Allows an endpoint without TLS.";
    "s3.virtual_hosted": Bool s3_virtual_hosted = bool(false), Any, Process,
        "Puts the bucket in the host name instead of the path.";

    "hdfs.config_dir": Text hdfs_config_dir = Default::None, Any, Process,
        "Folder with `core-site.xml` and `hdfs-site.xml`; `HADOOP_CONF_DIR` unless set.";

    "gcs.service_account_path": Text gcs_service_account_path = Default::None, Any, Process,
        "File with a Google service account's key; the usual Google sources unless set.";

    "azure.account": Text azure_account = Default::None, Any, Process,
        "Name of the storage account.";
    "azure.access_key": Secret azure_access_key = Default::None, Any, Process,
        "Access key of the storage account.";
}
