//! Single rows: `GET`, `PUT`, `PATCH` and `DELETE`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use super::{Endpoint, Format, Problem, body};
use crate::resource::{Input, Key};

pub(crate) async fn handle(endpoint: Arc<Endpoint>, request: Request) -> Response {
    let announcement = endpoint.announce(request.extensions());
    let (parts, body) = request.into_parts();
    let result = match parts.method {
        Method::GET | Method::HEAD => endpoint.read(&parts).await,
        Method::PUT => endpoint.write(&parts, body, Input::Replace).await,
        Method::PATCH => endpoint.write(&parts, body, Input::Merge).await,
        Method::DELETE => endpoint.delete(&parts).await,
        Method::OPTIONS => Ok((StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response()),
        ref other => Err(Problem::method_not_allowed(other, METHODS)),
    };
    let mut response = announcement.answer(result);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    response.headers_mut().insert(ACCEPT_PATCH, HeaderValue::from_static(body::PATCHES));
    response
}

impl Endpoint {
    async fn read(&self, request: &Parts) -> Result<Response, Problem> {
        let format = Format::choose(&request.headers)?;
        let key = self.key(request)?;
        let row = self.resource.find(&self.api.db, &key).await?;
        Ok(self.show(format, row.ok_or_else(|| self.missing(request))?))
    }

    async fn write(&self, request: &Parts, sent: Body, input: Input) -> Result<Response, Problem> {
        let format = Format::choose(&request.headers)?;
        let (key, missing) = (self.key(request)?, self.missing(request));
        let (types, header) = match input {
            Input::Merge => (body::PATCHES, ACCEPT_PATCH),
            Input::Create | Input::Replace => (body::DOCUMENTS, HeaderName::from_static("accept-post")),
        };
        let document = body::read(&request.headers, sent, types, header).await?;
        let values = input.read(self.resource.info(), &document).map_err(Problem::invalid)?;
        let row = self.resource.update(&self.api.db, &key, values).await?.ok_or(missing)?;
        let id = self.resource.id(&row);
        Ok(self.committed(&id, self.show(format, row)).await)
    }

    async fn delete(&self, request: &Parts) -> Result<Response, Problem> {
        let key = self.key(request)?;
        if !self.resource.delete(&self.api.db, &key).await? {
            return Err(self.missing(request));
        }
        // The key as the outbox will name it, however the request wrote it.
        let id = self.resource.canonical_id(&key);
        Ok(self.committed(&id, StatusCode::NO_CONTENT.into_response()).await)
    }

    /// The path is read as it was sent: the router has decoded its copy, and a key may hold an encoded slash.
    fn key(&self, request: &Parts) -> Result<Key, Problem> {
        let id = request.uri.path().rsplit('/').next().unwrap_or_default();
        self.resource.key(id).ok_or_else(|| self.missing(request))
    }

    fn missing(&self, request: &Parts) -> Problem {
        Problem::not_found(format!("There is no {} at {}.", self.resource.info().name, request.uri.path()))
    }
}

const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, PUT";
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
