//! The draft does nothing to the rows above it.

use rustix::termios::Winsize;

use super::{
    SIZES, draft, hears, holds, prompts, ready, sit_down, sit_down_at, start, times_told,
    wait_for_draft,
};
use crate::harness::Server;
use crate::tty::{Tty, last};

#[test]
fn tall_draft_shows_its_end_and_hides_no_message() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    let lines: Vec<String> = (1..=40).map(|n| format!("linha {n:02}")).collect();
    tty.send(format!("\x1b[200~{}\x1b[201~", lines.join("\r")));
    let is_shown = |screen: &str| {
        screen.contains("ana> (40 lines)")
            && last(screen) == "linha 40"
            && prompts(screen, "ana>") == 1
    };
    tty.wait("the end of the draft", is_shown);
    for n in 0..3 {
        joao.says(format!("MSG olá {n}"));
        tty.wait("the message", |screen| {
            screen.contains(&format!("joao  olá {n}")) && is_shown(screen)
        });
    }
    // Not a row of it is left behind.
    let shown = tty.lines();
    assert_eq!(shown.iter().filter(|line| line.starts_with("linha ")).count(), 3, "{shown:#?}");
    tty.send("\r");
    for n in 0..3 {
        joao.reads(format!("FROM joao [all]: olá {n}"));
    }
    for line in lines {
        joao.reads(format!("FROM ana [all]: {line}"));
    }
}

#[test]
fn draft_of_strange_characters_erases_nothing() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down_at(server.address, (40, 20), &[], &[]);
    joao.reads("User ana joined.");
    let texts = [
        "\u{1FAE9}".repeat(20),
        "বাংলা ".repeat(9),
        "👨‍👩‍👧🏳️‍🌈👍🏽🇧🇷".repeat(6),
        "a\tb\tc\t".repeat(9),
        "ภาษาไทย العربية क्षि".repeat(5),
    ];
    for (n, text) in texts.iter().enumerate() {
        joao.says(format!("MSG antes {n}"));
        hears(&tty, &format!("joao  antes {n}"));
        tty.send(format!("\x1b[200~{text}\x1b[201~"));
        tty.wait("the draft", |screen| {
            draft(screen, "ana>").is_some_and(|draft| !draft.is_empty())
        });
        for (m, columns) in [25, 110, 40].into_iter().enumerate() {
            tty.resize(columns, 20);
            joao.says(format!("MSG durante {n} {m}"));
            hears(&tty, &format!("joao  durante {n} {m}"));
        }
        tty.wait("one prompt", |screen| prompts(screen, "ana>") == 1);
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
    let lines = tty.lines();
    for n in 0..texts.len() {
        assert_eq!(times_told(&lines, &format!("joao  antes {n}")), 1, "{lines:#?}");
        for m in 0..3 {
            assert_eq!(times_told(&lines, &format!("joao  durante {n} {m}")), 1, "{lines:#?}");
        }
    }
}

#[test]
fn keys_at_once_are_painted_once() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    let text = "abcdefghij".repeat(400);
    let before = tty.raw().len();
    tty.send(&text);
    tty.send("!");
    tty.wait("the end", |screen| last(screen).ends_with("j!"));
    let painted = tty.raw().len() - before;
    assert!(painted < 20 * text.len(), "{painted} bytes");
}

#[test]
fn tiny_terminals_are_no_trouble() {
    for (cols, rows) in [(80, 1), (5, 2), (1, 3), (2, 2)] {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let tty = start(server.address, (cols, rows), &["--nick", "ana"], &[]);
        joao.reads("User ana joined.");
        types_and_hears(&tty, &mut joao);
    }
}

#[test]
fn terminal_without_a_size_is_no_trouble() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.set_size(Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 });
    types_and_hears(&tty, &mut joao);
}

#[track_caller]
fn types_and_hears(tty: &Tty, joao: &mut crate::harness::Peer) {
    tty.send("olá 日本 👍");
    joao.says("MSG oi");
    joao.reads("FROM joao [all]: oi");
    tty.send("\r");
    joao.reads("FROM ana [all]: olá 日本 👍");
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere the children of a process are not so easily known.
fn client_that_a_signal_stops_leaves_a_working_shell() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let tty = Tty::shell(60, 14, &["connect", &address, "--nick", "ana"]);
    let settings = tty.settings();
    tty.enters("\"$@\"");
    ready(&tty);
    let shell = tty.process.id();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let child = children.expect("the shell runs").trim().to_string();
    for signal in ["TSTP", "STOP"] {
        tty.send("rascunho");
        wait_for_draft(&tty, "rascunho");
        let killed = std::process::Command::new("kill").args(["-s", signal, &child]).status();
        assert!(killed.expect("kill is there").success());
        tty.wait("the shell", |screen| last(screen) == "shell$");
        if signal == "TSTP" {
            assert_eq!(tty.settings(), settings);
        }
        // A shell that puts no terminal right has one in which Enter is a return.
        tty.send("fg\n");
        tty.wait("the draft", |screen| last(screen) == "ana> rascunho");
        assert_ne!(tty.settings(), settings, "keys are read as they are typed");
        tty.send("\x15");
        tty.wait("no draft", |screen| last(screen) == "ana>");
    }
    tty.send("\x03");
    tty.wait("the shell", |screen| last(screen) == "shell$");
    assert_eq!(tty.settings(), settings);
}

#[test]
fn question_stays_on_the_screen() {
    let server = Server::start(&[]);
    let tty = start(server.address, SIZES[0], &[], &[("USER", "xyz")]);
    tty.wait("the question", |screen| last(screen).starts_with("Nickname [xyz]:"));
    tty.send("\x15ana\r");
    tty.wait("the prompt", |screen| screen.contains("Nickname [xyz]: ana\n") && holds(screen, ""));
}
