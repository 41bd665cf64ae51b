//! Being asked to stop: Ctrl-C, `kill`, a closed window.

use std::future;
use std::io::{self, IsTerminal};
use std::thread;

use async_channel::{Receiver, Sender};
use smol::future::or;

#[cfg(unix)]
#[allow(unsafe_code)] // What a signal does is told, and changed, by unsafe calls alone.
mod unix;
#[cfg(unix)]
use unix as imp;
#[cfg(unix)]
pub use unix::{can_stop, stop};

#[cfg(windows)]
#[allow(unsafe_code)] // How else could the system be asked to call us?
mod windows;
#[cfg(windows)]
use windows as imp;

/// Lets a file that grows to the limit of the system (`ulimit -f`) be an error like a
/// full disk. Otherwise the signal that says it would end the program.
pub fn outlive_file_limit() {
    #[cfg(unix)]
    imp::outlive_file_limit();
}

/// Notices that standard output has lost its reader, though nothing is printed.
#[derive(Clone, Debug)]
pub struct Reader(Option<Receiver<()>>);

impl Reader {
    /// Begins to watch. A terminal or a file is always read. Where the system has no
    /// thread for it, a reader that is gone is noticed when something is printed.
    pub fn watch() -> Reader {
        if io::stdout().is_terminal() {
            return Reader(None);
        }
        let (sender, gone) = async_channel::bounded::<()>(1);
        let watch = move || {
            if imp::wait_for_reader_to_go() {
                sender.send_blocking(()).ok(); // The program may have ended.
            }
        };
        let thread = thread::Builder::new().name("output".into()).spawn(watch);
        Reader(thread.is_ok().then_some(gone))
    }

    /// Waits until the reader is gone.
    pub async fn gone(&self) {
        let gone = match &self.0 {
            Some(gone) => gone.recv().await.is_ok(),
            None => false,
        };
        if !gone {
            future::pending().await
        }
    }
}

/// How the program is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C (SIGINT), or Ctrl-Break.
    Interrupted,
    /// `kill` (SIGTERM), or the end of the session on Windows.
    Terminated,
    /// The terminal is gone (SIGHUP), or its window is being closed.
    HungUp,
}

impl Interrupt {
    /// The exit status of a program that this ends, as shells count: 128 and the
    /// number of the signal.
    pub fn status(self) -> u8 {
        match self {
            Interrupt::HungUp => 129,
            Interrupt::Interrupted => 130,
            Interrupt::Terminated => 143,
        }
    }
}

/// The interrupts to come, one by one. While this lives, they do not end the
/// program by themselves.
pub struct Interrupts {
    signals: imp::Interrupts,
    trigger: Trigger,
    pulled: Receiver<()>,
    hung_up: Box<dyn FnMut() -> bool + Send>,
}

/// Interrupts as a signal would: a terminal with a line editor makes no signal of
/// Ctrl-C.
#[derive(Clone, Debug)]
pub struct Trigger(Sender<()>);

impl Trigger {
    /// Interrupts.
    pub fn pull(&self) {
        self.0.try_send(()).ok(); // Enough are waiting, or nobody is.
    }
}

impl Interrupts {
    /// Begins to watch for them.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn watch() -> io::Result<Interrupts> {
        // Two are all that is ever waited for: the second ends at once.
        let (sender, pulled) = async_channel::bounded(2);
        let signals = imp::Interrupts::watch()?;
        let hung_up = Box::new(|| false);
        Ok(Interrupts { signals, trigger: Trigger(sender), pulled, hung_up })
    }

    /// Lets another function look at each [hang-up](Interrupt::HungUp) first. If they
    /// say that it was meant for them, it is no interrupt.
    pub fn on_hang_up(&mut self, look: impl FnMut() -> bool + Send + 'static) {
        self.hung_up = Box::new(look);
    }

    /// Whether the program was started to go on when its terminal is gone, as by `nohup`:
    /// a hang-up is no interrupt then.
    pub fn outlive_terminal(&self) -> bool {
        self.signals.outlive_terminal()
    }

    /// Another way to interrupt, which [`next`](Interrupts::next) obeys beside signals.
    pub fn trigger(&self) -> Trigger {
        self.trigger.clone()
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Interrupt {
        loop {
            let pulled = async {
                match self.pulled.recv().await {
                    Ok(()) => Interrupt::Interrupted,
                    Err(_) => future::pending().await,
                }
            };
            match or(self.signals.next(), pulled).await {
                Interrupt::HungUp if (self.hung_up)() || self.outlive_terminal() => (),
                interrupt => return interrupt,
            }
        }
    }
}
