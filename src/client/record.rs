//! Actions for the program, and records of the server's lines. Pure.

use crate::client::notices::Presence;

/// Something to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this line; it has no end yet.
    Send(String),
    /// Show what was heard.
    Show(Record),
    /// Show a line of the protocol as it came.
    ShowRaw(String),
    /// Show what was said earlier.
    ShowPast(Past),
    /// Show arrivals or departures in one line.
    Presence(Presence, Vec<String>),
    /// Tell the user that something did not work, or is not as it should be.
    Hint(String),
    /// Tell the user what was asked for, or what the client does.
    Note(String),
    /// Tell a program that something of its input was not said, and why.
    Refused(String),
    /// Ring the bell.
    Ring,
    /// Call a user that may not be looking: the sender and the text.
    Call { from: String, text: String },
    /// Ask for a nick: what Enter stands for, and what is in the line already.
    AskNick { suggested_nick: String, draft: String },
    /// We have this nick.
    Prompt(String),
    /// Show how to join this server.
    Invite,
    /// Show the key of this server.
    Key,
    /// The server's room is hosted by a member.
    InRoom,
    /// All is told that a hosted room had to tell.
    CaughtUp,
    /// Clear the screen.
    Clear,
    /// Stop, unless we come back: the server has said goodbye to all.
    Stopped,
    /// The connection ended while a person thinks of a nick. It is made anew for the nick.
    Unhurried,
    /// The server can encrypt, but has said so too late for this connection.
    Encrypts,
    /// Stop: all is well.
    End,
    /// Stop: it did not work.
    Fail(Failure),
}

/// Why a dialogue fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no nick to register.
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
    /// The sender, or the person that it is about.
    pub from: Option<String>,
    /// The recipient of a private message.
    pub to: Option<String>,
    /// The text as it came; the code of an error; the nicks of a list.
    pub text: Option<String>,
    /// It is our own. A list: it answers a question of our own.
    pub own: bool,
    /// It names us; or of a way back: the server is elsewhere now.
    pub loud: bool,
    /// The number of a message that was said earlier.
    pub number: Option<u64>,
}

/// Messages that were said earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The heading above them.
    pub heading: Heading,
    pub lines: Vec<PastLine>,
    /// The words that were looked for.
    pub words: Option<String>,
    /// They are shown for the first time, and belong into the log.
    pub is_new: bool,
}

/// The heading above messages that were said earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// The room remembers them from before we came.
    Remembered,
    /// How many there are, and since when.
    Missed,
    /// They are the last of so many.
    Cut(u64),
}

/// A message that was said earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastLine {
    pub number: u64,
    /// When it was said, in seconds since 1970.
    pub seconds: u64,
    pub from: String,
    pub text: String,
    /// The sender has our nick.
    pub own: bool,
}

/// The kind of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Message,
    /// A message that was said earlier.
    Past,
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
    /// The answer to a question about the past is complete.
    Found,
}

impl Kind {
    /// The word for it in tab-separated and JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Past => "past",
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
            Kind::Found => "found",
        }
    }
}
