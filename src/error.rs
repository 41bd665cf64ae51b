//! Why the program stopped, in words for people, and its exit status.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::texts::{Errors, Texts};
use crate::wire::DEFAULT_PORT;
use crate::wire::sanitize::visible;

/// Something that ends the program.
#[derive(Debug)]
pub enum Error {
    /// The server cannot listen there.
    Listen(SocketAddr, io::Error),
    /// The page for browsers cannot be served there.
    ListenForPage(SocketAddr, io::Error),
    /// A log cannot be opened.
    Log(PathBuf, io::Error),
    /// The folder for what is said cannot be used.
    Store(PathBuf, io::Error),
    /// Another server uses that folder.
    StoreInUse(PathBuf),
    /// That folder belongs to another user.
    StoreNotOurs(PathBuf),
    /// This file in that folder is no history.
    StoreUnknown(PathBuf),
    /// The file that remembers what was read cannot be used.
    Since(PathBuf, io::Error),
    /// The log that several servers share cannot be used: where, and why.
    Engine(String, String),
    /// The file of the server's key cannot be used.
    KeyFile(PathBuf, io::Error),
    /// The conversation with this server was to be encrypted, and is not.
    NotEncrypted(String),
    /// This server has not the key that was announced.
    NotAnnounced(String),
    /// Bytes of this server were changed on their way.
    Tampered(String),
    /// The key of this name is not the one of a date; the new key, and what to type if it is
    /// right nevertheless.
    OtherKey(String, Option<String>, String, String),
    /// The host name leads to no address.
    Resolve(String, io::Error),
    /// There is no answer at this server, on this port.
    Connect(String, u16, io::Error),
    /// There is an answer, but not of a chat server; the host and port, and how
    /// long was waited.
    Silent(String, Duration),
    /// The connection to this server broke before anybody said goodbye; what to
    /// type to join again.
    Lost(String, String),
    /// No server is on the network: where was looked, for how long, and why that
    /// may be, in the language of the user.
    NotFound(Vec<String>, Duration, &'static str),
    /// No server is on the network, and all addresses were tried: where.
    NotScanned(Vec<String>),
    /// No server has this title; those that there are.
    Unknown(String, Vec<String>),
    /// Several servers could be meant, and there is no person to ask.
    Several(Vec<String>),
    /// Several servers have the title that was asked for; the address of the first, as it is
    /// typed.
    SameTitle(Vec<String>, String),
    /// There is no such host, and perhaps this title was meant, as it is typed.
    Meant(String, String),
    /// The server of this title speaks this other version of the protocol, or does
    /// not say which one.
    Incompatible(String, Option<u32>),
    /// There is no such network interface; those that there are.
    NoInterface(String, Vec<String>),
    /// The same for a server: a service may start before its network does.
    NoInterfaceYet(String, Vec<String>),
    /// The server of this name wants a password, and there is no person to ask.
    NoPassword(String),
    /// The server of this name did not accept the password, or did not know it.
    WrongPassword(String),
    /// The server of this name does not ask for the password that was given.
    NotClosed(String),
    /// There is no nick to register, and no person to ask.
    NoNick,
    /// The server did not take this nick, and there is no person to ask for another
    /// one; what it said.
    Nick(String, String),
    /// The server does not want us; what it said.
    Refused(String, String),
    /// The input cannot be read.
    Input(io::Error),
    /// The input is UTF-16, not UTF-8.
    Utf16,
    /// The output cannot be written.
    Output(io::Error),
    /// The system does not tell us when to stop.
    Signals(io::Error),
    /// The system does not let us look for servers.
    Search(io::Error),
    /// The system gives us no threads, or too few.
    Threads(io::Error),
}

/// How many threads a program needs beside one for each core.
const THREADS: usize = 8;

/// Looks whether the system gives as many threads as a program needs. The libraries
/// that make them later do not expect to get none, and would panic.
///
/// # Errors
/// [`Error::Threads`] if there are too few.
pub fn find_threads() -> Result<(), Error> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut waiting = Vec::new();
    for _ in 0..cores + THREADS {
        let (hold, held) = mpsc::channel::<()>();
        let thread = thread::Builder::new().stack_size(16 << 10).spawn(move || held.recv().ok());
        waiting.push((hold, thread.map_err(Error::Threads)?));
    }
    for (hold, thread) in waiting {
        drop(hold);
        thread.join().ok(); // It only waits.
    }
    Ok(())
}

impl Error {
    /// Says it to people, in two lines: what happened, and what to do next.
    pub fn tell(&self, texts: &Texts) -> String {
        let (encryption, texts) = (&texts.encryption, &texts.error);
        match self {
            Error::KeyFile(path, err) => {
                let why = match err.kind() {
                    io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => {
                        encryption.no_key.into()
                    }
                    _ => plain(err, texts),
                };
                (encryption.key_file)(&visible(&path.display().to_string()), &why)
            }
            Error::NotEncrypted(name) => (encryption.stripped)(name),
            Error::NotAnnounced(name) => (encryption.not_announced)(name),
            Error::NoPassword(name) => (encryption.no_password)(name),
            Error::WrongPassword(name) => (encryption.refused_password)(name),
            Error::NotClosed(name) => (encryption.not_closed)(name),
            Error::Tampered(name) => (encryption.tampered)(name),
            Error::OtherKey(name, since, key, line) => {
                (encryption.unasked)(name, since.as_deref(), key, line)
            }
            Error::Listen(at, err) => {
                let place = at.to_string();
                match err.kind() {
                    io::ErrorKind::AddrInUse => (texts.address_in_use)(&place, &beside(at)),
                    io::ErrorKind::PermissionDenied => (texts.port_denied)(&place),
                    io::ErrorKind::AddrNotAvailable => (texts.no_such_address)(&place),
                    _ => (texts.listen)(&place, &plain(err, texts)),
                }
            }
            Error::Log(path, err) if err.kind() == io::ErrorKind::TimedOut => {
                (texts.log_held)(&visible(&path.display().to_string()))
            }
            Error::ListenForPage(at, err) => {
                (texts.listen_for_page)(&at.to_string(), &plain(err, texts))
            }
            Error::Store(dir, err) => {
                (texts.store)(&visible(&dir.display().to_string()), &plain(err, texts))
            }
            Error::StoreInUse(dir) => (texts.store_in_use)(&visible(&dir.display().to_string())),
            Error::StoreNotOurs(dir) => {
                (texts.store_not_ours)(&visible(&dir.display().to_string()))
            }
            Error::StoreUnknown(file) => {
                (texts.store_unknown)(&visible(&file.display().to_string()))
            }
            Error::Engine(at, why) => (texts.engine)(&visible(at), &visible(why)),
            Error::Since(path, err) => {
                let path = visible(&path.display().to_string()).into_owned();
                match err.kind() {
                    io::ErrorKind::InvalidData => (texts.no_place)(&path),
                    _ => (texts.since)(&path, &plain(err, texts)),
                }
            }
            Error::Log(path, err) => {
                (texts.log)(&visible(&path.display().to_string()), &plain(err, texts))
            }
            Error::Resolve(host, err) => (texts.resolve)(host, &plain(err, texts)),
            Error::Connect(server, port, err) if err.kind() == io::ErrorKind::TimedOut => {
                (texts.unanswered)(server, *port, &plain(err, texts))
            }
            Error::Connect(server, _, err) if is_unreachable(err) => {
                (texts.unreachable)(server, &plain(err, texts))
            }
            Error::Connect(server, _, err)
                if err.kind() == io::ErrorKind::InvalidInput && server.contains("fe80") =>
            {
                (texts.no_link)(server, &plain(err, texts))
            }
            Error::Connect(server, port, err) => {
                let line = match *port {
                    DEFAULT_PORT => "minichat server".to_string(),
                    port => format!("minichat server --port {port}"),
                };
                (texts.connect)(server, &line, &plain(err, texts))
            }
            Error::Silent(server, patience) => (texts.silent)(server, patience.as_secs_f64()),
            Error::Lost(server, again) => (texts.lost)(server, again),
            Error::NotFound(asked, time, cause) => {
                (texts.not_found)(&asked.join(", "), time.as_secs_f64(), cause)
            }
            Error::NotScanned(asked) => (texts.not_scanned)(&asked.join(", "), DEFAULT_PORT),
            Error::SameTitle(titles, address) => (texts.same_title)(&titles.join(", "), address),
            Error::Meant(host, name) => (texts.meant)(host, name),
            Error::Unknown(title, others) if others.is_empty() => (texts.unknown)(title),
            Error::Unknown(title, others) => (texts.unknown_among)(title, &others.join(", ")),
            Error::Several(titles) => (texts.several)(&titles.join(", ")),
            Error::Incompatible(title, Some(version)) => (texts.incompatible)(title, *version),
            Error::Incompatible(title, None) => (texts.unversioned)(title),
            Error::NoInterface(name, others) | Error::NoInterfaceYet(name, others) => {
                (texts.no_interface)(name, &others.join(", "))
            }
            Error::NoNick => texts.no_nick.into(),
            Error::Nick(nick, why) => (texts.nick)(nick, why),
            Error::Refused(server, why) => (texts.refused)(server, why),
            Error::Input(err) => (texts.input)(&plain(err, texts)),
            Error::Utf16 => texts.utf16.into(),
            Error::Output(err) => (texts.output)(&plain(err, texts)),
            Error::Signals(err) => (texts.signals)(&plain(err, texts)),
            Error::Search(err) => (texts.search)(&plain(err, texts)),
            Error::Threads(err) => (texts.no_workers)(&plain(err, texts)),
        }
    }

    /// The exit status of a program that ends like this: 1 for what failed, 2
    /// for what was asked wrongly, 3 for what was not found.
    pub fn status(&self) -> u8 {
        match self {
            Error::NoNick
            | Error::NoPassword(_)
            | Error::Several(_)
            | Error::SameTitle(..)
            | Error::NoInterface(..) => 2,
            Error::NotFound(..) | Error::NotScanned(..) | Error::Meant(..) | Error::Unknown(..) => {
                3
            }
            _ => 1,
        }
    }
}

/// Whether there is no way to that network or machine.
fn is_unreachable(err: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(err.kind(), HostUnreachable | NetworkDown | NetworkUnreachable)
}

/// How to start a server where another one has this port.
fn beside(taken: &SocketAddr) -> String {
    let port = if taken.port() == u16::MAX { taken.port() - 1 } else { taken.port() + 1 };
    match taken.ip() {
        ip if ip.is_unspecified() => format!("minichat server --port {port}"),
        ip => format!("minichat server --bind {ip} --port {port}"),
    }
}

/// The system's words for a failure, without the number that it adds, in lower
/// case: it stands in the middle of a sentence.
pub(crate) fn plain(err: &io::Error, texts: &Errors) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let text = text.trim_end_matches('.'); // Windows ends what it says.
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string());
    let text = first.unwrap_or_default() + letters.as_str();
    (texts.system)(err.kind(), &text).map_or(text, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{ENGLISH, PORTUGUESE};

    #[test]
    fn an_error_says_what_happened_and_what_to_do_in_two_lines() {
        let some = || io::Error::from_raw_os_error(13);
        let at: SocketAddr = "0.0.0.0:65535".parse().unwrap();
        for error in [
            Error::Listen(at, io::ErrorKind::AddrInUse.into()),
            Error::Listen(at, io::ErrorKind::AddrNotAvailable.into()),
            Error::Listen(at, io::ErrorKind::OutOfMemory.into()),
            Error::Listen(at, some()),
            Error::ListenForPage(at, io::ErrorKind::AddrInUse.into()),
            Error::Log("/x".into(), some()),
            Error::Store("/x".into(), some()),
            Error::StoreInUse("/x".into()),
            Error::StoreNotOurs("/x".into()),
            Error::StoreUnknown("/x".into()),
            Error::Engine("host:6379".into(), "x".into()),
            Error::Since("/x".into(), some()),
            Error::Since("/x".into(), io::ErrorKind::InvalidData.into()),
            Error::Log("/x".into(), io::ErrorKind::TimedOut.into()),
            Error::Resolve("x".into(), some()),
            Error::Connect("x:9001".into(), 9001, some()),
            Error::Silent("x:9000".into(), Duration::from_millis(500)),
            Error::Lost("x:9000".into(), "minichat connect x".into()),
            Error::NotFound(
                vec!["eth0 (10.77.0.2)".into()],
                Duration::from_secs(2),
                "nobody answered",
            ),
            Error::NotFound(vec![], Duration::from_secs(2), "nobody answered"),
            Error::Connect("x:9001".into(), 9001, io::ErrorKind::TimedOut.into()),
            Error::Connect("x:9001".into(), 9001, io::ErrorKind::HostUnreachable.into()),
            Error::Connect("[fe80::1]:9".into(), 9, io::ErrorKind::InvalidInput.into()),
            Error::NotScanned(vec!["eth0 (10.77.0.2)".into()]),
            Error::SameTitle(vec!["Sala 3".into()], "10.0.0.1:9001".into()),
            Error::Meant("Redes".into(), "\"Redes 1\"".into()),
            Error::Unknown("Sala 3".into(), vec!["Sala 4".into()]),
            Error::Unknown("Sala 3".into(), vec![]),
            Error::Several(vec!["Sala 3".into(), "Sala 4".into()]),
            Error::Incompatible("Sala 3".into(), Some(2)),
            Error::Incompatible("Sala 3".into(), None),
            Error::NoInterface("eth9".into(), vec!["lo".into()]),
            Error::NoInterfaceYet("eth9".into(), vec!["lo".into()]),
            Error::NoPassword("Sala 3".into()),
            Error::WrongPassword("Sala 3".into()),
            Error::NotClosed("Sala 3".into()),
            Error::NoNick,
            Error::Nick("ana".into(), "somebody has it".into()),
            Error::Refused("x:9000".into(), "the room is full".into()),
            Error::Input(some()),
            Error::Utf16,
            Error::Output(some()),
            Error::Signals(some()),
            Error::Search(some()),
            Error::Threads(some()),
        ] {
            let [english, portuguese] = [&ENGLISH, &PORTUGUESE].map(|texts| error.tell(texts));
            for text in [&english, &portuguese] {
                assert_eq!(text.lines().count(), 2, "{text}");
                assert!(!text.contains("os error") && !text.ends_with('.'), "{text}");
                assert!(!text.starts_with(char::is_uppercase), "{text}");
            }
            for (english, portuguese) in english.lines().zip(portuguese.lines()) {
                assert_ne!(english, portuguese);
            }
        }
    }

    #[test]
    fn machine_without_a_network_is_told_to_get_one() {
        let nowhere = Error::NotFound(vec![], Duration::from_secs(2), "no network interface is up");
        for error in [nowhere, Error::NoInterface("eth9".into(), vec![])] {
            for (texts, way_out) in [
                (&ENGLISH, "onnect this machine to a network"),
                (&PORTUGUESE, "onecte esta máquina a uma rede"),
            ] {
                let told = error.tell(texts);
                assert!(told.contains(way_out) && !told.contains("--scan"), "{told}");
                assert_eq!(told.lines().count(), 2);
            }
        }
    }

    #[test]
    fn words_of_the_system_are_translated_if_known() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(plain(&refused, &ENGLISH.error), "connection refused");
        assert_eq!(plain(&refused, &PORTUGUESE.error), "conexão recusada");
        let nowhere = "failed to lookup address information: Name or service not known";
        let nowhere = io::Error::other(nowhere);
        assert_eq!(plain(&nowhere, &ENGLISH.error), "name or service not known");
        assert_eq!(plain(&nowhere, &PORTUGUESE.error), "nome desconhecido");
        let strange = io::Error::other("No anode");
        assert_eq!(plain(&strange, &PORTUGUESE.error), "no anode");
    }

    #[test]
    fn numbers_are_written_as_in_the_language() {
        let late = Error::NotFound(vec!["lo".into()], Duration::from_millis(2040), "x");
        assert!(late.tell(&ENGLISH).starts_with("no server found on lo in 2.0 s: x\n"));
        assert!(
            late.tell(&PORTUGUESE).starts_with("nenhum servidor encontrado via lo em 2,0 s: x\n")
        );
    }
}
