//! The terminal of a Unix process: its settings, its size, its bytes and its signals.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_signal::{Signal, Signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::{Signal as Number, getpgrp, getpid, kill_process};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr,
};
use smol::stream::StreamExt;

use crate::interrupt;
use crate::terminal::layout::Size;
use crate::terminal::{Event, USUAL};

/// How often a process in the background looks whether it is back.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes that follow a line end within this were pasted with it.
const FOLLOWS: Duration = Duration::from_millis(5);
/// The most bytes that are taken for one read.
const MOST: usize = 64 << 10;

/// The settings that we found, until they are restored.
pub struct Tty(Mutex<Option<Termios>>);

/// The keys, and the end of the pipe that a waker writes to.
pub struct Keyboard(PipeReader, Arc<AtomicBool>);

/// Wakes the thread that waits for keys.
pub struct Waker(PipeWriter, Arc<AtomicBool>);

/// Whether this process is in the foreground. One that is not, and changes the settings
/// or reads, is stopped.
pub fn is_ours() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// How large the screen is; as usual, where the terminal does not say so.
pub fn size() -> Size {
    let (columns, rows) =
        tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let or = |told: u16, usual| if told > 0 { told.into() } else { usual };
    Size { columns: or(columns, USUAL.columns), rows: or(rows, USUAL.rows) }
}

impl Tty {
    /// Keeps the settings and makes the terminal quiet.
    pub fn open() -> io::Result<(Tty, Keyboard, Waker)> {
        let tty = Tty(Mutex::new(Some(tcgetattr(io::stdin())?)));
        tty.be_quiet();
        let (reader, writer) = io::pipe()?;
        let woken = Arc::new(AtomicBool::new(false));
        Ok((tty, Keyboard(reader, woken.clone()), Waker(writer, woken)))
    }

    /// Keys wait, unseen, for the editor, but Ctrl-C still interrupts. The system leaves line
    /// ends as they are: a CR that becomes an LF would make two ends of a pasted CR LF.
    pub fn be_quiet(&self) {
        self.set(|settings| {
            settings.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON);
            settings.input_modes &= !(InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR);
        });
    }

    /// Every key is handed over as it is.
    pub fn be_raw(&self) {
        self.set(|settings| {
            settings.local_modes &=
                !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
            settings.input_modes &= !(InputModes::ICRNL
                | InputModes::INLCR
                | InputModes::IGNCR
                | InputModes::IXON
                | InputModes::ISTRIP
                | InputModes::BRKINT);
            settings.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        });
    }

    /// In the background, the terminal is another job's.
    fn set(&self, change: impl Fn(&mut Termios)) {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = found.as_ref().filter(|_| is_ours()) {
            let mut settings = found.clone();
            change(&mut settings);
            settings.special_codes[SpecialCodeIndex::VMIN] = 1;
            settings.special_codes[SpecialCodeIndex::VTIME] = 0;
            // A terminal that is gone has no owner.
            tcsetattr(io::stdin(), OptionalActions::Now, &settings).ok();
        }
    }

    /// Puts the settings back; the second time does nothing. Whether there was something
    /// to do.
    pub fn restore(&self) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // In the background, they were put back when the program was stopped.
        if let Some(found) = found.as_ref().filter(|_| is_ours()) {
            tcsetattr(io::stdin(), OptionalActions::Now, found).ok();
        }
        found.is_some()
    }

    /// Stops the job until a signal continues it, with the settings that we found, and
    /// comes back when it is in the foreground.
    pub fn suspend(&self) {
        self.set_found();
        // The job is led by us, or by a script that waits for us.
        if getpgrp() != getpid() {
            kill_process(getpgrp(), Number::TSTP).ok();
        }
        interrupt::stop();
        self.await_foreground();
    }

    /// Waits until the job is in the foreground.
    pub fn await_foreground(&self) {
        // A terminal that is gone has no owner.
        while tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground != getpgrp()) {
            thread::sleep(LOOK);
        }
    }

    fn set_found(&self) {
        if let Some(found) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            tcsetattr(io::stdin(), OptionalActions::Now, found).ok();
        }
    }
}

impl Keyboard {
    /// Waits for keys, if they are wanted, for the waker, or for so much time.
    pub fn next(&mut self, wanted: bool, limit: Option<Duration>) -> io::Result<Event> {
        let stdin = io::stdin();
        let flags = if wanted { PollFlags::IN } else { PollFlags::empty() };
        let mut waiting = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(&stdin, flags)];
        let waiting = if wanted { &mut waiting[..] } else { &mut waiting[..1] };
        match poll(waiting, limit.map(timespec).as_ref()) {
            Ok(0) => return Ok(Event::TimePassed),
            Ok(_) => (),
            Err(Errno::INTR) => return Ok(Event::Woken),
            Err(err) => return Err(err.into()),
        }
        if !waiting[0].revents().is_empty() {
            // A waker writes again from now on.
            self.0.read_exact(&mut [0])?;
            self.1.store(false, Ordering::SeqCst);
            return Ok(Event::Woken);
        }
        let mut bytes = Vec::new();
        loop {
            let mut piece = [0; 4096];
            match read(&stdin, &mut piece) {
                Ok(0) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => break,
                Ok(n) => bytes.extend_from_slice(&piece[..n]),
                Err(Errno::INTR | Errno::AGAIN) => (),
                Err(_) if !bytes.is_empty() => break,
                Err(err) => return Err(err.into()),
            }
            if bytes.len() >= MOST {
                return Ok(Event::Bytes(bytes, is_ready(&stdin, Duration::ZERO)));
            }
            let ends_line = bytes.len() > 1 && matches!(bytes.last(), Some(b'\r' | b'\n'));
            if !is_ready(&stdin, if ends_line { FOLLOWS } else { Duration::ZERO }) {
                break;
            }
        }
        match bytes.is_empty() {
            true => Ok(Event::Woken),
            false => Ok(Event::Bytes(bytes, false)),
        }
    }
}

impl Waker {
    pub fn wake(&self) {
        if !self.1.swap(true, Ordering::SeqCst) {
            (&self.0).write_all(&[0]).ok(); // Nobody may wait any more.
        }
    }
}

/// Whether something can be read within a time.
fn is_ready(stdin: &io::Stdin, limit: Duration) -> bool {
    let mut waiting = [PollFd::new(stdin, PollFlags::IN)];
    poll(&mut waiting, Some(&timespec(limit))).is_ok_and(|ready| ready > 0)
}

fn timespec(duration: Duration) -> Timespec {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: duration.subsec_nanos().into() }
}

/// The news that signals have about a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The window has another size.
    Resized,
    /// The job is to stop.
    Stop,
    /// The job goes on.
    Continued,
}

/// Tells what signals say, on a thread of its own.
pub fn watch(tell: impl Fn(News) + Send + 'static) -> io::Result<()> {
    let mut watched = vec![Signal::Winch, Signal::Cont];
    if interrupt::can_stop() {
        watched.push(Signal::Tstp);
    }
    let mut signals = Signals::new(watched)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        smol::block_on(async {
            while let Some(Ok(signal)) = signals.next().await {
                tell(match signal {
                    Signal::Winch => News::Resized,
                    Signal::Cont => News::Continued,
                    _ => News::Stop,
                });
            }
        });
    })?;
    Ok(())
}

/// Whether the terminal wraps its rows anew when its window becomes narrower, as far as
/// that can be known. A variable alone does not say so: a program that is started in
/// another terminal has it, too.
pub fn reflows() -> bool {
    let value = |name: &str| std::env::var(name).unwrap_or_default();
    let is_set = |name: &str| !value(name).is_empty();
    let term = value("TERM");
    let is_term = |names: &[&str]| names.iter().any(|name| term.starts_with(name));
    if is_set("STY") || is_set("XTERM_VERSION") {
        return false;
    }
    if is_term(&["tmux", "screen"]) {
        return is_set("TMUX");
    }
    let named = is_term(&["foot", "alacritty", "xterm-kitty", "xterm-ghostty"]);
    let variables = ["VTE_VERSION", "KONSOLE_VERSION", "WEZTERM_PANE", "ITERM_SESSION_ID"];
    named || is_term(&["xterm"]) && variables.into_iter().any(is_set)
}
