//! Being called while the window is not looked at: a count in its title, and a
//! notification of the terminal's own. Pure.

use crate::terminal::layout::harmless;

/// The most characters of a notification.
const MAX_SHOWN: usize = 200;
/// The title that is given back on leaving is kept by the terminal.
const KEEP_TITLE: &str = "\x1b[22;2t";
const GIVE_BACK_TITLE: &str = "\x1b[23;2t";

/// How a terminal is known to be told of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `OSC 9 ; text`: iTerm2.
    Nine,
    /// `OSC 777 ; notify ; title ; text`: foot, ghostty, urxvt, WezTerm.
    Seven,
    /// `OSC 99 ; ; text`: kitty.
    NinetyNine,
}

/// Whether the window is looked at, and what came meanwhile.
#[derive(Debug)]
pub struct Calls {
    looked_at: bool,
    count: usize,
    /// The title is ours.
    titled: bool,
    /// How notifications are sent, if they are wanted and understood.
    way: Option<Way>,
}

impl Calls {
    /// A window is looked at until the terminal says otherwise.
    pub fn new(way: Option<Way>) -> Calls {
        Calls { looked_at: true, count: 0, titled: false, way }
    }

    /// The window is looked at, or is not any more. Returns what to send.
    pub fn focus(&mut self, looked_at: bool) -> String {
        self.looked_at = looked_at;
        match looked_at {
            true => self.leave(),
            false => String::new(),
        }
    }

    /// Another member has called. Returns what to send.
    pub fn call(&mut self, from: &str, text: &str) -> String {
        if self.looked_at {
            return String::new();
        }
        let keep = if self.titled { "" } else { KEEP_TITLE };
        self.titled = true;
        self.count += 1;
        let notification = self.way.map(|way| notify(way, from, text)).unwrap_or_default();
        format!("{keep}\x1b]2;({}) minichat\x1b\\{notification}", self.count)
    }

    /// Gives the title back. Returns what to send.
    pub fn leave(&mut self) -> String {
        self.count = 0;
        match std::mem::take(&mut self.titled) {
            // A terminal that keeps no titles has at least one without a number.
            true => format!("\x1b]2;minichat\x1b\\{GIVE_BACK_TITLE}"),
            false => String::new(),
        }
    }
}

/// The way that a terminal is known to understand, by the variables that it sets.
pub fn way(variable: impl Fn(&str) -> Option<String>) -> Option<Way> {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    match (term.as_str(), program.as_str()) {
        // A program in between hands nothing on.
        (term, _) if term.starts_with("tmux") || term.starts_with("screen") => None,
        (term, _) if term.starts_with("xterm-kitty") => Some(Way::NinetyNine),
        (term, _) if term.starts_with("foot") || term.starts_with("rxvt-unicode") => {
            Some(Way::Seven)
        }
        ("xterm-ghostty", _) | (_, "ghostty" | "WezTerm") => Some(Way::Seven),
        (_, "iTerm.app") => Some(Way::Nine),
        _ => None,
    }
}

/// Nothing of a stranger's text can end the sequence: it has no controls.
fn notify(way: Way, from: &str, text: &str) -> String {
    let bounded = |text: &str| harmless(text).chars().take(MAX_SHOWN).collect::<String>();
    // A semicolon would end the title, and a number begins another command of OSC 9.
    let (from, text) = (bounded(from).replace(';', ","), bounded(text));
    match way {
        Way::Nine => format!("\x1b]9;minichat: {from}: {text}\x1b\\"),
        Way::Seven => format!("\x1b]777;notify;minichat: {from};{text}\x1b\\"),
        Way::NinetyNine => format!("\x1b]99;;minichat: {from}: {text}\x1b\\"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_while_the_window_is_hidden() {
        let mut calls = Calls::new(None);
        assert_eq!(calls.call("bia", "oi"), "");
        assert_eq!(calls.focus(false), "");
        assert_eq!(calls.call("bia", "oi"), "\x1b[22;2t\x1b]2;(1) minichat\x1b\\");
        assert_eq!(calls.call("bia", "oi"), "\x1b]2;(2) minichat\x1b\\");
        assert_eq!(calls.focus(true), "\x1b]2;minichat\x1b\\\x1b[23;2t");
        assert_eq!((calls.focus(true), calls.leave()), (String::new(), String::new()));
        calls.focus(false);
        assert!(calls.call("bia", "oi").contains("(1)"));
        assert!(!calls.leave().is_empty());
    }

    #[test]
    fn text_of_a_stranger_ends_no_sequence() {
        let attack = "\x1b\\\x07\u{9c};\n\x1b]52;c;aGk=\x07";
        for way in [Way::Nine, Way::Seven, Way::NinetyNine] {
            let sent = notify(way, attack, attack);
            let inside = sent.strip_prefix("\x1b]").and_then(|sent| sent.strip_suffix("\x1b\\"));
            assert!(!inside.expect("it is one sequence").contains(char::is_control), "{sent:?}");
        }
        assert!(notify(Way::Seven, "a;b", "x").contains(";minichat: a,b;x"));
        assert!(notify(Way::Nine, "a", &"x".repeat(10_000)).len() < 300);
    }

    #[test]
    fn only_known_terminals_are_notified() {
        for (term, program, expected) in [
            ("xterm-256color", "", None),
            ("xterm-256color", "WezTerm", Some(Way::Seven)),
            ("xterm-256color", "iTerm.app", Some(Way::Nine)),
            ("tmux-256color", "WezTerm", None),
            ("xterm-kitty", "", Some(Way::NinetyNine)),
            ("foot", "", Some(Way::Seven)),
            ("", "", None),
        ] {
            let variable =
                |name: &str| Some(if name == "TERM" { term } else { program }.to_string());
            assert_eq!(way(variable), expected, "{term} {program}");
        }
    }
}
