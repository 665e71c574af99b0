//! The hub that is measured.

use std::net::SocketAddr;
use std::time::Duration;

use petasos_hub::{Hub, HubBuilder, server};
use petasos_protocol::{EventId, HubUrl, Topic, Update};
use tokio::runtime::Runtime;

/// A served hub with a runtime of its own.
#[derive(Debug)]
pub struct Subject {
    /// The hub.
    pub hub: Hub,
    /// Where it listens.
    pub address: SocketAddr,
    runtime: Runtime,
}

/// What every update carries: about 200 bytes.
pub const DATA: &str = "{\"@context\":\"/contexts/Book\",\"@id\":\"/books/1\",\"@type\":\"Book\",\"id\":1,\"title\":\
    \"The Left Hand of Darkness\",\"author\":\"Ursula K. Le Guin\",\"publicationDate\":\"1969-03-01\",\"price\":1299}";

impl Subject {
    /// Starts a hub for everyone on a free port.
    ///
    /// # Errors
    /// If the system gives no port or no thread.
    pub fn start() -> anyhow::Result<Self> {
        Self::with(|builder| builder)
    }

    /// Starts a hub on a free port.
    ///
    /// # Errors
    /// If the system gives no port or no thread, or the description is wrong.
    pub fn with(describe: impl FnOnce(HubBuilder) -> HubBuilder) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let guard = runtime.enter();
        let listener = server::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let url = HubUrl::parse(&format!("http://{address}/.well-known/mercure"))?;
        let hub = describe(Hub::builder().public_url(url).anonymous(true)).build()?;
        runtime.spawn(server::serve(listener, hub.clone(), Nothing, std::future::pending()));
        drop(guard);
        Ok(Self { hub, address, runtime })
    }

    /// Publishes `count` updates on `topic`, one behind the other.
    ///
    /// # Errors
    /// If the hub does not take one.
    pub fn publish(&self, topic: &str, first: u64, count: u64) -> anyhow::Result<()> {
        for number in first..first + count {
            self.publish_data(topic, number, DATA)?;
        }
        Ok(())
    }

    /// Publishes one update.
    ///
    /// # Errors
    /// If the hub does not take it.
    pub fn publish_data(&self, topic: &str, number: u64, data: &str) -> anyhow::Result<()> {
        let id = EventId::new(&format!("urn:bench:{number:012}"))?;
        let update = Update::new(Topic::new(topic)?).with_id(id).with_data(data);
        self.runtime.block_on(self.hub.publish(update, None))?;
        Ok(())
    }

    /// A subscription without a socket.
    ///
    /// # Errors
    /// If the hub refuses it.
    pub fn subscribe(&self, query: &str) -> anyhow::Result<http::Response<petasos_hub::HubBody>> {
        let request = http::Request::get(format!("/.well-known/mercure?{query}")).body(Empty::new())?;
        let response = self.runtime.block_on(self.hub.handle(request));
        anyhow::ensure!(response.status().is_success(), "{query}: {}", response.status());
        Ok(response)
    }

    /// Waits until it has so many subscribers.
    pub fn await_subscribers(&self, count: usize) {
        while self.hub.metrics().subscribers.value() != count as u64 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until nothing of any subscriber is left.
    pub fn await_empty(&self) {
        let metrics = self.hub.metrics();
        self.await_subscribers(0);
        while metrics.classes.value() + metrics.backlog_bytes.value() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

type Empty = http_body_util::Empty<bytes::Bytes>;

/// An update of [`Subject::publish`] as subscribers get it.
///
/// # Errors
/// Never.
pub fn frame() -> anyhow::Result<Vec<u8>> {
    frame_of(DATA)
}

/// An update of [`Subject::publish_data`] as subscribers get it; all have the same length.
///
/// # Errors
/// Never.
pub fn frame_of(data: &str) -> anyhow::Result<Vec<u8>> {
    let mut frame = Vec::new();
    petasos_protocol::sse::encode(&EventId::new("urn:bench:000000000000")?, None, None, data, &mut frame);
    Ok(frame)
}

/// An application that has nothing to say.
#[derive(Clone)]
struct Nothing;

impl tower_service::Service<http::Request<hyper::body::Incoming>> for Nothing {
    type Response = http::Response<Empty>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<hyper::body::Incoming>) -> Self::Future {
        std::future::ready(Ok(http::Response::new(Empty::new())))
    }
}
