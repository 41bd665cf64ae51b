//! The one-shot query of RFC 6762, section 5.1, beside the browser's own.
//!
//! It asks from a port of its own, so an answer comes to us alone and at
//! once. Answers to everybody wait for others to be added, and are not repeated
//! within a second: a client that starts right after another would wait so long.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use async_channel::Sender;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, TYPE};
use smol::future::or;
use smol::{Async, Task, Timer};

use crate::discovery::{Interface, SERVICE, Server, is_link_local};

/// The port and the groups of multicast DNS.
const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0xFB);
/// When to ask, in milliseconds after the time before: radio networks lose many
/// packets that are for all.
pub const EAGER: &[u64] = &[0, 100, 200, 400, 800];
/// When to ask if others have been asked before, and more is not at stake.
pub const CASUAL: &[u64] = &[0, 100];
/// The longest packet of multicast DNS, in bytes.
const MAX_PACKET: usize = 9000;
/// How many servers one packet can hold, and how many addresses each. One machine
/// answers for itself; a host that fills packets only wants to give us work.
const MAX_SERVERS: usize = 16;
const MAX_ADDRESSES: usize = 32;

/// A server that has answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The first label of its instance name.
    pub instance: String,
    /// Its answer; with the addresses that it named on this link.
    pub server: Server,
    /// The link, by the index of its interface.
    pub link: u32,
}

/// Asks on these interfaces, and listens until it is dropped. Answers go to
/// `answers`.
pub fn ask(
    interfaces: &[Interface],
    times: &'static [u64],
    answers: &Sender<Answer>,
) -> Vec<Task<()>> {
    let sockets = interfaces.iter().filter_map(|interface| {
        // An interface that is going down is not worth a word.
        let (socket, group) = open(interface).ok()??;
        let ours = interfaces.iter().filter(|other| other.index == interface.index);
        let alone = ours.map(|other| other.ip).all(is_link_local);
        let link = interface.index;
        Some(smol::spawn(converse(socket, group, times, link, alone, answers.clone())))
    });
    sockets.collect()
}

/// A socket that sends on this interface, and the group to send to. IPv4 finds
/// the interface by the source address, IPv6 by the link; one address is enough
/// for each link.
fn open(interface: &Interface) -> std::io::Result<Option<(Async<UdpSocket>, SocketAddr)>> {
    let (source, group): (SocketAddr, SocketAddr) = match interface.ip {
        IpAddr::V4(ip) => ((ip, 0).into(), (GROUP_V4, PORT).into()),
        IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_loopback() => (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            SocketAddrV6::new(GROUP_V6, PORT, 0, interface.index).into(),
        ),
        IpAddr::V6(_) => return Ok(None),
    };
    Ok(Some((Async::<UdpSocket>::bind(source)?, group)))
}

/// Asks and listens on one link. A machine that is `alone` there has no address that is
/// valid beyond it.
async fn converse(
    socket: Async<UdpSocket>,
    group: SocketAddr,
    times: &'static [u64],
    link: u32,
    alone: bool,
    answers: Sender<Answer>,
) {
    // A stranger has to guess the port and this to answer in another's place.
    let id = fastrand::u16(..);
    let question = question(id);
    let asking = async {
        for &pause in times {
            Timer::after(Duration::from_millis(pause)).await;
            socket.send_to(&question, group).await.ok(); // It may work the next time.
        }
        std::future::pending().await
    };
    let listening = async {
        let mut packet = vec![0; MAX_PACKET];
        loop {
            // There may be no server at all, which some systems call an error.
            let Ok((length, sender)) = socket.recv_from(&mut packet).await else { continue };
            if sender.port() != PORT {
                continue;
            }
            for mut answer in read(&packet[..length], id, link) {
                // None of the addresses that it names may be one that we can reach,
                // but the one that it answers from is.
                let addresses = &mut answer.server.addresses;
                if alone && !addresses.iter().any(|address| is_link_local(address.ip())) {
                    addresses.push(on_link(sender.ip(), answer.server.port, link));
                }
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        }
    };
    or(asking, listening).await;
}

fn question(id: u16) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    let name = Name::new_unchecked(SERVICE.trim_end_matches('.'));
    packet.questions.push(Question::new(name, TYPE::PTR.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().expect("one question is a packet")
}

/// The servers in one answer. A packet that makes no sense holds none.
pub fn read(packet: &[u8], id: u16, link: u32) -> Vec<Answer> {
    let Ok(packet) = Packet::parse(packet) else { return Vec::new() };
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return Vec::new();
    }
    let service = Name::new_unchecked(SERVICE.trim_end_matches('.'));
    let records = || packet.answers.iter().chain(&packet.additional_records);

    let mut txt: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    let mut addresses: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for record in records() {
        let name = record.name.to_string().to_lowercase();
        match &record.rdata {
            RData::TXT(pairs) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let pairs = pairs
                    .iter_raw()
                    .map(|(key, value)| (text(key), value.unwrap_or_default().to_vec()));
                txt.insert(name, pairs.collect());
            }
            RData::A(a) => {
                addresses.entry(name).or_default().push(Ipv4Addr::from(a.address).into())
            }
            RData::AAAA(a) => {
                addresses.entry(name).or_default().push(Ipv6Addr::from(a.address).into())
            }
            _ => (),
        }
    }
    let instances = records().filter_map(|record| match &record.rdata {
        RData::SRV(srv) if srv.port > 0 && record.name.without(&service).is_some() => {
            let instance = String::from_utf8_lossy(record.name.as_bytes().next()?).into_owned();
            let txt = txt.get(&record.name.to_string().to_lowercase());
            let pairs =
                txt.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_slice()));
            let host = srv.target.to_string();
            let mut server = Server::new(&instance, &host, srv.port, pairs);
            let ips = addresses.get(&host.to_lowercase()).into_iter().flatten().take(MAX_ADDRESSES);
            server.addresses = ips.map(|&ip| on_link(ip, srv.port, link)).collect();
            Some(Answer { instance, server, link })
        }
        _ => None,
    });
    let answers = instances.take(MAX_SERVERS);
    answers.filter(|answer| !answer.server.addresses.is_empty()).collect()
}

/// The socket address of an IP address that was named on a link.
pub fn on_link(ip: IpAddr, port: u16, link: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, link).into(),
        ip => SocketAddr::new(ip, port),
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, AAAA, SRV, TXT};

    use super::*;

    fn answer(id: u16, txt: TXT<'static>) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        let name = || Name::new_unchecked("sala 3 a1b2._minichat._tcp.local");
        let host = || Name::new_unchecked("mc-x1.local");
        let mut add = |name, rdata| {
            packet.answers.push(ResourceRecord::new(name, CLASS::IN, 10, rdata));
        };
        add(name(), RData::SRV(SRV { priority: 0, weight: 0, port: 9001, target: host() }));
        add(name(), RData::TXT(txt));
        add(host(), RData::A(A { address: 0x0A4D_0001 }));
        add(host(), RData::AAAA(AAAA { address: 0xFE80 << 112 | 1 }));
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn an_answer_holds_a_server_with_its_addresses_on_this_link() {
        let txt = TXT::new().with_string("pv=1").unwrap().with_string("title=Sala 3").unwrap();
        let answers = read(&answer(7, txt), 7, 3);
        let [Answer { instance, server, link: 3 }] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((instance.as_str(), server.title.as_str()), ("sala 3 a1b2", "Sala 3"));
        let expected: [SocketAddr; 2] =
            ["10.77.0.1:9001".parse().unwrap(), "[fe80::1%3]:9001".parse().unwrap()];
        assert_eq!(server.addresses, expected);
    }

    #[test]
    fn answer_to_another_host_is_not_ours() {
        assert_eq!(read(&answer(8, TXT::new()), 7, 3), []);
        assert_eq!(read(&question(7), 7, 3), []);
    }

    #[test]
    fn a_packet_full_of_records_holds_no_more_than_a_few_servers() {
        let mut packet = Packet::new_reply(7);
        let name = |labels| Name::new_unchecked(labels);
        for n in 0..200 {
            let srv = SRV { priority: 0, weight: 0, port: 9001, target: name("mc-x1.local") };
            let mut add = |name, rdata| {
                packet.answers.push(ResourceRecord::new(name, CLASS::IN, 10, rdata));
            };
            add(name("sala 3 a1b2._minichat._tcp.local"), RData::SRV(srv));
            add(name("mc-x1.local"), RData::A(A { address: 0x0A4D_0000 + n }));
        }
        let answers = read(&packet.build_bytes_vec_compressed().unwrap(), 7, 3);
        assert_eq!(answers.len(), MAX_SERVERS);
        assert!(answers.iter().all(|answer| answer.server.addresses.len() == MAX_ADDRESSES));
    }

    #[test]
    fn whatever_arrives_is_no_reason_to_panic() {
        let good = answer(7, TXT::new().with_string("title=x").unwrap());
        let mut dice = fastrand::Rng::with_seed(5);
        for length in 0..good.len() {
            read(&good[..length], 7, 3);
        }
        for _ in 0..20_000 {
            let mut packet = good.clone();
            for _ in 0..dice.usize(1..6) {
                let at = dice.usize(..packet.len());
                packet[at] = dice.u8(..);
            }
            read(&packet, 7, 3);
        }
    }
}
