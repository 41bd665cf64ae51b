//! The rows of the table of options, as they are written there.

use crate::cli::flags::reading::HELP;
use crate::cli::flags::{Completes, Flag, Flaw, Row, Set, Value};
use crate::texts::both;

pub(super) const fn value(
    english: &'static str,
    portuguese: &'static str,
    completes: Completes,
) -> Value {
    Value { name: both(english, portuguese), completes }
}

/// A row for an option with a value.
pub(super) const fn option<T>(
    short: Option<char>,
    long: &'static str,
    value: Value,
    english: &'static str,
    portuguese: &'static str,
    set: fn(&mut T, &str) -> Result<(), Flaw>,
) -> Row<T> {
    let help = both(english, portuguese);
    let flag = Flag { short, long, value: Some(value), help, excludes: &[], needs: None };
    Row { flag, set: Set::To(set) }
}

/// A row for an option without a value.
pub(super) const fn switch<T>(
    short: Option<char>,
    long: &'static str,
    english: &'static str,
    portuguese: &'static str,
    set: fn(&mut T),
) -> Row<T> {
    let help = both(english, portuguese);
    let flag = Flag { short, long, value: None, help, excludes: &[], needs: None };
    Row { flag, set: Set::On(set) }
}

/// The row that each command has. `read` knows it by its name.
pub(super) const fn help<T>() -> Row<T> {
    switch(Some('h'), HELP, "print this help and exit", "mostra esta ajuda e sai", |_| ())
}

/// The row of an option that excludes others.
pub(super) const fn excluding<T>(options: &'static [&'static str], mut row: Row<T>) -> Row<T> {
    row.flag.excludes = options;
    row
}

/// The row of an option that has no effect without another one.
pub(super) const fn needing<T>(option: &'static str, mut row: Row<T>) -> Row<T> {
    row.flag.needs = Some(option);
    row
}
