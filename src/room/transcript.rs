use std::collections::VecDeque;
use std::fmt::{self, Display, Write};
use std::ops::Range;

use crate::wire::MAX_EVENT;

/// What the room has heard, as bytes, written once for everybody.
///
/// Each listener keeps its own place in it, counted in bytes since the room
/// opened, and copies out what it has missed in one piece. Only the last
/// `capacity` bytes are kept: a listener whose place has been overwritten was
/// too slow, and there is nothing left to tell it.
pub struct Transcript {
    bytes: VecDeque<u8>,
    /// The place of the first byte kept.
    start: u64,
    capacity: usize,
}

impl Transcript {
    /// An empty transcript that keeps the last `capacity` bytes. All its memory
    /// is taken now, and none later.
    pub fn new(capacity: usize) -> Transcript {
        Transcript { bytes: VecDeque::with_capacity(capacity + MAX_EVENT), start: 0, capacity }
    }

    /// The place of the first byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The place after the last byte heard.
    pub fn head(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Writes one line at the head, adds its line feed, and forgets as much at
    /// the start.
    pub fn append(&mut self, line: impl Display) {
        writeln!(Tail(&mut self.bytes), "{line}").expect("a deque takes all it is given");
        let surplus = self.bytes.len().saturating_sub(self.capacity);
        self.bytes.drain(..surplus);
        self.start += surplus as u64;
    }

    /// Copies a stretch that is still kept to the end of `out`.
    pub fn copy(&self, stretch: Range<u64>, out: &mut Vec<u8>) {
        let (front, back) = self.slices(stretch);
        out.extend_from_slice(front);
        out.extend_from_slice(back);
    }

    /// The place after the line that begins at `place`.
    pub fn end_of_line(&self, place: u64) -> u64 {
        let (front, back) = self.slices(place..self.head());
        let end = |bytes: &[u8]| bytes.iter().position(|&byte| byte == b'\n');
        let length = end(front).or_else(|| end(back).map(|at| front.len() + at));
        place + length.expect("each line has its line feed") as u64 + 1
    }

    /// A stretch that is still kept, in the two pieces that the ring has of it.
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

/// The end of some bytes, where text is written.
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
    fn it_keeps_the_last_bytes_and_every_place_in_them() {
        let mut transcript = Transcript::new(64);
        let mut everything = Vec::new();
        for n in 0..2000 {
            let line = "x".repeat(n % 17);
            let before = transcript.head();
            transcript.append(&line);
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
    fn it_takes_no_more_memory_than_at_first() {
        let mut transcript = Transcript::new(1 << 16);
        let capacity = transcript.bytes.capacity();
        for _ in 0..1000 {
            transcript.append("x".repeat(MAX_EVENT - 1));
        }
        assert_eq!(transcript.bytes.capacity(), capacity);
    }
}
