//! The README of the classroom's project: its session and its five
//! tests, byte for byte, by clients as simple as its own.

use crate::harness::Server;
#[cfg(unix)]
use crate::harness::run;
#[cfg(unix)]
use crate::shells::tool;

#[test]
fn the_session_of_the_classroom_goes_as_it_is_written() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut ana = server.member("ana");
    joao.reads("User ana joined.");

    ana.says("MSG Olá a todos!");
    ana.reads("FROM ana [all]: Olá a todos!");
    joao.reads("FROM ana [all]: Olá a todos!");
    ana.says("WHO");
    ana.reads("Connected users: ana, joao");

    joao.says("MSG Oi Ana!");
    joao.reads("FROM joao [all]: Oi Ana!");
    ana.reads("FROM joao [all]: Oi Ana!");

    ana.says("MSG @joao oi joão, tudo bem?");
    joao.reads("FROM ana [dm]: oi joão, tudo bem?");
    joao.says("MSG @ana tudo ótimo!");
    ana.reads("FROM joao [dm]: tudo ótimo!");

    ana.says("QUIT");
    ana.reads("BYE");
    ana.ends();
    joao.reads("User ana left the chat.");
    joao.says("QUIT");
    joao.reads("BYE");
    joao.ends();
}

#[test]
fn everyone_reads_what_is_said_to_all_the_speaker_included() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    ana.says("MSG Olá!");
    for peer in [&mut ana, &mut joao] {
        peer.reads("FROM ana [all]: Olá!");
    }
    joao.says("MSG Oi Ana!");
    for peer in [&mut ana, &mut joao] {
        peer.reads("FROM joao [all]: Oi Ana!");
        peer.reads_nothing_more();
    }
}

#[test]
fn direct_message_reaches_its_recipient_alone() {
    let server = Server::start(&[]);
    let [mut ana, mut joao, mut maria] = server.members(["ana", "joao", "maria"]);
    ana.says("MSG @joao essa mensagem é só pra você");
    joao.reads("FROM ana [dm]: essa mensagem é só pra você");
    for peer in [&mut ana, &mut joao, &mut maria] {
        peer.reads_nothing_more();
    }
}

#[test]
fn a_taken_nick_is_refused_and_another_one_may_follow() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let mut second = server.guest();
    second.says("NICK ana");
    second.reads("ERR apelido_em_uso");
    ana.reads_nothing_more();

    second.says("NICK ana2");
    second.reads("OK welcome ana2");
    ana.reads("User ana2 joined.");
    second.says("MSG enfim");
    second.reads("FROM ana2 [all]: enfim");
    ana.reads("FROM ana2 [all]: enfim");
}

#[test]
fn message_to_an_absent_nick_is_an_error_for_its_sender() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    ana.says("MSG @usuario_falso oi");
    ana.reads("ERR user_not_found");
    ana.reads_nothing_more();
    joao.reads_nothing_more();
}

#[test]
fn list_of_users_is_sorted_and_private() {
    let server = Server::start(&[]);
    let [mut maria, mut ana, mut joao] = server.members(["maria", "ana", "joao"]);
    for peer in [&mut maria, &mut ana, &mut joao] {
        peer.says("WHO");
        peer.reads("Connected users: ana, joao, maria");
    }
    for peer in [&mut maria, &mut ana, &mut joao] {
        peer.reads_nothing_more();
    }
}

#[test]
fn any_departure_is_told_once_and_frees_the_nick() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for way in ["quits", "closes", "stops talking", "resets"] {
        let mut ana = server.member("ana");
        joao.reads("User ana joined.");
        match way {
            "quits" => {
                ana.says("QUIT");
                ana.reads("BYE");
                ana.ends();
            }
            "closes" => drop(ana),
            "stops talking" => {
                ana.stops_talking();
                ana.ends();
            }
            _ => ana.resets(),
        }
        joao.reads("User ana left the chat.");
        joao.says("WHO");
        joao.reads("Connected users: joao");
    }
}

#[test]
fn reset_hurts_no_other_client() {
    let server = Server::start(&[]);
    let [mut ana, mut joao, bia] = server.members(["ana", "joao", "bia"]);
    // Bia has these on her way when she goes, and has read none of them.
    for n in 0..20 {
        ana.says(format!("MSG {n}"));
        joao.reads(format!("FROM ana [all]: {n}"));
        ana.reads(format!("FROM ana [all]: {n}"));
    }
    bia.resets();
    for peer in [&mut ana, &mut joao] {
        peer.reads("User bia left the chat.");
    }
    drop([ana, joao]);
    server.still_serves();
}

#[test]
#[cfg(unix)] // Elsewhere Python has other names.
fn example_in_python_takes_part() {
    let Some(mut command) = tool("python3") else { return };
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/client.py");
    let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
    command.args([script, &host, &port]);
    let output = run(&mut command, "NICK ana\nMSG Olá!\nMSG @joao psst\nWHO");
    let told = "New User. Please register with: NICK <your_nick>\nOK welcome ana\n\
        FROM ana [all]: Olá!\nConnected users: ana, joao\nBYE\n";
    assert_eq!((output.status, &*output.stdout, &*output.stderr), (Some(0), told, ""));
    joao.reads("User ana joined.");
    joao.reads("FROM ana [all]: Olá!");
    joao.reads("FROM ana [dm]: psst");
}
