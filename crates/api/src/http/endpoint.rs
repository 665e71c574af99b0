//! A resource within its API, and what all responses about it have in common.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LINK, SET_COOKIE};
use http::{Extensions, HeaderName, HeaderValue};
use petasos_protocol::link;

use super::{Api, Problem};
use crate::app::HubLink;
use crate::live::{Outcome, Plan};
use crate::resource::ErasedResource;

/// A resource within its API.
pub(crate) struct Endpoint {
    pub(crate) api: Arc<Api>,
    pub(crate) resource: Arc<dyn ErasedResource>,
    plan: Option<Arc<Plan>>,
}

pub(crate) fn endpoint(
    api: &Arc<Api>,
    resource: &Arc<dyn ErasedResource>,
    plan: &Option<Arc<Plan>>,
) -> Arc<Endpoint> {
    Arc::new(Endpoint { api: Arc::clone(api), resource: Arc::clone(resource), plan: plan.clone() })
}

impl Endpoint {
    /// What every response about a live resource carries. To be called before anything is read that the response shows.
    pub(crate) fn announce(&self, extensions: &Extensions) -> Announcement {
        let Some(plan) = &self.plan else { return Announcement::default() };
        let links = self.api.hubs.of(plan.hubs.as_deref()).filter_map(HubLink::link).collect();
        // Public resources too: an expired token would keep a browser from public updates as well.
        let authorizer = self.api.authorizer.as_ref();
        let cookies = authorizer.map(|authorizer| authorizer.cookies(extensions)).unwrap_or_default();
        Announcement { links, cookies }
    }

    /// Names the topic of a row, which is not the URL of every request for it (DIS.1).
    pub(crate) fn link_topic(&self, iri: &str, mut response: Response) -> Response {
        if self.plan.as_ref().is_some_and(|plan| plan.has_own_topic) {
            let topic = link::format(&format!("{}{iri}", self.api.base), "self", &[]);
            response.headers_mut().extend(HeaderValue::try_from(topic).ok().map(|topic| (LINK, topic)));
        }
        response
    }

    /// Wakes the relay after a commit; waits for the hub's answer if the resource says so, but not for ever: the change is
    /// committed and will be published. The response says what became of it.
    pub(crate) async fn committed(&self, id: &str, response: Response) -> Response {
        let wait = self.plan.as_ref().is_some_and(|plan| plan.may_wait);
        let answered = wait.then(|| self.api.waiters.wait(&self.resource.table().id(), id));
        (self.api.committed)();
        let Some(answered) = answered else { return response };
        let outcome = match tokio::time::timeout(LONGEST_WAIT, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Outcome::Pending,
        };
        ([(PUBLISHED, HeaderValue::from_static(outcome.as_str()))], response).into_response()
    }
}

/// What is said about the hub.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    links: Vec<HeaderValue>,
    cookies: Vec<HeaderValue>,
}

impl Announcement {
    /// Adds it to a response, errors included.
    pub(crate) fn answer(self, result: Result<Response, Problem>) -> Response {
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        let headers = response.headers_mut();
        // Clients take the first link that looks right: the hub's stands before the topic's.
        let own: Vec<HeaderValue> = headers.get_all(LINK).iter().cloned().collect();
        headers.remove(LINK);
        headers.extend(self.links.into_iter().chain(own).map(|link| (LINK, link)));
        if !self.cookies.is_empty() {
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
            headers.extend(self.cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
        }
        response
    }
}

/// How long a request waits for the hub's answer.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const PUBLISHED: HeaderName = HeaderName::from_static("petasos-published");
