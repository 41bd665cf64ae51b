//! The servers that are measured, and how one chats on each.
//!
//! Every line has one length, whoever says it, so that what a crowd hears can be
//! taken apart and compared without looking for line ends.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::time::TimeSpec;
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::generator::PATIENCE;

/// The first line of this program.
const GREETING: &str = "New User. Please register with: NICK <your_nick>\n";
/// A request for a WebSocket, and the answer. The key and its proof are those of RFC 6455.
const UPGRADE: &str = "GET /room HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
pub const UPGRADED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This program.
    Minichat,
    /// This program, whose clients are browsers: the same lines in frames of a WebSocket.
    Web,
    /// This program, whose clients are encrypted: the same lines in records of a channel.
    Secure,
    /// This program as one of two servers that are one room, by Redis; all clients are at it.
    Shared,
    /// Redis, where all subscribe to one channel and each to their own.
    Redis,
}

impl Kind {
    /// Those that are installed here.
    pub fn installed() -> Vec<Kind> {
        let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        let redis = version.is_ok_and(|status| status.success()).then_some(Kind::Redis);
        [Kind::Minichat].into_iter().chain(redis).collect()
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Minichat => "minichat",
            Kind::Web => "WebSocket",
            Kind::Secure => "encrypted",
            Kind::Shared => "one of two",
            Kind::Redis => "Redis",
        }
    }

    fn command(self, port: u16, engine: Option<SocketAddr>) -> Command {
        match self {
            Kind::Minichat | Kind::Web | Kind::Secure | Kind::Shared => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_minichat"));
                command.args(["server", "--bind", "127.0.0.1", "--no-mdns", "--quiet"]);
                command.args(["--rate", "0", "--max-users", "0", "--notices", "1000000"]);
                if let Some(address) = engine {
                    command.args(["--engine", &format!("redis://{address}/bench")]);
                }
                let port = port.to_string();
                let ports = if self == Kind::Web { ["0", &port] } else { [&port, "0"] };
                command.args(["--port", ports[0], "--web-port", ports[1]]);
                command
            }
            Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--save", "", "--appendonly", "no", "--loglevel", "warning"]);
                command.args(["--maxclients", "19900", "--tcp-backlog", "4096"]);
                command
            }
        }
    }

    /// The bytes that a client sends as soon as it is connected, and exactly what it is told.
    pub fn greeting(self) -> (&'static str, &'static str) {
        match self {
            Kind::Minichat | Kind::Secure | Kind::Shared => ("", GREETING),
            Kind::Web => (UPGRADE, GREETING),
            Kind::Redis => ("PING\r\n", "+PONG\r\n"),
        }
    }

    /// The bytes that a client sends to come in, and exactly what it is told. Redis tells
    /// it of no arrivals; there, a client that wants to be `announced` says it.
    pub fn entry(self, client: usize, announced: bool) -> (String, String) {
        let nick = nick(client);
        match self {
            Kind::Minichat | Kind::Web | Kind::Secure | Kind::Shared => {
                (format!("NICK {nick}\n"), format!("OK welcome {nick}\n"))
            }
            Kind::Redis => {
                let mut send =
                    format!("CLIENT REPLY OFF\r\nHELLO 3\r\nSUBSCRIBE everyone {nick}\r\n");
                if announced {
                    send += &format!("PUBLISH everyone \"{}\"\r\n", arrival(client));
                }
                let told = |channel: &str, count| {
                    let length = channel.len();
                    format!(">3\r\n$9\r\nsubscribe\r\n${length}\r\n{channel}\r\n:{count}\r\n")
                };
                (send, told("everyone", 1) + &told(&nick, 2))
            }
        }
    }

    /// Whether the server itself announces each arrival to everybody.
    pub fn announces(self) -> bool {
        self != Kind::Redis
    }

    /// The line that announces an arrival; on Redis the newcomer reads it, too.
    pub fn arrival(self, client: usize) -> String {
        match self {
            Kind::Minichat | Kind::Web | Kind::Secure | Kind::Shared => arrival(client) + "\n",
            Kind::Redis => published("everyone", &arrival(client)),
        }
    }

    /// The bytes that `from` sends to say a text to everyone, and what everyone hears.
    pub fn public(self, from: usize, text: &str) -> (String, String) {
        match self {
            Kind::Minichat | Kind::Web | Kind::Secure | Kind::Shared => {
                (format!("MSG {text}\n"), format!("FROM {} [all]: {text}\n", nick(from)))
            }
            Kind::Redis => (publish("everyone", text), published("everyone", text)),
        }
    }

    /// The bytes that `from` sends to say a text to one person, and what that person hears.
    pub fn private(self, from: usize, to: usize, text: &str) -> (String, String) {
        let nick = nick(to);
        match self {
            Kind::Minichat | Kind::Web | Kind::Secure | Kind::Shared => (
                format!("MSG @{nick} {text}\n"),
                format!("FROM {} [dm]: {text}\n", self::nick(from)),
            ),
            Kind::Redis => (publish(&nick, text), published(&nick, text)),
        }
    }
}

fn nick(client: usize) -> String {
    format!("u{client:05}")
}

fn arrival(client: usize) -> String {
    format!("User {} joined.", nick(client))
}

fn publish(channel: &str, text: &str) -> String {
    let lengths = (channel.len(), text.len());
    format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n{text}\r\n", lengths.0, lengths.1)
}

fn published(channel: &str, text: &str) -> String {
    let lengths = (channel.len(), text.len());
    format!(">3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n${}\r\n{text}\r\n", lengths.0, lengths.1)
}

/// A server that runs until this value is dropped.
pub struct Server {
    child: Child,
    pub kind: Kind,
    pub address: SocketAddr,
    /// The engine and the other server, if it is one of two.
    beside: Vec<Server>,
}

impl Server {
    /// Starts a server on a free port, and waits until it takes connections.
    pub fn start(kind: Kind) -> Server {
        if kind != Kind::Shared {
            return Server::launch(kind, None, Vec::new());
        }
        let engine = Server::start(Kind::Redis);
        let place = Some(engine.address);
        let other = Server::launch(Kind::Minichat, place, Vec::new());
        Server::launch(kind, place, vec![engine, other])
    }

    fn launch(kind: Kind, engine: Option<SocketAddr>, mut beside: Vec<Server>) -> Server {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            let address = free.expect("there is a free port");
            let child = kind
                .command(address.port(), engine)
                .current_dir(env::temp_dir())
                // Where it makes its key, which is not the user's.
                .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("the server starts");
            let mut server = Server { child, kind, address, beside: std::mem::take(&mut beside) };
            // If another program took the port first, it ends, and another one is free.
            while server.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                if TcpStream::connect(address).is_ok() {
                    return server;
                }
                assert!(Instant::now() < deadline, "{} does not listen", kind.name());
                thread::sleep(Duration::from_millis(2));
            }
            assert!(Instant::now() < deadline, "{} does not stay", kind.name());
            beside = std::mem::take(&mut server.beside);
        }
    }

    /// How long all its threads have worked so far, as themselves and in the kernel.
    pub fn worked(&self) -> Duration {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id is small"));
        let clock = ClockId::pid_cpu_clock_id(pid);
        let time: TimeSpec = clock.and_then(ClockId::now).expect("a child has a clock");
        time.into()
    }

    /// How much memory it has in use, in bytes.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("a child has a status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|size| size.trim().strip_suffix(" kB"));
        resident.and_then(|size| size.parse::<u64>().ok()).expect("a number of kB") << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok(); // It may have ended by itself.
        self.child.wait().ok();
    }
}
