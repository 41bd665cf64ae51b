//! A terminal to start the program in: a pseudo-terminal with an emulator as the
//! eye. Keys are typed, the screen is looked at, and a test that waits for something
//! on it is woken by what arrives there.

// There is no other way to start a program in a terminal.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem::rfind as memrmem;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio::stdin;
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::harness::{PATIENCE, Running, minichat};

/// How many rows the emulator remembers that have left the screen.
const SCROLLBACK: usize = 12_000;

/// How long a person takes from one key to the next, in a hurry.
const KEY: Duration = Duration::from_millis(15);

/// How long a painting that has begun is waited for before a look at the screen.
const PAINTING: Duration = Duration::from_secs(2);

/// This many bytes are shown of the output before a test gave up.
const LATELY: usize = 1000;
/// How long a program may take to end when its terminal is closed.
const CLOSING: Duration = Duration::from_secs(5);

/// A program on a terminal.
pub struct Tty {
    pub process: Running,
    /// The end of the terminal where its person sits.
    person: File,
    keys: Sender<Vec<u8>>,
    eye: Arc<Eye>,
}

/// The view of a person at the terminal.
struct Eye {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    terminal: vt100::Parser,
    raw: Vec<u8>,
    /// When it came, and how much there was of it then.
    moments: Vec<(Instant, usize)>,
    /// No program has the terminal any more.
    ended: bool,
}

impl Tty {
    /// Starts the binary.
    #[track_caller]
    pub fn start<A: AsRef<OsStr>>(
        cols: u16,
        rows: u16,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> Tty {
        Tty::launch(cols, rows, minichat().args(arguments).envs(environment.iter().copied()))
    }

    /// Starts a shell that knows how to start the binary with these arguments:
    /// by `"$@"`. Its prompt is `shell$`.
    #[track_caller]
    pub fn shell<A: AsRef<OsStr>>(cols: u16, rows: u16, arguments: &[A]) -> Tty {
        let binary = minichat();
        let mut shell = Command::new("sh");
        for (name, value) in binary.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.args(["-i", "-s", "--"]).arg(binary.get_program()).args(binary.get_args());
        shell.args(arguments).env("PS1", "shell$ ").env_remove("ENV");
        let tty = Tty::launch(cols, rows, &mut shell);
        tty.wait("the shell", |screen| last(screen) == "shell$");
        tty
    }

    /// Starts any program.
    #[track_caller]
    pub fn launch(cols: u16, rows: u16, command: &mut Command) -> Tty {
        Tty::launch_at((cols, rows), size(cols, rows), command)
    }

    /// The same, at a terminal that does not say its size, as a serial line.
    #[track_caller]
    pub fn unsized_terminal(cols: u16, rows: u16, command: &mut Command) -> Tty {
        Tty::launch_at((cols, rows), size(0, 0), command)
    }

    #[track_caller]
    fn launch_at((cols, rows): (u16, u16), told: Winsize, command: &mut Command) -> Tty {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there is a terminal");
        fcntl_setfd(&person, FdFlags::CLOEXEC).expect("a file can be kept from children");
        grantpt(&person).and_then(|()| unlockpt(&person)).expect("it is ours");
        let name = ptsname(&person, Vec::new()).expect("it has a name");
        let name = OsStr::from_bytes(name.as_bytes());
        let mut options = OpenOptions::new();
        let program = options.read(true).write(true).open(name).expect("it can be opened");
        let person = File::from(person);
        tcsetwinsize(&person, told).expect("it has a size");

        let end = || Stdio::from(program.try_clone().expect("a file can be shared"));
        command.stdin(end());
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        // SAFETY: between fork and exec it makes two system calls and nothing else.
        // There is no safe way to give a program a terminal that exists everywhere.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(ioctl_tiocsctty(stdin())?)
            });
        }
        let process = Running::start_into(command, end(), end());
        command.stdin(Stdio::null()); // It has our end of the terminal.
        drop(program);

        let eye = Arc::new(Eye {
            seen: Mutex::new(Seen {
                terminal: vt100::Parser::new(cells(rows), cells(cols), SCROLLBACK),
                raw: Vec::new(),
                moments: Vec::new(),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let (looks, screen) = (Arc::clone(&eye), person.try_clone().expect("a file can be shared"));
        thread::spawn(move || looks.look(screen));
        // A program that does not read must not keep the test from its deadline.
        let (keys, typed) = channel::<Vec<u8>>();
        let mut keyboard = person.try_clone().expect("a file can be shared");
        thread::spawn(move || {
            typed.into_iter().try_for_each(|bytes| keyboard.write_all(&bytes)).ok()
        });
        Tty { process, person, keys, eye }
    }

    /// Is given these bytes at once, as from a paste or a very fast typist.
    pub fn send(&self, text: impl AsRef<[u8]>) {
        self.keys.send(text.as_ref().to_vec()).ok(); // The program may be gone.
    }

    /// Is given these keys, one after the other.
    pub fn types(&self, text: &str) {
        for key in text.chars() {
            self.send(key.to_string());
            thread::sleep(KEY);
        }
    }

    /// Is given a line and the Enter key.
    pub fn enters(&self, line: impl Display) {
        self.send(format!("{line}\r"));
    }

    /// The text on the screen now. Rows that were wrapped are one line.
    pub fn screen(&self) -> String {
        self.painted().terminal.screen().contents()
    }

    /// All lines that were ever shown and not taken back, the screen included.
    pub fn lines(&self) -> Vec<String> {
        let mut seen = self.painted();
        let screen = seen.terminal.screen_mut();
        let (rows, cols) = screen.size();
        let (gone, rows) = (screen.scrollback_len(), usize::from(rows.get()));
        let (mut lines, mut line, mut next) = (Vec::new(), String::new(), 0);
        while next < gone + rows {
            let top = next.min(gone);
            screen.set_scrollback(gone - top);
            for (n, row) in screen.rows(0, cols.get()).enumerate().skip(next - top) {
                line += &row;
                if !screen.row_wrapped(u16::try_from(n).expect("a screen is small")) {
                    lines.push(std::mem::take(&mut line).trim_end().to_string());
                }
            }
            next = top + rows;
        }
        screen.set_scrollback(0);
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// All rows that were ever shown and not taken back, the screen included, each as the
    /// terminal shows it.
    pub fn rows(&self) -> Vec<String> {
        let mut seen = self.painted();
        let screen = seen.terminal.screen_mut();
        let (height, cols) = screen.size();
        let (gone, height) = (screen.scrollback_len(), usize::from(height.get()));
        let (mut rows, mut next) = (Vec::new(), 0);
        while next < gone + height {
            let top = next.min(gone);
            screen.set_scrollback(gone - top);
            let shown = screen.rows(0, cols.get()).skip(next - top);
            rows.extend(shown.map(|row| row.trim_end().to_string()));
            next = top + height;
        }
        screen.set_scrollback(0);
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// A picture of the screen as PGM: `scale` by twice as many pixels a cell, on paper of
    /// this grey. Blocks have their shape, and other characters are a bar.
    #[cfg(target_os = "linux")]
    pub fn picture(&self, scale: usize, paper: u8) -> Vec<u8> {
        let seen = self.seen();
        let screen = seen.terminal.screen();
        let (rows, cols) = screen.size();
        let grey = |color, default| match color {
            vt100::Color::Default => default,
            vt100::Color::Idx(16) => 0,
            vt100::Color::Idx(231) => 255,
            _ => 128,
        };
        let (width, height) =
            (usize::from(cols.get()) * scale, usize::from(rows.get()) * 2 * scale);
        let mut pixels = vec![paper; width * height];
        for row in 0..rows.get() {
            for col in 0..cols.get() {
                let Some(cell) = screen.cell(row, col) else { continue };
                let ink = grey(cell.fgcolor(), if paper < 128 { 255 } else { 0 });
                let ground = grey(cell.bgcolor(), paper);
                for y in 0..2 * scale {
                    let is_ink = match cell.contents() {
                        "" | " " => false,
                        "█" => true,
                        "▀" => y < scale,
                        "▄" => y >= scale,
                        _ => y == scale,
                    };
                    let at = (usize::from(row) * 2 * scale + y) * width + usize::from(col) * scale;
                    pixels[at..at + scale].fill(if is_ink { ink } else { ground });
                }
            }
        }
        let mut picture = format!("P5 {width} {height} 255\n").into_bytes();
        picture.extend(pixels);
        picture
    }

    /// The column that the next character goes to.
    pub fn column(&self) -> u16 {
        self.painted().terminal.screen().cursor_position().1
    }

    /// Everything that the program has sent to the terminal, which must be text.
    #[track_caller]
    pub fn raw(&self) -> String {
        let raw = self.seen().raw.clone();
        let whole = match std::str::from_utf8(&raw) {
            // The rest of the last character is on its way.
            Err(err) if err.error_len().is_none() => err.valid_up_to(),
            _ => raw.len(),
        };
        String::from_utf8(raw[..whole].to_vec()).expect("a terminal is sent UTF-8")
    }

    /// Everything that the program has sent to the terminal, piece by piece, and when.
    #[cfg(target_os = "linux")] // As the picture is made there.
    pub fn recording(&self) -> Vec<(Instant, Vec<u8>)> {
        let seen = self.seen();
        let starts = [0].into_iter().chain(seen.moments.iter().map(|&(_, end)| end));
        let pieces = starts.zip(&seen.moments);
        pieces.map(|(start, &(when, end))| (when, seen.raw[start..end].to_vec())).collect()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub fn wait(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        self.wait_within(PATIENCE, what, is_there);
    }

    /// Waits for something on the screen, but no longer than this.
    #[track_caller]
    pub fn wait_within(&self, limit: Duration, what: &str, is_there: impl Fn(&str) -> bool) {
        self.until_within(limit, what, |seen| is_there(&seen.terminal.screen().contents()));
    }

    /// Waits until what was sent to the terminal is as it should be.
    #[track_caller]
    pub fn wait_raw(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        self.until(what, |seen| is_there(&String::from_utf8_lossy(&seen.raw)));
    }

    /// Waits for the end of the program; its exit status.
    #[track_caller]
    pub fn wait_exit(&mut self) -> Option<i32> {
        self.until("the end", |seen| seen.ended);
        self.process.wait().code()
    }

    /// Is made larger or smaller, and the program is told.
    ///
    /// This terminal has no rows that are not wrapped (`?7l`). Therefore a painting that has
    /// begun is waited for, which is meant for the old size.
    #[track_caller]
    pub fn resize(&self, cols: u16, rows: u16) {
        self.until("the end of the painting", |seen| !seen.is_painting());
        self.seen().terminal.set_size(cells(rows), cells(cols));
        tcsetwinsize(&self.person, size(cols, rows)).expect("it has a size");
    }

    /// Has this size from now on, as far as the program is told.
    pub fn set_size(&self, size: Winsize) {
        tcsetwinsize(&self.person, size).expect("it has a size");
    }

    /// How the terminal treats keys and output at this moment.
    pub fn settings(&self) -> String {
        format!("{:?}", tcgetattr(&self.person).expect("a terminal has settings"))
    }

    #[track_caller]
    fn until(&self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        self.until_within(PATIENCE, what, is_there);
    }

    #[track_caller]
    fn until_within(&self, limit: Duration, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let waits = |seen: &mut Seen| !is_there(seen) && !seen.ended;
        let (seen, _) = self
            .eye
            .changed
            .wait_timeout_while(self.seen(), limit, waits)
            .expect("whoever looks does not panic");
        if !is_there(&seen) {
            let (ended, screen) = (seen.ended, seen.terminal.screen().contents());
            let lately = &seen.raw[seen.raw.len().saturating_sub(LATELY)..];
            let lately = String::from_utf8_lossy(lately).into_owned();
            drop(seen);
            let why = if ended { "the program ended" } else { "it does not come" };
            panic!("waiting for {what}: {why}; the screen:\n{screen}\nlately came {lately:?}");
        }
    }

    /// The same, when a painting is whole that has begun. It comes in several pieces. A
    /// program that never ends one is not waited for.
    #[track_caller]
    fn painted(&self) -> MutexGuard<'_, Seen> {
        let paints = |seen: &mut Seen| seen.is_painting() && !seen.ended;
        let changed = &self.eye.changed;
        let waited = changed.wait_timeout_while(self.seen(), PAINTING, paints);
        waited.expect("whoever looks does not panic").0
    }

    #[track_caller]
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.eye.seen.lock().expect("whoever looks does not panic")
    }
}

/// A terminal that is closed tells its program. Without that, the nick of a client would be
/// kept for a minute, as after a crash.
impl Drop for Tty {
    fn drop(&mut self) {
        if thread::panicking() || self.seen().ended {
            return;
        }
        self.process.hang_up();
        let waits = |seen: &mut Seen| !seen.ended;
        _ = self.eye.changed.wait_timeout_while(self.seen(), CLOSING, waits);
    }
}

impl Seen {
    /// Whether a painting has begun whose end is still to come.
    fn is_painting(&self) -> bool {
        let last = |mark: &str| memrmem(&self.raw, mark.as_bytes());
        [("\x1b[?7l", "\x1b[?7h"), ("\x1b[?2026h", "\x1b[?2026l")]
            .iter()
            .any(|(begin, end)| last(begin) > last(end))
    }
}

impl Eye {
    /// Sees everything, until no program has the terminal any more.
    fn look(&self, mut screen: File) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            // On Linux the end is an error.
            let count = match screen.read(&mut buffer) {
                Ok(count) => count,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            let mut seen = self.seen.lock().expect("whoever waits does not panic with it");
            seen.terminal.process(&buffer[..count]);
            seen.raw.extend_from_slice(&buffer[..count]);
            let length = seen.raw.len();
            seen.moments.push((Instant::now(), length));
            seen.ended = count == 0;
            self.changed.notify_all();
            if seen.ended {
                return;
            }
        }
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has cells")
}

fn size(cols: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }
}

/// The last line that is not empty.
pub fn last(screen: &str) -> &str {
    screen.trim_end().lines().next_back().unwrap_or_default().trim_end()
}

/// The text behind the last prompt, in one or several rows. There is a prompt
/// where a line begins with it.
pub fn draft(screen: &str, prompt: &str) -> Option<String> {
    let mut starts = screen.rmatch_indices(prompt).map(|(start, _)| start);
    let start = starts.find(|&start| start == 0 || screen[..start].ends_with('\n'))?;
    let rest = screen[start + prompt.len()..].replace('\n', "");
    Some(rest.trim_end().strip_prefix(' ').unwrap_or_default().to_string())
}

/// How many lines of the screen begin with this prompt.
pub fn prompts(screen: &str, prompt: &str) -> usize {
    screen.lines().filter(|line| line.starts_with(prompt)).count()
}

#[test]
fn terminal_shows_input_output_and_the_end() {
    let mut tty = Tty::launch(30, 5, Command::new("sh").args(["-c", "read a; stty size; exit $a"]));
    tty.send("7");
    tty.wait("the echo", |screen| last(screen) == "7");
    tty.resize(40, 6);
    tty.send("\r");
    assert_eq!(tty.wait_exit(), Some(7));
    assert_eq!(tty.lines(), ["7", "6 40"]);
    assert_eq!(tty.raw(), "7\r\n6 40\r\n");
}

#[test]
fn terminal_remembers_lines_and_joins_wrapped_rows() {
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo $n-12345678; done";
    let mut tty = Tty::launch(7, 4, Command::new("sh").args(["-c", script]));
    assert_eq!(tty.wait_exit(), Some(0));
    let expected: Vec<String> = (1..10).map(|n| format!("{n}-12345678")).collect();
    assert_eq!(tty.lines(), expected);
}

#[test]
fn in_a_shell_on_a_terminal_jobs_stop_and_go_on() {
    let mut tty = Tty::shell(60, 14, &["--version"]);
    let settings = tty.settings();
    tty.enters("\"$@\"; cat");
    tty.wait("the version", |screen| screen.contains("minichat 0"));
    tty.enters("one");
    tty.wait("the echo of cat", |screen| screen.matches("one").count() == 2);
    tty.send("\x1a");
    tty.wait("the shell", |screen| last(screen) == "shell$");
    assert_eq!(tty.settings(), settings);
    tty.enters("fg");
    tty.enters("two");
    tty.wait("the echo of cat", |screen| screen.matches("two").count() == 2);
    tty.send("\x04");
    tty.wait("the shell", |screen| last(screen) == "shell$");
    tty.enters("exit 3");
    assert_eq!(tty.wait_exit(), Some(3));
}
