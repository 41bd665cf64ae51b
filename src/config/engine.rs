//! Where the log is that several servers share.

use std::fmt;
use std::path::PathBuf;

/// The port of an engine that names no other one.
const PORT: u16 = 6379;

/// A log of Redis or Valkey that several servers share, so that they are one room.
#[derive(Clone, PartialEq, Eq)]
pub struct Engine {
    /// Where the engine listens.
    pub place: EnginePlace,
    /// The user of the engine; none is its default user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The room, of which one engine may have many.
    pub room: String,
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnginePlace {
    /// At a host and port.
    Tcp(String, u16),
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// Why the address of an engine is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFlaw {
    /// It has another form.
    Form,
    /// It asks for TLS, which this program does not speak with an engine.
    Tls,
}

impl Engine {
    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT]/ROOM` or `unix:///PATH?room=ROOM`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(url: &str) -> Result<Engine, EngineFlaw> {
        let (scheme, rest) = url.split_once("://").ok_or(EngineFlaw::Form)?;
        match scheme {
            "redis" | "valkey" => Engine::parse_tcp(rest),
            "unix" | "redis+unix" => Engine::parse_unix(rest),
            "rediss" | "valkeys" => return Err(EngineFlaw::Tls),
            _ => None,
        }
        .ok_or(EngineFlaw::Form)
    }

    fn parse_tcp(rest: &str) -> Option<Engine> {
        let (authority, room) = rest.split_once('/')?;
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':')) {
            None => (None, None),
            Some(Some((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
            Some(None) => return None,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => place.find(':').map_or((place, ""), |at| place.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
            None if port.is_empty() => PORT,
            None => return None,
        };
        let host = decoded(host).filter(|host| !host.is_empty())?;
        let user = user.filter(|user| !user.is_empty());
        Some(Engine { place: EnginePlace::Tcp(host, port), user, password, room: room_name(room)? })
    }

    fn parse_unix(rest: &str) -> Option<Engine> {
        let (path, query) = rest.split_once('?')?;
        let path = decoded(path).filter(|path| path.starts_with('/'))?;
        let (mut room, mut user, mut password) = (None, None, None);
        for pair in query.split('&') {
            match pair.split_once('=')? {
                ("room", name) => room = Some(room_name(name)?),
                ("user", name) => user = Some(decoded(name)?),
                ("pass", word) => password = Some(decoded(word)?),
                _ => return None,
            }
        }
        Some(Engine { place: EnginePlace::Unix(path.into()), user, password, room: room? })
    }
}

/// The engine as it may be shown: without the password.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            EnginePlace::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            EnginePlace::Tcp(host, port) => write!(f, "{host}:{port}"),
            EnginePlace::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({self}, {:?})", self.room)
    }
}

/// The name of a room: 1 to 64 letters, digits, `-`, `_` and `.`.
fn room_name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = decoded(text)?;
    ((1..=64).contains(&name.len()) && name.chars().all(fits)).then_some(name)
}

/// The text for which `%40` and the like stand in a URL.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(rest.next())? * 16 + digit(rest.next())?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_is_read_from_its_address() {
        let tcp = |host: &str, port| EnginePlace::Tcp(host.into(), port);
        for (url, place, user, password, room) in [
            ("redis://host/sala3", tcp("host", 6379), None, None, "sala3"),
            ("redis://h:7000/a-b_c.d", tcp("h", 7000), None, None, "a-b_c.d"),
            ("redis://:secret@h/r", tcp("h", 6379), None, Some("secret"), "r"),
            ("redis://ana:p%40ss@h/r", tcp("h", 6379), Some("ana"), Some("p@ss"), "r"),
            ("valkey://[::1]:1/r", tcp("::1", 1), None, None, "r"),
            ("unix:///run/s?room=r", EnginePlace::Unix("/run/s".into()), None, None, "r"),
            (
                "unix:///a%20b?user=u&pass=p&room=r",
                EnginePlace::Unix("/a b".into()),
                Some("u"),
                Some("p"),
                "r",
            ),
        ] {
            let (user, password) = (user.map(Into::into), password.map(Into::into));
            let expected = Engine { place, user, password, room: room.into() };
            assert_eq!(Engine::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn other_addresses_of_engines_are_refused() {
        for url in [
            "",
            "host",
            "host:6379",
            "redis://host",
            "redis://host/",
            "redis://host/a/b",
            "redis://host/a b",
            "redis:///r",
            "redis://h:0/r",
            "redis://h:x/r",
            "redis://user@h/r",
            "redis://[::1/r",
            "redis://h/%zz",
            "unix:///s",
            "unix://s?room=r",
            "unix:///s?room=r&x=y",
            "http://h/r",
        ] {
            assert_eq!(Engine::parse(url), Err(EngineFlaw::Form), "{url}");
        }
        assert_eq!(Engine::parse("rediss://h/r"), Err(EngineFlaw::Tls));
    }

    #[test]
    fn password_is_never_shown() {
        let engine = Engine::parse("redis://ana:secret@h/r").unwrap();
        assert!(!format!("{engine} {engine:?}").contains("secret"));
    }
}
