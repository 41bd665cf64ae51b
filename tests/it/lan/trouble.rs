//! Networks that do not carry what they should.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use super::{Host, SOON, listed, on_a_lan};

/// Drops what is for many, both ways, as networks for guests do. What is for one
/// gets through.
const NO_MULTICAST: &str = "
    table inet guests {
        chain heard {
            type filter hook input priority 0; policy accept;
            ip daddr 224.0.0.0/4 udp dport 5353 drop
            ip6 daddr ff00::/8 udp dport 5353 drop
        }
        chain said {
            type filter hook output priority 0; policy accept;
            ip daddr 224.0.0.0/4 udp dport 5353 drop
            ip6 daddr ff00::/8 udp dport 5353 drop
        }
    }";

/// Lets in only what was asked for.
const FIREWALL: &str = "
    table inet firewall {
        chain heard {
            type filter hook input priority 0; policy drop;
            ct state established,related accept
            iif lo accept
            meta l4proto { icmp, ipv6-icmp } accept
        }
    }";

#[test]
fn where_multicast_is_blocked_a_scan_helps() {
    on_a_lan(3, |lan| {
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        lan.host(2).nft(NO_MULTICAST);
        lan.host(3).nft(FIREWALL);
        thread::scope(|scope| {
            for host in [lan.host(2), lan.host(3)] {
                scope.spawn(move || {
                    for arguments in [&["discover"][..], &["connect", "--auto", "--nick", "bot"]] {
                        let begin = Instant::now();
                        let output = host.run(arguments, "");
                        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
                        let (cause, way_out) = output.complaint();
                        assert_eq!(output.status, Some(3), "{cause}");
                        assert!(cause.contains("multicast may be blocked"), "{cause}");
                        assert!(way_out.contains("minichat discover --scan"), "{way_out}");
                    }
                    let begin = Instant::now();
                    let output = host.discover(&["--scan"]);
                    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
                    let row = "10.77.0.1\t10.77.0.1:9000\t\t\n";
                    assert_eq!((output.status, &*output.stdout), (Some(0), row));
                    // It knocks on many doors, and says so.
                    assert!(output.stderr.contains("port 9000"), "{}", output.stderr);
                });
            }
        });
    });
}

/// Takes the port of multicast DNS and does not share it.
fn hold_the_port(host: &Host) -> Socket {
    host.inside(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket can be made");
        let address: SocketAddr = (Ipv4Addr::UNSPECIFIED, 5353).into();
        socket.bind(&address.into()).expect("nobody else has the port");
        socket
    })
}

#[test]
fn port_of_another_program_is_named_once() {
    on_a_lan(2, |lan| {
        let [here, elsewhere] = [lan.host(1), lan.host(2)];
        let held = hold_the_port(here);
        // Without IPv6 there is no other way either.
        here.ip("-6 address flush dev eth0");
        let mut server = here.server(&["--name", "Sala 3"]);
        let warning = server.stderr.next();
        let expected = "minichat: warning: not announced (another program holds UDP port 5353); \
                        people can join by address";
        assert_eq!(warning.as_deref(), Some(expected));
        elsewhere.joins(&["10.77.0.1"]);
        server.signal("TERM");
        let output = server.output();
        assert_eq!((output.status, output.stderr.lines().count()), (Some(0), 1));

        let output = here.discover(&["--timeout", "1"]);
        let (cause, _) = output.complaint();
        assert_eq!(output.status, Some(3));
        assert!(cause.contains("another program holds UDP port 5353"), "{cause}");

        // A program that asks from a port of its own finds all the same.
        let _server = elsewhere.server(&["--name", "Arte"]);
        let output = here.discover(&["--timeout", "20", "--first"]);
        assert_eq!(listed(&output), [("Arte", "10.77.0.2:9000")]);
        drop(held);
    });
}

#[test]
fn without_a_network_that_is_the_cause() {
    on_a_lan(1, |lan| {
        let host = lan.host(1);
        host.ip("link set eth0 down\nlink set lo down");
        thread::scope(|scope| {
            for arguments in [&["discover"][..], &["connect", "--auto", "--nick", "bot"]] {
                scope.spawn(move || {
                    let output = host.run(arguments, "");
                    let (cause, _) = output.complaint();
                    assert_eq!(output.status, Some(3));
                    assert!(cause.contains("no network interface is up"), "{cause}");
                });
            }
            let mut server = host.server(&["--name", "Sala 3"]);
            server.stderr.find("not announced (no network interface is up)");
            server.signal("TERM");
            let output = server.output();
            assert_eq!((output.status, output.stderr.lines().count()), (Some(0), 1));
        });
    });
}
