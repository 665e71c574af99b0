//! A storm of clients that come at once, each with a token.

use std::io::Write;

use petasos_benches::crowd::Clients;
use petasos_benches::machine;
use petasos_benches::subject::Subject;
use petasos_client::token::{Secret, mint};
use petasos_hub::Key;
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};

use crate::{Row, median};

const CLIENTS: usize = 15_000;
const ROUNDS: usize = 5;
const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

/// Each round on a hub of its own, which has seen none of the tokens.
pub(crate) fn measure(most: usize) -> anyhow::Result<Vec<Row>> {
    let clients = CLIENTS.min(most);
    let late = machine::late_connects()?;
    let mut rows = Vec::new();
    for (what, tokens, target) in
        [("a token of its own each", clients, ">= 5000/s"), ("all the same token", 1, ">= 9000/s")]
    {
        let rates: Result<Vec<_>, _> = (0..ROUNDS).map(|_| rate(clients, tokens)).collect();
        rows.push(Row {
            what: format!("connects per second, {clients} clients, {what}"),
            measured: format!("{:.0}/s", median(rates?)?),
            floor: String::new(),
            target,
        });
    }
    rows.push(Row {
        what: "SYNs that were sent again or met a full queue meanwhile, on the whole machine".to_owned(),
        measured: (machine::late_connects()? - late).to_string(),
        floor: String::new(),
        target: "0",
    });
    Ok(rows)
}

/// Until the last one was answered.
fn rate(clients: usize, tokens: usize) -> anyhow::Result<f64> {
    let key = Key::hs256(SECRET)?;
    let subject = Subject::with(|builder| builder.anonymous(false).subscriber_key(key))?;
    let mut file = tempfile::NamedTempFile::new()?;
    for number in 0..tokens {
        writeln!(file, "{}", token(subject.hub.url(), number)?)?;
    }
    let request = "GET /.well-known/mercure?match=https://example.com/books/1 HTTP/1.1\r\nhost: bench\r\n\
                   authorization: Bearer {token}\r\n\r\n";
    let path = file.path().to_string_lossy();
    let crowd = Clients::with_tokens(subject.address, clients, request, &path)?;
    subject.await_subscribers(clients);
    Ok(clients as f64 / crowd.opened_in.as_secs_f64())
}

fn token(hub: &HubUrl, number: usize) -> anyhow::Result<String> {
    let claims = ClaimsBuilder::new(hub.as_str(), &[hub.as_str()])
        .subject(&format!("user-{number}"))
        .subscribe(&Matcher::exact("https://example.com/books/1")?)
        .subscribe(&Matcher::url_pattern("https://example.com/users/7/:any", hub)?);
    Ok(mint(&Secret::new(SECRET)?, &claims.build(0, u64::from(u32::MAX)))?)
}
