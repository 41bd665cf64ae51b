//! A long evening in a full room: it costs no more memory at its end than at its
//! beginning, leaves no socket behind, and loses no line.
//!
//! `cargo test --release --test it -- --ignored --nocapture soak` takes ten
//! minutes; `MINICHAT_SOAK_SECS` is another length, to try it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{GREETING, PATIENCE, Peer, Server};

/// A member that stays from the first line to the last.
const PEOPLE: usize = 50;
/// How many lines all of them say in one second.
const LINES: u32 = 500;
/// How many lines a visitor reads: about a second. One comes every other second.
const VISIT: u32 = LINES;
/// The lines that are said.
const TEXT: &str = "the quick brown fox jumps over the lazy dog and is not seen again";
/// In this long everything that grows at first has grown.
const MATURE: u32 = 300;

#[test]
#[ignore = "it takes ten minutes"]
fn long_evening_leaks_nothing_and_loses_no_line() {
    let seconds = match std::env::var("MINICHAT_SOAK_SECS") {
        Ok(seconds) => seconds.parse().expect("it is a number of seconds"),
        Err(_) => 600,
    };
    let minute = (seconds / 10).max(1);
    let mut server = Server::start(&[]);
    let own = server.descriptors();

    let people: Vec<Peer> = (0..PEOPLE).map(|who| server.member(&nick(who))).collect();
    let mut mouths: Vec<TcpStream> = people
        .iter()
        .map(|peer| peer.socket().try_clone().expect("a socket can be shared"))
        .collect();
    let mut memory = Vec::new();
    let mut stalled = Vec::new();
    let begin = Instant::now();
    let accounts = thread::scope(|scope| {
        let listening: Vec<_> = people
            .into_iter()
            .map(|peer| scope.spawn(move || Account::new().keep(peer, seconds * LINES, begin)))
            .collect();
        let mut visits = Vec::new();
        for n in 0..seconds * LINES {
            // The clock paces the talk; nothing is waited for.
            let due = begin + n * Duration::from_secs(1) / LINES;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let who = n as usize % PEOPLE;
            let line = message(n / PEOPLE as u32, begin.elapsed());
            mouths[who].write_all(line.as_bytes()).expect("they are heard");
            if n % LINES > 0 {
                continue;
            }
            let second = n / LINES;
            memory.extend(server.process.memory());
            assert!(listening.iter().all(|listener| !listener.is_finished()), "one has stopped");
            if second.is_multiple_of(2) {
                let address = server.address;
                visits.push(scope.spawn(move || visit(address, second, begin)));
            }
            if second % minute == minute / 4 {
                // A client comes and reads nothing at all.
                let mut peer = Peer::with_little_room(server.address);
                peer.says(format!("NICK stalled-{}", stalled.len()));
                stalled.push(peer);
            }
        }
        visits.into_iter().for_each(|visit| visit.join().expect("a visitor reads every line"));
        let listened = listening.into_iter().map(|listener| listener.join());
        listened.map(|account| account.expect("everybody reads every line")).collect::<Vec<_>>()
    });

    let said: Vec<u32> = vec![seconds * LINES / PEOPLE as u32; PEOPLE];
    let order = accounts[0].order.finish();
    for account in &accounts {
        let heard: Vec<u32> = account.next.iter().map(|next| next.unwrap_or(0)).collect();
        assert_eq!(heard, said, "what everybody has heard of each");
        assert_eq!(account.order.finish(), order, "all have heard it in one order");
    }

    let late = accounts.iter().map(|account| account.late).max().unwrap_or_default();
    eprintln!("{seconds} s, {} lines; the latest was {late:?} late", seconds * LINES);
    assert!(late <= Duration::from_secs(1), "somebody who reads was held up for {late:?}");
    let most = |from: u32, to: u32| memory.get(from as usize..to as usize)?.iter().max().copied();
    if let (Some(early), Some(end)) = (most(minute, 2 * minute), most(seconds - minute, seconds)) {
        eprintln!("memory: {early} KiB in the second tenth, {end} KiB in the last");
        assert!(seconds < MATURE || 10 * end <= 11 * early, "it grows: {memory:?}");
    }

    // The client that did not read was let go, and the operator was told why.
    for n in 0..stalled.len() {
        let line = server.process.stderr.find(&format!("stalled-{n}"));
        assert!(line.contains("nothing in 10 s") || line.contains("bytes behind"), "{line}");
    }
    let sleepers = stalled.len();
    drop((mouths, stalled));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open = server.process.descriptors();
        if open <= own {
            break eprintln!("descriptors at the beginning and at the end: {own:?}, {open:?}");
        }
        assert!(Instant::now() < deadline, "{open:?} descriptors, not {own:?}");
        thread::yield_now();
    }

    server.still_serves();
    server.process.signal("TERM");
    let output = server.process.output();
    assert_eq!(output.status, Some(0));
    assert_eq!(output.stderr.lines().count(), sleepers, "nobody else was cut off");
}

/// The lines that one person has heard of the others.
struct Account {
    /// The next line that is due from each; none before the first.
    next: Vec<Option<u32>>,
    /// Stands for all that was heard, in its order.
    order: DefaultHasher,
    /// How long the slowest line took.
    late: Duration,
}

impl Account {
    fn new() -> Account {
        Account { next: vec![None; PEOPLE], order: DefaultHasher::new(), late: Duration::ZERO }
    }

    /// Reads so many lines and then, while it leaves, what more there is.
    fn keep(mut self, mut peer: Peer, lines: u32, begin: Instant) -> Account {
        let mut heard = 0;
        loop {
            let line = peer.line();
            if line == "BYE" {
                peer.ends();
                return self;
            }
            let Some(message) = line.strip_prefix("FROM u") else {
                assert!(line.starts_with("User "), "{line:?}");
                continue;
            };
            self.hear(&line, message, begin);
            heard += 1;
            if heard == lines {
                peer.says("QUIT");
            }
        }
    }

    fn hear(&mut self, line: &str, message: &str, begin: Instant) {
        let mut words = message.split(' ').map(|word| word.parse().ok());
        let (Some(who), _, Some(n), Some(then)) =
            (words.next().flatten(), words.next(), words.next().flatten(), words.next().flatten())
        else {
            panic!("nobody says {line:?}");
        };
        let next = self.next[who as usize].get_or_insert(n as u32);
        assert_eq!(n as u32, *next, "the next line of {who}: {line:?}");
        *next += 1;
        assert!(line.ends_with(TEXT), "{line:?}");
        line.hash(&mut self.order);
        self.late = self.late.max(begin.elapsed().saturating_sub(Duration::from_micros(then)));
    }
}

/// A client that comes for a second.
fn visit(address: SocketAddr, number: u32, begin: Instant) {
    let mut peer = Peer::connect(address);
    peer.reads(GREETING);
    peer.says(format!("NICK visitor-{number}"));
    peer.reads(format!("OK welcome visitor-{number}"));
    Account::new().keep(peer, VISIT, begin);
}

fn nick(who: usize) -> String {
    format!("u{who}")
}

fn message(n: u32, time: Duration) -> String {
    format!("MSG {n} {} {TEXT}\n", time.as_micros())
}
