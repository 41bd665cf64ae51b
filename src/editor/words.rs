//! What TAB and the arrows put into the line. Pure.

use std::collections::VecDeque;

use crate::wire::Nick;

/// How many lines can be called back.
const MAX_HISTORY: usize = 500;

/// A command that begins with a slash.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The word, with the slash.
    pub word: &'static str,
    /// What comes behind it, in the reader's language.
    pub arguments: &'static str,
    /// What the first of that is.
    pub first: Argument,
}

/// What TAB offers behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing but who is here.
    Text,
    /// Who is here, without being asked for a letter.
    Nick,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What can be completed, and how far that has got.
#[derive(Debug)]
pub struct Words {
    commands: Vec<Command>,
    /// Who is here, whoever spoke last first.
    pub nicks: Vec<String>,
    /// A line may address somebody by beginning with their nick.
    addresses: bool,
    cycle: Option<Cycle>,
}

/// The same TAB again, and again.
#[derive(Debug)]
struct Cycle {
    start: usize,
    candidates: Vec<String>,
    at: usize,
}

/// What could follow, in grey.
#[derive(Debug, PartialEq, Eq)]
pub struct Hint {
    /// What is shown.
    pub shown: String,
    /// How much of it is a word that can be taken over.
    pub word: usize,
}

impl Words {
    pub fn new(commands: Vec<Command>, addresses: bool) -> Words {
        Words { commands, nicks: Vec::new(), addresses, cycle: None }
    }

    /// What to put between the returned place and the cursor, which is at `pos`.
    /// Pressed again, TAB takes the next one, or the one before.
    pub fn complete(&mut self, line: &str, pos: usize, back: bool) -> Option<(usize, String)> {
        let before = &line[..pos];
        match &mut self.cycle {
            Some(cycle) if before.get(cycle.start..) == Some(&cycle.candidates[cycle.at]) => {
                let count = cycle.candidates.len();
                cycle.at = (cycle.at + if back { count - 1 } else { 1 }) % count;
            }
            _ => {
                let (start, candidates) = self.candidates(before);
                let at = if back { candidates.len().saturating_sub(1) } else { 0 };
                self.cycle = (!candidates.is_empty()).then_some(Cycle { start, candidates, at });
            }
        }
        let cycle = self.cycle.as_ref()?;
        Some((cycle.start, cycle.candidates[cycle.at].clone()))
    }

    fn candidates(&self, before: &str) -> (usize, Vec<String>) {
        let start = before.rfind([' ', '\n']).map_or(0, |blank| blank + 1);
        let word = &before[start..];
        let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
        if line.starts_with('/') && line.len() == word.len() {
            let lower = word.to_lowercase();
            let known = self.commands.iter().filter(|command| command.word.starts_with(&lower));
            return (start, known.map(|command| format!("{} ", command.word)).collect());
        }
        // The first word behind a command?
        let behind = line.strip_suffix(word).unwrap_or_default().trim_end();
        let first = self
            .commands
            .iter()
            .find(|command| command.word == behind)
            .map(|command| command.first);
        if let Some(Argument::Choice(choice)) = first {
            let known = choice.iter().filter(|known| known.starts_with(word));
            return (start, known.map(|known| known.to_string()).collect());
        }
        let (at, stem) = word.strip_prefix('@').map_or(("", word), |stem| ("@", stem));
        // On an empty line, somebody is to be addressed.
        let addressed = self.addresses && at.is_empty() && behind.is_empty();
        if at.is_empty() && stem.is_empty() && first != Some(Argument::Nick) && !addressed {
            return (start, Vec::new());
        }
        let end = if addressed { ": " } else { " " };
        let stem = Nick::key_of(stem);
        let known = self.nicks.iter().filter(|nick| Nick::key_of(nick).starts_with(&*stem));
        (start, known.map(|nick| format!("{at}{nick}{end}")).collect())
    }

    /// How a command could go on.
    pub fn hint(&self, line: &str) -> Option<Hint> {
        if line.len() < 2 || !line.starts_with('/') {
            return None;
        }
        let exact = |command: &&Command| {
            line.strip_prefix(command.word).is_some_and(|rest| rest.is_empty() || rest == " ")
        };
        if let Some(command) = self.commands.iter().find(exact) {
            let blank = if line.ends_with(' ') { "" } else { " " };
            let shown = format!("{blank}{}", command.arguments);
            return (!command.arguments.is_empty()).then_some(Hint { shown, word: 0 });
        }
        let mut known = self.commands.iter().filter(|command| command.word.starts_with(line));
        match (known.next(), known.next()) {
            (Some(command), None) => {
                let rest = &command.word[line.len()..];
                let shown = format!("{rest} {}", command.arguments);
                Some(Hint { shown: shown.trim_end().into(), word: rest.len() })
            }
            _ => None,
        }
    }
}

/// The lines that were entered, and the one that was not yet.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    /// Which of them is in the editor.
    at: Option<usize>,
    /// What was being typed before one of them was called back.
    draft: String,
}

impl History {
    /// Remembers a line.
    pub fn push(&mut self, line: &str) {
        self.at = None;
        if self.lines.back().is_none_or(|last| last != line) {
            self.lines.push_back(line.into());
        }
        if self.lines.len() > MAX_HISTORY {
            self.lines.pop_front();
        }
    }

    /// The line before the one that is in the editor, if there is one.
    pub fn older(&mut self, current: &str) -> Option<String> {
        let at = match self.at {
            None => {
                self.draft = current.into();
                self.lines.len().checked_sub(1)?
            }
            Some(at) => at.checked_sub(1)?,
        };
        self.at = Some(at);
        Some(self.lines[at].clone())
    }

    /// The line after it; behind the last one is what was being typed.
    pub fn newer(&mut self) -> Option<String> {
        let next = self.at? + 1;
        self.at = (next < self.lines.len()).then_some(next);
        Some(self.at.map_or_else(|| std::mem::take(&mut self.draft), |at| self.lines[at].clone()))
    }

    /// What is in the editor is none of these lines any more.
    pub fn leave(&mut self) {
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [Command; 4] = [
        Command { word: "/who", arguments: "", first: Argument::Text },
        Command { word: "/msg", arguments: "NICK TEXT", first: Argument::Nick },
        Command { word: "/me", arguments: "TEXT", first: Argument::Text },
        Command {
            word: "/bell",
            arguments: "[never|me|all]",
            first: Argument::Choice(&["never", "me", "all"]),
        },
    ];

    fn words() -> Words {
        let mut words = Words::new(COMMANDS.to_vec(), true);
        words.nicks = ["joao", "Maria", "joana"].map(String::from).to_vec();
        words
    }

    /// What the line is after TAB was pressed behind it again and again.
    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let mut words = words();
        let mut now = line.to_string();
        for &expected in expected {
            if let Some((start, text)) = words.complete(&now, now.len(), false) {
                now.replace_range(start.., &text);
            }
            assert_eq!(now, expected, "{line:?}");
        }
    }

    #[test]
    fn tab_goes_round_the_nicks_that_fit_by_who_spoke_last() {
        check("jo", &["joao: ", "joana: ", "joao: "]);
        check("M", &["Maria: ", "Maria: "]);
        check("oi JO", &["oi joao ", "oi joana "]);
        check("@m", &["@Maria "]);
        check("@", &["@joao ", "@Maria ", "@joana "]);
        check("/msg ", &["/msg joao ", "/msg Maria "]);
        check("/me ma", &["/me Maria "]);
        check("x\njo", &["x\njoao: "]);
        check("", &["joao: ", "Maria: "]);
        for nothing in ["oi ", "zz", "/me "] {
            check(nothing, &[nothing]);
        }
    }

    #[test]
    fn tab_completes_commands_and_their_choices() {
        check("/w", &["/who "]);
        check("/M", &["/msg ", "/me ", "/msg "]);
        check("/bell a", &["/bell all"]);
        check("/bell ", &["/bell never", "/bell me"]);
        check("/x", &["/x"]);
    }

    #[test]
    fn a_cycle_ends_with_another_key_and_goes_back_too() {
        let mut words = words();
        assert_eq!(words.complete("jo", 2, true), Some((0, "joana: ".into())));
        assert_eq!(words.complete("joana: ", 7, true), Some((0, "joao: ".into())));
        // Others speak meanwhile; the round stays the same.
        words.nicks.reverse();
        assert_eq!(words.complete("joao: ", 6, false), Some((0, "joana: ".into())));
        assert_eq!(words.complete("joana: j", 8, false), Some((7, "joana ".into())));
    }

    #[test]
    fn a_command_is_hinted_at_once_it_is_clear_which() {
        let hint = |line| words().hint(line).map(|hint| (hint.shown, hint.word));
        assert_eq!(hint("/w"), Some(("ho".into(), 2)));
        assert_eq!(hint("/ms"), Some(("g NICK TEXT".into(), 1)));
        assert_eq!(hint("/msg"), Some((" NICK TEXT".into(), 0)));
        assert_eq!(hint("/msg "), Some(("NICK TEXT".into(), 0)));
        for nothing in ["", "/", "/m", "/who", "/msg j", "/x", "w"] {
            assert_eq!(hint(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_was_being_typed_comes_back_behind_the_history() {
        let mut history = History::default();
        assert_eq!(history.older("draft"), None);
        assert_eq!(history.newer(), None);
        for line in ["one", "two", "two"] {
            history.push(line);
        }
        assert_eq!(history.older("draft").as_deref(), Some("two"));
        assert_eq!(history.older("two").as_deref(), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn history_is_bounded() {
        let mut history = History::default();
        for number in 0..=MAX_HISTORY {
            history.push(&number.to_string());
        }
        assert_eq!(history.lines.len(), MAX_HISTORY);
        assert_eq!(history.lines[0], "1");
    }
}
