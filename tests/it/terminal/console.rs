//! The operator's console, in the server's own terminal.

use std::net::SocketAddr;
use std::process::Stdio;

use super::{SIZES, last};
use crate::harness::{Peer, Running, minichat};
use crate::tty::Tty;

/// A server on a terminal, and where it listens.
#[track_caller]
fn open(options: &[&str], environment: &[(&str, &str)]) -> (Tty, SocketAddr) {
    let arguments = ["server", "--no-mdns", "--port", "0", "--bind", "127.0.0.1"];
    let (cols, rows) = SIZES[0];
    let tty = Tty::start(cols, rows, &[&arguments, options].concat(), environment);
    tty.wait("where it listens", |screen| screen.contains('\n'));
    let first = tty.lines().remove(0);
    let address = first.rsplit(' ').next().and_then(|address| address.parse().ok());
    (tty, address.unwrap_or_else(|| panic!("not where it listens: {first:?}")))
}

/// A member of that room.
#[track_caller]
fn member(address: SocketAddr, nick: &str) -> Peer {
    let mut peer = Peer::connect(address);
    peer.says(format!("NICK {nick}"));
    peer.skips_to(&format!("OK welcome {nick}"));
    peer
}

/// The lines for a member until the server closes the connection.
#[track_caller]
fn last_words(mut peer: Peer) -> String {
    let mut words = String::new();
    loop {
        let line = peer.raw_line();
        if line.is_empty() {
            return words;
        }
        words += &String::from_utf8(line).expect("the server sends UTF-8");
    }
}

#[test]
fn the_first_line_says_where_the_server_listens() {
    let (tty, address) = open(&[], &[]);
    assert_eq!(tty.lines()[0], format!("Listening on {address}"));
    let mut ana = member(address, "ana");
    tty.wait("who came", |screen| screen.contains("+ ana 127.0.0.1"));
    ana.says("QUIT");
    tty.wait("who left", |screen| screen.contains("- ana 127.0.0.1"));

    let (tty, address) = open(&[], &[("LANG", "pt_BR.UTF-8")]);
    assert_eq!(tty.lines()[0], format!("Servidor rodando em {address}"));
}

#[test]
fn the_operator_speaks_to_everyone_as_the_server() {
    let (tty, address) = open(&[], &[]);
    let [mut ana, mut joao] = ["ana", "joao"].map(|nick| member(address, nick));
    ana.reads("User joao joined.");
    tty.enters("/say hello");
    tty.enters("/say olá  👍");
    for peer in [&mut ana, &mut joao] {
        peer.reads("FROM server [all]: hello");
        peer.reads("FROM server [all]: olá  👍");
    }
    tty.wait("the own words", |screen| screen.contains("olá  👍"));
    // Without a command, nothing is said.
    tty.enters("hello");
    tty.wait("an advice", |screen| screen.contains("/say"));
    ana.reads_nothing_more();
}

#[test]
fn operator_sees_members_with_addresses() {
    let (tty, address) = open(&[], &[]);
    let _people = ["ana", "joao"].map(|nick| member(address, nick));
    tty.wait("who came", |screen| screen.contains("+ joao 127.0.0.1"));
    tty.enters("/who");
    tty.wait_raw("the list", |raw| {
        let (_, answer) = raw.rsplit_once("/who").unwrap_or_default();
        ["ana", "joao", "127.0.0.1"].iter().all(|word| answer.contains(word))
    });
}

#[test]
fn kicked_member_reads_the_reason() {
    let (tty, address) = open(&[], &[]);
    let [mut bia, ana] = ["bia", "ana"].map(|nick| member(address, nick));
    bia.reads("User ana joined.");
    tty.enters("/kick ana too loud");
    let words = last_words(ana);
    assert!(words.contains("too loud"), "{words:?}");
    bia.skips_to("User ana left the chat.");
    // They may come again.
    member(address, "ana");
    bia.reads("User ana joined.");
    tty.enters("/kick nobody");
    tty.wait("the refusal", |screen| screen.contains("nobody"));
}

#[test]
fn muted_member_hears_and_is_not_heard() {
    let (tty, address) = open(&[], &[]);
    let [mut ana, mut joao] = ["ana", "joao"].map(|nick| member(address, nick));
    tty.enters("/mute ana");
    tty.enters("/say ouçam");
    for peer in [&mut ana, &mut joao] {
        peer.skips_to("FROM server [all]: ouçam");
    }
    ana.says("MSG alô?");
    ana.says("MSG @joao alô?");
    ana.says("WHO");
    ana.skips_to("Connected users: ana, joao");
    joao.reads_nothing_more();
    joao.says("MSG ana?");
    ana.skips_to("FROM joao [all]: ana?");
}

#[test]
fn ban_spares_others_on_this_machine() {
    let (tty, address) = open(&[], &[]);
    let [ana, mut joao] = ["ana", "joao"].map(|nick| member(address, nick));
    tty.enters("/ban ana");
    let words = last_words(ana);
    assert!(words.contains("operator"), "{words:?}");
    tty.enters("/say depois");
    joao.skips_to("FROM server [all]: depois");
    joao.reads_nothing_more();
    // They may come again.
    member(address, "ana");
    joao.reads("User ana joined.");
}

#[test]
fn help_and_tab_name_every_operator_command() {
    let (tty, address) = open(&[], &[]);
    let mut ana = member(address, "ana");
    tty.enters("/help");
    let commands = ["/who", "/say", "/kick", "/ban", "/mute", "/help"];
    tty.wait("every command", |screen| commands.iter().all(|command| screen.contains(command)));
    tty.send("/sa\tolá\r");
    ana.reads("FROM server [all]: olá");
    tty.wait("who came", |screen| screen.contains("+ ana 127.0.0.1"));
    tty.send("/ki\ta\t");
    tty.wait("the nick", |screen| last(screen).ends_with("/kick ana"));
    tty.send("tchau\r");
    assert!(last_words(ana).contains("tchau"));
}

#[test]
fn arrivals_do_not_disturb_the_operators_draft() {
    let (tty, address) = open(&[], &[]);
    let mut ana = member(address, "ana");
    tty.send("/say rascunho");
    tty.wait("the draft", |screen| last(screen).ends_with("/say rascunho"));
    for nick in ["bia", "joao", "maria"] {
        member(address, nick);
        tty.wait("who came and went above", |screen| {
            screen.contains(&format!("- {nick} 127.0.0.1"))
                && last(screen).ends_with("/say rascunho")
        });
    }
    tty.send(" vivo\r");
    ana.skips_to("FROM server [all]: rascunho vivo");
}

#[test]
fn a_command_of_the_operator_that_does_not_exist_is_corrected() {
    let (tty, address) = open(&[], &[]);
    let mut ana = member(address, "ana");
    for line in ["/kcik ana", "/xyzzy", "/kick", "/say"] {
        tty.enters(line);
    }
    tty.wait("the advice", |screen| screen.contains("/help"));
    tty.enters("/say fim");
    ana.reads("FROM server [all]: fim");
}

#[test]
fn ctrl_c_in_the_console_stops_the_server() {
    for keys in ["\x03", "x\x03\x03"] {
        let (mut tty, address) = open(&[], &[]);
        let ana = member(address, "ana");
        tty.send(keys);
        assert_eq!(tty.wait_exit(), Some(0));
        let words = last_words(ana);
        assert!(words.ends_with("BYE\n"), "{words:?}");
        let lines = tty.lines();
        let last = lines.last().map(String::as_str);
        assert_eq!(last, Some("Server stopped; 1 user was connected."));
        let raw = tty.raw();
        assert!(raw.rfind("\x1b[?2004l") >= raw.rfind("\x1b[?2004h"), "{raw:?}");
    }
}

#[test]
fn a_server_without_a_terminal_obeys_no_words() {
    let mut command = minichat();
    command.args(["server", "--no-mdns", "--port", "0", "--bind", "127.0.0.1"]);
    let mut server = Running::start(command.stdin(Stdio::piped()));
    let line = server.stdout.next().expect("it says where it listens");
    let address = line.strip_prefix("Listening on ").and_then(|address| address.parse().ok());
    let ana = member(address.expect("an address"), "ana");
    server.type_in("/say hello\n/kick ana\n\x03");
    server.end_input();
    let mut joao = member(address.expect("an address"), "joao");
    joao.reads_nothing_more();
    server.signal("TERM");
    let words = last_words(ana);
    assert!(!words.contains("hello") && words.contains("User joao joined."), "{words:?}");
    let output = server.output();
    assert!(!output.stdout.contains('\x1b') && !output.stdout.contains("/say "), "{output:?}");
}

#[test]
fn operator_listens_and_sees_again_how_to_join() {
    let (tty, address) = open(&[], &[]);
    let mut ana = member(address, "ana");
    ana.says("MSG before");
    ana.skips_to("FROM ana [all]: before");
    tty.enters("/listen");
    tty.wait("that it listens", |screen| screen.contains("is shown here"));
    ana.says("MSG olá");
    ana.says("MSG @ana private");
    ana.says("MSG tchau");
    tty.wait("the talk", |screen| screen.contains("ana: olá") && screen.contains("ana: tchau"));
    tty.enters("/listen");
    tty.wait("that it does not", |screen| {
        assert!(!screen.contains("before") && !screen.contains("private"), "{screen}");
        screen.contains("no longer shown")
    });
    tty.enters("/invite");
    tty.wait("the way in", |screen| {
        screen.contains(&format!("minichat connect {address}")) && screen.contains("MSG text")
    });
}

#[test]
fn crowd_that_comes_at_once_is_shown_together() {
    let (tty, address) = open(&[], &[]);
    let people: Vec<Peer> = (0..25).map(|n| member(address, &format!("p{n:02}"))).collect();
    tty.wait("the last of them", |screen| screen.contains("and 3 more (25)"));
    drop(people);
    tty.wait("that they left", |screen| screen.contains("(0)"));
}
