use std::borrow::Cow;
use std::fmt;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::wire::Refusal;
use crate::wire::sanitize::is_ignorable;

/// The longest nick, in characters after NFC.
const MAX_NICK: usize = 32;
/// The longest way to write one, in bytes: at most four code points make up one
/// character, of at most four bytes each. What is longer is not even composed.
const MAX_SPELLING: usize = MAX_NICK * 4 * 4;
/// How many combining marks may sit on one letter of a nick.
const MAX_MARKS: usize = 3;
/// Names that the protocol itself speaks with, as keys.
const RESERVED: [&str; 2] = ["server", "all"];

/// A name that is fit to be shown: never empty, never ambiguous on the wire,
/// never invisible.
///
/// It is kept as NFC of what was typed: 1 to 32 letters and digits of any
/// script, `-`, `_` and `.`, and at most 3 combining marks in a row after a
/// letter. Whether two nicks are the same is a matter of their [keys](Nick::key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick(Box<str>);

impl Nick {
    /// Checks `name` and keeps it.
    ///
    /// # Errors
    /// [`Refusal::InvalidNick`] if it is not fit to be shown, or reserved
    /// (`server`, `all`).
    pub fn new(name: &str) -> Result<Nick, Refusal> {
        let name = composed(name).ok_or(Refusal::InvalidNick)?;
        if name.is_empty() || !is_fit(&name) || Nick::is_reserved(&name) {
            return Err(Refusal::InvalidNick);
        }
        Ok(Nick(name.into()))
    }

    /// Whether `name` is reserved, because the protocol needs the word.
    pub fn is_reserved(name: &str) -> bool {
        RESERVED.contains(&&*Nick::key_of(name))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that tells two nicks apart: NFKC of the lower case of NFKC, which is the
    /// comparison of RFC 8265's UsernameCaseMapped without its weight. The two
    /// small sigmas, of which there is one capital, are one letter.
    pub fn key(&self) -> Cow<'_, str> {
        Nick::key_of(&self.0)
    }

    /// The key of the nick that `name` may mean; none if it is too long for a nick.
    pub fn sought(name: &str) -> Option<Cow<'_, str>> {
        Some(match composed(name)? {
            Cow::Borrowed(name) => Nick::key_of(name),
            Cow::Owned(name) => Nick::key_of(&name).into_owned().into(),
        })
    }

    /// The key that `name` would have, whether or not it is fit to be a nick.
    /// It allocates nothing for what is lower-case ASCII already.
    pub fn key_of(name: &str) -> Cow<'_, str> {
        if !name.is_ascii() {
            let lower: String = name.nfkc().collect::<String>().to_lowercase();
            Cow::Owned(lower.chars().map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect())
        } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        }
    }
}

/// NFC of a name, if it is short enough to be a nick. Whatever a stranger may send costs
/// little.
fn composed(name: &str) -> Option<Cow<'_, str>> {
    if name.len() > MAX_SPELLING {
        return None;
    }
    let name = match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => Cow::Borrowed(name),
        _ => Cow::Owned(name.nfc().collect()),
    };
    name.chars().nth(MAX_NICK).is_none().then_some(name)
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether each character may stand where it stands. Blanks, commas, colons,
/// brackets and the at sign would make lines ambiguous; what is ignorable would
/// make two nicks look alike, or one like nothing.
fn is_fit(name: &str) -> bool {
    // How many more combining marks may follow.
    let mut marks = 0_usize;
    name.chars().all(|c| {
        if is_ignorable(c) {
            false
        } else if is_combining_mark(c) {
            let fits = marks > 0;
            marks = marks.saturating_sub(1);
            fits
        } else {
            marks = if c.is_alphabetic() { MAX_MARKS } else { 0 };
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_welcome() {
        for name in ["ana", "João", "zé", "R2-D2", "a.b_c", "Мария", "日本", "שָׁלוֹם", "हिन्दी", "9"]
        {
            assert_eq!(Nick::new(name).map(|nick| nick.to_string()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn ambiguous_or_invisible_nick_is_refused() {
        for name in [
            "",
            " ",
            "ana, maria",
            "admin [all]: hi",
            "@ana",
            "a:b",
            "a\tb",
            "a\x1b[2Jb",
            "a\u{200B}b",
            "a\u{200D}b",
            "a\u{FE0F}",
            "\u{3164}",
            "\u{115F}",
            "\u{FFA0}",
            "\u{202E}ana",
            "\u{301}a",
            "1\u{301}",
            "a\u{300}\u{301}\u{302}\u{303}\u{304}",
            "🎉",
            "\u{FFFD}",
        ] {
            assert_eq!(Nick::new(name), Err(Refusal::InvalidNick), "{name:?}");
        }
    }

    #[test]
    fn thirty_two_characters_fit_and_not_one_more() {
        for letter in ["a", "é", "日", "𝖺"] {
            assert!(Nick::new(&letter.repeat(32)).is_ok(), "{letter}");
            assert_eq!(Nick::new(&letter.repeat(33)), Err(Refusal::InvalidNick), "{letter}");
        }
        // They are counted after they were composed, of up to four code points.
        assert!(Nick::new(&"e\u{301}".repeat(32)).is_ok());
        let letter = "\u{3B1}\u{313}\u{300}\u{345}";
        assert!(Nick::new(&letter.repeat(32)).is_ok());
        assert_eq!(Nick::sought(&"É".repeat(32)), Some("é".repeat(32).into()));
        assert_eq!(Nick::sought(&"é".repeat(33)), None);
        assert_eq!(Nick::sought(&letter.repeat(33)), None);
    }

    #[test]
    fn nicks_that_look_the_same_are_the_same() {
        for (one, other) in [
            ("Ana", "ana"),
            ("jo\u{E3}o", "joa\u{303}o"),
            ("ZÉ", "zé"),
            ("ａｎａ", "ana"),
            ("𝖺na", "ana"),
            ("Å", "\u{212B}"),
            ("ΝΙΚΟΣ", "νικοσ"),
            ("Νίκος", "νίκοσ"),
            ("Ϲam", "ϲam"),
        ] {
            assert_eq!(Nick::key_of(one), Nick::key_of(other), "{one} and {other}");
        }
        assert_eq!(Nick::new("joa\u{303}o").unwrap().as_str(), "jo\u{E3}o");
        assert_ne!(Nick::key_of("ana"), Nick::key_of("aná"));
    }

    #[test]
    fn nick_cannot_pretend_to_be_the_server() {
        for name in ["server", "Server", "ｓｅｒｖｅｒ", "all", "ALL"] {
            assert_eq!(Nick::new(name), Err(Refusal::InvalidNick), "{name}");
        }
    }

    #[test]
    fn key_of_a_key_is_itself_in_any_composition() {
        let mut dice = fastrand::Rng::with_seed(11);
        for _ in 0..5000 {
            let name: String = (0..dice.usize(1..8)).map(|_| dice.char(..)).collect();
            let key = Nick::key_of(&name).into_owned();
            for form in [name.nfc().collect::<String>(), name.nfd().collect()] {
                assert_eq!(Nick::key_of(&form), key, "{name:?}");
            }
            if let Ok(nick) = Nick::new(&name) {
                assert_eq!(Nick::new(nick.as_str()), Ok(nick), "{name:?}");
            }
        }
    }
}
