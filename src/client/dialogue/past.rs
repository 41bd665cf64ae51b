//! Earlier messages: told by the server after joining, and when the user asks.

use std::mem;
use std::time::Duration;

use crate::client::dialogue::unconfirmed::Pending;
use crate::client::dialogue::{Dialogue, Phase, note};
use crate::client::record::{Action, Heading, Kind, Past, PastLine, Record};
use crate::wire::{Command, GOES_ON, LAST_LINE, Refusal, SERVER};

/// How many messages `/last` shows, unless the user says otherwise, and at most.
const PAGE: [u64; 2] = [20, 500];
/// How many lines of an answer are kept until its end. No server sends more of them.
const MAX_LINES: usize = 1000;

/// How long a server may take to answer to the nick after it has refused the question for
/// the past. Some take two lines that arrive together for one.
const REPEAT: Duration = Duration::from_secs(1);

/// The client's knowledge about the past of a room.
#[derive(Debug, Default)]
pub(super) struct PastState {
    /// The server was asked for it on this connection.
    asked: bool,
    /// The server tells it.
    told: bool,
    /// The term, and the number of the last message that was read in it.
    place: Option<(String, u64)>,
    /// When the nick is said again, because the server may have taken two lines for one.
    repeats: Option<Duration>,
    /// The last message may be the server's last word, which has no number.
    uncounted: bool,
    /// The lines of the answer that is coming.
    lines: Vec<PastLine>,
    /// The question that has no answer yet.
    question: Option<Question>,
    /// The lowest number that `/last` has shown: the next page ends before it.
    page: Option<u64>,
}

/// A question about the past.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Last,
    Find(String),
}

/// Whether a refusal is about the nick or the whole connection, and no answer to a line that
/// the server does not know.
fn is_about_more(refusal: Option<Refusal>) -> bool {
    use Refusal::{
        BadHandshake, Banned, Crowded, EncryptionRequired, InvalidNick, NickInUse,
        RegistrationTimeout, RoomFull, TooFast, TooManyGuesses, WrongPassword,
    };
    matches!(
        refusal,
        Some(
            NickInUse
                | InvalidNick
                | TooFast
                | RoomFull
                | Banned
                | Crowded
                | RegistrationTimeout
                | BadHandshake
                | EncryptionRequired
                | WrongPassword
                | TooManyGuesses
        )
    )
}

impl Dialogue {
    /// Goes on where an earlier client has stopped: a term, and the number of the last
    /// message that was read.
    pub fn resume(&mut self, term: &str, number: u64) {
        self.past.place = Some((term.into(), number));
    }

    /// The term, and the number of the last message that was read.
    pub fn place(&self) -> Option<(&str, u64)> {
        self.past.place.as_ref().map(|(term, number)| (term.as_str(), *number))
    }

    /// A new connection was made: nothing was asked on it.
    pub(super) fn forget_questions(&mut self) {
        let place = self.past.place.take();
        self.past = PastState { place, ..PastState::default() };
        self.tells_renames = false;
        self.hosted.reconnected();
    }

    /// Tells the server what we understand and where we have been, once on each connection.
    /// It may know nothing of that.
    pub(super) fn introduce(&mut self) -> Vec<Action> {
        if mem::replace(&mut self.past.asked, true) {
            return Vec::new();
        }
        let ticket = self.ticket.filter(|_| self.encrypted);
        let words = [
            ("history", true),
            ("renames", self.is_interactive()), // A script keeps no person in mind.
            ("keep", ticket.is_some()),
            ("heirs", self.encrypted),
        ];
        let words = words.into_iter().filter_map(|(word, asked)| asked.then_some(word));
        let words = words.collect::<Vec<_>>().join(" ");
        let mut actions = vec![self.question(Pending::Understand, Command::Understand(&words))];
        if let Some(ticket) = ticket {
            actions.push(self.question(Pending::Understand, Command::Keep(ticket)));
        }
        let been = self.been().map(|places| Command::Since(places).to_string());
        if let Some(since) = been {
            self.sent += 1;
            self.unconfirmed.push_back((self.sent, Pending::Understand));
            actions.push(Action::Send(since));
        } else if let Some((term, number)) = self.past.place.clone() {
            let since = Command::Since([Some((&term, number)), None, None, None]);
            actions.push(self.question(Pending::Understand, since));
        }
        actions
    }

    /// Whether a refusal is the late answer to the line that asked for encryption.
    pub(super) fn answers_late(&mut self, refusal: Option<Refusal>) -> bool {
        let late = self.may_answer_late() && !is_about_more(refusal);
        if late {
            self.late = false;
            self.past.repeats = Some(self.now + REPEAT);
        }
        late
    }

    /// Whether the answer to that line may still come: it comes before all others.
    pub(super) fn may_answer_late(&self) -> bool {
        self.late && matches!(self.phase, Phase::Nameless | Phase::Registering)
    }

    /// Whether a refusal answers the question for the past, because the server does not
    /// know such words. The answer to a nick is another one.
    pub(super) fn does_not_understand(&mut self, refusal: Option<Refusal>) -> bool {
        let asked = self.phase == Phase::Registering
            && matches!(self.unconfirmed.front(), Some((_, Pending::Understand)));
        let answered = asked && !is_about_more(refusal);
        if answered && let Some((number, _)) = self.unconfirmed.pop_front() {
            self.arrived = number;
            self.past.repeats = Some(self.now + REPEAT);
        }
        answered
    }

    /// When the nick is said again, unless it is answered before.
    pub(super) fn repeat_deadline(&self) -> Option<Duration> {
        self.past.repeats.filter(|_| self.phase == Phase::Registering)
    }

    /// Says the nick again to a server that takes what arrives together for one line.
    pub(super) fn repeat_nick(&mut self) -> Option<Action> {
        self.repeat_deadline().filter(|deadline| *deadline <= self.now)?;
        self.past.repeats = None;
        Some(Action::Send(Command::Nick(&self.nick).to_string()))
    }

    /// Whether a refusal answers the user's question about the past: why.
    pub(super) fn refuses_question(&mut self, refusal: Option<Refusal>) -> Option<&'static str> {
        self.past.question.as_ref()?;
        let before = self.unconfirmed.iter().map_while(|(_, pending)| match pending {
            Pending::Past => None,
            other => Some(other),
        });
        // A line before the question is answered first.
        let (mut nick, mut text) = (false, false);
        for pending in before {
            nick |= matches!(pending, Pending::Nick(_));
            text |= matches!(pending, Pending::Said(_) | Pending::Told { .. });
        }
        let asked = self.unconfirmed.iter().any(|(_, pending)| *pending == Pending::Past);
        let why = match refusal? {
            Refusal::TooFast if asked && !nick => self.texts.searches_too_fast,
            Refusal::EmptyMessage | Refusal::LineTooLong if asked && !text => {
                self.texts.search_length
            }
            Refusal::UnknownCommand if asked => self.texts.no_history,
            _ => return None,
        };
        self.confirmed(|pending| *pending == Pending::Past);
        self.past.question = None;
        Some(why)
    }

    pub(super) fn hear_capabilities(&mut self, words: &[&str]) -> Vec<Action> {
        self.confirmed(|pending| *pending == Pending::Understand);
        self.past.told = words.contains(&"history");
        self.tells_renames = words.contains(&"renames");
        Vec::new()
    }

    /// Counts a message to all, unless it may be the server's last word.
    pub(super) fn count_message(&mut self, from: &str, text: &str) {
        if let Some((_, number)) = &mut self.past.place {
            let is_last = text == LAST_LINE || text.starts_with(GOES_ON);
            match from == SERVER && is_last {
                true => self.past.uncounted = true,
                false => *number += 1,
            }
        }
    }

    /// Something follows that is not the end, so the last message was not the last word.
    pub(super) fn count_last_word(&mut self, ends: bool) {
        if mem::take(&mut self.past.uncounted)
            && !ends
            && let Some((_, number)) = &mut self.past.place
        {
            *number += 1;
        }
    }

    pub(super) fn hear_past(&mut self, line: PastLine) -> Vec<Action> {
        let wanted = self.catches_up() || !self.ignores(&line.from);
        if self.past.lines.len() < MAX_LINES && wanted {
            self.past.lines.push(line);
        }
        Vec::new()
    }

    /// All was told that was said before now.
    pub(super) fn hear_now(
        &mut self,
        term: &str,
        number: u64,
        ancestors: &[(&str, u64)],
    ) -> Vec<Action> {
        let lines = mem::take(&mut self.past.lines);
        let before = self.past.place.replace((term.into(), number));
        if self.catches_up() {
            return self.catch_up((term, number), ancestors, lines);
        }
        let missed = before.filter(|(known, _)| *known == term);
        if lines.is_empty() {
            return Vec::new();
        }
        let heading = match missed {
            None => Heading::Remembered,
            Some((_, last)) if number.saturating_sub(last) > lines.len() as u64 => {
                Heading::Cut(number - last)
            }
            Some(_) => Heading::Missed,
        };
        vec![Action::ShowPast(Past { heading, lines, words: None, is_new: true })]
    }

    /// The answer to a question is complete.
    pub(super) fn hear_found(&mut self, count: u64, more: bool) -> Vec<Action> {
        self.confirmed(|pending| *pending == Pending::Past);
        let lines = mem::take(&mut self.past.lines);
        let question = self.past.question.take();
        if question == Some(Question::Last)
            && let Some(first) = lines.first()
        {
            self.past.page = Some(first.number);
        }
        let mut actions = Vec::new();
        if !lines.is_empty() {
            let words = match question {
                Some(Question::Find(words)) => Some(words),
                _ => None,
            };
            let past = Past { heading: Heading::Missed, lines, words, is_new: false };
            actions.push(Action::ShowPast(past));
        }
        if !self.is_interactive() {
            let text = Some(format!("{count}{}", if more { " of more" } else { "" }));
            let found = Record { kind: Kind::Found, text, ..Record::default() };
            actions.push(Action::Show(found));
        } else if actions.is_empty() {
            actions = note(self.texts.nothing_found);
        }
        actions
    }

    /// `/last`: the last messages, and those before them when it is said again.
    pub(super) fn ask_last(&mut self, count: Option<u64>) -> Vec<Action> {
        let [usual, most] = PAGE;
        let count = count.unwrap_or(usual).clamp(1, most);
        let before = self.past.page;
        self.ask_past(Question::Last, Command::Last { count, before })
    }

    /// `/search`: the newest messages that hold these words.
    pub(super) fn ask_find(&mut self, words: &str) -> Vec<Action> {
        self.ask_past(Question::Find(words.into()), Command::Find(words))
    }

    /// The next `/last` begins with the last message again.
    pub(super) fn forget_page(&mut self) {
        self.past.page = None;
    }

    fn ask_past(&mut self, question: Question, command: Command<'_>) -> Vec<Action> {
        let refused = match (self.past.told, &self.past.question) {
            (false, _) => Some(self.texts.no_history),
            (true, Some(_)) => Some(self.texts.still_searching),
            (true, None) => None,
        };
        if let Some(why) = refused {
            return vec![self.decline(why.into())];
        }
        self.past.question = Some(question);
        vec![self.question(Pending::Past, command)]
    }
}
