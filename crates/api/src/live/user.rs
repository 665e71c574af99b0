//! Users, and what the application lets them receive.

use petasos_protocol::compat::Generation;
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};
use serde_json::{Value, json};

/// A user as the application knows them, with everything that they may receive beside what is public.
///
/// ```
/// use petasos::live::User;
///
/// let user = User::new("ann").targets(["/users/ann", "staff"]);
/// # drop(user);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct User {
    name: String,
    targets: Vec<String>,
    patterns: Vec<String>,
}

impl User {
    /// A user who may receive nothing yet. The hub sees the name (`sub`); other subscribers do not.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), targets: Vec::new(), patterns: Vec::new() }
    }

    /// Lets them receive what is published for these targets, or on these topics, byte by byte.
    pub fn targets<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets.extend(targets.into_iter().map(Into::into));
        self
    }

    /// Lets them receive what is published on topics that match these URL patterns.
    pub fn patterns<T: Into<String>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.patterns.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// The claims of a token that grants exactly this.
    ///
    /// # Errors
    /// What cannot be granted, in one line. A target is often made of a user's name: one that is called `*` must not
    /// receive everything.
    pub(super) fn claims(
        &self,
        hub: &HubUrl,
        audience: &[&str],
        issued: u64,
        expires: u64,
    ) -> Result<Value, String> {
        let exact = self.targets.iter().map(|target| (target, Matcher::exact(target)));
        let patterns = self.patterns.iter().map(|pattern| (pattern, Matcher::url_pattern(pattern, hub)));
        let mut claims = ClaimsBuilder::new(hub.as_str(), audience).subject(&self.name);
        for (text, matcher) in exact.chain(patterns) {
            let matcher = matcher.map_err(|error| format!("{text:?}: {error}"))?;
            if matcher.source() == "*" {
                return Err(EVERYTHING.to_owned());
            }
            claims = claims.subscribe(&matcher);
        }
        Ok(claims.build(issued, expires))
    }

    /// The claims of a token that grants exactly this on a hub of an earlier generation.
    ///
    /// # Errors
    /// What cannot be granted there, in one line. Such hubs know no URL patterns, and may take a target with braces for a
    /// template: one that is made of a name that a user chose must not select those of others.
    pub(super) fn earlier_claims(
        &self,
        generation: Generation,
        issued: u64,
        expires: u64,
    ) -> Result<Value, String> {
        if let Some(pattern) = self.patterns.first() {
            return Err(format!("{pattern:?}: hubs of the generation {generation} know no URL patterns"));
        }
        for target in &self.targets {
            Matcher::exact(target).map_err(|error| format!("{target:?}: {error}"))?;
            if target == "*" {
                return Err(EVERYTHING.to_owned());
            }
            if target.contains(['{', '}']) {
                return Err(format!(
                    "{target:?}: a hub of the generation {generation} may take it for a template"
                ));
            }
        }
        Ok(json!({"sub": self.name, "iat": issued, "exp": expires, "mercure": {"subscribe": self.targets}}))
    }
}

const EVERYTHING: &str = "\"*\" would let them receive everything";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(user: &User) -> Result<Value, String> {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        user.claims(&hub, &[hub.as_str()], 10, 20)
    }

    #[test]
    fn a_token_grants_what_the_user_has_and_nothing_else() {
        let user = User::new("ann").targets(["/users/ann"]).patterns(["/orders/:id"]);
        let claims = claims(&user).unwrap();
        assert_eq!((&claims["sub"], &claims["exp"]), (&json!("ann"), &json!(20)));
        let details = claims["authorization_details"].as_array().unwrap();
        assert_eq!(details.len(), 1);
        assert_eq!(details[0]["actions"], json!(["subscribe"]));
        let topics = details[0]["topics"].as_array().unwrap();
        assert_eq!((topics.len(), &topics[0]["match"]), (2, &json!("/users/ann")));
        assert_eq!(topics[1]["match"], "/orders/:id");
    }

    #[test]
    fn nobody_receives_everything_by_the_name_that_they_chose() {
        assert!(claims(&User::new("*").targets(["*"])).unwrap_err().contains("everything"));
        assert!(claims(&User::new("x").patterns(["*"])).unwrap_err().contains("everything"));
        assert!(claims(&User::new("x").targets(["a\nb"])).unwrap_err().starts_with("\"a\\nb\""));
    }

    #[test]
    fn hubs_of_earlier_generations_get_names_and_nothing_that_could_be_more() {
        for generation in [Generation::Selectors, Generation::Targets] {
            let claims = |user: User| user.earlier_claims(generation, 10, 20);
            assert_eq!(
                claims(User::new("ann").targets(["/users/ann", "staff"])),
                Ok(
                    json!({"sub": "ann", "iat": 10, "exp": 20, "mercure": {"subscribe": ["/users/ann", "staff"]}})
                )
            );
            for (user, problem) in [
                (User::new("*").targets(["*"]), "everything"),
                (User::new("x").targets(["/users/{+name}"]), "template"),
                (User::new("x").patterns(["/orders/:id"]), "no URL patterns"),
                (User::new("x").targets(["a\nb"]), "\"a\\nb\""),
            ] {
                let said = claims(user).unwrap_err();
                assert!(said.contains(problem), "{said}");
            }
        }
    }
}
