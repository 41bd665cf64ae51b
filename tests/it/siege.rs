//! Everything that strangers can do to a server: one thing after the other, to the
//! same one, while two people go on talking in it.
//!
//! After each of them a fresh pair is served exactly, and the server has no more
//! descriptors open than before. Over all of them its memory grows by less than
//! 64 MiB; and the two hear every line, in order, and are never cut off.
//!
//! Attacks that need a network of their own, as a machine that is gone without a word, are in
//! `lan/connections.rs`.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::harness::{Finally, GREETING, PATIENCE, Peer, Server, minichat, minichat_after, part};
use crate::websocket::{message, upgrade};

type Assault = fn(&mut Server);

/// Their deeds, in words, and how.
const ASSAULTS: [(&str, Assault); 26] = [
    ("a browser and a TLS client come", wrong_programs),
    ("lines are empty, end anyhow, or hold anything", odd_lines),
    ("lines are cut in two at every byte", lines_cut_anywhere),
    ("thousands of commands come at once", many_commands_at_once),
    ("one half of a connection is closed, or all of it, within a line", half_lines),
    ("lines are as long as may be, or longer", long_lines),
    ("160 MiB come without a line feed", an_endless_line),
    ("bytes are not UTF-8", not_text),
    ("texts and commands would harm a terminal", harmful_texts),
    ("nicks would confuse people", confusing_nicks),
    ("many claim one nick", one_nick_for_many),
    ("3,000 connections come and go", quick_connections),
    ("descriptors are used up", no_descriptors),
    ("peers reset while a message goes out to them", resets),
    ("many quit and never read", quits_unread),
    ("a member stops reading", stops_reading),
    ("one floods and reads", |server| floods(server, 1)),
    ("many flood and read", |server| floods(server, 8)),
    ("one floods and does not read", |server| floods_unread(server, 1)),
    ("many flood and do not read", |server| floods_unread(server, 8)),
    ("many flood, and one reads slowly", slow_reader),
    ("many come and go, and one reads slowly", comings_and_goings),
    ("many tell one in private more than they read", private_flood),
    ("many are told in private what they do not read", unread_in_private),
    ("browsers stop reading, flood, break the frames or are killed", browsers),
    ("some never register, and one asks and does not read", waits),
];

/// How long a client may be a guest here, in seconds.
const REGISTRATION: &str = "10";
/// How much memory the server may take for all of that, in KiB.
const GROWTH: u64 = 64 << 10;
/// How often one of the two that talk on says something.
const TALK: Duration = Duration::from_millis(50);
/// The nicks of clients that must be evicted begin with this.
const GUILTY: &str = "guilty-";

#[test]
fn with_one_thread() {
    besiege("127.0.0.1", 1, "TERM");
}

#[test]
fn with_two_threads() {
    besiege("127.0.0.1", 2, "INT");
}

#[test]
fn over_ipv6_with_one_thread() {
    besiege("::1", 1, "INT");
}

#[test]
fn over_ipv6_with_two_threads() {
    besiege("::1", 2, "TERM");
}

#[track_caller]
fn besiege(ip: &str, cores: usize, signal: &str) {
    let ip: IpAddr = ip.parse().expect("an address");
    if ip.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return eprintln!("SKIP: there is no IPv6");
    }
    let mut server = on_cores(cores, || {
        let mut command = minichat();
        command.env("MINICHAT_REGISTRATION_SECS", REGISTRATION);
        Server::launch(command, &["--rate", "0", "--bind", &ip.to_string()])
    });
    let [ana, joao] = server.members(["ana", "joao"]);
    let mouth = ana.socket().try_clone().expect("a socket can be shared");

    let late = &Lateness::default();
    thread::scope(|scope| {
        let begin = Instant::now();
        let listeners = [ana, joao].map(|peer| scope.spawn(move || listen(peer, begin, late)));
        scope.spawn(move || talk(mouth, begin));
        let siege = catch_unwind(AssertUnwindSafe(|| {
            endure(&mut server, late);
            stop(&mut server, signal);
        }));
        if siege.is_err() {
            server.process.signal("KILL"); // Nobody is to wait for it any more.
        }
        let heard = listeners.map(|listener| listener.join());
        siege.unwrap_or_else(|panic| resume_unwind(panic));
        heard.into_iter().for_each(|heard| heard.unwrap_or_else(|panic| resume_unwind(panic)));
    });

    let output = server.process.output();
    assert_eq!(output.status, Some(0));
    let cut = |line: &&str| !line.contains(&format!("cut off {GUILTY}"));
    assert_eq!(output.stderr.lines().find(cut), None, "nobody else was cut off");
}

/// All of it, with what must hold after each and after all.
fn endure(server: &mut Server, late: &Lateness) {
    let own = server.descriptors();
    serves_a_fresh_pair(server);
    is_left_with(server, own);
    let memory = server.process.memory();
    for (what, assault) in ASSAULTS {
        let begin = Instant::now();
        eprintln!("{what}");
        assault(server);
        drop(server.guest()); // Whoever was at the door before that is in by now.
        is_left_with(server, own);
        serves_a_fresh_pair(server);
        is_left_with(server, own);
        let late = late.take();
        eprintln!("  {:?}, {:?} KiB, {late:?}", begin.elapsed(), server.process.memory());
        assert!(late.as_secs() < 1, "it was {late:?} until a line was heard when {what}");
    }
    if let (Some(before), Some(most)) = (memory, server.process.peak_memory()) {
        assert!(most < before + GROWTH, "from {before} KiB it grew to {most} KiB");
    }
}

/// Waits until every descriptor is one that was there before. There may be
/// one fewer: while they were counted, the time zone may have been read.
#[track_caller]
fn is_left_with(server: &Server, own: Option<usize>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open = server.process.descriptors();
        if open <= own {
            return;
        }
        assert!(Instant::now() < deadline, "{open:?} descriptors are open, not {own:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A signal ends it, though one of the members does not read.
fn stop(server: &mut Server, signal: &str) {
    let mut sleepy = Peer::with_little_room(server.address);
    sleepy.says(format!("NICK {GUILTY}sleepy"));
    sends_all_it_can(&mut sleepy, &b"WHO\n".repeat(1000));
    let begin = Instant::now();
    server.process.signal(signal);
    assert_eq!(server.process.wait().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// Starts something that may use so many cores, if there are as many.
fn on_cores<T: Send>(cores: usize, start: impl FnOnce() -> T + Send) -> T {
    let there = || {
        let allowed = sched_getaffinity(None).expect("it is known where one may run");
        let mut some = CpuSet::new();
        let known = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
        known.take(cores).for_each(|cpu| some.set(cpu));
        // It is this thread alone that is bound, and what it starts.
        sched_setaffinity(None, &some).expect("one may bind oneself");
        start()
    };
    let result = thread::scope(|scope| scope.spawn(there).join());
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

#[test]
fn a_server_has_a_thread_for_each_core_that_it_may_use() {
    if thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        return eprintln!("SKIP: there is one core only");
    }
    let [one, two] = [1, 2].map(|cores| on_cores(cores, || Server::start(&[])));
    let threads = |server: &Server| {
        let status = server.process.known("status")?;
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
        threads.trim().parse::<usize>().ok()
    };
    // A thread with nothing to do any more may need a moment to end.
    let begin = Instant::now();
    while threads(&two) != threads(&one).map(|threads| threads + 1) {
        let [one, two] = [&one, &two].map(threads);
        assert!(begin.elapsed() < PATIENCE, "{one:?} threads on one core, and {two:?} on two");
        thread::sleep(Duration::from_millis(1));
    }
    [one, two].iter().for_each(Server::still_serves);
}

#[test]
fn oldest_guest_goes_when_descriptors_are_few() {
    const PLACES: usize = 16;
    const NEWCOMERS: usize = 30;
    // This many of them are for other things.
    let others = 48 + 3 * thread::available_parallelism().map_or(1, NonZero::get);
    let limited = minichat_after(&format!("ulimit -n {}", others + PLACES));
    let mut server = Server::launch(limited, &["--no-web"]);
    let mut ana = server.member("ana");
    let own = server.process.descriptors();
    let mut guests: Vec<Peer> = (1..PLACES).map(|_| server.guest()).collect();
    for _ in 0..NEWCOMERS {
        let mut oldest = guests.remove(0);
        guests.push(server.guest());
        while !oldest.raw_line().is_empty() {}
    }
    ana.reads_nothing_more();
    drop(guests);
    is_left_with(&server, own);
    server.still_serves();

    // The operator is told why, 10 times in a second; and later how many more they
    // were, though nothing else happens.
    let mut told = 0;
    while told < NEWCOMERS {
        let line = server.process.stderr.next().expect("it does not end");
        match line.split_once("! ").expect("it is a remark") {
            (_, text) if text.starts_with("cut off a guest 127.0.0.1: ") => {
                assert!(text.ends_with("has no nick, and another one needed the place"), "{line}");
                told += 1;
            }
            (_, text) => {
                let more: Option<usize> =
                    text.strip_suffix(" more were cut off").and_then(|n| n.parse().ok());
                told += more.unwrap_or_else(|| panic!("{line}"));
            }
        }
    }
    assert_eq!(told, NEWCOMERS);
}

/// Says something every now and then for as long as the server listens.
fn talk(mut mouth: TcpStream, begin: Instant) {
    for n in 0.. {
        let line = format!("MSG {n} {}\n", begin.elapsed().as_micros());
        if mouth.write_all(line.as_bytes()).is_err() {
            return;
        }
        thread::sleep(TALK);
    }
}

/// How late the latest line came, in microseconds.
#[derive(Default)]
struct Lateness(AtomicU64);

impl Lateness {
    fn take(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }
}

/// Hears everything that is said to the end, and each speaker's lines in their
/// order: they are numbered. Takes note of how late those come that say when they
/// were said.
fn listen(mut peer: Peer, begin: Instant, late: &Lateness) {
    let mut next: HashMap<String, u64> = HashMap::new();
    loop {
        let line = peer.line();
        if line == "BYE" {
            return peer.ends();
        }
        let Some((nick, text)) =
            line.strip_prefix("FROM ").and_then(|line| line.split_once(" [all]: "))
        else {
            // Another one may come under the same nick, and begins anew.
            let left =
                line.strip_prefix("User ").and_then(|line| line.strip_suffix(" left the chat."));
            left.map(|nick| next.remove(nick));
            continue;
        };
        let mut words = text.split(' ').map(|word| word.parse::<u64>().ok());
        let Some(number) = words.next().flatten() else { continue };
        let due = next.entry(nick.into()).or_default();
        assert_eq!(number, *due, "the next line of {nick}: {line:?}");
        *due += 1;
        if let (true, Some(then)) = (nick == "ana", words.next().flatten()) {
            let now = begin.elapsed().as_micros() as u64;
            late.0.fetch_max(now.saturating_sub(then), Ordering::Relaxed);
        }
    }
}

/// A client that discards what the two talk about.
struct Stranger(Peer);

impl Stranger {
    #[track_caller]
    fn guest(server: &Server) -> Stranger {
        Stranger(server.guest())
    }

    #[track_caller]
    fn member(server: &Server, nick: &str) -> Stranger {
        Stranger(server.member(nick))
    }

    #[track_caller]
    fn says(&mut self, line: &str) {
        self.0.says(line);
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let line = self.raw_line();
        line.strip_suffix('\n').unwrap_or_else(|| panic!("a whole line, not {line:?}")).into()
    }

    /// The next line with its end; empty at the end of the stream.
    #[track_caller]
    fn raw_line(&mut self) -> String {
        loop {
            let line = String::from_utf8(self.0.raw_line()).expect("the server sends UTF-8");
            if !line.starts_with("FROM ana [all]: ") {
                return line;
            }
        }
    }

    #[track_caller]
    fn ends(&mut self) {
        assert_eq!(self.raw_line(), "");
    }

    #[track_caller]
    fn reads(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Is answered so, and told nothing else.
    #[track_caller]
    fn is_told(&mut self, line: impl AsRef<[u8]>, answer: &str) {
        self.0.sends(line.as_ref());
        let heard = self.line();
        assert_eq!(heard, answer, "for {:?}", String::from_utf8_lossy(line.as_ref()));
    }

    #[track_caller]
    fn quits(mut self) {
        self.says("QUIT");
        self.reads("BYE");
        self.ends();
    }
}

#[track_caller]
fn serves_a_fresh_pair(server: &Server) {
    let mut one = Stranger::member(server, "fresh-one");
    let mut other = Stranger::member(server, "fresh-other");
    one.reads("User fresh-other joined.");
    other.says("MSG still here?");
    for peer in [&mut one, &mut other] {
        peer.reads("FROM fresh-other [all]: still here?");
    }
    one.says("MSG @fresh-other between us");
    other.reads("FROM fresh-one [dm]: between us");
    one.says("WHO");
    one.reads("Connected users: ana, fresh-one, fresh-other, joao");
    other.quits();
    one.reads("User fresh-other left the chat.");
    one.quits();
}

/// Sends this over and over until the server takes no more, or has had enough.
fn sends_all_it_can(peer: &mut Peer, bytes: &[u8]) {
    let mut socket = peer.socket();
    socket.set_write_timeout(Some(Duration::from_millis(500))).expect("a deadline can be set");
    for _ in 0..(64 << 20) / bytes.len() {
        match socket.write_all(bytes) {
            Ok(()) => (),
            Err(_) => return, // It is full, or cut off.
        }
    }
    panic!("it listens for ever to one who does not");
}

fn wrong_programs(server: &mut Server) {
    let mut browser = Stranger::guest(server);
    browser.0.sends("GET /MSG%20hi HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
    browser.reads("ERR unknown_command");
    browser.ends();
    // The random part happens to hold one line feed.
    let hello = b"\x16\x03\x01\x00\xC8\x01\x00\x00\xC4\x03\x03\x9F\x0A\x80\xD1\xC0\x2B\xC0\x2F";
    let mut client = Stranger::guest(server);
    client.is_told(hello, "ERR unknown_command");
    client.ends();
}

fn odd_lines(server: &mut Server) {
    let mut stranger = Stranger::guest(server);
    stranger.0.sends("\n\r\n\n\r\n");
    for (line, answer) in [
        ("\u{FEFF}NICK odd\n", "ERR unknown_command"),
        ("\0\n", "ERR unknown_command"),
        ("\r\r\n", "ERR unknown_command"),
        ("WHO\0\n", "ERR unknown_command"),
        ("NICK a\0b\n", "ERR invalid_nick"),
        ("NICK odd\r\n", "OK welcome odd"),
        ("MSG a\0b\0\n", "FROM odd [all]: ab"),
        ("MSG a\rQUIT\r\n", "FROM odd [all]: aQUIT"),
        ("MSG \0\n", "ERR empty_message"),
        ("\n\n \nWHO\n", "ERR unknown_command"),
    ] {
        stranger.is_told(line, answer);
    }
    stranger.reads("Connected users: ana, joao, odd");
    stranger.quits();
}

fn lines_cut_anywhere(server: &mut Server) {
    let mut stranger = Stranger::member(server, "cut");
    let lines = "MSG olá, 日本 🎉\r\nWHO\nMSG @cut psst\n".as_bytes();
    for cut in 0..=lines.len() {
        let (one, other) = lines.split_at(cut);
        stranger.0.sends(one);
        stranger.0.sends(other);
        stranger.reads("FROM cut [all]: olá, 日本 🎉");
        stranger.reads("Connected users: ana, cut, joao");
        stranger.reads("FROM cut [dm]: psst");
    }
    for byte in lines {
        stranger.0.sends([*byte]);
    }
    stranger.reads("FROM cut [all]: olá, 日本 🎉");
    stranger.reads("Connected users: ana, cut, joao");
    stranger.reads("FROM cut [dm]: psst");
    stranger.quits();
}

fn many_commands_at_once(server: &mut Server) {
    const TIMES: usize = 2000;
    let mut stranger = Stranger::guest(server);
    let mut writer = stranger.0.socket().try_clone().expect("a socket can be shared");
    let commands = (0..TIMES).map(|n| format!("MSG {n}\n?\nMSG @nobody x\nMSG @hasty {n}\n"));
    let commands = ["NICK hasty\n".into()].into_iter().chain(commands).collect::<String>();
    let writing =
        thread::spawn(move || writer.write_all((commands + "QUIT\nMSG late\n").as_bytes()));
    stranger.reads("OK welcome hasty");
    for n in 0..TIMES {
        stranger.reads(&format!("FROM hasty [all]: {n}"));
        stranger.reads("ERR unknown_command");
        stranger.reads("ERR user_not_found");
        stranger.reads(&format!("FROM hasty [dm]: {n}"));
    }
    stranger.reads("BYE");
    stranger.ends();
    writing.join().expect("it does not panic").expect("the server listens to the end");
}

fn half_lines(server: &mut Server) {
    let mut witness = Stranger::member(server, "witness");
    for half in ["MSG half a li", "QUI", "\u{65E5}", "MSG half a line\r"] {
        let mut stranger = Stranger::member(server, "half");
        stranger.0.sends(format!("MSG whole\nWHO\n{half}"));
        stranger.0.stops_talking();
        stranger.reads("FROM half [all]: whole");
        stranger.reads("Connected users: ana, half, joao, witness");
        stranger.ends();
        for line in ["User half joined.", "FROM half [all]: whole", "User half left the chat."] {
            witness.reads(line);
        }
        // And once more by a client that does not stay for the answer.
        let mut stranger = Stranger::member(server, "half");
        stranger.0.sends(format!("MSG whole\n{half}"));
        drop(stranger);
        for line in ["User half joined.", "FROM half [all]: whole", "User half left the chat."] {
            witness.reads(line);
        }
    }
    witness.quits();
}

fn long_lines(server: &mut Server) {
    let mut stranger = Stranger::member(server, "long");
    let text = "x".repeat(4096 - "MSG \n".len());
    stranger.is_told(format!("MSG {text}\n"), &format!("FROM long [all]: {text}"));
    stranger.is_told(format!("MSG {text}x\n"), "ERR line_too_long");
    for tail in ["MSG gotcha", "\rMSG gotcha", "\0MSG gotcha", "QUIT", "NICK other"] {
        stranger.0.sends("x".repeat(1 << 20));
        stranger.is_told(format!("{tail}\n"), "ERR line_too_long");
    }
    stranger.is_told("MSG short\n", "FROM long [all]: short");
    stranger.quits();
}

fn an_endless_line(server: &mut Server) {
    let mut stranger = Stranger::member(server, "endless");
    let piece = vec![b'x'; 1 << 20];
    for n in 0..160 {
        stranger.0.sends(&piece);
        if n == 0 {
            stranger.reads("ERR line_too_long");
        }
    }
    stranger.is_told("\nMSG at last\n", "FROM endless [all]: at last");
    stranger.quits();
}

fn not_text(server: &mut Server) {
    let mut stranger = Stranger::member(server, "bytes");
    for bytes in [
        &b"\x80"[..],
        b"ol\xE1",
        b"\xC0\xAF",         // overlong
        b"\xE0\x80\xAF",     // overlong, in three bytes
        b"\xED\xA0\x80",     // a surrogate
        b"\xE6\x97",         // cut
        b"\xF4\x90\x80\x80", // beyond Unicode
        b"\xFF\xFE",
    ] {
        for command in ["MSG ", "MSG @ana ", "NICK ", "WHO ", ""] {
            stranger.is_told([command.as_bytes(), bytes, b"\n"].concat(), "ERR invalid_utf8");
        }
    }
    stranger.quits();
}

fn harmful_texts(server: &mut Server) {
    let mut stranger = Stranger::member(server, "harm");
    for (harm, delivered) in [
        ("a\x1b[2Jb", "a[2Jb"),
        ("a\u{9B}2Jb", "a2Jb"),
        ("\x1b]52;c;aGk=\x07", "]52;c;aGk="),
        ("a\x07\x08\x7Fb", "ab"),
        ("a\rFROM joao [all]: no", "aFROM joao [all]: no"),
        ("a\u{85}b\u{2028}c\u{2029}d", "abcd"),
        ("a\u{202E}b\u{2066}c\u{2069}\u{200F}", "abc"),
        ("a\u{200B}b\u{AD}c\u{2060}d\u{FEFF}e\u{E0041}", "abcde"),
    ] {
        stranger.is_told(format!("MSG {harm}\n"), &format!("FROM harm [all]: {delivered}"));
        stranger.is_told(format!("MSG @harm {harm}\n"), &format!("FROM harm [dm]: {delivered}"));
        // No refusal repeats what was sent.
        stranger.is_told(format!("{harm}\n"), "ERR unknown_command");
        stranger.is_told(format!("NICK {harm}\n"), "ERR invalid_nick");
        stranger.is_told(format!("MSG @{harm} oi\n").replace(' ', "\t"), "ERR user_not_found");
    }
    stranger.quits();
}

fn confusing_nicks(server: &mut Server) {
    let mut stranger = Stranger::guest(server);
    for nick in [
        "ana, maria",
        "admin [all]: hi",
        "a\u{200B}na",
        "\u{3164}",
        "\u{202E}ana",
        "server",
        "ｓｅｒｖｅｒ",
        "all",
        "🎉",
    ] {
        stranger.is_told(format!("NICK {nick}\n"), "ERR invalid_nick");
    }
    for letter in ["a", "é", "日", "\u{10400}"] {
        stranger.is_told(format!("NICK {}\n", letter.repeat(33)), "ERR invalid_nick");
    }
    for nick in ["Ana", "ANA", "ａｎａ", "𝖺𝗇𝖺", "Joao"] {
        stranger.is_told(format!("NICK {nick}\n"), "ERR apelido_em_uso");
    }
    let mut composed = Stranger::member(server, "jo\u{E3}o");
    stranger.is_told("NICK joa\u{303}o\n", "ERR apelido_em_uso");
    composed.says("WHO");
    composed.reads("Connected users: ana, joao, jo\u{E3}o");
    composed.quits();
    stranger.quits();
}

fn one_nick_for_many(server: &mut Server) {
    const MANY: usize = 24;
    let ready = Barrier::new(MANY);
    let guests: Vec<Stranger> = (0..MANY).map(|_| Stranger::guest(server)).collect();
    let claim = |mut guest: Stranger| {
        ready.wait();
        guest.says("NICK one");
        (guest.line(), guest)
    };
    let claims: Vec<(String, Stranger)> = thread::scope(|scope| {
        let claims: Vec<_> = guests.into_iter().map(|guest| scope.spawn(|| claim(guest))).collect();
        claims.into_iter().map(|claim| claim.join().expect("there is an answer")).collect()
    });
    let said = |answer: &str| claims.iter().filter(|claim| claim.0 == answer).count();
    assert_eq!((said("OK welcome one"), said("ERR apelido_em_uso")), (1, MANY - 1));
}

fn quick_connections(server: &mut Server) {
    for n in 0..3000 {
        let mut peer = server.connect();
        match n % 5 {
            0 => (),
            1 => peer.resets(),
            2 => peer.sends("NICK"),
            3 => peer.sends("NICK quick\nMSG 0\nWHO\n"),
            _ => peer.reads(GREETING),
        }
    }
}

/// No client can come until there are descriptors again; then all can that have
/// waited, and meanwhile the server has not tried all the time.
fn no_descriptors(server: &mut Server) {
    let pid = Pid::from_raw(server.process.id().try_into().expect("a process has a number"));
    // It has set its own limit as high as it may be, and that is as high as ours.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let allow = |current| prlimit(pid, Resource::Nofile, Rlimit { current, maximum });

    // All numbers below this one are taken, so it can open nothing more.
    let before = allow(Some(3)).expect("it can be limited");
    assert_eq!(before.current, maximum);
    let mut waiting: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    let ticks = server.process.ticks();
    thread::sleep(Duration::from_secs(1)); // It has as long to try in vain.
    let ticks = server.process.ticks().zip(ticks).map(|(after, before)| after - before);
    assert!(ticks.is_none_or(|ticks| ticks < 50), "in a second it worked for {ticks:?} ticks");
    for peer in &waiting {
        let mut socket = peer.socket();
        socket.set_nonblocking(true).expect("a socket need not block");
        let read = socket.read(&mut [0]).map_err(|err| err.kind());
        assert_eq!(read, Err(ErrorKind::WouldBlock), "there was one left");
        socket.set_nonblocking(false).expect("a socket may block");
    }
    allow(maximum).expect("it may have as many as before");
    for peer in &mut waiting {
        peer.reads(GREETING);
    }
}

fn resets(server: &mut Server) {
    let mut talker = Stranger::member(server, "talker");
    for round in 0..30 {
        let victims: Vec<Peer> = (0..8).map(|n| server.member(&format!("victim-{n}"))).collect();
        let mouth = talker.0.socket().try_clone().expect("a socket can be shared");
        let lines: String =
            (0..50).map(|n| format!("MSG {} {}\n", 50 * round + n, "x".repeat(1000))).collect();
        let talking = thread::spawn(move || (&mouth).write_all(lines.as_bytes()));
        victims.into_iter().for_each(Peer::resets);
        talking.join().expect("it does not panic").expect("the server listens");
        let mut left = 0;
        let mut heard = 0;
        while left < 8 || heard < 50 {
            let line = talker.line();
            left += usize::from(line.ends_with(" left the chat."));
            heard += usize::from(line.starts_with("FROM talker "));
        }
    }
    talker.quits();
}

fn quits_unread(server: &mut Server) {
    let own = server.process.descriptors();
    let peers: Vec<Peer> = (0..50)
        .map(|n| {
            let mut peer = Peer::with_little_room(server.address);
            peer.sends(format!("NICK silent-{n}\n{}QUIT\nMSG more\n", "WHO\n".repeat(10)));
            peer
        })
        .collect();
    // They are gone for the server, though they are still there.
    is_left_with(server, own);
    drop(peers);
}

fn stops_reading(server: &mut Server) {
    let mut sleepy = Peer::with_little_room(server.address);
    sleepy.says(format!("NICK {GUILTY}reader"));
    let mut talker = Stranger::member(server, "talker");
    let mut n = 0;
    'talk: loop {
        talker.says(&format!("MSG {n} {}", "x".repeat(1000)));
        n += 1;
        loop {
            let line = talker.line();
            if line.starts_with("FROM talker ") {
                break;
            }
            if line == format!("User {GUILTY}reader left the chat.") {
                break 'talk;
            }
        }
        assert!(n < 10_000, "it is waited for without end");
    }
    let bytes = is_cut_off(server, "reader", "reads too slowly, ", " bytes behind");
    assert!((1 << 19..2 << 20).contains(&bytes), "{bytes} bytes behind");
}

/// Clients with WebSockets do the same, and what only they can do.
fn browsers(server: &mut Server) {
    let page = server.page();
    let visitor = |name: &str| {
        let mut peer = Peer::with_little_room(page);
        upgrade(&mut peer, page);
        peer.sends(message(&format!("NICK {GUILTY}web-{name}")));
        peer
    };
    let mut broken = visitor("broken");
    broken.sends(b"\x81\x04NICK");
    visitor("killed").resets();
    visitor("half").stops_talking();
    let mut pings = visitor("pings");
    // Pings, and the line of a frame of 2^63 bytes, may come without end, as long lines may.
    pings.sends(b"\x89\x80\0\0\0\0".repeat(10_000));
    let mut endless = visitor("endless");
    endless.sends(b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0");
    endless.sends(vec![b'x'; 2 << 20]);
    let silent: Vec<Peer> = (0..50).map(|_| Peer::connect(page)).collect();
    let mut flooder = visitor("flooder");
    sends_all_it_can(&mut flooder, &message(&format!("MSG {}", "x".repeat(1000))));
    let sleepy = visitor("reader");
    let mut talker = Stranger::member(server, "talker");
    let left = format!("User {GUILTY}web-reader left the chat.");
    'talk: for n in 0.. {
        assert!(n < 10_000, "it is waited for without end");
        talker.says(&format!("MSG {n} {}", "x".repeat(1000)));
        loop {
            let line = talker.line();
            if line.starts_with("FROM talker ") {
                break;
            }
            if line == left {
                break 'talk;
            }
        }
    }
    is_cut_off(server, "web-reader", "reads too slowly, ", " bytes behind");
    part(&silent);
    part(&[broken, pings, endless, flooder]);
    part(&[sleepy]);
}

/// Waits until the operator is told that a guilty client was cut off, and why.
/// Returns how many bytes they had yet to read.
#[track_caller]
fn is_cut_off(server: &mut Server, nick: &str, begin: &str, end: &str) -> u64 {
    let ip = server.address.ip();
    let line = server.process.stderr.find(&format!("cut off {GUILTY}{nick} {ip}: "));
    let (_, why) = line.rsplit_once(": ").expect("it says why");
    let bytes = why.strip_prefix(begin).and_then(|why| why.strip_suffix(end));
    bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

/// Many talk as fast as they can, and hear everything.
fn floods(server: &mut Server, many: usize) {
    const LINES: usize = 8000;
    let each = LINES / many;
    let talkers: Vec<Peer> = (0..many).map(|n| server.member(&format!("flood-{n}"))).collect();
    let flood = |mut peer: Peer| {
        let mut mouth = peer.socket().try_clone().expect("a socket can be shared");
        let lines: String = (0..each).map(|n| format!("MSG {n} {}\n", "x".repeat(200))).collect();
        let talking = thread::spawn(move || mouth.write_all(lines.as_bytes()));
        let mut heard = 0;
        while heard < LINES / many * many {
            heard += usize::from(peer.line().starts_with("FROM flood-"));
        }
        talking.join().expect("it does not panic").expect("the server listens");
        peer
    };
    thread::scope(|scope| {
        let talkers: Vec<_> =
            talkers.into_iter().map(|peer| scope.spawn(move || flood(peer))).collect();
        // A departure before the others have heard everything would be one more line.
        talkers.into_iter().for_each(|peer| drop(peer.join().expect("they hear everything")));
    });
}

/// Many talk as fast as they can, and hear nothing. They may be cut off.
fn floods_unread(server: &mut Server, many: usize) {
    let mut talkers: Vec<Peer> = (0..many)
        .map(|n| {
            let mut peer = Peer::with_little_room(server.address);
            peer.says(format!("NICK {GUILTY}{n}"));
            peer
        })
        .collect();
    let line = format!("MSG {}\n", "x".repeat(1000));
    thread::scope(|scope| {
        for peer in &mut talkers {
            scope.spawn(|| sends_all_it_can(peer, line.as_bytes()));
        }
    });
}

/// Many members, which may be cut off, with little room for what they do not read.
fn guilty(server: &Server, name: &str, many: usize) -> Vec<Peer> {
    let member = |n| {
        let mut peer = Peer::with_little_room(server.address);
        peer.says(format!("NICK {GUILTY}{name}{n}"));
        peer.skips_to(&format!("OK welcome {GUILTY}{name}{n}"));
        peer
    };
    (0..many).map(member).collect()
}

/// Reads no more than so many bytes a second, for so long.
fn sip(peer: &Peer, rate: f64, time: Duration) {
    let (begin, mut sip, mut drunk) = (Instant::now(), [0; 4096], 0);
    while begin.elapsed() < time {
        let some = peer.socket().read(&mut sip).expect("it is not cut off");
        assert_ne!(some, 0, "it is not cut off");
        drunk += some;
        let due = Duration::from_secs_f64(drunk as f64 / rate);
        thread::sleep(due.saturating_sub(begin.elapsed()));
    }
}

/// Says that it leaves, and reads all that it is owed. To close the connection would not
/// always end it: a program that another test is about to start has all that is open here
/// as well, for up to a second where much is going on, and does not read it.
fn quits(mut peer: Peer) {
    peer.says("QUIT");
    let (begin, mut rest, mut end) = (Instant::now(), [0; 1 << 16], Vec::new());
    loop {
        let some = peer.socket().read(&mut rest).expect("it is not cut off");
        if some == 0 {
            break;
        }
        end.extend_from_slice(&rest[..some]);
        end.drain(..end.len().saturating_sub(4));
        assert!(begin.elapsed() < PATIENCE, "the server does not see it off");
    }
    assert_eq!(end, b"BYE\n", "it reads all that it is owed");
}

/// How long the members talk that make others wait.
const WHILE: Duration = Duration::from_secs(4);

/// As many bytes as a nick can have.
fn long_nick(first: char) -> String {
    format!("{first}{}", "\u{20000}".repeat(31))
}

/// Many talk as fast as they can and hear everything; but one is on a slow network, and
/// reads all the time. No client is cut off, and the two that talk on do not wait.
fn slow_reader(server: &mut Server) {
    let own = server.process.descriptors();
    // Of short lines, it is the nicks that are much to read.
    for length in [4000, 1] {
        let slow = on_a_slow_network(server);
        let talkers: Vec<Peer> =
            ('a'..='h').map(|first| server.member(&long_nick(first))).collect();
        talk_beside(slow, &talkers, &format!("MSG {}\n", "x".repeat(length)));
        drop(talkers);
        is_left_with(server, own); // Their nicks are free again.
    }
}

/// They say this over and over, while one reads slowly, and then leaves.
fn talk_beside(slow: Peer, talkers: &[Peer], line: &str) {
    let lines = line.repeat(4000 / line.len() + 1);
    thread::scope(|scope| {
        let _over = Finally(|| part(talkers));
        // Before anybody talks: to begin late is to read nothing.
        let sipping = scope.spawn(move || {
            sip(&slow, 400e3, WHILE);
            slow
        });
        for peer in talkers {
            let (mut ears, mut mouth) = (peer.socket(), peer.socket());
            scope.spawn(move || {
                let mut heard = vec![0; 1 << 16];
                while ears.read(&mut heard).is_ok_and(|n| n > 0) {}
            });
            let lines = lines.as_bytes();
            scope.spawn(move || while mouth.write_all(lines).is_ok() {});
        }
        let slow = sipping.join().unwrap_or_else(|panic| resume_unwind(panic));
        part(talkers); // Who has so much to read is not listened to.
        quits(slow);
    });
}

/// Many come and go as fast as they can, which is much to read for one on a slow network.
/// It is the many that wait.
fn comings_and_goings(server: &mut Server) {
    let address = server.address;
    let slow = on_a_slow_network(server);
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Finally(|| over.store(true, Ordering::SeqCst));
        for nick in ('a'..='h').map(long_nick) {
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let mut peer = Peer::connect(address);
                    peer.says(format!("NICK {nick}"));
                    peer.reads(GREETING);
                    peer.line(); // The one before may not be gone yet.
                    peer.resets();
                }
            });
        }
        sip(&slow, 50e3, WHILE);
        over.store(true, Ordering::SeqCst);
        quits(slow);
    });
}

/// Many tell one in private more than they read, in long lines and in short ones, though
/// they read all the time. It is the many that wait.
fn private_flood(server: &mut Server) {
    let own = server.process.descriptors();
    for length in [4000, 1] {
        let slow = on_a_slow_network(server);
        let talkers = guilty(server, "teller", 8);
        let line = format!("MSG @slow {}\n", "x".repeat(length));
        let lines = line.repeat(4000 / line.len() + 1);
        thread::scope(|scope| {
            let _over = Finally(|| part(&talkers));
            for peer in &talkers {
                let (mut mouth, lines) = (peer.socket(), lines.as_bytes());
                scope.spawn(move || while mouth.write_all(lines).is_ok() {});
            }
            sip(&slow, 400e3, WHILE / 2);
            part(&talkers);
            quits(slow);
        });
        drop(talkers);
        is_left_with(server, own); // Their nicks are free again.
    }
}

/// A member that has little room, but reads.
fn on_a_slow_network(server: &Server) -> Peer {
    let mut slow = Peer::with_room(server.address, 8 << 10);
    slow.says("NICK slow");
    slow.reads(GREETING);
    slow.reads("OK welcome slow");
    slow
}

/// Unread private lines of many are much for one server, though not for each. A sender
/// of it has to wait, though none of them has very much to read.
fn unread_in_private(server: &mut Server) {
    let sleepers = guilty(server, "sleeper", 100);
    let mut talker = guilty(server, "gossip", 1).remove(0);
    let line = |n| format!("MSG @{GUILTY}sleeper{n} {}\n", "x".repeat(1000));
    let lines: String = (0..sleepers.len()).map(line).collect();
    sends_all_it_can(&mut talker, lines.as_bytes());
}

/// It takes the time until it is up for the clients that never send a nick.
fn waits(server: &mut Server) {
    let mut curious = Peer::with_little_room(server.address);
    curious.says(format!("NICK {GUILTY}asker"));
    sends_all_it_can(&mut curious, &b"WHO\n".repeat(1000));

    let mut guests: Vec<Peer> = (0..30).map(|_| server.guest()).collect();
    let begin = Instant::now();
    thread::scope(|scope| {
        // A third of them is silent, a third sends blank lines, and a third one
        // letter after the other.
        for (peer, what) in guests.iter().zip(["", "\n", "x"].into_iter().cycle()) {
            if what.is_empty() {
                continue;
            }
            let mut mouth = peer.socket().try_clone().expect("a socket can be shared");
            scope.spawn(move || {
                while begin.elapsed() < PATIENCE && mouth.write_all(what.as_bytes()).is_ok() {
                    thread::sleep(TALK);
                }
            });
        }
        for peer in &mut guests {
            peer.reads("ERR registration_timeout");
            peer.ends();
        }
        guests.clear();
    });
    is_cut_off(server, "asker", "took nothing in 10 s, ", " bytes wait");
}
