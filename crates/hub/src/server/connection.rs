//! One connection: which protocol it speaks, who answers its requests, and whether a subscription is taken over.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use super::Application;
use super::either::EitherBody;
use super::linger;
use super::sips::{Allowance, Sips};
use super::takeover;
use super::tls::{HTTP_2, Tls};
use crate::http::{ClientAddress, Outcome, Subscription};
use crate::hub::Hub;

/// A client that was accepted.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) client: SocketAddr,
    pub(crate) tls: Option<Tls>,
}

/// Serves a connection to its end.
pub(crate) async fn serve<S: Application>(
    peer: Peer,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) {
    let Peer { stream, client, tls } = peer;
    let client = ClientAddress(client.ip());
    let opened = tokio::select! {
        opened = tokio::time::timeout(hub.inner.policy.patience.head, open(stream, tls)) => opened,
        // Browsers open connections in advance, on which nothing may ever come.
        () = stopping(&mut stopped) => return,
    };
    let result = match opened {
        Ok(Ok(Opened::PlainHttp1(stream))) => serve_plain(stream, client, hub, other, stopped).await,
        Ok(Ok(Opened::PlainHttp2(stream))) => serve_http2(stream, client, hub, other, stopped).await,
        Ok(Ok(Opened::TlsHttp1(stream))) => serve_encrypted(stream, client, hub, other, stopped).await,
        Ok(Ok(Opened::TlsHttp2(stream))) => serve_http2(stream, client, hub, other, stopped).await,
        Ok(Err(error)) => Err(Broken::Socket(error)),
        Err(_) => Ok(()),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

/// A connection of which is known what it speaks.
enum Opened {
    PlainHttp1(TcpStream),
    PlainHttp2(TcpStream),
    TlsHttp1(Box<TlsStream<TcpStream>>),
    TlsHttp2(Box<TlsStream<TcpStream>>),
}

async fn open(stream: TcpStream, tls: Option<Tls>) -> io::Result<Opened> {
    let Some(tls) = tls else {
        let http2 = speaks_http2(&stream).await?;
        return Ok(if http2 { Opened::PlainHttp2(stream) } else { Opened::PlainHttp1(stream) });
    };
    let stream = Box::new(tls.acceptor.accept(stream).await?);
    let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
    Ok(if http2 { Opened::TlsHttp2(stream) } else { Opened::TlsHttp1(stream) })
}

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// Resolves when the server stops, or is gone.
async fn stopping(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Looks, without taking anything, whether the client begins with the preface of RFC 9113 section 3.4.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || seen[..count] != PREFACE[..count] {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface: the socket stays readable, so readiness cannot be awaited for the rest of it.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn serve_http2<S: Application>(
    stream: impl Io,
    client: ClientAddress,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Broken> {
    let max_head = hub.inner.policy.max_head;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        let (hub, other) = (hub.clone(), other.clone());
        // Boxed: hyper keeps the place of this future for as long as the stream lasts, and it is many times as large as
        // what follows it, the body.
        Box::pin(async move { Ok::<_, Infallible>(answer(&hub, other, request).await) })
    });
    let allowance = Allowance::default();
    let stream = Sips::new(stream, allowance.clone());
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(max_head)
        .keep_alive_interval(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = poll_fn(|cx| allowance.renewed_for(connection.as_mut()).poll(cx)) => return Ok(result?),
        () = stopping(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    Ok(poll_fn(|cx| allowance.renewed_for(connection.as_mut()).poll(cx)).await?)
}

/// A plaintext HTTP/1 connection; a subscription on it is taken over.
async fn serve_plain<S: Application>(
    stream: TcpStream,
    client: ClientAddress,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Broken> {
    let taken = Arc::new(Mutex::new(None));
    let service = Http1 { hub: hub.clone(), other, taken: Some(Arc::clone(&taken)) };
    let served = serve_http1(stream, client, service, &mut stopped).await;
    let subscription = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(subscription) = subscription {
        return Ok(takeover::run(hub, *subscription, served.io, served.unread).await?);
    }
    served.close(&mut stopped).await
}

async fn serve_encrypted<S: Application>(
    stream: Box<TlsStream<TcpStream>>,
    client: ClientAddress,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Broken> {
    let service = Http1 { hub, other, taken: None };
    serve_http1(stream, client, service, &mut stopped).await.close(&mut stopped).await
}

/// An HTTP/1 connection that hyper has let go.
struct Served<I> {
    result: hyper::Result<()>,
    io: I,
    /// Bytes that were read from it and belong to no request.
    unread: usize,
}

impl<I: Io> Served<I> {
    async fn close(mut self, stopped: &mut watch::Receiver<bool>) -> Result<(), Broken> {
        let closed = tokio::select! {
            // The hub's side ends first in any case.
            biased;
            closed = linger::close(&mut self.io) => closed,
            () = stopping(stopped) => Ok(()),
        };
        self.result?;
        Ok(closed?)
    }
}

/// Serves requests until there are no more or one is taken over.
async fn serve_http1<S: Application, I: Io>(
    stream: I,
    client: ClientAddress,
    service: Http1<S>,
    stopped: &mut watch::Receiver<bool>,
) -> Served<I> {
    let patience = service.hub.inner.policy.patience.head;
    let max_head = usize::try_from(service.hub.inner.policy.max_head).unwrap_or(usize::MAX);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        service.clone().call(request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        // Twice as much as a head may have: one that is only somewhat too large is answered with what is wrong.
        .max_buf_size(max_head.saturating_mul(2).max(LEAST_BUFFER))
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let result = tokio::select! {
        result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => result,
        () = stopping(stopped) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    let parts = connection.into_parts();
    Served { result, io: parts.io.into_inner(), unread: parts.read_buf.len() }
}

/// What hyper reads from and writes to.
trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<I: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for I {}

type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<EitherBody<B>>, TakenOver>> + Send>>;

/// Answers the requests of one HTTP/1 connection, until one of them is a subscription to take over.
#[derive(Clone)]
struct Http1<S> {
    hub: Hub,
    other: S,
    /// Where a subscription goes that is taken over; none is without it.
    taken: Option<Arc<Mutex<Option<Box<Subscription>>>>>,
}

impl<S: Application> Http1<S> {
    /// The future is boxed because a connection that is taken over must be movable.
    fn call(self, request: Request<Incoming>) -> Answering<S::Body> {
        Box::pin(async move {
            if !self.hub.owns(request.uri().path()) {
                return Ok(answer(&self.hub, self.other, request).await);
            }
            let taken = self.taken.filter(|_| may_take(&request));
            match (self.hub.decide(request).await, taken) {
                (Outcome::Answer(response), _) => Ok(response.map(EitherBody::Hub)),
                (Outcome::Stream(subscription), Some(taken)) => {
                    *taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(subscription);
                    Err(TakenOver)
                }
                (Outcome::Stream(subscription), None) => {
                    Ok(subscription.into_response(&self.hub).map(EitherBody::Hub))
                }
            }
        })
    }
}

/// Only a request without a body leaves nothing on the connection that belongs to it.
fn may_take(request: &Request<Incoming>) -> bool {
    let known = matches!(request.version(), Version::HTTP_10 | Version::HTTP_11);
    known
        && request.method() == Method::GET
        && request.body().is_end_stream()
        && !reads_in_blocks(request.headers())
}

/// The HTTP client of most Python programs waits for a whole block of a body that ends with its connection, and so keeps the
/// last event back; of a chunked body, which others' hubs send and hyper writes, it gives each chunk at once.
fn reads_in_blocks(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"python-requests/"))
}

async fn answer<S: Application>(
    hub: &Hub,
    mut other: S,
    request: Request<Incoming>,
) -> Response<EitherBody<S::Body>> {
    if hub.owns(request.uri().path()) {
        return hub.handle(request).await.map(EitherBody::Hub);
    }
    // Routers are always ready; one that is not would be asked by its `call`.
    match poll_fn(|cx| other.poll_ready(cx)).await {
        Ok(()) => {}
        Err(never) => match never {},
    }
    match other.call(request).await {
        Ok(response) => response.map(|body| EitherBody::Other(Box::pin(body))),
        Err(never) => match never {},
    }
}

/// Not an error: tells hyper to write nothing and to let the connection go (`fanout.md` 5.1 of the design).
#[derive(Debug)]
struct TakenOver;

impl fmt::Display for TakenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is taken over by a dispatch shard")
    }
}

impl std::error::Error for TakenOver {}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// hyper refuses smaller ones.
const LEAST_BUFFER: usize = 8 << 10;
