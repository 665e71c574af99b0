//! A browser and other people's clients, as they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use petasos_conformance::{Hub, borrow, client, form, topic};
use petasos_testkit::Browser;
use serde_json::json;

/// Serves one page at every path, from an origin of its own, for as long as the test runs.
pub(crate) fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                let body = "<!doctype html><title>page</title><p id=seen></p>";
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length";
                // A browser that has left does not matter.
                drop(stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()));
            }
        }
    });
    origin
}

/// Listens with an `EventSource` and shows in the page what it hears.
pub(crate) fn listen(url: &str, credentials: bool) -> String {
    format!(
        "window.heard = [];
         window.source = new EventSource({url:?}, {{withCredentials: {credentials}}});
         const show = () => {{ document.querySelector('#seen').textContent = window.state + ' ' + window.heard.join(' '); }};
         window.state = 'connecting';
         source.onopen = () => {{ window.state = 'open'; show(); }};
         source.onerror = () => {{ window.state = 'error'; show(); }};
         const hear = (event) => {{ heard.push(event.type + ':' + event.lastEventId + ':' + event.data); show(); }};
         source.onmessage = hear;
         source.addEventListener('note', hear);"
    )
}

#[test]
fn a_browsers_event_source_of_another_origin_hears_what_is_public_and_what_its_cookie_allows() {
    let origin = page();
    let args = ["--anonymous", "--cookie-name", "mercure_token", "--cors-origin", &origin];
    let Some(hub) = Hub::configured(&args) else { return };
    let browser = Browser::start(800, 600).unwrap();
    let name = topic("x");
    let token = hub.token(&["subscribe"], &json!([{"match": name}]));
    // Cookies have no port: what a page of the hub's host sets, the hub gets.
    browser.goto(&origin).unwrap();
    browser.execute(&format!("document.cookie = 'mercure_token={token}; path=/'")).unwrap();
    let url = format!("{}?{}", hub.url, form(&[("match", &name)]));
    browser.execute(&listen(&url, true)).unwrap();
    browser.wait_until("window.state === 'open'").unwrap();
    let secret = hub.publish(&[("topic", &name), ("private", "on"), ("data", "a\nb"), ("type", "note")]);
    browser.wait_until(&format!("window.heard.includes('note:{secret}:a\\nb')")).unwrap();
    let public = hub.publish(&[("topic", &name), ("data", "{\"x\": \"\u{e9}\"}")]);
    browser.wait_until(&format!("window.heard.includes('message:{public}:{{\"x\": \"\u{e9}\"}}')")).unwrap();

    // Without credentials it is nobody in particular.
    browser.goto(&origin).unwrap();
    browser.execute(&listen(&url, false)).unwrap();
    browser.wait_until("window.state === 'open'").unwrap();
    hub.publish(&[("topic", &name), ("private", "on"), ("data", "secret")]);
    let public = hub.publish(&[("topic", &name), ("data", "public")]);
    browser.wait_until(&format!("window.heard.includes('message:{public}:public')")).unwrap();
    assert_eq!(browser.execute("return window.heard.length").unwrap(), 1);
}

#[test]
fn a_browser_keeps_a_page_out_that_is_not_listed() {
    let origin = page();
    let Some(hub) = Hub::configured(&["--anonymous", "--cors-origin", "https://app.example"]) else { return };
    let browser = Browser::start(800, 600).unwrap();
    browser.goto(&origin).unwrap();
    browser.execute(&listen(&format!("{}?match=*", hub.url), false)).unwrap();
    browser
        .wait_until("window.state === 'error' && window.source.readyState === EventSource.CLOSED")
        .unwrap();
}

#[test]
fn a_browsers_event_source_comes_back_with_its_cursor() {
    let origin = page();
    let args = ["--anonymous", "--cors-origin", &origin, "--max-lifetime", "2"];
    let Some(hub) = Hub::configured(&args) else { return };
    let browser = Browser::start(800, 600).unwrap();
    let name = topic("x");
    browser.goto(&origin).unwrap();
    browser.execute(&listen(&format!("{}?{}", hub.url, form(&[("match", &name)])), false)).unwrap();
    browser.wait_until("window.state === 'open'").unwrap();
    hub.publish(&[("topic", &name), ("data", "0"), ("retry", "100")]);
    browser.wait_until("window.heard.length === 1").unwrap();
    // The stream ends while these are published, maybe more than once: none is missed, none comes twice.
    browser.wait_until("window.state === 'error'").unwrap();
    for number in 1..20 {
        hub.publish(&[("topic", &name), ("data", &number.to_string())]);
    }
    browser.wait_until("window.heard.length >= 20").unwrap();
    let heard =
        browser.execute("return window.heard.map((text) => text.split(':').pop()).join(' ')").unwrap();
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(heard.as_str().unwrap(), expected.join(" "));
}

#[test]
fn the_eventsource_package_of_npm_hears_private_updates_and_comes_back() {
    let Some(hub) = Hub::configured(&["--anonymous", "--max-lifetime", "2"]) else { return };
    let name = topic("x");
    let token = hub.token(&["subscribe"], &json!([{"match": name}]));
    let first = hub.publish(&[("topic", &name)]);
    let url = format!("{}?{}", hub.url, form(&[("match", &name), ("last_event_id", &first)]));
    let mut child = client("node", &["eventsource.mjs", &url, &token, "12"]).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "open");
    let mut expected = Vec::new();
    for number in 0..12 {
        let data = format!("line {number}\nand another");
        let fields =
            [("topic", name.as_str()), ("data", &data), ("private", "on"), ("type", "note"), ("retry", "50")];
        let reply = hub.try_publish(&form(&fields), &[borrow(&hub.everything())]);
        assert_eq!(reply.head.status, 200, "{reply:?}");
        expected.push(json!({"type": "note", "id": reply.body, "data": data}));
        // Each is heard before the next one is sent: after the stream's end, by way of the cursor.
        let heard: serde_json::Value = loop {
            let line = lines.next().unwrap().unwrap();
            if line != "open" {
                break serde_json::from_str(&line).unwrap();
            }
        };
        assert_eq!(&heard, expected.last().unwrap());
    }
    assert!(child.wait().unwrap().success());
}
