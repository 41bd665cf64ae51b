//! The state that the threads of the editor share: what is typed, seen, and yet to be shown.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use crate::terminal::calls::Calls;
use crate::terminal::layout::{Size, View};
use crate::terminal::line::Line;
use crate::terminal::painting::{Change, Painting, at_once};
use crate::terminal::system::News;

/// How many bytes are shown at a time. A key is answered in between, also where a terminal
/// is slow.
pub(super) const CHUNK: usize = 4 << 10;
/// Lines that come within this of each other are shown together, unless a key is pressed.
/// Nobody sees that, and a crowd that talks costs fewer paintings and leaves time for keys.
const FRAME: Duration = Duration::from_millis(5);
/// How long a terminal may know of a new size before we do. What was painted within this
/// may have been cut; and a window that is being resized has its size when that stays the
/// same for this long.
const SETTLED: Duration = Duration::from_millis(300);
/// How long a window may go on being resized until a key or a line is shown.
const RESIZING: Duration = Duration::from_secs(1);
/// The same if there is nothing to show but the line as it was. The terminal shows that by
/// itself, and each painting in between leaves a piece of the line behind.
const RESIZING_ALONE: Duration = Duration::from_secs(10);

/// Modes that a dead program may have left on: mouse reports, and the keys of kitty.
/// Then those that the editor needs: pastes and the focus are told.
const BEGIN: &str = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[>u\
                     \x1b[?2004h\x1b[?1004h";

/// The line, its painting, and the texts that wait to be shown.
pub(super) struct State {
    pub line: Line,
    pub painting: Painting,
    pub calls: Calls,
    /// Lines to be shown above the line.
    pub pending: String,
    /// Sequences that change nothing on the screen.
    pub aside: String,
    pub phase: Phase,
    /// Every key is handed over as it is. The line is not seen before that.
    pub raw: bool,
    /// The modes that the editor needs are on.
    pub begun: bool,
    /// Something is being written.
    pub writing: bool,
    /// A few lines wait for more of them. They wake nobody.
    pub gathering: bool,
    /// The line has changed since it was painted.
    pub dirty: bool,
    /// It has changed by something else than the size of the window.
    pub touched: bool,
    /// Why nothing can be written any more.
    pub broken: Option<io::ErrorKind>,
    /// When the line was last painted.
    pub painted: Instant,
    /// How wide the window was when that was last looked at.
    pub columns: usize,
    /// When the window began to be resized, and when its size last changed.
    pub resized: Option<(Instant, Instant)>,
    /// A signal asks for this.
    pub news: Option<News>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The line is at the bottom of the terminal, if there is a prompt.
    Open,
    /// The job is stopped, or in the background.
    Stopped,
    /// The editor is about to give the terminal back.
    Finishing,
    /// Nothing more is painted.
    Closing,
    /// The terminal is as it was found.
    Closed,
}

impl State {
    /// Whether something is, or will be, painted.
    pub fn is_painted(&self) -> bool {
        !matches!(self.phase, Phase::Closing | Phase::Closed) && self.broken.is_none()
    }

    /// Whether there is something to paint.
    pub fn is_due(&self) -> bool {
        self.dirty || !self.pending.is_empty()
    }

    /// How long to wait for more lines.
    pub fn gathers(&self) -> Option<Duration> {
        let few = self.pending.len() < CHUNK && !self.dirty && self.phase == Phase::Open;
        let left = FRAME.checked_sub(self.painted.elapsed()).filter(|left| !left.is_zero());
        left.filter(|_| few)
    }

    /// How long to wait until a window that is being resized has its size. A terminal that
    /// wraps its rows anew does so from what was painted before all of the changes.
    pub fn pause(&mut self, columns: usize, reflows: bool) -> Option<Duration> {
        let now = Instant::now();
        if columns != self.columns {
            self.columns = columns;
            self.resized = Some((self.resized.map_or(now, |(first, _)| first), now));
        }
        let (first, last) = self.resized?;
        let shows = self.touched || !self.pending.is_empty() || !self.aside.is_empty();
        let wraps = self.painting.wraps_at(columns) || !shows;
        let matters = reflows && self.phase == Phase::Open && wraps;
        let most = if shows { RESIZING } else { RESIZING_ALONE };
        let end = (last + SETTLED).min(first + most);
        end.checked_duration_since(now).filter(|left| matters && !left.is_zero())
    }

    /// Appends the bytes that the terminal is to be sent now.
    pub fn render(&mut self, size: Size, reflows: bool, out: &mut String) {
        (self.dirty, self.touched) = (false, false);
        let open = self.line.is_open() && self.raw;
        if open && !mem::replace(&mut self.begun, true) {
            *out += BEGIN;
        }
        *out += &mem::take(&mut self.aside);
        let calm = self.resized.take().is_some_and(|(first, last)| {
            first.saturating_duration_since(self.painted) > SETTLED && last.elapsed() >= SETTLED
        });
        self.painting.resized(Change { columns: size.columns, reflows, calm });
        let view = if open { self.line.view(size) } else { View::default() };
        let before = out.len();
        if self.pending.is_empty() {
            self.painting.paint(&view, size.columns, out);
        } else {
            let end = chunk(&self.pending);
            at_once(out, |out| {
                self.painting.print(&self.pending[..end], out);
                self.painting.paint(&view, size.columns, out);
            });
            self.pending.drain(..end);
        }
        if out.len() > before {
            self.painted = Instant::now();
        }
    }
}

/// How much of some lines to show at a time: whole ones, if they are not endless.
fn chunk(lines: &str) -> usize {
    if lines.len() <= CHUNK {
        return lines.len();
    }
    let end = memchr::memrchr(b'\n', &lines.as_bytes()[..CHUNK]);
    let next = || memchr::memchr(b'\n', lines.as_bytes());
    end.or_else(next).map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::completion::Words;
    use crate::terminal::line::Prompt;
    use crate::texts::ENGLISH;

    /// A line that was painted in a window of 80 columns long ago.
    fn painted() -> State {
        let mut state = State {
            line: Line::new(Words::new(Vec::new(), false), false, &ENGLISH.terminal),
            painting: Painting::default(),
            calls: Calls::new(None),
            pending: String::new(),
            aside: String::new(),
            phase: Phase::Open,
            raw: true,
            begun: true,
            writing: false,
            gathering: false,
            dirty: true,
            touched: true,
            broken: None,
            painted: Instant::now(),
            columns: 80,
            resized: None,
            news: None,
        };
        let text = format!("ana> {}", "x".repeat(60));
        state.line.set_prompt(Prompt { text, ..Prompt::default() });
        state.render(Size { columns: 80, rows: 24 }, true, &mut String::new());
        assert!(!state.dirty && !state.touched);
        state.painted -= Duration::from_secs(5);
        state
    }

    #[test]
    fn line_alone_is_not_painted_while_a_window_is_resized() {
        for columns in [40, 120] {
            let mut state = painted();
            let pause = state.pause(columns, true).expect("the window may change again");
            assert!(pause <= SETTLED && pause > SETTLED / 2);
            // It goes on and on, and the last change was just now.
            let Some((first, last)) = state.resized else { panic!("it was resized") };
            state.resized = Some((first - 5 * RESIZING, last));
            assert!(state.pause(columns, true).is_some());
            state.resized = Some((first - RESIZING_ALONE, last));
            assert_eq!(state.pause(columns, true), None);
            // A terminal that wraps nothing anew leaves nothing behind.
            state.resized = Some((first, last));
            assert_eq!(state.pause(columns, false), None);
        }
    }

    #[test]
    fn key_and_message_are_shown_while_a_window_is_resized() {
        for text in ["", "a message\n"] {
            let mut state = painted();
            state.touched = text.is_empty();
            state.pending = text.into();
            assert_eq!(state.pause(120, true), None);
            assert!(state.pause(40, true).is_some());
            let Some((first, last)) = state.resized else { panic!("it was resized") };
            state.resized = Some((first - RESIZING, last));
            assert_eq!(state.pause(40, true), None);
        }
    }
}
