//! The hub as a second process, and the API that publishes to it over HTTP.

use std::process::{Command, Stdio};

use petasos_testkit::{Process, Stream, http};
use petasos_tests::Bookshop;
use serde_json::{Value, json};

const SECRET: &str = "a secret that both processes know, long enough";

fn hub(listen: &str) -> (Process, String) {
    let args = ["hub", "--dev", "--listen", listen, "--transport", "memory:"];
    let folder = std::env::temp_dir();
    let mut process =
        Process::start("petasos", &args, &[("MERCURE_PUBLISHER_JWT_KEY", SECRET)], &folder).unwrap();
    let url = process.url("hub").unwrap();
    (process, url)
}

fn shop(hub: &str) -> Bookshop {
    Bookshop::open(&[("MERCURE_PUBLISH_URL", hub), ("MERCURE_JWT_SECRET", SECRET)]).unwrap()
}

#[test]
fn the_same_api_publishes_to_another_hub() {
    let (_process, url) = hub("127.0.0.1:0");
    let shop = shop(&url);
    assert_eq!(shop.hub, url);
    let mut stream = shop.books().unwrap();
    let response = http::get(&format!("{}/books/1", shop.url)).unwrap();
    let expected = format!("<{url}>; rel=\"mercure\"");
    assert!(response.head.all("link").any(|link| link == expected), "{response:?}");
    assert_eq!(
        http::request("GET", &format!("{}/.well-known/mercure?match=x", shop.url), &[], "")
            .unwrap()
            .head
            .status,
        404
    );
    shop.sql("UPDATE book SET title = 'far away' WHERE id = 1").unwrap();
    let event = stream.next_event().unwrap();
    let response = http::get(&format!("{}/books/1", shop.url)).unwrap();
    assert_eq!(event.data, response.body);
    // The shop knows of the hub what the hub has acknowledged, which a subscriber may have a moment earlier.
    let expected = format!("{expected}; last-event-id=\"{}\"", event.id.unwrap());
    let start = std::time::Instant::now();
    while !http::get(&format!("{}/books/1", shop.url)).unwrap().head.all("link").any(|link| link == expected)
    {
        assert!(start.elapsed() < petasos_testkit::PATIENCE, "{expected} is never announced");
    }
}

#[test]
fn the_line_that_the_hub_prints_starts_a_bookshop_against_it() {
    // What a shell would take apart.
    let secret = "a 'secret' of $more than; thirty-two bytes";
    let args = ["hub", "--dev", "--listen", "127.0.0.1:0", "--transport", "memory:"];
    let variables = [("MERCURE_PUBLISHER_JWT_KEY", secret)];
    let mut process = Process::start("petasos", &args, &variables, &std::env::temp_dir()).unwrap();
    let url = process.url("hub").unwrap();
    let line = format!("  MERCURE_PUBLISH_URL={}", process.line("  MERCURE_PUBLISH_URL=").unwrap());
    let variables = line.strip_suffix(" cargo run --release -p bookshop").unwrap();
    let script = format!("{variables} exec env");
    let env = Command::new("sh").args(["-c", &script]).env_clear().stderr(Stdio::inherit()).output().unwrap();
    let env = String::from_utf8(env.stdout).unwrap();
    let variables: Vec<(&str, &str)> = env
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.starts_with("MERCURE_"))
        .collect();
    let shop = Bookshop::open(&variables).unwrap();
    assert_eq!(shop.hub, url);
    let mut stream = shop.books().unwrap();
    shop.sql("UPDATE book SET title = 'as it was printed' WHERE id = 1").unwrap();
    assert!(stream.next_event().unwrap().data.contains("as it was printed"));
}

#[test]
fn the_same_api_publishes_to_hubs_of_earlier_generations() {
    const WEAK: &str = "!UnsecureChangeMe!";
    for protocol in ["selectors", "targets"] {
        let args = [
            "hub",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "off",
            "--transport",
            "memory:",
            "--anonymous",
            "--compat",
            protocol,
        ];
        let key = [("MERCURE_PUBLISHER_JWT_KEY", WEAK)];
        let mut process = Process::start("petasos", &args, &key, &std::env::temp_dir()).unwrap();
        let url = process.url("hub").unwrap();
        let variables = [
            ("MERCURE_PUBLISH_URL", url.as_str()),
            ("MERCURE_JWT_SECRET", WEAK),
            ("MERCURE_PROTOCOL", protocol),
        ];
        let shop = Bookshop::open(&variables).unwrap();
        readers_have_what_is_theirs(&shop, &url);
        let mut stream = Stream::open(&format!("{url}?topic={}/books/{{id}}", shop.url), &[]).unwrap();
        shop.sql("UPDATE book SET title = 'as before' WHERE id = 1").unwrap();
        let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
        assert_eq!(event["title"], "as before", "{protocol}");
    }
}

/// By the cookie that hubs of those generations know, as the API sets it.
fn readers_have_what_is_theirs(shop: &Bookshop, hub: &str) {
    let list = format!("{}/orders", shop.url);
    let answer = http::request("GET", &list, &[("bookshop-reader", "ann")], "").unwrap();
    let set = answer.head.header("set-cookie").unwrap();
    assert!(
        set.starts_with("mercureAuthorization=ey") && set.contains("; Path=/.well-known/mercure; "),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap();
    let mut stream = Stream::open(&format!("{hub}?topic=*"), &[("cookie", cookie)]).unwrap();
    shop.sql(
        "INSERT INTO orders (customer, book_id, status) VALUES ('bob', 1, 'hers not'), ('ann', 1, 'hers')",
    )
    .unwrap();
    let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
    assert_eq!((&event["customer"], &event["status"]), (&json!("ann"), &json!("hers")));
}

#[test]
fn changes_wait_for_a_hub_that_is_down_and_arrive_in_order() {
    let (mut process, url) = hub("127.0.0.1:0");
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let shop = shop(&url);
    assert_eq!(process.stop().unwrap().0, Some(0));
    for title in ["one", "two", "three"] {
        let id = title.len();
        shop.sql(&format!("UPDATE book SET title = '{title}' WHERE id = {id}")).unwrap();
    }
    shop.sql("DELETE FROM book WHERE id = 4").unwrap();
    let (_process, _) = hub(&address);
    let mut stream =
        Stream::open(&format!("{url}?match_urlpattern={}/books/:id&last_event_id=earliest", shop.url), &[])
            .unwrap();
    let mut last = Vec::new();
    while !last.contains(&("/books/4".to_owned(), Value::Null)) {
        let mut event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
        let iri = event["@id"].as_str().unwrap().to_owned();
        last.retain(|(other, _)| *other != iri);
        last.push((iri, event["title"].take()));
    }
    // The first change may have been under way alone; each row's last state comes last, in the order of the changes.
    let expected = [("/books/3", json!("two")), ("/books/5", json!("three")), ("/books/4", Value::Null)];
    assert_eq!(last, expected.map(|(iri, title)| (iri.to_owned(), title)));
}
