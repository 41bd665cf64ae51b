//! A server's advertisement on the network.

use std::future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use mdns_sd::{DaemonEvent, IfKind, IfPredicate, InterfaceId, ServiceDaemon, ServiceInfo};
use smol::Timer;
use smol::future::or;
use socket2::{Domain, Socket, Type};

use crate::discovery::{MAX_TITLE, PROTOCOL, SERVICE, interfaces, probe, shown};
use crate::texts::Texts;

/// The most bytes of the title in the instance label. With the suffix, and the
/// one that a conflict may add, it is a label of at most 63.
const MAX_LABEL: usize = 52;
/// How long others may take to say that they have a name already.
const ASKING: Duration = Duration::from_millis(150);
/// The least time between two announcements of another number of users.
const UPDATE: Duration = Duration::from_secs(5);
/// How long after a new address it is announced once more.
const AGAIN: Duration = Duration::from_millis(1050);
/// How long until an advertisement that nobody can see is worth a word.
const SEEN: Duration = Duration::from_secs(3);
/// The second goodbye goes out 120 ms after the first.
const GOODBYE: Duration = Duration::from_millis(200);
/// The UDP port of multicast DNS.
const MDNS_PORT: u16 = 5353;

/// What to advertise.
#[derive(Clone, Debug)]
pub struct Advert {
    /// The name for people.
    pub title: String,
    /// Where the server listens; not empty, and all on one port.
    pub listening: Vec<SocketAddr>,
    /// The only interface to be seen on.
    pub interface: Option<String>,
    /// How many people may join; 0 is no limit.
    pub max_users: usize,
}

impl Advert {
    /// Whether it is for this machine alone.
    fn is_local(&self) -> bool {
        self.listening.iter().all(|socket| socket.ip().is_loopback())
    }

    /// Whether the server listens at an address of an interface, and may be seen
    /// there.
    fn is_seen_on(&self, interface: &str, ip: IpAddr) -> bool {
        let serves = self.listening.iter().any(|socket| match socket.ip() {
            any if any.is_unspecified() => any.is_ipv4() == ip.is_ipv4(),
            one => one == ip,
        });
        serves && self.interface.as_ref().is_none_or(|only| only == interface)
    }
}

/// Why an advertisement cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// No interface that it could be seen on is up.
    NoNetwork,
    /// The server does not listen where it is to be announced.
    Elsewhere,
    /// Another program has the port of multicast DNS to itself.
    PortTaken,
    /// The network does not take what is sent to it.
    NoMulticast,
}

impl Hidden {
    /// Says it to people, in the middle of a sentence.
    pub fn tell(self, texts: &Texts) -> &'static str {
        let texts = &texts.discovery;
        match self {
            Hidden::NoNetwork => texts.no_network,
            Hidden::Elsewhere => texts.elsewhere,
            Hidden::PortTaken => texts.port_taken,
            Hidden::NoMulticast => texts.no_multicast,
        }
    }
}

/// Why nobody could be heard, or hear us, on these interfaces.
pub fn cause(interface: Option<&str>) -> Hidden {
    let networks = interfaces(interface).unwrap_or_default();
    // Who wants to be seen on this machine alone needs no more.
    if networks.is_empty()
        || interface.is_none() && networks.iter().all(|network| network.ip.is_loopback())
    {
        return Hidden::NoNetwork;
    }
    let bind = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from(([0, 0, 0, 0], MDNS_PORT)).into())
    };
    if bind().is_err() { Hidden::PortTaken } else { Hidden::NoMulticast }
}

/// Advertises a server until `users` is closed, which also tells how many are
/// there; then says goodbye. `hidden` is called if nobody can see it, once.
pub async fn advertise(advert: Advert, users: Receiver<usize>, hidden: impl FnOnce(Hidden)) {
    let Ok(daemon) = ServiceDaemon::new() else { return hidden(Hidden::NoMulticast) };
    let mut hidden = Some(hidden);
    let mut count = 0;
    let mut attempt = 0;
    loop {
        let name = Name::choose(&advert, &mut attempt).await;
        match stay(&daemon, &advert, &name, &users, &mut count, &mut hidden).await {
            End::Closed => break,
            // Somebody else has this name after all. mDNS has its own way out of
            // that, but then clients would be told wrong addresses for a while.
            End::Conflict => attempt = attempt.wrapping_add(1),
        }
    }
    if let Ok(status) = daemon.shutdown() {
        status.recv_async().await.ok();
    }
}

enum End {
    Closed,
    Conflict,
}

/// Is there under one name, until the server stops or the name turns out to be
/// somebody else's.
async fn stay(
    daemon: &ServiceDaemon,
    advert: &Advert,
    name: &Name,
    users: &Receiver<usize>,
    count: &mut usize,
    hidden: &mut Option<impl FnOnce(Hidden)>,
) -> End {
    let Ok(events) = daemon.monitor() else { return End::Closed };
    daemon.set_ip_check_interval(1).ok(); // Else a new network is noticed in 5 s.
    let info = |count, probe| {
        let mut info = name.info(advert, count);
        info.set_requires_probe(probe);
        info
    };
    let first = info(*count, true);
    let fullname = first.get_fullname().to_string();
    daemon.register(first).ok(); // It is only queued; what comes of it is an event.

    let local = advert.is_local();
    let alone = || only_loopback(advert) && !local;
    let seen_somewhere = || {
        interfaces(None)
            .unwrap_or_default()
            .iter()
            .any(|network| advert.is_seen_on(&network.name, network.ip))
    };
    let wanted = hidden.is_some() && !(local && seen_somewhere());
    let mut unseen = wanted.then(|| Timer::after(SEEN));
    let mut changed = false;
    let mut next_update = Instant::now();
    let end = loop {
        enum Happening {
            Users(Option<usize>),
            Update,
            Event(DaemonEvent),
            Unseen,
        }
        let counted = async { Happening::Users(users.recv().await.ok()) };
        let due = async {
            match changed {
                true => Timer::at(next_update).await,
                false => future::pending().await,
            };
            Happening::Update
        };
        let event = async {
            match events.recv_async().await {
                Ok(event) => Happening::Event(event),
                Err(_) => future::pending().await,
            }
        };
        let too_long = async {
            match &mut unseen {
                Some(timer) => timer.await,
                None => future::pending().await,
            };
            Happening::Unseen
        };
        match or(or(counted, due), or(event, too_long)).await {
            Happening::Users(None) => break End::Closed,
            Happening::Users(Some(now)) => {
                changed |= now != *count;
                *count = now;
            }
            Happening::Update => {
                changed = false;
                next_update = Instant::now() + UPDATE;
                daemon.register(info(*count, false)).ok();
            }
            Happening::Event(DaemonEvent::Announce(..)) if !alone() => unseen = None,
            Happening::Event(DaemonEvent::NameChange(_)) => break End::Conflict,
            // Others forget an address that they have just heard only if the new
            // one is announced again, a second later.
            Happening::Event(DaemonEvent::IpAdd(_)) => {
                changed = true;
                next_update = next_update.max(Instant::now() + AGAIN);
            }
            Happening::Event(_) => (),
            Happening::Unseen => {
                unseen = None;
                if let Some(hidden) = hidden.take() {
                    let cause = match alone() || seen_somewhere() {
                        true => cause(advert.interface.as_deref()),
                        false => Hidden::Elsewhere,
                    };
                    hidden(cause);
                }
            }
        }
    };
    if let Ok(status) = daemon.unregister(&fullname) {
        status.recv_async().await.ok();
        Timer::after(GOODBYE).await;
    }
    end
}

/// Whether this machine has nothing but itself at the moment.
fn only_loopback(advert: &Advert) -> bool {
    let networks = interfaces(advert.interface.as_deref()).unwrap_or_default();
    networks.iter().all(|network| network.ip.is_loopback())
}

/// What a server is called on the network: names that nobody else has, made of
/// what stays the same when it is started again. So its next self takes the place
/// of one that could not say goodbye.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// The label of the instance; lower-case, which is what mDNS compares.
    label: String,
    id: String,
}

impl Name {
    /// The first name, counting attempts, that nobody on the network has.
    async fn choose(advert: &Advert, attempt: &mut u32) -> Name {
        let networks = interfaces(advert.interface.as_deref()).unwrap_or_default();
        let (sender, answers) = async_channel::bounded(100);
        let asking = probe::ask(&networks, probe::CASUAL, &sender);
        let mut taken = Vec::new();
        let listening = async {
            while let Ok(answer) = answers.recv().await {
                taken.push(answer.instance.to_lowercase());
            }
        };
        let patience = async {
            Timer::after(ASKING).await;
        };
        or(listening, patience).await;
        drop(asking);

        // No two machines on one network have the same addresses; copies of one
        // machine, as in many a lab, have the same everything else.
        let mut ips: Vec<IpAddr> = networks.iter().map(|network| network.ip).collect();
        ips.retain(|ip| !ip.is_loopback());
        if ips.iter().any(IpAddr::is_ipv4) {
            ips.retain(IpAddr::is_ipv4);
        }
        ips.sort_unstable();
        if ips.is_empty() && !advert.is_local() {
            // Without a network, nothing tells us from others who will be there too.
            *attempt = fastrand::u32(..);
        }
        loop {
            let name = Name::new(&advert.title, &ips, *attempt);
            if !taken.contains(&name.label) {
                return name;
            }
            *attempt = attempt.wrapping_add(1);
        }
    }

    fn new(title: &str, ips: &[IpAddr], attempt: u32) -> Name {
        let mut hasher = DefaultHasher::new();
        (title, ips, attempt).hash(&mut hasher);
        let id = format!("{:08x}", hasher.finish() as u32);
        let title = shown(title).to_lowercase();
        let title = title[..title.floor_char_boundary(MAX_LABEL)].trim();
        Name { label: format!("{title} {}", &id[..4]), id }
    }

    /// The records of the service.
    fn info(&self, advert: &Advert, users: usize) -> ServiceInfo {
        let title = shown(&advert.title);
        debug_assert!(title.len() <= MAX_TITLE);
        let txt = [
            ("txtvers", "1".to_string()),
            ("pv", PROTOCOL.to_string()),
            ("title", title),
            ("id", self.id.clone()),
            ("n", users.to_string()),
            ("max", advert.max_users.to_string()),
            ("mv", env!("CARGO_PKG_VERSION").to_string()),
        ];
        // Never the machine's own host name: whoever else publishes that one, as
        // Avahi and Bonjour do, would rename the machine.
        let host = format!("mc-x{}.local.", self.id);
        let port = advert.listening[0].port();
        let mut info = ServiceInfo::new(SERVICE, &self.label, &host, (), port, &txt[..])
            .expect("no address has to be parsed")
            .enable_addr_auto();
        let advert = advert.clone();
        let seen_on = move |interface: &if_addrs::Interface| {
            advert.is_seen_on(&interface.name, interface.ip()) && is_helpful(interface)
        };
        info.set_interfaces(vec![IfKind::Predicate(IfPredicate::new(seen_on))]);
        info
    }
}

/// Whether others gain from knowing an address. One that is valid on a single
/// link helps only where there is no IPv4: elsewhere it is noise, and on other
/// links an address where nobody answers.
fn is_helpful(interface: &if_addrs::Interface) -> bool {
    match interface.ip() {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            let link =
                InterfaceId { name: interface.name.clone(), index: interface.index.unwrap_or(0) };
            !link.get_addrs().iter().any(IpAddr::is_ipv4)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_after_a_restart_and_another_on_another_machine() {
        let one: [IpAddr; 1] = ["10.0.0.1".parse().unwrap()];
        let other: [IpAddr; 1] = ["10.0.0.2".parse().unwrap()];
        assert_eq!(Name::new("Sala 3", &one, 0), Name::new("Sala 3", &one, 0));
        assert_ne!(Name::new("Sala 3", &one, 0), Name::new("Sala 3", &other, 0));
        assert_ne!(Name::new("Sala 3", &one, 0), Name::new("Sala 3", &one, 1));
    }

    #[test]
    fn every_title_fits_a_label_and_a_record() {
        for title in [
            "Sala 3",
            &"x".repeat(200),
            &"🎉".repeat(50),
            "Dr. Foo.Bar \\ x",
            "\x1b[2J",
            "İ".repeat(40).as_str(),
        ] {
            let name = Name::new(title, &[], 0);
            assert!(name.label.len() <= 58, "{}", name.label);
            assert!(!name.label.contains(char::is_control));
            assert_eq!(name.label, name.label.to_lowercase());
            let listening = vec!["0.0.0.0:9000".parse().unwrap()];
            let advert =
                Advert { title: title.into(), listening, interface: None, max_users: usize::MAX };
            let info = name.info(&advert, usize::MAX);
            let size: usize =
                info.get_properties().iter().map(|p| 2 + p.key().len() + p.val_str().len()).sum();
            assert!(size <= 200, "{size}");
            assert_eq!(info.get_properties().iter().next().map(|p| p.key()), Some("txtvers"));
        }
    }
}
