//! What cannot work is said in one line that names the variable, and the exit code is 1.

use std::net::TcpListener;

use petasos_testkit::Process;

fn refusal(variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start("bookshop", &[], variables, folder.path()).unwrap();
    let (code, said) = process.wait().unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn an_address_in_use_names_the_port_and_the_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refusal(&[("PETASOS_LISTEN", &address)]);
    assert!(said.contains(&address) && said.contains("PETASOS_LISTEN"), "{said}");
}

#[test]
fn a_database_that_cannot_be_opened_names_its_variable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "this is no database, and long enough to be taken for one".repeat(100))
        .unwrap();
    let url = format!("sqlite://{}", file.path().display());
    for url in [url.as_str(), "sqlite:///proc/nowhere/x.db?mode=rwc", "postgres://me:hunter2@localhost/x"] {
        let said = refusal(&[("DATABASE_URL", url), ("PETASOS_LISTEN", "127.0.0.1:0")]);
        assert!(said.contains("DATABASE_URL"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_secret_that_is_none_names_its_variable_and_stays_secret() {
    let said = refusal(&[("MERCURE_JWT_SECRET", "hunter2"), ("PETASOS_LISTEN", "127.0.0.1:0")]);
    assert!(said.contains("MERCURE_JWT_SECRET") && !said.contains("hunter2"), "{said}");
    let said = refusal(&[("MERCURE_PUBLISH_URL", "http://127.0.0.1:9/x"), ("PETASOS_LISTEN", "127.0.0.1:0")]);
    assert!(said.contains("MERCURE_JWT_SECRET"), "{said}");
    let said = refusal(&[("MERCURE_PUBLISH_URL", "nonsense"), ("MERCURE_JWT_SECRET", "x")]);
    assert!(said.contains("MERCURE_PUBLISH_URL"), "{said}");
}

#[test]
fn a_history_that_cannot_be_had_names_its_variable() {
    for transport in ["file:/dev/null/history", "bolt://updates.db"] {
        let said = refusal(&[("MERCURE_TRANSPORT_URL", transport), ("PETASOS_LISTEN", "127.0.0.1:0")]);
        assert!(said.contains("MERCURE_TRANSPORT_URL") && said.contains("file:./petasos-data"), "{said}");
    }
}
