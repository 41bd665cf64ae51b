//! What was heard, as a line to be printed. Pure, and the one place that strangers'
//! text goes through on its way to a terminal.

use std::borrow::Cow;

use chrono::{DateTime, Local, NaiveDate, SecondsFormat};
use colored::{Color, Colorize};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::client::dialogue::{Kind, Record, words_for};
use crate::client::notices::Presence;
use crate::texts::Client;
use crate::wire::Nick;
use crate::wire::sanitize::{is_unsafe, visible};
use crate::wire::{Event, LAST_LINE, REMOVED, SERVER};

/// The colours of nicks, by their numbers in the table of 256 that terminals share. A theme
/// does not change these. Each has a contrast of at least 3.5 to white, beige and black.
/// None is red, the colour of errors.
const NICK_COLOURS: [u8; 10] = [27, 28, 30, 31, 64, 99, 129, 130, 133, 163];

/// So many nicks of a crowd are named.
const MAX_NAMED: usize = 20;

/// The words that the program has for its reader, and one that looks like them.
const YOU: [&str; 3] = ["you", "você", "voce"];

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

/// Makes lines, and remembers the day.
#[derive(Debug)]
pub struct Formatter {
    style: Style,
    texts: &'static Client,
    day: Option<NaiveDate>,
}

impl Formatter {
    pub fn new(style: Style, texts: &'static Client) -> Formatter {
        Formatter { style, texts, day: None }
    }

    /// One record as one line, its line feed included; on a new day, after a line
    /// that says so. `now` is when it was heard.
    pub fn format(&mut self, record: &Record, now: DateTime<Local>) -> String {
        match self.style {
            Style::Person { .. } => self.day(now) + &self.person(record, now) + "\n",
            Style::Columns { colour } => columns(record, now, colour),
            Style::Json => json(record, now),
        }
    }

    /// Several people who came or went, as one line.
    pub fn format_presence(
        &mut self,
        presence: Presence,
        nicks: &[String],
        now: DateTime<Local>,
    ) -> String {
        let named = &nicks[..nicks.len().min(MAX_NAMED)];
        let mut list = named.iter().map(|nick| shown_nick(nick)).collect::<Vec<_>>().join(", ");
        if nicks.len() > named.len() {
            list = format!("{list} {}", (self.texts.more)(nicks.len() - named.len()));
        }
        let text = match presence {
            Presence::Joined => (self.texts.joined)(&list, nicks.len()),
            Presence::Left => (self.texts.left)(&list, nicks.len()),
        };
        format!("{}{} {}\n", self.day(now), self.time(now), self.dim(&text))
    }

    /// Something that did not work, as a line. The text has the colour of all text, which can be read
    /// on every background; of the others, none can be read on black, white and beige.
    pub fn format_hint(&self, text: &str) -> String {
        self.hint(text) + "\n"
    }

    /// Something about the client itself, as a line.
    pub fn format_note(&self, text: &str) -> String {
        self.note(text) + "\n"
    }

    fn hint(&self, text: &str) -> String {
        let star = if self.colour() { "*".red().bold().to_string() } else { "*".to_string() };
        format!("{star} {text}")
    }

    fn note(&self, text: &str) -> String {
        format!("{} {text}", self.bold("*"))
    }

    /// The line that begins a new day.
    fn day(&mut self, now: DateTime<Local>) -> String {
        let today = now.date_naive();
        match self.day.replace(today) {
            Some(day) if day != today => self.dim(&format!("-- {today} --")) + "\n",
            _ => String::new(),
        }
    }

    fn colour(&self) -> bool {
        matches!(self.style, Style::Person { colour: true })
    }

    fn dim(&self, text: &str) -> String {
        if self.colour() { text.dimmed().to_string() } else { text.to_string() }
    }

    fn bold(&self, text: &str) -> String {
        if self.colour() { text.bold().to_string() } else { text.to_string() }
    }

    fn time(&self, now: DateTime<Local>) -> String {
        self.dim(&now.format("%H:%M").to_string())
    }

    fn person(&self, record: &Record, now: DateTime<Local>) -> String {
        let (texts, colour) = (self.texts, self.colour());
        let nick = |nick: &str| format_nick(nick, record.own, colour);
        let time = self.time(now);
        let from = record.from.as_deref().unwrap_or_default();
        let to = record.to.as_deref().unwrap_or_default();
        let text = record.text.as_deref().unwrap_or_default();
        match record.kind {
            Kind::Message => {
                let fixed = (from == SERVER).then(|| fixed_line(text, texts)).flatten();
                let text = fixed.as_deref().unwrap_or(text);
                let line = match text.strip_prefix("/me ") {
                    Some(deed) => format!("{time} * {} {}", nick(from), visible(deed)),
                    None => format!("{time} {}  {}", nick(from), visible(text)),
                };
                if record.loud { format!("{} {line}", self.bold("!")) } else { line }
            }
            Kind::Private => {
                let arrow = if colour { "→".magenta().to_string() } else { "→".to_string() };
                let (from, to) = match record.own {
                    true => (texts.you.into(), format_nick(to, false, colour)),
                    false => (nick(from), texts.you.into()),
                };
                let fixed = (!record.own && record.from.as_deref() == Some(SERVER))
                    .then(|| fixed_line(text, texts))
                    .flatten();
                let text = fixed.as_deref().unwrap_or(text);
                format!("{time} {from} {arrow} {to}  {}", visible(text))
            }
            Kind::Joined => format!("{time} {}", self.dim(&(texts.joined)(&shown_nick(from), 1))),
            Kind::Left => format!("{time} {}", self.dim(&(texts.left)(&shown_nick(from), 1))),
            Kind::Users if record.own => {
                let nicks: Vec<&str> = text.split(", ").filter(|name| !name.is_empty()).collect();
                let others = nicks.iter().filter(|name| **name != to);
                let others: Vec<String> =
                    others.map(|name| format_nick(name, false, colour)).collect();
                self.note(&match others[..] {
                    [] => texts.alone.into(),
                    _ => (texts.here)(&others.join(", "), nicks.len()),
                })
            }
            Kind::Users => {
                let nicks: Vec<String> =
                    text.split(", ").filter(|name| !name.is_empty()).map(nick).collect();
                self.note(&(texts.users)(nicks.len(), &nicks.join(", ")))
            }
            Kind::Welcome => self.note(&(texts.you_are)(&self.bold(&visible(to)))),
            Kind::Error => {
                let line = self.format_hint(&(texts.refused)(&words_for(text, texts)));
                line.trim_end().into()
            }
            Kind::Notice => {
                let text = match Event::parse(text) {
                    Event::History(count) => (texts.history)(count),
                    _ => visible(text).into_owned(),
                };
                self.dim(&format!("* {text}"))
            }
            Kind::Bye => texts.bye.into(),
            Kind::Lost => self.hint(texts.lost),
            Kind::Back => {
                let at = record.loud.then(|| visible(text));
                self.note(&(texts.back)(&visible(to), at.as_deref()))
            }
        }
    }
}

/// A line that the server itself says in always the same words, in the words of the
/// reader. What the operator adds stays as it is.
fn fixed_line(text: &str, texts: &Client) -> Option<String> {
    let removed = |rest: &str| match rest.strip_prefix(": ") {
        Some(reason) => Some(format!("{}: {reason}", texts.removed)),
        None => rest.is_empty().then(|| texts.removed.to_string()),
    };
    match text {
        LAST_LINE => Some(texts.stopping.into()),
        _ => text.strip_prefix(REMOVED).and_then(removed),
    }
}

/// A line of the protocol, as something that a terminal prints.
pub fn format_raw(line: &str) -> String {
    visible(line).into_owned() + "\n"
}

fn format_nick(nick: &str, own: bool, colour: bool) -> String {
    in_colour(&shown_nick(nick), nick, own, colour)
}

/// What is shown of a nick, in its colour if there are colours.
fn in_colour(shown: &str, nick: &str, own: bool, colour: bool) -> String {
    match (colour, own) {
        (false, _) => shown.into(),
        (true, true) => shown.bold().to_string(),
        (true, false) => shown.color(colour_of(nick)).to_string(),
    }
}

/// A nick for a person to read. One that is also the word for the reader stands in
/// quotes, which no nick can have.
fn shown_nick(nick: &str) -> Cow<'_, str> {
    let shown = visible(nick);
    match YOU.contains(&&*Nick::key_of(&shown)) {
        true => format!("\"{shown}\"").into(),
        false => shown,
    }
}

/// One record as columns, in which nothing depends on the language.
pub fn columns(record: &Record, now: DateTime<Local>, colour: bool) -> String {
    let from = record.from.as_deref();
    let from = from.map(|nick| in_colour(&visible(nick), nick, record.own, colour));
    // Of who I am, the text tells; and of what I said to one, to whom.
    let to = record.to.as_deref().unwrap_or_default();
    let text = record.text.as_deref().unwrap_or_default();
    let text = match record.kind {
        Kind::Welcome | Kind::Back => visible(to).into_owned(),
        Kind::Private if record.own => format!("@{} {}", visible(to), visible(text)),
        _ => visible(text).into_owned(),
    };
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
        if record.kind == Kind::Users {
            let text = record.text.as_deref().unwrap_or_default();
            let nicks = text.split(", ").filter(|nick| !nick.is_empty());
            map.serialize_entry("nicks", &nicks.collect::<Vec<_>>())?;
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
    Color::AnsiColor(NICK_COLOURS[hash as usize % NICK_COLOURS.len()])
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
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
    fn whoever_is_meant_sees_it_without_colours_too() {
        let plain = Style::Person { colour: false };
        let named = Record { loud: true, ..record(Kind::Message, "joao", "ana, oi") };
        check(plain, &named, "! 21:04 joao  ana, oi");
        let mine =
            Record { own: true, to: Some("joao".into()), ..record(Kind::Private, "ana", "oi") };
        check(plain, &mine, "21:04 you → joao  oi");
        let here = Record {
            own: true,
            to: Some("ana".into()),
            ..record(Kind::Users, "", "ana, bia, caio")
        };
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
}
