//! The client in rooms that speak otherwise: the servers that came before ours,
//! each of which says some things in its own words, or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::harness::{Client, Peer, StandIn, connect, events, run};

/// How a server words what every server says; `{}` is a nick, or several.
struct Dialect {
    greeting: &'static str,
    welcome: &'static str,
    taken: &'static str,
    /// The answer to the sender of a public message instead of an echo.
    sent_to_all: Option<&'static str>,
    sent_to_one: Option<&'static str>,
    joined: &'static str,
    left: &'static str,
    users: &'static str,
    goodbye: &'static str,
}

/// The `protocol.md` of the classroom.
const CLASSROOM: Dialect = Dialect {
    greeting: "New User. Please register with: NICK <your_nick>",
    welcome: "OK Welcome {}",
    taken: "ERR nick_in_use",
    sent_to_all: Some("OK broadcast_sent"),
    sent_to_one: Some("OK dm_sent to {}"),
    joined: "User {} joined",
    left: "User {} left",
    users: "OK {}",
    goodbye: "OK goodbye",
};

/// A server of few words.
const LACONIC: Dialect = Dialect {
    greeting: "Bem-vindo!",
    welcome: "OK welcome {}",
    taken: "ERR apelido_em_uso",
    sent_to_all: None,
    sent_to_one: None,
    joined: "User {} joined.",
    left: "User {} left the chat.",
    users: "Connected users: {}",
    goodbye: "BYE",
};

/// A server that speaks a dialect, on a free port of 127.0.0.1, with a thread for
/// each client.
struct Room {
    dialect: &'static Dialect,
    address: SocketAddr,
    over: Arc<AtomicBool>,
    doorkeeper: Option<JoinHandle<()>>,
}

/// The members here, and how to tell them something.
type Members = Arc<Mutex<BTreeMap<String, TcpStream>>>;

impl Room {
    fn open(dialect: &'static Dialect) -> Room {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let over = Arc::new(AtomicBool::new(false));
        let closing = over.clone();
        let doorkeeper = thread::spawn(move || {
            let members = Members::default();
            for stream in listener.incoming().map_while(Result::ok) {
                if closing.load(Ordering::Relaxed) {
                    return;
                }
                let members = members.clone();
                thread::spawn(move || dialect.serve(stream, &members));
            }
        });
        Room { dialect, address, over, doorkeeper: Some(doorkeeper) }
    }

    /// A raw client that is in, and has read what it was told about that.
    #[track_caller]
    fn member(&self, nick: &str) -> Peer {
        let mut peer = Peer::connect(self.address);
        peer.reads(self.dialect.greeting);
        peer.says(format!("NICK {nick}"));
        peer.reads(self.dialect.welcome.replace("{}", nick));
        peer
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        TcpStream::connect(self.address).ok(); // The doorkeeper wakes up, and sees.
        self.doorkeeper.take().map(JoinHandle::join);
    }
}

impl Dialect {
    /// Serves one client to its end.
    fn serve(&self, stream: TcpStream, members: &Members) {
        let mut me = None;
        let tell = |mut stream: &TcpStream, text: &str| {
            // A client that does not listen any more is about to be seen to leave.
            stream.write_all(format!("{text}\n").as_bytes()).ok();
        };
        let others = |me: &str, text: &str| {
            let members = members.lock().unwrap();
            members.iter().filter(|(nick, _)| *nick != me).for_each(|(_, to)| tell(to, text));
        };
        tell(&stream, self.greeting);
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (word, &me) {
                ("NICK", None) if members.lock().unwrap().contains_key(rest) => {
                    tell(&stream, self.taken);
                }
                ("NICK", None) => {
                    members.lock().unwrap().insert(rest.into(), stream.try_clone().unwrap());
                    tell(&stream, &self.welcome.replace("{}", rest));
                    others(rest, &self.joined.replace("{}", rest));
                    me = Some(rest.to_string());
                }
                ("QUIT", _) => {
                    tell(&stream, self.goodbye);
                    break;
                }
                (_, None) => tell(&stream, "ERR please_register_with_NICK"),
                ("WHO", Some(_)) => {
                    let nicks: Vec<String> = members.lock().unwrap().keys().cloned().collect();
                    tell(&stream, &self.users.replace("{}", &nicks.join(", ")));
                }
                ("MSG", Some(me)) => match rest.strip_prefix('@').and_then(|to| to.split_once(' '))
                {
                    Some((to, text)) => match members.lock().unwrap().get(to) {
                        Some(peer) => {
                            tell(peer, &format!("FROM {me} [dm]: {text}"));
                            if let Some(sent) = self.sent_to_one {
                                tell(&stream, &sent.replace("{}", to));
                            }
                        }
                        None => tell(&stream, "ERR user_not_found"),
                    },
                    None => {
                        others(me, &format!("FROM {me} [all]: {rest}"));
                        if let Some(sent) = self.sent_to_all {
                            tell(&stream, sent);
                        }
                    }
                },
                _ => tell(&stream, "ERR unknown_command"),
            }
        }
        if let Some(me) = me {
            members.lock().unwrap().remove(&me);
            others(&me, &self.left.replace("{}", &me));
        }
        stream.shutdown(Shutdown::Both).ok(); // The client may have closed it before.
    }
}

/// A conversation that has everything in it; what the client has printed.
fn evening(dialect: &'static Dialect) -> String {
    let room = Room::open(dialect);
    let mut joao = room.member("joao");
    let mut ana = Client::start(room.address, &["--nick", "ana"]);
    joao.reads(dialect.joined.replace("{}", "ana"));
    joao.says("MSG oi");
    dialect.sent_to_all.into_iter().for_each(|sent| joao.reads(sent));
    joao.says("MSG @ana psst");
    dialect.sent_to_one.into_iter().for_each(|sent| joao.reads(sent.replace("{}", "ana")));
    joao.reads_nothing_more();
    let mut maria = room.member("maria");
    joao.reads(dialect.joined.replace("{}", "maria"));
    maria.says("QUIT");
    maria.reads(dialect.goodbye);
    maria.ends();
    joao.reads(dialect.left.replace("{}", "maria"));

    for line in ["olá", "@joao segredo", "@ninguem oi", "WHO"] {
        ana.types(line);
    }
    ana.process.end_input();
    joao.reads("FROM ana [all]: olá");
    joao.reads("FROM ana [dm]: segredo");
    joao.reads(dialect.left.replace("{}", "ana"));
    joao.says("WHO");
    joao.reads(dialect.users.replace("{}", "joao"));
    let output = ana.process.output();
    let refused = "minichat: \"@ninguem oi\": the server refused that: nobody here has that nick\n";
    assert_eq!((output.status, &*output.stderr), (Some(1), refused));
    output.stdout
}

#[test]
fn classroom_dialect_works_and_looks_the_same() {
    let expected = [
        "welcome\t\tana",
        "message\tjoao\toi",
        "private\tjoao\tpsst",
        "joined\tmaria\t",
        "left\tmaria\t",
        "message\tana\tolá",
        "private\tana\t@joao segredo",
        "error\t\tuser_not_found",
        "users\t\tana, joao",
        "bye\t\t",
    ];
    assert_eq!(events(&evening(&CLASSROOM)), expected);
}

#[test]
fn with_a_server_of_few_words_everything_works_too() {
    let expected = [
        "notice\t\tBem-vindo!",
        "welcome\t\tana",
        "message\tjoao\toi",
        "private\tjoao\tpsst",
        "joined\tmaria\t",
        "left\tmaria\t",
        "private\tana\t@joao segredo",
        "error\t\tuser_not_found",
        "users\t\tana, joao",
        "bye\t\t",
    ];
    assert_eq!(events(&evening(&LACONIC)), expected);
}

#[test]
fn script_is_heard_in_every_dialect() {
    for dialect in [&CLASSROOM, &LACONIC] {
        let room = Room::open(dialect);
        let mut joao = room.member("joao");
        for (options, input) in [(&[][..], "NICK bot\nMSG pronto\n"), (&["-nbot"], "pronto")] {
            let output = run(&mut connect(room.address, options), input);
            assert_eq!((output.status, &*output.stderr), (Some(0), ""));
            joao.reads(dialect.joined.replace("{}", "bot"));
            joao.reads("FROM bot [all]: pronto");
            joao.reads(dialect.left.replace("{}", "bot"));
        }
    }
}

#[test]
fn a_nick_that_is_taken_is_a_failure_in_every_dialect() {
    for dialect in [&CLASSROOM, &LACONIC] {
        let room = Room::open(dialect);
        let mut joao = room.member("joao");
        let output = run(&mut connect(room.address, &["--nick", "joao"]), "pronto\n");
        assert_eq!(output.status, Some(1));
        let (cause, way_out) = output.complaint();
        assert!(cause.contains("\"joao\": somebody here has that nick"), "{cause}");
        assert!(way_out.contains("--nick"), "{way_out}");
        joao.reads_nothing_more();
    }
}

#[test]
fn own_lines_are_shown_in_order_without_an_echo() {
    let door = StandIn::open();
    let mut ana = Client::start(door.address, &["--nick", "ana"]);
    let mut server = door.caller();
    server.reads("NICK ana");
    server.says("OK Welcome ana");
    ana.shows("welcome\t\tana");
    for n in 0..3000 {
        ana.types(format!("linha {n}"));
    }
    ana.process.end_input();
    for n in 0..3000 {
        server.reads(format!("MSG linha {n}"));
    }
    server.reads("QUIT");
    server.sends("OK broadcast_sent\n".repeat(3000));
    server.says("OK goodbye");
    for n in 0..3000 {
        ana.shows(&format!("message\tana\tlinha {n}"));
    }
    ana.shows("bye\t\t");
    assert_eq!(ana.process.output().status, Some(0));
}

#[test]
fn server_that_takes_a_packet_for_a_line_lets_the_client_in() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let address = listener.local_addr().expect("a listener has an address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client comes");
        stream.write_all(b"Bem-vindo!\n").expect("the client reads");
        let mut packet = [0; 1024];
        loop {
            let length = stream.read(&mut packet).expect("the client writes");
            let text = String::from_utf8_lossy(&packet[..length]).trim().to_string();
            let answer = match text.split_once(' ') {
                _ if text.is_empty() => return,
                Some(("NICK", nick)) if !nick.contains('\n') => format!("OK Welcome {nick}\n"),
                _ if text == "QUIT" => "OK goodbye\n".to_string(),
                _ => "ERR unknown\n".to_string(),
            };
            stream.write_all(answer.as_bytes()).expect("the client reads");
        }
    });
    let output = run(&mut connect(address, &["--nick", "ana"]), "");
    assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{}", output.stdout);
    assert!(output.stdout.contains("welcome\t\tana"), "{}", output.stdout);
    server.join().expect("the server ends with the client");
}
