//! Where connections come from: addresses, options of sockets, and how they are accepted.

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use mio::net::TcpListener;
use smol::future::{or, yield_now};
use socket2::{Domain, Socket, TcpKeepalive, Type};

use crate::server::hub::Hub;
use crate::server::origin::OriginFinder;
use crate::server::reactor;
use crate::server::visit::{self, Site};
use crate::server::{Limits, Never, Worker, connection};

/// How many connections may wait to be accepted. A class that starts together must not wait
/// for its SYN packets to be sent again.
const BACKLOG: i32 = 1024;
/// How long the server waits after an accept that failed, most likely because descriptors
/// are used up. The time is doubled up to the second value.
const ACCEPT_PAUSE: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];
/// How many bytes the kernel may hold back for one client. With more, a client that has
/// stopped reading would be noticed megabytes later.
const SEND_BUFFER: usize = 64 << 10;
/// A silent peer is asked after 60 s, then every 15 s, and counts as gone after 4 questions.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);
/// How long sent bytes may stay unacknowledged. Then the peer counts as gone.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A socket that listens already, so that clients may connect.
pub struct Listener {
    /// Its address, with the port that the system chose.
    pub address: SocketAddr,
    pub(super) kind: Kind,
    pub(super) socket: TcpListener,
}

/// The language of a listener's clients.
#[derive(Clone)]
pub(super) enum Kind {
    /// The protocol, from the first byte on.
    Chat,
    /// HTTP, and the protocol in a WebSocket.
    Web(Arc<Site>),
}

impl Listener {
    /// Another handle of the socket.
    ///
    /// # Errors
    /// If the system has no descriptor for it.
    pub fn second(&self) -> io::Result<net::TcpListener> {
        Ok(socket2::SockRef::from(&self.socket).try_clone()?.into())
    }

    /// Serves a page for browsers here, and the chat only in a WebSocket.
    pub fn for_page(self, site: Arc<Site>) -> Listener {
        Listener { kind: Kind::Web(site), ..self }
    }
}

/// Listens on each address, or on all of IPv4 and, where there is such a thing, all of
/// IPv6. Port 0 is any port that is free on all of them.
///
/// # Errors
/// If one of the addresses cannot be had, with that address.
pub fn bind(addresses: &[IpAddr], port: u16) -> Result<Vec<Listener>, (SocketAddr, io::Error)> {
    let everywhere = addresses.is_empty();
    let addresses: &[IpAddr] = match everywhere {
        true => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        false => addresses,
    };
    // A port that is free on one address may be taken on the next.
    let mut attempts = if port == 0 { 16 } else { 1 };
    'attempt: loop {
        attempts -= 1;
        let mut port = port;
        let mut listeners = Vec::new();
        for &ip in addresses {
            let address = SocketAddr::new(ip, port);
            match listen_on(address) {
                Ok(socket) => {
                    let address = socket.local_addr().unwrap_or(address);
                    port = address.port();
                    listeners.push(Listener { address, kind: Kind::Chat, socket });
                }
                Err(err) if err.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {
                    continue 'attempt;
                }
                // A machine may have no IPv6.
                Err(err)
                    if everywhere && ip.is_ipv6() && err.kind() != io::ErrorKind::AddrInUse => {}
                Err(err) => return Err((address, err)),
            }
        }
        return Ok(listeners);
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that both work alike everywhere.
        socket.set_only_v6(true)?;
    }
    // On Windows this would let another program take the port over.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    set_options(&socket);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(net::TcpListener::from(socket)))
}

/// Sets the options of a listener. An accepted connection has the same ones. An option that
/// a system does not know is left out.
fn set_options(socket: &Socket) {
    let (after, every, times) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times);
    socket.set_tcp_nodelay(true).ok();
    // telnet sends one byte of a sequence as urgent; taken out, it would leave the other.
    socket.set_out_of_band_inline(true).ok();
    socket.set_send_buffer_size(SEND_BUFFER).ok();
    socket.set_tcp_keepalive(&keepalive).ok();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGEMENT_TIMEOUT)).ok();
}

/// Accepts connections until `stopped`. Each holds on to `present` until it ends.
pub(super) async fn accept<'a>(
    workers: Vec<Worker<'a>>,
    hub: &'a Hub,
    listener: reactor::Listener<'a>,
    kind: Kind,
    limits: &'a Limits,
    stopped: Receiver<Never>,
    present: Sender<Never>,
) {
    let [shortest, longest] = ACCEPT_PAUSE;
    let mut pause = shortest;
    let mut origins = OriginFinder::default();
    loop {
        let stop = async {
            stopped.recv().await.ok();
            None
        };
        match or(stop, async { Some(listener.accept().await) }).await {
            None => return,
            Some(Ok((socket, address))) => {
                pause = shortest;
                let worker = Worker::least_busy(&workers, limits.connections_per_worker);
                // A socket that the system cannot watch is closed.
                let Ok(stream) = worker.reactor.watch(socket) else { continue };
                let origin = origins.find(address.ip());
                let present = (worker.connections.clone(), present.clone());
                match kind.clone() {
                    Kind::Chat => {
                        let connection = hub.admit(address, origin);
                        let session = connection::serve(connection, stream, limits, present);
                        worker.executor.spawn(session).detach();
                    }
                    Kind::Web(site) => {
                        let stopped = stopped.clone();
                        // Weak, because an executor owns its tasks.
                        let executor = Arc::downgrade(&worker.executor);
                        let visit = async move {
                            let stream = visit::serve(hub, site, stream, origin, stopped).await?;
                            let connection = hub.admit(address, origin);
                            let session = connection::serve(connection, stream, limits, present);
                            // A task of its own, which carries nothing of the request along.
                            executor.upgrade()?.spawn(session).detach();
                            Some(())
                        };
                        worker.executor.spawn(visit).detach();
                    }
                }
                // In a rush there is always another one. Those that are here come first.
                yield_now().await;
            }
            Some(Err(err)) if is_gone(&err) => (),
            // Most likely there are no descriptors left, until a connection is closed.
            Some(Err(_)) => {
                workers[0].reactor.sleep(pause).await;
                pause = (2 * pause).min(longest);
            }
        }
    }
}

/// Whether the connection that was to be accepted has gone. Windows calls that a reset.
fn is_gone(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use smol::Executor;
    use socket2::SockRef;

    use super::*;
    use crate::server::reactor::Reactor;

    #[test]
    fn connection_has_the_options_of_its_listener() {
        let listener = listen_on((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let reactor = Reactor::new().unwrap();
        let listener = reactor.listen(listener).unwrap();
        let (stream, _) = reactor.run(&Executor::new(), listener.accept()).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.out_of_band_inline().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE.0);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(ACKNOWLEDGEMENT_TIMEOUT));
            // Linux counts its own overhead as well.
            assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
        }
    }
}
