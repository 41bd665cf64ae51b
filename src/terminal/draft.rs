//! The text that is being typed, and all that keys do to it. Pure.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// How many changes can be undone.
const MAX_UNDO: usize = 200;
/// How many bytes the texts to which one can go back may have together.
const MAX_UNDO_BYTES: usize = 1 << 20;
/// How many deleted texts can be put back.
const MAX_KILLED: usize = 16;

/// A text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    text: String,
    /// Where the next character goes to, in bytes.
    cursor: usize,
    /// The first character was pasted.
    pasted: bool,
}

/// The text that is being typed, what it was before, and what was cut out of it.
#[derive(Debug, Default)]
pub struct Draft {
    now: Text,
    undo: VecDeque<Text>,
    /// The texts that were cut out, the last one at the end.
    killed: VecDeque<Text>,
    last: Change,
    /// Where the text begins that was put back last, and how many are younger.
    yanked: Option<(usize, usize)>,
}

/// The effect of the last key: some keys go on where the last one stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Change {
    #[default]
    None,
    Typed,
    Killed,
    Yanked,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// By one character, as people see it.
    Left,
    Right,
    /// By one word of letters and digits.
    WordLeft,
    WordRight,
    /// By one word between blanks.
    BigWordLeft,
    /// To the beginning or the end of the line.
    Home,
    End,
    /// To the beginning or the end of everything.
    Start,
    Finish,
}

/// The letters that a word gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    Capital,
}

impl Draft {
    pub fn text(&self) -> &str {
        &self.now.text
    }

    pub fn cursor(&self) -> usize {
        self.now.cursor
    }

    /// Whether the first character was pasted, so that the text is no command.
    pub fn is_pasted(&self) -> bool {
        self.now.pasted
    }

    /// Puts another text in the place of this one, the cursor behind it.
    pub fn set(&mut self, text: &str, pasted: bool) {
        if self.now.text != text {
            self.remember();
            self.now = Text { cursor: text.len(), text: text.into(), pasted };
        }
        self.last = Change::None;
    }

    /// Empties it, and forgets what it was; the text.
    pub fn take(&mut self) -> (String, bool) {
        self.undo.clear();
        self.last = Change::None;
        self.yanked = None;
        let Text { text, pasted, .. } = mem::take(&mut self.now);
        (text, pasted)
    }

    /// Inserts a text at the cursor.
    pub fn insert(&mut self, text: &str, pasted: bool) {
        if text.is_empty() {
            return;
        }
        // A word that is typed is undone as one.
        if self.last != Change::Typed || pasted || text.starts_with(char::is_whitespace) {
            self.remember();
        }
        self.last = if pasted { Change::None } else { Change::Typed };
        let cursor = self.now.cursor;
        if cursor == 0 {
            self.now.pasted = pasted;
        }
        self.now.text.insert_str(cursor, text);
        self.now.cursor += text.len();
    }

    /// Puts a text in the place of what stands between a place and the cursor.
    pub fn complete(&mut self, start: usize, text: &str) {
        self.remember();
        self.now.text.replace_range(start..self.now.cursor, text);
        self.now.cursor = start + text.len();
        self.now.pasted &= start > 0;
        self.last = Change::None;
    }

    /// Moves the cursor. Whether it could move.
    pub fn go(&mut self, motion: Motion) -> bool {
        self.last = Change::None;
        let to = self.now.target(motion);
        mem::replace(&mut self.now.cursor, to) != to
    }

    /// Moves the cursor to the line above or below. Whether there is one.
    pub fn go_line(&mut self, up: bool) -> bool {
        self.last = Change::None;
        let now = &mut self.now;
        let start = now.target(Motion::Home);
        let column = now.text[start..now.cursor].graphemes(true).count();
        let line = if up {
            let Some(end) = start.checked_sub(1) else { return false };
            now.text[..end].rfind('\n').map_or(0, |end| end + 1)..end
        } else {
            let end = now.target(Motion::End);
            if end == now.text.len() {
                return false;
            }
            let rest = &now.text[end + 1..];
            end + 1..end + 1 + rest.find('\n').unwrap_or(rest.len())
        };
        let graphemes = now.text[line.clone()].graphemes(true);
        now.cursor = line.start + graphemes.take(column).map(str::len).sum::<usize>();
        true
    }

    /// Deletes what is between the cursor and a place.
    pub fn delete(&mut self, motion: Motion) {
        if let Some(range) = self.range(motion) {
            self.remember();
            self.remove(range);
        }
        self.last = Change::None;
    }

    /// Cuts out what is between the cursor and a place, so that it can be put back.
    pub fn kill(&mut self, motion: Motion) {
        // At the end of a line, Ctrl-K takes the line feed.
        let motion = match motion {
            Motion::End if self.now.text[self.now.cursor..].starts_with('\n') => Motion::Right,
            motion => motion,
        };
        let Some(range) = self.range(motion) else {
            return self.last = Change::None;
        };
        self.remember();
        let forwards = range.start == self.now.cursor;
        let pasted = self.now.pasted && range.start == 0;
        let text = self.now.text[range.clone()].to_string();
        match self.killed.back_mut() {
            Some(last) if self.last == Change::Killed && forwards => last.text += &text,
            Some(last) if self.last == Change::Killed => {
                last.text.insert_str(0, &text);
                last.pasted = pasted;
            }
            _ => self.killed.push_back(Text { text, cursor: 0, pasted }),
        }
        if self.killed.len() > MAX_KILLED {
            self.killed.pop_front();
        }
        self.remove(range);
        self.last = Change::Killed;
    }

    /// Puts back what was cut out last.
    pub fn yank(&mut self) {
        let Some(killed) = self.killed.back().cloned() else { return };
        let start = self.now.cursor;
        self.last = Change::None;
        self.insert_all(&killed);
        self.yanked = Some((start, 0));
        self.last = Change::Yanked;
    }

    /// Puts what was cut out before in the place of what was just put back.
    pub fn yank_older(&mut self) {
        let (Change::Yanked, Some((start, age))) = (self.last, self.yanked) else { return };
        let age = (age + 1) % self.killed.len();
        let killed = self.killed[self.killed.len() - 1 - age].clone();
        self.remove(start..self.now.cursor);
        self.last = Change::Typed; // It is undone as one.
        self.insert_all(&killed);
        self.yanked = Some((start, age));
        self.last = Change::Yanked;
    }

    fn insert_all(&mut self, killed: &Text) {
        if self.last != Change::Typed {
            self.remember();
        }
        if self.now.cursor == 0 {
            self.now.pasted = killed.pasted;
        }
        self.now.text.insert_str(self.now.cursor, &killed.text);
        self.now.cursor += killed.text.len();
    }

    /// Exchanges the two characters before the cursor, or around it.
    pub fn transpose(&mut self) {
        self.last = Change::None;
        let now = &self.now;
        let end = if now.cursor == now.text.len() { now.cursor } else { now.right(now.cursor) };
        let middle = now.left(end);
        let start = now.left(middle);
        if start == middle || now.text[start..end].contains('\n') {
            return;
        }
        let turned = format!("{}{}", &now.text[middle..end], &now.text[start..middle]);
        self.remember();
        self.now.text.replace_range(start..end, &turned);
        self.now.cursor = end;
    }

    /// Exchanges the word before the cursor and the one behind it, or the last two.
    pub fn transpose_words(&mut self) {
        self.last = Change::None;
        let text = &self.now.text;
        let at = |cursor, motion| Text { cursor, ..self.now.clone() }.target(motion);
        let second = at(at(self.now.cursor, Motion::WordRight), Motion::WordLeft);
        let end = at(second, Motion::WordRight);
        let first = at(second, Motion::WordLeft);
        let first_end = at(first, Motion::WordRight);
        let is_word = |range: Range<usize>| text[range].chars().all(char::is_alphanumeric);
        if first_end > second || !is_word(second..end) || !is_word(first..first_end) {
            return;
        }
        let (one, between) = (&text[first..first_end], &text[first_end..second]);
        let turned = format!("{}{between}{one}", &text[second..end]);
        self.remember();
        self.now.text.replace_range(first..end, &turned);
        self.now.cursor = end;
    }

    /// Changes the letters of the next word, and goes behind it.
    pub fn change_case(&mut self, case: Case) {
        self.last = Change::None;
        let (start, end) = (self.now.cursor, self.now.target(Motion::WordRight));
        let word = &self.now.text[start..end];
        let changed = match case {
            Case::Upper => word.to_uppercase(),
            Case::Lower => word.to_lowercase(),
            Case::Capital => {
                let first = word.find(char::is_alphanumeric).unwrap_or(0);
                let (blank, word) = word.split_at(first);
                let mut chars = word.chars();
                let first = chars.next().map(|first| first.to_uppercase().to_string());
                format!("{blank}{}{}", first.unwrap_or_default(), chars.as_str().to_lowercase())
            }
        };
        if changed != word {
            self.remember();
            self.now.text.replace_range(start..end, &changed);
        }
        self.now.cursor = start + changed.len();
    }

    /// Goes back to what the text was before the last change.
    pub fn undo(&mut self) {
        if let Some(before) = self.undo.pop_back() {
            self.now = before;
        }
        self.last = Change::None;
    }

    /// Another key was pressed, which changes nothing.
    pub fn pause(&mut self) {
        self.last = Change::None;
    }

    fn remember(&mut self) {
        self.undo.push_back(self.now.clone());
        let mut bytes: usize = self.undo.iter().map(|text| text.text.len()).sum();
        while self.undo.len() > MAX_UNDO || bytes > MAX_UNDO_BYTES && self.undo.len() > 1 {
            let oldest = self.undo.pop_front().expect("there is more than one");
            bytes -= oldest.text.len();
        }
    }

    fn range(&self, motion: Motion) -> Option<Range<usize>> {
        let (cursor, to) = (self.now.cursor, self.now.target(motion));
        (cursor != to).then(|| cursor.min(to)..cursor.max(to))
    }

    fn remove(&mut self, range: Range<usize>) {
        self.now.text.replace_range(range.clone(), "");
        self.now.cursor = range.start;
        self.now.pasted &= !self.now.text.is_empty();
    }
}

impl Text {
    fn left(&self, from: usize) -> usize {
        let mut cursor = GraphemeCursor::new(from, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn right(&self, from: usize) -> usize {
        let mut cursor = GraphemeCursor::new(from, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn target(&self, motion: Motion) -> usize {
        let (before, behind) = self.text.split_at(self.cursor);
        let is_word = |c: char| c.is_alphanumeric();
        // The length of what is left when blanks, and then a word, are taken off.
        let word_left = |is_part: &dyn Fn(char) -> bool| {
            let trimmed = before.trim_end_matches(|c| !is_part(c));
            trimmed.trim_end_matches(is_part).len()
        };
        match motion {
            Motion::Left => self.left(self.cursor),
            Motion::Right => self.right(self.cursor),
            Motion::WordLeft => word_left(&is_word),
            Motion::BigWordLeft => word_left(&|c: char| !c.is_whitespace()),
            Motion::WordRight => {
                let rest = behind.trim_start_matches(|c| !is_word(c)).trim_start_matches(is_word);
                self.text.len() - rest.len()
            }
            Motion::Home => before.rfind('\n').map_or(0, |end| end + 1),
            Motion::End => self.cursor + behind.find('\n').unwrap_or(behind.len()),
            Motion::Start => 0,
            Motion::Finish => self.text.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        let mut draft = Draft::default();
        draft.insert(text, false);
        draft
    }

    /// The text with the cursor as a bar.
    fn shown(draft: &Draft) -> String {
        let (before, behind) = draft.text().split_at(draft.cursor());
        format!("{before}|{behind}")
    }

    #[test]
    fn cursor_moves_by_characters_words_and_lines() {
        let mut draft = draft("olá joão-pedro\n👨‍👩‍👧 fim");
        for (motion, expected) in [
            (Motion::WordLeft, "olá joão-pedro\n👨‍👩‍👧 |fim"),
            (Motion::Left, "olá joão-pedro\n👨‍👩‍👧| fim"),
            (Motion::Left, "olá joão-pedro\n|👨‍👩‍👧 fim"),
            (Motion::WordLeft, "olá joão-|pedro\n👨‍👩‍👧 fim"),
            (Motion::BigWordLeft, "olá |joão-pedro\n👨‍👩‍👧 fim"),
            (Motion::WordRight, "olá joão|-pedro\n👨‍👩‍👧 fim"),
            (Motion::End, "olá joão-pedro|\n👨‍👩‍👧 fim"),
            (Motion::Home, "|olá joão-pedro\n👨‍👩‍👧 fim"),
            (Motion::Finish, "olá joão-pedro\n👨‍👩‍👧 fim|"),
            (Motion::Start, "|olá joão-pedro\n👨‍👩‍👧 fim"),
        ] {
            draft.go(motion);
            assert_eq!(shown(&draft), expected, "{motion:?}");
        }
        assert!(!draft.go_line(true));
        draft.go(Motion::Right);
        assert!(draft.go_line(false) && !draft.go_line(false));
        assert_eq!(shown(&draft), "olá joão-pedro\n👨‍👩‍👧| fim");
    }

    #[test]
    fn backspace_takes_one_character_as_people_see_it() {
        for (text, rest) in [("olá", "ol"), ("👍🏽", ""), ("joa\u{303}", "jo"), ("🇧🇷🇵🇹", "🇧🇷")]
        {
            let mut draft = draft(text);
            draft.delete(Motion::Left);
            assert_eq!(draft.text(), rest);
        }
    }

    #[test]
    fn cut_texts_join_and_come_back() {
        let mut draft = draft("one two three");
        draft.kill(Motion::BigWordLeft);
        draft.kill(Motion::BigWordLeft);
        draft.go(Motion::Start);
        draft.yank();
        assert_eq!(shown(&draft), "two three|one ");
        draft.kill(Motion::End);
        draft.yank();
        draft.yank_older();
        assert_eq!(shown(&draft), "two threetwo three|");
        draft.yank_older();
        assert_eq!(shown(&draft), "two threeone |");
    }

    #[test]
    fn changes_are_undone_one_by_one() {
        let mut draft = Draft::default();
        for c in ["o", "i", " ", "v"] {
            draft.insert(c, false);
        }
        draft.delete(Motion::Left);
        draft.kill(Motion::Start);
        for expected in ["oi ", "oi v", "oi", "", ""] {
            draft.undo();
            assert_eq!(draft.text(), expected);
        }
    }

    #[test]
    fn letters_are_transposed_and_change_their_case() {
        let mut draft = draft("abd");
        draft.go(Motion::Left);
        draft.transpose();
        assert_eq!(shown(&draft), "adb|");
        for (text, expected) in [
            ("olá mundo, novo!", "olá novo, mundo|!"),
            ("olá mundo", "mundo olá|"),
            ("olá mundo.", "mundo olá|."),
            ("olá", "olá|"),
            ("! olá", "! olá|"),
        ] {
            draft.set(text, false);
            if text.ends_with('!') {
                draft.go(Motion::WordLeft);
            }
            draft.transpose_words();
            assert_eq!(shown(&draft), expected, "{text:?}");
        }
        draft.set("olá mundo novo", false);
        draft.go(Motion::Start);
        for case in [Case::Upper, Case::Capital, Case::Lower] {
            draft.change_case(case);
        }
        assert_eq!(shown(&draft), "OLÁ Mundo novo|");
    }

    #[test]
    fn text_is_pasted_where_its_beginning_is() {
        let mut draft = Draft::default();
        draft.insert("// TODO", true);
        draft.insert("!", false);
        assert!(draft.is_pasted());
        draft.kill(Motion::Start);
        assert!(!draft.is_pasted());
        draft.yank();
        assert!(draft.is_pasted());
        draft.go(Motion::Start);
        draft.insert("/me ", false);
        assert!(!draft.is_pasted());
        draft.undo();
        assert!(draft.is_pasted());
    }

    #[test]
    fn undo_needs_little_memory() {
        let mut draft = Draft::default();
        let text = "x".repeat(MAX_UNDO_BYTES / 2);
        for _ in 0..10 {
            draft.insert(&text, true);
        }
        assert!(draft.undo.len() <= 2, "{}", draft.undo.len());
    }
}
