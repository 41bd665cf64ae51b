//! Another protocol's first bytes, from a client that was not meant for this server.
//!
//! A web page can make any browser on the network send bytes of the page's choice to
//! this port, behind an HTTP request line. The server must stop there, because the
//! lines that follow look like commands.

/// How many bytes of a line's beginning are kept, enough for the longest of [`HEADS`].
const HEAD: usize = 24;
/// How many bytes at the end of a line's last word are kept, enough for a version.
const TAIL: usize = 12;
/// Behind a control, a NUL among the first bytes of a line is a binary protocol's number.
const BINARY: usize = 8;
/// STUN, which a web page can make a browser send by TCP, has these bytes in its head.
const STUN: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Where they end at most: behind the length that some write before the head.
const STUN_END: usize = 10;

/// Protocols that write their name and version at the end of a request line.
const VERSIONS: [&[u8]; 4] = [b"HTTP/", b"RTSP/", b"SIP/", b"ICAP/"];

/// How clients of other protocols begin a line, in any ASCII case.
const HEADS: [&[u8]; 32] = [
    b"SSH-",
    b"RFB 0",
    b"PRI * ",
    b"EHLO ",
    b"HELO ",
    b"LHLO ",
    b"CAP LS",
    b"CONNECT {",
    b"PROXY TCP",
    b"PROXY UNKNOWN",
    b"@RSYNCD:",
    b"<?xml",
    b"<stream:",
    b"<policy-file-request",
    b"AMQP\0",
    b"\x13BitTorrent",
    // TLS before any line feed, and SOCKS, versions 4 and 5.
    b"\x16\x03",
    b"\x04\x01",
    b"\x04\x02",
    b"\x05\x01",
    b"\x05\x02",
    b"\x05\x03",
    // The headers that browsers send, in case that a request line was not known as one.
    b"Host:",
    b"User-Agent:",
    b"Accept:",
    b"Accept-",
    b"Content-",
    b"Connection:",
    b"Transfer-Encoding:",
    b"Origin:",
    b"Referer:",
    b"Cookie:",
];

/// Looks at all bytes of a guest, and knows another protocol by its first line.
///
/// It keeps the beginning and the last word of one line, whatever the line's length.
#[derive(Debug, Default)]
pub struct ForeignWatch {
    head: [u8; HEAD],
    /// The length of the line so far, in bytes.
    length: usize,
    /// The end of the last word.
    tail: [u8; TAIL],
    /// A blank or a control follows the last word.
    word_ended: bool,
}

impl ForeignWatch {
    /// Whether another protocol begins in these bytes, which follow those before.
    ///
    /// The answer does not depend on how the bytes were cut.
    pub fn detects(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().any(|&byte| self.push(byte))
    }

    /// Whether this line, without its end, opens another protocol.
    pub fn detects_line(line: &[u8]) -> bool {
        let mut watch = ForeignWatch::default();
        watch.detects(line) || watch.detects(b"\n")
    }

    fn push(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            let foreign = self.is_request_line() || self.is_redis_array();
            *self = ForeignWatch::default();
            return foreign;
        }
        let after_return = self.length > 0 && self.head[self.length.min(HEAD) - 1] == b'\r';
        if self.length < HEAD {
            self.head[self.length] = byte;
        }
        self.length = self.length.saturating_add(1);
        if byte <= b' ' {
            self.word_ended = true;
        } else {
            if self.word_ended {
                (self.tail, self.word_ended) = ([0; TAIL], false);
            }
            self.tail.rotate_left(1);
            self.tail[TAIL - 1] = byte;
        }
        // telnet writes CR NUL for a return that ends no line.
        let behind_control = self.length > 1 && self.head[0] < b' ' && !after_return;
        let is_number = byte == 0 && behind_control && self.length <= BINARY;
        let is_head = self.length <= HEAD && HEADS.iter().any(|head| self.has_just_become(head));
        is_number || is_head || self.is_stun()
    }

    /// Whether the line so far is this beginning, in any ASCII case.
    fn has_just_become(&self, head: &[u8]) -> bool {
        self.length == head.len() && self.head[..self.length].eq_ignore_ascii_case(head)
    }

    /// `POST /path HTTP/1.1`, also if bytes that were dropped as telnet's stood before the
    /// version.
    fn is_request_line(&self) -> bool {
        VERSIONS.iter().any(|version| {
            self.tail.windows(version.len() + 1).any(|bytes| {
                let (name, number) = bytes.split_at(version.len());
                name.eq_ignore_ascii_case(version) && number[0].is_ascii_digit()
            })
        })
    }

    fn is_stun(&self) -> bool {
        self.length <= STUN_END && self.head[..self.length].ends_with(&STUN)
    }

    /// `*1`, the first line of any request to Redis.
    fn is_redis_array(&self) -> bool {
        let Some(line) = self.head.get(..self.length) else { return false };
        match line.trim_ascii_end() {
            [b'*', count @ ..] => !count.is_empty() && count.iter().all(u8::is_ascii_digit),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the stream is foreign, however it is cut; the answer comes by its end.
    #[track_caller]
    fn detects(stream: &[u8]) -> bool {
        let whole = ForeignWatch::default().detects(stream);
        for size in 1..stream.len().min(64) {
            let mut watch = ForeignWatch::default();
            let cut = stream.chunks(size).any(|piece| watch.detects(piece));
            let shown = stream.escape_ascii();
            assert_eq!(cut, whole, "{shown} in pieces of {size}");
        }
        whole
    }

    #[test]
    fn request_line_is_foreign_with_any_method_and_path() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(10_000));
        for line in [
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.0\n",
            "OPTIONS * HTTP/1.1\r\n",
            "NICK / HTTP/1.1\r\n",
            "MSG / HTTP/1.1\r\n",
            "WHO / HTTP/1.1\r\n",
            "QUIT / HTTP/1.1\r\n",
            "post / http/1.1\r\n",
            "GET\t/\tHTTP/1.1\r\n",
            "GET / HTTP/1.1 \t\r\r\n",
            "GET / HTTP/2\r\n",
            "\nPOST / HTTP/1.1\r\n",
            "\r\n\r\nPOST / HTTP/1.1\r\n",
            "HELLO\nPOST / HTTP/1.1\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "DESCRIBE rtsp://10.0.0.1/ RTSP/1.0\r\n",
            "REGISTER sip:10.0.0.1 SIP/2.0\r\n",
            long.as_str(),
        ] {
            assert!(detects(line.as_bytes()), "{line:?}");
        }
        assert!(detects(b"POST /\xE9\xFF HTTP/1.1\r\n"));
        // telnet's DONT took the blank.
        assert!(detects(b"POST /HTTP/1.1\r\n"));
    }

    #[test]
    fn opening_of_another_protocol_is_foreign() {
        for opening in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"[..],
            b"\x16\x03",
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            b"EHLO x\r\n",
            b"helo x\r\n",
            b"*1\r\n$4\r\nPING\r\n",
            b"*12\n",
            b"\x05\x01\x00",
            b"\x05\x02\x00\x02",
            b"\x04\x01\x23\x28\x0A\x00\x00\x01\x00",
            b"RFB 003.008\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
            b"\x00\x03\x00\x08\x21\x12\xA4\x42",
            b"\x03\x00\x00\x13\x0E\xE0",
            b"\x10\x20\x00\x04MQTT",
            b"\x00\x00\x00\x54\xFFSMB",
            b"\x01\x01\x01\x10\x21\x12\xA4\x42",
            b"\x01\x60\x01\x01\x01\x4C\x21\x12\xA4\x42",
            b"AMQP\x00\x00\x09\x01",
            b"\x13BitTorrent protocol",
            b"CAP LS 302\r\n",
            b"<?xml version='1.0'?>",
            b"CONNECT {\"verbose\":false}\r\n",
            b"Host: 192.168.1.100:9000\r\n",
            b"content-length: 20\r\n",
        ] {
            assert!(detects(opening), "{}", opening.escape_ascii());
        }
    }

    #[test]
    fn typed_line_is_not_foreign() {
        for line in [
            "NICK ana\r\n",
            "NICK\r\nNICK ana maria\nHELLO\nHELP\nGET /\nhttp\n/who\n",
            "MSG I like HTTP/1.1, mostly\n",
            "MSG HTTP/\n",
            "MSG what is HTTP/x\n",
            "HELO\nSSH\n*\n*a\n**1\nhost\nhosting: 3\n",
            "\u{3}\u{4}NICK ana\r\n",
            "\x08\x1B[ANICK ana\n",
            "NICK ana\r\0\n",
            "\r\0NICK ana\n",
            "\0\nWHO\0\nNICK a\0b\n",
            "",
            "\n\n\n",
        ] {
            assert!(!detects(line.as_bytes()), "{line:?}");
        }
    }
}
