//! The `mercure` claim of tokens of earlier generations, as grants.

use serde_json::Value;

use super::Compat;
use crate::token::{self, Claims, GrantDetail, GrantLimits, Grants, TokenError, json, split};
use crate::{Matcher, MatcherError};

/// Whether a token is one of an earlier generation: no access token by its header, but with a `mercure` claim. Nothing of it
/// is trusted yet.
#[must_use]
pub fn is_earlier_token(token: &str) -> bool {
    let Ok(jws) = split(token) else { return false };
    let claims = json::parse(&jws.payload);
    !jws.header.is_access_token() && claims.is_ok_and(|claims| claims.get("mercure").is_some())
}

/// Reads a payload whose signature was checked. Nothing but the `mercure` claim has to be there.
pub(crate) fn parse(payload: &[u8], compat: Compat, limits: &GrantLimits) -> Result<Claims, TokenError> {
    let claims = json::parse(payload)
        .map_err(|error| TokenError::Json { part: "payload", reason: error.to_string() })?;
    let own = claims.get("mercure").and_then(Value::as_object).ok_or(TokenError::Member("mercure"))?;
    let mut details = Vec::new();
    for (action, publish) in [("publish", true), ("subscribe", false)] {
        // A list that is empty is not one that is missing: it allowed public updates.
        if let Some(topics) = entries(own.get(action), compat, limits)? {
            let payload = own.get("payload").filter(|payload| !publish && !payload.is_null()).cloned();
            details.push(GrantDetail { publish, subscribe: !publish, topics, payload });
        }
    }
    Ok(Claims {
        exp: token::time(&claims, "exp", f64::floor)?.unwrap_or(u64::MAX),
        nbf: token::time(&claims, "nbf", f64::ceil)?,
        iss: token::text(&claims, "iss").ok().flatten(),
        aud: Vec::new(),
        sub: token::text(&claims, "sub").ok().flatten(),
        grants: Grants { details },
        is_earlier: true,
    })
}

fn entries(
    list: Option<&Value>,
    compat: Compat,
    limits: &GrantLimits,
) -> Result<Option<Vec<Matcher>>, TokenError> {
    let list = match list {
        None | Some(Value::Null) => return Ok(None),
        Some(list) => list.as_array().ok_or(TokenError::Member("mercure"))?,
    };
    if list.len() > limits.max_topics {
        return Err(TokenError::TooMany("topics"));
    }
    let matcher = |entry: &Value| {
        let entry = entry.as_str().ok_or(TokenError::Member("mercure"))?;
        Ok::<Matcher, TokenError>(entry_matcher(entry, compat)?)
    };
    list.iter().map(matcher).collect::<Result<_, _>>().map(Some)
}

/// Targets are names; only selectors may be templates.
fn entry_matcher(entry: &str, compat: Compat) -> Result<Matcher, MatcherError> {
    if compat.selectors { Matcher::selector(entry) } else { Matcher::exact(entry) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{HubUrl, TopicView};

    /// Signed with `!UnsecureChangeMe!`.
    const EXAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJtZXJjdXJlIjp7InN1YnNjcmliZSI6WyJmb28iLCJiYXIiXSwicHVibGlzaCI6WyJmb28iXX19.LRLvirgONK13JgacQ_VbcjySbVhkSmHy3IznH3tA9PM";

    fn parse_value(claims: &Value, compat: Compat) -> Result<Claims, TokenError> {
        parse(claims.to_string().as_bytes(), compat, &GrantLimits::default())
    }

    const BOTH: Compat = Compat { selectors: true, targets: true };
    const TARGETS: Compat = Compat { selectors: false, targets: true };

    fn may_subscribe(claims: &Claims, topic: &str) -> bool {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        claims.grants.subscribe_matchers().any(|matcher| matcher.matches(&TopicView::new(topic, &hub)))
    }

    #[test]
    fn the_example_of_the_targets_generation_is_understood() {
        assert!(is_earlier_token(EXAMPLE));
        let claims = parse(&split(EXAMPLE).unwrap().payload, TARGETS, &GrantLimits::default()).unwrap();
        assert!(
            may_subscribe(&claims, "foo") && may_subscribe(&claims, "bar") && !may_subscribe(&claims, "x")
        );
        assert_eq!((claims.exp, claims.is_earlier), (u64::MAX, true));
        let publish: Vec<&str> = claims.grants.details[0].topics.iter().map(Matcher::source).collect();
        assert_eq!(publish, ["foo"]);
    }

    #[test]
    fn entries_are_templates_where_selectors_are_on_and_names_otherwise() {
        let claims = json!({"mercure": {"subscribe": ["https://example.com/books/{id}"]}});
        let topic = "https://example.com/books/1";
        assert!(may_subscribe(&parse_value(&claims, BOTH).unwrap(), topic));
        assert!(!may_subscribe(&parse_value(&claims, TARGETS).unwrap(), topic));
    }

    #[test]
    fn a_list_that_is_empty_is_not_one_that_is_missing() {
        let details =
            |claim: Value| parse_value(&json!({"mercure": claim}), BOTH).unwrap().grants.details.len();
        assert_eq!((details(json!({})), details(json!({"publish": null}))), (0, 0));
        assert_eq!(details(json!({"publish": [], "subscribe": ["*"]})), 2);
    }

    #[test]
    fn what_makes_no_sense_is_an_invalid_token() {
        for claim in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"publish": "*"}),
            json!({"subscribe": [1]}),
            json!({"subscribe": [{"match": "*"}]}),
            json!({"subscribe": ["a\nb"]}),
            json!({"publish": vec!["x"; 1001]}),
        ] {
            assert!(parse_value(&json!({"mercure": claim}), BOTH).is_err(), "{claim}");
        }
        assert!(parse_value(&json!({"mercure": {}, "exp": "soon"}), BOTH).is_err());
        assert!(parse_value(&json!({"mercure": {}, "iss": 1, "sub": [], "aud": {}}), BOTH).is_ok());
        for token in ["", "a.b.c", "e30.e30.e30"] {
            assert!(!is_earlier_token(token), "{token}");
        }
    }
}
