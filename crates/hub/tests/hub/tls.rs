//! Encrypted connections with a real client, and the same bytes on every path.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use petasos_hub::{Hub, server};
use petasos_protocol::{EventId, Topic, Update};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::Served;

/// A certificate for `localhost`, and what trusts it.
fn certificate() -> (server::Tls, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (server::Tls::from_pem_files(&certificate, &key).unwrap(), made.cert.der().clone())
}

async fn encrypted(
    served: &Served,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn http1(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Incoming {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_11));
    response.into_body()
}

async fn http2(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Incoming {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    response.into_body()
}

fn get() -> Request<Full<Bytes>> {
    Request::get("/.well-known/mercure?match=x").header("host", "test").body(Full::default()).unwrap()
}

fn absolute(served: &Served) -> Request<Full<Bytes>> {
    Request::get(format!("https://{}/.well-known/mercure?match=x", served.address))
        .body(Full::default())
        .unwrap()
}

/// The safe form of a subscription with a body, which is never taken over.
fn query() -> Request<Full<Bytes>> {
    Request::builder()
        .method("QUERY")
        .uri("/.well-known/mercure")
        .header("host", "test")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from("match=x"))
        .unwrap()
}

/// Updates of every shape that SSE has.
fn updates() -> Vec<Update> {
    let update = |id: &str| Update::new(Topic::new("x").unwrap()).with_id(EventId::new(id).unwrap());
    vec![
        update("urn:plain").with_data("hello"),
        update("urn:empty"),
        update("urn:lines").with_data("a\nb\r\nc\rd\n"),
        update("urn:wide").with_data("\u{feff}\u{2028} \u{1f4da}"),
        update("urn:large").with_data("z".repeat(100_000)),
        update("urn:last").with_data("end"),
    ]
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut received = Vec::new();
    while !received.ends_with(b"id: urn:last\ndata: end\n\n") {
        received.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
    }
    received
}

async fn publish_when(hub: &Hub, subscribers: u64) {
    while hub.metrics().subscribers.value() < subscribers {
        tokio::task::yield_now().await;
    }
    for update in updates() {
        hub.publish(update, None).await.unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn every_path_sends_the_same_bytes() {
    let plain = Served::start(|builder| builder);
    let (tls, trusted) = certificate();
    let secure = Served::start_with(Some(tls), |builder| builder);
    runtime().block_on(async {
        let dial = || async { TcpStream::connect(plain.address).await.unwrap() };
        let taken_over = http1(dial().await, get()).await;
        let kept = http1(dial().await, query()).await;
        let multiplexed = http2(dial().await, absolute(&plain)).await;
        let tls1 = http1(encrypted(&secure, &trusted, &["http/1.1"]).await, get()).await;
        let unnamed = http1(encrypted(&secure, &trusted, &[]).await, get()).await;
        let tls2 = http2(encrypted(&secure, &trusted, &["h2", "http/1.1"]).await, absolute(&secure)).await;
        publish_when(&plain.hub, 3).await;
        publish_when(&secure.hub, 3).await;
        let expected = read(taken_over).await;
        assert!(expected.len() > 100_000);
        for other in [kept, multiplexed, tls1, unnamed, tls2] {
            assert!(read(other).await == expected, "a path sent other bytes");
        }
    });
}

#[test]
fn encrypted_streams_end_when_the_hub_stops() {
    let (tls, trusted) = certificate();
    let mut secure = Served::start_with(Some(tls), |builder| builder);
    let runtime = runtime();
    let body = runtime.block_on(async {
        let body = http2(encrypted(&secure, &trusted, &["h2"]).await, absolute(&secure)).await;
        while secure.hub.metrics().subscribers.value() < 1 {
            tokio::task::yield_now().await;
        }
        body
    });
    let read = runtime.spawn(async move { body.collect().await.unwrap().to_bytes() });
    secure.stop();
    assert_eq!(runtime.block_on(read).unwrap(), ":\n\nretry: 500\n\n");
}

#[test]
fn plaintext_on_an_encrypted_port_is_refused_and_hurts_nobody() {
    let (tls, trusted) = certificate();
    let secure = Served::start_with(Some(tls), |builder| builder);
    let mut plain = secure.connect();
    plain.send("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\n\r\n");
    let answer = plain.rest();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    runtime().block_on(async {
        let body = http1(encrypted(&secure, &trusted, &["http/1.1"]).await, get()).await;
        publish_when(&secure.hub, 1).await;
        assert!(read(body).await.starts_with(b":\n\nid: urn:plain\ndata: hello\n\n"));
    });
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (one, other) = (
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap(),
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap(),
    );
    std::fs::write(path("cert.pem"), one.cert.pem()).unwrap();
    std::fs::write(path("other.pem"), other.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    let error = |certificate: &str, key: &str| {
        server::Tls::from_pem_files(&path(certificate), &path(key)).unwrap_err().to_string()
    };
    assert!(error("missing.pem", "other.pem").contains("missing.pem"));
    assert!(error("empty.pem", "other.pem").contains("empty.pem"));
    assert!(error("cert.pem", "empty.pem").contains("empty.pem"));
    assert!(error("cert.pem", "other.pem").contains("cannot be used together"));
}
