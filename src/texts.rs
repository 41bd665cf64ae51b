//! The words for people, in English and in Portuguese.
//!
//! One struct, two constants: a text that is missing in one language does not
//! compile. The wire, JSON, tab-separated columns and the log are the same
//! everywhere, and none of their words is here.

mod encryption;
mod english;
mod portuguese;
pub mod wrap;

use std::io;

pub use encryption::Encryption;
pub use english::ENGLISH;
pub use portuguese::PORTUGUESE;

/// The language of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Portuguese.
    Portuguese,
}

/// One text in each language, for tables that hold all languages in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both {
    /// In English.
    pub english: &'static str,
    /// In Portuguese.
    pub portuguese: &'static str,
}

/// A text in both languages.
pub const fn both(english: &'static str, portuguese: &'static str) -> Both {
    Both { english, portuguese }
}

impl Both {
    /// The text in one language.
    pub fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Portuguese => self.portuguese,
        }
    }
}

/// Everything that people read, in one language.
#[derive(Debug)]
pub struct Texts {
    /// The client.
    pub client: Client,
    /// The command line.
    pub cli: CommandLine,
    /// The list of servers.
    pub discover: Discover,
    /// Why no server is seen on the network.
    pub discovery: Discovery,
    /// Encryption, and the keys of servers.
    pub encryption: Encryption,
    /// Why the program stopped.
    pub error: Errors,
    /// The operator's commands.
    pub operator: Operator,
    /// The server's terminal.
    pub server: Server,
    /// The line at the bottom of a terminal.
    pub terminal: Terminal,
}

/// Help, and the errors of a command line. Values that
/// they gave are the arguments, unless said otherwise.
#[derive(Debug)]
pub struct CommandLine {
    /// The language of these texts.
    pub language: Language,
    /// How a command is used: its name, or nothing for the program itself.
    pub usage: fn(&str) -> &'static str,
    /// The heading of what has no option's name.
    pub arguments: &'static str,
    /// The heading of the options.
    pub options: &'static str,
    /// The heading of the commands.
    pub commands: &'static str,
    /// Where the options of each command are told.
    pub more: &'static str,
    /// The heading of the examples.
    pub examples: &'static str,
    /// Command lines that show how a command is used: its name, or nothing for the
    /// program itself.
    pub examples_of: fn(&str) -> &'static [&'static str],

    /// There is no such option.
    pub unknown_option: fn(&str) -> String,
    /// There is no such command.
    pub unknown_command: fn(&str) -> String,
    /// Nothing is to stand where this does.
    pub unexpected: fn(&str) -> String,
    /// This option needs a value.
    pub missing_value: fn(&str) -> String,
    /// This option takes no value.
    pub needless_value: fn(&str) -> String,
    /// The value of an option makes no sense: the option, and what is wrong.
    pub wrong_value: fn(&str, &str) -> String,

    /// It is no port: the value, and the lowest port.
    pub no_port: fn(&str, u16) -> String,
    /// It is no IP address.
    pub no_ip: fn(&str) -> String,
    /// An address to listen on is valid on one link only.
    pub one_link: fn(&str) -> String,
    /// It is no address of a log that several servers share.
    pub no_engine: &'static str,
    /// Such an address asks for TLS.
    pub engine_tls: &'static str,
    /// It is no number: the value, and the highest.
    pub no_number: fn(&str, u32) -> String,
    /// It is no time: the value, and the most seconds.
    pub no_time: fn(&str, u32) -> String,
    /// It is none of a few words: the value, and those.
    pub no_choice: fn(&str, &str) -> String,
    /// No shell is given: those that there are.
    pub no_shell: fn(&str) -> String,
    /// A dash names no file.
    pub no_dash: &'static str,
    /// There is nothing in a value.
    pub empty: &'static str,
    /// An argument is not text.
    pub no_text: fn(&str) -> String,
    /// It is no nick.
    pub no_nick: fn(&str) -> String,
    /// It is no address.
    pub no_address: fn(&str) -> String,
    /// The name of the server is empty.
    pub no_name: &'static str,
    /// Something more than a host and a port is given.
    pub after_port: fn(&str) -> String,
    /// A name has control characters.
    pub garbled_name: fn(&str) -> String,
    /// Several words are given, which may be one name.
    pub unquoted: fn(&str) -> String,
    /// A port is given twice: in one word with the host, and in one of its own.
    pub two_ports: fn(&str, &str) -> String,
    /// A line of the greeting is too long: how many bytes it may have.
    pub long_motd: fn(usize) -> String,
    /// Why a text is no password: it has too few characters, of so many.
    pub password_short: fn(usize) -> String,
    /// Why: it has too many bytes, of so many.
    pub password_long: fn(usize) -> String,
    /// Why: it has characters that cannot be typed.
    pub password_unseen: &'static str,
    /// Nothing is printed, but a password would be made.
    pub password_unshown: &'static str,
    /// Two options exclude each other.
    pub exclusive: fn(&str, &str) -> String,
    /// An option has no effect without another one.
    pub lacking: fn(&str, &str) -> String,
    /// Browsers refuse this port.
    pub no_web_port: fn(&str) -> String,
    /// A scan is made once, and watching goes on.
    pub scan_and_watch: &'static str,
    /// The note that a search needs no address.
    pub auto_and_address: &'static str,
    /// Raw lines register no nick by themselves.
    pub raw_and_nick: &'static str,

    /// The advice to look at this command line.
    pub look_at: fn(&str) -> String,
    /// The command line that may have been meant.
    pub did_you_mean: fn(&str) -> String,
}

/// The lines around the list of servers.
#[derive(Debug)]
pub struct Discover {
    /// The heads of the columns: name, address, users, version.
    pub head: [&'static str; 5],
    /// A server cannot be joined for its protocol.
    pub another_protocol: &'static str,
    /// A room lives on the machines of its members.
    pub hosted: &'static str,
    /// The addresses of the local networks are tried one by one.
    pub scanning: &'static str,
}

/// Why a server is not seen, or no server is, in the middle of a sentence.
#[derive(Debug)]
pub struct Discovery {
    /// There is no network.
    pub no_network: &'static str,
    /// The server does not listen where it is to be announced.
    pub elsewhere: &'static str,
    /// Another program has the port of multicast DNS.
    pub port_taken: &'static str,
    /// Multicast cannot be sent.
    pub no_multicast: &'static str,
    /// Multicast was sent, and no answer came.
    pub blocked: &'static str,
}

/// Why the program stopped, and what to do next: two lines each. Where there is a
/// reason from the system, it is the last argument.
#[derive(Debug)]
pub struct Errors {
    /// Another program listens: where, and a command line that may do.
    pub address_in_use: fn(&str, &str) -> String,
    /// Listening there is not allowed: where.
    pub port_denied: fn(&str) -> String,
    /// This machine has no such address: where.
    pub no_such_address: fn(&str) -> String,
    /// The page for browsers cannot be served: where, and why.
    pub listen_for_page: fn(&str, &str) -> String,
    /// The server cannot listen for another reason: where.
    pub listen: fn(&str, &str) -> String,
    /// The log cannot be opened: its path.
    pub log: fn(&str, &str) -> String,
    /// Opening the log takes too long: its path.
    pub log_held: fn(&str) -> String,
    /// The folder for what is said cannot be used: its path, and why.
    pub store: fn(&str, &str) -> String,
    /// Another server keeps what is said in this folder.
    pub store_in_use: fn(&str) -> String,
    /// The folder belongs to another user.
    pub store_not_ours: fn(&str) -> String,
    /// The folder has a file that holds something else, or a newer format: its path.
    pub store_unknown: fn(&str) -> String,
    /// The log that several servers share cannot be used: where it is, and why.
    pub engine: fn(&str, &str) -> String,
    /// Why: the user or the password is not known.
    pub engine_login: &'static str,
    /// Why: the user may not do something, in the words of the engine.
    pub engine_denied: fn(&str) -> String,
    /// Why: the engine is too old.
    pub engine_old: &'static str,
    /// Why: something else has this key.
    pub engine_key: fn(&str) -> String,
    /// Why: servers of another version use the log, with this version of its format.
    pub engine_version: fn(u32) -> String,
    /// Why: this program was built without it.
    pub engine_missing: &'static str,
    /// The file that remembers what was read cannot be read: its path, and why.
    pub since: fn(&str, &str) -> String,
    /// The file that is to remember what was read holds something else: its path.
    pub no_place: fn(&str) -> String,
    /// The host name leads nowhere: the name.
    pub resolve: fn(&str, &str) -> String,
    /// No server answers: its name, how one is started there.
    pub connect: fn(&str, &str, &str) -> String,
    /// No answer in time: the server, its port.
    pub unanswered: fn(&str, u16, &str) -> String,
    /// There is no way to that network, or to that machine: the server.
    pub unreachable: fn(&str, &str) -> String,
    /// An IPv6 address needs its link: the server.
    pub no_link: fn(&str, &str) -> String,
    /// It does not talk like a chat: the server, seconds.
    pub silent: fn(&str, f64) -> String,
    /// The connection broke: the server, a command line to join again.
    pub lost: fn(&str, &str) -> String,
    /// No server is there: on which interfaces, if any, in how many seconds, and
    /// why that may be.
    pub not_found: fn(&str, f64, &str) -> String,
    /// No server is there, and this port was tried at all addresses: on which
    /// interfaces.
    pub not_scanned: fn(&str, u16) -> String,
    /// No server at all was found, nor one of this title.
    pub unknown: fn(&str) -> String,
    /// No server of this title was found, but these.
    pub unknown_among: fn(&str, &str) -> String,
    /// These servers could be meant.
    pub several: fn(&str) -> String,
    /// These servers have one title: the servers, the first one's address.
    pub same_title: fn(&str, &str) -> String,
    /// The host name leads nowhere: the name, the title that may be meant, as it is
    /// typed.
    pub meant: fn(&str, &str) -> String,
    /// The server of this title speaks this version of the protocol.
    pub incompatible: fn(&str, u32) -> String,
    /// The server of this title does not say what it speaks.
    pub unversioned: fn(&str) -> String,
    /// No interface of this name is up, but these.
    pub no_interface: fn(&str, &str) -> String,
    /// There is no nick, and no person to ask.
    pub no_nick: &'static str,
    /// The server did not take a nick: the nick, and why.
    pub nick: fn(&str, &str) -> String,
    /// The server does not let us in: the server, and why.
    pub refused: fn(&str, &str) -> String,
    /// The input cannot be read.
    pub input: fn(&str) -> String,
    /// The input is UTF-16.
    pub utf16: &'static str,
    /// The output cannot be written.
    pub output: fn(&str) -> String,
    /// The program cannot be told to stop.
    pub signals: fn(&str) -> String,
    /// The program cannot look for servers.
    pub search: fn(&str) -> String,
    /// The system runs too few of our workers.
    pub no_workers: fn(&str) -> String,

    /// The words for what went wrong in the system, if they are not its own: the
    /// kind, and its own words.
    pub system: fn(io::ErrorKind, &str) -> Option<&'static str>,
}

/// The client's own texts.
#[derive(Debug)]
pub struct Client {
    /// The language of these texts.
    pub language: Language,
    /// The last line of `/help`, about all that is no command.
    pub said_to_all: &'static str,
    /// Before a server is found.
    pub looking: &'static str,
    /// A server was found: its title and address.
    pub joining: fn(&str) -> String,
    /// The welcome in a conversation in the clear.
    pub welcome: &'static str,
    /// The same in an encrypted one.
    pub welcome_encrypted: &'static str,
    /// Asks for the number of a server; Enter takes the first.
    pub which: &'static str,
    /// Asks whether to open a room, because there is none.
    pub open_room: &'static str,
    /// The answers that mean no, in lower case.
    pub no: &'static [&'static str],
    /// The user has opened a room.
    pub opened: &'static str,
    /// The room that was joined has no server of its own.
    pub hosted: &'static str,
    /// The host is told what their leaving would do.
    pub room_ends: &'static str,
    /// Another member's machine goes on with the room.
    pub room_moved: &'static str,
    /// This machine goes on with the room.
    pub room_held: &'static str,
    /// How many people are in a room.
    pub people: fn(u32) -> String,
    /// That is none of the servers in the list: what was answered, how long the list is.
    pub no_choice: fn(&str, usize) -> String,
    /// Asks for a nick; the proposal may be empty.
    pub nickname: fn(&str) -> String,
    /// The nick that was accepted.
    pub you_are: fn(&str) -> String,
    /// After joining: the others, and how many there are with oneself.
    pub here: fn(&str, usize) -> String,
    /// After joining: there are no others.
    pub alone: &'static str,
    /// The members: how many, and their nicks.
    pub users: fn(usize, &str) -> String,
    /// The nicks of arrivals, and how many they are.
    pub joined: fn(&str, usize) -> String,
    /// The nicks of departures, and how many they are.
    pub left: fn(&str, usize) -> String,
    /// How many messages were said before one came.
    pub history: fn(usize) -> String,
    /// The server's words to all when it stops.
    pub stopping: &'static str,
    /// The host leaves, and the room goes on at this address.
    pub goes_on: fn(&str) -> String,
    /// The server's word to a person that the operator removes.
    pub removed: &'static str,
    /// The server's word to all when it tells no more joins and leaves.
    pub notices_end: &'static str,
    /// The server's word to all when it tells that again.
    pub notices_again: &'static str,
    /// The server's word to a newcomer where that is not told.
    pub notices_off: &'static str,
    /// Another member has the nick, because the server was cut off.
    pub nick_lost: &'static str,
    /// The server cannot reach the others of its room.
    pub cut_off: &'static str,
    /// It reaches them again.
    pub together: &'static str,
    /// The server's word behind a list that it has cut: how many others, and whether they are
    /// those without encryption.
    pub others: fn(usize, bool) -> String,
    /// The conversation is encrypted, and that of some members is not: their nicks, and how
    /// many they are.
    pub in_the_clear: fn(&str, usize) -> String,
    /// Behind a list of nicks: how many more.
    pub more: fn(usize) -> String,
    /// Above what was said before we came: how many messages, since when.
    pub remembered: fn(usize, &str) -> String,
    /// Above what was said earlier: how many messages, since when.
    pub past: fn(usize, &str) -> String,
    /// Above the last messages of more: how many of how many.
    pub past_cut: fn(usize, &str) -> String,
    /// Below what was said earlier.
    pub past_end: &'static str,
    /// No message holds the words.
    pub nothing_found: &'static str,
    /// The server tells nothing of the past.
    pub no_history: &'static str,
    /// The last question about the past has no answer yet.
    pub still_searching: &'static str,
    /// There were too many searches.
    pub searches_too_fast: &'static str,
    /// The words that are looked for are too few or too many.
    pub search_length: &'static str,
    /// The place in a room cannot be remembered: the path, and why.
    pub since_failed: fn(&str, &str) -> String,
    /// The server keeps what is said to all, for so many days; none is without a limit.
    pub recorded: fn(Option<u32>) -> String,
    /// A number of messages, in the digits of the language.
    pub number: fn(u64) -> String,
    /// Oneself, at either end of an arrow.
    pub you: &'static str,
    /// The end of a chat.
    pub bye: &'static str,
    /// The server said no, and why.
    pub refused: fn(&str) -> String,
    /// The nick is taken; another one that may be free.
    pub nick_taken: fn(&str, &str) -> String,
    /// The nick was not taken, and why.
    pub nick_refused: fn(&str, &str) -> String,
    /// Why: the nick is taken.
    pub nick_in_use: &'static str,
    /// Behind why a nick was refused: one that may do.
    pub perhaps: fn(&str) -> String,
    /// Why: the nick is not allowed.
    pub nick_reserved: &'static str,
    /// Why: the nick is not fit to be one.
    pub nick_invalid: &'static str,
    /// Why: there is no such nick.
    pub user_not_found: &'static str,
    /// Why: a direct message lacks something.
    pub malformed_dm: &'static str,
    /// Why: there is no text.
    pub empty_message: &'static str,
    /// Why: there is no nick yet.
    pub not_registered: &'static str,
    /// Why: the server does not know the word.
    pub unknown_command: &'static str,
    /// Why: the line is too long.
    pub line_too_long: &'static str,
    /// Why: the text is not UTF-8.
    pub invalid_utf8: &'static str,
    /// Why: too many nicks.
    pub too_fast: &'static str,
    /// Why: the operator has muted us.
    pub muted: &'static str,
    /// Why: no place is left.
    pub room_full: &'static str,
    /// Why: the operator has banned this address.
    pub banned: &'static str,
    /// Why: too many connections come from here.
    pub crowded: &'static str,
    /// Why: there was no nick in time.
    pub registration_timeout: &'static str,
    /// Why: the server cannot begin this encryption.
    pub bad_handshake: &'static str,
    /// Why: nobody may talk in the clear.
    pub encryption_required: &'static str,
    /// Why: the password is another one.
    pub wrong_password: &'static str,
    /// Why: too many passwords were tried.
    pub too_many_guesses: &'static str,
    /// Why: the server said goodbye at once.
    pub said_goodbye: &'static str,
    /// Why: the server hung up at once.
    pub closed: &'static str,
    /// A line was sent as so many.
    pub in_pieces: fn(usize) -> String,
    /// A line of the server's was too long.
    pub left_out: &'static str,
    /// The typed or pasted bytes are not text, and forgotten.
    pub garbled: &'static str,
    /// Nothing was sent: no nick is so long.
    pub long_nick: &'static str,
    /// Nothing was sent: how to tell one person.
    pub private: &'static str,
    /// Nothing was sent: `MSG` lacks a text.
    pub message: &'static str,
    /// Nothing was sent: how a command is used.
    pub usage: fn(&str) -> String,
    /// Nothing was sent: there is no such command; a guess.
    pub unknown: fn(&str, Option<&str>) -> String,
    /// Nothing was sent: a word that may be one of these.
    pub ambiguous: fn(&str, &str) -> String,
    /// Nothing was sent: a word that leaves elsewhere.
    pub leave: &'static str,
    /// There is no such nick; a guess.
    pub nobody: fn(&str, Option<&str>) -> String,
    /// There is no message to answer.
    pub no_reply: &'static str,
    /// Nothing was sent: the sender of the last message is not known to be here; the member that
    /// came in their place.
    pub reply_gone: fn(&str, Option<&str>) -> String,
    /// Nothing was sent: the nick may have another owner than before.
    pub changed_hands: fn(&str) -> String,
    /// Nothing was sent: a command cannot have several lines.
    pub one_line: &'static str,
    /// The server has not sent this to all yet.
    pub on_its_way: fn(&str) -> String,
    /// Nothing of this person is shown any more.
    pub ignoring: fn(&str) -> String,
    /// This person is shown again.
    pub heeding: fn(&str) -> String,
    /// This person came when an ignored one left, by that nick, and is ignored, too.
    pub ignoring_too: fn(&str, &str) -> String,
    /// This nick is not ignored any more: it may have another owner.
    pub heard_again: fn(&str) -> String,
    /// The connection was lost, and these are ignored still.
    pub still_ignoring: fn(&str) -> String,
    /// The ignored nicks.
    pub ignored: fn(&str) -> String,
    /// No nick is ignored.
    pub ignored_nobody: &'static str,
    /// Whether coming and going is shown no more.
    pub quiet: fn(bool) -> String,
    /// When it rings.
    pub bell: fn(&str) -> String,
    /// There is no screen to clear.
    pub no_screen: &'static str,
    /// The connection broke.
    pub lost: &'static str,
    /// The connection is there again, under this nick, and perhaps elsewhere.
    pub back: fn(&str, Option<&str>) -> String,
    /// Something was typed without a connection.
    pub offline: &'static str,
    /// The server has ended the conversation, and its last words.
    pub dismissed: fn(&str) -> String,
    /// The input goes on behind the end of the conversation.
    pub rest: &'static str,
    /// The connection broke before this came back.
    pub unheard: fn(&str) -> String,
    /// This many more did not come back.
    pub unheard_more: fn(usize) -> String,
    /// The server is there again, but this nick is taken.
    pub held: fn(&str) -> String,
    /// The user cannot do that to their own nick.
    pub oneself: &'static str,
    /// The server is there again but says no, and why.
    pub not_yet: fn(&str) -> String,
}

/// The answer to a command of the operator's.
#[derive(Debug)]
pub struct Operator {
    /// The note that Ctrl-D does nothing here.
    pub ends: &'static str,
    /// The arguments of each command and what it does, in the order in which the
    /// server knows them: `who`, say, kick, mute, unmute, ban, listen, invite, help.
    pub commands: [(&'static str, &'static str); 9],
    /// The command is not known: its word, with the slash, and perhaps the one
    /// that was meant.
    pub unknown: fn(&str, Option<&str>) -> String,
    /// This is the beginning of several commands: of these.
    pub ambiguous: fn(&str, &str) -> String,
    /// The typed line is no command, and was not said to anybody.
    pub not_said: &'static str,
    /// There is no such nick; perhaps a similar one.
    pub nobody: fn(&str, Option<&str>) -> String,
    /// The room is empty.
    pub empty: &'static str,
    /// A member: their nick, their address, for how long, and
    /// whether they are muted.
    pub person: fn(&str, &str, &str, bool) -> String,
    /// This many members are at other servers of the room.
    pub elsewhere: fn(usize) -> String,
    /// The order is for a member at another server, which does it: their nick.
    pub passed_on: fn(&str) -> String,
    /// This many people were told.
    pub said: fn(usize) -> String,
    /// A member was removed.
    pub kicked: fn(&str) -> String,
    /// A member is muted; others from the same address, if any, may.
    pub muted: fn(&str, &str) -> String,
    /// The member was muted before.
    pub already_muted: fn(&str) -> String,
    /// A member is no longer muted.
    pub unmuted: fn(&str) -> String,
    /// The member was not muted.
    pub not_muted: fn(&str) -> String,
    /// A muted person that has left: their nick, their address, and how long ago.
    pub muted_absent: fn(&str, &str, &str) -> String,
    /// No member is muted.
    pub no_mutes: &'static str,
    /// A nick has had a new owner for so long: the nick, their address, the time.
    pub new_owner: fn(&str, &str, &str) -> String,
    /// There is no such nick; its last owner has that one.
    pub now_called: fn(&str, &str) -> String,
    /// The talk is shown from now on.
    pub listens: &'static str,
    /// The talk is not shown any more.
    pub listens_no_more: &'static str,
    /// The address is banned; these people were removed, if any.
    pub banned: fn(&str, &str) -> String,
    /// A member on this machine was removed, but nothing was banned.
    pub only_kicked: fn(&str) -> String,
    /// This address is of this machine, and was not banned.
    pub not_banned: fn(&str) -> String,
    /// From this place people get in again.
    pub lifted: fn(&str) -> String,
    /// No place is banned.
    pub no_bans: &'static str,
}

/// The texts of the server in its own terminal.
#[derive(Debug)]
pub struct Server {
    /// The first line: the address and port.
    pub listening: fn(&str) -> String,
    /// The server can be found: its title.
    pub announced: fn(&str) -> String,
    /// Before the command lines for other machines.
    pub join_from_network: &'static str,
    /// Before the command lines for this machine alone.
    pub join_from_machine: &'static str,
    /// There is no address to join at.
    pub unreachable: &'static str,
    /// The command line below joins by name.
    pub join_by_name: &'static str,
    /// Before the page's address, with a code to scan below.
    pub scan_or_open: &'static str,
    /// Before the page's address alone.
    pub open_in_browser: &'static str,
    /// The server listens on IPv6 only.
    pub only_ipv6: &'static str,
    /// The name is too long and was cut: how many bytes it may have, and what is announced.
    pub name_cut: fn(usize, &str) -> String,
    /// The page has another port than the default one: that, and the one it has.
    pub page_moved: fn(u16, u16) -> String,
    /// There is no page: its port, and why.
    pub no_page: fn(u16, &str) -> String,
    /// There is no page, as `/invite` says.
    pub no_page_here: &'static str,
    /// The other facts at the beginning.
    pub notes: &'static str,
    /// The same where orders are taken.
    pub notes_and_orders: &'static str,
    /// The operator's input cannot be read, and why.
    pub no_orders: fn(&str) -> String,
    /// A member has another nick: the old and the new one.
    pub renamed: fn(&str, &str) -> String,
    /// A client was cut off: its nick, its address, and why.
    pub cut: fn(&str, &str, &str) -> String,
    /// Under the command lines with `nc`: what to type there.
    pub then_type: &'static str,
    /// People came or went at once: `+` or `-`, their nicks, and how many are left out.
    pub several: fn(&str, &str, usize) -> String,
    /// A newcomer is muted, because a muted person came from there: both nicks.
    pub muted_again: fn(&str, &str) -> String,
    /// A newcomer comes from where a muted person is or was: both nicks.
    pub perhaps_muted: fn(&str, &str) -> String,
    /// The name of a client without a nick.
    pub guest: &'static str,
    /// Why: how many bytes the client lags.
    pub behind: fn(u64) -> String,
    /// Why: the client has read nothing for a while, and how many bytes wait.
    pub stalled: fn(u64) -> String,
    /// Why: the client cannot be reached any more, and how many bytes wait.
    pub lost: fn(u64) -> String,
    /// Why: a client without a nick was in the way.
    pub evicted: &'static str,
    /// Why: minichat itself has made a mistake.
    pub failed: &'static str,
    /// After a nick: its client has made another connection before the old one was over.
    pub resumed: &'static str,
    /// This many were cut off in a short time, so that they are only counted.
    pub more_cut: fn(usize) -> String,
    /// The end: how many people were here.
    pub stopped: fn(usize) -> String,
    /// A fault that does not end the chat.
    pub warning: fn(&str) -> String,
    /// The server is not announced: why.
    pub hidden: fn(&str) -> String,
    /// The server is not announced on these interfaces.
    pub not_on: fn(&str) -> String,
    /// One room with so many other servers, and so many people.
    pub one_room: fn(usize, usize) -> String,
    /// A server of another version is in the room.
    pub other_version: fn(u32) -> String,
    /// The folder in which messages are kept, and for how many days; 0 is for ever.
    pub recording: fn(&str, u32) -> String,
    /// Lines of a file in a store were left out, because they are none: how many.
    pub left_out: fn(&str, usize) -> String,
    /// Messages are missing in a store: its path.
    pub store_gap: fn(&str) -> String,
    /// Messages cannot be kept: the path of the store, and why.
    pub store_failed: fn(&str, &str) -> String,
    /// Lines are missing in the log: its path.
    pub log_gap: fn(&str) -> String,
    /// The log cannot be written: its path, and why.
    pub log_failed: fn(&str, &str) -> String,
    /// Why: the disk stands still.
    pub no_answer: &'static str,
}

/// The language that the environment asks for: the first of `LC_ALL`,
/// `LC_MESSAGES` and `LANG` that is set, or else what the system is set to where
/// programs are not told by variables. What is not Portuguese is English.
pub fn here() -> &'static Texts {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"].map(std::env::var);
    let asked = variables.into_iter().flatten().find(|value| !value.is_empty());
    #[cfg(any(windows, target_os = "macos"))]
    let asked = asked.or_else(sys_locale::get_locale);
    of(&asked.unwrap_or_default())
}

/// The language of a locale such as `pt_BR.UTF-8`, `pt-PT` or `C`.
fn of(locale: &str) -> &'static Texts {
    match locale.split(['_', '-', '.', '@']).next() {
        Some(language) if language.eq_ignore_ascii_case("pt") => &PORTUGUESE,
        _ => &ENGLISH,
    }
}

/// The line editor's own texts.
#[derive(Debug)]
pub struct Terminal {
    /// The draft is too tall to be shown: how many lines it has.
    pub lines: fn(usize) -> String,
    /// The prompt of a search in the history: what is looked for, and whether nothing
    /// was found.
    pub search: fn(&str, bool) -> String,
    /// Ctrl-Z was pressed, and others depend on the program.
    pub stays: &'static str,
}

/// A number with something between each three digits.
fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

/// A nick as it is typed, without the quotes in which a nick like `you` is shown.
fn bare(nick: &str) -> &str {
    nick.trim_matches('"')
}

#[cfg(test)]
mod tests;
