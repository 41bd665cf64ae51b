//! The two lines that begin a channel.
//!
//! ```text
//! client> SECURE 1 <64 digits: e>
//! server< SECURE 1 <192 to 338 digits: e, ee, s, es, and what the server says of itself>
//! ```

use snow::HandshakeState;

use super::channel::{Channel, Side};
use super::key::{Key, PublicKey};
use super::noise::{self, TAG};
use super::{from_hex, to_hex};

/// The word that begins both lines.
pub const WORD: &str = "SECURE";
/// The same with the version of the handshake.
pub const OPENING: &str = "SECURE 1 ";

/// The length of a public key, in bytes.
const KEY: usize = 32;
/// The longest title of a server, in bytes.
const MAX_TITLE: usize = 63;
/// Follows the title if the server's key is not kept.
const TEMPORARY: &str = "\ttemporary";
/// The longest text of a server about itself, in bytes.
const MAX_TEXT: usize = MAX_TITLE + TEMPORARY.len();
/// The length of the server's message without that text: e, s with its seal, and a seal.
const ANSWER: usize = KEY + KEY + TAG + TAG;

/// A line that begins no channel, or an answer that does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHandshake;

/// A server, as its clients know it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its key.
    pub key: Key,
    /// Its title.
    pub title: String,
    /// The key ends with this run of the server.
    pub temporary: bool,
}

/// A server, as a client knows it after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The server has proved that it owns the private part of this key.
    pub key: PublicKey,
    /// Its title, as it says itself.
    pub title: String,
    /// The key ends with this run of the server.
    pub temporary: bool,
}

/// A client's side of a handshake that has begun.
pub struct Hello(Box<HandshakeState>);

impl Hello {
    /// Begins a handshake. The line is to be sent, with a line feed.
    ///
    /// # Panics
    /// If the system has no random numbers.
    pub fn new() -> (Hello, String) {
        let mut state = noise::builder().build_initiator().expect("a client needs no key");
        // The library asks for the room of a seal, too, though there is none yet.
        let mut message = [0; KEY + TAG];
        let length = state.write_message(&[], &mut message).expect("the message is one key");
        (Hello(Box::new(state)), format!("{OPENING}{}", to_hex(&message[..length])))
    }

    /// Ends the handshake with the server's line.
    ///
    /// # Errors
    /// If the line is no answer to this client.
    pub fn finish(mut self, line: &str) -> Result<(Channel, Met), BadHandshake> {
        let message = message(line)?;
        if !(ANSWER..=ANSWER + MAX_TEXT).contains(&message.len()) {
            return Err(BadHandshake);
        }
        let mut text = [0; ANSWER + MAX_TEXT];
        let length = self.0.read_message(&message, &mut text).map_err(|_| BadHandshake)?;
        let text = str::from_utf8(&text[..length]).map_err(|_| BadHandshake)?;
        let (title, temporary) = match text.strip_suffix(TEMPORARY) {
            Some(title) => (title.to_string(), true),
            None => (text.to_string(), false),
        };
        let key = self.0.get_remote_static().and_then(|key| key.try_into().ok());
        let key = PublicKey(key.ok_or(BadHandshake)?);
        Ok((Channel::new(*self.0, Side::Client), Met { key, title, temporary }))
    }
}

/// Answers the line of a client. The line that is returned is to be sent, with a line feed;
/// everything else is records.
///
/// # Errors
/// If the client's line is wrong, or of another version.
pub fn answer(line: &str, identity: &Identity) -> Result<(String, Channel), BadHandshake> {
    let message = message(line)?;
    if message.len() != KEY {
        return Err(BadHandshake);
    }
    let builder = noise::builder().local_private_key(identity.key.private());
    let mut state =
        builder.and_then(|builder| builder.build_responder()).expect("a key has the right length");
    state.read_message(&message, &mut []).map_err(|_| BadHandshake)?;
    let title = &identity.title[..identity.title.floor_char_boundary(MAX_TITLE)];
    let text = format!("{title}{}", if identity.temporary { TEMPORARY } else { "" });
    let mut out = [0; ANSWER + MAX_TEXT];
    let length = state.write_message(text.as_bytes(), &mut out).map_err(|_| BadHandshake)?;
    let line = format!("{OPENING}{}", to_hex(&out[..length]));
    Ok((line, Channel::new(state, Side::Server)))
}

fn message(line: &str) -> Result<Vec<u8>, BadHandshake> {
    line.strip_prefix(OPENING).and_then(from_hex).ok_or(BadHandshake)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn identity() -> Identity {
        Identity { key: Key::generate(), title: "Sala 3".into(), temporary: false }
    }

    #[test]
    fn client_learns_the_key_and_the_title_of_the_server() {
        let long = "é".repeat(100);
        for (title, temporary) in
            [("Sala 3", false), ("Sala 3", true), ("", false), ("", true), (&long, true)]
        {
            let identity = Identity { title: title.into(), temporary, ..identity() };
            let (hello, line) = Hello::new();
            assert_eq!(line.len(), OPENING.len() + 64);
            let (line, channel) = answer(&line, &identity).unwrap();
            assert!((192..=338).contains(&(line.len() - OPENING.len())), "{line}");
            let (other, met) = hello.finish(&line).unwrap();
            let title = title[..title.floor_char_boundary(63)].to_string();
            assert_eq!(met, Met { key: identity.key.public, title, temporary });
            assert_eq!(channel.binding(), other.binding());
        }
    }

    #[test]
    fn no_other_line_begins_a_channel() {
        let identity = identity();
        let (_, good) = Hello::new();
        let mut lines: Vec<String> = (0..good.len()).map(|end| good[..end].into()).collect();
        lines.extend([
            format!("{good}00"),
            format!("{good} "),
            format!("{good}0"),
            good.replace("SECURE 1", "SECURE 2"),
            good.replace("SECURE 1 ", "SECURE  1 "),
            good.replace("SECURE", "secure"),
            good.replacen("1 ", "1 \u{e9}", 1),
            format!("{OPENING}{}", good[OPENING.len()..].to_uppercase() + "A"),
            // Secrets that everybody knows.
            format!("{OPENING}{}", "00".repeat(32)),
            format!("{OPENING}01{}", "00".repeat(31)),
            format!("{OPENING}ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        ]);
        for line in lines {
            assert!(answer(&line, &identity).is_err(), "{line}");
        }
    }

    #[test]
    fn no_other_line_is_an_answer() {
        let identity = identity();
        let (_, hello) = Hello::new();
        let (for_another, _) = answer(&hello, &identity).unwrap();
        let long = "0".repeat(2 * (ANSWER + MAX_TEXT + 1));
        for wrong in [
            for_another.as_str(),
            &hello,
            "",
            OPENING,
            "ERR unknown_command",
            &format!("{OPENING}{long}"),
        ] {
            assert!(Hello::new().0.finish(wrong).is_err(), "{wrong}");
        }
        let (hello, line) = Hello::new();
        let (line, _) = answer(&line, &identity).unwrap();
        let zeros = format!("{OPENING}{}{}", "0".repeat(64), &line[OPENING.len() + 64..]);
        assert!(hello.finish(&zeros).is_err());
    }

    #[test]
    fn every_changed_digit_of_an_answer_is_noticed() {
        let identity = identity();
        for at in (OPENING.len()..OPENING.len() + 200).step_by(7) {
            let (hello, line) = Hello::new();
            let (line, _) = answer(&line, &identity).unwrap();
            let digit = if &line[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &line[..at], &line[at + 1..]);
            // The highest bit of a public key counts for nothing on the curve, but it is hashed.
            assert!(hello.finish(&changed).is_err(), "{at}");
        }
    }
}
