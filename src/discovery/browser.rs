//! Which servers are there, as it changes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use mdns_sd::{DaemonEvent, IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use smol::future::or;
use smol::{Task, Timer};

use crate::discovery::probe::{self, Answer};
use crate::discovery::{Hidden, Interface, SERVICE, Server, by_preference, cause, interfaces};
use crate::texts::Texts;

/// How many servers are kept in mind; a hostile network has no end of them.
const MAX_SERVERS: usize = 1000;
/// How long a server has to prove that it is still there. Responders do not
/// repeat an answer within a second: with less, one that lives would be removed.
const VERIFY: Duration = Duration::from_secs(2);
/// How long a server that has fewer addresses than before is taken for one that says
/// goodbye: its records do not go all at once.
const THINNED: Duration = Duration::from_secs(1);
/// How many rounds of questions may pass without an answer.
const MISSES: u8 = 2;

/// Looks for servers until it is dropped: by browsing, and by asking at once.
pub struct Browser {
    interfaces: Vec<Interface>,
    only: Option<String>,
    daemon: ServiceDaemon,
    events: mdns_sd::Receiver<ServiceEvent>,
    /// Also tells which addresses this machine gets and loses.
    monitor: mdns_sd::Receiver<DaemonEvent>,
    answers: Receiver<Answer>,
    answering: Sender<Answer>,
    asking: Vec<Task<()>>,
    known: BTreeMap<String, Known>,
    /// The events that are still to be told.
    changes: VecDeque<Change>,
    /// Whose addresses will be these alone, and when, unless more is heard of them.
    thinned: VecDeque<(Instant, String, Addresses)>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A server has come, or says something else about itself than before.
    Up(Server),
    /// It is gone.
    Down(Server),
}

/// Addresses of a server, and the link of each.
type Addresses = BTreeSet<(u32, SocketAddr)>;

/// A server, and how it is known.
struct Known {
    fullname: String,
    server: Server,
    /// Its addresses by browsing.
    browsed: Addresses,
    /// Its addresses by asking.
    probed: Addresses,
    /// It was heard of since the last question.
    heard: bool,
    /// How many questions it has left without an answer.
    missed: u8,
}

impl Browser {
    /// Begins to look, on all interfaces or those with this name.
    ///
    /// # Errors
    /// If the system does not tell its interfaces or allow a thread.
    pub fn start(only: Option<&str>) -> io::Result<Browser> {
        let daemon = ServiceDaemon::new().map_err(io::Error::other)?;
        // A cable that is pulled or put in again is noticed so much sooner.
        daemon.set_ip_check_interval(1).map_err(io::Error::other)?;
        if let Some(name) = only {
            daemon.disable_interface(IfKind::All).map_err(io::Error::other)?;
            daemon.enable_interface(IfKind::Name(name.into())).map_err(io::Error::other)?;
        }
        let monitor = daemon.monitor().map_err(io::Error::other)?;
        let events = daemon.browse(SERVICE).map_err(io::Error::other)?;
        let (answering, answers) = async_channel::bounded(MAX_SERVERS);
        let mut browser = Browser {
            interfaces: Vec::new(),
            only: only.map(Into::into),
            daemon,
            events,
            monitor,
            answers,
            answering,
            asking: Vec::new(),
            known: BTreeMap::new(),
            changes: VecDeque::new(),
            thinned: VecDeque::new(),
        };
        browser.ask(probe::EAGER)?;
        Ok(browser)
    }

    /// The interfaces that were asked on.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Where no server was found, and why that may be, in words.
    pub fn explain(&self, texts: &Texts) -> (Vec<String>, &'static str) {
        let mut ips: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for interface in self.interfaces.iter().filter(|interface| !interface.ip.is_loopback()) {
            ips.entry(&interface.name).or_default().push(interface.ip.to_string());
        }
        let asked =
            ips.into_iter().map(|(name, ips)| format!("{name} ({})", ips.join(", "))).collect();
        let cause = match cause(self.only.as_deref()) {
            Hidden::NoMulticast => texts.discovery.blocked,
            cause => cause.tell(texts),
        };
        (asked, cause)
    }

    /// The servers that are there, by title.
    pub fn servers(&self) -> Vec<Server> {
        let mut servers = self.merge(self.known.values().map(|known| &known.server));
        servers.sort_by_cached_key(|server| {
            (server.title.to_lowercase(), server.id.clone(), server.address())
        });
        servers
    }

    /// Asks once more. A server that has not answered several times has to prove that it
    /// is still there, or is gone; that is a change then.
    ///
    /// # Errors
    /// If the system does not tell its interfaces.
    pub fn ask_again(&mut self) -> io::Result<()> {
        for known in self.known.values_mut() {
            known.missed = if known.heard { 0 } else { known.missed + 1 };
            known.heard = false;
            if known.missed == MISSES && !known.browsed.is_empty() {
                // Its removal will be an event.
                self.daemon.verify(known.fullname.clone(), VERIFY).ok();
            } else if known.missed > MISSES {
                known.browsed.clear();
                known.probed.clear();
            }
        }
        self.ask(probe::CASUAL)
    }

    fn ask(&mut self, times: &'static [u64]) -> io::Result<()> {
        self.interfaces = interfaces(self.only.as_deref())?;
        self.forget();
        self.asking = probe::ask(&self.interfaces, times, &self.answering);
        Ok(())
    }

    /// Waits for a change until `moment`. Whether there was one.
    pub async fn changes_before(&mut self, moment: Instant) -> bool {
        let changed = async {
            self.next().await;
            true
        };
        let over = async {
            Timer::at(moment).await;
            false
        };
        or(over, changed).await
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Change {
        enum Happening {
            Answer(Answer),
            Event(ServiceEvent),
            Network(DaemonEvent),
            Settled,
        }
        loop {
            if let Some(change) = self.changes.pop_front() {
                return self.merge_change(change);
            }
            // Without the daemon there is still what we ask ourselves.
            let event = async {
                match self.events.recv_async().await {
                    Ok(event) => Happening::Event(event),
                    Err(_) => std::future::pending().await,
                }
            };
            let network = async {
                match self.monitor.recv_async().await {
                    Ok(event) => Happening::Network(event),
                    Err(_) => std::future::pending().await,
                }
            };
            let answer = async {
                Happening::Answer(self.answers.recv().await.expect("we can answer ourselves"))
            };
            let settled = async {
                match self.thinned.front() {
                    Some((moment, ..)) => _ = Timer::at(*moment).await,
                    None => std::future::pending().await,
                }
                Happening::Settled
            };
            let change = match or(answer, or(or(event, network), settled)).await {
                Happening::Answer(answer) => self.answered(answer),
                Happening::Event(ServiceEvent::ServiceResolved(service)) => self.resolved(&service),
                Happening::Event(ServiceEvent::ServiceRemoved(_, fullname)) => {
                    self.removed(&fullname)
                }
                Happening::Event(_) => None,
                Happening::Network(DaemonEvent::IpAdd(_) | DaemonEvent::IpDel(_)) => {
                    self.moved();
                    None
                }
                Happening::Network(_) => None,
                Happening::Settled => self.settled(),
            };
            if let Some(change) = change {
                return self.merge_change(change);
            }
        }
    }

    /// Makes one server of those that are one, though under several names on the network.
    /// It has the addresses of all of them. Of a hosted room the record of the last host
    /// counts, because others may be left from those before.
    fn merge<'a>(&self, servers: impl Iterator<Item = &'a Server>) -> Vec<Server> {
        let mut merged: BTreeMap<_, Server> = BTreeMap::new();
        for server in servers {
            let one = merged.entry(server.identity()).or_insert_with(|| server.clone());
            match server.epoch().cmp(&one.epoch()) {
                Ordering::Greater => *one = server.clone(),
                Ordering::Equal => one.addresses.extend(&server.addresses),
                Ordering::Less => (),
            }
        }
        let mut merged: Vec<Server> = merged.into_values().collect();
        for server in &mut merged {
            sort(&mut server.addresses, &self.interfaces);
        }
        merged
    }

    /// A change of one name, as a change of the server that has it.
    fn merge_change(&self, change: Change) -> Change {
        let (Change::Up(server) | Change::Down(server)) = &change;
        let names = self.known.values().map(|known| &known.server);
        let names = names.filter(|other| other.identity() == server.identity());
        match self.merge(names).pop() {
            Some(server) => Change::Up(server),
            None => change,
        }
    }

    /// This machine may have other addresses than before, and other links.
    fn moved(&mut self) {
        if interfaces(self.only.as_deref()).is_ok_and(|now| now != self.interfaces) {
            self.ask(probe::EAGER).ok(); // There is a next time.
        }
    }

    /// Forgets what was only heard on links that are gone.
    fn forget(&mut self) {
        let interfaces = &self.interfaces;
        self.known.retain(|_, known| {
            known.probed.retain(|(link, address)| {
                interfaces.iter().any(|interface| {
                    interface.index == *link && interface.ip.is_ipv4() == address.is_ipv4()
                })
            });
            let addresses = known.list(interfaces);
            if addresses.is_empty() {
                self.changes.push_back(Change::Down(known.server.clone()));
                return false;
            }
            if addresses != known.server.addresses {
                known.server.addresses = addresses;
                self.changes.push_back(Change::Up(known.server.clone()));
            }
            true
        });
    }

    /// Whether a stranger may have this address on this link.
    fn believes(&self, link: u32, address: &SocketAddr) -> bool {
        let local = |interface: &Interface| interface.index == link && interface.ip.is_loopback();
        match address.ip() {
            ip if ip.is_unspecified() || ip.is_multicast() => false,
            IpAddr::V4(ip) if ip.is_broadcast() => false,
            ip if ip.is_loopback() => self.interfaces.iter().any(local),
            _ => true,
        }
    }

    fn answered(&mut self, answer: Answer) -> Option<Change> {
        let Answer { instance, mut server, link } = answer;
        server.addresses.retain(|address| self.believes(link, address));
        if server.addresses.is_empty() {
            return None;
        }
        let fullname = format!("{instance}.{SERVICE}");
        self.update(&fullname, server, |known, addresses| {
            // It names the addresses of this family and link anew, whatever was
            // announced and is remembered.
            for address in &addresses {
                let other = |(at, old): &(u32, SocketAddr)| {
                    *at != link || old.is_ipv4() != address.is_ipv4()
                };
                known.probed.retain(other);
                known.browsed.retain(other);
            }
            known.probed.extend(addresses.into_iter().map(|address| (link, address)));
        })
    }

    fn resolved(&mut self, service: &ResolvedService) -> Option<Change> {
        let instance = service.get_fullname().strip_suffix(SERVICE)?.strip_suffix('.')?;
        let txt = service.get_properties().iter();
        let txt = txt.map(|property| (property.key(), property.val().unwrap_or_default()));
        let mut server = Server::new(instance, service.get_hostname(), service.get_port(), txt);
        let port = server.port;
        let mut browsed = Addresses::new();
        for ip in service.get_addresses() {
            match ip {
                ScopedIp::V4(v4) => browsed.extend(
                    v4.interface_ids()
                        .iter()
                        .map(|link| (link.index, SocketAddr::from((*v4.addr(), port)))),
                ),
                ScopedIp::V6(v6) => {
                    let link = v6.scope_id().index;
                    browsed.insert((link, probe::on_link((*v6.addr()).into(), port, link)));
                }
                _ => (),
            }
        }
        browsed.retain(|(link, address)| self.believes(*link, address));
        server.addresses = browsed.iter().map(|(_, address)| *address).collect();
        if port == 0 || server.addresses.is_empty() {
            return None;
        }
        // A TXT record may be about to expire when the others are told: that is no
        // reason to take a server for one without a title.
        if service.get_properties().is_empty()
            && let Some(known) = self.known.get(&service.get_fullname().to_lowercase())
            && (known.server.port, &known.server.host) == (port, &server.host)
        {
            server = Server { addresses: server.addresses, ..known.server.clone() };
        }
        let key = service.get_fullname().to_lowercase();
        let thinned = self.known.get(&key).is_some_and(|known| {
            let same = (known.server.port, &known.server.host) == (port, &server.host);
            same && browsed.len() < known.browsed.len() && browsed.is_subset(&known.browsed)
        });
        self.thinned.retain(|(_, other, _)| *other != key);
        if thinned {
            self.thinned.push_back((Instant::now() + THINNED, key, browsed));
            return self.update(service.get_fullname(), server, |_, _| ());
        }
        self.update(service.get_fullname(), server, |known, _| {
            // This is newer than what was asked for before.
            known.probed.retain(|(_, old)| !browsed.iter().any(|(_, new)| kind(new) == kind(old)));
            known.browsed = browsed;
        })
    }

    /// A server that has fewer addresses than before is still there, perhaps.
    fn settled(&mut self) -> Option<Change> {
        let (_, key, browsed) = self.thinned.pop_front()?;
        let known = self.known.get_mut(&key)?;
        known.browsed.retain(|address| browsed.contains(address)); // Others may be gone, too.
        let addresses = known.list(&self.interfaces);
        (addresses != known.server.addresses).then(|| {
            known.server.addresses = addresses;
            Change::Up(known.server.clone())
        })
    }

    fn removed(&mut self, fullname: &str) -> Option<Change> {
        let key = fullname.to_lowercase();
        self.thinned.retain(|(_, other, _)| *other != key);
        self.known.remove(&key).map(|known| Change::Down(known.server))
    }

    /// Merges what a server says now with what is known of it. `learn` takes its
    /// addresses.
    fn update(
        &mut self,
        fullname: &str,
        mut fresh: Server,
        learn: impl FnOnce(&mut Known, Vec<SocketAddr>),
    ) -> Option<Change> {
        let key = fullname.to_lowercase();
        if self.known.len() >= MAX_SERVERS && !self.known.contains_key(&key) {
            return None;
        }
        let addresses = std::mem::take(&mut fresh.addresses);
        let known = self.known.entry(key).or_insert_with(|| Known {
            fullname: fullname.into(),
            server: fresh.clone(),
            browsed: BTreeSet::new(),
            probed: BTreeSet::new(),
            heard: true,
            missed: 0,
        });
        if (known.server.port, &known.server.host) != (fresh.port, &fresh.host) {
            // It was started anew: nothing that it was is still true.
            known.browsed.clear();
            known.probed.clear();
        }
        known.heard = true;
        learn(known, addresses);
        fresh.addresses = known.list(&self.interfaces);
        if fresh == known.server {
            return None;
        }
        known.server = fresh.clone();
        Some(Change::Up(fresh))
    }
}

impl Known {
    /// All its addresses, best first.
    fn list(&self, interfaces: &[Interface]) -> Vec<SocketAddr> {
        let all = self.browsed.iter().chain(&self.probed);
        let mut all: Vec<SocketAddr> = all.map(|(_, address)| *address).collect();
        sort(&mut all, interfaces);
        all
    }
}

/// Puts the best addresses first, and each once.
fn sort(addresses: &mut Vec<SocketAddr>, interfaces: &[Interface]) {
    addresses.sort_unstable_by_key(|address| by_preference(address, interfaces));
    addresses.dedup();
}

/// The key that tells addresses apart that take each other's place.
fn kind(address: &SocketAddr) -> (bool, bool) {
    let link_local = |ip| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    (address.is_ipv4(), link_local(address.ip()))
}
