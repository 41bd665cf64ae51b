//! WebSocket frames (RFC 6455) around the lines of the chat, in both directions.
//!
//! [`FrameWriter`] puts a header of 2, 4 or 10 bytes before the bytes that the room gives
//! and copies none of them. [`FrameReader`] takes the frames of a browser apart in the
//! buffer into which they were read. Neither stores a message, so an idle client costs a
//! few dozen bytes. A WebSocket library keeps buffers for each connection instead; that
//! would end the one transcript that all readers share, and is why this is our own code.

use std::io::{self, IoSlice, Write};

/// The longest payload of a control frame, in bytes (RFC 6455, section 5.5).
const MAX_CONTROL: usize = 125;
/// The longest header of a frame from a client: 2 bytes, a length of 8, a mask of 4.
const MAX_HEADER: usize = 14;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
/// The bit that ends a message.
const FIN: u8 = 0x80;
/// The bit that says that a payload is masked.
const MASKED: u8 = 0x80;
/// The bit that tells control frames from messages.
const CONTROL: u8 = 0x8;

/// Why a WebSocket ends: the status code of a close frame (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The conversation is over.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The peer broke a rule of the framing.
    pub const PROTOCOL: CloseCode = CloseCode(1002);
    /// A text message is not UTF-8.
    pub const NOT_UTF8: CloseCode = CloseCode(1007);
    /// The close frame of the peer had no status code. Never sent.
    const NONE: CloseCode = CloseCode(1005);

    /// Whether a peer may send this code.
    fn is_valid(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// Sends lines in frames.
///
/// A message is whole lines: a frame whose bytes end in a line feed ends its message, any
/// other is continued by the next. So a message is also whole characters, wherever the
/// room cuts its batches.
#[derive(Debug, Default)]
pub struct FrameWriter {
    /// The control frame that must be sent first, or the rest of it. Most clients never need
    /// one, so it owns no memory then.
    control: Vec<u8>,
    /// The rest of the current frame's header, which comes next.
    header: Header,
    /// How many bytes of payload the current frame still lacks. The socket did not take
    /// them, so the caller offers the same bytes again.
    missing: usize,
    /// The last frame did not end its message.
    continues: bool,
    /// The payload of the newest unanswered ping. It is answered between two frames, once,
    /// so a client that never reads cannot fill the memory with pings.
    pong: Option<Box<[u8]>>,
    /// The close frame to send between two frames; nothing follows it.
    close: Option<CloseCode>,
    closed: bool,
}

/// A header of 2, 4 or 10 bytes, of which the first `sent` were sent.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; 10],
    sent: u8,
    length: u8,
}

impl Header {
    fn rest(&self) -> &[u8] {
        &self.bytes[usize::from(self.sent)..usize::from(self.length)]
    }
}

impl FrameWriter {
    /// Sends as much of `bytes` as `socket` takes and returns how many of them that is.
    ///
    /// The bytes that were not taken must be offered again, first. An empty slice sends what is
    /// pending.
    ///
    /// # Errors
    /// If the socket takes nothing; `WouldBlock` if it is full.
    pub fn write(&mut self, mut socket: impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            if self.missing == 0 && !self.is_begun() {
                self.queue_control();
            }
            if self.missing == 0 && !self.closed && taken < bytes.len() {
                self.begin(&bytes[taken..]);
            }
            let payload = &bytes[taken..(taken + self.missing).min(bytes.len())];
            if !self.is_begun() && payload.is_empty() {
                // Nothing may follow a close frame, so the rest counts as sent.
                return Ok(if self.closed { bytes.len() } else { taken });
            }
            let slices = [&self.control[..], self.header.rest(), payload];
            let total: usize = slices.iter().map(|slice| slice.len()).sum();
            let slices = slices.map(IoSlice::new);
            let slices = if self.control.is_empty() { &slices[1..] } else { &slices[..] };
            let sent = match socket.write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => sent,
                Err(_) if taken > 0 => return Ok(taken), // The next call meets it again.
                Err(err) => return Err(err),
            };
            let payload = self.advance(sent);
            self.missing -= payload;
            taken += payload;
            if sent < total {
                return Ok(taken);
            }
        }
    }

    /// Whether something must be sent before the payload.
    fn is_begun(&self) -> bool {
        !self.control.is_empty() || !self.header.rest().is_empty()
    }

    /// Removes what was sent, and returns how many bytes of it were payload.
    fn advance(&mut self, sent: usize) -> usize {
        let control = sent.min(self.control.len());
        if control == self.control.len() {
            self.control = Vec::new();
        } else {
            self.control.drain(..control);
        }
        let header = (sent - control).min(self.header.rest().len());
        self.header.sent += header as u8;
        sent - control - header
    }

    /// Answers a ping after the current frame.
    pub fn pong(&mut self, payload: &[u8]) {
        self.pong = Some(payload.into());
    }

    /// Ends the WebSocket after the current frame. The first code counts.
    pub fn close(&mut self, code: CloseCode) {
        self.close.get_or_insert(code);
    }

    /// Whether something waits to be sent that is not the room's.
    pub fn has_pending(&self) -> bool {
        self.is_begun()
            || self.missing == 0 && (self.pong.is_some() || self.close.is_some() && !self.closed)
    }

    /// Puts the control frames that wait before the next frame.
    fn queue_control(&mut self) {
        if self.closed {
            return;
        }
        if let Some(payload) = self.pong.take() {
            self.control.extend_from_slice(&[FIN | PONG, payload.len() as u8]);
            self.control.extend_from_slice(&payload);
        }
        if let Some(code) = self.close {
            let payload = match code {
                CloseCode::NONE => Vec::new(),
                CloseCode(code) => code.to_be_bytes().to_vec(),
            };
            self.control.extend_from_slice(&[FIN | CLOSE, payload.len() as u8]);
            self.control.extend_from_slice(&payload);
            self.closed = true;
        }
    }

    /// Begins a frame with these bytes.
    fn begin(&mut self, bytes: &[u8]) {
        let ends = bytes.ends_with(b"\n");
        let opcode = if self.continues { CONTINUATION } else { TEXT };
        self.continues = !ends;
        self.missing = bytes.len();
        let mut header = [0; 10];
        header[0] = if ends { FIN | opcode } else { opcode };
        let length = match bytes.len() {
            length @ ..=125 => {
                header[1] = length as u8;
                2
            }
            length @ ..=0xFFFF => {
                header[1] = 126;
                header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            length => {
                header[1] = 127;
                header[2..].copy_from_slice(&(length as u64).to_be_bytes());
                10
            }
        };
        self.header = Header { bytes: header, sent: 0, length };
    }
}

/// The wishes in some bytes of a browser, beside the lines in them.
#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    /// A pong with this payload is owed, for the newest ping.
    Pong(Box<[u8]>),
    /// The peer closes, or broke a rule. Send a close frame with this code; nothing that
    /// follows is read.
    Close(CloseCode),
}

/// Takes the frames of a browser apart, in whatever pieces they arrive.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// `header[..filled]` has arrived of the next frame's header.
    header: [u8; MAX_HEADER],
    filled: u8,
    /// A frame has begun, and so many bytes of its payload have not arrived.
    left: Option<u64>,
    /// The opcode of the frame, with the bit that ends a message.
    first: u8,
    mask: [u8; 4],
    /// The offset in the mask for the next byte.
    offset: u8,
    /// The opcode of the message that has begun and not ended.
    message: Option<u8>,
    /// The bytes of a character that has not arrived as a whole, in a text message.
    partial: Utf8Tail,
    /// The payload of a control frame, as far as it has arrived.
    control: Vec<u8>,
    closed: bool,
}

/// The first bytes of a character whose rest has not arrived.
#[derive(Debug, Default)]
struct Utf8Tail {
    bytes: [u8; 4],
    length: u8,
}

impl Utf8Tail {
    /// Whether `text` continues as valid UTF-8 what came before.
    fn accepts(&mut self, mut text: &[u8]) -> bool {
        while self.length > 0 {
            let Some((&byte, rest)) = text.split_first() else { return true };
            self.bytes[usize::from(self.length)] = byte;
            self.length += 1;
            text = rest;
            match str::from_utf8(&self.bytes[..usize::from(self.length)]) {
                Ok(_) => self.length = 0,
                Err(err) if err.error_len().is_some() => return false,
                Err(_) => (),
            }
        }
        let Err(err) = str::from_utf8(text) else { return true };
        let tail = &text[err.valid_up_to()..];
        if err.error_len().is_some() {
            return false;
        }
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.length = tail.len() as u8;
        true
    }
}

impl FrameReader {
    /// Decodes `buffer[1..]` in place and returns how many bytes of lines now stand at the
    /// start of `buffer`, and what the frames asked for beside that.
    ///
    /// A message that does not end in a line feed gets one, since its end is the end of a
    /// line. That is why the first byte of the buffer must be free: the lines can be one
    /// byte longer than the frames.
    pub fn decode(&mut self, buffer: &mut [u8]) -> (usize, Option<Control>) {
        let (mut from, mut to, mut control) = (1, 0, None);
        while from < buffer.len() && !self.closed {
            let step = match self.left {
                None => self.take_header(buffer[from]).map(|()| 1),
                Some(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = length.min(buffer.len() - from);
                    self.take_payload(buffer, from, length, &mut to).map(|()| length)
                }
            };
            let ended = step.and_then(|step| {
                from += step;
                if self.left == Some(0) { self.end_frame(buffer, &mut to) } else { Ok(None) }
            });
            match ended {
                Ok(None) => (),
                Ok(Some(asked)) => {
                    self.closed = matches!(asked, Control::Close(_));
                    control = Some(asked);
                }
                Err(code) => {
                    self.closed = true;
                    control = Some(Control::Close(code));
                }
            }
        }
        (to, control)
    }

    /// Whether a close frame, or a mistake, has ended the stream.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds a byte to the header and begins the frame when it is whole.
    fn take_header(&mut self, byte: u8) -> Result<(), CloseCode> {
        self.header[usize::from(self.filled)] = byte;
        self.filled += 1;
        let header = &self.header[..usize::from(self.filled)];
        let [first, second, ..] = *header else { return Ok(()) };
        let opcode = first & 0x0F;
        let allowed = match opcode {
            CONTINUATION => self.message.is_some(),
            TEXT | BINARY => self.message.is_none(),
            CLOSE | PING | PONG => first & FIN != 0 && usize::from(second & 0x7F) <= MAX_CONTROL,
            _ => false,
        };
        // No extension was agreed on, so no reserved bit is set; a client always masks.
        if !allowed || first & 0x70 != 0 || second & MASKED == 0 {
            return Err(CloseCode::PROTOCOL);
        }
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if header.len() < 2 + extended + 4 {
            return Ok(());
        }
        let length = match extended {
            0 => u64::from(second & 0x7F),
            _ => header[2..2 + extended].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        if length > i64::MAX as u64 {
            return Err(CloseCode::PROTOCOL);
        }
        self.mask.copy_from_slice(&header[2 + extended..]);
        (self.first, self.left, self.offset, self.filled) = (first, Some(length), 0, 0);
        if matches!(opcode, TEXT | BINARY) {
            self.message = Some(opcode);
        }
        Ok(())
    }

    /// Unmasks `length` bytes from `from`, and moves those of a message to `to`.
    fn take_payload(
        &mut self,
        buffer: &mut [u8],
        from: usize,
        length: usize,
        to: &mut usize,
    ) -> Result<(), CloseCode> {
        let payload = &mut buffer[from..from + length];
        self.mask.rotate_left(usize::from(self.offset));
        for piece in payload.chunks_mut(4) {
            piece.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        self.mask.rotate_right(usize::from(self.offset));
        self.offset = ((usize::from(self.offset) + length) % 4) as u8;
        self.left = self.left.map(|left| left - length as u64);
        if self.first & CONTROL != 0 {
            self.control.extend_from_slice(payload);
            return Ok(());
        }
        if self.message == Some(TEXT) && !self.partial.accepts(payload) {
            return Err(CloseCode::NOT_UTF8);
        }
        buffer.copy_within(from..from + length, *to);
        *to += length;
        Ok(())
    }

    /// Ends the frame whose payload has arrived.
    fn end_frame(
        &mut self,
        buffer: &mut [u8],
        to: &mut usize,
    ) -> Result<Option<Control>, CloseCode> {
        self.left = None;
        match self.first & 0x0F {
            PING => {
                let payload = std::mem::take(&mut self.control);
                return Ok(Some(Control::Pong(payload.into_boxed_slice())));
            }
            PONG => self.control = Vec::new(),
            CLOSE => {
                let payload = std::mem::take(&mut self.control);
                return close_code(&payload).map(|code| Some(Control::Close(code)));
            }
            _ if self.first & FIN != 0 => {
                self.message = None;
                if std::mem::take(&mut self.partial.length) > 0 {
                    return Err(CloseCode::NOT_UTF8);
                }
                buffer[*to] = b'\n';
                *to += 1;
            }
            _ => (),
        }
        Ok(None)
    }
}

/// The code with which a close frame is answered.
fn close_code(payload: &[u8]) -> Result<CloseCode, CloseCode> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(CloseCode::NONE) } else { Err(CloseCode::PROTOCOL) };
    };
    let code = CloseCode(u16::from_be_bytes([*high, *low]));
    match (code.is_valid(), str::from_utf8(reason)) {
        (false, _) => Err(CloseCode::PROTOCOL),
        (_, Err(_)) => Err(CloseCode::NOT_UTF8),
        _ => Ok(code),
    }
}

#[cfg(test)]
mod tests;
