//! The password of a closed room, asked for at a terminal.

use super::{PROMPT, SIZES, last, start};
use crate::closed::closed;
use crate::harness::{Server, minichat};
use crate::tty::Tty;

const RIGHT: &str = "k7mf-29qx";
const QUESTION: &str = "Password of ";

/// Waits for the question behind so many others.
#[track_caller]
fn is_asked(tty: &Tty, times: usize) {
    tty.wait("the question for the password", |screen| {
        screen.matches(QUESTION).count() == times && last(screen).starts_with(QUESTION)
    });
}

#[test]
fn password_is_asked_for_and_never_shown() {
    for term in ["xterm-256color", "dumb"] {
        let server = closed(RIGHT, &[]);
        let mut tty = start(server.address, (80, 14), &["--nick", "ana"], &[("TERM", term)]);
        is_asked(&tty, 1);
        for (wrong, word) in [
            ("123", "6 characters or more"),
            ("k7mf-29qy", "Wrong password, or not the server that you think."),
        ] {
            tty.enters(wrong);
            tty.wait("the reason", |screen| screen.contains(word));
            is_asked(&tty, if wrong == "123" { 2 } else { 3 });
        }
        // A wrong letter can be taken back.
        tty.enters("segre\x15k7mf-29qz\x7fx");
        tty.wait("the conversation", |screen| {
            screen.contains("Encrypted; both sides know the password.")
                && screen.contains("You are ana.")
        });
        for word in [RIGHT, "29q", "123\r", "segre"] {
            assert!(!tty.raw().contains(word), "{word} is shown: {:?}", tty.raw());
        }
        // Neither the history nor what was deleted has it.
        if term != "dumb" {
            tty.wait("the prompt", |screen| last(screen) == PROMPT);
            tty.send("\x1b[A\x19\x1f");
            tty.enters("olá");
            tty.wait("the line", |screen| screen.contains("ana  olá"));
            assert!(!tty.raw().contains("29q"), "{:?}", tty.raw());
        }
        tty.send("\x04");
        assert_eq!(tty.wait_exit(), Some(0));
        if term == "dumb" {
            assert!(tty.settings().contains("ECHO |"), "{}", tty.settings());
        }
    }
}

#[test]
fn person_may_take_longer_than_a_newcomer_has() {
    let mut command = minichat();
    command.env("MINICHAT_PASSWORD", RIGHT).env("MINICHAT_REGISTRATION_SECS", "1");
    let server = Server::launch(command, &["--closed"]);
    let tty = start(server.address, (80, 14), &["--nick", "ana"], &[]);
    is_asked(&tty, 1);
    if cfg!(debug_assertions) {
        // A guest that came later is out of time.
        server.guest().reads("ERR registration_timeout");
    }
    tty.enters(RIGHT);
    tty.wait("the conversation", |screen| screen.contains("You are ana."));
    assert!(!tty.screen().contains("lost"), "{}", tty.screen());
}

#[test]
fn person_who_gives_no_password_does_not_join() {
    for (keys, status) in [("\r", 2), ("\x04", 2), ("\x03", 130)] {
        for term in ["xterm-256color", "dumb"] {
            let server = closed(RIGHT, &[]);
            let mut tty = start(server.address, SIZES[0], &["--nick", "ana"], &[("TERM", term)]);
            is_asked(&tty, 1);
            assert!(!tty.settings().contains("ECHO |"), "{}", tty.settings());
            tty.send(keys);
            assert_eq!(tty.wait_exit(), Some(status), "{}", tty.screen());
            assert!(tty.settings().contains("ECHO |"), "{}", tty.settings());
        }
    }
}

#[test]
fn invitation_to_a_closed_room_shows_the_password_and_no_nc() {
    let server = Tty::start(
        80,
        24,
        &["server", "--closed", "--port", "0", "--no-mdns", "--bind", "127.0.0.1"],
        &[],
    );
    server.wait("the console", |screen| screen.contains("Password: ") && screen.contains("/help"));
    let screen = server.screen();
    let line = screen.lines().find_map(|line| line.trim().strip_prefix("Password: "));
    let password = line.expect("it is shown").to_string();
    server.enters("/invite");
    server.wait("the invitation", |screen| screen.matches(&password).count() == 2);
    assert!(!server.screen().contains("nc "), "{}", server.screen());
    let listening = screen.lines().find_map(|line| line.strip_prefix("Listening on "));
    let address = listening.expect("it says where").trim().parse().expect("it is an address");
    let environment = [("MINICHAT_PASSWORD", &*password)];
    let ana = start(address, (80, 24), &["--nick", "ana"], &environment);
    ana.wait("the prompt", |screen| last(screen) == PROMPT);
    ana.enters("/invite");
    ana.wait("the invitation", |screen| screen.contains("minichat connect"));
    ana.wait("the prompt", |screen| last(screen) == PROMPT);
    assert!(!ana.screen().contains("nc "), "{}", ana.screen());
}

#[test]
fn invitation_to_an_encrypted_room_has_no_nc() {
    let server = Server::start(&["--encrypted-only"]);
    let ana = start(server.address, (80, 24), &["--nick", "ana"], &[]);
    ana.wait("the prompt", |screen| last(screen) == PROMPT);
    ana.enters("/invite");
    ana.wait("the invitation", |screen| screen.contains("minichat connect"));
    ana.wait("the prompt", |screen| last(screen) == PROMPT);
    assert!(!ana.screen().contains("nc "), "{}", ana.screen());
}
