//! Who is there, what they may see, and what the hub may tell them.
//!
//! A real shop has accounts and sessions. Here a header names the reader and is believed, so that one page can show two of
//! them; everything behind that is what a real shop would do: a layer puts the reader into the request's extensions, the
//! API's lists show what is theirs, and [`current`] says what the hub may tell them.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::{Extensions, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use petasos::live::User;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::entities::{announcement, order};

/// Somebody whom the shop knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reader {
    name: &'static str,
    is_staff: bool,
}

/// Whom a request comes from, and what the hub may tell them.
pub(crate) fn current(extensions: &Extensions) -> Option<User> {
    let Reader { name, is_staff } = *extensions.get::<Reader>()?;
    let group = if is_staff { "staff" } else { "readers" };
    Some(User::new(name).targets([format!("/users/{name}"), group.to_owned()]))
}

/// Lets through what the reader may do, limited to what is theirs.
pub(crate) async fn guard(
    State(db): State<DatabaseConnection>,
    mut request: Request,
    next: Next,
) -> Response {
    let named = request.headers().get("bookshop-reader").and_then(|name| name.to_str().ok());
    let reader = READERS.iter().find(|reader| Some(reader.name) == named);
    if let Some(reader) = reader {
        request.extensions_mut().insert(*reader);
    }
    let path = request.uri().path().to_owned();
    let (collection, id) = match path.strip_prefix('/').unwrap_or_default().split_once('/') {
        Some((collection, id)) => (collection, Some(id)),
        None => (path.trim_start_matches('/'), None),
    };
    let allowed = match (collection, reader) {
        ("orders" | "announcements", None) => Err(Refusal::SignIn),
        ("orders", Some(reader)) => order(&db, *reader, id, request).await,
        ("announcements", Some(reader)) => announcement(&db, *reader, id, request).await,
        _ => Ok(request),
    };
    match allowed {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Readers see, place and cancel orders of their own.
async fn order(
    db: &DatabaseConnection,
    reader: Reader,
    id: Option<&str>,
    request: Request,
) -> Result<Request, Refusal> {
    match (request.method(), id) {
        (&Method::OPTIONS, _) => Ok(request),
        (&Method::GET | &Method::HEAD, None) => limit(request, "customer", reader.name),
        (&Method::POST, None) => place(request, reader).await,
        (&Method::GET | &Method::HEAD | &Method::DELETE, Some(id)) => {
            let id = id.parse().map_err(|_| Refusal::Nothing)?;
            let order = order::Entity::find_by_id::<i32>(id).one(db).await.map_err(Refusal::busy)?;
            order.filter(|order| order.customer == reader.name).map(|_| request).ok_or(Refusal::Nothing)
        }
        _ => Err(Refusal::Forbidden),
    }
}

/// The staff does what it likes; others see what is for them.
async fn announcement(
    db: &DatabaseConnection,
    reader: Reader,
    id: Option<&str>,
    request: Request,
) -> Result<Request, Refusal> {
    match (request.method(), id) {
        _ if reader.is_staff => Ok(request),
        (&Method::OPTIONS, _) => Ok(request),
        (&Method::GET | &Method::HEAD, None) => limit(request, "audience", "readers"),
        (&Method::GET | &Method::HEAD, Some(id)) => {
            let id = id.parse().map_err(|_| Refusal::Nothing)?;
            let found = announcement::Entity::find_by_id::<i32>(id).one(db).await.map_err(Refusal::busy)?;
            found.filter(|found| found.audience == "readers").map(|_| request).ok_or(Refusal::Nothing)
        }
        _ => Err(Refusal::Forbidden),
    }
}

/// Whatever the list is asked for, it shows these rows only.
fn limit(mut request: Request, field: &str, value: &str) -> Result<Request, Refusal> {
    let query = request.uri().query().unwrap_or_default();
    let others =
        form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name.split('[').next() != Some(field));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair(field, value)
        .finish();
    let target = format!("{}?{query}", request.uri().path());
    *request.uri_mut() = Uri::try_from(target).map_err(|_| Refusal::Nothing)?;
    Ok(request)
}

/// Whatever an order says, it is the sender's, and new.
async fn place(request: Request, reader: Reader) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_ORDER).await.map_err(|_| Refusal::TooLarge)?;
    parts.headers.remove(CONTENT_LENGTH);
    let body = match serde_json::from_slice::<Map<String, Value>>(&body) {
        Ok(mut order) => {
            order.insert("customer".to_owned(), reader.name.into());
            order.insert("status".to_owned(), "placed".into());
            Bytes::from(Value::Object(order).to_string())
        }
        // The API says what is wrong with it.
        Err(_) => body,
    };
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Why a request goes no further.
#[derive(Debug)]
enum Refusal {
    Busy,
    Forbidden,
    Nothing,
    SignIn,
    TooLarge,
}

impl Refusal {
    #[expect(clippy::needless_pass_by_value, reason = "it stands where an error is handed over")]
    fn busy(error: DbErr) -> Self {
        tracing::warn!(%error, "the database gave no answer");
        Self::Busy
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "The database is busy. Try again."),
            Self::Forbidden => (StatusCode::FORBIDDEN, "That is for others to do."),
            Self::Nothing => (StatusCode::NOT_FOUND, "There is no such thing, or it is not yours."),
            Self::SignIn => (StatusCode::UNAUTHORIZED, "Say who you are: Bookshop-Reader: ann, or bob."),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Nobody orders so much."),
        };
        let mut response = (status, format!("{text}\n")).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bookshop-Reader"));
        }
        response
    }
}

const READERS: [Reader; 2] =
    [Reader { name: "ann", is_staff: false }, Reader { name: "bob", is_staff: true }];
const LONGEST_ORDER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_widens_a_list_by_asking_twice() {
        let asked = "/orders?customer=bob&customer%5B%5D=bob&customer[0]=bob&page=2&order%5Bid%5D=desc";
        let request = Request::get(asked).body(Body::empty()).expect("a request");
        let limited = limit(request, "customer", "ann").expect("a list");
        assert_eq!(limited.uri(), "/orders?page=2&order%5Bid%5D=desc&customer=ann");
    }

    #[test]
    fn the_hub_tells_each_what_concerns_them() {
        let mut extensions = Extensions::new();
        assert_eq!(current(&extensions), None);
        extensions.insert(READERS[0]);
        assert_eq!(current(&extensions), Some(User::new("ann").targets(["/users/ann", "readers"])));
    }
}
