//! Rows for a terminal: a line that is too long goes on in the next row, indented.
//!
//! A terminal begins the rest of a long line in column 1, where a message begins, so that
//! a text could look like another person's message. [`wrap`] leaves it nothing to break.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a row is indented that stands under nothing in particular.
const INDENT: usize = 2;
/// How many columns a text has at least that stands under something.
const ROOM: usize = 18;
/// A terminal of fewer columns has no room for an indent and a wide character. Nothing
/// is wrapped for it.
const NARROWEST: usize = INDENT + 2;

/// Breaks every line into rows of at most `columns`, at blanks where there are any.
///
/// Each row but a line's first is indented: it stands under what follows the line's
/// first two blanks in a row, or two columns further in than the line. Sequences that set colours
/// take no room. The result of wrapping a row again is the same row.
pub fn wrap(text: &str, columns: usize) -> Cow<'_, str> {
    let stays = |line: &str| is_short(line, columns) || is_drawing(line);
    if columns < NARROWEST || text.split('\n').all(stays) {
        return text.into();
    }
    let mut rows = String::with_capacity(text.len() + text.len() / 4);
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if stays(line) {
            rows += line;
        } else {
            wrap_line(&mut rows, line, columns);
        }
        rows += end;
    }
    rows.into()
}

/// Whether a line certainly fits, as far as that is seen at once.
fn is_short(line: &str, columns: usize) -> bool {
    line.len() <= columns && line.bytes().all(|byte| byte.is_ascii() && byte != b'\t')
}

/// Whether a line is a row of a code to scan: blocks in colours of their own. It is never
/// broken. Nothing that a stranger says begins with a colour and has blocks alone.
fn is_drawing(line: &str) -> bool {
    let drawn = line.strip_prefix("\x1b[").and_then(|line| line.split_once('m'));
    let drawn = drawn.and_then(|(_, line)| line.strip_suffix("\x1b[0m"));
    drawn.is_some_and(|row| row.contains('█') && row.chars().all(|c| " ▀▄█".contains(c)))
}

/// A part of a line that is not broken.
struct Piece<'a> {
    text: &'a str,
    kind: Kind,
    /// How many columns a terminal takes for it, most likely.
    likely: usize,
    /// How many columns a terminal takes for it at most.
    most: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A row may end here.
    Blank,
    /// Rows may end before and behind it, as between the characters of Chinese.
    Wide,
    /// A part of a word.
    Letter,
    /// A sequence that sets colours, or another control.
    Control,
}

/// Appends a line as rows.
fn wrap_line(rows: &mut String, line: &str, columns: usize) {
    let indent = indent(&pieces(line, usize::MAX), columns);
    let room = columns - indent;
    let pieces = pieces(line, room);
    let mut used = 0;
    // Blanks are held back until it is known that something follows them in the row.
    let mut blanks: &[Piece<'_>] = &[];
    let mut rest = &pieces[..];
    while !rest.is_empty() {
        let (unit, behind) = rest.split_at(unit(rest));
        rest = behind;
        if unit[0].kind == Kind::Blank {
            blanks = unit;
            continue;
        }
        let (gap, word) = (most(blanks), most(unit));
        if word == 0 {
            push(rows, unit);
            continue;
        }
        let whole = used + gap + word <= columns;
        // A word that fits into no row begins in this one.
        if whole || word > room && used + gap + unit[0].most <= columns {
            push(rows, blanks);
            used += gap;
        } else {
            next_row(rows, indent);
            used = indent;
        }
        blanks = &[];
        for piece in unit {
            if used + piece.most > columns {
                next_row(rows, indent);
                used = indent;
            }
            *rows += piece.text;
            used += piece.most;
        }
    }
    if used + most(blanks) <= columns {
        push(rows, blanks);
    }
}

fn push(rows: &mut String, pieces: &[Piece<'_>]) {
    rows.extend(pieces.iter().map(|piece| piece.text));
}

fn next_row(rows: &mut String, indent: usize) {
    rows.push('\n');
    rows.extend(std::iter::repeat_n(' ', indent));
}

fn most(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(|piece| piece.most).sum()
}

/// How many pieces belong together at the beginning: blanks, a word, or a wide character.
/// Controls belong to what follows them, or to a word that precedes them.
fn unit(pieces: &[Piece<'_>]) -> usize {
    let lead = |pieces: &[Piece<'_>], kinds: &[Kind]| {
        pieces.iter().take_while(|piece| kinds.contains(&piece.kind)).count()
    };
    let controls = lead(pieces, &[Kind::Control]);
    let (_, behind) = pieces.split_at(controls);
    match behind.first().map(|piece| piece.kind) {
        Some(Kind::Blank) if controls == 0 => lead(behind, &[Kind::Blank]),
        None | Some(Kind::Blank | Kind::Control) => controls,
        Some(Kind::Wide) => controls + 1 + lead(&behind[1..], &[Kind::Control]),
        Some(Kind::Letter) => controls + lead(behind, &[Kind::Letter, Kind::Control]),
    }
}

/// How far the rows behind the first are indented.
fn indent(pieces: &[Piece<'_>], columns: usize) -> usize {
    let shown = || pieces.iter().filter(|piece| piece.kind != Kind::Control);
    let is_blank = |piece: &&Piece<'_>| piece.kind == Kind::Blank;
    let sum = |pieces: &mut dyn Iterator<Item = &Piece<'_>>| {
        pieces.map(|piece| piece.likely).sum::<usize>()
    };
    let margin = sum(&mut shown().take_while(is_blank));
    let (mut column, mut gap) = (margin, 0);
    for piece in shown().skip_while(is_blank) {
        if !is_blank(&piece) && gap > 1 {
            break;
        }
        gap = if is_blank(&piece) { gap + piece.likely } else { 0 };
        column += piece.likely;
        if column > columns {
            break;
        }
    }
    if gap > 1 && column + ROOM <= columns { column } else { (margin + INDENT).min(columns / 2) }
}

/// A line in parts. What takes more than `room` is taken apart as far as possible.
fn pieces(line: &str, room: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('\x1b') {
        graphemes(&mut pieces, &rest[..start], room);
        let length = sequence(&rest[start..]);
        let text = &rest[start..start + length];
        pieces.push(Piece { text, kind: Kind::Control, likely: 0, most: 0 });
        rest = &rest[start + length..];
    }
    graphemes(&mut pieces, rest, room);
    pieces
}

/// How many bytes a sequence has that begins with ESC: `ESC [ 1 m`.
fn sequence(text: &str) -> usize {
    let end = text.bytes().skip(2).position(|byte| matches!(byte, b'@'..=b'~'));
    match end {
        Some(end) if text.as_bytes()[1] == b'[' => end + 3,
        _ => 1,
    }
}

fn graphemes<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str, room: usize) {
    for grapheme in text.graphemes(true) {
        let whole = piece(grapheme);
        if whole.most <= room {
            pieces.push(whole);
        } else {
            // Emoji can be joined without end.
            let chars = grapheme.char_indices();
            pieces.extend(chars.map(|(at, c)| piece(&grapheme[at..at + c.len_utf8()])));
        }
    }
}

fn piece(text: &str) -> Piece<'_> {
    if text == "\t" {
        return Piece { text: " ", kind: Kind::Blank, likely: 1, most: 1 };
    }
    let first = text.chars().next().unwrap_or_default();
    let likely = text.width();
    let kind = match first {
        _ if first.is_control() => {
            return Piece { text, kind: Kind::Control, likely: 0, most: 0 };
        }
        // Those that are there to hold two words together hold them together.
        '\u{A0}' | '\u{2007}' | '\u{202F}' => Kind::Letter,
        _ if first.is_whitespace() => Kind::Blank,
        _ if likely > 1 => Kind::Wide,
        _ => Kind::Letter,
    };
    Piece { text, kind, likely, most: text.chars().map(most_of).sum() }
}

/// How many columns a terminal takes for a character at most.
///
/// Terminals differ where a width is ambiguous, where they are older or newer than our
/// tables, and where one takes several characters for one. A row that is too short does no
/// harm, and one that is too long is broken in column 1. Therefore marks and joiners count
/// one, what is joined counts the sum, and a character counts two where some terminal may
/// take two.
fn most_of(c: char) -> usize {
    match c {
        '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' => 1,
        ..'\u{2000}' => c.width_cjk().unwrap_or(0).max(1),
        _ => c.width_cjk().unwrap_or(0).max(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(columns: usize, text: &str, expected: &[&str]) {
        let wrapped = wrap(text, columns);
        assert_eq!(wrapped.split('\n').collect::<Vec<_>>(), expected, "{text:?} at {columns}");
        assert_eq!(wrap(&wrapped, columns), wrapped, "a second time");
    }

    #[test]
    fn line_that_fits_stays_as_it_is() {
        for text in ["", "oi", "  oi  ", "12345678901234567890", "a\nb\n", "日本語日本語日本語日"]
        {
            check(20, text, &text.split('\n').collect::<Vec<_>>());
        }
    }

    #[test]
    fn message_goes_on_under_its_text() {
        check(
            30,
            "21:04 joao  one two three four five six",
            &["21:04 joao  one two three four", "            five six"],
        );
        check(24, "21:04 bia → you  one two", &["21:04 bia → you  one", "  two"]);
        check(
            35,
            "21:04 bia → you  one two three four",
            &["21:04 bia → you  one two three", "                 four"],
        );
        check(20, "  /quiet   hide who comes", &["  /quiet   hide who", "    comes"]);
    }

    #[test]
    fn line_without_a_text_is_indented_by_two() {
        check(20, "* the server refused that", &["* the server refused", "  that"]);
        check(20, "  minichat connect 10.0.0.1:9000", &["  minichat connect", "    10.0.0.1:9000"]);
    }

    #[test]
    fn word_longer_than_a_row_is_broken_at_the_width() {
        check(10, "a bcdefghijklmnopq r", &["a bcdefghi", "  jklmnopq", "  r"]);
        check(10, "abcdefghijklm", &["abcdefghij", "  klm"]);
        check(10, "a bcdefghi", &["a bcdefghi"]);
        check(10, "ab cdefghij", &["ab", "  cdefghij"]);
    }

    #[test]
    fn blanks_at_the_end_of_a_row_are_left_out() {
        let padded = format!("hi{}15:10 bia", " ".repeat(40));
        check(20, &padded, &["hi", "  15:10 bia"]);
        check(20, &format!("hi{}", " ".repeat(40)), &["hi"]);
        check(20, &format!("hi{}\u{1b}[0m", " ".repeat(40)), &["hi\u{1b}[0m"]);
        check(20, &format!("{}hi", " ".repeat(40)), &["", "          hi"]);
    }

    #[test]
    fn no_padding_brings_a_text_to_column_1() {
        let pads = [
            " ",
            "\u{A0}",
            "\u{3000}",
            "\u{2007}",
            "\u{2028}",
            ".",
            "x ",
            "-",
            "日",
            "é",
            "e\u{301}",
            "👩\u{200D}👩\u{200D}👧",
            "❤\u{FE0F}",
            "🇧🇷",
            "\u{1FAF8}",
            "\u{1FAE9}",
            "ক\u{9BE}",
            "คำ",
            "\t",
            "─",
            "→",
            "ｱ",
            "\u{1160}",
            "1\u{FE0F}\u{20E3}",
            "\u{1b}[2m\u{1b}[0m.",
        ];
        for columns in [4, 5, 12, 20, 40, 80, 133] {
            for pad in pads {
                for count in 1..columns + 3 {
                    let line =
                        format!("21:04 eve  hi{}15:10 bia  I owe eve 100", pad.repeat(count));
                    let rows = wrap(&line, columns);
                    for (n, row) in rows.split('\n').enumerate() {
                        let wide = most(&pieces(row, 2));
                        assert!(wide <= columns, "{wide} columns of {columns}: {row:?}");
                        assert!(n == 0 || row.starts_with("  "), "{columns}: {row:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_but_blanks_is_lost() {
        let mut dice = fastrand::Rng::with_seed(3);
        let alphabet =
            ["a", "é", "日", " ", "  ", "\u{A0}", "e\u{301}", "🇧🇷", "👩\u{200D}👧", "\u{1b}[1m"];
        for _ in 0..2000 {
            let text: String =
                (0..dice.usize(0..60)).map(|_| alphabet[dice.usize(..alphabet.len())]).collect();
            let rows = wrap(&text, dice.usize(1..30)).into_owned();
            let letters = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(letters(&rows), letters(&text));
        }
    }

    #[test]
    fn rows_of_any_text_fit_and_are_indented() {
        let mut dice = fastrand::Rng::with_seed(11);
        for _ in 0..1000 {
            let mut text = String::new();
            for _ in 0..dice.usize(0..120) {
                let c = if dice.bool() { dice.char(' '..='~') } else { dice.char(..) };
                if !c.is_control() {
                    text.extend(std::iter::repeat_n(c, dice.usize(1..4)));
                }
            }
            let columns = dice.usize(NARROWEST..100);
            let rows = wrap(&text, columns).into_owned();
            let seen = |text: &str| text.replace(char::is_whitespace, "");
            assert_eq!(seen(&rows), seen(&text));
            for (n, row) in rows.split('\n').enumerate() {
                assert!(most(&pieces(row, INDENT)) <= columns, "{columns}: {row:?}");
                assert!(n == 0 || row.starts_with("  "), "{columns}: {row:?}");
            }
        }
    }

    #[test]
    fn characters_are_not_taken_apart() {
        let marked = "e\u{301}";
        let text = format!("xxxx{}yyyyy", marked.repeat(3));
        check(9, &text, &[&format!("xxxx{}", marked.repeat(2)), &format!("  {marked}yyyyy")]);
        check(11, "aaaaaa👩\u{200D}👧b", &["aaaaaa👩\u{200D}👧", "  b"]);
        check(8, "aaaaaa👩\u{200D}👧", &["aaaaaa", "  👩\u{200D}👧"]);
    }

    #[test]
    fn chain_of_joined_emoji_is_taken_apart_in_the_end() {
        let chain = format!("👩{}", "\u{200D}👩".repeat(20));
        let rows = wrap(&chain, 20).into_owned();
        assert!(rows.split('\n').count() > 2, "{rows}");
    }

    #[test]
    fn text_without_blanks_in_between_is_filled_row_by_row() {
        check(10, "abc 日本語日本語", &["abc 日本語", "  日本語"]);
    }

    #[test]
    fn colours_take_no_room() {
        check(8, "\u{1b}[1m12345678\u{1b}[0m", &["\u{1b}[1m12345678\u{1b}[0m"]);
        check(8, "\u{1b}[2m1234 5678\u{1b}[0m", &["\u{1b}[2m1234", "  5678\u{1b}[0m"]);
    }

    #[test]
    fn terminal_of_no_width_is_left_alone() {
        for columns in 0..NARROWEST {
            check(columns, "one two three", &["one two three"]);
        }
    }
}
