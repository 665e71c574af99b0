//! Durable publishing from end to end: keep-alive connections over loopback, a token checked for each update.
//!
//! The publishers share the processors with the hub.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use petasos_client::token::{Secret, mint};
use petasos_hub::transport::file::{FileConfig, Retention};
use petasos_hub::{Hub, Key, server};
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::events::{DATA, event, id, record_bytes};
use crate::numbers::{Show, Times, median, rate};
use crate::{Folder, Row, floor};

/// All numbers of publishers, each beside the floor.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    [1, 16, 64, 256].into_iter().map(beside_floor).collect()
}

fn beside_floor(publishers: u64) -> anyhow::Result<Row> {
    let bytes = record_bytes(&*event(1)?);
    let (mut rates, mut floors, mut ratios, mut times) =
        (Vec::new(), Vec::new(), Vec::new(), Times::default());
    for _ in 0..ROUNDS {
        floors.push(rate(floor::run(bytes, ROUND)?.count(), ROUND));
        let (own, took) = publish(publishers)?;
        rates.push(rate(own.count(), took));
        ratios.push(rates[rates.len() - 1] / floors[floors.len() - 1]);
        times.append(own);
    }
    Ok(Row {
        what: format!("over HTTP, {publishers} publishers"),
        measured: format!(
            "{:.0}/s, {:.1} times the floor; p50 {}, p99 {}",
            median(rates),
            median(ratios),
            Show(times.median()),
            Show(times.percentile(0.99))
        ),
        floor: format!("{:.0}/s", median(floors)),
        target: "",
    })
}

fn publish(publishers: u64) -> anyhow::Result<(Times, Duration)> {
    let folder = Folder::new("http")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (hub, address, token) = serve(&runtime, &folder)?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..publishers)
        .map(|publisher| {
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/x-www-form-urlencoded\r\n",
                HubUrl::DEFAULT_PATH
            );
            runtime.spawn(one_publisher(address, head, publisher << 32, begin))
        })
        .collect();
    let mut all = Times::default();
    for task in tasks {
        all.append(runtime.block_on(task)??);
    }
    let took = begin.elapsed();
    runtime.block_on(hub.close());
    Ok((all, took))
}

/// A hub that keeps its history in a folder; where it is, and a token for publishers.
fn serve(runtime: &Runtime, folder: &Folder) -> anyhow::Result<(Hub, SocketAddr, String)> {
    let _inside = runtime.enter();
    let listener = server::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}{}", HubUrl::DEFAULT_PATH);
    let hub = Hub::builder()
        .public_url(HubUrl::parse(&url)?)
        .publisher_key(Key::hs256(SECRET)?)
        .transport(FileConfig::new(folder.path()).retention(Retention::UNLIMITED).open()?)
        .build()?;
    runtime.spawn(server::serve(listener, hub.clone(), axum::Router::new(), std::future::pending()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = ClaimsBuilder::new(&url, &[&url]).publish(&Matcher::any()).build(now, now + 3600);
    Ok((hub, address, mint(&Secret::new(SECRET)?, &claims)?))
}

async fn one_publisher(
    address: SocketAddr,
    head: String,
    first: u64,
    begin: Instant,
) -> anyhow::Result<Times> {
    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    let (mut times, mut answer) = (Times::default(), vec![0; 4096]);
    for number in first.. {
        if begin.elapsed() > ROUND {
            break;
        }
        let form = format!("topic=https://example.com/books/{number}&id={}&data={DATA}", id(number));
        let request = format!("{head}content-length: {}\r\n\r\n{form}", form.len());
        let start = Instant::now();
        connection.write_all(request.as_bytes()).await?;
        // An answer is a few hundred bytes in one piece: a head, and the id as its body.
        let mut read = 0;
        while !answer[..read].windows(4).any(|end| end == b"\r\n\r\n")
            || !answer[..read].ends_with(id(number).as_bytes())
        {
            let more = connection.read(&mut answer[read..]).await?;
            ensure!(more > 0, "the hub hung up: {}", String::from_utf8_lossy(&answer[..read]));
            read += more;
            let refused = read > 12 && !answer.starts_with(b"HTTP/1.1 200");
            ensure!(!refused, "refused: {}", String::from_utf8_lossy(&answer[..read]));
        }
        times.push(start.elapsed());
    }
    Ok(times)
}

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(1);
