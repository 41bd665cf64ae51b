//! A client for lines: what is typed is said, what is heard is printed.
//!
//! The dialogue knows what to say and what to show, the formatter how it looks; the
//! terminal is where the user sits. This connects them with a socket.

mod burst;
mod connect;
mod conversation;
mod dialogue;
mod encryption;
mod find;
mod format;
mod hidden;
mod link;
mod members;
mod notices;
mod opening;
mod own_room;
mod plain;
mod record;
mod since;
mod terminal;
mod transport;
mod typeahead;

use std::io::{self};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::or;

use crate::client::connect::arrive;
use crate::client::conversation::{Conversation, Ending};
use crate::client::encryption::Trust;
use crate::client::find::FoundServer;
use crate::client::plain::Printer;
use crate::client::since::SinceFile;
use crate::client::terminal::Terminal;
use crate::client::transport::Transport;
use crate::config::{Connect, Format, Target};
use crate::error::{Error, plain as plain_words};
use crate::hosting::HostedRoom;
use crate::interrupt::Interrupts;
use crate::log_file::LogFile;
use crate::screen::{self, Stream};
use crate::secure::Password;
use crate::terminal::LAST_LINES;
use crate::texts::Texts;
use crate::trust::{self, KnownServers};
use crate::wire::sanitize::visible;

pub use crate::client::dialogue::commands::chat_commands;

/// How often a hosted room is looked for again that does not answer, and after how long.
const TRIES: u32 = 2;
const MOVING: Duration = Duration::from_millis(500);
/// How long the last lines of the log may take.
const LOG: Duration = Duration::from_millis(500);

/// Joins a chat and stays until the input, the user or the server ends it.
/// Returns the exit status: 0, or what an [`Interrupt`](crate::interrupt::Interrupt) asks for.
///
/// # Errors
/// If the server cannot be reached, does not take the nick or is lost; if there
/// is no nick; if the output or the log cannot be written.
pub fn run(config: &Connect, texts: &'static Texts) -> Result<u8, Error> {
    // A log may take long to open. Until signals are watched for, they end the program.
    let log = config.log.as_deref().map(open_log).transpose();
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;
    let terminal = Terminal::open(config, interrupts.trigger(), texts)?;
    if let Some(editor) = &terminal.editor {
        editor.restore_on_panic();
    }
    let since = config.since.as_deref().map(read_since).transpose();
    let chat = async { chat(config, texts, &terminal, &mut interrupts, (log?, since?)).await };
    let status = smol::block_on(chat);
    // Errors are shown on a terminal as it was found.
    match &terminal.editor {
        Some(editor) => {
            editor.finish_with("", Instant::now() + LAST_LINES, || terminal.close());
        }
        None => terminal.close(),
    }
    status
}

async fn chat(
    config: &Connect,
    texts: &'static Texts,
    terminal: &Terminal,
    interrupts: &mut Interrupts,
    (log, place): (Option<LogFile>, Option<Option<(String, u64)>>),
) -> Result<u8, Error> {
    let log = log.map(|file| start_log(file, terminal, interrupts, texts)).transpose()?;
    let known = KnownServers::open(trust::folder().as_deref());
    let password = config.password.as_deref().and_then(|given| Password::new(given).ok());
    let trust = Trust::new(known, config.encrypted, password);
    let interrupted = async { Err(interrupts.next().await) };
    let arrive = async { Ok(find_or_open(config, texts, terminal, &trust).await) };
    let (mut transport, server, hosted) = match or(interrupted, arrive).await {
        Ok(arrived) => arrived?,
        Err(interrupt) => return Ok(terminal.user_left(interrupt.status())),
    };
    let printer = match terminal.editor.clone() {
        Some(editor) => Printer::start(move |text| {
            editor.print(&screen::fit(&String::from_utf8_lossy(text), Stream::Output))
        }),
        // Programs read JSON, at a terminal, too.
        None if terminal.output_is_terminal && config.format != Format::Json => {
            Printer::start(|text| {
                let rows = String::from_utf8_lossy(text);
                plain::print(screen::fit(&rows, Stream::Output).as_bytes())
            })
        }
        None => Printer::start_output(),
    };
    let printer = printer.map_err(Error::Threads)?;
    let mut conversation =
        Conversation::new(config, texts, terminal, &trust, server, &printer, log);
    if let Some((term, number)) = place.flatten() {
        conversation.dialogue.resume(&term, number);
    }
    conversation.since = start_since(config, terminal, texts)?;
    conversation.hosted = hosted;
    let ending = loop {
        match conversation.run(transport, interrupts).await {
            Ending::Away(None) if conversation.may_go_on() => {
                match conversation.go_on(interrupts).await {
                    Ok(again) => transport = again,
                    Err(ending) => break ending,
                }
            }
            Ending::Away(why) => match conversation.come_back(&why, interrupts).await {
                Ok(again) => transport = again,
                Err(ending) => break ending,
            },
            Ending::Unhurried => match conversation.await_nick(interrupts).await {
                Ok(again) => transport = again,
                Err(ending) => break ending,
            },
            ending => break ending,
        }
    };
    if let Some(room) = conversation.hosted.take() {
        own_room::close(room, interrupts).await;
    }
    if let Ending::Done = ending {
        conversation.look_for_the_rest().await;
    }
    if let Some(log) = conversation.log.take() {
        // A disk that hangs is not waited for longer than a person would.
        let late = async {
            Timer::after(LOG).await;
            Ok(())
        };
        let unlogged = std::mem::take(&mut conversation.unlogged);
        let rest = async {
            log.print(unlogged).await;
            log.finish().await
        };
        or(rest, late).await.ok(); // It was said if it could not be written.
    }
    if let Some(since) = conversation.since.take() {
        since.finish(LOG);
    }
    if matches!(ending, Ending::Interrupted(_)) || conversation.dialogue.is_leaving() {
        terminal.user_left(0);
    }
    let unreadable = conversation.unreadable.take();
    let status = u8::from(conversation.refused);
    let failure = match ending {
        Ending::Done | Ending::Failed(Error::NoNick) if unreadable.is_some() => {
            unreadable.map(Error::Input)
        }
        Ending::Done | Ending::Unheard => None,
        Ending::Failed(error) => Some(error),
        Ending::Away(_) | Ending::Unhurried => {
            unreachable!("whoever is away comes back or ends otherwise")
        }
        Ending::Interrupted(interrupt) => return Ok(interrupt.status()),
    };
    // A request to stop does not wait for the output.
    let interrupted = async { Err(interrupts.next().await) };
    let printed = match or(interrupted, async { Ok(printer.finish().await) }).await {
        Ok(printed) => printed,
        Err(interrupt) => return Ok(interrupt.status()),
    };
    match (failure, printed) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(status),
        // The reader of the output has closed it.
        (None, Err(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        (None, Err(err)) => Err(Error::Output(err)),
    }
}

/// Finds a server and joins it, or opens a room if there is none and the user wants that.
///
/// The record of a hosted room may be left from a machine that is gone. The room may also be on
/// its way to another machine, so it is looked for again.
async fn find_or_open(
    config: &Connect,
    texts: &'static Texts,
    terminal: &Terminal,
    trust: &Trust,
) -> Result<(Transport, FoundServer, Option<HostedRoom>), Error> {
    let (mut gone, mut tries) = (Vec::new(), 0);
    loop {
        let Some(server) = find::find(config, texts, terminal, &gone).await? else {
            let (transport, server, room) = own_room::open(config, texts, terminal, trust).await?;
            return Ok((transport, server, Some(room)));
        };
        let marks = server.hosted.filter(|_| config.target == Target::Any);
        match (arrive(config, texts, terminal, trust, server).await, marks) {
            (Err(Error::Connect(..)), Some(_)) if tries < TRIES => {
                tries += 1;
                Timer::after(MOVING).await;
            }
            // Nothing of that room is there any more.
            (Err(err @ Error::Connect(..)), Some(marks)) if opening::may_open(config, terminal) => {
                terminal.remark(&format!("* {}", err.tell(texts)));
                gone.push(marks);
            }
            (arrived, _) => return arrived.map(|(transport, server)| (transport, server, None)),
        }
    }
}

fn open_log(path: &Path) -> Result<LogFile, Error> {
    LogFile::open(path).map_err(|err| Error::Log(path.into(), err))
}

/// The place up to which an earlier run has read; none if there was none.
fn read_since(path: &Path) -> Result<Option<(String, u64)>, Error> {
    since::read(path).map_err(|err| Error::Since(path.into(), err))
}

/// Begins to remember what was read.
fn start_since(
    config: &Connect,
    terminal: &Terminal,
    texts: &'static Texts,
) -> Result<Option<SinceFile>, Error> {
    let Some(path) = config.since.clone() else { return Ok(None) };
    let (editor, remarks) = (terminal.editor.clone(), terminal.remarks.clone());
    let shown = visible(&path.display().to_string()).into_owned();
    let complain = move |err: &io::Error| {
        let what = (texts.client.since_failed)(&shown, &plain_words(err, &texts.error));
        terminal::remark(editor.as_ref(), &remarks, &(texts.server.warning)(&what));
    };
    SinceFile::start(path, complain).map(Some).map_err(Error::Threads)
}

/// Writes to the log on a thread of its own, because a disk may hang.
fn start_log(
    file: LogFile,
    terminal: &Terminal,
    interrupts: &mut Interrupts,
    texts: &'static Texts,
) -> Result<Printer, Error> {
    let (editor, remarks) = (terminal.editor.clone(), terminal.remarks.clone());
    let path = visible(&file.path().display().to_string()).into_owned();
    let log = Arc::new(file);
    let complain = move |err: &io::Error| {
        let what = (texts.server.log_failed)(&path, &plain_words(err, &texts.error));
        // The chat goes on.
        terminal::remark(editor.as_ref(), &remarks, &(texts.server.warning)(&what));
    };
    let rotation = log.clone().rotation(interrupts.outlive_terminal(), complain.clone());
    interrupts.on_hang_up(rotation);
    let printer = Printer::start(move |lines| {
        log.append(lines).unwrap_or_else(|err| complain(&err));
        Ok(())
    });
    printer.map_err(Error::Threads)
}
