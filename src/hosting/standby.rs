//! A member's sockets while another machine hosts the room.
//!
//! The sockets listen from the beginning, so that the host can try them, and they become
//! those of the server if this member is the next host. Visitors are told where the host is.
//! While the member seeks, they wait in the backlog, and the server accepts them if it comes.

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use smol::future::{or, race};
use smol::{Async, LocalExecutor, Timer};

use crate::secure::{Fingerprint, Key};
use crate::server::{self, Listener};
use crate::takeover::{Door, Situation, Standby, Token};
use crate::wire::{DEFAULT_PORT, Event};

/// How long a visitor may take to read its answer. To close a socket with unread input would
/// reset it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How many visitors are answered at the same time.
const MAX_VISITORS: usize = 64;

/// A member that can be the next host.
pub struct Heir {
    listeners: Vec<Listener>,
    token: Token,
    key: Key,
    host: Arc<Mutex<Option<SocketAddr>>>,
    orders: Sender<Order>,
    doubts: Receiver<()>,
}

/// An order to the thread that answers visitors.
enum Order {
    /// Let visitors wait, and say when none is accepted any more.
    Hold(Sender<()>),
    /// Answer them.
    Answer,
}

impl Heir {
    /// Listens on the default port, or on any that is free.
    ///
    /// # Errors
    /// If it cannot listen, or if the system gives no thread.
    pub fn listen() -> io::Result<Heir> {
        let listeners = server::bind(&[], DEFAULT_PORT).or_else(|_| server::bind(&[], 0));
        let listeners = listeners.map_err(|(_, err)| err)?;
        let sockets = listeners.iter().map(Listener::second);
        let sockets: Vec<_> = sockets.collect::<io::Result<_>>()?;
        let (orders, given) = async_channel::unbounded();
        let (tell, doubts) = async_channel::bounded(1);
        let host = Arc::new(Mutex::new(None));
        let (known, token) = (host.clone(), Token(fastrand::u32(..)));
        let answer = move || {
            let sockets = sockets.into_iter().map(Async::new).collect::<io::Result<Vec<_>>>();
            if let Ok(sockets) = sockets {
                smol::block_on(answer(&sockets, token, &known, &given, &tell));
            }
        };
        thread::Builder::new().spawn(answer)?;
        Ok(Heir { listeners, token, key: Key::generate(), host, orders, doubts })
    }

    /// Names this run of the program.
    pub fn token(&self) -> Token {
        self.token
    }

    /// The port at which it listens.
    pub fn port(&self) -> u16 {
        self.listeners[0].address.port()
    }

    /// The fingerprint of the key that it would have as the host.
    pub fn fingerprint(&self) -> Fingerprint {
        self.key.public.fingerprint()
    }

    /// Tells visitors that the host is there.
    pub fn answer(&self, host: SocketAddr) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
        self.orders.try_send(Order::Answer).ok(); // Without the thread, nobody is accepted.
    }

    /// Lets visitors wait.
    pub async fn hold(&self) {
        let (say, held) = async_channel::bounded(1);
        self.orders.try_send(Order::Hold(say)).ok(); // It is dropped then, and `held` closed.
        held.recv().await.ok();
    }

    /// Waits until another member has lost the host.
    pub async fn doubt(&self) {
        if self.doubts.recv().await.is_err() {
            std::future::pending().await
        }
    }

    /// The sockets and the key, for the server of this program.
    pub fn into_parts(self) -> (Vec<Listener>, Key) {
        (self.listeners, self.key)
    }
}

/// Answers visitors until the heir is dropped.
async fn answer(
    sockets: &[Async<std::net::TcpListener>],
    token: Token,
    host: &Mutex<Option<SocketAddr>>,
    orders: &Receiver<Order>,
    doubts: &Sender<()>,
) {
    enum Happening {
        Order(Result<Order, async_channel::RecvError>),
        Visit(io::Result<Async<TcpStream>>),
    }
    let executor = LocalExecutor::new();
    let began = Instant::now();
    let mut standby = Standby::default();
    let visitors = Arc::new(());
    let work = async {
        let mut holds = false;
        loop {
            let order = async { Happening::Order(orders.recv().await) };
            let visit = async {
                if holds {
                    std::future::pending::<()>().await;
                }
                Happening::Visit(accept(sockets).await)
            };
            match or(order, visit).await {
                Happening::Order(Err(_)) => return,
                Happening::Order(Ok(Order::Answer)) => holds = false,
                Happening::Order(Ok(Order::Hold(held))) => {
                    holds = true;
                    held.try_send(()).ok(); // The heir may be gone.
                }
                Happening::Visit(Err(_)) => _ = Timer::after(CLOSE_TIMEOUT).await,
                Happening::Visit(Ok(visitor)) => {
                    let host = *host.lock().unwrap_or_else(PoisonError::into_inner);
                    let situation = host.map_or(Situation::Outside, Situation::Member);
                    let door = standby.visited(situation, began.elapsed());
                    if let Door::Turn { host, doubt } = door {
                        if doubt {
                            doubts.try_send(()).ok(); // One that waits does for both.
                        }
                        if Arc::strong_count(&visitors) <= MAX_VISITORS {
                            let present = visitors.clone();
                            let turn = async move {
                                turn_away(&visitor, token, host).await;
                                drop(present);
                            };
                            executor.spawn(turn).detach();
                        }
                    }
                }
            }
        }
    };
    executor.run(work).await;
}

/// The next visitor at any of the sockets.
async fn accept(sockets: &[Async<std::net::TcpListener>]) -> io::Result<Async<TcpStream>> {
    let accept = async |socket: &Async<std::net::TcpListener>| Ok(socket.accept().await?.0);
    match sockets {
        [one] => accept(one).await,
        [one, other, ..] => race(accept(one), accept(other)).await,
        [] => std::future::pending().await,
    }
}

/// Tells a visitor where the host is.
async fn turn_away(visitor: &Async<TcpStream>, token: Token, host: Option<SocketAddr>) {
    let (token, host) = (token.to_string(), host.map(|host| host.to_string()));
    let answer = Event::Elsewhere { token: &token, address: host.as_deref() };
    let answer = format!("{answer}\n");
    // It fits into the buffer of a new connection.
    let said = io::Write::write_all(&mut visitor.get_ref(), answer.as_bytes());
    if said.is_err() || visitor.get_ref().shutdown(Shutdown::Write).is_err() {
        return;
    }
    let end = async {
        let mut buffer = [0; 512];
        while visitor.read_with(|mut visitor| visitor.read(&mut buffer)).await.is_ok_and(|n| n > 0)
        {
        }
    };
    let late = async {
        Timer::after(CLOSE_TIMEOUT).await;
    };
    or(end, late).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    fn first_line(port: u16) -> String {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn visitor_is_told_the_host_and_wakes_the_member() {
        let heir = Heir::listen().unwrap();
        let token = heir.token().to_string();
        assert_eq!(first_line(heir.port()), format!("Elsewhere: {token}\n"));
        heir.answer("10.0.0.1:9000".parse().unwrap());
        assert_eq!(first_line(heir.port()), format!("Elsewhere: {token} 10.0.0.1:9000\n"));
        smol::block_on(heir.doubt());
    }

    #[test]
    fn visitor_waits_while_the_member_seeks() {
        let heir = Heir::listen().unwrap();
        smol::block_on(heir.hold());
        let port = heir.port();
        let visitor = thread::spawn(move || first_line(port));
        heir.answer("10.0.0.1:9000".parse().unwrap());
        let line = visitor.join().unwrap();
        assert!(line.ends_with(" 10.0.0.1:9000\n"), "{line}");
    }
}
