//! Recorded terminals as one SVG.
//!
//! The last state of the screens is a still picture. Before, a row has shown other
//! things, which are drawn in the same place and hidden; where a viewer can animate and
//! may, it shows each for as long as it was there. It does so once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use vt100::{Cell, Color, Parser, Screen};

/// A character, in pixels, and what is around.
const WIDTH: f32 = 8.4;
const HEIGHT: u16 = 19;
const SIZE: u16 = 14;
/// From the top of a row to where its letters stand.
const BASELINE: u16 = 14;
/// The bar on top of a window, and what is left free inside.
const BAR: u16 = 32;
const MARGIN: u16 = 14;
/// Between windows.
const GAP: u16 = 16;
/// A state that lasted less is not seen.
const BLINK: Duration = Duration::from_millis(25);

/// The sixteen colours of a dark terminal.
const COLOURS: [&str; 16] = [
    "#6e7681", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#c9d1d9",
    "#8b949e", "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#ffffff",
];

/// A terminal and what was to be seen on it.
pub struct Window {
    title: &'static str,
    cols: u16,
    rows: u16,
    /// The content of each row, and from when on.
    shown: Vec<Vec<(Instant, Row)>>,
    begin: Instant,
    text: String,
}

/// The content of a row.
#[derive(Clone, Default, PartialEq, Eq)]
struct Row {
    runs: Vec<Run>,
    cursor: Option<u16>,
}

/// Characters that look the same, from a column on.
#[derive(Clone, PartialEq, Eq)]
struct Run {
    col: u16,
    cols: u16,
    class: String,
    text: String,
}

impl Window {
    pub fn of(
        title: &'static str,
        (cols, rows): (u16, u16),
        film: &[(Instant, Vec<u8>)],
    ) -> Window {
        let cells = |count| NonZeroU16::new(count).expect("a terminal has cells");
        let mut terminal = Parser::new(cells(rows), cells(cols), 0);
        let begin = film.first().expect("something was shown").0;
        let mut shown: Vec<Vec<(Instant, Row)>> = vec![vec![(begin, Row::default())]; rows.into()];
        for (when, bytes) in film {
            terminal.process(bytes);
            for (row, shown) in (0..).zip(&mut shown) {
                let now = Row::of(terminal.screen(), row);
                let (since, last) = shown.last_mut().expect("it shows something");
                if *last == now {
                    continue;
                }
                match *when < *since + BLINK {
                    true => *last = now,
                    false => shown.push((*when, now)),
                }
            }
        }
        for shown in &mut shown {
            shown.dedup_by(|later, earlier| later.1 == earlier.1);
        }
        let text = terminal.screen().contents().trim_end().to_string();
        Window { title, cols, rows, shown, begin, text }
    }

    fn width(&self) -> u16 {
        (f32::from(self.cols) * WIDTH).ceil() as u16 + 2 * MARGIN
    }

    fn height(&self) -> u16 {
        BAR + self.rows * HEIGHT + 2 * MARGIN
    }
}

impl Row {
    fn of(screen: &Screen, row: u16) -> Row {
        let (_, cols) = screen.size();
        let (at, col) = screen.cursor_position();
        let cursor = (at == row && !screen.hide_cursor()).then_some(col);
        let mut runs: Vec<Run> = Vec::new();
        for col in 0..cols.get() {
            let cell = screen.cell(row, col).expect("it is on the screen");
            // The text behind blanks has a place of its own, so that columns stay columns
            // whatever the font.
            if cell.is_wide_continuation() || matches!(cell.contents(), "" | " ") {
                continue;
            }
            let (class, cols) = (class(cell), if cell.is_wide() { 2 } else { 1 });
            match runs.last_mut() {
                Some(run) if run.class == class && run.col + run.cols + 1 >= col => {
                    run.text += &" ".repeat((col - run.col - run.cols).into());
                    run.text += cell.contents();
                    run.cols = col + cols - run.col;
                }
                _ => runs.push(Run { col, cols, class, text: cell.contents().into() }),
            }
        }
        Row { runs, cursor }
    }
}

/// The names of what a character looks like.
fn class(cell: &Cell) -> String {
    let other = cell.inverse() || cell.italic() || cell.underline();
    assert!(!other && cell.bgcolor() == Color::Default, "nobody has drawn such a cell so far");
    let mut class = String::new();
    match cell.fgcolor() {
        Color::Default => (),
        Color::Idx(colour) if colour < 232 => write!(class, "f{colour} ").expect("it is memory"),
        colour => panic!("nobody has drawn {colour:?} so far"),
    }
    class += if cell.bold() { "b " } else { "" };
    class += if cell.dim() { "d " } else { "" };
    class.trim_end().to_string()
}

/// Draws two columns of two windows, the left one first.
pub fn draw(name: &str, windows: &[Window; 4]) -> String {
    // Not before all are there.
    let begin = windows.iter().map(|window| window.begin).max().expect("there are some");
    let mut body = String::new();
    let mut classes = BTreeMap::new();
    let (mut x, mut width, mut height) = (0, 0, 0);
    for column in windows.chunks(2) {
        let mut y = 0;
        for window in column {
            draw_window(&mut body, window, x, y, begin, &mut classes);
            width = width.max(x + window.width());
            height = height.max(y + window.height());
            y += window.height() + GAP;
        }
        x = width + GAP;
    }
    let mut styles = String::new();
    for (class, style) in classes {
        writeln!(styles, ".{class}{{{style}}}").expect("it is memory");
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title desc">
<title id="title">{}</title>
<desc id="desc">
{}</desc>
<!-- A recorded session, drawn by tests/it/lan/picture.rs -->
<style>
text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#e6edf3;white-space:pre}}
.t{{fill:#8b949e;text-anchor:middle}}
.w{{fill:#0d1117;stroke:#3d444d}}
.m{{fill:#3d444d}}
.c{{fill:#e6edf3;opacity:.75}}
.p{{visibility:hidden}}
{styles}@keyframes s{{from,to{{visibility:visible}}}}
@keyframes h{{from,to{{visibility:hidden}}}}
@media(prefers-reduced-motion:reduce){{g{{animation:none!important}}}}
</style>
{body}</svg>
"##,
        escaped(name),
        escaped(&text(windows)),
    )
}

fn draw_window(
    body: &mut String,
    window: &Window,
    x: u16,
    y: u16,
    begin: Instant,
    classes: &mut BTreeMap<String, String>,
) {
    let (width, height) = (window.width(), window.height());
    let mut line = |text: std::fmt::Arguments| writeln!(body, "{text}").expect("it is memory");
    line(format_args!(r#"<g transform="translate({x} {y})">"#));
    line(format_args!(
        r#"<rect class="w" x=".5" y=".5" width="{}" height="{}" rx="9"/>"#,
        width - 1,
        height - 1,
    ));
    for dot in 0..3 {
        let middle = 18 + 18 * dot;
        line(format_args!(r#"<circle class="m" cx="{middle}" cy="{}" r="5"/>"#, BAR / 2));
    }
    line(format_args!(r#"<path class="m" d="M1 {BAR}h{}v1h-{0}z"/>"#, width - 2));
    line(format_args!(
        r#"<text class="t" x="{}" y="{}">{}</text>"#,
        width / 2,
        BAR / 2 + 5,
        escaped(window.title),
    ));
    line(format_args!(r#"<g transform="translate({MARGIN} {})">"#, BAR + MARGIN));
    for (row, shown) in (0..).zip(&window.shown) {
        let top = row * HEIGHT;
        for (n, (from, what)) in shown.iter().enumerate() {
            if what.runs.is_empty() && what.cursor.is_none() {
                continue;
            }
            let delay = from.saturating_duration_since(begin).as_secs_f32();
            match shown.get(n + 1) {
                Some((until, _)) => {
                    let long = until.saturating_duration_since(begin).as_secs_f32() - delay;
                    line(format_args!(
                        r#"<g class="p" style="animation:s {long:.3}s {delay:.3}s">"#
                    ));
                }
                None => line(format_args!(r#"<g style="animation:h {delay:.3}s">"#)),
            }
            if let Some(col) = what.cursor {
                line(format_args!(
                    r#"<rect class="c" x="{:.1}" y="{}" width="{WIDTH}" height="{HEIGHT}"/>"#,
                    f32::from(col) * WIDTH,
                    top,
                ));
            }
            for run in &what.runs {
                for class in run.class.split(' ').filter(|class| !class.is_empty()) {
                    classes.entry(class.to_string()).or_insert_with(|| style(class));
                }
                let class = match &*run.class {
                    "" => String::new(),
                    class => format!(r#" class="{class}""#),
                };
                line(format_args!(
                    r#"<text x="{:.1}" y="{}" textLength="{:.1}"{class}>{}</text>"#,
                    f32::from(run.col) * WIDTH,
                    top + BASELINE,
                    f32::from(run.cols) * WIDTH,
                    escaped(&run.text),
                ));
            }
            line(format_args!("</g>"));
        }
    }
    line(format_args!("</g>"));
    line(format_args!("</g>"));
}

fn style(class: &str) -> String {
    match class {
        "b" => "font-weight:bold".into(),
        "d" => "opacity:.6".into(),
        _ => format!("fill:{}", colour(class[1..].parse().expect("it is a colour"))),
    }
}

/// A colour by its number: one of the sixteen, or of the cube of 216 behind them.
fn colour(number: usize) -> String {
    const PARTS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let Some(cube) = number.checked_sub(COLOURS.len()) else { return COLOURS[number].into() };
    let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(|part| PARTS[part]);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The text to be read in the windows at the end.
pub fn text(windows: &[Window]) -> String {
    let texts = windows.iter().map(|window| format!("{}\n{}\n", window.title, window.text));
    texts.collect::<Vec<_>>().join("\n")
}

/// The same, from the description of a picture.
pub fn text_in(picture: &str) -> String {
    let (_, rest) = picture.split_once("<desc id=\"desc\">\n").expect("it has a description");
    let (text, _) = rest.split_once("</desc>").expect("it ends");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
