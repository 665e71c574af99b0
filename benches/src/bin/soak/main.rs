//! A hub under churn for a long time: does its memory return to where it was?
//!
//! `soak --seconds 600`: clients of every kind come and go, some by a reset, some that never read, some that ask for the
//! history, over HTTP/1.1 and HTTP/2, while updates are published. The hub is a process of its own. After a while
//! everyone leaves and the hub says what it still holds; then all of it goes on, and at the end everyone leaves again.

mod churn;
mod hub;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use churn::Churn;
use hub::{HubProcess, State};
use petasos_benches::machine;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["child", "hub"] => hub::run(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        args => Plan::parse(args).and_then(|plan| soak(&plan)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How long, and how many.
struct Plan {
    time: Option<Duration>,
    cycles: u64,
    clients: usize,
}

impl Plan {
    fn parse(args: &[&str]) -> anyhow::Result<Self> {
        let mut plan = Self { time: Some(Duration::from_secs(600)), cycles: u64::MAX, clients: 200 };
        for pair in args.chunks(2) {
            let [name, value] = pair else { bail!("{USAGE}") };
            let number = || value.parse::<u64>().with_context(|| format!("{name} takes a number"));
            match *name {
                "--seconds" => plan.time = Some(Duration::from_secs(number()?)),
                "--cycles" => (plan.time, plan.cycles) = (None, number()?.max(4)),
                "--clients" => plan.clients = usize::try_from(number()?.max(10))?,
                _ => bail!("{USAGE}"),
            }
        }
        Ok(plan)
    }

    /// Whether so much of it is done, in fourths.
    fn is_done(&self, fourths: u32, since: Duration, cycles: u64) -> bool {
        match self.time {
            Some(time) => machine::now() - since >= time * fourths / 4,
            None => cycles >= self.cycles * u64::from(fourths) / 4,
        }
    }
}

fn soak(plan: &Plan) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let mut hub = HubProcess::start()?;
    let mut churn = Churn::new(&hub, plan.clients)?;
    let (since, mut cycles) = (machine::now(), 0);
    println!("{}", State::HEAD);
    let mut rest = Vec::new();
    for fourths in [1, 4] {
        let mut told = machine::now();
        while !plan.is_done(fourths, since, cycles) {
            churn.cycle(&mut hub, cycles)?;
            cycles += 1;
            if machine::now() - told >= Duration::from_secs(30) {
                told = machine::now();
                println!("{}", hub.state()?.line("under way", since));
            }
        }
        churn.leave();
        let state = hub.emptied()?;
        println!("{}", state.line("everyone has left", since));
        rest.push(state);
    }
    println!("{}", churn.summary(cycles));
    let [before, after] = rest.as_slice() else { bail!("there were not two rests") };
    after.is_back_at(before, if plan.time.is_some() { ALLOWANCE } else { COLD_ALLOWANCE })
}

/// What allocators keep in threads of which one more has worked by then.
const ALLOWANCE: u64 = 8 << 20;
/// A few cycles in, buffers, tables and the index of the history have not yet grown to their usual size.
const COLD_ALLOWANCE: u64 = 48 << 20;

const USAGE: &str = "soak [--seconds N | --cycles N] [--clients N]: a hub under churn, for 600 seconds with 200 clients a \
    cycle by default";
