//! The proof that both sides of a channel know a password: SPAKE2, bound to the channel.
//!
//! ```text
//! server< PASSWORD <66 digits: its share>
//! client> PASSWORD <66 digits: its share> <64 digits: its proof>
//! server< PASSWORD <64 digits: its proof>     or ERR wrong_password, and the end
//! ```
//!
//! The password never crosses the wire. A stranger on either side has one guess for each
//! exchange, and learns nothing that can be tried later. A relay between two channels has two
//! bindings, so it proves nothing to either side.

use std::fmt;

use spake2::{Ed25519Group, Identity, Spake2};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

use super::{from_hex, noise, to_hex};
use crate::texts::CommandLine;

/// The word that begins all three lines, with the blank behind it.
pub const OPENING: &str = "PASSWORD ";
/// The shortest password, in characters.
pub const MIN_CHARACTERS: usize = 6;
/// The longest password, in bytes of UTF-8 after NFC.
pub const MAX_BYTES: usize = 128;

/// The characters of a password that is made: none looks like another, and 32 of them are
/// 5 bits each.
const ALPHABET: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
/// How many characters such a password has, beside its hyphen.
const MADE: usize = 8;
/// The length of a share, in bytes: which side it is from, and a point of the curve.
const SHARE: usize = 33;
/// The length of a proof, in bytes.
const PROOF: usize = 32;

/// The name of the server's side in shares and proofs.
const SERVER: &[u8] = b"minichat password 1 server";
/// The name of the client's side.
const CLIENT: &[u8] = b"minichat password 1 client";

/// A password that can close a room.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has fewer characters than [`MIN_CHARACTERS`].
    Short,
    /// It has more bytes than [`MAX_BYTES`].
    Long,
    /// It has characters that cannot be seen, such as a line feed.
    Unseen,
}

impl Unfit {
    /// Says it to people.
    pub fn tell(self, texts: &CommandLine) -> String {
        match self {
            Unfit::Short => (texts.password_short)(MIN_CHARACTERS),
            Unfit::Long => (texts.password_long)(MAX_BYTES),
            Unfit::Unseen => texts.password_unseen.into(),
        }
    }
}

impl Password {
    /// A password as people type it: in NFC, and without the blanks around it.
    ///
    /// # Errors
    /// If it is too short or too long, or has control characters.
    pub fn new(text: &str) -> Result<Password, Unfit> {
        // A text of any length is not worth the work.
        if text.len() > 16 * MAX_BYTES {
            return Err(Unfit::Long);
        }
        let text: String = text.trim().nfc().collect();
        match () {
            () if text.chars().any(char::is_control) => Err(Unfit::Unseen),
            () if text.chars().count() < MIN_CHARACTERS => Err(Unfit::Short),
            () if text.len() > MAX_BYTES => Err(Unfit::Long),
            () => Ok(Password(text)),
        }
    }

    /// Makes a password of 40 random bits, such as `k7mf-29qx`.
    pub fn generate() -> Password {
        let mut text = String::new();
        for (at, byte) in noise::random().into_iter().take(MADE).enumerate() {
            if at == MADE / 2 {
                text.push('-');
            }
            text.push(ALPHABET[usize::from(byte) % ALPHABET.len()].into());
        }
        Password(text)
    }

    /// The password itself, to be shown to its owner.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn secret(&self) -> spake2::Password {
        spake2::Password::new(self.0.as_bytes())
    }
}

/// Shows nothing of the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The server's side of an exchange that has begun.
pub struct Question {
    state: Spake2<Ed25519Group>,
    binding: [u8; 32],
}

impl Question {
    /// Begins an exchange in the channel that `binding` identifies. The line is to be sent,
    /// with a line feed.
    pub fn new(password: &Password, binding: &[u8; 32]) -> (Question, String) {
        let [server, client] = identities(binding);
        let (state, share) = Spake2::start_a(&password.secret(), &server, &client);
        (Question { state, binding: *binding }, format!("{OPENING}{}", to_hex(&share)))
    }

    /// Judges the client's line. Returns the line with the server's own proof, which is for a
    /// client that knows the password and for no other.
    pub fn judge(self, line: &[u8]) -> Option<String> {
        let line = str::from_utf8(line).ok()?.strip_prefix(OPENING)?;
        let (share, proof) = line.split_once(' ')?;
        let share = from_hex(share).filter(|share| share.len() == SHARE)?;
        let key = self.state.finish(&share).ok()?;
        let secret = Secret { key, binding: self.binding };
        secret.accepts(CLIENT, proof).then(|| format!("{OPENING}{}", to_hex(&secret.proof(SERVER))))
    }
}

/// Whether a server's line asks for a password.
pub fn asks(line: &str) -> bool {
    line.starts_with(OPENING)
}

/// A client that has proved that it knows the password, and waits for the server to do so.
pub struct Reply(Secret);

impl Reply {
    /// Answers the server's line in the channel that `binding` identifies. The line is to be
    /// sent, with a line feed. None if the server's line makes no sense.
    pub fn new(password: &Password, binding: &[u8; 32], line: &str) -> Option<(Reply, String)> {
        let share = from_hex(line.strip_prefix(OPENING)?).filter(|share| share.len() == SHARE)?;
        let [server, client] = identities(binding);
        let (state, own) = Spake2::<Ed25519Group>::start_b(&password.secret(), &server, &client);
        let secret = Secret { key: state.finish(&share).ok()?, binding: *binding };
        let proof = to_hex(&secret.proof(CLIENT));
        let line = format!("{OPENING}{} {proof}", to_hex(&own));
        Some((Reply(secret), line))
    }

    /// Whether the server's next line proves that it knows the password, too.
    pub fn accepts(&self, line: &str) -> bool {
        line.strip_prefix(OPENING).is_some_and(|proof| self.0.accepts(SERVER, proof))
    }
}

/// The secret that both sides have if both know the password.
struct Secret {
    key: Vec<u8>,
    binding: [u8; 32],
}

impl Secret {
    /// The proof of one side.
    fn proof(&self, role: &[u8]) -> [u8; PROOF] {
        noise::mac(&self.key, &[role, &self.binding].concat())
    }

    /// Compares a proof in the same time, wherever it differs.
    fn accepts(&self, role: &[u8], proof: &str) -> bool {
        from_hex(proof).is_some_and(|proof| self.proof(role)[..].ct_eq(&proof).into())
    }
}

/// The names of the two sides in this channel.
fn identities(binding: &[u8; 32]) -> [Identity; 2] {
    [SERVER, CLIENT].map(|role| Identity::new(&[role, binding].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    /// The lines of an exchange, and whether either side believes the other.
    fn exchange(server: &str, client: &str, bindings: [&[u8; 32]; 2]) -> (Vec<String>, bool) {
        let (question, asked) = Question::new(&password(server), bindings[0]);
        let (reply, answer) = Reply::new(&password(client), bindings[1], &asked).unwrap();
        match question.judge(answer.as_bytes()) {
            Some(proof) => {
                assert!(reply.accepts(&proof));
                (vec![asked, answer, proof], true)
            }
            None => (vec![asked, answer], false),
        }
    }

    #[test]
    fn both_sides_prove_the_same_password() {
        let (lines, both) = exchange("k7mf-29qx", "k7mf-29qx", [&[7; 32]; 2]);
        assert!(both);
        let lengths: Vec<_> = lines.iter().map(|line| line.len() - OPENING.len()).collect();
        assert_eq!(lengths, [66, 66 + 1 + 64, 64]);
        // Each exchange has other lines.
        assert_ne!(exchange("k7mf-29qx", "k7mf-29qx", [&[7; 32]; 2]).0, lines);
    }

    #[test]
    fn neither_side_believes_another_password() {
        for other in ["k7mf-29qy", "K7mf-29qx", "k7mf29qx", "k7mf-29qx.", "segredo"] {
            assert!(!exchange("k7mf-29qx", other, [&[7; 32]; 2]).1, "{other}");
            // A server that does not know the password has one guess, too.
            let (_, asked) = Question::new(&password(other), &[7; 32]);
            let (reply, _) = Reply::new(&password("k7mf-29qx"), &[7; 32], &asked).unwrap();
            let (mine, line) = Question::new(&password(other), &[7; 32]);
            let (_, answer) = Reply::new(&password(other), &[7; 32], &line).unwrap();
            assert!(!reply.accepts(&mine.judge(answer.as_bytes()).unwrap()));
        }
    }

    #[test]
    fn relay_between_two_channels_proves_nothing() {
        assert!(!exchange("k7mf-29qx", "k7mf-29qx", [&[7; 32], &[8; 32]]).1);
    }

    #[test]
    fn own_lines_sent_back_prove_nothing() {
        let known = password("k7mf-29qx");
        let (question, asked) = Question::new(&known, &[7; 32]);
        let share = &asked[OPENING.len()..];
        let zeros = "0".repeat(64);
        assert_eq!(question.judge(format!("{OPENING}{share} {zeros}").as_bytes()), None);
        let (_, asked) = Question::new(&known, &[7; 32]);
        let (reply, answer) = Reply::new(&known, &[7; 32], &asked).unwrap();
        let (share, proof) = answer[OPENING.len()..].split_once(' ').unwrap();
        assert!(!reply.accepts(&format!("{OPENING}{proof}")));
        assert!(Reply::new(&known, &[7; 32], &format!("{OPENING}{share}")).is_none());
    }

    #[test]
    fn lines_that_make_no_sense_prove_nothing() {
        let known = password("k7mf-29qx");
        let answer = || {
            let (question, asked) = Question::new(&known, &[7; 32]);
            (question, Reply::new(&known, &[7; 32], &asked).unwrap().1)
        };
        let (question, good) = answer();
        assert!(question.judge(good.as_bytes()).is_some());
        type Change = fn(&str) -> String;
        let changes: [Change; 9] = [
            |line| line.replace("PASSWORD", "password"),
            |line| line[..line.len() - 1].into(),
            |line| format!("{line}0"),
            |line| format!("{line} "),
            |line| line.to_uppercase(),
            |line| line.replace(OPENING, "PASSWORD  "),
            |line| line[..OPENING.len() + 66].into(),
            |_| "NICK ana".into(),
            |_| String::new(),
        ];
        for change in changes {
            let (question, line) = answer();
            assert_eq!(question.judge(change(&line).as_bytes()), None, "{}", change(&line));
        }
        for at in (OPENING.len()..good.len()).step_by(5).filter(|at| &good[*at..=*at] != " ") {
            let (question, line) = answer();
            let digit = if &line[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &line[..at], &line[at + 1..]);
            assert_eq!(question.judge(changed.as_bytes()), None, "{at}");
        }
        let (question, _) = answer();
        assert_eq!(question.judge(b"PASSWORD \xFF"), None);
        for line in ["", OPENING, "PASSWORD 00", &format!("{OPENING}{}", "0".repeat(64)), &good] {
            assert!(Reply::new(&known, &[7; 32], line).is_none(), "{line}");
        }
    }

    #[test]
    fn password_is_compared_as_people_type_it() {
        assert_eq!(password("cora\u{e7}\u{e3}o"), password("  corac\u{327}a\u{303}o\n"));
        assert_eq!(password("coração").as_str().len(), 9);
        for (text, unfit) in [
            ("", Unfit::Short),
            ("12345", Unfit::Short),
            ("  12345  ", Unfit::Short),
            // Three letters, however they were typed.
            ("c\u{327}a\u{303}o\u{303}", Unfit::Short),
            (&"x".repeat(129), Unfit::Long),
            (&"\u{e3}".repeat(65), Unfit::Long),
            (&"x".repeat(1 << 20), Unfit::Long),
            ("123\n456", Unfit::Unseen),
            ("123\u{1b}456", Unfit::Unseen),
        ] {
            assert_eq!(Password::new(text), Err(unfit), "{text:?}");
        }
        assert!(Password::new(&"\u{e3}".repeat(64)).is_ok());
        assert!(Password::new("123456").is_ok());
        assert_eq!(format!("{:?}", password("123456")), "Password(..)");
    }

    #[test]
    fn made_password_is_easy_to_read_out() {
        let made: Vec<Password> = (0..200).map(|_| Password::generate()).collect();
        for password in &made {
            let text = password.as_str();
            assert_eq!((text.len(), &text[4..5]), (9, "-"), "{text}");
            assert!(!text.contains(['0', '1', 'l', 'o']), "{text}");
            assert_eq!(Password::new(text).as_ref(), Ok(password));
        }
        // Each of the 32 characters comes up.
        let all: String = made.iter().map(Password::as_str).collect();
        assert!(ALPHABET.iter().all(|&letter| all.contains(char::from(letter))));
    }
}
