//! The client in pipes and scripts: what it says, what it prints, how it ends.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::harness::{
    Client, GREETING, PATIENCE, Running, Server, StandIn, broken_pipe, connect, event, events,
    minichat, run,
};
use crate::signals;

#[test]
fn script_says_its_line_with_any_form_of_its_nick() {
    let server = Server::start(&["--history", "0"]);
    let mut joao = server.member("joao");
    for (options, habit, input) in [
        (&[][..], "", "NICK bot\nMSG pronto\n"),
        (&[], "", "\n\nNICK bot\npronto"),
        (&["--nick", "bot"], "", "pronto\n"),
        (&["-nbot"], "", "MSG pronto\n"),
        (&[], "bot", "pronto\n"),
        (&["--nick=bot"], "ana", "pronto\n"),
    ] {
        let mut command = connect(server.address, options);
        let output = run(command.env("MINICHAT_NICK", habit), input);
        assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{options:?}, {input:?}");
        assert_eq!(
            events(&output.stdout),
            ["welcome\t\tbot", "message\tbot\tpronto", "bye\t\t"],
            "{options:?}, {input:?}"
        );
        joao.reads("User bot joined.");
        joao.reads("FROM bot [all]: pronto");
        joao.reads("User bot left the chat.");
    }
    joao.reads_nothing_more();
}

#[test]
fn server_is_found_by_address_and_name_with_any_port_form() {
    let server = Server::start(&[]);
    let port = server.address.port();
    for words in [
        format!("127.0.0.1 {port}"),
        format!("127.0.0.1:{port}"),
        format!("localhost {port}"),
        format!("localhost:{port}"),
    ] {
        for line in [format!("-n bot {words}"), format!("{words} -n bot")] {
            let output = run(minichat().arg("connect").args(line.split(' ')), "");
            assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{line}");
            assert_eq!(events(&output.stdout), ["welcome\t\tbot", "bye\t\t"], "{line}");
        }
    }
}

#[test]
fn lines_end_in_every_usual_way_and_the_last_one_need_not() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for input in ["um\ndois\n", "um\ndois", "um\r\ndois\r\n", "\n \n\num\n\r\n\t\ndois\n\n"] {
        let output = run(&mut connect(server.address, &["-n", "bot"]), input);
        assert_eq!(output.status, Some(0), "{input:?}");
        for line in ["User bot joined.", "FROM bot [all]: um", "FROM bot [all]: dois"] {
            assert_eq!(joao.line(), line, "{input:?}");
        }
        joao.reads("User bot left the chat.");
    }
}

#[test]
fn typed_line_goes_to_all_to_one_or_nowhere() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let input = "WHO is coming?\n two  blanks \nwho\n//who\n/usr/bin is text\n/me acena\n\
        @joao psst\n/msg joao de novo\n@joao\n/dance\nMSG WHO\nWHO\n/who\n/quit\na ghost\n";
    let output = run(&mut connect(server.address, &["-n", "bot"]), input);
    assert_eq!(output.status, Some(1));
    let said = [
        "WHO is coming?",
        " two  blanks ",
        "who",
        "/who",
        "/usr/bin is text",
        "/me acena",
        "@psst",
        "@de novo",
        "WHO",
    ];
    joao.reads("User bot joined.");
    for text in said {
        joao.reads(match text.strip_prefix('@') {
            Some(text) => format!("FROM bot [dm]: {text}"),
            None => format!("FROM bot [all]: {text}"),
        });
    }
    joao.reads("User bot left the chat.");
    joao.reads_nothing_more();

    let echo = said.iter().map(|text| match text.strip_prefix('@') {
        Some(text) => format!("private\tbot\t@joao {text}"),
        None => format!("message\tbot\t{text}"),
    });
    let shown = ["welcome\t\tbot".to_string()].into_iter().chain(echo).chain([
        "users\t\tbot, joao".into(),
        "users\t\tbot, joao".into(),
        "bye\t\t".into(),
    ]);
    assert_eq!(events(&output.stdout), shown.collect::<Vec<_>>());
    // A line that was not sent is not lost without a word.
    let hints: Vec<&str> = output.stderr.lines().collect();
    let [one, other, rest] = hints[..] else { panic!("not three hints: {hints:?}") };
    assert!(one.starts_with("minichat: \"@joao\": ") && one.contains("@NICK"), "{one}");
    assert!(other.starts_with("minichat: \"/dance\": "), "{other}");
    assert!(rest.starts_with("minichat: ") && rest.contains("the rest was not sent"), "{rest}");
}

#[test]
fn a_line_that_is_not_utf8_is_named_and_holds_nothing_up() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let output = run(&mut connect(server.address, &["-n", "bot"]), b"ol\xE1\nolha\n");
    assert_eq!(output.status, Some(1));
    assert_eq!(output.stderr, "minichat: \"ol\u{FFFD}\": the text is not UTF-8\n");
    joao.reads("User bot joined.");
    joao.reads("FROM bot [all]: olha");
}

#[test]
fn too_long_line_goes_in_several_messages() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let words: Vec<String> = (0..2000).map(|n| format!("palavra{n}")).collect();
    let output = run(&mut connect(server.address, &["-n", "bot"]), words.join(" "));
    assert_eq!(output.status, Some(0));
    assert!(output.stderr.contains("too long"), "{:?}", output.stderr);
    joao.reads("User bot joined.");
    let mut heard: Vec<String> = Vec::new();
    while heard.len() < words.len() {
        let line = joao.line();
        let text = line.strip_prefix("FROM bot [all]: ").unwrap_or_else(|| panic!("{line:?}"));
        heard.extend(text.split(' ').map(str::to_string));
    }
    assert_eq!(heard, words);
}

#[test]
fn script_without_a_nick_says_nothing() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for (habit, input) in [
        ("", ""),
        ("", "\n\n"),
        ("", "pronto\n"),
        ("", "pronto\nNICK bot\n"),
        ("", "WHO\n"),
        ("", "NICK\nbot\n"),
        ("", "NICK bot is late\n"),
        (" ", "pronto\n"),
    ] {
        for option in ["--timeout=5", "--json", "--stay"] {
            let mut command = connect(server.address, &[option]);
            let output = run(command.env("MINICHAT_NICK", habit), input);
            assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{option}, {input:?}");
            let (cause, way_out) = output.complaint();
            assert!(cause.contains("no nickname"), "{cause}");
            assert!(way_out.contains("--nick") && way_out.contains("MINICHAT_NICK"), "{way_out}");
        }
    }
    joao.reads_nothing_more();
}

#[test]
fn script_with_a_refused_nick_says_nothing() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for (nick, why) in [
        ("joao", "has that nick"),
        ("JOAO", "has that nick"),
        ("server", "nick"),
        ("a@b", "a nick is"),
        ("a\u{202E}b", "a nick is"),
    ] {
        for (options, input) in [
            (&["--nick", nick][..], "pronto\n".to_string()),
            (&[], format!("NICK {nick}\nMSG pronto\nQUIT\n")),
        ] {
            let output = run(&mut connect(server.address, options), input);
            assert_eq!((output.status, &*output.stdout), (Some(1), ""), "{nick:?}");
            let (cause, way_out) = output.complaint();
            assert!(cause.contains(&format!("{nick:?}")) && cause.contains(why), "{cause}");
            assert!(way_out.contains("--nick"), "{way_out}");
        }
    }
    joao.reads_nothing_more();
}

#[test]
fn a_nick_from_the_command_line_is_never_more_than_a_nick() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    for nick in ["ana bia", "ana\nMSG olá", "ana\r\nMSG olá"] {
        let output = run(&mut connect(server.address, &["--nick", nick]), "");
        assert!(matches!(output.status, Some(1 | 2)), "{nick:?}: {output:?}");
        output.complaint();
        joao.reads_nothing_more();
    }
}

#[test]
fn client_is_told_that_the_room_is_full() {
    let server = Server::start(&["--max-users", "1"]);
    let mut joao = server.member("joao");
    for input in ["", "pronto\n"] {
        let output = run(&mut connect(server.address, &["--nick", "bot"]), input);
        assert_eq!((output.status, &*output.stdout), (Some(1), ""));
        let (cause, _) = output.complaint();
        assert!(cause.contains("full") && cause.contains(&server.address.to_string()), "{cause}");
    }
    joao.reads_nothing_more();
}

#[test]
fn refused_connection_is_named_with_a_way_out() {
    // As long as a socket has the port and does not listen, no other one can.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
    let anywhere: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&anywhere.into()).expect("there is a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is TCP");
    let output = run(&mut connect(address, &["--nick", "bot"]), "pronto\n");
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    assert_eq!(cause, format!("cannot connect to {address}: connection refused"));
    assert!(way_out.contains("minichat server"), "{way_out}");
}

#[test]
fn a_host_that_is_nowhere_is_an_error_with_a_way_out() {
    // No name has a part of more than 63 letters, so the client does not even ask.
    let host = "x".repeat(64);
    let output = run(minichat().args(["connect", &host, "9000", "--nick", "bot"]), "pronto\n");
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    assert!(cause.contains(&host), "{cause}");
    assert!(way_out.contains("minichat connect "), "{way_out}");
}

#[test]
fn leaving_client_delivers_every_line_in_order() {
    let server = Server::start(&["--rate", "0", "--history", "0"]);
    let mut joao = server.member("joao");
    for count in [150, 5000] {
        let input: String = (0..count).map(|n| format!("linha {n}\n")).collect();
        let output = run(&mut connect(server.address, &["--nick", "bot"]), input);
        assert_eq!((output.status, &*output.stderr), (Some(0), ""));
        joao.reads("User bot joined.");
        let mut shown = events(&output.stdout).into_iter();
        assert_eq!(shown.next(), Some("welcome\t\tbot"));
        for n in 0..count {
            joao.reads(format!("FROM bot [all]: linha {n}"));
            assert_eq!(shown.next(), Some(&*format!("message\tbot\tlinha {n}")));
        }
        joao.reads("User bot left the chat.");
        assert_eq!(shown.next(), Some("bye\t\t"));
        assert_eq!(shown.next(), None);
    }
}

#[test]
fn throttled_lines_are_all_delivered() {
    let server = Server::start(&["--rate", "100"]);
    let mut joao = server.member("joao");
    let input: String = (0..350).map(|n| format!("{n}\n")).collect();
    let output = run(&mut connect(server.address, &["--nick", "bot"]), input);
    assert_eq!(output.status, Some(0));
    joao.reads("User bot joined.");
    for n in 0..350 {
        joao.reads(format!("FROM bot [all]: {n}"));
    }
    joao.reads("User bot left the chat.");
}

#[test]
fn staying_client_reads_on_after_the_end_of_its_input() {
    let door = StandIn::open();
    let mut bot = Client::start(door.address, &["--nick", "bot", "--stay"]);
    let mut server = door.caller();
    server.says(GREETING);
    server.reads("NICK bot");
    server.says("OK welcome bot");
    bot.types("pronto");
    bot.process.end_input();
    bot.shows("welcome\t\tbot");
    server.reads("MSG pronto");
    server.says("FROM bot [all]: pronto");
    bot.shows("message\tbot\tpronto");
    for n in 0..100 {
        server.says(format!("FROM ana [all]: {n}"));
        bot.shows(&format!("message\tana\t{n}"));
    }
    server.says("BYE");
    let output = bot.process.output();
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    assert_eq!(output.stdout.lines().last().map(event), Some("bye\t\t"));
    server.ends(); // It was never told `QUIT`.
}

#[test]
fn a_server_that_stops_is_no_failure_of_its_clients() {
    for options in [&[][..], &["--stay", "--no-reconnect"], &["--json"], &["--raw", "--stay"]] {
        let server = Server::start(&[]);
        let mut ana = server.member("ana");
        let mut client = Client::start(server.address, options);
        client.types("NICK bot");
        ana.reads("User bot joined.");
        server.process.signal("TERM");
        let output = client.process.output();
        assert_eq!((output.status, &*output.stderr), (Some(0), ""), "with {options:?}");
        let last = output.stdout.lines().last();
        assert!(last.is_some_and(|line| line.to_lowercase().contains("bye")), "{last:?}");
    }
}

#[test]
#[cfg(unix)] // Elsewhere no signal ends a server at once.
fn listener_that_stays_comes_back_and_says_so_in_events() {
    for (option, lost, back) in [
        ("--stay", "lost\t\t", "back\t\tbot"),
        ("--json", r#""type":"lost"}"#, r#""type":"back","to":"bot",""#),
    ] {
        for signal in ["TERM", "KILL"] {
            let mut server = Server::start(&[]);
            let port = server.address.port().to_string();
            let mut bot = Client::start(server.address, &["--nick", "bot", "--stay", option]);
            bot.process.end_input();
            bot.process.stdout.find("welcome");
            server.process.signal(signal);
            bot.process.stdout.find(lost);
            server.process.wait();
            let server = Server::start(&["--port", &port]);
            let line = bot.process.stdout.find(back);
            assert!(
                option != "--json" || line.ends_with(&format!(r#""text":"127.0.0.1:{port}"}}"#))
            );
            let mut ana = server.member("ana");
            ana.says("MSG still there?");
            bot.process.stdout.find("still there?");
            bot.process.signal("TERM");
            assert_eq!(bot.process.output().status, Some(143), "with {option}, after {signal}");
        }
    }
}

#[test]
fn clients_of_a_large_room_come_back_one_by_one() {
    const CLIENTS: usize = 12;
    let door = StandIn::open();
    let mut clients = Vec::new();
    let mut callers = Vec::new();
    let crowd: Vec<String> = (0..1000).map(|n| format!("u{n:03}")).collect();
    for n in 0..CLIENTS {
        let nick = format!("bot{n}");
        clients.push(Client::start(door.address, &["--nick", &nick, "--stay"]));
        let mut caller = door.caller();
        caller.reads(format!("NICK {nick}"));
        caller.says(format!("OK welcome {nick}\nConnected users: {}", crowd.join(", ")));
        callers.push(caller);
    }
    let begin = Instant::now();
    for mut caller in callers {
        caller.says("FROM server [all]: the server is stopping; goodbye\nBYE");
    }
    // They connect at once, and begin to talk at random within 5 s.
    let mut back: Vec<Duration> = thread::scope(|scope| {
        let call = || {
            door.caller();
            begin.elapsed()
        };
        let calls: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().expect("a client is back")).collect()
    });
    back.sort();
    // By chance once in two million runs.
    assert!(back[CLIENTS - 1] - back[0] > Duration::from_secs(1), "{back:?}");
}

#[test]
fn script_that_stays_says_the_rest_when_the_server_is_back() {
    let door = StandIn::open();
    let mut bot = Client::start(door.address, &["--nick", "bot", "--stay"]);
    let mut server = door.caller();
    server.reads("NICK bot");
    server.says("OK welcome bot");
    bot.types("one");
    server.reads("MSG one");
    server.says("FROM bot [all]: one");
    bot.types("two");
    server.reads("MSG two");
    server.resets();
    bot.process.stdout.find("lost");
    bot.types("three");
    bot.process.end_input();
    let mut server = door.caller();
    server.reads("NICK bot");
    server.says("OK welcome bot");
    server.reads("MSG three");
    bot.process.stdout.find("back");
    bot.process.stderr.find("perhaps nobody heard: two");
    server.says("BYE");
    assert_eq!(bot.process.output().status, Some(1));
}

#[test]
fn client_leaves_a_quiet_room_when_its_reader_goes() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for options in [&["-nbot", "--stay"][..], &["-nbot", "--stay", "--json"], &["-nbot"]] {
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let mut command = connect(server.address, options);
        let mut client = Running::start_into(command.stdin(Stdio::piped()), writer, Stdio::piped());
        drop(command); // It has the end of the pipe that is written to, too.
        ana.reads("User bot joined.");
        drop(reader);
        ana.reads("User bot left the chat.");
        assert_eq!(client.wait().code(), Some(0), "with {options:?}");
        assert_eq!(client.stderr.next(), None);
    }
    // Nor does one that has lost its server stay.
    let door = StandIn::open();
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let mut command = connect(door.address, &["-nbot", "--stay"]);
    let mut client = Running::start_into(command.stdin(Stdio::null()), writer, Stdio::piped());
    drop(command);
    let mut caller = door.caller();
    caller.says("OK welcome bot");
    caller.reads("NICK bot");
    drop((caller, door));
    drop(reader);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn signal_ends_the_client_with_its_number() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for &(signal, status) in signals::ALL {
        for option in ["--timeout=5", "--stay", "--json", "--raw"] {
            let mut client = Client::start(server.address, &[option]);
            client.types("NICK bot");
            ana.reads("User bot joined.");
            client.process.signal(signal);
            let output = client.process.output();
            assert_eq!(output.status, Some(status), "with {option}, after SIG{signal}");
            assert_eq!(output.stderr, "");
            ana.reads("User bot left the chat.");
        }
    }
}

#[test]
fn a_signal_is_obeyed_whatever_the_client_waits_for() {
    let door = StandIn::open();
    for what in ["the greeting", "the nick", "the goodbye"] {
        let mut client = Client::start(door.address, &["--nick", "bot"]);
        let mut server = door.caller();
        server.reads("NICK bot");
        if what != "the greeting" {
            server.says(GREETING);
        }
        if what == "the goodbye" {
            server.says("OK welcome bot");
            client.process.end_input();
            server.reads("QUIT");
        }
        client.process.signal("TERM");
        assert_eq!(client.process.output().status, Some(143), "waiting for {what}");
    }
}

#[test]
fn signal_is_obeyed_while_the_output_is_unread() {
    let door = StandIn::open();
    let (_reader, writer) = io::pipe().expect("a pipe can be made");
    let mut command = connect(door.address, &["--nick", "bot"]);
    let mut client = Running::start_into(command.stdin(Stdio::piped()), writer, Stdio::piped());
    let mut server = door.caller();
    server.reads("NICK bot");
    server.says("OK welcome bot");
    // More than the pipe and the client take, and less than the network does.
    let flood = server.socket().try_clone().expect("a socket can be shared");
    flood.set_write_timeout(Some(Duration::from_secs(1))).expect("a deadline can be set");
    while (&flood).write_all("FROM ana [all]: olá\n".repeat(1000).as_bytes()).is_ok() {}
    client.signal("TERM");
    assert_eq!(client.wait().code(), Some(143));
}

#[test]
fn client_leaves_quietly_when_its_output_is_closed() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    for options in [&["-nbot"][..], &["-nbot", "--stay"], &["-nbot", "--json"]] {
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let mut command = connect(server.address, options);
        let mut client = Running::start_into(command.stdin(Stdio::piped()), writer, Stdio::piped());
        drop(command); // It has the end of the pipe that is written to, too.
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(reader).read_line(&mut line).expect("the pipe can be read");
            sender.send(line)
        });
        let line = receiver.recv_timeout(PATIENCE).expect("it prints a line");
        assert!(line.contains("welcome"), "{line}");
        ana.reads("User bot joined.");
        // While another test starts a program, that has the reading end for a
        // moment, too, and what is printed then is not lost yet.
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE, "the client stays, with {options:?}");
            ana.says("MSG anybody?");
            if ana.line() == "User bot left the chat." {
                ana.reads("FROM ana [all]: anybody?");
                break;
            }
        }
        assert_eq!(client.wait().code(), Some(0), "with {options:?}");
        assert_eq!(client.stderr.next(), None);
    }
}

#[test]
fn chat_goes_on_while_hints_are_unread() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let mut command = connect(server.address, &["--nick", "bot"]);
    command.stdin(Stdio::piped());
    let mut client = Running::start_into(&mut command, Stdio::piped(), broken_pipe());
    client.type_in("/help\npronto\n");
    client.end_input();
    let output = client.output();
    assert_eq!(output.status, Some(0), "{output:?}");
    for line in ["User bot joined.", "FROM bot [all]: pronto", "User bot left the chat."] {
        ana.reads(line);
    }
}

#[test]
fn a_connection_lost_without_a_goodbye_is_a_failure() {
    let door = StandIn::open();
    for way in ["closes", "resets"] {
        for options in [
            &["-nbot"][..],
            &["-nbot", "--stay", "--no-reconnect"],
            &["-nbot", "--json"],
            &["--raw", "--stay"],
        ] {
            let mut client = Client::start(door.address, options);
            client.types("NICK bot");
            let mut server = door.caller();
            server.says(GREETING);
            server.reads("NICK bot");
            server.says("OK welcome bot");
            client.process.stdout.find("welcome");
            match way {
                "closes" => drop(server),
                _ => server.resets(),
            }
            let output = client.process.output();
            assert_eq!(output.status, Some(1), "it {way}, with {options:?}");
            let (cause, way_out) = output.complaint();
            assert!(cause.contains("lost") && cause.contains(&door.address.to_string()), "{cause}");
            assert!(way_out.contains(&format!("minichat connect {}", door.address)), "{way_out}");
        }
    }
}

#[test]
fn server_that_breaks_off_early_is_a_failure() {
    let door = StandIn::open();
    for options in [&["-nbot"][..], &["-nbot", "--json"], &["-nbot", "--stay", "--no-reconnect"]] {
        let mut client = Client::start(door.address, options);
        let mut server = door.caller();
        server.says("OK welcome bot");
        client.process.stdout.find("welcome");
        client.types("one");
        client.types("two");
        client.process.end_input();
        // It has not read even the nick.
        server.resets();
        let output = client.process.output();
        assert_eq!(output.status, Some(1), "with {options:?}");
        // The lines that it had time to send are named.
        let told = output.stderr.lines().find(|line| !line.contains("perhaps nobody heard"));
        assert!(told.is_some_and(|line| line.contains("lost")), "{output:?}");
    }
}

#[test]
fn a_server_that_takes_nothing_of_what_is_said_is_left_in_time() {
    let door = StandIn::open();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("more-than-it-takes.txt");
    fs::write(&path, ("oi".repeat(500) + "\n").repeat(32 << 10)).expect("a file can be written");
    let begin = Instant::now();
    let formats = [&["-nbot"][..], &["-nbot", "--json"], &["--raw"]];
    let clients = formats.map(|options| {
        let mut command = connect(door.address, options);
        command.env("MINICHAT_STUCK_SECS", "2");
        command.stdin(File::open(&path).expect("it is there"));
        let client = Running::start_into(&mut command, Stdio::piped(), Stdio::piped());
        let mut server = door.caller();
        server.says("OK welcome bot");
        (client, server, options)
    });
    for (client, _server, options) in clients {
        let output = client.output();
        assert_eq!(output.status, Some(1), "with {options:?}: {output:?}");
        let told: Vec<&str> = output.stderr.lines().rev().collect();
        assert!(told[1].contains("lost"), "{output:?}");
        // Its lines are named, up to some, and the others counted.
        assert_eq!(told.len(), if options == ["--raw"] { 2 } else { 8 }, "{output:?}");
        assert!(told.iter().skip(3).all(|line| line.ends_with("oi…")), "{output:?}");
    }
    let time = begin.elapsed();
    assert!(time >= Duration::from_secs(2), "it took {time:?}");
    fs::remove_file(&path).expect("nobody needs it any more");
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let door = StandIn::open();
    // It may say nothing at all, or anything but the answer.
    for chatter in [&[][..], &[GREETING], &["User ana joined.", "FROM ana [all]: olá"]] {
        let begin = Instant::now();
        let client = Client::start(door.address, &["--nick", "bot", "--timeout", "1"]);
        let mut server = door.caller();
        for line in chatter {
            server.says(line);
        }
        let output = client.process.output();
        let time = begin.elapsed();
        assert!((1..10).contains(&time.as_secs()), "after {chatter:?} it took {time:?}");
        assert_eq!(output.status, Some(1));
        let (cause, way_out) = output.complaint();
        assert!(cause.contains(&door.address.to_string()) && cause.contains("1 s"), "{cause}");
        assert!(way_out.contains("--timeout"), "{way_out}");
    }
}

#[test]
fn client_leaves_a_server_without_goodbye_in_time() {
    let door = StandIn::open();
    let begin = Instant::now();
    let mut client = Client::start(door.address, &["--nick", "bot"]);
    let mut server = door.caller();
    server.reads("NICK bot");
    server.says("OK welcome bot");
    client.types("pronto");
    client.process.end_input();
    server.reads("MSG pronto");
    server.reads("QUIT");
    let output = client.process.output();
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    let time = begin.elapsed();
    assert!(time < Duration::from_secs(15), "it took {time:?}");
}

#[test]
fn client_leaves_a_chattering_server_in_time() {
    let door = StandIn::open();
    for (registers, status) in [(false, 1), (true, 0)] {
        let begin = Instant::now();
        let mut client = Client::start(door.address, &["--nick", "bot", "--timeout", "1"]);
        let mut server = door.caller();
        server.reads("NICK bot");
        if registers {
            server.says("OK welcome bot");
            client.process.end_input();
            server.reads("QUIT");
        }
        // It is gone when nothing of it is printed any more.
        loop {
            server.socket().write_all(b"FROM ana [all]: chatter\n").ok();
            if client.process.stdout.next().is_none() {
                break;
            }
            assert!(begin.elapsed() < PATIENCE / 2, "it listens for ever");
        }
        assert_eq!(client.process.output().status, Some(status));
    }
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere a process keeps to itself how much it worked.
fn with_nothing_to_do_the_client_does_nothing() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let mut stays = Client::start(server.address, &["--nick", "stays", "--stay"]);
    stays.process.end_input();
    let types = Client::start(server.address, &["--nick", "types"]);
    let mut clients = [stays, types];
    ana.line();
    ana.line();
    ana.says("MSG olá");
    for client in &mut clients {
        client.process.stdout.find("olá");
    }
    let ticks = || clients.each_ref().map(|client| client.process.ticks());
    // Here it is time itself that is waited for. The first second is for what
    // was still going on.
    thread::sleep(Duration::from_secs(1));
    let before = ticks();
    thread::sleep(Duration::from_secs(10));
    assert_eq!(ticks(), before);
    ana.says("MSG still there?");
    for client in &mut clients {
        client.process.stdout.find("still there?");
    }
}
