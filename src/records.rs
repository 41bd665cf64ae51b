//! The history as text: one line for each message to all, and how words are found in it.
//!
//! `1241 1764340012345 FROM ana [all]: olá` is the number, the time in milliseconds since
//! 1970, and the line as everybody read it.

use std::borrow::Cow;
use std::io::Write;

/// The greatest number and time of a message. No room lasts so long.
const MAX_NUMBER: u64 = 999_999_999_999_999;

/// One line of a history, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The number of the message.
    pub number: u64,
    /// When it was said, in milliseconds since 1970.
    pub millis: u64,
    /// The nick of the sender.
    pub from: &'a str,
    /// The text.
    pub text: &'a str,
}

impl<'a> Record<'a> {
    /// Reads one line, without its end; none if it is no line of a history.
    pub fn parse(line: &'a [u8]) -> Option<Record<'a>> {
        let line = str::from_utf8(line).ok()?;
        let (number, rest) = line.split_once(' ')?;
        let (millis, rest) = rest.split_once(' ')?;
        let (from, text) = rest.strip_prefix("FROM ")?.split_once(" [all]: ")?;
        let is_sound = !from.is_empty() && !from.contains(' ') && !text.contains(is_control);
        let (number, millis) = (digits(number)?, digits(millis)?);
        is_sound.then_some(Record { number, millis, from, text })
    }

    /// Writes it as it is told again: `Past: 1241 1764340012 FROM ana [all]: olá`.
    pub fn write_past(&self, out: &mut Vec<u8>) {
        let Record { number, millis, from, text } = self;
        let seconds = millis / 1000;
        writeln!(out, "Past: {number} {seconds} FROM {from} [all]: {text}").ok(); // Memory.
    }
}

/// Whether a text cannot hold this, because the server removes it.
fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// A number as it is written in a history: the first of its digits is no zero.
fn digits(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number <= MAX_NUMBER);
    number.filter(|_| digits && (text == "0" || !text.starts_with('0')))
}

/// Writes what stands before the line of a message.
pub fn begin(number: u64, millis: u64, out: &mut Vec<u8>) {
    write!(out, "{number} {millis} ").ok(); // Memory takes all that it is given.
}

/// The lines of a history, without their ends, the last one first.
pub fn lines_backwards(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    whole.rsplit(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// Messages to be told again. They are added from the newest to the oldest.
#[derive(Debug)]
pub struct Excerpt {
    /// Their lines, the newest first.
    lines: Vec<Vec<u8>>,
    bytes: usize,
    /// How many they may be, and how many bytes.
    most: (usize, usize),
    /// There was no room for more.
    cut: bool,
}

impl Excerpt {
    /// An empty one with room for so many messages and bytes.
    pub fn new(count: usize, bytes: usize) -> Excerpt {
        Excerpt { lines: Vec::new(), bytes: 0, most: (count, bytes), cut: false }
    }

    /// Adds a message. False if there is no room for it.
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        let mut line = Vec::new();
        record.write_past(&mut line);
        let (count, bytes) = self.most;
        self.cut |= self.lines.len() == count || self.bytes + line.len() > bytes;
        if !self.cut {
            self.bytes += line.len();
            self.lines.push(line);
        }
        !self.cut
    }

    /// Takes note that more records are there, for which the search does not go on.
    pub fn cut(&mut self) {
        self.cut = true;
    }

    /// How many messages there are.
    pub fn count(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Whether there was no room for all.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The lines that tell them again, the oldest first.
    pub fn into_lines(self) -> Vec<u8> {
        self.lines.into_iter().rev().flatten().collect()
    }
}

/// Words that are looked for, in any case, anywhere in a nick or a text.
#[derive(Debug)]
pub struct Words {
    folded: String,
    /// Both cases of its first byte, if the words are ASCII.
    first: Option<[u8; 2]>,
}

impl Words {
    /// These words, one after the other.
    pub fn new(words: &str) -> Words {
        let folded = words.to_lowercase();
        let first = folded.bytes().next().filter(|_| folded.is_ascii());
        Words { first: first.map(|byte| [byte, byte.to_ascii_uppercase()]), folded }
    }

    /// Whether this is a message in which they stand.
    pub fn find_in<'a>(&self, line: &'a [u8]) -> Option<Record<'a>> {
        // Most lines do not hold them, and need not be read.
        if line.is_ascii() && !self.first.is_some_and(|first| self.is_in_ascii(first, line)) {
            return None;
        }
        let record = Record::parse(line)?;
        (self.are_in(record.from) || self.are_in(record.text)).then_some(record)
    }

    /// Whether they stand in a text.
    fn are_in(&self, text: &str) -> bool {
        match self.first {
            Some(first) if text.is_ascii() => self.is_in_ascii(first, text.as_bytes()),
            None if text.is_ascii() => false,
            _ => text.to_lowercase().contains(&self.folded),
        }
    }

    /// Compares in place, because both are ASCII.
    fn is_in_ascii(&self, [lower, upper]: [u8; 2], text: &[u8]) -> bool {
        let length = self.folded.len();
        memchr::memchr2_iter(lower, upper, text).any(|at| {
            let piece = text.get(at..at + length);
            piece.is_some_and(|piece| piece.eq_ignore_ascii_case(self.folded.as_bytes()))
        })
    }

    /// A text in pieces, and whether each is one of the places where the words stand.
    pub fn mark<'a>(&self, text: &'a str) -> Vec<(&'a str, bool)> {
        // To fold may change the length of a letter, so the letters are compared one by one.
        let letters: Vec<(usize, Cow<'_, str>)> =
            text.char_indices().map(|(at, c)| (at, c.to_lowercase().collect())).collect();
        let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
        while at < letters.len() {
            let mut rest = &*self.folded;
            let mut end = at;
            while let Some((_, letter)) = letters.get(end)
                && !rest.is_empty()
                && let Some(after) = rest.strip_prefix(&**letter)
            {
                (rest, end) = (after, end + 1);
            }
            if !rest.is_empty() || end == at {
                at += 1;
                continue;
            }
            let (start, stop) = (letters[at].0, letters.get(end).map_or(text.len(), |(at, _)| *at));
            if start > from {
                pieces.push((&text[from..start], false));
            }
            pieces.push((&text[start..stop], true));
            (from, at) = (stop, end);
        }
        if from < text.len() {
            pieces.push((&text[from..], false));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "1241 1764340012345 FROM joão [all]: Onde está a CHAVE?";

    #[test]
    fn record_is_written_as_it_is_told_again() {
        let record = Record::parse(LINE.as_bytes()).unwrap();
        assert_eq!((record.number, record.millis), (1241, 1_764_340_012_345));
        let mut told = Vec::new();
        record.write_past(&mut told);
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told, "Past: 1241 1764340012 FROM joão [all]: Onde está a CHAVE?\n");
        let mut begun = Vec::new();
        begin(record.number, record.millis, &mut begun);
        assert!(LINE.as_bytes().starts_with(&begun));
    }

    #[test]
    fn line_that_is_no_record_is_left_out() {
        for line in [
            "",
            "1241",
            "1241 1764340012345",
            "1241 1764340012345 FROM ana [dm]: x",
            "1241 1764340012345 FROM [all]: x",
            "1241 1764340012345 FROM ana maria [all]: x",
            "+1241 1764340012345 FROM ana [all]: x",
            "01241 1764340012345 FROM ana [all]: x",
            "1241 1764340012345 from ana [all]: x",
            "1241 1764340012345 FROM ana [all]: x\u{1b}[2J",
            "99999999999999999999 1 FROM ana [all]: x",
        ] {
            assert_eq!(Record::parse(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(Record::parse(b"1 2 FROM ana [all]: \xFF"), None);
    }

    #[test]
    fn words_are_found_in_any_case_and_anywhere() {
        let line = LINE.as_bytes();
        for words in ["chave", "CHAVE?", "está a", "ESTÁ", "JOÃO", "o", "tá a ch"] {
            assert!(Words::new(words).find_in(line).is_some(), "{words}");
        }
        for words in ["1241", "FROM", "[all]", "esta", "chaves"] {
            assert!(Words::new(words).find_in(line).is_none(), "{words}");
        }
        let ascii = b"7 8 FROM Ana [all]: The KEY";
        assert!(Words::new("key").find_in(ascii).is_some());
        assert!(Words::new("from").find_in(ascii).is_none());
        assert!(Words::new("kéy").find_in(ascii).is_none());
        let turkish = "7 8 FROM ana [all]: İstanbul".as_bytes();
        assert!(Words::new("İstanbul").find_in(turkish).is_some());
        assert!(Words::new("stan").find_in(turkish).is_some());
    }

    #[test]
    fn words_are_marked_where_they_stand() {
        let mark = |words: &str, text| Words::new(words).mark(text);
        assert_eq!(mark("ana", "Ana, ANA"), [("Ana", true), (", ", false), ("ANA", true)]);
        assert_eq!(mark("pão", "o PÃO!"), [("o ", false), ("PÃO", true), ("!", false)]);
        assert_eq!(mark("stan", "İstanbul"), [("İ", false), ("stan", true), ("bul", false)]);
        assert_eq!(mark("x", "abc"), [("abc", false)]);
        assert_eq!(mark("x", ""), []);
    }

    #[test]
    fn last_line_comes_first_backwards() {
        let lines: Vec<&[u8]> = lines_backwards(b"one\n\ntwo\nthree\n").collect();
        assert_eq!(lines, [&b"three"[..], b"two", b"one"]);
        assert_eq!(lines_backwards(b"").count(), 0);
    }
}
