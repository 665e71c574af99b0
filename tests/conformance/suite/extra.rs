//! What Petasos adds to the protocol: `HUB_LACKS` leaves it out for others.

use petasos_conformance::{Feature, Hub, assert_problem, bearer, borrow, form, sign, topic};
use serde_json::json;

#[test]
fn an_idempotency_key_makes_a_repetition_harmless() {
    let Some(hub) = Hub::with(Feature::Idempotency) else { return };
    let (name, key) = (topic("x"), format!("\"{}\"", uuid::Uuid::new_v4()));
    let token = hub.everything();
    let publish = |data: &str, key: &str| {
        hub.try_publish(
            &form(&[("topic", &name), ("data", data)]),
            &[borrow(&token), ("idempotency-key", key)],
        )
    };
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let first = publish("x", &key);
    assert_eq!(first.head.status, 200);
    let again = publish("x", &key);
    assert_eq!((again.head.status, &again.body), (200, &first.body));
    assert_problem(&publish("y", &key), 422, "Idempotency-Key");
    let other = publish("x", "\"another\"");
    assert_ne!(other.body, first.body, "another key is another publish");
    for expected in [&first.body, &other.body] {
        assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(expected));
    }
    for key in ["\"\"", "", &"x".repeat(300)] {
        assert_problem(&publish("x", key), 400, "Idempotency-Key");
    }
}

#[test]
fn an_idempotency_key_is_its_publishers_own() {
    let Some(hub) = Hub::with(Feature::Idempotency) else { return };
    let (name, key) = (topic("x"), uuid::Uuid::new_v4().to_string());
    let publish = |subject: &str| {
        let mut claims = hub.claims(&["publish"], &json!([{"match": "*"}]));
        claims["sub"] = json!(subject);
        let token = bearer(&sign(&claims, &hub.secret));
        hub.try_publish(&form(&[("topic", &name)]), &[borrow(&token), ("idempotency-key", &key)]).body
    };
    assert_eq!(publish("a"), publish("a"));
    assert_ne!(publish("a"), publish("b"));
}

#[test]
fn without_a_key_every_publish_counts() {
    let hub = Hub::get();
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    for _ in 0..2 {
        hub.publish(&[("topic", &name), ("id", &format!("{name}#same")), ("data", "same")]);
    }
    for _ in 0..2 {
        assert_eq!(stream.next_event().unwrap().data, "same");
    }
}

#[test]
fn requests_to_another_host_are_a_421() {
    let Some(hub) =
        Hub::configured(&["--anonymous", "--public-url", "https://hub.example/.well-known/mercure"])
    else {
        return;
    };
    let ask = |host: &str| {
        let mut connection = petasos_conformance::Connection::open(&listening(&hub)).unwrap();
        connection
            .send(format!("GET /.well-known/mercure HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
            .unwrap();
        String::from_utf8(connection.rest().unwrap()).unwrap()
    };
    for host in ["hub.example", "HUB.example:443"] {
        assert!(ask(host).starts_with("HTTP/1.1 400 "), "{host}");
    }
    for host in ["evil.example", "hub.example:80", "127.0.0.1", "localhost", ""] {
        assert!(ask(host).starts_with("HTTP/1.1 421 "), "{host}: {}", ask(host));
    }
}

/// Where a hub listens whose URL is that of a proxy: the kernel knows.
fn listening(hub: &Hub) -> String {
    let id = hub.process.as_ref().unwrap().id();
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{id}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{id}/net/tcp")).unwrap();
    let port = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // State 0A is a listening socket.
        let own =
            fields.get(3) == Some(&"0A") && inodes.iter().any(|inode| fields.get(9) == Some(&inode.as_str()));
        u16::from_str_radix(fields.get(1)?.split(':').nth(1)?, 16).ok().filter(|_| own)
    });
    format!("http://127.0.0.1:{}", port.unwrap())
}
