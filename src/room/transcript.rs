//! The public lines of the room, written once for everybody.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write as _};
use std::io::Write as _;
use std::ops::Range;

use crate::records;
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
    /// The last messages, at most as many as are remembered.
    recent: VecDeque<Message>,
    /// How many messages are remembered.
    keeps: usize,
    /// The number of the last message.
    last: u64,
}

/// A message to all that may be told again.
#[derive(Clone, Copy)]
struct Message {
    number: u64,
    /// Where its line begins.
    place: u64,
    /// When it was said, in milliseconds since 1970.
    millis: u64,
}

/// Some messages one after the other, to be told again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// How many they are.
    pub count: u32,
    /// The length of their lines as they are told again, in bytes.
    pub bytes: u32,
}

impl Transcript {
    /// An empty transcript that keeps the last `capacity` bytes, and knows where the last
    /// `keeps` messages are. It takes the memory for its bytes now.
    pub fn new(capacity: usize, keeps: usize) -> Transcript {
        let bytes = VecDeque::with_capacity(capacity + MAX_EVENT);
        let (notices, recent) = (VecDeque::new(), VecDeque::new());
        Transcript { bytes, start: 0, capacity, notices, recent, keeps, last: 0 }
    }

    /// The place of the first byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The place after the last byte.
    pub fn head(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The number of the last message.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Gives the next message at least this number.
    pub fn count_from(&mut self, number: u64) {
        self.last = self.last.max(number.saturating_sub(1));
    }

    /// Writes one line and its line feed at the head, and drops as much at the start. A
    /// message has the time at which it was said, in milliseconds since 1970. The history
    /// shows messages alone.
    pub fn append(&mut self, line: impl Display, said: Option<u64>) {
        let place = self.head();
        writeln!(Tail(&mut self.bytes), "{line}").expect("a deque takes all it is given");
        let surplus = self.bytes.len().saturating_sub(self.capacity);
        self.bytes.drain(..surplus);
        self.start += surplus as u64;
        self.last += u64::from(said.is_some());
        if self.keeps > 0 {
            self.index(place, said);
        }
    }

    /// Notes whether the line from `place` to the head belongs to the history.
    fn index(&mut self, place: u64, said: Option<u64>) {
        let (start, head) = (self.start, self.head());
        match (said, self.notices.back_mut()) {
            (Some(millis), _) => {
                self.recent.push_back(Message { number: self.last, place, millis });
            }
            (None, Some(last)) if last.end == place => last.end = head,
            (None, _) => self.notices.push_back(place..head),
        }
        let forgotten = |message: &Message| message.place < start;
        while self.recent.len() > self.keeps || self.recent.front().is_some_and(forgotten) {
            self.recent.pop_front();
        }
        while self.notices.front().is_some_and(|notice| notice.end <= start) {
            self.notices.pop_front();
        }
    }

    /// Where the history begins that reaches back at most `length` bytes and `count`
    /// messages, and how many messages follow from there.
    pub fn history(&self, length: usize, count: usize) -> (u64, usize) {
        let skipped = self.index_within(length).max(self.recent.len().saturating_sub(count));
        let first = self.recent.get(skipped).map_or(self.head(), |message| message.place);
        (first, self.recent.len() - skipped)
    }

    /// The index of the first message within the last `length` bytes.
    fn index_within(&self, length: usize) -> usize {
        let oldest = self.start.max(self.head().saturating_sub(length as u64));
        self.recent.partition_point(|message| message.place < oldest)
    }

    /// The number of the first message within the last `length` bytes.
    pub fn first_within(&self, length: usize) -> Option<u64> {
        Some(self.recent.get(self.index_within(length))?.number)
    }

    /// The newest messages with these numbers within the last `length` bytes. Their lines
    /// have at most `most` bytes, and they are at most `count`.
    pub fn excerpt(
        &self,
        numbers: Range<u64>,
        length: usize,
        count: usize,
        most: usize,
    ) -> Excerpt {
        let begin = self.recent.partition_point(|message| message.number < numbers.start);
        let end = self.recent.partition_point(|message| message.number < numbers.end);
        let begin = begin.max(self.index_within(length)).max(end.saturating_sub(count));
        let mut excerpt = Excerpt::default();
        let mut head = Vec::new();
        for message in self.recent.range(begin.min(end)..end).rev() {
            head.clear();
            message.begin_past(&mut head);
            let line = self.end_of_line(message.place) - message.place;
            let bytes = excerpt.bytes + head.len() as u32 + line as u32;
            if bytes as usize > most {
                break;
            }
            let last = excerpt.last.max(message.number);
            excerpt = Excerpt { first: message.number, last, count: excerpt.count + 1, bytes };
        }
        excerpt
    }

    /// Tells the first message of an excerpt again at the end of `out`, and takes it from
    /// the excerpt. False if nothing of the excerpt is left, or kept.
    pub fn copy_past(&self, excerpt: &mut Excerpt, out: &mut Vec<u8>) -> bool {
        let at = self.recent.partition_point(|message| message.number < excerpt.first);
        let Some(message) = self.recent.get(at).filter(|it| it.number <= excerpt.last) else {
            return false;
        };
        let before = out.len();
        message.begin_past(out);
        self.copy(message.place..self.end_of_line(message.place), out);
        excerpt.bytes = excerpt.bytes.saturating_sub((out.len() - before) as u32);
        excerpt.first = message.number + 1;
        true
    }

    /// Writes messages from this number on, as the lines of a store, until there are more
    /// than `most` bytes. Returns the number and the place of what follows; none if
    /// nothing is left.
    pub fn copy_records(&self, number: u64, most: usize, out: &mut Vec<u8>) -> Option<(u64, u64)> {
        let at = self.recent.partition_point(|message| message.number < number);
        let full = out.len() + most;
        for message in self.recent.range(at..) {
            if out.len() >= full {
                return Some((message.number, message.place));
            }
            records::begin(message.number, message.millis, out);
            self.copy(message.place..self.end_of_line(message.place), out);
        }
        None
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

impl Message {
    /// Writes what stands before the line when the message is told again.
    fn begin_past(&self, out: &mut Vec<u8>) {
        write!(out, "Past: {} {} ", self.number, self.millis / 1000).expect("memory takes it");
    }
}

/// Writes text at the end of some bytes.
struct Tail<'a>(&'a mut VecDeque<u8>);

impl fmt::Write for Tail<'_> {
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
            transcript.append(&line, Some(0));
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
            transcript.append("x".repeat(MAX_EVENT - 1), Some(0));
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
            transcript.append(line, is_message.then_some(0));
        }
        let (mut place, count) = transcript.history(1 << 10, 2);
        let (mut out, end) = (Vec::new(), transcript.head() - 5);
        while place < end {
            place = transcript.copy_message(place..end, &mut out);
        }
        assert_eq!((count, place), (2, end), "it stops where it has to");
        assert_eq!(String::from_utf8_lossy(&out), "FROM ana [all]: two\nFROM ana [all]: three\n");
    }
}
