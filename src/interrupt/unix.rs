//! How Unix asks a program to stop: by signals.

use std::future;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use async_signal::{Signal, Signals};
use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal as NixSignal, raise, sigaction,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use smol::stream::StreamExt;

use super::Interrupt;

pub struct Interrupts {
    signals: Signals,
    /// The end of the terminal is not to be the end of the program: so `nohup` wants it.
    outlives_terminal: bool,
}

impl Interrupts {
    pub fn watch() -> io::Result<Interrupts> {
        let outlives_terminal = is_ignored(libc::SIGHUP); // Before it is watched for.
        let signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
        Ok(Interrupts { signals, outlives_terminal })
    }

    pub fn outlive_terminal(&self) -> bool {
        self.outlives_terminal
    }

    pub async fn next(&mut self) -> Interrupt {
        match self.signals.next().await {
            Some(Ok(Signal::Int)) => Interrupt::Interrupted,
            Some(Ok(Signal::Hup)) => Interrupt::HungUp,
            Some(Ok(_)) => Interrupt::Terminated,
            // Signals cannot be heard any more; the program can still be killed.
            Some(Err(_)) | None => future::pending().await,
        }
    }
}

/// Lets a file that grows to a limit (`ulimit -f`) be an error, not the end.
pub fn outlive_file_limit() {
    // SAFETY: no handler is installed, so that nothing runs in a signal's context.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Whether the program can be stopped by a shell, and goes on later.
pub fn can_stop() -> bool {
    !is_ignored(libc::SIGTSTP)
}

/// Stops the program as if it did not watch for that, until it is continued.
/// Where it could not be continued, the system does not stop it.
pub fn stop() {
    if !can_stop() {
        return;
    }
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action runs no code of ours, and what was there before was
    // a handler that is as good now as it was then.
    unsafe {
        let Ok(watched) = sigaction(NixSignal::SIGTSTP, &default) else { return };
        // Only a signal that this thread sends itself has certainly stopped it when it
        // is back.
        raise(NixSignal::SIGTSTP).ok();
        sigaction(NixSignal::SIGTSTP, &watched).ok();
    }
}

/// Waits until the other end of standard output is closed; false if that is unknown.
pub fn wait_for_reader_to_go() -> bool {
    let stdout = io::stdout();
    loop {
        let mut output = [PollFd::new(&stdout, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        match poll(&mut output, None) {
            Ok(_) if output[0].revents().intersects(gone) => return true,
            Err(Errno::INTR) => (),
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Whether the program was started so that it ignores a signal.
fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, the call does nothing but to fill in the present one,
    // which is plain numbers.
    let action = unsafe {
        match libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) {
            0 => action.assume_init(),
            _ => return false,
        }
    };
    action.sa_sigaction == libc::SIG_IGN
}
