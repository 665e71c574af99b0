//! A hub on a free loopback port, and a client that knows nothing but TCP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use petasos_hub::{Hub, HubBuilder, Key, server};
use petasos_protocol::HubUrl;
use petasos_protocol::compat::Compat;
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub const SECRET: &[u8] = b"an integration test's secret, 32 bytes and more";

/// A served hub; stops when dropped.
pub struct Served {
    pub hub: Hub,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<tokio::runtime::Runtime>,
    task: Option<tokio::task::JoinHandle<io::Result<()>>>,
}

impl Served {
    pub fn start(describe: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        Self::start_with(None, describe)
    }

    pub fn start_with(tls: Option<server::Tls>, describe: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let guard = runtime.enter();
        let listener = server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let url = HubUrl::parse(&format!("http://{address}/.well-known/mercure")).unwrap();
        let builder = Hub::builder().public_url(url).anonymous(true).shards(2);
        let builder = builder.compat(Compat { selectors: crate::COMPAT, targets: crate::COMPAT });
        let builder =
            builder.publisher_key(Key::hs256(SECRET).unwrap()).subscriber_key(Key::hs256(SECRET).unwrap());
        let hub = describe(builder).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let other = service_fn(|request: Request<Incoming>| async move {
            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(
                request.uri().path().to_owned(),
            ))))
        });
        let shutdown = async {
            // Either way it is time to stop.
            drop(stopped.await);
        };
        let (served, other) = (hub.clone(), Service(other));
        let task = match tls {
            None => tokio::spawn(server::serve(listener, served, other, shutdown)),
            Some(tls) => tokio::spawn(server::serve_tls(listener, tls, served, other, shutdown)),
        };
        drop(guard);
        Self { hub, address, stop: Some(stop), runtime: Some(runtime), task: Some(task) }
    }

    pub fn url(&self) -> String {
        self.hub.url().as_str().to_owned()
    }

    /// Stops serving and waits until everything has ended.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let (Some(runtime), Some(task)) = (self.runtime.take(), self.task.take()) {
            runtime.block_on(task).unwrap().unwrap();
        }
    }

    pub fn request(&self, head: &str, body: &str) -> Reply {
        let mut client = self.connect();
        client.send(&format!(
            "{head}\r\nhost: test\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ));
        client.reply()
    }

    pub fn publish(&self, form: &str) -> Reply {
        let token = self.token(json!({"actions": ["publish"], "topics": [{"match": "*"}]}));
        self.publish_with(form, &format!("authorization: Bearer {token}\r\n"))
    }

    pub fn publish_with(&self, form: &str, headers: &str) -> Reply {
        let head = format!(
            "POST /.well-known/mercure HTTP/1.1\r\n{headers}content-type: application/x-www-form-urlencoded"
        );
        self.request(&head, form)
    }

    /// Opens a subscription and reads its head and its first comment.
    pub fn subscribe(&self, query: &str, headers: &str) -> Client {
        self.subscribe_bytes(query.as_bytes(), headers.as_bytes())
    }

    pub fn subscribe_bytes(&self, query: &[u8], headers: &[u8]) -> Client {
        let mut client = self.connect();
        let pieces: [&[u8]; 5] =
            [b"GET /.well-known/mercure?", query, b" HTTP/1.1\r\nhost: test\r\n", headers, b"\r\n"];
        client.stream.write_all(&pieces.concat()).unwrap();
        let head = client.until(b"\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        client.head = head;
        assert_eq!(client.until(b"\n\n"), ":\n\n");
        client
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { stream, buffer: Vec::new(), head: String::new() }
    }

    /// A token for this hub with one authorization detail.
    pub fn token(&self, detail: Value) -> String {
        let mut detail = detail;
        detail["type"] = json!("https://mercure.rocks/authorization-detail");
        let claims = json!({
            "iss": self.url(), "aud": self.url(), "exp": 4_102_444_800u64, "authorization_details": [detail],
        });
        sign(&claims, "at+jwt", SECRET)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `service_fn` is hyper's; the server takes tower's trait.
#[derive(Clone)]
struct Service<F>(F);

impl<F, R> tower_service::Service<Request<Incoming>> for Service<F>
where
    F: hyper::service::Service<Request<Incoming>, Response = R>,
{
    type Response = R;
    type Error = F::Error;
    type Future = F::Future;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), F::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> F::Future {
        hyper::service::Service::call(&self.0, request)
    }
}

pub fn sign(claims: &Value, typ: &str, secret: &[u8]) -> String {
    let header = Header { typ: Some(typ.to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A connection and what was read from it too early.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    pub head: String,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

impl Client {
    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads up to and including `end`.
    pub fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                let rest = self.buffer.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
            }
            assert!(self.fill() > 0, "the stream ended after {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// The next event, comments skipped.
    pub fn event(&mut self) -> String {
        loop {
            let event = self.until(b"\n\n");
            if !event.starts_with(':') {
                return event;
            }
        }
    }

    /// Reads to the end of the stream.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() > 0 {}
        std::mem::take(&mut self.buffer)
    }

    pub fn reply(&mut self) -> Reply {
        let head = self.until(b"\r\n\r\n");
        let status = head[9..12].parse().unwrap();
        let body = String::from_utf8(self.rest()).unwrap();
        Reply { status, head, body }
    }

    /// Waits for the end of the stream; an error if it is a reset.
    pub fn end(&mut self) -> io::Result<Vec<u8>> {
        self.stream.read_to_end(&mut self.buffer)?;
        Ok(std::mem::take(&mut self.buffer))
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                count
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => {
                panic!("nothing came in time ({error}) after {:?}", String::from_utf8_lossy(&self.buffer))
            }
        }
    }
}
