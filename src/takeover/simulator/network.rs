//! The network of the simulator: machines, connections, multicast and time.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::Mutant;
use super::evening::Notes;
use super::member::Member;
use super::rooms::Message;
use crate::takeover::{TRY, Token};

/// Something that happens later.
pub type Call = Box<dyn FnOnce(&mut World)>;

/// A peer that is gone without a word is noticed after this many seconds.
const NOTICED: (f64, f64) = (4.0, 6.0);
/// More events than any evening has.
const MAX_EVENTS: u32 = 400_000;

struct Event {
    at: f64,
    number: u64,
    call: Call,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The heap gives the greatest: the earliest is that.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.number.cmp(&self.number))
    }
}

/// A connection: end 0 has made it, end 1 has accepted it.
pub struct Connection {
    pub ends: [usize; 2],
    pub lives: [u32; 2],
    pub shut: [bool; 2],
    /// The members of its ends cannot reach each other since then.
    pub cut: Option<f64>,
    /// Nothing that is under way arrives, because one end has lost its power.
    pub dead: bool,
    clear: [f64; 2],
    queue: [VecDeque<Option<Message>>; 2],
    /// Messages of a visitor that waits at a standby's door.
    pub early: Vec<Message>,
    /// A standby has answered before it was asked.
    pub turned_away: Option<(Token, Option<usize>)>,
}

/// All members and what connects them.
pub struct World {
    pub rng: fastrand::Rng,
    pub now: f64,
    pub members: Vec<Member>,
    /// The side of a split network on which each member is.
    pub sides: Vec<bool>,
    pub connections: Vec<Connection>,
    pub mutant: Option<Mutant>,
    /// All lines: the time, the sender, its life, the number, and the room.
    pub log: Vec<(f64, usize, u32, u32, u32)>,
    /// How many rooms were opened, and how many of them beside another host of the same.
    pub openings: u32,
    pub doubles: u32,
    pub notes: Notes,
    pub lost_packets: f64,
    pub lost_multicast: f64,
    heap: BinaryHeap<Event>,
    count: u64,
    /// The connections before this one are over.
    first_open: usize,
}

impl World {
    pub fn new(rng: fastrand::Rng, lost_packets: f64, lost_multicast: f64) -> World {
        World {
            rng,
            now: 0.0,
            members: Vec::new(),
            sides: Vec::new(),
            connections: Vec::new(),
            mutant: None,
            log: Vec::new(),
            openings: 0,
            doubles: 0,
            notes: Notes::default(),
            lost_packets,
            lost_multicast,
            heap: BinaryHeap::new(),
            count: 0,
            first_open: 0,
        }
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.now)
    }

    pub fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.rng.f64()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.rng.f64() < probability
    }

    pub fn at(&mut self, at: f64, call: impl FnOnce(&mut World) + 'static) {
        self.count += 1;
        self.heap.push(Event { at, number: self.count, call: Box::new(call) });
    }

    pub fn later(&mut self, delay: f64, call: impl FnOnce(&mut World) + 'static) {
        self.at(self.now + delay, call);
    }

    /// Something that a program does later, if it still runs. A machine that sleeps does it
    /// when it wakes.
    pub fn after(&mut self, i: usize, delay: f64, call: impl FnOnce(&mut World) + 'static) {
        let life = self.members[i].life;
        self.later(delay, move |world| {
            let member = &mut world.members[i];
            if member.life == life && member.alive {
                match member.asleep {
                    true => member.deferred.push(Box::new(call)),
                    false => call(world),
                }
            }
        });
    }

    pub fn run(&mut self, until: f64) {
        let mut events = 0;
        while self.heap.peek().is_some_and(|event| event.at <= until) {
            events += 1;
            assert!(events < MAX_EVENTS, "a loop at {}", self.now);
            let event = self.heap.pop().expect("it was there");
            self.now = event.at;
            (event.call)(self);
        }
        self.now = until;
    }

    fn delay(&mut self) -> f64 {
        let delay = self.uniform(0.0002, 0.004);
        let late = self.lost_packets;
        if self.chance(late) { delay + 0.2 } else { delay }
    }

    pub fn are_linked(&self, a: usize, b: usize) -> bool {
        let is_up = |i: usize| self.members[i].power && !self.members[i].asleep;
        a == b || (is_up(a) && is_up(b) && self.sides[a] == self.sides[b])
    }

    /// Connects two members, and tells the first whether that worked.
    pub fn connect(
        &mut self,
        a: usize,
        b: usize,
        then: impl FnOnce(&mut World, Option<usize>) + 'static,
    ) {
        let life = self.members[a].life;
        let done = move |world: &mut World, connection: Option<usize>| {
            let member = &world.members[a];
            if member.life == life && member.alive && !member.asleep {
                return then(world, connection);
            }
            if let Some(connection) = connection {
                world.close(connection, 0);
            }
            let member = &mut world.members[a];
            if member.life == life && member.alive {
                // It wakes up to a connection that has failed.
                member.deferred.push(Box::new(|world| then(world, None)));
            }
        };
        let delay = self.delay();
        self.later(delay, move |world| {
            let behind_wall = world.members[b].firewall && a != b;
            if !world.are_linked(a, b) || behind_wall {
                return world.later(TRY.as_secs_f64(), |world| done(world, None));
            }
            let delay = world.delay();
            if !world.members[b].alive {
                return world.later(delay, |world| done(world, None));
            }
            let lives = [a, b].map(|i| world.members[i].life);
            world.connections.push(Connection {
                ends: [a, b],
                lives,
                shut: [false; 2],
                cut: None,
                dead: false,
                clear: [0.0; 2],
                queue: [VecDeque::new(), VecDeque::new()],
                early: Vec::new(),
                turned_away: None,
            });
            let connection = world.connections.len() - 1;
            world.later(delay, move |world| {
                done(world, Some(connection));
                let member = &world.members[b];
                if member.alive && member.life == lives[1] {
                    world.accepted(b, connection);
                }
            });
        });
    }

    pub fn multicast(&mut self, from: usize, call: impl Fn(&mut World, usize) + Clone + 'static) {
        for to in 0..self.members.len() {
            let reached = to != from && self.members[to].alive && self.are_linked(from, to);
            let lost = self.lost_multicast;
            if reached && !self.chance(lost) {
                let (delay, call) = (self.delay(), call.clone());
                self.later(delay, move |world| call(world, to));
            }
        }
    }

    /// Something has happened to links. Programs that are cut off notice that in a while.
    pub fn disturbed(&mut self) {
        let is_over = |connection: &Connection| connection.shut == [true; 2];
        while self.connections.get(self.first_open).is_some_and(is_over) {
            self.first_open += 1;
        }
        for c in self.first_open..self.connections.len() {
            let Connection { ends, lives, shut, cut, .. } = self.connections[c];
            if shut == [true; 2] {
                continue;
            }
            if !self.are_linked(ends[0], ends[1]) {
                if cut.is_none() {
                    let now = self.now;
                    self.connections[c].cut = Some(now);
                    for end in 0..2 {
                        let delay = self.uniform(NOTICED.0, NOTICED.1);
                        self.later(delay, move |world| world.notice(c, end, now));
                    }
                }
                continue;
            }
            self.connections[c].cut = None;
            // One end has given up: the other one is told so.
            for end in 0..2 {
                let member = &self.members[ends[end]];
                let gone = shut[end] || !member.alive || member.life != lives[end];
                if gone && !shut[1 - end] {
                    let delay = self.uniform(0.0, 2.0);
                    self.later(delay, move |world| world.arrive(c, 1 - end, None));
                }
            }
        }
    }

    fn notice(&mut self, c: usize, end: usize, since: f64) {
        let connection = &mut self.connections[c];
        let i = connection.ends[end];
        let member = &self.members[i];
        let over = connection.shut[end] || connection.cut != Some(since);
        if over || member.life != connection.lives[end] {
            return;
        }
        if member.asleep {
            return self.later(0.5, move |world| world.notice(c, end, since));
        }
        if member.alive {
            connection.shut[end] = true;
            self.closed(i, c, end);
        }
    }

    /// One end says something.
    pub fn send(&mut self, c: usize, end: usize, message: Message) {
        if self.connections[c].shut == [false; 2] {
            self.put(c, 1 - end, Some(message));
        }
    }

    /// One end closes, or its program has ended. What it has sent arrives before that.
    pub fn close(&mut self, c: usize, end: usize) {
        if !self.connections[c].shut[end] {
            self.put(c, 1 - end, None);
            self.connections[c].shut[end] = true;
        }
    }

    fn put(&mut self, c: usize, to: usize, message: Option<Message>) {
        let at = self.now + self.delay();
        let clear = &mut self.connections[c].clear[to];
        *clear = at.max(*clear + 1e-6);
        let at = *clear;
        self.at(at, move |world| world.arrive(c, to, message));
    }

    /// Delivers in order. While there is no way, it is sent again and again.
    fn arrive(&mut self, c: usize, to: usize, message: Option<Message>) {
        let connection = &mut self.connections[c];
        if connection.dead && message.is_some() {
            return;
        }
        connection.queue[to].push_back(message);
        if connection.queue[to].len() == 1 {
            self.flush(c, to);
        }
    }

    fn flush(&mut self, c: usize, to: usize) {
        if self.connections[c].dead {
            self.connections[c].queue[to].retain(Option::is_none);
        }
        while !self.connections[c].queue[to].is_empty() {
            let Connection { ends, shut, .. } = self.connections[c];
            if shut[to] {
                return;
            }
            if !self.are_linked(ends[0], ends[1]) {
                return self.later(0.2, move |world| world.flush(c, to));
            }
            let message = self.connections[c].queue[to].pop_front().expect("it is not empty");
            self.hand(c, to, message);
        }
    }

    pub fn hand(&mut self, c: usize, to: usize, message: Option<Message>) {
        let connection = &mut self.connections[c];
        let i = connection.ends[to];
        let member = &self.members[i];
        if member.life != connection.lives[to] || !member.alive {
            return;
        }
        match message {
            Some(message) => self.heard(i, c, to, message),
            None if !connection.shut[to] => {
                connection.shut[to] = true;
                self.closed(i, c, to);
            }
            None => (),
        }
    }
}
