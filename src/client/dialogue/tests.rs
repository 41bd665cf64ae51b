mod endings;
mod past;
mod people;

use super::heard::{BELL_PAUSE, mentions};
use super::registration::variant;
use super::*;
use crate::client::notices::Presence;
use crate::client::record::Heading;
use crate::texts::{ENGLISH, PORTUGUESE};
use crate::wire::MAX_COMMAND;

/// A client without a nick.
fn nameless(mode: Mode) -> Dialogue {
    let mut dialogue = Dialogue::new(mode, Some("ana"), Bell::Me, &ENGLISH.client);
    dialogue.connected(None);
    dialogue
}

fn talking_as(mode: Mode) -> Dialogue {
    let mut dialogue = Dialogue::new(mode, None, Bell::Me, &ENGLISH.client);
    assert_eq!(sent(&dialogue.connected(Some("ana"))), ["NICK ana"]);
    assert_eq!(hear(&mut dialogue, "New User. Please register with: NICK <your_nick>"), []);
    let actions = hear(&mut dialogue, "OK welcome ana");
    assert!(matches!(&actions[..], [Action::Show(_), ..]), "{actions:?}");
    dialogue
}

impl Dialogue {
    /// Something was entered by hand.
    fn typed(&mut self, line: &str) -> Vec<Action> {
        self.entered(line, false, self.now)
    }
}

/// A client with a line editor and a complete list of the members.
fn talking_with(others: &str) -> Dialogue {
    let mut dialogue = talking_as(Mode::Editor);
    hear(&mut dialogue, &format!("Connected users: ana, {others}"));
    dialogue
}

fn hear(dialogue: &mut Dialogue, line: &str) -> Vec<Action> {
    dialogue.heard(line, Duration::ZERO)
}

fn sent(actions: &[Action]) -> Vec<&str> {
    let lines = actions.iter().filter_map(|action| match action {
        // Each connection begins with that.
        Action::Send(line) if line.starts_with("CAP history") => None,
        Action::Send(line) => Some(line.as_str()),
        _ => None,
    });
    lines.collect()
}

/// The lines that are sent when this is typed. Where it is nothing, there is a word on it.
#[track_caller]
fn check(dialogue: &mut Dialogue, typed: &str, expected: &[&str]) {
    let actions = dialogue.typed(typed);
    assert_eq!(sent(&actions), expected, "{typed:?}");
    let hinted = actions
        .iter()
        .any(|action| matches!(action, Action::Hint(_) | Action::Note(_) | Action::Refused(_)));
    let silent = expected.is_empty() && !typed.trim().is_empty();
    assert!(hinted || !silent, "{typed:?}");
}

/// The records that are shown, in a word for each.
fn shown(actions: &[Action]) -> Vec<String> {
    let words = actions.iter().map(|action| match action {
        Action::Show(record) => {
            let text = record.text.as_deref().unwrap_or_default();
            let from = record.from.as_deref().unwrap_or_default();
            let sign = if record.own { "+" } else { "" };
            format!("{sign}{} {from} {text}", record.kind.word())
        }
        Action::Hint(text) | Action::Note(text) => format!("* {text}"),
        other => format!("{other:?}"),
    });
    words.collect()
}

#[test]
fn members_in_the_clear_are_named_in_an_encrypted_conversation() {
    let mut dialogue = talking_as(Mode::Editor);
    assert_eq!(hear(&mut dialogue, "In the clear: rui"), []);
    dialogue.set_encrypted();
    let text = (ENGLISH.client.in_the_clear)("rui", 1);
    assert_eq!(hear(&mut dialogue, "In the clear: rui"), [Action::Note(text)]);
    let actions = hear(&mut dialogue, "In the clear: a, b, c, d, e, f, g");
    let [Action::Note(text)] = &actions[..] else { panic!("one note: {actions:?}") };
    assert!(text.contains("a, b, c, d, e, and 2 more are not"), "{text}");
    let mut script = talking_as(Mode::Script);
    script.set_encrypted();
    assert_eq!(hear(&mut script, "In the clear: rui"), []);
}

#[test]
fn a_script_says_what_it_writes() {
    let mut script = talking_as(Mode::Script);
    check(&mut script, "pronto", &["MSG pronto"]);
    check(&mut script, "quit", &["MSG quit"]);
    // The client asks for the list once, so that it can name a refused line.
    check(&mut script, "MSG @joao psst", &["WHO", "MSG @joao psst"]);
    check(&mut script, "@Joao psst", &["MSG @Joao psst"]);
    check(&mut script, "WHO", &["WHO"]);
    check(&mut script, "\u{FEFF}MSG @joao psst", &["MSG @joao psst"]);
    check(&mut script, "MSG @joao", &[]);
    check(&mut script, "/dance", &[]);
    check(&mut script, "", &[]);
    check(&mut script, "QUIT\r\n", &["QUIT"]);
}

#[test]
fn a_person_does_not_leave_by_a_word_alone() {
    for mode in [Mode::Plain, Mode::Editor] {
        let mut person = talking_as(mode);
        for word in ["quit", "exit", "sair"] {
            check(&mut person, word, &[]);
            check(&mut person, &format!(" {word}"), &[&format!("MSG  {word}")]);
        }
    }
}

#[test]
fn the_nick_of_a_private_word_is_mended_or_the_word_is_kept() {
    let mut dialogue = talking_with("bia, João");
    check(&mut dialogue, "@Bia oi", &["MSG @bia oi"]);
    check(&mut dialogue, "/msg JOÃO oi", &["MSG @João oi"]);
    check(&mut dialogue, "@nobody oi", &[]);
    let actions = dialogue.typed("@biaa oi");
    assert_eq!(actions, hint("biaa is not here. Did you mean bia?"));
    // The client knows a new member, and forgets one that left.
    hear(&mut dialogue, "User caio joined.");
    check(&mut dialogue, "@caio oi", &["MSG @caio oi"]);
    hear(&mut dialogue, "User caio left the chat.");
    check(&mut dialogue, "@caio oi", &[]);
}

#[test]
fn pasted_text_is_said_to_all_line_by_line() {
    let mut dialogue = talking_with("bia");
    hear(&mut dialogue, "FROM bia [dm]: psst");
    let lines = "a\n/quit\n\n@bia b\n\tif x:\n d\n// e\n/r f\nQUIT\nNICK g\nMSG @bia h\nWHO";
    let expected = [
        "MSG a",
        "MSG /quit",
        "MSG \u{2800}",
        "MSG \u{2800}@bia b",
        "MSG \tif x:",
        "MSG  d",
        "MSG // e",
        "MSG /r f",
        "MSG QUIT",
        "MSG NICK g",
        "MSG MSG @bia h",
        "MSG WHO",
    ];
    assert_eq!(sent(&dialogue.entered(lines, true, Duration::ZERO)), expected);
    // One line is a text, too, and with the line ends of Windows.
    for line in ["/quit", "// TODO", "/* a */", "QUIT", "/msg bia x"] {
        let actions = dialogue.entered(&format!("{line}\r\n"), true, Duration::ZERO);
        assert_eq!(sent(&actions), [format!("MSG {line}")]);
    }
    assert_eq!(dialogue.entered(" \n\n \t", true, Duration::ZERO), []);
}

#[test]
fn hint_shows_a_nick_like_the_word_for_the_reader_in_quotes() {
    let mut dialogue = talking_with("you, Você");
    assert_eq!(dialogue.typed("@yuo oi"), hint("yuo is not here. Did you mean \"you\"?"));
    assert_eq!(
        dialogue.typed("/ignore VOCÊ"),
        note("ignoring \"Você\" until they leave; again to hear them")
    );
    dialogue.lost();
    dialogue.connected(None);
    hear(&mut dialogue, "OK welcome ana");
    let actions = hear(&mut dialogue, "Connected users: ana, you, Você");
    let told = "* still ignoring \"Você\", though they may be others than before";
    assert_eq!(shown(&actions).last().unwrap(), told);
    hear(&mut dialogue, "FROM you [dm]: psst");
    hear(&mut dialogue, "User you left the chat.");
    let actions = dialogue.typed("/r oi");
    assert!(shown(&actions)[0].starts_with("* \"you\" left, or you were away"), "{actions:?}");
    assert!(shown(&actions)[0].ends_with(": @you TEXT"), "{actions:?}");
}

#[test]
fn typed_beginning_of_a_draft_decides_for_all_its_lines() {
    let mut dialogue = talking_with("bia");
    let draft = |dialogue: &mut Dialogue, text: &str| {
        let actions = dialogue.entered(text, false, Duration::ZERO);
        let hinted = actions.iter().any(|action| matches!(action, Action::Hint(_)));
        let lines: Vec<String> = sent(&actions).into_iter().map(String::from).collect();
        assert!(hinted != (lines.len() > 1), "{actions:?}");
        lines
    };
    assert_eq!(draft(&mut dialogue, "see\n@x\n/quit"), ["MSG see", "MSG \u{2800}@x", "MSG /quit"]);
    assert_eq!(draft(&mut dialogue, "/me a\nb"), ["MSG /me a", "MSG b"]);
    let private = ["MSG @bia a", "MSG @bia \u{2800}", "MSG @bia /b", "MSG @bia @c"];
    for address in ["@bia ", "/msg bia ", " ＠bia　"] {
        assert_eq!(draft(&mut dialogue, &format!("{address}a\n\n/b\n@c")), private);
    }
    hear(&mut dialogue, "FROM bia [dm]: psst");
    assert_eq!(draft(&mut dialogue, "/r a\nb"), ["MSG @bia a", "MSG @bia b"]);
    for refused in [
        "@bia\na",
        "@nobody a\nb",
        "/msg\nbia x",
        "/quit\na",
        "NICK x\na",
        "/shrug\na",
        "MSG ＠bia a\nb",
    ] {
        assert_eq!(draft(&mut dialogue, refused), [""; 0], "{refused:?}");
    }
    hear(&mut dialogue, "User bia left the chat.");
    for refused in ["/r a\nb", "@bia a\nb"] {
        assert_eq!(draft(&mut dialogue, refused), [""; 0], "{refused:?}");
    }
}

#[test]
fn own_line_is_shown_where_all_see_it() {
    let mut dialogue = talking_with("bia");
    assert_eq!(shown(&dialogue.typed("second")), ["Send(\"MSG second\")"]);
    assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: first")), ["message bia first"]);
    assert_eq!(shown(&hear(&mut dialogue, "FROM ana [all]: second")), ["+message ana second"]);
    // A server without echo confirms it.
    dialogue.typed("tudo bem?");
    assert_eq!(shown(&hear(&mut dialogue, "OK broadcast_sent")), ["+message ana tudo bem?"]);
    assert_eq!(hear(&mut dialogue, "OK broadcast_sent"), []);
    // A private line has no echo.
    let private = dialogue.typed("@bia psst");
    assert_eq!(shown(&private)[0], "+private ana psst");
    // A line that was refused is not shown as said.
    dialogue.typed("hello?");
    assert_eq!(shown(&hear(&mut dialogue, "ERR muted"))[0], "error  muted");
}

#[test]
fn line_that_does_not_come_back_soon_is_on_its_way() {
    let mut dialogue = talking_with("bia");
    let at = Duration::from_millis;
    dialogue.entered("zero", false, at(4000));
    dialogue.heard("FROM ana [all]: zero", at(4000));
    dialogue.entered("one", false, at(5000));
    dialogue.entered("two", false, at(5500));
    assert_eq!(dialogue.deadline(), Some(at(6000)));
    assert_eq!(dialogue.time_passed(at(5900)), []);
    let hints = hint("on its way, but not said yet: one");
    assert_eq!(dialogue.time_passed(at(6000)), hints);
    assert_eq!(dialogue.deadline(), None);
    dialogue.heard("FROM ana [all]: one", at(7000));
    dialogue.heard("FROM ana [all]: two", at(7000));
    dialogue.entered("three", false, at(8000));
    dialogue.entered("four", false, at(8000));
    dialogue.heard("FROM ana [all]: three", at(8500));
    assert_eq!(dialogue.deadline(), Some(at(9500)));
    dialogue.heard("FROM ana [all]: four", at(8500));
    assert_eq!(dialogue.deadline(), None);
}

#[test]
fn server_without_an_answer_keeps_no_own_line_from_the_screen() {
    let mut dialogue = talking_with("bia");
    assert_eq!(shown(&dialogue.typed("one")), ["Send(\"MSG one\")"]);
    let shown_late = dialogue.time_passed(ON_ITS_WAY);
    assert_eq!(shown(&shown_late), ["+message ana one"]);
    // It is known now.
    let actions = dialogue.typed("two");
    assert_eq!(shown(&actions), ["+message ana two", "Send(\"MSG two\")"]);
    assert_eq!(dialogue.deadline(), None);
    // It was slow, and nothing is shown twice.
    for line in ["FROM ana [all]: one", "FROM ana [all]: two"] {
        assert_eq!(hear(&mut dialogue, line), []);
    }
    dialogue.typed("three");
    assert_eq!(shown(&hear(&mut dialogue, "FROM ana [all]: three")), ["+message ana three"]);
}

#[test]
fn in_a_pipe_a_server_without_echo_shows_the_same_as_one_with() {
    let mut with = talking_as(Mode::Script);
    with.typed("oi");
    let mut without = talking_as(Mode::Script);
    without.typed("oi");
    let echo = hear(&mut with, "FROM ana [all]: oi");
    assert_eq!(hear(&mut without, "OK broadcast_sent"), echo);
    assert_eq!(hear(&mut without, "OK broadcast_sent"), []);
    assert_eq!(hear(&mut without, "OK dm_sent to joao"), []);
}

#[test]
fn undelivered_private_line_is_named() {
    // Without a list, only the server knows the members.
    let mut dialogue = talking_as(Mode::Editor);
    dialogue.typed("@bia oi");
    dialogue.typed("@joaoo oi");
    hear(&mut dialogue, "Connected users: ana, bia, joao");
    let actions = hear(&mut dialogue, "ERR user_not_found");
    assert_eq!(actions, hint("joaoo is not here. Did you mean joao?"));
}

#[test]
fn long_line_goes_in_pieces_and_loses_no_word() {
    let text = "uma palavra @joao e outra ção ".repeat(400);
    let actions = talking_as(Mode::Script).typed(&text);
    let lines = sent(&actions);
    assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < MAX_COMMAND));
    assert!(lines.iter().all(|line| matches!(Command::parse(line), Ok(Command::Say(_)))));
    let said: Vec<&str> = lines.iter().flat_map(|line| line[4..].split_whitespace()).collect();
    let said: Vec<&str> = said.iter().map(|word| word.trim_start_matches('…')).collect();
    assert_eq!(said, text.split_whitespace().collect::<Vec<_>>());
    assert!(matches!(actions.last(), Some(Action::Note(_))));
}

#[test]
fn no_piece_of_a_public_line_becomes_private() {
    for text in [
        "x@".repeat(9000),
        format!("x{}", "@".repeat(9000)),
        format!("x{}", "\u{3000}@".repeat(3000)),
    ] {
        for line in sent(&talking_as(Mode::Script).typed(&text)) {
            assert!(matches!(Command::parse(line), Ok(Command::Say(_))), "{line:.20}");
            assert!(line.len() < MAX_COMMAND);
        }
    }
}

#[test]
fn a_pipe_names_itself_in_its_first_line_or_not_at_all() {
    let script = || nameless(Mode::Script);
    assert_eq!(sent(&script().typed("NICK bot")), ["NICK bot"]);
    assert_eq!(script().typed(""), []);
    assert_eq!(script().typed("pronto"), [Action::Fail(Failure::NoNick)]);
    assert_eq!(script().end_of_input(), [Action::Fail(Failure::NoNick)]);
}

#[test]
fn person_is_asked_until_the_server_accepts_a_nick() {
    let ask = |suggested_nick: &str, draft: &str| Action::AskNick {
        suggested_nick: suggested_nick.into(),
        draft: draft.into(),
    };
    for (mode, again) in [(Mode::Plain, ask("ana2", "")), (Mode::Editor, ask("", "ana2"))] {
        let mut dialogue = Dialogue::new(mode, Some("ana"), Bell::Me, &ENGLISH.client);
        assert_eq!(dialogue.connected(None).pop(), Some(ask("ana", "")));
        assert_eq!(sent(&dialogue.typed("")), ["NICK ana"]);
        assert!(!dialogue.listens_to_the_user());
        let taken = "\"ana\" is taken. Try ana2:".to_string();
        assert_eq!(hear(&mut dialogue, "ERR apelido_em_uso"), [Action::Hint(taken), again]);
        assert_eq!(dialogue.typed("ana2"), [Action::Send("NICK ana2".into())]);
        hear(&mut dialogue, "OK Welcome ana2");
        assert_eq!(sent(&dialogue.typed("oi")), ["MSG oi"]);
    }
    let pasted = nameless(Mode::Editor).typed("ana\nbia");
    assert!(matches!(&pasted[..], [Action::Hint(_), Action::AskNick { .. }]), "{pasted:?}");
}

#[test]
fn a_nick_that_may_be_free_is_like_the_one_that_is_not() {
    for (nick, other) in
        [("ana", "ana2"), ("ana2", "ana3"), ("ana9", "ana10"), ("joão", "joão2"), ("7", "8")]
    {
        assert_eq!(variant(nick), other);
    }
    let long = variant(&"ã".repeat(32));
    assert!(Nick::new(&long).is_ok() && long.ends_with("ã2"), "{long}");
}

#[test]
fn refused_change_of_nick_is_explained_in_every_mode() {
    for (nick, why) in
        [("Server", ENGLISH.client.nick_reserved), ("a b", ENGLISH.client.nick_invalid)]
    {
        for mode in [Mode::Editor, Mode::Plain, Mode::Script] {
            let mut dialogue = talking_as(mode);
            dialogue.typed(&format!("/nick {nick}"));
            let told = hear(&mut dialogue, "ERR invalid_nick");
            let explains = |action: &Action| match action {
                Action::Hint(text) => mode != Mode::Script && text.contains(why),
                Action::Refused(text) => mode == Mode::Script && text.contains(why),
                _ => false,
            };
            assert!(told.iter().any(explains), "{nick}, {mode:?}: {told:?}");
        }
    }
}

#[test]
fn a_script_is_told_why_its_nick_was_not_taken() {
    for code in ["apelido_em_uso", "nick_in_use", "invalid_nick"] {
        let mut dialogue = Dialogue::new(Mode::Script, None, Bell::Me, &PORTUGUESE.client);
        dialogue.connected(Some("ana"));
        let failure = Failure::Nick("ana".into(), words_for(code, &PORTUGUESE.client));
        assert_eq!(hear(&mut dialogue, &format!("ERR {code}")), [Action::Fail(failure)]);
    }
}

#[test]
fn raw_lines_are_not_looked_at() {
    let mut raw = nameless(Mode::Raw);
    let line = "FROM a [all]: x";
    assert_eq!(hear(&mut raw, line), [Action::ShowRaw(line.into())]);
    assert_eq!(hear(&mut raw, "BYE"), [Action::ShowRaw("BYE".into()), Action::End]);
}
