//! Whole evenings at random, next to a model too simple to be wrong.
//!
//! The model keeps, for each person, the text that they should have read. It has
//! no transcript, no places and no notes, so it cannot share a mistake with the
//! room. `MINICHAT_SEED` replays one evening alone.

use std::time::Duration;

use fastrand::Rng;
use minichat::room::{Deed, Reading, Room, Rules, SessionId};

const EVENINGS: u64 = 1000;
const NICKS: [&str; 9] = ["ana", "Ana", "joao", "zé", "ZÉ", "maria", "server", "a b", ""];

#[test]
fn everyone_reads_what_the_model_says_in_the_order_it_says() {
    match std::env::var("MINICHAT_SEED") {
        Ok(seed) => Evening::new(seed.parse().expect("a seed is a number")).pass(),
        Err(_) => (0..EVENINGS).for_each(|seed| Evening::new(seed).pass()),
    }
}

struct Evening {
    seed: u64,
    dice: Rng,
    room: Room,
    rules: Rules,
    now: Duration,
    people: Vec<Person>,
    /// Every message to all, as it goes over the wire.
    messages: Vec<String>,
    /// Who came and went, as the operator is told.
    deeds: Vec<String>,
}

struct Person {
    id: SessionId,
    nick: Option<String>,
    /// The operator lets them say nothing.
    muted: bool,
    /// The server has said its last word to them.
    gone: bool,
    renames: Vec<Duration>,
    read: Vec<u8>,
    expected: String,
}

impl Evening {
    fn new(seed: u64) -> Evening {
        let mut dice = Rng::with_seed(seed);
        let rules = Rules {
            greeting: (0..dice.usize(0..3)).map(|n| format!("welcome {n}")).collect(),
            max_users: dice.usize(0..6),
            history: dice.usize(0..4),
        };
        Evening {
            seed,
            dice,
            room: Room::new(rules.clone()),
            rules,
            now: Duration::ZERO,
            people: Vec::new(),
            messages: Vec::new(),
            deeds: Vec::new(),
        }
    }

    fn pass(mut self) {
        for turn in 0..self.dice.usize(0..400) {
            self.now += Duration::from_millis(self.dice.u64(0..4000));
            let n = self.people.len();
            let action = self.dice.usize(0..24);
            if n == 0 || action < 2 && n < 9 {
                self.come();
                continue;
            }
            let who = self.dice.usize(0..n);
            match action {
                0..=2 => self.break_off(who),
                3..=6 => self.name(who),
                7..=8 => self.whisper(who, turn),
                9 => self.ask_who(who),
                10 if self.dice.usize(0..4) == 0 => self.quit(who),
                11..=12 => self.say_nonsense(who),
                13..=14 => {
                    let person = &mut self.people[who];
                    self.room.read(person.id, &mut person.read, self.now);
                }
                15 => self.mute(who),
                16 if self.dice.usize(0..4) == 0 => self.kick(who, turn),
                17 if self.dice.usize(0..4) == 0 => self.ban(who),
                18 => self.announce(turn),
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
    }

    fn expect(&mut self, who: usize, line: &str) {
        let person = &mut self.people[who];
        if !person.gone {
            person.expected += line;
            person.expected.push('\n');
        }
    }

    fn expect_all(&mut self, line: &str, but: Option<usize>) {
        for who in (0..self.people.len()).filter(|&who| Some(who) != but) {
            if self.people[who].nick.is_some() {
                self.expect(who, line);
            }
        }
    }

    fn come(&mut self) {
        let person = Person {
            id: self.room.enter(),
            nick: None,
            muted: false,
            gone: false,
            renames: Vec::new(),
            read: Vec::new(),
            expected: "New User. Please register with: NICK <your_nick>\n".into(),
        };
        let who = self.people.len();
        self.people.push(person);
        if self.is_full() {
            self.expect(who, "ERR room_full");
            self.people[who].gone = true;
        }
    }

    fn part(&mut self, who: usize) {
        self.people[who].gone = true;
        if let Some(nick) = self.people[who].nick.take() {
            self.expect_all(&format!("User {nick} left the chat."), None);
            self.deeds.push(format!("- {nick} {}", self.members()));
        }
    }

    fn quit(&mut self, who: usize) {
        self.hears(who, "quit");
        self.expect(who, "BYE");
        if !self.people[who].gone {
            self.part(who);
        }
    }

    fn break_off(&mut self, who: usize) {
        if self.dice.bool() {
            // Half of the connection first: what is owed can still be read.
            self.room.hang_up(self.people[who].id);
            self.part(who);
            self.check(who, Reading::Over);
        }
        self.room.leave(self.people[who].id);
        self.part(who);
        self.people.swap_remove(who);
    }

    fn name(&mut self, who: usize) {
        let nick = NICKS[self.dice.usize(0..NICKS.len())].to_string();
        self.hears(who, &format!("NICK {nick}"));
        let person = &self.people[who];
        if person.gone {
            return;
        }
        let holder = |other: &Person| {
            other.nick.as_ref().is_some_and(|held| held.to_lowercase() == nick.to_lowercase())
        };
        let taken = (0..self.people.len()).any(|other| other != who && holder(&self.people[other]));
        let recent = person
            .renames
            .iter()
            .filter(|&&then| self.now - then < Duration::from_secs(30))
            .count();
        match person.nick.clone() {
            _ if ["server", "a b", ""].contains(&&*nick) => self.expect(who, "ERR invalid_nick"),
            _ if taken => self.expect(who, "ERR apelido_em_uso"),
            None if self.is_full() => {
                self.expect(who, "ERR room_full");
                self.people[who].gone = true;
            }
            None => self.join(who, nick),
            Some(old) if old == nick => self.expect(who, &format!("OK welcome {nick}")),
            Some(_) if recent >= 5 => self.expect(who, "ERR too_fast"),
            Some(old) => {
                self.expect_all(&format!("User {old} left the chat."), Some(who));
                self.expect_all(&format!("User {nick} joined."), Some(who));
                self.expect(who, &format!("OK welcome {nick}"));
                self.deeds.push(format!("{old} {nick} {}", self.members()));
                self.people[who].nick = Some(nick);
                self.people[who].renames.push(self.now);
            }
        }
    }

    fn join(&mut self, who: usize, nick: String) {
        self.expect_all(&format!("User {nick} joined."), None);
        self.expect(who, &format!("OK welcome {nick}"));
        for text in self.rules.greeting.clone() {
            self.expect(who, &format!("FROM server [dm]: {text}"));
        }
        let history =
            self.messages.iter().rev().take(self.rules.history).rev().cloned().collect::<Vec<_>>();
        if !history.is_empty() {
            self.expect(who, &format!("History: {}", history.len()));
            history.iter().for_each(|line| self.expect(who, line));
        }
        self.people[who].nick = Some(nick.clone());
        self.deeds.push(format!("+ {nick} {}", self.members()));
    }

    fn say(&mut self, who: usize, turn: usize) {
        self.hears(who, &format!("MSG line {turn}"));
        match self.people[who].nick.clone() {
            Some(_) if self.people[who].muted => self.expect(who, "ERR muted"),
            Some(nick) => {
                let line = format!("FROM {nick} [all]: line {turn}");
                self.expect_all(&line, None);
                self.messages.push(line);
            }
            None => self.expect(who, "ERR please_register_with_NICK"),
        }
    }

    fn whisper(&mut self, who: usize, turn: usize) {
        let to = self.dice.usize(0..self.people.len());
        let target = self.people[to].nick.clone().unwrap_or("nobody".into()).to_uppercase();
        self.hears(who, &format!("MSG @{target} psst {turn}"));
        match (self.people[who].nick.clone(), self.people[to].nick.is_some()) {
            (None, _) => self.expect(who, "ERR please_register_with_NICK"),
            (Some(_), _) if self.people[who].muted => self.expect(who, "ERR muted"),
            (Some(_), false) => self.expect(who, "ERR user_not_found"),
            (Some(nick), true) => self.expect(to, &format!("FROM {nick} [dm]: psst {turn}")),
        }
    }

    fn announce(&mut self, turn: usize) {
        self.room.announce(&format!("order {turn}"));
        let line = format!("FROM server [all]: order {turn}");
        self.expect_all(&line, None);
        self.messages.push(line);
    }

    fn mute(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.muted = !person.muted;
        self.room.mute(person.id, person.muted);
        assert_eq!(self.room.is_muted(person.id), person.muted);
    }

    fn kick(&mut self, who: usize, turn: usize) {
        // Nobody can be named who has no nick.
        let Some(nick) = self.people[who].nick.clone() else { return };
        let id = self.room.find(&nick.to_uppercase()).expect("a member is found");
        let (reason, told) = match self.dice.bool() {
            true => (format!("reason {turn}"), format!(": reason {turn}")),
            false => (String::new(), String::new()),
        };
        self.room.kick(id, &reason);
        self.expect(who, &format!("FROM server [dm]: you were removed by the operator{told}"));
        self.expect(who, "BYE");
        self.part(who);
    }

    fn ban(&mut self, who: usize) {
        self.room.ban(self.people[who].id);
        match self.people[who].nick {
            Some(_) => {
                self.expect(who, "FROM server [dm]: you were removed by the operator");
                self.expect(who, "BYE");
            }
            None => self.expect(who, "ERR banned"),
        }
        self.part(who);
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
    }

    fn say_nonsense(&mut self, who: usize) {
        let member = self.people[who].nick.is_some();
        let (line, refusal): (&[u8], _) = match self.dice.usize(0..5) {
            0 => (b"", ""),
            1 => (b"dance", "unknown_command"),
            2 => (b"MSG \xFF", "invalid_utf8"),
            3 => (b"MSG  \x07", if member { "empty_message" } else { "please_register_with_NICK" }),
            _ => (b"MSG @ana", if member { "malformed_dm" } else { "please_register_with_NICK" }),
        };
        self.room.hear(self.people[who].id, Ok(line), self.now);
        if !refusal.is_empty() {
            self.expect(who, &format!("ERR {refusal}"));
        }
    }

    /// Everybody reads to the end; some evenings the room closes first.
    fn end(mut self) {
        if self.dice.bool() {
            assert_eq!(self.room.close("good night"), self.members());
            for who in 0..self.people.len() {
                self.expect(who, "FROM server [all]: good night");
                self.expect(who, "BYE");
                self.people[who].gone = true;
            }
        }
        for who in 0..self.people.len() {
            let end = if self.people[who].gone { Reading::Over } else { Reading::Nothing };
            self.check(who, end);
        }
        let news = self.room.take_news();
        let told: Vec<String> = news
            .iter()
            .map(|news| match &news.what {
                Deed::Joined(nick) => format!("+ {nick} {}", news.members),
                Deed::Left(nick) => format!("- {nick} {}", news.members),
                Deed::Renamed(old, new) => format!("{old} {new} {}", news.members),
            })
            .collect();
        assert_eq!(told, self.deeds, "replay with MINICHAT_SEED={}", self.seed);
        assert_eq!(self.room.take_cut(), []);
    }

    /// Someone reads on to the end, and has read what the model says.
    fn check(&mut self, who: usize, end: Reading) {
        let Evening { room, people, seed, now, .. } = self;
        let person = &mut people[who];
        let last = loop {
            match room.read(person.id, &mut person.read, *now) {
                Reading::Some => (),
                last => break last,
            }
        };
        let read = String::from_utf8_lossy(&person.read);
        assert_eq!(read, person.expected, "replay with MINICHAT_SEED={seed}");
        assert_eq!(last, end, "replay with MINICHAT_SEED={seed}");
    }
}
