//! Machines with many links: containers, docks, and networks inside the machine.

use serde_json::Value;

use super::{Host, Lan, listed, on_a_lan};

/// Lays a cable from a host to itself, as containers do; its ends have link-local
/// addresses only.
fn add_pair(host: &Host, number: usize) {
    host.ip(&format!(
        "link add v{number} type veth peer name w{number}
         link set v{number} up
         link set w{number} up"
    ));
}

/// A bridge with an IPv4 address and something plugged in, as for containers.
fn add_bridge(host: &Host, number: usize) {
    let second = 20 + number;
    add_pair(host, number);
    host.ip(&format!(
        "link add d{number} type bridge
         address add 172.{second}.0.1/16 dev d{number}
         link set v{number} master d{number}
         link set d{number} up"
    ));
}

/// The servers that a host sees.
fn seen(host: &Host) -> Vec<Value> {
    let output = host.discover(&["--json", "--timeout", "10"]);
    let lines = output.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

/// Waits until a host sees the server at this address.
fn sees_at(host: &Host, address: &str) {
    let mut watch = host.watch();
    while !watch.stdout.next().expect("watching does not end").contains(address) {}
}

#[test]
fn new_links_leave_one_server_under_one_name() {
    on_a_lan(2, |lan| {
        let [here, there] = [lan.host(1), lan.host(2)];
        let _server = here.server(&["--name", "one"]);
        here.sees(&["one"]);
        let before = seen(here)[0]["host"].clone();
        for number in 1..4 {
            add_pair(here, number);
        }
        for host in [here, here, here, there] {
            let servers = seen(host);
            assert_eq!(servers.len(), 1, "{servers:?}");
            assert_eq!(servers[0]["host"], before);
        }
        here.joins(&[]);
    });
}

#[test]
fn two_links_to_one_lan_show_one_server() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--name", "one"]);
        lan.host(2).sees(&["one"]);
        lan.plug(lan.host(1), "eth1", "br0");
        lan.host(1).ip("-6 address add fe80::81/64 dev eth1 nodad");
        // IPv4 comes later, as it does by DHCP.
        lan.host(1).ip("address add 10.77.0.81/24 dev eth1");
        for host in [1, 2, 2, 1] {
            let servers = seen(lan.host(host));
            assert_eq!(servers.len(), 1, "{servers:?}");
        }
        lan.host(2).joins(&[]);
    });
}

/// The hosts of a LAN of two, where the first has so many bridges before its LAN.
fn with_bridges(lan: &Lan, bridges: usize) -> [&Host; 2] {
    let [here, there] = [lan.host(1), lan.host(2)];
    here.ip("link del eth0");
    for number in 1..=bridges {
        add_bridge(here, number);
    }
    lan.plug(here, "eth0", "br0");
    here.ip(&here.home());
    there.ip("-6 address flush dev eth0");
    [here, there]
}

#[test]
fn server_with_25_more_networks_is_found_over_ipv4() {
    on_a_lan(2, |lan| {
        let [here, there] = with_bridges(lan, 25);
        let _server = here.server(&["--name", "many"]);
        sees_at(there, "10.77.0.1:9000");
        there.joins(&["many"]);
    });
}

#[test]
fn addresses_of_containers_stay_on_their_links() {
    on_a_lan(2, |lan| {
        let [here, there] = [lan.host(1), lan.host(2)];
        for number in 1..=6 {
            add_bridge(here, number);
        }
        add_pair(here, 9);
        let server = here.server(&["--name", "docker"]);
        there.sees(&["docker"]);
        let addresses = seen(there)[0]["addresses"].clone();
        let foreign = |ip: &&Value| {
            let ip = ip.as_str().unwrap_or_default();
            ip.starts_with("172.") || ip.starts_with("fe80") && !ip.starts_with("fe80::1%")
        };
        let foreign: Vec<_> =
            addresses.as_array().expect("a list").iter().filter(foreign).collect();
        assert!(foreign.is_empty(), "{addresses}");
        server.signal("TERM");
        let told = server.output().stdout;
        assert!(told.contains("connect 10.77.0.1\n") && !told.contains("172."), "{told}");
    });
}

#[test]
fn scan_tries_the_lan_before_networks_of_containers() {
    on_a_lan(2, |lan| {
        for number in [1, 2] {
            lan.host(number).ip(&format!(
                "-4 address flush dev eth0
                 address add 192.168.1.{number}/24 dev eth0"
            ));
        }
        let server = lan.host(1).server(&["--name", "lan", "--no-mdns"]);
        for number in 1..=4 {
            add_bridge(lan.host(2), number);
        }
        let scan = || lan.host(2).discover(&["--scan", "--timeout", "1"]);
        let found = scan().stdout;
        assert!(found.contains("\t192.168.1.1:9000\t"), "{found}");
        server.signal("TERM");
        server.output();
        let output = scan();
        assert_eq!(output.status, Some(3));
        assert!(output.stderr.contains("nor at any address there on TCP port 9000"));
        assert!(!output.stderr.contains("discover --scan"), "{}", output.stderr);
    });
}

#[test]
fn announced_is_said_when_it_is_so_and_taken_back() {
    on_a_lan(1, |lan| {
        let host = lan.host(1);
        host.ip("link set eth0 down\nlink set lo down");
        let mut server = host.server(&["--name", "Sala 3"]);
        let told = server.stdout.next();
        let expected = "No network interface is up: nobody can join yet.";
        assert_eq!(told.as_deref(), Some(expected));
        server.stderr.find("not announced (no network interface is up)");
        host.ip("link set lo up\nlink set eth0 up");
        host.ip(&host.home());
        server.stdout.find("Announced as \"Sala 3\". To join by name:");
        assert_eq!(server.stdout.next().as_deref(), Some("  minichat connect \"Sala 3\""));
        lan.cable(1, "down");
        server.stderr.find("not announced (no network interface is up)");
        lan.cable(1, "up");
        server.stdout.find("Announced as \"Sala 3\"");
        assert_eq!(listed(&host.discover(&["--timeout", "10"])).len(), 1);
    });
}

#[test]
fn network_that_is_not_announced_on_is_named() {
    on_a_lan(1, |lan| {
        let host = lan.host(1);
        // More links without IPv4 than there are responders for, each of which is a thread.
        for number in 1..=9 {
            add_pair(host, number);
        }
        let mut server = host.server(&["--name", "many"]);
        let warning = server.stderr.find("not announced on ");
        let (_, names) = warning.split_once("not announced on ").expect("it was found");
        let (names, why) = names.split_once(": ").expect("it says why");
        assert!(why.contains("there are too many networks"), "{warning}");
        let left_out: Vec<String> = names.split(", ").map(str::to_string).collect();
        assert!(!left_out.iter().any(|name| name == "eth0"), "{warning}");

        // A link that comes later is named, too, and the others are not named again.
        add_pair(host, 10);
        let warning = server.stderr.find("not announced on ");
        assert!(warning.contains("10"), "{warning}");
        assert!(!left_out.iter().any(|name| warning.contains(&format!("{name}:"))), "{warning}");
    });
}
