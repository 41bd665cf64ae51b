//! Lines of the server: each event becomes records and actions.

use std::mem;
use std::time::Duration;

use unicode_normalization::char::is_combining_mark;

use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{
    Dialogue, LONG_LIST, Listing, Mode, Partner, Phase, Rename, call, hint, notice, said,
    show_group, words_for,
};
use crate::client::format::shown_nick;
use crate::client::members::MAX_NICK;
use crate::client::notices::Presence;
use crate::client::record::{Action, Failure, Kind, PastLine, Record};
use crate::config::Bell;
use crate::secure::handshake::OPENING;
use crate::wire::sanitize::visible;
use crate::wire::{Event, NOTICES_AGAIN, NOTICES_END, NOTICES_OFF, Nick, Others, SERVER, Scope};

/// How many nicks whose owners left unseen are kept in mind.
pub(super) const MAX_UNSEEN: usize = 1000;

/// How many members without encryption are named.
const MAX_IN_THE_CLEAR: usize = 5;

/// The bell gains one ring in this time.
pub(super) const BELL_PAUSE: Duration = Duration::from_secs(3);

/// The most rings that the bell saves for later.
pub(super) const MAX_RINGS: u32 = 6;

impl Dialogue {
    /// The server has said a line, without its end; `now` is the time since any
    /// fixed moment.
    pub fn heard(&mut self, line: &str, now: Duration) -> Vec<Action> {
        let actions = self.answer(line, now);
        let taken = self.taken.drain(..).map(Action::Show);
        taken.chain(actions).collect()
    }

    pub(super) fn answer(&mut self, line: &str, now: Duration) -> Vec<Action> {
        let event = Event::parse(line);
        if self.mode == Mode::Raw {
            let ends = (event == Event::Bye).then_some(Action::End);
            let refused = match &event {
                Event::Refused(refusal) => Some(words_for(refusal.code(), self.texts)),
                Event::Failed(words) => Some(words_for(words, self.texts)),
                _ => None,
            };
            let refused = refused.map(|why| Action::Refused((self.texts.refused)(&why)));
            let shown = Action::ShowRaw(line.to_string());
            return [shown].into_iter().chain(refused).chain(ends).collect();
        }
        let announced = mem::take(&mut self.announced);
        let listing = self.listing.take();
        let last_word = self.last_word.take();
        let renamed = self.renamed.take();
        self.now = now;
        if let Some(renamed) = renamed.as_ref().filter(|renamed| renamed.has_left)
            && !matches!(event, Event::Joined(nick) if bounded(nick) == renamed.new)
        {
            self.is_gone(&renamed.old);
        }
        self.count_last_word(event == Event::Bye);
        match event {
            // We know what we have to do.
            Event::Greeting => Vec::new(),
            Event::Welcome(nick) => self.hear_welcome(nick),
            Event::Message { from, scope: Scope::All, text } => self.hear_message(from, text),
            Event::Message { from: SERVER, scope: Scope::Dm, text }
                if let Some(others) = Others::parse(text) =>
            {
                self.hear_others(others, text, listing)
            }
            Event::Message { from, scope: Scope::Dm, text } => self.hear_dm(from, text),
            // A server without echo: it was heard by all the others.
            Event::Sent(None) => {
                match self.confirmed(|pending| matches!(pending, Pending::Said(_))) {
                    Some(Pending::Said(_)) if self.was_early() => Vec::new(),
                    Some(Pending::Said(text)) => {
                        let nick = self.nick.clone();
                        vec![Action::Show(Record {
                            own: true,
                            ..said(Kind::Message, &nick, &text)
                        })]
                    }
                    _ => Vec::new(),
                }
            }
            // One without confirmation does not say this either.
            Event::Sent(Some(_)) => Vec::new(),
            Event::Joined(nick) => self.hear_joined(bounded(nick), renamed),
            Event::Left(nick) => self.hear_left(bounded(nick), renamed),
            Event::Users(nicks) => {
                self.members.are_here(&nicks);
                let question =
                    |pending: &Pending| matches!(pending, Pending::Who | Pending::OwnWho);
                let begun = listing.filter(|listing| listing.goes_on_with(&nicks));
                let continues = begun.is_some();
                let own = match begun {
                    Some(Listing { own, .. }) => own,
                    None => self.confirmed(question) == Some(Pending::OwnWho),
                };
                self.listing = nicks
                    .last()
                    .filter(|_| line.len() > LONG_LIST)
                    .map(|nick| Listing { last: Nick::key_of(nick).into(), own });
                // A program did not ask.
                if own && !self.is_interactive() {
                    return Vec::new();
                }
                let text = Some(nicks.join(", "));
                let to = Some(self.nick.clone()).filter(|_| own);
                let users = Record { kind: Kind::Users, to, text, own, ..Record::default() };
                let mut actions = vec![Action::Show(users)];
                if own && !continues {
                    actions.extend(self.still_ignored());
                }
                actions
            }
            Event::InTheClear(nicks) if self.is_interactive() && self.encrypted => {
                let mut shown: Vec<String> = nicks
                    .iter()
                    .take(MAX_IN_THE_CLEAR)
                    .map(|nick| visible(bounded(nick)).into())
                    .collect();
                if nicks.len() > MAX_IN_THE_CLEAR {
                    shown.push((self.texts.more)(nicks.len() - MAX_IN_THE_CLEAR));
                }
                super::note(&(self.texts.in_the_clear)(&shown.join(", "), nicks.len()))
            }
            Event::InTheClear(_) => Vec::new(),
            Event::Refused(refusal) => self.hear_refusal(refusal.code()),
            Event::Failed(words) => self.hear_refusal(words),
            Event::Bye => match self.phase {
                Phase::Registering => self.fail(Failure::Refused(self.texts.said_goodbye.into())),
                Phase::Nameless if self.is_interactive() => vec![Action::Unhurried],
                // It says so to all when it stops, and may come back.
                Phase::Talking if announced => {
                    let mut actions = self.unheard();
                    actions.push(Action::Stopped);
                    actions
                }
                phase => {
                    if phase == Phase::Leaving {
                        self.take(self.unconfirmed.len());
                    }
                    let bye = Record { kind: Kind::Bye, ..Record::default() };
                    let mut actions = self.take_notices();
                    if phase == Phase::Talking && !self.is_interactive() {
                        actions.extend(self.unheard());
                        let why = last_word.map(|why| (self.texts.dismissed)(&visible(&why)));
                        actions.extend(why.map(Action::Refused));
                    }
                    actions.extend([Action::Show(bye), Action::End]);
                    actions
                }
            },
            Event::History(count) => {
                self.history = count;
                vec![Action::Show(notice(line))]
            }
            Event::Capabilities(words) => self.hear_capabilities(&words),
            // The leaving and the joining follow, and are shown.
            Event::Renamed { old, new } => {
                let (old, new) = (bounded(old).into(), bounded(new).into());
                self.renamed = Some(Rename { old, new, has_left: false });
                Vec::new()
            }
            Event::Past { number, seconds, from, text } => {
                let (from, text) = (from.to_string(), text.to_string());
                self.hear_past(PastLine { number, seconds, own: from == self.nick, from, text })
            }
            Event::Now { term, number, ancestors } => self.hear_now(term, number, &ancestors),
            Event::Room { room, epoch, born, .. } => self.hear_room(room, epoch, born),
            Event::Next(heirs) => self.hear_next(&heirs),
            // A host does not say this.
            Event::Elsewhere { .. } => Vec::new(),
            Event::Found { count, more } => self.hear_found(count, more),
            // The server can encrypt, and takes what follows for records.
            Event::Other(line) if line.starts_with(OPENING) && self.may_answer_late() => {
                self.late = false;
                vec![Action::Encrypts]
            }
            Event::Other(_) => {
                vec![Action::Show(notice(line))]
            }
        }
    }

    pub(super) fn hear_message(&mut self, from: &str, text: &str) -> Vec<Action> {
        self.announced = from == SERVER;
        if from == SERVER {
            self.hear_of_notices(text);
        }
        let own = from == self.nick;
        let old = self.history > 0;
        if !old {
            self.count_message(from, text);
        }
        let shows = old || self.remember(from, text);
        self.history = self.history.saturating_sub(1);
        // An earlier line is no answer, though one of the same name said it.
        let echo =
            own && !old && self.confirmed(|pending| matches!(pending, Pending::Said(_))).is_some();
        if echo && self.was_early() {
            return Vec::new();
        }
        if !echo {
            self.members.goes_on();
        }
        self.members.spoke(from);
        if !shows || !echo && self.ignores(from) {
            return Vec::new();
        }
        let loud = !own && mentions(text, &self.nick);
        let mut actions = self.announced(from);
        actions.push(Action::Show(Record { own, loud, ..said(Kind::Message, from, text) }));
        if !own && !old {
            actions.extend(self.ring(loud));
            actions.extend(loud.then(|| call(from, text)));
        }
        actions
    }

    pub(super) fn hear_dm(&mut self, from: &str, text: &str) -> Vec<Action> {
        if self.ignores(from) {
            return Vec::new();
        }
        if from == SERVER {
            self.last_word = Some(text.into());
            self.hear_of_notices(text);
        }
        self.members.spoke(from);
        if from != SERVER {
            self.remember_partner(from);
            self.reply_to = Some(Partner { nick: from.into(), gone: false });
        }
        let mut actions = self.announced(from);
        let to = Some(self.nick.clone());
        actions.push(Action::Show(Record { to, loud: true, ..said(Kind::Private, from, text) }));
        actions.extend(self.ring(true));
        actions.push(call(from, text));
        actions
    }

    /// The list of members goes on without nicks.
    fn hear_others(&mut self, others: Others, text: &str, list: Option<Listing>) -> Vec<Action> {
        if others.in_the_clear {
            // Those that were named stand for all.
            return Vec::new();
        }
        self.members.are_more(others.count);
        // A program did not ask.
        if list.is_some_and(|list| list.own) && !self.is_interactive() {
            return Vec::new();
        }
        let to = Some(self.nick.clone());
        vec![Action::Show(Record { to, ..said(Kind::Private, SERVER, text) })]
    }

    /// The server says whether comings and goings are told.
    fn hear_of_notices(&mut self, text: &str) {
        match text {
            NOTICES_END | NOTICES_OFF => self.members.are_told(false),
            NOTICES_AGAIN => self.members.are_told(true),
            _ => (),
        }
    }

    /// Shows the waiting notices if one is about the sender.
    pub(super) fn announced(&mut self, nick: &str) -> Vec<Action> {
        if self.notices.contains(nick) { self.take_notices() } else { Vec::new() }
    }

    /// The owner of a nick left: a private word to the next owner is not meant for them.
    /// Perhaps they go on under another nick.
    pub(super) fn hear_left(&mut self, nick: &str, renamed: Option<Rename>) -> Vec<Action> {
        let key = Nick::key_of(nick).into_owned();
        self.renamed = renamed.filter(|renamed| !renamed.has_left && renamed.old == nick);
        match &mut self.renamed {
            Some(renamed) => renamed.has_left = true,
            None => self.is_gone(nick),
        }
        let ignored = self.ignores(nick);
        if self.quiet || ignored {
            if self.unseen.len() == MAX_UNSEEN {
                self.unseen.pop_front();
            }
            self.unseen.push_back((key.clone(), ignored));
        }
        let actions = self.notice(Presence::Left, nick);
        // The next owner of the nick counts as another person.
        self.ignored.retain(|(ignored, _)| *ignored != key);
        actions
    }

    pub(super) fn hear_joined(&mut self, nick: &str, renamed: Option<Rename>) -> Vec<Action> {
        let arrival = match renamed.filter(|renamed| renamed.has_left && renamed.new == nick) {
            Some(Rename { old, .. }) => {
                self.follow(&old, nick);
                self.members.renamed(&old, nick)
            }
            None => {
                if self.tells_renames {
                    self.members.goes_on();
                }
                self.members.joined(nick, self.now)
            }
        };
        let key = Nick::key_of(nick).into_owned();
        let left = self.unseen.iter().rposition(|(unseen, _)| *unseen == key);
        let left = left.and_then(|at| self.unseen.remove(at));
        if let Some(old) = arrival.perhaps {
            let old_key = Nick::key_of(&old);
            if self.unseen.back() == Some(&(old_key.into_owned(), true)) {
                let shown = shown_nick(nick).into_owned();
                let hint = (self.texts.ignoring_too)(&shown, &shown_nick(&old));
                if !self.ignores(nick) {
                    self.ignored.push((key, shown));
                }
                return vec![Action::Hint(hint)];
            }
        }
        match left {
            Some((_, ignored)) if arrival.succeeds || ignored => {
                let mut actions = self.take_notices();
                actions.extend(
                    [Presence::Left, Presence::Joined]
                        .map(|presence| self.notice_at_once(presence, nick)),
                );
                if ignored {
                    actions.push(Action::Hint((self.texts.heard_again)(&shown_nick(nick))));
                }
                actions
            }
            _ => self.notice(Presence::Joined, nick),
        }
    }

    /// The owner of a nick is here no more.
    fn is_gone(&mut self, nick: &str) {
        self.members.left(nick, self.now);
        let key = Nick::key_of(nick);
        for partner in self.partners.iter_mut().chain(&mut self.reply_to) {
            partner.gone |= *Nick::key_of(&partner.nick) == *key;
        }
    }

    /// The partner of a private conversation has another nick now.
    fn follow(&mut self, old: &str, new: &str) {
        let key = Nick::key_of(old);
        for partner in self.partners.iter_mut().chain(&mut self.reply_to) {
            if !partner.gone && *Nick::key_of(&partner.nick) == *key {
                partner.nick = new.into();
            }
        }
    }

    /// Tells which nicks are still ignored: after a lost connection they may have other owners.
    pub(super) fn still_ignored(&mut self) -> Vec<Action> {
        if !mem::take(&mut self.unsure) {
            return Vec::new();
        }
        let members = &self.members;
        self.ignored.retain(|(key, _)| members.has(key));
        let nicks: Vec<&str> = self.ignored.iter().map(|(_, nick)| nick.as_str()).collect();
        if nicks.is_empty() {
            Vec::new()
        } else {
            hint(&(self.texts.still_ignoring)(&nicks.join(", ")))
        }
    }

    pub(super) fn ring(&mut self, loud: bool) -> Option<Action> {
        let wanted = match self.bell {
            Bell::Never => false,
            Bell::Me => loud,
            Bell::All => true,
        };
        let rests = self.rested.saturating_sub(self.now) > BELL_PAUSE * (MAX_RINGS - 1);
        let rings = wanted && !rests && self.mode == Mode::Editor;
        if rings {
            self.rested = self.rested.max(self.now) + BELL_PAUSE;
        }
        rings.then_some(Action::Ring)
    }

    pub(super) fn notice(&mut self, presence: Presence, nick: &str) -> Vec<Action> {
        let came_back = presence == Presence::Joined && self.was_there(nick);
        if self.quiet || self.ignores(nick) || came_back {
            return Vec::new();
        }
        match self.mode {
            Mode::Editor => {
                self.notices.add(presence, nick, self.now).into_iter().map(show_group).collect()
            }
            _ => vec![self.notice_at_once(presence, nick)],
        }
    }

    /// Tells at once that one person came or went.
    pub(super) fn notice_at_once(&self, presence: Presence, nick: &str) -> Action {
        let kind = if presence == Presence::Joined { Kind::Joined } else { Kind::Left };
        match self.mode {
            Mode::Editor => Action::Presence(presence, vec![nick.into()]),
            _ => Action::Show(Record { kind, from: Some(nick.into()), ..Record::default() }),
        }
    }
}

/// A nick of a length that our server, too, would accept.
pub(super) fn bounded(nick: &str) -> &str {
    &nick[..nick.floor_char_boundary(MAX_NICK)]
}

/// Whether a text has this nick in it, as a word and in any case.
///
/// Some scripts put no blank between words. There, a nick of two or more characters is
/// a word wherever it stands.
pub(super) fn mentions(text: &str, nick: &str) -> bool {
    let (text, nick) = (Nick::key_of(text), Nick::key_of(nick));
    let is_joint = |c: &char| matches!(c, '-' | '_' | '.');
    let in_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let several = nick.chars().nth(1).is_some();
    // At the end of a sentence, a full stop is not part of the nick.
    let parts = |own: Option<char>, next: Option<char>| match next {
        Some(next) if is_combining_mark(next) => false,
        Some(next) if in_word(next) => {
            several && (is_unspaced(next) || own.is_some_and(is_unspaced))
        }
        _ => true,
    };
    let ends_mark = |before: &str| before.chars().rev().find(|c| !is_joint(c));
    !nick.is_empty()
        && text.match_indices(&*nick).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + nick.len()..]);
            let before = match ends_mark(before) {
                // The letter that bears the marks.
                Some(c) if is_combining_mark(c) => {
                    before.chars().rev().find(|&c| !is_joint(&c) && !is_combining_mark(c))
                }
                last => last,
            };
            parts(nick.chars().next(), before)
                && parts(nick.chars().next_back(), after.chars().find(|c| !is_joint(c)))
        })
}

/// Whether a letter belongs to a script that puts no blanks between words: of Chinese,
/// Japanese, Korean, Thai, Lao, Tibetan, Burmese or Khmer. (Korean has blanks, but adds
/// its particles to names.)
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{2E80}'..='\u{312F}'
        | '\u{31A0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}
