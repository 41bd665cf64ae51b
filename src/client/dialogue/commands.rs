//! The meaning of an entered line, and the commands. Pure.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::suggest::{self, Unclear};
use crate::terminal::{Argument, Command as Known};
use crate::texts::Client;
use crate::wire::sanitize::is_blank;
use crate::wire::{Command, Refusal, literal};

/// How often the terminal rings, as a word to be typed.
pub const BELLS: [&str; 3] = ["never", "me", "all"];
/// A character that is seen, as far as the protocol knows, though it looks like a blank.
const SEEN_BLANK: char = '\u{2800}';

/// A line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// It is blank.
    Nothing,
    /// To be said to all.
    Say(Cow<'a, str>),
    /// To be said to one.
    Whisper { to: &'a str, text: &'a str },
    /// A text for the sender of the last private message.
    Reply(&'a str),
    /// A question to the server: `/who` or `WHO`.
    Who,
    /// Another nick.
    Nick(&'a str),
    /// Ignore this nick, or stop that; without a nick, list the ignored ones.
    Ignore(Option<&'a str>),
    /// Hide the notices of arrivals and departures, or show them again.
    Quiet,
    /// When to ring, or say when.
    Bell(Option<&'a str>),
    /// Show how to join.
    Invite,
    /// Clear the screen.
    Clear,
    /// Show the commands.
    Help,
    /// Leave.
    Quit,
    /// Nothing that can be done.
    Error(InputError<'a>),
}

/// A mistake in a line. Nothing of it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError<'a> {
    /// No command is called that, with a guess.
    Unknown(&'a str, Option<&'static str>),
    /// Several commands begin like that.
    Ambiguous(&'a str, Vec<&'static str>),
    /// Something is missing behind this command.
    Arguments(&'static str),
    /// A private message lacks its nick or its text.
    Private,
    /// `MSG` needs a text.
    Message,
}

/// The effect of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Help,
    Who,
    Tell,
    Reply,
    Emote,
    Rename,
    Ignore,
    Quiet,
    Bell,
    Invite,
    Clear,
    Quit,
}

/// A command: what it does, its word, what comes behind it, and what TAB offers there.
struct Row(Verb, &'static str, fn(&Client) -> &'static str, Argument);

/// The commands, in the order of `/help`. Each verb stands here once.
const COMMANDS: [Row; 12] = [
    Row(Verb::Help, "/help", |_| "", Argument::Text),
    Row(Verb::Who, "/who", |_| "", Argument::Text),
    Row(Verb::Tell, "/msg", |texts| texts.nick_text, Argument::Nick),
    Row(Verb::Reply, "/r", |texts| texts.text, Argument::Text),
    Row(Verb::Emote, "/me", |texts| texts.text, Argument::Text),
    Row(Verb::Rename, "/nick", |texts| texts.name, Argument::Text),
    Row(Verb::Ignore, "/ignore", |texts| texts.maybe_nick, Argument::Nick),
    Row(Verb::Quiet, "/quiet", |_| "", Argument::Text),
    Row(Verb::Bell, "/bell", |_| "[never|me|all]", Argument::Choice(&BELLS)),
    Row(Verb::Invite, "/invite", |_| "", Argument::Text),
    Row(Verb::Clear, "/clear", |_| "", Argument::Text),
    Row(Verb::Quit, "/quit", |_| "", Argument::Text),
];

/// The commands, for the line editor.
pub fn commands(texts: &Client) -> Vec<Known> {
    let known =
        |Row(_, word, arguments, first): Row| Known { word, arguments: arguments(texts), first };
    COMMANDS.into_iter().map(known).collect()
}

/// How a command is used.
pub fn usage(word: &str, texts: &Client) -> String {
    let row = COMMANDS.into_iter().find(|Row(_, known, ..)| *known == word);
    row.map_or_else(String::new, |Row(_, known, arguments, _)| {
        format!("{known} {}", arguments(texts))
    })
}

impl<'a> Input<'a> {
    /// Reads one typed line, without its end.
    ///
    /// The first thing to be seen decides, in any width and behind any blank. A text
    /// that tells one person is never said to all.
    pub fn of(line: &'a str) -> Input<'a> {
        if line.trim().is_empty() {
            return Input::Nothing;
        }
        if let Some(text) = line.strip_prefix("//") {
            return Input::Say(format!("/{text}").into());
        }
        let seen = line.trim_start_matches(is_unseen);
        match first_mark(seen) {
            Some('/') => return Input::command(line, seen),
            Some('@') => return Input::private(after_first(seen)),
            _ => (),
        }
        if line.trim_end() == "NICK" {
            return Input::Error(InputError::Arguments("/nick"));
        }
        match shape(line) {
            Some(Command::Say(text)) if is_addressed(text) => {
                return Input::Error(InputError::Private);
            }
            Some(Command::Say(text)) => return Input::Say(text.into()),
            Some(Command::Whisper { to, text }) => return Input::Whisper { to, text },
            Some(Command::Who) => return Input::Who,
            Some(Command::Nick(nick)) => return Input::Nick(nick),
            Some(Command::Quit) => return Input::Quit,
            // Only clients say the others.
            _ => (),
        }
        if is_private_slip(line) {
            return Input::Error(InputError::Private);
        }
        if line.trim_end() == "MSG" {
            return Input::Error(InputError::Message);
        }
        // Whatever else the protocol takes for private is not said to all.
        match Command::parse(&format!("MSG {line}")) {
            Ok(Command::Say(_)) => Input::Say(line.into()),
            Err(Refusal::EmptyMessage) => Input::Nothing,
            _ => Input::Error(InputError::Private),
        }
    }

    /// Reads one pasted line: a text for all, and never a command.
    pub fn text(line: &'a str) -> Input<'a> {
        Input::Say(literal(line))
    }

    /// A nick and a text, as they stand behind an at sign.
    fn private(rest: &'a str) -> Input<'a> {
        match rest.split_once(char::is_whitespace) {
            Some((to, text))
                if !(to.is_empty() || to.starts_with(is_unseen) || text.chars().all(is_blank)) =>
            {
                Input::Whisper { to, text }
            }
            _ => Input::Error(InputError::Private),
        }
    }

    /// A line whose first seen character, the first of `seen`, is a slash.
    fn command(line: &'a str, seen: &'a str) -> Input<'a> {
        let (typed, rest) = seen.split_once(char::is_whitespace).unwrap_or((seen, ""));
        let word: String = typed.chars().filter(|&c| !is_unseen(c)).nfkc().collect();
        // A path is no command.
        if word[1..].contains('/') {
            let is_near = word.to_lowercase().starts_with("/msg/");
            return match is_near {
                true => Input::Error(InputError::Arguments("/msg")),
                false => Input::Say(line.into()),
            };
        }
        let known = match suggest::command(&word, COMMANDS.map(|Row(_, word, ..)| word)) {
            Ok(known) => known,
            Err(Unclear::Unknown(guess)) => return Input::Error(InputError::Unknown(typed, guess)),
            Err(Unclear::Ambiguous(_)) if word == "/" => {
                return Input::Error(InputError::Unknown(typed, None));
            }
            Err(Unclear::Ambiguous(words)) => {
                return Input::Error(InputError::Ambiguous(typed, words));
            }
        };
        let row = COMMANDS.into_iter().find(|Row(_, word, ..)| *word == known);
        let Row(verb, ..) = row.expect("the guess is one of the table");
        let rest = rest.trim();
        let first = || rest.split_whitespace().next().map(without_at);
        let needed = |input: Input<'a>| match rest.chars().all(is_blank) {
            true => Input::Error(InputError::Arguments(known)),
            false => input,
        };
        match verb {
            Verb::Help => Input::Help,
            Verb::Who => Input::Who,
            Verb::Tell => match Input::private(without_at(rest)) {
                Input::Error(_) => Input::Error(InputError::Arguments(known)),
                whisper => whisper,
            },
            Verb::Reply => needed(Input::Reply(rest)),
            Verb::Emote => needed(Input::Say(format!("/me {rest}").into())),
            Verb::Rename => needed(Input::Nick(rest)),
            Verb::Ignore => Input::Ignore(first()),
            Verb::Quiet => Input::Quiet,
            Verb::Bell => match first() {
                Some(when) if !BELLS.contains(&when) => Input::Error(InputError::Arguments(known)),
                when => Input::Bell(when),
            },
            Verb::Invite => Input::Invite,
            Verb::Clear => Input::Clear,
            Verb::Quit => Input::Quit,
        }
    }
}

/// Whether this character is invisible at the beginning of a line.
fn is_unseen(c: char) -> bool {
    is_blank(c) || is_combining_mark(c) || c == SEEN_BLANK
}

/// The first character of a text, as it would be in plain width.
fn first_mark(text: &str) -> Option<char> {
    let mut plain = text.chars().take(1).nfkc();
    plain.next()
}

fn after_first(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.as_str()
}

/// A nick without the at sign before it, in any width.
fn without_at(nick: &str) -> &str {
    if first_mark(nick) == Some('@') { after_first(nick) } else { nick }
}

/// Whether the first thing to be seen in a text is an at sign, in any width.
fn is_addressed(text: &str) -> bool {
    first_mark(text.trim_start_matches(is_unseen)) == Some('@')
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
        // Only clients say these.
        Command::Understand(_)
        | Command::Since { .. }
        | Command::Last { .. }
        | Command::Find(_) => false,
    };
    typed.then_some(command)
}

/// A message to one person in the language of the wire, with a slip in it. It is
/// not said to all instead.
fn is_private_slip(line: &str) -> bool {
    let mut seen = line.chars().filter(|&c| !is_unseen(c)).nfkc();
    let word: String = seen.by_ref().take(3).collect();
    word.eq_ignore_ascii_case("MSG") && seen.find(|&c| c.is_alphanumeric() || c == '@') == Some('@')
}

#[cfg(test)]
mod tests;
