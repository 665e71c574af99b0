//! `POST` to the hub (PUB).

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode, request};
use petasos_protocol::compat::admit;
use petasos_protocol::{Topic, parse_publish};

use super::{HubBody, Problem, compat};
use crate::hub::Hub;

impl Hub {
    pub(crate) async fn publish_request(
        &self,
        parts: &request::Parts,
        form: &[u8],
    ) -> Result<Response<HubBody>, Problem> {
        // The form is judged before the token: an invalid topic is a 400 whoever asks (PUB.3).
        let (url, policy) = (&self.inner.url, &self.inner.policy);
        let mut update = parse_publish(form, url, &policy.publish_limits)?;
        let token = self.inner.publisher(parts).await?;
        if token.claims().is_earlier {
            let (claims, limits) = (token.claims(), &policy.publish_limits);
            let admitted = admit(update, form, claims, policy.compat, url, limits);
            update = admitted.map_err(|refusal| compat::refused(url, &refusal))?;
        } else {
            self.inner.require_publish(&token, update.topics().iter().map(Topic::as_str))?;
        }
        // A line break is in no issuer that anybody trusts.
        let publisher = format!("{}\n{}", token.issuer(), token.subject());
        let id = self.publish_as(&publisher, update, idempotency_key(parts)?).await?;
        let mut response = Response::new(HubBody::full(id.as_str().to_owned()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Ok(response)
    }
}

/// The key, with or without the quotes that the draft's structured field has.
fn idempotency_key(parts: &request::Parts) -> Result<Option<&str>, Problem> {
    let Some(value) = parts.headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > MAX_KEY {
        let detail = format!("The Idempotency-Key header must hold 1 to {MAX_KEY} ASCII characters.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(Some(key))
}

const MAX_KEY: usize = 256;
