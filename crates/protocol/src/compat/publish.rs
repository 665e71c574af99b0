//! Publishing with a token of an earlier generation.

use super::Compat;
use super::Generation::{self, Selectors, Targets};
use crate::form;
use crate::token::{Claims, Grants};
use crate::{HubUrl, PublishLimits, Topic, TopicError, TopicView, Update, text};

/// Judges a publish by the rules of its generation; what comes out is the update as every subscriber's rights are held
/// against it.
///
/// A publish with `target` fields is one of `targets`: each target must be listed (or `*`), and the topics may be any. One
/// without is one of `selectors` if that is on, and each topic must be selected, but an empty list still allows public
/// updates where `targets` is on. With `targets` alone anyone who may publish at all may publish what is public.
///
/// # Errors
/// [`PublishRefusal`]; nothing may be dispatched then.
pub fn admit(
    update: Update,
    form: &[u8],
    claims: &Claims,
    compat: Compat,
    hub: &HubUrl,
    limits: &PublishLimits,
) -> Result<Update, PublishRefusal> {
    let targets = targets(form, limits)?;
    let Some(listed) =
        claims.grants.details.iter().find(|detail| detail.publish).map(|detail| &detail.topics)
    else {
        return Err(PublishRefusal::Forbidden(NO_LIST.to_owned()));
    };
    if !targets.is_empty() {
        require(compat.targets, Targets, "The field \"target\"")?;
        let unlisted = targets
            .iter()
            .find(|target| !listed.iter().any(|own| ["*", target.as_str()].contains(&own.source())));
        if let Some(target) = unlisted {
            let target = text::shorten(target.as_str());
            return Err(PublishRefusal::Forbidden(format!(
                "The access token does not allow to publish for the target {target:?}."
            )));
        }
        return Ok(update.with_audience(targets));
    }
    let public_only = listed.is_empty() && !update.is_private();
    if compat.selectors && !(compat.targets && public_only) {
        select(&update, &claims.grants, hub, public_only)?;
    } else if update.is_private() {
        require(compat.selectors, Selectors, "The field \"private\"")?;
    }
    Ok(update)
}

fn select(update: &Update, grants: &Grants, hub: &HubUrl, public_only: bool) -> Result<(), PublishRefusal> {
    let refused =
        update.topics().iter().find(|topic| !grants.may_publish(&TopicView::new(topic.as_str(), hub)));
    let Some(topic) = refused else { return Ok(()) };
    let topic = text::shorten(topic.as_str());
    let mut detail = format!("The access token does not allow to publish on the topic {topic:?}.");
    if public_only {
        detail.push_str(" An empty list allows public updates with --compat targets only.");
    }
    Err(PublishRefusal::Forbidden(detail))
}

fn require(on: bool, generation: Generation, what: &'static str) -> Result<(), PublishRefusal> {
    if on { Ok(()) } else { Err(PublishRefusal::Off { what, generation }) }
}

/// The targets of a form, each once.
fn targets(form: &[u8], limits: &PublishLimits) -> Result<Vec<Topic>, PublishRefusal> {
    let fields = form::parse(form).map_err(|error| PublishRefusal::Form(error.to_string()))?;
    let mut targets: Vec<Topic> = Vec::new();
    for (_, value) in fields.iter().filter(|(name, _)| name == "target") {
        let target = Topic::within(value, limits.max_topic)?;
        if targets.contains(&target) {
            continue;
        }
        if targets.len() == limits.max_topics {
            return Err(PublishRefusal::TooManyTargets { max: limits.max_topics });
        }
        targets.push(target);
    }
    Ok(targets)
}

const NO_LIST: &str = "The access token does not allow to publish: its \"mercure\" claim has no \"publish\".";

/// Why a publish of an earlier generation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishRefusal {
    /// The form is malformed (400).
    #[error("The form is malformed: {0}.")]
    Form(String),
    /// A target is malformed (400).
    #[error("The field \"target\" is invalid: {0}.")]
    Target(#[from] TopicError),
    /// There are more targets than allowed (413).
    #[error("The update has more than {max} targets.")]
    TooManyTargets {
        /// How many may be.
        max: usize,
    },
    /// It uses what belongs to a generation that is off (400).
    #[error(
        "{what} belongs to an earlier generation of the protocol, which this hub serves with --compat {generation} only."
    )]
    Off {
        /// What it uses.
        what: &'static str,
        /// The generation.
        generation: Generation,
    },
    /// The token does not allow it (403).
    #[error("{0}")]
    Forbidden(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims;
    use super::*;
    use crate::parse_publish;
    use crate::token::GrantLimits;

    const ON: [Compat; 3] = [
        Compat { selectors: true, targets: false },
        Compat { selectors: false, targets: true },
        Compat { selectors: true, targets: true },
    ];

    fn publish(publish: &serde_json::Value, form: &str, compat: Compat) -> Result<Update, PublishRefusal> {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let claims = json!({"mercure": {"publish": publish, "subscribe": ["*"]}});
        let claims = claims::parse(claims.to_string().as_bytes(), compat, &GrantLimits::default()).unwrap();
        let limits = PublishLimits::default();
        let update = parse_publish(form.as_bytes(), &hub, &limits).unwrap();
        admit(update, form.as_bytes(), &claims, compat, &hub, &limits)
    }

    /// What comes of a publish with `selectors`, with `targets`, and with both: `p`ublic, `P`rivate, for an `A`udience,
    /// `o`ff, `F`orbidden.
    fn outcomes(list: &serde_json::Value, form: &str) -> String {
        let letter = |compat| match publish(list, form, compat) {
            Ok(update) if !update.audience().is_empty() => 'A',
            Ok(update) if update.is_private() => 'P',
            Ok(_) => 'p',
            Err(PublishRefusal::Off { .. }) => 'o',
            Err(PublishRefusal::Forbidden(_)) => 'F',
            Err(other) => panic!("{other}"),
        };
        ON.map(letter).iter().collect()
    }

    #[test]
    fn each_generation_has_its_rules() {
        for (list, form, expected) in [
            (json!(["*"]), "topic=a", "ppp"),
            (json!(["*"]), "topic=a&private", "PoP"),
            (json!(["*"]), "topic=a&target=foo", "oAA"),
            (json!(["foo"]), "topic=a", "FpF"),
            (json!(["foo"]), "topic=foo", "ppp"),
            (json!(["foo"]), "topic=foo&topic=a", "FpF"),
            (json!(["foo"]), "topic=a&target=foo", "oAA"),
            (json!(["foo"]), "topic=a&target=foo&target=foo&private", "oAA"),
            (json!(["foo"]), "topic=a&target=foo&target=bar", "oFF"),
            (json!(["f{x}"]), "topic=foo", "ppp"),
            (json!(["f{x}"]), "topic=a&target=foo", "oFF"),
            (json!([]), "topic=a", "Fpp"),
            (json!([]), "topic=a&private", "FoF"),
            (json!([]), "topic=a&target=foo", "oFF"),
            (json!(null), "topic=a", "FFF"),
            (json!(null), "topic=a&target=foo", "FFF"),
        ] {
            assert_eq!(outcomes(&list, form), expected, "{list} {form}");
        }
    }

    #[test]
    fn a_refusal_names_the_option_that_would_allow_it() {
        for (list, form, compat, option) in [
            (json!(["*"]), "topic=a&target=foo", ON[0], "--compat targets"),
            (json!(["*"]), "topic=a&private", ON[1], "--compat selectors"),
            (json!([]), "topic=a", ON[0], "--compat targets"),
        ] {
            let refusal = publish(&list, form, compat).unwrap_err().to_string();
            assert!(refusal.contains(option), "{refusal}");
        }
    }

    #[test]
    fn targets_are_checked_like_topics_and_counted() {
        let publish = |form: &str| publish(&json!(["*"]), form, ON[1]);
        assert!(matches!(publish("topic=a&target=*"), Err(PublishRefusal::Target(_))));
        assert!(matches!(publish("topic=a&target=%0a"), Err(PublishRefusal::Target(_))));
        let many: String = (0..101).map(|number| format!("&target={number}")).collect();
        assert_eq!(publish(&format!("topic=a{many}")), Err(PublishRefusal::TooManyTargets { max: 100 }));
    }
}
