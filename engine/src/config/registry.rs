//! The keys themselves.

use std::time::Duration;

use super::memory;
use super::value::{Kind, Value};
use crate::error::{Error, ErrorCode, Result};

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// The key without `sluice.`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    pub(super) description: &'static str,
    /// Never shown.
    pub(super) secret: bool,
    /// Belongs to a session; the others belong to a process and are read when it starts.
    pub(super) session: bool,
}

/// What a key has where nobody set it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    None,
    Flag(bool),
    Count(u64),
    Size(u64),
    Seconds(u64),
    Text(&'static str),
    /// Depends on the machine: how to find it, and how the reference page says it.
    Machine(fn() -> Value, &'static str),
}

impl Key {
    pub(super) fn default_value(&self) -> Option<Value> {
        match self.default {
            Default::None => None,
            Default::Flag(flag) => Some(Value::Flag(flag)),
            Default::Count(count) => Some(Value::Count(count)),
            Default::Size(bytes) => Some(Value::Size(bytes)),
            Default::Seconds(seconds) => Some(Value::Time(Duration::from_secs(seconds))),
            Default::Text(text) => Some(Value::Text(text.to_string())),
            Default::Machine(find, _) => Some(find()),
        }
    }

    pub(super) fn parse(&self, text: &str) -> Result<Value> {
        self.kind.parse(text).ok_or_else(|| {
            let shown = if self.secret { "the value" } else { text };
            Error::new(ErrorCode::SettingInvalid, format!("`{shown}` is not a value of sluice.{}", self.name))
                .hint(self.kind.example())
        })
    }
}

const MIB: u64 = 1 << 20;

const fn key(name: &'static str, kind: Kind, default: Default, description: &'static str) -> Key {
    Key { name, kind, default, description, secret: false, session: false }
}

const fn session(key: Key) -> Key {
    Key { session: true, ..key }
}

const fn secret(key: Key) -> Key {
    Key { secret: true, ..key }
}

/// All of them, in the order of the reference page.
pub(super) static KEYS: &[Key] = &[
    key("master", Kind::Text, Default::Text("local[*]"), "Where statements run: local[*], local[4], local-cluster[3] or sluice://host:port."),
    key("catalog.path", Kind::Text, Default::Machine(catalog_path, "the folder `sluice/catalog` of the user's data folder"), "Where the catalog keeps its versions: a path, or the URL of any object store."),
    key("warehouse.path", Kind::Text, Default::Machine(warehouse_path, "the folder `sluice/warehouse` of the user's data folder"), "Where the files of managed tables lie: a path, or the URL of any object store."),
    key("memory.limit", Kind::Size, Default::Machine(memory_limit, "70 % of what the cgroup or the machine has"), "The memory pool of the process; 0 has no bound."),
    key("memory.spill_path", Kind::Text, Default::None, "Where operators spill; the system's temporary folder where absent."),
    session(key("execution.partitions", Kind::Count, Default::Count(0), "Partitions of a plan; 0 chooses them from the cores and, on a cluster, from the bytes to read.")),
    session(key("execution.bytes_per_partition", Kind::Size, Default::Size(64 * MIB), "How many bytes of input one partition of a cluster's job should have.")),
    key("results.piece_size", Kind::Size, Default::Size(4 * MIB), "How many bytes of rows one message to a client holds."),
    key("results.retention", Kind::Time, Default::Seconds(3600), "How long the rows of a job are kept while nobody reads them."),
    key("cluster.message_limit", Kind::Size, Default::Size(256 * MIB), "The largest message between two processes, the same for all of them."),
    key("cluster.heartbeat", Kind::Time, Default::Seconds(2), "How often an executor says that it lives."),
    key("cluster.executor_timeout", Kind::Time, Default::Seconds(10), "How long an executor may be silent before it counts as lost."),
    session(key("cluster.job_attempts", Kind::Count, Default::Count(3), "How often a job is started in all before it fails for a lost executor.")),
    session(key("cluster.adaptive", Kind::Flag, Default::Flag(true), "Plans the rest of a job anew after each stage, from what the stage has measured.")),
    key("cluster.start_timeout", Kind::Time, Default::Seconds(30), "How long to wait for processes to start, and for a first executor."),
    session(key("cluster.broadcast_limit", Kind::Size, Default::Size(128 * MIB), "The largest side of a join that every executor gets whole.")),
    session(key("cluster.hash_join_limit", Kind::Size, Default::Size(64 * MIB), "The largest partition of a hash join's build side; a larger one makes it a sort-merge join, which can spill.")),
    key("cluster.work_dir", Kind::Text, Default::None, "Where an executor keeps shuffle data; a folder of the system's temporary one where absent."),
    key("cluster.session_idle", Kind::Time, Default::Seconds(3600), "How long a client's session lives without a call."),
    key("s3.endpoint", Kind::Text, Default::None, "The S3 service's URL, for one that is not AWS."),
    key("s3.region", Kind::Text, Default::None, "The S3 region."),
    secret(key("s3.access_key_id", Kind::Text, Default::None, "The S3 access key; the environment's credentials where absent.")),
    secret(key("s3.secret_access_key", Kind::Text, Default::None, "The S3 secret key.")),
    secret(key("s3.session_token", Kind::Text, Default::None, "The S3 session token.")),
    key("s3.allow_http", Kind::Flag, Default::Flag(false), "Whether plain HTTP will do for S3."),
    key("s3.virtual_hosted", Kind::Flag, Default::Flag(false), "Whether the bucket is part of the host name."),
    key("hdfs.config_dir", Kind::Text, Default::None, "The folder with core-site.xml and hdfs-site.xml; HADOOP_CONF_DIR where absent."),
    key("gcs.service_account_path", Kind::Text, Default::None, "The key file of a Google service account."),
    key("azure.account", Kind::Text, Default::None, "The Azure storage account."),
    secret(key("azure.access_key", Kind::Text, Default::None, "The key of the Azure storage account.")),
];

fn data_folder(name: &str) -> Value {
    let folder = dirs::data_dir().unwrap_or_else(std::env::temp_dir).join("sluice").join(name);
    Value::Text(folder.to_string_lossy().into_owned())
}

fn catalog_path() -> Value {
    data_folder("catalog")
}

fn warehouse_path() -> Value {
    data_folder("warehouse")
}

fn memory_limit() -> Value {
    Value::Size(memory::default_limit_bytes())
}
