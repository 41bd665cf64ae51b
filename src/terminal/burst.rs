//! Typed or pasted: told by what waits behind a key. Pure.
//!
//! Where a terminal does not mark a paste, its bytes come at once. Lines that are typed
//! ahead do so, too. Therefore it takes more to be a paste than a line end with text
//! behind it: something that no person types ahead.

use crate::terminal::keys::{Code, Input, Key};

/// No person types this many lines ahead.
const MANY: usize = 12;
/// No person begins a line that is typed ahead with this many blanks.
const INDENT: usize = 2;

/// A read of a keyboard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Burst {
    /// Bytes were left unread behind it.
    pub more: bool,
    /// It is what was left unread of a paste.
    pub continues: bool,
    /// It waited before there was a prompt, and the system has changed its line ends.
    pub waited: bool,
}

impl Burst {
    /// Whether these inputs of one read are a paste that is not marked.
    pub fn is_paste(self, inputs: &[Input]) -> bool {
        let keys: Vec<Key> = inputs.iter().filter_map(key).collect();
        let last = keys.iter().rposition(|key| key.is_text() && !ends_line(*key));
        let ends = |end: usize| keys[..end].iter().filter(|key| ends_line(**key)).count();
        // The lines behind which text waits.
        let lines = if self.more { ends(keys.len()) } else { last.map_or(0, ends) };
        let has = |code| keys.iter().any(|key| key.code == code);
        self.continues
            || has(Code::Newline)
            || lines >= MANY
            || lines > 0 && (has(Code::Tab) || indents(&keys))
            || lines > 0 && has(Code::LineFeed) && !self.waited
    }
}

/// Whether a line begins with blanks that are not all of it.
fn indents(keys: &[Key]) -> bool {
    keys.split(|key| ends_line(*key)).any(|line| {
        let blanks = line.iter().take_while(|key| key.code == Code::Char(' ')).count();
        blanks >= INDENT && blanks < line.len()
    })
}

/// A key as a text that was pasted has it: VT and FF end lines there.
pub fn literal(key: Key) -> Key {
    match key {
        Key { code: Code::Char('k' | 'l'), ctrl: true, alt: false, .. } => Key::plain(Code::Enter),
        key => key,
    }
}

fn key(input: &Input) -> Option<Key> {
    match input {
        Input::Key(key) => Some(*key),
        _ => None,
    }
}

fn ends_line(key: Key) -> bool {
    literal(key).ends_line() && !key.alt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::keys::Decoder;

    #[track_caller]
    fn check(bytes: &str, burst: Burst, expected: bool) {
        let inputs = Decoder::default().decode(bytes.as_bytes());
        assert_eq!(burst.is_paste(&inputs), expected, "{bytes:?} {burst:?}");
    }

    #[test]
    fn lines_that_are_typed_ahead_are_no_paste() {
        for bytes in [
            "a",
            "oi\r",
            "tchau\r/quit\r",
            "/quit\r\r",
            "@bia\r/r oi\rfim\r",
            "/wh\tx\r",
            " x\r y\r",
        ] {
            check(bytes, Burst::default(), false);
        }
        check("a\nb\n", Burst { waited: true, ..Burst::default() }, false);
    }

    #[test]
    fn text_too_fast_for_typing_is_a_paste() {
        for bytes in [
            "a\r\nb",
            "/etc\r\n",
            "a\nb",
            "if x:\r\ty\r",
            "if x:\r    y\r",
            "a\r\tb",
            "b\t= 2\rc\r",
            &"a\r".repeat(MANY + 1),
        ] {
            check(bytes, Burst::default(), true);
        }
        check("b", Burst { continues: true, ..Burst::default() }, true);
    }

    #[test]
    fn vertical_tab_and_form_feed_end_pasted_lines() {
        check("a\x0bb\x0c\tc\r", Burst::default(), true);
        assert_eq!(literal(Key::ctrl('k')), Key::plain(Code::Enter));
    }
}
