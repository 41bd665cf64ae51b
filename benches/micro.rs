//! The cost of the pure parts, without a socket: framing, parsing, the room.
//!
//!     cargo bench --bench micro
//!
//! A few lines of timing will do. What is measured takes microseconds and is always
//! the same, so the fastest of many rounds is the undisturbed one; more
//! statistics would only tell of the neighbours. As a test, each runs once.

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use minichat::room::{Reading, Room, Rules, SessionId};
use minichat::wire::sanitize::{strip, visible};
use minichat::wire::{Command, Event, LineBuffer, MAX_COMMAND, Nick, Scope};

/// How many lines each round is about.
const LINES: usize = 256;
/// For how long rounds of one kind are repeated.
const LASTING: Duration = Duration::from_millis(300);

/// A text in letters of one byte each, and one of the same length with others.
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and back once more.";
const TEXTO: &str = "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim queixoso";

fn main() {
    if env::args().any(|option| option == "--list") {
        return; // It is no collection of tests.
    }
    let said = format!("MSG {TEXT}\n").repeat(LINES);
    for (what, size) in [("64 KiB", 64 << 10), ("1,448 bytes", 1448), ("1 byte", 1)] {
        measure(&format!("framing, {what} at a time"), LINES, || frame(&said, size));
    }

    for (what, line) in [
        ("MSG text", format!("MSG {TEXT}")),
        ("MSG texto", format!("MSG {TEXTO}")),
        ("MSG @joao text", format!("MSG @joao {TEXT}")),
    ] {
        let is_parsed = || Command::parse(black_box(&line)).is_ok();
        measure(&format!("parsing {what}"), LINES, || times(is_parsed));
    }
    let line = format!("FROM ana [all]: {TEXT}");
    let is_message = || matches!(Event::parse(black_box(&line)), Event::Message { .. });
    measure("parsing FROM ana [all]: text", LINES, || times(is_message));
    let message = Event::Message { from: "ana", scope: Scope::All, text: TEXT };
    let is_printed = || black_box(&message).to_string() == line;
    measure("printing FROM ana [all]: text", LINES, || times(is_printed));
    for name in ["ana", "João"] {
        let is_nick =
            || Nick::new(black_box(name)).is_ok_and(|nick| nick.key().len() == name.len());
        measure(&format!("taking {name} for a nick, and its key"), LINES, || times(is_nick));
    }
    for (what, text) in [("text", TEXT), ("texto", TEXTO)] {
        measure(&format!("cleaning {what} for others"), LINES, || {
            times(|| strip(black_box(text)) == text)
        });
        measure(&format!("cleaning {what} for a terminal"), LINES, || {
            times(|| visible(black_box(text)) == text)
        });
    }

    for people in [1, 100] {
        let (mut room, ids) = crowd(people);
        let mut out = Vec::new();
        let all = LINES * people;
        let line = format!("MSG {TEXT}");
        let length = format!("FROM u0 [all]: {TEXT}\n").len();
        measure(&format!("the room: a line said, and heard by {people}"), all, || {
            times(|| hear(&mut room, ids[0], &line));
            ids.iter().map(|&id| read(&mut room, id, &mut out)).sum::<usize>() / length
        });
    }
    let (mut room, ids) = crowd(2);
    let mut out = Vec::new();
    let line = format!("MSG @u1 {TEXT}");
    let length = format!("FROM u0 [dm]: {TEXT}\n").len();
    measure("the room: a private line said and heard", LINES, || {
        times(|| hear(&mut room, ids[0], &line));
        read(&mut room, ids[1], &mut out) / length
    });
    measure("the room: somebody comes, one of 256", LINES, || crowd(LINES).1.len());
}

/// How many whole lines a stream is, in pieces of this size.
fn frame(stream: &str, size: usize) -> usize {
    let mut buffer = LineBuffer::new(MAX_COMMAND);
    let mut lines = 0;
    for mut piece in black_box(stream).as_bytes().chunks(size) {
        while let Some(line) = buffer.next_line(&mut piece) {
            lines += usize::from(line.is_ok_and(|line| line.ends_with(TEXT.as_bytes())));
        }
    }
    lines
}

/// A room with this many members, each of which has read everything so far.
fn crowd(people: usize) -> (Room, Vec<SessionId>) {
    let mut room = Room::new(Rules::default());
    let ids: Vec<SessionId> = (0..people).map(|_| room.enter()).collect();
    for (number, &id) in ids.iter().enumerate() {
        assert!(hear(&mut room, id, &format!("NICK u{number}")));
    }
    let mut out = Vec::new();
    for &id in &ids {
        read(&mut room, id, &mut out);
        assert!(room.is_member(id));
    }
    (room, ids)
}

/// Says a line; the room's wakeups lead to nothing here.
fn hear(room: &mut Room, id: SessionId, line: &str) -> bool {
    room.hear(id, Ok(black_box(line).as_bytes()), Duration::ZERO);
    room.take_effects().wake != Default::default()
}

/// Hears all there is, in batches, and says how many bytes that was.
fn read(room: &mut Room, id: SessionId, out: &mut Vec<u8>) -> usize {
    let mut bytes = 0;
    loop {
        out.clear();
        match room.read(id, out) {
            Reading::Some => bytes += black_box(&*out).len(),
            Reading::Nothing => return bytes,
            Reading::Over => panic!("the room gave up on a listener"),
        }
    }
}

/// How often something is right, of as many times as there are lines.
fn times(mut is_right: impl FnMut() -> bool) -> usize {
    (0..LINES).filter(|_| is_right()).count()
}

/// Measures what does something `count` times, and says how often it went right.
fn measure(what: &str, count: usize, mut work: impl FnMut() -> usize) {
    let full = env::args().any(|option| option == "--bench");
    let (start, mut best) = (Instant::now(), Duration::MAX);
    loop {
        let round = Instant::now();
        assert_eq!(work(), count, "{what}");
        best = best.min(round.elapsed());
        if !full || start.elapsed() >= LASTING {
            break;
        }
    }
    if full {
        println!("{what:45} {:8.1} ns", best.as_nanos() as f64 / count as f64);
    }
}
