//! What each fuzz target does with its bytes: hands them to an entry point, and checks what must hold of any result.

#![forbid(unsafe_code)]

#[cfg(feature = "hub")]
pub mod hub;

use std::sync::LazyLock;

use petasos_protocol::compat::{
    Compat, EarlierSubscription, EarlierSubscriptionPath, admit, is_earlier_token,
};
use petasos_protocol::token::{Claims, Expected, GrantLimits, split};
use petasos_protocol::{
    HubUrl, MatchType, Matcher, MatcherKind, PublishLimits, SubscribeLimits, SubscriptionDocument,
    SubscriptionPath, TopicView, encode_publish, link, parse_publish, parse_subscribe, sse,
};

static HUB: LazyLock<HubUrl> =
    LazyLock::new(|| HubUrl::parse("https://example.com/.well-known/mercure").expect("a constant URL"));

/// A publish: what is accepted is not the hub's own, and says the same once it is written and read again.
pub fn publish_form(bytes: &[u8]) {
    let limits = PublishLimits::default();
    let Ok(update) = parse_publish(bytes, &HUB, &limits) else { return };
    assert!(update.topics().iter().all(|topic| !HUB.reserves(topic.as_str())));
    assert_eq!(parse_publish(encode_publish(&update).as_bytes(), &HUB, &limits), Ok(update.clone()));
    let Some(id) = update.id() else { return };
    let mut event = Vec::new();
    sse::encode(id, update.event_type(), update.retry(), update.data(), &mut event);
    let mut decoder = sse::Decoder::new();
    decoder.feed(&event).expect("it is small");
    let message = decoder.next_message().expect("one event");
    assert_eq!(message.data, update.data().replace("\r\n", "\n").replace('\r', "\n"));
    assert_eq!((message.id.as_str(), decoder.next_message()), (id.as_str(), None));
}

/// A subscription: the query component up to the first NUL, the body of a `QUERY` behind it.
pub fn subscribe_form(bytes: &[u8]) {
    let mut halves = bytes.splitn(2, |byte| *byte == 0);
    let query = halves.next().and_then(|query| std::str::from_utf8(query).ok());
    let Ok(subscribe) = parse_subscribe(query, halves.next(), &HUB, &SubscribeLimits::default()) else {
        return;
    };
    assert!(!subscribe.matchers.is_empty());
    for topic in ["https://example.com/books/1?x#y", "urn:book:1", "*", "", "http://["] {
        let view = TopicView::new(topic, &HUB);
        for matcher in &subscribe.matchers {
            let _: bool = matcher.matches(&view);
        }
    }
}

/// An event stream, which comes in pieces of any size: they make no difference.
pub fn sse(bytes: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = sse::Decoder::with_max_event_bytes(1 << 16);
        let mut messages = Vec::new();
        for piece in pieces {
            if decoder.feed(piece).is_err() {
                return None;
            }
            messages.extend(std::iter::from_fn(|| decoder.next_message()));
        }
        Some((messages, decoder.last_event_id().to_owned(), decoder.retry()))
    };
    let whole = read(&mut std::iter::once(bytes));
    let size = bytes.first().map_or(1, |byte| usize::from(*byte).max(1));
    assert_eq!(whole, read(&mut bytes.chunks(1)));
    assert_eq!(whole, read(&mut bytes.chunks(size)));
}

/// A `Link` header: what is read and written is read the same again.
pub fn link(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    for found in link::parse(header) {
        let extra: Vec<(&str, &str)> =
            found.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let again = link::parse(&link::format(&found.target, "mercure", &extra));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].target, found.target);
        assert!(again[0].has_rel("mercure"));
        assert_eq!(again[0].params[1..], found.params);
    }
}

/// A path of the web API of subscriptions, of any generation.
pub fn subscription_path(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else { return };
    earlier_subscription_path(path);
    let Some(SubscriptionPath::One { match_type, matcher, subscriber }) = SubscriptionPath::parse(path, &HUB)
    else {
        return;
    };
    let Some(kind) = MatchType::from_name(&match_type) else { return };
    let Ok(made) = Matcher::new(kind, &matcher, &HUB) else { return };
    let id = SubscriptionDocument::new(&HUB, &made, &subscriber, true, None).id;
    assert_eq!(
        SubscriptionPath::parse(&id, &HUB),
        Some(SubscriptionPath::One { match_type, matcher, subscriber })
    );
    assert!(HUB.reserves(&id), "{id}");
}

fn earlier_subscription_path(path: &str) {
    let Some(EarlierSubscriptionPath::One { topic, subscriber }) = EarlierSubscriptionPath::parse(path, &HUB)
    else {
        return;
    };
    let Ok(made) = Matcher::selector(&topic) else { return };
    let id = EarlierSubscription::new(&HUB, &made, &subscriber, true, None).id;
    assert_eq!(
        EarlierSubscriptionPath::parse(&id, &HUB),
        Some(EarlierSubscriptionPath::One { topic, subscriber })
    );
}

/// A token: once as its compact form, and once as what its payload would be.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(jws) = split(text)
    {
        assert!(!(is_earlier_token(text) && jws.header.is_access_token()));
        claims(&jws.payload);
    }
    claims(bytes);
    earlier_claims(bytes);
}

/// Claims of the earlier generations, and what may be published with them.
fn earlier_claims(payload: &[u8]) {
    let limits = PublishLimits::default();
    for compat in [[true, true], [true, false], [false, true]] {
        let compat = Compat { selectors: compat[0], targets: compat[1] };
        let Ok(claims) = Claims::parse_earlier(payload, compat, &GrantLimits::default()) else { continue };
        for form in [&b"topic=https://example.com/books/1"[..], b"topic=x&private=on", b"topic=x&target=y"] {
            let update = parse_publish(form, &HUB, &limits).expect("a constant form");
            let admitted = admit(update, form, &claims, compat, &HUB, &limits);
            let lists =
                claims.grants.details.iter().any(|detail| detail.publish && !detail.topics.is_empty());
            assert!(admitted.is_err() || lists || compat.targets);
        }
    }
}

fn claims(payload: &[u8]) {
    let Ok(claims) = Claims::parse(payload, &HUB, &GrantLimits::default()) else { return };
    let audience = [HUB.as_str().to_owned()];
    let expected = Expected { audience: &audience, issuers: &audience, now: 1_800_000_000, leeway: 5 };
    if claims.check(&expected).is_ok() {
        assert!(claims.exp + 5 > expected.now && claims.aud.contains(&audience[0]));
    }
    let view = TopicView::new("/books/1", &HUB);
    let granted = claims.grants.subscribe_matchers().any(|matcher| matcher.matches(&view));
    assert!(granted || claims.grants.payload(&view).is_none());
}

/// A pattern or template and a topic, with a NUL between: a match implies what the index relies on, and exact matchers are exact.
pub fn url_pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, topic) = text.split_once('\0').unwrap_or((text, "https://example.com/books/1"));
    let view = TopicView::new(topic, &HUB);
    if let Ok(exact) = Matcher::exact(pattern) {
        assert_eq!(exact.matches(&view), pattern == topic || pattern == "*");
    }
    if let Ok(selector) = Matcher::selector(pattern) {
        let matches = selector.matches(&view);
        assert!(matches || pattern != topic, "a template matches itself");
        if let MatcherKind::Template(template) = selector.kind() {
            assert!(!matches || topic.starts_with(template.literal_prefix()));
        }
    }
    let Ok(matcher) = Matcher::url_pattern(pattern, &HUB) else { return };
    if !matcher.matches(&view) {
        return;
    }
    if let MatcherKind::Pattern(pattern) = matcher.kind() {
        let key = view.index_key().expect("only URL references are matched");
        assert!(pattern.literal_prefix().is_none_or(|prefix| key.starts_with(prefix)), "{key}");
    }
}
