//! The rows at the bottom of the terminal -> the bytes that paint them. Pure.
//!
//! The contract: nothing above the first own row is ever touched, however the terminal
//! counts columns. Therefore the terminal's own wrapping is off while rows are painted.
//! A wrong guess costs a column and never a row. The cursor moves up only by rows that
//! were painted here.

use std::fmt::Write as _;

use crate::terminal::layout::{Piece, Row, Style, View};

/// The terminal breaks rows that are too long, or does not.
const WRAP: &str = "\x1b[?7h";
const NO_WRAP: &str = "\x1b[?7l";
/// A terminal shows the bytes in between at once.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

/// The rows that are painted at the bottom of the terminal.
#[derive(Debug, Default)]
pub struct Painting {
    /// No row while nothing is painted.
    rows: Vec<Row>,
    /// The row of the cursor, and the pieces before it.
    cursor: (usize, usize),
    /// How many columns the screen had then.
    columns: usize,
    /// The window has changed since.
    moved: Option<Moved>,
}

/// Where the cursor is in a window that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moved {
    /// How many rows are above it, at least.
    above: usize,
    /// The row above those may go on in the first of them.
    gap: bool,
}

/// A window that has changed, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub columns: usize,
    /// The terminal wraps its rows anew.
    pub reflows: bool,
    /// Nothing was painted for some time before the change, and nothing has changed since.
    pub calm: bool,
}

impl Painting {
    /// Takes note of the width of the screen.
    ///
    /// A terminal that wraps its rows anew has moved the cursor down. By how much is only
    /// known if it counts columns as expected, and has this width at this moment. If not,
    /// some rows of the prompt are left over, but no message is taken for one.
    pub fn resized(&mut self, Change { columns, reflows, calm }: Change) {
        if columns == self.columns || self.rows.is_empty() {
            return;
        }
        let wraps = reflows && self.wraps_at(columns);
        let above = if wraps && calm { self.rows_above(columns) } else { self.cursor.0 };
        self.moved = Some(Moved { above, gap: wraps && !calm });
    }

    /// Whether a terminal that wraps its rows anew has moved the cursor down.
    pub fn wraps_at(&self, columns: usize) -> bool {
        !self.rows.is_empty() && columns < self.columns && self.rows_above(columns) > self.cursor.0
    }

    /// How many rows are above the cursor, at least, where all are wrapped anew.
    fn rows_above(&self, columns: usize) -> usize {
        let columns = columns.max(1);
        let least = |pieces: &[Piece]| pieces.iter().map(|piece| piece.least).sum::<usize>();
        let (row, piece) = self.cursor;
        let above = self.rows[..row].iter().map(|row| least(row).div_ceil(columns).max(1));
        let before = least(&self.rows[row][..piece]);
        // Behind the last column, the cursor may still be in the row.
        let is_last = piece == self.rows[row].len();
        above.sum::<usize>() + before.saturating_sub(usize::from(is_last)) / columns
    }

    /// Paints what is to be seen. The less has changed, the less is sent.
    pub fn paint(&mut self, view: &View, columns: usize, out: &mut String) {
        if self.moved.is_some() {
            self.erase(out);
        }
        self.columns = columns;
        if view.rows.is_empty() {
            return self.erase(out);
        }
        if self.rows == view.rows && self.cursor == view.cursor {
            return;
        }
        let start = out.len();
        let mut pen = Pen::at(self.cursor);
        if self.rows.is_empty() {
            pen.at = Some((0, 0));
            out.push('\r');
        }
        *out += NO_WRAP;
        let known = self.rows.len();
        for (at, row) in view.rows.iter().enumerate() {
            if at >= known {
                if at > 0 {
                    pen.go_to_row(at - 1, out);
                    out.push('\n');
                }
                pen.row = at;
                pen.at = Some((at, 0));
                pen.write(row, 0, out);
            } else if self.rows[at] != *row {
                pen.repaint(at, &self.rows[at], row, out);
            }
        }
        if view.rows.len() < known {
            pen.go_to_row(view.rows.len(), out);
            *out += "\r\x1b[J";
            pen.at = Some((view.rows.len(), 0));
        }
        let (row, piece) = view.cursor;
        pen.go_to(row, &view.rows[row], piece, out);
        *out += WRAP;
        if out.len() == start + NO_WRAP.len() + WRAP.len() {
            out.truncate(start);
        }
        view.rows.clone_into(&mut self.rows);
        self.cursor = view.cursor;
    }

    /// Shows a text above what is painted: lines with their ends. The rows have to be
    /// painted anew behind it.
    pub fn print(&mut self, text: &str, out: &mut String) {
        self.erase(out);
        *out += text;
    }

    /// Takes the rows away.
    pub fn erase(&mut self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        let Moved { above, gap } = self.moved.unwrap_or(Moved { above: self.cursor.0, gap: false });
        up(above, out);
        *out += "\r\x1b[J";
        if gap {
            out.push('\n'); // Rows that are left over do not go on in the next ones.
        }
        self.forget();
    }

    /// Leaves the rows where they are, and begins a line below them.
    pub fn leave(&mut self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        if self.moved.is_none() {
            down(self.rows.len() - 1 - self.cursor.0, out);
        }
        *out += "\n\x1b[J";
        self.forget();
    }

    /// The terminal is another program's for a while: nothing is painted.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.cursor = (0, 0);
        self.moved = None;
    }
}

/// Makes a terminal show what comes in between as one change.
pub fn at_once(out: &mut String, change: impl FnOnce(&mut String)) {
    *out += BEGIN_UPDATE;
    change(out);
    *out += END_UPDATE;
}

/// The cursor while rows are painted.
struct Pen {
    row: usize,
    /// The row and the piece that the cursor is before, where that is known.
    at: Option<(usize, usize)>,
}

impl Pen {
    fn at(cursor: (usize, usize)) -> Pen {
        Pen { row: cursor.0, at: Some(cursor) }
    }

    /// Goes to a row that is painted already, whatever the column.
    fn go_to_row(&mut self, row: usize, out: &mut String) {
        if row != self.row {
            up(self.row.saturating_sub(row), out);
            down(row.saturating_sub(self.row), out);
            self.row = row;
            self.at = None;
        }
    }

    /// Writes a row from a piece on, in front of which the cursor is.
    fn write(&mut self, row: &Row, from: usize, out: &mut String) {
        let mut style = Style::Plain;
        for piece in &row[from..] {
            if piece.style != style {
                style = piece.style;
                *out += match style {
                    Style::Plain => "\x1b[0m",
                    Style::Bold => "\x1b[1m",
                    Style::Dim => "\x1b[2m",
                };
            }
            *out += &piece.text;
        }
        if style != Style::Plain {
            *out += "\x1b[0m";
        }
        self.at = Some((self.row, row.len()));
    }

    /// Changes a row into another one.
    fn repaint(&mut self, at: usize, old: &Row, new: &Row, out: &mut String) {
        let mut same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        self.go_to_row(at, out);
        if self.at != Some((at, same)) {
            // Only a place behind characters of a certain width can be gone to.
            same = new[..same].iter().take_while(|piece| piece.is_sure()).count();
            to_column(&new[..same], out);
        }
        self.write(new, same, out);
        if old.len() > same {
            *out += "\x1b[K";
        }
    }

    /// Goes in front of a piece of a row.
    fn go_to(&mut self, at: usize, row: &Row, piece: usize, out: &mut String) {
        self.go_to_row(at, out);
        if self.at == Some((at, piece)) {
            return;
        }
        if row[..piece].iter().all(Piece::is_sure) {
            to_column(&row[..piece], out);
        } else {
            // However the terminal shows these, the cursor is behind them.
            out.push('\r');
            self.write(&row[..piece].to_vec(), 0, out);
        }
        self.at = Some((at, piece));
    }
}

/// Goes behind pieces of a certain width, in the same row.
fn to_column(pieces: &[Piece], out: &mut String) {
    out.push('\r');
    let column: usize = pieces.iter().map(|piece| piece.most).sum();
    if column > 0 {
        write!(out, "\x1b[{column}C").expect("a string takes all it is given");
    }
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        write!(out, "\x1b[{rows}A").expect("a string takes all it is given");
    }
}

fn down(rows: usize, out: &mut String) {
    if rows > 0 {
        write!(out, "\x1b[{rows}B").expect("a string takes all it is given");
    }
}

#[cfg(test)]
mod tests;
