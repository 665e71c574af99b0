//! AUTH.2: which keys are trusted, for whom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use petasos_hub::{Clock, Issuer, Key, KeySet, KeySetFile, KeySetUrl};
use serde_json::{Value, json};

use crate::support::{SECRET, Served, sign};

const FORM: &str = "topic=https://example.com/1&data=x";
const ED: &[u8] = include_bytes!("data/ed25519.pem");
const ED_X: &str = include_str!("data/ed25519.x");

fn claims(served: &Served, issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": served.url(), "exp": 4_102_444_800u64,
        "authorization_details": [{
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["publish", "subscribe"], "topics": [{"match": "*"}],
        }],
    })
}

fn signed(claims: &Value, algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let header =
        Header { typ: Some("at+jwt".to_owned()), kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn publish(served: &Served, token: &str) -> u16 {
    served.publish_with(FORM, &format!("authorization: Bearer {token}\r\n")).status
}

fn subscribe(served: &Served, token: &str) -> bool {
    let mut client = served.connect();
    client.send(&format!(
        "GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\r\n"
    ));
    client.until(b"\r\n\r\n").starts_with("HTTP/1.1 200 ")
}

#[test]
fn auth_2_public_keys_of_every_kind_verify_and_for_their_own_algorithm_only() {
    let kinds: [(&str, &[u8], EncodingKey, &[Algorithm]); 4] = [
        (
            "EdDSA",
            include_bytes!("data/ed25519.pub.pem"),
            EncodingKey::from_ed_pem(ED).unwrap(),
            &[Algorithm::EdDSA],
        ),
        (
            "RS256",
            include_bytes!("data/rsa.pub.pem"),
            EncodingKey::from_rsa_pem(include_bytes!("data/rsa.pem")).unwrap(),
            &[Algorithm::RS256, Algorithm::PS256, Algorithm::RS512],
        ),
        (
            "ES256",
            include_bytes!("data/p256.pub.pem"),
            EncodingKey::from_ec_pem(include_bytes!("data/p256.pem")).unwrap(),
            &[Algorithm::ES256],
        ),
        (
            "ES384",
            include_bytes!("data/p384.pub.pem"),
            EncodingKey::from_ec_pem(include_bytes!("data/p384.pem")).unwrap(),
            &[Algorithm::ES384],
        ),
    ];
    for (name, public, private, algorithms) in kinds {
        let key = Key::new(public, name.parse().unwrap()).unwrap();
        let served =
            Served::start(|hub| hub.issuer(Issuer::new("https://issuer.example").publisher_key(key)));
        let claims = claims(&served, "https://issuer.example");
        for algorithm in algorithms {
            let expected = if format!("{algorithm:?}") == name { 200 } else { 401 };
            let token = signed(&claims, *algorithm, None, &private);
            assert_eq!(publish(&served, &token), expected, "{name} {algorithm:?}");
        }
        // The oldest trick: the public key as a shared secret.
        let forged = signed(&claims, Algorithm::HS256, None, &EncodingKey::from_secret(public));
        assert_eq!(publish(&served, &forged), 401, "{name}");
    }
}

#[test]
fn auth_2_each_issuer_has_its_own_keys_for_each_purpose() {
    let secret = |byte: u8| [byte; 40];
    let key = |byte: u8| Key::hs256(&secret(byte)).unwrap();
    let served = Served::start(|hub| {
        hub.issuer(Issuer::new("https://a.example").publisher_key(key(1)).subscriber_key(key(2)))
            .issuer(Issuer::new("https://b.example").publisher_key(key(3)).subscriber_key(key(3)))
    });
    let token = |issuer: &str, byte: u8| sign(&claims(&served, issuer), "at+jwt", &secret(byte));
    for (issuer, byte, publishes, subscribes) in [
        ("https://a.example", 1, true, false),
        ("https://a.example", 2, false, true),
        ("https://a.example", 3, false, false),
        ("https://b.example", 3, true, true),
        ("https://b.example", 1, false, false),
        ("https://c.example", 3, false, false),
    ] {
        let token = token(issuer, byte);
        assert_eq!(publish(&served, &token) == 200, publishes, "{issuer} {byte}");
        assert_eq!(subscribe(&served, &token), subscribes, "{issuer} {byte}");
    }
    let own = sign(&claims(&served, &served.url()), "at+jwt", SECRET);
    assert_eq!(publish(&served, &own), 200, "the hub's own issuer is still trusted");
}

/// A clock that a test winds, in milliseconds.
#[derive(Clone, Debug, Default)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000
    }
}

#[test]
fn auth_2_a_key_set_is_fetched_and_rotated_and_kept_when_its_server_is_down() {
    type Answer = Arc<Mutex<Option<Value>>>;
    async fn set(State(answer): State<Answer>) -> Result<String, StatusCode> {
        let set = answer.lock().unwrap().as_ref().map(Value::to_string);
        set.ok_or(StatusCode::SERVICE_UNAVAILABLE)
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let answer = Answer::default();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let router = Router::new().route("/jwks.json", get(set)).with_state(Arc::clone(&answer));
    runtime.spawn(async { axum::serve(listener, router).await });

    let hands = Hands::default();
    let keys = KeySet::new(KeySetUrl::new(&url).unwrap(), Arc::new(hands.clone()));
    let served = Served::start(|hub| hub.issuer(Issuer::new("https://idp.example").publisher_keys(keys)));
    let claims = claims(&served, "https://idp.example");
    let private = EncodingKey::from_ed_pem(ED).unwrap();
    let token = |kid: &str| signed(&claims, Algorithm::EdDSA, Some(kid), &private);
    let key = |kid: &str| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": ED_X});

    assert_eq!(publish(&served, &token("one")), 401, "nothing is known yet");
    *answer.lock().unwrap() = Some(json!({"keys": [key("one")]}));
    assert_eq!(publish(&served, &token("one")), 401, "it was tried less than a minute ago");
    hands.0.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(publish(&served, &token("one")), 200);
    *answer.lock().unwrap() = None;
    hands.0.fetch_add(7_200_000, Ordering::SeqCst);
    assert_eq!(publish(&served, &token("two")), 200, "a hint that fits no key, and the server is down");
    *answer.lock().unwrap() = Some(json!({"keys": []}));
    hands.0.fetch_add(7_200_000, Ordering::SeqCst);
    assert_eq!(publish(&served, &token("three")), 401, "the key is withdrawn");
}

#[test]
fn auth_2_a_key_set_may_be_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": ED_X}]});
    std::fs::write(&path, set.to_string()).unwrap();
    let keys = KeySet::new(KeySetFile::new(&path), Arc::new(Hands::default()));
    let served = Served::start(|hub| hub.publisher_keys(keys));
    let private = EncodingKey::from_ed_pem(ED).unwrap();
    let token = signed(&claims(&served, &served.url()), Algorithm::EdDSA, None, &private);
    assert_eq!(publish(&served, &token), 200);
    assert!(KeySetUrl::new("http://idp.example/jwks.json").is_err());
    assert!(KeySetUrl::new("https://idp.example/jwks.json").is_ok());
}

/// A clock that a test winds, in milliseconds, and that knows the date too.
#[derive(Clone, Debug, Default)]
struct Calendar(Arc<AtomicU64>);

impl Clock for Calendar {
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000 + self.monotonic_ms() / 1000
    }
}

#[test]
fn auth_2_a_verified_token_is_remembered_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let write = |keys: Value| std::fs::write(&path, json!({"keys": keys}).to_string()).unwrap();
    write(json!([{"kty": "OKP", "crv": "Ed25519", "x": ED_X}]));
    let calendar = Calendar::default();
    let keys = KeySet::new(KeySetFile::new(&path), Arc::new(calendar.clone()));
    let served = Served::start(|hub| hub.clock(calendar.clone()).publisher_keys(keys));
    let mut claims = claims(&served, &served.url());
    claims["exp"] = json!(1_800_010_000);
    let private = EncodingKey::from_ed_pem(ED).unwrap();
    let token = signed(&claims, Algorithm::EdDSA, None, &private);
    assert_eq!(publish(&served, &token), 200);
    write(json!([]));
    calendar.0.store(7_200_000, Ordering::SeqCst);
    claims["sub"] = json!("another");
    assert_eq!(
        publish(&served, &signed(&claims, Algorithm::EdDSA, None, &private)),
        401,
        "the key is withdrawn"
    );
    assert_eq!(publish(&served, &token), 200, "it was verified, and is not verified again");
    calendar.0.store(9_999_999, Ordering::SeqCst);
    assert_eq!(publish(&served, &token), 200);
    calendar.0.store(10_000_000, Ordering::SeqCst);
    assert_eq!(publish(&served, &token), 401, "it has expired");
}
