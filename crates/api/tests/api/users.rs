//! Users receive what is theirs: by the hub's cookie, or by a token.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use petasos::App;
use petasos::client::Publisher;
use petasos::live::User;
use petasos_testkit::http;
use petasos_testkit::{Event, Stream};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Schema};
use serde_json::Value;

use crate::entities::tag;
use crate::forms::{owned, plain};
use crate::support::{LD, Served};

/// Who the application's own layer says is there.
#[derive(Clone)]
struct Caller(String);

/// Stands for a session: the header names the user.
async fn sign_in(mut request: Request, next: Next) -> Response {
    let name = request.headers().get("x-user").and_then(|name| name.to_str().ok()).map(str::to_owned);
    name.map(|name| request.extensions_mut().insert(Caller(name)));
    next.run(request).await
}

fn with_users(app: App) -> App {
    app.current_user(|extensions| {
        let Caller(name) = extensions.get::<Caller>()?;
        Some(User::new(name).targets([name]))
    })
}

fn start(configure: impl FnOnce(App) -> App) -> Served {
    let configure = |app: App| {
        let app = app.resource::<owned::Entity>().resource::<plain::Entity>().resource::<tag::Entity>();
        configure(with_users(app))
    };
    let wrap = |router: axum::Router| router.layer(middleware::from_fn(sign_in));
    Served::start_wrapped(&[], configure, wrap, async |db| {
        let schema = Schema::new(db.get_database_backend());
        db.execute(&schema.create_table_from_entity(owned::Entity)).await.unwrap();
        db.execute(&schema.create_table_from_entity(plain::Entity)).await.unwrap();
        db.execute(&schema.create_table_from_entity(tag::Entity)).await.unwrap();
    })
}

fn ask(served: &Served, method: &str, path: &str, user: Option<&str>) -> http::Response {
    let headers: Vec<(&str, &str)> = user.iter().map(|user| ("x-user", *user)).collect();
    http::request(method, &format!("{}{path}", served.url), &headers, "").unwrap()
}

/// What a browser would send to the hub after such an answer.
fn cookie(response: &http::Response) -> String {
    let set: Vec<&str> = response.head.all("set-cookie").collect();
    assert_eq!(set.len(), 1, "{response:?}");
    set[0].split(';').next().unwrap().to_owned()
}

/// The claims of a token, which is for the hub to check.
fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap())
        .unwrap()
}

fn subscribe(served: &Served, headers: &[(&str, &str)]) -> Stream {
    Stream::open(&format!("{}/.well-known/mercure?match=*", served.url), headers).unwrap()
}

fn iri(event: &Event) -> String {
    let document: Value = serde_json::from_str(&event.data).unwrap();
    document["@id"].as_str().unwrap().to_owned()
}

#[test]
fn auth_5_each_user_receives_what_is_theirs_and_nobody_elses() {
    let served = start(|app| app);
    let streams = [Some("ann"), Some("bob"), None].map(|user| {
        let cookie = cookie(&ask(&served, "GET", "/owneds", user));
        let headers = [("cookie", cookie.as_str())];
        subscribe(&served, if user.is_some() { &headers } else { &[] })
    });
    served.runtime.block_on(async {
        owned::row(1, "ann").insert(&served.db).await.unwrap();
        owned::row(2, "bob").insert(&served.db).await.unwrap();
        plain::row(9, "everyone").insert(&served.db).await.unwrap();
    });
    let expected: [&[&str]; 3] = [&["/owneds/1", "/plains/9"], &["/owneds/2", "/plains/9"], &["/plains/9"]];
    for (mut stream, expected) in streams.into_iter().zip(expected) {
        let seen: Vec<String> = expected.iter().map(|_| iri(&stream.next_event().unwrap())).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn every_response_about_a_live_resource_sets_the_cookie_or_takes_it_away() {
    let served = start(|app| app);
    for (method, path, status) in [
        ("GET", "/owneds", 200),
        ("HEAD", "/owneds", 200),
        ("OPTIONS", "/owneds", 204),
        ("GET", "/owneds/404", 404),
        ("DELETE", "/owneds/404", 404),
        ("TRACE", "/plains", 405),
        ("GET", "/plains", 200),
    ] {
        let response = ask(&served, method, path, Some("ann"));
        assert_eq!(response.head.status, status, "{method} {path}");
        let set = response.head.header("set-cookie").unwrap();
        assert!(set.starts_with("__Secure-mercure_access_token=ey"), "{set}");
        assert!(set.ends_with("; Path=/.well-known/mercure; Secure; HttpOnly; SameSite=Strict"), "{set}");
        assert!(!set.contains("Domain"), "{set}");
        // What is one user's must not come out of a cache for another.
        assert_eq!(response.head.header("cache-control"), Some("private"));
    }
    let nobody = ask(&served, "GET", "/owneds", None);
    let expected = "__Secure-mercure_access_token=; Max-Age=0; Path=/.well-known/mercure; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(nobody.head.header("set-cookie"), Some(expected));
    assert_eq!(ask(&served, "GET", "/tags", Some("ann")).head.header("set-cookie"), None);
    let preflight =
        [("origin", "https://a.example"), ("access-control-request-method", "GET"), ("x-user", "ann")];
    let preflight = http::request("OPTIONS", &format!("{}/owneds", served.url), &preflight, "").unwrap();
    assert_eq!(preflight.head.header("set-cookie"), None);
}

#[test]
fn a_token_grants_exactly_what_the_closure_returned() {
    let served = start(|app| app);
    let path = "/owneds?hub=default&targets=root&x-user=root";
    let headers = [("x-user", "ann"), ("cookie", "x-user=root"), ("mercure-targets", "*")];
    let response = http::request("GET", &format!("{}{path}", served.url), &headers, "").unwrap();
    let cookie = cookie(&response);
    let claims = claims(cookie.split_once('=').unwrap().1);
    let hub = format!("{}/.well-known/mercure", served.url);
    assert_eq!((claims["sub"].as_str(), claims["aud"].as_str()), (Some("ann"), Some(hub.as_str())));
    let details = claims["authorization_details"].as_array().unwrap();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0]["actions"], serde_json::json!(["subscribe"]));
    assert_eq!(details[0]["topics"].as_array().unwrap().len(), 1);
    assert_eq!(details[0]["topics"][0]["match"], "ann");
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 900);
    // Who calls themselves so gets nothing, not everything.
    assert!(
        ask(&served, "GET", "/owneds", Some("*")).head.header("set-cookie").unwrap().contains("Max-Age=0")
    );
}

#[test]
fn tokens_are_handed_out_only_where_that_is_wanted() {
    let closed = start(|app| app);
    assert_eq!(ask(&closed, "GET", "/.well-known/mercure-token", Some("ann")).head.status, 404);

    let served = start(|app| app.token_endpoint("/.well-known/mercure-token"));
    let response = ask(&served, "GET", "/.well-known/mercure-token", Some("ann"));
    assert_eq!((response.head.status, response.head.header("cache-control")), (200, Some("no-store")));
    assert!(response.head.header("set-cookie").unwrap().starts_with("__Secure-mercure_access_token=ey"));
    let document: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!((&document["token_type"], &document["expires_in"]), (&"Bearer".into(), &900.into()));
    let bearer = format!("Bearer {}", document["access_token"].as_str().unwrap());
    let mut stream = Stream::open(
        &format!("{}?match=*", document["hub"].as_str().unwrap()),
        &[("authorization", bearer.as_str())],
    )
    .unwrap();
    served.runtime.block_on(owned::row(1, "ann").insert(&served.db)).unwrap();
    assert_eq!(iri(&stream.next_event().unwrap()), "/owneds/1");

    for (method, path, user, status) in [
        ("GET", "/.well-known/mercure-token", None, 401),
        ("POST", "/.well-known/mercure-token", Some("ann"), 405),
        ("GET", "/.well-known/mercure-token?hub=other", Some("ann"), 404),
        ("GET", "/.well-known/mercure-token", Some("*"), 500),
    ] {
        let response = ask(&served, method, path, user);
        assert_eq!(
            (response.head.status, response.head.header("cache-control")),
            (status, Some("no-store")),
            "{method} {path}"
        );
        assert!(!response.body.contains("ey"), "{}", response.body);
    }
}

#[test]
fn auth_2_a_cookie_is_short_lived_and_the_next_response_renews_it() {
    let served = start(|app| app.token_lifetime(std::time::Duration::from_secs(2)));
    let old = cookie(&ask(&served, "GET", "/owneds", Some("ann")));
    let mut stream = subscribe(&served, &[("cookie", &old)]);
    // The hub ends the stream with the token; the old cookie opens nothing then, or, while clocks may differ, a stream that
    // ends at once.
    assert!(stream.next_event().is_err());
    served.runtime.block_on(owned::row(1, "ann").insert(&served.db)).unwrap();
    let url = format!("{}/.well-known/mercure?match=*&last_event_id=earliest", served.url);
    if let Ok(mut late) = Stream::open(&url, &[("cookie", &old)]) {
        assert!(late.next_event().is_err());
    }
    let renewed = cookie(&ask(&served, "HEAD", "/owneds", Some("ann")));
    assert_ne!(renewed, old);
    let mut stream = Stream::open(&url, &[("cookie", &renewed)]).unwrap();
    assert_eq!(iri(&stream.next_event().unwrap()), "/owneds/1");
}

fn refusal(api: &str, hub: &str, configure: impl FnOnce(App) -> App) -> Option<String> {
    let app =
        App::from_lookup(|name| (name == "DATABASE_URL").then(|| "sqlite::memory:".to_owned())).unwrap();
    let (publisher, _) = Publisher::recording();
    let app = configure(with_users(app.resource::<plain::Entity>().hub("default", publisher, hub)));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The table is missing, which the outbox says; everything about hubs is found before.
    let error = runtime.block_on(app.into_router(api)).map(drop).unwrap_err();
    matches!(error, petasos::Error::Hub(_)).then(|| error.to_string())
}

#[test]
fn a_hub_that_cookies_cannot_reach_stops_the_start() {
    let said = refusal("https://shop.example.com", "https://hub.example.net/m", |app| app).unwrap();
    assert_eq!(
        said,
        "the hub cannot be used: browsers take no cookie for hub.example.net from shop.example.com: they share no domain that \
         somebody has registered; put the hub beside the API, or hand tokens out with App::token_endpoint"
    );
    assert_eq!(refusal("https://shop.example.com", "https://hub.example.com/m", |app| app), None);
    let endpoint = |app: App| app.token_endpoint("/token");
    assert_eq!(refusal("https://shop.example.com", "https://hub.example.net/m", endpoint), None);
    let ready = |app: App| {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
        let hub = "https://hub.example.com/m";
        let credential = petasos::client::token::Credential::parse(token).unwrap();
        app.hub("default", Publisher::new(hub, credential, &[hub]).unwrap(), hub)
    };
    let said = refusal("https://shop.example.com", "https://hub.example.com/m", ready).unwrap();
    assert!(said.contains("a ready token"), "{said}");
}

#[test]
fn pages_of_listed_origins_may_send_credentials() {
    let served = Served::start_with(
        &[("PETASOS_CORS_ORIGINS", "https://app.example.com")],
        |app| with_users(app.resource::<plain::Entity>()),
        async |db| {
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(plain::Entity)).await.unwrap();
        },
    );
    for (origin, allowed) in [("https://app.example.com", Some("true")), ("https://other.example.com", None)]
    {
        let headers = [("origin", origin), ("content-type", LD)];
        let response = http::request("GET", &format!("{}/plains", served.url), &headers, "").unwrap();
        assert_eq!(response.head.header("access-control-allow-credentials"), allowed);
    }
}
