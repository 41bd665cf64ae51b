use std::borrow::Cow;

use crate::wire::Command;

/// A braille pattern without dots: as wide as a blank and as empty, but a character
/// that is seen, as the protocol defines it.
const SEEN_BLANK: char = '\u{2800}';

/// A text as `MSG` says it to all, whatever it is.
///
/// Without it, a text that begins with an at sign would be for one person, and one
/// without anything to be seen would be refused. Such a text begins with a blank that
/// counts as seen, which takes the place of a blank that is there.
pub fn literal(text: &str) -> Cow<'_, str> {
    match Command::parse(&format!("MSG {text}")) {
        Ok(Command::Say(_)) => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{SEEN_BLANK}{}", text.strip_prefix(' ').unwrap_or(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_said_to_all() {
        for (text, expected) in [
            ("olá", "olá"),
            ("QUIT", "QUIT"),
            ("/me acena", "/me acena"),
            ("  a@b", "  a@b"),
            ("@channel oi", "\u{2800}@channel oi"),
            ("@", "\u{2800}@"),
            ("    @property", "\u{2800}   @property"),
            ("\u{200B}@x y", "\u{2800}\u{200B}@x y"),
            ("", "\u{2800}"),
            ("  ", "\u{2800} "),
            ("\t", "\u{2800}\t"),
        ] {
            assert_eq!(literal(text), expected, "{text:?}");
            let line = format!("MSG {}", literal(text));
            assert!(matches!(Command::parse(&line), Ok(Command::Say(_))), "{text:?}");
        }
    }
}
