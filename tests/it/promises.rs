//! Promises that hold for any bytes of a stranger.
//!
//! Each promise is one function of some bytes. The fuzz targets in `fuzz/` call
//! the same functions; here they are tried with the bytes that are kept there,
//! with what becomes of those by a few small changes, and with noise.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use minichat::discovery::read_answer;
use minichat::records::Record;
use minichat::secure::channel::{MAX_OF_SERVER, SEALED};
use minichat::secure::password::{MAX_BYTES, MIN_CHARACTERS, Question, Reply};
use minichat::secure::{Channel, Hello, Identity, Key, Password, answer};
use minichat::store::{Contents, OpenError, Store};
use minichat::trust::parse_known_server;
use minichat::web::frames::{Control, FrameReader, FrameWriter};
use minichat::web::http::{self, Resource};
use minichat::wire::sanitize::{is_blank, is_unsafe, strip, visible};
use minichat::wire::{Command, Event, LineBuffer, Nick, Refusal, TooLong};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// However the bytes are cut, the lines are the same, and none is too long.
///
/// The first byte is the limit, the next ones are the lengths of the pieces,
/// from the first again after the last, and after a zero come the bytes.
pub fn framing(bytes: &[u8]) {
    let Some((&limit, bytes)) = bytes.split_first() else { return };
    let limit = usize::from(limit) + 1;
    let mut halves = bytes.splitn(2, |&byte| byte == 0);
    let (sizes, stream) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());

    let mut buffer = LineBuffer::new(limit);
    let mut lines = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.iter().copied().map(usize::from).cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len());
        let (mut piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        while let Some(line) = buffer.next_line(&mut piece) {
            lines.push(line.map(<[u8]>::to_vec));
        }
        assert!(piece.is_empty(), "all of a piece is taken");
    }

    let mut expected = Vec::new();
    let mut whole = stream.split(|&byte| byte == b'\n');
    let fragment = whole.next_back().unwrap_or_default();
    for line in whole {
        expected.push(match line.len() < limit {
            true => Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec()),
            false => Err(TooLong),
        });
    }
    // Of a line without its end it is told as soon as it is too long for certain.
    if !fragment.is_empty() && fragment.len() >= limit {
        expected.push(Err(TooLong));
    }
    assert_eq!(lines, expected);
}

/// A line that is understood is printed and understood again as the same, and has
/// what a command of its kind must have.
pub fn command(bytes: &[u8]) {
    for_each_line(bytes, |line| match Command::parse(line) {
        Ok(command) => {
            assert_eq!(Command::parse(&command.to_string()), Ok(command), "{line:?}");
            match command {
                Command::Say(text) => {
                    let first = text.chars().find(|&c| !is_blank(c));
                    assert!(first.is_some_and(|c| c != '@'), "{line:?}");
                }
                Command::Whisper { to, text } => {
                    assert!(!to.is_empty() && !to.contains([' ', '\t']), "{line:?}");
                    assert!(!text.chars().all(is_blank), "{line:?}");
                }
                _ => (),
            }
        }
        Err(refusal) => assert!(
            matches!(
                refusal,
                Refusal::UnknownCommand | Refusal::EmptyMessage | Refusal::MalformedDm
            ),
            "{line:?}: {refusal:?}"
        ),
    });
}

/// There is no line that is not some event, and each event is printed and
/// understood again as the same.
pub fn event(bytes: &[u8]) {
    for_each_line(bytes, |line| {
        let event = Event::parse(line);
        assert_eq!(Event::parse(&event.to_string()), event, "{line:?}");
    });
}

/// A nick that is accepted is shown as it is kept, holds nothing that is unfit,
/// and has one key in every spelling.
pub fn nick(bytes: &[u8]) {
    for_each_line(bytes, |name| {
        let key = Nick::key_of(name).into_owned();
        assert_eq!(Nick::key_of(&key), key, "the key of the key of {name:?}");
        for form in [name.nfc().collect::<String>(), name.nfd().collect()] {
            assert_eq!(Nick::key_of(&form), key, "{name:?} as {form:?}");
        }

        let Ok(nick) = Nick::new(name) else { return };
        let kept = nick.as_str();
        assert_eq!(kept, name.nfc().collect::<String>());
        assert_eq!((nick.to_string().as_str(), &*nick.key()), (kept, &*key));
        assert_eq!(Nick::new(kept).as_ref(), Ok(&nick), "it stays itself");
        assert_eq!(Nick::new(&name.nfd().collect::<String>()).as_ref(), Ok(&nick), "{name:?}");
        assert!((1..=32).contains(&kept.chars().count()), "{name:?}");
        assert!(key != "server" && key != "all", "{name:?}");

        // Nothing that a line is made of, nothing that is not seen or does
        // anything: both ends show it as it is.
        let fit = |c: char| c.is_alphanumeric() || is_combining_mark(c) || "-_.".contains(c);
        assert!(kept.chars().all(|c| fit(c) && !is_blank(c) && !is_unsafe(c)), "{name:?}");
        assert!(strip(kept) == kept && visible(kept) == kept, "{name:?}");
        for line in [format!("FROM {kept} [all]: x"), format!("Connected users: a, {kept}")] {
            let same = match Event::parse(&line) {
                Event::Message { from, .. } => from == kept,
                Event::Users(nicks) => nicks == ["a", kept],
                _ => false,
            };
            assert!(same, "{line:?}");
        }

        // Some letters have no single counterpart in the other case (ß and SS);
        // all others may be written in both.
        for case in [kept.to_lowercase(), kept.to_uppercase()] {
            if case.to_lowercase() == kept.to_lowercase() {
                assert_eq!(Nick::key_of(&case), key, "{kept:?} as {case:?}");
            }
        }
    });
}

/// A text that was made safe once is safe, and no longer than it may become.
pub fn sanitize(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let (delivered, shown) = (strip(text), visible(text));

    assert_eq!(strip(&delivered), delivered, "{text:?}");
    assert!(delivered.len() <= text.len(), "{text:?}");
    assert!(delivered.chars().all(|c| c == '\t' || !c.is_control() && !is_unsafe(c)), "{text:?}");
    let mut rest = text.chars();
    assert!(delivered.chars().all(|c| rest.any(|other| other == c)), "{text:?} gained something");

    assert_eq!(visible(&shown), shown, "{text:?}");
    assert!(shown.len() <= 3 * text.len(), "{text:?}");
    assert!(!shown.chars().any(|c| c.is_control() || is_unsafe(c)), "{text:?}");
    let mut marks = 0;
    for c in shown.chars() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        assert!(marks <= 4, "{text:?}");
    }

    // The client shows the text that the server lets through without any picture.
    let both = visible(&delivered);
    let untouched = both.chars().filter(|&c| c == '\u{FFFD}').count();
    assert_eq!(untouched, text.chars().filter(|&c| c == '\u{FFFD}').count(), "{text:?}");
}

/// From any answer, little is made, and that is fit to be shown.
///
/// The packet has the number that was asked for: it begins with it.
pub fn dns(packet: &[u8]) {
    let id = packet.first_chunk().map_or(0, |&id| u16::from_be_bytes(id));
    let answers = read_answer(packet, id, 3);
    let mut addresses = 0;
    for answer in &answers {
        let server = &answer.server;
        assert!(answer.link == 3 && server.port > 0 && !server.addresses.is_empty());
        assert!(server.addresses.iter().all(|address| address.port() == server.port));
        let texts = [Some(&server.title), server.id.as_ref(), server.host.as_ref()];
        for text in texts.into_iter().chain([server.version.as_ref()]).flatten() {
            assert!(text.len() <= 63 && !text.chars().any(is_unsafe), "{text:?}");
        }
        addresses += server.addresses.len();
    }
    assert!(answers.len() <= 16 && addresses <= 16 * 32, "{addresses} addresses");
    assert_eq!(read_answer(packet, id.wrapping_add(1), 3), [], "it is for somebody else");
}

/// A request is answered or refused alike however it arrives, and what is answered names a
/// host that is not a stranger's.
pub fn request(bytes: &[u8]) {
    let whole = http::read(bytes, "sala3");
    if let Ok(Some(request)) = &whole {
        assert!(request.length <= bytes.len() && request.length <= http::MAX_HEAD);
        let host = request.host.to_ascii_lowercase();
        assert!(!host.contains(['@', '/', ' ', '\r', '\n']), "{host:?}");
        let name = host.split(':').next().unwrap_or_default().trim_end_matches('.');
        let local = [".local", ".lan", ".internal", ".home.arpa"];
        let own = host.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() || !name.contains('.');
        assert!(own || local.iter().any(|end| name.ends_with(end)), "{host:?}");
        if let Resource::Room(key) = &request.resource {
            let answer = String::from_utf8(http::switch_protocols(key)).expect("it is text");
            assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"));
        }
        // A request that is whole is not read differently when more follows.
        let more = [bytes, b"GET /room HTTP/1.1\r\nHost: evil.example\r\n\r\n"].concat();
        assert_eq!(http::read(&more, "sala3"), whole, "{request:?}");
    }
    if let Err(denied) = whole {
        let answer = http::deny(denied);
        assert!(answer.starts_with(b"HTTP/1.1 4") && answer.len() < 1000, "{denied:?}");
    }
    // The server reads what has arrived so far, again and again.
    let mut early = Ok(None);
    for end in 0..bytes.len() {
        early = http::read(&bytes[..end], "sala3");
        if !matches!(early, Ok(None)) {
            break;
        }
    }
    if let (Ok(Some(early)), Ok(Some(whole))) = (&early, &whole) {
        assert_eq!(early, whole);
    }
}

/// However the frames of a client are cut, the lines and the last word are the same. The
/// lines are no longer than the frames, and nothing follows the end.
///
/// The bytes are cut as those of [`framing`], without a limit.
pub fn client_frames(bytes: &[u8]) {
    let mut halves = bytes.splitn(2, |&byte| byte == 0);
    let (sizes, stream) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let whole = decoded(stream, &[stream.len().max(1)]);
    let sizes: Vec<usize> = sizes.iter().copied().map(usize::from).collect();
    assert!(whole.0.len() <= stream.len(), "{} bytes of lines", whole.0.len());
    for cut in [decoded(stream, &sizes), decoded(stream, &[1])] {
        assert_eq!(cut.1, whole.1);
        match whole.1 {
            // A piece with bytes that are no text is not read.
            Some(1007) => assert!(cut.0.starts_with(&whole.0)),
            _ => assert_eq!(cut.0, whole.0),
        }
    }
}

/// The lines in a stream that arrives in pieces of these sizes, and the close code.
fn decoded(mut stream: &[u8], sizes: &[usize]) -> (Vec<u8>, Option<u16>) {
    let (mut reader, mut lines, mut code) = (FrameReader::default(), Vec::new(), None);
    let mut sizes = sizes.iter().copied().cycle();
    while !stream.is_empty() {
        let size = sizes.next().unwrap_or(stream.len()).min(stream.len()).max(1);
        let mut buffer = [&[0], &stream[..size]].concat();
        stream = &stream[size..];
        let was_closed = reader.is_closed();
        let (length, control) = reader.decode(&mut buffer);
        assert!(!was_closed || length == 0 && control.is_none(), "nothing follows the end");
        lines.extend_from_slice(&buffer[..length]);
        match control {
            Some(Control::Close(close)) => code = Some(close.0),
            Some(Control::Pong(payload)) => assert!(payload.len() <= 125),
            None => (),
        }
        assert_eq!(reader.is_closed(), code.is_some());
    }
    (lines, code)
}

/// However little a socket takes, a client that takes the frames apart gets the bytes, in
/// messages of whole lines.
///
/// Each first byte of a step says how much the socket takes, the second how many bytes the
/// room has next, and whether a ping is answered.
pub fn server_frames(bytes: &[u8]) {
    let (steps, rest) = bytes.split_at(bytes.len() / 2);
    let mut writer = FrameWriter::default();
    let (mut sent, mut taken) = (Vec::new(), 0);
    for step in steps.chunks_exact(2) {
        if step[1] & 0x80 != 0 {
            writer.pong(&step[..1]);
        }
        let end = rest.len().min(taken + usize::from(step[1] & 0x7F) * 4);
        // Bytes that were not taken are offered again, first; so the end never goes back.
        let offered = &rest[taken..end.max(taken)];
        let mut socket = Narrow { sent: &mut sent, room: usize::from(step[0]) };
        taken += writer.write(&mut socket, offered).unwrap_or(0);
    }
    while taken < rest.len() || writer.has_pending() {
        let mut socket = Narrow { sent: &mut sent, room: usize::MAX };
        taken += writer.write(&mut socket, &rest[taken..]).expect("the socket takes all");
    }
    assert_eq!(payloads(&sent), rest);
}

/// A socket that takes so many bytes.
struct Narrow<'a> {
    sent: &'a mut Vec<u8>,
    room: usize,
}

impl io::Write for Narrow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = bytes.len().min(self.room);
        self.sent.extend_from_slice(&bytes[..length]);
        self.room -= length;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The payload of all messages of a server. Each but the last ends with a line.
fn payloads(mut frames: &[u8]) -> Vec<u8> {
    let (mut all, mut inside) = (Vec::new(), false);
    while let [first, second, rest @ ..] = frames {
        let (size, length) = match second {
            126 => (2, usize::from(u16::from_be_bytes([rest[0], rest[1]]))),
            127 => (8, u64::from_be_bytes(*rest.first_chunk().expect("a length")) as usize),
            length => (0, usize::from(*length)),
        };
        let (payload, after) = rest[size..].split_at(length);
        frames = after;
        if first & 0x0F == 0xA {
            assert!(*first == 0x8A && length <= 125, "a pong is whole");
            continue;
        }
        assert_eq!(first & 0x7F, if inside { 0 } else { 1 }, "a continuation follows what goes on");
        inside = first & 0x80 == 0;
        assert_eq!(!inside, payload.ends_with(b"\n"), "a message is whole lines");
        all.extend_from_slice(payload);
    }
    assert!(frames.is_empty(), "a header is whole");
    all
}

/// Each line of the bytes that is UTF-8, as the room and the client get them.
fn for_each_line(bytes: &[u8], check: impl Fn(&str)) {
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Ok(line) = str::from_utf8(line) {
            check(line);
        }
    }
}

/// No bytes of a stranger begin a channel or pass for a record, and records do not depend on
/// the cuts.
///
/// The first byte is the size of the pieces. The rest is a first line, then records, then
/// what is said in a channel.
pub fn secure(bytes: &[u8]) {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Identity {
        key: Key::generate(),
        title: "Sala 3".into(),
        temporary: false,
    });
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    if let Ok((line, _)) = answer(line, identity) {
        assert!(text.starts_with("SECURE 1 ") && line.len() >= 9 + 192, "{text}");
    }
    assert!(Hello::new().0.finish(line).is_err(), "it answers nobody");

    let (hello, line) = Hello::new();
    let (line, mut server) = answer(&line, identity).expect("the line is one");
    let (mut client, _) = hello.finish(&line).expect("the answer is one");
    let mut wire = Vec::new();
    let sent = client.send(&mut wire, bytes, &mut [0; SEALED]).expect("there is room");
    assert_eq!(sent, bytes.len());
    let open = |channel: &mut Channel, bytes: &[u8]| -> io::Result<Vec<u8>> {
        let mut heard = Vec::new();
        for mut piece in bytes.chunks(usize::from(size) + 1) {
            while !piece.is_empty() {
                let mut buffer = [0; MAX_OF_SERVER];
                let received = channel.receive(&mut piece, &mut buffer, &mut [0; SEALED])?;
                heard.extend_from_slice(&buffer[..received.length]);
            }
        }
        Ok(heard)
    };
    assert_eq!(open(&mut server, &wire).expect("the records are true"), bytes);
    // A stranger's bytes are never heard, whether they are refused or waited for.
    assert!(open(&mut server, bytes).unwrap_or_default().is_empty());
    exchange(bytes, client.binding());
}

/// The bytes open no closed room, on either side, and are no password but the one that they
/// show.
fn exchange(bytes: &[u8], binding: &[u8; 32]) {
    let bytes = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    static PASSWORD: OnceLock<Password> = OnceLock::new();
    let password = PASSWORD.get_or_init(Password::generate);
    let (question, asked) = Question::new(password, binding);
    assert!(question.judge(bytes).is_none(), "it proves the password");
    let (reply, _) = Reply::new(password, binding, &asked).expect("the server asks");
    let text = String::from_utf8_lossy(bytes);
    assert!(!reply.accepts(&text), "it proves the password");
    if let Some((reply, line)) = Reply::new(password, binding, &text) {
        assert!(text.starts_with("PASSWORD ") && text.len() == 9 + 66, "{text}");
        assert!(line.len() == 9 + 66 + 1 + 64 && !reply.accepts(&line));
    }
    if let Ok(typed) = Password::new(&text) {
        let shown = typed.as_str();
        assert!(shown.len() <= MAX_BYTES && shown.chars().count() >= MIN_CHARACTERS);
        assert!(!shown.chars().any(char::is_control) && shown.trim() == shown);
        assert_eq!(Password::new(shown).as_ref(), Ok(&typed));
    }
}

/// A line of the file of known servers is understood as it is written again.
pub fn known_servers(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Some((name, pin)) = parse_known_server(line) {
            assert!(!name.is_empty() && !name.contains('\t'));
            let again = format!("{name}\t{}\t{}", pin.key.to_text(), pin.since);
            assert_eq!(parse_known_server(again.as_bytes()), Some((name, pin)));
        }
    }
}

/// A store opens with any bytes in it, or is left as it is. No whole line is lost but those
/// that are none, and what is said next follows them.
pub fn store(bytes: &[u8]) {
    thread_local! {
        static FOLDER: Folder = Folder::new();
    }
    FOLDER.with(|Folder(dir)| {
        let path = dir.join(format!("{:020}.chat", 1));
        fs::write(&path, bytes).expect("there is room");
        let (mut store, contents) = match open_store(dir) {
            Ok(opened) => opened,
            Err(OpenError::Unknown(file)) => {
                assert_eq!((file, fs::read(&path).expect("it is there")), (path, bytes.to_vec()));
                return;
            }
            Err(err) => panic!("{err:?}"),
        };
        let whole = &bytes[..bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)];
        assert_eq!(fs::read(&path).expect("it is there"), whole);
        let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            lines.map(<[u8]>::to_vec).collect()
        };
        let (all, kept) = (lines(whole), lines(&contents.tail));
        let left_out: usize = contents.left_out.iter().map(|(_, count)| count).sum();
        assert_eq!(kept.len() + left_out, all.len());
        let number = |line: &Vec<u8>| Record::parse(line).expect("a record").number;
        let numbers: Vec<u64> = kept.iter().map(number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next));
        assert!(numbers.last().is_none_or(|last| *last < contents.next));
        assert!(kept.iter().all(|line| all.contains(line)));
        let next = format!("{} 0 FROM ana [all]: oi\n", contents.next);
        store.append(next.as_bytes(), 0).expect("there is room");
        drop(store);
        let (_, contents) = open_store(dir).expect("it opened before");
        assert!(contents.tail.ends_with(next.as_bytes()));
    });
}

/// Opens a store that nothing holds. A program that another test starts at this moment has
/// its lock until it is another program.
fn open_store(dir: &Path) -> Result<(Store, Contents), OpenError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match Store::open(dir, 0, 0) {
            Err(OpenError::InUse) if Instant::now() < deadline => thread::yield_now(),
            opened => return opened,
        }
    }
}

/// The folder of a store, which is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("minichat-promises-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // It is of no use.
    }
}

type Promise = fn(&[u8]);

/// The promises by the names of their targets.
const PROMISES: [(&str, Promise); 12] = [
    ("framing", framing),
    ("command", command),
    ("event", event),
    ("nick", nick),
    ("sanitize", sanitize),
    ("dns", dns),
    ("request", request),
    ("client_frames", client_frames),
    ("server_frames", server_frames),
    ("secure", secure),
    ("known_servers", known_servers),
    ("store", store),
];

#[test]
fn promises_hold_for_kept_and_similar_inputs() {
    for (name, promise) in PROMISES {
        let seeds = seeds(name);
        seeds.iter().for_each(|seed| promise(seed));
        let mut dice = Rng::with_seed(3);
        for _ in 0..2000 {
            let Some(mut bytes) = dice.choice(&seeds).cloned() else { break };
            for _ in 0..dice.usize(1..5) {
                change(&mut bytes, &seeds, &mut dice);
            }
            promise(&bytes);
        }
    }
}

#[test]
fn they_hold_for_noise() {
    let mut dice = Rng::with_seed(4);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..dice.usize(0..60)).map(|_| dice.u8(..)).collect();
        let text: String = (0..dice.usize(0..30)).map(|_| dice.char(..)).collect();
        for (_, promise) in PROMISES {
            promise(&bytes);
            promise(text.as_bytes());
        }
    }
}

/// The inputs that are kept for one target. A package of minichat is without it.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let Ok(files) = fs::read_dir(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return Vec::new();
    };
    // In one order, so that chance is the same everywhere.
    let mut files: Vec<_> = files.map(|file| file.expect("it can be listed").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a seed can be read")).collect()
}

/// A small change of the kind that finds something.
fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Rng) {
    let at = dice.usize(..=bytes.len());
    match dice.usize(..5) {
        0 => bytes.insert(at, dice.u8(..)),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..(at + dice.usize(1..4)).min(bytes.len()))),
        3 => {
            let other = dice.choice(others).map_or(&[][..], Vec::as_slice);
            let piece = &other[dice.usize(..=other.len())..];
            bytes.splice(at..at, piece.iter().copied());
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.u8(..8);
            }
        }
    }
}
