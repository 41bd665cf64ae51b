//! Removes what must never reach a terminal.
//!
//! Texts on the wire were written by strangers, and many people read them
//! with `nc` in a terminal that obeys escape sequences. So the server
//! [strips](strip) what it passes on, and our own client, which may be talking
//! to any server, makes everything it shows [visible] once more.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

/// How many combining marks may sit on one letter that is shown.
const MAX_MARKS: usize = 4;

/// The effect of a character on a terminal or its reader.
enum Nature {
    /// Nothing but be seen.
    Plain,
    /// C0 (a tab among them) or DEL: moves the cursor, rings, starts sequences.
    Control,
    /// C1, line separators and bidirectional controls: starts sequences on some
    /// terminals, tears a line apart or turns its order around.
    Deceitful,
    /// Takes no place and changes nothing but the comparison of two texts.
    Invisible,
}

fn nature(c: char) -> Nature {
    match c {
        '\u{20}'..='\u{7E}' => Nature::Plain,
        '\0'..='\u{1F}' | '\u{7F}' => Nature::Control,
        '\u{80}'..='\u{9F}' | '\u{2028}' | '\u{2029}' => Nature::Deceitful,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Nature::Deceitful
        }
        // Joiners and emoji selectors are invisible too, but emoji, Persian and
        // the scripts of India are not written without them.
        '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' => Nature::Plain,
        c if is_ignorable(c) => Nature::Invisible,
        _ => Nature::Plain,
    }
}

/// Whether Unicode calls `c` a default-ignorable code point: one that is not
/// shown at all where it is not known (DerivedCoreProperties.txt, and the
/// interlinear annotations U+FFF9..FFFB).
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether `c` by itself adds nothing that a reader would see.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_ignorable(c) || !matches!(nature(c), Nature::Plain)
}

/// Whether a text holds nothing but what a terminal can be trusted with.
fn is_plain(text: &str) -> bool {
    // Most are ASCII. To look at each byte, whatever the others are, is quicker than to
    // stop at the first that is not: many are looked at together.
    text.bytes().fold(true, |plain, byte| plain & matches!(byte, 0x20..=0x7E))
        || text.chars().all(|c| matches!(nature(c), Nature::Plain))
}

/// The text that the server passes on: it is without control characters (a tab may
/// stay) and without characters that are there to deceive.
pub fn strip(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| c == '\t' || matches!(nature(c), Nature::Plain)).collect())
}

/// The text that the client shows: everything that a terminal would obey is
/// replaced by something that it prints.
///
/// A control character becomes its picture (`␛`), a tab one blank, a deceitful
/// character U+FFFD; invisible ones, and combining marks beyond the fourth in a
/// row, are left out.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Without marks to count, most texts are let through as they are.
    if is_plain(text) && (text.is_ascii() || !text.chars().any(is_combining_mark)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let c = match nature(c) {
            Nature::Plain => c,
            Nature::Control => picture(c),
            Nature::Deceitful => char::REPLACEMENT_CHARACTER,
            Nature::Invisible => continue,
        };
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks <= MAX_MARKS {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether [`visible`] would show `c` as something else, or not at all.
pub fn is_unsafe(c: char) -> bool {
    !matches!(nature(c), Nature::Plain)
}

/// The Unicode picture of a C0 control or of DEL.
fn picture(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{7F}' => '␡',
        _ => char::from_u32(0x2400 + c as u32).expect("there is a picture for each control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, delivered: &str, shown: &str) {
        assert_eq!(strip(text), delivered, "what the server passes on of {text:?}");
        assert_eq!(visible(text), shown, "what the client shows of {text:?}");
    }

    #[test]
    fn ordinary_text_is_not_touched() {
        for text in ["", "Olá pessoal!", "日本語 🎉", "a  b", "👩‍👩‍👧 ❤️", "نمی‌خواهم", "é"]
        {
            check(text, text, text);
            assert!(matches!(strip(text), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn clears_no_screen() {
        check("\x1b[2Jgone", "[2Jgone", "␛[2Jgone");
        check("\u{9B}2Jgone", "2Jgone", "\u{FFFD}2Jgone");
    }

    #[test]
    fn writes_no_clipboard() {
        check("\x1b]52;c;aGk=\x07", "]52;c;aGk=", "␛]52;c;aGk=␇");
    }

    #[test]
    fn forges_no_line_with_carriage_return() {
        check("hi\rFROM ana [all]: no", "hiFROM ana [all]: no", "hi␍FROM ana [all]: no");
        check("hi\u{2028}there", "hithere", "hi\u{FFFD}there");
    }

    #[test]
    fn turns_no_text_around() {
        check("abc\u{202E}fdp.exe", "abcfdp.exe", "abc\u{FFFD}fdp.exe");
        check("\u{2066}a\u{2069}", "a", "\u{FFFD}a\u{FFFD}");
    }

    #[test]
    fn hides_nothing_between_letters() {
        check("jo\u{200B}ao\u{AD}\u{FEFF}", "joao", "joao");
        check("tag\u{E0041}", "tag", "tag");
    }

    #[test]
    fn climbs_into_no_other_line() {
        let tower = format!("o{}", "\u{301}".repeat(50));
        assert_eq!(visible(&tower).chars().count(), 1 + MAX_MARKS);
    }

    #[test]
    fn a_tab_is_delivered_and_shown_as_a_blank() {
        check("a\tb", "a\tb", "a b");
    }

    #[test]
    fn doing_it_twice_changes_nothing_and_no_control_is_left() {
        let mut dice = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let text: String = (0..dice.usize(0..40)).map(|_| dice.char(..)).collect();
            let (delivered, shown) = (strip(&text), visible(&text));
            assert_eq!(strip(&delivered), delivered);
            assert_eq!(visible(&shown), shown);
            assert!(!delivered.chars().any(|c| c.is_control() && c != '\t'), "{text:?}");
            assert!(!shown.chars().any(char::is_control), "{text:?}");
        }
    }
}
