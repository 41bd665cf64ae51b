//! The page itself, as one answer: markup, style and script, without any other resource.

use std::sync::LazyLock;

const HEAD: &str = include_str!("page/head.html");
const STYLE: &str = include_str!("page/page.css");
const BODY: &str = include_str!("page/body.html");
/// The script, one scope for all of its files. ECMAScript 2015, for old phones.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(function () {\n",
    include_str!("page/texts.js"),
    include_str!("page/room.js"),
    include_str!("page/screen.js"),
    include_str!("page/controls.js"),
    "})();\n",
);

/// Where people get the program.
const RELEASES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/releases");

/// The whole page, at most 45 KiB.
pub static PAGE: LazyLock<String> = LazyLock::new(|| {
    let (style, script) = (style(), script());
    [
        &markup(HEAD),
        "<style>",
        &style,
        "</style>\n</head>\n",
        &markup(&BODY.replace("{releases}", RELEASES)),
        "<script>",
        &script,
        "</script>",
    ]
    .concat()
});

/// Markup without its indentation, and without quotes around values of one word.
fn markup(text: &str) -> String {
    let text: String = text.lines().map(|line| line.trim_start().to_string() + "\n").collect();
    let parts: Vec<&str> = text.split('"').collect();
    let is_word = |value: &str| {
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut all = String::new();
    for (at, part) in parts.iter().enumerate() {
        let is_value = at % 2 == 1;
        match is_value && is_word(part) && parts[at + 1].starts_with([' ', '>']) {
            true => all.push_str(part),
            false if is_value => all.extend(["\"", part, "\""]),
            false => all.push_str(part),
        }
    }
    all
}

fn style() -> String {
    condensed(STYLE, |before, after| "{};:,>".contains(before) || "{};,>".contains(after))
}

fn script() -> String {
    const SIGNS: &str = "=+-*<>?:&|,;(){}[]!%";
    condensed(SCRIPT, |before, after| SIGNS.contains(before) || SIGNS.contains(after))
}

/// A file without its indentation, its comments, the blanks between two characters that
/// need none there, and the ends of lines after what ends a statement or begins a list: 70 %
/// of its bytes. No text of the page goes over the end of a line, or has a blank before and
/// after two slashes. A line of the script that ends in a brace ends a block.
fn condensed(file: &str, is_idle: fn(char, char) -> bool) -> String {
    let lines = file.lines().map(|line| line.split(" // ").next().unwrap_or(line).trim());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let mut all = String::new();
    for line in lines {
        // Other strings, patterns and escaped quotes are left as they are.
        let has_pattern = line.split('"').step_by(2).any(|code| code.contains('/'));
        let is_plain = !has_pattern && !line.contains(['\'', '`', '\\']);
        for (at, part) in line.split('"').enumerate() {
            if at > 0 {
                all.push('"');
            }
            let (is_code, mut before) = (is_plain && at % 2 == 0, '"');
            let mut rest = part.chars().peekable();
            while let Some(c) = rest.next() {
                let after = *rest.peek().unwrap_or(&'"');
                if !(is_code && c == ' ' && is_idle(before, after)) {
                    all.push(c);
                    before = c;
                }
            }
        }
        if !line.ends_with([';', ',', '{', '}', '(']) {
            all.push('\n');
        }
    }
    all
}

/// The picture for the page's tab.
pub const ICON: &str = include_str!("page/icon.svg");

/// SHA-256 of the style and of the script, in base64, for the Content-Security-Policy. A
/// test compares them with the files and says what they should be.
pub const STYLE_SHA256: &str = "Z2Ri/0kTUeTkhcxriUbmX8xCTsHBCeVtW/UuaKnn8r4=";
/// See [`STYLE_SHA256`].
pub const SCRIPT_SHA256: &str = "IQpoSy1jhYt7Y3imU3tM02znoZRxPslF1J6SEiirEqw=";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn policy_names_the_hashes_of_style_and_script() {
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        assert_eq!(STYLE_SHA256, hash(&style()), "STYLE_SHA256");
        assert_eq!(SCRIPT_SHA256, hash(&script()), "SCRIPT_SHA256");
    }

    #[test]
    fn page_is_small_and_needs_nothing_else() {
        assert!(PAGE.len() < 45 << 10, "{} bytes", PAGE.len());
        // A link that people may follow is none of what the page needs.
        let needed = PAGE.replace(&format!("<a href=\"{RELEASES}\""), "<a");
        for outside in ["src=\"http", "href=\"http", "@import", "url(", "innerHTML", "eval("] {
            assert!(!needed.contains(outside), "{outside}");
        }
        assert!(!PAGE.contains(" style=\""), "the policy stops style attributes");
        assert!(!PAGE.contains(" onclick=\""), "the policy stops handlers in attributes");
    }

    /// The keys of one table of texts in the script.
    fn keys(table: &str) -> Vec<&str> {
        let start = SCRIPT.find(&format!("const {table} = {{")).expect("the table is there");
        let body = &SCRIPT[start..];
        let body = &body[..body.find("\n};").expect("the table ends")];
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut keys = Vec::new();
        for line in body.lines().skip(1) {
            let line = line.trim();
            let key = line.split(|c| !word(c)).next().unwrap_or_default();
            if line[key.len()..].starts_with(':') {
                keys.push(key);
            }
        }
        keys
    }

    #[test]
    fn both_languages_have_the_same_texts() {
        assert!(keys("ENGLISH").len() > 40);
        assert_eq!(keys("ENGLISH"), keys("PORTUGUESE"));
    }

    #[test]
    fn texts_that_count_have_a_form_for_one() {
        let counts = SCRIPT.lines().filter(|line| line.contains(": n => "));
        let (one, same): (Vec<_>, Vec<_>) = counts.partition(|line| line.contains("n === 1"));
        assert!(one.len() > 5, "{one:?}");
        // "1 new", "and 1 more", "e mais 1".
        let keys = same.iter().filter_map(|line| line.trim().split(':').next());
        assert_eq!(keys.collect::<Vec<_>>(), ["below", "more", "more"]);
    }

    #[test]
    fn every_text_that_the_markup_names_exists() {
        for attribute in ["data-text=\"", "data-label=\""] {
            for rest in BODY.split(attribute).skip(1) {
                let key = rest.split('"').next().unwrap();
                assert!(keys("ENGLISH").contains(&key), "{key}");
            }
        }
    }

    #[test]
    fn script_speaks_of_every_refusal() {
        // No page is served where a client must begin a channel, and a page begins none.
        use crate::wire::Refusal::{
            self, BadHandshake, EncryptionRequired, TooManyGuesses, WrongPassword,
        };
        for refusal in Refusal::ALL {
            if matches!(refusal, BadHandshake | EncryptionRequired | TooManyGuesses | WrongPassword)
            {
                continue;
            }
            assert!(keys("ENGLISH").contains(&refusal.code()), "{}", refusal.code());
        }
    }
}
