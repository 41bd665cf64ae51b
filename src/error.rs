//! Why the program stopped, in words for people, and its exit status.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::DEFAULT_PORT;
use crate::wire::sanitize::visible;

/// Something that ends the program. It prints as two lines: what happened, and
/// what to do next.
#[derive(Debug)]
pub enum Error {
    /// The server cannot listen there.
    Listen(SocketAddr, io::Error),
    /// A log cannot be opened.
    Log(PathBuf, io::Error),
    /// The host name leads to no address.
    Resolve(String, io::Error),
    /// Nobody answers at this server, on this port.
    Connect(String, u16, io::Error),
    /// Somebody answers, but not like a chat server; the host and port, and how
    /// long was waited.
    Silent(String, Duration),
    /// The connection to this server broke before anybody said goodbye; what to
    /// type to join again.
    Lost(String, String),
    /// No server is on the network: where was looked, for how long, and why that
    /// may be.
    NotFound(Vec<String>, Duration, String),
    /// No server has this title; those that there are.
    Unknown(String, Vec<String>),
    /// Several servers could be meant, and nobody can be asked.
    Several(Vec<String>),
    /// The server of this title speaks this other version of the protocol, or does
    /// not say which one.
    Incompatible(String, Option<u32>),
    /// There is no such network interface; those that there are.
    NoInterface(String, Vec<String>),
    /// There is no nick to register, and nobody to ask.
    NoNick,
    /// The server did not take this nick, and there is nobody to ask for another
    /// one; what it said.
    Nick(String, String),
    /// The server does not want us; what it said.
    Refused(String, String),
    /// The output cannot be written.
    Output(io::Error),
    /// The system refuses something that nothing works without; what it was.
    System(&'static str, io::Error),
}

impl Error {
    /// The exit status of a program that ends like this: 1 for what failed, 2
    /// for what was asked wrongly, 3 for what was not found.
    pub fn status(&self) -> u8 {
        match self {
            Error::NoNick | Error::Several(_) | Error::NoInterface(..) => 2,
            Error::NotFound(..) | Error::Unknown(..) => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Listen(at, err) if err.kind() == io::ErrorKind::AddrInUse => {
                let other = if at.port() == u16::MAX { at.port() - 1 } else { at.port() + 1 };
                let only = if at.ip().is_unspecified() {
                    String::new()
                } else {
                    format!(" --bind {}", at.ip())
                };
                write!(
                    f,
                    "cannot listen on {at}: address already in use\n\
                     Another server is running? Choose a port: minichat server{only} --port {other}"
                )
            }
            Error::Listen(at, err) if err.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "cannot listen on {at}: permission denied\n\
                 Ports below 1024 are for administrators. Choose another: minichat server --port 9000"
            ),
            Error::Listen(at, err) if err.kind() == io::ErrorKind::AddrNotAvailable => write!(
                f,
                "cannot listen on {at}: this machine does not have that address\n\
                 Leave out --bind to listen on all the addresses that it has"
            ),
            Error::Listen(at, err) => {
                write!(f, "cannot listen on {at}: {}\nTry another --bind or --port", plain(err))
            }
            Error::Log(path, err) => write!(
                f,
                "cannot write the log {}: {}\nChoose a file that you may write: --log FILE",
                visible(&path.display().to_string()),
                plain(err)
            ),
            Error::Resolve(host, err) => write!(
                f,
                "cannot find {host:?}: {}\n\
                 Give the address that the server prints: minichat connect 192.168.1.100",
                plain(err)
            ),
            Error::Connect(server, port, err) => {
                let port =
                    if *port == DEFAULT_PORT { String::new() } else { format!(" --port {port}") };
                write!(
                    f,
                    "cannot connect to {server}: {}\n\
                     Is the server running there? Start it: minichat server{port}",
                    plain(err)
                )
            }
            Error::Silent(server, patience) => write!(
                f,
                "no answer from {server} in {} s, though it accepts connections\n\
                 Is it a chat server? Look at its address and port again, or wait longer: --timeout SECS",
                patience.as_secs_f64()
            ),
            Error::Lost(server, again) => {
                write!(f, "lost the connection to {server}\nJoin again: {again}")
            }
            Error::NotFound(asked, time, cause) => {
                let on = if asked.is_empty() {
                    String::new()
                } else {
                    format!(" on {}", asked.join(", "))
                };
                write!(
                    f,
                    "no server found{on} in {:.1} s: {cause}\n\
                     Start one: minichat server; or try: minichat discover --scan; \
                     or give its address: minichat connect 192.168.1.100",
                    time.as_secs_f64()
                )
            }
            Error::Unknown(title, others) if others.is_empty() => write!(
                f,
                "no server {title:?} found, and no host of that name\n\
                 Look which there are: minichat discover; or give its address: minichat connect 192.168.1.100"
            ),
            Error::Unknown(title, others) => write!(
                f,
                "no server {title:?} found, and no host of that name\n\
                 There are: {}",
                others.join(", ")
            ),
            Error::Several(titles) => write!(
                f,
                "several servers found: {}\n\
                 Say which one: minichat connect NAME; or take the first: minichat connect --auto",
                titles.join(", ")
            ),
            Error::Incompatible(title, Some(version)) => write!(
                f,
                "{title:?} speaks another version of the protocol: {version}\n\
                 Get the version of minichat that it has: minichat discover shows it"
            ),
            Error::Incompatible(title, None) => write!(
                f,
                "{title:?} does not say which protocol it speaks\n\
                 If it is a chat, join it by its address: minichat discover shows it"
            ),
            Error::NoInterface(name, others) => write!(
                f,
                "there is no network interface {name:?} that is up\n\
                 There are: {}",
                others.join(", ")
            ),
            Error::NoNick => f.write_str("no nickname\nUse --nick NAME or set MINICHAT_NICK"),
            Error::Nick(nick, why) => {
                write!(
                    f,
                    "the server did not take the nick {nick:?}: {why}\nChoose another: --nick NAME"
                )
            }
            Error::Refused(server, why) => {
                write!(f, "{server} does not let us in: {why}\nTry again later, or another server")
            }
            Error::Output(err) => {
                write!(f, "cannot write the output: {}\nIs the disk full?", plain(err))
            }
            Error::System(what, err) => {
                write!(
                    f,
                    "cannot {what}: {}\nIs the system out of memory or descriptors?",
                    plain(err)
                )
            }
        }
    }
}

/// What the system says went wrong, without the number that it adds, in lower
/// case: it stands in the middle of a sentence.
pub(crate) fn plain(err: &io::Error) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_and_what_to_do_in_two_lines() {
        let some = || io::Error::from_raw_os_error(13);
        let at: SocketAddr = "0.0.0.0:65535".parse().unwrap();
        for error in [
            Error::Listen(at, io::ErrorKind::AddrInUse.into()),
            Error::Listen(at, some()),
            Error::Log("/x".into(), some()),
            Error::Resolve("x".into(), some()),
            Error::Connect("x:9001".into(), 9001, some()),
            Error::Silent("x:9000".into(), Duration::from_millis(500)),
            Error::Lost("x:9000".into(), "minichat connect x".into()),
            Error::NotFound(
                vec!["eth0 (10.77.0.2)".into()],
                Duration::from_secs(2),
                "nobody answered".into(),
            ),
            Error::Unknown("Sala 3".into(), vec!["Sala 4".into()]),
            Error::Unknown("Sala 3".into(), vec![]),
            Error::Several(vec!["Sala 3".into(), "Sala 4".into()]),
            Error::Incompatible("Sala 3".into(), Some(2)),
            Error::Incompatible("Sala 3".into(), None),
            Error::NoInterface("eth9".into(), vec!["lo".into()]),
            Error::NoNick,
            Error::Nick("ana".into(), "somebody has it".into()),
            Error::Refused("x:9000".into(), "the room is full".into()),
            Error::Output(some()),
            Error::System("start", some()),
        ] {
            let text = error.to_string();
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(!text.contains("os error") && !text.ends_with('.'), "{text}");
        }
    }
}
