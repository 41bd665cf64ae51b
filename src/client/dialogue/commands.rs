//! The meaning of an entered line, and the table of commands.
//!
//! A command is one row of the table: its word, its texts in both languages, what TAB offers
//! behind it, and what it does. `/help`, TAB, the man pages and the READMEs follow the table.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::client::dialogue::Dialogue;
use crate::client::record::Action;
use crate::config::Bell;
use crate::suggest::{self, Unclear};
use crate::terminal::{Argument, Command as Known};
use crate::texts::{Both, Language, both};
use crate::wire::sanitize::is_blank;
use crate::wire::{Command, Refusal, literal};

/// The words by which people leave elsewhere.
pub const LEAVE_WORDS: [&str; 3] = ["quit", "exit", "sair"];
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
    /// The list of members, asked of the server by `/who` or `WHO`.
    Who,
    /// Another nick.
    Nick(&'a str),
    /// Show the last messages, so many of them, and then those before.
    Last(Option<u64>),
    /// Show the messages that hold these words.
    Search(&'a str),
    /// Leave.
    Quit,
    /// A command that the client obeys by itself, with the first word behind it.
    Local(&'static Row, Option<&'a str>),
    /// A word by which people leave elsewhere, alone on its line.
    LeaveWord(&'a str),
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

/// A command that people type.
#[derive(Debug)]
pub struct Row {
    word: &'static str,
    /// Its arguments, as the help names them.
    arguments: Both,
    help: Both,
    meaning: Meaning,
    /// The kind of the first argument, for TAB.
    first: Argument,
    /// The choice, as the usage shows it.
    choice: Option<&'static str>,
}

/// Each word is in one row.
impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.word == other.word
    }
}

impl Eq for Row {}

/// The effect of a command.
#[derive(Debug)]
enum Meaning {
    /// It is another way to type this. Returns nothing if an argument is missing.
    Line(for<'a> fn(&'a str) -> Option<Input<'a>>),
    /// The client obeys it by itself, also without a connection. It gets the first word
    /// behind the command.
    Local(fn(&mut Dialogue, Option<&str>) -> Vec<Action>),
}

const NONE: Both = both("", "");

/// The commands, in the order of `/help`.
static COMMANDS: &[Row] = &[
    row("/help", NONE, both("this help", "esta ajuda"), Meaning::Local(Dialogue::help)),
    row("/who", NONE, both("who is here", "quem está aqui"), Meaning::Line(|_| Some(Input::Who))),
    row(
        "/last",
        both("[N]", "[N]"),
        both(
            "what was said before; again, what was before that",
            "o que foi dito antes; de novo, o que veio antes disso",
        ),
        Meaning::Line(|rest| match rest.split_whitespace().next().map(str::parse) {
            Some(Err(_)) => None,
            count => Some(Input::Last(count.and_then(Result::ok))),
        }),
    ),
    row(
        "/search",
        both("TEXT", "TEXTO"),
        both("what was said with this in it", "o que foi dito com este texto"),
        Meaning::Line(|rest| some(rest).map(Input::Search)),
    ),
    row(
        "/msg",
        both("NICK TEXT", "APELIDO TEXTO"),
        both(
            "tell one person; so does @NICK TEXT",
            "fala só com uma pessoa; @APELIDO TEXTO também",
        ),
        Meaning::Line(|rest| match Input::private(without_at(rest)) {
            Input::Error(_) => None,
            whisper => Some(whisper),
        }),
    )
    .completes_nicks(),
    row(
        "/r",
        both("TEXT", "TEXTO"),
        both("answer the last person who wrote to you alone", "responde a quem falou só com você"),
        Meaning::Line(|rest| some(rest).map(Input::Reply)),
    ),
    row(
        "/me",
        both("TEXT", "TEXTO"),
        both("say what you do", "conta uma ação sua"),
        Meaning::Line(|rest| some(rest).map(|rest| Input::Say(format!("/me {rest}").into()))),
    ),
    row(
        "/nick",
        both("NAME", "NOME"),
        both("take another nick", "troca de apelido"),
        Meaning::Line(|rest| some(rest).map(Input::Nick)),
    ),
    row(
        "/ignore",
        both("[NICK]", "[APELIDO]"),
        both("hide this person, or show them again", "ignora esta pessoa, ou volta a mostrá-la"),
        Meaning::Local(Dialogue::ignore),
    )
    .completes_nicks(),
    row(
        "/quiet",
        NONE,
        both("hide joins and leaves, or show them again", "mostra ou esconde as entradas e saídas"),
        Meaning::Local(Dialogue::hide_notices),
    ),
    row(
        "/bell",
        both("WHEN", "QUANDO"),
        both("ring: never, me, all", "toca: never (nunca), me (com você), all (tudo)"),
        Meaning::Local(Dialogue::set_bell),
    )
    .chooses(&Bell::WORDS, "[never|me|all]"),
    row(
        "/invite",
        NONE,
        both(
            "show how to join, and the code to scan",
            "mostra como entrar e o código para apontar a câmera",
        ),
        Meaning::Local(Dialogue::invite),
    ),
    row(
        "/key",
        NONE,
        both("show the key of the server, to compare", "mostra a chave do servidor, para comparar"),
        Meaning::Local(|_, _| vec![Action::Key]),
    ),
    row("/clear", NONE, both("clear the screen", "limpa a tela"), Meaning::Local(Dialogue::clear)),
    row(
        "/quit",
        NONE,
        both("leave; so does Ctrl-D", "sai; Ctrl-D também"),
        Meaning::Line(|_| Some(Input::Quit)),
    ),
];

const fn row(word: &'static str, arguments: Both, help: Both, meaning: Meaning) -> Row {
    Row { word, arguments, help, meaning, first: Argument::Text, choice: None }
}

impl Row {
    /// TAB offers nicks behind it.
    const fn completes_nicks(self) -> Row {
        Row { first: Argument::Nick, ..self }
    }

    /// It takes one of these words or none, and the usage shows them so.
    const fn chooses(self, words: &'static [&'static str], shown: &'static str) -> Row {
        Row { first: Argument::Choice(words), choice: Some(shown), ..self }
    }

    /// Its arguments, for the usage and for TAB.
    fn arguments(&self, language: Language) -> &'static str {
        self.choice.unwrap_or(self.arguments.in_language(language))
    }

    /// Obeys a command that is local.
    pub fn obey(&self, dialogue: &mut Dialogue, first: Option<&str>) -> Vec<Action> {
        match self.meaning {
            Meaning::Local(obey) => obey(dialogue, first),
            Meaning::Line(_) => Vec::new(),
        }
    }
}

/// The commands, for the line editor.
pub fn commands(language: Language) -> Vec<Known> {
    let known =
        |row: &Row| Known { word: row.word, arguments: row.arguments(language), first: row.first };
    COMMANDS.iter().map(known).collect()
}

/// The commands with their arguments, each with its text, in the order of `/help`.
pub fn chat_commands(language: Language) -> impl Iterator<Item = (String, &'static str)> {
    COMMANDS.iter().map(move |row| {
        let command = format!("{} {}", row.word, row.arguments.in_language(language));
        (command.trim_end().into(), row.help.in_language(language))
    })
}

/// How a command is used.
pub fn usage(word: &str, language: Language) -> String {
    let row = COMMANDS.iter().find(|row| row.word == word);
    row.map_or_else(String::new, |row| format!("{word} {}", row.arguments(language)))
}

/// An argument, unless it is missing.
fn some(rest: &str) -> Option<&str> {
    (!rest.chars().all(is_blank)).then_some(rest)
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
        if LEAVE_WORDS.contains(&line) {
            return Input::LeaveWord(line);
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
        // Anything else that the protocol takes for private is not said to all.
        match Command::message(line) {
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
        let known = match suggest::command(&word, COMMANDS.iter().map(|row| row.word)) {
            Ok(known) => known,
            Err(Unclear::Unknown(guess)) => return Input::Error(InputError::Unknown(typed, guess)),
            Err(Unclear::Ambiguous(_)) if word == "/" => {
                return Input::Error(InputError::Unknown(typed, None));
            }
            Err(Unclear::Ambiguous(words)) => {
                return Input::Error(InputError::Ambiguous(typed, words));
            }
        };
        let row = COMMANDS.iter().find(|row| row.word == known);
        let row = row.expect("the guess is one of the table");
        let rest = rest.trim();
        let input = match row.meaning {
            Meaning::Line(read) => read(rest),
            Meaning::Local(_) => {
                let first = rest.split_whitespace().next().map(without_at);
                match (row.first, first) {
                    (Argument::Choice(words), Some(first)) if !words.contains(&first) => None,
                    _ => Some(Input::Local(row, first)),
                }
            }
        };
        input.unwrap_or(Input::Error(InputError::Arguments(known)))
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

/// A line in the very shape of the protocol, as the classroom types it: capitals, and no
/// word too many. `WHO is coming?` is a text.
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
        | Command::Since(_)
        | Command::Offer { .. }
        | Command::Last { .. }
        | Command::Find(_)
        | Command::Keep(_) => false,
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
