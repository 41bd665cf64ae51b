//! Earlier messages.

use super::*;

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
