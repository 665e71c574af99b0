//! A replay that publishers overtake: the shard sends the subscriber back to the history, on either path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use petasos_hub::Event;
use petasos_hub::transport::{
    AppendError, Bounds, BoxFuture, Follower, Memory, ReadError, Seq, Stored, Transport,
};
use petasos_protocol::{EventId, Topic, Update};

use crate::support::Served;

/// A history that goes on by more than a shard remembers right after a reader has seen its end, once.
#[derive(Debug, Default)]
struct Hasty {
    history: Memory,
    done: AtomicBool,
}

impl Hasty {
    async fn grow(&self, count: u64) -> Result<(), AppendError> {
        for _ in 0..count {
            let number = self.history.bounds().newest.0 + 1;
            let update = Update::new(Topic::new("x").unwrap());
            let id = EventId::new(&format!("urn:{number}")).unwrap();
            self.history.append(Arc::new(Event::new(id, &update))).await?;
        }
        Ok(())
    }
}

impl Transport for Hasty {
    fn follow(&self, follower: Arc<dyn Follower>) -> Bounds {
        self.history.follow(follower)
    }

    fn append(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Seq, AppendError>> {
        self.history.append(event)
    }

    fn read(&self, after: Seq, max_bytes: usize) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        Box::pin(async move {
            let events = self.history.read(after, max_bytes).await?;
            if events.is_empty() && !self.done.swap(true, Ordering::SeqCst) {
                self.grow(3000).await.map_err(|error| ReadError(error.to_string()))?;
            }
            Ok(events)
        })
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Seq>, ReadError>> {
        self.history.find(id)
    }

    fn bounds(&self) -> Bounds {
        self.history.bounds()
    }
}

fn everything_comes_once(open: impl FnOnce(&Served) -> crate::support::Client) {
    let served = Served::start(|builder| builder.transport(Hasty::default()));
    served.publish("topic=x&id=urn:1");
    let mut client = open(&served);
    for number in 1..=3001 {
        let event = client.until(format!("id: urn:{number}\n").as_bytes());
        assert_eq!(event.matches("id: urn:").count(), 1, "{event}");
    }
    served.publish("topic=x&id=urn:last");
    let last = client.until(b"id: urn:last\n");
    assert_eq!(last.matches("id: urn:").count(), 1, "{last}");
}

#[test]
fn rec_1_a_socket_that_was_taken_over_comes_back_for_what_the_shard_forgot() {
    everything_comes_once(|served| served.subscribe("match=x&last_event_id=earliest", ""));
}

#[test]
fn rec_1_a_body_of_hyper_reads_on_too() {
    everything_comes_once(|served| {
        let mut client = served.connect();
        let form = "match=x&last_event_id=earliest";
        client.send(&format!(
            "QUERY /.well-known/mercure HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        ));
        client
    });
}
