//! How Windows asks a program to stop: by an event of its console, or by a message
//! to its window. It has an invisible one for that alone.

use std::future;
use std::io;
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};
use std::thread;

use async_channel::{Receiver, Sender};
use windows_sys::Win32::Foundation::{FALSE, HWND, LPARAM, LRESULT, TRUE, WPARAM};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DefWindowProcW, DispatchMessageW, GetMessageW, MSG, RegisterClassW, WM_CLOSE,
    WM_ENDSESSION, WNDCLASSW,
};
use windows_sys::core::BOOL;
use windows_sys::w;

use super::Interrupt;

/// The last watcher, since a program has one handler.
static WATCHER: Mutex<Option<Sender<Interrupt>>> = Mutex::new(None);

pub struct Interrupts(Receiver<Interrupt>);

impl Interrupts {
    pub fn watch() -> io::Result<Interrupts> {
        // Two are all that is ever waited for: the second ends at once.
        let (sender, receiver) = async_channel::bounded(2);
        *WATCHER.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        // SAFETY: the handler is a function, and so lives as long as the program. It is
        // called on a thread of its own, which may lock and wait.
        if unsafe { SetConsoleCtrlHandler(Some(on_event), TRUE) } == FALSE {
            return Err(io::Error::last_os_error());
        }
        // A program that has anything to do with windows is told the end of the session in
        // no other way.
        thread::Builder::new().spawn(keep_window)?;
        Ok(Interrupts(receiver))
    }

    pub fn outlive_terminal(&self) -> bool {
        false // Nobody can ask for that.
    }

    pub async fn next(&mut self) -> Interrupt {
        match self.0.recv().await {
            Ok(interrupt) => interrupt,
            Err(_) => future::pending().await,
        }
    }
}

/// Says whether anybody watches.
fn tell(interrupt: Interrupt) -> bool {
    let watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // With two that wait already, a third changes nothing.
    watcher.is_some_and(|sender| sender.try_send(interrupt).is_ok() || !sender.is_closed())
}

/// Waits for the program to end by itself, and this thread with it. The system,
/// which would end it as soon as it got an answer, waits for that for 5 s.
fn linger() -> ! {
    loop {
        thread::park();
    }
}

/// The handler for the console. If the program does not watch, the system goes on to end
/// the program.
extern "system" fn on_event(event: u32) -> BOOL {
    let told = match event {
        CTRL_C_EVENT | CTRL_BREAK_EVENT => return tell(Interrupt::Interrupted).into(),
        CTRL_CLOSE_EVENT => tell(Interrupt::HungUp),
        CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => tell(Interrupt::Terminated),
        _ => false,
    };
    if told { linger() } else { FALSE }
}

/// Has a window and does what it is told to. Where no window can be, as without a
/// desktop, this is a thread that waits for nothing.
fn keep_window() {
    let class = WNDCLASSW {
        lpfnWndProc: Some(on_message),
        lpszClassName: w!("minichat"),
        ..WNDCLASSW::default()
    };
    let (title, none) = (w!("minichat"), null_mut());
    let mut message = MSG::default();
    // SAFETY: the names and the function live as long as the program, and all the rest
    // is only looked at during the call. The function is called by this thread alone.
    unsafe {
        RegisterClassW(&class);
        CreateWindowExW(0, class.lpszClassName, title, 0, 0, 0, 0, 0, none, none, none, null());
        while GetMessageW(&mut message, none, 0, 0) > 0 {
            DispatchMessageW(&message);
        }
    }
}

extern "system" fn on_message(window: HWND, what: u32, ends: WPARAM, how: LPARAM) -> LRESULT {
    match what {
        // The session does end, without an objection.
        WM_ENDSESSION if ends != 0 && tell(Interrupt::Terminated) => linger(),
        // A user asks the program to end, as `kill` does elsewhere.
        WM_CLOSE if tell(Interrupt::Terminated) => 0,
        // SAFETY: these are the values that we were called with.
        _ => unsafe { DefWindowProcW(window, what, ends, how) },
    }
}

/// Windows tells only a writer that the reader is gone.
pub fn wait_for_reader_to_go() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    #[test]
    fn console_waits_only_for_a_watching_program() {
        let mut interrupts = Interrupts::watch().expect("the system allows it");
        for event in [CTRL_C_EVENT, CTRL_BREAK_EVENT] {
            assert_eq!(on_event(event), TRUE);
            assert_eq!(smol::block_on(interrupts.next()), Interrupt::Interrupted);
        }
        for (event, interrupt) in [
            (CTRL_CLOSE_EVENT, Interrupt::HungUp),
            (CTRL_LOGOFF_EVENT, Interrupt::Terminated),
            (CTRL_SHUTDOWN_EVENT, Interrupt::Terminated),
        ] {
            let (returned, waiting) = channel();
            thread::spawn(move || returned.send(on_event(event)));
            assert_eq!(smol::block_on(interrupts.next()), interrupt);
            // That it never returns is no event; it would be here by now.
            let answer = waiting.recv_timeout(Duration::from_millis(100));
            assert_eq!(answer, Err(RecvTimeoutError::Timeout));
        }
        drop(interrupts);
        for event in [CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT] {
            assert_eq!(on_event(event), FALSE);
        }
    }
}
