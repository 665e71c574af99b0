//! The one place that turns options into an update. Targets are its audience; how that is written on the wire is up to what
//! the hub speaks ([`Update::for_hub_of`]).

use petasos_protocol::{EventId, EventType, Topic, Update};

use super::options::Options;

/// Makes the update; `topic`, `data` and `id` are those of the row unless the options say otherwise.
///
/// # Errors
/// What the protocol does not allow, in one line.
pub(crate) fn update(options: &Options, topic: String, data: String, id: &str) -> Result<Update, String> {
    let targets = options.targets.as_deref();
    let topics = if options.topics.is_empty() { vec![topic] } else { options.topics.clone() };
    let topic = |topic: &String| Topic::new(topic).map_err(|error| error.to_string());
    let mut topics = topics.iter().map(topic);
    let canonical = topics.next().unwrap_or_else(|| Err("an update needs a topic".to_owned()))?;
    let mut audience = Vec::new();
    for target in targets.unwrap_or_default().iter().map(topic) {
        let target = target?;
        if !audience.contains(&target) {
            audience.push(target);
        }
    }
    let mut update = Update::new(canonical);
    for alternate in topics {
        update = update.with_alternate(alternate?);
    }
    let id = EventId::new(options.id.as_deref().unwrap_or(id)).map_err(|error| error.to_string())?;
    // An empty list of targets is an audience of nobody, not of everybody.
    let private = targets.is_some() || options.private.unwrap_or_default();
    update = update.with_data(data).with_id(id).with_private(private).with_audience(audience);
    if let Some(event_type) = &options.event_type {
        update = update.with_event_type(EventType::new(event_type).map_err(|error| error.to_string())?);
    }
    Ok(match options.retry {
        Some(retry) => update.with_retry(retry),
        None => update,
    })
}

#[cfg(test)]
mod tests {
    use petasos_protocol::compat::Generation;

    use super::*;

    fn made(options: &Options) -> Result<Update, String> {
        update(options, "https://example.com/books/1".to_owned(), "{}".to_owned(), "urn:x:1")
    }

    fn topics(options: &Options) -> Vec<String> {
        let update = made(options).unwrap().for_hub_of(Generation::Current);
        update.topics().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn targets_are_the_audience_and_alternate_topics_of_a_private_update_to_hubs_of_today() {
        let public = made(&Options::new()).unwrap();
        assert!(!public.is_private());
        assert_eq!(public.id().unwrap().as_str(), "urn:x:1");
        let options = Options::new().targets(["ann", "bob", "ann"]);
        assert!(made(&options).unwrap().is_private());
        let audience: Vec<String> =
            made(&options).unwrap().audience().iter().map(ToString::to_string).collect();
        assert_eq!(audience, ["ann", "bob"]);
        assert_eq!(topics(&options), ["https://example.com/books/1", "ann", "bob"]);
        assert_eq!(topics(&options.topics(["t", "bob"])), ["t", "bob", "ann"]);
        assert!(made(&Options::new().targets(Vec::<String>::new())).unwrap().is_private());
    }

    #[test]
    fn what_the_protocol_forbids_is_refused() {
        for options in [
            Options::new().targets(["*"]),
            Options::new().topics(["a\nb"]),
            Options::new().id("#1"),
            Options::new().event_type("mercure"),
        ] {
            assert!(made(&options).is_err(), "{options:?}");
        }
    }
}
