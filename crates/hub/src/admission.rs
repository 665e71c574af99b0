//! How many subscriptions there may be at a time (SUB.7).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many subscriptions a hub holds at a time; `None` for as many as it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of all clients together.
    pub total: Option<usize>,
    /// Of one client address; of one /64 network for IPv6. Behind a proxy all clients have the proxy's.
    pub per_address: Option<usize>,
    /// Under one access token.
    pub per_token: Option<usize>,
}

/// Counts subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    limits: ConnectionLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    addresses: HashMap<IpAddr, usize>,
    tokens: HashMap<[u8; 32], usize>,
}

/// One subscription that was admitted; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
    token: Option<[u8; 32]>,
}

/// The limit that one more subscription would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Crowded {
    #[error("The hub holds as many subscriptions as it may ({0}).")]
    Total(usize),
    #[error("Your address holds as many subscriptions as one may ({0}).")]
    Address(usize),
    #[error("Your access token holds as many subscriptions as one may ({0}).")]
    Token(usize),
}

impl Admission {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, counts: Mutex::default() }
    }

    /// Admits one more; `None` if there is nothing to count.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        token: Option<[u8; 32]>,
    ) -> Result<Option<Permit>, Crowded> {
        let limits = &self.limits;
        if *limits == ConnectionLimits::default() {
            return Ok(None);
        }
        let address = address.filter(|_| limits.per_address.is_some()).map(network);
        let token = token.filter(|_| limits.per_token.is_some());
        let mut counts = self.counts();
        check(Some(counts.total), limits.total, Crowded::Total)?;
        check(
            address.and_then(|of| counts.addresses.get(&of).copied()),
            limits.per_address,
            Crowded::Address,
        )?;
        check(token.and_then(|of| counts.tokens.get(&of).copied()), limits.per_token, Crowded::Token)?;
        counts.total += 1;
        if let Some(address) = address {
            *counts.addresses.entry(address).or_default() += 1;
        }
        if let Some(token) = token {
            *counts.tokens.entry(token).or_default() += 1;
        }
        Ok(Some(Permit { admission: Arc::clone(self), address, token }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.total -= 1;
        release(&mut counts.addresses, self.address);
        release(&mut counts.tokens, self.token);
    }
}

fn check(
    count: Option<usize>,
    limit: Option<usize>,
    crowded: impl FnOnce(usize) -> Crowded,
) -> Result<(), Crowded> {
    match limit {
        Some(limit) if count.unwrap_or_default() >= limit => Err(crowded(limit)),
        _ => Ok(()),
    }
}

fn release<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: Option<K>) {
    let Some(key) = key else { return };
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// A provider gives each customer at least a /64 of IPv6, so single addresses mean nothing there.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_7_each_limit_counts_for_itself_and_what_ends_makes_room() {
        let limits = ConnectionLimits { total: Some(3), per_address: Some(2), per_token: Some(1) };
        let admission = Arc::new(Admission::new(limits));
        let admit = |address: &str, token: Option<u8>| {
            admission.admit(Some(address.parse().unwrap()), token.map(|byte| [byte; 32]))
        };
        let first = admit("192.0.2.1", Some(1)).unwrap();
        assert_eq!(admit("192.0.2.2", Some(1)).unwrap_err(), Crowded::Token(1));
        let second = admit("::ffff:192.0.2.1", None).unwrap();
        assert_eq!(admit("192.0.2.1", None).unwrap_err(), Crowded::Address(2));
        let third = admit("2001:db8::1", None).unwrap();
        assert_eq!(admit("198.51.100.1", None).unwrap_err(), Crowded::Total(3));
        drop((first, second, third));
        assert!(admit("2001:db8::1", Some(1)).is_ok());
        let counts = admission.counts();
        assert_eq!((counts.total, counts.addresses.len(), counts.tokens.len()), (0, 0, 0));
    }

    #[test]
    fn sub_7_a_network_counts_as_one_address_and_no_limit_counts_nothing() {
        let limits = ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() };
        let admission = Arc::new(Admission::new(limits));
        let held = admission.admit(Some("2001:db8::1".parse().unwrap()), None).unwrap();
        assert!(admission.admit(Some("2001:db8::ffff:0:1".parse().unwrap()), None).is_err());
        assert!(admission.admit(Some("2001:db8:0:1::1".parse().unwrap()), None).is_ok());
        drop(held);
        assert!(Arc::new(Admission::default()).admit(None, None).unwrap().is_none());
    }
}
