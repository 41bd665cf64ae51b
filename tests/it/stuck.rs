//! Readers that do not read: terminals that are held, pipes that are full, servers
//! that listen slowly or never stop talking.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Peer, Running, Server, StandIn, connect, minichat, run};

/// How many comings and goings fill any pipe.
const MANY: usize = 2500;

#[test]
fn server_with_unread_output_stops() {
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let mut command = minichat();
    command.args(["server", "--no-mdns", "--bind", "127.0.0.1", "--port", "0"]);
    let mut process = Running::start_into(&mut command, writer, Stdio::piped());
    drop(command); // It has the end of the pipe that is written to, too.
    // It fits the pipe with its first lines, and then it is not read any more.
    let mut first = [0; 4096];
    let mut length = 0;
    while !first[..length].contains(&b'\n') {
        length += reader.read(&mut first[length..]).expect("it prints something");
    }
    let text = String::from_utf8_lossy(&first[..length]);
    let line = text.lines().next().expect("there is a line");
    let address = line.strip_prefix("Listening on ").expect("it says where it listens");
    let address = address.parse().expect("it is an address");
    for _ in 0..MANY {
        let mut peer = Peer::connect(address);
        peer.sends("NICK ana\nQUIT\n");
        peer.skips_to("BYE");
    }
    let begin = Instant::now();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    assert!(begin.elapsed().as_secs() < 3, "{:?}", begin.elapsed());
}

#[test]
fn client_with_unread_output_is_interrupted() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let server = Server::start(&["--rate", "0"]);
        let mut ana = server.member("ana");
        let (_unread, writer) = io::pipe().expect("a pipe can be made");
        let mut command = connect(server.address, &["--nick", "bot"]);
        let mut bot = Running::start_into(command.stdin(Stdio::piped()), writer, Stdio::piped());
        ana.reads("User bot joined.");
        for n in 0..500 {
            ana.says(format!("MSG {n} {}", "x".repeat(1000)));
            ana.line();
        }
        bot.end_input();
        bot.signal(signal);
        assert_eq!(bot.wait().code(), Some(status));
    }
}

#[test]
fn client_with_unread_complaints_is_interrupted() {
    for options in [&["--nick", "bot", "--stay"][..], &["--raw", "--stay"]] {
        let door = StandIn::open();
        let (mut unread, writer) = io::pipe().expect("a pipe can be made");
        let mut command = connect(door.address, options);
        let mut bot = Running::start_into(command.stdin(Stdio::null()), Stdio::null(), writer);
        drop(command);
        let server = door.caller();
        // It says of each of these lines that it was left out.
        let lines = format!("{}\n", "x".repeat(9000)).repeat(10);
        let mut mouth = server.socket().try_clone().expect("a socket can be shared");
        let talking = thread::spawn(move || {
            mouth.write_all(b"OK welcome bot\n").expect("it listens");
            while mouth.write_all(lines.as_bytes()).is_ok() {}
        });
        unread.read_exact(&mut [0; 1]).expect("it complains");
        bot.signal("TERM");
        assert_eq!(bot.wait().code(), Some(143), "with {options:?}");
        server.socket().shutdown(Shutdown::Both).ok();
        talking.join().expect("it does not panic");
    }
}

#[test]
fn endless_talker_that_reads_is_never_evicted() {
    let server = Server::start(&["--rate", "0"]);
    let talker = server.member("日".repeat(32).as_str());
    let mut writer = talker.socket().try_clone().expect("a socket can be shared");
    let lines = 100_000;
    let talking = thread::spawn(move || writer.write_all("MSG x\n".repeat(lines).as_bytes()));
    let mut talker = talker;
    for _ in 0..lines {
        assert!(talker.line().ends_with(" [all]: x"));
    }
    talking.join().expect("it does not panic").expect("the server listens to the end");
    talker.reads_nothing_more();
}

#[test]
fn idle_reader_is_not_evicted_by_a_burst() {
    let server = Server::start(&["--rate", "0"]);
    let [mut talker, mut ana] = server.members(["日".repeat(32).as_str(), "ana"]);
    let listeners: Vec<Peer> = (0..5).map(|n| server.member(&format!("n{n}"))).collect();
    for n in 0..5 {
        ana.reads(format!("User n{n} joined."));
    }
    // More than a second: a client with unread lines that does not read is given up by then.
    thread::sleep(Duration::from_millis(1200));
    // The bytes that are heard at a time, and more than is remembered.
    let lines = 10_900;
    talker.sends("MSG x\n".repeat(lines));
    let everybody = listeners.into_iter().chain([ana, talker]);
    thread::scope(|scope| {
        for mut peer in everybody {
            scope.spawn(move || {
                let mut heard = 0;
                while heard < lines {
                    heard += usize::from(peer.line().ends_with(" [all]: x"));
                }
            });
        }
    });
}

#[test]
fn client_waits_for_private_lines_to_a_slow_server() {
    // A burst of 200 is allowed, and then ten a second.
    let server = Server::start(&["--rate", "10"]);
    let mut joao = server.member("joao");
    let mut input: String = (0..260).map(|n| format!("@joao {n}\n")).collect();
    input.insert_str(0, "to all\n");
    let output = run(&mut connect(server.address, &["--nick", "bot"]), input);
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    joao.reads("User bot joined.");
    joao.reads("FROM bot [all]: to all");
    for n in 0..260 {
        joao.reads(format!("FROM bot [dm]: {n}"));
    }
    joao.reads("User bot left the chat.");
}

#[test]
fn lines_of_every_kind_are_waited_for() {
    let server = Server::start(&["--rate", "20"]);
    let mut joao = server.member("joao");
    let questions = "WHO\n".repeat(240);
    let raw = format!("NICK raw\n{questions}MSG fim\n");
    for (nick, options, input) in
        [("raw", &["--raw"][..], raw), ("bot", &["--nick", "bot"], format!("{questions}fim\n"))]
    {
        let output = run(&mut connect(server.address, options), input);
        assert_eq!(output.status, Some(0), "{options:?}");
        joao.reads(format!("User {nick} joined."));
        joao.reads(format!("FROM {nick} [all]: fim"));
        joao.reads(format!("User {nick} left the chat."));
    }
}

#[test]
fn a_private_line_stays_private_however_long_it_is() {
    let server = Server::start(&["--rate", "0"]);
    let [mut joao, mut rui] = server.members(["joao", "rui"]);
    let words = 30_000;
    let secret = format!("@joao {}\n", "segredo ".repeat(words));
    let output = run(&mut connect(server.address, &["--nick", "bot"]), secret);
    assert_eq!(output.status, Some(0));
    rui.reads("User bot joined.");
    rui.reads("User bot left the chat.");
    joao.reads("User bot joined.");
    let mut heard = 0;
    while heard < words {
        let line = joao.line();
        let text = line.strip_prefix("FROM bot [dm]: ").expect("it is for joao alone");
        heard += text.split_whitespace().inspect(|word| assert_eq!(*word, "segredo")).count();
    }
    assert_eq!(heard, words);
}

#[test]
fn a_long_raw_line_is_one_line() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tail = format!("MSG {}MSG smuggled\nMSG after\n", "a".repeat(65_536 - 4));
    let output = run(&mut connect(server.address, &["--raw"]), format!("NICK bot\n{tail}"));
    assert_eq!(output.status, Some(1));
    assert_eq!(output.stdout.matches("ERR line_too_long").count(), 1);
    joao.reads("User bot joined.");
    joao.reads("FROM bot [all]: after");
}

#[test]
fn client_leaves_a_server_that_talks_without_end() {
    for said_quit in [false, true] {
        let door = StandIn::open();
        let mut bot = Client::start(door.address, &["--nick", "bot", "--timeout", "1"]);
        let mut server = door.caller();
        server.reads("NICK bot");
        if said_quit {
            server.says("OK welcome bot");
            bot.shows("welcome\t\tbot");
            bot.process.end_input();
            server.reads("QUIT");
        }
        let mut writer = server.socket().try_clone().expect("a socket can be shared");
        let flood = thread::spawn(move || {
            let lines = "FROM ana [all]: blah blah blah\n".repeat(1000);
            while writer.write_all(lines.as_bytes()).is_ok() {}
        });
        let status = if said_quit { 0 } else { 1 };
        assert_eq!(bot.process.wait().code(), Some(status));
        flood.join().expect("it does not panic");
    }
}
