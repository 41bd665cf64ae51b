//! minichat at the keyboard: the client and the operator's console on a real
//! terminal, with an emulator as the eye.

mod closed;
mod console;
mod editing;
mod flood;
mod going;
mod hostile;
mod keys;
mod looks;
mod naming;
mod painting;
mod talking;
mod wrapping;

use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::{GREETING, Peer};
use crate::tty::{Tty, draft, last, prompts};

/// The terminals that people have, in columns and rows: small ones.
const SIZES: [(u16, u16); 2] = [(60, 14), (40, 12)];

/// The beginning of the client's last row.
const PROMPT: &str = "ana>";

/// The client on a terminal.
#[track_caller]
fn start(
    address: SocketAddr,
    (cols, rows): (u16, u16),
    options: &[&str],
    environment: &[(&str, &str)],
) -> Tty {
    let address = address.to_string();
    let arguments = [&["connect", &address], options].concat();
    Tty::start(cols, rows, &arguments, environment)
}

/// The client on a terminal, as `ana`, which may type.
#[track_caller]
fn sit_down(address: SocketAddr) -> Tty {
    sit_down_at(address, SIZES[0], &[], &[])
}

/// The same, at a terminal and with options of her own.
#[track_caller]
fn sit_down_at(
    address: SocketAddr,
    size: (u16, u16),
    options: &[&str],
    environment: &[(&str, &str)],
) -> Tty {
    let tty = start(address, size, &[&["--nick", "ana"], options].concat(), environment);
    ready(&tty);
    tty
}

/// She may type, and was told her nick and the others here.
#[track_caller]
fn ready(tty: &Tty) {
    tty.wait("who is here, and the prompt", |screen| {
        let mut lines = screen.lines();
        let welcome =
            lines.find(|line| line.starts_with("* You are ") || line.starts_with("* Você é "));
        let next = lines.next().unwrap_or(PROMPT);
        welcome.is_some() && !next.starts_with(PROMPT) && holds(screen, "")
    });
}

/// Does for the client what a server does when `ana` comes.
#[track_caller]
fn let_in(server: &mut Peer, who: &str) {
    server.says(GREETING);
    server.reads("NICK ana");
    server.says("OK welcome ana");
    server.reads("WHO");
    server.says(format!("Connected users: {who}"));
}

/// Whether the screen ends with one prompt and this draft.
fn holds(screen: &str, text: &str) -> bool {
    prompts(screen, PROMPT) == 1 && draft(screen, PROMPT).is_some_and(|draft| draft == text)
}

/// Waits for the draft to be this.
#[track_caller]
fn wait_for_draft(tty: &Tty, text: &str) {
    tty.wait(&format!("the draft {text:?}"), |screen| holds(screen, text));
}

/// A line of the chat without its time, which is looked at here, and without the
/// mark of those that name the reader: `joao  oi`.
fn told(line: &str) -> Option<&str> {
    let line = line.strip_prefix("! ").unwrap_or(line);
    let (time, rest) = line.split_once(' ')?;
    let (hour, minute) = time.split_once(':')?;
    let is_time = [hour, minute].iter().all(|two| two.len() == 2 && two.parse::<u8>().is_ok());
    is_time.then_some(rest)
}

/// Lines of which the rest stands in indented rows, as one each. A word that was broken
/// stays so.
fn unwrapped(rows: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for row in rows {
        match (row.strip_prefix("  "), lines.last_mut()) {
            (Some(rest), Some(line)) => *line = format!("{line} {}", rest.trim_start()),
            _ => lines.push(row.clone()),
        }
    }
    lines
}

/// How often the chat has told exactly this.
fn times_told(lines: &[String], expected: &str) -> usize {
    lines.iter().filter(|line| told(line) == Some(expected)).count()
}

/// Waits for the chat to tell this, on one line of the screen.
#[track_caller]
fn hears(tty: &Tty, expected: &str) {
    tty.wait(&format!("the line {expected:?}"), |screen| {
        screen.lines().any(|line| told(line.trim_end()) == Some(expected))
    });
}

/// A member that goes on talking until told to stop: 50 lines a second, some of
/// them longer than a screen.
struct Chatter {
    stop: Sender<()>,
    talks: JoinHandle<Peer>,
}

impl Chatter {
    fn of(mut peer: Peer) -> Chatter {
        let (stop, stopped) = channel();
        let talks = thread::spawn(move || {
            for n in 0.. {
                let text = if n % 10 == 9 { "muito, ".repeat(150) } else { format!("linha {n}") };
                peer.says(format!("MSG {text}"));
                let pause = stopped.recv_timeout(Duration::from_millis(20));
                if pause != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            peer
        });
        Chatter { stop, talks }
    }

    fn stop(self) -> Peer {
        drop(self.stop);
        self.talks.join().expect("whoever talks is heard")
    }
}
