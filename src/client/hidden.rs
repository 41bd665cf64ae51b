//! A terminal without a line editor that does not show what is typed: for passwords.

use std::io;

/// Hides what is typed, until it is dropped.
pub struct Hidden(system::Found);

impl Hidden {
    /// Hides what is typed from now on.
    ///
    /// # Errors
    /// If the terminal does not allow it, or another job has it.
    pub fn begin() -> io::Result<Hidden> {
        system::hide().map(Hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        system::restore(&self.0);
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use rustix::process::getpgrp;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

    pub type Found = Termios;

    pub fn hide() -> io::Result<Termios> {
        let stdin = io::stdin();
        let found = tcgetattr(&stdin)?;
        if tcgetpgrp(&stdin)? != getpgrp() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut hidden = found.clone();
        // The line end is shown, so that what follows begins on a row of its own.
        hidden.local_modes &= !LocalModes::ECHO;
        hidden.local_modes |= LocalModes::ECHONL;
        tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
        Ok(found)
    }

    pub fn restore(found: &Termios) {
        tcsetattr(io::stdin(), OptionalActions::Now, found).ok(); // It may be gone.
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use winapi_util::HandleRef;
    use winapi_util::console::{mode, set_mode};

    pub type Found = u32;

    /// The bit of the console's mode that shows what is typed.
    const ENABLE_ECHO_INPUT: u32 = 4;

    pub fn hide() -> io::Result<u32> {
        let found = mode(HandleRef::stdin())?;
        set_mode(HandleRef::stdin(), found & !ENABLE_ECHO_INPUT)?;
        Ok(found)
    }

    pub fn restore(found: &u32) {
        set_mode(HandleRef::stdin(), *found).ok(); // It may be gone.
    }
}
