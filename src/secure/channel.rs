//! The records of a channel: two bytes of length, the most significant first, and so many
//! bytes that the channel's key protects.

use std::fmt;
use std::io::{self, Read, Write};

use snow::{HandshakeState, TransportState};

use super::noise::TAG;

/// The length of a record's header, in bytes.
const HEADER: usize = 2;
/// The bytes of a record beside those of the protocol.
const OVERHEAD: usize = HEADER + TAG;
/// The most protocol bytes in a record of a server.
pub const MAX_OF_SERVER: usize = 16 << 10;
/// The most protocol bytes in a record of a client: one line.
pub const MAX_OF_CLIENT: usize = 4096;
/// The length of a buffer in which a record of either side is sealed.
pub const SEALED: usize = OVERHEAD + MAX_OF_SERVER;
/// The number of records after which a direction of the channel takes a new key.
const REKEY: u64 = if cfg!(test) { 8 } else { 1 << 20 };

/// A side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that begins.
    Client,
    /// The side that answers.
    Server,
}

impl Side {
    /// The most protocol bytes in a record that this side sends.
    fn limit(self) -> usize {
        match self {
            Side::Client => MAX_OF_CLIENT,
            Side::Server => MAX_OF_SERVER,
        }
    }

    fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// The result of one attempt to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many protocol bytes stand at the start of the buffer.
    pub length: usize,
    /// The other side sends nothing more.
    pub ended: bool,
    /// There may be more to receive at once.
    pub filled: bool,
}

/// One side of a channel: protocol bytes on this side, records on the other.
pub struct Channel {
    state: TransportState,
    side: Side,
    binding: [u8; 32],
    /// The beginning of a record that has not arrived as a whole. An idle channel has none.
    partial: Vec<u8>,
    /// The end of the sealed records that the socket did not take.
    pending: Vec<u8>,
    /// How many protocol bytes are in these records. They do not count as sent yet, so the
    /// caller offers them again.
    offered: usize,
    /// Something arrived that the other side did not send.
    forged: bool,
}

impl Channel {
    pub(super) fn new(state: HandshakeState, side: Side) -> Channel {
        let binding = state.get_handshake_hash().try_into().expect("SHA-256 has 32 bytes");
        let state = state.into_transport_mode().expect("both messages were exchanged");
        let (partial, pending) = (Vec::new(), Vec::new());
        Channel { state, side, binding, partial, pending, offered: 0, forged: false }
    }

    /// Identifies this channel, and is the same on both sides. A relay between two clients
    /// has two channels with two of these.
    pub fn binding(&self) -> &[u8; 32] {
        &self.binding
    }

    /// Whether a record waits for the socket.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Sends as much of `bytes` as `socket` takes, and returns how many of them that is.
    /// Bytes that were not taken must be offered again, first. An empty slice sends what is
    /// pending. `buffer` has room for a record at least; as many as fit in it share a write.
    ///
    /// # Errors
    /// If the socket takes nothing; `WouldBlock` if it is full.
    pub fn send(
        &mut self,
        mut socket: impl Write,
        bytes: &[u8],
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let (mut taken, limit) = (0, self.side.limit());
        loop {
            while !self.pending.is_empty() {
                match write(&mut socket, &self.pending) {
                    Ok(sent) => _ = self.pending.drain(..sent),
                    Err(_) if taken > 0 => return Ok(taken), // The next call meets it again.
                    Err(err) => return Err(err),
                }
            }
            self.pending = Vec::new();
            let done = std::mem::take(&mut self.offered);
            if done > bytes.len() - taken {
                self.offered = done;
                // Other bytes than before would be lost, and the old ones said twice.
                return if bytes.is_empty() {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::InvalidInput.into())
                };
            }
            taken += done;
            let rest = &bytes[taken..];
            if rest.is_empty() {
                return Ok(taken);
            }
            let (mut plain, mut sealed) = (0, 0);
            for piece in rest.chunks(limit) {
                if sealed > 0 && buffer.len() - sealed < OVERHEAD + piece.len() {
                    break;
                }
                sealed += self.seal(piece, &mut buffer[sealed..]);
                plain += piece.len();
            }
            let records = &buffer[..sealed];
            let written = write(&mut socket, records);
            let sent = *written.as_ref().unwrap_or(&0);
            // All records but the last one are of one length.
            let whole = if sent == sealed { plain } else { sent / (OVERHEAD + limit) * limit };
            taken += whole;
            // The other records have their numbers, so they go before all others.
            self.offered = plain - whole;
            self.pending.extend_from_slice(&records[sent..]);
            if let Err(err) = written {
                return if taken > 0 { Ok(taken) } else { Err(err) };
            }
        }
    }

    /// Receives protocol bytes into `buffer`, which has room for a whole record of the other
    /// side. `input` holds the records, and is 18 bytes longer than the buffer.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived; `InvalidData` if the other side did not send
    /// what did. Nothing may be received after that.
    pub fn receive(
        &mut self,
        mut socket: impl Read,
        buffer: &mut [u8],
        input: &mut [u8],
    ) -> io::Result<Received> {
        if self.forged {
            return Err(io::ErrorKind::InvalidData.into());
        }
        debug_assert!(buffer.len() >= self.side.other().limit());
        // A record that is whole has an overhead, so what is opened fits.
        let limit = input.len().min(buffer.len() + OVERHEAD);
        let held = self.partial.len();
        let read = socket.read(&mut input[held..limit])?;
        if read == 0 {
            return Ok(Received { length: 0, ended: true, filled: false });
        }
        input[..held].copy_from_slice(&self.partial);
        let (length, rest) = self.open(&input[..held + read], buffer);
        self.partial = rest.to_vec();
        if self.forged {
            // The lines before it are true, and come first.
            self.partial = Vec::new();
            return match length {
                0 => Err(io::ErrorKind::InvalidData.into()),
                length => Ok(Received { length, ended: false, filled: true }),
            };
        }
        Ok(Received { length, ended: false, filled: held + read == limit })
    }

    /// Opens the whole records of `input` into `out`. Returns how many protocol bytes that
    /// is, and the rest of the input.
    fn open<'a>(&mut self, mut input: &'a [u8], out: &mut [u8]) -> (usize, &'a [u8]) {
        let most = self.side.other().limit() + TAG;
        let mut length = 0;
        while let Some((header, rest)) = input.split_first_chunk::<HEADER>() {
            let sealed = usize::from(u16::from_be_bytes(*header));
            // A wrong length is not waited for.
            if sealed <= TAG || sealed > most {
                self.forged = true;
                break;
            }
            let Some((record, rest)) = rest.split_at_checked(sealed) else { break };
            match self.state.read_message(record, &mut out[length..]) {
                Ok(opened) => length += opened,
                Err(_) => {
                    self.forged = true;
                    break;
                }
            }
            if self.state.receiving_nonce().is_multiple_of(REKEY) {
                self.state.rekey_incoming();
            }
            input = rest;
        }
        (length, input)
    }

    /// Seals a record at the front of the buffer, and returns its length.
    fn seal(&mut self, plain: &[u8], buffer: &mut [u8]) -> usize {
        let sealed = self.state.write_message(plain, &mut buffer[HEADER..]);
        let sealed = sealed.expect("a record fits, and their number is far from its end");
        buffer[..HEADER].copy_from_slice(&(sealed as u16).to_be_bytes());
        if self.state.sending_nonce().is_multiple_of(REKEY) {
            self.state.rekey_outgoing();
        }
        HEADER + sealed
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("side", &self.side).finish_non_exhaustive()
    }
}

/// Writes some bytes, however often a signal comes between.
fn write(mut socket: impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match socket.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
