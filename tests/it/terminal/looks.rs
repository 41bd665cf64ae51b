//! Colours or none, a terminal that can nothing, English and Portuguese, and how
//! much work it is to wait.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::{SIZES, hears, holds, last, let_in, ready, sit_down, sit_down_at, start};
use crate::harness::{Running, Server, StandIn, connect, run};
use crate::tty::Tty;

const PORTUGUESE: [(&str, &str); 1] = [("LANG", "pt_BR.UTF-8")];

/// Whether there is a sequence in it that sets colours or the like.
fn is_coloured(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|sequence| {
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|end| sequence[end..].starts_with('m'))
    })
}

/// Everything that has a colour, at this terminal; all that it was sent.
#[track_caller]
fn evening(options: &[&str], environment: &[(&str, &str)]) -> String {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut tty = sit_down_at(server.address, SIZES[0], options, environment);
    joao.says("MSG ana, olá");
    joao.says("MSG @ana psst");
    tty.wait("his words", |screen| screen.contains("psst"));
    for line in ["oi", "@joao oi", "/me acena", "/who", "/help", "/xyzzy", "@xyzzy oi"] {
        tty.enters(line);
    }
    tty.send("/wh");
    let mut maria = server.member("maria");
    maria.says("QUIT");
    // Among so much, it may have left the screen already.
    tty.wait_raw("who left", |raw| raw.contains("- maria left"));
    tty.send("\x15\x04");
    assert_eq!(tty.wait_exit(), Some(0));
    tty.raw()
}

#[test]
fn terminal_shows_colours_unless_they_are_refused() {
    assert!(is_coloured(&evening(&[], &[])));
    assert!(is_coloured(&evening(&[], &[("NO_COLOR", "")])), "that is not a wish");
    assert!(is_coloured(&evening(&["--color=always"], &[("NO_COLOR", "1")])));
    assert!(!is_coloured(&evening(&[], &[("NO_COLOR", "1")])));
    assert!(!is_coloured(&evening(&["--color=never"], &[("CLICOLOR_FORCE", "1")])));
}

#[test]
fn a_pipe_gets_colours_only_when_it_is_to_have_them() {
    let server = Server::start(&[]);
    for (option, variable, expected) in [
        ("--color=auto", "", false),
        ("--color=always", "", true),
        ("--color=always", "NO_COLOR", true),
        ("--color=auto", "CLICOLOR_FORCE", true),
        ("--color=never", "CLICOLOR_FORCE", false),
    ] {
        let mut command = connect(server.address, &["--nick", "ana", option]);
        if !variable.is_empty() {
            command.env(variable, "1");
        }
        let output = run(&mut command, "oi\n");
        assert_eq!(output.status, Some(0));
        assert_eq!(output.stdout.contains('\x1b'), expected, "{option} {variable}: {output:?}");
        assert!(is_coloured(&output.stdout) == expected && output.stdout.contains("oi"));
    }
}

#[test]
fn one_nick_has_one_colour_that_no_theme_changes() {
    let door = StandIn::open();
    let tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana");
    ready(&tty);
    let nicks: Vec<String> = (0..40).map(|n| format!("gente{n}")).collect();
    for nick in nicks.iter().chain(&nicks) {
        server.says(format!("FROM {nick} [all]: oi"));
    }
    server.says("FROM bia [all]: fim");
    tty.wait("the end", |screen| screen.contains("bia  fim"));
    let raw = tty.raw();
    let colours = |nick: &str| -> Vec<String> {
        let painted = format!("m{nick}\x1b");
        let starts = raw.match_indices(&painted).map(|(start, _)| start);
        starts
            .map(|start| raw[..=start].rsplit("\x1b[").next().unwrap_or_default().into())
            .collect()
    };
    for nick in nicks {
        let colours = colours(&nick);
        assert!(colours.len() == 2 && colours[0] == colours[1], "{nick}: {colours:?}");
        // Which of these it is, a test beside the table judges.
        assert!(colours[0].starts_with("38;5;"), "{nick}: {colours:?}");
    }
}

#[test]
fn a_terminal_that_can_nothing_is_sent_nothing_but_text() {
    for term in ["dumb", ""] {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let environment = [("TERM", term)];
        let mut tty = start(server.address, SIZES[0], &["--nick", "ana"], &environment);
        joao.reads("User ana joined.");
        tty.send("olá\n");
        joao.reads("FROM ana [all]: olá");
        joao.says("MSG olá, ana");
        tty.wait("the answer", |screen| screen.contains("olá, ana"));
        tty.send("\x04");
        assert_eq!(tty.wait_exit(), Some(0));
        joao.skips_to("User ana left the chat.");
        let raw = tty.raw();
        assert!(!raw.contains('\x1b'), "{raw:?}");
        assert!(!raw.contains("ana>"), "{raw:?}");
        assert_eq!(raw.matches("Encrypted, for the first time here.").count(), 1, "{raw:?}");
    }
}

#[test]
fn whose_output_is_no_terminal_gets_no_prompt_in_it() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut command = connect(server.address, &["--nick", "ana"]);
    let mut client = Running::start(command.stdin(Stdio::piped()).env("TERM", "xterm-256color"));
    joao.reads("User ana joined.");
    client.type_in("oi\n");
    client.end_input();
    let output = client.output();
    assert_eq!((output.status, output.stdout.contains('\x1b')), (Some(0), false), "{output:?}");
}

#[test]
fn client_speaks_portuguese_by_the_locale() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let environment = [("USER", "xyz"), PORTUGUESE[0]];
    let tty = start(server.address, SIZES[0], &[], &environment);
    tty.wait("the question", |screen| last(screen).starts_with("Apelido [xyz]:"));
    tty.enters("\x15ana");
    tty.wait("the welcome", |screen| screen.contains("Você é ana.") && holds(screen, ""));
    let mut bia = server.member("bia");
    hears(&tty, "+ bia entrou");
    bia.says("MSG @ana psst");
    hears(&tty, "bia → você  psst");
    tty.enters("@bia oi");
    hears(&tty, "você → bia  oi");
    tty.enters("/who");
    tty.wait("who is here", |screen| screen.contains("aqui (3): ana, bia, joao"));
    bia.says("QUIT");
    hears(&tty, "- bia saiu");
    joao.skips_to("User bia left the chat.");
    server.process.signal("KILL");
    tty.wait("the notice", |screen| screen.contains("conexão perdida"));
}

#[test]
fn in_portuguese_the_client_says_goodbye_so_too() {
    let server = Server::start(&[]);
    let mut tty = sit_down_at(server.address, SIZES[0], &[], &PORTUGUESE);
    tty.enters("/quit");
    assert_eq!(tty.wait_exit(), Some(0));
    assert_eq!(tty.lines().last().map(String::as_str), Some("Até logo."));
}

/// All that a client says to its server in an evening.
#[track_caller]
fn wire(environment: &[(&str, &str)]) -> Vec<String> {
    let door = StandIn::open();
    let mut tty = start(door.address, SIZES[0], &["--nick", "ana"], environment);
    let mut server = door.caller();
    let_in(&mut server, "ana, bia");
    ready(&tty);
    let mut said = Vec::new();
    for line in
        ["olá", "@Bia oi", "/who", "/me acena", "//help", "/nick clara", "/help", "/xyzzy", "/quit"]
    {
        tty.enters(line);
    }
    loop {
        said.push(server.line());
        match said.last().map(String::as_str) {
            Some("WHO") => server.says("Connected users: ana, bia"),
            Some("NICK clara") => server.says("OK welcome clara"),
            Some("QUIT") => break,
            _ => (),
        }
    }
    server.says("BYE");
    assert_eq!(tty.wait_exit(), Some(0));
    server.ends();
    said
}

#[test]
fn the_server_is_spoken_to_alike_in_every_language() {
    let english = wire(&[("LANG", "C")]);
    assert_eq!(wire(&PORTUGUESE), english);
    assert_eq!(english[..2], ["MSG olá", "MSG @bia oi"]);
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere a process keeps to itself how much it worked.
fn with_nothing_to_do_client_and_console_sleep() {
    let console = Tty::start(60, 14, &["server", "--no-mdns", "-p0", "-b127.0.0.1"], &[]);
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.says("MSG olá");
    hears(&tty, "joao  olá");
    console.wait("the first line", |screen| screen.starts_with("Listening on "));
    let turns = || [&tty, &console].map(turns);
    // Here it is time itself that is waited for. The first seconds are for what
    // was still going on.
    thread::sleep(Duration::from_secs(2));
    let before = turns();
    thread::sleep(Duration::from_secs(5));
    assert_eq!(turns(), before);
    joao.says("MSG still there?");
    hears(&tty, "joao  still there?");
}

/// How often each thread of the program has had its turn, by their names.
#[cfg(target_os = "linux")]
fn turns(tty: &Tty) -> Vec<(String, u64)> {
    if tty.process.known("stat").is_none() {
        return Vec::new(); // It is something else that runs the binary.
    }
    let tasks = std::fs::read_dir(format!("/proc/{}/task", tty.process.id()));
    let mut turns: Vec<_> = tasks
        .expect("the program runs")
        .map(|task| {
            let status = task.expect("its threads can be listed").path().join("status");
            let status = std::fs::read_to_string(status).expect("it runs");
            let value = |key: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(key));
                line.expect("the kernel knows").trim().to_string()
            };
            let count = value("voluntary_ctxt_switches:").parse().expect("a number");
            (value("Name:"), count)
        })
        .collect();
    turns.sort();
    turns
}
