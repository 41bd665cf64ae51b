//! Standard input, output and error, in the state in which other programs leave them.
//!
//! Any of the three can be non-blocking, because that belongs to the open file and not
//! to the process. "Not now" is then neither the end of the input nor a full disk: a
//! stream waits until the system is ready. Every other error is passed on.

use std::io::{self, Write};

use memchr::{memchr, memrchr};

/// How much is read at a time, and the longest piece of a line, in bytes.
const READ: usize = 16 << 10;

/// Standard output.
pub struct Stdout;

/// Standard error.
pub struct Stderr;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        system::write_out(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // Nothing is kept back.
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        system::write_err(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // Nothing is kept back.
    }
}

/// A line of standard input, or a part of one that is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes, with the line's end if it is among them.
    pub bytes: Vec<u8>,
    /// The line begins here.
    pub begins: bool,
    /// The line ends here.
    pub ends: bool,
}

/// The lines of standard input. A line of any length takes bounded memory, because it
/// comes in pieces.
pub struct Lines<R> {
    read: R,
    bytes: Vec<u8>,
    /// `bytes[start..]` has arrived and is not yet taken.
    start: usize,
    /// The last piece was not the end of its line.
    within: bool,
}

/// A function that reads some bytes, and says how many.
type Source = fn(&mut [u8]) -> io::Result<usize>;

/// The lines of standard input.
pub fn lines() -> Lines<Source> {
    Lines::of(system::read_in)
}

impl<R: FnMut(&mut [u8]) -> io::Result<usize>> Iterator for Lines<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<io::Result<Piece>> {
        self.advance().transpose()
    }
}

impl<R: FnMut(&mut [u8]) -> io::Result<usize>> Lines<R> {
    fn of(read: R) -> Lines<R> {
        Lines { read, bytes: Vec::new(), start: 0, within: false }
    }

    /// The next piece; none at the end of the input.
    fn advance(&mut self) -> io::Result<Option<Piece>> {
        let mut searched = self.start;
        loop {
            if let Some(at) = memchr(b'\n', &self.bytes[searched..]) {
                return Ok(Some(self.take(searched + at + 1, true)));
            }
            searched = self.bytes.len();
            if searched - self.start >= READ {
                return Ok(Some(self.take(self.cut(), false)));
            }
            self.bytes.drain(..self.start);
            (searched, self.start) = (searched - self.start, 0);
            self.bytes.resize(searched + READ, 0);
            let count = (self.read)(&mut self.bytes[searched..]);
            self.bytes.truncate(searched + *count.as_ref().unwrap_or(&0));
            if count? == 0 {
                let rest = searched > 0 || self.within;
                return Ok(rest.then(|| self.take(searched, true)));
            }
        }
    }

    /// Where a long line is cut: between words, or else between characters.
    fn cut(&self) -> usize {
        let (half, end) = (self.start + READ / 2, self.start + READ);
        if let Some(blank) = memrchr(b' ', &self.bytes[half..end]) {
            return half + blank + 1;
        }
        let is_boundary = |&at: &usize| self.bytes.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
        (end - 3..=end).rev().find(is_boundary).unwrap_or(end)
    }

    fn take(&mut self, end: usize, ends: bool) -> Piece {
        let bytes = self.bytes[self.start..end].to_vec();
        self.start = end;
        let begins = !std::mem::replace(&mut self.within, !ends);
        Piece { bytes, begins, ends }
    }
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::{Errno, read, write};

    pub fn read_in(bytes: &mut [u8]) -> io::Result<usize> {
        patiently(io::stdin(), PollFlags::IN, || read(io::stdin(), &mut *bytes))
    }

    pub fn write_out(bytes: &[u8]) -> io::Result<usize> {
        patiently(io::stdout(), PollFlags::OUT, || write(io::stdout(), bytes))
    }

    pub fn write_err(bytes: &[u8]) -> io::Result<usize> {
        patiently(io::stderr(), PollFlags::OUT, || write(io::stderr(), bytes))
    }

    fn patiently(
        stream: impl AsFd,
        ready: PollFlags,
        mut attempt: impl FnMut() -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            match attempt() {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stream, ready)], None) {
                    Ok(_) | Err(Errno::INTR) => (),
                    Err(err) => return Err(err.into()),
                },
                Err(Errno::INTR) => (),
                done => return Ok(done?),
            }
        }
    }
}

// Windows has no non-blocking standard streams.
#[cfg(windows)]
mod system {
    use std::io::{self, Read, Write};

    pub fn read_in(bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match io::stdin().read(bytes) {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
                done => return done,
            }
        }
    }

    pub fn write_out(bytes: &[u8]) -> io::Result<usize> {
        let mut stdout = io::stdout().lock();
        let count = stdout.write(bytes)?;
        stdout.flush()?;
        Ok(count)
    }

    pub fn write_err(bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(input: &[u8], at_once: usize) -> Vec<Piece> {
        let mut rest = input;
        let lines = Lines::of(|bytes: &mut [u8]| {
            let count = rest.len().min(bytes.len()).min(at_once);
            bytes[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            Ok(count)
        });
        lines.map(|line| line.expect("it can be read")).collect()
    }

    #[test]
    fn short_lines_come_whole_however_they_arrive() {
        let line = |text: &str| Piece { bytes: text.into(), begins: true, ends: true };
        for at_once in [1, 2, 3, 100_000] {
            assert_eq!(pieces(b"", at_once), []);
            assert_eq!(pieces(b"a\n\nb", at_once), [line("a\n"), line("\n"), line("b")]);
        }
    }

    #[test]
    fn long_lines_come_in_bounded_pieces_and_lose_no_byte() {
        for text in
            ["word ".repeat(10_000), "é".repeat(30_000), "x".repeat(READ), "\0".repeat(READ * 3)]
        {
            for end in ["", "\n", "\nnext\n"] {
                let input = text.clone() + end;
                let pieces = pieces(input.as_bytes(), 5000);
                let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
                assert!(all == input.as_bytes());
                assert!(pieces.iter().all(|piece| piece.bytes.len() <= READ + 1));
                assert!(pieces.iter().all(|piece| std::str::from_utf8(&piece.bytes).is_ok()));
                assert!(pieces[0].begins && pieces.last().unwrap().ends);
                let begun = pieces.iter().filter(|piece| piece.begins).count();
                assert_eq!(begun, pieces.iter().filter(|piece| piece.ends).count());
                assert_eq!(begun, if end == "\nnext\n" { 2 } else { 1 });
            }
        }
    }

    #[test]
    fn an_error_is_not_the_end() {
        let mut lines = Lines::of(|_: &mut [u8]| Err(io::ErrorKind::IsADirectory.into()));
        assert_eq!(
            lines.next().expect("an error").unwrap_err().kind(),
            io::ErrorKind::IsADirectory
        );
    }
}
