//! Lists: `GET` and `POST` of a resource's path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_LOCATION, CONTENT_TYPE, HeaderName, LOCATION};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;

use super::{Endpoint, Format, Problem, body};
use crate::jsonld;
use crate::resource::{Input, ListQuery};

pub(crate) async fn handle(endpoint: Arc<Endpoint>, request: Request) -> Response {
    let announcement = endpoint.announce(request.extensions());
    let (parts, body) = request.into_parts();
    let result = match parts.method {
        Method::GET | Method::HEAD => endpoint.list(&parts).await,
        Method::POST => endpoint.create(&parts, body).await,
        Method::OPTIONS => Ok((StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response()),
        ref other => Err(Problem::method_not_allowed(other, METHODS)),
    };
    let mut response = announcement.answer(result);
    response.headers_mut().insert(ALLOW, http::HeaderValue::from_static(METHODS));
    response.headers_mut().insert(ACCEPT_POST, http::HeaderValue::from_static(body::DOCUMENTS));
    response
}

impl Endpoint {
    async fn list(&self, request: &Parts) -> Result<Response, Problem> {
        let format = Format::choose(&request.headers)?;
        let query = ListQuery::parse(request.uri.query().unwrap_or_default(), self.resource.info());
        let page = self.resource.list(&self.api.db, &query).await?;
        let document = match format {
            Format::JsonLd => jsonld::collection(&*self.resource, page, &query),
            Format::Json => page.items.into_iter().map(Value::Object).collect(),
        };
        Ok(([(CONTENT_TYPE, format.content_type())], document.to_string()).into_response())
    }

    async fn create(&self, request: &Parts, sent: Body) -> Result<Response, Problem> {
        let format = Format::choose(&request.headers)?;
        let document = body::read(&request.headers, sent, body::DOCUMENTS, ACCEPT_POST).await?;
        let values = Input::Create.read(self.resource.info(), &document).map_err(Problem::invalid)?;
        let row = self.resource.create(&self.api.db, values).await?;
        let id = self.resource.id(&row);
        let iri = jsonld::iri(self.resource.info(), &id);
        let headers = [(LOCATION, iri.clone()), (CONTENT_LOCATION, iri)];
        let response = (StatusCode::CREATED, headers, self.show(format, row)).into_response();
        Ok(self.committed(&id, response).await)
    }

    /// A row with its content type.
    pub(crate) fn show(&self, format: Format, row: crate::resource::Item) -> Response {
        let iri = jsonld::iri(self.resource.info(), &self.resource.id(&row));
        let document = match format {
            Format::JsonLd => jsonld::item(&*self.resource, row),
            Format::Json => Value::Object(row),
        };
        let response = ([(CONTENT_TYPE, format.content_type())], document.to_string()).into_response();
        self.link_topic(&iri, response)
    }
}

const METHODS: &str = "GET, HEAD, OPTIONS, POST";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
