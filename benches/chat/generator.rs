//! A crowd of clients in one thread, which hears every line and checks it.
//!
//! All members hear the same, so each needs no more than a place in one log, as
//! in the server: the first reader of a piece adds it to the log, where it is
//! checked line by line; what the others hear must be the same bytes. Comparing
//! is so fast that the crowd is never what is measured.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::SockRef;

use minichat::secure::channel::SEALED;
use minichat::secure::{Channel, Hello};

use crate::servers::{Kind, Server, UPGRADED};

/// How long anything may take before it is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How many are on their way in at once: fewer than any server keeps waiting.
const AT_ONCE: usize = 100;

/// Many clients of one server.
pub struct Crowd {
    kind: Kind,
    people: Vec<Person>,
    /// The public lines, which everyone hears.
    log: Vec<u8>,
    /// Up to here it is whole lines, as they should be.
    checked: usize,
    deadline: Instant,
    epoll: OwnedFd,
    events: Vec<Event>,
    inbox: Vec<u8>,
    /// Records that were received, or that are about to be sent.
    records: Box<[u8; SEALED]>,
}

struct Person {
    stream: TcpStream,
    /// The bytes that this one alone must hear before anything else.
    owed: Vec<u8>,
    /// How far this one has heard the log; unknown until the log tells of it.
    place: Option<usize>,
    /// The state of the frames that it hears, if it is a browser.
    frames: Option<Frames>,
    /// The channel, if it is encrypted.
    channel: Option<Secret>,
    /// The bytes that the socket did not take yet.
    unsent: Vec<u8>,
    /// Waiting to send it.
    blocked: bool,
}

/// How a crowd talks.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    /// How many talk; all listen.
    pub speakers: usize,
    /// How many lines of its own each speaker has yet to hear when it waits.
    pub window: usize,
    /// How long a text is, in bytes.
    pub size: usize,
    /// Then one speaker talks this often instead, and the delay is measured.
    pub every: Option<Duration>,
}

/// The progress of a crowd.
pub struct Heard {
    /// How many lines, by how many ears.
    pub deliveries: usize,
    /// How long that took.
    pub took: Duration,
    /// How long each line was on its way, where that was asked for.
    pub delays: Vec<Duration>,
}

/// The result of one read.
enum News {
    Nothing,
    /// All that was for this one alone has come.
    Owed,
    /// This stretch of the log.
    Log(Range<usize>),
}

impl Crowd {
    /// Connects a crowd, which is greeted and has said nothing yet.
    pub fn connect(server: &Server, count: usize) -> Crowd {
        let mut crowd = Crowd {
            kind: server.kind,
            people: Vec::with_capacity(count),
            log: Vec::new(),
            checked: 0,
            deadline: Instant::now() + PATIENCE,
            epoll: epoll::create(CreateFlags::CLOEXEC).expect("a set of sockets can be made"),
            events: vec![Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 1024],
            inbox: vec![0; 256 << 10],
            records: vec![0; SEALED].try_into().expect("the length is the same"),
        };
        let mut greeted = 0;
        while greeted < count {
            while crowd.people.len() < count.min(greeted + AT_ONCE) {
                crowd.connect_one(server.address);
            }
            for client in crowd.ready(None) {
                greeted += usize::from(matches!(crowd.hear(client), News::Owed));
            }
        }
        crowd
    }

    /// Lets all connections in at once, and reads their arrivals.
    pub fn join(&mut self, announced: bool) -> Heard {
        let start = self.begin();
        let announced = announced || self.kind.announces();
        let first = self.kind.arrival(0);
        let length = first.len();
        let number = first.find("00000").expect("the number is in the nick");
        let (mut welcomed, mut told, mut bytes) = (0, 0, 0);
        self.enter(0, announced);
        while welcomed < self.people.len() || (announced && told < welcomed) || !self.is_quiet() {
            for client in self.ready(None) {
                match self.hear(client) {
                    News::Nothing => (),
                    News::Owed if client == 0 => {
                        // The first one came alone: it hears of all the others, so that
                        // the members that the log does not yet know can wait for it.
                        self.people[0].place = Some(0);
                        told += usize::from(self.kind.announces()); // Nobody was there.
                        (1..self.people.len()).for_each(|client| self.enter(client, announced));
                        welcomed += 1;
                    }
                    News::Owed => {
                        if !announced {
                            self.people[client].place = Some(0);
                        }
                        welcomed += 1;
                    }
                    News::Log(stretch) => bytes += stretch.len(),
                }
                while let Some(line) = self.next_line(length) {
                    let client = digits(&self.log[line.clone()][number..number + 5]);
                    let expected = self.kind.arrival(client);
                    assert_eq!(text_of(&self.log[line.clone()]), expected, "who came?");
                    if client > 0 {
                        let place = if self.kind.announces() { line.end } else { line.start };
                        let before = self.people[client].place.replace(place);
                        assert_eq!(before, None, "client {client} comes a second time");
                    }
                    told += 1;
                }
            }
        }
        Heard { deliveries: bytes / length, took: start.elapsed(), delays: Vec::new() }
    }

    fn enter(&mut self, client: usize, announced: bool) {
        let (send, owed) = self.kind.entry(client, announced);
        self.people[client].owed = owed.into_bytes();
        self.send(client, send.as_bytes());
    }

    /// Lets some of the crowd talk for a while, and all of it hear them to the end.
    pub fn talk(&mut self, talk: &Talk, lasting: Duration) -> Heard {
        let start = self.begin();
        let mut speakers: Vec<Speaker> =
            (0..talk.speakers).map(|from| Speaker::new(self.kind, from, talk.size)).collect();
        let length = speakers[0].heard.len();
        let (mut sent, mut delays) = (Vec::new(), Vec::new());
        if talk.every.is_none() {
            for (client, speaker) in speakers.iter_mut().enumerate() {
                self.send(client, &speaker.say(talk.window));
            }
        }
        loop {
            let over = start.elapsed() >= lasting;
            let said: usize = match over {
                true => speakers.iter().map(|speaker| speaker.said).sum(),
                false => usize::MAX,
            };
            if self.checked / length == said && self.is_quiet() {
                break;
            }
            let next = talk.every.filter(|_| !over).map(|every| every * sent.len() as u32);
            let wait = next.map(|next| next.saturating_sub(start.elapsed()));
            if wait == Some(Duration::ZERO) {
                sent.push(Instant::now());
                self.send(0, &speakers[0].say(1));
                continue;
            }
            for client in self.ready(wait) {
                let News::Log(stretch) = self.hear(client) else { continue };
                while let Some(line) = self.next_line(length) {
                    let text = &self.log[line.clone()];
                    let from = digits(&text[speakers[0].text..][..5]);
                    let speaker = speakers.get_mut(from).expect("only speakers speak");
                    let expected = speaker.next();
                    assert!(text == expected, "{:?} for {:?}", text_of(text), text_of(expected));
                    speaker.echoes.push_back(line.end);
                }
                if talk.every.is_some() {
                    let lines = &sent[stretch.start / length..stretch.end / length];
                    delays.extend(lines.iter().map(Instant::elapsed));
                } else if let Some(speaker) = speakers.get_mut(client) {
                    let echoes = &mut speaker.echoes;
                    let before = echoes.len();
                    while echoes.pop_front_if(|&mut end| end <= stretch.end).is_some() {}
                    let heard = before - echoes.len();
                    if heard > 0 && !over {
                        self.send(client, &speaker.say(heard));
                    }
                }
            }
        }
        let deliveries = self.checked / length * self.people.len();
        Heard { deliveries, took: start.elapsed(), delays }
    }

    /// Lets two and two tell each other something in turn.
    pub fn whisper(&mut self, size: usize, lasting: Duration) -> Heard {
        let start = self.begin();
        let mut open = self.people.len() / 2;
        let mut asked = vec![start; self.people.len()];
        let (mut deliveries, mut delays) = (0, Vec::new());
        for client in (0..open).map(|pair| 2 * pair) {
            self.tell(client, deliveries, size);
        }
        while open > 0 {
            for client in self.ready(None) {
                let News::Owed = self.hear(client) else { continue };
                deliveries += 1;
                let answers = client % 2 == 0;
                if answers {
                    delays.push(asked[client].elapsed());
                    asked[client] = Instant::now();
                }
                match answers && start.elapsed() >= lasting {
                    true => open -= 1,
                    false => self.tell(client, deliveries, size),
                }
            }
        }
        Heard { deliveries, took: start.elapsed(), delays }
    }

    /// Sends the other one of the pair a line, which it must hear next.
    fn tell(&mut self, from: usize, number: usize, size: usize) {
        let to = from ^ 1;
        let (send, heard) = self.kind.private(from, to, &text(from, number, size));
        self.people[to].owed = heard.into_bytes();
        self.send(from, send.as_bytes());
    }

    /// Whether everyone has heard all that anyone has heard.
    fn is_quiet(&self) -> bool {
        let end = self.log.len();
        self.checked == end && self.people.iter().all(|person| person.place == Some(end))
    }

    /// A new log, and time for what comes now.
    fn begin(&mut self) -> Instant {
        self.log.clear();
        self.checked = 0;
        for person in &mut self.people {
            person.place = person.place.and(Some(0));
        }
        let now = Instant::now();
        self.deadline = now + PATIENCE;
        now
    }

    fn connect_one(&mut self, address: SocketAddr) {
        let client = self.people.len();
        let stream = TcpStream::connect(address).expect("the server lets everybody in");
        let channel = (self.kind == Kind::Secure).then(|| Secret::begin(&stream));
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).expect("it is TCP");
        // Nothing of thousands of connections stays behind.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("it is TCP");
        epoll::add(&self.epoll, &stream, EventData::new_u64(client as u64), EventFlags::IN)
            .expect("one more socket can be watched");
        let (send, owed) = self.kind.greeting();
        let frames = (self.kind == Kind::Web).then(Frames::upgraded);
        let head = if frames.is_some() { UPGRADED } else { "" };
        let owed = [head, owed].concat().into_bytes();
        let unsent = send.as_bytes().to_vec();
        self.people.push(Person {
            stream,
            owed,
            place: None,
            frames,
            channel,
            unsent,
            blocked: false,
        });
        self.send(client, b"");
    }

    /// Sends as one client; what the socket does not take follows when it does.
    fn send(&mut self, client: usize, bytes: &[u8]) {
        let person = &mut self.people[client];
        if person.frames.is_some() && !bytes.is_empty() {
            person.unsent.extend_from_slice(&header(bytes.len()));
        }
        person.unsent.extend_from_slice(bytes);
        let sent = match &mut person.channel {
            None => person.stream.write(&person.unsent),
            Some(Secret { channel, .. }) => {
                channel.send(&person.stream, &person.unsent, &mut self.records[..])
            }
        };
        match sent {
            Ok(sent) => drop(person.unsent.drain(..sent)),
            Err(err) if err.kind() == ErrorKind::WouldBlock => (),
            Err(err) => panic!("client {client} cannot send: {err}"),
        }
        if person.blocked == person.unsent.is_empty() {
            person.blocked = !person.blocked;
            let (also, data) = (EventFlags::OUT, EventData::new_u64(client as u64));
            let flags = EventFlags::IN | if person.blocked { also } else { EventFlags::empty() };
            epoll::modify(&self.epoll, &person.stream, data, flags).expect("it is watched");
        }
    }

    /// Waits until some can read, and returns which; sends what others can.
    fn ready(&mut self, wait: Option<Duration>) -> Vec<usize> {
        // Bytes that were opened and not heard wait for nothing.
        let opened = |person: &Person| person.channel.as_ref().is_some_and(Secret::has_more);
        let mut readable: Vec<usize> =
            (0..self.people.len()).filter(|client| opened(&self.people[*client])).collect();
        let wait = if readable.is_empty() { wait.unwrap_or(PATIENCE) } else { Duration::ZERO };
        let timeout = wait.try_into().expect("it is not for years");
        let count = epoll::wait(&self.epoll, &mut self.events[..], Some(&timeout))
            .expect("the set can be waited for");
        assert!(Instant::now() < self.deadline, "not all was heard in {PATIENCE:?}");
        for event in 0..count {
            let Event { flags, data } = self.events[event];
            if flags.contains(EventFlags::OUT) {
                self.send(data.u64() as usize, b"");
            }
            if flags != EventFlags::OUT && !readable.contains(&(data.u64() as usize)) {
                readable.push(data.u64() as usize);
            }
        }
        readable
    }

    /// Reads once as one client, and compares what that brings.
    fn hear(&mut self, client: usize) -> News {
        let person = &mut self.people[client];
        // Beyond what it alone must hear, it is unknown where in the log it is.
        let room = match (person.owed.len(), person.place) {
            (0, None) => return News::Nothing,
            (0, Some(_)) => self.inbox.len(),
            // The rest of the frame, or the next one, is another one's turn.
            (owed, _) => person.frames.as_ref().map_or(owed, |frames| frames.next(owed)),
        };
        let read = match &mut person.channel {
            None => person.stream.read(&mut self.inbox[..room]),
            Some(secret) => secret.read(&person.stream, &mut self.inbox[..room], &mut self.records),
        };
        let heard = match read {
            Ok(0) => panic!("client {client} was cut off"),
            Ok(count) => match &mut person.frames {
                None => &self.inbox[..count],
                Some(frames) => frames.unwrap(&mut self.inbox[..count]),
            },
            Err(err) if err.kind() == ErrorKind::WouldBlock => return News::Nothing,
            Err(err) => panic!("client {client} cannot hear: {err}"),
        };
        let (due, place) = match person.place {
            Some(place) if person.owed.is_empty() => (&self.log[place..], place),
            _ => (&person.owed[..], 0),
        };
        let known = due.len().min(heard.len());
        if heard[..known] != due[..known] {
            let same = heard.iter().zip(due).take_while(|(heard, due)| heard == due).count();
            let [heard, due] =
                [heard, due].map(|bytes| text_of(&bytes[same..known.min(same + 99)]));
            panic!("client {client} hears {heard:?} for {due:?}");
        }
        if person.owed.is_empty() {
            self.log.extend_from_slice(&heard[known..]);
            let end = place + heard.len();
            person.place = Some(end);
            return News::Log(place..end);
        }
        person.owed.drain(..known);
        if person.owed.is_empty() { News::Owed } else { News::Nothing }
    }

    /// The next line of the log that is to be checked.
    fn next_line(&mut self, length: usize) -> Option<Range<usize>> {
        let line = self.checked..self.checked + length;
        (line.end <= self.log.len()).then(|| {
            self.checked = line.end;
            line
        })
    }
}

/// The channel of a client, and what was opened and not heard.
struct Secret {
    channel: Channel,
    opened: Vec<u8>,
    /// How much of that was heard.
    from: usize,
}

impl Secret {
    /// Begins a channel, and waits for it.
    fn begin(mut stream: &TcpStream) -> Secret {
        let (hello, line) = Hello::new();
        stream.write_all(format!("{line}\n").as_bytes()).expect("the server reads");
        let mut heard = Vec::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the server answers");
            heard.push(byte[0]);
            if byte == *b"\n" && heard.starts_with(b"SECURE ") {
                break;
            } else if byte == *b"\n" {
                heard.clear(); // The greeting in the clear.
            }
        }
        let (channel, _) = hello.finish(text_of(&heard).trim_end()).expect("it is an answer");
        Secret { channel, opened: Vec::new(), from: 0 }
    }

    fn has_more(&self) -> bool {
        self.from < self.opened.len()
    }

    /// Reads as if the bytes of the protocol came over the socket.
    fn read(
        &mut self,
        stream: &TcpStream,
        out: &mut [u8],
        records: &mut [u8; SEALED],
    ) -> io::Result<usize> {
        if !self.has_more() {
            self.opened.resize(SEALED, 0);
            self.from = 0;
            let received = self.channel.receive(stream, &mut self.opened, records);
            self.opened.truncate(received.as_ref().map_or(0, |received| received.length));
            let received = received?;
            if received.length == 0 && !received.ended {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        let count = out.len().min(self.opened.len() - self.from);
        out[..count].copy_from_slice(&self.opened[self.from..][..count]);
        self.from += count;
        Ok(count)
    }
}

/// The header of a text message from a browser, with a mask of zeros.
fn header(length: usize) -> Vec<u8> {
    let mut header = vec![0x81];
    match length {
        0..=125 => header.push(0x80 | length as u8),
        126..=0xFFFF => {
            header.push(0x80 | 126);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    header.extend_from_slice(&[0; 4]);
    header
}

/// Takes the frames of a server apart.
struct Frames {
    /// The part of the next header that has come.
    header: Vec<u8>,
    /// How many bytes of the frame have yet to come.
    left: usize,
}

impl Frames {
    /// The answer to the request comes first, and counts as a frame.
    fn upgraded() -> Frames {
        Frames { header: Vec::new(), left: UPGRADED.len() }
    }

    /// How many bytes hold no more than `owed` bytes of lines.
    fn next(&self, owed: usize) -> usize {
        if self.left == 0 { 1 } else { self.left.min(owed) }
    }

    /// Moves what the frames hold to the front.
    fn unwrap<'a>(&mut self, bytes: &'a mut [u8]) -> &'a [u8] {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.left == 0 {
                self.header.push(bytes[from]);
                from += 1;
                self.left = match &self.header[..] {
                    [_, length @ ..=125] => usize::from(*length),
                    [_, 126, high, low] => usize::from(u16::from_be_bytes([*high, *low])),
                    [_, 127, length @ ..] if length.len() == 8 => digits_of(length),
                    _ => continue,
                };
                assert!(matches!(self.header[0], 0x00 | 0x01 | 0x80 | 0x81), "it is no text");
                self.header.clear();
            }
            let length = self.left.min(bytes.len() - from);
            bytes.copy_within(from..from + length, to);
            (from, to, self.left) = (from + length, to + length, self.left - length);
        }
        &bytes[..to]
    }
}

fn digits_of(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// A member that talks to all.
struct Speaker {
    /// A line as it is sent, and as it is heard.
    sends: Vec<u8>,
    heard: Vec<u8>,
    /// Where the text begins in the latter; it begins with the speaker's number.
    text: usize,
    /// How many were sent, and how many are in the log.
    said: usize,
    known: usize,
    /// The ends of those lines in the log that it has not yet heard itself.
    echoes: VecDeque<usize>,
}

impl Speaker {
    fn new(kind: Kind, from: usize, size: usize) -> Speaker {
        let text = text(from, 0, size);
        let (sends, heard) = kind.public(from, &text);
        let at = heard.find(&text).expect("the text is heard as it was said");
        let (sends, heard) = (sends.into_bytes(), heard.into_bytes());
        Speaker { sends, heard, text: at, said: 0, known: 0, echoes: VecDeque::new() }
    }

    /// The next lines it sends.
    fn say(&mut self, count: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(count * self.sends.len());
        let text = self.sends.len() - (self.heard.len() - self.text);
        for _ in 0..count {
            write_digits(&mut self.sends[text + 6..text + 14], self.said);
            lines.extend_from_slice(&self.sends);
            self.said += 1;
        }
        lines
    }

    /// The next line everyone hears from it.
    fn next(&mut self) -> &[u8] {
        assert!(self.known < self.said, "nobody has said that");
        write_digits(&mut self.heard[self.text + 6..self.text + 14], self.known);
        self.known += 1;
        &self.heard
    }
}

/// A text of at least 16 bytes that is unique in this run.
fn text(from: usize, number: usize, size: usize) -> String {
    format!("{:.<size$}", format!("{from:05} {number:08} "))
}

fn digits(digits: &[u8]) -> usize {
    digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit.wrapping_sub(b'0')))
}

fn write_digits(digits: &mut [u8], mut number: usize) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
