//! As many people as the system has descriptors for, on four servers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::process::{Engine, Kind, programs};
use super::server_with;
use crate::harness::{PATIENCE, Server};

const PEOPLE: usize = 10_000;
const SERVERS: usize = 4;
/// The descriptors that are not for clients.
const SPARE: u64 = 300;
/// The lines that are said to all.
const LINES: usize = 200;

/// A member whose lines are counted and hashed as they come.
struct Listener {
    stream: TcpStream,
    rest: Vec<u8>,
    welcome: bool,
    /// The first line of the talk was heard.
    began: bool,
    ended: bool,
    hash: DefaultHasher,
    lines: usize,
    /// The nicks of the last list, and how many it leaves out.
    listed: usize,
    others: usize,
    /// The list is told to its end.
    answered: bool,
}

impl Listener {
    fn hear(&mut self, line: &str) {
        self.welcome |= line.starts_with("OK welcome ");
        self.began |= line.ends_with(" [all]: begin");
        if self.began && !self.ended && (line.starts_with("FROM ") || line.starts_with("User ")) {
            line.hash(&mut self.hash);
            self.lines += 1;
        }
        self.ended |= line.ends_with(" [all]: end");
        self.answered |= line.ends_with(" [dm]: asked");
        if let Some(nicks) = line.strip_prefix("Connected users: ") {
            self.listed += nicks.split(", ").count();
        }
        if let Some(others) = line.strip_prefix("FROM server [dm]: and ") {
            let number = others.split(' ').next().expect("a number").replace(',', "");
            self.others = number.parse().expect("a number");
        }
    }
}

struct Crowd {
    poll: Poll,
    people: Vec<Listener>,
}

impl Crowd {
    fn new() -> Crowd {
        Crowd { poll: Poll::new().expect("a poll can be made"), people: Vec::new() }
    }

    fn connect(&mut self, server: &Server) {
        let number = self.people.len();
        let stream = std::net::TcpStream::connect(server.address).expect("it accepts connections");
        stream.set_nonblocking(true).expect("it can be non-blocking");
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE;
        self.poll.registry().register(&mut stream, Token(number), interest).expect("a place");
        self.people.push(Listener {
            stream,
            rest: Vec::new(),
            welcome: false,
            began: false,
            ended: false,
            hash: DefaultHasher::new(),
            lines: 0,
            listed: 0,
            others: 0,
            answered: false,
        });
    }

    fn says(&mut self, number: usize, line: &str) {
        let sent = self.people[number].stream.write(format!("{line}\n").as_bytes());
        assert_eq!(sent.expect("there is room for a line"), line.len() + 1);
    }

    /// Reads what comes until all of it was heard.
    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&[Listener]) -> bool) {
        let deadline = Instant::now() + 10 * PATIENCE;
        let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 256 << 10]);
        while !done(&self.people) {
            assert!(Instant::now() < deadline, "it takes too long");
            self.poll.poll(&mut events, Some(Duration::from_millis(100))).expect("it polls");
            for event in &events {
                let person = &mut self.people[event.token().0];
                loop {
                    match person.stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => person.rest.extend_from_slice(&buffer[..count]),
                        Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                        Err(_) => break, // Its server was killed.
                    }
                }
                let whole =
                    person.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                let lines: Vec<u8> = person.rest.drain(..whole).collect();
                let lines = String::from_utf8(lines).expect("lines are UTF-8");
                lines.lines().for_each(|line| person.hear(line));
            }
        }
    }
}

#[test]
#[ignore = "it takes a minute and many descriptors, and prints figures"]
fn ten_thousand_people_on_four_servers_hear_one_order() {
    let Some(program) = programs().into_iter().next() else { return };
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let number = PEOPLE.min(files.saturating_sub(SPARE) as usize) / SERVERS * SERVERS;
    let engine = Engine::start(program, Kind::Tcp, true);
    let options = ["--max-users", "0", "--no-web"];
    let mut servers: Vec<Server> =
        (0..SERVERS).map(|_| server_with(&engine.place, &options)).collect();
    let work = |servers: &[Server]| {
        let servers: u64 = servers.iter().filter_map(|one| one.process.ticks()).sum();
        (servers as f64 / 100.0, engine.ticks().unwrap_or_default() as f64 / 100.0)
    };

    let begin = Instant::now();
    let mut crowd = Crowd::new();
    for at in 0..number {
        crowd.connect(&servers[at % SERVERS]);
        crowd.says(at, &format!("NICK n{at:05}"));
        if at % 500 == 499 {
            crowd.until(|people| people.iter().all(|person| person.welcome));
        }
    }
    crowd.until(|people| people.iter().all(|person| person.welcome));
    let (joined, took) = (work(&servers), begin.elapsed());
    println!("{number} people joined within {took:.1?}; CPU {joined:.2?} s (servers, engine)");

    let begin = Instant::now();
    crowd.says(0, "MSG begin");
    crowd.until(|people| people.iter().all(|person| person.began));
    for line in 0..LINES {
        crowd.says(line * 37 % number, &format!("MSG line {line}"));
        if line % 20 == 19 {
            let heard = line; // All but the last few.
            crowd.until(|people| {
                people.iter().all(|person| person.lines > heard.saturating_sub(40))
            });
        }
    }
    crowd.until(|people| people.iter().all(|person| person.lines > LINES));
    crowd.says(1, "MSG end");
    crowd.until(|people| people.iter().all(|person| person.ended));
    let (talked, took) = (work(&servers), begin.elapsed());
    let deliveries = (LINES + 2) * number;
    let cost = (talked.0 - joined.0) / deliveries as f64 * 1e6;
    println!("{deliveries} deliveries within {took:.1?}; {cost:.2} us of CPU each");
    let first = (crowd.people[0].hash.finish(), LINES + 2);
    for person in &crowd.people {
        assert_eq!((person.hash.finish(), person.lines), first, "all hear one order");
    }

    let victims = number / SERVERS;
    servers.pop().expect("there are four").process.signal("KILL");
    let begin = Instant::now();
    loop {
        let person = &mut crowd.people[0];
        (person.listed, person.others, person.answered) = (0, 0, false);
        crowd.says(0, "WHO");
        crowd.says(0, "MSG @n00000 asked");
        crowd.until(|people| people[0].answered);
        if crowd.people[0].listed + crowd.people[0].others == number - victims {
            break;
        }
        assert!(begin.elapsed() < 2 * PATIENCE, "the people of a dead server stay");
    }
    println!("{victims} people of a dead server are gone after {:.1?}", begin.elapsed());
}
