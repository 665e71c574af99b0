//! The payload of a token.

use serde_json::Value;

use super::{GrantLimits, Grants, TokenError, json};
use crate::compat::{self, Compat};
use crate::{HubUrl, TopicView};

/// What a token claims, as far as a hub cares. Members that only bind issuers are not demanded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Claims {
    /// When it expires, in seconds since the epoch; `u64::MAX` if never, which only tokens of earlier generations may say.
    pub exp: u64,
    /// When it begins to be valid, in seconds since the epoch.
    pub nbf: Option<u64>,
    /// Who issued it.
    pub iss: Option<String>,
    /// Whom it is meant for.
    pub aud: Vec<String>,
    /// Whom it is about.
    pub sub: Option<String>,
    /// What it allows.
    pub grants: Grants,
    /// Whether it is of an earlier generation of the protocol.
    pub is_earlier: bool,
}

/// What a hub expects of a token, and when.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The hub's identifiers; the token must name one of them.
    pub audience: &'a [String],
    /// The issuers that the hub trusts; the token must name one of them.
    pub issuers: &'a [String],
    /// Now, in seconds since the epoch.
    pub now: u64,
    /// By how many seconds clocks may differ.
    pub leeway: u64,
}

impl Claims {
    /// Reads a payload whose signature was checked.
    ///
    /// # Errors
    /// [`TokenError`] if a member has the wrong type, is named twice, or if `exp` is missing.
    pub fn parse(payload: &[u8], hub: &HubUrl, limits: &GrantLimits) -> Result<Self, TokenError> {
        let claims = json::parse(payload)
            .map_err(|error| TokenError::Json { part: "payload", reason: error.to_string() })?;
        if !claims.is_object() {
            return Err(TokenError::Json { part: "payload", reason: "it is not an object".to_owned() });
        }
        Ok(Self {
            // A fraction of a second is rounded so that the token is valid for less and not for more.
            exp: time(&claims, "exp", f64::floor)?.ok_or(TokenError::Member("exp"))?,
            nbf: time(&claims, "nbf", f64::ceil)?,
            iss: text(&claims, "iss")?,
            aud: audience(claims.get("aud"))?,
            sub: text(&claims, "sub")?,
            grants: Grants::parse(claims.get("authorization_details"), hub, limits)?,
            is_earlier: false,
        })
    }

    /// Reads a payload of an earlier generation whose signature was checked: a `mercure` claim, and `exp` if it likes.
    ///
    /// # Errors
    /// [`TokenError`] if the claim is missing or malformed.
    pub fn parse_earlier(payload: &[u8], compat: Compat, limits: &GrantLimits) -> Result<Self, TokenError> {
        compat::parse_claims(payload, compat, limits)
    }

    /// What documents about a subscription say of the subscriber (ACT.3). Earlier generations say the same of each.
    #[must_use]
    pub fn payload(&self, matcher: &TopicView<'_>) -> Option<&Value> {
        if self.is_earlier {
            return self.grants.details.iter().find(|detail| detail.subscribe)?.payload.as_ref();
        }
        self.grants.payload(matcher)
    }

    /// Judges the claims at a time (AUTH.2). Tokens of earlier generations name neither audience nor issuer.
    ///
    /// # Errors
    /// [`TokenError`] for the first that does not hold.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), TokenError> {
        if self.exp.saturating_add(expected.leeway) <= expected.now {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf > expected.now.saturating_add(expected.leeway)) {
            return Err(TokenError::NotYet);
        }
        if self.is_earlier {
            return Ok(());
        }
        if !self.aud.iter().any(|audience| expected.audience.contains(audience)) {
            return Err(TokenError::Audience);
        }
        if !self.iss.as_ref().is_some_and(|issuer| expected.issuers.contains(issuer)) {
            return Err(TokenError::Issuer);
        }
        Ok(())
    }
}

/// The issuer that a payload names, to choose the keys by. Nothing of it is trusted yet.
///
/// # Errors
/// [`TokenError`] if the payload is not JSON, or its `iss` no string.
pub fn issuer(payload: &[u8]) -> Result<Option<String>, TokenError> {
    let claims = json::parse(payload)
        .map_err(|error| TokenError::Json { part: "payload", reason: error.to_string() })?;
    text(&claims, "iss")
}

pub(crate) fn time(
    claims: &Value,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return if seconds <= LATEST { Ok(Some(seconds)) } else { Err(TokenError::Member(name)) };
    }
    let seconds = value.as_f64().map(round).filter(|seconds| (0.0..=LATEST as f64).contains(seconds));
    // In range, so the conversion is exact.
    seconds.map(|seconds| Some(seconds as u64)).ok_or(TokenError::Member(name))
}

pub(crate) fn text(claims: &Value, name: &'static str) -> Result<Option<String>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())).ok_or(TokenError::Member(name)),
    }
}

fn audience(value: Option<&Value>) -> Result<Vec<String>, TokenError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) => {
            let texts = many.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(TokenError::Member("aud"))
        }
        Some(_) => Err(TokenError::Member("aud")),
    }
}

/// The year 9999: what lies beyond is a mistake.
const LATEST: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    fn parse(claims: &Value) -> Result<Claims, TokenError> {
        Claims::parse(claims.to_string().as_bytes(), &hub(), &GrantLimits::default())
    }

    fn detail(change: impl FnOnce(&mut Value)) -> Result<Claims, TokenError> {
        let mut detail = json!({
            "type": super::super::DETAIL_TYPE,
            "actions": ["publish", "subscribe", "dance"],
            "topics": [{"match": "https://example.com/1"}, {"match": "/books/:id", "match_type": "urlpattern"}],
            "payload": {"name": "x"},
        });
        change(&mut detail);
        parse(&json!({"exp": 1, "authorization_details": [{"type": "other", "actions": 3}, detail]}))
    }

    #[test]
    fn auth_3_details_of_our_type_are_read_and_others_ignored() {
        let claims = detail(|_| {}).unwrap();
        let hub = hub();
        assert_eq!(claims.grants.details.len(), 1);
        assert!(claims.grants.may_publish(&TopicView::new("https://example.com/books/2", &hub)));
        assert!(!claims.grants.may_publish(&TopicView::new("https://example.com/2", &hub)));
        assert_eq!(claims.grants.subscribe_matchers().count(), 2);
        assert_eq!(claims.grants.details[0].payload, Some(json!({"name": "x"})));
    }

    #[test]
    fn act_3_the_first_detail_that_fits_the_matcher_gives_the_payload() {
        let detail = |actions: Value, topic: &str, payload: Value| {
            json!({
                "type": super::super::DETAIL_TYPE, "actions": actions,
                "topics": [{"match": topic, "match_type": "urlpattern"}], "payload": payload,
            })
        };
        let claims = json!({"exp": 1, "authorization_details": [
            detail(json!(["publish"]), "*", json!({"n": 0})),
            detail(json!(["subscribe"]), "/books/:id", json!({"n": 1})),
            detail(json!(["subscribe"]), "*", json!({"n": 2})),
        ]});
        let (claims, hub) = (parse(&claims).unwrap(), hub());
        let payload = |matcher| claims.grants.payload(&TopicView::new(matcher, &hub)).unwrap()["n"].as_i64();
        assert_eq!(payload("/books/1"), Some(1));
        assert_eq!(payload("/authors/1"), Some(2));
    }

    #[test]
    fn auth_3_one_invalid_entry_makes_the_token_invalid() {
        let changes: [(&str, Value); 13] = [
            ("actions", json!(null)),
            ("actions", json!([])),
            ("actions", json!(["publish", 1])),
            ("actions", json!([""])),
            ("topics", json!([])),
            ("topics", json!(["https://example.com/1"])),
            ("topics", json!([{"match": 1}])),
            ("topics", json!([{"Match": "x"}])),
            ("topics", json!([{"match": "x", "match_type": "regexp"}])),
            ("topics", json!([{"match": "*", "match_type": null}])),
            ("topics", json!([{"match": "/(", "match_type": "urlpattern"}])),
            ("payload", json!([])),
            ("type", json!(1)),
        ];
        for (name, value) in changes {
            assert!(detail(|detail| detail[name] = value.clone()).is_err(), "{name}: {value}");
        }
        assert!(
            detail(|detail| detail["topics"] = json!([{"match": "*", "match_type": "urlpattern"}])).is_ok()
        );
        assert!(detail(|detail| detail["topics"] = json!(vec![json!({"match": "x"}); 1001])).is_err());
        assert!(parse(&json!({"exp": 1, "authorization_details": ["x"]})).is_err());
    }

    #[test]
    fn auth_2_times_are_rounded_to_the_safe_side_and_must_make_sense() {
        let claims = parse(&json!({"exp": 10.9, "nbf": 3.1})).unwrap();
        assert_eq!((claims.exp, claims.nbf), (10, Some(4)));
        for exp in [json!("10"), json!(-1), json!(1e300), json!(null), json!([1])] {
            assert_eq!(parse(&json!({"exp": exp})), Err(TokenError::Member("exp")));
        }
        assert_eq!(parse(&json!({})), Err(TokenError::Member("exp")));
        assert!(Claims::parse(br#"{"exp":1,"exp":2}"#, &hub(), &GrantLimits::default()).is_err());
        assert!(Claims::parse(b"[]", &hub(), &GrantLimits::default()).is_err());
    }

    /// JSON whose members have the names that claims have, and any values.
    fn document() -> impl Strategy<Value = Value> {
        let names = [
            "exp",
            "nbf",
            "iss",
            "aud",
            "sub",
            "authorization_details",
            "type",
            "actions",
            "topics",
            "match",
            "match_type",
            "payload",
        ];
        let texts =
            [super::super::DETAIL_TYPE, "publish", "subscribe", "*", "exact", "urlpattern", "/(", "", "x"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop::sample::select(texts.to_vec()).prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..6)
                    .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn auth_3_no_json_makes_it_panic(mut claims in document(), details in prop::option::of(document())) {
            if let (Some(details), Some(claims)) = (details, claims.as_object_mut()) {
                claims.insert("exp".to_owned(), json!(1));
                claims.insert("authorization_details".to_owned(), json!([details]));
            }
            drop(parse(&claims));
            drop(issuer(claims.to_string().as_bytes()));
        }

        #[test]
        fn auth_2_no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(Claims::parse(&bytes, &hub(), &GrantLimits::default()));
            drop(super::super::split(&String::from_utf8_lossy(&bytes)));
        }
    }

    #[test]
    fn auth_2_claims_are_judged_at_a_time() {
        let claims = parse(&json!({"exp": 100, "nbf": 50, "aud": ["a", "hub"], "iss": "me"})).unwrap();
        let (audience, issuers) = (["hub".to_owned()], ["me".to_owned()]);
        let check = |now| claims.check(&Expected { audience: &audience, issuers: &issuers, now, leeway: 5 });
        assert_eq!(check(44), Err(TokenError::NotYet));
        assert_eq!(check(45), Ok(()));
        assert_eq!(check(104), Ok(()));
        assert_eq!(check(105), Err(TokenError::Expired));
        let other = ["other".to_owned()];
        let expected = Expected { audience: &other, issuers: &issuers, now: 60, leeway: 0 };
        assert_eq!(claims.check(&expected), Err(TokenError::Audience));
        let expected = Expected { audience: &audience, issuers: &other, now: 60, leeway: 0 };
        assert_eq!(claims.check(&expected), Err(TokenError::Issuer));
    }
}
