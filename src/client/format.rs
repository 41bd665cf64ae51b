//! Records as lines to print. Pure, and the one place that strangers'
//! text goes through on its way to a terminal.

use std::borrow::Cow;

use chrono::{DateTime, Local, NaiveDate, SecondsFormat, TimeZone as _, Timelike as _};
use colored::{Color, Colorize};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::client::dialogue::words_for;
use crate::client::notices::Presence;
use crate::client::record::{Heading, Kind, Past, PastLine, Record};
use crate::records::Words;
use crate::texts::Client;
use crate::wire::Nick;
use crate::wire::sanitize::{is_unsafe, visible};
use crate::wire::{CUT_OFF, NICK_LOST, TOGETHER};
use crate::wire::{
    Event, GOES_ON, LAST_LINE, NOTICES_AGAIN, NOTICES_END, NOTICES_OFF, Others, RECORDED, REMOVED,
    SERVER,
};

/// The colours of nicks, by their numbers in the table of 256 that terminals share. A theme
/// does not change these. Each has a contrast of at least 3.5 to white, beige and black.
/// None is red, the colour of errors.
const NICK_COLOURS: [u8; 10] = [27, 28, 30, 31, 64, 99, 129, 130, 133, 163];

/// How many nicks one notice names.
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

    /// Several arrivals or departures, as one line.
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

    /// Earlier messages, under a heading for people. `now` is when they were told.
    pub fn format_past(&mut self, past: &Past, now: DateTime<Local>) -> String {
        let Style::Person { .. } = self.style else {
            return past
                .lines
                .iter()
                .map(|line| self.format(&line.record(), line.time()))
                .collect();
        };
        let texts = self.texts;
        let since = past.lines.first().map_or(now, PastLine::time);
        let (count, since) = (past.lines.len(), earlier(since, now));
        let heading = match past.heading {
            Heading::Remembered => (texts.remembered)(count, &since),
            Heading::Missed => (texts.past)(count, &since),
            Heading::Cut(all) => (texts.past_cut)(count, &(texts.number)(all)),
        };
        let words = past.words.as_deref().map(Words::new);
        let mut rows = self.day(now) + &self.dim(&heading) + "\n";
        for line in &past.lines {
            rows += &self.past_line(line, words.as_ref(), now);
            rows.push('\n');
        }
        rows + &self.dim(texts.past_end) + "\n"
    }

    /// One message that was said earlier, with its own time, and the words found in it.
    fn past_line(&self, line: &PastLine, words: Option<&Words>, now: DateTime<Local>) -> String {
        let time = earlier(line.time(), now);
        let text = match line.from == SERVER {
            true => fixed_line(&line.text, self.texts).unwrap_or_else(|| line.text.clone()),
            false => line.text.clone(),
        };
        let mark = |text: &str| match words {
            Some(words) => self.marked(text, words),
            None => self.dim(text),
        };
        let from = mark(&shown_nick(&line.from));
        match text.strip_prefix("/me ") {
            Some(deed) => {
                let begin = self.dim(&format!("{time} * "));
                format!("{begin}{from}{}{}", self.dim(" "), mark(&visible(deed)))
            }
            None => {
                let begin = self.dim(&format!("{time} "));
                format!("{begin}{from}{}{}", self.dim("  "), mark(&visible(&text)))
            }
        }
    }

    /// A text in which the words that were looked for stand out.
    fn marked(&self, text: &str, words: &Words) -> String {
        let pieces = words.mark(text).into_iter();
        pieces.map(|(text, found)| if found { self.bold(text) } else { self.dim(text) }).collect()
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
        self.dim(&clock(now))
    }

    fn person(&self, record: &Record, now: DateTime<Local>) -> String {
        let (texts, colour) = (self.texts, self.colour());
        let nick = |nick: &str| format_nick(nick, record.own, colour);
        let time = self.time(now);
        let from = record.from.as_deref().unwrap_or_default();
        let to = record.to.as_deref().unwrap_or_default();
        let text = record.text.as_deref().unwrap_or_default();
        match record.kind {
            // Both have rows of their own.
            Kind::Past | Kind::Found => String::new(),
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

impl PastLine {
    /// When it was said. A time that no calendar has is its beginning.
    pub fn time(&self) -> DateTime<Local> {
        let seconds = i64::try_from(self.seconds).unwrap_or(0);
        Local.timestamp_opt(seconds, 0).single().unwrap_or(DateTime::UNIX_EPOCH.into())
    }

    /// Its kind for programs and for the log.
    pub fn record(&self) -> Record {
        Record {
            kind: Kind::Past,
            from: Some(self.from.clone()),
            text: Some(self.text.clone()),
            own: self.own,
            number: Some(self.number),
            ..Record::default()
        }
    }
}

/// The hour and the minute.
fn clock(time: DateTime<Local>) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A time in the past, with the date if that is another day.
fn earlier(then: DateTime<Local>, now: DateTime<Local>) -> String {
    match then.date_naive() == now.date_naive() {
        true => clock(then),
        false => format!("{} {}", then.date_naive(), clock(then)),
    }
}

/// A line that the server itself says in always the same words, in the words of the
/// reader. What the operator adds stays as it is.
fn fixed_line(text: &str, texts: &Client) -> Option<String> {
    let removed = |rest: &str| match rest.strip_prefix(": ") {
        Some(reason) => Some(format!("{}: {reason}", texts.removed)),
        None => rest.is_empty().then(|| texts.removed.to_string()),
    };
    if let Some(rest) = text.strip_prefix(RECORDED) {
        let days = rest.strip_prefix(" for ").and_then(|rest| {
            let days = rest.strip_suffix(" days").or_else(|| rest.strip_suffix(" day"))?;
            days.parse().ok()
        });
        return (rest.is_empty() || days.is_some()).then(|| (texts.recorded)(days));
    }
    if let Some(Others { count, in_the_clear }) = Others::parse(text) {
        return Some((texts.others)(count, in_the_clear));
    }
    match text {
        LAST_LINE => Some(texts.stopping.into()),
        _ if text.starts_with(GOES_ON) => Some((texts.goes_on)(&text[GOES_ON.len()..])),
        NOTICES_END => Some(texts.notices_end.into()),
        NOTICES_AGAIN => Some(texts.notices_again.into()),
        NOTICES_OFF => Some(texts.notices_off.into()),
        NICK_LOST => Some(texts.nick_lost.into()),
        CUT_OFF => Some(texts.cut_off.into()),
        TOGETHER => Some(texts.together.into()),
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

/// The visible form of a nick, in its colour if there are colours.
fn in_colour(shown: &str, nick: &str, own: bool, colour: bool) -> String {
    match (colour, own) {
        (false, _) => shown.into(),
        (true, true) => shown.bold().to_string(),
        (true, false) => shown.color(colour_of(nick)).to_string(),
    }
}

/// A nick for a person to read. One that is also the word for the reader stands in
/// quotes, which no nick can have.
pub fn shown_nick(nick: &str) -> Cow<'_, str> {
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
    // The text tells our own nick, and the recipient of an own private message.
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
        if let Some(number) = record.number {
            map.serialize_entry("past", &true)?;
            map.serialize_entry("number", &number)?;
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

/// How many characters of a line that did not work are named.
const MAX_BEGINNING: usize = 60;

/// Why a line did not work, behind the line.
pub fn about(line: &str, why: &str) -> String {
    format!("\"{}\": {why}", beginning(line))
}

/// The beginning of a line, by which a program knows it.
pub fn beginning(line: &str) -> String {
    let mut letters = line.trim_end().chars();
    let mut named: String = letters.by_ref().take(MAX_BEGINNING).collect();
    if letters.next().is_some() {
        named.push('…');
    }
    visible(&named).into_owned()
}

#[cfg(test)]
mod tests;
