//! Serves a hub on a listener, beside an application of one's own.
//!
//! Connections are parsed by hyper, HTTP/1.1 and HTTP/2. A plaintext HTTP/1.1 subscription is then taken over: a
//! dispatch shard owns its socket, and nothing of hyper or tokio is left of it. All others stay with hyper.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tower_service::Service;

mod connection;
use connection::Peer;
mod either;
mod linger;
mod room;
pub use room::raise_open_files;
use room::{Room, is_full};
mod sips;
mod takeover;
mod tls;
pub use tls::{Tls, TlsError};

use crate::hub::Hub;

/// What a hub is served beside: answers every request that is not the hub's.
pub trait Application:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Unpin
    + 'static
{
    /// The bodies of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Application for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Unpin
        + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}

/// Listens on an address with a backlog that takes a storm of reconnecting clients.
///
/// # Errors
/// If the address cannot be had, [`io::ErrorKind::AddrInUse`] for one.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it a restart fails while connections of the last run linger.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves the hub at its path, and `other` everywhere else, until `shutdown` resolves; then finishes the requests under
/// way, ends every subscription and closes the hub.
///
/// # Errors
/// If the listener breaks. Errors of single connections end only those.
pub async fn serve<S: Application>(
    listener: TcpListener,
    hub: Hub,
    other: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    run(listener, None, hub, other, shutdown).await
}

/// As [`serve`], with every connection encrypted. Nothing is taken over then: subscriptions stay with hyper.
///
/// # Errors
/// As [`serve`].
pub async fn serve_tls<S: Application>(
    listener: TcpListener,
    tls: Tls,
    hub: Hub,
    other: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    run(listener, Some(tls), hub, other, shutdown).await
}

async fn run<S: Application>(
    listener: TcpListener,
    tls: Option<Tls>,
    hub: Hub,
    other: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopped) = watch::channel(false);
    // Each connection holds a sender; when the last one is dropped everyone is done.
    let (alive, mut gone) = mpsc::channel::<Infallible>(1);
    let mut shutdown = pin!(shutdown);
    let mut room = Room::new(std::sync::Arc::clone(hub.metrics()));
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if !room.has(&stream) => room.refuse(stream, tls.is_none()),
                Ok((stream, client)) => {
                    accept(Peer { stream, client, tls: tls.clone() }, &hub, &other, &stopped, &alive);
                }
                Err(error) if is_full(&error) => room.refuse_next(&listener, tls.is_none()).await,
                Err(error) => pause_after(&error).await?,
            },
        }
    }
    drop((listener, alive));
    stop.send_replace(true);
    hub.drain().await;
    let grace = hub.inner.policy.shutdown_grace;
    if tokio::time::timeout(grace, gone.recv()).await.is_err() {
        tracing::warn!("requests were still under way after {} seconds and were broken off", grace.as_secs());
    }
    hub.close().await;
    Ok(())
}

fn accept<S: Application>(
    peer: Peer,
    hub: &Hub,
    other: &S,
    stopped: &watch::Receiver<bool>,
    alive: &mpsc::Sender<Infallible>,
) {
    if let Err(error) = prepare(&peer.stream) {
        tracing::debug!(%error, "a connection was gone before it was accepted");
        return;
    }
    let (hub, other, stopped, alive) = (hub.clone(), other.clone(), stopped.clone(), alive.clone());
    tokio::spawn(async move {
        connection::serve(peer, hub, other, stopped).await;
        drop(alive);
    });
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(DEAD_AFTER))?;
    Ok(())
}

/// Out of files or memory, the listener has to wait until some return; anything else is the fault of one connection.
async fn pause_after(error: &io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
        io::ErrorKind::InvalidInput => return Err(io::Error::new(error.kind(), error.to_string())),
        _ => {
            tracing::error!(%error, "cannot accept connections; trying again in a second");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}

/// The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 8192;

/// A peer that acknowledges nothing for so long is dead: heartbeats find it, not only events.
#[cfg(target_os = "linux")]
const DEAD_AFTER: Duration = Duration::from_secs(60);
