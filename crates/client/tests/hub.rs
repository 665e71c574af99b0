//! The clients against a real hub on a real socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it does not expect")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::LINK;
use axum::routing::get;
use petasos_client::token::{Credential, mint, mint_earlier};
use petasos_client::{DiscoverError, PublishError, Publisher, Signal, SubscribeError, Subscriber, discover};
use petasos_hub::{Algorithm, Hub, HubBuilder, Key, server};
use petasos_protocol::compat::Generation;
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{EventId, HubUrl, Matcher, Topic, Update};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const SECRET: &str = "an integration test's secret, 32 bytes and more";
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Served {
    url: String,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// A hub beside an application whose only resource names it.
    fn start(address: SocketAddr, describe: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let listener = server::listen(address).unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/.well-known/mercure");
        let key = || Key::hs256(SECRET.as_bytes()).unwrap();
        let builder = Hub::builder().public_url(HubUrl::parse(&url).unwrap()).shards(1);
        let builder = builder.publisher_key(key()).subscriber_key(key()).anonymous(true);
        let hub = describe(builder).build().unwrap();
        let router = Router::new().route("/books/1", get(links)).route("/plain", get(async || "plain"));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(server::serve(listener, hub, router, shutdown));
        Self { url, address, stop, task }
    }

    fn publisher(&self, secret: &str) -> Publisher {
        Publisher::new(&self.url, Credential::parse(secret).unwrap(), &[&self.url]).unwrap()
    }

    fn subscriber(&self) -> Subscriber {
        Subscriber::new(&self.url, &[Matcher::any()]).unwrap()
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }
}

async fn links() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(LINK, "</docs>; rel=\"describedby\"".parse().unwrap());
    headers
        .append(LINK, "</.well-known/mercure>; rel=\"mercure\"; last-event-id=\"urn:x:7\"".parse().unwrap());
    headers.append(LINK, "</books/one>; rel=\"self\"".parse().unwrap());
    headers
}

fn update(data: &str) -> Update {
    Update::new(Topic::new("https://example.com/books/1").unwrap()).with_data(data)
}

async fn open(subscriber: &mut Subscriber) {
    assert_eq!(subscriber.next().await.unwrap(), Signal::Open);
}

async fn message(subscriber: &mut Subscriber) -> (String, String) {
    match subscriber.next().await.unwrap() {
        Signal::Message(message) => (message.id, message.data),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_published_arrives_and_a_repetition_with_the_same_key_does_not() {
    let hub = Served::start(ANYWHERE, |hub| hub);
    let mut subscriber = hub.subscriber();
    open(&mut subscriber).await;
    let publisher = hub.publisher(SECRET);
    let first = publisher.publish(&update("1\r2"), Some("key-1")).await.unwrap();
    let again = publisher.publish(&update("1\r2"), Some("key-1")).await.unwrap();
    let second =
        publisher.publish(&update("3").with_id(EventId::new("urn:x:3").unwrap()), None).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(message(&mut subscriber).await, (first.as_str().to_owned(), "1\n2".to_owned()));
    assert_eq!(message(&mut subscriber).await, (second.as_str().to_owned(), "3".to_owned()));
    drop(subscriber);
    hub.stop().await;
}

#[tokio::test]
async fn a_subscription_comes_back_after_the_hub_did_and_names_where_it_was() {
    let hub = Served::start(ANYWHERE, |hub| hub);
    let mut subscriber = hub.subscriber();
    open(&mut subscriber).await;
    let retry = update("before").with_retry(60_000).with_id(EventId::new("urn:x:before").unwrap());
    hub.publisher(SECRET).publish(&retry, None).await.unwrap();
    assert_eq!(message(&mut subscriber).await.1, "before");
    let address = hub.address;
    hub.stop().await;
    let Signal::Reconnecting { after, .. } = subscriber.next().await.unwrap() else { panic!("not lost") };
    assert!(after <= Duration::from_secs(2), "a hub that stops asks to come back soon: {after:?}");

    let hub = Served::start(address, |hub| hub);
    let publisher = hub.publisher(SECRET);
    for (id, data) in [("urn:x:before", "before"), ("urn:x:missed", "missed")] {
        publisher.publish(&update(data).with_id(EventId::new(id).unwrap()), None).await.unwrap();
    }
    while subscriber.next().await.unwrap() != Signal::Open {}
    assert_eq!(message(&mut subscriber).await, ("urn:x:missed".to_owned(), "missed".to_owned()));
    drop(subscriber);
    hub.stop().await;
}

/// Who receives an update that is private, and one that is for the target `foo`, published in this generation.
async fn check_generation(generation: Generation) {
    let (secret, key) =
        ("!UnsecureChangeMe!", Key::maybe_short(b"!UnsecureChangeMe!", Algorithm::HS256).unwrap());
    let served = Served::start(ANYWHERE, |hub| {
        let hub = hub.compat([generation].into_iter().collect());
        if generation == Generation::Current {
            hub
        } else {
            hub.publisher_key(key.clone()).subscriber_key(key)
        }
    });
    let is_current = generation == Generation::Current;
    let credential = Credential::parse_for(generation, if is_current { SECRET } else { secret }).unwrap();
    let Credential::Secret(secret) = &credential else { panic!("a secret") };
    let mut streams = Vec::new();
    for right in ["https://example.com/books/1", "foo", "bar"] {
        let token = match generation {
            Generation::Current => {
                let claims = ClaimsBuilder::new(&served.url, &[&served.url])
                    .subscribe(&Matcher::exact(right).unwrap());
                mint(secret, &claims.build(0, 4_102_444_800))
            }
            _ => mint_earlier(secret, &json!({"mercure": {"subscribe": [right]}})),
        };
        let selects = Matcher::selector("https://example.com/books/{id}").unwrap();
        let mut stream = Subscriber::new(&served.url, &[selects]).unwrap().token(token.unwrap());
        open(&mut stream).await;
        streams.push(stream);
    }
    let credential = credential.clone();
    let publisher = Publisher::new(&served.url, credential, &[&served.url]).unwrap().to_hub_of(generation);
    let target = vec![Topic::new("foo").unwrap()];
    for update in
        [update("private").with_private(true), update("for foo").with_audience(target), update("public")]
    {
        publisher.publish(&update, None).await.unwrap();
    }
    for (stream, expected) in streams.iter_mut().zip([
        // Where targets are further topics, those who may receive the first one receive it too.
        if generation == Generation::Targets { &["private"][..] } else { &["private", "for foo"] },
        &["for foo"],
        &[],
    ]) {
        for expected in expected.iter().chain(&["public"]) {
            assert_eq!(message(stream).await.1, *expected, "{generation}");
        }
    }
    drop(streams);
    served.stop().await;
}

#[tokio::test]
async fn hubs_of_each_generation_are_published_to_in_their_own_way() {
    for generation in [Generation::Current, Generation::Selectors, Generation::Targets] {
        check_generation(generation).await;
    }
}

#[tokio::test]
async fn errors_say_who_is_to_blame() {
    let hub = Served::start(ANYWHERE, |hub| hub.anonymous(false));
    let stranger = hub.publisher("the secret of somebody else, also 32 bytes long");
    let error = stranger.publish(&update(""), None).await.unwrap_err();
    assert!(error.is_unauthorized() && !error.is_retryable(), "{error}");
    let reserved = Update::new(Topic::new("/.well-known/mercure/x").unwrap());
    let error = hub.publisher(SECRET).publish(&reserved, None).await.unwrap_err();
    assert!(matches!(&error, PublishError::Refused { status, .. } if status.as_u16() == 400), "{error}");
    let error = hub.subscriber().next().await.unwrap_err();
    assert!(matches!(&error, SubscribeError::Refused { status, .. } if status.as_u16() == 401), "{error}");
    let publisher = hub.publisher(SECRET);
    hub.stop().await;
    let error = publisher.publish(&update(""), None).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn dis_1_a_resource_leads_to_its_hub() {
    let hub = Served::start(ANYWHERE, |hub| hub);
    let address = hub.address;
    let found = discover(&format!("http://{address}/books/1")).await.unwrap();
    assert_eq!(found.hub, hub.url);
    assert_eq!(found.self_topic, Some(format!("http://{address}/books/one")));
    assert_eq!(found.last_event_id.as_deref(), Some("urn:x:7"));
    let none = discover(&format!("http://{address}/plain")).await.unwrap_err();
    assert!(matches!(none, DiscoverError::NoHub(_)), "{none}");
    hub.stop().await;
}
