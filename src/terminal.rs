//! A keyboard and a screen: the line at the bottom of the terminal, above which appears
//! what others say. Neither ever disturbs the other.
//!
//! The core is pure and knows no terminal:
//!
//! - `keys`: bytes -> keys and pastes; `burst`: typed or pasted;
//! - `draft`: the text and its changes; `history`; `completion`;
//! - `line`: keys -> a draft, and what they ask for;
//! - `layout`: a draft -> rows; `painting`: rows -> bytes;
//! - `calls`: the title and notifications.
//!
//! [`Editor`] drives it, with `tty` or `console` for what the system does.

mod burst;
mod calls;
mod completion;
mod draft;
mod editor;
mod history;
mod keys;
mod layout;
mod line;
mod painting;

#[cfg(windows)]
mod console;
#[cfg(unix)]
mod tty;
#[cfg(windows)]
use console as system;
#[cfg(unix)]
use tty as system;

use std::env;
use std::io::{self, IsTerminal, Write, stdin, stdout};

use crate::stdio::Stdout;
pub use completion::{Argument, Command};
pub use editor::{Editor, LAST_LINES, Purpose, Typed};
use layout::Size;
pub use line::Prompt;
pub use system::is_ours;

/// How large a terminal is taken to be that does not say so.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Something that happens at a keyboard.
enum Event {
    /// These bytes, and whether more are left.
    Bytes(Vec<u8>, bool),
    /// The program wants the user's attention.
    Woken,
    /// As much time has passed as was given.
    TimePassed,
}

/// Whether this process may edit lines on its terminal.
pub fn is_capable() -> bool {
    let term = env::var("TERM").unwrap_or_default();
    let dumb = ["dumb", "cons25", "emacs"].contains(&&*term) || (cfg!(unix) && term.is_empty());
    // A console of Windows, not a pipe that stands for one, has no name.
    stdin().is_terminal() && stdout().is_terminal() && !dumb && is_ours()
}

/// Writes to standard output now, past any editor.
///
/// # Errors
/// If the other end is closed, or it cannot be written.
pub fn write_out(text: &str) -> io::Result<()> {
    Stdout.write_all(text.as_bytes())
}
