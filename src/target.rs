//! A target: the words of a person for a server, an address or a name.

use std::net::{IpAddr, Ipv6Addr};

use crate::wire::{DEFAULT_PORT, Nick};

/// The IP address and port in a word that is a full address, and nothing else: `ADDRESS`,
/// `ADDRESS:PORT`, and with IPv6 `[ADDRESS]:PORT`. An IPv6 address may name its link.
/// The port is what follows the colon, whatever that is.
pub fn address(word: &str) -> Option<(&str, Option<&str>)> {
    if is_ipv6(word) || word.parse::<IpAddr>().is_ok() {
        return Some((word, None));
    }
    if let Some((host, rest)) = word.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match rest.strip_prefix(':') {
            _ if !is_ipv6(host) => None,
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = word.rsplit_once(':')?;
    host.parse::<IpAddr>().is_ok().then_some((host, Some(port)))
}

/// Whether this is an IPv6 address, perhaps with its link.
pub fn is_ipv6(host: &str) -> bool {
    host.split('%').next().is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok())
}

/// The host name and port in a word that may be one; none if it can only be a title.
/// A number is no host, though some systems take it for an IPv4 address.
pub fn host(word: &str) -> Option<(&str, u16)> {
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (word, DEFAULT_PORT),
    };
    let is_number = |part: &str| {
        let hexadecimal = part.strip_prefix("0x").or(part.strip_prefix("0X"));
        match hexadecimal {
            Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => part.bytes().all(|byte| byte.is_ascii_digit()),
        }
    };
    let fits = !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':')
        && !host.split('.').all(is_number);
    fits.then_some((host, port))
}

/// The key that tells titles apart, as it does nicks; and blanks count as one.
pub fn key(title: &str) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    Nick::key_of(&words.join(" ")).into_owned()
}

/// A title as an argument for the shells of this system; none if it would be taken for an
/// address, or if no quotes protect it.
pub fn quoted(title: &str) -> Option<String> {
    if cfg!(windows) { quoted_for_windows(title) } else { quoted_for_unix(title) }
}

/// A title as an argument for PowerShell and `cmd`. Both know double quotes, which do not
/// protect everything.
fn quoted_for_windows(title: &str) -> Option<String> {
    if title.contains(['%', '\u{201C}', '\u{201D}', '\u{201E}']) {
        return None; // PowerShell takes the curly quotes for straight ones.
    }
    quoted_for_unix(title).filter(|word| !word.ends_with('\''))
}

fn quoted_for_unix(title: &str) -> Option<String> {
    if address(title).is_some() {
        return None;
    }
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_special = |c: char| matches!(c, '"' | '$' | '`' | '\\' | '!');
    let word = if title.chars().all(is_plain) {
        title.to_string()
    } else if !title.contains(is_special) {
        format!("\"{title}\"")
    } else {
        format!("'{}'", title.replace('\'', r"'\''"))
    };
    Some(if title.starts_with('-') { format!("-- {word}") } else { word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_addresses_are_addresses() {
        for (word, expected) in [
            ("10.0.0.1", Some(("10.0.0.1", None))),
            ("10.0.0.1:9001", Some(("10.0.0.1", Some("9001")))),
            ("10.0.0.1:x", Some(("10.0.0.1", Some("x")))),
            ("::1", Some(("::1", None))),
            ("[::1]", Some(("::1", None))),
            ("[fe80::1%eth0]:9", Some(("fe80::1%eth0", Some("9")))),
            ("101", None),
            ("3.5", None),
            ("10.0.1", None),
            ("0x10", None),
            ("Turma:1", None),
            ("Sala 2:9000", None),
            ("[Redes]", None),
            ("[::1]x", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(address(word), expected, "{word}");
        }
    }

    #[test]
    fn numbers_and_words_with_blanks_are_no_hosts() {
        for (word, expected) in [
            ("sala3", Some(("sala3", 9000))),
            ("sala3.local:9001", Some(("sala3.local", 9001))),
            ("Turma:1", Some(("Turma", 1))),
            ("3com", Some(("3com", 9000))),
            ("101", None),
            ("3.5", None),
            ("0x10", None),
            ("0x10.1:80", None),
            ("101:9000", None),
            ("Sala 2:9000", None),
            ("Turma:B", None),
            ("Turma:0", None),
            ("a:b:1", None),
        ] {
            assert_eq!(host(word), expected, "{word}");
        }
    }

    #[test]
    fn titles_compare_as_nicks_do_and_blanks_are_one() {
        assert_eq!(key("  Sala \u{A0} 3 "), key("sala 3"));
        assert_eq!(key("Química"), key("QUI\u{301}MICA"));
        assert_eq!(key("Ｒｅｄｅｓ"), key("redes"));
        assert_ne!(key("Sala 3"), key("Sala3"));
    }

    #[test]
    fn titles_are_quoted_for_the_shells_of_windows_or_not_named() {
        for (title, expected) in [
            ("Redes", Some("Redes")),
            ("Sala 3", Some("\"Sala 3\"")),
            ("D'Ávila 1", Some("\"D'Ávila 1\"")),
            ("a;b & c", Some("\"a;b & c\"")),
            ("-x", Some("-- -x")),
            ("$5 \"x\"", None),
            ("%PATH%", None),
            ("a\\", None),
            ("„x“", None),
            ("10.0.0.1", None),
        ] {
            assert_eq!(quoted_for_windows(title).as_deref(), expected, "{title}");
        }
    }

    #[test]
    fn titles_are_quoted_for_the_shell() {
        for (title, expected) in [
            ("Redes", Some("Redes")),
            ("Sala 3", Some("\"Sala 3\"")),
            ("D'Ávila 1", Some("\"D'Ávila 1\"")),
            ("$5 \"x\"", Some("'$5 \"x\"'")),
            ("it's $5", Some(r"'it'\''s $5'")),
            ("-x", Some("-- -x")),
            ("a;b", Some("\"a;b\"")),
            ("10.0.0.1", None),
        ] {
            assert_eq!(quoted_for_unix(title).as_deref(), expected, "{title}");
        }
    }
}
