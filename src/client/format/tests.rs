use chrono::TimeZone;

use super::*;
use crate::client::record::{Heading, Past, PastLine};
use crate::texts::{ENGLISH, PORTUGUESE};

fn record(kind: Kind, from: &str, text: &str) -> Record {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
    Record { kind, from: some(from), text: some(text), ..Record::default() }
}

fn evening() -> DateTime<Local> {
    Local.with_ymd_and_hms(2026, 11, 22, 21, 4, 5).unwrap()
}

fn format(style: Style, record: &Record) -> String {
    Formatter::new(style, &ENGLISH.client).format(record, evening())
}

/// The relative luminance of a colour, as WCAG 2 defines it.
fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = |part: u8| match f64::from(part) / 255.0 {
        dark if dark <= 0.03928 => dark / 12.92,
        part => ((part + 0.055) / 1.055).powf(2.4),
    };
    let [red, green, blue] = rgb.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn nicks_are_readable_on_light_and_dark_and_never_red() {
    const PARTS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    for colour in NICK_COLOURS {
        let cube = usize::from(colour - 16);
        let rgb = [cube / 36, cube / 6 % 6, cube % 6].map(|part| PARTS[part]);
        for ground in [[255, 255, 255], [253, 246, 227], [245, 245, 220], [0, 0, 0]] {
            assert!(contrast(rgb, ground) >= 3.5, "{colour} on {ground:?}");
        }
        let [red, green, blue] = rgb;
        assert!(red < green.max(blue).saturating_mul(2), "{colour} is red");
    }
}

#[track_caller]
fn check(style: Style, record: &Record, expected: &str) {
    let mut formatter = Formatter::new(style, &ENGLISH.client);
    assert_eq!(formatter.format(record, evening()), format!("{expected}\n"));
}

#[test]
fn people_read_lines_that_need_no_colour() {
    let plain = Style::Person { colour: false };
    check(plain, &record(Kind::Message, "joao", "oi"), "21:04 joao  oi");
    check(plain, &record(Kind::Message, "joao", "/me acena"), "21:04 * joao acena");
    check(plain, &record(Kind::Private, "joao", "psst"), "21:04 joao → you  psst");
    check(plain, &record(Kind::Joined, "bia", ""), "21:04 + bia joined");
    check(plain, &record(Kind::Left, "bia", ""), "21:04 - bia left");
    check(plain, &record(Kind::Users, "", "ana, joao"), "* here (2): ana, joao");
    check(
        plain,
        &record(Kind::Error, "", "user_not_found"),
        "* the server refused that: nobody here has that nick",
    );
    check(plain, &record(Kind::Notice, "", "History: 2"), "* History: 2");
    check(plain, &record(Kind::Bye, "", ""), "Bye.");
}

#[test]
fn nick_that_is_a_word_for_the_reader_stands_in_quotes() {
    let plain = Style::Person { colour: false };
    let private = |own, from: &str, to: &str| Record {
        own,
        to: Some(to.into()),
        ..record(Kind::Private, from, "oi")
    };
    check(plain, &private(false, "you", "ana"), "21:04 \"you\" → you  oi");
    check(plain, &private(true, "ana", "YOU"), "21:04 you → \"YOU\"  oi");
    check(plain, &record(Kind::Message, "ｙｏｕ", "oi"), "21:04 \"ｙｏｕ\"  oi");
    check(plain, &record(Kind::Message, "Você", "/me acena"), "21:04 * \"Você\" acena");
    check(plain, &record(Kind::Joined, "voce", ""), "21:04 + \"voce\" joined");
    check(plain, &record(Kind::Users, "", "ana, you"), "* here (2): ana, \"you\"");
    check(plain, &record(Kind::Message, "young", "oi"), "21:04 young  oi");
    // Programs read nicks as they are.
    let line = format(Style::Columns { colour: false }, &record(Kind::Message, "you", "oi"));
    assert!(line.ends_with("\tmessage\tyou\toi\n"), "{line}");
}

#[test]
fn lost_and_found_connection_is_told_to_people_and_programs() {
    let lost = record(Kind::Lost, "", "");
    let back = Record { to: Some("ana".into()), ..record(Kind::Back, "", "") };
    let text = Some("10.0.0.5:9000".into());
    let moved = Record { text: text.clone(), loud: true, ..back.clone() };
    let back = Record { text, ..back };
    let plain = Style::Person { colour: false };
    check(plain, &lost, "* connection lost; trying again (Ctrl-C leaves)");
    check(plain, &back, "* back, as ana");
    check(plain, &moved, "* back, as ana, at 10.0.0.5:9000");
    let columns = |record| format(Style::Columns { colour: false }, record);
    assert!(columns(&lost).ends_with("\tlost\t\t\n"));
    assert!(columns(&moved).ends_with("\tback\t\tana\n"));
    let json = format(Style::Json, &moved);
    assert!(json.contains(r#""type":"back","to":"ana","text":"10.0.0.5:9000"}"#), "{json}");
}

#[test]
fn fixed_lines_of_the_server_are_in_the_language_of_the_reader() {
    let portuguese = |record: &Record| {
        let style = Style::Person { colour: false };
        Formatter::new(style, &PORTUGUESE.client).format(record, evening())
    };
    let private =
        |from, text| Record { to: Some("ana".into()), ..record(Kind::Private, from, text) };
    for (record, expected) in [
        (
            record(Kind::Message, "server", LAST_LINE),
            "21:04 server  o servidor está parando; até logo\n",
        ),
        (private("server", REMOVED), "21:04 server → você  o operador tirou você da sala\n"),
        (
            private("server", "you were removed by the operator: be nice"),
            "21:04 server → você  o operador tirou você da sala: be nice\n",
        ),
        (record(Kind::Notice, "", "History: 3"), "* Histórico: 3\n"),
        // Members say what they like.
        (
            record(Kind::Message, "servеr", LAST_LINE),
            "21:04 servеr  the server is stopping; goodbye\n",
        ),
        (private("bia", REMOVED), "21:04 bia → você  you were removed by the operator\n"),
        (
            record(Kind::Message, "server", "the server is stopping; goodbye!"),
            "21:04 server  the server is stopping; goodbye!\n",
        ),
        (
            private("server", "you were removed by the operators"),
            "21:04 server → você  you were removed by the operators\n",
        ),
    ] {
        assert_eq!(portuguese(&record), expected);
        for style in [Style::Columns { colour: false }, Style::Json] {
            let there = Formatter::new(style, &PORTUGUESE.client).format(&record, evening());
            assert_eq!(there, format(style, &record));
        }
    }
}

#[test]
fn mention_is_marked_without_colours_too() {
    let plain = Style::Person { colour: false };
    let named = Record { loud: true, ..record(Kind::Message, "joao", "ana, oi") };
    check(plain, &named, "! 21:04 joao  ana, oi");
    let mine = Record { own: true, to: Some("joao".into()), ..record(Kind::Private, "ana", "oi") };
    check(plain, &mine, "21:04 you → joao  oi");
    let here =
        Record { own: true, to: Some("ana".into()), ..record(Kind::Users, "", "ana, bia, caio") };
    check(plain, &here, "* Here: bia, caio (3 in all)");
    let alone = Record { own: true, to: Some("ana".into()), ..record(Kind::Users, "", "ana") };
    check(plain, &alone, "* Nobody else is here yet.");
}

#[test]
fn in_portuguese_the_words_are_others_and_the_columns_are_not() {
    let portuguese = |style, record: &Record| {
        Formatter::new(style, &PORTUGUESE.client).format(record, evening())
    };
    let plain = Style::Person { colour: false };
    assert_eq!(portuguese(plain, &record(Kind::Joined, "bia", "")), "21:04 + bia entrou\n");
    assert_eq!(portuguese(plain, &record(Kind::Left, "bia", "")), "21:04 - bia saiu\n");
    let private = record(Kind::Private, "joao", "oi");
    assert_eq!(portuguese(plain, &private), "21:04 joao → você  oi\n");
    for style in [Style::Columns { colour: false }, Style::Json] {
        assert_eq!(portuguese(style, &private), format(style, &private));
    }
}

#[test]
fn a_crowd_is_one_line_of_bounded_length() {
    let mut formatter = Formatter::new(Style::Person { colour: false }, &ENGLISH.client);
    let few = ["a", "b", "c", "d"].map(String::from);
    assert_eq!(
        formatter.format_presence(Presence::Joined, &few, evening()),
        "21:04 + a, b, c, d joined\n"
    );
    let many = vec!["x".to_string(); 100];
    let line = formatter.format_presence(Presence::Left, &many, evening());
    assert!(line.ends_with(", x and 80 more left\n"), "{line}");
}

#[test]
fn a_new_day_begins_with_its_date() {
    let mut formatter = Formatter::new(Style::Person { colour: false }, &ENGLISH.client);
    let bye = record(Kind::Bye, "", "");
    assert_eq!(formatter.format(&bye, evening()), "Bye.\n");
    assert_eq!(formatter.format(&bye, evening()), "Bye.\n");
    let tomorrow = evening() + chrono::Days::new(1);
    assert_eq!(formatter.format(&bye, tomorrow), "-- 2026-11-23 --\nBye.\n");
    assert_eq!(formatter.format(&bye, tomorrow), "Bye.\n");
}

#[test]
fn a_nick_keeps_its_colour_and_the_text_has_none() {
    colored::control::set_override(true);
    let style = Style::Person { colour: true };
    let line = format(style, &record(Kind::Message, "joao", "oi"));
    assert_eq!(line, format(style, &record(Kind::Message, "joao", "oi")));
    assert!(line.ends_with("\x1b[0m  oi\n"), "{line:?}");
}

#[test]
fn errors_are_as_bright_as_what_is_said() {
    colored::control::set_override(true);
    let style = Style::Person { colour: true };
    let formatter = Formatter::new(style, &ENGLISH.client);
    let error = format(style, &record(Kind::Error, "", "muted"));
    for line in [formatter.format_hint("no"), formatter.format_note("yes"), error] {
        let (star, text) = line.split_once(' ').unwrap();
        assert!(star.ends_with("*\x1b[0m") && !star.contains("[2m"), "{line:?}");
        assert!(!text.contains('\x1b'), "{line:?}");
    }
}

#[test]
fn programs_read_columns_or_json() {
    let time = stamp(evening());
    let message = record(Kind::Message, "joao", "a\tb \"c\" 日本\u{7F}\u{202E}");
    check(
        Style::Columns { colour: false },
        &message,
        &format!("{time}\tmessage\tjoao\ta b \"c\" 日本␡\u{FFFD}"),
    );
    let json = r#""type":"message","from":"joao","text":"a\tb \"c\" 日本\u007f\u202e"}"#;
    check(Style::Json, &message, &format!("{{\"time\":\"{time}\",{json}"));
    let welcome = Record { to: Some("ana".into()), ..record(Kind::Welcome, "", "") };
    check(Style::Columns { colour: false }, &welcome, &format!("{time}\twelcome\t\tana"));
    check(Style::Json, &welcome, &format!(r#"{{"time":"{time}","type":"welcome","to":"ana"}}"#));
}

#[test]
fn nothing_that_a_terminal_obeys_gets_through_in_any_field() {
    colored::control::set_override(true);
    let attack = "a\x1b[2J\x1b]52;c;x\x07\r\u{9B}1A\u{202E}\u{200B}\u{E0041}b";
    let kinds = [
        Kind::Message,
        Kind::Private,
        Kind::Joined,
        Kind::Left,
        Kind::Users,
        Kind::Welcome,
        Kind::Error,
        Kind::Notice,
    ];
    for kind in kinds {
        let text = Some(attack.to_string());
        let record =
            Record { kind, from: text.clone(), to: text.clone(), text, ..Record::default() };
        for style in
            [Style::Person { colour: false }, Style::Columns { colour: false }, Style::Json]
        {
            let line = format(style, &record);
            let unsafe_ones = line.trim_end().chars().filter(|&c| is_unsafe(c) && c != '\t');
            assert_eq!(unsafe_ones.count(), 0, "{line:?}");
        }
        let line = format(Style::Person { colour: true }, &record);
        assert!(!line.contains("\x1b[2J") && !line.contains("\x1b]"), "{line:?}");
    }
    assert_eq!(format_raw("\x1b[2J"), "␛[2J\n");
}

/// Messages of an hour ago, and of the day before.
fn past(heading: Heading, words: Option<&str>) -> Past {
    let line = |number, hours: i64, from: &str, text: &str| PastLine {
        number,
        seconds: (evening().timestamp() - hours * 3600) as u64,
        from: from.into(),
        text: text.into(),
        own: false,
    };
    let lines = vec![
        line(7, 24, "joao", "onde está a CHAVE?"),
        line(8, 1, "server", "pausa"),
        line(9, 1, "bia", "/me procura\x1b[2J"),
    ];
    Past { heading, lines, words: words.map(Into::into), is_new: true }
}

#[test]
fn past_lines_stand_under_a_heading_with_their_own_times() {
    let mut plain = Formatter::new(Style::Person { colour: false }, &ENGLISH.client);
    let rows = "2026-11-21 21:04 joao  onde está a CHAVE?\n20:04 server  pausa\n\
                20:04 * bia procura␛[2J\n--- now ---\n";
    for (heading, row) in [
        (Heading::Remembered, "--- the room remembers 3 lines since 2026-11-21 21:04 ---"),
        (Heading::Missed, "--- 3 lines since 2026-11-21 21:04 ---"),
        (Heading::Cut(1204), "--- the last 3 of 1,204; /last shows others ---"),
    ] {
        let shown = plain.format_past(&past(heading, None), evening());
        assert_eq!(shown, format!("{row}\n{rows}"));
    }
    let mut portuguese = Formatter::new(Style::Person { colour: false }, &PORTUGUESE.client);
    let shown = portuguese.format_past(&past(Heading::Cut(1204), None), evening());
    assert!(shown.starts_with("--- as últimas 3 de 1.204; /last mostra outras ---\n"), "{shown}");
    assert!(shown.ends_with("--- agora ---\n"), "{shown}");
}

#[test]
fn past_lines_are_grey_and_words_that_are_found_are_bold() {
    colored::control::set_override(true);
    let mut coloured = Formatter::new(Style::Person { colour: true }, &ENGLISH.client);
    let shown = coloured.format_past(&past(Heading::Missed, Some("chave")), evening());
    assert!(shown.contains("\x1b[1mCHAVE\x1b[0m\x1b[2m?\x1b[0m"), "{shown:?}");
    assert!(shown.lines().all(|row| row.starts_with("\x1b[2m")), "{shown:?}");
}

#[test]
fn programs_read_past_lines_as_another_kind() {
    let mut columns = Formatter::new(Style::Columns { colour: false }, &ENGLISH.client);
    let shown = columns.format_past(&past(Heading::Missed, None), evening());
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("2026-11-21T21:04:05"), "{first}");
    assert!(first.ends_with("\tpast\tjoao\tonde está a CHAVE?"), "{first}");
    let mut json = Formatter::new(Style::Json, &ENGLISH.client);
    let shown = json.format_past(&past(Heading::Missed, None), evening());
    let first = shown.lines().next().unwrap();
    assert!(
        first.contains(r#""type":"past","from":"joao","text":"onde está a CHAVE?""#),
        "{first}"
    );
    assert!(first.ends_with(r#""past":true,"number":7}"#), "{first}");
}

#[test]
fn notice_of_a_recorded_room_is_in_the_words_of_the_reader() {
    let notice = |days: &str| {
        let text = format!("{RECORDED}{days}");
        let mut formatter = Formatter::new(Style::Person { colour: false }, &PORTUGUESE.client);
        formatter.format(&record(Kind::Private, "server", &text), evening())
    };
    assert!(notice(" for 30 days").contains("guardado por 30 dias"), "{}", notice(" for 30 days"));
    assert!(notice(" for 1 day").contains("guardado por 1 dia\n"));
    assert!(notice("").contains("fica guardado\n"));
    assert!(notice(" by aliens").contains("recorded"), "that is another text");
}
