//! The nick: asked for, registered, refused, taken.

use std::mem;

use unicode_normalization::char::is_combining_mark;

use crate::client::dialogue::commands::{self};
use crate::client::dialogue::heard::bounded;
use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{Dialogue, Mode, Phase, hint, note};
use crate::client::record::{Action, Failure, Kind, Record};
use crate::wire::sanitize::visible;
use crate::wire::{Command, Nick, Refusal};

impl Dialogue {
    /// There is a connection: the first things to do. The nick is what the command
    /// line says.
    pub fn connected(&mut self, nick: Option<&str>) -> Vec<Action> {
        self.forget_questions();
        if self.returning || self.phase == Phase::Registering {
            self.unconfirmed.clear();
            let nick = self.nick.clone();
            return self.register(&nick);
        }
        let mut actions = Vec::new();
        if self.mode == Mode::Editor {
            actions.extend(note(self.welcome()));
        }
        actions.extend(match nick {
            _ if self.mode == Mode::Raw => Vec::new(),
            Some(nick) => self.register(nick),
            None => self.ask(""),
        });
        actions
    }

    /// Handles a line that is typed before there is a nick.
    pub(super) fn typed_without_nick(&mut self, line: &str) -> Vec<Action> {
        match commands::shape(line).filter(|_| !self.literal || self.is_interactive()) {
            Some(Command::Nick(nick)) => return self.register(nick),
            Some(Command::Quit) => return self.quit(),
            _ if line.trim().is_empty() && !self.is_interactive() && !self.literal => {
                return Vec::new();
            }
            _ if !self.is_interactive() => return vec![Action::Fail(Failure::NoNick)],
            _ if line == "/quit" || commands::LEAVE_WORDS.contains(&line) => return self.quit(),
            _ => (),
        }
        match line.trim() {
            "" if self.suggested_nick.is_empty() => self.ask(""),
            "" => {
                let suggested_nick = self.suggested_nick.clone();
                self.register(&suggested_nick)
            }
            // The server judges a nick, but it must arrive as one line.
            nick if nick.contains(char::is_control) => {
                let why = self.texts.nick_invalid;
                let refused = (self.texts.nick_refused)(&visible(nick), why);
                [hint(&refused), self.ask("")].concat()
            }
            nick => self.register(nick),
        }
    }

    /// Asks for a nick. What is offered can be taken with Enter.
    pub(super) fn ask(&mut self, offer: &str) -> Vec<Action> {
        if !offer.is_empty() {
            self.suggested_nick = offer.into();
        }
        let suggested_nick = self.suggested_nick.clone();
        match self.mode {
            Mode::Editor if !offer.is_empty() => {
                vec![Action::AskNick { suggested_nick: String::new(), draft: suggested_nick }]
            }
            Mode::Editor | Mode::Plain => {
                vec![Action::AskNick { suggested_nick, draft: String::new() }]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn register(&mut self, nick: &str) -> Vec<Action> {
        self.phase = Phase::Registering;
        self.nick = nick.to_string();
        let mut actions = self.introduce();
        actions.push(self.question(Pending::Nick(nick.into()), Command::Nick(nick)));
        actions
    }

    pub(super) fn hear_welcome(&mut self, nick: &str) -> Vec<Action> {
        let nick = bounded(nick);
        self.confirmed(|pending| matches!(pending, Pending::Nick(_)));
        self.members.renamed_from(&mem::replace(&mut self.nick, nick.into()));
        self.members.came(nick);
        let returns = mem::take(&mut self.returning) && self.kept.is_some();
        self.kept = Some(nick.into());
        let text = returns.then(|| self.address.clone());
        let loud = mem::take(&mut self.moved) && returns;
        let kind = if returns { Kind::Back } else { Kind::Welcome };
        let to = Some(nick.into());
        let welcome = match self.take_move().filter(|_| returns) {
            Some(note) => Action::Note(note.into()),
            None => Action::Show(Record { kind, to, text, loud, ..Record::default() }),
        };
        let first = self.phase == Phase::Registering;
        if first {
            self.phase = Phase::Talking;
        }
        let mut actions = vec![welcome];
        match self.mode {
            Mode::Editor => actions.push(Action::Prompt(nick.into())),
            Mode::Plain if first => actions.push(Action::Note(self.welcome().into())),
            _ => (),
        }
        if first && self.is_interactive() {
            actions.push(self.question(Pending::OwnWho, Command::Who));
        }
        actions
    }

    /// The nick that the server was asked for, and has not answered to.
    pub(super) fn wanted_nick(&self) -> &str {
        let wanted = self.unconfirmed.iter().find_map(|(_, pending)| match pending {
            Pending::Nick(nick) => Some(nick.as_str()),
            _ => None,
        });
        wanted.unwrap_or(&self.nick)
    }
}

/// A nick like this one that may be free: `ana2` for `ana`, `ana3` for `ana2`.
pub(super) fn variant(nick: &str) -> String {
    let stem = nick.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = nick[stem.len()..].parse().unwrap_or(1_u16).saturating_add(1).to_string();
    let mut stem = stem;
    // It must not become too long.
    while !stem.is_empty() && Nick::new(&format!("{stem}{number}")).is_err() {
        stem = &stem[..stem.floor_char_boundary(stem.len() - 1)];
    }
    format!("{stem}{number}")
}

/// Whether another nick may be what the server wants.
pub(super) fn is_about_the_nick(refusal: Option<Refusal>) -> bool {
    use Refusal::{InvalidNick, InvalidUtf8, LineTooLong, NickInUse, TooFast};
    matches!(refusal, Some(NickInUse | InvalidNick | TooFast | LineTooLong | InvalidUtf8))
}

/// The nick that a name suggests: words in a row, without what no nick may have.
pub fn suggest_nick(name: &str) -> Option<String> {
    let fit = |c: char| c.is_alphanumeric() || is_combining_mark(c) || "-_.".contains(c);
    let words = name.split_whitespace().map(|word| word.chars().filter(|&c| fit(c)));
    let words: Vec<String> = words.map(String::from_iter).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let joined: String = words.join("-").chars().take(32).collect();
    Nick::new(joined.trim_matches('-')).ok().map(|nick| nick.to_string())
}
