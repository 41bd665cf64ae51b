//! Input that was typed for a program that has ended meanwhile. A shell that reads it would
//! take it for commands.

/// Forgets what is typed and not read, up to the first pause.
#[cfg(unix)]
pub fn forget() {
    use std::io;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::getpgrp;
    use rustix::termios::{
        LocalModes, OptionalActions, QueueSelector, tcflush, tcgetattr, tcgetpgrp, tcsetattr,
    };

    /// A person that sees no end yet types on. Nothing more comes after a pause this long.
    const PAUSE: Duration = Duration::from_millis(400);
    /// How long a person is waited for at most.
    const PATIENCE: Duration = Duration::from_secs(5);

    let stdin = io::stdin();
    // The terminal of another job is left alone.
    let Ok(found) = tcgetattr(&stdin) else { return };
    if tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
        return;
    }
    let mut quiet = found.clone();
    quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON);
    if tcsetattr(&stdin, OptionalActions::Now, &quiet).is_err() {
        return;
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: PAUSE.subsec_nanos().into() };
        let typed = poll(&mut waiting, Some(&limit)).is_ok_and(|ready| ready > 0)
            && waiting[0].revents() == PollFlags::IN;
        if !typed || tcflush(&stdin, QueueSelector::IFlush).is_err() {
            break;
        }
    }
    tcsetattr(&stdin, OptionalActions::Now, &found).ok(); // It may be gone.
}

/// The console of Windows is left as it is.
#[cfg(not(unix))]
pub fn forget() {}
