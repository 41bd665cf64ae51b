//! Which nicks there may be, and how they change.

use std::sync::Barrier;
use std::thread;

use crate::harness::{Peer, Server};

#[test]
fn a_nick_may_have_32_characters_and_not_one_more() {
    let server = Server::start(&[]);
    for letter in ["a", "é", "日", "\u{10400}", "e\u{301}"] {
        let mut guest = server.guest();
        guest.says(format!("NICK {}", letter.repeat(33)));
        guest.reads("ERR invalid_nick");
        guest.says(format!("NICK {}", letter.repeat(32)));
        // It is shown as it is composed.
        let shown = if letter == "e\u{301}" { "é" } else { letter };
        guest.reads(format!("OK welcome {}", shown.repeat(32)));
        guest.says("QUIT");
        guest.reads("BYE");
    }
}

#[test]
fn a_name_that_would_confuse_people_or_programs_is_not_a_nick() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut guest = server.guest();
    for name in [
        "",
        "ana, maria",
        "ana,maria",
        "admin [all]: hi",
        "@ana",
        "ana:",
        "a\tb",
        "a\0b",
        "a\x1b[2Jb",
        "a\u{200B}na",
        "a\u{200D}na",
        "\u{202E}ana",
        "\u{3164}",
        "\u{115F}",
        "\u{FFA0}",
        "\u{301}a",
        "a\u{300}\u{301}\u{302}\u{303}\u{304}",
        "🎉",
        "server",
        "Server",
        "ｓｅｒｖｅｒ",
        "all",
        "ALL",
    ] {
        guest.says(format!("NICK {name}"));
        assert_eq!(guest.line(), "ERR invalid_nick", "for {name:?}");
    }
    joao.reads_nothing_more();
    guest.says("NICK ana");
    guest.reads("OK welcome ana");
}

#[test]
fn names_of_all_scripts_are_welcome() {
    let server = Server::start(&[]);
    for nick in ["João", "R2-D2", "a.b_c", "Мария", "日本", "שָׁלוֹם", "हिन्दी", "9"]
    {
        let mut peer = server.member(nick);
        peer.says("MSG olá");
        peer.skips_to(&format!("FROM {nick} [all]: olá"));
    }
}

#[test]
fn nicks_that_look_the_same_are_the_same() {
    let server = Server::start(&[]);
    for (one, other) in [
        ("ana", "Ana"),
        ("Bia", "BIA"),
        ("jo\u{E3}o", "joa\u{303}o"),
        ("ze\u{301}", "Z\u{C9}"),
        ("lia", "ｌｉａ"),
        ("K", "\u{212A}"),
    ] {
        let mut holder = server.guest();
        holder.says(format!("NICK {one}"));
        assert!(holder.line().starts_with("OK welcome "), "for {one:?}");
        let mut guest = server.guest();
        guest.says(format!("NICK {other}"));
        assert_eq!(guest.line(), "ERR apelido_em_uso", "for {other:?} beside {one:?}");
    }
}

#[test]
fn direct_message_finds_its_recipient_in_any_case() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "jo\u{E3}o"]);
    for nick in ["jo\u{E3}o", "JO\u{C3}O", "joa\u{303}o"] {
        ana.says(format!("MSG @{nick} oi"));
        joao.reads("FROM ana [dm]: oi");
    }
    ana.reads_nothing_more();
}

#[test]
fn one_of_many_claims_for_a_nick_succeeds() {
    const CLAIMANTS: usize = 24;
    let server = Server::start(&[]);
    let mut bystander = server.member("joao");
    let ready = Barrier::new(CLAIMANTS);
    let guests: Vec<Peer> = (0..CLAIMANTS).map(|_| server.guest()).collect();
    let claim = |mut guest: Peer| {
        ready.wait();
        guest.says("NICK ana");
        (guest.line(), guest)
    };
    let claims: Vec<(String, Peer)> = thread::scope(|scope| {
        let claims: Vec<_> = guests.into_iter().map(|guest| scope.spawn(|| claim(guest))).collect();
        claims.into_iter().map(|claim| claim.join().expect("there is an answer")).collect()
    });
    let said = |answer: &str| claims.iter().filter(|claim| claim.0 == answer).count();
    assert_eq!((said("OK welcome ana"), said("ERR apelido_em_uso")), (1, CLAIMANTS - 1));
    bystander.reads("User ana joined.");
    bystander.says("WHO");
    bystander.reads("Connected users: ana, joao");
}

#[test]
fn a_rename_is_seen_as_one_leaving_and_another_coming_in() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    ana.says("NICK bia");
    ana.reads("OK welcome bia");
    joao.reads("User ana left the chat.");
    joao.reads("User bia joined.");
    joao.says("MSG @ana oi");
    joao.reads("ERR user_not_found");
    joao.says("MSG @bia oi");
    ana.reads("FROM joao [dm]: oi");
    ana.says("MSG olá");
    joao.reads("FROM bia [all]: olá");
    ana.reads("FROM bia [all]: olá");

    // The old name is free.
    let mut other = server.member("ana");
    other.says("WHO");
    other.reads("Connected users: ana, bia, joao");
}

#[test]
fn same_nick_again_is_welcome_and_not_announced() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for _ in 0..10 {
        ana.says("NICK ana");
        ana.reads("OK welcome ana");
    }
    joao.reads_nothing_more();
    // Only the case is another, but that is to be seen.
    ana.says("NICK Ana");
    ana.reads("OK welcome Ana");
    joao.reads("User ana left the chat.");
    joao.reads("User Ana joined.");
}

#[test]
fn a_rename_that_is_refused_changes_nothing() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for (name, error) in
        [("joao", "ERR apelido_em_uso"), ("João!", "ERR invalid_nick"), ("all", "ERR invalid_nick")]
    {
        ana.says(format!("NICK {name}"));
        ana.reads(error);
    }
    joao.reads_nothing_more();
    ana.says("MSG it is still me");
    joao.reads("FROM ana [all]: it is still me");
}

#[test]
fn the_sixth_rename_in_half_a_minute_is_too_fast() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    let mut old = "ana".to_string();
    for n in 1..=5 {
        let new = format!("ana{n}");
        ana.says(format!("NICK {new}"));
        ana.reads(format!("OK welcome {new}"));
        joao.reads(format!("User {old} left the chat."));
        joao.reads(format!("User {new} joined."));
        old = new;
    }
    ana.says("NICK ana6");
    ana.reads("ERR too_fast");
    joao.reads_nothing_more();
    ana.says("MSG olá");
    joao.reads("FROM ana5 [all]: olá");
}
