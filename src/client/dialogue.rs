//! The talk of one client, as a pure state machine: lines typed and lines
//! heard go in, things to do come out.

pub mod commands;
mod heard;
mod hosted;
mod past;
mod refusal;
mod registration;
mod typed;
mod unconfirmed;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use crate::client::members::Members;
use crate::client::notices::{Group, Notices};
use crate::client::record::{Action, Failure, Kind, Record};
use crate::config::Bell;
use crate::texts::Client;
use crate::wire::{Command, Nick, Ticket};

use hosted::HostedState;
use past::PastState;
pub use refusal::words_for;
pub use registration::suggest_nick;
use unconfirmed::{ON_ITS_WAY, Pending};

/// How many messages that may be lost are named.
const MAX_UNHEARD: usize = 5;

/// How many partners of private messages are remembered.
const MAX_PARTNERS: usize = 100;

/// One client's side of the conversation.
#[derive(Debug)]
pub struct Dialogue {
    texts: &'static Client,
    phase: Phase,
    mode: Mode,
    /// The nick that the server knows us by, or is asked for.
    nick: String,
    /// The nick that a person may take by pressing Enter.
    suggested_nick: String,
    /// The lines that the server will answer, and their numbers among all.
    unconfirmed: VecDeque<(u32, Pending)>,
    /// The recipients of the last direct messages.
    recent_dms: VecDeque<String>,
    /// How many lines were sent, and the number of the last one that is known to
    /// have been listened to.
    sent: u32,
    arrived: u32,
    /// The number of the last line of which the connection is known to have delivered all.
    delivered: u32,
    /// Something that was said to all has come back: it always will.
    echoes: bool,
    members: Members,
    /// The server says when a member takes another nick.
    tells_renames: bool,
    /// It has just said so; a leaving and a joining follow.
    renamed: Option<Rename>,
    past: PastState,
    hosted: HostedState,
    /// The last line was a list of nicks, which may go on in the next one.
    listing: Option<Listing>,
    notices: Notices,
    /// The ignored people: the keys of their nicks, and the nicks.
    ignored: Vec<(String, String)>,
    /// Notices of arrivals and departures are hidden.
    quiet: bool,
    bell: Bell,
    /// The sender of the last private message.
    reply_to: Option<Partner>,
    /// The partners of private messages.
    partners: VecDeque<Partner>,
    /// Nicks whose owners left without being shown, by their keys, and whether they were
    /// ignored.
    unseen: VecDeque<(String, bool)>,
    /// The time of what happened last.
    now: Duration,
    /// When the bell has all its rings again.
    rested: Duration,
    /// Since when the server has not answered to what was said; none once that was told.
    waiting: Option<Duration>,
    /// The numbers of the own lines that were shown before an answer.
    early: VecDeque<u32>,
    /// The server has not answered in time to what was said.
    silent: bool,
    /// How many of the next messages are older than our session.
    history: usize,
    /// The connection was lost since the last list of members.
    unsure: bool,
    /// The connection was lost, and that was told.
    returning: bool,
    /// The nick under which the server last let us in.
    kept: Option<String>,
    /// Where the server is.
    address: String,
    /// That is not where it was.
    moved: bool,
    /// The last thing that was heard came from the server itself, for all.
    announced: bool,
    /// Private lines of a program that the server has taken, and that are not told yet.
    taken: Vec<Record>,
    /// The last thing that was heard, if the server itself said it to us alone.
    last_word: Option<String>,
    /// Every line is a text to be said to all.
    literal: bool,
    /// The connection is encrypted.
    encrypted: bool,
    /// The server may still answer the line that asked for encryption.
    late: bool,
    /// The secret of this run by which the server knows us again.
    ticket: Option<Ticket>,
    /// The recipient of the line that is being read; none if it did not work.
    addressee: Option<Addressee>,
    /// In how many messages that line went so far.
    parts: usize,
    /// That line has not ended.
    partial: bool,
}

/// The recipient of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Addressee {
    All,
    One(String),
}

/// A member takes another nick.
#[derive(Debug)]
struct Rename {
    old: String,
    new: String,
    /// The line that the old nick left has come.
    has_left: bool,
}

/// A partner of private messages.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partner {
    nick: String,
    /// They left, or the connection was lost: the nick may have another owner now.
    gone: bool,
}

/// The kind of user that the client serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A program, which cannot be asked and reads everything.
    Script,
    /// A person at a plain terminal.
    Plain,
    /// A person with a line editor.
    Editor,
    /// Lines go through as they are.
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no nick to register yet.
    Nameless,
    /// The server was asked for a nick and has not answered.
    Registering,
    /// We are in.
    Talking,
    /// We said `QUIT`.
    Leaving,
    /// The connection was lost, and may come back.
    Away,
}

impl Dialogue {
    /// A dialogue that has not begun. A person may take `suggested_nick` for a nick.
    pub fn new(
        mode: Mode,
        suggested_nick: Option<&str>,
        bell: Bell,
        texts: &'static Client,
    ) -> Dialogue {
        Dialogue {
            texts,
            phase: if mode == Mode::Raw { Phase::Talking } else { Phase::Nameless },
            mode,
            nick: String::new(),
            suggested_nick: suggested_nick.unwrap_or_default().into(),
            unconfirmed: VecDeque::new(),
            recent_dms: VecDeque::new(),
            sent: 0,
            arrived: 0,
            delivered: 0,
            echoes: false,
            members: Members::default(),
            tells_renames: false,
            renamed: None,
            past: PastState::default(),
            hosted: HostedState::default(),
            listing: None,
            notices: Notices::default(),
            ignored: Vec::new(),
            quiet: false,
            bell,
            reply_to: None,
            partners: VecDeque::new(),
            unseen: VecDeque::new(),
            now: Duration::ZERO,
            rested: Duration::ZERO,
            early: VecDeque::new(),
            silent: false,
            waiting: None,
            history: 0,
            unsure: false,
            returning: false,
            kept: None,
            address: String::new(),
            moved: false,
            announced: false,
            taken: Vec::new(),
            last_word: None,
            literal: false,
            encrypted: false,
            late: false,
            ticket: None,
            addressee: None,
            parts: 0,
            partial: false,
        }
    }

    /// The conversation is encrypted.
    pub fn set_encrypted(&mut self) {
        self.encrypted = true;
    }

    /// Whether the server of this connection has not answered the line that asked for
    /// encryption, so that its answer may come late.
    pub fn set_late(&mut self, late: bool) {
        self.late = late;
    }

    /// The secret of this run, told to the server in an encrypted conversation alone.
    pub fn set_ticket(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    /// Whether the server may keep our nick if the connection ends without `QUIT`.
    pub fn is_expected_back(&self) -> bool {
        // The answer to the nick may be on its way.
        let has_nick = matches!(self.phase, Phase::Registering | Phase::Talking);
        self.encrypted && self.ticket.is_some() && has_nick
    }

    /// The welcome.
    fn welcome(&self) -> &'static str {
        if self.encrypted { self.texts.welcome_encrypted } else { self.texts.welcome }
    }

    /// Takes every line for a text to be said to all, and none for a command.
    pub fn take_all_as_text(&mut self) {
        self.literal = true;
    }

    /// Whether it is the user's turn. Before the server has answered to the nick,
    /// what is typed has to wait.
    pub fn listens_to_the_user(&self) -> bool {
        matches!(self.phase, Phase::Nameless | Phase::Talking | Phase::Away)
    }

    /// Whether the server owes an answer without which nothing goes on.
    pub fn awaits_the_server(&self) -> bool {
        matches!(self.phase, Phase::Registering | Phase::Leaving)
    }

    /// Whether there is a nick to go on with.
    pub fn knows_a_nick(&self) -> bool {
        self.phase != Phase::Nameless
    }

    /// Whether `QUIT` was said.
    pub fn is_leaving(&self) -> bool {
        self.phase == Phase::Leaving
    }

    /// Whether there is a nick to come back with.
    pub fn may_return(&self) -> bool {
        self.returning || self.phase == Phase::Talking
    }

    /// Whether a nick was asked for and is not answered, for the first time.
    pub fn is_registering(&self) -> bool {
        self.phase == Phase::Registering && !self.returning
    }

    /// Whether what is typed can be said, or kept, while the connection is lost.
    pub fn is_awake_when_away(&self) -> bool {
        self.is_interactive()
    }

    /// A connection to the server was made at this address, and whether it was elsewhere
    /// before.
    pub fn arrived(&mut self, address: &str, moved: bool) {
        self.address = address.into();
        self.moved |= moved;
    }

    /// The nicks of the others, the last speaker first, if the list has changed.
    pub fn changed_nicks(&mut self) -> Option<Vec<String>> {
        self.members.take_changed_nicks(&self.nick)
    }

    /// When [`time_passed`](Dialogue::time_passed) has something to tell, in the time
    /// of [`heard`](Dialogue::heard).
    pub fn deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.map(|since| since + ON_ITS_WAY);
        [self.notices.deadline(), waiting, self.repeat_deadline()].into_iter().flatten().min()
    }

    /// It is this time, and something may have to be told.
    pub fn time_passed(&mut self, now: Duration) -> Vec<Action> {
        self.now = now;
        let mut actions = Vec::new();
        if self.notices.deadline().is_some_and(|deadline| deadline <= now) {
            actions.extend(self.take_notices());
        }
        if self.waiting.is_some_and(|since| since + ON_ITS_WAY <= now) {
            self.waiting = None;
            actions.extend(self.unanswered_lines());
        }
        actions.extend(self.repeat_nick());
        actions
    }

    /// Shows the waiting notices.
    fn take_notices(&mut self) -> Vec<Action> {
        self.notices.take().into_iter().map(show_group).collect()
    }

    fn ignores(&self, nick: &str) -> bool {
        !self.ignored.is_empty() && {
            let key = Nick::key_of(nick);
            self.ignored.iter().any(|(ignored, _)| *ignored == *key)
        }
    }

    /// The user has nothing more to type.
    pub fn end_of_input(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Nameless if !self.is_interactive() => vec![Action::Fail(Failure::NoNick)],
            Phase::Away => vec![Action::End],
            _ => self.quit(),
        }
    }

    /// There were private words with this person.
    fn remember_partner(&mut self, nick: &str) {
        let key = Nick::key_of(nick);
        self.partners.retain(|partner| *Nick::key_of(&partner.nick) != *key);
        if self.partners.len() == MAX_PARTNERS {
            self.partners.pop_front();
        }
        self.partners.push_back(Partner { nick: nick.into(), gone: false });
    }

    /// The server has closed the connection.
    pub fn closed(&mut self) -> Vec<Action> {
        match self.phase {
            // The last messages are lost, because their echo is missing.
            Phase::Leaving
                if self.echoes
                    && self
                        .unconfirmed
                        .iter()
                        .any(|(_, line)| matches!(line, Pending::Said(_))) =>
            {
                self.fail(Failure::Lost)
            }
            Phase::Leaving => vec![Action::End],
            Phase::Registering => self.fail(Failure::Refused(self.texts.closed.into())),
            Phase::Nameless if self.is_interactive() => vec![Action::Unhurried],
            Phase::Nameless | Phase::Talking | Phase::Away => self.fail(Failure::Lost),
        }
    }

    /// How many members there are, as far as is known.
    pub fn crowd(&self) -> usize {
        self.members.number()
    }

    /// The connection was lost, but may come back: what the user should know.
    pub fn lost(&mut self) -> Vec<Action> {
        self.phase = Phase::Away;
        self.remember_members();
        self.members.forget();
        self.history = 0;
        self.recent_dms.clear();
        self.waiting = None;
        self.early.clear();
        self.unsure = true;
        for partner in self.partners.iter_mut().chain(&mut self.reply_to) {
            partner.gone = true;
        }
        let mut actions = self.take_notices();
        if !mem::replace(&mut self.returning, true) {
            actions.push(Action::Show(Record { kind: Kind::Lost, ..Record::default() }));
        }
        actions.extend(self.unheard());
        self.arrived = self.sent;
        actions
    }

    /// The server is there again, but does not let us in, and why.
    pub fn not_yet(&mut self, why: &str) -> Vec<Action> {
        hint(&(self.texts.not_yet)(why))
    }

    fn fail(&mut self, failure: Failure) -> Vec<Action> {
        let mut actions = self.take_notices();
        actions.push(Action::Fail(failure));
        actions
    }

    /// Whether a person types, and can be asked.
    fn is_interactive(&self) -> bool {
        matches!(self.mode, Mode::Plain | Mode::Editor)
    }

    /// Tells that something was not done. A person reads the hint. A program looks at the
    /// status.
    fn decline(&self, why: String) -> Action {
        let tell = if self.is_interactive() { Action::Hint } else { Action::Refused };
        tell(why)
    }

    fn quit(&mut self) -> Vec<Action> {
        self.phase = Phase::Leaving;
        vec![Action::Send(Command::Quit.to_string())]
    }
}

/// A list of nicks is sorted by their keys. It goes on in another line when this many bytes
/// do not do.
const LONG_LIST: usize = 4096;

/// A line of a list that the server gives in several.
#[derive(Debug)]
struct Listing {
    /// The key of the last nick.
    last: Box<str>,
    /// The client asked for it, not the user.
    own: bool,
}

impl Listing {
    /// Whether these nicks belong to the same list: they come after the others in order.
    fn goes_on_with(&self, nicks: &[&str]) -> bool {
        nicks.first().is_some_and(|nick| *Nick::key_of(nick) > *self.last)
    }
}

fn hint(text: &str) -> Vec<Action> {
    vec![Action::Hint(text.into())]
}

fn note(text: &str) -> Vec<Action> {
    vec![Action::Note(text.into())]
}

fn call(from: &str, text: &str) -> Action {
    Action::Call { from: from.into(), text: text.into() }
}

fn show_group((presence, nicks): Group) -> Action {
    Action::Presence(presence, nicks)
}

fn said(kind: Kind, from: &str, text: &str) -> Record {
    Record { kind, from: Some(from.into()), text: Some(text.into()), ..Record::default() }
}

fn notice(line: &str) -> Record {
    Record { text: Some(line.into()), ..Record::default() }
}

#[cfg(test)]
mod tests;
