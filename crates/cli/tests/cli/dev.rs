//! The hub for one's own machine: what it prints works as it stands.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use petasos_testkit::{Stream, http};

use crate::support::Hub;

/// A program that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
fn the_printed_curl_lines_subscribe_publish_and_list() {
    let mut hub = Hub::with(&["--dev"], &[]);
    let subscribe = format!("curl{}", hub.process.line("  curl").unwrap());
    let publish = format!("curl{}", hub.process.line("  curl").unwrap());
    let mut subscriber = Ended(shell(&subscribe).spawn().unwrap());
    let mut lines = BufReader::new(subscriber.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), ":", "the stream is open");
    let published = shell(&publish).output().unwrap();
    let id = String::from_utf8(published.stdout).unwrap();
    assert!(id.starts_with("urn:uuid:"), "{id}");
    assert!(lines.any(|line| line == format!("id: {id}")));
    assert_eq!(lines.next().unwrap(), "data: Hello");
    let who = format!("curl{}", hub.process.line("  curl").unwrap());
    let who = String::from_utf8(shell(&who).output().unwrap().stdout).unwrap();
    assert!(who.contains("\"match\":\"*\"") && who.contains("\"active\":true"), "{who}");
    let said = hub.process.kill().unwrap();
    assert!(said.starts_with("warning: --dev"), "{said}");
}

#[test]
fn whoever_tries_the_hub_has_the_whole_of_it() {
    let mut hub = Hub::with(&["--dev"], &[]);
    let token = hub.process.line("  TOKEN=").unwrap();
    let bearer = format!("Bearer {token}");
    // Everyone may subscribe, from every page, and the token reads the subscriptions.
    let stream = Stream::open(&format!("{}?match=x", hub.url), &[("origin", "https://a.example")]).unwrap();
    assert_eq!(stream.head.header("access-control-allow-origin"), Some("*"));
    let list = http::request("GET", &format!("{}/subscriptions", hub.url), &[("authorization", &bearer)], "");
    assert!(list.unwrap().body.contains("\"match\":\"x\""));
}

#[test]
fn the_debugger_stands_below_the_hub_and_only_where_it_is_wanted() {
    let hub = Hub::with(&["--dev"], &[]);
    let root = format!("http://{}", hub.address());
    let page = http::get(&format!("{}/debug/", hub.url)).unwrap();
    assert!(page.body.contains("hub debugger"));
    let policy = page.head.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    for url in [format!("{root}/"), format!("{}/debug", hub.url)] {
        let response = http::request("GET", &url, &[], "").unwrap();
        assert_eq!(response.head.status, 307, "{url}");
        assert_eq!(response.head.header("location"), Some("/.well-known/mercure/debug/"), "{url}");
    }
    // Every file that the page asks for is there.
    let modules = page.body.split(['"', '\'']).filter(|word| word.ends_with(".js") || word.ends_with(".css"));
    let mut wanted: Vec<String> = modules.map(str::to_owned).collect();
    let mut seen = Vec::new();
    while let Some(name) = wanted.pop() {
        if seen.contains(&name) {
            continue;
        }
        let file = http::get(&format!("{}/debug/{name}", hub.url)).unwrap();
        wanted.extend(file.body.split('\'').filter_map(|word| word.strip_prefix("./")).map(str::to_owned));
        seen.push(name);
    }
    assert!(seen.len() > 8, "{seen:?}");
    let token = http::get(&format!("{}/debug/settings.json", hub.url)).unwrap();
    assert!(token.body.contains("\"token\":\"ey") && token.head.header("cache-control") == Some("no-store"));

    let status = |hub: &Hub, path: &str| {
        http::request("GET", &format!("{}{path}", hub.url), &[], "").unwrap().head.status
    };
    let quiet = Hub::start(&[]);
    assert_eq!((status(&quiet, "/debug/"), status(&quiet, "/debug/settings.json")), (404, 404));
    let asked = Hub::start(&["--debugger"]);
    assert_eq!(status(&asked, "/debug/"), 200);
    let settings = http::get(&format!("{}/debug/settings.json", asked.url)).unwrap();
    assert_eq!(settings.body, "{\"dev\":false,\"token\":null}");
    let root = http::request("GET", &format!("http://{}/", asked.address()), &[], "").unwrap();
    assert_eq!(root.head.status, 404);
}

#[test]
fn a_page_that_calls_this_machine_by_another_name_learns_nothing() {
    let hub = Hub::with(&["--dev"], &[]);
    for path in ["/.well-known/mercure?match=x", "/.well-known/mercure/debug/settings.json", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
        assert_eq!(http::raw(hub.address(), request.as_bytes()).unwrap().status, 421, "{path}");
    }
}
