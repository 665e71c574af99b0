//! A subscription whose socket leaves hyper: its head and its history go out from here, then a shard owns it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use petasos_protocol::sse;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::dispatch::{Attach, Guard, SubscriberSocket, Target};
use crate::http::{Replay, Start, Subscription};
use crate::hub::Hub;

/// Runs a subscription until a shard has it. `unread` is what the client already sent after its request.
pub(crate) async fn run(
    hub: Hub,
    mut subscription: Subscription,
    stream: TcpStream,
    unread: usize,
) -> io::Result<()> {
    if unread > 0 {
        // Whatever it is, there is no answer to it behind a stream that never ends, and the head says so (RFC 9112
        // section 9.6).
        tracing::debug!(unread, "a client sent data behind its subscription; it is ignored");
    }
    let socket = SockRef::from(&stream);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let mut first = response_head(subscription.headers());
    first.extend_from_slice(sse::HEARTBEAT);
    let guard = subscription.guard.take();
    match subscription.start {
        Start::Live => hand_over(&hub, &subscription, stream, None, first.freeze(), guard, None),
        Start::After(seq) => {
            let replay = Replay::new(hub.clone(), Arc::clone(&subscription.interest), seq);
            catch_up(&hub, &subscription, stream, replay, first.freeze(), guard).await
        }
    }
}

/// Sends the history, then hands over; again from there if the shard has moved on too far meanwhile.
async fn catch_up(
    hub: &Hub,
    subscription: &Subscription,
    mut stream: TcpStream,
    mut replay: Replay,
    first: Bytes,
    mut guard: Guard,
) -> io::Result<()> {
    send(&mut stream, &first).await?;
    loop {
        while let Some(bytes) = replay.next().await.map_err(|error| io::Error::other(error.to_string()))? {
            let now = hub.inner.clock.monotonic_ms() / 1000;
            if subscription.expires.is_some_and(|at| at <= now) {
                return stream.shutdown().await;
            }
            send(&mut stream, &bytes).await?;
        }
        let (back, returned) = oneshot::channel();
        hand_over(hub, subscription, stream, Some(&replay), Bytes::new(), guard, Some(back))?;
        match returned.await {
            // The shard dropped the sender: it has the socket.
            Err(_) => return Ok(()),
            Ok((socket, held)) => {
                stream = TcpStream::from_std(std_stream(socket))?;
                guard = held;
            }
        }
    }
}

fn hand_over(
    hub: &Hub,
    subscription: &Subscription,
    stream: TcpStream,
    replay: Option<&Replay>,
    first: Bytes,
    guard: Guard,
    back: Option<oneshot::Sender<(SubscriberSocket, Guard)>>,
) -> io::Result<()> {
    // Taken out of tokio before the shard registers it, never watched by both.
    let socket = SubscriberSocket::from_std(stream.into_std()?);
    hub.inner.dispatch.attach(Attach {
        interest: Arc::clone(&subscription.interest),
        after: replay.map(Replay::after),
        expires: subscription.expires,
        first,
        target: Target::Socket(socket, back),
        guard,
    });
    Ok(())
}

/// Sends everything, as long as the client takes some of it now and then.
async fn send(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent =
            tokio::time::timeout(STALL, stream.write(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// The response head. The body ends with the connection, so that the same bytes serve every subscriber.
fn response_head(headers: &HeaderMap) -> BytesMut {
    let mut head = BytesMut::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    for (name, value) in headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(piece);
        }
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.extend_from_slice(format!("connection: close\r\ndate: {date}\r\n\r\n").as_bytes());
    head
}

#[cfg(unix)]
fn std_stream(socket: SubscriberSocket) -> std::net::TcpStream {
    std::os::fd::OwnedFd::from(socket).into()
}

#[cfg(windows)]
fn std_stream(socket: SubscriberSocket) -> std::net::TcpStream {
    std::os::windows::io::OwnedSocket::from(socket).into()
}

/// Small, so that a slow client is noticed after kilobytes and not after the megabytes that the kernel would buffer.
const SEND_BUFFER: usize = 64 << 10;

/// How long a client may take nothing of its history.
const STALL: Duration = Duration::from_secs(10);
