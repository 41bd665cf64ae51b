//! The lines that a member has read and said, across the hosts of its room.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Lineage, MAX_PLACES, Place};

/// How many lines a member remembers.
pub const MAX_TAIL: usize = 1000;
/// How many bytes of nicks and texts it remembers.
pub const MAX_TAIL_BYTES: usize = 256 << 10;
/// Own lines that the lost host had told are said again if they are no older than this.
const SAID_AGAIN: Duration = Duration::from_secs(30);
/// How long a line that the lost host had told is known when another one tells it.
const KNOWN: Duration = Duration::from_secs(120);

/// A message to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The nick of the sender.
    pub from: String,
    /// The text, as it was told.
    pub text: String,
}

/// A message to all with its number in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// When it was said, in milliseconds since 1970.
    pub millis: u64,
    /// The message.
    pub line: Line,
}

/// A line that was read.
#[derive(Debug)]
struct Read {
    told: Numbered,
    /// When it was read.
    at: Duration,
    /// When we said it; none if another member did.
    said: Option<Duration>,
}

/// The room as one member knows it.
///
/// Each host counts the messages to all, and so does each of its members. After a takeover,
/// a member and the new host have read the same up to a number. What the member has read
/// beyond it only the lost host knew: the member says its own words of that again, once, and
/// does not show the words of others again when they do the same.
#[derive(Debug, Default)]
pub struct Memory {
    lineage: Lineage,
    /// Where we have been, newest first.
    places: Vec<Place>,
    tail: VecDeque<Read>,
    /// How many bytes of nicks and texts are in the tail.
    bytes: usize,
    /// Lines that a lost host alone had told, and when they were read.
    beyond: VecDeque<(Line, Duration)>,
    /// Own texts that were not told yet, and when they were said.
    unconfirmed: VecDeque<(String, Duration)>,
}

/// The result of entering a room again.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejoined {
    /// The room knows where we have been.
    pub is_known: bool,
    /// Which of the past lines are to be shown.
    pub shows: Vec<bool>,
    /// Own texts that the room lacks, to be said again in this order.
    pub says: Vec<String>,
}

/// A new host's knowledge.
#[derive(Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last lines, in order and without a gap.
    pub lines: Vec<Numbered>,
    /// The number of the last one.
    pub last: u64,
    /// The terms so far, newest first, and where each ended.
    pub ancestors: Vec<Place>,
}

impl Memory {
    /// Where we have been, newest first.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// We say something to all.
    pub fn say(&mut self, text: &str, now: Duration) {
        if self.unconfirmed.len() == MAX_TAIL {
            self.unconfirmed.pop_front();
        }
        self.unconfirmed.push_back((text.into(), now));
    }

    /// The server has refused one of our lines.
    pub fn refused(&mut self, text: &str) {
        self.confirm(text);
    }

    /// Whether the room has yet to tell something that we said.
    pub fn awaits_echo(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// A message to all is told. Returns whether to show it.
    pub fn hear(&mut self, line: Line, own: bool, millis: u64, now: Duration) -> bool {
        let Some((_, number)) = self.places.first_mut() else { return true };
        *number += 1;
        let number = *number;
        let said = if own { self.confirm(&line.text) } else { None };
        let told = Numbered { number, millis, line };
        let known = self.recall(&told.line);
        self.remember(told, now, said);
        known.is_none_or(|at| now >= at + KNOWN)
    }

    /// We are in a room, at its present host, which tells its terms, the number of its last
    /// message, and the past: what it has beyond what we both know, or some of the last
    /// lines. `is_own` tells which lines we have said.
    pub fn rejoin(
        &mut self,
        lineage: Lineage,
        last: u64,
        past: Vec<Numbered>,
        is_own: impl Fn(&Line) -> bool,
        now: Duration,
    ) -> Rejoined {
        let common = lineage.common(&self.places, last);
        let kept = self.tail.iter().filter(|read| Some(read.told.number) <= common).count();
        // Own lines that the room may lack: told by a lost host, or by none.
        let mut lacks: Vec<(String, Duration, bool)> = Vec::new();
        for read in self.tail.drain(kept..) {
            if let (Some(said), Some(_)) = (read.said, common) {
                lacks.push((read.told.line.text.clone(), said, true));
            }
            if self.beyond.len() == MAX_TAIL {
                self.beyond.pop_front();
            }
            self.beyond.push_back((read.told.line, read.at));
        }
        self.bytes = self.tail.iter().map(|read| read.told.line.length()).sum();
        lacks.extend(self.unconfirmed.drain(..).map(|(text, said)| (text, said, false)));

        let mut shows = Vec::new();
        for told in past {
            let mut said = None;
            if is_own(&told.line)
                && let Some(at) = lacks.iter().position(|(text, ..)| *text == told.line.text)
            {
                said = Some(lacks.remove(at).1);
            }
            shows.push(self.recall(&told.line).is_none());
            self.remember(told, now, said);
        }

        lacks.retain(|(_, said, told)| !told || now < *said + SAID_AGAIN);
        let says = lacks.iter().map(|(text, ..)| text.clone()).collect();
        self.unconfirmed = lacks.into_iter().map(|(text, said, _)| (text, said)).collect();
        self.places.retain(|(term, _)| *term != lineage.term);
        for (_, number) in &mut self.places {
            *number = common.map_or(*number, |common| common.min(*number));
        }
        self.places.insert(0, (lineage.term.clone(), last));
        self.places.truncate(MAX_PLACES);
        self.lineage = lineage;
        Rejoined { is_known: common.is_some(), shows, says }
    }

    /// The knowledge of the next host, if we have ever been in the room.
    pub fn inherit(&self) -> Option<Tail> {
        let last = self.places.first()?.1;
        // Lines that the room told no more may lie before a gap.
        let numbers = || self.tail.iter().map(|read| read.told.number);
        let gap = numbers().zip(numbers().skip(1)).rposition(|(one, next)| next != one + 1);
        let first = gap.map_or(0, |gap| gap + 1);
        let lines = self.tail.iter().skip(first).map(|read| read.told.clone()).collect();
        Some(Tail { lines, last, ancestors: self.lineage.next_ancestors(last) })
    }

    /// Takes one of our texts for told. Returns when we said it.
    fn confirm(&mut self, text: &str) -> Option<Duration> {
        let at = self.unconfirmed.iter().position(|(said, _)| said == text)?;
        self.unconfirmed.remove(at).map(|(_, said)| said)
    }

    /// Takes a line for told again that only a lost host had told. Returns when it was read.
    fn recall(&mut self, line: &Line) -> Option<Duration> {
        let at = self.beyond.iter().position(|(known, _)| known == line)?;
        self.beyond.remove(at).map(|(_, at)| at)
    }

    fn remember(&mut self, told: Numbered, at: Duration, said: Option<Duration>) {
        self.bytes += told.line.length();
        self.tail.push_back(Read { told, at, said });
        while self.tail.len() > MAX_TAIL || self.bytes > MAX_TAIL_BYTES {
            let Some(read) = self.tail.pop_front() else { break };
            self.bytes -= read.told.line.length();
        }
    }
}

impl Line {
    fn length(&self) -> usize {
        self.from.len() + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: &str, text: &str) -> Line {
        Line { from: from.into(), text: text.into() }
    }

    fn numbered(number: u64, from: &str, text: &str) -> Numbered {
        Numbered { number, millis: 0, line: line(from, text) }
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn is_ana(line: &Line) -> bool {
        line.from == "ana"
    }

    /// Ana has read the first two lines of a term, of which she has said the second.
    fn ana() -> Memory {
        let mut memory = Memory::default();
        memory.rejoin(Lineage::new("a".into()), 0, Vec::new(), is_ana, secs(0));
        assert!(memory.hear(line("bia", "olá"), false, 0, secs(1)));
        memory.say("oi", secs(1));
        assert!(memory.hear(line("ana", "oi"), true, 0, secs(1)));
        assert!(!memory.awaits_echo());
        memory
    }

    #[test]
    fn member_says_again_what_the_next_host_lacks() {
        let mut memory = ana();
        memory.say("tudo bem?", secs(2));
        let next = Lineage::new("a".into()).succeed(1, "b".into());
        let rejoined = memory.rejoin(next, 1, Vec::new(), is_ana, secs(3));
        assert_eq!(rejoined.says, ["oi", "tudo bem?"]);
        assert!(!memory.hear(line("ana", "oi"), true, 0, secs(4)), "it was shown");
        assert!(memory.hear(line("ana", "tudo bem?"), true, 0, secs(4)));
        assert_eq!(memory.places(), [("b".into(), 3), ("a".into(), 1)]);
    }

    #[test]
    fn member_says_nothing_again_that_the_past_has() {
        let mut memory = ana();
        memory.say("oi", secs(2));
        let next = Lineage::new("a".into()).succeed(2, "b".into());
        let past = vec![numbered(3, "rui", "oi"), numbered(4, "ana", "oi")];
        let rejoined = memory.rejoin(next, 4, past, is_ana, secs(3));
        assert_eq!((rejoined.says, rejoined.shows), (vec![], vec![true, true]));
    }

    #[test]
    fn each_line_that_was_shown_hides_one() {
        let mut memory = ana();
        let next = Lineage::new("a".into()).succeed(0, "b".into());
        let past = vec![numbered(1, "bia", "olá"), numbered(2, "bia", "olá")];
        let rejoined = memory.rejoin(next, 2, past, is_ana, secs(3));
        assert_eq!(rejoined.shows, [false, true]);
        assert_eq!(rejoined.says, ["oi"]);
    }

    #[test]
    fn old_words_are_neither_said_again_nor_hidden() {
        let mut memory = ana();
        let next = Lineage::new("a".into()).succeed(0, "b".into());
        let rejoined = memory.rejoin(next, 0, Vec::new(), is_ana, secs(31));
        assert!(rejoined.says.is_empty());
        assert!(memory.hear(line("bia", "olá"), false, 0, secs(121)));
    }

    #[test]
    fn newcomer_repeats_no_echoed_words() {
        let mut memory = ana();
        memory.say("tchau", secs(2));
        let rejoined = memory.rejoin(Lineage::new("x".into()), 9, Vec::new(), is_ana, secs(3));
        assert_eq!((rejoined.is_known, rejoined.says), (false, vec!["tchau".to_string()]));
    }

    #[test]
    fn next_host_knows_the_tail_without_a_gap() {
        let mut memory = ana();
        let next = Lineage::new("a".into()).succeed(2, "b".into());
        let past = vec![numbered(700, "bia", "um"), numbered(701, "bia", "dois")];
        memory.rejoin(next.clone(), 701, past, is_ana, secs(3));
        let tail = memory.inherit().unwrap();
        assert_eq!((tail.lines.len(), tail.last), (2, 701));
        assert_eq!(tail.ancestors, next.next_ancestors(701));
        assert_eq!(Memory::default().inherit(), None);
    }

    #[test]
    fn tail_is_bounded() {
        let mut memory = ana();
        for _ in 0..2 * MAX_TAIL {
            memory.hear(line("bia", "x"), false, 0, secs(1));
        }
        assert_eq!(memory.tail.len(), MAX_TAIL);
        for _ in 0..100 {
            memory.hear(line("bia", &"x".repeat(4096)), false, 0, secs(1));
        }
        assert!(memory.bytes <= MAX_TAIL_BYTES && memory.bytes > MAX_TAIL_BYTES - 5000);
        for text in 0..2 * MAX_TAIL {
            memory.say(&text.to_string(), secs(2));
        }
        assert_eq!(memory.unconfirmed.len(), MAX_TAIL);
    }
}
