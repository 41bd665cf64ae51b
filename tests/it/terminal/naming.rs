//! Who one is.

use super::{SIZES, last, start};
use crate::harness::{GREETING, Server, StandIn};

#[test]
fn whoever_says_no_nick_is_asked_with_a_proposal() {
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
fn a_server_of_the_older_kind_is_asked_for_another_nick_as_well() {
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
    // She is still who she was.
    tty.send("\x15");
    tty.enters("ainda eu");
    joao.reads("FROM clara [all]: ainda eu");
}
