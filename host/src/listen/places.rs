//! How many connections each client has, so that one can't take all of them.
//!
//! Clients are told apart by their addresses. Behind one address there may be many: a proxy, a company.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

/// The places of all clients.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_each: usize,
}

/// A connection's place, free again when it is dropped.
pub(super) struct Place {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    client: IpAddr,
}

impl Places {
    pub(super) fn new(of_each: usize) -> Self {
        Self { taken: Arc::default(), of_each }
    }

    /// A place for one more connection from this address, if its client has one left.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let client = client(address);
        let mut all = self.taken.lock().expect("no panic while held");
        let taken = all.entry(client).or_default();
        if *taken >= self.of_each {
            return None;
        }
        *taken += 1;
        Some(Place { taken: self.taken.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.taken.lock().expect("no panic while held");
        match all.get_mut(&self.client) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(all.remove(&self.client)),
        }
    }
}

/// Whoever has an IPv6 address has the 2^64 addresses of its network.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_apart_by_what_they_can_choose() {
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("127.0.0.1", "::1", false),
        ] {
            let places = Places::new(1);
            let held = places.take(one.parse().unwrap());
            assert!(held.is_some());
            assert_eq!(places.take(other.parse().unwrap()).is_none(), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_place_is_given_back_and_nothing_stays_behind() {
        let places = Places::new(2);
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..3 {
            let (first, second) = (places.take(address), places.take(address));
            assert!(first.is_some() && second.is_some() && places.take(address).is_none());
            drop(first);
            assert!(places.take(address).is_some());
        }
        assert_eq!(places.taken.lock().unwrap().len(), 0);
    }
}
