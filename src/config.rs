//! What the user asked for, as plain values, and the defaults.
//!
//! The command line fills these in; the server and the client take them. So a
//! test can start either without a command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::DEFAULT_PORT;

/// How to run a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The TCP port; 0 is any free one.
    pub port: u16,
    /// The addresses to listen on; none means all of them, IPv4 and IPv6.
    pub bind: Vec<IpAddr>,
    /// The name under which it is announced; none means the host's.
    pub name: Option<String>,
    /// Whether it is announced on the network at all.
    pub announce: bool,
    /// A greeting for everyone who joins, of any number of lines.
    pub motd: Option<String>,
    /// Where to append the public conversation.
    pub log: Option<PathBuf>,
    /// How many of the last messages a newcomer is told.
    pub history: usize,
    /// How many people may be here at once; 0 is no limit.
    pub max_users: usize,
    /// How many lines a second one user may say; 0 is no limit.
    pub rate: u32,
    /// Print errors only.
    pub quiet: bool,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            port: DEFAULT_PORT,
            bind: Vec::new(),
            name: None,
            announce: true,
            motd: None,
            log: None,
            history: 0,
            max_users: 1000,
            rate: 50,
            quiet: false,
        }
    }
}

/// How to join a chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// The name or address of the server's machine.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// The nick to register; none asks for one, or takes it from the input.
    pub nick: Option<String>,
    /// How long reaching the server, and its first answer, may take.
    pub timeout: Duration,
    /// What is printed and how input is read.
    pub format: Format,
    /// Keep listening after the end of the input.
    pub stay: bool,
}

impl Default for Connect {
    fn default() -> Connect {
        Connect {
            host: "localhost".into(),
            port: DEFAULT_PORT,
            nick: None,
            timeout: Duration::from_secs(5),
            format: Format::Text,
            stay: false,
        }
    }
}

/// What the client prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: coloured lines on a terminal, tab-separated ones elsewhere.
    Text,
    /// One JSON object for each event.
    Json,
    /// The lines of the protocol as they are, in both directions.
    Raw,
}
