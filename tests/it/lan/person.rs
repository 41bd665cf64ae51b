//! A person at a terminal, on a network.

use super::{Host, on_a_lan};
use crate::harness::minichat;
use crate::tty::{Tty, draft, last};

impl Host {
    /// Starts the program there, in a terminal.
    pub fn terminal(&self, arguments: &[&str]) -> Tty {
        self.terminal_of(80, arguments)
    }

    fn terminal_of(&self, columns: u16, arguments: &[&str]) -> Tty {
        self.inside(|| Tty::launch(columns, 24, minichat().args(arguments).env("USER", "pedro")))
    }

    /// Starts the program there until it asks which server is meant. On a busy machine one
    /// of several may answer too late to be in the list.
    #[track_caller]
    fn asked(&self, columns: u16, arguments: &[&str]) -> Tty {
        let asks = |screen: &str| last(screen) == "Which one? [1]";
        for _ in 0..10 {
            let tty = self.terminal_of(columns, arguments);
            let joins = |screen: &str| screen.contains("* joining ");
            tty.wait("the question", |screen| asks(screen) || joins(screen));
            if asks(&tty.screen()) {
                return tty;
            }
        }
        panic!("it never asks");
    }
}

/// A person leaves, so that the nick is free.
fn leaves(mut tty: Tty) {
    tty.send("/quit\r");
    assert_eq!(tty.wait_exit(), Some(0));
}

#[test]
fn client_finds_a_moved_server_by_its_name() {
    on_a_lan(3, |lan| {
        let [first, second, here] = [lan.host(1), lan.host(2), lan.host(3)];
        let old = first.server(&["--name", "Sala 3"]);
        for arguments in [&["--nick", "ana"][..], &["Sala 3", "--nick", "bia"]] {
            let ana = here.terminal(&[&["connect"], arguments].concat());
            let nick = arguments.last().expect("the nick is the last of them");
            let prompt = format!("{nick}>");
            ana.wait("the prompt", |screen| last(screen) == prompt);
            leaves(ana);
        }
        let ana = here.terminal(&["connect", "--auto", "--nick", "ana"]);
        ana.wait("the prompt", |screen| last(screen) == "ana>");
        ana.send("a draft");
        drop(old);
        ana.wait("the notice", |screen| screen.contains("connection lost"));

        // Another port of the same host, and then another host.
        let other = first.server(&["--name", "Sala 3", "--port", "9007"]);
        ana.wait("the way back", |screen| screen.contains("back, as ana, at 10.77.0.1:9007"));
        drop(other);
        ana.wait("the notice", |screen| screen.matches("connection lost").count() == 2);
        let mut third = second.server(&["--name", "Sala 3", "--port", "9008"]);
        ana.wait("the way back", |screen| screen.matches("back, as ana").count() == 2);
        let elsewhere = "back, as ana, at 10.77.0.2:9008";
        ana.wait("where it is", |screen| screen.contains(elsewhere));
        ana.wait("the draft", |screen| draft(screen, "ana>").as_deref() == Some("a draft"));
        third.stdout.find(" + ana 10.77.0.3 ");
        // The same client is there, and what it was typing is said there.
        let mut peer = second.minichat(&["connect", "127.0.0.1:9008", "--nick", "joao"]);
        ana.wait("joao", |screen| screen.contains("+ joao joined"));
        ana.send("\r");
        peer.stdout.find("\tmessage\tana\ta draft");
        let screen = ana.screen();
        assert_eq!(screen.matches("Encrypted, for the first time here.").count(), 1, "{screen}");
    });
}

#[test]
fn of_several_servers_a_person_chooses_one() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let _arte = there.server(&["--name", "Arte", "--port", "9001"]);
        let _redes = there.server(&["--name", "Redes", "--port", "9002"]);
        here.sees(&["Arte", "Redes"]);
        for (answers, joined) in
            [("\r", "Arte"), ("2\r", "Redes"), ("7\rx\r2\r", "Redes"), ("redes\r", "Redes")]
        {
            let ana = here.asked(80, &["connect", "--nick", "ana"]);
            let list = ana.screen();
            assert!(list.contains("  1  Arte  10.77.0.1:9001"), "{list}");
            assert!(list.contains("  2  Redes  10.77.0.1:9002  "), "{list}");
            // Those of the last round may still be counted.
            let counted = ["nobody yet", "1 person", "people"];
            assert!(
                list.lines().filter(|row| counted.iter().any(|it| row.ends_with(it))).count() == 2
            );
            ana.send(answers);
            let wrong = answers.starts_with('7');
            ana.wait("what is wrong", |screen| {
                !wrong
                    || screen
                        .contains("* \"x\" is none of them: type a number from 1 to 2, or a name")
            });
            ana.wait("the prompt", |screen| last(screen) == "ana>");
            assert!(ana.screen().contains(&format!("joining {joined} (10.77.0.1:900")));
            leaves(ana);
        }
        let mut ana = here.asked(80, &["connect"]);
        ana.send("\x03");
        assert_eq!(ana.wait_exit(), Some(130));
    });
}

#[test]
fn title_of_a_server_forges_no_row() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let titles =
            ["A", "B"].map(|first| format!("{first}{} 2  Redes  10.0.0.9", ".".repeat(39)));
        let _servers =
            titles.each_ref().map(|title| there.server(&["--port", "0", "--name", title]));
        here.sees(&titles.each_ref().map(String::as_str));
        for (arguments, shown) in [
            (&["discover"][..], "VERSION"),
            (&["discover", "--watch"], "+ B"),
            (&["connect", "--nick", "ana"], "Which one? [1]"),
            (&["connect", "A"], "Nickname"),
        ] {
            let asks = shown.starts_with("Which");
            let tty =
                if asks { here.asked(40, arguments) } else { here.terminal_of(40, arguments) };
            tty.wait("the list", |screen| screen.contains(shown) && screen.contains("Redes"));
            let rows = tty.rows();
            assert!(!rows.iter().any(|row| row.starts_with(['2', 'R', '.'])), "{rows:#?}");
            assert!(!rows.iter().any(|row| row.starts_with(" 2 ")), "{rows:#?}");
        }
    });
}

#[test]
fn ctrl_c_ends_the_wait_for_a_server() {
    on_a_lan(1, |lan| {
        let mut ana = lan.host(1).terminal(&["connect", "--timeout", "60"]);
        ana.wait("the search", |screen| screen.contains("Looking for a server..."));
        ana.send("\x03");
        assert_eq!(ana.wait_exit(), Some(130));
    });
}
