//! The sessions of a driver's clients: each has its own settings, temporary tables and prepared statements, over one
//! catalog.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::Mutex;
use sluice::profile::EngineProfile;
use sluice::session::EngineSession;
use sluice::{Error, ErrorCode, Result};

/// How often idle sessions are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// All sessions, by id.
#[derive(Clone)]
pub(crate) struct Sessions {
    root: Arc<EngineSession>,
    open: Arc<DashMap<String, Arc<Entry>>>,
}

struct Entry {
    session: Arc<EngineSession>,
    last_used: Mutex<Instant>,
}

impl Sessions {
    /// Opens the catalog and starts to sweep idle sessions.
    pub(crate) async fn open(profile: Arc<EngineProfile>) -> Result<Self> {
        let idle = profile.sluice_config().cluster_session_idle();
        let root = Arc::new(EngineSession::open(profile).await?);
        let open: Arc<DashMap<String, Arc<Entry>>> = Arc::default();
        let swept = Arc::downgrade(&open);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                let Some(open) = swept.upgrade() else { return };
                // A session that a job uses is held by the job as well.
                open.retain(|_, entry| {
                    Arc::strong_count(&entry.session) > 1 || entry.last_used.lock().elapsed() < idle
                });
            }
        });
        Ok(Self { root, open })
    }

    /// A new session with the client's settings; gives its id.
    pub(crate) fn create(&self, settings: &[(String, String)]) -> Result<String> {
        let session = self.root.fork(settings)?;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let entry = Entry { session: Arc::new(session), last_used: Mutex::new(Instant::now()) };
        self.open.insert(id.clone(), Arc::new(entry));
        Ok(id)
    }

    /// The session of that id.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<EngineSession>> {
        let entry = self.open.get(id).ok_or_else(|| {
            Error::new(ErrorCode::SessionLost, "the scheduler does not know this session any more")
                .hint("connect again: the scheduler was restarted, or the session was idle for too long")
        })?;
        *entry.last_used.lock() = Instant::now();
        Ok(Arc::clone(&entry.session))
    }

    /// Forgets a session with its temporary tables.
    pub(crate) fn close(&self, id: &str) {
        self.open.remove(id);
    }
}
