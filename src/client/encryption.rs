//! Begins an encrypted channel, and decides whether the server is the one that is meant.
//!
//! Encryption that was promised is never given up: a name whose key is known, a record of discovery
//! with a key, a password, or the user's own wish. Then anything but a channel is a failure.
//!
//! A server that asks for the password is remembered only after it has proved that it knows
//! the password, too. Each attempt is a guess for a server that poses as another one, so the
//! client never tries a password a second time by itself that was not accepted.

use std::cell::{Cell, RefCell};
use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use chrono::{Datelike as _, Local, TimeZone as _};
use smol::future::or;
use smol::io::AsyncWriteExt as _;
use smol::{Async, Timer};

use crate::client::find::FoundServer;
use crate::client::terminal::Terminal;
use crate::client::transport::Transport;
use crate::config::{Connect, Format};
use crate::error::{Error, plain};
use crate::secure::channel::MAX_OF_SERVER;
use crate::secure::handshake::{Met, OPENING};
use crate::secure::password::{self, Reply};
use crate::secure::{Channel, Fingerprint, Hello, Password, PublicKey};
use crate::target;
use crate::texts::{Encryption, Texts};
use crate::trust::{Known, KnownServers};
use crate::wire::sanitize::visible;
use crate::wire::{DEFAULT_PORT, Refusal};

/// How long a server may take for its answer, beside the time that the user allows. A server
/// that says nothing to a line that it does not know has no encryption.
const ANSWER: Duration = Duration::from_secs(2);
/// How many lines may come before the answer: the greeting, and what else there may be.
const MAX_LINES: usize = 4;
/// How long these may be in all, in bytes.
const MAX_BYTES: usize = 32 << 10;

/// The demands of the client, and the keys that it knows.
pub struct Trust {
    /// The keys that the user knows.
    pub known: KnownServers,
    /// The user wants encryption.
    insists: Cell<bool>,
    /// The server has not answered the first line of the connection yet.
    late: Cell<bool>,
    /// The password of the room, unless it turned out to be wrong.
    password: RefCell<Option<Password>>,
    /// A key that the user has accepted in the place of another one.
    accepted: Cell<Option<PublicKey>>,
    /// Why a new key could not be remembered, until that is told.
    unkept: Cell<Option<io::Error>>,
    /// The key of this run. A server that comes back has it.
    seen: Cell<Option<PublicKey>>,
    /// The key that the last host of a room has named for the next one.
    expected: Cell<Option<Fingerprint>>,
}

/// How a conversation is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: the server cannot, and nothing had promised it.
    None,
    /// There is no conversation: the server refuses it.
    Refused,
    /// By a key that is new.
    New(Fingerprint),
    /// By a key that the server makes anew each time.
    Temporary(Fingerprint),
    /// By a key that is known since then, in seconds since 1970.
    Known(Fingerprint, i64),
    /// By a password that both sides know.
    Proven,
}

/// Why the client does not go on with a server.
#[derive(Debug)]
pub enum Distrust {
    /// The connection failed.
    Lost(io::Error),
    /// Encryption was promised, and there is none.
    Clear,
    /// Some bytes are not from the server that answered first.
    Changed,
    /// The key is not the one that is known since then, or that this run has seen.
    OtherKey(Option<i64>, PublicKey),
    /// The key is not the one that discovery told.
    NotAnnounced,
    /// The server asks for a password, and there is none.
    Closed,
    /// The server did not accept the password, or did not prove that it knows it.
    WrongPassword,
    /// The server does not ask for the password that the user has given.
    NotClosed,
}

/// How far a newcomer has come with the password.
enum Door {
    /// The server does not ask for one.
    Open,
    /// Both sides have proved that they know it.
    Opened,
    /// The server lets no newcomer in, and says why.
    Refused,
}

/// The answer of a server to the first line.
enum Answer {
    /// A channel has begun; the bytes behind the answer.
    Channel(Box<Channel>, Met, Vec<u8>),
    /// There is no channel; the bytes that belong to the conversation in the clear.
    Clear(Vec<u8>),
    /// The server refuses all clients; the same bytes.
    Refused(Vec<u8>),
    /// The connection ended without an answer, or none came in time; what came before.
    None(io::Error, Vec<u8>),
}

impl Trust {
    /// The demands of one run of the program.
    pub fn new(known: KnownServers, insists: bool, password: Option<Password>) -> Trust {
        Trust {
            known,
            insists: insists.into(),
            late: Cell::new(false),
            password: password.into(),
            accepted: Cell::new(None),
            unkept: Cell::new(None),
            seen: Cell::new(None),
            expected: Cell::new(None),
        }
    }

    /// The name by which a server is known: its title, or what was typed.
    pub fn name(server: &FoundServer) -> &str {
        server.title.as_deref().unwrap_or(&server.name)
    }

    /// Wants encryption from now on, because the server can.
    pub fn insist(&self) {
        self.insists.set(true);
    }

    /// Whether the server may still answer the first line of the last connection.
    pub fn is_late(&self) -> bool {
        self.late.get()
    }

    /// Accepts a key in the place of the one that is known.
    pub fn accept(&self, key: &PublicKey) {
        self.accepted.set(Some(*key));
    }

    /// The key of this program's own server. No other counts during this run.
    pub fn trust_own(&self, key: PublicKey) {
        self.seen.set(Some(key));
    }

    /// Only a server with this key counts until that is taken back.
    pub fn expect(&self, key: Option<Fingerprint>) {
        self.expected.set(key);
    }

    /// The fingerprint of the server's key.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.seen.get().map(|key| key.fingerprint())
    }

    /// Forgets the key of a server.
    pub fn forget(&self, server: &FoundServer) -> io::Result<bool> {
        self.known.forget(Trust::name(server))
    }

    /// Whether anything but a channel is a failure.
    fn is_promised(&self, server: &FoundServer) -> bool {
        self.insists.get()
            || server.fingerprint.is_some()
            || self.seen.get().is_some()
            || self.accepted.get().is_some()
            || self.password.borrow().is_some()
            || self.known.pin(Trust::name(server)).is_some()
    }

    /// Begins a channel on a connection if the server can, and makes sure that it is the
    /// right one.
    ///
    /// # Errors
    /// If less than what was promised is to be had.
    pub async fn meet(
        &self,
        transport: Transport,
        server: &FoundServer,
        patience: Duration,
    ) -> Result<(Transport, Protection), Distrust> {
        let stream = transport.into_stream();
        self.late.set(false);
        let promised = self.is_promised(server);
        // In the clear, a server that is slow may still say no to what it does not know.
        let patience = if promised { patience } else { patience.min(ANSWER) };
        match open(&stream, patience).await? {
            Answer::Channel(channel, met, rest) => {
                let protection = self.judge(server, &met)?;
                let binding = *channel.binding();
                let transport = Transport::secure(stream, *channel, rest);
                let protection = match self.pass_door(&transport, &binding, patience).await? {
                    Door::Open => protection,
                    Door::Opened => Protection::Proven,
                    Door::Refused => return Ok((transport, Protection::Refused)),
                };
                self.keep(server, &met);
                Ok((transport, protection))
            }
            Answer::Refused(early) => {
                if promised {
                    // The refusal is shown. Nothing is said in the clear.
                    stream.get_ref().shutdown(Shutdown::Both).ok();
                }
                Ok((Transport::plain(stream, early), Protection::Refused))
            }
            Answer::None(err, _) if promised => Err(Distrust::Lost(err)),
            Answer::Clear(_) if promised => Err(Distrust::Clear),
            Answer::Clear(early) => Ok((Transport::plain(stream, early), Protection::None)),
            Answer::None(_, early) => {
                self.late.set(true);
                Ok((Transport::plain(stream, early), Protection::None))
            }
        }
    }

    /// Tells a person how the conversation is protected.
    pub fn tell(
        &self,
        protection: Protection,
        config: &Connect,
        texts: &Texts,
        terminal: &Terminal,
    ) {
        let words = &texts.encryption;
        let text = match protection {
            // The welcome says the same.
            Protection::Refused | Protection::None => return,
            Protection::New(print) => (words.new)(&print.to_string()),
            Protection::Temporary(print) => (words.temporary)(&print.to_string()),
            Protection::Known(_, since) => (words.known)(&date(since, words)),
            Protection::Proven => words.proven.into(),
        };
        if terminal.is_interactive && config.format == Format::Text {
            terminal.remark(&format!("* {text}"));
            if let Some(err) = self.unkept.take() {
                let path = self.known.path().map(|path| path.display().to_string());
                let path = path.unwrap_or_else(|| "known_servers".into());
                let why = (words.forgetful)(&visible(&path), &plain(&err, &texts.error));
                terminal.remark(&(texts.server.warning)(&why));
            }
        }
    }

    /// Asks a person whether a server with another key is the right one.
    pub async fn ask(
        &self,
        server: &FoundServer,
        since: Option<i64>,
        key: &PublicKey,
        texts: &Texts,
        terminal: &Terminal,
    ) -> Result<bool, Error> {
        let words = &texts.encryption;
        let since = since.map(|since| date(since, words));
        let print = key.fingerprint().to_string();
        let text = (words.changed)(Trust::name(server), since.as_deref(), &print);
        terminal.remark(&format!("* {text}"));
        terminal.ask(words.same, "");
        let Some(line) = terminal.next().await.map_err(Error::Input)? else {
            terminal.break_line(); // The cursor stands behind the question.
            return Ok(false);
        };
        let answer = String::from_utf8_lossy(&line.piece.bytes).trim().to_lowercase();
        Ok(words.yes.contains(&&*answer))
    }

    /// Asks a person for the password of a server.
    ///
    /// # Errors
    /// If there is no person, or no answer.
    pub async fn ask_password(
        &self,
        server: &FoundServer,
        texts: &Texts,
        terminal: &Terminal,
    ) -> Result<(), Error> {
        let name = Trust::name(server);
        loop {
            if !terminal.is_interactive {
                return Err(Error::NoPassword(name.into()));
            }
            let question = (texts.encryption.ask_password)(name);
            let typed = match terminal.ask_hidden(&question).await {
                Ok(typed) => typed.filter(|typed| !typed.trim().is_empty()),
                Err(err) => return Err(Error::Input(err)),
            };
            let typed = typed.ok_or_else(|| Error::NoPassword(name.into()))?;
            match Password::new(&typed) {
                Ok(password) => {
                    self.password.replace(Some(password));
                    return Ok(());
                }
                Err(unfit) => terminal.remark(&format!("* {}", unfit.tell(&texts.cli))),
            }
        }
    }

    /// Whether the conversation is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.seen.get().is_some()
    }

    /// The server's key in words, for `/key`.
    pub fn key(&self, texts: &Texts) -> String {
        let words = &texts.encryption;
        match self.seen.get() {
            Some(key) => (words.key)(&key.fingerprint().to_string()),
            None => words.clear.into(),
        }
    }

    /// Proves the password if the server asks for it. What the server says instead is left to
    /// be received.
    async fn pass_door(
        &self,
        transport: &Transport,
        binding: &[u8; 32],
        patience: Duration,
    ) -> Result<Door, Distrust> {
        let given = self.password.borrow().clone();
        let mut heard = Vec::new();
        let first = match next_line(transport, &mut heard, patience).await {
            Ok(line) => line,
            // The conversation notices the end as well.
            Err(err) if given.is_none() && err.kind() != io::ErrorKind::TimedOut => {
                transport.give_back(&heard);
                return Ok(Door::Open);
            }
            Err(err) => return Err(Distrust::Lost(err)),
        };
        if !password::asks(&first) {
            heard.splice(..0, format!("{first}\n").into_bytes());
            transport.give_back(&heard);
            let refused = first == "BYE" || first.strip_prefix("ERR ").is_some_and(is_farewell);
            return match (refused, given) {
                (true, _) => Ok(Door::Refused),
                (false, None) => Ok(Door::Open),
                (false, Some(_)) => Err(Distrust::NotClosed),
            };
        }
        let password = given.ok_or(Distrust::Closed)?;
        // From here on the other side has its guess, whatever it makes of it. The password
        // comes back if it was right.
        self.password.take();
        let (reply, line) =
            Reply::new(&password, binding, &first).ok_or(Distrust::WrongPassword)?;
        send(transport, format!("{line}\n").as_bytes()).await.ok(); // The answer tells.
        match next_line(transport, &mut heard, patience).await {
            Ok(answer) if reply.accepts(&answer) => (),
            Ok(_) | Err(_) => return Err(Distrust::WrongPassword),
        }
        self.password.replace(Some(password));
        transport.give_back(&heard);
        Ok(Door::Opened)
    }

    /// Decides about the key of a server that has proved to own it.
    fn judge(&self, server: &FoundServer, met: &Met) -> Result<Protection, Distrust> {
        let (name, print) = (Trust::name(server), met.key.fingerprint());
        if let Some(expected) = self.expected.get() {
            if expected != print {
                return Err(Distrust::OtherKey(None, met.key));
            }
            self.seen.set(Some(met.key));
            return Ok(Protection::Temporary(print));
        }
        let known = self.known.look_up(name, &met.key);
        match (self.seen.get(), known) {
            (Some(seen), known) if seen == met.key => Ok(match known {
                Known::Same(since) => Protection::Known(print, since),
                _ if met.temporary => Protection::Temporary(print),
                _ => Protection::New(print),
            }),
            // The user has looked at it now.
            _ if self.accepted.get() == Some(met.key) => {
                Ok(Protection::Known(print, Local::now().timestamp()))
            }
            // A key that is known counts more than a record that anybody may send.
            (None, Known::Same(since)) => Ok(Protection::Known(print, since)),
            (_, Known::Changed(since)) => Err(Distrust::OtherKey(Some(since), met.key)),
            (Some(_), _) => Err(Distrust::OtherKey(None, met.key)),
            (None, Known::New) => {
                if server.fingerprint.is_some_and(|announced| announced != print) {
                    return Err(Distrust::NotAnnounced);
                }
                Ok(match met.temporary {
                    true => Protection::Temporary(print),
                    false => Protection::New(print),
                })
            }
        }
    }

    /// Keeps the key of a server that has turned out to be the right one.
    fn keep(&self, server: &FoundServer, met: &Met) {
        let before = self.seen.replace(Some(met.key));
        let accepted = self.accepted.take() == Some(met.key);
        let is_new = before.is_none()
            && !met.temporary
            && matches!(self.known.look_up(Trust::name(server), &met.key), Known::New);
        if accepted || is_new {
            // A key that cannot be remembered is new once more.
            self.unkept.set(self.known.remember(Trust::name(server), &met.key).err());
        }
    }
}

impl Distrust {
    /// Says it to people.
    pub fn into_error(self, server: &FoundServer, texts: &Texts) -> Error {
        let name = Trust::name(server);
        match self {
            Distrust::Lost(err) => {
                let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
                Error::Connect(server.name.clone(), port, err)
            }
            Distrust::Clear => Error::NotEncrypted(name.into()),
            Distrust::Changed => Error::Tampered(name.into()),
            Distrust::NotAnnounced => Error::NotAnnounced(name.into()),
            Distrust::Closed => Error::NoPassword(name.into()),
            Distrust::WrongPassword => Error::WrongPassword(name.into()),
            Distrust::NotClosed => Error::NotClosed(name.into()),
            Distrust::OtherKey(since, key) => {
                let since = since.map(|since| date(since, &texts.encryption));
                let print = key.fingerprint().to_string();
                let typed = target::quoted(name).unwrap_or_else(|| name.into());
                let line = format!("minichat connect --forget {typed}");
                Error::OtherKey(name.into(), since, print, line)
            }
        }
    }
}

/// A day in words, from seconds since 1970.
fn date(since: i64, words: &Encryption) -> String {
    let time = Local.timestamp_opt(since, 0).single().unwrap_or_default();
    (words.date)(time.day(), time.month(), time.year())
}

/// Sends the line that begins a channel, and waits for the answer.
async fn open(stream: &Async<TcpStream>, patience: Duration) -> Result<Answer, Distrust> {
    let (hello, line) = Hello::new();
    let mut bytes = Vec::new();
    let late = async {
        Timer::after(patience).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let asked = async {
        let mut writer = stream;
        writer.write_all(format!("{line}\n").as_bytes()).await?;
        answer(stream, &mut bytes).await
    };
    let answered = or(asked, late).await;
    let (from, to) = match answered {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(Answer::Clear(bytes)),
        Err(err) => return Ok(Answer::None(err, bytes)),
    };
    let line = String::from_utf8_lossy(&bytes[from..to]);
    let line = line.trim_end_matches(['\r', '\n']);
    if line.starts_with(OPENING) {
        let (channel, met) = hello.finish(line).map_err(|_| Distrust::Changed)?;
        let rest = bytes[to..].to_vec();
        return Ok(Answer::Channel(Box::new(channel), met, rest));
    }
    if line.strip_prefix("ERR ").is_some_and(is_farewell) {
        return Ok(Answer::Refused(bytes));
    }
    bytes.drain(from..to);
    Ok(Answer::Clear(bytes))
}

/// Reads up to the line that answers, and tells where it stands. None if there are other
/// lines instead.
async fn answer(
    stream: &Async<TcpStream>,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<(usize, usize)>> {
    let (mut begin, mut lines) = (0, 0);
    loop {
        while let Some(length) = bytes[begin..].iter().position(|byte| *byte == b'\n') {
            let end = begin + length + 1;
            let line = &bytes[begin..end];
            if line.starts_with(OPENING.as_bytes()) || line.starts_with(b"ERR ") {
                return Ok(Some((begin, end)));
            }
            (begin, lines) = (end, lines + 1);
        }
        if lines >= MAX_LINES || bytes.len() > MAX_BYTES {
            return Ok(None);
        }
        let mut buffer = [0; 4096];
        let length = stream.read_with(|mut stream| stream.read(&mut buffer)).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..length]);
    }
}

/// Receives the next line of a channel, without its end. What came behind it stays in `heard`.
async fn next_line(
    transport: &Transport,
    heard: &mut Vec<u8>,
    patience: Duration,
) -> io::Result<String> {
    let late = async {
        Timer::after(patience).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let received = async {
        let mut buffer = vec![0; MAX_OF_SERVER];
        loop {
            if let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if heard.len() > MAX_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match transport.recv(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => heard.extend_from_slice(&buffer[..length]),
            }
        }
    };
    or(received, late).await
}

async fn send(transport: &Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = transport.send(bytes).await?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Whether a refusal is the last line of a server, and no answer to the first of ours.
fn is_farewell(code: &str) -> bool {
    use Refusal::{Banned, Crowded, RegistrationTimeout, RoomFull, TooManyGuesses};
    matches!(
        Refusal::from_code(code),
        Some(Banned | Crowded | RegistrationTimeout | RoomFull | TooManyGuesses)
    )
}

#[cfg(test)]
mod tests;
