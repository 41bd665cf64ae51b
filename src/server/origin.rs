//! Where connections come from, as far as the operator can keep them apart.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How long the addresses of this machine are taken for known.
const KNOWN: Duration = Duration::from_secs(10);

/// The address or network that stands for a person under any nick.
///
/// It is no more than that. Several people may share one, and one person may
/// have several, or get another; but not while they think of a new nick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// This address alone.
    Address(IpAddr),
    /// The /64 that begins here: one household or machine, which may use any
    /// address in it.
    Network(Ipv6Addr),
}

impl Origin {
    /// The place of an address. This machine itself, whose addresses are `own`,
    /// is none: everybody on it would be meant, the operator first.
    ///
    /// An IPv6 address is known by its /64, unless this machine is in that one,
    /// too: it is the network of the whole class.
    pub fn of(ip: IpAddr, own: &[IpAddr]) -> Option<Origin> {
        let ours = |network| {
            own.iter().any(|own| matches!(own, IpAddr::V6(own) if prefix(*own) == network))
        };
        match ip.to_canonical() {
            ip if ip.is_loopback() || own.contains(&ip) => None,
            IpAddr::V6(v6) if !v6.is_unicast_link_local() && !ours(prefix(v6)) => {
                Some(Origin::Network(prefix(v6)))
            }
            ip => Some(Origin::Address(ip)),
        }
    }

    /// Reads an origin as it is printed.
    pub fn parse(text: &str) -> Option<Origin> {
        match text.strip_suffix("/64") {
            Some(network) => network.parse().ok().map(|ip| Origin::Network(prefix(ip))),
            None => text.parse().ok().map(Origin::Address),
        }
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        match self {
            Origin::Address(ip) => ip,
            Origin::Network(network) => IpAddr::V6(network),
        }
    }

    /// Whether this address is there.
    pub fn holds(self, ip: IpAddr) -> bool {
        match (self, ip.to_canonical()) {
            (Origin::Address(address), ip) => address == ip,
            (Origin::Network(network), IpAddr::V6(v6)) => network == prefix(v6),
            (Origin::Network(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The first address in the same /64.
fn prefix(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))
}

/// `192.168.1.23` or `2001:db8::/64`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Address(ip) => ip.fmt(f),
            Origin::Network(network) => write!(f, "{network}/64"),
        }
    }
}

/// The addresses of this machine, as far as it tells: not to know them costs a line
/// of help, or that people here are counted like those elsewhere.
pub fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(|interface| interface.ip()).collect()
}

/// Finds the origins of connections, seen from this machine.
#[derive(Debug, Default)]
pub struct OriginFinder {
    /// The addresses of this machine, and when that was looked up.
    own: Vec<IpAddr>,
    looked: Option<Instant>,
}

impl OriginFinder {
    /// The place of an address. The addresses of this machine may change.
    pub fn find(&mut self, ip: IpAddr) -> Option<Origin> {
        let known = self.looked.is_some_and(|then| then.elapsed() < KNOWN);
        if !known && !ip.to_canonical().is_loopback() {
            self.own = own_addresses();
            self.looked = Some(Instant::now());
        }
        Origin::of(ip, &self.own)
    }
}

/// Origins under one order, each named by the operator's own hand.
#[derive(Debug, Default)]
pub struct Origins(BTreeSet<Origin>);

impl Origins {
    /// Whether one of them holds this address.
    pub fn hold(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|place| place.holds(ip))
    }

    /// One more.
    pub fn add(&mut self, place: Origin) {
        self.0.insert(place);
    }

    /// Takes out those that hold this address, and gives them back.
    pub fn lift(&mut self, ip: IpAddr) -> Vec<Origin> {
        self.0.extract_if(.., |place| place.holds(ip)).collect()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Origin> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 4] = ["192.168.1.2", "fe80::2", "fd77::2", "::1"];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn origin_is_an_address_or_a_network() {
        for (address, expected) in [
            ("192.168.1.23", Some("192.168.1.23")),
            ("::ffff:192.168.1.23", Some("192.168.1.23")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            // A neighbour's network is everybody's.
            ("fd77::1234", Some("fd77::1234")),
            ("fe80::1234", Some("fe80::1234")),
            ("127.0.0.1", None),
            ("127.3.2.1", None),
            ("::1", None),
            ("192.168.1.2", None),
            ("fe80::2", None),
            ("::ffff:127.0.0.1", None),
        ] {
            let place = Origin::of(ip(address), &OWN.map(ip));
            assert_eq!(place.map(|place| place.to_string()).as_deref(), expected, "{address}");
            assert!(place.is_none_or(|place| place.holds(ip(address))), "{address}");
        }
    }

    #[test]
    fn origins_hold_their_addresses_until_lifted() {
        let mut places = Origins::default();
        for address in ["192.168.1.23", "2001:db8::1", "fd77::1"] {
            places.add(Origin::of(ip(address), &OWN.map(ip)).unwrap());
        }
        for (address, held) in [
            ("192.168.1.23", true),
            ("192.168.1.24", false),
            ("::ffff:192.168.1.23", true),
            ("2001:db8::2", true),
            ("2001:db8:0:1::1", false),
            ("fd77::1", true),
            ("fd77::3", false),
        ] {
            assert_eq!(places.hold(ip(address)), held, "{address}");
        }
        assert_eq!(places.lift(ip("192.168.1.24")), []);
        assert_eq!(places.lift(ip("2001:db8::2")).len(), 1);
        let left: Vec<String> = places.iter().map(|place| place.to_string()).collect();
        assert_eq!(left, ["192.168.1.23", "fd77::1"]);
    }
}
