//! The client's output: columns, JSON objects, raw lines, colours.

use serde_json::{Value, json};

use crate::harness::{
    Client, GREETING, Output, Server, StandIn, check_time, connect, event, events, run,
};

/// Everything that can happen to a client happens to this one.
fn evening(options: &[&str]) -> Output {
    let server = Server::start(&["--history", "5"]);
    let mut ana = server.member("ana");
    ana.says("MSG cedo");
    ana.reads("FROM ana [all]: cedo");

    let mut bot = Client::start(server.address, options);
    bot.types("NICK bot");
    ana.reads("User bot joined.");
    ana.sends("MSG two  blanks, a\ttab and \"日本語 🎉\"\nMSG @bot psst\n");
    ana.reads("FROM ana [all]: two  blanks, a\ttab and \"日本語 🎉\"");
    ana.reads_nothing_more();
    let mut joao = server.member("joao");
    joao.says("QUIT");
    for line in ["User joao joined.", "User joao left the chat."] {
        ana.reads(line);
    }
    for line in ["WHO", "MSG @ninguem oi", "MSG BYE", "MSG @ana BYE"] {
        bot.types(line);
    }
    bot.process.end_input();
    bot.process.output()
}

/// The message for a program about the one line that is refused.
const REFUSED: &str =
    "minichat: \"@ninguem oi\": the server refused that: nobody here has that nick\n";
const RAW_REFUSED: &str = "minichat: the server refused that: nobody here has that nick\n";

#[test]
fn in_columns_every_line_is_a_time_a_kind_a_person_and_a_text() {
    let output = evening(&[]);
    assert_eq!((output.status, &*output.stderr), (Some(1), REFUSED));
    let expected = [
        "welcome\t\tbot",
        "past\tana\tcedo",
        "message\tana\ttwo  blanks, a tab and \"日本語 🎉\"",
        "private\tana\tpsst",
        "joined\tjoao\t",
        "left\tjoao\t",
        "users\t\tana, bot",
        "error\t\tuser_not_found",
        "message\tbot\tBYE",
        "private\tbot\t@ana BYE",
        "bye\t\t",
    ];
    assert_eq!(events(&output.stdout), expected);
}

#[test]
fn in_json_every_line_is_one_object() {
    let output = evening(&["--json"]);
    assert_eq!((output.status, &*output.stderr), (Some(1), REFUSED));
    let text = "two  blanks, a\ttab and \"日本語 🎉\"";
    let expected = [
        json!({"type": "welcome", "to": "bot"}),
        json!({"type": "past", "from": "ana", "text": "cedo", "past": true, "number": 1}),
        json!({"type": "message", "from": "ana", "text": text}),
        json!({"type": "private", "from": "ana", "to": "bot", "text": "psst"}),
        json!({"type": "joined", "from": "joao"}),
        json!({"type": "left", "from": "joao"}),
        json!({"type": "users", "text": "ana, bot", "nicks": ["ana", "bot"]}),
        json!({"type": "error", "text": "user_not_found"}),
        json!({"type": "message", "from": "bot", "text": "BYE"}),
        json!({"type": "private", "from": "bot", "to": "ana", "text": "BYE"}),
        json!({"type": "bye"}),
    ];
    assert_eq!(output.stdout.lines().map(object).collect::<Vec<_>>(), expected);
}

/// One line of JSON, less its time, which is looked at here.
#[track_caller]
fn object(line: &str) -> Value {
    let mut value: Value =
        serde_json::from_str(line).unwrap_or_else(|err| panic!("{line:?}: {err}"));
    let time = value.as_object_mut().and_then(|object| object.remove("time"));
    let time = time.unwrap_or_else(|| panic!("no time: {line:?}"));
    check_time(time.as_str().unwrap_or_else(|| panic!("no text: {time}")));
    value
}

#[test]
fn raw_lines_are_the_very_words_of_the_protocol() {
    let output = evening(&["--raw"]);
    assert_eq!((output.status, &*output.stderr), (Some(1), RAW_REFUSED));
    let expected = [
        GREETING,
        "OK welcome bot",
        "History: 1",
        "FROM ana [all]: cedo",
        "FROM ana [all]: two  blanks, a\ttab and \"日本語 🎉\"",
        "FROM ana [dm]: psst",
        "User joao joined.",
        "User joao left the chat.",
        "Connected users: ana, bot",
        // The bot talks encrypted, and ana does not.
        "In the clear: ana",
        "ERR user_not_found",
        "FROM bot [all]: BYE",
        "BYE",
    ];
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn in_a_pipe_raw_lines_are_unchanged_in_both_directions() {
    let door = StandIn::open();
    let mut bot = Client::start(door.address, &["--raw"]);
    let mut server = door.caller();
    for line in [
        "\x1b[2J\x07\x08\0 a\ttab  \u{7F}",
        "\u{9B}2J \u{202E}turned \u{200B}hidden \u{2028}",
        "a\rreturn",
        "  /who  ",
        "@nobody",
        "//",
    ] {
        bot.types(line);
        assert_eq!(server.line(), line);
        server.says(line);
        assert_eq!(bot.process.stdout.next().as_deref(), Some(line));
    }
    // Neither need be text, nor have the usual ends.
    server.sends(b"\xFF\xFE\r\n\n");
    assert_eq!(bot.process.stdout.next_raw().as_deref(), Some(&b"\xFF\xFE\r\n"[..]));
    assert_eq!(bot.process.stdout.next_raw().as_deref(), Some(&b"\n"[..]));
    bot.process.type_in(b"MSG \xFF\xFE\r\n\n");
    assert_eq!(server.raw_line(), b"MSG \xFF\xFE\r\n");
    assert_eq!(server.raw_line(), b"\n");
    bot.process.end_input();
    server.reads("QUIT");
    server.says("BYE");
    let output = bot.process.output();
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
}

#[test]
fn colour_is_for_terminals_unless_forced() {
    let server = Server::start(&[]);
    let _ana = server.member("ana");
    for (environment, coloured) in [
        (&[][..], false),
        (&[("TERM", "xterm-256color")], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "0")], false),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        for format in ["--timeout=5", "--json", "--raw"] {
            let mut command = connect(server.address, &[format]);
            let output =
                run(command.envs(environment.iter().copied()), "NICK bot\nMSG olá\nWHO\nQUIT\n");
            assert_eq!((output.status, &*output.stderr), (Some(0), ""));
            assert!(output.stdout.contains("olá"), "{output:?}");
            let expected = coloured && !format.starts_with("--json") && format != "--raw";
            assert_eq!(
                output.stdout.contains('\x1b'),
                expected,
                "with {environment:?} and {format}: {output:?}"
            );
        }
    }
}

#[test]
#[cfg(unix)] // Elsewhere the clock is not set by `TZ`.
fn times_are_local_and_say_where() {
    let server = Server::start(&[]);
    for (zone, offset) in [("UTC0", "+00:00"), ("IST-5:30", "+05:30"), ("BRT3", "-03:00")] {
        let mut command = connect(server.address, &["--nick", "bot"]);
        let output = run(command.env("TZ", zone), "");
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines.len(), 2, "{output:?}");
        for line in lines {
            event(line);
            assert!(line.contains(&format!("{offset}\t")), "in {zone}: {line:?}");
        }
    }
}
