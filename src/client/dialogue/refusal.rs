//! Refusals of the server, and the lines that they answer.

use std::mem;

use crate::client::dialogue::registration::{is_about_the_nick, variant};
use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{Dialogue, Mode, Phase, hint, suggest_nick};
use crate::client::format::{about, shown_nick};
use crate::client::members::Lookup;
use crate::client::record::{Action, Failure, Kind, Record};
use crate::texts::Client;
use crate::wire::sanitize::visible;
use crate::wire::{Nick, Refusal};

impl Dialogue {
    pub(super) fn hear_refusal(&mut self, code: &str) -> Vec<Action> {
        let refusal = Refusal::from_code(code);
        if self.answers_late(refusal) {
            return Vec::new();
        }
        if self.does_not_understand(refusal) {
            return Vec::new();
        }
        if let Some(why) = self.refuses_question(refusal) {
            return hint(why);
        }
        let mut why = words_for(code, self.texts);
        if refusal == Some(Refusal::InvalidNick) && Nick::is_reserved(self.wanted_nick()) {
            why = self.texts.nick_reserved.into();
        }
        let in_talk =
            matches!(self.phase, Phase::Talking | Phase::Leaving) && !self.is_interactive();
        let culprit = in_talk.then(|| self.culprit(refusal)).flatten();
        if !in_talk
            && matches!(
                refusal,
                Some(
                    Refusal::Muted
                        | Refusal::EmptyMessage
                        | Refusal::LineTooLong
                        | Refusal::InvalidUtf8
                )
            )
        {
            // That was the answer to something that was said. It has no echo.
            let echoes = self.echoes;
            if let Some(Pending::Said(text)) =
                self.confirmed(|pending| matches!(pending, Pending::Said(_)))
            {
                self.forget_own(&text);
            }
            self.echoes = echoes;
        }
        match (self.phase, refusal) {
            // The person still thinks.
            (Phase::Nameless, Some(Refusal::RegistrationTimeout)) if self.is_interactive() => {
                vec![Action::Unhurried]
            }
            (
                _,
                Some(
                    Refusal::RoomFull
                    | Refusal::Banned
                    | Refusal::Crowded
                    | Refusal::RegistrationTimeout
                    | Refusal::BadHandshake
                    | Refusal::EncryptionRequired
                    | Refusal::WrongPassword
                    | Refusal::TooManyGuesses,
                ),
            ) => self.fail(Failure::Refused(why)),
            // A nick that was chosen without a connection: the old one is there still.
            (Phase::Registering, _)
                if self.returning
                    && is_about_the_nick(refusal)
                    && self.kept.as_ref().is_some_and(|kept| *kept != self.nick) =>
            {
                self.confirmed(|pending| matches!(pending, Pending::Nick(_)));
                let kept = self.kept.clone().unwrap_or_default();
                let refused = (self.texts.nick_refused)(&visible(&self.nick), &why);
                let mut actions = hint(&refused);
                actions.extend(self.register(&kept));
                actions
            }
            // The server may not know yet that our old connection is dead.
            (Phase::Registering, Some(Refusal::NickInUse))
                if self.returning && self.kept.is_some() =>
            {
                let held = (self.texts.held)(&visible(&self.nick));
                self.fail(Failure::Refused(held))
            }
            (Phase::Registering, _) if self.is_interactive() => {
                self.phase = Phase::Nameless;
                self.confirmed(|pending| matches!(pending, Pending::Nick(_)));
                let nick = self.nick.clone();
                let shown = visible(&nick);
                if refusal == Some(Refusal::NickInUse) {
                    let other = variant(&nick);
                    return [hint(&(self.texts.nick_taken)(&shown, &other)), self.ask(&other)]
                        .concat();
                }
                let refused = match is_about_the_nick(refusal) {
                    true => (self.texts.nick_refused)(&shown, &why),
                    false => (self.texts.refused)(&why),
                };
                let other = suggest_nick(&nick).filter(|other| *other != nick);
                let other = other.filter(|_| is_about_the_nick(refusal)).unwrap_or_default();
                [hint(&refused), self.ask(&other)].concat()
            }
            (Phase::Registering, _) => vec![Action::Fail(match is_about_the_nick(refusal) {
                true => Failure::Nick(mem::take(&mut self.nick), why),
                false => Failure::Refused(why),
            })],
            (_, Some(Refusal::UserNotFound)) if self.is_interactive() => hint(&self.nobody()),
            (_, Some(Refusal::NickInUse | Refusal::InvalidNick | Refusal::TooFast))
                if self.is_interactive() =>
            {
                let hint = match self.confirmed(|pending| matches!(pending, Pending::Nick(_))) {
                    Some(Pending::Nick(nick)) => {
                        let refused = (self.texts.nick_refused)(&visible(&nick), &why);
                        let other = suggest_nick(&nick).filter(|other| *other != nick);
                        match other.filter(|_| refusal == Some(Refusal::InvalidNick)) {
                            Some(other) => format!("{refused}; {}", (self.texts.perhaps)(&other)),
                            None => refused,
                        }
                    }
                    _ => (self.texts.refused)(&why),
                };
                // It was waited for.
                vec![Action::Hint(hint), Action::Prompt(self.nick.clone())]
            }
            _ => {
                let text = Some(code.into());
                let mut actions =
                    vec![Action::Show(Record { kind: Kind::Error, text, ..Record::default() })];
                if !self.is_interactive() {
                    let why = (self.texts.refused)(&why);
                    actions.push(Action::Refused(match culprit {
                        Some(line) => about(&line, &why),
                        None => why,
                    }));
                }
                if self.mode == Mode::Editor {
                    // Perhaps it was waited for.
                    actions.push(Action::Prompt(self.nick.clone()));
                }
                actions
            }
        }
    }

    /// The line of a program that the server refuses, as far as that can be known.
    /// Answers come in the order of the lines.
    pub(super) fn culprit(&mut self, refusal: Option<Refusal>) -> Option<String> {
        let echoes = self.echoes;
        let pending = match refusal? {
            Refusal::UserNotFound => {
                let first = |known: &dyn Fn(&String) -> bool| {
                    let mut told =
                        self.unconfirmed.iter().map_while(|(_, pending)| match pending {
                            Pending::Told { to, .. } => Some(to),
                            // Its own answer comes first.
                            _ => None,
                        });
                    told.position(|to| !known(to))
                };
                let here = |to: &String| matches!(self.members.look_up(to), Lookup::Nick(_));
                // A list may be cut, or old.
                let at = first(&here)
                    .or_else(|| first(&|to| self.members.has(to)))
                    .or_else(|| first(&|_| false))?;
                self.take(at);
                self.unconfirmed.pop_front().map(|(_, pending)| pending)
            }
            Refusal::NickInUse | Refusal::InvalidNick | Refusal::TooFast => {
                self.confirmed(|pending| matches!(pending, Pending::Nick(_)))
            }
            Refusal::Muted
            | Refusal::EmptyMessage
            | Refusal::MalformedDm
            | Refusal::LineTooLong
            | Refusal::InvalidUtf8 => {
                self.confirmed(|pending| matches!(pending, Pending::Said(_) | Pending::Told { .. }))
            }
            _ => None,
        };
        // It has no echo.
        self.echoes = echoes;
        match pending? {
            Pending::Said(text) => {
                self.forget_own(&text);
                Some(text)
            }
            Pending::Told { to, text } => Some(format!("@{to} {text}")),
            Pending::Nick(nick) => Some(format!("NICK {nick}")),
            Pending::Who | Pending::OwnWho | Pending::Understand | Pending::Past => None,
        }
    }

    /// One of the last direct messages had no recipient: most likely the one for
    /// a nick that is not in the list.
    pub(super) fn nobody(&mut self) -> String {
        let unknown = |to: &String| self.members.look_up(to) != Lookup::Nick(to.clone());
        let at = self.recent_dms.iter().position(unknown);
        let to =
            at.and_then(|at| self.recent_dms.remove(at)).or_else(|| self.recent_dms.pop_back());
        match to {
            Some(to) => {
                // The private lines before it were told.
                let mut found = false;
                self.unconfirmed.retain(|(_, pending)| match pending {
                    Pending::Told { to: told, .. } if !found => {
                        found = *told == to;
                        false
                    }
                    _ => true,
                });
                let guess = self.members.close_to(&to);
                let guess = guess.as_deref().map(shown_nick);
                (self.texts.nobody)(&shown_nick(&to), guess.as_deref())
            }
            None => (self.texts.refused)(self.texts.user_not_found),
        }
    }
}

/// The words for an error of the server, for people.
pub fn words_for(code: &str, texts: &Client) -> String {
    let words = match Refusal::from_code(code) {
        Some(Refusal::NickInUse) => texts.nick_in_use,
        Some(Refusal::InvalidNick) => texts.nick_invalid,
        Some(Refusal::UserNotFound) => texts.user_not_found,
        Some(Refusal::MalformedDm) => texts.malformed_dm,
        Some(Refusal::EmptyMessage) => texts.empty_message,
        Some(Refusal::NotRegistered) => texts.not_registered,
        Some(Refusal::UnknownCommand) => texts.unknown_command,
        Some(Refusal::LineTooLong) => texts.line_too_long,
        Some(Refusal::InvalidUtf8) => texts.invalid_utf8,
        Some(Refusal::TooFast) => texts.too_fast,
        Some(Refusal::Muted) => texts.muted,
        Some(Refusal::RoomFull) => texts.room_full,
        Some(Refusal::Banned) => texts.banned,
        Some(Refusal::Crowded) => texts.crowded,
        Some(Refusal::RegistrationTimeout) => texts.registration_timeout,
        Some(Refusal::BadHandshake) => texts.bad_handshake,
        Some(Refusal::EncryptionRequired) => texts.encryption_required,
        Some(Refusal::WrongPassword) => texts.wrong_password,
        Some(Refusal::TooManyGuesses) => texts.too_many_guesses,
        None => return visible(code).into_owned(),
    };
    words.into()
}
