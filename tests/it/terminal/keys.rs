//! A keyboard sends more than text: reports of the terminal, pastes, the focus.

use super::{SIZES, hears, holds, last, let_in, ready, sit_down, start, wait_for_draft};
use crate::harness::{Server, StandIn};

#[test]
fn reports_of_the_terminal_are_not_typed() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    for report in [
        "\x1b[<35;41;20M",
        "\x1b[M !!",
        "\x1b[32;10;10M",
        "\x1b[105;5u",
        "\x1b[27;1:3u",
        "\x1b[27;2;13~",
        "\x1b[?62;4;22c",
        "\x1b[?2026;2$y",
        "\x1b[48;24;80;0;0t",
        "\x1b]11;rgb:0000/0000/0000\x07",
        "\x1b]11;rgb:0000/0000/0000\x1b\\",
        "\x1bP>|xterm(388)\x1b\\",
        "\x1b_Gi=1;OK\x1b\\",
    ] {
        tty.send("abc");
        wait_for_draft(&tty, "abc");
        tty.send(report);
        tty.send("Z");
        wait_for_draft(&tty, "abcZ");
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
}

#[test]
fn endless_report_causes_no_delay() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for begun in ["\x1b]0;title", "\x1bP>|x", "\x1b[1;2", "\x1b[M !"] {
        tty.send(begun);
        joao.says(format!("MSG depois de {begun:?}"));
        hears(&tty, &format!("joao  depois de {begun:?}"));
        // Time itself is waited for: a report that stops is over.
        std::thread::sleep(std::time::Duration::from_millis(500));
        tty.send("x");
        wait_for_draft(&tty, "x");
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
}

#[test]
fn ctrl_c_and_ctrl_d_of_kitty_leave() {
    for (keys, status) in [("\x1b[99;5u", 130), ("\x1b[100;5u", 0), ("\x1b[27;5;99~", 130)] {
        let server = Server::start(&[]);
        let mut tty = sit_down(server.address);
        tty.send(keys);
        assert_eq!(tty.wait_exit(), Some(status), "{keys:?}");
    }
}

#[test]
fn modes_that_a_dead_program_left_on_are_switched_off() {
    let server = Server::start(&[]);
    let mut tty = sit_down(server.address);
    for mode in ["[?1000l", "[?1002l", "[?1003l", "[?1006l", "[?1015l", "[>u"] {
        assert!(tty.raw().contains(&format!("\x1b{mode}")), "{mode} in {:?}", tty.raw());
    }
    tty.send("\x04");
    tty.wait_exit();
    let raw = tty.raw();
    for (on, off) in [("[?2004h", "[?2004l"), ("[?1004h", "[?1004l"), ("[?7l", "[?7h")] {
        assert!(raw.rfind(off) > raw.rfind(on), "{on} in {raw:?}");
    }
}

#[test]
fn paste_without_marks_stays_what_it_was() {
    let lines = ["def f(b):", "\tif b:", "", "\t\treturn 1", "b\t= 2", "/quit"];
    for end in ["\r", "\r\n", "\n"] {
        let server = Server::start(&[]);
        let mut bia = server.member("bia");
        let tty = sit_down(server.address);
        bia.reads("User ana joined.");
        bia.says("MSG oi");
        hears(&tty, "bia  oi");
        bia.reads("FROM bia [all]: oi");
        tty.send(lines.join(end) + end);
        for line in lines {
            let said = bia.line();
            let text = said.strip_prefix("FROM ana [all]: ").expect("it is said to all");
            assert!(text == line || line.is_empty() && text.trim() == "\u{2800}", "{said:?}");
        }
        bia.reads_nothing_more();
    }
}

#[test]
fn line_ends_of_all_kinds_end_pasted_lines() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("\x1b[200~a\x0bb\x0cc\u{85}d\u{2028}e\u{2029}f\r\ng\x1b[201~");
    tty.wait("the end of the draft", |screen| {
        screen.contains("ana> (7 lines)") && screen.ends_with("\ne\nf\ng")
    });
    tty.send("\r");
    for text in ["a", "b", "c", "d", "e", "f", "g"] {
        joao.reads(format!("FROM ana [all]: {text}"));
    }
}

#[test]
fn escape_in_a_paste_is_dropped_alone() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    tty.send("\x1b[200~a\x1b[31mb\x1b]0;c\x07\x1b[201\x1b[201~");
    wait_for_draft(&tty, "a[31mb]0;c[201");
}

#[test]
fn paste_without_an_end_is_over_after_a_second_or_ctrl_c() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    tty.send("\x1b[200~colado");
    wait_for_draft(&tty, "colado");
    tty.send("!");
    wait_for_draft(&tty, "colado!");
    tty.send("\x15");
    wait_for_draft(&tty, "");
    tty.send("\x1b[200~colado");
    tty.send("\x03");
    tty.send("x");
    wait_for_draft(&tty, "x");
}

#[test]
fn bytes_that_are_no_text_are_left_out_and_named() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    tty.send(b"\xff\xfe\x00a\r/quit\r");
    tty.wait("the notice", |screen| screen.contains("not UTF-8") && holds(screen, "rascunho"));
    tty.send("\r");
    joao.reads("FROM ana [all]: rascunho");
}

#[test]
fn search_finds_an_earlier_line_while_the_chat_goes_on() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for line in ["primeira", "segunda", "terceira"] {
        tty.enters(line);
        joao.reads(format!("FROM ana [all]: {line}"));
    }
    tty.send("\x12eira");
    tty.wait("the last one", |screen| last(screen) == "(search) eira: terceira");
    joao.says("MSG enquanto isso");
    tty.wait("the line above", |screen| {
        screen.contains("joao  enquanto isso") && last(screen) == "(search) eira: terceira"
    });
    tty.send("\x12");
    tty.wait("the one before", |screen| last(screen) == "(search) eira: primeira");
    tty.send("\r");
    joao.reads("FROM joao [all]: enquanto isso");
    joao.reads("FROM ana [all]: primeira");
    wait_for_draft(&tty, "");
}

#[test]
fn draft_waits_until_the_history_is_left() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    for line in ["um", "dois"] {
        tty.enters(line);
        hears(&tty, &format!("ana  {line}"));
    }
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    for (keys, text) in [
        ("\x1b[A", "dois"),
        ("!", "dois!"),
        ("\x1b[A", "um"),
        ("\x03", ""),
        ("\x1b[B", "dois!"),
        ("\x15", ""),
        ("\x1b[B", "rascunho"),
    ] {
        tty.send(keys);
        wait_for_draft(&tty, text);
    }
    tty.send("\x1b[A\r");
    hears(&tty, "ana  dois");
    tty.send("\x1b[B");
    wait_for_draft(&tty, "rascunho");
}

/// Does not look at the window any more, which is known before the next key.
#[track_caller]
fn look_away(tty: &crate::tty::Tty) {
    tty.send("\x1b[Ox");
    wait_for_draft(tty, "x");
    tty.send("\x15");
    wait_for_draft(tty, "");
}

/// The title that counts calls.
fn title(count: usize) -> String {
    format!("\x1b]2;({count}) minichat\x1b\\")
}

#[test]
fn title_counts_calls_while_the_window_is_not_looked_at() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut tty = sit_down(server.address);
    joao.says("MSG ana, antes");
    hears(&tty, "joao  ana, antes");
    look_away(&tty);
    joao.says("MSG nada");
    joao.says("MSG ana, olha");
    tty.wait_raw("the first call", |raw| raw.contains(&title(1)));
    joao.says("MSG @ana psst");
    tty.wait_raw("the second call", |raw| raw.contains(&title(2)));
    tty.send("\x1b[I");
    tty.wait_raw("the old title", |raw| raw.contains("\x1b[23;2t"));
    assert!(!tty.raw().contains(&title(3)) && !tty.raw().contains("\x1b]9"));
    look_away(&tty);
    joao.says("MSG @ana e agora?");
    tty.wait_raw("the first call again", |raw| raw.matches(&title(1)).count() == 2);
    tty.send("\x04");
    assert_eq!(tty.wait_exit(), Some(0));
    assert_eq!(tty.raw().matches("\x1b[23;2t").count(), 2, "the title is given back");
}

#[test]
fn terminal_that_can_notifies_if_that_is_wanted() {
    for (term, options, expected) in [
        ("xterm-kitty", &["--notify"][..], "\x1b]99;;minichat: bia: ana, "),
        ("foot", &["--notify"], "\x1b]777;notify;minichat: bia;ana, "),
        ("foot", &[], ""),
        ("xterm-256color", &["--notify"], ""),
    ] {
        let door = StandIn::open();
        let options = [&["--nick", "ana"], options].concat();
        let tty = start(door.address, SIZES[0], &options, &[("TERM", term)]);
        let mut server = door.caller();
        let_in(&mut server, "ana, bia");
        ready(&tty);
        look_away(&tty);
        server.says("FROM bia [all]: ana, \x1b\\\x07\u{9c}\x1b]52;c;aGk=\x07");
        tty.wait_raw("the call", |raw| raw.contains(&title(1)));
        tty.wait("the line", |screen| screen.contains("bia  ana,"));
        let raw = tty.raw();
        let notified = ["\x1b]9;", "\x1b]99;", "\x1b]777;"].iter().any(|osc| raw.contains(osc));
        assert_eq!(notified, !expected.is_empty(), "{term} {options:?}");
        if let Some(at) = raw.find(expected).filter(|_| notified) {
            let rest = &raw[at + expected.len()..];
            let text = &rest[..rest.find("\x1b\\").expect("it has an end")];
            assert!(!text.contains(char::is_control) && text.contains("]52;c;aGk="), "{text:?}");
        }
        assert!(!raw.contains("\x1b]52"), "{raw:?}");
    }
}
