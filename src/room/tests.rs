use std::collections::HashMap;

use super::feed::{CACHE_LIMIT, RECOUNT_AFTER};
use super::script::{Session, Unknown, What, sessions, steps};
use super::*;
use crate::records::{Record, Words};
use crate::wire::{MAX_EVENT, Others};

/// The evictions since this was last asked.
fn evicted(room: &mut Room) -> Vec<Eviction> {
    room.take_effects().evicted
}

/// Does what the operator orders in a script, as `operator> /kick ana REASON`.
#[track_caller]
fn operate(room: &mut Room, order: &str) {
    let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
    let (nick, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    match (word, room.find(nick)) {
        ("/say", _) => room.announce(rest),
        ("/kick", Some(id)) => room.kick(id, reason),
        ("/ban", Some(id)) => room.ban(id),
        ("/mute", Some(id)) => room.mute(id, !room.is_muted(id)),
        _ => panic!("the operator cannot {order:?}"),
    }
}

/// Answers all questions from what the room remembers.
fn search(room: &mut Room) {
    for lookup in room.take_lookups() {
        let Wanted::Find(text) = &lookup.wanted else { panic!("{lookup:?}") };
        let (records, words) = (room.records(0), Words::new(text));
        let mut found = Vec::new();
        let lines = records.split(|&byte| byte == b'\n');
        let hits: Vec<Record> = lines.filter_map(|line| words.find_in(line)).collect();
        hits.iter().for_each(|record| record.write_past(&mut found));
        room.answer(&lookup, &found, hits.len() as u64, false);
    }
}

/// Plays a script (see `protocol.md`) in a room with these rules.
#[track_caller]
fn play(rules: Rules, session: &Session) {
    let mut room = Room::new(rules);
    let mut now = Duration::ZERO;
    let mut cut: Vec<Eviction> = Vec::new();
    // Clients whose bytes are counted instead of compared.
    let mut counted: Vec<&str> = Vec::new();
    let mut people: HashMap<&str, (SessionId, Vec<u8>)> = HashMap::new();
    let mut unknown = Unknown::default();
    for step in &session.steps {
        let who = step.who;
        if let ("operator", What::Says(order)) = (who, step.what) {
            operate(&mut room, order);
            continue;
        }
        if let What::Passes(time) = step.what {
            now += time;
            continue;
        }
        let (id, inbox) = people.entry(who).or_insert_with(|| {
            let id = room.enter();
            if session.options == ["--encrypted-only"] {
                room.set_encrypted(id);
            }
            (id, Vec::new())
        });
        match step.what {
            What::Says(line) => {
                room.hear(*id, Ok(unknown.fill(line).as_bytes()), now);
                search(&mut room);
            }
            What::Passes(_) => unreachable!("it was handled above"),
            What::Floods(bytes) => {
                flood(&mut room, *id, bytes.div_ceil(1000));
                counted.push(who);
            }
            What::Stalls => {
                takes(&mut room, *id, 0, now);
                counted.push(who);
            }
            What::Takes(mut bytes) => {
                let mut batch = Vec::new();
                while bytes > 0 && room.read(*id, &mut batch) == Reading::Some {
                    let accepted = bytes.min(batch.len());
                    if accepted < batch.len() {
                        room.return_unsent(*id, &batch, accepted, now);
                    }
                    bytes -= accepted;
                    batch.clear();
                }
                counted.push(who);
            }
            What::IsHeld(expected) => {
                // The limit is cached for a moment, and begins to grow when it is first asked.
                room.must_wait(now);
                now += CACHE_LIMIT;
                let held = room.must_wait(now) || room.must_wait_for_reader(*id, now);
                assert_eq!(held, expected, "whether {who} has to wait at {now:?}");
            }
            What::IsCut(reason) => {
                cut.extend(evicted(&mut room));
                let reasons = cut.iter().filter(|cut| cut.id == *id);
                let reasons: Vec<String> =
                    reasons.map(|cut| format!("{:?}", cut.reason).to_lowercase()).collect();
                assert_eq!(reasons, [reason], "why {who} is evicted");
            }
            What::Reads(line) => {
                while room.read(*id, inbox) == Reading::Some {}
                let end = inbox.iter().position(|&byte| byte == b'\n');
                let end = end.unwrap_or_else(|| panic!("{who} is told nothing more; not {line:?}"));
                let read: Vec<u8> = inbox.drain(..=end).collect();
                let read = unknown.hide(&String::from_utf8_lossy(&read));
                assert_eq!(read, format!("{line}\n"), "what {who} reads");
            }
            What::IsClosed => {
                assert_eq!((room.read(*id, inbox), inbox.len()), (Reading::Over, 0), "{who} goes");
                room.leave(*id);
                people.remove(who);
            }
            What::BreaksOff => {
                room.leave(*id);
                people.remove(who);
            }
        }
    }
    for (who, (id, mut inbox)) in people {
        if counted.contains(&who) {
            continue;
        }
        while room.read(id, &mut inbox) == Reading::Some {}
        assert_eq!(String::from_utf8_lossy(&inbox), "", "what {who} is also told");
    }
}

#[track_caller]
fn check(script: &str) {
    play(Rules::default(), &Session { options: Vec::new(), steps: steps(script) });
}

#[test]
fn room_plays_the_sessions_of_the_protocol() {
    let sessions = sessions(include_str!("../../protocol.md"));
    assert!(sessions.len() >= 14, "the sessions are found");
    for session in sessions {
        let term = "7f3a9c21".into();
        let mut rules = Rules { recall: 50, term, ..Rules::default() };
        let encrypted = session.options == ["--encrypted-only"];
        for option in session.options.chunks(2).filter(|_| !encrypted) {
            match *option {
                ["--motd", line] => rules.greeting.push(line.into()),
                ["--history", lines] => {
                    rules.history = lines.parse().unwrap();
                    rules.recall = rules.history;
                }
                ["--notices", users] => rules.notices = users.parse().ok(),
                ["--max-users", users] => rules.max_users = users.parse().unwrap(),
                _ => panic!("no rule for {option:?}"),
            }
        }
        play(rules, &session);
    }
}

#[test]
fn private_line_keeps_its_place_among_public_lines() {
    check(
        "
        ana<  New User. Please register with: NICK <your_nick>
        joao< New User. Please register with: NICK <your_nick>
        ana>  NICK ana
        joao> NICK joao
        ana>  MSG one
        ana>  MSG @joao two
        ana>  MSG three
        ana>  QUIT
        joao< OK welcome joao
        joao< FROM ana [all]: one
        joao< FROM ana [dm]: two
        joao< FROM ana [all]: three
        joao< User ana left the chat.
        ana<  OK welcome ana
        ana<  User joao joined.
        ana<  FROM ana [all]: one
        ana<  FROM ana [all]: three
        ana<  BYE
        ana<|
        ",
    );
}

#[test]
fn renamed_member_reads_all_but_its_own_rename() {
    check(
        "
        ana<  New User. Please register with: NICK <your_nick>
        joao< New User. Please register with: NICK <your_nick>
        ana>  NICK ana
        joao> NICK joao
        joao> MSG one
        ana>  NICK bia
        joao> MSG two
        ana>  NICK Bia
        joao> MSG @BIA three
        joao> WHO
        ana<  OK welcome ana
        ana<  User joao joined.
        ana<  FROM joao [all]: one
        ana<  OK welcome bia
        ana<  FROM joao [all]: two
        ana<  OK welcome Bia
        ana<  FROM joao [dm]: three
        joao< OK welcome joao
        joao< FROM joao [all]: one
        joao< User ana left the chat.
        joao< User bia joined.
        joao< FROM joao [all]: two
        joao< User bia left the chat.
        joao< User Bia joined.
        joao< Connected users: Bia, joao
        ",
    );
}

#[test]
fn answers_to_a_guest_come_before_the_history() {
    let mut room =
        Room::new(Rules { history: 2, greeting: vec!["Olá".into()], ..Rules::default() });
    let (ana, guest) = (room.enter(), room.enter());
    for line in ["NICK ana", "MSG one", "MSG two", "NICK bia", "MSG three"] {
        room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
    }
    for line in ["WHO", "NICK joao", "MSG four"] {
        room.hear(guest, Ok(line.as_bytes()), Duration::ZERO);
    }
    let mut out = Vec::new();
    while room.read(guest, &mut out) == Reading::Some {}
    let expected = "New User. Please register with: NICK <your_nick>\n\
        ERR please_register_with_NICK\n\
        OK welcome joao\n\
        FROM server [dm]: Olá\n\
        History: 2\n\
        FROM ana [all]: two\n\
        FROM bia [all]: three\n\
        FROM joao [all]: four\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn operator_speaks_to_all_and_in_the_history() {
    let script = "
        ana<  New User. Please register with: NICK <your_nick>
        rui<  New User. Please register with: NICK <your_nick>
        ana>  NICK ana
        ana>  MSG one
        operator> /say five minutes more
        operator> /say
        ana<  OK welcome ana
        ana<  FROM ana [all]: one
        ana<  FROM server [all]: five minutes more
        rui>  NICK rui
        rui<  OK welcome rui
        rui<  History: 1
        rui<  FROM server [all]: five minutes more
        ana<  User rui joined.
    ";
    let rules = Rules { history: 1, ..Rules::default() };
    play(rules, &Session { options: Vec::new(), steps: steps(script) });
}

#[test]
fn kicked_member_reads_why_and_is_out() {
    check(
        "
        ana<  New User. Please register with: NICK <your_nick>
        rui<  New User. Please register with: NICK <your_nick>
        ana>  NICK ana
        rui>  NICK rui
        ana>  MSG one
        operator> /kick ANA too loud
        ana>  MSG two
        ana<  OK welcome ana
        ana<  User rui joined.
        ana<  FROM ana [all]: one
        ana<  FROM server [dm]: you were removed by the operator: too loud
        ana<  BYE
        ana<|
        operator> /kick rui
        rui<  OK welcome rui
        rui<  FROM ana [all]: one
        rui<  User ana left the chat.
        rui<  FROM server [dm]: you were removed by the operator
        rui<  BYE
        rui<|
        ",
    );
}

#[test]
fn muted_member_says_nothing_under_any_nick() {
    check(
        "
        ana<  New User. Please register with: NICK <your_nick>
        rui<  New User. Please register with: NICK <your_nick>
        ana>  NICK ana
        rui>  NICK rui
        operator> /mute ana
        ana>  MSG one
        ana>  MSG @rui two
        ana>  MSG @nobody three
        ana>  MSG
        ana>  NICK bia
        ana>  MSG four
        ana>  WHO
        rui>  MSG @bia five
        operator> /mute Bia
        ana>  MSG six
        ana<  OK welcome ana
        ana<  User rui joined.
        ana<  ERR muted
        ana<  ERR muted
        ana<  ERR muted
        ana<  ERR empty_message
        ana<  OK welcome bia
        ana<  ERR muted
        ana<  Connected users: bia, rui
        ana<  FROM rui [dm]: five
        ana<  FROM bia [all]: six
        rui<  OK welcome rui
        rui<  User ana left the chat.
        rui<  User bia joined.
        rui<  FROM bia [all]: six
        ",
    );
}

#[test]
fn banned_session_is_removed_or_refused() {
    let mut room = Room::new(Rules::default());
    let [ana, guest] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.mute(guest, true);
    room.hear(guest, Ok(b"MSG hi"), Duration::ZERO);
    for (id, expected) in [
        (ana, "OK welcome ana\nFROM server [dm]: you were removed by the operator\nBYE\n"),
        (guest, "ERR please_register_with_NICK\nERR banned\n"),
    ] {
        room.ban(id);
        room.hear(id, Ok(b"NICK rui"), Duration::ZERO);
        let mut out = Vec::new();
        while room.read(id, &mut out) == Reading::Some {}
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told, format!("{}\n{expected}", Event::Greeting));
        assert_eq!(room.read(id, &mut Vec::new()), Reading::Over);
    }
    assert_eq!(room.members().count(), 0);
}

#[test]
fn operator_text_forges_nothing_and_is_whole() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    let told = |room: &mut Room| {
        let mut out = Vec::new();
        while room.read(ana, &mut out) == Reading::Some {}
        String::from_utf8(out).unwrap()
    };
    told(&mut room);
    room.announce("\x1b[2Jhi\r\nBYE\u{202E}");
    room.announce("\x07\u{200B} \u{200D}");
    assert_eq!(told(&mut room), "FROM server [all]: [2JhiBYE\n");

    let words: Vec<String> = (0..3000).map(|n| format!("palavra-{n}")).collect();
    let text = words.join(" ");
    room.announce(&text);
    room.kick(ana, &format!("\x1b{text}"));
    let told = told(&mut room);
    assert!(told.lines().all(|line| line.len() < MAX_EVENT && line.len() < MAX_COMMAND + 16));
    let said = |start| {
        let texts = told.lines().filter_map(|line| line.strip_prefix(start));
        texts.collect::<Vec<&str>>().join(" ")
    };
    assert_eq!(said("FROM server [all]: "), text);
    assert_eq!(said("FROM server [dm]: "), format!("{REMOVED}: {text}"));
}

#[test]
fn sixth_rename_in_half_a_minute_is_refused() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    let mut rename = |n: u32, seconds| {
        room.hear(ana, Ok(format!("NICK ana{n}").as_bytes()), Duration::from_secs(seconds));
        room.sessions[ana.0].nick.as_ref().map(Nick::to_string).unwrap()
    };
    for n in 0..=session::MAX_RENAMES as u32 {
        assert_eq!(rename(n, 10), format!("ana{n}"));
    }
    assert_eq!(rename(7, 39), "ana5");
    assert_eq!(rename(8, 40), "ana8");
}

/// A room with two members that have read nothing yet.
fn ana_and_joao() -> (Room, [SessionId; 2]) {
    let mut room = Room::new(Rules::default());
    let [ana, joao] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
    (room, [ana, joao])
}

/// Says 1,000 bytes, so many times; the talker reads along.
fn flood(room: &mut Room, talker: SessionId, times: usize) {
    let mut out = Vec::new();
    for _ in 0..times {
        room.hear(talker, Ok(format!("MSG {}", "x".repeat(983)).as_bytes()), Duration::ZERO);
        while room.read(talker, &mut out) == Reading::Some {
            out.clear();
        }
    }
}

/// A session reads a batch, and its connection accepts so many bytes.
fn takes(room: &mut Room, id: SessionId, some: usize, now: Duration) {
    let mut out = Vec::new();
    assert_eq!(room.read(id, &mut out), Reading::Some);
    room.return_unsent(id, &out, some, now);
}

/// Whether the sender has to wait, after one line more than those with which the others
/// began to wait.
fn is_held_up(room: &mut Room, talker: SessionId, now: Duration) -> bool {
    room.must_wait(now);
    flood(room, talker, 1);
    room.must_wait(now + CACHE_LIMIT)
}

#[test]
fn session_that_lags_a_transcript_is_evicted() {
    let mut room = Room::new(Rules { history: 10, ..Rules::default() });
    let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    for (id, nick) in [(joao, "joao"), (bia, "bia")] {
        // Some history to begin with makes their places older than others.
        room.hear(ana, Ok(b"MSG before"), Duration::ZERO);
        room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
    }
    room.take_effects();
    flood(&mut room, ana, 500);
    while room.read(bia, &mut Vec::new()) == Reading::Some {}
    flood(&mut room, ana, 1500);

    let Effects { evicted: cut, changes, .. } = room.take_effects();
    assert_eq!(cut.iter().map(|cut| cut.id).collect::<Vec<_>>(), [joao, bia]);
    for cut in cut {
        assert!(cut.nick.is_some());
        let line = 1000;
        let behind = TRANSCRIPT as u64 + 1..TRANSCRIPT as u64 + 2 * line;
        assert!(behind.contains(&cut.behind), "not sooner and not later: {}", cut.behind);
    }
    assert_eq!(changes.len(), 2, "both are seen to leave");
    assert_eq!(room.read(joao, &mut Vec::new()), Reading::Over);
    assert!(room.is_member(ana) && !room.is_member(joao));
}

#[test]
fn session_with_an_overwritten_batch_is_evicted() {
    let (mut room, [ana, joao]) = ana_and_joao();
    let (mut read, mut passed) = (Vec::new(), 0);
    // Each time that is more than a batch.
    for times in [100, 900] {
        flood(&mut room, ana, times);
        read.clear();
        assert_eq!(room.read(joao, &mut read), Reading::Some);
        room.return_unsent(joao, &read, passed, Duration::ZERO);
        assert_eq!(evicted(&mut room), [], "that is still there");
        passed = 7;
    }
    read.clear();
    assert_eq!(room.read(joao, &mut read), Reading::Some);
    flood(&mut room, ana, 100);
    room.take_wakeups();
    room.return_unsent(joao, &read, passed, Duration::ZERO);
    let Effects { evicted: cut, wake, .. } = room.take_effects();
    assert_eq!(cut.iter().map(|cut| cut.reason).collect::<Vec<_>>(), [EvictReason::Behind]);
    assert!(wake.all && !room.is_member(joao), "the others see him leave");
}

#[test]
fn senders_wait_for_a_silent_reader_for_a_while() {
    check(
        "
        ana>  NICK ana
        joao> NICK joao
        joao takes 1K
        +10s
        ana floods 225K
        ana free
        # He lags too far. From here on, the others wait.
        ana floods 50K
        ana free
        ana floods 30K
        ana held
        # The longer he is silent, the further the others may get.
        +20ms
        ana held
        +80ms
        ana free
        ana floods 440K
        +150ms
        joao stalls
        +250ms
        ana held
        # He has stopped reading, and delays no sender.
        +1.5s
        joao stalls
        +10ms
        ana free
        joao takes 2000K
        ana free
        ",
    );
}

#[test]
fn stalled_reader_is_cut_behind_the_transcript() {
    check(
        "
        ana>  NICK ana
        joao> NICK joao
        joao stalls
        ana floods 1100K
        cut joao behind
        ",
    );
}

#[test]
fn senders_wait_for_a_reader_that_reads() {
    let (mut room, [ana, joao]) = ana_and_joao();
    while room.read(joao, &mut Vec::new()) == Reading::Some {}
    // He has read everything; that he had nothing to read since is not his fault.
    let second = Duration::from_secs(1);
    let start = 10 * second;
    flood(&mut room, ana, 230);
    assert!(!is_held_up(&mut room, ana, start), "230 lines are no reason");
    flood(&mut room, ana, 50);
    assert!(is_held_up(&mut room, ana, start));
    // The others may get the further ahead the longer he is silent.
    flood(&mut room, ana, 30);
    assert!(room.must_wait(start + second / 50));
    assert!(!room.must_wait(start + second / 10));
    flood(&mut room, ana, 450);
    takes(&mut room, joao, 0, start + second / 4);
    assert!(room.must_wait(start + second / 2));
    flood(&mut room, ana, 170);
    assert!(room.must_wait(start + 2 * second), "who knows, since it was not tried again");
    takes(&mut room, joao, 0, start + 2 * second);
    assert!(!room.must_wait(start + 2 * second + CACHE_LIMIT), "joao has stopped reading");
    // He reads 64 KiB, and all of it begins anew, from where they are.
    room.read(joao, &mut Vec::new());
    assert!(!room.must_wait(start + 3 * second));
    assert!(is_held_up(&mut room, ana, start + 3 * second));
    takes(&mut room, joao, 0, start + 4 * second);
    assert!(!room.must_wait(start + 4 * second + CACHE_LIMIT));
    while room.read(joao, &mut Vec::new()) == Reading::Some {}
    assert!(!is_held_up(&mut room, ana, start + 5 * second), "joao is up to date");
}

#[test]
fn leaving_session_has_30_s_to_read_the_rest() {
    let (mut room, [ana, joao]) = ana_and_joao();
    flood(&mut room, ana, 50);
    room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
    flood(&mut room, ana, 150);
    assert!(!is_held_up(&mut room, ana, CACHE_LIMIT), "he has time to read");
    flood(&mut room, ana, 100);
    assert!(is_held_up(&mut room, ana, 3 * CACHE_LIMIT), "it would be overwritten");
    // He is given all that is left, which may not get through.
    let mut out = Vec::new();
    assert_eq!(room.read(joao, &mut out), Reading::Some);
    assert!(is_held_up(&mut room, ana, 5 * CACHE_LIMIT), "it is on its way");
    flood(&mut room, ana, 10);
    room.return_unsent(joao, &out, 0, 7 * CACHE_LIMIT);
    assert!(is_held_up(&mut room, ana, 7 * CACHE_LIMIT), "it has come back");
    assert_eq!(evicted(&mut room), []);
    // He reads on, but slowly.
    for second in 1..30 {
        takes(&mut room, joao, 1, Duration::from_secs(second));
        assert!(is_held_up(&mut room, ana, Duration::from_secs(second)));
    }
    takes(&mut room, joao, 1, Duration::from_secs(31));
    assert!(!room.must_wait(Duration::from_secs(31)), "he has had his time");
}

#[test]
fn senders_do_not_wait_for_a_short_visit() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    let [joao, bia] = [room.enter(), room.enter()];
    let log = room.follow();
    room.read(bia, &mut Vec::new()); // She has been a guest for long.
    flood(&mut room, ana, 1000);
    while room.read_on(log, &mut Vec::new()) == Followed::Some {}
    for (id, nick) in [(joao, "joao"), (bia, "bia")] {
        room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
        room.hear(id, Ok(b"QUIT"), Duration::ZERO);
        assert!(!room.must_wait(CACHE_LIMIT));
    }
}

#[test]
fn senders_do_not_wait_for_a_session_that_read_all() {
    let (mut room, [ana, joao]) = ana_and_joao();
    flood(&mut room, ana, 280);
    room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
    assert!(is_held_up(&mut room, ana, CACHE_LIMIT));
    while room.read(joao, &mut Vec::new()) == Reading::Some {}
    assert!(!is_held_up(&mut room, ana, 3 * CACHE_LIMIT), "it is nothing to him");
    flood(&mut room, ana, 2000);
    assert_eq!(evicted(&mut room), []);
}

#[test]
fn reader_that_was_late_twice_has_more_grace() {
    let (mut room, [ana, joao]) = ana_and_joao();
    let ms = Duration::from_millis;
    flood(&mut room, ana, 800);
    assert!(is_held_up(&mut room, ana, ms(0)));
    takes(&mut room, joao, 0, ms(900)); // His kernel takes nothing.
    assert!(!room.must_wait(ms(1001)), "then he does not read");
    // The bytes that he takes once may be those that the systems between us have room for.
    takes(&mut room, joao, 5000, ms(1500));
    assert!(is_held_up(&mut room, ana, ms(2000)));
    takes(&mut room, joao, 0, ms(2900));
    assert!(!room.must_wait(ms(3001)));
    takes(&mut room, joao, 5000, ms(3500));
    takes(&mut room, joao, 0, ms(3600));
    assert!(is_held_up(&mut room, ana, ms(4000)));
    flood(&mut room, ana, 110);
    takes(&mut room, joao, 0, ms(5000));
    assert!(room.must_wait(ms(5001)) && room.must_wait(ms(7000)));
    takes(&mut room, joao, 0, ms(7900));
    assert!(!room.must_wait(ms(8001)), "he has stopped reading");
}

#[test]
fn senders_wait_for_a_reader_of_history() {
    let mut room = Room::new(Rules { history: 1000, ..Rules::default() });
    let [ana, joao] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    flood(&mut room, ana, 1000);
    room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
    flood(&mut room, ana, 230);
    assert!(!room.must_wait(Duration::ZERO), "history is behind by its nature");
    flood(&mut room, ana, 50);
    assert!(is_held_up(&mut room, ana, CACHE_LIMIT));
    let second = Duration::from_secs(1);
    takes(&mut room, joao, 0, second);
    assert!(!room.must_wait(2 * CACHE_LIMIT + second), "he does not read");
}

#[test]
fn private_sender_waits_for_its_reader_alone() {
    let mut room = Room::new(Rules::default());
    let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
    for (id, nick) in [(ana, "ana"), (joao, "joao"), (bia, "bia")] {
        room.hear(id, Ok(format!("NICK {nick}").as_bytes()), Duration::ZERO);
    }
    let second = Duration::from_secs(1);
    let line = format!("MSG @joao {}", "x".repeat(1000));
    for lines in [200, 150] {
        assert!(!room.must_wait_for_reader(ana, second));
        for _ in 0..lines {
            room.hear(ana, Ok(line.as_bytes()), second);
        }
        room.hear(ana, Ok(b"MSG @bia and something to somebody else"), second);
    }
    assert!(room.must_wait_for_reader(ana, second));
    assert!(!room.must_wait(second) && !room.must_wait_for_reader(bia, second));
    room.hear(bia, Ok(b"MSG @joao psst"), second);
    assert!(room.must_wait_for_reader(bia, second), "she knows how much he has to read");
    takes(&mut room, joao, 0, 2 * second);
    assert!(!room.must_wait_for_reader(ana, 2 * second), "he does not read");
    // The session that she slows is not forgotten when she writes to one that does not read.
    for _ in 0..200 {
        room.hear(ana, Ok(format!("MSG @bia {}", "x".repeat(1000)).as_bytes()), second);
    }
    room.read(joao, &mut Vec::new());
    for _ in 0..2 {
        room.hear(ana, Ok(line.as_bytes()), 2 * second);
    }
    room.hear(ana, Ok(b"MSG @bia psst"), 2 * second);
    assert!(room.must_wait_for_reader(ana, 2 * second));
    while room.read(joao, &mut Vec::new()) == Reading::Some {}
    assert!(!room.must_wait_for_reader(ana, 2 * second));
    for _ in 0..300 {
        room.hear(ana, Ok(line.as_bytes()), 2 * second);
    }
    assert!(room.must_wait_for_reader(ana, 2 * second));
    room.hear(joao, Ok(b"QUIT"), 2 * second);
    assert!(!room.must_wait_for_reader(ana, 2 * second), "he is told nothing more");
}

#[test]
fn evicting_a_crowd_does_not_recurse() {
    let mut room = Room::new(Rules::default());
    let ids: Vec<SessionId> = (0..5000).map(|_| room.enter()).collect();
    for (n, &id) in ids.iter().enumerate() {
        room.hear(id, Ok(format!("NICK u{n}").as_bytes()), Duration::ZERO);
    }
    flood(&mut room, ids[0], 1200);
    assert_eq!(evicted(&mut room).len(), 4999);
    assert!(room.is_member(ids[0]));
}

#[test]
fn newcomer_with_history_may_be_the_slowest() {
    let mut room = Room::new(Rules { history: 10, ..Rules::default() });
    let [ana, joao] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    let mut out = Vec::new();
    while room.feed.slowest == 0 {
        room.hear(ana, Ok(b"MSG so much to say"), Duration::ZERO);
        room.read(ana, &mut out);
        out.clear();
    }
    room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
    assert!(
        room.sessions[joao.0].reader.unread.start >= room.feed.slowest,
        "he would not be let go in time"
    );
}

#[test]
fn session_with_too_many_notes_is_evicted() {
    let (mut room, [ana, joao]) = ana_and_joao();
    let line = format!("MSG @joao {}", "x".repeat(1000));
    for _ in 0..=MAX_NOTES / 1000 {
        room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
    }
    assert_eq!(evicted(&mut room).into_iter().map(|cut| cut.id).collect::<Vec<_>>(), [joao]);
    assert!(room.accepts_input(ana) && !room.is_member(joao));
}

#[test]
fn heaviest_session_is_evicted_for_memory() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    let line = "x".repeat(1000 - "FROM ana [dm]: \n".len());
    let most = MAX_ALL_NOTES / (MAX_NOTES / 2);
    let sleepers: Vec<SessionId> = (0..most).map(|_| room.enter()).collect();
    for (n, &sleeper) in sleepers.iter().enumerate() {
        room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
        // The heaviest is neither the first nor the last.
        let notes = MAX_NOTES / 2 + if n == 5 { 100_000 } else { 0 };
        for _ in 0..notes / 1000 {
            room.hear(ana, Ok(format!("MSG @n{n} {line}").as_bytes()), Duration::ZERO);
            while room.read(ana, &mut Vec::new()) == Reading::Some {}
        }
    }
    let cut = evicted(&mut room);
    assert_eq!(cut.iter().map(|cut| cut.id).collect::<Vec<_>>(), [sleepers[5]]);
    assert_eq!(cut[0].reason, EvictReason::Behind);
}

#[test]
fn eviction_for_memory_may_lap_others() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    let sleepers: Vec<SessionId> = (0..600).map(|_| room.enter()).collect();
    for (n, &sleeper) in sleepers.iter().enumerate() {
        room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
    }
    for &id in sleepers.iter().chain([&ana]) {
        while room.read(id, &mut Vec::new()) == Reading::Some {}
    }
    // All are as far behind as they can be; that one leaves is one line too many.
    flood(&mut room, ana, TRANSCRIPT / 1000);
    let rest = TRANSCRIPT % 1000 - "FROM ana [all]: \n".len();
    room.hear(ana, Ok(format!("MSG {}", "x".repeat(rest)).as_bytes()), Duration::ZERO);
    while room.read(ana, &mut Vec::new()) == Reading::Some {}
    let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
    for n in (0..sleepers.len()).cycle() {
        room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
        let weight: usize = room.sessions.iter().map(|(_, session)| session.reader.weight()).sum();
        assert!(weight <= MAX_ALL_NOTES + RECOUNT_AFTER, "{weight} bytes are kept");
        if room.population() == 1 {
            break;
        }
    }
    assert_eq!(evicted(&mut room).len(), sleepers.len());
    assert!(room.is_member(ana));
}

#[test]
fn reader_is_not_evicted_for_the_notes_of_others() {
    let mut room = Room::new(Rules::default());
    let [ana, bia] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.hear(bia, Ok(b"NICK bia"), Duration::ZERO);
    let sleepers: Vec<SessionId> = (0..170).map(|_| room.enter()).collect();
    for (n, &sleeper) in sleepers.iter().enumerate() {
        room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
    }
    let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
    for _ in 0..98 {
        for n in 0..sleepers.len() {
            room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
        }
    }
    assert_eq!(evicted(&mut room), []);
    while room.read(bia, &mut Vec::new()) == Reading::Some {}
    for &sleeper in &sleepers {
        takes(&mut room, sleeper, 0, Duration::from_secs(2));
    }
    // Bia reads, and is told more than any of them.
    for _ in 0..500 {
        let line = format!("MSG @bia {text}");
        room.hear(ana, Ok(line.as_bytes()), Duration::from_secs(2));
    }
    let cut = evicted(&mut room);
    assert!(!cut.is_empty() && room.is_member(bia), "{cut:?}");
    assert!(cut.iter().all(|cut| sleepers.contains(&cut.id)), "{cut:?}");
}

#[test]
fn reader_of_notes_is_not_late() {
    let mut room = Room::new(Rules::default());
    let [ana, bia] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.hear(bia, Ok(b"NICK bia"), Duration::ZERO);
    let text = "x".repeat(1000 - "FROM ana [dm]: \n".len());
    for n in 0..20 {
        let sleeper = room.enter();
        room.hear(sleeper, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
        for _ in 0..700 {
            room.hear(ana, Ok(format!("MSG @n{n} {text}").as_bytes()), Duration::ZERO);
            room.hear(bia, Ok(b"WHO"), Duration::ZERO);
            while room.read(bia, &mut Vec::new()) == Reading::Some {}
        }
    }
    assert_eq!(evicted(&mut room), []);
    assert_eq!(room.sessions[bia.0].reader.lag.late(), 0);
}

#[test]
fn slow_reader_takes_no_memory() {
    let mut room = Room::new(Rules { history: 10, ..Rules::default() });
    let [ana, joao, bia] = [room.enter(), room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
    flood(&mut room, ana, 50);
    room.hear(bia, Ok(b"NICK bia"), Duration::ZERO); // She has history to read.
    for (id, line) in [(joao, "OK welcome joao\n"), (bia, "History: 10\n")] {
        let mut heard = Vec::new();
        loop {
            let mut batch = Vec::new();
            if room.read(id, &mut batch) != Reading::Some {
                break;
            }
            let passed = batch.len().min(300);
            room.return_unsent(id, &batch, passed, Duration::ZERO);
            heard.extend_from_slice(&batch[..passed]);
            let kept = room.sessions[id.0].reader.note_bytes();
            assert!(kept < 1000, "{kept} bytes are kept for one who has no private lines");
        }
        let heard = String::from_utf8(heard).unwrap();
        let talk = heard.split_once(line).unwrap().1;
        let whole = |line: &&str| line.starts_with("FROM ana ") && line.len() == 999;
        assert_eq!(talk.lines().filter(whole).count(), if id == joao { 50 } else { 10 });
    }
}

#[test]
fn session_without_output_is_still_heard() {
    let mut room = Room::new(Rules::default());
    let [ana, joao] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    while room.read(ana, &mut Vec::new()) == Reading::Some {}
    room.discard_output(joao);
    for line in ["NICK joao", "MSG one", "NICK rui", "WHO", "MSG two", "QUIT"] {
        room.hear(joao, Ok(line.as_bytes()), Duration::ZERO);
        let done = if line == "QUIT" { Reading::Over } else { Reading::Nothing };
        assert_eq!(room.read(joao, &mut Vec::new()), done, "after {line}");
    }
    let mut heard = Vec::new();
    while room.read(ana, &mut heard) == Reading::Some {}
    let expected = "User joao joined.\n\
        FROM joao [all]: one\n\
        User joao left the chat.\n\
        User rui joined.\n\
        FROM rui [all]: two\n\
        User rui left the chat.\n";
    assert_eq!(String::from_utf8_lossy(&heard), expected);
    // However much is said, it is not behind.
    flood(&mut room, ana, 2 * TRANSCRIPT / 1000);
    assert_eq!(evicted(&mut room), []);
}

#[test]
fn short_notes_weigh_more_than_their_text() {
    let (mut room, [ana, _joao]) = ana_and_joao();
    let mut text = 0;
    while evicted(&mut room).is_empty() {
        room.hear(ana, Ok(b"MSG @joao x"), Duration::ZERO);
        room.hear(ana, Ok(b"MSG x"), Duration::ZERO);
        while room.read(ana, &mut Vec::new()) == Reading::Some {}
        text += "FROM ana [dm]: x\n".len();
    }
    assert!(text < MAX_NOTES / 4, "{text} bytes of text are a quarter of it");
}

#[test]
fn overwritten_history_is_not_torn() {
    let mut room = Room::new(Rules { history: 1000, ..Rules::default() });
    let [ana, joao] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    flood(&mut room, ana, 1000);
    room.hear(joao, Ok(b"NICK joao"), Duration::ZERO);
    let mut batch = Vec::new();
    assert_eq!(room.read(joao, &mut batch), Reading::Some);
    room.return_unsent(joao, &batch, 2500, Duration::ZERO);
    let left = |room: &Room| TRANSCRIPT as u64 - room.sessions[joao.0].reader.lag(room.head());
    while left(&room) > 2000 {
        flood(&mut room, ana, 1);
    }
    batch.clear();
    assert_eq!(room.read(joao, &mut batch), Reading::Some);
    flood(&mut room, ana, 4);
    assert_eq!(evicted(&mut room), []);
    room.return_unsent(joao, &batch, 20_300, Duration::ZERO);
    assert_eq!(evicted(&mut room).len(), 1);
    assert_eq!(room.read(joao, &mut batch), Reading::Over);
}

#[test]
fn returned_batches_are_read_once() {
    let rules = Rules { history: 5, greeting: vec!["hi".into()], ..Rules::default() };
    for seed in 0..2000 {
        let mut dice = fastrand::Rng::with_seed(seed);
        // The same happens in both rooms; in one, what is read may come back later.
        let mut rooms = [(); 2].map(|()| Room::new(rules.clone()));
        let ids = [(); 3].map(|()| rooms.each_mut().map(Room::enter)[0]);
        let mut heard = [(); 3].map(|()| [Vec::new(), Vec::new()]);
        let mut on_its_way = [None, None, None];
        for turn in 0..60 {
            let now = Duration::from_secs(turn);
            let who = dice.usize(..ids.len());
            let line = match dice.usize(..12) {
                0..3 if on_its_way[who].is_none() => {
                    let mut batch = Vec::new();
                    if rooms[0].read(ids[who], &mut batch) == Reading::Some {
                        on_its_way[who] = Some(batch);
                    }
                    continue;
                }
                0..6 => {
                    let Some(batch) = on_its_way[who].take() else { continue };
                    let sent = dice.usize(..=batch.len());
                    if sent < batch.len() {
                        rooms[0].return_unsent(ids[who], &batch, sent, Duration::ZERO);
                    }
                    heard[who][0].extend_from_slice(&batch[..sent]);
                    continue;
                }
                6..8 => format!("NICK n{who}{}", dice.usize(..4)),
                8..10 => format!("MSG hello {turn}"),
                10 => format!("MSG @n{}{} psst", dice.usize(..3), dice.usize(..4)),
                _ if dice.usize(..8) == 0 => "QUIT".into(),
                _ => "WHO".into(),
            };
            rooms.iter_mut().for_each(|room| room.hear(ids[who], Ok(line.as_bytes()), now));
        }
        for ((id, heard), batch) in ids.into_iter().zip(&mut heard).zip(on_its_way) {
            heard[0].extend(batch.unwrap_or_default());
            for (room, heard) in rooms.iter_mut().zip(heard.iter_mut()) {
                while room.read(id, heard) == Reading::Some {}
            }
            let [late, at_once] = heard.each_ref().map(|heard| String::from_utf8_lossy(heard));
            assert_eq!(late, at_once, "with seed {seed}");
        }
    }
}

#[test]
fn returned_bytes_are_read_next() {
    let (mut room, [ana, joao]) = ana_and_joao();
    for line in ["MSG one", "MSG @joao two", "MSG three"] {
        room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
    }
    let (mut heard, mut batch) = (Vec::new(), Vec::new());
    while room.read(joao, &mut batch) == Reading::Some {
        let passed = batch.len().min(7);
        room.return_unsent(joao, &batch, passed, Duration::ZERO);
        heard.extend(batch.drain(..passed));
        batch.clear();
        if heard.len() == 35 {
            room.hear(joao, Ok(b"QUIT"), Duration::ZERO);
        }
    }
    let expected = "New User. Please register with: NICK <your_nick>\n\
        OK welcome joao\n\
        FROM ana [all]: one\n\
        FROM ana [dm]: two\n\
        FROM ana [all]: three\n\
        BYE\n";
    assert_eq!(String::from_utf8_lossy(&heard), expected);
    // An evicted session reads nothing, and is evicted once.
    while room.read(ana, &mut batch) == Reading::Some {}
    room.evict(ana, EvictReason::Stalled);
    room.return_unsent(ana, &batch, 0, Duration::ZERO);
    room.evict(ana, EvictReason::Lost);
    assert_eq!(room.read(ana, &mut Vec::new()), Reading::Over);
    let cut = evicted(&mut room);
    assert_eq!(cut.iter().map(|cut| cut.reason).collect::<Vec<_>>(), [EvictReason::Stalled]);
}

#[test]
fn evicted_session_is_reported_with_its_last_nick() {
    for leave in ["QUIT", "kick", "close"] {
        let mut room = Room::new(Rules::default());
        let ana = room.enter();
        room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
        match leave {
            "kick" => room.kick(ana, ""),
            "close" => _ = room.close("good night"),
            quit => room.hear(ana, Ok(quit.as_bytes()), Duration::ZERO),
        }
        room.evict(ana, EvictReason::Stalled);
        let cut = evicted(&mut room).pop().unwrap();
        assert_eq!(cut.nick.as_ref().map(Nick::as_str), Some("ana"), "{leave}");
    }
}

#[test]
fn follower_goes_on_after_a_gap() {
    let (mut room, [ana, joao]) = ana_and_joao();
    let log = room.follow();
    flood(&mut room, ana, 10);
    let mut read = Vec::new();
    assert_eq!(room.read_on(log, &mut read), Followed::Some);
    assert_eq!((read.len(), room.read_on(log, &mut read)), (10_000, Followed::Nothing));
    flood(&mut room, ana, TRANSCRIPT / 1000 + 10);
    assert_eq!(evicted(&mut room)[0].id, joao, "no follower is evicted");
    assert_eq!(room.read_on(log, &mut read), Followed::Gap);
    read.clear();
    flood(&mut room, ana, 1);
    assert_eq!(room.read_on(log, &mut read), Followed::Some);
    assert!(read.starts_with(b"FROM ana") && read.ends_with(b"\n"), "it reads whole lines");
    room.close("good night");
    read.clear();
    assert_eq!(room.read_on(log, &mut read), Followed::Some);
    assert_eq!(read, b"FROM server [all]: good night\n");
    assert_eq!(room.read_on(log, &mut read), Followed::Closed);
}

#[test]
fn guest_and_follower_read_only_what_is_for_them() {
    let mut room = Room::new(Rules::default());
    let [ana, guest] = [room.enter(), room.enter()];
    let log = room.follow();
    for line in ["NICK ana", "MSG olá", "MSG @ana psst", "QUIT"] {
        room.hear(ana, Ok(line.as_bytes()), Duration::ZERO);
    }
    let (mut heard, mut logged) = (Vec::new(), Vec::new());
    while room.read(guest, &mut heard) == Reading::Some {}
    while room.read_on(log, &mut logged) == Followed::Some {}
    assert_eq!(heard, b"New User. Please register with: NICK <your_nick>\n");
    let expected = "User ana joined.\nFROM ana [all]: olá\nUser ana left the chat.\n";
    assert_eq!(String::from_utf8_lossy(&logged), expected);
}

#[test]
fn list_of_members_comes_in_lines_of_limited_length() {
    let mut room = Room::new(Rules::default());
    let ids: Vec<SessionId> = (0..300).map(|_| room.enter()).collect();
    for (n, &id) in ids.iter().enumerate() {
        let nick = format!("NICK {n:03}-{}", "日".repeat(28));
        room.hear(id, Ok(nick.as_bytes()), Duration::ZERO);
    }
    let last = ids[299];
    let mut out = Vec::new();
    while room.read(last, &mut out) == Reading::Some {}
    out.clear();
    room.hear(last, Ok(b"WHO"), Duration::ZERO);
    while room.read(last, &mut out) == Reading::Some {}

    let lines: Vec<&str> = str::from_utf8(&out).unwrap().lines().collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < MAX_EVENT));
    let mut nicks = Vec::new();
    for line in lines {
        let Event::Users(some) = Event::parse(line) else { panic!("{line}") };
        nicks.extend(some);
    }
    assert!(nicks.len() == 300 && nicks.is_sorted());
}

#[test]
fn list_of_a_large_room_is_cut_and_the_rest_counted() {
    let mut room = Room::new(Rules { notices: Some(0), ..Rules::default() });
    let ids: Vec<SessionId> = (0..3000).map(|_| room.enter()).collect();
    let mut out = Vec::new();
    for (n, &id) in ids.iter().enumerate() {
        room.hear(id, Ok(format!("NICK {n:04}-{}", "x".repeat(27)).as_bytes()), Duration::ZERO);
        while room.read(id, &mut out) == Reading::Some {}
    }
    room.set_encrypted(ids[7]);
    out.clear();
    room.hear(ids[7], Ok(b"WHO"), Duration::ZERO);
    while room.read(ids[7], &mut out) == Reading::Some {}

    let told = str::from_utf8(&out).unwrap();
    let (list, clear) = told.split_at(told.find("In the clear").unwrap());
    let mut counts = Vec::new();
    for (list, begin) in [(list, "Connected users: "), (clear, "In the clear: ")] {
        let (nicks, rest) = list.rsplit_once("FROM server [dm]: ").unwrap();
        assert!(nicks.len() <= 64 << 10 && nicks.len() > 56 << 10, "{} bytes", nicks.len());
        assert!(nicks.lines().all(|line| line.len() < MAX_EVENT && line.starts_with(begin)));
        let others = Others::parse(rest.trim_end()).unwrap();
        assert_eq!(others.in_the_clear, begin.starts_with("In"));
        counts
            .push(nicks.lines().map(|line| line.split(", ").count()).sum::<usize>() + others.count);
    }
    assert_eq!(counts, [3000, 2999]);
}

#[test]
fn joins_and_leaves_of_a_large_room_wake_no_reader() {
    let mut room = Room::new(Rules { notices: Some(4), ..Rules::default() });
    let ids: Vec<SessionId> = (0..6).map(|_| room.enter()).collect();
    let mut woken = Vec::new();
    for (n, &id) in ids.iter().enumerate() {
        room.hear(id, Ok(format!("NICK n{n}").as_bytes()), Duration::ZERO);
        woken.push(room.take_effects().wake.all);
    }
    room.hear(ids[5], Ok(b"NICK another"), Duration::ZERO);
    woken.push(room.take_effects().wake.all);
    for &id in ids[1..].iter().rev() {
        room.hear(id, Ok(b"QUIT"), Duration::ZERO);
        let effects = room.take_effects();
        assert!(effects.wake.some.contains(&id) && effects.changes.len() == 1);
        woken.push(effects.wake.all);
    }
    // The fifth comes and the fifth goes: the others read that notices end, and return.
    let joins = [true, true, true, true, true, false];
    assert_eq!(woken, [&joins[..], &[false], &[false, false, false, false, true]].concat());
    let mut out = Vec::new();
    while room.read(ids[0], &mut out) == Reading::Some {}
    assert_eq!(
        str::from_utf8(&out).unwrap(),
        "New User. Please register with: NICK <your_nick>\nOK welcome n0\nUser n1 joined.\n\
         User n2 joined.\nUser n3 joined.\nFROM server [all]: so many are here that comings and \
         goings are not told any more\nFROM server [all]: comings and goings are told again\n"
    );
}

#[test]
fn closing_room_says_goodbye_without_leave_notices() {
    let mut room = Room::new(Rules::default());
    let [ana, guest] = [room.enter(), room.enter()];
    room.hear(ana, Ok(b"NICK ana"), Duration::ZERO);
    room.take_effects();
    assert_eq!(room.close("good night"), 1);
    for (id, expected) in [
        (ana, "OK welcome ana\nFROM server [all]: good night\nBYE\n"),
        (guest, "FROM server [all]: good night\nBYE\n"),
    ] {
        let mut out = Vec::new();
        while room.read(id, &mut out) == Reading::Some {}
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told, format!("{}\n{expected}", Event::Greeting));
        assert_eq!(room.read(id, &mut Vec::new()), Reading::Over);
        room.leave(id);
    }
    assert_eq!(room.take_effects().changes, []);
    let late = room.enter();
    room.hear(late, Ok(b"NICK late"), Duration::ZERO);
    assert!(!room.is_member(late));
}

/// A room that tells what was said, and a member of it.
fn room_that_remembers() -> (Room, SessionId) {
    let rules = Rules { recall: 3, term: "7f3a9c21".into(), ..Rules::default() };
    let mut room = Room::new(rules);
    room.tick(Duration::ZERO);
    room.set_wall_clock(1_000_000);
    let ana = room.enter();
    said(&mut room, ana, &["NICK ana"]);
    (room, ana)
}

/// A session says these lines, and reads what it is told.
fn said(room: &mut Room, id: SessionId, lines: &[&str]) -> String {
    for line in lines {
        room.hear(id, Ok(line.as_bytes()), Duration::ZERO);
    }
    let mut read = Vec::new();
    while room.read(id, &mut read) == Reading::Some {}
    String::from_utf8(read).unwrap()
}

/// A newcomer that asks for history says these lines, and reads this behind its welcome.
#[track_caller]
fn check_newcomer(room: &mut Room, lines: &[&str], expected: &str) {
    let id = room.enter();
    let lines = [&["CAP history"], lines, &["NICK rui"]].concat();
    let read = said(room, id, &lines);
    let (_, told) = read.split_once("OK welcome rui\n").unwrap_or_else(|| panic!("{read}"));
    assert_eq!(told, expected, "{lines:?}");
    room.leave(id);
}

#[test]
fn newcomer_is_told_what_it_missed_and_the_number() {
    let (mut room, ana) = room_that_remembers();
    check_newcomer(&mut room, &[], "Now: 7f3a9c21 0\n");
    said(&mut room, ana, &["MSG one", "MSG two", "MSG @ana psst", "MSG three", "MSG four"]);
    let past = |numbers: std::ops::Range<usize>| -> String {
        let words = ["one", "two", "three", "four"];
        let line = |n: usize| format!("Past: {n} 1000 FROM ana [all]: {}\n", words[n - 1]);
        numbers.map(line).chain(["Now: 7f3a9c21 4\n".to_string()]).collect()
    };
    check_newcomer(&mut room, &[], &past(2..5));
    check_newcomer(&mut room, &["SINCE 7f3a9c21 0"], &past(1..5));
    check_newcomer(&mut room, &["SINCE 7f3a9c21 3"], &past(4..5));
    check_newcomer(&mut room, &["SINCE 7f3a9c21 4"], &past(5..5));
    // A count that is ahead of the room's, and another room's.
    check_newcomer(&mut room, &["SINCE 7f3a9c21 99"], &past(5..5));
    check_newcomer(&mut room, &["SINCE 00000000 4"], &past(2..5));
    check_newcomer(&mut room, &["SINCE 7f3a9c21 4", "SINCE 7f3a9c21 2"], &past(3..5));
}

#[test]
fn newcomer_is_told_at_most_48_kib_and_500_messages() {
    let (mut room, ana) = room_that_remembers();
    let long = format!("MSG {}", "x".repeat(4000));
    (0..20).for_each(|_| drop(said(&mut room, ana, &[&long])));
    let id = room.enter();
    let read = said(&mut room, id, &["CAP history", "SINCE 7f3a9c21 0", "NICK rui"]);
    assert_eq!(read.matches("Past: ").count(), 12);
    assert!(read.ends_with("Now: 7f3a9c21 20\n") && read.contains("Past: 9 1000 "));
    (0..600).for_each(|_| drop(said(&mut room, ana, &["MSG x"])));
    let id = room.enter();
    let read = said(&mut room, id, &["CAP history", "SINCE 7f3a9c21 0", "NICK bia"]);
    assert_eq!(read.matches("Past: ").count(), 500);
}

#[test]
fn many_newcomers_that_read_nothing_take_no_memory() {
    let (mut room, ana) = room_that_remembers();
    let long = format!("MSG {}", "x".repeat(4000));
    (0..20).for_each(|_| drop(said(&mut room, ana, &[&long])));
    for n in 0..1000 {
        let id = room.enter();
        for line in ["CAP history", "SINCE 7f3a9c21 0", &format!("NICK rui{n}")] {
            room.hear(id, Ok(line.as_bytes()), Duration::ZERO);
        }
        let reader = &room.sessions[id.0].reader;
        assert!(reader.note_bytes() > 40 << 10 && reader.weight() < 1 << 10);
    }
    assert_eq!(evicted(&mut room), []);
}

#[test]
fn messages_told_again_survive_a_slow_connection() {
    let (mut room, ana) = room_that_remembers();
    let long = format!("MSG {}", "x".repeat(4000));
    (0..20).for_each(|_| drop(said(&mut room, ana, &[&long])));
    let whole = |room: &mut Room, nick: &str| {
        let id = room.enter();
        said(room, id, &["CAP history", "SINCE 7f3a9c21 0", &format!("NICK {nick}")])
    };
    let expected = whole(&mut room, "rui").replace("rui", "bia");
    let id = room.enter();
    for line in ["CAP history", "SINCE 7f3a9c21 0", "NICK bia"] {
        room.hear(id, Ok(line.as_bytes()), Duration::ZERO);
    }
    let (mut read, mut batch) = (Vec::new(), Vec::new());
    while room.read(id, &mut batch) == Reading::Some {
        let sent = batch.len().min(1000);
        read.extend_from_slice(&batch[..sent]);
        room.return_unsent(id, &batch, sent, Duration::ZERO);
        batch.clear();
    }
    assert_eq!(String::from_utf8(read).unwrap(), expected);
    assert_eq!(room.sessions[id.0].reader.note_bytes(), 0);
}

#[test]
fn last_turns_the_pages() {
    let (mut room, ana) = room_that_remembers();
    let words = ["MSG a", "MSG b", "MSG c", "MSG d", "MSG e"];
    said(&mut room, ana, &words);
    let rui = room.enter();
    said(&mut room, rui, &["CAP history", "NICK rui"]);
    let mut check = |line: &str, expected: &str, found: &str| {
        let letter = |number: usize| ["a", "b", "c", "d", "e"][number - 1];
        let numbers = expected.split_whitespace().map(|number| number.parse::<usize>().unwrap());
        let past = |number| format!("Past: {number} 1000 FROM ana [all]: {}\n", letter(number));
        let past: String = numbers.map(past).collect();
        assert_eq!(said(&mut room, rui, &[line]), format!("{past}Found: {found}\n"), "{line}");
    };
    check("LAST 2", "4 5", "2 of more");
    check("last 2 before 4", "2 3", "2 of more");
    check("LAST 2 BEFORE 2", "1", "1");
    check("LAST 5", "1 2 3 4 5", "5");
    check("LAST 5 BEFORE 1", "", "0");
    check("LAST 5 BEFORE 99", "1 2 3 4 5", "5");
    check("LAST 0", "", "0 of more");
}

#[test]
fn searches_are_bounded() {
    let (mut room, ana) = room_that_remembers();
    said(&mut room, ana, &["MSG A chave"]);
    let rui = room.enter();
    said(&mut room, rui, &["CAP history"]);
    assert_eq!(said(&mut room, rui, &["FIND chave"]), "ERR please_register_with_NICK\n");
    said(&mut room, rui, &["NICK rui"]);
    assert_eq!(
        said(&mut room, rui, &["FIND", "FIND  ", "FIND x"]),
        "ERR empty_message\n".repeat(3)
    );
    assert_eq!(
        said(&mut room, rui, &[&format!("FIND {}", "x".repeat(201))]),
        "ERR line_too_long\n"
    );
    let found = |room: &mut Room, seconds: u64| {
        room.hear(rui, Ok(b"FIND CHAVE"), Duration::from_secs(seconds));
        search(room);
        said(room, rui, &[])
    };
    for _ in 0..past::SEARCH_BURST {
        let answer = "Past: 1 1000 FROM ana [all]: A chave\nFound: 1\n";
        assert_eq!(found(&mut room, 1), answer);
    }
    assert_eq!(found(&mut room, 1), "ERR too_fast\n");
    assert!(found(&mut room, 1 + past::SEARCH_INTERVAL.as_secs()).starts_with("Past: 1 "));
    // One question at a time, and an answer without a reader does no harm.
    room.hear(rui, Ok(b"FIND chave"), Duration::from_secs(100));
    let lookup = room.take_lookups().pop().unwrap();
    room.hear(rui, Ok(b"FIND chave"), Duration::from_secs(100));
    assert_eq!(said(&mut room, rui, &[]), "ERR too_fast\n");
    room.leave(rui);
    let bia = room.enter();
    assert_eq!(bia, rui, "the place is used again");
    room.answer(&lookup, b"Past: 1 1000 FROM ana [all]: A chave\n", 1, false);
    assert!(!said(&mut room, bia, &[]).contains("Past"));
}

#[test]
fn room_without_history_does_not_know_the_word() {
    let mut room = Room::new(Rules::default());
    let ana = room.enter();
    let read = said(&mut room, ana, &["CAP history renames", "SINCE x 1", "NICK ana"]);
    assert!(read.ends_with("Capabilities: renames\nERR unknown_command\nOK welcome ana\n"));
}

#[test]
fn last_word_is_no_message() {
    let (mut room, ana) = room_that_remembers();
    said(&mut room, ana, &["MSG one"]);
    room.close("the server is stopping; goodbye");
    assert_eq!(room.last_number(), 1);
    assert_eq!(String::from_utf8(room.records(0)).unwrap(), "1 1000000 FROM ana [all]: one\n");
}

/// Any messages and notices, and any questions, next to a list.
#[test]
fn answers_about_the_past_are_those_of_a_list() {
    let mut dice = fastrand::Rng::with_seed(19);
    for _ in 0..30 {
        let (mut room, ana) = room_that_remembers();
        let mut list: Vec<String> = Vec::new();
        for n in 0..dice.usize(0..900) {
            match dice.usize(0..4) {
                0 => {
                    let bia = room.enter();
                    said(&mut room, bia, &["NICK bia"]);
                    room.leave(bia);
                }
                _ => {
                    let text = format!("{n}{}", "x".repeat(dice.usize(0..1500)));
                    said(&mut room, ana, &[&format!("MSG {text}")]);
                    let line = format!("FROM ana [all]: {text}\n");
                    list.push(format!("Past: {} 1000 {line}", list.len() + 1));
                }
            }
        }
        // The newest of these that an answer has room for.
        let answer = |lines: &[String], count: usize| -> String {
            let mut bytes = 0;
            let fits = |line: &&String| {
                bytes += line.len();
                bytes <= past::MAX_PAST_BYTES
            };
            let newest: Vec<&String> = lines.iter().rev().take(count).take_while(fits).collect();
            newest.into_iter().rev().map(String::as_str).collect()
        };
        let remembered = room.feed.transcript.first_within(MAX_HISTORY).unwrap_or(1) as usize - 1;
        let number = list.len();
        for _ in 0..5 {
            let since = dice.usize(0..number + 2);
            let id = room.enter();
            let since_line = format!("SINCE 7f3a9c21 {since}");
            let read = said(&mut room, id, &["CAP history", &since_line, "NICK rui"]);
            let (_, told) = read.split_once("OK welcome rui\n").unwrap();
            let missed = &list[since.max(remembered).min(number)..];
            let expected = answer(missed, past::MAX_PAST) + &format!("Now: 7f3a9c21 {number}\n");
            assert!(told == expected, "since {since} of {number}");
            let (count, before) = (dice.usize(0..600), dice.usize(0..number + 2));
            let told = said(&mut room, id, &[&format!("LAST {count} BEFORE {before}")]);
            let end = before.saturating_sub(1).min(number).max(remembered);
            let expected = answer(&list[remembered..end], count.min(past::MAX_PAST));
            assert!(told.starts_with(&format!("{expected}Found: ")), "{count} before {before}");
            room.leave(id);
        }
    }
}
