//! A connection to the server, and how the protocol's bytes travel over it.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use smol::Async;

use crate::secure::Channel;
use crate::secure::channel::SEALED;

/// A connection and the framing around the protocol's bytes.
///
/// It counts protocol bytes, and never mixes them with bytes of a framing. Sending and
/// receiving can wait at the same time.
#[derive(Debug)]
pub enum Transport {
    /// The protocol's bytes as they are.
    Plain(Early),
    /// In records of an encrypted channel.
    Secure(Box<Secure>),
}

/// A socket, and bytes that were received from it before.
#[derive(Debug)]
pub struct Early {
    stream: Async<TcpStream>,
    bytes: RefCell<Vec<u8>>,
}

/// A socket and its channel.
#[derive(Debug)]
pub struct Secure {
    socket: Early,
    channel: RefCell<Channel>,
    /// Bytes of the protocol that were received and given back.
    given_back: RefCell<Vec<u8>>,
    input: RefCell<Vec<u8>>,
    record: RefCell<Box<[u8; SEALED]>>,
}

/// Reads what was received before, and then from the socket.
impl io::Read for &Early {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            return self.stream.get_ref().read(buffer);
        }
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        bytes.drain(..length);
        Ok(length)
    }
}

impl Transport {
    /// Connects to an address. Whether a channel begins is decided afterwards.
    pub async fn connect(address: SocketAddr) -> io::Result<Transport> {
        Ok(Transport::plain(Async::<TcpStream>::connect(address).await?, Vec::new()))
    }

    /// A connection in the clear, of which these bytes were received already.
    pub fn plain(stream: Async<TcpStream>, early: Vec<u8>) -> Transport {
        Transport::Plain(Early { stream, bytes: early.into() })
    }

    /// A connection with a channel, of which these bytes of records were received already.
    pub fn secure(stream: Async<TcpStream>, channel: Channel, early: Vec<u8>) -> Transport {
        let socket = Early { stream, bytes: early.into() };
        let record = vec![0; SEALED].try_into().expect("the length is the same");
        let (input, record) = (vec![0; SEALED].into(), RefCell::new(record));
        let (channel, given_back) = (channel.into(), RefCell::default());
        Transport::Secure(Box::new(Secure { socket, channel, given_back, input, record }))
    }

    /// Takes the connection back for a handshake, before anything was received.
    pub fn into_stream(self) -> Async<TcpStream> {
        match self {
            Transport::Plain(early) => early.stream,
            Transport::Secure(secure) => secure.socket.stream,
        }
    }

    /// Gives bytes of the protocol back that were received. They are received again, first.
    pub fn give_back(&self, bytes: &[u8]) {
        let place = match self {
            Transport::Plain(early) => &early.bytes,
            Transport::Secure(secure) => &secure.given_back,
        };
        place.borrow_mut().splice(..0, bytes.iter().copied());
    }

    fn early(&self) -> &Early {
        match self {
            Transport::Plain(early) => early,
            Transport::Secure(secure) => &secure.socket,
        }
    }

    /// The socket, for its options and for the kernel's facts about it.
    pub fn socket(&self) -> &TcpStream {
        self.early().stream.get_ref()
    }

    /// Accepts a prefix of `bytes`, and returns its length as soon as there is room. What was
    /// not accepted must be offered again, first.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let send = |mut socket: &TcpStream| match self {
            Transport::Plain(_) => socket.write(bytes),
            Transport::Secure(secure) => {
                let mut record = secure.record.borrow_mut();
                secure.channel.borrow_mut().send(socket, bytes, &mut record[..])
            }
        };
        self.early().stream.write_with(send).await
    }

    /// Receives some bytes, and returns how many; 0 at the end. The buffer has room for a
    /// record of the server.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(length) = self.take_back(buffer) {
            return Ok(length);
        }
        self.early().stream.read_with(|_| self.receive(buffer)).await
    }

    /// Bytes that were given back, if there are any.
    fn take_back(&self, buffer: &mut [u8]) -> Option<usize> {
        let place = match self {
            Transport::Plain(early) => &early.bytes,
            Transport::Secure(secure) => &secure.given_back,
        };
        let mut bytes = place.borrow_mut();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        bytes.drain(..length);
        (length > 0).then_some(length)
    }

    /// The same with what is there, or `WouldBlock`.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let secure = match self {
            Transport::Plain(early) => return (&*early).read(buffer),
            Transport::Secure(secure) => secure,
        };
        let (mut channel, mut input) = (secure.channel.borrow_mut(), secure.input.borrow_mut());
        loop {
            let received = channel.receive(&secure.socket, buffer, &mut input)?;
            if received.length > 0 || received.ended {
                return Ok(received.length);
            }
        }
    }

    /// Whether nothing can be sent after an end. Wine takes a reset for an end.
    pub fn is_broken(&self) -> bool {
        self.socket().write(&[]).is_err()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn transport_carries_bytes_both_ways_until_the_end() {
        smol::block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let transport = Transport::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, client) = listener.accept().unwrap();
            assert_eq!(transport.socket().local_addr().unwrap(), client);
            server.write_all(b"oi\n").unwrap();
            let mut buffer = [0; 8];
            let count = transport.recv(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..count], b"oi\n");
            assert_eq!(transport.send(b"ola\n").await.unwrap(), 4);
            let mut heard = [0; 4];
            io::Read::read_exact(&mut server, &mut heard).unwrap();
            assert_eq!(&heard, b"ola\n");
            drop(server);
            assert_eq!(transport.recv(&mut buffer).await.unwrap(), 0);
            assert!(!transport.is_broken());
        });
    }
}
