//! What is seen and what is to be shown: the state that the threads of the editor share.

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
/// How long a window may go on being resized until something is painted.
const RESIZING: Duration = Duration::from_secs(1);

/// Modes that a dead program may have left on: mouse reports, and the keys of kitty.
/// Then those that the editor needs: pastes and the focus are told.
const BEGIN: &str = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[>u\
                     \x1b[?2004h\x1b[?1004h";

/// What is typed, what is painted and what waits to be shown.
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
        let matters = reflows && self.phase == Phase::Open && self.painting.wraps_at(columns);
        let end = (last + SETTLED).min(first + RESIZING);
        end.checked_duration_since(now).filter(|left| matters && !left.is_zero())
    }

    /// Appends the bytes that the terminal is to be sent now.
    pub fn render(&mut self, size: Size, reflows: bool, out: &mut String) {
        self.dirty = false;
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
