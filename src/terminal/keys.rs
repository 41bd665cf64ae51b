//! Bytes from a keyboard -> keys, pastes and focus reports. Pure.
//!
//! The crate `vte` follows the escape sequences to their end, so that a sequence that
//! is unknown is dropped as a whole. This module gives the few known ones their names.

use std::mem;
use std::time::Duration;

use vte::{Params, Parser, Perform};

/// A sequence that begins with ESC sends its next byte within this.
const NEXT_BYTE: Duration = Duration::from_millis(50);
/// A report of the terminal sends its next byte within this.
const NEXT_OF_REPORT: Duration = Duration::from_millis(300);
/// A paste whose end does not come is over after this silence.
const SILENCE: Duration = Duration::from_secs(1);
/// The most bytes that one paste may have. The rest is dropped.
const MAX_PASTE: usize = 16 << 20;
/// The most bytes that a report of the terminal may have.
const MAX_REPORT: usize = 4 << 10;
/// The mark at the end of a bracketed paste.
const PASTE_END: &[u8] = b"\x1b[201~";
/// The byte of Ctrl-C.
const INTERRUPT: u8 = 3;

/// One thing that a keyboard says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// A text was pasted. Its line ends are line feeds, and it has no other controls but
    /// tabs.
    Paste(String),
    /// The window is looked at, or is not any more.
    Focus(bool),
    /// Bytes came that are no text.
    Garbled,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
}

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Char(char),
    Enter,
    /// The line end `CR LF`, which no key sends: it was pasted.
    Newline,
    /// The line end `LF`: a paste on some terminals, or Ctrl-J.
    LineFeed,
    Tab,
    Backspace,
    Delete,
    Escape,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

impl Key {
    /// A key that is pressed alone.
    pub const fn plain(code: Code) -> Key {
        Key { code, ctrl: false, alt: false, shift: false }
    }

    /// A letter that is pressed together with Ctrl.
    pub const fn ctrl(letter: char) -> Key {
        Key { ctrl: true, ..Key::plain(Code::Char(letter)) }
    }

    /// Whether it stands for text: a character, a tab or a line end.
    pub fn is_text(&self) -> bool {
        let is_text = matches!(self.code, Code::Char(_) | Code::Tab);
        (is_text || self.ends_line()) && !self.ctrl && !self.alt
    }

    /// Whether it ends a line.
    pub fn ends_line(&self) -> bool {
        matches!(self.code, Code::Enter | Code::Newline | Code::LineFeed)
    }
}

/// Decodes what a keyboard sends, however it is cut.
#[derive(Default)]
pub struct Decoder {
    parser: Parser,
    sequence: Sequence,
    /// The bytes of a paste so far, while one comes.
    paste: Option<Vec<u8>>,
}

/// The keys that `vte` reports, and how far a sequence has got.
#[derive(Default)]
struct Sequence {
    inputs: Vec<Input>,
    /// The bytes since the ESC of a sequence that may not be whole, that included.
    length: usize,
    /// The byte that follows the ESC.
    introducer: u8,
    /// The next key is pressed together with Alt.
    alt: bool,
    /// The next character ends `ESC O`.
    single_shift: bool,
    /// How many bytes are still to be skipped.
    skipped: usize,
    /// The last bytes.
    recent: [u8; 3],
    /// A paste begins behind this byte.
    pastes: bool,
}

impl Decoder {
    /// Decodes what has come. Nothing may be waiting behind it.
    pub fn decode(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            match &mut self.paste {
                Some(paste) => rest = take_paste(paste, rest),
                None => {
                    self.advance(byte);
                    rest = behind;
                }
            }
            if mem::take(&mut self.sequence.pastes) {
                self.paste = Some(Vec::new());
            }
            if self.paste.as_ref().is_some_and(|paste| is_over(paste)) {
                self.end_paste();
            }
        }
        mem::take(&mut self.sequence.inputs)
    }

    /// How long to wait for the next byte until [`time_passed`](Decoder::time_passed).
    pub fn waits(&self) -> Option<Duration> {
        match (&self.paste, self.sequence.length) {
            (Some(_), _) => Some(SILENCE),
            (None, 0) if !self.sequence.single_shift && self.sequence.skipped == 0 => None,
            (None, 0..=2) => Some(NEXT_BYTE),
            (None, _) => Some(NEXT_OF_REPORT),
        }
    }

    /// Nothing has come for as long as [`waits`](Decoder::waits) says.
    pub fn time_passed(&mut self) -> Vec<Input> {
        if self.paste.is_some() {
            self.end_paste();
        } else {
            let alone = match (self.sequence.length, self.sequence.introducer) {
                (1, _) => Some(Key::plain(Code::Escape)),
                (2, letter) => Some(Key { alt: true, ..Key::plain(Code::Char(letter.into())) }),
                _ if self.sequence.single_shift => {
                    Some(Key { alt: true, ..Key::plain(Code::Char('O')) })
                }
                _ => None,
            };
            self.sequence.inputs.extend(alone.map(Input::Key));
            self.forget();
        }
        mem::take(&mut self.sequence.inputs)
    }

    /// Leaves the sequence that is under way.
    fn forget(&mut self) {
        self.parser = Parser::new();
        let inputs = mem::take(&mut self.sequence.inputs);
        self.sequence = Sequence { inputs, ..Sequence::default() };
    }

    fn end_paste(&mut self) {
        let Some(mut paste) = self.paste.take() else { return };
        let interrupted = paste.last() == Some(&INTERRUPT);
        if paste.ends_with(PASTE_END) {
            paste.truncate(paste.len() - PASTE_END.len());
        }
        let input = match String::from_utf8(paste) {
            Ok(text) => Input::Paste(clean(&text)),
            Err(_) => Input::Garbled,
        };
        self.sequence.inputs.push(input);
        if interrupted {
            self.sequence.inputs.push(Input::Key(Key::ctrl('c')));
        }
    }

    fn advance(&mut self, byte: u8) {
        let sequence = &mut self.sequence;
        if sequence.skipped > 0 {
            sequence.skipped -= 1;
            return;
        }
        // Alt and a key that is no ASCII character: `vte` knows no such sequence.
        if sequence.length == 1 && byte != 0x1b && !(0x20..0x7f).contains(&byte) {
            self.parser = Parser::new();
            sequence.length = 0;
            sequence.alt = true;
        }
        sequence.recent.rotate_left(1);
        sequence.recent[2] = byte;
        match byte {
            0x1b => (),
            _ if sequence.length > MAX_REPORT => return self.forget(),
            // The parser leaves it to others.
            0x7f if sequence.length == 0 => return sequence.key(Code::Backspace),
            _ if sequence.length > 0 => {
                sequence.length += 1;
                if sequence.length == 2 {
                    sequence.introducer = byte;
                }
            }
            _ => (),
        }
        self.parser.advance(sequence, &[byte]);
        if byte == 0x1b {
            sequence.length = 1; // Whatever was under way is over.
        }
    }
}

/// Whether a paste is over: at its mark, or with a Ctrl-C.
fn is_over(paste: &[u8]) -> bool {
    paste.ends_with(PASTE_END) || paste.last() == Some(&INTERRUPT)
}

/// Takes bytes of a paste up to its end, if that is there; what is behind it. A Ctrl-C in
/// front of the mark was pasted.
fn take_paste<'a>(paste: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    // The mark may be cut, so that the end of what is there already is looked at, too.
    let known = paste.len().min(PASTE_END.len() - 1);
    let mut seam = paste[paste.len() - known..].to_vec();
    seam.extend_from_slice(bytes);
    let mark = memchr::memmem::find(&seam, PASTE_END).map(|at| at + PASTE_END.len() - known);
    let end = mark.or_else(|| memchr::memchr(INTERRUPT, bytes).map(|at| at + 1));
    let (taken, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    if paste.len() + taken.len() <= MAX_PASTE {
        paste.extend_from_slice(taken);
    } else {
        let kept = &taken[taken.len().saturating_sub(PASTE_END.len())..];
        paste.truncate(MAX_PASTE - kept.len());
        paste.extend_from_slice(kept);
    }
    rest
}

impl Sequence {
    fn key(&mut self, code: Code) {
        let alt = mem::take(&mut self.alt);
        self.push(Key { alt, ..Key::plain(code) });
    }

    fn garbled(&mut self) {
        self.alt = false;
        self.inputs.push(Input::Garbled);
    }

    fn push(&mut self, key: Key) {
        self.inputs.push(Input::Key(key));
    }

    /// A key of the protocols that send each as a number, and the text that it makes if
    /// the terminal says so.
    fn numbered(&mut self, number: u16, modifiers: Modifiers, text: Option<u16>) {
        let Modifiers { shift, alt, ctrl, other } = modifiers;
        let text = text.filter(|&text| text != 0 && !alt && !ctrl);
        let code = match text.unwrap_or(number) {
            9 => Code::Tab,
            13 => Code::Enter,
            27 => Code::Escape,
            127 => Code::Backspace,
            // kitty's keys without a character are in the private use area. The parser
            // takes every larger number for the last one.
            57344..=63743 | u16::MAX => return,
            number => match char::from_u32(number.into()) {
                Some(c) if !c.is_control() => Code::Char(c),
                _ => return,
            },
        };
        let code = match code {
            Code::Char(_) if !shift || text.is_some() => code,
            // With another key, Shift makes another character on each keyboard.
            Code::Char(c @ ('a'..='z' | 'A'..='Z' | ' ')) if !ctrl => {
                Code::Char(c.to_ascii_uppercase())
            }
            Code::Backspace => code,
            Code::Tab if !alt && !ctrl => code,
            // A modifier makes something else of the others, and nothing that is known.
            Code::Enter | Code::Escape if !shift && !alt && !ctrl => code,
            _ => return,
        };
        if !other {
            self.push(Key { code, ctrl, alt, shift: shift && code == Code::Tab });
        }
    }
}

/// The modifiers of a key, as the second number of its sequence has them.
#[derive(Clone, Copy, Default)]
struct Modifiers {
    shift: bool,
    alt: bool,
    ctrl: bool,
    /// A modifier that no key here is pressed with.
    other: bool,
}

impl Modifiers {
    /// Caps Lock and Num Lock do not count.
    fn of(number: u16) -> Modifiers {
        let bits = number.saturating_sub(1);
        Modifiers {
            shift: bits & 1 != 0,
            alt: bits & 2 != 0,
            ctrl: bits & 4 != 0,
            other: bits & 0b0011_1000 != 0,
        }
    }
}

impl Perform for Sequence {
    fn print(&mut self, c: char) {
        self.length = 0;
        if self.single_shift {
            // A number of modifiers may come first.
            self.single_shift = c.is_ascii_digit();
            let code = match c {
                'A' => Code::Up,
                'B' => Code::Down,
                'C' => Code::Right,
                'D' => Code::Left,
                'F' => Code::End,
                'H' => Code::Home,
                'M' => Code::Enter,
                'I' => Code::Tab,
                // The keypad, in a mode that a dead program may have left on.
                ' ' => Code::Char(' '),
                'X' => Code::Char('='),
                'j'..='y' => Code::Char(char::from(c as u8 - b'j' + b'*')),
                _ => return,
            };
            return self.key(code);
        }
        if c == char::REPLACEMENT_CHARACTER && self.recent != *b"\xef\xbf\xbd" {
            self.garbled();
        } else if c == '\x7f' {
            self.key(Code::Backspace);
        } else if is_line_end(c) {
            self.key(Code::Enter);
        } else {
            self.key(Code::Char(c));
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.key(Code::Tab),
            // VT and FF end lines where they are pasted. As keys they are Ctrl-K and Ctrl-L.
            b'\n' if self.recent[1] == b'\r' => {
                if let Some(Input::Key(Key { code: code @ Code::Enter, .. })) =
                    self.inputs.last_mut()
                {
                    *code = Code::Newline;
                }
            }
            b'\n' => self.key(Code::LineFeed),
            b'\r' => self.key(Code::Enter),
            0x08 => self.key(Code::Backspace),
            0x1b => (),
            0x00..0x20 => {
                let alt = mem::take(&mut self.alt);
                let letter = char::from(byte | 0x40).to_ascii_lowercase();
                self.push(Key { alt, ..Key::ctrl(letter) });
            }
            // A control of C1 is a character of two bytes. Alone, the second is no text.
            _ if self.recent[1] != 0xc2 => self.garbled(),
            0x85 => self.key(Code::Enter),
            _ => (),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        self.length = 0;
        self.alt = false;
        if !intermediates.is_empty() {
            return; // It is an answer or a mouse report.
        }
        let mut params = params.iter();
        let first = params.next().unwrap_or(&[]);
        let second = params.next().unwrap_or(&[]);
        let third = params.next().and_then(|third| third.first().copied());
        let (number, count) =
            (first.first().copied().unwrap_or(0), usize::from(!second.is_empty()));
        // The key was released, not pressed.
        if second.get(1) == Some(&3) {
            return;
        }
        let modifiers = Modifiers::of(second.first().copied().unwrap_or(1));
        let Modifiers { shift, alt, ctrl, other } = modifiers;
        let code = match (action, number) {
            ('A', 0..=1) => Code::Up,
            ('B', 0..=1) => Code::Down,
            ('C', 0..=1) => Code::Right,
            ('D', 0..=1) => Code::Left,
            ('H', 0..=1) | ('~', 1 | 7) => Code::Home,
            ('F', 0..=1) | ('~', 4 | 8) => Code::End,
            ('~', 3) => Code::Delete,
            ('~', 5) => Code::PageUp,
            ('~', 6) => Code::PageDown,
            ('Z', 0..=1) => return self.push(Key { shift: true, ..Key::plain(Code::Tab) }),
            ('I', 0) if count == 0 => return self.inputs.push(Input::Focus(true)),
            ('O', 0) if count == 0 => return self.inputs.push(Input::Focus(false)),
            ('~', 200) => return self.pastes = true,
            // `CSI 27 ; modifiers ; character ~`, from xterm.
            ('~', 27) => return self.numbered(third.unwrap_or(0), modifiers, None),
            // `CSI character : shifted : on a Latin keyboard ; modifiers ; text u`, from
            // kitty. Ctrl and Alt go with the Latin letter.
            ('u', _) => {
                let shifted = first.get(1).copied().filter(|_| shift);
                let latin = first.get(2).copied().filter(|&latin| latin != 0 && (ctrl || alt));
                return self.numbered(latin.unwrap_or(number), modifiers, third.or(shifted));
            }
            // The old mouse report: three bytes follow, whatever they are.
            ('M', 0) if count == 0 => return self.skipped = 3,
            // A function key of the Linux console: `CSI [ A`.
            ('[', _) => return self.skipped = 1,
            _ => return,
        };
        if !other {
            self.push(Key { code, ctrl, alt, shift });
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        self.length = 0;
        match byte {
            _ if !intermediates.is_empty() => (),
            b'O' => self.single_shift = true,
            b'\\' => (), // It ends a report.
            _ => self.push(Key { alt: true, ..Key::plain(Code::Char(byte.into())) }),
        }
    }

    fn osc_dispatch(&mut self, _: &[&[u8]], by_bell: bool) {
        if by_bell {
            self.length = 0;
        }
    }
}

/// Whether a character ends a line, in a paste or where it is typed.
fn is_line_end(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A pasted text with line feeds for line ends and without other controls but tabs.
fn clean(pasted: &str) -> String {
    let mut text = String::with_capacity(pasted.len());
    let mut chars = pasted.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                text.push('\n');
            }
            '\n' | '\x0b' | '\x0c' => text.push('\n'),
            _ if is_line_end(c) => text.push('\n'),
            '\t' => text.push('\t'),
            _ if c.is_control() => (),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests;
