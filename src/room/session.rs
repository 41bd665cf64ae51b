use std::collections::VecDeque;
use std::fmt::Display;
use std::mem;
use std::ops::Range;
use std::time::Duration;

use crate::room::{MAX_HISTORY, SessionId, Transcript};
use crate::wire::Nick;

/// How many bytes to give a listener at a time; also how much of a room's
/// memory one listener can borrow.
const BATCH: usize = 64 << 10;
/// A few who talk as fast as they can are half of this ahead of everybody for a moment.
/// Of whom the others are so many bytes ahead is well behind, and they have to slow
/// down...
pub(super) const SOFT_LAG: usize = 256 << 10;
/// ...so much that it takes them this long...
const GRACE: Duration = Duration::from_secs(1);
/// ...or, for the sake of one who has kept them waiting before and went on to read, this
/// long: some systems take nothing more from us until a few hundred KiB were read...
const LONG_GRACE: Duration = Duration::from_secs(4);
/// ...to get so far ahead of somebody who reads nothing meanwhile, though it is tried.
/// Whoever reads what comes then is never cut off, nor is one whom a busy server keeps
/// waiting; one who has stopped is soon, and nobody waits for long.
const HARD_LAG: usize = (1 << 20) - (128 << 10);
/// For how long one who leaves is waited for at most: nobody can remove them any more.
const LEAVING_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of history that nobody hears may lie between what is given at a time:
/// whoever does not take that would have them looked at over and over.
const MAX_SKIPPED: usize = 4 << 10;
/// What has been tried within this long has been tried just now.
const RECENTLY: Duration = Duration::from_millis(500);
/// Who takes nothing in this long reads slowly, or not at all...
const SLOW: Duration = Duration::from_millis(150);
/// ...and who has done so this often does read: the systems between us take something once
/// more after that, and not twice.
const LATE: u32 = 2;
/// About how many bytes a note takes beside its lines: its place in a queue that may be
/// half empty, and what comes with each piece of memory.
const NOTE: usize = 2 * size_of::<Note>() + 16;
/// How often one may rename oneself...
pub(super) const MAX_RENAMES: usize = 5;
/// ...in this long. Each rename is two lines for everybody else.
const RENAME_WINDOW: Duration = Duration::from_secs(30);

/// One connection's stay in the room.
#[derive(Default)]
pub(super) struct Session {
    pub nick: Option<Nick>,
    /// What it was called until it left the conversation.
    was: Option<Nick>,
    /// It hears this stretch of the transcript: nothing as a guest, everything
    /// to come as a member, and as one who is leaving, what was said before.
    /// What it has heard is taken off the front.
    pub unread: Range<u64>,
    /// Before this place it hears messages only: they are history, and who came
    /// and went meanwhile is not.
    history_until: u64,
    /// What it alone is told, in order.
    notes: VecDeque<Note>,
    /// How many bytes the notes are.
    note_bytes: usize,
    /// What it was given to read last: so many bytes of notes...
    given_notes: usize,
    /// ...and then the talk from this place on...
    given_from: u64,
    /// ...when there had been these.
    given_after: Waits,
    /// Who has waited for it since it last read something.
    waits: Waits,
    /// How often speakers have waited long for it, and then it has read something.
    pub late: u32,
    /// To whom it last said something though they had much to read already.
    pub presses: Option<SessionId>,
    /// When it took another nick, as far back as it matters.
    renames: VecDeque<Duration>,
    /// It may listen, but not talk: the operator says so.
    pub muted: bool,
    /// It was told its last word.
    pub leaving: bool,
    /// When it was first asked after that whether to wait for it.
    parting: Option<Duration>,
    /// It is told nothing at all any more.
    discards: bool,
    /// It was cut off.
    pub cut: bool,
}

/// Since when something has waited for somebody to read.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// Somebody who had something to say, and how many bytes the others were ahead then...
    speakers: Option<(Duration, usize)>,
    /// ...and it was for [`SLOW`].
    long: bool,
    /// The memory that private lines take, where there is little left.
    memory: Option<Duration>,
    /// When it last took nothing of what it was given.
    in_vain: Duration,
}

impl Waits {
    /// Whether anything has waited: this is asked of everybody for each line.
    fn any(&self) -> bool {
        self.speakers.is_some() || self.memory.is_some()
    }

    /// Whether those who have waited since then have done so for long enough, and for one
    /// who does not read: that was tried just now.
    fn are_in_vain(&self, since: Duration, grace: Duration, now: Duration) -> bool {
        now.saturating_sub(since) >= grace && now.saturating_sub(self.in_vain) <= RECENTLY
    }
}

/// Private lines, pinned to their place among the public ones.
struct Note {
    /// All public lines before this place come first...
    at: u64,
    /// ...and the next to be heard is here. What lies between is about the
    /// listener itself and meant for the others.
    then: u64,
    lines: Vec<u8>,
}

/// What came of asking for something to read.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// There is something in the buffer.
    Some,
    /// Nothing yet.
    Nothing,
    /// Nothing ever again.
    Over,
}

impl Session {
    /// Somebody who hears everything from `place` on and says nothing.
    pub fn observer(place: u64) -> Session {
        Session { unread: place..u64::MAX, given_from: place, ..Session::default() }
    }

    /// Whether public lines are of interest.
    pub fn listens(&self) -> bool {
        self.unread.end == u64::MAX
    }

    /// Whether it is nobody, and only listens.
    pub fn observes(&self) -> bool {
        self.listens() && self.nick.is_none()
    }

    /// How many bytes of its own lines wait for it.
    pub fn note_bytes(&self) -> usize {
        self.note_bytes
    }

    /// About how much memory they take, in bytes.
    pub fn weight(&self) -> usize {
        self.note_bytes + self.notes.len() * NOTE
    }

    /// What it is called, or was.
    pub fn name(&self) -> Option<&Nick> {
        self.nick.as_ref().or(self.was.as_ref())
    }

    /// Is in the conversation no more; what it was called there.
    pub fn withdraw(&mut self) -> Option<Nick> {
        let nick = self.nick.take()?;
        self.was = Some(nick.clone());
        Some(nick)
    }

    /// How many bytes of the transcript it has yet to hear.
    pub fn behind(&self, head: u64) -> u64 {
        self.unread.end.min(head).saturating_sub(self.unread.start)
    }

    /// From which place on it may yet need the talk. What was sent last may come back; to
    /// one who leaves that makes all the difference, and to others little.
    fn place(&self) -> u64 {
        let sent_all = self.leaving && self.unread.is_empty();
        if sent_all { self.given_from } else { self.unread.start }
    }

    /// The same, if what has been said so far is of interest from there on.
    pub fn needs(&self, head: u64) -> Option<u64> {
        let place = self.place();
        (place < self.unread.end.min(head)).then_some(place)
    }

    /// How far the talk may get for now without leaving behind one who reads.
    pub fn limit(&mut self, head: u64, now: Duration) -> u64 {
        let parting = self.leaving.then(|| *self.parting.get_or_insert(now));
        let too_long = parting.is_some_and(|since| now.saturating_sub(since) >= LEAVING_TIMEOUT);
        let place = self.place();
        if place >= self.unread.end || too_long {
            return u64::MAX;
        }
        // History is behind by its nature.
        let strain = SOFT_LAG + if place < self.history_until { MAX_HISTORY } else { 0 };
        // What one who leaves has yet to hear becomes no more, but it can be overwritten.
        let ahead = (head - place) as usize;
        let slack = if ahead > strain { self.slack(ahead, now) } else { Some(strain) };
        slack.map_or(u64::MAX, |slack| place + slack as u64)
    }

    /// Whether it reads, and has more private lines to read than it should have by now.
    pub fn lags_on_notes(&mut self, now: Duration) -> bool {
        let notes = self.note_bytes;
        notes > SOFT_LAG && self.slack(notes, now).is_some_and(|slack| notes > slack)
    }

    /// Whether it has read nothing for long of the private lines that take memory.
    pub fn is_silent(&mut self, now: Duration) -> bool {
        let since = *self.waits.memory.get_or_insert(now);
        self.waits.are_in_vain(since, GRACE, now)
    }

    /// How many bytes the others may be ahead of it for now, who are so many ahead; none if
    /// it does not read. As far as they are when they begin to wait, they may be: nobody is
    /// held up because it has just read something.
    fn slack(&mut self, ahead: usize, now: Duration) -> Option<usize> {
        let (since, base) = *self.waits.speakers.get_or_insert((now, ahead.min(HARD_LAG)));
        let silent = now.saturating_sub(since);
        self.waits.long |= silent >= SLOW;
        let grace = if self.late >= LATE { LONG_GRACE } else { GRACE };
        let part = silent.min(grace).as_millis() as usize;
        let gained = (HARD_LAG - base) * part / grace.as_millis() as usize;
        // The log is not a connection, and is never tried.
        let in_vain = match self.observes() {
            true => silent >= grace,
            false => self.waits.are_in_vain(since, grace, now),
        };
        (!in_vain).then_some(base + gained)
    }

    /// Makes a member of a guest: they hear messages from `place` on, and from
    /// `now` on everything. What they were told as a guest stays before that.
    pub fn settle(&mut self, place: u64, now: u64) {
        if self.discards {
            return;
        }
        self.unread = place..u64::MAX;
        self.given_from = place; // Guests are given no talk.
        self.history_until = now;
        for note in &mut self.notes {
            note.at = note.at.min(place);
            note.then = note.then.min(place);
        }
    }

    /// Hears nothing that is said from `place` on.
    pub fn close_ears(&mut self, place: u64) {
        self.unread.end = self.unread.end.min(place);
        self.leaving = true;
    }

    /// Takes note of one private line, to be told at a place in the transcript.
    /// The public lines in it are passed over: they tell the others the same.
    pub fn tell(&mut self, place: Range<u64>, line: impl Display) {
        self.send(place, format!("{line}\n").as_bytes());
    }

    /// The same for any bytes.
    pub fn send(&mut self, place: Range<u64>, bytes: &[u8]) {
        if self.discards {
            return;
        }
        self.note_bytes += bytes.len();
        if let Some(last) = self.notes.back_mut()
            && last.then == place.start
            && last.lines.len() + bytes.len() <= BATCH
        {
            last.lines.extend_from_slice(bytes);
            last.then = place.end;
        } else {
            let lines = bytes.to_vec();
            self.notes.push_back(Note { at: place.start, then: place.end, lines });
        }
    }

    /// Moves what it has not yet heard, or as much as fits a batch, to the end
    /// of `out`: first notes, then talk.
    pub fn read(&mut self, transcript: &Transcript, out: &mut Vec<u8>) -> Reading {
        let before = out.len();
        let full = before + BATCH;
        self.give();
        let mut hidden = 0;
        while out.len() < full && hidden < MAX_SKIPPED {
            let pin = self.notes.front().map_or(u64::MAX, |note| note.at);
            let stop = pin.min(self.unread.end).min(transcript.head());
            let place = self.unread.start;
            let only_notes = out.len() == before + self.given_notes;
            if place < stop {
                if place < transcript.start() {
                    return Reading::Over;
                }
                self.unread.start = match place < self.history_until {
                    true => {
                        let length = out.len();
                        let next = recall(transcript, place, out);
                        if only_notes && out.len() == length {
                            self.given_from = next; // It is not looked at again.
                        } else if out.len() == length {
                            hidden += (next - place) as usize;
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
                self.note_bytes -= note.lines.len();
                self.given_notes += note.lines.len();
                self.unread.start = place.max(note.then);
                self.given_from = self.unread.start;
                out.extend_from_slice(&note.lines);
            } else {
                break;
            }
        }
        if self.notes.is_empty() {
            self.notes = VecDeque::new();
        }
        match out.len() > before {
            true => {
                self.takes_up();
                Reading::Some
            }
            false if self.leaving => Reading::Over,
            false => Reading::Nothing,
        }
    }

    /// It is given something, and so has taken what it was given before.
    fn give(&mut self) {
        if self.given_after.any() {
            self.late += u32::from(mem::take(&mut self.given_after).long);
        }
        (self.given_notes, self.given_from) = (0, self.unread.start);
    }

    /// It has something to read now: nobody waits for it any more, if it takes that.
    fn takes_up(&mut self) {
        if self.waits.any() {
            self.given_after = mem::take(&mut self.waits);
        }
    }

    /// The stretch of the talk that it was given to read last, if that was all.
    pub fn given_talk(&self) -> Option<(u64, u64)> {
        let talk = self.given_notes == 0 && self.given_from >= self.history_until;
        (talk && self.given_from < self.unread.start)
            .then_some((self.given_from, self.unread.start))
    }

    /// Takes a stretch of talk for read, if it is what is next.
    pub fn skip(&mut self, talk: Range<u64>) -> bool {
        let only_talk = self.notes.is_empty() && self.unread.start >= self.history_until;
        let next = only_talk && self.listens() && self.unread.start == talk.start;
        if next {
            self.give();
            self.unread.start = talk.end;
            self.takes_up();
        }
        next
    }

    /// Takes for unread what it was given to read last, all but the first `sent` bytes:
    /// that is next.
    pub fn return_unsent(
        &mut self,
        transcript: &Transcript,
        given: &[u8],
        sent: usize,
        now: Duration,
    ) {
        if self.discards {
            return;
        }
        if sent == 0 {
            self.waits = Waits { in_vain: now, ..mem::take(&mut self.given_after) };
        }
        if given.len() > self.given_notes {
            // Talk is still there; so it takes no memory to read slowly.
            self.unread.start = self.given_from;
            self.pass_over(transcript, sent.saturating_sub(self.given_notes) as u64);
            self.given_from = self.unread.start;
        }
        if sent < self.given_notes {
            self.put_back(&given[sent..self.given_notes]);
        }
    }

    /// Passes over so many bytes of talk.
    fn pass_over(&mut self, transcript: &Transcript, mut bytes: u64) {
        let mut line = Vec::new();
        while self.unread.start < self.history_until {
            if self.unread.start < transcript.start() {
                return; // It has missed something, and will be let go.
            }
            line.clear();
            let end = recall(transcript, self.unread.start, &mut line);
            if bytes < line.len() as u64 {
                if bytes > 0 {
                    self.unread.start = end;
                    self.put_back(&line[bytes as usize..]);
                }
                return;
            }
            bytes -= line.len() as u64;
            self.unread.start = end;
        }
        self.unread.start += bytes;
    }

    /// Adds a note that is read next.
    fn put_back(&mut self, lines: &[u8]) {
        self.note_bytes += lines.len();
        let next = self.unread.start;
        self.notes.push_front(Note { at: next, then: next, lines: lines.to_vec() });
    }

    /// Whether there is something to read, or nothing ever again.
    pub fn has_unread(&self, head: u64) -> bool {
        self.behind(head) > 0 || !self.notes.is_empty() || self.leaving
    }

    /// Whether one more rename at this time is within measure.
    pub fn may_rename(&mut self, now: Duration) -> bool {
        self.renames.retain(|&then| now.saturating_sub(then) < RENAME_WINDOW);
        let allowed = self.renames.len() < MAX_RENAMES;
        if allowed {
            self.renames.push_back(now);
        }
        allowed
    }

    /// Forgets what was never told, and tells nothing more.
    pub fn discard_output(&mut self) {
        self.discards = true;
        self.unread = 0..0;
        self.note_bytes = 0;
        mem::take(&mut self.notes);
    }
}

/// Copies the line at `place` if it is a message. Returns the place after it.
fn recall(transcript: &Transcript, place: u64, out: &mut Vec<u8>) -> u64 {
    let before = out.len();
    let end = transcript.end_of_line(place);
    transcript.copy(place..end, out);
    if !out[before..].starts_with(b"FROM ") {
        out.truncate(before);
    }
    end
}
