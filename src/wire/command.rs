use std::fmt;

use crate::wire::sanitize::is_blank;
use crate::wire::{Refusal, Ticket};

/// The terms in which a client has read messages, and the numbers of the last ones.
pub type Places<'a> = [Option<(&'a str, u64)>; MAX_PLACES];

/// How many terms a client may name.
pub const MAX_PLACES: usize = 4;

/// A request of a client: one line, one command.
///
/// A command borrows from the line it was read from, and its text is as it was
/// typed; nothing is copied before the room decides that it is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `NICK ana`: take a name and come in, or take another one.
    Nick(&'a str),
    /// `MSG olá`: speak to everyone.
    Say(&'a str),
    /// `MSG @joao olá`: speak to one person.
    Whisper {
        /// The nick after the at sign, as it was typed.
        to: &'a str,
        /// The text for them.
        text: &'a str,
    },
    /// `WHO`: ask for the members.
    Who,
    /// `QUIT`: leave, politely.
    Quit,
    /// `CAP history renames`: what the client understands beyond version 1.
    Understand(&'a str),
    /// `KEEP 0f1e2d3c4b5a69788796a5b4c3d2e1f0`: the secret by which the client is known again.
    Keep(Ticket),
    /// `SINCE 7f3a9c21 1240 0b1e55ed 980`: the terms in which the client has read messages,
    /// the newest first, each with the number of the last one.
    Since(Places<'a>),
    /// `OFFER 9000 7f3a9c21 0f1e2d3c4b5a69788796a5b4c3d2e1f0`: the client can be the next
    /// host. With port 0, it can no more.
    Offer {
        /// The port at which it listens.
        port: u16,
        /// Names this run of its program.
        token: &'a str,
        /// The fingerprint of the key that it would have.
        key: &'a str,
    },
    /// `LAST 20 BEFORE 1200`: tell earlier messages again.
    Last {
        /// How many.
        count: u64,
        /// They have lower numbers than this.
        before: Option<u64>,
    },
    /// `FIND chave`: tell the messages that hold this.
    Find(&'a str),
}

impl<'a> Command<'a> {
    /// Reads one line, without its end.
    ///
    /// The word may be in any case and ends at the first blank. The text is all
    /// that follows the one blank after `MSG`, but if the first thing to be seen
    /// in it is an at sign, it is for one person: a private word is never told
    /// to all because of a blank too many.
    ///
    /// # Errors
    /// [`Refusal::UnknownCommand`], [`Refusal::EmptyMessage`] or
    /// [`Refusal::MalformedDm`]. Whether a nick is fit to be one is not looked at.
    pub fn parse(line: &'a str) -> Result<Command<'a>, Refusal> {
        let (word, rest) = split_at_blank(line);
        let is = |command: &str| word.eq_ignore_ascii_case(command);
        let alone = rest.trim().is_empty();
        if is("MSG") {
            Command::message(rest)
        } else if is("NICK") {
            Ok(Command::Nick(rest.trim()))
        } else if is("WHO") && alone {
            Ok(Command::Who)
        } else if is("QUIT") && alone {
            Ok(Command::Quit)
        } else if is("CAP") {
            Ok(Command::Understand(rest.trim()))
        } else if is("KEEP") {
            Ticket::parse(rest).map(Command::Keep).ok_or(Refusal::UnknownCommand)
        } else if is("SINCE") {
            since(rest).ok_or(Refusal::UnknownCommand)
        } else if is("OFFER") {
            offer(rest).ok_or(Refusal::UnknownCommand)
        } else if is("LAST") {
            last(rest).ok_or(Refusal::UnknownCommand)
        } else if is("FIND") {
            Ok(Command::Find(rest.trim_matches(is_blank)))
        } else {
            Err(Refusal::UnknownCommand)
        }
    }

    /// Reads the text behind `MSG `: a message for everyone or for one person.
    ///
    /// # Errors
    /// [`Refusal::EmptyMessage`] or [`Refusal::MalformedDm`].
    pub fn message(text: &'a str) -> Result<Command<'a>, Refusal> {
        let seen = text.trim_start_matches(is_blank);
        if seen.is_empty() {
            return Err(Refusal::EmptyMessage);
        }
        let Some(direct) = seen.strip_prefix('@') else {
            return Ok(Command::Say(text));
        };
        let (to, text) = split_at_blank(direct);
        if to.is_empty() || text.chars().all(is_blank) {
            return Err(Refusal::MalformedDm);
        }
        Ok(Command::Whisper { to, text })
    }
}

/// `7f3a9c21 1240`, and up to three more of these.
fn since(rest: &str) -> Option<Command<'_>> {
    let mut words = rest.split_ascii_whitespace();
    let mut places = Places::default();
    for place in &mut places {
        match words.next() {
            None => break,
            Some(term) => *place = Some((term, number(words.next()?)?)),
        }
    }
    (places[0].is_some() && words.next().is_none()).then_some(Command::Since(places))
}

/// `9000 7f3a9c21 0f1e2d3c4b5a69788796a5b4c3d2e1f0`.
fn offer(rest: &str) -> Option<Command<'_>> {
    let mut words = rest.split_ascii_whitespace();
    let port = number(words.next()?)?.try_into().ok()?;
    let (token, key) = (words.next()?, words.next()?);
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let whole = token.len() == 8 && key.len() == 32 && is_hex(token) && is_hex(key);
    (whole && words.next().is_none()).then_some(Command::Offer { port, token, key })
}

/// `20`, or `20 BEFORE 1200`.
fn last(rest: &str) -> Option<Command<'_>> {
    let mut words = rest.split_ascii_whitespace();
    let count = number(words.next()?)?;
    let before = match words.next() {
        None => None,
        Some(word) if word.eq_ignore_ascii_case("BEFORE") => Some(number(words.next()?)?),
        Some(_) => return None,
    };
    words.next().is_none().then_some(Command::Last { count, before })
}

/// A number on the wire: digits alone, at most 19.
pub(super) fn number(digits: &str) -> Option<u64> {
    let fits = (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| fits)
}

/// The part before the first blank, and all that follows it.
fn split_at_blank(line: &str) -> (&str, &str) {
    line.split_once([' ', '\t']).unwrap_or((line, ""))
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Nick(nick) => write!(f, "NICK {nick}"),
            Command::Say(text) => write!(f, "MSG {text}"),
            Command::Whisper { to, text } => write!(f, "MSG @{to} {text}"),
            Command::Who => f.write_str("WHO"),
            Command::Quit => f.write_str("QUIT"),
            Command::Understand(words) => write!(f, "CAP {words}"),
            Command::Keep(ticket) => write!(f, "KEEP {ticket}"),
            Command::Since(places) => {
                f.write_str("SINCE")?;
                let mut places = places.iter().flatten();
                places.try_for_each(|(term, number)| write!(f, " {term} {number}"))
            }
            Command::Offer { port, token, key } => write!(f, "OFFER {port} {token} {key}"),
            Command::Last { count, before: None } => write!(f, "LAST {count}"),
            Command::Last { count, before: Some(before) } => {
                write!(f, "LAST {count} BEFORE {before}")
            }
            Command::Find(text) => write!(f, "FIND {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command<'_>, Refusal>) {
        assert_eq!(Command::parse(line), expected, "{line:?}");
    }

    #[test]
    fn a_message_goes_to_everyone_unless_it_names_someone() {
        check("MSG Olá pessoal!", Ok(Command::Say("Olá pessoal!")));
        check("MSG a@b", Ok(Command::Say("a@b")));
        check("MSG @joao tudo bem?", Ok(Command::Whisper { to: "joao", text: "tudo bem?" }));
    }

    #[test]
    fn a_text_is_kept_as_it_was_typed() {
        check("MSG  two  blanks ", Ok(Command::Say(" two  blanks ")));
        check("MSG\tafter a tab", Ok(Command::Say("after a tab")));
        check("MSG @joao  x ", Ok(Command::Whisper { to: "joao", text: " x " }));
        check("MSG FROM ana [all]: hi", Ok(Command::Say("FROM ana [all]: hi")));
        check("MSG QUIT", Ok(Command::Say("QUIT")));
    }

    #[test]
    fn blank_too_many_makes_no_private_line_public() {
        let private = Ok(Command::Whisper { to: "joao", text: "psst" });
        for blank in [
            "", " ", "\t", "\u{A0}", "\u{3000}", "\u{200B}", "\u{202E}", "\u{200D}", "\x1b", " \t ",
        ] {
            check(&format!("MSG {blank}@joao psst"), private);
        }
    }

    #[test]
    fn a_message_must_say_something() {
        for line in [
            "MSG",
            "MSG ",
            "MSG  \t ",
            "msg",
            "MSG \u{200B}\x07\u{202E}",
            "MSG \u{3164}",
            "MSG \u{200D}",
        ] {
            check(line, Err(Refusal::EmptyMessage));
        }
        for line in ["MSG @", "MSG @joao", "MSG @joao ", "MSG @joao  \t", "MSG @ joao", "MSG @ "] {
            check(line, Err(Refusal::MalformedDm));
        }
    }

    #[test]
    fn the_word_may_be_in_any_case_and_ends_at_the_first_blank() {
        for line in ["NICK ana", "nick ana", "Nick  ana ", "NICK\tana"] {
            check(line, Ok(Command::Nick("ana")));
        }
        check("NICK", Ok(Command::Nick("")));
        check("NICK ana maria", Ok(Command::Nick("ana maria")));
        check("who", Ok(Command::Who));
        check("QUIT ", Ok(Command::Quit));
    }

    #[test]
    fn numbers_are_digits_and_stand_alone() {
        check("cap", Ok(Command::Understand("")));
        let digits = "0f".repeat(16);
        check(&format!("keep {digits}"), Ok(Command::Keep(Ticket::new([0x0F; 16]))));
        for rest in [" ", &digits[1..], &format!(" {digits}"), &format!("{digits} ")] {
            check(&format!("KEEP {rest}"), Err(Refusal::UnknownCommand));
        }
        check("LAST\t5  before  9 ", Ok(Command::Last { count: 5, before: Some(9) }));
        let most = 9_999_999_999_999_999_999;
        let places = |first, second| Command::Since([Some(first), second, None, None]);
        check("SINCE t 9999999999999999999", Ok(places(("t", most), None)));
        check("since t 2  s 1", Ok(places(("t", 2), Some(("s", 1)))));
        let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
        let offer = Command::Offer { port: 9000, token: "7f3a9c21", key };
        check(&format!("offer 9000 7f3a9c21 {key}"), Ok(offer));
        for line in [
            "SINCE",
            "SINCE t",
            "SINCE t 1 s",
            "SINCE a 1 b 2 c 3 d 4 e 5",
            "OFFER 9000 7f3a9c21",
            &format!("OFFER 65536 7f3a9c21 {key}"),
            &format!("OFFER 9000 7f3a9c2 {key}"),
            &format!("OFFER 9000 7f3a9c21 {key} x"),
        ] {
            check(line, Err(Refusal::UnknownCommand));
        }
        for line in [
            "SINCE",
            "SINCE 7f3a9c21",
            "SINCE 7f3a9c21 +1",
            "SINCE 7f3a9c21 1 2",
            "LAST",
            "LAST -1",
            "LAST 5 6",
            "LAST 5 BEFORE",
            "LAST 5 BEFORE 6 7",
            "LAST 12345678901234567890",
        ] {
            check(line, Err(Refusal::UnknownCommand));
        }
    }

    #[test]
    fn anything_else_is_unknown() {
        for line in
            ["HELLO", "MSGhi", " MSG hi", "WHO is it", "QUIT now", "/who", "\u{FEFF}WHO", " "]
        {
            check(line, Err(Refusal::UnknownCommand));
        }
    }

    #[test]
    fn printed_line_is_parsed_back() {
        for command in [
            Command::Nick("ana"),
            Command::Say("a b  c"),
            Command::Whisper { to: "joao", text: "@ maria" },
            Command::Who,
            Command::Quit,
            Command::Understand("history renames"),
            Command::Keep(Ticket::new([0x7F; 16])),
            Command::Since([Some(("7f3a9c21", 1240)), Some(("0b1e55ed", 980)), None, None]),
            Command::Offer {
                port: 9000,
                token: "7f3a9c21",
                key: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            },
            Command::Last { count: 20, before: None },
            Command::Last { count: 20, before: Some(1200) },
            Command::Find("o café"),
        ] {
            check(&command.to_string(), Ok(command));
        }
    }
}
