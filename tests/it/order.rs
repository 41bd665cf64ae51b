//! The promise about order: one for all, and each speaker's own is kept.

use std::thread;

use crate::harness::{Peer, Server};

#[test]
fn everyone_sees_the_public_lines_in_one_order() {
    const SPEAKERS: [&str; 5] = ["ana", "bia", "joao", "maria", "rui"];
    const LINES: usize = 100;
    let server = Server::start(&["--rate", "0"]);
    let [a, b, c, d, e, listener] = server.members(["ana", "bia", "joao", "maria", "rui", "zé"]);
    let speak = |mut peer: Peer, lines: usize| {
        for n in 0..lines {
            peer.says(format!("MSG {n}"));
        }
        let heard: Vec<String> = (0..SPEAKERS.len() * LINES).map(|_| peer.line()).collect();
        // A departure now would be one more line for the others that still read.
        (peer, heard)
    };
    let heard = thread::scope(|scope| {
        let people = [(a, LINES), (b, LINES), (c, LINES), (d, LINES), (e, LINES), (listener, 0)];
        let people = people.map(|(peer, lines)| scope.spawn(move || speak(peer, lines)));
        people.map(|peer| peer.join().expect("everything is heard"))
    });

    let (_, first) = &heard[0];
    for speaker in SPEAKERS {
        let from = format!("FROM {speaker} [all]: ");
        let said: Vec<_> = first.iter().filter_map(|line| line.strip_prefix(&from)).collect();
        let expected: Vec<String> = (0..LINES).map(|n| n.to_string()).collect();
        assert_eq!(said, expected, "what {speaker} said");
    }
    for (_, lines) in &heard {
        assert_eq!(lines, first);
    }
}

#[test]
fn lines_of_one_sender_keep_their_order_at_each_reader() {
    const SPEAKERS: [&str; 3] = ["ana", "joao", "maria"];
    const LINES: usize = 200;
    // Every other line is private, for the one listener and the other in turn.
    let line = |n: usize| match n % 4 {
        1 => format!("MSG @rui {n}\n"),
        3 => format!("MSG @lia {n}\n"),
        _ => format!("MSG {n}\n"),
    };
    let listen = |listener: &mut Peer, nick: &str| {
        let theirs = |&n: &usize| n % 2 == 0 || line(n).contains(nick);
        let mut expected = SPEAKERS.map(|speaker| (speaker, (0..LINES).filter(theirs)));
        for _ in 0..SPEAKERS.len() * LINES * 3 / 4 {
            let heard = listener.line();
            let from = |speaker| heard.starts_with(&format!("FROM {speaker} ["));
            let speaker = expected.iter_mut().find(|(speaker, _)| from(*speaker));
            let (speaker, lines) = speaker.unwrap_or_else(|| panic!("nobody says {heard:?}"));
            let n = lines.next().unwrap_or_else(|| panic!("{heard:?} is one too many"));
            let scope = if n % 2 == 0 { "all" } else { "dm" };
            assert_eq!(heard, format!("FROM {speaker} [{scope}]: {n}"), "what {nick} hears");
        }
        listener.reads_nothing_more();
    };

    let server = Server::start(&["--rate", "0"]);
    let [ana, joao, maria, mut rui, mut lia] =
        server.members(["ana", "joao", "maria", "rui", "lia"]);
    let mut speakers = [ana, joao, maria];
    thread::scope(|scope| {
        scope.spawn(|| listen(&mut rui, "rui"));
        scope.spawn(|| listen(&mut lia, "lia"));
        // One speaks in a single packet, one in a few, one in pieces of lines.
        for (speaker, size) in speakers.iter_mut().zip([usize::MAX, 100, 7]) {
            scope.spawn(move || {
                let lines: String = (0..LINES).map(line).collect();
                for piece in lines.as_bytes().chunks(size) {
                    speaker.sends(piece);
                }
            });
        }
    });
}
