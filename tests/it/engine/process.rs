//! An engine that a test runs, and the way to it, which a test can cut.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::Running;
use crate::shells::is_installed;

/// The programs that are engines, as Debian and others call them.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// How servers reach the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unix,
    Tcp,
}

/// Both kinds.
pub const KINDS: [Kind; 2] = [Kind::Unix, Kind::Tcp];

/// The place where something listens.
#[derive(Clone, Debug)]
pub enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Place {
    /// The value of `--engine` for the room of this name there.
    pub fn url(&self, room: &str) -> String {
        match self {
            Place::Unix(path) => format!("unix://{}?room={room}", path.display()),
            Place::Tcp(address) => format!("redis://{address}/{room}"),
        }
    }

    fn address(&self) -> (Domain, SockAddr) {
        match self {
            Place::Unix(path) => (Domain::UNIX, SockAddr::unix(path).expect("a short path")),
            Place::Tcp(address) => (Domain::IPV4, (*address).into()),
        }
    }

    fn connect(&self) -> io::Result<Socket> {
        let (domain, address) = self.address();
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect(&address)?;
        Ok(socket)
    }

    fn listen(&self) -> Socket {
        let (domain, address) = self.address();
        let socket = Socket::new(domain, Type::STREAM, None).expect("a socket can be made");
        socket.bind(&address).and_then(|()| socket.listen(128)).expect("it can listen");
        socket
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    /// The path of a socket must be short, so it is not in the project.
    fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("minichat-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A running Redis or Valkey.
pub struct Engine {
    program: &'static str,
    kind: Kind,
    durable: bool,
    arguments: Vec<String>,
    pub place: Place,
    process: Option<Running>,
    folder: Folder,
}

/// The engines that are installed. None is a failure where the tools are required.
#[track_caller]
pub fn programs() -> Vec<&'static str> {
    let programs: Vec<_> = PROGRAMS.into_iter().filter(|name| is_installed(name)).collect();
    let required = env::var_os("MINICHAT_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!(programs.is_empty() && required), "no engine is installed");
    if programs.is_empty() {
        eprintln!("SKIP: neither {} nor {} is installed", PROGRAMS[0], PROGRAMS[1]);
    }
    programs
}

impl Engine {
    /// Starts one that keeps the log on its disk, or in its memory alone.
    #[track_caller]
    pub fn start(program: &'static str, kind: Kind, durable: bool) -> Engine {
        Engine::start_with(program, kind, durable, &[])
    }

    /// Starts one with more arguments.
    #[track_caller]
    pub fn start_with(
        program: &'static str,
        kind: Kind,
        durable: bool,
        arguments: &[&str],
    ) -> Engine {
        let folder = Folder::new();
        let arguments = arguments.iter().map(|argument| (*argument).to_string()).collect();
        let place = Place::Unix(folder.0.join("s"));
        let mut engine = Engine { program, kind, durable, arguments, place, process: None, folder };
        loop {
            if kind == Kind::Tcp {
                engine.place = Place::Tcp(free_address());
            }
            if engine.try_to_start() {
                return engine;
            }
            assert!(kind == Kind::Tcp, "{program} does not start");
            // Another program has the port by now.
        }
    }

    fn try_to_start(&mut self) -> bool {
        let mut command = Command::new(self.program);
        command.arg("--dir").arg(&self.folder.0).args(["--save", "", "--appendonly"]);
        command.arg(if self.durable { "yes" } else { "no" });
        match &self.place {
            Place::Unix(path) => command.args(["--port", "0", "--unixsocket"]).arg(path),
            Place::Tcp(address) => {
                command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            }
        };
        command.args(&self.arguments).stdin(Stdio::null());
        let mut process = Running::start(&mut command);
        while let Some(line) = process.stdout.next() {
            if line.to_lowercase().contains("ready to accept connections") {
                self.process = Some(process);
                return true;
            }
        }
        false
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal("KILL");
        process.wait();
    }

    /// Starts it again where it was.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.try_to_start(), "{} does not start again", self.program);
    }

    /// Sends a signal to it: `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// How long it has worked so far, in clock ticks.
    pub fn ticks(&self) -> Option<u64> {
        self.process.as_ref().expect("it runs").ticks()
    }

    /// The value of `--engine` for a room of its own.
    pub fn url(&self) -> String {
        self.place.url("sala3")
    }

    /// Asks it something, and returns the first line of its answer.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> String {
        let mut socket = self.place.connect().expect("the engine listens");
        socket.set_read_timeout(Some(crate::harness::PATIENCE)).expect("a deadline can be set");
        let mut question = format!("*{}\r\n", words.len());
        for word in words {
            question += &format!("${}\r\n{word}\r\n", word.len());
        }
        socket.write_all(question.as_bytes()).expect("the engine reads");
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n") {
            socket.read_exact(&mut byte).expect("the engine answers");
            answer.extend(byte);
        }
        String::from_utf8_lossy(&answer).trim_end().to_string()
    }

    /// Another engine of the same kind that has a copy of its log.
    #[track_caller]
    pub fn replica(&self) -> Engine {
        let Place::Tcp(address) = self.place else { panic!("a replica needs an address") };
        let of = ["--replicaof", "127.0.0.1", &address.port().to_string()];
        Engine::start_with(self.program, self.kind, self.durable, &of)
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address")
}

/// A way to an engine that can be cut, without a word at either end, and lead elsewhere.
pub struct Way {
    pub place: Place,
    road: Arc<Road>,
    listener: Arc<Socket>,
    _folder: Folder,
}

struct Road {
    /// Whether anything passes, and where to.
    state: Mutex<(bool, Place)>,
    changed: Condvar,
}

impl Road {
    /// Waits until something passes. Returns where to.
    fn open(&self) -> Place {
        let state = self.state.lock().expect("nobody panicked");
        let state = self.changed.wait_while(state, |(open, _)| !*open).expect("nobody panicked");
        state.1.clone()
    }
}

impl Way {
    /// The way to where something listens, over a socket of the same kind.
    pub fn to(place: &Place) -> Way {
        let folder = Folder::new();
        let near = match place {
            Place::Unix(_) => Place::Unix(folder.0.join("s")),
            Place::Tcp(_) => Place::Tcp("127.0.0.1:0".parse().expect("an address")),
        };
        let listener = Arc::new(near.listen());
        let place_here = match near {
            Place::Tcp(_) => {
                let address = listener.local_addr().expect("it has an address");
                Place::Tcp(address.as_socket().expect("of TCP"))
            }
            unix @ Place::Unix(_) => unix,
        };
        let state = Mutex::new((true, place.clone()));
        let road = Arc::new(Road { state, changed: Condvar::new() });
        let (door, shared) = (listener.clone(), road.clone());
        thread::spawn(move || {
            while let Ok((near, _)) = door.accept() {
                let road = shared.clone();
                thread::spawn(move || {
                    let Ok(far) = road.open().connect() else { return };
                    let back = (far.try_clone(), near.try_clone());
                    let (Ok(from), Ok(to)) = back else { return };
                    let other = road.clone();
                    thread::spawn(move || carry(from, to, &other));
                    carry(near, far, &road);
                });
            }
        });
        Way { place: place_here, road, listener, _folder: folder }
    }

    /// Cuts it, or mends it.
    pub fn pass(&self, open: bool) {
        self.road.state.lock().expect("nobody panicked").0 = open;
        self.road.changed.notify_all();
    }

    /// Leads new connections elsewhere.
    pub fn lead_to(&self, place: &Place) {
        self.road.state.lock().expect("nobody panicked").1 = place.clone();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.pass(true);
        self.listener.shutdown(Shutdown::Both).ok(); // Its thread ends with that.
    }
}

fn carry(mut from: Socket, mut to: Socket, road: &Road) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        road.open();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
