//! A prompt and a draft -> rows that fit the screen. Pure.
//!
//! The rows are broken here, not by the terminal. A character is given as many columns
//! as any terminal may take for it, so that most of it can be seen everywhere.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::wire::sanitize;

/// How many columns are between two tab stops.
const TAB: usize = 4;
/// A draft may take one of this many parts of the screen.
const SHARE: usize = 3;

/// The most bytes on one side of the cursor that can be seen.
const FAR: usize = 64 << 10;

/// How many columns and rows a screen has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The look of a piece of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
}

/// A part of a row that is not broken: one character, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub style: Style,
    /// How many columns a terminal takes for it, at most.
    pub most: usize,
    /// How many columns a terminal takes for it, at least.
    pub least: usize,
}

/// A row of the screen.
pub type Row = Vec<Piece>;

/// Rows, and the place of the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub rows: Vec<Row>,
    /// The row of the cursor, and how many of its pieces are before it.
    pub cursor: (usize, usize),
}

/// A prompt, a draft and a hint, to be shown.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub prompt: &'a str,
    pub prompt_style: Style,
    pub text: &'a str,
    /// Where the cursor is in the text, in bytes.
    pub cursor: usize,
    /// A text that could follow, in grey.
    pub hint: &'a str,
    /// Notes in the draft's place may be grey.
    pub grey: bool,
    /// The note in the place of rows that are not shown, for this many lines.
    pub lines: &'a dyn Fn(usize) -> String,
}

/// The first row of a draft that is too tall to be shown, by its first byte.
pub type Top = Option<usize>;

impl Piece {
    /// A character as people see it. It is made harmless.
    fn new(text: &str, style: Style) -> Piece {
        if let [byte @ b' '..=b'~'] = text.as_bytes() {
            let text = char::from(*byte).to_string();
            return Piece { text, style, most: 1, least: 1 };
        }
        let mut text = harmless(text);
        let mut most = text.chars().map(most_of).sum();
        if !text.is_empty() && text.width() == 0 {
            text.insert(0, '◌'); // A mark needs something to stand on.
            most += 1;
        }
        let least = least_of(&text);
        Piece { text, style, most, least }
    }

    /// Whether every terminal takes the same number of columns for it.
    pub fn is_sure(&self) -> bool {
        self.text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    }
}

/// Breaks what is to be shown into rows.
///
/// A draft that would take more than a third of the screen shows the rows around the
/// cursor, and in the place of the others how many lines there are.
pub fn lay_out(shown: &Shown<'_>, size: Size, top: &mut Top) -> View {
    let capacity = size.columns.saturating_sub(1).max(1);
    let most = (size.rows / SHARE).max(2.min(size.rows.saturating_sub(1))).max(1);
    // Lines that are not there make it too tall without being looked at.
    let mut breaks = memchr::memchr_iter(b'\n', shown.text.as_bytes());
    if breaks.nth(most - 1).is_none() && shown.text.len() <= FAR {
        let mut rows = Rows::new(capacity);
        rows.add_all(shown.prompt, shown.prompt_style);
        rows.begin_text(0);
        rows.add_text(shown.text, 0, shown.cursor);
        if rows.rows.len() <= most {
            *top = None;
            rows.add_hint(shown.hint);
            return rows.view(0..usize::MAX);
        }
    }
    lay_out_part(shown, capacity, most, top)
}

fn lay_out_part(shown: &Shown<'_>, capacity: usize, most: usize, top: &mut Top) -> View {
    let text = shown.text;
    // Only lines near the cursor can be seen.
    let range = near(text, shown.cursor, most);
    let mut rows = Rows::new(capacity);
    rows.begin_text(range.start);
    rows.add_text(&text[range.clone()], range.start, shown.cursor);
    let (count, here) = (rows.rows.len(), rows.cursor.0);
    let room = if most > 1 { most - 1 } else { 1 };
    let known = top.and_then(|top| rows.starts.iter().position(|&start| start == top));
    let first = match known {
        Some(first) if (first..first + room).contains(&here) => first,
        Some(first) if here < first => here,
        // A few rows further than needed, so that not every row moves all others.
        Some(_) => (here + 1 + room / SHARE).saturating_sub(room).min(here),
        None => (here + 1).saturating_sub(room),
    };
    *top = Some(rows.starts[first]);
    let mut view = rows.view(first..count.min(first + room));
    if most > 1 {
        let lines = match text.lines().count() {
            0 | 1 if range.len() < text.len() => text.chars().count().div_ceil(capacity),
            0 | 1 => count,
            lines => lines,
        };
        let mut head = Rows::new(capacity);
        head.add_all(shown.prompt, shown.prompt_style);
        let style = if shown.grey { Style::Dim } else { Style::Plain };
        head.add_all(&(shown.lines)(lines), style);
        view.rows.insert(0, head.rows.swap_remove(0));
        view.cursor.0 += 1;
    }
    view
}

/// The lines of a text that are at most this many lines from a place, and not too far
/// from it. The beginning does not change with each key.
fn near(text: &str, place: usize, lines: usize) -> Range<usize> {
    let (before, behind) = text.as_bytes().split_at(place);
    let start = memchr::memrchr_iter(b'\n', before).nth(lines).map_or(0, |at| at + 1);
    let end = memchr::memchr_iter(b'\n', behind).nth(lines).map_or(text.len(), |at| place + at);
    let far = text.floor_char_boundary(place.saturating_sub(FAR) / FAR * FAR);
    start.max(far)..end.min(text.floor_char_boundary(place + FAR))
}

/// Rows that are being filled.
struct Rows {
    rows: Vec<Row>,
    /// The place in the text where each begins.
    starts: Vec<usize>,
    capacity: usize,
    /// How many columns of the last row are taken.
    used: usize,
    cursor: (usize, usize),
}

impl Rows {
    fn new(capacity: usize) -> Rows {
        Rows { rows: vec![Row::new()], starts: vec![0], capacity, used: 0, cursor: (0, 0) }
    }

    fn begin_text(&mut self, start: usize) {
        *self.starts.last_mut().expect("there is a row") = start;
    }

    fn next_row(&mut self, start: usize) {
        self.rows.push(Row::new());
        self.starts.push(start);
        self.used = 0;
    }

    fn row(&mut self) -> &mut Row {
        self.rows.last_mut().expect("there is a row")
    }

    fn add(&mut self, piece: Piece, start: usize) {
        let width = piece.most.min(self.capacity);
        if self.used + width > self.capacity {
            self.next_row(start);
        }
        self.used += width;
        self.row().push(piece);
    }

    fn add_all(&mut self, text: &str, style: Style) {
        for grapheme in text.graphemes(true) {
            self.add(Piece::new(grapheme, style), 0);
        }
    }

    /// Adds a text that begins at this place of the draft, and puts the cursor there.
    fn add_text(&mut self, text: &str, start: usize, cursor: usize) {
        let mut column = 0;
        for (at, grapheme) in text.grapheme_indices(true) {
            let here = start + at;
            if grapheme == "\n" {
                self.mark(here, cursor);
                self.next_row(here + 1);
                column = 0;
                continue;
            }
            let piece = match grapheme {
                "\t" => {
                    let blanks = (TAB - column % TAB).min(self.capacity);
                    let text = " ".repeat(blanks);
                    Piece { text, style: Style::Plain, most: blanks, least: blanks }
                }
                _ => Piece::new(grapheme, Style::Plain),
            };
            column += piece.most;
            self.add(piece, here);
            if here <= cursor && cursor < here + grapheme.len() {
                let row = self.rows.len() - 1;
                self.cursor = (row, self.rows[row].len() - 1);
            }
        }
        self.mark(start + text.len(), cursor);
    }

    /// Puts the cursor behind the last piece, if it is at this place.
    fn mark(&mut self, here: usize, cursor: usize) {
        if here == cursor {
            let row = self.rows.len() - 1;
            self.cursor = (row, self.rows[row].len());
        }
    }

    /// Adds as much of a hint as fits into the row.
    fn add_hint(&mut self, hint: &str) {
        for grapheme in hint.graphemes(true) {
            let piece = Piece::new(grapheme, Style::Dim);
            if self.used + piece.most > self.capacity {
                return;
            }
            self.used += piece.most;
            self.row().push(piece);
        }
    }

    fn view(mut self, range: Range<usize>) -> View {
        self.rows.truncate(range.end);
        self.rows.drain(..range.start);
        View { rows: self.rows, cursor: (self.cursor.0 - range.start, self.cursor.1) }
    }
}

/// Makes characters that a terminal would obey into one that it prints, or leaves them out.
pub fn harmless(text: &str) -> String {
    let shown = |c: char| match c.width() {
        _ if !sanitize::is_unsafe(c) => Some(c),
        Some(0) => None,
        _ => Some(char::REPLACEMENT_CHARACTER),
    };
    text.chars().filter_map(shown).collect()
}

/// How many columns a terminal takes for a character at most.
fn most_of(c: char) -> usize {
    match c {
        // Marks and selectors take none.
        '\u{300}'..='\u{36F}' | '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0E}' => 0,
        '\u{FE0F}' => 1, // It makes some characters an emoji, which is wide.
        ..'\u{2000}' => c.width().unwrap_or(0).max(1),
        // Punctuation, and what is narrow everywhere.
        '\u{2010}'..='\u{2027}' | '\u{FF61}'..='\u{FFDC}' => 1,
        _ => c.width().unwrap_or(0).max(2),
    }
}

/// How many columns a terminal takes, at least, for a character as people see it. This is
/// for terminals that are known.
fn least_of(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        ' '..='~' => 1,
        // Kana, Chinese and Korean are wide, unless they are half of it.
        '\u{3041}'..='\u{30FF}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => 2,
        // Emoji that all terminals know.
        '\u{1F300}'..='\u{1F64F}' => 1,
        _ => (first.is_alphabetic() && first.width() > Some(0)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(prompt: &'static str, text: &'static str, cursor: usize) -> Shown<'static> {
        let lines = &|count| format!("({count})");
        Shown { prompt, prompt_style: Style::Plain, text, cursor, hint: "", grey: true, lines }
    }

    /// The rows as text, with a bar at the cursor.
    fn text(view: &View) -> Vec<String> {
        let mut rows: Vec<Vec<&str>> = Vec::new();
        for row in &view.rows {
            rows.push(row.iter().map(|piece| piece.text.as_str()).collect());
        }
        rows[view.cursor.0].insert(view.cursor.1, "|");
        rows.iter().map(|row| row.concat()).collect()
    }

    #[track_caller]
    fn check(columns: usize, rows: usize, draft: &'static str, expected: &[&str]) {
        let shown = shown("ana> ", draft, draft.len());
        let view = lay_out(&shown, Size { columns, rows }, &mut None);
        assert_eq!(text(&view), expected, "{draft:?} on {columns} × {rows}");
    }

    #[test]
    fn draft_is_broken_where_it_does_not_fit() {
        check(12, 24, "", &["ana> |"]);
        check(12, 24, "oi", &["ana> oi|"]);
        check(12, 24, "123456", &["ana> 123456|"]);
        check(12, 24, "1234567", &["ana> 123456", "7|"]);
        check(12, 24, "日本語", &["ana> 日本語|"]);
        check(12, 24, "1日本語", &["ana> 1日本", "語|"]);
        check(12, 24, "a\nb\n", &["ana> a", "b", "|"]);
        check(20, 24, "\ta\n\tb", &["ana>     a", "    b|"]);
    }

    #[test]
    fn joined_characters_have_room_on_every_terminal() {
        check(16, 24, "👨‍👩‍👧👨‍👩‍👧", &["ana> 👨‍👩‍👧", "👨‍👩‍👧|"]);
        check(16, 24, "🇧🇷🇧🇷🇧🇷", &["ana> 🇧🇷🇧🇷", "🇧🇷|"]);
        check(12, 24, "\u{1FAE9}\u{1FAE9}\u{1FAE9}a", &["ana> \u{1FAE9}\u{1FAE9}\u{1FAE9}", "a|"]);
    }

    #[test]
    fn tall_draft_shows_its_end_and_how_many_lines_it_has() {
        check(12, 12, "1\n2\n3\n4", &["ana> 1", "2", "3", "4|"]);
        check(12, 12, "1\n2\n3\n4\n5", &["ana> (5)", "3", "4", "5|"]);
        check(6, 9, "123456789012345", &["ana> ", "67890", "12345|"]);
        check(12, 1, "1\n2\n3", &["3|"]);
        check(1, 1, "123", &["3|"]);
    }

    #[test]
    fn tall_draft_follows_the_cursor() {
        let draft = "1\n2\n3\n4\n5\n6\n7";
        let size = Size { columns: 12, rows: 12 };
        let mut top = None;
        for (cursor, expected) in [
            (13, ["ana> (7)", "5", "6", "7|"]),
            (8, ["ana> (7)", "|5", "6", "7"]),
            (4, ["ana> (7)", "|3", "4", "5"]),
            (6, ["ana> (7)", "3", "|4", "5"]),
            (10, ["ana> (7)", "5", "|6", "7"]),
        ] {
            let view = lay_out(&shown("ana> ", draft, cursor), size, &mut top);
            assert_eq!(text(&view), expected, "{cursor}");
        }
    }

    #[test]
    fn cursor_stands_on_the_character_that_it_is_before() {
        for (cursor, expected) in
            [(0, "ana> |a日\tb"), (1, "ana> a|日\tb"), (4, "ana> a日|\tb"), (5, "ana> a日\t|b")]
        {
            let view = lay_out(
                &shown("ana> ", "a日\tb", cursor),
                Size { columns: 40, rows: 9 },
                &mut None,
            );
            assert_eq!(text(&view), [expected.replace('\t', " ")]);
        }
        let view = lay_out(&shown("", "abcdef", 3), Size { columns: 4, rows: 9 }, &mut None);
        assert_eq!(text(&view), ["abc", "|def"]);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        check(40, 9, "a\u{202e}b\u{200b}c\u{1b}d", &["ana> abc\u{fffd}d|"]);
        check(40, 9, "\u{301}", &["ana> ◌\u{301}|"]);
    }

    #[test]
    fn hint_takes_what_is_left_of_the_row() {
        let shown = Shown { hint: "NICK TEXT", ..shown("> ", "/msg ", 5) };
        let view = lay_out(&shown, Size { columns: 13, rows: 9 }, &mut None);
        assert_eq!(text(&view), ["> /msg |NICK "]);
        assert_eq!(view.rows[0].last().map(|piece| piece.style), Some(Style::Dim));
    }

    #[test]
    fn endless_line_is_laid_out_near_the_cursor() {
        let text = "日本 ".repeat(4 * FAR / 7);
        for cursor in [0, text.len() / 7 / 2 * 7, text.len()] {
            let shown = Shown { text: &text, ..shown("ana> ", "", cursor) };
            let view = lay_out(&shown, Size { columns: 80, rows: 24 }, &mut None);
            assert_eq!(view.rows.len(), 8);
            let head: String = view.rows[0].iter().map(|piece| piece.text.as_str()).collect();
            assert!(head.starts_with("ana> ("), "{head}");
        }
    }

    #[test]
    fn small_screens_are_no_trouble() {
        for columns in 0..8 {
            for rows in 0..8 {
                for draft in ["", "oi", "日本語👨‍👩‍👧\t\n\nabc", "1\n2\n3\n4\n5\n6"]
                {
                    let size = Size { columns, rows };
                    let view = lay_out(&shown("ana> ", draft, draft.len()), size, &mut None);
                    assert!(view.rows.len() <= rows.max(2), "{size:?}: {view:?}");
                }
            }
        }
    }
}
