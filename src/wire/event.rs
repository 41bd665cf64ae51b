use std::fmt;

use crate::wire::command::number;

/// A message of the server: one line, one event.
///
/// Printing gives the line that our server sends, without its end. Parsing also
/// understands the servers that came before it, each of which says some things
/// in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// `New User. Please register with: NICK <your_nick>`: the first line of
    /// every connection.
    Greeting,
    /// `OK welcome ana`: the nick is yours.
    Welcome(&'a str),
    /// `FROM ana [all]: olá`: someone spoke.
    Message {
        /// The sender.
        from: &'a str,
        /// The recipients.
        scope: Scope,
        /// The text.
        text: &'a str,
    },
    /// `User ana joined.`: someone came in.
    Joined(&'a str),
    /// `User ana left the chat.`: someone left.
    Left(&'a str),
    /// `Connected users: ana, joao`: the members, in alphabetical order.
    Users(Vec<&'a str>),
    /// `In the clear: rui, bia`: the members whose lines are not encrypted.
    InTheClear(Vec<&'a str>),
    /// `History: 2`: this many of the messages that follow were said earlier.
    History(usize),
    /// `Capabilities: history`: these of the words after `CAP` are known.
    Capabilities(Vec<&'a str>),
    /// `Renamed: bia bia2`: a member has taken another nick. The leaving and the joining
    /// that follow tell the same.
    Renamed {
        /// The nick until now.
        old: &'a str,
        /// The new one.
        new: &'a str,
    },
    /// `Past: 1241 1764340012 FROM ana [all]: olá`: a message to all that was said earlier.
    Past {
        /// Its number.
        number: u64,
        /// When it was said, in seconds since 1970.
        seconds: u64,
        /// The sender.
        from: &'a str,
        /// The text.
        text: &'a str,
    },
    /// `Now: 7f3a9c21 1241`: the next message to all has the number after this one.
    ///
    /// In a hosted room the terms before follow, newest first, each with the number of its
    /// last message: `Now: 7f3a9c21 1241 0b1e55ed 980`.
    Now {
        /// The term in which the numbers count.
        term: &'a str,
        /// The number.
        number: u64,
        /// The terms before, and where each ended.
        ancestors: Vec<(&'a str, u64)>,
    },
    /// `Room: 7f3a9c21 0b1e55ed 3 1764340012`: the room lives on its members' machines.
    Room {
        /// Names the room, whichever machine hosts it.
        room: &'a str,
        /// Names this hosting.
        term: &'a str,
        /// How many machines have hosted it.
        epoch: u64,
        /// When it was opened, in seconds since 1970.
        born: u64,
    },
    /// `Next: 7f3a9c21@192.168.1.23:9000#0f1e2d3c4b5a69788796a5b4c3d2e1f0`: the members that
    /// can be the next host, in order.
    Next(Vec<Heir<'a>>),
    /// `Elsewhere: 7f3a9c21 192.168.1.23:9000`: this program is no host, but knows one.
    Elsewhere {
        /// Names the run of the program.
        token: &'a str,
        /// Where its host is.
        address: Option<&'a str>,
    },
    /// `Found: 20 of more`: ends an answer to `LAST` or `FIND`.
    Found {
        /// How many messages were told.
        count: u64,
        /// There are more of them.
        more: bool,
    },
    /// `ERR user_not_found`: no, and why.
    Refused(Refusal),
    /// `ERR` and words that this version does not know; only parsed.
    Failed(&'a str),
    /// `OK broadcast_sent`, `OK dm_sent to joao`: an older server, which sends no
    /// echo, has passed a message on (to this one person); only parsed.
    Sent(Option<&'a str>),
    /// `BYE`: the last line of a connection that ends well.
    Bye,
    /// Any other line; only parsed.
    Other(&'a str),
}

/// A member that can be the next host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heir<'a> {
    /// Names the run of its program.
    pub token: &'a str,
    /// Where it listens.
    pub address: &'a str,
    /// The fingerprint of the key that it would have.
    pub key: &'a str,
}

/// How far a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `[all]`: to the whole room.
    All,
    /// `[dm]`: to one person.
    Dm,
}

/// Why the server said no. A refusal is an answer, not an error: unless it says
/// otherwise, the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The nick is taken.
    NickInUse,
    /// The nick is not fit to be one.
    InvalidNick,
    /// No member has that nick.
    UserNotFound,
    /// A direct message without a nick or without a text.
    MalformedDm,
    /// There was nothing to say.
    EmptyMessage,
    /// Only `NICK` and `QUIT` are for guests.
    NotRegistered,
    /// The word is not one of ours.
    UnknownCommand,
    /// The line was longer than [`MAX_COMMAND`](crate::wire::MAX_COMMAND), and was dropped.
    LineTooLong,
    /// The line was not UTF-8, and was dropped.
    InvalidUtf8,
    /// More than 5 renames in 30 seconds.
    TooFast,
    /// The operator lets this person say nothing.
    Muted,
    /// There is no place left; the connection is over.
    RoomFull,
    /// The operator has banned the address; the connection is over.
    Banned,
    /// Too many connections come from one address; this one is over.
    Crowded,
    /// The client registered no nick in time; the connection is over.
    RegistrationTimeout,
    /// The first line should begin a channel and does not; the connection is over.
    BadHandshake,
    /// Nobody may talk in the clear here; the connection is over.
    EncryptionRequired,
    /// The password was not proved; the connection is over.
    WrongPassword,
    /// Too many passwords were tried from there; the connection is over.
    TooManyGuesses,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 19] = [
        Refusal::NickInUse,
        Refusal::InvalidNick,
        Refusal::UserNotFound,
        Refusal::MalformedDm,
        Refusal::EmptyMessage,
        Refusal::NotRegistered,
        Refusal::UnknownCommand,
        Refusal::LineTooLong,
        Refusal::InvalidUtf8,
        Refusal::TooFast,
        Refusal::Muted,
        Refusal::RoomFull,
        Refusal::Banned,
        Refusal::Crowded,
        Refusal::RegistrationTimeout,
        Refusal::BadHandshake,
        Refusal::EncryptionRequired,
        Refusal::WrongPassword,
        Refusal::TooManyGuesses,
    ];

    /// The word that follows `ERR`.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NickInUse => "apelido_em_uso",
            Refusal::InvalidNick => "invalid_nick",
            Refusal::UserNotFound => "user_not_found",
            Refusal::MalformedDm => "malformed_dm",
            Refusal::EmptyMessage => "empty_message",
            Refusal::NotRegistered => "please_register_with_NICK",
            Refusal::UnknownCommand => "unknown_command",
            Refusal::LineTooLong => "line_too_long",
            Refusal::InvalidUtf8 => "invalid_utf8",
            Refusal::TooFast => "too_fast",
            Refusal::Muted => "muted",
            Refusal::RoomFull => "room_full",
            Refusal::Banned => "banned",
            Refusal::Crowded => "too_many_connections",
            Refusal::RegistrationTimeout => "registration_timeout",
            Refusal::BadHandshake => "bad_handshake",
            Refusal::EncryptionRequired => "encryption_required",
            Refusal::WrongPassword => "wrong_password",
            Refusal::TooManyGuesses => "too_many_guesses",
        }
    }

    /// The refusal with this code; older servers say `nick_in_use` for one of them.
    pub fn from_code(code: &str) -> Option<Refusal> {
        match code {
            "nick_in_use" => Some(Refusal::NickInUse),
            _ => Refusal::ALL.into_iter().find(|refusal| refusal.code() == code),
        }
    }
}

impl<'a> Event<'a> {
    /// Reads one line, without its end. There is no line that it does not take:
    /// what it does not know is [`Event::Other`].
    pub fn parse(line: &'a str) -> Event<'a> {
        Event::recognise(line).unwrap_or(Event::Other(line))
    }

    fn recognise(line: &'a str) -> Option<Event<'a>> {
        if let Some(rest) = line.strip_prefix("FROM ") {
            return message(rest);
        }
        if let Some(rest) = line.strip_prefix("User ") {
            let joined = rest.strip_suffix(" joined.").or_else(|| rest.strip_suffix(" joined"));
            let left =
                || rest.strip_suffix(" left the chat.").or_else(|| rest.strip_suffix(" left"));
            return joined.map(Event::Joined).or_else(|| left().map(Event::Left));
        }
        if let Some(rest) = line.strip_prefix("OK ") {
            return Some(acknowledgement(rest));
        }
        if let Some(rest) = line.strip_prefix("ERR ") {
            return Some(Refusal::from_code(rest).map_or(Event::Failed(rest), Event::Refused));
        }
        if let Some(rest) = line.strip_prefix("Connected users:") {
            return Some(Event::Users(nicks(rest)));
        }
        if let Some(rest) = line.strip_prefix("In the clear: ") {
            return Some(Event::InTheClear(nicks(rest)));
        }
        if let Some(rest) = line.strip_prefix("History: ") {
            return rest.parse().ok().map(Event::History);
        }
        if let Some(rest) = line.strip_prefix("Past: ") {
            return past(rest);
        }
        if let Some(rest) = line.strip_prefix("Now: ") {
            return now(rest);
        }
        if let Some(rest) = line.strip_prefix("Room: ") {
            let mut words = rest.split(' ');
            let (room, term) = (words.next()?, words.next()?);
            let (epoch, born) = (number(words.next()?)?, number(words.next()?)?);
            return words.next().is_none().then_some(Event::Room { room, term, epoch, born });
        }
        if let Some(rest) = line.strip_prefix("Next:") {
            return rest.split_ascii_whitespace().map(heir).collect::<Option<_>>().map(Event::Next);
        }
        if let Some(rest) = line.strip_prefix("Elsewhere: ") {
            let (token, address) = match rest.split_once(' ') {
                Some((token, address)) => (token, Some(address)),
                None => (rest, None),
            };
            return Some(Event::Elsewhere { token, address });
        }
        if let Some(rest) = line.strip_prefix("Found: ") {
            let digits = rest.strip_suffix(" of more");
            let (digits, more) = (digits.unwrap_or(rest), digits.is_some());
            return Some(Event::Found { count: number(digits)?, more });
        }
        if let Some(rest) = line.strip_prefix("Renamed: ") {
            let (old, new) = rest.split_once(' ')?;
            return Some(Event::Renamed { old, new });
        }
        if let Some(rest) = line.strip_prefix("Capabilities:") {
            return Some(Event::Capabilities(rest.split_ascii_whitespace().collect()));
        }
        match line {
            "BYE" => Some(Event::Bye),
            _ if line.starts_with("New User.") => Some(Event::Greeting),
            _ => None,
        }
    }
}

/// `ana [all]: text`. The first bracket counts, so a text may look like another event.
fn message(rest: &str) -> Option<Event<'_>> {
    let (from, rest) = rest.split_once(" [")?;
    let (scope, text) = rest.split_once("]:")?;
    let scope = match scope {
        "all" => Scope::All,
        "dm" => Scope::Dm,
        _ => return None,
    };
    Some(Event::Message { from, scope, text: text.strip_prefix(' ').unwrap_or(text) })
}

/// `7f3a9c21 1241`, and as many more of these as there are.
fn now(rest: &str) -> Option<Event<'_>> {
    let mut words = rest.split(' ');
    let (term, last) = (words.next()?, number(words.next()?)?);
    let mut ancestors = Vec::new();
    while let Some(term) = words.next() {
        ancestors.push((term, number(words.next()?)?));
    }
    Some(Event::Now { term, number: last, ancestors })
}

/// `7f3a9c21@192.168.1.23:9000#0f1e2d3c4b5a69788796a5b4c3d2e1f0`.
fn heir(word: &str) -> Option<Heir<'_>> {
    let (token, rest) = word.split_once('@')?;
    let (address, key) = rest.split_once('#')?;
    Some(Heir { token, address, key })
}

/// `1241 1764340012 FROM ana [all]: text`.
fn past(rest: &str) -> Option<Event<'_>> {
    let (digits, rest) = rest.split_once(' ')?;
    let (seconds, line) = rest.split_once(' ')?;
    match message(line.strip_prefix("FROM ")?)? {
        Event::Message { from, scope: Scope::All, text } => {
            let (number, seconds) = (number(digits)?, number(seconds)?);
            Some(Event::Past { number, seconds, from, text })
        }
        _ => None,
    }
}

/// The rest of a line after `OK`. Older servers answer everything with it, `WHO` and `QUIT` too.
fn acknowledgement(rest: &str) -> Event<'_> {
    let (word, target) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        _ if word.eq_ignore_ascii_case("welcome") && !target.is_empty() => Event::Welcome(target),
        "goodbye" if target.is_empty() => Event::Bye,
        "broadcast_sent" => Event::Sent(None),
        "dm_sent" => Event::Sent(Some(target.strip_prefix("to ").unwrap_or(target))),
        _ => Event::Users(nicks(rest)),
    }
}

/// `ana, joao`.
fn nicks(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|nick| !nick.is_empty()).collect()
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Greeting => f.write_str("New User. Please register with: NICK <your_nick>"),
            Event::Welcome(nick) => write!(f, "OK welcome {nick}"),
            // Of this there is more than of everything else: it is not interpreted.
            Event::Message { from, scope, text } => {
                let scope = match scope {
                    Scope::All => " [all]: ",
                    Scope::Dm => " [dm]: ",
                };
                ["FROM ", from, scope, text].into_iter().try_for_each(|part| f.write_str(part))
            }
            Event::Joined(nick) => write!(f, "User {nick} joined."),
            Event::Left(nick) => write!(f, "User {nick} left the chat."),
            Event::Users(nicks) => write!(f, "Connected users: {}", nicks.join(", ")),
            Event::InTheClear(nicks) => write!(f, "In the clear: {}", nicks.join(", ")),
            Event::History(count) => write!(f, "History: {count}"),
            Event::Capabilities(words) => {
                f.write_str("Capabilities:")?;
                words.iter().try_for_each(|word| write!(f, " {word}"))
            }
            Event::Renamed { old, new } => write!(f, "Renamed: {old} {new}"),
            Event::Past { number, seconds, from, text } => {
                write!(f, "Past: {number} {seconds} FROM {from} [all]: {text}")
            }
            Event::Now { term, number, ancestors } => {
                write!(f, "Now: {term} {number}")?;
                ancestors.iter().try_for_each(|(term, end)| write!(f, " {term} {end}"))
            }
            Event::Room { room, term, epoch, born } => {
                write!(f, "Room: {room} {term} {epoch} {born}")
            }
            Event::Next(heirs) => {
                f.write_str("Next:")?;
                heirs.iter().try_for_each(|Heir { token, address, key }| {
                    write!(f, " {token}@{address}#{key}")
                })
            }
            Event::Elsewhere { token, address } => {
                write!(f, "Elsewhere: {token}")?;
                address.iter().try_for_each(|address| write!(f, " {address}"))
            }
            Event::Found { count, more } => {
                write!(f, "Found: {count}{}", if *more { " of more" } else { "" })
            }
            Event::Refused(refusal) => write!(f, "ERR {}", refusal.code()),
            Event::Failed(words) => write!(f, "ERR {words}"),
            Event::Sent(None) => f.write_str("OK broadcast_sent"),
            Event::Sent(Some(nick)) => write!(f, "OK dm_sent to {nick}"),
            Event::Bye => f.write_str("BYE"),
            Event::Other(line) => f.write_str(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(from: &'static str, scope: Scope, text: &'static str) -> Event<'static> {
        Event::Message { from, scope, text }
    }

    #[test]
    fn printed_line_is_parsed_back() {
        let refused = Refusal::ALL.into_iter().map(Event::Refused);
        for event in refused.chain([
            Event::Greeting,
            Event::Welcome("ana"),
            said("ana", Scope::All, "olá"),
            said("ana", Scope::Dm, " two  blanks "),
            said("ana", Scope::All, "FROM joao [dm]: no"),
            Event::Joined("ana"),
            Event::Left("ana"),
            Event::Users(vec!["ana", "joao"]),
            Event::Users(vec![]),
            Event::History(3),
            Event::Capabilities(vec!["history", "renames"]),
            Event::Capabilities(vec![]),
            Event::Renamed { old: "bia", new: "bia2" },
            Event::Past { number: 1241, seconds: 1_764_340_012, from: "ana", text: "olá" },
            Event::Now { term: "7f3a9c21", number: 1241, ancestors: Vec::new() },
            Event::Now { term: "a", number: 12, ancestors: vec![("b", 10), ("c", 9)] },
            Event::Room { room: "7f3a9c21", term: "0b1e55ed", epoch: 3, born: 1_764_340_012 },
            Event::Next(Vec::new()),
            Event::Next(
                ["192.168.1.23:9000", "[fd00::1]:9001"]
                    .map(|address| Heir {
                        token: "7f3a9c21",
                        address,
                        key: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                    })
                    .to_vec(),
            ),
            Event::Elsewhere { token: "7f3a9c21", address: None },
            Event::Elsewhere { token: "7f3a9c21", address: Some("10.0.0.1:9000") },
            Event::Found { count: 0, more: false },
            Event::Found { count: 20, more: true },
            Event::Failed("something new"),
            Event::Sent(None),
            Event::Sent(Some("joao")),
            Event::Bye,
            Event::Other("anything"),
        ]) {
            assert_eq!(Event::parse(&event.to_string()), event);
        }
    }

    #[test]
    fn older_servers_are_understood() {
        for (line, event) in [
            ("New User. Please register with: NICK ", Event::Greeting),
            ("OK Welcome ana", Event::Welcome("ana")),
            ("ERR nick_in_use", Event::Refused(Refusal::NickInUse)),
            ("User ana joined", Event::Joined("ana")),
            ("User ana left", Event::Left("ana")),
            ("OK broadcast_sent", Event::Sent(None)),
            ("OK dm_sent to joao", Event::Sent(Some("joao"))),
            ("OK ana, joao", Event::Users(vec!["ana", "joao"])),
            ("OK ana", Event::Users(vec!["ana"])),
            ("OK ana,joao , ", Event::Users(vec!["ana", "joao"])),
            ("OK ", Event::Users(vec![])),
            ("OK goodbye", Event::Bye),
            ("FROM ana [all]:", said("ana", Scope::All, "")),
        ] {
            assert_eq!(Event::parse(line), event, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_nothing_else_is_kept_whole() {
        for line in [
            "",
            "FROM",
            "FROM ana: hi",
            "FROM ana [some]: hi",
            "User ana",
            "History: x",
            "BYE ",
            "Past: 1 2 FROM ana [dm]: x",
            "Past: 1 x FROM ana [all]: x",
            "Past: 1 2 User ana joined.",
            "Now: 1241",
            "Now: t +1",
            "Found: x",
            "Found: 1 of many",
            "Renamed: bia",
        ] {
            assert_eq!(Event::parse(line), Event::Other(line));
        }
    }
}
