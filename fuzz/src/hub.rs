//! Targets that need a whole hub, with everything but the sockets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use petasos_hub::{Clock, Hosts, Hub, HubBody, Key, KeySet, KeySetSource};
use petasos_protocol::HubUrl;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A request as a fuzzer describes it: names of methods and headers that matter are as likely as any others.
#[derive(Arbitrary, Debug)]
struct Wish<'a> {
    method: u8,
    other_method: &'a str,
    path: u8,
    other_path: &'a str,
    query: &'a str,
    headers: Vec<(u8, &'a str, &'a [u8])>,
    body: &'a [u8],
}

const METHODS: &[&str] = &["GET", "POST", "QUERY", "HEAD", "OPTIONS", "DELETE"];
const PATHS: &[&str] = &[
    "/.well-known/mercure",
    "/.well-known/mercure/subscriptions",
    "/.well-known/mercure/subscriptions/exact/x",
    "/.well-known/oauth-protected-resource/.well-known/mercure",
];
const HEADERS: &[&str] = &[
    "authorization",
    "cookie",
    "content-type",
    "content-length",
    "host",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "origin",
    "referer",
];

impl Wish<'_> {
    fn request(&self) -> Option<Request<Full<Bytes>>> {
        let method = METHODS.get(usize::from(self.method)).unwrap_or(&self.other_method);
        let path = PATHS.get(usize::from(self.path)).unwrap_or(&self.other_path);
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(self.body)));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        *request.uri_mut() = format!("{path}?{}", self.query).parse::<Uri>().ok()?;
        for (known, other, value) in &self.headers {
            let name = HEADERS.get(usize::from(*known)).unwrap_or(other);
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            // The value that makes the rest of the request matter.
            let value: &[u8] = if value.is_empty() { b"application/x-www-form-urlencoded" } else { value };
            request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(request)
    }
}

/// Any request gets an answer, and every error says what is wrong.
pub fn hub_request(bytes: &[u8]) {
    static HUB: LazyLock<(Runtime, Hub)> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hub = Hub::builder()
            .public_url(HubUrl::parse("http://localhost/.well-known/mercure").expect("a constant URL"))
            .publisher_key(Key::hs256(&[7; 32]).expect("a constant key"))
            .anonymous(true)
            .subscriptions(true)
            .hosts(Hosts::Loopback)
            .cors_origins(["https://app.example".to_owned()])
            .shards(1);
        (runtime, hub.build().expect("a hub"))
    });
    let Ok(wish) = Wish::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let Some(request) = wish.request() else { return };
    let (runtime, hub) = &*HUB;
    runtime.block_on(async {
        let response = hub.handle(request).await;
        assert_ne!(response.status().as_u16(), 500, "{wish:?}");
        if response.status().is_client_error() || response.status().is_server_error() {
            problem(response).await;
        }
    });
}

async fn problem(response: Response<HubBody>) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("it never fails").to_bytes();
    let problem: Value = serde_json::from_slice(&body).expect("a problem document");
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

/// A key set that another server wrote, and a token to try its keys with.
pub fn key_set(bytes: &[u8]) {
    static HUB: LazyLock<(Runtime, Hub)> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let clock = Arc::new(Hours::default());
        let hub = Hub::builder()
            .public_url(HubUrl::parse("http://localhost/.well-known/mercure").expect("a constant URL"))
            .publisher_keys(KeySet::new(Written, clock))
            .shards(1);
        (runtime, hub.build().expect("a hub"))
    });
    SET.lock().expect("nobody panics with it").clone_from(&bytes.to_vec());
    let (runtime, hub) = &*HUB;
    for algorithm in ["EdDSA", "RS256", "ES256", "HS256"] {
        let header = format!("{{\"alg\":\"{algorithm}\",\"typ\":\"at+jwt\"}}");
        let payload = format!("{{\"iss\":\"{0}\",\"aud\":\"{0}\",\"exp\":4102444800}}", hub.url().as_str());
        let parts =
            [header.as_bytes(), payload.as_bytes(), &[1; 64][..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        let request = Request::post("/.well-known/mercure")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Bearer {}", parts.join(".")))
            .body(Full::new(Bytes::from_static(b"topic=x")))
            .expect("a constant request");
        let status = runtime.block_on(hub.handle(request)).status();
        assert_eq!(status.as_u16(), 401, "a signature of ones");
    }
}

static SET: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Written;

impl KeySetSource for Written {
    fn read(&self) -> petasos_hub::transport::BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(std::future::ready(Ok(SET.lock().expect("nobody panics with it").clone())))
    }
}

/// An hour and more passes whenever somebody looks, so that the set is read for each token.
#[derive(Debug, Default)]
struct Hours(AtomicU64);

impl Clock for Hours {
    fn monotonic_ms(&self) -> u64 {
        let step = u64::try_from(Duration::from_secs(3601).as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(step, Ordering::Relaxed)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000
    }
}
