//! A mistake in the server itself: whoever it happens to is the only one to suffer
//! from it.

use crate::harness::{Server, minichat};

/// A server that panics over this line, while it has the room locked.
const DREADED: &str = "MSG make a mistake";

#[test]
fn a_panic_ends_one_client_alone_and_the_chat_goes_on() {
    let mut command = minichat();
    command.env("MINICHAT_PANIC", DREADED);
    let mut server = Server::launch(command, &[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    // More often than there are threads that could be lost.
    for round in 0..8 {
        let mut rui = server.member("rui");
        for peer in [&mut ana, &mut joao] {
            peer.reads("User rui joined.");
        }
        // What came before it was said.
        rui.sends(format!("MSG round {round}\n{DREADED}\nMSG never said\n"));
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM rui [all]: round {round}"));
            peer.reads("User rui left the chat.");
        }
        while !rui.raw_line().is_empty() {}
        let line = server.process.stderr.find("cut off");
        assert!(line.contains("cut off rui 127.0.0.1: minichat made a mistake"), "{line}");
        ana.says("WHO");
        ana.reads("Connected users: ana, joao");
        joao.reads_nothing_more();
    }
    // Whoever has no nick yet may be met by it, too.
    let mut guest = server.guest();
    guest.says(DREADED);
    while !guest.raw_line().is_empty() {}
    let line = server.process.stderr.find("cut off");
    assert!(line.contains("cut off a guest 127.0.0.1: minichat made a mistake"), "{line}");
    ana.reads_nothing_more();
    server.still_serves();
}
