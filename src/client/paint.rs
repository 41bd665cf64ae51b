//! What was heard, as a line to be printed. Pure, and the one place that strangers'
//! text goes through on its way to a terminal.

use chrono::{DateTime, Local, SecondsFormat};
use colored::{Color, Colorize};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::client::dialogue::{Kind, Record, words_for};
use crate::wire::sanitize::{is_unsafe, visible};

/// The colours of nicks: readable on light and dark, and none of them red, which
/// means trouble.
const NICK_COLOURS: [Color; 10] = [
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::BrightGreen,
    Color::BrightYellow,
    Color::BrightBlue,
    Color::BrightMagenta,
    Color::BrightCyan,
];

/// How records become lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a person, in colour or not.
    Person { colour: bool },
    /// Time, kind, from and text, with tabs between.
    Columns { colour: bool },
    /// One JSON object.
    Json,
}

/// One record as one line, its line feed included. `now` is when it was heard.
pub fn paint(style: Style, record: &Record, now: DateTime<Local>) -> String {
    match style {
        Style::Person { colour } => person(record, now, colour),
        Style::Columns { colour } => columns(record, now, colour),
        Style::Json => json(record, now),
    }
}

/// A line of the protocol, as something that a terminal prints.
pub fn paint_raw(line: &str) -> String {
    visible(line).into_owned() + "\n"
}

fn person(record: &Record, now: DateTime<Local>, colour: bool) -> String {
    let dim = |text: &str| if colour { text.dimmed().to_string() } else { text.to_string() };
    let bold = |text: &str| if colour { text.bold().to_string() } else { text.to_string() };
    let nick = |nick: &str| paint_nick(nick, record.own, colour);
    let time = dim(&now.format("%H:%M").to_string());
    let from = record.from.as_deref().unwrap_or_default();
    let text = record.text.as_deref().unwrap_or_default();
    let line = match record.kind {
        Kind::Message => match text.strip_prefix("/me ") {
            Some(deed) => format!("{time} * {} {}", nick(from), visible(deed)),
            None => format!("{time} {}  {}", nick(from), visible(text)),
        },
        Kind::Private => {
            let arrow = if colour { "→".magenta().to_string() } else { "→".to_string() };
            format!("{time} {} {arrow} you  {}", nick(from), visible(text))
        }
        Kind::Joined => format!("{time} {}", dim(&format!("+ {} joined", visible(from)))),
        Kind::Left => format!("{time} {}", dim(&format!("- {} left", visible(from)))),
        Kind::Users => {
            let nicks: Vec<String> =
                text.split(", ").filter(|name| !name.is_empty()).map(nick).collect();
            format!("* here ({}): {}", nicks.len(), nicks.join(", "))
        }
        Kind::Welcome => {
            let me = visible(record.to.as_deref().unwrap_or_default());
            format!("You are {}.", bold(&me))
        }
        Kind::Error => {
            let text = format!("* the server refused that: {}", visible(&words_for(text)));
            if colour { text.yellow().to_string() } else { text }
        }
        Kind::Notice => dim(&format!("* {}", visible(text))),
        Kind::Bye => "Bye.".to_string(),
    };
    line + "\n"
}

fn paint_nick(nick: &str, own: bool, colour: bool) -> String {
    match (colour, own) {
        (false, _) => visible(nick).into_owned(),
        (true, true) => visible(nick).bold().to_string(),
        (true, false) => visible(nick).color(colour_of(nick)).to_string(),
    }
}

fn columns(record: &Record, now: DateTime<Local>, colour: bool) -> String {
    let from = record.from.as_deref().map(|nick| paint_nick(nick, record.own, colour));
    // Of who I am, the text tells.
    let text = if record.kind == Kind::Welcome { &record.to } else { &record.text };
    let text = visible(text.as_deref().unwrap_or_default());
    format!("{}\t{}\t{}\t{text}\n", stamp(now), record.kind.word(), from.unwrap_or_default())
}

fn json(record: &Record, now: DateTime<Local>) -> String {
    let object =
        serde_json::to_string(&Object(record, now)).expect("strings are all there is in it");
    // Programs get every character, terminals none that they would obey: those
    // stand inside of strings, where JSON lets any be written as its number.
    let mut line = String::with_capacity(object.len() + 1);
    for c in object.chars() {
        match is_unsafe(c) {
            true => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| line += &format!("\\u{unit:04x}")),
            false => line.push(c),
        }
    }
    line + "\n"
}

/// A record and its time, in the order in which people read them.
struct Object<'a>(&'a Record, DateTime<Local>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Object(record, now) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &stamp(*now))?;
        map.serialize_entry("type", record.kind.word())?;
        for (key, value) in [("from", &record.from), ("to", &record.to), ("text", &record.text)] {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

fn stamp(now: DateTime<Local>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// The same colour for the same nick, on every machine (FNV-1a, 32 bit).
fn colour_of(nick: &str) -> Color {
    let hash = nick
        .bytes()
        .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    NICK_COLOURS[hash as usize % NICK_COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn record(kind: Kind, from: &str, text: &str) -> Record {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
        Record { kind, from: some(from), text: some(text), ..Record::default() }
    }

    fn evening() -> DateTime<Local> {
        Local.with_ymd_and_hms(2026, 11, 22, 21, 4, 5).unwrap()
    }

    #[track_caller]
    fn check(style: Style, record: &Record, expected: &str) {
        assert_eq!(paint(style, record, evening()), format!("{expected}\n"));
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
    fn a_nick_keeps_its_colour_and_the_text_has_none() {
        colored::control::set_override(true);
        let style = Style::Person { colour: true };
        let line = paint(style, &record(Kind::Message, "joao", "oi"), evening());
        assert_eq!(line, paint(style, &record(Kind::Message, "joao", "oi"), evening()));
        assert!(line.ends_with("\x1b[0m  oi\n"), "{line:?}");
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
        check(
            Style::Json,
            &welcome,
            &format!(r#"{{"time":"{time}","type":"welcome","to":"ana"}}"#),
        );
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
            let record = Record { kind, from: text.clone(), to: text.clone(), text, own: false };
            for style in
                [Style::Person { colour: false }, Style::Columns { colour: false }, Style::Json]
            {
                let line = paint(style, &record, evening());
                let unsafe_ones = line.trim_end().chars().filter(|&c| is_unsafe(c) && c != '\t');
                assert_eq!(unsafe_ones.count(), 0, "{line:?}");
            }
            let line = paint(Style::Person { colour: true }, &record, evening());
            assert!(!line.contains("\x1b[2J") && !line.contains("\x1b]"), "{line:?}");
        }
        assert_eq!(paint_raw("\x1b[2J"), "␛[2J\n");
    }
}
