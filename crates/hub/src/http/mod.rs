//! The hub over HTTP: what a request is answered, without a socket in sight.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use petasos_protocol::metadata::{self, ResourceMetadata};

mod authorize;
mod body;
mod compat;
pub use body::HubBody;
mod cors;
mod head;
mod host;
pub use host::Hosts;
mod problem;
pub(crate) use problem::Problem;
mod publish;
mod replay;
pub(crate) use replay::Replay;
mod stream;
mod subscribe;
pub use subscribe::ClientAddress;
pub(crate) use subscribe::{Start, Subscription};
mod subscriptions;

use crate::hub::Hub;

/// What a request comes to: an answer, or a stream that the caller still has to open.
pub(crate) enum Outcome {
    Answer(Response<HubBody>),
    Stream(Box<Subscription>),
}

impl Hub {
    /// Answers a request to the hub: its own path, what is below it, and the metadata of RFC 9728.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<HubBody>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        match self.decide(request).await {
            Outcome::Answer(response) => response,
            Outcome::Stream(subscription) => subscription.into_response(self),
        }
    }

    /// Whether a path is the hub's.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        let own = match path.strip_prefix(self.inner.url.path()) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('/').is_some_and(|below| {
                let segment = below.split('/').next().unwrap_or_default();
                !self.inner.policy.left.iter().any(|left| left == segment)
            }),
            None => false,
        };
        own || path == metadata::path(&self.inner.url)
    }

    /// The answer to a request that is addressed to another host ([`crate::HubBuilder::hosts`]), for an application that
    /// answers beside the hub and wants to be reached under the same names.
    #[must_use]
    pub fn misdirected(&self, parts: &http::request::Parts) -> Option<Response<HubBody>> {
        host::check(&self.inner.policy.hosts, parts).err().map(Problem::into_response)
    }

    /// Does everything but open the stream.
    pub(crate) async fn decide<B>(&self, request: Request<B>) -> Outcome
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let (mut parts, body) = request.into_parts();
        // Before anything else, so that nothing that logs or repeats the URL can show it.
        compat::take_query_token(&mut parts);
        let judged = head::check(&parts, self.inner.policy.max_head)
            .and_then(|()| host::check(&self.inner.policy.hosts, &parts));
        let outcome = match judged {
            Ok(()) => self.route(&parts, body).await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(Outcome::Answer(mut response)) => {
                cors::allow(&self.inner.policy, &parts.headers, response.headers_mut());
                Outcome::Answer(response)
            }
            Ok(Outcome::Stream(mut subscription)) => {
                cors::allow(&self.inner.policy, &parts.headers, subscription.headers_mut());
                Outcome::Stream(subscription)
            }
            Err(problem) => {
                let mut response = problem.into_response();
                cors::allow(&self.inner.policy, &parts.headers, response.headers_mut());
                Outcome::Answer(response)
            }
        }
    }

    async fn route<B>(&self, parts: &http::request::Parts, body: B) -> Result<Outcome, Problem>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        if parts.uri.path() == metadata::path(&self.inner.url) {
            return self.metadata(&parts.method);
        }
        if parts.uri.path() != self.inner.url.path() {
            return self.subscriptions(parts).await.map(Outcome::Answer);
        }
        match parts.method.as_str() {
            "GET" => {
                let subscription = self.subscribe(parts, None).await?;
                Ok(Outcome::Stream(Box::new(self.open(subscription, parts).await?)))
            }
            "QUERY" => {
                let form = body::collect_form(&parts.headers, body, &self.inner.policy).await?;
                let subscription = self.subscribe(parts, Some(&form)).await?;
                Ok(Outcome::Stream(Box::new(self.open(subscription, parts).await?)))
            }
            "HEAD" => Ok(Outcome::Answer(self.subscribe(parts, None).await?.into_head())),
            "POST" => {
                let form = body::collect_form(&parts.headers, body, &self.inner.policy).await?;
                self.publish_request(parts, &form).await.map(Outcome::Answer)
            }
            "OPTIONS" => Ok(Outcome::Answer(cors::preflight(METHODS))),
            _ => Err(Problem::method_not_allowed(&parts.method, METHODS)),
        }
    }

    fn metadata(&self, method: &Method) -> Result<Outcome, Problem> {
        match *method {
            Method::OPTIONS => return Ok(Outcome::Answer(cors::preflight("GET, HEAD, OPTIONS"))),
            Method::GET | Method::HEAD => {}
            _ => return Err(Problem::method_not_allowed(method, "GET, HEAD, OPTIONS")),
        }
        let policy = &self.inner.policy;
        let document =
            ResourceMetadata::new(&self.inner.url, policy.issuers.clone(), Some(policy.cookie_name.clone()))
                .with_subscriptions(self.inner.activity.is_some());
        let document = serde_json::to_vec(&document).map_err(|error| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("The metadata cannot be written: {error}."),
            )
        })?;
        let mut response = Response::new(HubBody::full(document));
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        Ok(Outcome::Answer(response))
    }
}

const METHODS: &str = "GET, HEAD, OPTIONS, POST, QUERY";

fn allow(response: &mut Response<HubBody>, methods: &'static str) {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
}

/// The hub's bodies never fail: a stream that cannot go on ends.
pub type Never = Infallible;
