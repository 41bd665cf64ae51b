//! Asking a program to stop, as each system does.

// The system gives no other way to reset a signal, or to raise an event.
#![allow(unsafe_code)]

use std::process::Child;

/// All the ways to ask, and the exit status of a client that is asked like this.
#[cfg(unix)]
pub const ALL: &[(&str, i32)] = &[("INT", 130), ("TERM", 143), ("HUP", 129)];

/// Windows has no signals, but what they stand for: Ctrl-C, the end of the session, a
/// console that is closed. Ctrl-Break and WM_CLOSE, which asks a program to end, are its
/// own.
#[cfg(windows)]
pub const ALL: &[(&str, i32)] =
    &[("INT", 130), ("TERM", 143), ("HUP", 129), ("BREAK", 130), ("CLOSE", 143)];

/// Makes sure that the programs which are started end when the terminal does, though the
/// tests may not: those of a developer that runs them by `nohup`.
#[cfg(unix)]
pub fn end_with_the_terminal() {
    use nix::sys::signal::{SigHandler, Signal, signal};

    // SAFETY: that is what every program begins with.
    let before = unsafe { signal(Signal::SIGHUP, SigHandler::SigDfl) };
    before.expect("it is a signal");
}

/// Sends a signal by name, as `kill` does.
#[cfg(unix)]
pub fn send(child: &Child, name: &str) {
    use std::process::Command;

    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.expect("kill runs").success());
}

/// Does what the system does on such an occasion.
#[cfg(windows)]
pub fn send(child: &Child, name: &str) {
    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT};
    use windows_sys::Win32::UI::WindowsAndMessaging::{WM_CLOSE, WM_ENDSESSION};

    match name {
        "INT" => windows::raise(child, CTRL_C_EVENT),
        "BREAK" => windows::raise(child, CTRL_BREAK_EVENT),
        "HUP" => windows::raise(child, CTRL_CLOSE_EVENT),
        "TERM" => windows::post(child, WM_ENDSESSION, 1),
        "CLOSE" => windows::post(child, WM_CLOSE, 0),
        _ => panic!("there is no {name}"),
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::c_void;
    use std::mem::transmute;
    use std::os::windows::io::AsRawHandle;
    use std::process::Child;
    use std::ptr::{null, null_mut, without_provenance};
    use std::thread;
    use std::time::Instant;

    use windows_sys::Win32::Foundation::CloseHandle;
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
    use windows_sys::Win32::System::Threading::CreateRemoteThread;
    use windows_sys::Win32::UI::WindowsAndMessaging::{
        FindWindowExW, GetWindowThreadProcessId, SendNotifyMessageW,
    };
    use windows_sys::{s, w};

    use crate::harness::PATIENCE;

    /// The form of any function of a library, and that of a thread.
    type Function = unsafe extern "system" fn() -> isize;
    type Routine = unsafe extern "system" fn(*mut c_void) -> u32;

    /// Begins a thread in the program that calls its handlers of this event, as the
    /// console does when there is one.
    pub fn raise(child: &Child, event: u32) {
        let event = without_provenance(event as usize);
        // SAFETY: the system's libraries stay where they are, in all processes the same,
        // and this one has had such a function for as long as there were consoles.
        unsafe {
            let system = GetModuleHandleW(w!("kernelbase.dll"));
            let routine = GetProcAddress(system, s!("CtrlRoutine")).expect("there is one");
            let routine = transmute::<Function, Routine>(routine);
            let process = child.as_raw_handle();
            let thread =
                CreateRemoteThread(process, null(), 0, Some(routine), event, 0, null_mut());
            assert!(!thread.is_null(), "a thread can be begun");
            CloseHandle(thread);
        }
    }

    /// Sends the program's window a message, without waiting for the answer.
    pub fn post(child: &Child, message: u32, how: usize) {
        let deadline = Instant::now() + PATIENCE;
        // SAFETY: a window that is no more is an error, and so no program's.
        unsafe {
            let mut window = null_mut();
            loop {
                window = FindWindowExW(null_mut(), window, w!("minichat"), null());
                let mut owner = 0;
                GetWindowThreadProcessId(window, &mut owner);
                if owner == child.id() {
                    break;
                }
                // The program does not say when it has its window.
                assert!(Instant::now() < deadline, "the program has no window");
                thread::yield_now();
            }
            SendNotifyMessageW(window, message, how, 0);
        }
    }
}
