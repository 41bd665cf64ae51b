//! How it ends, is interrupted and goes on: keys, signals, a shell, a server that
//! goes away and comes back.

use super::{
    PROMPT, SIZES, hears, holds, last, let_in, ready, sit_down, sit_down_at, start, wait_for_draft,
};
use crate::harness::{Server, StandIn};
use crate::tty::Tty;

#[test]
fn ctrl_c_clears_the_line_and_on_an_empty_one_it_leaves() {
    for size in SIZES {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let mut tty = start(server.address, size, &["--nick", "ana"], &[]);
        let settings = fresh(size).settings();
        ready(&tty);
        joao.reads("User ana joined.");
        assert_ne!(tty.settings(), settings, "keys are read as they are typed");
        tty.send("rascunho");
        wait_for_draft(&tty, "rascunho");
        tty.send("\x03");
        wait_for_draft(&tty, "");
        tty.enters("ainda aqui");
        joao.reads("FROM ana [all]: ainda aqui");
        wait_for_draft(&tty, "");
        tty.send("\x03");
        assert_eq!(tty.wait_exit(), Some(130));
        joao.reads("User ana left the chat.");
        left_as_found(&tty, &settings);
    }
}

#[test]
fn ctrl_d_leaves_politely_from_an_empty_line_alone() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("fim");
    wait_for_draft(&tty, "fim");
    tty.send("\x04!");
    wait_for_draft(&tty, "fim!");
    joao.reads_nothing_more();
    tty.send("\x15");
    wait_for_draft(&tty, "");
    tty.send("\x04");
    assert_eq!(tty.wait_exit(), Some(0));
    joao.reads("User ana left the chat.");
    left_as_found(&tty, &fresh(SIZES[0]).settings());
}

#[test]
fn a_client_that_was_stopped_comes_back_with_its_draft() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let address = server.address.to_string();
    let mut tty = Tty::shell(60, 14, &["connect", &address, "--nick", "ana"]);
    let settings = tty.settings();
    tty.enters("\"$@\"");
    ready(&tty);
    joao.reads("User ana joined.");
    for round in 0..2 {
        tty.send("rascunho");
        tty.wait("the draft", |screen| last(screen) == format!("{PROMPT} rascunho"));
        tty.send("\x1a");
        tty.wait("the shell", |screen| last(screen) == "shell$");
        assert_eq!(tty.settings(), settings);
        tty.enters(format!("echo 'the shell'  works {round}"));
        let answer = format!("the shell works {round}");
        tty.wait("its answer", |screen| screen.lines().any(|line| line == answer));
        joao.says(format!("MSG enquanto isso, {round}"));
        joao.reads(format!("FROM joao [all]: enquanto isso, {round}"));
        tty.enters("fg");
        tty.wait("the draft, and what was missed", |screen| {
            screen.contains(&format!("joao  enquanto isso, {round}"))
                && last(screen) == format!("{PROMPT} rascunho")
        });
        assert_ne!(tty.settings(), settings, "keys are read as they are typed");
        tty.send(format!(" {round}"));
        tty.wait("what is typed", |screen| last(screen) == format!("{PROMPT} rascunho {round}"));
        tty.send("\r");
        joao.reads(format!("FROM ana [all]: rascunho {round}"));
        tty.wait("an empty draft", |screen| last(screen) == PROMPT);
    }
    tty.send("\x03");
    tty.wait("the shell", |screen| last(screen) == "shell$");
    joao.reads("User ana left the chat.");
    assert_eq!(tty.settings(), settings);
    tty.enters("exit $?");
    assert_eq!(tty.wait_exit(), Some(130));
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let settings = fresh(SIZES[0]).settings();
    for (signal, status) in [("TERM", 143), ("HUP", 129)] {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let mut tty = sit_down(server.address);
        joao.reads("User ana joined.");
        tty.send("rascunho");
        wait_for_draft(&tty, "rascunho");
        tty.process.signal(signal);
        assert_eq!(tty.wait_exit(), Some(status), "after SIG{signal}");
        joao.reads("User ana left the chat.");
        left_as_found(&tty, &settings);
    }
}

#[test]
#[cfg(debug_assertions)] // Others do not panic when they are asked to.
fn a_panic_leaves_the_terminal_as_it_was() {
    let settings = fresh(SIZES[0]).settings();
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let environment = [("MINICHAT_PANIC", "1")];
    let mut tty = start(server.address, SIZES[0], &["--nick", "ana"], &environment);
    assert_eq!(tty.wait_exit(), Some(101));
    joao.reads("User ana joined.");
    joao.reads("User ana left the chat.");
    left_as_found(&tty, &settings);
    assert!(tty.raw().contains("panicked"), "{}", tty.raw());
}

#[test]
fn terminal_is_restored_after_a_refusal() {
    let settings = fresh(SIZES[0]).settings();
    let server = Server::start(&[]);
    for (keys, status) in [("\x03", 130), ("\x04", 0)] {
        let mut tty = start(server.address, SIZES[0], &[], &[("USER", "xyz")]);
        tty.wait("the question", |screen| last(screen).starts_with("Nickname"));
        tty.send(keys);
        assert_eq!(tty.wait_exit(), Some(status));
        left_as_found(&tty, &settings);
    }
}

#[test]
fn a_server_that_stops_is_waited_for_unless_that_is_not_wanted() {
    let settings = fresh(SIZES[0]).settings();
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let mut leaves = start(server.address, SIZES[0], &["--nick", "bia", "--no-reconnect"], &[]);
    leaves.wait("the prompt", |screen| last(screen) == "bia>");
    let mut waits = sit_down(server.address);
    waits.send("rascunho");
    wait_for_draft(&waits, "rascunho");
    server.process.signal("TERM");
    assert_eq!(leaves.wait_exit(), Some(0));
    left_as_found(&leaves, &settings);
    waits.wait("the notice", |screen| screen.contains("connection lost"));
    drop(server);
    let mut server = Server::start(&["--port", &port]);
    waits.wait("the way back", |screen| screen.contains("back, as ana"));
    wait_for_draft(&waits, "rascunho");
    // A removed member does not come back.
    server.process.signal("TERM");
    server.process.wait();
    waits.wait("the notice", |screen| screen.matches("connection lost").count() == 2);
    waits.send("\x03\x03");
    assert_eq!(waits.wait_exit(), Some(130));
    left_as_found(&waits, &settings);
}

#[test]
fn key_that_waits_for_another_holds_up_nothing() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut tty = sit_down(server.address);
    joao.reads("User ana joined.");
    // Alt and a digit: the editor waits for the key that it counts.
    tty.send("\x1b1");
    tty.wait("the count", |screen| screen.contains("(arg: 1)"));
    for line in ["one", "two", "three"] {
        joao.says(format!("MSG {line}"));
        joao.reads(format!("FROM joao [all]: {line}"));
        tty.wait("the line above the count", |screen| {
            screen.contains(&format!("joao  {line}")) && screen.contains("(arg: 1)")
        });
    }
    tty.send("x");
    wait_for_draft(&tty, "x");
    tty.process.signal("TERM");
    assert_eq!(tty.wait_exit(), Some(143));
}

#[test]
fn restarted_server_finds_the_same_nick_and_draft() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let tty = sit_down(server.address);
    tty.types("rascunho");
    wait_for_draft(&tty, "rascunho");
    server.process.signal("KILL");
    tty.wait("the notice", |screen| {
        screen.contains("connection lost") && holds(screen, "rascunho")
    });
    drop(server);
    tty.types(" vivo");
    wait_for_draft(&tty, "rascunho vivo");

    let server = Server::start(&["--port", &port]);
    tty.wait("the good news", |screen| {
        screen.contains("back, as ana") && holds(screen, "rascunho vivo")
    });
    let mut joao = server.member("joao");
    joao.says("WHO");
    joao.reads("Connected users: ana, joao");
    tty.send("\r");
    joao.reads("FROM ana [all]: rascunho vivo");
    joao.says("MSG oi de novo");
    hears(&tty, "joao  oi de novo");
    wait_for_draft(&tty, "");
}

#[test]
fn lines_entered_while_away_are_not_lost() {
    let door = StandIn::open();
    let tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana");
    ready(&tty);
    server.resets();
    tty.wait("the notice", |screen| screen.contains("connection lost"));
    // It hangs up on her once more, and then does not answer for a while.
    drop(door.caller());
    let mut server = door.caller();
    tty.enters("ninguém ouve");
    wait_for_draft(&tty, "");
    tty.send("\x1b[A");
    wait_for_draft(&tty, "ninguém ouve");
    let_in(&mut server, "ana");
    tty.wait("the good news", |screen| {
        screen.contains("back, as ana") && holds(screen, "ninguém ouve")
    });
    tty.send("\r");
    server.reads("MSG ninguém ouve");
}

#[test]
fn user_may_leave_while_the_server_is_away() {
    for (keys, status) in [("\x03", 130), ("\x04", 0)] {
        let door = StandIn::open();
        let mut tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
        let mut server = door.caller();
        let_in(&mut server, "ana");
        ready(&tty);
        drop((server, door));
        tty.wait("the notice", |screen| screen.contains("connection lost") && holds(screen, ""));
        tty.send(keys);
        assert_eq!(tty.wait_exit(), Some(status));
        left_as_found(&tty, &fresh(SIZES[0]).settings());
    }
}

#[test]
fn a_lost_server_ends_a_client_that_is_not_to_reconnect() {
    let server = Server::start(&[]);
    let settings = fresh(SIZES[0]).settings();
    let mut tty = sit_down_at(server.address, SIZES[0], &["--no-reconnect"], &[]);
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    server.process.signal("KILL");
    assert_eq!(tty.wait_exit(), Some(1));
    let error = tty.lines().into_iter().find(|line| line.starts_with("minichat: "));
    assert!(error.as_ref().is_some_and(|error| error.contains("lost")), "{error:?}");
    left_as_found(&tty, &settings);
}

/// A terminal whose settings are untouched.
fn fresh((cols, rows): (u16, u16)) -> Tty {
    let tty = Tty::launch(cols, rows, &mut std::process::Command::new("cat"));
    tty.send("x\r");
    tty.wait("the echo", |screen| screen == "x\nx");
    tty
}

/// The terminal has its settings, pastes are not bracketed any more, and the program that
/// comes next begins a line with the cursor in sight.
#[track_caller]
fn left_as_found(tty: &Tty, settings: &str) {
    assert_eq!(tty.settings(), settings);
    let raw = tty.raw();
    assert!(raw.rfind("\x1b[?2004l") > raw.rfind("\x1b[?2004h"), "pastes stay bracketed: {raw:?}");
    assert!(raw.rfind("\x1b[?25h") >= raw.rfind("\x1b[?25l"), "the cursor is away: {raw:?}");
    assert_eq!(tty.column(), 0, "{raw:?}");
}
