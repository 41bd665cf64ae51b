//! Everybody in every room: a table of clients by kinds of server. Each cell is either
//! everything that a client can do, or a refusal in words.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::Stdio;
use std::{fs, process};

use crate::channel::Relay;
use crate::harness::{GREETING, Peer, Running, connect};
use crate::tty::Tty;
use crate::websocket::Bridge;

/// Somebody in the room, and the way there, which can be cut.
struct Person {
    nick: String,
    link: Link,
    client: Client,
}

/// Where a client of this kind connects to.
#[derive(Clone, Copy)]
enum Kind {
    /// `nc` and minichat 0.1.0, which send a server the same lines.
    Nc,
    Minichat,
    Page,
}

enum Client {
    Raw(Peer),
    Minichat(Running),
}

/// The way of one client: what it connects to, and what stands behind.
struct Link {
    relay: Relay,
    bridge: Option<Bridge>,
}

/// A server on a terminal, as its operator sees it.
struct Room {
    tty: Tty,
    chat: std::net::SocketAddr,
    /// Where the page is, if there is one.
    page: Option<std::net::SocketAddr>,
    /// The password of a closed room.
    password: Option<&'static str>,
}

impl Room {
    fn open(options: &[&str], password: Option<&'static str>) -> Room {
        let arguments = ["server", "--no-mdns", "--port", "0", "--bind", "127.0.0.1"];
        let environment = password.map(|password| ("MINICHAT_PASSWORD", password));
        let tty = Tty::start(100, 60, &[&arguments, options].concat(), environment.as_slice());
        tty.wait("all of the first lines", |screen| screen.contains("Ctrl-C"));
        let words = tty.lines().join(" ");
        let mut words = words.split_whitespace();
        let chat = words.by_ref().find_map(|word| word.parse().ok()).expect("where it listens");
        let page = words.find_map(|word| word.strip_prefix("http://")?.strip_suffix('/'));
        let page = page.map(|page| page.parse().expect("where the page is"));
        Room { tty, chat, page, password }
    }

    /// Gives an order of the operator, twice if it is asked whether that person is meant.
    #[track_caller]
    fn orders(&self, order: impl Display, done: &str) {
        let asked = |screen: &str| screen.matches("nothing is done").count();
        let before = asked(&self.tty.screen());
        self.tty.enters(&order);
        self.tty.wait("an answer", |screen| screen.contains(done) || asked(screen) > before);
        if !self.tty.screen().contains(done) {
            self.tty.enters(&order);
            self.tty.wait("that it is done", |screen| screen.contains(done));
        }
    }

    /// minichat, on its way to this address.
    fn program(&self, address: std::net::SocketAddr, nick: &str) -> std::process::Command {
        let mut command = connect(address, &["--nick", nick, "--stay"]);
        command.envs(self.password.map(|password| ("MINICHAT_PASSWORD", password)));
        command
    }

    /// Somebody new, whom everybody else sees come in.
    #[track_caller]
    fn joined_by(&self, kind: Kind, nick: &str, others: &mut [Person]) -> Person {
        let link = match kind {
            Kind::Page => {
                let relay = Relay::open(self.page.expect("there is a page"));
                Link { bridge: Some(Bridge::open(relay.address)), relay }
            }
            Kind::Nc | Kind::Minichat => Link { relay: Relay::open(self.chat), bridge: None },
        };
        let client = match kind {
            Kind::Minichat => {
                let mut command = self.program(link.relay.address, nick);
                let mut client = Running::start(command.stdin(Stdio::piped()));
                client.stdout.find(&format!("welcome\t\t{nick}"));
                Client::Minichat(client)
            }
            Kind::Nc | Kind::Page => Client::Raw(link.register(nick)),
        };
        for person in others {
            person.reads(&format!("User {nick} joined."), &format!("joined\t{nick}\t"));
        }
        Person { nick: nick.to_string(), link, client }
    }
}

impl Link {
    #[track_caller]
    fn register(&self, nick: &str) -> Peer {
        let mut peer = match &self.bridge {
            Some(bridge) => bridge.connect(),
            None => Peer::connect(self.relay.address),
        };
        peer.reads(GREETING);
        peer.says(format!("NICK {nick}"));
        peer.reads(format!("OK welcome {nick}"));
        peer
    }
}

impl Person {
    /// Reads up to a line of the protocol, or to the same in columns.
    #[track_caller]
    fn reads(&mut self, line: &str, columns: &str) {
        match &mut self.client {
            Client::Raw(peer) => peer.skips_to(line),
            Client::Minichat(client) => {
                client.stdout.find(columns);
            }
        }
    }

    /// Gives a command of the protocol, which minichat understands as well.
    #[track_caller]
    fn types(&mut self, line: impl Display) {
        match &mut self.client {
            Client::Raw(peer) => peer.says(line),
            Client::Minichat(client) => client.type_in(format!("{line}\n")),
        }
    }

    #[track_caller]
    fn hears(&mut self, from: &str, text: &str) {
        self.reads(&format!("FROM {from} [all]: {text}"), &format!("message\t{from}\t{text}"));
    }

    #[track_caller]
    fn is_told(&mut self, from: &str, text: &str) {
        self.reads(&format!("FROM {from} [dm]: {text}"), &format!("private\t{from}\t{text}"));
    }

    /// Loses the connection, and is back under the same nick.
    #[track_caller]
    fn comes_back(&mut self) {
        self.link.relay.cut(true);
        match &mut self.client {
            Client::Raw(peer) => {
                while !peer.raw_line().is_empty() {}
                *peer = self.link.register(&self.nick);
            }
            Client::Minichat(client) => {
                client.stdout.find(&format!("back\t\t{}", self.nick));
            }
        }
    }

    /// The connection ends, and these were among the last words.
    #[track_caller]
    fn is_removed(&mut self, words: &str) {
        match &mut self.client {
            Client::Raw(peer) => {
                let mut last_words = String::new();
                while let line @ [_, ..] = &peer.raw_line()[..] {
                    last_words += &String::from_utf8_lossy(line);
                }
                assert!(last_words.contains(words), "{last_words}");
            }
            Client::Minichat(client) => {
                client.stderr.find(words);
                client.wait();
            }
        }
    }
}

/// All that people can do, in a room that lets them in.
fn everything_works_together(room: &Room, kinds: &[(Kind, &str)]) {
    let mut people = Vec::new();
    for &(kind, nick) in kinds {
        let person = room.joined_by(kind, nick, &mut people);
        people.push(person);
    }
    let nicks: Vec<String> = people.iter().map(|person| person.nick.clone()).collect();

    for (speaker, nick) in nicks.iter().enumerate() {
        let text = format!("olá de {nick}");
        people[speaker].types(format_args!("MSG {text}"));
        people.iter_mut().for_each(|person| person.hears(nick, &text));
        for (listener, other) in nicks.iter().enumerate() {
            if listener != speaker {
                let text = format!("psst, {other}");
                people[speaker].types(format_args!("MSG @{other} {text}"));
                people[listener].is_told(nick, &text);
            }
        }
    }
    let all = nicks.join(", ");
    for person in &mut people {
        person.types("WHO");
        person.reads(&format!("Connected users: {all}"), &format!("users\t\t{all}"));
    }

    for at in 0..people.len() {
        let (old, new) = (people[at].nick.clone(), format!("{}2", people[at].nick));
        people[at].types(format_args!("NICK {new}"));
        people[at].reads(&format!("OK welcome {new}"), &format!("welcome\t\t{new}"));
        for other in people.iter_mut().filter(|person| person.nick != old) {
            other.reads(&format!("User {old} left the chat."), &format!("left\t{old}\t"));
            other.reads(&format!("User {new} joined."), &format!("joined\t{new}\t"));
        }
        people[at].nick = new;
    }

    // Looking back is for programs: `nc` has a scrollback.
    for person in &mut people {
        match &mut person.client {
            Client::Raw(peer) => {
                peer.says("FIND olá");
                peer.skips_to("ERR unknown_command");
            }
            Client::Minichat(client) => {
                let last = nicks.last().expect("somebody is here");
                client.type_in(format!("/search olá de {last}\n"));
                client.stdout.find(&format!("past\t{last}\tolá de {last}"));
                client.stdout.find("found\t\t1");
            }
        }
    }

    for at in 0..people.len() {
        people[at].comes_back();
        let nick = people[at].nick.clone();
        people[at].types("MSG estou de volta");
        people.iter_mut().for_each(|person| person.hears(&nick, "estou de volta"));
    }

    for at in 0..people.len() {
        let nick = people[at].nick.clone();
        room.orders(format_args!("/mute {nick}"), &format!("muted: {nick}"));
        people[at].types("MSG ninguém ouve");
        people[at].reads("ERR muted", "error\t\tmuted");
        room.orders(format_args!("/unmute {nick}"), &format!("may talk again: {nick}"));
        people[at].types("MSG agora sim");
        people.iter_mut().for_each(|person| person.hears(&nick, "agora sim"));
    }

    let mut staying = Running::start(room.program(room.chat, "rui").stdin(Stdio::piped()));
    staying.stdout.find("welcome\t\trui");
    for mut person in people {
        room.orders(
            format_args!("/kick {} barulho", person.nick),
            &format!("removed: {}", person.nick),
        );
        person.is_removed("barulho");
        staying.stdout.find(&format!("left\t{}\t", person.nick));
    }
}

const EVERYBODY: [(Kind, &str); 3] =
    [(Kind::Minichat, "mina"), (Kind::Nc, "nina"), (Kind::Page, "pia")];

#[test]
fn everybody_does_everything_in_a_room() {
    everything_works_together(&Room::open(&[], None), &EVERYBODY);
}

#[test]
fn everybody_does_everything_in_a_recorded_room() {
    let folder: PathBuf = std::env::temp_dir().join(format!("minichat-together-{}", process::id()));
    fs::remove_dir_all(&folder).ok(); // Of a run that was killed.
    let room = Room::open(&["--store", &folder.display().to_string()], None);
    everything_works_together(&room, &EVERYBODY);
    drop(room);
    fs::remove_dir_all(&folder).ok(); // It is of no use.
}

#[test]
fn people_with_the_password_do_everything_in_a_closed_room() {
    let room = Room::open(&["--closed"], Some("k7mf-29qx"));
    assert_eq!(room.page, None, "a page in the clear would tell what is said");
    let mut nc = Peer::connect(room.chat);
    nc.reads(GREETING);
    nc.says("NICK nina");
    nc.reads("FROM server [dm]: this room is encrypted; join it with minichat");
    nc.reads("ERR encryption_required");
    nc.ends();
    everything_works_together(&room, &[(Kind::Minichat, "mina"), (Kind::Minichat, "tina")]);
}
