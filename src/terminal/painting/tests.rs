mod emulator;

use super::*;
use crate::terminal::burst::Burst;
use crate::terminal::completion::Words;
use crate::terminal::keys::{Code, Input, Key};
use crate::terminal::layout::Size;
use crate::terminal::line::{Line, Prompt};
use crate::texts::ENGLISH;
use emulator::{Emulator, Widths};

const HEIGHT: usize = 24;

/// A person with a line, on a terminal.
struct Seat {
    line: Line,
    painting: Painting,
    terminal: Emulator,
    /// How wide the terminal is, as far as that was told.
    columns: usize,
    /// The terminal is known to wrap its rows anew.
    reflows: bool,
    sent: usize,
}

impl Seat {
    fn new(terminal: Emulator, reflows: bool) -> Seat {
        let mut line = Line::new(Words::new(Vec::new(), true), true, &ENGLISH.terminal);
        line.set_prompt(Prompt { text: "ana> ".into(), ..Prompt::default() });
        let columns = terminal.columns();
        let mut seat =
            Seat { line, painting: Painting::default(), terminal, columns, reflows, sent: 0 };
        seat.paint();
        seat
    }

    fn show(&mut self, text: &str, settled: bool) {
        let mut out = String::new();
        let change = Change { columns: self.columns, reflows: self.reflows, calm: settled };
        self.painting.resized(change);
        let view = self.line.view(Size { columns: self.columns, rows: HEIGHT });
        if text.is_empty() {
            self.painting.paint(&view, self.columns, &mut out);
        } else {
            at_once(&mut out, |out| {
                self.painting.print(text, out);
                self.painting.paint(&view, self.columns, out);
            });
        }
        self.sent += out.len();
        self.terminal.send(&out);
        assert!(self.terminal.wraps(), "the terminal wraps its rows");
    }

    fn paint(&mut self) {
        self.show("", true);
    }

    fn press(&mut self, input: Input) {
        self.line.take(&[input], Burst::default());
    }

    fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.press(Input::Key(Key::plain(Code::Char(c))));
        }
    }

    fn key(&mut self, code: Code) {
        self.press(Input::Key(Key::plain(code)));
        self.paint();
    }

    /// Resizes the window; the program is told at once.
    fn resize(&mut self, columns: usize) {
        self.terminal.resize(columns);
        self.columns = columns;
        self.paint();
    }

    /// The lines that begin with the prompt.
    fn prompts(&self) -> usize {
        self.terminal.lines().iter().filter(|line| line.starts_with("ana>")).count()
    }
}

const MODELS: [Widths; 3] = [Widths::One, Widths::Two, Widths::Sum];

/// Texts that terminals count differently.
const PIECES: [&str; 26] = [
    "a",
    "olá ",
    "joão",
    "日本語",
    "한국어",
    "👨‍👩‍👧",
    "🏳️‍🌈",
    "👍🏽",
    "🇧🇷",
    "❤️",
    "1️⃣",
    "\u{1FAE9}",
    "\u{1FADF}",
    "বাংলা ",
    "क्षि",
    "தமிழ்",
    "ကျေးဇူး",
    "ภาษาไทย",
    "العربية",
    "שָׁלוֹם",
    "e\u{301}\u{302}",
    "\t",
    "ﷺ",
    "\u{302}",
    "𒐫",
    " ",
];

fn messages_are_whole(seat: &Seat, count: usize, what: &str) {
    let lines = seat.terminal.lines();
    for n in 0..count {
        let whole = message(n);
        let found = lines.iter().filter(|line| line.ends_with(whole.trim_end())).count();
        assert_eq!(found, 1, "{what}: {whole:?} in {lines:#?}");
    }
}

/// A message of another member. Some are longer than a row.
fn message(n: usize) -> String {
    format!("15:10 bia  said {n} {}\n", "and more ".repeat(n % 7 * 3))
}

#[test]
fn no_message_is_lost_whatever_the_widths() {
    let mut terminals = Vec::new();
    for widths in MODELS {
        terminals.extend([(widths, false, false), (widths, true, false)]);
    }
    // Where a terminal is known, it counts as others do.
    terminals.push((Widths::Sum, true, true));
    for (seed, (widths, reflows, known)) in (0..200).zip(terminals.into_iter().cycle()) {
        evening(seed, widths, reflows, known);
    }
}

fn evening(seed: u64, widths: Widths, reflows: bool, known: bool) {
    let what = format!("seed {seed}, {widths:?}, reflows {reflows}, known {known}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let columns = dice.usize(20..=120);
    let mut seat = Seat::new(Emulator::new(widths, reflows, columns, HEIGHT), known);
    let mut said = 0;
    for _ in 0..25 {
        match dice.usize(0..12) {
            0..4 => {
                for _ in 0..dice.usize(1..8) {
                    let piece = PIECES[dice.usize(..PIECES.len())];
                    match dice.bool() {
                        true => seat.types(piece),
                        false => seat.press(Input::Paste(piece.into())),
                    }
                }
                seat.paint();
            }
            4 => seat.key(Code::Backspace),
            5 => seat.key(Code::Left),
            6 => seat.key(Code::Home),
            7 => {
                seat.press(Input::Paste("\n".into()));
                seat.paint();
            }
            8 => {
                // The terminal knows of its size before the program does, and something
                // is painted meanwhile.
                let columns = dice.usize(20..=120);
                seat.terminal.resize(columns);
                let soon = dice.bool();
                if soon {
                    seat.types("x");
                    seat.paint();
                }
                seat.columns = columns;
                seat.show("", !soon);
            }
            _ => {
                let text: String = (0..dice.usize(1..4)).map(|n| message(said + n)).collect();
                said += text.lines().count();
                seat.show(&text, true);
            }
        }
    }
    messages_are_whole(&seat, said, &what);
}

#[test]
fn one_prompt_is_left_where_the_terminal_is_known() {
    for (reflows, known) in [(false, false), (true, true)] {
        for seed in 0..100 {
            let mut dice = fastrand::Rng::with_seed(seed);
            let mut seat = Seat::new(Emulator::new(Widths::Sum, reflows, 80, HEIGHT), known);
            for n in 0..20 {
                match dice.usize(0..4) {
                    0 => seat.resize(dice.usize(20..=120)),
                    1 => seat.show(&message(n), true),
                    2 => seat.key(Code::Left),
                    _ => {
                        let length = dice.usize(1..60);
                        seat.types(&"palavra ".repeat(8)[..length]);
                        seat.paint();
                    }
                }
            }
            seat.show(&message(0), true);
            assert_eq!(seat.prompts(), 1, "{seed}: {:#?}", seat.terminal.lines());
        }
    }
}

#[test]
fn cursor_stands_on_its_character_whatever_the_widths() {
    for widths in MODELS {
        for piece in PIECES {
            let mut seat = Seat::new(Emulator::new(widths, false, 80, HEIGHT), false);
            seat.types(&format!("[{piece}]abc"));
            seat.paint();
            seat.key(Code::Left);
            assert_eq!(seat.terminal.at_cursor().1, "c", "{piece:?} {widths:?}");
            seat.types("Z");
            seat.paint();
            let (before, at) = seat.terminal.at_cursor();
            assert!(before.ends_with("]abZ"), "{piece:?} {widths:?}: {before:?}");
            assert_eq!(at, "c");
            seat.key(Code::Home);
            let (before, at) = seat.terminal.at_cursor();
            assert!(before == "ana> " && at.starts_with('['), "{piece:?} {widths:?}: {at:?}");
        }
    }
}

#[test]
fn second_emulator_shows_the_same() {
    let mut seat = Seat::new(Emulator::new(Widths::Sum, false, 60, HEIGHT), false);
    let size = |n| std::num::NonZeroU16::new(n).expect("it is not zero");
    let mut other = vt100::Parser::new(size(24), size(60), 100);
    let mut dice = fastrand::Rng::with_seed(1);
    let mut out = String::new();
    for n in 0..300 {
        match dice.usize(0..8) {
            0 => seat.press(Input::Key(Key::plain(Code::Backspace))),
            1 => seat.press(Input::Key(Key::plain(Code::Left))),
            2 => seat.press(Input::Key(Key::ctrl('u'))),
            3 => seat.press(Input::Paste("\n".into())),
            _ => seat.types(["a", "olá ", "日本", "e\u{301}", "word "][dice.usize(..5)]),
        }
        out.clear();
        let view = seat.line.view(Size { columns: 60, rows: HEIGHT });
        if n % 7 == 0 {
            seat.painting.print(&message(n), &mut out);
        }
        seat.painting.paint(&view, 60, &mut out);
        seat.terminal.send(&out);
        other.process(out.replace('\n', "\r\n").as_bytes());
        let rows: Vec<String> = view
            .rows
            .iter()
            .map(|row| row.iter().map(|piece| piece.text.as_str()).collect())
            .collect();
        let shown: Vec<String> = other.screen().rows(0, 60).collect();
        let last = shown.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        let shown: Vec<&str> = shown[..last].iter().map(|row| row.trim_end()).collect();
        let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
        let rows = &rows[..rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1)];
        assert!(shown.ends_with(rows), "{n}: {shown:#?} {rows:#?}");
    }
}

#[test]
fn keys_cost_little() {
    for columns in [20, 200] {
        let mut seat = Seat::new(Emulator::new(Widths::Sum, false, columns, HEIGHT), false);
        seat.sent = 0;
        for _ in 0..1500 {
            seat.types("x");
            seat.paint();
        }
        assert!(seat.sent < 20 * 1500, "{} bytes on {columns} columns", seat.sent);
        // Keys that wait are painted once.
        seat.sent = 0;
        seat.types(&"y".repeat(4000));
        seat.paint();
        assert!(seat.sent < 4000, "{} bytes", seat.sent);
        // Nothing new costs nothing.
        seat.sent = 0;
        seat.paint();
        assert_eq!(seat.sent, 0);
    }
}

#[test]
fn erased_rows_make_room_for_others() {
    let mut seat = Seat::new(Emulator::new(Widths::Sum, false, 20, HEIGHT), false);
    seat.types("a draft of more than one row");
    seat.paint();
    seat.key(Code::Home);
    let mut out = String::new();
    seat.painting.leave(&mut out);
    seat.terminal.send(&(out + "shell$"));
    assert_eq!(seat.terminal.lines(), ["ana> a draft of mor", "e than one row", "shell$"]);
    seat.terminal.send("\n");
    seat.paint();
    let mut out = String::new();
    seat.painting.erase(&mut out);
    seat.terminal.send(&(out + "end"));
    assert_eq!(seat.terminal.lines()[2..], ["shell$", "end"]);
}
