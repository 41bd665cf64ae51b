//! How to join, in words and as a code to scan: the server's terminal and the client show
//! the same.

use std::net::IpAddr;

use crate::screen;
use crate::target;
use crate::texts;
use crate::web::code;
use crate::wire::DEFAULT_PORT;

/// How many rows a terminal needs beside those of the code.
const ROWS_BESIDE: usize = 4;

/// How to join by the name under which the server is announced.
pub fn by_name(title: &str, texts: &texts::Server) -> String {
    let announced = (texts.announced)(title);
    match target::quoted(title) {
        Some(name) => format!("{announced} {}\n  minichat connect {name}\n", texts.join_by_name),
        None => format!("{announced}\n"),
    }
}

/// How to join at these addresses: from other machines, or from this one if it is the only
/// one that can. `nc` is named only if the server lets people in `in_clear`.
pub fn by_address(
    addresses: &[IpAddr],
    port: u16,
    in_clear: bool,
    texts: &texts::Server,
) -> String {
    if addresses.is_empty() {
        return format!("{}\n", texts.unreachable);
    }
    let mut text = match addresses.iter().all(IpAddr::is_loopback) {
        true => texts.join_from_machine.to_string(),
        false => texts.join_from_network.to_string(),
    };
    for &address in addresses {
        let target = match (address, port) {
            (address, DEFAULT_PORT) => address.to_string(),
            (IpAddr::V4(address), port) => format!("{address}:{port}"),
            (IpAddr::V6(address), port) => format!("[{address}]:{port}"),
        };
        text += &format!("\n  minichat connect {target}");
        if in_clear {
            text += &format!("\n  nc {address} {port}");
        }
    }
    match in_clear {
        true => text + &format!("\n  {}\n", texts.then_type),
        false => text + "\n",
    }
}

/// The lines that say how to open the page at `url`, and the rows of its code, if others can
/// reach it and standard output can show them. The rows must not be broken.
pub fn by_page(url: &str, for_others: bool, texts: &texts::Server) -> (String, Vec<String>) {
    let rows = code::terminal_rows(url);
    match for_others
        && !rows.is_empty()
        && screen::can_draw(code::COLUMNS, rows.len() + ROWS_BESIDE)
    {
        true => (format!("{}\n  {url}\n", texts.scan_or_open), rows),
        false => (format!("{}\n  {url}\n", texts.open_in_browser), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_names_another_port() {
        let text =
            |ip: &str, port| by_address(&[ip.parse().unwrap()], port, true, &texts::ENGLISH.server);
        let usual = text("127.0.0.1", 9000);
        assert!(usual.contains("  minichat connect 127.0.0.1\n  nc 127.0.0.1 9000\n"), "{usual}");
        assert!(text("127.0.0.1", 9001).contains("  minichat connect 127.0.0.1:9001\n"));
        assert!(text("::1", 9001).contains("  minichat connect [::1]:9001\n  nc ::1 9001\n"));
    }

    #[test]
    fn invitation_to_an_encrypted_room_does_not_name_nc() {
        for texts in [&texts::ENGLISH.server, &texts::PORTUGUESE.server] {
            let text = by_address(&["127.0.0.1".parse().unwrap()], 9000, false, texts);
            let expected = format!("{}\n  minichat connect 127.0.0.1\n", texts.join_from_machine);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn invitation_without_an_address_says_so() {
        let text = by_address(&[], 9000, true, &texts::ENGLISH.server);
        assert_eq!(text, "No network interface is up: nobody can join yet.\n");
    }
}
