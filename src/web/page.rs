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

/// The whole page, at most 45,000 bytes.
pub static PAGE: LazyLock<String> = LazyLock::new(|| {
    let (style, script) = (condensed(STYLE), condensed(SCRIPT));
    [
        HEAD,
        "<style>",
        &style,
        "</style>\n</head>\n",
        BODY,
        "<script>",
        &script,
        "</script>\n</body>\n</html>\n",
    ]
    .concat()
});

/// A file without its indentation and its lines of comment, a sixth of its bytes. No text
/// of the page goes over the end of a line.
fn condensed(file: &str) -> String {
    let lines =
        file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The picture for the page's tab.
pub const ICON: &str = include_str!("page/icon.svg");

/// SHA-256 of the style and of the script, in base64, for the Content-Security-Policy. A
/// test compares them with the files and says what they should be.
pub const STYLE_SHA256: &str = "5eTV0YPST7L6v7bsWrjPjRsIAOPXtRcVCJtzrUtJBb0=";
/// See [`STYLE_SHA256`].
pub const SCRIPT_SHA256: &str = "uWkFidUsNPtmqlNxoz0zYUQ6tHcQWtmc3p6r7yzgqqI=";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn policy_names_the_hashes_of_style_and_script() {
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        assert_eq!(STYLE_SHA256, hash(&condensed(STYLE)), "STYLE_SHA256");
        assert_eq!(SCRIPT_SHA256, hash(&condensed(SCRIPT)), "SCRIPT_SHA256");
    }

    #[test]
    fn page_is_small_and_needs_nothing_else() {
        assert!(PAGE.len() < 45_000, "{} bytes", PAGE.len());
        for outside in ["src=\"http", "href=\"http", "@import", "url(", "innerHTML", "eval("] {
            assert!(!PAGE.contains(outside), "{outside}");
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
        use crate::wire::Refusal::{self, BadHandshake, EncryptionRequired};
        for refusal in Refusal::ALL {
            if matches!(refusal, BadHandshake | EncryptionRequired) {
                continue;
            }
            assert!(keys("ENGLISH").contains(&refusal.code()), "{}", refusal.code());
        }
    }
}
