//! Connections from other machines: those that are lost without a word, and those
//! that are too many.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Host, on_a_lan};
use crate::harness::{GREETING, PATIENCE, Peer, Running, run};

/// A client that does not acknowledge what is sent to it is gone in this long.
const WITH_TRAFFIC: Duration = Duration::from_secs(40);
/// And in this long a client that is sent nothing.
const WITHOUT: Duration = Duration::from_secs(130);

/// A client on this host that has just come to the server at this address.
#[track_caller]
fn joins(host: &Host, address: &str, nick: &str) -> Peer {
    let mut peer = host.inside(|| Peer::connect(address.parse().expect("an address")));
    peer.says(format!("NICK {nick}"));
    peer.skips_to(&format!("OK welcome {nick}"));
    peer
}

/// Waits until the server explains that it has cut these people off, and that in
/// time.
#[track_caller]
fn lets_go(server: &mut Running, people: &[(&str, &str)], pulled: Instant, limit: Duration) {
    let mut missing = people.to_vec();
    while !missing.is_empty() {
        let line = server.stderr.next_within(limit).expect("the server goes on");
        let time = pulled.elapsed();
        let cut = |(nick, ip): &(&str, &str)| line.contains(&format!("cut off {nick} {ip}: "));
        let known = missing.iter().position(cut).unwrap_or_else(|| panic!("who is {line:?}?"));
        assert!(line.contains("no longer answers, "), "{line}");
        assert!(line.ends_with(" bytes wait"), "{line}");
        assert!(time < limit, "{line:?} came after {time:?}");
        missing.swap_remove(known);
    }
}

impl Host {
    /// Waits until all that was sent over TCP is acknowledged: only then nothing is
    /// on its way.
    #[track_caller]
    fn has_sent_all(&self) {
        let deadline = Instant::now() + PATIENCE;
        let is_empty = |line: &str| line.split_whitespace().nth(2) == Some("0");
        loop {
            let output = self.inside(|| run(Command::new("ss").arg("-Htn"), ""));
            assert_eq!((output.status, output.stdout.is_empty()), (Some(0), false), "{output:?}");
            if output.stdout.lines().all(is_empty) {
                return;
            }
            assert!(Instant::now() < deadline, "{}", output.stdout);
        }
    }
}

#[test]
fn unreachable_client_is_let_go_with_and_without_talk() {
    on_a_lan(2, |lan| {
        let (here, there) = (lan.host(1), lan.host(2));
        let mut lively = here.server(&["--no-mdns"]);
        let mut silent = here.server(&["--no-mdns", "--port", "9001"]);
        let mut ana = joins(here, "10.77.0.1:9000", "ana");
        let mut joao = joins(here, "10.77.0.1:9001", "joao");
        let lost = [("bia", "10.77.0.2"), ("rui", "fd77::2")];
        let gone: Vec<Peer> = ["9000", "9001"]
            .iter()
            .flat_map(|port| {
                [("10.77.0.1", "bia"), ("[fd77::1]", "rui")]
                    .map(|(ip, nick)| joins(there, &format!("{ip}:{port}"), nick))
            })
            .collect();
        for peer in [&mut ana, &mut joao] {
            peer.reads("User bia joined.");
            peer.reads("User rui joined.");
        }

        here.has_sent_all();
        let pulled = Instant::now();
        lan.cable(2, "down");
        thread::scope(|scope| {
            scope.spawn(|| {
                ana.says("MSG anybody?");
                ana.reads("FROM ana [all]: anybody?");
                lets_go(&mut lively, &lost, pulled, WITH_TRAFFIC);
                let mut left = [ana.line(), ana.line()];
                left.sort();
                assert_eq!(left, ["User bia left the chat.", "User rui left the chat."]);
                // Their nicks are free again.
                ana.says("WHO");
                ana.reads("Connected users: ana");
            });
            scope.spawn(|| {
                lets_go(&mut silent, &lost, pulled, WITHOUT);
                joao.says("WHO");
                joao.skips_to("Connected users: joao");
            });
        });
        drop(gone);
    });
}

#[test]
fn one_address_gets_64_connections_and_others_get_in() {
    on_a_lan(3, |lan| {
        let (here, there, elsewhere) = (lan.host(1), lan.host(2), lan.host(3));
        let _server = here.server(&["--no-mdns"]);
        // This machine may have any number.
        for (host, ip, limit) in [
            (there, "10.77.0.1:9000", Some(64)),
            (there, "[fd77::1]:9000", Some(64)),
            (here, "10.77.0.1:9000", None),
            (here, "127.0.0.1:9000", None),
        ] {
            let comes = |host: &Host| {
                let mut peer = host.inside(|| Peer::connect(ip.parse().expect("an address")));
                peer.reads(GREETING);
                peer
            };
            let mut peers: Vec<Peer> = (0..limit.unwrap_or(100)).map(|_| comes(host)).collect();
            peers.iter_mut().for_each(Peer::is_a_guest);
            if limit.is_some() {
                let mut refused = comes(host);
                refused.reads("ERR too_many_connections");
                refused.ends();
                comes(elsewhere).is_a_guest();
                // One goes, and another one may come.
                let mut leaving = peers.pop().expect("there are many");
                leaving.says("QUIT");
                leaving.reads("BYE");
                leaving.ends();
                // Both count for as long as the server has their sockets.
                drop((leaving, refused));
                let is_let_in = || {
                    let mut peer = comes(host);
                    peer.says("WHO");
                    peer.raw_line().starts_with(b"ERR please_register_with_NICK")
                };
                let deadline = Instant::now() + Duration::from_secs(10);
                while !is_let_in() {
                    assert!(Instant::now() < deadline, "nobody is let in any more");
                }
            }
        }
    });
}

impl Peer {
    /// It was let in, and is asked for its nick.
    #[track_caller]
    fn is_a_guest(&mut self) {
        self.says("WHO");
        self.reads("ERR please_register_with_NICK");
    }
}
