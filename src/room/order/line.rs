//! The lines of an entry of the log.

use std::fmt;

use crate::room::order::{EntryId, Place, ServerId};
use crate::wire::sanitize::{is_blank, strip};
use crate::wire::{Event, MAX_COMMAND, Nick, SERVER, Scope};

/// The version of the format. A list of members names it.
pub const VERSION: u32 = 1;
/// The longest reason or address in a line, in bytes.
const MAX_WORDS: usize = MAX_COMMAND;

/// One line of an entry. Printing it gives the line that [`Line::parse`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `J ana`: a member comes. With ` e` after it, the client has an encrypted channel.
    Join(Nick, bool),
    /// `L ana`: a member leaves.
    Leave(Nick),
    /// `R ana bia`: a member takes another nick.
    Rename(Nick, Nick),
    /// `S FROM ana [all]: olá`: a message to all.
    Say(Box<str>, String),
    /// `D joao FROM ana [dm]: oi`: a private message: its receiver, its sender, its text.
    Tell(Box<str>, Box<str>, String),
    /// `P`: keeps the place of a private message between two members of one server.
    Placeholder,
    /// An order of an operator.
    Order(OperatorLine),
    /// `B 12 e6f79c19 7 1764340012000-3 1241`: the server is there. The number of its members,
    /// the sum of the hashes of their keys, the number of the beat, and an entry with the number
    /// of the last message there, once that is known.
    Beat { count: u32, sum: u64, beat: u64, last: Option<(EntryId, u64)> },
    /// The members of the server, or a part of them.
    List(List),
    /// `A SERVER`: that server is to send its list.
    Ask(ServerId),
    /// `G SERVER`: that server is gone.
    Gone(ServerId),
}

/// An order of an operator, for all servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorLine {
    /// `K ana REASON`: remove a member.
    Kick(Box<str>, String),
    /// `M ana`: let a member say nothing.
    Mute(Box<str>),
    /// `U ana`: let a member talk again.
    Unmute(Box<str>),
    /// `X ana`: remove a member, and ban the address, which only the member's server knows.
    BanMember(Box<str>),
    /// `N 192.168.1.23`: nobody may connect from there.
    Ban(Box<str>),
    /// `F 192.168.1.23`: the ban is lifted.
    Lift(Box<str>),
}

/// `H 1 1 2 1764340012000-3 1241 7f3a9c21 ana 1764340000000-0-2 joao -e`: the version, this
/// part of so many, the number of the last message at that entry and its term, and the members
/// with their places in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Which part it is, from 1, and of how many.
    pub part: (u32, u32),
    /// An entry, the number of the last message there, and the term. None before the server
    /// knows any.
    pub count: Option<(EntryId, u64, Box<str>)>,
    /// The members. Without a place, their place is that of the list.
    pub members: Vec<Listed>,
}

/// One member of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub nick: Nick,
    pub place: Option<Place>,
    pub encrypted: bool,
}

/// Why a line cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no line of the log.
    Malformed,
    /// It is of a server with this version of the format.
    Version(u32),
}

impl Line {
    /// Reads one line. Anyone who can write the log may have written it.
    pub fn parse(line: &str) -> Result<Line, Unreadable> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "H" {
            return List::parse(rest).map(Line::List);
        }
        Line::parse_other(word, rest).ok_or(Unreadable::Malformed)
    }

    fn parse_other(word: &str, rest: &str) -> Option<Line> {
        Some(match word {
            "J" => match rest.strip_suffix(" e") {
                Some(name) => Line::Join(nick(name)?, true),
                None => Line::Join(nick(rest)?, false),
            },
            "L" => Line::Leave(nick(rest)?),
            "R" => {
                let (old, new) = rest.split_once(' ')?;
                Line::Rename(nick(old)?, nick(new)?)
            }
            "S" => {
                let (from, text) = message(rest, Scope::All)?;
                Line::Say(from, text)
            }
            "D" => {
                let (to, rest) = rest.split_once(' ')?;
                let (from, text) = message(rest, Scope::Dm)?;
                Line::Tell(nick(to)?.as_str().into(), from, text)
            }
            "P" if rest.is_empty() => Line::Placeholder,
            "B" => {
                let mut words = rest.split(' ');
                let count = words.next()?.parse().ok()?;
                let sum = u64::from_str_radix(words.next()?, 16).ok()?;
                let beat = words.next()?.parse().ok()?;
                let last = match words.next()? {
                    "-" => None,
                    at => Some((entry(at)?, message_number(words.next()?)?)),
                };
                words.next().is_none().then_some(Line::Beat { count, sum, beat, last })?
            }
            "A" => Line::Ask(server(rest)?),
            "G" => Line::Gone(server(rest)?),
            _ => Line::Order(OperatorLine::parse(word, rest)?),
        })
    }
}

impl OperatorLine {
    fn parse(word: &str, rest: &str) -> Option<OperatorLine> {
        let named = |rest: &str| Some(nick(rest)?.as_str().into());
        let place = || {
            let fits = !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'/'));
            fits.then(|| rest.into())
        };
        Some(match word {
            "K" => {
                let (name, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let reason = strip(reason);
                (reason.len() <= MAX_WORDS)
                    .then_some(OperatorLine::Kick(named(name)?, reason.into_owned()))?
            }
            "M" => OperatorLine::Mute(named(rest)?),
            "U" => OperatorLine::Unmute(named(rest)?),
            "X" => OperatorLine::BanMember(named(rest)?),
            "N" => OperatorLine::Ban(place()?),
            "F" => OperatorLine::Lift(place()?),
            _ => return None,
        })
    }
}

impl List {
    fn parse(rest: &str) -> Result<List, Unreadable> {
        let (version, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match version.parse() {
            Ok(VERSION) => List::parse_members(rest).ok_or(Unreadable::Malformed),
            Ok(other) => Err(Unreadable::Version(other)),
            Err(_) => Err(Unreadable::Malformed),
        }
    }

    fn parse_members(rest: &str) -> Option<List> {
        let mut words = rest.split(' ');
        let part = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (at, number, term) = (words.next()?, words.next()?, words.next()?);
        let count = match at {
            "-" => None,
            at => {
                let (at, number) = (entry(at)?, message_number(number)?);
                let fits = (1..=32).contains(&term.len())
                    && term.bytes().all(|byte| byte.is_ascii_alphanumeric());
                Some(fits.then(|| (at, number, term.into()))?)
            }
        };
        let mut members = Vec::new();
        while let Some(name) = words.next() {
            let place = words.next()?;
            let (place, encrypted) = match place.strip_suffix('e') {
                Some(place) => (place, true),
                None => (place, false),
            };
            let place = match place {
                "-" => None,
                place => {
                    let mut parts = place.split('-');
                    let (a, b) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                    Some((a, b, parts.next()?.parse().ok()?))
                }
            };
            members.push(Listed { nick: nick(name)?, place, encrypted });
        }
        Some(List { part, count, members })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Join(nick, false) => write!(f, "J {nick}"),
            Line::Join(nick, true) => write!(f, "J {nick} e"),
            Line::Leave(nick) => write!(f, "L {nick}"),
            Line::Rename(old, new) => write!(f, "R {old} {new}"),
            Line::Say(from, text) => {
                write!(f, "S {}", Event::Message { from, scope: Scope::All, text })
            }
            Line::Tell(to, from, text) => {
                write!(f, "D {to} {}", Event::Message { from, scope: Scope::Dm, text })
            }
            Line::Placeholder => f.write_str("P"),
            Line::Order(OperatorLine::Kick(nick, reason)) => {
                f.write_str(format!("K {nick} {reason}").trim_end())
            }
            Line::Order(OperatorLine::Mute(nick)) => write!(f, "M {nick}"),
            Line::Order(OperatorLine::Unmute(nick)) => write!(f, "U {nick}"),
            Line::Order(OperatorLine::BanMember(nick)) => write!(f, "X {nick}"),
            Line::Order(OperatorLine::Ban(place)) => write!(f, "N {place}"),
            Line::Order(OperatorLine::Lift(place)) => write!(f, "F {place}"),
            Line::Beat { count, sum, beat, last } => {
                write!(f, "B {count} {sum:x} {beat} ")?;
                match last {
                    Some(((millis, sequence), number)) => {
                        write!(f, "{millis}-{sequence} {number}")
                    }
                    None => f.write_str("-"),
                }
            }
            Line::Ask(server) => write!(f, "A {server:x}"),
            Line::Gone(server) => write!(f, "G {server:x}"),
            Line::List(list) => list.fmt(f),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, parts) = self.part;
        write!(f, "H {VERSION} {part} {parts} ")?;
        match &self.count {
            Some(((millis, sequence), number, term)) => {
                write!(f, "{millis}-{sequence} {number} {term}")?;
            }
            None => f.write_str("- 0 -")?,
        }
        for Listed { nick, place, encrypted } in &self.members {
            match place {
                Some((a, b, c)) => write!(f, " {nick} {a}-{b}-{c}")?,
                None => write!(f, " {nick} -")?,
            }
            f.write_str(if *encrypted { "e" } else { "" })?;
        }
        Ok(())
    }
}

/// A nick as a server writes it.
fn nick(name: &str) -> Option<Nick> {
    Nick::new(name).ok().filter(|nick| nick.as_str() == name)
}

fn server(text: &str) -> Option<ServerId> {
    ServerId::from_str_radix(text, 16).ok()
}

/// The id of an entry.
fn entry(text: &str) -> Option<EntryId> {
    let (millis, sequence) = text.split_once('-')?;
    Some((millis.parse().ok()?, sequence.parse().ok()?))
}

/// The number of a message.
fn message_number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number < 1 << 53)
}

/// The sender and the text of a message with this scope.
fn message(line: &str, wanted: Scope) -> Option<(Box<str>, String)> {
    let Event::Message { from, scope, text } = Event::parse(line) else { return None };
    let from_server = from == SERVER && scope == Scope::All;
    let text = strip(text);
    let fits = scope == wanted
        && text.len() <= MAX_COMMAND
        && !text.chars().all(is_blank)
        && (from_server || nick(from).is_some());
    fits.then(|| (from.into(), text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_print_as_they_were_read() {
        for line in [
            "J ana",
            "J Zé e",
            "L ana",
            "R ana bia",
            "S FROM ana [all]: olá [all]: x",
            "S FROM server [all]: olá",
            "D joao FROM ana [dm]: oi",
            "P",
            "K ana enough of that",
            "K ana",
            "M ana",
            "U ana",
            "X ana",
            "N 2001:db8::/64",
            "F 10.0.0.1",
            "B 12 e6f79c19 7 -",
            "B 12 e6f79c19 7 1764340012000-3 1241",
            "A 11614a359f6544f9",
            "G 1",
            "H 1 1 1 - 0 -",
            "H 1 1 2 1764340012000-3 1241 7f3a9c21 ana 1764340000000-0-2 joao -e bia 1-2-3e",
        ] {
            assert_eq!(Line::parse(line).expect(line).to_string(), line);
        }
    }

    #[test]
    fn malformed_line_is_none() {
        for line in [
            "",
            "X",
            "J",
            "J a b",
            "J server",
            "J  ana",
            "R ana",
            "S",
            "S FROM ana [dm]: oi",
            "S FROM a b [all]: oi",
            "S FROM ana [all]: ",
            "D joao FROM server [dm]: oi",
            "D joao FROM ana [all]: oi",
            "P x",
            "N where",
            "B 1 2",
            "B 1 2 3",
            "B 1 2 3 4",
            "B 1 2 3 4-5",
            "B 1 2 3 - 6",
            "G -1",
            "H",
            "H 1",
            "H 1 1 1 - 0 - ana",
            "H 1 1 1 1-1 9007199254740992 x",
            "H 1 1 1 1-1 1 b\u{e9}",
        ] {
            assert_eq!(Line::parse(line), Err(Unreadable::Malformed), "{line:?}");
        }
        assert_eq!(Line::parse("H 2 new things"), Err(Unreadable::Version(2)));
    }

    #[test]
    fn text_from_the_log_is_stripped_again() {
        let line = Line::parse("S FROM ana [all]: a\u{1b}[2Jb\u{202e}").unwrap();
        assert!(!line.to_string().contains(['\u{1b}', '\u{202e}']), "{line:?}");
    }
}
