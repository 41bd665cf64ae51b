use std::io::ErrorKind::{InvalidData, WouldBlock};

use super::*;
use crate::secure::handshake::tests::identity;
use crate::secure::{Hello, answer};

/// Both sides of a channel: the server's and the client's.
fn pair() -> (Channel, Channel) {
    let (hello, line) = Hello::new();
    let (line, server) = answer(&line, &identity()).unwrap();
    (server, hello.finish(&line).unwrap().0)
}

/// A socket that takes a number of bytes, and then no more for now.
struct Full<'a>(&'a mut Vec<u8>, usize);

impl Write for Full<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.1);
        if taken == 0 {
            return Err(WouldBlock.into());
        }
        self.0.extend_from_slice(&bytes[..taken]);
        self.1 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket that has some bytes, and then none for now.
struct Empty<'a>(&'a [u8]);

impl Read for Empty<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

fn sealed(channel: &mut Channel, bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    assert_eq!(channel.send(&mut wire, bytes, &mut [0; SEALED]).unwrap(), bytes.len());
    wire
}

/// All that a channel opens of some bytes, which arrive in pieces of so many.
fn opened(channel: &mut Channel, wire: &[u8], piece: usize) -> Result<Vec<u8>, io::ErrorKind> {
    let mut heard = Vec::new();
    for piece in wire.chunks(piece) {
        let mut socket = Empty(piece);
        loop {
            let mut buffer = [0; MAX_OF_SERVER];
            match channel.receive(&mut socket, &mut buffer, &mut [0; SEALED]) {
                Ok(received) => heard.extend_from_slice(&buffer[..received.length]),
                Err(err) if err.kind() == WouldBlock => break,
                Err(err) => return Err(err.kind()),
            }
        }
    }
    Ok(heard)
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn records_do_not_depend_on_cuts() {
    for (length, piece) in [(1, 1), (4096, 1), (4097, 3), (16384, 1000), (40_000, 17), (40_000, 1)]
    {
        let (mut server, mut client) = pair();
        let said = text(length);
        let wire = sealed(&mut server, &said);
        assert_eq!(opened(&mut client, &wire, piece).as_deref(), Ok(&said[..]));
        let wire = sealed(&mut client, &said);
        assert_eq!(opened(&mut server, &wire, piece).as_deref(), Ok(&said[..]));
        assert!(server.partial.capacity() == 0 && client.pending.capacity() == 0);
    }
}

#[test]
fn socket_that_takes_little_gets_every_byte_once() {
    let mut random = fastrand::Rng::with_seed(20);
    for _ in 0..30 {
        let (mut server, mut client) = pair();
        let said = text(random.usize(1..150_000));
        let (mut wire, mut heard, mut rest) = (Vec::new(), Vec::new(), &said[..]);
        while !rest.is_empty() {
            // As the room does: what was not taken comes again, and more behind it.
            let offered = &rest[..rest.len().min(random.usize(33_000..60_000))];
            let room = random.usize(0..50_000);
            // Several records may share a write.
            let mut buffer = vec![0; SEALED * random.usize(1..3)];
            match server.send(Full(&mut wire, room), offered, &mut buffer) {
                Ok(sent) => rest = &rest[sent..],
                Err(err) => assert_eq!(err.kind(), WouldBlock),
            }
            heard.extend(opened(&mut client, &wire, random.usize(1..5000)).unwrap());
            wire.clear();
        }
        assert!(heard == said && !server.has_pending());
    }
}

#[test]
fn empty_send_flushes_a_record_and_counts_nothing() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    let sent = server.send(Full(&mut wire, 10), b"FROM ana [all]: oi\n", &mut [0; SEALED]);
    assert_eq!(sent.unwrap_err().kind(), WouldBlock);
    assert!(server.has_pending());
    assert_eq!(server.send(&mut wire, b"", &mut [0; SEALED]).unwrap(), 0);
    assert_eq!(opened(&mut client, &wire, 100).unwrap(), b"FROM ana [all]: oi\n");
    let other = server.send(&mut wire, b"less\n", &mut [0; SEALED]);
    assert_eq!(other.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(server.send(&mut wire, b"FROM ana [all]: oi\n", &mut [0; SEALED]).unwrap(), 19);
    assert_eq!(opened(&mut client, &wire[wire.len()..], 100).unwrap(), b"");
}

#[test]
fn keys_are_replaced_on_both_sides_at_the_same_record() {
    let (mut server, mut client) = pair();
    let mut before = Vec::new();
    for number in 0..5 * REKEY {
        let text = format!("MSG {number}\n");
        let wire = sealed(&mut client, text.as_bytes());
        assert_eq!(opened(&mut server, &wire, 9).unwrap(), text.as_bytes());
        let wire = sealed(&mut server, text.as_bytes());
        assert_eq!(opened(&mut client, &wire, 9).unwrap(), text.as_bytes());
        before = wire;
    }
    assert_eq!(opened(&mut client, &before, 100), Err(InvalidData));
}

#[test]
fn changed_repeated_skipped_and_swapped_records_are_noticed() {
    for order in [&[0, 0][..], &[1], &[0, 2], &[1, 0], &[2]] {
        let (mut server, mut client) = pair();
        let records = [b"um\n", b"dd\n", b"tt\n"].map(|text| sealed(&mut server, text));
        let mut heard = Vec::new();
        let result = order.iter().try_for_each(|&at| {
            opened(&mut client, &records[at], 100).map(|more| heard.extend(more))
        });
        assert_eq!(result, Err(InvalidData), "{order:?}");
        assert!(heard.is_empty() || heard == b"um\n");
        // Nothing may be received any more, not even what would be right.
        assert_eq!(opened(&mut client, &records[0], 100), Err(InvalidData));
    }
}

#[test]
fn each_changed_bit_is_noticed() {
    let (mut server, _) = pair();
    let length = sealed(&mut server, b"um\n").len();
    for bit in 0..length * 8 {
        let (mut server, mut client) = pair();
        let mut wire = sealed(&mut server, b"um\n");
        wire[bit / 8] ^= 1 << (bit % 8);
        // A length that has grown waits for more, which does not fit.
        wire.extend([0; 20_000]);
        assert_eq!(opened(&mut client, &wire, usize::MAX), Err(InvalidData), "{bit}");
    }
}

#[test]
fn record_counts_only_in_its_own_direction_of_its_own_channel() {
    let ((mut server, mut client), (mut other_server, mut stranger)) = (pair(), pair());
    let wire = sealed(&mut server, b"um\n");
    for channel in [&mut stranger, &mut other_server, &mut server] {
        assert_eq!(opened(channel, &wire, 100), Err(InvalidData));
    }
    assert_eq!(opened(&mut client, &wire, 100).unwrap(), b"um\n");
}

#[test]
fn wrong_length_is_not_waited_for() {
    for (length, server_waits, client_waits) in [
        (0, false, false),
        (16, false, false),
        (17, true, true),
        (4112, true, true),
        (4113, false, true),
        (16_400, false, true),
        (16_401, false, false),
        (u16::MAX, false, false),
    ] {
        let (mut server, mut client) = pair();
        let header = length.to_be_bytes();
        assert_eq!(opened(&mut server, &header, 1).is_ok(), server_waits, "{length}");
        assert_eq!(opened(&mut client, &header, 1).is_ok(), client_waits, "{length}");
    }
}

#[test]
fn true_records_before_a_forged_one_are_heard() {
    let (mut server, mut client) = pair();
    let mut wire = sealed(&mut server, b"um\n");
    wire.extend_from_slice(&[0, 20]);
    wire.extend_from_slice(&[7; 20]);
    let (mut buffer, mut socket) = ([0; MAX_OF_SERVER], Empty(&wire));
    let received = client.receive(&mut socket, &mut buffer, &mut [0; SEALED]).unwrap();
    assert_eq!(received, Received { length: 3, ended: false, filled: true });
    let err = client.receive(&mut socket, &mut buffer, &mut [0; SEALED]).unwrap_err();
    assert_eq!(err.kind(), InvalidData);
}

#[test]
fn longest_record_fits_behind_its_own_beginning() {
    let (mut server, mut client) = pair();
    let said = text(2 * MAX_OF_CLIENT);
    let wire = sealed(&mut client, &said);
    // The buffers of a guest: a line, and what a record has beside it.
    let (mut buffer, mut input) = ([0; MAX_OF_CLIENT], [0; MAX_OF_CLIENT + OVERHEAD]);
    let (mut socket, mut heard) = (Empty(&wire[..4113]), Vec::new());
    let received = server.receive(&mut socket, &mut buffer, &mut input).unwrap();
    assert_eq!(received, Received { length: 0, ended: false, filled: false });
    socket = Empty(&wire[4113..]);
    while let Ok(received) = server.receive(&mut socket, &mut buffer, &mut input) {
        heard.extend_from_slice(&buffer[..received.length]);
    }
    assert!(heard == said);
}

#[test]
fn end_of_the_stream_is_told() {
    let (mut server, _) = pair();
    let received = server.receive(io::empty(), &mut [0; MAX_OF_CLIENT], &mut [0; SEALED]).unwrap();
    assert_eq!(received, Received { length: 0, ended: true, filled: false });
}
