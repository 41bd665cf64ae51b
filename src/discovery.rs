//! Servers on the local network: being found, and finding them.
//!
//! This is DNS-based Service Discovery (RFC 6763) over multicast DNS (RFC 6762).
//! A server [advertises](advertise) an instance of `_minichat._tcp`; a client
//! [browses](Browser) for them. Names on the network are unique by construction
//! and not made for people; the title that people read is in the TXT record.
//!
//! Nothing here knows what a chat is: a port and a title go in, addresses come out.

mod advert;
mod browser;
mod hosted;
mod links;
mod probe;
mod scan;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;

pub use advert::{Advert, Hidden, News, advertise, cause};
pub use browser::{Browser, Change};
pub use hosted::Hosted;
#[doc(hidden)] // For the tests and the fuzzer: strangers write these packets.
pub use probe::read as read_answer;
pub use scan::{SCAN_TIME, scan};

use crate::wire::sanitize::visible;
use links::Links;

/// The service type, as DNS-SD writes it.
const SERVICE: &str = "_minichat._tcp.local.";

/// The major version of the wire protocol. A server of another one is listed,
/// and not joined by itself.
pub const PROTOCOL: u32 = 1;

/// The longest title, in bytes of UTF-8: what a DNS label could hold.
pub const MAX_TITLE: usize = 63;

/// A server that was found. Everything in it was said by a stranger; what is text
/// has been made [visible].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name for people; several may have the same.
    pub title: String,
    /// Tells it from others of the same title; none for foreign software.
    pub id: Option<String>,
    /// The host name in the `.local` domain; none if it was found by its address.
    pub host: Option<String>,
    /// The TCP port.
    pub port: u16,
    /// Where it may be reached, best first; not empty.
    pub addresses: Vec<SocketAddr>,
    /// How many people are there, if it says so.
    pub users: Option<u32>,
    /// The version of its software, if it says so.
    pub version: Option<String>,
    /// The major version of its protocol, if it says so.
    pub protocol: Option<u32>,
    /// The TCP port of its page for browsers, if it says that it has one.
    pub web: Option<NonZero<u16>>,
    /// Whether it encrypts, as it says.
    pub encryption: Encryption,
    /// The fingerprint of its key, if it says so: 32 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// The marks of a hosted room, if it says that it is one.
    pub hosted: Option<Hosted>,
}

/// How a server encrypts conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Not, as far as it says.
    #[default]
    None,
    /// With each client that can.
    Offered,
    /// Always: it refuses all others.
    Required,
    /// Always, and only with a password.
    Password,
}

impl Encryption {
    /// The value of the key `sec`.
    fn code(self) -> &'static str {
        match self {
            Encryption::None => "0",
            Encryption::Offered => "1",
            Encryption::Required => "2",
            Encryption::Password => "3",
        }
    }

    fn from_code(code: &str) -> Encryption {
        use Encryption::{Offered, Password, Required};
        let known = [Offered, Required, Password].into_iter().find(|known| known.code() == code);
        known.unwrap_or_default()
    }
}

impl Server {
    /// The facts in the records of an instance. Unknown keys, missing ones and values
    /// that make no sense change nothing else.
    fn new<'a>(
        instance: &str,
        host: &str,
        port: u16,
        txt: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Server {
        let host = host.trim_end_matches('.');
        let mut server = Server {
            title: shown(instance),
            id: None,
            host: Some(shown(host)),
            port,
            addresses: Vec::new(),
            users: None,
            version: None,
            protocol: None,
            web: None,
            encryption: Encryption::None,
            fingerprint: None,
            hosted: None,
        };
        let mut marks: [String; 3] = Default::default();
        for (key, value) in txt {
            let text = String::from_utf8_lossy(value);
            match key.to_ascii_lowercase().as_str() {
                "title" if !text.trim().is_empty() => server.title = shown(&text),
                "id" if !text.is_empty() => server.id = Some(shown(&text)),
                "n" => server.users = text.parse().ok(),
                "mv" if !text.is_empty() => server.version = Some(shown(&text)),
                "pv" => server.protocol = text.parse().ok(),
                "web" => server.web = text.parse().ok(),
                "sec" => server.encryption = Encryption::from_code(&text),
                "fp" if is_fingerprint(&text) => server.fingerprint = Some(text.into()),
                "room" => marks[0] = text.into(),
                "ep" => marks[1] = text.into(),
                "born" => marks[2] = text.into(),
                _ => (),
            }
        }
        let [room, epoch, born] = &marks;
        server.hosted = Hosted::parse(room, epoch, born);
        if let Some(hosted) = &server.hosted {
            server.id = Some(hosted.name());
        }
        server
    }

    /// The key that tells it from all others: the id, or the host where there is none, with the
    /// port and the title. A stranger that copies the id of a server under another title
    /// does not hide it. A hosted room is one room on whatever port.
    pub fn identity(&self) -> (Option<&str>, u16, &str) {
        let port = if self.hosted.is_some() { 0 } else { self.port };
        (self.id.as_deref().or(self.host.as_deref()), port, &self.title)
    }

    /// How many machines have hosted it. Records of fewer are old; 0 is no hosted room.
    fn epoch(&self) -> u32 {
        self.hosted.map_or(0, |hosted| hosted.epoch)
    }

    /// Whether it speaks a protocol that this version understands.
    pub fn is_compatible(&self) -> bool {
        self.protocol == Some(PROTOCOL)
    }

    /// The address to show: one that others can type, if there is any.
    pub fn address(&self) -> SocketAddr {
        let typed = self.addresses.iter().find(|address| !address.ip().is_loopback());
        *typed.unwrap_or(&self.addresses[0])
    }
}

/// The address of several of one server that other machines reach most likely, as people
/// type it: IPv4 first, and last those of containers on this machine and of this machine
/// alone. An address that is valid on one link only is not one: a browser has no way to
/// name the link.
pub fn best_for_others(addresses: impl IntoIterator<Item = IpAddr>) -> Option<IpAddr> {
    let links = interfaces(None).unwrap_or_default();
    let inner: Vec<IpAddr> = links.iter().filter(|link| link.inner).map(|link| link.ip).collect();
    best_beside(&inner, addresses)
}

/// The same, with the addresses of this machine that lead to its containers.
fn best_beside(inner: &[IpAddr], addresses: impl IntoIterator<Item = IpAddr>) -> Option<IpAddr> {
    let typed = addresses.into_iter().filter(|ip| !is_link_local(*ip));
    let given = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if !v4.is_link_local());
    typed.min_by_key(|ip| (ip.is_loopback(), inner.contains(ip), !given(ip), ip.is_ipv4()))
}

/// Whether a text is 32 hexadecimal digits in lower case.
fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Text fit to be shown, and no longer than a title.
pub fn shown(text: &str) -> String {
    let text = visible(text);
    text[..text.floor_char_boundary(MAX_TITLE)].trim().to_string()
}

/// Puts addresses in the order in which they are to be tried: this machine, then those
/// on a network of this machine, then the others. Among them IPv4 comes first, then IPv6,
/// and last what is valid on one link only.
fn by_preference(address: &SocketAddr, interfaces: &[Interface]) -> (bool, bool, u8, SocketAddr) {
    let is_ours = address.ip().is_loopback();
    let is_near = interfaces.iter().any(|interface| interface.shares_network(address));
    let rank = match address.ip() {
        IpAddr::V4(v4) if !v4.is_link_local() => 1,
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => 2,
        _ => 3,
    };
    (!is_ours, !is_near, rank, *address)
}

/// One address of one network interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// The number by which IPv6 tells links apart.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// How many bits of the address are those of its network.
    pub prefix: u8,
    /// Whether it leads only to containers or virtual machines of this machine.
    pub inner: bool,
}

impl Interface {
    /// Whether a machine of this address is on the same network, as far as that shows.
    fn shares_network(&self, address: &SocketAddr) -> bool {
        let bits = u32::from(self.prefix);
        match (self.ip, address) {
            (IpAddr::V4(own), SocketAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.ip().to_bits();
                differ.leading_zeros() >= bits
            }
            // Link-local addresses have one network for all links.
            (IpAddr::V6(own), SocketAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.ip().to_bits();
                let same_link =
                    !other.ip().is_unicast_link_local() || other.scope_id() == self.index;
                differ.leading_zeros() >= bits && same_link
            }
            _ => false,
        }
    }
}

/// An IP address as people write it, with its link where it needs one.
pub fn shown_ip(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => address.ip().to_string(),
    }
}

/// Makes sure that an interface of this name is up.
///
/// # Errors
/// The names of those that are.
pub fn check(only: Option<&str>) -> Result<(), Vec<String>> {
    let Some(name) = only else { return Ok(()) };
    let mut names: Vec<String> =
        interfaces(None).unwrap_or_default().into_iter().map(|interface| interface.name).collect();
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|other| other == name) { Ok(()) } else { Err(names) }
}

/// The interfaces of this machine that are up and can carry multicast: all, or
/// those with this name.
///
/// # Errors
/// If the system does not tell.
pub fn interfaces(only: Option<&str>) -> io::Result<Vec<Interface>> {
    let all = if_addrs::get_if_addrs()?.into_iter();
    let useful = all.filter(|interface| interface.is_oper_up() && !interface.is_p2p());
    let wanted = useful.filter(|interface| only.is_none_or(|name| interface.name == name));
    let links = Links::look();
    let named = wanted.map(|interface| Interface {
        index: interface.index.unwrap_or(0),
        ip: interface.ip(),
        prefix: match &interface.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        },
        inner: links.is_inner(interface.index.unwrap_or(0), &interface.name),
        name: interface.name,
    });
    let mut named: Vec<Interface> = named.collect();
    // A port of a bridge carries nothing of its own, unless it has an address of its own.
    let whole = |index| {
        named.iter().any(|other| other.index == index && !is_link_local(other.ip))
            || !links.is_port(index)
    };
    let kept: BTreeSet<u32> = named.iter().map(|i| i.index).filter(|i| whole(*i)).collect();
    named.retain(|interface| kept.contains(&interface.index));
    // Links to other machines come first.
    let (inner, mut outer): (Vec<_>, Vec<_>) = named.into_iter().partition(|named| named.inner);
    outer.extend(inner);
    Ok(outer)
}

/// Whether an address is valid on one link only, of which IPv6 needs the number.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(txt: &[(&str, &[u8])]) -> Server {
        Server::new("sala 3 a1b2", "mc-x1.local.", 9000, txt.iter().copied())
    }

    #[test]
    fn record_is_understood() {
        let full: [(&str, &[u8]); 9] = [
            ("txtvers", b"1"),
            ("PV", b"1"),
            ("title", "Sala 3".as_bytes()),
            ("id", b"a1b2c3d4"),
            ("n", b"12"),
            ("max", b"1000"),
            ("mv", b"0.1.0"),
            ("web", b"9080"),
            ("colour", b"blue"),
        ];
        let server = server(&full);
        assert_eq!((server.title.as_str(), server.id.as_deref()), ("Sala 3", Some("a1b2c3d4")));
        assert_eq!((server.users, server.version.as_deref()), (Some(12), Some("0.1.0")));
        assert_eq!(server.host.as_deref(), Some("mc-x1.local"));
        assert_eq!(server.web.map(NonZero::get), Some(9080));
        assert!(server.is_compatible());
    }

    #[test]
    fn a_record_that_says_nothing_is_no_reason_not_to_be_listed() {
        let server = server(&[]);
        assert_eq!(
            (server.title.as_str(), server.users, server.is_compatible()),
            ("sala 3 a1b2", None, false)
        );
    }

    #[test]
    fn hostile_records_change_nothing_but_their_own_server() {
        let long = "é".repeat(100);
        let hostile: [(&str, &[u8]); 6] = [
            ("title", long.as_bytes()),
            ("n", b"-1"),
            ("n", b"99999999999999999999"),
            ("pv", b"\xFF"),
            ("mv", b"\x1b[2J\xE2\x80\xAE"),
            ("", b""),
        ];
        let server = server(&hostile);
        assert_eq!(server.title, "é".repeat(31));
        assert_eq!((server.users, server.protocol), (None, None));
        assert_eq!(server.version.as_deref(), Some("␛[2J\u{FFFD}"));
    }

    #[test]
    fn port_of_a_page_is_a_number_that_a_port_can_be() {
        for value in ["", "0", "-1", "65536", "99999999999999999999", "9080/evil", "\x1b[2J", "é"]
        {
            assert_eq!(server(&[("web", value.as_bytes())]).web, None, "{value}");
        }
    }

    #[test]
    fn hosted_room_is_known_by_its_three_marks() {
        let marks: [(&str, &[u8]); 4] =
            [("title", b"minichat"), ("room", b"7f3a9c21"), ("ep", b"2"), ("born", b"1764340012")];
        let hosted = server(&marks);
        let expected = Hosted { room: 0x7F3A_9C21, epoch: 2, born: 1_764_340_012 };
        assert_eq!((hosted.hosted, hosted.epoch()), (Some(expected), 2));
        assert_eq!(hosted.identity(), (Some("7f3a9c21"), 0, "minichat"));
        for count in 0..4 {
            assert_eq!(server(&marks[..count]).hosted, None);
        }
    }

    #[test]
    fn address_for_others_is_none_of_containers_or_of_one_link() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let inner = [ip("172.17.0.1")];
        for (addresses, best) in [
            (&["127.0.0.1", "172.17.0.1", "192.168.1.100"][..], Some("192.168.1.100")),
            (&["172.17.0.1", "fd77::1"], Some("fd77::1")),
            (&["::1", "fe80::1", "172.17.0.1"], Some("172.17.0.1")),
            (&["10.0.0.1", "fd77::1", "10.0.0.2"], Some("10.0.0.1")),
            (&["169.254.0.1", "fd77::1"], Some("fd77::1")),
            (&["::1", "127.0.0.1"], Some("127.0.0.1")),
            (&["::1"], Some("::1")),
            (&["fe80::1"], None),
            (&[], None),
        ] {
            let found = best_beside(&inner, addresses.iter().map(|text| ip(text)));
            assert_eq!(found, best.map(ip), "{addresses:?}");
        }
    }

    #[test]
    fn addresses_that_are_likely_to_answer_come_first() {
        let mut addresses: Vec<SocketAddr> = [
            "[fe80::1%2]:9",
            "[fd77::1]:9",
            "169.254.0.1:9",
            "10.0.0.1:9",
            "[::1]:9",
            "127.0.0.1:9",
        ]
        .map(|text| text.parse().unwrap())
        .into();
        let order = |addresses: &mut Vec<SocketAddr>, interfaces: &[Interface]| {
            addresses.sort_by_key(|address| by_preference(address, interfaces));
            addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&mut addresses, &[]),
            ["127.0.0.1", "::1", "10.0.0.1", "fd77::1", "169.254.0.1", "fe80::1"]
        );
        let interface = |ip: &str, prefix| Interface {
            name: "eth0".into(),
            index: 2,
            ip: ip.parse().unwrap(),
            prefix,
            inner: false,
        };
        // The container network of another machine has the lesser address.
        addresses.push("192.168.7.9:9".parse().unwrap());
        let here = [interface("192.168.4.1", 22), interface("fe80::7", 64)];
        assert_eq!(
            order(&mut addresses, &here)[..4],
            ["127.0.0.1", "::1", "192.168.7.9", "fe80::1"]
        );
        let other_link = [Interface { index: 3, ..interface("fe80::7", 64) }];
        assert_eq!(order(&mut addresses, &other_link)[2..].last().unwrap(), "fe80::1");
        assert_eq!(order(&mut addresses, &[interface("1.2.3.4", 0)])[2], "10.0.0.1");
    }
}
