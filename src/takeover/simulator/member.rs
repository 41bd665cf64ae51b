//! A member of the simulator: its life, its search for the room, and what it reads.

use std::collections::BTreeMap;

use super::Mutant;
use super::network::{Call, World};
use super::rooms::{Marks, Message, Room};
use crate::takeover::{
    AGAIN, Answer, HOLD, Heir, Known, Line, Lineage, Memory, Numbered, Rank, Rivals, Seeker,
    Standby, Step, TRY, Token,
};

/// How long to look before a room is opened, in seconds, and how much longer at most.
const LOOK: (f64, f64) = (1.0, 0.3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Looking,
    Greeting,
    Member,
    Hosting,
    Lost,
}

/// The next thing to do if the connection that was asked is not the room's.
#[derive(Clone)]
pub enum Otherwise {
    JoinAny { hosts: Vec<usize>, round: u32, seen: bool },
    Seek,
    Nothing,
}

pub struct Pending {
    connection: usize,
    otherwise: Otherwise,
    before: State,
}

pub struct Member {
    pub firewall: bool,
    pub power: bool,
    pub alive: bool,
    pub asleep: bool,
    pub life: u32,
    pub failed: bool,
    pub deferred: Vec<Call>,
    pub state: State,
    /// The connection to the host.
    pub connection: Option<usize>,
    /// The room that it hosts.
    pub room: Option<Room>,
    /// The room that it is in.
    pub marks: Option<Marks>,
    pub host: Option<usize>,
    heirs: Vec<Heir<usize>>,
    memory: Memory,
    said: u32,
    /// How often each line was shown: sender, life, number.
    pub shown: BTreeMap<(usize, u32, u32), u32>,
    pub order: Vec<(usize, u32, u32)>,
    /// The room that it has joined, and when.
    pub joined: Option<(Token, f64)>,
    pub held: Vec<usize>,
    cache: BTreeMap<usize, (Rank, f64)>,
    pub rivals: Rivals<usize>,
    pub standby: Standby,
    pending: Option<Pending>,
    seeker: Option<Seeker<usize>>,
    /// The connections of this round of the search.
    reached: BTreeMap<usize, usize>,
    /// Names the round.
    round: u64,
    moving: bool,
    pub merging: Option<usize>,
    /// Happens when it has told the next line, as its host, to some.
    pub trap: Option<Call>,
}

impl Member {
    pub fn new(firewall: bool) -> Member {
        Member {
            firewall,
            power: true,
            alive: false,
            asleep: false,
            life: 0,
            failed: false,
            deferred: Vec::new(),
            state: State::Looking,
            connection: None,
            room: None,
            marks: None,
            host: None,
            heirs: Vec::new(),
            memory: Memory::default(),
            said: 0,
            shown: BTreeMap::new(),
            order: Vec::new(),
            joined: None,
            held: Vec::new(),
            cache: BTreeMap::new(),
            rivals: Rivals::default(),
            standby: Standby::default(),
            pending: None,
            seeker: None,
            reached: BTreeMap::new(),
            round: 0,
            moving: false,
            merging: None,
            trap: None,
        }
    }
}

/// Names one run of a member's program.
pub fn token(i: usize, life: u32) -> Token {
    Token((i as u32) << 16 | life)
}

/// The nick tells the member and its life, and the text is the number.
fn line(i: usize, life: u32, number: u32) -> Line {
    Line { from: format!("{i}.{life}"), text: number.to_string() }
}

fn parse(line: &Line) -> (usize, u32, u32) {
    let (i, life) = line.from.split_once('.').expect("a nick has a point");
    let parse = |text: &str| text.parse().expect("it is a number");
    (parse(i) as usize, parse(life), parse(&line.text))
}

impl World {
    // --- life ---

    pub fn start(&mut self, i: usize) {
        let Member { firewall, life, failed, .. } = self.members[i];
        self.members[i] = Member { alive: true, life: life + 1, failed, ..Member::new(firewall) };
        self.disturbed();
        self.look(i, 0);
    }

    pub fn crash(&mut self, i: usize) {
        let member = &mut self.members[i];
        (member.alive, member.failed, member.room) = (false, true, None);
        member.life += 1;
        for c in 0..self.connections.len() {
            for end in 0..2 {
                if self.connections[c].ends[end] == i {
                    self.close(c, end);
                }
            }
        }
    }

    pub fn cut_power(&mut self, i: usize) {
        for connection in &mut self.connections {
            let [a, b] = connection.ends;
            connection.dead |= (a == i) != (b == i);
        }
        let member = &mut self.members[i];
        (member.alive, member.power, member.failed, member.room) = (false, false, true, None);
        member.life += 1;
        self.disturbed();
    }

    pub fn sleep(&mut self, i: usize) {
        self.members[i].asleep = true;
        self.disturbed();
    }

    pub fn wake(&mut self, i: usize) {
        self.members[i].asleep = false;
        self.disturbed();
        for c in 0..self.connections.len() {
            for end in 0..2 {
                let connection = &self.connections[c];
                let waits = !connection.shut[end] && connection.shut[1 - end];
                if connection.ends[end] == i && waits {
                    let delay = self.uniform(0.0, 1.0);
                    self.after(i, delay, move |world| world.hand(c, end, None));
                }
            }
        }
        for call in std::mem::take(&mut self.members[i].deferred) {
            self.after(i, 0.0, call);
        }
        if self.members[i].room.is_some() {
            self.ask(i); // The clock has jumped: others may be there.
        }
    }

    // --- finding a room ---

    pub fn noticed(&mut self, i: usize, other: usize, rank: Rank) {
        let (now, time) = (self.now, self.time());
        let member = &mut self.members[i];
        if member.asleep || !member.alive {
            return;
        }
        member.cache.insert(other, (rank, now));
        if member.room.is_some() {
            self.notice_rival(i, other, rank, time);
        }
    }

    fn look(&mut self, i: usize, round: u32) {
        if self.members[i].state != State::Looking {
            return;
        }
        let now = self.now;
        self.members[i].cache.retain(|_, (_, at)| now - *at < 20.0);
        for delay in [0.0, 0.1, 0.3, 0.7] {
            self.after(i, delay, move |world| {
                if world.members[i].state == State::Looking {
                    world.ask(i);
                }
            });
        }
        let delay = LOOK.0 + self.uniform(0.0, LOOK.1);
        self.after(i, delay, move |world| {
            let member = &world.members[i];
            if member.state == State::Looking {
                let mut best: Vec<(Rank, usize)> =
                    member.cache.iter().map(|(other, (rank, _))| (*rank, *other)).collect();
                best.sort_unstable();
                let hosts: Vec<usize> = best.into_iter().map(|(_, other)| other).collect();
                let seen = !hosts.is_empty();
                world.join_any(i, hosts, round, seen);
            }
        });
    }

    fn join_any(&mut self, i: usize, mut hosts: Vec<usize>, round: u32, seen: bool) {
        if self.members[i].state != State::Looking {
            return;
        }
        if hosts.is_empty() {
            self.members[i].cache.clear();
            // A room was there a moment ago.
            return if seen && round < 3 { self.look(i, round + 1) } else { self.open(i) };
        }
        let host = hosts.remove(0);
        self.connect(i, host, move |world, connection| {
            let is_looking = world.members[i].state == State::Looking;
            match connection {
                Some(connection) if is_looking => {
                    let otherwise = Otherwise::JoinAny { hosts, round, seen };
                    world.greet(i, connection, otherwise);
                }
                Some(connection) => world.close(connection, 0),
                None if is_looking => world.join_any(i, hosts, round, seen),
                None => (),
            }
        });
    }

    // --- entering a room ---

    /// Names our run of the program, and waits for an answer.
    pub fn greet(&mut self, i: usize, c: usize, otherwise: Otherwise) {
        let member = &mut self.members[i];
        member.pending = Some(Pending { connection: c, otherwise, before: member.state });
        member.state = State::Greeting;
        if let Some((token, host)) = self.connections[c].turned_away {
            self.close(c, 0);
            return self.after(i, 0.0, move |world| {
                world.refused(i, c, Answer::Elsewhere(token, host));
            });
        }
        let (places, life) = (member.memory.places().to_vec(), member.life);
        self.send(c, 0, Message::Hello { i, life, places });
        self.after(i, (HOLD + TRY).as_secs_f64(), move |world| {
            if world.members[i].is_pending(c) {
                world.close(c, 0);
                world.refused(i, c, Answer::Nothing);
            }
        });
    }

    fn refused(&mut self, i: usize, c: usize, answer: Answer<usize>) {
        if !self.members[i].is_pending(c) {
            return;
        }
        let Some(pending) = self.members[i].pending.take() else { return };
        self.members[i].state = pending.before;
        match pending.otherwise {
            Otherwise::JoinAny { hosts, round, seen } => self.join_any(i, hosts, round, seen),
            Otherwise::Seek => self.seek_on(i, |seeker| seeker.answered(answer)),
            Otherwise::Nothing => (),
        }
    }

    fn welcomed(
        &mut self,
        i: usize,
        c: usize,
        (marks, lineage): (Marks, Lineage),
        (past, last): (Vec<Numbered>, u64),
    ) {
        let (now, time) = (self.now, self.time());
        let [again, only_new] =
            [Mutant::SaysNothingAgain, Mutant::SaysOnlyUnconfirmed].map(|mutant| self.is(mutant));
        let shows_again = self.is(Mutant::ShowsAgain);
        let host = self.connections[c].ends[1];
        let member = &mut self.members[i];
        (member.pending, member.moving, member.seeker) = (None, false, None);
        (member.state, member.connection, member.host) = (State::Member, Some(c), Some(host));
        if member.marks.is_none_or(|known| known.room != marks.room) {
            member.joined = Some((marks.room, now));
        }
        member.marks = Some(marks);
        let own = line(i, member.life, 0).from;
        let rejoined =
            member.memory.rejoin(lineage, last, past.clone(), |line| line.from == own, time);
        for (told, shows) in past.iter().zip(rejoined.shows) {
            if shows || shows_again {
                member.show(&told.line);
            }
        }
        let life = member.life;
        for text in rejoined.says {
            let was_told = || {
                let number = text.parse().expect("it is a number");
                self.members[i].shown.contains_key(&(i, life, number))
            };
            if again || (only_new && was_told()) {
                continue;
            }
            self.send(c, 0, Message::Say(text));
        }
        self.release(i);
    }

    pub fn say(&mut self, i: usize) {
        let (now, time) = (self.now, self.time());
        let member = &mut self.members[i];
        if !member.alive || member.asleep || member.state != State::Member {
            return;
        }
        member.said += 1;
        let (said, life) = (member.said, member.life);
        member.memory.say(&said.to_string(), time);
        let room = member.marks.expect("a member is in a room").room;
        let c = member.connection.expect("a member has a connection");
        self.log.push((now, i, life, said, room.0));
        self.send(c, 0, Message::Say(said.to_string()));
    }

    // --- losing the host ---

    pub fn closed(&mut self, i: usize, c: usize, end: usize) {
        let member = &mut self.members[i];
        if member.asleep {
            member.deferred.push(Box::new(move |world| world.closed(i, c, end)));
        } else if end == 1 {
            member.held.retain(|held| *held != c);
            self.member_left(i, c);
        } else if member.is_pending(c) {
            self.refused(i, c, Answer::Nothing);
        } else if member.connection == Some(c) {
            member.connection = None;
            if member.room.is_none() {
                self.seek(i);
            }
        }
    }

    pub fn seek(&mut self, i: usize) {
        let first_only = self.is(Mutant::FirstTakesOver);
        let member = &mut self.members[i];
        member.state = State::Lost;
        let Some(host) = member.host else { return };
        let room = member.marks.filter(|_| !member.moving).map(|marks| marks.room);
        let me = token(i, member.life);
        let mut heirs = member.heirs.clone();
        if first_only && heirs.iter().any(|heir| heir.token == me) {
            heirs.retain(|heir| heir.token == me);
        }
        let (seeker, step) = Seeker::new(Known { room, host, heirs, me });
        self.members[i].seeker = Some(seeker);
        self.take_step(i, step);
    }

    fn seek_on(&mut self, i: usize, next: impl FnOnce(&mut Seeker<usize>) -> Step<usize>) {
        let step = self.members[i].seeker.as_mut().map(next);
        if let Some(step) = step {
            self.take_step(i, step);
        }
    }

    fn take_step(&mut self, i: usize, step: Step<usize>) {
        let member = &mut self.members[i];
        let is_this = move |world: &World, round| {
            world.members[i].round == round && world.members[i].state == State::Lost
        };
        match step {
            Step::Wait | Step::Join => (),
            Step::Try(targets) => {
                member.round += 1;
                member.reached.clear();
                let round = member.round;
                for target in targets {
                    self.connect(i, target, move |world, connection| {
                        if !is_this(world, round) {
                            if let Some(connection) = connection {
                                world.close(connection, 0);
                            }
                            return;
                        }
                        if let Some(connection) = connection {
                            world.members[i].reached.insert(target, connection);
                        }
                        let reached = connection.is_some();
                        world.seek_on(i, |seeker| seeker.connected(&target, reached));
                    });
                }
            }
            Step::Ask(target) => {
                member.round += 1;
                let reached = std::mem::take(&mut member.reached);
                for (other, connection) in reached {
                    match other == target {
                        true => self.greet(i, connection, Otherwise::Seek),
                        false => self.close(connection, 0),
                    }
                }
            }
            Step::Pause => {
                member.round += 1;
                let round = member.round;
                self.after(i, AGAIN.as_secs_f64(), move |world| {
                    if is_this(world, round) {
                        world.seek_on(i, Seeker::next_round);
                    }
                });
            }
            Step::Host => self.take_over(i),
            Step::Look => {
                member.state = State::Looking;
                self.release(i);
                self.look(i, 1);
            }
        }
    }

    /// Goes to another room, with what is to be said.
    pub fn move_to(&mut self, i: usize, target: usize) {
        let member = &mut self.members[i];
        let pending = member.pending.take();
        (member.moving, member.heirs, member.host) = (true, Vec::new(), Some(target));
        if let Some(pending) = pending {
            self.close(pending.connection, 0);
        }
        self.seek(i);
    }

    pub fn take_over(&mut self, i: usize) {
        let member = &self.members[i];
        let marks = member.marks.expect("it was in the room");
        let tail = member.memory.inherit().expect("it was in the room");
        let marks = Marks { epoch: marks.epoch + 1, ..marks };
        self.new_room(i, marks, tail);
    }

    /// Is a host from now on.
    pub fn hosts(&mut self, i: usize, room: Room) {
        let member = &mut self.members[i];
        member.room = Some(room);
        (member.state, member.rivals) = (State::Hosting, Rivals::default());
        member.heirs.clear();
    }

    /// The host has said something.
    pub fn heard_host(&mut self, i: usize, c: usize, message: Message) {
        let time = self.time();
        let [shows_again, any_room] =
            [Mutant::ShowsAgain, Mutant::AnyRoom].map(|mutant| self.is(mutant));
        let member = &mut self.members[i];
        let is_host = member.connection == Some(c);
        match message {
            Message::Welcome { marks, lineage, past, last } if member.is_pending(c) => {
                let pending = member.pending.as_ref().expect("it is pending");
                if let (Otherwise::Seek, Some(seeker)) = (&pending.otherwise, &mut member.seeker) {
                    let known = member.marks.map_or(marks.room, |known| known.room);
                    let room = if any_room { known } else { marks.room };
                    let step = seeker.answered(Answer::Room(Some(room)));
                    if step != Step::Join {
                        (member.pending, member.state) = (None, State::Lost);
                        self.close(c, 0);
                        return self.take_step(i, step);
                    }
                }
                self.welcomed(i, c, (marks, lineage), (past, last));
            }
            Message::Elsewhere(token, host) if member.is_pending(c) => {
                self.close(c, 0);
                self.refused(i, c, Answer::Elsewhere(token, host));
            }
            Message::Elsewhere(token, host) => {
                self.connections[c].turned_away = Some((token, host));
            }
            Message::Line(told) if is_host => {
                let own = parse(&told).0 == i && parse(&told).1 == member.life;
                if member.memory.hear(told.clone(), own, 0, time) || shows_again {
                    member.show(&told);
                }
            }
            Message::Next(heirs) if is_host && member.room.is_none() => member.heirs = heirs,
            Message::Moved(target) if is_host => {
                member.connection = None;
                self.close(c, 0);
                self.move_to(i, target);
            }
            _ => (),
        }
    }
}

impl Member {
    fn is_pending(&self, c: usize) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.connection == c)
            && self.state == State::Greeting
    }

    fn show(&mut self, line: &Line) {
        let line = parse(line);
        *self.shown.entry(line).or_default() += 1;
        self.order.push(line);
    }
}
