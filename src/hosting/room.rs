//! A room that a member's program carries.
//!
//! The server has threads of its own beside the client, and its user joins it like anybody.
//! It has no console, log or operator, and its key ends with it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use async_channel::{Receiver, Sender};
use smol::Timer;
use smol::future::or;

use crate::config::{self, WebPort};
use crate::discovery::{self, Advert, Encryption, Hosted, News};
use crate::error::Error;
use crate::hosting::{Heir, RECALL, best_address, capacities, heirs, history, host_name, page};
use crate::secure::{Identity, Key, PublicKey};
use crate::server::{self, Hub, Limits, Listener, Rules, STOP_TIMEOUT, Server, Setup, Site};
use crate::takeover::{Marks, Numbered, Tail, Token};
use crate::web;
use crate::wire::DEFAULT_PORT;

/// A room to be opened.
pub struct Plan {
    /// Its name for people.
    pub title: String,
    /// The only network interface to announce it on; none means all.
    pub interface: Option<String>,
    /// Its name, age and number of hosts.
    pub marks: Hosted,
    /// The pages of its former hosts, which go on here.
    pub former_pages: Vec<SocketAddr>,
    /// The sockets and the key of a member that goes on with the room; none if it is new.
    pub heir: Option<Heir>,
    /// The knowledge of that member.
    pub tail: Option<Tail>,
}

/// A room that is open as long as this. Its drop ends it at once.
pub struct HostedRoom {
    server: Server,
    hub: Arc<Hub>,
    title: String,
    page: Option<NonZero<u16>>,
    key: PublicKey,
    marks: Hosted,
    /// Is closed when the last goodbye of the advert is said.
    announced: Receiver<Never>,
}

/// Never sent: closing the channel that would carry it is the message.
enum Never {}

impl HostedRoom {
    /// Opens a room on the default port, or on any that is free. `tell` is told whether it
    /// can be found, when that changes.
    ///
    /// # Errors
    /// If it cannot listen, or if the system gives no threads.
    pub fn open(plan: Plan, tell: impl FnMut(News) + Send + 'static) -> Result<HostedRoom, Error> {
        let Plan { title, interface, marks, heir, tail, former_pages } = plan;
        let usual = config::Server::default();
        let (listeners, key) = match heir {
            Some(heir) => heir.into_parts(),
            None => {
                let listeners = server::bind(&[], DEFAULT_PORT).or_else(|_| server::bind(&[], 0));
                let listeners = listeners.map_err(|(address, err)| Error::Listen(address, err))?;
                (listeners, Key::generate())
            }
        };
        let listening: Vec<SocketAddr> =
            listeners.iter().map(|listener| listener.address).collect();
        // The chat does without a page.
        let page = page::listen(&[], listening[0].port(), WebPort::Default);
        let page = page.map_or_else(|_| Vec::new(), |page| page.listeners);
        let page_port = page.first().map(|listener| listener.address.port());

        let (report_to, _) = async_channel::bounded(1);
        let (users_to, users) = async_channel::bounded(1);
        let term = format!("{:08x}", fastrand::u32(..));
        let tail = tail.unwrap_or(Tail { lines: Vec::new(), last: 0, ancestors: Vec::new() });
        let Hosted { room, epoch, born } = marks;
        let rules = Rules {
            max_users: usual.max_users,
            recall: RECALL,
            term,
            hosted: Some(Marks { room: Token(room), epoch, born }),
            ancestors: tail.ancestors,
            ..Rules::default()
        };
        let capacities = capacities(!page.is_empty(), usual.max_per_address);
        let hub = Arc::new(Hub::new(rules, capacities, report_to, users_to));
        {
            let mut access = hub.lock();
            for Numbered { number, millis, line } in tail.lines {
                access.room.restore(number, millis, &line.from, &line.text);
            }
            access.room.count_from(tail.last + 1);
        }
        let (offers, open) = (hub.take_offers(), Arc::downgrade(&hub));
        spawn(move || heirs::prove(&offers, &open))?;
        let (lookups, open) = (hub.answer_lookups(), Arc::downgrade(&hub));
        spawn(move || history::answer(&lookups, &open, None))?;

        let site = Arc::new(site(&title, &listening, page_port).hosted(&former_pages));
        let page = page.into_iter().map(|listener| listener.for_page(site.clone()));
        let listeners: Vec<Listener> = listeners.into_iter().chain(page).collect();
        let public = key.public;
        let identity = Identity { key, title: title.clone(), temporary: true };
        let limits = Limits { rate: usual.rate, identity: Some(identity), ..Limits::default() };
        let server = Server::start(Setup { listeners, hub: hub.clone(), limits });
        let server = server.map_err(|err| match err.kind() {
            io::ErrorKind::WouldBlock => Error::Threads(err),
            _ => Error::Listen(listening[0], err),
        })?;

        let advert = Advert {
            title: title.clone(),
            listening,
            interface,
            max_users: usual.max_users,
            web: page_port,
            encryption: Encryption::Offered,
            fingerprint: public.fingerprint().to_hex(),
            hosted: Some(marks),
        };
        let (announces, announced) = async_channel::bounded(1);
        spawn(move || {
            smol::block_on(discovery::advertise(advert, users, tell));
            drop::<Sender<Never>>(announces);
        })?;
        let page = page_port.and_then(NonZero::new);
        Ok(HostedRoom { server, hub, title, page, key: public, marks, announced })
    }

    /// The name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its name, age and number of hosts.
    pub fn marks(&self) -> Hosted {
        self.marks
    }

    /// The key of its server.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The port of its page for browsers, if it has one.
    pub fn page(&self) -> Option<NonZero<u16>> {
        self.page
    }

    /// The room itself.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// How many members there are.
    pub fn users(&self) -> usize {
        self.server.users()
    }

    /// Where it is reached: from this machine, and then where others most likely do.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let listening = self.server.addresses();
        let port = listening[0].port();
        let others = best_address(listening).filter(|ip| !ip.is_loopback());
        let ips = [Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), others];
        ips.into_iter().flatten().map(|ip| SocketAddr::new(ip, port)).collect()
    }

    /// Where the next host is, if a member goes on with the room.
    pub fn next(&self) -> Option<String> {
        self.hub.lock().room.first_heir().map(Into::into)
    }

    /// Tells all a last line and ends the room. Waits until all have read it, and until the
    /// network knows that it is gone, for [`STOP_TIMEOUT`] at most.
    pub async fn close(self, last_line: &str) {
        let deadline = Instant::now() + STOP_TIMEOUT;
        self.server.stop(last_line, deadline).await;
        let gone = async {
            self.announced.recv().await.ok(); // It is closed, and never sent.
        };
        let late = async {
            Timer::at(deadline).await;
        };
        or(gone, late).await;
    }
}

/// The facts about the room for the page.
fn site(title: &str, listening: &[SocketAddr], port: Option<u16>) -> Site {
    let ip = best_address(listening).filter(|ip| !ip.is_loopback());
    let url = ip.zip(port).map(|(ip, port)| web::url(SocketAddr::new(ip, port)));
    Site::new(title.into(), host_name(), url)
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().spawn(work).map(drop).map_err(Error::Threads)
}
