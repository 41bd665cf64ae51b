//! Other hosts on the network that speak DNS-SD: newer ones, careless ones, bad ones.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, AAAA, NULL, PTR, RData, SRV};
use simple_dns::{CLASS, Label, Name, Packet, PacketFlag, ResourceRecord};
use socket2::{Domain, Socket, Type};

use super::{Host, SOON, check_harmless, listed, on_a_lan};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const TTL: u32 = 10;

/// The announcement of a stranger.
#[derive(Clone)]
struct Claim {
    instance: &'static str,
    port: u16,
    /// The bytes of the TXT record; none for no such record.
    txt: Option<Vec<u8>>,
    ipv4: Vec<Ipv4Addr>,
    ipv6: Vec<Ipv6Addr>,
    tells: Tells,
}

/// The hosts that it tells, and what.
#[derive(Clone, Copy, PartialEq)]
enum Tells {
    Everything,
    /// Each asker gets everything that it asks for, and afterwards everybody all but the
    /// TXT record.
    LessLater,
    /// Nothing at first, and afterwards everybody everything.
    Later,
}

impl Claim {
    /// A service of host 3, which no host provides.
    fn new(instance: &'static str, port: u16, txt: Option<Vec<u8>>) -> Claim {
        let ipv4 = vec![[10, 77, 0, 3].into()];
        Claim { instance, port, txt, ipv4, ipv6: Vec::new(), tells: Tells::Everything }
    }

    /// As a packet that answers the question `id`, or everybody's if that is 0.
    fn answer(&self, id: u16) -> Vec<u8> {
        let service = Name::new_unchecked("_minichat._tcp.local");
        let host = format!("stranger-{}.local", self.port);
        let host = Name::new_unchecked(&host);
        let label = Label::new_unchecked(self.instance.as_bytes());
        let labels: Vec<Label> = [label].into_iter().chain(service.iter().cloned()).collect();
        let name = Name::new_with_labels(&labels);
        let mut packet = Packet::new_reply(id);
        packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        let mut add = |name: &Name<'_>, data| {
            let record = ResourceRecord::new(name.clone().into_owned(), CLASS::IN, TTL, data);
            packet.answers.push(record.into_owned());
        };
        add(&service, RData::PTR(PTR(name.clone())));
        let target = host.clone();
        add(&name, RData::SRV(SRV { priority: 0, weight: 0, port: self.port, target }));
        let forgets = self.tells == Tells::LessLater && id == 0;
        if let (Some(txt), false) = (&self.txt, forgets) {
            const TXT: u16 = 16;
            add(&name, RData::NULL(TXT, NULL::new(txt).expect("it fits a packet")));
        }
        for ip in &self.ipv4 {
            add(&host, RData::A(A { address: (*ip).into() }));
        }
        for ip in &self.ipv6 {
            add(&host, RData::AAAA(AAAA { address: (*ip).into() }));
        }
        packet.build_bytes_vec().expect("it is a packet")
    }
}

/// The strings of a TXT record.
fn txt(strings: &[&[u8]]) -> Option<Vec<u8>> {
    let length = |string: &[u8]| u8::try_from(string.len()).expect("a short string");
    let strings = strings.iter().map(|string| [&[length(string)], *string].concat());
    Some(strings.collect::<Vec<_>>().concat())
}

/// A responder that answers every question with all that it claims.
struct Stranger {
    leaving: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn on(host: &Host, claims: Vec<Claim>) -> Stranger {
        let own = Ipv4Addr::new(10, 77, 0, host.number);
        let socket = host.inside(|| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_reuse_address(true)?;
            let address: SocketAddr = (Ipv4Addr::UNSPECIFIED, 5353).into();
            socket.bind(&address.into())?;
            socket.join_multicast_v4(&GROUP, &own)?;
            socket.set_multicast_if_v4(&own)?;
            socket.set_multicast_ttl_v4(255)?;
            // How often it looks whether it is to leave.
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            std::io::Result::Ok(UdpSocket::from(socket))
        });
        let socket = socket.expect("a socket can be made");
        let leaving = Arc::new(AtomicBool::new(false));
        let left = leaving.clone();
        let thread = thread::spawn(move || {
            let mut packet = [0; 9000];
            let mut has_told = false;
            while !left.load(Ordering::Relaxed) {
                let Ok((length, sender)) = socket.recv_from(&mut packet) else { continue };
                let Ok(question) = Packet::parse(&packet[..length]) else { continue };
                if question.has_flags(PacketFlag::RESPONSE) {
                    continue;
                }
                let to_all = sender.port() == 5353;
                has_told |= !to_all;
                let is_told = |claim: &&Claim| match claim.tells {
                    Tells::Everything => true,
                    Tells::LessLater => has_told,
                    Tells::Later => has_told && to_all,
                };
                for claim in claims.iter().filter(is_told) {
                    // A question from another port wants the answer for itself.
                    let (id, to) = match to_all {
                        true => (0, (GROUP, 5353).into()),
                        false => (question.id(), sender),
                    };
                    socket.send_to(&claim.answer(id), to).ok(); // Nor does a real one care.
                }
            }
        });
        Stranger { leaving, thread: Some(thread) }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| thread.join().expect("it just answers"));
    }
}

#[test]
fn dead_addresses_delay_no_client() {
    on_a_lan(3, |lan| {
        // Its own announcement would name the right address alone.
        let _server = lan.host(1).server(&["--no-mdns"]);
        lan.host(1).ip("address add 10.77.0.200/24 dev eth0");
        let claim = Claim {
            ipv4: vec![[10, 77, 0, 9].into(), [10, 77, 0, 8].into(), [10, 77, 0, 200].into()],
            ipv6: vec!["fe80::dead".parse().unwrap(), "fd77::dead".parse().unwrap()],
            ..Claim::new("sala 3", 9000, txt(&[b"txtvers=1", b"pv=1", b"title=Sala 3"]))
        };
        let _stranger = Stranger::on(lan.host(3), vec![claim]);
        let begin = Instant::now();
        lan.host(2).joins(&["--auto"]);
        // A host that waits for the network's silence waits longer.
        assert!(begin.elapsed() < Duration::from_millis(2900), "{:?}", begin.elapsed());
    });
}

#[test]
fn hostile_records_change_nothing_for_the_others() {
    on_a_lan(3, |lan| {
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        lan.host(2).sees(&["Sala 3"]);
        let before = lan.host(2).discover(&["--json"]).stdout;

        let long = [b"title=", "é".repeat(120).as_bytes()].concat();
        let many = vec![&long[..]; 12];
        let claims = vec![
            Claim::new("no txt", 9001, None),
            Claim::new("empty txt", 9002, txt(&[])),
            Claim::new("long txt", 9003, txt(&many)),
            Claim::new("cut txt", 9004, Some(b"\xFFtitle=x".to_vec())),
            Claim::new("binary", 9005, txt(&[b"title=\xFF\xFE", b"n=\xFF", b"\xFF", b"=", b""])),
            Claim::new(
                "escapes",
                9006,
                txt(&[
                    "title=\x1b[2J\u{202E}evil\r\n\ttab\x07".as_bytes(),
                    b"mv=\x1b[31m1\n2\t3",
                    b"id=\n\x07",
                    b"n=4294967296",
                ]),
            ),
            Claim::new("\x1b[2Jname\x07\n\t", 9007, None),
            Claim::new("unknown", 9008, txt(&[b"colour=blue", b"flag", b"title=", b"pv=new"])),
            // The same name for people, from another host.
            Claim::new("Sala 3", 9009, txt(&[b"title=Sala 3", b"id=ffffffff", b"pv=2"])),
            Claim::new("no port", 0, None),
        ];
        let count = claims.len() - 1;
        let _stranger = Stranger::on(lan.host(3), claims);
        let mut watch = lan.host(2).watch();
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < count + 1 {
            let line = watch.stdout.next().expect("watching does not end");
            check_harmless(&line);
            seen.insert(line.split('\t').nth(2).map(str::to_string));
        }
        let [columns, json] = [&[][..], &["--json"]].map(|options| lan.host(2).discover(options));
        assert_eq!(listed(&columns).len(), count + 1);
        check_harmless(&columns.stdout);
        check_harmless(&json.stdout);
        assert!(json.stdout.contains(&before), "{before} is not in {}", json.stdout);
        assert_eq!(lan.host(2).joins(&["--auto"]), "* joining Sala 3 (10.77.0.1:9000)\n");
    });
}

#[test]
fn server_of_another_protocol_is_listed_and_not_joined() {
    on_a_lan(3, |lan| {
        let record = txt(&[b"txtvers=1", b"pv=2", b"title=Arte", b"mv=9.0"]);
        let _stranger = Stranger::on(lan.host(3), vec![Claim::new("arte", 9000, record)]);
        assert_eq!(listed(&lan.host(2).discover(&[])), [("Arte", "10.77.0.3:9000")]);
        for arguments in [&["--auto"][..], &["Arte"]] {
            let begin = Instant::now();
            let output = lan.host(2).tries(arguments);
            assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
            let (cause, _) = output.complaint();
            let expected = "\"Arte\" speaks another version of the protocol: 2";
            assert_eq!((output.status, cause), (Some(1), expected));
        }
        // With one that it understands beside it, that is the one.
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        lan.host(2).sees(&["Sala 3"]);
        assert_eq!(lan.host(2).joins(&["--auto"]), "* joining Sala 3 (10.77.0.1:9000)\n");
    });
}

#[test]
fn a_title_that_is_not_told_again_is_not_forgotten() {
    on_a_lan(3, |lan| {
        let record = txt(&[b"txtvers=1", b"pv=1", b"title=Arte"]);
        let claims = vec![
            Claim { tells: Tells::LessLater, ..Claim::new("arte 1234", 9000, record) },
            Claim { tells: Tells::Later, ..Claim::new("redes", 9001, None) },
        ];
        let _stranger = Stranger::on(lan.host(3), claims);
        let mut watch = lan.host(2).watch();
        for row in ["+\tArte\t10.77.0.3:9000\t", "+\tredes\t10.77.0.3:9001\t"] {
            let line = watch.stdout.next().expect("watching does not end");
            assert!(line.starts_with(row), "{line:?}");
        }
    });
}

#[test]
fn one_server_under_two_names_is_one_server() {
    on_a_lan(3, |lan| {
        let _server = lan.host(1).server(&["--no-mdns"]);
        let record = txt(&[b"txtvers=1", b"pv=1", b"title=Sala 3", b"id=a1b2c3d4"]);
        let named = |instance, record: &Option<Vec<u8>>, ip: [u8; 4]| Claim {
            ipv4: vec![ip.into()],
            ..Claim::new(instance, 9000, record.clone())
        };
        // Another title with the same id is another server, so that none hides another.
        let other = txt(&[b"txtvers=1", b"pv=2", b"title=Arte", b"id=a1b2c3d4"]);
        let claims = vec![
            named("sala 3 a1b2", &record, [10, 77, 0, 1]),
            named("sala 3 a1b2 (2)", &record, [10, 77, 0, 9]),
            named("arte a1b2", &other, [10, 77, 0, 3]),
        ];
        let _stranger = Stranger::on(lan.host(3), claims);
        let client = lan.host(2);
        client.sees(&["Sala 3", "Arte"]);
        let output = client.discover(&["--json"]);
        let servers: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(servers.len(), 2, "{servers:?}");
        assert!(servers[1].contains(r#""addresses":["10.77.0.1","10.77.0.9"]"#), "{servers:?}");
        // Neither asks which of them is meant.
        for arguments in [&[][..], &["sala 3"]] {
            assert_eq!(client.joins(arguments), "* joining Sala 3 (10.77.0.1:9000)\n");
        }
    });
}
