//! The tries of this process that still have files open, so that whoever deletes a staging folder can wait for them.
//! Without the wait a file that is being closed would appear again after the deletion.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::watch;

/// A writer that does not end by then hangs in its store; its own clean-up still follows when it ends.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many users each staging folder has.
static USERS: LazyLock<watch::Sender<HashMap<String, usize>>> = LazyLock::new(|| watch::channel(HashMap::new()).0);

/// Uses a staging folder for as long as it lives.
#[derive(Debug)]
pub(super) struct InFlight(String);

impl InFlight {
    pub(super) fn enter(staging: &str) -> Self {
        USERS.send_modify(|users| *users.entry(staging.to_string()).or_default() += 1);
        Self(staging.to_string())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        USERS.send_modify(|users| {
            if let Some(count) = users.get_mut(&self.0) {
                *count -= 1;
                if *count == 0 {
                    users.remove(&self.0);
                }
            }
        });
    }
}

/// Waits until nothing of this process uses a staging folder.
pub(super) async fn wait_until_unused(staging: &str) {
    let mut users = USERS.subscribe();
    let unused = users.wait_for(|users| !users.contains_key(staging));
    if tokio::time::timeout(LONGEST_WAIT, unused).await.is_err() {
        log::warn!("writers of {staging} still run after {LONGEST_WAIT:?}; they delete their files when they end");
    }
}
