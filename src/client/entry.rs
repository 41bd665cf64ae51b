//! What a typed line means. Pure.

use crate::editor::{Argument, Command as Known};
use crate::guess::{self, Unclear};
use crate::texts::Client;
use crate::wire::sanitize::is_blank;
use crate::wire::{Command, Refusal};

/// How often the terminal rings, as a word to be typed.
pub const BELLS: [&str; 3] = ["never", "me", "all"];

/// A line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// It is blank.
    Nothing,
    /// To be said to all.
    Say(String),
    /// To be said to one.
    Whisper { to: &'a str, text: &'a str },
    /// To be said to whoever wrote in private last.
    Reply(&'a str),
    /// A question to the server: `/who` or `WHO`.
    Who,
    /// Another nick.
    Nick(&'a str),
    /// Show nothing of this person, or do again; or say of whom.
    Ignore(Option<&'a str>),
    /// Show nothing of who comes and goes, or do again.
    Quiet,
    /// When to ring, or say when.
    Bell(Option<&'a str>),
    /// Clear the screen.
    Clear,
    /// Show the commands.
    Help,
    /// Leave.
    Quit,
    /// Nothing that can be done.
    Slip(Slip<'a>),
}

/// What is wrong with a line. Nothing of it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slip<'a> {
    /// No command is called that, with a guess.
    Unknown(&'a str, Option<&'static str>),
    /// Several commands begin like that.
    Ambiguous(&'a str, Vec<&'static str>),
    /// Something is missing behind this command.
    Arguments(&'static str),
    /// It was for one person, but not whom, or not what.
    Private,
    /// `MSG` needs a text.
    Message,
}

/// A command: its word, what comes behind it, and what TAB offers there.
type Row = (&'static str, fn(&Client) -> &'static str, Argument);

/// The commands, in the order of `/help`.
const COMMANDS: [Row; 11] = [
    ("/help", |_| "", Argument::Text),
    ("/who", |_| "", Argument::Text),
    ("/msg", |texts| texts.nick_text, Argument::Nick),
    ("/r", |texts| texts.text, Argument::Text),
    ("/me", |texts| texts.text, Argument::Text),
    ("/nick", |texts| texts.name, Argument::Text),
    ("/ignore", |texts| texts.maybe_nick, Argument::Nick),
    ("/quiet", |_| "", Argument::Text),
    ("/bell", |_| "[never|me|all]", Argument::Choice(&BELLS)),
    ("/clear", |_| "", Argument::Text),
    ("/quit", |_| "", Argument::Text),
];

/// The commands, for the line editor.
pub fn commands(texts: &Client) -> Vec<Known> {
    let known = |(word, arguments, first): Row| Known { word, arguments: arguments(texts), first };
    COMMANDS.into_iter().map(known).collect()
}

/// How a command is used.
pub fn usage(word: &str, texts: &Client) -> String {
    let row = COMMANDS.into_iter().find(|(known, ..)| *known == word);
    row.map_or_else(String::new, |(known, arguments, _)| format!("{known} {}", arguments(texts)))
}

impl<'a> Entry<'a> {
    /// Reads one line, without its end.
    pub fn of(line: &'a str) -> Entry<'a> {
        if line.trim().is_empty() {
            return Entry::Nothing;
        }
        if let Some(text) = line.strip_prefix("//") {
            return Entry::Say(format!("/{text}"));
        }
        if line.starts_with('/') {
            return Entry::command(line);
        }
        match shape(line) {
            Some(Command::Say(text)) => return Entry::Say(text.into()),
            Some(Command::Whisper { to, text }) => return Entry::Whisper { to, text },
            Some(Command::Who) => return Entry::Who,
            Some(Command::Nick(nick)) => return Entry::Nick(nick),
            Some(Command::Quit) => return Entry::Quit,
            None => (),
        }
        Entry::text(line)
    }

    /// Reads a line of several that were pasted: a text, never a command.
    pub fn text(line: &'a str) -> Entry<'a> {
        if is_private_slip(line) {
            return Entry::Slip(Slip::Private);
        }
        if line.trim_end() == "MSG" {
            return Entry::Slip(Slip::Message);
        }
        let Some(rest) = line.trim_start_matches(is_blank).strip_prefix('@') else {
            // Whatever else the protocol takes for private is not said to all.
            return match Command::parse(&format!("MSG {line}")) {
                Ok(Command::Say(_)) => Entry::Say(line.into()),
                Err(Refusal::EmptyMessage) => Entry::Nothing,
                _ => Entry::Slip(Slip::Private),
            };
        };
        Entry::private(rest)
    }

    /// A nick and a text, as the protocol has them behind the at sign.
    fn private(rest: &'a str) -> Entry<'a> {
        match rest.split_once([' ', '\t']) {
            Some((to, text)) if !to.is_empty() && !text.chars().all(is_blank) => {
                Entry::Whisper { to, text }
            }
            _ => Entry::Slip(Slip::Private),
        }
    }

    fn command(line: &'a str) -> Entry<'a> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        // A path is no command.
        if word[1..].contains('/') {
            return Entry::Say(line.into());
        }
        let known = match guess::command(word, COMMANDS.map(|(word, ..)| word)) {
            Ok(known) => known,
            Err(Unclear::Unknown(guess)) => return Entry::Slip(Slip::Unknown(word, guess)),
            Err(Unclear::Ambiguous(_)) if word == "/" => {
                return Entry::Slip(Slip::Unknown(word, None));
            }
            Err(Unclear::Ambiguous(words)) => return Entry::Slip(Slip::Ambiguous(word, words)),
        };
        let rest = rest.trim();
        let first = || rest.split_whitespace().next().map(|nick| nick.trim_start_matches('@'));
        match known {
            "/help" => Entry::Help,
            "/who" => Entry::Who,
            "/quiet" => Entry::Quiet,
            "/clear" => Entry::Clear,
            "/quit" => Entry::Quit,
            "/ignore" => Entry::Ignore(first()),
            "/bell" => match first() {
                Some(when) if !BELLS.contains(&when) => Entry::Slip(Slip::Arguments("/bell")),
                when => Entry::Bell(when),
            },
            known if rest.is_empty() => Entry::Slip(Slip::Arguments(known)),
            "/r" => Entry::Reply(rest),
            "/me" => Entry::Say(format!("/me {rest}")),
            "/nick" => Entry::Nick(rest),
            // The only one that is left.
            _ => match Entry::private(rest.trim_start_matches('@')) {
                Entry::Slip(_) => Entry::Slip(Slip::Arguments("/msg")),
                whisper => whisper,
            },
        }
    }
}

/// Whether a line may be followed by another prompt.
pub fn renames(line: &str) -> bool {
    !line.contains('\n') && matches!(Entry::of(line), Entry::Nick(_))
}

/// A word by which people leave elsewhere, alone on its line.
pub fn leaves_elsewhere(line: &str) -> bool {
    ["quit", "exit", "sair"].contains(&line)
}

/// A line in the very shape of the protocol, as the classroom types it: capitals,
/// and as many words as there have to be. `WHO is coming?` is something to say.
pub fn shape(line: &str) -> Option<Command<'_>> {
    let word = line.split(' ').next()?;
    let command = Command::parse(line).ok()?;
    let typed = match command {
        Command::Nick(nick) => {
            word == "NICK" && !nick.is_empty() && !nick.contains(char::is_whitespace)
        }
        Command::Say(_) | Command::Whisper { .. } => word == "MSG",
        Command::Who => line == "WHO",
        Command::Quit => line == "QUIT",
    };
    typed.then_some(command)
}

/// A message to one person in the language of the wire, with a slip in it. It is
/// not said to all instead.
fn is_private_slip(line: &str) -> bool {
    let mut seen = line.chars().filter(|&c| !is_blank(c));
    let word: String = seen.by_ref().take(3).collect();
    word.eq_ignore_ascii_case("MSG") && seen.find(|&c| c.is_alphanumeric() || c == '@') == Some('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Entry<'_>) {
        assert_eq!(Entry::of(line), expected, "{line:?}");
    }

    fn say(text: &str) -> Entry<'static> {
        Entry::Say(text.into())
    }

    #[test]
    fn what_is_typed_is_said_to_all() {
        for text in [
            "pronto",
            " two  blanks ",
            "WHO is coming?",
            "QUIT smoking",
            "NICK is late today",
            "who",
            "/usr/bin is text",
            "/etc/hosts",
            "a@b",
            " /who",
            " quit",
        ] {
            check(text, say(text));
        }
        check("//help", say("/help"));
        check("///", say("//"));
        check("", Entry::Nothing);
        check("  \t", Entry::Nothing);
    }

    #[test]
    fn the_protocol_itself_may_be_typed() {
        check("MSG pronto", say("pronto"));
        check("MSG WHO", say("WHO"));
        check("MSG @joao psst", Entry::Whisper { to: "joao", text: "psst" });
        check("WHO", Entry::Who);
        check("QUIT", Entry::Quit);
        check("NICK bia", Entry::Nick("bia"));
    }

    #[test]
    fn what_is_for_one_is_never_said_to_all() {
        let psst = || Entry::Whisper { to: "joao", text: "psst" };
        for line in ["@joao psst", "  @joao psst", "\u{200B}@joao psst", "/msg joao psst"] {
            check(line, psst());
        }
        check("/msg @joao psst", psst());
        for slip in [
            "@joao",
            "@ joao",
            "@",
            "@joao  ",
            "MSG @ joao psst",
            "MSG @joao",
            "MSG\t@joao psst",
            " MSG @joao psst",
            "msg @joao psst",
            "\u{200B}MSG @joao psst",
            "\0MSG @joao psst",
            "MSG@joao psst",
            "MSG\u{AD}@joao psst",
            "MSG: @joao psst",
        ] {
            check(slip, Entry::Slip(Slip::Private));
        }
        check("MSG", Entry::Slip(Slip::Message));
        check("MSG  ", Entry::Slip(Slip::Message));
    }

    #[test]
    fn commands_may_be_shortened_as_long_as_it_is_clear_which() {
        check("/who", Entry::Who);
        check("/w", Entry::Who);
        check("/h", Entry::Help);
        check("/r oi", Entry::Reply("oi"));
        check("/me acena", say("/me acena"));
        check("/nick bia", Entry::Nick("bia"));
        check("/ignore", Entry::Ignore(None));
        check("/ig @joao x", Entry::Ignore(Some("joao")));
        check("/bell all", Entry::Bell(Some("all")));
        check("/b", Entry::Bell(None));
        check("/c", Entry::Clear);
        check("/quit", Entry::Quit);
        check("/qu", Entry::Slip(Slip::Ambiguous("/qu", vec!["/quiet", "/quit"])));
        check("/m oi", Entry::Slip(Slip::Ambiguous("/m", vec!["/msg", "/me"])));
    }

    #[test]
    fn mistakes_are_not_sent() {
        check("/hlep", Entry::Slip(Slip::Unknown("/hlep", Some("/help"))));
        check("/WHO", Entry::Slip(Slip::Unknown("/WHO", Some("/who"))));
        check("/dance", Entry::Slip(Slip::Unknown("/dance", None)));
        check("/", Entry::Slip(Slip::Unknown("/", None)));
        for (line, command) in [
            ("/nick", "/nick"),
            ("/me ", "/me"),
            ("/r", "/r"),
            ("/msg", "/msg"),
            ("/msg joao", "/msg"),
            ("/msg joao \u{200B}", "/msg"),
            ("/bell loud", "/bell"),
        ] {
            check(line, Entry::Slip(Slip::Arguments(command)));
        }
    }

    #[test]
    fn what_is_pasted_is_no_command() {
        assert_eq!(Entry::text("/quit"), say("/quit"));
        assert_eq!(Entry::text("//x"), say("//x"));
        assert_eq!(Entry::text("QUIT"), say("QUIT"));
        assert_eq!(Entry::text("@joao psst"), Entry::Whisper { to: "joao", text: "psst" });
        assert_eq!(Entry::text("MSG @joao psst"), Entry::Slip(Slip::Private));
        assert_eq!(Entry::text(" "), Entry::Nothing);
    }

    #[test]
    fn only_another_nick_changes_the_prompt() {
        for line in ["/nick bia", "NICK bia", "/n bia"] {
            assert!(renames(line), "{line}");
        }
        for line in ["/nick", "NICK is late today", "NICK a\nb", "oi"] {
            assert!(!renames(line), "{line}");
        }
    }
}
