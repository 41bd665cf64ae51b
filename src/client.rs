//! A client for lines: what is typed is said, what is heard is printed.
//!
//! The dialogue knows what to say and what to show, the formatter how it looks; the
//! terminal is where the user sits. This connects them with a socket.

mod burst;
mod commands;
mod dialogue;
mod find;
mod format;
mod link;
mod members;
mod notices;
mod plain;
mod terminal;
mod typeahead;

use std::env;
use std::future::{self, Future};
use std::io::{self, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Local;
use smol::future::{or, race};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer};

use crate::config::{Connect, Format, Target};
use crate::discovery;
use crate::error::{Error, plain as plain_words};
use crate::interrupt::{Interrupt, Interrupts};
use crate::invitation;
use crate::log_file::LogFile;
use crate::screen::{self, Stream};
use crate::stdio::Piece;
use crate::terminal::{LAST_LINES, Prompt};
use crate::texts::Texts;
use crate::web;
use crate::wire::sanitize::visible;
use crate::wire::{DEFAULT_PORT, LineBuffer, MAX_EVENT};
use burst::InputPiece;
use dialogue::{Action, Dialogue, Failure, Kind, Mode, Record};
use find::FoundServer;
use format::{Formatter, Style, columns, format_raw};
use link::{Question, Verdict, Watch};
use notices::Presence;
use plain::Printer;
use terminal::Terminal;

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
/// How long it may neither take nor answer anything of what we say. A server that allows
/// 50 short lines a second takes some only every few minutes, when it has heard all that
/// its buffers hold.
const STUCK: Duration = Duration::from_secs(600);

/// How many bytes may wait for a log that is slow, until some are left out.
const MAX_UNLOGGED: usize = 1 << 20;
/// How soon it is tried again to give them to it.
const LAG: Duration = Duration::from_millis(100);
/// How long the last lines of the log may take.
const LOG: Duration = Duration::from_millis(500);
/// How long a program may take to say what comes behind the end of the conversation.
const REST: Duration = Duration::from_millis(100);
/// How long to wait before the first attempt to come back, and at most between two.
const COME_BACK: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// How soon an address is tried once more in the same attempt. The kernel would wait 1,
/// 2 and 4 s before it sends a lost packet again.
const KNOCK: Duration = Duration::from_millis(800);
/// How long a server of the same title is looked for before its old address is tried, too.
const HEAD_START: Duration = Duration::from_millis(600);

/// Joins a chat and stays until the input, the user or the server ends it.
/// Returns the exit status: 0, or what an [`Interrupt`] asks for.
///
/// # Errors
/// If the server cannot be reached, does not take the nick or is lost; if there
/// is no nick; if the output or the log cannot be written.
pub fn run(config: &Connect, texts: &'static Texts) -> Result<u8, Error> {
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;
    let terminal = Terminal::open(config, interrupts.trigger(), texts)?;
    if let Some(editor) = &terminal.editor {
        editor.restore_on_panic();
    }
    let status = smol::block_on(chat(config, texts, &terminal, &mut interrupts));
    // Whatever else is said is said on a terminal as it was found.
    if let Some(editor) = &terminal.editor {
        editor.finish("", Instant::now() + LAST_LINES);
    }
    terminal.close();
    status
}

async fn chat(
    config: &Connect,
    texts: &'static Texts,
    terminal: &Terminal,
    interrupts: &mut Interrupts,
) -> Result<u8, Error> {
    let log = config.log.as_deref().map(|path| open_log(path, terminal, interrupts, texts));
    let log = log.transpose()?;
    let interrupted = async { Err(interrupts.next().await) };
    let arrive = async { Ok(arrive(config, texts, terminal).await) };
    let (mut stream, server) = match or(interrupted, arrive).await {
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
    let mut conversation = Conversation::new(config, texts, terminal, server, &printer, log);
    let ending = loop {
        match conversation.run(stream, interrupts).await {
            Ending::Away(why) => match conversation.come_back(&why, interrupts).await {
                Ok(again) => stream = again,
                Err(ending) => break ending,
            },
            Ending::Unhurried => match conversation.await_nick(interrupts).await {
                Ok(again) => stream = again,
                Err(ending) => break ending,
            },
            ending => break ending,
        }
    };
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
    // Who asks us to stop does not wait for the output.
    let interrupted = async { Err(interrupts.next().await) };
    let printed = match or(interrupted, async { Ok(printer.finish().await) }).await {
        Ok(printed) => printed,
        Err(interrupt) => return Ok(interrupt.status()),
    };
    match (failure, printed) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(status),
        // Whoever reads the output has had enough.
        (None, Err(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        (None, Err(err)) => Err(Error::Output(err)),
    }
}

/// Opens the log, and writes to it on a thread of its own: a disk may hang.
fn open_log(
    path: &Path,
    terminal: &Terminal,
    interrupts: &mut Interrupts,
    texts: &'static Texts,
) -> Result<Printer, Error> {
    let log = LogFile::open(path).map_err(|err| Error::Log(path.into(), err))?;
    let log = Arc::new(log);
    let (editor, remarks) = (terminal.editor.clone(), terminal.remarks.clone());
    let path = visible(&path.display().to_string()).into_owned();
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

/// Finds the server and connects to it.
async fn arrive(
    config: &Connect,
    texts: &Texts,
    terminal: &Terminal,
) -> Result<(Async<TcpStream>, FoundServer), Error> {
    let server = find::find(config, texts, terminal).await?;
    let stream = reach_in_time(&server.addresses, 1, config.timeout).await;
    let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
    let stream = stream.map_err(|err| Error::Connect(server.name.clone(), port, err))?;
    Ok((stream, server))
}

async fn reach_in_time(
    addresses: &[SocketAddr],
    times: u32,
    patience: Duration,
) -> io::Result<Async<TcpStream>> {
    let late = async {
        Timer::after(patience).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "nobody answers"))
    };
    or(reach(addresses, times), late).await
}

/// Tries the addresses one after the other, without waiting long for any, and all of them
/// so many times. The first connection wins; if there is none, the last error tells why.
async fn reach(addresses: &[SocketAddr], times: u32) -> io::Result<Async<TcpStream>> {
    let executor = LocalExecutor::new();
    let (sender, results) = async_channel::unbounded();
    let attempts = (0..times).flat_map(|time| addresses.iter().zip(0..).map(move |to| (time, to)));
    for (time, (&address, turn)) in attempts {
        let sender = sender.clone();
        let attempt = async move {
            Timer::after(KNOCK * time + STAGGER * turn).await;
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
    /// The server does not let us stay, for now, and why; or is lost.
    Away(Option<String>),
    /// The connection ended before there was a nick. It is made anew for the nick.
    Unhurried,
    Interrupted(Interrupt),
    Failed(Error),
}

/// The next thing that happens.
enum Happening {
    /// The server has sent so many bytes.
    Heard(io::Result<usize>),
    /// The kernel has taken so many bytes.
    Sent(io::Result<usize>),
    /// A line was typed, or a part of a long one; none at the end of the input.
    Typed(io::Result<Option<InputPiece>>),
    Interrupted(Interrupt),
    /// What we print goes nowhere.
    Unheard,
    /// The server has owed us an answer for too long.
    Late,
    /// It is time to look whether the server is still there.
    Look,
    /// The server was asked whether it is there.
    Asked(bool),
    /// The dialogue has something to tell.
    Passed,
    /// The log had no room for something a while ago.
    Behind,
}

struct Conversation<'a> {
    config: &'a Connect,
    texts: &'static Texts,
    terminal: &'a Terminal,
    /// Where the server was.
    server: FoundServer,
    printer: &'a Printer,
    log: Option<Printer>,
    dialogue: Dialogue,
    /// None for the protocol as it is.
    formatter: Option<Formatter>,
    /// The input has not ended.
    typing: bool,
    /// Why the input could not be read to its end.
    unreadable: Option<io::Error>,
    /// Nothing was typed yet.
    fresh: bool,
    /// Something of the input was not said.
    refused: bool,
    /// What has to be sent.
    unsent: Vec<u8>,
    /// Something could not be sent.
    lost: bool,
    /// What has to be printed.
    unprinted: Vec<u8>,
    /// What has to be logged.
    unlogged: Vec<u8>,
    began: Instant,
    /// When something last went or came back.
    progress: Instant,
    /// The cursor stands behind a question.
    asking: bool,
    /// Why the server did not let us back in, when that was last said.
    kept_out: Option<String>,
    /// Where the server was when a connection was last made.
    address: Option<SocketAddr>,
    /// The nick was thought about for so long that the connection may be dead.
    stale: bool,
    /// The nick is the answer to a question that was asked on this connection.
    answered: bool,
}

impl<'a> Conversation<'a> {
    fn new(
        config: &'a Connect,
        texts: &'static Texts,
        terminal: &'a Terminal,
        server: FoundServer,
        printer: &'a Printer,
        log: Option<Printer>,
    ) -> Self {
        let colour = terminal.colour;
        let style = match config.format {
            Format::Text if terminal.output_is_terminal => Some(Style::Person { colour }),
            Format::Text => Some(Style::Columns { colour }),
            Format::Json => Some(Style::Json),
            Format::Raw => None,
        };
        let mode = match style {
            None => Mode::Raw,
            Some(_) if terminal.editor.is_some() => Mode::Editor,
            Some(_) if terminal.is_interactive => Mode::Plain,
            Some(_) => Mode::Script,
        };
        let names = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| env::var(name).ok());
        let suggested_nick = names.as_deref().and_then(dialogue::suggest_nick);
        let texts_here = &texts.client;
        let mut dialogue = Dialogue::new(mode, suggested_nick.as_deref(), config.bell, texts_here);
        if config.text {
            dialogue.take_all_as_text();
        }
        Conversation {
            config,
            texts,
            terminal,
            server,
            printer,
            log,
            dialogue,
            formatter: style.map(|style| Formatter::new(style, texts_here)),
            typing: true,
            unreadable: None,
            fresh: true,
            refused: false,
            unsent: Vec::new(),
            lost: false,
            unprinted: Vec::new(),
            unlogged: Vec::new(),
            began: Instant::now(),
            progress: Instant::now(),
            asking: false,
            kept_out: None,
            address: None,
            stale: false,
            answered: false,
        }
    }

    /// Talks over one connection until it ends.
    async fn run(&mut self, stream: Async<TcpStream>, interrupts: &mut Interrupts) -> Ending {
        self.arrived(&stream);
        let mut watch = Watch::start(stream.get_ref());
        let mut question = None;
        let mut lines = LineBuffer::new(MAX_EVENT);
        let mut bytes = vec![0; READ];
        let began = Instant::now();
        let mut actions = self.dialogue.connected(self.config.nick.as_deref());
        loop {
            let end = self.perform(actions);
            if let Err(ending) = self.print(interrupts).await {
                return ending;
            }
            if let Some(end) = end {
                return end;
            }
            actions = match self.next(&stream, &mut bytes, &watch, &mut question, interrupts).await
            {
                // It thought no more of us.
                Happening::Heard(Ok(0) | Err(_)) if self.begins_anew() || self.ended_unheard() => {
                    return Ending::Unhurried;
                }
                Happening::Heard(Ok(0)) => {
                    // Wine takes a reset for an end, but nothing can be written after it.
                    self.lost |= stream.get_ref().write(&[]).is_err();
                    self.dialogue.closed()
                }
                Happening::Heard(Err(_)) => {
                    self.lost = true; // That is no way to say goodbye.
                    self.dialogue.closed()
                }
                Happening::Heard(Ok(n)) => {
                    let owes = !self.unsent.is_empty() || self.dialogue.unanswered() > 0;
                    watch.heard(Instant::now(), owes);
                    if self.formatter.is_none() {
                        // In raw lines, any may be an answer.
                        self.progress = Instant::now();
                    }
                    self.hear(&mut lines, &bytes[..n])
                }
                Happening::Sent(Ok(n)) => {
                    self.progress = Instant::now();
                    watch.sent(self.progress);
                    self.unsent.drain(..n);
                    Vec::new()
                }
                // There may be something left to hear.
                Happening::Sent(Err(_)) => {
                    self.lost = true;
                    self.unsent.clear();
                    Vec::new()
                }
                Happening::Typed(Ok(Some(line))) => {
                    let thought = began.elapsed() > self.config.timeout;
                    self.answered = self.terminal.is_interactive && !self.dialogue.knows_a_nick();
                    self.stale = thought && self.answered;
                    self.typed(&line)
                }
                Happening::Typed(Err(err)) => {
                    self.typing = false;
                    self.unreadable = Some(err);
                    self.dialogue.end_of_input()
                }
                Happening::Typed(Ok(None)) => self.end_of_input(),
                Happening::Look => {
                    match watch.look(stream.get_ref(), !self.unsent.is_empty(), Instant::now()) {
                        Verdict::Alive => Vec::new(),
                        Verdict::Gone => match self.gone() {
                            Ok(actions) => actions,
                            Err(ending) => return ending,
                        },
                        Verdict::Doubtful => {
                            if let (None, Some(address)) = (&question, self.address) {
                                question = Some(link::question(address));
                            }
                            Vec::new()
                        }
                    }
                }
                Happening::Asked(there) => {
                    question = None;
                    watch.answered(!self.unsent.is_empty(), Instant::now());
                    match there {
                        true => Vec::new(),
                        false => match self.gone() {
                            Ok(actions) => actions,
                            Err(ending) => return ending,
                        },
                    }
                }
                Happening::Passed => self.dialogue.time_passed(self.began.elapsed()),
                Happening::Behind => Vec::new(),
                Happening::Interrupted(interrupt) => return Ending::Interrupted(interrupt),
                Happening::Unheard => return Ending::Unheard,
                // As far as can be known, everything was heard. Some say no goodbye.
                Happening::Late
                    if self.dialogue.is_leaving()
                        && (self.dialogue.unanswered() == 0 || !self.dialogue.is_answered()) =>
                {
                    vec![Action::End]
                }
                Happening::Late if self.begins_anew() => return Ending::Unhurried,
                Happening::Late if self.comes_back() => return Ending::Away(None),
                Happening::Late if self.dialogue.awaits_the_server() => {
                    let (server, patience) = (self.server.name.clone(), self.patience());
                    return Ending::Failed(Error::Silent(server, patience.unwrap_or_default()));
                }
                Happening::Late => self.dialogue.closed(),
            };
        }
    }

    /// Waits for whatever happens first. Nothing is taken from the keyboard that
    /// could not be sent, and sending never keeps from reading: a server may not
    /// listen until it was listened to.
    async fn next(
        &self,
        stream: &Async<TcpStream>,
        bytes: &mut [u8],
        watch: &Watch,
        question: &mut Option<Question>,
        interrupts: &mut Interrupts,
    ) -> Happening {
        let (mut reader, mut writer) = (stream, stream);
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
                true => Happening::Typed(self.terminal.next().await),
                false => future::pending().await,
            }
        };
        let late = async {
            match self.patience() {
                Some(patience) => Timer::at(self.progress + patience).await,
                None => future::pending().await,
            };
            Happening::Late
        };
        let passed = async {
            match self.dialogue.deadline() {
                Some(deadline) => Timer::at(self.began + deadline).await,
                None => future::pending().await,
            };
            Happening::Passed
        };
        let look = async {
            Timer::at(watch.deadline()).await;
            Happening::Look
        };
        let asked = async {
            match question {
                Some(question) => Happening::Asked(question.await),
                None => future::pending().await,
            }
        };
        let logged = async {
            match self.unlogged.is_empty() {
                true => future::pending().await,
                false => Timer::after(LAG).await,
            };
            Happening::Behind
        };
        let heard = async { Happening::Heard(reader.read(bytes).await) };
        let interrupted = async { Happening::Interrupted(interrupts.next().await) };
        let unheard = async {
            self.printer.broken().await;
            Happening::Unheard
        };
        // A server that never stops talking keeps nobody from leaving.
        let ours = or(interrupted, or(unheard, or(or(late, passed), logged)));
        or(ours, or(or(sent, race(heard, typed)), or(look, asked))).await
    }

    /// A connection was made: whether the server is where it was.
    fn arrived(&mut self, stream: &Async<TcpStream>) {
        let address = stream.get_ref().peer_addr().ok();
        if let Some(now) = address {
            let moved = self.address.is_some_and(|before| before != now);
            self.dialogue.arrived(&now.to_string(), moved);
        }
        self.address = address.or(self.address);
    }

    /// The connection is dead, though nothing was heard of that.
    fn gone(&mut self) -> Result<Vec<Action>, Ending> {
        if self.begins_anew() {
            return Err(Ending::Unhurried);
        }
        if self.comes_back() {
            return Err(Ending::Away(None));
        }
        self.lost = true;
        Ok(self.dialogue.closed())
    }

    /// Whether a connection that is lost now is made anew and nothing said of it: a person
    /// has thought about the nick.
    fn begins_anew(&self) -> bool {
        self.stale && self.dialogue.is_registering()
    }

    /// Whether the connection may have ended before the server read the answer to the
    /// question for a nick. Then it is made anew, once.
    fn ended_unheard(&self) -> bool {
        self.answered && self.dialogue.is_registering()
    }

    /// Nothing more will be typed.
    fn end_of_input(&mut self) -> Vec<Action> {
        self.typing = false;
        let stays = self.config.stay && self.terminal.editor.is_none();
        if stays && self.dialogue.knows_a_nick() {
            return Vec::new();
        }
        self.dialogue.end_of_input()
    }

    /// Waits for a nick without a connection, and then makes one.
    async fn await_nick(
        &mut self,
        interrupts: &mut Interrupts,
    ) -> Result<Async<TcpStream>, Ending> {
        (self.lost, self.stale, self.answered) = (false, false, false);
        self.unsent.clear();
        while !self.dialogue.knows_a_nick() {
            let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
            let unheard = async {
                self.printer.broken().await;
                Err(Ending::Unheard)
            };
            let typed = async { Ok(self.terminal.next().await) };
            let actions = match or(interrupted, or(unheard, typed)).await? {
                Ok(Some(line)) => self.typed(&line),
                Ok(None) => self.end_of_input(),
                Err(err) => {
                    self.unreadable = Some(err);
                    self.dialogue.end_of_input()
                }
            };
            if let Some(ending) = self.perform(actions) {
                return Err(ending);
            }
            self.print(interrupts).await?;
        }
        self.unsent.clear();
        if self.dialogue.is_leaving() {
            return Err(Ending::Done);
        }
        let (config, server) = (self.config, self.server.clone());
        let attempt = async move {
            let server = find::find_again(config, &server).await.unwrap_or(server);
            (reach_in_time(&server.addresses, 1, config.timeout).await, server)
        };
        let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
        match or(interrupted, async { Ok(attempt.await) }).await? {
            (Ok(stream), server) => {
                self.server = server;
                Ok(stream)
            }
            _ if self.retries() => self.come_back(&None, interrupts).await,
            (Err(err), server) => {
                let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
                Err(Ending::Failed(Error::Connect(server.name, port, err)))
            }
        }
    }

    /// Waits for the server to come back, wherever it is then. What is typed
    /// meanwhile is not sent. `why` is what it said when it was last there.
    async fn come_back(
        &mut self,
        why: &Option<String>,
        interrupts: &mut Interrupts,
    ) -> Result<Async<TcpStream>, Ending> {
        enum Happening {
            Attempt(Option<(Async<TcpStream>, FoundServer)>),
            Typed(io::Result<Option<InputPiece>>),
            Interrupted(Interrupt),
            Unheard,
        }
        (self.lost, self.asking) = (false, false);
        (self.stale, self.answered) = (false, false);
        self.unsent.clear();
        let mut actions = self.dialogue.lost();
        if let Some(why) = why
            && self.kept_out.replace(why.clone()).as_ref() != Some(why)
        {
            actions.extend(self.dialogue.not_yet(why));
        }
        let [mut pause, longest] = COME_BACK;
        if why.is_some() {
            pause = 2 * longest;
        }
        loop {
            // Not all of a class at once.
            let wait = pause.mul_f64(1.0 + fastrand::f64() / 4.0);
            let (config, server) = (self.config, self.server.clone());
            let attempt = async {
                Timer::after(wait).await;
                attempt(config, server).await
            };
            let mut attempt = Box::pin(attempt);
            loop {
                if let Some(ending) = self.perform(actions) {
                    return Err(ending);
                }
                self.print(interrupts).await?;
                // What a program writes waits until somebody hears it.
                let typed = async {
                    match self.typing && self.dialogue.is_awake_when_away() {
                        true => Happening::Typed(self.terminal.next().await),
                        false => future::pending().await,
                    }
                };
                let attempt = async { Happening::Attempt(attempt.as_mut().await) };
                let interrupted = async { Happening::Interrupted(interrupts.next().await) };
                let unheard = async {
                    self.printer.broken().await;
                    Happening::Unheard
                };
                actions = match or(interrupted, or(unheard, or(typed, attempt))).await {
                    Happening::Interrupted(interrupt) => {
                        return Err(Ending::Interrupted(interrupt));
                    }
                    Happening::Unheard => return Err(Ending::Unheard),
                    Happening::Typed(Ok(Some(line))) => self.typed(&line),
                    Happening::Typed(Ok(None)) => self.end_of_input(),
                    Happening::Typed(Err(err)) => {
                        self.unreadable = Some(err);
                        self.dialogue.end_of_input()
                    }
                    Happening::Attempt(Some((stream, server))) => {
                        self.server = server;
                        return Ok(stream);
                    }
                    Happening::Attempt(None) => break,
                };
            }
            actions = Vec::new();
            pause = (2 * pause).min(longest);
        }
    }

    /// Whether a connection that is lost now may come back.
    fn comes_back(&self) -> bool {
        self.retries() && self.dialogue.may_return()
    }

    /// Whether somebody wants to be back when a connection is lost.
    fn retries(&self) -> bool {
        let wanted = self.terminal.is_interactive || self.config.stay;
        self.config.reconnect && self.formatter.is_some() && wanted
    }

    /// How long the server may leave us without an answer; none if it owes nothing. It
    /// may also listen more slowly than we talk.
    fn patience(&self) -> Option<Duration> {
        if self.dialogue.is_leaving() {
            return Some(GOODBYE + LISTENING * self.dialogue.unanswered());
        }
        match self.dialogue.awaits_the_server() {
            true => Some(self.config.timeout),
            false => (!self.unsent.is_empty()).then(stuck),
        }
    }

    /// What follows from some bytes of the server's.
    fn hear(&mut self, lines: &mut LineBuffer, mut bytes: &[u8]) -> Vec<Action> {
        if self.formatter.is_none() && !self.terminal.output_is_terminal {
            self.unprinted.extend_from_slice(bytes);
        }
        let now = self.began.elapsed();
        let mut actions = Vec::new();
        while let Some(line) = lines.next_line(&mut bytes) {
            actions.extend(match line {
                Ok([]) => Vec::new(),
                Ok(line) => self.dialogue.heard(&String::from_utf8_lossy(line), now),
                Err(_) => vec![Action::Hint(self.texts.client.left_out.into())],
            });
        }
        actions
    }

    fn typed(&mut self, input: &InputPiece) -> Vec<Action> {
        self.asking = false;
        let line = &input.piece;
        if mem::take(&mut self.fresh) && is_utf16(&line.bytes) {
            return vec![Action::Fail(Failure::Utf16)];
        }
        if self.formatter.is_some() {
            let now = self.began.elapsed();
            return match str::from_utf8(&line.bytes) {
                Ok(text) => self.dialogue.read(text, line.begins, line.ends, input.pasted, now),
                Err(_) => self.dialogue.read_garbage(&String::from_utf8_lossy(&line.bytes)),
            };
        }
        // Raw lines are sent as they are, whatever they are.
        self.unsent.extend_from_slice(&line.bytes);
        if line.ends {
            self.dialogue.said_raw(1);
            if !line.bytes.ends_with(b"\n") {
                self.unsent.push(b'\n');
            }
        }
        Vec::new()
    }

    /// Does what the dialogue wants, as far as that needs no waiting.
    fn perform(&mut self, actions: Vec<Action>) -> Option<Ending> {
        for action in actions {
            if self.asking && !matches!(action, Action::Send(_) | Action::AskNick { .. }) {
                self.asking = false;
                self.terminal.break_line(); // The cursor stands behind the question.
            }
            match action {
                Action::Send(line) => {
                    self.unsent.extend_from_slice(line.as_bytes());
                    self.unsent.push(b'\n');
                    self.progress = Instant::now();
                }
                Action::Show(record) => self.show(&record),
                Action::ShowRaw(line) if self.terminal.output_is_terminal => {
                    self.unprinted.extend_from_slice(format_raw(&line).as_bytes());
                }
                // Elsewhere, what came was printed as it came.
                Action::ShowRaw(_) => (),
                Action::Presence(presence, nicks) => self.show_presence(presence, &nicks),
                Action::Hint(text) => self.tell(Formatter::format_hint, &text),
                Action::Note(text) => self.tell(Formatter::format_note, &text),
                Action::Refused(text) if !self.terminal.is_interactive => self.refuse(&text),
                Action::Refused(_) => (), // A person has read the answer itself.
                Action::Call { from, text } => {
                    if let Some(editor) = &self.terminal.editor {
                        editor.call(&from, &text);
                    }
                }
                Action::Ring => {
                    // Within the last line: behind it would be one more.
                    let end = self.unprinted.len().saturating_sub(1);
                    self.unprinted.insert(end, b'\x07');
                }
                Action::AskNick { suggested_nick, draft } => {
                    self.asking = true;
                    self.terminal.ask(&(self.texts.client.nickname)(&suggested_nick), &draft);
                }
                Action::Prompt(nick) => self.set_prompt(&nick),
                Action::Invite => self.invite(),
                // The line is painted anew below it.
                Action::Clear => self.unprinted.extend_from_slice(b"\x1b[H\x1b[J"),
                Action::End if self.lost || !self.unsent.is_empty() => {
                    return Some(Ending::Failed(self.explain(Failure::Lost)));
                }
                Action::End => return Some(Ending::Done),
                Action::Fail(Failure::Lost) | Action::Stopped if self.comes_back() => {
                    return Some(Ending::Away(None));
                }
                Action::Unhurried => return Some(Ending::Unhurried),
                Action::Stopped => {
                    self.show(&Record { kind: Kind::Bye, ..Record::default() });
                    return Some(Ending::Done);
                }
                Action::Fail(Failure::Refused(why)) if self.comes_back() => {
                    return Some(Ending::Away(Some(why)));
                }
                Action::Fail(_) if self.begins_anew() => return Some(Ending::Unhurried),
                Action::Fail(failure) => return Some(Ending::Failed(self.explain(failure))),
            }
        }
        None
    }

    /// Tells the user something about the client itself, painted where there is an editor.
    fn tell(&mut self, format: fn(&Formatter, &str) -> String, text: &str) {
        match (&self.formatter, &self.terminal.editor) {
            (Some(formatter), Some(_)) => {
                self.unprinted.extend_from_slice(format(formatter, text).as_bytes());
            }
            _ => self.terminal.remark(&format!("* {text}")),
        }
    }

    /// Shows how others join this server, and the code of its page on a screen for that.
    fn invite(&mut self) {
        let texts = &self.texts.server;
        let address = self.address.filter(|address| !address.ip().is_loopback());
        let named = address.into_iter().chain(self.server.addresses.iter().copied());
        let ip = discovery::best_for_others(named.map(|address| address.ip()));
        let port = self.address.map_or(DEFAULT_PORT, |address| address.port());
        let mut words = String::new();
        if let Some(title) = &self.server.title {
            words += &invitation::by_name(title, texts);
        }
        if let Some(ip) = ip {
            words += &invitation::by_address(&[ip], port, texts);
        }
        let mut code = Vec::new();
        match (ip, self.server.web) {
            (Some(ip), Some(web)) => {
                let url = web::url(SocketAddr::new(ip, web.get()));
                let (open, rows) = invitation::by_page(&url, !ip.is_loopback(), texts);
                words += &open;
                code = rows;
            }
            (_, None) if self.server.title.is_some() => words += texts.no_page_here,
            // Only a server that was found by its name tells of a page.
            _ => (),
        }
        for line in words.lines() {
            self.tell(Formatter::format_note, line);
        }
        if self.formatter.is_some() && self.terminal.editor.is_some() {
            for row in code {
                self.unprinted.extend_from_slice((row + "\n").as_bytes());
            }
        }
    }

    fn show(&mut self, record: &Record) {
        if record.own || matches!(record.kind, Kind::Users | Kind::Welcome | Kind::Error) {
            self.progress = Instant::now();
        }
        if cfg!(debug_assertions)
            && record.kind == Kind::Welcome
            && env::var_os("MINICHAT_PANIC").is_some()
        {
            panic!("as the test wants");
        }
        let now = Local::now();
        let formatter = self.formatter.as_mut().expect("a raw dialogue shows raw lines");
        self.unprinted.extend_from_slice(formatter.format(record, now).as_bytes());
        if self.log.is_some() {
            self.unlogged.extend_from_slice(columns(record, now, false).as_bytes());
        }
    }

    fn show_presence(&mut self, presence: Presence, nicks: &[String]) {
        let now = Local::now();
        let formatter = self.formatter.as_mut().expect("a raw dialogue shows raw lines");
        self.unprinted
            .extend_from_slice(formatter.format_presence(presence, nicks, now).as_bytes());
        if self.log.is_some() {
            let kind = if presence == Presence::Joined { Kind::Joined } else { Kind::Left };
            for nick in nicks {
                let record = Record { kind, from: Some(nick.clone()), ..Record::default() };
                self.unlogged.extend_from_slice(columns(&record, now, false).as_bytes());
            }
        }
    }

    /// Tells a program that something was not said.
    fn refuse(&mut self, what: &str) {
        self.refused = true;
        self.terminal.remark(&format!("minichat: {what}"));
    }

    /// Tells a program if there is more to say than the conversation was long.
    async fn look_for_the_rest(&mut self) {
        if !self.typing || self.terminal.is_interactive {
            return;
        }
        let blank = |piece: &Piece| piece.bytes.iter().all(u8::is_ascii_whitespace);
        let late = async {
            Timer::after(REST).await;
            false
        };
        let more = async {
            while let Ok(Some(piece)) = self.terminal.next().await {
                if !blank(&piece.piece) {
                    return true;
                }
            }
            false
        };
        if or(more, late).await {
            self.refuse(self.texts.client.rest);
        }
    }

    fn set_prompt(&self, nick: &str) {
        if let Some(editor) = &self.terminal.editor {
            let text = format!("{}> ", visible(nick));
            editor.set_prompt(Prompt { text, ..Prompt::default() });
        }
    }

    /// Prints what is to be printed, as soon as there is room.
    async fn print(&mut self, interrupts: &mut Interrupts) -> Result<(), Ending> {
        if let (Some(editor), Some(nicks)) = (&self.terminal.editor, self.dialogue.changed_nicks())
        {
            editor.set_nicks(nicks);
        }
        if let Some(log) = self.log.as_ref().filter(|_| !self.unlogged.is_empty()) {
            self.unlogged = log.offer(std::mem::take(&mut self.unlogged));
            if self.unlogged.len() > MAX_UNLOGGED {
                self.unlogged = Vec::new();
                let path = self.config.log.as_deref().unwrap_or(Path::new(""));
                let gap = (self.texts.server.log_gap)(&visible(&path.display().to_string()));
                self.terminal.remark(&(self.texts.server.warning)(&gap));
            }
        }
        if self.unprinted.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.unprinted);
        let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
        let print = async {
            self.printer.print(text).await;
            Ok(())
        };
        or(interrupted, print).await
    }

    fn explain(&self, failure: Failure) -> Error {
        let server = self.server.name.clone();
        match failure {
            Failure::NoNick => Error::NoNick,
            Failure::Utf16 => Error::Utf16,
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

/// Whether an input that begins like that is UTF-16: by its mark, or by every second
/// byte of two letters.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => true,
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] => *a != 0 && *b != 0,
        _ => false,
    }
}

/// Tries for a while to reach the server that was at `place`.
async fn attempt(config: &Connect, server: FoundServer) -> Option<(Async<TcpStream>, FoundServer)> {
    let reach = |server: FoundServer, head_start: Duration| async move {
        Timer::after(head_start).await;
        // Whoever goes on for a second longer than the next attempt begins is late.
        let times = 1 + (config.timeout.as_millis() / KNOCK.as_millis()) as u32;
        let stream = reach_in_time(&server.addresses, times, config.timeout).await.ok()?;
        Some((stream, server))
    };
    let there = async {
        let server = find::find_again(config, &server).await?;
        reach(server, Duration::ZERO).await
    };
    // The old address is as good as none if the server is found elsewhere.
    let before = reach(server.clone(), HEAD_START);
    either(there, before).await
}

/// The first of two attempts that succeeds.
async fn either<T>(
    one: impl Future<Output = Option<T>>,
    other: impl Future<Output = Option<T>>,
) -> Option<T> {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    let first = {
        let (one, other) = (one.as_mut(), other.as_mut());
        or(async { (one.await, true) }, async { (other.await, false) }).await
    };
    match first {
        (Some(found), _) => Some(found),
        (None, true) => other.await,
        (None, false) => one.await,
    }
}

/// [`STUCK`], or fewer seconds for the sake of a test.
fn stuck() -> Duration {
    let fewer = cfg!(debug_assertions).then(|| env::var("MINICHAT_STUCK_SECS").ok()?.parse().ok());
    fewer.flatten().map_or(STUCK, Duration::from_secs)
}
