//! How many places each client has, so that one can't take all of them. A connection takes one, and so does each stream of HTTP/2 in it:
//! what a client holds of the host is the same, whether it opens many connections or many streams.
//!
//! Clients are told apart by their addresses. Behind one address there may be many: a proxy, a company.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of all clients.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_each: usize,
    of_all: Arc<Semaphore>,
}

/// Room for one more client's place.
pub(super) type Room = OwnedSemaphorePermit;

/// A place, free again when it is dropped.
pub(super) struct Place {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    client: IpAddr,
    _room: Room,
}

impl Places {
    pub(super) fn new(of_all: usize, of_each: usize) -> Self {
        Self { taken: Arc::default(), of_each, of_all: Arc::new(Semaphore::new(of_all)) }
    }

    /// Waits until there is room for somebody.
    pub(super) async fn room(&self) -> Room {
        self.of_all.clone().acquire_owned().await.expect("never closed")
    }

    /// A place for one more from this address, if there is room and its client has one left.
    pub(super) fn take_now(&self, address: IpAddr) -> Option<Place> {
        let room = self.of_all.clone().try_acquire_owned().ok()?;
        self.take(room, address)
    }

    /// A place in this room for one more from this address, if its client has one left.
    pub(super) fn take(&self, room: Room, address: IpAddr) -> Option<Place> {
        let client = client(address);
        let mut all = self.taken.lock().expect("no panic while held");
        let taken = all.entry(client).or_default();
        if *taken >= self.of_each {
            return None;
        }
        *taken += 1;
        Some(Place { taken: self.taken.clone(), client, _room: room })
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
    use futures::FutureExt;

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
            let places = Places::new(10, 1);
            let held = places.take_now(one.parse().unwrap());
            assert!(held.is_some());
            assert_eq!(places.take_now(other.parse().unwrap()).is_none(), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_place_is_given_back_and_nothing_stays_behind() {
        let places = Places::new(10, 2);
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..3 {
            let (first, second) = (places.take_now(address), places.take_now(address));
            assert!(first.is_some() && second.is_some() && places.take_now(address).is_none());
            drop(first);
            assert!(places.take_now(address).is_some());
        }
        assert_eq!(places.taken.lock().unwrap().len(), 0);
        assert_eq!(places.of_all.available_permits(), 10);
    }

    #[tokio::test]
    async fn all_clients_together_have_no_more_than_there_are() {
        let places = Places::new(2, 2);
        let [first, second, third] = [1, 2, 3].map(|it| IpAddr::from([192, 0, 2, it]));
        let held = (places.take(places.room().await, first), places.take_now(second));
        assert!(held.0.is_some() && held.1.is_some());
        assert!(places.take_now(third).is_none() && places.room().now_or_never().is_none());
        drop(held.0);
        assert!(places.room().now_or_never().is_some() && places.take_now(third).is_some());
    }
}
