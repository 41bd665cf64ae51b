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
fn bell_rings_for_a_named_or_addressed_user() {
    let mut now = Duration::ZERO;
    let mut rings = |dialogue: &mut Dialogue, line: &str| {
        now += BELL_PAUSE;
        dialogue.heard(line, now).iter().filter(|action| **action == Action::Ring).count()
    };
    let mut dialogue = talking_with("bia");
    for line in ["FROM bia [dm]: psst", "FROM bia [all]: Ana, oi", "FROM bia [all]: oi, ana."] {
        assert_eq!(rings(&mut dialogue, line), 1, "{line}");
    }
    for line in ["FROM bia [all]: banana", "FROM bia [all]: oi", "FROM ana [all]: ana"] {
        assert_eq!(rings(&mut dialogue, line), 0, "{line}");
    }
    dialogue.typed("/bell all");
    assert_eq!(rings(&mut dialogue, "FROM bia [all]: oi"), 1);
    dialogue.typed("/bell never");
    assert_eq!(rings(&mut dialogue, "FROM bia [dm]: ana"), 0);
    // Messages from before our session do not ring.
    dialogue.typed("/bell all");
    rings(&mut dialogue, "History: 1");
    assert_eq!(rings(&mut dialogue, "FROM bia [all]: old"), 0);
    assert_eq!(rings(&mut dialogue, "FROM bia [all]: new"), 1);
}

#[test]
fn bell_rings_once_for_many_lines() {
    let mut dialogue = talking_with("bia");
    let mut rings = 0;
    for tenth in 100..200 {
        for line in ["FROM bia [all]: ana!", "FROM bia [dm]: psst"] {
            let actions = dialogue.heard(line, Duration::from_millis(tenth * 100));
            rings += actions.iter().filter(|action| **action == Action::Ring).count();
        }
    }
    assert_eq!(rings, 6 + 3); // In ten seconds.
}

#[test]
fn nick_is_a_word_in_every_script() {
    for (text, nick, expected) in [
        ("ana's code", "ana", true),
        ("“ana”", "ana", true),
        ("hey,ana,come", "ana", true),
        ("ana…", "ana", true),
        ("ANA:", "ana", true),
        ("olá ana！", "ana", true),
        ("_ana_ oi", "ana", true),
        ("banana ana", "ana", true),
        ("banana", "ana", false),
        ("aná", "ana", false),
        ("ána", "ana", false),
        ("a\u{336}na", "ana", false),
        ("4ana", "ana", false),
        ("ana.maria", "ana", false),
        ("ana-maria", "ana", false),
        ("maria_ana", "ana", false),
        ("小明你好", "小明", true),
        ("请问小明在吗", "小明", true),
        ("你好，小明", "小明", true),
        ("请问ana在吗", "ana", true),
        ("anaさん", "Ana", true),
        ("さくらちゃん、おはよう", "さくら", true),
        ("ﾀﾛｳさん", "タロウ", true),
        ("철수야 안녕", "철수", true),
        ("สวัสดีสมชายครับ", "สมชาย", true),
        ("明天见", "明", false),
        ("明，你好", "明", true),
        ("小红你好", "小明", false),
        ("", "ana", false),
    ] {
        assert_eq!(mentions(text, nick), expected, "{nick} in {text:?}");
    }
}

#[test]
fn ignored_member_is_not_shown_until_heeded_again() {
    let mut dialogue = talking_with("bia");
    assert_eq!(dialogue.typed("/ignore ana"), hint("that is you"));
    assert_eq!(dialogue.typed("/ignore biaa"), hint("biaa is not here. Did you mean bia?"));
    dialogue.typed("/ignore Bia");
    for line in ["FROM bia [all]: oi", "FROM bia [dm]: oi"] {
        assert_eq!(hear(&mut dialogue, line), [], "{line}");
    }
    assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
    dialogue.typed("/ignore bia");
    assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: oi")), ["message bia oi"]);
    assert_eq!(dialogue.typed("/ignore"), note("nobody is ignored"));
}

#[test]
fn ignored_person_is_ignored_under_another_nick() {
    let mut dialogue = talking_with("bia");
    dialogue.typed("/ignore bia");
    assert_eq!(hear(&mut dialogue, "User bia left the chat."), []);
    let too = "ignoring b2, too: perhaps bia by another nick; /ignore b2 shows them";
    assert_eq!(hear(&mut dialogue, "User b2 joined."), hint(too));
    for line in ["FROM b2 [all]: oi", "FROM b2 [dm]: oi"] {
        assert_eq!(hear(&mut dialogue, line), [], "{line}");
    }
    // The next owner of the nick is not, and that is said.
    let actions = hear(&mut dialogue, "User bia joined.");
    assert_eq!(
        actions[..2],
        [Presence::Left, Presence::Joined]
            .map(|presence| Action::Presence(presence, vec!["bia".into()]))
    );
    assert!(matches!(&actions[2..], [Action::Hint(_)]), "{actions:?}");
    assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: oi")), ["message bia oi"]);
    // Back to a nick from before is another rename.
    hear(&mut dialogue, "User bia left the chat.");
    hear(&mut dialogue, "FROM b2 [all]: hidden");
    hear(&mut dialogue, "User b2 left the chat.");
    hear(&mut dialogue, "User bia joined.");
    assert_eq!(hear(&mut dialogue, "FROM bia [all]: oi"), []);
    assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
    // No other nick took their place.
    hear(&mut dialogue, "User bia left the chat.");
    hear(&mut dialogue, "FROM x [all]: oi");
    hear(&mut dialogue, "User b3 joined.");
    assert_eq!(dialogue.typed("/ignore"), note("nobody is ignored"));
}

#[test]
fn ignored_person_stays_so_after_a_lost_connection() {
    let mut dialogue = talking_with("bia, caio");
    dialogue.typed("/ignore bia");
    dialogue.typed("/ignore caio");
    dialogue.lost();
    dialogue.connected(None);
    hear(&mut dialogue, "OK welcome ana");
    let actions = hear(&mut dialogue, "Connected users: ana, bia");
    let still = "* still ignoring bia, though they may be others than before";
    assert_eq!(shown(&actions)[1..], [still]);
    assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
}

#[test]
fn nick_that_changes_hands_is_told_in_quiet() {
    let mut dialogue = talking_with("bia, caio");
    dialogue.typed("/quiet");
    hear(&mut dialogue, "FROM bia [all]: oi");
    for nick in ["bia", "caio"] {
        assert_eq!(hear(&mut dialogue, &format!("User {nick} left the chat.")), []);
    }
    // She has said something, and he has not.
    let told = [Presence::Left, Presence::Joined]
        .map(|presence| Action::Presence(presence, vec!["bia".into()]));
    assert_eq!(hear(&mut dialogue, "User bia joined."), told);
    assert_eq!(hear(&mut dialogue, "User caio joined."), []);
}

#[test]
fn answer_goes_to_its_person_alone() {
    for presence in ["leaves", "renames", "lost"] {
        let mut dialogue = talking_with("bia, eve");
        hear(&mut dialogue, "FROM bia [dm]: psst");
        check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
        match presence {
            "lost" => {
                dialogue.lost();
                dialogue.connected(None);
                hear(&mut dialogue, "OK welcome ana");
                hear(&mut dialogue, "Connected users: ana, bia");
            }
            _ => {
                hear(&mut dialogue, "User bia left the chat.");
                if presence == "renames" {
                    hear(&mut dialogue, "User bia2 joined.");
                    let actions = dialogue.typed("/r oi");
                    assert!(
                        matches!(&actions[..], [Action::Hint(why)] if why.contains("@bia2 TEXT"))
                    );
                    let actions = dialogue.typed("@bia oi");
                    assert_eq!(actions, hint("bia is not here. Did you mean bia2?"));
                }
                check(&mut dialogue, "/r oi", &[]);
                hear(&mut dialogue, "User eve left the chat.");
                hear(&mut dialogue, "User Bia joined.");
            }
        }
        check(&mut dialogue, "/r yes", &[]);
        // It is said once that the nick may have another owner.
        check(&mut dialogue, "@bia yes", &[]);
        let again = dialogue.typed("@bia yes");
        assert_eq!(sent(&again).len(), 1, "{presence}");
        check(&mut dialogue, "/r yes", &[]);
        let line = sent(&again)[0].to_string();
        let nick = line.split_whitespace().nth(1).unwrap().trim_start_matches('@').to_string();
        hear(&mut dialogue, &format!("FROM {nick} [dm]: it is me"));
        check(&mut dialogue, "/r yes", &[&line]);
    }
    // The server itself cannot be answered.
    let mut dialogue = talking_with("bia");
    hear(&mut dialogue, "FROM server [dm]: Bem-vindos!");
    assert_eq!(dialogue.typed("/r oi"), hint("nobody has written to you alone yet"));
}

#[test]
fn many_newcomers_are_one_line_before_they_speak() {
    let mut dialogue = talking_with("bia");
    let mut actions = Vec::new();
    for number in 0..20 {
        actions.extend(hear(&mut dialogue, &format!("User n{number} joined.")));
    }
    assert_eq!(actions.len(), 1);
    assert!(dialogue.deadline().is_some());
    let actions = hear(&mut dialogue, "FROM n19 [all]: oi");
    assert!(
        matches!(&actions[..], [Action::Presence(Presence::Joined, nicks), Action::Show(_)] if nicks.len() == 19)
    );
    assert_eq!(dialogue.time_passed(Duration::from_secs(60)), []);
    dialogue.typed("/quiet");
    assert_eq!(hear(&mut dialogue, "User x joined."), []);
}

#[test]
fn answer_goes_to_the_last_sender() {
    let mut dialogue = talking_with("bia, caio");
    check(&mut dialogue, "/r oi", &[]);
    hear(&mut dialogue, "FROM bia [dm]: psst");
    check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
    // The recipient of an own message does not matter.
    check(&mut dialogue, "@caio oi", &["MSG @caio oi"]);
    check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
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
fn line_is_unanswered_until_a_later_one_comes_back() {
    let mut dialogue = talking_as(Mode::Script);
    hear(&mut dialogue, "Connected users: ana, joao");
    for line in ["@joao one", "two", "@joao three"] {
        dialogue.typed(line);
    }
    assert_eq!(dialogue.unanswered(), 3);
    hear(&mut dialogue, "FROM joao [all]: two");
    assert_eq!(dialogue.unanswered(), 3);
    hear(&mut dialogue, "FROM ana [all]: two");
    assert_eq!(dialogue.unanswered(), 1);
    dialogue.typed("WHO");
    dialogue.typed("@joao four");
    hear(&mut dialogue, "Connected users: ana, joao");
    assert_eq!(dialogue.unanswered(), 1);
}

#[test]
fn list_in_several_lines_answers_one_question() {
    let nicks: Vec<String> = (0..300).map(|n| format!("{}{n:04}", "n".repeat(25))).collect();
    let [begin, end] = [&nicks[..260], &nicks[260..]]
        .map(|part| "Connected users: ".to_string() + &part.join(", "));
    let mut script = talking_as(Mode::Script);
    // The client asks for the list, then the script does.
    let lines = [script.typed("@ghost oi"), script.typed("WHO")].concat();
    assert_eq!(sent(&lines), ["WHO", "MSG @ghost oi", "WHO"]);
    assert_eq!(hear(&mut script, &begin), []);
    assert_eq!(hear(&mut script, &end), []);
    let actions = hear(&mut script, "ERR user_not_found");
    let refused =
        |action: &Action| matches!(action, Action::Refused(why) if why.contains("@ghost oi"));
    assert!(actions.iter().any(refused), "{actions:?}");
    for line in [&begin, &end] {
        let actions = hear(&mut script, line);
        let [Action::Show(record)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!(record.kind, Kind::Users);
    }
    // A short list is whole, and the next one is another.
    script.typed("WHO");
    script.typed("WHO");
    for _ in 0..2 {
        hear(&mut script, "Connected users: ana");
    }
    assert_eq!(script.unanswered(), 0);
}

#[test]
fn end_fails_if_an_answer_is_missing() {
    let mut dialogue = talking_as(Mode::Script);
    dialogue.typed("one");
    hear(&mut dialogue, "FROM ana [all]: one");
    dialogue.typed("two");
    dialogue.end_of_input();
    assert_eq!(dialogue.closed(), [Action::Fail(Failure::Lost)]);
    hear(&mut dialogue, "FROM ana [all]: two");
    assert_eq!(dialogue.closed(), [Action::End]);
    // A line that never comes back may have been heard: one that is said to a server that
    // does not repeat it, and what is said in private.
    for lines in [&["one"][..], &["@joao one"]] {
        let mut dialogue = talking_as(Mode::Script);
        dialogue.typed("echo");
        if lines[0].starts_with('@') {
            hear(&mut dialogue, "FROM ana [all]: echo");
        }
        lines.iter().for_each(|line| _ = dialogue.typed(line));
        dialogue.end_of_input();
        assert_eq!(dialogue.closed(), [Action::End], "{lines:?}");
    }
}

#[test]
fn end_succeeds_only_after_a_goodbye() {
    let mut dialogue = talking_as(Mode::Script);
    assert_eq!(dialogue.closed(), [Action::Fail(Failure::Lost)]);
    assert_eq!(dialogue.end_of_input(), [Action::Send("QUIT".into())]);
    assert!(dialogue.awaits_the_server());
    assert!(matches!(&hear(&mut dialogue, "BYE")[..], [Action::Show(_), Action::End]));
    assert_eq!(dialogue.closed(), [Action::End]);
    let actions = hear(&mut talking_as(Mode::Script), "OK goodbye");
    assert!(matches!(&actions[..], [Action::Show(_), Action::End]));
}

#[test]
fn private_line_is_named_unless_it_was_delivered() {
    for mode in [Mode::Editor, Mode::Plain, Mode::Script] {
        let mut dialogue = talking_as(mode);
        hear(&mut dialogue, "Connected users: ana, bia, rui");
        for line in ["@bia one", "@rui two"] {
            dialogue.typed(line);
            dialogue.delivered();
        }
        assert!(!dialogue.awaits_delivery());
        for line in ["@rui three", "four", "@bia five"] {
            dialogue.typed(line);
        }
        assert!(dialogue.awaits_delivery());
        let named = dialogue.unheard().into_iter().map(|action| match action {
            Action::Hint(text) if mode != Mode::Script => text,
            Action::Refused(text) if mode == Mode::Script => text,
            other => panic!("{other:?}"),
        });
        let named: Vec<String> = named.collect();
        assert_eq!(
            named,
            ["@rui three", "four", "@bia five"].map(|line| (ENGLISH.client.unheard)(line))
        );
    }
}

#[test]
fn refused_private_line_is_not_named_as_lost_as_well() {
    let mut dialogue = talking_with("bia, rui");
    for line in ["@bia one", "@rui two"] {
        dialogue.typed(line);
    }
    hear(&mut dialogue, "User rui left the chat.");
    hear(&mut dialogue, "ERR user_not_found");
    dialogue.typed("@bia three");
    assert_eq!(shown(&dialogue.lost()), ["lost  ", "* perhaps nobody heard: @bia three"]);
}

#[test]
fn lines_that_are_too_many_to_be_named_are_counted() {
    let mut dialogue = talking_with("bia");
    (0..7).for_each(|line| _ = dialogue.typed(&line.to_string()));
    let told = shown(&dialogue.lost());
    assert_eq!(told[5..], ["* perhaps nobody heard: 4", "* and 2 messages more"]);
}

#[test]
fn client_returns_with_its_nick_and_names_lost_lines() {
    let mut dialogue = talking_with("bia");
    dialogue.typed("heard");
    hear(&mut dialogue, "FROM ana [all]: heard");
    dialogue.typed("unheard");
    assert!(dialogue.may_return());
    assert_eq!(shown(&dialogue.lost()), ["lost  ", "* perhaps nobody heard: unheard"]);
    check(&mut dialogue, "oi", &[]);
    check(&mut dialogue, "/who", &[]);
    check(&mut dialogue, "/help", &[]);
    assert_eq!(sent(&dialogue.connected(Some("other"))), ["NICK ana"]);
    let actions = hear(&mut dialogue, "OK welcome ana");
    let back = |text: &str, loud| {
        let (to, text) = (Some("ana".into()), Some(text.into()));
        Action::Show(Record { kind: Kind::Back, to, text, loud, ..Record::default() })
    };
    assert_eq!(actions[0], back("", false));
    assert_eq!(sent(&actions), ["WHO"]);
    check(&mut dialogue, "oi", &["MSG oi"]);
    dialogue.lost();
    dialogue.arrived("10.0.0.5:9000", true);
    dialogue.connected(None);
    assert_eq!(hear(&mut dialogue, "OK welcome ana")[0], back("10.0.0.5:9000", true));
    dialogue.lost();
    assert_eq!(dialogue.typed("/quit"), [Action::End]);
}

#[test]
fn nick_that_is_refused_on_return_gives_way_to_the_old_one() {
    for (wanted, code) in [
        ("a,b", "invalid_nick"),
        ("server", "invalid_nick"),
        ("bia", "nick_in_use"),
        ("caio", "too_fast"),
    ] {
        let mut dialogue = talking_with("bia");
        dialogue.lost();
        dialogue.typed(&format!("/nick {wanted}"));
        assert_eq!(sent(&dialogue.connected(None)), [format!("NICK {wanted}")]);
        let actions = hear(&mut dialogue, &format!("ERR {code}"));
        assert_eq!(sent(&actions), ["NICK ana"], "{wanted}");
        assert!(shown(&actions)[0].contains(wanted), "{actions:?}");
        hear(&mut dialogue, "OK welcome ana");
        check(&mut dialogue, "oi", &["MSG oi"]);
    }
}

#[test]
fn slow_person_is_not_thrown_out() {
    for mode in [Mode::Plain, Mode::Editor] {
        for line in ["ERR registration_timeout", "BYE"] {
            assert_eq!(hear(&mut nameless(mode), line), [Action::Unhurried], "{line}");
        }
        let mut dialogue = nameless(mode);
        assert_eq!(dialogue.closed(), [Action::Unhurried]);
        // The nick is asked for once more on the new connection.
        assert_eq!(sent(&dialogue.typed("ana")), ["NICK ana"]);
        assert_eq!(sent(&dialogue.connected(None)), ["NICK ana"]);
        hear(&mut dialogue, "ERR nick_in_use");
        assert_eq!(dialogue.closed(), [Action::Unhurried]);
        assert_eq!(sent(&dialogue.typed("ana2")), ["NICK ana2"]);
        let actions = hear(&mut dialogue, "OK welcome ana2");
        assert_eq!(shown(&actions)[0], "welcome  ");
    }
    let actions = hear(&mut nameless(Mode::Script), "ERR registration_timeout");
    assert!(matches!(&actions[..], [Action::Fail(Failure::Refused(_))]));
}

#[test]
fn refused_nick_is_followed_by_one_that_may_do() {
    for (nick, other) in [
        ("João Pedro", "João-Pedro"),
        (" Ana  Maria ", "Ana-Maria"),
        ("a,b", "ab"),
        ("a/b c", "ab-c"),
        ("@ana", "ana"),
        ("server", ""),
        ("!!!", ""),
    ] {
        let mut dialogue = nameless(Mode::Editor);
        dialogue.typed(nick);
        let actions = hear(&mut dialogue, "ERR invalid_nick");
        let ask = Action::AskNick {
            suggested_nick: if other.is_empty() { "ana" } else { "" }.into(),
            draft: other.into(),
        };
        assert_eq!(actions.last(), Some(&ask), "{nick}");
    }
    let mut dialogue = talking_with("bia");
    dialogue.typed("/nick João Pedro");
    let actions = hear(&mut dialogue, "ERR invalid_nick");
    assert!(shown(&actions)[0].ends_with("perhaps João-Pedro"), "{actions:?}");
    dialogue.typed("/nick Server");
    let actions = hear(&mut dialogue, "ERR invalid_nick");
    assert_eq!(shown(&actions)[0], "* \"Server\" was refused: it is reserved");
}

#[test]
fn unknown_refusal_is_not_blamed_on_the_nick() {
    let mut dialogue = nameless(Mode::Editor);
    dialogue.typed("bia");
    hear(&mut dialogue, "ERR unknown_command");
    let actions = hear(&mut dialogue, "ERR closed_today");
    assert_eq!(shown(&actions)[0], "* the server refused that: closed_today");
    assert!(matches!(&actions[1], Action::AskNick { .. }), "{actions:?}");
    for code in ["closed_today", "not_registered", "unknown_command"] {
        let mut script = Dialogue::new(Mode::Script, None, Bell::Me, &ENGLISH.client);
        script.connected(Some("ana"));
        hear(&mut script, "ERR unknown_command");
        let actions = hear(&mut script, &format!("ERR {code}"));
        assert!(matches!(&actions[..], [Action::Fail(Failure::Refused(_))]), "{code} {actions:?}");
    }
}

#[test]
fn stopping_server_tells_all_and_a_removing_one_does_not() {
    let goodbye = "FROM server [all]: the server is stopping; goodbye";
    let mut dialogue = talking_with("bia");
    hear(&mut dialogue, goodbye);
    assert_eq!(hear(&mut dialogue, "BYE"), [Action::Stopped]);
    hear(&mut dialogue, goodbye);
    hear(&mut dialogue, "FROM server [dm]: you were removed by the operator");
    let actions = hear(&mut dialogue, "BYE");
    assert!(matches!(&actions[..], [Action::Show(_), Action::End]), "{actions:?}");
}

#[test]
fn while_the_old_connection_has_the_nick_the_new_one_waits() {
    let mut dialogue = talking_with("bia");
    dialogue.lost();
    dialogue.connected(None);
    let actions = hear(&mut dialogue, "ERR nick_in_use");
    assert!(matches!(&actions[..], [Action::Fail(Failure::Refused(_))]), "{actions:?}");
    // It is not said again that it was lost.
    assert_eq!(dialogue.lost(), []);
    // Another nick is a way out.
    assert_eq!(dialogue.typed("/nick ana2"), [Action::Prompt("ana2".into())]);
    assert_eq!(sent(&dialogue.connected(None)), ["NICK ana2"]);
}

#[test]
fn earlier_line_of_the_same_nick_is_no_echo() {
    let mut editor = talking_as(Mode::Editor);
    hear(&mut editor, "History: 1");
    editor.typed("hello");
    assert!(!hear(&mut editor, "FROM ana [all]: said yesterday").is_empty());
    let waiting = editor.unanswered();
    assert_eq!(shown(&hear(&mut editor, "FROM ana [all]: hello")), ["+message ana hello"]);
    assert!(editor.unanswered() < waiting);
}

#[test]
fn raw_lines_are_not_looked_at() {
    let mut raw = nameless(Mode::Raw);
    let line = "FROM a [all]: x";
    assert_eq!(hear(&mut raw, line), [Action::ShowRaw(line.into())]);
    assert_eq!(hear(&mut raw, "BYE"), [Action::ShowRaw("BYE".into()), Action::End]);
}

/// A client of a room that tells what was said, and what it shows of that.
fn remembering(mode: Mode) -> Dialogue {
    let mut dialogue = Dialogue::new(mode, None, Bell::All, &ENGLISH.client);
    dialogue.connected(Some("ana"));
    for line in ["Capabilities: history", "OK welcome ana"] {
        hear(&mut dialogue, line);
    }
    dialogue
}

/// The heading and the texts of what is shown of the past.
fn past(actions: &[Action]) -> Option<(Heading, Vec<&str>)> {
    let [Action::ShowPast(past)] = actions else { return None };
    Some((past.heading, past.lines.iter().map(|line| line.text.as_str()).collect()))
}

#[test]
fn past_lines_ring_no_bell_and_offer_no_nick() {
    let mut ana = remembering(Mode::Editor);
    ana.changed_nicks();
    assert_eq!(hear(&mut ana, "Past: 1 1764340012 FROM rui [all]: ana?"), []);
    assert_eq!(hear(&mut ana, "Past: 2 1764340013 FROM bia [all]: oi"), []);
    let actions = hear(&mut ana, "Now: 7f3a9c21 2");
    assert_eq!(past(&actions), Some((Heading::Remembered, vec!["ana?", "oi"])));
    assert_eq!(ana.changed_nicks(), None);
    check(&mut ana, "/r oi", &[]);
    assert_eq!(ana.place(), Some(("7f3a9c21", 2)));
}

#[test]
fn returning_client_is_told_what_it_missed() {
    let mut ana = remembering(Mode::Editor);
    hear(&mut ana, "Now: 7f3a9c21 5");
    for line in ["FROM rui [all]: one", "FROM ana [all]: two", "FROM rui [dm]: psst"] {
        hear(&mut ana, line);
    }
    assert_eq!(ana.place(), Some(("7f3a9c21", 7)));
    ana.lost();
    let actions = ana.connected(None);
    assert_eq!(sent(&actions), ["SINCE 7f3a9c21 7", "NICK ana"]);
    hear(&mut ana, "Capabilities: history");
    hear(&mut ana, "OK welcome ana");
    hear(&mut ana, "Past: 8 1764340012 FROM rui [all]: three");
    let actions = hear(&mut ana, "Now: 7f3a9c21 8");
    assert_eq!(past(&actions), Some((Heading::Missed, vec!["three"])));
    ana.lost();
    ana.connected(None);
    hear(&mut ana, "OK welcome ana");
    hear(&mut ana, "Past: 1208 1764340012 FROM rui [all]: four");
    let actions = hear(&mut ana, "Now: 7f3a9c21 1208");
    assert_eq!(past(&actions), Some((Heading::Cut(1200), vec!["four"])));
    ana.lost();
    ana.connected(None);
    hear(&mut ana, "OK welcome ana");
    assert_eq!(hear(&mut ana, "Now: 7f3a9c21 1208"), [], "nothing was missed");
}

#[test]
fn last_word_of_a_server_is_not_counted() {
    let mut ana = remembering(Mode::Script);
    hear(&mut ana, "Now: 7f3a9c21 5");
    hear(&mut ana, "FROM server [all]: the server is stopping; goodbye");
    assert_eq!(ana.place(), Some(("7f3a9c21", 5)));
    hear(&mut ana, "BYE");
    assert_eq!(ana.place(), Some(("7f3a9c21", 5)));
    // The operator may say the same.
    let mut ana = remembering(Mode::Script);
    hear(&mut ana, "Now: 7f3a9c21 5");
    hear(&mut ana, "FROM server [all]: the server is stopping; goodbye");
    hear(&mut ana, "FROM rui [all]: no");
    assert_eq!(ana.place(), Some(("7f3a9c21", 7)));
}

#[test]
fn server_of_version_1_answers_the_question_by_one_refusal() {
    for answer in ["ERR unknown_command", "ERR please_register_with_NICK", "ERR what?"] {
        for mode in [Mode::Script, Mode::Editor] {
            let mut ana = Dialogue::new(mode, None, Bell::Me, &ENGLISH.client);
            ana.connected(Some("ana"));
            assert_eq!(hear(&mut ana, answer), []);
            assert!(matches!(&hear(&mut ana, "OK welcome ana")[..], [Action::Show(_), ..]));
            check(&mut ana, "/last", &[]);
            check(&mut ana, "/search oi", &[]);
        }
    }
    // It may also pass over the question, and refuse the nick.
    let mut ana = Dialogue::new(Mode::Script, None, Bell::Me, &ENGLISH.client);
    ana.connected(Some("ana"));
    let actions = hear(&mut ana, "ERR nick_in_use");
    assert!(matches!(&actions[..], [Action::Fail(Failure::Nick(..))]), "{actions:?}");
}

#[test]
fn last_turns_pages_until_something_else_is_said() {
    let mut ana = remembering(Mode::Editor);
    hear(&mut ana, "Now: 7f3a9c21 50");
    check(&mut ana, "/last", &["LAST 20"]);
    check(&mut ana, "/last", &[]); // It has no answer yet.
    hear(&mut ana, "Past: 31 1764340012 FROM rui [all]: a");
    let actions = hear(&mut ana, "Found: 1 of more");
    assert_eq!(past(&actions), Some((Heading::Missed, vec!["a"])));
    check(&mut ana, "/last 5", &["LAST 5 BEFORE 31"]);
    assert_eq!(shown(&hear(&mut ana, "Found: 0")), ["* nothing found"]);
    check(&mut ana, "oi", &["MSG oi"]);
    check(&mut ana, "/last 900", &["LAST 500"]);
    check(&mut ana, "/last x", &[]);
    assert_eq!(ana.place(), Some(("7f3a9c21", 50)));
}

#[test]
fn refused_search_is_told_as_one() {
    let mut ana = remembering(Mode::Editor);
    hear(&mut ana, "Now: 7f3a9c21 50");
    check(&mut ana, "/search chave", &["FIND chave"]);
    let told = shown(&hear(&mut ana, "ERR too_fast"));
    assert_eq!(told, ["* too many searches; wait 10 seconds"]);
    check(&mut ana, "/nick bia", &["NICK bia"]);
    check(&mut ana, "/search chave", &["FIND chave"]);
    let told = shown(&hear(&mut ana, "ERR too_fast"));
    assert!(told[0].contains("bia"), "{told:?}");
    assert!(shown(&hear(&mut ana, "ERR too_fast"))[0].contains("searches"));
}

#[test]
fn nick_is_said_again_to_a_server_that_took_two_lines_for_one() {
    let mut ana = Dialogue::new(Mode::Script, None, Bell::Me, &ENGLISH.client);
    ana.connected(Some("ana"));
    assert_eq!(ana.deadline(), None);
    assert_eq!(ana.heard("ERR unknown_command", Duration::from_secs(5)), []);
    assert_eq!(ana.deadline(), Some(Duration::from_secs(6)));
    assert_eq!(sent(&ana.time_passed(Duration::from_secs(6))), ["NICK ana"]);
    assert_eq!(ana.deadline(), None, "it is said twice at most");
    hear(&mut ana, "OK welcome ana");
    check(&mut ana, "oi", &["MSG oi"]);
    // A server that reads lines has answered before that.
    let mut bia = Dialogue::new(Mode::Script, None, Bell::Me, &ENGLISH.client);
    bia.connected(Some("bia"));
    for line in ["ERR unknown_command", "OK welcome bia"] {
        hear(&mut bia, line);
    }
    assert_eq!(bia.deadline(), None);
}

#[test]
fn lookup_that_is_not_asked_is_refused_in_a_script() {
    let refused = |script: &mut Dialogue, line: &str| match &script.typed(line)[..] {
        [Action::Refused(why)] => why.clone(),
        other => panic!("{other:?}"),
    };
    let mut script = talking_as(Mode::Script);
    let none = refused(&mut script, "/search olá");
    assert!(none.contains("no history"), "{none}");
    hear(&mut script, "Capabilities: history");
    assert_eq!(sent(&script.typed("/last 3")), ["LAST 3"]);
    let waits = refused(&mut script, "/search olá");
    assert!(waits.contains("still answers"), "{waits}");
}

#[test]
fn private_words_follow_a_person_to_another_nick() {
    for follows in [true, false] {
        let mut dialogue = talking_with("bia, eve");
        hear(&mut dialogue, "Capabilities: history renames");
        hear(&mut dialogue, "FROM bia [dm]: psst");
        hear(&mut dialogue, "FROM bia [all]: oi");
        if follows {
            assert_eq!(hear(&mut dialogue, "Renamed: bia bia2"), []);
        }
        for line in ["User bia left the chat.", "User bia2 joined."] {
            assert_eq!(hear(&mut dialogue, line).len() + dialogue.notices.take().len(), 1);
        }
        // Another person takes the nick.
        hear(&mut dialogue, "Renamed: eve bia");
        hear(&mut dialogue, "User eve left the chat.");
        hear(&mut dialogue, "User bia joined.");
        // Without the word, it is a stranger.
        let reply: &[&str] = if follows { &["MSG @bia2 sim"] } else { &[] };
        check(&mut dialogue, "/r sim", reply);
        let nicks = dialogue.changed_nicks().unwrap();
        assert_eq!(nicks[0] == "bia2", follows, "the last speaker is first: {nicks:?}");
    }
}

#[test]
fn ignored_person_stays_ignored_under_a_nick_that_is_told() {
    let mut dialogue = talking_with("bia, caio");
    hear(&mut dialogue, "Capabilities: history renames");
    dialogue.typed("/ignore bia");
    hear(&mut dialogue, "Renamed: bia b2");
    hear(&mut dialogue, "User bia left the chat.");
    hear(&mut dialogue, "User b2 joined.");
    assert_eq!(hear(&mut dialogue, "FROM b2 [all]: oi"), []);
    // A newcomer is another person than the one that has just left.
    hear(&mut dialogue, "User b2 left the chat.");
    hear(&mut dialogue, "User b3 joined.");
    assert_eq!(hear(&mut dialogue, "FROM b3 [all]: oi").len(), 1);
}

#[test]
fn rename_that_does_not_come_is_forgotten() {
    let mut dialogue = talking_with("bia");
    hear(&mut dialogue, "Capabilities: renames");
    hear(&mut dialogue, "FROM bia [dm]: psst");
    for between in ["FROM bia [all]: oi", "User caio joined.", "User caio left the chat."] {
        hear(&mut dialogue, "Renamed: bia eve");
        hear(&mut dialogue, between);
        hear(&mut dialogue, "User eve joined.");
        check(&mut dialogue, "/r sim", &["MSG @bia sim"]);
        hear(&mut dialogue, "User eve left the chat.");
    }
    hear(&mut dialogue, "Renamed: bia eve");
    hear(&mut dialogue, "User bia left the chat.");
    hear(&mut dialogue, "FROM caio [all]: oi");
    hear(&mut dialogue, "User eve joined.");
    check(&mut dialogue, "/r sim", &[]);
}
