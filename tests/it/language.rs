//! Texts for people are in their language; output for programs is not.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::cli::{COMMANDS, documented};
use crate::harness::{
    GREETING, Output, Peer, Running, Server, StandIn, check_time, connect, events, minichat, run,
};

/// A command that answers in Portuguese.
fn in_portuguese(mut command: Command) -> Command {
    command.env("LC_ALL", "pt_BR.UTF-8");
    command
}

#[test]
fn first_variable_that_is_set_chooses_the_language() {
    let (portuguese, english) = ("Uso: ", "Usage: ");
    for (all, messages, lang, expected) in [
        ("pt_BR.UTF-8", "", "", portuguese),
        ("", "pt_BR.UTF-8", "", portuguese),
        ("", "", "pt_BR.UTF-8", portuguese),
        ("", "pt_PT", "en_US.UTF-8", portuguese),
        ("pt_BR.UTF-8", "C", "C", portuguese),
        ("C", "", "pt_BR.UTF-8", english),
        ("C", "pt_BR.UTF-8", "pt_BR.UTF-8", english),
        ("", "en_US.UTF-8", "pt_BR.UTF-8", english),
        ("de_DE.UTF-8", "", "", english),
    ] {
        let mut command = minichat();
        command.env("LC_ALL", all).env("LC_MESSAGES", messages).env("LANG", lang);
        let output = run(command.arg("--help"), "");
        assert!(output.stdout.starts_with(expected), "{all:?} {messages:?} {lang:?}: {output:?}");
    }
}

#[test]
fn server_speaks_portuguese_to_its_operator_alone() {
    let mut command = in_portuguese(minichat());
    command.args(["server", "--port", "0", "--no-mdns", "--bind", "127.0.0.1"]);
    let mut server = Running::start(command.stdin(Stdio::null()));
    let first = server.stdout.next().expect("a first line");
    let address = first.strip_prefix("Servidor rodando em ").expect("it says that it runs");
    let address: SocketAddr = address.parse().expect("it says where");
    assert_eq!(server.stdout.next().as_deref(), Some("Para entrar a partir desta máquina:"));
    let key = server.stdout.find("Chave: ");
    assert!(key.ends_with(". Quem entra com nc não tem criptografia."), "{key}");
    assert_eq!(server.stdout.next().as_deref(), Some("Ctrl-C encerra."));

    let mut ana = Peer::connect(address);
    ana.reads(GREETING);
    ana.says("NICK ana");
    ana.reads("OK welcome ana");
    ana.says("NICK bia");
    ana.reads("OK welcome bia");
    ana.says("WHO");
    ana.reads("Connected users: bia");
    ana.says("?");
    ana.reads("ERR unknown_command");
    server.stdout.find("= ana agora é bia 127.0.0.1 (1)");
    server.signal("TERM");
    ana.reads("FROM server [all]: the server is stopping; goodbye");
    server.stdout.find("Servidor encerrado; 1 usuário estava conectado.");
    assert_eq!(server.output().status, Some(0));
}

#[test]
fn help_tells_of_the_same_options_in_every_language() {
    for command in COMMANDS {
        let arguments = || format!("{command} --help");
        let english = run(minichat().args(arguments().split_whitespace()), "");
        let portuguese = run(in_portuguese(minichat()).args(arguments().split_whitespace()), "");
        assert_eq!((portuguese.status, &*portuguese.stderr), (Some(0), ""));
        // Each option, and whether it takes a value, which has a name in each language.
        let options = |help: &str| -> Vec<(String, bool)> {
            let options = documented(help).into_iter();
            options.map(|(name, value)| (name.to_string(), value.is_some())).collect()
        };
        assert_eq!(options(&english.stdout), options(&portuguese.stdout), "{command}");
        assert_eq!(english.stdout.lines().count(), portuguese.stdout.lines().count());
        for line in portuguese.stdout.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }
}

/// Each complaint has each language, with the same exit status.
#[track_caller]
fn check_complaint(command: impl Fn() -> Command, status: i32, cause: &str, way_out: &str) {
    let english = run(&mut command(), "");
    let portuguese = run(&mut in_portuguese(command()), "");
    assert_eq!((english.status, portuguese.status), (Some(status), Some(status)));
    assert_eq!((&*english.stdout, &*portuguese.stdout), ("", ""));
    assert_ne!(english.complaint(), portuguese.complaint());
    assert_eq!(portuguese.complaint(), (cause, way_out));
}

#[test]
fn failures_are_told_in_portuguese_with_the_same_status() {
    let wrong = |line: &'static str| {
        move || {
            let mut command = minichat();
            command.args(line.split_whitespace());
            command
        }
    };
    check_complaint(
        wrong("server --port x"),
        2,
        "valor inválido para a opção `--port`: `x` não é uma porta: um número de 0 a 65535",
        "Veja `minichat server --help`",
    );
    check_complaint(
        wrong("conect"),
        2,
        "comando desconhecido `conect`",
        "Você quis dizer `minichat connect`?",
    );

    let server = Server::start(&[]);
    let (address, port) = (server.address, server.address.port());
    let other = if port == u16::MAX { port - 1 } else { port + 1 };
    let second = || {
        let mut command = minichat();
        command.args(["server", "--no-mdns", "--bind", "127.0.0.1", "--port", &port.to_string()]);
        command
    };
    check_complaint(
        second,
        1,
        &format!("não foi possível escutar em {address}: o endereço já está em uso"),
        &format!(
            "Há outro servidor rodando? \
             Escolha outra porta: minichat server --bind 127.0.0.1 --port {other}"
        ),
    );

    // As long as a socket has the port and does not listen, no other one can.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
    let anywhere: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&anywhere.into()).expect("there is a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is TCP");
    check_complaint(
        || connect(address, &["--nick", "bot"]),
        1,
        &format!("não foi possível conectar a {address}: conexão recusada"),
        &format!("O servidor está rodando lá? Inicie-o: minichat server --port {}", address.port()),
    );
}

/// The lines that the client sends to a server and prints, when it is spoken to like this.
fn converse(prepare: fn(Command) -> Command, options: &[&str]) -> (Vec<u8>, Output) {
    let server = StandIn::open();
    let mut command = prepare(connect(server.address, &["--nick", "ana"]));
    let mut client = Running::start(command.args(options).stdin(Stdio::piped()));
    let mut caller = server.caller();
    let mut sent = Vec::new();
    caller.says(GREETING);
    sent.extend(caller.raw_line());
    caller.sends("OK welcome ana\nUser joao joined.\nFROM joao [all]: oi\n");
    caller.sends("FROM joao [dm]: psst\nERR user_not_found\nUser joao left the chat.\n");
    client.type_in("olá\n/who\n@joao psst\n/me acena\n");
    for _ in 0..4 {
        sent.extend(caller.raw_line());
    }
    caller.sends("FROM ana [all]: olá\nConnected users: ana\n");
    client.end_input();
    let bye = caller.raw_line();
    caller.says("BYE");
    sent.extend(bye);
    (sent, client.output())
}

#[test]
fn wire_and_output_for_programs_have_one_language() {
    let json = |output: &Output| -> Vec<Value> {
        let timeless = |line: &str| {
            let mut object: Value = serde_json::from_str(line).expect("an object");
            object.as_object_mut().and_then(|object| object.remove("time")).expect("a time");
            object
        };
        output.stdout.lines().map(timeless).collect()
    };
    let (english, english_output) = converse(|command| command, &["--json"]);
    let (portuguese, output) = converse(in_portuguese, &["--json"]);
    assert_eq!(String::from_utf8_lossy(&english), String::from_utf8_lossy(&portuguese));
    assert_eq!((english_output.status, output.status), (Some(1), Some(1)));
    assert_eq!(json(&english_output), json(&output));
    assert!(json(&output).len() >= 8, "{output:?}");

    let (english, english_output) = converse(|command| command, &[]);
    let (portuguese, output) = converse(in_portuguese, &[]);
    assert_eq!(english, portuguese);
    assert_eq!((english_output.status, output.status), (Some(1), Some(1)));
    assert_eq!(events(&english_output.stdout), events(&output.stdout));
}

#[test]
fn the_log_has_no_other_language() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("language.log");
    fs::remove_file(&path).ok(); // A test that failed may have left it.
    let log = path.to_str().expect("a path in UTF-8");
    let server = Server::launch(in_portuguese(minichat()), &["--log", log]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    ana.says("MSG olá");
    joao.skips_to("FROM ana [all]: olá");
    joao.says("QUIT");
    ana.skips_to("User joao left the chat.");
    server.process.signal("TERM");
    assert_eq!(server.process.output().status, Some(0));

    let kept = fs::read_to_string(&path).expect("there is a log");
    let lines: Vec<&str> = kept
        .lines()
        .map(|line| {
            let (time, line) = line.split_once(' ').expect("a line begins with the time");
            check_time(time);
            line
        })
        .collect();
    let expected = [
        "User ana joined.",
        "User joao joined.",
        "FROM ana [all]: olá",
        "User joao left the chat.",
        "FROM server [all]: the server is stopping; goodbye",
    ];
    assert_eq!(lines, expected);
    fs::remove_file(&path).expect("the log can be removed");
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error_in_portuguese() {
    let mut command = minichat();
    let folder = env!("CARGO_TARGET_TMPDIR");
    command.args(["server", "--port", "0", "--no-mdns", "--bind", "127.0.0.1", "--log", folder]);
    let output = run(&mut in_portuguese(command), "");
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    let begin = format!("não foi possível gravar o log {folder}: ");
    let why = cause.strip_prefix(&begin).unwrap_or_else(|| panic!("{cause}"));
    // Not every system tells it from any other thing that is not allowed.
    assert!(matches!(why, "é uma pasta" | "permissão negada"), "{why}");
    assert_eq!(way_out, "Escolha um arquivo em que você possa escrever: --log ARQUIVO");
}
