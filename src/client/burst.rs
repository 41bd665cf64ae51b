//! Lines from a terminal without a line editor: typed, or pasted.
//!
//! Such a terminal does not mark a paste, but its lines come all at once. No person types a
//! line within a few milliseconds behind another.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use smol::Timer;
use smol::future::or;

use crate::stdio::Piece;

/// Lines that come closer to each other than this are one paste.
const PASTE: Duration = Duration::from_millis(20);

/// Something that was entered.
#[derive(Debug)]
pub struct InputPiece {
    /// A line, or a part of a long one. What was entered by an editor may have line
    /// feeds in it.
    pub piece: Piece,
    /// It begins with pasted text, in which nothing is a command.
    pub pasted: bool,
}

/// The bytes that were read, and when.
type Read = (io::Result<Piece>, Instant);

/// The lines of an input.
#[derive(Debug)]
pub struct Burst {
    lines: Receiver<io::Result<Piece>>,
    /// The input is a terminal.
    waits: bool,
    /// A line that came. The next one tells what it is.
    held: RefCell<Option<Read>>,
    /// The held line came closely behind another.
    follows: Cell<bool>,
}

impl Burst {
    /// The lines of `lines`. A program's are never pasted.
    pub fn of(lines: Receiver<io::Result<Piece>>, is_terminal: bool) -> Burst {
        Burst { lines, waits: is_terminal, held: RefCell::default(), follows: Cell::new(false) }
    }

    /// The next line; none at the end of the input. No line is lost if this is not
    /// waited for to its end.
    ///
    /// # Errors
    /// If the input cannot be read. Nothing more comes then.
    pub async fn next(&self) -> io::Result<Option<InputPiece>> {
        if !self.waits {
            let piece = self.lines.recv().await.ok().transpose()?;
            return Ok(piece.map(|piece| InputPiece { piece, pasted: false }));
        }
        let came = self.held.borrow().as_ref().map(|(_, came)| *came);
        let came = match came {
            Some(came) => came,
            None => {
                let Ok(line) = self.lines.recv().await else { return Ok(None) };
                let came = Instant::now();
                self.held.replace(Some((line, came)));
                came
            }
        };
        let another = async { self.lines.recv().await.ok() };
        let nothing = async {
            Timer::at(came + PASTE).await;
            None
        };
        let next = or(another, nothing).await.map(|line| (line, Instant::now()));
        let is_close = next.is_some();
        let (piece, _) = self.held.replace(next).expect("a line is held");
        let pasted = self.follows.replace(is_close) || is_close;
        Ok(Some(InputPiece { piece: piece?, pasted }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(is_terminal: bool) -> (async_channel::Sender<io::Result<Piece>>, Burst) {
        let (sender, lines) = async_channel::unbounded();
        (sender, Burst::of(lines, is_terminal))
    }

    fn line(text: &str) -> io::Result<Piece> {
        Ok(Piece { bytes: text.into(), begins: true, ends: true })
    }

    /// The next line, and whether it was pasted.
    async fn next(burst: &Burst) -> Option<(String, bool)> {
        let input = burst.next().await.unwrap()?;
        Some((String::from_utf8(input.piece.bytes).unwrap(), input.pasted))
    }

    fn input(line: &str, pasted: bool) -> Option<(String, bool)> {
        Some((line.into(), pasted))
    }

    #[test]
    fn lines_at_once_are_pasted_and_a_single_one_is_typed() {
        let (sender, burst) = burst(true);
        smol::block_on(async {
            sender.try_send(line("/who\n")).unwrap();
            assert_eq!(next(&burst).await, input("/who\n", false));
            for text in ["a\n", "\n", "/quit\n"] {
                sender.try_send(line(text)).unwrap();
            }
            for text in ["a\n", "\n", "/quit\n"] {
                assert_eq!(next(&burst).await, input(text, true));
            }
            sender.try_send(line("/r oi\n")).unwrap();
            assert_eq!(next(&burst).await, input("/r oi\n", false));
            sender.close();
            assert_eq!(next(&burst).await, None);
        });
    }

    #[test]
    fn line_is_kept_if_its_reader_is_gone() {
        let (sender, burst) = burst(true);
        smol::block_on(async {
            sender.try_send(line("a\n")).unwrap();
            // Something else happens first.
            let first = smol::future::poll_once(next(&burst)).await;
            assert_eq!(first, None);
            assert_eq!(next(&burst).await, input("a\n", false));
        });
    }

    #[test]
    fn program_pastes_nothing() {
        let (sender, burst) = burst(false);
        smol::block_on(async {
            for text in ["a\n", "/quit\n"] {
                sender.try_send(line(text)).unwrap();
                assert_eq!(next(&burst).await, input(text, false));
            }
        });
    }
}
