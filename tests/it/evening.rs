//! Whole evenings at random, next to a model too simple to be wrong.
//!
//! The model keeps, for each person, the lines that they have yet to read. It has
//! no transcript, no places in it and no notes pinned to them, so it cannot share
//! a mistake with the room. `MINICHAT_SEED` replays one evening alone; the fuzz
//! target `room` [plays](play) evenings of which it decides every step.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use minichat::room::{
    Change, Effects, EvictReason, Followed, FollowerId, Lookup, MAX_HISTORY, MAX_NOTES,
    MAX_UNREAD_ANSWERS, MemberChange, Reading, Room, Rules, SessionId, TRANSCRIPT,
};
use minichat::wire::TooLong;

use asking::Asks;

#[path = "evening/asking.rs"] // The fuzzer reads this file from elsewhere.
mod asking;

const EVENINGS: u64 = 1000;
const NICKS: [&str; 9] = ["ana", "Ana", "joao", "zé", "ZÉ", "maria", "server", "a b", ""];
/// How many people come in one evening at most at a time.
const CROWD: usize = 9;
/// How much time may pass at a time, in milliseconds.
const PAUSES: [u64; 6] = [0, 0, 7, 49, 900, 4000];
/// How much is said in floods in one loud evening, in bytes.
const LOUD: usize = 6 << 20;
/// Senders wait for no reader that lags less, in bytes; history lags so much more.
const SOFT_LAG: u64 = 256 << 10;
/// Senders wait for each reader that reads and lags more, in bytes.
const HARD_LAG: u64 = 896 << 10;
/// A reader that has taken something within this time reads.
const GRACE: Duration = Duration::from_secs(1);
/// A reader that has taken nothing for so long does not read, however slow it was before.
const LONG_GRACE: Duration = Duration::from_secs(4);
/// The bytes that are said without regard to readers, at most. The room has space for them.
const UNASKED: u64 = 64 << 10;
/// A connection that refused something within this time shows whether its client reads.
const JUST_NOW: Duration = Duration::from_millis(500);
/// How long a nick is kept for its owner.
const KEPT: Duration = Duration::from_secs(60);
/// How many tickets there are. Several people may say the same, as one client would.
const TICKETS: usize = 3;
/// The room that one private line may take beside its bytes, at most.
const NOTE: usize = 128;

#[test]
fn everyone_reads_what_the_model_says_in_the_order_it_says() {
    let seeds = match std::env::var("MINICHAT_SEED") {
        Ok(seed) => vec![seed.parse().expect("a seed is a number")],
        Err(_) => (0..EVENINGS).collect(),
    };
    for seed in seeds {
        let _replay = Replay(seed);
        Evening::new(Dice::Seed(Rng::with_seed(seed))).pass();
    }
}

#[test]
fn the_evenings_that_are_kept_for_the_fuzzer_pass_as_well() {
    crate::promises::seeds("room").iter().for_each(|bytes| play(bytes));
}

/// One evening that the bytes decide, as far as they go.
pub fn play(bytes: &[u8]) {
    Evening::new(Dice::Bytes(bytes)).pass();
}

/// Tells how to see a failure again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay with MINICHAT_SEED={}", self.0);
        }
    }
}

/// Where chance comes from.
enum Dice<'a> {
    /// From a seed, without end.
    Seed(Rng),
    /// From the fuzzer, which chose these bytes, one for each throw.
    Bytes(&'a [u8]),
}

impl Dice<'_> {
    /// A number below `end`, which is at most 256.
    fn below(&mut self, end: usize) -> usize {
        match self {
            Dice::Seed(rng) => rng.usize(..end),
            Dice::Bytes(bytes) => {
                let Some((&byte, rest)) = bytes.split_first() else { return 0 };
                *bytes = rest;
                usize::from(byte) % end
            }
        }
    }

    /// How many turns an evening has.
    fn turns(&mut self) -> usize {
        match self {
            Dice::Seed(rng) => rng.usize(..400),
            Dice::Bytes(bytes) => bytes.len(),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self, Dice::Bytes([]))
    }
}

struct Evening<'a> {
    dice: Dice<'a>,
    room: Room,
    rules: Rules,
    now: Duration,
    people: Vec<Person>,
    /// How many bytes were said in public.
    head: u64,
    /// Every public line, and where it begins among all bytes said in public.
    said: Vec<(u64, Rc<[u8]>)>,
    /// Every message to all: the time at which it was said, in seconds, and its line.
    messages: Vec<(u64, Rc<[u8]>)>,
    /// When the room last heard a line.
    heard: Duration,
    /// The searches that have no answer yet.
    lookups: Vec<Lookup>,
    /// Arrivals and departures, as the operator is told.
    deeds: Vec<String>,
    /// The same, as the room has reported it.
    changes: Vec<MemberChange>,
    /// A follower that reads everything at once, and how many public lines it has read.
    log: Option<(FollowerId, usize)>,
    /// How many bytes may yet be said in floods.
    flood: usize,
    /// Senders are asked to wait, and in some evenings they do.
    waits: bool,
    polite: bool,
    /// The nicks that are kept: for which ticket, and until when.
    kept: Vec<(String, usize, Duration)>,
    /// How many bytes were said in public while they were asked.
    unasked: u64,
    /// Comings and goings are told.
    told: bool,
    closed: bool,
}

struct Person {
    id: SessionId,
    nick: Option<String>,
    /// Their nick until they left the conversation.
    was: Option<String>,
    /// Their client understands more than version 1.
    asks: Asks,
    /// The operator lets them say nothing.
    muted: bool,
    /// They have told this ticket.
    ticket: Option<usize>,
    /// The server has said its last word to them.
    gone: bool,
    /// They were told too much and have to be let go.
    doomed: bool,
    /// The server gives up on them, and why.
    given_up: Option<EvictReason>,
    /// They were let go.
    cut: bool,
    /// They have something new to read and must be rung.
    owed: bool,
    renames: Vec<Duration>,
    /// When they last took something.
    took: Duration,
    /// Since when they certainly lag so much that senders may wait.
    lags: Option<Duration>,
    /// Where the talk begins of which they were given some last: to a leaving reader it may
    /// come back.
    given: u64,
    /// When they last took nothing of what they were given, and have taken nothing since.
    refused: Option<Duration>,
    /// The lines that they have yet to read, and how much of the first was read.
    unread: VecDeque<Told>,
    taken: usize,
    /// How many bytes of it are private lines.
    notes: usize,
    /// Nothing from this place on is for them: as a guest nothing at all.
    ears: u64,
    /// The place before which all is history to them.
    hushed: u64,
}

/// One line, as one person is told it; or something said in public that is not
/// for them, and then no line.
struct Told {
    line: Rc<[u8]>,
    /// Where it is among all bytes said in public; empty if it is private.
    place: Range<u64>,
    private: bool,
}

impl Person {
    fn new(id: SessionId, place: u64, now: Duration) -> Person {
        Person {
            id,
            nick: None,
            was: None,
            asks: Asks::default(),
            muted: false,
            ticket: None,
            gone: false,
            doomed: false,
            given_up: None,
            cut: false,
            owed: false,
            renames: Vec::new(),
            took: now,
            lags: None,
            given: place,
            refused: None,
            unread: VecDeque::new(),
            taken: 0,
            notes: 0,
            ears: 0,
            hushed: place,
        }
    }

    fn listens(&self) -> bool {
        self.ears == u64::MAX
    }

    /// The first place that they have certainly not heard beyond, and the last
    /// one to which they may have heard: between them is no talk for them.
    fn place(&self, head: u64) -> Range<u64> {
        let begin = |told: &Told| told.place.start;
        let talk = |told: &&Told| !told.private && !told.line.is_empty();
        let start = self
            .unread
            .front()
            .map_or(head, |told| begin(told) + if told.private { 0 } else { self.taken as u64 });
        let mut before = self.unread.iter().take_while(|told| !talk(told));
        match before.any(|told| told.line.is_empty()) {
            true => start..self.unread.iter().find(talk).map_or(head, begin),
            false => start..start,
        }
    }

    /// How many bytes of public talk they have yet to hear: at least and at most.
    fn behind(&self, head: u64) -> Range<u64> {
        let (place, end) = (self.place(head), self.ears.min(head));
        end.saturating_sub(place.end)..end.saturating_sub(place.start)
    }

    /// How far they lag, in bytes, and the lag from which senders may wait: at least and at
    /// most.
    fn lag(&self, head: u64) -> [(u64, u64); 2] {
        let (place, behind) = (self.place(head), self.behind(head));
        // The unread talk of a leaving reader becomes no more, but may be overwritten.
        let ahead = |behind, place| if behind > 0 { head - place } else { 0 };
        // History is behind by its nature.
        let soft = |at| SOFT_LAG + if at < self.hushed { MAX_HISTORY as u64 } else { 0 };
        let least = ahead(behind.start, place.end);
        let mut most = ahead(behind.end, place.start);
        if self.gone && self.given < self.ears {
            most = most.max(head.saturating_sub(self.given));
        }
        [(least, soft(place.start)), (most, soft(place.end))]
    }

    /// Whether senders may wait for them: they lag, and perhaps they read.
    fn may_delay(&mut self, head: u64, now: Duration) -> bool {
        let [(least, surely), (most, perhaps)] = self.lag(head);
        if least > surely {
            self.lags.get_or_insert(now);
        }
        let silent = self.lags.is_some_and(|then| now - then >= LONG_GRACE);
        let refused = self.refused.is_some_and(|then| now - then <= JUST_NOW);
        !self.cut && most > perhaps && !(silent && refused)
    }

    /// Whether senders must wait for them: they read, and lag so much that they might lose
    /// something.
    fn must_delay(&self, head: u64, now: Duration) -> bool {
        let [(least, _), _] = self.lag(head);
        !self.gone && !self.cut && self.reads(now) && least > HARD_LAG
    }

    fn reads(&self, now: Duration) -> bool {
        now - self.took < GRACE
    }

    /// They are given something to read, and so have taken what they were given before.
    fn is_given(&mut self, head: u64) {
        self.given = self.place(head).start;
    }

    /// They read this, which must be what is next for them.
    fn takes(&mut self, mut bytes: &[u8], now: Duration) {
        while !bytes.is_empty() {
            let Some(told) = self.unread.front() else {
                panic!("they are also told {:?}", String::from_utf8_lossy(bytes));
            };
            let line = &told.line[self.taken..];
            let (piece, rest) = bytes.split_at(line.len().min(bytes.len()));
            assert!(
                line.starts_with(piece),
                "they read {:?}, not {:?}",
                String::from_utf8_lossy(piece),
                String::from_utf8_lossy(&told.line)
            );
            bytes = rest;
            self.taken += piece.len();
            self.notes -= if told.private { piece.len() } else { 0 };
            if self.taken == told.line.len() {
                self.unread.pop_front();
                self.taken = 0;
            }
            (self.took, self.lags, self.refused) = (now, None, None);
        }
    }

    /// This many bytes that they read after that did not get through. It is all still
    /// there; but the public lines before the end of a private one are passed over, and
    /// the rest of a line of history waits as a private one does.
    fn is_given_back(&mut self, bytes: usize) {
        let mut left = (bytes + self.taken) as isize;
        let given = self.unread.iter_mut().take_while(|told| {
            let more = left > 0;
            left -= told.line.len() as isize;
            more && told.private
        });
        let mut private: Vec<&mut Told> = given.collect();
        let end = private.last().map_or(0, |told| told.place.end);
        private.iter_mut().for_each(|told| told.place = end..end);
        if let Some(told) = self.unread.front_mut()
            && self.taken > 0
            && !told.private
            && told.place.start < self.hushed
        {
            told.line = told.line[mem::take(&mut self.taken)..].into();
            told.place.start = told.place.end;
            told.private = true;
            self.notes += told.line.len();
        }
    }

    fn is_told(&mut self, line: Rc<[u8]>, place: Range<u64>, private: bool) {
        self.owed |= !line.is_empty();
        self.notes += if private { line.len() } else { 0 };
        self.unread.push_back(Told { line, place, private });
    }
}

impl Evening<'_> {
    fn new(mut dice: Dice<'_>) -> Evening<'_> {
        let mut rules = Rules {
            greeting: (0..dice.below(3)).map(|n| format!("welcome {n}")).collect(),
            max_users: dice.below(6),
            history: [0, 1, 2, 3, 200][dice.below(5)],
            recall: [0, 1, 3, 50][dice.below(4)],
            term: "7f3a9c21".into(),
            notices: [None, None, Some(0), Some(2), Some(4)][dice.below(5)],
            ..Rules::default()
        };
        let loud = dice.below(20);
        if loud <= 1 {
            rules.recall = 0; // What is told again may be forgotten before it is read.
        }
        let told = rules.notices != Some(0);
        let flood = if loud <= 1 { LOUD } else { 0 };
        Evening {
            dice,
            room: Room::new(rules.clone()),
            rules,
            now: Duration::ZERO,
            people: Vec::new(),
            head: 0,
            said: Vec::new(),
            messages: Vec::new(),
            heard: Duration::ZERO,
            lookups: Vec::new(),
            deeds: Vec::new(),
            changes: Vec::new(),
            log: None,
            told,
            flood,
            waits: false,
            polite: loud == 1,
            kept: Vec::new(),
            unasked: 0,
            closed: false,
        }
    }

    fn pass(mut self) {
        for turn in 0..self.dice.turns() {
            if self.dice.is_over() {
                break;
            }
            self.now += Duration::from_millis(PAUSES[self.dice.below(PAUSES.len())]);
            self.room.tick(self.now);
            self.heard = self.now;
            let action = self.dice.below(37);
            let n = self.people.len();
            if n == 0 || action < 3 && n < CROWD {
                self.come();
                continue;
            }
            let who = self.dice.below(n);
            match action {
                // The first member has fallen asleep in all the noise.
                13..=16 | 24 if who == 0 && self.flood > 0 => (),
                0..=2 => self.break_off(who),
                3..=6 => self.name(who),
                7..=8 => self.whisper(who, turn),
                9 => self.ask_who(who),
                10 if self.dice.below(4) == 0 => self.quit(who),
                11..=12 => self.say_nonsense(who),
                13..=16 => _ = self.read(who),
                17 => self.mute(who),
                18 if self.dice.below(4) == 0 => self.kick(who, turn),
                19 if self.dice.below(4) == 0 => self.ban(who),
                20 => self.announce(turn),
                21 if self.dice.below(4) == 0 => self.time_out(who),
                22 if self.dice.below(4) == 0 => self.give_up(who),
                23 if self.dice.below(16) == 0 => self.close(),
                24 => self.read_out(who),
                25..=29 if self.flood > 0 => self.talk_without_end(who),
                34 => self.understand(who),
                35 => self.ask_last(who),
                36 => (0..=self.dice.below(7)).for_each(|_| self.search(who)),
                _ => self.say(who, turn),
            }
        }
        self.end();
    }

    fn members(&self) -> usize {
        self.people.iter().filter(|person| person.nick.is_some()).count()
    }

    fn is_full(&self) -> bool {
        self.rules.max_users > 0 && self.members() >= self.rules.max_users
    }

    fn hears(&mut self, who: usize, line: &str) {
        self.room.hear(self.people[who].id, Ok(line.as_bytes()), self.now);
        self.heard = self.now;
    }

    /// They alone are told this, and let go if that is too much.
    fn expect(&mut self, who: usize, line: &str) {
        let head = self.head;
        let person = &mut self.people[who];
        if !person.gone && !person.doomed {
            person.is_told(line_of(line), head..head, true);
            person.doomed = person.notes > MAX_NOTES;
        }
    }

    /// All listeners are told this, but one.
    fn expect_all(&mut self, line: &str, but: Option<usize>) {
        let line = line_of(line);
        let place = self.head..self.head + line.len() as u64;
        for (who, person) in self.people.iter_mut().enumerate() {
            if person.listens() && Some(who) != but {
                person.is_told(line.clone(), place.clone(), false);
            }
        }
        self.unasked += if self.waits { line.len() as u64 } else { 0 };
        self.head = place.end;
        if is_message(&line) {
            self.messages.push((self.heard.as_secs(), line.clone()));
        }
        self.said.push((place.start, line));
    }

    fn come(&mut self) {
        if self.dice.below(8) == 0 {
            if self.log.is_none() && !self.closed {
                self.log = Some((self.room.follow(), self.said.len()));
            }
            return;
        }
        let who = self.people.len();
        self.people.push(Person::new(self.room.enter(), self.head, self.now));
        self.expect(who, "New User. Please register with: NICK <your_nick>");
        if self.closed || self.is_full() {
            self.expect(who, if self.closed { "BYE" } else { "ERR room_full" });
            self.part(who);
        } else if self.quiet() && self.dice.below(2) == 0 {
            self.room.set_encrypted(self.people[who].id);
            self.people[who].asks.in_channel = true;
            self.understand(who);
        } else if self.dice.below(2) == 0 {
            self.understand(who);
        }
        self.follow();
    }

    /// This evening is too short for lag.
    fn quiet(&self) -> bool {
        self.head < 100 << 10 && self.flood == 0
    }

    /// Their connection breaks, and their nick is kept if they have told a ticket.
    fn is_expected_back(&mut self, who: usize) {
        let person = &self.people[who];
        if let (Some(nick), Some(ticket)) = (&person.nick, person.ticket) {
            self.kept.retain(|(_, other, _)| *other != ticket);
            self.kept.push((nick.to_lowercase(), ticket, self.now + KEPT));
        }
    }

    /// They are out of the conversation; whatever they were told before counts.
    fn part(&mut self, who: usize) {
        let head = self.head;
        let person = &mut self.people[who];
        if person.doomed {
            return; // They are let go, which is seen when the room says so.
        }
        person.owed |= !person.gone;
        person.gone = true;
        person.ears = person.ears.min(head);
        self.vanish(who);
    }

    /// The others see them leave, if they were seen to be here.
    fn vanish(&mut self, who: usize) {
        if let Some(nick) = self.people[who].nick.take() {
            self.people[who].was = Some(nick.clone());
            if self.tells_change(self.members()) {
                self.expect_all(&format!("User {nick} left the chat."), None);
            }
            self.deeds.push(format!("- {nick} {}", self.members()));
        }
    }

    /// Whether a change is told that leaves so many members. If not, the server may say so.
    fn tells_change(&mut self, members: usize) -> bool {
        let told = self.told;
        let line = match self.rules.notices {
            None => return true,
            Some(most) if told && members > most => {
                "so many are here that comings and goings are not told any more"
            }
            Some(most) if !told && 2 * members < most => "comings and goings are told again",
            Some(_) => return told,
        };
        self.told = !told;
        self.expect_all(&format!("FROM server [all]: {line}"), None);
        false
    }

    fn quit(&mut self, who: usize) {
        self.hears(who, "quit");
        if !self.people[who].gone {
            self.expect(who, "BYE");
            self.part(who);
        }
        self.follow();
    }

    fn break_off(&mut self, who: usize) {
        self.is_expected_back(who);
        if self.dice.below(2) == 0 {
            // Half of the connection first: what is owed can still be read.
            self.room.input_ended(self.people[who].id);
            self.part(who);
            self.follow();
            self.read_out(who);
        }
        self.room.leave(self.people[who].id);
        self.part(who);
        self.people.swap_remove(who);
        self.follow();
    }

    fn name(&mut self, who: usize) {
        let name = NICKS[self.dice.below(NICKS.len())];
        self.hears(who, &format!("NICK {name}"));
        if !self.people[who].gone {
            self.is_named(who, name);
        }
        self.follow();
    }

    fn is_named(&mut self, who: usize, name: &str) {
        let ticket = self.people[who].ticket;
        let guest = self.people[who].nick.is_none();
        let former = self.people.iter().position(|other| {
            guest && other.nick.is_some() && ticket.is_some() && other.ticket == ticket
        });
        let mut taken = self.people.iter().enumerate().any(|(other, person)| {
            let nick = person.nick.as_deref().unwrap_or_default();
            let holds = !nick.is_empty() && nick.to_lowercase() == name.to_lowercase();
            holds && other != who && Some(other) != former
        });
        let now = self.now;
        self.kept.retain(|(_, _, until)| *until > now);
        taken |= self
            .kept
            .iter()
            .any(|(nick, other, _)| *nick == name.to_lowercase() && ticket != Some(*other));
        let (now, full) = (self.now, self.is_full());
        let person = &mut self.people[who];
        person.renames.retain(|&then| now - then < Duration::from_secs(30));
        match person.nick.clone() {
            _ if name.is_empty() || name == "server" || name == "a b" => {
                self.expect(who, "ERR invalid_nick");
            }
            _ if taken => self.expect(who, "ERR apelido_em_uso"),
            None if let Some(former) = former => self.resume(who, former, name),
            None if full => {
                self.expect(who, "ERR room_full");
                self.part(who);
            }
            None => self.join(who, name),
            Some(old) if old == name => self.expect(who, &format!("OK welcome {name}")),
            Some(_) if person.renames.len() == 5 => self.expect(who, "ERR too_fast"),
            Some(old) => {
                person.renames.push(now);
                self.rename(who, &old, name);
            }
        }
    }

    fn rename(&mut self, who: usize, old: &str, name: &str) {
        let before = self.head;
        if self.tells_change(self.members()) {
            self.expect_rename(old, name, who);
            self.expect_all(&format!("User {old} left the chat."), Some(who));
            self.expect_all(&format!("User {name} joined."), Some(who));
        }
        // They are told something else in its place.
        let (head, person) = (self.head, &mut self.people[who]);
        person.is_told(line_of(&format!("OK welcome {name}")), before..head, true);
        person.nick = Some(name.into());
        self.deeds.push(format!("{old} {name} {}", self.members()));
    }

    /// They take the place that they have left behind. The others are not told.
    fn resume(&mut self, who: usize, former: usize, nick: &str) {
        let old = self.people[former].nick.clone().expect("they were here");
        if old != nick {
            self.rename(former, &old, nick);
        }
        let place = &mut self.people[former];
        place.given_up = Some(EvictReason::Replaced);
        place.was = place.nick.take();
        self.people[who].muted |= self.people[former].muted;
        self.takes_seat(who, nick, "~");
    }

    fn join(&mut self, who: usize, nick: &str) {
        self.takes_seat(who, nick, "+");
    }

    fn takes_seat(&mut self, who: usize, nick: &str, sign: &str) {
        let ticket = self.people[who].ticket;
        self.kept.retain(|(_, other, _)| Some(*other) != ticket);
        let oldest = self.head.saturating_sub(MAX_HISTORY as u64);
        let messages = self.said.iter().enumerate().rev().filter(|(_, (_, line))| is_message(line));
        let messages = messages.take_while(|(_, (place, _))| *place >= oldest);
        let count = if self.people[who].asks.history { 0 } else { self.rules.history };
        let messages: Vec<usize> = messages.map(|(n, _)| n).take(count).collect();
        if sign == "+" && self.tells_change(self.members() + 1) {
            self.expect_all(&format!("User {nick} joined."), None);
        }
        let history = messages.last().map_or(&[][..], |&first| &self.said[first..]);
        let place = history.first().map_or(self.head, |(place, _)| *place);

        let person = &mut self.people[who];
        // The lines for a guest come first.
        for told in &mut person.unread {
            told.place = place..place;
        }
        let mut answers = vec![format!("OK welcome {nick}")];
        answers.extend(self.rules.greeting.iter().map(|text| format!("FROM server [dm]: {text}")));
        if !self.told {
            answers.push("FROM server [dm]: comings and goings are not told here".into());
        }
        if !messages.is_empty() {
            answers.push(format!("History: {}", messages.len()));
        }
        answers.extend(self.missed(who));
        let person = &mut self.people[who];
        for answer in answers {
            person.is_told(line_of(&answer), place..place, true);
        }
        for (place, line) in history {
            let told = if is_message(line) { line.clone() } else { [].into() };
            person.is_told(told, *place..place + line.len() as u64, false);
        }
        (person.ears, person.hushed) = (u64::MAX, self.head);
        person.nick = Some(nick.into());
        self.deeds.push(format!("{sign} {nick} {}", self.members()));
    }

    fn say(&mut self, who: usize, turn: usize) {
        self.says(who, &format!("line {turn}"));
    }

    fn says(&mut self, who: usize, text: &str) {
        if self.polite && self.waits {
            return self.follow(); // The line waits.
        }
        self.hears(who, &format!("MSG {text}"));
        match self.people[who].nick.clone() {
            Some(_) if self.people[who].muted => self.expect(who, "ERR muted"),
            Some(nick) => self.expect_all(&format!("FROM {nick} [all]: {text}"), None),
            None => self.expect(who, "ERR please_register_with_NICK"),
        }
        self.follow();
    }

    /// To all or to the first member, much more than anybody wants to read.
    fn talk_without_end(&mut self, who: usize) {
        let to = (self.dice.below(2) == 0).then_some(0);
        let text = "x".repeat(1 + 16 * self.dice.below(250));
        for _ in 0..self.dice.below(250) {
            match to {
                Some(to) => self.tells(who, to, &text),
                None => self.says(who, &text),
            }
            self.flood = self.flood.saturating_sub(text.len());
        }
    }

    fn whisper(&mut self, who: usize, turn: usize) {
        let to = self.dice.below(self.people.len());
        self.tells(who, to, &format!("psst {turn}"));
    }

    fn tells(&mut self, who: usize, to: usize, text: &str) {
        let target = self.people[to].nick.clone().unwrap_or("nobody".into()).to_uppercase();
        self.hears(who, &format!("MSG @{target} {text}"));
        match (self.people[who].nick.clone(), self.people[to].nick.is_some()) {
            (None, _) => self.expect(who, "ERR please_register_with_NICK"),
            (Some(_), _) if self.people[who].muted => self.expect(who, "ERR muted"),
            (Some(_), false) => self.expect(who, "ERR user_not_found"),
            (Some(nick), true) => {
                self.expect(to, &format!("FROM {nick} [dm]: {text}"));
            }
        }
        self.follow();
    }

    fn announce(&mut self, turn: usize) {
        self.room.announce(&format!("order {turn}"));
        self.expect_all(&format!("FROM server [all]: order {turn}"), None);
        self.follow();
    }

    fn mute(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.muted = !person.muted;
        self.room.mute(person.id, person.muted);
        assert_eq!(self.room.is_muted(person.id), person.muted);
    }

    fn kick(&mut self, who: usize, turn: usize) {
        // A person without a nick cannot be named.
        let Some(nick) = self.people[who].nick.clone() else { return };
        let id = self.room.find(&nick.to_uppercase()).expect("a member is found");
        let (reason, told) = match self.dice.below(2) {
            0 => (format!("reason {turn}"), format!(": reason {turn}")),
            _ => (String::new(), String::new()),
        };
        self.room.kick(id, &reason);
        self.is_removed(who, &told);
    }

    fn ban(&mut self, who: usize) {
        self.room.ban(self.people[who].id);
        if self.people[who].nick.is_some() {
            return self.is_removed(who, "");
        }
        self.expect(who, "ERR banned");
        self.part(who);
        self.follow();
    }

    fn is_removed(&mut self, who: usize, why: &str) {
        self.expect(who, &format!("FROM server [dm]: you were removed by the operator{why}"));
        self.expect(who, "BYE");
        self.part(who);
        self.follow();
    }

    fn time_out(&mut self, who: usize) {
        self.room.time_out(self.people[who].id);
        if self.people[who].nick.is_none() && !self.people[who].gone {
            self.expect(who, "ERR registration_timeout");
            self.part(who);
        }
        self.follow();
    }

    /// Their connection takes nothing any more, or others need it.
    fn give_up(&mut self, who: usize) {
        if !self.people[who].cut {
            let reason = [EvictReason::Stalled, EvictReason::Displaced][self.dice.below(2)];
            self.people[who].given_up = Some(reason);
            if reason == EvictReason::Stalled {
                self.is_expected_back(who);
            }
            self.room.evict(self.people[who].id, reason);
            self.follow();
            assert!(self.people[who].cut);
        }
    }

    fn close(&mut self) {
        if self.closed {
            return;
        }
        assert_eq!(self.room.close("good night"), self.members());
        let word = "FROM server [all]: good night";
        for who in 0..self.people.len() {
            let person = &self.people[who];
            if !person.gone && !person.listens() {
                let head = self.head + word.len() as u64 + 1;
                self.people[who].is_told(line_of(word), head..head, true);
            }
        }
        self.expect_all(word, None);
        let head = self.head;
        for person in self.people.iter_mut().filter(|person| !person.gone) {
            person.is_told(line_of("BYE"), head..head, true);
            (person.gone, person.owed) = (true, true);
            person.was = person.nick.take().or(person.was.take());
            person.ears = person.ears.min(head);
        }
        self.closed = true;
        assert!(self.room.is_closed());
        self.follow();
    }

    fn ask_who(&mut self, who: usize) {
        self.hears(who, "WHO");
        let mut nicks: Vec<&str> =
            self.people.iter().filter_map(|person| person.nick.as_deref()).collect();
        nicks.sort_by_key(|nick| nick.to_lowercase());
        let line = match self.people[who].nick.is_some() {
            true => format!("Connected users: {}", nicks.join(", ")),
            false => "ERR please_register_with_NICK".to_string(),
        };
        self.expect(who, &line);
        let clear = |person: &&Person| person.nick.is_some() && !person.asks.in_channel;
        let mut nicks: Vec<&str> =
            self.people.iter().filter(clear).filter_map(|person| person.nick.as_deref()).collect();
        nicks.sort_by_key(|nick| nick.to_lowercase());
        let asker = &self.people[who];
        if asker.nick.is_some() && asker.asks.in_channel && !nicks.is_empty() {
            let line = format!("In the clear: {}", nicks.join(", "));
            self.expect(who, &line);
        }
        self.follow();
    }

    fn say_nonsense(&mut self, who: usize) {
        let guest = self.people[who].nick.is_none();
        let unless_guest = |refusal| if guest { "please_register_with_NICK" } else { refusal };
        let (line, refusal): (Result<&[u8], _>, _) = match self.dice.below(6) {
            0 => (Ok(b""), ""),
            1 => (Ok(b"dance"), "unknown_command"),
            2 => (Ok(b"MSG \xFF"), "invalid_utf8"),
            3 => (Ok(b"MSG  \x07"), unless_guest("empty_message")),
            4 => (Err(TooLong), "line_too_long"),
            _ => (Ok(b"MSG @ana"), unless_guest("malformed_dm")),
        };
        self.room.hear(self.people[who].id, line, self.now);
        self.heard = self.now;
        if !refusal.is_empty() {
            self.expect(who, &format!("ERR {refusal}"));
        }
        self.follow();
    }

    /// After everything that is done to the room: it has let go of the ones that it must,
    /// and of no other, and rings all that have something to read.
    fn follow(&mut self) {
        let Effects { wake: stirred, evicted, changes, .. } = self.room.take_effects();
        self.changes.extend(changes);
        for cut in evicted {
            let Some(who) = self.people.iter().position(|person| person.id == cut.id) else {
                continue; // They have left.
            };
            let start = self.head.saturating_sub(TRANSCRIPT as u64);
            let person = &mut self.people[who];
            let (place, notes) = (person.place(self.head), person.notes);
            assert!(!person.cut, "nobody is let go twice");
            let name = person.nick.as_deref().or(person.was.as_deref());
            assert_eq!(cut.nick.as_ref().map(|nick| nick.as_str()), name);
            match cut.reason {
                EvictReason::Behind => {
                    // Each line may be a note of its own, and they take memory, too.
                    let lines = person.unread.iter().filter(|told| told.private).count();
                    let much = notes + lines * NOTE > MAX_NOTES;
                    assert!(place.start < start || much);
                    let reads = self.polite && self.unasked < UNASKED && person.reads(self.now);
                    assert!(!reads || much, "a reader that reads is not evicted for lag");
                }
                reason => assert_eq!(person.given_up, Some(reason)),
            }
            let behind = person.behind(self.head);
            let (least, most) = (behind.start + notes as u64, behind.end + notes as u64);
            assert!((least..=most).contains(&cut.behind), "{} bytes behind", cut.behind);
            (person.gone, person.cut, person.doomed) = (true, true, false);
            person.ears = person.ears.min(place.start);
            person.unread.clear();
            person.notes = 0;
            self.vanish(who);
        }

        let start = self.head.saturating_sub(TRANSCRIPT as u64);
        for person in &mut self.people {
            let rung = stirred.all && person.listens() || stirred.some.contains(&person.id);
            assert!(rung || person.cut || !person.owed, "nobody waits for what is there");
            person.owed = false;
            assert!(!person.doomed, "who has been told too much is let go");
            let place = person.place(self.head);
            let lost = place.end < start && place.end < person.ears;
            assert!(self.closed || !lost, "what somebody has yet to read is there");
            assert_eq!(self.room.accepts_input(person.id), person.notes <= MAX_UNREAD_ANSWERS);
            assert_eq!(self.room.listens(person.id), person.listens());
            let news = self.room.has_unread(person.id);
            assert!(news || !person.gone && person.unread.iter().all(|told| told.line.is_empty()));
            assert!(!news || person.gone || !person.unread.is_empty());
            let nick = self.room.nick(person.id).map(|nick| nick.as_str());
            assert_eq!(nick, person.nick.as_deref());
        }
        if let Some((id, read)) = &mut self.log {
            let mut lines = Vec::new();
            while self.room.read_on(*id, &mut lines) == Followed::Some {}
            let said = self.said[*read..].iter().flat_map(|(_, line)| line.iter().copied());
            assert_eq!(
                String::from_utf8_lossy(&lines),
                String::from_utf8_lossy(&said.collect::<Vec<_>>())
            );
            assert!(stirred.all || lines.is_empty(), "the follower is woken");
            *read = self.said.len();
        }
        // The room looks no more often than once in this long.
        self.now += Duration::from_millis(1);
        let (head, now) = (self.head, self.now);
        self.waits = self.room.must_wait(now);
        let may = self.people.iter_mut().fold(false, |may, one| may | one.may_delay(head, now));
        assert!(!self.waits || may, "senders wait only for a reader that lags and may read");
        let must = self.people.iter().any(|person| person.must_delay(head, now));
        assert!(self.waits || !must, "senders wait for a reader that lags and reads");
        let notes = self.people.iter().any(|person| person.notes as u64 > SOFT_LAG);
        for person in &self.people {
            let waits = self.room.must_wait_for_reader(person.id, now);
            assert!(!waits || notes, "a private sender waits only for a reader that lags");
        }
    }

    fn read_out(&mut self, who: usize) {
        while self.read(who) {}
    }

    /// They read a batch, which begins with what they have yet to read. Whether
    /// there was any.
    fn read(&mut self, who: usize) -> bool {
        let id = self.people[who].id;
        let mut read = Vec::new();
        let reading = self.room.read(id, &mut read);
        self.people[who].is_given(self.head);
        if reading == Reading::Some && self.dice.below(4) == 1 {
            // Not all of it gets through; the room has the rest.
            let through = self.dice.below(2 * read.len()).saturating_sub(read.len());
            self.room.return_unsent(id, &read, through, self.now);
            if through == 0 {
                self.people[who].refused = Some(self.now);
            }
            self.people[who].takes(&read[..through], self.now);
            self.people[who].is_given_back(read.len() - through);
            return true;
        }
        self.people[who].takes(&read, self.now);
        if let Some(talk) = self.room.last_read(id)
            && self.dice.below(2) == 0
        {
            // Readers at the same place are given the same bytes.
            for other in &mut self.people {
                if self.room.skip(other.id, talk) {
                    other.is_given(self.head);
                    other.takes(&read, self.now);
                }
            }
        }
        let person = &self.people[who];
        let lost = person.place(self.head).start < self.head.saturating_sub(TRANSCRIPT as u64);
        let more = person.unread.iter().any(|told| !told.line.is_empty());
        match reading {
            Reading::Some => assert!(!read.is_empty()),
            Reading::Nothing => assert!(read.is_empty() && !person.gone && !more),
            // The words when the room closes may be more than it can hold.
            Reading::Over => assert!(person.gone && (!more || self.closed && lost)),
        }
        reading == Reading::Some
    }

    /// Everybody reads to the end; some evenings the room closes first.
    fn end(mut self) {
        if self.dice.below(2) == 1 {
            self.close();
        }
        for who in 0..self.people.len() {
            self.read_out(who);
        }
        let effects = self.room.take_effects();
        assert_eq!(effects.evicted, []);
        self.changes.extend(effects.changes);
        let news = mem::take(&mut self.changes);
        let told: Vec<String> = news
            .iter()
            .map(|news| match &news.what {
                Change::Joined(nick) => format!("+ {nick} {}", news.members),
                Change::Left(nick) => format!("- {nick} {}", news.members),
                Change::Renamed(old, new) => format!("{old} {new} {}", news.members),
                Change::Resumed(_, nick) => format!("~ {nick} {}", news.members),
            })
            .collect();
        assert_eq!(told, self.deeds);
    }
}

fn is_message(line: &[u8]) -> bool {
    line.starts_with(b"FROM ")
}

/// A line as it is sent.
fn line_of(text: &str) -> Rc<[u8]> {
    format!("{text}\n").into_bytes().into()
}
