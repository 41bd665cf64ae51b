//! The user's own nick.

use super::{SIZES, last, start};
use crate::harness::{GREETING, Server, StandIn};
use crate::tty::Tty;

#[test]
fn user_without_a_nick_is_asked_with_a_proposal() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for (answer, nick) in [("", "xyz"), ("\x15ana", "ana"), ("\x15João", "João")] {
        let mut tty = start(server.address, SIZES[0], &[], &[("USER", "xyz")]);
        tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
        tty.enters(answer);
        tty.wait("the prompt", |screen| {
            screen.contains(&format!("You are {nick}.")) && last(screen) == format!("{nick}>")
        });
        joao.reads(format!("User {nick} joined."));
        tty.enters("oi");
        joao.reads(format!("FROM {nick} [all]: oi"));
        tty.send("\x04");
        assert_eq!(tty.wait_exit(), Some(0));
        joao.reads(format!("User {nick} left the chat."));
    }
}

#[test]
fn for_a_nick_that_is_taken_another_is_offered() {
    for (options, answer) in [(&[][..], "ana\r"), (&["--nick", "ana"], "")] {
        let server = Server::start(&[]);
        let mut ana = server.member("ana");
        let tty = start(server.address, SIZES[0], options, &[("USER", "xyz")]);
        if !answer.is_empty() {
            tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
            tty.send(answer);
        }
        tty.wait("another nick, to be taken or changed", |screen| {
            screen.contains("\"ana\" is taken") && last(screen).ends_with("ana2")
        });
        tty.send("\r");
        tty.wait("the prompt", |screen| last(screen) == "ana2>");
        ana.reads("User ana2 joined.");
        tty.enters("oi");
        ana.reads("FROM ana2 [all]: oi");
    }
}

#[test]
fn a_nick_that_is_none_is_asked_for_again() {
    let server = Server::start(&[]);
    let tty = start(server.address, SIZES[0], &[], &[("USER", "xyz")]);
    tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
    tty.enters("\x15two words");
    tty.wait("the question once more", |screen| {
        screen.lines().filter(|line| line.starts_with("Nickname")).count() >= 2
            || screen.contains("* ")
    });
    tty.send("\x15");
    tty.enters("ana");
    tty.wait("the prompt", |screen| last(screen) == "ana>");
}

#[test]
fn older_server_is_asked_for_another_nick() {
    let door = StandIn::open();
    let tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    server.says(GREETING);
    server.reads("NICK ana");
    server.says("ERR apelido_em_uso");
    tty.wait("another nick", |screen| {
        screen.contains("\"ana\" is taken") && last(screen).ends_with("ana2")
    });
    tty.send("\r");
    server.reads("NICK ana2");
    server.says("OK Welcome ana2");
    tty.wait("the prompt", |screen| last(screen) == "ana2>");
}

#[test]
fn with_another_nick_the_prompt_is_another() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = super::sit_down(server.address);
    joao.reads("User ana joined.");
    for (line, old, new) in [("/nick bia", "ana", "bia"), ("NICK clara", "bia", "clara")] {
        tty.enters(line);
        joao.reads(format!("User {old} left the chat."));
        joao.reads(format!("User {new} joined."));
        tty.wait("the new prompt", |screen| last(screen) == format!("{new}>"));
        tty.enters("quem sou eu?");
        joao.reads(format!("FROM {new} [all]: quem sou eu?"));
        tty.wait("the own line", |screen| screen.contains(&format!("{new}  quem sou eu?")));
    }
    tty.enters("/nick joao");
    tty.wait("the refusal", |screen| screen.contains("taken") || screen.contains("refused"));
    // Her nick is still the same.
    tty.send("\x15");
    tty.enters("ainda eu");
    joao.reads("FROM clara [all]: ainda eu");
}

#[test]
fn late_nick_is_registered_by_a_new_connection() {
    for term in ["xterm-256color", "dumb"] {
        for last_word in ["ERR registration_timeout\n", "BYE\n", ""] {
            let door = StandIn::open();
            let tty = start(door.address, SIZES[0], &[], &[("USER", "xyz"), ("TERM", term)]);
            // The connection ends at the first question and at the one after a refusal.
            let mut server = door.caller();
            server.says(GREETING);
            tty.wait("the question", |screen| screen.contains("[xyz]"));
            server.sends(last_word);
            server.stops_talking();
            server.ends();
            tty.enters("bia");
            let mut server = door.caller();
            server.reads("NICK bia");
            server.says("ERR nick_in_use");
            tty.wait("the question", |screen| last(screen).contains("bia2"));
            server.sends(last_word);
            server.stops_talking();
            server.ends();
            tty.enters(if term == "dumb" { "caio" } else { "\x15caio" });
            let mut server = door.caller();
            server.reads("NICK caio");
            server.says("OK welcome caio");
            tty.wait("the name", |screen| screen.contains("You are caio."));
            server.reads("WHO");
            assert!(!tty.screen().contains("lost"), "{}", tty.screen());
        }
    }
}

#[test]
fn person_may_leave_while_there_is_no_connection() {
    for (keys, status) in [("/quit\r", 0), ("\x04", 0), ("\x03", 130)] {
        let door = StandIn::open();
        let mut tty = start(door.address, SIZES[0], &[], &[("USER", "xyz")]);
        let mut server = door.caller();
        tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
        server.says("BYE");
        server.stops_talking();
        server.ends();
        tty.send(keys);
        assert_eq!(tty.wait_exit(), Some(status));
    }
}

#[test]
fn server_that_goes_while_a_person_thinks_is_waited_for() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let mut tty = start(server.address, SIZES[0], &[], &[("USER", "xyz")]);
    tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
    server.process.signal("KILL");
    drop(server);
    tty.enters("ana");
    tty.wait("the notice", |screen| screen.contains("connection lost"));
    let server = Server::start(&["--port", &port]);
    tty.wait("the prompt", |screen| screen.contains("You are ana.") && last(screen) == "ana>");
    tty.send("\x04");
    assert_eq!(tty.wait_exit(), Some(0));
    server.still_serves();
}

#[test]
fn refused_nick_on_return_leaves_the_next_line_a_line() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let tty = start(server.address, SIZES[0], &["--nick", "ana"], &[]);
    tty.wait("the prompt", |screen| last(screen) == "ana>");
    server.process.signal("KILL");
    drop(server);
    tty.wait("the notice", |screen| screen.contains("connection lost"));
    tty.enters("/nick a,b");
    let server = Server::start(&["--port", &port]);
    let mut joao = server.member("joao");
    tty.wait("the old nick", |screen| {
        screen.contains("\"a,b\" was refused") && screen.contains("back, as ana")
    });
    joao.says("WHO");
    joao.skips_to("Connected users: ana, joao");
    tty.enters("oi");
    joao.reads("FROM ana [all]: oi");
}

#[test]
fn draft_at_the_end_is_not_for_the_shell() {
    for (term, way) in
        [("xterm-256color", "kick"), ("dumb", "kick"), ("xterm-256color", "die"), ("dumb", "die")]
    {
        let door = StandIn::open();
        let address = door.address.to_string();
        let arguments = ["connect", &address, "--nick", "ana", "--no-reconnect"];
        let tty = Tty::shell(80, 24, &arguments);
        tty.enters(format!("TERM={term} \"$@\""));
        let mut server = door.caller();
        server.says("OK welcome ana");
        server.reads("NICK ana");
        server.reads("WHO");
        server.says("Connected users: ana");
        tty.wait("the end of joining", |screen| screen.contains("Nobody else"));
        // The chat ends in the middle of a line, and keys come just after it.
        tty.send("echo for-the-");
        tty.wait("the draft", |screen| screen.contains("echo for-the-"));
        match way {
            "kick" => server.says("BYE"),
            _ => server.resets(),
        }
        for key in ["sh", "ell\r", "echo for-the-shell\r"] {
            tty.send(key);
        }
        // Without the editor, the terminal itself shows what is typed.
        let is_back = |screen: &str| match term {
            "dumb" => last(screen).ends_with("shell$"),
            _ => last(screen) == "shell$",
        };
        tty.wait("the shell", is_back);
        tty.enters("echo so-it-ends");
        tty.wait("an answer", |screen| screen.lines().any(|line| line == "so-it-ends"));
        let screen = tty.screen();
        assert!(!screen.lines().any(|line| line == "for-the-shell"), "{screen}");
    }
}
