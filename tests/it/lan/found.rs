//! Servers that are there, and how they are listed, chosen and joined.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bots::{described_server, is_of_type};

use super::{SOON, check_harmless, listed, on_a_lan, rows};

#[test]
fn a_server_is_found_and_joined_without_its_address() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        let client = lan.host(2);
        client.sees(&["Sala 3"]);

        let output = client.discover(&[]);
        let row = ["Sala 3", "10.77.0.1:9000", "0", env!("CARGO_PKG_VERSION")];
        assert_eq!((rows(&output), &*output.stderr), (vec![row], ""));

        let output = client.discover(&["--json"]);
        let mut server: Value = serde_json::from_str(&output.stdout).expect("one object");
        let [id, host, addresses] = ["id", "host", "addresses"].map(|key| server[key].take());
        assert_eq!(id.as_str().map(str::len), Some(8));
        assert!(host.as_str().is_some_and(|host| host.starts_with("mc-")), "{host}");
        assert_eq!(addresses[0], "10.77.0.1");
        let fingerprint = server["fingerprint"].take();
        assert_eq!(fingerprint.as_str().map(str::len), Some(32));
        let expected = json!({
            "name": "Sala 3", "id": null, "host": null, "port": 9000, "addresses": null,
            "users": 0, "version": env!("CARGO_PKG_VERSION"), "web": "http://10.77.0.1:9080/",
            "encrypted": true, "password": false, "fingerprint": null, "hosted": false,
        });
        assert_eq!(server, expected);

        for arguments in [&["--auto"][..], &[]] {
            let begin = Instant::now();
            assert_eq!(client.joins(arguments), "* joining Sala 3 (10.77.0.1:9000)\n");
            assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
        }
        // A name may be typed as one likes, and not to its end.
        for name in ["Sala 3", "sAlA 3", "sal"] {
            client.joins(&[name]);
        }
        let output = client.tries(&["--timeout", "1", "Sala 4"]);
        let (cause, way_out) = output.complaint();
        assert_eq!(output.status, Some(3));
        assert_eq!(cause, "no server \"Sala 4\" found, and no host of that name");
        assert_eq!(way_out, "There are: Sala 3 (10.77.0.1:9000)");
    });
}

#[test]
fn the_first_one_found_is_enough() {
    on_a_lan(2, |lan| {
        let _servers = ["A", "B", "C"].map(|name| {
            let port = (9000 + u16::from(name.as_bytes()[0])).to_string();
            lan.host(1).server(&["--name", name, "--port", &port])
        });
        lan.host(2).sees(&["A", "B", "C"]);
        let begin = Instant::now();
        // To wait longer for the others would be no use.
        let output = lan.host(2).discover(&["--first", "--timeout", "30"]);
        assert_eq!((listed(&output).len(), begin.elapsed() < SOON), (1, true));
    });
}

#[test]
fn of_several_servers_one_is_taken_only_on_request() {
    on_a_lan(3, |lan| {
        let _servers = [(1, "redes"), (2, "Redes II"), (1, "Arte")].map(|(host, name)| {
            let port = (9000 + name.len()).to_string();
            lan.host(host).server(&["--name", name, "--port", &port])
        });
        let client = lan.host(3);
        client.sees(&["redes", "Redes II", "Arte"]);

        assert_eq!(client.joins(&["--auto"]), "* joining Arte (10.77.0.1:9004)\n");
        let output = client.tries(&[]);
        let (cause, way_out) = output.complaint();
        assert_eq!(output.status, Some(2));
        let all = "Arte (10.77.0.1:9004), redes (10.77.0.1:9005), Redes II (10.77.0.2:9008)";
        assert_eq!(cause, format!("several servers found: {all}"));
        assert!(way_out.contains("minichat connect NAME"), "{way_out}");

        // The whole name counts more than how another one begins.
        client.joins(&["REDES"]);
        client.joins(&["Redes I"]);
        let output = client.tries(&["--timeout", "1", "red"]);
        let (cause, _) = output.complaint();
        assert_eq!(output.status, Some(2), "{cause}");
        assert!(cause.contains("redes") && cause.contains("Redes II"), "{cause}");
    });
}

#[test]
fn empty_network_is_told_with_a_way_out() {
    on_a_lan(2, |lan| {
        let client = lan.host(2);
        thread::scope(|scope| {
            for arguments in [
                &["discover", "--timeout", "1"][..],
                &["discover", "--timeout", "1", "--json"],
                &["connect", "--auto", "--nick", "bot", "--timeout", "1"],
                &["connect", "--nick", "bot", "--timeout", "1"],
            ] {
                scope.spawn(move || {
                    let output = client.run(arguments, "oi\n");
                    assert_eq!((output.status, &*output.stdout), (Some(3), ""), "{arguments:?}");
                    let (cause, way_out) = output.complaint();
                    assert!(cause.contains("eth0 (10.77.0.2"), "{cause}");
                    assert!(way_out.contains("minichat discover --scan"), "{way_out}");
                });
            }
        });
    });
}

/// The IPv4 addresses and ports, and the ids, of servers that are all `Sala 3`.
fn places(list: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for line in list.lines() {
        let server: Value = serde_json::from_str(line).expect("each line is an object");
        assert_eq!(server["name"], "Sala 3");
        ids.extend(server["id"].as_str().map(str::to_string));
        let addresses = server["addresses"].as_array().expect("a list");
        let ipv4 = addresses.iter().filter_map(Value::as_str).filter(|ip| ip.starts_with("10."));
        places.extend(ipv4.map(|ip| format!("{ip}:{}", server["port"])));
    }
    (places, ids)
}

#[test]
fn servers_of_one_title_are_all_listed() {
    on_a_lan(3, |lan| {
        // Two on one host, and one on another.
        let start = |host, port| lan.host(host).server(&["--name", "Sala 3", "--port", port]);
        let _first = start(1, "9001");
        // A later server asks which names are taken.
        lan.host(1).sees(&["Sala 3"]);
        let _others = [start(1, "9002"), start(2, "9001")];
        let expected: BTreeSet<String> =
            ["10.77.0.1:9001", "10.77.0.1:9002", "10.77.0.2:9001"].map(String::from).into();
        let mut watch = lan.host(3).watch();
        let mut seen = BTreeSet::new();
        while seen.len() < expected.len() {
            let line = watch.stdout.next().expect("watching does not end");
            seen.insert(line.split('\t').nth(2).map(str::to_string));
        }
        for host in 1..=3 {
            // A machine that is busy with other tests may answer once too late.
            let lists = (0..10).map(|_| lan.host(host).discover(&["--json"]).stdout);
            let complete = lists.map(|list| places(&list)).find(|(places, _)| *places == expected);
            let (_, ids) = complete.unwrap_or_else(|| panic!("host {host} does not list them all"));
            assert_eq!(ids.len(), 3, "{ids:?}");
        }
    });
}

#[test]
fn hosts_with_one_kind_of_address_find_and_join_each_other() {
    on_a_lan(4, |lan| {
        let [dual, ipv4, ipv6, link] = [1, 2, 3, 4].map(|number| lan.host(number));
        ipv4.ip("-6 address flush dev eth0");
        ipv6.ip("-4 address flush dev eth0");
        link.ip("-4 address flush dev eth0\n-6 address del fd77::4/64 dev eth0");
        let _servers = [(dual, "dual"), (ipv4, "ipv4"), (ipv6, "ipv6"), (link, "link")]
            .map(|(host, name)| host.server(&["--name", name]));
        for (host, name, others) in [
            (dual, "dual", &["ipv4", "ipv6", "link"][..]),
            (ipv4, "ipv4", &["dual"]),
            (ipv6, "ipv6", &["dual", "link"]),
            (link, "link", &["dual", "ipv6"]),
        ] {
            host.sees(others);
            for other in others {
                let begin = Instant::now();
                host.joins(&[other]);
                assert!(begin.elapsed() < SOON, "{name} joins {other}: {:?}", begin.elapsed());
            }
        }
    });
}

#[test]
fn local_server_is_found_here_and_nowhere_else() {
    on_a_lan(2, |lan| {
        let [here, elsewhere] = [lan.host(1), lan.host(2)];
        here.ip("link set eth0 down");
        let _server = here.server(&["--bind", "127.0.0.1", "--name", "Sala 3"]);
        here.sees(&["Sala 3"]);
        assert_eq!(here.joins(&["--auto"]), "* joining Sala 3 (127.0.0.1:9000)\n");
        here.ip(&format!("link set eth0 up\n{}", here.home()));
        assert_eq!(here.joins(&["--auto"]), "* joining Sala 3 (127.0.0.1:9000)\n");
        // That it is not seen takes its time to be known.
        assert_eq!(elsewhere.discover(&["--timeout", "1.5"]).status, Some(3));
    });
}

#[test]
fn a_host_with_two_networks_is_joined_in_either() {
    on_a_lan(3, |lan| {
        lan.add_network(&[1, 2]);
        let everywhere = lan.host(1).server(&["--name", "Sala 3"]);
        for (host, options) in
            [(2, &[][..]), (2, &["--interface", "eth0"]), (2, &["--interface", "eth1"]), (3, &[])]
        {
            lan.host(host).sees(&["Sala 3"]);
            let begin = Instant::now();
            lan.host(host).joins(&[&["--auto"], options].concat());
            assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
            let output = lan.host(host).discover(&[&["--json"], options].concat());
            // An address that is valid on another link would lead nowhere.
            assert!(!output.stdout.contains("fe80::88"), "{}", output.stdout);
        }
        let address = |interface| {
            let output = lan.host(2).discover(&["--interface", interface]);
            listed(&output)[0].1.to_string()
        };
        assert_eq!(["eth0", "eth1"].map(address), ["10.77.0.1:9000", "10.88.0.1:9000"]);
        everywhere.signal("TERM");
        assert_eq!(everywhere.output().status, Some(0));

        let _server = lan.host(1).server(&["--name", "Arte", "--interface", "eth1"]);
        lan.host(2).sees(&["Arte"]);
        assert_eq!(lan.host(2).joins(&["--auto"]), "* joining Arte (10.88.0.1:9000)\n");
        // That it is not seen takes its time to be known.
        assert_eq!(lan.host(3).discover(&["--timeout", "1"]).status, Some(3));

        // The interface of a server may come later, and whatever starts it tries again.
        for (arguments, status) in [
            (&["discover", "--interface", "eth7"][..], 2),
            (&["connect", "--auto", "--interface", "eth7"], 2),
            (&["server", "--interface", "eth7"], 1),
        ] {
            let output = lan.host(2).run(arguments, "");
            let (cause, way_out) = output.complaint();
            assert_eq!(output.status, Some(status));
            assert_eq!(cause, "there is no network interface \"eth7\" that is up");
            assert_eq!(way_out, "There are: eth0, eth1, lo");
        }
    });
}

#[test]
fn any_name_is_announced_and_harms_no_terminal() {
    on_a_lan(2, |lan| {
        let long = ["x".repeat(200), "é".repeat(100), "🎉".repeat(50)];
        let names: Vec<(&str, &str)> = vec![
            (&long[0], &long[0][..63]),
            (&long[1], &long[1][..62]),
            (&long[2], &long[2][..60]),
            (r"Dr. Foo.Bar \ x", r"Dr. Foo.Bar \ x"),
            ("\x1b[2J\x1b]0;x\x07", "␛[2J␛]0;x␇"),
            ("a\u{202E}b\u{2066}c", "a\u{FFFD}b\u{FFFD}c"),
            ("教室 3", "教室 3"),
            ("nl\nhere", "nl␊here"),
            ("...", "..."),
        ];
        let servers: Vec<_> = (9001..)
            .zip(&names)
            .map(|(port, (name, _))| {
                let options = ["--name", name, "--port", &format!("{port}")];
                lan.host(1).server(&options)
            })
            .collect();
        let titles: Vec<&str> = names.iter().map(|(_, title)| *title).collect();
        lan.host(2).sees(&titles);
        let [plain, json] = [&[][..], &["--json"]].map(|options| lan.host(2).discover(options));
        let found: BTreeSet<&str> = listed(&plain).into_iter().map(|(title, _)| title).collect();
        assert_eq!(found, titles.into_iter().collect());
        assert_eq!(json.stdout.lines().count(), names.len());
        check_harmless(&plain.stdout);
        check_harmless(&json.stdout);
        check_harmless(&lan.host(2).tries(&["--auto"]).stderr);
        check_harmless(&lan.host(2).tries(&[]).stderr);
        for server in servers {
            server.signal("TERM");
            let output = server.output();
            check_harmless(&output.stdout);
            assert_eq!((output.status, &*output.stderr), (Some(0), ""));
        }
    });
}

#[test]
#[ignore = "takes three minutes"]
fn servers_of_one_title_stay_apart_in_the_cache() {
    on_a_lan(3, |lan| {
        let _servers = [(1, "9001"), (2, "9002")]
            .map(|(host, port)| lan.host(host).server(&["--name", "Sala 3", "--port", port]));
        let begin = Instant::now();
        // Records are renewed at four fifths of their two minutes. Time passing is
        // what is tested.
        for seconds in [5, 60, 110, 150] {
            thread::sleep((begin + Duration::from_secs(seconds)) - Instant::now());
            for host in 1..=3 {
                let output = lan.host(host).discover(&["--json"]);
                let mut places: Vec<(u64, bool, bool)> = Vec::new();
                for line in output.stdout.lines() {
                    let server: Value = serde_json::from_str(line).expect("an object");
                    let has = |ip: &str| {
                        server["addresses"].as_array().unwrap().contains(&Value::from(ip))
                    };
                    let port = server["port"].as_u64().unwrap();
                    places.push((port, has("10.77.0.1"), has("10.77.0.2")));
                }
                places.sort_unstable();
                let expected = [(9001, true, false), (9002, false, true)];
                assert_eq!(places, expected, "from host {host} after {seconds} s");
            }
        }
    });
}

#[test]
fn address_on_the_network_of_the_client_comes_first() {
    on_a_lan(2, |lan| {
        // The address of another network is the lesser number.
        lan.host(1).ip("address add 10.1.0.1/24 dev eth0");
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        let client = lan.host(2);
        client.sees(&["Sala 3"]);
        assert_eq!(listed(&client.discover(&[])), [("Sala 3", "10.77.0.1:9000")]);
        assert_eq!(client.joins(&["--auto"]), "* joining Sala 3 (10.77.0.1:9000)\n");
        // On its own machine any address will do.
        lan.host(1).joins(&["--auto"]);
    });
}

#[test]
fn operator_reads_what_the_options_leave_out() {
    on_a_lan(2, |lan| {
        let [here, there] = [lan.host(1), lan.host(2)];
        let title = "é".repeat(31);
        let mut server = here.server(&["--name", &format!("{title}é"), "--bind", "::"]);
        server.stdout.find("minichat: warning: only IPv6 can join; add --bind 0.0.0.0 for IPv4");
        let cut = format!("the name is longer than 63 bytes; others see \"{title}\"");
        server.stdout.find(&cut);
        there.sees(&[&title]);
        assert_eq!(listed(&there.discover(&[])), [(&*title, "[fd77::1]:9000")]);
        there.joins(&[&format!("{title}é")]);
        server.signal("TERM");
        server.output();

        // Both together need no words, nor does a name that fits.
        let server = here.server(&["--name", &title, "--bind", "::", "--bind", "0.0.0.0"]);
        there.joins(&["10.77.0.1"]);
        server.signal("TERM");
        let output = server.output();
        assert!(!format!("{}{}", output.stdout, output.stderr).contains("warning"), "{output:?}");
    });
}

#[test]
fn object_of_a_server_has_the_fields_that_the_page_lists() {
    on_a_lan(2, |lan| {
        let server = lan.host(1).server(&["--name", "Sala 3"]);
        let client = lan.host(2);
        client.sees(&["Sala 3"]);
        // A server that is found by its address says nothing else of itself.
        let scanned = client.discover(&["--json", "--scan"]).stdout;
        let found = client.discover(&["--json"]).stdout;
        let mut watch = client.minichat(&["discover", "--watch", "--json"]);
        let up = watch.stdout.next().expect("watching does not end");
        server.signal("TERM");
        let down = watch.stdout.find("\"change\":\"-\"");

        let described = described_server();
        for (line, is_change) in
            [(&*found, false), (&*scanned, false), (&*up, true), (&*down, true)]
        {
            let object: Value = serde_json::from_str(line).expect("one object");
            let object = object.as_object().expect("one object");
            let expected = described.keys().filter(|field| is_change || *field != "change");
            assert_eq!(object.keys().collect::<BTreeSet<_>>(), expected.collect(), "{line}");
            for (field, value) in object {
                assert!(is_of_type(value, &described[field]), "{field}: {line}");
            }
        }
    });
}
