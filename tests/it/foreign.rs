//! Clients of other protocols, above all browsers that obey a stranger's page.

use std::io::Write;

use crate::harness::{Peer, Server};

/// The bytes of Chromium for `fetch(url, {method, mode: "no-cors", body})`, head and body.
fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 192.168.1.100:9000\r\nConnection: keep-alive\r\n\
         Content-Length: {length}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\nOrigin: http://page.example\r\n\
         Referer: http://page.example/\r\nAccept-Encoding: gzip, deflate\r\n\r\n{body}"
    )
}

const SPAM: &str = "\nNICK evil\nMSG spam\nMSG @ana psst\nWHO\nQUIT\n";

/// Sends these bytes in pieces, as far as the server takes them.
fn send(peer: &Peer, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        if peer.socket().write_all(piece).is_err() {
            return;
        }
    }
}

/// A guest sends these bytes in pieces of each size, and is let go after `answers`.
#[track_caller]
fn check(server: &Server, ana: &mut Peer, bytes: impl AsRef<[u8]>, answers: &[&str]) {
    let bytes = bytes.as_ref();
    for piece in [bytes.len(), 1024, 7, 1] {
        if bytes.len() / piece > 2000 {
            continue;
        }
        let mut browser = server.guest();
        send(&browser, bytes, piece);
        for answer in answers {
            browser.reads(answer);
        }
        browser.ends();
    }
    ana.reads_nothing_more();
}

#[test]
fn browser_is_let_go_before_its_body_is_obeyed() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let one = ["ERR unknown_command"];
    for method in ["GET", "POST", "PUT", "OPTIONS", "DELETE", "NICK", "MSG", "WHO", "QUIT", "post"]
    {
        check(&server, &mut ana, request(method, "/", SPAM), &one);
        check(&server, &mut ana, request(method, "/", ""), &one);
    }
    check(&server, &mut ana, request("POST", "/", SPAM).replace("HTTP/1.1", "HTTP/1.0"), &one);
    check(&server, &mut ana, request("POST", "/", SPAM).replace("HTTP/1.1", "http/1.1"), &one);
    check(&server, &mut ana, request("POST", "/", SPAM).replace("\r\n", "\n"), &one);
    check(&server, &mut ana, format!("\n\r\n{}", request("POST", "/", SPAM)), &one);
    check(&server, &mut ana, format!("POST\t/\tHTTP/1.1\n{SPAM}"), &one);
    check(&server, &mut ana, request("POST", "/?NICK%20x", SPAM), &one);
    let chunked =
        request("POST", "/", "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
    check(&server, &mut ana, format!("{chunked}2c\r\n{SPAM}\r\n0\r\n\r\n"), &one);
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let socket = request("GET", "/chat", "").replace("\r\n\r\n", &format!("\r\n{upgrade}{SPAM}"));
    check(&server, &mut ana, socket, &one);
    // A line that the server has no words for is one of another protocol all the same.
    for bytes in [&b"\xE9"[..], b"\xFE\xFF", b"\xFF\xFE", b"\xFF\xFB", b"\xFF\xF4", b"\xFF\xFF"] {
        let line = [b"POST /", bytes, b" HTTP/1.1\r\n", SPAM.as_bytes()].concat();
        check(&server, &mut ana, line, &one);
    }
    let two = [one[0]; 2];
    // The request line is dropped as telnet's, but not the header.
    let (line, header) = ("POST /", request("POST", "/", SPAM));
    check(&server, &mut ana, [line.as_bytes(), b"\xFF\xFA", header.as_bytes()].concat(), &two);
    server.still_serves();
}

#[test]
fn request_line_of_any_length_ends_the_connection() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for length in [4070, 4080, 4081, 4082, 4083, 4084, 4085, 4086, 4096, 5000, 8192, 70_000] {
        let path = format!("/{}", "x".repeat(length));
        let whole = length + "POST / HTTP/1.1\r\n".len() <= 4096;
        let answers: &[&str] = match whole {
            true => &["ERR unknown_command"],
            false => &["ERR line_too_long", "ERR unknown_command"],
        };
        check(&server, &mut ana, request("POST", &path, SPAM), answers);
    }
}

#[test]
fn other_protocols_are_let_go_before_a_line_feed() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    // A session ticket is the server's to choose, and may hold commands.
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"[..], SPAM.as_bytes()].concat();
    let openings: [&[u8]; 9] = [
        &hello,
        b"\x16\x03\x01",
        b"\x05\x01\x00",
        b"\x04\x01\x23\x28\x7F\x00\x00\x01\x00",
        b"\x00\x01\x00\x08\x21\x12\xA4\x42aaaaaaaaaaaa\nNICK evil\nMSG spam\n",
        b"\x00\x01\x01\x10\x21\x12\xA4\x42aaaaaaaaaaaa\nNICK evil\nMSG spam\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\nNICK evil\r\nMSG spam\r\n",
        b"*1\r\n$4\r\nPING\r\nNICK evil\r\nMSG spam\r\n",
        b"EHLO page.example\r\nNICK evil\r\nMSG spam\r\n",
    ];
    for opening in openings {
        check(&server, &mut ana, opening, &["ERR unknown_command"]);
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nNICK evil\r\nMSG spam\r\n";
    check(&server, &mut ana, preface, &["ERR unknown_command"]);
}

#[test]
fn member_may_say_what_a_browser_says() {
    let server = Server::start(&[]);
    let [mut ana, mut rui] = server.members(["ana", "rui"]);
    for line in ["MSG GET / HTTP/1.1", "MSG EHLO x", "MSG SSH-2.0-x", "MSG HTTP/1.1"] {
        ana.says(line);
        for peer in [&mut ana, &mut rui] {
            peer.reads(format!("FROM ana [all]: {}", &line["MSG ".len()..]));
        }
    }
    for line in ["POST / HTTP/1.1", "EHLO x", "*1", "\x16\x03", "Host: x"] {
        ana.says(line);
        ana.reads("ERR unknown_command");
    }
    rui.reads_nothing_more();
    // The nick and the words may come together.
    let mut bia = server.guest();
    bia.sends("NICK bia\nMSG GET / HTTP/1.1\n");
    bia.reads("OK welcome bia");
    bia.reads("FROM bia [all]: GET / HTTP/1.1");
}

#[test]
fn guest_may_try_unknown_commands_and_go_on() {
    let server = Server::start(&[]);
    let mut guest = server.guest();
    for line in ["HELLO", "HELP", "USER ana", "GET /", "/who", "HTTP", "ola: tudo bem?", "?"] {
        guest.says(line);
        guest.reads("ERR unknown_command");
    }
    guest.says("MSG I read HTTP/1.1 today");
    guest.reads("ERR please_register_with_NICK");
    guest.says("NICK ana");
    guest.reads("OK welcome ana");
}

#[test]
fn random_requests_say_nothing_in_the_room() {
    let server = Server::start(&["--rate", "0"]);
    let mut ana = server.member("ana");
    let mut dice = fastrand::Rng::with_seed(15);
    for _ in 0..200 {
        let method: String = (0..dice.usize(1..8)).map(|_| dice.uppercase()).collect();
        let path = format!("/{}", "%0AMSG".repeat(dice.usize(0..900)));
        let bytes = request(&method, &path, SPAM).into_bytes();
        let mut browser = server.connect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = 1 << dice.usize(0..14);
            let (piece, others) = rest.split_at(dice.usize(1..=rest.len().min(most)));
            send(&browser, piece, piece.len());
            rest = others;
        }
        // The server has closed the connection, so everything is obeyed that will be.
        while !browser.raw_line().is_empty() {}
    }
    ana.reads_nothing_more();
}
