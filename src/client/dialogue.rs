//! What a client says and shows, as a pure state machine: lines typed and lines
//! heard go in, things to do come out.

use std::collections::VecDeque;
use std::mem;

use crate::wire::sanitize::{is_blank, strip, visible};
use crate::wire::{Command, Event, MAX_COMMAND, Refusal, Scope};

/// How many own messages may wait for their echo. An old server may send none.
const MAX_UNCONFIRMED: usize = 10_000;

/// The commands of `/help`.
const HELP: &str = "\
/who            who is here
/msg NICK TEXT  tell one person; so does @NICK TEXT
/me TEXT        say what you do
/nick NAME      take another nick
/quit           leave; so does the end of the input
/help           this help
anything else is said to all; //TEXT says /TEXT";

/// One client's side of the conversation.
#[derive(Debug)]
pub struct Dialogue {
    phase: Phase,
    /// Somebody types, and can be asked.
    interactive: bool,
    /// Lines go through as they are.
    raw: bool,
    /// The nick that the server knows us by, or is asked for.
    nick: String,
    /// The lines that the server will answer, and their numbers among all: what
    /// was said to all, or nothing for a question.
    unconfirmed: VecDeque<(u32, Option<String>)>,
    /// How many lines were sent, and the number of the last one that is known to
    /// have been listened to.
    sent: u32,
    arrived: u32,
    /// Something that was said to all has come back: it always will.
    echoes: bool,
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
}

/// Something to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send this line; it has no end yet.
    Send(String),
    /// Show what was heard.
    Show(Record),
    /// Show a line of the protocol as it came.
    ShowRaw(String),
    /// Tell the user something about the client itself.
    Hint(String),
    /// Ask for a nick.
    AskNick,
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
    /// It is our own, come back.
    pub own: bool,
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
        }
    }
}

impl Dialogue {
    /// A dialogue that has not begun, and the first things to do.
    pub fn begin(nick: Option<&str>, interactive: bool) -> (Dialogue, Vec<Act>) {
        let mut dialogue = Dialogue {
            phase: Phase::Nameless,
            interactive,
            raw: false,
            nick: String::new(),
            unconfirmed: VecDeque::new(),
            sent: 0,
            arrived: 0,
            echoes: false,
        };
        let acts = match nick {
            Some(nick) => dialogue.register(nick),
            None if interactive => vec![Act::AskNick],
            None => Vec::new(),
        };
        (dialogue, acts)
    }

    /// A dialogue in the language of the wire itself.
    pub fn raw() -> Dialogue {
        let (dialogue, _) = Dialogue::begin(None, false);
        Dialogue { phase: Phase::Talking, raw: true, ..dialogue }
    }

    /// Whether it is the user's turn. Before the server has answered to the nick,
    /// what is typed has to wait.
    pub fn listens_to_the_user(&self) -> bool {
        matches!(self.phase, Phase::Nameless | Phase::Talking)
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
        self.raw || self.echoes
    }

    /// The user has typed a line. (What is typed in raw mode is nobody's business.)
    pub fn typed(&mut self, line: &str) -> Vec<Act> {
        let line = line.trim_end_matches(['\r', '\n']);
        // Some editors begin a file with it.
        let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
        if line.trim().is_empty() {
            return if self.phase == Phase::Nameless { self.ask() } else { Vec::new() };
        }
        if self.phase == Phase::Nameless {
            return match shape(line) {
                Some(Command::Nick(nick)) => self.register(nick),
                Some(Command::Quit) => self.quit(),
                _ if self.interactive => self.register(line.trim()),
                _ => vec![Act::Fail(Failure::NoNick)],
            };
        }
        if let Some(text) = line.strip_prefix("//") {
            return self.say(&format!("/{text}"));
        }
        if let Some(command) = line.strip_prefix('/') {
            return self.command(command);
        }
        match shape(line) {
            Some(Command::Say(text)) => return self.say(text),
            Some(Command::Whisper { to, text }) => return self.whisper(to, text),
            Some(Command::Quit) => return self.quit(),
            Some(command) => return vec![self.question(command)],
            None => (),
        }
        if is_private_slip(line) {
            return hint("to tell one person: @NICK TEXT; nothing was sent");
        }
        match Command::parse(&format!("MSG {line}")) {
            _ if line.trim_end() == "MSG" => hint("MSG TEXT; nothing was sent"),
            Ok(Command::Whisper { to, text }) => self.whisper(to, text),
            Ok(_) => self.say(line),
            Err(Refusal::EmptyMessage) => Vec::new(),
            Err(_) => hint("to tell one person: @NICK TEXT; nothing was sent"),
        }
    }

    /// The user has nothing more to type.
    pub fn end_of_input(&mut self) -> Vec<Act> {
        match self.phase {
            Phase::Nameless if !self.interactive => vec![Act::Fail(Failure::NoNick)],
            _ => self.quit(),
        }
    }

    /// The server has said a line, without its end.
    pub fn heard(&mut self, line: &str) -> Vec<Act> {
        let event = Event::parse(line);
        if self.raw {
            let ends = (event == Event::Bye).then_some(Act::End);
            return [Act::ShowRaw(line.to_string())].into_iter().chain(ends).collect();
        }
        let of = |kind, nick: &str| Record { kind, from: Some(nick.into()), ..Record::default() };
        let saying =
            |kind, text: &str| Record { kind, text: Some(text.into()), ..Record::default() };
        let record = match event {
            // We know what we have to do.
            Event::Greeting => return Vec::new(),
            Event::Welcome(nick) => {
                self.confirmed(Option::is_none);
                self.nick = nick.into();
                let welcome =
                    Record { kind: Kind::Welcome, to: Some(nick.into()), ..Record::default() };
                if self.phase == Phase::Registering {
                    self.phase = Phase::Talking;
                    if self.interactive {
                        let help = "messages are not encrypted; /help shows the commands";
                        return vec![Act::Show(welcome), Act::Hint(help.into())];
                    }
                }
                welcome
            }
            Event::Message { from, scope: Scope::All, text } => {
                let own = from == self.nick;
                if own {
                    self.confirmed(Option::is_some);
                }
                Record { text: Some(text.into()), own, ..of(Kind::Message, from) }
            }
            Event::Message { from, scope: Scope::Dm, text } => {
                let to = Some(self.nick.clone());
                Record { text: Some(text.into()), to, ..of(Kind::Private, from) }
            }
            // A server without echo: it was heard by all the others.
            Event::Sent(None) => match self.confirmed(Option::is_some) {
                Some(text) => {
                    Record { text: Some(text), own: true, ..of(Kind::Message, &self.nick) }
                }
                None => return Vec::new(),
            },
            // One without confirmation does not say this either.
            Event::Sent(Some(_)) => return Vec::new(),
            Event::Joined(nick) => of(Kind::Joined, nick),
            Event::Left(nick) => of(Kind::Left, nick),
            Event::Users(nicks) => {
                self.confirmed(Option::is_none);
                saying(Kind::Users, &nicks.join(", "))
            }
            Event::Refused(refusal) => return self.refused(refusal.code()),
            Event::Failed(words) => return self.refused(words),
            Event::Bye => {
                let bye = Record { kind: Kind::Bye, ..Record::default() };
                return match self.phase {
                    Phase::Registering => {
                        vec![Act::Fail(Failure::Refused("it said goodbye".into()))]
                    }
                    _ => vec![Act::Show(bye), Act::End],
                };
            }
            Event::History(_) | Event::Other(_) => saying(Kind::Notice, line),
        };
        vec![Act::Show(record)]
    }

    /// The server has closed the connection.
    pub fn closed(&mut self) -> Vec<Act> {
        match self.phase {
            Phase::Leaving => vec![Act::End],
            Phase::Registering => {
                let why = "it closed the connection; is it a chat server?";
                vec![Act::Fail(Failure::Refused(why.into()))]
            }
            Phase::Nameless | Phase::Talking => vec![Act::Fail(Failure::Lost)],
        }
    }

    fn refused(&mut self, code: &str) -> Vec<Act> {
        let why = || words_for(code);
        match (self.phase, Refusal::from_code(code)) {
            (_, Some(Refusal::RoomFull | Refusal::RegistrationTimeout)) => {
                vec![Act::Fail(Failure::Refused(why()))]
            }
            (Phase::Registering, _) if self.interactive => {
                self.phase = Phase::Nameless;
                vec![Act::Hint(format!("{:?} was not taken: {}", self.nick, why())), Act::AskNick]
            }
            (Phase::Registering, _) => {
                vec![Act::Fail(Failure::Nick(mem::take(&mut self.nick), why()))]
            }
            _ => {
                let text = Some(code.into());
                vec![Act::Show(Record { kind: Kind::Error, text, ..Record::default() })]
            }
        }
    }

    /// The oldest line of a kind has been listened to, and so have all before it.
    fn confirmed(&mut self, kind: impl Fn(&Option<String>) -> bool) -> Option<String> {
        let at = self.unconfirmed.iter().position(|(_, text)| kind(text))?;
        let (number, text) = self.unconfirmed.drain(..=at).next_back()?;
        self.arrived = number;
        self.echoes |= text.is_some();
        text
    }

    /// A line to which the server has an answer.
    fn question(&mut self, command: Command<'_>) -> Act {
        self.sent += 1;
        self.unconfirmed.push_back((self.sent, None));
        Act::Send(command.to_string())
    }

    fn ask(&self) -> Vec<Act> {
        if self.interactive { vec![Act::AskNick] } else { Vec::new() }
    }

    fn register(&mut self, nick: &str) -> Vec<Act> {
        self.phase = Phase::Registering;
        self.nick = nick.to_string();
        vec![self.question(Command::Nick(nick))]
    }

    fn quit(&mut self) -> Vec<Act> {
        self.phase = Phase::Leaving;
        vec![Act::Send(Command::Quit.to_string())]
    }

    fn say(&mut self, text: &str) -> Vec<Act> {
        let mut pieces = pieces(text, MAX_COMMAND - "MSG …\n".len());
        for (piece, number) in pieces.iter_mut().zip(self.sent + 1..) {
            // A piece may begin with an at sign. It would not be said to all.
            if !matches!(Command::parse(&format!("MSG {piece}")), Ok(Command::Say(_))) {
                piece.insert(0, '…');
            }
            self.unconfirmed.push_back((number, Some(strip(piece).into_owned())));
        }
        let surplus = self.unconfirmed.len().saturating_sub(MAX_UNCONFIRMED);
        self.unconfirmed.drain(..surplus);
        self.send(&pieces, Command::Say)
    }

    fn whisper(&mut self, to: &str, text: &str) -> Vec<Act> {
        let Some(room) =
            (MAX_COMMAND - "MSG @ \n".len()).checked_sub(to.len()).filter(|&room| room >= 4)
        else {
            return hint("nobody has such a long nick; nothing was sent");
        };
        self.send(&pieces(text, room), |text| Command::Whisper { to, text })
    }

    fn send<'a>(
        &mut self,
        pieces: &'a [String],
        command: impl Fn(&'a str) -> Command<'a>,
    ) -> Vec<Act> {
        self.sent += pieces.len() as u32;
        let mut acts: Vec<Act> =
            pieces.iter().map(|piece| Act::Send(command(piece).to_string())).collect();
        if let count @ 2.. = acts.len() {
            let text = format!("that line was too long for one message; it went as {count}");
            acts.push(Act::Hint(text));
        }
        acts
    }

    /// What was typed after a slash.
    fn command(&mut self, line: &str) -> Vec<Act> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            // A path is no command.
            _ if word.contains('/') => self.say(&format!("/{line}")),
            "who" => vec![self.question(Command::Who)],
            "quit" => self.quit(),
            "help" => HELP.lines().map(|line| Act::Hint(line.into())).collect(),
            "nick" if !rest.is_empty() => vec![self.question(Command::Nick(rest))],
            "nick" => hint("/nick NAME"),
            "me" if !rest.is_empty() => self.say(&format!("/me {rest}")),
            "me" => hint("/me TEXT"),
            "msg" => match Command::parse(&format!("MSG @{}", rest.trim_start_matches('@'))) {
                Ok(Command::Whisper { to, text }) => self.whisper(to, text),
                _ => hint("/msg NICK TEXT"),
            },
            _ => hint(&format!("no command /{word}: see /help; to send it as text: //{word}")),
        }
    }
}

fn hint(text: &str) -> Vec<Act> {
    vec![Act::Hint(text.into())]
}

/// A line in the very shape of the protocol, as the classroom types it: capitals,
/// and as many words as there have to be. `WHO is coming?` is something to say.
fn shape(line: &str) -> Option<Command<'_>> {
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
    let mut seen = line.chars().filter(|&c| !is_blank(c));
    let word: String = seen.by_ref().take(3).collect();
    word.eq_ignore_ascii_case("MSG") && seen.find(|&c| c.is_alphanumeric() || c == '@') == Some('@')
}

/// Cuts a text into pieces of at most `room` bytes, between words unless that
/// would waste half of it.
fn pieces(text: &str, room: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let most = rest.floor_char_boundary(room);
        let cut = rest[..most]
            .rfind(' ')
            .map(|blank| blank + 1)
            .filter(|&cut| cut > room / 2)
            .unwrap_or(most);
        pieces.push(rest[..cut].trim_end().to_string());
        rest = &rest[cut..];
    }
    pieces.push(rest.to_string());
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// What an error of the server means, for people.
pub fn words_for(code: &str) -> String {
    let words = match Refusal::from_code(code) {
        Some(Refusal::NickInUse) => "somebody here has that nick",
        Some(Refusal::InvalidNick) => "a nick is 1 to 32 letters, digits, '-', '_' or '.'",
        Some(Refusal::UserNotFound) => "nobody here has that nick",
        Some(Refusal::MalformedDm) => "a direct message needs a nick and a text",
        Some(Refusal::EmptyMessage) => "there was nothing to say",
        Some(Refusal::NotRegistered) => "it wants a nick first",
        Some(Refusal::UnknownCommand) => "it does not know that command",
        Some(Refusal::LineTooLong) => "the line is too long",
        Some(Refusal::InvalidUtf8) => "the text is not UTF-8",
        Some(Refusal::TooFast) => "not so many nicks in so little time",
        Some(Refusal::RoomFull) => "the room is full",
        Some(Refusal::RegistrationTimeout) => "it has waited too long for a nick; join again",
        None => return visible(code).into_owned(),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talking() -> Dialogue {
        let (mut dialogue, acts) = Dialogue::begin(Some("ana"), false);
        assert_eq!(acts, [Act::Send("NICK ana".into())]);
        assert_eq!(dialogue.heard("New User. Please register with: NICK <your_nick>"), []);
        assert!(matches!(&dialogue.heard("OK welcome ana")[..], [Act::Show(_)]));
        dialogue
    }

    #[track_caller]
    fn check(typed: &str, sent: &[&str]) {
        let acts = talking().typed(typed);
        let lines: Vec<&str> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Send(line) => Some(line.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(lines, sent, "{typed:?}");
        assert_eq!(
            lines.is_empty() && !typed.trim().is_empty(),
            matches!(&acts[..], [Act::Hint(_), ..])
        );
    }

    #[test]
    fn what_is_typed_is_said_to_all() {
        check("pronto", &["MSG pronto"]);
        check(" two  blanks ", &["MSG  two  blanks "]);
        check("WHO is coming?", &["MSG WHO is coming?"]);
        check("QUIT smoking", &["MSG QUIT smoking"]);
        check("NICK is late today", &["MSG NICK is late today"]);
        check("who", &["MSG who"]);
        check("/usr/bin is text", &["MSG /usr/bin is text"]);
        check("//help", &["MSG /help"]);
        check("", &[]);
        check("  \t", &[]);
    }

    #[test]
    fn the_protocol_itself_may_be_typed() {
        check("MSG pronto", &["MSG pronto"]);
        check("MSG WHO", &["MSG WHO"]);
        check("MSG @joao psst", &["MSG @joao psst"]);
        check("WHO", &["WHO"]);
        check("QUIT", &["QUIT"]);
        check("NICK bia", &["NICK bia"]);
    }

    #[test]
    fn what_is_for_one_is_never_said_to_all() {
        check("@joao psst", &["MSG @joao psst"]);
        check("  @joao psst", &["MSG @joao psst"]);
        check("@joao", &[]);
        check("@ joao", &[]);
        for slip in [
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
            "MSG",
            "MSG  ",
        ] {
            check(slip, &[]);
        }
        check("/msg @joao psst", &["MSG @joao psst"]);
        check("\u{FEFF}MSG @joao psst", &["MSG @joao psst"]);
        check("/msg joao psst", &["MSG @joao psst"]);
        check("/msg joao", &[]);
    }

    #[test]
    fn slash_commands_are_few_and_mistakes_are_not_sent() {
        check("/who", &["WHO"]);
        check("/nick bia", &["NICK bia"]);
        check("/me acena", &["MSG /me acena"]);
        check("/quit", &["QUIT"]);
        for typed in ["/help", "/dance", "/nick", "/me ", "/"] {
            check(typed, &[]);
        }
    }

    #[test]
    fn a_long_line_goes_in_pieces_between_words_and_no_word_is_lost() {
        let text = "uma palavra @joao e outra ção ".repeat(400);
        let acts = talking().typed(&text);
        let lines: Vec<&String> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Send(line) => Some(line),
                _ => None,
            })
            .collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < MAX_COMMAND));
        assert!(lines.iter().all(|line| matches!(Command::parse(line), Ok(Command::Say(_)))));
        let said: Vec<&str> = lines.iter().flat_map(|line| line[4..].split_whitespace()).collect();
        let said: Vec<&str> = said.iter().map(|word| word.trim_start_matches('…')).collect();
        assert_eq!(said, text.split_whitespace().collect::<Vec<_>>());
        assert!(matches!(acts.last(), Some(Act::Hint(_))));

        let endless = "é".repeat(5000);
        let pieces = super::pieces(&endless, 100);
        assert!(pieces.iter().all(|piece| piece.len() <= 100));
        assert_eq!(pieces.concat(), endless);
    }

    #[test]
    fn no_piece_of_a_public_line_becomes_private() {
        for text in [
            "x@".repeat(9000),
            format!("x{}", "@".repeat(9000)),
            format!("x{}", "\u{3000}@".repeat(3000)),
        ] {
            for act in talking().typed(&text) {
                if let Act::Send(line) = act {
                    assert!(matches!(Command::parse(&line), Ok(Command::Say(_))), "{line:.20}");
                    assert!(line.len() < MAX_COMMAND);
                }
            }
        }
    }

    #[test]
    fn a_pipe_names_itself_in_its_first_line_or_not_at_all() {
        let nameless = || Dialogue::begin(None, false).0;
        assert_eq!(nameless().typed("NICK bot"), [Act::Send("NICK bot".into())]);
        assert_eq!(nameless().typed(""), []);
        assert_eq!(nameless().typed("pronto"), [Act::Fail(Failure::NoNick)]);
        assert_eq!(nameless().end_of_input(), [Act::Fail(Failure::NoNick)]);
    }

    #[test]
    fn a_person_is_asked_until_the_server_agrees() {
        let (mut dialogue, acts) = Dialogue::begin(None, true);
        assert_eq!(acts, [Act::AskNick]);
        assert_eq!(dialogue.typed(""), [Act::AskNick]);
        assert_eq!(dialogue.typed("ana"), [Act::Send("NICK ana".into())]);
        assert!(!dialogue.listens_to_the_user());
        assert!(matches!(&dialogue.heard("ERR apelido_em_uso")[..], [Act::Hint(_), Act::AskNick]));
        assert_eq!(dialogue.typed("NICK ana2"), [Act::Send("NICK ana2".into())]);
        dialogue.heard("OK Welcome ana2");
        assert_eq!(dialogue.typed("oi"), [Act::Send("MSG oi".into())]);
    }

    #[test]
    fn a_script_is_told_why_its_nick_was_not_taken() {
        for code in ["apelido_em_uso", "nick_in_use", "invalid_nick", "something_new"] {
            let (mut dialogue, _) = Dialogue::begin(Some("ana"), false);
            let failure = Failure::Nick("ana".into(), words_for(code));
            assert_eq!(dialogue.heard(&format!("ERR {code}")), [Act::Fail(failure)]);
        }
    }

    #[test]
    fn a_server_without_echo_shows_the_same_as_one_with() {
        let mut with = talking();
        with.typed("oi");
        let mut without = talking();
        without.typed("oi");
        let echo = with.heard("FROM ana [all]: oi");
        assert_eq!(without.heard("OK broadcast_sent"), echo);
        assert_eq!(without.heard("OK broadcast_sent"), []);
        assert_eq!(without.heard("OK dm_sent to joao"), []);
    }

    #[test]
    fn what_was_sent_is_unanswered_until_something_after_it_comes_back() {
        let mut dialogue = talking();
        for line in ["@joao one", "two", "@joao three"] {
            dialogue.typed(line);
        }
        assert_eq!(dialogue.unanswered(), 3);
        dialogue.heard("FROM joao [all]: two");
        assert_eq!(dialogue.unanswered(), 3);
        dialogue.heard("FROM ana [all]: two");
        assert_eq!(dialogue.unanswered(), 1);
        dialogue.typed("WHO");
        dialogue.typed("@joao four");
        dialogue.heard("Connected users: ana, joao");
        assert_eq!(dialogue.unanswered(), 1);
    }

    #[test]
    fn the_end_is_good_only_if_somebody_said_goodbye() {
        let mut dialogue = talking();
        assert_eq!(dialogue.closed(), [Act::Fail(Failure::Lost)]);
        assert_eq!(dialogue.end_of_input(), [Act::Send("QUIT".into())]);
        assert!(dialogue.awaits_the_server());
        assert!(matches!(&dialogue.heard("BYE")[..], [Act::Show(_), Act::End]));
        assert_eq!(dialogue.closed(), [Act::End]);
        assert!(matches!(&talking().heard("OK goodbye")[..], [Act::Show(_), Act::End]));
    }

    #[test]
    fn raw_lines_are_not_looked_at() {
        let mut raw = Dialogue::raw();
        assert_eq!(raw.heard("FROM a [all]: x"), [Act::ShowRaw("FROM a [all]: x".into())]);
        assert_eq!(raw.heard("BYE"), [Act::ShowRaw("BYE".into()), Act::End]);
    }
}
