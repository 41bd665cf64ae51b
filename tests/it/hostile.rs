//! Servers that mean no good, or break off, and what the client makes of them.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Client, GREETING, Peer, Running, StandIn, connect};

/// A client that has registered, and its server.
#[track_caller]
fn registered(door: &StandIn, options: &[&str]) -> (Client, Peer) {
    let client = Client::start(door.address, &[&["--nick", "bot"], options].concat());
    let mut server = door.caller();
    server.says(GREETING);
    server.reads("NICK bot");
    server.says("OK welcome bot");
    (client, server)
}

#[test]
fn endless_line_costs_no_memory_and_hides_nothing() {
    let door = StandIn::open();
    let (mut client, mut server) = registered(&door, &[]);
    client.shows("welcome\t\tbot");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        server.sends(&piece);
    }
    server.says("\nFROM ana [all]: olá");
    client.shows("message\tana\tolá");
    // A line may be this long, and no longer.
    let prefix = "FROM ana [all]: ";
    let text = "x".repeat(8191 - prefix.len());
    server.says(format!("{prefix}{text}"));
    server.says(format!("{prefix}{text}x"));
    client.shows(&format!("message\tana\t{text}"));
    let peak = client.process.peak_memory();
    server.says("BYE");
    let output = client.process.output();
    assert_eq!(output.status, Some(0));
    assert_eq!(output.stderr.matches("too long").count(), 2, "{:?}", output.stderr);
    assert!(peak.is_none_or(|peak| peak < 32 << 10), "the client took {peak:?} KiB");
}

/// Every kind of attack in a few characters.
const ATTACK: &str =
    "a\x1b[2J\x1b]52;c;aGk=\x07\u{9B}1A\rb\x08\x7F\0\u{202E}c\u{2028}d\u{2066}\u{85}e";

/// Wherever a server can put them.
fn attacks() -> [String; 12] {
    [
        format!("FROM {ATTACK} [all]: {ATTACK}"),
        format!("FROM {ATTACK} [dm]: {ATTACK}"),
        format!("FROM ana [all]: /me {ATTACK}"),
        format!("User {ATTACK} joined."),
        format!("User {ATTACK} left the chat."),
        format!("Connected users: {ATTACK}, {ATTACK}"),
        format!("OK {ATTACK}, {ATTACK}"),
        format!("OK welcome {ATTACK}"),
        format!("ERR {ATTACK}"),
        format!("History: {ATTACK}"),
        format!("BYE{ATTACK}"),
        ATTACK.to_string(),
    ]
}

/// A terminal would obey some of this, or a reader be deceived.
fn is_dangerous(text: &str) -> bool {
    text.contains(|c: char| {
        c.is_control() && !matches!(c, '\t' | '\n')
            || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
fn nothing_that_a_terminal_would_obey_is_printed_in_columns() {
    let door = StandIn::open();
    let (client, mut server) = registered(&door, &[]);
    for line in attacks() {
        server.says(line);
    }
    server.says("BYE");
    let output = client.process.output();
    assert_eq!(output.status, Some(1));
    assert!(!is_dangerous(&output.stderr), "{:?}", output.stderr);
    assert!(!is_dangerous(&output.stdout), "{:?}", output.stdout);
    // Each is one line of four columns still, and so are the welcome and the end.
    assert_eq!(output.stdout.lines().count(), attacks().len() + 2);
    for line in output.stdout.lines() {
        assert_eq!(line.split('\t').count(), 4, "{line:?}");
    }
}

#[test]
fn json_keeps_every_character_and_escapes_controls() {
    let door = StandIn::open();
    let (client, mut server) = registered(&door, &["--json"]);
    for line in attacks() {
        server.says(line);
    }
    server.says("BYE");
    let output = client.process.output();
    assert_eq!(output.status, Some(1));
    assert!(!is_dangerous(&output.stderr), "{:?}", output.stderr);
    assert!(!is_dangerous(&output.stdout), "{:?}", output.stdout);
    let objects: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{line:?}: {err}")))
        .collect();
    assert_eq!(objects.len(), attacks().len() + 2);
    for object in &objects[1..=attacks().len()] {
        let fields = ["from", "to", "text"].iter().filter_map(|&field| object[field].as_str());
        assert!(fields.into_iter().any(|field| field.contains(ATTACK)), "{object}");
    }
}

#[test]
fn in_colour_only_the_client_s_own_sequences_are_printed() {
    let door = StandIn::open();
    let mut command = connect(door.address, &["--nick", "bot"]);
    command.env("CLICOLOR_FORCE", "1").stdin(Stdio::piped());
    let client = Running::start(&mut command);
    let mut server = door.caller();
    server.reads("NICK bot");
    server.says("OK welcome bot");
    for line in attacks() {
        server.says(line);
    }
    server.says("BYE");
    let output = client.output();
    assert_eq!(output.status, Some(1));
    assert!(output.stdout.contains('\x1b'), "there is no colour: {:?}", output.stdout);
    assert!(!is_dangerous(&without_colours(&output.stdout)), "{:?}", output.stdout);
}

/// The text without the sequences that set colours: `ESC [ numbers m`.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain += rest,
            None => plain = plain + "\x1b[" + piece,
        }
    }
    plain
}

#[test]
fn nothing_that_a_terminal_would_obey_gets_into_a_complaint() {
    let door = StandIn::open();
    for answer in [format!("ERR {ATTACK}"), format!("ERR apelido_em_uso {ATTACK}")] {
        let mut client = Client::start(door.address, &["--nick", "bot"]);
        let mut server = door.caller();
        server.reads("NICK bot");
        server.says(answer);
        client.process.end_input();
        let output = client.process.output();
        assert_eq!((output.status, &*output.stdout), (Some(1), ""));
        output.complaint();
        assert!(!is_dangerous(&output.stderr), "{:?}", output.stderr);
    }
}

#[test]
fn terminal_obeys_no_bytes_of_a_server() {
    const PIECES: [&str; 12] = [
        "FROM ",
        "ana",
        " [all]: ",
        " [dm]: ",
        "User ",
        " joined.",
        " left the chat.",
        "OK ",
        "ERR ",
        "History: ",
        "\r\n",
        "\n",
    ];
    let door = StandIn::open();
    for (seed, options) in [&[][..], &["--json"], &["--color", "never"]].into_iter().enumerate() {
        let mut dice = fastrand::Rng::with_seed(seed as u64);
        let mut garbage = Vec::new();
        while garbage.len() < 256 << 10 {
            match dice.usize(..16) {
                n if n < PIECES.len() => garbage.extend_from_slice(PIECES[n].as_bytes()),
                12 => garbage.extend(dice.char(..).to_string().bytes()),
                13 => garbage.push(dice.u8(..0x20)),
                _ => garbage.push(dice.u8(..)),
            }
        }
        let (client, mut server) = registered(&door, options);
        server.sends(&garbage);
        server.says("\nBYE");
        let output = client.process.output();
        assert!(matches!(output.status, Some(0 | 1)), "seed {seed}: {}", output.stderr);
        assert!(!is_dangerous(&output.stdout) && !is_dangerous(&output.stderr), "seed {seed}");
        assert!(output.stdout.lines().count() > 1000, "seed {seed}: it shows what it was sent");
        if options.contains(&"--json") {
            for line in output.stdout.lines() {
                serde_json::from_str::<Value>(line).unwrap_or_else(|err| panic!("{line}: {err}"));
            }
        }
    }
}

#[test]
fn invalid_utf8_is_shown_with_a_mark() {
    let door = StandIn::open();
    let (mut client, mut server) = registered(&door, &[]);
    client.shows("welcome\t\tbot");
    server.sends(b"FROM ana [all]: ol\xE1 \xFF\nFROM ana [all]: ol\xC3\xA1\n");
    client.shows("message\tana\tol\u{FFFD} \u{FFFD}");
    client.shows("message\tana\tolá");
}

#[test]
fn server_may_speak_byte_by_byte_with_crlf() {
    let door = StandIn::open();
    let mut client = Client::start(door.address, &["--nick", "bot"]);
    let mut server = door.caller();
    for byte in "Olá\r\n\r\nOK welcome bot\r\nFROM ana [all]: olá\r\nBYE\r\n".bytes() {
        server.sends([byte]);
    }
    for event in ["notice\t\tOlá", "welcome\t\tbot", "message\tana\tolá", "bye\t\t"] {
        client.shows(event);
    }
    assert_eq!(client.process.output().status, Some(0));
}

#[test]
fn broken_handshake_is_a_complaint_and_no_hang() {
    let handshake = format!("{GREETING}\nOK welcome bot\n");
    // Where there is no IPv6, no client can be hostile by it.
    let doors: Vec<StandIn> =
        ["127.0.0.1", "::1"].into_iter().filter_map(|ip| StandIn::open_at(ip).ok()).collect();
    for cut in 0..=handshake.len() {
        for (way, door) in [("closes", &doors[0]), ("resets", &doors[doors.len() - 1])] {
            let client = Client::start(door.address, &["--nick", "bot"]);
            let mut server = door.caller();
            server.reads("NICK bot");
            server.sends(&handshake[..cut]);
            match way {
                "closes" => drop(server),
                _ => server.resets(),
            }
            let output = client.process.output();
            assert_eq!(output.status, Some(1), "it {way} after {cut} bytes: {output:?}");
            let (cause, _) = output.complaint();
            assert!(cause.contains(&door.address.to_string()), "{cause}");
        }
    }
}

#[test]
fn server_that_closes_at_once_is_a_complaint() {
    let door = StandIn::open();
    for greeting in ["", GREETING] {
        let client = Running::start(connect(door.address, &["--nick", "bot"]).stdin(Stdio::null()));
        let mut server = door.caller();
        server.sends(greeting);
        drop(server);
        let output = client.output();
        assert_eq!((output.status, &*output.stdout), (Some(1), ""));
        let (cause, _) = output.complaint();
        assert!(cause.contains(&door.address.to_string()), "{cause}");
    }
}
