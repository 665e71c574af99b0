//! The form that publishes an update (PUB.1 to PUB.6).

use url::form_urlencoded;

use crate::form::{self, FormError};
use crate::text;
use crate::topic::MAX_TOPIC;
use crate::{EventId, EventIdError, EventType, EventTypeError, HubUrl, Topic, TopicError, Update};

/// How large a publish may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishLimits {
    /// Number of topics of one update.
    pub max_topics: usize,
    /// Bytes of each topic.
    pub max_topic: usize,
    /// Bytes of the id and of the type; [`EventId::MAX`] at most.
    pub max_id: usize,
}

impl Default for PublishLimits {
    fn default() -> Self {
        Self { max_topics: 100, max_topic: MAX_TOPIC, max_id: EventId::MAX }
    }
}

/// Reads the form of a publish. Unknown fields are ignored; of fields that occur once the last one counts.
///
/// # Errors
/// [`PublishFormError`] says which field is wrong. Nothing is half applied.
pub fn parse_publish(body: &[u8], hub: &HubUrl, limits: &PublishLimits) -> Result<Update, PublishFormError> {
    let fields = form::parse(body)?;
    let mut topics = fields.iter().filter(|(name, _)| name == "topic").map(|(_, value)| value);
    let count = topics.clone().count();
    if count > limits.max_topics {
        return Err(PublishFormError::TooManyTopics { count, max: limits.max_topics });
    }
    let first = topics.next().ok_or(PublishFormError::NoTopic)?;
    let mut update = Update::new(topic(first, hub, limits)?);
    for alternate in topics {
        update = update.with_alternate(topic(alternate, hub, limits)?);
    }
    fields.into_iter().try_fold(update, |update, field| apply(update, field, limits))
}

/// Writes the form that publishes an update. Its audience becomes `target` fields, which only hubs of that generation heed.
#[must_use]
pub fn encode_publish(update: &Update) -> String {
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(update.data().len() + 256));
    for topic in update.topics() {
        form.append_pair("topic", topic.as_str());
    }
    form.append_pair("data", update.data());
    for target in update.audience() {
        form.append_pair("target", target.as_str());
    }
    if update.is_private() {
        form.append_pair("private", "on");
    }
    if let Some(id) = update.id() {
        form.append_pair("id", id.as_str());
    }
    if let Some(event_type) = update.event_type() {
        form.append_pair("type", event_type.as_str());
    }
    if let Some(retry) = update.retry() {
        form.append_pair("retry", &retry.to_string());
    }
    form.finish()
}

fn topic(value: &str, hub: &HubUrl, limits: &PublishLimits) -> Result<Topic, PublishFormError> {
    let topic = Topic::within(value, limits.max_topic)?;
    if hub.reserves(value) {
        return Err(PublishFormError::Reserved(text::shorten(value)));
    }
    Ok(topic)
}

fn apply(
    update: Update,
    (name, value): (String, String),
    limits: &PublishLimits,
) -> Result<Update, PublishFormError> {
    let (length, max) = (value.len(), limits.max_id);
    Ok(match name.as_str() {
        "data" => update.with_data(value),
        // Presence counts, whatever the value (PUB.2).
        "private" => update.with_private(true),
        "id" if length > max => return Err(EventIdError::TooLong { length, max }.into()),
        "id" => update.with_id(EventId::new(&value)?),
        "type" if length > max => return Err(EventTypeError::TooLong { length, max }.into()),
        "type" => update.with_event_type(EventType::new(&value)?),
        "retry" => update.with_retry(retry(&value)?),
        _ => update,
    })
}

fn retry(value: &str) -> Result<u64, PublishFormError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if digits { value.parse().ok() } else { None };
    parsed.ok_or_else(|| PublishFormError::Retry(text::shorten(value)))
}

/// What is wrong with the form of a publish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishFormError {
    /// A field is not UTF-8.
    #[error("The form is malformed: {0}.")]
    Form(String),
    /// There is no topic.
    #[error("The field \"topic\" is missing; an update needs at least one.")]
    NoTopic,
    /// There are more topics than allowed.
    #[error("The update has {count} topics; {max} are allowed.")]
    TooManyTopics {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// A topic is invalid.
    #[error("The field \"topic\" is invalid: {0}.")]
    Topic(#[from] TopicError),
    /// A topic lies in the hub's own namespace.
    #[error("The field \"topic\" is invalid: {0:?} lies in the hub's own namespace.")]
    Reserved(String),
    /// The id is invalid.
    #[error("The field \"id\" is invalid: {0}.")]
    Id(#[from] EventIdError),
    /// The type is invalid.
    #[error("The field \"type\" is invalid: {0}.")]
    Type(#[from] EventTypeError),
    /// The reconnection time is not a number.
    #[error("The field \"retry\" is invalid: {0:?} is not a number of milliseconds in ASCII digits.")]
    Retry(String),
}

impl PublishFormError {
    /// Whether the publish exceeds a limit (413) rather than being malformed (400).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::TooManyTopics { .. }
                | Self::Topic(TopicError::TooLong { .. })
                | Self::Id(EventIdError::TooLong { .. })
                | Self::Type(EventTypeError::TooLong { .. })
        )
    }
}

impl From<FormError> for PublishFormError {
    fn from(error: FormError) -> Self {
        Self::Form(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    fn parse(form: &str) -> Result<Update, PublishFormError> {
        parse_publish(form.as_bytes(), &hub(), &PublishLimits::default())
    }

    #[test]
    fn pub_2_every_field_is_read_and_unknown_ones_are_ignored() {
        let update = parse("x=y&topic=a&topic=b&data=d+e&private&id=i&type=t&retry=12&Topic=*").unwrap();
        assert_eq!(update.topics().iter().map(Topic::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((update.data(), update.is_private(), update.retry()), ("d e", true, Some(12)));
        assert_eq!(update.id().unwrap().as_str(), "i");
        assert_eq!(update.event_type().unwrap().as_str(), "t");
        assert!(!parse("topic=a").unwrap().is_private());
        assert!(parse("topic=a&private=false").unwrap().is_private());
    }

    #[test]
    fn pub_3_to_5_what_is_wrong_is_named() {
        for (form, word) in [
            ("data=x", "missing"),
            ("topic=*", "every topic"),
            ("topic=a&topic=b%0a", "U+000A"),
            ("topic=a&topic=/.well-known/mercure/x", "namespace"),
            ("topic=a&id=%23", "\"id\""),
            ("topic=a&type=mercure", "\"type\""),
            ("topic=a&retry=", "\"retry\""),
            ("topic=a&retry=%2B1", "\"retry\""),
            ("topic=a&retry=\u{662}", "\"retry\""),
            ("topic=a&data=%ff", "UTF-8"),
        ] {
            let error = parse(form).unwrap_err();
            assert!(error.to_string().contains(word), "{form}: {error}");
            assert!(!error.is_too_large());
        }
    }

    #[test]
    fn limits_are_told_apart_from_mistakes() {
        let many = vec!["topic=a"; 101].join("&");
        assert!(parse(&many).unwrap_err().is_too_large());
        assert!(parse(&format!("topic={}", "x".repeat(3000))).unwrap_err().is_too_large());
        assert!(parse(&format!("topic=a&id={}", "x".repeat(300))).unwrap_err().is_too_large());
    }

    prop_compose! {
        fn update()(
            topics in prop::collection::vec("t[^*\\p{Cc}\\p{Cf}/%]{1,20}", 1..4),
            data in "\\PC*|[\\r\\n a]{0,8}",
            private in any::<bool>(),
            id in prop::option::of("[^#\\p{Cc}\\p{Cf}][^\\p{Cc}\\p{Cf}]{0,10}"),
            event_type in prop::option::of("[^\\p{Cc}\\p{Cf}]{0,6}"),
            retry in prop::option::of(any::<u64>()),
        ) -> Update {
            let mut topics = topics.iter().map(|topic| Topic::new(topic).unwrap());
            let mut update = Update::new(topics.next().unwrap()).with_data(data).with_private(private);
            for topic in topics {
                update = update.with_alternate(topic);
            }
            if let Some(id) = id {
                update = update.with_id(EventId::new(&id).unwrap());
            }
            if let Some(event_type) = event_type {
                update = update.with_event_type(EventType::new(&event_type).unwrap());
            }
            match retry {
                Some(retry) => update.with_retry(retry),
                None => update,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_back(update in update()) {
            prop_assert_eq!(parse(&encode_publish(&update)), Ok(update));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse_publish(&bytes, &hub(), &PublishLimits::default()));
        }
    }
}
