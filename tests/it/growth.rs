//! Clients of version 1 read and write the same bytes as ever, whatever others understand.

use std::io::Read;

use crate::harness::{Peer, Server};

/// The greeting of every connection.
const GREETING: &str = "New User. Please register with: NICK <your_nick>\n";

/// Clients of version 1, and the bytes that they write: in two parts, because others talk
/// in between.
const CLIENTS: [(&str, [&[u8]; 2]); 4] = [
    ("nc", [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nLAST 5\nFIND ol\nWHO\nQUIT\n"]),
    (
        "telnet",
        [
            b"\xFF\xFD\x03NICK old\r\n",
            b"MSG ol\xC3\xA1\r\nMSG @new psst\r\nLAST 5\r\nFIND ol\r\nWHO\r\nQUIT\r\n",
        ],
    ),
    // The client of the classroom sends no line of its own.
    (
        "the classroom's client",
        [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nLAST 5\nFIND ol\nWHO\nQUIT\n"],
    ),
    // minichat 0.1.0 in a pipe, with the input of the others.
    (
        "minichat 0.1.0",
        [b"NICK old\n", b"MSG ol\xC3\xA1\nMSG @new psst\nLAST 5\nFIND ol\nWHO\nQUIT\n"],
    ),
];

/// The bytes that each of them reads.
const READ: &str = "\
OK welcome old\n\
FROM new [all]: um\n\
User new left the chat.\n\
User newer joined.\n\
FROM newer [dm]: dois\n\
FROM old [all]: olá\n\
ERR user_not_found\n\
ERR unknown_command\n\
ERR unknown_command\n\
Connected users: newer, old\n\
BYE\n";

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
    for (name, [before, after]) in CLIENTS {
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
        assert_eq!(String::from_utf8_lossy(&read), format!("{GREETING}{READ}"), "{name}");
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
