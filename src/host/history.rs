//! Answers questions about what was said earlier, on a thread of its own.

use std::sync::Weak;

use async_channel::Receiver;

use crate::records::{Excerpt, Record, Words, lines_backwards};
use crate::server::{Hub, Lookup, MAX_PAST_BYTES, Wanted};

/// How many messages a search tells, at most.
const MAX_FOUND: usize = 50;

/// Answers questions until the hub is gone.
pub fn answer(lookups: &Receiver<Lookup>, hub: &Weak<Hub>) {
    while let Ok(lookup) = lookups.recv_blocking() {
        let Some(hub) = hub.upgrade() else { return };
        let remembered = hub.lock().room.records(0);
        let excerpt = look_up(&lookup.wanted, &remembered);
        let (count, more) = (excerpt.count(), excerpt.is_cut());
        hub.lock().room.answer(&lookup, &excerpt.into_lines(), count, more);
    }
}

/// Looks through what the room remembers, the newest first.
fn look_up(wanted: &Wanted, remembered: &[u8]) -> Excerpt {
    let mut excerpt = match wanted {
        Wanted::Last { count, .. } => Excerpt::new(*count, MAX_PAST_BYTES),
        Wanted::Find(_) => Excerpt::new(MAX_FOUND, MAX_PAST_BYTES),
    };
    let words = match wanted {
        Wanted::Find(text) => Some(Words::new(text)),
        Wanted::Last { .. } => None,
    };
    for line in lines_backwards(remembered) {
        let record = match (&words, wanted) {
            (Some(words), _) => words.find_in(line),
            (None, Wanted::Last { before, .. }) => {
                Record::parse(line).filter(|record| record.number < *before)
            }
            (None, Wanted::Find(_)) => None,
        };
        if record.is_some_and(|record| !excerpt.push(&record)) {
            break;
        }
    }
    excerpt
}
