//! Keys -> a draft, and what they ask for. Pure.
//!
//! A [`Line`] is what a person edits: a prompt, a draft, a history and what TAB offers.
//! Keys go in and [deeds](Deed) come out; [`view`](Line::view) says what is to be seen.

use std::mem;

use crate::terminal::burst::{self, Burst};
use crate::terminal::completion::Words;
use crate::terminal::draft::{Case, Draft, Motion};
use crate::terminal::history::History;
use crate::terminal::keys::{Code, Input, Key};
use crate::terminal::layout::{Shown, Size, Style, Top, View, lay_out};
use crate::texts::Terminal as Texts;

/// How often a key can be repeated by a number before it.
const MAX_COUNT: usize = 999;

/// The text before the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Without escape sequences.
    pub text: String,
    /// The draft at the beginning.
    pub draft: String,
    /// One line is wanted, of which nothing is to be remembered or completed.
    pub question: bool,
    /// The answer is not shown, and nothing of it is kept.
    pub hidden: bool,
}

/// A deed that the user asks for with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A line was entered.
    Enter { text: String, pasted: bool },
    /// A question was answered. Nothing more is edited until there is another prompt.
    Answer { prompt: Prompt, text: String },
    /// Ctrl-C was pressed where there is nothing to clear.
    Interrupt,
    /// Ctrl-D was pressed on an empty line.
    End,
    /// Ctrl-Z was pressed.
    Suspend,
    /// Ctrl-Z was pressed where the program must go on.
    Stay,
    /// Ctrl-L was pressed.
    Clear,
    /// The window is looked at, or is not any more.
    Focus(bool),
    /// Bytes came that are no text, and are forgotten.
    Garbled,
}

/// The line that a person edits.
#[derive(Debug)]
pub struct Line {
    prompt: Option<Prompt>,
    draft: Draft,
    /// The draft that was being typed when a question came.
    waiting: Option<(String, bool)>,
    history: History,
    /// The words that TAB offers.
    pub words: Words,
    search: Option<Search>,
    /// The number that was typed with Alt, to repeat the next key.
    count: Option<usize>,
    /// The key before asks for one more.
    prefix: Option<Prefix>,
    top: Top,
    /// Prompts and hints may be bold or grey.
    colour: bool,
    /// The program must go on, because others depend on it.
    pub stays: bool,
    texts: &'static Texts,
}

/// A key that goes with the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    /// Ctrl-X: the next one is a command.
    Command,
    /// Ctrl-V: the next one is text.
    Text,
}

/// A search in the history.
#[derive(Debug, Default)]
struct Search {
    wanted: String,
    /// The line that was found last.
    found: Option<usize>,
    /// Nothing more was found.
    fails: bool,
}

impl Line {
    pub fn new(words: Words, colour: bool, texts: &'static Texts) -> Line {
        Line {
            prompt: None,
            draft: Draft::default(),
            waiting: None,
            history: History::default(),
            words,
            search: None,
            count: None,
            prefix: None,
            top: None,
            colour,
            stays: false,
            texts,
        }
    }

    /// Whether there is a prompt, so that keys mean something.
    pub fn is_open(&self) -> bool {
        self.prompt.is_some()
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.draft.text().is_empty()
    }

    /// Puts another prompt before the line. What is being typed stays, or waits until a
    /// question is answered.
    pub fn set_prompt(&mut self, prompt: Prompt) {
        if self.prompt.as_ref() == Some(&prompt) {
            return;
        }
        let asked = self.is_question();
        match (prompt.question, asked) {
            (true, false) if !self.is_empty() => self.waiting = Some(self.draft.take()),
            (false, true) => _ = self.draft.take(),
            _ => (),
        }
        if prompt.question {
            self.search = None;
            self.draft.take();
            self.draft.insert(&prompt.draft, false);
        } else if let Some((text, pasted)) = self.waiting.take() {
            self.draft.insert(&text, pasted);
        }
        self.prompt = Some(prompt);
    }

    fn is_hidden(&self) -> bool {
        self.prompt.as_ref().is_some_and(|prompt| prompt.hidden)
    }

    fn is_question(&self) -> bool {
        self.prompt.as_ref().is_some_and(|prompt| prompt.question)
    }

    /// Takes what one read has brought, as far as there is a prompt. Returns what is to
    /// be done, and how many inputs were taken.
    pub fn take(&mut self, inputs: &[Input], burst: Burst) -> (Vec<Deed>, usize) {
        let mut deeds = Vec::new();
        let is_paste = burst.is_paste(inputs);
        for (at, input) in inputs.iter().enumerate() {
            if !self.is_open() {
                return (deeds, at);
            }
            // A tab in front of text, on an empty line, indents.
            let leads = self.is_empty() && inputs.get(at + 1).is_some_and(is_character);
            deeds.extend(self.input(input, is_paste, is_paste || leads));
        }
        (deeds, inputs.len())
    }

    fn input(&mut self, input: &Input, pasted: bool, literal: bool) -> Option<Deed> {
        match input {
            Input::Key(key) if pasted => self.key(burst::literal(*key), true, true),
            Input::Key(key) => self.key(*key, false, literal),
            Input::Paste(text) => {
                self.leave_search();
                self.draft.insert(text, true);
                None
            }
            Input::Focus(looked_at) => Some(Deed::Focus(*looked_at)),
            Input::Garbled => Some(Deed::Garbled),
        }
    }

    fn key(&mut self, key: Key, pasted: bool, literal: bool) -> Option<Deed> {
        if self.search.is_some() && self.search_key(key) {
            return None;
        }
        if let Key { code: Code::Char(digit @ '0'..='9'), alt: true, ctrl: false, .. } = key {
            let digit = digit.to_digit(10).expect("it is a digit") as usize;
            self.count = Some((self.count.unwrap_or(0) * 10 + digit).min(MAX_COUNT));
            return None;
        }
        match (self.prefix.take(), key.code, key.ctrl) {
            (Some(Prefix::Command), Code::Char('u'), true) if !self.is_hidden() => {
                self.draft.undo();
                return None;
            }
            (Some(Prefix::Command), Code::Backspace, _) if !self.is_hidden() => {
                self.draft.kill(Motion::Home);
                return None;
            }
            (Some(Prefix::Text), Code::Tab, false) => {
                self.draft.insert("\t", false);
                return None;
            }
            _ => (),
        }
        let count = self.count.take().unwrap_or(1);
        match (key.code, key.ctrl, key.alt) {
            (Code::Char('x'), true, false) => self.prefix = Some(Prefix::Command),
            (Code::Char('v'), true, false) => self.prefix = Some(Prefix::Text),
            (Code::Enter | Code::Newline | Code::LineFeed, false, false) => {
                return self.enter(pasted);
            }
            (Code::Char('j' | 'm'), true, false) => return self.enter(pasted),
            (Code::Tab, false, false) if literal => self.draft.insert("\t", pasted),
            (Code::Tab, false, false) => self.complete(key.shift),
            (Code::Char(c), false, false) => {
                self.draft.insert(&c.to_string().repeat(count), pasted);
            }
            (Code::Char('c' | '\\'), true, false) => return self.interrupt(),
            (Code::Char('d'), true, false) if self.is_empty() => return Some(Deed::End),
            (Code::Char('z'), true, false) if self.stays => return Some(Deed::Stay),
            (Code::Char('z'), true, false) => return Some(Deed::Suspend),
            (Code::Char('l'), true, false) => return Some(Deed::Clear),
            (Code::Char('r'), true, false) if !self.is_question() => {
                self.search = Some(Search::default());
            }
            (Code::Up, false, false) | (Code::Char('p'), true, false) => self.recall(true),
            (Code::Down, false, false) | (Code::Char('n'), true, false) => self.recall(false),
            (Code::PageUp, ..) | (Code::Char('<'), false, true) => self.recall_end(true),
            (Code::PageDown, ..) | (Code::Char('>'), false, true) => self.recall_end(false),
            _ => (0..count).for_each(|_| self.edit(key)),
        }
        None
    }

    /// A key that edits the draft.
    fn edit(&mut self, key: Key) {
        if self.is_hidden() {
            return self.edit_hidden(key);
        }
        let draft = &mut self.draft;
        match (key.code, key.ctrl, key.alt) {
            (Code::Left, false, false) | (Code::Char('b'), true, false) => {
                _ = draft.go(Motion::Left)
            }
            (Code::Right, false, false) | (Code::Char('f'), true, false) => self.forward(),
            (Code::Left, ..) | (Code::Char('b'), false, true) => _ = draft.go(Motion::WordLeft),
            (Code::Right, ..) | (Code::Char('f'), false, true) => _ = draft.go(Motion::WordRight),
            (Code::Home, false, false) | (Code::Char('a'), true, false) => {
                _ = draft.go(Motion::Home)
            }
            (Code::End, false, false) | (Code::Char('e'), true, false) => self.finish(),
            (Code::Home, ..) => _ = draft.go(Motion::Start),
            (Code::End, ..) => _ = draft.go(Motion::Finish),
            (Code::Backspace, false, false) | (Code::Char('h'), true, false) => {
                draft.delete(Motion::Left)
            }
            (Code::Delete, false, false) | (Code::Char('d'), true, false) => {
                draft.delete(Motion::Right)
            }
            (Code::Backspace, ..) => draft.kill(Motion::WordLeft),
            (Code::Delete, ..) | (Code::Char('d'), false, true) => draft.kill(Motion::WordRight),
            (Code::Char('w'), true, false) => draft.kill(Motion::BigWordLeft),
            (Code::Char('k'), true, false) => draft.kill(Motion::End),
            (Code::Char('u'), true, false) => draft.kill(Motion::Start),
            (Code::Char('y'), true, false) => draft.yank(),
            (Code::Char('y'), false, true) => draft.yank_older(),
            (Code::Char('t'), true, false) => draft.transpose(),
            (Code::Char('t'), false, true) => draft.transpose_words(),
            (Code::Char('u'), false, true) => draft.change_case(Case::Upper),
            (Code::Char('l'), false, true) => draft.change_case(Case::Lower),
            (Code::Char('c'), false, true) => draft.change_case(Case::Capital),
            (Code::Char('_' | '/'), true, false) => draft.undo(),
            _ => draft.pause(),
        }
    }

    /// The same where the draft is hidden: the last character or all of it is deleted, and
    /// nothing of it can be yanked later.
    fn edit_hidden(&mut self, key: Key) {
        match (key.code, key.ctrl, key.alt) {
            (Code::Backspace, false, false) | (Code::Char('h'), true, false) => {
                self.draft.delete(Motion::Left)
            }
            (Code::Backspace, ..) | (Code::Char('u' | 'w'), true, false) => _ = self.draft.take(),
            _ => (),
        }
    }

    /// Goes on by one character, or into what is offered in grey.
    fn forward(&mut self) {
        if !self.draft.go(Motion::Right) {
            self.accept();
        }
    }

    fn finish(&mut self) {
        if !self.draft.go(Motion::End) {
            self.accept();
        }
    }

    /// Takes over what is offered in grey.
    fn accept(&mut self) {
        if let Some(hint) = self.hint().filter(|hint| hint.word > 0) {
            self.draft.insert(&hint.shown[..hint.word], false);
        }
    }

    fn enter(&mut self, pasted: bool) -> Option<Deed> {
        self.leave_search();
        let question = self.is_question();
        let (text, begins_pasted) = self.draft.take();
        if question {
            let prompt = self.prompt.take().unwrap_or_default();
            return Some(Deed::Answer { prompt, text });
        }
        let pasted = pasted || begins_pasted;
        if text.trim().is_empty() && !pasted {
            return None;
        }
        if !text.trim().is_empty() {
            self.history.push((text.clone(), pasted));
        }
        Some(Deed::Enter { text, pasted })
    }

    fn interrupt(&mut self) -> Option<Deed> {
        if self.is_empty() {
            return Some(Deed::Interrupt);
        }
        // The draft that waits behind the history goes on waiting.
        self.draft.set("", false);
        None
    }

    fn complete(&mut self, back: bool) {
        if self.is_question() {
            return;
        }
        let (text, cursor) = (self.draft.text(), self.draft.cursor());
        if let Some((start, text)) = self.words.complete(text, cursor, back) {
            self.draft.complete(start, &text);
        }
    }

    /// An arrow up or down.
    fn recall(&mut self, older: bool) {
        if self.is_question() || self.draft.go_line(older) {
            return;
        }
        let current = self.current();
        let line = match older {
            true => self.history.older(current),
            false => self.history.newer(current),
        };
        if let Some((text, pasted)) = line {
            self.draft.set(&text, pasted);
        }
    }

    /// Goes to the oldest line, or back to the one that is being typed.
    fn recall_end(&mut self, oldest: bool) {
        if self.is_question() {
            return;
        }
        let current = self.current();
        let line = match oldest {
            true => self.history.oldest(current),
            false => self.history.newest(current),
        };
        if let Some((text, pasted)) = line {
            self.draft.set(&text, pasted);
        }
    }

    fn current(&self) -> (String, bool) {
        (self.draft.text().into(), self.draft.is_pasted())
    }

    /// A key while the history is searched. Whether it was for the search.
    fn search_key(&mut self, key: Key) -> bool {
        let Some(search) = &mut self.search else { return false };
        match (key.code, key.ctrl, key.alt) {
            (Code::Char('r'), true, false) => {
                let before = search.found.unwrap_or(self.history.len());
                let found = self.history.find(&search.wanted, before);
                search.fails = found.is_none();
                search.found = found.or(search.found);
            }
            (Code::Char('s'), true, false) => {
                let behind = search.found.unwrap_or(self.history.len());
                let found = self.history.find_younger(&search.wanted, behind);
                search.fails = found.is_none();
                search.found = found.or(search.found);
            }
            (Code::Char('c' | 'g'), true, false) | (Code::Escape, ..) => self.search = None,
            (Code::Backspace, ..) | (Code::Char('h'), true, false) => {
                search.wanted.pop();
                self.search_anew();
            }
            (Code::Char(c), false, false) => {
                search.wanted.push(c);
                self.search_anew();
            }
            _ => {
                self.leave_search();
                return false;
            }
        }
        true
    }

    /// Looks for what is wanted, from the youngest line on.
    fn search_anew(&mut self) {
        if let Some(search) = &mut self.search {
            search.found = None;
            if !search.wanted.is_empty() {
                search.found = self.history.find(&search.wanted, self.history.len());
            }
            search.fails = search.found.is_none() && !search.wanted.is_empty();
        }
    }

    /// Ends a search with what it has found.
    fn leave_search(&mut self) {
        let Some(Search { found: Some(at), .. }) = self.search.take() else { return };
        let current = self.current();
        if let Some((text, pasted)) = self.history.get(at).cloned() {
            self.history.jump(at, current);
            self.draft.set(&text, pasted);
        }
    }

    fn hint(&self) -> Option<crate::terminal::completion::Hint> {
        // Without grey, a hint looks like something that was typed.
        let wanted = self.colour
            && !self.is_question()
            && !self.draft.is_pasted()
            && self.draft.cursor() == self.draft.text().len();
        if wanted { self.words.hint(self.draft.text()) } else { None }
    }

    /// The rows to be seen; none without a prompt.
    pub fn view(&mut self, size: Size) -> View {
        let Some(prompt) = &self.prompt else { return View::default() };
        let lines = |count| (self.texts.lines)(count);
        let (bold, style) = (self.colour && !prompt.question, Style::Plain);
        let prompt_style = if bold { Style::Bold } else { style };
        let hint = self.hint().map(|hint| hint.shown).unwrap_or_default();
        let mut shown = Shown {
            prompt: &prompt.text,
            prompt_style,
            text: if prompt.hidden { "" } else { self.draft.text() },
            cursor: if prompt.hidden { 0 } else { self.draft.cursor() },
            hint: &hint,
            grey: self.colour,
            lines: &lines,
        };
        let mut top = mem::take(&mut self.top);
        let view = if let Some(search) = &self.search {
            let found = search.found.and_then(|at| self.history.get(at));
            let text = found.map_or("", |(text, _)| text);
            let asked = (self.texts.search)(&search.wanted, search.fails);
            let cursor = text.find(&search.wanted).unwrap_or(text.len());
            lay_out(&Shown { prompt: &asked, text, cursor, hint: "", ..shown }, size, &mut top)
        } else if let Some(count) = self.count {
            let counted = format!("(arg: {count}) ");
            shown.prompt = &counted;
            lay_out(&shown, size, &mut top)
        } else {
            lay_out(&shown, size, &mut top)
        };
        self.top = top;
        view
    }
}

fn is_character(input: &Input) -> bool {
    matches!(input, Input::Key(Key { code: Code::Char(_), ctrl: false, alt: false, .. }))
}

#[cfg(test)]
mod tests;
