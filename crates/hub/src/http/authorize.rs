//! What a request may do, from the token that it presents.

use std::sync::Arc;

use http::{StatusCode, request};
use petasos_protocol::TopicView;
use petasos_protocol::compat::{Generation, is_earlier_token};

use super::{Problem, compat, cors};
use crate::auth::{Authorised, Presented, Verifier};
use crate::hub::Inner;

impl Inner {
    /// The publisher's token, which there must be.
    pub(crate) async fn publisher(&self, parts: &request::Parts) -> Result<Arc<Authorised>, Problem> {
        match compat::presented(&self.policy, parts) {
            Presented::Bearer(token) | Presented::Query(token) => self.verify(&self.publishers, &token).await,
            Presented::Cookie(token) => {
                if !cors::may_publish(&self.policy, &parts.headers) {
                    let detail = "Publishing with a cookie needs an Origin or Referer that is the hub's own or allowed.";
                    return Err(Problem::new(StatusCode::FORBIDDEN, detail));
                }
                self.verify(&self.publishers, &token).await
            }
            Presented::Nothing => Err(self.token_needed(parts)),
            Presented::Malformed(detail) => Err(Problem::invalid_request(&self.url, format!("{detail}."))),
        }
    }

    /// The subscriber's token, or none if the hub lets anonymous subscribers in (SUB.11).
    pub(crate) async fn subscriber(
        &self,
        parts: &request::Parts,
        generation: Generation,
    ) -> Result<Option<Arc<Authorised>>, Problem> {
        match compat::presented(&self.policy, parts) {
            Presented::Bearer(token) | Presented::Cookie(token) | Presented::Query(token) => {
                self.verify(&self.subscribers, &token).await.map(Some)
            }
            Presented::Nothing if self.policy.anonymous => {
                compat::overlooked(&self.url, parts, generation, false).map_or(Ok(None), Err)
            }
            Presented::Nothing => Err(self.token_needed(parts)),
            Presented::Malformed(detail) => Err(Problem::invalid_request(&self.url, format!("{detail}."))),
        }
    }

    fn token_needed(&self, parts: &request::Parts) -> Problem {
        let overlooked = compat::overlooked(&self.url, parts, Generation::Current, true);
        overlooked.unwrap_or_else(|| Problem::token_needed(&self.url))
    }

    async fn verify(&self, verifier: &Verifier, token: &str) -> Result<Arc<Authorised>, Problem> {
        verifier.verify(token).await.map_err(|refusal| {
            tracing::debug!(%refusal, "a token was refused");
            if !self.policy.compat.any() && is_earlier_token(token) {
                return compat::token_off(&self.url);
            }
            Problem::invalid_token(&self.url)
        })
    }

    /// Whether the token covers every topic (PUB.8); names the first that it does not.
    pub(crate) fn require_publish<'a>(
        &self,
        token: &Authorised,
        topics: impl Iterator<Item = &'a str>,
    ) -> Result<(), Problem> {
        for topic in topics {
            if !token.may_publish(&TopicView::new(topic, &self.url)) {
                let detail = format!("The access token does not allow to publish on the topic {topic:?}.");
                return Err(Problem::insufficient_scope(&self.url, detail));
            }
        }
        Ok(())
    }
}
