//! The orders of the operator, and their answers.
//!
//! An [`OperatorCommand`] is read from a line that was typed in the server's own terminal,
//! and [`obey`] does what it says, to the room and to what the hub knows about
//! addresses. All words for people come from [`Operator`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::server::{Hub, Origin, SessionId, State, own_addresses};
use crate::suggest::{self, Unclear};
use crate::terminal::{Argument, Command};
use crate::texts::Operator;
use crate::wire::Nick;
use crate::wire::sanitize::{is_blank, visible};

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
            match (&state.banned.lift(ip)[..], Origin::of(ip, own)) {
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
    let keys = state.room.members().map(|(_, nick)| (nick.key(), nick));
    let guess = suggest::nearest(&key, keys, |(key, _)| key);
    (texts.nobody)(name, guess.map(|(_, nick)| nick.as_str()))
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
    let removed = state.ban(place);
    (texts.banned)(&place.to_string(), &list(&removed))
}

fn who(state: &State, texts: &Operator) -> Vec<String> {
    let lines = state.room.members().filter_map(|(id, nick)| {
        let (address, here) = (state.address(id)?, state.here_for(id)?);
        let muted = state.room.is_muted(id);
        Some((texts.person)(nick.as_str(), &address.to_string(), &span(here), muted))
    });
    match lines.collect::<Vec<_>>() {
        none if none.is_empty() => vec![texts.empty.into()],
        lines => lines,
    }
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
mod tests {
    use super::*;
    use crate::server::Rules;
    use crate::server::TestHub;
    use crate::texts::{ENGLISH, PORTUGUESE};

    /// The addresses of the machine in these tests.
    const OWN: [&str; 3] = ["192.168.1.2", "fd77::2", "127.0.0.1"];

    #[track_caller]
    fn check(line: &str, expected: Result<OperatorCommand<'_>, InputError<'_>>) {
        assert_eq!(OperatorCommand::parse(line), expected, "{line:?}");
    }

    #[test]
    fn each_command_is_a_line() {
        check("/who", Ok(OperatorCommand::Who));
        check("/say five minutes more", Ok(OperatorCommand::Say("five minutes more")));
        check("/kick ana", Ok(OperatorCommand::Kick { nick: "ana", reason: "" }));
        check(
            "/kick @ana  too  loud",
            Ok(OperatorCommand::Kick { nick: "ana", reason: "too  loud" }),
        );
        check("/mute ana", Ok(OperatorCommand::Mute("ana")));
        check("/mute @ana", Ok(OperatorCommand::Mute("ana")));
        check("/unmute @ana", Ok(OperatorCommand::Unmute("ana")));
        check("/mute", Ok(OperatorCommand::Mutes));
        check("/unmute ", Ok(OperatorCommand::Mutes));
        check("/listen", Ok(OperatorCommand::Listen));
        check("/invite", Ok(OperatorCommand::Invite(None)));
        let other = OperatorCommand::Invite(Some([10, 0, 0, 7].into()));
        check("/invite 10.0.0.7", Ok(other));
        check("/invite ana", Err(InputError::Usage("/invite")));
        check("/ban", Ok(OperatorCommand::Bans));
        check("/ban ana", Ok(OperatorCommand::Ban("ana")));
        check("/help", Ok(OperatorCommand::Help));
    }

    #[test]
    fn prefix_of_a_command_is_enough() {
        check("/w", Ok(OperatorCommand::Who));
        check(" /WHO ", Ok(OperatorCommand::Who));
        check("/s a", Ok(OperatorCommand::Say("a")));
        check("/K\tana", Ok(OperatorCommand::Kick { nick: "ana", reason: "" }));
        check("/b", Ok(OperatorCommand::Bans));
        check("/", Err(InputError::Ambiguous("/", COMMANDS.to_vec())));
    }

    #[test]
    fn ban_takes_every_form_of_an_address() {
        for (text, ip) in [
            ("192.168.1.23", "192.168.1.23"),
            ("192.168.1.23:50412", "192.168.1.23"),
            ("::ffff:192.168.1.23", "192.168.1.23"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:50412", "2001:db8::1"),
            ("2001:db8::/64", "2001:db8::"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%2]:50412", "fe80::1"),
        ] {
            check(&format!("/ban {text}"), Ok(OperatorCommand::BanAddress(ip.parse().unwrap())));
        }
        // That may also be a nick.
        check("/ban @192.168.1.23", Ok(OperatorCommand::Ban("192.168.1.23")));
        check("/kick 192.168.1.23", Ok(OperatorCommand::Kick { nick: "192.168.1.23", reason: "" }));
        check("/ban 192.168.1", Ok(OperatorCommand::Ban("192.168.1")));
    }

    #[test]
    fn line_that_is_no_command_does_nothing() {
        for line in ["", " \t", "\u{200B}", "\u{FEFF}"] {
            check(line, Err(InputError::Blank));
        }
        for line in ["hi", "who", "@ana hi", "MSG hi"] {
            check(line, Err(InputError::NotSaid));
        }
        check("/whi ana", Err(InputError::Unknown("/whi", Some("/who"))));
        check("/nick ana", Err(InputError::Unknown("/nick", Some("/kick"))));
        check("/whois", Err(InputError::Unknown("/whois", Some("/who"))));
        check("/dance", Err(InputError::Unknown("/dance", None)));
        check("//say", Err(InputError::Unknown("//say", Some("/say"))));
        for line in ["/say", "/say \u{200B}\x07 "] {
            check(line, Err(InputError::Usage("/say")));
        }
        for line in ["/kick", "/kick @", "/kick @ ana"] {
            check(line, Err(InputError::Usage("/kick")));
        }
        check("/mute ana rui", Err(InputError::Usage("/mute")));
        check("/unmute ana rui", Err(InputError::Usage("/unmute")));
        for line in ["/ban ana rui", "/ban @"] {
            check(line, Err(InputError::Usage("/ban")));
        }
    }

    #[test]
    fn span_has_one_unit_or_two() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7500, "2 h 5 min")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    /// A hub with sessions that stay.
    struct Server(TestHub);

    impl Server {
        fn open() -> Server {
            let rules = Rules { history: 9, ..Rules::default() };
            Server(TestHub::with_rules(rules, usize::MAX))
        }

        fn enters(&self, address: &str) -> SessionId {
            self.0.enters_and_stays(address)
        }

        /// A client comes, takes a nick, and reads the answer.
        fn joins(&self, nick: &str, address: &str) -> SessionId {
            let id = self.enters(address);
            self.says(id, &format!("NICK {nick}"));
            assert!(self.reads(id).contains(&format!("OK welcome {nick}")), "{nick}");
            id
        }

        fn says(&self, id: SessionId, line: &str) {
            self.0.says(id, line);
        }

        /// All that a session has not read, in lines.
        fn reads(&self, id: SessionId) -> Vec<String> {
            self.0.reads(id).lines().map(str::to_string).collect()
        }

        /// The answer to one order, on a machine at 192.168.1.2 and fd77::2.
        #[track_caller]
        fn order(&self, line: &str, expected: &[&str]) {
            let own = OWN.map(|ip| ip.parse().unwrap());
            let order =
                OperatorCommand::parse(line).unwrap_or_else(|slip| panic!("{line:?}: {slip:?}"));
            assert_eq!(obey(order, &self.0.hub, &ENGLISH.operator, &own), expected, "{line:?}");
        }
    }

    #[test]
    fn who_lists_members_with_addresses() {
        let desk = Server::open();
        desk.order("/who", &["nobody is here"]);
        desk.enters("192.168.1.99");
        for (nick, address) in [("rui", "192.168.1.23"), ("Ana", "2001:db8::1")] {
            desk.joins(nick, address);
        }
        desk.order("/mute rui", &["muted: rui; /unmute rui ends it"]);
        desk.order(
            "/who",
            &["Ana [2001:db8::1]:50412, for 0 s", "rui 192.168.1.23:50412, for 0 s, muted"],
        );
    }

    #[test]
    fn say_reaches_all() {
        let desk = Server::open();
        desk.order("/say hi", &["nobody is here; newcomers may read it in the history"]);
        let ana = desk.joins("ana", "192.168.1.23");
        desk.order("/say five minutes more", &["said to 1 person"]);
        assert_eq!(desk.reads(ana), ["FROM server [all]: five minutes more"]);
    }

    #[test]
    fn kicked_member_may_come_back() {
        let desk = Server::open();
        let [ana, rui] = ["ana", "rui"].map(|nick| desk.joins(nick, "192.168.1.23"));
        desk.reads(ana);
        desk.order("/kick @ANA too\x1b loud", &["removed: ana"]);
        let why = "FROM server [dm]: you were removed by the operator: too loud";
        assert_eq!(desk.reads(ana), [why, "BYE"]);
        assert_eq!(desk.reads(rui), ["User ana left the chat."]);
        desk.joins("ana", "192.168.1.23");
    }

    #[test]
    fn unknown_nick_is_answered_with_a_similar_one() {
        let desk = Server::open();
        desk.order("/kick ana", &["nobody here is called ana"]);
        desk.joins("João", "192.168.1.23");
        desk.order("/kick joaoo", &["nobody here is called joaoo; did you mean João?"]);
        desk.order("/mute jaõo", &["nobody here is called jaõo; did you mean João?"]);
        desk.order("/ban maria", &["nobody here is called maria"]);
        desk.order("/ban JOÃO", &["banned: 192.168.1.23; removed: João"]);
    }

    #[test]
    fn ban_is_for_all_sessions_of_an_address() {
        let desk = Server::open();
        let [ana, bia, rui] = [("ana", 23), ("bia", 23), ("rui", 24)]
            .map(|(nick, n)| desk.joins(nick, &format!("192.168.1.{n}")));
        let guest = desk.enters("192.168.1.23");
        desk.order("/ban", &["nobody is banned"]);
        desk.order("/ban ana", &["banned: 192.168.1.23; removed: ana, bia"]);
        for id in [ana, bia] {
            assert_eq!(desk.reads(id).last().unwrap(), "BYE");
        }
        assert_eq!(desk.reads(guest).last().unwrap(), "ERR banned");
        assert_eq!(desk.reads(rui), ["User ana left the chat.", "User bia left the chat."]);

        let back = desk.enters("192.168.1.23");
        assert_eq!(
            desk.reads(back),
            [crate::wire::Event::Greeting.to_string().as_str(), "ERR banned"]
        );
        desk.says(back, "NICK ana");
        assert_eq!(desk.reads(back), [""; 0]);
        desk.joins("ana", "192.168.1.25");

        desk.order("/ban", &["192.168.1.23"]);
        desk.order("/ban 192.168.1.23:50412", &["no longer banned: 192.168.1.23"]);
        desk.order("/ban", &["nobody is banned"]);
        desk.joins("bia", "192.168.1.23");
    }

    #[test]
    fn ban_does_not_take_the_network_of_the_class() {
        let desk = Server::open();
        desk.joins("far", "2001:db8::1");
        desk.joins("near", "fd77::1");
        desk.order("/ban far", &["banned: 2001:db8::/64; removed: far"]);
        desk.order("/ban near", &["banned: fd77::1; removed: near"]);
        assert_eq!(desk.reads(desk.enters("2001:db8::2")).last().unwrap(), "ERR banned");
        desk.joins("neighbour", "fd77::3");
        desk.order("/ban 10.0.0.7", &["banned: 10.0.0.7; nobody from there was here"]);
        desk.order("/ban", &["10.0.0.7", "fd77::1", "2001:db8::/64"]);
        desk.order("/ban 2001:db8::/64", &["no longer banned: 2001:db8::/64"]);
        desk.joins("far", "2001:db8::2");
    }

    #[test]
    fn ban_does_not_take_the_own_machine() {
        let desk = Server::open();
        let ana = desk.joins("ana", "127.0.0.1");
        let not = "not banned: everybody on this machine would be";
        desk.order("/ban ana", &[&format!("removed: ana; {not}")]);
        assert_eq!(desk.reads(ana).last().unwrap(), "BYE");
        desk.order("/ban ::1", &[&format!("::1 was {not}")]);
        desk.joins("ana", "192.168.1.2");
        give(&desk.0.hub, &ENGLISH.operator, "/ban ana"); // The nick has another owner now.
        desk.order("/ban ana", &[&format!("removed: ana; {not}")]);
        desk.order("/ban", &["nobody is banned"]);
        desk.joins("ana", "127.0.0.1");
    }

    #[track_caller]
    fn is_muted(desk: &Server, id: SessionId, muted: bool) {
        desk.says(id, "MSG hi");
        let last = desk.reads(id).pop().unwrap();
        assert_eq!(last == "ERR muted", muted, "{last}");
    }

    #[test]
    fn mute_is_of_one_person() {
        let desk = Server::open();
        let [ana, caio] = ["ana", "caio"].map(|nick| desk.joins(nick, "192.168.1.23"));
        desk.order("/mute", &["nobody is muted"]);
        desk.order(
            "/mute ana",
            &["muted: ana; from the same address, and not muted: caio; /unmute ana ends it"],
        );
        is_muted(&desk, ana, true);
        is_muted(&desk, caio, false);
        desk.order("/mute ana", &["ana is muted already; /unmute ana ends it"]);
        desk.order("/unmute caio", &["caio was not muted"]);
        is_muted(&desk, ana, true);
        // Under another nick, too.
        desk.says(ana, "NICK bia");
        is_muted(&desk, ana, true);
        desk.order("/unmute", &["bia 192.168.1.23:50412"]);
        // Where others come from, only a nick of the person is a sign.
        desk.0.leaves(ana);
        let dora = desk.joins("dora", "192.168.1.23");
        is_muted(&desk, dora, false);
        desk.order("/mute", &["bia, who left 192.168.1.23 0 s ago"]);
        let back = desk.joins("Ana", "192.168.1.23");
        is_muted(&desk, back, true);
        is_muted(&desk, caio, false);
        desk.order("/unmute", &["Ana 192.168.1.23:50412"]);
        desk.0.leaves(back);
        desk.order("/unmute bia", &["may talk again: Ana"]);
        let back = desk.joins("bia", "192.168.1.23");
        is_muted(&desk, back, false);
        desk.order("/unmute", &["nobody is muted"]);
    }

    #[test]
    fn mute_passes_to_one_newcomer_from_the_address() {
        let desk = Server::open();
        let rui = desk.joins("rui", "192.168.1.24");
        let ana = desk.joins("ana", "192.168.1.23");
        desk.order("/mute ana", &["muted: ana; /unmute ana ends it"]);
        desk.0.leaves(ana);
        let back = desk.joins("carla", "192.168.1.23");
        let more = desk.joins("dora", "192.168.1.23");
        desk.reads(rui);
        is_muted(&desk, back, true);
        is_muted(&desk, more, false);
        is_muted(&desk, rui, false);
        desk.order("/unmute carla", &["may talk again: carla"]);
        is_muted(&desk, back, false);

        // On this machine anybody may be anybody, so the nick alone counts.
        let [one, other] = ["one", "other"].map(|nick| desk.joins(nick, "127.0.0.1"));
        desk.order("/mute one", &["muted: one; /unmute one ends it"]);
        is_muted(&desk, one, true);
        is_muted(&desk, other, false);
        desk.0.leaves(one);
        let [new, back] = ["new", "one"].map(|nick| desk.joins(nick, "127.0.0.1"));
        is_muted(&desk, new, false);
        is_muted(&desk, back, true);
    }

    #[test]
    fn order_for_a_nick_that_changed_hands_asks_first() {
        let desk = Server::open();
        let bia = desk.joins("bia", "192.168.1.23");
        desk.says(bia, "NICK bea");
        desk.order("/kick bia", &["nobody here is called bia now; bia is now bea"]);
        let eve = desk.joins("eve", "192.168.1.24");
        desk.says(eve, "NICK bia");
        let asks = ["bia is somebody else since 0 s ago, from 192.168.1.24: nothing is done; \
             give the order again if that person is meant"];
        desk.order("/kick bia", &asks);
        desk.order("/kick bea", &["removed: bea"]);
        desk.order("/mute bia", &["muted: bia; /unmute bia ends it"]);
        // A nick that is free again may be taken by another person, too.
        desk.0.leaves(eve);
        desk.joins("bia", "192.168.1.25");
        let asks = asks.map(|ask| ask.replace("1.24", "1.25"));
        desk.order("/ban bia", &asks.each_ref().map(String::as_str));
        desk.order("/ban bia", &["banned: 192.168.1.25; removed: bia"]);
    }

    #[test]
    fn answer_is_fit_for_a_terminal() {
        let desk = Server::open();
        desk.joins("ana", "127.0.0.1");
        let give = |line: &str| give(&desk.0.hub, &ENGLISH.operator, line);
        let nasty = "\x1b[2J\u{9B}\u{202E}";
        for line in ["/", "/kick ", "/mute ", "/ban ", "/say ", "hi "] {
            let told = give(&format!("{line}{nasty}"));
            assert!(!told.is_empty(), "{line}");
            assert!(told.iter().all(|line| visible(line) == *line), "{told:?}");
        }
        assert_eq!(give(" "), [""; 0]);
        assert_eq!(give("hi"), ["nobody was told; to say it to all: /say TEXT"]);
        assert_eq!(give("/kick"), ["/kick NICK [REASON]"]);
        assert_eq!(give("/whi"), ["no command /whi; did you mean /who?"]);
        let dance = "no command /dance: see /help; to say it to all: /say /dance";
        assert_eq!(give("/dance"), [dance]);
        assert_eq!(
            give("/"),
            ["/ may be any of /who, /say, /kick, /mute, /unmute, /ban, /listen, /invite, /help"]
        );
    }

    #[test]
    fn help_shows_each_command_in_both_languages() {
        for texts in [&ENGLISH, &PORTUGUESE] {
            let help = help(&texts.operator);
            for (Command { word: command, arguments, .. }, line) in
                commands(&texts.operator).iter().zip(&help)
            {
                assert!(line.starts_with(&format!("{command} {arguments}")), "{line}");
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        // Only the words are others.
        let shape = |texts| {
            let optional =
                |words: &str| words.split(' ').map(|word| word.starts_with('[')).collect();
            commands(texts).map(|Command { arguments, .. }| -> Vec<bool> { optional(arguments) })
        };
        assert_eq!(shape(&ENGLISH.operator), shape(&PORTUGUESE.operator));
    }
}
