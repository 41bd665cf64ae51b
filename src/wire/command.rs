use std::fmt;

use crate::wire::Refusal;
use crate::wire::sanitize::is_blank;

/// What a client may ask: one line, one command.
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
        /// What to tell them.
        text: &'a str,
    },
    /// `WHO`: ask for the members.
    Who,
    /// `QUIT`: leave, politely.
    Quit,
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
            message(rest)
        } else if is("NICK") {
            Ok(Command::Nick(rest.trim()))
        } else if is("WHO") && alone {
            Ok(Command::Who)
        } else if is("QUIT") && alone {
            Ok(Command::Quit)
        } else {
            Err(Refusal::UnknownCommand)
        }
    }
}

fn message(text: &str) -> Result<Command<'_>, Refusal> {
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

/// What stands before the first blank, and all that follows it.
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
    fn a_private_word_is_not_told_to_all_because_of_a_blank_too_many() {
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
    fn anything_else_is_unknown() {
        for line in
            ["HELLO", "MSGhi", " MSG hi", "WHO is it", "QUIT now", "/who", "\u{FEFF}WHO", " "]
        {
            check(line, Err(Refusal::UnknownCommand));
        }
    }

    #[test]
    fn whatever_is_printed_is_parsed_back() {
        for command in [
            Command::Nick("ana"),
            Command::Say("a b  c"),
            Command::Whisper { to: "joao", text: "@ maria" },
            Command::Who,
            Command::Quit,
        ] {
            check(&command.to_string(), Ok(command));
        }
    }
}
