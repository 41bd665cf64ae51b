//! Encrypted clients that are not minichat's own, and somebody on the way to a server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use minichat::secure::channel::SEALED;
use minichat::secure::{Channel, Hello};

use crate::harness::Peer;

/// Makes encrypted clients of connections: what arrives goes on in records of a channel.
pub struct Tunnel(SocketAddr);

/// The beginning of the line that a server sends in channels alone.
const IN_THE_CLEAR: &str = "In the clear: ";

impl Tunnel {
    /// To this server.
    pub fn open(server: SocketAddr) -> Tunnel {
        Tunnel::new(server, false)
    }

    /// The same for clients that know nothing of channels.
    pub fn unaware(server: SocketAddr) -> Tunnel {
        Tunnel::new(server, true)
    }

    fn new(server: SocketAddr, unaware: bool) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || match try_to_shake_hands(server) {
                    Ok((far, channel, rest)) => pump(near, far, channel, rest, unaware),
                    Err(refusal) => {
                        let mut near = near;
                        near.write_all(refusal.as_bytes()).ok(); // The client may be gone.
                    }
                });
            }
        });
        Tunnel(address)
    }

    /// A connection that talks to the server through a channel.
    #[track_caller]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.0)
    }
}

/// A connection with a channel, and what was received behind the answer.
pub fn shake_hands(server: SocketAddr) -> (TcpStream, Channel, Vec<u8>) {
    try_to_shake_hands(server).unwrap_or_else(|refusal| panic!("no answer, but {refusal:?}"))
}

/// The same, or the lines of a server that lets nobody in.
fn try_to_shake_hands(server: SocketAddr) -> Result<(TcpStream, Channel, Vec<u8>), String> {
    let mut far = TcpStream::connect(server).expect("the server listens");
    far.set_nodelay(true).expect("nodelay can be set");
    let (hello, line) = Hello::new();
    far.write_all(format!("{line}\n").as_bytes()).expect("the server reads");
    let mut lines = BufReader::new(far);
    let (mut line, mut clear) = (String::new(), String::new());
    while !line.starts_with("SECURE ") {
        clear += &std::mem::take(&mut line);
        if clear.contains("ERR ") || lines.read_line(&mut line).is_ok_and(|count| count == 0) {
            return Err(clear);
        }
    }
    let (channel, _) = hello.finish(line.trim_end()).expect("the answer is one");
    let rest = lines.buffer().to_vec();
    Ok((lines.into_inner(), channel, rest))
}

fn pump(near: TcpStream, far: TcpStream, channel: Channel, rest: Vec<u8>, unaware: bool) {
    let channel = Arc::new(Mutex::new(channel));
    let copy = |socket: &TcpStream| socket.try_clone().expect("a socket can be shared");
    let (mut typed, mut out, sealing) = (copy(&near), copy(&far), channel.clone());
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = typed.read(&mut buffer) {
            // The server may not listen now. What it says is heard meanwhile.
            let mut records = Vec::new();
            let mut channel = sealing.lock().expect("nobody panics");
            channel.send(&mut records, &buffer[..count], &mut [0; SEALED]).expect("it has room");
            drop(channel);
            if out.write_all(&records).is_err() {
                break;
            }
        }
        out.shutdown(Shutdown::Write).ok(); // The other end may be gone.
    });
    let (mut near, mut far) = (near, far);
    let mut heard = Vec::new();
    let (mut records, mut count, mut raw) = (rest, 0, vec![0; SEALED]);
    let (mut buffer, mut opened) = (vec![0; SEALED], vec![0; SEALED]);
    loop {
        records.extend_from_slice(&raw[..count]);
        let mut input = &records[..];
        while !input.is_empty() {
            let mut channel = channel.lock().expect("nobody panics");
            let received = channel.receive(&mut input, &mut buffer, &mut opened);
            let received = received.expect("the server sends no forged records");
            drop(channel); // A client that does not read may still talk.
            heard.extend_from_slice(&buffer[..received.length]);
            while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                if !unaware || !line.starts_with(IN_THE_CLEAR.as_bytes()) {
                    near.write_all(&line).ok(); // The client may be gone.
                }
            }
        }
        records.clear();
        count = match far.read(&mut raw) {
            Ok(count @ 1..) => count,
            _ => break,
        };
    }
    near.shutdown(Shutdown::Write).ok(); // The other end may be gone.
}

/// A change of some bytes on their way, and whether they come from the client.
pub type Change = fn(bool, &[u8]) -> Vec<u8>;

/// Somebody on the way to a server, who sees all bytes and may change them.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<Mutex<Way>>,
}

struct Way {
    to: SocketAddr,
    change: Change,
    seen: Vec<u8>,
    /// The connections: a client's, and the one that leads on.
    sockets: Vec<(TcpStream, TcpStream)>,
    /// The end of a client's connection is passed on.
    tells_ends: bool,
}

impl Relay {
    pub fn open(to: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let change: Change = |_, bytes| bytes.to_vec();
        let (seen, sockets) = (Vec::new(), Vec::new());
        let way = Way { to, change, seen, sockets, tells_ends: true };
        let state = Arc::new(Mutex::new(way));
        let shared = state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(shared.lock().expect("nobody panics").to) else {
                    continue;
                };
                let copy = |socket: &TcpStream| socket.try_clone().expect("it can be shared");
                let sockets = (copy(&near), copy(&far));
                shared.lock().expect("nobody panics").sockets.push(sockets);
                for (from, into, up) in [(&near, &far, true), (&far, &near, false)] {
                    let (mut from, mut into, state) = (copy(from), copy(into), shared.clone());
                    thread::spawn(move || {
                        let mut buffer = [0; 65536];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            let bytes = &buffer[..count];
                            let mut way = state.lock().expect("nobody panics");
                            way.seen.extend_from_slice(bytes);
                            let changed = (way.change)(up, bytes);
                            drop(way);
                            if into.write_all(&changed).is_err() {
                                break;
                            }
                        }
                        if state.lock().expect("nobody panics").tells_ends {
                            into.shutdown(Shutdown::Both).ok(); // It may have ended.
                        }
                    });
                }
            }
        });
        Relay { address, state }
    }

    /// Leads to another server from now on.
    pub fn lead_to(&self, to: SocketAddr) {
        self.state.lock().expect("nobody panics").to = to;
    }

    /// Ends all connections of clients, so that the server learns of it or does not.
    pub fn cut(&self, tells_ends: bool) {
        let mut way = self.state.lock().expect("nobody panics");
        way.tells_ends = tells_ends;
        for (near, far) in &way.sockets {
            near.shutdown(Shutdown::Both).ok(); // It may have ended.
            if tells_ends {
                far.shutdown(Shutdown::Both).ok();
            }
        }
    }

    /// Changes what passes from now on.
    pub fn change(&self, change: Change) {
        self.state.lock().expect("nobody panics").change = change;
    }

    /// All that has passed, in both directions.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().expect("nobody panics").seen).into_owned()
    }
}
