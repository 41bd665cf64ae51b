//! Clients in browsers on another machine: what is counted and forbidden by address.

use super::on_a_lan;
use crate::harness::{GREETING, Peer, minichat};
use crate::tty::Tty;
use crate::websocket::Bridge;

#[test]
fn web_and_plain_clients_share_limits_and_bans() {
    on_a_lan(2, |lan| {
        let (here, there) = (lan.host(1), lan.host(2));
        let mut command = minichat();
        command.args(["server", "--no-mdns", "--per-address", "4"]).env("TERM", "dumb");
        let operator = here.inside(|| Tty::launch(100, 40, &mut command));
        operator.wait("the page", |screen| screen.contains("http://10.77.0.1:9080/"));

        let chat = "10.77.0.1:9000".parse().unwrap();
        let bridge = there.inside(|| Bridge::open("10.77.0.1:9080".parse().unwrap()));
        let connect = |web: bool| {
            there.inside(|| match web {
                true => bridge.connect(),
                false => Peer::connect(chat),
            })
        };
        let mut clients: Vec<Peer> = [true, false, true, false]
            .into_iter()
            .zip(["ana", "bia", "eva", "rui"])
            .map(|(web, nick)| {
                let mut peer = connect(web);
                peer.reads(GREETING);
                peer.says(format!("NICK {nick}"));
                peer.reads(format!("OK welcome {nick}"));
                peer
            })
            .collect();
        for web in [true, false] {
            let mut fifth = connect(web);
            fifth.reads(GREETING);
            fifth.reads("ERR too_many_connections");
            fifth.ends();
        }

        operator.enters("/mute eva");
        operator.wait("the answer", |screen| screen.contains("muted: eva"));
        let eva = &mut clients[2];
        eva.says("MSG oi");
        eva.skips_to("ERR muted");
        operator.enters("/kick eva barulho");
        eva.skips_to("BYE");
        eva.ends();

        // A ban of a web client is one of its address, for both kinds.
        operator.enters("/ban ana");
        clients.remove(2);
        for peer in &mut clients {
            peer.skips_to("BYE");
            peer.ends();
        }
        for web in [true, false] {
            let mut banned = connect(web);
            banned.reads(GREETING);
            banned.reads("ERR banned");
            banned.ends();
        }
    });
}
