use super::*;

/// The input that a local command becomes.
fn local<'a>(word: &str, first: Option<&'a str>) -> Input<'a> {
    Input::Local(COMMANDS.iter().find(|row| row.word == word).expect("it is a command"), first)
}

#[track_caller]
fn check(line: &str, expected: Input<'_>) {
    assert_eq!(Input::of(line), expected, "{line:?}");
}

fn say(text: &str) -> Input<'_> {
    Input::Say(text.into())
}

#[test]
fn typed_text_is_said_to_all() {
    for text in [
        "pronto",
        " two  blanks ",
        "WHO is coming?",
        "QUIT smoking",
        "NICK is late today",
        "who",
        "/usr/bin is text",
        "/etc/hosts",
        "a@b",
        " quit",
    ] {
        check(text, say(text));
    }
    check("//help", say("/help"));
    check("///", say("//"));
    check("", Input::Nothing);
    check("  \t", Input::Nothing);
}

#[test]
fn the_protocol_itself_may_be_typed() {
    check("MSG pronto", say("pronto"));
    check("MSG WHO", say("WHO"));
    check("MSG @joao psst", Input::Whisper { to: "joao", text: "psst" });
    check("WHO", Input::Who);
    check("QUIT", Input::Quit);
    check("NICK bia", Input::Nick("bia"));
}

#[test]
fn private_line_is_never_said_to_all() {
    let psst = || Input::Whisper { to: "joao", text: "psst" };
    for line in ["@joao psst", "  @joao psst", "\u{200B}@joao psst", "/msg joao psst"] {
        check(line, psst());
    }
    check("/msg @joao psst", psst());
    for line in [
        "\t@joao psst",
        "\u{A0}@joao psst",
        "\u{3000}＠joao　psst",
        "\u{2800}@joao psst",
        "\u{301}@joao psst",
        "\u{FEFF}﹫joao psst",
        "@joao\tpsst",
        "@joao\u{A0}psst",
        " /msg joao psst",
        "\t/msg\tjoao\tpsst",
        "／msg joao psst",
        "\u{200B}／ｍｓｇ　＠joao psst",
        "/msg\u{A0}joao psst",
        "/ms\u{200B}g joao psst",
    ] {
        check(line, psst());
    }
    for (line, reply) in [(" /r sim", "sim"), ("／ｒ　sim", "sim"), ("\u{A0}/r\tsim", "sim")] {
        check(line, Input::Reply(reply));
    }
    check("/msg/ joao psst", Input::Error(InputError::Arguments("/msg")));
    check(" / msg joao psst", Input::Error(InputError::Unknown("/", None)));
    check(" /MSG joao psst", Input::Error(InputError::Unknown("/MSG", Some("/msg"))));
    check("　/mgs joao psst", Input::Error(InputError::Unknown("/mgs", Some("/msg"))));
    for slip in [
        "MSG ＠joao psst",
        "ＭＳＧ ＠joao psst",
        "MSG \u{2800}@joao psst",
        "＠joao",
        "@joao",
        "@ joao",
        "@\u{200B}joao psst",
        "@",
        "@joao  ",
        "MSG @ joao psst",
        "MSG @joao",
        "MSG\t@joao psst",
        " MSG @joao psst",
        "msg @joao psst",
        "\u{200B}MSG @joao psst",
        "\0MSG @joao psst",
        "MSG@joao psst",
        "MSG\u{AD}@joao psst",
        "MSG: @joao psst",
    ] {
        check(slip, Input::Error(InputError::Private));
    }
    check("MSG", Input::Error(InputError::Message));
    check("MSG  ", Input::Error(InputError::Message));
}

#[test]
fn commands_may_be_shortened_as_long_as_it_is_clear_which() {
    check("/who", Input::Who);
    check("/w", Input::Who);
    check("/h", local("/help", None));
    check("/r oi", Input::Reply("oi"));
    check("/me acena", say("/me acena"));
    check("/nick bia", Input::Nick("bia"));
    check("/ignore", local("/ignore", None));
    check("/ig @joao x", local("/ignore", Some("joao")));
    check("/bell all", local("/bell", Some("all")));
    check("/b", local("/bell", None));
    check("/inv", local("/invite", None));
    check("/i", Input::Error(InputError::Ambiguous("/i", vec!["/ignore", "/invite"])));
    check("/c", local("/clear", None));
    check("/quit", Input::Quit);
    check("/qu", Input::Error(InputError::Ambiguous("/qu", vec!["/quiet", "/quit"])));
    check("/m oi", Input::Error(InputError::Ambiguous("/m", vec!["/msg", "/me"])));
}

#[test]
fn mistakes_are_not_sent() {
    check("NICK", Input::Error(InputError::Arguments("/nick")));
    check("NICK ", Input::Error(InputError::Arguments("/nick")));
    check("/hlep", Input::Error(InputError::Unknown("/hlep", Some("/help"))));
    check("/WHO", Input::Error(InputError::Unknown("/WHO", Some("/who"))));
    check("/dance", Input::Error(InputError::Unknown("/dance", None)));
    check("/", Input::Error(InputError::Unknown("/", None)));
    for (line, command) in [
        ("/nick", "/nick"),
        ("/me ", "/me"),
        ("/r", "/r"),
        ("/msg", "/msg"),
        ("/msg joao", "/msg"),
        ("/msg joao \u{200B}", "/msg"),
        ("/bell loud", "/bell"),
    ] {
        check(line, Input::Error(InputError::Arguments(command)));
    }
}

#[test]
fn pasted_line_is_text_for_all() {
    for text in ["/quit", "//x", "QUIT", "MSG @joao psst", "  /msg joao psst", "\tif b:", "WHO"] {
        assert_eq!(Input::text(text), say(text));
    }
    // The protocol has no public text that begins with an at sign, and no empty one.
    assert_eq!(Input::text("@joao psst"), say("\u{2800}@joao psst"));
    assert_eq!(Input::text("    @property"), say("\u{2800}   @property"));
    assert_eq!(Input::text(""), say("\u{2800}"));
    assert_eq!(Input::text("  "), say("\u{2800} "));
}

/// A text of a few characters, most of which mean something.
fn any_text(dice: &mut fastrand::Rng) -> String {
    const CHARS: [char; 24] = [
        '@', '＠', '﹫', '/', '／', ' ', '\t', '\u{A0}', '\u{3000}', '\u{200B}', '\u{200D}',
        '\u{FEFF}', '\u{2800}', '\u{301}', '\u{FE0F}', 'm', 's', 'g', 'M', 'r', 'ｒ', 'b', '…',
        '\u{202E}',
    ];
    (0..dice.usize(1..12)).map(|_| CHARS[dice.usize(..CHARS.len())]).collect()
}

#[test]
fn address_at_the_beginning_never_yields_a_public_text() {
    let mut dice = fastrand::Rng::with_seed(15);
    let blanks = |dice: &mut fastrand::Rng| -> String {
        let unseen = [' ', '\t', '\u{A0}', '\u{3000}', '\u{200B}', '\u{FEFF}', '\u{2800}', '\0'];
        (0..dice.usize(..4)).map(|_| unseen[dice.usize(..unseen.len())]).collect()
    };
    for _ in 0..20_000 {
        let address = dice.choice([
            "@",
            "＠",
            "﹫",
            "/msg ",
            "／msg ",
            "／ｍｓｇ　",
            "/r ",
            "／ｒ\t",
            "/msg\u{A0}",
        ]);
        let address = address.expect("there are some");
        let line = blanks(&mut dice) + address + &any_text(&mut dice);
        if let Input::Say(text) = Input::of(&line) {
            panic!("{line:?} is said to all: {text:?}");
        }
    }
}

#[test]
fn public_text_is_never_private_on_the_wire() {
    let mut dice = fastrand::Rng::with_seed(16);
    for _ in 0..20_000 {
        let line = any_text(&mut dice);
        let said = [Input::of(&line), Input::text(&line)];
        for input in said {
            if let Input::Say(text) = input {
                let wire = format!("MSG {text}");
                assert!(matches!(Command::parse(&wire), Ok(Command::Say(_))), "{line:?}");
            }
        }
        let Input::Say(text) = Input::text(&line) else { panic!("{line:?} is no text") };
        let rest = text.strip_prefix(SEEN_BLANK).filter(|_| *text != *line);
        let same =
            rest.map_or(*text == *line, |rest| line.strip_prefix(' ').unwrap_or(&line) == rest);
        assert!(same, "{line:?}");
    }
}

#[test]
fn each_row_is_understood_by_its_own_word() {
    for row in COMMANDS {
        // A number of messages is no word.
        let arguments = if row.word == "/last" { "5" } else { "all oi" };
        let line = format!("{} {arguments}", row.word);
        match (&row.meaning, Input::of(&line)) {
            (Meaning::Local(_), Input::Local(found, Some("all"))) => assert_eq!(found, row),
            (Meaning::Line(_), Input::Error(_) | Input::Local(..)) => panic!("{line}"),
            (Meaning::Line(_), _) => (),
            (_, other) => panic!("{line} is {other:?}"),
        }
        for language in [Language::English, Language::Portuguese] {
            assert!(!row.help.in_language(language).is_empty(), "{}", row.word);
        }
        if let Argument::Choice(words) = row.first {
            assert_eq!(row.choice, Some(format!("[{}]", words.join("|")).as_str()));
        }
    }
}

#[test]
fn help_has_a_column_for_commands() {
    for language in [Language::English, Language::Portuguese] {
        for (command, help) in chat_commands(language) {
            assert!(command.chars().count() <= 18, "{command}");
            assert!(help.chars().count() <= 80 - 19, "{help}");
        }
    }
}

#[test]
fn word_for_leaving_elsewhere_stands_alone() {
    check("quit", Input::LeaveWord("quit"));
    check("sair", Input::LeaveWord("sair"));
    for text in ["quit it", "MSG quit"] {
        assert!(matches!(Input::of(text), Input::Say(_)), "{text}");
    }
}
