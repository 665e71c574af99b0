//! Packages of the time of the earlier generations, and a browser whose page knows those only: unmodified.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout};

use petasos_conformance::{Hub, client, compact, form, topic};
use petasos_testkit::Browser;
use serde_json::{Value, json};

use crate::clients::{listen, page};

/// The interpreter that has the packages of `clients/requirements.txt`.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/.venv/bin/python");

/// A token of the earlier generations.
fn token(hub: &Hub, claim: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    compact(&header, &json!({"mercure": claim}).to_string(), &hub.secret)
}

/// A listener that prints a line for each event.
struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listener {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut child = client(program, args).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "open");
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("a client could not be stopped: {error}");
        }
    }
}

/// Publishes with `pymercure`; the id, or nothing if the hub refuses.
fn publish(hub: &Hub, token: &str, topic: &str, rest: &[&str]) -> Option<String> {
    let mut child =
        client(PYTHON, &[&["earlier_publisher.py", &hub.url, token, topic], rest].concat()).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap().success().then(|| said.trim().to_owned())
}

#[test]
fn pymercure_publishes_for_a_target_and_eventsource_2_hears_it() {
    let Some(hub) = Hub::configured(&["--compat", "targets"]) else { return };
    let name = topic("x");
    let [holder, other] = ["foo", "bar"].map(|target| token(&hub, &json!({"subscribe": [target]})));
    let url = format!("{}?{}", hub.url, form(&[("topic", &name)]));
    let mut hears = Listener::start("node", &["earlier.mjs", &url, &holder, "2"]);
    let mut hears_not = Listener::start("node", &["earlier.mjs", &url, &other, "1"]);
    let publisher = token(&hub, &json!({"publish": ["foo"]}));
    let secret = publish(&hub, &publisher, &name, &["for foo", "foo"]).unwrap();
    assert_eq!(publish(&hub, &publisher, &name, &["for bar", "bar"]), None);
    // Where both generations are served, what names no target is judged by its topic.
    let publisher = token(&hub, &json!({"publish": [name]}));
    let public = publish(&hub, &publisher, &name, &["for all\nof them"]).unwrap();
    let public = json!({"id": public, "data": "for all\nof them"});
    assert_eq!(hears.next(), json!({"id": secret, "data": "for foo"}));
    assert_eq!(hears.next(), public);
    assert_eq!(hears_not.next(), public);
}

#[test]
fn pymercure_hears_what_it_publishes_with_selectors_event_by_event() {
    let Some(hub) = Hub::configured(&["--compat", "selectors", "--anonymous"]) else { return };
    let name = topic("x");
    let mut hears = Listener::start(PYTHON, &["earlier_consumer.py", &hub.url, &name]);
    let publisher = token(&hub, &json!({"publish": [name.replace("/x", "/{id}")]}));
    for data in ["a", "b", "c"] {
        // Each is heard before the next one is sent: nothing of it waits for more to come.
        let id = publish(&hub, &publisher, &name, &[data]).unwrap();
        assert_eq!(hears.next(), json!({"id": id, "data": data}));
    }
    assert_eq!(publish(&hub, &publisher, "https://example.com/elsewhere", &["d"]), None);
}

#[test]
fn a_browsers_event_source_with_a_template_hears_what_its_earlier_cookie_or_url_allows() {
    let origin = page();
    let args = ["--compat", "selectors", "--anonymous", "--cors-origin", &origin];
    let Some(hub) = Hub::configured(&args) else { return };
    let browser = Browser::start(800, 600).unwrap();
    let name = topic("x");
    let selector = name.replace("/x", "/{id}");
    let subscriber = token(&hub, &json!({"subscribe": [selector]}));
    let publisher = token(&hub, &json!({"publish": ["*"]}));
    let private = |data: &str| {
        let bearer = format!("Bearer {publisher}");
        let fields = form(&[("topic", &name), ("private", "on"), ("data", data)]);
        let reply = hub.try_publish(&fields, &[("authorization", &bearer)]);
        assert_eq!(reply.head.status, 200, "{reply:?}");
        reply.body
    };
    let url = format!("{}?{}", hub.url, form(&[("topic", &selector)]));
    let in_url = format!("{url}&{}", form(&[("authorization", &subscriber)]));
    browser.goto(&origin).unwrap();
    for (url, cookie) in [(url, true), (in_url, false)] {
        if cookie {
            let set = format!("document.cookie = 'mercureAuthorization={subscriber}; path=/'");
            browser.execute(&set).unwrap();
        }
        browser.execute(&listen(&url, cookie)).unwrap();
        browser.wait_until("window.state === 'open'").unwrap();
        let id = private("secret");
        browser.wait_until(&format!("window.heard.includes('message:{id}:secret')")).unwrap();
        browser.execute("window.source.close()").unwrap();
    }
}
