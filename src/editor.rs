//! The line at the bottom of the terminal: what others say appears above it, and
//! what is being typed is never disturbed.
//!
//! It is one `readline()` of rustyline that does not end: Enter hands the line
//! over and empties the editor, and what is to be shown goes through rustyline's
//! external printer. A question has a `readline()` of its own, with an answer.
//!
//! rustyline reads and paints in a thread of its own. Whoever calls
//! [`print`](Editor::print) may have to wait for it.

mod terminal;
mod words;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::panic;
use std::process;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use rustyline::completion::Completer;
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{
    Changeset, Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Event,
    EventContext, EventHandler, ExternalPrinter, Helper, KeyCode, KeyEvent, Modifiers, Movement,
    RepeatCount,
};
use unicode_width::UnicodeWidthChar;

use crate::interrupt::Trigger;
use crate::stdio::Stdout;
use crate::wire::sanitize;
use terminal::Terminal;
pub use terminal::{is_capable, is_ours};
pub use words::{Argument, Command};
use words::{Hint, History, Words};

/// A key that begins with ESC sends the rest within this, in milliseconds. While
/// that is awaited, nothing is shown.
const KEY_SEQUENCE: u16 = 50;
/// How long a line that may change the prompt is waited for the next one.
const NEW_PROMPT: Duration = Duration::from_secs(1);
/// A key of a paste comes sooner behind the one before than this.
const PASTED_KEY: Duration = Duration::from_millis(5);
/// How many pasted lines are known when they are called back.
const MAX_PASTED: usize = 500;
/// How long something may take to appear on the screen where that is in doubt.
const APPEARS: Duration = Duration::from_secs(1);
/// How long the last lines may take to be shown, if there is no reason to wait longer...
pub const LAST_LINES: Duration = Duration::from_millis(400);
/// ...and the very last at least, however long those before took.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What an editor is for.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// What can be completed when a line begins with a slash.
    pub commands: Vec<Command>,
    /// A line may begin with a nick to address somebody.
    pub addresses: bool,
    /// What is no text may be shown in grey.
    pub colour: bool,
    /// Whether a line may be followed by another prompt.
    pub changes_prompt: fn(&str) -> bool,
    /// What Ctrl-C pulls where there is nothing to clear.
    pub interrupt: Trigger,
    /// What is said when bytes that are no text were typed or pasted.
    pub garbled: &'static str,
}

/// Something that the user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Entered a line, or answered a question. What was pasted may have line
    /// feeds in it, and any other character.
    Line {
        /// What was entered.
        text: String,
        /// It begins with pasted text, in which nothing is a command.
        pasted: bool,
    },
    /// Pressed Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// What stands before the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Without escape sequences.
    pub raw: String,
    /// With colours; of the same width.
    pub styled: String,
    /// What is in the line at the beginning.
    pub draft: String,
    /// One line is wanted, of which nothing is to be remembered or completed.
    pub question: bool,
}

/// The editor of this process' terminal. Clones are the same one.
#[derive(Clone)]
pub struct Editor {
    desk: Arc<Desk>,
    printer: Arc<Mutex<dyn ExternalPrinter + Send>>,
}

/// What the threads share.
struct Desk {
    state: Mutex<State>,
    /// Something in the state has changed.
    changed: Condvar,
    typed: Sender<Typed>,
    terminal: Terminal,
    purpose: Purpose,
}

struct State {
    words: Words,
    history: History,
    /// The next TAB goes back.
    back: bool,
    /// What is to be the whole line.
    replacement: Option<String>,
    /// What is in the editor.
    line: String,
    /// It begins with pasted text.
    pasted: bool,
    /// The next change comes from TAB, an arrow or what was cut out, and is no paste.
    own_change: bool,
    /// The lines that can be called back and were pasted.
    pasted_lines: VecDeque<String>,
    /// When Enter was pressed last.
    entered: Option<Instant>,
    /// What rustyline reads behind, and what it shall read behind next.
    prompt: Prompt,
    next_prompt: Option<Prompt>,
    phase: Phase,
    /// What was given to rustyline and is not yet on the screen.
    in_flight: Option<String>,
    /// Perhaps that is there already: a `readline()` ended with an error.
    doubt: bool,
    /// The next painting is because of a key.
    keyed: bool,
    /// Somebody is about to give the terminal back...
    finishing: bool,
    /// ...and after what it was given, rustyline is to paint nothing more.
    last: bool,
    /// How wide the terminal was when that was last looked at.
    columns: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is read: what is to be shown is simply written.
    Idle,
    /// It is being written.
    Writing,
    /// rustyline is about to read.
    Beginning,
    /// rustyline reads, and shows what it is given.
    Reading,
    /// It is about to end.
    Ending,
    /// rustyline paints nothing more, and the terminal is being given back.
    Closing,
    /// The terminal is as it was found.
    Closed,
}

impl Editor {
    /// Takes the terminal over, if it [is capable](is_capable). Nothing is read
    /// before there is a [prompt](Editor::set_prompt).
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn start(purpose: Purpose) -> io::Result<(Editor, Receiver<Typed>)> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            // The highlighter is how we know what is on the screen.
            .color_mode(ColorMode::Forced)
            .keyseq_timeout(Some(KEY_SEQUENCE))
            // When it rings is for the chat to say.
            .bell_style(BellStyle::None)
            .build();
        let mut reader =
            rustyline::Editor::with_history(config, MemHistory::new()).map_err(io::Error::other)?;
        let printer = reader.create_external_printer().map_err(io::Error::other)?;
        let (typed, events) = async_channel::unbounded();
        let state = State {
            words: Words::new(purpose.commands.clone(), purpose.addresses),
            history: History::default(),
            back: false,
            replacement: None,
            line: String::new(),
            pasted: false,
            own_change: false,
            pasted_lines: VecDeque::new(),
            entered: None,
            prompt: Prompt::default(),
            next_prompt: None,
            phase: Phase::Idle,
            in_flight: None,
            doubt: false,
            keyed: false,
            finishing: false,
            last: false,
            columns: Terminal::columns(),
        };
        let desk = Arc::new(Desk {
            state: Mutex::new(state),
            changed: Condvar::new(),
            typed,
            terminal: Terminal::quiet()?,
            purpose,
        });
        bind_keys(&mut reader, &desk);
        reader.set_helper(Some(Guide(desk.clone())));
        let editor = Editor { desk: desk.clone(), printer: Arc::new(Mutex::new(printer)) };
        thread::Builder::new().name("editor".into()).spawn(move || read(reader, &desk))?;
        Ok((editor, events))
    }

    /// Reads behind this from now on, or at the latest from the next line on. A
    /// question, or what follows one, begins at once.
    pub fn set_prompt(&self, prompt: Prompt) {
        let mut state = self.desk.lock();
        let news = state.prompt != prompt || state.phase != Phase::Reading;
        state.next_prompt = news.then_some(prompt);
        self.desk.changed.notify_all();
    }

    /// The nicks to complete, whoever spoke last first.
    pub fn set_nicks(&self, nicks: Vec<String>) {
        self.desk.lock().words.nicks = nicks;
    }

    /// Shows some lines, the last one ended, above the line that is being typed.
    /// Returns when they are on their way; what was shown before is on the screen.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn print(&self, lines: &str) -> io::Result<()> {
        let mut state = self.desk.lock();
        loop {
            state = match (state.phase, &state.in_flight) {
                (Phase::Reading, None) if !state.finishing => break,
                (Phase::Idle, None) => return self.desk.write(state, lines),
                (Phase::Closed, _) => {
                    drop(state);
                    return write_out(lines);
                }
                (Phase::Writing | Phase::Beginning | Phase::Ending | Phase::Closing, _)
                | (Phase::Reading, None) => self.desk.wait(state),
                (Phase::Idle | Phase::Reading, Some(_)) => {
                    let (mut state, timeout) = self.desk.wait_for(state, APPEARS);
                    match (timeout, state.phase) {
                        // Nobody reads, and perhaps nobody will again.
                        (true, Phase::Idle) => return self.desk.write(state, lines),
                        (true, Phase::Reading) if state.doubt => state.in_flight = None,
                        _ => (),
                    }
                    state
                }
            };
        }
        self.hand_over(lines)?;
        state.in_flight = Some(lines.to_string());
        Ok(())
    }

    /// Gives some lines to rustyline, which reads. This does not block: what it was given
    /// before has been taken.
    fn hand_over(&self, lines: &str) -> io::Result<()> {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        printer.print(lines.to_string()).map_err(io::Error::other)
    }

    /// Gives the terminal back as it was found, after what was printed is shown, and ends
    /// with these lines. From now on, [`print`](Editor::print) just writes.
    ///
    /// A terminal that takes no output is waited for until the deadline, or a moment
    /// longer.
    pub fn finish(&self, last_lines: &str, deadline: Instant) {
        let mut state = self.desk.lock();
        if mem::replace(&mut state.finishing, true) {
            drop(self.desk.wait_until(deadline, state, |state| state.phase == Phase::Closed));
            if !last_lines.is_empty() {
                write_out(last_lines).ok(); // The terminal may be gone.
            }
            return;
        }
        state = self.desk.wait_until(deadline, state, |state| match state.phase {
            Phase::Reading => state.in_flight.is_none(),
            phase => phase == Phase::Idle,
        });
        let line = mem::take(&mut state.line);
        if state.phase == Phase::Reading && state.in_flight.is_none() {
            // It is painted by another thread. What that shows next, in the place of the
            // prompt, is the last, and behind it that thread stops.
            let prompt = if line.is_empty() { "" } else { self.desk.styled(&state.prompt) };
            state.last = self.hand_over(&format!("{prompt}{}\n", harmless(&line))).is_ok();
            state.in_flight = Some(String::new()); // Nobody else gives it anything now.
            let settled = |state: &State| matches!(state.phase, Phase::Closing | Phase::Idle);
            state = self.desk.wait_until(deadline, state, settled);
        }
        let end = match (state.phase, line.is_empty()) {
            (Phase::Idle, _) => "",
            // An empty prompt is no loss, and the last line takes the place of it.
            (Phase::Closing, true) => "\r\x1b[A\x1b[?2004l\x1b[?2026l",
            (Phase::Closing, false) => "\x1b[?2004l\x1b[?2026l",
            (_, true) => "\r\x1b[J\x1b[?2004l\x1b[?2026l",
            (_, false) => "\x1b[?2004l\x1b[?2026l\r\n",
        };
        state.phase = Phase::Closing;
        let late = state.in_flight.take().unwrap_or_default();
        drop(state);
        self.desk.terminal.restore();
        let (written, over) = mpsc::channel();
        let last = format!("{end}{late}{last_lines}");
        thread::spawn(move || written.send(write_out(&last)));
        // The terminal may be gone.
        let left = deadline.saturating_duration_since(Instant::now());
        over.recv_timeout(left.max(LAST_WORD)).ok();
        self.desk.lock().phase = Phase::Closed;
        self.desk.changed.notify_all();
    }

    /// From now on, a panic in any thread restores the terminal and ends the
    /// program with status 101.
    pub fn restore_on_panic(&self) {
        let (desk, report) = (self.desk.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            // The state is left alone: whoever panics may hold it.
            if desk.terminal.restore() {
                write_out("\x1b[?2004l\r\n").ok();
            }
            report(info);
            process::exit(101);
        }));
    }
}

impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").finish_non_exhaustive()
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, but not for longer than this; whether it took that long.
    fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        let waited = self.changed.wait_timeout(state, limit);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, timeout.timed_out())
    }

    /// Waits until it is so, or until a deadline.
    fn wait_until<'a>(
        &self,
        deadline: Instant,
        mut state: MutexGuard<'a, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        while !is_so(&state)
            && let Some(left) = deadline.checked_duration_since(Instant::now())
        {
            (state, _) = self.wait_for(state, left);
        }
        state
    }

    /// A prompt as it is shown.
    fn styled<'a>(&self, prompt: &'a Prompt) -> &'a str {
        if self.purpose.colour { &prompt.styled } else { &prompt.raw }
    }

    /// Writes while nothing is read. A terminal may block that for ever, so the state
    /// is free meanwhile.
    fn write(&self, mut state: MutexGuard<'_, State>, lines: &str) -> io::Result<()> {
        state.phase = Phase::Writing;
        drop(state);
        let written = write_out(lines);
        let mut state = self.lock();
        if state.phase == Phase::Writing {
            state.phase = Phase::Idle;
        }
        self.changed.notify_all();
        written
    }

    /// Waits until nothing is being written. Whether there is still something to read.
    fn begin(&self) -> bool {
        let mut state = self.lock();
        while matches!(state.phase, Phase::Writing | Phase::Closing) {
            state = self.wait(state);
        }
        if state.phase != Phase::Closed {
            state.phase = Phase::Beginning;
        }
        state.phase != Phase::Closed
    }

    fn tell(&self, typed: Typed) {
        self.typed.try_send(typed).ok(); // Nobody may be listening any more.
    }

    /// Waits for something to read behind. After a line that was no answer it may
    /// be what it was.
    fn next_prompt(&self, mut again: Option<Prompt>) -> Prompt {
        let mut state = self.lock();
        let deadline = Instant::now() + NEW_PROMPT;
        loop {
            if let Some(prompt) = state.next_prompt.take() {
                state.prompt = prompt.clone();
                return prompt;
            }
            state = match &again {
                None => self.wait(state),
                Some(_) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return again.take().expect("it was just there");
                    }
                    self.wait_for(state, left).0
                }
            };
        }
    }

    /// Enter was pressed.
    fn enter(&self, line: &str) -> Cmd {
        let mut state = self.lock();
        state.entered = Some(Instant::now());
        if state.prompt.question {
            state.phase = Phase::Ending;
            return Cmd::AcceptLine;
        }
        let clear = Cmd::Replace(Movement::WholeBuffer, Some(String::new()));
        if line.trim().is_empty() {
            return clear;
        }
        state.history.push(line);
        let pasted = state.pasted;
        state.pasted_lines.retain(|known| known != line);
        if pasted {
            state.pasted_lines.push_back(line.into());
            if state.pasted_lines.len() > MAX_PASTED {
                state.pasted_lines.pop_front();
            }
        }
        // It was asked for meanwhile, and this is the answer.
        if state.next_prompt.as_ref().is_some_and(|next| next.question) {
            state.next_prompt = None;
            state.phase = Phase::Ending;
            return Cmd::AcceptLine;
        }
        if !pasted && (self.purpose.changes_prompt)(line) || state.next_prompt.is_some() {
            state.phase = Phase::Ending;
            return Cmd::AcceptLine;
        }
        self.tell(Typed::Line { text: line.into(), pasted });
        clear
    }

    /// Whether this line came so soon behind the last Enter that nobody typed it.
    fn is_in_burst(&self, line: &str) -> bool {
        let keys = u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
        let quickest = PASTED_KEY.saturating_mul(keys.saturating_add(2));
        self.purpose.addresses
            && self.lock().entered.is_some_and(|entered| entered.elapsed() < quickest)
    }

    /// An arrow was pressed.
    fn recall(&self, older: bool, line: &str, pos: usize) -> Cmd {
        // Within what was pasted, arrows go from line to line.
        if older && line[..pos].contains('\n') {
            return Cmd::Move(Movement::LineUp(1));
        }
        if !older && line[pos..].contains('\n') {
            return Cmd::Move(Movement::LineDown(1));
        }
        let mut state = self.lock();
        if state.prompt.question {
            return Cmd::Noop;
        }
        match if older { state.history.older(line) } else { state.history.newer() } {
            Some(line) => {
                state.own_change = true;
                state.pasted = state.pasted_lines.contains(&line);
                state.replacement = Some(line);
                // The one command by which a line can be replaced as a whole.
                Cmd::Complete
            }
            None => Cmd::Noop,
        }
    }

    /// Ctrl-C was pressed.
    fn interrupt(&self, line: &str) -> Cmd {
        if line.is_empty() {
            self.purpose.interrupt.pull();
            return Cmd::Noop;
        }
        self.lock().history.leave();
        Cmd::Replace(Movement::WholeBuffer, Some(String::new()))
    }
}

/// Writes to standard output now, past any editor.
///
/// # Errors
/// If nobody reads it, or it cannot be written.
pub fn write_out(text: &str) -> io::Result<()> {
    Stdout.write_all(text.as_bytes())
}

type Reader = rustyline::Editor<Guide, MemHistory>;

/// Reads line after line until the terminal is gone.
fn read(mut reader: Reader, desk: &Desk) {
    let mut prompt = desk.next_prompt(None);
    while desk.begin() {
        let shown = (prompt.raw.as_str(), desk.styled(&prompt));
        let read = reader.readline_with_initial(&shown, (&prompt.draft, ""));
        let mut state = desk.lock();
        if matches!(state.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        state.phase = Phase::Idle;
        // While it ended, something may have been written past it.
        state.doubt = read.is_err() && state.in_flight.is_some();
        let line = mem::take(&mut state.line);
        let pasted = mem::take(&mut state.pasted) && !prompt.question;
        desk.changed.notify_all();
        drop(state);
        prompt = match read {
            Ok(line) => {
                desk.tell(Typed::Line { text: line, pasted });
                prompt.draft.clear();
                let again = (!prompt.question).then_some(prompt);
                desk.next_prompt(again)
            }
            // What else came with it may be half of a paste, and is no command.
            Err(ReadlineError::Io(err)) if err.kind() == io::ErrorKind::InvalidData => {
                desk.terminal.discard_input();
                write_out(&format!("\r\n{}\n", desk.purpose.garbled)).ok();
                Prompt { draft: line, ..prompt }
            }
            // A signal, not a key.
            Err(ReadlineError::Interrupted) => return desk.purpose.interrupt.pull(),
            Err(_) => return desk.tell(Typed::End),
        };
    }
}

/// A key, and what it does.
struct Key<F>(F);

impl<F: Fn(&EventContext) -> Option<Cmd> + Send + Sync> ConditionalEventHandler for Key<F> {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        self.0(context)
    }
}

fn bind_keys(reader: &mut Reader, desk: &Arc<Desk>) {
    let plain = |code| KeyEvent(code, Modifiers::NONE);
    let mut bind = |keys: &[KeyEvent], work: fn(&Desk, &EventContext) -> Option<Cmd>| {
        for &key in keys {
            let desk = desk.clone();
            let handler = Key(move |context: &EventContext| work(&desk, context));
            reader.bind_sequence(key, EventHandler::Conditional(Box::new(handler)));
        }
    };
    bind(&[plain(KeyCode::Enter), KeyEvent::ctrl('J'), KeyEvent::ctrl('M')], |desk, context| {
        Some(desk.enter(context.line()))
    });
    bind(&[plain(KeyCode::Up), KeyEvent::ctrl('P')], |desk, context| {
        Some(desk.recall(true, context.line(), context.pos()))
    });
    bind(&[plain(KeyCode::Down), KeyEvent::ctrl('N')], |desk, context| {
        Some(desk.recall(false, context.line(), context.pos()))
    });
    // Where a paste has no brackets, a tab in it is a tab.
    bind(&[plain(KeyCode::Tab), KeyEvent::ctrl('I')], |desk, context| {
        desk.is_in_burst(context.line()).then(|| Cmd::Insert(1, "\t".into()))
    });
    // What was cut out is put back, and was not pasted.
    bind(&[KeyEvent::ctrl('Y'), KeyEvent::alt('y')], |desk, _| {
        desk.lock().own_change = true;
        None
    });
    bind(&[plain(KeyCode::BackTab)], |desk, _| {
        desk.lock().back = true;
        Some(Cmd::Complete)
    });
    let leave = [KeyEvent::ctrl('C'), KeyEvent::ctrl('\\')];
    bind(&leave, |desk, context| Some(desk.interrupt(context.line())));
    bind(&[KeyEvent::ctrl('D')], |desk, context| match context.line() {
        "" => {
            desk.tell(Typed::End);
            Some(Cmd::Noop)
        }
        _ => Some(Cmd::Kill(Movement::ForwardChar(1))),
    });
    #[cfg(unix)]
    bind(&[KeyEvent::ctrl('Z')], |desk, context| {
        desk.suspend(context.line());
        Some(Cmd::Repaint)
    });
    // These wait for a second key, and until it comes nothing would be shown.
    bind(&[KeyEvent::ctrl('R'), KeyEvent::ctrl('S'), KeyEvent::ctrl('X')], |_, _| Some(Cmd::Noop));
    bind(&[KeyEvent::ctrl('Q'), KeyEvent::ctrl(']')], |_, _| Some(Cmd::Noop));
    #[cfg(unix)] // Elsewhere it inserts what was copied.
    bind(&[KeyEvent::ctrl('V')], |_, _| Some(Cmd::Noop));
}

#[cfg(unix)]
impl Desk {
    /// Stops until the shell continues us, and leaves room for what is repainted:
    /// the rows that the line takes are cleared upwards.
    fn suspend(&self, line: &str) {
        write_out("\x1b[?2004l\r\n").ok(); // A terminal that is gone is nobody's.
        self.terminal.suspend();
        let rows = rows(&self.lock().prompt.raw, line, Terminal::columns());
        write_out(&format!("\x1b[?2004h{}", "\r\n".repeat(rows))).ok();
    }
}

impl State {
    /// The line has become this. A paste comes as one change of many characters.
    fn follow_change(&mut self, line: &str) {
        let own = mem::take(&mut self.own_change);
        if line.is_empty() {
            self.pasted = false;
        } else if !own && line.chars().next() != self.line.chars().next() || self.line.is_empty() {
            let same = line.bytes().rev().zip(self.line.bytes().rev());
            let behind = same.take_while(|(new, old)| new == old).count();
            let before = &line[..line.floor_char_boundary(line.len() - behind)];
            if !own && !before.is_empty() {
                self.pasted = before.chars().nth(1).is_some();
            }
        }
        line.clone_into(&mut self.line);
    }

    /// rustyline is about to clear the rows from the cursor, behind `before`, up to
    /// where the prompt was when it was painted. In a terminal that has wrapped them
    /// anew since, the prompt is elsewhere. They are cleared here, and the cursor
    /// is put as far below it as rustyline believes.
    fn follow_resize(&mut self, before: &str) {
        let columns = Terminal::columns();
        let then = rows(&self.prompt.raw, before, mem::replace(&mut self.columns, columns));
        let now = rows(&self.prompt.raw, before, columns);
        if then == now || !terminal::reflows() {
            return;
        }
        let up = if now > 0 { format!("\x1b[{now}A") } else { String::new() };
        write_out(&format!("{up}\r\x1b[J{}", "\n".repeat(then))).ok();
    }
}

/// How many rows below the prompt's first one a text behind it ends.
fn rows(prompt: &str, text: &str, columns: usize) -> usize {
    let (mut row, mut column) = (0, 0);
    for c in prompt.chars().chain(text.chars()) {
        let width = c.width().unwrap_or(1);
        if c == '\n' {
            (row, column) = (row + 1, 0);
        } else if column + width > columns {
            (row, column) = (row + 1, width);
        } else {
            column += width;
        }
    }
    // Behind the last column, the cursor is at the beginning of the next row.
    row + usize::from(column >= columns)
}

/// What a terminal would obey is shown as something that it prints: pasted text may hold
/// anything. The width stays the same.
fn harmless(line: &str) -> Cow<'_, str> {
    let harmless = |c: char| matches!(c, '\n' | '\t') || !sanitize::is_unsafe(c);
    if line.chars().all(harmless) {
        return line.into();
    }
    let shown = |c: char| match c.width() {
        _ if harmless(c) => Some(c),
        Some(0) => None,
        _ => Some(char::REPLACEMENT_CHARACTER),
    };
    line.chars().filter_map(shown).collect::<String>().into()
}

/// What rustyline asks while it edits.
struct Guide(Arc<Desk>);

impl Helper for Guide {}
impl Validator for Guide {}

impl Completer for Guide {
    type Candidate = String;

    /// Never more than one: with several, rustyline would wait for another key and
    /// show nothing meanwhile.
    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let mut state = self.0.lock();
        let back = mem::take(&mut state.back);
        state.own_change = true;
        if let Some(line) = &state.replacement {
            return Ok((0, vec![line.clone()]));
        }
        if state.prompt.question {
            return Ok((pos, Vec::new()));
        }
        let completion = state.words.complete(line, pos, back);
        let (start, candidates) =
            completion.map_or((pos, Vec::new()), |(start, text)| (start, vec![text]));
        Ok((start, candidates))
    }

    fn update(&self, line: &mut LineBuffer, start: usize, elected: &str, changes: &mut Changeset) {
        match self.0.lock().replacement.take() {
            Some(text) => line.update(&text, text.len(), changes),
            None => line.replace(start..line.pos(), elected, changes),
        }
    }
}

impl Hinter for Guide {
    type Hint = Hint;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Hint> {
        let mut state = self.0.lock();
        state.follow_change(line);
        // Without grey, a hint looks like something that was typed.
        let wanted = self.0.purpose.colour && !state.prompt.question && pos == line.len();
        if wanted { state.words.hint(line) } else { None }
    }
}

impl rustyline::hint::Hint for Hint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        (self.word > 0).then(|| &self.shown[..self.word])
    }
}

impl Highlighter for Guide {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        harmless(line)
    }

    /// Every painting ends up here, and is because of a key, which went through
    /// [`highlight_char`](Highlighter::highlight_char) before, or because
    /// something from outside was shown.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        let mut state = self.0.lock();
        if !mem::take(&mut state.keyed) {
            state.in_flight = None;
            state.doubt = false;
            if state.last && state.phase != Phase::Closed {
                state.phase = Phase::Closing;
                self.0.changed.notify_all();
            }
        }
        if state.phase == Phase::Beginning {
            state.phase = Phase::Reading;
        }
        if matches!(state.phase, Phase::Closing | Phase::Closed) {
            drop(state);
            // The terminal is not ours any more, and the program is about to end.
            loop {
                thread::park();
            }
        }
        self.0.changed.notify_all();
        prompt.into()
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        format!("\x1b[2m{hint}\x1b[0m").into()
    }

    fn highlight_char(&self, line: &str, pos: usize, _: CmdKind) -> bool {
        let mut state = self.0.lock();
        if Terminal::columns() != state.columns {
            state.follow_resize(&line[..pos]);
        }
        state.keyed = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_a_terminal_wraps_them() {
        for (text, columns, expected) in [
            ("", 10, 0),
            ("12345", 10, 0),
            ("123456", 10, 1),
            ("1234567", 10, 1),
            ("日本", 10, 0),
            ("1日本", 10, 0),
            ("12日本", 10, 1),
            ("a\nb", 10, 1),
            ("1234567890123456", 10, 2),
        ] {
            assert_eq!(rows("ana>", text, columns), expected, "{text:?}");
        }
    }
}
