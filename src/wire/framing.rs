use std::fmt;

use memchr::memchr;

/// Turns bytes, in whatever pieces they arrive, into lines.
///
/// It keeps only what is left over between two pieces, so a connection at rest
/// owns no memory. Lines that arrived whole are lent out of the piece itself.
#[derive(Debug)]
pub struct LineBuffer {
    /// The longest line, in bytes, its end included.
    limit: usize,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    /// A line that was offered, and of which nothing is left in the input.
    held: Held,
    /// The line being received is already too long: it is dropped to its end.
    skipping: bool,
}

/// A line that was offered, and of which nothing is left in the input.
#[derive(Debug, Default)]
enum Held {
    /// There is none.
    #[default]
    Nothing,
    /// All of `partial` is the line.
    Partial,
    /// The line was too long.
    TooLong,
}

/// A line that is offered.
#[derive(Debug, PartialEq, Eq)]
pub struct Offered<'a> {
    /// The line without its end.
    pub line: Result<&'a [u8], TooLong>,
    /// How many bytes at the front of the input belong to it. Take them with the line.
    pub rest: usize,
}

/// A line that went on beyond the limit, and was dropped up to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is too long")
    }
}

impl LineBuffer {
    /// A buffer for lines of at most `limit` bytes, their end included.
    pub fn new(limit: usize) -> LineBuffer {
        LineBuffer { limit, partial: Vec::new(), held: Held::Nothing, skipping: false }
    }

    /// Takes the next whole line off the front of `input`, without its line
    /// feed and one carriage return before it.
    ///
    /// `None` means that all of `input` was taken and more is needed. A line
    /// that never seems to end is reported once, as soon as that is certain, and
    /// dropped as it arrives: a hostile peer costs `limit` bytes, whatever it
    /// sends.
    pub fn next_line<'a, 'b: 'a>(
        &'a mut self,
        input: &mut &'b [u8],
    ) -> Option<Result<&'a [u8], TooLong>> {
        self.advance();
        let Offered { line, rest } = self.peek(input)?;
        // A line that is lent out of the buffer is dropped by the next call.
        *input = &input[rest..];
        Some(line)
    }

    /// Offers the next line like [`next_line`](LineBuffer::next_line), but does not take it:
    /// the same line is offered again until [`advance`](LineBuffer::advance). Bytes of
    /// `input` that belong to no line yet are taken.
    pub fn peek<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Offered<'a>> {
        let offered = |line| Some(Offered { line, rest: 0 });
        match self.held {
            Held::Nothing => (),
            Held::Partial => return offered(Ok(without_return(&self.partial))),
            Held::TooLong => return offered(Err(TooLong)),
        }
        loop {
            let Some(at) = memchr(b'\n', input) else {
                let rest = std::mem::take(input);
                if self.skipping {
                    return None;
                }
                if self.partial.len() + rest.len() >= self.limit {
                    self.skipping = true;
                    self.partial = Vec::new();
                    self.held = Held::TooLong;
                    return offered(Err(TooLong));
                }
                self.partial.extend_from_slice(rest);
                return None;
            };
            let piece = &input[..at];
            if !self.skipping && self.partial.is_empty() && at < self.limit {
                return Some(Offered { line: Ok(without_return(piece)), rest: at + 1 });
            }
            *input = &input[at + 1..];
            if self.skipping {
                self.skipping = false;
                continue;
            }
            if self.partial.len() + at + 1 > self.limit {
                self.partial = Vec::new();
                self.held = Held::TooLong;
                return offered(Err(TooLong));
            }
            self.partial.extend_from_slice(piece);
            self.held = Held::Partial;
            return offered(Ok(without_return(&self.partial)));
        }
    }

    /// Whether a line was offered and not taken, of which nothing is left in the input.
    pub fn holds_line(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    /// Takes the line that was offered last. Its [rest](Offered::rest) is for the caller to
    /// take off the input.
    pub fn advance(&mut self) {
        if let Held::Partial = std::mem::take(&mut self.held) {
            self.partial = Vec::new();
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stream that arrives in pieces of `size` bytes.
    fn lines(stream: &[u8], size: usize) -> Vec<Result<String, TooLong>> {
        let mut buffer = LineBuffer::new(16);
        let mut lines = Vec::new();
        for mut piece in stream.chunks(size) {
            while let Some(line) = buffer.next_line(&mut piece) {
                lines.push(line.map(|line| String::from_utf8_lossy(line).into_owned()));
            }
        }
        lines
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_were_cut() {
        let stream = "NICK ana\r\nMSG olá\n\nMSG 0123456789ab\nMSG 0123456789a\n\
            MSG a tail that looks like\rQUIT\n\r\n\r\r\n日本語\nQUIT\nMSG 0123456789a\r\nthe rest";
        let whole = lines(stream.as_bytes(), stream.len());
        let expected = [
            Ok("NICK ana"),
            Ok("MSG olá"),
            Ok(""),
            Err(TooLong),
            Ok("MSG 0123456789a"),
            Err(TooLong),
            Ok(""),
            Ok("\r"),
            Ok("日本語"),
            Ok("QUIT"),
            Err(TooLong),
        ];
        assert_eq!(whole, expected.map(|line| line.map(str::to_string)));
        for size in 1..stream.len() {
            assert_eq!(lines(stream.as_bytes(), size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_reported_once_and_costs_no_memory() {
        let mut buffer = LineBuffer::new(4096);
        let mut reports = 0;
        for _ in 0..10_000 {
            let mut piece: &[u8] = &[b'x'; 1000];
            while let Some(line) = buffer.next_line(&mut piece) {
                assert_eq!(line, Err(TooLong));
                reports += 1;
            }
            assert!(buffer.partial.capacity() <= 8192);
        }
        assert_eq!(reports, 1);
        assert_eq!(buffer.next_line(&mut &b"tail\nWHO\n"[..]), Some(Ok(&b"WHO"[..])));
    }

    #[test]
    fn a_buffer_at_rest_owns_nothing() {
        let mut buffer = LineBuffer::new(4096);
        for mut piece in [&b"half a "[..], b"line\nand"] {
            while buffer.next_line(&mut piece).is_some() {}
        }
        assert_eq!(buffer.partial, b"and");
        let mut piece = &b"\n"[..];
        while buffer.next_line(&mut piece).is_some() {}
        assert_eq!(buffer.partial.capacity(), 0);
    }

    #[test]
    fn line_is_offered_until_it_is_taken() {
        let mut buffer = LineBuffer::new(8);
        let mut taken = Vec::new();
        for mut piece in [b"one\ntw".as_slice(), b"o\nmuch too long", b" a line\r\nend\r\n"] {
            while let Some(Offered { line, .. }) = buffer.peek(&mut piece) {
                let line = line.map(<[u8]>::to_vec);
                let Some(again) = buffer.peek(&mut piece) else { panic!("it is gone") };
                assert_eq!(again.line.map(<[u8]>::to_vec), line);
                let rest = again.rest;
                assert_eq!(buffer.holds_line(), rest == 0);
                buffer.advance();
                assert!(!buffer.holds_line());
                piece = &piece[rest..];
                taken.push(line.map(|line| String::from_utf8(line).unwrap()));
            }
        }
        let ok = |text: &str| Ok(text.to_string());
        assert_eq!(taken, [ok("one"), ok("two"), Err(TooLong), ok("end")]);
    }
}
