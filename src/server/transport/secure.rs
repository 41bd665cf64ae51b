//! Protocol bytes in the records of an encrypted channel.

// Where the system keeps what is local to a thread, clippy cannot see the `const`.
#![cfg_attr(windows, allow(clippy::missing_const_for_thread_local))]

use std::cell::RefCell;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;

use super::Received;
use crate::secure::Channel;
use crate::secure::channel::SEALED;

/// How many bytes of records are read at a time.
const READ: usize = 64 << 10;
/// How many records share a write. A client that stalls may leave so many of them pending.
const RECORDS: usize = 2;

thread_local! {
    // An idle connection owns no buffers. These are borrowed for one call. They are on the
    // heap, because the memory of thread-locals is part of every thread's stack.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    static OUTPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; RECORDS * SEALED]);
}

/// The socket of a client and its channel.
pub struct Secure {
    pub socket: TcpStream,
    channel: Mutex<Channel>,
}

impl Secure {
    /// A connection on which nothing but records follows.
    pub fn new(socket: TcpStream, channel: Channel) -> Secure {
        Secure { socket, channel: Mutex::new(channel) }
    }

    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        OUTPUT.with_borrow_mut(|output| self.channel().send(&self.socket, bytes, output))
    }

    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        INPUT.with_borrow_mut(|input| self.channel().receive(&self.socket, buffer, input))
    }

    /// Identifies the channel.
    pub fn binding(&self) -> [u8; 32] {
        *self.channel().binding()
    }

    /// Sends the rest of the records. Returns false while the socket takes no more of it.
    pub fn finish(&self) -> io::Result<bool> {
        match self.send(b"") {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// A panic of another task may have torn the channel. Its next record is then refused by
    /// one of the sides, which ends the connection.
    fn channel(&self) -> MutexGuard<'_, Channel> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
