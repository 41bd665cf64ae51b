//! A terminal that counts columns as it likes, and may wrap its rows anew when it is
//! resized. It knows only what is sent to it here, and panics at anything else.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;
use vte::{Params, Parser, Perform};

/// How many columns a character takes, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widths {
    /// One, whatever it is.
    One,
    /// Two, if it is more than ASCII.
    Two,
    /// The sum of its parts.
    Sum,
}

/// The cells of a row. A wide character is followed by empty ones.
#[derive(Clone, Debug, Default)]
struct Row {
    cells: Vec<String>,
    /// It goes on in the next row.
    wrapped: bool,
}

pub struct Emulator {
    parser: Parser,
    grid: Grid,
}

struct Grid {
    widths: Widths,
    reflows: bool,
    columns: usize,
    height: usize,
    /// The rows that have left the screen, and those of the screen.
    rows: Vec<Row>,
    /// How many have left it.
    gone: usize,
    /// The row of the cursor among all, and its column.
    row: usize,
    column: usize,
    /// The next character begins a row.
    pending: bool,
    wraps: bool,
}

impl Emulator {
    pub fn new(widths: Widths, reflows: bool, columns: usize, height: usize) -> Emulator {
        let grid = Grid {
            widths,
            reflows,
            columns,
            height,
            rows: vec![Row::default()],
            gone: 0,
            row: 0,
            column: 0,
            pending: false,
            wraps: true,
        };
        Emulator { parser: Parser::new(), grid }
    }

    pub fn send(&mut self, text: &str) {
        self.parser.advance(&mut self.grid, text.as_bytes());
    }

    pub fn columns(&self) -> usize {
        self.grid.columns
    }

    pub fn wraps(&self) -> bool {
        self.grid.wraps
    }

    /// All lines that were ever shown and not taken back. Rows that go on are joined.
    pub fn lines(&self) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for row in &self.grid.rows {
            line += &row.cells.concat();
            if !row.wrapped {
                lines.push(std::mem::take(&mut line).trim_end().to_string());
            }
        }
        lines
    }

    /// The text before the cursor in its row, and the character at it.
    pub fn at_cursor(&self) -> (String, String) {
        let cells = &self.grid.rows[self.grid.row].cells;
        let column = self.grid.column.min(cells.len());
        (cells[..column].concat(), cells.get(column).cloned().unwrap_or_default())
    }

    /// Makes the window wider or narrower.
    pub fn resize(&mut self, columns: usize) {
        let grid = &mut self.grid;
        grid.columns = columns;
        grid.pending = false;
        if grid.reflows {
            grid.reflow();
        }
        grid.column = grid.column.min(columns - 1);
        grid.scroll();
    }
}

impl Grid {
    /// Wraps all rows anew, and leaves the cursor on its character.
    fn reflow(&mut self) {
        let (mut rows, mut cursor) = (vec![Row::default()], None);
        for (at, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let mut cells = row.cells.into_iter().enumerate().peekable();
            while let Some((column, cell)) = cells.next() {
                // A wide character stays whole.
                let mut width = 1;
                while cells.next_if(|(_, next)| next.is_empty()).is_some() {
                    width += 1;
                }
                let last: &mut Row = rows.last_mut().expect("there is a row");
                if !last.cells.is_empty() && last.cells.len() + width > self.columns {
                    last.wrapped = true;
                    rows.push(Row::default());
                }
                let here = rows.len() - 1;
                if at == self.row && column <= self.column && self.column < column + width {
                    cursor = Some((here, rows[here].cells.len()));
                }
                rows[here].cells.push(cell);
                rows[here].cells.extend((1..width).map(|_| String::new()));
            }
            let here = rows.len() - 1;
            if at == self.row && cursor.is_none() {
                cursor = Some((here, rows[here].cells.len().min(self.columns - 1)));
            }
            if !row.wrapped {
                rows.push(Row::default());
            }
        }
        rows.pop();
        self.rows = rows;
        (self.row, self.column) = cursor.expect("the cursor is in a row");
        self.gone = self.rows.len().saturating_sub(self.height).min(self.row);
    }

    fn row(&mut self) -> &mut Row {
        &mut self.rows[self.row]
    }

    fn scroll(&mut self) {
        self.gone = self.gone.max((self.row + 1).saturating_sub(self.height));
    }

    fn line_feed(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Row::default());
        }
        self.pending = false;
        self.scroll();
    }

    fn width(&self, c: char) -> usize {
        match self.widths {
            _ if c.is_ascii() => 1,
            Widths::One => 1,
            Widths::Two => 2,
            Widths::Sum => c.width().unwrap_or(1),
        }
    }

    /// The cell that a character joins, because it is a part of what is there.
    fn joins(&self, c: char) -> Option<usize> {
        if c.is_ascii() {
            return None;
        }
        let end = if self.pending { self.columns } else { self.column };
        let cells = &self.rows[self.row].cells;
        let cell = (0..end.min(cells.len())).rev().find(|&at| !cells[at].is_empty())?;
        let joined = format!("{}{c}", cells[cell]);
        let is_one = match self.widths {
            Widths::Sum => c.width() == Some(0),
            Widths::One | Widths::Two => joined.graphemes(true).count() == 1,
        };
        is_one.then_some(cell)
    }
}

impl Perform for Grid {
    fn print(&mut self, c: char) {
        if let Some(cell) = self.joins(c) {
            return self.row().cells[cell].push(c);
        }
        let width = self.width(c);
        if width == 0 {
            return;
        }
        if self.pending || self.column + width > self.columns {
            if self.wraps {
                self.row().wrapped = true;
                self.line_feed();
                self.column = 0;
            } else {
                self.column = self.columns - width.min(self.columns);
            }
            self.pending = false;
        }
        let (column, columns) = (self.column, self.columns);
        let cells = &mut self.row().cells;
        while cells.len() < column + width {
            cells.push(" ".into());
        }
        // A wide character of which a part is covered is gone.
        if cells[column].is_empty() {
            let start = (0..column).rev().find(|&at| !cells[at].is_empty()).unwrap_or(0);
            cells[start..column].fill(" ".into());
        }
        let mut end = column + width;
        while cells.get(end).is_some_and(String::is_empty) {
            cells[end] = " ".into();
            end += 1;
        }
        cells[column] = c.into();
        cells[column + 1..column + width].fill(String::new());
        self.column += width;
        self.pending = self.column >= columns;
        self.column = self.column.min(columns - 1);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => (self.column, self.pending) = (0, false),
            // The system has put a return before it.
            b'\n' => {
                self.column = 0;
                self.line_feed();
            }
            7 => (),
            _ => panic!("control {byte}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let number = usize::from(params.iter().next().map_or(0, |first| first[0]));
        let count = number.max(1);
        self.pending &= matches!(action, 'h' | 'l' | 'm');
        match (intermediates, action) {
            (b"", 'A') => self.row = self.row.saturating_sub(count).max(self.gone),
            (b"", 'B') => {
                self.row = (self.row + count).min(self.gone + self.height - 1);
                while self.rows.len() <= self.row {
                    self.rows.push(Row::default());
                }
            }
            (b"", 'C') => self.column = (self.column + count).min(self.columns - 1),
            (b"", 'K') => {
                let column = self.column;
                self.row().cells.truncate(column);
            }
            (b"", 'J') => {
                let column = self.column;
                self.row().cells.truncate(column);
                self.row().wrapped = false;
                self.rows.truncate(self.row + 1);
            }
            (b"", 'm') => (),
            (b"?", 'h' | 'l') if number == 7 => self.wraps = action == 'h',
            (b"?", 'h' | 'l') => (),
            _ => panic!("CSI {intermediates:?} {params:?} {action}"),
        }
    }
}
