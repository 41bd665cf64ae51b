//! Which servers are there, as it changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use mdns_sd::{IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use smol::future::or;
use smol::stream::StreamExt;
use smol::{Task, Timer};

use crate::discovery::probe::{self, Answer};
use crate::discovery::{Hidden, Interface, SERVICE, Server, by_preference, cause, interfaces};

/// How many servers are kept in mind; a hostile network has no end of them.
const MAX_SERVERS: usize = 1000;
/// How long a server has to prove that it is still there. Responders do not
/// repeat an answer within a second: with less, one that lives would be removed.
const VERIFY: Duration = Duration::from_secs(2);
/// How often to look whether a cable was pulled out or put in.
const CABLES: Duration = Duration::from_secs(1);
/// So many rounds of questions may pass without an answer.
const MISSES: u8 = 2;

/// Looks for servers until it is dropped: by browsing, and by asking at once.
pub struct Browser {
    interfaces: Vec<Interface>,
    only: Option<String>,
    daemon: ServiceDaemon,
    events: mdns_sd::Receiver<ServiceEvent>,
    answers: Receiver<Answer>,
    answering: Sender<Answer>,
    asking: Vec<Task<()>>,
    known: BTreeMap<String, Known>,
    cables: Timer,
    /// Changes that nobody was told of yet.
    changes: VecDeque<Change>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A server has come, or says something else about itself than before.
    Up(Server),
    /// It is gone.
    Down(Server),
}

/// A server, and how it is known.
struct Known {
    fullname: String,
    server: Server,
    /// Its addresses by browsing.
    browsed: BTreeSet<SocketAddr>,
    /// Its addresses by asking, and the link of each.
    probed: BTreeSet<(u32, SocketAddr)>,
    /// It was heard of since the last question.
    heard: bool,
    /// So many questions it has left without an answer.
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
        let events = daemon.browse(SERVICE).map_err(io::Error::other)?;
        let (answering, answers) = async_channel::bounded(MAX_SERVERS);
        let mut browser = Browser {
            interfaces: Vec::new(),
            only: only.map(Into::into),
            daemon,
            events,
            answers,
            answering,
            asking: Vec::new(),
            known: BTreeMap::new(),
            cables: Timer::interval(CABLES),
            changes: VecDeque::new(),
        };
        browser.ask(probe::EAGER)?;
        Ok(browser)
    }

    /// The interfaces that were asked on.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Where nobody was found, and why that may be, in words.
    pub fn explain(&self) -> (Vec<String>, String) {
        let others = self.interfaces.iter().filter(|interface| !interface.ip.is_loopback());
        let asked = others.map(Interface::to_string).collect();
        let cause = match cause(self.only.as_deref()) {
            Hidden::NoMulticast => {
                "multicast may be blocked (guest Wi-Fi, VPN, firewall)".to_string()
            }
            cause => cause.to_string(),
        };
        (asked, cause)
    }

    /// The servers that are there, by title.
    pub fn servers(&self) -> Vec<Server> {
        let mut servers: Vec<Server> =
            self.known.values().map(|known| known.server.clone()).collect();
        servers.sort_by_cached_key(|server| {
            (server.title.to_lowercase(), server.id.clone(), server.address())
        });
        servers
    }

    /// Asks once more. Who has not answered several times has to prove that they
    /// are still there, or is gone; that is a change then.
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
        self.drop_unreachable();
        self.ask(probe::CASUAL)
    }

    /// Forgets those of whom no address is left.
    fn drop_unreachable(&mut self) {
        let Browser { known, changes, .. } = self;
        known.retain(|_, known| {
            let reachable = !known.browsed.is_empty() || !known.probed.is_empty();
            if !reachable {
                changes.push_back(Change::Down(known.server.clone()));
            }
            reachable
        });
    }

    /// What was heard on links that are gone is not true any more, and on new ones
    /// nobody was asked.
    fn look_at_cables(&mut self) {
        let Ok(now) = interfaces(self.only.as_deref()) else { return };
        if now == self.interfaces {
            return;
        }
        let there = |link: u32| now.iter().any(|interface| interface.index == link);
        for known in self.known.values_mut() {
            known.probed.retain(|(link, _)| there(*link));
        }
        self.drop_unreachable();
        self.ask(probe::EAGER).ok(); // It was possible just now, and will be again.
    }

    fn ask(&mut self, times: &'static [u64]) -> io::Result<()> {
        self.interfaces = interfaces(self.only.as_deref())?;
        self.asking = probe::ask(&self.interfaces, times, &self.answering);
        Ok(())
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            enum Happening {
                Answer(Answer),
                Event(ServiceEvent),
                Cables,
            }
            let event = async {
                match self.events.recv_async().await {
                    Ok(event) => Happening::Event(event),
                    // The daemon is gone; there is still what we ask ourselves.
                    Err(_) => std::future::pending().await,
                }
            };
            let answer = async {
                Happening::Answer(self.answers.recv().await.expect("we can answer ourselves"))
            };
            let cables = async {
                self.cables.next().await;
                Happening::Cables
            };
            let change = match or(answer, or(event, cables)).await {
                Happening::Answer(answer) => self.answered(answer),
                Happening::Event(ServiceEvent::ServiceResolved(service)) => self.resolved(&service),
                Happening::Event(ServiceEvent::ServiceRemoved(_, fullname)) => {
                    self.removed(&fullname)
                }
                Happening::Event(_) => None,
                Happening::Cables => {
                    self.look_at_cables();
                    None
                }
            };
            if let Some(change) = change {
                return change;
            }
        }
    }

    fn answered(&mut self, answer: Answer) -> Option<Change> {
        let Answer { instance, server, link } = answer;
        let fullname = format!("{instance}.{SERVICE}");
        self.update(&fullname, server, |known, addresses| {
            // It names the addresses of this family and link anew.
            for address in &addresses {
                known.probed.retain(|(at, old)| *at != link || old.is_ipv4() != address.is_ipv4());
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
        server.addresses = service
            .get_addresses()
            .iter()
            .filter_map(|ip| match ip {
                ScopedIp::V4(v4) => Some(SocketAddr::from((*v4.addr(), port))),
                ScopedIp::V6(v6) => {
                    Some(probe::on_link((*v6.addr()).into(), port, v6.scope_id().index))
                }
                _ => None,
            })
            .collect();
        if port == 0 || server.addresses.is_empty() {
            return None;
        }
        self.update(service.get_fullname(), server, |known, addresses| {
            known.browsed = addresses.into_iter().collect();
            // This is newer than what was asked for before.
            let browsed = &known.browsed;
            known
                .probed
                .retain(|(_, old)| !browsed.iter().any(|new| new.is_ipv4() == old.is_ipv4()));
        })
    }

    fn removed(&mut self, fullname: &str) -> Option<Change> {
        self.known.remove(&fullname.to_lowercase()).map(|known| Change::Down(known.server))
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
        let all = known.browsed.iter().chain(known.probed.iter().map(|(_, address)| address));
        fresh.addresses = all.copied().collect::<BTreeSet<_>>().into_iter().collect();
        fresh.addresses.sort_by_key(by_preference);
        if fresh == known.server {
            return None;
        }
        known.server = fresh.clone();
        Some(Change::Up(fresh))
    }
}
