//! The protocol over WebSockets, with an implementation of them that is not ours.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Message, client};

use crate::harness::{GREETING, PATIENCE, Peer, Server};

/// The fields of a proper request for a WebSocket.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Makes WebSocket clients of connections: each line that arrives becomes a message, and the
/// lines of each message go back.
pub struct Bridge(SocketAddr);

impl Bridge {
    pub fn open(page: SocketAddr) -> Bridge {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(page).expect("the page's port listens");
                thread::spawn(move || pump(near, far, page));
            }
        });
        Bridge(address)
    }

    /// A connection that talks to the room through a WebSocket.
    pub fn connect(&self) -> Peer {
        Peer::connect(self.0)
    }
}

fn pump(mut near: TcpStream, far: TcpStream, page: SocketAddr) {
    let (mut incoming, _) = client(format!("ws://{page}/room"), far).expect("it is upgraded");
    let far = incoming.get_ref().try_clone().expect("a socket can be shared");
    let mut outgoing = WebSocket::from_raw_socket(far, Role::Client, None);
    let mut typed = near.try_clone().expect("a socket can be shared");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = typed.read(&mut buffer) {
            // Any cut will do: the lines of two messages are one stream only if they end.
            let message = Message::binary(buffer[..count].to_vec());
            if outgoing.send(message).is_err() {
                return;
            }
        }
        outgoing.close(None).ok(); // The server may have closed before.
    });
    while let Ok(message) = incoming.read() {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => continue,
            other => panic!("the server sends {other:?}"),
        };
        assert!(text.ends_with('\n'), "a message is whole lines: {text:?}");
        if near.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    near.shutdown(Shutdown::Write).ok(); // The other end may be gone.
}

/// Turns a connection to the page's port into a WebSocket.
#[track_caller]
pub fn upgrade(peer: &mut Peer, page: SocketAddr) {
    peer.sends(format!("GET /room HTTP/1.1\r\nHost: {page}\r\n{UPGRADE}\r\n"));
    assert_eq!(peer.line(), "HTTP/1.1 101 Switching Protocols\r");
    while peer.line() != "\r" {}
}

/// A text message of a client. Its mask is all zeros, which a server has to take.
pub fn message(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("the text is short").to_be_bytes();
    [&[0x81, 0xFE], &length[..], &[0; 4], text.as_bytes()].concat()
}

/// The status line of the answer to a request, and the rest of the answer.
#[track_caller]
fn ask(page: SocketAddr, request: &str) -> (String, String) {
    let mut peer = Peer::connect(page);
    peer.sends(request);
    let mut answer = Vec::new();
    let mut socket = peer.socket();
    let mut buffer = [0; 8192];
    // A WebSocket stays open, so its answer ends with its head.
    while !answer.ends_with(b"\r\n\r\n") || !answer.starts_with(b"HTTP/1.1 101") {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, rest) = answer.split_once("\r\n").unwrap_or((&answer, ""));
    (head.to_string(), rest.to_string())
}

#[test]
fn strangers_requests_are_refused_with_the_right_status() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let get = |path: &str, host: &str, fields: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
    };
    let own = page.to_string();
    let origin = format!("{UPGRADE}Origin: http://{own}\r\n");
    for (request, status) in [
        (get("/", &own, ""), "200 OK"),
        (get("/about", &own, ""), "200 OK"),
        (get("/icon.svg", &own, ""), "200 OK"),
        (get("/code.svg", &own, ""), "200 OK"),
        (get("/room", &own, &origin), "101 Switching Protocols"),
        (get("/room", &own, UPGRADE), "101 Switching Protocols"),
        (get("/room", &own, ""), "426 Upgrade Required"),
        (get("/room", &own, &format!("{UPGRADE}Origin: null\r\n")), "403 Forbidden"),
        (get("/room", &own, &format!("{UPGRADE}Origin: http://evil.example\r\n")), "403 Forbidden"),
        (get("/", "evil.example", ""), "421 Misdirected Request"),
        (get("/", "127.0.0.1.evil.example", ""), "421 Misdirected Request"),
        (get("/", &own, "Host: evil.example\r\n"), "400 Bad Request"),
        (get("/", &own, "Content-Length: 5\r\n"), "405 Method Not Allowed"),
        (get("/../etc/passwd", &own, ""), "404 Not Found"),
        ("GET / HTTP/1.1\r\n\r\n".into(), "400 Bad Request"),
        ("NICK ana\nMSG hi\n\n".into(), "400 Bad Request"),
        (get(&format!("/{}", "a".repeat(9000)), &own, ""), "431 Request Header Fields Too Large"),
    ] {
        let (line, _) = ask(page, &request);
        assert_eq!(line, format!("HTTP/1.1 {status}"), "{request}");
    }
    server.still_serves();
}

#[test]
fn page_cannot_be_framed_or_extended_by_others() {
    let mut server = Server::start(&["--name", "<b>\"Sala\" 3"]);
    let page = server.page();
    let request = |path: &str| ask(page, &format!("GET {path} HTTP/1.1\r\nHost: {page}\r\n\r\n")).1;
    let whole = request("/");
    for field in [
        "Content-Security-Policy: default-src 'none'; script-src 'sha256-",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "img-src 'self'; connect-src 'self' ws://",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
        "Cache-Control: no-cache",
        "Connection: close",
    ] {
        assert!(whole.contains(field), "{field}");
    }
    assert!(!whole.contains("<b>\"Sala\""), "the title is no markup of the page");
    let about = request("/about");
    let (_, about) = about.split_once("\r\n\r\n").expect("an answer has a body");
    let about: serde_json::Value = serde_json::from_str(about).expect("it is JSON");
    assert_eq!((&about["title"], &about["people"]), (&"<b>\"Sala\" 3".into(), &0.into()));
}

#[test]
fn request_that_is_not_whole_in_10_s_is_dropped() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let begin = Instant::now();
    let visitors = ["", "GET / HTTP/1.1\r\n", "GET /room HTTP/1.1\r\nHost: localhost\r\nX: "];
    let visitors = visitors.map(|start| {
        let mut peer = Peer::connect(page);
        peer.sends(start);
        peer
    });
    for mut visitor in visitors {
        visitor.ends();
        assert!(begin.elapsed() > Duration::from_secs(9), "{:?}", begin.elapsed());
    }
    server.still_serves();
}

#[test]
fn connection_carries_one_request() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let request = format!("GET /about HTTP/1.1\r\nHost: {page}\r\n\r\n");
    let (first, rest) = ask(page, &request.repeat(2));
    assert_eq!((first.as_str(), rest.matches("HTTP/1.1").count()), ("HTTP/1.1 200 OK", 0));
}

#[test]
fn lines_sent_before_the_answer_are_not_obeyed() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let mut ana = server.member("ana");
    let early = format!("GET /room HTTP/1.1\r\nHost: {page}\r\n{UPGRADE}\r\n");
    // An unmasked text frame, as if the server had agreed already.
    let (line, _) = ask(page, &format!("{early}\u{1}\u{9}NICK evil\n"));
    assert_eq!(line, "");
    ana.reads_nothing_more();
}

#[test]
fn frames_that_break_the_rules_end_the_connection() {
    let mut server = Server::start(&[]);
    let page = server.page();
    for (frame, code) in [
        (&b"\x81\x04NICK"[..], 1002_u16),
        (b"\xC1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x81\x82\0\0\0\0\xFF\xFF", 1007),
        (b"\x88\x82\0\0\0\0\x03\xE8", 1000),
    ] {
        let mut peer = Peer::connect(page);
        upgrade(&mut peer, page);
        let greeting = [&[0x81, GREETING.len() as u8 + 1][..], GREETING.as_bytes(), b"\n"].concat();
        assert_eq!(peer.raw_line(), greeting);
        peer.sends(frame);
        let mut answer = [0; 4];
        let mut socket = peer.socket();
        socket.read_exact(&mut answer).expect("a close frame comes");
        assert_eq!(answer[..2], [0x88, 2]);
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code, "{frame:x?}");
        assert!(matches!(socket.read(&mut answer), Ok(0) | Err(_)), "nothing follows");
    }
    server.still_serves();
}

#[test]
fn silent_visitors_delay_neither_chat_nor_stop() {
    let mut server = Server::start(&[]);
    let page = server.page();
    let visitors: Vec<Peer> = (0..300).map(|_| Peer::connect(page)).collect();
    for mut visitor in &visitors {
        visitor.socket().write_all(b"GET / HTTP/1.1\r\nHost: lo").ok(); // Some are sent away.
        _ = &mut visitor;
    }
    server.still_serves();
    let begin = Instant::now();
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    assert!(begin.elapsed() < PATIENCE / 10, "{:?}", begin.elapsed());
}
