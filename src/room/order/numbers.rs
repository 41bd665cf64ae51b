//! The numbers of messages, which all servers count alike, and the list that tells them.

use std::collections::VecDeque;

use crate::room::order::census::Holder;
use crate::room::order::line::{List, Listed};
use crate::room::order::{EntryId, LIST_AFTER, MAX_ENTRY, MAX_MARKS, Order, PastMessage};

impl Order {
    /// Makes the list of the own members, in parts.
    pub(super) fn make_list(&mut self, last: u64, term: &str) {
        self.since_list = 0;
        let listed = |holder: &Holder, place| Listed {
            nick: holder.nick.clone(),
            place,
            encrypted: holder.encrypted,
        };
        let own = self.census.of(self.me).map(|(_, it)| listed(it, Some(it.place)));
        let mut members: VecDeque<Listed> =
            own.chain(self.limbo.values().map(|it| listed(it, None))).collect();
        let count = match (self.open, self.marks.back()) {
            (true, Some(&(at, _))) => Some((at, last, term.into())),
            _ => None,
        };
        let mut lists = Vec::new();
        loop {
            let mut list = List { part: (0, 0), count: count.clone(), members: Vec::new() };
            let mut length = 0;
            while let Some(next) = members.front()
                && length + next.nick.as_str().len() + 64 < MAX_ENTRY - 256
            {
                length += next.nick.as_str().len() + 64;
                list.members.extend(members.pop_front());
            }
            lists.push(list);
            if members.is_empty() {
                break;
            }
        }
        let parts = lists.len() as u32;
        for (list, part) in lists.iter_mut().zip(1..) {
            list.part = (part, parts);
            self.parts.push_back(format!("{list}\n"));
        }
    }

    /// Takes note of the end of an entry, and of the messages in it.
    pub fn mark(&mut self, id: EntryId, length: usize, messages: u64) {
        self.count += messages;
        self.marks.push_back((id, self.count));
        if self.marks.len() > MAX_MARKS {
            self.marks.pop_front();
            self.marks_dropped = true;
        }
        self.since_list += length;
        if self.since_list > LIST_AFTER && self.open {
            self.since_list = 0;
            self.announce();
        }
    }

    /// How many messages were read.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Keeps a message until its number is known, as many as fit into so many bytes.
    pub fn keep_past(&mut self, millis: u64, from: Box<str>, text: String, most: usize) {
        self.past_bytes += from.len() + text.len() + 64;
        self.past.push_back(PastMessage { millis, from, text });
        while self.past_bytes > most
            && let Some(PastMessage { from, text, .. }) = self.past.pop_front()
        {
            self.past_bytes -= from.len() + text.len() + 64;
        }
    }

    /// Another server says what the number was at an entry. Of different counts, the largest
    /// one is right. Beats say it again and again, because lines that were lost and came again
    /// are not at the same places everywhere.
    pub fn rebase(&mut self, at: EntryId, number: u64) {
        let after = self.marks.partition_point(|&(id, _)| id <= at);
        let count = match after.checked_sub(1).map(|index| self.marks[index].1) {
            Some(count) => count,
            None if self.marks_dropped => return, // It is too long ago.
            None => 0,
        };
        self.base = self.base.max(number.checked_sub(count));
    }
}
