//! TAB: the words that it puts into the line, and those that are offered in grey. Pure.

use crate::wire::Nick;

/// A command that begins with a slash.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The word, with the slash.
    pub word: &'static str,
    /// Its arguments, in the reader's language.
    pub arguments: &'static str,
    /// The kind of the first argument.
    pub first: Argument,
}

/// The words that TAB offers behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing but the nicks that are here.
    Text,
    /// The nicks that are here, before a letter is typed.
    Nick,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// The words that can be completed, and how far that has got.
#[derive(Debug)]
pub struct Words {
    commands: Vec<Command>,
    /// The nicks that are here, the last speaker first.
    pub nicks: Vec<String>,
    /// A line may address a member by beginning with their nick.
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

/// A text that could follow, in grey.
#[derive(Debug, PartialEq, Eq)]
pub struct Hint {
    /// The text as it is shown.
    pub shown: String,
    /// How much of it is a word that can be taken over.
    pub word: usize,
}

impl Words {
    pub fn new(commands: Vec<Command>, addresses: bool) -> Words {
        Words { commands, nicks: Vec::new(), addresses, cycle: None }
    }

    /// The text to put between the returned place and the cursor, which is at `pos`.
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
        // On an empty line, TAB addresses a member.
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

    /// Presses TAB behind a line again and again, and compares each result.
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
    fn tab_goes_round_matching_nicks_from_the_last_speaker() {
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
}
