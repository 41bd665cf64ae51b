//! Lines of the user: text, commands and mistakes.

use std::time::Duration;

use crate::client::dialogue::commands::{self, Input, InputError};
use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{Addressee, Dialogue, Mode, Partner, Phase, hint, note, said};
use crate::client::format::{about, shown_nick};
use crate::client::members::Lookup;
use crate::client::record::{Action, Failure, Kind, Record};
use crate::wire::sanitize::{is_blank, strip, visible};
use crate::wire::{Command, MAX_COMMAND, Nick, literal, pieces};

/// How many own direct messages are kept in mind, in case the server knows no
/// such person.
const MAX_RECENT_DMS: usize = 100;

impl Dialogue {
    /// The user has entered something: one line, or several with line feeds between.
    /// `pasted` is whether it begins with pasted text. (What is typed in raw mode is
    /// not looked at.)
    pub fn entered(&mut self, entered: &str, pasted: bool, now: Duration) -> Vec<Action> {
        self.now = now;
        let entered = entered.trim_end_matches(['\r', '\n']);
        // Some editors begin a file with it.
        let entered = entered.strip_prefix('\u{FEFF}').unwrap_or(entered);
        if self.phase == Phase::Nameless {
            return self.typed_without_nick(entered);
        }
        if self.literal {
            return entered.split('\n').flat_map(|line| self.say_literally(line)).collect();
        }
        if !pasted && !entered.contains('\n') {
            return self.typed_line(entered);
        }
        let lines: Vec<&str> =
            entered.split('\n').map(|line| line.trim_end_matches('\r')).collect();
        if lines.iter().all(|line| line.trim().is_empty()) && lines.len() > usize::from(pasted) {
            return Vec::new();
        }
        if self.phase == Phase::Away {
            return hint(self.texts.offline);
        }
        if pasted {
            return lines.into_iter().flat_map(|line| self.perform(Input::text(line))).collect();
        }
        self.draft(&lines)
    }

    /// Several lines, of which the first one was typed. It decides on the recipient of all.
    pub(super) fn draft(&mut self, lines: &[&str]) -> Vec<Action> {
        let (first, rest) = lines.split_first().expect("a draft has a line");
        let first = match Input::of(first) {
            Input::Nothing | Input::LeaveWord(_) => Input::text(first),
            input => input,
        };
        match first {
            Input::Say(_) => {
                let rest = rest.iter().map(|line| Input::text(line));
                [first].into_iter().chain(rest).flat_map(|input| self.perform(input)).collect()
            }
            Input::Whisper { .. } | Input::Reply(_) => {
                let (to, text) = match (&first, &self.reply_to) {
                    (Input::Whisper { to, text }, _) => (to.to_string(), *text),
                    (Input::Reply(text), Some(partner)) if !partner.gone => {
                        (partner.nick.clone(), *text)
                    }
                    _ => return self.perform(first),
                };
                let mut actions = self.whisper(&to, text);
                if actions.iter().any(|action| matches!(action, Action::Send(_))) {
                    for line in rest {
                        let blank = line.chars().all(is_blank);
                        let text = if blank { literal(line) } else { (*line).into() };
                        actions.extend(self.whisper(&to, &text));
                    }
                }
                actions
            }
            Input::Error(_) => self.perform(first),
            _ => hint(self.texts.one_line),
        }
    }

    /// A line of standard input, or a part of one: whether it begins and ends here.
    pub fn read(
        &mut self,
        text: &str,
        begins: bool,
        ends: bool,
        pasted: bool,
        now: Duration,
    ) -> Vec<Action> {
        self.partial = !ends;
        // At a cut, blanks are left out.
        let text = if ends { text } else { text.trim_end_matches(' ') };
        if begins {
            return self.entered(text, pasted, now);
        }
        let text = text.trim_end_matches(['\r', '\n']);
        match self.addressee.clone() {
            Some(Addressee::All) => self.say(text),
            Some(Addressee::One(to)) => self.whisper(&to, text),
            None => Vec::new(),
        }
    }

    /// A line of standard input that is not UTF-8, as far as it can be shown.
    pub fn read_garbage(&mut self, shown: &str) -> Vec<Action> {
        self.addressee = None;
        match self.phase {
            Phase::Nameless if !self.is_interactive() => vec![Action::Fail(Failure::NoNick)],
            _ if self.is_interactive() => hint(self.texts.invalid_utf8),
            _ => vec![Action::Refused(about(shown, self.texts.invalid_utf8))],
        }
    }

    pub(super) fn say_literally(&mut self, line: &str) -> Vec<Action> {
        if self.phase == Phase::Away {
            return hint(self.texts.offline);
        }
        self.parts = 0;
        self.say(&literal(line))
    }

    pub(super) fn typed_line(&mut self, line: &str) -> Vec<Action> {
        let input = Input::of(line);
        let sends = matches!(
            input,
            Input::Say(_)
                | Input::Whisper { .. }
                | Input::Reply(_)
                | Input::Error(_)
                | Input::Nick(_)
        );
        let mut actions = self.perform(input);
        // A person reads the hint. A program looks at the status.
        if sends
            && !self.is_interactive()
            && !actions.iter().any(|action| matches!(action, Action::Send(_)))
        {
            for action in &mut actions {
                if let Action::Hint(why) | Action::Note(why) = action {
                    *action = Action::Refused(about(line, why));
                }
            }
        }
        actions
    }

    pub(super) fn perform(&mut self, input: Input<'_>) -> Vec<Action> {
        let texts = self.texts;
        let input = match input {
            Input::LeaveWord(_) if self.is_interactive() => return hint(texts.leave),
            Input::LeaveWord(word) => Input::Say(word.into()),
            input => input,
        };
        let talks =
            !matches!(input, Input::Nothing | Input::Error(_) | Input::Local(..) | Input::Quit);
        if let (Input::Nick(nick), Phase::Away) = (&input, self.phase) {
            // It is asked for when the server is there again.
            self.nick = nick.to_string();
            return vec![Action::Prompt(self.nick.clone())];
        }
        if talks && self.phase == Phase::Away {
            return hint(texts.offline);
        }
        (self.addressee, self.parts) = (None, 0);
        if !matches!(input, Input::Last(_)) {
            self.forget_page();
        }
        match input {
            Input::Nothing => Vec::new(),
            Input::Say(text) => self.say(&text),
            Input::Whisper { to, text } => self.whisper(to, text),
            Input::Reply(text) => match self.reply_to.clone() {
                Some(Partner { nick, gone: true }) => {
                    let successor = self.members.successor(&nick).map(shown_nick);
                    hint(&(texts.reply_gone)(&shown_nick(&nick), successor.as_deref()))
                }
                Some(Partner { nick, .. }) => self.whisper(&nick, text),
                None => hint(texts.no_reply),
            },
            Input::Who => vec![self.question(Pending::Who, Command::Who)],
            Input::Last(count) => self.ask_last(count),
            Input::Search(words) => self.ask_find(words),
            Input::Nick(nick) => {
                vec![self.question(Pending::Nick(nick.into()), Command::Nick(nick))]
            }
            Input::Quit if self.phase == Phase::Away => vec![Action::End],
            Input::Quit => self.quit(),
            Input::Local(row, first) => row.obey(self, first),
            Input::LeaveWord(_) => Vec::new(), // It became a text above.
            Input::Error(error) => hint(&match error {
                InputError::Unknown(word, guess) => (texts.unknown)(&visible(word), guess),
                InputError::Ambiguous(word, words) => (texts.ambiguous)(word, &words.join(", ")),
                InputError::Arguments(word) => {
                    (texts.usage)(&commands::usage(word, texts.language))
                }
                InputError::Private => texts.private.into(),
                InputError::Message => texts.message.into(),
            }),
        }
    }

    /// `/help`: show the commands.
    pub(super) fn help(&mut self, _: Option<&str>) -> Vec<Action> {
        let commands = commands::chat_commands(self.texts.language);
        let lines = commands.map(|(command, help)| format!("{command:18} {help}"));
        lines.chain([self.texts.said_to_all.into()]).map(Action::Note).collect()
    }

    /// `/quiet`: hide the notices of arrivals and departures, or show them again.
    pub(super) fn hide_notices(&mut self, _: Option<&str>) -> Vec<Action> {
        self.quiet = !self.quiet;
        note(&(self.texts.quiet)(self.quiet))
    }

    /// `/bell`: when to ring. Without a word, say when.
    pub(super) fn set_bell(&mut self, when: Option<&str>) -> Vec<Action> {
        self.bell = when.and_then(|when| when.parse().ok()).unwrap_or(self.bell);
        note(&(self.texts.bell)(self.bell.word()))
    }

    /// `/invite`: show how to join.
    pub(super) fn invite(&mut self, _: Option<&str>) -> Vec<Action> {
        vec![Action::Invite]
    }

    /// `/clear`: clear the screen, if there is one.
    pub(super) fn clear(&mut self, _: Option<&str>) -> Vec<Action> {
        match self.mode {
            Mode::Editor => vec![Action::Clear],
            _ => hint(self.texts.no_screen),
        }
    }

    /// `/ignore`: ignore this nick, or stop that. Without a nick, list the ignored ones.
    pub(super) fn ignore(&mut self, nick: Option<&str>) -> Vec<Action> {
        let Some(nick) = nick else {
            let nicks: Vec<&str> = self.ignored.iter().map(|(_, nick)| nick.as_str()).collect();
            return note(&match nicks[..] {
                [] => self.texts.ignored_nobody.into(),
                _ => (self.texts.ignored)(&nicks.join(", ")),
            });
        };
        let key = Nick::key_of(nick).into_owned();
        let known = self.ignored.len();
        self.ignored.retain(|(ignored, _)| *ignored != key);
        if self.ignored.len() < known {
            return note(&(self.texts.heeding)(&shown_nick(nick)));
        }
        if key == *Nick::key_of(&self.nick) {
            return hint(self.texts.oneself);
        }
        match self.members.look_up(nick) {
            Lookup::Nick(nick) => {
                let shown = shown_nick(&nick).into_owned();
                let actions = note(&(self.texts.ignoring)(&shown));
                self.ignored.push((key, shown));
                actions
            }
            Lookup::Unknown(guess) => {
                let guess = guess.filter(|guess| *guess != self.nick);
                let guess = guess.as_deref().map(shown_nick);
                hint(&(self.texts.nobody)(&shown_nick(nick), guess.as_deref()))
            }
        }
    }

    pub(super) fn say(&mut self, text: &str) -> Vec<Action> {
        self.addressee = Some(Addressee::All);
        let mut pieces = pieces(text, MAX_COMMAND - "MSG …\n".len());
        pieces.retain(|piece| !piece.chars().all(is_blank));
        let at_once = self.mode == Mode::Editor && self.silent && !self.echoes;
        if self.mode == Mode::Editor && !at_once && !self.is_waiting() {
            self.waiting = Some(self.now);
        }
        let mut actions = Vec::new();
        for (piece, number) in pieces.iter_mut().zip(self.sent + 1..) {
            // A piece may begin with an at sign. It would not be said to all.
            if !matches!(Command::message(piece), Ok(Command::Say(_))) {
                piece.insert(0, '…');
            }
            let text = strip(piece).into_owned();
            if at_once {
                let record = said(Kind::Message, &self.nick, &text);
                actions.push(Action::Show(Record { own: true, ..record }));
                self.early.push_back(number);
            }
            self.remember_own(&text);
            self.unconfirmed.push_back((number, Pending::Said(text)));
        }
        self.trim();
        actions.extend(self.send(&pieces, Command::Say));
        actions
    }

    pub(super) fn whisper(&mut self, to: &str, text: &str) -> Vec<Action> {
        let to = match self.members.look_up(to) {
            Lookup::Nick(nick) => nick,
            // A program reads what the server says to it.
            _ if !self.is_interactive() => to.into(),
            Lookup::Unknown(guess) => {
                let guess = guess.filter(|guess| *guess != self.nick);
                let guess = guess.as_deref().map(shown_nick);
                return hint(&(self.texts.nobody)(&shown_nick(to), guess.as_deref()));
            }
        };
        let key = Nick::key_of(&to);
        let partner = self.partners.iter_mut().find(|it| *Nick::key_of(&it.nick) == *key);
        if let Some(partner) = partner.filter(|partner| partner.gone)
            && matches!(self.mode, Mode::Plain | Mode::Editor)
        {
            partner.gone = false; // Told once.
            return hint(&(self.texts.changed_hands)(&shown_nick(&to)));
        }
        let room = (MAX_COMMAND - "MSG @ \n".len()).checked_sub(to.len());
        let Some(room) = room.filter(|&room| room >= 4) else {
            return hint(self.texts.long_nick);
        };
        self.addressee = Some(Addressee::One(to.clone()));
        self.recent_dms.push_back(to.clone());
        if self.recent_dms.len() > MAX_RECENT_DMS {
            self.recent_dms.pop_front();
        }
        self.remember_partner(&to);
        let mut pieces = pieces(text, room);
        pieces.retain(|piece| !piece.chars().all(is_blank));
        let mut actions = Vec::new();
        if self.mode == Mode::Script {
            // The client needs the list of members to name a line that has no recipient.
            let asked = || {
                self.unconfirmed
                    .iter()
                    .any(|(_, pending)| matches!(pending, Pending::Who | Pending::OwnWho))
            };
            if !self.members.are_listed() && !asked() {
                actions.push(self.question(Pending::OwnWho, Command::Who));
            }
        }
        for (piece, number) in pieces.iter().zip(self.sent + 1..) {
            let told = Pending::Told { to: to.clone(), text: piece.clone() };
            self.unconfirmed.push_back((number, told));
        }
        self.trim();
        if self.mode == Mode::Editor {
            actions.extend(pieces.iter().map(|piece| {
                let record = said(Kind::Private, &self.nick, &strip(piece));
                Action::Show(Record { to: Some(to.clone()), own: true, ..record })
            }));
        }
        actions.extend(self.send(&pieces, |text| Command::Whisper { to: &to, text }));
        actions
    }

    pub(super) fn send<'a>(
        &mut self,
        pieces: &'a [String],
        command: impl Fn(&'a str) -> Command<'a>,
    ) -> Vec<Action> {
        self.sent += pieces.len() as u32;
        let mut actions: Vec<Action> =
            pieces.iter().map(|piece| Action::Send(command(piece).to_string())).collect();
        self.parts += pieces.len();
        if self.parts > 1 && !self.partial {
            actions.push(Action::Note((self.texts.in_pieces)(self.parts)));
        }
        actions
    }
}
