//! The lines that were entered, and the one that was not yet. Pure.

use std::collections::{BTreeMap, VecDeque};

/// How many lines can be called back.
const MAX_LINES: usize = 500;
/// How many bytes they may have together.
const MAX_BYTES: usize = 1 << 20;

/// A line, and whether it was pasted.
pub type Line = (String, bool);

/// The lines that were entered, and where among them the editor is.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The line that is in the editor; none for the one that is being typed.
    at: Option<usize>,
    /// The line that was being typed before one of them was called back.
    draft: Option<Line>,
    /// The lines that were changed and not entered.
    changed: BTreeMap<usize, Line>,
}

impl History {
    /// Remembers a line that was entered. A draft that waits goes on waiting.
    pub fn push(&mut self, line: Line) {
        self.at = None;
        self.changed.clear();
        if self.lines.back() == Some(&line) {
            return;
        }
        self.bytes += line.0.len();
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES && self.lines.len() > 1 {
            let oldest = self.lines.pop_front().expect("there is more than one");
            self.bytes -= oldest.0.len();
        }
    }

    /// The line before the one that is in the editor, if there is one.
    pub fn older(&mut self, current: Line) -> Option<Line> {
        let at = match self.at {
            None => self.lines.len().checked_sub(1)?,
            Some(at) => at.checked_sub(1)?,
        };
        self.leave(current);
        self.at = Some(at);
        Some(self.line(at))
    }

    /// The line after it. Behind the last one is the one that was being typed.
    pub fn newer(&mut self, current: Line) -> Option<Line> {
        let Some(at) = self.at else {
            // A draft may wait here since another line was entered.
            return self.draft.take().filter(|_| current.0.is_empty());
        };
        self.leave(current);
        self.at = (at + 1 < self.lines.len()).then_some(at + 1);
        match self.at {
            Some(at) => Some(self.line(at)),
            None => Some(self.draft.take().unwrap_or_default()),
        }
    }

    /// The oldest line, if another one is in the editor.
    pub fn oldest(&mut self, current: Line) -> Option<Line> {
        if self.at == Some(0) || self.lines.is_empty() {
            return None;
        }
        self.leave(current);
        self.at = Some(0);
        Some(self.line(0))
    }

    /// The line that was being typed, if one of the history is in the editor.
    pub fn newest(&mut self, current: Line) -> Option<Line> {
        if self.at.is_some() {
            self.leave(current.clone());
            self.at = Some(self.lines.len() - 1);
            return self.newer(self.line(self.lines.len() - 1));
        }
        self.newer(current)
    }

    /// The youngest line that contains a text, older than another one: its number.
    pub fn find(&self, text: &str, before: usize) -> Option<usize> {
        let lines = self.lines.iter().take(before).enumerate();
        lines.rev().find(|(_, (line, _))| line.contains(text)).map(|(at, _)| at)
    }

    /// The oldest line that contains a text and is younger than another one.
    pub fn find_younger(&self, text: &str, behind: usize) -> Option<usize> {
        let mut lines = self.lines.iter().enumerate().skip(behind + 1);
        lines.find(|(_, (line, _))| line.contains(text)).map(|(at, _)| at)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line by its number.
    pub fn get(&self, at: usize) -> Option<&Line> {
        self.lines.get(at)
    }

    /// Goes to a line that was found; what is in the editor is kept.
    pub fn jump(&mut self, at: usize, current: Line) {
        self.leave(current);
        self.at = Some(at);
    }

    /// Keeps what is in the editor.
    fn leave(&mut self, current: Line) {
        match self.at {
            // A draft that waits is worth more than an empty line.
            None if current.0.is_empty() => (),
            None => self.draft = Some(current),
            Some(at) if self.lines[at] == current => _ = self.changed.remove(&at),
            Some(at) => _ = self.changed.insert(at, current),
        }
    }

    fn line(&self, at: usize) -> Line {
        self.changed.get(&at).unwrap_or(&self.lines[at]).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        (text.into(), false)
    }

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        lines.iter().for_each(|text| history.push(line(text)));
        history
    }

    /// Presses arrows; `^` is up, `<` the way to the oldest line. Each finds this line in the editor and leaves the other.
    #[track_caller]
    fn check(history: &mut History, draft: &str, steps: &[(char, &str)]) {
        let mut current = line(draft);
        for &(arrow, expected) in steps {
            let next = match arrow {
                '^' => history.older(current.clone()),
                '<' => history.oldest(current.clone()),
                '>' => history.newest(current.clone()),
                _ => history.newer(current.clone()),
            };
            current = next.unwrap_or(current);
            assert_eq!(current.0, expected, "{steps:?}");
        }
    }

    #[test]
    fn draft_waits_behind_the_history() {
        check(&mut history(&[]), "draft", &[('^', "draft"), ('v', "draft")]);
        let steps = [('^', "two"), ('^', "one"), ('^', "one"), ('v', "two"), ('v', "draft")];
        check(&mut history(&["one", "two", "two"]), "draft", &steps);
        let steps = [('<', "one"), ('<', "one"), ('v', "two"), ('>', "draft"), ('>', "draft")];
        check(&mut history(&["one", "two", "two"]), "draft", &steps);
        check(&mut history(&[]), "draft", &[('<', "draft"), ('>', "draft")]);
    }

    #[test]
    fn draft_outlives_a_change_of_a_recalled_line() {
        for changed in ["two!", ""] {
            let mut history = history(&["one", "two"]);
            check(&mut history, "draft", &[('^', "two")]);
            check(&mut history, changed, &[('^', "one"), ('v', changed), ('v', "draft")]);
        }
    }

    #[test]
    fn draft_outlives_another_line_that_is_entered() {
        let mut history = history(&["one", "two"]);
        check(&mut history, "draft", &[('^', "two")]);
        history.push(line("two!"));
        check(&mut history, "", &[('^', "two!"), ('v', "draft")]);
        history.push(line("draft"));
        check(&mut history, "", &[('v', ""), ('^', "draft"), ('v', "")]);
    }

    #[test]
    fn lines_are_found_by_what_they_contain() {
        let history = history(&["one", "two", "three"]);
        assert_eq!(history.find("o", history.len()), Some(1));
        assert_eq!(history.find("o", 1), Some(0));
        assert_eq!(history.find("x", 3), None);
        assert_eq!(history.find_younger("t", 1), Some(2));
    }

    #[test]
    fn history_is_bounded() {
        let mut many = History::default();
        for number in 0..=MAX_LINES {
            many.push(line(&number.to_string()));
        }
        assert_eq!((many.len(), many.get(0)), (MAX_LINES, Some(&line("1"))));
        let mut long = history(&["x", &"y".repeat(MAX_BYTES)]);
        assert_eq!(long.len(), 1);
        long.push(line("z"));
        assert_eq!((long.len(), long.bytes), (1, 1));
    }
}
