//! The orders of the operator, and their answers.
//!
//! An [`OperatorCommand`] is read from a line that was typed in the server's own terminal,
//! and [`obey`] does what it says, to the room and to what the hub knows about
//! addresses. All words for people come from [`Operator`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::server::{Hub, OperatorLine, Origin, SessionId, State, own_addresses};
use crate::suggest::{self, Unclear};
use crate::terminal::{Argument, Command};
use crate::texts::Operator;
use crate::wire::sanitize::{is_blank, strip, visible};
use crate::wire::{MAX_COMMAND, Nick};

/// The commands, in the order of `/help`. [`Operator::commands`] follows it.
const COMMANDS: [&str; 9] =
    ["/who", "/say", "/kick", "/mute", "/unmute", "/ban", "/listen", "/invite", "/help"];

/// An order of the operator, in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand<'a> {
    /// `/who`: list the members, with their addresses.
    Who,
    /// `/say TEXT`: tell everyone.
    Say(&'a str),
    /// `/kick NICK [REASON]`: remove a member, which may come back.
    Kick {
        /// The member.
        nick: &'a str,
        /// The reason that they are told; may be empty.
        reason: &'a str,
    },
    /// `/mute NICK`: mute a member.
    Mute(&'a str),
    /// `/unmute NICK`: let a member talk again.
    Unmute(&'a str),
    /// `/mute` or `/unmute`: list the muted.
    Mutes,
    /// `/ban`: what is banned.
    Bans,
    /// `/ban NICK`: remove a member, and ban its origin.
    Ban(&'a str),
    /// `/ban ADDRESS`: ban an address, or lift its ban.
    BanAddress(IpAddr),
    /// `/listen`: show what is said, or no longer.
    Listen,
    /// `/invite [ADDRESS]`: show how to join, or the page's code for another network.
    Invite(Option<IpAddr>),
    /// `/help`: the commands.
    Help,
}

/// Why a line is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError<'a> {
    /// There is nothing to be seen in it.
    Blank,
    /// It is no command, and was not said.
    NotSaid,
    /// There is no such command, and perhaps one like it.
    Unknown(&'a str, Option<&'static str>),
    /// Several commands begin like this.
    Ambiguous(&'a str, Vec<&'static str>),
    /// The command wants something else after it.
    Usage(&'static str),
}

impl<'a> OperatorCommand<'a> {
    /// Reads one line.
    ///
    /// The beginning of a command is enough, in any case, if no other begins so.
    /// A word that looks like an address is one, even if it is also a
    /// nick; with an at sign before it, it is a nick.
    pub fn parse(line: &'a str) -> Result<OperatorCommand<'a>, InputError<'a>> {
        let line = line.trim_matches(is_blank);
        if line.is_empty() {
            return Err(InputError::Blank);
        }
        if !line.starts_with('/') {
            return Err(InputError::NotSaid);
        }
        let (word, rest) = split(line);
        let command = match suggest::command(&word.to_lowercase(), COMMANDS) {
            Ok(command) => command,
            Err(Unclear::Unknown(guess)) => return Err(InputError::Unknown(word, guess)),
            Err(Unclear::Ambiguous(known)) => return Err(InputError::Ambiguous(word, known)),
        };
        let (whom, reason) = split(rest);
        let nick = whom.strip_prefix('@').unwrap_or(whom);
        let named = !nick.is_empty();
        let alone = named && reason.is_empty();
        match command {
            "/who" => Ok(OperatorCommand::Who),
            "/help" => Ok(OperatorCommand::Help),
            "/say" if !rest.is_empty() => Ok(OperatorCommand::Say(rest)),
            "/kick" if named => Ok(OperatorCommand::Kick { nick, reason }),
            "/mute" if alone => Ok(OperatorCommand::Mute(nick)),
            "/unmute" if alone => Ok(OperatorCommand::Unmute(nick)),
            "/mute" | "/unmute" if rest.is_empty() => Ok(OperatorCommand::Mutes),
            "/listen" => Ok(OperatorCommand::Listen),
            "/invite" if rest.is_empty() => Ok(OperatorCommand::Invite(None)),
            "/invite" if alone && address(whom).is_some() => {
                Ok(OperatorCommand::Invite(address(whom)))
            }
            "/ban" if rest.is_empty() => Ok(OperatorCommand::Bans),
            "/ban" if alone => {
                Ok(address(whom).map_or(OperatorCommand::Ban(nick), OperatorCommand::BanAddress))
            }
            _ => Err(InputError::Usage(command)),
        }
    }
}

/// The first word, and what follows it without the blanks between.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// An address in any form in which we show one: `192.168.1.23:50412` and
/// `2001:db8::/64` are ours, too.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    // The zone of a link-local address is of interest to this machine alone.
    let bare = bare.split('%').next().unwrap_or(bare);
    match bare.strip_suffix("/64") {
        Some(network) => network.parse().ok().map(IpAddr::V6),
        None => bare.parse().ok().map(|ip: IpAddr| ip.to_canonical()),
    }
}

/// The commands, with what comes behind them in the words of the reader.
pub fn commands(texts: &Operator) -> [Command; 9] {
    std::array::from_fn(|n| {
        let word = COMMANDS[n];
        let whom = ["/kick", "/mute", "/unmute", "/ban"].contains(&word);
        let first = if whom { Argument::Nick } else { Argument::Text };
        Command { word, arguments: texts.commands[n].0, first }
    })
}

/// Does what a typed line orders. Returns what the operator is told: lines that
/// are fit for a terminal, whatever was typed.
pub fn give(hub: &Hub, texts: &Operator, line: &str) -> Vec<String> {
    let replies = match OperatorCommand::parse(line) {
        Ok(order) => obey(order, hub, texts, &own_addresses()),
        Err(slip) => explain(slip, texts),
    };
    replies.iter().map(|reply| visible(reply).into_owned()).collect()
}

fn explain(slip: InputError<'_>, texts: &Operator) -> Vec<String> {
    match slip {
        InputError::Blank => Vec::new(),
        InputError::NotSaid => vec![texts.not_said.into()],
        InputError::Unknown(word, guess) => vec![(texts.unknown)(word, guess)],
        InputError::Ambiguous(word, known) => vec![(texts.ambiguous)(word, &known.join(", "))],
        InputError::Usage(command) => {
            let usage = commands(texts).into_iter().find(|known| known.word == command);
            usage.iter().map(usage_of).collect()
        }
    }
}

/// Does what an order says. `own` are the addresses of this machine.
fn obey(order: OperatorCommand<'_>, hub: &Hub, texts: &Operator, own: &[IpAddr]) -> Vec<String> {
    let mut access = hub.lock();
    let state = &mut *access;
    if let Some((nick, line)) = for_another_server(state, order) {
        state.room.order_everywhere(line);
        return vec![(texts.passed_on)(nick.as_str())];
    }
    match order {
        OperatorCommand::Who => who(state, texts),
        OperatorCommand::Say(text) => {
            state.room.announce(text);
            vec![(texts.said)(state.room.population())]
        }
        OperatorCommand::Kick { nick, reason } => on(state, texts, nick, |state, id, nick| {
            state.room.kick(id, reason);
            (texts.kicked)(nick.as_str())
        }),
        OperatorCommand::Mute(nick) => on(state, texts, nick, |state, id, nick| {
            if state.room.is_muted(id) {
                return (texts.already_muted)(nick.as_str());
            }
            let others = state.mute(id, nick.clone());
            (texts.muted)(nick.as_str(), &list(&others))
        }),
        OperatorCommand::Unmute(name) => match state.room.find(name) {
            Some(_) => on(state, texts, name, |state, id, nick| match state.unmute(id) {
                true => (texts.unmuted)(nick.as_str()),
                false => (texts.not_muted)(nick.as_str()),
            }),
            None => match state.mutes.lift_absent(&Nick::key_of(name)) {
                Some(nick) => vec![(texts.unmuted)(nick.as_str())],
                None => vec![nobody(state, texts, name)],
            },
        },
        OperatorCommand::Mutes => mutes(state, texts),
        // The console does these.
        OperatorCommand::Listen | OperatorCommand::Invite(_) => Vec::new(),
        OperatorCommand::Bans => {
            match state.banned.iter().map(|place| place.to_string()).collect::<Vec<_>>() {
                none if none.is_empty() => vec![texts.no_bans.into()],
                places => places,
            }
        }
        OperatorCommand::Ban(nick) => on(state, texts, nick, |state, id, nick| {
            let ip = state.address(id).expect("a member has a connection").ip();
            match Origin::of(ip, own) {
                Some(place) => ban(state, texts, place),
                None => {
                    state.room.kick(id, "");
                    (texts.only_kicked)(nick.as_str())
                }
            }
        }),
        OperatorCommand::BanAddress(ip) => {
            match (&state.lift_everywhere(ip)[..], Origin::of(ip, own)) {
                ([], Some(place)) => vec![ban(state, texts, place)],
                ([], None) => vec![(texts.not_banned)(&ip.to_string())],
                (lifted, _) => {
                    lifted.iter().map(|place| (texts.lifted)(&place.to_string())).collect()
                }
            }
        }
        OperatorCommand::Help => help(texts),
    }
}

/// The order as the server of a member elsewhere obeys it, and the nick of the member.
fn for_another_server(state: &State, order: OperatorCommand<'_>) -> Option<(Nick, OperatorLine)> {
    let (OperatorCommand::Kick { nick: name, .. }
    | OperatorCommand::Mute(name)
    | OperatorCommand::Unmute(name)
    | OperatorCommand::Ban(name)) = order
    else {
        return None;
    };
    let nick = state.room.find_elsewhere(name)?.clone();
    let to = nick.as_str().into();
    let line = match order {
        OperatorCommand::Kick { reason, .. } => {
            let reason = strip(reason);
            let end = reason.floor_char_boundary(MAX_COMMAND);
            OperatorLine::Kick(to, reason[..end].into())
        }
        OperatorCommand::Mute(_) => OperatorLine::Mute(to),
        OperatorCommand::Unmute(_) => OperatorLine::Unmute(to),
        _ => OperatorLine::BanMember(to),
    };
    Some((nick, line))
}

/// Does something to the member of this name, or asks whether another is meant: also if
/// the nick has passed to another person while the operator typed.
fn on(
    state: &mut State,
    texts: &Operator,
    name: &str,
    act: impl FnOnce(&mut State, SessionId, Nick) -> String,
) -> Vec<String> {
    let found = state.room.find(name).and_then(|id| Some((id, state.room.nick(id)?.clone())));
    vec![match found {
        Some((id, nick)) => match state.handovers.question(&nick, id) {
            Some(since) => {
                let address = state.address(id).map_or_else(String::new, |at| at.ip().to_string());
                (texts.new_owner)(nick.as_str(), &address, &span(since))
            }
            None => act(state, id, nick),
        },
        None => nobody(state, texts, name),
    }]
}

/// Answers that the nick is free: its last owner has another one, or it is misspelt.
fn nobody(state: &State, texts: &Operator, name: &str) -> String {
    let key = Nick::key_of(name);
    let here = |nick: &&Nick| state.room.find(nick.as_str()).is_some();
    if let Some(now) = state.handovers.now_called(&key).filter(here) {
        return (texts.now_called)(name, now.as_str());
    }
    let keys = state.room.nicks().map(|(nick, _)| (Nick::key_of(nick), nick));
    let guess = suggest::nearest(&key, keys, |(key, _)| key);
    (texts.nobody)(name, guess.map(|(_, nick)| nick))
}

fn mutes(state: &mut State, texts: &Operator) -> Vec<String> {
    let here = state.room.members().filter(|(id, _)| state.room.is_muted(*id));
    let here = here.filter_map(|(id, nick)| Some(format!("{nick} {}", state.address(id)?)));
    let mut lines: Vec<String> = here.collect();
    lines.extend(state.mutes.absent().map(|(nick, origin, since)| {
        let origin = origin.map_or_else(String::new, |origin| origin.to_string());
        (texts.muted_absent)(nick.as_str(), &origin, &span(since))
    }));
    if lines.is_empty() {
        lines.push(texts.no_mutes.into());
    }
    lines
}

fn ban(state: &mut State, texts: &Operator, place: Origin) -> String {
    let removed = state.ban_everywhere(place);
    (texts.banned)(&place.to_string(), &list(&removed))
}

fn who(state: &State, texts: &Operator) -> Vec<String> {
    let lines = state.room.members().filter_map(|(id, nick)| {
        let (address, here) = (state.address(id)?, state.here_for(id)?);
        let muted = state.room.is_muted(id);
        Some((texts.person)(nick.as_str(), &address.to_string(), &span(here), muted))
    });
    let mut lines: Vec<String> = lines.collect();
    match state.room.population().saturating_sub(lines.len()) {
        0 if lines.is_empty() => lines.push(texts.empty.into()),
        0 => (),
        elsewhere => lines.push((texts.elsewhere)(elsewhere)),
    }
    lines
}

fn help(texts: &Operator) -> Vec<String> {
    let usages = commands(texts).each_ref().map(usage_of);
    let width = usages.iter().map(|usage| usage.chars().count()).max().unwrap_or_default();
    let lines = usages.iter().zip(texts.commands);
    lines.map(|(usage, (_, does))| format!("{usage:width$}  {does}")).collect()
}

fn usage_of(command: &Command) -> String {
    format!("{} {}", command.word, command.arguments).trim_end().to_string()
}

fn list(nicks: &[Nick]) -> String {
    nicks.iter().map(Nick::as_str).collect::<Vec<_>>().join(", ")
}

/// `12 min`, and other spans that are written the same in all our languages.
fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests;
