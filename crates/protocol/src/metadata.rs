//! Where a hub describes itself (DIS.2, RFC 9728).

use serde::Serialize;

use crate::token::DETAIL_TYPE;
use crate::{HubUrl, MatchType};

/// Path of the document that describes the hub.
#[must_use]
pub fn path(hub: &HubUrl) -> String {
    format!("/.well-known/oauth-protected-resource{}", hub.path())
}

/// URL of the document that describes the hub.
#[must_use]
pub fn url(hub: &HubUrl) -> String {
    format!("{}{}", hub.origin(), path(hub))
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The hub's identifier, which tokens name as their audience.
    pub resource: String,
    /// Who issues tokens for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// How tokens are presented.
    pub bearer_methods_supported: [&'static str; 1],
    /// Which authorization details it understands.
    pub authorization_details_types_supported: [&'static str; 1],
    /// Name of the cookie that may carry a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mercure_cookie: Option<String>,
    /// Whether it tells of active subscriptions (ACT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mercure_subscriptions: Option<bool>,
    /// The types of matchers that it understands.
    pub mercure_matcher_types_supported: [&'static str; 2],
}

impl ResourceMetadata {
    /// Describes a hub.
    #[must_use]
    pub fn new(hub: &HubUrl, issuers: Vec<String>, cookie: Option<String>) -> Self {
        Self {
            resource: hub.as_str().to_owned(),
            authorization_servers: issuers,
            bearer_methods_supported: ["header"],
            authorization_details_types_supported: [DETAIL_TYPE],
            mercure_cookie: cookie,
            mercure_subscriptions: None,
            mercure_matcher_types_supported: [MatchType::Exact.as_str(), MatchType::UrlPattern.as_str()],
        }
    }

    /// Says whether the hub tells of active subscriptions.
    #[must_use]
    pub fn with_subscriptions(mut self, told: bool) -> Self {
        self.mercure_subscriptions = told.then_some(true);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dis_2_the_document_is_at_a_path_of_its_own() {
        let hub = HubUrl::parse("https://example.com:8443/.well-known/mercure").unwrap();
        assert_eq!(
            url(&hub),
            "https://example.com:8443/.well-known/oauth-protected-resource/.well-known/mercure"
        );
        let document = serde_json::to_value(ResourceMetadata::new(&hub, Vec::new(), None)).unwrap();
        assert_eq!(document["resource"], "https://example.com:8443/.well-known/mercure");
        assert!(document.get("authorization_servers").is_none() && document.get("mercure_cookie").is_none());
    }
}
