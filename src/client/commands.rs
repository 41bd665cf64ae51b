//! What an entered line means. Pure.

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
    /// To be said to the last person who wrote in private.
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

/// What is wrong with a line. Nothing of it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError<'a> {
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

/// What a command does.
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
            None => (),
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
            Some((to, text)) if !to.is_empty() && !text.chars().all(is_blank) => {
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

/// Whether nobody would see this character at the beginning of a line.
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
mod tests {
    use super::*;
    use crate::texts::{ENGLISH, PORTUGUESE};

    #[track_caller]
    fn check(line: &str, expected: Input<'_>) {
        assert_eq!(Input::of(line), expected, "{line:?}");
    }

    fn say(text: &str) -> Input<'_> {
        Input::Say(text.into())
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
            " quit",
        ] {
            check(text, say(text));
        }
        check("//help", say("/help"));
        check("///", say("//"));
        check("", Input::Nothing);
        check("  \t", Input::Nothing);
    }

    #[test]
    fn the_protocol_itself_may_be_typed() {
        check("MSG pronto", say("pronto"));
        check("MSG WHO", say("WHO"));
        check("MSG @joao psst", Input::Whisper { to: "joao", text: "psst" });
        check("WHO", Input::Who);
        check("QUIT", Input::Quit);
        check("NICK bia", Input::Nick("bia"));
    }

    #[test]
    fn what_is_for_one_is_never_said_to_all() {
        let psst = || Input::Whisper { to: "joao", text: "psst" };
        for line in ["@joao psst", "  @joao psst", "\u{200B}@joao psst", "/msg joao psst"] {
            check(line, psst());
        }
        check("/msg @joao psst", psst());
        for line in [
            "\t@joao psst",
            "\u{A0}@joao psst",
            "\u{3000}＠joao　psst",
            "\u{2800}@joao psst",
            "\u{301}@joao psst",
            "\u{FEFF}﹫joao psst",
            "@joao\tpsst",
            "@joao\u{A0}psst",
            " /msg joao psst",
            "\t/msg\tjoao\tpsst",
            "／msg joao psst",
            "\u{200B}／ｍｓｇ　＠joao psst",
            "/msg\u{A0}joao psst",
            "/ms\u{200B}g joao psst",
        ] {
            check(line, psst());
        }
        for (line, reply) in [(" /r sim", "sim"), ("／ｒ　sim", "sim"), ("\u{A0}/r\tsim", "sim")]
        {
            check(line, Input::Reply(reply));
        }
        check("/msg/ joao psst", Input::Error(InputError::Arguments("/msg")));
        check(" / msg joao psst", Input::Error(InputError::Unknown("/", None)));
        check(" /MSG joao psst", Input::Error(InputError::Unknown("/MSG", Some("/msg"))));
        check("　/mgs joao psst", Input::Error(InputError::Unknown("/mgs", Some("/msg"))));
        for slip in [
            "MSG ＠joao psst",
            "ＭＳＧ ＠joao psst",
            "MSG \u{2800}@joao psst",
            "＠joao",
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
            check(slip, Input::Error(InputError::Private));
        }
        check("MSG", Input::Error(InputError::Message));
        check("MSG  ", Input::Error(InputError::Message));
    }

    #[test]
    fn commands_may_be_shortened_as_long_as_it_is_clear_which() {
        check("/who", Input::Who);
        check("/w", Input::Who);
        check("/h", Input::Help);
        check("/r oi", Input::Reply("oi"));
        check("/me acena", say("/me acena"));
        check("/nick bia", Input::Nick("bia"));
        check("/ignore", Input::Ignore(None));
        check("/ig @joao x", Input::Ignore(Some("joao")));
        check("/bell all", Input::Bell(Some("all")));
        check("/b", Input::Bell(None));
        check("/inv", Input::Invite);
        check("/i", Input::Error(InputError::Ambiguous("/i", vec!["/ignore", "/invite"])));
        check("/c", Input::Clear);
        check("/quit", Input::Quit);
        check("/qu", Input::Error(InputError::Ambiguous("/qu", vec!["/quiet", "/quit"])));
        check("/m oi", Input::Error(InputError::Ambiguous("/m", vec!["/msg", "/me"])));
    }

    #[test]
    fn mistakes_are_not_sent() {
        check("NICK", Input::Error(InputError::Arguments("/nick")));
        check("NICK ", Input::Error(InputError::Arguments("/nick")));
        check("/hlep", Input::Error(InputError::Unknown("/hlep", Some("/help"))));
        check("/WHO", Input::Error(InputError::Unknown("/WHO", Some("/who"))));
        check("/dance", Input::Error(InputError::Unknown("/dance", None)));
        check("/", Input::Error(InputError::Unknown("/", None)));
        for (line, command) in [
            ("/nick", "/nick"),
            ("/me ", "/me"),
            ("/r", "/r"),
            ("/msg", "/msg"),
            ("/msg joao", "/msg"),
            ("/msg joao \u{200B}", "/msg"),
            ("/bell loud", "/bell"),
        ] {
            check(line, Input::Error(InputError::Arguments(command)));
        }
    }

    #[test]
    fn pasted_line_is_text_for_all() {
        for text in ["/quit", "//x", "QUIT", "MSG @joao psst", "  /msg joao psst", "\tif b:", "WHO"]
        {
            assert_eq!(Input::text(text), say(text));
        }
        // The protocol has no public text that begins with an at sign, and no empty one.
        assert_eq!(Input::text("@joao psst"), say("\u{2800}@joao psst"));
        assert_eq!(Input::text("    @property"), say("\u{2800}   @property"));
        assert_eq!(Input::text(""), say("\u{2800}"));
        assert_eq!(Input::text("  "), say("\u{2800} "));
    }

    /// A text of a few characters, most of which mean something.
    fn any_text(dice: &mut fastrand::Rng) -> String {
        const CHARS: [char; 24] = [
            '@', '＠', '﹫', '/', '／', ' ', '\t', '\u{A0}', '\u{3000}', '\u{200B}', '\u{200D}',
            '\u{FEFF}', '\u{2800}', '\u{301}', '\u{FE0F}', 'm', 's', 'g', 'M', 'r', 'ｒ', 'b', '…',
            '\u{202E}',
        ];
        (0..dice.usize(1..12)).map(|_| CHARS[dice.usize(..CHARS.len())]).collect()
    }

    #[test]
    fn address_at_the_beginning_never_yields_a_public_text() {
        let mut dice = fastrand::Rng::with_seed(15);
        let blanks = |dice: &mut fastrand::Rng| -> String {
            let unseen =
                [' ', '\t', '\u{A0}', '\u{3000}', '\u{200B}', '\u{FEFF}', '\u{2800}', '\0'];
            (0..dice.usize(..4)).map(|_| unseen[dice.usize(..unseen.len())]).collect()
        };
        for _ in 0..20_000 {
            let address = dice.choice([
                "@",
                "＠",
                "﹫",
                "/msg ",
                "／msg ",
                "／ｍｓｇ　",
                "/r ",
                "／ｒ\t",
                "/msg\u{A0}",
            ]);
            let address = address.expect("there are some");
            let line = blanks(&mut dice) + address + &any_text(&mut dice);
            if let Input::Say(text) = Input::of(&line) {
                panic!("{line:?} is said to all: {text:?}");
            }
        }
    }

    #[test]
    fn public_text_is_never_private_on_the_wire() {
        let mut dice = fastrand::Rng::with_seed(16);
        for _ in 0..20_000 {
            let line = any_text(&mut dice);
            let said = [Input::of(&line), Input::text(&line)];
            for input in said {
                if let Input::Say(text) = input {
                    let wire = format!("MSG {text}");
                    assert!(matches!(Command::parse(&wire), Ok(Command::Say(_))), "{line:?}");
                }
            }
            let Input::Say(text) = Input::text(&line) else { panic!("{line:?} is no text") };
            let rest = text.strip_prefix(SEEN_BLANK).filter(|_| *text != *line);
            let same =
                rest.map_or(*text == *line, |rest| line.strip_prefix(' ').unwrap_or(&line) == rest);
            assert!(same, "{line:?}");
        }
    }

    /// The commands that a text names at the beginning of its lines, behind this.
    fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(before));
        let words = lines.filter_map(|line| line.split_whitespace().next());
        words.map(|word| word.trim_matches('`')).filter(|word| word.starts_with('/')).collect()
    }

    #[test]
    fn table_help_completion_and_man_page_name_the_same_commands() {
        let table = COMMANDS.map(|Row(_, word, ..)| word).to_vec();
        for texts in [&ENGLISH.client, &PORTUGUESE.client] {
            assert_eq!(named(texts.help, ""), table);
            let known: Vec<&str> = commands(texts).iter().map(|command| command.word).collect();
            assert_eq!(known, table);
        }
        for page in [
            include_str!("../../man/minichat-connect.1"),
            include_str!("../../man/pt_BR/minichat-connect.1"),
        ] {
            assert_eq!(named(page, ".It Ic "), table);
        }
        for page in [include_str!("../../README.md"), include_str!("../../README.pt-BR.md")] {
            // It names the help elsewhere.
            assert_eq!(named(page, "| `"), table[1..]);
        }
    }

    #[test]
    fn each_command_does_what_its_row_says() {
        for Row(verb, word, ..) in COMMANDS {
            let line = format!("{word} all oi");
            let expected = match verb {
                Verb::Help => Input::Help,
                Verb::Who => Input::Who,
                Verb::Tell => Input::Whisper { to: "all", text: "oi" },
                Verb::Reply => Input::Reply("all oi"),
                Verb::Emote => say("/me all oi"),
                Verb::Rename => Input::Nick("all oi"),
                Verb::Ignore => Input::Ignore(Some("all")),
                Verb::Quiet => Input::Quiet,
                Verb::Bell => Input::Bell(Some("all")),
                Verb::Invite => Input::Invite,
                Verb::Clear => Input::Clear,
                Verb::Quit => Input::Quit,
            };
            check(&line, expected);
        }
    }
}
