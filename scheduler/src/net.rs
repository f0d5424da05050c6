//! Addresses and ports, with errors that a person can act on.

use std::net::{TcpListener, ToSocketAddrs};
use std::time::Duration;

use sluice::{Error, ErrorCode, Result};
use tonic::transport::Endpoint;

/// Host and port of `sluice://host:port` or `host:port`.
pub(crate) fn split_host_port(url: &str) -> Result<(String, u16)> {
    let rest = url.strip_prefix("sluice://").unwrap_or(url);
    rest.rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .and_then(|(host, port)| Some((host.to_string(), port.parse().ok()?)))
        .ok_or_else(|| {
            Error::new(ErrorCode::InvalidArgument, format!("`{url}` is not a scheduler's address"))
                .hint("write sluice://host:port, for instance sluice://localhost:50050")
        })
}

/// A listener on the given address; a port of 0 takes a free one.
pub(crate) fn listen(bind: &str, port: u16) -> Result<TcpListener> {
    let address = (bind, port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next()).ok_or_else(|| {
        Error::new(ErrorCode::InvalidArgument, format!("`{bind}` is not an address of this machine"))
            .hint("give --bind an address such as 127.0.0.1 or 0.0.0.0")
    })?;
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Error::new(ErrorCode::PortInUse, format!("port {port} on {bind} is in use by another process"))
                .hint("choose another with --port, or --port 0 for a free one")
        }
        _ => Error::new(ErrorCode::InvalidArgument, format!("cannot listen on {bind}:{port}"))
            .hint("give --bind an address of this machine and --port a port that you may use")
            .caused_by(error),
    })
}

/// The given port if it is free, or any free one for 0.
pub(crate) fn free_port(bind: &str, port: u16) -> Result<u16> {
    let listener = listen(bind, port)?;
    let address = listener.local_addr();
    address
        .map(|address| address.port())
        .map_err(|error| Error::new(ErrorCode::Storage, "the system gave no port").caused_by(error))
}

/// A connection that is given up when the other side does not answer for so long, however much it is waited for: a
/// machine that is gone closes nothing.
pub(crate) fn patient(endpoint: Endpoint, timeout: Duration) -> Endpoint {
    endpoint
        .connect_timeout(timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(timeout / 2)
        .keep_alive_timeout(timeout)
        .keep_alive_while_idle(true)
}
