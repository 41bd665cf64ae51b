//! A server's advertisement on the network.

use std::collections::{BTreeMap, BTreeSet};
use std::future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use mdns_sd::{DaemonEvent, IfKind, IfPredicate, InterfaceId, ServiceDaemon, ServiceInfo};
use smol::Timer;
use smol::future::or;
use socket2::{Domain, Socket, Type};

use crate::discovery::probe::Answer;
use crate::discovery::{
    Encryption, Hosted, Interface, MAX_TITLE, PROTOCOL, SERVICE, interfaces, probe, shown,
};
use crate::texts::Texts;

/// The most bytes of the title in the instance label. With the suffix, and the
/// one that a conflict may add, it is a label of at most 63.
const MAX_LABEL: usize = 52;
/// The largest number of people that a record tells. Readers take no larger one.
const MAX_TOLD: usize = u32::MAX as usize;
/// How long others may take to say that they have a name already.
const ASKING: Duration = Duration::from_millis(150);
/// The least time between two announcements of another number of users.
const UPDATE: Duration = Duration::from_secs(5);
/// How long after a new address it is announced once more.
const AGAIN: Duration = Duration::from_millis(1050);
/// How long an advertisement may stay invisible until that is told.
const SEEN: Duration = Duration::from_secs(3);
/// How often the links of this machine are looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long after an announcement others are asked whether they have the name, too.
const CHECK: Duration = Duration::from_millis(400);
/// How many links one responder serves. Linux lets a socket join 20 multicast groups.
const LINKS: usize = 16;
/// How many responders there are at most, each of which is a thread.
const MAX_SLOTS: usize = 16;
/// How many responders there may be when one for a link without IPv4 is added.
const MAX_SINGLE: usize = 8;
/// The second goodbye goes out 120 ms after the first.
const GOODBYE: Duration = Duration::from_millis(200);
/// The UDP port of multicast DNS.
const MDNS_PORT: u16 = 5353;

/// The content of an advertisement.
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
    /// The port of the page for browsers, if there is one.
    pub web: Option<u16>,
    /// How the server encrypts.
    pub encryption: Encryption,
    /// The fingerprint of its key, as 32 hexadecimal digits.
    pub fingerprint: String,
    /// The marks of a hosted room, if it is one.
    pub hosted: Option<Hosted>,
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

/// Why these interfaces can neither send nor receive.
pub fn cause(interface: Option<&str>) -> Hidden {
    let networks = interfaces(interface).unwrap_or_default();
    // An advert for this machine alone needs no more than loopback.
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

/// The state of an advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It has been sent where others may be.
    Announced,
    /// It is invisible.
    Hidden(Hidden),
    /// It is not sent on these interfaces, which are too many.
    NotOn(Vec<String>),
}

/// Advertises a server until `users` is closed, which also tells how many are
/// there; then says goodbye. `tell` is told whether it can be seen, when that changes.
pub async fn advertise(advert: Advert, users: Receiver<usize>, mut tell: impl FnMut(News)) {
    let mut presence = Presence {
        links: Arc::default(),
        slots: Vec::new(),
        count: 0,
        seen: None,
        left_out: BTreeSet::new(),
    };
    let mut attempt = 0;
    loop {
        let name = Name::choose(&advert, &mut attempt).await;
        match presence.stay(&advert, &name, &users, &mut tell).await {
            End::Closed => break,
            // Another server has this name after all.
            End::Conflict => attempt = attempt.wrapping_add(1),
        }
    }
    for slot in presence.slots {
        if let Ok(status) = slot.daemon.shutdown() {
            status.recv_async().await.ok();
        }
    }
}

enum End {
    Closed,
    Conflict,
}

/// The number of the responder that answers on each link, by the link's index.
///
/// One responder does not do for all: Linux lets a socket join 20 multicast groups, and
/// a responder names the link-local addresses of all its links on each of them.
type Assigned = Arc<Mutex<BTreeMap<u32, usize>>>;

/// One responder, for some of the links.
struct Slot {
    daemon: ServiceDaemon,
    events: mdns_sd::Receiver<DaemonEvent>,
    /// Whether it is for one link without IPv4, whose link-local address it names.
    single: bool,
}

/// A server's presence on the network.
struct Presence {
    links: Assigned,
    slots: Vec<Slot>,
    count: usize,
    /// The last report: whether others can see it.
    seen: Option<bool>,
    /// The interfaces that were named as left out.
    left_out: BTreeSet<String>,
}

impl Presence {
    /// Gives each new link to a responder, and starts those that are missing. Returns
    /// the numbers of the new ones, and the names of the links for which there is none.
    fn assign(&mut self, advert: &Advert) -> (Vec<usize>, BTreeSet<String>) {
        let networks = interfaces(None).unwrap_or_default();
        let mut links: BTreeMap<u32, Link> = BTreeMap::new();
        for (place, network) in networks.iter().enumerate() {
            if advert.is_seen_on(&network.name, network.ip) {
                let link = links.entry(network.index).or_insert(Link {
                    place,
                    ipv4: false,
                    name: &network.name,
                });
                link.ipv4 |= network.ip.is_ipv4() || network.ip.is_loopback();
            }
        }
        let mut new = Vec::new();
        let mut left_out = BTreeSet::new();
        let mut assigned = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        assigned.retain(|index, slot| {
            links.get(index).is_some_and(|link| link.ipv4 || self.slots[*slot].single)
        });
        let mut waiting: Vec<(&u32, &Link)> =
            links.iter().filter(|(index, _)| !assigned.contains_key(index)).collect();
        // Links with IPv4 first, and among them those to other machines.
        waiting.sort_unstable_by_key(|(index, link)| (!link.ipv4, link.place, **index));
        for (&index, link) in waiting {
            let taken = |slot: usize| assigned.values().filter(|&&other| other == slot).count();
            let most = |single| if single { 1 } else { LINKS };
            let free = self.slots.iter().enumerate().find(|(number, slot)| {
                slot.single != link.ipv4 && taken(*number) < most(slot.single)
            });
            let limit = if link.ipv4 { MAX_SLOTS } else { MAX_SINGLE };
            let slot = match free {
                Some((number, _)) => Some(number),
                None if self.slots.len() < limit => {
                    let number = self.slots.len();
                    let slot = Slot::start(number, !link.ipv4, &self.links).ok();
                    slot.map(|slot| {
                        self.slots.push(slot);
                        new.push(number);
                        number
                    })
                }
                None => None,
            };
            match slot {
                Some(slot) => _ = assigned.insert(index, slot),
                None => _ = left_out.insert(link.name.to_string()),
            }
        }
        (new, left_out)
    }

    /// Is there under one name, until the server stops or the name turns out to be
    /// taken by another host.
    async fn stay(
        &mut self,
        advert: &Advert,
        name: &Name,
        users: &Receiver<usize>,
        tell: &mut impl FnMut(News),
    ) -> End {
        let fullname = name.info(advert, 0).get_fullname().to_string();
        let local = advert.is_local();
        let alone = || only_loopback(advert) && !local;
        let seen_somewhere = || {
            let networks = interfaces(None).unwrap_or_default();
            networks.iter().any(|network| advert.is_seen_on(&network.name, network.ip))
        };
        let register = |slot: &Slot, count| slot.daemon.register(name.info(advert, count)).ok();
        self.assign(advert);
        // It is only queued; what comes of it is an event.
        self.slots.iter().for_each(|slot| _ = register(slot, self.count));

        let (answering, answers) = async_channel::bounded(100);
        let mut asking = Vec::new();
        let mut check = Some(Instant::now() + CHECK);
        let patience = if alone() { Duration::ZERO } else { SEEN };
        let mut unseen = self.seen.is_none().then(|| Instant::now() + patience);
        let mut poll = Timer::interval(POLL);
        let mut update = None;
        let mut changed_before = Instant::now();
        loop {
            enum Happening {
                Users(Option<usize>),
                Update,
                Event(DaemonEvent),
                Answer(Answer),
                Check,
                Poll,
                Unseen,
            }
            let at = |moment: Option<Instant>| async move {
                match moment {
                    Some(moment) => _ = Timer::at(moment).await,
                    None => future::pending().await,
                }
            };
            let counted = async { Happening::Users(users.recv().await.ok()) };
            let due = async {
                at(update).await;
                Happening::Update
            };
            let event = async {
                let events = self.slots.iter().map(|slot| Box::pin(slot.events.recv_async()));
                let events: Vec<_> = events.collect();
                match first(events).await {
                    Ok(event) => Happening::Event(event),
                    Err(_) => future::pending().await,
                }
            };
            let answer =
                async { Happening::Answer(answers.recv().await.expect("we can answer ourselves")) };
            let checked = async {
                at(check).await;
                Happening::Check
            };
            let polled = async {
                smol::stream::StreamExt::next(&mut poll).await;
                Happening::Poll
            };
            let too_long = async {
                at(unseen).await;
                Happening::Unseen
            };
            let ours = or(or(counted, due), or(event, too_long));
            match or(ours, or(answer, or(checked, polled))).await {
                Happening::Users(None) => break self.leave(&fullname, End::Closed).await,
                Happening::Users(Some(now)) => {
                    if now != self.count {
                        update.get_or_insert((changed_before + UPDATE).max(Instant::now()));
                    }
                    self.count = now;
                }
                Happening::Update => {
                    update = None;
                    changed_before = Instant::now();
                    self.slots.iter().for_each(|slot| _ = register(slot, self.count));
                }
                Happening::Event(DaemonEvent::Announce(..)) if !alone() => {
                    unseen = None;
                    if self.seen.replace(true) != Some(true) {
                        tell(News::Announced);
                    }
                }
                // Others forget an address that they have just heard only if the new
                // one is announced again, a second later.
                Happening::Event(DaemonEvent::IpAdd(_)) => {
                    let again = Instant::now() + AGAIN;
                    update = Some(update.map_or(again, |due: Instant| due.max(again)));
                    check = Some(again + CHECK);
                }
                Happening::Event(_) => (),
                // Another server may have taken the name in the same moment, or on a
                // network that this machine was not on. The one of the lesser host
                // name keeps it.
                Happening::Answer(answer) => {
                    let host = answer.server.host.unwrap_or_default();
                    if answer.instance.to_lowercase() == name.label && host < name.host() {
                        break self.leave(&fullname, End::Conflict).await;
                    }
                }
                Happening::Check => {
                    check = None;
                    let networks = interfaces(advert.interface.as_deref()).unwrap_or_default();
                    asking.clear();
                    asking.extend(probe::ask(&networks, probe::CASUAL, &answering));
                }
                Happening::Poll => {
                    let (new, left_out) = self.assign(advert);
                    for &number in &new {
                        register(&self.slots[number], self.count);
                    }
                    let unnamed: Vec<String> =
                        left_out.difference(&self.left_out).cloned().collect();
                    self.left_out = left_out;
                    if !unnamed.is_empty() {
                        tell(News::NotOn(unnamed));
                    }
                    match alone() {
                        true if self.seen == Some(true) => {
                            unseen.get_or_insert(Instant::now() + SEEN);
                        }
                        false if self.seen == Some(true) => unseen = None,
                        _ => (),
                    }
                }
                Happening::Unseen => {
                    unseen = None;
                    let cause = match alone() || seen_somewhere() {
                        true => cause(advert.interface.as_deref()),
                        false => Hidden::Elsewhere,
                    };
                    if self.seen.replace(false) != Some(false) {
                        tell(News::Hidden(cause));
                    }
                }
            }
        }
    }

    /// Says goodbye under one name.
    async fn leave(&self, fullname: &str, end: End) -> End {
        let goodbyes: Vec<_> =
            self.slots.iter().filter_map(|slot| slot.daemon.unregister(fullname).ok()).collect();
        for status in goodbyes {
            status.recv_async().await.ok();
        }
        Timer::after(GOODBYE).await;
        end
    }
}

/// A link on which the server may be seen.
struct Link<'a> {
    /// Its place among all of them; links to other machines come first.
    place: usize,
    ipv4: bool,
    name: &'a str,
}

impl Slot {
    /// Starts the responder of this number. It answers on the links that are assigned
    /// to it, also when they come later.
    fn start(number: usize, single: bool, links: &Assigned) -> mdns_sd::Result<Slot> {
        let daemon = ServiceDaemon::new()?;
        let events = daemon.monitor()?;
        let links = links.clone();
        let is_ours = move |interface: &if_addrs::Interface| {
            let links = links.lock().unwrap_or_else(PoisonError::into_inner);
            interface.index.and_then(|index| links.get(&index).copied()) == Some(number)
        };
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(IfKind::Predicate(IfPredicate::new(is_ours)))?;
        daemon.set_ip_check_interval(1)?; // Else a new network is noticed in 5 s.
        Ok(Slot { daemon, events, single })
    }
}

/// The output of the first of several futures.
async fn first<T>(mut futures: Vec<Pin<Box<impl Future<Output = T>>>>) -> T {
    future::poll_fn(|context| {
        let ready = futures.iter_mut().map(|future| future.as_mut().poll(context));
        ready.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// Whether this machine has nothing but itself at the moment.
fn only_loopback(advert: &Advert) -> bool {
    let networks = interfaces(advert.interface.as_deref()).unwrap_or_default();
    networks.iter().all(|network| network.ip.is_loopback())
}

/// The names of a server on the network: no other has them, because they are made of
/// what stays the same when it is started again. So its next self takes the place
/// of one that could not say goodbye.
#[derive(Debug)]
struct Name {
    /// The label of the instance; lower-case, which is what mDNS compares.
    label: String,
    id: String,
    /// The host name without its domain, unique to this run: the packets of another
    /// server, or of a former run, are told from our own by it.
    host: String,
}

impl Name {
    /// The first name, counting attempts, that is free on the network.
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
        let outer = |network: &&Interface| !network.inner;
        let mut ips: Vec<IpAddr> =
            networks.iter().filter(outer).map(|network| network.ip).collect();
        ips.retain(|ip| !ip.is_loopback());
        if ips.iter().any(IpAddr::is_ipv4) {
            ips.retain(IpAddr::is_ipv4);
        }
        ips.sort_unstable();
        if ips.is_empty() && !advert.is_local() {
            // Without a network, nothing tells us from others that will be there too.
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
        // A last letter, because a number there could be counted up.
        let host = format!("mc-{:08x}x", fastrand::u32(..));
        Name { label: format!("{title} {}", &id[..4]), id, host }
    }

    /// The host name as others tell it.
    fn host(&self) -> String {
        format!("{}.local", self.host)
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
            ("n", users.min(MAX_TOLD).to_string()),
            ("max", advert.max_users.min(MAX_TOLD).to_string()),
            ("mv", env!("CARGO_PKG_VERSION").to_string()),
        ];
        let web = advert.web.map(|port| ("web", port.to_string()));
        let secure =
            [("sec", advert.encryption.code().to_string()), ("fp", advert.fingerprint.clone())];
        let secure = secure.into_iter().filter(|_| advert.encryption != Encryption::None);
        let hosted = advert.hosted.as_ref().map(Hosted::txt);
        // A hosted room has a name of its own, and no limit to choose: the record stays small.
        let is_needed = |key: &str| hosted.is_none() || !["id", "max"].contains(&key);
        let txt = txt.into_iter().filter(|(key, _)| is_needed(key)).chain(web).chain(secure);
        let txt: Vec<(&str, String)> = txt.chain(hosted.iter().flatten().cloned()).collect();
        // Never the machine's own host name: another program that publishes that one, as
        // Avahi and Bonjour do, would rename the machine.
        let host = format!("{}.", self.host());
        let port = advert.listening[0].port();
        let mut info = ServiceInfo::new(SERVICE, &self.label, &host, (), port, &txt[..])
            .expect("no address has to be parsed")
            .enable_addr_auto();
        let advert = advert.clone();
        let seen_on = move |interface: &if_addrs::Interface| {
            advert.is_seen_on(&interface.name, interface.ip()) && is_helpful(interface)
        };
        info.set_interfaces(vec![IfKind::Predicate(IfPredicate::new(seen_on))]);
        // Probing would rename the host when our own packets come back on another link.
        // Names are unique instead, and are checked by asking.
        info.set_requires_probe(false);
        info
    }
}

/// Whether others gain from knowing an address. One that is valid on a single
/// link helps only where there is no IPv4: elsewhere it is noise, and on other
/// links an address that does not answer.
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
    fn name_survives_a_restart_and_differs_by_machine() {
        let one: [IpAddr; 1] = ["10.0.0.1".parse().unwrap()];
        let other: [IpAddr; 1] = ["10.0.0.2".parse().unwrap()];
        let name = |ips: &[IpAddr], attempt| {
            let name = Name::new("Sala 3", ips, attempt);
            (name.label, name.id)
        };
        assert_eq!(name(&one, 0), name(&one, 0));
        assert_ne!(name(&one, 0), name(&other, 0));
        assert_ne!(name(&one, 0), name(&one, 1));
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
            let hosted = Hosted { room: u32::MAX, epoch: u32::MAX, born: 9_999_999_999 };
            assert!(name.label.len() <= 58, "{}", name.label);
            assert!(!name.label.contains(char::is_control));
            assert_eq!(name.label, name.label.to_lowercase());
            let listening = vec!["0.0.0.0:9000".parse().unwrap()];
            let advert = Advert {
                title: title.into(),
                listening,
                interface: None,
                max_users: usize::MAX,
                web: Some(u16::MAX),
                encryption: Encryption::Password,
                fingerprint: "0".repeat(32),
                hosted: None,
            };
            let check = |advert: &Advert, users, expected: &str| {
                let info = name.info(advert, users);
                let pairs = info.get_properties().iter();
                let size: usize = pairs.map(|p| 2 + p.key().len() + p.val_str().len()).sum();
                assert!(size <= 200, "{size}");
                let keys: Vec<&str> = info.get_properties().iter().map(|p| p.key()).collect();
                assert_eq!(keys.join(" "), expected);
            };
            check(&advert, usize::MAX, "txtvers pv title id n max mv web sec fp");
            let advert = Advert { hosted: Some(hosted), ..advert };
            check(&advert, 1000, "txtvers pv title n mv web sec fp room ep born");
        }
    }

    #[test]
    fn server_without_a_page_announces_no_port_of_one() {
        let listening = vec!["0.0.0.0:9000".parse().unwrap()];
        let advert = Advert {
            title: "x".into(),
            listening,
            interface: None,
            max_users: 0,
            web: None,
            encryption: Encryption::None,
            fingerprint: String::new(),
            hosted: None,
        };
        let info = Name::new("x", &[], 0).info(&advert, 0);
        for key in ["web", "sec", "fp"] {
            assert_eq!(info.get_property_val_str(key), None);
        }
    }
}
