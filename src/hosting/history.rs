//! Answers questions about what was said earlier, on a thread of its own.

use std::path::Path;
use std::sync::Weak;
use std::time::{Duration, Instant};

use async_channel::Receiver;

use crate::records::{Excerpt, Record, Words, lines_backwards};
use crate::server::{Hub, Lookup, MAX_PAST_BYTES, Wanted};
use crate::store::read_backwards;

/// How many messages a search tells, at most.
const MAX_FOUND: usize = 50;
/// How long a search may take. Then what was found so far is told.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers questions until the hub is gone.
pub fn answer(lookups: &Receiver<Lookup>, hub: &Weak<Hub>, store: Option<&Path>) {
    while let Ok(lookup) = lookups.recv_blocking() {
        let Some(hub) = hub.upgrade() else { return };
        let remembered = hub.lock().room.records(0);
        let excerpt = look_up(&lookup.wanted, &remembered, store);
        let (count, more) = (excerpt.count(), excerpt.is_cut());
        hub.lock().room.answer(&lookup, &excerpt.into_lines(), count, more);
    }
}

/// Looks through what the room remembers, and then through the store, the newest first.
fn look_up(wanted: &Wanted, remembered: &[u8], store: Option<&Path>) -> Excerpt {
    let deadline = Instant::now() + SEARCH_TIMEOUT;
    let (mut excerpt, words) = match wanted {
        Wanted::Last { count, .. } => (Excerpt::new(*count, MAX_PAST_BYTES), None),
        Wanted::Find(text) => (Excerpt::new(MAX_FOUND, MAX_PAST_BYTES), Some(Words::new(text))),
    };
    let before = match wanted {
        Wanted::Last { before, .. } => *before,
        Wanted::Find(_) => u64::MAX,
    };
    let mut take = |line: &[u8], before: u64| {
        let record = match &words {
            Some(words) => words.find_in(line),
            None => Record::parse(line),
        };
        record.is_none_or(|record| record.number >= before || excerpt.push(&record))
    };
    let first = remembered.split(|&byte| byte == b'\n').next().and_then(Record::parse);
    let first = first.map_or(u64::MAX, |record| record.number);
    let mut goes_on = lines_backwards(remembered).all(|line| take(line, before));
    let (mut lines, mut late) = (0_u64, false);
    if let Some(dir) = store.filter(|_| goes_on) {
        let read = read_backwards(dir, before.min(first), |line| {
            lines += 1;
            late = lines.is_multiple_of(1000) && Instant::now() >= deadline;
            goes_on = take(line, before.min(first)) && !late;
            goes_on
        });
        late |= read.is_err(); // There may be more.
    }
    if late {
        excerpt.cut();
    }
    excerpt
}
