//! Connections between executors, kept for the next fetch. (Ballista's own pool cannot be named from here.)

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use dashmap::DashMap;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

type Place = (String, u16, GrpcClientConfig);
type Kept = DashMap<Place, VecDeque<(BallistaClient, Instant)>>;

/// The idle connections, by place.
#[derive(Default)]
pub(super) struct Connections(Arc<Kept>);

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connections").field(&self.0.len()).finish()
    }
}

impl Connections {
    /// None yet. Has to be called on a runtime, which closes idle ones for as long as the pool lives.
    pub(super) fn start() -> Self {
        let connections = Self::default();
        let kept = Arc::downgrade(&connections.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE / 2).await;
                let Some(kept) = Weak::upgrade(&kept) else { return };
                close_idle(&kept);
            }
        });
        connections
    }
}

#[async_trait]
impl BallistaClientPool for Connections {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize_endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        let place = (host.to_string(), port, config.clone());
        let idle = self.0.get_mut(&place).and_then(|mut clients| clients.pop_back());
        let client = match idle {
            Some((client, since)) if since.elapsed() < IDLE => client,
            _ => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    customize_endpoint,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let kept = Arc::clone(&self.0);
        Ok(PooledClient::new(
            client,
            Box::new(move |client| kept.entry(place).or_default().push_back((client, Instant::now()))),
        ))
    }

    async fn evict_idle(&self) {
        close_idle(&self.0);
    }
}

fn close_idle(kept: &Kept) {
    kept.retain(|_, clients| {
        clients.retain(|(_, since)| since.elapsed() < IDLE);
        !clients.is_empty()
    });
}
