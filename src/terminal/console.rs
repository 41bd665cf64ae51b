//! The console of a Windows process. It takes and sends the same sequences as the
//! terminals of Unix, where it can: since Windows 10.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use winapi_util::HandleRef;
use winapi_util::console::{mode, screen_buffer_info, set_mode};

use crate::terminal::layout::Size;
use crate::terminal::{Event, USUAL};

/// Ctrl-C is an event, no key (`ENABLE_PROCESSED_INPUT`).
const EVENTS: u32 = 0x1;
/// The console hands over whole lines (`ENABLE_LINE_INPUT`).
const LINES: u32 = 0x2;
/// The console shows them meanwhile (`ENABLE_ECHO_INPUT`).
const ECHO: u32 = 0x4;
/// Keys and pastes are sequences (`ENABLE_VIRTUAL_TERMINAL_INPUT`).
const SEQUENCES_IN: u32 = 0x200;
/// Output may have sequences (`ENABLE_PROCESSED_OUTPUT` and
/// `ENABLE_VIRTUAL_TERMINAL_PROCESSING`).
const SEQUENCES_OUT: u32 = 0x1 | 0x4;
/// Bytes that follow a line end within this were pasted with it.
const FOLLOWS: Duration = Duration::from_millis(5);

/// The mode of the console's input that we found, until it is restored. That of its
/// output stays: what is said last may be in colour.
pub struct Tty(Mutex<Option<u32>>);

/// The keys, and the end of the channel that a waker writes to.
pub struct Keyboard {
    events: Receiver<Option<Vec<u8>>>,
    /// Bytes that came before they were wanted.
    kept: Vec<u8>,
}

/// Wakes the thread that waits for keys.
pub struct Waker(Sender<Option<Vec<u8>>>);

/// Whether this process is in the foreground, as all are here.
pub fn is_ours() -> bool {
    true
}

/// How large the window is.
pub fn size() -> Size {
    let Ok(info) = screen_buffer_info(HandleRef::stdout()) else { return USUAL };
    let window = info.window_rect();
    let count = |from: i16, to: i16| usize::try_from(to - from + 1).ok().filter(|&n| n > 0);
    Size {
        columns: count(window.left, window.right).unwrap_or(USUAL.columns),
        rows: count(window.top, window.bottom).unwrap_or(USUAL.rows),
    }
}

impl Tty {
    /// As elsewhere. A console that knows no sequences has no editor.
    pub fn open() -> io::Result<(Tty, Keyboard, Waker)> {
        let found = mode(HandleRef::stdin())?;
        let output = mode(HandleRef::stdout())?;
        set_mode(HandleRef::stdout(), output | SEQUENCES_OUT)?;
        set_mode(HandleRef::stdin(), found & !(LINES | ECHO) | SEQUENCES_IN)?;
        let (sender, events) = channel();
        let typed = sender.clone();
        thread::Builder::new().name("keyboard".into()).spawn(move || {
            let mut stdin = io::stdin();
            let mut bytes = [0; 4096];
            loop {
                match stdin.read(&mut bytes) {
                    // Ctrl-Z alone is taken for the end of a file, which a console has not.
                    Ok(n) if typed.send(Some(bytes[..n].to_vec())).is_ok() => (),
                    Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
                    Ok(_) | Err(_) => return,
                }
            }
        })?;
        Ok((Tty(Mutex::new(Some(found))), Keyboard { events, kept: Vec::new() }, Waker(sender)))
    }

    pub fn be_quiet(&self) {
        self.set(0);
    }

    pub fn be_raw(&self) {
        self.set(EVENTS);
    }

    fn set(&self, without: u32) {
        if let Some(found) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let mode = found & !(LINES | ECHO | without) | SEQUENCES_IN;
            set_mode(HandleRef::stdin(), mode).ok(); // The window may be closed.
        }
    }

    pub fn restore(&self) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(found) = found {
            set_mode(HandleRef::stdin(), found).ok();
        }
        found.is_some()
    }

    pub fn await_foreground(&self) {}

    /// Nothing can be stopped here.
    pub fn suspend(&self) {}
}

impl Keyboard {
    pub fn next(&mut self, wanted: bool, limit: Option<Duration>) -> io::Result<Event> {
        let mut bytes = if wanted { std::mem::take(&mut self.kept) } else { Vec::new() };
        if bytes.is_empty() {
            match self.receive(limit) {
                Ok(Some(typed)) if wanted => bytes = typed,
                Ok(Some(typed)) => {
                    self.kept.extend(typed);
                    return Ok(Event::Woken);
                }
                Ok(None) => return Ok(Event::Woken),
                Err(RecvTimeoutError::Timeout) => return Ok(Event::TimePassed),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        loop {
            let ends_line = bytes.len() > 1 && matches!(bytes.last(), Some(b'\r' | b'\n'));
            match self.receive(Some(if ends_line { FOLLOWS } else { Duration::ZERO })) {
                Ok(Some(more)) => bytes.extend(more),
                Ok(None) => (),
                Err(_) => return Ok(Event::Bytes(bytes, false)),
            }
        }
    }

    fn receive(&self, limit: Option<Duration>) -> Result<Option<Vec<u8>>, RecvTimeoutError> {
        match limit {
            Some(limit) => self.events.recv_timeout(limit),
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}

impl Waker {
    pub fn wake(&self) {
        self.0.send(None).ok(); // Nobody may wait any more.
    }
}

/// The news that signals have about a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // There are no signals here.
pub enum News {
    Resized,
    Stop,
    Continued,
}

/// The size is looked at before each painting, because no event tells of it.
pub fn watch(_: impl Fn(News) + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// Whether the terminal wraps its rows anew when its window becomes narrower.
pub fn reflows() -> bool {
    std::env::var_os("WT_SESSION").is_some()
}
