//! The code that a phone scans: an address as a QR code, for a terminal and for the page.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// The width of the light border around a code, in modules (ISO/IEC 18004).
const BORDER: i32 = 4;

/// How many columns a terminal needs for the code of an IPv6 address with its port, the
/// widest that there is.
pub const COLUMNS: usize = 40;

/// The code of a text. The level of error correction rises while the size stays.
fn encode(text: &str) -> Option<QrCode> {
    QrCode::encode_text(text, QrCodeEcc::Low).ok() // It fails beyond 2,953 bytes.
}

/// The code of `url` as lines of a terminal, two rows of modules in each.
///
/// The lines are black and white whatever the terminal's colours are: colours 231 and 16
/// of the fixed 256. What is light is drawn and what is dark is left out, because many
/// fonts leave a gap between lines: a dark hairline through a light area does little harm,
/// but a light one through the dark corners makes a code unreadable.
pub fn terminal_rows(url: &str) -> Vec<String> {
    let Some(code) = encode(url) else { return Vec::new() };
    let end = code.size() + BORDER;
    // Modules outside of the code are light; a half row below the border is not drawn.
    let is_light = |x, y| y < end && !code.get_module(x, y);
    let line = |y| {
        let modules = (-BORDER..end).map(|x| match (is_light(x, y), is_light(x, y + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        });
        format!("\x1b[38;5;231;48;5;16m{}\x1b[0m", modules.collect::<String>())
    };
    (-BORDER..end).step_by(2).map(line).collect()
}

/// The code of `url` as an image, one unit for each module.
pub fn svg(url: &str) -> String {
    let Some(code) = encode(url) else { return String::new() };
    let side = code.size() + 2 * BORDER;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|&x| code.get_module(x, y)) {
            write!(path, "M{},{}h1v1h-1z", x + BORDER, y + BORDER).expect("a string takes it");
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0,0h{side}v{side}H0z\"/>\
         <path d=\"{path}\"/></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    const URL: &str = "http://192.168.1.100:9080/";

    /// A picture of terminal lines as PGM: `scale` pixels a module on paper of this grey. As
    /// in xterm, `gap` pixels of each line are below its blocks, in the colour behind them.
    fn picture(lines: &[String], scale: usize, gap: usize, paper: u8) -> Vec<u8> {
        let margin = 3 * scale;
        let mut rows: Vec<Vec<u8>> = vec![];
        let width = |line: &str| line.chars().count() * scale + 2 * margin;
        let texts: Vec<String> = lines
            .iter()
            .map(|line| line.replace("\x1b[38;5;231;48;5;16m", "").replace("\x1b[0m", ""))
            .collect();
        let blank = vec![paper; width(&texts[0])];
        rows.extend(vec![blank.clone(); margin]);
        for text in &texts {
            for half in 0..2 {
                let mut row = vec![paper; margin];
                for character in text.chars() {
                    let light = match character {
                        '█' => true,
                        '▀' => half == 0,
                        '▄' => half == 1,
                        _ => false,
                    };
                    row.extend(vec![if light { 255 } else { 0 }; scale]);
                }
                row.extend(vec![paper; margin]);
                rows.extend(vec![row; scale]);
            }
            let mut below = blank.clone();
            below[margin..blank.len() - margin].fill(0);
            rows.extend(vec![below; gap]);
        }
        rows.extend(vec![blank.clone(); margin]);
        let mut pgm = format!("P5 {} {} 255\n", blank.len(), rows.len()).into_bytes();
        pgm.extend(rows.concat());
        pgm
    }

    #[test]
    #[cfg_attr(windows, ignore = "zbarimg is tried on Unix")]
    fn scanner_reads_the_code_from_a_terminal() {
        let scan = Command::new("zbarimg").arg("--version").output();
        if scan.is_err() {
            let required = std::env::var_os("MINICHAT_REQUIRE_TOOLS").is_some();
            assert!(!required, "zbarimg is missing (zbar-tools)");
            return eprintln!("skipped: there is no zbarimg");
        }
        for url in [URL, "http://10.0.0.1:9080/", "http://[fd77:1234:5678:9abc::1]:9080/"] {
            for (scale, gap, paper) in [(6, 0, 0), (6, 0, 255), (8, 1, 255), (8, 1, 0), (8, 0, 225)]
            {
                let mut zbar = Command::new("zbarimg")
                    .args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-"])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                let image = picture(&terminal_rows(url), scale, gap, paper);
                zbar.stdin.take().unwrap().write_all(&image).unwrap();
                let read = String::from_utf8(zbar.wait_with_output().unwrap().stdout).unwrap();
                assert_eq!(read.trim_end(), url, "{scale} pixels, a gap of {gap}, paper {paper}");
            }
        }
    }

    #[test]
    fn code_of_an_address_fits_beside_a_prompt() {
        let lines = terminal_rows(URL);
        let columns = lines[0].chars().filter(|c| " ▀▄█".contains(*c)).count();
        assert_eq!((lines.len(), columns), (17, 33));
    }

    #[test]
    fn image_is_black_on_white() {
        let svg = svg(URL);
        assert!(svg.contains("viewBox=\"0 0 33 33\"") && svg.contains("fill=\"#fff\""));
    }
}
