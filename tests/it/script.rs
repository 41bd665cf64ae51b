//! The notation of the example sessions in `protocol.md`.
//!
//! ```text
//! ana>  NICK ana          Ana sends a line
//! ana<  OK welcome ana    the next line that Ana reads
//! ana|                    Ana's connection breaks off
//! ana<|                   the server has closed Ana's connection
//! # a remark
//! ```
//! Scripts for the room alone may also say how time passes and how fast clients read.
//! Such clients are counted by bytes, and their lines are not compared.
//! ```text
//! +1.5s                   so much time passes; `ms` are milliseconds
//! ana floods 280K         Ana says so many bytes, in lines of 1,000, and reads along
//! joao stalls             Joao's connection accepts nothing
//! joao takes 64K          it accepts so many bytes, or all that there are
//! ana held                Ana has to wait before her next line
//! ana free                she does not
//! cut joao behind         the room evicts Joao, because he lags too far
//! ```
//! A person that is named for the first time connects at that moment. At the end
//! each may have been told no more than the script says. `<term>` stands for the term of
//! the room, and `<time>` for a time in seconds since 1970.

use std::time::Duration;

/// One example: the options of its server, and what happens.
#[derive(Debug)]
pub struct Session<'a> {
    /// The words after `session` where the block opens: `--motd`, `--history`.
    pub options: Vec<&'a str>,
    pub steps: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    pub who: &'a str,
    pub what: What<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    Says(&'a str),
    Reads(&'a str),
    BreaksOff,
    IsClosed,
    Passes(Duration),
    Floods(usize),
    Stalls,
    Takes(usize),
    IsHeld(bool),
    IsCut(&'a str),
}

/// The words that the server alone knows, and a script stands a word in brackets for.
#[derive(Debug, Default)]
pub struct Unknown {
    term: String,
}

impl Unknown {
    /// A line that is sent, with what was read before in its place.
    pub fn fill(&self, line: &str) -> String {
        line.replace("<term>", &self.term)
    }

    /// The line that is read here, with its unknown words as the script has them.
    pub fn hide(&mut self, line: &str) -> String {
        let mut words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["Now:", term, _] => {
                self.term = term.into();
                words[1] = "<term>";
            }
            ["Past:", _, time, ..] if time.parse::<u64>().is_ok() => words[2] = "<time>",
            _ => (),
        }
        words.join(" ")
    }
}

/// The sessions in a Markdown text: its blocks that open with ```` ```session ````.
pub fn sessions(markdown: &str) -> Vec<Session<'_>> {
    let blocks = markdown.split("\n```session").skip(1);
    blocks
        .map(|block| {
            let (options, rest) = block.split_once('\n').expect("a block has a first line");
            let (script, _) = rest.split_once("\n```").expect("a block has an end");
            Session { options: options.split_whitespace().collect(), steps: steps(script) }
        })
        .collect()
}

/// The steps of one script.
#[track_caller]
pub fn steps(script: &str) -> Vec<Step<'_>> {
    let lines = script.lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(step).collect()
}

#[track_caller]
fn step(line: &str) -> Step<'_> {
    if let Some(step) = step_in_words(line) {
        return step;
    }
    let at = line.find(['>', '<', '|']).unwrap_or_else(|| panic!("not a step: {line:?}"));
    let text = line[at + 1..].trim_start();
    let what = match &line[at..=at] {
        ">" => What::Says(text),
        "<" if text == "|" => What::IsClosed,
        "<" => What::Reads(text),
        _ => What::BreaksOff,
    };
    Step { who: line[..at].trim_end(), what }
}

/// A step that is no line of a client: three words at most.
fn step_in_words(line: &str) -> Option<Step<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (who, what) = match words[..] {
        [time] => ("", What::Passes(duration(time.strip_prefix('+')?)?)),
        [who, "stalls"] => (who, What::Stalls),
        [who, "held"] => (who, What::IsHeld(true)),
        [who, "free"] => (who, What::IsHeld(false)),
        [who, "takes", count] => (who, What::Takes(bytes(count)?)),
        [who, "floods", count] => (who, What::Floods(bytes(count)?)),
        ["cut", who, reason] => (who, What::IsCut(reason)),
        _ => return None,
    };
    let is_name = who.chars().all(char::is_alphanumeric);
    is_name.then_some(Step { who, what })
}

/// `1.5s` or `20ms`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * unit))
}

/// `64K`: kibibytes.
fn bytes(text: &str) -> Option<usize> {
    text.strip_suffix('K')?.parse().ok().map(|count: usize| count << 10)
}

#[test]
fn words_of_a_script_are_steps() {
    let found = steps("+1.5s\n+20ms\njoao takes 64K\ncut joao behind\nana> joao stalls\n");
    let expected = [
        ("", What::Passes(Duration::from_millis(1500))),
        ("", What::Passes(Duration::from_millis(20))),
        ("joao", What::Takes(64 << 10)),
        ("joao", What::IsCut("behind")),
        ("ana", What::Says("joao stalls")),
    ];
    assert_eq!(found, expected.map(|(who, what)| Step { who, what }));
}
