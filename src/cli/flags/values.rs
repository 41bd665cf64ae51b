//! The values of options: texts become values, or a flaw.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{Engine, EngineFlaw, WebPort};
use crate::web;

/// The longest time, in seconds: a day.
pub(in crate::cli) const MAX_SECONDS: u32 = 86_400;

/// A flaw in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Flaw {
    /// It is no port.
    Port,
    /// Browsers open no page on this port.
    WebPort,
    /// It is no IP address.
    Address,
    /// It is an address of a single link.
    OneLink,
    /// It is no number.
    Number,
    /// It is no time in seconds.
    Seconds,
    /// It is none of these words.
    Choice(&'static [&'static str]),
    /// It is no address of a log that several servers share.
    Engine(EngineFlaw),
    /// A dash names no file.
    Dash,
    /// It is empty.
    Empty,
}

/// Puts a value that was read into its place.
pub(super) fn put<T>(place: &mut T, value: Result<T, Flaw>) -> Result<(), Flaw> {
    *place = value?;
    Ok(())
}

/// Adds a value to those that are given, once.
pub(super) fn add<T: PartialEq>(place: &mut Vec<T>, value: Result<T, Flaw>) -> Result<(), Flaw> {
    let value = value?;
    if !place.contains(&value) {
        place.push(value);
    }
    Ok(())
}

pub(super) fn port(text: &str) -> Result<u16, Flaw> {
    text.parse().map_err(|_| Flaw::Port)
}

/// A port on which browsers open a page.
pub(super) fn web_port(text: &str) -> Result<WebPort, Flaw> {
    match port(text)? {
        0 => Ok(WebPort::Any),
        port if web::is_port_allowed(port) => Ok(WebPort::Chosen(port)),
        _ => Err(Flaw::WebPort),
    }
}

/// An address to listen on. One of a single link is refused, because the others on that
/// link could join and no others.
pub(super) fn address(text: &str) -> Result<IpAddr, Flaw> {
    let ip = text.split_once('%').map_or(text, |(ip, _)| ip);
    match ip.parse() {
        Ok(IpAddr::V6(v6)) if v6.is_unicast_link_local() => Err(Flaw::OneLink),
        Ok(ip) if !text.contains('%') => Ok(ip),
        _ => Err(Flaw::Address),
    }
}

pub(super) fn engine(text: &str) -> Result<Engine, Flaw> {
    Engine::parse(text).map_err(Flaw::Engine)
}

pub(super) fn number(text: &str) -> Result<u32, Flaw> {
    text.parse().map_err(|_| Flaw::Number)
}

pub(super) fn count(text: &str) -> Result<usize, Flaw> {
    number(text).map(|number| number as usize)
}

pub(super) fn seconds(text: &str) -> Result<Duration, Flaw> {
    let fits = |seconds: &f64| *seconds > 0.0 && *seconds <= f64::from(MAX_SECONDS);
    let seconds = text.parse().ok().filter(fits);
    seconds.map(Duration::from_secs_f64).ok_or(Flaw::Seconds)
}

pub(super) fn choice<T: FromStr>(text: &str, words: &'static [&'static str]) -> Result<T, Flaw> {
    text.parse().map_err(|_| Flaw::Choice(words))
}

pub(super) fn path(text: &str) -> Result<PathBuf, Flaw> {
    if text == "-" {
        return Err(Flaw::Dash);
    }
    word(text).map(PathBuf::from)
}

pub(super) fn word(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() { Err(Flaw::Empty) } else { Ok(text.into()) }
}
