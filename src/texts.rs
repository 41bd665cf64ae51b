//! The words for people, in English and in Portuguese.
//!
//! One struct, two constants: a text that is missing in one language does not
//! compile. The wire, JSON, tab-separated columns and the log are the same
//! everywhere, and none of their words is here.

mod english;
mod portuguese;

pub use english::ENGLISH;
pub use portuguese::PORTUGUESE;

/// Everything that people read, in one language.
#[derive(Debug)]
pub struct Texts {
    /// The operator's commands.
    pub operator: Operator,
}

/// What the operator reads after a command of theirs.
#[derive(Debug)]
pub struct Operator {
    /// The command is not known: its word, with the slash.
    pub unknown: fn(&str) -> String,
}

/// The language that the environment asks for: the first of `LC_ALL`,
/// `LC_MESSAGES` and `LANG` that is set, or else what the system is set to where
/// programs are not told by variables. What is not Portuguese is English.
pub fn here() -> &'static Texts {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"].map(std::env::var);
    let asked = variables.into_iter().flatten().find(|value| !value.is_empty());
    #[cfg(any(windows, target_os = "macos"))]
    let asked = asked.or_else(sys_locale::get_locale);
    of(&asked.unwrap_or_default())
}

/// The language of a locale such as `pt_BR.UTF-8`, `pt-PT` or `C`.
fn of(locale: &str) -> &'static Texts {
    match locale.split(['_', '-', '.', '@']).next() {
        Some(language) if language.eq_ignore_ascii_case("pt") => &PORTUGUESE,
        _ => &ENGLISH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portuguese_is_asked_for_in_many_ways_and_the_rest_is_english() {
        for locale in ["pt", "pt_BR.UTF-8", "pt-PT", "pt_BR@euro", "PT_br"] {
            assert!(std::ptr::eq(of(locale), &PORTUGUESE), "{locale}");
        }
        for locale in ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8", "ptolemaic", "de_DE"] {
            assert!(std::ptr::eq(of(locale), &ENGLISH), "{locale}");
        }
    }
}
