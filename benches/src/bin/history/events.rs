//! The updates that are published: about 800 bytes each, as a record of the history.

use std::sync::Arc;

use petasos_hub::Event;
use petasos_protocol::{EventId, Topic, Update};

/// An event with an id of its own.
pub(crate) fn event(number: u64) -> anyhow::Result<Arc<Event>> {
    let update =
        Update::new(Topic::new(TOPICS[0])?).with_alternate(Topic::new(TOPICS[1])?).with_data(data(number));
    Ok(Arc::new(Event::new(EventId::new(&id(number))?, &update)))
}

/// Ids are no sequence for an index: the number is stirred.
pub(crate) fn id(number: u64) -> String {
    let (high, low) = (stir(number), stir(!number));
    format!(
        "urn:uuid:{:08x}-{:04x}-{:04x}-{:04x}-{number:012x}",
        high >> 32,
        high & 0xffff,
        low >> 48,
        low & 0xffff
    )
}

/// Bytes of a record, as the format of the history says (`docs/design/history.md`).
pub(crate) fn record_bytes(event: &Event) -> usize {
    let topics: usize = event.topics().iter().map(|topic| topic.as_str().len() + 2).sum();
    36 + event.id().as_str().len() + topics + event.frame().len()
}

/// Between 350 and 750 bytes of JSON.
fn data(number: u64) -> String {
    let fill = usize::try_from(stir(number) % 400).unwrap_or_default();
    format!(
        "{{\"@context\":\"/contexts/Book\",\"@id\":\"/books/{number}\",\"@type\":\"Book\",\"title\":\"The Left Hand of Darkness\",\
         \"author\":\"Ursula K. Le Guin\",\"publicationDate\":\"1969-03-01\",\"price\":1299,\"description\":\"{}\"}}",
        "An envoy alone on a frozen world. ".repeat(18).get(..180 + fill).unwrap_or_default()
    )
}

fn stir(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What an update over HTTP carries: about 500 bytes.
pub(crate) const DATA: &str = "%7B%22%40context%22%3A%22%2Fcontexts%2FBook%22%2C%22title%22%3A%22The+Left+Hand+of+Darkness%22%2C\
    %22author%22%3A%22Ursula+K.+Le+Guin%22%2C%22description%22%3A%22An+envoy+alone+on+a+frozen+world+learns+to+trust+someone+\
    who+is+neither+man+nor+woman.+An+envoy+alone+on+a+frozen+world+learns+to+trust+someone+who+is+neither+man+nor+woman.+\
    An+envoy+alone+on+a+frozen+world+learns+to+trust+someone+who+is+neither+man+nor+woman.+An+envoy+alone+on+a+frozen+world+\
    learns+to+trust+someone+who+is+neither+man+nor+woman.%22%7D";

const TOPICS: [&str; 2] = [
    "https://example.com/books/0198a3f0-5a10-7c3e-9b42-1f2d3c4b5a69",
    "https://example.com/authors/0198a3f0-5a10-7c3e-9b42-aabbccddeeff",
];
