//! The requests that a browser sends before it has a WebSocket, and their answers.
//!
//! Each connection carries one request, so that there is nothing to smuggle. Only the page,
//! three small resources beside it and the way into the room can be had. The rules protect
//! the room from the pages of others that the same browser shows.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1_smol::Sha1;

use super::page;

/// The longest head of a request, in bytes. Browsers send less than 1 KiB.
pub const MAX_HEAD: usize = 8 << 10;
/// How many fields a request may have.
const MAX_FIELDS: usize = 64;
/// The text that RFC 6455, section 4.2.2, appends to a key before it is hashed.
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `GET /`: the page.
    Page,
    /// `GET /about`: the room's title, its number of people and the page's address.
    About,
    /// `GET /icon.svg`: the picture for the tab.
    Icon,
    /// `GET /code.svg`: the code with the page's address.
    Code,
    /// `GET /room`: a WebSocket, with the key that the answer has to hash.
    Room(String),
}

/// A request that is answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The resource that is asked for.
    pub resource: Resource,
    /// The name or address by which the browser reached us, with the port if there is one.
    pub host: String,
    /// The request was `HEAD`, so the answer has no body.
    pub head_only: bool,
    /// The length of the request in bytes.
    pub length: usize,
}

/// Why a request is not answered as it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// 400: not a request of HTTP/1, or one that says something twice.
    Malformed,
    /// 403: the page of another origin wants a WebSocket.
    ForeignOrigin,
    /// 404.
    NotFound,
    /// 405: neither `GET` nor `HEAD`, or with a body.
    NotAllowed,
    /// 421: a host name that others can register.
    ForeignHost,
    /// 426: `/room` is only for a WebSocket of version 13.
    UpgradeRequired,
    /// 431: the head is too long.
    TooLong,
}

impl Denied {
    /// The status line after the version, and a sentence for the person that sees it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Denied::Malformed => ("400 Bad Request", "This is not a request of HTTP/1.1."),
            Denied::ForeignOrigin => ("403 Forbidden", "Only the page of this server may do that."),
            Denied::NotFound => ("404 Not Found", "There is nothing here. The page is at /."),
            Denied::NotAllowed => ("405 Method Not Allowed", "Only GET and HEAD are answered."),
            Denied::ForeignHost => (
                "421 Misdirected Request",
                "Open the page by the address that the server shows, not by another name.",
            ),
            Denied::UpgradeRequired => ("426 Upgrade Required", "This is for a WebSocket."),
            Denied::TooLong => ("431 Request Header Fields Too Large", "The request is too long."),
        }
    }

    /// The fields that only this answer has.
    fn fields(self) -> &'static str {
        match self {
            Denied::NotAllowed => "Allow: GET, HEAD\r\n",
            Denied::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().0)
    }
}

/// Reads the request at the start of `bytes`; `None` while more of it must arrive.
///
/// `own_name` is the machine's own host name, by which browsers may also reach it.
///
/// # Errors
/// If the request is not answered, and why.
pub fn read(bytes: &[u8], own_name: &str) -> Result<Option<Request>, Denied> {
    read_for(bytes, own_name, &[])
}

/// The same in a room that other machines have hosted before. Their pages, of which these are
/// the origins, may go on here.
///
/// # Errors
/// As [`read`].
pub fn read_for(
    bytes: &[u8],
    own_name: &str,
    former: &[String],
) -> Result<Option<Request>, Denied> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Denied::TooLong),
        Err(_) => return Err(Denied::Malformed),
    };
    let fields = Fields(request.headers);
    let host = fields.one("Host")?.ok_or(Denied::Malformed)?;
    if !is_own_host(host, own_name)? {
        return Err(Denied::ForeignHost);
    }
    let method = request.method.unwrap_or_default();
    let has_body = fields.has("Transfer-Encoding") || fields.has("Content-Length");
    if has_body || !matches!(method, "GET" | "HEAD") {
        return Err(Denied::NotAllowed);
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let resource = match path {
        "/" => Resource::Page,
        "/about" => Resource::About,
        "/icon.svg" => Resource::Icon,
        "/code.svg" => Resource::Code,
        "/room" if method == "GET" => Resource::Room(websocket_key(&fields, host, former)?),
        "/room" => return Err(Denied::UpgradeRequired),
        _ => return Err(Denied::NotFound),
    };
    Ok(Some(Request { resource, host: host.into(), head_only: method == "HEAD", length }))
}

/// The fields of a request.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of a field that must not stand there twice: two programs could read two
    /// different requests.
    fn one(&self, name: &str) -> Result<Option<&'a str>, Denied> {
        let mut values = self.all(name);
        let value = values.next().map(str::from_utf8).transpose();
        match (value, values.next()) {
            (Ok(value), None) => Ok(value.map(str::trim)),
            _ => Err(Denied::Malformed),
        }
    }

    /// Whether the list in a field has this word.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|list| {
            list.split(|&byte| byte == b',')
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }
}

/// The key of a proper request for a WebSocket from our own page, or from a program that
/// is no browser.
fn websocket_key(fields: &Fields<'_>, host: &str, former: &[String]) -> Result<String, Denied> {
    // Every browser names the origin of the page. What it says of the site is older news,
    // and counts only where the origin is missing.
    let own = match (fields.one("Origin")?, fields.one("Sec-Fetch-Site")?) {
        (Some(origin), _) => {
            origin.strip_prefix("http://").is_some_and(|own| own.eq_ignore_ascii_case(host))
                || former.iter().any(|former| former == origin)
        }
        (None, site) => site.is_none_or(|site| site == "same-origin"),
    };
    if !own {
        return Err(Denied::ForeignOrigin);
    }
    let upgrades = fields.lists("Connection", "upgrade") && fields.lists("Upgrade", "websocket");
    if !upgrades || fields.one("Sec-WebSocket-Version")? != Some("13") {
        return Err(Denied::UpgradeRequired);
    }
    let key = fields.one("Sec-WebSocket-Key")?.ok_or(Denied::Malformed)?;
    match BASE64_STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(key.into()),
        _ => Err(Denied::Malformed),
    }
}

/// Whether a `Host` can only mean this machine: an address, a name that cannot be
/// registered on the internet, or the machine's own name. With any other name a page of a
/// stranger could make its own name lead here and would count as ours (DNS rebinding).
fn is_own_host(host: &str, own_name: &str) -> Result<bool, Denied> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(Denied::Malformed)?;
            address.parse::<Ipv6Addr>().map_err(|_| Denied::Malformed)?;
            ("localhost", port)
        }
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port_is_fine = match port.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !port_is_fine || name.is_empty() || !name.bytes().all(proper) {
        return Err(Denied::Malformed);
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Ok(true);
    }
    // Browsers read what ends in a number as an address, so it is none that we know.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.is_empty() || last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Ok(false);
    }
    let local = [".local", ".lan", ".internal", ".home.arpa"];
    let own_name = own_name.to_ascii_lowercase();
    Ok(!name.contains('.') || local.iter().any(|end| name.ends_with(end)) || name == own_name)
}

/// The fields of every answer but that for a WebSocket: what the page may load, and that
/// no other page may use what is here.
fn protection(host: &str, moves: bool) -> String {
    // `connect-src 'self'` does not cover `ws:` in older versions of Safari.
    let host = if moves { "" } else { host };
    let sockets = if moves { "ws:" } else { "ws://" };
    format!(
        "Content-Security-Policy: default-src 'none'; script-src 'sha256-{}'; \
         style-src 'sha256-{}'; img-src 'self'; connect-src 'self' {sockets}{host}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
         X-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\n\
         Referrer-Policy: no-referrer\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Cache-Control: no-cache\r\n\
         Connection: close\r\n",
        page::SCRIPT_SHA256,
        page::STYLE_SHA256,
    )
}

/// The answer to a request, with a body of this media type. A page that `moves` may go on at
/// another machine, when the one that served it is gone.
pub fn answer(request: &Request, media_type: &str, body: &str, moves: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n{}\r\n",
        body.len(),
        protection(&request.host, moves),
    );
    let body = if request.head_only { "" } else { body };
    [head.as_bytes(), body.as_bytes()].concat()
}

/// The answer to a request that is denied.
pub fn deny(denied: Denied) -> Vec<u8> {
    let (status, sentence) = denied.words();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n{}{}\r\n{sentence}\n",
        sentence.len() + 1,
        denied.fields(),
        protection("localhost", false),
    )
    .into_bytes()
}

/// The answer that turns a connection into a WebSocket (RFC 6455, section 4.2.2).
pub fn switch_protocols(key: &str) -> Vec<u8> {
    let proof = Sha1::from(format!("{key}{WEBSOCKET_GUID}")).digest().bytes();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        BASE64_STANDARD.encode(proof),
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn get(path: &str, fields: &str) -> Result<Resource, Denied> {
        let text = format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.1:9080\r\n{fields}\r\n");
        read(text.as_bytes(), "").map(|request| request.expect("it is whole").resource)
    }

    #[test]
    fn pages_of_former_hosts_go_on_here() {
        let former = ["http://10.0.0.2:9080".to_string(), "http://[fd77::2]:9080".to_string()];
        let asks = |origin: &str, former: &[String]| {
            let head = "GET /room HTTP/1.1\r\nHost: 10.0.0.1:9080\r\n";
            let text = format!("{head}Origin: {origin}\r\n{SOCKET}\r\n");
            read_for(text.as_bytes(), "", former).map(|request| request.is_some())
        };
        for origin in ["http://10.0.0.1:9080", &former[0], &former[1]] {
            assert_eq!(asks(origin, &former), Ok(true), "{origin}");
        }
        for origin in ["http://10.0.0.2", "https://10.0.0.2:9080", "http://10.0.0.2:90801", "null"]
        {
            assert_eq!(asks(origin, &former), Err(Denied::ForeignOrigin), "{origin}");
        }
        assert_eq!(asks(&former[0], &[]), Err(Denied::ForeignOrigin));
    }

    #[test]
    fn only_the_page_of_a_hosted_room_connects_elsewhere() {
        assert!(protection("10.0.0.1:9080", false).contains("'self' ws://10.0.0.1:9080;"));
        assert!(protection("10.0.0.1:9080", true).contains("connect-src 'self' ws:;"));
    }

    #[test]
    fn host_must_mean_this_machine() {
        use Denied::Malformed;
        for (host, own) in [
            ("192.168.1.100:9080", Ok(true)),
            ("192.168.1.100", Ok(true)),
            ("[fd77::1]:9080", Ok(true)),
            ("[::1]", Ok(true)),
            ("localhost:9080", Ok(true)),
            ("pedro-laptop:9080", Ok(true)),
            ("pedro.local:9080", Ok(true)),
            ("PEDRO.Local.:9080", Ok(true)),
            ("lab.school.example:9080", Ok(true)),
            ("evil.example:9080", Ok(false)),
            ("127.0.0.1.evil.example", Ok(false)),
            ("192.168.1.100.evil.example:9080", Ok(false)),
            ("2130706433", Ok(false)),
            ("127.1", Ok(false)),
            ("0x7f.1", Ok(false)),
            ("evil.local.", Ok(true)),
            ("evil.local.example", Ok(false)),
            ("evillocal.example", Ok(false)),
            ("local", Ok(true)),
            ("..", Ok(false)),
            ("evil.example:9080@192.168.1.1", Err(Malformed)),
            ("192.168.1.1@evil.example", Err(Malformed)),
            ("", Err(Malformed)),
            (":9080", Err(Malformed)),
            ("[fd77::1", Err(Malformed)),
            ("[evil.example]:9080", Err(Malformed)),
            ("[::1].evil.example", Err(Malformed)),
            ("a b", Err(Malformed)),
            ("192.168.1.100:x", Err(Malformed)),
            ("192.168.1.100:+80", Err(Malformed)),
            ("192.168.1.100:99999", Err(Malformed)),
        ] {
            assert_eq!(is_own_host(host, "Lab.School.example"), own, "{host}");
        }
    }

    #[test]
    fn only_own_page_gets_a_websocket() {
        let key = Resource::Room("dGhlIHNhbXBsZSBub25jZQ==".into());
        let with = |fields: &str| get("/room", &format!("{SOCKET}{fields}"));
        assert_eq!(with(""), Ok(key.clone()), "a program that is no browser");
        assert_eq!(with("Origin: http://10.0.0.1:9080\r\n"), Ok(key.clone()));
        assert_eq!(with("Sec-Fetch-Site: same-origin\r\n"), Ok(key));
        for foreign in [
            "Origin: http://10.0.0.1:9081\r\n",
            "Origin: http://10.0.0.1\r\n",
            "Origin: https://10.0.0.1:9080\r\n",
            "Origin: http://evil.example\r\n",
            "Origin: http://10.0.0.1:9080.evil.example\r\n",
            "Origin: null\r\n",
            "Origin:\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Sec-Fetch-Site: none\r\n",
        ] {
            assert_eq!(with(foreign), Err(Denied::ForeignOrigin), "{foreign}");
        }
        let twice = "Origin: http://10.0.0.1:9080\r\nOrigin: null\r\n";
        assert_eq!(with(twice), Err(Denied::Malformed));
        assert_eq!(with("Host: 10.0.0.1:9080\r\n"), Err(Denied::Malformed));
        assert_eq!(get("/room", ""), Err(Denied::UpgradeRequired));
        assert_eq!(get("/room", &SOCKET.replace("13", "8")), Err(Denied::UpgradeRequired));
        assert_eq!(
            get("/room", &SOCKET.replace("Upgrade\r", "close\r")),
            Err(Denied::UpgradeRequired)
        );
        assert_eq!(get("/room", &SOCKET.replace("dGhl", "")), Err(Denied::Malformed));
        assert_eq!(get("/room", &SOCKET.replace("==", "")), Err(Denied::Malformed));
    }

    #[test]
    fn key_is_hashed_as_in_the_rfc() {
        let answer = String::from_utf8(switch_protocols("dGhlIHNhbXBsZSBub25jZQ==")).unwrap();
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }

    #[test]
    fn nothing_else_is_answered() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "b".repeat(MAX_HEAD));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
        let endless = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(MAX_HEAD));
        for (request, denied) in [
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", Denied::NotAllowed),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", Denied::NotAllowed),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Denied::NotAllowed),
            ("DELETE /room HTTP/1.1\r\nHost: a\r\n\r\n", Denied::NotAllowed),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Denied::NotAllowed),
            ("HEAD /room HTTP/1.1\r\nHost: a\r\n\r\n", Denied::UpgradeRequired),
            ("GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", Denied::NotFound),
            ("GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", Denied::NotFound),
            ("GET //evil.example HTTP/1.1\r\nHost: a\r\n\r\n", Denied::NotFound),
            ("GET / HTTP/1.1\r\n\r\n", Denied::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Denied::Malformed),
            ("GET / HTTP/1.1\r\nHost: \u{fffd}\r\n\r\n", Denied::Malformed),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", Denied::ForeignHost),
            ("GET /\r\n\r\n", Denied::Malformed),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Denied::Malformed),
            ("\x16\x03\x01\x02\x00", Denied::Malformed),
            ("NICK ana\r\nMSG olá\r\n\r\n", Denied::Malformed),
            (&long, Denied::TooLong),
            (&many, Denied::TooLong),
            (&endless, Denied::TooLong),
        ] {
            assert_eq!(read(request.as_bytes(), "").unwrap_err(), denied, "{request}");
        }
    }

    #[test]
    fn request_is_read_when_it_is_whole() {
        let whole = "GET /?a=/room HTTP/1.1\r\nHost: 10.0.0.1\r\nX: y\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole.as_bytes()[..end], ""), Ok(None));
        }
        let request = read(format!("{whole}more").as_bytes(), "").unwrap().unwrap();
        assert_eq!((request.resource, request.length), (Resource::Page, whole.len()));
    }

    #[test]
    fn answer_to_head_has_no_body() {
        let head = "HEAD / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";
        let request = read(head.as_bytes(), "").unwrap().unwrap();
        let answer = String::from_utf8(answer(&request, "text/html", "<p>", false)).unwrap();
        assert!(answer.contains("\r\nContent-Length: 3\r\n") && answer.ends_with("\r\n\r\n"));
        assert!(answer.contains("connect-src 'self' ws://10.0.0.1;"));
    }
}
