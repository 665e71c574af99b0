//! The hub that is measured.

use std::net::SocketAddr;

use petasos_hub::{Hub, server};
use petasos_protocol::{EventId, HubUrl, Topic, Update};
use tokio::runtime::Runtime;

/// A served hub with a runtime of its own.
pub(crate) struct Subject {
    /// The hub.
    pub(crate) hub: Hub,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    runtime: Runtime,
}

/// What every update carries: about 200 bytes.
pub(crate) const DATA: &str = "{\"@context\":\"/contexts/Book\",\"@id\":\"/books/1\",\"@type\":\"Book\",\"id\":1,\"title\":\
    \"The Left Hand of Darkness\",\"author\":\"Ursula K. Le Guin\",\"publicationDate\":\"1969-03-01\",\"price\":1299}";

impl Subject {
    /// Starts a hub on a free port.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let guard = runtime.enter();
        let listener = server::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let url = HubUrl::parse(&format!("http://{address}/.well-known/mercure"))?;
        let hub = Hub::builder().public_url(url).anonymous(true).build()?;
        runtime.spawn(server::serve(listener, hub.clone(), Nothing, std::future::pending()));
        drop(guard);
        Ok(Self { hub, address, runtime })
    }

    /// Publishes `count` updates on `topic`, one behind the other.
    pub(crate) fn publish(&self, topic: &str, first: u64, count: u64) -> anyhow::Result<()> {
        for number in first..first + count {
            let update = update(topic, number)?;
            self.runtime.block_on(self.hub.publish(update, None))?;
        }
        Ok(())
    }

    /// A subscription without a socket.
    pub(crate) fn subscribe(&self, query: &str) -> anyhow::Result<http::Response<petasos_hub::HubBody>> {
        let request = http::Request::get(format!("/.well-known/mercure?{query}")).body(Empty::new())?;
        let response = self.runtime.block_on(self.hub.handle(request));
        anyhow::ensure!(response.status().is_success(), "{query}: {}", response.status());
        Ok(response)
    }
}

type Empty = http_body_util::Empty<bytes::Bytes>;

fn update(topic: &str, number: u64) -> anyhow::Result<Update> {
    let id = EventId::new(&format!("urn:bench:{number:012}"))?;
    Ok(Update::new(Topic::new(topic)?).with_id(id).with_data(DATA))
}

/// Length of the frame of an update of [`Subject::publish`].
pub(crate) fn frame() -> anyhow::Result<Vec<u8>> {
    let mut frame = Vec::new();
    petasos_protocol::sse::encode(&EventId::new("urn:bench:000000000000")?, None, None, DATA, &mut frame);
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
