//! The framing against every cut of every stream, and against the cases of the Autobahn
//! test suite for servers, which expects each message back.

use super::*;

/// A socket that takes `size` bytes at a time and refuses every other call.
struct Narrow {
    taken: Vec<u8>,
    size: usize,
    calls: usize,
}

impl Narrow {
    fn new(size: usize) -> Narrow {
        Narrow { taken: Vec::new(), size, calls: 0 }
    }
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(2) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = self.taken.len();
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        self.taken.extend(bytes.take(self.size));
        Ok(self.taken.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The messages and control frames in a stream that a server sends.
fn messages(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut all, mut message) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        assert_eq!(bytes[1] & MASKED, 0, "a server never masks");
        let (header, length) = match bytes[1] {
            126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            127 => (10, u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize),
            length => (2, usize::from(length)),
        };
        let (first, payload) = (bytes[0], &bytes[header..header + length]);
        bytes = &bytes[header + length..];
        if first & CONTROL != 0 {
            all.push((first & 0x0F, payload.to_vec()));
            continue;
        }
        let expected = if message.is_empty() { TEXT } else { CONTINUATION };
        assert_eq!(first & 0x0F, expected, "the opcode of a frame");
        message.extend_from_slice(payload);
        if first & FIN != 0 {
            all.push((TEXT, std::mem::take(&mut message)));
        }
    }
    assert!(message.is_empty(), "the last message ends");
    all
}

/// A frame as a browser sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 250];
    let mut frame = vec![first];
    match payload.len() {
        length @ ..=125 => frame.push(MASKED | length as u8),
        length @ ..=0xFFFF => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// The view of a reader on a stream in pieces of `size` bytes.
fn read(stream: &[u8], size: usize) -> (Vec<u8>, Vec<Control>) {
    let (mut reader, mut lines, mut controls) = (FrameReader::default(), Vec::new(), Vec::new());
    for piece in stream.chunks(size) {
        let mut buffer = [&b" "[..], piece].concat();
        let (length, control) = reader.decode(&mut buffer);
        lines.extend_from_slice(&buffer[..length]);
        controls.extend(control);
    }
    (lines, controls)
}

#[test]
fn browser_reads_whole_lines_from_a_narrow_socket() {
    let text = "FROM ana [all]: olá\n".repeat(9000);
    for size in [1, 2, 3, 5, 100, 4096, 1 << 20] {
        let (mut socket, mut writer) = (Narrow::new(size), FrameWriter::default());
        let (mut at, mut given, mut pings) = (0, 1, 0);
        while at < text.len() {
            // The room gives batches that can end anywhere.
            given = (given * 3 + 7) % 70_000 + 1;
            let end = (at + given.max(writer.missing)).min(text.len());
            if pings < 3 {
                pings += 1;
                writer.pong(b"hi");
            }
            at += writer.write(&mut socket, &text.as_bytes()[at..end]).unwrap_or(0);
        }
        writer.close(CloseCode::NORMAL);
        while writer.has_pending() {
            writer.write(&mut socket, b"").ok();
        }
        assert_eq!(writer.write(&mut socket, b"late\n").unwrap(), 5, "nothing follows");
        let all = messages(&socket.taken);
        let lines: Vec<u8> = all
            .iter()
            .filter(|(kind, _)| *kind == TEXT)
            .flat_map(|(_, text)| text.clone())
            .collect();
        assert_eq!(String::from_utf8(lines).unwrap(), text, "{size} bytes at a time");
        for (kind, payload) in &all {
            match *kind {
                TEXT => assert!(payload.ends_with(b"\n"), "a message is whole lines"),
                PONG => assert_eq!(payload, b"hi"),
                CLOSE => assert_eq!(payload, &[3, 232]),
                kind => panic!("an opcode {kind}"),
            }
        }
        assert_eq!(all.last().unwrap().0, CLOSE);
        assert!(all.iter().any(|(kind, _)| *kind == PONG));
    }
}

#[test]
fn unread_pings_cost_no_memory() {
    let mut writer = FrameWriter::default();
    for number in 0..60_000_u32 {
        writer.pong(&number.to_be_bytes());
    }
    let mut socket = Narrow::new(1 << 20);
    writer.write(&mut socket, b"").unwrap();
    assert_eq!(messages(&socket.taken), [(PONG, 59_999_u32.to_be_bytes().to_vec())]);
}

#[test]
fn lines_do_not_depend_on_how_the_frames_were_cut() {
    let long = "MSG ".to_string() + &"á".repeat(1000);
    let stream: Vec<u8> = [
        masked(FIN | TEXT, b"NICK ana"),
        masked(TEXT, b"MSG o"),
        masked(FIN | PING, b"ping"),
        masked(CONTINUATION, "lá".as_bytes()[..2].as_ref()),
        masked(FIN | CONTINUATION, &"lá".as_bytes()[2..]),
        masked(FIN | BINARY, long.as_bytes()),
        masked(FIN | PONG, b"nobody asked"),
        masked(FIN | TEXT, b""),
        masked(FIN | TEXT, b"WHO\nQUIT\n"),
        masked(FIN | CLOSE, &[3, 232]),
        masked(FIN | TEXT, b"MSG ghost"),
    ]
    .concat();
    let expected = format!("NICK ana\nMSG olá\n{long}\n\nWHO\nQUIT\n\n");
    for size in 1..=stream.len() {
        let (lines, controls) = read(&stream, size);
        assert_eq!(String::from_utf8(lines).unwrap(), expected, "in pieces of {size}");
        assert_eq!(controls.last(), Some(&Control::Close(CloseCode::NORMAL)));
        assert!(size > 60 || controls[0] == Control::Pong((*b"ping").into()));
    }
}

#[test]
fn frame_of_an_exabyte_is_only_counted() {
    let mut stream = vec![FIN | TEXT, MASKED | 127];
    stream.extend_from_slice(&(1_u64 << 60).to_be_bytes());
    stream.extend_from_slice(&[0; 4]);
    stream.extend_from_slice(&[b'a'; 1000]);
    let (lines, controls) = read(&stream, 100);
    assert_eq!((lines.len(), controls), (1000, vec![]));
    assert!(size_of::<FrameReader>() <= 96 && size_of::<FrameWriter>() <= 80);
}

/// The suite's expectation of a server: the messages come back, then the connection goes on
/// or ends with this code.
type Expected<'a> = (&'a [&'a [u8]], Option<u16>);

#[track_caller]
fn case(name: &str, frames: &[Vec<u8>], (messages, code): Expected<'_>) {
    let stream = frames.concat();
    for size in [1, 2, 3, 7, 64, stream.len().max(1)] {
        let (lines, controls) = read(&stream, size);
        let expected: Vec<u8> =
            messages.iter().flat_map(|text| [text, &b"\n"[..]].concat()).collect();
        if code.is_none_or(|code| code == 1000) {
            assert_eq!(lines, expected, "{name}, in pieces of {size}");
        } else {
            assert!(lines.starts_with(&expected), "{name}, in pieces of {size}");
        }
        let closes = controls.iter().filter_map(|control| match control {
            Control::Close(CloseCode(code)) => Some(*code),
            Control::Pong(_) => None,
        });
        assert_eq!(closes.collect::<Vec<u16>>(), code.into_iter().collect::<Vec<u16>>(), "{name}");
    }
}

#[test]
fn autobahn_cases_1_messages_of_all_lengths() {
    for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let text = vec![b'*'; length];
        for opcode in [TEXT, BINARY] {
            case(&format!("1.x, {length}"), &[masked(FIN | opcode, &text)], (&[&text], None));
        }
    }
}

#[test]
fn autobahn_cases_2_pings_and_pongs() {
    let ping = |payload: &[u8]| read(&masked(FIN | PING, payload), 1 << 20).1;
    for payload in [&b""[..], b"Hello, world!", &[0x00, 0xFF, 0xFE, 0xFD], &[0xFE; 125]] {
        assert_eq!(ping(payload), [Control::Pong(payload.into())]);
    }
    case("2.5", &[masked(FIN | PING, &[0xFE; 126])], (&[], Some(1002)));
    let ten: Vec<Vec<u8>> = (0..10).map(|n| masked(FIN | PING, &[n])).collect();
    assert_eq!(read(&ten.concat(), 1).1.len(), 10, "2.10: each ping that comes alone");
    case("2.7 to 2.9", &[masked(FIN | PONG, b""), masked(FIN | PONG, b"unsolicited")], (&[], None));
}

#[test]
fn autobahn_cases_3_and_4_reserved_bits_and_opcodes() {
    for bits in 1..8_u8 {
        let frames = [masked(FIN | TEXT, b"hello"), masked(FIN | bits << 4 | TEXT, b"x")];
        case(&format!("3.{bits}"), &frames, (&[b"hello"], Some(1002)));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let frames = [masked(FIN | TEXT, b"hello"), masked(FIN | opcode, b"x")];
        case(&format!("4.x, {opcode}"), &frames, (&[b"hello"], Some(1002)));
    }
    let bare = [&[FIN | TEXT, 1][..], b"x"].concat();
    case("a frame without a mask", &[bare], (&[], Some(1002)));
}

#[test]
fn autobahn_cases_5_fragments() {
    let (first, more, last) = (masked(TEXT, b"one"), masked(0, b"two"), masked(FIN, b"three"));
    let ping = masked(FIN | PING, b"p");
    let bad: Expected<'_> = (&[], Some(1002));
    case("5.1", &[masked(PING, b"x"), masked(FIN, b"y")], bad);
    case("5.2", &[masked(PONG, b"x"), masked(FIN, b"y")], bad);
    case("5.3", &[first.clone(), last.clone()], (&[b"onethree"], None));
    case("5.6", &[first.clone(), ping.clone(), last.clone()], (&[b"onethree"], None));
    case("5.9", &[more.clone(), masked(FIN | TEXT, b"x")], bad);
    case("5.12", &[masked(FIN, b"x")], bad);
    case("5.15", &[first.clone(), last.clone(), more.clone()], (&[b"onethree"], Some(1002)));
    case("5.18", &[first.clone(), masked(FIN | TEXT, b"x")], bad);
    let many = [&first, &more, &ping, &more, &ping, &last].map(Clone::clone);
    case("5.19", &many, (&[b"onetwotwothree"], None));
}

#[test]
fn autobahn_cases_6_utf_8() {
    let text = |bytes: &[u8]| [masked(FIN | TEXT, bytes)];
    for valid in ["", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u{10FFFF}", "\u{FFFD}\u{FFFF}", "\0"]
    {
        case(valid, &text(valid.as_bytes()), (&[valid.as_bytes()], None));
        let bytes: Vec<Vec<u8>> = valid.bytes().map(|byte| masked(0, &[byte])).collect();
        let pieces = [vec![masked(TEXT, b"")], bytes, vec![masked(FIN, b"")]].concat();
        case(valid, &pieces, (&[valid.as_bytes()], None));
    }
    for invalid in [
        &b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xED\xA0\x80edited"[..], // A surrogate.
        b"\xF4\x90\x80\x80",                                    // Beyond the last character.
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xF8\x88\x80\x80\x80",
        b"\x80",
        b"\xFE",
        b"\xCE",
        b"\xE1\xBD",
        b"\xF0\x90\x80",
    ] {
        case(&format!("{invalid:x?}"), &text(invalid), (&[], Some(1007)));
        let (start, rest) = invalid.split_at(invalid.len() / 2);
        case("6.3", &[masked(TEXT, start), masked(FIN, rest)], (&[], Some(1007)));
    }
}

#[test]
fn autobahn_cases_7_closing() {
    let close = |payload: &[u8]| masked(FIN | CLOSE, payload);
    let code = |code: u16, reason: &[u8]| close(&[&code.to_be_bytes(), reason].concat());
    let hello = masked(FIN | TEXT, b"Hello World!");
    case("7.1.1", &[hello.clone(), code(1000, b"")], (&[b"Hello World!"], Some(1000)));
    case("7.1.2", &[code(1000, b""), code(1000, b"")], (&[], Some(1000)));
    case("7.1.3", &[code(1000, b""), masked(FIN | PING, b"x")], (&[], Some(1000)));
    case("7.1.4", &[code(1000, b""), hello.clone()], (&[], Some(1000)));
    case("7.1.5", &[masked(TEXT, b""), code(1000, b""), masked(FIN, b"x")], (&[], Some(1000)));
    case("7.3.1", &[close(b"")], (&[], Some(1005)));
    case("7.3.2", &[close(b"a")], (&[], Some(1002)));
    case("7.3.4", &[code(1000, b"Hello World!")], (&[], Some(1000)));
    case("7.3.5", &[code(1000, &[b'*'; 123])], (&[], Some(1000)));
    case("7.3.6", &[code(1000, &[b'*'; 124])], (&[], Some(1002)));
    case("7.5.1", &[code(1000, b"\xCE\xBA\xED\xA0\x80")], (&[], Some(1007)));
    for good in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        case("7.7", &[code(good, b"")], (&[], Some(good)));
    }
    for bad in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535] {
        case("7.9", &[code(bad, b"")], (&[], Some(1002)));
    }
}

#[test]
fn autobahn_cases_9_and_10_large_and_many_messages() {
    for length in [64 << 10, 256 << 10, 1 << 20] {
        let text = vec![b'*'; length];
        for opcode in [TEXT, BINARY] {
            let whole = masked(FIN | opcode, &text);
            for chop in [64, 128, 256, 512, 1024, 2048, 1 << 16] {
                let (lines, controls) = read(&whole, chop);
                assert!(lines.len() == length + 1 && controls.is_empty(), "9.1 to 9.6, {length}");
            }
        }
    }
    let text = vec![b'*'; 256 << 10];
    for size in [64, 256, 1 << 10, 1300, 4 << 10, 16 << 10, 64 << 10] {
        let pieces = text.chunks(size).enumerate();
        let mut frames: Vec<Vec<u8>> =
            pieces.map(|(n, piece)| masked(if n == 0 { TEXT } else { 0 }, piece)).collect();
        frames.push(masked(FIN, b""));
        let (lines, controls) = read(&frames.concat(), 4096);
        assert!(lines.len() == text.len() + 1 && controls.is_empty(), "9.3, 9.4, 10.1: {size}");
    }
    for length in [0, 16, 64, 256, 1024, 4096] {
        let many = masked(FIN | TEXT, &vec![b'*'; length]).repeat(1000);
        let (lines, controls) = read(&many, 2048);
        assert!(lines.len() == 1000 * (length + 1) && controls.is_empty(), "9.7, 9.8: {length}");
    }
}

#[test]
fn close_without_a_code_is_answered_without_one() {
    let (mut writer, mut socket) = (FrameWriter::default(), Narrow::new(100));
    writer.close(CloseCode::NONE);
    writer.write(&mut socket, b"").unwrap();
    assert_eq!(messages(&socket.taken), [(CLOSE, vec![])]);
}
