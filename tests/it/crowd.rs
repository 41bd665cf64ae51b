//! A thousand people in one room.
//!
//! They all hear the same stream, from the place where they came in, so
//! it is kept once: the first reader of a piece appends it, and
//! what all the others hear must be the same, byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread;

use crate::harness::{Client, GREETING, PATIENCE, Server};

/// Under wine, which looks at all sockets whenever something happens at one, so many
/// would take minutes.
const PEOPLE: usize = if cfg!(windows) { 300 } else { 1000 };
const LINES: usize = 10;
/// The descriptors of the test itself and its neighbours besides a socket for each client.
const OTHER_FILES: u64 = 200;

/// Buffers in the storage of threads count once for each thread, used or not.
#[test]
fn idle_programs_have_little_memory_of_their_own() {
    let server = Server::start(&[]);
    let mut client = Client::start(server.address, &["--nick", "ana", "--stay"]);
    client.shows("welcome\t\tana");
    for process in [&server.process, &client.process] {
        assert!(process.own_memory().is_none_or(|own| own < 2048), "{:?}", process.own_memory());
    }
}

#[test]
fn a_thousand_people_hear_every_line_whole_and_in_one_order() {
    let files = rlimit::increase_nofile_limit(PEOPLE as u64 + OTHER_FILES).unwrap_or(256);
    let people = PEOPLE.min(files.saturating_sub(OTHER_FILES) as usize);
    if people < PEOPLE {
        eprintln!("only {people} people: there are no more than {files} files to be had");
    }

    let server = Server::start(&["--rate", "0", "--max-users", "0"]);
    let mut crowd: Vec<Person> = (0..people).map(|who| Person::enter(&server, who)).collect();
    let talk = Mutex::new(Talk::new(people));
    thread::scope(|scope| {
        for group in crowd.chunks_mut(people.div_ceil(4)) {
            scope.spawn(|| converse(group, &talk));
        }
    });

    assert_eq!(talk.into_inner().expect("nobody panicked").said, vec![LINES; people]);
    if let Some(peak) = server.process.peak_memory() {
        assert!(peak < 64 << 10, "the server took {peak} KiB");
    }
    drop(crowd);
    server.still_serves();
}

/// All of them speak in turn, and then hear everything out.
fn converse(group: &mut [Person], talk: &Mutex<Talk>) {
    for n in 0..LINES {
        for person in &mut *group {
            person.stream.write_all(format!("MSG {n}\n").as_bytes()).expect("they are heard");
        }
    }
    let end = talk.lock().expect("nobody panicked").end;
    let mut piece = vec![0; 64 << 10];
    // A piece for each, round after round: each gets to read soon.
    while group.iter().any(|person| person.place < end) {
        for person in group.iter_mut().filter(|person| person.place < end) {
            let length = person.stream.read(&mut piece).expect("there is more to hear");
            assert!(length > 0, "{} was cut off", nick(person.who));
            talk.lock().expect("nobody panicked").hear(person.place, &piece[..length]);
            person.place += length;
        }
    }
}

struct Person {
    who: usize,
    stream: TcpStream,
    /// How much of the talk they have heard, or missed before they came.
    place: usize,
}

impl Person {
    /// Connects and registers, and reads nothing that is meant for all.
    fn enter(server: &Server, who: usize) -> Person {
        let mut stream = TcpStream::connect(server.address).expect("it accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.write_all(format!("NICK {}\n", nick(who)).as_bytes()).expect("it reads");
        let expected = format!("{GREETING}\nOK welcome {}\n", nick(who));
        let mut told = vec![0; expected.len()];
        stream.read_exact(&mut told).expect("they are welcome");
        assert_eq!(String::from_utf8_lossy(&told), expected);
        Person { who, stream, place: (who + 1) * news(who).len() }
    }
}

/// The public stream, from the first newcomer on.
struct Talk {
    bytes: Vec<u8>,
    /// Where the last word ends.
    end: usize,
    /// How far the bytes were looked at, line by line.
    checked: usize,
    /// How many lines each one has said.
    said: Vec<usize>,
}

impl Talk {
    /// How it begins is known: everyone comes in, one after the other.
    fn new(people: usize) -> Talk {
        let bytes = (0..people).map(news).collect::<String>().into_bytes();
        let checked = bytes.len();
        let end = checked + people * LINES * message(0, 0).len();
        Talk { bytes, end, checked, said: vec![0; people] }
    }

    /// A reader that has heard everything up to `place` hears this piece.
    fn hear(&mut self, place: usize, piece: &[u8]) {
        let known = piece.len().min(self.bytes.len() - place);
        let (piece, news) = piece.split_at(known);
        let expected = &self.bytes[place..place + known];
        assert!(
            piece == expected,
            "one heard {:?} where others heard {:?}",
            String::from_utf8_lossy(piece),
            String::from_utf8_lossy(expected)
        );
        self.bytes.extend_from_slice(news);
        while let Some(length) = self.bytes[self.checked..].iter().position(|&byte| byte == b'\n') {
            let end = self.checked + length + 1;
            let line = String::from_utf8_lossy(&self.bytes[self.checked..end]);
            let who = line.get(6..9).and_then(|who| who.parse().ok());
            let who: usize = who.unwrap_or_else(|| panic!("nobody says {line:?}"));
            assert_eq!(line, message(who, self.said[who]));
            self.said[who] += 1;
            self.checked = end;
        }
    }
}

fn message(who: usize, n: usize) -> String {
    format!("FROM {} [all]: {n}\n", nick(who))
}

fn news(who: usize) -> String {
    format!("User {} joined.\n", nick(who))
}

fn nick(who: usize) -> String {
    format!("u{who:03}")
}
