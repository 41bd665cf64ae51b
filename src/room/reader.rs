//! One reader's position in the transcript, and the lines that it alone receives.

use std::collections::VecDeque;
use std::fmt::Display;
use std::mem;
use std::ops::Range;
use std::time::Duration;

use crate::room::MAX_HISTORY;
use crate::room::lag::{Lag, SOFT_LAG};
use crate::room::transcript::{Excerpt, Transcript};

/// The length of a batch, in bytes. A reader borrows so much of the room's memory.
pub(super) const BATCH: usize = 64 << 10;
/// How long senders wait at most for a session that leaves. Nothing can remove it any more.
const LEAVING_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of notices may be skipped in one batch of history. A reader that accepts
/// nothing would have them skipped over and over.
const MAX_SKIPPED: usize = 4 << 10;
/// The memory that a note takes beside its lines, in bytes: its place in a queue that may
/// be half empty, and the overhead of its allocation.
const NOTE_OVERHEAD: usize = 2 * size_of::<Note>() + 16;

/// Reads the transcript at its own speed.
#[derive(Default)]
pub(super) struct Reader {
    /// The stretch of the transcript that is still to be read. A guest reads nothing, a
    /// member everything from its start, a leaving session what was said before.
    pub unread: Range<u64>,
    /// Before this place it reads messages only, because they are history.
    history_until: u64,
    /// Its private lines, in order.
    notes: VecDeque<Note>,
    /// The length of all notes, in bytes.
    note_bytes: usize,
    /// How much of that is still in the transcript alone.
    past_bytes: usize,
    in_flight: InFlight,
    pub lag: Lag,
    /// It receives no new lines.
    pub leaving: bool,
    /// When the lag rule first saw that it leaves.
    leaving_since: Option<Duration>,
    /// Nothing is kept for it, because it is never read.
    discards: bool,
}

/// The batch that was read last, and may come back.
#[derive(Default)]
struct InFlight {
    /// The bytes of notes at its start.
    note_bytes: usize,
    /// The place in the transcript at which the rest begins.
    from: u64,
}

/// Private lines, pinned to their place among the public ones.
struct Note {
    /// All public lines before this place come first.
    at: u64,
    /// The place that is read next. The lines between are about the reader itself and meant
    /// for the others.
    then: u64,
    content: Content,
}

/// The content of a note.
enum Content {
    Lines(Vec<u8>),
    /// Messages to be told again. They are copied when they are read, so that many newcomers
    /// at once take no memory.
    Past(Box<Excerpt>),
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// There is something in the buffer.
    Some,
    /// There is nothing to read yet.
    Nothing,
    /// There is nothing to read ever again.
    Over,
}

impl Reader {
    /// A reader of all public lines from `place` on. It has no connection.
    pub fn follower(place: u64) -> Reader {
        let in_flight = InFlight { note_bytes: 0, from: place };
        Reader { unread: place..u64::MAX, in_flight, lag: Lag::untested(), ..Reader::default() }
    }

    /// Whether it reads what is said from now on.
    pub fn listens(&self) -> bool {
        self.unread.end == u64::MAX
    }

    /// The length of its private lines, in bytes.
    pub fn note_bytes(&self) -> usize {
        self.note_bytes
    }

    /// About how much memory its private lines take, in bytes.
    pub fn weight(&self) -> usize {
        self.note_bytes - self.past_bytes + self.notes.len() * NOTE_OVERHEAD
    }

    /// How many bytes of the transcript it has yet to read.
    pub fn lag(&self, head: u64) -> u64 {
        self.unread.end.min(head).saturating_sub(self.unread.start)
    }

    /// The place from which on it may yet need the transcript. The batch in flight may come
    /// back; for a leaving session that makes all the difference, for others little.
    fn place(&self) -> u64 {
        let sent_all = self.leaving && self.unread.is_empty();
        if sent_all { self.in_flight.from } else { self.unread.start }
    }

    /// The same, if it needs anything that was said so far.
    pub fn needs(&self, head: u64) -> Option<u64> {
        let place = self.place();
        (place < self.unread.end.min(head)).then_some(place)
    }

    /// The place up to which the transcript may grow now without losing this reader.
    pub fn limit(&mut self, head: u64, now: Duration) -> u64 {
        let leaving = self.leaving.then(|| *self.leaving_since.get_or_insert(now));
        let too_long = leaving.is_some_and(|since| now.saturating_sub(since) >= LEAVING_TIMEOUT);
        let place = self.place();
        if place >= self.unread.end || too_long {
            return u64::MAX;
        }
        // History lags by its nature.
        let soft = SOFT_LAG + if place < self.history_until { MAX_HISTORY } else { 0 };
        // The rest of a leaving session does not grow, but it can be overwritten.
        let lag = (head - place) as usize;
        let allowed = if lag > soft { self.lag.allowed(lag, now) } else { Some(soft) };
        allowed.map_or(u64::MAX, |allowed| place + allowed as u64)
    }

    /// Whether it reads, and has more private lines to read than it should have by now.
    pub fn lags_on_notes(&mut self, now: Duration) -> bool {
        let notes = self.note_bytes;
        notes > SOFT_LAG && self.lag.allowed(notes, now).is_some_and(|allowed| notes > allowed)
    }

    /// Begins to read messages from `place` on, and everything from `now` on. The notes so
    /// far stay before that.
    pub fn start(&mut self, place: u64, now: u64) {
        if self.discards {
            return;
        }
        self.unread = place..u64::MAX;
        self.in_flight.from = place; // A guest has nothing of the transcript in flight.
        self.history_until = now;
        for note in &mut self.notes {
            note.at = note.at.min(place);
            note.then = note.then.min(place);
        }
    }

    /// Reads nothing that is said from `place` on.
    pub fn stop(&mut self, place: u64) {
        self.unread.end = self.unread.end.min(place);
        self.leaving = true;
    }

    /// Adds a private line at a place in the transcript. The public lines in that range are
    /// skipped, because they tell the others the same.
    pub fn push_note(&mut self, place: Range<u64>, line: impl Display) {
        self.push_bytes(place, format!("{line}\n").as_bytes());
    }

    /// The same for any bytes.
    pub fn push_bytes(&mut self, place: Range<u64>, bytes: &[u8]) {
        if self.discards {
            return;
        }
        self.note_bytes += bytes.len();
        if let Some(Note { then, content: Content::Lines(lines), .. }) = self.notes.back_mut()
            && *then == place.start
            && lines.len() + bytes.len() <= BATCH
        {
            lines.extend_from_slice(bytes);
            *then = place.end;
        } else {
            let content = Content::Lines(bytes.to_vec());
            self.notes.push_back(Note { at: place.start, then: place.end, content });
        }
    }

    /// Adds messages that are told again at a place in the transcript.
    pub fn push_past(&mut self, place: u64, excerpt: Excerpt) {
        if self.discards || excerpt.count == 0 {
            return;
        }
        self.note_bytes += excerpt.bytes as usize;
        self.past_bytes += excerpt.bytes as usize;
        let content = Content::Past(Box::new(excerpt));
        self.notes.push_back(Note { at: place, then: place, content });
    }

    /// Moves a batch of unread lines to the end of `out`: first notes, then public lines.
    pub fn read(&mut self, transcript: &Transcript, out: &mut Vec<u8>) -> Reading {
        let before = out.len();
        let full = before + BATCH;
        self.begin_batch();
        let mut skipped = 0;
        while out.len() < full && skipped < MAX_SKIPPED {
            let pin = self.notes.front().map_or(u64::MAX, |note| note.at);
            let stop = pin.min(self.unread.end).min(transcript.head());
            let place = self.unread.start;
            let only_notes = out.len() == before + self.in_flight.note_bytes;
            if place < stop {
                if place < transcript.start() {
                    return Reading::Over;
                }
                self.unread.start = match place < self.history_until {
                    true => {
                        let length = out.len();
                        let stop = stop.min(self.history_until);
                        let next = transcript.copy_message(place..stop, out);
                        if only_notes && out.len() == length {
                            self.in_flight.from = next; // It is not looked at again.
                        } else if out.len() == length {
                            skipped += (next - place) as usize;
                        }
                        next
                    }
                    false => {
                        let stop = stop.min(place + (full - out.len()) as u64);
                        transcript.copy(place..stop, out);
                        stop
                    }
                };
            } else if only_notes && let Some(note) = self.notes.pop_front() {
                let (then, before) = (note.then, out.len());
                self.read_note(note, transcript, full, out);
                self.in_flight.note_bytes += out.len() - before;
                self.unread.start = place.max(then);
                self.in_flight.from = self.unread.start;
            } else {
                break;
            }
        }
        if self.notes.is_empty() {
            self.notes = VecDeque::new();
        }
        match out.len() > before {
            true => {
                self.lag.batch_given();
                Reading::Some
            }
            false if self.leaving => Reading::Over,
            false => Reading::Nothing,
        }
    }

    /// Moves a note to the end of `out`, or as much of it as there is room for.
    fn read_note(&mut self, note: Note, transcript: &Transcript, full: usize, out: &mut Vec<u8>) {
        match note.content {
            Content::Lines(lines) => {
                self.note_bytes -= lines.len();
                out.extend_from_slice(&lines);
            }
            Content::Past(mut excerpt) => {
                let before = excerpt.bytes as usize;
                let mut more = true;
                while more && out.len() < full {
                    more = transcript.copy_past(&mut excerpt, out);
                }
                // Lines that the transcript has forgotten meanwhile are not told.
                let left = if more { excerpt.bytes as usize } else { 0 };
                self.note_bytes -= before - left;
                self.past_bytes -= before - left;
                if more {
                    self.notes.push_front(Note { content: Content::Past(excerpt), ..note });
                }
            }
        }
    }

    /// It asks for a batch, and so has taken the last one.
    fn begin_batch(&mut self) {
        self.lag.batch_taken();
        self.in_flight = InFlight { note_bytes: 0, from: self.unread.start };
    }

    /// The stretch of the transcript that it read last, if the batch was that alone.
    pub fn last_read(&self) -> Option<(u64, u64)> {
        let InFlight { note_bytes, from } = self.in_flight;
        let only_public = note_bytes == 0 && from >= self.history_until;
        (only_public && from < self.unread.start).then_some((from, self.unread.start))
    }

    /// Takes a stretch of public lines for read, if that is what is next.
    pub fn skip(&mut self, stretch: Range<u64>) -> bool {
        let only_public = self.notes.is_empty() && self.unread.start >= self.history_until;
        let next = only_public && self.listens() && self.unread.start == stretch.start;
        if next {
            self.begin_batch();
            self.unread.start = stretch.end;
            self.lag.batch_given();
        }
        next
    }

    /// Takes the batch in flight for unread again, all but its first `sent` bytes.
    pub fn return_unsent(
        &mut self,
        transcript: &Transcript,
        batch: &[u8],
        sent: usize,
        now: Duration,
    ) {
        if self.discards {
            return;
        }
        if sent == 0 {
            self.lag.batch_refused(now);
        }
        let notes = self.in_flight.note_bytes;
        if batch.len() > notes {
            // The transcript still has it, so a slow reader takes no memory.
            self.unread.start = self.in_flight.from;
            self.pass_over(transcript, sent.saturating_sub(notes) as u64);
            self.in_flight.from = self.unread.start;
        }
        if sent < notes {
            self.return_note(&batch[sent..notes]);
        }
    }

    /// Takes so many bytes of public lines for read.
    fn pass_over(&mut self, transcript: &Transcript, mut bytes: u64) {
        let mut line = Vec::new();
        while self.unread.start < self.history_until {
            if self.unread.start < transcript.start() {
                return; // It has missed something, and will be evicted.
            }
            line.clear();
            let end = transcript.copy_message(self.unread.start..self.history_until, &mut line);
            if bytes < line.len() as u64 {
                if bytes > 0 {
                    self.unread.start = end;
                    self.return_note(&line[bytes as usize..]);
                }
                return;
            }
            bytes -= line.len() as u64;
            self.unread.start = end;
        }
        self.unread.start += bytes;
    }

    /// Adds a note that is read next.
    fn return_note(&mut self, lines: &[u8]) {
        self.note_bytes += lines.len();
        let next = self.unread.start;
        let content = Content::Lines(lines.to_vec());
        self.notes.push_front(Note { at: next, then: next, content });
    }

    /// Whether there is something to read, or nothing ever again.
    pub fn has_unread(&self, head: u64) -> bool {
        self.lag(head) > 0 || !self.notes.is_empty() || self.leaving
    }

    /// Drops what is unread, and keeps nothing from now on.
    pub fn discard_output(&mut self) {
        self.discards = true;
        self.unread = 0..0;
        (self.note_bytes, self.past_bytes) = (0, 0);
        mem::take(&mut self.notes);
    }
}
