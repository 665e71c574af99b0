//! ACT.1 while the history cannot keep up with those who come and go.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use http_body_util::Empty;
use petasos_hub::transport::{
    AppendError, Bounds, BoxFuture, Follower, Memory, ReadError, Seq, Stored, Transport,
};
use petasos_hub::{Event, Hub, HubBody};
use serde_json::Value;
use tokio::sync::watch;

/// A history that takes nothing until it is opened.
#[derive(Clone, Debug)]
struct Gate {
    history: Arc<Memory>,
    is_open: watch::Sender<bool>,
}

impl Transport for Gate {
    fn follow(&self, follower: Arc<dyn Follower>) -> Bounds {
        self.history.follow(follower)
    }

    fn append(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Seq, AppendError>> {
        Box::pin(async move {
            let mut gate = self.is_open.subscribe();
            gate.wait_for(|is_open| *is_open).await.map_err(|_| AppendError::Closed)?;
            self.history.append(event).await
        })
    }

    fn read(&self, after: Seq, max_bytes: usize) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        self.history.read(after, max_bytes)
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Seq>, ReadError>> {
        self.history.find(id)
    }

    fn bounds(&self) -> Bounds {
        self.history.bounds()
    }
}

/// Matchers of one subscriber.
const MATCHERS: usize = 500;

async fn subscribe(hub: Hub, number: usize) -> Response<HubBody> {
    let matchers: Vec<String> = (0..MATCHERS).map(|matcher| format!("match={number}/{matcher}")).collect();
    let uri = format!("{}?{}", hub.url().path(), matchers.join("&"));
    hub.handle(Request::get(uri).body(Empty::new()).unwrap()).await
}

async fn is_pending<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[tokio::test]
async fn act_1_who_comes_waits_while_too_many_changes_do_and_every_change_is_told() {
    let gate = Gate { history: Arc::default(), is_open: watch::Sender::new(false) };
    let url = petasos_protocol::HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
    let builder = Hub::builder().public_url(url).anonymous(true).subscriptions(true).shards(1);
    let hub = builder.transport(gate.clone()).build().unwrap();
    let mut there = Vec::new();
    for number in 0..8 {
        there.push(subscribe(hub.clone(), number).await);
    }
    // What is already promised to these eight leaves no room for as many again.
    let mut late = pin!(subscribe(hub.clone(), 8));
    assert!(is_pending(&mut late).await);
    // Who goes need not wait, and makes no room.
    there.clear();
    assert!(is_pending(&mut late).await);
    gate.is_open.send_replace(true);
    there.push(late.await);
    assert!(there[0].status().is_success());
    drop(there);
    hub.close().await;

    let mut told: HashMap<String, Vec<bool>> = HashMap::new();
    for stored in gate.read(Seq(0), usize::MAX).await.unwrap() {
        let frame = String::from_utf8(stored.event.frame().to_vec()).unwrap();
        let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let document: Value = serde_json::from_str(data).unwrap();
        let id = document["id"].as_str().unwrap().to_owned();
        told.entry(id).or_default().push(document["active"].as_bool().unwrap());
    }
    assert_eq!(told.len(), 9 * MATCHERS);
    assert!(told.values().all(|changes| *changes == [true, false]));
}
