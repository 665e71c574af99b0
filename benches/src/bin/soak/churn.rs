//! Who comes and goes.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use petasos_benches::crowd::Crowd;
use petasos_benches::frames::Connection;
use petasos_benches::stuck;
use petasos_benches::subject::frame;
use petasos_client::token::{Secret, mint};
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};
use socket2::{SockRef, Socket};

use crate::hub::HubProcess;

pub(crate) const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

const TOPIC: &str = "https://example.com/soak";
/// Updates of a cycle.
const UPDATES: u64 = 20;
/// Cycles that clients stay.
const STAY: usize = 8;

/// Clients of the last few cycles.
pub(crate) struct Churn {
    address: SocketAddr,
    token: String,
    clients: usize,
    crowds: VecDeque<Crowd>,
    stuck: VecDeque<Vec<Socket>>,
    multiplexed: VecDeque<Connection>,
    opened: usize,
}

impl Churn {
    pub(crate) fn new(hub: &HubProcess, clients: usize) -> anyhow::Result<Self> {
        let url = HubUrl::parse(&format!("http://{}/.well-known/mercure", hub.address))?;
        let claims = ClaimsBuilder::new(url.as_str(), &[url.as_str()]);
        let claims = claims.publish(&Matcher::any()).subscribe(&Matcher::any());
        let token = mint(&Secret::new(SECRET)?, &claims.build(0, u64::from(u32::MAX)))?;
        let (crowds, stuck, multiplexed) = Default::default();
        Ok(Self { address: hub.address, token, clients, crowds, stuck, multiplexed, opened: 0 })
    }

    /// Some come, everyone gets the same updates, some go.
    pub(crate) fn cycle(&mut self, hub: &mut HubProcess, cycle: u64) -> anyhow::Result<()> {
        self.come(cycle)?;
        let bytes = frame()?.len() * usize::try_from(UPDATES)?;
        self.crowds.iter_mut().for_each(Crowd::forget);
        hub.publish(TOPIC, cycle * UPDATES, UPDATES)?;
        for crowd in &mut self.crowds {
            crowd.drain_until(bytes)?;
        }
        if cycle.is_multiple_of(4) {
            hub.publish_large(&format!("{TOPIC}/stuck"), cycle)?;
        }
        self.post(cycle)?;
        let mut buffer = [0; 16 << 10];
        for connection in &mut self.multiplexed {
            connection.read(&mut buffer)?;
        }
        self.go();
        Ok(())
    }

    fn come(&mut self, cycle: u64) -> anyhow::Result<()> {
        let requests: Vec<String> = (0..self.clients).map(|number| self.request(cycle, number)).collect();
        let mut crowd = Crowd::new()?;
        crowd.open(self.address, &requests)?;
        self.crowds.push_back(crowd);
        let request = self.get(&format!("match={TOPIC}/stuck"), "");
        let stuck = (0..self.clients / 50).map(|_| stuck::open(self.address, &request));
        self.stuck.push_back(stuck.collect::<anyhow::Result<_>>()?);
        let path = format!("/.well-known/mercure?match={TOPIC}/{cycle}&match={TOPIC}");
        self.multiplexed.push_back(Connection::open(self.address, &path, 20)?);
        self.opened += requests.len() + self.clients / 50 + 20;
        Ok(())
    }

    /// Some share their class, some have their own, some ask for a pattern or for the history.
    fn request(&self, cycle: u64, number: usize) -> String {
        match number % 4 {
            0 => self.get(&format!("match={TOPIC}"), ""),
            1 => self.get(&format!("match={TOPIC}&match={TOPIC}/{cycle}/{number}"), ""),
            2 => self.get(&format!("match={TOPIC}&match_urlpattern={TOPIC}/{cycle}/{number}/:any"), ""),
            _ if number % 40 == 3 => self.get(&format!("match={TOPIC}"), "last-event-id: earliest\r\n"),
            _ => self.get(
                &format!("match={TOPIC}"),
                &format!("last-event-id: urn:bench:{:012}\r\n", (cycle * UPDATES).saturating_sub(1)),
            ),
        }
    }

    fn get(&self, query: &str, headers: &str) -> String {
        let token = &self.token;
        format!(
            "GET /.well-known/mercure?{query} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
        )
    }

    /// Publishes over HTTP too.
    fn post(&self, cycle: u64) -> anyhow::Result<()> {
        let body = format!("topic={TOPIC}/{cycle}/7&data=x&id=urn:post:{cycle}");
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "POST /.well-known/mercure HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             idempotency-key: {cycle}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        Ok(())
    }

    /// The oldest leave: crowds by closing, every other stuck client by a reset.
    fn go(&mut self) {
        if self.crowds.len() > STAY {
            self.crowds.pop_front();
        }
        if self.stuck.len() > STAY
            && let Some(stuck) = self.stuck.pop_front()
        {
            for socket in stuck.iter().step_by(2) {
                if let Err(error) = SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
                    eprintln!("a client cannot leave by a reset: {error}");
                }
            }
        }
        if self.multiplexed.len() > STAY {
            self.multiplexed.pop_front();
        }
    }

    /// Everyone leaves.
    pub(crate) fn leave(&mut self) {
        self.crowds.clear();
        self.stuck.clear();
        self.multiplexed.clear();
    }

    pub(crate) fn summary(&self, cycles: u64) -> String {
        format!("{cycles} cycles, {} subscriptions", self.opened)
    }
}
