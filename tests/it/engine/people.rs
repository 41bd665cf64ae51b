//! People that talk at several servers, and what they must have heard.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Finally, PATIENCE, Peer};

/// How far a member talks ahead of its own lines, in lines.
const AHEAD: usize = 30;
/// The pause between two lines of a member that talks.
const PAUSE: Duration = Duration::from_millis(10);
/// How long all lines may take to arrive after everything is mended.
const MENDED: Duration = Duration::from_secs(60);

/// A client whose lines are read as they come.
pub struct Person {
    pub nick: String,
    /// The number of the server.
    pub home: usize,
    stream: TcpStream,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<(Instant, String)>,
    ended: bool,
}

impl Person {
    /// A guest, over a connection of any kind.
    pub fn new(peer: &Peer, home: usize) -> Person {
        let stream = peer.socket().try_clone().expect("a socket can be shared");
        stream.set_read_timeout(None).expect("a deadline can be removed");
        let heard = Arc::new(Heard::default());
        let (lines, ear) = (stream.try_clone().expect("a socket can be shared"), heard.clone());
        thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                ear.state.lock().expect("nobody panicked").lines.push((Instant::now(), line));
                ear.changed.notify_all();
            }
            ear.state.lock().expect("nobody panicked").ended = true;
            ear.changed.notify_all();
        });
        Person { nick: String::new(), home, stream, heard }
    }

    /// Says a line. A server that is dead hears it no more.
    pub fn says(&self, line: &str) {
        (&self.stream).write_all(format!("{line}\n").as_bytes()).ok();
    }

    /// Waits until the lines so far are as they should be.
    #[track_caller]
    pub fn until(&self, patience: Duration, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.until_or(patience, |lines, _| done(lines)).unwrap_or_else(|lines| {
            let last = lines.len().saturating_sub(5);
            panic!("{} has heard {} lines, last {:?}", self.nick, lines.len(), &lines[last..])
        })
    }

    fn until_or(
        &self,
        patience: Duration,
        done: impl Fn(&[String], bool) -> bool,
    ) -> Result<Vec<String>, Vec<String>> {
        let deadline = Instant::now() + patience;
        let mut state = self.heard.state.lock().expect("nobody panicked");
        let mut lines: Vec<String> = Vec::new();
        loop {
            lines.extend(state.lines[lines.len()..].iter().map(|(_, line)| line.clone()));
            if done(&lines, state.ended) {
                return Ok(lines);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(lines);
            }
            state = self.heard.changed.wait_timeout(state, left).expect("nobody panicked").0;
        }
    }

    /// Waits for a line with this in it.
    #[track_caller]
    pub fn finds(&self, part: &str) -> String {
        self.finds_within(PATIENCE, part)
    }

    #[track_caller]
    pub fn finds_within(&self, patience: Duration, part: &str) -> String {
        let lines = self.until(patience, |lines| lines.iter().any(|line| line.contains(part)));
        lines.into_iter().find(|line| line.contains(part)).expect("it was found")
    }

    /// Waits for the end of the connection.
    #[track_caller]
    pub fn ends(&self) {
        let ended = self.until_or(PATIENCE, |_, ended| ended);
        assert!(ended.is_ok(), "{} is not let go", self.nick);
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        let state = self.heard.state.lock().expect("nobody panicked");
        state.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// When the lines came that begin and end like this.
    pub fn times(&self, begin: &str, end: &str) -> Vec<Instant> {
        let state = self.heard.state.lock().expect("nobody panicked");
        let meant =
            state.lines.iter().filter(|(_, line)| line.starts_with(begin) && line.ends_with(end));
        meant.map(|(time, _)| *time).collect()
    }

    /// Forgets the lines so far.
    pub fn forgets(&self) {
        self.heard.state.lock().expect("nobody panicked").lines.clear();
    }

    /// Asks for a nick, and waits until it is theirs.
    #[track_caller]
    pub fn registers(&mut self, nick: &str) {
        self.nick = nick.into();
        self.says(&format!("NICK {nick}"));
        self.finds(&format!("OK welcome {nick}"));
    }

    /// The answer to `WHO`: the nicks, in the order of the list.
    #[track_caller]
    pub fn list(&self) -> Vec<String> {
        let answers = |lines: &[String]| {
            lines.iter().filter(|line| line.starts_with("Connected users: ")).count()
        };
        let before = answers(&self.lines());
        self.says("WHO");
        let lines = self.until(PATIENCE, |lines| answers(lines) > before);
        let line = lines.iter().rfind(|line| line.starts_with("Connected users: "));
        let (_, nicks) = line.and_then(|line| line.split_once(": ")).expect("it was found");
        nicks.split(", ").map(Into::into).collect()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok(); // The server may have closed it.
    }
}

/// Lets everybody in, and waits until all know that.
#[track_caller]
pub fn gather(people: &mut [Person]) {
    for (number, person) in people.iter_mut().enumerate() {
        let nick = format!("p{}x{number}", person.home);
        person.nick.clone_from(&nick);
        person.says(&format!("NICK {nick}"));
    }
    for person in people.iter() {
        person.finds(&format!("OK welcome {}", person.nick));
    }
    // There is one order, so all others joined before this.
    people[0].says("MSG all are here");
    for person in people.iter() {
        person.finds("[all]: all are here");
        person.forgets();
    }
}

/// Everybody talks, in public and in private, until `fate` is over and each has said so many
/// lines. Returns how many that were.
#[track_caller]
pub fn talk_during(people: &[Person], least: usize, fate: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    let talk = || {
        let mut number = 0;
        while !over.load(Ordering::SeqCst) || number < least {
            for (at, person) in people.iter().enumerate() {
                person.says(&format!("MSG {} {number}", person.nick));
                let to = &people[(at + 1 + number) % people.len()];
                person.says(&format!("MSG @{} {} private {number}", to.nick, person.nick));
            }
            number += 1;
            thread::sleep(PAUSE); // People do not talk faster.
            while number > AHEAD
                && !over.load(Ordering::SeqCst)
                && !people.iter().any(|person| said(person, number - AHEAD))
            {
                thread::sleep(PAUSE);
            }
        }
        number
    };
    thread::scope(|scope| {
        let talk = scope.spawn(talk);
        {
            let _over = Finally(|| over.store(true, Ordering::SeqCst));
            fate();
        }
        talk.join().expect("talking does not panic")
    })
}

/// Whether a person has heard their own line of this number.
fn said(person: &Person, number: usize) -> bool {
    let line = own_line(person, number - 1);
    let state = person.heard.state.lock().expect("nobody panicked");
    state.lines.iter().rev().any(|(_, heard)| *heard == line)
}

fn own_line(person: &Person, number: usize) -> String {
    format!("FROM {0} [all]: {0} {number}", person.nick)
}

/// The public lines of this talk that a person has heard.
pub fn public(lines: &[String]) -> Vec<&String> {
    let of_talk = |line: &&String| {
        let Some((from, text)) =
            line.strip_prefix("FROM ").and_then(|rest| rest.split_once(" [all]: "))
        else {
            return false;
        };
        text.strip_prefix(from)
            .and_then(|rest| rest.strip_prefix(' '))
            .is_some_and(|number| number.parse::<usize>().is_ok())
    };
    lines.iter().filter(of_talk).collect()
}

/// Everybody has heard all that was said, once, and in each sender's order; in one order if
/// that is promised. A private line may be missing if its sender was told so.
#[track_caller]
pub fn check(people: &[Person], number: usize, one_order: bool) {
    let wanted: BTreeSet<String> = people
        .iter()
        .flat_map(|person| (0..number).map(|number| own_line(person, number)))
        .collect();
    let mut orders = Vec::new();
    for person in people {
        let complete = |lines: &[String], _| {
            lines.len() >= wanted.len() && public(lines).len() >= wanted.len()
        };
        let lines = match person.until_or(MENDED, complete) {
            Ok(lines) => lines,
            Err(lines) => {
                let heard: BTreeSet<&String> = public(&lines).into_iter().collect();
                let missing: Vec<_> = wanted.iter().filter(|line| !heard.contains(line)).collect();
                panic!("{} misses {} lines: {:?}", person.nick, missing.len(), missing.first());
            }
        };
        let heard: Vec<String> = public(&lines).into_iter().cloned().collect();
        let distinct: BTreeSet<String> = heard.iter().cloned().collect();
        assert_eq!(distinct.len(), heard.len(), "{} hears lines twice", person.nick);
        assert_eq!(distinct, wanted, "{} hears other lines", person.nick);
        orders.push(heard);
    }
    if one_order {
        for (person, order) in people.iter().zip(&orders) {
            let differs = order.iter().zip(&orders[0]).find(|(one, other)| one != other);
            assert_eq!(differs, None, "{} hears another order than the first", person.nick);
        }
    }
    check_private(people, number);
}

/// The private lines are there, once, and each sender's lines are in the order sent.
#[track_caller]
fn check_private(people: &[Person], number: usize) {
    let mut expected: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (at, person) in people.iter().enumerate() {
        for line in 0..number {
            let to = &people[(at + 1 + line) % people.len()];
            let text = format!("FROM {0} [dm]: {0} private {line}", person.nick);
            expected.entry(&to.nick).or_default().insert(text);
        }
    }
    let lines: Vec<Vec<String>> = people.iter().map(Person::lines).collect();
    let told = lines.iter().flatten().filter(|line| *line == "ERR user_not_found").count();
    let mut missing = 0;
    for (person, lines) in people.iter().zip(&lines) {
        let private: Vec<&String> =
            lines.iter().filter(|line| line.contains(" private ")).collect();
        let distinct: BTreeSet<String> = private.iter().map(|line| (*line).clone()).collect();
        assert_eq!(distinct.len(), private.len(), "{} hears private lines twice", person.nick);
        missing += expected[&*person.nick].difference(&distinct).count();
        for sender in people {
            let begin = format!("FROM {} ", sender.nick);
            let order: Vec<usize> = lines
                .iter()
                .filter(|line| line.starts_with(&begin))
                .filter_map(|line| {
                    let number: usize = line.rsplit_once(' ')?.1.parse().ok()?;
                    Some(2 * number + usize::from(line.contains(" [dm]: ")))
                })
                .collect();
            assert!(order.is_sorted(), "{} hears {} out of order", person.nick, sender.nick);
        }
    }
    assert_eq!(missing, told, "private lines are missing without a word");
}

/// No member saw another one come or go, or read of an error.
#[track_caller]
pub fn check_calm(people: &[Person]) {
    for person in people {
        let noise = person
            .lines()
            .into_iter()
            .find(|line| line.starts_with("User ") || line.starts_with("ERR "));
        assert_eq!(noise, None, "{} notices", person.nick);
    }
}
