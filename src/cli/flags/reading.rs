//! Reads the words of a command line by a table of options.

use gumdrop::{Opt, Parser};

use super::{Flag, Flaw, Row, Set};

/// The option that each command has.
pub(super) const HELP: &str = "help";

/// A mistake in the words of a command line.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Mistake {
    /// There is no such option.
    UnknownOption(String),
    /// There is no such command.
    UnknownCommand(String),
    /// The command takes no argument here.
    Unexpected(String),
    /// The value of an option is missing.
    MissingValue(String),
    /// A switch takes no value.
    NeedlessValue(String),
    /// The value of an option is wrong: the option, the value, and the flaw.
    WrongValue(String, String, Flaw),
}

/// The words of a command line after `read` has taken the options.
#[derive(Default)]
pub(in crate::cli) struct Given {
    /// Help is asked for.
    pub help: bool,
    /// The options that are given.
    pub flags: Vec<&'static Flag>,
    /// The arguments that no option takes.
    pub arguments: Vec<String>,
}

impl Given {
    /// Two options that are given and exclude each other.
    pub fn exclusive(&self) -> Option<(&'static str, &'static str)> {
        let excluded = |flag: &&'static Flag| {
            let other = flag.excludes.iter().find(|name| self.has(name))?;
            Some((flag.long, *other))
        };
        self.flags.iter().find_map(excluded)
    }

    /// An option that is given without the one that it needs.
    pub fn lacking(&self) -> Option<(&'static str, &'static str)> {
        let lacks =
            |flag: &&'static Flag| Some((flag.long, flag.needs.filter(|name| !self.has(name))?));
        self.flags.iter().find_map(lacks)
    }

    /// Whether the option of this name is given.
    fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|flag| flag.long == long)
    }
}

/// The words that may stand beside the options.
pub(in crate::cli) enum Free {
    /// One, which is a command; its options follow.
    Command,
    /// At most this many.
    UpTo(usize),
}

/// Reads options by a table into a configuration.
pub(in crate::cli) fn read<T>(
    rows: &'static [Row<T>],
    words: &mut Parser<'_, String>,
    free: Free,
    config: &mut T,
) -> Result<Given, Mistake> {
    let mut given = Given::default();
    while let Some(word) = words.next_opt() {
        let (name, row, attached) = match word {
            Opt::Free(word) => {
                match free {
                    Free::UpTo(count) if given.arguments.len() == count => {
                        return Err(Mistake::Unexpected(word.into()));
                    }
                    Free::UpTo(_) => given.arguments.push(word.into()),
                    Free::Command => {
                        given.arguments.push(word.into());
                        return Ok(given);
                    }
                }
                continue;
            }
            Opt::Short(letter) => {
                let row = rows.iter().find(|row| row.flag.short == Some(letter));
                (format!("-{letter}"), row, None)
            }
            Opt::Long(long) => (format!("--{long}"), long_row(rows, long), None),
            Opt::LongWithArg(long, value) => {
                (format!("--{long}"), long_row(rows, long), Some(value))
            }
        };
        let Some(row) = row else { return Err(Mistake::UnknownOption(name)) };
        match row.set {
            Set::On(_) if attached.is_some() => return Err(Mistake::NeedlessValue(name)),
            Set::On(set) => set(config),
            Set::To(set) => {
                let Some(value) = attached.or_else(|| words.next_arg()) else {
                    return Err(Mistake::MissingValue(name));
                };
                set(config, value).map_err(|flaw| Mistake::WrongValue(name, value.into(), flaw))?;
            }
        }
        given.help |= row.flag.long == HELP;
        given.flags.push(&row.flag);
    }
    Ok(given)
}

fn long_row<T>(rows: &'static [Row<T>], long: &str) -> Option<&'static Row<T>> {
    rows.iter().find(|row| row.flag.long == long)
}
