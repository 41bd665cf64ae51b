//! How it ends: for the server, for clients without a nick, and for
//! clients that do not read.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use crate::harness::minichat_after;
use crate::harness::{Finally, PATIENCE, Peer, Server, minichat, part};
use crate::signals;

#[test]
fn everyone_is_told_goodbye_before_the_server_stops() {
    for (signal, _) in signals::ALL {
        let server = Server::start(&[]);
        let [ana, joao] = server.members(["ana", "joao"]);
        let guest = server.guest();
        server.process.signal(signal);
        for mut peer in [ana, joao, guest] {
            let last_word = peer.line();
            assert!(last_word.starts_with("FROM server [all]: "), "{last_word:?}");
            peer.reads("BYE");
            peer.ends();
        }
        let output = server.process.output();
        assert_eq!((output.status, &*output.stderr), (Some(0), ""), "after SIG{signal}");
        let last = output.stdout.lines().last();
        assert_eq!(last, Some("Server stopped; 2 users were connected."));
    }
}

#[test]
fn the_server_says_how_many_people_it_has_left_alone() {
    for (nicks, last_line) in [
        (&[][..], "Server stopped; nobody was connected."),
        (&["ana"], "Server stopped; 1 user was connected."),
        (&["ana", "joao", "maria"], "Server stopped; 3 users were connected."),
    ] {
        let server = Server::start(&[]);
        let _guest = server.guest();
        let _people: Vec<_> = nicks.iter().map(|nick| server.member(nick)).collect();
        server.process.signal("TERM");
        assert_eq!(server.process.output().stdout.lines().last(), Some(last_line));
    }
}

#[test]
fn server_stops_although_a_client_does_not_read() {
    let server = Server::start(&["--rate", "0"]);
    let [_sleepy, mut ana] = server.members(["sleepy", "ana"]);
    // More than the kernel takes, and less than the server keeps.
    for n in 0..900 {
        ana.says(format!("MSG {n} {}", "x".repeat(1000)));
        assert!(ana.line().starts_with(&format!("FROM ana [all]: {n} ")));
    }
    let begin = Instant::now();
    server.process.signal("TERM");
    assert_eq!(server.process.output().status, Some(0));
    let pause = begin.elapsed();
    assert!(pause < Duration::from_secs(3), "it took {pause:?}");
}

#[test]
#[cfg(unix)] // Elsewhere there is no signal to end the server with.
fn second_signal_ends_the_server_at_once() {
    for signals in [["INT", "TERM"], ["TERM", "INT"]] {
        let server = Server::start(&[]);
        let mut ana = server.member("ana");
        // It has 2 s to wait for a client that asks and does not read.
        let mut sleepy = Peer::with_little_room(server.address);
        sleepy.says("NICK sleepy");
        let mut mouth = sleepy.socket();
        mouth.set_write_timeout(Some(Duration::from_millis(500))).expect("a deadline can be set");
        let begin = Instant::now();
        while mouth.write_all(&b"WHO\n".repeat(1000)).is_ok() {
            assert!(begin.elapsed() < PATIENCE, "it listens to one who does not");
        }
        ana.reads("User sleepy joined.");

        let [first, second] = signals;
        server.process.signal(first);
        ana.skips_to("BYE");
        ana.ends();
        let begin = Instant::now();
        while TcpStream::connect(server.address).is_ok() {
            assert!(begin.elapsed() < PATIENCE, "somebody gets in");
        }
        server.process.signal(second);
        let expected = if second == "INT" { 130 } else { 143 };
        assert_eq!(server.process.output().status, Some(expected), "{second} after {first}");
    }
}

#[test]
#[cfg(unix)] // Elsewhere a terminal takes all with it that was started there.
fn server_under_nohup_survives_its_terminal() {
    for (preparation, goes_on) in [("trap '' HUP", true), ("true", false)] {
        let mut server = Server::launch(minichat_after(preparation), &[]);
        let mut ana = server.member("ana");
        server.process.signal("HUP");
        if goes_on {
            for _ in 0..20 {
                ana.says("MSG still here");
                ana.reads("FROM ana [all]: still here");
            }
            server.still_serves();
            server.process.signal("TERM");
        }
        ana.skips_to("BYE");
        assert_eq!(server.process.wait().code(), Some(0), "after {preparation}");
    }
}

#[test]
#[cfg(unix)] // Elsewhere there is no signal to end the server with.
fn talking_client_reads_the_goodbye_of_the_server() {
    let server = Server::start(&[]);
    let talkers = server.members(["ana", "joao", "bia", "rui"]);
    thread::scope(|scope| {
        for mut peer in talkers {
            let mut mouth = peer.socket().try_clone().expect("a socket can be shared");
            // Input that the server has not read yet must not destroy what it has said.
            scope.spawn(move || while mouth.write_all(&b"MSG x\n".repeat(20)).is_ok() {});
            scope.spawn(move || peer.skips_to("BYE"));
        }
        server.process.signal("TERM");
    });
    assert_eq!(server.process.output().status, Some(0));
}

#[test]
fn guest_without_a_nick_has_to_go_and_a_member_may_stay() {
    let mut command = minichat();
    command.env("MINICHAT_REGISTRATION_SECS", "1");
    let server = Server::launch(command, &[]);
    let mut ana = server.member("ana");
    let [mut silent, mut talkative] = [server.guest(), server.guest()];
    talkative.sends("\n\nWHO\nNICK ana\n\nNICK");
    talkative.reads("ERR please_register_with_NICK");
    talkative.reads("ERR apelido_em_uso");
    for guest in [&mut silent, &mut talkative] {
        guest.reads("ERR registration_timeout");
        guest.ends();
    }
    // Her time would have been up before theirs.
    ana.reads_nothing_more();
}

#[test]
fn talking_guest_without_a_nick_has_to_go_too() {
    let mut command = minichat();
    command.env("MINICHAT_REGISTRATION_SECS", "1");
    let server = Server::launch(command, &["--rate", "0"]);
    let mut ana = server.member("ana");
    let begin = Instant::now();
    thread::scope(|scope| {
        for what in ["\n", "x", "WHAT\n"] {
            let guest = server.guest();
            let mut mouth = guest.socket().try_clone().expect("a socket can be shared");
            let mut ear = guest.socket().try_clone().expect("a socket can be shared");
            scope.spawn(move || io::copy(&mut ear, &mut io::sink()));
            scope.spawn(move || {
                let noise = what.repeat(10_000);
                while mouth.write_all(noise.as_bytes()).is_ok() {
                    assert!(begin.elapsed() < PATIENCE, "{what:?} may be said without end");
                }
            });
        }
    });
    ana.reads_nothing_more();
    server.still_serves();
}

#[test]
fn lines_before_a_broken_connection_are_heard() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    // The sender of private lines is told nothing. What is said at the pace that
    // is allowed goes on for some seconds, or for longer than the nick is kept.
    for (whom, lines, all) in [("", 300, true), ("@ana ", 300, true), ("@ana ", 2000, false)] {
        let mut bot = server.guest();
        let said: String = (0..lines).map(|n| format!("MSG {whom}{n}\n")).collect();
        bot.sends(format!("NICK bot\n{said}"));
        ana.reads("User bot joined.");
        let scope = if whom.is_empty() { "all" } else { "dm" };
        ana.reads(format!("FROM bot [{scope}]: 0"));
        // It reads nothing of what it is told, so this breaks the connection; and it
        // has said more than may be said at once.
        drop(bot);
        let begin = Instant::now();
        for n in 1.. {
            let line = ana.line();
            if line == "User bot left the chat." {
                assert_eq!(n == lines, all, "after {n} of {lines}");
                break;
            }
            assert_eq!(line, format!("FROM bot [{scope}]: {n}"));
        }
        assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    }
}

#[test]
fn silent_reader_is_cut_and_others_miss_no_line() {
    const LINES: usize = 8 << 10;
    const AT_ONCE: usize = 16;
    let mut server = Server::start(&["--rate", "0"]);
    let [mut sleepy, mut ana, mut joao] = server.members(["sleepy", "ana", "joao"]);
    let text = |n: usize| format!("{n} {}", "x".repeat(1000));
    // Hears these lines, and how many departures meanwhile.
    let hear = |peer: &mut Peer, lines: Range<usize>| {
        let mut departures = 0;
        for n in lines {
            let mut line = peer.line();
            if line == "User sleepy left the chat." {
                departures += 1;
                line = peer.line();
            }
            assert_eq!(line, format!("FROM ana [all]: {}", text(n)));
        }
        departures
    };
    let seen = thread::scope(|scope| {
        let joao = scope.spawn(|| hear(&mut joao, 0..LINES));
        let mut seen = 0;
        for n in (0..LINES).step_by(AT_ONCE) {
            for n in n..n + AT_ONCE {
                ana.says(format!("MSG {}", text(n)));
            }
            seen += hear(&mut ana, n..n + AT_ONCE);
        }
        (seen, joao.join().expect("joao hears everything"))
    });
    assert_eq!(seen, (1, 1));
    let notice = server.process.stderr.find("reads too slowly");
    assert!(notice.contains("sleepy"), "{notice}");
    // The bytes on their way may still be read, and then it is over.
    while sleepy.raw_line().ends_with(b"\n") {}
    server.still_serves();
}

#[test]
fn leaving_client_reads_all_its_lines_during_a_flood() {
    const RATE: f64 = 300e3; // Bytes a second.
    let text = "x".repeat(1000);
    for quits in [true, false] {
        let server = Server::start(&["--rate", "0"]);
        let mut slow = Peer::with_room(server.address, 8 << 10);
        slow.says("NICK slow");
        slow.skips_to("OK welcome slow");
        let talkers: Vec<Peer> =
            ["ana", "joao", "bia", "rui"].iter().map(|nick| server.member(nick)).collect();
        thread::scope(|scope| {
            let _over = Finally(|| part(&talkers));
            for peer in &talkers {
                scope.spawn(|| io::copy(&mut peer.socket(), &mut io::sink()));
                scope.spawn(|| {
                    let mut lines = (0..).map(|n| format!("MSG {n} {text}\n"));
                    let mut talk = || peer.socket().write_all(lines.next()?.as_bytes()).ok();
                    while talk().is_some() {}
                });
            }
            let (begin, mut bytes, mut leaves) = (Instant::now(), 0, false);
            let mut heard: HashMap<String, usize> = HashMap::new();
            let last = loop {
                let line = slow.raw_line();
                let line = String::from_utf8(line).expect("the server sends UTF-8");
                let message = line.strip_prefix("FROM ").and_then(|line| line.split_once(' '));
                match message {
                    None if line.ends_with(" joined.\n") => (),
                    None => break line,
                    Some((from, said)) => {
                        let next = heard.entry(from.into()).or_default();
                        assert_eq!(said, format!("[all]: {next} {text}\n"), "{from} said more");
                        *next += 1;
                    }
                }
                assert!(begin.elapsed() < PATIENCE, "the server does not see it off");
                bytes += line.len();
                let due = Duration::from_secs_f64(bytes as f64 / RATE);
                thread::sleep(due.saturating_sub(begin.elapsed()));
                if !leaves && begin.elapsed() > Duration::from_secs(1) {
                    leaves = true;
                    if quits { slow.says("QUIT") } else { slow.stops_talking() }
                }
            };
            assert_eq!((leaves, &*last), (true, if quits { "BYE\n" } else { "" }));
        });
        server.process.signal("TERM");
        assert_eq!(server.process.output().stderr, "", "nobody was cut off");
    }
}

#[test]
fn client_that_reads_no_answers_is_not_heard() {
    let server = Server::start(&["--rate", "0"]);
    let [sleepy, mut ana] = server.members(["sleepy", "ana"]);
    let mut mouth = sleepy.socket();
    mouth.set_write_timeout(Some(Duration::from_secs(1))).expect("a deadline can be set");
    let questions = "WHO\n".repeat(1 << 14);
    let mut asked = 0;
    let err = loop {
        match mouth.write_all(questions.as_bytes()) {
            Ok(()) => asked += questions.len(),
            Err(err) => break err,
        }
        assert!(asked < 64 << 20, "it listens for ever");
    };
    // It takes nothing more, but has not given up on the connection.
    assert!(matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{err}");
    ana.says("MSG olá");
    ana.reads("FROM ana [all]: olá");
    if let Some(peak) = server.process.peak_memory() {
        assert!(peak < 64 << 10, "it took {peak} KiB");
    }
}
