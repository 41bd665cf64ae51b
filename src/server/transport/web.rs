//! Protocol bytes in the frames of a WebSocket.

use std::io::{self, Read as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;

use super::Received;
use crate::web::frames::{CloseCode, Control, FrameReader, FrameWriter};

/// The socket of a browser and the state of its frames.
pub struct Web {
    pub socket: TcpStream,
    reader: Mutex<FrameReader>,
    writer: Mutex<FrameWriter>,
}

impl Web {
    /// A connection that has switched to the WebSocket protocol.
    pub fn new(socket: TcpStream) -> Web {
        Web { socket, reader: Mutex::default(), writer: Mutex::default() }
    }

    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.writer).write(&self.socket, bytes)
    }

    /// The end of a message arrives as a line feed. Frames without lines in them arrive as
    /// nothing. Pings and close frames are answered here.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut reader = lock(&self.reader);
        if reader.is_closed() {
            return Ok(Received { length: 0, ended: true, filled: false });
        }
        let read = (&self.socket).read(&mut buffer[1..])?;
        let filled = read == buffer.len() - 1;
        let (length, control) = reader.decode(&mut buffer[..=read]);
        if let Some(control) = control {
            let mut writer = lock(&self.writer);
            match control {
                Control::Pong(payload) => writer.pong(&payload),
                Control::Close(code) => writer.close(code),
            }
            // The bytes that the socket does not take now go before the next ones.
            writer.write(&self.socket, b"").ok();
        }
        // The lines before a close frame come first; the next call tells of the end.
        let closed = reader.is_closed();
        let ended = read == 0 || closed && length == 0;
        Ok(Received { length, ended, filled: filled || closed && !ended })
    }

    /// Sends a close frame. Returns false while the socket takes no more of it.
    pub fn finish(&self) -> io::Result<bool> {
        let mut writer = lock(&self.writer);
        writer.close(CloseCode::NORMAL);
        while writer.has_pending() {
            match writer.write(&self.socket, b"") {
                Ok(_) => (),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }
}

/// A panic of another task has not torn the state: it is whole between two calls.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net;

    use super::*;

    #[test]
    fn lines_before_a_close_frame_arrive_before_the_end() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let web = Web::new(TcpStream::from_std(server));
        // A text frame, a ping and a close frame without a code; the mask is all zeros.
        client.write_all(b"\x81\x83\0\0\0\0WHO\x89\x82\0\0\0\0hi\x88\x80\0\0\0\0").unwrap();
        let mut buffer = [0; 100];
        let received = web.receive(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..received.length], received.ended, received.filled),
            (&b"WHO\n"[..], false, true)
        );
        let received = web.receive(&mut buffer).unwrap();
        assert_eq!(received, Received { length: 0, ended: true, filled: false });
        assert!(web.finish().unwrap());
        drop(web);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        // The close frame came last and is the one that counts, so the ping is forgotten.
        assert_eq!(answer, [0x88, 0]);
    }
}
