//! telnet and PuTTY, which mix option bytes into what is typed.

use std::io::Read;

use crate::harness::{Peer, Server};

/// The options that PuTTY asks for at once in its Telnet mode.
const PUTTY: &[u8] =
    b"\xFF\xFB\x1F\xFF\xFB\x20\xFF\xFB\x18\xFF\xFB\x27\xFF\xFD\x01\xFF\xFB\x03\xFF\xFD\x03";
/// The bytes of telnet for Ctrl-C: "interrupt process", and a question for a timing mark.
const CTRL_C: &[u8] = b"\xFF\xF4\xFF\xFD\x06";

/// Sends these bytes in pieces of this size.
fn send(peer: &mut Peer, bytes: &[u8], piece: usize) {
    bytes.chunks(piece).for_each(|piece| peer.sends(piece));
}

#[track_caller]
fn reads_bytes(peer: &Peer, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    peer.socket().read_exact(&mut bytes).expect("an answer comes");
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn option_bytes_do_not_spoil_a_line() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for piece in [1, 2, 100] {
        let mut bob = server.guest();
        send(&mut bob, PUTTY, piece);
        // The size of a window of 10 rows holds a line feed.
        send(&mut bob, b"\xFF\xFA\x1F\x00\x50\x00\x0A\xFF\xF0NICK bob\r\n", piece);
        bob.reads("OK welcome bob");
        ana.reads("User bob joined.");
        send(&mut bob, b"MSG \xFF\xF1hi\xFF\xF9\r\n", piece);
        ana.reads("FROM bob [all]: hi");
        bob.reads("FROM bob [all]: hi");
        bob.says("QUIT");
        bob.reads("BYE");
        ana.reads("User bob left the chat.");
    }
}

#[test]
fn line_after_ctrl_c_is_heard_and_the_mark_answered() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for piece in [1, 2, 3, 5] {
        let mut bob = server.guest();
        send(&mut bob, CTRL_C, piece);
        reads_bytes(&bob, b"\xFF\xFC\x06");
        send(&mut bob, b"NICK bob\r\n", piece);
        bob.reads("OK welcome bob");
        ana.reads("User bob joined.");
        send(&mut bob, &[CTRL_C, b"MSG after\r\n"].concat(), piece);
        reads_bytes(&bob, b"\xFF\xFC\x06");
        bob.reads("FROM bob [all]: after");
        ana.reads("FROM bob [all]: after");
        bob.says("QUIT");
        bob.reads("BYE");
        ana.reads("User bob left the chat.");
    }
    ana.reads_nothing_more();
}

#[test]
fn request_behind_option_bytes_is_still_one_of_a_browser() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let mut browser = server.guest();
    browser.sends(b"POST / HT\xFF\xF1TP/1.1\r\n\r\nNICK evil\r\nMSG spam\r\n");
    browser.reads("ERR unknown_command");
    browser.ends();
    ana.reads_nothing_more();
}

#[test]
fn subnegotiation_without_end_costs_a_line_and_no_memory() {
    let server = Server::start(&[]);
    let mut bob = server.member("bob");
    bob.sends(b"\xFF\xFA");
    for _ in 0..32 {
        bob.sends([b'x'; 1024]);
    }
    bob.reads("ERR line_too_long");
    bob.sends(b"\nMSG here\n");
    bob.reads("FROM bob [all]: here");
}
