//! What a client says and shows, as a pure state machine: lines typed and lines
//! heard go in, things to do come out.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use unicode_normalization::char::is_combining_mark;

use crate::client::commands::{self, Input, InputError};
use crate::client::members::{Lookup, MAX_NICK, Members};
use crate::client::notices::{Group, Notices, Presence};
use crate::config::Bell;
use crate::texts::Client;
use crate::wire::sanitize::{is_blank, strip, visible};
use crate::wire::{Command, Event, MAX_COMMAND, Nick, Refusal, SERVER, Scope, literal, pieces};

/// How many own messages may wait for their echo. An old server may send none.
const MAX_UNCONFIRMED: usize = 10_000;
/// How many own direct messages are kept in mind, in case the server knows no
/// such person.
const MAX_RECENT_DMS: usize = 100;
/// How many messages that perhaps nobody heard are named.
const MAX_UNHEARD: usize = 5;
/// How many characters of a line that did not work are named.
const MAX_NAMED: usize = 60;
/// How many people with whom there were private words are kept in mind.
const MAX_PARTNERS: usize = 100;
/// How many nicks whose owners left unseen are kept in mind.
const MAX_UNSEEN: usize = 1000;
/// The bell gains one ring in this time.
const BELL_PAUSE: Duration = Duration::from_secs(3);
/// The most rings that the bell saves for later.
const MAX_RINGS: u32 = 6;
/// An own line is shown when the server sends it to all. After this time without an
/// answer, the user is told that it is on its way. A server that never sent one to all
/// may have no echo: the line is shown then.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

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
    /// Whom the last direct messages were for.
    recent_dms: VecDeque<String>,
    /// How many lines were sent, and the number of the last one that is known to
    /// have been listened to.
    sent: u32,
    arrived: u32,
    /// Something that was said to all has come back: it always will.
    echoes: bool,
    members: Members,
    /// The last line was a list of nicks, which may go on in the next one.
    listing: Option<Listing>,
    notices: Notices,
    /// Who is not shown, by the keys of their nicks, and their nicks.
    ignored: Vec<(String, String)>,
    /// Who comes and goes is not shown.
    quiet: bool,
    bell: Bell,
    /// The last person who wrote to us alone.
    reply_to: Option<Partner>,
    /// The people with whom there were private words.
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
    /// So many messages to come were said before we came.
    history: usize,
    /// The connection was lost since the server last told who is here.
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
    /// To whom the line goes that is being read; nobody, if it did not work.
    addressee: Option<Addressee>,
    /// In how many messages that line went so far.
    parts: usize,
    /// That line has not ended.
    partial: bool,
}

/// To whom a line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Addressee {
    All,
    One(String),
}

/// Somebody with whom there were private words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partner {
    nick: String,
    /// They left, or the connection was lost: the nick may have another owner now.
    gone: bool,
}

/// With whom the client has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A program, which cannot be asked and reads everything.
    Script,
    /// Somebody at a plain terminal.
    Plain,
    /// Somebody with a line editor.
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

/// What the server has yet to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pending {
    /// This, said to all.
    Said(String),
    /// A line for one person. There is an answer only if that person is not here.
    Told { to: String, text: String },
    /// The request for this nick.
    Nick(String),
    /// A question of the user's.
    Who,
    /// One of our own.
    OwnWho,
}

/// Something to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this line; it has no end yet.
    Send(String),
    /// Show what was heard.
    Show(Record),
    /// Show a line of the protocol as it came.
    ShowRaw(String),
    /// Show who came or went, when there were many.
    Presence(Presence, Vec<String>),
    /// Tell the user that something did not work, or is not as it should be.
    Hint(String),
    /// Tell the user what was asked for, or what the client does.
    Note(String),
    /// Tell a program that something of its input was not said, and why.
    Refused(String),
    /// Ring the bell.
    Ring,
    /// Call a user who may not be looking: this person has said this.
    Call { from: String, text: String },
    /// Ask for a nick: what Enter stands for, and what is in the line already.
    AskNick { suggested_nick: String, draft: String },
    /// We have this nick.
    Prompt(String),
    /// Show how to join this server.
    Invite,
    /// Clear the screen.
    Clear,
    /// Stop, unless we come back: the server has said goodbye to all.
    Stopped,
    /// The connection ended while a person thinks of a nick. It is made anew for the nick.
    Unhurried,
    /// Stop: all is well.
    End,
    /// Stop: it did not work.
    Fail(Failure),
}

/// Why a dialogue fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody said which nick to register.
    NoNick,
    /// The input is UTF-16.
    Utf16,
    /// This nick was not taken, and why.
    Nick(String, String),
    /// The server does not want us, and why.
    Refused(String),
    /// The server is gone without a word.
    Lost,
}

/// One thing that was heard, in the shape that all formats have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    /// Whom it comes from or is about.
    pub from: Option<String>,
    /// To whom alone it was said.
    pub to: Option<String>,
    /// The text as it came; the code of an error; the nicks who are here.
    pub text: Option<String>,
    /// It is our own; or of who is here: it answers a question of our own.
    pub own: bool,
    /// It names us; or of a way back: the server is elsewhere now.
    pub loud: bool,
}

/// The kind of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Message,
    Private,
    Joined,
    Left,
    Users,
    Welcome,
    Error,
    #[default]
    Notice,
    Bye,
    /// The connection was lost.
    Lost,
    /// It is there again.
    Back,
}

impl Kind {
    /// The word for it in tab-separated and JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Private => "private",
            Kind::Joined => "joined",
            Kind::Left => "left",
            Kind::Users => "users",
            Kind::Welcome => "welcome",
            Kind::Error => "error",
            Kind::Notice => "notice",
            Kind::Bye => "bye",
            Kind::Lost => "lost",
            Kind::Back => "back",
        }
    }
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
            echoes: false,
            members: Members::default(),
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
            addressee: None,
            parts: 0,
            partial: false,
        }
    }

    /// Takes every line for a text to be said to all, and none for a command.
    pub fn take_all_as_text(&mut self) {
        self.literal = true;
    }

    /// There is a connection: the first things to do. The nick is what the command
    /// line says.
    pub fn connected(&mut self, nick: Option<&str>) -> Vec<Action> {
        if self.returning || self.phase == Phase::Registering {
            self.unconfirmed.clear();
            let nick = self.nick.clone();
            return self.register(&nick);
        }
        let mut actions = Vec::new();
        if self.mode == Mode::Editor {
            actions.extend(note(self.texts.welcome));
        }
        actions.extend(match nick {
            _ if self.mode == Mode::Raw => Vec::new(),
            Some(nick) => self.register(nick),
            None => self.ask(""),
        });
        actions
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

    /// Takes note of raw lines that were sent.
    pub fn said_raw(&mut self, lines: u32) {
        self.sent += lines;
    }

    /// How many lines the server may not have listened to yet.
    pub fn unanswered(&self) -> u32 {
        self.sent - self.arrived
    }

    /// Whether the server would tell when it has listened to what is said.
    pub fn is_answered(&self) -> bool {
        self.mode == Mode::Raw || self.echoes
    }

    /// The nicks of the others, whoever spoke last first, if that is news.
    pub fn changed_nicks(&mut self) -> Option<Vec<String>> {
        self.members.take_changed_nicks(&self.nick)
    }

    /// When [`time_passed`](Dialogue::time_passed) has something to tell, in the time
    /// of [`heard`](Dialogue::heard).
    pub fn deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.map(|since| since + ON_ITS_WAY);
        [self.notices.deadline(), waiting].into_iter().flatten().min()
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
        actions
    }

    /// Tells what was said to all and is not answered.
    fn unanswered_lines(&mut self) -> Vec<Action> {
        let mut lines = self.unconfirmed.iter().filter_map(|(number, pending)| match pending {
            Pending::Said(text) => Some((*number, text)),
            _ => None,
        });
        if self.echoes {
            let hint = lines.next().map(|(_, text)| (self.texts.on_its_way)(&visible(text)));
            return hint.map(Action::Hint).into_iter().collect();
        }
        self.silent = true;
        let (early, nick) = (&mut self.early, &self.nick);
        let show = |(number, text): (u32, &String)| {
            early.push_back(number);
            Action::Show(Record { own: true, ..said(Kind::Message, nick, text) })
        };
        lines.map(show).collect()
    }

    /// Whether the line that was answered last is shown already.
    fn was_early(&mut self) -> bool {
        let shown = self.early.contains(&self.arrived);
        while self.early.front().is_some_and(|number| *number <= self.arrived) {
            self.early.pop_front();
        }
        shown
    }

    /// Tells who came and went meanwhile.
    fn take_notices(&mut self) -> Vec<Action> {
        self.notices.take().into_iter().map(show_group).collect()
    }

    /// The user has entered something: one line, or several with line feeds between.
    /// `pasted` is whether it begins with pasted text. (What is typed in raw mode is
    /// nobody's business.)
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

    /// Several lines, of which the first one was typed. It decides for whom all are.
    fn draft(&mut self, lines: &[&str]) -> Vec<Action> {
        let (first, rest) = lines.split_first().expect("a draft has a line");
        let first = match Input::of(first) {
            Input::Nothing => Input::text(first),
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

    fn say_literally(&mut self, line: &str) -> Vec<Action> {
        if self.phase == Phase::Away {
            return hint(self.texts.offline);
        }
        self.parts = 0;
        self.say(&literal(line))
    }

    fn typed_line(&mut self, line: &str) -> Vec<Action> {
        if self.is_interactive() && commands::leaves_elsewhere(line) {
            return hint(self.texts.leave);
        }
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

    /// Whoever has no nick has said something.
    fn typed_without_nick(&mut self, line: &str) -> Vec<Action> {
        match commands::shape(line).filter(|_| !self.literal || self.is_interactive()) {
            Some(Command::Nick(nick)) => return self.register(nick),
            Some(Command::Quit) => return self.quit(),
            _ if line.trim().is_empty() && !self.is_interactive() && !self.literal => {
                return Vec::new();
            }
            _ if !self.is_interactive() => return vec![Action::Fail(Failure::NoNick)],
            _ if line == "/quit" || commands::leaves_elsewhere(line) => return self.quit(),
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

    fn perform(&mut self, input: Input<'_>) -> Vec<Action> {
        let texts = self.texts;
        let talks = !matches!(
            input,
            Input::Nothing
                | Input::Error(_)
                | Input::Help
                | Input::Ignore(_)
                | Input::Quiet
                | Input::Bell(_)
                | Input::Invite
                | Input::Clear
                | Input::Quit
        );
        if let (Input::Nick(nick), Phase::Away) = (&input, self.phase) {
            // It is asked for when the server is there again.
            self.nick = nick.to_string();
            return vec![Action::Prompt(self.nick.clone())];
        }
        if talks && self.phase == Phase::Away {
            return hint(texts.offline);
        }
        (self.addressee, self.parts) = (None, 0);
        match input {
            Input::Nothing => Vec::new(),
            Input::Say(text) => self.say(&text),
            Input::Whisper { to, text } => self.whisper(to, text),
            Input::Reply(text) => match self.reply_to.clone() {
                Some(Partner { nick, gone: true }) => {
                    let successor = self.members.successor(&nick).map(visible);
                    hint(&(texts.reply_gone)(&visible(&nick), successor.as_deref()))
                }
                Some(Partner { nick, .. }) => self.whisper(&nick, text),
                None => hint(texts.no_reply),
            },
            Input::Who => vec![self.question(Pending::Who, Command::Who)],
            Input::Nick(nick) => {
                vec![self.question(Pending::Nick(nick.into()), Command::Nick(nick))]
            }
            Input::Quit if self.phase == Phase::Away => vec![Action::End],
            Input::Quit => self.quit(),
            Input::Help => texts.help.lines().map(|line| Action::Note(line.into())).collect(),
            Input::Invite => vec![Action::Invite],
            Input::Clear if self.mode == Mode::Editor => vec![Action::Clear],
            Input::Clear => hint(texts.no_screen),
            Input::Ignore(nick) => self.ignore(nick),
            Input::Quiet => {
                self.quiet = !self.quiet;
                note(&(texts.quiet)(self.quiet))
            }
            Input::Bell(when) => {
                self.bell = when.and_then(|when| when.parse().ok()).unwrap_or(self.bell);
                note(&(texts.bell)(self.bell.word()))
            }
            Input::Error(error) => hint(&match error {
                InputError::Unknown(word, guess) => (texts.unknown)(&visible(word), guess),
                InputError::Ambiguous(word, words) => (texts.ambiguous)(word, &words.join(", ")),
                InputError::Arguments(word) => (texts.usage)(&commands::usage(word, texts)),
                InputError::Private => texts.private.into(),
                InputError::Message => texts.message.into(),
            }),
        }
    }

    fn ignore(&mut self, nick: Option<&str>) -> Vec<Action> {
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
            return note(&(self.texts.heeding)(&visible(nick)));
        }
        if key == *Nick::key_of(&self.nick) {
            return hint(self.texts.oneself);
        }
        match self.members.look_up(nick) {
            Lookup::Nick(nick) => {
                let shown = visible(&nick).into_owned();
                let actions = note(&(self.texts.ignoring)(&shown));
                self.ignored.push((key, shown));
                actions
            }
            Lookup::Unknown(guess) => {
                let guess = guess.filter(|guess| *guess != self.nick);
                hint(&(self.texts.nobody)(&visible(nick), guess.as_deref()))
            }
        }
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

    /// The server has said a line, without its end; `now` is the time since any
    /// fixed moment.
    pub fn heard(&mut self, line: &str, now: Duration) -> Vec<Action> {
        let actions = self.answer(line, now);
        let taken = self.taken.drain(..).map(Action::Show);
        taken.chain(actions).collect()
    }

    fn answer(&mut self, line: &str, now: Duration) -> Vec<Action> {
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
        self.now = now;
        match event {
            // We know what we have to do.
            Event::Greeting => Vec::new(),
            Event::Welcome(nick) => self.hear_welcome(nick),
            Event::Message { from, scope: Scope::All, text } => self.hear_message(from, text),
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
            Event::Joined(nick) => self.hear_joined(bounded(nick)),
            Event::Left(nick) => self.hear_left(bounded(nick)),
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
            Event::Other(_) => vec![Action::Show(notice(line))],
        }
    }

    /// What a program has said to all and nobody may have heard, because the server
    /// takes no more.
    fn unheard(&mut self) -> Vec<Action> {
        if self.is_interactive() || !self.echoes {
            return Vec::new();
        }
        let said = self.unconfirmed.drain(..).filter_map(|(_, pending)| match pending {
            Pending::Said(text) => Some(Action::Refused((self.texts.unheard)(&visible(&text)))),
            _ => None,
        });
        said.take(MAX_UNHEARD).collect()
    }

    fn hear_welcome(&mut self, nick: &str) -> Vec<Action> {
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
        let welcome = Action::Show(Record { kind, to, text, loud, ..Record::default() });
        let first = self.phase == Phase::Registering;
        if first {
            self.phase = Phase::Talking;
        }
        let mut actions = vec![welcome];
        match self.mode {
            Mode::Editor => actions.push(Action::Prompt(nick.into())),
            Mode::Plain if first => actions.push(Action::Note(self.texts.welcome.into())),
            _ => (),
        }
        if first && self.is_interactive() {
            actions.push(self.question(Pending::OwnWho, Command::Who));
        }
        actions
    }

    fn hear_message(&mut self, from: &str, text: &str) -> Vec<Action> {
        self.announced = from == SERVER;
        let own = from == self.nick;
        let old = self.history > 0;
        self.history = self.history.saturating_sub(1);
        // What was said before is no answer, though one of the same name said it.
        let echo =
            own && !old && self.confirmed(|pending| matches!(pending, Pending::Said(_))).is_some();
        if echo && self.was_early() {
            return Vec::new();
        }
        if !echo {
            self.members.goes_on();
        }
        self.members.spoke(from);
        if !echo && self.ignores(from) {
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

    fn hear_dm(&mut self, from: &str, text: &str) -> Vec<Action> {
        if self.ignores(from) {
            return Vec::new();
        }
        if from == SERVER {
            self.last_word = Some(text.into());
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

    /// Whoever speaks was seen to come in.
    fn announced(&mut self, nick: &str) -> Vec<Action> {
        if self.notices.contains(nick) { self.take_notices() } else { Vec::new() }
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

    /// The owner of a nick left: a private word to the next owner is not meant for them.
    fn hear_left(&mut self, nick: &str) -> Vec<Action> {
        self.members.left(nick, self.now);
        let key = Nick::key_of(nick).into_owned();
        for partner in self.partners.iter_mut().chain(&mut self.reply_to) {
            partner.gone |= *Nick::key_of(&partner.nick) == key;
        }
        let ignored = self.ignores(nick);
        if self.quiet || ignored {
            if self.unseen.len() == MAX_UNSEEN {
                self.unseen.pop_front();
            }
            self.unseen.push_back((key.clone(), ignored));
        }
        let actions = self.notice(Presence::Left, nick);
        // The next owner of the nick is somebody else, as far as the client knows.
        self.ignored.retain(|(ignored, _)| *ignored != key);
        actions
    }

    fn hear_joined(&mut self, nick: &str) -> Vec<Action> {
        let arrival = self.members.joined(nick, self.now);
        let key = Nick::key_of(nick).into_owned();
        let left = self.unseen.iter().rposition(|(unseen, _)| *unseen == key);
        let left = left.and_then(|at| self.unseen.remove(at));
        if let Some(old) = arrival.perhaps {
            let old_key = Nick::key_of(&old);
            if self.unseen.back() == Some(&(old_key.into_owned(), true)) {
                let shown = visible(nick).into_owned();
                let hint = (self.texts.ignoring_too)(&shown, &visible(&old));
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
                    actions.push(Action::Hint((self.texts.heard_again)(&visible(nick))));
                }
                actions
            }
            _ => self.notice(Presence::Joined, nick),
        }
    }

    /// After the connection was lost, nobody knows whether a nick has the same owner.
    fn still_ignored(&mut self) -> Vec<Action> {
        if !mem::take(&mut self.unsure) {
            return Vec::new();
        }
        let members = &self.members;
        self.ignored.retain(|(_, nick)| members.has(nick));
        let nicks: Vec<&str> = self.ignored.iter().map(|(_, nick)| nick.as_str()).collect();
        if nicks.is_empty() {
            Vec::new()
        } else {
            hint(&(self.texts.still_ignoring)(&nicks.join(", ")))
        }
    }

    fn ring(&mut self, loud: bool) -> Option<Action> {
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

    fn notice(&mut self, presence: Presence, nick: &str) -> Vec<Action> {
        if self.quiet || self.ignores(nick) {
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
    fn notice_at_once(&self, presence: Presence, nick: &str) -> Action {
        let kind = if presence == Presence::Joined { Kind::Joined } else { Kind::Left };
        match self.mode {
            Mode::Editor => Action::Presence(presence, vec![nick.into()]),
            _ => Action::Show(Record { kind, from: Some(nick.into()), ..Record::default() }),
        }
    }

    /// The server has closed the connection.
    pub fn closed(&mut self) -> Vec<Action> {
        match self.phase {
            // Nobody has heard the last words, or they would have come back.
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

    /// The connection was lost, but may come back: what the user should know.
    pub fn lost(&mut self) -> Vec<Action> {
        self.phase = Phase::Away;
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
        let tell = if self.is_interactive() { Action::Hint } else { Action::Refused };
        let unheard = self.unconfirmed.drain(..).filter_map(|(_, pending)| match pending {
            Pending::Said(text) => Some((self.texts.unheard)(&visible(&text))),
            _ => None,
        });
        actions.extend(unheard.take(MAX_UNHEARD).map(tell));
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

    fn hear_refusal(&mut self, code: &str) -> Vec<Action> {
        let refusal = Refusal::from_code(code);
        let mut why = words_for(code, self.texts);
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
            self.confirmed(|pending| matches!(pending, Pending::Said(_)));
            self.echoes = echoes;
        }
        if refusal == Some(Refusal::InvalidNick) && Nick::is_reserved(self.wanted_nick()) {
            why = self.texts.nick_reserved.into();
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
                    | Refusal::RegistrationTimeout,
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
                if self.mode == Mode::Editor =>
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
    fn culprit(&mut self, refusal: Option<Refusal>) -> Option<String> {
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
                let at = first(&here).or_else(|| first(&|_| false))?;
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
            Pending::Said(text) => Some(text),
            Pending::Told { to, text } => Some(format!("@{to} {text}")),
            Pending::Nick(nick) => Some(format!("NICK {nick}")),
            Pending::Who | Pending::OwnWho => None,
        }
    }

    /// The nick that the server was asked for, and has not answered to.
    fn wanted_nick(&self) -> &str {
        let wanted = self.unconfirmed.iter().find_map(|(_, pending)| match pending {
            Pending::Nick(nick) => Some(nick.as_str()),
            _ => None,
        });
        wanted.unwrap_or(&self.nick)
    }

    /// One of the last direct messages was for nobody: most likely the one for
    /// somebody who is not known to be here.
    fn nobody(&mut self) -> String {
        let unknown = |to: &String| self.members.look_up(to) != Lookup::Nick(to.clone());
        let at = self.recent_dms.iter().position(unknown);
        let to =
            at.and_then(|at| self.recent_dms.remove(at)).or_else(|| self.recent_dms.pop_back());
        match to {
            Some(to) => (self.texts.nobody)(&visible(&to), self.members.close_to(&to).as_deref()),
            None => (self.texts.refused)(self.texts.user_not_found),
        }
    }

    /// The oldest line of a kind has been listened to, and so have all before it.
    fn confirmed(&mut self, kind: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let at = self.unconfirmed.iter().position(|(_, pending)| kind(pending))?;
        self.take(at);
        let (number, pending) = self.unconfirmed.pop_front()?;
        self.arrived = number;
        self.echoes |= matches!(pending, Pending::Said(_));
        // The next one has the same time to be answered.
        self.waiting = self.waiting.and_then(|_| self.is_waiting().then_some(self.now));
        Some(pending)
    }

    /// The server has taken this many lines: the private ones among them are to be told.
    fn take(&mut self, count: usize) {
        for (_, pending) in self.unconfirmed.drain(..count) {
            if let Pending::Told { to, text } = pending {
                let record = said(Kind::Private, &self.nick, &strip(&text));
                self.taken.push(Record { to: Some(to), own: true, ..record });
            }
        }
    }

    /// Whether something that was said to all has not come back.
    fn is_waiting(&self) -> bool {
        self.unconfirmed.iter().any(|(_, pending)| matches!(pending, Pending::Said(_)))
    }

    /// A line to which the server has an answer.
    fn question(&mut self, pending: Pending, command: Command<'_>) -> Action {
        self.sent += 1;
        self.unconfirmed.push_back((self.sent, pending));
        self.trim();
        Action::Send(command.to_string())
    }

    /// Waits for no more answers than can be borne in mind.
    fn trim(&mut self) {
        let surplus = self.unconfirmed.len().saturating_sub(MAX_UNCONFIRMED);
        self.unconfirmed.drain(..surplus);
        let surplus = self.early.len().saturating_sub(MAX_UNCONFIRMED);
        self.early.drain(..surplus);
    }

    /// Whether there is somebody who types, and can be asked.
    fn is_interactive(&self) -> bool {
        matches!(self.mode, Mode::Plain | Mode::Editor)
    }

    /// Asks for a nick. What is offered can be taken with Enter.
    fn ask(&mut self, offer: &str) -> Vec<Action> {
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

    fn register(&mut self, nick: &str) -> Vec<Action> {
        self.phase = Phase::Registering;
        self.nick = nick.to_string();
        vec![self.question(Pending::Nick(nick.into()), Command::Nick(nick))]
    }

    fn quit(&mut self) -> Vec<Action> {
        self.phase = Phase::Leaving;
        vec![Action::Send(Command::Quit.to_string())]
    }

    fn say(&mut self, text: &str) -> Vec<Action> {
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
            if !matches!(Command::parse(&format!("MSG {piece}")), Ok(Command::Say(_))) {
                piece.insert(0, '…');
            }
            let text = strip(piece).into_owned();
            if at_once {
                let record = said(Kind::Message, &self.nick, &text);
                actions.push(Action::Show(Record { own: true, ..record }));
                self.early.push_back(number);
            }
            self.unconfirmed.push_back((number, Pending::Said(text)));
        }
        self.trim();
        actions.extend(self.send(&pieces, Command::Say));
        actions
    }

    fn whisper(&mut self, to: &str, text: &str) -> Vec<Action> {
        let to = match self.members.look_up(to) {
            Lookup::Nick(nick) => nick,
            // A program reads what the server says to it.
            _ if !self.is_interactive() => to.into(),
            Lookup::Unknown(guess) => {
                let guess = guess.filter(|guess| *guess != self.nick);
                return hint(&(self.texts.nobody)(&visible(to), guess.as_deref()));
            }
        };
        let key = Nick::key_of(&to);
        let partner = self.partners.iter_mut().find(|it| *Nick::key_of(&it.nick) == *key);
        if let Some(partner) = partner.filter(|partner| partner.gone)
            && matches!(self.mode, Mode::Plain | Mode::Editor)
        {
            partner.gone = false; // Told once.
            return hint(&(self.texts.changed_hands)(&visible(&to)));
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
            // To name the line if there is no such person, one has to know who is here.
            let asked = || {
                self.unconfirmed
                    .iter()
                    .any(|(_, pending)| matches!(pending, Pending::Who | Pending::OwnWho))
            };
            if !self.members.is_complete() && !asked() {
                actions.push(self.question(Pending::OwnWho, Command::Who));
            }
            for (piece, number) in pieces.iter().zip(self.sent + 1..) {
                let told = Pending::Told { to: to.clone(), text: piece.clone() };
                self.unconfirmed.push_back((number, told));
            }
            self.trim();
        }
        if self.mode == Mode::Editor {
            actions.extend(pieces.iter().map(|piece| {
                let record = said(Kind::Private, &self.nick, &strip(piece));
                Action::Show(Record { to: Some(to.clone()), own: true, ..record })
            }));
        }
        actions.extend(self.send(&pieces, |text| Command::Whisper { to: &to, text }));
        actions
    }

    fn send<'a>(
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

/// Why a line did not work, behind the line.
fn about(line: &str, why: &str) -> String {
    let mut letters = line.trim_end().chars();
    let mut named: String = letters.by_ref().take(MAX_NAMED).collect();
    if letters.next().is_some() {
        named.push('…');
    }
    format!("\"{}\": {why}", visible(&named))
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

/// A nick of a length that our server, too, would accept.
fn bounded(nick: &str) -> &str {
    &nick[..nick.floor_char_boundary(MAX_NICK)]
}

/// Whether a text has this nick in it, as a word and in any case.
///
/// Some scripts put no blank between words. There, a nick of two or more characters is
/// a word wherever it stands.
fn mentions(text: &str, nick: &str) -> bool {
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
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{2E80}'..='\u{312F}'
        | '\u{31A0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// A nick like this one that may be free: `ana2` for `ana`, `ana3` for `ana2`.
fn variant(nick: &str) -> String {
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
fn is_about_the_nick(refusal: Option<Refusal>) -> bool {
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

/// What an error of the server means, for people.
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
        None => return visible(code).into_owned(),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{ENGLISH, PORTUGUESE};

    /// A client that has not said who it is.
    fn nameless(mode: Mode) -> Dialogue {
        let mut dialogue = Dialogue::new(mode, Some("ana"), Bell::Me, &ENGLISH.client);
        dialogue.connected(None);
        dialogue
    }

    fn talking_as(mode: Mode) -> Dialogue {
        let mut dialogue = Dialogue::new(mode, None, Bell::Me, &ENGLISH.client);
        assert_eq!(sent(&dialogue.connected(Some("ana"))), ["NICK ana"]);
        assert_eq!(hear(&mut dialogue, "New User. Please register with: NICK <your_nick>"), []);
        let actions = hear(&mut dialogue, "OK welcome ana");
        assert!(matches!(&actions[..], [Action::Show(_), ..]), "{actions:?}");
        dialogue
    }

    impl Dialogue {
        /// Something was entered by hand.
        fn typed(&mut self, line: &str) -> Vec<Action> {
            self.entered(line, false, self.now)
        }
    }

    /// With a line editor, and the server has told who is here.
    fn talking_with(others: &str) -> Dialogue {
        let mut dialogue = talking_as(Mode::Editor);
        hear(&mut dialogue, &format!("Connected users: ana, {others}"));
        dialogue
    }

    fn hear(dialogue: &mut Dialogue, line: &str) -> Vec<Action> {
        dialogue.heard(line, Duration::ZERO)
    }

    fn sent(actions: &[Action]) -> Vec<&str> {
        let lines = actions.iter().filter_map(|action| match action {
            Action::Send(line) => Some(line.as_str()),
            _ => None,
        });
        lines.collect()
    }

    /// What is sent when this is typed. Where it is nothing, there is a word on it.
    #[track_caller]
    fn check(dialogue: &mut Dialogue, typed: &str, expected: &[&str]) {
        let actions = dialogue.typed(typed);
        assert_eq!(sent(&actions), expected, "{typed:?}");
        let hinted = actions
            .iter()
            .any(|action| matches!(action, Action::Hint(_) | Action::Note(_) | Action::Refused(_)));
        let silent = expected.is_empty() && !typed.trim().is_empty();
        assert!(hinted || !silent, "{typed:?}");
    }

    /// What is shown, in a word for each.
    fn shown(actions: &[Action]) -> Vec<String> {
        let words = actions.iter().map(|action| match action {
            Action::Show(record) => {
                let text = record.text.as_deref().unwrap_or_default();
                let from = record.from.as_deref().unwrap_or_default();
                let sign = if record.own { "+" } else { "" };
                format!("{sign}{} {from} {text}", record.kind.word())
            }
            Action::Hint(text) | Action::Note(text) => format!("* {text}"),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn a_script_says_what_it_writes() {
        let mut script = talking_as(Mode::Script);
        check(&mut script, "pronto", &["MSG pronto"]);
        check(&mut script, "quit", &["MSG quit"]);
        // To name a line that is refused, it asks who is here, once.
        check(&mut script, "MSG @joao psst", &["WHO", "MSG @joao psst"]);
        check(&mut script, "@Joao psst", &["MSG @Joao psst"]);
        check(&mut script, "WHO", &["WHO"]);
        check(&mut script, "\u{FEFF}MSG @joao psst", &["MSG @joao psst"]);
        check(&mut script, "MSG @joao", &[]);
        check(&mut script, "/dance", &[]);
        check(&mut script, "", &[]);
        check(&mut script, "QUIT\r\n", &["QUIT"]);
    }

    #[test]
    fn a_person_does_not_leave_by_a_word_alone() {
        for mode in [Mode::Plain, Mode::Editor] {
            let mut person = talking_as(mode);
            for word in ["quit", "exit", "sair"] {
                check(&mut person, word, &[]);
                check(&mut person, &format!(" {word}"), &[&format!("MSG  {word}")]);
            }
        }
    }

    #[test]
    fn the_nick_of_a_private_word_is_mended_or_the_word_is_kept() {
        let mut dialogue = talking_with("bia, João");
        check(&mut dialogue, "@Bia oi", &["MSG @bia oi"]);
        check(&mut dialogue, "/msg JOÃO oi", &["MSG @João oi"]);
        check(&mut dialogue, "@nobody oi", &[]);
        let actions = dialogue.typed("@biaa oi");
        assert_eq!(actions, hint("biaa is not here. Did you mean bia?"));
        // Who has just come is known, and who has left is not.
        hear(&mut dialogue, "User caio joined.");
        check(&mut dialogue, "@caio oi", &["MSG @caio oi"]);
        hear(&mut dialogue, "User caio left the chat.");
        check(&mut dialogue, "@caio oi", &[]);
    }

    #[test]
    fn pasted_text_is_said_to_all_line_by_line() {
        let mut dialogue = talking_with("bia");
        hear(&mut dialogue, "FROM bia [dm]: psst");
        let lines = "a\n/quit\n\n@bia b\n\tif x:\n d\n// e\n/r f\nQUIT\nNICK g\nMSG @bia h\nWHO";
        let expected = [
            "MSG a",
            "MSG /quit",
            "MSG \u{2800}",
            "MSG \u{2800}@bia b",
            "MSG \tif x:",
            "MSG  d",
            "MSG // e",
            "MSG /r f",
            "MSG QUIT",
            "MSG NICK g",
            "MSG MSG @bia h",
            "MSG WHO",
        ];
        assert_eq!(sent(&dialogue.entered(lines, true, Duration::ZERO)), expected);
        // One line is a text, too, and with the line ends of Windows.
        for line in ["/quit", "// TODO", "/* a */", "QUIT", "/msg bia x"] {
            let actions = dialogue.entered(&format!("{line}\r\n"), true, Duration::ZERO);
            assert_eq!(sent(&actions), [format!("MSG {line}")]);
        }
        assert_eq!(dialogue.entered(" \n\n \t", true, Duration::ZERO), []);
    }

    #[test]
    fn typed_beginning_of_a_draft_decides_for_all_its_lines() {
        let mut dialogue = talking_with("bia");
        let draft = |dialogue: &mut Dialogue, text: &str| {
            let actions = dialogue.entered(text, false, Duration::ZERO);
            let hinted = actions.iter().any(|action| matches!(action, Action::Hint(_)));
            let lines: Vec<String> = sent(&actions).into_iter().map(String::from).collect();
            assert!(hinted != (lines.len() > 1), "{actions:?}");
            lines
        };
        assert_eq!(
            draft(&mut dialogue, "see\n@x\n/quit"),
            ["MSG see", "MSG \u{2800}@x", "MSG /quit"]
        );
        assert_eq!(draft(&mut dialogue, "/me a\nb"), ["MSG /me a", "MSG b"]);
        let private = ["MSG @bia a", "MSG @bia \u{2800}", "MSG @bia /b", "MSG @bia @c"];
        for address in ["@bia ", "/msg bia ", " ＠bia　"] {
            assert_eq!(draft(&mut dialogue, &format!("{address}a\n\n/b\n@c")), private);
        }
        hear(&mut dialogue, "FROM bia [dm]: psst");
        assert_eq!(draft(&mut dialogue, "/r a\nb"), ["MSG @bia a", "MSG @bia b"]);
        for refused in [
            "@bia\na",
            "@nobody a\nb",
            "/msg\nbia x",
            "/quit\na",
            "NICK x\na",
            "/shrug\na",
            "MSG ＠bia a\nb",
        ] {
            assert_eq!(draft(&mut dialogue, refused), [""; 0], "{refused:?}");
        }
        hear(&mut dialogue, "User bia left the chat.");
        for refused in ["/r a\nb", "@bia a\nb"] {
            assert_eq!(draft(&mut dialogue, refused), [""; 0], "{refused:?}");
        }
    }

    #[test]
    fn own_line_is_shown_where_all_see_it() {
        let mut dialogue = talking_with("bia");
        assert_eq!(shown(&dialogue.typed("second")), ["Send(\"MSG second\")"]);
        assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: first")), ["message bia first"]);
        assert_eq!(shown(&hear(&mut dialogue, "FROM ana [all]: second")), ["+message ana second"]);
        // A server without echo confirms it.
        dialogue.typed("tudo bem?");
        assert_eq!(shown(&hear(&mut dialogue, "OK broadcast_sent")), ["+message ana tudo bem?"]);
        assert_eq!(hear(&mut dialogue, "OK broadcast_sent"), []);
        // A private line comes back from nobody.
        let private = dialogue.typed("@bia psst");
        assert_eq!(shown(&private)[0], "+private ana psst");
        // A line that was refused is not shown as said.
        dialogue.typed("hello?");
        assert_eq!(shown(&hear(&mut dialogue, "ERR muted"))[0], "error  muted");
    }

    #[test]
    fn line_that_does_not_come_back_soon_is_on_its_way() {
        let mut dialogue = talking_with("bia");
        let at = Duration::from_millis;
        dialogue.entered("zero", false, at(4000));
        dialogue.heard("FROM ana [all]: zero", at(4000));
        dialogue.entered("one", false, at(5000));
        dialogue.entered("two", false, at(5500));
        assert_eq!(dialogue.deadline(), Some(at(6000)));
        assert_eq!(dialogue.time_passed(at(5900)), []);
        let hints = hint("on its way, but not said yet: one");
        assert_eq!(dialogue.time_passed(at(6000)), hints);
        assert_eq!(dialogue.deadline(), None);
        dialogue.heard("FROM ana [all]: one", at(7000));
        dialogue.heard("FROM ana [all]: two", at(7000));
        dialogue.entered("three", false, at(8000));
        dialogue.entered("four", false, at(8000));
        dialogue.heard("FROM ana [all]: three", at(8500));
        assert_eq!(dialogue.deadline(), Some(at(9500)));
        dialogue.heard("FROM ana [all]: four", at(8500));
        assert_eq!(dialogue.deadline(), None);
    }

    #[test]
    fn server_without_an_answer_keeps_no_own_line_from_the_screen() {
        let mut dialogue = talking_with("bia");
        assert_eq!(shown(&dialogue.typed("one")), ["Send(\"MSG one\")"]);
        let shown_late = dialogue.time_passed(ON_ITS_WAY);
        assert_eq!(shown(&shown_late), ["+message ana one"]);
        // It is known now.
        let actions = dialogue.typed("two");
        assert_eq!(shown(&actions), ["+message ana two", "Send(\"MSG two\")"]);
        assert_eq!(dialogue.deadline(), None);
        // It was slow, and nothing is shown twice.
        for line in ["FROM ana [all]: one", "FROM ana [all]: two"] {
            assert_eq!(hear(&mut dialogue, line), []);
        }
        dialogue.typed("three");
        assert_eq!(shown(&hear(&mut dialogue, "FROM ana [all]: three")), ["+message ana three"]);
    }

    #[test]
    fn in_a_pipe_a_server_without_echo_shows_the_same_as_one_with() {
        let mut with = talking_as(Mode::Script);
        with.typed("oi");
        let mut without = talking_as(Mode::Script);
        without.typed("oi");
        let echo = hear(&mut with, "FROM ana [all]: oi");
        assert_eq!(hear(&mut without, "OK broadcast_sent"), echo);
        assert_eq!(hear(&mut without, "OK broadcast_sent"), []);
        assert_eq!(hear(&mut without, "OK dm_sent to joao"), []);
    }

    #[test]
    fn who_is_named_or_written_to_alone_is_rung_for() {
        let mut now = Duration::ZERO;
        let mut rings = |dialogue: &mut Dialogue, line: &str| {
            now += BELL_PAUSE;
            dialogue.heard(line, now).iter().filter(|action| **action == Action::Ring).count()
        };
        let mut dialogue = talking_with("bia");
        for line in ["FROM bia [dm]: psst", "FROM bia [all]: Ana, oi", "FROM bia [all]: oi, ana."] {
            assert_eq!(rings(&mut dialogue, line), 1, "{line}");
        }
        for line in ["FROM bia [all]: banana", "FROM bia [all]: oi", "FROM ana [all]: ana"] {
            assert_eq!(rings(&mut dialogue, line), 0, "{line}");
        }
        dialogue.typed("/bell all");
        assert_eq!(rings(&mut dialogue, "FROM bia [all]: oi"), 1);
        dialogue.typed("/bell never");
        assert_eq!(rings(&mut dialogue, "FROM bia [dm]: ana"), 0);
        // What was said before we came rings no more.
        dialogue.typed("/bell all");
        rings(&mut dialogue, "History: 1");
        assert_eq!(rings(&mut dialogue, "FROM bia [all]: old"), 0);
        assert_eq!(rings(&mut dialogue, "FROM bia [all]: new"), 1);
    }

    #[test]
    fn bell_rings_once_for_many_lines() {
        let mut dialogue = talking_with("bia");
        let mut rings = 0;
        for tenth in 100..200 {
            for line in ["FROM bia [all]: ana!", "FROM bia [dm]: psst"] {
                let actions = dialogue.heard(line, Duration::from_millis(tenth * 100));
                rings += actions.iter().filter(|action| **action == Action::Ring).count();
            }
        }
        assert_eq!(rings, 6 + 3); // In ten seconds.
    }

    #[test]
    fn nick_is_a_word_in_every_script() {
        for (text, nick, expected) in [
            ("ana's code", "ana", true),
            ("“ana”", "ana", true),
            ("hey,ana,come", "ana", true),
            ("ana…", "ana", true),
            ("ANA:", "ana", true),
            ("olá ana！", "ana", true),
            ("_ana_ oi", "ana", true),
            ("banana ana", "ana", true),
            ("banana", "ana", false),
            ("aná", "ana", false),
            ("ána", "ana", false),
            ("a\u{336}na", "ana", false),
            ("4ana", "ana", false),
            ("ana.maria", "ana", false),
            ("ana-maria", "ana", false),
            ("maria_ana", "ana", false),
            ("小明你好", "小明", true),
            ("请问小明在吗", "小明", true),
            ("你好，小明", "小明", true),
            ("请问ana在吗", "ana", true),
            ("anaさん", "Ana", true),
            ("さくらちゃん、おはよう", "さくら", true),
            ("ﾀﾛｳさん", "タロウ", true),
            ("철수야 안녕", "철수", true),
            ("สวัสดีสมชายครับ", "สมชาย", true),
            ("明天见", "明", false),
            ("明，你好", "明", true),
            ("小红你好", "小明", false),
            ("", "ana", false),
        ] {
            assert_eq!(mentions(text, nick), expected, "{nick} in {text:?}");
        }
    }

    #[test]
    fn who_is_ignored_is_not_shown_until_they_are_heeded_again() {
        let mut dialogue = talking_with("bia");
        assert_eq!(dialogue.typed("/ignore ana"), hint("that is you"));
        assert_eq!(dialogue.typed("/ignore biaa"), hint("biaa is not here. Did you mean bia?"));
        dialogue.typed("/ignore Bia");
        for line in ["FROM bia [all]: oi", "FROM bia [dm]: oi"] {
            assert_eq!(hear(&mut dialogue, line), [], "{line}");
        }
        assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
        dialogue.typed("/ignore bia");
        assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: oi")), ["message bia oi"]);
        assert_eq!(dialogue.typed("/ignore"), note("nobody is ignored"));
    }

    #[test]
    fn ignored_person_is_ignored_under_another_nick() {
        let mut dialogue = talking_with("bia");
        dialogue.typed("/ignore bia");
        assert_eq!(hear(&mut dialogue, "User bia left the chat."), []);
        let too = "ignoring b2, too: perhaps bia by another nick; /ignore b2 shows them";
        assert_eq!(hear(&mut dialogue, "User b2 joined."), hint(too));
        for line in ["FROM b2 [all]: oi", "FROM b2 [dm]: oi"] {
            assert_eq!(hear(&mut dialogue, line), [], "{line}");
        }
        // The next owner of the nick is not, and that is said.
        let actions = hear(&mut dialogue, "User bia joined.");
        assert_eq!(
            actions[..2],
            [Presence::Left, Presence::Joined]
                .map(|presence| Action::Presence(presence, vec!["bia".into()]))
        );
        assert!(matches!(&actions[2..], [Action::Hint(_)]), "{actions:?}");
        assert_eq!(shown(&hear(&mut dialogue, "FROM bia [all]: oi")), ["message bia oi"]);
        // Back to a nick from before is another rename.
        hear(&mut dialogue, "User bia left the chat.");
        hear(&mut dialogue, "FROM b2 [all]: hidden");
        hear(&mut dialogue, "User b2 left the chat.");
        hear(&mut dialogue, "User bia joined.");
        assert_eq!(hear(&mut dialogue, "FROM bia [all]: oi"), []);
        assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
        // Nobody came in their place.
        hear(&mut dialogue, "User bia left the chat.");
        hear(&mut dialogue, "FROM x [all]: oi");
        hear(&mut dialogue, "User b3 joined.");
        assert_eq!(dialogue.typed("/ignore"), note("nobody is ignored"));
    }

    #[test]
    fn ignored_person_stays_so_after_a_lost_connection() {
        let mut dialogue = talking_with("bia, caio");
        dialogue.typed("/ignore bia");
        dialogue.typed("/ignore caio");
        dialogue.lost();
        dialogue.connected(None);
        hear(&mut dialogue, "OK welcome ana");
        let actions = hear(&mut dialogue, "Connected users: ana, bia");
        let still = "* still ignoring bia, though they may be others than before";
        assert_eq!(shown(&actions)[1..], [still]);
        assert_eq!(dialogue.typed("/ignore"), note("ignored: bia"));
    }

    #[test]
    fn nick_that_changes_hands_is_told_in_quiet() {
        let mut dialogue = talking_with("bia, caio");
        dialogue.typed("/quiet");
        hear(&mut dialogue, "FROM bia [all]: oi");
        for nick in ["bia", "caio"] {
            assert_eq!(hear(&mut dialogue, &format!("User {nick} left the chat.")), []);
        }
        // She has said something, and he has not.
        let told = [Presence::Left, Presence::Joined]
            .map(|presence| Action::Presence(presence, vec!["bia".into()]));
        assert_eq!(hear(&mut dialogue, "User bia joined."), told);
        assert_eq!(hear(&mut dialogue, "User caio joined."), []);
    }

    #[test]
    fn answer_goes_to_nobody_but_the_person_who_wrote() {
        for presence in ["leaves", "renames", "lost"] {
            let mut dialogue = talking_with("bia, eve");
            hear(&mut dialogue, "FROM bia [dm]: psst");
            check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
            match presence {
                "lost" => {
                    dialogue.lost();
                    dialogue.connected(None);
                    hear(&mut dialogue, "OK welcome ana");
                    hear(&mut dialogue, "Connected users: ana, bia");
                }
                _ => {
                    hear(&mut dialogue, "User bia left the chat.");
                    if presence == "renames" {
                        hear(&mut dialogue, "User bia2 joined.");
                        let actions = dialogue.typed("/r oi");
                        assert!(
                            matches!(&actions[..], [Action::Hint(why)] if why.contains("@bia2 TEXT"))
                        );
                        let actions = dialogue.typed("@bia oi");
                        assert_eq!(actions, hint("bia is not here. Did you mean bia2?"));
                    }
                    check(&mut dialogue, "/r oi", &[]);
                    hear(&mut dialogue, "User eve left the chat.");
                    hear(&mut dialogue, "User Bia joined.");
                }
            }
            check(&mut dialogue, "/r yes", &[]);
            // It is said once that the nick may have another owner.
            check(&mut dialogue, "@bia yes", &[]);
            let again = dialogue.typed("@bia yes");
            assert_eq!(sent(&again).len(), 1, "{presence}");
            check(&mut dialogue, "/r yes", &[]);
            let line = sent(&again)[0].to_string();
            let nick = line.split_whitespace().nth(1).unwrap().trim_start_matches('@').to_string();
            hear(&mut dialogue, &format!("FROM {nick} [dm]: it is me"));
            check(&mut dialogue, "/r yes", &[&line]);
        }
        // The server itself is nobody to answer.
        let mut dialogue = talking_with("bia");
        hear(&mut dialogue, "FROM server [dm]: Bem-vindos!");
        assert_eq!(dialogue.typed("/r oi"), hint("nobody has written to you alone yet"));
    }

    #[test]
    fn many_who_come_at_once_are_one_line_and_whoever_speaks_was_seen_to_come() {
        let mut dialogue = talking_with("bia");
        let mut actions = Vec::new();
        for number in 0..20 {
            actions.extend(hear(&mut dialogue, &format!("User n{number} joined.")));
        }
        assert_eq!(actions.len(), 1);
        assert!(dialogue.deadline().is_some());
        let actions = hear(&mut dialogue, "FROM n19 [all]: oi");
        assert!(
            matches!(&actions[..], [Action::Presence(Presence::Joined, nicks), Action::Show(_)] if nicks.len() == 19)
        );
        assert_eq!(dialogue.time_passed(Duration::from_secs(60)), []);
        dialogue.typed("/quiet");
        assert_eq!(hear(&mut dialogue, "User x joined."), []);
    }

    #[test]
    fn an_answer_goes_to_whoever_wrote_last() {
        let mut dialogue = talking_with("bia, caio");
        check(&mut dialogue, "/r oi", &[]);
        hear(&mut dialogue, "FROM bia [dm]: psst");
        check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
        // To whom one wrote oneself does not matter.
        check(&mut dialogue, "@caio oi", &["MSG @caio oi"]);
        check(&mut dialogue, "/r oi", &["MSG @bia oi"]);
    }

    #[test]
    fn a_private_word_that_nobody_got_is_named() {
        // Without a list, only the server knows who is there.
        let mut dialogue = talking_as(Mode::Editor);
        dialogue.typed("@bia oi");
        dialogue.typed("@joaoo oi");
        hear(&mut dialogue, "Connected users: ana, bia, joao");
        let actions = hear(&mut dialogue, "ERR user_not_found");
        assert_eq!(actions, hint("joaoo is not here. Did you mean joao?"));
    }

    #[test]
    fn a_long_line_goes_in_pieces_between_words_and_no_word_is_lost() {
        let text = "uma palavra @joao e outra ção ".repeat(400);
        let actions = talking_as(Mode::Script).typed(&text);
        let lines = sent(&actions);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < MAX_COMMAND));
        assert!(lines.iter().all(|line| matches!(Command::parse(line), Ok(Command::Say(_)))));
        let said: Vec<&str> = lines.iter().flat_map(|line| line[4..].split_whitespace()).collect();
        let said: Vec<&str> = said.iter().map(|word| word.trim_start_matches('…')).collect();
        assert_eq!(said, text.split_whitespace().collect::<Vec<_>>());
        assert!(matches!(actions.last(), Some(Action::Note(_))));
    }

    #[test]
    fn no_piece_of_a_public_line_becomes_private() {
        for text in [
            "x@".repeat(9000),
            format!("x{}", "@".repeat(9000)),
            format!("x{}", "\u{3000}@".repeat(3000)),
        ] {
            for line in sent(&talking_as(Mode::Script).typed(&text)) {
                assert!(matches!(Command::parse(line), Ok(Command::Say(_))), "{line:.20}");
                assert!(line.len() < MAX_COMMAND);
            }
        }
    }

    #[test]
    fn a_pipe_names_itself_in_its_first_line_or_not_at_all() {
        let script = || nameless(Mode::Script);
        assert_eq!(script().typed("NICK bot"), [Action::Send("NICK bot".into())]);
        assert_eq!(script().typed(""), []);
        assert_eq!(script().typed("pronto"), [Action::Fail(Failure::NoNick)]);
        assert_eq!(script().end_of_input(), [Action::Fail(Failure::NoNick)]);
    }

    #[test]
    fn a_person_is_asked_until_the_server_agrees_and_offered_what_may_be_free() {
        let ask = |suggested_nick: &str, draft: &str| Action::AskNick {
            suggested_nick: suggested_nick.into(),
            draft: draft.into(),
        };
        for (mode, again) in [(Mode::Plain, ask("ana2", "")), (Mode::Editor, ask("", "ana2"))] {
            let mut dialogue = Dialogue::new(mode, Some("ana"), Bell::Me, &ENGLISH.client);
            assert_eq!(dialogue.connected(None).pop(), Some(ask("ana", "")));
            assert_eq!(dialogue.typed(""), [Action::Send("NICK ana".into())]);
            assert!(!dialogue.listens_to_the_user());
            let taken = "\"ana\" is taken. Try ana2:".to_string();
            assert_eq!(hear(&mut dialogue, "ERR apelido_em_uso"), [Action::Hint(taken), again]);
            assert_eq!(dialogue.typed("ana2"), [Action::Send("NICK ana2".into())]);
            hear(&mut dialogue, "OK Welcome ana2");
            assert_eq!(sent(&dialogue.typed("oi")), ["MSG oi"]);
        }
        let pasted = nameless(Mode::Editor).typed("ana\nbia");
        assert!(matches!(&pasted[..], [Action::Hint(_), Action::AskNick { .. }]), "{pasted:?}");
    }

    #[test]
    fn a_nick_that_may_be_free_is_like_the_one_that_is_not() {
        for (nick, other) in
            [("ana", "ana2"), ("ana2", "ana3"), ("ana9", "ana10"), ("joão", "joão2"), ("7", "8")]
        {
            assert_eq!(variant(nick), other);
        }
        let long = variant(&"ã".repeat(32));
        assert!(Nick::new(&long).is_ok() && long.ends_with("ã2"), "{long}");
    }

    #[test]
    fn a_script_is_told_why_its_nick_was_not_taken() {
        for code in ["apelido_em_uso", "nick_in_use", "invalid_nick"] {
            let mut dialogue = Dialogue::new(Mode::Script, None, Bell::Me, &PORTUGUESE.client);
            dialogue.connected(Some("ana"));
            let failure = Failure::Nick("ana".into(), words_for(code, &PORTUGUESE.client));
            assert_eq!(hear(&mut dialogue, &format!("ERR {code}")), [Action::Fail(failure)]);
        }
    }

    #[test]
    fn what_was_sent_is_unanswered_until_something_after_it_comes_back() {
        let mut dialogue = talking_as(Mode::Script);
        hear(&mut dialogue, "Connected users: ana, joao");
        for line in ["@joao one", "two", "@joao three"] {
            dialogue.typed(line);
        }
        assert_eq!(dialogue.unanswered(), 3);
        hear(&mut dialogue, "FROM joao [all]: two");
        assert_eq!(dialogue.unanswered(), 3);
        hear(&mut dialogue, "FROM ana [all]: two");
        assert_eq!(dialogue.unanswered(), 1);
        dialogue.typed("WHO");
        dialogue.typed("@joao four");
        hear(&mut dialogue, "Connected users: ana, joao");
        assert_eq!(dialogue.unanswered(), 1);
    }

    #[test]
    fn list_in_several_lines_answers_one_question() {
        let nicks: Vec<String> = (0..300).map(|n| format!("{}{n:04}", "n".repeat(25))).collect();
        let [begin, end] = [&nicks[..260], &nicks[260..]]
            .map(|part| "Connected users: ".to_string() + &part.join(", "));
        let mut script = talking_as(Mode::Script);
        // The client asks who is here, then the script does.
        let lines = [script.typed("@ghost oi"), script.typed("WHO")].concat();
        assert_eq!(sent(&lines), ["WHO", "MSG @ghost oi", "WHO"]);
        assert_eq!(hear(&mut script, &begin), []);
        assert_eq!(hear(&mut script, &end), []);
        let actions = hear(&mut script, "ERR user_not_found");
        let refused =
            |action: &Action| matches!(action, Action::Refused(why) if why.contains("@ghost oi"));
        assert!(actions.iter().any(refused), "{actions:?}");
        for line in [&begin, &end] {
            let actions = hear(&mut script, line);
            let [Action::Show(record)] = &actions[..] else { panic!("{actions:?}") };
            assert_eq!(record.kind, Kind::Users);
        }
        // A short list is whole, and the next one is another.
        script.typed("WHO");
        script.typed("WHO");
        for _ in 0..2 {
            hear(&mut script, "Connected users: ana");
        }
        assert_eq!(script.unanswered(), 0);
    }

    #[test]
    fn the_end_is_not_good_if_something_that_is_always_answered_was_not() {
        let mut dialogue = talking_as(Mode::Script);
        dialogue.typed("one");
        hear(&mut dialogue, "FROM ana [all]: one");
        dialogue.typed("two");
        dialogue.end_of_input();
        assert_eq!(dialogue.closed(), [Action::Fail(Failure::Lost)]);
        hear(&mut dialogue, "FROM ana [all]: two");
        assert_eq!(dialogue.closed(), [Action::End]);
        // What never comes back may have been heard: whatever is said to a server that
        // does not repeat it, and what is said in private.
        for lines in [&["one"][..], &["@joao one"]] {
            let mut dialogue = talking_as(Mode::Script);
            dialogue.typed("echo");
            if lines[0].starts_with('@') {
                hear(&mut dialogue, "FROM ana [all]: echo");
            }
            lines.iter().for_each(|line| _ = dialogue.typed(line));
            dialogue.end_of_input();
            assert_eq!(dialogue.closed(), [Action::End], "{lines:?}");
        }
    }

    #[test]
    fn the_end_is_good_only_if_somebody_said_goodbye() {
        let mut dialogue = talking_as(Mode::Script);
        assert_eq!(dialogue.closed(), [Action::Fail(Failure::Lost)]);
        assert_eq!(dialogue.end_of_input(), [Action::Send("QUIT".into())]);
        assert!(dialogue.awaits_the_server());
        assert!(matches!(&hear(&mut dialogue, "BYE")[..], [Action::Show(_), Action::End]));
        assert_eq!(dialogue.closed(), [Action::End]);
        let actions = hear(&mut talking_as(Mode::Script), "OK goodbye");
        assert!(matches!(&actions[..], [Action::Show(_), Action::End]));
    }

    #[test]
    fn whoever_was_cut_off_comes_back_as_the_same_and_knows_what_may_be_lost() {
        let mut dialogue = talking_with("bia");
        dialogue.typed("heard");
        hear(&mut dialogue, "FROM ana [all]: heard");
        dialogue.typed("unheard");
        assert!(dialogue.may_return());
        assert_eq!(shown(&dialogue.lost()), ["lost  ", "* perhaps nobody heard: unheard"]);
        check(&mut dialogue, "oi", &[]);
        check(&mut dialogue, "/who", &[]);
        check(&mut dialogue, "/help", &[]);
        assert_eq!(dialogue.connected(Some("other")), [Action::Send("NICK ana".into())]);
        let actions = hear(&mut dialogue, "OK welcome ana");
        let back = |text: &str, loud| {
            let (to, text) = (Some("ana".into()), Some(text.into()));
            Action::Show(Record { kind: Kind::Back, to, text, loud, ..Record::default() })
        };
        assert_eq!(actions[0], back("", false));
        assert_eq!(sent(&actions), ["WHO"]);
        check(&mut dialogue, "oi", &["MSG oi"]);
        dialogue.lost();
        dialogue.arrived("10.0.0.5:9000", true);
        dialogue.connected(None);
        assert_eq!(hear(&mut dialogue, "OK welcome ana")[0], back("10.0.0.5:9000", true));
        dialogue.lost();
        assert_eq!(dialogue.typed("/quit"), [Action::End]);
    }

    #[test]
    fn nick_that_is_refused_on_return_gives_way_to_the_old_one() {
        for (wanted, code) in [
            ("a,b", "invalid_nick"),
            ("server", "invalid_nick"),
            ("bia", "nick_in_use"),
            ("caio", "too_fast"),
        ] {
            let mut dialogue = talking_with("bia");
            dialogue.lost();
            dialogue.typed(&format!("/nick {wanted}"));
            assert_eq!(sent(&dialogue.connected(None)), [format!("NICK {wanted}")]);
            let actions = hear(&mut dialogue, &format!("ERR {code}"));
            assert_eq!(sent(&actions), ["NICK ana"], "{wanted}");
            assert!(shown(&actions)[0].contains(wanted), "{actions:?}");
            hear(&mut dialogue, "OK welcome ana");
            check(&mut dialogue, "oi", &["MSG oi"]);
        }
    }

    #[test]
    fn person_who_thinks_is_not_thrown_out() {
        for mode in [Mode::Plain, Mode::Editor] {
            for line in ["ERR registration_timeout", "BYE"] {
                assert_eq!(hear(&mut nameless(mode), line), [Action::Unhurried], "{line}");
            }
            let mut dialogue = nameless(mode);
            assert_eq!(dialogue.closed(), [Action::Unhurried]);
            // The nick is asked for once more on the new connection.
            assert_eq!(sent(&dialogue.typed("ana")), ["NICK ana"]);
            assert_eq!(sent(&dialogue.connected(None)), ["NICK ana"]);
            hear(&mut dialogue, "ERR nick_in_use");
            assert_eq!(dialogue.closed(), [Action::Unhurried]);
            assert_eq!(sent(&dialogue.typed("ana2")), ["NICK ana2"]);
            let actions = hear(&mut dialogue, "OK welcome ana2");
            assert_eq!(shown(&actions)[0], "welcome  ");
        }
        let actions = hear(&mut nameless(Mode::Script), "ERR registration_timeout");
        assert!(matches!(&actions[..], [Action::Fail(Failure::Refused(_))]));
    }

    #[test]
    fn refused_nick_is_followed_by_one_that_may_do() {
        for (nick, other) in [
            ("João Pedro", "João-Pedro"),
            (" Ana  Maria ", "Ana-Maria"),
            ("a,b", "ab"),
            ("a/b c", "ab-c"),
            ("@ana", "ana"),
            ("server", ""),
            ("!!!", ""),
        ] {
            let mut dialogue = nameless(Mode::Editor);
            dialogue.typed(nick);
            let actions = hear(&mut dialogue, "ERR invalid_nick");
            let ask = Action::AskNick {
                suggested_nick: if other.is_empty() { "ana" } else { "" }.into(),
                draft: other.into(),
            };
            assert_eq!(actions.last(), Some(&ask), "{nick}");
        }
        let mut dialogue = talking_with("bia");
        dialogue.typed("/nick João Pedro");
        let actions = hear(&mut dialogue, "ERR invalid_nick");
        assert!(shown(&actions)[0].ends_with("perhaps João-Pedro"), "{actions:?}");
        dialogue.typed("/nick Server");
        let actions = hear(&mut dialogue, "ERR invalid_nick");
        assert_eq!(shown(&actions)[0], "* \"Server\" was refused: it is reserved");
    }

    #[test]
    fn unknown_refusal_is_not_blamed_on_the_nick() {
        let mut dialogue = nameless(Mode::Editor);
        dialogue.typed("bia");
        let actions = hear(&mut dialogue, "ERR closed_today");
        assert_eq!(shown(&actions)[0], "* the server refused that: closed_today");
        assert!(matches!(&actions[1], Action::AskNick { .. }), "{actions:?}");
        for code in ["closed_today", "not_registered", "unknown_command"] {
            let mut script = Dialogue::new(Mode::Script, None, Bell::Me, &ENGLISH.client);
            script.connected(Some("ana"));
            let actions = hear(&mut script, &format!("ERR {code}"));
            assert!(
                matches!(&actions[..], [Action::Fail(Failure::Refused(_))]),
                "{code} {actions:?}"
            );
        }
    }

    #[test]
    fn a_server_that_stops_says_so_to_all_and_one_that_removes_us_does_not() {
        let goodbye = "FROM server [all]: the server is stopping; goodbye";
        let mut dialogue = talking_with("bia");
        hear(&mut dialogue, goodbye);
        assert_eq!(hear(&mut dialogue, "BYE"), [Action::Stopped]);
        hear(&mut dialogue, goodbye);
        hear(&mut dialogue, "FROM server [dm]: you were removed by the operator");
        let actions = hear(&mut dialogue, "BYE");
        assert!(matches!(&actions[..], [Action::Show(_), Action::End]), "{actions:?}");
    }

    #[test]
    fn while_the_old_connection_has_the_nick_the_new_one_waits() {
        let mut dialogue = talking_with("bia");
        dialogue.lost();
        dialogue.connected(None);
        let actions = hear(&mut dialogue, "ERR nick_in_use");
        assert!(matches!(&actions[..], [Action::Fail(Failure::Refused(_))]), "{actions:?}");
        // It is not said again that it was lost.
        assert_eq!(dialogue.lost(), []);
        // Another nick is a way out.
        assert_eq!(dialogue.typed("/nick ana2"), [Action::Prompt("ana2".into())]);
        assert_eq!(sent(&dialogue.connected(None)), ["NICK ana2"]);
    }

    #[test]
    fn what_one_of_the_same_name_said_before_is_no_echo() {
        let mut editor = talking_as(Mode::Editor);
        hear(&mut editor, "History: 1");
        editor.typed("hello");
        assert!(!hear(&mut editor, "FROM ana [all]: said yesterday").is_empty());
        let waiting = editor.unanswered();
        assert_eq!(shown(&hear(&mut editor, "FROM ana [all]: hello")), ["+message ana hello"]);
        assert!(editor.unanswered() < waiting);
    }

    #[test]
    fn raw_lines_are_not_looked_at() {
        let mut raw = nameless(Mode::Raw);
        let line = "FROM a [all]: x";
        assert_eq!(hear(&mut raw, line), [Action::ShowRaw(line.into())]);
        assert_eq!(hear(&mut raw, "BYE"), [Action::ShowRaw("BYE".into()), Action::End]);
    }
}
