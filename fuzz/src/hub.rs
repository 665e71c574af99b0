//! Targets that need a whole hub, with everything but the sockets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use petasos_hub::transport::Transport;
use petasos_hub::transport::file::{FileConfig, recover};
use petasos_hub::{Clock, Event, Hosts, Hub, HubBody, Key, KeySet, KeySetSource};
use petasos_protocol::{EventId, HubUrl, Topic, Update};
use petasos_protocol::compat::Compat;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A request, written as in HTTP/1.1 but with any line breaks. `Bearer {...}` and a cookie that holds `{...}` are signed
/// first: what is behind the signature is reached too.
fn request(bytes: &[u8]) -> Option<Request<Full<Bytes>>> {
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let body = Bytes::copy_from_slice(bytes.get(end + 2..).unwrap_or_default());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = signed(line[colon + 1..].trim_ascii());
        request.headers_mut().append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(request)
}

/// Puts a token in the place of the claims that a header holds, if it holds any.
fn signed(value: &[u8]) -> Vec<u8> {
    let (Some(start), Some(end)) =
        (value.iter().position(|byte| *byte == b'{'), value.iter().rposition(|byte| *byte == b'}'))
    else {
        return value.to_vec();
    };
    if end < start {
        return value.to_vec();
    }
    let claims = &value[start..=end];
    let earlier = claims.windows(9).any(|nine| nine == b"\"mercure\"");
    let header = format!("{{\"alg\":\"HS256\",\"typ\":\"{}\"}}", if earlier { "JWT" } else { "at+jwt" });
    let parts = [header.as_bytes(), claims];
    let input = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let key = EncodingKey::from_secret(SECRET);
    let signature = crypto::sign(input.as_bytes(), &key, Algorithm::HS256).expect("any secret will do");
    [&value[..start], input.as_bytes(), b".", signature.as_bytes(), &value[end + 1..]].concat()
}

/// The last segment of a history after a crash: a good one that is cut and changed as the bytes say, or just the bytes.
/// What is recovered is recovered again, and nothing of it is torn then.
pub fn recovery(bytes: &[u8]) {
    for segment in [damaged(bytes), bytes.to_vec()] {
        let Ok(found) = recover(&segment) else { continue };
        let end = usize::try_from(found.end).expect("it is in memory");
        assert_eq!(found.end + found.torn, segment.len() as u64);
        let again = recover(&segment[..end]).expect("what is whole stays whole");
        assert_eq!((again.first, again.events, again.end, again.torn), (found.first, found.events, found.end, 0));
    }
}

/// Two bytes say where it is cut, then each three where it is changed, and how.
fn damaged(bytes: &[u8]) -> Vec<u8> {
    let mut segment = SEGMENT.clone();
    let (cut, changes) = bytes.split_at(bytes.len().min(2));
    let place = |bytes: &[u8]| bytes.iter().fold(0, |place, byte| place << 8 | usize::from(*byte));
    segment.truncate(segment.len().saturating_sub(place(cut) % 4096));
    for change in changes.chunks_exact(3) {
        let at = place(&change[..2]);
        if let Some(byte) = segment.get_mut(at) {
            *byte ^= change[2];
        }
    }
    segment
}

/// What a hub wrote.
static SEGMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("petasos-fuzz-{}", std::process::id()));
    let history = FileConfig::new(&folder).open().expect("a folder of one's own");
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for number in 0..12 {
            let topic = Topic::new("https://example.com/books/1").expect("a constant topic");
            let update = Update::new(topic).with_data("some data ".repeat(number));
            let id = EventId::new(&format!("urn:{number}")).expect("a good id");
            history.append(Arc::new(Event::new(id, &update))).await.expect("space for a few updates");
        }
        history.close().await;
    });
    let segment = std::fs::read(folder.join("00000000000000000001.log")).expect("it was just written");
    std::fs::remove_dir_all(&folder).expect("it was just made");
    segment
});

/// Any request gets an answer, and every error says what is wrong.
pub fn hub_request(bytes: &[u8]) {
    static HUB: LazyLock<(Runtime, Hub)> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hub = Hub::builder()
            .public_url(HubUrl::parse("http://localhost/.well-known/mercure").expect("a constant URL"))
            .publisher_key(Key::hs256(SECRET).expect("a constant key"))
            .anonymous(true)
            .subscriptions(true)
            .hosts(Hosts::Loopback)
            .compat(Compat { selectors: true, targets: true })
            .cors_origins(["https://app.example".to_owned()])
            .shards(1);
        (runtime, hub.build().expect("a hub"))
    });
    let Some(request) = request(bytes) else { return };
    let (runtime, hub) = &*HUB;
    runtime.block_on(async {
        let response = hub.handle(request).await;
        assert_ne!(response.status().as_u16(), 500);
        if response.status().is_client_error() || response.status().is_server_error() {
            problem(response).await;
        }
        // What it has to tell of subscriptions does not pile up.
        tokio::task::yield_now().await;
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

const SECRET: &[u8] = &[7; 32];
