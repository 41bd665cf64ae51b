//! The loop over one connection.

mod company;
mod output;
mod parting;
mod reconnect;
mod succession;

use std::env;
use std::future::{self};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use smol::Timer;
use smol::future::{or, race};

use crate::client::burst::InputPiece;
use crate::client::dialogue::{self, Dialogue, Mode};
use crate::client::encryption::Trust;
use crate::client::find::FoundServer;
use crate::client::format::{Formatter, Style};
use crate::client::link::{self, Question, Verdict, Watch};
use crate::client::plain::Printer;
use crate::client::record::{Action, Failure};
use crate::client::since::SinceFile;
use crate::client::terminal::Terminal;
use crate::client::transport::Transport;
use crate::config::{Connect, Format};
use crate::error::Error;
use crate::hosting::{Heir, HostedRoom};
use crate::interrupt::{Interrupt, Interrupts};
use crate::secure;
use crate::stdio::Piece;
use crate::takeover;
use crate::texts::Texts;
use crate::wire::{LineBuffer, MAX_EVENT, Ticket};

/// How much is read at a time, in bytes.
const READ: usize = 16 << 10;

/// With so many bytes to send, what is typed has to wait.
const MAX_UNSENT: usize = 64 << 10;

/// How long the server may take to answer `QUIT`.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long the server may take, before that, for each message. Most allow 50 a second, but a
/// message that is not waited for may be lost.
const LISTENING: Duration = Duration::from_secs(1);

/// How long it may neither take nor answer anything of what we say. A server that allows
/// 50 short lines a second takes some only every few minutes, when it has heard all that
/// its buffers hold.
const STUCK: Duration = Duration::from_secs(600);

/// How soon it is tried again to give them to it.
const LAG: Duration = Duration::from_millis(100);

/// How long a program may take to say what comes behind the end of the conversation.
const REST: Duration = Duration::from_millis(100);

/// How a conversation ends.
pub(super) enum Ending {
    /// As it should.
    Done,
    /// The output has no reader.
    Unheard,
    /// The server does not let us stay, for now, and why; or is lost.
    Away(Option<String>),
    /// The connection ended before there was a nick. It is made anew for the nick.
    Unhurried,
    Interrupted(Interrupt),
    Failed(Error),
}

/// The next thing that happens.
pub(super) enum Happening {
    /// The server has sent so many bytes.
    Heard(io::Result<usize>),
    /// The kernel has taken so many bytes.
    Sent(io::Result<usize>),
    /// A line was typed, or a part of a long one; none at the end of the input.
    Typed(io::Result<Option<InputPiece>>),
    Interrupted(Interrupt),
    /// The output has no reader.
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
    /// Another member has lost the host.
    Doubted,
    /// The host had company for a while.
    Company,
}

pub(super) struct Conversation<'a> {
    pub(super) config: &'a Connect,
    pub(super) texts: &'static Texts,
    pub(super) terminal: &'a Terminal,
    /// The demands and the known keys.
    pub(super) trust: &'a Trust,
    /// Where the server was.
    pub(super) server: FoundServer,
    pub(super) printer: &'a Printer,
    pub(super) log: Option<Printer>,
    pub(super) dialogue: Dialogue,
    /// None for the protocol as it is.
    pub(super) formatter: Option<Formatter>,
    /// The input has not ended.
    pub(super) typing: bool,
    /// Why the input could not be read to its end.
    pub(super) unreadable: Option<io::Error>,
    /// Nothing was typed yet.
    pub(super) fresh: bool,
    /// Something of the input was not said.
    pub(super) refused: bool,
    /// Bytes to send.
    pub(super) unsent: Vec<u8>,
    /// Something could not be sent.
    pub(super) lost: bool,
    /// Where the place is remembered up to which was printed.
    pub(super) since: Option<SinceFile>,
    /// That place, as it was last remembered.
    pub(super) remembered: Option<(String, u64)>,
    /// Bytes to print.
    pub(super) unprinted: Vec<u8>,
    /// Bytes to log.
    pub(super) unlogged: Vec<u8>,
    pub(super) began: Instant,
    /// When something last went or came back.
    pub(super) progress: Instant,
    /// The cursor stands behind a question.
    pub(super) asking: bool,
    /// Why the server did not let us back in, when that was last said.
    pub(super) kept_out: Option<String>,
    /// A connection that is dead, as far as can be known. The server may not know yet.
    pub(super) dead: Option<Transport>,
    /// Where the server was when a connection was last made.
    pub(super) address: Option<SocketAddr>,
    /// The nick was thought about for so long that the server may have closed the
    /// connection, and says so.
    pub(super) stale: bool,
    /// The nick is the answer to a question that was asked on this connection.
    pub(super) answered: bool,
    /// The connection is dead, as far as can be known.
    pub(super) is_dead: bool,
    /// The server has said that it stops.
    pub(super) stopped: bool,
    /// How many members there were when the connection was last lost.
    pub(super) crowd: usize,
    /// The room that this program carries.
    pub(super) hosted: Option<HostedRoom>,
    /// The sockets of this program while another one hosts the room.
    pub(super) heir: Option<Heir>,
    /// The pages of the hosts of the room, the last one first.
    pub(super) former_pages: Vec<SocketAddr>,
    /// The room of this connection is hosted by a member.
    pub(super) is_hosted: bool,
    /// Since when the host has company.
    pub(super) company: Option<Instant>,
    /// The host was told that the room ends with them.
    pub(super) told_of_end: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        config: &'a Connect,
        texts: &'static Texts,
        terminal: &'a Terminal,
        trust: &'a Trust,
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
        if trust.is_encrypted() {
            dialogue.set_encrypted();
        }
        dialogue.set_ticket(Ticket::new(secure::random()));
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        dialogue.set_epoch(u64::try_from(epoch.as_millis()).unwrap_or(0));
        if config.text {
            dialogue.take_all_as_text();
        }
        Conversation {
            config,
            texts,
            terminal,
            trust,
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
            since: None,
            remembered: None,
            unprinted: Vec::new(),
            unlogged: Vec::new(),
            began: Instant::now(),
            progress: Instant::now(),
            asking: false,
            kept_out: None,
            dead: None,
            address: None,
            stale: false,
            answered: false,
            is_dead: false,
            stopped: false,
            crowd: 0,
            hosted: None,
            heir: None,
            former_pages: Vec::new(),
            is_hosted: false,
            company: None,
            told_of_end: false,
        }
    }

    /// Talks over one connection until it ends.
    async fn talk(&mut self, transport: &Transport, interrupts: &mut Interrupts) -> Ending {
        self.arrived(transport);
        self.is_hosted = false;
        let mut watch = Watch::start(transport.socket());
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
            if mem::take(&mut self.is_hosted) {
                link::notice_soon(transport.socket());
            }
            let deadline = self.company_deadline();
            let next = self.next(transport, &mut bytes, &watch, &mut question, interrupts);
            let doubted = async {
                self.doubt().await;
                Happening::Doubted
            };
            let next = or(next, doubted);
            let company = async {
                company::at(deadline).await;
                Happening::Company
            };
            actions = match or(next, company).await {
                // It thought no more of us.
                Happening::Heard(Ok(0) | Err(_)) if self.answers_unheard() => {
                    return Ending::Unhurried;
                }
                Happening::Heard(Ok(0)) => {
                    self.look_for_delivery(transport);
                    // Wine takes a reset for an end, but nothing can be written after it.
                    self.lost |= transport.is_broken();
                    self.dialogue.closed()
                }
                Happening::Heard(Err(_)) => {
                    self.lost = true; // That is no way to say goodbye.
                    self.dialogue.closed()
                }
                Happening::Heard(Ok(n)) => {
                    self.look_for_delivery(transport);
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
                    self.look_for_delivery(transport);
                    self.typed(&line)
                }
                Happening::Typed(Err(err)) => {
                    self.typing = false;
                    self.unreadable = Some(err);
                    self.dialogue.end_of_input()
                }
                Happening::Typed(Ok(None)) => self.end_of_input(),
                Happening::Look => {
                    self.look_for_delivery(transport);
                    match watch.look(transport.socket(), !self.unsent.is_empty(), Instant::now()) {
                        Verdict::Alive => Vec::new(),
                        Verdict::Gone => match self.gone() {
                            Ok(actions) => actions,
                            Err(ending) => return self.keep(ending),
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
                        true => {
                            if self.unsent.is_empty() {
                                self.dialogue.delivered();
                            }
                            Vec::new()
                        }
                        false => match self.gone() {
                            Ok(actions) => actions,
                            Err(ending) => return self.keep(ending),
                        },
                    }
                }
                Happening::Doubted => {
                    if let (None, Some(address)) = (&question, self.address) {
                        question = Some(link::question_within(address, takeover::TRY));
                    }
                    Vec::new()
                }
                Happening::Passed => self.dialogue.time_passed(self.began.elapsed()),
                Happening::Behind => Vec::new(),
                Happening::Company => {
                    self.tell_of_end();
                    Vec::new()
                }
                Happening::Interrupted(interrupt) => return Ending::Interrupted(interrupt),
                Happening::Unheard => return Ending::Unheard,
                // As far as can be known, everything was heard. Some say no goodbye.
                Happening::Late
                    if self.dialogue.is_leaving()
                        && (self.dialogue.unanswered() == 0 || !self.dialogue.is_answered()) =>
                {
                    if self.dialogue.unanswered() > 0 {
                        match self.is_there(transport, interrupts).await {
                            Ok(there) => self.lost |= !there,
                            Err(interrupt) => return Ending::Interrupted(interrupt),
                        }
                    }
                    vec![Action::End]
                }
                Happening::Late if self.answers_unheard() => {
                    return self.keep(Ending::Unhurried);
                }
                Happening::Late if self.comes_back() => {
                    return self.keep(Ending::Away(None));
                }
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
        transport: &Transport,
        bytes: &mut [u8],
        watch: &Watch,
        question: &mut Option<Question>,
        interrupts: &mut Interrupts,
    ) -> Happening {
        let sent = async {
            match self.unsent.is_empty() {
                true => future::pending().await,
                false => Happening::Sent(transport.send(&self.unsent).await),
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
        let heard = async { Happening::Heard(transport.recv(bytes).await) };
        let interrupted = async { Happening::Interrupted(interrupts.next().await) };
        let unheard = async {
            self.printer.broken().await;
            Happening::Unheard
        };
        // The user can leave even if the server never stops talking.
        let ours = or(interrupted, or(unheard, or(or(late, passed), logged)));
        or(ours, or(or(sent, race(heard, typed)), or(look, asked))).await
    }

    /// A connection was made: whether the server is where it was.
    fn arrived(&mut self, transport: &Transport) {
        if let Transport::Secure(_) = transport {
            self.dialogue.set_encrypted();
        }
        self.dialogue.set_late(self.trust.is_late());
        let address = transport.socket().peer_addr().ok();
        if let Some(now) = address {
            let moved = self.address.is_some_and(|before| before != now);
            self.dialogue.arrived(&now.to_string(), moved);
        }
        self.address = address.or(self.address);
    }

    /// Takes note if the server has acknowledged all that was sent.
    fn look_for_delivery(&mut self, transport: &Transport) {
        if self.dialogue.awaits_delivery()
            && self.unsent.is_empty()
            && Watch::acknowledged(transport.socket()) == Some(true)
        {
            self.dialogue.delivered();
        }
    }

    /// Whether the answer to the question for a nick may be unheard. Then the connection
    /// is made anew, once, and nothing said of it.
    fn answers_unheard(&self) -> bool {
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

    /// The actions that follow from some bytes of the server's.
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

    /// Tells a program if there is more to say than the conversation was long.
    pub(super) async fn look_for_the_rest(&mut self) {
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

/// [`STUCK`], or fewer seconds for the sake of a test.
fn stuck() -> Duration {
    let fewer = cfg!(debug_assertions).then(|| env::var("MINICHAT_STUCK_SECS").ok()?.parse().ok());
    fewer.flatten().map_or(STUCK, Duration::from_secs)
}
