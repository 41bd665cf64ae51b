//! People whose clients understand more than version 1: they say so, and ask for the past.

use std::time::Duration;

use minichat::room::MAX_LOOKUPS;

use super::{Evening, TICKETS, line_of};

/// The term of the room, and another one.
const TERMS: [&str; 2] = ["7f3a9c21", "00000000"];
/// A client searches this often at once.
const SEARCHES: u32 = 5;
/// After so long, it may search once more.
const SEARCH_INTERVAL: Duration = Duration::from_secs(10);

/// The wishes of one client beyond version 1.
#[derive(Default)]
pub(super) struct Asks {
    /// It is in a channel.
    pub in_channel: bool,
    /// It reads what was said earlier.
    pub history: bool,
    /// It reads that a member takes another nick.
    renames: bool,
    /// The number of the last message that it knows, in the room's term.
    since: Option<u64>,
    /// How long ago its last searches are paid for, and the last time that this was counted.
    credit: Option<(Duration, Duration)>,
    /// The number of its search that has no answer yet.
    search: Option<u64>,
}

impl Evening<'_> {
    /// They say which additions they understand, and perhaps what they have read.
    pub(super) fn understand(&mut self, who: usize) {
        let (history, renames) =
            [(false, true), (true, false), (true, true), (false, false)][self.dice.below(4)];
        let in_channel = self.people[who].asks.in_channel;
        let mut words = match (history, renames) {
            (false, false) => "CAP sparkles",
            (false, true) => "cap renames",
            (true, false) => "CAP  history sparkles",
            (true, true) => "CAP renames history",
        }
        .to_string();
        // In the clear, the last of them is not known.
        let keep = self.dice.below(4) > 0;
        words.push_str(if keep { " keep" } else { "" });
        self.hears(who, &words);
        if self.people[who].nick.is_some() {
            self.expect(who, "ERR unknown_command");
        } else if !self.people[who].gone {
            let (history, keep) = (history && self.rules.recall > 0, keep && in_channel);
            let person = &mut self.people[who];
            person.asks = Asks { in_channel, history, renames, ..Asks::default() };
            person.ticket = None;
            let known = [(history, " history"), (renames, " renames"), (keep, " keep")];
            let known = known.into_iter().filter_map(|(asked, word)| asked.then_some(word));
            let answer = format!("Capabilities:{}", known.collect::<String>());
            self.expect(who, &answer);
            if keep {
                let ticket = self.dice.below(TICKETS);
                self.hears(who, &format!("KEEP {ticket:032x}"));
                self.people[who].ticket = Some(ticket);
            }
        }
        self.follow();
        if self.dice.below(3) == 0 {
            self.tell_place(who);
        }
    }

    /// They say what they have read before they were away.
    fn tell_place(&mut self, who: usize) {
        let number = self.dice.below(self.messages.len().min(250) + 3) as u64;
        let term = TERMS[self.dice.below(TERMS.len())];
        self.hears(who, &format!("SINCE {term} {number}"));
        let person = &mut self.people[who];
        if person.nick.is_none() && person.asks.history {
            person.asks.since = (term == TERMS[0]).then_some(number);
        } else {
            self.expect(who, "ERR unknown_command");
        }
        self.follow();
    }

    /// The lines about the past that a newcomer is told.
    pub(super) fn missed(&self, who: usize) -> Vec<String> {
        let asks = &self.people[who].asks;
        if !asks.history {
            return Vec::new();
        }
        let last = self.messages.len();
        let from = match asks.since {
            Some(number) => (number as usize).min(last),
            None => last.saturating_sub(self.rules.recall),
        };
        let mut lines = self.past(from + 1..=last);
        lines.push(format!("Now: {} {last}", TERMS[0]));
        lines
    }

    /// The messages with these numbers as they are told again.
    fn past(&self, numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
        let line = |number: usize| {
            let (seconds, line) = &self.messages[number - 1];
            let line = str::from_utf8(line).expect("a line is text").trim_end_matches('\n');
            format!("Past: {number} {seconds} {line}")
        };
        numbers.map(line).collect()
    }

    /// The others that understand it are told that a nick is given up for another one.
    pub(super) fn expect_rename(&mut self, old: &str, new: &str, but: usize) {
        let (line, head) = (line_of(&format!("Renamed: {old} {new}")), self.head);
        for (who, person) in self.people.iter_mut().enumerate() {
            if person.asks.renames && person.listens() && who != but {
                person.is_told(line.clone(), head..head, true);
            }
        }
    }

    /// They want to read some messages again.
    pub(super) fn ask_last(&mut self, who: usize) {
        let (count, last) = (self.dice.below(12), self.messages.len());
        let before = self.dice.below(2 * last.min(100) + 3);
        let (line, end) = match self.dice.below(2) {
            0 => (format!("LAST {count}"), last + 1),
            _ => (format!("LAST {count} BEFORE {before}"), before.min(last + 1)),
        };
        self.hears(who, &line);
        if self.may_ask(who) {
            let first = end.saturating_sub(count).max(1);
            let told = self.past(first..=end.saturating_sub(1));
            let first = if told.is_empty() { end } else { first };
            for line in &told {
                self.expect(who, line);
            }
            let more = if first > 1 { " of more" } else { "" };
            self.expect(who, &format!("Found: {}{more}", told.len()));
        }
        self.follow();
    }

    /// They look for something. The answer comes at once, or much later.
    pub(super) fn search(&mut self, who: usize) {
        let words = ["line", "x", " ", "psst"][self.dice.below(4)];
        self.hears(who, &format!("FIND {words}"));
        let now = self.now;
        if !self.may_ask(who) {
            // They were told why not.
        } else if words.trim().len() < 2 {
            self.expect(who, "ERR empty_message");
        } else {
            let asks = &mut self.people[who].asks;
            let most = SEARCH_INTERVAL * SEARCHES;
            let (credit, counted) = asks.credit.unwrap_or((most, now));
            let credit = (credit + (now - counted)).min(most);
            let busy = asks.search.is_some() || self.lookups.len() == MAX_LOOKUPS;
            if busy || credit < SEARCH_INTERVAL {
                self.expect(who, "ERR too_fast");
            } else {
                asks.credit = Some((credit - SEARCH_INTERVAL, now));
                let lookups = self.room.take_lookups();
                asks.search = Some(lookups[0].ticket);
                self.lookups.extend(lookups);
            }
        }
        assert!(self.room.take_lookups().is_empty(), "nothing else is looked up");
        self.follow();
        if self.dice.below(2) == 0 && !self.lookups.is_empty() {
            let lookup = self.lookups.swap_remove(self.dice.below(self.lookups.len()));
            let past = "Past: 7 0 FROM ana [all]: line 7";
            self.room.answer(&lookup, format!("{past}\n").as_bytes(), 1, true);
            let asker =
                self.people.iter().position(|person| person.asks.search == Some(lookup.ticket));
            if let Some(who) = asker {
                self.people[who].asks.search = None;
                self.expect(who, past);
                self.expect(who, "Found: 1 of more");
            }
            self.follow();
        }
    }

    /// Whether they may ask for the past; otherwise they are told why not.
    fn may_ask(&mut self, who: usize) -> bool {
        let person = &self.people[who];
        let refusal = match (person.asks.history, person.nick.is_some()) {
            (false, _) => "unknown_command",
            (true, false) => "please_register_with_NICK",
            (true, true) => return true,
        };
        self.expect(who, &format!("ERR {refusal}"));
        false
    }
}
