//! One connection: which protocol it speaks, who answers its requests, and whether a subscription is taken over.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Application;
use super::either::EitherBody;
use super::linger;
use super::takeover;
use crate::http::{ClientAddress, Outcome, Subscription};
use crate::hub::Hub;

/// Serves a connection to its end.
pub(crate) async fn serve<S: Application>(
    stream: TcpStream,
    client: ClientAddress,
    hub: Hub,
    other: S,
    stopped: watch::Receiver<bool>,
) {
    let mut stopped_early = stopped.clone();
    let looked = tokio::select! {
        looked = tokio::time::timeout(hub.inner.policy.patience.head, speaks_http2(&stream)) => looked,
        // Browsers open connections in advance, on which nothing may ever come.
        () = stopping(&mut stopped_early) => return,
    };
    let result = match looked {
        Ok(Ok(true)) => serve_http2(stream, client, hub, other, stopped).await,
        Ok(Ok(false)) => serve_http1(stream, client, hub, other, stopped).await,
        Ok(Err(error)) => Err(Broken::Socket(error)),
        Err(_) => Ok(()),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
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
    stream: TcpStream,
    client: ClientAddress,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Broken> {
    let max_head = hub.inner.policy.max_head;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        let (hub, other) = (hub.clone(), other.clone());
        async move { Ok::<_, Infallible>(answer(&hub, other, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(max_head)
        .keep_alive_interval(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return Ok(result?),
        () = stopping(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

async fn serve_http1<S: Application>(
    stream: TcpStream,
    client: ClientAddress,
    hub: Hub,
    other: S,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Broken> {
    let taken = Arc::new(Mutex::new(None));
    let service = Http1 { hub: hub.clone(), other, taken: Arc::clone(&taken) };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        service.clone().call(request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.inner.policy.patience.head)
        .max_buf_size(usize::try_from(hub.inner.policy.max_head).unwrap_or(usize::MAX).max(LEAST_BUFFER))
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let result = tokio::select! {
        result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => result,
        () = stopping(&mut stopped) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    let subscription = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(subscription) = subscription {
        let parts = connection.into_parts();
        takeover::run(hub, *subscription, parts.io.into_inner(), parts.read_buf.len()).await?;
        return Ok(());
    }
    let mut stream = connection.into_parts().io.into_inner();
    let closed = tokio::select! {
        // The hub's side ends first in any case.
        biased;
        closed = linger::close(&mut stream) => closed,
        () = stopping(&mut stopped) => Ok(()),
    };
    result?;
    Ok(closed?)
}

type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<EitherBody<B>>, TakenOver>> + Send>>;

/// Answers the requests of one HTTP/1 connection, until one of them is a subscription to take over.
#[derive(Clone)]
struct Http1<S> {
    hub: Hub,
    other: S,
    taken: Arc<Mutex<Option<Box<Subscription>>>>,
}

impl<S: Application> Http1<S> {
    /// The future is boxed because a connection that is taken over must be movable.
    fn call(self, request: Request<Incoming>) -> Answering<S::Body> {
        Box::pin(async move {
            if !self.hub.owns(request.uri().path()) {
                return Ok(answer(&self.hub, self.other, request).await);
            }
            let may_take = may_take(&request);
            match self.hub.decide(request).await {
                Outcome::Answer(response) => Ok(response.map(EitherBody::Hub)),
                Outcome::Stream(subscription) if may_take => {
                    *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(subscription);
                    Err(TakenOver)
                }
                Outcome::Stream(subscription) => {
                    Ok(subscription.into_response(&self.hub).map(EitherBody::Hub))
                }
            }
        })
    }
}

/// Only a request without a body leaves nothing on the connection that belongs to it.
fn may_take(request: &Request<Incoming>) -> bool {
    let known = matches!(request.version(), Version::HTTP_10 | Version::HTTP_11);
    known && request.method() == Method::GET && request.body().is_end_stream()
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
