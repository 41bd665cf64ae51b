//! A client in a browser is a client like any other: its limits, and how it goes.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, client};

use crate::harness::{GREETING, PATIENCE, Peer, Server, minichat};
use crate::websocket::{Bridge, message, upgrade};

/// A server, and the way into it through WebSockets.
fn open(arguments: &[&str]) -> (Server, Bridge) {
    let mut server = Server::start(arguments);
    let bridge = Bridge::open(server.page());
    (server, bridge)
}

#[track_caller]
fn member(bridge: &Bridge, nick: &str) -> Peer {
    let mut peer = bridge.connect();
    peer.reads(GREETING);
    peer.says(format!("NICK {nick}"));
    peer.reads(format!("OK welcome {nick}"));
    peer
}

#[test]
fn fast_web_client_is_slowed_down_and_loses_nothing() {
    let (server, bridge) = open(&["--rate", "100"]);
    let mut ana = server.member("ana");
    let mut web = member(&bridge, "web");
    ana.reads("User web joined.");
    let begin = Instant::now();
    web.sends((0..350).map(|n| format!("MSG {n}\n")).collect::<String>());
    for n in 0..350 {
        for peer in [&mut ana, &mut web] {
            peer.reads(format!("FROM web [all]: {n}"));
        }
    }
    let pause = begin.elapsed();
    assert!(pause > Duration::from_millis(1400), "it only took {pause:?}");
}

/// An evening at random, of people with and without a browser. Each step waits for its
/// answer, so it is known what everybody has to read, and in which order.
#[test]
fn web_and_plain_clients_read_the_same_evening() {
    for seed in 0..4 {
        let (server, bridge) = open(&["--rate", "0"]);
        let mut dice = fastrand::Rng::with_seed(seed);
        let connect =
            |web: bool| if web { bridge.connect() } else { Peer::connect(server.address) };
        let mut people: Vec<(String, Peer, VecDeque<String>)> = Vec::new();
        for step in 0..150 {
            let from = dice.usize(..8);
            let to = (from + dice.usize(1..8)) % 8;
            let what = if people.len() < 8 { 9 } else { dice.usize(..8) };
            let text = format!("{step} {}", "é".repeat(dice.usize(..300)));
            match what {
                0 if people.len() == 8 => {
                    let (nick, mut peer, unread) = people.swap_remove(from);
                    peer.says("QUIT");
                    unread.into_iter().for_each(|line| peer.reads(line));
                    peer.reads("BYE");
                    peer.ends();
                    let left = format!("User {nick} left the chat.");
                    people.iter_mut().for_each(|person| person.2.push_back(left.clone()));
                }
                9 => {
                    let (nick, mut peer) = (format!("p{step}"), connect(step % 2 == 0));
                    peer.reads(GREETING);
                    peer.says(format!("NICK {nick}"));
                    peer.reads(format!("OK welcome {nick}"));
                    let joined = format!("User {nick} joined.");
                    people.iter_mut().for_each(|person| person.2.push_back(joined.clone()));
                    people.push((nick, peer, VecDeque::new()));
                }
                1 | 2 => {
                    let (nick, other) = (people[from].0.clone(), people[to].0.clone());
                    people[from].1.says(format!("MSG @{other} {text}"));
                    people[to].2.push_back(format!("FROM {nick} [dm]: {text}"));
                    people[from].1.says(format!("NICK {nick}")); // The answer tells that it arrived.
                    people[from].2.push_back(format!("OK welcome {nick}"));
                    catch_up(&mut people[from]);
                }
                3 => {
                    people.iter_mut().for_each(catch_up);
                }
                _ => {
                    people[from].1.says(format!("MSG {text}"));
                    let heard = format!("FROM {} [all]: {text}", people[from].0);
                    people.iter_mut().for_each(|person| person.2.push_back(heard.clone()));
                    catch_up(&mut people[from]);
                }
            }
        }
        people.iter_mut().for_each(catch_up);
        people.iter_mut().for_each(|person| person.1.reads_nothing_more());
    }
}

/// Reads what this person has yet to read.
#[track_caller]
fn catch_up((_, peer, unread): &mut (String, Peer, VecDeque<String>)) {
    unread.drain(..).for_each(|line| peer.reads(line));
}

#[test]
fn web_guest_without_a_nick_has_to_go() {
    let mut command = minichat();
    command.env("MINICHAT_REGISTRATION_SECS", "1");
    let mut server = Server::launch(command, &[]);
    let bridge = Bridge::open(server.page());
    let mut web = member(&bridge, "web");
    let mut guest = bridge.connect();
    guest.reads(GREETING);
    guest.reads("ERR registration_timeout");
    guest.ends();
    web.reads_nothing_more();
}

#[test]
fn full_room_has_no_place_for_a_web_client() {
    let (server, bridge) = open(&["--max-users", "2"]);
    let (_ana, web) = (server.member("ana"), member(&bridge, "web"));
    let mut third = bridge.connect();
    third.reads(GREETING);
    third.reads("ERR room_full");
    third.ends();
    drop(web);
}

#[test]
fn stuck_web_client_is_evicted_and_others_read_all() {
    let (mut server, bridge) = open(&["--rate", "0"]);
    let page = server.page();
    let mut sleepy = Peer::with_little_room(page);
    upgrade(&mut sleepy, page);
    sleepy.sends(message("NICK sleepy"));
    let mut ana = server.member("ana");
    ana.says("WHO");
    ana.skips_to("Connected users: ana, sleepy");
    let mut web = member(&bridge, "web");
    let mut talker = server.member("talker");
    const LINES: usize = 8000;
    let mut mouth = talker.socket().try_clone().expect("a socket can be shared");
    let talking = thread::spawn(move || {
        use std::io::Write;
        let lines: String = (0..LINES).map(|n| format!("MSG {n} {}\n", "x".repeat(500))).collect();
        mouth.write_all(lines.as_bytes())
    });
    let mut readers = [&mut ana, &mut web, &mut talker].into_iter();
    thread::scope(|scope| {
        for peer in readers.by_ref() {
            scope.spawn(move || {
                let (mut next, mut left) = (0, false);
                while next < LINES || !left {
                    let line = peer.line();
                    left |= line == "User sleepy left the chat.";
                    if let Some(text) = line.strip_prefix("FROM talker [all]: ") {
                        assert!(text.starts_with(&format!("{next} ")), "{next} is missing");
                        next += 1;
                    }
                }
            });
        }
    });
    talking.join().expect("it does not panic").expect("it is heard");
    let line = server.process.stderr.find("cut off sleepy 127.0.0.1: ");
    assert!(line.contains("reads too slowly"), "{line}");
}

#[test]
fn browser_that_is_killed_or_half_closed_leaves_the_room() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let mut ana = server.member("ana");
    for (nick, go) in [
        ("killed", Peer::resets as fn(Peer)),
        ("gone", drop),
        ("half", |peer| {
            peer.stops_talking();
            let mut socket = peer.socket();
            std::io::copy(&mut socket, &mut std::io::sink()).ok(); // Until the server closes it.
        }),
    ] {
        let mut web = Peer::connect(page);
        upgrade(&mut web, page);
        web.sends(message(&format!("NICK {nick}")));
        ana.reads(format!("User {nick} joined."));
        go(web);
        ana.reads(format!("User {nick} left the chat."));
    }
    ana.reads_nothing_more();
}

#[test]
fn stopping_server_closes_web_clients_with_a_goodbye() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let stream = TcpStream::connect(page).expect("the page's port listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
    let (mut web, _) = client(format!("ws://{page}/room"), stream).expect("it is upgraded");
    web.send(Message::text("NICK web")).expect("it is heard");
    let mut said = String::new();
    let next = |said: &mut String, web: &mut tungstenite::WebSocket<TcpStream>| match web
        .read()
        .expect("a message comes")
    {
        Message::Text(text) => said.push_str(&text),
        Message::Close(frame) => {
            let code = frame.expect("it has a code").code;
            assert_eq!(code, CloseCode::Normal, "after {said:?}");
            said.push_str("closed");
        }
        other => panic!("the server sends {other:?}"),
    };
    while !said.contains("OK welcome web\n") {
        next(&mut said, &mut web);
    }
    server.process.signal("TERM");
    while !said.ends_with("closed") {
        next(&mut said, &mut web);
    }
    assert!(said.ends_with("\nBYE\nclosed"), "{said:?}");
    assert_eq!(server.process.wait().code(), Some(0));
}
