//! Changes during `discover --watch`, and afterwards.

use std::time::{Duration, Instant};

use super::{SOON, listed, on_a_lan};
use crate::harness::Running;

/// A server that is gone without a goodbye has some time to prove the contrary.
const MISSED: Duration = Duration::from_secs(25);

/// Reads on to a line that begins like this, which has to come in time.
#[track_caller]
fn tells(watch: &mut Running, begin: &str, limit: Duration) -> String {
    let since = Instant::now();
    loop {
        let line = watch.stdout.next().expect("watching does not end");
        if line.starts_with(begin) {
            assert!(since.elapsed() < limit, "{line:?} came after {:?}", since.elapsed());
            return line;
        }
    }
}

#[test]
fn watcher_sees_servers_come_and_go() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        let mut watch = here.watch();
        let killed = there.server(&["--name", "Arte", "--port", "9001"]);
        tells(&mut watch, "+\tArte\t10.77.0.1:9001\t0\t", SOON);

        // While one of them is missed, another one does all that a server does.
        drop(killed);
        let begin = Instant::now();
        let mut watch_for_missed = here.watch();
        let server = there.server(&["--name", "Sala 3", "--port", "9002"]);
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9002\t0\t", SOON);

        let visitors =
            ["ana", "joao"].map(|nick| here.minichat(&["connect", "Sala 3", "--nick", nick]));
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9002\t2\t", Duration::from_secs(15));
        drop(visitors);
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9002\t0\t", Duration::from_secs(15));

        // It dies, and its next self has another port.
        drop(server);
        let server = there.server(&["--name", "Sala 3", "--port", "9003"]);
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9003\t0\t", SOON);
        assert_eq!(listed(&here.discover(&[])), [("Sala 3", "10.77.0.1:9003")]);

        for signal in ["TERM", "INT"] {
            let brief = there.server(&["--name", "Brief", "--port", "9004"]);
            tells(&mut watch, "+\tBrief\t", SOON);
            brief.signal(signal);
            tells(&mut watch, "-\tBrief\t10.77.0.1:9004\t", SOON);
            assert_eq!(brief.output().status, Some(0));
        }
        server.signal("TERM");
        tells(&mut watch, "-\tSala 3\t10.77.0.1:9003\t", SOON);

        // The first one may have been missed long ago.
        if !watch.stdout.has_told("-\tArte\t10.77.0.1:9001\t") {
            tells(&mut watch, "-\tArte\t10.77.0.1:9001\t", MISSED);
        }
        assert!(begin.elapsed() < 2 * MISSED, "{:?}", begin.elapsed());
        // A later newcomer has never heard of it.
        watch_for_missed.signal("INT");
        assert_eq!(watch_for_missed.wait().code(), Some(0));
        assert!(!watch_for_missed.stdout.has_told("Arte"));
    });
}

#[test]
fn a_cable_is_pulled_out_and_put_back_in() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        lan.host(2).sees(&["Sala 3"]);
        // A watcher that has only just seen the server notices, too.
        let mut watch = lan.host(2).watch();
        tells(&mut watch, "+\tSala 3\t", SOON);
        for _ in 0..2 {
            lan.cable(2, "down");
            tells(&mut watch, "-\tSala 3\t", SOON);
            lan.cable(2, "up");
            tells(&mut watch, "+\tSala 3\t10.77.0.1:9000\t", SOON);
        }
        lan.host(2).joins(&["--auto"]);
    });
}

#[test]
fn a_server_is_followed_to_its_new_address() {
    on_a_lan(3, |lan| {
        let _server = lan.host(1).server(&["--name", "Sala 3"]);
        let mut watch = lan.host(2).watch();
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9000\t", SOON);
        // A visitor makes it announce the old address just before the new one.
        let _visitor = lan.host(3).minichat(&["connect", "[fd77::1]:9000", "--nick", "ana"]);
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9000\t1\t", SOON);
        for ip in ["10.77.0.51", "10.77.0.52"] {
            lan.host(1).ip(&format!(
                "-4 address flush dev eth0
                 address add {ip}/24 brd + dev eth0"
            ));
            tells(&mut watch, &format!("+\tSala 3\t{ip}:9000\t"), SOON);
            let joined = lan.host(2).joins(&["--auto"]);
            assert_eq!(joined, format!("* joining Sala 3 ({ip}:9000)\n"));
        }
    });
}

#[test]
fn a_server_may_be_there_before_its_network() {
    on_a_lan(2, |lan| {
        let [there, here] = [lan.host(1), lan.host(2)];
        there.ip("link set eth0 down");
        let mut watch = here.watch();
        let mut server = there.server(&["--name", "Sala 3"]);
        // It has said that it cannot be seen; then it can.
        server.stderr.find("no network interface is up");
        there.ip(&format!("link set eth0 up\n{}", there.home()));
        tells(&mut watch, "+\tSala 3\t10.77.0.1:9000\t", SOON);
        here.joins(&["--auto"]);
        server.signal("TERM");
        tells(&mut watch, "-\tSala 3\t", SOON);
        let output = server.output();
        assert_eq!((output.status, output.stderr.lines().count()), (Some(0), 1));
    });
}
