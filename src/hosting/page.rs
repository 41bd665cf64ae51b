//! The port of the page for browsers.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::config::WebPort;
use crate::server::{self, Listener};
use crate::web;

/// How many ports above the default one are tried.
const PORT_ATTEMPTS: u16 = 100;

/// The listeners of the page for browsers.
pub struct Page {
    /// The listeners; none if there is to be no page.
    pub listeners: Vec<Listener>,
    /// The default port, if it was taken and another one was found.
    pub moved_from: Option<u16>,
}

/// Listens for the page, beside the chat's listeners on `chat_port`.
///
/// The default port is [`web::PORT_OFFSET`] above the chat's, or the next one that is free
/// and that browsers open.
///
/// # Errors
/// If no such port can be had, or not the one that was chosen.
pub fn listen(
    addresses: &[IpAddr],
    chat_port: u16,
    choice: WebPort,
) -> Result<Page, (SocketAddr, io::Error)> {
    let bound = |port| server::bind(addresses, port);
    let wanted = match choice {
        WebPort::None => return Ok(Page { listeners: Vec::new(), moved_from: None }),
        WebPort::Any => 0,
        WebPort::Chosen(port) => port,
        WebPort::Default => chat_port.saturating_add(web::PORT_OFFSET),
    };
    let mut first = match bound(wanted) {
        Ok(listeners) if wanted == 0 || web::is_port_allowed(wanted) => {
            return Ok(Page { listeners, moved_from: None });
        }
        Err(err) if choice != WebPort::Default => return Err(err),
        other => other.err(),
    };
    let next = wanted.saturating_add(1)..=wanted.saturating_add(PORT_ATTEMPTS);
    // The system chooses from high ports, which browsers open all.
    for port in next.filter(|&port| web::is_port_allowed(port)).chain([0]) {
        match bound(port) {
            Ok(listeners) => return Ok(Page { listeners, moved_from: Some(wanted) }),
            Err(err) => first = first.or(Some(err)),
        }
    }
    Err(first.expect("the last port was tried"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn busy_default_port_moves_the_page_to_one_that_browsers_open() {
        let localhost = [Ipv4Addr::LOCALHOST.into()];
        let page = |chat_port, choice| {
            let page = listen(&localhost, chat_port, choice).expect("there are ports");
            let port = page.listeners.first().map(|listener| listener.address.port());
            (port.unwrap_or(0), page.moved_from, page.listeners)
        };
        assert_eq!(page(9000, WebPort::None).0, 0);
        let (taken, moved_from, _held) = page(0, WebPort::Any);
        assert!(taken > 1023 && moved_from.is_none());
        let (port, moved_from, _) = page(taken - web::PORT_OFFSET, WebPort::Default);
        assert!(port != taken && web::is_port_allowed(port), "{port}");
        assert_eq!(moved_from, Some(taken));
        assert!(listen(&localhost, 9000, WebPort::Chosen(taken)).is_err());
        // 80 above 6585 is one of the ports of IRC, which browsers refuse.
        let (port, moved_from, _) = page(6585, WebPort::Default);
        assert!(!(6665..=6669).contains(&port) && moved_from == Some(6665), "{port}");
    }
}
