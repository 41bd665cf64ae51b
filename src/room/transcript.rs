//! The public lines of the room, written once for everybody.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write};
use std::ops::Range;

use crate::wire::MAX_EVENT;

/// A ring of the last public lines, as bytes.
///
/// Each reader has its own place in it, counted in bytes since the room opened, and copies
/// its unread bytes in one piece. Only the last `capacity` bytes are kept. A reader whose
/// place was overwritten has lost something, and is evicted.
pub struct Transcript {
    bytes: VecDeque<u8>,
    /// The place of the first byte kept.
    start: u64,
    capacity: usize,
    /// The stretches of lines that do not belong to the history, in order.
    notices: VecDeque<Range<u64>>,
    /// The places of the last messages, at most as many as the history may want.
    messages: VecDeque<u64>,
    /// How many messages the history may want.
    history: usize,
}

impl Transcript {
    /// An empty transcript that keeps the last `capacity` bytes, and knows where the last
    /// `history` messages are. It takes the memory for its bytes now.
    pub fn new(capacity: usize, history: usize) -> Transcript {
        let bytes = VecDeque::with_capacity(capacity + MAX_EVENT);
        let (notices, messages) = (VecDeque::new(), VecDeque::new());
        Transcript { bytes, start: 0, capacity, notices, messages, history }
    }

    /// The place of the first byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The place after the last byte.
    pub fn head(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Writes one line and its line feed at the head, and drops as much at the start. The
    /// history shows messages alone.
    pub fn append(&mut self, line: impl Display, is_message: bool) {
        let place = self.head();
        writeln!(Tail(&mut self.bytes), "{line}").expect("a deque takes all it is given");
        let surplus = self.bytes.len().saturating_sub(self.capacity);
        self.bytes.drain(..surplus);
        self.start += surplus as u64;
        if self.history > 0 {
            self.index(place, is_message);
        }
    }

    /// Notes whether the line from `place` to the head belongs to the history.
    fn index(&mut self, place: u64, is_message: bool) {
        let (start, head) = (self.start, self.head());
        match self.notices.back_mut() {
            _ if is_message => self.messages.push_back(place),
            Some(last) if last.end == place => last.end = head,
            _ => self.notices.push_back(place..head),
        }
        let forgotten = |&place: &u64| place < start;
        while self.messages.len() > self.history || self.messages.front().is_some_and(forgotten) {
            self.messages.pop_front();
        }
        while self.notices.front().is_some_and(|notice| notice.end <= start) {
            self.notices.pop_front();
        }
    }

    /// Where the history begins that reaches back at most `length` bytes, and how many
    /// messages follow from there.
    pub fn history(&self, length: usize) -> (u64, usize) {
        let head = self.head();
        let oldest = self.start.max(head.saturating_sub(length as u64));
        let skipped = self.messages.partition_point(|&place| place < oldest);
        let first = self.messages.get(skipped).copied().unwrap_or(head);
        (first, self.messages.len() - skipped)
    }

    /// Copies a stretch that is still kept to the end of `out`.
    pub fn copy(&self, stretch: Range<u64>, out: &mut Vec<u8>) {
        let (front, back) = self.slices(stretch);
        out.extend_from_slice(front);
        out.extend_from_slice(back);
    }

    /// Copies the line at the start of a stretch if it is a message, and skips all notices
    /// there otherwise. Returns the place after that, which is not beyond the stretch.
    pub fn copy_message(&self, stretch: Range<u64>, out: &mut Vec<u8>) -> u64 {
        let place = stretch.start;
        let next = self.notices.partition_point(|notice| notice.end <= place);
        if let Some(notice) = self.notices.get(next).filter(|notice| notice.start <= place) {
            return notice.end.min(stretch.end);
        }
        let end = self.end_of_line(place);
        self.copy(place..end, out);
        end
    }

    /// The place after the line that begins at `place`.
    fn end_of_line(&self, place: u64) -> u64 {
        let (front, back) = self.slices(place..self.head());
        let end = |bytes: &[u8]| bytes.iter().position(|&byte| byte == b'\n');
        let length = end(front).or_else(|| end(back).map(|at| front.len() + at));
        place + length.expect("each line has its line feed") as u64 + 1
    }

    /// A stretch that is still kept, in the two pieces that the ring has.
    fn slices(&self, stretch: Range<u64>) -> (&[u8], &[u8]) {
        assert!(
            self.start <= stretch.start && stretch.end <= self.head(),
            "{stretch:?} is not kept"
        );
        let from = (stretch.start - self.start) as usize;
        let to = (stretch.end - self.start) as usize;
        let (front, back) = self.bytes.as_slices();
        let seam = front.len();
        (&front[from.min(seam)..to.min(seam)], &back[from.max(seam) - seam..to.max(seam) - seam])
    }
}

/// Writes text at the end of some bytes.
struct Tail<'a>(&'a mut VecDeque<u8>);

impl Write for Tail<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcript_keeps_last_bytes_and_their_places() {
        let mut transcript = Transcript::new(64, 0);
        let mut everything = Vec::new();
        for n in 0..2000 {
            let line = "x".repeat(n % 17);
            let before = transcript.head();
            transcript.append(&line, true);
            everything.extend_from_slice(line.as_bytes());
            everything.push(b'\n');

            let (start, head) = (transcript.start(), transcript.head());
            assert_eq!(head, everything.len() as u64);
            assert_eq!(head - start, everything.len().min(64) as u64);
            assert_eq!(transcript.end_of_line(before), head);
            for from in start..=head {
                let mut out = Vec::new();
                transcript.copy(from..head, &mut out);
                assert_eq!(out, everything[from as usize..]);
            }
        }
    }

    #[test]
    fn transcript_never_grows() {
        let mut transcript = Transcript::new(1 << 16, 0);
        let capacity = transcript.bytes.capacity();
        for _ in 0..1000 {
            transcript.append("x".repeat(MAX_EVENT - 1), true);
        }
        assert_eq!(transcript.bytes.capacity(), capacity);
    }

    #[test]
    fn history_skips_notices() {
        let mut transcript = Transcript::new(1 << 10, 2);
        for (line, is_message) in [
            ("User ana joined.", false),
            ("FROM ana [all]: one", true),
            ("FROM ana [all]: two", true),
            ("User rui joined.", false),
            ("User rui left the chat.", false),
            ("FROM ana [all]: three", true),
            ("User bia joined.", false),
        ] {
            transcript.append(line, is_message);
        }
        let (mut place, count) = transcript.history(1 << 10);
        let (mut out, end) = (Vec::new(), transcript.head() - 5);
        while place < end {
            place = transcript.copy_message(place..end, &mut out);
        }
        assert_eq!((count, place), (2, end), "it stops where it has to");
        assert_eq!(String::from_utf8_lossy(&out), "FROM ana [all]: two\nFROM ana [all]: three\n");
    }
}
