//! Much at once.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{SIZES, holds, let_in, ready, start, wait_for_draft};
use crate::harness::{Peer, StandIn};
use crate::tty::Tty;

/// The most memory that the client may ever need, in KiB.
const MEMORY: u64 = 24 << 10;

/// The client with a draft, on a terminal without colours, and its server.
#[track_caller]
fn with_draft(door: &StandIn) -> (Tty, Peer) {
    let tty = start(door.address, SIZES[0], &["--nick", "ana", "--color", "never"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana, maria");
    ready(&tty);
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    (tty, server)
}

/// Everybody talks at once.
#[track_caller]
fn pour(tty: &Tty, server: &Peer, count: usize) {
    let lines: String = (0..count).map(|n| format!("FROM maria [all]: linha {n}\n")).collect();
    let (begin, mut socket) = (Instant::now(), server.socket().try_clone().expect("it is shared"));
    let pouring = thread::spawn(move || socket.write_all(lines.as_bytes()));
    let last = format!("maria  linha {}", count - 1);
    tty.wait("the last line", |screen| screen.contains(&last) && holds(screen, "rascunho"));
    println!("{count} lines took {:?}", begin.elapsed());
    pouring.join().expect("it does not panic").expect("the client reads");
}

/// The numbers of the lines in this. The last one may not be whole yet.
fn numbers(text: &str) -> impl Iterator<Item = usize> {
    let rests = text.split("maria  linha ").skip(1);
    rests.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
}

#[test]
fn ten_thousand_lines_are_shown_in_order_above_the_draft() {
    let door = StandIn::open();
    let (tty, server) = with_draft(&door);
    pour(&tty, &server, 10_000);
    assert!(numbers(&tty.raw()).eq(0..10_000), "not what was said");
    // And so did they look.
    let shown = tty.lines().join("\n");
    assert!(numbers(&shown).eq(0..10_000), "not what is seen");
    tty.send(" vivo");
    wait_for_draft(&tty, "rascunho vivo");
}

#[test]
fn a_hundred_thousand_lines_at_once_need_little_memory() {
    let door = StandIn::open();
    let (tty, server) = with_draft(&door);
    pour(&tty, &server, 100_000);
    assert!(numbers(&tty.raw()).eq(0..100_000), "not what was said");
    let peak = tty.process.peak_memory();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} KiB");
    tty.send(" vivo");
    wait_for_draft(&tty, "rascunho vivo");
}

#[test]
fn endless_line_fills_no_memory_and_delays_no_exit() {
    let door = StandIn::open();
    let (mut tty, server) = with_draft(&door);
    let chunk = [b'x'; 64 << 10];
    // The client may have had enough of it before it is all said.
    (0..100 << 4).try_for_each(|_| server.socket().write_all(&chunk)).ok();
    let peak = tty.process.peak_memory();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} KiB");
    wait_for_draft(&tty, "rascunho");
    tty.send("\x03");
    wait_for_draft(&tty, "");
    tty.send("\x03");
    assert_eq!(tty.wait_exit(), Some(130));
}

#[test]
fn endless_lines_fill_no_memory_and_delay_no_exit() {
    let door = StandIn::open();
    let (mut tty, server) = with_draft(&door);
    let endless = thread::spawn(move || {
        for n in 0.. {
            let lines: String = (0..1000)
                .map(|line| format!("FROM maria [all]: linha {}\n", n * 1000 + line))
                .collect();
            if server.socket().write_all(lines.as_bytes()).is_err() {
                return;
            }
        }
    });
    tty.wait("many lines", |screen| numbers(screen).any(|n| n > 20_000));
    let peak = tty.process.peak_memory();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} KiB");
    tty.send("\x03\x03");
    assert_eq!(tty.wait_exit(), Some(130));
    endless.join().expect("it does not panic");
}

/// Measures how long a key takes to be seen while 5,000 lines a second arrive.
#[test]
#[ignore = "a measurement, for a release build on an idle machine"]
#[cfg(target_os = "linux")] // As the recording is made there.
fn key_is_answered_within_5_ms_among_many_lines() {
    const KEYS: u32 = 300;
    let door = StandIn::open();
    let (tty, server) = with_draft(&door);
    let mut socket = server.socket().try_clone().expect("it is shared");
    let (stop, stopped) = channel::<()>();
    let talks = thread::spawn(move || {
        let (begin, mut count) = (Instant::now(), 0);
        while stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            let due = begin.elapsed().as_millis() * 5;
            let lines = (count..due).map(|n| format!("FROM maria [all]: linha {n} de alguém\n"));
            socket.write_all(lines.collect::<String>().as_bytes()).expect("the client reads");
            count = due;
        }
        (count, begin.elapsed())
    });
    tty.send("\x15");
    wait_for_draft(&tty, "");
    let mut pressed = Vec::new();
    for n in 0..KEYS {
        // Each key is a character that comes nowhere else.
        let key = char::from_u32(0x4E00 + n).expect("it is a character");
        if n % 15 == 0 {
            tty.send("\x15");
            thread::sleep(Duration::from_millis(11));
        }
        pressed.push((key, Instant::now()));
        tty.send(key.to_string());
        thread::sleep(Duration::from_millis(11));
    }
    tty.wait("the last key", |screen| screen.contains(pressed[pressed.len() - 1].0));
    drop(stop);
    let (count, time) = talks.join().expect("it does not panic");
    let mut pieces = tty.recording().into_iter();
    let mut text = String::new();
    let mut took = Vec::new();
    for (key, when) in pressed {
        text.clear();
        let seen = pieces.by_ref().find_map(|(seen, piece)| {
            text += &String::from_utf8_lossy(&piece);
            text.contains(key).then_some(seen)
        });
        took.push(seen.expect("each key is seen") - when);
    }
    took.sort();
    let share = |hundredths: usize| took[(took.len() - 1) * hundredths / 100];
    println!(
        "{count} lines in {time:?}: p50 {:?}, p99 {:?}, max {:?}",
        share(50),
        share(99),
        share(100)
    );
    assert!(share(99) < Duration::from_millis(5), "{:?}", share(99));
}
