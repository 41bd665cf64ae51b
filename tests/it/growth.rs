//! Clients of version 1 read and write the same bytes as ever, whatever others understand.

use std::collections::HashMap;
use std::io::Read;

use crate::harness::{Peer, Server};

/// The greeting of every connection.
const GREETING: &str = "New User. Please register with: NICK <your_nick>\n";

/// Clients of version 1, and the bytes that they write: in two parts, because others talk
/// in between. A person types the same words into each; 0.1.0 says those that are not the
/// protocol's to all.
const CLIENTS: [(&str, [&[u8]; 2], &str); 4] = [
    (
        "nc",
        [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nLAST 5\nFIND ol\nWHO\nQUIT\n"],
        "ERR unknown_command\nERR unknown_command\n",
    ),
    (
        "telnet",
        [
            b"\xFF\xFD\x03NICK old\r\n",
            b"MSG ol\xC3\xA1\r\nMSG @new psst\r\nLAST 5\r\nFIND ol\r\nWHO\r\nQUIT\r\n",
        ],
        "ERR unknown_command\nERR unknown_command\n",
    ),
    ("the classroom's client", [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nWHO\nQUIT\n"], ""),
    (
        "minichat 0.1.0",
        [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nMSG LAST 5\nMSG FIND ol\nWHO\nQUIT\n"],
        "FROM old [all]: LAST 5\nFROM old [all]: FIND ol\n",
    ),
];

/// The bytes that each of them reads, before and behind its own answers.
const READ: [&str; 2] = [
    "OK welcome old\nFROM new [all]: um\nUser new left the chat.\nUser newer joined.\n\
     FROM newer [dm]: dois\nFROM old [all]: olá\nERR user_not_found\n",
    "Connected users: newer, old\nBYE\n",
];

/// A member that understands everything.
fn newcomer(server: &Server) -> Peer {
    let mut new = server.guest();
    new.says("CAP history renames");
    assert!(new.line().starts_with("Capabilities:"));
    new.says("NICK new");
    new.skips_to("OK welcome new");
    new
}

#[test]
fn clients_of_version_1_read_the_same_bytes() {
    for (name, [before, after], answers) in CLIENTS {
        let server = Server::start(&[]);
        let mut new = newcomer(&server);
        new.says("MSG zero");
        new.skips_to("FROM new [all]: zero");
        let mut old = server.connect();
        old.sends(before);
        new.reads("User old joined.");
        for line in ["MSG um", "NICK newer", "MSG @old dois"] {
            new.says(line);
        }
        new.skips_to("OK welcome newer");
        new.says("WHO"); // What stands before it has arrived.
        new.skips_to("Connected users: newer, old");
        old.sends(after);
        let mut read = Vec::new();
        let mut socket = old.socket();
        socket.read_to_end(&mut read).expect("the server says goodbye");
        let [begin, end] = READ;
        let expected = format!("{GREETING}{begin}{answers}{end}");
        assert_eq!(String::from_utf8_lossy(&read), expected, "{name}");
    }
}

/// The bytes that a recording stands for.
fn recorded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let special = match (c, rest.split_once('}')) {
            ('\\', _) if rest.starts_with("\\x") => {
                bytes.push(u8::from_str_radix(&rest[2..4], 16).expect("two digits"));
                4
            }
            ('\\', _) => {
                let escapes = [("\\r", b'\r'), ("\\t", b'\t'), ("\\\\", b'\\')];
                let known = escapes.iter().find(|(escape, _)| rest.starts_with(escape));
                bytes.push(known.unwrap_or_else(|| panic!("{rest:?}")).1);
                2
            }
            ('{', Some((run, _))) if rest.starts_with("{x*") => {
                let count = run[3..].parse().expect("a number");
                bytes.extend(std::iter::repeat_n(b'x', count));
                run.len() + 1
            }
            _ => {
                bytes.push(u8::try_from(c).expect("other characters are escaped"));
                1
            }
        };
        rest = &rest[special..];
    }
    bytes
}

#[test]
fn recording_of_0_1_0_plays_with_the_same_bytes() {
    let (mut server, mut peers): (Option<Server>, HashMap<&str, Peer>) = (None, HashMap::new());
    for line in include_str!("growth/minichat-0.1.0.txt").lines() {
        let options = line.strip_prefix("server").map(|options| options.split_whitespace());
        let Some(at) = line.find(['<', '>']).filter(|_| !line.starts_with('#')) else {
            if let Some(options) = options {
                assert!(peers.is_empty(), "all have read to the end");
                server = Some(Server::start(&options.collect::<Vec<_>>()));
            } else if line == "stop" {
                if cfg!(windows) {
                    return; // No signal asks a program there to stop.
                }
                server.as_mut().expect("it runs").process.signal("TERM");
            }
            continue;
        };
        let (who, text) = (&line[..at], line[at + 1..].trim_start());
        let connect = || server.as_ref().expect("it runs").connect();
        let peer = peers.entry(who).or_insert_with(connect);
        match (&line[at..=at], text) {
            ("<", "|") => {
                peer.ends();
                peers.remove(who);
            }
            (sign, text) => {
                let bytes = [recorded(text), vec![b'\n']].concat();
                match sign {
                    ">" => peer.sends(bytes),
                    _ => {
                        let read = peer.raw_line();
                        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
                        assert_eq!(shown(&read), shown(&bytes), "what {who} reads");
                    }
                }
            }
        }
    }
}

#[test]
fn guest_that_has_not_asked_is_refused_new_words() {
    let server = Server::start(&[]);
    let mut old = server.guest();
    for line in ["SINCE 7f3a9c21 0", "LAST 5", "FIND chave", "CAPS history", "SINCE"] {
        old.says(line);
        old.reads("ERR unknown_command");
    }
    old.says("CAP");
    old.reads("Capabilities:");
    old.says("CAP sparkles");
    old.reads("Capabilities:");
    old.says("LAST 5");
    old.reads("ERR unknown_command");
    old.says("NICK old");
    old.reads("OK welcome old");
    old.says("CAP renames");
    old.reads("ERR unknown_command");
}

#[test]
fn question_for_capabilities_is_no_other_protocol() {
    let server = Server::start(&[]);
    for line in ["CAP renames", "cap renames", "CAP\trenames", "CAP  renames  LS"] {
        let mut new = server.guest();
        new.says(line);
        new.reads("Capabilities: renames");
    }
    for line in ["CAP LS 302", "cap ls", "CAP LS"] {
        let mut chat = server.guest();
        chat.says(line);
        chat.reads("ERR unknown_command");
        chat.ends();
    }
}

/// A member that asks for history, and what it reads up to `Now:`, without the times.
fn historian(server: &Server, nick: &str, since: Option<&str>) -> (Peer, Vec<String>, String) {
    let mut peer = server.guest();
    peer.says("CAP history");
    peer.reads("Capabilities: history");
    if let Some(since) = since {
        peer.says(format!("SINCE {since}"));
    }
    peer.says(format!("NICK {nick}"));
    peer.reads(format!("OK welcome {nick}"));
    let mut past = Vec::new();
    loop {
        let line = peer.line();
        if let Some(place) = line.strip_prefix("Now: ") {
            return (peer, past, place.to_string());
        }
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let ["Past:", number, seconds, message] = words[..] else { panic!("{line:?}") };
        let now = chrono::Local::now().timestamp();
        assert!((now - 300..=now + 1).contains(&seconds.parse().unwrap()), "{line}");
        past.push(format!("{number} {message}"));
    }
}

#[test]
fn late_comer_is_told_50_messages_and_an_old_client_none() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    (1..=60).for_each(|n| ana.says(format!("MSG {n}")));
    ana.skips_to("FROM ana [all]: 60");
    let (_rui, past, place) = historian(&server, "rui", None);
    assert!(place.ends_with(" 60"), "{place}");
    assert_eq!(past.len(), 50);
    assert_eq!((&*past[0], &*past[49]), ("11 FROM ana [all]: 11", "60 FROM ana [all]: 60"));
    let mut old = server.member("old");
    old.reads_nothing_more();
    let (term, _) = place.split_once(' ').unwrap();
    let (_bia, past, _) = historian(&server, "bia", Some(&format!("{term} 58")));
    assert_eq!(past, ["59 FROM ana [all]: 59", "60 FROM ana [all]: 60"]);
}

#[test]
fn operator_decides_how_much_newcomers_are_told() {
    let server = Server::start(&["--history", "2"]);
    let mut ana = server.member("ana");
    (1..=3).for_each(|n| ana.says(format!("MSG {n}")));
    ana.skips_to("FROM ana [all]: 3");
    let (_, past, _) = historian(&server, "rui", None);
    assert_eq!(past, ["2 FROM ana [all]: 2", "3 FROM ana [all]: 3"]);
    let mut old = server.member("old");
    for line in ["History: 2", "FROM ana [all]: 2", "FROM ana [all]: 3"] {
        old.reads(line);
    }

    let server = Server::start(&["--history", "0"]);
    let mut guest = server.guest();
    guest.says("CAP history");
    guest.reads("Capabilities:");
}
