//! Key sets of login servers, as the configuration names them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use petasos_testkit::{PATIENCE, Stream, http};
use serde_json::json;

use crate::support::{FORM, Hub};

const LOGIN: &str = "https://login.example";
const PRIVATE: &[u8] = include_bytes!("../../../hub/tests/hub/data/ed25519.pem");
const PUBLIC: &str = include_str!("../../../hub/tests/hub/data/ed25519.x");

fn set(kid: &str) -> String {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": PUBLIC.trim()}]}).to_string()
}

/// A token for everything.
fn bearer(hub: &Hub, issuer: &str) -> String {
    let claims = json!({
        "iss": issuer, "aud": hub.url, "exp": 4_102_444_800u64,
        "authorization_details": [{
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["publish", "subscribe"], "topics": [{"match": "*"}],
        }],
    });
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("one".to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let key = EncodingKey::from_ed_pem(PRIVATE).unwrap();
    format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &key).unwrap())
}

/// The status of a publish, and whether a stream opens.
fn rights(hub: &Hub, issuer: &str) -> (u16, bool) {
    let bearer = bearer(hub, issuer);
    let headers = [("authorization", bearer.as_str()), FORM];
    let published = http::request("POST", &hub.url, &headers, "topic=x").unwrap().head.status;
    (published, Stream::open(&format!("{}?match=x", hub.url), &headers[..1]).is_ok())
}

/// Serves a key set; each request is told.
fn login_server() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), Vec::new());
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let set = set("one");
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{set}",
                set.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
            if sender.send(String::from_utf8(head).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

#[test]
fn auth_2_a_login_servers_key_set_is_named_by_its_url_and_read_once() {
    let (url, requests) = login_server();
    let hub = Hub::start(&["--subscriber-jwks", &url, "--issuer", LOGIN]);
    // For subscribers only, and that issuer's only.
    assert_eq!(rights(&hub, LOGIN), (401, true));
    assert_eq!(rights(&hub, &hub.url), (401, false));
    assert_eq!(rights(&hub, LOGIN), (401, true));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert!(request.starts_with("GET /jwks.json HTTP/1.1\r\n"), "{request}");
    assert!(requests.try_recv().is_err(), "it was read more than once");
}

#[test]
fn auth_2_issuers_of_the_file_have_key_sets_in_files_and_by_url() {
    let (url, _requests) = login_server();
    let folder = tempfile::tempdir().unwrap();
    let (keys, file) = (folder.path().join("jwks.json"), folder.path().join("hub.toml"));
    std::fs::write(&keys, set("another name, which is only a hint")).unwrap();
    let content = format!(
        "[[issuers]]\nname = \"{LOGIN}\"\npublisher-jwks = \"{}\"\n\
         [[issuers]]\nname = \"https://other.example\"\nsubscriber-jwks = \"{url}\"\n",
        keys.display()
    );
    std::fs::write(&file, content).unwrap();
    let hub = Hub::start(&["--config", file.to_str().unwrap()]);
    assert_eq!(rights(&hub, LOGIN), (200, false));
    assert_eq!(rights(&hub, "https://other.example"), (401, true));
    assert_eq!(rights(&hub, "https://stranger.example"), (401, false));
}
