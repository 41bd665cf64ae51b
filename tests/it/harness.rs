//! A server, clients and raw connections to test with. Everything that waits
//! has a deadline, and everything that was started ends with its test.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use socket2::{Domain, Socket, Type};

use crate::signals;

/// How long anything may take before a test gives up on it. Nothing takes a
/// tenth of this on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first line of every connection.
pub const GREETING: &str = "New User. Please register with: NICK <your_nick>";

/// A program that was built like the tests. `MINICHAT_RUNNER` names another to run
/// it with, for those of another platform.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    #[cfg(unix)]
    signals::end_with_the_terminal();
    match std::env::var_os("MINICHAT_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(path);
            command
        }
        None => Command::new(path),
    }
}

/// The binary, ready for arguments.
pub fn minichat() -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_minichat"));
    // The environment of a developer has settings; the tests have their own.
    for name in [
        "MINICHAT_NICK",
        "MINICHAT_PASSWORD",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "LC_ALL",
        "LC_MESSAGES",
        "LANG",
    ] {
        command.env_remove(name);
    }
    command.envs(state_home());
    // Few clients are to be served by several threads, as many are by themselves.
    command.env("MINICHAT_CLASS", "1");
    command
}

/// The key of all servers, of any machine, so that one that is started again is known.
const KEY: &str =
    "minichat-key 1 77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a -\n";

/// Where a program keeps keys: a folder that no other program knows, unless the test gives
/// the same to both. Else a stand-in might get the port of a server that is known.
pub fn state_home() -> [(&'static str, PathBuf); 3] {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const OLD: Duration = Duration::from_secs(3600);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Wine is told a path without a drive, which Windows does not take for an absolute one.
    let all = std::path::absolute(Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
    let all = all.expect("there is a current folder");
    if number == 0 {
        // Those of earlier runs; others may run at the same time.
        for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
            let changed = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            if changed.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > OLD) {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }
    let folder = all.join(format!("{}-{number}", std::process::id()));
    fs::create_dir_all(folder.join("minichat")).expect("a folder can be made");
    fs::write(folder.join("minichat").join("server.key"), KEY).expect("a file can be written");
    ["XDG_STATE_HOME", "LOCALAPPDATA", "STATE_DIRECTORY"].map(|name| match name {
        "STATE_DIRECTORY" => (name, PathBuf::new()),
        _ => (name, folder.clone()),
    })
}

/// The same, started by a shell that does this first.
#[cfg(unix)]
pub fn minichat_after(preparation: &str) -> Command {
    let minichat = minichat();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{preparation} && exec \"$0\" \"$@\"")]);
    command.arg(minichat.get_program()).args(minichat.get_args());
    for (name, value) in minichat.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Starts it, if need be at the second attempt or a later one: wine, in the place of
/// Windows, sometimes loses a process on its way to the first instruction, and calls
/// that an internal error.
fn spawn(command: &mut Command) -> io::Result<Child> {
    const INTERNAL_ERROR: i32 = 1359;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match command.spawn() {
            Err(err)
                if cfg!(windows)
                    && err.raw_os_error() == Some(INTERNAL_ERROR)
                    && Instant::now() < deadline => {}
            started => return started,
        }
    }
}

/// A process whose output is read as it comes, and which ends with this value.
pub struct Running {
    child: Child,
    pub stdout: Lines,
    pub stderr: Lines,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        Running::start_into(command, Stdio::piped(), Stdio::piped())
    }

    /// Starts it with its output, or what it complains of, for the caller to
    /// read. What is not piped to here has no lines.
    pub fn start_into(
        command: &mut Command,
        stdout: impl Into<Stdio>,
        stderr: impl Into<Stdio>,
    ) -> Running {
        let mut child = spawn(command.stdout(stdout).stderr(stderr)).expect("the program starts");
        let stdout = child.stdout.take().map_or_else(|| Lines::of(io::empty()), Lines::of);
        let stderr = child.stderr.take().map_or_else(|| Lines::of(io::empty()), Lines::of);
        Running { child, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input, which must be piped.
    #[track_caller]
    pub fn type_in(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped and open");
        stdin.write_all(text.as_ref()).and_then(|()| stdin.flush()).expect("it reads its input");
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// The facts that Linux knows about it, by the name of a file in `/proc/PID`. There is
    /// nothing to know elsewhere, nor about a binary that something else runs.
    pub fn known(&self, file: &str) -> Option<String> {
        let here = cfg!(target_os = "linux") && std::env::var_os("MINICHAT_RUNNER").is_none();
        here.then(|| {
            let path = format!("/proc/{}/{file}", self.id());
            std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"))
        })
    }

    /// How much memory it has in use, in KiB, where that can be known.
    pub fn memory(&self) -> Option<u64> {
        self.kibibytes("VmRSS:")
    }

    /// How much of it is its own, without the program itself, in KiB, where that can be known.
    pub fn own_memory(&self) -> Option<u64> {
        self.kibibytes("RssAnon:")
    }

    /// The most memory that it ever had in use, in KiB, where that can be known.
    pub fn peak_memory(&self) -> Option<u64> {
        self.kibibytes("VmHWM:")
    }

    fn kibibytes(&self, name: &str) -> Option<u64> {
        let status = self.known("status")?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.and_then(|value| value.trim().strip_suffix(" kB"));
        Some(value.and_then(|value| value.parse().ok()).expect("a number of kB"))
    }

    /// How many descriptors it has open, where that can be known.
    pub fn descriptors(&self) -> Option<usize> {
        self.known("status")?;
        let open = fs::read_dir(format!("/proc/{}/fd", self.id()));
        Some(open.expect("its descriptors can be listed").count())
    }

    /// How long it has worked so far, in clock ticks, as itself and in the kernel,
    /// where that can be known.
    pub fn ticks(&self) -> Option<u64> {
        let stat = self.known("stat")?;
        // The name may hold anything, but no parenthesis comes after its own.
        let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        Some(fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum())
    }

    /// Sends a signal by name, or whatever stands for it on this system.
    pub fn signal(&self, name: &str) {
        signals::send(&self.child, name);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        // Its output ends when it does; only then is waiting for it bounded.
        self.stdout.finish();
        self.stderr.finish();
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits for its end and gives its exit status and all that it has printed
    /// and was not yet read.
    #[track_caller]
    pub fn output(mut self) -> Output {
        let status = self.wait();
        Output { status: status.code(), stdout: self.stdout.so_far(), stderr: self.stderr.so_far() }
    }

    /// Asks it to end as if its terminal was closed, unless it has ended.
    #[cfg(unix)]
    pub fn hang_up(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("HUP");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok(); // It may have ended by itself.
        self.child.wait().ok();
    }
}

/// The files that a program left behind.
#[derive(Debug)]
pub struct Output {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Its complaint, in two lines and no more: the cause, behind the
    /// program's name, and the way out.
    #[track_caller]
    pub fn complaint(&self) -> (&str, &str) {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [cause, way_out] = lines[..] else { panic!("not two lines: {:?}", self.stderr) };
        let Some(cause) = cause.strip_prefix("minichat: ") else { panic!("who says {cause:?}?") };
        (cause, way_out)
    }
}

/// Runs the binary to its end with this input.
#[track_caller]
pub fn run(command: &mut Command, input: impl AsRef<[u8]>) -> Output {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("stdin is piped");
    let input = input.as_ref().to_vec();
    // It may end without reading everything.
    let writer = thread::spawn(move || stdin.write_all(&input).ok());
    let output = running.output();
    writer.join().expect("writing does not panic");
    output
}

/// Lines as they come out of a process.
pub struct Lines {
    receiver: Receiver<Vec<u8>>,
    /// All that came, line ends included.
    all: Vec<u8>,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            loop {
                let mut line = Vec::new();
                match stream.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) if sender.send(line).is_err() => return,
                    Ok(_) => (),
                }
            }
        });
        Lines { receiver, all: Vec::new() }
    }

    /// The next line, without its end; none at the end of the stream.
    #[track_caller]
    pub fn next(&mut self) -> Option<String> {
        self.next_within(PATIENCE)
    }

    /// The next line, for which one has to wait longer than for most things.
    #[track_caller]
    pub fn next_within(&mut self, patience: Duration) -> Option<String> {
        let line = self.next_raw_within(patience)?;
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_string())
    }

    /// The next line as it is, its end included; none at the end of the stream.
    #[track_caller]
    pub fn next_raw(&mut self) -> Option<Vec<u8>> {
        self.next_raw_within(PATIENCE)
    }

    #[track_caller]
    fn next_raw_within(&mut self, patience: Duration) -> Option<Vec<u8>> {
        match self.receiver.recv_timeout(patience) {
            Ok(line) => {
                self.all.extend_from_slice(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing was printed; so far: {}", self.so_far())
            }
        }
    }

    /// All that was printed and read.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.all).into_owned()
    }

    /// Whether `text` was in what was read so far.
    #[cfg(target_os = "linux")] // As those are who watch the network.
    pub fn has_told(&self, text: &str) -> bool {
        self.so_far().contains(text)
    }

    /// Reads on to the first line that contains `text`, and returns it.
    #[track_caller]
    pub fn find(&mut self, text: &str) -> String {
        loop {
            match self.next() {
                Some(line) if line.contains(text) => return line,
                Some(_) => (),
                None => panic!("no line with {text:?} was printed, only {:?}", self.so_far()),
            }
        }
    }

    #[track_caller]
    fn finish(&mut self) {
        while self.next().is_some() {}
    }
}

/// A server on a free port of 127.0.0.1, unless its arguments say otherwise.
pub struct Server {
    pub process: Running,
    /// Where it said that it listens.
    pub address: SocketAddr,
    /// Where it said that it serves the page, if that was asked for.
    page: Option<SocketAddr>,
}

impl Server {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Server {
        Server::launch(minichat(), arguments)
    }

    /// Starts it by a command that has more to it than arguments.
    #[track_caller]
    pub fn launch(mut command: Command, arguments: &[&str]) -> Server {
        command.args(["server", "--port", "0", "--no-mdns"]);
        if !arguments.contains(&"--bind") {
            command.args(["--bind", "127.0.0.1"]);
        }
        command.args(arguments);
        Server::of(command)
    }

    /// Starts it by a whole command.
    #[track_caller]
    pub fn of(mut command: Command) -> Server {
        let mut process = Running::start(command.stdin(Stdio::null()));
        let Some(line) = process.stdout.next() else {
            panic!("the server ended: {}", process.output().stderr);
        };
        let words = ["Listening on ", "Servidor rodando em "];
        let address = words.iter().find_map(|words| line.strip_prefix(words)?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not where it listens: {line:?}"));
        Server { process, address, page: None }
    }

    /// How many descriptors it has open while no client connects, where that can be known.
    /// Until it serves the first, it opens one now and then.
    pub fn descriptors(&self) -> Option<usize> {
        let _guest = self.guest();
        Some(self.process.descriptors()? - 1)
    }

    /// Where it serves the page for browsers.
    #[track_caller]
    pub fn page(&mut self) -> SocketAddr {
        if let Some(page) = self.page {
            return page;
        }
        let line = self.process.stdout.find("http://");
        let address = line.trim().strip_prefix("http://").and_then(|url| url.strip_suffix('/'));
        let address = address.and_then(|address| address.parse().ok());
        let page = address.unwrap_or_else(|| panic!("no address: {line:?}"));
        self.page = Some(page);
        page
    }

    /// A connection that has read the greeting.
    #[track_caller]
    pub fn guest(&self) -> Peer {
        let mut peer = self.connect();
        peer.reads(GREETING);
        peer
    }

    /// A connection that has read nothing.
    #[track_caller]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// A registered connection. What it was told after `OK welcome` is unread.
    #[track_caller]
    pub fn member(&self, nick: &str) -> Peer {
        let mut peer = self.guest();
        peer.says(format!("NICK {nick}"));
        peer.reads(format!("OK welcome {nick}"));
        peer
    }

    /// Several registered connections that have all seen each other come in.
    #[track_caller]
    pub fn members<const N: usize>(&self, nicks: [&str; N]) -> [Peer; N] {
        let mut peers: Vec<Peer> = Vec::new();
        for nick in nicks {
            let newcomer = self.member(nick);
            for peer in &mut peers {
                peer.reads(format!("User {nick} joined."));
            }
            peers.push(newcomer);
        }
        peers.try_into().ok().expect("as many peers as nicks")
    }

    /// Proves that a fresh pair of people is served exactly.
    #[track_caller]
    pub fn still_serves(&self) {
        let (mut one, mut other) = (self.member("fresh-one"), self.member("fresh-other"));
        other.says("MSG still here?");
        one.skips_to("FROM fresh-other [all]: still here?");
        other.skips_to("FROM fresh-other [all]: still here?");
        for mut peer in [one, other] {
            peer.says("QUIT");
            peer.skips_to("BYE");
            peer.ends();
        }
    }
}

/// A pipe that is not read any more.
pub fn broken_pipe() -> PipeWriter {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    drop(reader);
    writer
}

/// The binary, about to connect to a server.
pub fn connect(address: SocketAddr, options: &[&str]) -> Command {
    let mut command = minichat();
    command.args(["connect", &address.to_string()]).args(options);
    command
}

/// The client's line of columns, behind the time, which is
/// looked at here: `message<TAB>ana<TAB>olá`.
#[track_caller]
pub fn event(line: &str) -> &str {
    let (time, event) = line.split_once('\t').unwrap_or_else(|| panic!("no columns: {line:?}"));
    check_time(time);
    event
}

/// The client's text in all of these lines.
#[track_caller]
pub fn events(lines: &str) -> Vec<&str> {
    lines.lines().map(event).collect()
}

/// It must be the time of a moment ago, written `2025-11-22T21:04:05-03:00`.
#[track_caller]
pub fn check_time(time: &str) {
    let then = DateTime::parse_from_rfc3339(time).unwrap_or_else(|err| panic!("{time:?}: {err}"));
    assert_eq!(time.len(), "2025-11-22T21:04:05-03:00".len(), "{time:?}");
    let age = Local::now().signed_duration_since(then).num_seconds();
    assert!((0..300).contains(&age), "{time} was {age} s ago");
}

/// The client with its standard input open.
pub struct Client {
    pub process: Running,
}

impl Client {
    pub fn start(address: SocketAddr, options: &[&str]) -> Client {
        let process = Running::start(connect(address, options).stdin(Stdio::piped()));
        Client { process }
    }

    /// Is given one line.
    #[track_caller]
    pub fn types(&mut self, line: impl Display) {
        self.process.type_in(format!("{line}\n"));
    }

    /// Prints this next, in columns and behind the time.
    #[track_caller]
    pub fn shows(&mut self, expected: &str) {
        let line = self.process.stdout.next();
        assert_eq!(line.as_deref().map(event), Some(expected));
    }
}

/// A server that the test itself plays, on a free port of this machine.
pub struct StandIn {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl StandIn {
    pub fn open() -> StandIn {
        StandIn::open_at("127.0.0.1").expect("there is a free port")
    }

    pub fn open_at(ip: &str) -> io::Result<StandIn> {
        let listener = TcpListener::bind((ip, 0))?;
        let address = listener.local_addr()?;
        Ok(StandIn { listener, address })
    }

    /// The next connection; the server's end of it.
    #[track_caller]
    pub fn caller(&self) -> Peer {
        let listener = self.listener.try_clone().expect("a listener can be shared");
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(listener.accept()));
        let caller = receiver.recv_timeout(PATIENCE).expect("somebody comes");
        Peer::of_client(caller.expect("a connection can be accepted").0)
    }
}

/// One end of a TCP connection: a raw client, or a server's side of one.
pub struct Peer {
    stream: BufReader<TcpStream>,
    /// It is a server of version 1, which passes over what the client asks beyond that.
    is_deaf: bool,
}

impl Peer {
    /// The server's end of a client's connection, as a server of version 1 has it.
    #[track_caller]
    pub fn of_client(stream: TcpStream) -> Peer {
        let mut client = Peer::over(stream);
        client.refuses_encryption();
        client.is_deaf = true;
        client
    }

    #[track_caller]
    pub fn connect(address: SocketAddr) -> Peer {
        let stream = TcpStream::connect_timeout(&address, PATIENCE);
        Peer::over(stream.expect("it accepts connections"))
    }

    /// A connection with as little room as there may be for what comes, so that it
    /// is soon full. It is for clients that do not read: with so little, Linux sometimes
    /// sends to readers one small packet in 200 ms, and after a loss none for longer.
    #[track_caller]
    pub fn with_little_room(address: SocketAddr) -> Peer {
        Peer::with_room(address, 1)
    }

    /// A connection with room for about so many bytes that come.
    #[track_caller]
    pub fn with_room(address: SocketAddr, bytes: usize) -> Peer {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket can be made");
        socket.set_recv_buffer_size(bytes).expect("a buffer can be small");
        socket.connect_timeout(&address.into(), PATIENCE).expect("it accepts connections");
        Peer::over(socket.into())
    }

    #[track_caller]
    pub fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Peer { stream: BufReader::new(stream), is_deaf: false }
    }

    /// Answers the first line of a client as a server does that knows no encryption. A
    /// client that says nothing at once is none of ours.
    fn refuses_encryption(&mut self) {
        let socket = self.socket().try_clone().expect("a socket can be shared");
        let (mut line, mut byte) = (Vec::new(), [0]);
        while socket.peek(&mut byte).is_ok_and(|count| count > 0)
            && b"SECURE 1 ".starts_with(&line[..line.len().min(9)])
        {
            self.stream.get_mut().read_exact(&mut byte).expect("it was seen");
            line.push(byte[0]);
            if byte == *b"\n" {
                return self.says("ERR unknown_command");
            }
        }
        assert!(line.is_empty(), "a client that speaks first begins with SECURE: {line:?}");
    }

    /// Connects to a server that is about to listen and does not say when. The
    /// only event that there is is the connection itself.
    #[track_caller]
    pub fn connect_when_it_listens(address: SocketAddr) -> Peer {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nobody listens on {address}");
            thread::yield_now();
        }
        Peer::connect(address)
    }

    /// The socket itself, for what is not in the protocol.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends one line.
    #[track_caller]
    pub fn says(&mut self, line: impl Display) {
        self.sends(format!("{line}\n"));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the other end reads");
    }

    /// The next line with its end; empty at the end of the stream.
    #[track_caller]
    pub fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(_) if self.is_deaf && line.starts_with(b"CAP ") => self.raw_line(),
            Ok(_) => line,
            Err(err) if err.kind() == io::ErrorKind::ConnectionReset => line,
            Err(err) => panic!("no line came: {err}"),
        }
    }

    /// The next line, without its line feed.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let line = String::from_utf8(self.raw_line()).expect("the other end sends UTF-8");
        line.strip_suffix('\n').unwrap_or_else(|| panic!("a whole line, not {line:?}")).to_string()
    }

    /// The next line must be this one.
    #[track_caller]
    pub fn reads(&mut self, expected: impl Display) {
        assert_eq!(self.line(), expected.to_string());
    }

    /// Reads on to this line.
    #[track_caller]
    pub fn skips_to(&mut self, expected: &str) {
        let begin = Instant::now();
        while self.line() != expected {
            assert!(begin.elapsed() < 4 * PATIENCE, "everything is said but {expected:?}");
        }
    }

    /// Has been told nothing more: the answer to a question is the next line.
    #[track_caller]
    pub fn reads_nothing_more(&mut self) {
        self.says("?");
        self.reads("ERR unknown_command");
    }

    /// The server has closed the connection, and said nothing more.
    #[track_caller]
    pub fn ends(&mut self) {
        let rest = self.raw_line();
        assert!(rest.is_empty(), "not the end, but {:?}", String::from_utf8_lossy(&rest));
    }

    /// Is gone at once, without a goodbye even from the network (RST, not FIN).
    pub fn resets(self) {
        let socket = socket2::SockRef::from(self.socket());
        socket.set_linger(Some(Duration::ZERO)).expect("lingering can be set");
    }

    /// Says that nothing more will be said, and goes on listening.
    pub fn stops_talking(&self) {
        self.socket().shutdown(Shutdown::Write).expect("it is still connected");
    }
}

/// Both ends of each of these connections are done.
pub fn part(peers: &[Peer]) {
    peers.iter().for_each(|peer| _ = peer.socket().shutdown(Shutdown::Both));
}

/// Does something at the end of a scope, also of one that is left by a panic: no thread is to
/// wait for members that talk without end.
pub struct Finally<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
