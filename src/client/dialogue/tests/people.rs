//! Other members: calls, ignored people, answers, and nicks that change hands.

use super::*;

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
