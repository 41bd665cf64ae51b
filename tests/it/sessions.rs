//! The example sessions of `protocol.md`, with the real server.

use std::cell::Cell;
use std::collections::HashMap;

use crate::channel::Tunnel;
use crate::harness::{Peer, Server};
use crate::script::{Session, Unknown, What, sessions};
use crate::websocket::Bridge;

#[test]
fn the_sessions_of_the_protocol_happen_as_it_tells_them() {
    let sessions = sessions(include_str!("../../protocol.md"));
    assert!(sessions.len() >= 14, "the sessions are found");
    for session in sessions.iter().filter(|session| !is_encrypted(session)) {
        let server = Server::start(&session.options);
        play(session, || server.connect());
    }
}

#[test]
fn websocket_clients_read_the_same_sessions() {
    let sessions = sessions(include_str!("../../protocol.md"));
    for session in sessions.iter().filter(|session| !is_encrypted(session)) {
        let mut server = Server::start(&session.options);
        let bridge = Bridge::open(server.page());
        play(session, || bridge.connect());
    }
}

#[test]
fn encrypted_clients_read_the_same_sessions() {
    for session in &sessions(include_str!("../../protocol.md")) {
        let server = Server::start(&session.options);
        let tunnel = Tunnel::open(server.address);
        play(session, || tunnel.connect());
    }
}

#[test]
fn encrypted_clients_and_others_share_the_sessions() {
    let sessions = sessions(include_str!("../../protocol.md"));
    for session in sessions.iter().filter(|session| !is_encrypted(session)) {
        for first in [0, 1] {
            let server = Server::start(&session.options);
            let tunnel = Tunnel::unaware(server.address);
            let count = Cell::new(first);
            play(session, || match count.replace(count.get() + 1) % 2 {
                0 => server.connect(),
                _ => tunnel.connect(),
            });
        }
    }
}

/// Whether all clients of a session are in a channel.
pub fn is_encrypted(session: &Session) -> bool {
    session.options == ["--encrypted-only"]
}

#[track_caller]
pub fn play(session: &Session, connect: impl Fn() -> Peer) {
    let mut people: HashMap<&str, Peer> = HashMap::new();
    let mut unknown = Unknown::default();
    for step in &session.steps {
        let peer = people.entry(step.who).or_insert_with(&connect);
        match step.what {
            What::Says(line) => peer.says(unknown.fill(line)),
            What::Reads(line) => {
                assert_eq!(
                    unknown.hide(&peer.line()),
                    line,
                    "what {} reads in {session:?}",
                    step.who
                )
            }
            What::IsClosed => {
                peer.ends();
                people.remove(step.who);
            }
            What::BreaksOff => drop(people.remove(step.who)),
            other => panic!("{other:?} is for the room alone"),
        }
    }
    for peer in people.values_mut() {
        peer.reads_nothing_more();
    }
}
