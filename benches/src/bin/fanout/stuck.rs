//! How late the healthy ones get their events while others do not read at all.

use std::time::Duration;

use petasos_benches::crowd::Clients;
use petasos_benches::machine;
use petasos_benches::stuck::Stuck;
use petasos_benches::subject::{Subject, frame, frame_of};
use petasos_hub::BacklogLimits;

use crate::{Row, median};

const TOPIC: &str = "https://example.com/books/1";
const ROUNDS: u64 = 30;
/// Large updates until the buffers of the kernel are full.
const FILLERS: u64 = 12;
const FILLER: usize = 16 << 10;

/// Two hubs in turns: one with healthy subscribers, one with as many and a tenth that is stuck.
pub(crate) fn measure(subscribers: usize) -> anyhow::Result<Vec<Row>> {
    let healthy = subscribers * 9 / 19;
    let stuck = healthy / 9;
    let (mut without, mut with) = (Half::new(healthy, 0)?, Half::new(healthy, stuck)?);
    let (mut of_without, mut of_with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        of_without.push(without.latency(round)?);
        of_with.push(with.latency(round)?);
    }
    let cut = with.subject.hub.metrics().subscribers.value();
    anyhow::ensure!(cut == (healthy + stuck) as u64, "{cut} subscribers are left");
    let millis = |times| median(times).map(|time: Duration| time.as_secs_f64() * 1e3);
    let (without, with) = (millis(of_without)?, millis(of_with)?);
    Ok(vec![Row {
        what: format!(
            "p99 delivery latency of {healthy} healthy subscribers beside {stuck} that are stuck and stay"
        ),
        measured: format!("{with:.1} ms = {:.2} x", with / without),
        floor: format!("{without:.1} ms (without the stuck)"),
        target: "<= 1.1 x",
    }])
}

struct Half {
    subject: Subject,
    healthy: Clients,
    _stuck: Option<Stuck>,
}

impl Half {
    fn new(healthy: usize, stuck: usize) -> anyhow::Result<Self> {
        // The worst case: those who are stuck are never cut off.
        let limits = BacklogLimits {
            max_bytes: usize::MAX,
            max_frames: usize::MAX,
            max_stall_ms: u64::MAX,
            ..BacklogLimits::default()
        };
        let subject = Subject::with(|builder| builder.backlog_limits(limits))?;
        let request = format!("GET /.well-known/mercure?match={TOPIC} HTTP/1.1\r\nhost: bench\r\n\r\n");
        let healthy_clients = Clients::start(subject.address, healthy, &request)?;
        let stuck_clients =
            (stuck > 0).then(|| Stuck::start(subject.address, stuck, &request)).transpose()?;
        subject.await_subscribers(healthy + stuck);
        let mut half = Self { subject, healthy: healthy_clients, _stuck: stuck_clients };
        let filler = "x".repeat(FILLER);
        for number in 0..FILLERS {
            half.healthy.expect(frame_of(&filler)?.len())?;
            half.subject.publish_data(TOPIC, 1_000_000 + number, &filler)?;
            half.healthy.received()?;
        }
        Ok(half)
    }

    /// From the publish until all but one in a hundred of the healthy have it.
    fn latency(&mut self, round: u64) -> anyhow::Result<Duration> {
        self.healthy.expect(frame()?.len())?;
        let before = machine::now();
        self.subject.publish(TOPIC, round, 1)?;
        Ok(self.healthy.received()?.p99.saturating_sub(before))
    }
}
