//! Rooms that a member's program carries.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Host, on_a_lan};
use crate::harness::{GREETING, PATIENCE, Peer, minichat, run};
use crate::tty::{Tty, last};

const QUESTION: &str = "Nobody has a room here. Open one? [Y/n]";
const OPENED: &str = "* You have opened a room: ";

/// Waits until the program asks whether to open a room.
#[track_caller]
fn is_asked(tty: &Tty) {
    tty.wait("the question", |screen| last(screen) == QUESTION);
}

/// Opens a room there as ana, without a question.
#[track_caller]
fn opens(host: &Host, arguments: &[&str]) -> Tty {
    let tty = host.terminal(&[&["--host", "--nick", "ana"], arguments].concat());
    tty.wait("the prompt", |screen| last(screen) == "ana>");
    tty
}

/// A member there that talks as `nc` would.
fn member(host: &Host, address: &str, nick: &str) -> Peer {
    let mut peer = host.inside(|| Peer::connect(address.parse().expect("it is one")));
    peer.reads(GREETING);
    peer.says(format!("NICK {nick}"));
    peer.reads(format!("OK welcome {nick}"));
    peer
}

#[test]
fn person_opens_a_room_and_others_join_it() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let mut ana = there.terminal(&["--nick", "ana"]);
        is_asked(&ana);
        ana.send("\r");
        ana.wait("the prompt", |screen| last(screen) == "ana>");
        let screen = ana.screen();
        for told in [
            OPENED,
            "Others just type: minichat",
            "  minichat connect 10.77.0.1",
            "  nc 10.77.0.1 9000",
            "  http://10.77.0.1:9080/",
        ] {
            assert!(screen.contains(told), "{told}: {screen}");
        }
        here.sees(&["minichat"]);
        let found = here.discover(&["--json"]).stdout;
        let found: Value = serde_json::from_str(&found).expect("one object");
        assert_eq!((&found["hosted"], &found["port"]), (&true.into(), &9000.into()));
        assert_eq!(found["id"].as_str().map(str::len), Some(8));
        assert!(here.discover(&[]).stdout.starts_with("minichat\t10.77.0.1:9000\t"));

        let bia = here.terminal(&["--no-host", "--nick", "bia"]);
        bia.wait("the prompt", |screen| last(screen) == "bia>");
        let screen = bia.screen();
        assert!(screen.contains("* joining minichat (10.77.0.1:9000)"), "{screen}");
        assert!(screen.contains("* This room lives on the machines of its members"), "{screen}");
        assert!(!ana.screen().contains("* This room lives"), "the host knows that");
        ana.wait("bia", |screen| screen.contains("+ bia joined"));
        bia.send("oi\r");
        ana.wait("the line", |screen| screen.contains("bia  oi"));
        ana.send("olá\r");
        bia.wait("the answer", |screen| screen.contains("ana  olá"));

        // A program that is stopped would hold up all the others.
        ana.send("\x1a");
        ana.wait("the word on it", |screen| screen.contains("would stand still"));
        bia.send("ainda?\r");
        ana.wait("the line", |screen| screen.contains("bia  ainda?"));

        ana.wait("the warning", |screen| screen.contains("* If you leave, the room ends"));
        ana.send("/quit\r");
        assert_eq!(ana.wait_exit(), Some(0));
        bia.wait("the end", |screen| screen.contains("connection lost"));
        let mut watch = here.watch();
        let none = here.discover(&["--timeout", "1"]);
        assert_eq!(none.status, Some(3), "the advert is gone: {}", none.stdout);
        watch.signal("INT");
        watch.wait();
    });
}

#[test]
fn answer_decides_whether_a_room_is_opened() {
    on_a_lan(1, |lan| {
        let here = lan.host(1);
        // A tall terminal, because a code to scan is shown.
        let tall = |language| {
            let mut command = minichat();
            Tty::launch(80, 50, command.args(["--nick", "ana"]).env("LANG", language))
        };
        for (answer, status) in [("n\r", 3), ("No\r", 3), ("\x04", 3), ("\x03", 130)] {
            let mut ana = here.terminal(&["--nick", "ana"]);
            is_asked(&ana);
            ana.send(answer);
            assert_eq!(ana.wait_exit(), Some(status), "{answer:?}");
            assert!(!ana.screen().contains(OPENED), "{answer:?}");
        }
        let tty = here.inside(|| tall("pt_BR.UTF-8"));
        let question = "Ninguém tem uma sala aqui. Abrir uma? [S/n]";
        tty.wait("the question", |screen| last(screen) == question);
        tty.send("talvez\r");
        tty.send("sim\r");
        tty.wait("the prompt", |screen| last(screen) == "ana>");
        assert!(tty.screen().contains("* Você abriu uma sala"), "{}", tty.screen());
    });
}

#[test]
fn room_is_opened_only_for_a_person_who_names_no_server() {
    on_a_lan(1, |lan| {
        let here = lan.host(1);
        for arguments in [
            &["--no-host", "--timeout", "1"][..],
            &["--auto", "--timeout", "1"],
            &["connect", "--json", "--timeout", "1"],
            &["connect", "Sala 3", "--timeout", "1"],
        ] {
            let mut tty = here.terminal(&[arguments, &["--nick", "ana"]].concat());
            assert_eq!(tty.wait_exit(), Some(3), "{arguments:?}: {}", tty.screen());
            assert!(!tty.screen().contains(QUESTION), "{arguments:?}");
        }
        // In a pipe.
        let output = here.tries(&["--host", "--timeout", "1"]);
        assert_eq!((output.status, &*output.stdout), (Some(3), ""));
    });
}

#[test]
fn room_that_shows_while_a_person_thinks_is_joined() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let bia = here.terminal(&["--nick", "bia"]);
        is_asked(&bia);
        let ana = opens(there, &[]);
        bia.wait("the prompt", |screen| last(screen) == "bia>");
        ana.wait("bia", |screen| screen.contains("+ bia joined"));
    });
}

#[test]
fn named_room_is_another_room() {
    on_a_lan(3, |lan| {
        let [first, second, third] = [lan.host(1), lan.host(2), lan.host(3)];
        let _ana = opens(first, &[]);
        third.sees(&["minichat"]);
        // The first room has another name.
        let bia = second.terminal(&["--name", "Turma 2", "--nick", "bia"]);
        is_asked(&bia);
        bia.send("y\r");
        bia.wait("the prompt", |screen| last(screen) == "bia>");
        third.sees(&["minichat", "Turma 2"]);
        let rui = third.terminal(&["--name", "turma 2", "--nick", "rui"]);
        rui.wait("the prompt", |screen| last(screen) == "rui>");
        bia.wait("rui", |screen| screen.contains("+ rui joined"));
    });
}

#[test]
fn server_comes_before_a_hosted_room() {
    on_a_lan(3, |lan| {
        let [first, second, third] = [lan.host(1), lan.host(2), lan.host(3)];
        let _ana = opens(first, &["--name", "A"]);
        let _server = second.server(&["--name", "B"]);
        third.sees(&["A", "B"]);
        let said = third.joins(&["--auto"]);
        assert!(said.contains("joining B"), "{said}");
    });
}

#[test]
fn room_says_goodbye_however_its_host_leaves() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        for (signal, status) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
            let mut ana = opens(there, &[]);
            let mut nc = member(here, "10.77.0.1:9000", "rui");
            ana.process.signal(signal);
            nc.skips_to("FROM server [all]: the server is stopping; goodbye");
            nc.reads("BYE");
            nc.ends();
            drop(nc);
            assert_eq!(ana.wait_exit(), Some(status), "SIG{signal}");
        }
    });
}

#[test]
fn busy_port_moves_the_room() {
    on_a_lan(1, |lan| {
        let here = lan.host(1);
        let _server = here.server(&["--no-mdns", "--name", "x"]);
        let ana = opens(here, &[]);
        let screen = ana.screen();
        assert!(screen.contains(OPENED) && !screen.contains("10.77.0.1 9000"), "{screen}");
        assert!(here.discover(&[]).stdout.starts_with("minichat\t10.77.0.1:"));
    });
}

#[test]
fn room_that_does_not_answer_keeps_no_other_from_opening() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let _ana = opens(there, &[]);
        here.sees(&["minichat"]);
        there.nft(
            "table inet wall {
            chain input { type filter hook input priority 0; tcp dport 9000 drop; }
        }",
        );
        let bia = here.terminal(&["--nick", "bia"]);
        bia.wait_within(4 * PATIENCE, "the question", |screen| last(screen) == QUESTION);
        assert!(bia.screen().contains("nobody answers"), "{}", bia.screen());
        bia.send("\r");
        bia.wait("the prompt", |screen| last(screen) == "bia>");
        assert!(bia.screen().contains(OPENED), "{}", bia.screen());
    });
}

/// Five members and nothing to say: how often the network and the processors hear of it.
#[test]
#[ignore = "it takes a minute and a half, and a machine that does nothing else"]
fn idle_room_of_five_is_quiet() {
    on_a_lan(5, |lan| {
        let ana = opens(lan.host(1), &[]);
        lan.host(2).sees(&["minichat"]);
        let others: Vec<Tty> = (2..=5)
            .map(|n| {
                let nick = format!("m{n}");
                let tty = lan.host(n).terminal(&["--nick", &nick]);
                tty.wait("the prompt", |screen| last(screen) == format!("{nick}>"));
                tty
            })
            .collect();
        lan.switch.nft(
            "table bridge count {
                counter mdns { }
                chain pass { type filter hook forward priority 0;
                    udp dport 5353 counter name mdns; }
            }",
        );
        // The packets of the last arrival are over by then.
        thread::sleep(Duration::from_secs(20));
        assert_eq!(lan.host(2).discover(&[]).status, Some(0));
        thread::sleep(Duration::from_secs(5));
        let packets = || {
            let list = ["list", "counter", "bridge", "count", "mdns"];
            let output = lan.switch.inside(|| run(Command::new("nft").args(list), ""));
            let mut count = output.stdout.split_whitespace().skip_while(|word| *word != "packets");
            count.nth(1).and_then(|count| count.parse::<u64>().ok()).expect("it is counted")
        };
        let all: Vec<&Tty> = [&ana].into_iter().chain(&others).collect();
        let worked = |tty: &Tty| tty.process.ticks().expect("it runs");
        let before: Vec<u64> = all.iter().map(|tty| worked(tty)).collect();
        let first = packets();
        assert!(first > 0, "the question and the answer are counted");
        thread::sleep(Duration::from_secs(60));
        let sent = packets() - first;
        let work = all.iter().zip(before).map(|(tty, before)| worked(tty) - before);
        let work: Vec<u64> = work.collect();
        eprintln!("{sent} packets a minute; hundredths of a second of work: {work:?}");
        // Each is sent on to four ports, and as IPv4 and IPv6.
        assert!(sent <= 10 * 4 * 2, "{sent}");
        // That is 0.1 %; a program that is built for tests works three times as long.
        let most = if cfg!(debug_assertions) { 18 } else { 6 };
        assert!(work.iter().all(|ticks| *ticks <= most), "{work:?}");
    });
}
