//! The wishes of the user, as plain values, and the defaults.
//!
//! The command line fills these in; the server and the client take them. So a
//! test can start either without a command line.

mod engine;

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::wire::DEFAULT_PORT;

pub use engine::{Engine, EngineFlaw, EnginePlace};

/// How to run a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The TCP port; 0 is any free one.
    pub port: u16,
    /// The addresses to listen on; none means all of them, IPv4 and IPv6.
    pub bind: Vec<IpAddr>,
    /// Where the page for browsers is.
    pub web: WebPort,
    /// The name under which it is announced; none means the host's.
    pub name: Option<String>,
    /// Whether it is announced on the network at all.
    pub announce: bool,
    /// The only network interface to announce it on; none means all.
    pub interface: Option<String>,
    /// A greeting for each new member, of any number of lines.
    pub motd: Option<String>,
    /// Where to append the public conversation.
    pub log: Option<PathBuf>,
    /// How many of the last messages a newcomer is told. None means 50 for clients that
    /// ask, and none for the others.
    pub history: Option<usize>,
    /// The folder that keeps what is said to all.
    pub store: Option<PathBuf>,
    /// For how many days it is kept; 0 is for ever.
    pub keep: u32,
    /// How many people may be here at once; 0 is no limit.
    pub max_users: usize,
    /// Up to how many people comings and goings are told; 0 is never.
    pub notices: usize,
    /// How many connections may come from one address; 0 is no limit.
    pub max_per_address: usize,
    /// How many lines a second one user may say; 0 is no limit.
    pub rate: u32,
    /// Whether clients that talk in the clear are refused.
    pub encrypted_only: bool,
    /// Whether people need a password to join.
    pub closed: bool,
    /// The password of a closed room; none makes one.
    pub password: Option<String>,
    /// The log by which the server is one room with others.
    pub engine: Option<Engine>,
    /// Whether to make a new key for encryption.
    pub new_key: bool,
    /// Print errors only.
    pub quiet: bool,
}

/// The TCP port of the page for browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPort {
    /// There is no page.
    None,
    /// 80 above the chat's, or the next that is free.
    Default,
    /// Any free one, as for the chat.
    Any,
    /// This one and no other.
    Chosen(u16),
}

impl Default for Server {
    fn default() -> Server {
        Server {
            port: DEFAULT_PORT,
            bind: Vec::new(),
            web: WebPort::Default,
            name: None,
            announce: true,
            interface: None,
            motd: None,
            log: None,
            history: None,
            store: None,
            keep: 30,
            max_users: 1000,
            notices: 1000,
            // A lab behind one terminal server fits, and no address takes all places.
            max_per_address: 64,
            rate: 50,
            encrypted_only: false,
            closed: false,
            password: None,
            engine: None,
            new_key: false,
            quiet: false,
        }
    }
}

/// How to look for servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Discover {
    /// How long to look, if none is found.
    pub timeout: Duration,
    /// Stop at the first one.
    pub first: bool,
    /// Go on, and tell what changes.
    pub watch: bool,
    /// Print JSON.
    pub json: bool,
    /// Try the addresses of the local networks, too.
    pub scan: bool,
    /// The only network interface to look on; none means all.
    pub interface: Option<String>,
}

impl Default for Discover {
    fn default() -> Discover {
        Discover {
            timeout: Duration::from_secs(2),
            first: false,
            watch: false,
            json: false,
            scan: false,
            interface: None,
        }
    }
}

/// How to join a chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// Which chat.
    pub target: Target,
    /// Never ask which one.
    pub auto: bool,
    /// The only network interface to look on; none means all.
    pub interface: Option<String>,
    /// The nick to register; none asks for one, or takes it from the input.
    pub nick: Option<String>,
    /// How long finding and reaching the server, and its first answer, may take.
    pub timeout: Duration,
    /// The form of what is printed, and how input is read.
    pub format: Format,
    /// Every line of the input is a text, and none is a command.
    pub text: bool,
    /// Keep listening after the end of the input.
    pub stay: bool,
    /// Where to append what is shown.
    pub log: Option<PathBuf>,
    /// The file that remembers what was read, for the next run.
    pub since: Option<PathBuf>,
    /// When the terminal rings.
    pub bell: Bell,
    /// Whether the terminal notifies of what is said to the user alone or names them.
    pub notify: bool,
    /// Whether to print in colour.
    pub color: Color,
    /// Whether to join only with encryption.
    pub encrypted: bool,
    /// The password of the room; none asks a person if there is one.
    pub password: Option<String>,
    /// Whether to forget the key of the server first.
    pub forget: bool,
    /// Whether a client at a terminal reconnects when the connection is lost.
    pub reconnect: bool,
    /// Whether a room is opened if there is none.
    pub hosting: Hosting,
    /// The name of the room to look for, or to open; none is any room.
    pub name: Option<String>,
}

/// Whether the client opens a room if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hosting {
    /// If the person says so.
    #[default]
    Ask,
    /// Without asking.
    Always,
    /// Never; nor does it go on with a room of others.
    Never,
}

/// When the terminal rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bell {
    /// Never.
    Never,
    /// At each private message, and at each one that names us.
    #[default]
    Me,
    /// At each message of others.
    All,
}

impl Bell {
    /// The words for it, as they are typed.
    pub const WORDS: [&str; 3] = ["never", "me", "all"];

    /// The word for it, as it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Bell::Never => "never",
            Bell::Me => "me",
            Bell::All => "all",
        }
    }
}

impl FromStr for Bell {
    type Err = ();

    fn from_str(word: &str) -> Result<Bell, ()> {
        [Bell::Never, Bell::Me, Bell::All].into_iter().find(|bell| bell.word() == word).ok_or(())
    }
}

/// When to print in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that can, unless the environment says otherwise.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// The words for it, as they are typed.
    pub const WORDS: [&str; 3] = ["auto", "always", "never"];

    /// Whether to print in colour. If that is left open, the environment decides as the
    /// conventions have it, and an empty variable is none: `NO_COLOR` wants it nowhere,
    /// `CLICOLOR_FORCE` (but 0) everywhere; else a terminal that can has it, unless
    /// `CLICOLOR` is 0.
    pub fn is_wanted(self, terminal: bool, variable: impl Fn(&str) -> String) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if !variable("NO_COLOR").is_empty() => false,
            Color::Auto if !matches!(&*variable("CLICOLOR_FORCE"), "" | "0") => true,
            Color::Auto => {
                let term = variable("TERM");
                // On Windows, terminals have no names.
                let able = term != "dumb" && (cfg!(windows) || !term.is_empty());
                terminal && able && variable("CLICOLOR") != "0"
            }
        }
    }
}

impl FromStr for Color {
    type Err = ();

    fn from_str(word: &str) -> Result<Color, ()> {
        match word {
            "auto" => Ok(Color::Auto),
            "always" => Ok(Color::Always),
            "never" => Ok(Color::Never),
            _ => Err(()),
        }
    }
}

/// Which server to join.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Whichever there is on the network.
    Any,
    /// The one at this address or host name, and TCP port.
    Host(String, u16),
    /// The machine of this name, or else the server of this title.
    Named(String),
}

impl Default for Connect {
    fn default() -> Connect {
        Connect {
            target: Target::Any,
            auto: false,
            interface: None,
            nick: None,
            timeout: Duration::from_secs(5),
            format: Format::Text,
            text: false,
            stay: false,
            log: None,
            since: None,
            bell: Bell::default(),
            notify: false,
            color: Color::default(),
            encrypted: false,
            password: None,
            forget: false,
            reconnect: true,
            hosting: Hosting::default(),
            name: None,
        }
    }
}

/// The form in which the client prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: coloured lines on a terminal, tab-separated ones elsewhere.
    Text,
    /// One JSON object for each event.
    Json,
    /// The lines of the protocol as they are, in both directions.
    Raw,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_decides_about_colours_by_the_conventions() {
        use Color::{Always, Auto, Never};
        for (when, terminal, environment, expected) in [
            (Auto, true, "TERM=xterm", true),
            (Auto, true, "TERM=", cfg!(windows)),
            (Auto, true, "TERM=dumb", false),
            (Auto, false, "TERM=xterm", false),
            (Auto, true, "TERM=xterm NO_COLOR=", true),
            (Auto, true, "TERM=xterm NO_COLOR=0", false),
            (Auto, true, "TERM=xterm NO_COLOR=1 CLICOLOR_FORCE=1", false),
            (Auto, false, "TERM=dumb CLICOLOR_FORCE=1", true),
            (Auto, false, "TERM=xterm CLICOLOR_FORCE=0", false),
            (Auto, false, "TERM=xterm CLICOLOR_FORCE=", false),
            (Auto, true, "TERM=xterm CLICOLOR=0", false),
            (Auto, true, "TERM=xterm CLICOLOR=", true),
            (Auto, true, "TERM=xterm CLICOLOR=1", true),
            (Auto, false, "TERM=xterm CLICOLOR=1", false),
            (Auto, true, "TERM=xterm CLICOLOR=0 CLICOLOR_FORCE=1", true),
            (Always, false, "TERM=dumb NO_COLOR=1 CLICOLOR=0", true),
            (Never, true, "TERM=xterm CLICOLOR_FORCE=1", false),
        ] {
            let variable = |name: &str| {
                let pairs = environment.split(' ').filter_map(|pair| pair.split_once('='));
                let value = pairs.into_iter().find(|(known, _)| *known == name);
                value.map(|(_, value)| value.to_string()).unwrap_or_default()
            };
            assert_eq!(when.is_wanted(terminal, variable), expected, "{when:?} {environment}");
        }
    }
}
