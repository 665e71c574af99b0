//! The real hub at the limits of the system: open files, space on the disk, and TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const SECRET: &str = "a secret of at least thirty-two bytes";
const PATIENCE: Duration = Duration::from_secs(60);

/// A hub on a free port; killed when dropped.
struct Hub {
    child: Child,
    url: String,
    stderr: BufReader<ChildStderr>,
    _stdout: BufReader<ChildStdout>,
}

impl Hub {
    /// `before` is a shell command that sets limits.
    fn start(before: &str, args: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("{before}; exec \"$0\" \"$@\""),
                env!("CARGO_BIN_EXE_petasos"),
                "hub",
                "--dev",
            ])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--publisher-key", SECRET])
            .args(args)
            .env("RUST_LOG", "petasos_hub=error")
            .env("MERCURE_TRANSPORT_URL", "memory:")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.split_whitespace().nth(1).unwrap().to_owned();
        Self { child, url, stderr, _stdout: stdout }
    }

    /// What went wrong, or nothing.
    fn publish(&self, data: &str, certificates: Option<&str>) -> String {
        let mut publish = Command::new(env!("CARGO_BIN_EXE_petasos"));
        publish.args(["publish", "--hub", &self.url, "--secret", SECRET, "--topic", "x", "--data", data]);
        publish.env_clear();
        if let Some(certificates) = certificates {
            publish.env("SSL_CERT_FILE", certificates);
        }
        String::from_utf8(publish.output().unwrap().stderr).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let authority = self.url.split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Reads up to a log line that holds this.
    fn says(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "the hub never said {what:?}");
            if line.contains(what) {
                return line;
            }
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn until(stream: &mut TcpStream, end: &[u8]) -> String {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(end) {
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "the stream ended after {}",
            String::from_utf8_lossy(&all)
        );
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn without_open_files_newcomers_get_a_503_and_subscribers_stay() {
    let mut hub = Hub::start("ulimit -n 80", &[]);
    let mut subscribers = Vec::new();
    let refused = loop {
        let mut stream = hub.connect();
        let head = until(&mut stream, b"\r\n\r\n");
        if !head.starts_with("HTTP/1.1 200 OK\r\n") {
            break (head, stream);
        }
        assert_eq!(until(&mut stream, b":\n\n"), ":\n\n");
        subscribers.push(stream);
        assert!(subscribers.len() < 80, "there is no limit");
    };
    assert!(subscribers.len() > 20, "only {} subscribers", subscribers.len());
    let (head, mut stream) = refused;
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains("retry-after: ") && head.contains("connection: close"), "{head}");
    let mut body = String::new();
    stream.read_to_string(&mut body).unwrap();
    assert!(body.contains("no room for more connections"), "{body}");
    let line = hub.says("no room for another connection");
    assert!(line.contains("80 open files") && line.contains("ulimit -n"), "{line}");
    // More than there are files left for, at the same time: each is refused, none is left hanging.
    let crowd: Vec<TcpStream> = (0..60).map(|_| hub.connect()).collect();
    for mut stream in crowd {
        let mut answer = Vec::new();
        // Those that do not wait for the request may be reset behind the answer.
        if stream.read_to_end(&mut answer).is_ok() {
            assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
        }
    }
    // Whoever leaves makes room, and nobody else was hurt.
    drop(subscribers.drain(..5));
    let since = Instant::now();
    loop {
        let error = hub.publish("still here", None);
        if error.is_empty() {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "there is no room again: {error}");
    }
    for stream in &mut subscribers {
        assert!(until(stream, b"\n\n").ends_with("data: still here\n\n"));
    }
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let hub = Hub::start("ulimit -Sn 64; ulimit -Hn 300", &[]);
    let subscribers: Vec<TcpStream> = (0..150).map(|_| hub.connect()).collect();
    for mut stream in subscribers {
        assert!(until(&mut stream, b"\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_certificate_encrypts_the_hub_for_real_clients() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let hub = Hub::start("true", &["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")]);
    assert!(hub.url.starts_with("https://127.0.0.1:"), "{}", hub.url);
    let mut subscriber = Command::new(env!("CARGO_BIN_EXE_petasos"))
        .args(["subscribe", &hub.url, "--topic", "x", "--count", "1"])
        .env_clear()
        .env("SSL_CERT_FILE", path("cert.pem"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut state = String::new();
    BufReader::new(subscriber.stderr.take().unwrap()).read_line(&mut state).unwrap();
    assert!(state.starts_with("subscribed to https://"), "{state}");
    assert_eq!(hub.publish("over TLS", Some(&path("cert.pem"))), "");
    let output = subscriber.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("over TLS"));
    // Who does not trust the certificate does not get in.
    assert!(hub.publish("nobody reads this", None).contains("certificate"));
}

#[test]
fn half_a_certificate_is_an_error_that_names_the_other_half() {
    for (given, missing) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let output = Command::new(env!("CARGO_BIN_EXE_petasos"))
            .args(["hub", "--dev", "--listen", "127.0.0.1:0", "--admin-listen", "off", given, "some.pem"])
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.contains(given) && text.contains(missing), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_refuses_publishes_until_there_is_space_again() {
    use petasos_testkit::{Stream, http};

    let folder = tempfile::tempdir().unwrap();
    let transport = format!("file:{}", folder.path().display());
    // The system writes no more than that to a file: a write is short, the next one fails.
    let hub = Hub::start("trap '' XFSZ; ulimit -S -f 64", &["--transport", &transport]);
    let bearer = format!("Bearer {}", crate::support::token(&hub.url, &[]));
    let publish = |id: &str, size: usize| {
        let form = format!("topic=x&id={id}&data={}", "x".repeat(size));
        let headers = [("authorization", bearer.as_str()), crate::support::FORM];
        http::request("POST", &hub.url, &headers, &form).unwrap()
    };
    let mut live = Stream::open(&format!("{}?match=x", hub.url), &[]).unwrap();
    let mut stored = 0;
    let refused = loop {
        let answer = publish(&format!("urn:{stored}"), 3000);
        if answer.head.status != 200 {
            break answer;
        }
        stored += 1;
        assert!(stored < 1000, "the limit does not hold");
    };
    assert_eq!(refused.head.status, 503, "{refused:?}");
    assert_eq!(refused.head.header("content-type"), Some("application/problem+json"));
    assert!(
        refused.body.contains("\"status\":503") && refused.body.contains("Try again later"),
        "{refused:?}"
    );
    assert!(stored > 5);
    assert_eq!(publish("urn:again", 60_000).head.status, 503);

    // There is space again.
    let pid = hub.child.id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:"]).status().unwrap();
    assert!(raised.success());
    assert_eq!(publish("urn:last", 3000).head.status, 200);
    let mut history = Stream::open(&format!("{}?match=x&last_event_id=earliest", hub.url), &[]).unwrap();
    for number in 0..=stored {
        let id = if number == stored { "urn:last".to_owned() } else { format!("urn:{number}") };
        assert_eq!(live.next_event().unwrap().id.as_ref(), Some(&id));
        assert_eq!(history.next_event().unwrap().id, Some(id));
    }
}
