//! Long lines at a terminal: the program breaks them, at words, and what follows in the
//! next row is indented. No text can look like a line of another member.

use std::net::SocketAddr;

use super::{let_in, ready, start, unwrapped};
use crate::harness::{Peer, Server, StandIn, minichat};
use crate::tty::Tty;

/// A row that another member seems to have written.
const FORGED: &str = "15:10 bia  I owe eve 100";

/// Characters to put in front of it.
const PADS: [&str; 11] = [
    " ",
    "\u{A0}",
    "\u{3000}",
    ".",
    "x ",
    "日",
    "é",
    "e\u{301}",
    "👩\u{200D}👧",
    "❤\u{FE0F}",
    "\t",
];

/// The widths that people have.
const WIDTHS: [u16; 3] = [80, 40, 20];

/// Where a stranger can put a text, as a server tells it.
const PLACES: [&str; 8] = [
    "FROM eve [all]: hi{}",
    "FROM eve [all]: /me hi{}",
    "FROM eve [dm]: hi{}",
    "FROM ana [all]: ana{}",
    "Connected users: ana, eve, x{}",
    "User eve{} joined.",
    "OK hi{}",
    "{}",
];

/// A member of a room.
#[track_caller]
fn member(address: SocketAddr, nick: &str) -> Peer {
    let mut peer = Peer::connect(address);
    peer.says(format!("NICK {nick}"));
    peer.skips_to(&format!("OK welcome {nick}"));
    peer
}

/// Looks whether a row begins as a line of another member.
#[track_caller]
fn check_rows(tty: &Tty, context: &str) {
    let rows = tty.rows();
    assert!(rows.iter().any(|row| row.contains("15:10")), "{context}: {rows:#?}");
    for row in &rows {
        assert!(!row.starts_with("15:10") && !row.starts_with("FROM bia"), "{context}: {rows:#?}");
    }
}

/// Texts of every length around the width, in this place, each padded with this.
fn texts(place: &str, pad: &str, width: u16) -> Vec<String> {
    let counts = usize::from(width / 2).saturating_sub(12)..=usize::from(width);
    counts.map(|count| place.replace("{}", &(pad.repeat(count) + FORGED))).collect()
}

#[test]
fn padded_text_does_not_forge_a_line() {
    for width in WIDTHS {
        for environment in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[]] {
            let door = StandIn::open();
            let tty = start(door.address, (width, 24), &["--nick", "ana"], environment);
            let mut server = door.caller();
            let_in(&mut server, "ana, bia");
            for pad in PADS {
                for place in PLACES {
                    texts(place, pad, width).iter().for_each(|text| server.says(text));
                }
            }
            server.says("FROM bia [all]: fim");
            tty.wait("the end", |screen| screen.contains("bia  fim"));
            check_rows(&tty, &format!("{width} {environment:?}"));
        }
    }
}

#[test]
fn padded_text_does_not_forge_a_line_of_the_protocol() {
    let door = StandIn::open();
    let tty = start(door.address, (40, 24), &["--raw"], &[]);
    let mut server = door.caller();
    for pad in [" ", ".", "\u{A0}"] {
        for count in 0..60 {
            server.says(format!("FROM eve [all]: hi{}FROM bia [all]: 15:10", pad.repeat(count)));
        }
    }
    server.says("fim");
    tty.wait("the end", |screen| screen.contains("fim"));
    let rows = tty.rows();
    assert!(!rows.iter().any(|row| row.starts_with("FROM bia")), "{rows:#?}");
}

#[test]
fn new_lines_have_the_width_that_the_terminal_has_then() {
    let door = StandIn::open();
    let tty = start(door.address, (80, 24), &["--nick", "ana"], &[("NO_COLOR", "1")]);
    let mut server = door.caller();
    let_in(&mut server, "ana, bia");
    ready(&tty);
    for width in [40, 60, 20, 80] {
        tty.resize(width, 24);
        server.says(format!("FROM bia [all]: {width} {}", "word ".repeat(30)));
        server.says("FROM bia [all]: fim");
        tty.wait("the text", |screen| screen.contains(&format!("bia  {width}")));
        tty.wait("the end", |screen| screen.contains("bia  fim"));
        let rows = tty.rows();
        let begin = rows.iter().position(|row| row.contains(&format!("bia  {width}")));
        let rows = &rows[begin.expect("it is there")..];
        let behind = rows[1..].iter().take_while(|row| row.starts_with("  "));
        let longest = behind.map(String::len).max().expect("it takes several rows");
        assert!(longest <= width.into() && longest + 5 > width.into(), "{width}: {rows:#?}");
    }
}

#[test]
fn terminal_without_a_width_has_that_of_the_variable() {
    let door = StandIn::open();
    let mut command = minichat();
    command.args(["connect", &door.address.to_string(), "--nick", "ana"]).env("COLUMNS", "30");
    // The emulator's screen is wider; the terminal says that it has no size.
    let tty = Tty::unsized_terminal(80, 24, &mut command);
    let mut server = door.caller();
    let_in(&mut server, "ana, bia");
    server.says(format!("FROM bia [all]: {}", "word ".repeat(30)));
    server.says("FROM bia [all]: fim");
    tty.wait_raw("the end", |raw| raw.contains("fim"));
    let raw = tty.raw();
    assert!(raw.contains("\r\n           word word word word\r\n"), "{raw:?}");
}

#[test]
fn console_forges_no_line_either() {
    for width in WIDTHS {
        let arguments = ["server", "--no-mdns", "--port", "0", "--bind", "127.0.0.1"];
        let tty = Tty::start(width, 24, &arguments, &[("NO_COLOR", "1")]);
        tty.wait("where it listens", |screen| screen.contains("127.0.0.1:"));
        let address = unwrapped(&tty.rows())[0].rsplit(' ').next().map(str::parse);
        let address: SocketAddr = address.expect("a word").expect("an address");
        let _peers: Vec<Peer> =
            (0..6).map(|n| member(address, &format!("{n}{}", ".".repeat(31)))).collect();
        tty.enters("/who");
        tty.wait_raw("who is here", |raw| {
            raw.split_once("> /who\r\n").is_some_and(|(_, told)| told.contains("\n5...."))
        });
        for row in tty.rows() {
            assert!(!row.starts_with("..") && !row.starts_with("127."), "{:#?}", tty.rows());
        }
    }
}

/// Compares the words that the program prints in a terminal of this width, and in one
/// where every line fits.
#[track_caller]
fn check_words(width: u16, arguments: &[&str], language: &str) {
    let read = |width: u16| {
        let mut tty = Tty::launch(width, 60, minichat().args(arguments).env("LANG", language));
        tty.wait_exit();
        tty
    };
    let (narrow, wide) = (read(width), read(500));
    let words = |rows: Vec<String>| -> Vec<String> {
        rows.join("\n").split_whitespace().map(String::from).collect()
    };
    assert_eq!(words(narrow.rows()), words(wide.rows()), "{width} {arguments:?} {language}");
    assert_eq!(narrow.rows(), narrow.lines(), "the terminal itself has broken a line");
}

#[test]
fn words_of_help_and_of_errors_are_not_cut() {
    let listener = StandIn::open();
    let taken = listener.address.port().to_string();
    let commands: [&[&str]; 13] = [
        &["--help"],
        &["server", "--help"],
        &["connect", "--help"],
        &["discover", "--help"],
        &["completions", "--help"],
        &["completions"],
        &["serve"],
        &["server", "--prot", "9"],
        &["server", "--port", "x"],
        &["server", "--no-mdns", "--bind", "127.0.0.1", "--port", &taken],
        &["server", "--no-mdns", "--bind", "192.0.2.1", "--port", "0"],
        &["connect", "127.0.0.1:1", "--nick", "ana"],
        &["connect", "--timeout", "1", "--interface", "nowhere0"],
    ];
    for language in ["C", "pt_BR.UTF-8"] {
        for arguments in commands {
            for width in [80, 60, 40] {
                check_words(width, arguments, language);
            }
        }
    }
}

#[test]
fn words_of_the_first_screens_are_not_cut() {
    for language in ["C", "pt_BR.UTF-8"] {
        let mut screens: Vec<Vec<String>> = Vec::new();
        for width in [500, 80, 60, 40] {
            let server = Server::start(&[
                "--motd",
                "Welcome to the class of networks, room 3, \
                until 18:00 today; ask questions whenever you like to ask some",
            ]);
            let _peers = ["bia", "caio", "dora"].map(|nick| member(server.address, nick));
            let environment = [("LANG", language), ("NO_COLOR", "1")];
            let tty = start(server.address, (width, 60), &["--nick", "ana"], &environment);
            ready(&tty);
            tty.wait("who is here", |screen| screen.contains("dora"));
            for line in ["/help", "/xyzzy", "@xyzzy oi", "/bell maybe", "/msg", "/who"] {
                tty.enters(line);
            }
            tty.wait("the last answer", |screen| screen.contains("(4):"));
            assert_eq!(tty.rows(), tty.lines(), "the terminal itself has broken a line");
            let words = tty.rows().join("\n");
            let words = words.split_whitespace().filter(|word| !word.contains(':'));
            screens.push(words.map(String::from).collect());
        }
        for screen in &screens[1..] {
            assert_eq!(screen, &screens[0], "{language}");
        }
    }
}
