//! The screen that standard output or standard error meets: how wide it is, and what is
//! made to fit.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal};

use crate::texts::wrap::wrap;

/// How wide a terminal is taken to be that does not say so, in columns.
const USUAL: usize = 80;

/// A stream that may meet a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// How many columns the terminal has at this moment; none where there is no terminal.
///
/// A terminal on a serial line does not say so. There the variable `COLUMNS` counts.
pub fn columns(stream: Stream) -> Option<usize> {
    let (is_terminal, told) = match stream {
        Stream::Output => (io::stdout().is_terminal(), system::size(stream).0),
        Stream::Error => (io::stderr().is_terminal(), system::size(stream).0),
    };
    is_terminal.then(|| choose(told, env::var("COLUMNS").ok().as_deref()))
}

/// Whether standard output is a terminal that can show a drawing of so many columns and
/// rows in black and white: one that shows Unicode and colours, for a user that wants them.
pub fn can_draw(columns: usize, rows: usize) -> bool {
    let variable = |name| env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let unicode = cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8");
    #[cfg(windows)] // A console understands sequences of colours once it is asked to.
    let unicode = unicode && colored::control::set_virtual_terminal(true).is_ok();
    let (wide, high) = system::size(Stream::Output);
    let wanted = variable("TERM") != "dumb" && variable("NO_COLOR").is_empty();
    io::stdout().is_terminal() && unicode && wanted && wide >= columns && high >= rows
}

/// A text in rows that fit the terminal, or as it is where there is none.
pub fn fit(text: &str, stream: Stream) -> Cow<'_, str> {
    match columns(stream) {
        Some(columns) => wrap(text, columns),
        None => text.into(),
    }
}

/// The width that counts: what the terminal says, or else the variable.
fn choose(told: usize, variable: Option<&str>) -> usize {
    let variable = || variable?.trim().parse().ok().filter(|&columns| columns > 0);
    if told > 0 { told } else { variable().unwrap_or(USUAL) }
}

#[cfg(unix)]
mod system {
    use std::io;

    use rustix::termios::tcgetwinsize;

    use super::Stream;

    /// How many columns and rows the terminal says it has; 0 if it does not.
    pub fn size(stream: Stream) -> (usize, usize) {
        let size = match stream {
            Stream::Output => tcgetwinsize(io::stdout()),
            Stream::Error => tcgetwinsize(io::stderr()),
        };
        size.map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()))
    }
}

#[cfg(windows)]
mod system {
    use winapi_util::HandleRef;
    use winapi_util::console::screen_buffer_info;

    use super::Stream;

    /// How many columns and rows the window of the console has; 0 if it does not say so.
    /// The buffer behind the window can have thousands of rows.
    pub fn size(stream: Stream) -> (usize, usize) {
        let handle = match stream {
            Stream::Output => HandleRef::stdout(),
            Stream::Error => HandleRef::stderr(),
        };
        let window = screen_buffer_info(handle).map(|info| info.window_rect());
        let cells = |from: i16, to: i16| usize::try_from(i32::from(to) - i32::from(from) + 1);
        window.map_or((0, 0), |window| {
            let columns = cells(window.left, window.right).unwrap_or(0);
            (columns, cells(window.top, window.bottom).unwrap_or(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_without_a_size_has_the_width_of_the_variable() {
        for (told, variable, expected) in [
            (100, None, 100),
            (100, Some("60"), 100),
            (0, Some("60"), 60),
            (0, Some(" 60 "), 60),
            (0, Some("0"), 80),
            (0, Some("wide"), 80),
            (0, None, 80),
        ] {
            assert_eq!(choose(told, variable), expected, "{told} {variable:?}");
        }
    }
}
