//! Closed rooms on a network, and what a recorder on it sees.

use std::io::{ErrorKind, Read as _};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::harness::{Running, minichat, run};

use super::{Host, on_a_lan};

const PASSWORD: &str = "k7mf-29qx";

/// All kinds of packets, as the kernel numbers them.
const ALL_PACKETS: u16 = 3;

/// A recorder of everything that passes a host's interfaces.
struct Recorder(Socket);

impl Recorder {
    fn at(host: &Host) -> Recorder {
        let protocol = Protocol::from(i32::from(ALL_PACKETS.to_be()));
        let socket = host.inside(|| Socket::new(Domain::PACKET, Type::RAW, Some(protocol)));
        let socket = socket.expect("root of a namespace may record there");
        socket.set_recv_buffer_size(8 << 20).ok(); // The usual one is large enough.
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it can be set");
        Recorder(socket)
    }

    /// Everything so far. The kernel records a packet before anyone receives it.
    fn seen(mut self) -> String {
        let (mut seen, mut packet) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            match self.0.read(&mut packet) {
                Ok(length) => seen.extend_from_slice(&packet[..length]),
                Err(err) if err.kind() == ErrorKind::Interrupted => (),
                Err(_) => return String::from_utf8_lossy(&seen).into_owned(),
            }
        }
    }
}

/// A client there, which stays.
fn member(host: &Host, nick: &str, password: Option<&str>) -> Running {
    let mut command = minichat();
    command.args(["connect", "10.77.0.1", "--nick", nick, "--stay"]);
    command.envs(password.map(|password| ("MINICHAT_PASSWORD", password)));
    let mut member = host.inside(|| Running::start(command.stdin(Stdio::piped())));
    member.stdout.find(&format!("welcome\t\t{nick}"));
    member
}

/// Starts a server there whose room is closed.
fn closed(host: &Host, options: &[&str]) -> Running {
    let mut command = minichat();
    command.args(["server", "--closed"]).args(options).env("MINICHAT_PASSWORD", PASSWORD);
    let mut server = host.inside(|| Running::start(command.stdin(Stdio::null())));
    server.stdout.find("Listening on ");
    server
}

#[test]
fn recorder_sees_no_text_nick_or_title() {
    on_a_lan(3, |lan| {
        let options = ["--no-mdns", "--name", "Sala dos fundos", "--motd", "sejam benvindos"];
        for password in [None, Some(PASSWORD)] {
            let server = lan.host(1);
            let recorder = Recorder::at(server);
            let _server = match password {
                Some(_) => closed(server, &options),
                None => server.server(&options),
            };
            let mut ana = member(lan.host(2), "anastasia", password);
            let mut rui = member(lan.host(3), "rigoberto", password);
            ana.stdout.find("rigoberto");
            ana.type_in("o segredo da esfinge\n@rigoberto so para ti\n");
            rui.stdout.find("o segredo da esfinge");
            rui.stdout.find("so para ti");
            rui.type_in("QUIT\n");
            ana.stdout.find("left");
            let seen = recorder.seen();
            assert_eq!(seen.matches("SECURE 1 ").count(), 4, "two handshakes are recorded");
            for word in [
                "segredo",
                "esfinge",
                "ti\n",
                "anastasia",
                "rigoberto",
                "Sala",
                "fundos",
                "benvindos",
                "MSG",
                "NICK",
                "FROM",
                "PASSWORD",
                PASSWORD,
            ] {
                // Each greeting in the clear speaks of a nick.
                let greetings = if word == "NICK" { 2 } else { 0 };
                assert_eq!(seen.matches(word).count(), greetings, "{word} is on the wire");
            }
        }
    });
}

#[test]
fn closed_room_is_listed_and_joined_by_its_name() {
    on_a_lan(2, |lan| {
        let (here, there) = (lan.host(1), lan.host(2));
        let mut server = closed(here, &["--name", "Sala 3"]);
        there.sees(&["Sala 3"]);
        let output = there.discover(&["--json"]);
        let listed: Value = serde_json::from_str(&output.stdout).expect("one object");
        assert_eq!(listed["encrypted"], true);
        assert_eq!(listed["password"], true);
        assert_eq!(listed["web"], Value::Null);
        let join = |password: &str| {
            let mut command = minichat();
            command.args(["connect", "Sala 3", "--nick", "bot"]);
            command.env("MINICHAT_PASSWORD", password);
            there.inside(|| run(&mut command, "oi\n/invite\n"))
        };
        let output = join(PASSWORD);
        assert_eq!(output.status, Some(0), "{}", output.stderr);
        assert!(output.stderr.contains("minichat connect \"Sala 3\""), "{}", output.stderr);
        assert!(!output.stderr.contains("nc "), "{}", output.stderr);
        let output = join("k7mf-29qy");
        assert_eq!(output.status, Some(1));
        assert!(output.stderr.contains("not the server that you think"), "{}", output.stderr);
        server.signal("TERM");
        server.wait();
    });
}
