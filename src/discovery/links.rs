//! Which links of this machine lead to other machines.
//!
//! A link is *inner* if it leads only to containers or virtual machines of this one. A
//! *port* of a bridge carries nothing that the bridge itself does not carry.

use std::collections::BTreeSet;

/// The facts about the links of this machine.
#[derive(Debug, Default)]
pub struct Links {
    inner: BTreeSet<u32>,
    ports: BTreeSet<u32>,
}

impl Links {
    /// Asks the system. What it does not tell is taken for a link to others.
    pub fn look() -> Links {
        #[cfg(target_os = "linux")]
        return linux::look().unwrap_or_default();
        #[cfg(not(target_os = "linux"))]
        Links::default()
    }

    /// Whether the link of this number and name is inner.
    pub fn is_inner(&self, index: u32, name: &str) -> bool {
        self.inner.contains(&index) || has_inner_name(name)
    }

    /// Whether the link of this number is a port of a bridge.
    pub fn is_port(&self, index: u32) -> bool {
        self.ports.contains(&index)
    }
}

/// Whether this is how programs call the networks of their containers and virtual
/// machines.
fn has_inner_name(name: &str) -> bool {
    const PREFIXES: [&str; 11] = [
        "docker",
        "br-",
        "veth",
        "virbr",
        "podman",
        "cni",
        "lxcbr",
        "lxdbr",
        "vmnet",
        "vboxnet",
        "vEthernet",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::io::{self, Read};
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::Links;

    /// The numbers of the kernel's routing socket, from `linux/netlink.h`,
    /// `linux/rtnetlink.h` and `linux/if_link.h`.
    const AF_NETLINK: i32 = 16;
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    const NLM_F_REQUEST_AND_DUMP: u16 = 0x301;
    const NLMSG_ERROR: u16 = 2;
    const NLMSG_DONE: u16 = 3;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MASTER: u16 = 10;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    /// Length of a message's header, and of that of a link, in bytes.
    const HEADER: usize = 16;
    /// How long the kernel may take; it answers at once.
    const ANSWER: Duration = Duration::from_secs(1);
    /// The most the kernel puts in one answer, in bytes.
    const MAX_ANSWER: usize = 64 << 10;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Link {
        index: u32,
        name: String,
        master: u32,
        kind: String,
    }

    /// Asks for all links, and sorts them.
    pub(super) fn look() -> io::Result<Links> {
        let routed = default_routes(&fs::read_to_string("/proc/net/route").unwrap_or_default());
        Ok(sort(&links()?, &routed))
    }

    fn sort(links: &[Link], routed: &[String]) -> Links {
        let mut ports: BTreeMap<u32, Vec<&Link>> = BTreeMap::new();
        for link in links.iter().filter(|link| link.master != 0) {
            ports.entry(link.master).or_default().push(link);
        }
        let is_virtual = |link: &&Link| matches!(link.kind.as_str(), "veth" | "tun" | "dummy");
        let inner = links.iter().filter(|link| {
            let ports = ports.get(&link.index).map_or(&[][..], Vec::as_slice);
            link.kind == "bridge" && !routed.contains(&link.name) && ports.iter().all(is_virtual)
        });
        let mut inner: BTreeSet<u32> = inner.map(|link| link.index).collect();
        inner.extend(
            links.iter().filter(|l| inner.contains(&l.master)).map(|l| l.index).collect::<Vec<_>>(),
        );
        Links { inner, ports: ports.values().flatten().map(|port| port.index).collect() }
    }

    /// The names of the links that lead anywhere, in the kernel's table of routes.
    fn default_routes(table: &str) -> Vec<String> {
        let columns = table.lines().skip(1).map(|line| line.split_whitespace());
        let routes = columns.filter_map(|mut columns| {
            let (name, destination) = (columns.next()?, columns.next()?);
            (destination == "00000000").then(|| name.to_string())
        });
        routes.collect()
    }

    fn links() -> io::Result<Vec<Link>> {
        let mut socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, None)?;
        socket.set_read_timeout(Some(ANSWER))?;
        let mut request = [0; 2 * HEADER];
        request[..4].copy_from_slice(&(2 * HEADER as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
        request[6..8].copy_from_slice(&NLM_F_REQUEST_AND_DUMP.to_ne_bytes());
        socket.send(&request)?;
        let mut links = Vec::new();
        let mut answer = vec![0; MAX_ANSWER];
        loop {
            let length = socket.read(&mut answer)?;
            if length == 0 || read(&answer[..length], &mut links) {
                return Ok(links);
            }
        }
    }

    fn number(bytes: &[u8]) -> Option<u32> {
        Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
    }

    /// Reads the links in one answer. Returns whether it is the last one.
    fn read(answer: &[u8], links: &mut Vec<Link>) -> bool {
        let mut rest = answer;
        while let Some(length) = number(rest) {
            let length = length as usize;
            let Some(message) = rest.get(..length).filter(|_| length >= HEADER) else { break };
            match u16::from_ne_bytes([message[4], message[5]]) {
                NLMSG_DONE | NLMSG_ERROR => return true,
                RTM_NEWLINK => links.extend(link(&message[HEADER..])),
                _ => (),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        false
    }

    fn link(message: &[u8]) -> Option<Link> {
        let mut link = Link { index: number(message.get(4..)?)?, ..Link::default() };
        for (kind, value) in attributes(message.get(HEADER..)?) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_MASTER => link.master = number(value).unwrap_or(0),
                IFLA_LINKINFO => {
                    let kind = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                    link.kind = kind.map(|(_, value)| text(value)).unwrap_or_default();
                }
                _ => (),
            }
        }
        Some(link)
    }

    /// The attributes in these bytes: a length, a type, and a value each.
    fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let head = rest.get(..4)?;
            let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
            let kind = u16::from_ne_bytes([head[2], head[3]]) & 0x3FFF; // Without its flags.
            let value = rest.get(4..length)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some((kind, value))
        })
    }

    fn text(value: &[u8]) -> String {
        String::from_utf8_lossy(value).trim_end_matches('\0').to_string()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn link(index: u32, name: &str, kind: &str, master: u32) -> Link {
            Link { index, name: name.into(), master, kind: kind.into() }
        }

        #[test]
        fn kernel_tells_the_loopback_link() {
            let links = links().expect("the kernel answers");
            assert!(links.iter().any(|link| link.name == "lo" && link.master == 0), "{links:?}");
        }

        #[test]
        fn bridge_of_containers_is_inner_and_bridge_to_the_lan_is_not() {
            let links = [
                link(1, "lo", "", 0),
                link(2, "eth0", "", 4),
                link(3, "d1", "bridge", 0),
                link(4, "br0", "bridge", 0),
                link(5, "v1", "veth", 3),
                link(6, "v2", "veth", 4),
                link(7, "br1", "bridge", 0),
                link(8, "v3", "veth", 7),
                link(9, "wg0", "wireguard", 0),
            ];
            let table = "Iface\tDestination\tGateway\nbr1\t00000000\t0101A8C0\nbr0\t0001A8C0\t0\n";
            let sorted = sort(&links, &default_routes(table));
            assert_eq!(sorted.inner, [3, 5].into());
            assert_eq!(sorted.ports, [2, 5, 6, 8].into());
        }

        #[test]
        fn cut_or_wrong_answers_are_read_without_harm() {
            let mut dice = fastrand::Rng::with_seed(3);
            for _ in 0..20_000 {
                let mut bytes: Vec<u8> = (0..dice.usize(..80)).map(|_| dice.u8(..)).collect();
                if let Some(first) = bytes.get_mut(..6) {
                    first.copy_from_slice(&[dice.u8(..80), 0, 0, 0, 16, 0]);
                }
                read(&bytes, &mut Vec::new());
            }
        }
    }
}
