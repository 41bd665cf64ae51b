//! Answers that are missing, and connections that end.

use super::*;

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
