//! Being asked to stop: Ctrl-C, `kill`, a closed window.

use std::future;
use std::io;

use async_channel::{Receiver, Sender};
use smol::future::or;

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

    /// Lets somebody else look at each [hang-up](Interrupt::HungUp) first. If they
    /// say that it was meant for them, it is no interrupt.
    pub fn on_hang_up(&mut self, look: impl FnMut() -> bool + Send + 'static) {
        self.hung_up = Box::new(look);
    }

    /// What [`next`](Interrupts::next) obeys beside signals.
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
                Interrupt::HungUp if (self.hung_up)() => (),
                interrupt => return interrupt,
            }
        }
    }
}

#[cfg(unix)]
mod imp {
    use std::future;
    use std::io;

    use async_signal::{Signal, Signals};
    use smol::stream::StreamExt;

    use super::Interrupt;

    pub struct Interrupts(Signals);

    impl Interrupts {
        pub fn watch() -> io::Result<Interrupts> {
            Signals::new([Signal::Int, Signal::Term, Signal::Hup]).map(Interrupts)
        }

        pub async fn next(&mut self) -> Interrupt {
            match self.0.next().await {
                Some(Ok(Signal::Int)) => Interrupt::Interrupted,
                Some(Ok(Signal::Hup)) => Interrupt::HungUp,
                Some(Ok(_)) => Interrupt::Terminated,
                // Signals cannot be heard any more; the program can still be killed.
                Some(Err(_)) | None => future::pending().await,
            }
        }
    }
}

#[cfg(windows)]
mod imp {
    use std::future;
    use std::io;
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use async_channel::{Receiver, Sender};
    use windows_sys::Win32::Foundation::{FALSE, TRUE};
    use windows_sys::Win32::System::Console::{
        CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
        SetConsoleCtrlHandler,
    };
    use windows_sys::core::BOOL;

    use super::Interrupt;

    /// Who watches: whoever began last, since a program has one handler.
    static WATCHER: Mutex<Option<Sender<Interrupt>>> = Mutex::new(None);

    pub struct Interrupts(Receiver<Interrupt>);

    impl Interrupts {
        #[allow(unsafe_code)] // Nobody else asks the system to call them.
        pub fn watch() -> io::Result<Interrupts> {
            // Two are all that is ever waited for: the second ends at once.
            let (sender, receiver) = async_channel::bounded(2);
            *WATCHER.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
            // SAFETY: the handler is a function, and so lives as long as the program.
            // It is called on a thread of its own, which may lock and wait.
            match unsafe { SetConsoleCtrlHandler(Some(handle), TRUE) } {
                FALSE => Err(io::Error::last_os_error()),
                _ => Ok(Interrupts(receiver)),
            }
        }

        pub async fn next(&mut self) -> Interrupt {
            match self.0.recv().await {
                Ok(interrupt) => interrupt,
                Err(_) => future::pending().await,
            }
        }
    }

    /// Passes an event of the console on. If nobody watches, the system goes on to
    /// what it does by itself, which is to end the program.
    extern "system" fn handle(event: u32) -> BOOL {
        let interrupt = match event {
            CTRL_C_EVENT | CTRL_BREAK_EVENT => Interrupt::Interrupted,
            CTRL_CLOSE_EVENT => Interrupt::HungUp,
            CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => Interrupt::Terminated,
            _ => return FALSE,
        };
        let watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // With two that wait already, a third changes nothing.
        let hears = |sender: Sender<_>| sender.try_send(interrupt).is_ok() || !sender.is_closed();
        if !watcher.is_some_and(hears) {
            return FALSE;
        }
        // The system ends the program when this returns, but for Ctrl-C and Ctrl-Break.
        // It waits 5 s for the program to end by itself, and this thread with it.
        while interrupt != Interrupt::Interrupted {
            thread::park();
        }
        TRUE
    }
}
