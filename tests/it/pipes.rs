//! Scripts can trust the exit status, and the standard streams may be in any state.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::{self, Write};
use std::process::Stdio;
use std::thread;

use crate::harness::{GREETING, Running, Server, StandIn, connect, events, minichat, run};

#[test]
fn refused_lines_are_named_and_all_others_are_said() {
    let server = Server::start(&[]);
    let [mut joao, mut ana] = server.members(["joao", "ana"]);
    let input = "um\n@ninguem oi\n@joao psst\n@ana psst\n@outro oi oi\nNICK joao\ndois\n\
                 NICK a b\n@\nMSG\n/r oi\n/dance\n@joao fim\ntrês\n";
    for options in [&["-n", "bot"][..], &["-n", "bot", "--json"]] {
        let output = run(&mut connect(server.address, options), input);
        assert_eq!(output.status, Some(1), "{options:?}");
        let mut named: Vec<&str> = output.stderr.lines().collect();
        named.sort_unstable();
        let expected = [
            "minichat: \"/dance\": ",
            "minichat: \"/r oi\": ",
            "minichat: \"@\": ",
            "minichat: \"@ninguem oi\": the server refused that: nobody here has that nick",
            "minichat: \"@outro oi oi\": the server refused that: nobody here has that nick",
            "minichat: \"MSG\": ",
            "minichat: \"NICK joao\": the server refused that: somebody here has that nick",
        ];
        let begins = named.iter().zip(expected).all(|(line, begin)| line.starts_with(begin));
        assert!(begins && named.len() == expected.len(), "{named:#?}");
        for line in ["User bot joined.", "FROM bot [all]: um", "FROM bot [dm]: psst"] {
            joao.reads(line);
        }
        let rest = ["FROM bot [all]: dois", "FROM bot [all]: NICK a b", "FROM bot [dm]: fim"];
        for line in rest.into_iter().chain(["FROM bot [all]: três", "User bot left the chat."]) {
            joao.reads(line);
        }
        ana.skips_to("FROM bot [dm]: psst");
        ana.skips_to("User bot left the chat.");
    }
}

#[test]
fn codes_of_any_server_make_the_status_1() {
    for code in ["muted", "empty_message", "malformed_dm", "line_too_long", "x"] {
        let stand_in = StandIn::open();
        let mut command = connect(stand_in.address, &["-n", "bot"]);
        let script = thread::spawn(move || run(&mut command, "um\ndois\n"));
        let mut peer = stand_in.caller();
        peer.says(GREETING);
        peer.reads("NICK bot");
        peer.says("OK welcome bot");
        peer.reads("MSG um");
        peer.says(format!("ERR {code}"));
        peer.reads("MSG dois");
        peer.says("FROM bot [all]: dois");
        peer.reads("QUIT");
        peer.says("BYE");
        let output = script.join().expect("it runs to its end");
        assert_eq!(output.status, Some(1), "{code}");
        assert!(output.stderr.starts_with("minichat: "), "{:?}", output.stderr);
        assert_eq!(output.stderr.contains("\"um\": "), code != "x", "{:?}", output.stderr);
        assert!(output.stdout.contains(&format!("error\t\t{code}")), "{:?}", output.stdout);
    }
}

#[test]
fn raw_lines_that_are_refused_make_the_status_1() {
    let server = Server::start(&[]);
    let mut command = connect(server.address, &["--raw"]);
    let output = run(&mut command, "NICK bot\nMSG @ninguem oi\nMSG oi\nQUIT\n");
    assert_eq!(output.status, Some(1));
    assert!(output.stdout.contains("ERR user_not_found\nFROM bot [all]: oi\nBYE\n"));
    assert!(output.stderr.starts_with("minichat: the server refused that: "));
}

#[test]
fn lines_behind_quit_are_named_as_unsent() {
    let server = Server::start(&[]);
    for (input, status) in
        [("QUIT\n", 0), ("QUIT\n\n \n", 0), ("QUIT\n\nolá\n", 1), ("/quit\nx", 1)]
    {
        let output = run(&mut connect(server.address, &["-n", "bot"]), input);
        assert_eq!(output.status, Some(status), "{input:?}");
        assert_eq!(output.stderr.contains("the rest was not sent"), status == 1, "{input:?}");
    }
}

#[test]
fn as_text_every_line_is_words() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let lines = [
        ("QUIT", "QUIT"),
        ("NICK x", "NICK x"),
        ("WHO", "WHO"),
        ("/me acena", "/me acena"),
        ("//x", "//x"),
        ("MSG @joao x", "MSG @joao x"),
        ("@channel oi", "\u{2800}@channel oi"),
        ("@joao oi", "\u{2800}@joao oi"),
        ("    @property", "\u{2800}   @property"),
        ("", "\u{2800}"),
        ("   ", "\u{2800}  "),
        ("MSG", "MSG"),
        ("@", "\u{2800}@"),
        ("\tif x:", "\tif x:"),
    ];
    let input: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    let output = run(&mut connect(server.address, &["-n", "bot", "--text"]), input);
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    joao.reads("User bot joined.");
    for (_, said) in lines {
        joao.reads(format!("FROM bot [all]: {said}"));
    }
    joao.reads("User bot left the chat.");
}

#[test]
fn utf16_is_named_and_not_said() {
    let server = Server::start(&[]);
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let swapped = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for input in [wide("\u{FEFF}olá\n"), swapped("\u{FEFF}olá\n"), wide("olá"), swapped("olá")]
    {
        let output = run(&mut connect(server.address, &["-n", "bot"]), &input);
        assert_eq!(output.status, Some(1), "{input:?}");
        assert_eq!(output.complaint().0, "the input is UTF-16");
        assert_eq!(events(&output.stdout)[..1], ["welcome\t\tbot"]);
    }
}

#[test]
fn a_private_line_of_any_length_stays_private() {
    let server = Server::start(&[]);
    let [mut joao, mut ana] = server.members(["joao", "ana"]);
    let words = "palavra ".repeat(10_000);
    let input = format!("@joao {words}fim\n/dance {words}\n");
    let output = run(&mut connect(server.address, &["-n", "bot"]), input);
    assert_eq!(output.status, Some(1));
    ana.reads("User bot joined.");
    ana.reads("User bot left the chat.");
    joao.reads("User bot joined.");
    let mut heard = Vec::new();
    loop {
        let line = joao.line();
        let Some(text) = line.strip_prefix("FROM bot [dm]: ") else { break };
        heard.extend(text.split_whitespace().map(String::from));
    }
    assert_eq!(heard.len(), 10_001);
    assert_eq!(heard.last().map(String::as_str), Some("fim"));
}

#[test]
#[cfg(unix)] // Elsewhere input and output are read in another way.
fn input_that_cannot_be_read_has_not_ended() {
    let server = Server::start(&[]);
    let folder = || File::open("/").expect("a folder can be opened");
    for options in
        [&["-n", "bot"][..], &["-n", "bot", "--json"], &["--raw"], &[], &["-nbot", "--stay"]]
    {
        let mut command = connect(server.address, options);
        let output = Running::start(command.stdin(Stdio::from(folder()))).output();
        assert_eq!(output.status, Some(1), "{options:?}");
        let (cause, _) = output.complaint();
        assert_eq!(cause, "cannot read standard input: is a directory", "{options:?}");
    }
    // Nothing can be read from what is open for writing only.
    let null = File::options().write(true).open("/dev/null").expect("it takes everything");
    let mut command = connect(server.address, &["-n", "bot"]);
    let output = Running::start(command.stdin(Stdio::from(null))).output();
    assert_eq!(output.status, Some(1));
}

#[test]
#[cfg(unix)] // Elsewhere input and output are read in another way.
fn streams_that_do_not_block_are_waited_for() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let unblocked = |fd: &dyn std::os::fd::AsFd| {
        let flags = fcntl_getfl(fd.as_fd()).expect("a pipe has flags");
        fcntl_setfl(fd.as_fd(), flags | OFlags::NONBLOCK).expect("they can be set");
    };
    let server = Server::start(&["--rate", "0"]);
    let mut joao = server.member("joao");
    let (input, mut keyboard) = io::pipe().expect("there is a pipe");
    let (screen, output) = io::pipe().expect("there is a pipe");
    unblocked(&input);
    unblocked(&output);
    let mut command = connect(server.address, &["-n", "bot"]);
    let mut client = Running::start_into(command.stdin(input), output, Stdio::piped());
    drop(command);
    joao.reads("User bot joined.");
    // More than a pipe holds, and it is not read yet.
    let text = "x".repeat(4000);
    for _ in 0..40 {
        writeln!(keyboard, "{text}").expect("it reads its input");
        joao.reads(format!("FROM bot [all]: {text}"));
    }
    drop(keyboard);
    joao.reads("User bot left the chat.");
    let shown = io::read_to_string(screen).expect("it prints text");
    assert_eq!(shown.lines().filter(|line| line.ends_with(&text)).count(), 40);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn a_line_without_an_end_takes_bounded_memory() {
    let server = Server::start(&["--rate", "0"]);
    let cases = [("-none", "", "word "), ("-ntwo", "--text", "x"), ("--raw", "--stay", "x")];
    for (nick, option, word) in cases {
        let options = [nick, option].into_iter().filter(|option| !option.is_empty());
        let options: Vec<&str> = options.collect();
        let raw = nick == "--raw";
        let mut command = connect(server.address, &options);
        let mut joao = server.member("joao");
        let mut client = Running::start(command.stdin(Stdio::piped()));
        let block = word.repeat(1_000_000 / word.len());
        client.type_in(&block);
        if !raw {
            joao.skips_to(&format!("User {} joined.", &nick[2..]));
            let begin = format!("FROM {} [all]: ", &nick[2..]);
            // It speaks before the end comes. The client before it may leave meanwhile.
            while !joao.line().starts_with(&begin) {}
        }
        drop(joao);
        for _ in 0..20 {
            client.type_in(&block);
        }
        if let Some(peak) = client.peak_memory() {
            assert!(peak < 32 << 10, "{peak} KiB with {options:?}");
        }
    }
}

#[test]
fn a_kicked_script_does_not_end_well() {
    let stand_in = StandIn::open();
    let mut command = connect(stand_in.address, &["-n", "bot", "--stay"]);
    let script = thread::spawn(move || run(&mut command, ""));
    let mut peer = stand_in.caller();
    peer.says(GREETING);
    peer.reads("NICK bot");
    peer.says("OK welcome bot");
    peer.says("FROM server [dm]: you were removed by the operator: spam");
    peer.says("BYE");
    let output = script.join().expect("it runs to its end");
    assert_eq!(output.status, Some(1));
    let expected =
        "minichat: the server ended the conversation: you were removed by the operator: spam\n";
    assert_eq!(output.stderr, expected);
}

#[test]
fn a_word_that_is_no_command_is_joined() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let address = server.address.to_string();
    let (ip, port) = address.rsplit_once(':').expect("a port stands behind a colon");
    for words in [&[&*address, "-n", "bot"][..], &[ip, port, "-nbot"], &["-nbot", &address]] {
        let output = run(minichat().args(words), "oi\n");
        assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{words:?}");
        joao.reads("User bot joined.");
        joao.reads("FROM bot [all]: oi");
        joao.reads("User bot left the chat.");
    }
}

#[test]
#[cfg(unix)] // Elsewhere nothing is installed like this.
fn make_installs_from_where_cargo_was_told_to_build() {
    let folder = std::env::temp_dir().join(format!("minichat-make-{}", std::process::id()));
    let built = folder.join("built/release");
    std::fs::create_dir_all(&built).expect("a folder can be made");
    std::fs::write(built.join("minichat"), "here").expect("a file can be written");
    let mut make = std::process::Command::new("make");
    make.current_dir(env!("CARGO_MANIFEST_DIR")).arg("install");
    make.arg(format!("DESTDIR={}", folder.join("root").display()));
    make.env("CARGO_TARGET_DIR", folder.join("built"));
    let made = make.output();
    let installed = std::fs::read_to_string(folder.join("root/usr/local/bin/minichat"));
    std::fs::remove_dir_all(&folder).expect("a folder can be removed");
    match made {
        Ok(made) => assert!(made.status.success(), "{made:?}"),
        Err(_) => return, // There is no make.
    }
    assert_eq!(installed.expect("it is installed"), "here");
}
