//! Connections that die without a word, as the client sees them.

use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::{Host, Lan, on_a_lan};
use crate::harness::{GREETING, Peer, Running, minichat, run};
use crate::tty::{Tty, last};

/// A client notices in this time that its lines are not acknowledged.
const WITH_TRAFFIC: Duration = Duration::from_secs(40);
/// It notices in this time that the server is gone, though nothing is said.
const WITHOUT: Duration = Duration::from_secs(130);
/// It is back in this time when the network is.
const BACK: Duration = Duration::from_secs(3);

/// How a client is started, where the server is, and what its person or program sees.
struct Case<'a> {
    options: &'a [&'a str],
    address: &'a str,
    /// The client has a terminal.
    terminal: bool,
    /// Something is said when the cable is out.
    says: bool,
}

/// Something that prints lines, on a terminal or not.
enum Client {
    Terminal(Box<Tty>),
    Pipe(Box<Running>),
}

impl Client {
    fn start(lan: &Lan, case: &Case<'_>, nick: &str) -> Client {
        let mut command = minichat();
        command.args(["connect", case.address, "--nick", nick]).args(case.options);
        let here = lan.host(2);
        let mut client = here.inside(|| match case.terminal {
            true => Client::Terminal(Box::new(Tty::launch(80, 24, &mut command))),
            false => Client::Pipe(Box::new(Running::start(command.stdin(Stdio::piped())))),
        });
        match &mut client {
            Client::Terminal(tty) => {
                tty.wait("the prompt", |screen| last(screen) == format!("{nick}>"));
            }
            Client::Pipe(process) => _ = process.stdout.find("welcome"),
        }
        client
    }

    fn says(&mut self, text: &str) {
        match self {
            Client::Terminal(tty) => tty.send(format!("{text}\r")),
            Client::Pipe(process) => process.type_in(format!("{text}\n")),
        }
    }

    #[track_caller]
    fn shows(&mut self, text: &str, event: &str, limit: Duration) {
        let end = Instant::now() + limit;
        match self {
            Client::Terminal(tty) => {
                tty.wait_within(limit, text, |screen| screen.contains(text));
            }
            Client::Pipe(process) => loop {
                let left = end.saturating_duration_since(Instant::now());
                let line = process.stdout.next_within(left).expect("it goes on");
                if line.contains(event) {
                    break;
                }
            },
        }
    }

    #[track_caller]
    fn names_unheard(&mut self, text: &str) {
        let expected = format!("perhaps nobody heard: {text}");
        match self {
            Client::Terminal(tty) => tty.wait("the line", |screen| screen.contains(&expected)),
            Client::Pipe(process) => _ = process.stderr.find(&expected),
        }
    }
}

/// Pulls the cable of the server, waits until every client has noticed, puts it back in
/// and waits until every client is back.
#[track_caller]
fn pull_the_cable(lan: &Lan, cases: &[Case<'_>], limit: Duration) {
    let _server = lan.host(1).server(&["--no-mdns"]);
    let mut clients: Vec<Client> =
        cases.iter().map(|case| Client::start(lan, case, "ana")).collect();
    lan.cable(1, "down");
    let pulled = Instant::now();
    for (client, case) in clients.iter_mut().zip(cases) {
        if case.says {
            client.says("anybody there?");
        }
    }
    thread::scope(|scope| {
        for (client, case) in clients.iter_mut().zip(cases) {
            scope.spawn(move || {
                client.shows("connection lost", "lost", limit.saturating_sub(pulled.elapsed()));
                if case.says {
                    client.names_unheard("anybody there?");
                }
            });
        }
    });
    // The server has not noticed where it has nothing to say. The client is between two attempts, or in the middle of one.
    thread::sleep(Duration::from_millis(1700));
    lan.cable(1, "up");
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || client.shows("back, as ana", "back", BACK));
        }
    });
}

#[test]
fn client_notices_that_its_lines_are_not_acknowledged() {
    on_a_lan(2, |lan| {
        for address in ["10.77.0.1", "fd77::1"] {
            let cases = [Case { options: &[], address, terminal: true, says: true }];
            pull_the_cable(lan, &cases, WITH_TRAFFIC);
            let options = &["--stay", "--json"];
            let cases = [Case { options, address, terminal: false, says: true }];
            pull_the_cable(lan, &cases, WITH_TRAFFIC);
        }
    });
}

#[test]
fn client_notices_the_same_without_the_help_of_the_kernel() {
    on_a_lan(2, |lan| {
        let server = lan.host(1).server(&["--no-mdns"]);
        let ana = lan.host(2).inside(|| {
            let mut command = minichat();
            command
                .args(["connect", "10.77.0.1", "--nick", "ana"])
                .env("MINICHAT_NO_TCP_INFO", "1");
            Tty::launch(80, 24, &mut command)
        });
        ana.wait("the prompt", |screen| last(screen) == "ana>");
        lan.cable(1, "down");
        ana.send("anybody there?\r");
        ana.wait_within(WITH_TRAFFIC, "the notice", |screen| {
            screen.contains("connection lost")
                && screen.contains("perhaps nobody heard: anybody there?")
        });
        drop(server);
    });
}

#[test]
fn person_whose_nick_meets_a_dead_link_gets_in_later() {
    on_a_lan(2, |lan| {
        for address in ["10.77.0.1", "fd77::1"] {
            let _server = lan.host(1).server(&["--no-mdns"]);
            let person = lan.host(2).inside(|| {
                let mut command = minichat();
                command.args(["connect", address, "--timeout", "2"]);
                Tty::launch(80, 24, &mut command)
            });
            person.wait("the question", |screen| last(screen).starts_with("Nickname"));
            lan.cable(1, "down");
            person.send("\x15ana\r");
            person.wait_within(WITH_TRAFFIC, "the notice", |screen| {
                screen.contains("connection lost; trying again")
            });
            lan.cable(1, "up");
            person.wait_within(BACK, "the prompt", |screen| last(screen) == "ana>");
        }
    });
}

#[test]
fn client_notices_a_dead_link_to_a_server_that_was_full() {
    on_a_lan(2, |lan| {
        let much = std::env::temp_dir().join(format!("minichat-{}", std::process::id()));
        std::fs::write(&much, format!("{}\n", "x".repeat(1000)).repeat(12_000)).expect("it fits");
        let listener = lan.host(1).inside(|| TcpListener::bind("10.77.0.1:9000"));
        let listener = listener.expect("the port is free");
        let here = lan.host(2);
        for blind in ["", "1"] {
            let input = std::fs::File::open(&much).expect("it is there");
            let (mut client, _peer) =
                joined(here, &listener, &["--stay", "--json"], input.into(), blind);
            // The kernel asks for room.
            let begin = Instant::now();
            let sockets = || here.inside(|| run(std::process::Command::new("ss").arg("-Htno"), ""));
            while !sockets().stdout.contains("timer:(persist") {
                assert!(begin.elapsed() < WITH_TRAFFIC, "the server is never full");
                thread::sleep(Duration::from_millis(50));
            }
            lan.cable(1, "down");
            let deadline = Instant::now() + WITH_TRAFFIC;
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let line = client.stdout.next_within(left).expect("it goes on");
                if line.contains("lost") {
                    break;
                }
            }
            drop(client);
            lan.cable(1, "up");
        }
        std::fs::remove_file(&much).ok();
    });
}

/// A client that a stand-in for the server lets in, and the stand-in. A client that is
/// `blind` is not told by the kernel what was acknowledged.
fn joined(
    here: &Host,
    listener: &TcpListener,
    options: &[&str],
    input: Stdio,
    blind: &str,
) -> (Running, Peer) {
    let mut client = here.inside(|| {
        let mut command = minichat();
        command.args(["connect", "10.77.0.1", "--nick", "ana"]).args(options).stdin(input);
        if !blind.is_empty() {
            command.env("MINICHAT_NO_TCP_INFO", blind);
        }
        Running::start(&mut command)
    });
    let mut peer = Peer::of_client(listener.accept().expect("it comes").0);
    peer.says("OK welcome ana");
    client.stdout.find("welcome");
    (client, peer)
}

#[test]
fn private_line_is_named_if_the_link_was_dead() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--no-mdns"]);
        let mut bia = lan.host(1).inside(|| {
            let mut command = minichat();
            command.args(["connect", "10.77.0.1", "--nick", "bia"]);
            Running::start(command.stdin(Stdio::piped()))
        });
        bia.stdout.find("welcome");
        let options = &["--stay"];
        let cases = [("10.77.0.1", true), ("fd77::1", true), ("10.77.0.1", false)];
        let cases =
            cases.map(|(address, terminal)| Case { options, address, terminal, says: true });
        let nicks = ["ana", "eva", "rui"];
        let mut clients: Vec<Client> =
            cases.iter().zip(nicks).map(|(case, nick)| Client::start(lan, case, nick)).collect();
        for client in &mut clients {
            client.says("@bia before");
            bia.stdout.find("before");
        }
        // Its line brings the acknowledgement, which may be delayed.
        bia.type_in("thanks\n");
        for client in &mut clients {
            match client {
                Client::Terminal(tty) => tty.wait("the line", |screen| screen.contains("thanks")),
                Client::Pipe(process) => _ = process.stdout.find("thanks"),
            }
        }
        lan.cable(1, "down");
        for client in &mut clients {
            client.says("@bia behind");
        }
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(move || {
                    client.shows("connection lost", "lost", WITH_TRAFFIC);
                    client.names_unheard("@bia behind");
                    if let Client::Terminal(tty) = client {
                        assert!(!tty.screen().contains("heard: @bia before"), "{}", tty.screen());
                    }
                });
            }
        });
    });
}

#[test]
fn script_whose_last_line_meets_a_dead_link_has_failed() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--no-mdns"]);
        let mut bia = lan.host(1).minichat(&["connect", "10.77.0.1", "--nick", "bia", "--stay"]);
        bia.stdout.find("welcome");
        let cases = [("", "said"), ("", "@bia told"), ("1", "said"), ("1", "@bia told")];
        let mut nicks = 1..;
        let mut bots = cases.map(|(blind, _)| {
            let mut command = minichat();
            let nick = format!("bot{}", nicks.next().expect("there is one more"));
            command.args(["connect", "10.77.0.1", "--nick", &nick]);
            if !blind.is_empty() {
                command.env("MINICHAT_NO_TCP_INFO", blind);
            }
            let start = || Running::start(command.stdin(Stdio::piped()));
            let mut bot = lan.host(2).inside(start);
            bot.stdout.find("welcome");
            bot
        });
        lan.cable(1, "down");
        for (bot, (_, line)) in bots.iter_mut().zip(cases) {
            bot.type_in(format!("{line}\n"));
            bot.end_input();
        }
        for (bot, (_, line)) in bots.iter_mut().zip(cases) {
            bot.stderr.find(&format!("perhaps nobody heard: {line}"));
            assert_eq!(bot.wait().code(), Some(1), "{line}");
        }
    });
}

/// It takes more than two minutes: run it with `--ignored`.
#[test]
#[ignore = "takes more than two minutes"]
fn quiet_client_notices_that_the_server_is_gone() {
    on_a_lan(2, |lan| {
        for address in ["10.77.0.1", "fd77::1"] {
            let cases = [Case { options: &["--stay"], address, terminal: false, says: false }];
            pull_the_cable(lan, &cases, WITHOUT);
        }
        let cases = [Case { options: &[], address: "10.77.0.1", terminal: true, says: false }];
        pull_the_cable(lan, &cases, WITHOUT);
    });
}

#[test]
fn kernel_asks_a_silent_server_whether_it_is_there() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--no-mdns"]);
        for options in [&["--nick", "a"][..], &["--raw"], &["--nick", "b", "--stay", "--json"]] {
            let here = lan.host(2);
            let arguments = [&["connect", "10.77.0.1"], options].concat();
            let mut client = here.minichat(&arguments);
            if options[0] == "--raw" {
                client.stdout.find(GREETING);
            } else {
                client.stdout.find("welcome");
            }
            let output = here.inside(|| run(std::process::Command::new("ss").arg("-Htno"), ""));
            assert!(output.stdout.contains("timer:(keepalive,"), "{output:?}");
        }
    });
}

/// It takes a minute: run it with `--ignored`.
#[test]
#[ignore = "takes a minute"]
fn server_that_reads_nothing_for_a_while_is_not_taken_for_dead() {
    on_a_lan(2, |lan| {
        let listener = lan.host(1).inside(|| TcpListener::bind("10.77.0.1:9000"));
        let listener = listener.expect("the port is free");
        let here = lan.host(2);
        let mut peers = Vec::new();
        let mut clients = ["", "1"].map(|blind| {
            let (client, peer) = joined(here, &listener, &[], Stdio::piped(), blind);
            peers.push(peer);
            client
        });
        // The client reads on only when it can send: its input is a pipe that fills.
        let lines = 6000;
        let text = "x".repeat(1000);
        thread::scope(|scope| {
            for client in &mut clients {
                let text = &text;
                scope.spawn(move || (0..lines).for_each(|_| client.type_in(format!("{text}\n"))));
            }
            // Longer than a dead connection would live.
            thread::sleep(WITH_TRAFFIC + Duration::from_secs(5));
            for peer in &mut peers {
                peer.reads("NICK ana");
                (0..lines).for_each(|_| peer.reads(format!("MSG {text}")));
            }
        });
    });
}

#[test]
fn search_for_servers_ends_when_its_reader_goes() {
    on_a_lan(1, |lan| {
        for options in [&["--watch"][..], &["--watch", "--json"], &["--timeout", "3600"]] {
            let (reader, writer) = std::io::pipe().expect("a pipe can be made");
            let mut command = minichat();
            command.arg("discover").args(options).stdin(Stdio::null());
            let mut search =
                lan.host(1).inside(|| Running::start_into(&mut command, writer, Stdio::piped()));
            drop((command, reader));
            assert_eq!(search.wait().code(), Some(0), "with {options:?}");
        }
    });
}

#[test]
fn client_looks_for_a_server_as_long_as_it_was_told() {
    on_a_lan(2, |lan| {
        let timeout = Duration::from_millis(4500);
        for target in [&[][..], &["Sala 3"]] {
            let begin = Instant::now();
            let output = lan.host(2).tries(&[&["--timeout", "4.5"], target].concat());
            assert_eq!(output.status, Some(3), "{output:?}");
            assert!(begin.elapsed() >= timeout, "{:?}", begin.elapsed());
        }
        let here = lan.host(2);
        let mut bot = here.minichat(&["connect", "--timeout", "60", "--nick", "bot"]);
        thread::sleep(timeout);
        let _server = lan.host(1).server(&[]);
        bot.stdout.find("welcome");
    });
}
