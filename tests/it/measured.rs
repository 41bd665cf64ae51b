//! How long the history takes, with the real server and its disk. These print figures for an
//! idle machine, and say nothing of the others.
//!
//! `cargo test --release --test it -- --ignored --nocapture measured`

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Peer, Server};

/// How many lines a second are said while the disk is watched.
const LINES: u32 = 10_000;
/// How many of them there are.
const COUNT: u32 = 5 * LINES;
/// The clients that say them in turn.
const TALKERS: u32 = 20;
/// How many clients come back at once.
const CROWD: u64 = 1000;
/// The length of a whole store, in bytes, in segments of this length.
const STORE: [usize; 2] = [64 << 20, 4 << 20];
/// How long a hundred clients talk, with searches and without.
const TALK: Duration = Duration::from_secs(4);

/// A folder of one test, which is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("minichat-measured-{name}-{}", process::id()));
        fs::remove_dir_all(&path).ok(); // Of a run that was killed.
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // It is of no use.
    }
}

fn start(folder: &Folder) -> Server {
    Server::start(&["--store", &folder.0.display().to_string(), "--rate", "0"])
}

/// Some times in milliseconds: how many there are, their middle, the 99th of 100, the longest.
fn told(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1000.0;
    let (half, p99, most) = (at(500), at(990), at(1000));
    println!("{name}: {} times, p50 {half:.1} ms, p99 {p99:.1} ms, max {most:.1} ms", times.len());
}

/// The times at which each numbered line is read, until all are there.
fn watch(mut read: impl FnMut(&mut Vec<u8>), count: u32) -> Vec<Instant> {
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    while times.len() < count as usize {
        read(&mut bytes);
        let now = Instant::now();
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let numbered = b"[all]: line ";
        let lines = bytes[..end].split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| line.windows(numbered.len()).any(|part| part == numbered));
        times.extend(lines.map(|_| now));
        bytes.drain(..end);
    }
    times
}

#[test]
#[ignore = "it measures"]
fn echo_is_on_the_disk_soon() {
    let folder = Folder::new("echo");
    let server = start(&folder);
    let people: Vec<Peer> = (0..TALKERS).map(|n| server.member(&format!("p{n}"))).collect();
    let sockets: Vec<TcpStream> =
        people.iter().map(|peer| peer.socket().try_clone().unwrap()).collect();
    let [echoes, stored] = thread::scope(|scope| {
        let mut first = sockets[0].try_clone().unwrap();
        for socket in &sockets[1..] {
            scope.spawn(move || {
                let (mut socket, mut bytes) = (socket, [0; 64 << 10]);
                while socket.read(&mut bytes).is_ok_and(|count| count > 0) {}
            });
        }
        let echoes = scope.spawn(move || {
            let mut chunk = [0; 64 << 10];
            let read = |bytes: &mut Vec<u8>| {
                let count = first.read(&mut chunk).expect("lines come");
                bytes.extend_from_slice(&chunk[..count]);
            };
            watch(read, COUNT)
        });
        let dir = &folder.0;
        let stored = scope.spawn(move || {
            let mut files: Vec<(PathBuf, File)> = Vec::new();
            let read = |bytes: &mut Vec<u8>| {
                thread::sleep(Duration::from_micros(500));
                for path in segments(dir) {
                    if files.iter().all(|(known, _)| *known != path) {
                        let file = File::open(&path).expect("a segment can be read");
                        files.push((path, file));
                    }
                }
                for (_, file) in &mut files {
                    file.read_to_end(bytes).expect("a segment can be read");
                }
            };
            watch(read, COUNT)
        });
        let (begin, text) = (Instant::now(), "x".repeat(60));
        for n in 0..COUNT {
            if n % TALKERS == 0 {
                // The clock paces the talk.
                let due = begin + n * Duration::from_secs(1) / LINES;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let mut socket = &sockets[(n % TALKERS) as usize];
            writeln!(socket, "MSG line {n} {text}").expect("it is heard");
        }
        let times = [echoes.join().unwrap(), stored.join().unwrap()];
        sockets.iter().for_each(|socket| _ = socket.shutdown(Shutdown::Both));
        times
    });
    let pairs = stored.iter().zip(&echoes);
    told("echo to disk", pairs.map(|(disk, echo)| disk.saturating_duration_since(*echo)).collect());
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "chat"));
    paths.sort();
    paths
}

#[test]
#[ignore = "it measures"]
fn crowd_comes_back_soon() {
    let folder = Folder::new("crowd");
    let mut server = start(&folder);
    let (mut ana, text) = (server.member("ana"), "x".repeat(60));
    (1..=200).for_each(|n| ana.says(format!("MSG {n} {text}")));
    ana.skips_to(&format!("FROM ana [all]: 200 {text}"));
    server.process.signal("TERM"); // It writes down the last line.
    server.process.wait();
    let room = fs::read_to_string(folder.0.join("room")).unwrap();
    let term = room.trim_end().split_once(' ').unwrap().1.to_string();
    let server = start(&folder);
    let begin = Instant::now();
    let mut people: Vec<(u64, Peer)> = (0..CROWD).map(|n| (n, server.connect())).collect();
    for (n, peer) in &mut people {
        peer.sends(format!("CAP history\nSINCE {term} {}\nNICK p{n}\n", *n % 200));
    }
    let mut times = Vec::new();
    for (_, peer) in &mut people {
        peer.skips_to(&format!("Now: {term} 200"));
        times.push(begin.elapsed());
    }
    told("back, with what was missed", times);
    println!("memory of the server: {:?} KiB", server.process.peak_memory());
}

#[test]
#[ignore = "it measures"]
fn searches_delay_no_talk() {
    let folder = Folder::new("search");
    drop(start(&folder));
    let ([all, each], mut number) = (STORE, 1);
    for _ in 0..all / each - 1 {
        let (first, mut lines) = (number, String::new());
        while lines.len() < each {
            lines +=
                &format!("{number} 1764340012345 FROM ana [all]: line {number} of many words,");
            lines += " and some of them are said again and again by everybody\n";
            number += 1;
        }
        fs::write(folder.0.join(format!("{first:020}.chat")), lines).unwrap();
    }
    let begin = Instant::now();
    let server = start(&folder);
    println!("{number} lines, open after {:?}", begin.elapsed());
    let mut people: Vec<Peer> = (0..100).map(|n| server.member(&format!("p{n}"))).collect();
    let mut talk = |name: &str| {
        let begin = Instant::now();
        let times: Vec<Duration> = thread::scope(|scope| {
            let talks = people.iter_mut().zip(0..).map(|(peer, who)| {
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while begin.elapsed() < TALK {
                        let n = times.len();
                        let said = Instant::now();
                        peer.says(format!("MSG {n}"));
                        peer.skips_to(&format!("FROM p{who} [all]: {n}"));
                        times.push(said.elapsed());
                        thread::sleep(Duration::from_millis(20));
                    }
                    times
                })
            });
            let talks: Vec<_> = talks.collect();
            talks.into_iter().flat_map(|talk| talk.join().unwrap()).collect()
        });
        told(name, times);
    };
    talk("echoes without searches");
    let mut seekers: Vec<Peer> = (0..20).map(|_| server.guest()).collect();
    for (peer, n) in seekers.iter_mut().zip(0..) {
        peer.says(format!("CAP history\nNICK s{n}"));
        while !peer.line().starts_with("Now: ") {}
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let searching = scope.spawn(|| {
            let mut times = Vec::new();
            let words = ["nowhere", "line 77", "não", "everybody"];
            for (peer, n) in seekers.iter_mut().zip(0_usize..) {
                for word in (0..5).map(|m| words[(n + m) % words.len()]) {
                    let asked = Instant::now();
                    peer.says(format!("FIND {word}"));
                    while !peer.line().starts_with("Found: ") {}
                    times.push(asked.elapsed());
                    if over.load(Ordering::Relaxed) {
                        return times;
                    }
                }
            }
            times
        });
        talk("echoes beside searches");
        over.store(true, Ordering::Relaxed);
        told("searches", searching.join().unwrap());
    });
}
