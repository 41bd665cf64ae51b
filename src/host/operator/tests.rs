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
    check("/kick @ana  too  loud", Ok(OperatorCommand::Kick { nick: "ana", reason: "too  loud" }));
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
        let rules = Rules { history: 9, term: "1".into(), ..Rules::default() };
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
fn operator_lists_members_with_addresses() {
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
    assert_eq!(desk.reads(back), [crate::wire::Event::Greeting.to_string().as_str(), "ERR banned"]);
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
        let optional = |words: &str| words.split(' ').map(|word| word.starts_with('[')).collect();
        commands(texts).map(|Command { arguments, .. }| -> Vec<bool> { optional(arguments) })
    };
    assert_eq!(shape(&ENGLISH.operator), shape(&PORTUGUESE.operator));
}

/// Two servers of one room, and its log.
struct TwoServers {
    desks: [Server; 2],
    log: Vec<String>,
    read: usize,
}

impl TwoServers {
    fn open() -> TwoServers {
        let desks = [1, 2].map(|number| {
            let desk = Server::open();
            desk.0.hub.lock().room.share(number);
            desk
        });
        let mut servers = TwoServers { desks, log: Vec::new(), read: 0 };
        servers.agree();
        servers
    }

    /// Passes entries until no server has one.
    fn agree(&mut self) {
        loop {
            for desk in &self.desks {
                let mut access = desk.0.hub.lock();
                let now = access.now;
                self.log.extend(access.room.take_entry(now));
            }
            if self.read == self.log.len() {
                return;
            }
            for (entry, number) in self.log[self.read..].iter().zip(self.read as u64..) {
                for desk in &self.desks {
                    let mut access = desk.0.hub.lock();
                    let now = access.now;
                    access.room.ordered((1000, number), entry.as_bytes(), now);
                }
            }
            self.read = self.log.len();
        }
    }

    fn joins(&mut self, desk: usize, nick: &str, address: &str) -> SessionId {
        let id = self.desks[desk].enters(address);
        self.desks[desk].says(id, &format!("NICK {nick}"));
        self.agree();
        let lines = self.desks[desk].reads(id);
        assert!(lines.contains(&format!("OK welcome {nick}")), "{lines:?}");
        id
    }

    /// Gives an order at the first server.
    #[track_caller]
    fn order(&mut self, line: &str, expected: &[&str]) {
        self.desks[0].order(line, expected);
        self.agree();
    }

    /// The bans of both servers.
    fn bans(&self) -> [Vec<String>; 2] {
        self.desks
            .each_ref()
            .map(|desk| desk.0.hub.lock().banned.iter().map(|place| place.to_string()).collect())
    }
}

#[test]
fn order_reaches_a_member_at_another_server() {
    let mut servers = TwoServers::open();
    servers.joins(0, "rui", "203.0.113.1");
    let ana = servers.joins(1, "Ana", "203.0.113.2");
    let passed_on = ["passed on to the server of Ana"];
    servers.order("/who", &["rui 203.0.113.1:50412, for 0 s", "at other servers: 1"]);
    servers.order("/kick anna", &["nobody here is called anna; did you mean Ana?"]);
    for (order, muted) in [("/mute ana", true), ("/unmute ANA", false)] {
        servers.order(order, &passed_on);
        assert_eq!(servers.desks[1].0.hub.lock().room.is_muted(ana), muted, "{order}");
    }
    servers.order("/kick ana too loud", &passed_on);
    let why = "FROM server [dm]: you were removed by the operator: too loud";
    assert!(servers.desks[1].reads(ana).ends_with(&[why.into(), "BYE".into()]));
    servers.order("/kick ana", &["nobody here is called ana"]);
    assert_eq!(servers.bans(), [[""; 0]; 2]);
}

#[test]
fn ban_is_for_all_servers_until_lifted() {
    let mut servers = TwoServers::open();
    let rui = servers.joins(0, "rui", "203.0.113.1");
    let ana = servers.joins(1, "ana", "203.0.113.2");
    let bia = servers.joins(1, "bia", "203.0.113.1");
    servers.order("/ban ana", &["passed on to the server of ana"]);
    assert!(servers.desks[1].reads(ana).contains(&"BYE".into()));
    assert_eq!(servers.bans(), [["203.0.113.2"]; 2]);
    servers.order("/ban rui", &["banned: 203.0.113.1; removed: rui"]);
    assert!(servers.desks[0].reads(rui).contains(&"BYE".into()));
    assert!(servers.desks[1].reads(bia).contains(&"BYE".into()));
    servers.order("/ban 203.0.113.1", &["no longer banned: 203.0.113.1"]);
    servers.order("/ban 203.0.113.2", &["no longer banned: 203.0.113.2"]);
    assert_eq!(servers.bans(), [[""; 0]; 2]);
}

#[test]
fn ban_of_another_server_spares_this_machine() {
    let mut servers = TwoServers::open();
    for place in ["127.0.0.1", "::1"] {
        let mut access = servers.desks[0].0.hub.lock();
        access.room.order_everywhere(OperatorLine::Ban(place.into()));
    }
    servers.agree();
    assert_eq!(servers.bans(), [[""; 0]; 2]);
}
