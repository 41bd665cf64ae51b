//! The line editor of this process: the pure core between a keyboard and a screen.
//!
//! One thread reads keys, another one paints, so that a terminal that takes no output
//! never delays an exit. They share one state. It is never locked while something
//! is read or written.

mod state;

use std::fmt;
use std::io;
use std::mem;
use std::panic;
use std::process;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};

use crate::interrupt::Trigger;
use crate::terminal::burst::Burst;
use crate::terminal::calls::{self, Calls};
use crate::terminal::completion::{Command, Words};
use crate::terminal::keys::{Decoder, Input};
use crate::terminal::layout::harmless;
use crate::terminal::line::{Deed, Line, Prompt};
use crate::terminal::painting::Painting;
use crate::terminal::system::{self, Keyboard, News, Tty, Waker};
use crate::terminal::{Event, write_out};
use crate::texts;

use state::{CHUNK, Phase, State};

/// How long the last lines may take to be shown, if there is no reason to wait longer.
pub const LAST_LINES: Duration = Duration::from_millis(400);
/// How long the very last line may take at least, however long those before took.
const LAST_WORD: Duration = Duration::from_millis(100);
/// How many bytes may wait to be shown before the caller has to wait.
const MAX_PENDING: usize = 64 << 10;
/// Bytes that follow others that are no text within this are left out with them.
const GARBLED: Duration = Duration::from_millis(50);
/// A job that goes on is continued by a signal, which is told within this.
const CONTINUED: Duration = Duration::from_millis(200);

/// As it was, for the next program.
const END: &str = "\x1b[<u\r\x1b[K\x1b[?1004l\x1b[?2004l\x1b[?7h";

/// The purpose of an editor.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// The commands that begin with a slash, to be completed.
    pub commands: Vec<Command>,
    /// A line may begin with a nick to address its owner.
    pub addresses: bool,
    /// Prompts and hints may be bold or grey.
    pub colour: bool,
    /// The terminal may notify of a call.
    pub notifies: bool,
    /// Ctrl-C pulls this where there is nothing to clear.
    pub interrupt: Trigger,
    /// The notice that bytes were typed or pasted that are no text.
    pub garbled: &'static str,
    /// The editor's own texts.
    pub texts: &'static texts::Terminal,
}

/// Something that the user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Entered a line, or answered a question.
    Line {
        /// The text. A pasted one may have line feeds and tabs, but no other controls.
        text: String,
        /// It begins with something that was pasted, so that it is no command.
        pasted: bool,
    },
    /// Pressed Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// The editor of this process' terminal. Clones are the same one.
#[derive(Clone)]
pub struct Editor(Arc<Shared>);

/// The state that the threads share.
struct Shared {
    state: Mutex<State>,
    /// Something in the state has changed.
    changed: Condvar,
    tty: Tty,
    waker: Waker,
    typed: Sender<Typed>,
    purpose: Purpose,
    reflows: bool,
}

impl Editor {
    /// Takes the terminal over, if it [is capable](crate::terminal::is_capable). Nothing
    /// is read before there is a [prompt](Editor::set_prompt).
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn start(purpose: Purpose) -> io::Result<(Editor, Receiver<Typed>)> {
        let (tty, keyboard, waker) = Tty::open()?;
        let (typed, events) = async_channel::unbounded();
        let words = Words::new(purpose.commands.clone(), purpose.addresses);
        let variable = |name: &str| std::env::var(name).ok();
        let way = purpose.notifies.then(|| calls::way(variable)).flatten();
        let state = State {
            line: Line::new(words, purpose.colour, purpose.texts),
            painting: Painting::default(),
            calls: Calls::new(way),
            pending: String::new(),
            aside: String::new(),
            phase: Phase::Open,
            raw: false,
            begun: false,
            writing: false,
            gathering: false,
            dirty: false,
            touched: false,
            broken: None,
            painted: Instant::now(),
            columns: system::size().columns,
            resized: None,
            news: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            tty,
            waker,
            typed,
            purpose,
            reflows: system::reflows(),
        });
        let started = start_threads(&shared, keyboard);
        if let Err(err) = started {
            shared.tty.restore();
            return Err(err);
        }
        Ok((Editor(shared), events))
    }

    /// Reads behind this from now on. What is being typed stays, or waits for the answer
    /// to a question.
    pub fn set_prompt(&self, prompt: Prompt) {
        self.0.change(|state| state.line.set_prompt(prompt));
        self.0.waker.wake();
    }

    /// The nicks to complete, the last speaker first.
    pub fn set_nicks(&self, nicks: Vec<String>) {
        self.0.lock().line.words.nicks = nicks;
    }

    /// Ctrl-Z stops the program no more, because others depend on it.
    pub fn stay(&self) {
        self.0.lock().line.stays = true;
    }

    /// Another member has named the user, or written to them alone.
    pub fn call(&self, from: &str, text: &str) {
        self.0.change(|state| state.aside += &state.calls.call(from, text));
    }

    /// Shows some lines, the last one ended, above the line that is being typed. Returns
    /// when they are on their way.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn print(&self, lines: &str) -> io::Result<()> {
        let shared = &self.0;
        let mut state = shared.lock();
        while state.pending.len() > MAX_PENDING && state.is_painted() {
            state = shared.wait(state);
        }
        if let Some(kind) = state.broken {
            return Err(kind.into());
        }
        if state.phase == Phase::Closing {
            state = shared.wait_while(state, |state| state.phase == Phase::Closing);
        }
        if state.phase == Phase::Closed {
            drop(state);
            return write_out(lines);
        }
        state.pending += lines;
        if !state.gathering || state.pending.len() >= CHUNK {
            shared.changed.notify_all();
        }
        Ok(())
    }

    /// Gives the terminal back as it was found, after what was printed is shown, and ends
    /// with these lines. From now on, [`print`](Editor::print) just writes.
    ///
    /// A terminal that takes no output is waited for until the deadline, or a moment
    /// longer.
    pub fn finish(&self, last_lines: &str, deadline: Instant) {
        self.finish_with(last_lines, deadline, || ());
    }

    /// The same. Does something more while keys are not yet echoed again.
    pub fn finish_with(&self, last_lines: &str, deadline: Instant, unseen: impl FnOnce()) {
        let shared = &self.0;
        let mut state = shared.lock();
        if matches!(state.phase, Phase::Finishing | Phase::Closing | Phase::Closed) {
            drop(shared.wait_until(deadline, state, |state| state.phase == Phase::Closed));
            if !last_lines.is_empty() {
                write_out(last_lines).ok(); // The terminal may be gone.
            }
            return;
        }
        state.phase = Phase::Finishing;
        shared.changed.notify_all();
        let shown =
            |state: &State| !state.writing && (state.pending.is_empty() || state.broken.is_some());
        state = shared.wait_until(deadline, state, shown);
        state.phase = Phase::Closing;
        shared.changed.notify_all();
        shared.waker.wake();
        // Bytes that are being written are on their way.
        let moment = deadline.max(Instant::now() + LAST_WORD);
        state = shared.wait_until(moment, state, |state| !state.writing);
        let mut last = mem::take(&mut state.aside) + &state.calls.leave();
        if state.begun {
            match state.line.is_empty() {
                true => state.painting.erase(&mut last),
                false => state.painting.leave(&mut last),
            }
            last += END;
        }
        last += &mem::take(&mut state.pending);
        drop(state);
        shared.tty.be_quiet();
        last += last_lines;
        let (written, over) = mpsc::channel();
        let text = last.clone();
        let writing = thread::Builder::new().spawn(move || written.send(write_out(&text)));
        if writing.is_err() {
            write_out(&last).ok(); // Without a thread, the terminal is waited for.
        }
        // The terminal may be gone.
        let left = deadline.saturating_duration_since(Instant::now());
        over.recv_timeout(left.max(LAST_WORD)).ok();
        unseen();
        shared.tty.restore();
        shared.lock().phase = Phase::Closed;
        shared.changed.notify_all();
    }

    /// From now on, a panic in any thread restores the terminal and ends the program with
    /// status 101.
    pub fn restore_on_panic(&self) {
        let (shared, report) = (self.0.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            // The state is left alone, because the thread that panics may hold it.
            if shared.tty.restore() {
                write_out(&format!("\r\n{END}\x1b[?2026l")).ok();
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

fn start_threads(shared: &Arc<Shared>, keyboard: Keyboard) -> io::Result<()> {
    let told = shared.clone();
    system::watch(move |news| told.tell_news(news))?;
    let painting = shared.clone();
    thread::Builder::new().name("screen".into()).spawn(move || painting.paint())?;
    let reading = shared.clone();
    thread::Builder::new().name("keys".into()).spawn(move || reading.read(keyboard))?;
    Ok(())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_while(state, |state| is_so(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is so, or until a deadline.
    fn wait_until<'a>(
        &self,
        deadline: Instant,
        state: MutexGuard<'a, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(state, left, |state| !is_so(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes something that is to be seen.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        (state.dirty, state.touched) = (true, true);
        self.changed.notify_all();
        changed
    }

    /// Paints until the terminal is given back or gone.
    fn paint(&self) {
        let mut out = String::new();
        let mut state = self.lock();
        while state.is_painted() {
            if state.phase == Phase::Stopped || !state.is_due() {
                state = self.wait(state);
                continue;
            }
            let size = system::size();
            if let Some(pause) = state.pause(size.columns, self.reflows) {
                let waited = self.changed.wait_timeout(state, pause);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            if let Some(pause) = state.gathers() {
                state.gathering = true;
                let waited = self.changed.wait_timeout(state, pause);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                state.gathering = false;
                continue;
            }
            state.render(size, self.reflows, &mut out);
            if out.is_empty() {
                continue;
            }
            state.writing = true;
            drop(state);
            let written = write_out(&out);
            out.clear();
            state = self.lock();
            state.writing = false;
            state.broken = written.err().map(|err| err.kind());
            self.changed.notify_all();
        }
    }

    /// Reads keys until the terminal is gone.
    fn read(&self, mut keyboard: Keyboard) {
        let mut decoder = Decoder::default();
        // Keys that came behind an answer, before there is another prompt.
        let mut inputs = Vec::new();
        let mut burst = Burst { waited: true, ..Burst::default() };
        loop {
            self.obey_signals();
            let (open, over) = self.with(|state| (state.line.is_open(), !state.is_painted()));
            if over {
                return; // Keys that come now are for the next program.
            }
            if open && !inputs.is_empty() {
                self.take(&mut inputs, burst);
                continue;
            }
            if open {
                self.tty.be_raw();
            } else {
                self.tty.be_quiet();
            }
            if self.with(|state| state.raw) != open {
                self.change(|state| state.raw = open);
            }
            burst.waited |= !open;
            inputs = match keyboard.next(open, decoder.waits()) {
                Ok(Event::Woken) => continue,
                Ok(Event::TimePassed) => decoder.time_passed(),
                Ok(Event::Bytes(bytes, more)) => {
                    burst.more = more;
                    decoder.decode(&bytes)
                }
                Err(_) => return self.tell(Typed::End),
            };
            if inputs.contains(&Input::Garbled) {
                // The rest may be half of a paste, and is no command.
                while let Ok(Event::Bytes(..)) = keyboard.next(true, Some(GARBLED)) {}
                (decoder, burst) = (Decoder::default(), Burst::default());
                inputs = vec![Input::Garbled];
            }
            burst.continues = burst.more && burst.is_paste(&inputs);
            self.take(&mut inputs, burst);
            burst.waited &= !open;
        }
    }

    /// Does what keys ask for. Those that come behind an answer are left.
    fn take(&self, inputs: &mut Vec<Input>, burst: Burst) {
        let deeds = self.change(|state| {
            let (deeds, taken) = state.line.take(inputs, burst);
            inputs.drain(..taken);
            deeds
        });
        for deed in deeds {
            match deed {
                Deed::Enter { text, pasted } => self.tell(Typed::Line { text, pasted }),
                Deed::Answer { prompt, text } => {
                    // The question goes on to be seen, with its answer.
                    let answer = if prompt.hidden { "".into() } else { harmless(&text) };
                    let shown = format!("{}{answer}\n", prompt.text);
                    self.change(|state| state.pending += &shown);
                    self.tell(Typed::Line { text, pasted: false });
                }
                Deed::Interrupt => self.purpose.interrupt.pull(),
                Deed::End => self.tell(Typed::End),
                Deed::Suspend => self.suspend(),
                Deed::Clear => self.change(|state| state.pending += "\x1b[H\x1b[J"),
                Deed::Focus(looked_at) => {
                    self.change(|state| state.aside += &state.calls.focus(looked_at));
                }
                Deed::Garbled => self.show(self.purpose.garbled),
                Deed::Stay => self.show(self.purpose.texts.stays),
            }
        }
    }

    fn show(&self, text: &str) {
        self.change(|state| state.pending += &format!("{text}\n"));
    }

    fn tell(&self, typed: Typed) {
        self.typed.try_send(typed).ok(); // Nobody may be listening any more.
    }

    /// A signal has something to say.
    fn tell_news(&self, news: News) {
        if news == News::Resized {
            self.lock().dirty = true;
            return self.changed.notify_all();
        }
        self.change(|state| state.news = Some(news));
        self.waker.wake();
    }

    fn obey_signals(&self) {
        let news = self.lock().news.take();
        match news {
            Some(News::Stop) => self.suspend(),
            Some(News::Continued) => self.go_on(),
            Some(News::Resized) | None => (),
        }
    }

    /// Stops until the shell continues us. The terminal is the shell's meanwhile.
    fn suspend(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return;
        }
        state.phase = Phase::Stopped;
        state = self.wait_while(state, |state| state.writing);
        let mut out = mem::take(&mut state.aside) + &state.calls.leave();
        state.painting.erase(&mut out);
        if mem::take(&mut state.begun) {
            out += END;
        }
        drop(state);
        write_out(&out).ok(); // A terminal that is gone is nobody's.
        self.tty.suspend();
        // This is no other stop.
        let told = |state: &State| state.news == Some(News::Continued);
        self.wait_until(Instant::now() + CONTINUED, self.lock(), told).news = None;
        self.reopen();
    }

    /// A signal that is not caught stopped the job, and it goes on.
    fn go_on(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return;
        }
        state.phase = Phase::Stopped;
        state = self.wait_while(state, |state| state.writing);
        state.painting.forget();
        state.begun = false;
        drop(state);
        self.tty.await_foreground();
        self.reopen();
    }

    /// The terminal is ours again.
    fn reopen(&self) {
        self.change(|state| {
            state.raw = false;
            if state.phase == Phase::Stopped {
                state.phase = Phase::Open;
            }
        });
    }
}
