//! A connection to the server, and how the protocol's bytes travel over it.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

/// A connection and the framing around the protocol's bytes.
///
/// It counts protocol bytes, and never mixes them with bytes of a framing. Sending and
/// receiving can wait at the same time.
#[derive(Debug)]
pub enum Transport {
    /// The protocol's bytes as they are.
    Plain(Async<TcpStream>),
}

impl Transport {
    /// Connects to an address. A handshake belongs here, because the caller limits the time.
    pub async fn connect(address: SocketAddr) -> io::Result<Transport> {
        Ok(Transport::Plain(Async::<TcpStream>::connect(address).await?))
    }

    /// The socket, for its options and for the kernel's facts about it.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(stream) => stream.get_ref(),
        }
    }

    /// Accepts a prefix of `bytes`, and returns its length as soon as there is room.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => {
                let mut writer = stream;
                writer.write(bytes).await
            }
        }
    }

    /// Receives some bytes, and returns how many; 0 at the end.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => {
                let mut reader = stream;
                reader.read(buffer).await
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
