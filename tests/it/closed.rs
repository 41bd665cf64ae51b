//! Rooms that a password closes, with the real programs, strangers and a relay in between.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use minichat::secure::channel::SEALED;
use minichat::secure::password::{Question, Reply};
use socket2::SockRef;

use minichat::secure::{Channel, Identity, Key, Password, answer};

use crate::channel::{Relay, shake_hands};
use crate::harness::{
    GREETING, Output, PATIENCE, Peer, Running, Server, StandIn, connect, minichat, run, state_home,
};

const RIGHT: &str = "k7mf-29qx";
const WRONG: &str = "k7mf-29qy";

/// A server whose room this password closes.
pub fn closed(password: &str, options: &[&str]) -> Server {
    let mut command = minichat();
    command.env("MINICHAT_PASSWORD", password);
    Server::launch(command, &[&["--closed"], options].concat())
}

/// A connection with a channel, which reads and writes lines in it.
pub struct Newcomer {
    socket: TcpStream,
    channel: Channel,
    records: Vec<u8>,
    heard: Vec<u8>,
}

impl Newcomer {
    /// The server's end of a channel.
    pub fn over(socket: TcpStream, channel: Channel) -> Newcomer {
        Newcomer::behind(socket, channel, Vec::new())
    }

    /// One end of a channel, of which these records were received already.
    pub fn behind(socket: TcpStream, channel: Channel, records: Vec<u8>) -> Newcomer {
        socket.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        Newcomer { socket, channel, records, heard: Vec::new() }
    }

    /// A client in a channel, whose kernel has little room for what it does not read.
    #[track_caller]
    pub fn with_little_room(server: SocketAddr) -> Newcomer {
        let newcomer = Newcomer::of(server);
        let small = SockRef::from(&newcomer.socket).set_recv_buffer_size(1);
        small.expect("a buffer can be small");
        newcomer
    }

    #[track_caller]
    pub fn of(server: SocketAddr) -> Newcomer {
        let (socket, channel, records) = shake_hands(server);
        Newcomer::behind(socket, channel, records)
    }

    pub fn says(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.channel.send(&self.socket, line.as_bytes(), &mut [0; SEALED]).expect("it is sent");
    }

    /// The next line; none at the end.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Some(String::from_utf8(line[..end].to_vec()).expect("it is UTF-8"));
            }
            let (mut buffer, mut input) = (vec![0; SEALED], [0; SEALED]);
            let early = std::mem::take(&mut self.records);
            let source = early.chain(&self.socket);
            match self.channel.receive(source, &mut buffer, &mut input) {
                Ok(received) if received.ended => return None,
                Ok(received) => self.heard.extend_from_slice(&buffer[..received.length]),
                Err(err) if err.kind() == ErrorKind::ConnectionReset => return None,
                Err(err) if err.kind() == ErrorKind::Interrupted => (), // Another test's signal.
                Err(err) => panic!("no record: {err}"),
            }
        }
    }

    #[track_caller]
    pub fn reads(&mut self, expected: &str) {
        assert_eq!(self.line().as_deref(), Some(expected));
    }

    #[track_caller]
    fn ends(&mut self) {
        assert_eq!(self.line(), None);
    }

    /// The server's question.
    #[track_caller]
    fn question(&mut self) -> String {
        let line = self.line().expect("there is a question");
        assert_eq!((&line[..9], line.len()), ("PASSWORD ", 9 + 66), "{line}");
        line
    }

    /// Answers the question with a password.
    #[track_caller]
    fn answers(&mut self, question: &str, password: &str) -> Reply {
        let password = Password::new(password).expect("it is one");
        let reply = Reply::new(&password, self.channel.binding(), question);
        let (reply, line) = reply.expect("the question makes sense");
        self.says(&line);
        reply
    }
}

/// A client of one user.
struct User([(&'static str, PathBuf); 3]);

impl User {
    fn new() -> User {
        User(state_home())
    }

    fn command(&self, address: SocketAddr, password: Option<&str>) -> Command {
        let mut command = connect(address, &["--nick", "ana"]);
        command.envs(self.0.clone());
        command.envs(password.map(|password| ("MINICHAT_PASSWORD", password)));
        command
    }

    #[track_caller]
    fn joins(&self, address: SocketAddr, password: Option<&str>) -> Output {
        run(&mut self.command(address, password), "oi\n")
    }

    fn knows_somebody(&self) -> bool {
        let folder = self.0[0].1.join("minichat");
        fs::read_to_string(folder.join("known_servers")).is_ok_and(|text| !text.is_empty())
    }
}

#[test]
fn both_sides_that_know_the_password_talk() {
    let server = closed(RIGHT, &["--name", "Sala 3"]);
    let relay = Relay::open(server.address);
    let user = User::new();
    let mut ana = user.command(relay.address, Some(RIGHT));
    let mut ana = Running::start(ana.arg("--stay").stdin(Stdio::piped()));
    ana.stdout.find("welcome\t\tana");
    let mut rui = Newcomer::of(server.address);
    let question = rui.question();
    let reply = rui.answers(&question, "  k7mf-29qx ");
    let proof = rui.line().expect("the server answers");
    assert!(reply.accepts(&proof), "{proof}");
    rui.reads(GREETING);
    rui.says("NICK rui");
    rui.reads("OK welcome rui");
    ana.type_in("oi, rui\n");
    rui.reads("FROM ana [all]: oi, rui");
    assert!(user.knows_somebody());
    let seen = relay.seen();
    for word in [RIGHT, "PASSWORD", "ana", "rui", "welcome", "Sala"] {
        assert!(!seen.contains(word), "{word} is seen on the way");
    }
}

#[test]
fn lines_behind_the_right_answer_are_heard() {
    let server = closed(RIGHT, &[]);
    let mut ana = Newcomer::of(server.address);
    let question = ana.question();
    let password = Password::new(RIGHT).expect("it is one");
    let (_, line) = Reply::new(&password, ana.channel.binding(), &question).expect("it does");
    ana.says(&format!("\n{line}\nNICK ana\nWHO"));
    assert!(ana.line().is_some_and(|proof| proof.starts_with("PASSWORD ")));
    for line in [GREETING, "OK welcome ana", "Connected users: ana"] {
        ana.reads(line);
    }
}

#[test]
fn wrong_password_is_refused_and_said_once() {
    let server = closed(RIGHT, &[]);
    let user = User::new();
    let output = user.joins(server.address, Some(WRONG));
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    assert!(cause.contains("wrong password, or not the server that you think"), "{cause}");
    assert!(way_out.contains("MINICHAT_PASSWORD"), "{way_out}");
    assert!(!user.knows_somebody(), "the key is not proven");
    let output = user.joins(server.address, Some(RIGHT));
    assert_eq!(output.status, Some(0), "{}", output.stderr);
    assert!(user.knows_somebody());
}

#[test]
fn script_without_a_password_is_told_how_to_give_it() {
    let server = closed(RIGHT, &[]);
    let output = User::new().joins(server.address, None);
    assert_eq!((output.status, &*output.stdout), (Some(2), ""));
    let (cause, way_out) = output.complaint();
    assert!(cause.ends_with("wants a password"), "{cause}");
    assert!(way_out.contains("MINICHAT_PASSWORD"), "{way_out}");
    for (password, flaw) in [("12345", "6 characters"), (&*"x".repeat(129), "128 bytes")] {
        let output = User::new().joins(server.address, Some(password));
        assert_eq!(output.status, Some(2));
        assert!(output.complaint().0.contains(flaw), "{}", output.stderr);
    }
}

#[test]
fn password_that_is_not_asked_for_is_a_failure() {
    let server = Server::start(&[]);
    let user = User::new();
    let output = user.joins(server.address, Some(RIGHT));
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    assert!(cause.contains("does not ask for the password"), "{cause}");
    assert!(way_out.contains("MINICHAT_PASSWORD"), "{way_out}");
    assert!(!user.knows_somebody());
    // The same for a server that cannot encrypt.
    let old = StandIn::open();
    let client = Running::start(&mut user.command(old.address, Some(RIGHT)));
    let mut caller = old.caller();
    caller.says("ERR unknown_command");
    assert_eq!(client.output().status, Some(1));
}

#[test]
fn only_a_proof_opens_the_door() {
    let server = closed(RIGHT, &[]);
    for line in ["NICK ana", "QUIT", "PASSWORD", "PASSWORD 00 00"] {
        let mut stranger = Newcomer::of(server.address);
        let question = stranger.question();
        stranger.says(&line.replace("00 00", &format!("{} {}", &question[9..], "0".repeat(64))));
        stranger.reads("ERR wrong_password");
        stranger.ends();
    }
    let mut peer = server.guest();
    peer.says("NICK rui");
    peer.reads("FROM server [dm]: this room is encrypted; join it with minichat");
    peer.reads("ERR encryption_required");
    peer.ends();
}

#[test]
fn sixth_guess_is_refused_also_at_once() {
    for at_once in [false, true] {
        let server = closed(RIGHT, &[]);
        let mut strangers: Vec<_> = (0..5)
            .map(|_| {
                let mut stranger = Newcomer::of(server.address);
                let question = stranger.question();
                if !at_once {
                    stranger.answers(&question, WRONG);
                    stranger.reads("ERR wrong_password");
                }
                (stranger, question)
            })
            .collect();
        let mut sixth = Newcomer::of(server.address);
        sixth.reads("ERR too_many_guesses");
        sixth.ends();
        let output = User::new().joins(server.address, Some(RIGHT));
        assert_eq!(output.status, Some(1), "{}", output.stderr);
        assert!(output.complaint().0.contains("too many passwords"), "{}", output.stderr);
        if at_once {
            // A right one gives its own attempt back.
            let (mut first, question) = strangers.remove(0);
            let reply = first.answers(&question, RIGHT);
            assert!(first.line().is_some_and(|proof| reply.accepts(&proof)));
            first.reads(GREETING);
            let mut next = Newcomer::of(server.address);
            next.question();
            Newcomer::of(server.address).reads("ERR too_many_guesses");
        }
    }
}

#[test]
fn newcomer_that_goes_away_without_an_answer_made_no_guess() {
    let server = closed(RIGHT, &[]);
    for _ in 0..12 {
        let mut shy = Newcomer::of(server.address);
        shy.question();
        shy.socket.shutdown(std::net::Shutdown::Write).expect("it is connected");
        shy.ends();
    }
    let output = User::new().joins(server.address, Some(RIGHT));
    assert_eq!(output.status, Some(0), "{}", output.stderr);
}

/// A relay between a client and a server, with a channel to each: the lines of both pass.
fn stand_between(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    let identity = Identity { key: Key::generate(), title: "Sala 3".into(), temporary: false };
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let mut near = Peer::over(near);
            near.says(GREETING);
            let (line, channel) = answer(&near.line(), &identity).expect("it begins a channel");
            near.says(line);
            let socket = near.socket().try_clone().expect("a socket can be shared");
            let mut near = Newcomer::over(socket, channel);
            let mut far = Newcomer::of(server);
            while let Some(line) = far.line() {
                near.says(&line);
                match near.line() {
                    Some(answer) => far.says(&answer),
                    None => break,
                }
            }
        }
    });
    address
}

#[test]
fn relay_with_two_channels_proves_nothing_to_either_side() {
    let server = closed(RIGHT, &["--name", "Sala 3"]);
    let between = stand_between(server.address);
    let user = User::new();
    let output = user.joins(between, Some(RIGHT));
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    assert!(output.complaint().0.contains("not the server that you think"), "{}", output.stderr);
    assert!(!user.knows_somebody());
}

/// An impostor that has the server's key, and not its password. It hears the answers of
/// clients, and then does this. Counts the answers.
fn impostor(then: fn(&mut Newcomer)) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    let identity = Identity { key: Key::generate(), title: "Sala 3".into(), temporary: false };
    let guesses = Arc::new(AtomicUsize::new(0));
    let counter = guesses.clone();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let mut near = Peer::over(near);
            near.says(GREETING);
            let (line, channel) = answer(&near.line(), &identity).expect("it begins a channel");
            near.says(line);
            let socket = near.socket().try_clone().expect("a socket can be shared");
            let mut near = Newcomer::over(socket, channel);
            let wrong = Password::new(WRONG).expect("it is one");
            let (question, line) = Question::new(&wrong, near.channel.binding());
            near.says(&line);
            if let Some(line) = near.line() {
                counter.fetch_add(1, Ordering::SeqCst);
                assert_eq!(question.judge(line.as_bytes()), None);
                then(&mut near);
            }
        }
    });
    (address, guesses)
}

#[test]
fn impostor_has_one_guess_whatever_it_answers() {
    let answers: [fn(&mut Newcomer); 5] = [
        |_| (),
        |client| client.says("ERR wrong_password"),
        |client| client.says("ERR too_many_guesses"),
        |client| client.says(&format!("PASSWORD {}", "0".repeat(64))),
        |client| client.says(GREETING),
    ];
    for then in answers {
        let (address, guesses) = impostor(then);
        let user = User::new();
        let mut client = user.command(address, Some(RIGHT));
        // It would come back again and again if the connection were only lost.
        let output = run(client.arg("--stay"), "");
        assert_eq!((output.status, &*output.stdout), (Some(1), ""));
        assert!(output.complaint().0.contains("not the server that you think"));
        assert!(!user.knows_somebody());
        assert_eq!(guesses.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn client_comes_back_with_no_password_but_the_right_one() {
    let first = closed(RIGHT, &[]);
    let relay = Relay::open(first.address);
    let mut ana = User::new().command(relay.address, Some(RIGHT));
    let mut ana = Running::start(ana.arg("--stay").stdin(Stdio::piped()));
    ana.stdout.find("welcome\t\tana");
    let second = closed(RIGHT, &[]);
    relay.lead_to(second.address);
    drop(first);
    ana.stdout.find("back\t\tana");
    // The next server has the same key, and another password.
    let third = closed("another-one", &[]);
    relay.lead_to(third.address);
    drop(second);
    let output = ana.output();
    assert_eq!(output.status, Some(1));
    assert!(output.stderr.contains("not the server that you think"), "{}", output.stderr);
}

#[test]
fn server_shows_the_password_that_it_makes() {
    let mut server = Server::start(&["--closed"]);
    let line = server.process.stdout.find("Password: ");
    let password = line.trim().strip_prefix("Password: ").expect("it is at the beginning");
    assert_eq!(password.len(), 9, "{password}");
    assert!(!server.process.stdout.so_far().contains("http://"));
    assert!(!server.process.stdout.so_far().contains("nc "));
    let output = User::new().joins(server.address, Some(password));
    assert_eq!(output.status, Some(0), "{}", output.stderr);
    // One that the operator gave is not shown.
    let mut server = closed(RIGHT, &[]);
    let line = server.process.stdout.find("Password: ");
    assert!(line.ends_with("the one in MINICHAT_PASSWORD"), "{line}");
    assert!(!server.process.stdout.so_far().contains(RIGHT));
}

#[test]
fn server_refuses_a_password_that_is_none() {
    for (password, options, flaw) in [
        ("12345", &["--closed"][..], "6 characters"),
        (&*"x".repeat(129), &["--closed"], "128 bytes"),
        ("a\tbcdefg", &["--closed"], "control characters"),
        ("", &["--closed", "--quiet"], "MINICHAT_PASSWORD"),
        ("123456", &["--closed", "--web-port", "0"], "exclude each other"),
    ] {
        let mut command = minichat();
        command.env("MINICHAT_PASSWORD", password).args(["server", "--port", "0", "--no-mdns"]);
        let output = run(command.args(options), "");
        assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{}", output.stderr);
        assert!(output.stderr.contains(flaw), "{}", output.stderr);
    }
}

#[test]
fn crowd_that_knows_the_password_gets_in() {
    let server = closed(RIGHT, &["--per-address", "0"]);
    for n in 0..40 {
        let mut person = Newcomer::of(server.address);
        let question = person.question();
        person.answers(&question, RIGHT);
        assert!(person.line().is_some_and(|proof| proof.starts_with("PASSWORD ")));
        person.reads(GREETING);
        person.says(&format!("NICK x{n}"));
        person.reads(&format!("OK welcome x{n}"));
    }
}

#[test]
fn newcomer_without_an_answer_is_let_go() {
    let mut command = minichat();
    command.env("MINICHAT_PASSWORD", RIGHT).env("MINICHAT_REGISTRATION_SECS", "1");
    let server = Server::launch(command, &["--closed"]);
    if !cfg!(debug_assertions) {
        return; // A release always waits for 30 s.
    }
    let mut slow = Newcomer::of(server.address);
    slow.question();
    slow.reads("ERR registration_timeout");
    slow.ends();
}

#[test]
fn server_that_stops_does_not_wait_for_an_answer() {
    let mut server = closed(RIGHT, &[]);
    let mut slow = Newcomer::of(server.address);
    slow.question();
    server.process.signal("TERM");
    slow.line(); // The last word, or the end.
    assert!(server.process.wait().success());
}
