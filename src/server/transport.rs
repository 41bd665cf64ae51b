//! A connection's socket, and how protocol bytes travel over it.

mod secure;
mod web;

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use secure::Secure;
use socket2::SockRef;
use web::Web;

use crate::secure::Channel;
pub use crate::secure::Received;

/// The socket of one connection and the framing around the protocol's bytes.
///
/// The connection's own task and the tasks that deliver to an idle client share it. Only
/// one of them sends at a time; the room sees to that.
pub enum Transport {
    /// The protocol's bytes as they are.
    Plain(TcpStream),
    /// In frames of a WebSocket. In a box, so that a plain connection does not pay for it.
    Web(Box<Web>),
    /// In records of an encrypted channel. In a box, for the same reason.
    Secure(Box<Secure>),
}

impl Transport {
    /// Puts the frames of a WebSocket around the protocol.
    pub fn framed(self) -> Transport {
        match self {
            Transport::Plain(socket) => Transport::Web(Box::new(Web::new(socket))),
            framed => framed,
        }
    }

    /// Puts the records of an encrypted channel around the protocol.
    pub fn secured(self, channel: Channel) -> Transport {
        match self {
            Transport::Plain(socket) => Transport::Secure(Box::new(Secure::new(socket, channel))),
            other => other,
        }
    }

    /// Whether the protocol's bytes are encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Transport::Secure(_))
    }

    /// Identifies the encrypted channel, if there is one.
    pub fn binding(&self) -> Option<[u8; 32]> {
        match self {
            Transport::Secure(secure) => Some(secure.binding()),
            _ => None,
        }
    }

    /// Whether the protocol's bytes are sent as they are, so that a channel may begin.
    pub fn is_plain(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }

    /// The socket itself.
    fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Web(web) => &web.socket,
            Transport::Secure(secure) => &secure.socket,
        }
    }

    /// The socket, for the reactor to register.
    pub fn socket_mut(&mut self) -> &mut TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Web(web) => &mut web.socket,
            Transport::Secure(secure) => &mut secure.socket,
        }
    }

    /// Accepts a prefix of `bytes`, will deliver it, and returns its length.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing now; anything else ends the connection.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => {
                let mut socket = socket;
                socket.write(bytes)
            }
            Transport::Web(web) => web.send(bytes),
            Transport::Secure(secure) => secure.send(bytes),
        }
    }

    /// Receives protocol bytes into `buffer`, which has room for a line at least.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived; anything else ends the connection.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut socket = match self {
            Transport::Plain(socket) => socket,
            Transport::Web(web) => return web.receive(buffer),
            Transport::Secure(secure) => return secure.receive(buffer),
        };
        let length = socket.read(buffer)?;
        Ok(Received { length, ended: length == 0, filled: length == buffer.len() })
    }

    /// Says goodbye in the framing, if that has one, and sends nothing more. Returns false
    /// while the socket takes no more of it; call it again when the socket is writable.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn finish(&self) -> io::Result<bool> {
        let finished = match self {
            Transport::Plain(_) => true,
            Transport::Web(web) => web.finish()?,
            Transport::Secure(secure) => secure.finish()?,
        };
        if !finished {
            return Ok(false);
        }
        self.socket().shutdown(Shutdown::Write)?;
        Ok(true)
    }

    /// Ends the connection at once. What was sent and has not arrived is dropped.
    pub fn abort(&self) {
        SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)).ok();
        self.socket().shutdown(Shutdown::Both).ok(); // It may have ended.
    }
}
