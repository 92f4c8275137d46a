//! Opens connections: resolves a name, has every address checked, and connects to the very address that was checked.
//!
//! It doesn't know plugins, methods or paths, it takes no proxy from the environment, and it keeps no connection.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore, task::spawn_blocking, time::timeout};
use tower::Service;

use super::address::{AddressPolicy, Reachable, Unreachable};

/// How long to try one address before the next. 4 s: systems repeat a lost SYN after 1 s and after 3 s.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

/// Finds the addresses of a host. Tests answer with fixed ones.
pub(super) trait Resolve: Send + Sync {
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// Lookups of one plugin at the same time. 8: most answers come from a cache, and the threads that wait for the others are those of
/// the whole process. A name server that doesn't answer holds one for half a minute.
const MAX_LOOKUPS: usize = 8;

/// Asks the operating system.
pub(super) struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let lookups = Arc::clone(&self.0);
        Box::pin(async move {
            let place = lookups.acquire_owned().await.expect("never closed");
            let looked_up = spawn_blocking(move || {
                // Whoever asked may have gone: the thread is taken all the same.
                let _until_it_ends = place;
                Ok((host.as_str(), port).to_socket_addrs()?.collect())
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// One of the host's addresses isn't public, and the operator didn't name the host.
    #[error("{host} resolves to {address}: {kind} address")]
    NotPublic { host: String, address: IpAddr, kind: &'static str },
    /// One of the host's addresses lies in a range that the operator denies.
    #[error("{host} resolves to {address}: denied by the grant")]
    Denied { host: String, address: IpAddr },
    #[error("name can't be resolved: {0}")]
    Resolve(io::Error),
    #[error("can't connect: {0}")]
    Connect(io::Error),
    /// The address, or the whole attempt, took too long.
    #[error("no connection in time")]
    TimedOut,
}

/// Connects to the hosts of one plugin.
#[derive(Clone)]
pub(super) struct Connector {
    resolver: Arc<dyn Resolve>,
    addresses: Arc<AddressPolicy>,
}

impl Connector {
    pub(super) fn new(resolver: Arc<dyn Resolve>, addresses: AddressPolicy) -> Self {
        Self { resolver, addresses: Arc::new(addresses) }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        // The policy has put the canonical host into the address, in brackets where it is IPv6.
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let reachable = self.check_addresses(host, port).await?;
        let mut last = ConnectError::Resolve(io::Error::other("no addresses"));
        for address in reachable {
            let attempt = TcpStream::connect(SocketAddr::new(address.address(), port));
            match timeout(ADDRESS_TIMEOUT, attempt).await {
                // Requests are written whole; waiting for more to fill a packet only costs 40 ms now and then.
                Ok(Ok(stream)) => match stream.set_nodelay(true) {
                    Ok(()) => return Ok(TokioIo::new(stream)),
                    Err(error) => last = ConnectError::Connect(error),
                },
                Ok(Err(error)) => last = ConnectError::Connect(error),
                Err(_) => last = ConnectError::TimedOut,
            }
        }
        Err(last)
    }

    /// One address that isn't allowed spoils the host: a name with public and private addresses is an attempt at rebinding.
    async fn check_addresses(&self, host: &str, port: u16) -> Result<Vec<Reachable>, ConnectError> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, port)],
            Err(_) => self.resolver.resolve(host.to_owned(), port).await.map_err(ConnectError::Resolve)?,
        };
        let check = |address: SocketAddr| {
            let (host, address) = (host.to_owned(), address.ip());
            self.addresses.check(&host, port, address).map_err(|reason| match reason {
                Unreachable::Denied => ConnectError::Denied { host, address },
                Unreachable::NotPublic(kind) => ConnectError::NotPublic { host, address, kind },
            })
        };
        addresses.into_iter().map(check).collect()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
