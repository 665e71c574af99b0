//! Who receives what across the generations of the protocol: each cell of the table in the handbook, on a running hub.

use petasos_protocol::compat::Compat;
use serde_json::{Value, json};

use crate::support::{Client, SECRET, Served, sign};

const TABLE: &str = include_str!("../../../../docs/explanation/generations.md");
const TOPIC: &str = "https://example.com/books/1";

/// The rows of the table below the heading, cells trimmed.
fn table() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let cells =
        |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<&'static str>>();
    let mut lines = TABLE.lines().skip_while(|line| !line.starts_with("| published by |"));
    let heading = cells(lines.next().unwrap());
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    (heading, rows)
}

fn mercure(claim: &Value) -> String {
    format!("authorization: Bearer {}\r\n", sign(&json!({"mercure": claim}), "JWT", SECRET))
}

fn current(served: &Served, action: &str, topic: &str) -> String {
    let token = served.token(json!({"actions": [action], "topics": [{"match": topic}]}));
    format!("authorization: Bearer {token}\r\n")
}

/// A subscriber as a column describes it.
fn subscribe(served: &Served, column: &str, cursor: &str) -> Client {
    let (generation, rights) = column.split_once(' ').unwrap();
    let right = match (generation, rights) {
        (_, "nobody") => None,
        ("selectors", "topic") => Some("https://example.com/books/{id}"),
        (_, "topic") => Some(TOPIC),
        (_, "target") => Some("foo"),
        (_, "all") => Some("*"),
        _ => panic!("{column}"),
    };
    let (query, headers) = match generation {
        "1.0" => ("match", right.map(|right| current(served, "subscribe", right))),
        _ => ("topic", right.map(|right| mercure(&json!({"subscribe": [right]})))),
    };
    served.subscribe(&format!("{query}={TOPIC}{cursor}"), &headers.unwrap_or_default())
}

/// Publishes as a row describes it, under the row's name.
fn publish(served: &Served, row: &[&str]) {
    let form = format!("topic={TOPIC}&id=urn:{}-{}", row[0], row[1]);
    let (headers, form) = match (row[0], row[1]) {
        ("1.0", "public") => (current(served, "publish", "*"), form),
        ("1.0", "private") => (current(served, "publish", "*"), format!("{form}&private")),
        ("selectors", "public") => (mercure(&json!({"publish": ["https://example.com/{+any}"]})), form),
        ("selectors", "private") => (mercure(&json!({"publish": [TOPIC]})), format!("{form}&private=on")),
        ("targets", "public") => (mercure(&json!({"publish": []})), form),
        ("targets", "target") => (mercure(&json!({"publish": ["foo"]})), format!("{form}&target=foo")),
        _ => panic!("{row:?}"),
    };
    let reply = served.publish_with(&form, &headers);
    assert_eq!(reply.status, 200, "{row:?}: {}", reply.body);
}

/// The ids that come before the last one.
fn received(client: &mut Client) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let event = client.event();
        let id = event.strip_prefix("id: urn:").unwrap().split_once('\n').unwrap().0.to_owned();
        if id == "end" {
            return ids;
        }
        ids.push(id);
    }
}

fn check_every_cell(compat: Compat) {
    let served = Served::start(|builder| builder.compat(compat));
    let is_on = |generation: &str| match generation {
        "selectors" => compat.selectors,
        "targets" => compat.targets,
        _ => true,
    };
    let (heading, rows) = table();
    let rows: Vec<_> = rows.into_iter().filter(|row| is_on(row[0])).collect();
    let columns =
        heading.iter().enumerate().skip(2).filter(|(_, name)| is_on(name.split_once(' ').unwrap().0));
    let columns: Vec<_> = columns.collect();
    let mut live: Vec<Client> = columns.iter().map(|(_, name)| subscribe(&served, name, "")).collect();
    for row in &rows {
        publish(&served, row);
    }
    assert_eq!(served.publish(&format!("topic={TOPIC}&id=urn:end")).status, 200);
    for ((at, name), live) in columns.iter().zip(&mut live) {
        let allowed = rows.iter().filter(|row| match row[*at] {
            "yes" => true,
            "no" => false,
            other => panic!("{other:?}"),
        });
        let allowed: Vec<String> = allowed.map(|row| format!("{}-{}", row[0], row[1])).collect();
        assert_eq!(received(live), allowed, "{name}, {compat:?}");
        let mut replayed = subscribe(&served, name, "&last_event_id=earliest");
        assert_eq!(received(&mut replayed), allowed, "{name} replayed, {compat:?}");
    }
}

#[test]
fn every_cell_of_the_table_holds_with_both_generations() {
    let (heading, rows) = table();
    assert_eq!((heading.len(), rows.len()), (14, 6));
    check_every_cell(Compat { selectors: true, targets: true });
}

#[test]
fn every_cell_of_the_table_holds_with_selectors_alone() {
    check_every_cell(Compat { selectors: true, targets: false });
}

#[test]
fn every_cell_of_the_table_holds_with_targets_alone() {
    check_every_cell(Compat { selectors: false, targets: true });
}

#[test]
fn a_target_is_no_topic_and_an_alternate_topic_reaches_the_holders_of_a_target() {
    let served = Served::start(|builder| builder.compat(Compat { selectors: true, targets: true }));
    let mut selects = served.subscribe("match=foo", &current(&served, "subscribe", "foo"));
    let mut holder = served.subscribe(&format!("topic={TOPIC}"), &mercure(&json!({"subscribe": ["foo"]})));
    let targeted = format!("topic={TOPIC}&target=foo&id=urn:targeted");
    assert_eq!(served.publish_with(&targeted, &mercure(&json!({"publish": ["*"]}))).status, 200);
    assert_eq!(served.publish(&format!("topic={TOPIC}&topic=foo&private&id=urn:alternate")).status, 200);
    assert_eq!(selects.event(), "id: urn:alternate\ndata: \n\n");
    assert_eq!(holder.event(), "id: urn:targeted\ndata: \n\n");
    assert_eq!(holder.event(), "id: urn:alternate\ndata: \n\n");
}
