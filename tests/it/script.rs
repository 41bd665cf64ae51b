//! The notation of the example sessions in `protocol.md`.
//!
//! ```text
//! ana>  NICK ana          Ana sends a line
//! ana<  OK welcome ana    the next line that Ana reads
//! ana|                    Ana's connection breaks off
//! ana<|                   the server has closed Ana's connection
//! # a remark
//! ```
//! A person that is named for the first time connects at that moment. At the end
//! each may have been told no more than the script says. `<term>` stands for the term of
//! the room, and `<time>` for a time in seconds since 1970.

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
