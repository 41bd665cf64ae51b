//! The decisions of the operator, and the view and the files that they have.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{GREETING, Peer, Running, Server, minichat, run};

#[test]
fn newcomer_is_refused_while_the_room_is_full() {
    let server = Server::start(&["--max-users", "2"]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    let mut third = server.connect();
    third.reads(GREETING);
    third.reads("ERR room_full");
    third.ends();
    joao.reads_nothing_more();

    ana.says("QUIT");
    ana.reads("BYE");
    joao.reads("User ana left the chat.");
    let mut third = server.member("maria");
    joao.reads("User maria joined.");
    third.says("WHO");
    third.reads("Connected users: joao, maria");
}

#[test]
fn small_rooms_alone_are_told_who_comes_and_goes() {
    let server = Server::start(&["--notices", "4", "--history", "0"]);
    let mut people = server.members(["ana", "bia", "caio", "davi"]);
    let mut fifth = server.member("eva");
    fifth.reads("FROM server [dm]: comings and goings are not told here");
    let end = "FROM server [all]: so many are here that comings and goings are not told any more";
    people.iter_mut().for_each(|person| person.reads(end));
    fifth.says("NICK Eva");
    fifth.reads("OK welcome Eva");
    drop(server.member("filipe")); // Nobody notices.
    people[0].says("MSG @eva oi");
    fifth.reads("FROM ana [dm]: oi");
    let [mut ana, bia, caio, davi] = people;
    for mut person in [fifth, bia, caio, davi] {
        person.says("QUIT");
        person.reads("BYE");
    }
    ana.reads("FROM server [all]: comings and goings are told again");
    let mut gil = server.member("gil");
    ana.reads("User gil joined.");
    gil.says("QUIT");
    ana.reads("User gil left the chat.");

    let silent = Server::start(&["--notices", "0"]);
    let mut ana = silent.member("ana");
    ana.reads("FROM server [dm]: comings and goings are not told here");
    let mut bia = silent.member("bia");
    bia.says("MSG oi");
    ana.reads("FROM bia [all]: oi");
}

#[test]
fn first_guest_to_register_gets_the_last_place() {
    let server = Server::start(&["--max-users", "1"]);
    let [mut first, mut second] = [server.guest(), server.guest()];
    first.says("NICK ana");
    first.reads("OK welcome ana");
    second.says("NICK joao");
    second.reads("ERR room_full");
    second.ends();
    first.reads_nothing_more();
}

#[test]
fn server_greets_newcomers_alone() {
    let server = Server::start(&["--motd", "Olá! Sala 3, até as 22h."]);
    let mut ana = server.member("ana");
    ana.reads("FROM server [dm]: Olá! Sala 3, até as 22h.");
    let mut joao = server.member("joao");
    joao.reads("FROM server [dm]: Olá! Sala 3, até as 22h.");
    ana.reads("User joao joined.");
    // Another nick does not make a newcomer.
    ana.says("NICK bia");
    ana.reads("OK welcome bia");
    ana.reads_nothing_more();
}

#[test]
fn newcomers_read_the_last_public_messages_alone() {
    let server = Server::start(&["--history", "2", "--motd", "Olá"]);
    let mut ana = server.member("ana");
    ana.skips_to("FROM server [dm]: Olá");
    ana.says("MSG one");
    ana.reads("FROM ana [all]: one");
    let mut joao = server.member("joao");
    joao.reads("FROM server [dm]: Olá");
    joao.reads("History: 1");
    joao.reads("FROM ana [all]: one");

    ana.sends("MSG two\nMSG @joao private\nNICK bia\nMSG three\n");
    joao.reads("FROM ana [all]: two");
    joao.reads("FROM ana [dm]: private");
    joao.reads("User ana left the chat.");
    joao.reads("User bia joined.");
    joao.reads("FROM bia [all]: three");
    joao.says("QUIT");
    joao.reads("BYE");

    let mut maria = server.member("maria");
    maria.reads("FROM server [dm]: Olá");
    maria.reads("History: 2");
    maria.reads("FROM ana [all]: two");
    maria.reads("FROM bia [all]: three");
    maria.reads_nothing_more();
}

#[test]
fn fast_talker_is_heard_slowly_and_completely() {
    let server = Server::start(&["--rate", "100"]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    let begin = Instant::now();
    ana.sends((0..350).map(|n| format!("MSG {n}\n")).collect::<String>());
    for n in 0..350 {
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM ana [all]: {n}"));
        }
    }
    // The first 200 may come at once, but for the line that was the nick, and
    // the others take a hundredth of a second each.
    let pause = begin.elapsed();
    assert!(pause > Duration::from_millis(1400), "it only took {pause:?}");
    for peer in [&mut ana, &mut joao] {
        peer.reads_nothing_more();
    }
}

#[test]
fn terminal_shows_arrivals_and_departures_with_addresses() {
    let mut server = Server::start(&[]);
    let ana = server.member("ana");
    shows(&mut server, "+ ana 127.0.0.1 (1)");
    let joao = server.member("joao");
    shows(&mut server, "+ joao 127.0.0.1 (2)");
    drop(ana);
    shows(&mut server, "- ana 127.0.0.1 (1)");
    drop(joao);
    shows(&mut server, "- joao 127.0.0.1 (0)");
}

#[track_caller]
fn shows(server: &mut Server, what: &str) {
    let line = server.process.stdout.find(what);
    assert_eq!(after(&line, "99:99:99 "), what);
}

#[test]
fn a_quiet_server_prints_nothing() {
    // The server says nowhere where it listens, so it has to be told. The port is free now,
    // and the system gives others away first.
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port is free")
        .local_addr()
        .expect("it has one")
        .port();
    let mut command = minichat();
    command.args([
        "server",
        "--quiet",
        "--no-mdns",
        "--bind",
        "127.0.0.1",
        "--port",
        &port.to_string(),
    ]);
    let server = Running::start(&mut command);
    let mut ana = Peer::connect_when_it_listens(([127, 0, 0, 1], port).into());
    for (said, read) in [("NICK ana", "OK welcome ana"), ("QUIT", "BYE")] {
        ana.says(said);
        ana.skips_to(read);
    }
    ana.ends();
    server.signal("TERM");
    let output = server.output();
    assert_eq!((output.status, &*output.stdout, &*output.stderr), (Some(0), "", ""));
}

#[test]
fn the_log_keeps_the_public_conversation_and_no_private_word() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conversation.log");
    fs::remove_file(&path).ok(); // A test that failed may have left it.
    let log = path.to_str().expect("a path in UTF-8");
    for text in ["olá", "another evening"] {
        let server = Server::start(&["--log", log]);
        let [mut ana, mut joao] = server.members(["ana", "joao"]);
        ana.says(format!("MSG {text}"));
        ana.says("MSG @joao psst");
        joao.skips_to("FROM ana [dm]: psst");
        joao.says("NICK rui");
        joao.reads("OK welcome rui");
        joao.says("QUIT");
        joao.skips_to("BYE");
        ana.skips_to("User rui left the chat.");
        server.process.signal("TERM");
        assert_eq!(server.process.output().status, Some(0));
    }

    let kept = fs::read_to_string(&path).expect("there is a log");
    let evening = |text| {
        [
            "User ana joined.".to_string(),
            "User joao joined.".to_string(),
            format!("FROM ana [all]: {text}"),
            "User joao left the chat.".to_string(),
            "User rui joined.".to_string(),
            "User rui left the chat.".to_string(),
        ]
    };
    let lines: Vec<&str> = kept
        .lines()
        .map(|line| after(line, "9999-99-99T99:99:99+99:99 "))
        .filter(|line| !line.starts_with("FROM server [all]: "))
        .collect();
    assert_eq!(lines, [evening("olá"), evening("another evening")].concat());

    #[cfg(unix)] // Elsewhere a folder decides who may read what is in it.
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).expect("there is a log").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it is for its owner only");
    }
    fs::remove_file(&path).expect("the log can be removed");
}

#[test]
fn a_port_that_is_taken_is_an_error_with_a_way_out() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let mut second = minichat();
    second.args(["server", "--no-mdns", "--bind", "127.0.0.1", "--port", &port]);
    let output = run(&mut second, "");
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, way_out) = output.complaint();
    assert!(cause.contains(&server.address.to_string()), "{cause}");
    assert!(way_out.contains("--port"), "{way_out}");
    server.still_serves();
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere a process keeps to itself how much it worked.
fn with_nothing_to_do_the_server_does_nothing() {
    let server = Server::start(&[]);
    let mut idle = server.members(["ana", "joao"]);
    for peer in &mut idle {
        peer.reads_nothing_more();
    }
    // Here it is time itself that is waited for. The first second is for what
    // was still going on.
    thread::sleep(Duration::from_secs(1));
    let before = server.process.ticks();
    thread::sleep(Duration::from_secs(10));
    assert_eq!(server.process.ticks(), before);
    for peer in &mut idle {
        peer.reads_nothing_more();
    }
}

/// The text after a time of this form, in which 9 is any digit and + any sign.
#[track_caller]
fn after<'a>(line: &'a str, form: &str) -> &'a str {
    let fits = |(c, form): (char, char)| match form {
        '9' => c.is_ascii_digit(),
        '+' => matches!(c, '+' | '-'),
        _ => c == form,
    };
    assert!(line.len() > form.len() && line.chars().zip(form.chars()).all(fits), "{line:?}");
    &line[form.len()..]
}
