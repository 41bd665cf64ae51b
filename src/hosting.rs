//! A server that a program carries: the parts that `minichat server` shares with a client that
//! has opened a room.

mod heirs;
pub mod history;
pub mod page;
mod room;
mod standby;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread;

use crate::discovery::interfaces;
use crate::server::{Capacities, MAX_VISITORS};

pub use room::{HostedRoom, Plan};
pub use standby::Heir;

/// How many descriptors are for other things than connections: the log, discovery, and
/// connections that are refused.
const RESERVE: usize = 48;
/// How many descriptors each worker needs for itself.
const RESERVE_FOR_WORKER: usize = 3;
/// How many of the last messages a client is told that asks for history, unless the
/// operator says otherwise.
pub const RECALL: usize = 50;

/// The name of this machine, as far as the system tells.
pub fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// How many connections this machine allows beside a page, if there is one.
pub fn capacities(has_page: bool, each_origin: usize) -> Capacities {
    // Each client is a descriptor. Where their number cannot be known, accepting pauses
    // when there are no more.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut reserved = RESERVE + RESERVE_FOR_WORKER * cores;
    if has_page {
        reserved += MAX_VISITORS.min(descriptors / 8);
    }
    Capacities { all: descriptors.saturating_sub(reserved), each_origin }
}

/// The address by which others reach one of these sockets most likely.
pub fn best_address(listening: &[SocketAddr]) -> Option<IpAddr> {
    reachable(listening, &addresses_for_others()).into_iter().next()
}

/// The addresses of this machine that others may reach, best first. Those of its
/// containers' networks are left out, unless there are no others.
pub fn addresses_for_others() -> Vec<IpAddr> {
    let all = interfaces(None).unwrap_or_default();
    let outer = all.iter().any(|link| !link.inner && !link.ip.is_loopback());
    all.into_iter().filter(|link| !outer || !link.inner).map(|link| link.ip).collect()
}

/// The addresses that others can type: IPv4 where there is any, since IPv6 is a
/// burden to the fingers, and this machine's own only if there is no other.
pub fn reachable(listening: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for socket in listening {
        match socket.ip() {
            any if any.is_unspecified() => {
                addresses.extend(interfaces.iter().filter(|ip| ip.is_ipv4() == any.is_ipv4()));
            }
            one => addresses.push(one),
        }
    }
    let preferences: [fn(&IpAddr) -> bool; 4] = [
        |ip| matches!(ip, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local()),
        |ip| matches!(ip, IpAddr::V6(v6) if !v6.is_loopback() && !v6.is_unicast_link_local()),
        |ip| matches!(ip, IpAddr::V4(v4) if v4.is_link_local()),
        IpAddr::is_loopback,
    ];
    let best = preferences.into_iter().find(|preferred| addresses.iter().any(preferred));
    addresses.retain(|ip| best.is_some_and(|preferred| preferred(ip)));
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listening: &[&str], interfaces: &[&str], expected: &[&str]) {
        let listening: Vec<SocketAddr> =
            listening.iter().map(|text| text.parse().unwrap()).collect();
        let ips = |texts: &[&str]| {
            texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>()
        };
        assert_eq!(reachable(&listening, &ips(interfaces)), ips(expected));
    }

    #[test]
    fn invitation_names_addresses_that_others_can_type() {
        let all = ["0.0.0.0:9000", "[::]:9000"];
        let home = ["127.0.0.1", "192.168.1.100", "10.0.0.7", "::1", "fd77::1", "fe80::1"];
        check(&all, &home, &["192.168.1.100", "10.0.0.7"]);
        check(&all[1..], &home, &["fd77::1"]);
        check(&all, &["127.0.0.1", "169.254.3.4", "::1", "fe80::1"], &["169.254.3.4"]);
        check(&all, &["127.0.0.1", "::1"], &["127.0.0.1", "::1"]);
        check(&["127.0.0.1:9000"], &home, &["127.0.0.1"]);
        check(&["10.0.0.7:9000", "127.0.0.1:9000"], &home, &["10.0.0.7"]);
        check(&all, &[], &[]);
    }
}
