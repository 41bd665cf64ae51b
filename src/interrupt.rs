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
    /// `kill` (SIGTERM); on Windows, the window is closed, the user logs off or the
    /// machine shuts down.
    Terminated,
    /// The terminal is gone (SIGHUP). On Windows it cannot go alone.
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

    use smol::future::or;
    use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};

    use super::Interrupt;

    /// Windows asks by calling a handler, in a thread that it makes for that. When
    /// the window is closed, the program has 5 s to end; but if the handler returns,
    /// it is ended at once. So the handler has to pass the word on and stay where it
    /// is until `main` is done, and tokio's does. It needs no runtime.
    ///
    /// All that we do to stop is bounded to less than that.
    ///
    /// That the user logs off or the machine shuts down is not told to a program
    /// with user32.dll in it, which the line editor needs to paste. It ends like one
    /// that is killed then: the others miss a goodbye, and nothing else.
    pub struct Interrupts {
        ctrl_c: CtrlC,
        ctrl_break: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Interrupts {
        pub fn watch() -> io::Result<Interrupts> {
            Ok(Interrupts {
                ctrl_c: windows::ctrl_c()?,
                ctrl_break: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                logoff: windows::ctrl_logoff()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        pub async fn next(&mut self) -> Interrupt {
            let keys = or(told(self.ctrl_c.recv()), told(self.ctrl_break.recv()));
            let session = or(told(self.logoff.recv()), told(self.shutdown.recv()));
            let interrupted = async {
                keys.await;
                Interrupt::Interrupted
            };
            let terminated = async {
                or(told(self.close.recv()), session).await;
                Interrupt::Terminated
            };
            or(interrupted, terminated).await
        }
    }

    /// Waits for it; for ever, if it cannot be heard any more. The program can still
    /// be ended.
    async fn told(event: impl Future<Output = Option<()>>) {
        if event.await.is_none() {
            future::pending().await
        }
    }
}
