//! The hosts of the simulator.

use std::cmp::Reverse;
use std::time::Duration;

use super::Mutant;
use super::member::{Otherwise, State, token};
use super::network::World;
use crate::takeover::{
    BEACON, Heir, Heirs, Line, Lineage, MAX_TAIL, Merge, Numbered, Place, Rank, Tail, Token,
};

/// How many lines a newcomer is told.
const RECALL: usize = 20;

/// The facts on which all hosts of a room agree, and how many there were.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    pub room: Token,
    pub born: u64,
    pub epoch: u64,
}

/// The messages on a connection.
#[derive(Clone, Debug)]
pub enum Message {
    Hello { i: usize, life: u32, places: Vec<Place> },
    Say(String),
    Welcome { marks: Marks, lineage: Lineage, past: Vec<Numbered>, last: u64 },
    Line(Line),
    Next(Vec<Heir<usize>>),
    Moved(usize),
    Elsewhere(Token, Option<usize>),
}

/// A host's knowledge.
pub struct Room {
    pub marks: Marks,
    lineage: Lineage,
    lines: Vec<Numbered>,
    last: u64,
    /// The connections, and the members and lives at their other ends.
    members: Vec<(usize, usize, u32)>,
    heirs: Heirs<usize, usize>,
}

impl World {
    fn rank(&self, i: usize) -> Option<Rank> {
        let Marks { room, born, epoch } = self.members[i].room.as_ref()?.marks;
        let host = token(i, 0);
        Some(Rank { hosted: true, born, room, epoch: Reverse(epoch), host })
    }

    fn announce(&mut self, i: usize) {
        if let Some(rank) = self.rank(i) {
            self.multicast(i, move |world, to| world.noticed(to, i, rank));
        }
    }

    fn announce_again(&mut self, i: usize, term: String) {
        let is_same = |room: &Room| room.lineage.term == term;
        if self.members[i].room.as_ref().is_some_and(is_same) {
            self.announce(i);
            if !self.is(Mutant::NoBeacon) {
                self.after(i, BEACON.as_secs_f64(), move |world| world.announce_again(i, term));
            }
        }
    }

    pub fn ask(&mut self, i: usize) {
        self.multicast(i, move |world, to| {
            let awake = !world.members[to].asleep;
            let lost = world.lost_multicast / 4.0; // It is answered to it alone.
            if let Some(rank) = world.rank(to).filter(|_| awake)
                && !world.chance(lost)
            {
                let delay = world.uniform(0.0002, 0.004);
                world.later(delay, move |world| {
                    if world.members[i].alive {
                        world.noticed(i, to, rank);
                    }
                });
            }
        });
    }

    pub fn open(&mut self, i: usize) {
        if self.members[i].marks.is_some() {
            return self.take_over(i); // It keeps the room that it was in.
        }
        // Clocks are wrong by up to a minute.
        let born = ((self.now + 100.0 + self.uniform(-60.0, 60.0)) * 1000.0) as u64;
        let marks = Marks { room: Token(self.rng.u32(..)), born, epoch: 1 };
        let tail = Tail { lines: Vec::new(), last: 0, ancestors: Vec::new() };
        self.new_room(i, marks, tail);
    }

    pub fn new_room(&mut self, i: usize, marks: Marks, tail: Tail) {
        let Tail { lines, last, ancestors } = tail;
        let term = self.rng.u32(..).to_string();
        let lineage = Lineage { term: term.clone(), ancestors };
        let heirs = Heirs::default();
        let is_other = |other: &usize| {
            let room = self.members[*other].room.as_ref();
            *other != i
                && room.is_some_and(|room| room.marks.room == marks.room)
                && self.are_linked(i, *other)
        };
        self.doubles += u32::from((0..self.members.len()).any(|other| is_other(&other)));
        self.openings += 1;
        self.hosts(i, Room { marks, lineage, lines, last, members: Vec::new(), heirs });
        self.announce_again(i, term.clone());
        self.after(i, 1.0, move |world| world.announce(i));
        self.ask(i);
        for delay in [1.0, 3.0, 7.0] {
            self.after(i, delay, move |world| {
                if world.members[i].room.is_some() {
                    world.ask(i);
                }
            });
        }
        self.connect(i, i, move |world, connection| {
            let Some(connection) = connection else { return };
            let member = &world.members[i];
            let is_same = member.room.as_ref().is_some_and(|room| room.lineage.term == term);
            match is_same && member.state == State::Hosting {
                true => world.greet(i, connection, Otherwise::Nothing),
                false => world.close(connection, 0),
            }
        });
        self.release(i);
    }

    pub fn heard(&mut self, i: usize, c: usize, end: usize, message: Message) {
        let member = &mut self.members[i];
        if member.asleep {
            return member.deferred.push(Box::new(move |world| world.heard(i, c, end, message)));
        }
        match message {
            message if end == 0 => self.heard_host(i, c, message),
            Message::Hello { .. } if self.is_held(i, c) => self.connections[c].early.push(message),
            Message::Hello { i: other, life, places } => self.enter(i, c, (other, life), &places),
            Message::Say(text) => self.heard_member(i, c, text),
            _ => (),
        }
    }

    fn enter(&mut self, i: usize, c: usize, (other, life): (usize, u32), places: &[Place]) {
        let hears_old = self.is(Mutant::HearsOldConnections);
        let no_dial_back = self.is(Mutant::NoDialBack);
        let Some(room) = &mut self.members[i].room else { return };
        let past = match room.lineage.common(places, room.last) {
            Some(common) => {
                room.lines.iter().filter(|told| told.number > common).cloned().collect()
            }
            None => room.lines[room.lines.len().saturating_sub(RECALL)..].to_vec(),
        };
        // The same program again: its former connection is not heard any more.
        let is_old = |(_, known, lived): &(usize, usize, u32)| (*known, *lived) == (other, life);
        let replaced: Vec<usize> = match hears_old {
            true => Vec::new(),
            false => room.members.iter().filter(|old| is_old(old)).map(|old| old.0).collect(),
        };
        room.members.retain(|(old, ..)| !replaced.contains(old));
        room.members.push((c, other, life));
        replaced.iter().for_each(|old| room.heirs.remove(old));
        let (marks, lineage, last) = (room.marks, room.lineage.clone(), room.last);
        let heirs = room.heirs.first().cloned().collect();
        replaced.into_iter().for_each(|old| self.close(old, 1));
        self.send(c, 1, Message::Welcome { marks, lineage, past, last });
        self.send(c, 1, Message::Next(heirs));
        if other == i {
            return;
        }
        let heir = Heir { token: token(other, life), address: other };
        let term = self.term(i);
        let prove = move |world: &mut World| {
            if world.term(i) == term
                && let Some(room) = &mut world.members[i].room
                && room.members.iter().any(|(member, ..)| *member == c)
            {
                room.heirs.prove(c, heir);
                world.tell_heirs(i);
            }
        };
        if no_dial_back {
            return prove(self);
        }
        self.connect(i, other, move |world, reached| {
            if let Some(reached) = reached {
                world.close(reached, 0);
                prove(world);
            }
        });
    }

    fn term(&self, i: usize) -> Option<String> {
        self.members[i].room.as_ref().map(|room| room.lineage.term.clone())
    }

    fn tell_heirs(&mut self, i: usize) {
        let (time, reversed) = (self.time(), self.is(Mutant::NewestHeirFirst));
        let Some(room) = &mut self.members[i].room else { return };
        let Some(due) = room.heirs.due() else { return };
        if !room.heirs.tell(time) {
            let delay = due.saturating_sub(time) + Duration::from_millis(1);
            return self.after(i, delay.as_secs_f64(), move |world| world.tell_heirs(i));
        }
        let mut heirs: Vec<Heir<usize>> = room.heirs.first().cloned().collect();
        if reversed {
            heirs.reverse();
        }
        for (c, ..) in room.members.clone() {
            self.send(c, 1, Message::Next(heirs.clone()));
        }
    }

    fn heard_member(&mut self, i: usize, c: usize, text: String) {
        let Some(room) = &mut self.members[i].room else { return };
        let Some(&(_, other, life)) = room.members.iter().find(|(member, ..)| *member == c) else {
            return;
        };
        room.last += 1;
        let line = Line { from: format!("{other}.{life}"), text };
        room.lines.push(Numbered { number: room.last, millis: 0, line: line.clone() });
        if room.lines.len() > MAX_TAIL {
            room.lines.remove(0);
        }
        for (c, ..) in room.members.clone() {
            self.send(c, 1, Message::Line(line.clone()));
        }
        // The worst moment: some have the line, and some have not.
        if let Some(trap) = self.members[i].trap.take() {
            let delay = self.uniform(0.0, 0.004);
            self.after(i, delay, trap);
        }
    }

    /// A member's connection to this host is over.
    pub fn member_left(&mut self, i: usize, c: usize) {
        if let Some(room) = &mut self.members[i].room {
            room.members.retain(|(member, ..)| *member != c);
            room.heirs.remove(&c);
            self.tell_heirs(i);
        }
    }

    // --- two rooms become one ---

    pub fn notice_rival(&mut self, i: usize, other: usize, theirs: Rank, time: Duration) {
        let Some(ours) = self.rank(i) else { return };
        let noticed = self.members[i].rivals.notice(other, theirs, ours, time);
        if noticed.announce {
            self.announce(i);
        }
        match noticed.merge {
            _ if self.is(Mutant::NoMerging) => (),
            Merge::Better => self.merge(i, other, false),
            Merge::Worse if !self.is(Mutant::BetterStays) => self.merge(i, other, true),
            _ => (),
        }
    }

    fn merge(&mut self, i: usize, other: usize, anyway: bool) {
        if self.members[i].merging.replace(other) == Some(other) {
            return;
        }
        let term = self.term(i);
        self.connect(i, other, move |world, reached| {
            world.members[i].merging = None;
            let Some(reached) = reached else { return };
            world.close(reached, 0);
            let better = world.rank(other) < world.rank(i);
            let is_there = world.members[other].room.is_some();
            if world.term(i) != term || !is_there || !(anyway || better) {
                return;
            }
            let Some(room) = world.members[i].room.take() else { return };
            for (c, member, _) in room.members {
                if member != i {
                    world.send(c, 1, Message::Moved(other));
                    world.close(c, 1);
                }
            }
            if let Some(own) = world.members[i].connection.take() {
                world.close(own, 0);
                world.close(own, 1);
            }
            world.move_to(i, other);
        });
    }
}
