//! A client for lines: what is typed is said, what is heard is printed.
//!
//! The dialogue knows what to say and what to show, the painter how it looks;
//! this connects both with a socket, and with the threads that read and print.

mod dialogue;
mod find;
mod paint;
mod plain;

use std::env;
use std::future;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use chrono::Local;
use smol::future::{or, race};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer};

use crate::config::{Connect, Format, Target};
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};
use crate::texts::Texts;
use crate::wire::{DEFAULT_PORT, LineBuffer, MAX_EVENT};
use dialogue::{Act, Dialogue, Failure, Kind};
use paint::{Style, paint, paint_raw};
use plain::Printer;

/// How much is read at a time, in bytes.
const READ: usize = 16 << 10;
/// With so many bytes to send, what is typed has to wait.
const MAX_UNSENT: usize = 64 << 10;
/// How much later the next address of a host is tried, if the ones before have
/// not answered.
const STAGGER: Duration = Duration::from_millis(100);
/// How long the server may take to answer `QUIT`...
const GOODBYE: Duration = Duration::from_secs(5);
/// ...and to listen to each message before it. Most allow 50 a second, but a
/// message that is not waited for may be lost.
const LISTENING: Duration = Duration::from_secs(1);

/// Joins a chat and stays until the input, the user or the server ends it.
/// Returns the exit status: 0, or what an [`Interrupt`] asks for.
///
/// # Errors
/// If the server cannot be reached, does not take the nick or is lost; if there
/// is no nick; if the output cannot be written.
pub fn run(config: &Connect, texts: &'static Texts) -> Result<u8, Error> {
    let look = Look::here(config.format);
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;
    smol::block_on(async {
        let keyboard = plain::keyboard();
        let interrupted = async { Err(interrupts.next().await) };
        let arrive = async { Ok(arrive(config, texts, look, &keyboard).await) };
        let (stream, server) = match or(interrupted, arrive).await {
            Ok(arrived) => arrived?,
            Err(interrupt) => return Ok(interrupt.status()),
        };
        let printer = Printer::start();
        let conversation = Conversation::new(config, look, server, &stream, &printer, keyboard);
        let failure = match conversation.run(&mut interrupts).await {
            Ending::Done | Ending::Unheard => None,
            Ending::Failed(error) => Some(error),
            Ending::Interrupted(interrupt) => return Ok(interrupt.status()),
        };
        // Who asks us to stop does not wait for the output.
        let interrupted = async { Err(interrupts.next().await) };
        let printed = match or(interrupted, async { Ok(printer.finish().await) }).await {
            Ok(printed) => printed,
            Err(interrupt) => return Ok(interrupt.status()),
        };
        match (failure, printed) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(0),
            // Whoever reads the output has had enough.
            (None, Err(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            (None, Err(err)) => Err(Error::Output(err)),
        }
    })
}

/// Finds the server and connects to it. Also tells what people call it.
async fn arrive(
    config: &Connect,
    texts: &Texts,
    look: Look,
    keyboard: &Receiver<Vec<u8>>,
) -> Result<(Async<TcpStream>, String), Error> {
    let place = find::find(config, texts, look.interactive, keyboard).await?;
    let late = async {
        Timer::after(config.timeout).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "nobody answers"))
    };
    let stream = or(reach(&place.addresses), late).await;
    let port = place.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
    let stream = stream.map_err(|err| Error::Connect(place.name.clone(), port, err))?;
    Ok((stream, place.name))
}

/// What standard input and output are.
#[derive(Clone, Copy)]
struct Look {
    /// None for the protocol as it is.
    style: Option<Style>,
    /// What is printed meets a terminal.
    terminal: bool,
    /// What is read comes from one.
    interactive: bool,
}

impl Look {
    fn here(format: Format) -> Look {
        let terminal = io::stdout().is_terminal();
        let colour = wants_colour(terminal, |name| env::var(name).unwrap_or_default());
        colored::control::set_override(colour);
        #[cfg(windows)]
        colored::control::set_virtual_terminal(true).ok();
        let style = match format {
            Format::Text if terminal => Some(Style::Person { colour }),
            Format::Text => Some(Style::Columns { colour }),
            Format::Json => Some(Style::Json),
            Format::Raw => None,
        };
        Look { style, terminal, interactive: io::stdin().is_terminal() }
    }
}

/// Whether to print in colour: on a terminal that can, unless the user wants it
/// nowhere (`NO_COLOR`, of any value) or everywhere (`CLICOLOR_FORCE`, but 0).
fn wants_colour(terminal: bool, variable: impl Fn(&str) -> String) -> bool {
    match (variable("NO_COLOR").as_str(), variable("CLICOLOR_FORCE").as_str()) {
        ("", "" | "0") => terminal && variable("TERM") != "dumb",
        ("", _) => true,
        _ => false,
    }
}

/// Tries the addresses one after the other, without waiting long for any. The
/// first connection wins; if there is none, the last error tells why.
async fn reach(addresses: &[SocketAddr]) -> io::Result<Async<TcpStream>> {
    let executor = LocalExecutor::new();
    let (sender, results) = async_channel::unbounded();
    for (&address, turn) in addresses.iter().zip(0..) {
        let sender = sender.clone();
        let attempt = async move {
            Timer::after(STAGGER * turn).await;
            // The race may be over.
            sender.send(Async::<TcpStream>::connect(address).await).await.ok();
        };
        executor.spawn(attempt).detach();
    }
    drop(sender);
    let finish = async {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        while let Ok(result) = results.recv().await {
            match result {
                Ok(stream) => return Ok(stream),
                Err(err) => failure = err,
            }
        }
        Err(failure)
    };
    executor.run(finish).await
}

/// How a conversation ends.
enum Ending {
    /// As it should.
    Done,
    /// Nobody reads what we print.
    Unheard,
    Interrupted(Interrupt),
    Failed(Error),
}

/// The next thing that happens.
enum Happening {
    /// The server has sent so many bytes.
    Heard(io::Result<usize>),
    /// The kernel has taken so many bytes.
    Sent(io::Result<usize>),
    /// A line was typed; none at the end of the input.
    Typed(Option<Vec<u8>>),
    Interrupted(Interrupt),
    /// What we print goes nowhere.
    Unheard,
    /// The server has owed us an answer for too long.
    Late,
}

struct Conversation<'a> {
    config: &'a Connect,
    look: Look,
    /// What people call the server.
    server: String,
    stream: &'a Async<TcpStream>,
    printer: &'a Printer,
    keyboard: Receiver<Vec<u8>>,
    dialogue: Dialogue,
    /// The input has not ended.
    typing: bool,
    /// What has to be sent.
    unsent: Vec<u8>,
    /// Something could not be sent.
    lost: bool,
    /// What has to be printed.
    unprinted: Vec<u8>,
    /// When something last went or came back.
    progress: Instant,
    /// The cursor stands behind a question.
    asking: bool,
}

impl<'a> Conversation<'a> {
    fn new(
        config: &'a Connect,
        look: Look,
        server: String,
        stream: &'a Async<TcpStream>,
        printer: &'a Printer,
        keyboard: Receiver<Vec<u8>>,
    ) -> Self {
        stream.get_ref().set_nodelay(true).ok(); // It only would be slower.
        Conversation {
            config,
            look,
            server,
            stream,
            printer,
            keyboard,
            dialogue: Dialogue::raw(),
            typing: true,
            unsent: Vec::new(),
            lost: false,
            unprinted: Vec::new(),
            progress: Instant::now(),
            asking: false,
        }
    }

    async fn run(mut self, interrupts: &mut Interrupts) -> Ending {
        let mut lines = LineBuffer::new(MAX_EVENT);
        let mut bytes = vec![0; READ];
        let mut acts = Vec::new();
        if self.look.style.is_some() {
            (self.dialogue, acts) =
                Dialogue::begin(self.config.nick.as_deref(), self.look.interactive);
        }
        loop {
            let end = self.perform(acts);
            if !self.unprinted.is_empty() {
                let text = std::mem::take(&mut self.unprinted);
                let interrupted = async { Err(interrupts.next().await) };
                let print = async {
                    self.printer.print(text).await;
                    Ok(())
                };
                if let Err(interrupt) = or(interrupted, print).await {
                    return Ending::Interrupted(interrupt);
                }
            }
            if let Some(end) = end {
                return end;
            }
            acts = match self.next(&mut bytes, interrupts).await {
                Happening::Heard(Ok(0) | Err(_)) => self.dialogue.closed(),
                Happening::Heard(Ok(n)) => {
                    if self.look.style.is_none() {
                        // In raw lines, any may be an answer.
                        self.progress = Instant::now();
                    }
                    self.hear(&mut lines, &bytes[..n])
                }
                Happening::Sent(Ok(n)) => {
                    self.progress = Instant::now();
                    self.unsent.drain(..n);
                    Vec::new()
                }
                // There may be something left to hear.
                Happening::Sent(Err(_)) => {
                    self.lost = true;
                    self.unsent.clear();
                    Vec::new()
                }
                Happening::Typed(Some(line)) => self.typed(&line),
                Happening::Typed(None) => {
                    self.typing = false;
                    let nameless = !self.dialogue.knows_a_nick();
                    if self.config.stay && !nameless {
                        Vec::new()
                    } else {
                        self.dialogue.end_of_input()
                    }
                }
                Happening::Interrupted(interrupt) => return Ending::Interrupted(interrupt),
                Happening::Unheard => return Ending::Unheard,
                // As far as can be known, everything was heard. Some say no goodbye.
                Happening::Late
                    if self.dialogue.is_leaving()
                        && (self.dialogue.unanswered() == 0 || !self.dialogue.is_answered()) =>
                {
                    vec![Act::End]
                }
                Happening::Late => {
                    return Ending::Failed(Error::Silent(self.server.clone(), self.patience()));
                }
            };
        }
    }

    /// Waits for whatever happens first. Nothing is taken from the keyboard that
    /// could not be sent, and sending never keeps from reading: a server may not
    /// listen until it was listened to.
    async fn next(&self, bytes: &mut [u8], interrupts: &mut Interrupts) -> Happening {
        let (mut reader, mut writer) = (self.stream, self.stream);
        let sent = async {
            match self.unsent.is_empty() {
                true => future::pending().await,
                false => Happening::Sent(writer.write(&self.unsent).await),
            }
        };
        let typed = async {
            match self.typing
                && self.dialogue.listens_to_the_user()
                && self.unsent.len() < MAX_UNSENT
            {
                true => Happening::Typed(self.keyboard.recv().await.ok()),
                false => future::pending().await,
            }
        };
        let late = async {
            match self.dialogue.awaits_the_server() {
                true => Timer::at(self.progress + self.patience()).await,
                false => future::pending().await,
            };
            Happening::Late
        };
        let heard = async { Happening::Heard(reader.read(bytes).await) };
        let interrupted = async { Happening::Interrupted(interrupts.next().await) };
        let unheard = async {
            self.printer.broken().await;
            Happening::Unheard
        };
        // A server that never stops talking keeps nobody from leaving.
        or(interrupted, or(unheard, or(late, or(sent, race(heard, typed))))).await
    }

    /// How long the server may leave us without an answer. It may also listen
    /// more slowly than we talk.
    fn patience(&self) -> Duration {
        match self.dialogue.is_leaving() {
            true => GOODBYE + LISTENING * self.dialogue.unanswered(),
            false => self.config.timeout,
        }
    }

    /// What follows from some bytes of the server's.
    fn hear(&mut self, lines: &mut LineBuffer, mut bytes: &[u8]) -> Vec<Act> {
        if self.look.style.is_none() && !self.look.terminal {
            self.unprinted.extend_from_slice(bytes);
        }
        let mut acts = Vec::new();
        while let Some(line) = lines.next_line(&mut bytes) {
            acts.extend(match line {
                Ok([]) => Vec::new(),
                Ok(line) => self.dialogue.heard(&String::from_utf8_lossy(line)),
                Err(_) => vec![Act::Hint(
                    "the server sent a line that is too long; it is left out".into(),
                )],
            });
        }
        acts
    }

    fn typed(&mut self, line: &[u8]) -> Vec<Act> {
        self.asking = false;
        if self.look.style.is_some() {
            return self.dialogue.typed(&String::from_utf8_lossy(line));
        }
        // Raw lines are sent as they are, whatever they are.
        self.dialogue.said_raw(1);
        self.unsent.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.unsent.push(b'\n');
        }
        Vec::new()
    }

    /// Does what the dialogue wants, as far as that needs no waiting.
    fn perform(&mut self, acts: Vec<Act>) -> Option<Ending> {
        let now = Local::now();
        for act in acts {
            if self.asking && !matches!(act, Act::Send(_) | Act::AskNick) {
                self.asking = false;
                writeln!(io::stderr()).ok(); // The cursor stands behind the question.
            }
            match act {
                Act::Send(line) => {
                    self.unsent.extend_from_slice(line.as_bytes());
                    self.unsent.push(b'\n');
                    self.progress = Instant::now();
                }
                Act::Show(record) => {
                    if record.own
                        || matches!(record.kind, Kind::Users | Kind::Welcome | Kind::Error)
                    {
                        self.progress = Instant::now();
                    }
                    let style = self.look.style.expect("a raw dialogue shows raw lines");
                    self.unprinted.extend_from_slice(paint(style, &record, now).as_bytes());
                }
                Act::ShowRaw(line) if self.look.terminal => {
                    self.unprinted.extend_from_slice(paint_raw(&line).as_bytes());
                }
                // Elsewhere, what came was printed as it came.
                Act::ShowRaw(_) => (),
                Act::Hint(text) => drop(writeln!(io::stderr(), "* {text}")),
                Act::AskNick => {
                    self.asking = true;
                    write!(io::stderr(), "Nickname: ").ok();
                }
                Act::End if self.lost || !self.unsent.is_empty() => {
                    return Some(Ending::Failed(self.explain(Failure::Lost)));
                }
                Act::End => return Some(Ending::Done),
                Act::Fail(failure) => return Some(Ending::Failed(self.explain(failure))),
            }
        }
        None
    }

    fn explain(&self, failure: Failure) -> Error {
        let server = self.server.clone();
        match failure {
            Failure::NoNick => Error::NoNick,
            Failure::Nick(nick, why) => Error::Nick(nick, why),
            Failure::Refused(why) => Error::Refused(server, why),
            Failure::Lost => {
                let again = match &self.config.target {
                    Target::Any => "minichat".to_string(),
                    Target::Named(name) => format!("minichat connect {name:?}"),
                    Target::Host(..) => format!("minichat connect {server}"),
                };
                Error::Lost(server, again)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_and_for_those_who_insist() {
        for (terminal, no_color, force, term, expected) in [
            (true, "", "", "xterm", true),
            (true, "", "", "", true),
            (true, "", "", "dumb", false),
            (true, "0", "", "xterm", false),
            (false, "", "", "xterm", false),
            (false, "", "0", "xterm", false),
            (false, "", "1", "dumb", true),
            (true, "1", "1", "xterm", false),
        ] {
            let variable = |name: &str| match name {
                "NO_COLOR" => no_color.to_string(),
                "CLICOLOR_FORCE" => force.to_string(),
                _ => term.to_string(),
            };
            assert_eq!(
                wants_colour(terminal, variable),
                expected,
                "{no_color:?} {force:?} {term:?}"
            );
        }
    }
}
