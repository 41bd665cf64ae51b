//! Rooms at several servers, with a list of entries as their log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::room::{Followed, FollowerId, Reading, Rules};

/// The nicks that people want, some of them in other spellings.
const NICKS: [&str; 8] = ["ana", "Ana", "ANA", "joao", "rui", "bia", "Bia", "zé"];

/// The trouble of an evening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Entries are read late, batches come twice, servers die, stand still and come.
    Servers,
    /// The same, and the log loses what came last.
    LostTail,
    /// The same, and there are two logs for a while.
    TwoEngines,
}

/// An entry of the log, while it is not lost.
struct Logged {
    id: EntryId,
    engine: usize,
    text: String,
    lost: bool,
}

struct Person {
    id: SessionId,
    /// Names the person in texts.
    tag: usize,
    /// The lines that it has yet to say.
    wants: VecDeque<String>,
    said: usize,
    read: Vec<u8>,
}

struct Site {
    room: Room,
    engine: usize,
    /// How much of the log it has read.
    read: usize,
    still: u32,
    people: Vec<Person>,
    follower: FollowerId,
    heard: Vec<u8>,
}

struct World {
    rng: fastrand::Rng,
    now: Duration,
    log: Vec<Logged>,
    sites: Vec<Site>,
    tags: usize,
    servers: u64,
    /// The persons whose server was taken for gone while the log lost something. Lines of
    /// that moment may come twice.
    doubtful: BTreeSet<usize>,
    /// All that was read in private: receivers and texts.
    private: BTreeMap<usize, Vec<String>>,
}

impl World {
    fn new(seed: u64) -> World {
        let rng = fastrand::Rng::with_seed(seed);
        let mut world = World {
            rng,
            now: Duration::from_secs(1000),
            log: Vec::new(),
            sites: Vec::new(),
            tags: 0,
            servers: 0,
            doubtful: BTreeSet::new(),
            private: BTreeMap::new(),
        };
        for _ in 0..world.rng.usize(2..5) {
            world.start();
        }
        world
    }

    /// A server starts.
    fn start(&mut self) {
        self.servers += 1;
        let mut room = Room::new(Rules {
            recall: 50,
            term: format!("term{}", self.servers),
            ..Rules::default()
        });
        room.share(self.servers);
        room.tick(self.now);
        let follower = room.follow();
        let (people, heard) = (Vec::new(), Vec::new());
        self.sites.push(Site { room, engine: 0, read: 0, still: 0, people, follower, heard });
    }

    /// The log gets what a server has to say now.
    fn append(&mut self, site: usize) {
        let now = self.now;
        let twice = self.rng.u8(..) < 20;
        let site = &mut self.sites[site];
        if let Some(text) = site.room.take_entry(now) {
            let millis = now.as_millis() as u64;
            for _ in 0..1 + usize::from(twice) {
                let number = match self.log.last() {
                    Some(last) if last.id.0 >= millis => (last.id.0, last.id.1 + 1),
                    _ => (millis, 0),
                };
                let (engine, text) = (site.engine, text.clone());
                self.log.push(Logged { id: number, engine, text, lost: false });
            }
        }
    }

    /// A server reads some of the log, and its people what comes of that.
    fn read(&mut self, at: usize, most: usize) {
        let site = &mut self.sites[at];
        for _ in 0..most {
            let Some(entry) = self.log.get(site.read) else { break };
            site.read += 1;
            let me = |room: &Room| room.order.as_ref().map(|order| order.me);
            let before = me(&site.room);
            if !entry.lost && entry.engine == site.engine {
                site.room.ordered(entry.id, entry.text.as_bytes(), self.now);
            }
            if me(&site.room) != before {
                self.doubtful.extend(site.people.iter().map(|person| person.tag));
            }
        }
        site.room.take_effects();
        for person in &mut site.people {
            while let Some(line) = person.wants.front() {
                if site.room.holds(person.id, Ok(line.as_bytes())) {
                    break;
                }
                site.room.hear(person.id, Ok(line.as_bytes()), self.now);
                person.wants.pop_front();
            }
            while site.room.read(person.id, &mut person.read) == Reading::Some {}
        }
        while site.room.read_on(site.follower, &mut site.heard) == Followed::Some {}
    }

    /// A person does something.
    fn act(&mut self, at: usize) {
        let site = &mut self.sites[at];
        if site.people.len() < 4 && self.rng.u8(..) < 60 {
            let id = site.room.enter();
            let nick = format!("NICK {}", self.rng.choice(NICKS).unwrap());
            self.tags += 1;
            let wants = [nick].into();
            site.people.push(Person { id, tag: self.tags, wants, said: 0, read: Vec::new() });
        }
        let Some(index) = self.rng.choice(0..site.people.len()) else { return };
        let person = &mut site.people[index];
        if person.wants.len() > 8 {
            return;
        }
        let nick = NICKS[self.rng.usize(..NICKS.len())];
        let text = format!("t{} {}", person.tag, person.said);
        match self.rng.u8(..) {
            0..160 => {
                person.said += 1;
                person.wants.push_back(format!("MSG {text}"));
            }
            160..200 => {
                person.said += 1;
                person.wants.push_back(format!("MSG @{nick} {text}"));
            }
            200..225 => person.wants.push_back(format!("NICK {nick}")),
            225..235 => person.wants.push_back("WHO".into()),
            235..245 => person.wants.push_back("QUIT".into()),
            245..250 => site.room.input_ended(person.id),
            250.. => self.remove(at, index),
        }
    }

    /// The connection of a person is gone.
    fn remove(&mut self, at: usize, index: usize) {
        let site = &mut self.sites[at];
        let person = site.people.remove(index);
        site.room.connection_ended(person.id);
        site.room.leave(person.id);
        self.keep_private(&person);
    }

    fn keep_private(&mut self, person: &Person) {
        let read = String::from_utf8_lossy(&person.read);
        let private = read.lines().filter_map(|line| Some(line.split_once(" [dm]: t")?.1.into()));
        self.private.entry(person.tag).or_default().extend(private);
    }

    fn step(&mut self, trouble: Trouble) {
        self.now += Duration::from_millis(self.rng.u64(0..200));
        let at = self.rng.usize(..self.sites.len());
        if self.sites[at].still > 0 {
            self.sites[at].still -= 1;
            return;
        }
        match self.rng.u16(..1000) {
            0..400 => self.act(at),
            400..680 => self.append(at),
            680..970 => {
                let most = self.rng.usize(1..20);
                self.read(at, most);
            }
            970..973 if self.sites.len() > 1 => {
                self.sites.remove(at);
            }
            973..976 if self.sites.len() < 5 => self.start(),
            976..980 => self.sites[at].still = self.rng.u32(1..60),
            980..985 => self.sites[at].room.doubt(),
            985..988 if trouble != Trouble::Servers => {
                let lost = self.rng.usize(..6).min(self.log.len());
                let from = self.log.len() - lost;
                self.log[from..].iter_mut().for_each(|entry| entry.lost = true);
                self.sites.iter_mut().for_each(|site| site.room.doubt());
            }
            988..991 if trouble == Trouble::TwoEngines => {
                self.sites[at].engine = 1;
                self.sites[at].room.doubt();
            }
            991..994 => self.meet(),
            _ => (),
        }
    }

    /// All servers use one engine again.
    fn meet(&mut self) {
        for site in &mut self.sites {
            if site.engine != 0 {
                site.engine = 0;
                site.room.doubt();
            }
        }
    }

    /// All servers run until nothing is under way, and long enough to miss the dead.
    fn calm(&mut self) {
        self.meet();
        for site in &mut self.sites {
            site.still = 0;
        }
        for _ in 0..200 {
            self.now += Duration::from_millis(100);
            for at in 0..self.sites.len() {
                for _ in 0..4 {
                    self.append(at);
                    self.read(at, usize::MAX);
                }
            }
        }
    }

    fn check(&mut self, trouble: Trouble, seed: u64) {
        let context = format!("seed {seed}, {trouble:?}");
        let mut members: BTreeSet<String> = BTreeSet::new();
        for site in &self.sites {
            assert!(site.room.is_open(), "{context}: a server is open");
            assert!(site.room.has_settled(), "{context}: nothing is under way");
            for person in &site.people {
                assert!(person.wants.is_empty(), "{context}: {:?} wait", person.wants);
                if let Some(nick) = site.room.nick(person.id) {
                    assert!(members.insert(nick.to_string()), "{context}: two are {nick}");
                }
            }
        }
        for site in &self.sites {
            let nicks: BTreeSet<String> = site.room.nicks().map(|(nick, _)| nick.into()).collect();
            assert_eq!(nicks, members, "{context}: the members at a server");
        }
        let heard: Vec<Vec<String>> = self.sites.iter().map(|site| said(&site.heard)).collect();
        let last = self.sites[0].room.last_number();
        for (site, heard) in self.sites.iter().zip(&heard) {
            self.once_and_in_order(heard, trouble, &context);
            assert_eq!(site.room.last_number(), last, "{context}: the numbers");
        }
        let longest = heard.iter().max_by_key(|lines| lines.len()).unwrap();
        if trouble != Trouble::TwoEngines {
            for lines in &heard {
                let all: BTreeSet<&String> = longest.iter().collect();
                let missing: Vec<_> = lines.iter().filter(|line| !all.contains(line)).collect();
                assert!(missing.is_empty(), "{context}: {missing:?} are at one server only");
            }
        }
        if trouble == Trouble::Servers {
            for lines in &heard {
                assert_eq!(lines, longest, "{context}: the order of the lines");
            }
        }
        for site in std::mem::take(&mut self.sites) {
            site.people.iter().for_each(|person| self.keep_private(person));
        }
        for lines in self.private.values() {
            self.once_and_in_order(lines, trouble, &context);
        }
    }

    /// Each line is there once, and those of one person in their order.
    fn once_and_in_order(&self, lines: &[String], trouble: Trouble, context: &str) {
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for line in lines {
            let (tag, number) = line.split_once(' ').expect("the text of a person");
            let number: usize = number.parse().expect("the number of a text");
            if trouble != Trouble::Servers && self.doubtful.contains(&tag.parse().unwrap()) {
                continue;
            }
            if let Some(before) = last.insert(tag, number) {
                assert!(before < number, "{context}: t{tag} says {number} after {before}");
            }
        }
    }
}

/// The messages to all in what a follower has read.
fn said(heard: &[u8]) -> Vec<String> {
    let heard = String::from_utf8_lossy(heard);
    heard.lines().filter_map(|line| Some(line.split_once(" [all]: t")?.1.into())).collect()
}

fn play(seed: u64, trouble: Trouble) {
    let mut world = World::new(seed);
    for _ in 0..600 {
        world.step(trouble);
    }
    world.calm();
    world.check(trouble, seed);
}

/// Plays many evenings; `MINICHAT_SEEDS` is how many.
fn play_all(trouble: Trouble) {
    let seeds = std::env::var("MINICHAT_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    (0..seeds.unwrap_or(60)).for_each(|seed| play(seed, trouble));
}

#[test]
fn servers_that_die_and_stand_still_agree() {
    play_all(Trouble::Servers);
}

#[test]
fn servers_agree_after_the_log_lost_its_tail() {
    play_all(Trouble::LostTail);
}

#[test]
fn servers_agree_after_two_engines_met() {
    play_all(Trouble::TwoEngines);
}
