//! What the operator sees in the server's own terminal.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use async_channel::Receiver;
use chrono::Local;

use crate::discovery::Hidden;
use crate::room::{Deed, Reason};
use crate::server::lobby::Sighting;
use crate::texts::{self, Texts};
use crate::wire::DEFAULT_PORT;

/// Prints what is sighted until nobody is left who could see something.
///
/// It has a thread of its own: a terminal that is held with Ctrl-S stops this
/// one alone.
pub fn show(sightings: Receiver<Sighting>, quiet: bool, texts: &texts::Server) {
    while let Ok(sighting) = sightings.recv_blocking() {
        let time = Local::now().format("%H:%M:%S");
        match sighting {
            Sighting::News(..) if quiet => (),
            Sighting::News(news, address) => {
                let (ip, members) = (address.ip(), news.members);
                print(&match news.what {
                    Deed::Joined(nick) => format!("{time} + {nick} {ip} ({members})\n"),
                    Deed::Left(nick) => format!("{time} - {nick} {ip} ({members})\n"),
                    Deed::Renamed(old, new) => {
                        let text = (texts.renamed)(old.as_str(), new.as_str());
                        format!("{time} = {text} {ip} ({members})\n")
                    }
                });
            }
            Sighting::Stopped(_) if quiet => (),
            Sighting::Stopped(members) => print(&((texts.stopped)(members) + "\n")),
            Sighting::Cut(cut, address) => {
                let who = cut.nick.map_or(texts.guest.to_string(), |nick| nick.to_string());
                let what = match cut.reason {
                    Reason::Behind => (texts.behind)(cut.behind),
                    Reason::Stalled => texts.stalled.to_string(),
                };
                let text = (texts.cut)(&who, &address.ip().to_string(), &what);
                let text = format!("{time} ! {text}\n");
                // A terminal that is gone is no reason to stop the chat.
                io::stderr().write_all(text.as_bytes()).ok();
            }
        }
    }
}

/// Prints to standard output now. A terminal or pipe that is gone is no reason
/// to stop the chat.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
}

/// What a person needs to join from another machine, or from this one if it is
/// the only one that can.
pub fn invitation(listening: &[SocketAddr], title: Option<&str>, texts: &texts::Server) -> String {
    let port = listening[0].port();
    let mut addresses = reachable(listening, &interfaces());
    let join = match addresses.iter().all(IpAddr::is_loopback) {
        true => texts.join_from_machine,
        false => texts.join_from_network,
    };
    if addresses.is_empty() {
        addresses.push(listening[0].ip());
    }
    let mut text = match title {
        Some(title) => format!("{} {join}\n  minichat connect --auto\n", (texts.announced)(title)),
        None => format!("{join}\n"),
    };
    for address in addresses {
        let target = match (address, port) {
            (address, DEFAULT_PORT) => address.to_string(),
            (IpAddr::V4(address), port) => format!("{address}:{port}"),
            (IpAddr::V6(address), port) => format!("[{address}]:{port}"),
        };
        text += &format!("  minichat connect {target}\n  nc {address} {port}\n");
    }
    text + texts.notes + "\n"
}

/// Says that nobody will find the server by itself, and why.
pub fn warn_hidden(why: Hidden, texts: &Texts) {
    let text = (texts.server.warning)(&(texts.server.hidden)(why.tell(texts))) + "\n";
    io::stderr().write_all(text.as_bytes()).ok(); // The chat goes on.
}

/// The addresses of this machine's interfaces.
fn interfaces() -> Vec<IpAddr> {
    // Not to know them costs a line of help, no more.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(|interface| interface.ip()).collect()
}

/// The addresses that others can type: IPv4 where there is any, since IPv6 is a
/// burden to the fingers, and this machine's own only if there is no other.
fn reachable(listening: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<IpAddr> {
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
    fn the_addresses_that_others_can_type_are_named() {
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

    #[test]
    fn the_port_is_named_where_it_has_to_be() {
        let text =
            |socket: &str| invitation(&[socket.parse().unwrap()], None, &texts::ENGLISH.server);
        assert!(
            text("127.0.0.1:9000").contains("  minichat connect 127.0.0.1\n  nc 127.0.0.1 9000\n")
        );
        assert!(text("127.0.0.1:9001").contains("  minichat connect 127.0.0.1:9001\n"));
        assert!(text("[::1]:9001").contains("  minichat connect [::1]:9001\n  nc ::1 9001\n"));
    }
}
