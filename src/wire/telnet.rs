//! Telnet and PuTTY mix these into the text: option bytes, which are dropped.
//!
//! Each sequence begins with IAC, the byte FF, which no UTF-8 text holds. RFC 854
//! describes them.

use memchr::memchr;

/// "Interpret as command": it begins each sequence.
const IAC: u8 = 0xFF;
/// Subnegotiation: it goes on up to IAC and [`END`].
const BEGIN: u8 = 0xFA;
/// The end of a subnegotiation.
const END: u8 = 0xF0;
/// WILL, WONT, DO and DONT, each with an option behind it.
const NEGOTIATION: std::ops::RangeInclusive<u8> = 0xFB..=0xFE;
/// Asks for an option.
const DO: u8 = 0xFD;
/// The option that telnet asks for after Ctrl-C. It shows nothing until that is answered.
const TIMING_MARK: u8 = 6;
/// "I will not": the answer to a question for a timing mark, which serves as well.
pub const NO_TIMING_MARK: [u8; 3] = [IAC, 0xFC, TIMING_MARK];
/// How many bytes of one subnegotiation are dropped; what follows counts as text.
const MAX_SUBNEGOTIATION: usize = 256;

/// Takes telnet's sequences out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After IAC.
    Command,
    /// After WILL, WONT, DO or DONT.
    Option(u8),
    /// In a subnegotiation, after this many bytes of it.
    Inside(usize),
    /// The same, after IAC.
    InsideCommand(usize),
}

impl Telnet {
    /// Appends the text in these bytes to `text`. Returns how many timing marks are
    /// asked for. How the stream is cut means nothing.
    ///
    /// IAC IAC stands for one byte FF. What is no sequence stays, so that it is found to
    /// be no text; a line feed is never part of an option.
    pub fn strip(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> usize {
        let mut marks = 0;
        for &byte in bytes {
            self.state = match self.state {
                State::Text if byte == IAC => State::Command,
                State::Text => {
                    text.push(byte);
                    State::Text
                }
                State::Command => match byte {
                    BEGIN => State::Inside(0),
                    END..=0xF9 => State::Text,
                    IAC => {
                        text.push(IAC);
                        State::Text
                    }
                    command if NEGOTIATION.contains(&command) => State::Option(command),
                    other => {
                        text.extend([IAC, other]);
                        State::Text
                    }
                },
                State::Option(command) => {
                    match byte {
                        b'\r' | b'\n' => text.extend([IAC, command, byte]),
                        TIMING_MARK if command == DO => marks += 1,
                        _ => (),
                    }
                    State::Text
                }
                State::Inside(MAX_SUBNEGOTIATION..)
                | State::InsideCommand(MAX_SUBNEGOTIATION..) => {
                    text.push(byte);
                    State::Text
                }
                State::Inside(length) if byte == IAC => State::InsideCommand(length + 1),
                State::InsideCommand(_) if byte == END => State::Text,
                State::Inside(length) | State::InsideCommand(length) => State::Inside(length + 1),
            };
        }
        marks
    }

    /// Whether these bytes are text as they are.
    pub fn is_text(&self, bytes: &[u8]) -> bool {
        self.state == State::Text && memchr(IAC, bytes).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a stream, and how many timing marks it asks for, however it is cut.
    #[track_caller]
    fn check(stream: &[u8], expected: &[u8], expected_marks: usize) {
        for size in 1..=stream.len().min(64) {
            let (mut telnet, mut text, mut marks) = (Telnet::default(), Vec::new(), 0);
            for piece in stream.chunks(size) {
                match telnet.is_text(piece) {
                    true => text.extend_from_slice(piece),
                    false => marks += telnet.strip(piece, &mut text),
                }
            }
            let shown = stream.escape_ascii();
            assert_eq!(
                (text.escape_ascii().to_string(), marks),
                (expected.escape_ascii().to_string(), expected_marks),
                "{shown} in pieces of {size}"
            );
        }
    }

    #[test]
    fn option_bytes_are_dropped() {
        check(b"NICK ana\r\n", b"NICK ana\r\n", 0);
        check(b"\xFF\xFB\x1F\xFF\xFD\x03NICK ana\r\n", b"NICK ana\r\n", 0);
        check(b"NICK \xFF\xF1ana\xFF\xF9\r\n", b"NICK ana\r\n", 0);
        check(b"NI\xFF\xFC\x01\xFF\xFE\x03CK ana\n", b"NICK ana\n", 0);
        check(b"\xFF\xFB\xFFa\n", b"a\n", 0); // The list of extended options.
    }

    #[test]
    fn timing_mark_is_asked_for_after_ctrl_c() {
        check(b"\xFF\xF4\xFF\xFD\x06MSG after\r\n", b"MSG after\r\n", 1);
        check(b"\xFF\xFB\x06\xFF\xFE\x06\xFF\xFD\x06\xFF\xFD\x06", b"", 2);
    }

    #[test]
    fn subnegotiation_is_dropped_up_to_its_end_or_a_limit() {
        check(b"\xFF\xFA\x1F\x00\x50\x00\x0A\xFF\xF0a\n", b"a\n", 0); // 80 columns, 10 rows.
        check(b"\xFF\xFA\x1F\xFF\xFF\x00\xF0\xFF\xF0a\n", b"a\n", 0);
        check(b"\xFF\xFA\x06\xFF\xFD\x06\xFF\xF0", b"", 0);
        let endless = [&b"\xFF\xFA"[..], &[b'x'; 3 * MAX_SUBNEGOTIATION]].concat();
        check(&endless, &[b'x'; 2 * MAX_SUBNEGOTIATION], 0);
    }

    #[test]
    fn incomplete_sequence_stays_and_ends_its_line() {
        check(b"MSG \xFF\nWHO\n", b"MSG \xFF\nWHO\n", 0);
        check(b"MSG \xFF\xFE\nWHO\n", b"MSG \xFF\xFE\nWHO\n", 0);
        check(b"MSG \xFF\xFB\r\nWHO\n", b"MSG \xFF\xFB\r\nWHO\n", 0);
        check(b"MSG \xFF\xFF\n", b"MSG \xFF\n", 0);
        check(b"MSG \xFF\x80\n", b"MSG \xFF\x80\n", 0);
    }
}
