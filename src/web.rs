//! The page for people with nothing but a browser, and their way into the room.
//!
//! Pure functions: [`http`] turns requests into answers, [`frames`] turns bytes of a
//! WebSocket into lines and back, [`code`] draws the address of the [`page`] to scan. What
//! is said in the WebSocket is the protocol of the chat; the server owns the sockets.

pub mod code;
pub mod frames;
pub mod http;
pub mod page;

use core::net::SocketAddr;

/// How far above the port of the chat the page's default port is.
pub const PORT_OFFSET: u16 = 80;

/// The ports that browsers refuse to open (WHATWG Fetch, "port blocking"), from 1024 on.
const BLOCKED_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];
/// The same, below 1024.
const BLOCKED_LOW_PORTS: [u16; 63] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
    512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
    995,
];

/// Whether browsers open a page on this port.
pub fn is_port_allowed(port: u16) -> bool {
    !BLOCKED_PORTS.contains(&port) && !BLOCKED_LOW_PORTS.contains(&port)
}

/// The address of the page on a server.
pub fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_open_the_default_port_and_not_that_of_irc() {
        for (port, allowed) in
            [(9080, true), (80, true), (6667, false), (10080, false), (22, false)]
        {
            assert_eq!(is_port_allowed(port), allowed, "{port}");
        }
    }
}
