//! A hub under test, seen from outside: HTTP and event streams, with nothing of the project's own protocol code.
//!
//! Which hub it is, the environment says (`README.md`): without `HUB_URL` each test starts the real `petasos hub` for itself.

#![forbid(unsafe_code)]

mod connection;
pub use connection::Connection;
mod form;
pub use form::form;
mod token;
pub use token::{Claims, claims, compact, detail, sign};

use std::env;

use anyhow::{Context, bail};
use petasos_testkit::{Event, Process, Stream, http};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a hub may lack without being wrong, or what somebody else's hub was not configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Pages of `https://app.example` may use the hub, and publish with the cookie.
    Cors,
    /// Repetitions with the same `Idempotency-Key` are recognised.
    Idempotency,
    /// The limits are those that Petasos has by default.
    Limits,
    /// Subscriptions by the method `QUERY`.
    Query,
    /// Active subscriptions, as updates and as a web API.
    Subscriptions,
}

impl Feature {
    fn name(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::Idempotency => "idempotency",
            Self::Limits => "limits",
            Self::Query => "query",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// A hub under test; one that was started for the test ends with it.
#[derive(Debug)]
pub struct Hub {
    /// Its URL.
    pub url: String,
    /// What tokens are signed with.
    pub secret: String,
    /// What tokens name as their issuer.
    pub issuer: String,
    /// What tokens name as their audience.
    pub audience: String,
    /// Name of the cookie that carries a token.
    pub cookie: String,
    /// The program, if it was started for the test.
    pub process: Option<Process>,
    folder: Option<TempDir>,
}

impl Hub {
    /// The hub that the environment names, or one that is started with what the suite needs: anonymous subscribers, active
    /// subscriptions, and pages of `https://app.example` let in.
    ///
    /// # Panics
    /// If it does not start, which fails the test.
    #[must_use]
    pub fn get() -> Self {
        let found = match env::var("HUB_URL") {
            Ok(url) => Self::foreign(&url),
            Err(_) => Self::start(USUAL),
        };
        found.unwrap_or_else(|error| fail(&error))
    }

    /// As [`Hub::get`], or nothing if the environment says that the hub lacks the feature (`HUB_LACKS`).
    #[must_use]
    pub fn with(feature: Feature) -> Option<Self> {
        let lacks = env::var("HUB_LACKS").unwrap_or_default();
        if lacks.split(',').any(|lacking| lacking.trim() == feature.name()) {
            println!("left out: the hub lacks {}", feature.name());
            return None;
        }
        Some(Self::get())
    }

    /// A hub with these arguments besides the address; nothing if the environment names a hub, which cannot be configured
    /// from here.
    ///
    /// # Panics
    /// If it does not start, which fails the test.
    #[must_use]
    pub fn configured(args: &[&str]) -> Option<Self> {
        if env::var("HUB_URL").is_ok() {
            println!("left out: it needs a hub that is started with {args:?}");
            return None;
        }
        Some(Self::start(args).unwrap_or_else(|error| fail(&error)))
    }

    fn foreign(url: &str) -> anyhow::Result<Self> {
        let var = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        Ok(Self {
            url: url.to_owned(),
            secret: env::var("HUB_SECRET").context("HUB_SECRET is needed with HUB_URL")?,
            issuer: var("HUB_ISSUER", url),
            audience: var("HUB_AUDIENCE", url),
            cookie: var("HUB_COOKIE", COOKIE),
            process: None,
            folder: None,
        })
    }

    fn start(args: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let extra = env::var("HUB_ARGS").unwrap_or_default();
        let mut all = vec!["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off"];
        all.extend(args.iter().copied().chain(extra.split_whitespace()));
        let key = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
        let mut process = Process::start("petasos", &all, &key, folder.path())?;
        let url = process.url("hub")?;
        Ok(Self {
            secret: SECRET.to_owned(),
            issuer: url.clone(),
            audience: url.clone(),
            cookie: COOKIE.to_owned(),
            process: Some(process),
            folder: Some(folder),
            url,
        })
    }

    /// Its origin, without a final slash.
    ///
    /// # Panics
    /// If its URL is none.
    #[must_use]
    pub fn origin(&self) -> &str {
        let host = self.url.find("://").map_or(0, |at| at + 3);
        self.url[host..].find('/').map_or(&self.url, |end| &self.url[..host + end])
    }

    /// The path of its URL.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.url[self.origin().len()..]
    }

    /// Where it keeps its files, if it was started for the test.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    /// Claims that the hub takes, for one authorization detail.
    #[must_use]
    pub fn claims(&self, actions: &[&str], topics: &Value) -> Value {
        claims(self, &[detail(actions, topics)])
    }

    /// A token that allows these actions on these topics (in the form of a token).
    #[must_use]
    pub fn token(&self, actions: &[&str], topics: &Value) -> String {
        sign(&self.claims(actions, topics), &self.secret)
    }

    /// The header that presents a token that allows to receive what is private on these topics.
    #[must_use]
    pub fn reader(&self, topics: &Value) -> (String, String) {
        bearer(&self.token(&["subscribe"], topics))
    }

    /// The header that presents a token that allows everything.
    #[must_use]
    pub fn everything(&self) -> (String, String) {
        bearer(&self.token(&["publish", "subscribe"], &json!([{"match": "*"}])))
    }

    /// Publishes with a token that allows it, and returns the id.
    ///
    /// # Panics
    /// If the hub refuses, which fails the test.
    pub fn publish(&self, fields: &[(&str, &str)]) -> String {
        let reply = self.try_publish(&form(fields), &[borrow(&self.everything())]);
        assert_eq!(reply.head.status, 200, "{fields:?}: {reply:?}");
        reply.body
    }

    /// Publishes whatever it is given.
    ///
    /// # Panics
    /// If there is no answer, which fails the test.
    pub fn try_publish(&self, form: &str, headers: &[(&str, &str)]) -> http::Response {
        let media_type = [("content-type", "application/x-www-form-urlencoded")];
        self.request("POST", "", &[&media_type, headers].concat(), form)
    }

    /// Sends a request to its URL with something appended.
    ///
    /// # Panics
    /// If there is no answer, which fails the test.
    pub fn request(&self, method: &str, rest: &str, headers: &[(&str, &str)], body: &str) -> http::Response {
        http::request(method, &format!("{}{rest}", self.url), headers, body)
            .unwrap_or_else(|error| fail(&error))
    }

    /// Subscribes and waits until the hub has answered.
    ///
    /// # Panics
    /// If it does not let the subscriber in, which fails the test.
    pub fn subscribe(&self, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Stream {
        self.try_subscribe(fields, headers).unwrap_or_else(|error| fail(&error))
    }

    /// Subscribes.
    ///
    /// # Errors
    /// If it does not let the subscriber in.
    pub fn try_subscribe(&self, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> anyhow::Result<Stream> {
        Stream::open(&format!("{}?{}", self.url, form(fields)), headers)
    }

    /// Opens a connection to it on which nothing is sent yet.
    ///
    /// # Panics
    /// If it cannot be reached, which fails the test.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.origin()).unwrap_or_else(|error| fail(&error))
    }
}

/// The header that presents a token.
#[must_use]
pub fn bearer(token: &str) -> (String, String) {
    ("authorization".to_owned(), format!("Bearer {token}"))
}

/// A header as requests take it.
#[must_use]
pub fn borrow(header: &(String, String)) -> (&str, &str) {
    (&header.0, &header.1)
}

/// A topic that nobody else uses, so that tests may share a hub.
#[must_use]
pub fn topic(name: &str) -> String {
    format!("https://example.com/{}/{name}", uuid::Uuid::new_v4().simple())
}

/// An event id that nobody else uses.
#[must_use]
pub fn id(name: &str) -> String {
    format!("urn:test:{name}:{}", uuid::Uuid::new_v4().simple())
}

/// The next event with one of these ids: on a hub that others use, a stream of everything carries more.
///
/// # Panics
/// If the stream ends before, which fails the test.
pub fn next_of(stream: &mut Stream, ids: &[&str]) -> Event {
    loop {
        let event = stream.next_event().unwrap_or_else(|error| fail(&error));
        if event.id.as_deref().is_some_and(|id| ids.contains(&id)) {
            return event;
        }
    }
}

/// The ids of the events up to and including `last`, of those that are in `ids`.
pub fn ids_until<'a>(stream: &mut Stream, ids: &[&'a str], last: &'a str) -> Vec<&'a str> {
    let mut seen = Vec::new();
    loop {
        let event = next_of(stream, &[ids, &[last]].concat());
        let id = event.id.unwrap_or_default();
        if id == last {
            return seen;
        }
        seen.extend(ids.iter().copied().filter(|known| *known == id));
    }
}

/// Checks that an answer is a problem document that says something about `word`.
///
/// # Panics
/// If it is not, which fails the test.
pub fn assert_problem(reply: &http::Response, status: u16, word: &str) {
    assert_eq!(reply.head.status, status, "{reply:?}");
    // Somebody else's hub may say it otherwise, or not at all.
    if env::var("HUB_URL").is_ok() {
        return;
    }
    assert_eq!(reply.head.header("content-type"), Some("application/problem+json"), "{reply:?}");
    let problem: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    assert_eq!(problem["status"], status, "{reply:?}");
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{reply:?}");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains(word)),
        "no {word:?} in {reply:?}"
    );
}

/// Reads a JSON body.
///
/// # Panics
/// If it is none, which fails the test.
#[must_use]
pub fn document(reply: &http::Response) -> Value {
    match serde_json::from_str(&reply.body) {
        Ok(document) => document,
        Err(error) => fail(&anyhow::anyhow!("{error}: {reply:?}")),
    }
}

/// Fails the test with an error and everything behind it.
#[expect(clippy::panic, reason = "this is how a test fails")]
fn fail(error: &anyhow::Error) -> ! {
    panic!("{error:#}")
}

/// Starts a program in the folder `clients` of the suite; its standard output can be read.
///
/// # Errors
/// If it cannot be started or does not end well.
pub fn client(program: &str, args: &[&str]) -> anyhow::Result<std::process::Child> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    if !folder.is_dir() {
        bail!("{} is missing", folder.display());
    }
    let mut command = std::process::Command::new(program);
    command
        .args(args)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped());
    command.spawn().with_context(|| format!("{program} cannot be started; `cargo xtask test` installs it"))
}

/// The secret of the hubs that the suite starts.
pub const SECRET: &str = "what the conformance suite signs its tokens with";
const COOKIE: &str = "__Secure-mercure_access_token";
const USUAL: &[&str] = &[
    "--anonymous",
    "--subscriptions",
    "--cors-origin",
    "https://app.example",
    "--publish-origin",
    "https://app.example",
];
