//! The terminal's own settings: what they were, and what an editor needs.

#[cfg(unix)]
pub use unix::Terminal;
#[cfg(windows)]
pub use windows::Terminal;

/// Whether this process may edit lines on its terminal.
pub fn is_capable() -> bool {
    use std::io::{IsTerminal, stdin, stdout};
    let term = std::env::var("TERM").unwrap_or_default();
    let dumb = ["dumb", "cons25", "emacs"].contains(&&*term) || (cfg!(unix) && term.is_empty());
    // A console of Windows, not a pipe that stands for one, has no name.
    stdin().is_terminal() && stdout().is_terminal() && !dumb && Terminal::is_ours()
}

/// Whether this process is in the foreground of its terminal, and may read from it.
pub fn is_ours() -> bool {
    Terminal::is_ours()
}

/// Whether the terminal wraps its lines anew when it becomes wider or narrower, as
/// far as that can be known: those that do have names, and xterm does not.
pub fn reflows() -> bool {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    let names = [
        "TMUX",
        "VTE_VERSION",
        "KONSOLE_VERSION",
        "KITTY_WINDOW_ID",
        "ALACRITTY_WINDOW_ID",
        "WEZTERM_PANE",
        "WT_SESSION",
        "ITERM_SESSION_ID",
    ];
    let term = std::env::var("TERM").unwrap_or_default();
    names.iter().any(is_set) || ["foot", "alacritty", "tmux"].iter().any(|it| term.starts_with(it))
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::Mutex;
    use std::sync::PoisonError;
    use std::thread;
    use std::time::Duration;

    use nix::sys::signal::{self, raise};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::read;
    use rustix::process::{Signal, getpgrp, getpid, kill_process};
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize,
        tcsetattr,
    };

    /// How often a process in the background looks whether it is back.
    const LOOK: Duration = Duration::from_millis(250);

    /// The settings that we found, until they are restored.
    pub struct Terminal(Mutex<Option<Termios>>);

    impl Terminal {
        /// Whether we are in the foreground: whoever is not, and changes the
        /// settings or reads, is stopped.
        pub fn is_ours() -> bool {
            tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
        }

        /// Keeps the settings and makes the terminal quiet: what is typed waits,
        /// unseen, for the editor, but Ctrl-C still interrupts.
        pub fn quiet() -> io::Result<Terminal> {
            let found = tcgetattr(io::stdin())?;
            let mut quiet = found.clone();
            quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
            Ok(Terminal(Mutex::new(Some(found))))
        }

        /// Puts the settings back; the second time does nothing. Whether there
        /// was something to do.
        pub fn restore(&self) -> bool {
            let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(found) = &found {
                // There may be no terminal any more.
                tcsetattr(io::stdin(), OptionalActions::Now, found).ok();
            }
            found.is_some()
        }

        /// Reads what is there, and what follows within a moment, and forgets it.
        pub fn discard_input(&self) {
            let stdin = io::stdin();
            let moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let mut bytes = [0; 4096];
            loop {
                let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
                match poll(&mut waiting, Some(&moment)) {
                    Ok(1..) if read(&stdin, &mut bytes).is_ok_and(|read| read > 0) => (),
                    _ => return,
                }
            }
        }

        /// How many characters fit into a row.
        pub fn columns() -> usize {
            tcgetwinsize(io::stdout()).map_or(80, |size| size.ws_col.max(1).into())
        }

        /// Stops the job until somebody continues it, with the settings that we
        /// found, and comes back when it is in the foreground.
        pub fn suspend(&self) {
            let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (Some(found), Ok(ours)) = (found, tcgetattr(io::stdin())) else { return };
            tcsetattr(io::stdin(), OptionalActions::Now, &found).ok();
            // The job is led by us, or by a script that waits for us. A signal to all
            // of it could stop us twice: only the one that this thread sends itself
            // has certainly done so when it is back.
            if getpgrp() != getpid() {
                kill_process(getpgrp(), Signal::TSTP).ok();
            }
            raise(signal::Signal::SIGTSTP).ok();
            // A terminal that is gone is nobody's.
            while tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground != getpgrp()) {
                thread::sleep(LOOK);
            }
            tcsetattr(io::stdin(), OptionalActions::Now, &ours).ok();
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::io;
    use std::sync::Mutex;
    use std::sync::PoisonError;

    use winapi_util::HandleRef;
    use winapi_util::console::{mode, set_mode};

    /// What is typed is handed over in whole lines (`ENABLE_LINE_INPUT`).
    const LINES: u32 = 0x2;
    /// It is shown meanwhile (`ENABLE_ECHO_INPUT`).
    const ECHO: u32 = 0x4;

    /// The mode of the console's input that we found, until it is restored. That of
    /// its output stays as it is in the editor: what is said last may be in colour.
    pub struct Terminal(Mutex<Option<u32>>);

    impl Terminal {
        pub fn is_ours() -> bool {
            true
        }

        /// As elsewhere. The editor restores this mode behind each line, and none if
        /// the program ends within one.
        pub fn quiet() -> io::Result<Terminal> {
            let found = mode(HandleRef::stdin())?;
            set_mode(HandleRef::stdin(), found & !(LINES | ECHO))?;
            Ok(Terminal(Mutex::new(Some(found))))
        }

        pub fn restore(&self) -> bool {
            let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(found) = found {
                // The window may be closed.
                set_mode(HandleRef::stdin(), found).ok();
            }
            found.is_some()
        }

        pub fn discard_input(&self) {}

        /// rustyline alone knows, and looks by itself.
        pub fn columns() -> usize {
            80
        }
    }
}
